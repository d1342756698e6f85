"""Discover: what speaks of an image, where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agentoci.api.subjects import Subject, find_subject
from agentoci.content.recursion import Attachment, RecursionOptions, attached_to, find_attachments
from agentoci.content.referrers import kind_of
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digesttags import COSIGN

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

CREATED: Final = "org.opencontainers.image.created"


@dataclass(frozen=True, slots=True)
class Discovered:
    """What speaks of an image, and of that in turn; subjects come before what speaks of them."""

    shown: str
    subject: Descriptor
    found: tuple[Attachment, ...]


def discover(
    engine: Engine,
    text: str,
    *,
    artifact_type: str | None = None,
    recursive: bool = False,
    local: bool = False,
) -> Discovered:
    """List what speaks of an image: its referrers, and what cosign keeps under tags.

    Nothing is pulled or changed. Raises ContentNotFound and registry errors.
    """
    subject = find_subject(engine, text, local=local)
    if recursive:
        found = _recursive(subject)
        if artifact_type is not None:
            found = tuple(item for item in found if artifact_type in _kinds(item))
    else:
        found = _direct(subject, artifact_type)
    return Discovered(subject.shown, subject.root, found)


def _direct(subject: Subject, artifact_type: str | None) -> tuple[Attachment, ...]:
    if artifact_type is None:
        return tuple(attached_to(subject.holder, subject.beside, subject.root))
    listed = subject.holder.referrers(subject.root, artifact_type=artifact_type)
    return tuple(
        Attachment(desc, subject.root) for desc in sorted(listed, key=lambda d: str(d.digest))
    )


def _recursive(subject: Subject) -> tuple[Attachment, ...]:
    options = RecursionOptions(checkpoints=True, beside_source=subject.beside)
    return find_attachments(subject.holder, subject.root, options=options).found


def _kinds(item: Attachment) -> tuple[str | None, ...]:
    return () if item.tag else (item.desc.artifact_type, kind_of(item.desc))


def kind_shown(item: Attachment) -> str:
    """What an attachment is, in words when only cosign's tag tells it."""
    if item.tag is not None:
        _, dot, suffix = item.tag.rpartition(".")
        return COSIGN.get(dot + suffix, "cosign")
    return item.kind or "unknown"
