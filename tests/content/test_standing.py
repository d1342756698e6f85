"""Names that are taken."""

from __future__ import annotations

import pytest

from agentoci.content.memory import MemoryTarget
from agentoci.content.standing import IfExists, NameTaken, check_releases, names_release, taken_by
from agentoci.spec.descriptor import Descriptor
from tests.content.graphs import put_image


@pytest.fixture
def images() -> tuple[MemoryTarget, Descriptor, Descriptor]:
    """A target with two images; the first is `1.0`."""
    target = MemoryTarget()
    first, second = put_image(target, b"first"), put_image(target, b"second")
    target.tag(first, "1.0")
    return target, first, second


def test_free_name_may_be_given(images: tuple[MemoryTarget, Descriptor, Descriptor]) -> None:
    target, _, second = images
    for policy in IfExists:
        assert taken_by(target, second, "1.1", policy, where="here") is None


def test_name_of_the_same_content_is_no_conflict(
    images: tuple[MemoryTarget, Descriptor, Descriptor],
) -> None:
    target, first, _ = images
    for policy in IfExists:
        assert taken_by(target, first, "1.0", policy, where="here") is None


def test_taken_name_is_moved_left_or_refused(
    images: tuple[MemoryTarget, Descriptor, Descriptor],
) -> None:
    target, first, second = images
    assert taken_by(target, second, "1.0", IfExists.REPLACE, where="here") is None
    assert taken_by(target, second, "1.0", IfExists.SKIP, where="here") == first
    with pytest.raises(NameTaken) as caught:
        taken_by(target, second, "1.0", IfExists.FAIL, where="registry/team/bot")
    assert caught.value.exit_code == 7
    for part in ("registry/team/bot", "1.0", str(first.digest), str(second.digest)):
        assert part in caught.value.message


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("1.0.0", True),
        ("v1.0.0", True),
        ("bot:1.0.0", True),
        ("host:5000/team/bot:1.0.0_build", True),
        ("1.0", False),
        ("1.0.0-rc.1", False),
        ("bot:latest", False),
        ("host:5000/bot", False),
        ("bot@sha256:" + 64 * "0", False),
        ("sha256:" + 64 * "0", False),
    ],
)
def test_names_that_are_releases(name: str, *, release: bool) -> None:
    assert names_release(name) is release


def test_release_stays_what_it_is(
    images: tuple[MemoryTarget, Descriptor, Descriptor],
) -> None:
    target, first, second = images
    target.tag(first, "1.0.0")
    check_releases(target, second, ["1.0", "1.0.1", "latest"], where="here")
    check_releases(target, first, ["1.0.0"], where="here")
    with pytest.raises(NameTaken, match=r"here: 1\.0\.0 is released already as sha256") as caught:
        check_releases(target, second, ["latest", "1.0.0"], where="here")
    assert str(first.digest) in caught.value.message
