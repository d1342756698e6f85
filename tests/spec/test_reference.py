"""References by docker's grammar."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentoci.spec.digest import Digest
from agentoci.spec.reference import InvalidReference, Reference, check_tag

HEX = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
PIN = Digest("sha256", HEX)

hosts = st.one_of(
    st.none(),
    st.sampled_from(["localhost", "UPPER", "[::1]", "[2001:db8::1]:5000", "10.0.0.1:80"]),
    st.from_regex(r"[a-z0-9]{1,5}(-[a-z0-9]{1,3})?\.[A-Za-z]{2,5}(:[0-9]{1,5})?", fullmatch=True),
)
names = st.from_regex(r"[a-z0-9]{1,6}((\.|_|__|-{1,3}|/)[a-z0-9]{1,6}){0,5}", fullmatch=True)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}", fullmatch=True)
digests = st.binary(min_size=32, max_size=32).map(lambda raw: Digest("sha256", raw.hex()))


@given(hosts, names, st.none() | tags, st.none() | digests)
def test_a_reference_prints_back(
    host: str | None, name: str, tag: str | None, digest: Digest | None
) -> None:
    first, slash, _ = name.partition("/")
    assume(host is not None or not (slash and ("." in first or first == "localhost")))  # a host
    given_one = Reference(host, name, tag, digest)
    parsed = Reference.parse(str(given_one))
    if tag is None and digest is None:
        assert parsed == Reference(host, name, "latest")
    else:
        assert parsed == given_one
    assert Reference.parse(str(parsed)) == parsed


@given(st.text(max_size=60) | st.text("aA0:/@.-_[]\n", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidReference:
        return
    assert Reference.parse(str(reference)) == reference
    assert text.startswith(reference.name)


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag"),
    [
        ("bot", None, "bot", "latest"),
        ("bot:1.0", None, "bot", "1.0"),
        ("team/bot", None, "team/bot", "latest"),
        ("team/bot:v1_x.Y-z", None, "team/bot", "v1_x.Y-z"),
        ("host:5000", None, "host", "5000"),
        ("localhost", None, "localhost", "latest"),
        ("localhost/bot", "localhost", "bot", "latest"),
        ("localhost:5000/bot:1", "localhost:5000", "bot", "1"),
        ("ghcr.io/team/bot", "ghcr.io", "team/bot", "latest"),
        ("ghcr.io:443/a/b/c:1", "ghcr.io:443", "a/b/c", "1"),
        ("intern:5000/bot", "intern:5000", "bot", "latest"),
        ("127.0.0.1/bot", "127.0.0.1", "bot", "latest"),
        ("[::1]/bot:2", "[::1]", "bot", "2"),
        ("[2001:db8::1]:5000/team/bot:2", "[2001:db8::1]:5000", "team/bot", "2"),
        ("Host/bot", "Host", "bot", "latest"),
        ("xn--n3h.com/bot", "xn--n3h.com", "bot", "latest"),
        ("a_b/c__d/e---f.g", None, "a_b/c__d/e---f.g", "latest"),
        ("a" * 255, None, "a" * 255, "latest"),
        ("bot:" + "t" * 128, None, "bot", "t" * 128),
        ("bot:_", None, "bot", "_"),
    ],
)
def test_names_by_dockers_grammar(
    text: str, registry: str | None, repository: str, tag: str
) -> None:
    assert Reference.parse(text) == Reference(registry, repository, tag)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the name is empty"),
        (":1.0", "the name is empty"),
        ("ghcr.io/", "the name is empty"),
        ("ghcr.io/:1", "the name is empty"),
        (f"@sha256:{HEX}", "the name is empty"),
        ("Bot", "is not a name"),
        ("team/Bot:1", "is not a name"),
        ("ghcr.io/Team/bot", "is not a name"),
        ("/bot", "is not a name"),
        ("team//bot", "is not a name"),
        ("team/bot/", "is not a name"),
        ("-bot", "is not a name"),
        ("bot-", "is not a name"),
        ("a..b", "is not a name"),
        ("a___b", "is not a name"),
        ("a._b", "is not a name"),
        ("../bot", "is not a host"),
        ("team/../bot", "is not a name"),
        ("bot bot", "is not a name"),
        ("bot\n", "is not a name"),
        ("bot\0", "is not a name"),
        ("böt", "is not a name"),
        ("http://ghcr.io/bot", "is not a host"),
        ("ghcr.io:port/bot", "is not a host"),
        ("ghcr.io:123456/bot", "is not a host"),
        ("-ghcr.io/bot", "is not a host"),
        ("ghcr..io/bot", "is not a host"),
        ("ghcr_io.x/bot", "is not a host"),
        ("me@ghcr.io/bot", "is not a digest"),
        ("::1/bot", "is not a host"),
        ("[::1/bot", "is not a host"),
        ("[::g]/bot", "is not a host"),
        ("bot:", "is not a tag"),
        ("bot:.x", "is not a tag"),
        ("bot:-x", "is not a tag"),
        ("bot:a b", "is not a tag"),
        ("bot:1\n", "is not a tag"),
        ("bot:1+2", "is not a tag"),
        ("bot:ü", "is not a tag"),
        ("bot:" + "t" * 129, "is not a tag"),
        ("bot@", "is not a digest"),
        (f"bot@sha256:{HEX[1:]}", "is not a digest"),
        (f"bot@sha256:{HEX}0", "is not a digest"),
        (f"bot@sha256:{HEX.upper()}", "is not a digest"),
        (f"bot@sha256:{HEX}@sha256:{HEX}", "is not a digest"),
        (f"bot@sha256:{HEX}:1.0", "is not a digest"),
        ("a" * 256, "longer than 255"),
        ("ghcr.io/" + "a/" * 127 + "aa", "longer than 255"),
    ],
)
def test_what_is_no_reference_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidReference, match=message) as caught:
        Reference.parse(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Team:1", "names are lower case: 'team'"),
        ("a..b", "a name is lower-case letters and digits, joined by '.', '_', '-' and '/'"),
        ("", "write NAME:TAG"),
        ("bot:-", "a tag is up to 128 letters, digits, '_', '.' and '-', not led by '.' or '-'"),
    ],
)
def test_the_hint_says_how_to_write_it(text: str, hint: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    assert caught.value.hint == hint


def test_a_digest_pins() -> None:
    pinned = Reference.parse(f"ghcr.io/team/bot@{PIN}")
    both = Reference.parse(f"ghcr.io/team/bot:1.0@{PIN}")
    assert (pinned.tag, pinned.digest, pinned.selector) == (None, PIN, str(PIN))
    assert (both.tag, both.digest, both.selector) == ("1.0", PIN, str(PIN))
    assert both.tagged == "ghcr.io/team/bot:1.0"
    assert pinned.tagged == "ghcr.io/team/bot:latest"


def test_parts_of_a_reference() -> None:
    local, remote = Reference.parse("bot:1"), Reference.parse("ghcr.io/team/bot:1")
    assert local.is_local
    assert not remote.is_local
    assert (local.name, remote.name) == ("bot", "ghcr.io/team/bot")
    assert (local.selector, Reference(None, "bot").selector) == ("1", "latest")
    assert str(local.at("localhost:5000", "x/bot")) == "localhost:5000/x/bot:1"


def test_a_hostile_reference_is_refused_at_once() -> None:
    for text in ("a" * 100_000 + "!", "a-" * 50_000, "a." * 50_000 + "/x", "a/" * 50_000):
        with pytest.raises(InvalidReference):
            Reference.parse(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("docker://ghcr.io/team/bot:1", "leave docker:// out: ghcr.io/team/bot:1"),
        ("https://ghcr.io/team/bot", "leave https:// out: ghcr.io/team/bot"),
        ("http://", "leave http:// out: HOST/NAME"),
        ("./layout", "a folder is written oci:./layout"),
        ("../layout:bot", "a folder is written oci:../layout:bot"),
        ("/media/usb/agents", "a folder is written oci:/media/usb/agents"),
    ],
)
def test_who_writes_what_other_tools_take_is_told_how(text: str, hint: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    assert caught.value.hint == hint


@pytest.mark.parametrize("tag", ["", "a b", "../x", "h.io/bot:1", ".x", "t" * 129])
def test_what_is_no_tag(tag: str) -> None:
    with pytest.raises(InvalidReference, match="is not a tag") as caught:
        check_tag(tag)
    assert caught.value.hint
