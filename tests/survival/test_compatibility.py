"""The image profile at registries that take nothing else, and mounted by tools for containers.

What these tools see must be what the agent's runtime sees: the same files with the same modes.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Agent, MoveHome
from tests.interop.content import blob, digest_of
from tests.quirks.profiles import PROFILES
from tests.quirks.server import QuirkRegistry
from tests.registries import Registry

PLATFORMS = ("--override-os", "linux", "--override-arch")


@pytest.fixture(params=["gitlab", "quay"])
def picky(request: pytest.FixtureRequest, agent: Agent) -> Iterator[QuirkRegistry]:
    """A registry that refuses types that it does not know."""
    with QuirkRegistry(PROFILES[request.param]) as registry:
        if registry.auth is not None:
            agent("login", registry.host, "-u", "ada", "--password-stdin", stdin=b"secret")
        yield registry


def test_refusal_names_the_profile_and_that_one_does_the_same(
    agent: Agent, talker: str, picky: QuirkRegistry, move_home: MoveHome
) -> None:
    name = f"{picky.host}/team/talker:1.0"
    refused = agent("push", "talker:1.0", name, code=None)
    assert refused.code not in {0, 130}
    assert "push --profile image" in refused.err.partition("hint: ")[2]
    assert not picky.tags("team/talker")
    pushed = agent("push", "--profile", "image", "talker:1.0", name).out.strip()
    remote = agent("inspect", "--remote", name).json
    local = agent("inspect", "talker:1.0").json
    assert (remote["digest"], remote["profile"]) == (pushed, "image")
    for key in ("artifactType", "definition", "config", "requirements"):
        assert remote[key] == local[key]
    assert pushed != talker
    said = run(agent, "talker:1.0")
    move_home("elsewhere")
    assert agent("pull", name).out.strip() == pushed
    assert run(agent, name) == said


def run(agent: Agent, image: str) -> tuple[str, str]:
    """What an instance says on both streams."""
    done = agent("run", "--rm", "--name", "bot", image, "one", "two words")
    return done.out, done.err


# Mounted by others


def tool(*command: str | Path) -> None:
    """Run another program; a test that needs one that is not here is skipped."""
    name = str(command[0])
    if shutil.which(name) is None:
        pytest.skip(f"no {name} on this machine; scripts/install-peers installs it")
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=os.environ,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def tree(root: Path) -> dict[str, tuple[str, str]]:
    """Type and mode, and the content's digest, of everything below a folder.

    An instance has its image's files without leave to write; that is no difference.
    """
    found = {}
    for path in sorted(root.rglob("*")):
        mode = path.lstat().st_mode
        content = digest_of(path.read_bytes()) if stat.S_ISREG(mode) else ""
        found[str(path.relative_to(root))] = (stat.filemode(mode & ~0o222), content)
    return found


@pytest.fixture
def layered(tmp_path: Path) -> Path:
    """A folder with an agent, and one that another is built from: a file in both, and a program."""
    base, top = tmp_path / "base", tmp_path / "top"
    for folder, text in ((base, "old"), (top, "new")):
        (folder / "knowledge" / "deep").mkdir(parents=True)
        (folder / "knowledge" / "rules.md").write_text(f"{text} rules\n" * 200)
        (folder / "knowledge" / "deep" / f"{text}.md").write_text(f"{text}\n" * 2000)
        (folder / "knowledge" / "empty.md").touch()
        program = folder / f"{text}.sh"
        program.write_text(f'echo "{text}: $(head -n 1 "$AGENT_HOME/knowledge/rules.md")"\n' * 40)
        program.chmod(0o755)
    (base / "Agentfile").write_text(
        "FROM scratch\nCOPY knowledge /agent/knowledge\nCOPY old.sh /agent/tools/old.sh\n"
        "INTERFACE base\n"
    )
    (top / "Agentfile").write_text(
        "FROM base:1.0\nCOPY knowledge /agent/knowledge\nCOPY new.sh /agent/tools/new.sh\n"
        'INTERFACE top\nENTRYPOINT ["/bin/sh", "tools/new.sh"]\n'
    )
    return tmp_path


def build(agent: Agent, layered: Path, compression: str) -> None:
    for name in ("base", "top"):
        agent("build", "-q", "--compression", compression, "-t", f"{name}:1.0", layered / name)


def unpacked_here(agent: Agent, home: Path, image: str) -> Path:
    """The files of an image as an instance has them."""
    agent("create", "--name", "bot", image)
    return home / "agentoci" / "instances" / "bot" / "image"


@pytest.mark.integration
@pytest.mark.interop
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_umoci_unpacks_the_same_files(
    agent: Agent, layered: Path, distribution: Registry, repository: str, home: Path,
    architecture: str,
) -> None:  # fmt: skip
    """umoci 0.4 reads gzip, and refuses a layer that its diff_id does not fit."""
    build(agent, layered, "gzip")
    name = distribution.reference(f"{repository}:1.0")
    agent("push", "--profile", "image", "top:1.0", name)
    layout = home / "layout"
    fetch = ("skopeo", "--insecure-policy", *PLATFORMS, architecture, "copy", "-q")
    tool(*fetch, "--preserve-digests", "--src-tls-verify=false", f"docker://{name}",
         f"oci:{layout}:top")  # fmt: skip
    tool("umoci", "unpack", "--rootless", "--image", f"{layout}:top", home / "bundle")
    there = tree(home / "bundle" / "rootfs")
    assert there == tree(unpacked_here(agent, home, "top:1.0"))
    assert there["agent/tools/new.sh"][0] == "-r-xr-xr-x"
    started = json.loads((home / "bundle" / "config.json").read_bytes())["process"]
    assert started["args"] == ["/bin/sh", "tools/new.sh"]


@pytest.mark.integration
@pytest.mark.interop
def test_layers_are_what_their_diff_ids_say(
    agent: Agent, layered: Path, distribution: Registry, repository: str, home: Path
) -> None:
    """zstd, the default, decompressed by skopeo, compressed again by it, and unpacked by umoci."""
    (layered / "top" / "knowledge" / "noise.bin").write_bytes(os.urandom(300_000))
    build(agent, layered, "zstd")
    name = distribution.reference(f"{repository}:1.0")
    agent("push", "--profile", "image", "top:1.0", name)
    plain, layout = home / "plain", home / "layout"
    tool("skopeo", "--insecure-policy", "copy", "-q", "--dest-decompress",
         "--src-tls-verify=false", f"docker://{name}", f"dir:{plain}")  # fmt: skip
    manifest = json.loads((plain / "manifest.json").read_bytes())
    config = json.loads((plain / manifest["config"]["digest"].partition(":")[2]).read_bytes())
    layers = [layer["digest"] for layer in manifest["layers"]]
    assert layers == config["rootfs"]["diff_ids"]
    for digest in layers:
        assert digest_of((plain / digest.partition(":")[2]).read_bytes()) == digest
    tool("skopeo", "--insecure-policy", "copy", "-q", f"dir:{plain}", f"oci:{layout}:top")
    tool("umoci", "unpack", "--rootless", "--image", f"{layout}:top", home / "bundle")
    assert tree(home / "bundle" / "rootfs") == tree(unpacked_here(agent, home, "top:1.0"))


@pytest.mark.integration
@pytest.mark.interop
def test_skopeo_keeps_every_byte(
    agent: Agent, layered: Path, distribution: Registry, repository: str, home: Path
) -> None:
    """Both platforms, without a layer that it would compress anew."""
    build(agent, layered, "zstd")
    name = distribution.reference(f"{repository}:1.0")
    pushed = agent("push", "--profile", "image", "top:1.0", name).out.strip()
    tool("skopeo", "--insecure-policy", "copy", "-q", "--all", "--preserve-digests",
         "--src-tls-verify=false", f"docker://{name}", f"oci:{home}/layout:top")  # fmt: skip
    [entry] = json.loads((home / "layout" / "index.json").read_bytes())["manifests"]
    assert entry["digest"] == pushed
    for child in json.loads(blob(home / "layout", pushed))["manifests"]:
        for layer in json.loads(blob(home / "layout", child["digest"]))["layers"]:
            assert len(blob(home / "layout", layer["digest"])) == layer["size"]
    assert agent("pull", f"oci:{home}/layout:top", "back:1.0").out.strip() == pushed
    assert run(agent, "back:1.0") == run(agent, "top:1.0")
