"""The same verbs over a line: 20 ms there and back, 200 Mbit/s, handshakes included.

On loopback nobody sees how often a tool asks; here every question waits. Requests are counted on
the line, so those of all tools are counted alike.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from agentoci._internal.clock import SystemClock
from agentoci.content.copy import copy
from agentoci.content.memory import MemoryTarget
from agentoci.registry.client import RegistryClient
from agentoci.spec.reference import Reference
from agentoci.store.layout import LayoutStore
from bench.measure import Sample
from bench.rounds import AGENT, REPOSITORY, Bench, Prepared, in_turn
from bench.tools import agent
from tests.content.graphs import put_image
from tests.faultproxy import FaultProxy
from tests.peers import Command, Crane, Image, Oras, Peer, Skopeo
from tests.registries import Registry

ROUND_TRIP_SECONDS = 0.020
BYTES_PER_SECOND = 200e6 / 8
LAYERS, LAYER_BYTES = 200, 50_000
SYNCED, SYNCED_LAYERS, SYNCED_BYTES = 100, 3, 20_000
MANY = "many:1"
FLEET = "team/fleet"
PRIMED = "team/many:1"


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the rounds over a line read: an image of many layers, and a repository of many tags."""

    many: Image
    source: Registry


@contextlib.contextmanager
def made_ready(bench: Bench) -> Iterator[Fleet]:
    """Make the images, and put them where the rounds copy them from."""
    layout = bench.work / "many"
    chance = random.Random(7)
    digest = _many_layers(layout, chance)
    with bench.registry("fleet") as source:
        home = bench.work / "line-setup"
        bench.run(
            home,
            [agent(), "pull", f"oci:{layout}:{MANY}"],
            [agent(), "push", MANY, source.reference(PRIMED)],
        )
        _push_fleet(source, chance)
        yield Fleet(Image(layout, MANY, digest), source)


def _many_layers(layout: Path, chance: random.Random) -> str:
    memory = MemoryTarget()
    root = put_image(memory, *(chance.randbytes(LAYER_BYTES) for _ in range(LAYERS)))
    copy(memory, root, LayoutStore.create(layout, clock=SystemClock()), MANY)
    return str(root.digest)


def _push_fleet(source: Registry, chance: random.Random) -> None:
    """A hundred small images: most of their layers are their own, one is everybody's."""
    shared = chance.randbytes(SYNCED_BYTES)
    memory = MemoryTarget()
    with RegistryClient() as client:
        repository = client.repository(Reference.parse(source.reference(FLEET)), push=True)
        for number in range(SYNCED):
            own = [chance.randbytes(SYNCED_BYTES) for _ in range(SYNCED_LAYERS - 1)]
            copy(memory, put_image(memory, shared, *own), repository, f"v{number:03}")


def run_line_round(
    bench: Bench, ready: Prepared, fleet: Fleet, number: int, *, large: bool
) -> None:
    """Each piece of work once over the line; with `large` the big payload, too."""
    folder = bench.work / f"line-{number}"
    folder.mkdir()
    in_turn(_small_pushes(bench, fleet, folder), number)
    in_turn(_small_pulls(bench, fleet, folder), number)
    in_turn(_retags(bench, fleet, folder), number)
    in_turn(_syncs(bench, fleet, folder), number)
    if large:
        in_turn(_large_pushes(bench, ready, folder), number)
        in_turn(_large_pulls(bench, ready, folder), number)


Pieces = list[Callable[[], None]]


def _small_pushes(bench: Bench, fleet: Fleet, folder: Path) -> Pieces:
    return _pushes(bench, folder, "line-push", fleet.many, bench.work / "line-setup")


def _large_pushes(bench: Bench, ready: Prepared, folder: Path) -> Pieces:
    return _pushes(bench, folder, "line-push-large", ready.image, bench.work / "setup")


def _pushes(bench: Bench, folder: Path, work: str, image: Image, home: Path) -> Pieces:
    """Every tool pushes into an empty registry behind a line of its own."""

    def piece(tool: str, where: Path, command: Callable[[str], Command]) -> Callable[[], None]:
        def push() -> None:
            with bench.registry(f"{folder.name}-{work}-{tool}") as registry:
                _over_the_line(
                    bench, work, tool, where, registry, lambda host: command(f"{host}/{REPOSITORY}")
                )

        return push

    pieces = [piece(AGENT, home, lambda target: [agent(), "push", image.name, target])]
    for name, peer in bench.peers.items():
        pieces.append(
            piece(name, folder / name, lambda target, peer=peer: peer.push(image, target))  # type: ignore[misc]
        )
    return pieces


def _small_pulls(bench: Bench, fleet: Fleet, folder: Path) -> Pieces:
    return _pulls(bench, folder, "line-pull", fleet.source, PRIMED)


