"""What may not be shown: signed queries, upload states, tokens and passwords."""

from __future__ import annotations

import re
from typing import Final


def _without_query(url: re.Match[str]) -> str:
    return f"{url[1]}?…" if url[2] else url[1]


# A server chooses the text, so no rule looks at a part of it again for each place to begin at.
_RULES: Final = (
    (re.compile(r"(https?://)[^\s/@\"']+@"), r"\1"),
    (re.compile(r"(https?://[^\s?\"'<>]*+)(?:(\?)[^\s\"'<>]+)?"), _without_query),
    (re.compile(r"(?i)\b(_?state|token|signature|sig|x-amz-[a-z-]{1,40})=[^\s&\"'<>]+"), r"\1=…"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{16,}"), r"\1 …"),
)


def redacted(text: str) -> str:
    """A server's or library's text without what it may have echoed of our secrets."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
