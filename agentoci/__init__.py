"""Agents as OCI artifacts: build, push, pull and run them from the registry you already have."""

from __future__ import annotations

__version__ = "0.1.0"
