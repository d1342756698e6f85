"""An Agentfile's canonical text: reading it again gives equal nodes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import singledispatch
from typing import Final

from agentoci.agentfile.contract import requirement_text
from agentoci.agentfile.nodes import (
    Agentfile,
    Arg,
    Copy,
    Definition,
    Entrypoint,
    Env,
    Healthcheck,
    Interface,
    Label,
    Node,
    Require,
    Set,
    Stage,
)
from agentoci.agentfile.syntax import SYNTAX

_BARE: Final = re.compile(r"[A-Za-z0-9_./*:@^~%+,=>?-]+")
_SPECIAL: Final = re.compile(r'(["\\$])')


def render(agentfile: Agentfile) -> str:
    """The text of the whole file, values put in for names, ended by a line feed."""
    blocks = [[f"# syntax={SYNTAX}"]]
    if agentfile.global_args:
        blocks.append([_render(arg) for arg in agentfile.global_args])
    blocks += [list(_stage(stage)) for stage in agentfile.stages]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _stage(stage: Stage) -> Iterator[str]:
    name = f" AS {stage.name}" if stage.name else ""
    yield f"FROM {_quoted(stage.base.reference)}{name}"
    for instruction in stage.instructions:
        yield _render(instruction)


def _quoted(value: str) -> str:
    """A word that reads back as `value`, whatever is in it."""
    if _BARE.fullmatch(value) and not value.startswith("-"):
        return value
    return '"' + _SPECIAL.sub(r"\\\1", value) + '"'


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{key}={_quoted(value)}" for key, value in pairs)


@singledispatch
def _render(node: Node) -> str:
    raise TypeError(f"{type(node).__name__} is no instruction")


@_render.register
def _(node: Arg) -> str:
    return (
        f"ARG {node.name}" if node.default is None else f"ARG {_pairs([(node.name, node.default)])}"
    )


@_render.register
def _(node: Copy) -> str:
    words = ["COPY"]
    if node.from_ is not None:
        words.append(f"--from={_quoted(node.from_)}")
    if node.chmod is not None:
        words.append(f"--chmod={node.chmod:04o}")
    words += [_quoted(source.text) for source in node.sources]
    words += [f"<<'{heredoc.name}'" for heredoc in node.heredocs]
    words.append(_quoted(node.destination))
    bodies = "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in node.heredocs)
    return " ".join(words) + bodies


@_render.register
def _(node: Require) -> str:
    optional = "--optional " if node.optional else ""
    name = f" AS {node.name}" if node.kind != "agent" and node.name else ""
    return f"REQUIRE {optional}{_quoted(requirement_text(node))}{name}"


@_render.register
def _(node: Set) -> str:
    return f"SET {_quoted(node.key)}={_quoted(node.text)}"


@_render.register
def _(node: Interface) -> str:
    if node.kind != "text":
        return f"INTERFACE {_quoted(node.value)}"
    end = "EOF"
    while end in node.value.split("\n"):
        end += "F"
    return f"INTERFACE <<'{end}'\n{node.value}{end}"


@_render.register
def _(node: Definition) -> str:
    return f"DEFINITION {_quoted(node.path)}"


@_render.register
def _(node: Env) -> str:
    return f"ENV {_pairs(node.pairs)}"


@_render.register
def _(node: Label) -> str:
    return f"LABEL {_pairs(node.pairs)}"


@_render.register
def _(node: Entrypoint) -> str:
    return f"ENTRYPOINT {_array(node.argv)}"


@_render.register
def _(node: Healthcheck) -> str:
    if node.argv is None:
        return "HEALTHCHECK NONE"
    flags = {
        "interval": _duration(node.interval_seconds),
        "timeout": _duration(node.timeout_seconds),
        "retries": node.retries,
        "start-period": _duration(node.start_period_seconds),
    }
    words = [f"--{name}={value}" for name, value in flags.items() if value is not None]
    return " ".join(["HEALTHCHECK", *words, "CMD", _array(node.argv)])


def _duration(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def _array(argv: tuple[str, ...]) -> str:
    return json.dumps(argv, ensure_ascii=False)
