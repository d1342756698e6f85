"""From an Agentfile's text to its nodes; all faults of the file at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agentoci.agentfile.assignments import parse_arg, parse_env, parse_label, parse_set
from agentoci.agentfile.commands import parse_entrypoint, parse_healthcheck
from agentoci.agentfile.context import Context, InstructionParser, Settings
from agentoci.agentfile.contract import parse_definition, parse_interface, parse_require
from agentoci.agentfile.copying import parse_copy
from agentoci.agentfile.hints import near_miss, unknown_instruction
from agentoci.agentfile.nodes import SCRATCH, Agentfile, Arg, Base, Stage
from agentoci.agentfile.places import Consequence, Mistake, Place, Text, fault_at
from agentoci.agentfile.scope import Budget, Scope
from agentoci.agentfile.stages import OpenStage, named_by, operands_of, read_base, read_name
from agentoci.agentfile.syntax import check_syntax
from agentoci.agentfile.tokens import Statement, Tokenizer, read_lines
from agentoci.errors import Fault, Invalid, SourceFaults
from agentoci.spec.jsonio import Json

MAX_FAULTS: Final = 100
MAX_STAGES: Final = 100

_PARSERS: Final[Mapping[str, InstructionParser]] = {
    "ARG": parse_arg,
    "COPY": parse_copy,
    "REQUIRE": parse_require,
    "SET": parse_set,
    "INTERFACE": parse_interface,
    "DEFINITION": parse_definition,
    "ENV": parse_env,
    "LABEL": parse_label,
    "ENTRYPOINT": parse_entrypoint,
    "HEALTHCHECK": parse_healthcheck,
}
_INSTRUCTIONS: Final = ("FROM", *_PARSERS)
_ALL: Final = frozenset(_INSTRUCTIONS)
_START: Final = Text.of_line("", Place(1, 1))
_FROM_HINT: Final = "begin with FROM NAME:TAG or FROM scratch; only ARG may stand before it"
_ONCE: Final = frozenset({"INTERFACE", "DEFINITION", "ENTRYPOINT", "HEALTHCHECK"})


def parse(
    text: str | bytes,
    *,
    file: str = "Agentfile",
    build_args: Mapping[str, str] | None = None,
    settings: Settings | None = None,
) -> Agentfile:
    """Read an Agentfile.

    Raises SourceFaults with every fault of the file, and Invalid for a build argument that no ARG
    declares; nothing else, whatever the text is. `settings` reads the text of a SET by its key,
    raising Invalid (with `part`, "key" or "value"); as a rule that is the definition's schema.
    """
    given = dict(build_args or {})
    _check_values(given)
    lines = read_lines(text, file=file)
    reader = _Reader(file, lines, given, settings or _by_definition)
    agentfile = reader.read()
    _check_declared(given, reader.declared)
    return agentfile


@dataclass(frozen=True, slots=True)
class Readable:
    """What can be read of a file, whatever its faults.

    `agentfile` is None when nothing can. `lost` are the keywords of the instructions that it is
    without: nobody can tell whether what they say is missing. Where FROM is lost, a stage that
    had a bad one, or none, starts from `scratch`.
    """

    agentfile: Agentfile | None
    lost: frozenset[str]


def parse_readable(
    text: str | bytes, *, file: str = "Agentfile", build_args: Mapping[str, str] | None = None
) -> Readable:
    """Read an Agentfile that has faults, without the instructions that have them.

    Which faults these are `parse` says; of build arguments those count that are text.
    """
    given = {name: value for name, value in (build_args or {}).items() if not _fault_of(value)}
    try:
        lines = read_lines(text, file=file)
    except SourceFaults:
        return Readable(None, _ALL)
    return _Reader(file, lines, given, _by_definition).read_on()


def _by_definition(key: str, text: str) -> Json:
    from agentoci.definition.settings import resolve_setting

    return resolve_setting(key).parse(text)


def _check_values(given: Mapping[str, str]) -> None:
    for name, value in given.items():
        if fault := _fault_of(value):
            raise Invalid(f"build argument {name!r} {fault}")


def _fault_of(value: str) -> str | None:
    if any(char in value for char in "\0\r\n"):
        return "holds a line break or a NUL character"
    if any("\ud800" <= char <= "\udfff" for char in value):
        return "is not UTF-8"
    return None


def _check_declared(given: Mapping[str, str], declared: frozenset[str]) -> None:
    for name in given:
        if name not in declared:
            close = near_miss(name, declared)
            hint = f"did you mean {close}?" if close else f"declare it in the file: ARG {name}"
            raise Invalid(f"build argument {name!r} is not declared", hint=hint)


class _Reader:
    """One pass over the statements of one file."""

    def __init__(
        self, file: str, lines: tuple[str, ...], given: Mapping[str, str], settings: Settings
    ) -> None:
        self._file = file
        self._lines = lines
        self._settings = settings
        self._faults: list[Fault] = []
        self._globals = Scope(Budget(), given)
        self._global_args: list[Arg] = []
        self._stages: list[OpenStage] = []
        self._names: dict[str, int] = {}
        self._stray: OpenStage | None = None
        self._all_names: list[str | None] = []
        self._lost: set[str] = set()
        self._told = 0
        self._follows = False
        self._global_context = self._context(self._globals)

    @property
    def declared(self) -> frozenset[str]:
        """The names of all ARGs."""
        instructions = (each for stage in self._stages for each in stage.instructions)
        args = [*self._global_args, *(each for each in instructions if isinstance(each, Arg))]
        return frozenset(arg.name for arg in args)

    def read(self) -> Agentfile:
        """The whole file; raises SourceFaults."""
        self._read()
        self._raise_faults()
        stages = tuple(stage.close(stage.base) for stage in self._stages if stage.base)
        return self._agentfile(stages)

    def read_on(self) -> Readable:
        """What is left of the file without the instructions that have faults."""
        try:
            self._read()
        except SourceFaults:  # too many
            self._lost |= _ALL
        opened = self._stages or ([self._stray] if self._stray else [])
        stages = tuple(map(_closed, opened))
        return Readable(self._agentfile(stages) if stages else None, frozenset(self._lost))

    def _agentfile(self, stages: tuple[Stage, ...]) -> Agentfile:
        return Agentfile(self._file, self._lines, tuple(self._global_args), stages)

    def _read(self) -> None:
        try:
            check_syntax(self._lines[0])
            self._read_statements()
        except Mistake as mistake:  # one that makes reading on pointless
            self._report(mistake)

    def _read_statements(self) -> None:
        statements = tuple(Tokenizer(self._lines, self._report).statements())
        if self._faults:  # it is not known where an instruction ends
            self._lost |= _ALL
        self._all_names = [named_by(each) for each in statements if each.keyword == "FROM"]
        for statement in statements:
            self._told, self._follows = len(self._faults), False
            self._global_context.attempt(self._statement, statement)
            if self._follows or len(self._faults) > self._told:
                self._lose(statement)
        if not self._stages and not self._faults:
            raise Mistake(_START, 0, 1, "the file has no FROM", hint=_FROM_HINT)

    def _lose(self, statement: Statement) -> None:
        """Do without an instruction that has faults."""
        keyword = statement.keyword
        if keyword not in _INSTRUCTIONS:
            keyword = near_miss(keyword, _INSTRUCTIONS) or keyword
        self._lost.add(keyword)
        stage = self._stages[-1] if self._stages else self._stray
        if stage is not None:
            stage.instructions = [i for i in stage.instructions if i.place != statement.place]
        self._global_args = [arg for arg in self._global_args if arg.place != statement.place]

    def _statement(self, statement: Statement) -> None:
        if statement.keyword == "FROM":
            self._open_stage(statement)
        elif statement.keyword not in _PARSERS:
            raise self._unknown(statement)
        elif statement.keyword == "ARG" and not self._stages:
            self._global_args += parse_arg(statement, self._global_context)
        else:
            self._instruction(statement)

    def _unknown(self, statement: Statement) -> Mistake:
        if near_miss(statement.keyword, _INSTRUCTIONS) == "FROM":
            self._stray = self._stray or self._thrown_away(statement)  # no more about a missing one
        hint = unknown_instruction(statement.written, _INSTRUCTIONS)
        return statement.mistake(f"unknown instruction {statement.written[:40]!r}", hint=hint)

    def _instruction(self, statement: Statement) -> None:
        stage = self._stages[-1] if self._stages else self._before_from(statement)
        first = stage.lines.setdefault(statement.keyword, statement.place.line)
        if statement.keyword in _ONCE and first != statement.place.line:
            message = f"second {statement.keyword}, the first is at line {first}"
            self._report(statement.mistake(message, hint="a stage has one; remove the other"))
        if stage.context is None:
            stage.context = self._context(stage.scope)
        stage.instructions += _PARSERS[statement.keyword](statement, stage.context)

    def _thrown_away(self, statement: Statement) -> OpenStage:
        """A stage for instructions that stand in none, so that they are checked nevertheless."""
        return OpenStage(0, self._globals.child(), statement)

    def _before_from(self, statement: Statement) -> OpenStage:
        if self._stray is None:
            self._stray = self._thrown_away(statement)
            mistake = statement.mistake(f"{statement.keyword} before FROM", hint=_FROM_HINT)
            self._report(mistake)
            self._told += 1  # it is not this instruction's fault
            self._lost.add("FROM")
        return self._stray

    def _open_stage(self, statement: Statement) -> None:
        if len(self._stages) == MAX_STAGES:
            raise statement.mistake(f"more than {MAX_STAGES} stages")
        scope = Scope(self._globals.budget, self._globals.build_args, self._globals.args)
        scope.unknown |= self._globals.unknown
        stage = OpenStage(len(self._stages), scope, statement)
        self._stages.append(stage)
        base_word, name_word = operands_of(statement)
        attempt = self._global_context.attempt
        stage.base = attempt(read_base, base_word, self._globals, self._names)
        if stage.base and stage.base.stage:
            stage.scope = self._stages[self._names[stage.base.stage]].scope.child()
        if name_word:
            stage.name = attempt(read_name, name_word, self._lines_of_names())
        if stage.name:
            self._names[stage.name] = stage.index

    def _lines_of_names(self) -> dict[str, int]:
        return {name: self._stages[at].statement.place.line for name, at in self._names.items()}

    def _context(self, scope: Scope) -> Context:
        index = len(self._stages) - 1
        above = {str(number): number for number in range(index)}
        above |= {name: at for name, at in self._names.items() if at != index}
        later = frozenset(name for name in self._all_names[max(index, 0) :] if name)
        return Context(scope, above, later - above.keys(), self._settings, self._report)

    def _report(self, mistake: Mistake) -> None:
        """Keep a mistake as a fault; a file with very many is given up."""
        if isinstance(mistake, Consequence):
            self._follows = True
            return
        self._faults.append(self._fault(mistake, mistake.message, mistake.hint))
        if len(self._faults) == MAX_FAULTS:
            message = f"more than {MAX_FAULTS} faults: the rest of the file is not read"
            self._faults.append(self._fault(mistake, message, None))
            self._raise_faults()

    def _fault(self, mistake: Mistake, message: str, hint: str | None) -> Fault:
        return fault_at(
            self._file, self._lines, mistake.place, message, width=mistake.width, hint=hint
        )

    def _raise_faults(self) -> None:
        if self._faults:
            raise SourceFaults(self._faults)


def _closed(stage: OpenStage) -> Stage:
    return stage.close(stage.base or Base(SCRATCH, None, place=stage.statement.place))
