"""Rules over the text of the Agentfile; all that they find can be mended by `--fix`."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

from agentoci.agentfile import Agentfile, Node
from agentoci.lint.findings import Edit
from agentoci.lint.reading import content_of
from agentoci.lint.subject import Subject

_SYNTAX: Final = re.compile(r"[ \t]*#[ \t]*syntax[ \t]*=", re.IGNORECASE)


def check(subject: Subject) -> None:
    """Run all rules of this module."""
    _byte_order_mark(subject)
    agentfile = subject.agentfile
    if agentfile is None or subject.is_made_up:
        return
    _late_syntax(subject, agentfile)
    for node in _nodes(agentfile):
        _case(subject, node)
        _blanks(subject, node)


def _byte_order_mark(subject: Subject) -> None:
    if content_of(subject.path, 3).startswith(codecs.BOM_UTF8):
        fault = subject.at_line(1, 1, "the file begins with a byte order mark")
        subject.add("byte-order-mark", fault, fix=Edit(subject.file, 1, 0, 1, ""))


def _late_syntax(subject: Subject, agentfile: Agentfile) -> None:
    """Before the first FROM, where no heredoc can hold such a line."""
    first = agentfile.stages[0].place.line
    for number, line in enumerate(subject.lines[1 : first - 1], 2):
        if _SYNTAX.match(line):
            fault = subject.at_line(
                number,
                1,
                "here '# syntax=' is a comment",
                width=len(line),
                hint="it counts on the first line",
            )
            subject.add("syntax-late", fault, fix=Edit(subject.file, number, 1, 0, None))


def _case(subject: Subject, node: Node) -> None:
    written = node.original.split(maxsplit=1)[0]
    if written == written.upper():
        return
    place = node.place
    fault = subject.at_line(
        place.line,
        place.column,
        f"{written!r} is an instruction, which is written in capitals",
        width=len(written),
    )
    edit = Edit(subject.file, place.line, place.column, len(written), written.upper())
    subject.add("instruction-case", fault, fix=edit)


def _blanks(subject: Subject, node: Node) -> None:
    line = subject.lines[node.place.line - 1]
    kept = line.rstrip(" \t")
    if kept == line or kept.endswith("\\\\"):
        return
    column, width = len(kept) + 1, len(line) - len(kept)
    fault = subject.at_line(node.place.line, column, "blanks at the end of the line", width=width)
    edit = Edit(subject.file, node.place.line, column, width, "")
    subject.add("trailing-blanks", fault, fix=edit)


def _nodes(agentfile: Agentfile) -> Iterator[Node]:
    """Every instruction once; a SET with several pairs is several nodes in one place."""
    seen: set[int] = set()
    nodes = [*agentfile.global_args]
    for node in (*nodes, *(n for stage in agentfile.stages for n in (stage, *stage.instructions))):
        if node.place.line not in seen:
            seen.add(node.place.line)
            yield node
