"""An agent as an Agent Skill: SKILL.md, and its knowledge as references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote

from agentoci.interop.losses import Losses
from agentoci.interop.names import skill_name
from agentoci.interop.skills import SKILL_FILE, read_skill
from agentoci.interop.subject import PARENT, UNVERSIONED, Exported, Head, Subject, cut, take_head
from agentoci.interop.taking import Taking, show
from agentoci.interop.yamlout import dump_yaml
from agentoci.spec.jsonio import Json

SKILLS: Final = "skills"
"""The folder of the knowledge that holds skills, each in a folder of its name."""

_MAX_DESCRIPTION: Final = 1024
_MAX_COMPATIBILITY: Final = 500
_KINDS: Final = {"mcp": "MCP server", "a2a": "A2A agent", "http": "service", "skill": "skill"}
_DEFAULT: Final = "a skill is text and files; whoever runs it decides this"
_REASONS: Final = {
    "tags": "the format has no tags",
    "parent": PARENT,
    "validation": "the limit is told in words, nobody checks it",
}


def to_skill(subject: Subject) -> Exported:
    """The skill's folder.

    The skill that the agent was made from, if it still has that one, comes back as it was.
    """
    losses, taking = Losses(), Taking(dict(subject.document))
    head = take_head(taking)
    name = skill_name(head.name)
    if name != head.name:
        losses.note("metadata.name", head.name, f"skills have other names: {name}")
    knowledge = subject.knowledge()
    folder = f"{SKILLS}/{name}/"
    if f"{folder}{SKILL_FILE}" in knowledge:
        files = _kept(knowledge, folder, losses)
        _compare(files[SKILL_FILE], head, losses)
    else:
        files = _made(subject, head, name, knowledge, taking, losses)
    _take_knowledge(taking, knowledge, losses)
    taking.note_left(losses, _REASONS, _DEFAULT)
    return Exported(name, {f"{name}/{path}": files[path] for path in files}, losses.all())


def _kept(knowledge: Mapping[str, bytes], folder: str, losses: Losses) -> dict[str, bytes]:
    """The files of the skill, SKILL.md first; those beside it have no place in it."""
    files = {SKILL_FILE: b""}
    for path, content in knowledge.items():
        if path.startswith(folder):
            files[path.removeprefix(folder)] = content
        else:
            losses.note(f"knowledge/{path}", None, "the file is no part of the skill")
    return files


def _compare(content: bytes, head: Head, losses: Losses) -> None:
    """Note what the definition says and the skill, which comes back as it was, does not."""
    skill = read_skill(content, folder=None, file=SKILL_FILE)
    metadata = skill.metadata
    version = metadata.get("version", UNVERSIONED).removeprefix("v")
    for path, value, kept in (
        ("spec.interface", head.interface, skill.description),
        ("metadata.description", head.description, " ".join(skill.description.split())),
        ("metadata.author", head.author, metadata.get("author")),
        ("metadata.version", head.version, ".".join([*version.split("."), "0", "0"][:3])),
    ):
        if value not in (kept, None, UNVERSIONED):
            losses.note(path, value, f"the skill in the image says: {cut(kept or 'nothing', 60)}")


def _made(
    subject: Subject,
    head: Head,
    name: str,
    knowledge: Mapping[str, bytes],
    taking: Taking,
    losses: Losses,
) -> dict[str, bytes]:
    references = {f"references/{path}": content for path, content in sorted(knowledge.items())}
    needs = list(_needs(taking, losses))
    front = _front(subject, head, name, needs, losses)
    sections = [
        head.interface or f"# {head.title}\n\n{head.summary()}",
        _section("Always", taking.texts("spec", "invariants")),
        _section("Limits", _limits(taking)),
        _section("Needs", needs),
        _section("References", [f"[{p.partition('/')[2]}]({quote(p)})" for p in references]),
    ]
    body = "\n\n".join(section.strip("\n") for section in sections if section)
    return {SKILL_FILE: f"---\n{dump_yaml(front)}---\n\n{body}\n".encode(), **references}


def _front(
    subject: Subject, head: Head, name: str, needs: list[str], losses: Losses
) -> dict[str, Json]:
    summary = head.summary()
    if len(summary) > _MAX_DESCRIPTION:
        losses.note("metadata.description", summary, f"cut to {_MAX_DESCRIPTION} characters")
    front: dict[str, Json] = {"name": name, "description": cut(summary, _MAX_DESCRIPTION)}
    if licence := subject.label("licenses"):
        front["license"] = licence
    if needs:
        front["compatibility"] = cut(f"Needs {'; '.join(needs)}", _MAX_COMPATIBILITY)
    known = {"author": head.author, "version": head.version}
    metadata: dict[str, Json] = {
        key: value for key, value in known.items() if value and value != UNVERSIONED
    }
    if subject.image:
        metadata["image"] = "@".join(filter(None, (subject.image.repository, subject.image.digest)))
    return front | ({"metadata": metadata} if metadata else {})


def _needs(taking: Taking, losses: Losses) -> Iterator[str]:
    for path in taking.items("spec", "requires", "tools"):
        tool = taking.take(*path)
        if not isinstance(tool, dict):
            continue
        kind = next((word for key, word in _KINDS.items() if key in tool), "agent")
        version = "" if tool.get("version") in (None, "*") else f" {tool['version']}"
        use = f": {tool['interface']}" if tool.get("interface") else ""
        optional = " (optional)" if tool.get("required") is False else ""
        losses.note(show(path), tool, "told in words: a skill requires nothing")
        yield f"the {kind} {tool.get('name')}{version}{optional}{use}"


def _limits(taking: Taking) -> list[str]:
    return [
        taking.text(*path, "description") or taking.text(*path, "id") or ""
        for path in taking.items("spec", "constraints")
        if taking.take(*path, "id")
    ]


def _section(title: str, points: list[str]) -> str:
    if not points:
        return ""
    return f"## {title}\n\n" + "\n".join(f"- {' '.join(point.split())}" for point in points)


def _take_knowledge(taking: Taking, knowledge: Mapping[str, bytes], losses: Losses) -> None:
    """Files that came along are not lost; the others are named."""
    for kind in ("static", "dynamic", "principles"):
        for index, path in enumerate(taking.texts("spec", "knowledge", kind)):
            if path not in knowledge:
                where = f"spec.knowledge.{kind}[{index}]"
                losses.note(where, path, "the file does not come along")
