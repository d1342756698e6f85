"""Reading subjects, and lists of those who have one."""

from __future__ import annotations

import json

import pytest

from agentoci._internal import limits
from agentoci.content.referrers import (
    NotAReferrerList,
    TooManyReferrers,
    encode_list,
    parse_list,
    readable,
    referrer_of,
)
from agentoci.errors import Integrity
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, Descriptor
from agentoci.spec.jsonio import Json
from agentoci.spec.manifest import Manifest

SUBJECT = Descriptor.of(mediatypes.OCI_MANIFEST, b"subject")
MANIFEST = Manifest.build(config=EMPTY, layers=[EMPTY], artifact_type="a/b", subject=SUBJECT)


def described(document: dict[str, object]) -> tuple[Descriptor, bytes]:
    content = json.dumps(document).encode()
    return Descriptor.of(mediatypes.OCI_MANIFEST, content), content


def test_a_subject_is_read():
    found = referrer_of(MANIFEST.descriptor, MANIFEST.raw)
    assert found is not None
    assert (found.subject, found.entry.artifact_type) == (SUBJECT, "a/b")


@pytest.mark.parametrize(
    "document", [{}, {"subject": None}, {"annotations": {"subject": "matter"}}]
)
def test_what_speaks_of_nothing_has_no_subject(document: dict[str, object]):
    assert referrer_of(*described(document)) is None


def test_a_blob_has_no_subject():
    content = MANIFEST.raw
    assert referrer_of(Descriptor.of("application/json", content), content) is None


def test_a_manifest_of_a_version_to_come_is_listed():
    later = "application/vnd.agentoci.agent.v9"
    document: dict[str, object] = {"subject": SUBJECT.document(), "artifactType": later}
    found = referrer_of(*described(document))
    assert found is not None
    assert found.entry.artifact_type == later


@pytest.mark.parametrize("subject", ["text", {}, {"digest": "sha256:00"}])
def test_a_subject_that_is_none_is_refused(subject: object):
    with pytest.raises(Integrity):
        referrer_of(*described({"subject": subject}))


@pytest.mark.parametrize("kind", [7, "", None, {}])
def test_a_type_that_is_none_counts_as_missing(kind: object):
    document: dict[str, object] = {
        "subject": SUBJECT.document(),
        "artifactType": kind,
        "config": {"mediaType": "c/d"},
    }
    found = referrer_of(*described(document))
    assert found is not None
    assert found.entry.artifact_type in (None, "c/d")


def test_a_list_comes_back_as_it_was_sorted():
    entries: list[Json] = [{"digest": "b", "size": 10**30}, {"digest": "a"}, "text", {}]
    content = encode_list(entries)
    assert content == encode_list(reversed(entries))
    assert sorted(map(str, parse_list(content, what="list"))) == sorted(map(str, entries))


def test_an_endless_list_is_refused():
    entries: list[Json] = [{"digest": str(n)} for n in range(limits.MAX_REFERRERS + 1)]
    with pytest.raises(TooManyReferrers):
        parse_list(encode_list(entries), what="list")


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"manifests":{}}', b'{"mediaType":{},"manifests":[]}', b"<html>"],
)
def test_what_is_no_list_is_refused(content: bytes):
    with pytest.raises(NotAReferrerList, match="here"):
        parse_list(content, what="here")


def test_the_first_of_two_entries_counts():
    one = Descriptor(mediatypes.OCI_MANIFEST, SUBJECT.digest, 1).document()
    two = Descriptor(mediatypes.OCI_MANIFEST, SUBJECT.digest, 2).document()
    assert [desc.size for desc in readable([one, two])] == [1]
