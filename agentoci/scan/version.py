"""The version of the rules, apart from the rules, so that a build without changes imports none."""

from __future__ import annotations

from typing import Final

RULES_VERSION: Final = 2
"""Raised with every change of what is found; what was scanned by other rules is scanned again."""
