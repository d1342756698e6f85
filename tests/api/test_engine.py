"""The Python API: the same words as the command line, over settings that the caller gives."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from agentoci import BuildOptions, Digest, Engine, Reference, RunOptions, read_settings
from agentoci._internal import liveness
from agentoci.api.collection import StoreBusy
from agentoci.api.images import ImageInUse, ImageNotFound
from agentoci.api.locations import LayoutLocation, parse_location
from agentoci.api.runs import Instance
from agentoci.api.transfers import NoRegistry
from agentoci.content.protocols import ContentNotFound
from agentoci.instances import record
from agentoci.instances.state import State
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.jsonio import Json
from agentoci.spec.reference import InvalidReference
from agentoci.store.index import Entry
from tests import commandline
from tests.cli import samples
from tests.registry.fake import FakeRegistry

README = Path(__file__).parents[2] / "README.md"
HEAVY = {"pydantic", "requests", "rich", "yaml", "zstandard", "click"}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine whose home is in the test's folder, with an image in its store."""
    with Engine(read_settings(commandline.home_variables(tmp_path / "own"))) as engine:
        context = samples.write_talker(tmp_path / "talker")
        engine.builds.build(context, BuildOptions(tags=(Reference.parse("talker:1.0"),)))
        yield engine


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Engine]:
    """An engine with another, empty home."""
    with Engine(read_settings(commandline.home_variables(tmp_path / "other"))) as engine:
        yield engine


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


def configured(folder: Path, text: str) -> Engine:
    """An engine with a config file."""
    folder.mkdir()
    (folder / "config.toml").write_text(text)
    variables = {**commandline.home_variables(folder), "AGENTOCI_CONFIG": f"{folder}/config.toml"}
    return Engine(read_settings(variables))


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, agentoci; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not HEAVY.intersection(loaded.stdout.split())


