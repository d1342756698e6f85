from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci._internal.clock import SystemClock
from agentoci.runtime.logreader import LogLine, follow_log, read_log
from agentoci.runtime.logwriter import MAX_LINE_BYTES, LogWriter


def now() -> float:
    return 1705312800.25


def writer(folder: Path, max_bytes: int = 1 << 20) -> LogWriter:
    return LogWriter(str(folder), now=now, max_bytes=max_bytes)


def written(folder: Path, *blocks: bytes) -> list[LogLine]:
    log = writer(folder)
    for block in blocks:
        log.feed("stdout", block)
    log.close()
    return list(read_log(folder))


def test_a_line_is_one_json_object(tmp_path: Path) -> None:
    written(tmp_path, b"hello\n")
    assert json.loads((tmp_path / "agent.jsonl").read_text()) == {
        "time": "2024-01-15T10:00:00.250Z",
        "stream": "stdout",
        "text": "hello",
    }


def test_a_line_that_comes_in_pieces_is_one_line(tmp_path: Path) -> None:
    lines = written(tmp_path, b"a", b"b\nc", "ü".encode()[:1], "ü".encode()[1:], b"\n\nrest")
    assert [(line.text, line.partial) for line in lines] == [
        ("ab", False),
        ("cü", False),
        ("", False),
        ("rest", True),
    ]


def test_streams_do_not_mix(tmp_path: Path) -> None:
    log = writer(tmp_path)
    log.feed("stdout", b"o1 ")
    log.feed("stderr", b"e1\n")
    log.feed("stdout", b"o2\n")
    log.close()
    assert [(line.stream, line.text) for line in read_log(tmp_path)] == [
        ("stderr", "e1"),
        ("stdout", "o1 o2"),
    ]


def test_bytes_that_are_not_utf8_become_replacement_characters(tmp_path: Path) -> None:
    assert [line.text for line in written(tmp_path, b"a\xff\xfeb\n")] == ["a\ufffd\ufffdb"]


def test_an_endless_line_comes_in_pieces_that_cut_no_character(tmp_path: Path) -> None:
    text = "x" + "€" * MAX_LINE_BYTES
    lines = written(tmp_path, text.encode() + b"\nnext\n")
    assert lines[-1].text == "next"
    assert all(line.partial for line in lines[:-2])
    assert not lines[-2].partial
    assert "".join(line.text for line in lines[:-1]) == text
    assert max(len(line.text.encode()) for line in lines) <= MAX_LINE_BYTES


@given(blocks=st.lists(st.binary(max_size=40), max_size=12))
def test_however_it_is_cut_the_text_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[bytes]
) -> None:
    whole = b"".join(blocks)
    lines = written(tmp_path_factory.mktemp("log"), *blocks)
    assert "".join(line.text + ("" if line.partial else "\n") for line in lines) == whole.decode(
        "utf-8", "replace"
    )


def test_files_stay_below_their_bound_and_the_oldest_goes(tmp_path: Path) -> None:
    log = writer(tmp_path, max_bytes=2000)
    for number in range(200):
        log.feed("stdout", b"line %d\n" % number)
    log.close()
    files = sorted(tmp_path.glob("agent.jsonl*"))
    assert [path.name for path in files] == ["agent.jsonl", "agent.jsonl.1", "agent.jsonl.2"]
    assert all(path.stat().st_size <= 2000 for path in files)
    numbers = [int(line.text.split()[1]) for line in read_log(tmp_path)]
    assert numbers == list(range(numbers[0], 200))
    assert len(numbers) > 40


def test_tail_gives_the_last_lines_across_files(tmp_path: Path) -> None:
    log = writer(tmp_path, max_bytes=400)
    for number in range(20):
        log.feed("stdout", b"%d\n" % number)
    log.close()
    assert [line.text for line in read_log(tmp_path, tail=9)] == [str(n) for n in range(11, 20)]
    assert list(read_log(tmp_path, tail=0)) == []


def test_a_line_cut_by_a_crash_spoils_no_other(tmp_path: Path) -> None:
    written(tmp_path, b"one\n")
    with (tmp_path / "agent.jsonl").open("ab") as stream:
        stream.write(b'{"time":"2024')
    assert [line.text for line in written(tmp_path, b"two\n")] == ["one", "two"]


def test_what_the_disk_does_not_take_is_counted_and_stops_nobody() -> None:
    log = LogWriter("/dev/full/nowhere", now=now)
    log.feed("stdout", b"a\nb\n")
    log.close()
    assert log.dropped == 2


def test_an_empty_log_is_no_error(tmp_path: Path) -> None:
    assert list(read_log(tmp_path)) == []


@pytest.mark.slow
def test_following_misses_nothing_while_files_rotate(tmp_path: Path) -> None:
    count = 3000
    done = threading.Event()
    pause = threading.Event()

    def write() -> None:
        log = writer(tmp_path, max_bytes=20_000)
        for number in range(count):
            log.feed("stdout", b"%d\n" % number)
            if number % 200 == 0:
                pause.wait(0.12)  # the reader looks every 0.1 s: a rotation or two in between
        log.close()
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    lines = follow_log(tmp_path, is_running=lambda: not done.is_set(), clock=SystemClock())
    numbers = [int(line.text) for line in lines]
    thread.join()
    assert numbers == list(range(count))


def test_following_begins_with_the_tail(tmp_path: Path) -> None:
    log = writer(tmp_path)
    log.feed("stdout", b"old\nlast\n")
    looks = iter([True, False])

    def is_running() -> bool:
        log.feed("stdout", b"new\n")
        return next(looks)

    lines = follow_log(tmp_path, is_running=is_running, clock=SystemClock(), tail=1)
    assert [line.text for line in lines] == ["last", "new", "new"]
    log.close()
