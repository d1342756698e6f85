"""What speaks of a manifest: asked of the registry, or found under the tag of the fallback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentoci._internal import limits
from agentoci._internal.clock import SystemClock
from agentoci.content.protocols import ReferrerLister
from agentoci.content.reader import BytesSource, SizeMismatch
from agentoci.content.referrers import NotAReferrerList, TooManyReferrers
from agentoci.errors import AgentociError, Denied
from agentoci.registry.errors import RegistryFailing, UnsafeDestination
from agentoci.registry.facts import RunMemory
from agentoci.registry.fallback import ReferrerLost
from agentoci.registry.manifests import TagImmutable
from agentoci.registry.repository import Repository
from agentoci.registry.turns import Turns
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.digesttags import referrers_tag
from agentoci.spec.manifest import Manifest
from tests.registry.conftest import Open, StepClock
from tests.registry.fake import FakeRegistry, Tokens
from tests.registry.faults import Exchange, Fault, Reply, adds, answers, refuses

NAME = "team/bot"
SBOM = "application/vnd.example.sbom"
REPORT = "application/vnd.example.report"
IMAGE = Manifest.build(config=EMPTY, layers=[EMPTY], annotations={"what": "image"})
SUBJECT = IMAGE.descriptor
TAG = referrers_tag(SUBJECT.digest)


def attachment(note: str, artifact_type: str | None = SBOM, **options: object) -> Manifest:
    config = options.get("config", EMPTY)
    assert isinstance(config, Descriptor)
    return Manifest.build(
        config=config,
        layers=[EMPTY],
        artifact_type=artifact_type,
        annotations={"note": note},
        subject=SUBJECT,
    )


def push(repository: Repository, manifest: Manifest) -> Descriptor:
    for blob in {manifest.config, *manifest.layers}:
        repository.push(blob, BytesSource(EMPTY_CONTENT))
    repository.push(manifest.descriptor, BytesSource(manifest.raw))
    return manifest.descriptor


def entry(manifest: Manifest, **changes: object) -> dict[str, object]:
    document: dict[str, object] = dict(manifest.descriptor.document())
    return document | {"annotations": dict(manifest.annotations)} | changes


def index(*entries: object, **changes: object) -> str:
    document = {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": list(entries)}
    return json.dumps(document | changes)


def lists(*entries: object, **headers: str) -> Fault:
    headers.setdefault("Content_Type", mediatypes.OCI_INDEX)
    return answers(200, index(*entries), **headers)


def offers(fake: FakeRegistry, *entries: object, **headers: str) -> None:
    """From now on the registry has the referrers API, and lists these."""
    fake.on("GET", "/referrers/", lists(*entries, **headers), times=20)


def write_list(fake: FakeRegistry, *entries: object) -> None:
    fake.put_manifest(NAME, TAG, mediatypes.OCI_INDEX, index(*entries).encode())


def listed_under_tag(fake: FakeRegistry) -> list[str]:
    document = json.loads(fake.manifests[NAME, TAG][1])
    return [each["digest"] for each in document["manifests"]]


def put_behind(fake: FakeRegistry, manifest: Manifest) -> Manifest:
    digest = str(manifest.descriptor.digest)
    fake.put_manifest(NAME, digest, mediatypes.OCI_MANIFEST, manifest.raw)
    return manifest


def digests(*manifests: Manifest) -> set[Digest]:
    return {manifest.descriptor.digest for manifest in manifests}


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    """A registry without the API; tests that need its answers write them."""
    with FakeRegistry() as fake:
        fake.referrers = False
        yield fake


@pytest.fixture
def memory() -> RunMemory:
    return RunMemory()


@pytest.fixture
def repository(fake: FakeRegistry, open_repository: Open, memory: RunMemory) -> Repository:
    return open_repository(fake, NAME, push=True, memory=memory)


ONE, TWO, THREE = attachment("one"), attachment("two", REPORT), attachment("three")


# The API


def test_api_lists_with_types_and_annotations(
    fake: FakeRegistry, repository: Repository, memory: RunMemory
) -> None:
    offers(fake, entry(ONE), entry(TWO))
    assert isinstance(repository, ReferrerLister)
    found = repository.referrers(SUBJECT)
    assert [(e.digest, e.artifact_type, e.annotations) for e in found] == [
        (ONE.descriptor.digest, SBOM, {"note": "one"}),
        (TWO.descriptor.digest, REPORT, {"note": "two"}),
    ]
    assert memory.facts(fake.host).referrers is True
    assert str(SUBJECT.digest) in fake.requests("GET", "/referrers/")[0].path


def test_an_empty_list_is_a_list(
    fake: FakeRegistry, repository: Repository, memory: RunMemory
) -> None:
    body = index(manifests=None)
    fake.on("GET", "/referrers/", answers(200, body, Content_Type=mediatypes.OCI_INDEX))
    assert repository.referrers(SUBJECT) == ()
    assert memory.facts(fake.host).referrers is True


def test_pages_are_followed(fake: FakeRegistry, repository: Repository) -> None:
    first = f"/v2/{NAME}/referrers/{SUBJECT.digest}"
    fake.on(
        "GET",
        "/referrers/",
        lists(entry(ONE), Link=f'<{first}?page=2>; rel="next"'),
        lists(entry(TWO), entry(ONE), Link=f"<http://127.0.0.1:1{first}?page=3>;rel=next"),
        lists(entry(THREE)),
    )
    found = repository.referrers(SUBJECT)
    assert [e.digest for e in found] == [m.descriptor.digest for m in (ONE, TWO, THREE)]
    asked = fake.requests("GET", "/referrers/")
    assert [one.query.get("page") for one in asked] == [None, ["2"], ["3"]]


def test_pages_elsewhere_are_not_followed(fake: FakeRegistry, repository: Repository) -> None:
    fake.on("GET", "/referrers/", lists(entry(ONE), Link='<http://localhost/v2/x>; rel="next"'))
    with pytest.raises(UnsafeDestination, match="rest of a list"):
        repository.referrers(SUBJECT)


def test_pages_without_end_end(fake: FakeRegistry, repository: Repository) -> None:
    fake.on("GET", "/referrers/", lists(entry(ONE), Link='<?again>; rel="next"'), times=200)
    with pytest.raises(TooManyReferrers, match="does not end"):
        repository.referrers(SUBJECT)
    assert len(fake.requests("GET", "/referrers/")) == 100


@pytest.mark.parametrize(
    "headers", [{}, {"OCI_Filters_Applied": "somethingElse"}], ids=["silent", "other"]
)
def test_types_are_filtered_here_when_the_registry_does_not(
    fake: FakeRegistry, repository: Repository, headers: dict[str, str]
) -> None:
    offers(fake, entry(ONE), entry(TWO), **headers)
    found = repository.referrers(SUBJECT, artifact_type=SBOM)
    assert {e.digest for e in found} == digests(ONE)
    assert fake.requests("GET", "/referrers/")[0].query == {"artifactType": [SBOM]}


def test_the_registrys_own_filter_is_trusted(fake: FakeRegistry, repository: Repository) -> None:
    # Harbor once showed the config's type; what it picked by the right one is right.
    wrong = entry(ONE, artifactType=mediatypes.OCI_EMPTY)
    offers(fake, wrong, OCI_Filters_Applied="artifactType")
    found = repository.referrers(SUBJECT, artifact_type=SBOM)
    assert {e.digest for e in found} == digests(ONE)


def test_a_type_that_the_list_lacks_is_read_from_the_manifest(
    fake: FakeRegistry, repository: Repository
) -> None:
    put_behind(fake, ONE)
    without = entry(ONE)
    del without["artifactType"], without["annotations"]
    offers(fake, without, entry(put_behind(fake, TWO), artifactType=mediatypes.OCI_EMPTY))
    assert {e.artifact_type for e in repository.referrers(SUBJECT)} == {SBOM, REPORT}
    [one] = repository.referrers(SUBJECT, artifact_type=SBOM)
    assert (one.artifact_type, one.annotations) == (SBOM, {"note": "one"})
    [two] = repository.referrers(SUBJECT, artifact_type=REPORT)
    assert two.digest == TWO.descriptor.digest


def test_entries_that_nobody_can_read_are_passed_over(
    fake: FakeRegistry, repository: Repository
) -> None:
    offers(fake, {"digest": "blake3:00"}, "text", entry(ONE, mediaType="a/b"), entry(TWO))
    assert {e.digest for e in repository.referrers(SUBJECT)} == digests(TWO)


HTML = "<html>please log in</html>"
UNSUPPORTED = [
    answers(404, "404 page not found", Content_Type="text/plain"),
    answers(400, ""),
    answers(405, ""),
    answers(406, ""),
    answers(200, HTML, Content_Type="text/html"),
    answers(200, HTML, Content_Type=mediatypes.OCI_INDEX),
    answers(200, index(), Content_Type="application/json"),
    answers(200, index(mediaType="a/b"), Content_Type=mediatypes.OCI_INDEX),
    answers(200, index(manifests={}), Content_Type=mediatypes.OCI_INDEX),
    answers(200, '{"errors":[]}', Content_Type=mediatypes.OCI_INDEX),
    answers(200, IMAGE.raw, Content_Type=mediatypes.OCI_MANIFEST),
]


@pytest.mark.parametrize("answer", UNSUPPORTED)
def test_what_is_no_list_counts_as_no_api(
    fake: FakeRegistry, repository: Repository, memory: RunMemory, answer: Fault
) -> None:
    fake.on("GET", "/referrers/", answer)
    write_list(fake, entry(ONE), entry(TWO))
    assert {e.digest for e in repository.referrers(SUBJECT)} == digests(ONE, TWO)
    assert {e.digest for e in repository.referrers(SUBJECT, artifact_type=SBOM)} == digests(ONE)
    assert memory.facts(fake.host).referrers is False
    assert len(fake.requests("GET", "/referrers/")) == 1, "once known, it is not asked again"


def test_a_repository_that_is_not_there_teaches_nothing(
    fake: FakeRegistry, repository: Repository, memory: RunMemory
) -> None:
    body = '{"errors":[{"code":"NAME_UNKNOWN"}]}'
    fake.on("GET", "/referrers/", answers(404, body, Content_Type="application/json"))
    assert repository.referrers(SUBJECT) == ()
    assert memory.facts(fake.host).referrers is None


@pytest.mark.parametrize(("status", "error"), [(403, Denied), (503, RegistryFailing)])
def test_a_registry_that_is_unwell_is_not_one_without_referrers(
    fake: FakeRegistry, repository: Repository, status: int, error: type[AgentociError]
) -> None:
    write_list(fake, entry(ONE))
    fake.on("GET", "/referrers/", answers(status), times=20)
    with pytest.raises(error):
        repository.referrers(SUBJECT)


def test_what_only_the_tag_lists_is_shown_when_it_is_there_still(
    fake: FakeRegistry, repository: Repository
) -> None:
    put_behind(fake, TWO)
    write_list(fake, entry(ONE), entry(TWO), entry(THREE))  # THREE was deleted since
    offers(fake, entry(ONE))
    assert {e.digest for e in repository.referrers(SUBJECT)} == digests(ONE, TWO)
    found = repository.referrers(SUBJECT, artifact_type=REPORT)
    assert TWO.descriptor.digest in {e.digest for e in found}


def test_a_tag_that_means_something_else_does_not_disturb_the_api(
    fake: FakeRegistry, repository: Repository
) -> None:
    fake.put_manifest(NAME, TAG, mediatypes.OCI_MANIFEST, IMAGE.raw)
    offers(fake, entry(ONE))
    assert {e.digest for e in repository.referrers(SUBJECT)} == digests(ONE)


def test_without_the_api_such_a_tag_is_an_error(fake: FakeRegistry, repository: Repository) -> None:
    fake.put_manifest(NAME, TAG, mediatypes.OCI_MANIFEST, IMAGE.raw)
    with pytest.raises(NotAReferrerList, match=TAG):
        repository.referrers(SUBJECT)
    with pytest.raises(NotAReferrerList):
        push(repository, ONE)
    assert fake.manifests[NAME, TAG][1] == IMAGE.raw


def test_no_list_is_an_empty_one(repository: Repository) -> None:
    assert repository.referrers(SUBJECT) == ()


def test_reading_asks_for_leave_to_read_only(open_repository: Open) -> None:
    tokens = Tokens(allowed=frozenset({"pull"}))
    with FakeRegistry(auth=tokens) as fake:
        for manifest in (ONE, TWO):
            put_behind(fake, manifest)
        write_list(fake, entry(ONE), entry(TWO))
        offers(fake, entry(ONE))
        reader = open_repository(fake, NAME, user=None)
        assert {e.digest for e in reader.referrers(SUBJECT)} == digests(ONE, TWO)
        assert tokens.asked == [[f"repository:{NAME}:pull"]]


# Pushing


def test_a_pushed_referrer_is_listed_under_the_tag(
    fake: FakeRegistry, repository: Repository
) -> None:
    push(repository, ONE)
    push(repository, TWO)
    content = json.loads(fake.manifests[NAME, TAG][1])
    assert content["mediaType"] == mediatypes.OCI_INDEX
    assert sorted(content["manifests"], key=lambda e: e["annotations"]["note"]) == [
        entry(ONE),
        entry(TWO),
    ]


def test_a_registry_that_names_the_subject_keeps_the_list(
    fake: FakeRegistry, repository: Repository, memory: RunMemory
) -> None:
    assert repository.referrers(SUBJECT) == (), "it had no lists before it was upgraded"
    fake.referrers = True
    push(repository, ONE)
    assert (NAME, TAG) not in fake.manifests
    assert memory.facts(fake.host).referrers is True


def test_a_registry_that_forgets_to_list_is_told_again(
    fake: FakeRegistry, repository: Repository
) -> None:
    """olareg loses one of two referrers that it takes at the same moment."""
    fake.referrers = True
    fake.on("GET", "/referrers/", lists(entry(TWO)))
    push(repository, ONE)
    assert len(fake.requests("PUT", str(ONE.descriptor.digest))) == 2
    assert (NAME, TAG) not in fake.manifests


def test_what_a_registry_never_lists_is_listed_under_the_tag(
    fake: FakeRegistry, repository: Repository
) -> None:
    fake.referrers = True
    offers(fake, entry(TWO))
    push(repository, ONE)
    assert listed_under_tag(fake) == [str(ONE.descriptor.digest)]
    assert {e.digest for e in repository.referrers(SUBJECT)} == digests(ONE, TWO)


def test_another_subject_named_is_none(fake: FakeRegistry, repository: Repository) -> None:
    fake.on("PUT", "/manifests/", adds(OCI_Subject=str(ONE.descriptor.digest)))
    push(repository, ONE)
    assert listed_under_tag(fake) == [str(ONE.descriptor.digest)]


def test_pushing_again_writes_nothing_more(fake: FakeRegistry, repository: Repository) -> None:
    push(repository, ONE)
    before = len(fake.requests("PUT", TAG))
    repository.push_tagged(ONE.descriptor, ONE.raw, ("sbom",))
    repository.tag(ONE.descriptor, "other")
    assert len(fake.requests("PUT", TAG)) == before == 1


def test_without_artifact_type_the_configs_type_is_listed(
    fake: FakeRegistry, repository: Repository
) -> None:
    config = Descriptor("application/vnd.example.config", EMPTY.digest, EMPTY.size)
    manifest = attachment("typeless", None, config=config)
    push(repository, manifest)
    [found] = repository.referrers(SUBJECT)
    assert found.artifact_type == config.media_type
    assert found.annotations == {"note": "typeless"}


def test_the_profile_for_images_is_found_by_its_own_type(repository: Repository) -> None:
    config = Descriptor(mediatypes.OCI_IMAGE_CONFIG, EMPTY.digest, EMPTY.size)
    manifest = Manifest.build(
        config=config, layers=[EMPTY], annotations={keys.ARTIFACT_TYPE: SBOM}, subject=SUBJECT
    )
    push(repository, manifest)
    for artifact_type in (SBOM, config.media_type):
        assert repository.referrers(SUBJECT, artifact_type=artifact_type)


def test_what_others_wrote_is_written_back_as_it_was(
    fake: FakeRegistry, repository: Repository
) -> None:
    foreign = entry(TWO, data="e30=", urls=["http://x"], extra={"deep": 10**30})
    unreadable = {"digest": "blake3:00", "size": -1}
    write_list(fake, foreign, unreadable)
    push(repository, ONE)
    found = json.loads(fake.manifests[NAME, TAG][1])["manifests"]
    assert foreign in found
    assert unreadable in found
    assert len(found) == 3


def test_a_manifest_without_a_subject_costs_nothing_more(
    fake: FakeRegistry, repository: Repository
) -> None:
    push(repository, IMAGE)
    assert not fake.requests("GET")


# Races: another client writes between our reading and our writing


class OtherClient:
    """Writes the list behind our back, as a client of another host would."""

    def __init__(self, fake: FakeRegistry, rounds: int) -> None:
        self.fake = fake
        self.rounds = rounds

    def overwrites(self, own: Manifest) -> Fault:
        """The other one read the list before this PUT, and writes it after."""

        def fault(exchange: Exchange) -> Reply:
            before = self.fake.manifests.get((NAME, TAG))
            reply = exchange.serve()
            if self.rounds:
                self.rounds -= 1
                entries = json.loads(before[1])["manifests"] if before else []
                entries = [e for e in entries if e["digest"] != str(own.descriptor.digest)]
                write_list(self.fake, *entries, entry(own))
            return reply

        return fault


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_an_overwritten_list_is_written_again(
    fake: FakeRegistry, repository: Repository, rounds: int
) -> None:
    put_behind(fake, TWO)
    other = OtherClient(fake, rounds)
    fake.on("PUT", TAG, other.overwrites(TWO), times=20)
    push(repository, ONE)
    assert {e.digest for e in repository.referrers(SUBJECT)} == digests(ONE, TWO)


def test_who_is_overwritten_for_ever_says_so(fake: FakeRegistry, repository: Repository) -> None:
    put_behind(fake, TWO)
    fake.on("PUT", TAG, OtherClient(fake, 1000).overwrites(TWO), times=1000)
    with pytest.raises(ReferrerLost, match=str(ONE.descriptor.digest)) as caught:
        push(repository, ONE)
    assert caught.value.exit_code == 7
    assert "agent discover --repair" in str(caught.value.hint)
    assert str(ONE.descriptor.digest) in str(caught.value.hint)
    assert len(fake.requests("PUT", TAG)) < 50, "bounded"
    assert (NAME, str(ONE.descriptor.digest)) in fake.manifests, "stored all the same"


class LateWriter(StepClock):
    """Another client that writes TWO while we wait, from a list that it read long before."""

    def __init__(self, fake: FakeRegistry, times: int = 1) -> None:
        super().__init__()
        self.fake = fake
        self.times = times

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.times:
            self.times -= 1
            write_list(self.fake, entry(TWO))


def test_a_late_writer_is_noticed_by_a_look(fake: FakeRegistry, open_repository: Open) -> None:
    """The other one writes after our read-back: only looking again later shows it."""
    put_behind(fake, TWO)
    late = LateWriter(fake)
    repository = open_repository(fake, NAME, push=True, clock=late)
    push(repository, ONE)
    assert not late.times
    assert {e.digest for e in repository.referrers(SUBJECT)} == digests(ONE, TWO)


def test_what_a_late_writer_keeps_losing_ends(fake: FakeRegistry, open_repository: Open) -> None:
    put_behind(fake, TWO)
    late = LateWriter(fake, times=1000)
    repository = open_repository(fake, NAME, push=True, clock=late)
    with pytest.raises(ReferrerLost):
        push(repository, ONE)


def test_what_others_lost_through_a_race_is_put_back(
    fake: FakeRegistry, open_repository: Open
) -> None:
    """THREE was in the list that we merged; the late writer had read it before THREE was there."""
    for manifest in (TWO, THREE):
        put_behind(fake, manifest)
    write_list(fake, entry(THREE))
    repository = open_repository(fake, NAME, push=True, clock=LateWriter(fake))
    push(repository, ONE)
    assert {e.digest for e in repository.referrers(SUBJECT)} == digests(ONE, TWO, THREE)


def test_what_others_deleted_meanwhile_stays_away(
    fake: FakeRegistry, open_repository: Open
) -> None:
    put_behind(fake, TWO)
    write_list(fake, entry(THREE))  # listed, but gone: somebody deletes it and writes the list
    repository = open_repository(fake, NAME, push=True, clock=LateWriter(fake))
    push(repository, ONE)
    assert set(listed_under_tag(fake)) == set(map(str, digests(ONE, TWO)))


@pytest.mark.parametrize(
    ("status", "code"), [(400, "MANIFEST_BLOB_UNKNOWN"), (404, "MANIFEST_UNKNOWN")]
)
def test_a_list_that_the_registry_refuses_loses_what_is_gone(
    fake: FakeRegistry, repository: Repository, status: int, code: str
) -> None:
    """distribution and ggcr take no index with a missing entry: one deletion would block all."""
    put_behind(fake, TWO)
    write_list(fake, entry(TWO), entry(THREE))  # THREE was deleted, TWO was not
    fake.on("PUT", TAG, refuses(status, code, "unknown to registry"))
    push(repository, ONE)
    assert set(listed_under_tag(fake)) == set(map(str, digests(ONE, TWO)))


def test_a_list_that_is_refused_for_ever_is_not_written_for_ever(
    fake: FakeRegistry, repository: Repository
) -> None:
    fake.on("PUT", TAG, refuses(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry"), times=99)
    with pytest.raises(ReferrerLost):
        push(repository, ONE)


def test_two_hosts_at_once_lose_nothing(
    fake: FakeRegistry, open_repository: Open, tmp_path: Path
) -> None:
    """Fault 31: both have read the list when the first one writes."""
    here, there = (
        open_repository(
            fake, NAME, push=True, clock=SystemClock(), lock_folder=tmp_path / name, chance=None
        )
        for name in ("here", "there")
    )
    reached, written = threading.Event(), threading.Event()

    def waits_for_the_other(exchange: Exchange) -> Reply:
        reached.set()
        assert written.wait(10)
        return exchange.serve()

    def is_first(exchange: Exchange) -> Reply:
        reply = exchange.serve()
        written.set()
        return reply

    fake.on("PUT", TAG, waits_for_the_other)
    slow = threading.Thread(target=push, args=(here, ONE))
    slow.start()
    assert reached.wait(10)
    fake.on("PUT", TAG, is_first)
    push(there, TWO)
    slow.join()
    assert {e.digest for e in here.referrers(SUBJECT)} == digests(ONE, TWO)


def test_threads_of_one_client_take_turns(fake: FakeRegistry, open_repository: Open) -> None:
    repository = open_repository(fake, NAME, push=True)
    manifests = [attachment(str(number)) for number in range(8)]
    threads = [threading.Thread(target=push, args=(repository, each)) for each in manifests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {e.digest for e in repository.referrers(SUBJECT)} == digests(*manifests)
    assert len(fake.requests("PUT", TAG)) == 8, "nobody overwrote anybody"


def test_a_folder_that_takes_no_locks_is_no_obstacle(
    fake: FakeRegistry, open_repository: Open, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    repository = open_repository(fake, NAME, push=True, lock_folder=tmp_path / "file" / "locks")
    push(repository, ONE)
    assert {e.digest for e in repository.referrers(SUBJECT)} == digests(ONE)


def test_turns_exclude_other_clients_of_this_host(tmp_path: Path) -> None:
    first, second = Turns(tmp_path), Turns(tmp_path)
    seen: list[str] = []

    def other() -> None:
        with second.alone("x"):
            seen.append("second")

    with first.alone("x"):
        thread = threading.Thread(target=other)
        thread.start()
        with second.alone("y"):
            seen.append("another list")
        thread.join(0.05)
        seen.append("first")
    thread.join()
    assert seen == ["another list", "first", "second"]


# Removing


def test_removed_referrers_leave_the_list(fake: FakeRegistry, repository: Repository) -> None:
    for manifest in (ONE, TWO, THREE):
        push(repository, manifest)
    assert repository.listed.remove(SUBJECT, [ONE.descriptor, THREE.descriptor]) == ()
    assert {e.digest for e in repository.referrers(SUBJECT)} == digests(TWO)
    assert not fake.requests("DELETE")
    repository.listed.remove(SUBJECT, [TWO.descriptor])
    assert repository.referrers(SUBJECT) == ()


def test_what_the_api_lists_is_deleted(fake: FakeRegistry, repository: Repository) -> None:
    offers(fake, entry(ONE), entry(TWO))
    fake.on("DELETE", str(ONE.descriptor.digest), answers(202))
    assert repository.listed.remove(SUBJECT, [ONE.descriptor]) == ()
    assert len(fake.requests("DELETE")) == 1


@pytest.mark.parametrize("status", [405, 403, 400])
def test_what_the_registry_does_not_delete_is_told(
    fake: FakeRegistry, repository: Repository, status: int
) -> None:
    offers(fake, entry(ONE), entry(TWO))
    fake.on("DELETE", "/manifests/", answers(status))
    assert repository.listed.remove(SUBJECT, [ONE.descriptor]) == (ONE.descriptor,)


# Lists that cannot be read or written


def test_a_list_that_may_not_be_read_is_an_error(
    fake: FakeRegistry, repository: Repository
) -> None:
    fake.on("GET", TAG, answers(403))
    with pytest.raises(Denied, match=TAG):
        repository.referrers(SUBJECT)


def test_a_list_without_end_is_not_read(fake: FakeRegistry, repository: Repository) -> None:
    body = b" " * (limits.MAX_MANIFEST_BYTES + 1)
    fake.on("GET", TAG, answers(200, body, Content_Type=mediatypes.OCI_INDEX))
    with pytest.raises(SizeMismatch, match="larger than"):
        repository.referrers(SUBJECT)
    fake.on("GET", "/referrers/", answers(200, body, Content_Type=mediatypes.OCI_INDEX))
    other = Descriptor.of(mediatypes.OCI_MANIFEST, b"other")
    repository.listed._without_api = False
    with pytest.raises(RegistryFailing, match="larger than"):
        repository.referrers(other)


def test_a_list_that_no_registry_takes_is_not_written(
    fake: FakeRegistry, repository: Repository
) -> None:
    write_list(fake, entry(TWO, annotations={"long": "x" * (limits.MAX_MANIFEST_BYTES - 500)}))
    with pytest.raises(NotAReferrerList, match="registries take") as caught:
        push(repository, ONE)
    assert "--replace" in str(caught.value.hint)


def test_a_list_under_an_immutable_tag_says_what_to_allow(
    fake: FakeRegistry, repository: Repository
) -> None:
    write_list(fake, entry(put_behind(fake, TWO)))
    fake.on("PUT", TAG, refuses(400, "TAG_INVALID", "the tag is immutable"))
    with pytest.raises(TagImmutable, match="what speaks of an image") as caught:
        push(repository, ONE)
    assert "sha256-*" in str(caught.value.hint)


def test_a_page_that_fails_later_is_an_error(fake: FakeRegistry, repository: Repository) -> None:
    first = lists(entry(ONE), Link="<?page=2>; rel=next")
    fake.on("GET", "/referrers/", first, answers(403), first, answers(404))
    with pytest.raises(Denied):
        repository.referrers(SUBJECT)
    with pytest.raises(RegistryFailing, match="rest of its list"):
        repository.referrers(SUBJECT)
