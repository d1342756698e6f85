"""The `.agentdef` document: what an agent is, what it needs, how it acts.

The layout is that of the architecture's examples, key for key; lists are tuples, since a model
never changes. Reading one from a file is `agentoci.definition.read`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentoci.definition.behavior import Behavior, ConfigTemplate
from agentoci.definition.inheritance import Extensions, Inherit, Parents
from agentoci.definition.needs import Constraints, Knowledge, Requires
from agentoci.definition.operations import HealthCheck, Isolation, Logging, Metric, Permissions
from agentoci.definition.values import Block, FullVersion, Moment, Name, Text, unique

API_VERSION = "agent/v1"
KIND = "AgentDefinition"


class Metadata(Block):
    """What the definition is called and where it comes from."""

    name: Name
    version: FullVersion
    """A full semantic version, MAJOR.MINOR.PATCH."""
    author: Text | None = None
    created: Moment | None = None
    """A date, such as 2024-01-15."""
    tags: tuple[Text, ...] = ()
    parent: Parents | None = None
    """The definition that this one extends, as name@version; or a list of several."""
    description: Text | None = None


class Spec(Block):
    """What an agent can do, what it needs, and how it acts."""

    interface: Text | None = None
    """What the agent can do, in words: tasks, input, output."""
    requires: Requires = Requires()
    knowledge: Knowledge = Knowledge()
    behavior: Behavior = Behavior()
    config_template: ConfigTemplate = ConfigTemplate()
    constraints: Constraints = ()
    invariants: tuple[Text, ...] = ()
    """What is true at any time, in words."""
    inherit: Inherit = ()
    """What is taken over from the parent: all, or a list of parts."""
    extensions: Extensions = Extensions()


class AgentDefinition(Block):
    """What an agent is, what it needs, and how it acts."""

    api_version: Literal["agent/v1"] = Field(alias="apiVersion")
    kind: Literal["AgentDefinition"]
    metadata: Metadata
    spec: Spec
    permissions: Permissions = Permissions()
    isolation: Isolation = Isolation()
    health_check: HealthCheck = HealthCheck()
    metrics: Annotated[tuple[Metric, ...], unique("name")] = ()
    logging: Logging = Logging()
