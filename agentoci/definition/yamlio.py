"""The safe YAML reader: bytes of a user's file to plain data with the place of every value.

It reads parser events, so nothing that YAML can do beyond JSON ever happens: no aliases (an alias
bomb is small to read and endless to write), no merge keys, no tags, no second document, no key
twice, no deep nesting. JSON is read by the same way, being nearly a subset of YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from agentoci._internal import limits
from agentoci.definition.events import Collector
from agentoci.definition.places import Located
from agentoci.errors import Fault, SourceFaults

if TYPE_CHECKING:
    import yaml

_LINE_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_NOT_PRINTABLE: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_JSON_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_JSON_PAIR: Final = re.compile(
    r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
)
_JSON_BREAKS: Final = {0x85: r"\N", 0x2028: r"\L", 0x2029: r"\P", 0x7F: r"\x7f"}
_NEEDS_QUOTES: Final = re.compile(r"(?:^|[:\-\[,?]\s+)[>*&!%@`|]")


def load(content: bytes, *, file: str) -> Located:
    """Read one YAML or JSON document.

    Raises SourceFaults with every fault found, each with its line and a caret.
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return load_with(loader, content, file=file)


def load_with(loader: Any, content: bytes, *, file: str) -> Located:
    """Like `load`, by a given loader of PyYAML: the C one is fast, the other always there."""
    text = _text(content, file)
    lines = tuple(_LINE_BREAK.split(text))
    collector = Collector(file, lines)
    for event in _events(loader, text, collector):
        collector.take(event)
    return collector.finish()


def _text(content: bytes, file: str) -> str:
    if len(content) > limits.MAX_DEFINITION_BYTES:
        raise SourceFaults(
            [Fault(file, 1, 1, f"larger than {limits.MAX_DEFINITION_BYTES // limits.KIB} KiB")]
        )
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as exc:
        before = content[: exc.start].decode("utf-8")
        raise SourceFaults([_fault_after(before, file, "not UTF-8 text")]) from exc
    text = _json_as_yaml(text)
    if bad := _NOT_PRINTABLE.search(text):
        message = f"control character U+{ord(bad.group()):04X} is not allowed"
        raise SourceFaults([_fault_after(text[: bad.start()], file, message)])
    return text


def _fault_after(before: str, file: str, message: str) -> Fault:
    lines = _LINE_BREAK.split(before)
    return Fault(file, len(lines), len(lines[-1]) + 1, message)


def _json_as_yaml(text: str) -> str:
    """Respell the few things that JSON allows and YAML 1.1 readers refuse or change.

    Tabs between tokens, pairs of surrogate escapes, line separators within strings; all else, and
    with it nearly every column, stays as it is.
    """
    if not text.lstrip().startswith("{"):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return _JSON_STRING.sub(_json_string, text.replace("\t", " "))


def _json_string(match: re.Match[str]) -> str:
    spelled = _JSON_PAIR.sub(_surrogate_pair, match.group()).translate(_JSON_BREAKS)
    return spelled.ljust(len(match.group()))


def _surrogate_pair(match: re.Match[str]) -> str:
    high, low = int(match.group(2), 16), int(match.group(3), 16)
    return f"{match.group(1)}\\U{0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00:08x}"


def _events(loader: Any, text: str, collector: Collector) -> Iterator[yaml.Event]:
    import yaml

    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.MarkedYAMLError as exc:
        raise SourceFaults([*collector.faults, _syntax_fault(exc, collector)]) from exc
    except yaml.YAMLError as exc:
        fault = Fault(collector.file, 1, 1, f"not {_form(collector)}: {exc}")
        raise SourceFaults([*collector.faults, fault]) from exc


def _syntax_fault(error: yaml.MarkedYAMLError, collector: Collector) -> Fault:
    mark = error.problem_mark or error.context_mark
    row, column = (mark.line, mark.column) if mark else (0, 0)
    row = min(row, len(collector.lines) - 1)
    line = collector.lines[row]
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return Fault(
        collector.file,
        row + 1,
        min(column, len(line)) + 1,
        f"not {_form(collector)}: {said}",
        text=line,
        hint=_syntax_hint(line),
    )


def _form(collector: Collector) -> str:
    """What whoever wrote the file takes it for; JSON is read as the YAML that it is, too."""
    return "JSON" if collector.file.endswith((".json", ".lock")) else "YAML"


def _syntax_hint(line: str) -> str | None:
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent:
        return "indent with spaces: YAML does not take tabs"
    if _NEEDS_QUOTES.search(line):
        return "put the value in quotes: it starts with a character that YAML uses itself"
    if line.count(": ") > 1:
        return "put the value in quotes: it holds ': '"
    return None
