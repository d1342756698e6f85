"""Rules over the Agentfile: what builds, and is likely not what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agentoci.agentfile import Agentfile, Arg, Copy, Env, Healthcheck, Label, Require, Stage
from agentoci.agentfile.nodes import Instruction
from agentoci.lint.findings import Edit
from agentoci.lint.subject import Subject
from agentoci.spec.reference import InvalidReference, Reference

_SECRET_NAME: Final = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PWD|CREDENTIALS?|API_?KEY|(?:ACCESS|PRIVATE|SECRET)_?KEY)$",
    re.IGNORECASE,
)
_REFERENCE: Final = re.compile(r"(?:env|file):.+|\$\{?[A-Za-z_].*|<.*>|/.*")
_INTERVAL: Final = 30.0
"""Seconds between two checks when HEALTHCHECK does not say, as docker has it."""


def check(subject: Subject) -> None:
    """Run all rules of this module; a made up Agentfile has nothing that its author could mend."""
    agentfile = subject.agentfile
    if agentfile is None or subject.is_made_up:
        return
    _unused_args(subject, agentfile)
    if subject.knows("FROM", "COPY"):
        _unused_stages(subject, agentfile)
    for stage in agentfile.stages:
        _base(subject, stage)
        _requirements(subject, stage)
        _labels(subject, stage)
        for instruction in stage.instructions:
            _environment(subject, instruction)
            _health(subject, instruction)


def _base(subject: Subject, stage: Stage) -> None:
    base = stage.base
    if base.is_scratch or base.stage is not None or subject.lock.exists():
        return
    try:
        reference = Reference.parse(base.reference)
    except InvalidReference:  # the parser has said so
        return
    if reference.digest is None and reference.tag in (None, "latest"):
        fault = subject.at_instruction(
            base.place,
            f"{base.reference!r} is another image whenever its tag moves",
            width=len(base.reference),
            hint=f"name a version or a digest, or pin it in {subject.lock.name}",
        )
        subject.add("base-unpinned", fault)


def _requirements(subject: Subject, stage: Stage) -> None:
    seen: dict[str, Require] = {}
    for require in (i for i in stage.instructions if isinstance(i, Require) and i.name):
        if require.version == "*" and require.kind == "agent":
            fault = subject.at_instruction(
                require.name_place,
                f"any version of {require.name!r} will do",
                width=len(require.name),
                hint=f"name a range: REQUIRE {require.name}@^1.0",
            )
            subject.add("require-any", fault)
        first = seen.setdefault(require.name, require)
        if first is not require:
            _required_twice(subject, first, require)


def _required_twice(subject: Subject, first: Require, second: Require) -> None:
    same = first == second
    fault = subject.at_instruction(
        second.name_place,
        f"{second.name!r} is required on line {first.place.line} already",
        width=len(second.name),
        hint="remove one of the two" if same else "this one counts; remove the other",
    )
    line = second.place.line
    one_line = subject.lines[line - 1].strip() == second.original
    edit = Edit(subject.file, line, 1, 0, None) if same and one_line else None
    subject.add("require-twice", fault, fix=edit)


def _labels(subject: Subject, stage: Stage) -> None:
    seen: dict[str, int] = {}
    for label in (i for i in stage.instructions if isinstance(i, Label)):
        for key, _ in label.pairs:
            line = seen.setdefault(key, label.place.line)
            if line != label.place.line or [k for k, _ in label.pairs].count(key) > 1:
                place = label.place
                message = f"the label {key!r} is set twice, the first time on line {line}"
                subject.add(
                    "label-twice",
                    subject.at_instruction(
                        place, message, width=len("LABEL"), hint="the last counts"
                    ),
                )
                break


def _environment(subject: Subject, instruction: Instruction) -> None:
    if not isinstance(instruction, Env):
        return
    for name, value in instruction.pairs:
        if _SECRET_NAME.search(name) and value and not _REFERENCE.fullmatch(value):
            fault = subject.at_instruction(
                instruction.place,
                f"{name} has the name of a secret, and its value goes into the image",
                width=len("ENV"),
                hint=f"give it when the agent runs: agent run -e {name}=…",
            )
            subject.add("env-secret", fault)


def _health(subject: Subject, instruction: Instruction) -> None:
    if not isinstance(instruction, Healthcheck) or instruction.timeout_seconds is None:
        return
    interval = instruction.interval_seconds or _INTERVAL
    if instruction.timeout_seconds >= interval:
        fault = subject.at_instruction(
            instruction.place,
            f"the timeout ({instruction.timeout_seconds:g} s) is not below the interval "
            f"({interval:g} s)",
            width=len("HEALTHCHECK"),
            hint="a check must end before the next one begins",
        )
        subject.add("health-timeout", fault)


def _unused_args(subject: Subject, agentfile: Agentfile) -> None:
    used = set(re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", "\n".join(subject.lines)))
    for arg in _args(agentfile):
        if arg.name not in used:
            fault = subject.at_instruction(
                arg.place,
                f"nothing uses the argument {arg.name!r}",
                width=len("ARG"),
                hint=f"use it as ${{{arg.name}}}, or remove it",
            )
            subject.add("arg-unused", fault)


def _args(agentfile: Agentfile) -> Iterator[Arg]:
    yield from agentfile.global_args
    for stage in agentfile.stages:
        yield from (i for i in stage.instructions if isinstance(i, Arg))


def _unused_stages(subject: Subject, agentfile: Agentfile) -> None:
    used = {agentfile.final.index}
    names = {stage.name: stage.index for stage in agentfile.stages if stage.name}
    for stage in reversed(agentfile.stages):  # a stage uses earlier ones only
        if stage.index not in used:
            continue
        if stage.base.stage is not None:
            used.add(names[stage.base.stage])
        copies = [i for i in stage.instructions if isinstance(i, Copy)]
        used |= {i.from_stage for i in copies if i.from_stage is not None}
    for stage in agentfile.stages:
        if stage.index not in used:
            name = repr(stage.name) if stage.name else f"number {stage.index}"
            fault = subject.at_instruction(
                stage.place,
                f"nothing uses the stage {name}",
                width=len("FROM"),
                hint="the last stage is the image; others count by FROM and COPY --from",
            )
            subject.add("stage-unused", fault)
