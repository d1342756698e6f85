"""Locking over the local store and registries: where it looks, and how often it asks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentoci import Engine, read_settings
from agentoci.api.agentsources import AgentSources
from agentoci.api.builds import BuildOptions
from agentoci.api.locking import (
    EVERYTHING,
    Locked,
    LockUnreadable,
    check_lock,
    install,
    make_lock,
)
from agentoci.api.pinning import pins_of, read_pins
from agentoci.errors import AgentociError
from agentoci.registry.errors import RegistryUnreachable
from agentoci.release.candidates import Requirement
from agentoci.release.conflicts import RequirementNotFound
from agentoci.release.resolve import MAX_NAMES, ResolveTooHard
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.jsonio import canonical
from agentoci.spec.ranges import VersionRange
from agentoci.spec.reference import Reference
from agentoci.spec.registrypath import RegistryPath
from tests import commandline
from tests.manytags import VERSIONS, put_agent, tag_often
from tests.registries import KINDS, serve
from tests.registry.fake import FakeRegistry
from tests.registry.faults import refuses


class Desk:
    """A home with a config file, and a folder with an Agentfile."""

    def __init__(self, folder: Path, config: str = "") -> None:
        self.context = folder / "context"
        self.context.mkdir(parents=True)
        self._home = folder / "home"
        self._config = folder / "config.toml"
        self._config.write_text(config)

    def engine(self) -> Engine:
        variables = commandline.home_variables(self._home)
        return Engine(read_settings({**variables, "AGENTOCI_CONFIG": str(self._config)}))

    def require(self, *lines: str, base: str = "scratch") -> None:
        text = [f"FROM {base}", *(f"REQUIRE {line}" for line in lines), "INTERFACE coordinator"]
        (self.context / "Agentfile").write_text("\n".join([*text, ""]))

    def lock(self, *, upgrade: tuple[str, ...] = (), sources: tuple[str, ...] = ()) -> Locked:
        with self.engine() as engine:
            options = BuildOptions()
            return make_lock(engine, self.context, options, upgrade=upgrade, sources=sources)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk")


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


def put(fake: FakeRegistry, name: str, tag: str, **annotations: str) -> None:
    """An agent image as far as a manifest goes: it names a config that nobody may ask for."""
    config = {"mediaType": mediatypes.AGENT_CONFIG, "digest": f"sha256:{'0' * 64}", "size": 2}
    document = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_MANIFEST,
        "artifactType": mediatypes.AGENT,
        "config": config,
        "layers": [{**config, "mediaType": "application/vnd.agentoci.layer.files.v1.tar"}],
        "annotations": {key.replace("_", "."): text for key, text in annotations.items()}
        | {"made": f"{name}:{tag}"},
    }
    fake.put_manifest(name, tag, mediatypes.OCI_MANIFEST, canonical(document))


def needs(text: str) -> dict[str, str]:
    return {keys.REQUIREMENTS: text}


def pinned(done: Locked) -> dict[str, str]:
    return {pin.name: pin.reference for pin in done.lock.pins}


def test_agents_are_looked_for_at_the_default_registry(tmp_path: Path, fake: FakeRegistry) -> None:
    desk = Desk(tmp_path, f'default_registry = "{fake.host}/team"\n')
    put(fake, "team/psm_gen", "1.0.0")
    desk.require("psm_gen")
    assert pinned(desk.lock()) == {"psm_gen": f"{fake.host}/team/psm_gen:1.0.0"}


def test_the_first_source_that_has_the_name_counts(tmp_path: Path, fake: FakeRegistry) -> None:
    """Who may push a name anywhere else cannot outbid it by a higher version."""
    desk = Desk(tmp_path, f'requirement_sources = ["{fake.host}/other", "{fake.host}/third"]\n')
    for repository, tags in {
        "named/a": ["1.0.0"],
        "other/a": ["1.0.0", "99.0.0"],
        "other/b": ["1.0.0"],
        "third/b": ["1.0.0", "1.1.0"],
    }.items():
        for tag in tags:
            put(fake, repository, tag)
    desk.require("a", "b")
    done = desk.lock(sources=(f"{fake.host}/named",))
    assert pinned(done) == {
        "a": f"{fake.host}/named/a:1.0.0",
        "b": f"{fake.host}/other/b:1.0.0",
    }


def test_agents_are_looked_for_beside_the_base(desk: Desk, fake: FakeRegistry) -> None:
    put(fake, "team/psm_gen", "1.0.0")
    with desk.engine() as engine:
        desk.require()
        tag = Reference.parse(f"{fake.host}/team/base:1")
        engine.builds.build(desk.context, BuildOptions(tags=(tag,)))
    desk.require("psm_gen", base=str(tag))
    assert pinned(desk.lock())["psm_gen"] == f"{fake.host}/team/psm_gen:1.0.0"


def test_a_repository_that_is_named_is_asked_alone(desk: Desk, fake: FakeRegistry) -> None:
    put(fake, "elsewhere/psm_gen", "1.0")
    desk.require(f"{fake.host}/elsewhere/psm_gen:1.0")
    done = desk.lock()
    assert pinned(done) == {"psm_gen": f"{fake.host}/elsewhere/psm_gen:1.0"}
    assert {seen.target.partition("?")[0] for seen in fake.requests()} == {
        "/v2/elsewhere/psm_gen/tags/list",
        "/v2/elsewhere/psm_gen/manifests/1.0",
    }


def test_the_image_tells_the_version_of_a_tag_that_leaves_it_open(
    desk: Desk, fake: FakeRegistry
) -> None:
    put(fake, "team/a", "1.0", **{keys.VERSION: "1.0.3"})
    put(fake, "team/b", "latest", **{keys.VERSION: "2.0.0"})
    put(fake, "team/c", "latest")
    desk.require("a@>=1.0.2", "b@^2", "c")
    done = desk.lock(sources=(f"{fake.host}/team",))
    assert {pin.name: pin.version for pin in done.lock.pins} == {
        "a": "1.0.3",
        "b": "2.0.0",
        "c": "0.0.0",
    }
    desk.require("c@>=0.1")
    with pytest.raises(RequirementNotFound):
        desk.lock(upgrade=(EVERYTHING,), sources=(f"{fake.host}/team",))


def test_a_place_that_lets_nobody_in_is_passed_over(desk: Desk, fake: FakeRegistry) -> None:
    put(fake, "team/psm_gen", "1.0.0")
    fake.on("GET", "/v2/closed/", refuses(403, "DENIED", "not for you"), times=9)
    desk.require("psm_gen")
    done = desk.lock(sources=(f"{fake.host}/closed", f"{fake.host}/team"))
    assert pinned(done) == {"psm_gen": f"{fake.host}/team/psm_gen:1.0.0"}


def test_an_image_that_was_merely_pulled_does_not_outbid_the_sources(
    desk: Desk, fake: FakeRegistry
) -> None:
    """Who looks at a stranger's image must not build on it from then on."""
    put(fake, "team/a", "1.0.0")
    with desk.engine() as engine:
        desk.require()
        stranger = Reference.parse("stranger.example/x/a:99.0.0")
        engine.builds.build(desk.context, BuildOptions(tags=(stranger,)))
    desk.require("a")
    assert pinned(desk.lock()) == {"a": "stranger.example/x/a:99.0.0"}, "there is no other"
    done = desk.lock(upgrade=(EVERYTHING,), sources=(f"{fake.host}/team",))
    assert pinned(done) == {"a": f"{fake.host}/team/a:1.0.0"}


