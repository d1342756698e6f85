"""The tools of an agent: other agents, MCP servers, A2A agents, HTTP services, skills.

What is here says how a tool is reached. A secret never stands in a definition: `env:NAME` and
`file:PATH` name the place where whoever runs the agent keeps it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from agentoci.definition.toolkinds import TOOL_KINDS
from agentoci.definition.values import (
    Block,
    Flag,
    Matching,
    Name,
    Text,
    Url,
    VersionRange,
    refused,
    unique,
)
from agentoci.spec.reference import InvalidReference, Reference

MAX_ARGUMENTS: Final = 256

_ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_SECRET_NAME: Final = re.compile(
    r"(?:TOKEN|SECRETS?|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|AUTHORIZATION|COOKIE)(?![A-Z])"
    r"|(?:^|[_-])(?:KEY|PWD|PAT|AUTH)(?:$|[_-])|(?:API|ACCESS|PRIVATE)KEY"
)
_REFERENCE: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]* )?(?:env:[A-Za-z_]\w{0,255}|file:\S.*)")
_LOOKS_RELATIVE: Final = ("./", "../", "/")


def names_secret(name: str) -> bool:
    """Whether a variable or header of this name holds a secret, as far as its name tells."""
    return _SECRET_NAME.search(name.upper()) is not None


def is_secret_reference(value: str) -> bool:
    """Whether a value is `env:NAME` or `file:PATH`, in a header also `Bearer env:NAME`."""
    return _REFERENCE.fullmatch(value) is not None


def _no_literal_secrets(values: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in values.items():
        if value.startswith(("env:", "file:")) and not is_secret_reference(value):
            raise refused(
                f"{value[:60]!r} names no place", hint="env:NAME or file:PATH", at=(name,)
            )
        if names_secret(name) and value and not is_secret_reference(value):
            raise refused(
                f"the value of {name[:60]} would be in the image for everybody to read",
                hint=f"write env:{_variable(name)}, or file:PATH; it is looked up at run time",
                at=(name,),
            )
    return values


def _variable(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)[:60].upper()


def _one_line(value: str) -> str:
    if any(char in value for char in "\0\r\n"):
        raise refused("a line break or NUL character is not allowed here")
    return value


def _argv(value: object) -> object:
    """A program's name alone may stand without brackets; it is not split at blanks."""
    if not isinstance(value, str):
        return value
    if re.search(r"\s", value.strip()):
        words = ", ".join(value.split())
        raise refused(
            "a command with arguments is a list", hint=f"write [{words[:80]}], no shell reads it"
        )
    return (value,)


