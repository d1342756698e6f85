"""What oras-py's API does with wrong content and with lines that break."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import oras.oci
import oras.schemas
import pytest

from agentoci._internal import limits
from agentoci.content.reader import DigestMismatch, SizeMismatch
from agentoci.errors import Integrity
from agentoci.registry.blobs.download import ContentEncoded
from agentoci.registry.errors import (
    RegistryUnreachable,
)
from tests.registry.artifacts import (
    CONTENT,
    PLAIN,
    everything,
    serve,
)
from tests.registry.conftest import MakeOras, StepClock
from tests.registry.fake import FakeRegistry
from tests.registry.faults import (
    Fault,
    Reply,
    adds,
    answers,
    changes,
    cuts,
    cuts_body,
    lacks,
    refuses,
    spoils_body,
)
from tests.registry.service import digest_of

pytestmark = pytest.mark.usefixtures("work")


# Wrong content


def longer(body: bytes) -> bytes:
    return body * 64


WRONG: dict[str, tuple[Fault, type[Integrity] | type[RegistryUnreachable]]] = {
    "corrupt": (spoils_body(lambda body: b"X" + body[1:]), DigestMismatch),
    "short": (spoils_body(lambda body: body[:500_000]), SizeMismatch),
    "long": (spoils_body(longer), SizeMismatch),
    "packed": (
        changes(lambda reply: reply.headers.update({"Content-Encoding": "gzip"})), ContentEncoded,
    ),
}  # fmt: skip


def packs(fault: Fault) -> Fault:
    """With a marked body that is really packed."""
    return lambda exchange: _packed(fault(exchange))


def _packed(reply: Reply) -> Reply:
    reply.body = gzip.compress(reply.body, 1)
    return reply


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("way", ["pull", "download_blob", "get_blob", "stream"])
def test_wrong_content_is_an_error_and_no_file(
    make_oras: MakeOras, work: Path, name: str, way: str
) -> None:
    fault, expected = WRONG[name]
    if name == "packed":
        fault = packs(fault)
    with FakeRegistry() as fake:
        target = serve(fake, ("a.bin", PLAIN, CONTENT))
        registry, digest = make_oras(fake.host), digest_of(CONTENT)
        fake.on("GET", f"/blobs/{digest}", fault, times=20)

        def stream() -> None:
            with registry.get_blob(target, digest, stream=True) as response:
                for _ in response.iter_content(100_000):
                    pass

        ways: dict[str, Callable[[], object]] = {
            "pull": lambda: registry.pull(target, outdir=work / "out"),
            "download_blob": lambda: registry.download_blob(target, digest, "out/a.bin"),
            "get_blob": lambda: registry.get_blob(target, digest),
            "stream": stream,
        }
        with pytest.raises(expected):
            ways[way]()
        assert [path for path in work.rglob("*") if path.is_file()] == []


def test_layer_that_was_served_as_encoded_stays_packed(make_oras: MakeOras, work: Path) -> None:
    """oras-py unpacks what a server marks as `Content-Encoding: gzip`, and keeps that."""
    packed = gzip.compress(b"hello" * 1000)
    with FakeRegistry() as fake:
        target = serve(fake, ("a.gz", "application/gzip", packed))
        fake.on("GET", "/blobs/", adds(Content_Encoding="gzip"))
        make_oras(fake.host).pull(target, outdir=work / "out")
        assert (work / "out" / "a.gz").read_bytes() == packed
        assert all(seen.headers["accept-encoding"] == "identity" for seen in fake.seen)


def test_wrong_manifest_for_a_digest_is_an_error(make_oras: MakeOras) -> None:
    with FakeRegistry() as fake:
        target = serve(fake, ("a.bin", PLAIN, b"a"))
        other = fake.manifests["a/one", "1"][1] + b" "
        digest = digest_of(other)
        fake.manifests["a/one", digest] = fake.manifests["a/one", "1"]
        registry = make_oras(fake.host)
        for asked in (registry.get_manifest, registry.pull):
            fake.on("GET", "/manifests/", lacks("Docker-Content-Digest"))
            with pytest.raises(Integrity):
                asked(f"{fake.host}/a/one@{digest}")
        fake.on("GET", "/manifests/", spoils_body(lambda body: body + b" "))
        with pytest.raises(DigestMismatch, match="answers with digest"):
            registry.get_manifest(target)


def test_manifest_has_a_limit(make_oras: MakeOras) -> None:
    with FakeRegistry() as fake:
        target = serve(fake)
        fake.on("GET", "/manifests/", spoils_body(lambda _: bytes(8 * limits.MIB)))
        with pytest.raises(SizeMismatch, match="larger than"):
            make_oras(fake.host).get_manifest(target)
        with pytest.raises(SizeMismatch, match="no registry takes"):
            make_oras(fake.host).do_request(
                f"{fake.url}/v2/a/one/manifests/2", "PUT", data=bytes(5 * limits.MIB)
            )


def test_other_answers_have_a_limit_too(make_oras: MakeOras) -> None:
    with FakeRegistry() as fake:
        fake.on("GET", "/referrers/", answers(200, bytes(limits.MAX_LIST_PAGE_BYTES + 1)))
        with pytest.raises(SizeMismatch, match="an answer of more than") as caught:
            make_oras(fake.host).do_request(f"{fake.url}/v2/a/one/referrers/x")
        assert "stream=True" in str(caught.value.hint)


# Lines that break


def test_download_goes_on_where_it_was_cut(make_oras: MakeOras, work: Path) -> None:
    with FakeRegistry() as fake:
        target = serve(fake, ("a.bin", PLAIN, CONTENT))
        fake.on("GET", "/blobs/", cuts(400_000), cuts(300_000))
        make_oras(fake.host).pull(target, outdir=work / "out")
        assert (work / "out" / "a.bin").read_bytes() == CONTENT
        ranges = [seen.headers.get("range") for seen in fake.requests("GET", "/blobs/")]
        assert ranges[0] is None
        assert all(ranges[1:])


def test_nothing_stays_of_a_download_that_fails(make_oras: MakeOras, work: Path) -> None:
    with FakeRegistry() as fake:
        target = serve(fake, ("a.bin", PLAIN, CONTENT))
        fake.on("GET", "/blobs/", cuts(1000), times=20)
        with pytest.raises(RegistryUnreachable):
            make_oras(fake.host).pull(target, outdir=work / "out")
        assert everything(work) == ["out"]


def test_manifest_that_was_cut_is_asked_for_again(make_oras: MakeOras, clock: StepClock) -> None:
    with FakeRegistry() as fake:
        target = serve(fake)
        fake.on("GET", "/manifests/", cuts(10), answers(503), answers(204))
        assert make_oras(fake.host).get_manifest(target)["schemaVersion"] == 2
        assert len(clock.sleeps) == 3


def test_patch_may_be_answered_by_204(make_oras: MakeOras, work: Path) -> None:
    (work / "a.bin").write_bytes(CONTENT)
    with FakeRegistry() as fake:
        fake.on("PATCH", "", changes(lambda reply: setattr(reply, "status", 204)), times=2)
        registry = make_oras(fake.host)
        registry.push(f"{fake.host}/a/one:1", files=["a.bin"], do_chunked=True, chunk_size=600_000)
        sizes = [int(seen.headers["content-length"]) for seen in fake.requests("PATCH")]
        assert sizes == [600_000, len(CONTENT) - 600_000]
        assert fake.blobs["a/one", digest_of(CONTENT)] == CONTENT


def test_failed_upload_is_not_repeated_into_a_dead_session(make_oras: MakeOras, work: Path) -> None:
    (work / "a.bin").write_bytes(CONTENT)
    with FakeRegistry() as fake:
        fake.resumes = False
        fake.on("PUT", "/blobs/uploads/", cuts_body(1000), refuses(500, "UNKNOWN", "oh"))
        make_oras(fake.host).push(f"{fake.host}/a/one:1", files=["a.bin"])
        assert fake.blobs["a/one", digest_of(CONTENT)] == CONTENT


def test_file_that_is_another_one_is_not_pushed(make_oras: MakeOras, work: Path) -> None:
    (work / "a.bin").write_bytes(b"one")
    layer = oras.oci.NewLayer("a.bin")
    (work / "a.bin").write_bytes(b"two")
    with FakeRegistry() as fake:
        registry = make_oras(fake.host)
        for upload in (registry.put_upload, registry.chunked_upload):
            with pytest.raises(Integrity):
                upload("a.bin", f"{fake.host}/a/one:1", layer)
        assert not fake.blobs


def test_empty_file_need_not_be_at_the_registry(make_oras: MakeOras, work: Path) -> None:
    with FakeRegistry() as fake:
        registry = make_oras(fake.host)
        (work / "empty").touch()
        registry.push(f"{fake.host}/a/one:1", files=["empty"], manifest_config="/dev/null:x/y")
        fake.blobs.clear()
        [file] = registry.pull(f"{fake.host}/a/one:1", outdir=work / "out")
        assert Path(file).read_bytes() == b""
        assert registry.download_blob(f"{fake.host}/a/one", digest_of(b""), "mine") == "mine"
