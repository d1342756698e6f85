"""Definitions from files, and to and from the documents that image configs carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from agentoci.definition.places import Located
from agentoci.definition.scalars import resolve
from agentoci.definition.wording import short
from agentoci.definition.yamlio import load
from agentoci.errors import Fault, Integrity, Invalid, SourceFaults
from agentoci.spec.jsonio import Json

if TYPE_CHECKING:
    from agentoci.definition.fields import Annotation
    from agentoci.definition.model import AgentDefinition
    from agentoci.definition.problems import Problem


_FLAG_WORDS: Final = {
    **dict.fromkeys(("yes", "on", "y", "1"), "did you mean true?"),
    **dict.fromkeys(("no", "off", "n", "0"), "did you mean false?"),
    **dict.fromkeys(("true", "false"), "write it without quotes"),
}


class InvalidDefinition(Invalid):
    """A definition put together from the user's files that does not say what it should.

    `problems` are what is wrong with `document`.
    """

    def __init__(
        self, document: Mapping[str, Json], problems: Sequence[Problem], *, what: str
    ) -> None:
        super().__init__(f"{what}: {_listed(problems)}", hint=problems[0].hint)
        self.document = document
        self.problems = tuple(problems)


class CorruptDefinition(Integrity):
    """A compiled definition, from an image, that is not one that this program could have made."""


def read_definition(content: bytes, *, file: str) -> AgentDefinition:
    """Read an `.agentdef`, YAML or JSON; `file` names it in messages.

    Raises SourceFaults with every fault found, each with its line and a caret.
    """
    located = load(content, file=file)
    if not isinstance(located.data, dict):
        raise SourceFaults([located.fault((), "expected a mapping with apiVersion, kind, ...")])
    checked = _checked(located.data)
    if isinstance(checked, list):
        raise SourceFaults(faults_of(located, checked))
    return checked


def parse_document(document: Mapping[str, Json], *, what: str) -> AgentDefinition:
    """Read the document of a compiled definition, as an image config carries it.

    Raises CorruptDefinition; `what` names where it comes from.
    """
    checked = _checked(document)
    if isinstance(checked, list):
        raise CorruptDefinition(f"{what}: {_listed(checked)}", hint=checked[0].hint)
    return checked


def check_document(document: Mapping[str, Json], *, what: str) -> AgentDefinition:
    """Read a document that was put together from the user's files, after the last SET.

    Raises InvalidDefinition: unlike in `parse_document`, the user can mend it.
    """
    checked = _checked(document)
    if isinstance(checked, list):
        raise InvalidDefinition(document, checked, what=what)
    return checked


def definition_document(definition: AgentDefinition) -> dict[str, Json]:
    """The JSON object of a definition: what was written, as it was written, and nothing else.

    `parse_document` makes an equal definition of it.
    """
    document: dict[str, Json] = definition.model_dump(
        mode="json", by_alias=True, exclude_unset=True
    )
    return document


def _checked(document: Mapping[str, Json]) -> AgentDefinition | list[Problem]:
    from pydantic import ValidationError

    from agentoci.definition.model import AgentDefinition
    from agentoci.definition.problems import problems_of

    try:
        return AgentDefinition.model_validate(document)
    except ValidationError as exc:
        return problems_of(exc)


def faults_of(
    located: Located, problems: Sequence[Problem], within: Annotation | None = None
) -> list[Fault]:
    """The problems of a file where they are written, which is a definition or another model."""
    return [
        located.fault(
            problem.path,
            str(problem),
            hint=problem.hint or _spelling_hint(located, problem, within),
            at_key=problem.at_key,
        )
        for problem in problems
    ]


def _spelling_hint(located: Located, problem: Problem, within: Annotation | None) -> str | None:
    """How to write the kind of value that was expected, seen from what was written."""
    written, value = located.written(problem.path), located.value(problem.path)
    if problem.expected == "text" and written:
        return _quoting_hint(problem, written, within)
    if problem.expected == "true or false":
        return _FLAG_WORDS.get(str(value).lower())
    if problem.expected == "a list" and isinstance(value, str):
        return f"write a list: [{short(value)}]"
    if isinstance(value, str) and written is None and not isinstance(_meaning(value), str):
        return "write it without quotes"
    return None


def _quoting_hint(problem: Problem, written: str, within: Annotation | None) -> str | None:
    """To put it in quotes; when that would not do either, what would."""
    from agentoci.definition.fields import at
    from agentoci.definition.problems import problem_with

    again = problem_with(problem.path, written, at(problem.path, within))
    return again.hint if again else f'write "{short(written)}" if it is text'


def _meaning(text: str) -> Json:
    try:
        return resolve(text)
    except ValueError:
        return text


def _listed(problems: Sequence[Problem]) -> str:
    return "; ".join(str(problem) for problem in problems)
