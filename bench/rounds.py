"""The work that is measured, round by round."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.measure import Sample, Series, measure
from bench.proxy import counting
from bench.tools import agent
from tests.peers import Command, Image, Oras, Peer
from tests.registries import KINDS, Registry, serve

MIB = 1024 * 1024
LISTED_IMAGES = 1000
IMAGE = "bench:1"
CHANGED_FILE = "knowledge/area-07/topic-11/note-0227.md"
REPOSITORY, SECOND, FILES = "team/bench:1", "other/bench:1", "team/files:1"
AGENT = "agent"
_ROOM_FOR_A_ROUND = 12 * 1024 * MIB


@dataclass(slots=True)
class Bench:
    """One run of the benchmark: its folders, its tools, and what was measured so far."""

    work: Path
    context: Path
    peers: Mapping[str, Peer]
    say: Callable[[str], None]
    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def series(self) -> dict[tuple[str, str], Series]:
        """The samples by work and tool."""
        return {key: Series(tuple(found)) for key, found in self.samples.items()}

    def environment(self, home: Path) -> dict[str, str]:
        """What a measured program sees: a home of its own and nothing of the user's."""
        home.mkdir(parents=True, exist_ok=True)
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "AGENTOCI_HOME": str(home / "agentoci"),
            "DOCKER_CONFIG": str(home / ".docker"),
            "XDG_RUNTIME_DIR": str(home),
            "LC_ALL": "C.UTF-8",
        }

    def run(self, home: Path, *commands: Command) -> Sample:
        """Measure commands without keeping the sample."""
        return measure(commands, env=self.environment(home), log=self.work / "log")

    def record(self, work: str, tool: str, home: Path, *commands: Command) -> Sample:
        """Measure commands and keep the sample."""
        sample = self.run(home, *commands)
        self.keep(work, tool, sample)
        return sample

    def keep(self, work: str, tool: str, sample: Sample) -> None:
        """Keep a sample."""
        self.samples[work, tool].append(sample)
        self.say(f"{work:12} {tool:8} {sample.seconds:7.3f} s {sample.peak_bytes / MIB:6.0f} MiB")

    @contextlib.contextmanager
    def registry(self, name: str) -> Iterator[Registry]:
        """An empty distribution v3 on loopback."""
        with serve(KINDS["distribution"], self.work / "registries" / name) as registry:
            yield registry


@dataclass(frozen=True, slots=True)
class Prepared:
    """What every round reads: the built image as a layout, and in a registry."""

    image: Image
    source: Registry


@contextlib.contextmanager
def prepared(bench: Bench) -> Iterator[Prepared]:
    """Build once, and put the image where the rounds copy it from."""
    home, layout = bench.work / "setup", bench.work / "layout"
    with bench.registry("source") as source:
        bench.say("set-up: build, export, push; `oras push` compresses with gzip and takes longest")
        reference = source.reference(REPOSITORY)
        bench.run(
            home,
            [agent(), "build", "-t", IMAGE, bench.context],
            [agent(), "push", IMAGE, f"oci:{layout}"],
            [agent(), "push", IMAGE, reference],
        )
        oras = bench.peers.get("oras")
        if isinstance(oras, Oras):
            with contextlib.chdir(bench.context):
                command = oras.push_files(source.reference(FILES), "model.bin", "knowledge")
                bench.record("push-folders", "oras", home, command)
        digest = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]
        yield Prepared(Image(layout, IMAGE, digest), source)


def run_round(bench: Bench, ready: Prepared, number: int) -> None:
    """Each piece of work once, in fresh folders; who goes first changes from round to round."""
    folder = bench.work / f"round-{number}"
    folder.mkdir()
    homes = folder / "homes"
    local: list[Callable[[], None]] = [
        lambda: _tar(bench, folder),
        lambda: _build(bench, ready, homes / "build", number),
    ]
    in_turn(local, number)
    in_turn(_pushes(bench, ready, folder, homes), number)
    in_turn(_pulls(bench, ready, folder, homes), number)
    in_turn(_unpacks(bench, ready, folder, homes), number)
    _free_space(folder, bench.work / "registries")


def in_turn(pieces: Sequence[Callable[[], None]], number: int) -> None:
    """Do all pieces, beginning with another one each round."""
    first = number % len(pieces) if pieces else 0
    for piece in [*pieces[first:], *pieces[:first]]:
        piece()


def _tar(bench: Bench, folder: Path) -> None:
    """T: what packing and hashing costs with the system's own tools."""
    archive = folder / "x.tar"
    script = 'tar -C "$1" -cf "$2" . && openssl sha256 "$2"'
    bench.record(
        "build", "tar", folder / "homes/tar", ["sh", "-c", script, "T", bench.context, archive]
    )


def _build(bench: Bench, ready: Prepared, home: Path, number: int) -> None:
    command: Command = [agent(), "build", "-t", IMAGE, bench.context]
    bench.record("build", AGENT, home, command)
    bench.record("rebuild", AGENT, home, command)
    changed = bench.context / CHANGED_FILE
    before = changed.read_bytes()
    try:
        changed.write_bytes(before + f"\nOne more line, number {number}.\n".encode())
        with counting(ready.source.host) as proxy:
            target = f"{proxy.host}/team/bench:change-{number}"
            sample = bench.run(home, [agent(), "build", "--push", "-t", target, bench.context])
            bench.keep("change", AGENT, replace(sample, sent_bytes=proxy.sent))
    finally:
        changed.write_bytes(before)


