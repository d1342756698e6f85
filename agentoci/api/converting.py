"""Convert: other tools' files become definitions, and agents become what other tools read."""

from __future__ import annotations

import contextlib
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentoci._internal import files, limits
from agentoci.api.diffing import as_path
from agentoci.api.inspection import locate
from agentoci.api.locations import LayoutLocation, parse_location
from agentoci.api.newfiles import check_places
from agentoci.api.show import show
from agentoci.content.protocols import Fetcher
from agentoci.errors import Invalid
from agentoci.interop.formats import (
    ExportFormat,
    ImportFormat,
    UnknownFormat,
    export_to,
    import_from,
    recognise,
)
from agentoci.interop.imported import KNOWLEDGE, Imported, ImportedAgent
from agentoci.interop.losses import Loss
from agentoci.interop.subject import Exported, ImageFacts, Subject
from agentoci.spec import mediatypes
from agentoci.store.images import Image, read_image

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

__all__ = [
    "ExportFormat",
    "Exported",
    "ImportFormat",
    "Imported",
    "ImportedAgent",
    "Loss",
    "convert_from",
    "convert_to",
    "definition_text",
    "write_exported",
    "write_imported",
]

_KNOWLEDGE_IN_IMAGE: Final = "agent/knowledge/"
_MAX_KNOWLEDGE: Final = 64 * limits.MIB
"""Of an image's knowledge that is converted; it is held in memory."""


class TooMuchKnowledge(Invalid):
    """An agent with more knowledge than a skill can carry."""


class ForeignFormat(Invalid):
    """A file of another tool's, where an agent is meant."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """`name` is that of an MCP server, `url` where the agent answers."""

    name: str | None = None
    url: str | None = None


def convert_from(
    path: Path, form: ImportFormat | None = None, *, name: str | None = None
) -> tuple[ImportFormat, Imported]:
    """Read another tool's file or folder; None recognises its format. Writes nothing.

    Every definition is valid. Raises NotFound, Invalid and SourceFaults.
    """
    from agentoci.definition.read import check_document

    if form is None:
        form, path = recognise(path)
    imported = import_from(path, form, name=name)
    for agent in imported.agents:
        check_document(agent.document, what=f"{path}: {agent.name}")
    return form, imported


def definition_text(agent: ImportedAgent) -> str:
    """The text of its `.agentdef`."""
    from agentoci.interop.yamlout import dump_yaml

    return dump_yaml(agent.document)


def write_imported(imported: Imported, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write what builds the agents: the first one to `folder`, others to `folder/agents/NAME`.

    Raises FilesExist unless `overwrite`, and Conflict, before anything is written.
    """
    written: list[Path] = []
    plan: dict[Path, bytes | Path] = {}
    for index, agent in enumerate(imported.agents):
        place = folder if index == 0 else folder / "agents" / agent.name
        plan[place / f"{agent.name}.agentdef"] = definition_text(agent).encode()
        plan[place / "Agentfile"] = agent.agentfile().encode()
        plan |= {place / KNOWLEDGE / file.path: file.source for file in agent.files}
    check_places(plan, overwrite=overwrite)
    for path, source in plan.items():
        _write(path, source)
        written.append(path)
    return written


def convert_to(
    engine: Engine, thing: str, form: ExportFormat, options: ExportOptions | None = None
) -> Exported:
    """An image (here, at a registry, in `oci:DIR`) in another format, or an `.agentdef` or folder.

    Of the latter two only the definition counts, with what its parents say. Raises Invalid when the
    format needs what there is not, and what reading them raises.
    """
    options = options or ExportOptions()
    if (path := as_path(engine, thing)) is not None:
        _refuse_others(path, thing, form)
        subject = Subject(show(engine, thing, effective=True).document)
    else:
        subject = _of_image(engine, thing, remote=form is ExportFormat.MCP_SERVER)
    return export_to(subject, form, name=options.name, url=options.url)


def _refuse_others(path: Path, thing: str, form: ExportFormat) -> None:
    """Of another tool's file there is no definition yet; raises ForeignFormat."""
    if path.suffix == ".agentdef" or "Agentfile" in path.name:
        return
    if path.is_dir() and ((path / "Agentfile").exists() or any(path.glob("*.agentdef"))):
        return
    try:
        found, _ = recognise(path)
    except UnknownFormat:
        return
    raise ForeignFormat(
        f"{thing} is in another tool's format ({found}), where an agent of ours is meant",
        hint=f"make a definition of it, and convert that: agent convert {shlex.quote(thing)} "
        f"-o DIR, then agent convert DIR --to {form}",
    )


def write_exported(exported: Exported, target: Path, *, overwrite: bool = False) -> list[Path]:
    """Write it: one file as `target`, or into that folder; several into the folder `target`.

    Raises FilesExist unless `overwrite`, and Conflict, before anything is written.
    """
    whole = len(exported.files) > 1 or "/" in exported.main[0]
    plan: dict[Path, bytes | Path] = {}
    for path, content in exported.files.items():
        plan[target / path if whole or target.is_dir() else target] = content
    check_places(plan, overwrite=overwrite)
    for where, source in plan.items():
        _write(where, source)
    return list(plan)


def _write(path: Path, source: bytes | Path) -> None:
    if isinstance(source, Path) and path.absolute() == source.absolute():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as stream:
        if isinstance(source, bytes):
            stream.write(source)
        else:
            with source.open("rb") as reader:
                shutil.copyfileobj(reader, stream)
    if isinstance(source, Path):
        path.chmod(source.stat().st_mode & 0o755 | 0o600)


def _of_image(engine: Engine, text: str, *, remote: bool) -> Subject:
    repository = _name_at_registry(text)
    source, root = locate(engine, text, remote=remote and repository is not None)
    image = read_image(source, root, what=text)
    facts = ImageFacts(
        str(root.digest),
        repository,
        bool(image.config.entrypoint),
        image.manifest.config.media_type in mediatypes.IMAGE_CONFIGS,
    )
    return Subject(
        image.definition, image.config.labels, facts, lambda: _knowledge(source, image, text)
    )


def _name_at_registry(text: str) -> str | None:
    """HOST/NAME, when the image is called so."""
    location = parse_location(text)
    if isinstance(location, LayoutLocation) or location.is_local:
        return None
    return location.name


def _knowledge(source: Fetcher, image: Image, what: str) -> Mapping[str, bytes]:
    """The files of its knowledge; raises TooMuchKnowledge."""
    from agentoci.layers.packed import naming, read_members

    wanted: dict[int, dict[str, str]] = {}
    for entry in image.inventory(source).entries:
        if entry.path.startswith(_KNOWLEDGE_IN_IMAGE) and entry.link is None:
            inner = entry.path.removeprefix(_KNOWLEDGE_IN_IMAGE)
            wanted.setdefault(entry.layer, {})[entry.path] = inner
    found: dict[str, bytes] = {}
    left, layers = _MAX_KNOWLEDGE, image.packed_layers(source)
    for number, paths in wanted.items():
        with naming(what), contextlib.closing(read_members(layers[number])) as members:
            for member, body in members:
                if member.name in paths and member.kind == "file":
                    left -= member.size
                    if left < 0:
                        most = f"{_MAX_KNOWLEDGE // limits.MIB} MiB"
                        raise TooMuchKnowledge(f"{what}: more than {most} of knowledge")
                    found[paths[member.name]] = body.read_whole()
    return dict(sorted(found.items()))
