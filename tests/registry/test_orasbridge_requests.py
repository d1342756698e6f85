"""Requests and manifests of one's own by oras-py's API."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import oras.oci
import oras.schemas
import pytest
import requests
from oras.layout import NewLayoutFromRegistry

from agentoci.content.reader import DigestMismatch
from agentoci.errors import AgentociError, Integrity
from agentoci.registry.errors import (
    AccessDenied,
    BlobNotFound,
    ManifestNotFound,
    RegistryUnreachable,
    Rejected,
    UnsafeDestination,
)
from agentoci.registry.oras.calls import UnfitBody
from agentoci.spec.digest import InvalidDigest
from agentoci.spec.manifest import InvalidManifest
from agentoci.spec.reference import InvalidReference
from tests.registry.artifacts import (
    CONTENT,
    MANIFEST,
    PLAIN,
    serve,
)
from tests.registry.conftest import MakeOras
from tests.registry.fake import Basic, FakeRegistry, Tokens
from tests.registry.faults import (
    Fault,
    answers,
    lacks,
    refuses,
    spoils_body,
)
from tests.registry.service import digest_of

pytestmark = pytest.mark.usefixtures("work")


# Requests of one's own


def test_tags_are_read_to_the_end(make_oras: MakeOras) -> None:
    with FakeRegistry() as fake:
        fake.page = 2
        for number in range(5):
            serve(fake, tag=f"v{number}")
        registry = make_oras(fake.host)
        assert registry.get_tags(f"{fake.host}/a/one") == [f"v{number}" for number in range(5)]
        assert registry.get_tags(f"{fake.host}/a/one", N=3) == ["v0", "v1", "v2"]


def test_requests_are_answered_as_by_requests(make_oras: MakeOras) -> None:
    with FakeRegistry() as fake:
        target = serve(fake, ("a.bin", PLAIN, CONTENT))
        registry, digest = make_oras(fake.host), digest_of(CONTENT)
        assert registry.do_request(f"{fake.url}/v2/").status_code == 200
        assert make_oras().do_request(f"{fake.url}/v2/a/one/tags/list").status_code == 200
        page = registry.do_request(f"{fake.url}/v2/a/one/tags/list?n=1")
        assert isinstance(page, requests.Response)
        assert page.json() == {"name": "a/one", "tags": ["1"]}
        assert fake.seen[-1].query == {"n": ["1"]}
        head = registry.do_request(f"{fake.url}/v2/a/one/blobs/{digest}", "HEAD")
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(CONTENT)))
        assert registry.do_request(f"{fake.url}/v2/a/one/manifests/1", "HEAD").ok
        assert MANIFEST in fake.seen[-1].headers["accept"]
        part = registry.get_blob(target, digest, stream=True)
        assert part.raw.read(10) == CONTENT[:10]
        part.close()
        ranged = registry.do_request(
            f"{fake.url}/v2/a/one/blobs/{digest}", headers={"range": "bytes=1-2"}
        )
        assert (ranged.status_code, ranged.content) == (206, CONTENT[1:3])
        whole = registry.get_blob(target, digest, stream=True)
        assert whole.content == CONTENT
        assert whole.request.url == whole.url


def test_uploads_of_ones_own(make_oras: MakeOras, work: Path) -> None:
    (work / "a.bin").write_bytes(b"--" + CONTENT)
    with FakeRegistry() as fake, (work / "a.bin").open("rb") as stream:
        registry = make_oras(fake.host)
        opened = registry.do_request(f"{fake.url}/v2/a/one/blobs/uploads/", "POST")
        assert opened.status_code == 202
        location = f"{fake.url}{opened.headers['Location']}"
        stream.seek(2)
        sent = registry.do_request(location, "PATCH", data=stream)
        location = f"{fake.url}{sent.headers['Location']}&digest={digest_of(CONTENT)}"
        assert registry.do_request(location, "PUT").status_code == 201
        assert fake.blobs["a/one", digest_of(CONTENT)] == CONTENT
        failed = registry.do_request(location, "PATCH", data="text")
        assert failed.status_code == 404
        with pytest.raises(BlobNotFound):
            registry.download_blob(f"{fake.host}/a/one", digest_of(b"missing"), "x")


def test_body_must_be_sendable_again(make_oras: MakeOras) -> None:
    with FakeRegistry() as fake:
        with pytest.raises(UnfitBody, match="generator can be sent once"):
            make_oras(fake.host).do_request(
                f"{fake.url}/v2/a/one/blobs/uploads/", "POST", data=(x for x in [b"a"])
            )
        assert not fake.seen


def test_bodies_of_all_kinds(make_oras: MakeOras) -> None:
    with FakeRegistry() as fake:
        registry, bodies = make_oras(fake.host), []

        def keep(exchange: object) -> object:
            bodies.append(exchange.read_body())  # type: ignore[attr-defined]
            return answers(200)(exchange)  # type: ignore[arg-type]

        fake.on("POST", "/x", keep, times=4)  # type: ignore[arg-type]
        for data in (b"bytes", "text", {"a": ["1", "2"]}, bytearray(b"array")):
            registry.do_request(f"{fake.url}/x", "POST", data=data)
        assert bodies == [b"bytes", b"text", b"a=1&a=2", b"array"]
        kinds = [seen.headers["content-type"] for seen in fake.requests("POST")]
        assert kinds[2] == "application/x-www-form-urlencoded"


def test_manifests_by_request_take_the_same_way(make_oras: MakeOras) -> None:
    with FakeRegistry() as fake:
        serve(fake)
        registry, content = make_oras(fake.host), fake.manifests["a/one", "1"][1] + b"\n"
        url = f"{fake.url}/v2/a/one/manifests"
        headers = {"Content-Type": MANIFEST, "Authorization": "Bearer x", "Content-Length": "3"}
        response = registry.do_request(f"{url}/2", "PUT", data=content, headers=headers)
        assert response.headers["Docker-Content-Digest"] == digest_of(content)
        assert fake.manifests["a/one", "2"] == (MANIFEST, content)
        with pytest.raises(DigestMismatch):
            registry.do_request(f"{url}/{digest_of(b'')}", "PUT", data=content, headers=headers)
        document = json.loads(content)
        registry.do_request(f"{url}/3", "PUT", json=document, headers={"Content-Type": MANIFEST})
        assert json.loads(fake.manifests["a/one", "3"][1]) == document
        fake.on("GET", "/manifests/2", lacks("Docker-Content-Digest"))
        read = registry.do_request(f"{url}/2")
        assert read.headers["docker-content-digest"] == digest_of(content)
        assert read.content == content
        assert registry.do_request(f"{url}/missing").status_code == 404


@pytest.mark.parametrize(
    "path", ["manifests/sha256:../../x", "manifests/.x", "blobs/sha256:abc", "blobs/x"]
)
def test_addresses_are_checked(make_oras: MakeOras, path: str) -> None:
    with FakeRegistry() as fake:
        with pytest.raises((InvalidDigest, InvalidReference)):
            make_oras(fake.host).do_request(f"{fake.url}/v2/a/one/{path.replace('../../x', 'x')}")
        with pytest.raises(InvalidReference):
            make_oras().do_request(f"{fake.url}/v2/a/../b/tags/list")
        with pytest.raises(UnsafeDestination, match="user name") as caught:
            make_oras().do_request(f"http://ada:secret@{fake.host}/v2/a/one/tags/list")
        assert "secret" not in str(caught.value)
        assert not fake.seen


def test_unwelcome_answers_are_our_errors(make_oras: MakeOras) -> None:
    with FakeRegistry() as fake:
        target = serve(fake)
        registry = make_oras(fake.host)
        cases: tuple[tuple[Fault, type[AgentociError]], ...] = (
            (refuses(403, "DENIED", "not you"), AccessDenied),
            (refuses(404, "MANIFEST_UNKNOWN", "gone"), ManifestNotFound),
            (refuses(418, "TEAPOT", "short and stout"), Rejected),
        )
        for fault, expected in cases:
            fake.on("GET", "/manifests/", fault)
            with pytest.raises(expected):
                registry.get_manifest(target)
        fake.on("GET", "/manifests/", refuses(503, "UNAVAILABLE", "later"), times=9)
        with pytest.raises(RegistryUnreachable):
            registry.get_manifest(target)


def test_manifests_are_checked_before_they_are_sent(make_oras: MakeOras) -> None:
    with FakeRegistry() as fake:
        registry = make_oras(fake.host)
        for wrong in ({}, {"schemaVersion": 2, "layers": []}, {"schemaVersion": 1, "layers": []}):
            with pytest.raises(Integrity):
                registry.upload_manifest(wrong, f"{fake.host}/a/one:1")
        with pytest.raises(InvalidManifest):
            registry.upload_manifest('{"schemaVersion": 2, "mediaType": "x/y"}', f"{fake.host}/a:1")
        assert not fake.seen


def test_manifests_can_be_checked_by_a_schema(make_oras: MakeOras) -> None:
    with FakeRegistry() as fake:
        target = serve(fake)
        registry = make_oras(fake.host)
        assert registry.get_manifest(target, validation_schema=oras.schemas.manifest)
        with pytest.raises(jsonschema.ValidationError):
            registry.get_manifest(target, validation_schema=oras.schemas.index)
        registry.get_manifest(target, ["application/x"])
        assert fake.seen[-1].headers["accept"] == "application/x"


def test_deletion_by_request_is_allowed_for(make_oras: MakeOras) -> None:
    with FakeRegistry(auth=Tokens()) as fake:
        serve(fake)
        registry = make_oras(fake.host, user=("ada", "secret"))
        digest = digest_of(fake.manifests["a/one", "1"][1])
        url = f"{fake.url}/v2/a/one/manifests/{digest}"
        assert registry.do_request(url, "DELETE").status_code == 202
        assert isinstance(fake.auth, Tokens)
        assert "repository:a/one:*" in fake.auth.asked[-1]


def test_address_of_another_server_is_asked_as_nobody(make_oras: MakeOras) -> None:
    with FakeRegistry(auth=Basic()) as fake, FakeRegistry() as storage:
        registry = make_oras(fake.host, user=("ada", "secret"))
        serve(fake)
        registry.get_tags(f"{fake.host}/a/one")
        storage.on("GET", "/signed", answers(200, b"content"))
        response = registry.do_request(
            f"{storage.url}/signed?sig=1", headers={"X-Mine": "x", "Accept": "*/*"}, stream=True
        )
        assert response.content == b"content"
        assert response.url == f"{storage.url}/signed"
        [seen] = storage.seen
        assert "authorization" not in seen.headers
        assert "x-mine" not in seen.headers
        assert seen.headers["accept"] == "*/*"


def test_chunks_that_were_asked_for_are_no_lesson(make_oras: MakeOras, work: Path) -> None:
    (work / "a.bin").write_bytes(CONTENT * 5)
    (work / "b.bin").write_bytes(CONTENT * 5 + b"b")
    with FakeRegistry() as fake:
        registry = make_oras(fake.host)
        registry.push(f"{fake.host}/a/one:1", files=["a.bin"], do_chunked=True, chunk_size=1 << 20)
        assert len(fake.requests("PATCH")) == 5
        registry.push(f"{fake.host}/a/one:2", files=["b.bin"])
        assert len(fake.requests("PATCH")) == 5


def test_streams_are_read_as_one_likes(make_oras: MakeOras) -> None:
    with FakeRegistry() as fake:
        target = serve(fake, ("a.bin", PLAIN, CONTENT))
        registry, digest = make_oras(fake.host), digest_of(CONTENT)
        for size in (-1, None):
            response = registry.get_blob(target, digest, stream=True)
            assert response.raw.read(size) == CONTENT


def test_layouts_hold_verified_content_only(make_oras: MakeOras, work: Path) -> None:
    with FakeRegistry() as fake:
        target = serve(fake, ("a.bin", PLAIN, CONTENT))
        fake.on("GET", f"/blobs/{digest_of(CONTENT)}", spoils_body(lambda body: body[::-1]))
        registry = make_oras(fake.host)
        with pytest.raises(DigestMismatch):
            NewLayoutFromRegistry(str(work / "layout"), registry, target)
        document = json.loads(fake.manifests["a/one", "1"][1])
        document["layers"][0]["digest"] = "sha256:../../../evil"
        fake.put_manifest("a/one", "2", MANIFEST, json.dumps(document).encode())
        with pytest.raises(InvalidDigest):
            NewLayoutFromRegistry(str(work / "other"), registry, f"{fake.host}/a/one:2")
        assert [path for path in work.rglob("*") if path.is_file()] == []
