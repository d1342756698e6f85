"""A folder that holds only an `.agentdef`: the Agentfile that its author would have written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from agentoci._internal import files, limits
from agentoci.agentfile import Agentfile, parse
from agentoci.builder.context import Context, OutsideContext
from agentoci.definition.parents import Find
from agentoci.errors import NotFound
from agentoci.spec.jsonio import Json


class DefinitionMissing(NotFound):
    """The `.agentdef` named is not there."""


class HasBuildArgs(Protocol):
    """The part of the options that matters here."""

    @property
    def build_args(self) -> Mapping[str, str]:
        """The build arguments."""
        ...


def read_definition_file(path: Path) -> bytes:
    """The content of an `.agentdef`; raises DefinitionMissing."""
    try:
        return files.read_at_most(path, limits.MAX_DEFINITION_BYTES + 1)
    except OSError as exc:
        raise DefinitionMissing(f"{path}: {exc.strerror}") from exc


def agentfile_for(
    context: Context, path: Path, options: HasBuildArgs, find: Find, *, warn: Callable[[str], None]
) -> Agentfile:
    """FROM, the definition, and the knowledge files that it names, where they are there.

    FROM names the nearest ancestor that is an image, whose knowledge comes along with it; without
    one it is `scratch`. The definition must lie inside the context. Raises DefinitionMissing,
    SourceFaults and ParentMissing.
    """
    from agentoci.builder.parents import read_source
    from agentoci.definition.ancestry import resolve

    content = read_definition_file(path)
    try:
        name = path.resolve().relative_to(context.root.resolve()).as_posix()
    except ValueError as exc:
        raise DefinitionMissing(
            f"{path} is not inside {context.root}", hint="build its own folder"
        ) from exc
    ancestry = resolve(read_source(content, name), find)
    base = next((node for node in ancestry.nodes if node.image), None)
    there = _knowledge(base.image.document()) if base and base.image else []
    wanted = [path for path in _knowledge(ancestry.lineage.document()) if path not in there]
    start = base.where if base else "scratch"
    return _written(context, name, options, start, wanted, warn)


def agentfile_without_parents(
    context: Context, name: str, options: HasBuildArgs, document: Mapping[str, Json]
) -> Agentfile:
    """What is left of `agentfile_for` for a definition at fault, or whose parents are not here.

    Raises SourceFaults for names that no Agentfile can hold.
    """
    inside = [path for path in _knowledge(document) if _is_inside(context, path)]
    return _written(context, name, options, "scratch", inside, lambda _: None)


def _is_inside(context: Context, wanted: str) -> bool:
    try:
        _locate(context, wanted)
    except OutsideContext:
        return False
    return True


def _written(
    context: Context,
    name: str,
    options: HasBuildArgs,
    base: str,
    knowledge: Iterable[str],
    warn: Callable[[str], None],
) -> Agentfile:
    lines = [f"FROM {base}", f"DEFINITION {_word(name)}"]
    for wanted in knowledge:
        source = _locate(context, wanted)
        if source is None:
            warn(f"{name}: knowledge file {wanted!r} is not in the folder")
        else:
            destination = f"/agent/knowledge/{wanted}"
            lines.append(f"COPY {_word(_literal(source))} {_word(destination)}")
    return parse("\n".join(lines) + "\n", file=name, build_args=options.build_args)


def _knowledge(document: Mapping[str, Json]) -> list[str]:
    """The knowledge files of the type that a definition names."""
    spec = document.get("spec")
    knowledge = spec.get("knowledge") if isinstance(spec, dict) else None
    found = knowledge if isinstance(knowledge, dict) else {}
    listed = [found.get(key) for key in ("static", "principles")]
    return [str(path) for paths in listed if isinstance(paths, list) for path in paths]


def _literal(path: str) -> str:
    """A source that means this path alone, whatever is in it."""
    return re.sub(r"([*?\[\\])", r"\\\1", path) if re.search(r"[*?\[]", path) else path


def _word(text: str) -> str:
    return '"' + re.sub(r'(["\\$])', r"\\\1", text) + '"'


def _locate(context: Context, wanted: str) -> str | None:
    for candidate in (f"knowledge/{wanted}", wanted):
        found = context.lookup(candidate)
        if found is not None and found.is_regular:
            return candidate
    return None
