"""References: the names of images, by docker's grammar.

A short name (`coordinator:1.0`, `team/coordinator`) is local; a name whose first part looks like a
host (has a dot or a colon, or is `localhost`) belongs to that registry; `@sha256:…` pins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from agentoci.errors import Invalid
from agentoci.spec.digest import Digest, InvalidDigest

DEFAULT_TAG: Final = "latest"

# Patterns are compiled by `re` when they are first used: listing images needs none of them.

_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY: Final = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_TAG: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_LABEL: Final = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST: Final = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?"
_TAG_HINT: Final = "a tag is up to 128 letters, digits, '_', '.' and '-', not led by '.' or '-'"


class InvalidReference(Invalid):
    """Not `[host[:port]/]name[:tag][@digest]`."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference; `registry` is None for a local short name.

    At most one of tag and digest may be missing: a reference without both is read as `:latest`.
    """

    registry: str | None
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference; raises InvalidReference with the part that is wrong."""
        rest, at, digest_text = text.partition("@")
        digest = _parse_digest(text, digest_text) if at else None
        registry, name = _split_host(rest)
        name, tag = _split_tag(text, name)
        if registry is not None and not re.fullmatch(_HOST, registry):
            raise InvalidReference(f"{text!r}: {registry!r} is not a host", hint=_host_hint(text))
        if not name:
            raise InvalidReference(f"{text!r}: the name is empty", hint="write NAME:TAG")
        if not re.fullmatch(_REPOSITORY, name):
            raise InvalidReference(f"{text!r}: {name!r} is not a name", hint=_name_hint(text, name))
        if len(name) > 255:
            raise InvalidReference(f"{text[:40]!r}…: the name is longer than 255 characters")
        if tag is None and digest is None:
            tag = DEFAULT_TAG
        return cls(registry, name, tag, digest)

    @property
    def is_local(self) -> bool:
        """Whether it names no registry."""
        return self.registry is None

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}" if self.registry else self.repository

    @property
    def selector(self) -> str:
        """What a manifest is asked for by: the digest when pinned, else the tag."""
        return str(self.digest) if self.digest else self.tag or DEFAULT_TAG

    @property
    def tagged(self) -> str:
        """Name and tag without the digest, the key under which a store knows it."""
        return f"{self.name}:{self.tag or DEFAULT_TAG}"

    def at(self, registry: str, repository: str) -> Reference:
        """The same tag and digest in another repository."""
        return replace(self, registry=registry, repository=repository)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def is_tag(text: str) -> bool:
    """Whether a registry may call a manifest so."""
    return re.fullmatch(_TAG, text) is not None


def check_tag(tag: str, *, text: str | None = None) -> None:
    """Raise InvalidReference for what is no tag; `text` is what it stands in."""
    if not is_tag(tag):
        where = "" if text is None else f"{text!r}: "
        raise InvalidReference(f"{where}{tag!r} is not a tag", hint=_TAG_HINT)


def _parse_digest(text: str, digest_text: str) -> Digest:
    try:
        return Digest.parse(digest_text)
    except InvalidDigest as exc:
        raise InvalidReference(f"{text!r}: {exc.message}") from exc


def _split_host(rest: str) -> tuple[str | None, str]:
    first, slash, name = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        return first, name
    return None, rest


def _split_tag(text: str, name: str) -> tuple[str, str | None]:
    before, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name, None
    check_tag(tag, text=text)
    return before, tag


def _host_hint(text: str) -> str | None:
    scheme, mark, bare = text.partition("://")
    return f"leave {scheme}{mark} out: {bare or 'HOST/NAME'}" if mark else _path_hint(text)


def _path_hint(text: str) -> str | None:
    return f"a folder is written oci:{text}" if text.startswith(("/", "./", "../")) else None


def _name_hint(text: str, name: str) -> str | None:
    if (hint := _path_hint(text)) is not None:
        return hint
    if name != name.lower():
        return f"names are lower case: {name.lower()!r}"
    return "a name is lower-case letters and digits, joined by '.', '_', '-' and '/'"
