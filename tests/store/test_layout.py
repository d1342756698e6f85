"""The layout on disk: made, opened, and as others make it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from agentoci._internal.limits import MIB
from agentoci.content.copy import copy
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import ContentNotFound
from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.errors import Integrity
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import InvalidJson
from agentoci.spec.manifest import Index, Manifest
from agentoci.store.layout import LayoutStore, NotALayout
from tests.content.graphs import LAYER_TYPE, contents, put, put_image, put_manifest
from tests.store.conftest import StillClock


def test_a_new_store_is_an_image_layout(store: LayoutStore) -> None:
    assert json.loads((store.root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert json.loads((store.root / "index.json").read_bytes()) == {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": [],
    }
    assert (store.root / "blobs" / "sha256").is_dir()
    assert store.index.read() == ()


def test_a_blob_lies_where_the_specification_says(store: LayoutStore) -> None:
    for content in (b"small", bytes(MIB + 1)):
        desc = put(store, content)
        path = store.root / "blobs" / "sha256" / hashlib.sha256(content).hexdigest()
        assert path == store.path(desc.digest)
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o777 == 0o444
    assert not list((store.root / "ingest").glob("tmp-*"))
    assert not list((store.root / "ingest").glob("*.part"))


def test_creating_again_keeps_everything(store: LayoutStore, clock: StillClock) -> None:
    image = put_image(store, b"layer")
    store.tag(image, "bot:1.0")
    again = LayoutStore.create(store.root, clock=clock)
    assert again.resolve("bot:1.0") == image
    assert LayoutStore.open(store.root, clock=clock).resolve("bot:1.0") == image


def test_a_store_that_was_half_made_is_made_whole(tmp_path: Path, clock: StillClock) -> None:
    root = tmp_path / "store"
    (root / "blobs").mkdir(parents=True)
    (root / ".index.json.a1b2c3").write_bytes(b"{")
    (root / ".oci-layout.a1b2c3").write_bytes(b"")
    assert LayoutStore.create(root, clock=clock).index.read() == ()
    assert LayoutStore.open(root, clock=clock).index.read() == ()


def test_a_folder_of_somebody_else_stays_as_it_is(tmp_path: Path, clock: StillClock) -> None:
    for name in ("letter.txt", "blobs.old", "index.json.bak"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text("mine")
        with pytest.raises(NotALayout, match=f"holds other files .{name}") as caught:
            LayoutStore.create(folder, clock=clock)
        assert caught.value.hint == "name an empty or new folder"
        assert [path.name for path in folder.iterdir()] == [name]


def test_an_empty_folder_becomes_a_store(tmp_path: Path, clock: StillClock) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    assert LayoutStore.create(folder, clock=clock).index.read() == ()
    assert (folder / "oci-layout").is_file()


def test_there_is_no_layout_where_none_is(tmp_path: Path, clock: StillClock) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ContentNotFound, match="no OCI image layout there"):
            LayoutStore.open(folder, clock=clock)


@pytest.mark.parametrize(
    ("marker", "error"),
    [
        (b'{"imageLayoutVersion":"2.0.0"}', NotALayout),
        (b"{}", NotALayout),
        (b"", InvalidJson),
        (b"[]", InvalidJson),
        (b" " * 5000 + b'{"imageLayoutVersion":"1.0.0"}', InvalidJson),
    ],
)
def test_a_layout_of_another_version_is_refused(
    tmp_path: Path, clock: StillClock, marker: bytes, error: type[Integrity]
) -> None:
    (tmp_path / "oci-layout").write_bytes(marker)
    for enter in (LayoutStore.open, LayoutStore.create):
        with pytest.raises(error):
            enter(tmp_path, clock=clock)


# Content


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "pipe"])
def test_what_is_no_file_is_no_blob(store: LayoutStore, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"content")
    os.utime(outside, (1, 1))
    desc = Descriptor.of(LAYER_TYPE, b"content")
    path = store.path(desc.digest)
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(outside if kind == "link" else "nowhere")
    assert not store.exists(desc)
    with pytest.raises(NotALayout, match="where a blob should be") as caught:
        fetch_bytes(store, desc)
    assert caught.value.exit_code == 8
    assert outside.stat().st_mtime == 1


def test_a_push_replaces_a_link_and_leaves_its_target(store: LayoutStore, tmp_path: Path) -> None:
    for content in (b"content", bytes(MIB + 1)):
        outside = tmp_path / "outside"
        outside.write_bytes(content)
        desc = Descriptor.of(LAYER_TYPE, content)
        store.path(desc.digest).symlink_to(outside)
        store.push(desc, BytesSource(content))
        assert not store.path(desc.digest).is_symlink()
        assert fetch_bytes(store, desc, limit=desc.size) == content
        assert outside.stat().st_mode & 0o777 != 0o444


@pytest.mark.parametrize("size", [1000, MIB + 1])
def test_a_blob_that_the_disk_cut_short_is_mended_by_the_next_push(
    store: LayoutStore, size: int
) -> None:
    desc = put(store, b"x" * size)
    path = store.path(desc.digest)
    path.chmod(0o644)
    os.truncate(path, size // 2)
    assert not store.exists(desc)
    put(store, b"x" * size)
    assert fetch_bytes(store, desc, limit=size) == b"x" * size


def test_a_builder_mends_a_blob_too(store: LayoutStore) -> None:
    desc = put(store, b"x" * 100)
    path = store.path(desc.digest)
    path.chmod(0o644)
    path.write_bytes(b"")
    with store.writer() as writer:
        writer.write(b"x" * 100)
        assert writer.commit() == desc.digest
    assert fetch_bytes(store, desc) == b"x" * 100


def test_sha512_content_has_its_own_folder(store: LayoutStore) -> None:
    for content in (b"content", bytes(MIB + 1)):
        digest = Digest("sha512", hashlib.sha512(content).hexdigest())
        desc = Descriptor(LAYER_TYPE, digest, len(content))
        store.push(desc, BytesSource(content))
        assert (store.root / "blobs" / "sha512" / digest.hex).read_bytes() == content
    (store.root / "blobs" / ".DS_Store").touch()
    store.tag(put_image(store, b"layer"), "bot:1.0")


# Names


def test_a_name_tells_what_listings_show(store: LayoutStore) -> None:
    config, layer = put(store, b"{}", mediatypes.AGENT_CONFIG), put(store, b"layer")
    manifest = Manifest.build(
        config=config,
        layers=[layer],
        artifact_type=mediatypes.AGENT,
        annotations={keys.TITLE: "bot"},
    )
    put_manifest(store, manifest)
    store.tag(manifest.descriptor, "bot:1.0")
    (entry,) = store.index.read()
    assert entry.annotations == {
        keys.STORED: "2024-01-15T10:00:00Z",
        keys.TOTAL_SIZE: "7",
        keys.ARTIFACT_TYPE: mediatypes.AGENT,
        keys.AGENT_NAME: "bot",
    }
    assert store.resolve("bot:1.0").annotations == {}


def test_an_index_shows_its_first_manifest(store: LayoutStore) -> None:
    image = put_image(store, b"layer", config=b'{"a":1}')
    index = put_manifest(store, Index.build([image]))
    store.tag(index, "bot:1.0")
    assert store.index.read()[0].annotations[keys.TOTAL_SIZE] == "12"
    nested = put_manifest(store, Index.build([index]))
    store.tag(nested, "bot:2.0")
    found = store.find("bot:2.0")
    assert found is not None
    assert found.annotations == {keys.STORED: "2024-01-15T10:00:00Z"}
    store.tag(put_manifest(store, Index.build([])), "bot:3.0")
    assert store.resolve("bot:3.0").media_type == mediatypes.OCI_INDEX


def test_retagging_keeps_the_old_manifest_untagged(store: LayoutStore) -> None:
    old, new = put_image(store, b"old"), put_image(store, b"new")
    store.tag(old, "bot:1.0")
    store.tag(new, "bot:1.0")
    assert [(e.name, e.digest) for e in store.index.read()] == [
        ("bot:1.0", new.digest),
        (None, old.digest),
    ]
    assert store.resolve(str(old.digest)) == old


def test_a_manifest_may_be_held_without_a_name(store: LayoutStore) -> None:
    image = put_image(store, b"layer")
    for _ in range(2):
        store.tag(image, str(image.digest))
    assert [entry.name for entry in store.index.read()] == [None]
    store.tag(image, "bot:1.0")
    store.tag(image, str(image.digest))
    assert [entry.name for entry in store.index.read()] == ["bot:1.0"]


@pytest.mark.parametrize(
    "name",
    ["bot:1.0", "localhost:5000/team/bot:1.0", "1.0", "weird name é", "../../etc/passwd", ""],
)
def test_names_are_kept_as_they_are(store: LayoutStore, name: str) -> None:
    image = put_image(store, b"layer")
    store.tag(image, name)
    assert store.resolve(name) == image
    assert [entry.name for entry in store.index.read()] == [name]


def test_a_damaged_manifest_gets_no_name(store: LayoutStore) -> None:
    image = put_image(store, b"layer")
    path = store.path(image.digest)
    path.chmod(0o644)
    path.write_bytes(b"!" * image.size)
    with pytest.raises(Integrity):
        store.tag(image, "bot:1.0")
    assert store.index.read() == ()


# Layouts that others made


@pytest.fixture
def foreign(tmp_path: Path) -> tuple[Path, Descriptor]:
    """A layout as oras and skopeo write it: a bare tag, no folder of ours, other spacing."""
    root = tmp_path / "foreign"
    blobs = root / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    memory = MemoryTarget()
    image = put_image(memory, b"layer")
    for desc, content in contents(memory, image).items():
        (blobs / desc.digest.hex).write_bytes(content)
    (root / "oci-layout").write_text('{\n  "imageLayoutVersion": "1.0.0"\n}\n')
    entry = {**image.document(), "annotations": {keys.REF_NAME: "1.0", "other": "kept"}}
    (root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return root, image


def test_a_foreign_layout_is_read(foreign: tuple[Path, Descriptor], clock: StillClock) -> None:
    root, image = foreign
    layout = LayoutStore.open(root, clock=clock)
    assert layout.resolve("1.0") == layout.resolve(str(image.digest)) == image
    target = MemoryTarget()
    copy(layout, "1.0", target, "bot:1.0")
    assert len(contents(target, image)) == 3
    assert sorted(path.name for path in root.iterdir()) == ["blobs", "index.json", "oci-layout"]


def test_a_foreign_layout_takes_names_of_ours(
    foreign: tuple[Path, Descriptor], clock: StillClock
) -> None:
    root, image = foreign
    layout = LayoutStore.open(root, clock=clock)
    layout.tag(image, "2.0")
    entries = json.loads((root / "index.json").read_bytes())["manifests"]
    assert [entry["annotations"][keys.REF_NAME] for entry in entries] == ["1.0", "2.0"]
    assert entries[0]["annotations"]["other"] == "kept"
    with layout.using():
        put_image(layout, bytes(MIB + 1))


def test_a_layout_without_blobs_or_index_is_empty(tmp_path: Path, clock: StillClock) -> None:
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    layout = LayoutStore.open(tmp_path, clock=clock)
    assert layout.index.read() == ()
    layout.tag(put_image(layout, b"layer"), "1.0")
    assert len(layout.index.read()) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"manifests": {}}',
        b'{"manifests": ["x"]}',
        b'{"manifests": [], "manifests": []}',
        b'{"manifests": [{"mediaType": "a", "digest": "sha256:../../../etc/passwd", "size": 1}]}',
    ],
)
def test_a_hostile_index_is_refused(store: LayoutStore, content: bytes) -> None:
    image = put_image(store, b"layer")
    (store.root / "index.json").write_bytes(content)
    for attempt in (lambda: store.resolve("x"), lambda: store.tag(image, "x")):
        with pytest.raises(Integrity):
            attempt()
    assert (store.root / "index.json").read_bytes() == content


def test_fetching_goes_on_at_an_offset(store: LayoutStore) -> None:
    desc = put(store, b"content")
    with store.fetch(desc, 3) as stream:
        assert stream.read() == b"tent"


def test_an_unknown_name_is_not_found(store: LayoutStore) -> None:
    with pytest.raises(ContentNotFound, match="nobody: not in"):
        store.resolve("nobody")
    assert store.find("nobody") is None
