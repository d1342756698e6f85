"""Files as content."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentoci._internal import limits
from agentoci.content.files import FileSource, describe_file
from agentoci.spec.descriptor import Descriptor

TYPE = "application/octet-stream"


@pytest.mark.parametrize("content", [b"", b"abc", b"a" * (2 * limits.COPY_BUFFER + 1)])
def test_descriptor_is_that_of_the_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert describe_file(path, TYPE) == Descriptor.of(TYPE, content)
    assert describe_file(path, TYPE, most=len(content)) == Descriptor.of(TYPE, content)


def test_no_more_is_read_than_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a" * (8 * limits.COPY_BUFFER))
    assert 10 < describe_file(path, TYPE, most=10).size <= limits.COPY_BUFFER


def test_file_is_read_as_often_as_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    for offset in (0, 2, 5, 0):
        with FileSource(path).open(offset) as stream:
            assert stream.read() == b"12345"[offset:]
    with pytest.raises(FileNotFoundError), FileSource(tmp_path / "none").open():
        pass
