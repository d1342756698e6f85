"""How an agent acts, and what of it can be configured: `spec.behavior`, `spec.config_template`."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

from agentoci.definition.size import Size
from agentoci.definition.values import (
    Block,
    Count,
    Flag,
    Identifier,
    Temperature,
    Text,
    Url,
    check_order,
)


class MemoryLevel(StrEnum):
    """How much of what happens an agent keeps."""

    NONE = "NONE"
    BASIC = "BASIC"
    SMART = "SMART"


class RetryStrategy(StrEnum):
    """How long to wait before trying a failed step again."""

    NONE = "none"
    FIXED_DELAY = "fixed_delay"
    LINEAR_BACKOFF = "linear_backoff"
    EXPONENTIAL_BACKOFF = "exponential_backoff"


class Memory(Block):
    """What an agent remembers."""

    level: MemoryLevel | None = None
    """How much is kept: NONE, BASIC or SMART."""
    persistence: Flag | None = None
    """Whether memory outlives the process."""
    max_size: Size | None = None
    """How large memory may grow, such as 100MB."""


class Learning(Block):
    """Whether and how an agent learns."""

    enabled: Flag | None = None
    knowledge_extraction: Flag | None = None
    """Whether knowledge is drawn from finished tasks."""
    knowledge_compression: Flag | None = None
    """Whether learned knowledge is condensed."""


class Exploration(Block):
    """What an agent may look around in by itself."""

    project_exploration: Flag | None = None
    environment_discovery: Flag | None = None


class Execution(Block):
    """How an agent carries out a task."""

    max_recursion: Count | None = None
    """How deep a task may call itself or other agents."""
    timeout_seconds: Count | None = None
    retry_strategy: RetryStrategy | None = None
    enable_parallel: Flag | None = None
    max_parallel_tasks: Count | None = None


class Behavior(Block):
    """How an agent acts."""

    memory: Memory = Memory()
    learning: Learning = Learning()
    exploration: Exploration = Exploration()
    execution: Execution = Execution()


class TemperatureRange(Block):
    """Which temperatures of the model may be chosen."""

    min: Temperature | None = None
    max: Temperature | None = None
    default: Temperature | None = None

    @model_validator(mode="after")
    def _in_order(self) -> TemperatureRange:
        check_order(("min", self.min), ("default", self.default), ("max", self.max))
        return self


class ContextWindow(Block):
    """How many tokens of context the agent needs."""

    min: Count | None = None
    recommended: Count | None = None
    max: Count | None = None

    @model_validator(mode="after")
    def _in_order(self) -> ContextWindow:
        check_order(("min", self.min), ("recommended", self.recommended), ("max", self.max))
        return self


class Llm(Block):
    """Which language models fit the agent."""

    supported_models: tuple[Text, ...] = ()
    temperature: TemperatureRange = TemperatureRange()


class ConfigTemplate(Block):
    """What whoever runs the agent may configure, and within which limits."""

    llm: Llm = Llm()
    context_window: ContextWindow = ContextWindow()
    api_endpoints: dict[Identifier, Url] = Field(default_factory=dict)
    """URLs of model providers, by name."""
