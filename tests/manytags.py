"""Repositories with very many tags: made in a registry's folder, for pushing each takes minutes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

from agentoci.api.builds import BuildOptions
from agentoci.api.engine import Engine
from agentoci.api.pushing import PushOptions
from agentoci.spec.reference import Reference
from tests.registries import Registry

VERSIONS = [".".join(map(str, numbers)) for numbers in itertools.product(range(1, 11), repeat=3)]
"""A thousand versions, 10.10.10 the newest."""


def put_agent(
    engine: Engine,
    registry: Registry,
    folder: Path,
    name: str,
    *,
    requires: Iterable[str] = (),
) -> None:
    """Build an agent and push it as `NAME:1.1.1`; `requires` are lines such as `other@^2`."""
    context = folder / name.replace("/", "-")
    context.mkdir(parents=True)
    lines = [f"REQUIRE {text}" for text in requires]
    (context / "notes.md").write_text(f"{name}\n")
    text = ["FROM scratch", "COPY notes.md /agent/knowledge/", *lines]
    (context / "Agentfile").write_text(
        "\n".join([*text, f"INTERFACE {name.rpartition('/')[2]}", ""])
    )
    reference = registry.reference(f"{name}:{VERSIONS[0]}")
    engine.builds.build(context, BuildOptions(tags=(Reference.parse(reference),)))
    engine.transfers.push(reference, options=PushOptions())


def tag_often(data: Path, name: str, versions: Iterable[str] = VERSIONS[1:]) -> None:
    """Give the image of `NAME:1.1.1` these tags, too, in the folder of a distribution registry."""
    tags = data / "docker/registry/v2/repositories" / name / "_manifests/tags"
    link = (tags / VERSIONS[0] / "current" / "link").read_bytes()
    for version in versions:
        current = tags / version / "current"
        current.mkdir(parents=True)
        (current / "link").write_bytes(link)
