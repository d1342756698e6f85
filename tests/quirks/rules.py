"""The rules of the distribution-spec (1.1) that clients live by, as checks of one registry.

Each rule is a function that asserts what the specification says: the MUSTs, and those
SHOULDs that clients count on. Its docstring begins with the section; tables use its name.
"""

from __future__ import annotations

from tests.quirks import blobrules, manifestrules
from tests.quirks.table import RULES, broken_rules, title

__all__ = ["RULES", "blobrules", "broken_rules", "manifestrules", "title"]
