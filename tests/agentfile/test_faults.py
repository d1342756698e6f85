"""What is wrong with a bad Agentfile, where, and how to put it right."""

from __future__ import annotations

import pytest

from agentoci.agentfile import parse
from agentoci.agentfile.parser import MAX_FAULTS, MAX_STAGES
from agentoci.errors import Fault, SourceFaults
from tests.agentfile.samples import any_setting


def faults_of(text: str | bytes) -> tuple[Fault, ...]:
    with pytest.raises(SourceFaults) as caught:
        parse(text, settings=any_setting)
    return caught.value.faults


# Whole files: text, line, column, part of the message, part of the hint.
FILES = [
    ("", 1, 1, "the file has no FROM", "begin with FROM"),
    ("# only a comment\n\n", 1, 1, "the file has no FROM", "begin with FROM"),
    ("ARG A=1\n", 1, 1, "the file has no FROM", "only ARG"),
    ("REQUIRE a\nFROM scratch", 1, 1, "REQUIRE before FROM", "begin with FROM"),
    ("\nCOPY a /b\nENV A=1\n", 2, 1, "COPY before FROM", "only ARG"),
    ("FORM scratch\nCOPY a /b", 1, 1, "unknown instruction 'FORM'", "did you mean FROM?"),
    ("apiVersion: agent/v1", 1, 1, "unknown instruction 'apiVersion:'", "looks like YAML"),
    ("FROM", 1, 1, "FROM names no base", "FROM scratch"),
    ("FROM a \\\n", 1, 8, "nothing follows it", "remove the '\\'"),
    ("FROM a b", 1, 8, "FROM takes one base", "AS STAGE"),
    ("FROM a AS", 1, 8, "FROM takes one base", "AS STAGE"),
    ("FROM a # the base", 1, 8, "FROM takes one base", "lines of their own"),
    ("FROM --platform=x a", 1, 6, "FROM has no flag '--platform'", "same on every platform"),
    ("FROM --x a", 1, 6, "FROM has no flag '--x'", "it takes none"),
    ("FROM Base", 1, 6, "'Base' is not a name", "lower case: 'base'"),
    ("FROM a:-b", 1, 6, "'-b' is not a tag", "letters, digits"),
    ("FROM a@sha256:12", 1, 6, "sha256:12", ""),
    ("FROM ''", 1, 6, "the base of FROM is empty", ""),
    ("ARG BASE\nFROM $BASE", 2, 6, "the base of FROM is empty", "--build-arg"),
    ("ARG BASE=a\nFROM ${BSAE}:1", 2, 6, "'BSAE' is not declared", "did you mean BASE?"),
    ("FROM a AS 1st", 1, 11, "'1st' is not the name of a stage", "a letter, then"),
    ("FROM a AS scratch", 1, 11, "'scratch' is not the name of a stage", "not 'scratch'"),
    ("FROM a AS x\nFROM b AS X", 2, 11, "second stage 'x', the first is at line 1", ""),
    ("FROM a\nFROM b AS x\nCOPY --from=X a b", 3, 13, "'X' is not above this line", "above it"),
    ("FROM a\nCOPY --from=x a b\nFROM b AS x", 2, 13, "'x' is not above", "above it"),
    ("FROM a\nCOPY --from=0 a b", 2, 13, "no stage 0 above this line", "count from 0"),
    ("# syntax=docker/dockerfile:1\nRUN x", 1, 10, "'docker/dockerfile:1'", "that is a Dockerfile"),
    ("# syntax=docker/sandbox-kit:3", 1, 10, "not known", "a kit of Docker Sandboxes"),
    ("#syntax = agentrc/v1", 1, 11, "not known", "an Agentfile of agentrc"),
    ("# syntax=ghcr.io/openotters/x", 1, 10, "not known", "an Agentfile of openotters"),
    ("# syntax=agentoci/v2", 1, 10, "'agentoci/v2' is not known", "reads agentoci/v1"),
    ("# syntax=", 1, 10, "'' is not known", "another tool"),
    ("FROM a\0b", 1, 7, "a NUL byte", "UTF-8"),
    ("FROM a\rFROM b\n", 1, 7, "a carriage return without", "LF or CRLF"),
    ("FROM a\n# \ud800", 2, 3, "UTF-8 cannot hold", "save the file as UTF-8"),
    (b"FROM a\n# caf\xe9\n", 2, 6, "the file is not UTF-8", "save it as UTF-8"),
    ("FROM a".encode("utf-16"), 1, 1, "the file is not UTF-8", "looks like UTF-16"),
    ("#" * (1 << 20) + "#", 1, 1, "larger than 1 MiB", "COPY them"),
    (b"#" * (1 << 20) + b"#", 1, 1, "larger than 1 MiB", "COPY them"),
    ("ARG A=1\nFROM a\nLABEL x=$A", 3, 9, "'A' is not declared", "repeat 'ARG A'"),
    ("FROM a\n" * (MAX_STAGES + 1), MAX_STAGES + 1, 1, "more than 100 stages", ""),
]

