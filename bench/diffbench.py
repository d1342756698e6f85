"""`python -m bench.diffbench`: what `agent diff` takes, and how much of the images it reads.

Two pairs of images of 5,000 files (35 MB of text and one large file), of which ten differ: ten of
one folder, and ten spread over all. The time is that of the command; the bytes are counted where
manifests, configs and layers are fetched.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentoci.api.engine import Engine
from agentoci.config.settings import read_settings
from agentoci.content.protocols import Fetcher, Reader
from agentoci.release.compare import compare
from agentoci.release.view import OpenedImage, open_both
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.reference import Reference
from bench.measure import Series
from bench.payload import Shape, prepare
from bench.report import as_text
from bench.rounds import Bench, copy_context
from bench.tools import agent
from tests.registries import TOOLS

SHAPE = Shape(huge_mib=32)
CHANGED = 10
ROUNDS = 5
PAIRS = {"ten of one folder": "near", "ten of all folders": "far"}


@dataclass(frozen=True, slots=True)
class Figures:
    """What one diff took: the median seconds, the peak of memory, and bytes read of bytes there."""

    seconds: float
    peak_bytes: int
    read_bytes: int
    whole_bytes: int
    changes: int


@dataclass(slots=True)
class _Counting:
    """Passes content on and counts its bytes."""

    source: Fetcher
    count: int = 0

    @contextlib.contextmanager
    def fetch(self, desc: Descriptor, offset: int = 0) -> Iterator[Reader]:
        with self.source.fetch(desc, offset) as stream:
            yield _CountedStream(self, stream)


@dataclass(slots=True)
class _CountedStream:
    counting: _Counting
    stream: Reader

    def read(self, size: int = -1, /) -> bytes:
        chunk = self.stream.read(size)
        self.counting.count += len(chunk)
        return chunk


@dataclass(slots=True)
class DiffBench:
    """One run: the images, in a home of their own and at a registry."""

    bench: Bench
    home: Path
    host: str
    rows: list[list[str]] = field(default_factory=list)

    def build(self) -> None:
        """Build the three images and push them."""
        documents = sorted(self.bench.context.rglob("*.md"))
        chosen = {
            "first": [],
            "near": documents[:CHANGED],
            "far": documents[:: len(documents) // CHANGED][:CHANGED],
        }
        for tag, changed in chosen.items():
            kept = {path: path.read_bytes() for path in changed}
            for path, content in kept.items():
                path.write_bytes(content + b"One line more.\n")
            build: list[str | Path] = [
                agent(),
                "build",
                "-q",
                "-t",
                f"bench:{tag}",
                self.bench.context,
            ]
            push: list[str | Path] = [
                agent(),
                "push",
                "-q",
                f"bench:{tag}",
                f"{self.host}/bench:{tag}",
            ]
            self.bench.run(self.home, build, push)
            for path, content in kept.items():
                path.write_bytes(content)

    def measure(self, prefix: str, tag: str) -> Figures:
        """Diff two images at one place, `prefix` before their names."""
        names = [f"{prefix}bench:first", f"{prefix}bench:{tag}"]
        command: list[str | Path] = [agent(), "diff", "--stat", *names]
        series = Series(tuple(self.bench.run(self.home, command) for _ in range(ROUNDS)))
        return Figures(series.seconds, series.peak_bytes, *self._count(names))

    def _count(self, names: Sequence[str]) -> tuple[int, int, int]:
        """Bytes read, bytes of both images, and how many changes were found."""
        settings = read_settings(self.bench.environment(self.home))
        with Engine(settings) as engine:
            sources = [_Counting(_source(engine, name)) for name in names]
            opened = [
                OpenedImage.open(source, _root(engine, name), reference=name)
                for source, name in zip(sources, names, strict=True)
            ]
            found = compare(*open_both(*opened))
        whole = sum(image.image.manifest.total_size for image in opened)
        return sum(source.count for source in sources), whole, len(found.changes)


def _source(engine: Engine, name: str) -> Fetcher:
    reference = Reference.parse(name)
    return engine.store if reference.is_local else engine.client.repository(reference)


def _root(engine: Engine, name: str) -> Descriptor:
    reference = Reference.parse(name)
    if reference.is_local:
        return engine.images.find(name).desc.bare()
    return engine.client.repository(reference).resolve(reference.selector)


def figures(bench: Bench) -> dict[tuple[str, str], Figures]:
    """Every pair of images, in the store and at a registry: (where, what changed) → figures."""
    with bench.registry("diff") as registry:
        run = DiffBench(bench, bench.work / "diff-home", registry.host)
        run.build()
        places = {"local store": "", "registry": f"{registry.host}/"}
        return {
            (where, what): run.measure(prefix, tag)
            for where, prefix in places.items()
            for what, tag in PAIRS.items()
        }


def table(found: dict[tuple[str, str], Figures]) -> list[list[str]]:
    """The figures as rows, a heading first."""
    rows = [["diff of two images", "changed", "seconds", "memory", "read", "of"]]
    for (where, what), one in found.items():
        rows.append(
            [
                where,
                what,
                f"{one.seconds:.2f}",
                f"{one.peak_bytes / 1e6:.0f} MB",
                f"{one.read_bytes / 1e6:.2f} MB",
                f"{one.whole_bytes / 1e6:.1f} MB",
            ]
        )
    return rows


def main() -> int:
    """Measure and print the table."""
    from bench.__main__ import say, working_folder

    cache = TOOLS.parent / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    payload = prepare(cache, SHAPE)
    with working_folder(cache) as work:
        bench = Bench(work, copy_context(payload, work), {}, say)
        found = figures(bench)
    assert all(one.changes == CHANGED for one in found.values())
    print(as_text(table(found)))
    say(f"{SHAPE.documents} files, {SHAPE.huge_mib} MiB in one more, medians of {ROUNDS} runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
