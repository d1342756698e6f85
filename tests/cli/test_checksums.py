"""checksum and verify: what does not match, and what is no checksum."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Agent


def test_a_changed_file_does_not_verify(agent: Agent, tmp_path: Path):
    (tmp_path / "bot.agent").write_text("one")
    line = agent("checksum", tmp_path / "bot.agent").out
    (tmp_path / "sums").write_text(line)
    (tmp_path / "bot.agent").write_text("two")
    wrong = agent("verify", tmp_path / "bot.agent", "--checksum", tmp_path / "sums", code=8)
    assert line.split()[0] in wrong.err
    assert wrong.out == ""


@pytest.mark.parametrize(
    ("content", "code", "part"),
    [
        (None, 6, "No such file"),
        (b"", 2, "no line for"),
        (b"0123  bot.agent\n", 2, "is not `SHA256  NAME`"),
        (b"\xff\xfe", 2, "not a list of checksums"),
        (b"0" * 64 + b"  other.agent\n", 2, "it lists other.agent"),
        (b"0" * 64 + b" *bot.agent\n", 8, "says " + "0" * 64),
    ],
)
def test_checksum_files_that_do_not_help(
    agent: Agent, tmp_path: Path, content: bytes | None, code: int, part: str
):
    (tmp_path / "bot.agent").write_text("bot")
    if content is not None:
        (tmp_path / "sums").write_bytes(content)
    refused = agent("verify", tmp_path / "bot.agent", "--checksum", tmp_path / "sums", code=code)
    assert part in refused.err


def test_the_checksum_of_a_folder(agent: Agent, tmp_path: Path):
    assert "is a folder" in agent("checksum", tmp_path, code=2).err


def test_all_that_a_list_names_is_verified(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two", "three"):
        Path(name).write_text(name)
    Path("sums").write_text(agent("checksum", "one", "two", "three").out)
    assert agent("verify", "--checksum", "sums").lines == ["one: OK", "two: OK", "three: OK"]
    assert agent("verify", "three", "one", "--checksum", "sums").lines == ["three: OK", "one: OK"]
    for name in ("one", "three"):
        Path(name).write_text("changed")
    wrong = agent("verify", "--checksum", "sums", code=8)
    assert wrong.lines == ["two: OK"]
    assert "one: its sha256 is" in wrong.err
    assert "and 1 more differ" in wrong.err
    told = agent("verify", "--checksum", "sums", "--format", "json", code=8).json
    assert [(each["name"], each["ok"]) for each in told] == [
        ("one", False),
        ("two", True),
        ("three", False),
    ]
    Path("two").unlink()
    agent("verify", "--checksum", "sums", code=6)
    Path("sums").write_text("")
    assert "lists nothing" in agent("verify", "--checksum", "sums", code=2).err
