"""Garbage collection: nothing that is needed goes, everything else does."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.content.copy import copy
from agentoci.content.graph import fetch_manifest
from agentoci.content.memory import MemoryTarget
from agentoci.errors import Integrity
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.store.collect import GcPlan, carry_out, plan_collection, reachable
from agentoci.store.layout import LayoutStore
from tests.content.graphs import LAYER_TYPE, artifacts, contents, put, put_image
from tests.store.conftest import StillClock, may_not_write
from tests.store.worker import heard, working

GRACE = timedelta(hours=1)


def present(store: LayoutStore) -> set[Digest]:
    return {
        Digest(folder.name, path.name)
        for folder in (store.root / "blobs").iterdir()
        for path in folder.iterdir()
    }


def age(store: LayoutStore, path: Path, by: timedelta = 2 * GRACE) -> None:
    moment = (store._clock.now() - by).timestamp()
    os.utime(path, (moment, moment))


def age_blobs(store: LayoutStore, digests: Iterable[Digest] | None = None) -> None:
    for digest in present(store) if digests is None else digests:
        age(store, store.path(digest))


def plan(
    store: LayoutStore, kept: Iterable[Descriptor] = (), doomed: Iterable[Descriptor] = ()
) -> GcPlan:
    now = store._clock.now()
    return plan_collection(store, kept=kept, doomed=doomed, now=now, grace=GRACE)


def needed_by(source: MemoryTarget, roots: Iterable[Descriptor]) -> set[Digest]:
    """What roots lead to, found by another way than the collector's."""
    found: set[Digest] = set()
    for root in roots:
        found |= {desc.digest for desc in contents(source, root)}
        for desc in list(contents(source, root)):
            subject = fetch_manifest(source, desc).subject if desc.is_manifest else None
            if subject is not None:
                found |= needed_by(source, [subject])
    return found


@given(artifacts(), st.data())
def test_what_is_reachable_stays_and_the_rest_goes(
    made: tuple[MemoryTarget, list[Descriptor]], data: st.DataObject
) -> None:
    source, roots = made
    with tempfile.TemporaryDirectory() as folder:
        store = LayoutStore.create(Path(folder) / "store", clock=StillClock())
        for root in roots:
            copy(source, root, store, str(root.digest))
        everything = sorted(present(store))
        tagged = set(data.draw(st.lists(st.sampled_from(roots)), label="tagged"))
        used = data.draw(st.lists(st.sampled_from(roots)), label="used by instances")
        old = set(data.draw(st.lists(st.sampled_from(everything)), label="old"))
        age_blobs(store, old)
        for digest in set(everything) - old:
            age(store, store.path(digest), GRACE / 2)
        with store.index.changing() as change:
            change.remove(lambda entry: entry.desc not in tagged)
        needed = needed_by(source, [*tagged, *used])
        made_plan = plan(store, [*(entry.desc for entry in store.index.read()), *used])
        assert made_plan.kept == needed
        freed = carry_out(made_plan)
        assert present(store) == needed | (set(everything) - old)
        assert freed == made_plan.size == sum(piece.size for piece in made_plan.garbage)
        for root in [*tagged, *used]:
            assert contents(store, root) == contents(source, root)
        assert plan(store, [*tagged, *used]).garbage == ()


def test_a_checkpoint_keeps_the_image_that_it_was_made_from(store: LayoutStore) -> None:
    image = put_image(store, b"layer")
    checkpoint = put_image(store, b"memory", subject=image)
    age_blobs(store)
    assert plan(store, [checkpoint]).garbage == ()
    assert {piece.digest for piece in plan(store, [image]).garbage} == {
        checkpoint.digest,
        Digest.of(b"memory"),
    }


def test_a_subject_that_was_never_here_is_no_fault(store: LayoutStore) -> None:
    elsewhere = Descriptor.of(mediatypes.OCI_MANIFEST, b"elsewhere")
    report = put_image(store, b"report", subject=elsewhere)
    age_blobs(store)
    assert plan(store, [report]).garbage == ()


def test_doomed_content_goes_at_once_unless_somebody_else_needs_it(store: LayoutStore) -> None:
    kept, doomed = put_image(store, b"shared", b"kept"), put_image(store, b"shared", b"doomed")
    stray = put(store, b"stray")
    carry_out(plan(store, [kept], [doomed]))
    assert present(store) == reachable(store, [kept]) | {stray.digest}


