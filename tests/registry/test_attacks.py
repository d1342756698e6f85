"""What hostile registries, mirrors and authors try, beyond what the modules' own tests hold."""

from __future__ import annotations

import pytest

from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from tests.registry.conftest import Open
from tests.registry.fake import FakeRegistry, Tokens
from tests.registry.faults import Fault, changes

CONTENT = b"what was asked for"
BLOB = Descriptor.of("application/octet-stream", CONTENT)


# Numbers that no machine holds


def states(length: str) -> Fault:
    """Serve, with this Content-Length."""
    return changes(lambda reply: reply.headers.update({"Content-Length": length}))


@pytest.mark.parametrize("length", ["9" * 5000, "9" * 400, "1" + "0" * 16])
def test_manifest_of_an_absurd_length_is_read_to_know(
    fake: FakeRegistry, open_repository: Open, length: str
) -> None:
    """Python refuses to read such a number: that was an internal error."""
    digest = fake.put_manifest("team/bot", "latest", mediatypes.OCI_MANIFEST, CONTENT)
    fake.on("HEAD", "/manifests/", states(length))
    found = open_repository(fake).resolve("latest")
    assert (str(found.digest), found.size) == (digest, len(CONTENT))


@pytest.mark.parametrize("length", ["9" * 5000, "9" * 400])
def test_blob_of_an_absurd_length_is_asked_for_again(
    fake: FakeRegistry, open_repository: Open, length: str
) -> None:
    fake.put("team/bot", CONTENT)
    fake.on("HEAD", "/blobs/", states(length))
    assert open_repository(fake).blob(BLOB.digest).size == BLOB.size


@pytest.mark.parametrize("life", [10**400, 10**18, 1e300, True, -(10**400), "9" * 5000])
def test_token_that_outlives_every_clock_is_used(open_repository: Open, life: object) -> None:
    """An integer that no float holds was an internal error."""
    with FakeRegistry(auth=Tokens(expires_in=life)) as fake:
        fake.put("team/bot", CONTENT)
        assert open_repository(fake).exists(BLOB)
