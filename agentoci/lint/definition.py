"""Rules over the compiled definition: settings that do not go together, and what it leaves out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from agentoci.agentfile import Require
from agentoci.definition.places import Path
from agentoci.errors import Fault
from agentoci.lint.subject import Subject, value_at
from agentoci.spec.jsonio import Json

_INPUT: Final = re.compile(r"\binputs?\b|输入", re.IGNORECASE)
_OUTPUT: Final = re.compile(r"\boutputs?\b|输出", re.IGNORECASE)
_BYTES_PER_TOKEN: Final = 4
"""Of plain text; a rough measure, so only clear cases are reported."""


class _Idle(NamedTuple):
    """A setting that is without effect while another one has a certain value."""

    setting: Path
    by: Path
    value: Json


_INTERFACE: Final = ("spec", "interface")
_MEMORY: Final = ("spec", "behavior", "memory")
_LEARNING: Final = ("spec", "behavior", "learning")
_EXECUTION: Final = ("spec", "behavior", "execution")
_IDLE: Final = (
    _Idle((*_MEMORY, "persistence"), (*_MEMORY, "level"), "NONE"),
    _Idle((*_MEMORY, "max_size"), (*_MEMORY, "level"), "NONE"),
    _Idle((*_LEARNING, "knowledge_extraction"), (*_LEARNING, "enabled"), value=False),
    _Idle((*_LEARNING, "knowledge_compression"), (*_LEARNING, "enabled"), value=False),
    _Idle((*_EXECUTION, "max_parallel_tasks"), (*_EXECUTION, "enable_parallel"), value=False),
)


def check(subject: Subject) -> None:
    """Run all rules of this module."""
    if subject.draft is not None:
        _headings(subject, subject.draft)
    if subject.document is not None:
        _compiled(subject, subject.document)


def _compiled(subject: Subject, document: Mapping[str, Json]) -> None:
    """What counts for the whole only; without one of its parts it cannot be told."""
    _headings(subject, document)
    if subject.knows("FROM", "DEFINITION", "INTERFACE", "SET", "LABEL"):
        _version(subject, document)
    if subject.knows("DEFINITION", "INTERFACE", "SET"):
        _interface(subject, document)
    if subject.knows("DEFINITION", "SET"):
        _tools(subject, document)
        _health(subject, document)
        for idle in _IDLE:
            _idle(subject, document, idle)
        _context_window(subject, document)


def _version(subject: Subject, document: Mapping[str, Json]) -> None:
    if value_at(document, ("metadata", "version")) in (None, "0.0.0"):
        fault = subject.at_value(
            ("metadata", "version"),
            "the agent declares no version",
            hint="LABEL org.opencontainers.image.version=1.0.0, or metadata.version",
        )
        subject.add("version-missing", fault)


def _interface(subject: Subject, document: Mapping[str, Json]) -> None:
    if subject.stands_alone and not isinstance(value_at(document, _INTERFACE), str):
        fault = subject.at_nearest(
            ("spec",),
            "the agent does not say what it can do",
            hint="spec.interface, or INTERFACE file.md",
        )
        subject.add("interface-missing", fault)


def _headings(subject: Subject, document: Mapping[str, Json]) -> None:
    text = value_at(document, _INTERFACE)
    if not isinstance(text, str):
        return
    said = {"what goes in": _INPUT.search(text), "what comes out": _OUTPUT.search(text)}
    if missing := [what for what, found in said.items() if not found]:
        fault = subject.at_value(
            _INTERFACE,
            f"the interface does not say {' and '.join(missing)}",
            hint="describe its input and output",
            at_key=True,
        )
        subject.add("interface-headings", fault)


def _tools(subject: Subject, document: Mapping[str, Json]) -> None:
    tools = value_at(document, ("spec", "requires", "tools"))
    entries = [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    for tool in entries:
        if tool.get("required") is False and not tool.get("interface"):
            name = str(tool.get("name"))
            fault = _at_tool(
                subject,
                name,
                f"the optional tool {name!r} does not say what it is for",
                "give it an 'interface' in a definition, so that the agent can do without",
            )
            subject.add("tool-purpose", fault)
    network = value_at(document, ("isolation", "network"))
    if entries and network is None and subject.stands_alone:
        fault = subject.at_value(
            ("spec", "requires", "tools"),
            "tools are required, and nothing is said of the network that they may reach",
            hint="SET isolation.network=isolated, or host when they need it",
            at_key=True,
        )
        subject.add("isolation-missing", fault)


def _at_tool(subject: Subject, name: str, message: str, hint: str) -> Fault:
    for instruction in subject.final.instructions if subject.final else ():
        if isinstance(instruction, Require) and instruction.name == name:
            return subject.at_instruction(
                instruction.name_place, message, width=len(name), hint=hint
            )
    for located in subject.definitions.values():
        for path in _tool_paths(located.data, name):
            return located.fault((*path, "name"), message, hint=hint)
    return subject.at_nearest(("spec", "requires", "tools"), message, hint=hint)


def _tool_paths(data: Json, name: str) -> Iterator[Path]:
    base = ("spec", "requires", "tools")
    tools = value_at(data, base) if isinstance(data, dict) else None
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        if isinstance(tool, dict) and tool.get("name") == name:
            yield (*base, index)


def _health(subject: Subject, document: Mapping[str, Json]) -> None:
    interval = value_at(document, ("health_check", "interval_seconds"))
    timeout = value_at(document, ("health_check", "timeout_seconds"))
    if isinstance(interval, int) and isinstance(timeout, int) and timeout >= interval:
        fault = subject.at_value(
            ("health_check", "timeout_seconds"),
            f"the timeout ({timeout} s) is not below the interval ({interval} s)",
            hint="a check must end before the next one begins",
        )
        subject.add("health-timeout", fault)


def _idle(subject: Subject, document: Mapping[str, Json], idle: _Idle) -> None:
    value = value_at(document, idle.setting)
    if value in (None, False) or value_at(document, idle.by) != idle.value:
        return
    shown = str(idle.value).lower() if isinstance(idle.value, bool) else idle.value
    fault = subject.at_value(
        idle.setting,
        f"{'.'.join(map(str, idle.setting))} is without effect: {idle.by[-1]} is {shown}",
        hint="remove it, or change the other one",
    )
    subject.add("setting-without-effect", fault)


def _context_window(subject: Subject, document: Mapping[str, Json]) -> None:
    window = ("spec", "config_template", "context_window")
    for limit in ("max", "recommended", "min"):
        tokens = value_at(document, (*window, limit))
        if isinstance(tokens, int):
            break
    else:
        return
    files = (copied.file.entry for copied in subject.copied)
    size = sum(entry.size for entry in files if entry.path.startswith("agent/knowledge/"))
    if size // _BYTES_PER_TOKEN > tokens:
        fault = subject.at_value(
            (*window, limit),
            f"the knowledge is about {size // _BYTES_PER_TOKEN:,} tokens, more than the "
            f"{tokens:,} of the context window",
            hint="the agent cannot read all of it at once: split it, or widen the window",
        )
        subject.add("context-overflow", fault)
