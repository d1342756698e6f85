"""Digests: what is one, and what only looks like one."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.spec.digest import Digest, InvalidDigest

HEX = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

texts = st.one_of(
    st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format),
    st.text("0123456789abcdef", min_size=128, max_size=128).map("sha512:{}".format),
)


@given(texts)
def test_a_digest_prints_back(text: str) -> None:
    digest = Digest.parse(text)
    assert str(digest) == text
    assert Digest.parse(str(digest)) == digest
    assert digest.short == text.partition(":")[2][:12]


@given(st.binary(max_size=300))
def test_the_digest_of_content(content: bytes) -> None:
    digest = Digest.of(content)
    state = digest.hasher()
    state.update(content)
    assert str(digest) == "sha256:" + hashlib.sha256(content).hexdigest()
    assert Digest.from_hash(state) == digest


def test_a_sha512_digest_hashes_by_sha512() -> None:
    digest = Digest("sha512", hashlib.sha512(b"foo").hexdigest())
    state = digest.hasher()
    state.update(b"foo")
    assert Digest.from_hash(state) == digest == Digest.parse(str(digest))


def test_digests_are_values_with_an_order() -> None:
    low, high = Digest("sha256", "0" * 64), Digest("sha256", "f" * 64)
    assert len({low, Digest("sha256", "0" * 64), high}) == 2
    assert sorted([high, low]) == [low, high]


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEX,
        "sha256:",
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}0",
        f"sha256:{HEX.upper()}",
        f"SHA256:{HEX}",
        f"sha256:{HEX}\n",
        f" sha256:{HEX}",
        f"sha256:{HEX} ",
        f"sha256:{HEX[:-1]}g",
        "sha256:" + "\u0660" * 64,
        f"sha256-{HEX}",
        f"sha256:{HEX}:{HEX}",
        f"sha512:{HEX}",
        f"sha256:{HEX}{HEX}",
        "sha256:../../../../etc/passwd",
        f"sha256:{'../' * 21}x",
        f"sha256:{HEX[:62]}/.",
        f"../sha256:{HEX}",
        f"sha256/../sha256:{HEX}",
        f"sha1:{HEX[:40]}",
        f"md5:{HEX[:32]}",
        f"sha384:{HEX}{HEX[:32]}",
        f"sha256+b64:{HEX}",
        f"sha256:{HEX[:63]}\0",
        None,
        12,
        b"sha256:" + HEX.encode(),
        ["sha256", HEX],
    ],
)
def test_what_only_looks_like_a_digest_is_refused(text: object) -> None:
    with pytest.raises(InvalidDigest, match="is not a digest") as caught:
        Digest.parse(text)
    assert caught.value.exit_code == 8


def test_an_endless_digest_does_not_fill_the_message() -> None:
    with pytest.raises(InvalidDigest) as caught:
        Digest.parse("sha256:" + "0" * 100_000)
    assert len(caught.value.message) < 250
