"""Agent Skills on OCI: the files of any of the layouts in use, and the skills among them.

There are at least five layouts and no winner, so content decides, not media types: a layer is an
archive when it unpacks to a tar, else the file that its title names. Read are raw titled files, tar
layers (plain, gzip, zstd), directories that ORAS packed, plain images and agent images.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from agentoci._internal import files, limits
from agentoci.content.protocols import Fetcher, Reader
from agentoci.content.reader import VerifiedReader, fetch_bytes
from agentoci.errors import Integrity, Invalid
from agentoci.interop.skills import SKILL_FILE, Skill, read_skill
from agentoci.layers import tar
from agentoci.layers.decompress import BadCompression, open_tar
from agentoci.layers.packed import PackedLayer
from agentoci.layers.paths import fault_of
from agentoci.layers.tar import TarEntry
from agentoci.layers.tree import DestinationExists
from agentoci.layers.unpack import unpack_image
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.kinds import describe
from agentoci.spec.manifest import Manifest
from agentoci.spec.mediatypes import Compression
from agentoci.store.images import select_manifest

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_MAGIC: Final = slice(257, 262)
_HEAD: Final = 512
_ORAS_UNPACK: Final = "io.deis.oras.content.unpack"
"""ORAS marks the directories that it packed by it."""


class NoSkill(Invalid):
    """An artifact that holds no skill, or not the one that was asked for."""


class SkillTooLarge(Integrity):
    """An artifact with far more in it than a skill has."""


@dataclass(frozen=True, slots=True)
class SkillFolder:
    """A skill in a tree of files: its folder (empty: the root), and what its SKILL.md says."""

    path: str
    skill: Skill


def unpack_artifact(source: Fetcher, root: Descriptor, destination: Path, *, what: str) -> None:
    """Make the new folder `destination` hold the files of an artifact, whatever its layout.

    Nothing is written outside it. When it is there already, nothing is done. Raises Integrity for
    hostile or wrong content, SkillTooLarge, NoSuchPlatform, and what the disk says.
    """
    if destination.exists():
        return
    manifest = select_manifest(source, root, what=what)
    size = sum(layer.size for layer in manifest.layers)
    if size > limits.MAX_SKILL_BYTES:
        raise SkillTooLarge(f"{what}: {size} bytes, a skill has {limits.MAX_SKILL_BYTES} at most")
    layers = _layers(source, manifest, what=what)
    with contextlib.suppress(DestinationExists):  # another build was faster
        unpack_image(layers, destination, inventory=None)


def find_skills(folder: Path, *, what: str) -> list[SkillFolder]:
    """The skills in a tree of files, by path; a skill within a skill belongs to the outer one.

    Raises SourceFaults when a SKILL.md breaks the format's rules. A skill at the tree's root may
    be called anything.
    """
    found: list[SkillFolder] = []
    for path in _skill_folders(folder):
        file = Path(folder, path, SKILL_FILE)
        content = files.read_at_most(file, limits.MAX_DEFINITION_BYTES + 1)
        name = path.rpartition("/")[2] or None
        shown = f"{what}:{path}/{SKILL_FILE}" if path else f"{what}:{SKILL_FILE}"
        found.append(SkillFolder(path, read_skill(content, folder=name, file=shown)))
    return found


def choose_skills(
    found: Sequence[SkillFolder], select: str | None, *, what: str, kind: str
) -> list[SkillFolder]:
    """All skills, or the one called `select`; `kind` says what it is that they were found in.

    Raises NoSkill when there is none, or two of one name.
    """
    if not found:
        raise NoSkill(
            f"{what}: no {SKILL_FILE} in it", hint=f"it is {kind}" if kind else "a skill has one"
        )
    names = [each.skill.name for each in found]
    if select is not None and select not in names:
        raise NoSkill(f"{what}: no skill {select!r}", hint=f"it holds {', '.join(sorted(names))}")
    chosen = [each for each in found if select in (None, each.skill.name)]
    if len({each.skill.name for each in chosen}) < len(chosen):
        twice = next(name for name in names if names.count(name) > 1)
        raise NoSkill(f"{what}: two skills are called {twice!r}")
    return chosen


def describe_artifact(source: Fetcher, root: Descriptor, *, what: str) -> str:
    """What an artifact is, in words."""
    return describe(select_manifest(source, root, what=what))


def _skill_folders(folder: Path) -> Iterator[str]:
    waiting = [""]
    while waiting:
        path = waiting.pop(0)
        with os.scandir(folder / path) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        if any(e.name == SKILL_FILE and e.is_file(follow_symlinks=False) for e in listed):
            yield path
            continue
        folders = [e.name for e in listed if e.is_dir(follow_symlinks=False)]
        waiting += [f"{path}/{name}" if path else name for name in folders]


def _layers(source: Fetcher, manifest: Manifest, *, what: str) -> list[PackedLayer]:
    """The layers as archives, raw files gathered into one of our own at the end."""
    listed = [d for d in manifest.layers if d.media_type != mediatypes.OCI_EMPTY and d.size]
    raw_skill = any(_title(desc).rpartition("/")[2] == SKILL_FILE for desc in listed)
    packed: list[PackedLayer] = []
    raw: list[Descriptor] = []
    left = limits.MAX_SKILL_UNPACKED
    for desc in listed:
        compression = _archive(source, desc)
        is_file = raw_skill and _title(desc) and desc.annotations.get(_ORAS_UNPACK) != "true"
        if compression is None or is_file:
            raw.append(desc)
        else:
            layer, unpacked = _measured(source, desc, compression, most=left, what=what)
            packed.append(layer)
            left -= unpacked
    if raw:
        packed.append(_gathered(source, raw, what=what))
    return packed


def _title(desc: Descriptor) -> str:
    return desc.annotations.get(keys.TITLE, "").removeprefix("./")


def _archive(source: Fetcher, desc: Descriptor) -> Compression | None:
    """How the tar of a layer is packed; None when it is no tar."""
    with source.fetch(desc) as stream:
        compression = Compression.NONE
        head = _read(stream, _HEAD)
        if head.startswith(_GZIP):
            compression = Compression.GZIP
        elif head.startswith(_ZSTD):
            compression = Compression.ZSTD
        plain = open_tar(_Joined(head, stream), compression, packed_size=desc.size)
        try:
            begin = _read(plain, _HEAD)
        except BadCompression:
            return None
    is_empty = len(begin) == _HEAD and not begin.strip(b"\0")
    return compression if begin[_MAGIC] == b"ustar" or is_empty else None


def _read(stream: Reader, size: int) -> bytes:
    """Up to `size` bytes, less only at the end."""
    parts: list[bytes] = []
    while size > 0 and (chunk := stream.read(size)):
        parts.append(chunk)
        size -= len(chunk)
    return b"".join(parts)


class _Joined:
    """A stream of which the first bytes were read already."""

    def __init__(self, head: bytes, rest: Reader) -> None:
        self._head = io.BytesIO(head)
        self._rest = rest

    def read(self, size: int = -1, /) -> bytes:
        return self._head.read(size) or self._rest.read(size)


def _measured(
    source: Fetcher, desc: Descriptor, compression: Compression, *, most: int, what: str
) -> tuple[PackedLayer, int]:
    """A layer whose blob was verified, and its bytes unpacked.

    The digest of its tar holds the unpacker to the same. Raises SkillTooLarge beyond `most` bytes.
    """
    state, unpacked = hashlib.sha256(), 0
    with source.fetch(desc) as stream:
        verified = VerifiedReader(stream, desc)
        plain = open_tar(verified, compression, packed_size=desc.size)
        while chunk := plain.read(limits.COPY_BUFFER):
            state.update(chunk)
            unpacked += len(chunk)
            if unpacked > most:
                raise SkillTooLarge(
                    f"{what}: its layers hold more than {limits.MAX_SKILL_UNPACKED} bytes"
                )
    opened = partial(source.fetch, desc)
    return PackedLayer(opened, compression, desc.size, Digest.from_hash(state)), unpacked


def _gathered(source: Fetcher, descs: Sequence[Descriptor], *, what: str) -> PackedLayer:
    """Raw titled files as an archive, so that one unpacker writes everything."""
    parts: list[bytes] = []
    for desc in descs:
        title = _title(desc)
        if not title:
            continue  # nobody says what this is called
        if fault := fault_of(title):
            raise Integrity(f"{what}: a layer is titled {title[:200]!r}: {fault}")
        content = fetch_bytes(source, desc, limit=limits.MAX_SKILL_BYTES)
        mode = 0o755 if content.startswith(b"#!") else 0o644  # this layout keeps no modes
        parts += (tar.header(TarEntry(title, mode, len(content)), epoch=0), content)
        parts.append(tar.padding(len(content)))
    archive = b"".join([*parts, tar.end()])
    return PackedLayer(
        lambda: contextlib.closing(io.BytesIO(archive)),
        Compression.NONE,
        len(archive),
        Digest.of(archive),
    )
