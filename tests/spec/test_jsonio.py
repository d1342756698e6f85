"""Strict reading of JSON, and the canonical form of RFC 8785."""

from __future__ import annotations

import json
import math
import struct
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentoci._internal import limits
from agentoci.spec.jsonio import InvalidJson, canonical, loads, loads_object

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
documents = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def double(bits: str) -> float:
    found: float = struct.unpack(">d", bytes.fromhex(bits))[0]
    return found


# Reading


@given(documents)
def test_what_python_writes_is_read(document: object) -> None:
    assert loads(json.dumps(document).encode(), what="x") == document
    assert loads(json.dumps(document, ensure_ascii=False).encode(), what="x") == document


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"{}x", "Extra data"),
        (b"{} {}", "Extra data"),
        (b"{'a': 1}", "Expecting property name"),
        (b'{"a": 1,}', "Expecting property name|Illegal trailing comma"),
        (b'"a\nb"', "Invalid control character"),
        (b'{"a": 1, "a": 2}', "key 'a' stands twice in one object"),
        (b'[{"x": {"b": 1, "c": 2, "b": 1}}]', "key 'b' stands twice"),
        (b'{"a": 1, "\\u0061": 2}', "key 'a' stands twice"),
        (b"NaN", "NaN is not JSON"),
        (b"[Infinity]", "Infinity is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b"[1e999]", "1e999 is too large"),
        (b"[-1e999]", "-1e999 is too large"),
        (b"1" * 5000, "Exceeds the limit"),
        (b'"\xff"', "can't decode byte"),
        (b'"\xed\xa0\x80"', "can't decode byte"),
        (b'"\\ud800"', "surrogates not allowed"),
        (b'{"\\uDFFF": 1}', "surrogates not allowed"),
        (b"\xef\xbb\xbf{}", "BOM"),
        ('{"a": 1}'.encode("utf-16"), "can't decode byte"),
    ],
)
def test_json_that_readers_could_understand_differently(content: bytes, message: str) -> None:
    with pytest.raises(InvalidJson, match=message) as caught:
        loads(content, what="the index")
    assert str(caught.value).startswith("the index: ")
    assert caught.value.exit_code == 8


def test_a_surrogate_pair_is_one_character() -> None:
    assert loads(b'"\\ud83d\\ude00"', what="x") == "\U0001f600"


def test_a_document_may_be_as_large_as_the_limit() -> None:
    assert loads(b'"aa"', what="x", limit=4) == "aa"
    with pytest.raises(InvalidJson, match="larger than 3 bytes"):
        loads(b'"aa"', what="x", limit=3)
    with pytest.raises(InvalidJson, match=f"larger than {limits.MAX_MANIFEST_BYTES} bytes"):
        loads(b" " * limits.MAX_MANIFEST_BYTES + b"1", what="x")


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_ends_somewhere(opening: bytes, closing: bytes) -> None:
    def nested(depth: int) -> bytes:
        return opening * depth + b"1" + closing * depth

    assert loads(nested(limits.MAX_JSON_DEPTH), what="x")
    for depth in (limits.MAX_JSON_DEPTH + 1, 100_000):
        with pytest.raises(InvalidJson, match="nested deeper than 64 levels"):
            loads(nested(depth), what="x")


def test_brackets_side_by_side_or_in_strings_are_no_nesting() -> None:
    document: list[object] = [{}] * 100 + ["[" * 100, '\\"{' * 100]
    assert loads(json.dumps(document).encode(), what="x") == document


@pytest.mark.parametrize(
    "content",
    [
        b"[" + b"[]," * 70 + b'\\"' * 1_000_000,
        b"[" + b"[]," * 70 + b'"' + b'\\"' * 1_000_000,
        b"[" + b"[]," * 70 + b'"\\\n' * 500_000,
        b"{" + b"".join(b'"%d":0,' % n for n in range(250_000)) + b'"249999":1}',
    ],
    ids=["quotes", "string", "newlines", "keys"],
)
def test_a_document_made_to_take_long_is_refused_soon(content: bytes) -> None:
    started = time.process_time()
    with pytest.raises(InvalidJson):
        loads(content, what="x")
    assert time.process_time() - started < 10  # minutes to days when quadratic


@pytest.mark.parametrize("content", [b"[]", b'"a"', b"null", b"1"])
def test_an_object_is_an_object(content: bytes) -> None:
    with pytest.raises(InvalidJson, match="x: expected a JSON object"):
        loads_object(content, what="x")


def test_an_object_is_read() -> None:
    assert loads_object(b' {"a": [1, 2.5, null, true]} ', what="x") == {"a": [1, 2.5, None, True]}


# Writing


@pytest.mark.parametrize(
    ("bits", "spelled"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers_of_rfc_8785_appendix_b(bits: str, spelled: str) -> None:
    assert canonical(double(bits)) == spelled.encode()
    assert canonical([double(bits)]) == b"[" + spelled.encode() + b"]"


@pytest.mark.parametrize(
    "number", [math.nan, math.inf, -math.inf, 2**53 + 1, -(2**53) - 1, 10**400]
)
def test_numbers_without_a_canonical_form(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical({"a": number})


def test_the_example_of_rfc_8785_section_3_2_2() -> None:
    read = loads(
        rb"""{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
        }""",
        what="x",
    )
    assert (
        canonical(read)
        == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


def test_keys_are_sorted_by_utf_16_as_in_section_3_2_3() -> None:
    keys = ["€", "\r", "\ufb33", "1", "\U0001f600", "\x80", "ö"]
    read = json.loads(canonical(dict.fromkeys(keys, 0)))
    assert list(read) == ["\r", "1", "\x80", "ö", "€", "\U0001f600", "\ufb33"]


def test_strings_are_escaped_where_json_asks_for_it_only() -> None:
    plain = '"\\\b\t\n\f\r\x00\x1f\x7f/<é\u2028'
    assert canonical(plain) == '"\\"\\\\\\b\\t\\n\\f\\r\\u0000\\u001f\x7f/<é\u2028"'.encode()


@given(documents)
@example(1e18)
@example({"ä": 2.0**60, "a": [-(2.0**69)]})
@example({"é": ("tuple", 1)})
def test_canonical_is_a_fixed_point(document: object) -> None:
    spelled = canonical(document)
    read = loads(spelled, what="x")
    assert canonical(read) == spelled
    expected = json.loads(json.dumps(document), parse_int=float)
    assert json.loads(spelled, parse_int=float) == expected


@given(st.dictionaries(texts, documents, max_size=6))
def test_canonical_knows_no_order(document: dict[str, object]) -> None:
    assert canonical(dict(reversed(document.items()))) == canonical(document)


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object()])
def test_other_values_have_no_json_form(value: object) -> None:
    with pytest.raises(ValueError, match="has no JSON form"):
        canonical([value])


def test_half_a_surrogate_pair_is_not_written() -> None:
    for document in ("\ud800", {"\udfff": 1}):
        with pytest.raises(ValueError, match="surrogates not allowed"):
            canonical(document)