def _large_pulls(bench: Bench, ready: Prepared, folder: Path) -> Pieces:
    return _pulls(bench, folder, "line-pull-large", ready.source, REPOSITORY)


def _pulls(bench: Bench, folder: Path, work: str, source: Registry, name: str) -> Pieces:
    def piece(tool: str, command: Callable[[str], Command]) -> Callable[[], None]:
        home = folder / f"{work}-{tool}"

        def pull() -> None:
            _over_the_line(bench, work, tool, home, source, lambda host: command(f"{host}/{name}"))

        return pull

    pieces = [piece(AGENT, lambda reference: [agent(), "pull", reference])]
    for tool, peer in bench.peers.items():
        into = folder / f"{work}-layout-{tool}"
        pieces.append(
            piece(tool, lambda ref, peer=peer, into=into: peer.pull(ref, into, "pulled:1"))  # type: ignore[misc]
        )
    return pieces


def _retags(bench: Bench, fleet: Fleet, folder: Path) -> Pieces:
    """Another tag for what is there; only requests are of interest."""

    def piece(tool: str, command: Callable[[str], Command]) -> Callable[[], None]:
        home = bench.work / "line-setup" if tool == AGENT else folder / f"retag-{tool}"
        return lambda: _over_the_line(
            bench, "line-retag", tool, home, fleet.source, lambda host: command(f"{host}/{PRIMED}")
        )

    tag = f"again-{folder.name}"

    def ours(reference: str) -> Command:
        return [agent(), "push", MANY, f"{reference.rpartition(':')[0]}:{tag}"]

    def theirs(name: str, peer: Peer) -> Callable[[str], Command]:
        return lambda reference: _retag(peer, reference, f"{tag}-{name}")

    return [
        piece(AGENT, ours),
        *(piece(name, theirs(name, peer)) for name, peer in bench.peers.items()),
    ]


def _retag(peer: Peer, reference: str, tag: str) -> Command:
    match peer:
        case Crane():
            return peer.tag(reference, tag)
        case Oras():
            return [peer.program, "tag", "--plain-http", reference, tag]
        case _:
            return peer.copy(reference, f"{reference.rpartition(':')[0]}:{tag}")


def _syncs(bench: Bench, fleet: Fleet, folder: Path) -> Pieces:
    """All tags of a repository into another registry, both behind the line."""

    def piece(tool: str, command: Callable[[str, str], Command]) -> Callable[[], None]:
        def sync() -> None:
            with (
                bench.registry(f"{folder.name}-sync-{tool}") as target,
                _line(fleet.source) as near,
            ):
                _over_the_line(
                    bench,
                    "line-sync",
                    tool,
                    folder / f"sync-{tool}",
                    target,
                    lambda host: command(f"{near.host}/{FLEET}", f"{host}/mirror"),
                    beside=near,
                )
                _require_tags(target)

        return sync

    listed = folder / "sync.list"

    def ours(source: str, target: str) -> Command:
        listed.write_text(f"{source} {target}/fleet\n")
        return [agent(), "sync", listed]

    pieces = [piece(AGENT, ours)]
    skopeo = bench.peers.get("skopeo")
    if isinstance(skopeo, Skopeo):
        pieces.append(piece("skopeo", lambda s, t: _skopeo_sync(skopeo, s, t)))
    return pieces


def _skopeo_sync(peer: Skopeo, source: str, target: str) -> Command:
    plain = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    kinds = ["--src", "docker", "--dest", "docker"]
    return [peer.program, "--insecure-policy", "sync", "--all", *plain, *kinds, source, target]


def _require_tags(target: Registry) -> None:
    """Stop when a tool was quick because it left something out."""
    import http.client

    connection = http.client.HTTPConnection(target.host, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/v2/mirror/fleet/tags/list?n=1000")
        tags = json.loads(connection.getresponse().read()).get("tags") or []
    if len(tags) != SYNCED:
        raise SystemExit(f"bench: sync left {len(tags)} of {SYNCED} tags")


def _line(registry: Registry) -> FaultProxy:
    return FaultProxy(registry.host, round_trip=ROUND_TRIP_SECONDS, rate=BYTES_PER_SECOND)


def _over_the_line(
    bench: Bench,
    work: str,
    tool: str,
    home: Path,
    registry: Registry,
    command: Callable[[str], Command],
    *,
    beside: FaultProxy | None = None,
) -> None:
    """Measure one command whose registry is behind a line; requests on `beside` count as well."""
    with _line(registry) as line:
        sample: Sample = bench.run(home, command(line.host))
        requests = line.requests + (beside.requests if beside else 0)
        bench.keep(work, tool, replace(sample, requests=requests, sent_bytes=line.sent))
