"""Artifacts of files behind a client's back, for the tests of oras-py's API."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import requests

from tests.registry.fake import FakeRegistry

BIG = bytes(range(256)) * 20_000
CONTENT = bytes(range(256)) * 4096
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
FOLDER = "application/vnd.oci.image.layer.v1.tar+gzip"
PLAIN = "application/vnd.oci.image.layer.v1.tar"
TITLE = "org.opencontainers.image.title"


Layer = tuple[str | None, str, bytes]


def serve(fake: FakeRegistry, *layers: Layer, tag: str = "1") -> str:
    """An artifact behind the client's back: title, media type and content of each layer."""
    listed = []
    for title, media_type, content in layers:
        layer: dict[str, object] = {"mediaType": media_type, "size": len(content)}
        layer["digest"] = fake.put("a/one", content)
        if title is not None:
            layer["annotations"] = {TITLE: title}
        listed.append(layer)
    config = {"mediaType": "x/y", "digest": fake.put("a/one", b"{}"), "size": 2}
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": listed}
    fake.put_manifest("a/one", tag, MANIFEST, json.dumps(document).encode())
    return f"{fake.host}/a/one:{tag}"


Entry = tuple[str, str, str]


def archive(*entries: Entry) -> bytes:
    """A tar+gzip of (kind, name, content or target)."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for kind, name, text in entries:
            info = tarfile.TarInfo(name)
            info.type = {"file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE}.get(kind, tarfile.SYMTYPE)
            info.mode = 0o6755 if kind == "file" else 0o755
            info.linkname = text if kind == "link" else ""
            info.size = len(text) if kind == "file" else 0
            tar.addfile(info, io.BytesIO(text.encode()))
    return raw.getvalue()


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def fill(folder: Path) -> None:
    """A file, a larger one and a folder, to be pushed."""
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("hello")
    (folder / "big.bin").write_bytes(BIG)
    (folder / "data" / "x.txt").write_text("x")
    (folder / "data" / "deep" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "data" / "deep" / "run.sh").chmod(0o755)
    (folder / "data" / "link").symlink_to("deep/run.sh")


def assert_same(folder: Path) -> None:
    """Whether all that `fill` made has come back."""
    assert (folder / "a.txt").read_text() == "hello"
    assert (folder / "big.bin").read_bytes() == BIG
    assert (folder / "data" / "x.txt").read_text() == "x"
    assert (folder / "data" / "link").readlink() == Path("deep/run.sh")
    assert (folder / "data" / "deep" / "run.sh").stat().st_mode & 0o777 == 0o755


def digest_in(response: requests.Response) -> str:
    """The digest of what was stored."""
    return response.headers["Docker-Content-Digest"]
