"""Images as the layers above see them."""

from __future__ import annotations

import platform
from dataclasses import replace

import pytest

from agentoci._internal import limits
from agentoci.content.memory import MemoryTarget
from agentoci.content.reader import fetch_bytes
from agentoci.layers.inventory import FILES_JSON
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor, InvalidPlatform, Platform
from agentoci.spec.digest import Digest
from agentoci.spec.imageconfig import ImageConfig
from agentoci.spec.jsonio import Json
from agentoci.spec.manifest import Index, Manifest, parse_manifest
from agentoci.spec.mediatypes import Compression, LayerKind, LayerType, UnknownMediaType
from agentoci.store.images import (
    ConfigMismatch,
    NoSuchPlatform,
    NotAnAgent,
    layer_type,
    read_image,
    select_manifest,
)
from tests.content.graphs import put, put_image, put_manifest
from tests.layers import archives

INVENTORY = archives.inventory(archives.entry("agent/a", b"one", 0))
FILES = archives.archive(archives.file("agent/a", b"one"))
INTERFACE = archives.archive(archives.file(FILES_JSON, INVENTORY.encode()))
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
DEFINITION: dict[str, Json] = {"metadata": {"name": "bot", "version": "1.2.3"}}


def put_agent(
    target: MemoryTarget, *, image: bool = False, diff_ids: int = 2, **ours: Json
) -> Descriptor:
    """An agent image of two layers, in either profile."""
    kinds = [LayerType(LayerKind.FILES, Compression.NONE)]
    kinds.append(LayerType(LayerKind.INTERFACE, Compression.NONE))
    raws = [FILES, INTERFACE]
    config = ImageConfig(
        diff_ids=tuple(map(Digest.of, raws[:diff_ids])), agentoci={"definition": DEFINITION, **ours}
    )
    layers = [
        put(target, raw, kind.image).annotated(**{keys.LAYER_KIND: str(kind.kind)})
        if image
        else put(target, raw, kind.agent)
        for kind, raw in zip(kinds, raws, strict=True)
    ]
    config_type = mediatypes.OCI_IMAGE_CONFIG if image else mediatypes.AGENT_CONFIG
    manifest = Manifest.build(
        config=put(target, config.encode(), config_type),
        layers=layers,
        artifact_type=None if image else mediatypes.AGENT,
        annotations={keys.ARTIFACT_TYPE: mediatypes.AGENT} if image else None,
    )
    return put_manifest(target, manifest)


@pytest.mark.parametrize("image", [False, True], ids=["agent", "image"])
def test_an_agent_is_read_in_either_profile(*, image: bool) -> None:
    target = MemoryTarget()
    root = put_agent(target, image=image)
    found = read_image(target, root, what="bot:1")
    assert (found.root, found.name, found.version) == (root, "bot", "1.2.3")
    assert found.definition == DEFINITION
    assert found.layer_types() == [
        LayerType(LayerKind.FILES, Compression.NONE),
        LayerType(LayerKind.INTERFACE, Compression.NONE),
    ]
    assert found.inventory(target) == INVENTORY
    packed = found.packed_layers(target)
    assert [layer.diff_id for layer in packed] == [Digest.of(FILES), Digest.of(INTERFACE)]
    with packed[0].open() as stream:
        assert stream.read() == FILES


@pytest.mark.parametrize("definition", [None, [], {}, {"metadata": []}, {"metadata": {"name": ""}}])
def test_a_definition_that_says_nothing_has_defaults(definition: Json) -> None:
    target = MemoryTarget()
    found = read_image(target, put_agent(target, definition=definition), what="bot:1")
    assert (found.name, found.version) == ("agent", "0.0.0")


def test_reading_opens_no_layer() -> None:
    target = MemoryTarget()
    root = put_agent(target)
    for raw in (FILES, INTERFACE):
        del target._content[Digest.of(raw)]
    assert read_image(target, root, what="bot:1").name == "bot"


@pytest.mark.parametrize("diff_ids", [0, 1])
def test_a_config_that_contradicts_the_manifest_is_refused(diff_ids: int) -> None:
    target = MemoryTarget()
    root = put_agent(target, diff_ids=diff_ids)
    with pytest.raises(ConfigMismatch, match=f"bot:1: 2 layers, but {diff_ids} diff_ids") as caught:
        read_image(target, root, what="bot:1")
    assert caught.value.exit_code == 8


def test_an_agent_without_layers_is_refused() -> None:
    target = MemoryTarget()
    config = put(target, ImageConfig().encode(), mediatypes.AGENT_CONFIG)
    manifest = Manifest.build(config=config, layers=[], artifact_type=mediatypes.AGENT)
    with pytest.raises(ConfigMismatch, match="0 layers, but 0 diff_ids"):
        read_image(target, put_manifest(target, manifest), what="bot:1")


