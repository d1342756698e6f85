"""Skills on OCI in the layouts that are out there, made by the standard library's tar writer."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import zstandard

from agentoci.content.reader import BytesSource
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor, Platform
from agentoci.spec.manifest import Index, Manifest
from agentoci.store.layout import LayoutStore
from tests.content.graphs import put, put_manifest

SKILLS = Path(__file__).parent / "skills"
EMPTY = b"{}"
OCTETS = "application/octet-stream"


def files_of(folder: Path) -> dict[str, Path]:
    """The files below a folder by relative path."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in sorted(found)}


def tar_of(
    folder: Path,
    *,
    prefix: str = "",
    form: int = tarfile.PAX_FORMAT,
    only: Callable[[str], bool] = lambda _name: True,
) -> bytes:
    """A folder as other tools pack it: with folders, owners and times of its own."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as tar:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if only(name) or path.is_dir():
                tar.add(path, prefix + name, recursive=False)
    return sink.getvalue()


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=1)


def zstded(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


@dataclass(frozen=True, slots=True)
class Blob:
    """One layer as it is pushed."""

    media_type: str
    content: bytes
    annotations: Mapping[str, str]


def blob(media_type: str, content: bytes, title: str = "", **annotations: str) -> Blob:
    titled = {keys.TITLE: title} if title else {}
    return Blob(media_type, content, titled | annotations)


def artifact(
    store: LayoutStore,
    blobs: Sequence[Blob],
    *,
    artifact_type: str | None = None,
    config: tuple[str, bytes] = (mediatypes.OCI_EMPTY, EMPTY),
) -> Descriptor:
    """Push an artifact."""
    layers = [
        Descriptor(d.media_type, d.digest, d.size, dict(each.annotations))
        for each in blobs
        for d in [put(store, each.content, each.media_type)]
    ]
    manifest = Manifest.build(
        config=put(store, config[1], config[0]), layers=layers, artifact_type=artifact_type
    )
    return put_manifest(store, manifest)


def image(store: LayoutStore, *tars: bytes) -> Descriptor:
    """Push a container image FROM scratch of these layers."""
    diff_ids = [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    layers = [blob("application/vnd.oci.image.layer.v1.tar+gzip", gzipped(tar)) for tar in tars]
    written = json.dumps(config).encode()
    return artifact(store, layers, config=(mediatypes.OCI_IMAGE_CONFIG, written))


# One function for each layout: it pushes the skill in a folder.


def raw_files(store: LayoutStore, folder: Path) -> Descriptor:
    """agentskills-oci: one layer for each file, with its path as title."""
    layers = [blob(OCTETS, p.read_bytes(), name) for name, p in files_of(folder).items()]
    return artifact(store, layers, artifact_type="application/vnd.agentskills.skill.v1")


def cncf_bundle(store: LayoutStore, folder: Path) -> Descriptor:
    """The "CNCF style": a bundle, rooted at the skill's folder."""
    content = gzipped(tar_of(folder, prefix=f"{folder.name}/"))
    return artifact(
        store,
        [blob("application/vnd.cncf.skill.bundle.v1.tar+gzip", content)],
        artifact_type="application/vnd.cncf.skill.manifest.v1+json",
        config=("application/vnd.cncf.skill.config.v1+json", b'{"name":"x"}'),
    )


def acr_content(store: LayoutStore, folder: Path) -> Descriptor:
    """Alibaba ACR: an empty config, the content without its folder."""
    content = gzipped(tar_of(folder, prefix="./", form=tarfile.GNU_FORMAT))
    return artifact(
        store,
        [blob("application/vnd.agent.skill.content.v1.tar+gzip", content, "content.tar.gz")],
        artifact_type="application/vnd.agent.skill.v1+json",
    )


def single_tar(store: LayoutStore, folder: Path) -> Descriptor:
    """Chainguard: an ordinary artifact with a single plain tar."""
    content = tar_of(folder, form=tarfile.USTAR_FORMAT if folder.name.isascii() else 2)
    return artifact(store, [blob(OCTETS, content)])


def zstd_artifact(store: LayoutStore, folder: Path) -> Descriptor:
    """Flux and others: an artifact of a tar, here packed by zstd."""
    content = zstded(tar_of(folder, prefix=f"skills/{folder.name}/"))
    return artifact(store, [blob("application/vnd.example.content.v1.tar+zstd", content)])


def plain_image(store: LayoutStore, folder: Path) -> Descriptor:
    """skillimage, kagent: an image FROM scratch; a later layer removes what an earlier one had."""
    below = f"skills/{folder.name}/"
    first = io.BytesIO()
    with tarfile.open(fileobj=first, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(f"{below}draft.md"), io.BytesIO(b""))
    second = io.BytesIO()
    with tarfile.open(fileobj=second, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(f"{below}.wh.draft.md"))
    return image(store, first.getvalue(), tar_of(folder, prefix=below), second.getvalue())


def image_index(store: LayoutStore, folder: Path) -> Descriptor:
    """The same for two platforms, as buildx pushes it."""
    root = plain_image(store, folder)
    entries = [
        Descriptor(root.media_type, root.digest, root.size, platform=Platform("linux", machine))
        for machine in ("amd64", "arm64")
    ]
    index = Index.build(entries)
    store.push(index.descriptor, BytesSource(index.raw))
    return index.descriptor


def oras_mixed(store: LayoutStore, folder: Path) -> Descriptor:
    """`oras push REF SKILL.md scripts/ …`: files as they are, folders packed and marked so."""
    layers = []
    for path in sorted(folder.iterdir()):
        if path.is_file():
            kind = "application/vnd.oci.image.layer.v1.tar"  # what ORAS says of any file
            layers.append(blob(kind, path.read_bytes(), path.name))
        else:
            packed = gzipped(tar_of(path, prefix=f"{path.name}/"))
            kind = "application/vnd.oci.image.layer.v1.tar+gzip"
            mark = {"io.deis.oras.content.unpack": "true"}
            layers.append(blob(kind, packed, path.name, **mark))
    return artifact(store, layers, config=("application/vnd.unknown.config.v1+json", EMPTY))


LAYOUTS: dict[str, Callable[[LayoutStore, Path], Descriptor]] = {
    each.__name__: each
    for each in (
        raw_files, cncf_bundle, acr_content, single_tar, zstd_artifact, plain_image, image_index,
        oras_mixed,
    )
}  # fmt: skip

KEEPS_NO_MODES = ("raw_files",)


def several(store: LayoutStore) -> Descriptor:
    """An artifact with all of our skills, one after another."""
    tars = [gzipped(tar_of(p, prefix=f"{p.name}/")) for p in sorted(SKILLS.iterdir())]
    return artifact(store, [blob("application/vnd.example.tar+gzip", tar) for tar in tars])
