"""What another process does with a store: `python -m tests.store.worker VERB ROOT ...`.

It says on stdout how far it is, and waits for a line on stdin where a test wants to choose the
moment.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from agentoci._internal.clock import SystemClock
from agentoci.content.protocols import Reader
from agentoci.content.reader import BytesSource, DigestMismatch
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import Manifest
from agentoci.store.layout import LayoutStore

REPOSITORY = Path(__file__).parents[2]


@functools.cache
def big(size: int) -> bytes:
    """The content of the blob that everybody pushes: no two MiB are alike."""
    return b"".join(b"%08x" % number for number in range(size // 8))


class Stopping:
    """A source that tells where it is opened, and waits at `stop` for a line on stdin."""

    def __init__(self, content: bytes, stop: int) -> None:
        self._content = content
        self._stop = stop

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        say(f"opened {offset}")
        self._at = offset
        yield self

    def read(self, size: int = -1, /) -> bytes:
        if self._at < self._stop < self._at + size:
            size = self._stop - self._at
        elif self._at == self._stop:
            self._stop = -1
            say("stopped")
            sys.stdin.readline()
        chunk = self._content[self._at : self._at + size]
        self._at += len(chunk)
        return chunk


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def push(root: Path, size: str, stop: str, lie: str = "") -> None:
    """Push the big blob, or other bytes instead, stopping on the way."""
    content = big(int(size))
    desc = Descriptor.of("application/x", content)
    store = LayoutStore.create(root, clock=SystemClock())
    say("pushing")
    try:
        store.push(desc, Stopping(bytes(desc.size) if lie else content, int(stop)))
    except DigestMismatch:
        say("mismatch")


def tag(root: Path, prefix: str, count: str) -> None:
    """Make the store, push one image, and give it names."""
    say("ready")
    sys.stdin.readline()
    store = LayoutStore.create(root, clock=SystemClock())
    config = Descriptor.of(mediatypes.OCI_IMAGE_CONFIG, b"{}")
    manifest = Manifest.build(config=config, layers=[], annotations={"by": prefix})
    store.push(config, BytesSource(b"{}"))
    store.push(manifest.descriptor, BytesSource(manifest.raw))
    for number in range(int(count)):
        store.tag(manifest.descriptor, f"{prefix}:{number}")
        store.tag(manifest.descriptor, "everybody:latest")


def use(root: Path) -> None:
    """Hold the store as a transfer does."""
    with LayoutStore.open(root, clock=SystemClock()).using():
        say("held")
        sys.stdin.readline()


def lock(path: Path) -> None:
    """Hold a file of `ingest/` as its writer does."""
    descriptor = os.open(path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    say("held")
    sys.stdin.readline()


@contextlib.contextmanager
def working(verb: str, root: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Another process at work; it has ended when the block has."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.worker", verb, str(root), *map(str, arguments)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    """The process' stdin and stdout."""
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def heard(process: subprocess.Popen[str]) -> str:
    """The next line that the process says."""
    return pipes(process)[1].readline().rstrip()


def go_on(process: subprocess.Popen[str]) -> None:
    """Let the process go on."""
    stdin = pipes(process)[0]
    stdin.write("\n")
    stdin.flush()


def finish(process: subprocess.Popen[str]) -> list[str]:
    """Wait for a good end; returns what the process said meanwhile."""
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return said.splitlines()


if __name__ == "__main__":
    verbs: dict[str, Callable[..., None]] = {"push": push, "tag": tag, "use": use, "lock": lock}
    verbs[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
