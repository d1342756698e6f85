"""What speaks of an image in a layout: found, kept as long as the image, and gone with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentoci._internal.clock import SystemClock
from agentoci.api.engine import Engine
from agentoci.config.settings import read_settings
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import ReferrerLister
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import Index, Manifest
from agentoci.store.index import Entry
from agentoci.store.layout import LayoutStore
from agentoci.store.referrers import attachments_of, orphaned
from tests import commandline
from tests.content.graphs import put, put_image, put_manifest

SBOM = "application/vnd.example.sbom"
Holder = MemoryTarget | LayoutStore


def attach(holder: Holder, subject: Descriptor, note: str, kind: str | None = SBOM) -> Descriptor:
    put(holder, EMPTY_CONTENT, mediatypes.OCI_EMPTY)
    layer = put(holder, note.encode(), "text/plain")
    manifest = Manifest.build(
        config=EMPTY,
        layers=[layer],
        artifact_type=kind,
        annotations={"note": note},
        subject=subject,
    )
    desc = put_manifest(holder, manifest)
    holder.tag(desc, str(desc.digest))
    return desc


@pytest.fixture(params=["memory", "layout"])
def holder(request: pytest.FixtureRequest, store: LayoutStore) -> Holder:
    return MemoryTarget() if request.param == "memory" else store


def test_referrers_are_listed_with_type_and_annotations(holder: Holder):
    assert isinstance(holder, ReferrerLister)
    image, other = put_image(holder, b"layer"), put_image(holder, b"other")
    for each in (image, other):
        holder.tag(each, f"{each.digest.short}:1")
    one, two = attach(holder, image, "one"), attach(holder, image, "two", "text/x-report")
    attach(holder, other, "three")
    found = holder.referrers(image)
    assert {(e.digest, e.artifact_type, e.annotations["note"]) for e in found} == {
        (one.digest, SBOM, "one"),
        (two.digest, "text/x-report", "two"),
    }
    assert [e.digest for e in holder.referrers(image, artifact_type=SBOM)] == [one.digest]
    assert holder.referrers(one) == ()


def test_the_index_tells_the_subject(store: LayoutStore):
    image = put_image(store, b"layer")
    one = attach(store, image, "one")
    [entry] = [e for e in store.index.read() if e.digest == one.digest]
    assert (entry.name, entry.annotations[keys.SUBJECT]) == (None, str(image.digest))


def test_lists_that_other_tools_write_into_layouts_are_read(store: LayoutStore):
    """regctl keeps the index of the referrers tag schema, and no entry for each of them."""
    image = put_image(store, b"layer")
    one = attach(store, image, "one")
    with store.index.changing() as change:
        change.remove(lambda entry: True)
    missing = Descriptor.of(mediatypes.OCI_MANIFEST, b"missing")
    listed = put_manifest(store, Index.build([one, missing]))
    tag = f"sha256-{image.digest.hex}"
    store.tag(listed, tag)
    assert [e.digest for e in store.referrers(image)] == [one.digest]
    with store.index.changing() as change:
        change.remove(lambda entry: True)
        change.put(Entry(listed, f"example.com/bot:{tag}"))
    assert [e.digest for e in store.referrers(image)] == [one.digest]


def test_a_damaged_manifest_speaks_of_nothing(store: LayoutStore):
    image = put_image(store, b"layer")
    one, two = attach(store, image, "one"), attach(store, image, "two")
    store.path(one.digest).chmod(0o644)
    store.path(one.digest).write_bytes(b"!!")
    assert [e.digest for e in store.referrers(image)] == [two.digest]


def test_attachments_of_attachments_are_attachments(store: LayoutStore):
    image = put_image(store, b"layer")
    one = attach(store, image, "one")
    two = attach(store, one, "two")
    attach(store, put_image(store, b"other"), "three")
    found = attachments_of(store, store.index.read(), [image.digest])
    assert {entry.digest for entry in found} == {one.digest, two.digest}


def test_what_something_else_leads_to_is_no_orphan(store: LayoutStore):
    image = put_image(store, b"layer")
    one = attach(store, image, "one")
    assert [entry.digest for entry in orphaned(store, [image])] == [one.digest]
    holder = put_manifest(store, Index.build([image]))
    store.tag(holder, "index:1")
    assert orphaned(store, [image]) == []


def test_what_has_a_name_holds_its_subject(store: LayoutStore):
    image = put_image(store, b"layer")
    one, two = attach(store, image, "one"), attach(store, image, "two")
    store.tag(one, "checkpoint:1")
    assert orphaned(store, [image]) == []
    with store.index.changing() as change:
        change.remove(lambda entry: entry.name == "checkpoint:1")
    assert [entry.digest for entry in orphaned(store, [image])] == [two.digest]


# The verbs that free space


@pytest.fixture
def engine(tmp_path: Path):
    with Engine(read_settings(commandline.home_variables(tmp_path / "own"))) as engine:
        yield engine


@pytest.fixture
def local(engine: Engine) -> LayoutStore:
    return engine.writable_store


def named(store: LayoutStore, name: str, content: bytes) -> Descriptor:
    image = put_image(store, content)
    store.tag(image, name)
    return image


def held(store: LayoutStore) -> set[Digest]:
    return {entry.digest for entry in store.index.read()}


def test_removing_an_image_removes_what_is_attached_to_it(engine: Engine, local: LayoutStore):
    image, other = named(local, "bot:1", b"one"), named(local, "other:1", b"two")
    sbom = attach(local, image, "sbom")
    signature = attach(local, sbom, "signature")
    kept = attach(local, other, "kept")
    removed = engine.images.remove(["bot:1"])
    assert set(removed.deleted) == {image.digest, sbom.digest, signature.digest}
    assert held(local) == {other.digest, kept.digest}
    assert not local.path(Digest.of(b"sbom")).exists()
    assert not local.path(Digest.of(b"one")).exists()
    assert local.path(Digest.of(b"kept")).exists()
    assert local.path(EMPTY.digest).exists(), "the other one needs it"


def test_removing_one_of_two_names_removes_nothing(engine: Engine, local: LayoutStore):
    image = named(local, "bot:1", b"one")
    local.tag(image, "bot:2")
    sbom = attach(local, image, "sbom")
    assert engine.images.remove(["bot:1"]).deleted == ()
    assert held(local) == {image.digest, sbom.digest}


def test_pruning_keeps_what_is_attached_to_kept_images(engine: Engine, local: LayoutStore):
    image, old = named(local, "bot:1", b"one"), named(local, "bot:old", b"two")
    sbom, signature = attach(local, image, "sbom"), attach(local, image, "signature")
    above = attach(local, signature, "above")
    gone = attach(local, old, "gone")
    local.tag(image, "bot:old")  # the old image has no name any more
    pruned = engine.collection.prune()
    assert {entry.digest for entry in pruned.images} == {old.digest, gone.digest}
    assert held(local) == {image.digest, sbom.digest, signature.digest, above.digest}
    assert len(engine.collection.prune(every_unused=True).images) == 5


def test_images_are_listed_without_what_is_attached(engine: Engine, local: LayoutStore):
    image = named(local, "bot:1", b"one")
    attach(local, image, "sbom")
    assert [row.digest for row in engine.images.list()] == [image.digest]


def test_a_layout_stays_a_layout_for_others(store: LayoutStore):
    image = put_image(store, b"layer")
    attach(store, image, "one")
    document = json.loads((store.root / "index.json").read_bytes())
    assert all(
        set(entry) <= {"mediaType", "digest", "size", "annotations", "artifactType"}
        for entry in document["manifests"]
    )
    assert LayoutStore.open(store.root, clock=SystemClock()).referrers(image)
