"""SKILL.md, read and held to the rules of the Agent Skills format (agentskills.io)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from agentoci._internal import limits
from agentoci.definition.places import Located, Path
from agentoci.definition.wording import hint_for, kind_of, near_miss, short
from agentoci.definition.yamlio import load
from agentoci.errors import Fault, SourceFaults
from agentoci.spec.jsonio import Json

SKILL_FILE: Final = "SKILL.md"
MAX_NAME: Final = 64
MAX_DESCRIPTION: Final = 1024
MAX_COMPATIBILITY: Final = 500
KEYS: Final = ("name", "description", "license", "compatibility", "metadata", "allowed-tools")

_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_FENCE: Final = re.compile(r"---[ \t]*(?:\r?\n|\Z)")
_CLOSING: Final = re.compile(r"^---[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_BEGIN: Final = "begin the file with ---, name: NAME, description: WHAT AND WHEN, ---"


@dataclass(frozen=True, slots=True)
class Skill:
    """What a SKILL.md says; `body` is the text below the frontmatter."""

    name: str
    description: str
    license: str | None = None
    compatibility: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    allowed_tools: str | None = None
    body: str = ""


def is_skill_name(text: str) -> bool:
    """Whether a skill may be called so."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def read_skill(content: bytes, *, folder: str | None, file: str) -> Skill:
    """Read a SKILL.md; `folder` is the name of the folder it lies in (None: it has no say).

    Raises SourceFaults with every fault, each with its line; `file` names it in messages. Scalars
    are text as it is written: a version 1.10 stays 1.10.
    """
    front, body = _parts(content, file)
    located = load(front, file=file)
    if not isinstance(located.data, dict):
        raise SourceFaults([located.fault((), "expected a mapping with name and description")])
    reader = _Reader(located, located.data)
    skill = reader.read(folder, body)
    if reader.faults:
        raise SourceFaults(reader.faults)
    return skill


def _parts(content: bytes, file: str) -> tuple[bytes, str]:
    """The frontmatter with its first `---`, so that lines count from the file's, and the body."""
    if len(content) > limits.MAX_DEFINITION_BYTES:
        size = limits.MAX_DEFINITION_BYTES // limits.KIB
        hint = "keep it short, and put the rest into files beside it"
        raise SourceFaults([Fault(file, 1, 1, f"larger than {size} KiB", hint=hint)])
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise SourceFaults(
            [Fault(file, line, 1, "not UTF-8 text", hint="save it as UTF-8")]
        ) from exc
    start = _FENCE.match(text)
    if start is None:
        first = text.partition("\n")[0].rstrip("\r")
        raise SourceFaults([Fault(file, 1, 1, "no frontmatter", text=first, hint=_BEGIN)])
    end = _CLOSING.search(text, start.end())
    if end is None:
        message, hint = "the frontmatter is not closed", "end it with a line that is --- alone"
        raise SourceFaults([Fault(file, 1, 1, message, text="---", width=3, hint=hint)])
    front = text[: end.start()]
    if not front[start.end() :].strip():
        raise SourceFaults([Fault(file, 1, 1, "the frontmatter is empty", text="---", hint=_BEGIN)])
    return front.encode(), text[end.end() :]


class _Reader:
    """Takes the values out of a frontmatter, and notes what is wrong with them."""

    def __init__(self, located: Located, document: Mapping[str, Json]) -> None:
        self.faults: list[Fault] = []
        self._located = located
        self._document = document

    def read(self, folder: str | None, body: str) -> Skill:
        """All of it; check `faults` before using the result."""
        for key in self._document:
            if key not in KEYS:
                self._fault((key,), f"unknown key '{short(key)}'", _key_hint(key), at_key=True)
        compatibility = self._text("compatibility")
        if compatibility is not None:
            self._check_length("compatibility", compatibility, MAX_COMPATIBILITY)
        return Skill(
            self._name(folder),
            self._description(),
            self._text("license"),
            compatibility,
            dict(self._metadata()),
            self._text("allowed-tools"),
            body,
        )

    def _name(self, folder: str | None) -> str:
        name = self._required("name")
        if not name:
            return ""
        if len(name) > MAX_NAME:
            self._check_length("name", name, MAX_NAME)
        elif not _NAME.fullmatch(name):
            hint = "lower-case letters, digits and single hyphens between them"
            if is_skill_name(likely := re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")):
                hint = f"did you mean '{likely}'?"
            self._fault(("name",), f"'{short(name)}' is not the name of a skill", hint)
        elif folder is not None and folder != name:
            hint = "rename one of them: the folder has the skill's name"
            self._fault(("name",), f"the skill is called '{name}', its folder '{folder}'", hint)
        return name

    def _description(self) -> str:
        description = self._required("description")
        self._check_length("description", description, MAX_DESCRIPTION)
        return description

    def _required(self, key: str) -> str:
        if key in self._document:
            return self._text(key, required=True) or ""
        if not any(near_miss(other, (key,)) for other in self._document if other not in KEYS):
            self._fault((), f"'{key}' is missing", None)
        return ""

    def _text(self, key: str, *, required: bool = False) -> str | None:
        if key not in self._document:
            return None
        text = self._scalar((key,))
        if text is None:
            found = kind_of(self._document[key])
            hint = None
            if key == "allowed-tools" and isinstance(self._document[key], list):
                hint = "write them on one line, with blanks between: Read Grep"
            self._fault((key,), f"{key}: expected text, found {found}", hint)
        elif required and not text.strip():
            self._fault((key,), f"{key}: expected text, found none", None)
        return text.strip() if text else text

    def _scalar(self, path: Path) -> str | None:
        """The text of a value as it is written; None when it is no text."""
        value = self._located.value(path)
        if isinstance(value, str):
            return value
        written = self._located.written(path)
        return None if isinstance(value, list | dict) else written

    def _metadata(self) -> Iterator[tuple[str, str]]:
        found = self._document.get("metadata")
        if "metadata" not in self._document:
            return
        if not isinstance(found, dict):
            message = f"metadata: expected a mapping, found {kind_of(found)}"
            self._fault(("metadata",), message, None)
            return
        for key, value in found.items():
            text = self._scalar(("metadata", key))
            if text is None:
                message = f"metadata.{short(key)}: expected text, found {kind_of(value)}"
                self._fault(("metadata", key), message, "metadata maps text to text")
            else:
                yield key, text

    def _check_length(self, key: str, text: str, most: int) -> None:
        if len(text) > most:
            self._fault((key,), f"{key}: {len(text)} characters, the most is {most}", None)

    def _fault(self, path: Path, message: str, hint: str | None, *, at_key: bool = False) -> None:
        self.faults.append(self._located.fault(path, message, hint=hint, at_key=at_key))


def _key_hint(key: str) -> str:
    hint = hint_for(key, KEYS)
    return hint if hint.startswith("did you mean") else "put keys of your own under metadata"
