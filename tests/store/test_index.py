"""The index file: what a change does, and what is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.errors import Integrity
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor, Platform
from agentoci.store.index import Change, Entry, encode_index
from agentoci.store.layout import LayoutStore

IMAGES = [Descriptor.of(mediatypes.OCI_MANIFEST, b"%d" % number) for number in range(4)]

actions = st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from(IMAGES))


@given(st.lists(actions, max_size=12))
def test_names_behave_as_in_a_dictionary_and_no_manifest_is_dropped(
    puts: list[tuple[str | None, Descriptor]],
) -> None:
    change, names, held = Change([]), dict[str, Descriptor](), set[Descriptor]()
    for name, image in puts:
        change.put(Entry(image, name))
        held.add(image)
        if name is not None:
            names[name] = image
    found = [(entry.name, entry.desc) for entry in change.entries if entry.name is not None]
    assert sorted(found, key=lambda pair: pair[0]) == sorted(names.items())
    assert {entry.desc for entry in change.entries} == held
    nameless = [entry.desc for entry in change.entries if entry.name is None]
    assert len(nameless) == len(set(nameless))


@given(st.lists(actions, max_size=8), st.sampled_from(IMAGES))
def test_removing_takes_what_matches_and_tells_it(
    puts: list[tuple[str | None, Descriptor]], gone: Descriptor
) -> None:
    change = Change([Entry(image, name) for name, image in puts])
    removed = change.remove(lambda entry: entry.desc == gone)
    assert change.touched is bool(removed)
    assert {entry.desc for entry in removed} <= {gone}
    assert gone not in {entry.desc for entry in change.entries}
    assert len(change.entries) + len(removed) == len(puts)


def test_an_entry_is_read_as_it_was_written() -> None:
    entry = Entry(
        Descriptor(
            mediatypes.OCI_INDEX,
            IMAGES[0].digest,
            3,
            {"note": "x"},
            artifact_type="a/b",
            platform=Platform("linux", "amd64"),
        ),
        "bot:1.0",
    )
    read = Entry.parse(entry.document(), what="x")
    assert read == entry
    assert read.annotations == {"note": "x"}
    assert read.digest == IMAGES[0].digest
    assert entry.document()["annotations"] == {"note": "x", keys.REF_NAME: "bot:1.0"}
    assert "annotations" not in Entry(IMAGES[0]).document()


def test_an_index_is_written_whole_or_not_at_all(store: LayoutStore) -> None:
    path = store.root / "index.json"
    before = path.stat().st_ino
    with store.index.changing():
        pass
    assert path.stat().st_ino == before, "nothing changed, so nothing is written"

    class Interrupted(Exception):
        pass

    def interrupt() -> None:
        with store.index.changing() as change:
            change.put(Entry(IMAGES[0], "a"))
            raise Interrupted

    with pytest.raises(Interrupted):
        interrupt()
    assert path.stat().st_ino == before
    with store.index.changing() as change:
        change.put(Entry(IMAGES[0], "a"))
    assert path.stat().st_ino != before
    assert path.read_bytes() == encode_index([Entry(IMAGES[0], "a")])
    assert [p.name for p in store.root.iterdir() if p.name.startswith(".")] == []


def test_a_missing_index_is_an_empty_one(store: LayoutStore) -> None:
    (store.root / "index.json").unlink()
    assert store.index.read() == ()


def test_an_index_without_a_list_is_refused(store: LayoutStore) -> None:
    (store.root / "index.json").write_bytes(b'{"manifests":{}}')
    with pytest.raises(Integrity, match=r"index\.json: has no list of manifests"):
        store.index.read()


def test_ten_thousand_names_are_one_file(store: LayoutStore, tmp_path: Path) -> None:
    with store.index.changing() as change:
        change.entries.extend(Entry(IMAGES[0], f"bot:{number}") for number in range(10_000))
        change.touched = True
    assert len(store.index.read()) == 10_000
    assert len(json.loads((store.root / "index.json").read_bytes())["manifests"]) == 10_000
    found = store.find("bot:9999")
    assert found is not None
    assert found.desc == IMAGES[0]
