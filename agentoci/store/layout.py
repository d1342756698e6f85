"""The local store: a genuine OCI image layout (image-spec, image-layout.md).

`blobs/`, `index.json` and `oci-layout` are as the specification says, so other tools read the
folder as it is; `ingest/` holds what is being written, and the locks. Many processes may use one
layout at once. The same class serves as the registry that needs no server (`oci:DIR`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from agentoci._internal import files
from agentoci._internal.clock import Clock, timestamp
from agentoci._internal.locks import lock
from agentoci.content.protocols import ContentNotFound, Reader, Source
from agentoci.errors import Integrity
from agentoci.spec import annotations as keys
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import loads_object
from agentoci.store.disk import check_room, translate_disk_errors
from agentoci.store.index import Entry, IndexFile, encode_index

if TYPE_CHECKING:
    from agentoci.spec.manifest import AnyManifest, Manifest
    from agentoci.store.ingest import BlobWriter

_LAYOUT_FILE: Final = b'{"imageLayoutVersion":"1.0.0"}'
_MARKER_BYTES: Final = 4096
# The errors of a disk or a file that others may change and we may only read.
_NOT_OURS_TO_WRITE: Final = (errno.EROFS, errno.EACCES, errno.EPERM)


class NotALayout(Integrity):
    """The folder is something else than an OCI image layout of version 1."""


class LayoutStore:
    """An image layout on disk, as a target of copies."""

    def __init__(self, root: Path, *, clock: Clock) -> None:
        self.root = root
        self._clock = clock
        self._blobs = root / "blobs"
        self._ingest = root / "ingest"
        self.index = IndexFile(root)
        self._undurable_names = False

    @classmethod
    def open(cls, root: Path, *, clock: Clock) -> LayoutStore:
        """The layout in this folder; raises ContentNotFound or NotALayout when it holds none."""
        marker = root / "oci-layout"
        if not marker.is_file():
            raise ContentNotFound(
                f"{root}: no OCI image layout there", hint="`agent push REF oci:DIR` makes one"
            )
        check_version(files.read_at_most(marker, _MARKER_BYTES), what=str(marker))
        return cls(root, clock=clock)

    @classmethod
    def create(cls, root: Path, *, clock: Clock) -> LayoutStore:
        """The layout in this folder, made when it is not there; raises NotALayout."""
        if (root / "oci-layout").exists():
            return cls.open(root, clock=clock)
        with translate_disk_errors(root):
            _refuse_foreign_folder(root)
            (root / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
            (root / "ingest").mkdir(exist_ok=True)
            with lock(root / "ingest" / "index.lock"):
                if not (root / "index.json").exists():
                    files.write_atomically(root / "index.json", encode_index(()))
                files.write_atomically(root / "oci-layout", _LAYOUT_FILE)
        return cls(root, clock=clock)

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be."""
        return self._blobs / digest.algorithm / digest.hex

    # Fetcher

    @contextlib.contextmanager
    def fetch(self, desc: Descriptor, offset: int = 0) -> Iterator[Reader]:
        """The blob's bytes from `offset` on; raises ContentNotFound, NotALayout."""
        with _open_blob(self.path(desc.digest)) as stream:
            if offset:
                stream.seek(offset)
            yield stream

    # Pusher

    def exists(self, desc: Descriptor) -> bool:
        """Whether the blob is there in full; asking keeps it from the collector for a while."""
        path = self.path(desc.digest)
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_size != desc.size:
                return False
            _touch(path)
        except FileNotFoundError:
            return False
        return True

    def push(self, desc: Descriptor, source: Source) -> None:
        """Store a blob or manifest, verified; what is there already stays."""
        if self.exists(desc):
            return
        self._prepare(desc.digest)
        from agentoci.store.ingest import SMALL, ingest_large, ingest_small

        ingest = ingest_small if desc.size <= SMALL else ingest_large
        ingest(desc, source, self.path(desc.digest), self._ingest)
        self._undurable_names = True

    def prepare(self, blobs: Sequence[Descriptor]) -> None:
        """Raise StoreFull before anything is written, when what is missing does not fit."""
        missing = sum(blob.size - self._begun(blob) for blob in blobs if not self.exists(blob))
        if missing:
            check_room(self.root, missing)

    def _begun(self, blob: Descriptor) -> int:
        """Bytes that an earlier attempt left."""
        from agentoci.store.ingest import part_path

        try:
            return min(part_path(self._ingest, blob).stat().st_size, blob.size)
        except FileNotFoundError:
            return 0

    def writer(self) -> BlobWriter:
        """A writer for a blob whose digest is not known yet."""
        self._prepare(None)
        self._undurable_names = True
        from agentoci.store.ingest import BlobWriter

        return BlobWriter(self._blobs, self._ingest)

    def _prepare(self, digest: Digest | None) -> None:
        with translate_disk_errors(self.root):
            self._ingest.mkdir(exist_ok=True)
            folder = self._blobs / (digest.algorithm if digest else "sha256")
            folder.mkdir(parents=True, exist_ok=True)

    # Resolver and Tagger

    def resolve(self, name: str) -> Descriptor:
        """The manifest behind a name or a digest; raises ContentNotFound."""
        entry = self.find(name)
        if entry is None:
            raise ContentNotFound(f"{name}: not in {self.root}")
        desc = entry.desc
        return replace(desc, annotations={})

    def find(self, name: str) -> Entry | None:
        """The index entry with this name or digest, or None.

        What has the form of a digest is one: a foreign layout may give it to other content.
        """
        is_digest = re.fullmatch(r"sha(256|512):[0-9a-f]+", name) is not None
        for entry in self.index.read():
            if name == (str(entry.digest) if is_digest else entry.name):
                return entry
        return None

    def tag(self, desc: Descriptor, name: str) -> None:
        """Let `name` mean the manifest `desc`; a digest as name holds it untagged.

        All blobs pushed before are durable when this returns.
        """
        from agentoci.content.graph import fetch_manifest

        manifest = fetch_manifest(self, desc)
        reference = None if name == str(desc.digest) else name
        entry = Entry(replace(desc, annotations=self._shown(manifest)), reference)
        with translate_disk_errors(self.root):
            self._sync_names()
            self._ingest.mkdir(exist_ok=True)
            with self.index.changing() as change:
                if reference is None and any(e.digest == desc.digest for e in change.entries):
                    return
                change.put(entry)

    def _shown(self, manifest: AnyManifest) -> dict[str, str]:
        """What `agent images` prints, so that listing opens no other file."""
        from agentoci.spec.manifest import Manifest

        shown = {keys.STORED: timestamp(self._clock.now())}
        if manifest.subject is not None:
            shown[keys.SUBJECT] = str(manifest.subject.digest)
        first = manifest if isinstance(manifest, Manifest) else self._first_child(manifest)
        if first is not None:
            shown[keys.TOTAL_SIZE] = str(first.total_size)
            if kind := first.kind:
                shown[keys.ARTIFACT_TYPE] = kind
            if title := first.annotations.get(keys.TITLE):
                shown[keys.AGENT_NAME] = title
            if version := first.annotations.get(keys.VERSION):
                shown[keys.VERSION] = version
        return shown

    def _first_child(self, manifest: AnyManifest) -> Manifest | None:
        from agentoci.content.graph import fetch_manifest
        from agentoci.spec.manifest import Manifest

        for child in manifest.children:
            if child.is_manifest and self.exists(child):
                found = fetch_manifest(self, child)
                return found if isinstance(found, Manifest) else None
        return None

    def _sync_names(self) -> None:
        if self._undurable_names:
            for folder in filter(Path.is_dir, self._blobs.iterdir()):
                files.sync_folder(folder)
            self._undurable_names = False

    def referrers(
        self, subject: Descriptor, *, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """What speaks of a manifest and is held here."""
        from agentoci.store.referrers import referrers_in

        return referrers_in(self, subject, artifact_type=artifact_type)

    # Leases

    @contextlib.contextmanager
    def using(self) -> Iterator[None]:
        """Keep the collector out while content is added and named."""
        with self._holding_gc_lock(shared=True):
            yield

    @contextlib.contextmanager
    def collecting(self) -> Iterator[None]:
        """Be the only one that changes the store; raises Locked when somebody is at work."""
        with self._holding_gc_lock(shared=False):
            yield

    def _holding_gc_lock(self, *, shared: bool) -> contextlib.ExitStack:
        """The lock, held; what the disk refuses afterwards is not told as of the store."""
        with translate_disk_errors(self.root), contextlib.ExitStack() as held:
            self._ingest.mkdir(exist_ok=True)
            held.enter_context(lock(self._ingest / "gc.lock", shared=shared, wait=shared))
            return held.pop_all()


def check_version(marker: bytes, *, what: str) -> None:
    """Refuse an `oci-layout` file of another version; raises NotALayout, InvalidJson."""
    version = loads_object(marker, what=what, limit=_MARKER_BYTES).get("imageLayoutVersion")
    if version != "1.0.0":
        raise NotALayout(f"{what}: layout version {version!r}, this program reads 1.0.0")


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except OSError as exc:
        if exc.errno not in _NOT_OURS_TO_WRITE:
            raise


@contextlib.contextmanager
def _open_blob(path: Path) -> Iterator[IO[bytes]]:
    """A regular file: a link could lead out of the layout, a pipe could make us wait for ever."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        digest, root = f"{path.parent.name}:{path.name}", path.parent.parent.parent
        raise ContentNotFound(
            f"{digest}: not in {root}", hint="pull or build the image again"
        ) from None
    except OSError as exc:
        if exc.errno != errno.ELOOP:
            raise
        raise NotALayout(f"{path}: a link, where a blob should be") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotALayout(f"{path}: not a file, where a blob should be")
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        yield stream


def _refuse_foreign_folder(root: Path) -> None:
    """Do not scatter a layout into a folder that holds something else."""
    if root.is_dir():
        ours = ("blobs", "ingest", "index.json", "oci-layout")
        half_written = (".index.json.", ".oci-layout.")  # somebody else makes the same layout now
        strangers = [
            path.name
            for path in root.iterdir()
            if path.name not in ours and not path.name.startswith(half_written)
        ]
        if strangers:
            raise NotALayout(
                f"{root}: holds other files ({', '.join(sorted(strangers)[:3])}) and no OCI layout",
                hint="name an empty or new folder",
            )
    root.mkdir(parents=True, exist_ok=True)
