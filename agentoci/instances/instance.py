"""An instance as its directory shows it: where its places are, what it was made from, how it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agentoci.errors import Integrity, NotFound
from agentoci.instances import record
from agentoci.instances.state import LIVE, Event, State, advance

if TYPE_CHECKING:
    from agentoci.spec.jsonio import Json


class InstanceNotFound(NotFound):
    """No instance has this name or uuid."""

    def __init__(self, name: str, *, hint: str | None = None) -> None:
        super().__init__(f"no instance is named {name!r}", hint=hint)


class BrokenInstance(Integrity):
    """A file of the instance's directory cannot be read."""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """What an instance is made from.

    `reference` is the image as its user wrote it, `digest` that of its manifest, `definition` the
    `name@version` of its definition, `tools` the names that the definition requires.
    """

    reference: str
    digest: str
    definition: str
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """What runs in an instance, as the image and the user say it.

    `entrypoint`, `environment` (`KEY=VALUE`) and `working_dir` are the image's and are written as
    for a sandbox, with `/agent` as the root; `arguments` and `extra` (`KEY=VALUE`) the user's.
    """

    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    working_dir: str = "/agent"

    def document(self) -> dict[str, Json]:
        """The JSON object that is kept for the next start."""
        return {
            "entrypoint": list(self.entrypoint),
            "arguments": list(self.arguments),
            "environment": list(self.environment),
            "extra": list(self.extra),
            "working_dir": self.working_dir,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Json]) -> ProcessEntry:
        """Read it back; raises ValueError."""
        working_dir = document.get("working_dir", "/agent")
        if not isinstance(working_dir, str):
            raise ValueError("working_dir must be a string")  # noqa: TRY004
        return cls(
            _texts(document, "entrypoint"),
            _texts(document, "arguments"),
            _texts(document, "environment"),
            _texts(document, "extra"),
            working_dir,
        )


@dataclass(frozen=True, slots=True)
class InstanceView:
    """What a listing shows. `state` is None when the document cannot be read.

    `exit_code` is None while the instance runs, before its first start, and when its supervisor
    died with it; `pid` and `uptime` (seconds) are there while it runs only.
    """

    name: str
    uuid: str
    image: str
    digest: str
    definition: str
    state: State | None
    created: str
    health: str = "unknown"
    started: str | None = None
    ended: str | None = None
    exit_code: int | None = None
    pid: int | None = None
    uptime: float | None = None
    has_log: bool = True


@dataclass(frozen=True, slots=True)
class Instance:
    """A directory that holds an instance. A handle: the instance may be gone meanwhile."""

    name: str
    path: Path

    @property
    def image(self) -> Path:
        """The unpacked layers; the agent's home is `agent` in it."""
        return self.path / "image"

    @property
    def memory(self) -> Path:
        """What the agent remembers."""
        return self.path / "memory"

    @property
    def learned(self) -> Path:
        """What the agent has learned."""
        return self.path / "learned"

    @property
    def history(self) -> Path:
        """What happened."""
        return self.path / "history"

    @property
    def workspace(self) -> Path:
        """What the agent works on."""
        return self.path / "workspace"

    @property
    def logs(self) -> Path:
        """What the process said."""
        return self.path / "logs"

    @property
    def run(self) -> Path:
        """What only the runtime needs."""
        return self.path / "run"

    def entry(self) -> ProcessEntry:
        """What runs in it; raises BrokenInstance."""
        try:
            return ProcessEntry.from_document(record.read_object(f"{self.path}/{record.ENTRY}"))
        except (OSError, ValueError) as exc:
            raise BrokenInstance(f"{self.name}: {record.ENTRY}: {exc}") from exc

    def view(self, *, now: datetime) -> InstanceView:
        """How it is now; raises InstanceNotFound, or BrokenInstance when it cannot be read."""
        try:
            document = record.read_object(f"{self.path}/{record.DOCUMENT}")
            return _view(self.name, document, record.read_run(str(self.path)), now=now)
        except (OSError, ValueError) as exc:
            if not self.path.exists():
                raise InstanceNotFound(self.name) from None
            raise BrokenInstance(
                f"{self.name}: {record.DOCUMENT}: {exc}",
                hint=f"remove the instance, or repair {self.path / record.DOCUMENT}",
            ) from exc

    def is_supervised(self) -> bool:
        """Whether a supervisor keeps a process of it."""
        return record.is_supervised(record.read_run(str(self.path)))


def _view(
    name: str, document: Mapping[str, Json], run: Mapping[str, Json], *, now: datetime
) -> InstanceView:
    metadata, status = _part(document, "metadata"), _part(document, "status")
    written = State(str(status.get("state")))
    supervised = record.is_supervised(run)
    # A running instance without a supervisor is one that a crash ended.
    state = advance(written, Event.EXIT) if written in LIVE and not supervised else written
    if state is State.STOPPED and supervised:
        state = State.RUNNING  # its end is being recorded; until that is done it cannot be removed
    live = state in LIVE
    started = _text(run, "started")
    return InstanceView(
        name=name,
        uuid=str(metadata.get("uuid", "")),
        image=_text(metadata, "image") or str(metadata.get("definition_ref", "")),
        digest=str(metadata.get("checksum", "")),
        definition=str(metadata.get("definition_ref", "")),
        state=state,
        created=str(metadata.get("created", "")),
        health=str(status.get("health", "unknown")),
        started=started,
        ended=_text(run, "ended"),
        exit_code=None if live else _number(run, "exit_code"),
        pid=_number(run, "process") if live else None,
        uptime=_age(started, now) if live else None,
        has_log=run.get("has_log") is not False,
    )


def _age(started: str | None, now: datetime) -> float | None:
    if started is None:
        return None
    return max(0.0, (now - datetime.fromisoformat(started)).total_seconds())


def _part(document: Mapping[str, Json], key: str) -> dict[str, Json]:
    found = document.get(key)
    if not isinstance(found, dict):
        raise ValueError(f"{key} must be an object")  # noqa: TRY004
    return found


def _text(document: Mapping[str, Json], key: str) -> str | None:
    found = document.get(key)
    return found if isinstance(found, str) else None


def _number(document: Mapping[str, Json], key: str) -> int | None:
    found = document.get(key)
    return found if isinstance(found, int) else None


def _texts(document: Mapping[str, Json], key: str) -> tuple[str, ...]:
    found = document.get(key, [])
    if not isinstance(found, list):
        raise ValueError(f"{key} must be a list of strings")  # noqa: TRY004
    return tuple(str(text) for text in found)
