"""Families of errors, and faults in the user's files."""

from __future__ import annotations

import pytest

from agentoci import errors
from agentoci.errors import AgentociError, Fault, SourceFaults


@pytest.mark.parametrize(
    ("family", "code"),
    [
        (AgentociError, 1),
        (errors.Invalid, 2),
        (errors.Difference, 3),
        (errors.Unreachable, 4),
        (errors.Denied, 5),
        (errors.NotFound, 6),
        (errors.Conflict, 7),
        (errors.Integrity, 8),
        (SourceFaults, 2),
    ],
)
def test_each_family_has_its_exit_code(family: type[AgentociError], code: int) -> None:
    assert family.exit_code == code
    assert issubclass(family, AgentociError)


def test_an_error_says_what_and_how_to_mend_it() -> None:
    error = errors.NotFound("bot: no such image", hint="build it")
    assert (str(error), error.message, error.hint) == (
        error.message,
        "bot: no such image",
        "build it",
    )
    assert AgentociError("x").hint is None


def test_a_fault_is_drawn_with_its_caret() -> None:
    fault = Fault("Agentfile", 3, 6, "unknown name", "COPY nmae /x", width=4, hint="name?")
    assert fault.render() == (
        "Agentfile:3:6: unknown name\n  | COPY nmae /x\n  |      ^^^^\n  hint: name?"
    )
    assert Fault("a", 1, 1, "empty").render() == "a:1:1: empty"


@pytest.mark.parametrize(
    ("text", "column", "width", "caret"),
    [
        ("abc", 1, 0, "^"),
        ("abc", 4, 1, "   ^"),
        ("abc", 99, 5, "   ^"),
        ("日本x", 3, 1, "    ^"),
        ("日本x", 2, 1, "  ^^"),
        ("e\u0301x", 3, 1, " ^"),
        ("a\tb\x1b[31m", 3, 1, "  ^"),
    ],
)
def test_the_caret_stands_under_its_place(text: str, column: int, width: int, caret: str) -> None:
    lines = Fault("f", 1, column, "m", text, width=width).render().splitlines()
    assert lines[2] == f"  | {caret}"
    assert lines[1].isprintable()


def test_a_very_long_line_is_cut_around_the_caret() -> None:
    text = "x" * 5000 + "HERE" + "y" * 5000
    _, shown, caret = Fault("f", 1, 5001, "m", text, width=4).render().splitlines()
    assert len(shown) == 4 + errors.SHOWN_LINE
    start, end = caret.index("^"), caret.rindex("^") + 1
    assert shown[start:end] == "HERE"


def test_faults_are_reported_together_in_their_order() -> None:
    late, early = Fault("b", 1, 1, "late"), Fault("a", 9, 2, "early")
    found = SourceFaults([late, early, Fault("a", 9, 1, "first")])
    assert [fault.message for fault in found.faults] == ["first", "early", "late"]
    assert str(found) == "a:9:1: first\na:9:2: early\nb:1:1: late"
