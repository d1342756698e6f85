"""oras-py's API on our client, against real registries and beside oras-py itself."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import oras.oci
import oras.provider
import pytest
from oras.layout import NewLayout, NewLayoutFromRegistry

from agentoci.errors import Denied, NotFound
from agentoci.registry import OrasRegistry
from agentoci.registry.errors import AuthenticationFailed, ManifestNotFound, RegistryUnreachable
from agentoci.registry.oras.bridge import IndexNotPullable
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import Index
from tests import registries
from tests.certificates import Authority
from tests.registries import KINDS, PASSWORD, USER, Registry
from tests.registry.artifacts import BIG, assert_same, digest_in, fill
from tests.registry.conftest import MakeOras
from tests.registry.tokenserver import TokenServer, serve_with_tokens

pytestmark = pytest.mark.integration

Client = tuple[OrasRegistry, str]


@pytest.fixture(scope="module")
def old_private_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """docker-registry 2.8 with a password file."""
    kind = KINDS["docker-registry"]
    if kind.program() is None:
        pytest.skip(kind.missing)
    folder = tmp_path_factory.mktemp("old-private")
    with registries.serve(kind, folder, private=True) as registry:
        yield registry


def serve_tokens(
    kind: str, authority: Authority, factory: pytest.TempPathFactory
) -> Iterator[tuple[Registry, TokenServer]]:
    if KINDS[kind].program() is None:
        pytest.skip(KINDS[kind].missing)
    with serve_with_tokens(kind, factory.mktemp("with-tokens"), authority) as both:
        yield both


@pytest.fixture(scope="module")
def old_tokens(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Registry, TokenServer]]:
    """docker-registry 2.8 behind a token server that gives exactly what is asked for."""
    yield from serve_tokens("docker-registry", authority, tmp_path_factory)


@pytest.fixture(scope="module")
def new_tokens(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Registry, TokenServer]]:
    """Distribution v3 behind such a server."""
    yield from serve_tokens("distribution", authority, tmp_path_factory)


OPEN = ("docker_registry", "distribution")
PRIVATE = ("old_private_registry", "private_registry")
TOKENS = ("old_tokens", "new_tokens")


@pytest.fixture(params=[*OPEN, *PRIVATE, *TOKENS])
def client(
    request: pytest.FixtureRequest, make_oras: MakeOras, repository: str
) -> tuple[OrasRegistry, str]:
    """A client that may do everything at a registry, and a repository there."""
    found = request.getfixturevalue(request.param)
    registry = found[0] if isinstance(found, tuple) else found
    user = None if request.param in OPEN else (USER, PASSWORD)
    return make_oras(registry.host, user=user), registry.reference(repository)


@pytest.fixture(params=OPEN)
def plain(request: pytest.FixtureRequest, make_oras: MakeOras, repository: str) -> Client:
    """The same for registries that ask nobody, so that oras-py can be used beside."""
    registry: Registry = request.getfixturevalue(request.param)
    return make_oras(registry.host), registry.reference(repository)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a file, a larger one and a folder."""
    fill(tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def test_push_and_pull(client: Client, work: Path) -> None:
    """Defects A and B1 among them: a new artifact, by the default backend."""
    registry, name = client
    response = registry.push(f"{name}:1.0", files=["a.txt", "big.bin", "data"])
    assert response.status_code == 201
    files = registry.pull(f"{name}:1.0", outdir=str(work / "out"))
    assert files == [str(work / "out" / each) for each in ("a.txt", "big.bin", "data")]
    assert_same(work / "out")
    again = registry.pull(f"{name}@{digest_in(response)}", outdir=work / "again")
    assert [Path(each).name for each in again] == ["a.txt", "big.bin", "data"]


def test_push_again_sends_nothing_and_gives_the_same(client: Client, work: Path) -> None:
    """Defect A7."""
    registry, name = client
    first = registry.push(f"{name}:1.0", files=["a.txt", "data"])
    second = registry.push(f"{name}:2.0", files=["a.txt", "data"])
    assert digest_in(first) == digest_in(second)
    assert sorted(registry.get_tags(name)) == ["1.0", "2.0"]


def test_one_client_works_for_several_repositories(client: Client, work: Path) -> None:
    """Defects A3 and A4: manifests of two repositories, and a push after a pull."""
    registry, name = client
    for each in ("one", "two"):
        registry.push(f"{name}/{each}:1", files=["a.txt"])
    assert registry.get_manifest(f"{name}/one:1") == registry.get_manifest(f"{name}/two:1")
    registry.pull(f"{name}/one:1", outdir=work / "out")
    assert registry.push(f"{name}/one:2", files=["big.bin"]).status_code == 201


def test_chunked_push(client: Client, work: Path) -> None:
    registry, name = client
    registry.push(f"{name}:1", files=["big.bin"], do_chunked=True, chunk_size=1 << 20)
    [file] = registry.pull(f"{name}:1", outdir=work / "out")
    assert Path(file).read_bytes() == BIG
    with pytest.raises(ValueError, match="chunk_size"):
        registry.push(f"{name}:2", files=["a.txt"], do_chunked=True, chunk_size=0)


def test_blobs_one_by_one(client: Client, work: Path) -> None:
    registry, name = client
    container = registry.get_container(f"{name}:1")
    layer = oras.oci.NewLayer("big.bin")
    assert not registry.blob_exists(layer, container)
    assert registry.put_upload("big.bin", container, layer).status_code == 201
    assert registry.blob_exists(layer, container)
    assert registry.upload_blob("big.bin", container, layer).status_code == 200
    small = oras.oci.NewLayer("a.txt")
    assert registry.chunked_upload("a.txt", container, small).status_code == 201
    assert registry.get_blob(container, small["digest"]).content == b"hello"
    assert registry.get_blob(name, layer["digest"], head=True).status_code == 200
    with registry.get_blob(container, layer["digest"], stream=True) as response:
        assert b"".join(response.iter_content(100_000)) == BIG
    missing = registry.get_blob(container, f"sha256:{'0' * 64}")
    assert missing.status_code == 404
    assert missing.json()["errors"][0]["code"] == "BLOB_UNKNOWN"


def test_layouts_there_and_back(client: Client, work: Path) -> None:
    registry, name = client
    pushed = registry.push(f"{name}:1.0", files=["a.txt", "big.bin"])
    layout = NewLayoutFromRegistry(str(work / "layout"), registry, f"{name}:1.0", tag="mine")
    response = layout.push_to_registry(registry, f"{name}-copy:2.0", tag="mine")
    assert digest_in(response) == digest_in(pushed)
    index = json.loads((work / "layout" / "index.json").read_text())
    assert index["manifests"][0]["digest"] == digest_in(pushed)
    assert registry.pull(f"{name}-copy:2.0", outdir=work / "out")


def test_layout_with_an_index(plain: Client, work: Path) -> None:
    registry, name = plain
    index = push_index(registry, name)
    NewLayoutFromRegistry(str(work / "layout"), registry, f"{name}:both")
    response = NewLayout(str(work / "layout")).push_to_registry(registry, f"{name}-copy:1")
    assert digest_in(response) == str(index.descriptor.digest)
    assert registry.get_manifest(f"{name}-copy:1").raw == index.raw


def push_index(registry: OrasRegistry, name: str) -> Index:
    entries = []
    for tag in ("amd64", "arm64"):
        Path(f"{tag}.txt").write_text(tag)
        registry.push(f"{name}:{tag}", files=[f"{tag}.txt"])
        manifest = registry.get_manifest(f"{name}:{tag}")
        entries.append(Descriptor.of(mediatypes.OCI_MANIFEST, manifest.raw))
    index = Index.build(entries)
    response = registry.upload_manifest(json.loads(index.raw), f"{name}:dict")
    assert response.status_code == 201
    assert digest_in(registry.upload_manifest(index.raw, f"{name}:both")) == str(
        index.descriptor.digest
    )
    return index


def test_index_is_pushed_and_not_pulled_as_nothing(plain: Client, work: Path) -> None:
    registry, name = plain
    index = push_index(registry, name)
    assert registry.get_manifest(f"{name}:both")["manifests"]
    with pytest.raises(IndexNotPullable, match="2 manifests") as caught:
        registry.pull(f"{name}:both", outdir=work / "out")
    assert f"{name}@{index.manifests[0].digest}" in str(caught.value.hint)
    assert not (work / "out").exists()


def test_manifest_keeps_its_bytes_and_its_artifact_type(plain: Client, work: Path) -> None:
    """Go programs spell JSON otherwise than Python does."""
    registry, name = plain
    registry.push(f"{name}:1", files=["a.txt"])
    document = dict(registry.get_manifest(f"{name}:1"))
    document["artifactType"] = "application/vnd.example.report.v1"
    spelled = json.dumps(document, indent=3, sort_keys=True).encode()
    response = registry.upload_manifest(spelled, f"{name}:2")
    assert digest_in(response) == f"sha256:{hashlib.sha256(spelled).hexdigest()}"
    read = registry.get_manifest(f"{name}:2")
    assert read["artifactType"] == "application/vnd.example.report.v1"
    assert digest_in(registry.upload_manifest(read, f"{name}:3")) == digest_in(response)
    read["annotations"] = {"changed": "yes"}
    changed = registry.upload_manifest(read, f"{name}:4")
    assert digest_in(changed) == f"sha256:{hashlib.sha256(json.dumps(read).encode()).hexdigest()}"


def test_manifest_by_digest_must_have_it(plain: Client, work: Path) -> None:
    registry, name = plain
    response = registry.push(f"{name}:1", files=["a.txt"])
    document = {**registry.get_manifest(f"{name}:1"), "annotations": {"a": "b"}}
    with pytest.raises(Exception, match="the content has digest"):
        registry.upload_manifest(document, f"{name}@{digest_in(response)}")


def test_subject_is_the_registrys_word(plain: Client, work: Path) -> None:
    """oras-py hashes a spelling of its own, which nobody knows the subject by."""
    registry, name = plain
    registry.push(f"{name}:1", files=["a.txt"])
    spelled = json.dumps(registry.get_manifest(f"{name}:1"), indent=1).encode()
    pushed = registry.upload_manifest(spelled, f"{name}:go")
    subject = registry.subject_of(f"{name}:go")
    assert subject.digest == digest_in(pushed)
    registry.push(f"{name}:note", files=["big.bin"], subject=subject)
    found = registry.get_manifest(f"{name}:note")["subject"]
    assert found == {
        "mediaType": mediatypes.OCI_MANIFEST, "digest": subject.digest, "size": len(spelled),
    }  # fmt: skip
    fallback = registry.get_manifest(f"{name}:{subject.digest.replace(':', '-')}")
    assert len(fallback["manifests"]) == 1, "neither of them has the referrers API"


def test_delete_tag_leaves_the_others(client: Client, work: Path) -> None:
    registry, name = client
    registry.push(f"{name}:v1", files=["a.txt"])
    registry.push(f"{name}:alias", files=["a.txt"])
    assert registry.delete_tags(name, ["alias", "missing"]) == ["alias"]
    assert registry.get_tags(name) == ["v1"]
    assert registry.pull(f"{name}:v1", outdir=work / "out")
    assert not registry.delete_tag(name, "alias")


def test_delete_tag_of_an_index_and_by_digest(plain: Client, work: Path) -> None:
    registry, name = plain
    index = push_index(registry, name)
    assert registry.delete_tag(name, "dict")
    assert "both" in registry.get_tags(name)
    assert registry.delete_tag(name, str(index.descriptor.digest))
    assert "both" not in registry.get_tags(name)


def test_what_is_missing_is_not_found(client: Client, work: Path) -> None:
    registry, name = client
    with pytest.raises(ManifestNotFound):
        registry.get_manifest(f"{name}:1")
    with pytest.raises(NotFound):
        registry.pull(f"{name}:1", outdir=work / "out")
    with pytest.raises(NotFound):
        registry.get_tags(name)
    assert not (work / "out").exists()


@pytest.mark.parametrize("name", [*PRIVATE, *TOKENS])
def test_strangers_are_told_at_once(
    name: str, request: pytest.FixtureRequest, make_oras: MakeOras, work: Path
) -> None:
    """Defects A5 and B4: an answer within a few requests, and no waiting."""
    found = request.getfixturevalue(name)
    registry = found[0] if isinstance(found, tuple) else found
    target = f"{registry.host}/some/thing:1"
    for backend in ("token", "basic", "ecr"):
        with pytest.raises(Denied):
            make_oras(registry.host, auth_backend=backend).push(target, files=["a.txt"])
    with pytest.raises(AuthenticationFailed):
        make_oras(registry.host, user=(USER, "wrong")).push(target, files=["a.txt"])


@pytest.mark.parametrize("name", [*PRIVATE, *TOKENS])
def test_login_is_checked_and_kept(
    name: str, request: pytest.FixtureRequest, work: Path, home: Path, repository: str
) -> None:
    found = request.getfixturevalue(name)
    host = (found[0] if isinstance(found, tuple) else found).host
    file = work / "auth" / "config.json"
    with OrasRegistry(host, insecure=True) as registry:
        with pytest.raises(AuthenticationFailed):
            registry.login(USER, "wrong", config_path=str(file))
        assert not file.exists()
        said = registry.login(USER, PASSWORD, config_path=str(file))
        assert said == {"Status": "Login Succeeded"}
        assert file.stat().st_mode & 0o777 == 0o600
        registry.push(f"{host}/{repository}:1", files=["a.txt"])
    with OrasRegistry(host, insecure=True) as registry:
        target = f"{host}/{repository}:1"
        with pytest.raises(Denied):
            registry.pull(target, outdir=work / "out")
        assert registry.pull(target, config_path=str(file), outdir=work / "out")


# What a program sees


def test_wrong_arguments_are_what_oras_py_says(
    make_oras: MakeOras, work: Path, tmp_path: Path
) -> None:
    registry = make_oras("127.0.0.1:1")
    with pytest.raises(FileNotFoundError, match="nothing does not exist"):
        registry.push("x:1", files=["nothing"])
    with pytest.raises(FileNotFoundError, match=":nothing does not exist"):
        registry.push("x:1", files=[":nothing"])
    with pytest.raises(FileNotFoundError, match=r"notes\.json"):
        registry.push("x:1", annotation_file="notes.json")
    (tmp_path / "work-beside").mkdir()
    beside = tmp_path / "work-beside" / "b.txt"
    beside.write_text("b")
    with pytest.raises(ValueError, match="working directory"):
        registry.push("x:1", files=[beside])
    (work / "by-link").symlink_to(beside)
    with pytest.raises(RegistryUnreachable):
        registry.push("x:1", files=["by-link"])
    with pytest.raises(ValueError, match="not known"):
        OrasRegistry("127.0.0.1:1", auth_backend="magic")


def test_it_is_a_provider_of_oras(make_oras: MakeOras) -> None:
    registry = make_oras("127.0.0.1:1")
    assert isinstance(registry, oras.provider.Registry)
    assert "Python version" in registry.version()
    assert str(registry) == "[oras-client]"
    with pytest.raises(AttributeError, match="has no session"):
        registry.session  # noqa: B018


IMPORTS = {
    "import agentoci": "import agentoci",
    "import agentoci.registry": "import agentoci.registry, agentoci.registry.client",
    "agent --help": "from agentoci.cli.main import _run; _run(['--help'])",
}


@pytest.mark.parametrize("code", IMPORTS.values(), ids=IMPORTS.keys())
def test_oras_is_imported_when_it_is_asked_for(code: str) -> None:
    program = f"import sys\n{code}\nprint({{'oras', 'jsonschema'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "set()"


def test_the_registry_package_has_no_other_names() -> None:
    import agentoci.registry

    with pytest.raises(AttributeError, match="no attribute 'Docker'"):
        agentoci.registry.Docker  # noqa: B018


# Pushes and pulls a file by oras-py's API, and prints the peak of memory in bytes: VmHWM, for
# ru_maxrss begins with that of the process which started this one.
TRANSFER = """
import os, sys
from agentoci.registry import OrasRegistry
target, chunked = sys.argv[1], sys.argv[2] == "chunked"
with OrasRegistry(insecure=True) as registry:
    registry.push(target, files=["huge.bin"], do_chunked=chunked)
    [file] = registry.pull(target, outdir="out")
    assert os.path.getsize(file) == os.path.getsize("huge.bin")
    layer = registry.get_manifest(target)["layers"][0]
    with registry.get_blob(target, layer["digest"], stream=True) as response:
        assert sum(map(len, response.iter_content(1 << 20))) == layer["size"]
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) * 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["whole", "chunked"])
def test_memory_does_not_grow_with_the_file(
    docker_registry: Registry, repository: str, tmp_path: Path, way: str
) -> None:
    with (tmp_path / "huge.bin").open("wb") as out:
        for number in range(300):
            out.write(number.to_bytes(2) * (1 << 19))
    done = subprocess.run(
        [sys.executable, "-c", TRANSFER, docker_registry.reference(f"{repository}:1"), way],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 150_000_000
