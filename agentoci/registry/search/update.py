"""Changing a search index that others change too.

No registry compares and sets. So the tag is looked at right before it is moved and again after a
while: whoever finds that the other one was later makes the change once more, on top. Processes of
one machine take turns besides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from agentoci.content.protocols import Target
from agentoci.content.standing import meant_by
from agentoci.errors import Conflict
from agentoci.registry.search.artifact import IndexArtifact, pack, read_index
from agentoci.registry.search.document import SearchIndex
from agentoci.registry.turns import Turns
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest

Change: TypeAlias = Callable[[SearchIndex], SearchIndex]
"""What to do to an index; doing it twice must be the same as once."""

_TRIES: Final = 6
_SETTLE: Final = 0.3
"""Seconds until the look back: longer than another writer takes from its look to its push."""

_LONGEST_PAUSE: Final = 2.0


class IndexContended(Conflict):
    """Others keep changing the index; the change was not kept."""


@dataclass(frozen=True, slots=True)
class Writing:
    """How to behave among other writers.

    `turns` keeps those of this machine away; `alone` says that there are no others. `chance` gives
    numbers from 0 to 1.
    """

    turns: Turns
    chance: Callable[[], float]
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Updated:
    """An index after a change: before (None: it is new), now, and whether anything was written."""

    root: Descriptor
    before: SearchIndex | None
    index: SearchIndex
    written: bool


def update_index(
    target: Target,
    name: str,
    change: Change,
    *,
    as_image: bool | None = None,
    writing: Writing,
    what: str,
) -> Updated:
    """Read, change and write the index that `name` means, made when it is missing.

    `as_image` is the profile to write; None keeps that of the old one. Raises IndexContended when
    the change is lost to others again and again, and what target and reader raise.
    """
    update = _Update(target, name, change, as_image, writing, what)
    with writing.turns.alone(f"index {what}"):
        for tried in range(_TRIES):
            if tried:
                pause = min(_SETTLE * 2**tried, _LONGEST_PAUSE) * writing.chance()
                writing.turns.pause(pause)
            made = update.attempt()
            if made is not None:
                return made
    raise IndexContended(
        f"{what}: others changed the index {_TRIES} times meanwhile, this change was not kept",
        hint="try again when it is quiet",
    )


@dataclass(frozen=True, slots=True)
class _Update:
    target: Target
    name: str
    change: Change
    as_image: bool | None
    writing: Writing
    what: str

    def attempt(self) -> Updated | None:
        """One try; None when somebody else was faster, or later."""
        old = self._present()
        before = None if old is None else old.index
        index = self.change(before or SearchIndex())
        packed = pack(index, as_image=self._profile(old))
        root = packed.manifest.descriptor
        if old is not None and old.root.digest == root.digest:
            return Updated(root, before, index, written=False)
        packed.push_blobs(self.target)
        if not self.writing.alone and self._digest() != (old and old.root.digest):
            return None
        packed.push_manifest(self.target, self.name)
        if self.writing.alone or self._was_kept(root):
            return Updated(root, before, index, written=True)
        return None

    def _profile(self, old: IndexArtifact | None) -> bool:
        if self.as_image is not None:
            return self.as_image
        return old is not None and old.as_image

    def _was_kept(self, root: Descriptor) -> bool:
        """Whether the change is in the index after a while, in ours or in a later one."""
        self.writing.turns.pause(_SETTLE)
        now = self._present()
        if now is None:
            return False
        return now.root.digest == root.digest or self.change(now.index) == now.index

    def _present(self) -> IndexArtifact | None:
        root = meant_by(self.target, self.name)
        return None if root is None else read_index(self.target, root, what=self.what)

    def _digest(self) -> Digest | None:
        root = meant_by(self.target, self.name)
        return None if root is None else root.digest