def test_a_chain_of_needs_without_end_ends(desk: Desk, fake: FakeRegistry) -> None:
    """A registry can make up an agent for every name that it is asked for."""
    for at in range(3 * MAX_NAMES):
        put(fake, f"team/a{at}", "1.0.0", **needs(f'[{{"name":"a{at + 1}"}}]'))
    desk.require("a0")
    with pytest.raises(ResolveTooHard):
        desk.lock(sources=(f"{fake.host}/team",))
    assert len(fake.requests()) < 3 * MAX_NAMES


def test_an_image_with_needs_without_number_is_asked_for_few(
    desk: Desk, fake: FakeRegistry
) -> None:
    wanted = json.dumps([{"name": f"x{at}"} for at in range(3 * MAX_NAMES)])
    put(fake, "team/a", "1.0.0", **needs(wanted))
    desk.require("a")
    with pytest.raises(RequirementNotFound):
        desk.lock(sources=(f"{fake.host}/team",))
    assert len(fake.requests()) < 10


def test_what_is_no_agent_is_passed_over(desk: Desk, fake: FakeRegistry) -> None:
    put(fake, "team/a", "1.0.0")
    other = {"schemaVersion": 2, "config": {}, "layers": []}
    blob = {"mediaType": mediatypes.OCI_EMPTY, "digest": f"sha256:{'1' * 64}", "size": 2}
    content = canonical({**other, "artifactType": "application/x", "config": blob})
    fake.put_manifest("team/a", "2.0.0", mediatypes.OCI_MANIFEST, content)
    desk.require("a")
    assert pinned(desk.lock(sources=(f"{fake.host}/team",))) == {"a": f"{fake.host}/team/a:1.0.0"}


def test_a_registry_that_does_not_answer_is_told(desk: Desk) -> None:
    desk.require("psm_gen")
    with pytest.raises(RegistryUnreachable):
        desk.lock(sources=("127.0.0.1:1/team",))
    assert not (desk.context / "agent.lock").exists()


