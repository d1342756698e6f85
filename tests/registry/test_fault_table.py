"""The fifty faults that a registry client must survive, and the tests that prove each.

A test proves a fault when it is named in the table below, or when its text says `fault NN`. Both
are looked up in the tests' source, so that the table can name nothing that is not there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
_TOLD = re.compile(r"\b[Ff]aults? (\d+(?:(?:, | and )\d+)*)")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, what is expected, and tests that do not say the number themselves.

    `without` is the part that no test can prove, with the reason.
    """

    title: str
    expected: str
    proofs: tuple[str, ...] = ()
    without: str = ""


FAULTS: Mapping[int, Fault] = {
    1: Fault(
        "401 with two challenges, Bearer second, or BASIC in capitals",
        "the right scheme, one retry",
        (
            "registry/test_auth.py::test_basic_is_found_in_every_spelling",
            "registry/test_auth.py::test_bearer_behind_basic_is_preferred",
            "registry/test_survival.py::test_image_goes_there_and_comes_back",
        ),
    ),
    2: Fault(
        "token server answers 500 or 429, or not at all",
        "bounded waiting, named in the error",
        (
            "registry/test_auth.py::test_token_server_that_is_unwell_is_tried_again",
            "registry/test_auth.py::test_token_server_that_stays_unwell_is_named",
            "registry/test_tokens.py::test_token_server_that_says_nothing_is_named",
        ),
    ),
    3: Fault(
        "token with access_token alone, expires_in 0, 1 or absent",
        "it works, without a storm",
        (
            "registry/test_auth.py::test_every_form_of_token_works_without_a_storm",
            "registry/test_tokens.py::test_short_or_absent_life_counts_as_a_minute",
        ),
    ),
    4: Fault(
        "token expires between POST and PUT of a big blob",
        "renewed, only the refused request again",
        (
            "registry/test_auth.py::test_token_that_expires_between_post_and_put_is_renewed",
            "registry/test_token_registries.py::test_token_that_ends_in_the_middle_is_renewed",
        ),
    ),
    5: Fault(
        "401 for ever with a good token",
        "one renewal, then denied",
        (
            "registry/test_auth.py::test_refused_token_is_fetched_once_more_and_no_more",
            "registry/test_negotiation.py::test_endless_denial_with_a_good_login_is_bounded",
        ),
    ),
    6: Fault(
        "realm at a private address, of another scheme, relative",
        "refused, refused, resolved",
        (
            "registry/test_auth.py::test_evil_realm_gets_nothing",
            "registry/test_auth.py::test_relative_realm_belongs_to_the_registry",
            "registry/test_transport.py::test_realm_over_plain_http_is_refused",
        ),
    ),
    7: Fault(
        "307 of a blob to another origin",
        "no Authorization and no cookie goes there",
        (
            "registry/test_download.py::test_redirected_blob_is_fetched_without_credentials",
            "registry/test_download.py::test_other_port_is_another_origin",
            "registry/test_download.py::test_cookies_are_not_kept",
        ),
    ),
    8: Fault(
        "upload Location on another origin, or a private address",
        "no credentials; refused if private",
        ("registry/test_upload.py::test_foreign_location_gets_the_bytes_without_credentials",),
    ),
    9: Fault(
        "redirect from https to http",
        "refused",
        ("registry/test_transport.py::test_redirect_from_https_to_http_is_refused",),
    ),
    10: Fault(
        "expired stored credential, public repository",
        "asked again as nobody, with a warning",
        (
            "registry/test_negotiation.py::test_expired_login_does_not_stop_a_public_pull",
            "cli/test_access.py::test_expired_login_is_told_of_once",
        ),
    ),
    11: Fault(
        "credential helper missing, hanging, knowing nothing, or talking rubbish",
        "a warning, a timeout, anonymous, an error that tells no secret",
        (
            "registry/test_credentials.py::test_missing_helper_is_a_warning",
            "registry/test_credentials.py::test_helper_without_the_host_leaves_it_to_the_file",
            "registry/test_credentials.py::test_failing_helper_is_an_error_that_tells_no_secret",
        ),
    ),
    12: Fault(
        "Location relative, absolute, with a query, new after each PATCH",
        "the right URL, byte for byte",
        ("registry/test_upload.py::test_query_of_the_location_is_given_back_unchanged",),
    ),
    13: Fault(
        "PUT cut in the middle",
        "status, then resumed or sent anew; the same digest",
        ("registry/test_upload_real.py::test_cut_upload_ends_right",),
    ),
    14: Fault(
        "PATCH cut, and the session is dead",
        "a new session, the whole blob",
        ("registry/test_upload_real.py::test_docker_registry_starts_a_new_session",),
    ),
    15: Fault("PATCH accepted with a stale Range (ECR)", "no byte twice; bounded"),
    16: Fault("PATCH answers 201 or 204", "goes on"),
    17: Fault("PATCH keeps less than was sent", "only the rest is sent again"),
    18: Fault("chunk out of order accepted silently", "the digest tells; one clean restart"),
    19: Fault("answer to the closing PUT lost, blob stored", "HEAD, and nothing is sent again"),
    20: Fault("closing PUT 404 BLOB_UNKNOWN, blob lost", "sent once more"),
    21: Fault("413 for a whole blob, with an HTML page", "chunks; a readable error"),
    22: Fault("416 for a PATCH above 4 MiB (GHCR)", "smaller chunks, or one PUT"),
    23: Fault(
        "4xx while the body is being sent, socket closed",
        "the 4xx is reported, not the broken pipe",
        ("quirks/test_profiles.py::test_body_that_is_too_long_is_refused",),
    ),
    24: Fault(
        "429 with Retry-After as number, date, Go duration, or an hour",
        "honoured within limits, fewer at once",
        (
            "registry/test_retry.py::test_every_form_of_retry_after",
            "registry/test_retry.py::test_orders_are_obeyed_within_reason",
            "registry/test_upload.py::test_retry_after_of_the_put_is_honoured",
            "registry/test_limiter.py::test_complaint_halves_once_for_all_that_were_out",
            "registry/test_limiter.py::test_denial_that_means_too_many_is_waited_for",
        ),
    ),
    25: Fault(
        "503 a few times, 500 for ever",
        "succeeds; fails after the budget, with the last word of the registry",
        (
            "registry/test_download.py::test_unwell_registry_is_tried_again",
            "registry/test_upload.py::test_failed_put_starts_again_with_a_fresh_session",
        ),
    ),
    26: Fault("200 where 202 is due", "tried again; no success"),
    27: Fault("mount answers 202, 401, 400, or 201 without the blob", "sent; noticed"),
    28: Fault("manifest refused since a blob is not there yet", "looked up, sent, tried again"),
    29: Fault(
        "manifest refused since its type is unknown (GitLab)",
        "an error that offers push --profile image",
        (
            (
                "cli/test_bad_input.py"
                "::test_a_registry_that_wants_images_only_is_told_of_the_image_profile"
            ),
            "registry/test_survival.py::test_image_goes_there_and_comes_back",
        ),
    ),
    30: Fault(
        "immutable tag: the same digest, another digest",
        "fine; a clear error with both",
        (
            "registry/test_manifests.py::test_immutable_tag_with_the_same_content_is_fine",
            "registry/test_manifests.py::test_immutable_tag_with_other_content_names_both_digests",
        ),
    ),
    31: Fault(
        "no referrers API, no OCI-Subject, two writers at once",
        "both entries are there",
        (
            "registry/test_referrers.py::test_a_pushed_referrer_is_listed_under_the_tag",
            "registry/test_referrers.py::test_two_hosts_at_once_lose_nothing",
        ),
    ),
    32: Fault(
        "referrers answers 200 with HTML, or another type",
        "counts as no such API",
        ("registry/test_referrers.py::test_what_is_no_list_counts_as_no_api",),
    ),
    33: Fault(
        "blob with a flipped bit, too short, too long",
        "digest error, nothing is kept, stops at the size",
        (
            "registry/test_download.py::test_wrong_bytes_are_an_error",
            "cli/test_bad_input.py::test_a_layer_with_other_bytes",
            "cli/test_bad_input.py::test_a_layer_that_ends_early",
        ),
    ),
    34: Fault(
        "Content-Encoding: gzip, added by a proxy",
        "right bytes, or an error that says so",
        (
            "registry/test_download.py::test_packing_proxy_is_named",
            "registry/test_download.py::test_wrong_mark_on_right_bytes_is_harmless",
        ),
    ),
    35: Fault(
        "connection dropped at 10, 50, 99 %",
        "goes on with a Range",
        ("registry/test_bad_lines.py::test_cut_download_goes_on",),
    ),
    36: Fault(
        "Range ignored, wrong Content-Range",
        "reads the whole; never stitches wrong bytes",
        (
            "registry/test_download.py::test_server_without_ranges_is_read_again_from_the_start",
            "registry/test_download.py::test_wrong_content_range_is_never_stitched",
        ),
    ),
    37: Fault(
        "signed URL expires in the middle",
        "resolved again at the registry",
        ("registry/test_download.py::test_expired_signed_url_is_resolved_again",),
    ),
    38: Fault(
        "no byte for a minute; one byte a second",
        "another connection; slow is not dead",
        (
            "registry/test_bad_lines.py::test_stalled_download_goes_on_over_another_connection",
            "registry/test_bad_lines.py::test_trickle_is_slow_and_not_dead",
        ),
    ),
    39: Fault(
        "tag lists: loop, wrong prefix, other origin, null, 100 000 tags",
        "bounded; all tags, or said to be a part",
        (
            "registry/test_listing.py::test_circle_of_links_ends_with_what_was_read",
            "registry/test_listing.py::test_spoilt_link_is_replaced_by_the_last_name",
            "registry/test_listing.py::test_page_on_another_host_is_refused",
            "registry/test_listing.py::test_repository_without_tags_has_none",
            "registry/test_listing.py::test_hundred_thousand_tags_are_read",
        ),
    ),
    40: Fault(
        "manifest of 100 MB, deep indexes, cycles",
        "limits",
        (
            "registry/test_download.py::test_huge_manifest_is_not_read",
            "content/test_graph.py::test_an_index_in_an_index_in_an_index",
            "content/test_graph.py::test_a_graph_of_too_many_manifests",
        ),
    ),
    41: Fault(
        "SIGKILL during a pull, again and again",
        "the store is whole, the next pull goes on, nothing leaks",
        (
            "store/test_processes.py::test_a_killed_download_goes_on_where_it_ended",
            "store/test_collect.py::test_downloads_that_nobody_works_on_are_garbage",
        ),
    ),
    42: Fault(
        "eight processes pull into one store",
        "each blob once; all names are there",
        (
            "store/test_processes.py::test_two_processes_fetch_a_blob_once",
            "store/test_processes.py::test_no_name_is_lost_when_eight_processes_tag_at_once",
        ),
    ),
    43: Fault(
        "ENOSPC, EROFS, EACCES, EIO",
        "a clear error, no half blob",
        (
            "store/test_disk.py::test_what_the_disk_refuses_is_told_with_its_place",
            "store/test_disk.py::test_an_error_of_a_sync_in_the_background_is_not_lost",
            "cli/test_disasters.py::test_a_pull_onto_a_full_disk",
        ),
        without="EIO comes from a seam: no disk here fails when it is asked to",
    ),
    44: Fault(
        "gc during a pull",
        "nothing that is needed goes",
        ("store/test_processes.py::test_nobody_collects_while_somebody_works",),
    ),
    45: Fault(
        "TLS: unknown authority, wrong name, expired, client certificate asked for",
        "refused, with a hint; never over http",
        (
            "registry/test_transport.py::test_unknown_authority_is_refused_at_once",
            "registry/test_transport.py::test_wrong_name_is_refused",
            (
                "registry/test_transport.py"
                "::test_credentials_are_not_sent_over_http_after_https_failed"
            ),
        ),
    ),
    46: Fault(
        "name service flaps, IPv6 goes nowhere, proxy says 407",
        "tried again, v4, a clear error",
        (
            "registry/test_transport.py::test_proxy_that_refuses_is_named",
            "registry/test_bad_lines.py::test_registry_that_is_away_for_a_moment",
            "registry/test_dialing.py::test_registry_is_reached_past_a_black_hole",
            "registry/test_dialing.py::test_name_that_is_unknown_for_a_moment_is_asked_for_again",
        ),
        without="name service and IPv6 come from a seam: a test may not change the machine's",
    ),
    47: Fault(
        "keep-alive connection closed by the server; HTTP/2 GOAWAY, REFUSED_STREAM",
        "replayed when it may be",
        ("registry/test_bad_lines.py::test_kept_connection_that_was_closed_is_replaced",),
        without="requests speaks HTTP/1.1 alone, so there is no HTTP/2 to go wrong",
    ),
    48: Fault(
        "Ctrl-C in an upload",
        "the session is cancelled, exit 130",
        ("cli/test_disasters.py::test_an_interrupted_push_moves_no_tag",),
    ),
    49: Fault(
        "hostile archives: ../, absolute names, links, devices, a million entries, bombs",
        "refused",
        (
            "layers/test_unpack_hostile.py::test_nothing_outside_changes",
            "layers/test_unpack_bombs.py::test_bombs_are_stopped_early",
        ),
    ),
    50: Fault(
        "two files disagree; keys with name spaces",
        "the documented order wins",
        (
            "registry/test_keychain.py::test_places_are_asked_in_the_documented_order",
            "registry/test_keychain.py::test_most_special_key_wins",
        ),
    ),
}


