"""Places for files that a command writes for the user: what is there is not lost unasked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from agentoci.errors import Conflict

_SHOWN: Final = 5


class FilesExist(Conflict):
    """Files would be overwritten; `paths` are they."""

    def __init__(self, paths: Sequence[Path]) -> None:
        shown = ", ".join(map(str, paths[:_SHOWN]))
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        verb = "exists" if len(paths) == 1 else "exist"
        what = "it" if len(paths) == 1 else "them"
        super().__init__(f"{shown}{more} {verb} already", hint=f"--force overwrites {what}")
        self.paths = tuple(paths)


def check_places(paths: Iterable[Path], *, overwrite: bool) -> None:
    """See that files can be written, while nothing is written yet.

    Raises FilesExist for what is there, unless `overwrite`, and Conflict for a folder in the place
    of a file and for a file in the place of a folder, in any case.
    """
    wanted = sorted(paths)
    for parent in sorted({above for path in wanted for above in path.parents}):
        if os.path.lexists(parent) and not parent.is_dir():
            raise Conflict(f"{parent}: is no folder, and one is needed", hint="move it away")
    taken = [path for path in wanted if os.path.lexists(path)]
    if taken and not overwrite:
        raise FilesExist(taken)
    for path in taken:
        if path.is_dir() and not path.is_symlink():
            raise Conflict(f"{path}: is a folder, and a file is needed", hint="move it away")
