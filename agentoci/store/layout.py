"""The local store: a genuine OCI image layout (image-spec, image-layout.md).

`blobs/`, `index.json` and `oci-layout` are as the specification says, so other tools read the
folder as it is; `ingest/` holds what is being written, and the locks. Many processes may use one
layout at once. The same class serves as the registry that needs no server (`oci:DIR`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentoci._internal import files
from agentoci._internal.clock import Clock, timestamp
from agentoci._internal.locks import lock
from agentoci.content.protocols import ContentNotFound, Reader, Source
from agentoci.errors import Integrity
from agentoci.spec import annotations as keys
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import loads_object
from agentoci.store.index import Entry, IndexFile, encode_index
from agentoci.store.ingest import (
    SMALL,
    BlobWriter,
    ingest_large,
    ingest_small,
    translate_disk_errors,
)

if TYPE_CHECKING:
    from agentoci.spec.manifest import AnyManifest, Manifest

_LAYOUT_FILE: Final = b'{"imageLayoutVersion":"1.0.0"}'


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
        document = loads_object(files.read_at_most(marker, 4096), what=str(marker), limit=4096)
        if document.get("imageLayoutVersion") != "1.0.0":
            version = document.get("imageLayoutVersion")
            raise NotALayout(f"{marker}: layout version {version!r}, this program reads 1.0.0")
        return cls(root, clock=clock)

    @classmethod
    def create(cls, root: Path, *, clock: Clock) -> LayoutStore:
        """The layout in this folder, made when it is not there."""
        if not (root / "oci-layout").exists():
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
        """The blob's bytes from `offset` on; raises ContentNotFound."""
        try:
            descriptor = os.open(self.path(desc.digest), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ContentNotFound(
                f"{desc.digest}: not in {self.root}", hint="pull or build the image again"
            ) from None
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            if offset:
                stream.seek(offset)
            yield stream

    # Pusher

    def exists(self, desc: Descriptor) -> bool:
        """Whether the blob is there in full; asking keeps it from the collector for a while."""
        path = self.path(desc.digest)
        try:
            present = path.stat().st_size == desc.size
            if present:
                os.utime(path)
        except FileNotFoundError:
            return False
        except PermissionError:
            return True
        return present

    def push(self, desc: Descriptor, source: Source) -> None:
        """Store a blob or manifest, verified; what is there already stays."""
        if self.exists(desc):
            return
        self._prepare(desc.digest)
        ingest = ingest_small if desc.size <= SMALL else ingest_large
        ingest(desc, source, self.path(desc.digest), self._ingest)
        self._undurable_names = True

    def writer(self) -> BlobWriter:
        """A writer for a blob whose digest is not known yet."""
        self._prepare(None)
        self._undurable_names = True
        return BlobWriter(self._blobs, self._ingest)

    def _prepare(self, digest: Digest | None) -> None:
        with translate_disk_errors(self.root):
            self._ingest.mkdir(exist_ok=True)
            (self._blobs / (digest.algorithm if digest else "sha256")).mkdir(exist_ok=True)

    # Resolver and Tagger

    def resolve(self, name: str) -> Descriptor:
        """The manifest behind a name or a digest; raises ContentNotFound."""
        entry = self.find(name)
        if entry is None:
            raise ContentNotFound(f"{name}: not in {self.root}")
        desc = entry.desc
        return replace(desc, annotations={})

    def find(self, name: str) -> Entry | None:
        """The index entry with this name or digest, or None."""
        for entry in self.index.read():
            if name in (entry.name, str(entry.digest)):
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
        first = manifest if isinstance(manifest, Manifest) else self._first_child(manifest)
        if first is not None:
            shown[keys.TOTAL_SIZE] = str(first.total_size)
            if kind := first.kind:
                shown[keys.ARTIFACT_TYPE] = kind
            if title := first.annotations.get(keys.TITLE):
                shown[keys.AGENT_NAME] = title
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
            files.sync_folder(self._blobs / "sha256")
            self._undurable_names = False

    # Leases

    @contextlib.contextmanager
    def using(self) -> Iterator[None]:
        """Keep the collector out while content is added and named."""
        with translate_disk_errors(self.root):
            self._ingest.mkdir(exist_ok=True)
        with lock(self._ingest / "gc.lock", shared=True):
            yield

    @contextlib.contextmanager
    def collecting(self) -> Iterator[None]:
        """Be the only one that changes the store; raises Locked when somebody is at work."""
        with translate_disk_errors(self.root):
            self._ingest.mkdir(exist_ok=True)
        with lock(self._ingest / "gc.lock", wait=False):
            yield


def _refuse_foreign_folder(root: Path) -> None:
    """Do not scatter a layout into a folder that holds something else."""
    if root.is_dir():
        ours = ("blobs", "ingest", "index.json", "oci-layout")
        strangers = [path.name for path in root.iterdir() if path.name not in ours]
        if strangers:
            raise NotALayout(
                f"{root}: holds other files ({', '.join(sorted(strangers)[:3])}) and no OCI layout",
                hint="name an empty or new folder",
            )
    root.mkdir(parents=True, exist_ok=True)
