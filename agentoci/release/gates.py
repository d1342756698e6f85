"""Gates of a pipeline: kinds of change that must not pass unseen."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from agentoci.errors import Difference, Invalid
from agentoci.release.changes import AgentDiff, Change
from agentoci.release.rules import Level, rules

_BY_NAME: Final = {
    "widened-permission": (
        "a grant, a limit, the isolation or exploring lets the agent do more",
        "permission.granted limit.raised isolation.loosened exploration.enabled",
    ),
    "narrowed-permission": (
        "a grant or a limit lets somebody do less",
        "permission.revoked limit.lowered",
    ),
    "new-tool": (
        "a tool was added, required or not",
        "tool.required-added tool.optional-added",
    ),
    "required-tool": (
        "a tool is required that was not",
        "tool.required-added tool.became-required",
    ),
    "removed-tool": (
        "a tool was removed, required or not",
        "tool.required-removed tool.optional-removed",
    ),
    "changed-tool": (
        "a tool is another one, is set otherwise, or other versions of it will do",
        "tool.target-changed tool.skill-changed tool.setting-changed tool.pin-changed tool.range-",
    ),
    "new-egress": (
        "the agent speaks to a new host, or can be told to",
        "egress.added endpoint.added endpoint.changed",
    ),
    "removed-input": (
        "an input, or the interface, was removed",
        "interface.input-removed interface.needed-input-removed interface.text-removed",
    ),
    "required-input": (
        "an input is required that was not",
        "interface.needed-input-added interface.input-became-required",
    ),
    "removed-output": (
        "an output, or the interface, was removed",
        "interface.output-removed interface.text-removed",
    ),
    "changed-interface": ("anything of the interface changed", "interface."),
    "model-changed": (
        "models, temperature or context window changed",
        "model. temperature. context.",
    ),
    "removed-constraint": (
        "a constraint, an invariant or a principle was removed, or a validation changed",
        "constraint.removed constraint.changed invariant.removed principle.removed",
    ),
    "changed-knowledge": ("a knowledge file came, went or changed", "knowledge. listed-knowledge."),
    "removed-knowledge": (
        "a knowledge file was removed",
        "knowledge.removed listed-knowledge.removed",
    ),
    "changed-entrypoint": ("the program that runs changed", "entrypoint.changed"),
    "new-executable": ("a file became executable", "file.became-executable"),
}
"""Name → what it stops, and the rules (those with an open end: families of them) it stops."""

_BY_LEVEL: Final = {
    "major": Level.MAJOR,
    "minor": Level.MINOR,
    "patch": Level.PATCH,
    "any": Level.NONE,
}


class UnknownGate(Invalid):
    """No gate and no rule is called so."""


class GateFailed(Difference):
    """A gate did not let the changes pass."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A named set of rules, or all from a level on."""

    name: str
    help: str
    rules: frozenset[str] = frozenset()
    level: Level | None = None

    def stops(self, change: Change) -> bool:
        """Whether it stops this change."""
        if self.level is not None:
            return change.level >= self.level
        return change.rule.id in self.rules


def _gates() -> dict[str, Gate]:
    made = {
        name: Gate(name, words, _expand(listed.split()))
        for name, (words, listed) in _BY_NAME.items()
    }
    for name, level in _BY_LEVEL.items():
        words = "anything changed, the version included"
        if level > Level.NONE:
            words = f"the verdict is {level}" + (" or more" if level < Level.MAJOR else "")
        made[name] = Gate(name, words, level=level)
    return made


def _expand(listed: Sequence[str]) -> frozenset[str]:
    families = tuple(name for name in listed if name.endswith((".", "-")))
    inside = {rule_id for rule_id in rules() if rule_id.startswith(families)}
    return frozenset(inside.union(name for name in listed if name in rules()))


GATES: Final = MappingProxyType(_gates())
"""Every gate by its name. A rule's id is the name of a gate that stops this rule alone."""


def parse_gate(name: str) -> Gate:
    """The gate of this name; raises UnknownGate with the nearest one."""
    if name in GATES:
        return GATES[name]
    if name in rules():
        return Gate(name, rules()[name].title, frozenset({name}))
    near = difflib.get_close_matches(name, [*GATES, *rules()], 1)
    hint = f"did you mean '{near[0]}'?" if near else f"gates are: {', '.join(GATES)}"
    raise UnknownGate(f"there is no gate {name!r}", hint=hint)


def check_gates(diff: AgentDiff, gates: Sequence[Gate]) -> None:
    """Raise GateFailed, which names every gate that stops something and what it stops."""
    failed: list[str] = []
    for gate in gates:
        stopped = [change.title for change in diff.changes if gate.stops(change)]
        if stopped:
            more = f" and {len(stopped) - 3} more" if len(stopped) > 3 else ""
            failed.append(f"{gate.name} ({', '.join(stopped[:3])}{more})")
    if failed:
        raise GateFailed(f"gate{'s' if len(failed) > 1 else ''} not passed: {'; '.join(failed)}")
