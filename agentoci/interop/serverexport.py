"""MCP `server.json`, schema 2025-12-11: an image as a server that MCP registries list."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import urlsplit

from agentoci.errors import Invalid
from agentoci.interop.losses import Losses
from agentoci.interop.names import server_name
from agentoci.interop.subject import PARENT, Exported, Head, Subject, cut, take_head
from agentoci.interop.taking import Taking
from agentoci.spec.jsonio import Json

FILE: Final = "server.json"
SCHEMA: Final = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
NAME_LABEL: Final = "io.modelcontextprotocol.server.name"
"""The label by which an image proves that it is the server of this name."""

_MAX_TEXT: Final = 100
_HOSTS: Final = {"github.com": "github", "gitlab.com": "gitlab", "bitbucket.org": "bitbucket"}
_REASON: Final = "server.json says how a server is started, not what an agent is"


class NotAtRegistry(Invalid):
    """Only an image at a registry can be named in `server.json`."""


def to_server(subject: Subject, *, name: str | None) -> Exported:
    """The document; `name` is the server's, by default the one in the image's label.

    Raises NotAtRegistry and InvalidServerName.
    """
    losses, taking = Losses(), Taking(dict(subject.document))
    head = take_head(taking)
    called = _server_name(subject, name, losses)
    if subject.image is None or subject.image.repository is None:
        raise NotAtRegistry(
            "server.json names an image at a registry, by digest",
            hint="push it, then convert HOST/NAME:TAG",
        )
    summary = head.summary()
    if len(summary) > _MAX_TEXT:
        losses.note("metadata.description", summary, f"cut to {_MAX_TEXT} characters")
    document: dict[str, Json] = {
        "$schema": SCHEMA,
        "name": called,
        "title": cut(head.title, _MAX_TEXT),
        "description": cut(summary, _MAX_TEXT),
        "version": head.version,
        "packages": [_package(subject, taking)],
    }
    _add_links(document, subject)
    _note_what_is_missing(subject, head, losses)
    taking.note_left(losses, {"parent": PARENT}, _REASON)
    content = json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
    return Exported(called, {FILE: content}, losses.all())


def _server_name(subject: Subject, name: str | None, losses: Losses) -> str:
    labelled = subject.labels.get(NAME_LABEL)
    called = name or labelled
    if called is None:
        raise Invalid(
            "the server has no name",
            hint=f"give --name io.github.YOU/NAME, or build with LABEL {NAME_LABEL}=…",
        )
    if called != labelled:
        losses.note(
            f"labels.{NAME_LABEL}", labelled, f"registries ask the image for this label: {called}"
        )
    return server_name(called)


def _package(subject: Subject, taking: Taking) -> dict[str, Json]:
    image = subject.image
    made: dict[str, Json] = {
        "registryType": "oci",
        "identifier": f"{image.repository}@{image.digest}" if image else "",
        "transport": {"type": "stdio"},
    }
    if variables := _variables(taking):
        made["environmentVariables"] = [
            {"name": name, "isRequired": True, "isSecret": True} for name in variables
        ]
    return made


def _variables(taking: Taking) -> list[str]:
    """The variables that the agent's own tools read secrets from."""
    found: list[str] = []
    for path in taking.items("spec", "requires", "tools"):
        for kind in ("env", "headers"):
            values = taking.mapping(*path, "mcp", kind).values()
            found += [str(v).rpartition("env:")[2] for v in values if "env:" in str(v)]
    return list(dict.fromkeys(found))


def _add_links(document: dict[str, Json], subject: Subject) -> None:
    if source := subject.label("source"):
        host = urlsplit(source).hostname or ""
        document["repository"] = {"url": source, "source": _HOSTS.get(host, host)}
    if home := subject.label("url"):
        document["websiteUrl"] = home


def _note_what_is_missing(subject: Subject, head: Head, losses: Losses) -> None:
    for key, value in (("author", head.author), ("description", None)):
        if value:
            losses.note(f"metadata.{key}", value, "server.json has no such field")
    if head.interface:
        losses.note("spec.interface", head.interface, _REASON)
    image = subject.image
    if image and not image.has_entrypoint:
        losses.note("image", None, "it has no ENTRYPOINT: nothing answers on stdio")
    if image and not image.container:
        losses.note("image", None, "MCP hosts run container images: push with --profile image")
