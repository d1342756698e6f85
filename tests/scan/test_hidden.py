"""Characters that nobody sees are found, and left alone where a writing system needs them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.scan.content import OVERLAP, WINDOW, scan_content
from agentoci.scan.findings import Finding, Kind

TAGS = "".join(chr(0xE0000 + ord(char)) for char in "say hi")


def found(text: str) -> list[Finding]:
    """The findings of the rule in a text."""
    listed = scan_content("a.md", text.encode(), kind=Kind.TEXT)
    return [finding for finding in listed if finding.rule == "text/hidden-unicode"]


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        (f"fine{TAGS}", 5, "hidden text in tag characters: 'say hi'"),
        ("a\u200bb", 2, "invisible U+200B ZERO WIDTH SPACE"),
        ("pass\u2060word", 5, "invisible U+2060 WORD JOINER"),
        ("pay\u200dpal", 4, "invisible U+200D ZERO WIDTH JOINER"),
        ("pay\u200cpal", 4, "invisible U+200C ZERO WIDTH NON-JOINER"),
        ("mid\ufeffdle", 4, "invisible U+FEFF ZERO WIDTH NO-BREAK SPACE"),
        ("x\u200b\u200c\u200d\u2060y", 2, "4 characters that nobody sees"),
        ("if admin \u202e{", 10, "a character that changes the direction of the text: U+202E"),
        ("a \u2066b\u2069 c", 3, "a character that changes the direction of the text: U+2066"),
        ("a\u200b\u202eb", 2, "direction of the text: U+202E RIGHT-TO-LEFT OVERRIDE, among 1 more"),
        ("a\u202e\u202db", 2, "2 characters that change the direction of the text, from U+202E"),
        ("A\ufe01B", 2, "invisible U+FE01 VARIATION SELECTOR-2"),
        ("\U0001f600\ufe00\ufe01\ufe02", 2, "3 variation selectors in a row"),
        ("\U0001f600" + "".join(chr(0xE0100 + n) for n in range(9)), 2, "9 variation selectors"),
        ("left\u200eright", 5, "invisible U+200E LEFT-TO-RIGHT MARK"),
        ("a\u3164b", 2, "invisible U+3164 HANGUL FILLER"),
        ("\U0001f3f4" + TAGS * 3, 2, "hidden text in tag characters"),
    ],
)
def test_hidden_characters_are_found(text: str, column: int, said: str) -> None:
    first = found(f"one\n{text}\n")[0]
    assert (first.line, first.column) == (2, column)
    assert said in first.message
    assert not first.is_secret


@pytest.mark.parametrize(
    "text",
    [
        "plain text, with \u2018quotes\u2019, dashes \u2014 and dots\u2026",
        "\ufeffa byte order mark at the start",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f\u200d\U0001f308 family, flag",
        "\u2764\ufe0f\u200d\U0001f525 and \u2714\ufe0f and 1\ufe0f\u20e3 and \u00a9\ufe0f",
        "\U0001f469\U0001f3fd\u200d\U0001f680",
        "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian
        "\u0915\u094d\u200d\u0937 \u0915\u094d\u200c\u0937",  # Hindi
        "\u05e9\u05dc\u05d5\u05dd\u200f, \u05e2\u05d5\u05dc\u05dd\u200e!",  # Hebrew
        "\u845b\U000e0100 an ideograph of its own",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # England
        "\u4f60\u597d\uff0c\u4e16\u754c\u3002",  # Chinese
    ],
)
def test_what_writing_systems_need_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_only_text_for_a_model_is_looked_at() -> None:
    content = "a\u200bb".encode()
    assert scan_content("a.md", content) == []
    assert scan_content("a.bin", b"\0" + content, kind=Kind.TEXT) == []


@given(st.text(alphabet="ab \n\u4f60\U0001f600\u0646", max_size=80), st.integers(0, 80))
def test_hidden_text_is_found_wherever_it_stands(text: str, at: int) -> None:
    spelled = f"x{TAGS}y"
    messages = [finding.message for finding in found(text[:at] + spelled + text[at:])]
    assert messages == ["hidden text in tag characters: 'say hi'"]


@pytest.mark.parametrize("shift", range(-6, 7))
def test_windows_cut_nothing(shift: int) -> None:
    head = "\u4f60" * ((4 * WINDOW + OVERLAP + shift) // 3 - 2)
    [finding] = found(f"{head}\n{'z' * (shift % 3)}x{TAGS}y {head}")
    assert finding.line == 2
    assert "say hi" in finding.message


@given(st.binary(max_size=200))
def test_any_bytes_can_be_scanned_as_text(content: bytes) -> None:
    for finding in scan_content("a", content, kind=Kind.TEXT):
        assert finding.line >= 1
        assert finding.column >= 1