def _pushes(bench: Bench, ready: Prepared, folder: Path, homes: Path) -> list[Callable[[], None]]:
    def ours() -> None:
        # The home of the set-up holds the image and knows nothing of the new registry.
        home = bench.work / "setup"
        with bench.registry(f"{folder.name}-{AGENT}") as registry:
            for work, target in (("push", REPOSITORY), ("mount", SECOND)):
                bench.record(
                    work, AGENT, home, [agent(), "push", IMAGE, registry.reference(target)]
                )

    def theirs(name: str, peer: Peer) -> Callable[[], None]:
        def push() -> None:
            with bench.registry(f"{folder.name}-{name}") as registry:
                first, second = registry.reference(REPOSITORY), registry.reference(SECOND)
                bench.record("push", name, homes / name, peer.push(ready.image, first))
                bench.record("mount", name, homes / name, peer.copy(first, second))

        return push

    return [ours, *(theirs(name, peer) for name, peer in bench.peers.items())]


def _pulls(bench: Bench, ready: Prepared, folder: Path, homes: Path) -> list[Callable[[], None]]:
    reference = ready.source.reference(REPOSITORY)

    def ours() -> None:
        bench.record("pull", AGENT, homes / "pull", [agent(), "pull", reference])

    def theirs(name: str, peer: Peer) -> Callable[[], None]:
        command = peer.pull(reference, folder / f"pulled-{name}", IMAGE)

        def pull() -> None:
            bench.record("pull", name, homes / f"pull-{name}", command)

        return pull

    return [ours, *(theirs(name, peer) for name, peer in bench.peers.items())]


def _unpacks(bench: Bench, ready: Prepared, folder: Path, homes: Path) -> list[Callable[[], None]]:
    def ours() -> None:
        home, reference = homes / "unpack", ready.source.reference(REPOSITORY)
        bench.record("unpack", AGENT, home, [agent(), "create", reference])  # pulls it first
        _require_content(home / "agentoci" / "instances", bench.context)

    def theirs(oras: Oras) -> None:
        target = folder / "unpacked-oras"
        command = oras.pull_files(ready.source.reference(FILES), target)
        bench.record("unpack", "oras", homes / "unpack-oras", command)
        _require_content(target, bench.context)

    oras = bench.peers.get("oras")
    return [ours, lambda: theirs(oras)] if isinstance(oras, Oras) else [ours]


def _require_content(unpacked: Path, context: Path) -> None:
    """Stop when a tool was quick because it left something out."""
    huge = [path.stat().st_size for path in unpacked.rglob("model.bin")]
    notes = sum(1 for _ in unpacked.rglob("*.md"))
    expected = sum(1 for _ in context.rglob("*.md"))
    if huge != [(context / "model.bin").stat().st_size] or notes != expected:
        raise SystemExit(f"bench: {unpacked} holds {notes} of {expected} notes, model.bin {huge}")


def _free_space(*folders: Path) -> None:
    """Empty large files where the disk gets short; the rest stays until the end.

    Removing thousands of files slows their creation for minutes, and pages that become free are
    what `bench.memory` keeps out of the measure.
    """
    if shutil.disk_usage(folders[0]).free > _ROOM_FOR_A_ROUND:
        return
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.stat().st_size > MIB:
                if "source" in path.relative_to(folder).parts[:1]:
                    continue
                path.chmod(0o600)
                os.truncate(path, 0)


def run_startups(bench: Bench, times: int) -> None:
    """The commands that people wait for most often, beside the import of click."""
    home = bench.work / "startup"
    _list_many(bench, home)
    cases: dict[tuple[str, str], Command] = {
        ("click", "python"): [sys.executable, "-c", "import click"],
        ("help", AGENT): [agent(), "--help"],
        ("images", AGENT): [agent(), "images"],
    }
    for command in cases.values():
        bench.run(home, command)  # the first run reads the disk and writes bytecode
    names = list(cases)
    for number in range(times):
        first = number % len(names)
        for work, tool in [*names[first:], *names[:first]]:
            bench.record(work, tool, home, cases[work, tool])


def _list_many(bench: Bench, home: Path) -> None:
    """A store with many images: one small image under a thousand names."""
    context = bench.work / "small"
    context.mkdir()
    (context / "note.md").write_text("# A note\n")
    (context / "Agentfile").write_text(
        "FROM scratch\nCOPY note.md /agent/knowledge/note.md\nINTERFACE small\n"
    )
    bench.run(home, [agent(), "build", "-t", "small:1", context])
    path = home / "agentoci" / "store" / "index.json"
    index = json.loads(path.read_bytes())
    entry = index["manifests"][0]
    name = "org.opencontainers.image.ref.name"
    index["manifests"] = [
        {**entry, "annotations": {**entry["annotations"], name: f"team/agent-{number:04}:1.0"}}
        for number in range(LISTED_IMAGES)
    ]
    path.write_text(json.dumps(index, separators=(",", ":")))


def copy_context(payload: Path, work: Path) -> Path:
    """A context of this run's own, since a file of it is changed; it is in the page cache then."""
    context = work / "context"
    shutil.copytree(payload, context, symlinks=True)
    return context
