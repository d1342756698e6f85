"""Values of changes for people: on one line, short, before and after."""

from __future__ import annotations

from typing import Final

from agentoci.definition.toolkinds import tool_kind_of
from agentoci.release.changes import Change
from agentoci.release.rules import Section
from agentoci.spec.jsonio import Json, canonical_plain

MAX_VALUE: Final = 100
"""Characters of one value; the JSON report has it whole."""

_ALONE: Final = ("interface.", "listed-knowledge", "principle", "invariant", "egress")
"""Rules whose subject says everything."""


def describe_values(change: Change) -> str:
    """`before → after`, or the one there is; nothing where the subject says it all."""
    rule = change.rule.id
    if change.section in (Section.KNOWLEDGE, Section.FILES):
        return _describe_file(change)
    if rule.startswith(_ALONE) or change.before is change.after is None:
        return ""
    if rule.startswith("tool.") and rule.endswith(("-added", "-removed")):
        return _describe_tool(change.after or change.before)
    if change.section is Section.CONSTRAINTS and isinstance(change.before or change.after, dict):
        return _describe_constraint(change)
    before, after = show(change.before), show(change.after)
    if rule.endswith((".added", ".removed")):
        return before if change.after is None else after
    return f"{before} → {after}"


def show(value: Json) -> str:
    """One value on one line; `unset` for none."""
    if value is None:
        return "unset"
    if isinstance(value, dict) and value.keys() <= {"min", "max"}:
        return f"{value.get('min', '…')} to {value.get('max', '…')}"
    if isinstance(value, dict):
        text = ", ".join(f"{key}: {show(inner)}" for key, inner in value.items())
    elif isinstance(value, list) and all(isinstance(one, str) for one in value):
        text = ", ".join(str(one) for one in value) or "none"
    elif isinstance(value, str):
        text = " ".join(value.split())
    else:
        text = canonical_plain(value).decode()
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"


def _describe_file(change: Change) -> str:
    if change.rule.id.endswith(".moved"):
        return f"from {change.before}"
    found = change.after if isinstance(change.after, dict) else change.before
    if isinstance(found, dict) and "link" in found:
        return f"→ {found['link']}"
    return ""


def _describe_tool(tool: Json) -> str:
    """The range, or what runs or is called behind the name."""
    if not isinstance(tool, dict):
        return ""
    kind = tool_kind_of(tool)
    return str(tool.get("version", "*")) if kind is None else f"{kind} {_address(tool[kind])}"


def _address(target: Json) -> str:
    """Where a tool is reached, or what is run for it."""
    if isinstance(target, dict):
        for key in ("url", "card", "reference", "path", "command"):
            if key in target:
                return show(target[key])
    return show(target)


def _describe_constraint(change: Change) -> str:
    shown = [
        show(side.get("validation") or side.get("description"))
        for side in (change.before, change.after)
        if isinstance(side, dict)
    ]
    return " → ".join(dict.fromkeys(shown))
