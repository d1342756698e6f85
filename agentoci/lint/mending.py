"""What `--fix` does about a fault: only where one edit is meant, and nothing else changes."""

from __future__ import annotations

import re
from typing import Final

from agentoci.errors import Fault
from agentoci.lint.findings import Edit

_QUOTE: Final = re.compile(r'write "(?P<text>.{1,56})" if it is text')
_MEANT: Final = re.compile(r"did you mean (?P<text>true|false)\?")
_VERSION: Final = re.compile(r"did you mean '(?P<text>\d+\.\d+\.\d+)'\?")
_SPECIAL: Final = re.compile(r'(["\\$])')
_AUTHORS: Final = "org.opencontainers.image.authors"


def edit_for(fault: Fault) -> Edit | None:
    """The edit that mends a fault of an Agentfile or a definition, if there is one that is safe."""
    if fault.message == "unknown instruction 'MAINTAINER'":
        return _maintainer(fault)
    written = fault.text[fault.column - 1 :][: fault.width]
    text = _replacement(fault, written)
    if text is None or text == written:
        return None
    return Edit(fault.file, fault.line, fault.column, fault.width, text)


def _replacement(fault: Fault, written: str) -> str | None:
    hint = fault.hint or ""
    if match := _QUOTE.fullmatch(hint):
        return f'"{match["text"]}"' if match["text"] == written else None
    if match := _MEANT.fullmatch(hint):
        return match["text"]
    if (match := _VERSION.fullmatch(hint)) and "metadata.version" in fault.message:
        return f'"{match["text"]}"'
    if hint == "write it without quotes" and written[:1] == written[-1:] != "":
        return written.strip("'\"")
    return None


def _maintainer(fault: Fault) -> Edit | None:
    """Dockerfiles' old instruction; its whole line is the name."""
    name = fault.text[fault.column - 1 :][len("MAINTAINER") :].strip()
    if not name or name.endswith("\\"):
        return None
    width = len(fault.text.rstrip()) - fault.column + 1
    bare = name[1:-1] if name[0] == name[-1] == '"' and name.count('"') == 2 else name
    value = _SPECIAL.sub(r"\\\1", bare)
    return Edit(fault.file, fault.line, fault.column, width, f'LABEL {_AUTHORS}="{value}"')
