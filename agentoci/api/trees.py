"""The tree form of an archive: `definition.json`, `knowledge/`, `tools/`, as the spec draws it.

`agent save --tree` writes it, `agent load` takes it back. It is made to be read; layers, their
digests and the history stay behind, which the OCI archive keeps.
"""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from agentoci._internal import limits
from agentoci._internal.files import remove_tree
from agentoci.api.locations import given_name
from agentoci.builder.tree import SIDECAR, BadTree, build_tree, describe_image
from agentoci.layers.inventory import FILES_JSON
from agentoci.layers.paths import fault_of, link_fault_of
from agentoci.layers.unpack import unpack_image
from agentoci.spec.digest import Digest
from agentoci.spec.reference import InvalidReference, Reference
from agentoci.store.archive import BadArchive
from agentoci.store.images import read_image
from agentoci.store.index import Entry

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

_OF_LAYOUTS: Final = ("oci-layout", "index.json", "manifest.json", "repositories", "blobs")


def save_tree(engine: Engine, text: str, stream: IO[bytes]) -> Digest:
    """Write one image as a tree to a stream; the same image gives the same bytes."""
    entry = engine.images.find(text)
    store = engine.store
    image = read_image(store, entry.desc.bare(), what=text)
    sidecar = describe_image(image.config, [entry.name] if entry.name else [])
    with _scratch(engine.settings.cache) as folder:
        whole = folder / "image"
        unpack_image(image.packed_layers(store), whole, inventory=image.inventory(store))
        with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, SIDECAR, io.BytesIO(sidecar), len(sidecar))
            for path in sorted((whole / "agent").rglob("*")):
                name = path.relative_to(whole / "agent").as_posix()
                if f"agent/{name}" != FILES_JSON:  # it tells of layers, which stay behind
                    _add_path(tar, path, name)
    return entry.digest


def is_tree(first: tarfile.TarInfo) -> bool:
    """Whether an archive that begins with this member is a tree, not a layout."""
    return first.name.removeprefix("./").partition("/")[0] not in _OF_LAYOUTS


def load_tree(engine: Engine, tar: tarfile.TarFile, first: tarfile.TarInfo) -> list[Entry]:
    """Build the image of a tree; returns it under the names that it was saved with.

    Raises BadTree, and BadArchive for members that a tree cannot hold.
    """
    with _scratch(engine.settings.cache) as folder:
        member: tarfile.TarInfo | None = first
        while member is not None:
            _extract(tar, member, folder)
            member = tar.next()
        desc, names = build_tree(engine.writable_store, engine.settings.cache, folder)
    return [Entry(desc, _checked(name)) for name in names]


def _checked(name: str) -> str:
    try:
        return given_name(Reference.parse(name))
    except InvalidReference as exc:
        raise BadTree(f"{SIDECAR}: {exc.message}") from exc


def _add_path(tar: tarfile.TarFile, path: Path, name: str) -> None:
    if path.is_symlink():
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
        tar.addfile(info)
    elif path.is_dir():
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(info)
    else:
        status = path.stat()
        with path.open("rb") as stream:
            _add(tar, name, stream, status.st_size, executable=bool(status.st_mode & 0o111))


def _add(
    tar: tarfile.TarFile, name: str, stream: IO[bytes], size: int, *, executable: bool = False
) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o755 if executable else 0o644
    tar.addfile(info, stream)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One member into our own fresh folder; links come as links and are never followed."""
    try:
        _extract_member(tar, member, folder)
    except (FileExistsError, NotADirectoryError) as exc:
        raise BadArchive(f"{member.name!r} is both a file and a folder") from exc


def _extract_member(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    name = member.name.removeprefix("./").rstrip("/")
    if name in ("", "."):
        return
    if fault := fault_of(name):
        raise BadArchive(f"{member.name!r}: {fault}")
    target = folder / name
    if any(parent.is_symlink() for parent in target.parents if folder in parent.parents):
        raise BadArchive(f"{member.name!r} lies behind a link")
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        target.mkdir(exist_ok=True)
    elif member.issym():
        if fault := link_fault_of(name, member.linkname):
            raise BadArchive(f"{member.name!r}: {fault}")
        target.symlink_to(member.linkname)
    elif member.isreg() and not target.exists() and not target.is_symlink():
        _write(tar, member, target)
    else:
        raise BadArchive(f"{member.name!r} stands twice, or is no file, folder or link")


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    body = tar.extractfile(member)
    if body is None:
        raise BadTree(f"{member.name!r} has no content")
    with target.open("xb") as stream:
        shutil.copyfileobj(body, stream, limits.COPY_BUFFER)
    target.chmod(0o755 if member.mode & 0o111 else 0o644)


@contextmanager
def _scratch(cache: Path) -> Iterator[Path]:
    cache.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=cache, prefix="tree-"))
    try:
        yield folder
    finally:
        remove_tree(folder)
