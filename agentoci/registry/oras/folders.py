"""Folders as oras packs them: one tar+gzip blob whose entries lie below the folder's name.

Packed reproducibly; unpacked by `layers.untar`, which refuses what leads elsewhere, into a new
folder that takes its place when it is complete.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from agentoci._internal import limits
from agentoci.content.protocols import Fetcher
from agentoci.errors import Conflict, Invalid
from agentoci.layers.compress import open_compressor
from agentoci.layers.decompress import open_tar
from agentoci.layers.inventory import EXECUTABLE_MODE
from agentoci.layers.paths import Names, fault_of, link_fault_of
from agentoci.layers.source import ChangedWhileReading, open_source
from agentoci.layers.tar import TarEntry, end, header, padding
from agentoci.layers.tarheader import RefusedArchive
from agentoci.layers.tree import failure
from agentoci.layers.untar import BodyReader, TarMember, iterate
from agentoci.registry.oras.files import save
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.mediatypes import Compression


class UnfitFolder(Invalid):
    """A folder holds something that could not be unpacked again."""


class InTheWay(Conflict):
    """Something of another kind is where a part of an artifact belongs."""


def pack_folder(folder: Path, name: str, out: IO[bytes]) -> Digest:
    """Write the folder's tar+gzip; returns the plain tar's digest.

    The same content gives the same bytes. Raises UnfitFolder, ChangedWhileReading, SourceDenied,
    SourceUnreadable.
    """
    compressor, plain = open_compressor(Compression.GZIP, 0), hashlib.sha256()

    def write(chunk: bytes) -> None:
        plain.update(chunk)
        out.write(compressor.compress(chunk))

    write(header(TarEntry(name, is_folder=True), epoch=0))
    for entry in _entries(folder, name, ""):
        write(header(entry, epoch=0))
        if entry.source is not None:
            _copy(entry, write)
            write(padding(entry.size))
    write(end())
    out.write(compressor.flush())
    return Digest.from_hash(plain)


def _entries(folder: Path, name: str, inside: str) -> Iterator[TarEntry]:
    """What lies below `inside`, which is a path within the folder, sorted."""
    with os.scandir(folder / inside) as found:
        names = sorted(one.name for one in found)
    for base in names:
        path = f"{inside}/{base}" if inside else base
        entry = _entry(folder / path, f"{name}/{path}", path)
        yield entry
        if entry.is_folder:
            yield from _entries(folder, name, path)


def _entry(file: Path, path: str, inside: str) -> TarEntry:
    found = file.lstat()
    fault = fault_of(path)
    if fault is None and stat.S_ISLNK(found.st_mode):
        target = str(file.readlink())
        fault = link_fault_of(inside, target)
        if fault is None:
            return TarEntry(path, link=target)
    if fault is not None:
        raise UnfitFolder(f"{file}: {fault}", hint="leave it out: nobody could unpack it safely")
    if stat.S_ISDIR(found.st_mode):
        return TarEntry(path, is_folder=True)
    if not stat.S_ISREG(found.st_mode):
        raise UnfitFolder(f"{file}: is neither a file, a folder nor a link", hint="leave it out")
    mode = 0o755 if found.st_mode & stat.S_IXUSR else 0o644
    return TarEntry(path, mode, found.st_size, source=str(file))


def _copy(entry: TarEntry, write: Callable[[bytes], None]) -> None:
    left = entry.size
    with os.fdopen(open_source(str(entry.source)), "rb") as stream:
        while left and (chunk := stream.read(min(left, limits.COPY_BUFFER))):
            write(chunk)
            left -= len(chunk)
        if left or stream.read(1):
            raise ChangedWhileReading(str(entry.source))


def save_folder(source: Fetcher, desc: Descriptor, place: Path, title: str) -> None:
    """Unpack the folder (or single file) that a layer's archive holds; keep any other archive.

    Where there is a folder already, the archive's files are added to it and replace their
    namesakes. Raises what `save` raises, RefusedArchive, BadCompression, ExpandsTooFar, NameClash,
    InTheWay; of an archive that is wrong nothing is there then.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=place.parent) as scratch:
            packed = Path(scratch, "packed")
            save(source, desc, packed)
            tree = _unpack(packed, Path(scratch, "tree"), title) or packed
            _check(tree, place)
            _settle(tree, place)
    except OSError as exc:
        raise failure(place, exc) from exc


