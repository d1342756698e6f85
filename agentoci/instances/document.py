"""The `.agentinst` document (architecture, section "Agent Instance").

Every field is the architecture's own except `metadata.image`, which is ours and optional: the
reference that the instance was made from, as its user wrote it (`coordinator:1.0`). `checksum` is
the digest of the image's manifest. Importing this module costs pydantic; listing instances reads
the raw JSON instead (`directory.py`).
"""

from __future__ import annotations

import difflib
import json
import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
    ValidationError,
)
from pydantic_core import ErrorDetails

from agentoci._internal import limits
from agentoci.errors import Integrity
from agentoci.instances.names import NAME_PATTERN
from agentoci.instances.state import State
from agentoci.spec.jsonio import loads_object

API_VERSION: Final = "agent/v1"

_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def _parse_moment(value: object) -> object:
    # Left to itself, pydantic reads "2024" as seconds since 1970.
    if not isinstance(value, str):
        return value
    if not _RFC3339.fullmatch(value):
        raise ValueError("expected an RFC 3339 time such as 2024-01-15T10:00:00Z")
    return datetime.fromisoformat(value.upper())


Moment = Annotated[AwareDatetime, BeforeValidator(_parse_moment)]
Count = NonNegativeInt
Number = NonNegativeInt | NonNegativeFloat  # an integer stays one when written again
Rate = Annotated[Number, Field(le=1)]


class InvalidInstance(Integrity):
    """A document that is not an agent instance; the message names the field."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Metadata(_Part):
    """Who the instance is and what it was made from."""

    uuid: UUID
    name: Annotated[str, Field(pattern=NAME_PATTERN, max_length=128)]
    created: Moment
    definition_ref: Annotated[
        str, Field(pattern=r"^[^@\s]+@[^@\s]+$", description="name@version of the definition")
    ]
    checksum: Annotated[
        str, Field(pattern=r"^[a-z0-9]+:\S+$", description="digest of the image's manifest")
    ]
    image: Annotated[str, Field(min_length=1)] | None = None


class Status(_Part):
    """How the instance is."""

    state: State
    health: Literal["unknown", "starting", "healthy", "unhealthy"] = "unknown"
    uptime_seconds: Number = 0
    last_activity: Moment | None = None
    current_task: str | None = None


class ToolBinding(_Part):
    """What stands behind a tool that the definition requires."""

    instance_id: str | None = None
    endpoint: str | None = None
    protocol: str | None = None
    status: Literal["unbound", "connecting", "connected", "disconnected", "error"]
    last_call: Moment | None = None


class LlmBinding(_Part):
    """The model that the instance speaks with; the key is a reference, never the secret."""

    model: str
    endpoint: str | None = None
    temperature: Number | None = None
    context_window: Count | None = None
    api_key_ref: Annotated[str, Field(pattern=r"^(env|file):.+$")] | None = None


class Bindings(_Part):
    """What the instance is connected to."""

    tools: dict[str, ToolBinding] = {}
    llm: LlmBinding | None = None


class Task(_Part):
    """The task in hand."""

    id: str
    description: str | None = None
    start_time: Moment | None = None
    status: str | None = None
    step: Count | None = None


class WorkingMemory(_Part):
    """What the task in hand needs."""

    current_task: Task | None = None
    context: dict[str, JsonValue] = {}
    variables: dict[str, JsonValue] = {}


class LearnedPattern(_Part):
    """Something that works, and how often it did."""

    pattern: str
    frequency: Count
    success_rate: Rate


class ErrorPattern(_Part):
    """An error met before, and its cure."""

    error: str
    solution: str
    occurrences: Count


class LongTermMemory(_Part):
    """What outlives tasks."""

    knowledge_file: str | None = None
    knowledge_size: Count | None = None
    last_extraction: Moment | None = None
    learned_patterns: list[LearnedPattern] = []
    error_patterns: list[ErrorPattern] = []


class Episode(_Part):
    """A task of the past."""

    task_id: str
    timestamp: Moment
    duration_seconds: Number | None = None
    outcome: str
    tokens_used: Count | None = None
    lessons_learned: str | None = None


class Memory(_Part):
    """The three memories of an instance."""

    working_memory: WorkingMemory = WorkingMemory()
    long_term_memory: LongTermMemory = LongTermMemory()
    episodic_memory: list[Episode] = []


class Performance(_Part):
    """What the instance achieved."""

    total_tasks: Count | None = None
    success_rate: Rate | None = None
    avg_task_duration_seconds: Number | None = None
    total_tokens_used: Count | None = None


class Learning(_Part):
    """How much the instance learns."""

    knowledge_growth_rate: int | float | None = None
    pattern_recognition_count: Count | None = None
    error_recovery_success_rate: Rate | None = None


class ResourceUsage(_Part):
    """What the instance uses."""

    memory_mb: Number | None = None
    disk_mb: Number | None = None
    api_calls: Count | None = None


class Metrics(_Part):
    """Figures about the instance."""

    performance: Performance = Performance()
    learning: Learning = Learning()
    resource_usage: ResourceUsage = ResourceUsage()


class CheckpointMark(_Part):
    """Where the instance can go on."""

    timestamp: Moment
    can_resume: bool
    resume_point: str | None = None
    state_backup: str | None = None


class AgentInstance(_Part):
    """The whole document."""

    model_config = ConfigDict(title="AgentInstance")

    apiVersion: Literal["agent/v1"]  # noqa: N815 - the document's own spelling
    kind: Literal["AgentInstance"]
    metadata: Metadata
    status: Status
    bindings: Bindings = Bindings()
    memory: Memory = Memory()
    metrics: Metrics = Metrics()
    checkpoint: CheckpointMark | None = None


def read_instance(content: bytes, *, what: str) -> AgentInstance:
    """Read a document; raises InvalidInstance with every field that is wrong, or InvalidJson."""
    loads_object(content, what=what, limit=limits.MAX_CONFIG_BYTES)
    try:
        return AgentInstance.model_validate_json(content)
    except ValidationError as exc:
        faults = [_describe(error) for error in exc.errors(include_url=False)]
        raise InvalidInstance(
            f"{what}: " + "; ".join(faults), hint=_near_miss(exc.errors(include_url=False))
        ) from exc


def encode(instance: AgentInstance) -> bytes:
    """The document as its owner reads it: indented, only what is set, a newline at the end."""
    document: dict[str, Any] = instance.model_dump(mode="json", exclude_unset=True)
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _describe(error: ErrorDetails) -> str:
    # pydantic puts the member of a union behind the field's name; people know the field only.
    place = ".".join(
        str(part)
        for part in error["loc"]
        if not (isinstance(part, str) and (part[:1].isupper() or part.startswith("constrained-")))
    )
    if error["type"] == "extra_forbidden":
        return f"{place}: unknown field"
    if error["type"] == "missing":
        return f"{place}: is missing"
    return f"{place}: {error['msg'][:1].lower()}{error['msg'][1:]}"


def _near_miss(errors: list[ErrorDetails]) -> str | None:
    known = {name for part in _Part.__subclasses__() for name in part.model_fields}
    for error in errors:
        if error["type"] == "extra_forbidden":
            close = difflib.get_close_matches(str(error["loc"][-1]), sorted(known), n=1)
            if close:
                return f"did you mean {close[0]!r}?"
    return None
