"""The files that the COPYs of what is linted bring, and what is wrong with these COPYs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from agentoci.agentfile import Agentfile, Copy, SourcePath, Stage
from agentoci.builder.copying import RESERVED, CopiedFile, plan_copy
from agentoci.builder.names import TakenNames
from agentoci.builder.skills import copied_skill_faults
from agentoci.errors import AgentociError
from agentoci.lint.subject import Copied, Subject


def plan_copies(subject: Subject, agentfile: Agentfile) -> None:
    """The files that the COPYs of the context bring; nothing of other stages or images is read."""
    for stage in agentfile.stages:
        names = TakenNames()
        for path in sorted(RESERVED):
            names.add_file(path)
        for instruction in stage.instructions:
            if isinstance(instruction, Copy) and instruction.from_ is None:
                planned = _planned(subject, instruction)
                with _collecting_copy(subject, instruction):
                    _take(subject, stage, instruction, planned, names)


def _planned(subject: Subject, instruction: Copy) -> list[CopiedFile]:
    """What a COPY brings; of several sources those that are not at fault."""
    sources = instruction.sources
    while sources or instruction.heredocs:
        try:
            return plan_copy(replace(instruction, sources=sources), subject.context)
        except AgentociError as exc:
            blamed = _report_copy(subject, instruction, exc)
            left = tuple(source for source in sources if source is not blamed)
            if len(left) == len(sources):
                break
            sources = left
    return []


def _take(
    subject: Subject,
    stage: Stage,
    instruction: Copy,
    planned: list[CopiedFile],
    names: TakenNames,
) -> None:
    for fault in copied_skill_faults(planned):
        subject.add("skill-invalid", replace(fault, file=subject.shown(fault.file)))
    if subject.final is stage or stage.name is not None:
        subject.copied += [Copied(instruction, file) for file in planned]
    for copied in planned:
        (names.add_folder if copied.entry.is_folder else names.add_file)(copied.entry.path)


@contextlib.contextmanager
def _collecting_copy(subject: Subject, instruction: Copy) -> Iterator[None]:
    try:
        yield
    except AgentociError as exc:
        _report_copy(subject, instruction, exc)


def _report_copy(subject: Subject, instruction: Copy, error: AgentociError) -> SourcePath | None:
    """Report what is wrong with a COPY at the source that is to blame, which is returned."""
    subject.lost.add("COPY")
    blamed = next((s for s in instruction.sources if repr(s.text) in error.message), None)
    place, width = instruction.place, len("COPY")
    if blamed is not None:
        place, width = blamed.place, len(blamed.text)
    fault = subject.at_instruction(place, error.message, width=width, hint=error.hint)
    subject.add("copy-invalid", fault)
    return blamed
