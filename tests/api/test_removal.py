"""Tags and images are taken away at their registry, and never more than was said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentoci import Engine, read_settings
from agentoci.api.removal import (
    OtherContent,
    RemotelyRemoved,
    StillNeeded,
    remove,
    remove_blob,
    untag,
)
from agentoci.api.transfers import NoRegistry
from agentoci.registry.errors import BlobNotFound, ManifestNotFound
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import Index, Manifest
from agentoci.spec.reference import InvalidReference
from tests import commandline
from tests.registry.fake import FakeRegistry

NAME = "team/bot"
FIRST, SECOND, THIRD = (
    Manifest.build(config=EMPTY, layers=[EMPTY], artifact_type=kind) for kind in ("a/b", "c/d", "e")
)
INDEX = Index.build([SECOND.descriptor])
NESTED = Index.build([INDEX.descriptor])
HEX = str(FIRST.descriptor.digest)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(read_settings(commandline.home_variables(tmp_path / "own"))) as engine:
        yield engine


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    """`1.0` and `latest` mean one manifest, `all` an index whose index lists another."""
    with FakeRegistry() as fake:
        fake.put(NAME, EMPTY_CONTENT)
        for tag in ("1.0", "latest"):
            fake.put_manifest(NAME, tag, FIRST.media_type, FIRST.raw)
        fake.put_manifest(NAME, "alone", THIRD.media_type, THIRD.raw)
        fake.put_manifest(NAME, str(SECOND.descriptor.digest), SECOND.media_type, SECOND.raw)
        fake.put_manifest(NAME, str(INDEX.descriptor.digest), INDEX.media_type, INDEX.raw)
        fake.put_manifest(NAME, "all", NESTED.media_type, NESTED.raw)
        yield fake


def test_untag_takes_one_tag_away(engine: Engine, fake: FakeRegistry):
    name = f"{fake.host}/{NAME}"
    removed = untag(engine, f"{name}:1.0")
    assert removed == RemotelyRemoved(name, ("1.0",), FIRST.descriptor.digest, deleted=False)
    assert fake.tags(NAME) == ["all", "alone", "latest"]
    assert (NAME, HEX) in fake.manifests


def test_pinned_tag_is_taken_away_only_as_pinned(engine: Engine, fake: FakeRegistry):
    untag(engine, f"{fake.host}/{NAME}:1.0@{HEX}")
    for act in (untag, remove):
        with pytest.raises(OtherContent, match="the tag means"):
            act(engine, f"{fake.host}/{NAME}:latest@{Digest.of(b'other')}")
    assert fake.tags(NAME) == ["all", "alone", "latest"]


@pytest.mark.parametrize("act", [untag, remove])
def test_dry_run_changes_nothing(engine: Engine, fake: FakeRegistry, act: object):
    act(engine, f"{fake.host}/{NAME}:alone", dry_run=True)  # type: ignore[operator]
    assert not [seen for seen in fake.seen if seen.method not in {"GET", "HEAD"}]


@pytest.mark.parametrize("name", ["{}/team/bot", "{}/team/bot@" + HEX, "oci:/tmp/x:1"])
def test_untag_wants_a_tag(engine: Engine, fake: FakeRegistry, name: str):
    with pytest.raises(InvalidReference):
        untag(engine, name.format(fake.host))
    assert not fake.seen


def test_names_without_a_registry_are_refused(engine: Engine):
    with pytest.raises(NoRegistry):
        untag(engine, "bot:1.0")
    with pytest.raises(NoRegistry):
        remove(engine, "bot:1.0")


def test_image_with_other_tags_is_not_deleted(engine: Engine, fake: FakeRegistry):
    with pytest.raises(StillNeeded, match="with it: latest") as caught:
        remove(engine, f"{fake.host}/{NAME}:1.0")
    assert caught.value.exit_code == 7
    with pytest.raises(StillNeeded, match=r"with it: 1\.0, latest"):
        remove(engine, f"{fake.host}/{NAME}@{HEX}")
    assert not fake.requests("DELETE")


def test_force_deletes_an_image_with_all_its_tags(engine: Engine, fake: FakeRegistry):
    removed = remove(engine, f"{fake.host}/{NAME}:1.0", force=True)
    assert removed.tags == ("1.0", "latest")
    assert fake.tags(NAME) == ["all", "alone"]
    assert (NAME, HEX) not in fake.manifests


def test_image_of_one_tag_is_deleted(engine: Engine, fake: FakeRegistry):
    removed = remove(engine, f"{fake.host}/{NAME}:alone")
    assert (removed.tags, removed.digest) == (("alone",), THIRD.descriptor.digest)
    assert fake.tags(NAME) == ["1.0", "all", "latest"]


def test_what_an_index_lists_is_not_deleted(engine: Engine, fake: FakeRegistry):
    name = f"{fake.host}/{NAME}@{SECOND.descriptor.digest}"
    with pytest.raises(StillNeeded, match="is listed by an index"):
        remove(engine, name)
    assert remove(engine, name, force=True).tags == ()
    inner = f"{fake.host}/{NAME}@{INDEX.descriptor.digest}"
    with pytest.raises(StillNeeded, match="is listed by an index: all"):
        remove(engine, inner)


def test_what_speaks_of_an_image_is_named(engine: Engine, fake: FakeRegistry):
    signature = f"sha256-{THIRD.descriptor.digest.hex}.sig"
    fake.put_manifest(NAME, signature, SECOND.media_type, SECOND.raw)
    assert remove(engine, f"{fake.host}/{NAME}:alone").attachments == (signature,)
    assert signature in fake.tags(NAME)


def test_missing_images_are_not_found(engine: Engine, fake: FakeRegistry):
    for act in (untag, remove):
        with pytest.raises(ManifestNotFound):
            act(engine, f"{fake.host}/{NAME}:9.9")
    with pytest.raises(InvalidReference, match="names no image"):
        remove(engine, f"{fake.host}/{NAME}")


def test_blob_is_deleted(engine: Engine, fake: FakeRegistry):
    name = f"{fake.host}/{NAME}@{EMPTY.digest}"
    assert remove_blob(engine, name) == EMPTY.digest
    with pytest.raises(BlobNotFound):
        remove_blob(engine, name)
    with pytest.raises(InvalidReference, match="names no blob"):
        remove_blob(engine, f"{fake.host}/{NAME}:1.0")
