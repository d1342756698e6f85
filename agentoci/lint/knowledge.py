"""Rules over what the COPYs bring, against what the definition lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agentoci._internal.limits import MIB
from agentoci.agentfile import Copy
from agentoci.builder.ignore import NAME as IGNORE_FILE
from agentoci.definition.places import Path
from agentoci.errors import Fault
from agentoci.lint.subject import Copied, Subject, value_at

_FOLDER: Final = "agent/knowledge/"
_LISTS: Final = ("static", "dynamic", "principles")
_SHIPPED: Final = ("static", "principles")
"""Lists of files that the image brings; dynamic knowledge is the instance's own."""

_WRITTEN: Final[tuple[Path, ...]] = (
    *(("spec", "knowledge", name) for name in _SHIPPED),
    ("spec", "extensions", "knowledge", "add"),
)

LARGE: Final = 32 * MIB


def check(subject: Subject) -> None:
    """Run all rules of this module."""
    copied = _in_image(subject)
    if subject.agentfile is not None:
        _missing(subject, copied)
        if subject.document is not None and subject.knows("DEFINITION", "SET"):
            _unlisted(subject, copied)
    _twice(subject)
    _large(subject)


def _in_image(subject: Subject) -> dict[str, Copied]:
    """What the last stage copies, by its path in the image."""
    stage = subject.final
    own = set(map(id, stage.instructions)) if stage else set()
    return {
        copied.file.entry.path: copied
        for copied in subject.copied
        if id(copied.instruction) in own and not copied.file.entry.is_folder
    }


def _missing(subject: Subject, copied: dict[str, Copied]) -> None:
    """Files that are listed, and that nothing brings; a base or a stage may bring them."""
    if not subject.stands_alone or _brings_unknown(subject) or not subject.knows("COPY"):
        return
    for name in _SHIPPED:
        for path, wanted in _listed(subject, name):
            if _FOLDER + wanted not in copied:
                message = f"the knowledge file {wanted!r} is not copied into the image"
                hint = f"COPY it to /{_FOLDER}{wanted}, or take it off the list"
                if subject.is_made_up:
                    hint = f"put it at knowledge/{wanted}, or take it off the list"
                fault = _at_listed(subject, wanted, message, hint)
                fault = fault or subject.at_value(path, message, hint=hint)
                if not subject.is_faulty(fault):
                    subject.add("knowledge-missing", fault)


def _brings_unknown(subject: Subject) -> bool:
    stage = subject.final
    instructions = stage.instructions if stage else ()
    return any(isinstance(i, Copy) and i.from_ is not None for i in instructions)


def _unlisted(subject: Subject, copied: dict[str, Copied]) -> None:
    """Files below /agent/knowledge that a definition which lists some leaves out."""
    listed = {wanted for name in _LISTS for _, wanted in _listed(subject, name)}
    if not listed:
        return
    for path, each in copied.items():
        wanted = path.removeprefix(_FOLDER)
        if path.startswith(f"{_FOLDER}skills/") or wanted == path or wanted in listed:
            continue
        message = f"the definition does not list the knowledge file {wanted!r}"
        hint = "add it to spec.knowledge.static, or do not copy it"
        fault = subject.at_instruction(
            each.instruction.place, message, width=len("COPY"), hint=hint
        )
        subject.add("knowledge-unlisted", fault)


def _listed(subject: Subject, name: str) -> Iterator[tuple[Path, str]]:
    path = ("spec", "knowledge", name)
    entries = value_at(subject.document or subject.draft, path)
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, str):
            yield (*path, index), entry


def _at_listed(subject: Subject, wanted: str, message: str, hint: str) -> Fault | None:
    """Where a definition, or a parent beside it, lists the file."""
    for located in (*subject.definitions.values(), *subject.others.values()):
        for base in _WRITTEN:
            entries = value_at(located.data, base)
            if isinstance(entries, list) and wanted in entries:
                return located.fault((*base, entries.index(wanted)), message, hint=hint)
    return None


def _twice(subject: Subject) -> None:
    stages = subject.agentfile.stages if subject.agentfile else ()
    stage_of = {id(i): stage.index for stage in stages for i in stage.instructions}
    seen: dict[tuple[int, str], Copied] = {}
    told: set[tuple[int, int]] = set()
    for copied in subject.copied:
        if copied.file.entry.is_folder:
            continue
        path = copied.file.entry.path
        first = seen.setdefault((stage_of[id(copied.instruction)], path), copied)
        lines = first.instruction.place.line, copied.instruction.place.line
        if first.instruction is copied.instruction or lines in told:
            continue
        told.add(lines)
        fault = subject.at_instruction(
            copied.instruction.place,
            f"/{path} is written by the COPY on line {lines[0]}, too",
            width=len("COPY"),
            hint="this one wins; copy each file once",
        )
        subject.add("copied-twice", fault)


def _large(subject: Subject) -> None:
    if (subject.context.root / IGNORE_FILE).exists():  # no listing has it: it ignores itself
        return
    for copied in subject.copied:
        entry = copied.file.entry
        if entry.size >= LARGE:
            fault = subject.at_instruction(
                copied.instruction.place,
                f"/{entry.path} has {entry.size // MIB} MiB, and there is no {IGNORE_FILE}",
                width=len("COPY"),
                hint=f"list in {IGNORE_FILE} what does not belong into the image",
            )
            subject.add("large-file", fault)
