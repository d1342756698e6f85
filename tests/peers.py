"""Other tools for the same artifacts, and the command lines that README gives for each.

The interoperability tests run them, and the benchmark runs the same lines against the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.registries import find_tool

Command = Sequence[str | Path]


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a layout; some tools want its name, others its digest."""

    layout: Path
    name: str
    digest: str


class Peer(Protocol):
    """A tool that copies images between layouts and registries (plain HTTP, on loopback)."""

    def push(self, image: Image, reference: str) -> Command:
        """Copy an image of a layout to a registry."""
        ...

    def copy(self, source: str, target: str) -> Command:
        """Copy from one repository to another."""
        ...

    def pull(self, reference: str, folder: Path, name: str) -> Command:
        """Copy from a registry into a new layout, where it is called `name` if the tool can."""
        ...

    def manifest(self, reference: str) -> Command:
        """Print the manifest's bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Oras:
    """ORAS."""

    program: Path

    def push(self, image: Image, reference: str) -> Command:
        """Layout to registry."""
        source = ("--from-oci-layout-path", image.layout, image.name)
        return [*self._cp, *source, "--to-plain-http", reference]

    def copy(self, source: str, target: str) -> Command:
        """Registry to registry."""
        return [*self._cp, "--from-plain-http", source, "--to-plain-http", target]

    def pull(self, reference: str, folder: Path, name: str) -> Command:
        """Registry to layout."""
        return [*self._cp, "--from-plain-http", reference, "--to-oci-layout-path", folder, name]

    def manifest(self, reference: str) -> Command:
        """The manifest."""
        return [self.program, "manifest", "fetch", "--plain-http", reference]

    def push_files(self, reference: str, *paths: str) -> Command:
        """What ORAS users do: push the files of a folder; those in folders become tar+gzip."""
        return [self.program, "push", "--no-tty", "--plain-http", reference, *paths]

    def pull_files(self, reference: str, folder: Path) -> Command:
        """Pull an artifact as files, and unpack what ORAS packed."""
        return [self.program, "pull", "--no-tty", "--plain-http", "--output", folder, reference]

    @property
    def _cp(self) -> Command:
        return [self.program, "cp", "--no-tty"]


@dataclass(frozen=True, slots=True)
class Crane:
    """crane, of go-containerregistry; it takes http for granted on loopback."""

    program: Path

    def push(self, image: Image, reference: str) -> Command:
        """Layout to registry; the layout may hold no other image."""
        return [self.program, "push", image.layout, reference]

    def push_all(self, layout: Path, reference: str) -> Command:
        """Every image of a layout to one repository, under an index; each keeps its digest."""
        return [self.program, "push", "--index", layout, reference]

    def tag(self, reference: str, tag: str) -> Command:
        """Give what is in a registry another tag."""
        return [self.program, "tag", reference, tag]

    def copy(self, source: str, target: str) -> Command:
        """Registry to registry."""
        return [self.program, "copy", source, target]

    def pull(self, reference: str, folder: Path, name: str) -> Command:
        """Registry to layout; crane gives no name there."""
        del name
        return [self.program, "pull", "--format", "oci", reference, folder]

    def manifest(self, reference: str) -> Command:
        """The manifest."""
        return [self.program, "manifest", reference]

    def validate(self, reference: str, *options: str) -> Command:
        """Check what is in a registry."""
        return [self.program, "validate", *options, "--remote", reference]


@dataclass(frozen=True, slots=True)
class Skopeo:
    """skopeo, of containers."""

    program: Path

    def push(self, image: Image, reference: str) -> Command:
        """Layout to registry."""
        source = f"oci:{image.layout}:{image.name}"
        return [*self._copy, "--dest-tls-verify=false", source, f"docker://{reference}"]

    def copy(self, source: str, target: str) -> Command:
        """Registry to registry."""
        plain = ["--src-tls-verify=false", "--dest-tls-verify=false"]
        return [*self._copy, *plain, f"docker://{source}", f"docker://{target}"]

    def pull(self, reference: str, folder: Path, name: str) -> Command:
        """Registry to layout."""
        source, target = f"docker://{reference}", f"oci:{folder}:{name}"
        return [*self._copy, "--src-tls-verify=false", source, target]

    def manifest(self, reference: str) -> Command:
        """The manifest."""
        return self.inspect(reference, "--raw")

    def inspect(self, reference: str, *options: str) -> Command:
        """What skopeo can tell of an image; of other artifacts it tells with --raw only."""
        plain = "--tls-verify=false"
        return [self.program, "inspect", *options, plain, f"docker://{reference}"]

    @property
    def _copy(self) -> Command:
        # --all: every platform of an index; --preserve-digests: fail rather than re-encode.
        return [self.program, "--insecure-policy", "copy", "--all", "--preserve-digests"]


@dataclass(frozen=True, slots=True)
class Regctl:
    """regctl, of regclient."""

    program: Path

    def push(self, image: Image, reference: str) -> Command:
        """Layout to registry, by digest: an ocidir reference has room for a tag only."""
        return [*self._copy(reference), f"ocidir://{image.layout}@{image.digest}", reference]

    def copy(self, source: str, target: str) -> Command:
        """Registry to registry."""
        return [*self._copy(source), source, target]

    def pull(self, reference: str, folder: Path, name: str) -> Command:
        """Registry to layout, where only the tag of the name is kept."""
        tag = name.rpartition(":")[2]
        return [*self._copy(reference), reference, f"ocidir://{folder}:{tag}"]

    def manifest(self, reference: str) -> Command:
        """The manifest."""
        plain = self._plain(reference)
        return [self.program, "manifest", "get", "--format", "raw-body", *plain, reference]

    def _copy(self, reference: str) -> Command:
        return [self.program, "image", "copy", *self._plain(reference)]

    def _plain(self, reference: str) -> Command:
        return ["--host", f"reg={reference.partition('/')[0]},tls=disabled"]


PEERS: dict[str, Callable[[Path], Peer]] = {
    "oras": Oras,
    "crane": Crane,
    "skopeo": Skopeo,
    "regctl": Regctl,
}


def find_peers() -> dict[str, Peer]:
    """The peers on this machine."""
    programs = {name: find_tool(name) for name in PEERS}
    return {name: PEERS[name](path) for name, path in programs.items() if path is not None}