def _names_program(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise refused("the command names no program", hint="such as [npx, -y, some-server]")
    return value


def _shorthand(key: str) -> BeforeValidator:
    """Lets the one thing that a mapping needs stand for the mapping."""

    def expand(value: object) -> object:
        return {key: value} if isinstance(value, str) else value

    return BeforeValidator(expand)


def is_skill_path(text: str) -> bool:
    """Whether a skill is written as a folder (`./skills/pdf`, `skills/pdf/`), not a reference."""
    return text.startswith(_LOOKS_RELATIVE) or text.endswith("/") or text in (".", "..")


def _skill_source(value: object) -> object:
    if not isinstance(value, str):
        return value
    return {"path": value} if is_skill_path(value) else {"reference": value}


def _artifact(value: str) -> str:
    """A reference, or `oci:DIR[:NAME]`."""
    if value.startswith("oci:"):
        if value == "oci:":
            raise refused("'oci:' names no folder", hint="write oci:DIR:NAME")
        return value
    try:
        Reference.parse(value)
    except InvalidReference as exc:
        raise refused(exc.message, hint=exc.hint or "a folder is written ./FOLDER") from None
    return value


def _repository(value: str) -> str:
    """A name without tag and digest."""
    reference = _artifact(value)
    if value.startswith("oci:") or Reference.parse(reference).name != value:
        raise refused(
            f"'{value[:80]}' is not a name alone",
            hint="HOST/TEAM/NAME; the version stands in 'version'",
        )
    return value


def _inside(value: str) -> str:
    if "\\" in value or ".." in value.split("/"):
        raise refused(
            f"'{value[:60]}' leads out of the context", hint="a folder of what is built, by '/'"
        )
    return value


Line = Annotated[str, AfterValidator(_one_line)]
Argument = Annotated[str, AfterValidator(_one_line)]
Arguments = Annotated[tuple[Argument, ...], Field(max_length=MAX_ARGUMENTS)]
Command = Annotated[
    tuple[Annotated[Text, AfterValidator(_one_line)], ...],
    BeforeValidator(_argv),
    AfterValidator(_names_program),
]
EnvName = Annotated[
    str, Matching(_ENV_NAME, "the name of a variable", "letters, digits and '_', no digit first")
]
HeaderName = Annotated[
    str, Matching(_HEADER, "the name of a header", "such as Authorization or X-Api-Version")
]


class McpServer(Block):
    """A server of the Model Context Protocol: a program to start, or a URL."""

    command: Command | None = None
    """The program, as a list with its arguments or its name alone; it speaks over stdio."""
    args: Arguments = ()
    """Further arguments of the program."""
    env: Annotated[dict[EnvName, Line], AfterValidator(_no_literal_secrets)] = Field(
        default_factory=dict
    )
    """Variables of the program: env:NAME or file:PATH for a secret, else the value itself."""
    cwd: Line | None = None
    """The folder that the program starts in."""
    url: Url | None = None
    """Where a server that runs already answers (streamable HTTP)."""
    headers: Annotated[dict[HeaderName, Line], AfterValidator(_no_literal_secrets)] = Field(
        default_factory=dict
    )
    """Headers of every request: `Bearer env:NAME` for a secret, else the value itself."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.command is None and self.url is None:
            raise refused("neither 'command' nor 'url' is given", hint="give one of them")
        if self.command is not None and self.url is not None:
            raise refused("'command' and 'url' are both given", hint="keep one of them")
        wrong = ("args", "env", "cwd") if self.command is None else ("headers",)
        for key in wrong:
            if key in self.model_fields_set:
                other = "url" if self.command is None else "command"
                raise refused(f"'{key}' does not go with '{other}'", at=(key,))
        return self


class A2aAgent(Block):
    """A remote agent of the A2A protocol."""

    card: Url
    """Where its agent card is."""


class HttpTool(Block):
    """A service with an HTTP interface."""

    url: Url
    """Where it answers."""


class SkillSource(Block):
    """An Agent Skill that becomes part of the image."""

    reference: Annotated[Text, AfterValidator(_artifact)] | None = None
    """An artifact with skills in it: NAME:TAG, HOST/NAME@DIGEST or oci:DIR."""
    path: Annotated[Text, AfterValidator(_inside)] | None = None
    """A folder of the context with a SKILL.md in it."""
    select: Text | None = None
    """Of an artifact with several skills, the one to take; all without it."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.reference is None and self.path is None:
            raise refused("neither 'reference' nor 'path' is given", hint="give one of them")
        if self.reference is not None and self.path is not None:
            raise refused("'reference' and 'path' are both given", hint="keep one of them")
        return self


class ToolRequirement(Block):
    """A tool that the agent calls: another agent, unless one of the last keys says otherwise."""

    name: Name
    interface: Text | None = None
    """What the tool is needed for, in words."""
    version: VersionRange = "*"
    """Which versions will do, such as ">=1.0"."""
    required: Flag = True
    """Whether the agent cannot work without it."""
    reference: Annotated[Text, AfterValidator(_repository)] | None = None
    """Where images of an agent are, when its name alone does not tell: HOST/TEAM/NAME."""
    mcp: McpServer | None = None
    """An MCP server."""
    a2a: Annotated[A2aAgent, _shorthand("card")] | None = None
    """An agent of the A2A protocol, or just the URL of its card."""
    http: Annotated[HttpTool, _shorthand("url")] | None = None
    """An HTTP service, or just its URL."""
    skill: Annotated[SkillSource, BeforeValidator(_skill_source)] | None = None
    """An Agent Skill: a reference, or a folder (./skills/pdf)."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [kind for kind in TOOL_KINDS if getattr(self, kind) is not None]
        if len(kinds) > 1:
            both = " and ".join(f"'{kind}'" for kind in kinds)
            raise refused(
                f"a tool is one thing, and here are {both}",
                hint="write one entry for each, under names of their own",
                at=(kinds[1],),
            )
        if kinds and self.reference is not None:
            raise refused("'reference' is for agents", hint="leave it out", at=("reference",))
        if kinds and kinds != ["skill"] and "version" in self.model_fields_set:
            raise refused(
                f"'version' is for agents and skills, not for '{kinds[0]}'",
                hint="leave it out; which one it is stands in its command or URL",
                at=("version",),
            )
        if self.skill is not None and "version" in self.model_fields_set:
            _check_chosen_by_version(self.skill)
        return self


def _check_chosen_by_version(skill: SkillSource) -> None:
    """Refuse a version for a skill that is one version already."""
    text = skill.reference or ""
    whole = skill.reference is None or text.startswith("oci:")
    if whole or Reference.parse(text).name != text:
        raise refused(
            "which version it is stands in 'skill'",
            hint="leave 'version' out, or the tag of the reference: HOST/TEAM/NAME",
            at=("version",),
        )


Tools = Annotated[tuple[ToolRequirement, ...], unique("name")]
