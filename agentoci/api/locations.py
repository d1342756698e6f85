"""Where content is: a reference, or a name in an image layout (`oci:DIR:NAME`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from agentoci.spec.reference import InvalidReference, Reference

_LAYOUT: Final = "oci:"


@dataclass(frozen=True, slots=True)
class LayoutLocation:
    """A folder that holds an OCI image layout, and a name in it (None: not said)."""

    folder: Path
    name: str | None = None

    def __str__(self) -> str:
        return f"{_LAYOUT}{self.folder}" + (f":{self.name}" if self.name else "")


Location: TypeAlias = Reference | LayoutLocation


def parse_location(text: str) -> Location:
    """Read `NAME[:TAG][@DIGEST]` or `oci:DIR[:NAME]`; raises InvalidReference.

    The folder ends at the first colon, as in skopeo.
    """
    if not text.startswith(_LAYOUT):
        return Reference.parse(text)
    folder, _, name = text.removeprefix(_LAYOUT).partition(":")
    if not folder:
        raise InvalidReference(f"{text!r}: the folder is empty", hint="write oci:DIR:NAME:TAG")
    return LayoutLocation(Path(folder), name or None)


def local_name(reference: Reference) -> str:
    """The name under which a store keeps a reference."""
    return reference.tagged if reference.tag else str(reference)


def given_name(reference: Reference) -> str:
    """The name that a user gives an image; raises InvalidReference for one that pins a digest."""
    if reference.digest is not None:
        raise InvalidReference(
            f"{str(reference)!r}: a digest follows from the content, it cannot be given",
            hint=f"write {reference.tagged}",
        )
    return local_name(reference)
