"""Whether a text that looks like a secret is one: entropy, and what stands for a value only."""

from __future__ import annotations

import re
from collections import Counter
from math import log2
from typing import Final

_PLACEHOLDER: Final = re.compile(
    rb"(?i)example|sample|placeholder|change.?me|replace|insert|your|dummy|fake|redacted|"
    rb"foo.?bar|test(?:ing)?[_-]|[_-]test|mock|not[_-]?a?[_-]?real|invalid|"
    rb"x{4,}|\*{3,}|\.{3,}|0{6,}|(.)\1{5,}|(?:0?123456|abcdef|qwerty)|"
    rb"[<>{}$\[\]()]|%[a-z_]{2,40}%|^env:|^file:|^vault:|^secrets?[:./]|^https?:"
)


def entropy(text: bytes) -> float:
    """Shannon's, in bits for each character."""
    total = len(text)
    return -sum(n / total * log2(n / total) for n in Counter(text).values())


def is_placeholder(text: bytes) -> bool:
    """Whether it stands for a value: `changeme`, `xxxx`, `${NAME}`, `env:NAME`, `<token>`."""
    return _PLACEHOLDER.search(text) is not None
