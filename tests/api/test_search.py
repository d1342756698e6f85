"""Search and search indexes through the Python API."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentoci import BuildOptions, Engine, Reference, read_settings
from agentoci.api import searchindex
from agentoci.api.inspection import locate
from agentoci.api.search import NothingToFind, Searched, SearchOptions, SourceTimeout, search
from agentoci.api.searchcache import SearchCache
from agentoci.api.searchsources import InvalidSource, Source, default_sources
from agentoci.api.subjects import find_subject
from agentoci.content.protocols import ContentNotFound
from agentoci.errors import AgentociError, Unreachable
from agentoci.registry.search.artifact import NotASearchIndex
from agentoci.registry.search.document import IndexedAgent, SearchIndex
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import Manifest
from agentoci.spec.reference import InvalidReference
from tests import commandline
from tests.cli import samples
from tests.faultproxy import FaultProxy, trickles
from tests.registries import Registry
from tests.registry.faults import answers, waits
from tests.registry.searching import SearchableRegistry, hub_result

MakeEngine = Callable[..., Engine]

AGENTDEF = """\
apiVersion: agent/v1
kind: AgentDefinition
metadata:
  name: greeter
  version: 2.0.0
  description: Says good morning to everybody.
spec:
  interface: greets
"""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that holds two images: a talker, and a greeter with a description."""
    folder = tmp_path_factory.mktemp("shelf")
    greeter = folder / "greeter"
    greeter.mkdir()
    (greeter / "greeter.agentdef").write_text(AGENTDEF)
    (greeter / "Agentfile").write_text("FROM scratch\nDEFINITION greeter.agentdef\n")
    talker = samples.write_talker(folder / "talker")
    with Engine(read_settings(commandline.home_variables(folder))) as engine:
        for name, context in (("talker:1.0", talker), ("tools/hello:2.0", greeter)):
            engine.builds.build(context, BuildOptions(tags=(Reference.parse(name),)))
    return folder / "agentoci"


@pytest.fixture
def make_engine(tmp_path: Path, shelf: Path) -> Iterator[MakeEngine]:
    """Engines with homes and config files of their own; the images of `shelf` when `stocked`."""
    opened: list[Engine] = []

    def make(config: str = "", *, name: str = "own", stocked: bool = True) -> Engine:
        import shutil

        home = tmp_path / name
        (home / "config" / "agentoci").mkdir(parents=True, exist_ok=True)
        (home / "config" / "agentoci" / "config.toml").write_text(config)
        if stocked and not (home / "agentoci").exists():
            shutil.copytree(shelf, home / "agentoci")
        opened.append(Engine(read_settings(commandline.home_variables(home))))
        return opened[-1]

    yield make
    for engine in opened:
        engine.close()


@pytest.fixture
def fake() -> Iterator[SearchableRegistry]:
    with SearchableRegistry() as fake:
        yield fake


def found(searched: Searched) -> list[str]:
    return [f"{hit.name}:{hit.version}" for hit in searched.hits]


def of(*sources: str, **options: object) -> SearchOptions:
    return SearchOptions(sources, **options)  # type: ignore[arg-type]


# Sources


@pytest.mark.parametrize(
    ("text", "kind", "where"),
    [
        ("local", "local", ""),
        ("oci-index://host.example/org/list:latest", "oci-index", "host.example/org/list:latest"),
        ("oci-index://oci:/media/usb:list", "oci-index", "oci:/media/usb:list"),
        ("catalog://localhost:5000/team/", "catalog", "localhost:5000/team"),
        ("harbor://h.example", "harbor", "h.example"),
        ("zot://h.example", "zot", "h.example"),
        ("hub://", "hub", ""),
    ],
)
def test_sources_are_read_and_print_back(text: str, kind: str, where: str):
    source = Source.parse(text)
    assert (source.kind, source.where) == (kind, where)
    assert str(source) == text.rstrip("/") if where else text


