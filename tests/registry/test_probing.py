"""What probes find out: at real registries, at those of the quirk server, and at broken ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentoci._internal import limits
from agentoci.errors import Denied, Unreachable
from agentoci.registry.facts import MONOLITHIC, HostFacts
from agentoci.registry.probing import Result, facts_from, probe
from tests.certificates import Authority
from tests.quirks.profiles import PROFILES
from tests.quirks.server import Profile, QuirkRegistry
from tests.registries import KINDS, PASSWORD, USER, Registry
from tests.registry.conftest import StepClock
from tests.registry.fake import Basic, FakeRegistry, Tokens
from tests.registry.faults import Reply, answers, drops, refuses
from tests.registry.grounds import MakeGround, ada, detail, results
from tests.registry.tokenserver import serve_with_tokens

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


def is_clean(fake: FakeRegistry) -> bool:
    return not any((fake.blobs, fake.manifests, fake.sessions))


# Real registries


@pytest.mark.integration
def test_real_registries_are_told_apart(registry: Registry, repository: str, ground: MakeGround):
    there = ground(registry.host, repository)
    found = probe(there, who="")
    assert results(found) == expected(REAL[registry.kind])
    assert (found.error, found.left) == (None, ())
    assert not there.is_there(there.tag("a"))


@pytest.mark.integration
def test_registry_with_passwords(private_registry: Registry, repository: str, ground: MakeGround):
    login = ada(private_registry.host, PASSWORD, USER)
    found = probe(ground(private_registry.host, repository, **login), who=USER)
    assert results(found) == expected({**REAL["distribution"], "login needed": YES})
    assert (detail(found, "login needed"), detail(found, "login accepted")) == ("Basic", USER)


@pytest.mark.integration
def test_registry_with_a_token_server(
    authority: Authority, tmp_path: Path, repository: str, ground: MakeGround
):
    if KINDS["distribution"].program() is None:
        pytest.skip(KINDS["distribution"].missing)
    with serve_with_tokens("distribution", tmp_path, authority) as (registry, tokens):
        login = ada(registry.host, PASSWORD, USER)
        found = probe(ground(registry.host, repository, **login), who=USER)
    assert results(found) == expected({**REAL["distribution"], "login needed": YES})
    assert detail(found, "login needed").startswith("Bearer, realm http")
    assert (found.error, found.left) == (None, ())
    assert tokens.asked


@pytest.mark.integration
def test_wrong_password_ends_it(private_registry: Registry, repository: str, ground: MakeGround):
    login = ada(private_registry.host, "wrong", USER)
    found = probe(ground(private_registry.host, repository, **login), who=USER)
    assert isinstance(found.error, Denied)
    assert results(found)["login accepted"] is UNKNOWN
    assert "push access" not in results(found)


@pytest.mark.integration
def test_certificate_is_described(
    tls_registry: Registry, authority: Authority, repository: str, ground: MakeGround
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
    tls_registry: Registry, repository: str, ground: MakeGround
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
def test_profiles_are_told_by_their_quirks(profile: Profile, ground: MakeGround, *, moody: bool):
    with playing(profile, moody=moody) as registry:
        login = ada(registry.host) if registry.auth else {}
        found = probe(ground(registry.host, **login), who="ada" if login else "")
    assert results(found) == expected(FAKE | QUIRKS[profile.name])
    assert facts_from(found, HostFacts())["custom_types"] is profile.takes_custom_types
    assert (found.error, found.left) == (None, ())
    if QUIRKS[profile.name].get("upload cancel") is NO:
        registry.sessions.clear()
    assert is_clean(registry)


def test_refused_types_name_the_profile_that_is_taken(ground: MakeGround):
    with playing(PROFILES["quay"]) as registry:
        found = probe(ground(registry.host, **ada(registry.host)), who="ada")
    assert detail(found, "custom types") == (
        "415 MANIFEST_INVALID: unknown media type: application/vnd.agentoci.agent.config.v1+json; "
        "use push --profile image"
    )


def test_where_tokens_come_from_is_told(ground: MakeGround):
    with playing(PROFILES["gitea"]) as registry:
        found = probe(ground(registry.host, **ada(registry.host)), who="ada")
        realm = f"realm {registry.url}/v2/token"
    assert detail(found, "login needed") == f"Bearer, {realm}, service container_registry; Basic"


# What a registry lacks, one by one


def test_everything_is_yes_where_nothing_is_missing(fake: FakeRegistry, ground: MakeGround):
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
    fake: FakeRegistry, ground: MakeGround, name: str, check: str, also: tuple[str, ...]
):
    setattr(fake, name, False)
    found = probe(ground(fake.host), who="")
    without = {key: value for key, value in LISTED.items() if key not in also}
    assert results(found) == expected(OPEN | FAKE | without | {check: NO})
    assert is_clean(fake)


def test_what_cannot_be_deleted_is_named(fake: FakeRegistry, ground: MakeGround):
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


def test_chunks_are_as_large_as_the_registry_wants_them(fake: FakeRegistry, ground: MakeGround):
    fake.chunk_min = 100_000
    there = ground(fake.host)
    found = probe(there, who="")
    assert results(found) == expected(OPEN | FAKE | LISTED)
    assert detail(found, "chunked upload") == "in chunks of at least 100000 bytes"
    [_, first, *_] = fake.requests("PATCH")
    assert first.headers["content-range"] == "0-99999"


def test_chunks_that_are_too_large_for_a_probe_are_not_tried(
    fake: FakeRegistry, ground: MakeGround
):
    fake.chunk_min = 5 * limits.MIB
    there = ground(fake.host)
    found = probe(there, who="")
    unknown = dict.fromkeys(("chunked upload", "chunk offsets", "upload resume"), UNKNOWN)
    assert results(found) == expected(OPEN | FAKE | LISTED | unknown)
    assert fake.received < 2 * limits.MIB
    assert facts_from(found, HostFacts(), least=there.least)["upload"] == MONOLITHIC


def test_mount_that_is_only_said_is_no_mount(fake: FakeRegistry, ground: MakeGround):
    fake.on("POST", "mount=", answers(201))
    found = probe(ground(fake.host), who="")
    assert results(found)["mount"] is NO
    assert detail(found, "mount") == "only said so"


def test_range_of_other_bytes_is_no_range(fake: FakeRegistry, ground: MakeGround):
    def other(exchange: Any) -> Reply:
        reply: Reply = exchange.serve()
        reply.headers["Content-Range"] = "bytes 0-1023/65536"
        return reply

    fake.on("GET", "/blobs/sha256", other, times=2)
    found = probe(ground(fake.host), who="")
    assert (results(found)["blob ranges"], results(found)["open-ended ranges"]) == (NO, NO)
    assert detail(found, "blob ranges") == "asked for 32768-33791, got bytes 0-1023/65536"


def test_tag_delete_that_takes_the_others_along_is_none(fake: FakeRegistry, ground: MakeGround):
    def all_of_them(exchange: Any) -> Reply:
        fake.manifests.clear()
        return Reply(202)

    fake.on("DELETE", "/manifests/probe-", all_of_them)
    found = probe(ground(fake.host), who="")
    assert results(found)["tag delete"] is NO
    assert "with all its tags" in detail(found, "tag delete")
    assert facts_from(found, HostFacts())["delete_tags"] is False


def test_both_profiles_refused_leaves_it_open(fake: FakeRegistry, ground: MakeGround):
    fake.on("PUT", "/manifests/", refuses(400, "MANIFEST_INVALID", "no"), times=2)
    found = probe(ground(fake.host), who="")
    assert results(found)["custom types"] is UNKNOWN
    assert results(found)["image profile"] is NO
    assert "custom_types" not in facts_from(found, HostFacts())
    assert detail(found, "tag delete") == "no image could be stored"


# Failures on the way


def test_failing_probe_leaves_the_others_alone(fake: FakeRegistry, ground: MakeGround):
    fake.on("PATCH", "/blobs/uploads/", drops(), times=3)
    fake.on("GET", "/tags/list", answers(500), times=9)
    found = probe(ground(fake.host), who="")
    odd = {"streamed upload": UNKNOWN, "tag list": UNKNOWN, "tag pages": UNKNOWN}
    assert results(found) == expected(OPEN | FAKE | LISTED | odd)
    assert found.error is None


def test_passing_trouble_is_sat_out(fake: FakeRegistry, ground: MakeGround):
    fake.on("GET", "^/v2/$", answers(503))
    fake.on("PUT", "/blobs/uploads/", answers(503), drops())
    found = probe(ground(fake.host), who="")
    assert results(found) == expected(OPEN | FAKE | LISTED)


def test_interrupted_probes_leave_nothing(fake: FakeRegistry, ground: MakeGround):
    class Interrupted(StepClock):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    fake.on("GET", "/tags/list", answers(503))
    with pytest.raises(KeyboardInterrupt):
        probe(ground(fake.host, clock=Interrupted()), who="")
    assert fake.requests("PUT", "/manifests/")
    assert is_clean(fake)


def test_registry_that_goes_away_ends_it(ground: MakeGround):
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


def test_host_without_a_registry_ends_it(fake: FakeRegistry, ground: MakeGround):
    fake.on("GET", "^/v2/$", answers(404), times=9)
    found = probe(ground(fake.host), who="")
    assert isinstance(found.error, Unreachable)
    assert "answers 404 to /v2/" in found.error.message


def test_host_that_shuts_us_out_denies(fake: FakeRegistry, ground: MakeGround):
    fake.on("GET", "^/v2/$", answers(403), times=9)
    assert isinstance(probe(ground(fake.host), who="").error, Denied)


def test_reader_may_not_push(ground: MakeGround):
    with FakeRegistry(auth=Tokens(allowed=frozenset({"pull"}))) as fake:
        found = probe(ground(fake.host, **ada(fake.host)), who="ada")
    assert isinstance(found.error, Denied)
    assert results(found)["login accepted"] is YES
    assert results(found)["push access"] is UNKNOWN
    assert found.left == ()


def test_nobody_is_denied_where_a_password_is_wanted(ground: MakeGround):
    with FakeRegistry(auth=Basic()) as fake:
        found = probe(ground(fake.host), who="")
        assert fake.requests("POST") == []
    assert isinstance(found.error, Denied)
    assert "agent login" in (found.error.hint or "")
