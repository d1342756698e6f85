"""Artifacts for tests: put together by hand, or at random."""

from __future__ import annotations

from hypothesis import strategies as st

from agentoci.content.graph import walk
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import Fetcher, Pusher
from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import AnyManifest, Index, Manifest

CONFIG_TYPE = mediatypes.OCI_IMAGE_CONFIG
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


def put(target: Pusher, content: bytes, media_type: str = LAYER_TYPE) -> Descriptor:
    """Push bytes."""
    desc = Descriptor.of(media_type, content)
    target.push(desc, BytesSource(content))
    return desc


def put_manifest(target: Pusher, manifest: AnyManifest) -> Descriptor:
    """Push a manifest."""
    target.push(manifest.descriptor, BytesSource(manifest.raw))
    return manifest.descriptor


def put_image(
    target: Pusher,
    *layers: bytes,
    config: bytes = b'{"config":{}}',
    note: str = "",
    subject: Descriptor | None = None,
) -> Descriptor:
    """Push an image of these layers, blobs first; `note` makes another manifest of the same."""
    built = Manifest.build(
        config=put(target, config, CONFIG_TYPE),
        layers=[put(target, layer) for layer in layers],
        annotations={"note": note} if note else None,
        subject=subject,
    )
    return put_manifest(target, built)


def contents(source: Fetcher, root: Descriptor) -> dict[Descriptor, bytes]:
    """Everything below a root, verified."""
    return {
        desc: fetch_bytes(source, desc, limit=2**30) for desc in walk(source, root).descriptors()
    }


@st.composite
def artifacts(draw: st.DrawFn) -> tuple[MemoryTarget, list[Descriptor]]:
    """A target with manifests and indexes that share blobs and each other; children come first."""
    target = MemoryTarget()
    pool = draw(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6, unique=True))
    roots: list[Descriptor] = []
    for number in range(draw(st.integers(1, 6))):
        is_index = draw(st.booleans())
        if roots and is_index:
            listed = draw(st.lists(st.sampled_from(roots), max_size=4))
            index = Index.build(listed, annotations={"number": str(number)})
            roots.append(put_manifest(target, index))
            continue
        layers = draw(st.lists(st.sampled_from(pool), max_size=4))
        subject = draw(st.sampled_from([None, *roots]))
        roots.append(put_image(target, *layers, config=pool[0], note=f"{number}", subject=subject))
    return target, roots
