"""The wordings of orders to a model, in English and Chinese."""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Wording(NamedTuple):
    """What to say, and the pattern, which is tried at each of the literals (in lower case).

    The pattern begins at most `before` bytes before a literal and ends within REACH from it on.
    """

    message: str
    literals: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    before: int


_REPEATED: Final = re.compile(r"([^\x00-\x7f])([?*+{])")
"""A character of several bytes with a quantifier, which would count for its last byte only."""

REACH: Final = 160
"""Bytes from a literal on that its pattern sees."""


def _wording(message: str, literals: tuple[str, ...], pattern: str, *, before: int = 0) -> Wording:
    words = tuple(text.encode() for text in literals)
    whole = _REPEATED.sub(r"(?:\1)\2", pattern)
    return Wording(message, words, re.compile(whole.encode(), re.DOTALL), before)


_OLD: Final = (
    r"(?:previous|prior|above|earlier|preceding|former|existing|foregoing|original|system)"
)
_ORDERS: Final = r"(?:instructions?|prompts?|rules)"

_HANZI_OLD: Final = "(?:之前|以上|前面|先前|上述|上面|此前|原有|原来|系统|所有|一切|全部)"
_HANZI_ORDERS: Final = "(?:指令|指示|提示词?|规则|要求|命令|设定|约束|限制)"
_ANY: Final = "[^\n.!?]{0,30}?"

WORDINGS: Final = (
    _wording(
        "asks the model to ignore its instructions",
        ("nstruction", "prompt", "rules"),
        r"(?:ignore|disregard|forget|override)\s+"
        r"(?:(?:all|any|every|each|the|your|my|our|these|those|of)\s+){0,4}"
        rf"{_OLD}\s+(?:\w+\s+){{0,2}}?{_ORDERS}\b",
        before=120,
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
        "(?:你现在(?:是|进入)|从现在(?:起|开始)(?:\uff0c)?你(?:是|将|要)?)[^\n]{0,36}?"
        "(?:不受|没有|无|摆脱|解除|越狱|开发者模式|dan)"
        "[^\n]{0,24}?(?:限制|约束|模式|规则|审查|dan|状态)",
    ),
    _wording(
        "asks the model to hide something from the user",
        ("the user",),
        r"(?:do not|don't|never|without)\s+"
        r"(?:tell|inform|alert|notify|let|mention|reveal)(?:t?ing)?"
        r"\s+(?:(?:any of\s+)?(?:this|it|these)\s+)?(?:to\s+)?the user\b",
        before=80,
    ),
    _wording(
        "asks the model to hide something from the user",
        ("用户",),
        "(?:不要|不得|别|请勿|切勿|不能|无需)(?:将?此事?|把这)?(?:告诉|告知|让|向|通知)用户"
        "|对用户保密",
        before=40,
    ),
    _wording(
        "asks for the system prompt",
        ("nstruction", "prompt"),
        r"(?:reveal|print|output|repeat|leak|show|display|dump|disclose|expose|recite)\s+"
        r"(?:me\s+)?(?:back\s+)?(?:your|the)\s+(?:\w+\s+){0,2}?"
        r"(?:system prompt|initial instructions|hidden instructions)",
        before=120,
    ),
    _wording(
        "asks for the system prompt",
        ("系统提示", "系统指令", "系统消息"),
        "(?:输出|泄露|显示|打印|透露|复述|公开|说出|告诉我)(?:出|一下|给我)?(?:你|您)?的?"
        "(?:完整|全部|原始)?的?系统(?:提示|指令|消息)",
        before=80,
    ),
    _wording(
        "pretends to be the start of another message",
        ("<|", "<<sys>>"),
        r"<\|(?:im_start|system|start_header_id|endoftext|eot_id)\|>|<<sys>>",
    ),
    _wording(
        "asks the model to follow orders in an encoding",
        ("decode",),
        rf"decode{_ANY}(?:and|then)\s+"
        r"(?:follow|execute|run|obey|perform|act on|carry out)\b",
    ),
)
