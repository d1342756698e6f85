"""Archives made to exhaust memory or disk, and processes killed half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import zstandard

from agentoci._internal import limits
from agentoci.layers.decompress import BadCompression, ExpandsTooFar
from agentoci.layers.unpack import unpack_image
from agentoci.spec.digest import Digest
from agentoci.spec.mediatypes import Compression
from tests.layers.archives import archive, file, packed_layer

PRELUDE = """
    import gzip, io, resource, sys, zlib
    from contextlib import contextmanager
    from pathlib import Path
    import zstandard
    from agentoci.errors import Integrity
    from agentoci.layers.inventory import FileEntry, Inventory
    from agentoci.layers.unpack import PackedLayer, unpack_image
    from agentoci.spec.digest import Digest
    from agentoci.spec.mediatypes import Compression
    from tests.layers.archives import *

    destination = Path(sys.argv[1])

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    def squeezed(compressor, head, zeros):
        blank = bytes(1 << 20)
        body = b"".join(compressor.compress(blank) for _ in range(zeros >> 20))
        return compressor.compress(head) + body + compressor.flush()

    def measure(layer, inventory=None):
        before = peak()
        try:
            unpack_image([layer], destination, inventory=inventory)
            print("unpacked")
        except Integrity as exc:
            print(type(exc).__name__)
        print(peak() - before)
"""


def run(script: str, destination: Path) -> tuple[str, int]:
    """The outcome that the script prints, and how many MiB unpacking added to its memory."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PRELUDE) + textwrap.dedent(script), destination],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outcome, grown = done.stdout.split()
    return outcome, int(grown)


BOMBS = {
    "gzip": """
        head = header("a", size=b"\\x80" + (1 << 30).to_bytes(11, "big"))
        packed = squeezed(zlib.compressobj(9, zlib.DEFLATED, 31), head, 300 << 20)
        measure(packed_layer(packed, Compression.GZIP, Digest.of(b"")))
    """,
    "gzip, listed": """
        head = header("a", size=b"\\x80" + (1 << 30).to_bytes(11, "big"))
        packed = squeezed(zlib.compressobj(9, zlib.DEFLATED, 31), head, 300 << 20)
        listed = Inventory.of([FileEntry("a", 1 << 30, 0o644, None, 0)])
        measure(packed_layer(packed, Compression.GZIP, Digest.of(b"")), listed)
    """,
    "zstd": """
        head = header("a", size=b"\\x80" + (64 << 30).to_bytes(11, "big"))
        packed = squeezed(zstandard.ZstdCompressor(level=1).compressobj(), head, 1 << 30)
        measure(packed_layer(packed, Compression.ZSTD, Digest.of(b"")))
    """,
    "zeros behind the end": """
        compressor = zstandard.ZstdCompressor(level=1).compressobj()
        packed = squeezed(compressor, archive(file("a")), 1 << 30)
        measure(packed_layer(packed, Compression.ZSTD, Digest.of(b"")))
    """,
}


