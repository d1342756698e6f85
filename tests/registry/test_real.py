"""The same verbs against real registries."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from agentoci.content.copy import copy
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import ContentNotFound
from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.errors import Denied
from agentoci.registry.auth.credentials import Credential, OneCredential
from agentoci.registry.errors import AuthenticationFailed, BlobNotFound
from agentoci.registry.repository import Repository
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import Manifest
from agentoci.spec.reference import Reference
from tests import registries
from tests.registries import KINDS, PASSWORD, USER, Registry
from tests.registry.conftest import MakeClient

pytestmark = pytest.mark.integration

LAYER = bytes(range(256)) * 40_000
CONFIG = b'{"config":{}}'
MANIFEST = Manifest.build(
    config=Descriptor.of(mediatypes.AGENT_CONFIG, CONFIG),
    layers=[Descriptor.of("application/vnd.agentoci.layer.files.v1.tar", LAYER)],
    artifact_type=mediatypes.AGENT,
)


@pytest.fixture
def image() -> MemoryTarget:
    target = MemoryTarget()
    for desc, content in zip(MANIFEST.children, (CONFIG, LAYER), strict=True):
        target.push(desc, BytesSource(content))
    target.push(MANIFEST.descriptor, BytesSource(MANIFEST.raw))
    target.tag(MANIFEST.descriptor, "1.0")
    return target


def open_at(
    client: MakeClient, registry: Registry, name: str, *, push: bool = False, **options: object
) -> Repository:
    reference = Reference.parse(registry.reference(f"{name}:1.0"))
    return client(**options).repository(reference, push=push)


def test_image_goes_there_and_comes_back(
    registry: Registry, repository: str, image: MemoryTarget, make_client: MakeClient
) -> None:
    remote = open_at(make_client, registry, repository, push=True)
    assert copy(image, "1.0", remote, "1.0").moved_blobs == 2
    assert copy(image, "1.0", remote, "latest").moved_blobs == 0
    back = MemoryTarget()
    copy(open_at(make_client, registry, repository), "latest", back, "mine")
    assert back.resolve("mine") == MANIFEST.descriptor
    for desc, content in zip(MANIFEST.children, (CONFIG, LAYER), strict=True):
        assert fetch_bytes(back, desc, limit=desc.size) == content


def test_digest_and_tag_resolve_alike(
    registry: Registry, repository: str, image: MemoryTarget, make_client: MakeClient
) -> None:
    remote = open_at(make_client, registry, repository, push=True)
    copy(image, "1.0", remote, "1.0")
    assert remote.resolve("1.0") == remote.resolve(str(MANIFEST.descriptor.digest))
    assert fetch_bytes(remote, remote.resolve("1.0")) == MANIFEST.raw
    remote.tag(MANIFEST.descriptor, "2.0")
    assert remote.resolve("2.0") == MANIFEST.descriptor


def test_rest_of_a_blob_is_fetched(
    registry: Registry, repository: str, image: MemoryTarget, make_client: MakeClient
) -> None:
    remote = open_at(make_client, registry, repository, push=True)
    layer = MANIFEST.layers[0]
    remote.push(layer, BytesSource(LAYER))
    with remote.fetch(layer, 1_000_003) as stream:
        parts = list(iter(lambda: stream.read(1_000_000), b""))
    assert b"".join(parts) == LAYER[1_000_003:]


def test_missing_things_are_not_found(
    registry: Registry, repository: str, make_client: MakeClient
) -> None:
    remote = open_at(make_client, registry, repository)
    missing = Descriptor.of("x/y", b"missing")
    assert not remote.exists(missing)
    with pytest.raises(ContentNotFound):
        remote.resolve("1.0")
    with pytest.raises(BlobNotFound):
        fetch_bytes(remote, missing)


def test_empty_blob_is_kept(registry: Registry, repository: str, make_client: MakeClient) -> None:
    remote = open_at(make_client, registry, repository, push=True)
    empty = Descriptor.of("x/y", b"")
    remote.push(empty, BytesSource(b""))
    assert remote.exists(empty)


def test_blob_is_mounted_from_a_neighbour(
    registry: Registry, repository: str, image: MemoryTarget, make_client: MakeClient
) -> None:
    client = make_client()
    base = client.repository(Reference.parse(registry.reference(f"{repository}/base:1")), push=True)
    copy(image, "1.0", base, "1.0")
    other = client.repository(Reference.parse(registry.reference(f"{repository}/bot:1")), push=True)
    layer = MANIFEST.layers[0]
    if not other.mount(layer, base):
        assert registry.kind == "ggcr", "the others know how to mount"
        other.push(layer, BytesSource(LAYER))
    assert other.exists(layer)
    assert fetch_bytes(other, layer, limit=layer.size) == LAYER


@pytest.fixture(scope="module")
def old_private_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """docker-registry 2.8 with a password file."""
    kind = KINDS["docker-registry"]
    if kind.program() is None:
        pytest.skip(kind.missing)
    folder = tmp_path_factory.mktemp("old-private")
    with registries.serve(kind, folder, private=True) as registry:
        yield registry


@pytest.fixture(params=["old_private_registry", "private_registry"])
def private(request: pytest.FixtureRequest) -> Registry:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Registry)
    return found


def test_private_registry_takes_the_right_password(
    private: Registry, repository: str, image: MemoryTarget, make_client: MakeClient
) -> None:
    make_client().check_login(private.host, Credential(USER, PASSWORD))
    credentials = OneCredential(private.host, Credential(USER, PASSWORD))
    remote = open_at(make_client, private, repository, push=True, credentials=credentials)
    copy(image, "1.0", remote, "1.0")
    back = MemoryTarget()
    copy(remote, "1.0", back, "1.0")
    assert back.resolve("1.0") == MANIFEST.descriptor


def test_private_registry_refuses_others(
    private: Registry, repository: str, make_client: MakeClient
) -> None:
    with pytest.raises(AuthenticationFailed):
        make_client().check_login(private.host, Credential(USER, "wrong"))
    with pytest.raises(AuthenticationFailed, match="wants a user name"):
        open_at(make_client, private, repository).resolve("1.0")
    credentials = OneCredential(private.host, Credential(USER, "wrong"))
    with pytest.raises(Denied):
        open_at(make_client, private, repository, credentials=credentials).resolve("1.0")


# Pushes and pulls a blob that is never whole in memory, and prints by how much the peak grew.
TRANSFER = """
import contextlib, hashlib, resource, sys
from agentoci.content.reader import VerifiedReader
from agentoci.registry.client import RegistryClient
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.reference import Reference

SIZE, SLICE = int(sys.argv[2]), bytes(range(256)) * 4096

class Stream:
    def __init__(self): self.left = SIZE
    def read(self, size=-1, /):
        piece = SLICE[: min(size, self.left)]
        self.left -= len(piece)
        return piece

class Source:
    @contextlib.contextmanager
    def open(self, offset=0): yield Stream()

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

state = hashlib.sha256()
for piece in iter(lambda s=Stream(): s.read(1 << 20), b""): state.update(piece)
blob = Descriptor("application/octet-stream", Digest.from_hash(state), SIZE)
with RegistryClient() as client:
    repository = client.repository(Reference.parse(sys.argv[1]), push=True)
    repository.exists(blob)
    before = peak()
    repository.push(blob, Source())
    with repository.fetch(blob) as stream:
        reader = VerifiedReader(stream, blob)
        while reader.read(1 << 20): pass
    print(peak() - before)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_blob(docker_registry: Registry, repository: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRANSFER, docker_registry.reference(f"{repository}:1"), "200000000"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 20_000_000
