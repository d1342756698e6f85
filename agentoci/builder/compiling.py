"""The compiled definition of a stage: the base's, changed by what the Agentfile says."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, NoReturn

from agentoci._internal import limits
from agentoci.agentfile.nodes import (
    Agentfile,
    Definition,
    Interface,
    Label,
    Require,
    Set,
    Stage,
)
from agentoci.agentfile.places import Place
from agentoci.builder.bindings import RequiredTools, add_tool
from agentoci.builder.called import interface_files
from agentoci.builder.context import Context
from agentoci.builder.lineages import Definitions, Ground, Refuse, weakened, with_agentfile
from agentoci.definition.lineage import NO_LINEAGE, Lineage
from agentoci.errors import AgentociError, Fault, SourceFaults
from agentoci.spec import annotations as keys
from agentoci.spec.jsonio import Json

if TYPE_CHECKING:
    from agentoci.definition.parents import Find

UNVERSIONED: Final = "0.0.0"
"""The version of an agent that declares none."""

PLAIN_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
"""The grammar of names in definitions, without importing their model."""

_PARTIAL_VERSION: Final = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A stage's definition as a document, its requirements, and what the user should know.

    The lineage says what of the document comes from where.
    """

    document: dict[str, Json]
    requirements: tuple[Require, ...]
    warnings: tuple[str, ...] = ()
    lineage: Lineage = NO_LINEAGE