@pytest.mark.slow
@pytest.mark.parametrize("script", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_are_stopped_early(tmp_path: Path, script: str) -> None:
    outcome, grown = run(script, tmp_path / "image")
    assert outcome == "ExpandsTooFar"
    assert grown < 30
    assert not list(tmp_path.glob("*image*"))


@pytest.mark.slow
def test_a_header_of_64_mib_is_not_read(tmp_path: Path) -> None:
    script = """
        big = pax((b"comment", b"x" * (64 << 20)))
        measure(layer(archive(big, file("a")), Compression.ZSTD))
    """
    outcome, grown = run(script, tmp_path / "image")
    assert outcome == "RefusedArchive"
    assert grown < 30


@pytest.mark.slow
@pytest.mark.parametrize("compression", ["NONE", "ZSTD"])
def test_memory_does_not_grow_with_a_file(tmp_path: Path, compression: str) -> None:
    script = f"""
        size = 256 << 20
        head, noise = header("a", size=size), open("/dev/urandom", "rb").read(1 << 20)
        hashed = __import__("hashlib").sha256(head)
        with open(destination.parent / "packed", "wb") as out:
            kind = Compression.{compression}
            c = zstandard.ZstdCompressor(level=1).compressobj()
            squeeze = c.compress if kind is Compression.ZSTD else bytes
            out.write(squeeze(head))
            for _ in range(size >> 20):
                hashed.update(noise)
                out.write(squeeze(noise))
            hashed.update(END)
            out.write(squeeze(END))
            out.write(c.flush() if kind is Compression.ZSTD else b"")
        packed = destination.parent / "packed"
        measure(PackedLayer(lambda: packed.open("rb"), kind, packed.stat().st_size,
                            Digest.from_hash(hashed)),
                Inventory.of([FileEntry("a", size, 0o644, None, 0)]))
    """
    outcome, grown = run(script, tmp_path / "image")
    assert outcome == "unpacked"
    assert grown < 30
    assert (tmp_path / "image/a").stat().st_size == 256 << 20


@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.ZSTD])
def test_the_free_expansion_is_no_more_than_its_limit(
    tmp_path: Path, compression: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FREE_EXPANSION_BYTES", 4 << 20)
    small, large = (archive(file("a", bytes(size))) for size in (3 << 20, 5 << 20))
    for raw, name in ((small, "small"), (large, "large")):
        squeezed = zstandard.ZstdCompressor(level=1).compress(raw)
        if compression is Compression.GZIP:
            from gzip import compress

            squeezed = compress(raw, 9)
        packed = packed_layer(squeezed, compression, Digest.of(raw))
        assert len(raw) > limits.MAX_EXPANSION_RATIO * len(squeezed)
        if name == "small":
            unpack_image([packed], tmp_path / name, inventory=None)
        else:
            with pytest.raises(ExpandsTooFar):
                unpack_image([packed], tmp_path / name, inventory=None)


def test_a_zstd_window_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    raw = archive(file("a", b"a" * 5000))
    for log, fits in ((27, True), (28, False)):
        parameters = zstandard.ZstdCompressionParameters(window_log=log)
        compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        squeezed = compressor.compress(raw) + compressor.flush()
        packed = packed_layer(squeezed, Compression.ZSTD, Digest.of(raw))
        if fits:
            unpack_image([packed], tmp_path / "image", inventory=None)
            continue
        with pytest.raises(BadCompression, match="window"):
            unpack_image([packed], tmp_path / "other", inventory=None)


HALF_WAY = """
    import sys, threading
    from contextlib import contextmanager
    from pathlib import Path
    from agentoci.layers.inventory import FileEntry, Inventory
    from agentoci.layers.unpack import PackedLayer, unpack_image
    from agentoci.spec.digest import Digest
    from agentoci.spec.mediatypes import Compression
    from tests.layers.archives import file, header

    never = threading.Event()

    class Slow:
        count = 0
        def read(self, size=-1, /):
            self.count += 1
            if self.count == 1:
                return file("agent/first", b"x" * 500) + header("agent/big", size=1 << 31)
            if self.count == 20:
                print("half-way", flush=True)
            never.wait(0.01)
            return bytes(4096)

    @contextmanager
    def opened():
        yield Slow()

    layer = PackedLayer(opened, Compression.NONE, 1 << 33, Digest.of(b""))
    listed = Inventory.of([FileEntry("agent/first", 500, 0o644, None, 0),
                           FileEntry("agent/big", 1 << 31, 0o644, None, 0)])
    unpack_image([layer], Path(sys.argv[1]), inventory=listed)
"""


def interrupt(tmp_path: Path, number: signal.Signals) -> list[str]:
    """Send a signal half-way through unpacking; what is left in the folder afterwards."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HALF_WAY), tmp_path / "place/image"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "half-way\n"
        (half,) = (tmp_path / "place").iterdir()
        assert (half / "agent/first").exists()
        process.send_signal(number)
        process.communicate(timeout=30)
        assert process.returncode != 0
    return [path.name for path in (tmp_path / "place").iterdir()]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for the destination."""
    made = tmp_path / "place"
    made.mkdir()
    return made


@pytest.mark.usefixtures("place")
def test_a_killed_process_leaves_no_destination(tmp_path: Path) -> None:
    (left,) = interrupt(tmp_path, signal.SIGKILL)
    assert left.startswith(".image.")


@pytest.mark.usefixtures("place")
def test_an_interrupted_process_leaves_nothing(tmp_path: Path) -> None:
    assert interrupt(tmp_path, signal.SIGINT) == []


def test_the_half_made_tree_is_private(place: Path) -> None:
    seen: list[int] = []

    def look(count: int) -> None:
        seen.extend(path.stat().st_mode & 0o777 for path in place.glob(".image.*"))

    before = os.umask(0)
    try:
        raw = archive(file("a"))
        packed = packed_layer(raw, Compression.NONE, Digest.of(raw))
        unpack_image([packed], place / "image", inventory=None, advance=look)
    finally:
        os.umask(before)
    assert set(seen) == {0o700}
    assert (place / "image").stat().st_mode & 0o777 == 0o755