# What follows `FROM scratch`; the lines count from there.
INSTRUCTIONS = [
    ("RUN make", 1, 1, "unknown instruction 'RUN'", "RUN belongs to Dockerfiles: an Agentfile"),
    ("run <<EOF\nmake\nEOF", 1, 1, "unknown instruction 'run'", "does not run commands"),
    ("CMD x", 1, 1, "unknown instruction", "its ENTRYPOINT"),
    ("ADD x y", 1, 1, "unknown instruction", "openotters: copy files with COPY"),
    ("WORKDIR /x", 1, 1, "unknown instruction", "/agent"),
    ("EXPOSE 80", 1, 1, "unknown instruction", "Dockerfiles"),
    ("VOLUME /x", 1, 1, "unknown instruction", "outside the image"),
    ("USER me", 1, 1, "unknown instruction", "where it runs"),
    ("IDENTITY x", 1, 1, "unknown instruction", "agentrc's Agentfiles: write INTERFACE"),
    ("SOP x", 1, 1, "unknown instruction", "agentrc"),
    ("CAPABILITY x", 1, 1, "unknown instruction", "REQUIRE"),
    ("POLICY x", 1, 1, "unknown instruction", "DEFINITION"),
    ("RUNTIME x", 1, 1, "unknown instruction", "openotters' Agentfiles: write ENTRYPOINT"),
    ("MODEL x", 1, 1, "unknown instruction", "config_template.llm.supported_models"),
    ("PARAMETER temperature 1", 1, 1, "unknown instruction", "Ollama's Modelfiles"),
    ("SYSTEM you are", 1, 1, "unknown instruction", "INTERFACE"),
    ("REQUIER a", 1, 1, "unknown instruction 'REQUIER'", "did you mean REQUIRE?"),
    ("xyzzy", 1, 1, "unknown instruction 'xyzzy'", "the instructions are FROM, ARG"),
    ("COPY\u3000a b", 1, 1, "unknown instruction", "only ASCII spaces"),
    ("\u0131NTERFACE a", 1, 1, "unknown instruction '\u0131NTERFACE'", "INTERFACE"),
    ("ARG", 1, 1, "ARG names nothing", "ARG NAME=default"),
    ("ARG 1=2", 1, 5, "'1' is not the name of a variable", "letters, digits and '_'"),
    ("ARG A # why", 1, 7, "'#' is not the name", "lines of their own"),
    ("COPY", 1, 1, "COPY names nothing", "SOURCE... DESTINATION"),
    ("COPY --chmod=755", 1, 1, "COPY names nothing", "SOURCE"),
    ("COPY one", 1, 6, "COPY has no destination", "SOURCE... DESTINATION"),
    ('COPY ["one"]', 1, 8, "COPY has no destination", "SOURCE... DESTINATION"),
    ("COPY []", 1, 1, "COPY names nothing", "SOURCE"),
    ("COPY one <<EOF\nEOF", 1, 10, "COPY has no destination", "SOURCE"),
    ("COPY a b /c", 1, 10, "several sources need", "write /c/"),
    ("COPY a <<B /c\nB", 1, 12, "several sources need", "write /c/"),
    ("COPY a /b # why", 1, 13, "several sources need", "lines of their own"),
    ("COPY '' /x", 1, 6, "the source of COPY is empty", ""),
    ("COPY a ''", 1, 8, "the destination of COPY is empty", ""),
    ("ARG D\nCOPY a $D", 2, 8, "the destination of COPY is empty", "$D is empty here"),
    ('COPY ["a\\nb", "c"]', 1, 8, "the source of COPY holds a line break", ""),
    ('COPY ["a" "b"]', 1, 11, "expected ',' or ']'", '["one", "two"]'),
    ("COPY ['a', 'b']", 1, 7, "expected a string in double quotes", '["one", "two"]'),
    ('COPY ["a", 1]', 1, 12, "expected a string in double quotes", ""),
    ('COPY ["a", "b"', 1, 15, "expected ',' or ']'", ""),
    ('COPY ["a", "b"] c', 1, 17, "text after the JSON array", ""),
    ('COPY ["\\x", "b"]', 1, 7, "is not a JSON string", "a backslash is written"),
    ('COPY ["\\ud800", "b"]', 1, 7, "is not a JSON string", ""),
    ('COPY ["\\u0000", "b"]', 1, 7, "a NUL character", ""),
    ('COPY ["$X", "b"]', 1, 8, "'X' is not declared", "ARG X"),
    ("COPY --chmod=9 a b", 1, 14, "'9' is not a file mode", "--chmod=755"),
    ("COPY --chmod=u+x a b", 1, 14, "'u+x' is not a file mode", "octal"),
    ("COPY --chmod=4755 a b", 1, 14, "'4755' is not a file mode", "octal"),
    ("COPY --chmod a b", 1, 13, "--chmod is empty", ""),
    ("COPY --chmod=755 --chmod=755 a b", 1, 18, "--chmod is there twice", ""),
    ("COPY --chown=1:1 a b", 1, 6, "COPY has no flag '--chown'", "belong to nobody"),
    ("COPY --form=x a b", 1, 6, "COPY has no flag '--form'", "did you mean --from?"),
    ("COPY --zzz a b", 1, 6, "COPY has no flag '--zzz'", "it takes --from, --chmod"),
    ("COPY --from=A:B a b", 1, 13, "'A'", "lower case"),
    ("COPY --from= a b", 1, 13, "--from is empty", ""),
    ("COPY --from=7 a b", 1, 13, "there is no stage 7", "count from 0"),
    ("COPY --from=scratch a b", 1, 13, "nothing to copy in scratch", ""),
    ("COPY <<EOF /x\nnever", 1, 6, "heredoc 'EOF' is never closed", "holds EOF alone"),
    ("COPY <<EOF /x\n EOF", 1, 6, "heredoc 'EOF' is never closed", "line 3 has blanks"),
    ("COPY <<A <<A /x/\nA\nA", 1, 10, "heredoc 'A' is there twice", ""),
    ("COPY <<A /x\n$B c\nA", 2, 1, "'B' is not declared", "declare it"),
    ("COPY <<-A /x\n\t\tone $B\n\tA", 2, 7, "'B' is not declared", "declare it"),
    ("ARG E=A\nCOPY <<A /x\n$E\nA", 3, 1, "closes the heredoc 'A'", "name the heredoc"),
    ("COPY <<A /x\n${\nA", 2, 1, "'${' begins no name", "a plain dollar"),
    ("COPY <<A 'x\n$a\nA", 1, 10, "the quote ' is not closed", "close it with '"),
    ("COPY a b \\\n\nENV A=1", 1, 10, "nothing follows it", "blank line"),
    ("ENV A=1\n \\\n\n", 2, 2, "nothing follows it", "blank line"),
    ("REQUIRE", 1, 1, "REQUIRE names nothing", "REQUIRE NAME:1.0"),
    ("REQUIRE ''", 1, 9, "the name of REQUIRE is empty", ""),
    ("REQUIRE a b", 1, 11, "REQUIRE takes one requirement", "one REQUIRE per requirement"),
    ("REQUIRE a@>=1 <2", 1, 15, "REQUIRE takes one requirement", "is quoted"),
    ("REQUIRE a # why", 1, 11, "REQUIRE takes one requirement", "lines of their own"),
    ("REQUIRE a:", 1, 9, "the version of REQUIRE is empty", "a@*"),
    ("REQUIRE a@", 1, 9, "the version of REQUIRE is empty", "a@*"),
    ("REQUIRE A:1", 1, 9, "'A' is not the name of a requirement", "lower case"),
    ("REQUIRE a>=1.0", 1, 9, "not the name of a requirement", "a@>=1.0"),
    ("REQUIRE a:^1", 1, 9, "'^1' is not a version", "name@^1.2"),
    ("REQUIRE a@sha256:00", 1, 9, "'sha256:00' is not a version range", "name@^1.2"),
    ("REQUIRE a:1@>=1", 1, 9, "a version or a range, not both", ""),
    ("REQUIRE --optional=no a", 1, 20, "--optional takes no value", ""),
    ("REQUIRE --optionel a", 1, 9, "REQUIRE has no flag", "did you mean --optional?"),
    ("SET", 1, 1, "SET names nothing", "SET key.path=value"),
    ("SET a", 1, 5, "expected key=value, found 'a'", "SET key.path=value"),
    ("SET a=1 b", 1, 9, "expected key=value, found 'b'", "is quoted"),
    ("SET a=1 #", 1, 9, "expected key=value, found '#'", "lines of their own"),
    ("SET =1", 1, 5, "expected key=value", "SET key.path=value"),
    ("SET ''=1", 1, 5, "the key of SET is empty", ""),
    ("SET no.such=1", 1, 5, "unknown setting 'no.such'", "did you mean 'no.more'?"),
    ("SET a.b=wrong", 1, 9, "a.b: expected right, found 'wrong'", ""),
    ("SET a=$B", 1, 7, "'B' is not declared", "ARG B or ENV B=VALUE"),
    ("ENV", 1, 1, "ENV names nothing", "ENV NAME=value"),
    ("ENV A", 1, 5, "expected key=value", "ENV NAME=value"),
    ("ENV A-B=1", 1, 5, "'A-B' is not the name of a variable", "letters"),
    ("ENV A=1 B=$A", 1, 11, "'A' is not declared", "on an earlier line"),
    ("ENV A it's", 1, 9, "the quote ' is not closed", "\\'"),
    ('ENV A="x', 1, 7, 'the quote " is not closed', "close it"),
    ("ENV A=${", 1, 7, "'${' begins no name", "${NAME:-default}"),
    ("ENV A=${B", 1, 7, "'${' begins no name", ""),
    ("ENV A=${B-c}", 1, 7, "'${' begins no name", "${NAME:-default}"),
    ("ENV A=1\nENV B=${A:-c", 2, 7, "'${' is not closed", "'}'"),
    ("ENV A=" + "${A:-" * 9 + "}" * 9, 1, 47, "nested too deeply", ""),
    ("LABEL a b", 1, 7, "expected key=value, found 'a'", "LABEL key=value"),
    ("SET a = 1", 1, 5, "expected key=value, found 'a'", "no blanks around '='"),
    ("ENV A = 1", 1, 5, "expected key=value, found 'A'", "no blanks around '='"),
    ("LABEL a", 1, 7, "expected key=value", "LABEL key=value"),
    ("LABEL ä=1", 1, 7, "'ä' is not the key of a label", "org.example"),
    ("INTERFACE", 1, 1, "INTERFACE names nothing", "INTERFACE <<EOF"),
    ("INTERFACE a b", 1, 13, "INTERFACE takes one argument", "INTERFACE NAME"),
    ("INTERFACE a # b", 1, 13, "INTERFACE takes one argument", "lines of their own"),
    ("INTERFACE a@b", 1, 11, "'a@b' is not the name of an agent", "a name is letters"),
    ("INTERFACE x.agentdef", 1, 11, "is a definition", "DEFINITION x.agentdef"),
    ("INTERFACE <<EOF\n \nEOF", 1, 11, "the text of INTERFACE is empty", ""),
    ("INTERFACE a\nINTERFACE b", 2, 1, "second INTERFACE, the first is at line 2", "remove"),
    ("DEFINITION", 1, 1, "DEFINITION names nothing", "file.agentdef"),
    ("DEFINITION a\nDEFINITION a", 2, 1, "second DEFINITION, the first is at line 2", ""),
    ("ENTRYPOINT", 1, 1, "ENTRYPOINT names no program", '["program", "argument"]'),
    ('ENTRYPOINT [""]', 1, 1, "the program of ENTRYPOINT is empty", ""),
    ('ENTRYPOINT ["a",]', 1, 17, "expected a string", ""),
    ("ENTRYPOINT a\n\nENTRYPOINT b", 3, 1, "second ENTRYPOINT, the first is at line 2", ""),
    ("HEALTHCHECK", 1, 1, "HEALTHCHECK expects CMD or NONE", "HEALTHCHECK CMD"),
    ("HEALTHCHECK curl", 1, 13, "HEALTHCHECK expects CMD or NONE", "HEALTHCHECK CMD"),
    ("HEALTHCHECK CMD", 1, 1, "HEALTHCHECK names no program", ""),
    ("HEALTHCHECK CMD []", 1, 1, "HEALTHCHECK names no program", "HEALTHCHECK NONE"),
    ("HEALTHCHECK NONE x", 1, 13, "HEALTHCHECK NONE stands alone", ""),
    ("HEALTHCHECK --retries=1 NONE", 1, 25, "HEALTHCHECK NONE stands alone", ""),
    ("HEALTHCHECK --retries=0 CMD a", 1, 23, "'0' is not a number of retries", "1 to 9999"),
    ("HEALTHCHECK --interval=30 CMD a", 1, 24, "'30' is not a duration", "30s"),
    ("HEALTHCHECK --timeout=0s CMD a", 1, 23, "not between 1 ms and 24 h", ""),
    ("HEALTHCHECK --timeout=25h CMD a", 1, 23, "not between 1 ms and 24 h", ""),
    (
        "HEALTHCHECK --intervall=1s CMD a",
        1,
        13,
        "no flag '--intervall'",
        "did you mean --interval?",
    ),
    ("HEALTHCHECK NONE\nHEALTHCHECK NONE", 2, 1, "second HEALTHCHECK", "remove"),
]


