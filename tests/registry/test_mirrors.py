"""Reading from mirrors: never trusted, never told who we are, never in the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentoci._internal.clock import SystemClock
from agentoci.content.copy import copy
from agentoci.content.reader import (
    BytesSource,
    DigestMismatch,
    SourceSpoiled,
    VerifiedReader,
    fetch_bytes,
)
from agentoci.registry.auth.credentials import Credential, OneCredential
from agentoci.registry.client import RegistryClient
from agentoci.registry.errors import BlobNotFound, InvalidRegistryConfig, RegistryUnreachable
from agentoci.registry.hosts import HostOptions, MirrorOptions
from agentoci.registry.mirrors import MirroredRepository
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import Manifest
from agentoci.spec.mediatypes import OCI_EMPTY
from agentoci.spec.reference import Reference
from agentoci.store.layout import LayoutStore
from tests.registry.conftest import MakeClient, StepClock
from tests.registry.fake import Basic, FakeRegistry, Tokens
from tests.registry.faults import answers, cuts, drops, spoils_body

CONTENT = b"held in two places" * 100
BLOB = Descriptor.of("application/octet-stream", CONTENT)
LARGE = bytes(range(256)) * (36 * 1024)
LARGE_BLOB = Descriptor.of("application/octet-stream", LARGE)
TYPE = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def mirror() -> Iterator[FakeRegistry]:
    with FakeRegistry() as mirror:
        yield mirror


Open = Callable[..., Repository]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def open_mirrored(
    fake: FakeRegistry, mirror: FakeRegistry, make_client: MakeClient, said: list[str]
) -> Open:
    """The fake's repository, read from the mirror."""

    def open_one(
        path: str = "", *, resolve: bool = False, push: bool = False, **options
    ) -> Repository:
        settled = HostOptions(
            headers={"X-Key": "of the registry"},
            mirrors=(MirrorOptions(mirror.url + path, resolve=resolve),),
        )
        options.setdefault("hosts", {fake.host: settled})
        client: RegistryClient = make_client(warn=said.append, **options)
        return client.repository(Reference(fake.host, "team/bot", "latest"), push=push)

    return open_one


def test_mirror_is_asked_first_and_told_whose_content(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open
) -> None:
    mirror.put("team/bot", CONTENT)
    assert fetch_bytes(open_mirrored(), BLOB) == CONTENT
    assert not fake.seen
    assert mirror.seen[0].query["ns"] == [fake.host]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/cache", "/v2/cache/team/bot/blobs/"),
        ("/v2/cache", "/v2/cache/team/bot/blobs/"),
        ("/artifactory/api/docker/x/v2", "/artifactory/api/docker/x/v2/team/bot/blobs/"),
    ],
)
def test_path_of_a_mirror_is_a_prefix(
    mirror: FakeRegistry, open_mirrored: Open, fake: FakeRegistry, path: str, target: str
) -> None:
    fake.put("team/bot", CONTENT)
    fetch_bytes(open_mirrored(path), BLOB)
    assert mirror.seen[0].target.startswith(target)


def test_mirror_gets_nothing_that_identifies_the_user(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open, said: list[str]
) -> None:
    fake.auth, mirror.auth = Basic(), Tokens(anonymous=frozenset())
    fake.put("team/bot", CONTENT)
    ours = OneCredential(fake.host, Credential("ada", "secret"))
    assert fetch_bytes(open_mirrored(credentials=ours), BLOB) == CONTENT
    assert all("x-key" not in one.headers for one in mirror.seen)
    assert all("Basic" not in one.headers.get("authorization", "") for one in mirror.seen)
    assert all(one.headers["x-key"] == "of the registry" for one in fake.seen)
    assert len(said) == 1
    assert said[0].startswith(f"mirror {mirror.host} is left out: ")


def test_mirror_has_a_login_of_its_own(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open
) -> None:
    mirror.auth = Basic()
    mirror.put("team/bot", CONTENT)
    theirs = OneCredential(mirror.host, Credential("ada", "secret"))
    assert fetch_bytes(open_mirrored(credentials=theirs), BLOB) == CONTENT
    assert not fake.seen


