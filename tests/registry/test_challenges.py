"""WWW-Authenticate as registries write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.registry.auth.challenges import Challenge, choose, misses_scope, parse_challenges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('BASIC realm="Sonatype Nexus"', [("basic", {"realm": "Sonatype Nexus"})]),
        ("Basic realm=plain", [("basic", {"realm": "plain"})]),
        (
            'Bearer realm="https://a/t",service="s",scope="repository:x/y:pull,push"',
            [
                (
                    "bearer",
                    {"realm": "https://a/t", "service": "s", "scope": "repository:x/y:pull,push"},
                )
            ],
        ),
        (
            'Basic realm="x", Bearer realm=https://a/t,service=s',
            [("basic", {"realm": "x"}), ("bearer", {"realm": "https://a/t", "service": "s"})],
        ),
        (
            "Negotiate YII=, Basic realm=x",
            [("negotiate", {"yii": ""}), ("basic", {"realm": "x"})],
        ),
        ('Bearer  realm = "a\\"b" , SERVICE=s', [("bearer", {"realm": 'a"b', "service": "s"})]),
        (
            "Bearer realm=https://a/t,scope=repository:x:pull,push,service=s",
            [("bearer", {"realm": "https://a/t", "scope": "repository:x:pull", "service": "s"})],
        ),
        ('realm="lost", Basic realm="x"', [("basic", {"realm": "x"})]),
        ('Bearer realm="unclosed', [("bearer", {})]),
    ],
)
def test_challenges_are_parsed(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(one.scheme, dict(one.parameters)) for one in parse_challenges(header)] == expected


@given(st.text(alphabet='abBasicearer =",\\:/\t', max_size=60))
def test_no_header_breaks_the_parser(header: str) -> None:
    for challenge in parse_challenges(header):
        assert challenge.scheme == challenge.scheme.lower()


def test_long_headers_are_parsed_in_no_time() -> None:
    assert len(parse_challenges("Basic realm=x, " * 2000)) == 2000
    assert parse_challenges("Bearer " + "=" * 60_000)[0].scheme == "bearer"
    assert parse_challenges('Bearer realm="' + "\\" * 60_000)[0].scheme == "bearer"


def test_bearer_is_chosen_before_basic_and_needs_a_realm() -> None:
    basic, bearer = Challenge("basic"), Challenge("bearer", {"realm": "https://a/t"})
    assert choose([basic, bearer]) is bearer
    assert choose([Challenge("bearer"), basic]) is basic
    assert choose([Challenge("negotiate")]) is None


def test_what_is_missing_is_a_scope_only_when_the_server_says_so() -> None:
    header = 'Bearer realm="https://a/t",scope="x:y:pull",error="insufficient_scope"'
    assert misses_scope(parse_challenges(f"Basic realm=x, {header}"))
    assert not misses_scope(parse_challenges(header.replace("insufficient_scope", "invalid_token")))
    assert not misses_scope(())
