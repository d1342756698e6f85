"""Applying the safe edits: all of a file at once, every other byte as it was."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentoci._internal.files import write_atomically
from agentoci.lint.findings import Edit, Finding
from agentoci.scan.content import without_secrets


@dataclass(frozen=True, slots=True)
class Fixed:
    """A line that was changed: as it was, and as it is now; None when it was removed.

    Secrets are redacted.
    """

    file: str
    line: int
    before: str
    after: str | None


def fix(findings: Iterable[Finding]) -> list[Fixed]:
    """Make the edits of the findings; files are replaced whole or stay as they are.

    Of edits that overlap the first one is made. A file that is not UTF-8, or changed since it was
    linted so that an edit's line is not there any more, is left alone, and so is what a link out of
    the file's folder leads to. The mode of a file stays.
    """
    by_file: dict[str, list[Edit]] = {}
    for finding in findings:
        if finding.fix is not None:
            by_file.setdefault(finding.fix.file, []).append(finding.fix)
    made: list[Fixed] = []
    for file, edits in sorted(by_file.items()):
        made += _fix_file(Path(file), edits)
    return made


def _fix_file(path: Path, edits: Sequence[Edit]) -> list[Fixed]:
    target = path.resolve()  # a link stays one
    if not target.is_relative_to(path.parent.resolve()):
        return []
    raw = path.read_bytes()
    mark = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
    try:
        lines = raw[len(mark) :].decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return []
    if any(edit.line > len(lines) for edit in edits):
        return []
    made: list[Fixed] = []
    if any(edit.column == 0 for edit in edits):
        mark = b""
        made.append(Fixed(str(path), 1, "(byte order mark)", None))
    gone: set[int] = set()
    for number in sorted({edit.line for edit in edits if edit.column > 0}):
        before = lines[number - 1]
        after = _edited(before, [e for e in edits if e.line == number and e.column > 0])
        shown = without_secrets(after) if after is not None else None
        made.append(Fixed(str(path), number, without_secrets(before), shown))
        if after is None:
            gone.add(number - 1)
        else:
            lines[number - 1] = after
    kept = [line for index, line in enumerate(lines) if index not in gone]
    write_atomically(target, mark + "\n".join(kept).encode(), mode=target.stat().st_mode & 0o777)
    return made


def _edited(line: str, edits: Sequence[Edit]) -> str | None:
    """The line with all edits made, from right to left so that columns stay true."""
    if any(edit.text is None for edit in edits):
        return None
    end = len(line)
    for edit in sorted(edits, key=lambda e: e.column, reverse=True):
        start, stop = edit.column - 1, edit.column - 1 + edit.width
        if stop <= end:
            line = line[:start] + (edit.text or "") + line[stop:]
            end = start
    return line
