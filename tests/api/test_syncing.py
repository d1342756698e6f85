"""Sync: every image has its account, failures stop nobody else, and nothing moves twice."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentoci import Engine, read_settings
from agentoci.api import syncing
from agentoci.api.syncing import SyncOptions
from agentoci.api.synclists import SyncEntry
from agentoci.api.syncreport import SyncOutcome, SyncReport, SyncRow
from agentoci.api.synctasks import Destination, InvalidSync
from agentoci.registry.repository import Repository
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor, Platform
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import Index, Manifest
from agentoci.spec.reference import Reference
from agentoci.store.layout import LayoutStore
from tests import commandline
from tests.content.graphs import put, put_image, put_manifest
from tests.registry.fake import FakeRegistry
from tests.registry.faults import Exchange, Reply, answers, refuses


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
    with FakeRegistry() as fake:
        yield fake


def repository(engine: Engine, fake: FakeRegistry, name: str) -> Repository:
    return engine.client.repository(Reference(fake.host, name, "latest"), push=True)


@pytest.fixture
def bot(engine: Engine, fake: FakeRegistry) -> Repository:
    """A repository of versions, of other tags, and of what hangs on them."""
    bot = repository(engine, fake, "team/bot")
    for tag in ("1.0.0", "1.1.0", "2.0.0", "2.1.0-rc1", "nightly"):
        bot.tag(put_image(bot, b"shared", tag.encode()), tag)
    hex_of = bot.resolve("1.0.0").digest.hex
    bot.tag(put_image(bot, b"signed"), f"sha256-{hex_of}.sig")
    return bot


Sync = Callable[..., SyncReport]


@pytest.fixture
def sync(engine: Engine) -> Sync:
    """Run a sync of entries; with a destination when one is given."""

    def run(
        *entries: SyncEntry,
        to: str | None = None,
        told: list[SyncRow] | None = None,
        **options: object,
    ) -> SyncReport:
        report = SyncReport((lambda _: None) if told is None else told.append)
        where = Destination.parse(to) if to else None
        engine.syncs.run(entries, where, report, SyncOptions(**options))  # type: ignore[arg-type]
        return report

    return run


def targets(report: SyncReport) -> list[str]:
    return sorted((row.target or "").partition("/")[2] for row in report.rows)


@pytest.mark.parametrize(
    ("choice", "tags"),
    [
        ({}, ["1.0.0", "1.1.0", "2.0.0", "2.1.0-rc1", "nightly"]),
        ({"tags": ("1.*", "nightly")}, ["1.0.0", "1.1.0", "nightly"]),
        ({"tags": ("2.0.0",)}, ["2.0.0"]),
        ({"newest": "2"}, ["1.1.0", "2.0.0"]),
        ({"newest": "major:2"}, ["1.1.0", "2.0.0"]),
    ],
)
def test_which_tags_of_a_repository(
    choice: dict[str, object], tags: list[str], sync: Sync, bot: Repository, mirror: FakeRegistry
) -> None:
    entry = SyncEntry(f"{bot.host}/team/bot", **choice)  # type: ignore[arg-type]
    report = sync(entry, to=f"{mirror.host}/backup")
    assert targets(report) == [f"backup/team/bot:{tag}" for tag in tags]
    assert {row.outcome for row in report.rows} == {SyncOutcome.COPIED}
    assert report.failure is None


def test_tags_that_are_named_need_no_list(sync: Sync, bot: Repository, fake: FakeRegistry) -> None:
    fake.seen.clear()
    sync(SyncEntry(f"{bot.host}/team/bot", f"{fake.host}/x", tags=("1.0.0", "2.0.0")))
    assert fake.requests("GET", "tags/list") == []


def test_again_it_asks_two_requests_for_each_image(
    sync: Sync, bot: Repository, fake: FakeRegistry, mirror: FakeRegistry
) -> None:
    entries = [SyncEntry(f"{bot.host}/team/bot:{tag}") for tag in ("1.0.0", "1.1.0", "nightly")]
    sync(*entries, to=mirror.host)
    fake.seen.clear()
    mirror.seen.clear()
    report = sync(*entries, to=mirror.host)
    assert {row.outcome for row in report.rows} == {SyncOutcome.EXISTS}
    assert [one.method for one in fake.seen] == ["HEAD"] * 3
    assert [one.method for one in mirror.seen] == ["HEAD"] * 3


def test_a_failure_stops_no_other_image(
    sync: Sync, bot: Repository, mirror: FakeRegistry, engine: Engine, tmp_path: Path
) -> None:
    told: list[SyncRow] = []
    report = sync(
        SyncEntry(f"{bot.host}/team/bot:1.0.0"),
        SyncEntry(f"{bot.host}/team/bot:none"),
        SyncEntry(f"{bot.host}/team/nobody"),
        SyncEntry(f"oci:{tmp_path}/none:bot:1"),
        SyncEntry(f"{bot.host}/team/bot", tags=("9.*",)),
        SyncEntry(f"{bot.host}/team/bot:2.0.0"),
        to=mirror.host,
        told=told,
    )
    outcomes = {row.source.partition("/")[2]: row.outcome for row in report.rows}
    assert outcomes["team/bot:1.0.0"] == outcomes["team/bot:2.0.0"] == SyncOutcome.COPIED
    failed = [row for row in report.rows if row.outcome is SyncOutcome.FAILED]
    assert [row.error.exit_code for row in failed if row.error] == [6] * 4
    assert len(told) == len(report.rows) == 6
    assert report.failure is not None
    assert report.failure.exit_code == 1
    assert "4 of 6 images failed" in report.failure.message
    assert repository(engine, mirror, "team/bot").resolve("2.0.0") == bot.resolve("2.0.0")


def test_a_report_says_it_to_machines(
    sync: Sync, bot: Repository, mirror: FakeRegistry, tmp_path: Path
) -> None:
    entries = [SyncEntry(f"{bot.host}/team/bot:{tag}") for tag in ("1.0.0", "none")]
    report = sync(*entries, to=mirror.host)
    report.write(tmp_path / "report.json")
    assert report.requests >= len(mirror.seen) > 0
    document = json.loads((tmp_path / "report.json").read_bytes())
    assert (document["copied"], document["failed"], document["exists"]) == (1, 1, 0)
    copied, failed = document["images"]
    assert copied == {
        "source": f"{bot.host}/team/bot:1.0.0",
        "target": f"{mirror.host}/team/bot:1.0.0",
        "digest": str(bot.resolve("1.0.0").digest),
        "outcome": "copied",
        "movedBytes": copied["movedBytes"],
        "attached": 0,
        "leftOut": [],
        "error": None,
        "hint": None,
        "exitCode": 0,
    }
    assert copied["movedBytes"] > 0
    assert document["requests"] == report.requests
    assert (failed["outcome"], failed["exitCode"], failed["digest"]) == ("failed", 6, None)
    assert "none" in failed["error"]


def test_a_dry_run_moves_nothing(
    sync: Sync, bot: Repository, fake: FakeRegistry, mirror: FakeRegistry
) -> None:
    entries = [SyncEntry(f"{bot.host}/team/bot:{tag}") for tag in ("1.0.0", "1.1.0", "none")]
    sync(entries[0], to=mirror.host)
    fake.seen.clear()
    mirror.seen.clear()
    report = sync(*entries, to=mirror.host, dry_run=True)
    assert [row.outcome for row in report.rows] == [
        SyncOutcome.EXISTS,
        SyncOutcome.PLANNED,
        SyncOutcome.FAILED,
    ]
    assert {one.method for one in (*fake.seen, *mirror.seen)} <= {"HEAD", "GET"}


def test_fail_fast_stops_the_rest(sync: Sync, bot: Repository, mirror: FakeRegistry) -> None:
    entries = [SyncEntry(f"{bot.host}/team/bot:{tag}") for tag in ("none", "1.0.0", "2.0.0")]
    report = sync(*entries, to=mirror.host, fail_fast=True, jobs=1)
    assert [row.outcome for row in report.rows] == [
        SyncOutcome.FAILED,
        SyncOutcome.CANCELLED,
        SyncOutcome.CANCELLED,
    ]
    assert report.failure is not None
    assert "2 were not tried" in report.failure.message


def test_fail_fast_counts_for_entries_that_cannot_be_read(
    sync: Sync, bot: Repository, mirror: FakeRegistry
) -> None:
    good, bad = SyncEntry(f"{bot.host}/team/bot:1.0.0"), SyncEntry(f"{bot.host}/team/nobody")
    report = sync(bad, good, to=mirror.host, fail_fast=True)
    assert {row.outcome for row in report.rows} == {SyncOutcome.FAILED, SyncOutcome.CANCELLED}
    assert mirror.seen == []


def test_an_interrupted_sync_has_an_account(
    engine: Engine, bot: Repository, mirror: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [SyncEntry(f"{bot.host}/team/bot:{tag}") for tag in ("1.0.0", "1.1.0", "2.0.0")]
    asked, go_on = threading.Event(), threading.Event()

    def hesitates(exchange: Exchange) -> Reply:
        asked.set()
        go_on.wait(10)
        return exchange.serve()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def interrupt_soon() -> None:
        asked.wait(10)
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    monkeypatch.setattr(syncing, "_PATIENCE_SECONDS", 0.1)
    mirror.on("PUT", "/manifests/1.1.0", hesitates)
    report = SyncReport()
    previous = signal.signal(signal.SIGALRM, interrupt)
    threading.Thread(target=interrupt_soon).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.syncs.run(entries, Destination.parse(mirror.host), report, SyncOptions(jobs=1))
    finally:
        signal.signal(signal.SIGALRM, previous)
        go_on.set()
    outcomes = [row.outcome for row in report.rows]
    assert outcomes[0] is SyncOutcome.COPIED
    assert outcomes[1:] == [SyncOutcome.CANCELLED] * 2


def test_an_unwell_target_is_a_failure_of_that_image(
    sync: Sync, bot: Repository, mirror: FakeRegistry
) -> None:
    mirror.on("PUT", "/manifests/1.0.0", answers(400), times=9)
    entries = [SyncEntry(f"{bot.host}/team/bot:{tag}") for tag in ("1.0.0", "1.1.0")]
    report = sync(*entries, to=mirror.host)
    assert [row.outcome for row in report.rows] == [SyncOutcome.FAILED, SyncOutcome.COPIED]


def attach(target: Repository, subject: Descriptor, kind: str) -> Descriptor:
    put(target, EMPTY_CONTENT, mediatypes.OCI_EMPTY)
    manifest = Manifest.build(
        config=EMPTY, layers=[put(target, kind.encode())], artifact_type=kind, subject=subject
    )
    return put_manifest(target, manifest).bare()


def test_attachments_come_along(
    sync: Sync, bot: Repository, engine: Engine, fake: FakeRegistry, mirror: FakeRegistry
) -> None:
    root = bot.resolve("1.0.0")
    attach(bot, root, "a/sbom")
    checkpoint = attach(bot, root, mediatypes.CHECKPOINT)
    entry = SyncEntry(f"{bot.host}/team/bot", tags=("1.0.*",), recursive=True)
    fake.seen.clear()
    [row] = sync(entry, to=mirror.host).rows
    assert row.attached == 2
    assert [one.attachment.desc for one in row.left_out] == [checkpoint]
    there = repository(engine, mirror, "team/bot")
    assert there.resolve(f"sha256-{root.digest.hex}.sig").is_manifest
    assert fake.requests("HEAD", r"\.(att|sbom)") == []  # the list of tags told
    [again] = sync(entry, to=mirror.host).rows
    assert (again.outcome, again.moved_bytes) == (SyncOutcome.EXISTS, 0)
    [all_of_it] = sync(entry, to=mirror.host, checkpoints=True).rows
    assert (all_of_it.attached, all_of_it.left_out) == (3, ())


@pytest.mark.parametrize("target", ["one/bot", "{tag}/bot"])
def test_a_blob_that_images_share_is_sent_once(
    target: str, sync: Sync, bot: Repository, mirror: FakeRegistry
) -> None:
    shared = Digest.of(b"shared")
    asked = f"/blobs/{shared}|mount={shared}".replace(":", "(?::|%3A)")

    def lingers(exchange: Exchange) -> Reply:
        """Until the others would send it, too."""
        deadline = time.monotonic() + 10
        while len(mirror.requests("", asked)) < len(tags) and time.monotonic() < deadline:
            time.sleep(0.01)
        return exchange.serve()

    tags = ("1.0.0", "1.1.0", "2.0.0", "nightly")
    sent = f"digest=sha256(:|%3A){shared.hex}"
    mirror.on("PUT", sent, lingers)
    entries = [
        SyncEntry(f"{bot.host}/team/bot:{tag}", f"{mirror.host}/{target.format(tag=tag)}:{tag}")
        for tag in tags
    ]
    assert sync(*entries).failure is None
    assert len(mirror.requests("PUT", sent)) == 1


def test_a_blob_that_the_registry_does_not_see_is_sent_again(
    sync: Sync, bot: Repository, mirror: FakeRegistry
) -> None:
    shared = Digest.of(b"shared")
    sent = f"digest=sha256(:|%3A){shared.hex}"
    sync(SyncEntry(f"{bot.host}/team/bot:1.0.0"), to=mirror.host)

    def forgets(exchange: Exchange) -> Reply:
        mirror.blobs.pop(("team/bot", str(shared)))
        return refuses(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")(exchange)

    mirror.on("PUT", "/manifests/2.0.0", forgets)
    entries = [SyncEntry(f"{bot.host}/team/bot:{tag}") for tag in ("1.1.0", "2.0.0")]
    assert sync(*entries, to=mirror.host, jobs=1).failure is None
    assert len(mirror.requests("PUT", sent)) == 2
    assert ("team/bot", str(shared)) in mirror.blobs


def test_one_platform(sync: Sync, bot: Repository, engine: Engine, mirror: FakeRegistry) -> None:
    image = put_image(bot, b"arm")
    listed = Descriptor(
        image.media_type, image.digest, image.size, platform=Platform("linux", "arm64")
    )
    bot.tag(put_manifest(bot, Index.build([listed])), "multi")
    sync(SyncEntry(f"{bot.host}/team/bot:multi", platform="linux/arm64"), to=mirror.host)
    assert repository(engine, mirror, "team/bot").resolve("multi") == image


def test_through_a_layout_and_out_again(
    sync: Sync, bot: Repository, engine: Engine, mirror: FakeRegistry, tmp_path: Path
) -> None:
    layout = f"oci:{tmp_path}/layout"
    sync(SyncEntry(f"{bot.host}/team/bot", tags=("1.*", "nightly")), to=layout)
    store = LayoutStore.open(tmp_path / "layout", clock=engine.clock)
    prefix = f"{bot.host}/team/bot"
    assert {entry.name for entry in store.index.read()} == {
        f"{prefix}:1.0.0",
        f"{prefix}:1.1.0",
        f"{prefix}:nightly",
    }
    report = sync(SyncEntry(layout), to=f"{mirror.host}/inside")
    assert targets(report) == [f"inside/team/bot:{tag}" for tag in ("1.0.0", "1.1.0", "nightly")]
    assert report.failure is None
    picked = sync(SyncEntry(layout, tags=("night*",)), to=f"{mirror.host}/picked")
    assert targets(picked) == ["picked/team/bot:nightly"]
    missing = sync(SyncEntry(layout, tags=("3.0",)), to=f"{mirror.host}/picked")
    assert [row.outcome for row in missing.rows] == [SyncOutcome.FAILED]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("{host}/other", "{host}/other:1.0.0"),
        ("{host}/other:9", "{host}/other:9"),
        ("docker://{host}/other", "{host}/other:1.0.0"),
        ("local/bot", "local/bot:1.0.0"),
        ("oci:{folder}/l", "oci:{folder}/l:{source}/team/bot:1.0.0"),
        ("oci:{folder}/l:bot:9", "oci:{folder}/l:bot:9"),
    ],
)
def test_what_one_image_is_called(
    target: str, expected: str, sync: Sync, bot: Repository, mirror: FakeRegistry, tmp_path: Path
) -> None:
    words = {"host": mirror.host, "folder": tmp_path, "source": bot.host}
    [row] = sync(SyncEntry(f"{bot.host}/team/bot:1.0.0", target.format(**words))).rows
    assert row.error is None
    assert row.target == expected.format(**words)


def test_a_layout_of_bare_tags(
    sync: Sync, bot: Repository, engine: Engine, mirror: FakeRegistry, tmp_path: Path
) -> None:
    layout = f"oci:{tmp_path}/l"
    engine.copies.copy(f"{bot.host}/team/bot:1.0.0", f"{layout}:v1")
    [row] = sync(SyncEntry(layout), to=mirror.host).rows
    assert row.error is not None
    assert "says no repository" in row.error.message
    [row] = sync(SyncEntry(f"{layout}:v1", f"{mirror.host}/team/bot")).rows
    assert (row.target, row.outcome) == (f"{mirror.host}/team/bot:v1", SyncOutcome.COPIED)


def test_an_empty_layout_is_a_failure(sync: Sync, engine: Engine, tmp_path: Path) -> None:
    LayoutStore.create(tmp_path / "l", clock=engine.clock)
    [row] = sync(SyncEntry(f"oci:{tmp_path}/l"), to="h.io").rows
    assert row.error is not None
    assert "no image with a name" in row.error.message


def test_all_images_of_an_archive(
    sync: Sync, bot: Repository, engine: Engine, mirror: FakeRegistry, tmp_path: Path
) -> None:
    archive = f"oci-archive:{tmp_path}/a.tar"
    engine.copies.copy(f"{bot.host}/team/bot:1.0.0", archive)
    assert targets(sync(SyncEntry(archive), to=mirror.host)) == ["team/bot:1.0.0"]


def test_what_the_disk_refuses_is_a_failure_of_that_image(
    sync: Sync, bot: Repository, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    [row] = sync(SyncEntry(f"{bot.host}/team/bot:1.0.0", f"oci:{tmp_path}/file/layout")).rows
    assert row.error is not None
    assert f"{tmp_path}/file" in row.error.message
    assert row.error.exit_code == 1


def test_what_several_images_are_called(
    sync: Sync, bot: Repository, mirror: FakeRegistry, tmp_path: Path
) -> None:
    entry = SyncEntry(f"{bot.host}/team/bot", f"{mirror.host}/x/y", tags=("1.0.0", "nightly"))
    assert targets(sync(entry)) == ["x/y:1.0.0", "x/y:nightly"]
    into = f"oci:{tmp_path}/l:bot"
    rows = sync(SyncEntry(f"{bot.host}/team/bot", into, tags=("1.0.0", "nightly"))).rows
    assert {row.target for row in rows} == {f"{into}:1.0.0", f"{into}:nightly"}


def test_a_pinned_image_keeps_its_pin(sync: Sync, bot: Repository, mirror: FakeRegistry) -> None:
    digest = bot.resolve("1.0.0").digest
    report = sync(SyncEntry(f"{bot.host}/team/bot@{digest}"), to=mirror.host)
    assert [(row.target, row.digest) for row in report.rows] == [
        (f"{mirror.host}/team/bot@{digest}", digest)
    ]
    [row] = sync(SyncEntry(f"{bot.host}/team/bot@{digest}", f"{mirror.host}/x")).rows
    assert row.target == f"{mirror.host}/x@{digest}"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (SyncEntry("h.io/bot:1"), "no target"),
        (SyncEntry("h.io/bot:1", tags=("1",)), "names one image"),
        (SyncEntry("h.io/bot", "x.io/bot:1", tags=("1", "2")), "names one image"),
        (SyncEntry("h.io/bot:1", "oci-archive:a.tar"), "archive"),
    ],
)
def test_entries_that_make_no_sense(entry: SyncEntry, said: str, sync: Sync) -> None:
    [row] = sync(entry).rows
    assert row.error is not None
    assert said in row.error.message
    assert (row.error.exit_code, row.error.hint is not None) == (2, True)


def test_two_images_with_one_name_are_refused_before_anything_moves(
    sync: Sync, bot: Repository, fake: FakeRegistry, mirror: FakeRegistry
) -> None:
    fake.seen.clear()
    source = f"{bot.host}/team/bot"
    with pytest.raises(InvalidSync, match="would be both"):
        sync(
            SyncEntry(f"{source}:1.0.0", f"{mirror.host}/x:1"),
            SyncEntry(f"{source}:1.1.0", f"{mirror.host}/x:1"),
        )
    assert (fake.seen, mirror.seen) == ([], [])
    same = SyncEntry(f"{source}:1.0.0", f"{mirror.host}/x:1")
    assert len(sync(same, same).rows) == 1


@pytest.mark.parametrize("text", ["mirror", "oci-archive:a.tar", "oci:dir:name", "h.io/Upper", ""])
def test_what_is_no_destination(text: str) -> None:
    with pytest.raises(InvalidSync) as caught:
        Destination.parse(text)
    assert caught.value.hint