def test_what_a_mirror_lacks_comes_from_the_registry(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open, said: list[str]
) -> None:
    other = b"only at home"
    fake.put("team/bot", CONTENT)
    fake.put("team/bot", other)
    repository = open_mirrored()
    assert fetch_bytes(repository, BLOB) == CONTENT
    assert fetch_bytes(repository, Descriptor.of("x/y", other)) == other
    assert len(mirror.seen) == 2
    assert said == [f"mirror {mirror.host} lacks some content; asking elsewhere"]


def test_mirror_that_is_down_is_left_out(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open, said: list[str], clock: StepClock
) -> None:
    fake.put("team/bot", CONTENT)
    mirror.on("*", "", drops(), times=99)
    repository = open_mirrored()
    for _ in range(3):
        assert fetch_bytes(repository, BLOB) == CONTENT
    assert len(mirror.seen) == 2
    assert len(clock.sleeps) == 1
    assert said == [f"mirror {mirror.host} is left out: {mirror.host}: the connection was cut"]


def test_wrong_bytes_of_a_mirror_are_replaced(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open, said: list[str]
) -> None:
    fake.put("team/bot", CONTENT)
    mirror.put("team/bot", CONTENT)
    mirror.on("GET", "/blobs/", spoils_body(lambda body: b"?" + body[1:]), times=9)
    repository = open_mirrored()
    assert fetch_bytes(repository, BLOB) == CONTENT
    with repository.fetch(BLOB, 10) as stream:
        assert stream.read(-1) == CONTENT[10:]
    assert len(mirror.seen) == 1
    assert "the content has digest" in said[0]


def test_wrong_bytes_in_a_large_blob_are_an_error_and_not_asked_for_again(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open
) -> None:
    fake.put("team/bot", LARGE)
    mirror.put("team/bot", LARGE)
    mirror.on("GET", "/blobs/", spoils_body(lambda body: b"?" + body[1:]))
    repository = open_mirrored()
    with pytest.raises(SourceSpoiled) as caught, repository.fetch(LARGE_BLOB) as stream:
        drain(VerifiedReader(stream, LARGE_BLOB))
    assert mirror.host in caught.value.message
    with repository.fetch(LARGE_BLOB) as stream:
        assert drain(VerifiedReader(stream, LARGE_BLOB)) == LARGE
    assert len(mirror.seen) == 1


def test_copy_fetches_a_large_blob_that_a_mirror_spoiled_from_the_registry(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open, said: list[str], tmp_path: Path
) -> None:
    fake.put("team/bot", LARGE)
    mirror.put("team/bot", LARGE)
    config = fake.put("team/bot", b"{}")
    manifest = Manifest.build(
        config=Descriptor(OCI_EMPTY, Digest.parse(config), 2), layers=[LARGE_BLOB]
    )
    fake.put_manifest("team/bot", "1.0", manifest.media_type, manifest.raw)
    mirror.on("GET", "/blobs/", spoils_body(lambda body: body[:-1] + b"?"), times=9)
    store = LayoutStore.create(tmp_path / "store", clock=SystemClock())
    copy(open_mirrored(), "1.0", store, "bot:1.0")
    assert fetch_bytes(store, LARGE_BLOB, limit=LARGE_BLOB.size) == LARGE
    assert any("gave other content" in line for line in said)
    assert not list((tmp_path / "store" / "ingest").glob("*.part"))


def drain(reader: VerifiedReader) -> bytes:
    return b"".join(iter(lambda: reader.read(1 << 20), b""))


def test_large_blob_goes_on_at_the_registry_where_the_mirror_breaks_off(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open
) -> None:
    fake.put("team/bot", LARGE)
    mirror.put("team/bot", LARGE)
    mirror.on("GET", "/blobs/", cuts(5_000_000), *[drops()] * 9)
    with open_mirrored().fetch(LARGE_BLOB) as stream:
        assert drain(VerifiedReader(stream, LARGE_BLOB)) == LARGE
    [rest] = fake.requests("GET", "/blobs/")
    assert rest.headers["range"].startswith("bytes=")
    assert rest.headers["range"] != "bytes=0-"


def test_large_blob_that_no_mirror_has_comes_from_the_registry(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open, said: list[str]
) -> None:
    fake.put("team/bot", LARGE)
    repository = open_mirrored()
    with repository.fetch(LARGE_BLOB) as stream:
        assert drain(VerifiedReader(stream, LARGE_BLOB)) == LARGE
    assert said == [f"mirror {mirror.host} lacks some content; asking elsewhere"]
    with repository.fetch(LARGE_BLOB, LARGE_BLOB.size) as stream:
        assert stream.read(-1) == b""


