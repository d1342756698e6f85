"""Files that are never seen half-written: write beside, sync, rename."""

from __future__ import annotations

import contextlib
import os
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

    A folder that takes no file is told by the name that was to be written.
    """
    import tempfile  # not at the top: listing images pays for nothing it does not use

    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as exc:
        exc.filename = str(path)
        raise
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace the whole file, or leave the old one."""
    with replacing(path, mode=mode) as stream:
        stream.write(content)


def read_at_most(path: Path, limit: int) -> bytes:
    """The file's bytes; at most `limit + 1`, so that the caller can tell it is too large."""
    with path.open("rb") as stream:
        return stream.read(limit + 1)


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
