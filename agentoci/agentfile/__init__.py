"""Agentfile: tokens, nodes, parser and printer; all faults at once, each with line and caret.

`parse` reads, `render` writes; the nodes between them are values without methods. The way of a
file: `tokens` (statements) → `parser` (order and stages) → one parser per instruction
(`assignments`, `contract`, `copying`, `commands`, `stages`), which take words from `words` and
values from `scope`.

May import `definition` (SET is checked against its schema) and everything below.
"""

from agentoci.agentfile.nodes import (
    Agentfile,
    Arg,
    Base,
    Copy,
    Definition,
    Entrypoint,
    Env,
    Healthcheck,
    Heredoc,
    Instruction,
    Interface,
    Label,
    Node,
    Require,
    Set,
    SourcePath,
    Stage,
)
from agentoci.agentfile.parser import Readable, parse, parse_readable
from agentoci.agentfile.places import Place
from agentoci.agentfile.printer import render

__all__ = [
    "Agentfile",
    "Arg",
    "Base",
    "Copy",
    "Definition",
    "Entrypoint",
    "Env",
    "Healthcheck",
    "Heredoc",
    "Instruction",
    "Interface",
    "Label",
    "Node",
    "Place",
    "Readable",
    "Require",
    "Set",
    "SourcePath",
    "Stage",
    "parse",
    "parse_readable",
    "render",
]
