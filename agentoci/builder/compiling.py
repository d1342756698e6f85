"""The compiled definition of a stage: the base's, changed by what the Agentfile says."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentoci._internal import files, limits
from agentoci.agentfile.nodes import (
    Agentfile,
    Definition,
    Interface,
    Label,
    Require,
    Set,
    Stage,
)
from agentoci.builder.bindings import RequiredTools, add_tool
from agentoci.builder.context import Context, OutsideContext
from agentoci.errors import SourceFaults
from agentoci.layers.source import reading_failed
from agentoci.spec import annotations as keys
from agentoci.spec.jsonio import Json

UNVERSIONED: Final = "0.0.0"
"""The version of an agent that declares none."""

PLAIN_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
"""The grammar of names in definitions, without importing their model."""

_PARTIAL_VERSION: Final = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A stage's definition as a document, its requirements, and what the user should know."""

    document: dict[str, Json]
    requirements: tuple[Require, ...]
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Compiler:
    """Compiles one stage; raises SourceFaults with the place in the Agentfile.

    A `version` takes the place of the one that is declared.
    """

    agentfile: Agentfile
    context: Context
    version: str | None = None
    warnings: list[str] = field(default_factory=list)

    def compile(
        self, stage: Stage, *, base: Mapping[str, Json] | None, fallback_name: str
    ) -> Compiled:
        """Apply DEFINITION, INTERFACE, SET, REQUIRE and LABEL, in this order, and check the sum."""
        document = _blank() if base is None else copy.deepcopy(dict(base))
        for step in (self._definition, self._interface, self._set, self._require, self._label):
            for instruction in stage.instructions:
                document = step(document, instruction)
        metadata = _part(document, "metadata")
        metadata["name"] = metadata.get("name") or fallback_name
        if self.version is not None:
            metadata["version"] = self.version
        if not self._is_plain(stage, document):
            self._check(stage, document)
        required = tuple(i for i in stage.instructions if isinstance(i, Require))
        return Compiled(document, required, tuple(self.warnings))

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

    def _definition(self, document: dict[str, Json], instruction: object) -> dict[str, Json]:
        if not isinstance(instruction, Definition):
            return document
        return self.read(instruction.path, self._refuse(instruction))

    def _interface(self, document: dict[str, Json], instruction: object) -> dict[str, Json]:
        if not isinstance(instruction, Interface):
            return document
        spec = _part(document, "spec")
        match instruction.kind:
            case "text":
                spec["interface"] = instruction.value
            case "file":
                refuse = self._refuse(instruction)
                spec["interface"] = self._text(instruction.value, refuse)
            case "name":
                self._named_interface(document, instruction)
        return document

    def _named_interface(self, document: dict[str, Json], instruction: Interface) -> None:
        """A name is that of an `.agentdef` in the context, else it names the agent."""
        name = instruction.value
        if self.context.lookup(f"{name}.agentdef") is not None:
            found = self.read(f"{name}.agentdef", self._refuse(instruction))
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
        for key, value in instruction.pairs:
            if key == keys.VERSION:
                metadata["version"] = self._full_version(value, instruction)
        return document

    def _full_version(self, text: str, instruction: Label) -> str:
        import semver

        full = text
        if _PARTIAL_VERSION.fullmatch(text):
            full = text + ".0" * (2 - text.count("."))
        if not semver.Version.is_valid(full):
            self._refuse(instruction)(
                f"version {text!r} is not a semantic version", "write MAJOR.MINOR.PATCH"
            )
        return full

    def read(self, path: str, refuse: Refuse) -> dict[str, Json]:
        """A definition of the context as a document; a parent is refused until it can be merged."""
        from agentoci.definition.constraints import check_expressions
        from agentoci.definition.read import definition_document, read_definition

        content = self._content(path, limits.MAX_DEFINITION_BYTES, refuse)
        definition = read_definition(content, file=path)
        check_expressions(content, file=path)
        if definition.metadata.parent is not None:
            refuse(
                f"{path}: its parent {definition.metadata.parent} cannot be merged yet",
                "write the definition out in full, without metadata.parent",
            )
        return definition_document(definition)

    def _text(self, path: str, refuse: Refuse) -> str:
        content = self._content(path, limits.MAX_DEFINITION_BYTES, refuse)
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            refuse(f"{path}: not UTF-8 text", None)
            raise

    def _content(self, path: str, limit: int, refuse: Refuse) -> bytes:
        try:
            found = self.context.lookup(path)
        except OutsideContext as exc:
            refuse(exc.message, exc.hint)
            raise
        if found is None or not found.is_regular:
            refuse(f"{path!r} is not in the context", None)
        where = self.context.locate(path)
        try:
            content = files.read_at_most(Path(where), limit)
        except OSError as exc:
            raise reading_failed(where, exc) from exc
        if len(content) > limit:
            refuse(f"{path}: larger than {limit} bytes", None)
        return content

    def _check(self, stage: Stage, document: dict[str, Json]) -> None:
        from agentoci.definition.read import check_document

        what = f"{self.agentfile.file}:{stage.place.line}: the definition"
        check_document(document, what=what)
        spec = document.get("spec")
        if isinstance(spec, dict) and spec.get("constraints"):
            from agentoci.definition.constraints import check_constraints

            check_constraints(document, what=what)

    def _refuse(self, instruction: Definition | Interface | Label) -> Refuse:
        def refuse(message: str, hint: str | None) -> None:
            raise SourceFaults([self.agentfile.fault(instruction.place, message, hint=hint)])

        return refuse


Refuse = Callable[[str, str | None], None]
"""Raises SourceFaults with a message and a hint, at the instruction it was made for."""


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
