"""Lists of images to sync: a YAML or JSON document, or lines of `SOURCE [TARGET]`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agentoci.definition.places import Located, Path
from agentoci.definition.wording import hint_for, kind_of, show_path
from agentoci.definition.yamlio import load
from agentoci.errors import Fault, SourceFaults

if TYPE_CHECKING:
    from pydantic import ValidationError

_DOCUMENT: Final = re.compile(r"\s*(?:#[^\n]*\n\s*)*(?:\{|---|[A-Za-z_]+:(?:\s|$))")
"""How a document begins; a line of images begins with a reference."""

_GLOB: Final = frozenset("*?[")
_FORMS: Final = "write lines of SOURCE TARGET, or a document with images:"
_EXPECTED: Final = {
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "model_type": "a mapping",
}


@dataclass(frozen=True, slots=True)
class SyncEntry:
    """What is to be copied where.

    `source` is an image, or a repository, layout or archive of which all images are meant, or those
    whose tags match `tags` (names and patterns) or are among the `newest` releases. Without a
    `target` the images go to the destination of the whole list.
    """

    source: str
    target: str | None = None
    tags: tuple[str, ...] = ()
    newest: str | None = None
    recursive: bool = False
    checkpoints: bool = False
    platform: str | None = None


def read_sync_list(content: bytes, *, file: str) -> list[SyncEntry]:
    """Read a list in either form; raises SourceFaults with every fault found."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise SourceFaults([Fault(file, 1, 1, "not a text in UTF-8", hint=_FORMS)]) from exc
    if _DOCUMENT.match(text[:4096]):
        return _read_document(content, file=file)
    return _read_lines(text, file=file)


def matching_tags(tags: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """The tags that match one of the patterns, in their order."""
    return [tag for tag in tags if any(fnmatch.fnmatchcase(tag, one) for one in wanted)]


def is_pattern(tag: str) -> bool:
    """Whether it can match more than one tag."""
    return not _GLOB.isdisjoint(tag)


def _read_lines(text: str, *, file: str) -> list[SyncEntry]:
    entries: list[SyncEntry] = []
    faults: list[Fault] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if len(words) > 2:
            column = line.index(words[2]) + 1
            message = "expected SOURCE and TARGET, found more"
            faults.append(Fault(file, number, column, message, text=line, width=len(words[2])))
        elif words:
            entries.append(SyncEntry(words[0], words[1] if words[1:] else None))
    if faults:
        raise SourceFaults(faults)
    if not entries:
        raise SourceFaults([Fault(file, 1, 1, "the list names no image", hint=_FORMS)])
    return entries


def _read_document(content: bytes, *, file: str) -> list[SyncEntry]:
    from pydantic import ValidationError

    from agentoci.api.syncmodel import SyncDocument

    located = load(content, file=file)
    if not isinstance(located.data, dict):
        raise SourceFaults([located.fault((), "expected a mapping with images: [...]")])
    try:
        read = SyncDocument.model_validate(located.data)
    except ValidationError as exc:
        raise SourceFaults(_faults(located, exc)) from exc
    return [
        SyncEntry(
            one.source,
            one.target,
            one.tags,
            None if one.newest is None else str(one.newest),
            one.recursive,
            one.checkpoints,
            one.platform,
        )
        for one in read.images
    ]


def _faults(located: Located, error: ValidationError) -> list[Fault]:
    entries = error.errors(include_url=False)
    # a list all of whose images are wrong is not empty, though pydantic says so, too
    told = [one for one in entries if one["type"] != "too_short"] or entries
    return [_fault(located, entry) for entry in told]


def _fault(located: Located, entry: Any) -> Fault:
    path: Path = entry["loc"]
    shown = show_path(path)
    match entry["type"]:
        case "extra_forbidden":
            hint = hint_for(str(path[-1]), _keys_at(path))
            message = f"unknown key '{path[-1]}'"
            return located.fault(path, message, hint=hint, at_key=True)
        case "missing":
            return located.fault(path[:-1], f"{shown}: '{path[-1]}' is missing")
        case "too_short":
            return located.fault(path, f"{shown}: the list names no image")
        case kind if kind in _EXPECTED:
            message = f"{shown}: expected {_EXPECTED[kind]}, found {kind_of(entry['input'])}"
            return located.fault(path, message, hint=_spelling(located, path, kind))
        case _:
            context: dict[str, Any] = entry.get("ctx") or {}
            path = (*path, *context.get("at", ()))
            message = f"{shown}: {context.get('message') or str(entry['msg']).lower()}"
            return located.fault(path, message, hint=context.get("hint"))


def _keys_at(path: Path) -> list[str]:
    from agentoci.api.syncmodel import SyncDocument, SyncImage

    model = SyncDocument if len(path) == 1 else SyncImage
    return [field.alias or name for name, field in model.model_fields.items()]


def _spelling(located: Located, path: Path, kind: str) -> str | None:
    written, value = located.written(path), located.value(path)
    if kind == "string_type" and written:
        return f'write "{written}"'
    if kind == "tuple_type" and isinstance(value, str):
        return f'write a list: ["{value}"]'
    return None