def snippets() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def test_what_readme_shows_of_python_works(
    engine: Engine, fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    snippet, _ = snippets()
    engine.transfers.push("talker:1.0", f"{fake.host}/team/coordinator:1.0")
    monkeypatch.setenv("AGENTOCI_HOME", str(tmp_path / "readme"))
    names: dict[str, object] = {}
    exec(snippet.replace("registry.example.com", fake.host), names)
    instance = names["instance"]
    used = names["engine"]
    assert isinstance(used, Engine)
    assert isinstance(instance, Instance)
    lines = [line.text for line in used.runs.logs(instance, follow=True)]
    assert f"hello there from {instance.name}, arguments:" in " ".join(lines)


def test_what_readme_shows_of_the_other_verbs_works(
    fake: FakeRegistry,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    """Other knowledge is a patch; the first release, of what declares no version, is 0.1.0."""
    _, snippet = snippets()
    context = samples.write_talker(tmp_path / "coordinator")
    for name, value in commandline.home_variables(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with Engine() as engine:
        engine.builds.build(context, BuildOptions(tags=(Reference.parse("coordinator:1.0.0"),)))
    (context / "notes.md").write_text("Talk is dear.\n")
    exec(snippet.replace("registry.example.com", fake.host), {})
    assert capsys.readouterr().out == "PATCH\n0.1.0\n"


def test_an_engine_works_in_the_home_that_it_is_given(engine: Engine, tmp_path: Path, home: Path):
    [row] = engine.images.list()
    assert (row.repository, row.tag, row.name) == ("talker", "1.0", "talker")
    assert engine.settings.home == tmp_path / "own" / "agentoci"
    assert list(home.iterdir()) == []


def test_images_are_found_by_name_digest_and_short_id(engine: Engine):
    entry = engine.images.find("talker:1.0")
    digest = str(entry.digest)
    for text in (digest, digest[7:], digest[7:11], f"talker:1.0@{digest}", f"other@{digest}"):
        assert engine.images.find(text).digest == entry.digest
    with pytest.raises(ImageNotFound, match="talker") as caught:
        engine.images.find("talker")
    assert caught.value.hint == "did you mean 'talker:1.0'?"
    with pytest.raises(ImageNotFound):
        engine.images.find(f"talker@{Digest.of(b'something else')}")
    with pytest.raises(ImageNotFound):
        engine.images.find("abc")


def test_an_id_that_begins_like_another_is_ambiguous(engine: Engine):
    digests = [Digest("sha256", "abcdef".ljust(63, "0") + end) for end in "01"]
    with engine.store.index.changing() as change:
        for digest in digests:
            change.put(Entry(Descriptor(mediatypes.OCI_MANIFEST, digest, 1)))
    with pytest.raises(ImageInUse, match="'abcdef' is the beginning of 2 ids") as caught:
        engine.images.find("abcdef")
    assert caught.value.hint == "give more digits"
    assert engine.images.find(digests[1].hex).digest == digests[1]


@pytest.mark.parametrize(
    ("text", "folder", "name"),
    [
        ("oci:dir", "dir", None),
        ("oci:dir:bot:1.0", "dir", "bot:1.0"),
        ("oci:/a/b:registry.example.com/bot:1", "/a/b", "registry.example.com/bot:1"),
        ("oci:dir:", "dir", None),
    ],
)
def test_locations_in_layouts(text: str, folder: str, name: str | None):
    found = parse_location(text)
    assert found == LayoutLocation(Path(folder), name)
    assert parse_location(str(found)) == found


def test_other_locations_are_references():
    assert parse_location("oci/bot:1") == Reference.parse("oci/bot:1")
    with pytest.raises(InvalidReference, match="the folder is empty"):
        parse_location("oci::bot")


def test_layouts_say_what_they_hold(engine: Engine, other: Engine, tmp_path: Path):
    layout = f"oci:{tmp_path}/layout"
    with pytest.raises(ContentNotFound, match="no OCI image layout there"):
        other.transfers.pull(layout)
    engine.transfers.push("talker:1.0", layout)
    engine.transfers.push("talker:1.0", f"{layout}:registry.example.com/bot:2")
    with pytest.raises(ContentNotFound, match="say which image") as caught:
        other.transfers.pull(layout)
    assert caught.value.hint == "it holds registry.example.com/bot:2, talker:1.0"
    with pytest.raises(ContentNotFound, match="no image 'bot:2'"):
        other.transfers.pull(f"{layout}:bot:2")
    assert other.transfers.pull(f"{layout}:registry.example.com/bot:2", "mine").target == (
        "mine:latest"
    )


def test_short_names_go_to_the_default_registry(engine: Engine, fake: FakeRegistry, tmp_path: Path):
    with pytest.raises(NoRegistry, match="no default_registry is configured") as caught:
        engine.transfers.push("talker:1.0")
    assert caught.value.hint is not None
    assert "HOST/talker:1.0" in caught.value.hint
    engine.transfers.push("talker:1.0", f"{fake.host}/team/talker:1.0")
    text = f'default_registry = "{fake.host}/team/"\n'
    with configured(tmp_path / "configured", text) as theirs:
        assert theirs.transfers.at_registry(Reference.parse("talker:1.0")) == Reference.parse(
            f"{fake.host}/team/talker:1.0"
        )
        pulled = theirs.transfers.ensure("talker:1.0")
        assert pulled.digest == engine.images.find("talker:1.0").digest
        assert [row.repository for row in theirs.images.list()] == ["talker"]
        theirs.images.tag("talker:1.0", Reference.parse(f"{fake.host}/team/kept:1"))
        assert theirs.images.find("kept:1").digest == pulled.digest
        theirs.transfers.push("talker:1.0", f"{fake.host}/elsewhere/talker:1.0")
    assert ("elsewhere/talker", "1.0") in fake.manifests


def test_a_second_repository_gets_its_blobs_by_mounting(engine: Engine, fake: FakeRegistry):
    first = engine.transfers.push("talker:1.0", f"{fake.host}/one:1")
    assert first.moved_blobs == first.blobs > 2
    second = engine.transfers.push("talker:1.0", f"{fake.host}/two:1")
    assert (second.moved_blobs, second.moved_bytes) == (0, 0)
    assert not fake.requests("PUT", "/v2/two/blobs/")
    again = engine.transfers.push("talker:1.0", f"{fake.host}/one:1")
    assert again.moved_blobs == 0


def test_a_pull_tells_where_blobs_can_be_mounted_from(
    engine: Engine, other: Engine, fake: FakeRegistry
):
    engine.transfers.push("talker:1.0", f"{fake.host}/one:1")
    other.transfers.pull(f"{fake.host}/one:1")
    assert other.transfers.push(f"{fake.host}/one:1", f"{fake.host}/two:1").moved_blobs == 0


def test_a_memory_of_places_that_is_wrong_or_broken_costs_an_upload(
    engine: Engine, fake: FakeRegistry
):
    engine.transfers.push("talker:1.0", f"{fake.host}/one:1")
    fake.blobs.clear()
    fake.manifests.clear()
    moved = engine.transfers.push("talker:1.0", f"{fake.host}/two:1")
    assert moved.moved_blobs == moved.blobs
    [memory] = (engine.settings.cache / "places").iterdir()
    for broken in (b"no json", b"[]", b""):
        memory.write_bytes(broken)
        fake.blobs.clear()
        fake.manifests.clear()
        moved = engine.transfers.push("talker:1.0", f"{fake.host}/three:1")
        assert moved.moved_blobs == moved.blobs


def test_a_collection_does_not_run_beside_a_transfer(engine: Engine):
    with engine.writable_store.using():
        with pytest.raises(StoreBusy, match="a build or transfer is going on"):
            engine.collection.collect(grace=timedelta(0))
        removed = engine.images.remove(["talker:1.0"])
    assert (removed.untagged, removed.freed) == (("talker:1.0",), 0)
    assert engine.collection.collect(grace=timedelta(0)).size > 0


def test_instances_by_the_api(engine: Engine):
    options = RunOptions(name="bot", arguments=("--code", "7"), environment=("GREETING=hi",))
    instance = engine.runs.run_detached("talker:1.0", options)
    assert [
        line.text for line in engine.runs.logs(instance, follow=True) if line.stream == "stdout"
    ] == ["hi from bot, arguments: <--code> <7>"]
    engine.runs.stop(engine.runs.get("bot"))
    [view] = engine.runs.list(stopped_too=True)
    assert (view.name, view.exit_code) == ("bot", 7)
    assert engine.runs.list() == []
    engine.runs.remove(instance)
    assert engine.runs.list(stopped_too=True) == []


def test_an_instance_runs_until_its_end_is_recorded_in_full(engine: Engine):
    """The document says "stopped" a moment before the supervisor lets go."""
    instance = engine.runs.create("talker:1.0")
    directory, pid = str(instance.path), os.getpid()
    run: dict[str, Json] = {"supervisor": pid, "supervisor_identity": liveness.identity(pid)}
    record.update_status(directory, {"state": "stopped"})
    record.write_object(f"{directory}/{record.RUN_STATE}", run)
    assert [view.state for view in engine.runs.list()] == [State.RUNNING]
    record.write_object(f"{directory}/{record.RUN_STATE}", run | {"ended": "2024-01-15T10:00:00Z"})
    assert [view.state for view in engine.runs.list(stopped_too=True)] == [State.STOPPED]
    engine.runs.remove(instance)
