"""The scan of a build: nothing with a secret in it becomes an image, unless each is let through.

What COPY packs is scanned as it is read for packing, and what was found is kept with the layer's
cache record. The Agentfile, definitions, interface texts, values of ENV and LABEL, build arguments
and the compiled definition are scanned by themselves. Not scanned: the layers and the definition of
a base image, which somebody released as they are, and archives that lie in the context.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from agentoci._internal import files, limits
from agentoci.agentfile import Agentfile
from agentoci.agentfile.nodes import Definition, Env, Interface, Label, Stage
from agentoci.builder.called import interface_files
from agentoci.builder.context import Context, OutsideContext
from agentoci.builder.copying import CopiedFile
from agentoci.builder.report import BuildReport
from agentoci.builder.shown import shown_path
from agentoci.errors import Denied
from agentoci.layers.pack import contents
from agentoci.layers.tar import TarEntry
from agentoci.scan.content import Scanner, scan_content
from agentoci.scan.findings import Finding, Kind
from agentoci.scan.names import name_finding
from agentoci.scan.version import RULES_VERSION
from agentoci.spec.jsonio import Json, canonical

SHOWN_WARNINGS: Final = 20
"""Findings in texts that a build tells; lint tells all."""

MAX_KEPT: Final = 1000
"""Findings kept with a layer, secrets first; the last one says that there were more."""

_UNSCANNED: Final = frozenset({"agent/files.json"})
"""Names and digests that the builder lists itself."""


class SecretsFound(Denied):
    """What would be packed holds secrets; `findings` are all that are not let through."""

    shows_lines = True

    def __init__(self, findings: Sequence[Finding], context: Path) -> None:
        self.findings = tuple(findings)
        number = "a secret" if len(findings) == 1 else f"{len(findings)} secrets"
        told = (_told(f, shown_path(context, f.path)) for f in findings)
        lines = [f"{number} in what would be packed", *(f"  {text}" for text in told)]
        super().__init__(
            "\n".join(lines),
            hint="take it out, and change the key if others saw it; "
            f"--allow-secret {findings[0].id} lets this one through",
        )


def _told(finding: Finding, shown: str = "") -> str:
    path = "".join(char if char.isprintable() else "?" for char in shown or finding.path)
    place = f"{path}:{finding.line}:{finding.column}"
    return f"{place}: {finding.rule}: {finding.told} [{finding.id}]"


class LayerWatch:
    """Scans the files of one layer for secrets as their content passes by, in order.

    What hides in a text is for lint to find: looking for it takes longer than packing.
    """

    def __init__(self) -> None:
        self._entry: TarEntry | None = None
        self._scanner: Scanner | None = None
        self._found: list[Finding] = []

    def __call__(self, entry: TarEntry, piece: bytes | memoryview) -> None:
        """The next bytes of this entry; another entry than before ends the one before."""
        if entry is not self._entry:
            self._finish()
            self._entry = entry
            if entry.path not in _UNSCANNED:
                self._scanner = Scanner(entry.path)
        if self._scanner is not None:
            self._scanner.feed(piece)

    def findings(self) -> list[Finding]:
        """What was found, by the paths in the image; ends the last file."""
        self._finish()
        found = sorted(self._found, key=lambda finding: not finding.is_secret)
        if len(found) > MAX_KEPT:
            last = found[MAX_KEPT - 1]
            family = last.rule.partition("/")[0]
            more = replace(last, rule=f"{family}/too-many", message="more findings are not listed")
            found[MAX_KEPT - 1 :] = [more]
        return found

    def _finish(self) -> None:
        if self._scanner is not None:
            self._found += self._scanner.finish()
        self._scanner = None


def scan_layer(copied: Iterable[CopiedFile]) -> list[Finding]:
    """Read the files of a layer that is packed already, and scan them.

    Raises as packing does when a file cannot be read or is not what it was.
    """
    watch = LayerWatch()
    for each in copied:
        if not each.entry.is_folder and each.entry.link is None:
            for piece in contents(each.entry):
                watch(each.entry, piece)
    return watch.findings()


def record_of(findings: Iterable[Finding]) -> Json:
    """Findings for a cache record."""
    listed: list[Json] = [
        [f.rule, f.path, f.line, f.column, f.message, f.secret, f.width, f.again] for f in findings
    ]
    return {"rules": RULES_VERSION, "findings": listed}


def findings_of(record: Json) -> list[Finding] | None:
    """The findings of a record; None when other rules made it, or it is none."""
    if not isinstance(record, dict) or record.get("rules") != RULES_VERSION:
        return None
    listed = record.get("findings")
    if not isinstance(listed, list):
        return None
    return [_finding(each) for each in listed if isinstance(each, list)]


def _finding(values: list[Json]) -> Finding:
    rule, path, line, column, message, secret, width, again = values
    return Finding(
        str(rule),
        str(path),
        int(str(line)),
        int(str(column)),
        str(message),
        str(secret),
        int(str(width)),
        str(again),
    )


@dataclass(slots=True)
class Screen:
    """Gathers the findings of one build, and ends it if there is a secret among them.

    Files of `context` are told by their path there; what was copied from a stage or an image, by
    the path in the image.
    """

    allowed: frozenset[str]
    context: Path
    _found: dict[str, Finding] = field(default_factory=dict)
    _derived: list[Finding] = field(default_factory=list)
    _inherited: set[str] = field(default_factory=set)

    def layer(self, copied: Iterable[CopiedFile], findings: Iterable[Finding]) -> None:
        """Findings in the files of a layer, and those that their names are."""
        root = f"{self.context}/"
        origins = {
            each.entry.path: each.origin.path
            for each in copied
            if each.origin is not None and (each.entry.source or "").startswith(root)
        }
        for finding in (*findings, *_names(copied)):
            origin = origins.get(finding.path)
            if origin is None:
                self._derived.append(finding)
            else:
                self._add(replace(finding, path=origin))

    def content(self, path: str, content: bytes, *, kind: Kind = Kind.FILE) -> None:
        """Scan a file of the user's that is no part of a layer as it is."""
        for finding in scan_content(path, content, kind=kind):
            self._add(finding)

    def derived(self, path: str, content: bytes, *, line: int = 1) -> None:
        """Scan what was made of other things; a secret that was found in those is not told twice.

        A finding gets the line given.
        """
        for finding in scan_content(path, content):
            self._derived.append(replace(finding, line=line, column=1, width=1, again=""))

    def inherited(self, content: bytes) -> None:
        """What a base image brings along: its secrets are not this build's."""
        self._inherited |= {finding.secret for finding in scan_content("", content)}

    def conclude(self, report: BuildReport) -> None:
        """Raise SecretsFound, or warn of what was let through and of what hides in texts."""
        self._fold()
        found = sorted(self._found.values(), key=lambda f: (f.path, f.line, f.column, f.rule))
        secrets = [finding for finding in found if finding.is_secret]
        if denied := [finding for finding in secrets if finding.id not in self.allowed]:
            raise SecretsFound(denied, self.context)
        for finding in secrets:
            report.warning(f"let through: {_told(finding)}")
        for unknown in sorted(self.allowed - {finding.id for finding in secrets}):
            report.warning(f"--allow-secret {unknown}: nothing that was found has this id")
        texts = [finding for finding in found if not finding.is_secret]
        for finding in texts[:SHOWN_WARNINGS]:
            report.warning(_told(finding))
        if len(texts) > SHOWN_WARNINGS:
            report.warning(f"{len(texts) - SHOWN_WARNINGS} more findings in texts, see agent lint")

    def _add(self, finding: Finding) -> None:
        self._found.setdefault(finding.id, finding)

    def _fold(self) -> None:
        """Take in what was derived, unless the source of it was found, too."""
        known = {(f.rule, f.secret) for f in self._found.values() if f.secret}
        for finding in self._derived:
            if (finding.rule, finding.secret) not in known and not (
                finding.secret and finding.secret in self._inherited
            ):
                self._add(finding)


