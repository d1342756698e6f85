"""What the expression of a constraint may speak of: each variable, its kind and when it is known.

This table is the documentation too (`agent lint --variables` prints it). What follows from
the definition is known at build; the rest is what the runtime watches while the agent works.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agentoci.definition.size import InvalidSize, Size
from agentoci.spec.jsonio import Json

Path = tuple[str, ...]


class ValueKind(StrEnum):
    """The kind of a value in an expression, in the words of messages."""

    WHOLE = "a whole number"
    NUMBER = "a number"
    FLAG = "true or false"
    TEXT = "text"
    LIST = "a list"
    MAPPING = "a mapping"
    NOTHING = "null"
    ANY = "a value"


@dataclass(frozen=True, slots=True)
class Variable:
    """One name; `path` leads to its value in a definition, None when only a run knows it."""

    name: str
    kind: ValueKind
    meaning: str
    path: Path | None = None

    @property
    def known(self) -> str:
        """`build` or `run`: when there is a value."""
        return "run" if self.path is None else "build"


_MEMORY: Final = ("spec", "behavior", "memory")
_LEARNING: Final = ("spec", "behavior", "learning")
_EXPLORATION: Final = ("spec", "behavior", "exploration")
_EXECUTION: Final = ("spec", "behavior", "execution")
_LLM: Final = ("spec", "config_template", "llm")
_LIMITS: Final = ("permissions", "resource_limits")

_ALL: Final = (
    Variable("max_iterations", ValueKind.WHOLE, "steps that the run may take at most"),
    Variable("iterations", ValueKind.WHOLE, "steps that the run has taken"),
    Variable("has_success_criteria", ValueKind.FLAG, "the task says when it is done"),
    Variable("validates_result", ValueKind.FLAG, "the result is checked before it is given"),
    Variable("uses_rm_command", ValueKind.FLAG, "a command that removes files is called"),
    Variable("tool", ValueKind.TEXT, "the tool about to be called; empty outside of a call"),
    Variable("tool_calls", ValueKind.WHOLE, "calls of tools so far"),
    Variable(
        "recursion_depth", ValueKind.WHOLE, "how deep the task has called itself or other agents"
    ),
    Variable("elapsed_seconds", ValueKind.NUMBER, "how long the run has taken"),
    Variable("tokens_used", ValueKind.WHOLE, "tokens of the model, in and out, so far"),
    Variable("model", ValueKind.TEXT, "the language model chosen"),
    Variable("temperature", ValueKind.NUMBER, "the temperature chosen"),
    Variable("agent_name", ValueKind.TEXT, "metadata.name", ("metadata", "name")),
    Variable("agent_version", ValueKind.TEXT, "metadata.version", ("metadata", "version")),
    Variable(
        "max_recursion",
        ValueKind.WHOLE,
        "behavior.execution.max_recursion",
        (*_EXECUTION, "max_recursion"),
    ),
    Variable(
        "timeout_seconds",
        ValueKind.WHOLE,
        "behavior.execution.timeout_seconds",
        (*_EXECUTION, "timeout_seconds"),
    ),
    Variable(
        "parallel_enabled",
        ValueKind.FLAG,
        "behavior.execution.enable_parallel",
        (*_EXECUTION, "enable_parallel"),
    ),
    Variable(
        "max_parallel_tasks",
        ValueKind.WHOLE,
        "behavior.execution.max_parallel_tasks",
        (*_EXECUTION, "max_parallel_tasks"),
    ),
    Variable("memory_level", ValueKind.TEXT, "NONE, BASIC or SMART", (*_MEMORY, "level")),
    Variable(
        "memory_persistent",
        ValueKind.FLAG,
        "behavior.memory.persistence",
        (*_MEMORY, "persistence"),
    ),
    Variable(
        "max_memory_bytes",
        ValueKind.WHOLE,
        "behavior.memory.max_size, in bytes",
        (*_MEMORY, "max_size"),
    ),
    Variable(
        "learning_enabled", ValueKind.FLAG, "behavior.learning.enabled", (*_LEARNING, "enabled")
    ),
    Variable(
        "explores_project",
        ValueKind.FLAG,
        "behavior.exploration.project_exploration",
        (*_EXPLORATION, "project_exploration"),
    ),
    Variable(
        "discovers_environment",
        ValueKind.FLAG,
        "behavior.exploration.environment_discovery",
        (*_EXPLORATION, "environment_discovery"),
    ),
    Variable("tools", ValueKind.LIST, "names of the required tools", ("spec", "requires", "tools")),
    Variable(
        "models",
        ValueKind.LIST,
        "config_template.llm.supported_models",
        (*_LLM, "supported_models"),
    ),
    Variable(
        "temperature_max",
        ValueKind.NUMBER,
        "config_template.llm.temperature.max",
        (*_LLM, "temperature", "max"),
    ),
    Variable("network", ValueKind.TEXT, "isolated or host", ("isolation", "network")),
    Variable("filesystem", ValueKind.TEXT, "sandboxed or host", ("isolation", "filesystem")),
    Variable("process", ValueKind.TEXT, "containerized or host", ("isolation", "process")),
    Variable(
        "max_ram_bytes",
        ValueKind.WHOLE,
        "permissions.resource_limits.max_memory, in bytes",
        (*_LIMITS, "max_memory"),
    ),
    Variable(
        "max_disk_bytes",
        ValueKind.WHOLE,
        "permissions.resource_limits.max_disk, in bytes",
        (*_LIMITS, "max_disk"),
    ),
    Variable(
        "max_api_calls_per_hour",
        ValueKind.WHOLE,
        "permissions.resource_limits.max_api_calls_per_hour",
        (*_LIMITS, "max_api_calls_per_hour"),
    ),
)

VARIABLES: Final[Mapping[str, Variable]] = {variable.name: variable for variable in _ALL}
"""Every variable by its name."""


def known_at_build(document: Mapping[str, Json]) -> dict[str, Json]:
    """The values that a definition's document gives; what it does not say is left out."""
    found: dict[str, Json] = {}
    for variable in _ALL:
        value = _at(document, variable.path) if variable.path else None
        if value is not None:
            found[variable.name] = _plain(variable, value)
    return {name: value for name, value in found.items() if value is not None}


def _at(document: Mapping[str, Json], path: Path) -> Json:
    value: object = document
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value  # type: ignore[return-value]  # a part of a document


def _plain(variable: Variable, value: Json) -> Json:
    """As an expression sees it: sizes are bytes, tools are their names."""
    if variable.kind is ValueKind.WHOLE and isinstance(value, str):
        try:
            return Size.parse(value).bytes
        except InvalidSize:
            return None
    if isinstance(value, list):
        return [str(each["name"]) if isinstance(each, dict) else each for each in value]
    return value
