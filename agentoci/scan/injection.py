"""Text that gives the model orders behind the reader's back: `text/prompt-injection`.

Wordings in English and Chinese, comments that address the assistant, encoded orders, and images
whose address carries data away. Words decide, so these are warnings.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Final

from agentoci.scan.runs import Span
from agentoci.scan.secrets import Spot
from agentoci.scan.wordings import REACH, WORDINGS, Wording

RULE: Final = "text/prompt-injection"

_ASCII: Final = frozenset(word for w in WORDINGS for word in w.literals if word.isascii())
_OTHER: Final = frozenset(word for w in WORDINGS for word in w.literals if not word.isascii())


def injections(window: bytes, keys: Sequence[Span]) -> Iterator[Spot]:
    """The injected prompts of a window of UTF-8 text with these runs, by kind and place."""
    lower = window.lower()
    yield from _wordings(lower)
    yield from _comments(lower)
    yield from _images(lower)
    yield from _encoded(window, [key for key in keys if key[1] - key[0] >= _ENCODED_SHORTEST])


def _wordings(lower: bytes) -> Iterator[Spot]:
    present = {word for word in _ASCII if word[:1] in lower and word in lower}
    if not lower.isascii():
        present |= {word for word in _OTHER if word in lower}
    if present:
        for wording in WORDINGS:
            for literal in present.intersection(wording.literals):
                yield from _matches(wording, literal, lower)


def _matches(wording: Wording, literal: bytes, lower: bytes) -> Iterator[Spot]:
    at = lower.find(literal)
    while at >= 0:
        match = (
            wording.pattern.search(lower, max(0, at - wording.before), at + REACH)
            if wording.before
            else wording.pattern.match(lower, at, at + REACH)
        )
        if match is not None and match.start() <= at:
            yield Spot(RULE, wording.message, match.start(), match.end())
            at = max(match.end() - 1, at)
        at = lower.find(literal, at + 1)


# Comments

_OPEN: Final = b"<!--"
_CLOSE: Final = b"-->"
_COMMENT_REACH: Final = 1500
"""Bytes of a comment that are looked at."""

_MODEL: Final = re.compile(
    rb"\b(?:assistants?|ai|llms?|chatbot|language model|copilot|gpt|claude|agents?)\b|"
    + "助手|模型|智能体".encode()
)
_ORDER: Final = re.compile(
    rb"\b(?:ignore|must|do not|don't|send|reveal|execute|never|fetch|forward|upload|secretly)\b|"
    + "忽略|必须|不要|发送|执行|泄露".encode()
)


def _comments(lower: bytes) -> Iterator[Spot]:
    """Comments of HTML and Markdown that address a model and order something."""
    at = lower.find(_OPEN) if b"<" in lower else -1
    while at >= 0:
        limit = at + _COMMENT_REACH
        end = lower.find(_CLOSE, at, limit)
        end = end if end >= 0 else min(limit, len(lower))
        if _MODEL.search(lower, at, end) and _ORDER.search(lower, at, end):
            yield Spot(RULE, "is a hidden comment that addresses the model", at, end)
        at = lower.find(_OPEN, end)


# Images

_IMAGE: Final = re.compile(rb"!\[[^\]\n]{0,200}+\]\([ <]{0,2}(https?://[^)\n]{0,600}+)\)")
_PLACEHOLDER: Final = re.compile(rb"\{\{|\$\{|\{[a-z]|%7b|<[a-z]|\[[a-z]")


def _images(lower: bytes) -> Iterator[Spot]:
    """Images of Markdown whose address has a place for what the model knows."""
    at = lower.find(b"![") if b"!" in lower else -1
    while at >= 0:
        image = _IMAGE.match(lower, at)
        if image is not None and _PLACEHOLDER.search(image[1]):
            message = "is an image whose address carries data away"
            yield Spot(RULE, message, image.start(), image.end())
        at = lower.find(b"![", at + 1)


# Encodings

_ENCODED: Final = re.compile(rb"[A-Za-z0-9+/]{40,4000}")
_ENCODED_SHORTEST: Final = 40
_MOST_ENCODED: Final = 200


def _encoded(window: bytes, keys: Sequence[Span]) -> Iterator[Spot]:
    """Base64 of a text that has such a wording in it, among the first runs."""
    for start, end in keys[:_MOST_ENCODED]:
        match = _ENCODED.search(window, start, end)
        if match is not None and any(True for _ in _wordings(_decoded(match[0]).lower())):
            yield Spot(RULE, "has orders to the model in base64", match.start(), match.end())


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text[: len(text) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""
