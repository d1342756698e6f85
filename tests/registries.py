"""Real registries for tests: started on a loopback port of the system's choice, ended by pid."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.certificates import Certificate

START_SECONDS = 30.0

USER, PASSWORD = "ada", "correct horse"
# bcrypt of PASSWORD at its lowest cost: the only kind of entry that distribution's htpasswd reads.
HTPASSWD = f"{USER}:$2y$04$5SBhMWVJ9PTx4.NeCwB8/u8wmuTh.oEmxhZ8niRPExUP4gA/m1EGC\n"


def tools_folder() -> Path:
    """Where `scripts/install-peers` puts programs; read before tests get homes of their own."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("AGENTOCI_TOOLS") or f"{cache}/agentoci/tools")


TOOLS = tools_folder()
RUNNING_PREFIX = "AGENTOCI_TEST_"
# Registries that docker-compose.test.yml started, as in AGENTOCI_TEST_DISTRIBUTION=127.0.0.1:5003
RUNNING = {name: host for name, host in os.environ.items() if name.startswith(RUNNING_PREFIX)}


def find_tool(name: str, *, folder: str = "") -> Path | None:
    """A program of the tools folder, else of PATH; None when the machine has none."""
    installed = TOOLS / "bin" / folder / name
    if installed.is_file():
        return installed
    found = None if folder else shutil.which(name)
    return Path(found) if found else None


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that answers: `host` goes in front of a repository's name."""

    kind: str
    host: str

    def reference(self, name: str) -> str:
        """`name` as an image of this registry."""
        return f"{self.host}/{name}"


@dataclass(frozen=True, slots=True)
class Setup:
    """How a registry is to run: with users or without, over TLS or not.

    `clients` is the authority whose certificates clients must show, `config` more lines of
    distribution's configuration (an `auth` of one's own, say).
    """

    private: bool = False
    certificate: Certificate | None = None
    clients: Path | None = None
    config: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """How to start one registry program, and where its log tells the port that it got."""

    name: str
    tool: str
    folder: str
    arguments: Callable[[Path, Path, Setup], list[str]]
    port: re.Pattern[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def program(self) -> Path | None:
        """The program on this machine."""
        return find_tool(self.tool, folder=self.folder)

    @property
    def missing(self) -> str:
        """What a skipped test says."""
        return f"{self.name}: no {self.tool} on this machine; scripts/install-peers installs it"


def running(kind: Kind) -> Registry | None:
    """The registry of this kind that the environment names, started by somebody else."""
    host = RUNNING.get(RUNNING_PREFIX + kind.name.upper().replace("-", "_"))
    return Registry(kind.name, host) if host else None


DISTRIBUTION_CONFIG = """\
version: 0.1
log:
  level: info
  accesslog: {{disabled: true}}
storage:
  filesystem: {{rootdirectory: {data}}}
  delete: {{enabled: true}}
http:
  addr: 127.0.0.1:0
"""

HTPASSWD_CONFIG = """\
auth:
  htpasswd: {{realm: tests, path: {htpasswd}}}
"""


TLS_CONFIG = """\
  tls: {{certificate: {cert}, key: {key}{clients}}}
"""


def _serve_distribution(program: Path, folder: Path, setup: Setup) -> list[str]:
    text = DISTRIBUTION_CONFIG.format(data=folder / "data")
    if setup.certificate is not None:
        given = setup.certificate
        clients = f", clientcas: [{setup.clients}]" if setup.clients else ""
        text += TLS_CONFIG.format(cert=given.cert, key=given.key, clients=clients)
    if setup.private:
        htpasswd = folder / "htpasswd"
        htpasswd.write_text(HTPASSWD)
        text += HTPASSWD_CONFIG.format(htpasswd=htpasswd)
    config = folder / "config.yml"
    config.write_text(text + setup.config)
    return [str(program), "serve", str(config)]


def _serve_ggcr(program: Path, folder: Path, setup: Setup) -> list[str]:
    if setup != Setup():
        raise ValueError("the go-containerregistry registry knows no users and no TLS")
    data = folder / "data"
    data.mkdir()
    return [str(program), "registry", "serve", "--address", "127.0.0.1:0", "--disk", str(data)]


def _serve_olareg(program: Path, folder: Path, setup: Setup) -> list[str]:
    """Olareg does not tell which port the system chose, so that one is chosen for it."""
    if setup != Setup():
        raise ValueError("olareg is run without users and without TLS here")
    data = folder / "data"
    data.mkdir()
    arguments = ["serve", "--addr", "127.0.0.1", "--port", str(_free_port()), "--dir", str(data)]
    return [str(program), *arguments, "--api-delete", "--api-blob-delete", "-v", "info"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


_LISTENING = re.compile(r"listening on 127\.0\.0\.1:(\d+)")

KINDS = {
    kind.name: kind
    for kind in (
        Kind("docker-registry", "docker-registry", "", _serve_distribution, _LISTENING),
        Kind(
            "distribution",
            "registry",
            "distribution",
            _serve_distribution,
            _LISTENING,
            {"OTEL_TRACES_EXPORTER": "none"},
        ),
        Kind("ggcr", "crane", "", _serve_ggcr, re.compile(r"serving on port (\d+)")),
        Kind("olareg", "olareg", "", _serve_olareg, re.compile(r"addr=127\.0\.0\.1:(\d+)")),
    )
}


@contextlib.contextmanager
def serve(
    kind: Kind,
    folder: Path,
    *,
    private: bool = False,
    certificate: Certificate | None = None,
    clients: Path | None = None,
    config: str = "",
) -> Iterator[Registry]:
    """Run a registry that keeps its content in `folder`; it has ended when the block has.

    The keywords are those of `Setup`.
    """
    program = kind.program()
    if program is None:
        raise FileNotFoundError(kind.missing)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            kind.arguments(program, folder, Setup(private, certificate, clients, config)),
            env={"PATH": os.defpath, "HOME": str(folder), **kind.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Registry(kind.name, f"127.0.0.1:{_wait_for_port(process, log, kind.port)}")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_port(process: subprocess.Popen[bytes], log: Path, pattern: re.Pattern[str]) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = pattern.search(log.read_text(errors="replace"))
        if found and answers(f"127.0.0.1:{found[1]}"):
            return int(found[1])
        if process.poll() is not None:
            break
        time.sleep(0.02)
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{process.args!r} did not start: {tail}")


def answers(host: str) -> bool:
    """Whether something at `host` speaks the registry API, or TLS."""
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request("GET", "/v2/")
        answer = connection.getresponse()
        return answer.status in (200, 401) or b"to an HTTPS server" in answer.read(1024)
    except OSError:
        return False
    finally:
        connection.close()
