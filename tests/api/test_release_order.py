"""Two releases of one version, their requests interleaved in any order: never do both win."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.api.engine import Engine
from agentoci.api.releasing import release
from agentoci.config.settings import read_settings
from agentoci.release.nextversion import VersionTaken
from tests import commandline
from tests.cli.samples import write_talker
from tests.registry.fake import FakeRegistry
from tests.registry.faults import BodyReader, Reply, Seen

pytestmark = pytest.mark.slow

NAME = "team/talker"
VERSION = "2.1.1"
LINES = ("2.1", "2", "latest")
PATIENCE = 60.0


class Stage(FakeRegistry):
    """A registry that two clients ask, each by a name of its own for it, one after the other.

    From its first question for the version on, every request of a client waits for its turn.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clients = (self.host, self.host.replace("127.0.0.1", "localhost"))
        self.restart()

    def restart(self) -> None:
        """Before the first request of both."""
        self._change = threading.Condition()
        self._waiting = dict.fromkeys(self.clients, 0)
        self._staged: set[str] = set()
        self._ended: set[str] = set()
        self._granted: str | None = None
        self._served = 0

    def answer(self, seen: Seen, read_body: BodyReader) -> Reply:
        """Answer when it is the client's turn."""
        client = seen.headers["host"]
        with self._change:
            if seen.path.endswith(f"/manifests/{VERSION}"):
                self._staged.add(client)
            staged = client in self._staged
            if staged:
                self._waiting[client] += 1
                self._change.notify_all()
                assert self._change.wait_for(lambda: self._granted == client, PATIENCE)
                self._granted = None
                self._waiting[client] -= 1
        reply = super().answer(seen, read_body)
        if staged:
            with self._change:
                self._served += 1
                self._change.notify_all()
        return reply

    def end(self, client: str) -> None:
        """The client asks no more."""
        with self._change:
            self._ended.add(client)
            self._change.notify_all()

    def direct(self, turns: Sequence[bool]) -> None:
        """Let the first or the second client ask by turns; then the first to its end."""
        order = iter(turns)
        with self._change:
            while len(self._ended) < len(self.clients):
                self._let_go(self.clients[next(order, False)])

    def _let_go(self, chosen: str) -> None:
        """One request, of the other client if this one has ended."""
        if not self._is_ready(chosen):
            chosen = next(client for client in self.clients if client != chosen)
            if not self._is_ready(chosen):
                return
        goal = self._served + 1
        self._granted = chosen
        self._change.notify_all()
        assert self._change.wait_for(lambda: self._served >= goal, PATIENCE)

    def _is_ready(self, client: str) -> bool:
        """Wait until it asks or ends; whether it asks."""
        assert self._change.wait_for(
            lambda: self._waiting[client] or client in self._ended, PATIENCE
        )
        return self._waiting[client] > 0


@dataclass(frozen=True, slots=True)
class Play:
    """The stage as it is before each act, and the two who have changes of their own."""

    stage: Stage
    blobs: dict[tuple[str, str], bytes]
    manifests: dict[tuple[str, str], tuple[str, bytes]]
    actors: tuple[tuple[Engine, str, Path], ...]

    def act(self, turns: Sequence[bool]) -> list[str | None]:
        """Both release at once; returns the digests that they are told, None to who is refused."""
        self.stage.blobs = dict(self.blobs)
        self.stage.manifests = dict(self.manifests)
        self.stage.restart()
        with ThreadPoolExecutor(2) as pool:
            told = [pool.submit(self._release, *actor) for actor in self.actors]
            self.stage.direct(turns)
            return [one.result() for one in told]

    def _release(self, engine: Engine, host: str, context: Path) -> str | None:
        try:
            done = release(engine, f"{host}/{NAME}", context)
        except VersionTaken:
            return None
        else:
            assert str(done.version) == VERSION
            return str(done.digest)
        finally:
            self.stage.end(host)

    def meaning(self, tag: str) -> str:
        """The digest of a tag."""
        content = self.stage.manifests[NAME, tag][1]
        [digest] = {
            name
            for (_, name), (_, known) in self.stage.manifests.items()
            if ":" in name and known == content
        }
        return digest


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    folder = tmp_path_factory.mktemp("play")
    context = write_talker(folder / "first")
    homes = [folder / "one", folder / "two"]
    engines = [Engine(read_settings(commandline.environment_of(home))) for home in homes]
    with Stage() as stage, engines[0], engines[1]:
        release(engines[0], f"{stage.host}/{NAME}", context)
        contexts = [write_talker(folder / name) for name in ("one's", "two's")]
        for number, changed in enumerate(contexts):
            (changed / "notes.md").write_text(f"Talk is dear, says {number}.\n")
        actors = tuple(zip(engines, stage.clients, contexts, strict=True))
        yield Play(stage, dict(stage.blobs), dict(stage.manifests), actors)


@given(st.lists(st.booleans(), min_size=12, max_size=40))
def test_two_releases_in_any_order(play: Play, turns: list[bool]) -> None:
    told = play.act(turns)
    winners = [digest for digest in told if digest is not None]
    assert len(winners) <= 1, "both were told that the version is theirs"
    version = play.meaning(VERSION)
    if winners:
        assert version == winners[0]
        assert {play.meaning(tag) for tag in LINES} == {version}