@pytest.mark.parametrize(("text", "line", "column", "message", "hint"), FILES)
def test_a_bad_file(text: str | bytes, line: int, column: int, message: str, hint: str) -> None:
    (fault,) = faults_of(text)
    assert (fault.line, fault.column) == (line, column)
    assert message in fault.message
    assert hint in (fault.hint or "")


@pytest.mark.parametrize(("text", "line", "column", "message", "hint"), INSTRUCTIONS)
def test_a_bad_instruction(text: str, line: int, column: int, message: str, hint: str) -> None:
    (fault,) = faults_of(f"FROM scratch\n{text}\n")
    assert (fault.line, fault.column) == (line + 1, column)
    assert message in fault.message
    assert hint in (fault.hint or "")


def test_all_faults_are_reported_at_once() -> None:
    text = """\
FROM Base
COPY --chmod=x --from=Y one two
REQUIRE A
SET no.such=1 a=wrong b
LABEL a
ENV A=$X B-C=1
HEALTHCHECK --interval=1 --retries=x CMD true
COPY <<EOF /x
$one
$two
EOF
"""
    places = [(fault.line, fault.column) for fault in faults_of(text)]
    assert places == [
        *[(1, 6), (2, 14), (2, 23), (3, 9), (4, 5), (4, 17), (4, 23), (5, 7)],
        *[(6, 7), (6, 10), (7, 24), (7, 36), (9, 1), (10, 1)],
    ]


