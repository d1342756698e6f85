"""How an upload begins at a host, and where a refusal leads."""

from __future__ import annotations

import pytest

from agentoci._internal import limits
from agentoci.registry.blobs.methods import SMALLEST_CHUNK, Plan, first_plan, stated_limit
from agentoci.registry.facts import CHUNKED, MONOLITHIC, STREAMED, UPLOAD_METHODS, HostFacts

MIB = limits.MIB
LARGE = 100 * MIB
NOTHING = HostFacts()


@pytest.mark.parametrize(
    ("host", "methods", "chunk"),
    [
        ("registry.example", UPLOAD_METHODS, 8 * MIB),
        ("docker.io", UPLOAD_METHODS, 8 * MIB),
        ("ghcr.io", UPLOAD_METHODS, 4 * MIB - 64 * limits.KIB),
        ("12345.dkr.ecr.eu-central-1.amazonaws.com", UPLOAD_METHODS, 10 * MIB),
        ("12345.dkr.ecr-fips.us-east-1.amazonaws.com", UPLOAD_METHODS, 10 * MIB),
        ("12345.dkr.ecr.cn-north-1.amazonaws.com.cn", UPLOAD_METHODS, 10 * MIB),
        ("public.ecr.aws", UPLOAD_METHODS, 10 * MIB),
        ("team.azurecr.io", UPLOAD_METHODS, 4 * MIB),
        ("europe-docker.pkg.dev", (MONOLITHIC,), 8 * MIB),
        ("gcr.io", (MONOLITHIC,), 8 * MIB),
        ("eu.gcr.io", (MONOLITHIC,), 8 * MIB),
        ("notgcr.io", UPLOAD_METHODS, 8 * MIB),
        ("ghcr.io.example", UPLOAD_METHODS, 8 * MIB),
    ],
)
def test_unknown_host_gets_one_put(host: str, methods: tuple[str, ...], chunk: int) -> None:
    assert first_plan(host, NOTHING, LARGE) == Plan(MONOLITHIC, chunk, methods)


def test_what_is_remembered_counts_more_than_the_table() -> None:
    facts = HostFacts(upload=CHUNKED, chunk=2 * MIB)
    assert first_plan("europe-docker.pkg.dev", facts, LARGE) == Plan(CHUNKED, 2 * MIB)
    assert first_plan("ghcr.io", HostFacts(upload=STREAMED), LARGE).method == STREAMED


def test_table_gives_the_chunk_that_memory_lacks() -> None:
    assert first_plan("ghcr.io", HostFacts(upload=CHUNKED), LARGE).chunk < 4 * MIB


def test_small_blobs_are_put_as_long_as_that_works() -> None:
    facts = HostFacts(upload=CHUNKED, chunk=MIB)
    plan = first_plan("registry.example", facts, MIB)
    assert plan == Plan(MONOLITHIC, MIB, (MONOLITHIC, CHUNKED))
    assert plan.without() == Plan(CHUNKED, MIB, (CHUNKED,))
    assert first_plan("registry.example", facts, MIB + 1).method == CHUNKED
    assert first_plan("registry.example", facts, 10, small_by_put=False).method == CHUNKED
    assert first_plan("registry.example", HostFacts(upload=STREAMED), 10).method == STREAMED


def test_refusals_lead_through_all_methods_once() -> None:
    plan: Plan | None = first_plan("registry.example", NOTHING, LARGE)
    seen = []
    while plan is not None:
        seen.append(plan.method)
        plan = plan.without()
    assert seen == [MONOLITHIC, STREAMED, CHUNKED]


def test_chunks_are_halved_down_to_the_least_that_anybody_wants() -> None:
    plan: Plan | None = Plan(CHUNKED, 40 * MIB, (CHUNKED,))
    seen = []
    while plan is not None:
        seen.append(plan.chunk)
        plan = plan.smaller("", least=0)
    assert seen == [n * MIB for n in (40, 20, 10, 5, 4, 2, 1)] + [SMALLEST_CHUNK]


def test_chunks_do_not_shrink_below_what_the_registry_demands() -> None:
    plan = Plan(CHUNKED, 10 * MIB)
    assert plan.smaller("", least=8 * MIB) == Plan(MONOLITHIC, 10 * MIB, (MONOLITHIC, STREAMED))
    assert Plan(CHUNKED, 10 * MIB, (CHUNKED,)).smaller("", least=8 * MIB) is None


def test_too_large_for_one_put_is_too_large_for_a_stream() -> None:
    first = first_plan("registry.example", NOTHING, LARGE)
    assert first.smaller("413", least=0) == Plan(CHUNKED, 8 * MIB, (CHUNKED,))
    assert Plan(MONOLITHIC, MIB, (MONOLITHIC,)).smaller("413", least=0) is None


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        ("416 SIZE_INVALID: exceeds 4.00MiB", 4 * MIB),
        ("maximum is 10 MB", 10_000_000),
        ("5242880 bytes at most", 5 * MIB),
        ("40000000 bytes are more than 20000000 bytes", 20_000_000),
        ("1.5GiB", 1536 * MIB),
        ("got 12 bytes", None),
        ("413 request entity too large", None),
        ("99999999999999999999999 MiB", None),
        ("v4MiBx", None),
    ],
)
def test_limit_in_the_words_of_a_refusal(words: str, limit: int | None) -> None:
    assert stated_limit(words) == limit


def test_stated_limit_gives_the_next_chunk() -> None:
    plan = Plan(CHUNKED, 8 * MIB)
    smaller = plan.smaller("4.00MiB", least=0)
    assert smaller is not None
    assert smaller.chunk == 4 * MIB - 64 * limits.KIB
    again = smaller.smaller("4.00MiB", least=0)
    assert again is not None
    assert again.chunk == 2 * MIB, "it did not help: the words are not to be trusted"


def test_gentler_plans_end() -> None:
    plan = first_plan("registry.example", NOTHING, LARGE)
    chunks = plan.gentler()
    assert (chunks.method, chunks.chunk, chunks.allowed) == (CHUNKED, 8 * MIB, UPLOAD_METHODS)
    assert chunks.gentler().chunk == 5 * MIB
    assert chunks.gentler().gentler() == chunks.gentler()
    only = Plan(MONOLITHIC, 8 * MIB, (MONOLITHIC,))
    assert only.gentler() == only


def test_parts_end_at_the_end() -> None:
    assert Plan(CHUNKED, 3).stop(6, 8, least=0) == 8
    assert Plan(CHUNKED, 3).stop(0, 8, least=0) == 3
    assert Plan(CHUNKED, 3).stop(0, 8, least=5) == 5
    assert Plan(STREAMED, 3).stop(0, 8, least=0) == 8
