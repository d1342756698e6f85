"""Attach: let files speak of an image, as an artifact whose subject the image is."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentoci._internal import limits
from agentoci.api.subjects import Subject, find_subject
from agentoci.content.copy import CopyOptions, copy
from agentoci.content.files import FileSource, describe_file
from agentoci.content.protocols import ContentNotFound, NoProgress, Reader, Source
from agentoci.content.reader import BytesSource
from agentoci.errors import AgentociError, Conflict, Invalid, NotFound
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import Manifest
from agentoci.store.layout import LayoutStore

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

_MEDIA_TYPE: Final = (
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
)
"""RFC 6838, section 4.2."""

_BY_SUFFIX: Final = {
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".html": "text/html",
    ".xml": "application/xml",
    ".csv": "text/csv",
}
"""Written out: the table of the machine would give other digests on other machines."""

_PLAIN: Final = "application/octet-stream"


class BadAttachment(Invalid):
    """Files, types or annotations that make no artifact which registries take."""


class AttachmentFileMissing(NotFound):
    """A file to attach is not there."""


class AttachmentRefused(AgentociError):
    """The registry takes no artifact of this type."""


class NotReplaced(Conflict):
    """The new attachment is there, and an earlier one could not be taken away."""


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """A file to attach, and its media type."""

    path: Path
    media_type: str

    @classmethod
    def parse(cls, text: str) -> AttachedFile:
        """Read `FILE[:MEDIATYPE]`; a type that is not given follows from the file's suffix."""
        name, colon, media_type = text.rpartition(":")
        if colon and name and re.fullmatch(_MEDIA_TYPE, media_type) and not Path(text).exists():
            return cls(Path(name), media_type)
        path = Path(text)
        return cls(path, _BY_SUFFIX.get(path.suffix.lower(), _PLAIN))


@dataclass(frozen=True, slots=True)
class AttachOptions:
    """What to attach as what.

    `artifact_type` says what it is. With `config_type` the manifest has no artifactType, which some
    registries refuse: the config's media type stands for it, and an annotation keeps the
    `artifact_type` when both are given. `replace` takes earlier attachments of the same type away
    once the new one is there. `local` means the local store, though the name has a registry.
    """

    artifact_type: str | None = None
    config_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    replace: bool = False
    local: bool = False


@dataclass(frozen=True, slots=True)
class Attached:
    """What attaching did; `left` are earlier ones that could not be taken away."""

    target: str
    subject: Digest
    digest: Digest
    replaced: tuple[Digest, ...] = ()
    left: tuple[Digest, ...] = ()

    def check(self) -> None:
        """Raises NotReplaced when an earlier attachment is still listed."""
        if self.left:
            raise NotReplaced(
                f"{self.target}: {self.digest} is attached, but earlier ones are listed still: "
                + ", ".join(map(str, self.left)),
                hint="the registry does not delete manifests; its administrator may allow it",
            )


def attach(
    engine: Engine, text: str, files: Sequence[AttachedFile], options: AttachOptions
) -> Attached:
    """Attach files to an image, beside it: at its registry, in a layout, in the local store.

    The same files, types and annotations give the same digest. Raises BadAttachment,
    AttachmentFileMissing, AttachmentRefused, ContentNotFound, registry errors.
    """
    gathered = _gather(files)
    config = _config(options)
    if not files and not options.annotations:
        raise BadAttachment("nothing to attach", hint="name a file, or give --annotation KEY=VALUE")
    subject = find_subject(engine, text, local=options.local, change=True)
    manifest = Manifest.build(
        config=config,
        layers=gathered.layers or [EMPTY],
        artifact_type=None if options.config_type else options.artifact_type,
        annotations=_annotations(options),
        subject=subject.root,
    )
    gathered.add(config, BytesSource(EMPTY_CONTENT))
    gathered.add(manifest.descriptor, BytesSource(manifest.raw))
    with subject.using():
        _send(engine, gathered, manifest, subject)
        replaced, left = _replace(subject, manifest, options) if options.replace else ((), ())
    digest = manifest.descriptor.digest
    return Attached(subject.shown, subject.root.digest, digest, replaced, left)


def _config(options: AttachOptions) -> Descriptor:
    """The empty JSON object, under the type that stands for the artifact's or under its own."""
    for given in (options.artifact_type, options.config_type):
        if given is not None and not re.fullmatch(_MEDIA_TYPE, given):
            raise BadAttachment(
                f"{given!r} is not a media type", hint="write one such as application/spdx+json"
            )
    if options.artifact_type is None and options.config_type is None:
        raise BadAttachment("an attachment needs a type", hint="give it by --artifact-type")
    return Descriptor(options.config_type or mediatypes.OCI_EMPTY, EMPTY.digest, EMPTY.size)