@dataclass(slots=True)
class Compiler:
    """Compiles one stage; raises SourceFaults with all places in the Agentfile and its files.

    `find` finds parents. A `version` takes the place of the one that is declared.
    """

    agentfile: Agentfile
    context: Context
    find: Find
    version: str | None = None
    warnings: list[str] = field(default_factory=list)

    def compile(self, stage: Stage, *, ground: Ground, fallback_name: str) -> Compiled:
        """Apply DEFINITION, INTERFACE, SET, REQUIRE and LABEL, in this order, and check the sum."""
        definitions = Definitions(self.context, self.find, ground)
        faults = _Faults()
        start = ground.lineage
        with faults.gathering():
            start = self._start(stage, definitions)
        document = copy.deepcopy(start.document()) if start.entries else _blank()
        for instruction in stage.instructions:
            with faults.gathering():
                self._interface(document, instruction, definitions)
        for step in (self._set, self._require, self._label):
            for instruction in stage.instructions:
                with faults.gathering():
                    document = step(document, instruction)
        faults.conclude()
        metadata = _part(document, "metadata")
        metadata["name"] = metadata.get("name") or fallback_name
        if self.version is not None:
            metadata["version"] = self.version
        if not self._is_plain(stage, document):
            self._check(stage, document)
        if start.entries:
            self._check_kept(stage, start.document(), document)
        required = tuple(i for i in stage.instructions if isinstance(i, Require))
        lineage = with_agentfile(start, document)
        return Compiled(lineage.document(), required, tuple(self.warnings), lineage)

    def _is_plain(self, stage: Stage, document: dict[str, Json]) -> bool:
        """Whether nothing was said that could break the schema, whose import is not for free.

        The base's definition was checked when the base was built.
        """
        said = (Definition, Require, Set)
        name = str(_part(document, "metadata")["name"])
        return PLAIN_NAME.fullmatch(name) is not None and not any(
            isinstance(i, said) or (isinstance(i, Interface) and i.kind != "name")
            for i in stage.instructions
        )

    def _start(self, stage: Stage, definitions: Definitions) -> Lineage:
        """What the Agentfile changes: the last DEFINITION with its parents, else the base's."""
        lineage = definitions.ground.lineage
        for instruction in stage.instructions:
            if isinstance(instruction, Definition):
                lineage = definitions.read(instruction.path, self._refuse(instruction))
        return lineage

    def _interface(
        self, document: dict[str, Json], instruction: object, definitions: Definitions
    ) -> None:
        if not isinstance(instruction, Interface):
            return
        spec = _part(document, "spec")
        match instruction.kind:
            case "text":
                spec["interface"] = instruction.value
            case "file":
                refuse = self._refuse(instruction)
                spec["interface"] = _text(definitions, instruction.value, refuse)
            case "name":
                self._named_interface(document, instruction, definitions)

    def _named_interface(
        self, document: dict[str, Json], instruction: Interface, definitions: Definitions
    ) -> None:
        """A name is that of an `.agentdef` in the context's root, else it names the agent."""
        name = instruction.value
        files = interface_files(self.context, name)
        if len(files) > 1:
            self._refuse(instruction)(
                f"{' and '.join(files)} are both called {name}",
                f"call the right file {name}.agentdef, or write DEFINITION FILE",
            )
        for path in files:
            found = definitions.read(path, self._refuse(instruction)).document()
            document["metadata"] = {**_part(found, "metadata")}
            _part(document, "spec")["interface"] = _part(found, "spec").get("interface")
            return
        metadata = _part(document, "metadata")
        if metadata.get("name") not in (name, "", None):
            metadata["version"] = UNVERSIONED
            metadata.pop("description", None)
        metadata["name"] = name

    def _set(self, document: dict[str, Json], instruction: object) -> dict[str, Json]:
        if not isinstance(instruction, Set):
            return document
        from agentoci.definition.settings import apply_setting, resolve_setting

        return apply_setting(document, resolve_setting(instruction.key), instruction.value)

    def _require(self, document: dict[str, Json], instruction: object) -> dict[str, Json]:
        if not isinstance(instruction, Require):
            return document
        requires = _part(_part(document, "spec"), "requires")
        tools = requires.setdefault("tools", [])
        if not isinstance(tools, list):
            return document
        required = RequiredTools(self.agentfile, self.context, self.warnings.append)
        for made in required.entries(instruction):
            add_tool(tools, made)
        return document

    def _label(self, document: dict[str, Json], instruction: object) -> dict[str, Json]:
        if not isinstance(instruction, Label):
            return document
        metadata = _part(document, "metadata")
        for (key, value), place in zip_longest(instruction.pairs, instruction.value_places):
            if key == keys.VERSION:
                metadata["version"] = self._full_version(value, place or instruction.place)
        return document

    def _full_version(self, text: str, place: Place) -> str:
        import semver

        full = text
        if _PARTIAL_VERSION.fullmatch(text):
            full = text + ".0" * (2 - text.count("."))
        if not semver.Version.is_valid(full):
            message = f"version {text!r} is not a semantic version"
            hint = "write MAJOR.MINOR.PATCH"
            raise SourceFaults([self.agentfile.fault(place, message, hint=hint)])
        return full

    def _check(self, stage: Stage, document: dict[str, Json]) -> None:
        from agentoci.definition.read import check_document

        what = f"{self.agentfile.file}:{stage.place.line}: the definition"
        check_document(document, what=what)
        spec = document.get("spec")
        if isinstance(spec, dict) and spec.get("constraints"):
            from agentoci.definition.constraints import check_constraints

            check_constraints(document, what=what)

    def _check_kept(self, stage: Stage, before: dict[str, Json], document: dict[str, Json]) -> None:
        """An Agentfile is held to what the definition under it is held to."""
        lost = weakened(before, document)
        if lost is None:
            return
        name, entry = lost
        for instruction in stage.instructions:
            if isinstance(instruction, Set) and instruction.key.split(".")[0] == name:
                self._refuse(instruction)(
                    f"SET {name} leaves out {entry[:60]!r} of the definition under it",
                    f"{name} are only added: list all of them and yours",
                )

    def _refuse(self, instruction: Definition | Interface | Set) -> Refuse:
        def refuse(message: str, hint: str | None) -> NoReturn:
            raise SourceFaults([self.agentfile.fault(instruction.place, message, hint=hint)])

        return refuse


class _Faults:
    """Gathers what single instructions are at fault for, so that all of it is told at once."""

    def __init__(self) -> None:
        self._found: dict[Fault, None] = {}
        self._other: AgentociError | None = None

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Keep the faults that the block raises, or that a parent cannot be had."""
        try:
            yield
        except SourceFaults as exc:
            self._found |= dict.fromkeys(exc.faults)
        except AgentociError as exc:
            self._other = self._other or exc

    def conclude(self) -> None:
        """Raise what was kept; what files are at fault for comes before a missing parent."""
        if self._found:
            raise SourceFaults([*self._found]) from self._other
        if self._other is not None:
            raise self._other


def _text(definitions: Definitions, path: str, refuse: Refuse) -> str:
    content = definitions.content(path, limits.MAX_DEFINITION_BYTES, refuse)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        refuse(f"{path}: not UTF-8 text", None)


def _blank() -> dict[str, Json]:
    return {
        "apiVersion": "agent/v1",
        "kind": "AgentDefinition",
        "metadata": {"name": "", "version": UNVERSIONED},
        "spec": {},
    }


def _part(document: dict[str, Json], key: str) -> dict[str, Json]:
    found = document.setdefault(key, {})
    if not isinstance(found, dict):
        found = document[key] = {}
    return found
