"""Our own program, and which versions of the others are compared."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.peers import PEERS
from tests.registries import KINDS, find_tool


def agent() -> Path:
    """Our own command line, of the environment that runs the benchmark."""
    return Path(sys.executable).with_name("agent")


_ASK = {
    "oras": ["version"],
    "crane": ["version"],
    "skopeo": ["--version"],
    "regctl": ["version", "--format", "{{.VCSTag}}"],
}


def versions() -> Mapping[str, str]:
    """What each program says it is."""
    found = {"python": sys.version.split()[0]}
    programs = {name: find_tool(name) for name in PEERS}
    programs["distribution"] = KINDS["distribution"].program()
    for name, program in programs.items():
        if program is not None:
            found[name] = _version([str(program), *_ASK.get(name, ["--version"])])
    return found


def _version(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+[\w.+-]*", done.stdout)
    return found[0] if found else "unknown"
