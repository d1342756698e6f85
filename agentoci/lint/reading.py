"""Reading what is linted: every part as far as it can be read, all faults kept as findings."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from agentoci._internal import files, limits
from agentoci.agentfile import (
    Agentfile,
    Definition,
    Interface,
    parse,
    parse_readable,
)
from agentoci.agentfile.tokens import read_lines
from agentoci.builder.called import interface_files
from agentoci.builder.context import Context, OutsideContext
from agentoci.builder.finding import AgentfileMissing, find_agentfile
from agentoci.builder.loose import agentfile_for, agentfile_without_parents
from agentoci.builder.replay import Trace
from agentoci.definition.constraints import constraint_faults
from agentoci.definition.places import Located
from agentoci.definition.read import read_definition
from agentoci.definition.yamlio import load
from agentoci.errors import AgentociError, Invalid, SourceFaults
from agentoci.lint import mending
from agentoci.lint.compiled import compile_stage, note_missing_parents, reporting
from agentoci.lint.copies import plan_copies
from agentoci.lint.local import Local
from agentoci.lint.skills import read_skills
from agentoci.lint.subject import Options, Subject, value_at
from agentoci.lint.validating import validate
from agentoci.release.lock import MATRIX_FILE
from agentoci.spec.jsonio import Json
from agentoci.store.layout import LayoutStore

DEFINITION: Final = ".agentdef"


def read_subject(root: Path, options: Options, store: LayoutStore) -> Subject:
    """Read a folder; bases and parents are looked for in the store.

    Raises ContextMissing, AgentfileMissing, AmbiguousDefinition and Invalid.
    """
    context = Context.open(root, trace=Trace(0))
    local = Local(store)
    path = options.file or find_agentfile(root)
    subject = Subject(context, options, path)
    if path.suffix == DEFINITION:
        _read_lone_definition(subject, local)
    else:
        _read_agentfile(subject)
    _read_other_definitions(subject)
    _validate(subject, subject.lock, "lock-invalid")
    _validate(subject, subject.lock.parent / MATRIX_FILE, "compatibility-invalid")
    if subject.agentfile is not None:
        plan_copies(subject, subject.agentfile)
        compile_stage(subject, subject.agentfile, local)
        read_skills(subject, subject.agentfile)
    note_missing_parents(subject, local)
    return subject


def content_of(path: Path, limit: int) -> bytes:
    """A file that the user named; raises AgentfileMissing."""
    try:
        return files.read_at_most(path, limit)
    except OSError as exc:
        raise AgentfileMissing(f"{path}: {exc.strerror}", hint="-f names the file") from exc


def _read_agentfile(subject: Subject) -> None:
    raw = content_of(subject.path, limits.MAX_AGENTFILE_BYTES)
    given = subject.options.build_args
    with collecting(subject, "agentfile-invalid"):
        subject.lines = read_lines(raw, file=subject.file)
        subject.agentfile = parse(raw, file=subject.file, build_args=given)
    _read_on(subject, raw)
    if subject.agentfile is not None:
        for path in _definitions_of(subject, subject.agentfile):
            located = check_definition(subject, path)
            if located is not None:
                subject.definitions[path] = located


def _read_on(subject: Subject, raw: bytes) -> None:
    """Take of an Agentfile with faults what can be read."""
    if subject.agentfile is None:
        given = subject.options.build_args
        readable = parse_readable(raw, file=subject.file, build_args=given)
        subject.agentfile, subject.lost = readable.agentfile, {*readable.lost}


def _definitions_of(subject: Subject, agentfile: Agentfile) -> Iterator[str]:
    """The definition files that the stages name and that are there."""
    for instruction in agentfile.final.instructions:
        match instruction:
            case Definition():
                paths: tuple[str, ...] = (instruction.path,)
            case Interface(kind="name"):
                paths = _interface_of(subject, instruction.value)
            case _:
                continue
        for path in paths:
            with contextlib.suppress(OutsideContext):
                found = subject.context.lookup(path)
                if found is not None and found.is_regular:
                    yield path


def _interface_of(subject: Subject, name: str) -> tuple[str, ...]:
    """The definition that a name means; compiling tells of several, reading others of faults."""
    try:
        found = interface_files(subject.context, name)
    except SourceFaults:
        return ()
    return found if len(found) == 1 else ()


def _read_lone_definition(subject: Subject, local: Local) -> None:
    subject.is_made_up = True
    content = content_of(subject.path, limits.MAX_DEFINITION_BYTES)
    subject.lines = tuple(content.decode("utf-8", "replace").split("\n"))
    located = check_content(subject, content, subject.file)
    if located is None:
        return
    try:
        name = subject.path.resolve().relative_to(subject.context.root.resolve()).as_posix()
    except ValueError as exc:
        raise Invalid(f"{subject.path} is not inside {subject.context.root}") from exc
    subject.definitions[name] = located
    with reporting(subject, None, local):
        find = local.finder(subject.context)
        subject.agentfile = agentfile_for(
            subject.context, subject.path, subject.options, find, warn=lambda _: None
        )
    _make_up_without_parents(subject, name, located.data)


def _make_up_without_parents(subject: Subject, name: str, document: Json) -> None:
    """Look at the knowledge of a definition that has faults, or whose parents are not here."""
    if subject.agentfile is not None or not isinstance(document, dict):
        return
    with contextlib.suppress(SourceFaults):
        subject.agentfile = agentfile_without_parents(
            subject.context, name, subject.options, document
        )
        if value_at(document, ("metadata", "parent")) is not None:
            subject.lost.add("FROM")


def _read_other_definitions(subject: Subject) -> None:
    """Definitions beside: parents, or those that another build names."""
    for entry in subject.context.listing(""):
        known = (*subject.definitions, *subject.unread, subject.path.name)
        is_other = entry.path not in known
        if entry.is_regular and entry.path.endswith(DEFINITION) and is_other:
            located = check_definition(subject, entry.path)
            if located is not None:
                subject.others[entry.path] = located


def _validate(subject: Subject, path: Path, rule: str) -> None:
    """A file that belongs to the Agentfile by its name, whether or not the context ignores it."""
    if path.is_file():
        for fault in validate(path).faults:
            subject.add(rule, replace(fault, file=os.path.normpath(path)))


def check_definition(subject: Subject, path: str) -> Located | None:
    """A definition of the context, whose faults are reported; None when it cannot be loaded."""
    where = Path(subject.context.locate(path))
    content = content_of(where, limits.MAX_DEFINITION_BYTES)
    located = check_content(subject, content, subject.shown(path))
    if located is None:
        subject.unread.append(path)
    return located


def check_content(subject: Subject, content: bytes, file: str) -> Located | None:
    """The content of a definition, whose faults are reported; None when it cannot be loaded."""
    made: list[Located] = []
    with collecting(subject, "definition-invalid"):
        made.append(load(content, file=file))
        read_definition(content, file=file)
    for located in made:
        for fault in constraint_faults(located):
            subject.add_cause("constraint-invalid", fault)
    return made[0] if made else None


@contextlib.contextmanager
def collecting(subject: Subject, rule: str) -> Iterator[None]:
    """Report what the block raises for the user's files as findings of a rule."""
    try:
        yield
    except SourceFaults as exc:
        for fault in exc.faults:
            subject.add(rule, fault, fix=mending.edit_for(fault))
    except AgentociError as exc:
        subject.add(rule, subject.at_line(1, 1, exc.message, hint=exc.hint))
