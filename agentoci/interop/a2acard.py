"""A2A agent cards, version 1.0 of the protocol: what an agent offers, and where it answers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Final

from agentoci.errors import SourceFaults
from agentoci.interop.losses import Losses
from agentoci.interop.names import skill_name
from agentoci.interop.skillexport import SKILLS
from agentoci.interop.skills import SKILL_FILE, read_skill
from agentoci.interop.subject import PARENT, Exported, Head, Subject, take_head
from agentoci.interop.taking import Taking
from agentoci.spec.jsonio import Json

FILE: Final = "agent-card.json"
PROTOCOL: Final = "1.0"
IMAGE_EXTENSION: Final = "urn:agentoci:image:v1"
"""The card's extension that says which image the agent is: `reference` and `digest`."""

_MAX_SKILL: Final = 4000
_MAX_SUMMARY: Final = 1000
"""Bytes of the descriptions of skill and agent: directories take cards of 10 KB at the most."""

_TEXT: Final = "text/plain"
_REASONS: Final = {
    "parent": PARENT,
    "requires": "a card says what an agent offers, not what it needs",
    "knowledge": "a card names no files",
    "author": "a provider needs a URL: LABEL org.opencontainers.image.url",
}
_DEFAULT: Final = "a card says what an agent offers, not how it works"


def to_card(subject: Subject, *, url: str | None) -> Exported:
    """The card; `url` is where the agent answers JSON-RPC, which no image knows."""
    losses, taking = Losses(), Taking(dict(subject.document))
    head = take_head(taking)
    tags = taking.texts("metadata", "tags")
    card: dict[str, Json] = {
        "name": head.name,
        "description": _cut(head.summary(), _MAX_SUMMARY, "metadata.description", losses),
        "version": head.version,
        "supportedInterfaces": [],
        "capabilities": _capabilities(subject),
        "defaultInputModes": [_TEXT],
        "defaultOutputModes": [_TEXT],
        "skills": [_skill(head, tags, losses), *_skills_of(subject)],
    }
    if url is None:
        losses.note("url", None, "where the agent answers is not known: give --url")
    else:
        card["supportedInterfaces"] = [
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": PROTOCOL}
        ]
    card |= _links(subject, head, losses)
    taking.note_left(losses, _REASONS, _DEFAULT)
    content = json.dumps(card, indent=2, ensure_ascii=False).encode() + b"\n"
    return Exported(head.name, {FILE: content}, losses.all())


def _skill(head: Head, tags: list[str], losses: Losses) -> dict[str, Json]:
    text = head.interface or head.summary()
    return {
        "id": skill_name(head.name),
        "name": head.title,
        "description": _cut(text, _MAX_SKILL, "spec.interface", losses),
        "tags": list(tags) or [head.name],
    }


def _skills_of(subject: Subject) -> Iterator[dict[str, Json]]:
    """The Agent Skills among the agent's knowledge; one that is not valid is only a file."""
    for path, content in subject.knowledge().items():
        folder, _, file = path.rpartition("/")
        if file != SKILL_FILE or not folder.startswith(f"{SKILLS}/"):
            continue
        with contextlib.suppress(SourceFaults):
            skill = read_skill(content, folder=None, file=path)
            yield {
                "id": skill.name,
                "name": skill.name,
                "description": skill.description,
                "tags": ["agent-skill"],
            }


def _cut(text: str, limit: int, path: str, losses: Losses) -> str:
    kept = text.encode()[:limit].decode(errors="ignore")
    if kept != text:
        losses.note(path, text, f"cut to {limit} bytes")
    return kept


def _capabilities(subject: Subject) -> dict[str, Json]:
    made: dict[str, Json] = {"streaming": False, "pushNotifications": False}
    if image := subject.image:
        params: dict[str, Json] = {"digest": image.digest}
        if image.repository:
            params["reference"] = f"{image.repository}@{image.digest}"
        made["extensions"] = [
            {
                "uri": IMAGE_EXTENSION,
                "description": "The OCI image that the agent is.",
                "params": params,
            }
        ]
    return made


def _links(subject: Subject, head: Head, losses: Losses) -> Mapping[str, Json]:
    made: dict[str, Json] = {}
    home = subject.label("url") or subject.label("source")
    organization = subject.label("vendor") or head.author
    if home and organization:
        made["provider"] = {"organization": organization, "url": home}
    elif head.author:
        losses.note("metadata.author", head.author, _REASONS["author"])
    if documentation := subject.label("documentation"):
        made["documentationUrl"] = documentation
    return made
