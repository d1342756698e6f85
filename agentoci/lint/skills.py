"""Skills that are required by a path of the context: what they are at fault for, and their files.

Skills of registries and layouts are not fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from agentoci.agentfile import Agentfile
from agentoci.builder.located import InstructionFailed
from agentoci.builder.replay import Trace
from agentoci.builder.skills import SkillPlanner, no_artifacts
from agentoci.errors import AgentociError, SourceFaults
from agentoci.lint.subject import Subject, value_at
from agentoci.spec.jsonio import Json


def read_skills(subject: Subject, agentfile: Agentfile) -> None:
    """Check every required skill of the context, each by itself so that all faults are told."""
    tools = value_at(subject.document or subject.draft, ("spec", "requires", "tools"))
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict) and isinstance(value_at(tool, ("skill", "path")), str):
            _read_skill(subject, agentfile, {"name": "", **tool})


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