def _names(copied: Iterable[CopiedFile]) -> Iterator[Finding]:
    for each in copied:
        if each.entry.is_folder or each.entry.link is not None:
            continue
        name = each.origin.path if each.origin is not None else each.entry.path
        found = name_finding(name) or name_finding(each.entry.path)
        if found is not None:
            yield replace(found, path=each.entry.path)


# What is no layer


def screen_agentfile(
    screen: Screen, agentfile: Agentfile, context: Path, build_args: Iterable[tuple[str, str]]
) -> None:
    """Scan the Agentfile as it is written, and the build arguments."""
    text = "\n".join(agentfile.source).encode("utf-8", "surrogateescape")
    screen.content(_shown(agentfile, context), text, kind=_kind_of(agentfile))
    for name, value in build_args:
        screen.content(f"--build-arg {name}", f"{name}={value}".encode("utf-8", "surrogateescape"))


def _kind_of(agentfile: Agentfile) -> Kind:
    """A model reads of an Agentfile what INTERFACE says in it."""
    said = (each for stage in agentfile.stages for each in stage.instructions)
    is_text = any(isinstance(each, Interface) and each.kind == "text" for each in said)
    return Kind.TEXT if is_text else Kind.FILE


def screen_stage(
    screen: Screen,
    agentfile: Agentfile,
    stage: Stage,
    context: Context,
    definition: dict[str, Json],
    base: dict[str, Json] | None,
) -> None:
    """Scan the definition of a stage and what it is made from, and its environment and labels."""
    for instruction in stage.instructions:
        if isinstance(instruction, Definition | Interface):
            _screen_sources(screen, instruction, context)
        elif isinstance(instruction, Env | Label):
            for key, value in instruction.pairs:
                line = instruction.place.line
                screen.derived(_shown(agentfile, context.root), _pair(key, value), line=line)
    if base is not None:
        screen.inherited(canonical(base))
    screen.derived("agent/definition.json", canonical(definition))


def _screen_sources(screen: Screen, instruction: Definition | Interface, context: Context) -> None:
    named = instruction.path if isinstance(instruction, Definition) else instruction.value
    wanted = [named]
    if isinstance(instruction, Interface):
        wanted = [] if instruction.kind == "text" else [named]
        if instruction.kind == "name":
            wanted = list(interface_files(context, named))
    for path in wanted:
        content = _read(context, path)
        if content is not None:
            screen.content(path, content, kind=Kind.TEXT)


def _read(context: Context, path: str) -> bytes | None:
    try:
        found = context.lookup(path)
    except OutsideContext:
        return None
    if found is None or not found.is_regular:
        return None
    return files.read_at_most(Path(context.locate(path)), limits.MAX_DEFINITION_BYTES)


def _pair(key: str, value: str) -> bytes:
    return f"{key}={value}".encode("utf-8", "surrogateescape")


def _shown(agentfile: Agentfile, context: Path) -> str:
    """The Agentfile's path from the context, so that ids are the same on all machines."""
    relative = os.path.relpath(agentfile.file, context)
    return Path(agentfile.file).name if relative.startswith("..") else Path(relative).as_posix()
