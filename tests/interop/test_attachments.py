"""What speaks of an image: others find what we attach, and we find what they do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.interop.conftest import NAME, Built, RunPeer, peer_called
from tests.peers import Oras
from tests.registries import Registry, find_tool

pytestmark = [pytest.mark.integration, pytest.mark.interop]

TYPE = "application/vnd.example.report"


@pytest.fixture
def image(built: Built, registry: Registry, repository: str) -> str:
    """The image in a repository of its own."""
    reference = registry.reference(f"{repository}:1")
    built.agent("push", NAME, reference)
    return reference


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.txt"
    path.write_text("all is well\n")
    return path


def program(name: str) -> Path:
    """Another tool, or a skip that says how to get it."""
    peer_called(name)
    found = find_tool(name)
    assert found is not None
    return found


def discovered(built: Built, *arguments: str) -> dict[str, str]:
    """Digest → type."""
    found = json.loads(built.agent("discover", "--format", "json", *arguments))
    return {each["digest"]: each["artifactType"] for each in found["referrers"]}


def test_oras_and_regctl_find_what_we_attach(
    built: Built, image: str, report: Path, run_peer: RunPeer
):
    options = ("--artifact-type", TYPE, "--annotation", "by=ada")
    digest = built.agent("attach", image, report, *options).strip()
    oras, regctl = program("oras"), program("regctl")
    found = json.loads(run_peer([oras, "discover", "--plain-http", "--format", "json", image]))
    [entry] = found["referrers"]
    assert (entry["digest"], entry["artifactType"]) == (digest, TYPE)
    assert entry["annotations"] == {"by": "ada"}
    plain = ["--host", f"reg={image.partition('/')[0]},tls=disabled"]
    tree = run_peer([regctl, "artifact", "tree", *plain, image]).decode()
    assert digest in tree
    assert TYPE in tree


def test_oras_pulls_what_we_attach(
    built: Built, image: str, report: Path, run_peer: RunPeer, tmp_path: Path
):
    digest = built.agent("attach", image, report, "--artifact-type", TYPE).strip()
    oras = Oras(program("oras"))
    run_peer(oras.pull_files(f"{image.removesuffix(':1')}@{digest}", tmp_path / "out"))
    assert (tmp_path / "out" / "report.txt").read_bytes() == report.read_bytes()


def test_we_find_what_oras_and_regctl_attach(
    built: Built, image: str, report: Path, run_peer: RunPeer, monkeypatch: pytest.MonkeyPatch
):
    ours = built.agent("attach", image, report, "--artifact-type", TYPE).strip()
    monkeypatch.chdir(report.parent)
    oras, regctl = program("oras"), program("regctl")
    what: tuple[str, ...] = ("--artifact-type", "a/oras", "--annotation", "by=oras")
    run_peer([oras, "attach", "--no-tty", "--plain-http", *what, image, "report.txt:text/plain"])
    plain = ["--host", f"reg={image.partition('/')[0]},tls=disabled"]
    what = ("--artifact-type", "a/regctl", "--subject", image, "--file")
    run_peer([regctl, "artifact", "put", *plain, *what, "report.txt"])
    found = discovered(built, image)
    assert sorted(found.values()) == sorted(["a/oras", "a/regctl", TYPE])
    assert found[ours] == TYPE
    [by_oras] = discovered(built, "--artifact-type", "a/oras", image)
    again = built.agent("attach", image, report, "--artifact-type", TYPE, "-a", "n=2").strip()
    assert set(discovered(built, image)) == {*found, again}, "ours did not overwrite theirs"
    assert by_oras in found
    assert built.agent("discover", "--repair", image) == ""


def test_layouts_of_others_are_discovered(
    built: Built, image: str, report: Path, run_peer: RunPeer, tmp_path: Path
):
    digest = built.agent("attach", image, report, "--artifact-type", TYPE).strip()
    oras, regctl = program("oras"), program("regctl")
    by_oras, by_regctl = tmp_path / "oras", tmp_path / "regctl"
    target = ("--to-oci-layout-path", by_oras, "bot:1")
    run_peer([oras, "cp", "--no-tty", "-r", "--from-plain-http", image, *target])
    plain = ["--host", f"reg={image.partition('/')[0]},tls=disabled"]
    run_peer([regctl, "image", "copy", "--referrers", *plain, image, f"ocidir://{by_regctl}:1"])
    assert discovered(built, f"oci:{by_oras}:bot:1") == {digest: TYPE}
    assert discovered(built, f"oci:{by_regctl}:1") == {digest: TYPE}


def test_oras_discovers_in_our_layouts(
    built: Built, report: Path, run_peer: RunPeer, tmp_path: Path
):
    layout = tmp_path / "layout"
    built.agent("push", NAME, f"oci:{layout}:bot:1")
    digest = built.agent("attach", f"oci:{layout}:bot:1", report, "--artifact-type", TYPE).strip()
    oras = program("oras")
    found = json.loads(
        run_peer([oras, "discover", "--format", "json", "--oci-layout-path", layout, "bot:1"])
    )
    assert [each["digest"] for each in found["referrers"]] == [digest]


BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def test_we_find_what_cosign_signs_beside_ours(
    built: Built,
    distribution: Registry,
    repository: str,
    report: Path,
    run_peer: RunPeer,
    monkeypatch: pytest.MonkeyPatch,
):
    """A bundle is a referrer, without annotations in the list; the older form is a tag."""
    image = distribution.reference(f"{repository}:1")
    built.agent("push", NAME, image)
    digest = built.agent("attach", image, report, "--artifact-type", TYPE).strip()
    cosign = find_tool("cosign")
    if cosign is None:
        pytest.skip("no cosign on this machine; scripts/install-peers installs it")
    monkeypatch.chdir(report.parent)
    monkeypatch.setenv("COSIGN_PASSWORD", "secret")
    monkeypatch.setenv("COSIGN_YES", "true")
    run_peer([cosign, "generate-key-pair"])
    run_peer([cosign, "signing-config", "create", "--out", "signing.json"])
    sign = (cosign, "sign", "--key", "cosign.key")
    run_peer([*sign, "--signing-config", "signing.json", image])
    older = ("--use-signing-config=false", "--new-bundle-format=false", "--tlog-upload=false")
    run_peer([*sign, *older, image])
    found = json.loads(built.agent("discover", "--format", "json", image))
    kinds = {each["kind"]: each for each in found["referrers"]}
    assert set(kinds) == {TYPE, BUNDLE, "cosign signature"}
    assert kinds[TYPE]["digest"] == digest
    assert kinds["cosign signature"]["tag"] == f"{found['digest'].replace(':', '-')}.sig"
    assert list(discovered(built, "--artifact-type", BUNDLE, image).values()) == [BUNDLE]
    again = built.agent("attach", image, report, "--artifact-type", TYPE, "-a", "n=2").strip()
    run_peer([cosign, "verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true", image])
    assert again in discovered(built, image)
    assert built.agent("discover", "--repair", image) == ""
