"""Skills that are required by a path of the context: what they are at fault for, and their files.

Skills of registries and layouts are not fetched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from agentoci.agentfile import Agentfile, Require
from agentoci.builder.bindings import RequiredTools, tools_of
from agentoci.builder.located import InstructionFailed
from agentoci.builder.replay import Trace
from agentoci.builder.skills import SkillPlanner, no_artifacts
from agentoci.errors import AgentociError, SourceFaults
from agentoci.lint.subject import Subject, value_at
from agentoci.spec.jsonio import Json


def read_skills(subject: Subject, agentfile: Agentfile) -> None:
    """Check every required skill of the context, each by itself so that all faults are told."""
    for tool in _tools(subject, agentfile):
        if isinstance(value_at(tool, ("skill", "path")), str):
            _read_skill(subject, agentfile, {"name": "", **tool})


def _tools(subject: Subject, agentfile: Agentfile) -> Iterator[Mapping[str, Json]]:
    """The compiled definition's, or when that cannot be had what files say one by one."""
    yield from tools_of(subject.document or subject.draft or {})
    if subject.document is not None:
        return
    required = RequiredTools(agentfile, subject.context, lambda _: None)
    for require in agentfile.final.instructions:
        if isinstance(require, Require) and require.kind == "skill":
            with contextlib.suppress(SourceFaults):  # compiling tells
                yield from required.entries(require)


def _read_skill(subject: Subject, agentfile: Agentfile, tool: Mapping[str, Json]) -> None:
    planner = SkillPlanner(
        agentfile,
        agentfile.final,
        subject.context,
        Path(),  # nothing is unpacked
        no_artifacts,
        Trace(0),
        {},
        lambda _: None,
    )
    document: dict[str, Json] = {"spec": {"requires": {"tools": [dict(tool)]}}}
    try:
        planned = planner.plan(document, (), ())
    except SourceFaults as exc:
        for fault in exc.faults:
            subject.add("skill-invalid", replace(fault, file=subject.shown(fault.file)))
    except InstructionFailed as exc:
        subject.add_cause("skill-invalid", replace(exc.fault, file=subject.file))
    except AgentociError as exc:
        keys = ("spec", "requires", "tools")
        subject.add("skill-invalid", subject.at_value(keys, exc.message, hint=exc.hint))
    else:
        subject.required += [file for plan in planned.plans for file in plan.files]