def _unpack(packed: Path, root: Path, title: str) -> Path | None:
    """The folder of that name, unpacked below the new folder `root`; None: there is none."""
    root.mkdir()
    writer = _Writer(root, title)
    with packed.open("rb") as stream:
        plain = open_tar(stream, Compression.GZIP, packed_size=packed.stat().st_size)
        for member, body in iterate(plain):
            if not writer.take(member, body):
                return None
    writer.finish()
    return root / writer.base if writer.base else None


@dataclass(slots=True)
class _Writer:
    """Writes entries into a folder that nobody else sees; links come last, so none is followed."""

    tree: Path
    title: str
    base: str = ""
    names: Names = field(default_factory=Names)
    links: dict[str, str] = field(default_factory=dict)

    def take(self, member: TarMember, body: BodyReader) -> bool:
        """Write an entry; False when the archive's first one is not of the folder.

        oras-go leads the entries by the whole title, oras-py by its last part.
        """
        if not self.base:
            bases = (self.title, self.title.rpartition("/")[2])
            self.base = next((one for one in bases if _is_below(member.name, one)), "")
            if not self.base:
                return False
        if not _is_below(member.name, self.base):
            raise RefusedArchive(f"entry {member.name!r} is not below {self.base!r}")
        self._write(member, member.link or "", body)
        return True

    def _write(self, member: TarMember, link: str, body: BodyReader) -> None:
        inside = member.name[len(self.base) + 1 :]
        match member.kind:
            case "dir":
                self.names.add_folder(member.name)
                (self.tree / member.name).mkdir(parents=True, exist_ok=True)
            case "file":
                self.names.add_file(member.name)
                self._fill(self.tree / member.name, member, body)
            case "symlink" if inside and not link_fault_of(inside, link):
                self.names.add_file(member.name)
                self.links[member.name] = link
            case "symlink":
                raise RefusedArchive(
                    f"entry {member.name!r} is a link that leads out of the folder"
                )
            case _:
                raise RefusedArchive(f"entry {member.name!r} is a {member.kind}, as layers have it")

    def _fill(self, file: Path, member: TarMember, body: BodyReader) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as out:
            while chunk := body.read(limits.COPY_BUFFER):
                out.write(chunk)
        file.chmod(0o755 if member.mode == EXECUTABLE_MODE else 0o644)

    def finish(self) -> None:
        """Make the links."""
        for path, target in self.links.items():
            link = self.tree / path
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)


def _is_below(name: str, base: str) -> bool:
    return name == base or name.startswith(f"{base}/")


def _check(tree: Path, place: Path) -> None:
    """Raise InTheWay unless the tree, or what is in it, can take its place."""
    if not (place.is_symlink() or place.exists()):
        return
    folder = place.is_dir() and not place.is_symlink()
    if folder != (tree.is_dir() and not tree.is_symlink()):
        kind = "a folder" if folder else "no folder"
        raise InTheWay(f"{place}: is {kind}, and the artifact has it otherwise", hint="remove it")
    if folder:
        for child in tree.iterdir():
            _check(child, place / child.name)


def _settle(tree: Path, place: Path) -> None:
    """Move the tree there, file by file where there is a folder already."""
    if tree.is_symlink() or not (tree.is_dir() and place.is_dir()):
        tree.replace(place)
        return
    for child in tree.iterdir():
        _settle(child, place / child.name)
