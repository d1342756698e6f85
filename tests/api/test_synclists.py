"""Lists of images: lines or a document, and what is said about wrong ones."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agentoci.api.synclists import SyncEntry, read_sync_list
from agentoci.errors import Fault, SourceFaults


def read(text: str) -> Sequence[SyncEntry]:
    return read_sync_list(text.encode(), file="list")


def faults(text: str) -> tuple[Fault, ...]:
    with pytest.raises(SourceFaults) as caught:
        read(text)
    return caught.value.faults


def test_a_list_of_lines() -> None:
    assert read("# mirror\nh.io/bot:1 x.io/bot:1\n\n  h.io/tool  # all\noci:d\n") == [
        SyncEntry("h.io/bot:1", "x.io/bot:1"),
        SyncEntry("h.io/tool"),
        SyncEntry("oci:d"),
    ]


def test_a_list_as_a_document() -> None:
    text = """\
# a comment first
images:
  - source: h.io/bot
    tags: ["1.0", "2.*"]
    recursive: true
    with-checkpoints: true
  - source: h.io/tool:1
    target: x.io/tool
    platform: linux/arm64
  - {source: oci:dir, newest: 5}
"""
    expected = [
        SyncEntry("h.io/bot", tags=("1.0", "2.*"), recursive=True, checkpoints=True),
        SyncEntry("h.io/tool:1", "x.io/tool", platform="linux/arm64"),
        SyncEntry("oci:dir", newest="5"),
    ]
    assert read(text) == expected
    assert read('{"images": [{"source": "oci:dir", "newest": "5"}]}') == expected[2:]


@pytest.mark.parametrize(
    ("text", "line", "said", "hint"),
    [
        ("a b c\n", 1, "found more", None),
        ("# nothing\n", 1, "names no image", "images:"),
        ("images: []\n", 1, "images: the list names no image", None),
        ("images:\n  - sorce: h.io/a\n", 2, "unknown key 'sorce'", "did you mean 'source'?"),
        ("imges: []\n", 1, "unknown key 'imges'", "did you mean 'images'?"),
        ("images:\n  - target: h.io/a\n", 2, "'source' is missing", None),
        ("images:\n  - source: h.io/A\n", 2, "is not a name", "lower case"),
        ("images:\n  - source: h.io/a\n    tags: [1.10]\n", 3, "expected text", 'write "1.10"'),
        ("images:\n  - source: h.io/a\n    tags: v1\n", 3, "expected a list", '["v1"]'),
        ("images:\n  - source: h.io/a\n    recursive: 1\n", 3, "expected true or false", None),
        ("images:\n  - source: h.io/a\n    platform: arm\n", 3, "not a platform", "linux/"),
        ("images:\n  - source: h.io/a\n    newest: many\n", 3, "many", None),
        ("images:\n  - source: h.io/a\n    tags: ['1']\n    newest: 1\n", 4, "exclude", None),
        ("images: x\n", 1, "expected a list", None),
        ("---\n- a\n", 2, "expected a mapping", None),
    ],
)
def test_faults_of_a_list(text: str, line: int, said: str, hint: str | None) -> None:
    [fault] = [one for one in faults(text) if said in one.message]
    assert fault.line == line
    if hint is not None:
        assert fault.hint is not None
        assert hint in fault.hint


def test_a_list_of_wrong_images_is_not_called_empty() -> None:
    assert [one.message for one in faults("images:\n  - src: h.io/a\n")] == [
        "images[0].source: 'source' is missing",
        "unknown key 'src'",
    ]


def test_a_list_is_text() -> None:
    with pytest.raises(SourceFaults) as caught:
        read_sync_list(b"h.io/a\xff\n", file="list")
    [fault] = caught.value.faults
    assert (fault.file, fault.message) == ("list", "not a text in UTF-8")
    assert read_sync_list(b"\xef\xbb\xbfh.io/a\n", file="list") == [SyncEntry("h.io/a")]
