"""Which manifests a registry takes, how many tags at once, and whether it lists referrers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from agentoci._internal import limits
from agentoci.content.referrers import NotAReferrerList, parse_list
from agentoci.registry.errors import ManifestBlobUnknown, ManifestRejected
from agentoci.registry.http.transport import Request
from agentoci.registry.manifests import Manifests
from agentoci.registry.probes.ground import Finding, Ground, Result, Sample
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.jsonio import canonical
from agentoci.spec.manifest import Manifest

_LAYER: Final = "application/vnd.agentoci.layer.files.v1.tar"
_IMAGE_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
_SPEAKER: Final = "application/vnd.agentoci.probe.v1"
_NOBODY: Final = "application/vnd.agentoci.nothing.v1"
"""A type that no manifest has."""


def takes_types(ground: Ground) -> Iterator[Finding]:
    """Whether the types of agent images are taken, and, where they are not, those of images."""
    layer = ground.stored()
    refused = _refusal(ground, _agent(ground, layer))
    if refused is None:
        yield Finding("custom types", Result.YES, "agents are taken as they are")
        return
    again = _refusal(ground, _plain(ground, layer))
    if again is None:
        yield Finding("custom types", Result.NO, f"{refused}; use push --profile image")
        yield Finding("image profile", Result.YES, "push --profile image")
    else:
        yield Finding("custom types", Result.UNKNOWN, refused)
        yield Finding("image profile", Result.NO, again)


def takes_several_tags(ground: Ground) -> Iterator[Finding]:
    """Whether one request gives several tags; they are given in any case."""
    image = ground.taken()
    more = (ground.tag("b"), ground.tag("c"))
    ground.note_manifest(image.descriptor, *more)
    answer = _manifests(ground).put(image.descriptor, image.raw, more)
    told = {tag.strip() for tag in answer.headers.get("OCI-Tag", "").split(",")}
    ground.tags += more
    if told.issuperset(more):
        yield Finding("several tags at once", Result.YES)
    else:
        yield Finding("several tags at once", Result.NO, "each takes a request")


def lists_referrers(ground: Ground) -> Iterator[Finding]:
    """Whether what speaks of an image is listed by the registry itself, and by type."""
    image = ground.taken()
    subject = image.descriptor
    speaker = Manifest.build(
        config=image.config,
        layers=image.layers,
        artifact_type=_SPEAKER if image.artifact_type else None,
        subject=subject,
        annotations={keys.TITLE: ground.mark},
    )
    ground.note_manifest(speaker.descriptor)
    names = (str(speaker.descriptor.digest),)
    try:
        stored = _manifests(ground).put(speaker.descriptor, speaker.raw, names)
    except ManifestRejected as exc:
        yield Finding("referrers api", Result.NO, _reason(exc))
        return
    told = stored.headers.get("OCI-Subject", "") == str(subject.digest)
    if not ground.repository.listed.supported(subject):
        yield Finding("referrers api", Result.NO, "kept under a tag instead")
        return
    listed = {entry.digest for entry in ground.repository.referrers(subject)}
    found = speaker.descriptor.digest in listed
    detail = "" if told and found else "without OCI-Subject" if found else "the list lacks one"
    yield Finding("referrers api", Result.YES if found else Result.NO, detail)
    yield _filters(ground, subject)


def looks_for_referrers(ground: Ground) -> Iterator[Finding]:
    """Whether the registry has lists of referrers; writes nothing."""
    subject = ground.seen().manifest
    if not ground.repository.listed.supported(subject):
        yield Finding("referrers api", Result.NO, "kept under a tag instead")
        return
    yield Finding("referrers api", Result.YES)
    yield _filters(ground, subject)


def _filters(ground: Ground, subject: Descriptor) -> Finding:
    """Asks for referrers of a type that nobody has: those who do not filter list the others."""
    url = ground.url(f"referrers/{subject.digest}?artifactType={quote(_NOBODY, safe='')}")
    request = Request("GET", url, {"Accept": mediatypes.OCI_INDEX})
    with ground.ask(request, expect={200}) as answer:
        told = "artifactType" in answer.headers.get("OCI-Filters-Applied", "")
        content = answer.content(limits.MAX_MANIFEST_BYTES)
    try:
        others = parse_list(content, what=ground.what(str(subject.digest)))
    except NotAReferrerList as exc:
        return Finding("referrers filter", Result.UNKNOWN, exc.message)
    if others:
        return Finding("referrers filter", Result.NO, "all are listed, whatever their type")
    if told:
        return Finding("referrers filter", Result.YES)
    return Finding("referrers filter", Result.UNKNOWN, "without OCI-Filters-Applied")


def _agent(ground: Ground, layer: Descriptor) -> Manifest:
    """An image in the profile of agents."""
    config = ground.push(_config(ground, layer), mediatypes.AGENT_CONFIG)
    layers = [Descriptor(_LAYER, layer.digest, layer.size)]
    return Manifest.build(config=config, layers=layers, artifact_type=mediatypes.AGENT)


def _plain(ground: Ground, layer: Descriptor) -> Manifest:
    """The same as `--profile image` has it."""
    config = ground.push(_config(ground, layer), mediatypes.OCI_IMAGE_CONFIG)
    layers = [Descriptor(_IMAGE_LAYER, layer.digest, layer.size)]
    noted = {keys.ARTIFACT_TYPE: mediatypes.AGENT}
    return Manifest.build(config=config, layers=layers, annotations=noted)


def _config(ground: Ground, layer: Descriptor) -> bytes:
    """An image's config, unlike any other by its label."""
    return canonical(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {"dev.agentoci.probe": ground.mark}},
            "rootfs": {"type": "layers", "diff_ids": [str(layer.digest)]},
        }
    )


def _refusal(ground: Ground, image: Manifest) -> str | None:
    """Why the registry does not take a manifest; None: it is there now, and what others read."""
    tag = ground.tag("a")
    ground.note_manifest(image.descriptor, tag)
    try:
        ground.repository.push_tagged(image.descriptor, image.raw, (tag,))
    except ManifestBlobUnknown:
        raise
    except ManifestRejected as exc:
        del ground.litter.manifests[image.descriptor.digest]
        return _reason(exc)
    ground.image, ground.tags = image, (tag,)
    ground.sample = Sample(tag, image.descriptor, ground.stored())
    return None


def _reason(exc: ManifestRejected) -> str:
    """What the registry said, without our words around it."""
    return exc.message.rpartition(" refuses: ")[2]


def _manifests(ground: Ground) -> Manifests:
    scopes = ground.scopes
    return Manifests(ground.endpoint, ground.name, read=scopes, write=scopes)
