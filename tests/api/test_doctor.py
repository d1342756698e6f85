"""What is found out about registries is remembered, and made use of."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentoci import BuildOptions, Engine, Reference, read_settings
from agentoci.api.access import Access
from agentoci.api.doctor import look_at_registry, places_of, probe_registry, recall
from agentoci.api.pushing import PushOptions, TypesRefused
from agentoci.api.removal import untag
from agentoci.content.reader import BytesSource
from agentoci.errors import Denied, Unreachable
from agentoci.registry.errors import ManifestRejected
from agentoci.registry.facts import STREAMED
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.reference import InvalidReference
from tests import commandline
from tests.cli import samples
from tests.quirks.profiles import PROFILES
from tests.quirks.server import QuirkRegistry
from tests.registry.fake import Basic, FakeRegistry
from tests.registry.faults import cuts_body

BLOB = b"content" * 1000
ADA = Access(username="ada", password="secret")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an image, built once."""
    folder = tmp_path_factory.mktemp("shelf")
    with Engine(read_settings(commandline.home_variables(folder))) as engine:
        context = samples.write_talker(folder / "talker")
        engine.builds.build(context, BuildOptions(tags=(Reference.parse("talker:1.0"),)))
        return engine.settings.home


MakeEngine = Callable[..., Engine]


@pytest.fixture
def make_engine(tmp_path: Path, shelf: Path) -> Iterator[MakeEngine]:
    """Engines over one home, one after another, as commands are."""
    variables = commandline.home_variables(tmp_path / "own")
    shutil.copytree(shelf, read_settings(variables).home)
    engines: list[Engine] = []

    def make(access: Access | None = None) -> Engine:
        engines.append(Engine(read_settings(variables)))
        engines[-1].access = access or Access()
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


def opened(engine: Engine, fake: FakeRegistry, name: str = "team/bot") -> Repository:
    return engine.client.repository(Reference(fake.host, name, "1.0"), push=True)


def push_blob(engine: Engine, fake: FakeRegistry, content: bytes = BLOB) -> Descriptor:
    desc = Descriptor.of("application/octet-stream", content)
    opened(engine, fake).push(desc, BytesSource(content))
    return desc


def test_what_was_found_is_known_to_the_next_command(make_engine: MakeEngine, fake: FakeRegistry):
    found = probe_registry(make_engine(), f"{fake.host}/team")
    assert found.error is None
    assert found.registry == fake.host
    known = recall(make_engine(), f"{fake.host}/team")
    assert known.facts == found.facts
    assert known.findings == ()
    assert known.facts["custom_types"] is True
    assert known.facts["upload"] == "monolithic"
    assert known.facts["probed"] is not None


def test_recalling_asks_nobody(make_engine: MakeEngine, fake: FakeRegistry):
    assert set(recall(make_engine(), fake.host).facts.values()) == {None}
    assert fake.seen == []


def test_probes_find_out_again_what_was_wrong(make_engine: MakeEngine, fake: FakeRegistry):
    engine = make_engine()
    endpoint = engine.client.endpoint(fake.host)
    endpoint.learn(mount=False, delete_tags=False, ranges=False, resume=False, custom_types=False)
    facts = probe_registry(engine, fake.host).facts
    names = ("mount", "delete_tags", "ranges", "resume", "custom_types")
    assert [facts[name] for name in names] == [True] * 5


def test_probes_write_where_they_say(make_engine: MakeEngine, fake: FakeRegistry):
    assert places_of(f"{fake.host}/team/x") == (
        f"{fake.host}/team/x/agentoci-doctor",
        f"{fake.host}/team/x/agentoci-doctor-mount",
    )
    probe_registry(make_engine(), f"{fake.host}/team/x")
    written = [seen for seen in fake.seen if seen.method not in {"GET", "HEAD"}]
    assert written
    assert all("/v2/team/x/agentoci-doctor" in seen.target for seen in written)


def test_two_runs_find_nothing_of_each_other(make_engine: MakeEngine, fake: FakeRegistry):
    fake.deletes = False
    first = probe_registry(make_engine(), fake.host)
    second = probe_registry(make_engine(), fake.host)
    assert [f.result for f in first.findings] == [f.result for f in second.findings]
    assert first.left != second.left


def test_login_is_named_by_its_place_and_no_secret(make_engine: MakeEngine):
    with FakeRegistry(auth=Basic()) as fake:
        told = probe_registry(make_engine(ADA), fake.host)
        engine = make_engine()
        engine.logins.login(fake.host, "ada", "secret")
        stored = look_at_registry(make_engine(), fake.host)
    details = {f.check: f.detail for f in told.findings}
    assert details["login accepted"] == "ada, as told"
    details = {f.check: f.detail for f in stored.findings}
    assert details["login accepted"] == f"ada, by {engine.settings.login_file}"
    assert "secret" not in repr((told, stored))


def test_denied_and_down_are_errors_in_the_result(make_engine: MakeEngine):
    with FakeRegistry(auth=Basic()) as fake:
        assert isinstance(probe_registry(make_engine(), fake.host).error, Denied)
    found = probe_registry(make_engine(), fake.host)
    assert isinstance(found.error, Unreachable)
    assert found.facts["probed"] is None


def test_looking_says_which_image(make_engine: MakeEngine, fake: FakeRegistry):
    make_engine().transfers.push("talker:1.0", f"{fake.host}/team/talker:1.0")
    fake.seen.clear()
    found = look_at_registry(make_engine(), fake.host, image=f"{fake.host}/team/talker:1.0")
    assert found.error is None
    assert found.facts["ranges"] is True
    assert {seen.method for seen in fake.seen} <= {"GET", "HEAD"}


