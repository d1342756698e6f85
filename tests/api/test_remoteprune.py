"""Old versions go from a repository, and what stays keeps all that it needs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci import Engine, Reference, read_settings
from agentoci.api.remotegraph import Node, RemoteGraph
from agentoci.api.remoteprune import RepositoryChanged, plan_remote
from agentoci.api.retention import Action, PrunePlan, Rules, plan_prune
from agentoci.content.reader import BytesSource
from agentoci.errors import Integrity
from agentoci.registry.deletion import DeletionDisabled
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.digesttags import subject_of
from agentoci.spec.manifest import AnyManifest, Index, Manifest
from agentoci.spec.retention import Retention
from agentoci.spec.version import TagVersion
from tests import commandline
from tests.registries import Registry
from tests.registry.fake import FakeRegistry
from tests.registry.faults import refuses

NAME = "team/bot"


def d(name: str) -> Digest:
    return Digest("sha256", hashlib.sha256(name.encode()).hexdigest())


def about(name: str, suffix: str = "") -> str:
    """The tag of what speaks of a manifest."""
    return f"sha256-{d(name).hex}{suffix}"


def graph_of(tags: Mapping[str, str], **nodes: tuple[str, ...] | str) -> RemoteGraph:
    """Tags and their manifests by name; a node is what an index lists, or what it speaks of."""
    known = {d(name): Node() for name in tags.values()}
    for name, what in nodes.items():
        if isinstance(what, str):
            known[d(name)] = Node(subject=d(what))
        else:
            known |= {d(child): known.get(d(child), Node()) for child in what}
            known[d(name)] = Node(children=tuple(map(d, what)))
    return RemoteGraph({tag: d(name) for tag, name in tags.items()}, known)


def keep(*rules: str, **switches: object) -> Rules:
    return Rules(tuple(map(Retention.parse, rules)), **switches)  # type: ignore[arg-type]


def gone(plan: PrunePlan) -> set[str]:
    """The tags that go."""
    return {tag for removal in plan.removals for tag in removal.tags}


def deleted(plan: PrunePlan) -> list[Digest]:
    return [each.digest for each in plan.removals if each.action is Action.DELETE]


def test_highest_releases_stay():
    graph = graph_of({"1.0.0": "a", "1.1.0": "b", "2.0.0": "c", "v2.1.0": "e"})
    plan = plan_prune(graph, keep("2"))
    assert gone(plan) == {"1.0.0", "1.1.0"}
    assert set(deleted(plan)) == {d("a"), d("b")}
    assert plan.kept["2.0.0"] == "is kept by 2"


def test_rules_add_up():
    graph = graph_of({f"{n}.0.0": f"m{n}" for n in range(1, 6)} | {"5.1.0": "x"})
    assert gone(plan_prune(graph, keep("1", "major:3"))) == {"1.0.0", "2.0.0", "5.0.0"}


def test_other_tags_stay_unless_asked_for():
    graph = graph_of({"1.0.0": "a", "latest": "b", "main": "c", "lts-1": "e"})
    assert gone(plan_prune(graph, keep("1"))) == set()
    rules = keep("1", unversioned=True, keep=("lts-*",))
    assert gone(plan_prune(graph, rules)) == {"latest", "main"}


def test_list_of_a_long_digest_stays_for_its_tag_is_cut():
    graph = graph_of({"1.0.0": "a", f"sha512-{'a' * 64}": "list", "main": "b"})
    assert gone(plan_prune(graph, keep("1", unversioned=True))) == {"main"}


def test_tag_goes_alone_when_another_keeps_the_manifest():
    graph = graph_of({"1.0.0": "a", "latest": "a", "2.0.0": "b"})
    plan = plan_prune(graph, keep("1"))
    [removal] = plan.removals
    assert (removal.action, removal.tags) == (Action.UNTAG, ("1.0.0",))
    assert removal.why == "stays as latest"


def test_partial_versions_go_with_what_they_mean():
    tags = {"1.0.0": "a", "1.0": "a", "1": "b", "1.1.0": "b", "2.0.0": "c", "2": "c", "0": "x"}
    plan = plan_prune(graph_of(tags), keep("1"))
    assert gone(plan) == {"1.0.0", "1.0", "1", "1.1.0"}
    assert plan.kept["2"] == plan.kept["0"] == "moves along"


def test_prereleases_stay_while_they_come_after_every_release():
    tags = {"1.0.0": "a", "2.0.0-rc.1": "b", "1.0.0-rc.1": "c", "1.0.0-rc.2": "e"}
    assert gone(plan_prune(graph_of(tags), keep("1"))) == {"1.0.0-rc.1", "1.0.0-rc.2"}
    assert gone(plan_prune(graph_of(tags), keep("1", prereleases=True))) == set()


def test_index_keeps_what_it_lists():
    tags = {"1.0.0": "old", "2.0.0": "new", "0.9.0": "arm"}
    graph = graph_of(tags, new=("arm", "amd"), old=("arm", "old-amd"))
    plan = plan_prune(graph, keep("1"))
    assert deleted(plan) == [d("old"), d("old-amd")]
    [tag] = [each for each in plan.removals if each.action is Action.UNTAG]
    assert (tag.tags, tag.why) == (("0.9.0",), "is needed by what stays")


def test_what_speaks_of_a_version_goes_and_stays_with_it():
    tags = {
        "1.0.0": "old",
        "2.0.0": "new",
        about("old", ".sig"): "old-sig",
        about("new", ".sig"): "new-sig",
        about("new"): "list",
        about("new-sbom", ".att"): "deep",
        about("elsewhere", ".sig"): "stray",
    }
    graph = graph_of(tags, list=("new-sbom",))
    plan = plan_prune(graph, keep("1"))
    assert deleted(plan) == [d("old"), d("old-sig")]
    assert plan.removals[1].why == f"speaks of {d('old')}"
    assert plan.removals[1].after == {d("old")}
    assert set(plan.kept) == set(tags) - {"1.0.0", about("old", ".sig")}
    orphans = plan_prune(graph, keep("1", orphans=True))
    assert gone(orphans) == {"1.0.0", about("old", ".sig"), about("elsewhere", ".sig")}


def test_subject_keeps_what_a_kept_referrer_speaks_of():
    graph = graph_of({"1.0.0": "old", "2.0.0": "new", "report": "r"}, r="old")
    plan = plan_prune(graph, keep("1"))
    assert deleted(plan) == []
    assert gone(plan) == {"1.0.0"}


def test_parents_go_before_what_they_list():
    graph = graph_of({"1.0.0": "top", "2.0.0": "new"}, mid=("leaf",), top=("mid",))
    assert deleted(plan_prune(graph, keep("1"))) == [d("top"), d("mid"), d("leaf")]


def test_circles_end():
    graph = graph_of({"1.0.0": "a", "2.0.0": "x"}, a=("b",), b=("c",), c=("a",))
    assert set(deleted(plan_prune(graph, keep("1")))) == {d("a"), d("b"), d("c")}


# Properties

NAMES = [f"m{number}" for number in range(8)]
TAGS = st.one_of(
    st.builds("{}.{}.{}".format, *[st.integers(0, 3)] * 3),
    st.builds("{}.{}".format, *[st.integers(0, 3)] * 2),
    st.builds("{}.0.0-rc.{}".format, *[st.integers(0, 3)] * 2),
    st.sampled_from(["latest", "main", "lts-1"]),
    st.builds(about, st.sampled_from([*NAMES, "other"]), st.sampled_from(["", ".sig", ".att"])),
)
NODES = st.builds(
    lambda children, subject: Node(tuple(map(d, children)), d(subject) if subject else None),
    st.lists(st.sampled_from(NAMES), max_size=2),
    st.one_of(st.none(), st.none(), st.sampled_from(NAMES)),
)
GRAPHS = st.builds(
    lambda tags, nodes, pinned: RemoteGraph(
        {tag: d(name) for tag, name in tags.items()},
        {d(name): node for name, node in nodes.items()},
        frozenset(map(d, pinned)),
    ),
    st.dictionaries(TAGS, st.sampled_from(NAMES), max_size=12),
    st.fixed_dictionaries(dict.fromkeys(NAMES, NODES)),
    st.sets(st.sampled_from(NAMES), max_size=1),
)
RULES = st.builds(
    Rules,
    st.lists(
        st.sampled_from(["1", "2", "major:1", "minor:2", "major:2,patch:1"]).map(Retention.parse),
        max_size=2,
    ).map(tuple),
    st.sampled_from([(), ("lts-*",), ("0.*",)]),
    prereleases=st.booleans(),
    unversioned=st.booleans(),
    orphans=st.booleans(),
)


def applied(graph: RemoteGraph, plan: PrunePlan) -> RemoteGraph:
    """The graph when the plan was carried out."""
    lost, dead = gone(plan), set(deleted(plan))
    tags = {tag: digest for tag, digest in graph.tags.items() if tag not in lost}
    nodes = {digest: node for digest, node in graph.nodes.items() if digest not in dead}
    return RemoteGraph(tags, nodes, graph.pinned)


@given(GRAPHS, RULES)
def test_what_is_kept_keeps_all_it_reaches(graph: RemoteGraph, rules: Rules):
    plan = plan_prune(graph, rules)
    left = applied(graph, plan)
    alive = set(left.nodes)
    assert set(left.tags.values()) <= alive
    assert graph.pinned <= alive
    for digest in alive:
        node = graph.nodes[digest]
        assert set(node.children) <= alive
        assert node.subject is None or node.subject in alive
    for digest, node in graph.nodes.items():
        if node.subject in alive:
            assert digest in alive, "an attachment of what stays"
    for tag, digest in graph.tags.items():
        subject = subject_of(tag)
        if subject in alive:
            assert left.tags.get(tag) == digest


@given(GRAPHS, RULES)
def test_planning_again_plans_nothing(graph: RemoteGraph, rules: Rules):
    plan = plan_prune(graph, rules)
    assert plan_prune(applied(graph, plan), rules).removals == ()


@given(GRAPHS, RULES)
def test_nothing_goes_against_the_rules(graph: RemoteGraph, rules: Rules):
    plan = plan_prune(graph, rules)
    lost = gone(plan)
    assert set(plan.kept) == set(graph.tags) - lost
    versions = [v for tag in graph.tags if (v := TagVersion.parse(tag)) is not None]
    for rule in rules.semver:
        assert not lost & rule.select(v for v in versions if v.is_release)
    others = {tag for tag in lost if not TagVersion.parse(tag) and not subject_of(tag)}
    assert rules.unversioned or not others
    assert not {tag for tag in lost if rules.keep == ("lts-*",) and tag == "lts-1"}
    order = deleted(plan)
    assert len(order) == len(set(order))


# At a registry


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(read_settings(commandline.home_variables(tmp_path / "own"))) as engine:
        yield engine


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        fake.put(NAME, EMPTY_CONTENT)
        yield fake


def image(kind: str, *, of: AnyManifest | None = None) -> Manifest:
    subject = of.descriptor if of is not None else None
    return Manifest.build(config=EMPTY, layers=[EMPTY], artifact_type=kind, subject=subject)


def put(fake: FakeRegistry, manifest: AnyManifest, *tags: str) -> Descriptor:
    desc = manifest.descriptor
    for tag in tags or (str(desc.digest),):
        fake.put_manifest(NAME, tag, manifest.media_type, manifest.raw)
    return desc


def fill(fake: FakeRegistry) -> dict[str, Descriptor]:
    """Three versions, each an index of two images with a signature and an SBOM by subject."""
    found: dict[str, Descriptor] = {}
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        arm, amd = image(f"arm/{version}"), image(f"amd/{version}")
        index = Index.build([arm.descriptor, amd.descriptor])
        sbom = image(f"sbom/{version}", of=index)
        signature = image(f"sig/{version}")
        found[f"sbom {version}"] = put(fake, sbom)
        found[f"arm {version}"] = put(fake, arm)
        put(fake, amd)
        found[version] = put(fake, index, version)
        found[f"sig {version}"] = put(fake, signature, f"sha256-{index.descriptor.digest.hex}.sig")
    put(fake, Index.build([found["2.0.0"]]), "latest")
    return found


def test_old_versions_go_with_all_that_hangs_on_them(engine: Engine, fake: FakeRegistry):
    found = fill(fake)
    prune = plan_remote(engine, f"{fake.host}/{NAME}", keep("2"))
    outcomes = prune.carry_out()
    assert all(outcome.error is None for outcome in outcomes)
    left = {digest for name, digest in fake.manifests if ":" in digest}
    assert {str(desc.digest) for name, desc in found.items() if "1.0.0" in name}.isdisjoint(left)
    assert {str(desc.digest) for name, desc in found.items() if "1.0.0" not in name} <= left
    assert len(outcomes) == 5
    again = plan_remote(engine, f"{fake.host}/{NAME}", keep("2"))
    assert again.plan.removals == ()


def test_referrers_under_a_tag_go_too(engine: Engine, fake: FakeRegistry):
    fake.referrers = False
    old = put(fake, image("old"), "1.0.0")
    put(fake, image("new"), "2.0.0")
    sbom = put(fake, image("sbom", of=image("old")))
    put(fake, Index.build([sbom]), f"sha256-{old.digest.hex}")
    plan_remote(engine, f"{fake.host}/{NAME}", keep("1")).carry_out()
    assert fake.tags(NAME) == ["2.0.0"]
    assert (NAME, str(sbom.digest)) not in fake.manifests


def test_untagged_image_with_a_signature_stays(engine: Engine, fake: FakeRegistry):
    put(fake, image("new"), "2.0.0")
    arm = image("arm")
    untagged = put(fake, Index.build([put(fake, arm)]))
    put(fake, arm, "1.0.0")
    put(fake, image("sig"), f"sha256-{untagged.digest.hex}.sig")
    prune = plan_remote(engine, f"{fake.host}/{NAME}", keep("1", orphans=True))
    [removal] = prune.plan.removals
    assert (removal.action, removal.tags) == (Action.UNTAG, ("1.0.0",))


@pytest.mark.parametrize("tag", ["0.1.0", None])
def test_checkpoint_keeps_itself_and_its_image(engine: Engine, fake: FakeRegistry, tag: str | None):
    old = image("old")
    put(fake, old, "1.0.0")
    put(fake, image("new"), "2.0.0")
    checkpoint = put(fake, image(mediatypes.CHECKPOINT, of=old), *filter(None, [tag]))
    prune = plan_remote(engine, f"{fake.host}/{NAME}", keep("1", unversioned=True))
    prune.carry_out()
    left = {name for _, name in fake.manifests}
    assert {str(checkpoint.digest), str(old.descriptor.digest)} <= left
    assert fake.tags(NAME) == [*filter(None, [tag]), "2.0.0"]


def test_report_of_a_kept_image_stays_though_an_old_index_lists_it(
    engine: Engine, fake: FakeRegistry
):
    new = image("new")
    put(fake, new, "2.0.0")
    report = put(fake, image("report", of=new))
    put(fake, Index.build([report]), "1.0.0")
    plan_remote(engine, f"{fake.host}/{NAME}", keep("1")).carry_out()
    assert fake.tags(NAME) == ["2.0.0"]
    assert (NAME, str(report.digest)) in fake.manifests


def test_failures_leave_what_hangs_on_them_and_the_rest_goes(engine: Engine, fake: FakeRegistry):
    found = fill(fake)
    fake.on("DELETE", str(found["1.0.0"].digest), refuses(403, "DENIED", "locked"), times=9)
    outcomes = plan_remote(engine, f"{fake.host}/{NAME}", keep("1")).carry_out()
    failed = {o.removal.digest: o.error for o in outcomes if o.error is not None}
    assert "locked" in str(failed[found["1.0.0"].digest])
    assert "could not be deleted" in str(failed[found["arm 1.0.0"].digest])
    assert len(failed) == 5
    assert len(outcomes) == 10
    left = {digest for _, digest in fake.manifests}
    assert {str(desc.digest) for name, desc in found.items() if "1.0.0" in name} <= left
    assert str(found["1.1.0"].digest) not in left


def test_registry_that_deletes_nothing_says_so_at_once(engine: Engine, fake: FakeRegistry):
    fill(fake)
    fake.deletes = False
    with pytest.raises(DeletionDisabled):
        plan_remote(engine, f"{fake.host}/{NAME}", keep("1")).carry_out()
    assert len(fake.requests("DELETE")) == 1


def test_tag_that_comes_after_the_plan_stops_it(engine: Engine, fake: FakeRegistry):
    found = fill(fake)
    prune = plan_remote(engine, f"{fake.host}/{NAME}", keep("1"))
    media_type, content = fake.manifests[NAME, str(found["arm 1.0.0"].digest)]
    fake.put_manifest(NAME, "rescued", media_type, content)
    with pytest.raises(RepositoryChanged, match="rescued"):
        prune.carry_out()
    assert not fake.requests("DELETE")


def test_manifest_that_cannot_be_read_stops_the_plan(engine: Engine, fake: FakeRegistry):
    fill(fake)
    fake.put_manifest(NAME, "bad", mediatypes.OCI_INDEX, b'{"manifests": [{"digest": 1}]}')
    with pytest.raises(Integrity, match="descriptor without mediaType"):
        plan_remote(engine, f"{fake.host}/{NAME}", keep("1"))


def test_kept_images_are_not_fetched_whole(engine: Engine, fake: FakeRegistry):
    found = fill(fake)
    plan_remote(engine, f"{fake.host}/{NAME}", keep("9"))
    assert not fake.requests("GET", str(found["arm 2.0.0"].digest))
    assert not fake.requests("GET", "/referrers/")


@pytest.mark.integration
def test_real_registry_is_pruned(engine: Engine, registry: Registry, repository: str):
    name = registry.reference(repository)
    remote = engine.client.repository(Reference.parse(name), push=True)
    remote.push(EMPTY, BytesSource(EMPTY_CONTENT))
    signatures: list[str] = []
    sboms: list[Descriptor] = []
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        arm = image(f"arm/{version}")
        remote.push(arm.descriptor, BytesSource(arm.raw))
        index = Index.build([arm.descriptor])
        remote.push_tagged(index.descriptor, index.raw, (version,))
        signature = image(f"sig/{version}")
        signatures.append(f"sha256-{index.descriptor.digest.hex}.sig")
        remote.push_tagged(signature.descriptor, signature.raw, (signatures[-1],))
        report = image(f"sbom/{version}", of=index)
        remote.push(report.descriptor, BytesSource(report.raw))
        sboms.append(report.descriptor)
        if version != "2.0.0":
            continue
        remote.push_tagged(index.descriptor, index.raw, ("1.9.0",))
        remote.push_tagged(index.descriptor, index.raw, ("latest",))
    outcomes = plan_remote(engine, name, keep("1")).carry_out()
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    left = set(remote.tags()) - {signatures[-1].removesuffix(".sig")}  # the list of referrers
    assert left == {"2.0.0", "latest", signatures[-1]}
    for kept in left:
        remote.resolve(kept)
    assert [desc.digest for desc in remote.referrers(remote.resolve("2.0.0"))] == [sboms[-1].digest]
    for sbom in sboms[:-1]:
        assert not remote.exists(sbom)
    assert plan_remote(engine, name, keep("1")).plan.removals == ()