@pytest.mark.parametrize(
    "text",
    [
        "", "host.example", "local://x", "catalog", "catalog://", "catalog://nohost",
        "zot://host.example/UP", "harbor://host.example:x", "hub://nohost", "oci-index://",
        "oci-index://UP", "http://host.example", "catalog://host.example/a:1",
    ],
)  # fmt: skip
def test_what_is_no_source(text: str):
    with pytest.raises(InvalidSource):
        Source.parse(text)


def test_the_usual_sources():
    def named(default: str | None, *configured: str) -> list[str]:
        return [str(source) for source in default_sources(default, configured)]

    assert named(None) == ["local"]
    assert named("h.example/team", "hub://", "local", "hub://") == [
        "local", "registry://h.example/team", "hub://",
    ]  # fmt: skip
    assert named("docker.io/me") == ["local", "hub://"]
    with pytest.raises(InvalidSource, match="'google'"):
        named(None, "google")


# The local store


def test_the_local_store_is_searched_by_name_title_and_description(make_engine: MakeEngine):
    engine = make_engine()
    assert found(search(engine, "TALK")) == ["talker:1.0"]
    assert found(search(engine, "greeter")) == ["tools/hello:2.0"]
    [hit] = search(engine, "good morning").hits
    assert hit.description == "Says good morning to everybody."
    assert (hit.source, hit.kind, hit.title) == ("local", mediatypes.AGENT, "greeter")
    assert search(engine, "nothing like it") == Searched((), (), None)
    assert found(search(engine, "hello:2.0")) == ["tools/hello:2.0"]


def test_an_empty_home_holds_nothing(make_engine: MakeEngine):
    engine = make_engine(stocked=False)
    assert search(engine, "bot") == Searched((), (), None)
    assert not engine.settings.home.exists()


def test_nothing_is_nothing_to_search_for(make_engine: MakeEngine):
    with pytest.raises(NothingToFind):
        search(make_engine(stocked=False), "  ")


def test_a_damaged_image_is_found_by_its_name(make_engine: MakeEngine):
    engine = make_engine()
    digest = engine.images.find("talker:1.0").digest
    path = engine.store.path(digest)
    path.chmod(0o644)
    path.write_bytes(b"?" * path.stat().st_size)
    assert found(search(engine, "talker")) == ["talker:1.0"]


