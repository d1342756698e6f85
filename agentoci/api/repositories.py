"""Names as the verbs on repositories take them: what was said, without the usual `latest`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agentoci.spec.reference import InvalidReference, Reference

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.registry.repository import Repository


def as_written(text: str) -> Reference:
    """A reference whose tag is None unless the text has one; raises InvalidReference."""
    found = Reference.parse(text)
    said = text.partition("@")[0].endswith(f":{found.tag}")
    return found if said else replace(found, tag=None)


def repository_named(text: str) -> Reference:
    """A repository without tag and digest; raises InvalidReference for an image."""
    found = as_written(text)
    if found.tag or found.digest:
        hint = f"write {found.name}"
        if found.is_local and str(found.tag).isdecimal():
            hint = f"write {text}/NAME, if it is a registry's host and port"
        raise InvalidReference(f"{text!r} names an image, where a repository is meant", hint=hint)
    return found


def open_repository(engine: Engine, reference: Reference, *, push: bool = False) -> Repository:
    """The repository at its registry, the default one for short names; raises NoRegistry."""
    return engine.client.repository(engine.transfers.at_registry(reference), push=push)
