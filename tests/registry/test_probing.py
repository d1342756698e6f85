"""What probes find out: at real registries, at those of the quirk server, and at broken ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from agentoci._internal import limits
from agentoci.errors import Denied, NotFound, Unreachable
from agentoci.registry.credentials import Credential, OneCredential
from agentoci.registry.facts import CHUNKED, MONOLITHIC, STREAMED, HostFacts
from agentoci.registry.probes.ground import Finding
from agentoci.registry.probing import Ground, Probed, Result, facts_from, look, probe
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.manifest import Index, Manifest
from tests.certificates import Authority
from tests.quirks.profiles import PROFILES
from tests.quirks.server import Profile, QuirkRegistry
from tests.registries import PASSWORD, USER, Registry
from tests.registry.conftest import MakeClient, StepClock
from tests.registry.fake import Basic, FakeRegistry, Tokens
from tests.registry.faults import Reply, answers, drops, refuses

YES, NO, UNKNOWN = Result.YES, Result.NO, Result.UNKNOWN

ASKED_OF_ALL = (
    "tls",
    "registry api",
    "login needed",
    "login accepted",
    "catalog",
    "push access",
    "upload cancel",
    "monolithic upload",
    "streamed upload",
    "chunked upload",
    "chunk offsets",
    "upload resume",
    "mount",
    "custom types",
    "several tags at once",
    "manifest head",
    "conditional request",
    "blob head",
    "blob ranges",
    "open-ended ranges",
    "tag list",
    "tag pages",
    "referrers api",
    "tag delete",
    "manifest delete",
    "blob delete",
)

OPEN = {"tls": NO, "login needed": NO}
CLOSED = {"tls": NO}
FAKE = {"several tags at once": NO, "conditional request": NO}
"""What the service behind all fakes lacks."""

LISTED = {"referrers filter": YES}
UNLISTED = {"referrers api": NO}

REAL: Mapping[str, dict[str, Result]] = {
    "docker-registry": {
        **(OPEN | UNLISTED),
        "chunk offsets": NO,
        "several tags at once": NO,
        "tag pages": NO,
        "tag delete": NO,
    },
    "distribution": {**(OPEN | UNLISTED), "several tags at once": NO},
    "ggcr": {
        **(OPEN | UNLISTED),
        "upload cancel": NO,
        "upload resume": NO,
        "mount": NO,
        "several tags at once": NO,
        "conditional request": NO,
        "open-ended ranges": NO,
        "tag pages": NO,
    },
    "olareg": {**(OPEN | LISTED), "catalog": NO, "conditional request": NO},
}
"""What is not simply yes (registry.md 5.1, 2.4 and 2.9)."""

QUIRKS: Mapping[str, dict[str, Result]] = {
    "plain": OPEN | LISTED,
    "docker-hub": {**(CLOSED | UNLISTED), "catalog": UNKNOWN},
    "ghcr": {**(CLOSED | UNLISTED), "catalog": NO, "upload cancel": NO},
    "ecr": {
        **(CLOSED | UNLISTED),
        "catalog": NO,
        "chunked upload": UNKNOWN,
        "chunk offsets": UNKNOWN,
        "upload resume": UNKNOWN,
    },
    "gar": {
        **(CLOSED | UNLISTED),
        "streamed upload": NO,
        "chunked upload": NO,
        "chunk offsets": UNKNOWN,
        "upload resume": UNKNOWN,
    },
    "gitlab": {
        **(CLOSED | UNLISTED),
        "catalog": NO,
        "mount": NO,
        "custom types": NO,
        "image profile": YES,
    },
    "quay": {**(CLOSED | UNLISTED), "custom types": NO, "image profile": YES},
    "acr": CLOSED | LISTED,
    "artifactory": {**(CLOSED | UNLISTED), "monolithic upload": NO},
    "nexus": CLOSED | UNLISTED,
    "gitea": {**(CLOSED | UNLISTED), "blob ranges": NO, "open-ended ranges": NO},
    "harbor": {**CLOSED, "catalog": NO, "mount": NO, "referrers filter": NO},
    "nginx": OPEN | LISTED,
}


def expected(special: Mapping[str, Result]) -> dict[str, Result]:
    return {**dict.fromkeys(ASKED_OF_ALL, YES), **special}


def results(found: Probed) -> dict[str, Result]:
    return {finding.check: finding.result for finding in found.findings}


def detail(found: Probed, check: str) -> str:
    return next(finding.detail for finding in found.findings if finding.check == check)


@pytest.fixture
def ground(make_client: MakeClient) -> Any:
    """Makes the ground of probes at a host, by default as nobody."""

    def make(
        host: str, name: str | None = "team/doctor", *, writes: bool = True, **options: Any
    ) -> Ground:
        endpoint = make_client(**options).endpoint(host)
        return Ground(endpoint, name, seed=host.encode(), writes=writes)

    return make


def ada(host: str, password: str = "secret", user: str = "ada") -> dict[str, OneCredential]:
    return {"credentials": OneCredential(host, Credential(user, password))}


def is_clean(fake: FakeRegistry) -> bool:
    return not any((fake.blobs, fake.manifests, fake.sessions))


# Real registries


@pytest.mark.integration
def test_real_registries_are_told_apart(registry: Registry, repository: str, ground: Any):
    there = ground(registry.host, repository)
    found = probe(there, who="")
    assert results(found) == expected(REAL[registry.kind])
    assert (found.error, found.left) == (None, ())
    assert not there.is_there(there.tag("a"))


@pytest.mark.integration
def test_registry_with_passwords(private_registry: Registry, repository: str, ground: Any):
    login = ada(private_registry.host, PASSWORD, USER)
    found = probe(ground(private_registry.host, repository, **login), who=USER)
    assert results(found) == expected({**REAL["distribution"], "login needed": YES})
    assert (detail(found, "login needed"), detail(found, "login accepted")) == ("Basic", USER)


@pytest.mark.integration
def test_wrong_password_ends_it(private_registry: Registry, repository: str, ground: Any):
    login = ada(private_registry.host, "wrong", USER)
    found = probe(ground(private_registry.host, repository, **login), who=USER)
    assert isinstance(found.error, Denied)
    assert results(found)["login accepted"] is UNKNOWN
    assert "push access" not in results(found)


@pytest.mark.integration
def test_certificate_is_described(
    tls_registry: Registry, authority: Authority, repository: str, ground: Any
):
    options = {
        "ca_file": authority.cert,
        "secure_hosts": frozenset({tls_registry.host}),
    }
    found = probe(ground(tls_registry.host, repository, **options), who="")
    assert results(found) == expected({**REAL["distribution"], "tls": YES})
    assert detail(found, "tls").startswith("issued by ")
    assert ", expires 20" in detail(found, "tls")


@pytest.mark.integration
def test_certificate_that_nobody_trusts_ends_it(
    tls_registry: Registry, repository: str, ground: Any
):
    options = {"secure_hosts": frozenset({tls_registry.host})}
    found = probe(ground(tls_registry.host, repository, **options), who="")
    assert isinstance(found.error, Unreachable)
    assert results(found) == {"tls": UNKNOWN}


# Quirks


@contextmanager
def playing(profile: Profile, *, moody: bool = False) -> Iterator[QuirkRegistry]:
    with QuirkRegistry(profile, moody=moody) as registry:
        yield registry


@pytest.mark.parametrize("moody", [False, True], ids=["calm", "moody"])
@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_profiles_are_told_by_their_quirks(profile: Profile, ground: Any, *, moody: bool):
    with playing(profile, moody=moody) as registry:
        login = ada(registry.host) if registry.auth else {}
        found = probe(ground(registry.host, **login), who="ada" if login else "")
    assert results(found) == expected(FAKE | QUIRKS[profile.name])
    assert facts_from(found, HostFacts())["custom_types"] is profile.takes_custom_types
    assert (found.error, found.left) == (None, ())
    if QUIRKS[profile.name].get("upload cancel") is NO:
        registry.sessions.clear()
    assert is_clean(registry)


def test_refused_types_name_the_profile_that_is_taken(ground: Any):
    with playing(PROFILES["quay"]) as registry:
        found = probe(ground(registry.host, **ada(registry.host)), who="ada")
    assert detail(found, "custom types") == (
        "415 MANIFEST_INVALID: unknown media type: application/vnd.agentoci.agent.config.v1+json; "
        "use push --profile image"
    )


def test_where_tokens_come_from_is_told(ground: Any):
    with playing(PROFILES["gitea"]) as registry:
        found = probe(ground(registry.host, **ada(registry.host)), who="ada")
        realm = f"realm {registry.url}/v2/token"
    assert detail(found, "login needed") == f"Bearer, {realm}, service container_registry; Basic"


# What a registry lacks, one by one


def test_everything_is_yes_where_nothing_is_missing(fake: FakeRegistry, ground: Any):
    fake.multi_tags = True
    found = probe(ground(fake.host), who="")
    assert results(found) == expected(OPEN | LISTED | {"conditional request": NO})
    assert fake.received < 2 * limits.MIB
    assert is_clean(fake)


@pytest.mark.parametrize(
    ("name", "check", "also"),
    [
        ("mounts", "mount", ()),
        ("catalog", "catalog", ()),
        ("deletes_tags", "tag delete", ()),
        ("referrers", "referrers api", ("referrers filter",)),
    ],
)
def test_what_is_switched_off_is_missed(
    fake: FakeRegistry, ground: Any, name: str, check: str, also: tuple[str, ...]
):
    setattr(fake, name, False)
    found = probe(ground(fake.host), who="")
    without = {key: value for key, value in LISTED.items() if key not in also}
    assert results(found) == expected(OPEN | FAKE | without | {check: NO})
    assert is_clean(fake)


def test_what_cannot_be_deleted_is_named(fake: FakeRegistry, ground: Any):
    fake.deletes = False
    there = ground(fake.host)
    found = probe(there, who="")
    gone = dict.fromkeys(("tag delete", "manifest delete", "blob delete"), NO)
    assert results(found) == expected(OPEN | FAKE | LISTED | gone)
    [first, second] = found.left
    assert first.startswith(f"{fake.host}/team/doctor: {there.tag('a')}, {there.tag('b')}, ")
    assert "blob " in first
    assert second.startswith(f"{fake.host}/team/doctor-mount: blob ")
    assert {tag for _, tag in fake.manifests if ":" not in tag} == set(there.tags)


def test_chunks_are_as_large_as_the_registry_wants_them(fake: FakeRegistry, ground: Any):
    fake.chunk_min = 100_000
    there = ground(fake.host)
    found = probe(there, who="")
    assert results(found) == expected(OPEN | FAKE | LISTED)
    assert detail(found, "chunked upload") == "in chunks of at least 100000 bytes"
    [_, first, *_] = fake.requests("PATCH")
    assert first.headers["content-range"] == "0-99999"


def test_chunks_that_are_too_large_for_a_probe_are_not_tried(fake: FakeRegistry, ground: Any):
    fake.chunk_min = 5 * limits.MIB
    there = ground(fake.host)
    found = probe(there, who="")
    unknown = dict.fromkeys(("chunked upload", "chunk offsets", "upload resume"), UNKNOWN)
    assert results(found) == expected(OPEN | FAKE | LISTED | unknown)
    assert fake.received < 2 * limits.MIB
    assert facts_from(found, HostFacts(), least=there.least)["upload"] == MONOLITHIC


def test_mount_that_is_only_said_is_no_mount(fake: FakeRegistry, ground: Any):
    fake.on("POST", "mount=", answers(201))
    found = probe(ground(fake.host), who="")
    assert results(found)["mount"] is NO
    assert detail(found, "mount") == "only said so"


def test_range_of_other_bytes_is_no_range(fake: FakeRegistry, ground: Any):
    def other(exchange: Any) -> Reply:
        reply: Reply = exchange.serve()
        reply.headers["Content-Range"] = "bytes 0-1023/65536"
        return reply

    fake.on("GET", "/blobs/sha256", other, times=2)
    found = probe(ground(fake.host), who="")
    assert (results(found)["blob ranges"], results(found)["open-ended ranges"]) == (NO, NO)
    assert detail(found, "blob ranges") == "asked for 32768-33791, got bytes 0-1023/65536"


def test_tag_delete_that_takes_the_others_along_is_none(fake: FakeRegistry, ground: Any):
    def all_of_them(exchange: Any) -> Reply:
        fake.manifests.clear()
        return Reply(202)

    fake.on("DELETE", "/manifests/probe-", all_of_them)
    found = probe(ground(fake.host), who="")
    assert results(found)["tag delete"] is NO
    assert "with all its tags" in detail(found, "tag delete")
    assert facts_from(found, HostFacts())["delete_tags"] is False


def test_both_profiles_refused_leaves_it_open(fake: FakeRegistry, ground: Any):
    fake.on("PUT", "/manifests/", refuses(400, "MANIFEST_INVALID", "no"), times=2)
    found = probe(ground(fake.host), who="")
    assert results(found)["custom types"] is UNKNOWN
    assert results(found)["image profile"] is NO
    assert "custom_types" not in facts_from(found, HostFacts())
    assert detail(found, "tag delete") == "no image could be stored"


# Failures on the way


def test_failing_probe_leaves_the_others_alone(fake: FakeRegistry, ground: Any):
    fake.on("PATCH", "/blobs/uploads/", drops(), times=3)
    fake.on("GET", "/tags/list", answers(500), times=9)
    found = probe(ground(fake.host), who="")
    odd = {"streamed upload": UNKNOWN, "tag list": UNKNOWN, "tag pages": UNKNOWN}
    assert results(found) == expected(OPEN | FAKE | LISTED | odd)
    assert found.error is None


def test_passing_trouble_is_sat_out(fake: FakeRegistry, ground: Any):
    fake.on("GET", "^/v2/$", answers(503))
    fake.on("PUT", "/blobs/uploads/", answers(503), drops())
    found = probe(ground(fake.host), who="")
    assert results(found) == expected(OPEN | FAKE | LISTED)


def test_interrupted_probes_leave_nothing(fake: FakeRegistry, ground: Any):
    class Interrupted(StepClock):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    fake.on("GET", "/tags/list", answers(503))
    with pytest.raises(KeyboardInterrupt):
        probe(ground(fake.host, clock=Interrupted()), who="")
    assert fake.requests("PUT", "/manifests/")
    assert is_clean(fake)


def test_name_of_the_catalog_that_is_none_is_not_asked_for(fake: FakeRegistry, ground: Any):
    fake.on("GET", "/_catalog", answers(200, '{"repositories": ["../../etc?x", 5]}'))
    found = look(ground(fake.host, None, writes=False), who="", image=None)
    assert results(found)["catalog"] is YES
    assert results(found)["tag list"] is UNKNOWN
    assert not fake.requests("GET", "etc")


def test_registry_that_goes_away_ends_it(ground: Any):
    with FakeRegistry() as fake:
        there = ground(fake.host)

        def leave(exchange: Any) -> Reply:
            fake.on("*", "", drops(), times=1000)
            return drops()(exchange)

        fake.on("PUT", "/manifests/", leave)
        found = probe(there, who="")
    assert isinstance(found.error, Unreachable)
    assert results(found)["mount"] is YES
    assert results(found)["custom types"] is UNKNOWN
    assert "tag list" not in results(found)
    assert [place.partition(": ")[0] for place in found.left] == [
        f"{fake.host}/team/doctor",
        f"{fake.host}/team/doctor-mount",
    ]


def test_host_without_a_registry_ends_it(fake: FakeRegistry, ground: Any):
    fake.on("GET", "^/v2/$", answers(404), times=9)
    found = probe(ground(fake.host), who="")
    assert isinstance(found.error, Unreachable)
    assert "answers 404 to /v2/" in found.error.message


def test_host_that_shuts_us_out_denies(fake: FakeRegistry, ground: Any):
    fake.on("GET", "^/v2/$", answers(403), times=9)
    assert isinstance(probe(ground(fake.host), who="").error, Denied)


def test_reader_may_not_push(ground: Any):
    with FakeRegistry(auth=Tokens(allowed=frozenset({"pull"}))) as fake:
        found = probe(ground(fake.host, **ada(fake.host)), who="ada")
    assert isinstance(found.error, Denied)
    assert results(found)["login accepted"] is YES
    assert results(found)["push access"] is UNKNOWN
    assert found.left == ()


def test_nobody_is_denied_where_a_password_is_wanted(ground: Any):
    with FakeRegistry(auth=Basic()) as fake:
        found = probe(ground(fake.host), who="")
        assert fake.requests("POST") == []
    assert isinstance(found.error, Denied)
    assert "agent login" in (found.error.hint or "")


# Without writing


def stock(fake: FakeRegistry) -> Manifest:
    """An image under three tags, and an index of it."""
    content = bytes(range(256)) * 16
    layer = Descriptor.of("application/octet-stream", content)
    image = Manifest.build(config=EMPTY, layers=[layer], artifact_type="x/y")
    fake.put("team/bot", EMPTY_CONTENT)
    fake.put("team/bot", content)
    for tag in ("1.0", "1.1", "2.0"):
        fake.put_manifest("team/bot", tag, mediatypes.OCI_MANIFEST, image.raw)
    index = Index.build([image.descriptor])
    fake.put_manifest("team/bot", "all", mediatypes.OCI_INDEX, index.raw)
    return image


READ = ("manifest head", "blob head", "blob ranges", "open-ended ranges", "tag list", "tag pages")


@pytest.mark.parametrize("name", ["1.0", "all"])
def test_looking_writes_nothing(fake: FakeRegistry, ground: Any, name: str):
    stock(fake)
    found = look(ground(fake.host, "team/bot", writes=False), who="", image=name)
    assert {check: results(found)[check] for check in READ} == dict.fromkeys(READ, YES)
    assert results(found)["referrers api"] is YES
    assert {seen.method for seen in fake.seen} <= {"GET", "HEAD"}
    assert (found.error, found.left) == (None, ())
    facts = facts_from(found, HostFacts(upload=CHUNKED))
    assert facts == {"ranges": True, "referrers": True, "catalog": True}


def test_looking_takes_a_repository_of_the_catalog(fake: FakeRegistry, ground: Any):
    stock(fake)
    found = look(ground(fake.host, None, writes=False), who="", image=None)
    assert results(found)["tag list"] is YES
    assert results(found)["blob ranges"] is UNKNOWN
    assert detail(found, "blob ranges") == "no image to look at: give one by --image REF"


def test_looking_at_nothing_leaves_it_open(fake: FakeRegistry, ground: Any):
    fake.catalog = False
    found = look(ground(fake.host, None, writes=False), who="", image=None)
    assert results(found)["tag list"] is UNKNOWN
    assert "--image REF" in detail(found, "tag list")
    assert found.error is None


def test_image_that_is_not_there_ends_it(fake: FakeRegistry, ground: Any):
    stock(fake)
    found = look(ground(fake.host, "team/bot", writes=False), who="", image="9.9")
    assert isinstance(found.error, NotFound)


def test_reader_asks_for_leave_to_read_only(ground: Any):
    with FakeRegistry(auth=Tokens()) as fake:
        stock(fake)
        there = ground(fake.host, "team/bot", writes=False)
        found = look(there, who="", image="1.0")
        asked = {scope for scopes in fake.auth.asked for scope in scopes}  # type: ignore[union-attr]
    assert results(found)["blob ranges"] is YES
    assert results(found)["login accepted"] is UNKNOWN
    assert asked == {"repository:team/bot:pull", "registry:catalog:*"}


def test_head_that_tells_another_length_is_noted(ground: Any):
    with playing(PROFILES["harbor"]) as registry:
        image = stock(registry)
        there = ground(registry.host, "team/bot", writes=False, **ada(registry.host))
        found = look(there, who="ada", image="1.0")
    size = image.descriptor.size
    assert detail(found, "manifest head") == f"tells {size + 1} bytes, and there are {size}"


# What is worth remembering


def of(**found: Result) -> Probed:
    return Probed([Finding(check.replace("_", " "), result) for check, result in found.items()])


UPLOADS = [
    (HostFacts(), (YES, YES, YES), MONOLITHIC),
    (HostFacts(), (NO, YES, YES), STREAMED),
    (HostFacts(), (NO, NO, YES), CHUNKED),
    (HostFacts(), (NO, NO, NO), None),
    (HostFacts(upload=CHUNKED), (YES, YES, YES), None),  # a large blob has taught it
    (HostFacts(upload=CHUNKED), (YES, YES, UNKNOWN), None),
    (HostFacts(upload=CHUNKED), (YES, NO, NO), MONOLITHIC),
]


@pytest.mark.parametrize(("known", "seen", "learned"), UPLOADS)
def test_upload_method_is_learned(known: HostFacts, seen: tuple[Result, ...], learned: str | None):
    names = ("monolithic_upload", "streamed_upload", "chunked_upload")
    found = of(**dict(zip(names, seen, strict=True)))
    assert facts_from(found, known).get("upload") == learned


def test_what_is_unknown_is_not_learned():
    found = of(mount=UNKNOWN, blob_ranges=NO, tag_delete=YES)
    assert facts_from(found, HostFacts(mount=True)) == {"ranges": False, "delete_tags": True}


def test_chunk_is_learned_where_usual_ones_are_too_small():
    assert "chunk" not in facts_from(of(), HostFacts(), least=limits.MIB)
    assert facts_from(of(), HostFacts(), least=9 * limits.MIB) == {"chunk": 9 * limits.MIB}
