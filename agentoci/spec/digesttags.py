"""Tags that are made of a digest, and by it speak of a manifest.

Registries without the referrers API keep the list of a manifest's referrers under one
(distribution-spec, "Referrers Tag Schema"); cosign keeps what it makes under others.
"""

from __future__ import annotations

import re
from typing import Final

from agentoci.spec.digest import Digest, InvalidDigest

COSIGN: Final = {
    ".sig": "cosign signature",
    ".att": "cosign attestation",
    ".sbom": "cosign SBOM",
}
"""What cosign appends to a digest's tag, in the order in which it is looked for."""

_FORM: Final = re.compile(r"(sha256|sha512)-([0-9a-f]{64}|[0-9a-f]{128})(\..*)?")
_SUFFIX: Final = re.compile(r"\.[a-z]+")


def referrers_tag(subject: Digest) -> str:
    """The tag whose index lists a subject's referrers; long digests are cut."""
    return f"{subject.algorithm[:32]}-{subject.hex[:64]}"


def cosign_tag(subject: Digest, suffix: str) -> str:
    """The tag under which cosign keeps what it made for a subject; `suffix` is one of COSIGN."""
    return f"{subject.algorithm}-{subject.hex}{suffix}"


def is_digest_tag(name: str) -> bool:
    """Whether the tag of a name (`TAG` or `NAME:TAG`) is made of a digest, whole or cut."""
    return _FORM.fullmatch(name.rpartition(":")[2]) is not None


def subject_of(tag: str) -> Digest | None:
    """What a tag speaks of; None where it is not made of a whole digest."""
    match = _FORM.fullmatch(tag)
    if match is None or (match[3] and not _SUFFIX.fullmatch(match[3])):
        return None
    try:
        return Digest.parse(f"{match[1]}:{match[2]}")
    except InvalidDigest:
        return None
