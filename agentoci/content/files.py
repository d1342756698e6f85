"""Files as content: described in one pass, and read as often as a transfer needs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agentoci._internal import limits
from agentoci.content.protocols import Reader
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file as a source."""

    path: Path

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        """Its bytes from `offset` on; raises OSError."""
        with self.path.open("rb") as stream:
            stream.seek(offset)
            yield stream


def describe_file(path: Path, media_type: str, *, most: int | None = None) -> Descriptor:
    """The descriptor of a file's content; raises OSError.

    Reading ends once there are more than `most` bytes: a size above it tells no more than that.
    """
    hasher, size = Digest("sha256", "").hasher(), 0
    with path.open("rb", buffering=0) as stream:
        while chunk := stream.read(limits.COPY_BUFFER):
            hasher.update(chunk)
            size += len(chunk)
            if most is not None and size > most:
                break
    return Descriptor(media_type, Digest.from_hash(hasher), size)
