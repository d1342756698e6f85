"""How blobs get into a layout: written beside, verified, synced, renamed, read-only.

A download in progress is `ingest/<hex>.part`, locked by who writes it; whoever needs the blob too
waits, and of a large one the next process goes on where it ended. What a build makes has no digest
yet and is `ingest/tmp-*`, locked likewise.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentoci._internal import limits
from agentoci.content.protocols import Reader, Source
from agentoci.content.reader import DigestMismatch, SizeMismatch, read_verified
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.store.disk import translate_disk_errors

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

SMALL: Final = limits.MIB
"""Blobs up to this size pass through memory and need no place to resume from."""

_SYNC_EVERY: Final = 64 * limits.MIB
"""A big blob is synced in steps while it grows, so that the last step is short."""


_HASH_BEHIND: Final = 4
"""Chunks that hashing may lag behind writing."""


class BlobWriter:
    """Writes one blob whose digest is not known yet; use as a context manager.

    `commit` puts it in place; leaving without it removes what was written.
    """

    def __init__(self, blobs: Path, ingest: Path) -> None:
        self._blobs = blobs
        self._hash = hashlib.sha256()
        self.size = 0
        with translate_disk_errors(ingest):
            descriptor, name = _make_temporary(ingest)
        self._path = Path(name)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._descriptor = descriptor
        self._syncer = _Syncer(descriptor)

    def __enter__(self) -> BlobWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._syncer.close()
        os.close(self._descriptor)
        self._path.unlink(missing_ok=True)

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes."""
        self._hash.update(chunk)
        with translate_disk_errors(self._path):
            _write_all(self._descriptor, chunk)
            self.size += len(chunk)
            self._syncer.grown_to(self.size)

    def digest(self) -> Digest:
        """The digest of what was written so far."""
        return Digest.from_hash(self._hash)

    def commit(self) -> Digest:
        """Sync, and give the blob its name; returns its digest."""
        digest = self.digest()
        final = self._blobs / digest.algorithm / digest.hex
        if _is_whole(final, self.size):
            os.utime(final)
            return digest
        with translate_disk_errors(self._path):
            self._syncer.settle()
            settle(self._descriptor, self._path, final)
        return digest


def _make_temporary(ingest: Path) -> tuple[int, str]:
    import tempfile  # not at the top: listing images pays for nothing it does not use

    return tempfile.mkstemp(dir=ingest, prefix="tmp-")


def settle(descriptor: int, temporary: Path, final: Path) -> None:
    """Make a finished file durable and read-only under its final name."""
    os.fchmod(descriptor, 0o444)
    os.fdatasync(descriptor) if hasattr(os, "fdatasync") else os.fsync(descriptor)
    temporary.rename(final)


def _write_all(descriptor: int, chunk: bytes | bytearray | memoryview) -> None:
    written = os.write(descriptor, chunk)
    if written == len(chunk):
        return
    view = memoryview(chunk)[written:]
    while view:
        view = view[os.write(descriptor, view) :]