def test_a_search_of_the_local_store_opens_no_network_code():
    code = (
        "import sys\nfrom agentoci import Engine\nfrom agentoci.api.search import search\n"
        "search(Engine(), 'bot')\nprint(sorted({'requests', 'urllib3', 'pydantic', 'ssl'} "
        "& set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# Several sources


def test_all_usual_sources_answer_in_one_order(make_engine: MakeEngine, fake: SearchableRegistry):
    fake.add("team/talker", "1.0", "1.1")
    fake.add("other/talker", "1.0")
    fake.offers.hub = [hub_result("someone/talker", "from the hub")]
    engine = make_engine(
        f'default_registry = "{fake.host}/team"\n[search]\nsources = ["hub://{fake.host}"]\n'
    )
    searched = search(engine, "talker")
    assert searched.complaints == ()
    assert [(hit.name, hit.version, hit.source) for hit in searched.hits] == [
        (f"{fake.host}/team/talker", "1.1", f"registry://{fake.host}/team"),
        ("docker.io/someone/talker", None, f"hub://{fake.host}"),
        ("talker", "1.0", "local"),
    ]
    assert found(search(engine, "talker", SearchOptions(limit=1))) == [
        f"{fake.host}/team/talker:1.1"
    ]


def test_every_kind_of_registry_can_be_named(make_engine: MakeEngine, fake: SearchableRegistry):
    fake.add("team/bot", "1.0")
    fake.offers.zot, fake.offers.harbor = {"team/bot": ""}, ["team/bot"]
    engine = make_engine(stocked=False)
    for kind in ("registry", "catalog", "zot", "harbor"):
        source = f"{kind}://{fake.host}/team"
        searched = search(engine, "bot", of(source))
        assert found(searched) == [f"{fake.host}/team/bot:1.0"]
        assert searched.hits[0].source == source


def test_one_that_fails_does_not_keep_the_others_from_answering(
    make_engine: MakeEngine, fake: SearchableRegistry
):
    searched = search(make_engine(), "talker", of("local", f"harbor://{fake.host}"))
    assert found(searched) == ["talker:1.0"]
    assert searched.failure is None
    [complaint] = searched.complaints
    assert str(complaint.source) == f"harbor://{fake.host}"
    assert "not found" in complaint.message


def test_when_all_fail_the_search_has_failed(make_engine: MakeEngine, fake: SearchableRegistry):
    fake.catalog = False
    engine = make_engine()
    searched = search(engine, "talker", of(f"harbor://{fake.host}", f"catalog://{fake.host}"))
    assert searched.hits == ()
    assert len(searched.complaints) == 2
    assert isinstance(searched.failure, ContentNotFound)


def test_one_that_is_silent_has_its_time_and_no_more(
    make_engine: MakeEngine, fake: SearchableRegistry
):
    never = threading.Event()
    fake.on("GET", "_oci/ext/discover", waits(never), times=9)
    engine = make_engine("[search]\ntimeout = 0.4\n")
    searched = search(engine, "talker", of(f"zot://{fake.host}", "local"))
    never.set()
    assert found(searched) == ["talker:1.0"]
    [complaint] = searched.complaints
    assert isinstance(complaint.error, Unreachable)


def test_a_server_that_trickles_cannot_hold_the_search(
    make_engine: MakeEngine, fake: SearchableRegistry
):
    """Each byte comes in time, so that no limit on silence ends it."""
    fake.offers.hub = [hub_result(f"someone/talker{n}") for n in range(20)]
    engine = make_engine("[search]\ntimeout = 0.6\n", stocked=False)
    with FaultProxy(fake.host) as proxy:
        proxy.arm(trickles(50))
        searched = search(engine, "talker", of(f"hub://{proxy.host}"))
    assert isinstance(searched.failure, SourceTimeout)
    assert "no answer within 0.6 s" in searched.failure.message


# Indexes


def listed(engine: Engine, where: str) -> list[str]:
    return [entry.reference for entry in searchindex.list_agents(engine, where).entries]


@pytest.fixture
def pushed(make_engine: MakeEngine, fake: SearchableRegistry) -> Engine:
    """An engine that has pushed both images to the fake."""
    engine = make_engine()
    engine.transfers.push("talker:1.0", f"{fake.host}/team/talker:1.0")
    engine.transfers.push("tools/hello:2.0", f"{fake.host}/team/hello:2.0")
    return engine


def test_an_index_is_made_searched_changed_and_emptied(pushed: Engine, fake: SearchableRegistry):
    where = f"{fake.host}/team/agents-index"
    made = searchindex.add(
        pushed, where, [f"{fake.host}/team/talker:1.0", f"{fake.host}/team/hello:2.0"]
    )
    assert [entry.reference for entry in made.added] == [
        f"{fake.host}/team/hello:2.0",
        f"{fake.host}/team/talker:1.0",
    ]
    [hello, _] = searchindex.list_agents(pushed, where).entries
    assert (hello.title, hello.description) == ("greeter", "Says good morning to everybody.")
    assert hello.artifact_type == mediatypes.AGENT
    assert hello.annotations["org.opencontainers.image.version"] == "2.0.0"
    assert hello.digest == str(pushed.images.find("tools/hello:2.0").digest)

    searched = search(pushed, "morning", of(f"oci-index://{where}"))
    assert found(searched) == [f"{fake.host}/team/hello:2.0"]

    again = searchindex.add(pushed, where, [f"{fake.host}/team/talker:1.0"])
    assert (again.digest, again.added, again.replaced) == (made.digest, (), ())

    pushed.transfers.push("tools/hello:2.0", f"{fake.host}/team/talker:1.0")
    changed = searchindex.add(pushed, where, [f"{fake.host}/team/talker:1.0"])
    assert [entry.title for entry in changed.replaced] == ["greeter"]
    assert changed.digest != made.digest

    gone = searchindex.remove(pushed, where, [f"{fake.host}/team/hello"])
    assert [entry.reference for entry in gone.removed] == [f"{fake.host}/team/hello:2.0"]
    searchindex.remove(pushed, where, [f"{fake.host}/team/talker:1.0"])
    assert listed(pushed, where) == []


def test_what_is_not_there_cannot_be_listed(pushed: Engine, fake: SearchableRegistry):
    where = f"{fake.host}/team/agents-index"
    with pytest.raises(ContentNotFound) as caught:
        searchindex.add(
            pushed, where, [f"{fake.host}/team/talker:1.0", f"{fake.host}/team/absent:1.0"]
        )
    assert caught.value.hint == f"is it there? agent push {fake.host}/team/absent:1.0"
    assert not fake.requests("PUT", "agents-index")
    with pytest.raises(ContentNotFound):
        searchindex.list_agents(pushed, where)
    with pytest.raises(ContentNotFound):
        searchindex.remove(pushed, where, ["x"])


def test_what_is_not_listed_cannot_be_removed(pushed: Engine, fake: SearchableRegistry):
    where = f"{fake.host}/team/agents-index"
    searchindex.add(pushed, where, [f"{fake.host}/team/talker:1.0"])
    with pytest.raises(searchindex.NotInIndex) as caught:
        searchindex.remove(
            pushed, where, [f"{fake.host}/team/talker:1.0", f"{fake.host}/team/talker:2.0"]
        )
    assert caught.value.hint == f"did you mean '{fake.host}/team/talker:1.0'?"
    assert listed(pushed, where) == [f"{fake.host}/team/talker:1.0"]
    with pytest.raises(searchindex.NotInIndex) as caught:
        searchindex.remove(pushed, where, ["zzz"])
    assert caught.value.hint == f"agent index ls {where}"


def test_other_artifacts_are_no_index(pushed: Engine, fake: SearchableRegistry):
    where = f"{fake.host}/team/talker:1.0"
    with pytest.raises(NotASearchIndex, match=r"but application/vnd\.agentoci\.agent\.v1"):
        searchindex.list_agents(pushed, where)
    with pytest.raises(NotASearchIndex):
        searchindex.add(pushed, where, [where])


def test_short_names_belong_to_the_default_registry(
    make_engine: MakeEngine, fake: SearchableRegistry
):
    engine = make_engine(f'default_registry = "{fake.host}/team"\n')
    engine.transfers.push("talker:1.0")
    searchindex.add(engine, "agents-index", ["talker:1.0"])
    assert listed(engine, f"{fake.host}/team/agents-index") == [f"{fake.host}/team/talker:1.0"]
    searched = search(engine, "talker", of("oci-index://agents-index"))
    assert found(searched) == [f"{fake.host}/team/talker:1.0"]


def test_a_pinned_image_is_listed_by_the_version_that_it_says(
    pushed: Engine, fake: SearchableRegistry
):
    where = f"{fake.host}/team/agents-index"
    digest = pushed.images.find("tools/hello:2.0").digest
    searchindex.add(pushed, where, [f"{fake.host}/team/hello@{digest}"])
    assert listed(pushed, where) == [f"{fake.host}/team/hello:2.0.0"]
    cake = Manifest.build(config=EMPTY, layers=(EMPTY,), artifact_type="application/x.cake")
    unversioned = fake.add("team/cake", "1", manifest=cake)
    with pytest.raises(InvalidReference, match="neither the name nor the image"):
        searchindex.add(pushed, where, [f"{fake.host}/team/cake@{unversioned}"])


def test_an_index_cannot_be_written_under_a_digest(pushed: Engine, fake: SearchableRegistry):
    with pytest.raises(InvalidReference, match="cannot be given"):
        searchindex.add(
            pushed,
            f"{fake.host}/team/index@{Digest.of(b'')}",
            [f"{fake.host}/team/talker:1.0"],
        )


def test_an_index_in_a_layout_lists_local_images(make_engine: MakeEngine, tmp_path: Path):
    engine = make_engine()
    where = f"oci:{tmp_path}/usb:agents-index:latest"
    searchindex.add(engine, where, ["talker:1.0"])
    engine.transfers.push("tools/hello:2.0", f"oci:{tmp_path}/usb")
    searchindex.add(
        engine, f"oci:{tmp_path}/usb:agents-index", [f"oci:{tmp_path}/usb:tools/hello:2.0"]
    )
    assert listed(engine, where) == ["talker:1.0", "tools/hello:2.0"]
    other = make_engine(name="other", stocked=False)
    searched = search(other, "talker", of(f"oci-index://oci:{tmp_path}/usb:agents-index"))
    assert found(searched) == ["talker:1.0"]
    with pytest.raises(InvalidReference, match="needs a name"):
        searchindex.add(engine, f"oci:{tmp_path}/usb", ["talker:1.0"])


def test_a_layout_that_gives_bare_tags_does_not_say_what_to_pull(
    make_engine: MakeEngine, tmp_path: Path
):
    engine = make_engine()
    engine.transfers.push("talker:1.0", f"oci:{tmp_path}/usb:v1")
    with pytest.raises(InvalidReference, match="does not say what the image is called"):
        searchindex.add(engine, f"oci:{tmp_path}/usb:list", [f"oci:{tmp_path}/usb:v1"])


def test_an_index_in_the_profile_of_images(pushed: Engine, fake: SearchableRegistry):
    where = f"{fake.host}/team/agents-index"
    searchindex.add(pushed, where, [f"{fake.host}/team/talker:1.0"], as_image=True)
    searchindex.add(pushed, where, [f"{fake.host}/team/hello:2.0"])
    _, raw = fake.manifests["team/agents-index", "latest"]
    assert "artifactType" not in json.loads(raw)
    assert len(listed(pushed, where)) == 2


def test_a_registry_that_takes_images_only_says_which_flag_helps(
    pushed: Engine, fake: SearchableRegistry
):
    refusal = json.dumps(
        {"errors": [{"code": "MANIFEST_INVALID", "message": "unknown media type"}]}
    )
    fake.on("PUT", "agents-index/manifests", answers(400, refusal))
    with pytest.raises(AgentociError) as caught:
        searchindex.add(pushed, f"{fake.host}/team/agents-index", [f"{fake.host}/team/talker:1.0"])
    assert "--profile image" in str(caught.value.hint)


# The cache


def test_an_index_is_read_once_and_then_asked_after_by_head(
    pushed: Engine, fake: SearchableRegistry
):
    where = f"{fake.host}/team/agents-index"
    searchindex.add(pushed, where, [f"{fake.host}/team/talker:1.0"])
    options = of(f"oci-index://{where}")
    search(pushed, "talker", options)
    fake.seen.clear()
    assert len(search(pushed, "talker", options).hits) == 1
    assert [str(seen) for seen in fake.requests()] == [
        "HEAD /v2/team/agents-index/manifests/latest"
    ]
    searchindex.add(pushed, where, [f"{fake.host}/team/hello:2.0"])
    assert len(search(pushed, "hello", options).hits) == 1


def test_an_index_is_searched_offline_as_it_was(pushed: Engine, fake: SearchableRegistry):
    where = f"{fake.host}/team/agents-index"
    searchindex.add(pushed, where, [f"{fake.host}/team/talker:1.0"])
    options = of(f"oci-index://{where}")
    search(pushed, "talker", options)
    fake.on("HEAD", "agents-index", answers(503), times=9)
    fake.on("GET", "agents-index", answers(503), times=9)
    searched = search(pushed, "talker", options)
    assert found(searched) == [f"{fake.host}/team/talker:1.0"]
    assert searched.failure is None
    [complaint] = searched.complaints
    assert complaint.error is None
    assert "searched as it was when it was last read" in complaint.message


def test_without_a_cache_nobody_answers_for_the_registry(
    make_engine: MakeEngine, fake: SearchableRegistry
):
    fake.on("*", "agents-index", answers(503), times=20)
    searched = search(make_engine(), "bot", of(f"oci-index://{fake.host}/agents-index"))
    assert isinstance(searched.failure, Unreachable)


def test_a_pinned_index_is_not_asked_after_again(pushed: Engine, fake: SearchableRegistry):
    where = f"{fake.host}/team/agents-index"
    digest = searchindex.add(pushed, where, [f"{fake.host}/team/talker:1.0"]).digest
    options = of(f"oci-index://{where}@{digest}")
    search(pushed, "talker", options)
    fake.seen.clear()
    assert len(search(pushed, "talker", options).hits) == 1
    assert not fake.requests()


def test_a_cache_that_is_damaged_or_of_something_else_is_no_cache(tmp_path: Path):
    cache = SearchCache(tmp_path / "indexes")
    digest = Digest.of(b"x")
    index = SearchIndex([IndexedAgent(name="a/b", version="1", digest=str(digest))])
    assert cache.get("a") is None
    cache.keep("a", digest, index)
    known = cache.get("a")
    assert known is not None
    assert (known.digest, known.index) == (digest, index)
    [file] = (tmp_path / "indexes").iterdir()
    for content in (b"", b"{}", b'{"reference": "b"}', b'{"reference": "a", "digest": 1}'):
        file.write_bytes(content)
        assert cache.get("a") is None
    (tmp_path / "plain").write_bytes(b"")
    SearchCache(tmp_path / "plain").keep("a", digest, index)


# Everybody writes


def test_processes_that_write_at_once_lose_nothing(
    make_engine: MakeEngine, fake: SearchableRegistry, tmp_path: Path
):
    engine = make_engine()
    for number in range(4):
        engine.transfers.push("talker:1.0", f"{fake.host}/team/bot{number}:1.0")
    where = f"{fake.host}/team/agents-index"
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "agentoci",
                "index",
                "add",
                (where, f"{where}:latest")[n % 2],
                f"{fake.host}/team/bot{n}:1.0",
            ],
            env={**commandline.environment_of(tmp_path / "own")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for n in range(4)
    ]
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert listed(engine, where) == [f"{fake.host}/team/bot{n}:1.0" for n in range(4)]


