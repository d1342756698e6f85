"""JSON files of the user's against a model: every fault with its line and a caret."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from agentoci.definition.read import faults_of
from agentoci.definition.yamlio import load
from agentoci.errors import SourceFaults

if TYPE_CHECKING:
    from pydantic import BaseModel

    from agentoci.definition.places import Located

M = TypeVar("M", bound="BaseModel")


def located(content: bytes, *, file: str, what: str) -> Located:
    """Read a JSON (or YAML) file that holds a mapping; raises SourceFaults."""
    found = load(content, file=file)
    if not isinstance(found.data, dict):
        raise SourceFaults([found.fault((), f"expected {what}")])
    return found


def checked(model: type[M], found: Located) -> M:
    """The document as the model has it; raises SourceFaults."""
    from pydantic import ValidationError

    from agentoci.definition.problems import problems_in

    try:
        return model.model_validate(found.data)
    except ValidationError as exc:
        raise SourceFaults(faults_of(found, problems_in(exc, model), model)) from exc
