"""A build that ends early, by Ctrl-C or by a full disk, leaves nothing half-done."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agentoci._internal.limits import KIB, MIB
from agentoci.builder.copying import generated
from agentoci.builder.packing import LayerPlan, Packer
from agentoci.errors import AgentociError
from agentoci.layers.tar import TarEntry
from agentoci.spec.mediatypes import Compression, LayerKind
from agentoci.store.disk import StoreFull
from tests import commandline
from tests.builder.workshop import Workshop


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def sparse(path: Path, size: int) -> None:
    with path.open("wb") as stream:
        stream.truncate(size)


def one_huge_file(workshop: Workshop) -> None:
    sparse(workshop.write("in/huge.bin", b""), 64 << 30)


def many_huge_files(workshop: Workshop) -> None:
    for number in range(60):
        sparse(workshop.write(f"in/{number}.bin", b""), 1 << 30)


def huge_and_small_files(workshop: Workshop) -> None:
    one_huge_file(workshop)
    for number in range(3000):
        workshop.write(f"in/{number}.md", b"text\n" * 500)


Big = Callable[[Workshop], None]
BIG: Sequence[Big] = (one_huge_file, many_huge_files, huge_and_small_files)


@pytest.mark.slow
@pytest.mark.parametrize("fill", BIG)
@pytest.mark.parametrize("options", [(), ("--compression", "none"), ("--compression", "gzip")])
def test_ctrl_c(workshop: Workshop, fill: Big, options: tuple[str, ...]) -> None:
    workshop.agentfile("FROM scratch\nCOPY in /agent/knowledge/\n")
    fill(workshop)
    environment = {**commandline.environment_of(workshop.home), "AGENTOCI_HOME": str(workshop.home)}
    line = [sys.executable, "-m", "agentoci", "build", "-t", "test:1", *options]
    process = subprocess.Popen(
        [*line, str(workshop.context)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 30
        while not any(_size(path) for path in (workshop.home / "store/ingest").glob("tmp-*")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)  # a slow disk may still sync what it got
    finally:
        process.kill()
    assert (process.returncode, out) == (130, b""), err
    assert err.endswith(b"error: interrupted\n")
    assert b"Traceback" not in err
    assert workshop.ingest() == []
    assert workshop.names() == []
    assert list((workshop.home / "cache").rglob("*.json.*")) == []


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def packer(workshop: Workshop) -> Packer:
    return Packer(
        workshop.engine.writable_store,
        workshop.home / "cache",
        Compression.NONE,
        0,
        use_cache=False,
        known=lambda copied: copied.entry.sha256,
        learn=lambda copied, sha256: None,
    )


def test_when_one_layer_fails_the_others_stop(workshop: Workshop) -> None:
    """Not by chance: the other one is endless within the patience of a test."""
    sparse(workshop.write("huge.bin", b""), 200 << 30)
    huge = TarEntry("agent/huge", 0o644, 200 << 30, source=str(workshop.context / "huge.bin"))
    gone = TarEntry("agent/gone", 0o644, 10, source=str(workshop.context / "gone"))
    plans = [
        LayerPlan(LayerKind.FILES, (generated("x", b"")._replace(entry=entry),), "COPY")
        for entry in (gone, huge)
    ]
    with (
        pytest.raises(AgentociError, match="gone: is not there any more"),
        packer(workshop).packing(plans) as finish,
    ):
        finish()
    assert workshop.ingest() == []
    assert threading.active_count() == 1


def test_an_error_beside_packing_stops_it_too(workshop: Workshop) -> None:
    """The definition compiles meanwhile; its faults do not wait for a huge layer."""
    sparse(workshop.write("huge.bin", b""), 200 << 30)
    fault = workshop.faults("FROM scratch\nCOPY huge.bin /agent/\nINTERFACE gone/i.md\n").faults[0]
    assert fault.line == 3
    assert workshop.ingest() == []


# Full disks


@pytest.fixture
def disk(workshop: Workshop) -> Iterator[Callable[[str], None]]:
    """A home of its own size; called again, it grows."""
    workshop.home.mkdir()

    def size(text: str, *, again: str = "remount,") -> None:
        line = ["mount", "-t", "tmpfs", "-o", f"{again}size={text}", "tmpfs", str(workshop.home)]
        done = subprocess.run(line, capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode().strip()}")

    size("1m", again="")
    yield size
    subprocess.run(["umount", "--lazy", str(workshop.home)], check=True)


SHAPES: list[tuple[str, dict[str, bytes], str]] = [
    ("small-files", {f"{n}.bin": noise(30_000, n) for n in range(60)}, "zstd"),
    ("huge-file", {"huge.bin": noise(9 * MIB)}, "zstd"),
    ("huge-file-plain", {"huge.bin": noise(9 * MIB)}, "none"),
    ("group", {f"{n}.bin": noise(9 * MIB, n) for n in range(2)}, "gzip"),
]


@pytest.mark.parametrize(("files", "how"), [pytest.param(*row[1:], id=row[0]) for row in SHAPES])
def test_a_full_disk(
    workshop: Workshop, disk: Callable[[str], None], files: dict[str, bytes], how: str
) -> None:
    before = workshop.build_text("FROM scratch\nINTERFACE before\n", "before:1")
    workshop.fill({f"in/{name}": content for name, content in files.items()})
    workshop.agentfile("FROM scratch\nCOPY in /agent/knowledge/\n")
    compression = Compression(how)
    with pytest.raises(StoreFull, match="the disk is full") as caught:
        workshop.build(compression=compression)
    assert caught.value.hint
    assert workshop.ingest() == []
    assert workshop.names() == ["before:1"]
    assert workshop.tree(before)
    disk("60m")
    built = workshop.build(compression=compression)
    assert len(workshop.copied(built)) == len(files)


@pytest.mark.parametrize("left", [0, 4, 8, 16, 32, 64])
def test_a_disk_that_is_full_at_any_step(
    workshop: Workshop, disk: Callable[[str], None], left: int
) -> None:
    """However many KiB are left, the build ends in an image or in an error that says why."""
    workshop.build_text("FROM scratch\nINTERFACE before\n", "before:1")
    workshop.fill({f"in/{n}.bin": noise(3_000, n) for n in range(8)})
    workshop.agentfile("FROM scratch\nCOPY in /agent/knowledge/\nSET memory.level=BASIC\n")
    status = os.statvfs(workshop.home)
    filler = status.f_bavail * status.f_frsize - left * KIB
    (workshop.home / "filler").write_bytes(bytes(max(0, filler)))
    try:
        built = workshop.build()
    except StoreFull as exc:
        message = exc.message
        assert "the disk is full" in message
        assert "test:1" not in workshop.names()
    else:
        assert len(workshop.copied(built)) == 8
    assert workshop.ingest() == []
    assert [p.name for p in workshop.home.rglob("*") if p.is_file() and p.stat().st_size == 0] in (
        [],
        ["index.lock"],
        ["gc.lock", "index.lock"],
        ["index.lock", "gc.lock"],
    )
    (workshop.home / "filler").unlink()
    assert len(workshop.copied(workshop.build())) == 8
