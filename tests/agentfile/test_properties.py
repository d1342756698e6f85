"""What holds for every text."""

from __future__ import annotations

from itertools import zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentoci.agentfile import Agentfile, parse, parse_readable, render
from agentoci.errors import SourceFaults
from tests.agentfile.samples import COORDINATOR, EVERYTHING, any_setting

VOCABULARY = """
FROM ARG COPY REQUIRE SET INTERFACE DEFINITION ENV LABEL ENTRYPOINT HEALTHCHECK AS CMD NONE scratch
<<EOF <<-'EOF' EOF <<a.md a.md --from=0 --chmod=755 --optional --interval=1s A=$A ${A:-b} ${A:+ }
mcp:a.json#b mcp:http://x a2a:http://x.y skill:./z skill:x/y:1 http:http://x AS=x t/a@^1
a@>=1 a:1.0 /x/ [ ] ["a", "b"] ' " \\ # \\$ $A = a.agentdef key=value
"""
WORDS = st.sampled_from(VOCABULARY.split())
LINES = st.lists(st.lists(WORDS, max_size=6).map(" ".join), max_size=12).map("\n".join)
PIECES = st.sampled_from((EVERYTHING + COORDINATOR).splitlines())


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good file with some of its text taken out, doubled, or replaced."""
    text = draw(st.sampled_from([COORDINATOR, EVERYTHING]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 20)))
        text = text[:start] + draw(st.text(max_size=4) | WORDS) + text[end:]
    return text


def read(text: str | bytes) -> Agentfile | None:
    """The file; None when it has faults, each of which stands in it."""
    try:
        return parse(text, settings=any_setting)
    except SourceFaults as exc:
        faults = exc.faults
    assert faults
    for fault in faults:
        assert fault.line >= 1
        assert fault.column >= 1
        assert fault.column <= len(fault.text) + 1 or not fault.text
        assert fault.message in fault.render()
    return None


def check(text: str | bytes) -> None:
    agentfile = read(text)
    if agentfile is not None:
        printed = render(agentfile)
        again = parse(printed, settings=any_setting)
        assert again == agentfile
        assert render(again) == printed


ANY_TEXT = st.one_of(
    st.text(),
    st.binary(),
    LINES,
    LINES.map("FROM scratch\nARG A=1\n".__add__),
    mutated(),
    st.lists(PIECES, max_size=12).map(lambda found: "\n".join(["FROM scratch AS docs", *found])),
)


@given(ANY_TEXT)
def test_any_text_is_read_or_has_faults(text: str | bytes) -> None:
    check(text)


@pytest.mark.property
@given(ANY_TEXT)
@settings(max_examples=2000)
def test_very_many_texts_are_read_or_have_faults(text: str | bytes) -> None:
    check(text)


@given(ANY_TEXT)
def test_what_has_no_faults_is_read_whole_and_other_texts_in_part(text: str | bytes) -> None:
    readable = parse_readable(text)
    try:
        whole = parse(text)
    except SourceFaults:
        assert readable.agentfile is None or readable.lost
    else:
        assert (readable.agentfile, readable.lost) == (whole, frozenset())


@given(
    st.lists(st.sampled_from(["COPY a", "SET x=1", "SETT a=b", "ENV $A=1", "LABEL"]), max_size=4)
)
def test_statements_with_faults_are_left_out_and_no_others(bad: list[str]) -> None:
    good = ["FROM scratch", "ENV B=1", "COPY a /agent/", "LABEL a=b"]
    lines = [line for pair in zip_longest(good, bad) for line in pair if line]
    readable = parse_readable("\n".join(lines))
    assert readable.agentfile is not None
    (stage,) = readable.agentfile.stages
    assert [node.original for node in (stage, *stage.instructions)] == good
    assert readable.lost == {line.split()[0].replace("SETT", "SET") for line in bad}


def test_a_stage_without_its_from_is_read() -> None:
    for first in ("FROM Bad//base", "FORM scratch", "LABEL c=d"):
        readable = parse_readable(f"{first}\nCOPY a /agent/\n")
        assert readable.agentfile is not None
        assert readable.agentfile.final.instructions[-1].original == "COPY a /agent/"
        assert "FROM" in readable.lost
    assert parse_readable("").agentfile is None
    assert parse_readable(b"\xff").agentfile is None


ONE_LINE = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"))


@given(ONE_LINE)
def test_any_value_survives_printing(value: str) -> None:
    agentfile = parse("FROM scratch\nARG V\nENV V=$V\nLABEL v=$V", build_args={"V": value})
    assert parse(render(agentfile), build_args={"V": ""}) == agentfile


@given(st.lists(ONE_LINE.filter(lambda line: line != "EOF")).filter(lambda ls: "".join(ls).strip()))
def test_any_text_survives_a_heredoc(lines: list[str]) -> None:
    content = "".join(f"{line}\n" for line in lines)
    agentfile = parse(f"FROM scratch\nINTERFACE <<'EOF'\n{content}EOF\n")
    assert parse(render(agentfile)) == agentfile
    assert getattr(agentfile.final.instructions[0], "value", None) == content


@given(st.binary(max_size=8).map(lambda found: found.decode("utf-8", "surrogateescape")))
def test_text_with_lone_surrogates_is_a_fault(text: str) -> None:
    if text.encode("utf-8", "replace").decode() != text:
        assert read(f"FROM scratch\n# {text}") is None


@pytest.mark.parametrize(
    "text",
    [
        "COPY " + "[" * 100_000,
        'COPY ["' + "\\" * 100_001,
        "LABEL a=" + "${A:-" * 50_000,
        "LABEL a=" + "'\"" * 20_000,
        "LABEL " + "a=b " * 10_000,
        "COPY [" + '"a",' * 10_000 + '"b/"]',
        "REQUIRE a@" + ">" * 500_000,
        "REQUIRE " + "a-" * 300_000 + "!",
        "HEALTHCHECK --interval=" + "1s" * 200_000 + "x CMD y",
        "COPY " + "\\\n" * 50_000 + "a b",
        "COPY " + "<<A " * 1000 + "b/\n" + "A\n" * 1000,
        "#" * 500_000,
        "ENV A=" + "x" * 900_000 + "\nENV B=$A$A",
    ],
    ids=range(13),
)
def test_hostile_texts_end_soon(text: str) -> None:
    read(f"FROM scratch\n{text}\n")
