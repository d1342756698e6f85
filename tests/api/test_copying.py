"""Copies between registries, layouts, archives and the local store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentoci import Engine, read_settings
from agentoci._internal.limits import MIB
from agentoci.api.copying import CopyOutcome, CopyRules, PinnedElsewise
from agentoci.api.ends import entry_meant
from agentoci.api.locations import (
    ArchiveLocation,
    LayoutLocation,
    parse_any_location,
    parse_location,
    with_tag,
)
from agentoci.content.protocols import ContentNotFound
from agentoci.content.standing import IfExists, NameTaken
from agentoci.errors import AgentociError, Invalid
from agentoci.registry.repository import Repository
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor, Platform
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import Index, Manifest
from agentoci.spec.reference import InvalidReference, Reference
from agentoci.store.archivefile import ArchiveFile
from agentoci.store.images import NoSuchPlatform
from agentoci.store.index import Entry
from agentoci.store.layout import LayoutStore
from tests import commandline
from tests.content.graphs import contents, put, put_image, put_manifest
from tests.registry.fake import FakeRegistry

SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json"
RECURSIVE = CopyRules(recursive=True)

Open = Callable[[FakeRegistry, str], Repository]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(read_settings(commandline.home_variables(tmp_path / "own"))) as engine:
        yield engine


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


@pytest.fixture
def mirror() -> Iterator[FakeRegistry]:
    """Another registry, of the kind that keeps no lists of referrers."""
    with FakeRegistry() as fake:
        fake.referrers = False
        yield fake


@pytest.fixture
def open_repository(engine: Engine) -> Open:
    """A repository of a registry."""
    return lambda fake, name: engine.client.repository(
        Reference(fake.host, name, "latest"), push=True
    )


@pytest.fixture
def source(fake: FakeRegistry, open_repository: Open) -> Repository:
    """A repository with one image, 1.0, whose layers are small and large."""
    repository = open_repository(fake, "team/bot")
    repository.tag(put_image(repository, b"layer", bytes(2 * MIB)), "1.0")
    fake.seen.clear()
    return repository


def attach(target: Repository, subject: Descriptor, kind: str) -> Descriptor:
    put(target, EMPTY_CONTENT, mediatypes.OCI_EMPTY)
    manifest = Manifest.build(
        config=EMPTY, layers=[put(target, kind.encode())], artifact_type=kind, subject=subject
    )
    return put_manifest(target, manifest).bare()


def files_of(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_within_a_registry_blobs_are_mounted(
    engine: Engine, fake: FakeRegistry, source: Repository, open_repository: Open
) -> None:
    done = engine.copies.copy(f"{fake.host}/team/bot:1.0", f"{fake.host}/other/bot:2.0")
    assert (done.outcome, done.blobs, done.moved_blobs) == (CopyOutcome.COPIED, 3, 0)
    assert fake.requests("GET", "/blobs/") == fake.requests("PUT", "/blobs/") == []
    assert len(fake.requests("POST", "mount=")) == 3
    there = open_repository(fake, "other/bot")
    assert there.resolve("2.0") == source.resolve("1.0")


def test_between_registries_nothing_is_stored_on_the_way(
    engine: Engine,
    fake: FakeRegistry,
    mirror: FakeRegistry,
    source: Repository,
    open_repository: Open,
    tmp_path: Path,
) -> None:
    before = files_of(tmp_path)
    done = engine.copies.copy(f"{fake.host}/team/bot:1.0", f"docker://{mirror.host}/team/bot:1.0")
    assert done.moved_blobs == 3
    assert done.target == f"{mirror.host}/team/bot:1.0"
    root = source.resolve("1.0")
    assert done.digest == root.digest
    assert contents(open_repository(mirror, "team/bot"), root) == contents(source, root)
    stored = {path for path in files_of(tmp_path) - before if "cache" not in path.parts}
    assert stored == set()


def test_copying_again_asks_each_side_once(
    engine: Engine, fake: FakeRegistry, mirror: FakeRegistry, source: Repository
) -> None:
    ends = f"{fake.host}/team/bot:1.0", f"{mirror.host}/team/bot:1.0"
    engine.copies.copy(*ends)
    fake.seen.clear()
    mirror.seen.clear()
    done = engine.copies.copy(*ends)
    assert (done.outcome, done.requests) == (CopyOutcome.EXISTS, 2)
    assert [one.method for one in (*fake.seen, *mirror.seen)] == ["HEAD", "HEAD"]


def test_across_an_air_gap_attachments_stay_attached(
    engine: Engine,
    fake: FakeRegistry,
    mirror: FakeRegistry,
    source: Repository,
    open_repository: Open,
    tmp_path: Path,
) -> None:
    root = source.resolve("1.0")
    signature = attach(source, root, SIGNATURE)
    of_signature = attach(source, signature, "a/timestamp")
    checkpoint = attach(source, root, mediatypes.CHECKPOINT)
    cosigned = put_image(source, b"signed")
    source.tag(cosigned, f"sha256-{root.digest.hex}.sig")

    archive = f"oci-archive:{tmp_path}/bot.tar"
    out = engine.copies.copy(f"{fake.host}/team/bot:1.0", archive, RECURSIVE)
    assert [one.attachment.desc for one in out.left_out] == [checkpoint]
    back = engine.copies.copy(archive, f"{mirror.host}/inside/bot:1.0", RECURSIVE)
    assert (back.digest, back.left_out) == (root.digest, ())
    assert {item.desc for item in back.attached} == {signature, of_signature, cosigned}

    there = open_repository(mirror, "inside/bot")
    assert there.resolve("1.0") == root
    assert [desc.digest for desc in there.referrers(root)] == [signature.digest]
    assert [desc.digest for desc in there.referrers(signature)] == [of_signature.digest]
    assert there.resolve(f"sha256-{root.digest.hex}.sig") == cosigned
    with pytest.raises(ContentNotFound):
        there.resolve(str(checkpoint.digest))


def test_a_layout_keeps_attachments_for_the_next_copy(
    engine: Engine,
    fake: FakeRegistry,
    mirror: FakeRegistry,
    source: Repository,
    open_repository: Open,
    tmp_path: Path,
) -> None:
    root = source.resolve("1.0")
    signature = attach(source, root, SIGNATURE)
    source.tag(put_image(source, b"signed"), f"sha256-{root.digest.hex}.sig")
    layout = f"oci:{tmp_path}/layout"
    engine.copies.copy(f"{fake.host}/team/bot:1.0", layout, RECURSIVE)
    names = {
        entry.name for entry in LayoutStore(tmp_path / "layout", clock=engine.clock).index.read()
    }
    prefix = f"{fake.host}/team/bot"
    assert names == {f"{prefix}:1.0", f"{prefix}:sha256-{root.digest.hex}.sig", None}
    done = engine.copies.copy(layout, f"{mirror.host}/team/bot:1.0", RECURSIVE)
    assert len(done.attached) == 2
    there = open_repository(mirror, "team/bot")
    assert [desc.digest for desc in there.referrers(root)] == [signature.digest]


def test_a_later_signature_comes_with_the_next_copy(
    engine: Engine,
    fake: FakeRegistry,
    mirror: FakeRegistry,
    source: Repository,
    open_repository: Open,
) -> None:
    ends = f"{fake.host}/team/bot:1.0", f"{mirror.host}/team/bot:1.0"
    assert engine.copies.copy(*ends, RECURSIVE).attached == ()
    signature = attach(source, source.resolve("1.0"), SIGNATURE)
    done = engine.copies.copy(*ends, RECURSIVE)
    assert (done.outcome, [item.desc for item in done.attached]) == (
        CopyOutcome.COPIED,
        [signature],
    )
    assert engine.copies.copy(*ends, RECURSIVE).outcome is CopyOutcome.EXISTS


def test_an_archive_is_the_same_file_each_time(
    engine: Engine, fake: FakeRegistry, source: Repository, tmp_path: Path
) -> None:
    for index, kind in enumerate([SIGNATURE, "a/sbom", "b/report"]):
        attach(source, source.resolve("1.0"), f"{kind}{index}")
    origin = f"{fake.host}/team/bot:1.0"
    engine.copies.copy(origin, f"oci-archive:{tmp_path}/a.tar:bot:1.0", RECURSIVE)
    engine.copies.copy(f"oci-archive:{tmp_path}/a.tar", f"oci:{tmp_path}/l", RECURSIVE)
    engine.copies.copy(f"oci:{tmp_path}/l", f"oci-archive:{tmp_path}/b.tar", RECURSIVE)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_an_archive_is_replaced_as_a_whole(
    engine: Engine, fake: FakeRegistry, source: Repository, tmp_path: Path
) -> None:
    source.tag(put_image(source, b"another"), "2.0")
    for tag in ("1.0", "2.0"):
        engine.copies.copy(f"{fake.host}/team/bot:{tag}", f"oci-archive:{tmp_path}/a.tar:bot:{tag}")
    with ArchiveFile(tmp_path / "a.tar") as archive:
        assert [entry.name for entry in archive.entries] == ["bot:2.0"]


def test_into_and_out_of_the_local_store(
    engine: Engine, fake: FakeRegistry, source: Repository, open_repository: Open
) -> None:
    root = source.resolve("1.0")
    done = engine.copies.copy(f"{fake.host}/team/bot:1.0", "bot:local")
    assert (done.target, engine.store.resolve("bot:local")) == ("bot:local", root)
    engine.copies.copy("bot:local", "bot:again")
    engine.copies.copy(str(root.digest), f"{fake.host}/other/bot:3.0")
    assert engine.store.resolve("bot:again") == root
    assert open_repository(fake, "other/bot").resolve("3.0") == root
    with pytest.raises(InvalidReference, match="cannot be given"):
        engine.copies.copy("bot:local", f"bot@{root.digest}")


@pytest.mark.parametrize(
    "target", ["{host}/kept/bot:1.0", "oci:{folder}/layout:bot:1.0", "bot:1.0"]
)
def test_a_name_that_means_something_else(
    target: str, engine: Engine, fake: FakeRegistry, source: Repository, tmp_path: Path
) -> None:
    old = source.resolve("1.0").digest
    new = put_image(source, b"new")
    source.tag(new, "2.0")
    target = target.format(host=fake.host, folder=tmp_path)
    engine.copies.copy(f"{fake.host}/team/bot:1.0", target)
    ends = f"{fake.host}/team/bot:2.0", target

    with pytest.raises(NameTaken, match=str(old)):
        engine.copies.copy(*ends, CopyRules(if_exists=IfExists.FAIL))
    skipped = engine.copies.copy(*ends, CopyRules(if_exists=IfExists.SKIP))
    assert (skipped.outcome, skipped.digest) == (CopyOutcome.SKIPPED, old)
    assert engine.copies.copy(*ends).digest == new.digest
    same = engine.copies.copy(*ends, CopyRules(if_exists=IfExists.FAIL))
    assert same.outcome is CopyOutcome.EXISTS


def test_an_archive_that_is_there_already(
    engine: Engine, fake: FakeRegistry, source: Repository, tmp_path: Path
) -> None:
    source.tag(put_image(source, b"new"), "2.0")
    old, new = (f"{fake.host}/team/bot:{tag}" for tag in ("1.0", "2.0"))
    archive = f"oci-archive:{tmp_path}/a.tar"
    engine.copies.copy(old, f"{archive}:bot")
    before = (tmp_path / "a.tar").read_bytes()
    for policy, target in [
        (IfExists.FAIL, f"{archive}:bot"),
        (IfExists.FAIL, f"{archive}:other"),
        (IfExists.SKIP, f"{archive}:other"),
    ]:
        with pytest.raises(NameTaken):
            engine.copies.copy(new, target, CopyRules(if_exists=policy))
    skip = CopyRules(if_exists=IfExists.SKIP)
    assert engine.copies.copy(new, f"{archive}:bot", skip).outcome is CopyOutcome.SKIPPED
    assert engine.copies.copy(old, f"{archive}:bot", skip).outcome is CopyOutcome.EXISTS
    assert (tmp_path / "a.tar").read_bytes() == before


def test_one_platform_of_an_index(
    engine: Engine, fake: FakeRegistry, source: Repository, open_repository: Open
) -> None:
    images = {
        Platform("linux", name): put_image(source, name.encode()) for name in ("amd64", "arm64")
    }
    listed = [
        Descriptor(desc.media_type, desc.digest, desc.size, platform=platform)
        for platform, desc in images.items()
    ]
    source.tag(put_manifest(source, Index.build(listed)), "multi")
    ends = f"{fake.host}/team/bot:multi", f"{fake.host}/other/bot:arm"
    wanted = Platform("linux", "arm64")
    done = engine.copies.copy(*ends, CopyRules(platform=wanted))
    assert done.digest == images[wanted].digest
    assert open_repository(fake, "other/bot").resolve("arm") == images[wanted]
    with pytest.raises(NoSuchPlatform):
        engine.copies.copy(*ends, CopyRules(platform=Platform("linux", "s390x")))


def test_a_target_that_pins_a_digest(
    engine: Engine, fake: FakeRegistry, source: Repository, open_repository: Open
) -> None:
    root = source.resolve("1.0")
    origin = f"{fake.host}/team/bot:1.0"
    engine.copies.copy(origin, f"{fake.host}/other/bot@{root.digest}")
    there = open_repository(fake, "other/bot")
    assert there.resolve(str(root.digest)) == root
    assert there.tags() == []
    with pytest.raises(PinnedElsewise):
        engine.copies.copy(origin, f"{fake.host}/other/bot:1@{Digest.of(b'other')}")
    assert there.tags() == []


def test_a_plan_changes_nothing(
    engine: Engine, fake: FakeRegistry, source: Repository, tmp_path: Path
) -> None:
    root = source.resolve("1.0")
    signature = attach(source, root, SIGNATURE)
    fake.seen.clear()
    before = files_of(tmp_path)
    for target in (
        f"{fake.host}/other/bot:1.0",
        f"oci:{tmp_path}/layout",
        f"oci-archive:{tmp_path}/a.tar",
        "bot:1.0",
    ):
        plan = engine.copies.plan(f"{fake.host}/team/bot:1.0", target, RECURSIVE)
        assert {root, signature} <= set(plan.moves)
        assert len(plan.moves) == 3 + 1 + 2 + 1
        assert (plan.present, plan.digest) == ((), root.digest)
    assert {one.method for one in fake.seen} <= {"GET", "HEAD"}
    assert {path for path in files_of(tmp_path) - before if "cache" not in path.parts} == set()
    there = engine.copies.plan(f"{fake.host}/team/bot:1.0", f"{fake.host}/team/bot:2.0")
    assert (there.moves, len(there.present)) == ((), 4)


def entries(*names: str | None) -> list[Entry]:
    return [
        Entry(Descriptor.of(mediatypes.OCI_MANIFEST, str(index).encode()), name)
        for index, name in enumerate(names)
    ]


HEX = "ab" * 32


@pytest.mark.parametrize(
    ("names", "wanted", "found"),
    [
        (["bot:1.0"], None, 0),
        (["bot:1.0", None], None, 0),
        ([None, f"bot:sha256-{HEX}.sig", "bot:1.0"], None, 2),
        ([None], None, 0),
        (["a:1", "b:1"], "b:1", 1),
        (["a:latest"], "a", 0),
        (["v1", f"sha256-{HEX}"], None, 0),
    ],
)
def test_which_image_a_location_means(
    names: list[str | None], wanted: str | None, found: int
) -> None:
    there = entries(*names)
    assert entry_meant(there, LayoutLocation(Path("l"), wanted)) == there[found]


@pytest.mark.parametrize(
    ("names", "wanted", "said"),
    [
        (["a:1", "b:1"], None, "say which image"),
        ([None, None], None, "say which image"),
        ([], None, "say which image"),
        (["a:1"], "b", "no image 'b'"),
    ],
)
def test_a_location_that_means_no_one_image(
    names: list[str | None], wanted: str | None, said: str
) -> None:
    with pytest.raises(ContentNotFound, match=said) as caught:
        entry_meant(entries(*names), ArchiveLocation(Path("a.tar"), wanted))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oci-archive:a.tar", ArchiveLocation(Path("a.tar"))),
        ("oci-archive:/x/a.tar:bot:1.0", ArchiveLocation(Path("/x/a.tar"), "bot:1.0")),
        ("oci:dir:bot", LayoutLocation(Path("dir"), "bot")),
        ("docker://h.io/bot:1", Reference("h.io", "bot", "1")),
        ("bot:1", Reference(None, "bot", "1")),
    ],
)
def test_locations(text: str, expected: object) -> None:
    found = parse_any_location(text)
    assert found == expected
    assert str(found) == text.removeprefix("docker://")


@pytest.mark.parametrize(
    "text",
    [
        *("oci-archive:", "oci::bot", "docker://bot", "docker://", "Bot:1", "./dir", "/dir"),
        *("oci://h.io/bot:1", "docker-archive:bot.tar", "https://h.io/bot:1"),
    ],
)
def test_what_is_no_location(text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_any_location(text)
    assert caught.value.hint


def test_an_address_is_not_taken_for_a_folder_below_the_root() -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_location("oci://h.io/team/bot:1")
    assert caught.value.hint == "write h.io/team/bot:1 for a registry, oci:DIR:NAME for a folder"
    assert parse_location("oci:///srv/bots:bot") == LayoutLocation(Path("/srv/bots"), "bot")


def test_verbs_that_read_no_archive_say_how_to_get_at_its_image() -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_location("oci-archive:bot.tar:bot:1.0")
    assert caught.value.hint is not None
    assert "agent cp oci-archive:bot.tar:bot:1.0 NAME:TAG" in caught.value.hint


def test_a_folder_is_no_archive_to_write(engine: Engine, tmp_path: Path) -> None:
    bot = LayoutStore.create(tmp_path / "layout", clock=engine.clock)
    bot.tag(put_image(bot, b"a"), "bot:1.0")
    with pytest.raises(Invalid, match="a folder, where an archive") as caught:
        engine.copies.copy(f"oci:{tmp_path}/layout", f"oci-archive:{tmp_path}")
    assert caught.value.hint == "oci:DIR is a layout in a folder"
    assert [path.name for path in tmp_path.parent.glob(f".{tmp_path.name}*")] == []


@pytest.mark.parametrize("location", ["oci:{}/none", "oci-archive:{}/none.tar", "none:1.0"])
def test_a_source_that_is_not_there(location: str, engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(AgentociError) as caught:
        engine.copies.copy(location.format(tmp_path), "bot:1.0")
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bot:1.0", "bot:latest"),
        ("host:5000/team/bot:1.0", "host:5000/team/bot:latest"),
        ("host:5000/team/bot", "host:5000/team/bot:latest"),
        ("1.0", "latest"),
        (f"team/bot@sha256:{'a' * 64}", "team/bot:latest"),
        (f"sha256:{'a' * 64}", "latest"),
    ],
)
def test_other_tag_of_a_name(name: str, expected: str) -> None:
    assert with_tag(name, "latest") == expected
    with pytest.raises(InvalidReference):
        with_tag(name, "no tag")