def test_an_index_at_every_registry(make_engine: MakeEngine, registry: Registry, repository: str):
    engine = make_engine()
    image, where = (registry.reference(f"{repository}/{n}") for n in ("talker:1.0", "list"))
    engine.transfers.push("talker:1.0", image)
    searchindex.add(engine, where, [image])
    assert found(search(engine, "talker", of(f"oci-index://{where}"))) == [image]
    searchindex.remove(engine, where, [image])
    assert search(engine, "talker", of(f"oci-index://{where}")).hits == ()


@pytest.mark.parametrize("text", ["talkr:1.0", "talker:1.00"])
def test_what_the_default_registry_has_not_may_be_a_slip_for_what_is_here(
    fake: SearchableRegistry, make_engine: MakeEngine, text: str
):
    engine = make_engine(f'default_registry = "{fake.host}/team"\n')
    asked: list[Callable[[], object]] = [
        lambda: engine.transfers.ensure(text),
        lambda: locate(engine, text, remote=False),
        lambda: find_subject(engine, text),
    ]
    for ask in asked:
        with pytest.raises(ContentNotFound, match=fake.host) as caught:
            ask()
        assert "did you mean 'talker:1.0', which is here?" in (caught.value.hint or "")
    with pytest.raises(ContentNotFound) as caught:
        engine.transfers.ensure("something-else:7")
    assert "did you mean" not in (caught.value.hint or "")
    with pytest.raises(ContentNotFound) as caught:
        engine.transfers.ensure(f"{fake.host}/talkr:1.0")
    assert "which is here" not in (caught.value.hint or "")
