"""Writing a new tree that nothing can lead out of: each part of a path is opened by its parent."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from agentoci._internal import files, limits
from agentoci.errors import AgentociError, Conflict, Denied
from agentoci.layers.inventory import EXECUTABLE_MODE
from agentoci.layers.tarheader import refuse
from agentoci.layers.untar import BodyReader, TarMember

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SLICE: Final = limits.MIB


class UnpackFailed(AgentociError):
    """The machine could not write a file of the image."""


class DiskFull(UnpackFailed):
    """No space, no inodes, or the quota is used up."""


class UnpackDenied(Denied):
    """The machine does not let us write here."""


class DestinationExists(Conflict):
    """Unpacking makes a new tree, never writes over an old one."""


def failure(path: str | Path, exc: OSError) -> AgentociError:
    """What an error of the machine means for whoever wanted `path` written."""
    reason = f"{path}: cannot be written: {exc.strerror or exc}"
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(reason, hint="free some space, or choose another home")
    if exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UnpackDenied(reason, hint="check who owns the folder, or choose another home")
    return UnpackFailed(reason)


@contextlib.contextmanager
def fresh_tree(destination: Path) -> Iterator[Path]:
    """A private new folder beside `destination`, renamed to it at the end, else removed."""
    _refuse_existing(destination)
    try:
        root = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
    except OSError as exc:
        raise failure(destination, exc) from exc
    try:
        yield root
        _refuse_existing(destination)
        try:
            root.chmod(0o755)
            root.rename(destination)
        except OSError as exc:
            raise failure(destination, exc) from exc
    except BaseException:
        files.remove_tree(root)
        raise


def _refuse_existing(destination: Path) -> None:
    if destination.is_symlink() or destination.exists():
        raise DestinationExists(f"{destination}: exists already", hint="remove it first")


class TreeWriter:
    """Makes files, folders and links below `root`; one per thread, several may share a root.

    Folders stay open in a bounded cache. Nothing is ever replaced or followed. Use it as a context
    manager, which closes the folders.
    """

    def __init__(self, root: Path) -> None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = 256 if soft < 0 else max(8, min(256, soft // 8))
        self._open: dict[str, int] = {}
        self._root = os.open(root, _FOLDER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for descriptor in (*self._open.values(), self._root):
            os.close(descriptor)
        self._open.clear()

    def write(self, member: TarMember, body: BodyReader, *, check: Callable[[], None]) -> None:
        """Make a read-only file of this content; `check` is called between slices of a large one.

        Raises RefusedArchive when there is something of that name already.
        """
        mode = 0o555 if member.mode == EXECUTABLE_MODE else 0o444
        folder, _, base = member.name.rpartition("/")
        try:
            descriptor = os.open(base, _CREATE, mode, dir_fd=self._enter(folder))
            try:
                os.fchmod(descriptor, mode)  # whatever the umask is
                _fill(descriptor, member.size, body, check)
            finally:
                os.close(descriptor)
        except FileExistsError:
            refuse(f"{member.name!r} stands twice")
        except OSError as exc:
            raise failure(member.name, exc) from exc

    def link(self, path: str, target: str) -> None:
        """Make a symlink."""
        folder, _, base = path.rpartition("/")
        try:
            os.symlink(target, base, dir_fd=self._enter(folder))
        except OSError as exc:
            raise failure(path, exc) from exc

    def folder(self, path: str) -> None:
        """Make a folder, unless it is there."""
        try:
            self._enter(path)
        except OSError as exc:
            raise failure(path, exc) from exc

    def _enter(self, path: str) -> int:
        """The open folder at `path`, made where it is missing."""
        if not path:
            return self._root
        found = self._open.get(path)
        if found is not None:
            return found
        at, missing = self._nearest(path)
        for part, whole in missing:
            at = _open_folder(at, part)
            if len(self._open) >= self._most:
                os.close(self._open.pop(next(iter(self._open))))
            self._open[whole] = at
        return at

    def _nearest(self, path: str) -> tuple[int, list[tuple[str, str]]]:
        """The deepest folder on the way that is open, and the parts from there on."""
        missing: list[tuple[str, str]] = []
        while path and path not in self._open:
            parent, _, base = path.rpartition("/")
            missing.append((base, path))
            path = parent
        missing.reverse()
        return self._open.get(path, self._root), missing


def _open_folder(parent: int, name: str) -> int:
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
        made = True
    except FileExistsError:
        made = False
    descriptor = os.open(name, _FOLDER, dir_fd=parent)
    if made:
        os.fchmod(descriptor, 0o755)  # whatever the umask is
    return descriptor


def _fill(descriptor: int, size: int, body: BodyReader, check: Callable[[], None]) -> None:
    if size <= limits.COPY_BUFFER:
        _write_all(descriptor, body.read_whole())
        return
    while chunk := body.read(_SLICE):
        check()
        _write_all(descriptor, chunk)


def _write_all(descriptor: int, content: bytes) -> None:
    written = os.write(descriptor, content) if content else 0
    while written < len(content):
        written += os.write(descriptor, memoryview(content)[written:])
