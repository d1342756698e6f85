"""A required skill is locked by its digest, wherever it comes from."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from agentoci._internal.clock import SystemClock
from agentoci.store.layout import LayoutStore
from tests.conftest import RunAgent
from tests.interop_formats import layouts
from tests.interop_formats.layouts import SKILLS
from tests.registries import Registry

AGENTFILE = """\
FROM scratch
REQUIRE skill:{reference} AS it
LABEL org.opencontainers.image.version=0.1.0-dev
INTERFACE bot
"""


def printed(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    return folder


def test_a_skill_of_a_layout_is_locked(context: Path, run_agent: RunAgent) -> None:
    store = LayoutStore.create(context / "vendor", clock=SystemClock())
    root = layouts.cncf_bundle(store, SKILLS / "table-cleanup")
    store.tag(root, "it:1")
    (context / "Agentfile").write_text(AGENTFILE.format(reference="oci:vendor:it:1"))
    build = ("build", "--replace", "-q", "-t", "bot:1", ".")
    before = printed(run_agent(*build, cwd=context))
    printed(run_agent("lock", ".", cwd=context))
    (pin,) = json.loads((context / "agent.lock").read_text())["pins"]
    assert (pin["kind"], pin["name"], pin["digest"]) == ("skill", "it", str(root.digest))
    assert printed(run_agent(*build, "--locked", cwd=context)) == before
    store.tag(layouts.cncf_bundle(store, SKILLS / "release-notes"), "it:1")
    assert printed(run_agent(*build, "--locked", cwd=context)) == before
    printed(run_agent("lock", "--upgrade", ".", "it", cwd=context))
    assert printed(run_agent(*build, "--locked", cwd=context)) != before


@pytest.mark.integration
def test_a_skill_of_a_registry_is_locked(
    context: Path, run_agent: RunAgent, distribution: Registry, repository: str, tmp_path: Path
) -> None:
    name = distribution.reference(f"{repository}/it:1.0.0")
    store = LayoutStore.create(tmp_path / "layout", clock=SystemClock())
    for number, skill in enumerate(("table-cleanup", "release-notes")):
        store.tag(layouts.raw_files(store, SKILLS / skill), f"it:{number}")
    printed(run_agent("cp", f"oci:{store.root}:it:0", name))
    (context / "Agentfile").write_text(AGENTFILE.format(reference=name))
    printed(run_agent("lock", ".", cwd=context))
    build = ("build", "--replace", "--locked", "-q", "-t", "bot:1", ".")
    before = printed(run_agent(*build, cwd=context))
    printed(run_agent("rmi", name))
    printed(run_agent("cp", "--if-exists", "replace", f"oci:{store.root}:it:1", name))
    assert printed(run_agent(*build, "--no-cache", cwd=context)) == before
