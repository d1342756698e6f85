"""Files that a layer is made from: read as what they were when they were listed, or not at all."""

from __future__ import annotations

import errno
import os
import stat

from agentoci.errors import AgentociError, Denied
from agentoci.layers.tar import TarEntry


class ChangedWhileReading(AgentociError):
    """A file is not what it was when the context was listed."""

    def __init__(self, path: str, what: str = "changed while it was read") -> None:
        super().__init__(f"{path}: {what}", hint="build again when it is quiet")


class SourceUnreadable(AgentociError):
    """The machine could not read a file."""


class SourceDenied(Denied):
    """The machine does not let us read a file or folder."""


def reading_failed(path: str, exc: OSError) -> AgentociError:
    """What an error of the machine means for whoever wanted to read `path`."""
    if exc.errno in (errno.ENOENT, errno.ENOTDIR):
        return ChangedWhileReading(path, "is not there any more")
    if exc.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
        return ChangedWhileReading(path, "is no regular file any more")
    if exc.errno in (errno.EACCES, errno.EPERM):
        hint = "make it readable, or leave it out by .agentignore"
        return SourceDenied(f"{path}: may not be read: {exc.strerror}", hint=hint)
    return SourceUnreadable(f"{path}: cannot be read: {exc.strerror or exc}")


def open_source(path: str) -> int:
    """Open a regular file; anything else, a symbolic link included, is ChangedWhileReading.

    Raises SourceDenied and SourceUnreadable too.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as exc:
        raise reading_failed(path, exc) from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ChangedWhileReading(path, "is no regular file any more")
    return descriptor


def read_whole(entry: TarEntry) -> bytes:
    """The content of a small file; raises as `open_source` does."""
    if entry.content is not None:
        return entry.content
    if entry.source is None:
        return b""
    descriptor = open_source(entry.source)
    try:
        content = os.read(descriptor, entry.size + 1)
        while 0 < len(content) < entry.size and (more := os.read(descriptor, entry.size)):
            content += more
    except OSError as exc:
        raise reading_failed(entry.source, exc) from exc
    finally:
        os.close(descriptor)
    if len(content) != entry.size:
        raise ChangedWhileReading(entry.source)
    return content
