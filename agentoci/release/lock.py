"""`agent.lock`: which image every name stood for when it was last resolved.

A JSON file beside the Agentfile, sorted, a line per key, so that a change of one version is a
change of two lines. Written by `agent lock`, read by every build.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from agentoci.errors import SourceFaults
from agentoci.spec.digest import Digest

if TYPE_CHECKING:
    from agentoci.release.lockmodel import LockDocument

LOCK_FILE: Final = "agent.lock"
LOCK_VERSION: Final = 1

MATRIX_FILE: Final = "compatibility.json"
"""The compatibility matrix, which is beside the lock."""


class PinKind(StrEnum):
    """What a pin is for: FROM, COPY --from or a parent's image; a requirement; a skill."""

    IMAGE = "image"
    AGENT = "agent"
    SKILL = "skill"


@dataclass(frozen=True, slots=True)
class Pin:
    """One name and the image that it stands for.

    `name` is a requirement's or a skill's, the reference of an image as it is written, or of a
    parent `name:version`; `reference` is what it is pulled by, with its registry unless only the
    local store has it. `wanted_by` tells who wants it (`.` is the agent itself,
    others are `name@version`) and which versions.
    """

    kind: PinKind
    name: str
    reference: str
    digest: Digest
    version: str | None = None
    required: bool = True
    wanted_by: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """`name@version`, by which it is named where it wants something."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class Missing:
    """An optional requirement for which there was nothing."""

    name: str
    wanted_by: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Lock:
    """The pins, each name once per kind, and what was not found."""

    pins: tuple[Pin, ...] = ()
    missing: tuple[Missing, ...] = ()

    @classmethod
    def of(cls, pins: Iterable[Pin], missing: Iterable[Missing] = ()) -> Lock:
        """Sorted, whatever the order."""
        return cls(
            tuple(sorted(pins, key=lambda pin: (pin.kind, pin.name))),
            tuple(sorted(missing, key=lambda one: one.name)),
        )

    @classmethod
    def parse(cls, content: bytes, *, file: str) -> Lock:
        """Read a lock; raises SourceFaults, each fault with its line and a caret."""
        from agentoci.release.checked import checked, located
        from agentoci.release.lockmodel import LockDocument

        found = located(content, file=file, what="a lock: a mapping with version, pins")
        version = found.value(("version",))
        if isinstance(version, int) and version > LOCK_VERSION:
            message = f"a lock of version {version}, this program reads {LOCK_VERSION}"
            hint = "use the program that wrote it, or make a new one: agent lock --upgrade"
            raise SourceFaults([found.fault(("version",), message, hint=hint)])
        document = checked(LockDocument, found)
        names = [(pin.kind, pin.name) for pin in document.pins]
        twice = [at for at, name in enumerate(names) if name in names[:at]]
        if twice:
            faults = [found.fault(("pins", at, "name"), "is pinned twice") for at in twice]
            raise SourceFaults(faults)
        return _lock_of(document)

    def named(self, kind: PinKind) -> dict[str, Pin]:
        """The pins of a kind by name."""
        return {pin.name: pin for pin in self.pins if pin.kind is kind}

    def encode(self) -> bytes:
        """The file's bytes: the same lock gives the same ones."""
        import json

        document: dict[str, object] = {
            "version": LOCK_VERSION,
            "pins": [pin_document(pin) for pin in self.pins],
        }
        if self.missing:
            document["missing"] = [
                {"name": one.name, "wanted_by": dict(sorted(one.wanted_by.items()))}
                for one in self.missing
            ]
        return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def pin_document(pin: Pin) -> dict[str, object]:
    """A pin's JSON object."""
    made: dict[str, object] = {"kind": pin.kind.value, "name": pin.name}
    if pin.version is not None:
        made["version"] = pin.version
    made |= {"reference": pin.reference, "digest": str(pin.digest)}
    if not pin.required:
        made["required"] = False
    if pin.wanted_by:
        made["wanted_by"] = dict(sorted(pin.wanted_by.items()))
    return made


def _lock_of(document: LockDocument) -> Lock:
    return Lock.of(
        (
            Pin(
                PinKind(pin.kind),
                pin.name,
                pin.reference,
                Digest.parse(pin.digest),
                pin.version,
                pin.required,
                dict(pin.wanted_by),
            )
            for pin in document.pins
        ),
        (Missing(one.name, dict(one.wanted_by)) for one in document.missing),
    )
