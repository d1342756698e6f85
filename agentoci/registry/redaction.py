"""What may not be shown: signed queries, upload states, tokens and passwords."""

from __future__ import annotations

import re
from typing import Final

_RULES: Final = (
    (re.compile(r"(https?://)[^\s/@\"']+@"), r"\1"),
    (re.compile(r"(https?://[^\s?\"'<>]*)\?[^\s\"'<>]+"), r"\1?…"),
    (re.compile(r"(?i)\b(_?state|token|signature|sig|x-amz-[a-z-]+)=[^\s&\"'<>]+"), r"\1=…"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{16,}"), r"\1 …"),
)


def redacted(text: str) -> str:
    """A server's or library's text without what it may have echoed of our secrets."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
