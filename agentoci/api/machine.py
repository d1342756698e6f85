"""What this machine brings along: programs, home, store, disk and settings, each judged."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentoci._internal import limits
from agentoci._internal.version import __version__
from agentoci.config.settings import read_settings
from agentoci.content.protocols import ContentNotFound
from agentoci.errors import AgentociError, NotFound
from agentoci.store.layout import LayoutStore

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

_OLD_TLS: Final = (3, 0)
"""OpenSSL before this gets no repairs any more."""

_LITTLE: Final = limits.GIB
_NOTHING: Final = 64 * limits.MIB
"""Free bytes below which a pull is likely to fail, and below which nothing works."""

_ABANDONED: Final = timedelta(days=1)
"""Age at which what a pull has left is of a pull that nobody goes on with."""


class Grade(StrEnum):
    """How good something is; the values are shown."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `hint` says what to do about it."""

    check: str
    grade: Grade
    detail: str
    hint: str | None = None


Look = Callable[["Engine"], Iterator[Check]]


class Unhealthy(AgentociError):
    """Something on this machine keeps verbs from working."""


def examine_machine(engine: Engine) -> list[Check]:
    """Look at everything, in order; what goes wrong while looking is a finding too."""
    from agentoci.api.surroundings import LOOKS

    found: list[Check] = []
    for name, look in (*_LOOKS, *LOOKS):
        try:
            for check in look(engine):
                found.append(check)  # noqa: PERF402 (what comes before an error counts)
        except AgentociError as exc:
            found.append(Check(name, Grade.FAIL, exc.message, exc.hint))
        except OSError as exc:
            where = f"{exc.filename}: " if exc.filename else ""
            found.append(Check(name, Grade.FAIL, f"{where}{exc.strerror or exc}"))
    return found


def check_settings(engine: Engine) -> None:
    """Raise InvalidSettings where the engine was made without regard to a bad config file."""
    read_settings(engine.settings.environment)


def _versions(engine: Engine) -> Iterator[Check]:
    del engine
    yield Check("agentoci", Grade.OK, __version__)
    yield Check("python", Grade.OK, sys.version.partition(" ")[0])
    old = ssl.OPENSSL_VERSION_INFO < _OLD_TLS
    yield Check(
        "openssl",
        Grade.WARN if old else Grade.OK,
        ssl.OPENSSL_VERSION,
        "a newer Python brings a newer OpenSSL" if old else None,
    )
    yield _zstandard()


def _zstandard() -> Check:
    """The library decides the bytes of packed layers, and so their digests."""
    wanted = _pinned("zstandard")
    found = importlib.metadata.version("zstandard")
    if f"{found}.".startswith(wanted):
        return Check("zstandard", Grade.OK, found)
    return Check(
        "zstandard",
        Grade.WARN,
        f"{found}, where {wanted}* is meant: builds get other digests than elsewhere",
        f"pip install 'zstandard=={wanted}*'",
    )


def _pinned(name: str) -> str:
    """The beginning of the version that this program was made for; empty when any will do."""
    try:
        needs = importlib.metadata.requires("agentoci") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    found = (re.match(rf"{name}\s*==\s*([0-9.]+)\*", need) for need in needs)
    return next((match[1] for match in found if match), "")


def _home(engine: Engine) -> Iterator[Check]:
    home = engine.settings.home
    if home.is_dir():
        _write_into(home)
        yield Check("home", Grade.OK, str(home))
        return
    parent = _nearest(home)
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        yield Check("home", Grade.OK, f"{home} (made when it is first needed)")
    else:
        hint = "set AGENTOCI_HOME to a folder that you may write"
        yield Check("home", Grade.FAIL, f"{home}: cannot be made in {parent}", hint)


def _store(engine: Engine) -> Iterator[Check]:
    root = engine.settings.store
    if not root.exists():
        yield Check("store", Grade.OK, f"{root} (made when it is first needed)")
        return
    try:
        store = LayoutStore.open(root, clock=engine.clock)
    except ContentNotFound:
        if any(root.iterdir()):
            raise NotFound(
                f"{root}: holds something, but no oci-layout file",
                hint='put {"imageLayoutVersion":"1.0.0"} there, or move the folder away',
            ) from None
        yield Check("store", Grade.OK, f"{root} (empty)")
        return
    entries = store.index.read()
    _write_into(root)
    yield Check("store", Grade.OK, f"{root}: {len({e.digest for e in entries})} images")
    yield from _leftovers(engine, root / "ingest")


def _leftovers(engine: Engine, ingest: Path) -> Iterator[Check]:
    """What broken-off pulls and builds have left: the next pull goes on with it, gc removes it."""
    if not ingest.is_dir():
        return
    oldest = (engine.clock.now() - _ABANDONED).timestamp()
    states = [state for path in ingest.iterdir() if (state := _part(path)) is not None]
    size = sum(state.st_size for state in states)
    shown = f"begun and not finished: downloads and builds of {size} bytes"
    if any(state.st_mtime < oldest for state in states):
        yield Check("leftovers", Grade.WARN, shown, "agent gc removes what nobody goes on with")
    elif states:
        yield Check("leftovers", Grade.OK, shown)


def _part(path: Path) -> os.stat_result | None:
    """A file that grows into a blob; None for others, and when it is one by now."""
    if path.suffix == ".part" or path.name.startswith("tmp-"):
        with contextlib.suppress(FileNotFoundError):
            return path.stat()
    return None


def _disk(engine: Engine) -> Iterator[Check]:
    folder = _nearest(engine.settings.home)
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    grade = Grade.FAIL if free < _NOTHING else Grade.WARN if free < _LITTLE else Grade.OK
    hint = None if grade is Grade.OK else "agent prune, or set AGENTOCI_HOME to another disk"
    yield Check("disk", grade, f"{free / limits.GIB:.1f} GiB free for {folder}", hint)


def _config(engine: Engine) -> Iterator[Check]:
    path = engine.settings.config_path
    check_settings(engine)
    yield Check("config file", Grade.OK, str(path) if path.exists() else f"none ({path})")


def _write_into(folder: Path) -> None:
    """Prove that files can be made there; raises OSError."""
    with tempfile.TemporaryFile(dir=folder) as stream:
        stream.write(b"agent doctor")


def _nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(one for one in (path, *path.parents) if one.exists())


_LOOKS: Final[tuple[tuple[str, Look], ...]] = (
    ("versions", _versions),
    ("home", _home),
    ("store", _store),
    ("disk", _disk),
    ("config file", _config),
)
