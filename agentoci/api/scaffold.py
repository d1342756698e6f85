"""`agent init`: the files of a new agent, from templates that build, lint clean and run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentoci._internal.files import write_atomically
from agentoci.api.newfiles import check_places
from agentoci.errors import Invalid

TEMPLATES: Final[Mapping[str, str]] = {
    "minimal": "an Agentfile, a shell script, and one file of knowledge",
    "python": "a definition, and a program in Python that uses knowledge and memory",
    "coordinator": "a whole definition: tools, knowledge, models, constraints, isolation",
    "skill": "an agent that works by Agent Skills, with one to start from",
}
"""Every template and what it gives."""

DEFAULT: Final = "minimal"

_FOLDER: Final = Path(__file__).parent / "templates"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_MARK: Final = "@@NAME@@"
_KEPT_AS: Final = ".txt"
"""Programs are kept as `agent.py.txt`: they are nothing that this package imports or checks."""


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What `agent init` wrote: the agent's name, the folder, and the files relative to it."""

    name: str
    folder: Path
    files: tuple[str, ...]


def scaffold(
    folder: Path, *, template: str = DEFAULT, name: str | None = None, overwrite: bool = False
) -> Scaffold:
    """Write the files of a template into a folder, which is made when it is not there.

    The agent is called like the folder unless `name` says otherwise. Files that are not the
    template's stay. Raises FilesExist unless `overwrite`, Conflict for what is in the way, and
    Invalid for a name or template that will not do, all before anything is written.
    """
    called = _checked_name(name) if name is not None else _name_of(folder)
    files = dict(_files(template, called))
    check_places((folder / path for path in files), overwrite=overwrite)
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, content)
    return Scaffold(called, folder, tuple(sorted(files)))


def _files(template: str, name: str) -> Iterator[tuple[str, bytes]]:
    if template not in TEMPLATES:
        hint = f"one of: {', '.join(TEMPLATES)}"
        raise Invalid(f"there is no template {template!r}", hint=hint)
    root = _FOLDER / template
    for path in sorted(root.rglob("*")):
        if path.is_file():
            relative = path.relative_to(root).as_posix().removesuffix(_KEPT_AS)
            text = path.read_text(encoding="utf-8").replace(_MARK, name)
            yield relative.replace(_MARK, name), text.encode()


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"{name[:60]!r} is not a name",
            hint="lower-case letters, digits, '_', '-' and '.', starting with one of the first two",
        )
    return name


def _name_of(folder: Path) -> str:
    """The folder's name, as a name of an agent."""
    made = re.sub(r"[^a-z0-9._-]+", "_", folder.resolve().name.lower()).strip("._-")
    return made[:128] or "agent"
