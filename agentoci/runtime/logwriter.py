# ruff: noqa: PTH105
"""The log of an instance, written: one JSON object per line, in files of bounded size.

`{"time": …, "stream": "stdout", "text": …}`; a line longer than 16 KiB comes in pieces, all but
the last with `"partial": true`. Bytes that are not UTF-8 become U+FFFD. `agent.jsonl` is the
newest file, `agent.jsonl.1` the one before it, and so on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from agentoci.instances.record import spell_time

LOG_NAME = "agent.jsonl"
MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_FILES = 3
MAX_LINE_BYTES = 16 * 1024

_encode = json.JSONEncoder(ensure_ascii=False).encode


class LogWriter:
    """Takes what the process says, in pieces as they come.

    A full disk must not stop the agent: what cannot be written is dropped, counted in `dropped`.
    """

    def __init__(
        self,
        folder: str,
        *,
        now: Callable[[], float],
        max_bytes: int = MAX_FILE_BYTES,
        max_files: int = MAX_FILES,
    ) -> None:
        self._path = f"{folder}/{LOG_NAME}"
        self._now = now
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._held: dict[str, bytes] = {}
        self._file = -1
        self._size = 0
        self.dropped = 0
        self._open()

    def feed(self, stream: str, data: bytes) -> None:
        """Write the lines that are whole; the rest waits for its end."""
        *lines, rest = (self._held.pop(stream, b"") + data).split(b"\n")
        pieces: list[tuple[bytes, bool]] = []
        for line in lines:
            head, tail = _cut(line)
            pieces += head
            pieces.append((tail, False))
        head, tail = _cut(rest)
        pieces += head
        if tail:
            self._held[stream] = tail
        self._write(stream, pieces)

    def close(self) -> None:
        """Write what waits for the end of its line, and close the file."""
        for stream, rest in self._held.items():
            self._write(stream, [(rest, True)])
        self._held.clear()
        self._leave()

    def _write(self, stream: str, pieces: list[tuple[bytes, bool]]) -> None:
        start = f'{{"time":"{spell_time(self._now(), millis=True)}","stream":"{stream}","text":'
        batch: list[bytes] = []
        size = 0
        for text, partial in pieces:
            end = ',"partial":true}\n' if partial else "}\n"
            line = (start + _encode(text.decode("utf-8", "replace")) + end).encode()
            if self._size + size + len(line) > self._max_bytes:
                self._flush(batch)
                self._rotate()
                batch, size = [], 0
            batch.append(line)
            size += len(line)
        self._flush(batch)

    def _flush(self, lines: list[bytes]) -> None:
        if not lines:
            return
        content = b"".join(lines)
        try:
            if self._file < 0:
                self._open()
            written = os.write(self._file, content)
        except OSError:
            written = 0
        self._size += written
        if written < len(content):
            self.dropped += len(lines) - content.count(b"\n", 0, written)
            self._leave()

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            self._file = os.open(self._path, flags, 0o640)
            self._size = os.fstat(self._file).st_size
            if self._size and os.pread(self._file, 1, self._size - 1) != b"\n":
                # A crash or a full disk cut the last line; the next one must not be part of it.
                self._size += os.write(self._file, b"\n")
        except OSError:
            self._size = 0

    def _rotate(self) -> None:
        if self._size == 0:
            return  # one line larger than a file
        try:
            for number in range(self._max_files - 1, 1, -1):
                if os.access(f"{self._path}.{number - 1}", os.F_OK):
                    os.replace(f"{self._path}.{number - 1}", f"{self._path}.{number}")
            if self._max_files > 1:
                os.replace(self._path, f"{self._path}.1")
            else:
                os.truncate(self._path, 0)
        except OSError:
            return
        self._leave()
        self._open()

    def _leave(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _cut(line: bytes) -> tuple[list[tuple[bytes, bool]], bytes]:
    """The pieces that are full, and the rest; no character is cut in two."""
    pieces: list[tuple[bytes, bool]] = []
    while len(line) > MAX_LINE_BYTES:
        end = MAX_LINE_BYTES
        while end > MAX_LINE_BYTES - 4 and line[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append((line[:end], True))
        line = line[end:]
    return pieces, line
