"""The same input gives the same digest, wherever, whenever and by whomever it is built."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from agentoci.api.builds import Compression, Profile
from agentoci.content.graph import fetch_manifest
from agentoci.content.reader import fetch_bytes
from agentoci.layers.packed import read_members
from agentoci.spec.manifest import Index, Manifest
from agentoci.store.images import read_image
from tests.builder.workshop import Workshop
from tests.conftest import RunAgent

AGENTFILE = """\
# syntax=agentoci/v1
FROM scratch
COPY knowledge /agent/knowledge/
COPY tools/*.py /agent/tools/
COPY <<note.md /agent/knowledge/
from the Agentfile itself
note.md
REQUIRE psm_generator:1.0
SET memory.level=SMART learning.enabled=true
ENV GREETING=hello
LABEL org.opencontainers.image.version=1.2.3 team=blue
INTERFACE golden_agent
ENTRYPOINT ["python3", "tools/run.py"]
"""

FILES = {
    "Agentfile": AGENTFILE,
    "knowledge/a.md": "# A\n" * 50,
    "knowledge/流程.md": "# 流程\n" * 20,
    "knowledge/sub/b.md": "# B\n",
    "knowledge/sub/void.md": "",
    "tools/run.py": "print('hi')\n",
}

# Golden: these digests are promises. They change only when what decides the bytes of an image
# changes (FORMAT, the schema of definitions, libzstd), and then with a reason in the commit.
GOLDEN = {
    (
        Profile.AGENT,
        Compression.ZSTD,
    ): "6376c626c4ec410e577304ac005f464a2e4237c59b89a40bc63c5e38b6395d0c",
    (
        Profile.AGENT,
        Compression.NONE,
    ): "594f1f09af975c56511a0cc6acea275064a684c3d15a2e4c116c148cfd085f0e",
    (
        Profile.IMAGE,
        Compression.ZSTD,
    ): "39121b9e29a30a356982fb21642ee06beeae8fb1d2e0b1454b81c68035fd0fe4",
    (
        Profile.IMAGE,
        Compression.NONE,
    ): "fa2bf0529e94cb17b8230bb186d8167787a9910eb77d4c842ef083a20f66575c",
}


def fill(workshop: Workshop, *, seed: int = 0) -> None:
    """The same files, made in an order of their own."""
    paths = sorted(FILES)
    random.Random(seed).shuffle(paths)
    for path in paths:
        workshop.write(path, FILES[path], executable=path.endswith(".py"))


@pytest.fixture
def golden(workshop: Workshop) -> Workshop:
    fill(workshop)
    return workshop


@pytest.mark.parametrize(("profile", "compression"), list(GOLDEN))
def test_golden_digests(golden: Workshop, profile: Profile, compression: Compression) -> None:
    built = golden.build("golden:1", profile=profile, compression=compression)
    assert built.root.digest.hex == GOLDEN[profile, compression]


def test_gzip_gives_the_same_content(golden: Workshop) -> None:
    """Not the same digest on every machine: that hangs on its zlib. The diff IDs do not."""
    zstd = golden.image(golden.build())
    gzip = golden.image(golden.build(compression=Compression.GZIP))
    assert gzip.config.diff_ids == zstd.config.diff_ids
    assert {str(desc.media_type).rpartition("+")[2] for desc in gzip.manifest.layers} == {"gzip"}


def older(workshop: Workshop) -> None:
    for number, path in enumerate(sorted(workshop.context.rglob("*"))):
        os.utime(path, (86400 * number, 86400 * number))


def narrower(workshop: Workshop) -> None:
    for path in workshop.context.rglob("*"):
        if path.is_file():
            path.chmod(path.stat().st_mode & 0o700)


def wider(workshop: Workshop) -> None:
    for path in workshop.context.rglob("*"):
        path.chmod(path.stat().st_mode | 0o666)


def ours(workshop: Workshop) -> None:
    for path in workshop.context.rglob("*"):
        os.chown(path, 12345, 54321)


@pytest.mark.parametrize(
    "change",
    [
        older,
        narrower,
        wider,
        pytest.param(ours, marks=pytest.mark.skipif(os.geteuid() != 0, reason="needs root")),
    ],
)
def test_times_modes_and_owners_do_not_count(
    golden: Workshop, tmp_path: Path, change: Callable[[Workshop], None]
) -> None:
    before = golden.build().root.digest
    other = Workshop(tmp_path / "elsewhere" / "deep")
    fill(other, seed=1)
    change(other)
    assert other.build().root.digest == before
    change(golden)
    assert golden.build(use_cache=False).root.digest == before
    assert golden.build().root.digest == before


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_neither_place_nor_order_of_making_counts(
    golden: Workshop, tmp_path: Path, seed: int
) -> None:
    other = Workshop(tmp_path / f"other place {seed}")
    fill(other, seed=seed)
    assert other.build().root.digest == golden.build().root.digest


@pytest.mark.parametrize("mask", [0o000, 0o027, 0o077])
def test_the_umask_does_not_count(golden: Workshop, tmp_path: Path, mask: int) -> None:
    other = Workshop(tmp_path / "other")
    before = os.umask(mask)
    try:
        fill(other)
        digest = other.build().root.digest
    finally:
        os.umask(before)
    assert digest == golden.build().root.digest


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
        {"TZ": "America/St_Johns", "LANG": "de_DE.UTF-8", "PYTHONHASHSEED": "2"},
    ],
)
def test_another_process_in_another_place_of_the_world(
    golden: Workshop, run_agent: RunAgent, environment: dict[str, str]
) -> None:
    wanted = f"{golden.build().root.digest}\n"
    for options in ([], [], ["--no-cache"]):
        done = run_agent(
            "build", *options, "-t", "test:1", ".", cwd=golden.context, env=environment
        )
        assert (done.returncode, done.stdout) == (0, wanted), done.stderr


def test_the_cache_does_not_count(golden: Workshop) -> None:
    digests = {golden.build(use_cache=use).root.digest for use in (True, True, False, True)}
    golden.write("knowledge/new.md")
    golden.build()
    (golden.context / "knowledge/new.md").unlink()
    assert digests == {golden.build().root.digest}


def test_the_name_of_the_image_does_not_count_when_the_agent_has_one(golden: Workshop) -> None:
    assert golden.build("one:1").root.digest == golden.build("other/two:2").root.digest


def test_the_epoch_is_in_headers_and_config_and_changes_the_digest(golden: Workshop) -> None:
    before = golden.build()
    golden.environment["SOURCE_DATE_EPOCH"] = "1700000000"
    built = golden.build()
    assert built.root.digest != before.root.digest
    image, store = golden.image(built), golden.engine.store
    assert image.config.created == "2023-11-14T22:13:20Z"
    for layer in image.packed_layers(store):
        assert list(read_members(layer))
    for plain in _headers(golden, built.root.digest.hex):
        assert int(plain[136:147], 8) == 1_700_000_000
    assert golden.image(before).config.created == "1970-01-01T00:00:00Z"
    del golden.environment["SOURCE_DATE_EPOCH"]
    assert golden.build().root.digest == before.root.digest


def _headers(workshop: Workshop, digest: str) -> list[bytes]:
    """Every tar header of an image."""
    import zstandard

    store = workshop.engine.store
    manifest = json.loads((store.root / "blobs/sha256" / digest).read_bytes())
    found = []
    for layer in manifest["layers"]:
        raw = (store.root / "blobs/sha256" / layer["digest"].partition(":")[2]).read_bytes()
        plain = zstandard.ZstdDecompressor().stream_reader(raw).read()
        blocks = [plain[at : at + 512] for at in range(0, len(plain), 512)]
        found += [block for block in blocks if block[257:263] == b"ustar\0"]
    assert len(found) > 10
    return found


def test_nothing_of_the_machine_is_in_the_image(golden: Workshop) -> None:
    built = golden.build()
    image, store = golden.image(built), golden.engine.store
    texts = [image.manifest.raw, fetch_bytes(store, image.manifest.config, limit=10**6)]
    texts += [
        part if isinstance(part, bytes) else str(part).encode()
        for part in golden.tree(built).values()
    ]
    for word in (str(golden.context), os.uname().nodename, "shop"):
        assert not any(word.encode() in text for text in texts)


def test_the_profiles_share_layers_and_config(golden: Workshop) -> None:
    agent = golden.image(golden.build())
    root = golden.build(profile=Profile.IMAGE).root
    store = golden.engine.store
    index = fetch_manifest(store, root)
    assert isinstance(index, Index)
    assert [str(d.platform and d.platform.architecture) for d in index.manifests] == [
        "amd64",
        "arm64",
    ]
    for desc in index.manifests:
        manifest = fetch_manifest(store, desc)
        assert isinstance(manifest, Manifest)
        assert manifest.artifact_type != agent.manifest.artifact_type
        assert [layer.digest for layer in manifest.layers] == [
            layer.digest for layer in agent.manifest.layers
        ]
    image = read_image(store, root, what="image")
    assert image.config.agentoci == agent.config.agentoci
    assert image.config.diff_ids == agent.config.diff_ids


def test_plain_layers_are_wrapped_in_the_image_profile(golden: Workshop) -> None:
    golden.write("knowledge/noise.bin", random.Random(1).randbytes(300_000))
    agent = golden.image(golden.build())
    built = golden.build(profile=Profile.IMAGE)
    image = golden.image(built)
    plain = [d for d in agent.manifest.layers if "+" not in str(d.media_type)]
    assert len(plain) == 1
    assert all(str(d.media_type).endswith("+zstd") for d in image.manifest.layers)
    same = {d.digest for d in agent.manifest.layers} & {d.digest for d in image.manifest.layers}
    assert len(same) == len(agent.manifest.layers) - 1
    assert golden.tree(built) == golden.tree(golden.build())
