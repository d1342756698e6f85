"""The compiled definition of the stage that becomes the image, its faults told at their places."""

from __future__ import annotations

from agentoci.agentfile import Stage
from agentoci.builder.compiling import Compiler
from agentoci.definition.problems import Problem
from agentoci.definition.read import InvalidDefinition
from agentoci.errors import AgentociError, SourceFaults
from agentoci.lint.subject import Subject


def compile_stage(subject: Subject, stage: Stage) -> None:
    """Compile as a build does, but without the base's part: no image is read or pulled.

    What a definition's own file is at fault for has been reported when it was read.
    """
    if subject.agentfile is None:
        return
    compiler = Compiler(subject.agentfile, subject.context)
    name = subject.context.root.resolve().name.lower()
    try:
        made = compiler.compile(stage, base=None, fallback_name=name)
        subject.document = made.document
    except SourceFaults as exc:
        known = {(found.fault.file, found.fault.line) for found in subject.findings}
        for fault in exc.faults:
            file = (
                subject.file if fault.file == subject.agentfile.file else subject.shown(fault.file)
            )
            if (file, fault.line) not in known:
                subject.add("build-invalid", fault)
    except InvalidDefinition as exc:
        subject.document = exc.document
        for problem in exc.problems:
            _report(subject, problem)
    except AgentociError as exc:
        subject.add(
            "build-invalid", subject.at_instruction(stage.place, exc.message, hint=exc.hint)
        )


def _report(subject: Subject, problem: Problem) -> None:
    rule = "build-invalid"
    if problem.path[-1:] == ("validation",):
        rule = "constraint-false"
    fault = subject.at_value(problem.path, str(problem), hint=problem.hint, at_key=problem.at_key)
    known = {(found.fault.file, found.fault.line) for found in subject.findings}
    if (fault.file, fault.line) not in known:
        subject.add(rule, fault)
