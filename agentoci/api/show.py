"""Show: the definition of an image, a file or a folder, and whose word every value is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agentoci.api.diffing import as_path
from agentoci.api.inspection import locate
from agentoci.errors import Invalid, SourceFaults
from agentoci.spec.jsonio import Json

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.definition.lineage import Lineage
    from agentoci.definition.places import Node


@dataclass(frozen=True, slots=True)
class Shown:
    """A definition; `origins` says by JSON pointer who said each value, when that was asked."""

    document: Mapping[str, Json]
    origins: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Json]:
        """The definition, or both as one document when origins were asked for."""
        if not self.origins:
            return dict(self.document)
        return {"definition": dict(self.document), "origins": dict(self.origins)}

    def yaml(self) -> str:
        """The definition as an `.agentdef`; origins are comments at the ends of lines."""
        from agentoci.interop.yamlout import dump_yaml

        text = dump_yaml(self.document)
        return _commented(text, self.origins) if self.origins else text


def show(engine: Engine, text: str, *, effective: bool = False) -> Shown:
    """The definition of an image (here, at a registry, in a layout), a file or a folder.

    As its author wrote it, with what the Agentfile changed; `effective`: with all that its parents
    say. Nothing is pulled for an image. Raises NotFound, SourceFaults, and what registries say.
    """
    path = as_path(engine, text)
    if path is not None:
        return _of_path(engine, path, effective=effective)
    from agentoci.definition.lineage import Lineage
    from agentoci.store.images import read_image

    source, root = locate(engine, text, remote=False)
    image = read_image(source, root, what=text)
    return _of_lineage(Lineage.of(image.config.agentoci, what=text), effective=effective)


def _of_path(engine: Engine, path: Path, *, effective: bool) -> Shown:
    from agentoci.builder.finding import find_agentfile
    from agentoci.builder.loose import read_definition_file
    from agentoci.builder.options import BuildOptions
    from agentoci.builder.parents import read_source

    file = path if path.is_file() else find_agentfile(path)
    if file.suffix == ".agentdef" and not effective:
        return Shown(read_source(read_definition_file(file), str(file)).document)
    context = path.parent if path.is_file() else path
    compiled = engine.builds.compile(context, BuildOptions(file=file))
    return _of_lineage(compiled.lineage, effective=effective)


def _of_lineage(lineage: Lineage, *, effective: bool) -> Shown:
    from agentoci.definition.ordering import ordered

    if not effective:
        return Shown(ordered(lineage.own()))
    return Shown(ordered(lineage.document()), lineage.origins())


def _commented(text: str, origins: Mapping[str, str]) -> str:
    """The YAML with the origin of each value at the end of the value's lines."""
    from agentoci.definition.yamlio import load

    lines = text.split("\n")
    try:
        found = list(_pointed("", load(text.encode(), file="definition").root))
    except SourceFaults as exc:
        raise Invalid("the definition is too large for comments", hint="--format json") from exc
    starts = [*sorted({_first_line(node) for _, node in found}), len(lines)]
    for pointer, node in found:
        if pointer in origins:
            line = _last_line(node, lines, starts)
            lines[line - 1] += f"  # {_shown(origins[pointer])}"
    return "\n".join(lines)


def _shown(origin: str) -> str:
    """The origin on one line: an image may call itself what it likes."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in origin)


def _pointed(pointer: str, node: Node) -> Iterator[tuple[str, Node]]:
    """All values with their JSON pointers."""
    yield pointer, node
    for step, inner in node.children.items():
        escaped = str(step).replace("~", "~0").replace("/", "~1")
        yield from _pointed(f"{pointer}/{escaped}", inner)


def _first_line(node: Node) -> int:
    return (node.key or node.place).line


def _last_line(node: Node, lines: Sequence[str], starts: Sequence[int]) -> int:
    """The line that a comment on the value ends: no line within a text, nor below a key."""
    first = _first_line(node)
    if isinstance(node.value, list | dict) or _opens_block(lines[node.place.line - 1]):
        return first
    return starts[bisect_right(starts, first)] - 1


def _opens_block(line: str) -> bool:
    """Whether a text follows below, line by line."""
    return line.rstrip("0123456789+-").endswith((": |", "- |"))
