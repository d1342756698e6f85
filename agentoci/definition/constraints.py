"""The constraints of a definition: compiled, and where the definition tells enough, decided.

A constraint that cannot be read, or is false whatever the agent does, is a fault of the definition.
Reading one costs the import of `celpy`; without constraints that is never paid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agentoci.definition.places import Located, Path, Place
from agentoci.definition.read import InvalidDefinition, read_definition
from agentoci.definition.variables import known_at_build
from agentoci.definition.wording import show_path
from agentoci.errors import Fault, SourceFaults
from agentoci.spec.jsonio import Json

if TYPE_CHECKING:
    from agentoci.definition.model import AgentDefinition

_WHERE: Final[tuple[tuple[str, ...], ...]] = (
    ("spec", "constraints"),
    ("spec", "extensions", "constraints", "add"),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """One constraint as far as it is known before a run.

    `holds` is None when only a run can tell; `needs` are the variables that it will need then.
    """

    id: str
    expression: str
    holds: bool | None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConstraintProblem:
    """What is wrong with the expression at `path`; `line` and `column` count within its text."""

    path: Path
    message: str
    hint: str | None = None
    line: int = 1
    column: int = 1
    width: int = 0


def check_constraints(document: Mapping[str, Json], *, what: str) -> list[Checked]:
    """Check the constraints of a whole definition, parents merged and SETs applied.

    Raises InvalidDefinition with all that is wrong; `what` names the definition.
    """
    from agentoci.definition.problems import Problem

    problems = constraint_problems(document)
    if problems:
        told = [Problem(found.path, found.message, found.hint) for found in problems]
        raise InvalidDefinition(document, told, what=what)
    return decided(document)


def decided(document: Mapping[str, Json]) -> list[Checked]:
    """What is known of each constraint with an expression; raises InvalidExpression for a bad one.

    The runtime decides those whose `holds` is None.
    """
    values = known_at_build(document)
    return [_decide(document, path, text, values) for path, text in _expressions(document)]


def read_with_constraints(content: bytes, *, file: str) -> AgentDefinition:
    """Read an `.agentdef` as `read_definition` does, and the expressions of its constraints.

    Raises SourceFaults with all that is wrong with either.
    """
    try:
        definition = read_definition(content, file=file)
    except SourceFaults as exc:
        told = {fault.line for fault in exc.faults}
        more = [fault for fault in _readable_faults(content, file) if fault.line not in told]
        raise SourceFaults([*exc.faults, *more]) from exc
    check_expressions(content, file=file)
    return definition


def _readable_faults(content: bytes, file: str) -> Sequence[Fault]:
    """Those of the expressions in a file that has other faults."""
    try:
        check_expressions(content, file=file)
    except SourceFaults as exc:
        return exc.faults
    return ()


def check_expressions(content: bytes, *, file: str) -> None:
    """Read the expressions of a definition's file, as far as they have the right shape.

    Raises SourceFaults with carets inside the expressions. What is false already is not looked for:
    parents and SETs may change the values.
    """
    if b"validation" not in content:
        return
    from agentoci.definition.yamlio import load

    faults = constraint_faults(load(content, file=file))
    if faults:
        raise SourceFaults(faults)


def constraint_faults(located: Located) -> list[Fault]:
    """The faults of the expressions of a file, each with a caret inside of the expression."""
    if not isinstance(located.data, dict):
        return []
    problems = constraint_problems(located.data, decide=False)
    return [_fault(located, problem) for problem in problems]


def constraint_problems(
    document: Mapping[str, Json], *, decide: bool = True
) -> list[ConstraintProblem]:
    """Every expression that cannot be read, and (`decide`) every one that is false already."""
    found = list(_expressions(document))
    values = known_at_build(document) if found and decide else {}
    problems = (_problem(document, path, text, values, decide=decide) for path, text in found)
    return [problem for problem in problems if problem is not None]


def _problem(
    document: Mapping[str, Json], path: Path, text: str, values: Mapping[str, Json], *, decide: bool
) -> ConstraintProblem | None:
    from agentoci.definition.expressions import EvaluationFailed, InvalidExpression

    try:
        checked = _decide(document, path, text, values)
    except InvalidExpression as exc:
        return ConstraintProblem(path, exc.message, exc.hint, exc.line, exc.column, exc.width)
    except EvaluationFailed as exc:
        return ConstraintProblem(path, exc.message.removeprefix(f"{text}: "), exc.hint)
    if checked.holds is not False or not decide:
        return None
    said = ", ".join(f"{name} is {_shown(values[name])}" for name in checked.needs)
    hint = "change the value, or the constraint" if said else None
    return ConstraintProblem(path, f"is never true{f': {said}' if said else ''}", hint)


def _decide(
    document: Mapping[str, Json], path: Path, text: str, values: Mapping[str, Json]
) -> Checked:
    from agentoci.definition.expressions import MissingValues, compile_expression

    name = _id(document, path)
    compiled = compile_expression(text)
    try:
        holds = compiled.evaluate(values)
    except MissingValues as exc:
        return Checked(name, text, None, exc.names)
    return Checked(name, text, holds, tuple(each for each in compiled.variables if each in values))


def _expressions(document: Mapping[str, Json]) -> Iterator[tuple[Path, str]]:
    for where in _WHERE:
        entries = _at(document, where)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            text = entry.get("validation") if isinstance(entry, dict) else None
            if isinstance(text, str):
                yield (*where, index, "validation"), text


def _id(document: Mapping[str, Json], path: Path) -> str:
    entry = _at(document, path[:-1])
    return str(entry.get("id")) if isinstance(entry, dict) else ""


def _at(document: Mapping[str, Json], path: Path) -> Json:
    value: object = document
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value  # type: ignore[return-value]  # a part of a document


def _shown(value: Json) -> str:
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, list) else str(value)


def _fault(located: Located, problem: ConstraintProblem) -> Fault:
    message = f"{show_path(problem.path)}: {problem.message}"
    fault = located.fault(problem.path, message, hint=problem.hint)
    inside = _inside(located, problem) if problem.width else None
    if inside is None:
        return fault
    return Fault(
        fault.file, inside.line, inside.column, message, fault.text, inside.width, problem.hint
    )


def _inside(located: Located, problem: ConstraintProblem) -> Place | None:
    """The place within the value, when the file holds the expression as it is, on one line."""
    place, text = located.place(problem.path), located.value(problem.path)
    if not isinstance(text, str) or "\n" in text:
        return None
    source = located.source_line(place)
    quote = int(
        source[place.column - 1 : place.column] in ("'", '"') and text[:1] not in ("'", '"')
    )
    start = place.column - 1 + quote
    if source[start : start + len(text)] != text:
        return None
    return Place(place.line, start + problem.column, problem.width)
