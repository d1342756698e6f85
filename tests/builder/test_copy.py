"""COPY against the habits that users bring from Dockerfiles."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agentoci.errors import AgentociError, NotFound
from tests.builder.workshop import FILES, Workshop

DOCS: dict[str, bytes | str | None] = {
    "x/c.md": b"c",
    "x/d.txt": b"d",
    "x/deep/e.md": b"e",
    "x/deep/deeper/f.md": b"f",
    "x/empty": None,
}
DEEP = {"deep/e.md": b"e", "deep/deeper/f.md": b"f"}

TABLE: list[tuple[str, str, Mapping[str, bytes | str | None]]] = [
    ("file-to-file", "COPY a.md /agent/x.md", {"x.md": b"a"}),
    ("file-to-new-folder", "COPY a.md /agent/x/", {"x/a.md": b"a"}),
    ("file-to-deep-file", "COPY docs/c.md /agent/x/y/z.md", {"x/y/z.md": b"c"}),
    ("dot-is-a-folder", "COPY a.md .", {"a.md": b"a"}),
    ("dot-slash", "COPY a.md ./", {"a.md": b"a"}),
    ("agent-is-a-folder", "COPY a.md /agent", {"a.md": b"a"}),
    ("relative-destination", "COPY a.md knowledge/", {"knowledge/a.md": b"a"}),
    ("source-from-root", "COPY /docs/c.md /agent/x/", {"x/c.md": b"c"}),
    ("source-with-dot", "COPY ./docs/../a.md /agent/x/", {"x/a.md": b"a"}),
    ("several", "COPY a.md docs/c.md /agent/x/", {"x/a.md": b"a", "x/c.md": b"c"}),
    (
        "folder-means-its-content",
        "COPY docs /agent/x",
        DOCS,
    ),
    (
        "folder-with-slashes",
        "COPY docs/ /agent/x/",
        DOCS,
    ),
    (
        "folder-and-file",
        "COPY docs/deep a.md /agent/x/",
        {"x/e.md": b"e", "x/deeper/f.md": b"f", "x/a.md": b"a"},
    ),
    ("the-later-source-wins", "COPY a.md more/a.md /agent/x/", {"x/a.md": b"more a"}),
    ("empty-folder", "COPY docs/empty /agent/x/", {"x": None}),
    (
        "star",
        "COPY *.md /agent/x/",
        {"x/a.md": b"a", "x/b.md": b"b", "x/.hidden.md": b"hidden", "x/with space.md": b"space"},
    ),
    ("star-of-one-to-file", "COPY docs/*.txt /agent/x.txt", {"x.txt": b"d"}),
    ("star-in-folder-name", "COPY d*s/c.md /agent/x/", {"x/c.md": b"c"}),
    ("star-matches-folder", "COPY docs/dee* /agent/x/", {"x/e.md": b"e", "x/deeper/f.md": b"f"}),
    ("question-mark", "COPY ?.md /agent/x/", {"x/a.md": b"a", "x/b.md": b"b"}),
    ("range", "COPY set/[a-c]?.md /agent/x/", {"x/a1.md": b"1", "x/b2.md": b"2"}),
    ("list", "COPY set/[ad]?.md /agent/x/", {"x/a1.md": b"1", "x/d3.md": b"3"}),
    ("negated-range", "COPY set/[^a-c]3.md /agent/x/", {"x/d3.md": b"3"}),
    ("negated-by-exclamation", "COPY set/[!a-c]3.md /agent/x/", {"x/d3.md": b"3"}),
    ("bracket-in-a-set", "COPY set/[[]x].md /agent/x/", {"x/[x].md": b"x"}),
    ("set-of-odd-characters", "COPY set/[&&~~||--a]1.md /agent/x/", {"x/a1.md": b"1"}),
    ("escaped-bracket", r"COPY 'set/\[x].md' /agent/x/", {"x/[x].md": b"x"}),
    (
        "double-star",
        "COPY docs/**/*.md /agent/x/",
        {"x/c.md": b"c", "x/e.md": b"e", "x/f.md": b"f"},
    ),
    ("double-star-between", "COPY docs/**/deeper/f.md /agent/x/", {"x/f.md": b"f"}),
    ("double-star-twice", "COPY docs/**/**/f.md /agent/x/", {"x/f.md": b"f"}),
    ("json-form", 'COPY ["with space.md", "/agent/x/"]', {"x/with space.md": b"space"}),
    ("quoted", 'COPY "with space.md" "/agent/x y.md"', {"x y.md": b"space"}),
    ("heredoc-to-file", "COPY <<EOF /agent/x.md\nhello\nEOF", {"x.md": b"hello\n"}),
    ("heredoc-to-folder", "COPY <<n.md /agent/x/\nhello\nn.md", {"x/n.md": b"hello\n"}),
    (
        "two-heredocs-and-a-file",
        "COPY <<one <<two a.md /agent/x/\n1\none\n2\ntwo",
        {"x/one": b"1\n", "x/two": b"2\n", "x/a.md": b"a"},
    ),
]


@pytest.mark.parametrize(("line", "wanted"), [pytest.param(*r[1:], id=r[0]) for r in TABLE])
def test_what_is_copied_where(
    workshop: Workshop, line: str, wanted: Mapping[str, bytes | str | None]
) -> None:
    workshop.fill(FILES)
    built = workshop.build_text(f"FROM scratch\n{line}\n")
    found = workshop.copied(built)
    assert found == wanted


def test_a_whole_context(workshop: Workshop) -> None:
    workshop.fill(FILES)
    built = workshop.build_text("FROM scratch\nCOPY . /agent/\n")
    found = workshop.copied(built)
    assert found.keys() == {*FILES, "Agentfile"}
    assert found["docs/empty"] is None


@pytest.mark.parametrize(
    "name",
    [
        "two words.md",
        "知识/工作流.md",
        "e\u0301.md",
        "😀.md",
        "$HOME.md",
        "-dash.md",
        "x" * 101,
        "長" * 80,
        "/".join(["folder-of-some-length"] * 12) + "/end.md",
    ],
)
def test_names_arrive_as_they_are(workshop: Workshop, name: str) -> None:
    workshop.write(f"in/{name}", name)
    built = workshop.build_text("FROM scratch\nCOPY in/ /agent/knowledge/\n")
    assert workshop.copied(built) == {f"knowledge/{name}": name.encode()}


def test_modes_come_from_the_executable_bit_or_chmod(workshop: Workshop) -> None:
    workshop.write("run", executable=True)
    workshop.write("data").chmod(0o600)
    built = workshop.build_text(
        "FROM scratch\nCOPY run data /agent/\n"
        "COPY --chmod=644 run /agent/plain\nCOPY --chmod=0755 data /agent/program\n"
        "COPY --chmod=755 <<EOF /agent/script\n#!/bin/sh\nEOF\n"
    )
    modes = {entry.path: entry.mode for entry in workshop.inventory(built).entries}
    assert {path: modes[f"agent/{path}"] for path in ("run", "data", "plain", "program")} == {
        "run": 0o755,
        "data": 0o644,
        "plain": 0o644,
        "program": 0o755,
    }
    assert modes["agent/script"] == 0o755


# Links


def test_links_inside_what_is_copied_are_kept(workshop: Workshop) -> None:
    workshop.fill(
        {
            "in/a.md": "a",
            "in/sub/b.md": "b",
            "in/l1": "-> a.md",
            "in/l2": "-> ./sub/../a.md",
            "in/sub/up": "-> ../a.md",
            "in/folder": "-> sub/",
            "in/sub/parent": "-> ..",
        }
    )
    built = workshop.build_text("FROM scratch\nCOPY in /agent/knowledge/\n")
    assert workshop.copied(built) == {
        "knowledge/a.md": b"a",
        "knowledge/sub/b.md": b"b",
        "knowledge/l1": "-> a.md",
        "knowledge/l2": "-> a.md",
        "knowledge/sub/up": "-> ../a.md",
        "knowledge/folder": "-> sub",
        "knowledge/sub/parent": "-> ..",
    }


# From stages and images


def test_from_a_stage_and_from_its_number(workshop: Workshop) -> None:
    workshop.fill(FILES)
    built = workshop.build_text(
        "FROM scratch AS tools\n"
        "COPY docs /agent/knowledge/docs/\n"
        "COPY --chmod=755 a.md /agent/run\n"
        "FROM scratch\n"
        "COPY --from=tools /agent/knowledge/docs/*.md /agent/x/\n"
        "COPY --from=0 agent/run /agent/tools/run\n"
        "COPY --from=tools /agent/knowledge/docs/empty /agent/e/\n"
    )
    assert workshop.copied(built) == {"x/c.md": b"c", "tools/run": b"a", "e": None}
    modes = {entry.path: entry.mode for entry in workshop.inventory(built).entries}
    assert modes["agent/tools/run"] == 0o755
    assert modes["agent/x/c.md"] == 0o644


def test_from_an_image_whose_own_files_stay_behind(workshop: Workshop) -> None:
    workshop.fill(FILES)
    workshop.build_text(
        "FROM scratch\nCOPY docs /agent/knowledge/\nREQUIRE x\nSET memory.level=BASIC\n", "tools:1"
    )
    built = workshop.build_text(
        "FROM scratch\nCOPY --from=tools:1 /agent/ /agent/\nINTERFACE mine\n"
    )
    found = workshop.copied(built)
    names = ("c.md", "d.txt", *DEEP, "empty")
    assert set(found) == {"tools", *(f"knowledge/{name}" for name in names)}
    assert workshop.image(built).name == "mine"
    one = workshop.build_text(
        "FROM scratch\nCOPY --from=tools:1 /agent/definition.json /agent/knowledge/tools.json\n"
    )
    assert b"apiVersion" in bytes(workshop.copied(one)["knowledge/tools.json"] or b"")  # type: ignore[arg-type]


def test_from_an_image_that_is_missing(workshop: Workshop) -> None:
    workshop.agentfile("FROM scratch\nCOPY --from=nobody:1 /agent/x /agent/x\n")
    with pytest.raises(AgentociError, match="nobody:1") as caught:
        workshop.build()
    assert caught.value.exit_code == NotFound.exit_code
    assert "Agentfile:2:13:" in caught.value.message
    assert "^^^^^^^^" in caught.value.message


def test_missing_in_a_stage(workshop: Workshop) -> None:
    workshop.fill(FILES)
    fault = workshop.faults(
        "FROM scratch AS one\nCOPY a.md /agent/\n"
        "FROM scratch\nCOPY --from=one /agent/b.md /agent/\n"
    ).faults[0]
    assert fault.line == 4
    assert "'/agent/b.md' is not in the context" in fault.message


def test_the_same_two_images_side_by_side(workshop: Workshop) -> None:
    for name in ("one", "two"):
        workshop.write("a.md", name)
        workshop.build_text("FROM scratch\nCOPY a.md /agent/\n", f"{name}:1")
    text = (
        "FROM scratch\n"
        "COPY --from=one:1 /agent/a.md /agent/1\n"
        "COPY --from=two:1 /agent/a.md /agent/2\n"
    )
    for _ in range(2):
        assert workshop.copied(workshop.build_text(text, use_cache=True)) == {
            "1": b"one",
            "2": b"two",
        }


# Overwriting


def test_a_file_of_the_base_is_replaced_by_the_later_layer(workshop: Workshop) -> None:
    workshop.fill(FILES)
    base = workshop.build_text("FROM scratch\nCOPY docs /agent/knowledge/\n", "base:1")
    built = workshop.build_text("FROM base:1\nCOPY a.md /agent/knowledge/c.md\n")
    assert workshop.copied(built)["knowledge/c.md"] == b"a"
    owner = {entry.path: entry.layer for entry in workshop.inventory(built).entries}
    assert owner["agent/knowledge/c.md"] == len(base.layers)
    assert owner["agent/knowledge/d.txt"] < len(base.layers)
    assert owner["agent/definition.json"] == len(built.layers) - 1


def test_collisions_with_the_base_are_found(workshop: Workshop) -> None:
    workshop.fill(FILES)
    workshop.build_text("FROM scratch\nCOPY docs /agent/knowledge/\n", "base:1")
    for line, message in (
        ("COPY a.md /agent/knowledge/C.md", "are one name"),
        ("COPY a.md /agent/knowledge", "is a folder already"),
        ("COPY a.md /agent/knowledge/c.md/x", "is a file already"),
        ("COPY a.md /agent/Knowledge/x", "are one name"),
    ):
        (fault,) = workshop.faults(f"FROM base:1\n{line}\n").faults
        assert message in fault.message
        assert fault.line == 2


def test_a_later_copy_wins(workshop: Workshop) -> None:
    workshop.fill(FILES)
    built = workshop.build_text(
        "FROM scratch\nCOPY a.md /agent/x\nCOPY a.md /agent/tools/x\n"
        "COPY b.md /agent/x\nCOPY b.md /agent/tools/x\n"
    )
    assert workshop.copied(built) == {"x": b"b", "tools/x": b"b"}