def test_something_else_is_no_agent() -> None:
    target = MemoryTarget()
    config = put(target, b"{}", mediatypes.OCI_EMPTY)
    bare = put_manifest(target, Manifest.build(config=config, layers=[]))
    for root, kind in (
        (put_image(target, b"layer"), "a container image"),
        (bare, "an artifact without a type"),
    ):
        with pytest.raises(NotAnAgent, match="is not an agent image, but") as caught:
            read_image(target, root, what="redis:7")
        assert kind in caught.value.message
        assert caught.value.exit_code == 2


def test_of_an_index_the_manifest_for_this_machine_is_taken() -> None:
    target = MemoryTarget()
    agent = put_agent(target, image=True)
    other = put_image(target, b"layer")

    def listed(desc: Descriptor, architecture: str) -> Descriptor:
        return Descriptor(
            desc.media_type, desc.digest, desc.size, platform=Platform("linux", architecture)
        )

    mine = put_manifest(target, Index.build([listed(other, "s390x"), listed(agent, MACHINE)]))
    assert select_manifest(target, mine, what="x").descriptor == agent
    assert read_image(target, mine, what="x").root == mine
    first = put_manifest(target, Index.build([listed(agent, "s390x"), other]))
    assert select_manifest(target, first, what="x").descriptor == agent
    nested = put_manifest(target, Index.build([mine]))
    assert select_manifest(target, nested, what="x").descriptor == agent


def test_an_index_that_leads_nowhere_is_refused() -> None:
    target = MemoryTarget()
    root = put_manifest(target, Index.build([]))
    with pytest.raises(NotAnAgent, match="an index that lists nothing"):
        read_image(target, root, what="x")
    root = put_agent(target)
    for _ in range(limits.MAX_INDEX_DEPTH + 1):
        root = put_manifest(target, Index.build([root]))
    with pytest.raises(NotAnAgent, match="indexes nest too deep"):
        read_image(target, root, what="x")


def test_the_kind_of_a_plain_layer_comes_from_its_annotation() -> None:
    plain = Descriptor.of("application/vnd.oci.image.layer.v1.tar+zstd", b"")
    zstd = Compression.ZSTD
    assert layer_type(plain) == LayerType(None, zstd)
    assert layer_type(plain.annotated(**{keys.LAYER_KIND: "tools"})) == LayerType(
        LayerKind.TOOLS, zstd
    )
    assert layer_type(plain.annotated(**{keys.LAYER_KIND: "dreams"})) == LayerType(None, zstd)
    ours = Descriptor.of("application/vnd.agentoci.layer.files.v1.tar", b"")
    assert layer_type(ours.annotated(**{keys.LAYER_KIND: "tools"})).kind is LayerKind.FILES
    with pytest.raises(UnknownMediaType):
        layer_type(Descriptor.of("application/zip", b""))


def test_platform_that_is_asked_for_is_taken_or_missed() -> None:
    target = MemoryTarget()
    entries = []
    for number, platform_of in enumerate(("linux/amd64", "linux/arm/v7", "linux/arm/v6")):
        image = put_image(target, str(number).encode())
        entries.append(replace(image, platform=Platform.parse(platform_of)))
    index = put_manifest(target, Index.build(entries))
    for asked, number in (("linux/amd64", 0), ("linux/arm", 1), ("linux/arm/v6", 2)):
        found = select_manifest(target, index, what="x", platform=Platform.parse(asked))
        assert found.descriptor == entries[number]
    with pytest.raises(NoSuchPlatform, match=r"x: nothing for linux/s390x in it") as caught:
        select_manifest(target, index, what="x", platform=Platform.parse("linux/s390x"))
    assert caught.value.hint == "it is made for linux/amd64, linux/arm/v6, linux/arm/v7"
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("text", ["linux", "", "linux/", "a/b/c/d", "Linux/amd64", "linux/../x"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InvalidPlatform):
        Platform.parse(text)


def test_agent_of_too_many_layers_is_refused() -> None:
    target = MemoryTarget()
    root = put_agent(target)
    few = parse_manifest(fetch_bytes(target, root), what="few")
    assert isinstance(few, Manifest)
    many = Manifest.build(
        config=few.config, layers=[few.layers[0]] * 128, artifact_type=mediatypes.AGENT
    )
    with pytest.raises(ConfigMismatch, match="127 layers at the most"):
        read_image(target, put_manifest(target, many), what="bot:1")
