"""The graph below a reference, and where it ends."""

from __future__ import annotations

import pytest
from hypothesis import given

from agentoci._internal import limits
from agentoci.content.graph import GraphTooLarge, fetch_manifest, largest_first, walk
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import ContentNotFound
from agentoci.content.reader import BytesSource
from agentoci.errors import Integrity
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import AnyManifest, Index, InvalidManifest, Manifest
from tests.content.graphs import (
    CONFIG_TYPE,
    LAYER_TYPE,
    artifacts,
    put,
    put_image,
    put_manifest,
)


def nested(target: MemoryTarget, depth: int) -> Descriptor:
    root = put_image(target, b"layer")
    for _ in range(depth):
        root = put_manifest(target, Index.build([root]))
    return root


@given(artifacts())
def test_children_come_before_their_parents(made: tuple[MemoryTarget, list[Descriptor]]) -> None:
    target, roots = made
    for root in roots:
        graph = walk(target, root)
        seen = {blob.digest for blob in graph.blobs}
        for desc, manifest in graph.manifests:
            assert seen.issuperset(child.digest for child in manifest.children)
            assert desc.digest not in seen
            seen.add(desc.digest)
        assert graph.root == fetch_manifest(target, root)
        assert list(graph.descriptors()) == [*graph.blobs, *(d for d, _ in graph.manifests)]


def test_an_index_in_an_index_in_an_index() -> None:
    target = MemoryTarget()
    assert len(walk(target, nested(target, limits.MAX_INDEX_DEPTH)).manifests) == 9
    with pytest.raises(GraphTooLarge, match="nest too deep") as caught:
        walk(target, nested(target, limits.MAX_INDEX_DEPTH + 1))
    assert caught.value.exit_code == 8


def test_a_graph_of_too_many_manifests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_GRAPH_NODES", 5)
    target = MemoryTarget()
    images = [put_image(target, b"layer", note=f"{n}") for n in range(6)]
    assert len(walk(target, put_manifest(target, Index.build(images[:4]))).manifests) == 5
    with pytest.raises(GraphTooLarge, match="name too many manifests"):
        walk(target, put_manifest(target, Index.build(images)))


def test_a_chain_whose_links_are_all_listed_at_the_top() -> None:
    """Level by level it looks flat; that it is deep was found by Python's own limit."""
    target = MemoryTarget()
    chain = [put_image(target, b"layer")]
    for number in range(1500):
        link = Index.build(chain[-1:], annotations={"number": f"{number}"})
        chain.append(put_manifest(target, link))
    with pytest.raises(GraphTooLarge, match="nest too deep"):
        walk(target, put_manifest(target, Index.build(chain[::-1])))


def test_manifests_that_are_too_large_together_are_not_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten thousand manifests of 4 MiB each were held in memory."""
    target = MemoryTarget()
    images = [put_image(target, b"layer", note="x" * 1000 + f"{n}") for n in range(6)]
    root = put_manifest(target, Index.build(images))
    needed = root.size + sum(image.size for image in images)
    monkeypatch.setattr(limits, "MAX_GRAPH_BYTES", needed)
    assert len(walk(target, root).manifests) == 7
    monkeypatch.setattr(limits, "MAX_GRAPH_BYTES", needed - 1)
    with pytest.raises(GraphTooLarge, match=f"leads to {needed} bytes of manifests"):
        walk(target, root)


def test_a_bomb_of_shared_indexes_is_walked_once() -> None:
    target = MemoryTarget()
    root = put_image(target, b"layer")
    for _ in range(limits.MAX_INDEX_DEPTH):
        root = put_manifest(target, Index.build([root] * 1000))
    assert len(walk(target, root).manifests) == limits.MAX_INDEX_DEPTH + 1


def test_a_blob_with_two_sizes_is_refused() -> None:
    target = MemoryTarget()
    layer = put(target, b"layer")
    lie = Descriptor(layer.media_type, layer.digest, layer.size + 1)
    image = Manifest.build(config=put(target, b"{}", CONFIG_TYPE), layers=[layer, lie])
    with pytest.raises(Integrity, match="named with two sizes, 5 and 6"):
        walk(target, put_manifest(target, image))


def test_a_manifest_that_is_missing_or_none() -> None:
    target = MemoryTarget()
    missing = Descriptor.of(mediatypes.OCI_MANIFEST, b"{}")
    with pytest.raises(ContentNotFound):
        walk(target, put_manifest(target, Index.build([missing])))
    with pytest.raises(InvalidManifest):
        walk(target, put(target, b"{}", mediatypes.OCI_MANIFEST))


def test_an_index_that_is_labelled_as_manifest_is_refused() -> None:
    target = MemoryTarget()
    index: AnyManifest = Index.build([])
    label = Descriptor.of(mediatypes.OCI_MANIFEST, index.raw)
    target.push(label, BytesSource(index.raw))
    with pytest.raises(InvalidManifest, match="served as"):
        walk(target, label)


def test_large_blobs_go_first_and_ties_have_an_order() -> None:
    blobs = [Descriptor.of(LAYER_TYPE, text) for text in (b"a", b"bbb", b"b", b"cc", b"c")]
    ordered = largest_first(blobs)
    assert [blob.size for blob in ordered] == [3, 2, 1, 1, 1]
    assert largest_first(reversed(blobs)) == ordered