def test_a_fault_is_drawn_with_its_caret() -> None:
    (fault,) = faults_of("FROM scratch\nCOPY --chmod=rwx \\\n  one two\n")
    assert fault.render().splitlines() == [
        "Agentfile:2:14: 'rwx' is not a file mode",
        "  | COPY --chmod=rwx \\",
        "  |              ^^^",
        "  hint: three octal digits, as in --chmod=755",
    ]


def test_a_caret_stops_at_the_end_of_its_line() -> None:
    (fault,) = faults_of('FROM scratch\nLABEL a=1 "no\\\n pair"\n')
    assert (fault.line, fault.column, fault.width) == (2, 11, 3)


def test_a_fault_far_out_on_a_huge_line_shows_no_line() -> None:
    (fault,) = faults_of("FROM scratch\nLABEL a=" + "x" * 5000 + " b\n")
    assert (fault.column, fault.text) == (8 + 1 + 5000 + 1, "")
    (fault,) = faults_of("FROM scratch\nLABEL " + "x" * 5000 + "\n")
    assert (fault.column, len(fault.text), fault.width) == (7, 2000, 1994)


def test_the_faults_of_a_hopeless_file_are_counted_out() -> None:
    faults = faults_of("FROM scratch\n" + "LABEL a=b " + "x " * 1000)
    assert len(faults) == MAX_FAULTS + 1
    assert "the rest of the file is not read" in faults[-1].message


def test_substitution_cannot_blow_up() -> None:
    doubling = "FROM scratch\nENV A=0123456789\n" + "ENV A=$A$A\n" * 40
    faults = faults_of(doubling)
    assert "substitution makes the file too large" in faults[0].message


def test_the_name_of_the_file_is_in_its_faults() -> None:
    with pytest.raises(SourceFaults, match=r"^other/Agentfile:1:1: "):
        parse("", file="other/Agentfile")
