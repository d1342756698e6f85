"""What an agent needs and is held to: tools, knowledge, constraints."""

from __future__ import annotations

from typing import Annotated

from agentoci.definition.tools import Tools
from agentoci.definition.values import (
    Block,
    Expression,
    Identifier,
    InnerPath,
    Text,
    unique,
)


class Requires(Block):
    """What must be there for the agent to work."""

    tools: Tools = ()


Paths = Annotated[tuple[InnerPath, ...], unique()]


class Knowledge(Block):
    """The files that an agent knows."""

    static: Paths = ()
    """Knowledge of the type, the same for every instance."""
    dynamic: Paths = ()
    """Knowledge of an instance, which it may add to."""
    principles: Paths = ()
    """What the agent always keeps to."""


class Constraint(Block):
    """A limit that the agent is held to."""

    id: Identifier
    description: Text | None = None
    validation: Expression | None = None
    """An expression that must be true."""


Constraints = Annotated[tuple[Constraint, ...], unique("id")]
