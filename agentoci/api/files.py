"""Writing a user's file whole or not at all."""

from agentoci._internal.files import replacing

__all__ = ["replacing"]
