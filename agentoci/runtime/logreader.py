"""The log of an instance, read: the last lines, and those that come, across rotated files."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from agentoci._internal.clock import Clock
from agentoci.runtime.logwriter import LOG_NAME, MAX_FILES

_POLL_SECONDS: Final = 0.1
_OPEN_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class LogLine:
    """What the process said. A `partial` one goes on in the next of the same stream."""

    time: str
    stream: str
    text: str
    partial: bool = False


def read_log(folder: Path, *, tail: int | None = None) -> Iterator[LogLine]:
    """What stands in the log now, oldest first; `tail` gives the last lines only."""
    with _Cursor(folder) as cursor:
        yield from _parsed(cursor.read(tail))


def follow_log(
    folder: Path, *, is_running: Callable[[], bool], clock: Clock, tail: int | None = None
) -> Iterator[LogLine]:
    """Like `read_log`, then what comes, until the instance stops and all was given."""
    with _Cursor(folder) as cursor:
        yield from _parsed(cursor.read(tail))
        running = True
        while running:
            # Asked before reading: what a process said before it ended is then read for sure.
            running = is_running()
            yield from _parsed(cursor.read(None))
            if running:
                clock.sleep(_POLL_SECONDS)


def _parsed(lines: Iterator[bytes]) -> Iterator[LogLine]:
    for line in lines:
        try:
            found = json.loads(line)
            yield LogLine(found["time"], found["stream"], found["text"], bool(found.get("partial")))
        except (ValueError, KeyError, TypeError):
            continue  # a line that a crash cut


class _Cursor:
    """A place in the log that survives rotation: it holds the file open, whatever its name is."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOG_NAME
        self._file: IO[bytes] | None = None
        self._rest = b""

    def __enter__(self) -> _Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def read(self, tail: int | None) -> Iterator[bytes]:
        """The whole lines from here to the present end."""
        lines = self._lines()
        return lines if tail is None else iter(deque(lines, maxlen=tail))

    def _lines(self) -> Iterator[bytes]:
        while True:
            if self._file is not None:
                yield from self._rest_of_file()
            following = self._following()
            if following is None:
                return
            if self._file is not None:
                # The writer has left this file; what it wrote before leaving comes first.
                yield from self._rest_of_file()
                self._file.close()
            self._file, self._rest = following, b""

    def _rest_of_file(self) -> Iterator[bytes]:
        while self._file is not None and (block := self._file.read(256 * 1024)):
            *lines, self._rest = (self._rest + block).split(b"\n")
            yield from (line for line in lines if line)

    def _following(self) -> IO[bytes] | None:
        """The file after the present one; the oldest when there is none; None at the newest."""
        for _ in range(_OPEN_TRIES):
            files = self._open_all()
            places = [_inode(file) for file in files]
            here = None if self._file is None else _inode(self._file)
            if len(set(places)) != len(places):  # a rotation went on while we looked
                _close(files)
                continue
            # A file that is not there any more was older than all that are.
            index = places.index(here) + 1 if here in places else 0
            chosen = files.pop(index) if index < len(files) else None
            _close(files)
            return chosen
        return None

    def _open_all(self) -> list[IO[bytes]]:
        """From the oldest to the newest; opened the other way round, against the movement, so
        that a file which moves meanwhile is seen twice and never missed.
        """
        files: list[IO[bytes]] = []
        older = [self._path.with_name(f"{LOG_NAME}.{number}") for number in range(1, MAX_FILES)]
        for path in (self._path, *older):
            try:
                files.append(path.open("rb"))
            except FileNotFoundError:
                continue
        return files[::-1]


def _inode(file: IO[bytes]) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino


def _close(files: list[IO[bytes]]) -> None:
    for file in files:
        file.close()