@pytest.mark.parametrize(
    "text", ["", "team", "team/bot", "host.example/team:1.0", "host.example/Team", "http://x.y"]
)
def test_what_is_no_registry_is_refused(make_engine: MakeEngine, text: str):
    with pytest.raises(InvalidReference, match="is no registry") as caught:
        recall(make_engine(), text)
    assert caught.value.hint == "write HOST, HOST:PORT or HOST/PREFIX"


def test_docker_hub_wants_a_name_space(make_engine: MakeEngine):
    with pytest.raises(InvalidReference, match="say your name space"):
        probe_registry(make_engine(), "docker.io")
    assert places_of("docker.io/ada")[0] == "docker.io/ada/agentoci-doctor"
    assert recall(make_engine(), "index.docker.io").registry == "docker.io"


def test_image_must_be_at_the_registry(make_engine: MakeEngine, fake: FakeRegistry):
    with pytest.raises(InvalidReference, match="is not at"):
        look_at_registry(make_engine(), fake.host, image="registry.example.com/team/bot:1.0")


# Use


def test_agents_are_not_sent_where_images_only_are_taken(make_engine: MakeEngine):
    with QuirkRegistry(PROFILES["quay"]) as registry:
        probe_registry(make_engine(ADA), f"{registry.host}/team")
        registry.seen.clear()
        target = f"{registry.host}/team/talker:1.0"
        with pytest.raises(TypesRefused) as caught:
            make_engine(ADA).transfers.push("talker:1.0", target)
        assert registry.seen == []
        as_image = PushOptions(as_image=True)
        pushed = make_engine(ADA).transfers.push("talker:1.0", target, options=as_image)
    assert isinstance(caught.value, ManifestRejected)
    assert "application/vnd.agentoci.agent.v1" in caught.value.message
    assert "agent push --profile image" in str(caught.value.hint)
    assert f"agent doctor {registry.host}/team" in str(caught.value.hint)
    assert pushed.names == ("1.0",)


def test_registry_that_learned_types_is_believed_again(make_engine: MakeEngine, fake: FakeRegistry):
    engine = make_engine()
    engine.client.endpoint(fake.host).learn(custom_types=False)
    with pytest.raises(TypesRefused):
        engine.transfers.push("talker:1.0", f"{fake.host}/team/talker:1.0")
    probe_registry(engine, fake.host)
    assert make_engine().transfers.push("talker:1.0", f"{fake.host}/team/talker:1.0").names


def test_other_images_are_sent_all_the_same(make_engine: MakeEngine, fake: FakeRegistry):
    engine = make_engine()
    engine.client.endpoint(fake.host).learn(custom_types=False)
    as_image = PushOptions(as_image=True)
    assert engine.transfers.push("talker:1.0", f"{fake.host}/t/t:1.0", options=as_image).names


def test_upload_method_is_used(make_engine: MakeEngine):
    with QuirkRegistry(PROFILES["artifactory"]) as registry:
        assert probe_registry(make_engine(ADA), registry.host).facts["upload"] == STREAMED
        registry.seen.clear()
        push_blob(make_engine(ADA), registry)
        sent = [seen.method for seen in registry.seen if "authorization" in seen.headers]
    assert sent == ["POST", "PATCH", "PUT"]


def test_mounts_are_not_tried_where_there_are_none(make_engine: MakeEngine):
    with QuirkRegistry(PROFILES["harbor"]) as registry:
        probe_registry(make_engine(ADA), registry.host)
        engine = make_engine(ADA)
        desc = push_blob(engine, registry)
        registry.seen.clear()
        beside = opened(engine, registry, "team/other")
        assert beside.take_over(desc, opened(engine, registry)) is None
        assert registry.requests("POST") == []


def test_uploads_that_cannot_go_on_are_begun_anew(make_engine: MakeEngine, fake: FakeRegistry):
    content = bytes(200_000)

    def push() -> list[str]:
        fake.seen.clear()
        fake.on("PUT", "/blobs/uploads/", cuts_body(100_000))
        push_blob(make_engine(), fake, content)
        return [seen.method for seen in fake.seen]

    assert push() == ["POST", "PUT", "HEAD", "GET", "PUT"]
    fake.blobs.clear()
    make_engine().client.endpoint(fake.host).learn(resume=False)
    assert push() == ["POST", "PUT", "HEAD", "POST", "PUT"]


def test_tags_go_the_way_that_was_found(make_engine: MakeEngine, fake: FakeRegistry):
    fake.deletes_tags = False
    assert probe_registry(make_engine(), fake.host).facts["delete_tags"] is False
    target = f"{fake.host}/team/talker"
    make_engine().transfers.push("talker:1.0", f"{target}:1.0", options=PushOptions(tags=("2.0",)))
    fake.seen.clear()
    untag(make_engine(), f"{target}:1.0")
    assert fake.tags("team/talker") == ["2.0"]
    assert not fake.requests("DELETE", "/manifests/1.0")


def test_facts_of_a_registry_are_kept_under_its_one_name(make_engine: MakeEngine):
    hub: Any = make_engine().client.endpoint("registry-1.docker.io")
    hub.learn(mount=True)
    assert recall(make_engine(), "docker.io").facts["mount"] is True
