"""The document `agent/files.json`, and the rules for names."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from agentoci._internal import limits
from agentoci.errors import Integrity
from agentoci.layers.inventory import FileEntry, InvalidInventory, Inventory
from agentoci.layers.paths import NameClash, Names, fold
from agentoci.spec import jsonio
from agentoci.spec.jsonio import InvalidJson

SHA = "a" * 64
FILE = {"path": "agent/a", "size": 3, "mode": "0644", "sha256": SHA, "layer": 0}
LINK = {"path": "agent/l", "link": "a", "layer": 1}


def parse(*files: object, **document: object) -> Inventory:
    whole = {"version": 1, "files": list(files)} | document
    return Inventory.parse(json.dumps(whole).encode(), what="files.json")


def test_the_document() -> None:
    listed = Inventory.of(
        [
            FileEntry.symlink("agent/l", "a", layer=1),
            FileEntry("agent/a", 3, 0o644, SHA, 0),
            FileEntry("agent/\xe4", 0, 0o755, SHA, 126),
        ]
    )
    raw = listed.encode()
    assert (
        raw
        == (
            '{"files":['
            f'{{"layer":0,"mode":"0644","path":"agent/a","sha256":"{SHA}","size":3}},'
            '{"layer":1,"link":"a","path":"agent/l"},'
            f'{{"layer":126,"mode":"0755","path":"agent/\xe4","sha256":"{SHA}","size":0}}'
            '],"version":1}'
        ).encode()
    )
    assert Inventory.parse(raw, what="files.json") == listed


def test_an_empty_one() -> None:
    assert Inventory.parse(Inventory(()).encode(), what="files.json") == Inventory(())


@pytest.mark.parametrize(
    "change",
    [
        {"path": ""}, {"path": "/a"}, {"path": "../a"}, {"path": "a/../b"}, {"path": "a/"},
        {"path": 1}, {"path": None}, {"path": ["a"]}, {"path": "a\n"}, {"path": "a\\b"},
        {"path": ".wh.a"}, {"path": "x" * 300},
        {"size": -1}, {"size": True}, {"size": 1.0}, {"size": "3"}, {"size": None},
        {"size": limits.MAX_UNPACKED_BYTES + 1},
        {"mode": "644"}, {"mode": 420}, {"mode": "4755"}, {"mode": None}, {"mode": ["0644"]},
        {"sha256": "A" * 64}, {"sha256": "a" * 63}, {"sha256": "a" * 64 + "\n"}, {"sha256": None},
        {"layer": -1}, {"layer": False}, {"layer": limits.MAX_LAYERS}, {"layer": "0"},
        {"extra": 1}, {"link": "b"},
    ],
)  # fmt: skip
def test_a_file_that_is_wrong(change: dict[str, object]) -> None:
    with pytest.raises(InvalidInventory, match=r"^files\.json: entry 0"):
        parse({**FILE, **change})


@pytest.mark.parametrize("path", ["a\ud800", "\udfff"])
def test_a_name_that_no_text_can_hold(path: str) -> None:
    with pytest.raises(InvalidJson, match=r"^files\.json: "):
        parse({**FILE, "path": path})


def test_a_file_that_is_a_layer_of_its_own_needs_no_digest() -> None:
    listed = Inventory.of([FileEntry("agent/model.bin", 9_000_000, 0o644, None, 0)])
    assert b"sha256" not in listed.encode()
    assert Inventory.parse(listed.encode(), what="files.json") == listed


@pytest.mark.parametrize("missing", sorted(FILE.keys() - {"sha256"}))
def test_a_file_that_lacks_something(missing: str) -> None:
    with pytest.raises(InvalidInventory):
        parse({key: value for key, value in FILE.items() if key != missing})


@pytest.mark.parametrize(
    "change",
    [
        {"link": ""}, {"link": "/etc"}, {"link": "../../x"}, {"link": "b/../c"}, {"link": None},
        {"link": 1}, {"path": "../l"}, {"layer": True}, {"size": 0},
    ],
)  # fmt: skip
def test_a_link_that_is_wrong(change: dict[str, object]) -> None:
    with pytest.raises(InvalidInventory, match=r"^files\.json: entry 1"):
        parse(FILE, {**LINK, **change})


@pytest.mark.parametrize("entry", [None, [], "agent/a", 1, {}])
def test_an_entry_that_is_none(entry: object) -> None:
    with pytest.raises(InvalidInventory):
        parse(entry)


@pytest.mark.parametrize(
    "document",
    [{"version": 2}, {"version": True}, {"version": "1"}, {"version": None}, {"files": {}},
     {"files": None}, {"more": 1}],
)  # fmt: skip
def test_a_document_of_another_form(document: dict[str, object]) -> None:
    with pytest.raises(InvalidInventory):
        parse(**document)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"version":1}', b'{"files":[]}', b"\xff"])
def test_other_documents(raw: bytes) -> None:
    with pytest.raises(Integrity):
        Inventory.parse(raw, what="files.json")


def test_order_matters() -> None:
    other = {**FILE, "path": "agent/b"}
    assert len(parse(FILE, other).entries) == 2
    for files in ((other, FILE), (FILE, FILE)):
        with pytest.raises(InvalidInventory, match="not in order, or stands twice"):
            parse(*files)


def test_the_document_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_INVENTORY_BYTES", 100)
    with pytest.raises(Integrity, match="larger than 100 bytes"):
        parse(FILE)


def taken(*adds: tuple[Callable[[Names, str], None], str]) -> Names:
    names = Names()
    for add, path in adds:
        add(names, path)
    return names


def test_names_that_clash() -> None:
    as_file, as_folder = Names.add_file, Names.add_folder
    for adds in (
        [(as_file, "a"), (as_file, "a")],
        [(as_file, "a"), (as_file, "a/b")],
        [(as_file, "a/b"), (as_file, "a")],
        [(as_file, "a"), (as_folder, "a")],
        [(as_file, "a"), (as_file, "A")],
        [(as_file, "a/b"), (as_folder, "A")],
        [(as_file, "\u212b"), (as_file, "\xe5")],
    ):
        with pytest.raises(NameClash):
            taken(*adds)
    taken((as_file, "a/b"), (as_file, "a/c"), (as_folder, "a"), (as_folder, ""), (as_file, "ab"))


def test_folding_is_the_same_for_every_spelling() -> None:
    for spellings in (
        ("Stra\xdfe", "STRASSE", "strasse"),
        ("\xc4", "A\u0308", "a\u0308", "\xe4"),
        ("\u1e9b\u0323", "\u017f\u0323\u0307", "\u1e69"),
    ):
        assert len({fold(each) for each in spellings}) == 1


def test_the_document_has_its_canonical_spelling() -> None:
    listed = Inventory.of(
        [
            FileEntry("agent/b\u00fccher/\U0001f4da.md", 2**40, 0o755, "a" * 64, 3),
            FileEntry.symlink("agent/a", "b\u00fccher", layer=0),
        ]
    )
    assert listed.encode() == jsonio.canonical(json.loads(listed.encode()))
