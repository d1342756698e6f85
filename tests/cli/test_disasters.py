"""Full disks, read-only homes and Ctrl-C: a message, a code, and nothing half-done."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Agent
from tests.conftest import RunAgent
from tests.registry.fake import FakeRegistry
from tests.registry.faults import Exchange, Fault, Gone, Reply

MEGABYTE = 1 << 20


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """A tmpfs at `folder`; skips where this user may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def tiny_home(home: Path) -> Iterator[Path]:
    """An AGENTOCI_HOME on a disk of two megabytes."""
    with mounted(home / "agentoci", "-o", "size=2m") as folder:
        yield folder


def write_big(context: Path, size: int = 4 * MEGABYTE) -> Path:
    (context / "big.bin").write_bytes(random.Random(1).randbytes(size))
    with (context / "Agentfile").open("a") as agentfile:
        agentfile.write("COPY big.bin /agent/files/\n")
    return context


# A disk without space


def test_a_build_on_a_full_disk(agent: Agent, tiny_home: Path, talker: Path):
    full = agent("build", "-t", "talker:1.0", write_big(talker), code=1)
    assert "the disk is full" in full.err
    assert str(tiny_home) in full.err
    assert "hint: free some space" in full.err
    assert agent("images").lines[1:] == []
    assert not list((tiny_home / "store" / "ingest").glob("tmp-*"))
    (talker / "Agentfile").write_text((talker / "Agentfile").read_text().replace("COPY big", "#"))
    agent("build", "-t", "talker:1.0", talker)


