"""REQUIRE of MCP servers, A2A agents, HTTP services and skills."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.agentfile import parse, render
from agentoci.agentfile.nodes import Require
from agentoci.errors import Fault, SourceFaults


def only(text: str) -> Require:
    """The one REQUIRE of a file."""
    (node,) = parse(f"FROM scratch\n{text}\n").final.instructions
    assert isinstance(node, Require)
    return node


GOOD = [
    ("REQUIRE team/a:1.0", ("a", "agent", "team/a", None)),
    ("REQUIRE reg.example:5000/team/a@^1", ("a", "agent", "reg.example:5000/team/a", None)),
    ("REQUIRE mcp:1.0", ("mcp", "agent", "", None)),
    ("REQUIRE skill@>=1", ("skill", "agent", "", None)),
    ("REQUIRE mcp@1.0", ("mcp", "agent", "", None)),
    ("REQUIRE mcp:mcp.json", ("", "mcp", "mcp.json", None)),
    ("REQUIRE mcp:conf/mcp.json#files", ("files", "mcp", "conf/mcp.json", "files")),
    ("REQUIRE 'mcp:a b.json#My Files'", ("my-files", "mcp", "a b.json", "My Files")),
    ("REQUIRE 'mcp:a b.json#My Files' AS files", ("files", "mcp", "a b.json", "My Files")),
    ("require mcp:https://x.org/mcp as x", ("x", "mcp", "https://x.org/mcp", None)),
    ("REQUIRE mcp:https://x.org/#a AS x", ("x", "mcp", "https://x.org/#a", None)),
    ("REQUIRE a2a:https://Ada.x.org:80/c", ("ada", "a2a", "https://Ada.x.org:80/c", None)),
    ("REQUIRE a2a:http://127.0.0.1/c AS b", ("b", "a2a", "http://127.0.0.1/c", None)),
    ("REQUIRE http:http://x.org/v1 AS b", ("b", "http", "http://x.org/v1", None)),
    ("REQUIRE skill:./skills/pdf", ("pdf", "skill", "./skills/pdf", None)),
    ("REQUIRE skill:skills/pdf/", ("pdf", "skill", "skills/pdf/", None)),
    ("REQUIRE skill:. AS own", ("own", "skill", ".", None)),
    ("REQUIRE skill:ghcr.io/x/pdf:1.0", ("pdf", "skill", "ghcr.io/x/pdf:1.0", None)),
    ("REQUIRE skill:r.org:5000/x/y AS z", ("z", "skill", "r.org:5000/x/y", None)),
    (f"REQUIRE skill:x/y@sha256:{'0' * 64}", ("y", "skill", f"x/y@sha256:{'0' * 64}", None)),
    ("REQUIRE skill:x/office:1#pdf", ("pdf", "skill", "x/office:1", "pdf")),
    ("REQUIRE skill:oci:dir:x AS y", ("y", "skill", "oci:dir:x", None)),
]


@pytest.mark.parametrize(("text", "expected"), GOOD, ids=[text for text, _ in GOOD])
def test_what_a_requirement_names(text: str, expected: tuple[str, str, str, str | None]) -> None:
    node = only(text)
    assert (node.name, node.kind, node.source, node.item) == expected
    assert not node.optional
    again = only(
        text.replace("REQUIRE", "REQUIRE --optional").replace("require", "REQUIRE --optional")
    )
    assert again.optional


@pytest.mark.parametrize("text", [text for text, _ in GOOD])
def test_printing_and_reading_again(text: str) -> None:
    agentfile = parse(f"FROM scratch\n{text}\n")
    assert parse(render(agentfile)) == agentfile


BAD = [
    ("REQUIRE a:latest", 9, "'latest' is not a version", "a tag is no version"),
    ("REQUIRE mcp:", 9, "mcp: names nothing", "mcp:FILE#SERVER"),
    ("REQUIRE a2a:", 9, "a2a: names nothing", "a2a:URL"),
    ("REQUIRE mcp:a.json#", 9, "on both sides of '#'", "mcp:FILE"),
    ("REQUIRE mcp:#a", 9, "on both sides of '#'", "mcp:FILE"),
    ("REQUIRE mcp:a.json#文件", 9, "no tool can be called '文件'", "AS NAME"),
    ("REQUIRE mcp:https://x.org", 9, "needs a name", "AS NAME"),
    ("REQUIRE mcp:https://u:p@x.org AS a", 9, "is not an http URL", "without user or password"),
    ("REQUIRE http:http://x", 9, "needs a name", "AS NAME"),
    ("REQUIRE http://x AS y", 9, "does not say what kind", "http:URL AS NAME"),
    ("REQUIRE https://x.org/y", 9, "not the name of a requirement", "mcp:URL AS NAME"),
    ("REQUIRE a2a:card.json", 9, "'card.json' is not an http URL", "https://"),
    ("REQUIRE a2a:http://127.0.0.1/c", 9, "needs a name", "AS NAME"),
    ("REQUIRE skill:https://x.org/y", 9, "not loaded from a URL", "skill:HOST/NAME:TAG"),
    ("REQUIRE skill:x/Y:1", 9, "'x/Y' is not a name", "lower case"),
    ("REQUIRE skill:.", 9, "the skill needs a name", "AS NAME"),
    ("REQUIRE skill:./Skills/PDF", 9, "the skill needs a name", "AS NAME"),
    ("REQUIRE skill:oci:dir", 9, "the skill needs a name", "AS NAME"),
    ("REQUIRE mcp:a.json AS B", 23, "'B' is not the name of a tool", "lower-case"),
    ("REQUIRE mcp:a.json AS", 20, "one requirement and 'AS NAME'", "AS NAME"),
    ("REQUIRE mcp:a.json b", 20, "one requirement and 'AS NAME'", "mcp:a.json AS NAME"),
    ("REQUIRE mcp:a.json # all", 20, "one requirement and 'AS NAME'", "lines of their own"),
    ("REQUIRE a AS b", 11, "REQUIRE takes one requirement", "one REQUIRE per"),
    ("ARG N\nREQUIRE mcp:a.json AS $N", 23, "the name after AS is empty", "--build-arg"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "column", "message", "hint"), BAD, ids=[bad[0] for bad in BAD])
def test_what_is_no_requirement(text: str, column: int, message: str, hint: str) -> None:
    with pytest.raises(SourceFaults) as caught:
        parse(f"FROM scratch\n{text}")
    fault: Fault
    (fault,) = caught.value.faults
    assert fault.column == column
    assert message in fault.message
    assert hint in (fault.hint or "")


def test_values_are_put_in() -> None:
    text = "FROM scratch\nARG HOST=x.org\nREQUIRE a2a:https://$HOST/c AS ${HOST}\n"
    node = parse(text).final.instructions[1]
    assert isinstance(node, Require)
    assert (node.source, node.name) == ("https://x.org/c", "x.org")


ONE_LINE = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,12}", fullmatch=True)
KINDS = st.sampled_from(["mcp", "a2a", "http", "skill"])


@given(KINDS, ONE_LINE, NAMES, st.booleans())
def test_any_source_is_a_fault_or_survives_printing(
    kind: str, source: str, name: str, optional: bool
) -> None:
    flag = "--optional " if optional else ""
    arguments = {"S": source}
    text = f'FROM scratch\nARG S\nREQUIRE {flag}"{kind}:$S" AS {name}\n'
    try:
        agentfile = parse(text, build_args=arguments)
    except SourceFaults:
        return
    assert parse(render(agentfile), build_args={"S": ""}) == agentfile
