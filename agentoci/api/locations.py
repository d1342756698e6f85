"""Where content is: a reference, or a name in a layout (`oci:DIR:NAME`) or an archive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from agentoci.spec.reference import InvalidReference, Reference

_LAYOUT: Final = "oci:"
_ARCHIVE: Final = "oci-archive:"
_REGISTRY: Final = "docker://"
"""How skopeo's users mark a registry; a reference needs no mark here."""

_ADDRESS: Final = re.compile(r"oci://(?=[^/])")
"""How helm's users mark a registry: without this it would be a folder below the root."""

_FOREIGN: Final = ("docker-archive:", "docker-daemon:", "containers-storage:")
"""Places of skopeo's that are not read here, and look like a name with a tag."""


@dataclass(frozen=True, slots=True)
class LayoutLocation:
    """A folder that holds an OCI image layout, and a name in it (None: not said)."""

    folder: Path
    name: str | None = None

    def __str__(self) -> str:
        return f"{_LAYOUT}{self.folder}" + (f":{self.name}" if self.name else "")


@dataclass(frozen=True, slots=True)
class ArchiveLocation:
    """A file that holds an OCI image layout as a tar, and a name in it (None: not said)."""

    file: Path
    name: str | None = None

    def __str__(self) -> str:
        return f"{_ARCHIVE}{self.file}" + (f":{self.name}" if self.name else "")


Location: TypeAlias = Reference | LayoutLocation
AnyLocation: TypeAlias = Location | ArchiveLocation


def parse_location(text: str) -> Location:
    """Read `NAME[:TAG][@DIGEST]` or `oci:DIR[:NAME]`; raises InvalidReference.

    The folder ends at the first colon, as in skopeo.
    """
    if text.startswith(_ARCHIVE):
        raise InvalidReference(
            f"{text!r}: an archive is not read by this command",
            hint=f"agent cp {text} NAME:TAG brings its image into the local store",
        )
    if not text.startswith(_LAYOUT):
        return Reference.parse(text)
    if _ADDRESS.match(text):
        raise InvalidReference(
            f"{text!r}: oci: is a folder, and this looks like an address",
            hint=f"write {_ADDRESS.sub('', text)} for a registry, oci:DIR:NAME for a folder",
        )
    folder, name = _split(text, _LAYOUT, "the folder is empty", "oci:DIR:NAME:TAG")
    return LayoutLocation(folder, name)


def parse_any_location(text: str) -> AnyLocation:
    """Read what `parse_location` reads, and `oci-archive:FILE[:NAME]`, `docker://HOST/NAME`.

    Raises InvalidReference.
    """
    if text.startswith(_ARCHIVE):
        file, name = _split(text, _ARCHIVE, "the file is empty", "oci-archive:FILE:NAME:TAG")
        return ArchiveLocation(file, name)
    if text.startswith(_FOREIGN):
        hint = "write oci-archive:FILE:NAME, oci:DIR:NAME, or HOST/NAME"
        raise InvalidReference(f"{text!r}: no such place is read or written here", hint=hint)
    if not text.startswith(_REGISTRY):
        return parse_location(text)
    found = Reference.parse(text.removeprefix(_REGISTRY))
    if found.is_local:
        raise InvalidReference(
            f"{text!r}: names no registry", hint=f"Docker Hub is docker.io: docker.io/{found}"
        )
    return found


def _split(text: str, scheme: str, fault: str, form: str) -> tuple[Path, str | None]:
    path, _, name = text.removeprefix(scheme).partition(":")
    if not path:
        raise InvalidReference(f"{text!r}: {fault}", hint=f"write {form}")
    return Path(path), name or None


def local_name(reference: Reference) -> str:
    """The name under which a store keeps a reference."""
    return reference.tagged if reference.tag else str(reference)


def reference_named(name: str | None) -> Reference | None:
    """The name of an image in a layout or archive, read; raises InvalidReference.

    None for a bare tag, as other tools write them there, and for no name at all.
    """
    if name is None or ("/" not in name and ":" not in name):
        return None
    return Reference.parse(name)


def given_name(reference: Reference) -> str:
    """The name that a user gives an image; raises InvalidReference for one that pins a digest."""
    if reference.digest is not None:
        raise InvalidReference(
            f"{str(reference)!r}: a digest follows from the content, it cannot be given",
            hint=f"write {reference.tagged}",
        )
    return local_name(reference)


def with_tag(name: str, tag: str) -> str:
    """A name of a layout with another tag; raises InvalidReference for what is no tag.

    Tools write bare tags as names there, and then another bare tag goes beside it; so it does
    beside a digest.
    """
    checked = str(Reference.parse(f"name:{tag}").tag)
    name = name.partition("@")[0]
    before, colon, rest = name.rpartition(":")
    if colon and "/" not in rest:
        return checked if before in ("sha256", "sha512") else f"{before}:{checked}"
    return f"{name}:{checked}" if "/" in name else checked