def test_a_blob_that_somebody_asked_for_just_now_is_spared(store: LayoutStore) -> None:
    asked, other = put(store, b"asked"), put(store, b"other")
    age_blobs(store)
    os.utime(store.path(asked.digest), (0, 0))
    assert store.exists(asked)
    assert {piece.digest for piece in plan(store).garbage} == {other.digest}


def test_a_builder_that_makes_it_again_spares_it(store: LayoutStore) -> None:
    put(store, b"layer")
    age_blobs(store)
    with store.writer() as writer:
        writer.write(b"layer")
        writer.commit()
    assert plan(store).garbage == ()


def test_downloads_that_nobody_works_on_are_garbage(store: LayoutStore) -> None:
    ingest = store.root / "ingest"
    names = ["tmp-left", f"{'a' * 64}.part", "fresh.part", "index.lock", "gc.lock"]
    for name in names:
        (ingest / name).write_bytes(b"half")
        if name != "fresh.part":
            age(store, ingest / name)
    half_index = store.root / ".index.json.a1b2"
    half_index.write_bytes(b"{")
    age(store, half_index)
    made = plan(store)
    assert {piece.path.name for piece in made.garbage} == {*names[:2], half_index.name}
    assert {piece.digest for piece in made.garbage} == {None}
    assert carry_out(made) == 9
    assert sorted(path.name for path in ingest.iterdir()) == sorted(names[2:])


def test_what_a_process_still_writes_is_spared(store: LayoutStore) -> None:
    for name in ("tmp-busy", "busy.part"):
        path = store.root / "ingest" / name
        path.write_bytes(b"half")
        age(store, path)
        with working("lock", path) as worker:
            assert heard(worker) == "held"
            assert plan(store).garbage == ()
        assert [piece.path for piece in plan(store).garbage] == [path]
        path.unlink()


def test_a_builder_in_this_process_is_spared_too(store: LayoutStore) -> None:
    with store.writer() as writer:
        writer.write(b"half")
        (path,) = (store.root / "ingest").glob("tmp-*")
        age(store, path)
        assert plan(store).garbage == ()
    assert not path.exists()


def test_the_downloads_of_another_user_are_spared(public: LayoutStore) -> None:
    path = public.root / "ingest" / "tmp-theirs"
    path.write_bytes(b"half")
    path.chmod(0)
    age(public, path)
    with may_not_write():
        assert plan(public).garbage == ()


def test_what_is_gone_already_is_not_counted(store: LayoutStore) -> None:
    stray = put(store, b"stray")
    age_blobs(store)
    made = plan(store)
    store.path(stray.digest).unlink()
    assert made.size == 5
    assert carry_out(made) == 0


@pytest.mark.parametrize("damage", [b"", b"!!", b"{}"])
def test_nothing_goes_while_a_kept_manifest_is_damaged(store: LayoutStore, damage: bytes) -> None:
    image, other = put_image(store, b"layer"), put_image(store, b"other")
    path = store.path(image.digest)
    path.chmod(0o644)
    path.write_bytes(damage)
    age_blobs(store)
    with pytest.raises(Integrity, match=str(image.digest)):
        plan(store, [image, other])
    assert {piece.digest for piece in plan(store, [other], [image]).garbage} == {
        image.digest,
        Digest.of(b"layer"),
    }


def test_a_manifest_of_a_later_version_is_not_taken_apart(store: LayoutStore) -> None:
    raw = b'{"schemaVersion":2,"artifactType":"application/vnd.agentoci.agent.v2"}'
    later = put(store, raw, mediatypes.OCI_MANIFEST)
    put(store, b"needed by it")
    age_blobs(store)
    with pytest.raises(Integrity):
        plan(store, [later])


def test_sha512_blobs_are_collected_too(store: LayoutStore) -> None:
    folder = store.root / "blobs" / "sha512"
    folder.mkdir()
    (folder / ("0" * 128)).write_bytes(b"x")
    age_blobs(store)
    assert carry_out(plan(store)) == 1


def test_an_empty_store_has_no_garbage(tmp_path: Path, clock: StillClock) -> None:
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    layout = LayoutStore.open(tmp_path, clock=clock)
    assert plan(layout) == GcPlan(frozenset(), ())
    assert reachable(layout, [Descriptor.of(LAYER_TYPE, b"x")]) == {Digest.of(b"x")}
