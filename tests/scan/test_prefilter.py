"""The pre-filter never says no where a rule would find something, and says no to prose."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.scan.keyed import KEYED, NAMES
from agentoci.scan.prefilter import may_hold_secrets
from agentoci.scan.runs import runs
from agentoci.scan.secrets import secrets
from agentoci.scan.tokens import TOKENS
from tests.scan.keys import Forge, named, tokens

LITERALS = [literal for rule in (*TOKENS, *KEYED) for literal in rule.literals]
KEYS = [
    text.encode() for seed in range(3) for _, text in (*tokens(Forge(seed)), *named(Forge(seed)))
]
BETWEEN = [
    b" ",
    b"\n",
    b"=",
    b": ",
    b" => ",
    b"'",
    b'"',
    b"@",
    b"//",
    b"\x0b",
    b"\xc5\xbf",
    b"Key",
    b"x" * 20,
]


def found(window: bytes) -> bool:
    """What the rules say of a text by themselves."""
    return bool(secrets(window, runs(window, binary=False), binary=False))


PIECES = st.one_of(
    st.sampled_from(KEYS),
    st.sampled_from(LITERALS),
    st.sampled_from(LITERALS).map(bytes.upper),
    st.sampled_from(NAMES).map(bytes.title),
    st.sampled_from(BETWEEN),
    st.binary(max_size=3),
    st.text("abcXYZ0189_-+/%.:=", min_size=8, max_size=48).map(str.encode),
)


@given(st.lists(PIECES, max_size=8).map(b"".join))
def test_what_a_rule_finds_is_looked_at(window: bytes) -> None:
    assert may_hold_secrets(window) or not found(window)


@given(st.sampled_from(KEYS), st.data())
def test_a_part_of_a_key_is_looked_at_if_a_rule_finds_it(key: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(key)))
    part = key[start : data.draw(st.integers(start, len(key)))]
    changed = part.swapcase() if data.draw(st.booleans()) else part
    assert may_hold_secrets(changed) or not found(changed)


@pytest.mark.parametrize("key", KEYS[:40], ids=range(40))
def test_keys_are_looked_at(key: bytes) -> None:
    assert may_hold_secrets(b"The key is " + key + b" .\n")


def test_prose_is_not() -> None:
    """Else the filter would only cost time."""
    docs = Path(__file__).parents[2] / "examples"
    texts = [path.read_bytes() for path in docs.rglob("*.md")]
    assert len(texts) > 3
    assert not [text for text in texts if may_hold_secrets(text)]