class _Syncer:
    """Syncs a growing file from a side thread, so that writing goes on meanwhile."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._next = _SYNC_EVERY
        self._pool: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None

    def grown_to(self, size: int) -> None:
        if size < self._next or (self._running and not self._running.done()):
            return
        self._raise_failure()
        self._next = size + _SYNC_EVERY
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(1, thread_name_prefix="sync")
        self._running = self._pool.submit(os.fsync, self._descriptor)

    def settle(self) -> None:
        """Wait for the last sync, and raise its error: the kernel tells each one once only."""
        self.close()
        self._raise_failure()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None

    def _raise_failure(self) -> None:
        if self._running is not None:
            self._running.result()


def ingest_small(desc: Descriptor, source: Source, final: Path, ingest: Path) -> None:
    """Read a small blob whole, verify it, and put it in place.

    As with large ones, one process reads; others wait for it and find the blob there.
    """
    part = part_path(ingest, desc)
    with translate_disk_errors(part), _own_part(part, final, desc.size) as descriptor:
        if descriptor is None:
            return
        try:
            content = _read(desc, source)
            os.ftruncate(descriptor, 0)
            _write_all(descriptor, content)
            settle(descriptor, part, final)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _read(desc: Descriptor, source: Source) -> bytes:
    with source.open() as stream:
        return read_verified(stream, desc)


def ingest_large(desc: Descriptor, source: Source, final: Path, ingest: Path) -> None:
    """Write a large blob beside its place, going on where an earlier attempt ended.

    One process writes; others wait for it and find the blob there. Wrong bytes are thrown away,
    right ones that an error cut short are kept for the next attempt.
    """
    part = part_path(ingest, desc)
    with translate_disk_errors(part), _own_part(part, final, desc.size) as descriptor:
        if descriptor is None:
            return
        try:
            _fill(descriptor, desc, source)
            settle(descriptor, part, final)
        except (DigestMismatch, SizeMismatch):
            part.unlink(missing_ok=True)
            raise


def part_path(ingest: Path, desc: Descriptor) -> Path:
    """Where a large blob grows, and waits for the next attempt when one ends early."""
    return ingest / f"{desc.digest.hex}.part"


@contextlib.contextmanager
def _own_part(part: Path, final: Path, size: int) -> Iterator[int | None]:
    """Lock the part file, waiting for another writer; None when that one finished the blob."""
    while True:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_whole(final, size):
                _drop_if_same(part, descriptor)
                yield None
                return
            if _is_same_file(part, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is_whole(path: Path, size: int) -> bool:
    """Whether the blob is there; one that the disk cut short is written anew."""
    try:
        return path.lstat().st_size == size and not path.is_symlink()
    except FileNotFoundError:
        return False


def _is_same_file(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _drop_if_same(part: Path, descriptor: int) -> None:
    if _is_same_file(part, descriptor):
        part.unlink(missing_ok=True)


def _fill(descriptor: int, desc: Descriptor, source: Source) -> None:
    state = desc.digest.hasher()
    have = _hash_existing(descriptor, desc, state)
    syncer = _Syncer(descriptor)
    try:
        with source.open(have) as stream, _hashing_ahead(state) as update:
            while have < desc.size:
                chunk = stream.read(min(limits.NETWORK_BUFFER, desc.size - have))
                if not chunk:
                    raise SizeMismatch(f"{desc.digest}: ended {desc.size - have} bytes short")
                update(chunk)
                _write_all(descriptor, chunk)
                have += len(chunk)
                syncer.grown_to(have)
            _refuse_more(stream, desc)
        syncer.settle()
    finally:
        syncer.close()
    found = Digest.from_hash(state)
    if found != desc.digest:
        raise DigestMismatch(f"{desc.digest}: the content has digest {found}")


@contextlib.contextmanager
def _hashing_ahead(state: hashlib._Hash) -> Iterator[Callable[[bytes], None]]:
    """Hash in a side thread while the next bytes come in; all is hashed when the block ends."""
    from concurrent.futures import ThreadPoolExecutor

    behind: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="hash") as pool:

        def update(chunk: bytes) -> None:
            behind.append(pool.submit(state.update, chunk))
            if len(behind) > _HASH_BEHIND:
                behind.popleft().result()

        yield update


def _refuse_more(stream: Reader, desc: Descriptor) -> None:
    if stream.read(1):
        raise SizeMismatch(f"{desc.digest}: longer than {desc.size} bytes")


def _hash_existing(descriptor: int, desc: Descriptor, state: hashlib._Hash) -> int:
    have = os.lseek(descriptor, 0, os.SEEK_END)
    if have == 0:
        return 0
    if have > desc.size:
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return 0
    os.lseek(descriptor, 0, os.SEEK_SET)
    while chunk := os.read(descriptor, limits.NETWORK_BUFFER):
        state.update(chunk)
    return have
