"""What is known of a registry, kept between runs: how it takes uploads, what it can do.

A fact is a hint and may be out of date, so everything that uses one has a plain path when it turns
out wrong. None means that nobody knows.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Protocol

from agentoci._internal import files, limits
from agentoci._internal.clock import Clock, timestamp
from agentoci._internal.locks import lock
from agentoci.spec.digest import Digest

MONOLITHIC: Final = "monolithic"
STREAMED: Final = "streamed"
CHUNKED: Final = "chunked"
UPLOAD_METHODS: Final = (MONOLITHIC, STREAMED, CHUNKED)

_TRUSTED_FOR: Final = 30 * 86400
"""Seconds after which a fact is forgotten: registries are upgraded."""

_LIMIT: Final = 64 * limits.KIB


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What one registry is known to do; sizes in bytes.

    `upload` is the method that worked last (one of UPLOAD_METHODS), `chunk` the size of its chunks;
    `links_pages` tells whether a list that goes on has a Link, so that one without has ended;
    `whole_lists` whether all tags come at once when no number of them is named;
    `probed` is when `agent doctor` looked (RFC 3339).
    """

    upload: str | None = None
    chunk: int | None = None
    resume: bool | None = None
    ranges: bool | None = None
    mount: bool | None = None
    referrers: bool | None = None
    custom_types: bool | None = None
    delete_tags: bool | None = None
    delete_manifests: bool | None = None
    catalog: bool | None = None
    links_pages: bool | None = None
    whole_lists: bool | None = None
    probed: str | None = None


class Memory(Protocol):
    """Where facts about registries are kept."""

    def facts(self, host: str) -> HostFacts:
        """What is known of a registry."""
        ...

    def learn(self, host: str, **changes: Any) -> HostFacts:
        """Keep fields of HostFacts; returns all that is known now."""
        ...


class RunMemory:
    """Facts that last as long as the process; safe for several threads."""

    def __init__(self) -> None:
        self._facts: dict[str, HostFacts] = {}
        self._lock = threading.Lock()

    def facts(self, host: str) -> HostFacts:
        """What this run has learned."""
        return self._facts.get(host, HostFacts())

    def learn(self, host: str, **changes: Any) -> HostFacts:
        """Remember until the process ends."""
        with self._lock:
            self._facts[host] = replace(self.facts(host), **changes)
            return self._facts[host]


class FileMemory:
    """Facts in a folder, a file per registry; what cannot be read or written is not remembered."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._known: dict[str, HostFacts] = {}

    def facts(self, host: str) -> HostFacts:
        """What is known of a registry; read from disk once."""
        if host not in self._known:
            self._known[host] = self._read(host)
        return self._known[host]

    def learn(self, host: str, **changes: Any) -> HostFacts:
        """Keep facts; nothing is written when they are known already."""
        known = self.facts(host)
        learned = replace(known, **changes)
        self._known[host] = learned
        if learned != known:
            with contextlib.suppress(OSError):  # not written: a lesson lost, no more
                self._write(host, changes)
        return learned

    def _write(self, host: str, changes: Mapping[str, Any]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(host)
        with lock(path.with_suffix(".lock")):
            facts = asdict(replace(self._read(host), **changes))
            document = {"host": host, "learned": timestamp(self._clock.now()), "facts": facts}
            files.write_atomically(path, json.dumps(document, indent=1).encode())

    def _read(self, host: str) -> HostFacts:
        path = self._path(host)
        try:
            age = self._clock.now().timestamp() - path.stat().st_mtime
            document = json.loads(files.read_at_most(path, _LIMIT))
            found = document["facts"] if age < _TRUSTED_FOR else {}
            return _checked(found)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return HostFacts()

    def _path(self, host: str) -> Path:
        return self._folder / f"{Digest.of(host.encode()).hex[:32]}.json"


def _checked(found: Mapping[str, Any]) -> HostFacts:
    """Facts of the right types; an older or newer program may have written others."""
    kept: dict[str, Any] = {}
    for field in fields(HostFacts):
        value = found.get(field.name)
        kinds = {"chunk": int, "upload": str, "probed": str}
        if type(value) is kinds.get(field.name, bool):
            kept[field.name] = value
    if kept.get("upload") not in UPLOAD_METHODS:
        kept.pop("upload", None)
    if kept.get("chunk", 1) <= 0:
        kept.pop("chunk")
    return HostFacts(**kept)
