"""The tags of a repository, wherever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentoci import Engine, read_settings
from agentoci.api.tags import NothingInRange, list_tags, newest_tag, split_entry_name
from agentoci.content.protocols import ContentNotFound
from agentoci.registry.errors import AccessDenied
from agentoci.registry.listing import ListingIncomplete
from agentoci.spec import mediatypes
from agentoci.spec.digest import Digest
from agentoci.spec.ranges import VersionRange
from tests import commandline
from tests.registry.fake import FakeRegistry
from tests.registry.faults import Exchange, Reply, answers, refuses

NAME = "team/bot"
MakeEngine = Callable[..., Engine]


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        for tag in ("1.0", "2.0", "main"):
            fake.put_manifest(NAME, tag, mediatypes.OCI_MANIFEST, tag.encode())
        yield fake


@pytest.fixture
def make_engine(tmp_path: Path) -> Iterator[MakeEngine]:
    """Engines with a config file, closed in the end."""
    engines: list[Engine] = []

    def make(config: str = "") -> Engine:
        variables = commandline.home_variables(tmp_path / "own")
        (tmp_path / "config.toml").write_text(config)
        variables["AGENTOCI_CONFIG"] = str(tmp_path / "config.toml")
        engines.append(Engine(read_settings(variables)))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def test_short_name_that_is_not_here_is_asked_for_at_the_default_registry(
    make_engine: MakeEngine, fake: FakeRegistry
):
    found = list_tags(make_engine(f'default_registry = "{fake.host}/team"\n'), "bot")
    assert (found.repository, found.total) == (f"{fake.host}/{NAME}", 3)
    assert [row.tag for row in found.rows] == ["2.0", "1.0", "main"]
    with pytest.raises(ContentNotFound, match="local store"):
        list_tags(make_engine(), "bot")


def test_tag_that_goes_meanwhile_has_no_digest(make_engine: MakeEngine, fake: FakeRegistry):
    def lose(exchange: Exchange) -> Reply:
        fake.manifests.pop((NAME, "1.0"), None)
        return exchange.serve()

    fake.on("HEAD", "/manifests/1.0", lose)
    found = list_tags(make_engine(), f"{fake.host}/{NAME}", digests=True)
    assert [row.digest is None for row in found.rows] == [False, True, False]


def test_refusal_of_one_tag_is_not_hidden(make_engine: MakeEngine, fake: FakeRegistry):
    fake.on("*", "/manifests/1.0", refuses(403, "DENIED", "not this one"), times=2)
    with pytest.raises(AccessDenied):
        list_tags(make_engine(), f"{fake.host}/{NAME}", digests=True)


def test_list_that_does_not_end_is_no_list(make_engine: MakeEngine, fake: FakeRegistry):
    link = f"</v2/{NAME}/tags/list?n=1000>; rel=next"
    fake.on("GET", "/tags/list", answers(200, '{"tags": ["1.0"]}', Link=link), times=9)
    with pytest.raises(ListingIncomplete, match="1 names were read"):
        list_tags(make_engine(), f"{fake.host}/{NAME}")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("bot:1.0", ("bot", "1.0")),
        ("localhost:5000/team/bot:1.0", ("localhost:5000/team/bot", "1.0")),
        ("localhost:5000/team/bot", ("", "")),
        ("1.0", ("", "1.0")),
        ("bot@sha256:abc", ("bot", "")),
        ("", ("", "")),
    ],
)
def test_names_in_a_layout_have_a_repository_and_a_tag(name: str, parts: tuple[str, str]):
    assert split_entry_name(name) == parts


@pytest.mark.parametrize(
    ("wanted", "tag"),
    [("*", "2.0"), ("^1", "1.3.0"), ("<1.3", "1.2.1"), ("~1.2.0", "1.2.1"), (">=2-rc.1", "2.0")],
)
def test_the_newest_in_a_range(
    make_engine: MakeEngine, fake: FakeRegistry, wanted: str, tag: str
) -> None:
    """`1.2` moves along with `1.2.1`; `2.0` is all that there is of its numbers."""
    for more in ("1.2", "1.2.0", "1.2.1", "1.3.0", "2.0.0-rc.1"):
        fake.put_manifest(NAME, more, mediatypes.OCI_MANIFEST, more.encode())
    found = newest_tag(make_engine(), f"{fake.host}/{NAME}", VersionRange.parse(wanted))
    assert (found.tag, found.digest) == (tag, Digest.of(tag.encode()))
    assert len(fake.requests()) == 2


@pytest.mark.parametrize("wanted", ["^3", "2.0.1", ">=2.0.1,<2.1"])
def test_nothing_in_a_range(make_engine: MakeEngine, fake: FakeRegistry, wanted: str) -> None:
    """`2.0` may be any `2.0.z`, so that it is in no range that some of those are not in."""
    with pytest.raises(NothingInRange) as caught:
        newest_tag(make_engine(), f"{fake.host}/{NAME}", VersionRange.parse(wanted))
    assert caught.value.exit_code == 6
    assert "the newest is 2.0.0" in str(caught.value.hint)