def test_what_nobody_has_is_the_registrys_error(fake: FakeRegistry, open_mirrored: Open) -> None:
    for desc in (BLOB, LARGE_BLOB):
        with pytest.raises(BlobNotFound, match=fake.host), open_mirrored().fetch(desc):
            pass


def test_wrong_bytes_of_the_registry_itself_blame_nobody_else(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open
) -> None:
    fake.put("team/bot", LARGE)
    fake.on("GET", "/blobs/", spoils_body(lambda body: b"?" + body[1:]), times=9)
    with (
        pytest.raises(DigestMismatch) as caught,
        open_mirrored().fetch(LARGE_BLOB) as stream,
    ):
        drain(VerifiedReader(stream, LARGE_BLOB))
    assert caught.value.hint is None


def test_registry_that_breaks_off_after_the_mirror_is_named(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open
) -> None:
    fake.put("team/bot", LARGE)
    mirror.put("team/bot", LARGE)
    for one in (fake, mirror):
        one.on("GET", "/blobs/", cuts(100), *[drops()] * 40)
    with (
        pytest.raises(RegistryUnreachable, match=fake.host),
        open_mirrored().fetch(LARGE_BLOB) as stream,
    ):
        drain(VerifiedReader(stream, LARGE_BLOB))


def put_manifest(registry: FakeRegistry, text: str) -> str:
    content = json.dumps({"schemaVersion": 2, "mediaType": TYPE, "annotations": {"x": text}})
    return registry.put_manifest("team/bot", "latest", TYPE, content.encode())


def test_tags_are_asked_of_the_registry(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open
) -> None:
    put_manifest(mirror, "old")
    digest = put_manifest(fake, "new")
    assert str(open_mirrored().resolve("latest").digest) == digest
    assert not mirror.seen


def test_tags_are_asked_of_a_mirror_that_may_say(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open
) -> None:
    digest = put_manifest(mirror, "at the mirror")
    repository = open_mirrored(resolve=True)
    assert str(repository.resolve("latest").digest) == digest
    assert not fake.seen
    home = put_manifest(fake, "at home")
    mirror.manifests.clear()
    assert str(repository.resolve("latest").digest) == home


def test_digests_are_resolved_by_any_mirror(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open
) -> None:
    digest = put_manifest(mirror, "same everywhere")
    assert str(open_mirrored().resolve(digest).digest) == digest
    assert not fake.seen


def test_nothing_is_written_to_a_mirror(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open
) -> None:
    repository = open_mirrored(push=True)
    assert not isinstance(repository, MirroredRepository)
    repository.push(BLOB, BytesSource(CONTENT))
    read = open_mirrored()
    assert isinstance(read, MirroredRepository)
    assert read.exists(BLOB)
    content = json.dumps({"schemaVersion": 2, "mediaType": TYPE}).encode()
    read.push_tagged(Descriptor.of(TYPE, content), content, ("latest",))
    assert not mirror.seen
    assert fake.blobs["team/bot", str(BLOB.digest)] == CONTENT


def test_mirror_over_plain_http_must_be_allowed(
    fake: FakeRegistry, make_client: MakeClient
) -> None:
    mirrored = HostOptions(mirrors=(MirrorOptions("http://mirror.example"),))
    reference = Reference(fake.host, "team/bot", "latest")
    with pytest.raises(InvalidRegistryConfig, match="plain http is for this machine only"):
        make_client(hosts={fake.host: mirrored}).repository(reference)
    allowed = {fake.host: mirrored, "mirror.example": HostOptions(insecure=True)}
    make_client(hosts=allowed).repository(reference)


def test_mirror_that_sends_away_is_followed_without_secrets(
    fake: FakeRegistry, mirror: FakeRegistry, open_mirrored: Open
) -> None:
    fake.put("team/bot", CONTENT)
    mirror.on(
        "GET", "/blobs/", answers(307, Location=f"{fake.url}/v2/team/bot/blobs/{BLOB.digest}")
    )
    assert fetch_bytes(open_mirrored(), BLOB) == CONTENT
    assert "x-key" not in fake.seen[0].headers
