"""Discretion: what is told of a failure holds no secret, for what is told ends in logs of CI."""

from __future__ import annotations

from agentoci.scan.content import without_secrets

__all__ = ["discreet"]


def discreet(text: str) -> str:
    """The text with every secret in it redacted; never raises."""
    try:
        return without_secrets(text)
    except UnicodeEncodeError:  # halves of surrogate pairs, which no file of ours can hold
        return discreet(text.encode("utf-8", "backslashreplace").decode())
