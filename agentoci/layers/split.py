"""Where the files of one COPY are cut into layers: changing one file changes one small layer.

Part of format version 1. A huge file stands alone. The others, in the order of their paths, are
cut behind a path whose hash ends in enough zero bits: the boundaries hang on names only, so an
edit, a new or a removed file moves none but its own. The number of bits follows from the total
size; the masks are nested, so growth merges or halves layers rather than moving every boundary.
Which files are huge also follows from the whole: the limit doubles until few are above it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agentoci._internal.limits import MIB
from agentoci.layers.tar import TarEntry

HUGE: Final = 8 * MIB
"""A file above this many bytes is a layer of its own, unless there are many such files."""

_MEAN: Final = 2 * MIB
"""The size that layers of small files have on average."""

_MOST_LAYERS: Final = 24
"""A COPY makes this many layers of one huge file at most, and about as many of small files, often
fewer; larger sums make larger layers. Images stay below 100 layers or so by it."""

_CEILING: Final = 2
"""No layer of small files grows beyond this many times the mean (or the one file over it)."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What a whole COPY decides: the size above which a file stands alone, and the mean of layers
    of the others."""

    huge: int
    mean: int

    @classmethod
    def of(cls, entries: Iterable[TarEntry]) -> Scale:
        """The scale for all entries of a COPY."""
        sizes = [entry.size for entry in entries]
        huge = HUGE
        while sum(size > huge for size in sizes) > _MOST_LAYERS:
            huge *= 2
        total = sum(size for size in sizes if size <= huge)
        return cls(huge, max(_MEAN, _rounded_up(total // _MOST_LAYERS)))


def _rounded_up(size: int) -> int:
    """To three binary digits, so that a small change of the sum moves no limit."""
    step = 1 << max(0, size.bit_length() - 3)
    return -(-size // step) * step


def split(entries: Sequence[TarEntry], scale: Scale) -> list[list[TarEntry]]:
    """Cut entries of one kind, sorted by path, into layers; huge files first, each alone."""
    huge = [entry for entry in entries if entry.size > scale.huge]
    small = [entry for entry in entries if entry.size <= scale.huge]
    return [*([entry] for entry in huge), *_cut(small, scale.mean)]


def _cut(entries: Sequence[TarEntry], mean: int) -> list[list[TarEntry]]:
    total = sum(entry.size for entry in entries)
    if total <= mean:
        return [list(entries)] if entries else []
    mask = (1 << _bits(len(entries) * mean // total)) - 1
    groups: list[list[TarEntry]] = [[]]
    size = 0
    for entry in entries:
        if groups[-1] and size + entry.size > _CEILING * mean:
            groups.append([])
            size = 0
        groups[-1].append(entry)
        size += entry.size
        if _path_hash(entry.path) & mask == 0:
            groups.append([])
            size = 0
    return [group for group in groups if group]


def _bits(files_per_layer: int) -> int:
    """The exponent of the nearest power of two; one file per layer is zero bits."""
    return max(0, ((2 * files_per_layer**2).bit_length() - 1) // 2)


def _path_hash(path: str) -> int:
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big")
