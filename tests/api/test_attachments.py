"""Attaching, discovering and repairing, from Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentoci import Engine, read_settings
from agentoci._internal import limits
from agentoci.api.attachments import (
    AttachedFile,
    AttachmentFileMissing,
    AttachmentRefused,
    AttachOptions,
    BadAttachment,
    NotReplaced,
    attach,
)
from agentoci.api.discovery import Discovered, discover, kind_shown
from agentoci.api.repair import (
    GONE,
    OTHER_SUBJECT,
    ListDiffers,
    NothingToRepair,
    NotItsReferrer,
    repair,
)
from agentoci.content.protocols import ContentNotFound
from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.digesttags import referrers_tag
from agentoci.spec.manifest import Index, Manifest, parse_manifest
from agentoci.spec.reference import Reference
from tests import commandline
from tests.content.graphs import put_image
from tests.registry.conftest import StepClock
from tests.registry.fake import FakeRegistry
from tests.registry.faults import answers, refuses

SBOM = "application/vnd.example.sbom"
REPORT = "application/vnd.example.report"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    settings = read_settings(commandline.home_variables(tmp_path / "own"))
    with Engine(settings, clock=StepClock()) as engine:
        yield engine


@pytest.fixture(params=[False, True], ids=["tag", "api"])
def fake(request: pytest.FixtureRequest) -> Iterator[FakeRegistry]:
    """A registry without the referrers API, and one with it."""
    with FakeRegistry() as fake:
        fake.referrers = request.param
        yield fake


@pytest.fixture
def image(engine: Engine, fake: FakeRegistry) -> str:
    """An image at the registry."""
    repository = engine.client.repository(Reference(fake.host, "team/bot", "1.0"), push=True)
    repository.tag(put_image(repository, b"layer"), "1.0")
    return f"{fake.host}/team/bot:1.0"


@pytest.fixture
def local(engine: Engine) -> str:
    """An image in the local store."""
    store = engine.writable_store
    store.tag(put_image(store, b"layer"), "bot:1.0")
    return "bot:1.0"


@pytest.fixture
def report(tmp_path: Path) -> AttachedFile:
    path = tmp_path / "report.txt"
    path.write_text("all is well\n")
    return AttachedFile(path, "text/plain")


def rewritten(file: AttachedFile, text: str) -> AttachedFile:
    file.path.write_text(text)
    return file


def found_in(discovered: Discovered) -> set[Digest]:
    return {item.desc.digest for item in discovered.found}


def manifest_of(engine: Engine, image: str, digest: Digest) -> Manifest:
    reference = Reference.parse(image)
    repository = engine.client.repository(reference)
    desc = repository.resolve(str(digest))
    found = parse_manifest(fetch_bytes(repository, desc), what="attached")
    assert isinstance(found, Manifest)
    return found


# Attach


def test_attached_files_are_an_artifact_about_the_image(
    engine: Engine, image: str, report: AttachedFile, tmp_path: Path
):
    data = tmp_path / "data.json"
    data.write_text("{}")
    done = attach(
        engine,
        image,
        [report, AttachedFile.parse(str(data))],
        AttachOptions(REPORT, annotations={"by": "ada"}),
    )
    manifest = manifest_of(engine, image, done.digest)
    subject = engine.client.repository(Reference.parse(image)).resolve("1.0")
    assert manifest.artifact_type == REPORT
    assert manifest.subject == subject
    assert manifest.config == EMPTY
    assert dict(manifest.annotations) == {"by": "ada"}
    assert [(each.media_type, each.annotations[keys.TITLE]) for each in manifest.layers] == [
        ("text/plain", "report.txt"),
        ("application/json", "data.json"),
    ]
    repository = engine.client.repository(Reference.parse(image))
    assert fetch_bytes(repository, manifest.layers[0]) == b"all is well\n"
    assert fetch_bytes(repository, manifest.config) == EMPTY_CONTENT
    assert found_in(discover(engine, image)) == {done.digest}


def test_the_same_gives_the_same_digest_and_is_attached_once(
    engine: Engine, image: str, report: AttachedFile, fake: FakeRegistry
):
    options = AttachOptions(REPORT, annotations={"b": "2", "a": "1"})
    first = attach(engine, image, [report], options)
    again = AttachOptions(REPORT, annotations={"a": "1", "b": "2"})
    assert attach(engine, image, [report], again).digest == first.digest
    assert found_in(discover(engine, image)) == {first.digest}
    assert not fake.requests("POST", "nothing")


def test_attaching_more_adds(engine: Engine, image: str, report: AttachedFile):
    first = attach(engine, image, [report], AttachOptions(REPORT))
    second = attach(engine, image, [rewritten(report, "two")], AttachOptions(REPORT))
    assert found_in(discover(engine, image)) == {first.digest, second.digest}


def test_replacing_takes_earlier_ones_of_the_type_away(
    engine: Engine, image: str, report: AttachedFile
):
    first = attach(engine, image, [report], AttachOptions(REPORT))
    other = attach(engine, image, [report], AttachOptions(SBOM))
    options = AttachOptions(REPORT, replace=True)
    second = attach(engine, image, [rewritten(report, "two")], options)
    assert (second.replaced, second.left) == ((first.digest,), ())
    assert found_in(discover(engine, image)) == {second.digest, other.digest}
    assert attach(engine, image, [report], options).replaced == ()


def test_the_new_one_is_there_before_the_old_one_goes(
    engine: Engine, image: str, report: AttachedFile, fake: FakeRegistry
):
    first = attach(engine, image, [report], AttachOptions(REPORT))
    fake.on("PUT", "/manifests/", refuses(400, "MANIFEST_INVALID", "no"), times=9)
    options = AttachOptions(REPORT, replace=True)
    with pytest.raises(AttachmentRefused):
        attach(engine, image, [rewritten(report, "two")], options)
    assert found_in(discover(engine, image)) == {first.digest}


def test_what_cannot_be_replaced_is_told(
    engine: Engine, image: str, report: AttachedFile, fake: FakeRegistry
):
    first = attach(engine, image, [report], AttachOptions(REPORT))
    fake.on("DELETE", "/manifests/", answers(405), times=9)
    options = AttachOptions(REPORT, replace=True)
    done = attach(engine, image, [rewritten(report, "two")], options)
    if fake.referrers:
        assert done.left == (first.digest,)
        with pytest.raises(NotReplaced, match=str(first.digest)) as caught:
            done.check()
        assert caught.value.exit_code == 7
    else:
        assert done.replaced == (first.digest,)
        done.check()


def test_annotations_alone_are_attached(engine: Engine, image: str):
    done = attach(engine, image, [], AttachOptions(REPORT, annotations={"approved": "yes"}))
    assert manifest_of(engine, image, done.digest).layers == (EMPTY,)
    with pytest.raises(BadAttachment, match="nothing to attach"):
        attach(engine, image, [], AttachOptions(REPORT))


def test_a_refused_type_names_the_way_out(
    engine: Engine, image: str, report: AttachedFile, fake: FakeRegistry
):
    refusal = refuses(400, "MANIFEST_INVALID", "unknown media type")
    fake.on("PUT", "/manifests/", refusal, times=1)
    with pytest.raises(AttachmentRefused, match="unknown media type") as caught:
        attach(engine, image, [report], AttachOptions(REPORT))
    assert "--config-type" in str(caught.value.hint)
    options = AttachOptions(REPORT, config_type=mediatypes.OCI_IMAGE_CONFIG)
    done = attach(engine, image, [report], options)
    manifest = manifest_of(engine, image, done.digest)
    assert manifest.artifact_type is None
    assert manifest.config.media_type == mediatypes.OCI_IMAGE_CONFIG
    [item] = discover(engine, image, artifact_type=REPORT).found
    assert kind_shown(item) == REPORT


def test_a_child_that_another_client_still_writes_is_waited_for(
    engine: Engine, image: str, report: AttachedFile, fake: FakeRegistry
):
    """docker-registry 2.8 reads a half-written link, and blames the digest."""
    refusal = refuses(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    fake.on("PUT", "/manifests/sha256:", refusal)
    done = attach(engine, image, [report], AttachOptions(REPORT))
    assert found_in(discover(engine, image)) == {done.digest}


@pytest.mark.parametrize("given", ["text", "a/b/c", "a b/c", "/x", ""])
def test_a_type_that_is_none_is_refused(
    engine: Engine, local: str, report: AttachedFile, given: str
):
    with pytest.raises(BadAttachment, match="media type"):
        attach(engine, local, [report], AttachOptions(given))
    with pytest.raises(BadAttachment, match="needs a type"):
        attach(engine, local, [report], AttachOptions())


def test_files_that_cannot_be_attached(engine: Engine, local: str, tmp_path: Path):
    def refused(*paths: Path) -> str:
        files = [AttachedFile(path, "a/b") for path in paths]
        with pytest.raises((BadAttachment, AttachmentFileMissing)) as caught:
            attach(engine, local, files, AttachOptions(REPORT))
        return caught.value.message

    one, empty, large = tmp_path / "one", tmp_path / "empty", tmp_path / "large"
    (tmp_path / "deep").mkdir()
    twin = tmp_path / "deep" / "one"
    one.write_bytes(b"1")
    twin.write_bytes(b"2")
    empty.write_bytes(b"")
    with large.open("wb") as stream:
        stream.truncate(limits.MAX_ATTACHED_BYTES + 1)
    assert "no such file" in refused(tmp_path / "missing")
    assert "not a file" in refused(tmp_path)
    assert "without bytes" in refused(empty)
    assert "would both be called 'one'" in refused(one, twin)
    assert "at most 100" in refused(*[one] * 101)
    assert "larger than 1024 MiB" in refused(large)
    assert discover(engine, local).found == ()


@pytest.mark.parametrize(
    ("text", "path", "media_type"),
    [
        ("sbom.json", "sbom.json", "application/json"),
        ("sbom.json:application/spdx+json", "sbom.json", "application/spdx+json"),
        ("dir/a:b", "dir/a:b", "application/octet-stream"),
        ("a:b/c/d", "a:b/c/d", "application/octet-stream"),
        ("x.MD", "x.MD", "text/markdown"),
    ],
)
def test_files_and_their_types(text: str, path: str, media_type: str):
    assert AttachedFile.parse(text) == AttachedFile(Path(path), media_type)


def test_a_file_with_a_colon_is_that_file(tmp_path: Path):
    (tmp_path / "a:b").mkdir()
    path = tmp_path / "a:b" / "c"
    path.write_text("x")
    assert AttachedFile.parse(str(path)).path == path


# Where


def test_the_local_store_holds_attachments(engine: Engine, local: str, report: AttachedFile):
    first = attach(engine, local, [report], AttachOptions(REPORT))
    assert found_in(discover(engine, local)) == {first.digest}
    second = attach(engine, local, [rewritten(report, "two")], AttachOptions(REPORT, replace=True))
    assert second.replaced == (first.digest,)
    assert found_in(discover(engine, local)) == {second.digest}
    assert found_in(discover(engine, local, artifact_type=SBOM)) == set()


def test_a_layout_holds_attachments(
    engine: Engine, local: str, report: AttachedFile, tmp_path: Path
):
    engine.transfers.push(local, f"oci:{tmp_path / 'layout'}:bot:1.0")
    where = f"oci:{tmp_path / 'layout'}:bot:1.0"
    done = attach(engine, where, [report], AttachOptions(REPORT))
    assert found_in(discover(engine, where)) == {done.digest}
    assert found_in(discover(engine, local)) == set()


def test_a_name_with_a_registry_is_local_on_demand(
    engine: Engine, image: str, local: str, report: AttachedFile
):
    engine.images.tag(local, Reference.parse(image))
    done = attach(engine, image, [report], AttachOptions(REPORT, local=True))
    assert found_in(discover(engine, image, local=True)) == {done.digest}
    assert found_in(discover(engine, image)) == set()


def test_an_unknown_image_is_not_found(engine: Engine, image: str, report: AttachedFile):
    for name in ("nobody:1", f"{image}-missing"):
        with pytest.raises(ContentNotFound):
            attach(engine, name, [report], AttachOptions(REPORT))
        with pytest.raises(ContentNotFound):
            discover(engine, name)


# Discover


def test_discovering_in_depth(engine: Engine, image: str, report: AttachedFile):
    first = attach(engine, image, [report], AttachOptions(REPORT))
    name = f"{image.rpartition(':')[0]}@{first.digest}"
    second = attach(engine, name, [report], AttachOptions(SBOM))
    assert found_in(discover(engine, image)) == {first.digest}
    found = discover(engine, image, recursive=True).found
    assert [(item.desc.digest, item.subject.digest) for item in found] == [
        (first.digest, first.subject),
        (second.digest, first.digest),
    ]
    assert found_in(discover(engine, image, recursive=True, artifact_type=SBOM)) == {second.digest}


def test_what_cosign_keeps_under_tags_is_told(engine: Engine, image: str):
    repository = engine.client.repository(Reference.parse(image), push=True)
    subject = repository.resolve("1.0")
    for suffix in ("sig", "att", "sbom"):
        repository.tag(
            put_image(repository, suffix.encode()), f"sha256-{subject.digest.hex}.{suffix}"
        )
    found = discover(engine, image).found
    assert {kind_shown(item) for item in found} == {
        "cosign signature",
        "cosign attestation",
        "cosign SBOM",
    }
    assert discover(engine, image, artifact_type=mediatypes.OCI_IMAGE_CONFIG).found == ()


# Repair


@pytest.fixture
def tagged(fake: FakeRegistry) -> FakeRegistry:
    """A registry without the API, however the test began."""
    fake.referrers = False
    return fake


def put_list(engine: Engine, image: str, subject: Digest, *entries: Descriptor) -> None:
    repository = engine.client.repository(Reference.parse(image), push=True)
    index = Index.build(entries)
    repository.push_tagged(index.descriptor, index.raw, (referrers_tag(subject),))


def test_a_lost_entry_comes_back_by_its_digest(
    engine: Engine, image: str, report: AttachedFile, tagged: FakeRegistry
):
    done = attach(engine, image, [report], AttachOptions(REPORT, annotations={"by": "ada"}))
    put_list(engine, image, done.subject)
    assert discover(engine, image).found == ()
    planned = repair(engine, image, [done.digest], dry_run=True)
    with pytest.raises(ListDiffers) as caught:
        planned.check()
    assert caught.value.exit_code == 3
    assert discover(engine, image).found == ()
    mended = repair(engine, image, [done.digest])
    assert [desc.digest for desc in mended.add] == [done.digest]
    [item] = discover(engine, image).found
    assert (item.kind, dict(item.desc.annotations)) == (REPORT, {"by": "ada"})
    assert not repair(engine, image, [done.digest], dry_run=True).differs


def test_what_the_local_store_holds_comes_back_by_itself(
    engine: Engine, image: str, local: str, report: AttachedFile, tagged: FakeRegistry
):
    here = attach(engine, local, [report], AttachOptions(REPORT))
    attach(engine, local, [rewritten(report, "never pushed")], AttachOptions(REPORT))
    there = attach(engine, image, [rewritten(report, "all is well\n")], AttachOptions(REPORT))
    assert here.digest == there.digest
    put_list(engine, image, there.subject)
    assert [desc.digest for desc in repair(engine, image).add] == [there.digest]
    assert found_in(discover(engine, image)) == {there.digest}


def test_entries_that_are_gone_or_speak_of_others_are_dropped(
    engine: Engine, image: str, report: AttachedFile, tagged: FakeRegistry
):
    done = attach(engine, image, [report], AttachOptions(REPORT))
    repository = engine.client.repository(Reference.parse(image), push=True)
    stranger = put_image(repository, b"stranger")
    missing = Descriptor.of(mediatypes.OCI_MANIFEST, b"missing")
    typeless = repository.resolve(str(done.digest))
    put_list(engine, image, done.subject, missing, stranger, typeless)
    mended = repair(engine, image)
    assert dict(mended.drop) == {missing.digest: GONE, stranger.digest: OTHER_SUBJECT}
    assert [desc.digest for desc in mended.correct] == [done.digest]
    document = json.loads(tagged.manifests["team/bot", referrers_tag(done.subject)][1])
    assert [(e["digest"], e["artifactType"]) for e in document["manifests"]] == [
        (str(done.digest), REPORT)
    ]


def test_what_the_user_names_must_speak_of_the_image(engine: Engine, image: str):
    repository = engine.client.repository(Reference.parse(image), push=True)
    stranger = put_image(repository, b"stranger")
    with pytest.raises(NotItsReferrer, match=str(stranger.digest)):
        repair(engine, image, [stranger.digest])
    with pytest.raises(ContentNotFound):
        repair(engine, image, [Digest.of(b"missing")])


def test_a_layout_needs_no_repair(engine: Engine, local: str):
    with pytest.raises(NothingToRepair):
        repair(engine, local)


def test_after_an_upgrade_old_entries_are_taken_over(
    engine: Engine, image: str, report: AttachedFile, tagged: FakeRegistry
):
    """The registry got the API, and knows nothing of what was attached before."""
    done = attach(engine, image, [report], AttachOptions(REPORT))
    body = Index.build([]).raw
    tagged.on("GET", "/referrers/", answers(200, body, Content_Type=mediatypes.OCI_INDEX), times=9)
    engine.close()
    assert found_in(discover(engine, image)) == {done.digest}
    assert not repair(engine, image, [done.digest]).differs


def test_a_push_tells_a_registry_with_the_api_again(
    engine: Engine, image: str, report: AttachedFile
):
    done = attach(engine, image, [report], AttachOptions(REPORT))
    repository = engine.client.repository(Reference.parse(image), push=True)
    desc = repository.resolve(str(done.digest))
    repository.push(desc, BytesSource(fetch_bytes(repository, desc)))
    assert found_in(discover(engine, image)) == {done.digest}