def test_images_of_before_tell_their_needs_by_their_config(desk: Desk) -> None:
    """Of an image without the annotation the config is read, if it has tools at all."""
    from agentoci.content.reader import BytesSource
    from agentoci.spec.manifest import Manifest
    from agentoci.store.images import read_image

    with desk.engine() as engine:
        desk.require("helper@^1", "team/other:2")
        built = engine.builds.build(desk.context, BuildOptions()).root
        store = engine.writable_store
        manifest = read_image(store, built, what="built").manifest
        annotations = dict(manifest.annotations)
        assert json.loads(annotations.pop(keys.REQUIREMENTS))[0]["name"] == "helper"
        older = Manifest.build(
            config=manifest.config,
            layers=manifest.layers,
            artifact_type=manifest.artifact_type,
            annotations=annotations,
        )
        store.push(older.descriptor, BytesSource(older.raw))
        store.tag(older.descriptor, "user:1.0.0")
        sources = AgentSources(engine)
        [candidate] = sources.versions("user", None)
        known = sources.read(candidate)
    assert known is not None
    wanted = [(need.name, str(need.range), need.repository) for need in known.needs]
    assert wanted == [("helper", "^1", None), ("other", "2", "team/other")]


def test_pins_are_read_quickly_or_not_at_all(desk: Desk, fake: FakeRegistry) -> None:
    put(fake, "team/a", "1.0.0")
    desk.require("a")
    done = desk.lock(sources=(f"{fake.host}/team",))
    assert read_pins(done.path) == pins_of(done.lock)
    for bad in ("", "[]", "{", '{"pins": 1}', '{"pins": [1]}', '{"pins": [{"kind": "agent"}]}'):
        done.path.write_text(bad)
        assert read_pins(done.path) is None
        with desk.engine() as engine, pytest.raises(AgentociError) as caught:
            check_lock(engine, desk.context, BuildOptions())
        assert caught.value.exit_code == 2


@pytest.mark.integration
@pytest.mark.slow
def test_two_requests_for_each_of_a_thousand_tags(tmp_path: Path, desk: Desk) -> None:
    """The list of tags and one manifest; once for a registry, how it ends its lists."""
    if KINDS["distribution"].program() is None:
        pytest.skip(KINDS["distribution"].missing)
    folder = tmp_path / "registry"
    with serve(KINDS["distribution"], folder) as registry:
        names = ["team/a", "team/b", "team/c", "team/d"]
        with Desk(tmp_path / "maker").engine() as engine:
            for name, after in zip(names, [["b@^8"], ["c@<3"], [], []], strict=True):
                put_agent(engine, registry, tmp_path / "made", name, requires=after)
                tag_often(folder / "data", name)
        desk.require("a@^1", f"{registry.reference('team/d')}@~2.3.0")
        first = desk.lock(sources=(registry.reference("team"),))
        chosen = {pin.name: pin.version for pin in first.lock.pins}
        assert chosen == {"a": "1.10.10", "b": "8.10.10", "c": "2.10.10", "d": "2.3.10"}
        assert len(VERSIONS) == 1000
        assert first.requests == 2 * 4 + 1
        anew = desk.lock(upgrade=(EVERYTHING,), sources=(registry.reference("team"),))
        assert (anew.requests, anew.is_written) == (2 * 4, False)
        kept = desk.lock()
        assert kept.requests == 4, "only what the pins need, by digest"


def test_all_is_asked_for_once_in_waves(desk: Desk, fake: FakeRegistry) -> None:
    """Two waves: what is required, then what that requires; never twice."""
    put(fake, "team/a", "1.0.0", **needs('[{"name":"b","version":"^1"}]'))
    put(fake, "team/b", "1.5.0")
    put(fake, "team/b", "2.0.0")
    with desk.engine() as engine:
        sources = AgentSources(engine, (RegistryPath.parse(f"{fake.host}/team"),))
        sources.warm([Requirement("a", VersionRange.parse("*"))], {})
        asked = [seen.target.partition("?")[0] for seen in fake.requests()]
        assert asked == [
            "/v2/team/a/tags/list",
            "/v2/team/a/manifests/1.0.0",
            "/v2/team/b/tags/list",
            "/v2/team/b/manifests/1.5.0",
        ]
        [candidate] = sources.versions("a", None)
        assert sources.read(candidate) is not None
        assert len(fake.requests()) == 4


def test_a_place_that_the_lock_alone_names_is_not_asked(desk: Desk, fake: FakeRegistry) -> None:
    """A lock of a stranger's sent requests to wherever it liked."""
    put(fake, "team/a", "1.0.0")
    desk.require(f"{fake.host}/team/a:1.0")
    done = desk.lock()
    lied = done.path.read_text().replace(f"{fake.host}/team/a", "127.0.0.1:1/team/a")
    done.path.write_text(lied)
    assert pinned(desk.lock()) == {"a": f"{fake.host}/team/a:1.0.0"}


def test_a_lock_that_is_no_file_is_refused(desk: Desk) -> None:
    """A pipe was waited for."""
    desk.require()
    os.mkfifo(desk.context / "agent.lock")
    with desk.engine() as engine:
        for verb in (check_lock, make_lock, install):
            with pytest.raises(LockUnreadable, match="not a regular file"):
                verb(engine, desk.context, BuildOptions())
        with pytest.raises(LockUnreadable):
            engine.builds.build(desk.context, BuildOptions())
