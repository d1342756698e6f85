"""Images, registries and archives that are not as they should be: message and exit code."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Agent
from tests.conftest import RunAgent
from tests.registry.fake import Basic, FakeRegistry
from tests.registry.faults import cuts, refuses, spoils_body

NOWHERE = "127.0.0.1:1"  # a port that nothing listens on


def push(agent: Agent, fake: FakeRegistry, name: str = "talker:1.0") -> str:
    """Push an image of the shelf; returns its reference there."""
    reference = f"{fake.host}/team/{name}"
    agent("push", "-q", name, reference)
    return reference


def largest_layer(fake: FakeRegistry) -> str:
    return max(fake.blobs, key=lambda key: len(fake.blobs[key]))[1]


# References


@pytest.mark.parametrize(
    ("command", "part"),
    [
        (("pull", "Team/Bot:1"), "'Bot' is not a name"),
        (("pull", "bot:a:b"), "'bot:a' is not a name"),
        (("pull", "bot@sha256:abc"), "sha256:abc"),
        (("pull", "x y"), "'x y' is not a name"),
        (("tag", "talker:1.0", "Talker:2"), "names are lower case: 'talker'"),
        (("push", "Unknown:1.0"), "names are lower case: 'unknown'"),
        (("run", "talker:"), "is not a tag"),
        (("rmi", "a//b"), "'a//b' is not a name"),
        (("inspect", "-x"), "No such option"),
        (("pull", "oci::name"), "the folder is empty"),
        (("build", "-t", "a@b", "."), "a@b"),
        (("build", "-t", f"a@sha256:{64 * '0'}", "."), "it cannot be given"),
        (("tag", "talker:1.0", f"a:1@sha256:{64 * '0'}"), "hint: write a:1"),
        (("pull", f"{NOWHERE}/a:1", f"a@sha256:{64 * '0'}"), "it cannot be given"),
        (("login", "http://registry/x", "-u", "a", "--password-stdin"), "is not a registry"),
        (("run", "--name", "../up", "talker:1.0"), "'../up' is not a name for an instance"),
        (("run", "-e", "NOVALUE", "talker:1.0"), "'NOVALUE' is not KEY=VALUE"),
    ],
)
def test_bad_references_are_wrong_usage(
    agent: Agent, stocked: Path, command: tuple[str, ...], part: str
):
    refused = agent(*command, stdin=b"pw\n", code=2)
    assert part in refused.err
    assert refused.out == ""


@pytest.mark.parametrize(
    "command",
    [
        ("push", "talkr:1.0"),
        ("inspect", "talkr:1.0"),
        ("history", "talkr:1.0"),
        ("tag", "talkr:1.0", "x:1"),
        ("rmi", "talkr:1.0"),
        ("save", "-o", "x.tar", "talkr:1.0"),
        ("run", "talkr:1.0"),
        ("create", "talkr:1.0"),
        ("checksum", "talkr:1.0"),
    ],
)
def test_an_unknown_image_names_its_neighbour(
    agent: Agent, stocked: Path, command: tuple[str, ...]
):
    missing = agent(*command, code=6)
    assert "talkr:1.0" in missing.err
    assert "did you mean 'talker:1.0'?" in missing.err


def test_a_pinned_reference_means_that_content_or_nothing(agent: Agent, stocked: Path):
    talker, mute = (agent("images", "-q", name).out.strip() for name in ("talker", "mute"))
    assert agent("inspect", f"talker:1.0@{talker}").json["digest"] == talker
    assert agent("inspect", f"talker:1.0@{mute}").json["digest"] == mute
    other = f"sha256:{64 * '0'}"
    for command in ("inspect", "run", "history", "rmi"):
        assert other in agent(command, f"talker:1.0@{other}", code=6).err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        *(("imags", "images"), ("biuld", "build"), ("pul", "pull")),
        *(("ls", "tags"), ("copy", "cp"), ("resolve", "manifest head --digest")),
    ],
)
def test_an_unknown_command_names_its_neighbour(agent: Agent, typed: str, meant: str):
    refused = agent(typed, code=2)
    assert f"no such command: '{typed}'" in refused.err
    assert f"Did you mean '{meant}'?" in refused.err


def test_an_unknown_command_without_a_neighbour(agent: Agent):
    refused = agent("xyzzy", code=2)
    assert "no such command: 'xyzzy'" in refused.err
    assert "mean" not in refused.err


def test_an_image_without_an_entrypoint_does_not_run(agent: Agent, stocked: Path):
    for options in ((), ("-d",)):
        refused = agent("run", *options, "mute:1.0", code=2)
        assert "mute:1.0: the image has no ENTRYPOINT" in refused.err
        assert "hint: add ENTRYPOINT" in refused.err
    assert agent("ps", "-aq").out == ""


# Registries


@pytest.mark.parametrize(
    "command",
    [
        ("push", "talker:1.0", f"{NOWHERE}/talker:1.0"),
        ("pull", f"{NOWHERE}/talker:1.0"),
        ("run", f"{NOWHERE}/talker:1.0"),
        ("inspect", f"{NOWHERE}/talker:1.0"),
        ("login", NOWHERE, "-u", "ada", "--password-stdin"),
    ],
)
@pytest.mark.slow
def test_an_unreachable_registry_fails_within_seconds(
    agent: Agent, stocked: Path, command: tuple[str, ...]
):
    started = time.monotonic()
    failed = agent(*command, stdin=b"secret\n", code=4)
    assert time.monotonic() - started < 10
    assert f"{NOWHERE}: connection refused" in failed.err
    assert "hint:" in failed.err


def test_an_unknown_tag(agent: Agent, stocked: Path, fake: FakeRegistry):
    push(agent, fake)
    missing = agent("pull", f"{fake.host}/team/talker:9", code=6)
    assert f"{fake.host}/team/talker:9" in missing.err
    assert agent("inspect", f"{fake.host}/team/talker:9", code=6).out == ""


def test_a_registry_that_wants_a_login(agent: Agent, stocked: Path, fake: FakeRegistry):
    reference = push(agent, fake)
    fake.auth = Basic()
    for command in (("pull", reference), ("push", "talker:1.0", reference)):
        denied = agent(*command, code=5)
        assert f"hint: agent login {fake.host}" in denied.err


def test_a_registry_that_forbids(agent: Agent, stocked: Path, fake: FakeRegistry):
    reference = push(agent, fake)
    fake.on("*", "/team/talker/manifests/", refuses(403, "DENIED", "read the rules"), times=9)
    denied = agent("pull", reference, "mine:1", code=5)
    assert reference in denied.err
    assert "403" in denied.err
    fake.on("POST", "/v2/other/blobs/uploads/", refuses(403, "DENIED", "no pushing"), times=9)
    assert "no pushing" in agent("push", "talker:1.0", f"{fake.host}/other:1", code=5).err


def test_a_login_with_a_wrong_password(agent: Agent, home: Path, fake: FakeRegistry):
    fake.auth = Basic(password="right")
    wrong = agent("login", fake.host, "-u", "ada", "--password-stdin", stdin=b"wrong\n", code=5)
    assert f"login at {fake.host} failed" in wrong.err
    assert "hint: check user name and password" in wrong.err
    assert "wrong\n" not in wrong.err.replace("wrong user", "")
    assert not (home / ".docker" / "config.json").exists()
    agent("login", fake.host, "-u", "ada", "--password-stdin", stdin=b"right\n")
    assert oct((home / ".docker" / "config.json").stat().st_mode)[-3:] == "600"


@pytest.mark.parametrize(
    ("arguments", "stdin", "part"),
    [
        (("--password-stdin",), b"secret\n", "give it by -u NAME"),
        ((), b"", "give it by -u NAME"),
        (("-u", "ada"), b"", "the password is empty"),
        (("-u", "ada", "--password-stdin"), b"\n", "the password is empty"),
    ],
)
def test_a_login_without_a_terminal_never_asks(
    agent: Agent, fake: FakeRegistry, arguments: tuple[str, ...], stdin: bytes, part: str
):
    assert part in agent("login", fake.host, *arguments, stdin=stdin, code=2).err


def test_a_password_on_the_command_line_is_warned_of(agent: Agent, fake: FakeRegistry):
    fake.auth = Basic()
    warned = agent("login", fake.host, "-u", "ada", "-p", "secret")
    assert "warning: a password on the command line is seen by others" in warned.err
    assert "secret" not in warned.err


def test_a_layer_with_other_bytes(agent: Agent, stocked: Path, fake: FakeRegistry):
    reference = push(agent, fake)
    digest = largest_layer(fake)
    agent("rmi", "talker:1.0")
    fake.on("GET", f"/blobs/{digest}", spoils_body(lambda body: body[:-1] + b"!"), times=9)
    wrong = agent("pull", reference, code=8)
    assert digest in wrong.err
    assert "talker" not in agent("images").out
    assert not list((stocked / "store" / "ingest").glob("tmp-*"))


def test_a_layer_that_ends_early(agent: Agent, stocked: Path, fake: FakeRegistry):
    reference = push(agent, fake)
    digest = largest_layer(fake)
    agent("rmi", "talker:1.0")
    fake.on("GET", f"/blobs/{digest}", spoils_body(lambda body: body[:-20]), times=9)
    short = agent("pull", reference, code=8)
    assert digest in short.err
    assert "talker" not in agent("images").out


@pytest.mark.slow
def test_a_connection_that_is_cut_every_time(agent: Agent, stocked: Path, fake: FakeRegistry):
    reference = push(agent, fake)
    digest = largest_layer(fake)
    agent("rmi", "talker:1.0")
    fake.on("GET", f"/blobs/{digest}", cuts(0), times=50)
    assert fake.host in agent("pull", reference, code=4).err
    assert "talker" not in agent("images").out


def test_a_manifest_with_other_bytes(agent: Agent, stocked: Path, fake: FakeRegistry):
    digest = agent("images", "-q", "talker").out.strip()
    push(agent, fake)
    agent("rmi", "talker:1.0")
    fake.on("GET", "/manifests/", spoils_body(lambda body: body + b"\n"), times=9)
    wrong = agent("pull", f"{fake.host}/team/talker@{digest}", "mine:1", code=8)
    assert digest in wrong.err
    assert "mine" not in agent("images").out


def test_an_artifact_that_is_no_agent(agent: Agent, stocked: Path, fake: FakeRegistry):
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.example.chart",
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": fake.put("x", b"{}"),
            "size": 2,
        },
        "layers": [
            {
                "mediaType": "text/plain",
                "digest": fake.put("x", b"hello"),
                "size": 5,
            }
        ],
    }
    fake.put_manifest("x", "1", str(manifest["mediaType"]), json.dumps(manifest).encode())
    refused = agent("run", f"{fake.host}/x:1", code=2)
    assert (
        "is not an agent image, but an artifact of type application/vnd.example.chart"
        in refused.err
    )
    assert agent("ps", "-aq").out == ""
    assert agent("inspect", f"{fake.host}/x:1").json["layers"][0]["size"] == 5


def test_a_registry_that_wants_images_only_is_told_of_the_image_profile(
    agent: Agent, stocked: Path, fake: FakeRegistry
):
    fake.on("PUT", "/manifests/", refuses(400, "MANIFEST_INVALID", "unknown config type"))
    refused = agent("push", "talker:1.0", f"{fake.host}/team/talker:1.0", code=1)
    assert "unknown config type" in refused.err
    assert "hint: this registry may take images only: `push --profile image`" in refused.err


# Archives


def tar_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def saved(agent: Agent, name: str, folder: Path) -> bytes:
    agent("save", "-o", folder / "saved.tar", name)
    return (folder / "saved.tar").read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(os.urandom(5000), id="noise"),
        pytest.param(gzip.compress(os.urandom(5000)), id="zipped noise"),
        pytest.param(gzip.compress(tar_of({"a": b"b" * 9000}))[:60], id="cut gzip"),
        pytest.param(b"\xfd7zXZ\x00" + bytes(100), id="broken xz"),
        pytest.param(b"BZh9" + bytes(100), id="broken bzip2"),
        pytest.param(bytes(2048), id="empty tar"),
        pytest.param(tar_of({"definition.json": b"{"}), id="a tree with a broken definition"),
        pytest.param(tar_of({"definition.json": b"{}"}), id="a tree with an empty definition"),
        pytest.param(tar_of({"readme.txt": b"hello"}), id="a tree without a definition"),
        pytest.param(tar_of({"oci-layout": b"{}"}), id="no index"),
        pytest.param(tar_of({"index.json": b"no json"}), id="a broken index"),
        pytest.param(tar_of({"index.json": b'{"manifests": []}'}), id="an empty index"),
        pytest.param(tar_of({"index.json": b'{"manifests": [7]}'}), id="a wrong index"),
        pytest.param(tar_of({"blobs/sha256/" + 64 * "0": b"zeros"}), id="wrong blob"),
        pytest.param(tar_of({"index.json": b"{}", "evil.sh": b"#!"}), id="strangers"),
    ],
)
def test_what_is_no_archive_is_refused(agent: Agent, home: Path, content: bytes):
    refused = agent("load", stdin=content, code=8)
    assert refused.err.startswith("error: ")
    assert "internal error" not in refused.err
    assert agent("images").lines[1:] == []


def test_an_archive_that_was_cut_is_refused(agent: Agent, stocked: Path, tmp_path: Path):
    content = saved(agent, "talker:1.0", tmp_path)
    agent("rmi", "talker:1.0")
    end = content.rindex(b"schemaVersion")
    for left in (100, 600, end // 3, end // 2, end - 600, end):
        refused = agent("load", stdin=content[:left], code=8)
        assert "internal error" not in refused.err
        assert "talker" not in agent("images").out


def test_an_archive_that_lacks_a_blob_is_refused(agent: Agent, stocked: Path, tmp_path: Path):
    content = saved(agent, "talker:1.0", tmp_path)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]
    agent("rmi", "talker:1.0")
    for name in [name for name in members if name.startswith("blobs/")]:
        rest = {other: body for other, body in members.items() if other != name}
        refused = agent("load", stdin=tar_of(rest), code=8)
        assert name.rpartition("/")[2] in refused.err
        assert "talker" not in agent("images").out
        agent("gc", "--grace", "0")


def test_an_archive_that_is_not_there(agent: Agent):
    assert "nowhere.tar: no such file" in agent("load", "-i", "nowhere.tar", code=6).err


def test_a_folder_is_no_archive(agent: Agent, tmp_path: Path):
    assert agent("load", "-i", tmp_path, code=2).out == ""


def test_saving_into_a_folder_that_is_not_there(agent: Agent, stocked: Path):
    refused = agent("save", "-o", "nowhere/x.tar", "talker:1.0", code=6)
    assert "nowhere: no such folder" in refused.err


def test_saving_what_is_not_there_leaves_no_file(agent: Agent, stocked: Path, tmp_path: Path):
    agent("save", "-o", tmp_path / "x.tar", "talker:1.0", "nothing:1", code=6)
    assert not (tmp_path / "x.tar").exists()
    assert "takes one image" in agent("save", "--tree", "talker:1.0", "mute:1.0", code=2).err


# The same from outside


def test_processes_end_with_these_codes_too(run_agent: RunAgent, stocked: Path):
    wrong = run_agent("pull", "Bot:1")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("error: 'Bot:1'")
    missing = run_agent("inspect", "nothing:1")
    assert (missing.returncode, missing.stdout) == (6, "")
    garbage = run_agent("load", stdin=b"garbage")
    assert (garbage.returncode, garbage.stdout) == (8, "")
    none = run_agent()
    assert (none.returncode, none.stdout) == (2, "")
    assert "Commands:" in none.stderr