def test_a_pull_onto_a_full_disk(
    agent: Agent, home: Path, talker: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AGENTOCI_HOME", str(home / "roomy"))
    agent("build", "-t", "talker:1.0", write_big(talker))
    agent("push", "talker:1.0", f"oci:{home}/layout")
    agent("save", "-o", home / "talker.tar", "talker:1.0")
    with mounted(home / "tiny", "-o", "size=2m") as tiny:
        monkeypatch.setenv("AGENTOCI_HOME", str(tiny))
        for command in (
            ("pull", f"oci:{home}/layout"),
            ("run", f"oci:{home}/layout:talker:1.0"),
            ("load", "-i", f"{home}/talker.tar"),
        ):
            full = agent(*command, code=1)
            assert "the disk is full" in full.err
            assert agent("images").lines[1:] == []
            assert agent("ps", "-aq").out == ""


def test_an_instance_that_finds_no_space(agent: Agent, tiny_home: Path, talker: Path):
    (talker / "zeros.bin").write_bytes(bytes(4 * MEGABYTE))
    with (talker / "Agentfile").open("a") as agentfile:
        agentfile.write("COPY zeros.bin /agent/files/\n")
    agent("build", "-t", "talker:1.0", talker)
    full = agent("run", "talker:1.0", code=1)
    assert "space" in full.err or "full" in full.err
    assert agent("ps", "-aq").out == ""
    assert [path for path in (tiny_home / "instances").iterdir() if path.is_dir()] == []


def test_saving_to_a_full_disk_leaves_no_file(agent: Agent, stocked: Path, tmp_path: Path):
    with mounted(tmp_path / "tiny", "-o", "size=4k") as tiny:
        full = agent("save", "-o", tiny / "x.tar", "talker:1.0", code=1)
        assert "No space left" in full.err or "full" in full.err
        assert list(tiny.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("command", [("images",), ("save", "talker:1.0"), ("--help",)])
def test_printing_onto_a_full_disk_is_an_error(
    run_agent: RunAgent, stocked: Path, command: tuple[str, ...]
):
    with Path("/dev/full").open("wb") as full:
        done = run_agent(*command, stdout=full)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


# A home that cannot be written to


@pytest.fixture
def read_only_home(stocked: Path) -> Iterator[Path]:
    """AGENTOCI_HOME with images in it, on a read-only disk."""
    copy = shutil.copytree(stocked, stocked.parent / "copy")
    with mounted(stocked):
        shutil.copytree(copy, stocked, dirs_exist_ok=True)
        subprocess.run(["mount", "-o", "remount,ro", str(stocked)], check=True)
        yield stocked


def test_a_read_only_home_is_named(agent: Agent, read_only_home: Path, talker: Path):
    layout = f"oci:{talker.parent}/layout"
    assert "talker" in agent("images").out
    assert agent("inspect", "talker:1.0").json["digest"]
    agent("push", "talker:1.0", layout)
    agent("save", "-o", talker / "x.tar", "talker:1.0")
    for command in (
        ("build", "-t", "bot:1", str(talker)),
        ("tag", "talker:1.0", "bot:1"),
        ("rmi", "talker:1.0"),
        ("pull", layout, "bot:2"),
        ("load", "-i", str(talker / "x.tar")),
        ("gc",),
    ):
        refused = agent(*command, code=5)
        assert str(read_only_home) in refused.err, command
        assert "hint: take a folder that you may write; AGENTOCI_HOME" in refused.err, command
    refused = agent("run", "talker:1.0", code=5)
    assert str(read_only_home) in refused.err
    for target in (["save", "-o", f"{read_only_home}/x"], ["cp", "-q"]):
        archive = [] if target[0] == "save" else [f"oci-archive:{read_only_home}/x"]
        refused = agent(*target, "talker:1.0", *archive, code=5)
        assert refused.err == f"error: {read_only_home}/x: Read-only file system\n"


def test_a_home_that_is_a_file(agent: Agent, home: Path, talker: Path):
    (home / "agentoci").write_text("not a folder")
    refused = agent("build", "-t", "bot:1", talker, code=1)
    assert str(home / "agentoci") in refused.err
    assert "internal error" not in refused.err


# Ctrl-C


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `agent ARGUMENTS` and leave it running."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str | Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "agentoci", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_until(holds: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def interrupt(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err.decode()
    assert err.decode().rstrip().endswith("error: interrupted")
    assert "Traceback" not in err.decode()
    assert "Exception" not in err.decode()
    return out.decode(), err.decode()


def test_an_interrupted_build_leaves_nothing(agent: Agent, start: Start, home: Path, talker: Path):
    with (talker / "big.bin").open("wb") as sparse:
        sparse.truncate(16 << 30)
    with (talker / "Agentfile").open("a") as agentfile:
        agentfile.write("COPY big.bin /agent/files/\n")
    ingest = home / "agentoci" / "store" / "ingest"
    process = start("build", "-t", "talker:1.0", talker)

    def is_packing() -> bool:
        with contextlib.suppress(FileNotFoundError):
            return any(path.stat().st_size > 4096 for path in ingest.glob("tmp-*"))
        return False

    wait_until(is_packing)
    out, _ = interrupt(process)
    assert out == ""
    assert not list(ingest.glob("tmp-*"))
    assert agent("images").lines[1:] == []
    (talker / "big.bin").write_bytes(b"small")
    agent("build", "-t", "talker:1.0", talker)


def stalls(entered: threading.Event, leave: threading.Event) -> Fault:
    """Tell that a request came, and do not answer it before the test is done."""

    def fault(exchange: Exchange) -> Reply:
        entered.set()
        leave.wait(20)
        raise Gone

    return fault


@pytest.fixture
def stalling(fake: FakeRegistry) -> Iterator[Callable[[str, str], threading.Event]]:
    """Let requests hang; the event says that one does."""
    leave = threading.Event()

    def stall(method: str, pattern: str) -> threading.Event:
        entered = threading.Event()
        fake.on(method, pattern, stalls(entered, leave), times=9)
        return entered

    yield stall
    leave.set()


Stalling = Callable[[str, str], threading.Event]


def test_an_interrupted_push_moves_no_tag(
    agent: Agent, start: Start, stocked: Path, fake: FakeRegistry, stalling: Stalling
):
    entered = stalling("PUT", "/blobs/uploads/")
    process = start("push", "talker:1.0", f"{fake.host}/talker:1.0")
    assert entered.wait(20)
    interrupt(process)
    assert fake.manifests == {}


def test_an_interrupted_pull_leaves_no_image(
    agent: Agent, start: Start, stocked: Path, fake: FakeRegistry, stalling: Stalling
):
    reference = f"{fake.host}/talker:1.0"
    agent("push", "talker:1.0", reference)
    agent("rmi", "talker:1.0")
    before = agent("images", "-q").out
    entered = stalling("GET", "/blobs/")
    process = start("pull", reference)
    assert entered.wait(20)
    interrupt(process)
    assert agent("images", "-q").out == before
    assert not list((stocked / "store" / "ingest").glob("tmp-*"))


def test_an_interrupted_build_that_waits_for_its_base(
    start: Start, talker: Path, fake: FakeRegistry, stalling: Stalling
):
    (talker / "Agentfile").write_text(f"FROM {fake.host}/base:1\n")
    entered = stalling("*", "/v2/base/")
    process = start("build", "-t", "talker:1.0", talker)
    assert entered.wait(20)
    interrupt(process)


def test_an_interrupted_run_gives_the_signal_to_the_agent(
    agent: Agent, start: Start, stocked: Path
):
    process = start("run", "--name", "sleeper", "talker:1.0", "--sleep", "60")
    wait_until((stocked / "instances" / "sleeper" / "workspace" / "state").exists)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert agent("ps", "-a", "--format", "json").json[0]["exitCode"] == 130


def test_following_logs_ends_at_ctrl_c(agent: Agent, start: Start, stocked: Path):
    agent("run", "-d", "--name", "sleeper", "talker:1.0", "--sleep", "60")
    process = start("logs", "-f", "sleeper")
    assert process.stdout is not None
    assert b"hello there from sleeper" in process.stdout.readline()
    interrupt(process)
    agent("rm", "-f", "sleeper")


# Readers that go away


@pytest.mark.parametrize(
    "line",
    [
        "images | true",
        "images | head -1",
        "inspect coordinator:1.0 | head -c 1",
        "save talker:1.0 | head -c 600",
        "save --tree talker:1.0 | true",
        "--help | true",
        "completion bash | true",
    ],
)
def test_a_reader_that_goes_away_is_no_drama(stocked: Path, tmp_path: Path, line: str):
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m agentoci {line}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=os.environ,
        cwd=tmp_path,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""


def test_a_long_list_whose_reader_goes_away(start: Start, stocked: Path):
    process = start("history", "--format", "json", "coordinator:1.0")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(20) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""
