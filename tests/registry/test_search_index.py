"""The search index: its document, its artifact on every kind of target, and changing it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci._internal import limits
from agentoci.content.copy import copy
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import ContentNotFound, Target
from agentoci.content.reader import BytesSource
from agentoci.registry.client import RegistryClient
from agentoci.registry.search import update
from agentoci.registry.search.artifact import (
    FILE_NAME,
    NotASearchIndex,
    pack,
    read_index,
)
from agentoci.registry.search.document import (
    IndexedAgent,
    InvalidSearchIndex,
    SearchIndex,
    UnknownSearchIndex,
    render_schema,
)
from agentoci.registry.search.update import IndexContended, Writing, update_index
from agentoci.registry.turns import Turns
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import InvalidJson
from agentoci.spec.manifest import Manifest
from agentoci.spec.mediatypes import UnknownMediaType
from agentoci.spec.reference import Reference
from agentoci.store.layout import LayoutStore
from tests.registries import Registry
from tests.registry.conftest import StepClock

WHAT = "host/agents-index:latest"
DIGEST = str(Digest.of(b"an agent"))


def agent(name: str = "example.com/team/bot", version: str = "1.0", **fields: object):
    return IndexedAgent(
        **{"name": name, "version": version, "digest": DIGEST, **fields}  # type: ignore[arg-type]
    )


NAMES = st.builds(
    "{}/{}/{}".format,
    st.sampled_from(["example.com", "localhost:5000", "[::1]:5000"]),
    st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True),
    st.from_regex(r"[a-z]{1,3}", fullmatch=True),
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
AGENTS = st.builds(
    IndexedAgent,
    name=NAMES,
    version=st.from_regex(r"[0-9]{1,2}\.[0-9]{1,2}", fullmatch=True),
    digest=st.binary(max_size=4).map(lambda raw: str(Digest.of(raw))),
    title=st.none() | TEXTS,
    description=st.none() | TEXTS,
    artifact_type=st.none() | st.just(mediatypes.AGENT),
    annotations=st.dictionaries(TEXTS, TEXTS, max_size=3),
)


@given(st.lists(AGENTS, max_size=8))
def test_a_document_reads_back_as_what_was_written(agents: list[IndexedAgent]):
    index = SearchIndex(agents)
    raw = index.encode()
    assert SearchIndex.parse(raw, what=WHAT) == index
    assert SearchIndex.parse(raw, what=WHAT).encode() == raw
    jsonschema.validate(json.loads(raw), json.loads(render_schema()))


@given(st.lists(AGENTS, max_size=6, unique_by=lambda one: one.key), st.randoms())
def test_the_order_of_adding_does_not_show(agents: list[IndexedAgent], random):
    shuffled = list(agents)
    random.shuffle(shuffled)
    one, other = SearchIndex(), SearchIndex()
    for entry in agents:
        one = one.with_entries([entry])
    for entry in shuffled:
        other = other.with_entries([entry])
    assert one.encode() == other.encode() == SearchIndex(agents).encode()


@given(st.lists(AGENTS, max_size=6), AGENTS)
def test_adding_twice_is_adding_once(agents: list[IndexedAgent], entry: IndexedAgent):
    once = SearchIndex(agents).with_entries([entry])
    again = once.with_entries([entry])
    assert (again, hash(again)) == (once, hash(once))
    assert once.find(entry.key) == entry
    assert once.without(lambda one: one.key == entry.key).find(entry.key) is None


def test_a_document_is_canonical_and_says_only_what_is_known():
    raw = SearchIndex([agent(version="2.0"), agent(title="bot")]).encode()
    assert (
        raw
        == (
            f'{{"entries":[{{"digest":"{DIGEST}","name":"example.com/team/bot","title":"bot",'
            f'"version":"1.0"}},{{"digest":"{DIGEST}","name":"example.com/team/bot",'
            f'"version":"2.0"}}],"version":1}}'
        ).encode()
    )


def document(**changes: object) -> bytes:
    entry = {"name": "example.com/team/bot", "version": "1.0", "digest": DIGEST, **changes}
    entry = {key: value for key, value in entry.items() if value is not None}
    return json.dumps({"version": 1, "entries": [entry]}).encode()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"{}", "version: Field required"),
        (b'{"version": "1"}', "version"),
        (b'{"version": 1, "agents": []}', "agents: Extra inputs"),
        (b'{"version": 1, "entries": {}}', "entries"),
        (document(name="Example.com/UP"), "entries.0.name"),
        (document(name="example.com/team/bot:1.0"), "without tag and digest"),
        (document(name=None), "entries.0.name: Field required"),
        (document(version="../1"), "entries.0.version"),
        (document(version=1), "entries.0.version"),
        (document(digest="sha256:abc"), "entries.0.digest"),
        (document(title="x" * 256), "entries.0.title"),
        (document(description="x" * 2049), "entries.0.description"),
        (document(annotations={"a": 1}), "entries.0.annotations"),
        (document(annotations={str(n): "" for n in range(65)}), "entries.0.annotations"),
        (document(stars=5), "entries.0.stars"),
    ],
)
def test_what_no_index_may_say_is_refused(raw: bytes, words: str):
    with pytest.raises(InvalidSearchIndex, match=WHAT) as caught:
        SearchIndex.parse(raw, what=WHAT)
    assert words in caught.value.message


def test_an_index_that_names_one_version_twice_is_refused():
    entries = json.loads(document())["entries"]
    with pytest.raises(InvalidSearchIndex, match="twice"):
        SearchIndex.parse(json.dumps({"version": 1, "entries": entries * 2}).encode(), what=WHAT)


def test_a_newer_version_is_refused_with_a_way_out():
    with pytest.raises(UnknownSearchIndex, match="version 2, this program reads 1") as caught:
        SearchIndex.parse(b'{"version": 2, "agents": {}}', what=WHAT)
    assert caught.value.hint == "a newer agentoci reads it"


def test_an_index_without_end_is_not_read():
    with pytest.raises(InvalidJson, match="larger than"):
        SearchIndex.parse(bytes(limits.MAX_SEARCH_INDEX_BYTES + 1), what=WHAT)
    many = SearchIndex([agent()])
    many.entries = many.entries * (limits.MAX_SEARCH_INDEX_ENTRIES + 1)
    with pytest.raises(InvalidSearchIndex, match="50001 agents"):
        many.encode()
    long = agent(annotations={str(n): "x" * 1024 for n in range(64)})
    many.entries = (long,) * 300
    with pytest.raises(InvalidSearchIndex, match="bytes: readers take"):
        many.encode()


# The artifact


@pytest.fixture(params=["memory", "layout", "fake", "registry"])
def target(request: pytest.FixtureRequest, tmp_path: Path, clock: StepClock) -> Target:
    """Whatever keeps content."""
    if request.param == "memory":
        return MemoryTarget()
    if request.param == "layout":
        return LayoutStore.create(tmp_path / "layout", clock=clock)
    make_client: Callable[..., RegistryClient] = request.getfixturevalue("make_client")
    if request.param == "fake":
        host = request.getfixturevalue("fake").host
    else:
        host = request.getfixturevalue("distribution").host
    name = request.getfixturevalue("repository")
    return make_client().repository(Reference(host, name), push=True)


@pytest.fixture
def writing(clock: StepClock, tmp_path: Path) -> Writing:
    return Writing(Turns(tmp_path / "turns", clock), lambda: 1.0)


@pytest.mark.parametrize("as_image", [False, True])
def test_every_target_keeps_an_index_in_both_profiles(target: Target, as_image: bool):
    index = SearchIndex([agent(description="says hello"), agent(version="2.0")])
    packed = pack(index, as_image=as_image)
    packed.push_blobs(target)
    root = packed.push_manifest(target, "latest")
    found = read_index(target, target.resolve("latest"), what=WHAT)
    assert (found.index, found.as_image, found.root) == (index, as_image, root)
    assert pack(index, as_image=as_image).manifest.raw == packed.manifest.raw


def test_an_index_is_copied_like_anything_else(target: Target):
    packed = pack(SearchIndex([agent()]))
    packed.push_blobs(target)
    root = packed.push_manifest(target, "latest")
    elsewhere = MemoryTarget()
    copy(target, "latest", elsewhere, "copied")
    assert elsewhere.resolve("copied").digest == root.digest
    assert read_index(elsewhere, root, what=WHAT).index == SearchIndex([agent()])


def test_the_artifact_says_what_it_is():
    manifest = json.loads(pack(SearchIndex([agent()])).manifest.raw)
    assert manifest["artifactType"] == "application/vnd.agentoci.index.v1"
    assert manifest["config"] == EMPTY.document()
    [layer] = manifest["layers"]
    assert layer["mediaType"] == "application/vnd.agentoci.index.v1+json"
    assert layer["annotations"] == {"org.opencontainers.image.title": FILE_NAME}


def test_the_image_profile_holds_image_types_only():
    manifest = json.loads(pack(SearchIndex([agent()]), as_image=True).manifest.raw)
    assert "artifactType" not in manifest
    types = [manifest["config"]["mediaType"], *(one["mediaType"] for one in manifest["layers"])]
    assert types == [mediatypes.OCI_IMAGE_CONFIG, "application/vnd.oci.image.layer.v1.tar+gzip"]
    assert manifest["annotations"]["dev.agentoci.artifact-type"] == mediatypes.SEARCH_INDEX


def stored(memory: MemoryTarget, manifest: Manifest, **blobs: bytes) -> Descriptor:
    for content in blobs.values():
        memory.push(Descriptor.of("x/y", content), BytesSource(content))
    memory.push(manifest.descriptor, BytesSource(manifest.raw))
    return manifest.descriptor


def test_other_artifacts_are_no_index():
    memory = MemoryTarget()
    other = Manifest.build(config=EMPTY, layers=(EMPTY,), artifact_type="application/x.cake")
    with pytest.raises(NotASearchIndex, match=r"but application/x\.cake"):
        read_index(memory, stored(memory, other, empty=EMPTY_CONTENT), what=WHAT)
    bare = Manifest.build(config=EMPTY, layers=(), artifact_type=mediatypes.SEARCH_INDEX)
    with pytest.raises(NotASearchIndex, match="one layer, not 0"):
        read_index(memory, stored(memory, bare), what=WHAT)


def test_a_newer_artifact_is_refused():
    memory = MemoryTarget()
    newer = Manifest.build(
        config=EMPTY, layers=(EMPTY,), artifact_type="application/vnd.agentoci.index.v2"
    )
    with pytest.raises(UnknownMediaType, match="reads version 1"):
        read_index(memory, stored(memory, newer), what=WHAT)


def test_an_image_profile_whose_parts_disagree_is_refused():
    packed = pack(SearchIndex([agent()]), as_image=True)
    memory = MemoryTarget()
    packed.push_blobs(memory)
    config = b'{"rootfs":{"diff_ids":[]}}'
    manifest = Manifest.build(
        config=Descriptor.of(mediatypes.OCI_IMAGE_CONFIG, config),
        layers=packed.manifest.layers,
        annotations=packed.manifest.annotations,
    )
    with pytest.raises(NotASearchIndex, match="0 diff_ids"):
        read_index(memory, stored(memory, manifest, config=config), what=WHAT)


# Changing it


def adds(*agents: IndexedAgent) -> update.Change:
    return lambda index: index.with_entries(agents)


def listed(target: Target) -> list[str]:
    found = read_index(target, target.resolve("latest"), what=WHAT)
    return [entry.reference for entry in found.index.entries]


def test_a_missing_index_is_made_and_later_changed(target: Target, writing: Writing):
    made = update_index(target, "latest", adds(agent()), writing=writing, what=WHAT)
    assert made.before is None
    assert made.written
    again = update_index(target, "latest", adds(agent()), writing=writing, what=WHAT)
    assert (again.root, again.written) == (made.root, False)
    more = update_index(target, "latest", adds(agent(version="2.0")), writing=writing, what=WHAT)
    assert more.before == SearchIndex([agent()])
    assert listed(target) == ["example.com/team/bot:1.0", "example.com/team/bot:2.0"]


def test_the_profile_stays_until_another_is_asked_for(writing: Writing):
    memory = MemoryTarget()

    def profile(entry: IndexedAgent, *, as_image: bool | None) -> bool:
        update_index(memory, "latest", adds(entry), as_image=as_image, writing=writing, what=WHAT)
        return read_index(memory, memory.resolve("latest"), what=WHAT).as_image

    assert profile(agent(), as_image=True)
    assert profile(agent(version="2"), as_image=None)
    assert not profile(agent(version="2"), as_image=False)


class Crowded(MemoryTarget):
    """A target where others write too, each time the manifest is looked for or has come."""

    def __init__(self) -> None:
        super().__init__()
        self.before_tag: list[SearchIndex] = []
        self.after_tag: list[SearchIndex] = []
        self.resolved = 0

    def other(self, index: SearchIndex) -> None:
        packed = pack(index)
        packed.push_blobs(self)
        super().push(packed.manifest.descriptor, BytesSource(packed.manifest.raw))
        super().tag(packed.manifest.descriptor, "latest")

    def resolve(self, name: str) -> Descriptor:
        self.resolved += 1
        if self.resolved % 2 == 0 and self.before_tag:
            self.other(self.before_tag.pop(0))
        return super().resolve(name)

    def tag(self, desc: Descriptor, name: str) -> None:
        super().tag(desc, name)
        if self.after_tag:
            self.other(self.after_tag.pop(0))


@pytest.mark.parametrize("when", ["before_tag", "after_tag"])
def test_a_change_that_others_overwrote_is_made_again_on_top(when: str, writing: Writing):
    crowded = Crowded()
    crowded.other(SearchIndex([agent(version="0.1")]))
    theirs = SearchIndex([agent(version="0.1"), agent(version="0.2")])
    setattr(crowded, when, [theirs])
    done = update_index(crowded, "latest", adds(agent()), writing=writing, what=WHAT)
    assert listed(crowded) == [f"example.com/team/bot:{v}" for v in ("0.1", "0.2", "1.0")]
    assert done.before == theirs


def test_a_later_index_that_has_the_change_too_is_fine(writing: Writing):
    crowded = Crowded()
    merged = SearchIndex([agent(), agent(version="0.2")])
    crowded.after_tag = [merged]
    update_index(crowded, "latest", adds(agent()), writing=writing, what=WHAT)
    assert listed(crowded) == ["example.com/team/bot:0.2", "example.com/team/bot:1.0"]


def test_an_index_that_never_keeps_still_is_an_error(writing: Writing, clock: StepClock):
    crowded = Crowded()
    crowded.after_tag = [SearchIndex([agent(version=f"0.{n}")]) for n in range(20)]
    with pytest.raises(IndexContended, match="not kept"):
        update_index(crowded, "latest", adds(agent()), writing=writing, what=WHAT)
    assert len(crowded.after_tag) == 14
    assert 0 < sum(clock.sleeps) < 20


def test_an_index_that_vanishes_is_written_again(writing: Writing):
    class Forgetful(MemoryTarget):
        forgets = 1

        def tag(self, desc: Descriptor, name: str) -> None:
            if self.forgets:
                self.forgets -= 1
                return
            super().tag(desc, name)

    target = Forgetful()
    update_index(target, "latest", adds(agent()), writing=writing, what=WHAT)
    assert listed(target) == ["example.com/team/bot:1.0"]


def test_who_is_alone_looks_back_at_nothing(writing: Writing, clock: StepClock):
    crowded = Crowded()
    alone = replace(writing, alone=True)
    update_index(crowded, "latest", adds(agent()), writing=alone, what=WHAT)
    assert (crowded.resolved, clock.sleeps) == (1, [])


def test_every_registry_keeps_an_index(
    registry: Registry,
    repository: str,
    make_client: Callable[..., RegistryClient],
    writing: Writing,
):
    target = make_client().repository(Reference(registry.host, repository), push=True)
    with pytest.raises(ContentNotFound):
        target.resolve("latest")
    update_index(target, "latest", adds(agent()), writing=writing, what=WHAT)
    update_index(target, "latest", adds(agent(version="2.0")), writing=writing, what=WHAT)
    assert listed(target) == ["example.com/team/bot:1.0", "example.com/team/bot:2.0"]
