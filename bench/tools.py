"""The programs that are compared, and how each is told to do the same work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.measure import Command
from tests.registries import find_tool

IMAGE = "bench:1"


@dataclass(frozen=True, slots=True)
class Image:
    """The one image of a layout; some tools want its name, others its digest."""

    layout: Path
    digest: str


class Peer(Protocol):
    """A tool that copies between an image layout and a registry."""

    def push(self, image: Image, host: str, repository: str) -> Command:
        """Copy the layout's one image to a repository."""
        ...

    def again(self, host: str, source: str, target: str) -> Command:
        """Copy it on into another repository of the same registry."""
        ...

    def pull(self, host: str, repository: str, folder: Path) -> Command:
        """Copy it from a repository into a new layout."""
        ...


@dataclass(frozen=True, slots=True)
class Oras:
    """ORAS."""

    program: Path

    def push(self, image: Image, host: str, repository: str) -> Command:
        """Layout to registry."""
        source = f"{image.layout}@{image.digest}"
        target = f"{host}/{repository}:1"
        return [self.program, "cp", "--no-tty", "--from-oci-layout", source, *_TO_PLAIN, target]

    def again(self, host: str, source: str, target: str) -> Command:
        """Registry to the same registry."""
        old, new = f"{host}/{source}:1", f"{host}/{target}:1"
        return [self.program, "cp", "--no-tty", "--from-plain-http", old, *_TO_PLAIN, new]

    def pull(self, host: str, repository: str, folder: Path) -> Command:
        """Registry to layout."""
        source = f"{host}/{repository}:1"
        target = f"{folder}:1"
        return [
            *(self.program, "cp", "--no-tty", "--from-plain-http", source),
            *("--to-oci-layout", target),
        ]

    def push_folders(self, host: str, repository: str) -> Command:
        """What ORAS users do: push the files (run in the context); folders become tar+gzip."""
        reference = f"{host}/{repository}:1"
        return [
            self.program,
            "push",
            "--no-tty",
            "--plain-http",
            reference,
            "model.bin",
            "knowledge",
        ]

    def pull_folders(self, host: str, repository: str, folder: Path) -> Command:
        """Pull such an artifact and unpack its folders."""
        reference = f"{host}/{repository}:1"
        return [self.program, "pull", "--no-tty", "--plain-http", "-o", folder, reference]


_TO_PLAIN = ("--to-plain-http",)


@dataclass(frozen=True, slots=True)
class Crane:
    """crane, of go-containerregistry."""

    program: Path

    def push(self, image: Image, host: str, repository: str) -> Command:
        """Layout to registry."""
        return [self.program, "push", image.layout, f"{host}/{repository}:1"]

    def again(self, host: str, source: str, target: str) -> Command:
        """Registry to the same registry."""
        return [self.program, "copy", f"{host}/{source}:1", f"{host}/{target}:1"]

    def pull(self, host: str, repository: str, folder: Path) -> Command:
        """Registry to layout."""
        return [self.program, "pull", "--format", "oci", f"{host}/{repository}:1", folder]


@dataclass(frozen=True, slots=True)
class Skopeo:
    """skopeo, of containers."""

    program: Path

    def push(self, image: Image, host: str, repository: str) -> Command:
        """Layout to registry."""
        target = f"docker://{host}/{repository}:1"
        return [*self._copy, "--dest-tls-verify=false", f"oci:{image.layout}:{IMAGE}", target]

    def again(self, host: str, source: str, target: str) -> Command:
        """Registry to the same registry."""
        old, new = f"docker://{host}/{source}:1", f"docker://{host}/{target}:1"
        return [*self._copy, "--src-tls-verify=false", "--dest-tls-verify=false", old, new]

    def pull(self, host: str, repository: str, folder: Path) -> Command:
        """Registry to layout."""
        source = f"docker://{host}/{repository}:1"
        return [*self._copy, "--src-tls-verify=false", source, f"oci:{folder}:1"]

    @property
    def _copy(self) -> Command:
        return [self.program, "copy", "--quiet", "--preserve-digests", "--insecure-policy"]


@dataclass(frozen=True, slots=True)
class Regctl:
    """regctl, of regclient."""

    program: Path

    def push(self, image: Image, host: str, repository: str) -> Command:
        """Layout to registry."""
        return [
            *self._copy(host),
            f"ocidir://{image.layout}@{image.digest}",
            f"{host}/{repository}:1",
        ]

    def again(self, host: str, source: str, target: str) -> Command:
        """Registry to the same registry."""
        return [*self._copy(host), f"{host}/{source}:1", f"{host}/{target}:1"]

    def pull(self, host: str, repository: str, folder: Path) -> Command:
        """Registry to layout."""
        return [*self._copy(host), f"{host}/{repository}:1", f"ocidir://{folder}:1"]

    def _copy(self, host: str) -> Command:
        return [self.program, "image", "copy", "--host", f"reg={host},tls=disabled"]


_PEERS: dict[str, Callable[[Path], Peer]] = {
    "oras": Oras,
    "crane": Crane,
    "skopeo": Skopeo,
    "regctl": Regctl,
}
_VERSION = {
    "oras": ["version"],
    "crane": ["version"],
    "skopeo": ["--version"],
    "regctl": ["version", "--format", "{{.VCSTag}}"],
}


def find_peers() -> dict[str, Peer]:
    """The peers on this machine; those that are not are left out of the tables."""
    found: dict[str, Peer] = {}
    for name, peer in _PEERS.items():
        program = find_tool(name)
        if program is not None:
            found[name] = peer(program)
    return found


def agent() -> Path:
    """Our own command line, of the environment that runs the benchmark."""
    return Path(sys.executable).with_name("agent")


def versions() -> Mapping[str, str]:
    """What each program says it is."""
    found = {"python": sys.version.split()[0]}
    for name, arguments in _VERSION.items():
        program = find_tool(name)
        if program is not None:
            text = subprocess.run(
                [program, *arguments], capture_output=True, text=True, check=False
            ).stdout
            found[name] = text.strip().splitlines()[0] if text.strip() else "unknown"
    return found
