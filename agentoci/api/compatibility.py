"""compatibility.json: which versions of agents work together, and with which models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentoci._internal import files, limits
from agentoci.errors import NotFound
from agentoci.release.compat import (
    Answer,
    Judgement,
    Matrix,
    Named,
    Row,
    check_model,
)
from agentoci.release.lock import MATRIX_FILE, Lock, PinKind

__all__ = [
    "MATRIX_FILE",
    "Answer",
    "Judgement",
    "Matrix",
    "Named",
    "Row",
    "check_model",
    "incompatible",
    "matrix_beside",
    "read_matrix",
]


class MatrixMissing(NotFound):
    """The file is not there."""


def read_matrix(path: Path) -> Matrix:
    """Read a matrix; raises MatrixMissing, and SourceFaults with every fault of the file."""
    try:
        content = files.read_at_most(path, limits.MAX_DEFINITION_BYTES + 1)
    except OSError as exc:
        hint = f"--file names it; by itself {MATRIX_FILE} is looked for in this folder"
        raise MatrixMissing(f"{path}: {exc.strerror}", hint=hint) from exc
    return Matrix.parse(content, file=str(path))


def matrix_beside(path: Path) -> Matrix:
    """The matrix in the folder of a file; an empty one when there is none."""
    found = path.parent / MATRIX_FILE
    return read_matrix(found) if found.is_file() else Matrix()


def incompatible(matrix: Matrix, name: str, version: str, lock: Lock | None) -> Iterator[str]:
    """What the matrix has against the agent and its locked requirements, each pair once."""
    pins = lock.pins if lock else ()
    pinned = [(pin.name, str(pin.version)) for pin in pins if pin.kind is PinKind.AGENT]
    everything = [Named.parse(f"{one}@{of}") for one, of in [(name, version), *pinned]]
    for at, one in enumerate(everything):
        for other in everything[at + 1 :]:
            judgement = matrix.judge(one, other)
            if judgement.answer is Answer.INCOMPATIBLE:
                yield judgement.reason