def functions(path: Path) -> Iterator[tuple[str, str]]:
    """The tests of a file: their names and their text."""
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
            yield node.name, "\n".join(lines)


def collect() -> tuple[set[str], dict[int, set[str]]]:
    """All test ids, and those that say which fault they are about."""
    known: set[str] = set()
    told: dict[int, set[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for name, text in functions(path):
            test = f"{path.relative_to(TESTS)}::{name}"
            known.add(test)
            for numbers in _TOLD.findall(text) if path != Path(__file__) else ():
                for number in re.findall(r"\d+", numbers):
                    told.setdefault(int(number), set()).add(test)
    return known, told


KNOWN, TOLD = collect()


def test_the_table_is_whole() -> None:
    assert list(FAULTS) == list(range(1, 51))
    assert all(fault.title and fault.expected for fault in FAULTS.values())


def test_the_tests_that_the_table_names_exist() -> None:
    named = {proof for fault in FAULTS.values() for proof in fault.proofs}
    assert not named - KNOWN


def test_every_fault_is_proved() -> None:
    unproved = {
        number for number, fault in FAULTS.items() if not fault.proofs + tuple(proofs(number))
    }
    assert not unproved


def test_no_test_is_about_a_fault_that_is_not_there() -> None:
    assert set(TOLD) <= set(FAULTS)


def test_what_cannot_be_proved_has_a_reason() -> None:
    assert {number for number, fault in FAULTS.items() if fault.without} == {43, 46, 47}


def proofs(number: int) -> set[str]:
    """The tests that say that they are about this fault."""
    return TOLD.get(number, set())
