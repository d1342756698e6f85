"""Names that are taken."""

from __future__ import annotations

import pytest

from agentoci.content.memory import MemoryTarget
from agentoci.content.standing import IfExists, NameTaken, taken_by
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
