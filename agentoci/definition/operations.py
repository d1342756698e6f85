"""The blocks beside `spec`: permissions, isolation, health check, metrics, logging."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import model_validator

from agentoci.definition.size import Size
from agentoci.definition.values import (
    Block,
    Count,
    HealthEndpoint,
    LabelName,
    MetricName,
    Name,
    Text,
    Url,
    refused,
    unique,
)


class Action(StrEnum):
    """What a user may do with an instance."""

    CREATE = "create"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    PAUSE = "pause"
    RESUME = "resume"
    DELETE = "delete"
    READ = "read"
    EXECUTE = "execute"
    CHECKPOINT = "checkpoint"
    RESTORE = "restore"
    COMMIT = "commit"
    EXPORT = "export"
    IMPORT = "import"
    MIGRATE = "migrate"
    UPGRADE = "upgrade"


class Grant(Block):
    """What one user may do."""

    user: Name
    actions: tuple[Action, ...]


class ResourceLimits(Block):
    """What an instance may use up."""

    max_memory: Size | None = None
    max_disk: Size | None = None
    max_api_calls_per_hour: Count | None = None


class Permissions(Block):
    """Who may do what, and how much an instance may use."""

    execution: Annotated[tuple[Grant, ...], unique("user")] = ()
    resource_limits: ResourceLimits = ResourceLimits()


class Network(StrEnum):
    """Which network an instance sees: its own, or the host's."""

    ISOLATED = "isolated"
    HOST = "host"


class Filesystem(StrEnum):
    """Which files an instance sees: its own, or the host's."""

    SANDBOXED = "sandboxed"
    HOST = "host"


class Process(StrEnum):
    """Which processes an instance sees: its own, or the host's."""

    CONTAINERIZED = "containerized"
    HOST = "host"


class Resource(StrEnum):
    """Who holds an instance to its limits."""

    CGROUP_LIMITED = "cgroup_limited"
    UNLIMITED = "unlimited"


class Isolation(Block):
    """What separates an instance from the host."""

    network: Network | None = None
    filesystem: Filesystem | None = None
    process: Process | None = None
    resource: Resource | None = None


class HealthCheck(Block):
    """How to find out whether an instance is well."""

    endpoint: HealthEndpoint | None = None
    """A path that the agent answers, such as /health, or an http URL."""
    interval_seconds: Count | None = None
    timeout_seconds: Count | None = None
    healthy_threshold: Count | None = None
    """Successes in a row that make an instance healthy."""
    unhealthy_threshold: Count | None = None
    """Failures in a row that make an instance unhealthy."""


class MetricType(StrEnum):
    """The kinds of metrics that Prometheus knows."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"


class Metric(Block):
    """One metric that an agent reports."""

    name: MetricName
    type: MetricType
    labels: tuple[LabelName, ...] = ()


class LogLevel(StrEnum):
    """From which severity on messages are logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class LogFormat(StrEnum):
    """How a log line looks."""

    JSON = "json"
    TEXT = "text"


class LogOutputType(StrEnum):
    """Where log lines go."""

    STDOUT = "stdout"
    STDERR = "stderr"
    FILE = "file"
    ELASTICSEARCH = "elasticsearch"


class LogOutput(Block):
    """One place that log lines go to: a file has a `path`, a service an `endpoint`."""

    type: LogOutputType
    path: Text | None = None
    endpoint: Url | None = None

    @model_validator(mode="after")
    def _has_its_target(self) -> LogOutput:
        wants = {LogOutputType.FILE: "path", LogOutputType.ELASTICSEARCH: "endpoint"}.get(self.type)
        if wants and wants not in self.model_fields_set:
            raise refused(f"an output of type {self.type} needs '{wants}'")
        for extra in sorted({"path", "endpoint"} & self.model_fields_set - {wants}):
            raise refused(f"an output of type {self.type} has no '{extra}'", at=(extra,))
        return self


class Logging(Block):
    """What is logged, how, and where to."""

    level: LogLevel | None = None
    format: LogFormat | None = None
    outputs: tuple[LogOutput, ...] = ()
