"""The config blob: ours there and back, other people's as far as it goes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.errors import Integrity
from agentoci.spec.digest import Digest, InvalidDigest
from agentoci.spec.imageconfig import HistoryEntry, ImageConfig, InvalidConfig
from agentoci.spec.jsonio import InvalidJson

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
steps = st.builds(HistoryEntry, words, st.booleans(), st.none() | words, st.none() | words)
configs = st.builds(
    ImageConfig,
    env=st.lists(words, max_size=3).map(tuple),
    entrypoint=st.lists(words, max_size=3).map(tuple),
    working_dir=words,
    labels=st.dictionaries(words, words, max_size=3),
    diff_ids=st.lists(st.binary(max_size=5).map(Digest.of), max_size=3).map(tuple),
    history=st.lists(steps, max_size=4).map(tuple),
    created=st.none() | words,
    agentoci=st.dictionaries(words, words | st.integers(0, 9) | st.none(), max_size=3),
)


def parse(**document: Any) -> ImageConfig:
    return ImageConfig.parse(json.dumps(document).encode(), what="x")


@given(configs)
def test_a_config_is_read_as_it_was_written(config: ImageConfig) -> None:
    raw = config.encode()
    assert ImageConfig.parse(raw, what="x") == config
    assert ImageConfig.parse(raw, what="x").encode() == raw


def test_the_image_profile_adds_the_platform_and_nothing_else() -> None:
    config = ImageConfig(env=("A=1",), created="2024-01-15T10:00:00Z")
    plain = config.document()
    there = config.document(platform={"os": "linux", "architecture": "arm64"})
    assert there == {**plain, "os": "linux", "architecture": "arm64"}
    assert (
        ImageConfig.parse(
            config.encode(platform={"os": "linux", "architecture": "arm64"}), what="x"
        )
        == config
    )


def test_a_config_of_docker_is_read() -> None:
    diff_id = Digest.of(b"layer")
    config = parse(
        architecture="amd64",
        os="linux",
        created="2024-01-15T10:00:00Z",
        config={
            "Env": ["PATH=/bin"],
            "Entrypoint": ["/run"],
            "Cmd": ["--fast"],
            "Labels": None,
            "WorkingDir": "",
            "Volumes": {"/data": {}},
        },
        rootfs={"type": "layers", "diff_ids": [str(diff_id)]},
        history=[
            {"created_by": "ADD rootfs", "created": "2024-01-15T10:00:00Z", "comment": "buildkit"},
            {"created_by": "CMD", "empty_layer": True},
            {"author": "somebody"},
        ],
    )
    assert config == ImageConfig(
        env=("PATH=/bin",),
        entrypoint=("/run", "--fast"),
        working_dir="/",
        diff_ids=(diff_id,),
        history=(
            HistoryEntry("ADD rootfs", created="2024-01-15T10:00:00Z", comment="buildkit"),
            HistoryEntry("CMD", empty_layer=True),
            HistoryEntry(""),
        ),
        created="2024-01-15T10:00:00Z",
    )
    assert [step.created_by for step in config.layer_history()] == ["ADD rootfs", ""]


def test_an_empty_object_is_a_config() -> None:
    assert parse() == ImageConfig(working_dir="/")
    assert parse(config=None, rootfs=None, history=None, created=5) == ImageConfig(working_dir="/")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"config": []}, "config must be an object"),
        ({"rootfs": "x"}, "rootfs must be an object"),
        ({"agentoci": []}, "agentoci must be an object"),
        ({"config": {"Env": "A=1"}}, "Env must be a list of strings"),
        ({"config": {"Env": [1]}}, "Env must be a list of strings"),
        ({"config": {"Entrypoint": {"a": 1}}}, "Entrypoint must be a list of strings"),
        ({"config": {"Cmd": [None]}}, "Cmd must be a list of strings"),
        ({"config": {"Labels": ["a"]}}, "Labels must be an object"),
        ({"rootfs": {"diff_ids": 3}}, "diff_ids must be a list of strings"),
        ({"history": {}}, "history must be a list"),
        ({"history": ["x"]}, "history must hold objects"),
    ],
)
def test_a_config_of_another_shape_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidConfig, match=f"x: {message}") as caught:
        parse(**document)
    assert isinstance(caught.value, Integrity)


def test_a_diff_id_is_a_digest() -> None:
    with pytest.raises(InvalidDigest):
        parse(rootfs={"diff_ids": ["sha256:../x"]})


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"config": {}, "config": {}}'])
def test_a_config_is_one_json_object(raw: bytes) -> None:
    with pytest.raises(InvalidJson, match=r"^x: "):
        ImageConfig.parse(raw, what="x")
