"""What the profiles do beyond breaking rules: limits, storage elsewhere, tokens, moods."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.quirks.profiles import MIB, PROFILES
from tests.quirks.server import QuirkRegistry
from tests.quirks.site import PASSWORD, USER, Site, digest_of, send

ELSEWHERE = [name for name, profile in PROFILES.items() if profile.stores_elsewhere]


@contextmanager
def site(name: str, *, moody: bool = False) -> Iterator[tuple[Site, QuirkRegistry]]:
    with QuirkRegistry(PROFILES[name], moody=moody) as registry:
        yield Site(registry.host, "team/bot", {}), registry


@pytest.mark.parametrize("name", ["ghcr", "nginx", "acr"])
def test_body_that_is_too_long_is_refused(name: str) -> None:
    long, method, status = {
        "ghcr": (5 * MIB, "PATCH", 416),
        "nginx": (7 * MIB, "PATCH", 413),
        "acr": (21 * MIB, "PUT", 413),
    }[name]
    with site(name) as (here, registry):
        location = here.open_upload().location
        answer = here.ask(method, location, bytes(long))
        assert answer.status == status
        assert not registry.blobs


@pytest.mark.parametrize("name", ELSEWHERE)
def test_blobs_come_from_elsewhere_and_without_credentials(name: str) -> None:
    with site(name) as (here, registry):
        digest = here.push_blob(b"content")
        assert here.ask("GET", f"blobs/{digest}").body == b"content"
        [fetched] = registry.storage.requests("GET")
        assert "sig=" in fetched.target
        elsewhere = Site(registry.storage.host, "x", {})
        told = {"Authorization": "Bearer x"}
        assert elsewhere.ask("GET", fetched.target, None, told).status == 400
        assert elsewhere.ask("GET", fetched.path).status == 403


def test_hub_counts_pulls_and_not_looks() -> None:
    with site("docker-hub") as (here, _):
        here.push_image("1.0")
        for _ in range(3):
            left = here.ask("HEAD", "manifests/1.0").headers["ratelimit-remaining"]
            assert left == "100;w=21600"
        assert here.ask("GET", "manifests/1.0").headers["ratelimit-remaining"] == "99;w=21600"
        for _ in range(99):
            here.ask("GET", "manifests/1.0")
        assert here.ask("GET", "manifests/1.0").status == 429


def test_hub_has_no_names_of_one_component() -> None:
    with site("docker-hub") as (here, _):
        assert here.other("bot").ask("GET", "manifests/1").codes == ["NAME_INVALID"]


def test_ecr_range_stays_at_the_first_part_and_the_bytes_are_there() -> None:
    part = bytes(5 * MIB)
    with site("ecr") as (here, _):
        answer = here.patch(here.open_upload().location, part, 0)
        answer = here.patch(answer.location, part, len(part))
        assert (answer.status, answer.headers["Range"]) == (201, f"0-{len(part) - 1}")
        closed = here.close_upload(answer.location, digest_of(part + part + b"end"), b"end")
        assert closed.status == 201


def test_ecr_parts_have_a_least_size() -> None:
    with site("ecr") as (here, _):
        answer = here.patch(here.open_upload().location, b"small", 0)
        assert here.patch(answer.location, b"more", 5).codes == ["BLOB_UPLOAD_INVALID"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("ecr", ['Basic realm="https://123.dkr.ecr.']),
        ("nexus", ["BASIC realm="]),
        ("gitea", ['Bearer realm="http://', "Basic"]),
        ("acr", ['Bearer realm="http://']),
    ],
)
def test_challenges_are_as_odd_as_told(name: str, wanted: list[str]) -> None:
    with site(name) as (here, _):
        answer = send("GET", f"http://{here.host}/v2/", None, {})
        told = answer.headers.get_all("WWW-Authenticate") or []
        assert len(told) == len(wanted)
        assert all(map(str.startswith, told, wanted))


def test_moods_come_at_their_time_and_go() -> None:
    with site("ghcr", moody=True) as (here, _):
        here.open_upload()
        answer = here.ask("POST", "blobs/uploads/", b"")
        assert (answer.status, answer.headers["retry-after"]) == (
            429,
            "1.889377ms, allowed: 2000/minute",
        )
        refused = here.ask("PUT", "manifests/x", b"{}")
        assert (refused.status, refused.codes) == (403, ["DENIED"])
        here.push_image("1.0")
    with site("quay", moody=True) as (here, _):
        here.open_upload()
        answer = here.ask("POST", "blobs/uploads/", b"")
        assert (answer.status, answer.body) == (200, b"Healthcheck requested")
        here.push_image("1.0")


def test_user_is_the_one_of_the_fakes() -> None:
    for profile in PROFILES.values():
        auth = profile.auth()
        assert auth is None or (auth.username, auth.password) == (USER, PASSWORD)
