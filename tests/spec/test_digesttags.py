"""Tags that are made of a digest."""

from __future__ import annotations

import pytest

from agentoci.spec.digest import Digest
from agentoci.spec.digesttags import COSIGN, cosign_tag, is_digest_tag, referrers_tag, subject_of

SHORT = Digest.of(b"x")
LONG = Digest("sha512", "ab" * 64)
HEX = SHORT.hex


def test_long_digests_are_cut_to_a_tag() -> None:
    assert referrers_tag(LONG) == "sha512-" + "ab" * 32


def test_tags_that_are_made_of_digests() -> None:
    made = [f"sha256-{HEX}", f"sha256-{HEX}.sig", f"bot:sha256-{HEX}.att", f"sha512-{HEX * 2}"]
    assert all(map(is_digest_tag, made))
    others = ["1.0", "sha256-abc", f"md5-{HEX}", f"sha256-{HEX.upper()}", HEX]
    assert not any(map(is_digest_tag, others))
    assert is_digest_tag(referrers_tag(LONG))


@pytest.mark.parametrize("digest", [SHORT, LONG])
def test_tags_say_what_they_speak_of(digest: Digest) -> None:
    for suffix in COSIGN:
        assert subject_of(cosign_tag(digest, suffix)) == digest
        assert is_digest_tag(cosign_tag(digest, suffix))
    assert subject_of(referrers_tag(SHORT)) == SHORT


@pytest.mark.parametrize(
    "tag",
    [
        "sha256-abc",
        "1.0.0",
        f"sha256-{HEX}0",
        f"sha256-{HEX}.SIG",
        f"sha256-{HEX}.",
        "sha512-" + "0" * 64,
        "md5-" + "0" * 64,
    ],
)
def test_other_tags_speak_of_nothing(tag: str) -> None:
    assert subject_of(tag) is None
