"""What a COPY copies: from sources in a context to entries of a layer, by Dockerfile's rules."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterable
from typing import Final, NamedTuple

from agentoci.agentfile.nodes import Copy
from agentoci.builder.context import Context, ContextFile, OutsideContext
from agentoci.errors import Invalid
from agentoci.layers.paths import fault_of, link_fault_of
from agentoci.layers.source import reading_failed
from agentoci.layers.tar import TarEntry
from agentoci.spec.mediatypes import LayerKind

ROOT: Final = "agent"
"""Everything of an image lies below `/agent`, which is also where relative destinations start."""

RESERVED: Final = frozenset(
    {
        "agent/definition.json",
        "agent/files.json",
        "agent/config.json",
        "agent/tools/bindings.json",
        "agent/.agentoci.json",
    }
)
"""Written by the builder itself; the last one in trees only."""


class BadDestination(Invalid):
    """A destination that an agent image has no room for."""


class CopiedFile(NamedTuple):
    """An entry to be packed, and the context's file that it comes from (None for a heredoc)."""

    entry: TarEntry
    origin: ContextFile | None


def kind_of(destination: str) -> LayerKind:
    """The kind of the layer that holds this path."""
    for kind in (LayerKind.KNOWLEDGE, LayerKind.TOOLS, LayerKind.LEARNED):
        if destination == f"{ROOT}/{kind}" or destination.startswith(f"{ROOT}/{kind}/"):
            return kind
    return LayerKind.FILES


def image_path(destination: str) -> str:
    """A destination as a path from the image's root, without `/` at its ends.

    Relative ones start at `/agent`; raises BadDestination outside it and for reserved names.
    """
    path = posixpath.normpath(posixpath.join("/agent", destination)).lstrip("/")
    if path != ROOT and not path.startswith(ROOT + "/"):
        raise BadDestination(
            f"destination {destination!r} is outside /agent",
            hint="content of an agent lies below /agent, for example /agent/knowledge/",
        )
    if path in RESERVED:
        raise BadDestination(f"{destination!r} is written by the builder itself")
    return path


def is_folder(destination: str) -> bool:
    """Whether files are copied into a destination under their own names."""
    if destination.endswith("/") or posixpath.basename(destination) in (".", ".."):
        return True
    return image_path(destination) == ROOT


def plan_copy(instruction: Copy, context: Context) -> list[CopiedFile]:
    """The files that one COPY brings, sorted by path.

    Raises SourceMissing, OutsideContext, BadPattern, BadDestination, and what the machine says.
    """
    destination = image_path(instruction.destination)
    into_folder = is_folder(instruction.destination)
    found: dict[str, CopiedFile] = {}
    for heredoc in instruction.heredocs:
        path = posixpath.join(destination, heredoc.name) if into_folder else destination
        found[path] = generated(path, heredoc.content.encode(), chmod=instruction.chmod)
    for source in instruction.sources:
        matches = context.expand(source.text)
        if len(matches) > 1 and not into_folder:
            raise BadDestination(
                f"{source.text!r} matches {len(matches)} names, but the destination is one file",
                hint=f"write {instruction.destination}/",
            )
        for match in matches:
            _add(found, match, destination, instruction, context)
    files = sorted(found.values(), key=lambda copied: copied.entry.path)
    _check_links(files)
    for copied in files:
        _check_name(copied.entry.path)
    return files


def copy_folder(context: Context, folder: str, destination: str) -> list[CopiedFile]:
    """What is in a folder of a context, to be below a path of the image; sorted by path.

    Raises OutsideContext, BadDestination, and what the machine says.
    """
    prefix = folder + "/" if folder else ""
    copied = [
        _copied(below, posixpath.join(destination, below.path[len(prefix) :]), None, context)
        for below in context.walk(folder)
    ]
    copied.sort(key=lambda each: each.entry.path)
    _check_links(copied)
    for each in copied:
        _check_name(each.entry.path)
    return copied


def generated(path: str, content: bytes, *, chmod: int | None = None) -> CopiedFile:
    """A file whose content is at hand: a heredoc, or what the builder itself writes."""
    mode = 0o755 if (chmod or 0) & 0o111 else 0o644
    sha256 = hashlib.sha256(content).hexdigest()
    return CopiedFile(TarEntry(path, mode, len(content), content=content, sha256=sha256), None)


def _check_name(path: str) -> None:
    if fault := fault_of(path):
        raise BadDestination(f"{path!r} cannot be in an image: {fault}", hint="rename it")
    if path in RESERVED:
        raise BadDestination(f"{path!r} is written by the builder itself", hint="rename it")


def _add(
    found: dict[str, CopiedFile],
    match: ContextFile,
    destination: str,
    instruction: Copy,
    context: Context,
) -> None:
    if match.is_folder:
        prefix = match.path + "/" if match.path else ""
        for below in context.walk(match.path):
            path = posixpath.join(destination, below.path[len(prefix) :])
            if instruction.from_ is not None and path in RESERVED:
                continue  # this image gets its own
            found[path] = _copied(below, path, instruction.chmod, context)
        if destination != ROOT and not context.listing(match.path):
            found[destination] = CopiedFile(TarEntry(destination, is_folder=True), match)
        return
    path = destination
    if is_folder(instruction.destination):
        path = posixpath.join(destination, match.path.rpartition("/")[2])
    found[path] = _copied(match, path, instruction.chmod, context)


def _copied(file: ContextFile, path: str, chmod: int | None, context: Context) -> CopiedFile:
    if file.is_folder:
        return CopiedFile(TarEntry(path, is_folder=True), file)
    if file.is_link:
        return CopiedFile(TarEntry(path, link=_read_link(file, context)), file)
    if not file.is_regular:
        raise Invalid(f"{file.path!r} is no regular file, folder or link", hint="leave it out")
    executable = (file.mode if chmod is None else chmod) & 0o111
    entry = TarEntry(
        path, 0o755 if executable else 0o644, file.size, source=context.locate(file.path)
    )
    return CopiedFile(entry, file)


def _read_link(file: ContextFile, context: Context) -> str:
    try:
        target = os.readlink(context.locate(file.path))  # noqa: PTH115 (surrogates pass)
    except OSError as exc:
        raise reading_failed(context.locate(file.path), exc) from exc
    if target.startswith("/"):
        raise OutsideContext(
            f"{file.path!r} is a link to the absolute path {target!r}",
            hint="make it relative, or copy the file itself",
        )
    return posixpath.normpath(target)


def _check_links(files: Iterable[CopiedFile]) -> None:
    """A link is kept when what it leads to is copied along with it."""
    files = list(files)
    links = [copied for copied in files if copied.entry.link is not None]
    if not links:
        return
    present = {copied.entry.path for copied in files}
    for path in list(present):
        while path := path.rpartition("/")[0]:
            present.add(path)
    for copied in links:
        entry = copied.entry
        link = entry.link or ""
        target = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), link))
        name = copied.origin.path if copied.origin else entry.path
        if target not in present or target == entry.path:
            raise OutsideContext(
                f"{name!r} is a link to {link!r}, which is not inside what is copied",
                hint="copy what it leads to as well, or leave the link out",
            )
        if fault := link_fault_of(entry.path, link):
            raise BadDestination(f"{name!r} -> {link!r}: {fault}", hint="leave the link out")
