"""save and load: OCI archives, the tree of the specification, tags that do not move silently."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Agent, MoveHome
from tests.conftest import RunAgent


def save(agent: Agent, path: Path, *names: str) -> bytes:
    agent("save", "-o", path, *names)
    return path.read_bytes()


def names_in(content: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return tar.getnames()


def member(content: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        found = tar.extractfile(name)
        assert found is not None
        return found.read()


def rows(agent: Agent) -> dict[str, str]:
    """Digest by name."""
    listed = agent("images", "--format", "json").json
    return {f"{row['repository']}:{row['tag']}": row["digest"] for row in listed}


# OCI archives


def test_an_archive_keeps_the_digest_and_is_the_same_twice(
    agent: Agent, stocked: Path, tmp_path: Path, move_home: MoveHome
):
    before = rows(agent)
    first = save(agent, tmp_path / "one.tar", "coordinator:1.0")
    assert save(agent, tmp_path / "two.tar", "coordinator:1.0") == first
    assert json.loads(member(first, "oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    move_home("other")
    loaded = agent("load", "-i", tmp_path / "one.tar")
    assert loaded.lines == [before["coordinator:1.0"]]
    assert "loaded coordinator:1.0" in loaded.err
    assert rows(agent) == {"coordinator:1.0": before["coordinator:1.0"]}
    assert save(agent, tmp_path / "three.tar", "coordinator:1.0") == first
    assert agent("load", "-q", "-i", tmp_path / "one.tar").err == ""


def test_stdout_takes_the_archive(run_agent: RunAgent, agent: Agent, stocked: Path, tmp_path: Path):
    with (tmp_path / "piped.tar").open("wb") as stream:
        done = run_agent("save", "talker:1.0", stdout=stream)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "piped.tar").read_bytes() == save(agent, tmp_path / "x.tar", "talker:1.0")


def test_several_images_share_their_blobs_in_one_archive(
    agent: Agent, stocked: Path, tmp_path: Path, move_home: MoveHome
):
    before = rows(agent)
    both = save(agent, tmp_path / "both.tar", "coordinator:1.0", "base_agent:latest")
    blobs = [name for name in names_in(both) if name.startswith("blobs/")]
    assert len(blobs) == len(set(blobs))
    move_home("other")
    agent("load", "-i", tmp_path / "both.tar")
    assert rows(agent) == {name: before[name] for name in ("base_agent:latest", "coordinator:1.0")}


def test_an_untagged_image_is_saved_and_loaded_by_its_id(
    agent: Agent, stocked: Path, tmp_path: Path, move_home: MoveHome
):
    digest = rows(agent)["talker:1.0"]
    agent("tag", "mute:1.0", "talker:1.0")
    save(agent, tmp_path / "x.tar", digest[7:19])
    move_home("other")
    loaded = agent("load", "-i", tmp_path / "x.tar")
    assert loaded.lines == [digest]
    assert "loaded <none>" in loaded.err
    assert rows(agent) == {"None:None": digest}
    assert "hello there" in agent("run", "--rm", digest).out


def test_a_zipped_archive_loads_too(agent: Agent, stocked: Path, tmp_path: Path):
    content = save(agent, tmp_path / "x.tar", "talker:1.0")
    digest = rows(agent)["talker:1.0"]
    agent("rmi", "talker:1.0")
    assert agent("load", stdin=gzip.compress(content)).lines == [digest]


def test_a_tag_never_moves_silently(
    agent: Agent, stocked: Path, tmp_path: Path, move_home: MoveHome, talker: Path
):
    save(agent, tmp_path / "x.tar", "mute:1.0", "talker:1.0")
    incoming = rows(agent)
    move_home("other")
    (talker / "notes.md").write_text("other notes")
    agent("build", "-t", "talker:1.0", talker)
    present = rows(agent)["talker:1.0"]
    refused = agent("load", "-i", tmp_path / "x.tar", code=7)
    assert f"talker:1.0 is {present} here" in refused.err
    assert "--replace" in refused.err
    assert rows(agent) == {"talker:1.0": present}

    agent("load", "--replace", "-i", tmp_path / "x.tar")
    assert {name: incoming[name] for name in ("mute:1.0", "talker:1.0")} == {
        name: digest for name, digest in rows(agent).items() if "None" not in name
    }
    assert present in rows(agent).values()
    agent("load", "-i", tmp_path / "x.tar")  # nothing moves, so nothing is asked


def test_an_archive_of_the_image_profile(
    agent: Agent, talker: Path, tmp_path: Path, move_home: MoveHome
):
    agent("build", "--profile", "image", "-t", "talker:1.0", talker)
    before = rows(agent)
    save(agent, tmp_path / "x.tar", "talker:1.0")
    move_home("other")
    agent("load", "-i", tmp_path / "x.tar")
    assert rows(agent) == before
    assert "hello there" in agent("run", "--rm", "talker:1.0").out


def renamed(content: bytes, name: str) -> bytes:
    """The archive with another name in its index."""
    stream = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content)) as old,
        tarfile.open(fileobj=stream, mode="w") as new,
    ):
        for info in old:
            body = member(content, info.name)
            if info.name == "index.json":
                document = json.loads(body)
                [entry] = document["manifests"]
                entry["annotations"] = {"org.opencontainers.image.ref.name": name}
                body = json.dumps(document).encode()
                info.size = len(body)
            new.addfile(info, io.BytesIO(body))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("localhost/bot:7", "localhost/bot:7"),
        ("registry.example.com/bot", "registry.example.com/bot:latest"),
        ("latest", "None:None"),
        ("1.0", "None:None"),
        ("Bot of Bots", "None:None"),
        ("bot:1\x1b[31m", "None:None"),
    ],
)
def test_names_that_other_tools_give(
    agent: Agent, stocked: Path, tmp_path: Path, move_home: MoveHome, theirs: str, ours: str
):
    content = save(agent, tmp_path / "x.tar", "talker:1.0")
    digest = rows(agent)["talker:1.0"]
    move_home("other")
    assert agent("load", stdin=renamed(content, theirs)).lines == [digest]
    assert rows(agent) == {ours: digest}


def test_an_archive_cannot_take_the_id_of_another_image(
    agent: Agent, stocked: Path, tmp_path: Path
):
    trusted = rows(agent)["talker:1.0"]
    content = save(agent, tmp_path / "x.tar", "mute:1.0")
    agent("load", stdin=renamed(content, trusted))
    assert agent("inspect", trusted).json["digest"] == trusted
    agent("load", stdin=renamed(content, f"{trusted[7:]}:latest"))
    assert agent("inspect", trusted[7:]).json["digest"] == trusted
    agent("load", stdin=renamed(content, f"pinned@{trusted}"))
    assert agent("inspect", f"pinned@{trusted}").json["digest"] == trusted


# Terminals


@pytest.mark.parametrize("command", ["save talker:1.0", "save --tree talker:1.0", "load"])
def test_a_terminal_gets_no_archive_and_gives_none(stocked: Path, command: str):
    """`script` runs a command on a terminal of its own."""
    line = f"{sys.executable} -m agentoci {command}"
    done = subprocess.run(
        ["script", "-qec", line, "/dev/null"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "TERM": "dumb"},
        check=False,
    )
    assert done.returncode == 2
    assert "hint: use" in done.stdout
    assert "oci-layout" not in done.stdout


# The tree


def save_tree(agent: Agent, path: Path, name: str) -> bytes:
    agent("save", "--tree", "-o", path, name)
    return path.read_bytes()


def test_the_tree_is_that_of_the_specification(agent: Agent, stocked: Path, tmp_path: Path):
    tree = save_tree(agent, tmp_path / "tree.tar", "coordinator:1.0")
    names = names_in(tree)
    assert {"definition.json", "knowledge", "tools"} <= set(names)
    assert "knowledge/coordination_patterns.md" in names
    definition = json.loads(member(tree, "definition.json"))
    assert definition["metadata"]["name"] == "coordinator_agent"
    assert definition == agent("inspect", "coordinator:1.0").json["definition"]
    assert json.loads(member(tree, ".agentoci.json"))["names"] == ["coordinator:1.0"]
    assert save_tree(agent, tmp_path / "again.tar", "coordinator:1.0") == tree


def files_of(home: Path, instance: str) -> dict[str, tuple[int, bytes]]:
    """Mode and content by path, of what an instance has of its image."""
    root = home / "instances" / instance / "image" / "agent"
    return {
        str(path.relative_to(root)): (path.stat().st_mode, path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "files.json"
    }


@pytest.mark.parametrize("name", ["coordinator:1.0", "talker:1.0"])
def test_a_tree_loads_and_runs_elsewhere(
    agent: Agent, stocked: Path, tmp_path: Path, move_home: MoveHome, name: str
):
    before = agent("inspect", name).json
    said = agent("run", "--name", "bot", name, "hello").out
    tree = save_tree(agent, tmp_path / "tree.tar", name)
    other = move_home("other")
    loaded = agent("load", stdin=tree)
    assert list(rows(agent).items()) == [(name, loaded.out.strip())]
    after = agent("inspect", name).json
    for key in ("config", "definition", "requirements", "healthcheck", "artifactType"):
        assert after[key] == before[key]
    assert agent("run", "--name", "bot", name, "hello").out == said
    assert files_of(other, "bot") == files_of(stocked, "bot")
    assert save_tree(agent, tmp_path / "back.tar", name) == tree
    assert agent("load", "-i", tmp_path / "back.tar").out == loaded.out


def test_a_tree_keeps_links_and_executable_bits(
    agent: Agent, talker: Path, tmp_path: Path, move_home: MoveHome
):
    (talker / "tools").mkdir()
    (talker / "tools" / "run.sh").write_text("#!/bin/sh\nexec ./other.sh\n")
    (talker / "tools" / "run.sh").chmod(0o755)
    (talker / "tools" / "link.sh").symlink_to("run.sh")
    with (talker / "Agentfile").open("a") as agentfile:
        agentfile.write("COPY tools /agent/tools\n")
    agent("build", "-t", "talker:1.0", talker)
    tree = save_tree(agent, tmp_path / "tree.tar", "talker:1.0")
    other = move_home("other")
    agent("load", stdin=tree)
    agent("create", "--name", "bot", "talker:1.0")
    tools = other / "instances" / "bot" / "image" / "agent" / "tools"
    assert os.access(tools / "run.sh", os.X_OK)
    assert not (tools / "talk.sh").stat().st_mode & 0o111
    assert (tools / "link.sh").readlink() == Path("run.sh")


def test_a_tree_made_by_hand(agent: Agent, tmp_path: Path):
    """What another tool may write: ./ before names, no sidecar."""
    folder = tmp_path / "tree"
    (folder / "knowledge").mkdir(parents=True)
    (folder / "knowledge" / "a.md").write_text("a")
    definition = {
        "apiVersion": "agent/v1",
        "kind": "AgentDefinition",
        "metadata": {"name": "handmade", "version": "1.2.0"},
        "spec": {},
    }
    (folder / "definition.json").write_text(json.dumps(definition))
    subprocess.run(["tar", "-C", folder, "-cf", tmp_path / "tree.tar", "."], check=True)
    agent("load", "-i", tmp_path / "tree.tar")
    assert list(rows(agent)) == ["handmade:1.2.0"]
    kinds = [layer["kind"] for layer in agent("inspect", "handmade:1.2.0").json["layers"]]
    assert kinds == ["knowledge", "interface"]


def test_a_tree_moves_no_tag_silently(agent: Agent, stocked: Path, tmp_path: Path, talker: Path):
    tree = save_tree(agent, tmp_path / "tree.tar", "talker:1.0")
    (talker / "notes.md").write_text("other notes")
    agent("build", "--replace", "-t", "talker:1.0", talker)
    assert "--replace" in agent("load", stdin=tree, code=7).err
    agent("load", "--replace", stdin=tree)


Members = Sequence[tuple[str, bytes, str]]


def hand_made(members: Members) -> bytes:
    """A tree with a good definition and these members: name, type, link target or content."""
    definition: dict[str, Any] = {
        "apiVersion": "agent/v1",
        "kind": "AgentDefinition",
        "metadata": {"name": "evil", "version": "1.0.0"},
        "spec": {},
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, kind, text in [
            ("definition.json", tarfile.REGTYPE, json.dumps(definition)),
            *members,
        ]:
            info = tarfile.TarInfo(name)
            info.type = kind
            content = b""
            if kind == tarfile.REGTYPE:
                content = text.encode()
            else:
                info.linkname = text
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([("../evil", tarfile.REGTYPE, "x")], id="dots"),
        pytest.param([("knowledge/../../evil", tarfile.REGTYPE, "x")], id="dots inside"),
        pytest.param([("/tmp/evil", tarfile.REGTYPE, "x")], id="absolute"),
        pytest.param([("knowledge/a", tarfile.SYMTYPE, "/etc/passwd")], id="absolute link"),
        pytest.param([("knowledge/a", tarfile.SYMTYPE, "../../evil")], id="link outside"),
        pytest.param(
            [("door", tarfile.SYMTYPE, "knowledge"), ("door/evil", tarfile.REGTYPE, "x")],
            id="through a link",
        ),
        pytest.param([("knowledge/a", tarfile.LNKTYPE, "definition.json")], id="hard link"),
        pytest.param([("knowledge/null", tarfile.CHRTYPE, "")], id="device"),
        pytest.param([("knowledge/pipe", tarfile.FIFOTYPE, "")], id="pipe"),
        pytest.param([("knowledge/a\x1b[2J", tarfile.REGTYPE, "x")], id="escape sequence"),
        pytest.param(
            [("knowledge/a", tarfile.REGTYPE, "x"), ("knowledge/a", tarfile.REGTYPE, "y")],
            id="twice",
        ),
        pytest.param(
            [("knowledge/a", tarfile.REGTYPE, "x"), ("knowledge/a/b", tarfile.REGTYPE, "y")],
            id="below a file",
        ),
        pytest.param(
            [("knowledge/a/b", tarfile.REGTYPE, "x"), ("knowledge/a", tarfile.REGTYPE, "y")],
            id="a file over a folder",
        ),
        pytest.param([(".agentoci.json", tarfile.REGTYPE, "[]")], id="a sidecar that is a list"),
        pytest.param(
            [(".agentoci.json", tarfile.REGTYPE, '{"names": [1], "config": 7}')], id="odd sidecar"
        ),
        pytest.param(
            [(".agentoci.json", tarfile.REGTYPE, '{"names": ["a b\\u001b[31m"], "config": {}}')],
            id="a name that is none",
        ),
    ],
)
def test_hostile_trees_are_refused(agent: Agent, home: Path, tmp_path: Path, members: Members):
    before = {path for path in tmp_path.rglob("*") if "agentoci" not in path.parts}
    refused = agent("load", stdin=hand_made(members), code=8)
    assert "internal error" not in refused.err
    assert "\x1b" not in refused.err
    assert agent("images").lines[1:] == []
    assert {path for path in tmp_path.rglob("*") if "agentoci" not in path.parts} == before
    assert not Path("/tmp/evil").exists()
    assert not list((home / "agentoci" / "cache").glob("tree-*"))
