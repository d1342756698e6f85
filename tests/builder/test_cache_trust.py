"""Caches that are young, lost, damaged or shared cost time only."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agentoci._internal.clock import SystemClock
from agentoci.builder.cachefile import read_cache, write_cache
from agentoci.builder.memo import Memo
from agentoci.spec.jsonio import Json
from tests import commandline
from tests.builder.caching import AGENTFILE, fill, forget_replays, packed, settle
from tests.builder.workshop import Workshop
from tests.layers.archives import contents


@pytest.fixture
def filled(workshop: Workshop) -> Workshop:
    fill(workshop)
    return workshop


# Young files


def test_files_too_young_are_not_trusted(filled: Workshop) -> None:
    """They could change within one tick of the clock of the file system, unseen."""
    filled.clock = SystemClock()
    path = filled.context / "data/a.csv"
    path.write_text("5,6")
    filled.build()
    assert not list((filled.home / "cache/builds").glob("*"))
    for file in (filled.home / "cache/contexts").glob("*"):
        assert "data/a.csv" not in (read_cache(file, limit=10**6) or {})


def test_old_files_are_trusted_by_a_real_clock(filled: Workshop) -> None:
    filled.clock = SystemClock()
    settle()
    filled.build()
    assert packed(filled.build()) == set()


class StoppedClock(SystemClock):
    """Stands where it is told."""

    def __init__(self, at_ns: int) -> None:
        self._at = at_ns

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._at / 1e9, UTC)


def test_it_counts_when_the_build_began(filled: Workshop) -> None:
    """A build that takes long does not make the files old that changed just before it."""
    newest = max(p.stat().st_ctime_ns for p in filled.context.rglob("*") if p.is_file())
    filled.clock = StoppedClock(newest + 40_000_000)
    filled.build()
    assert packed(filled.build()) != set()
    filled.clock = StoppedClock(newest + 60_000_000)
    filled.build()
    assert packed(filled.build()) == set()


# Lost and broken


def test_lost_blobs_are_made_again(filled: Workshop) -> None:
    first = filled.build()
    image = filled.image(first)
    blobs = [image.manifest.config, *image.manifest.layers, first.root]
    for desc in blobs:
        filled.engine.store.path(desc.digest).unlink()
        again = filled.build()
        assert again.root == first.root
        assert all(filled.engine.store.exists(each) for each in blobs)
    for desc in blobs:
        path = filled.engine.store.path(desc.digest)
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1])
        assert filled.build().root == first.root
        assert all(filled.engine.store.exists(each) for each in blobs)


def caches(workshop: Workshop) -> list[Path]:
    return sorted(p for p in (workshop.home / "cache").rglob("*") if p.is_file())


DAMAGES: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("empty", lambda raw: b""),
    ("half", lambda raw: raw[: len(raw) // 2]),
    ("noise", lambda raw: random.Random(1).randbytes(len(raw))),
    ("other-json", lambda raw: b"[1, 2]"),
    ("other-object", lambda raw: b'{"value": {"a": 1}}'),
    ("one-bit", lambda raw: raw[:-2] + bytes([raw[-2] ^ 1]) + raw[-1:]),
    ("one-bit-of-the-seal", lambda raw: bytes([raw[0] ^ 1]) + raw[1:]),
    ("longer", lambda raw: raw + b" "),
]


@pytest.mark.parametrize("damage", [pytest.param(damage, id=name) for name, damage in DAMAGES])
@pytest.mark.parametrize("folder", ["builds", "contexts", "layers", "memo"])
def test_damaged_caches_cost_time_only(
    filled: Workshop, folder: str, damage: Callable[[bytes], bytes]
) -> None:
    first = filled.build()
    files = [path for path in caches(filled) if path.parent.name == folder]
    assert files
    for path in files:
        path.write_bytes(damage(path.read_bytes()))
    if folder != "builds":
        forget_replays(filled)
    assert filled.build().root == first.root
    assert packed(filled.build()) == set()


def test_a_record_of_another_shape_is_no_record(filled: Workshop) -> None:
    """As a version in development leaves them: the checksum is right, the content is not."""
    first = filled.build()
    (path,) = (filled.home / "cache/builds").iterdir()
    record = read_cache(path, limit=10**6) or {}
    others: tuple[Json, ...] = (None, [[]], {"a": "b"}, "text")
    for key in record:
        for value in others:
            write_cache(path, {**record, key: value})
            assert filled.build().root == first.root
        write_cache(path, {name: value for name, value in record.items() if name != key})
        assert filled.build().root == first.root


def test_cache_files_replaced_by_folders(filled: Workshop) -> None:
    first = filled.build()
    for path in caches(filled):
        path.unlink()
        path.mkdir()
    assert filled.build().root == first.root
    assert not [path for path in caches(filled) if path.is_file()], "nothing half-written is left"


def test_a_cache_that_cannot_be_written(filled: Workshop) -> None:
    filled.engine.writable_store  # noqa: B018 - makes the home
    (filled.home / "cache").write_text("a file where the folder should be")
    assert filled.build().root == filled.build().root


def test_sealed_files_keep_any_text(tmp_path: Path) -> None:
    document: dict[str, Json] = {"a": [1, "é\udcff", None], "b": {"c": 2**63}}
    write_cache(tmp_path / "deep/x.json", document)
    assert read_cache(tmp_path / "deep/x.json", limit=1000) == document
    assert read_cache(tmp_path / "deep/x.json", limit=50) is None
    assert read_cache(tmp_path / "missing.json", limit=50) is None
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["x.json"]


def test_a_memo_is_made_once(tmp_path: Path) -> None:
    numbers = itertools.count(1)
    memo = Memo(tmp_path)
    for _ in range(3):
        assert memo.remember("key", lambda: {"v": next(numbers)}) == {"v": 1}
    assert Memo(tmp_path, enabled=False).remember("key", lambda: {"v": 9}) == {"v": 9}
    assert memo.remember("other", lambda: {"v": 2}) == {"v": 2}


# Many at once


@pytest.mark.slow
def test_builds_at_the_same_time(filled: Workshop) -> None:
    """Six processes on one home: all of them end well, with one digest."""
    environment = {**commandline.environment_of(filled.home), "AGENTOCI_HOME": str(filled.home)}
    filled.build_text("FROM scratch\nCOPY data /agent/data/\n", "tools:1")
    filled.agentfile(AGENTFILE + "COPY --from=tools:1 /agent/data /agent/more/\n")
    line = [sys.executable, "-m", "agentoci", "build", "-t", "test:1", str(filled.context)]
    running = [
        subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    ended = [(each.communicate(), each.returncode) for each in running]
    assert [code for _, code in ended] == [0] * 6, ended
    assert len({out for (out, _), _ in ended}) == 1
    assert filled.ingest() == []


def test_an_unpacked_image_is_used_again(filled: Workshop) -> None:
    filled.build_text("FROM scratch\nCOPY data /agent/data/\n", "tools:1")
    text = "FROM scratch\nCOPY --from=tools:1 /agent/data /agent/more/\n"
    filled.build_text(text)
    (folder,) = (filled.home / "cache/unpacked").iterdir()
    before = folder.stat().st_ino
    assert packed(filled.build_text(text + "ENV A=1\n")) == set(), "the config alone changed"
    assert folder.stat().st_ino == before
    assert contents(folder)["agent/data/a.csv"] == b"1,2"


def test_the_watching_script_is_right(tmp_path: Path) -> None:
    """What the test of reading hangs on: an audit hook hears of every opening."""
    (tmp_path / "x").write_text("x")
    script = textwrap.dedent(
        """
        import os, sys
        heard = []
        sys.addaudithook(lambda event, a: heard.append(a[0]) if event == "open" else None)
        os.close(os.open(sys.argv[1], os.O_RDONLY))
        print(sys.argv[1] in heard)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "x")], capture_output=True, check=True
    )
    assert done.stdout == b"True\n"
