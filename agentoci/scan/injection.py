"""Text that gives the model orders behind the reader's back: `text/prompt-injection`.

Wordings in English and Chinese, comments that address the assistant, encoded orders, and images
whose address carries data away. Words decide, so these are warnings.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from agentoci.scan.runs import Span
from agentoci.scan.secrets import Spot

RULE: Final = "text/prompt-injection"


class Wording(NamedTuple):
    """What to say, and the pattern, which is tried near each of the literals (in lower case).

    The pattern ends within `reach` bytes from a literal on.
    """

    message: str
    literals: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    reach: int


def _wording(message: str, literals: tuple[str, ...], pattern: str, *, reach: int = 160) -> Wording:
    return Wording(
        message,
        tuple(text.encode() for text in literals),
        re.compile(pattern.encode(), re.DOTALL),
        reach,
    )


_OLD: Final = (
    r"(?:previous|prior|above|earlier|preceding|former|existing|foregoing|original|system)"
)
_ORDERS: Final = r"(?:instructions?|prompts?|rules)"

_HANZI_OLD: Final = "(?:之前|以上|前面|先前|上述|上面|此前|原有|原来|系统|所有|一切|全部)"
_HANZI_ORDERS: Final = "(?:指令|指示|提示词?|规则|要求|命令|设定|约束|限制)"
_COMMENT: Final = "(?:(?!-->).){0,600}"
_MODEL: Final = (
    r"(?:\b(?:assistants?|ai|llms?|chatbot|language model|copilot|gpt|claude|agents?)\b"
    "|助手|模型|智能体)"
)
_ORDER: Final = (
    r"(?:\b(?:ignore|must|do not|don't|send|reveal|execute|never|fetch|forward|upload|secretly)\b"
    "|忽略|必须|不要|发送|执行|泄露)"
)
_ANY: Final = "[^\n.!?]{0,30}?"

WORDINGS: Final = (
    _wording(
        "asks the model to ignore its instructions",
        ("nstruction", "prompt", "rules"),
        r"(?:ignore|disregard|forget|override)\s+"
        r"(?:(?:all|any|every|each|the|your|my|our|these|those|of)\s+){0,4}"
        rf"{_OLD}\s+(?:\w+\s+){{0,2}}?{_ORDERS}\b",
    ),
    _wording(
        "asks the model to ignore its instructions",
        ("忽略", "无视", "忘记", "忘掉", "不要理会", "不要遵守", "抛弃"),
        rf"(?:忽略|无视|忘记|忘掉|不要理会|不要遵守|抛弃)"
        rf"(?:你|您|掉|了|的|所有|一切|全部|任何|在|到){{0,6}}{_HANZI_OLD}"
        rf"(?:的|所有|一切|全部|任何|你|给出|收到){{0,6}}{_HANZI_ORDERS}",
    ),
    _wording(
        "gives the model another role",
        ("you are now ",),
        r"you are now (?:dan\b|stan\b"
        r"|an? (?:unrestricted|unfiltered|jailbroken|evil|different|new|uncensored)\b"
        r"|in (?:developer|debug|admin|god|root|dan|maintenance) mode"
        r"|no longer (?:an?|bound|restricted|required)\b"
        r"|free (?:of|from)\b|jailbroken|unrestricted|unfiltered|uncensored)",
    ),
    _wording(
        "gives the model another role",
        ("你现在", "从现在"),
        "(?:你现在(?:是|进入)|从现在(?:起|开始)(?:\uff0c)?你(?:是|将|要)?)[^\n。]{0,12}?"
        "(?:不受|没有|无|摆脱|解除|越狱|开发者模式|dan)"
        "[^\n。]{0,8}?(?:限制|约束|模式|规则|审查|dan|状态)",
    ),
    _wording(
        "asks the model to hide something from the user",
        ("the user",),
        r"(?:do not|don't|never|without)\s+"
        r"(?:tell|inform|alert|notify|let|mention|reveal)(?:t?ing)?"
        r"\s+(?:(?:any of\s+)?(?:this|it|these)\s+)?(?:to\s+)?the user\b",
    ),
    _wording(
        "asks the model to hide something from the user",
        ("用户",),
        "(?:不要|不得|别|请勿|切勿|不能|无需)(?:将?此事?|把这)?(?:告诉|告知|让|向|通知)用户"
        "|对用户保密",
    ),
    _wording(
        "asks for the system prompt",
        ("nstruction", "prompt"),
        r"(?:reveal|print|output|repeat|leak|show|display|dump|disclose|expose|recite)\s+"
        r"(?:me\s+)?(?:back\s+)?(?:your|the)\s+(?:\w+\s+){0,2}?"
        r"(?:system prompt|initial instructions|hidden instructions)",
    ),
    _wording(
        "asks for the system prompt",
        ("系统提示", "系统指令", "系统消息"),
        "(?:输出|泄露|显示|打印|透露|复述|公开|说出|告诉我)(?:出|一下|给我)?(?:你|您)?的?"
        "(?:完整|全部|原始)?的?系统(?:提示|指令|消息)",
    ),
    _wording(
        "pretends to be the start of another message",
        ("<|", "<<sys>>"),
        r"<\|(?:im_start|system|start_header_id|endoftext|eot_id)\|>|<<sys>>",
    ),
    _wording(
        "is a hidden comment that addresses the model",
        ("<!--",),
        rf"<!--(?={_COMMENT}?{_MODEL})(?={_COMMENT}?{_ORDER}){_COMMENT}",
        reach=1400,
    ),
    _wording(
        "asks the model to follow orders in an encoding",
        ("decode",),
        rf"decode{_ANY}(?:and|then)\s+"
        r"(?:follow|execute|run|obey|perform|act on|carry out)\b",
    ),
    _wording(
        "is an image whose address carries data away",
        ("![",),
        r"!\[[^\]\n]{0,200}\]\(\s?<?https?://[^)\s]{0,300}?[?&/=][^)\s]{0,100}?"
        r"(?:\{\{?|\$\{|%7b|<[a-z]|\[[a-z])[^)\n]{0,200}\)",
        reach=900,
    ),
)

_BEFORE: Final = 120
"""Bytes before a literal in which its pattern may begin."""

_ENCODED: Final = re.compile(rb"[A-Za-z0-9+/]{40,4000}")
_ENCODED_SHORTEST: Final = 40
_MOST_ENCODED: Final = 200


def injections(window: bytes, keys: Sequence[Span]) -> Iterator[Spot]:
    """The injected prompts of a window of UTF-8 text with these runs, by wording and place."""
    yield from _wordings(window)
    yield from _encoded(window, [key for key in keys if key[1] - key[0] >= _ENCODED_SHORTEST])


_ASCII: Final = frozenset(word for w in WORDINGS for word in w.literals if word.isascii())
_OTHER: Final = frozenset(word for w in WORDINGS for word in w.literals if not word.isascii())


def _wordings(window: bytes) -> Iterator[Spot]:
    lower = window.lower()
    present = {word for word in _ASCII if word[:1] in lower and word in lower}
    if not window.isascii():
        present |= {word for word in _OTHER if word in lower}
    if present:
        for wording in WORDINGS:
            for literal in present.intersection(wording.literals):
                yield from _matches(wording, literal, lower)


def _matches(wording: Wording, literal: bytes, lower: bytes) -> Iterator[Spot]:
    at = lower.find(literal)
    while at >= 0:
        match = wording.pattern.search(lower, max(0, at - _BEFORE), at + wording.reach)
        if match is not None and match.start() <= at:
            yield Spot(RULE, wording.message, match.start(), match.end())
            at = max(match.end() - 1, at)
        at = lower.find(literal, at + 1)


def _encoded(window: bytes, keys: Sequence[Span]) -> Iterator[Spot]:
    """Base64 of a text that has such a wording in it."""
    for start, end in keys[:_MOST_ENCODED]:
        match = _ENCODED.search(window, start, end)
        if match is not None and any(True for _ in _wordings(_decoded(match[0]))):
            yield Spot(RULE, "has orders to the model in base64", match.start(), match.end())


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text[: len(text) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""
