"""One file by itself: what kind of file it is, and all that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentoci._internal import files, limits
from agentoci.errors import AgentociError, Fault, Invalid, NotFound, SourceFaults
from agentoci.lint.discretion import discreet


class UnknownKind(Invalid):
    """A file whose name does not say what it is."""


@dataclass(frozen=True, slots=True)
class Validated:
    """A file, its kind, and its faults; `remark` is what else there is to say of a good one."""

    file: str
    kind: str
    faults: tuple[Fault, ...] = ()
    remark: str = ""


def validate(path: Path) -> Validated:
    """Read one file as strictly as the program that uses it does.

    Raises UnknownKind, and NotFound for a file that cannot be read.
    """
    kind = kind_of(path)
    try:
        content = files.read_at_most(path, limits.MAX_AGENTFILE_BYTES)
    except OSError as exc:
        raise NotFound(f"{path}: {exc.strerror}") from exc
    try:
        remark = _CHECKS[kind](content, path)
    except SourceFaults as exc:
        return Validated(str(path), kind, tuple(map(discreet, exc.faults)))
    except AgentociError as exc:
        fault = discreet(Fault(str(path), 1, 1, exc.message, hint=exc.hint))
        return Validated(str(path), kind, (fault,))
    return Validated(str(path), kind, remark=remark)


def kind_of(path: Path) -> str:
    """What a file is, by its name; raises UnknownKind."""
    name = path.name
    if name in _NAMES:
        return _NAMES[name]
    if _is_lock(path):
        return "lock"
    if path.suffix in _SUFFIXES:
        return _SUFFIXES[path.suffix]
    if name == "Agentfile" or name.startswith("Agentfile.") or name.endswith(".Agentfile"):
        return "Agentfile"
    known = ", ".join(("Agentfile", *(f"*{suffix}" for suffix in _SUFFIXES), *_NAMES))
    raise UnknownKind(f"{path}: the name does not say what it is", hint=f"one of: {known}")


def _is_lock(path: Path) -> bool:
    """Whether it is the `FILE.lock` of a file that can be built; other programs have locks, too."""
    file = path.with_suffix("")
    if path.suffix != ".lock":
        return False
    return file.suffix == ".agentdef" or "Agentfile" in file.name or file.is_file()


def _agentfile(content: bytes, path: Path) -> str:
    from agentoci.agentfile import parse

    parse(content, file=str(path))
    return ""


def _definition(content: bytes, path: Path) -> str:
    from agentoci.definition.constraints import check_constraints, read_with_constraints
    from agentoci.definition.read import definition_document

    definition = read_with_constraints(content, file=str(path))
    if definition.metadata.parent is not None or not definition.spec.constraints:
        return ""
    checked = check_constraints(definition_document(definition), what=str(path))
    later = sum(each.holds is None for each in checked)
    return f"{later} of {len(checked)} constraints are checked at run" if later else ""


def _instance(content: bytes, path: Path) -> str:
    from agentoci.instances.document import read_instance

    read_instance(content, what=str(path))
    return ""


def _skill(content: bytes, path: Path) -> str:
    from agentoci.interop.skills import read_skill

    read_skill(content, folder=path.resolve().parent.name, file=str(path))
    return ""


def _lock(content: bytes, path: Path) -> str:
    from agentoci.release.lock import Lock

    Lock.parse(content, file=str(path))
    return ""


def _matrix(content: bytes, path: Path) -> str:
    from agentoci.release.compat import Matrix

    Matrix.parse(content, file=str(path))
    return ""


_NAMES: Final[Mapping[str, str]] = {
    "SKILL.md": "skill",
    "agent.lock": "lock",
    "compatibility.json": "compatibility matrix",
}
_SUFFIXES: Final[Mapping[str, str]] = {".agentdef": "definition", ".agentinst": "instance"}
_CHECKS: Final[Mapping[str, Callable[[bytes, Path], str]]] = {
    "Agentfile": _agentfile,
    "definition": _definition,
    "instance": _instance,
    "skill": _skill,
    "lock": _lock,
    "compatibility matrix": _matrix,
}
