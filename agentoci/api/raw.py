"""Manifests and blobs as they are: read, described and stored without a change of a byte."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentoci.api.ends import open_source
from agentoci.api.locations import AnyLocation, LayoutLocation, parse_any_location
from agentoci.api.repositories import as_written, open_repository
from agentoci.content.files import FileSource, describe_file
from agentoci.content.graph import fetch_raw_manifest
from agentoci.content.protocols import ContentNotFound, Fetcher, Reader
from agentoci.content.reader import BytesSource, VerifiedReader
from agentoci.spec.descriptor import Descriptor, Platform
from agentoci.spec.digest import Digest, InvalidDigest
from agentoci.spec.manifest import parse_manifest
from agentoci.spec.reference import InvalidReference, Reference
from agentoci.store.images import manifest_for
from agentoci.store.layout import LayoutStore

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

_BYTES: Final = "application/octet-stream"


class OtherDigest(InvalidReference):
    """The reference pins a digest that is not the content's."""


def get_manifest(
    engine: Engine, text: str, *, platform: Platform | None = None
) -> tuple[Descriptor, bytes]:
    """A manifest's descriptor and bytes, verified.

    A name with a registry is asked for there, a short one looked for in the local store, and then
    at the default registry; `oci:DIR:NAME` and `oci-archive:FILE:NAME` are read too. Of an index
    `platform` gives the manifest for it. Raises ContentNotFound, NoSuchPlatform, registry errors.
    """
    with open_source(engine, _source(engine, text)) as end:
        root = end.root
        if platform is not None:
            root = manifest_for(end.target, root, platform, what=text)
        return root, fetch_raw_manifest(end.target, root)


def head_manifest(engine: Engine, text: str, *, platform: Platform | None = None) -> Descriptor:
    """A manifest's descriptor; reads no content unless a platform is to be chosen."""
    with open_source(engine, _source(engine, text)) as end:
        if platform is None:
            return end.root
        return manifest_for(end.target, end.root, platform, what=text)


def put_manifest(
    engine: Engine, content: bytes, text: str, *, what: str = "the manifest"
) -> Descriptor:
    """Store a manifest at a registry, under a tag, or under its digest when none is said.

    Its media type is what it says itself, or what its form is; errors call it `what`. Raises
    InvalidManifest, OtherDigest, ManifestRejected, and other registry errors.
    """
    reference = _at_registry(text)
    manifest = parse_manifest(content, what=what)
    desc = Descriptor.of(manifest.media_type, content)
    if reference.digest not in (None, desc.digest):
        raise OtherDigest(f"{text}: {what} has digest {desc.digest}")
    repository = open_repository(engine, reference, push=True)
    if reference.tag is None:
        repository.push(desc, BytesSource(content))
    else:
        repository.push_tagged(desc, content, (reference.tag,))
    return desc


def head_blob(engine: Engine, text: str) -> Descriptor:
    """The descriptor of `NAME@DIGEST`: of a registry, the local store, or `oci:DIR@DIGEST`.

    Raises InvalidReference, ContentNotFound, registry errors.
    """
    return _find_blob(engine, text)[1]


@contextlib.contextmanager
def open_blob(engine: Engine, text: str) -> Iterator[tuple[Descriptor, Reader]]:
    """A blob's stream, which raises at its end unless size and digest are right."""
    source, desc = _find_blob(engine, text)
    with source.fetch(desc) as stream:
        yield desc, VerifiedReader(stream, desc)


def put_blob(engine: Engine, path: Path, text: str) -> Descriptor:
    """Store a file as a blob at a registry; raises OtherDigest, OSError, registry errors."""
    reference = _at_registry(text)
    desc = describe_file(path, _BYTES)
    if reference.digest not in (None, desc.digest):
        raise OtherDigest(f"{text}: {path} has digest {desc.digest}")
    repository = open_repository(engine, reference, push=True)
    if not repository.exists(desc):
        repository.push(desc, FileSource(path))
    return desc


def _source(engine: Engine, text: str) -> AnyLocation:
    location = parse_any_location(text)
    if not isinstance(location, Reference) or not location.is_local:
        return location
    here = engine.transfers.find_here(text)
    return location if here is not None else engine.transfers.at_registry(location)


def _at_registry(text: str) -> Reference:
    if not isinstance(parse_any_location(text), Reference):
        raise InvalidReference(
            f"{text!r} is no repository of a registry", hint="write HOST/NAME or HOST/NAME:TAG"
        )
    return as_written(text)


def _find_blob(engine: Engine, text: str) -> tuple[Fetcher, Descriptor]:
    name, at, pinned = text.rpartition("@")
    if not at:
        raise InvalidReference(f"{text!r} names no blob", hint=f"write {text}@sha256:…")
    try:
        digest = Digest.parse(pinned)
    except InvalidDigest as exc:
        raise InvalidReference(f"{text!r}: {exc.message}") from exc
    location = parse_any_location(name)
    if isinstance(location, Reference) and not location.is_local:
        repository = open_repository(engine, location)
        return repository, repository.blob(digest)
    store = engine.store
    if isinstance(location, LayoutLocation):
        store = LayoutStore.open(location.folder, clock=engine.clock)
    try:
        size = store.path(digest).stat().st_size
    except FileNotFoundError as exc:
        raise ContentNotFound(f"{text}: no such blob") from exc
    return store, Descriptor(_BYTES, digest, size)
