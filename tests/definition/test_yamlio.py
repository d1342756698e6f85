"""The YAML reader: what it reads, where it says it found it, and all that it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentoci._internal import limits
from agentoci.definition.places import Located
from agentoci.definition.yamlio import load, load_with
from agentoci.errors import Fault, SourceFaults

LOADERS = [yaml.SafeLoader]
if hasattr(yaml, "CSafeLoader"):
    LOADERS.append(yaml.CSafeLoader)  # type: ignore[arg-type]


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def loader(request: pytest.FixtureRequest) -> Any:
    return request.param


def read(loader: Any, text: str) -> Located:
    return load_with(loader, text.encode(), file="a.agentdef")


def refused(loader: Any, text: str | bytes) -> SourceFaults:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(SourceFaults) as caught:
        load_with(loader, content, file="a.agentdef")
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("y", "y"),
        ("22:22", "22:22"),
        ("010", "010"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("2024-01-15", "2024-01-15"),
        ("2024-01-15T10:00:00Z", "2024-01-15T10:00:00Z"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("=", "="),
        ("1.0.0", "1.0.0"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("+5", 5),
        ("9007199254740992", 2**53),
        ("0.2", 0.2),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("'true'", "true"),
        ('"5"', "5"),
        ("'<<'", "<<"),
    ],
)
def test_scalar_means_what_it_looks_like(loader: Any, text: str, value: object) -> None:
    data = read(loader, f"a: {text}\n").data
    assert data == {"a": value}
    assert isinstance(data, dict)
    assert type(data["a"]) is type(value)


@pytest.mark.parametrize("word", ["no", "on", "22:22", "010", "2024-01-15"])
def test_such_words_are_text_as_keys_too(loader: Any, word: str) -> None:
    assert read(loader, f"{word}: 1\n").data == {word: 1}


def test_every_key_and_value_knows_its_place(loader: Any) -> None:
    located = read(loader, "a: 1\nb:\n  - x\n  - key: '值 value'\n    other: |\n      long\n")
    assert located.data == {"a": 1, "b": ["x", {"key": "值 value", "other": "long\n"}]}
    key, value = located.key_place(("b", 1, "key")), located.place(("b", 1, "key"))
    assert (key.line, key.column, key.width) == (4, 5, 3)
    assert (value.line, value.column, value.width) == (4, 10, 9)
    assert located.source_line(value) == "  - key: '值 value'"
    assert located.place(("b", 1, "other")).line == 5


def test_a_path_that_does_not_exist_has_the_place_around_it(loader: Any) -> None:
    located = read(loader, "a:\n  b: {c: 1}\n")
    assert located.key_place(("a", "b", "missing")).line == 2
    assert located.value(("a", "missing")) is None
    assert located.written(("a", "missing")) is None


def test_a_scalar_remembers_how_it_was_written(loader: Any) -> None:
    located = read(loader, "a: 1.10\nb: '1.10'\n")
    assert located.written(("a",)) == "1.10"
    assert located.written(("b",)) is None


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("a: &x 1\nb: 2\n", "anchors are not supported: &x", 1, 4),
        ("a: [1]\nb: *x\n", "aliases are not supported", 2, 4),
        ("a: 1\n<<: {b: 1}\n", "merge keys are not supported", 2, 1),
        ("a: !!python/object/apply:os.system [ls]\n", "tags are not supported", 1, 4),
        ("a: !!str 1\n", "tags are not supported", 1, 4),
        ("a: !x y\n", "tags are not supported: !x", 1, 4),
        ("a: 1\nb: 2\na: 3\n", "key 'a' stands twice", 3, 1),
        ("a:\n  b: 1\n  'b': 2\n", "key 'b' stands twice", 3, 3),
        ("1: a\n", "key '1' is not text", 1, 1),
        ("true: a\n", "key 'true' is not text", 1, 1),
        ("? [a, b]\n: 1\n", "a key must be text", 1, 3),
        ("a: 1\n---\nb: 2\n", "a second document", 2, 1),
        ("a: 9007199254740993\n", "beyond 2^53", 1, 4),
        (f"a: {'9' * 5000}\n", "beyond 2^53", 1, 4),
        ("a: 1e999\n", "too large", 1, 4),
        ("a: {b: 1\n", "not YAML", 2, 1),
        ("a: 'open\n", "not YAML", 2, 1),
        ("a:\n\tb: 1\n", "not YAML", 2, 1),
        ("a: b: c\n", "not YAML", 1, 5),
        ("a: 1\nb: \x00\n", "control character U+0000", 2, 4),
        ("a: \x1b[31m\n", "control character U+001B", 1, 4),
        ("", "the file is empty", 1, 1),
        ("# nothing\n", "the file is empty", 1, 1),
    ],
)
def test_refused_with_its_place(
    loader: Any, text: str, message: str, line: int, column: int
) -> None:
    error = refused(loader, text)
    fault = error.faults[0]
    assert message in fault.message
    assert (fault.line, fault.column) == (line, column)
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a:\n\tb: 1\n", "indent with spaces"),
        ("version: >=1.0\n", "in quotes"),
        ("version: *\n", "in quotes"),
        ("user: @me\n", "in quotes"),
        ("a: do this: and that\n", "holds ': '"),
        ("a: !rm\n", "in quotes"),
        ("a: 1\na: 2\n", "line 1"),
        ("a: 12345678901234567890\n", 'write "12345678901234567890"'),
    ],
)
def test_a_common_mistake_has_a_hint(loader: Any, text: str, hint: str) -> None:
    assert hint in (refused(loader, text).faults[-1].hint or "")


def test_all_faults_are_reported_at_once(loader: Any) -> None:
    faults = refused(loader, "a: &x 1\nb: !t 2\na: 3\nc: *x\n").faults
    assert [fault.line for fault in faults] == [1, 2, 3, 4]


def test_an_alias_bomb_is_refused_without_being_built(loader: Any) -> None:
    rows = ["a0: &a0 [x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 40)]
    assert "alias" in str(refused(loader, "\n".join(rows)))


def test_a_recursive_alias_is_refused(loader: Any) -> None:
    assert "alias" in str(refused(loader, "a: &x [*x]\n"))


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000, "a: " + "[" * 5000])
def test_deep_nesting_is_refused(loader: Any, text: str) -> None:
    error = refused(loader, text)
    assert f"nested deeper than {limits.MAX_YAML_DEPTH} levels" in str(error) or "not YAML" in str(
        error
    )


def test_the_greatest_depth_is_still_read(loader: Any) -> None:
    depth = limits.MAX_YAML_DEPTH
    assert read(loader, "[" * depth + "]" * depth).data is not None
    assert "nested deeper" in str(refused(loader, "[" * (depth + 1) + "]" * (depth + 1)))


def test_a_large_file_is_refused_before_it_is_parsed(loader: Any) -> None:
    content = b"a: " + b"x" * limits.MAX_DEFINITION_BYTES
    assert "larger than 256 KiB" in str(refused(loader, content))
    fits = b"a: " + b"x" * (limits.MAX_DEFINITION_BYTES - 3)
    assert load_with(loader, fits, file="a").data == {"a": "x" * (len(fits) - 3)}


def test_many_flat_keys_are_read(loader: Any) -> None:
    data = read(loader, "".join(f"k{i}:\n" for i in range(10_000))).data
    assert isinstance(data, dict)
    assert len(data) == 10_000


def test_thousands_of_faults_stay_a_short_message(loader: Any) -> None:
    error = refused(loader, "{" + "a: 1, " * 10_000 + "}")
    assert len(error.faults) == 50
    assert len(str(error)) < 40_000


def test_bytes_that_are_not_utf8_are_refused_with_their_place(loader: Any) -> None:
    fault = refused(loader, b"a: 1\nb: \xff\n").faults[0]
    assert (fault.line, fault.column, fault.message) == (2, 4, "not UTF-8 text")


def test_a_byte_order_mark_and_windows_lines_are_read(loader: Any) -> None:
    located = load_with(loader, b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", file="a")
    assert located.data == {"a": 1, "b": 2}
    place = located.place(("b",))
    assert (place.line, place.column, located.source_line(place)) == (2, 4, "b: 2")


@pytest.mark.parametrize(
    "document",
    [
        {"a": [1, 2.5, True, None, "x"], "b": {"c": "d"}},
        {"url": "https://x/y", "text": "a\\ud83d and 😀 and \u2028 \x85 \x7f", "tab": "\t"},
        {"quote": '"', "back": "\\", "deep": {"deeper": [[["x"]]]}},
    ],
)
@pytest.mark.parametrize(
    "style",
    [
        {"indent": "\t"},
        {"separators": (",", ":")},
        {"ensure_ascii": False},
        {"ensure_ascii": False, "indent": 2},
    ],
)
def test_json_reads_as_json(loader: Any, document: object, style: dict[str, Any]) -> None:
    assert read(loader, json.dumps(document, **style)).data == document


def test_json_with_half_a_surrogate_pair_is_refused(loader: Any) -> None:
    refused(loader, '{"a": "\\ud83d"}')


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8"), max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3)
        ),
        max_leaves=10,
    )
)
def test_any_json_object_is_read_as_json_reads_it(value: Any) -> None:
    document = {"value": value}
    text = json.dumps(document)
    assert load(text.encode(), file="a.json").data == json.loads(text)


@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"#%@, \n\t?~01."), max_size=40))
def test_any_text_is_read_or_refused_with_faults(text: str) -> None:
    faults: tuple[Fault, ...] = ()
    data: object = None
    try:
        data = load(text.encode(), file="a").data
    except SourceFaults as exc:
        faults = exc.faults
    assert all(fault.line >= 1 and fault.column >= 1 for fault in faults)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
