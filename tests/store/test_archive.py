"""Archives: there and back, the same bytes each time, and hostile ones."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci._internal import limits
from agentoci._internal.limits import GIB, MIB
from agentoci.content.copy import CopyOptions, copy
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import ContentNotFound
from agentoci.content.reader import BytesSource, DigestMismatch, SizeMismatch, fetch_bytes
from agentoci.errors import Integrity
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import Manifest
from agentoci.store.archive import ArchiveWriter, BadArchive, load_layout, reading_tar
from agentoci.store.index import Entry
from agentoci.store.layout import LayoutStore
from tests.content.graphs import CONFIG_TYPE, LAYER_TYPE, contents, put, put_image, put_manifest
from tests.layers import archives
from tests.store.conftest import StillClock
from tests.store.worker import big

LAYOUT = archives.file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
LAYER = Descriptor.of(LAYER_TYPE, b"layer")


def saved(source: MemoryTarget, *named: tuple[str, Descriptor]) -> bytes:
    stream = io.BytesIO()
    writer = ArchiveWriter(stream)
    for name, root in named:
        copy(source, root, writer, name, options=CopyOptions(workers=1))
    writer.close()
    return stream.getvalue()


def load(store: LayoutStore, raw: bytes) -> list[Entry]:
    with reading_tar(io.BytesIO(raw)) as tar:
        first = tar.next()
        if first is None:
            raise BadArchive("the archive is empty")
        return load_layout(tar, first, store)


def sample() -> tuple[MemoryTarget, Descriptor, bytes]:
    """An image, and its archive."""
    source = MemoryTarget()
    image = put_image(source, b"layer", big(MIB + 8))
    return source, image, saved(source, ("bot:1.0", image))


SAMPLE = sample()


def index_of(*entries: Descriptor) -> bytes:
    document = {"schemaVersion": 2, "manifests": [entry.document() for entry in entries]}
    return archives.file("index.json", json.dumps(document).encode())


def blob(content: bytes, *, name: str = "") -> bytes:
    return archives.file(name or f"blobs/sha256/{hashlib.sha256(content).hexdigest()}", content)


def test_an_archive_is_loaded_as_it_was_saved(store: LayoutStore) -> None:
    source, image, raw = SAMPLE
    (entry,) = load(store, raw)
    assert (entry.name, entry.desc) == ("bot:1.0", image)
    assert contents(store, image) == contents(source, image)
    assert store.index.read() == (), "names are given by the caller"
    assert load(store, raw) == [entry]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_archive_is_loaded(store: LayoutStore, pack: Callable[[bytes], bytes]) -> None:
    _, image, raw = SAMPLE
    assert [entry.desc for entry in load(store, pack(raw))] == [image]


def test_the_same_images_give_the_same_bytes(store: LayoutStore, clock: StillClock) -> None:
    source, image, raw = SAMPLE
    copy(source, image, store, "other:name")
    clock.sleep(10_000)
    stream = io.BytesIO()
    writer = ArchiveWriter(stream)
    copy(store, "other:name", writer, "bot:1.0", options=CopyOptions(workers=1))
    writer.close()
    assert stream.getvalue() == raw
    assert not stream.closed


def test_an_archive_is_plain_for_other_readers(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(SAMPLE[2])) as tar:
        members = tar.getmembers()
    assert members[0].name == "oci-layout"
    assert members[-1].name == "index.json"
    assert {(m.mtime, m.uid, m.gid, m.uname, m.mode, m.isreg()) for m in members} == {
        (0, 0, 0, "", 0o644, True)
    }


def test_images_share_their_blobs_in_an_archive(store: LayoutStore) -> None:
    source = MemoryTarget()
    one, two = put_image(source, b"shared", b"one"), put_image(source, b"shared", b"two")
    raw = saved(source, ("one:1", one), ("two:2", two), ("again:1", one), (str(two.digest), two))
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        names = tar.getnames()
    assert len(names) == len(set(names)) == 2 + 6
    entries = load(store, raw)
    assert [(e.name, e.desc) for e in entries] == [
        ("one:1", one),
        ("two:2", two),
        ("again:1", one),
    ]


def test_a_writer_is_a_target_that_cannot_be_read_back() -> None:
    writer = ArchiveWriter(io.BytesIO())
    image = put_image(writer, b"layer")
    assert writer.exists(image)
    assert put(writer, b"layer") == LAYER
    assert not writer.exists(Descriptor.of(LAYER_TYPE, b"other"))
    writer.tag(image, "bot:1.0")
    assert writer.resolve("bot:1.0") == writer.resolve(str(image.digest)) == image
    with pytest.raises(ContentNotFound, match=r"bot:2\.0: not in the archive"):
        writer.resolve("bot:2.0")
    with pytest.raises(BadArchive, match="cannot be read back"):
        fetch_bytes(writer, image)


def test_wrong_bytes_are_not_taken_for_a_blob() -> None:
    writer = ArchiveWriter(io.BytesIO())
    for content, error in ((b"lAyer", DigestMismatch), (b"lay", SizeMismatch)):
        with pytest.raises(error):
            writer.push(LAYER, BytesSource(content))
        assert not writer.exists(LAYER)


def test_a_blob_beyond_8_gib_has_a_header() -> None:
    stream = io.BytesIO()
    writer = ArchiveWriter(stream)
    huge = Descriptor("application/x", Digest.of(b"huge"), 9 * GIB)
    with pytest.raises(SizeMismatch, match="short of 9663676416"):
        writer.push(huge, BytesSource(big(MIB)))
    assert b" size=9663676416\n" in stream.getvalue()


# Archives that others made


def test_an_archive_of_docker_or_tar_is_loaded(store: LayoutStore) -> None:
    source, image, _ = SAMPLE
    parts = [archives.folder("./"), archives.folder("./blobs/"), archives.folder("blobs/sha256/")]
    parts += [
        archives.file(f"./blobs/sha256/{desc.digest.hex}", content)
        for desc, content in contents(source, image).items()
    ]
    parts += [archives.file("manifest.json", b"[]"), archives.file("repositories", b"{}")]
    raw = archives.archive(*parts, index_of(image))
    assert [entry.desc for entry in load(store, raw)] == [image]
    assert contents(store, image) == contents(source, image)


def test_sha512_blobs_are_saved_and_loaded(store: LayoutStore) -> None:
    desc = Descriptor(LAYER_TYPE, Digest("sha512", hashlib.sha512(b"layer").hexdigest()), 5)
    source = MemoryTarget()
    source.push(desc, BytesSource(b"layer"))
    config = put(source, b"{}", CONFIG_TYPE)
    image = put_manifest(source, Manifest.build(config=config, layers=[desc]))
    load(store, saved(source, ("bot:1.0", image)))
    assert contents(store, image) == contents(source, image)
    assert store.exists(desc)


def test_a_load_that_was_cut_short_goes_on(store: LayoutStore) -> None:
    _, image, raw = SAMPLE
    content = big(MIB + 8)
    desc = Descriptor.of(LAYER_TYPE, content)
    (store.root / "ingest" / f"{desc.digest.hex}.part").write_bytes(content[: MIB // 2])
    assert [entry.desc for entry in load(store, raw)] == [image]
    assert fetch_bytes(store, desc, limit=desc.size) == content


INDEX = index_of(LAYER)
HOSTILE = {
    "nothing": b"",
    "zeros": bytes(10_240),
    "no tar": b"hello world" * 500,
    "no index": archives.archive(LAYOUT, blob(b"layer")),
    "an empty index": archives.archive(LAYOUT, index_of()),
    "an index without manifests": archives.archive(LAYOUT, archives.file("index.json", b"{}")),
    "an index of something else": archives.archive(LAYOUT, archives.file("index.json", b"[]")),
    "an index of an escaping digest": archives.archive(
        LAYOUT,
        archives.file(
            "index.json",
            b'{"manifests":[{"mediaType":"a/b","digest":"sha256:../../x","size":1}]}',
        ),
    ),
    "another layout": archives.archive(
        archives.file("oci-layout", b'{"imageLayoutVersion":"2.0.0"}'), INDEX
    ),
    "a wrong name": archives.archive(LAYOUT, blob(b"layer", name=f"blobs/sha256/{'0' * 64}")),
    "a wrong large one": archives.archive(
        LAYOUT, blob(bytes(2 * MIB), name=f"blobs/sha256/{'0' * 64}")
    ),
    "a short name": archives.archive(LAYOUT, blob(b"layer", name="blobs/sha256/0123"), INDEX),
    "an upper-case name": archives.archive(
        LAYOUT, blob(b"layer", name=f"blobs/sha256/{LAYER.digest.hex.upper()}"), INDEX
    ),
    "md5": archives.archive(LAYOUT, blob(b"layer", name=f"blobs/md5/{'0' * 32}"), INDEX),
    "an escaping name": archives.archive(LAYOUT, archives.file("../escaped", b"x"), INDEX),
    "an absolute name": archives.archive(LAYOUT, archives.file("/tmp/escaped", b"x"), INDEX),
    "an extra file": archives.archive(LAYOUT, archives.file("README.md", b"x"), INDEX),
    "an extra link": archives.archive(LAYOUT, archives.symlink("link", "/etc"), INDEX),
    "a link as blob": archives.archive(
        LAYOUT, archives.symlink(f"blobs/sha256/{LAYER.digest.hex}", "/etc/passwd"), INDEX
    ),
    "a hard link as blob": archives.archive(
        LAYOUT,
        archives.header(f"blobs/sha256/{LAYER.digest.hex}", kind=b"1", link="oci-layout"),
        INDEX,
    ),
    "a link as index": archives.archive(LAYOUT, archives.symlink("index.json", "/etc/passwd")),
    "a pipe as blob": archives.archive(
        LAYOUT, archives.header(f"blobs/sha256/{LAYER.digest.hex}", kind=b"6"), INDEX
    ),
    "a folder as blob": archives.archive(
        LAYOUT, archives.folder(f"blobs/sha256/{LAYER.digest.hex}"), INDEX
    ),
    "a file with holes": archives.archive(
        LAYOUT,
        archives.pax((b"GNU.sparse.size", b"1099511627776"), (b"GNU.sparse.map", b"0,5")),
        blob(b"layer"),
        INDEX,
    ),
    "a size that is no number": archives.archive(
        LAYOUT, archives.pax((b"size", b"many")), blob(b"layer"), INDEX[:512]
    ),
    "a map of holes that is none": archives.archive(
        LAYOUT, archives.pax((b"GNU.sparse.map", b"a,b")), blob(b"layer"), INDEX
    ),
    "a huge index": archives.archive(
        LAYOUT, archives.header("index.json", size=limits.MAX_INDEX_FILE_BYTES + 1)
    ),
    "a negative size": archives.archive(
        LAYOUT, archives.header(f"blobs/sha256/{'0' * 64}", size=b"\xff" * 12), INDEX
    ),
    "a size that leads back": archives.archive(
        LAYOUT, archives.header("P", kind=b"x", size=b"\xff" * 10 + b"\xfe\x00"), INDEX
    ),
    "a record longer than memory": archives.archive(
        LAYOUT, archives.pax_raw(b"9" * 30 + b" a=b\n"), INDEX
    ),
    "the start of gzip": gzip.compress(b"")[:9],
    "the very start of gzip": gzip.compress(b"")[:3],
    "gzip that ends early": gzip.compress(SAMPLE[2])[:-5000],
    "xz that ends early": lzma.compress(SAMPLE[2])[:-5000],
    "bzip2 that ends early": bz2.compress(SAMPLE[2])[:-5000],
    "damaged gzip": gzip.compress(SAMPLE[2])[:200] + bytes(5000),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused(store: LayoutStore, kind: str) -> None:
    with pytest.raises(Integrity) as caught:
        load(store, HOSTILE[kind])
    assert caught.value.exit_code == 8
    assert store.index.read() == ()
    assert not list((store.root / "ingest").glob("tmp-*"))
    for path in (store.root / "blobs").rglob("*"):
        assert path.is_dir() or Digest.of(path.read_bytes()).hex == path.name


@pytest.mark.parametrize("length", [1, 300, 512, 600, 1024, 1025, 2000, 5000, 100_000, MIB])
def test_a_truncated_archive_is_refused(store: LayoutStore, length: int) -> None:
    with pytest.raises(Integrity):
        load(store, SAMPLE[2][:length])


@given(st.data())
def test_a_damaged_archive_is_refused_or_names_what_is_right(data: st.DataObject) -> None:
    source = MemoryTarget()
    raw = bytearray(saved(source, ("bot:1.0", put_image(source, b"layer"))))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1 - 9 * 1024))
        raw[place] = data.draw(st.integers(0, 255))
    target = LoadTarget()
    try:
        target.load(bytes(raw))
    except Integrity:
        return
    for desc, content in target.taken:
        assert desc.digest == Digest.of(content)


class LoadTarget(LayoutStore):
    """A store in memory, as far as a load needs one."""

    def __init__(self) -> None:
        self.taken: list[tuple[Descriptor, bytes]] = []
        self._memory = MemoryTarget()

    def push(self, desc: Descriptor, source: object) -> None:
        self._memory.push(desc, source)  # type: ignore[arg-type]
        self.taken.append((desc, fetch_bytes(self._memory, desc)))

    def load(self, raw: bytes) -> list[Entry]:
        return load(self, raw)


def test_millions_of_folders_neither_fill_the_memory_nor_take_for_ever(
    store: LayoutStore,
) -> None:
    folders = archives.folder("blobs/") * 20_000
    started = time.process_time()
    with pytest.raises(BadArchive, match=r"has no index\.json"):
        load(store, LAYOUT + folders + archives.END)
    assert time.process_time() - started < 20


def test_what_is_there_already_is_not_written_again(store: LayoutStore) -> None:
    _, image, raw = SAMPLE
    load(store, raw)
    inode = store.path(image.digest).stat().st_ino
    load(store, raw)
    assert store.path(image.digest).stat().st_ino == inode
    assert put(store, b"layer") == LAYER
