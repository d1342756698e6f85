"""What is written as YAML is read back the same, by our reader and by one of YAML 1.1."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentoci.definition.yamlio import load
from agentoci.interop.yamlout import dump_yaml
from agentoci.spec.jsonio import Json

ODD = r"""no on 1.0 1e3 010 22:22 ~ null 2024-01-15 <<  = 0x1f 1_000 *a &a !a %a @a `a ' " # -"""
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [*ODD.split(), "- a", "a: b", " a\nb", "a\n\n", "\n", "a #b", ""]
)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False, width=32)
LEAVES: st.SearchStrategy[Json] = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
def test_reading_it_gives_the_same(document: dict[str, Json]):
    written = dump_yaml(document)
    assert load(written.encode(), file="made.yaml").data == document
    assert yaml.safe_load(written) == document


def test_lines_stay_lines():
    written = dump_yaml({"interface": "# Title\n\nText\n", "version": "1.0", "tags": ["a"]})
    assert written == "interface: |\n  # Title\n\n  Text\nversion: '1.0'\ntags:\n  - a\n"
