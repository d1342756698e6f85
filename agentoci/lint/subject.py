"""What is linted: a folder, its Agentfile or definition, and what a build would make of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agentoci.agentfile import Agentfile, Copy, Interface, Place, Set, Stage
from agentoci.builder.context import Context
from agentoci.builder.copying import CopiedFile
from agentoci.builder.finding import find_lock
from agentoci.definition.places import Located
from agentoci.definition.places import Path as Keys
from agentoci.errors import Fault
from agentoci.lint.discretion import discreet
from agentoci.lint.findings import Edit, Finding, Severity
from agentoci.lint.rules import family, rule_of
from agentoci.spec.jsonio import Json


@dataclass(frozen=True, slots=True)
class Options:
    """What to lint and how: `file` as for a build, values for ARGs, rules that are left out."""

    file: Path | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    disabled: frozenset[str] = frozenset()
    allowed_secrets: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Copied:
    """A file that a COPY brings."""

    instruction: Copy
    file: CopiedFile


@dataclass(slots=True)
class Subject:
    """Everything that rules look at; what could not be read is None or missing, and reported.

    `agentfile` is what can be read of it, without the instructions of the keywords `lost`, and made
    up (`is_made_up`) when there is only a definition. `definitions` are those that it names,
    `others` those beside them, `unread` the paths of those that are no YAML; `required` are the
    files of required skills. `document` is the compiled definition, with the base's part if the
    base is here; `draft` is what a definition says that cannot be compiled.
    """

    context: Context
    options: Options
    path: Path
    is_made_up: bool = False
    lines: tuple[str, ...] = ()
    agentfile: Agentfile | None = None
    definitions: dict[str, Located] = field(default_factory=dict)
    others: dict[str, Located] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    copied: list[Copied] = field(default_factory=list)
    required: list[CopiedFile] = field(default_factory=list)
    document: Mapping[str, Json] | None = None
    draft: Mapping[str, Json] | None = None
    findings: list[Finding] = field(default_factory=list)
    error_places: set[tuple[str | int, ...]] = field(default_factory=set)
    """The lines of errors, as file and line, and their places, with the column."""

    def knows(self, *keywords: str) -> bool:
        """Whether all instructions of these keywords could be read: none is missing by a fault."""
        return self.lost.isdisjoint(keywords)

    def is_faulty(self, fault: Fault) -> bool:
        """Whether an error was found at the very place of a fault."""
        return (fault.file, fault.line, fault.column) in self.error_places

    def add_cause(self, rule: str, fault: Fault) -> None:
        """Report an error unless there is one on this line: then it follows from that one."""
        if (fault.file, fault.line) not in self.error_places:
            self.add(rule, fault)

    def shown(self, path: str) -> str:
        """A path of the context as the user would write it from where he is."""
        return os.path.normpath(f"{self.context.root}/{path}")

    @property
    def file(self) -> str:
        """The Agentfile, or the definition in its place, as the user would write it."""
        return os.path.normpath(self.path)

    @property
    def lock(self) -> Path:
        """Where its lock is, if it has one."""
        return find_lock(self.context.root, self.options.file)

    def add(self, rule: str, fault: Fault, *, fix: Edit | None = None, secret: str = "") -> None:
        """Report a finding of a rule, unless the rule is switched off."""
        if not {rule, family(rule)} & self.options.disabled:
            severity = rule_of(rule).severity
            self.findings.append(Finding(rule, severity, discreet(fault), fix, secret))
            if severity is Severity.ERROR:
                self.error_places |= {
                    (fault.file, fault.line),
                    (fault.file, fault.line, fault.column),
                }

    def at_instruction(
        self, place: Place, message: str, *, width: int = 1, hint: str | None = None
    ) -> Fault:
        """A fault in the Agentfile; in a made up one there are no places but the start."""
        if self.agentfile is None or self.is_made_up:
            return self.at_line(1, 1, message, hint=hint)
        fault = self.agentfile.fault(place, message, width=width, hint=hint)
        return Fault(
            self.file, fault.line, fault.column, message, fault.text, fault.width, hint=hint
        )

    def at_line(
        self, line: int, column: int, message: str, *, width: int = 1, hint: str | None = None
    ) -> Fault:
        """A fault on a line of the Agentfile, or of the definition in its place."""
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return Fault(self.file, line, column, message, text, width, hint)

    def at_value(
        self, keys: Keys, message: str, *, hint: str | None = None, at_key: bool = False
    ) -> Fault:
        """A fault at a value of the compiled definition: where it was written last."""
        if (setting := self._setting(keys)) is not None:
            return self.at_instruction(
                setting.key_place, message, width=len(setting.key), hint=hint
            )
        if keys == ("spec", "interface") and (interface := self._interface()) is not None:
            return self.at_instruction(interface, message, width=len("INTERFACE"), hint=hint)
        for located in (*self.definitions.values(), *self.others.values()):
            written = located.value(keys)
            if written is not None and written == value_at(self.document or self.draft, keys):
                return located.fault(keys, message, hint=hint, at_key=at_key)
        stage = self.final
        if self.is_made_up or stage is None:
            return self.at_nearest(keys, message, hint=hint)
        return self.at_instruction(stage.place, message, width=len("FROM"), hint=hint)

    def at_nearest(self, keys: Keys, message: str, *, hint: str | None = None) -> Fault:
        """A fault about something that is not there: in a definition where it would be."""
        for located in self.definitions.values():
            return located.fault(keys, message, hint=hint, at_key=True)
        stage = self.final
        place = stage.place if stage is not None else Place(1, 1)
        return self.at_instruction(place, message, width=len("FROM"), hint=hint)

    @property
    def final(self) -> Stage | None:
        """The stage that becomes the image."""
        return self.agentfile.final if self.agentfile else None

    @property
    def stands_alone(self) -> bool:
        """Whether nothing comes from a base image, so that what is missing here is missing."""
        stage = self.final
        return stage is not None and stage.base.is_scratch and self.knows("FROM")

    def _interface(self) -> Place | None:
        """Where the final stage says its interface itself: a file, or a text."""
        found = None
        for instruction in self.final.instructions if self.final else ():
            if isinstance(instruction, Interface) and instruction.kind != "name":
                found = instruction.place
        return found

    def _setting(self, keys: Keys) -> Set | None:
        from agentoci.definition.settings import resolve_setting

        stage = self.final
        found = None
        for instruction in stage.instructions if stage else ():
            if isinstance(instruction, Set) and resolve_setting(instruction.key).path == keys:
                found = instruction
        return found


def value_at(document: Json | Mapping[str, Json], path: Keys) -> Json:
    """The value at a path of a document; None when there is none."""
    value: object = document
    for step in path:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value  # type: ignore[return-value]  # a part of a document
