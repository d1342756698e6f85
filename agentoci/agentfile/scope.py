"""The names that `${NAME}` may stand for, and putting their values in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agentoci._internal import limits
from agentoci.agentfile.hints import near_miss
from agentoci.agentfile.places import Consequence, Mistake
from agentoci.agentfile.words import Fixed, Part, Variable, Word


@dataclass(slots=True)
class Budget:
    """How much text substitution may still produce; `ENV A=$A$A` doubles with every line."""

    left: int = limits.MAX_AGENTFILE_BYTES


@dataclass(slots=True)
class Scope:
    """The ARG and ENV values of one stage; an ENV hides an ARG of the same name."""

    budget: Budget
    build_args: Mapping[str, str]
    before_from: Mapping[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    """Names that something at fault declares: what uses them cannot be judged."""

    def child(self) -> Scope:
        """The scope of a stage that is built on this one."""
        return Scope(
            self.budget,
            self.build_args,
            self.before_from,
            dict(self.args),
            dict(self.env),
            set(self.unknown),
        )

    def declare(self, name: str, default: str | None) -> None:
        """An ARG: the value given for the build, its default, or that of the ARG before FROM."""
        if default is None and name in self.unknown and name not in self.build_args:
            return
        inherited = self.before_from.get(name, self.args.get(name, ""))
        value = inherited if default is None else default
        self.args[name] = self.build_args.get(name, value)

    def expand(self, word: Word) -> str:
        """The word's value; raises Mistake for a name that nothing declares."""
        return self._join(word, word.parts)

    def _join(self, word: Word, parts: Iterable[Part]) -> str:
        return "".join(
            part.string if isinstance(part, Fixed) else self._value(word, part) for part in parts
        )

    def _value(self, word: Word, variable: Variable) -> str:
        value = self._lookup(word, variable)
        if variable.operator == ":+":
            return self._join(word, variable.operand) if value else ""
        if variable.operator == ":-" and not value:
            return self._join(word, variable.operand)
        self.budget.left -= len(value)
        if self.budget.left < 0:
            message = "substitution makes the file too large"
            raise Mistake(word.text, variable.start, variable.end, message)
        return value

    def _lookup(self, word: Word, variable: Variable) -> str:
        name = variable.name
        if name in self.env:
            return self.env[name]
        if name in self.args:
            return self.args[name]
        message = f"{name!r} is not declared"
        if name in self.unknown:
            raise Consequence(word.text, variable.start, variable.end, message)
        raise Mistake(word.text, variable.start, variable.end, message, hint=self._hint(name))

    def _hint(self, name: str) -> str:
        if name in self.before_from:
            return (
                f"an ARG before the first FROM serves FROM alone; repeat 'ARG {name}' in this stage"
            )
        if close := near_miss(name, {*self.env, *self.args}):
            return f"did you mean {close}?"
        return (
            f"declare it on an earlier line: ARG {name} or ENV {name}=VALUE; a plain dollar is \\$"
        )
