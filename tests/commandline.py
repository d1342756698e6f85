"""The command line as tests see it: a process of its own, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

# Variables that would let the tester's own accounts, proxies or settings reach a test.
FOREIGN_PREFIXES = ("AGENT_", "AGENTOCI_", "CI_", "GITHUB_", "XDG_")
FOREIGN = frozenset(
    {"ALL_PROXY", "CI", "COLUMNS", "HTTPS_PROXY", "HTTP_PROXY", "NO_COLOR", "NO_PROXY"}
    | {"DOCKER_CONFIG", "FORCE_COLOR", "REGISTRY_AUTH_FILE", "SOURCE_DATE_EPOCH", "SSL_CERT_FILE"}
)


def is_foreign(name: str) -> bool:
    """Whether a variable belongs to the tester rather than to the test."""
    return name.startswith(FOREIGN_PREFIXES) or name.upper() in FOREIGN


def home_variables(home: Path) -> dict[str, str]:
    """What makes `home` the home of every program that a test starts."""
    return {
        "HOME": str(home),
        "AGENTOCI_HOME": str(home / "agentoci"),
        "DOCKER_CONFIG": str(home / ".docker"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_RUNTIME_DIR": str(home / "runtime"),
        "XDG_STATE_HOME": str(home / "state"),
    }


def environment_of(home: Path) -> dict[str, str]:
    """A whole environment for programs at home in `home`, for fixtures that outlive a test."""
    own = {name: value for name, value in os.environ.items() if not is_foreign(name)}
    return {**own, **home_variables(home)}


def run_agent(
    *arguments: str | Path,
    env: Mapping[str, str],
    cwd: Path,
    stdin: bytes = b"",
    stdout: IO[bytes] | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run `agent ARGUMENTS` to its end; what it prints goes to `stdout` when that is given."""
    done = subprocess.run(
        [sys.executable, "-m", "agentoci", *map(str, arguments)],
        input=stdin,
        stdout=stdout or subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(env),
        cwd=cwd,
        timeout=timeout,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args,
        done.returncode,
        (done.stdout or b"").decode(errors="surrogateescape"),
        done.stderr.decode(errors="surrogateescape"),
    )
