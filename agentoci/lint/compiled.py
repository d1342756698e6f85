"""The compiled definition of the stage that becomes the image, its faults told at their places."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from agentoci.agentfile import Agentfile, Place, Stage
from agentoci.builder.compiling import Compiled, Compiler
from agentoci.builder.lineages import Ground
from agentoci.definition.parents import ParentMissing
from agentoci.definition.problems import Problem
from agentoci.definition.read import InvalidDefinition
from agentoci.errors import AgentociError, SourceFaults
from agentoci.lint.local import Local
from agentoci.lint.subject import Subject

_COMPILED: Final = ("FROM", "DEFINITION", "INTERFACE", "SET", "REQUIRE", "LABEL")
"""What a definition is compiled from: without one of them it may be at fault for that alone."""


def compile_stage(subject: Subject, agentfile: Agentfile, local: Local) -> None:
    """Compile the last stage as a build does, with what is here: no registry is asked.

    What a definition's own file is at fault for has been reported when it was read.
    """
    with reporting(subject, agentfile, local):
        subject.document = _compiled(subject, agentfile, agentfile.final, local).document
    _note_draft(subject)


def _note_draft(subject: Subject) -> None:
    """What cannot be compiled is looked at as far as it goes."""
    if subject.document is None:
        for located in subject.definitions.values():
            if isinstance(located.data, dict):
                subject.draft = located.data


@contextmanager
def reporting(subject: Subject, agentfile: Agentfile | None, local: Local) -> Iterator[None]:
    """Report what the block raises for a definition that is put together."""
    try:
        yield
    except SourceFaults as exc:
        for fault in exc.faults:
            is_own = agentfile is not None and fault.file == agentfile.file
            file = subject.file if is_own else subject.shown(fault.file)
            subject.add_cause("build-invalid", replace(fault, file=file))
    except InvalidDefinition as exc:
        subject.document = exc.document
        if subject.knows(*_COMPILED):
            for problem in exc.problems:
                _report(subject, problem)
    except ParentMissing as exc:
        if not local.missing:
            fault = subject.at_nearest(("metadata", "parent"), exc.message, hint=exc.hint)
            subject.add_cause("build-invalid", fault)
    except AgentociError as exc:
        place = agentfile.final.place if agentfile else Place(1, 1)
        fault = subject.at_instruction(place, exc.message, width=len("FROM"), hint=exc.hint)
        subject.add_cause("build-invalid", fault)


def note_missing_parents(subject: Subject, local: Local) -> None:
    """Say which parents are not here; of the definition only its own part is looked at then."""
    for parent in dict.fromkeys(local.missing):
        for located in subject.definitions.values():
            if isinstance(located.data, dict):
                subject.document = located.data
        fault = subject.at_nearest(
            ("metadata", "parent"),
            f"the parent {parent} is not here, so what it adds is not looked at",
            hint=f"put its .agentdef beside, or pull {parent.name}:{parent.version}",
        )
        subject.add("parent-unknown", fault)


def _compiled(subject: Subject, agentfile: Agentfile, stage: Stage, local: Local) -> Compiled:
    ground = Ground()
    if stage.base.stage is not None:
        below = next(each for each in agentfile.stages if each.name == stage.base.stage)
        ground = Ground(_compiled(subject, agentfile, below, local).lineage, stage.base.stage)
    elif not stage.base.is_scratch:
        ground = local.ground(stage.base.reference)
    compiler = Compiler(agentfile, subject.context, local.finder(subject.context))
    name = subject.context.root.resolve().name.lower()
    return compiler.compile(stage, ground=ground, fallback_name=name)


def _report(subject: Subject, problem: Problem) -> None:
    rule = "constraint-false" if problem.path[-1:] == ("validation",) else "build-invalid"
    fault = subject.at_value(problem.path, str(problem), hint=problem.hint, at_key=problem.at_key)
    subject.add_cause(rule, fault)
