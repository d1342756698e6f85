"""Files that are never seen half-written: write beside, sync, rename."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Write a sibling temporary file and rename it over `path`; readers never see half a file.

    A folder that takes no file is told by the name that was to be written. Of `mode` the umask
    takes its part. What is a pipe or device, and no file, is written to instead.
    """
    if _is_special(path):
        with path.open("wb") as stream:
            yield stream
        return
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError as exc:
        exc.filename = str(path)
        raise
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _is_special(path: Path) -> bool:
    """Whether it is a pipe or device, or, as `/dev/stdout`, what was opened for us."""
    try:
        kind = path.stat().st_mode
        opened = path.is_symlink() and path.readlink().is_relative_to("/proc")
    except OSError:
        return False
    return opened or not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def write_atomically(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace the whole file, or leave the old one."""
    with replacing(path, mode=mode) as stream:
        stream.write(content)


def read_at_most(path: Path, limit: int) -> bytes:
    """The file's bytes; at most `limit + 1`, so that the caller can tell it is too large."""
    with path.open("rb") as stream:
        return stream.read(limit + 1)


def read_regular(path: Path, limit: int) -> bytes:
    """Like `read_at_most`, for a file that lies in a folder and that nobody named.

    Nothing waits for a pipe in its place: what is no regular file raises OSError (EINVAL).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read(limit + 1)
    finally:
        os.close(descriptor)


def remove_tree(path: Path) -> None:
    """Remove a folder, read-only parts included; a missing one is fine.

    Of a link, inside or instead of the folder, only the link goes.
    """
    import shutil

    if path.is_symlink():
        path.unlink(missing_ok=True)
    if not path.exists():
        return
    try:
        shutil.rmtree(path)
    except OSError:
        _make_writable(path)
        shutil.rmtree(path)


def _make_writable(root: Path) -> None:
    """Let every folder be read and emptied; files need no leave to be removed."""
    root.chmod(0o700)
    for folder, names, _ in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o700)