def _annotations(options: AttachOptions) -> dict[str, str]:
    made = dict(options.annotations)
    if options.config_type and options.artifact_type:
        made[keys.ARTIFACT_TYPE] = options.artifact_type
    return made


def _send(engine: Engine, gathered: Gathered, manifest: Manifest, subject: Subject) -> None:
    from agentoci.registry.errors import ManifestBlobUnknown, ManifestRejected

    options = CopyOptions(progress=engine.progress or NoProgress())
    root = manifest.descriptor.bare()
    try:
        copy(gathered, root, subject.holder, str(root.digest), options=options)
    except ManifestBlobUnknown:
        raise
    except ManifestRejected as exc:
        raise AttachmentRefused(
            f"{exc.message}; it may take known types only, and no artifactType",
            hint=f"let the config's type stand for it: --config-type {mediatypes.OCI_IMAGE_CONFIG}",
        ) from exc


def _replace(
    subject: Subject, manifest: Manifest, options: AttachOptions
) -> tuple[tuple[Digest, ...], tuple[Digest, ...]]:
    """Take earlier attachments of the type away; returns those gone and those that stay."""
    holder, root = subject.holder, subject.root
    kind = options.artifact_type or options.config_type
    earlier = [
        desc
        for desc in holder.referrers(root, artifact_type=kind)
        if desc.digest != manifest.descriptor.digest
    ]
    if not earlier:
        return (), ()
    if isinstance(holder, LayoutStore):
        gone = {desc.digest for desc in earlier}
        with holder.index.changing() as change:
            change.remove(lambda entry: entry.name is None and entry.digest in gone)
        listed = {desc.digest for desc in holder.referrers(root)}
        left = tuple(desc for desc in earlier if desc.digest in listed)
    else:
        left = holder.listed.remove(root, earlier)
    replaced = [desc.digest for desc in earlier if desc not in left]
    return tuple(sorted(replaced)), tuple(sorted(desc.digest for desc in left))


class Gathered:
    """What is to be attached, as a target to copy from: files and bytes by digest."""

    def __init__(self) -> None:
        self.layers: list[Descriptor] = []
        self._sources: dict[Digest, Source] = {EMPTY.digest: BytesSource(EMPTY_CONTENT)}

    def add(self, desc: Descriptor, source: Source) -> None:
        """Hold one piece of content."""
        self._sources[desc.digest] = source

    @contextlib.contextmanager
    def fetch(self, desc: Descriptor, offset: int = 0) -> Iterator[Reader]:
        """The bytes; raises ContentNotFound."""
        source = self._sources.get(desc.digest)
        if source is None:
            raise ContentNotFound(f"{desc.digest}: not gathered")
        with source.open(offset) as stream:
            yield stream

    def resolve(self, name: str) -> Descriptor:
        """Nothing has a name here; raises ContentNotFound."""
        raise ContentNotFound(f"{name}: not gathered")


def _gather(files: Sequence[AttachedFile]) -> Gathered:
    if len(files) > limits.MAX_ATTACHED_FILES:
        raise BadAttachment(
            f"{len(files)} files: an attachment holds at most {limits.MAX_ATTACHED_FILES}",
            hint="pack them into one archive",
        )
    gathered = Gathered()
    titles: dict[str, Path] = {}
    for file in files:
        title = file.path.name
        if title in titles:
            raise BadAttachment(
                f"{file.path} and {titles[title]} would both be called {title!r}",
                hint="rename one, or attach them one by one",
            )
        titles[title] = file.path
        desc = _describe(file).annotated(**{keys.TITLE: title})
        gathered.layers.append(desc)
        gathered.add(desc, FileSource(file.path))
    return gathered


def _describe(file: AttachedFile) -> Descriptor:
    """Type, digest and size of a file; raises for what registries, or we, do not take."""
    path = file.path
    if not path.is_file():
        if path.exists():
            raise BadAttachment(f"{path}: not a file", hint="pack a folder into an archive first")
        raise AttachmentFileMissing(f"{path}: no such file")
    desc = describe_file(path, file.media_type, most=limits.MAX_ATTACHED_BYTES)
    if desc.size > limits.MAX_ATTACHED_BYTES:
        raise BadAttachment(
            f"{path}: larger than {limits.MAX_ATTACHED_BYTES // limits.MIB} MiB",
            hint="what is that large belongs into an image of its own",
        )
    if desc.size == 0:
        raise BadAttachment(f"{path}: empty, and many registries refuse a blob without bytes")
    return desc
