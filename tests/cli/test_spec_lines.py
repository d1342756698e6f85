"""The command lines of the specification, as it writes them, in a shell."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli import samples
from tests.conftest import RunAgent
from tests.definition.samples import FULL
from tests.registries import PASSWORD, USER, Registry

Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Run a line as a user types it; `agent` is on PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "agent"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m agentoci "$@"\n')
    program.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"

    def run(line: str, *, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, "PATH": path},
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return run


def wait_for_end(shell: Shell, name: str) -> None:
    shell(f"agent logs -f {name}")


def test_build_list_run_save_and_load(shell: Shell, coordinator: Path, tmp_path: Path):
    shell(f"agent build -t base_agent:latest {samples.EXAMPLES}/base_agent")
    built = shell("agent build -t coordinator:1.0 .", cwd=coordinator)
    assert built.stdout.startswith("sha256:")
    assert "nothing here satisfies psm_generator 1.0" in built.stderr

    listed = shell("agent images").stdout
    assert "coordinator   1.0" in listed
    assert built.stdout[7:19] in listed

    started = shell("agent run -d --name coord_001 coordinator:1.0")
    assert started.stdout == "coord_001\n"
    wait_for_end(shell, "coord_001")
    said = shell("agent logs coord_001").stdout
    assert "I am coordinator_agent 0.0.0, instance coord_001." in said
    assert "coordination_patterns.md" in said
    assert "I require psm_generator, code_generator." in said

    shell("agent save coordinator:1.0 > coordinator_image.tar")
    loaded = shell(
        f"AGENTOCI_HOME={tmp_path}/elsewhere; export AGENTOCI_HOME; "
        "agent load < coordinator_image.tar && agent images && agent run coordinator:1.0"
    )
    assert loaded.stdout.splitlines()[0] == built.stdout.strip()
    assert "I know 3 files" in loaded.stdout


def test_a_folder_with_only_a_definition_builds(shell: Shell, tmp_path: Path):
    folder = tmp_path / "definition"
    (folder / "workflow").mkdir(parents=True)
    (folder / "workflow" / "coordination_patterns.md").write_text("Try again.\n")
    (folder / "coordinator.agentdef").write_text(FULL, encoding="utf-8")
    named = shell("agent build -t coordinator:1.0 -f coordinator.agentdef .", cwd=folder)
    found = shell("agent build -t coordinator:2.0 .", cwd=folder)
    assert found.stdout == named.stdout
    assert "knowledge file 'zero_knowledge_pattern.md' is not in the folder" in found.stderr
    document = json.loads(shell("agent inspect coordinator:1.0").stdout)
    assert document["definition"]["metadata"]["name"] == "coordinator_agent"
    assert document["definition"]["spec"]["invariants"][0] == "保持工作目录整洁"
    assert document["layers"][0]["kind"] == "knowledge"


def test_checksum_and_verify_of_a_file(shell: Shell, stocked: Path, tmp_path: Path):
    shell("agent save coordinator:1.0 > coordinator.agent")
    shell("agent checksum coordinator.agent > coordinator.sha256")
    checked = shell("agent verify coordinator.agent --checksum coordinator.sha256")
    assert checked.stdout == "coordinator.agent: OK\n"
    assert shell("sha256sum -c coordinator.sha256").stdout == "coordinator.agent: OK\n"
    shell("sha256sum coordinator.agent > theirs.sha256")
    assert (tmp_path / "theirs.sha256").read_text() == (tmp_path / "coordinator.sha256").read_text()


def test_checksum_and_verify_of_an_image(shell: Shell, stocked: Path):
    shell("agent checksum coordinator:1.0 > coordinator.sha256")
    assert shell("agent verify coordinator:1.0 --checksum coordinator.sha256").stdout == (
        "coordinator:1.0: OK\n"
    )


def test_tag_as_the_specification_writes_it(shell: Shell, stocked: Path):
    digest = shell("agent checksum coordinator:1.0").stdout.split()[0]
    tagged = shell("agent tag coordinator:1.0 registry.agent.io/myteam/coordinator:latest")
    assert tagged.stdout == f"sha256:{digest}\n"
    assert "registry.agent.io/myteam/coordinator   latest" in shell("agent images").stdout


@pytest.mark.integration
def test_login_push_and_pull_of_short_names(
    run_agent: RunAgent, stocked: Path, home: Path, private_registry: Registry, repository: str
):
    config = home / "config" / "agentoci" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'default_registry = "{private_registry.host}/{repository}"\n')

    denied = run_agent("push", "coordinator:1.0")
    assert denied.returncode == 5
    assert f"hint: agent login {private_registry.host}" in denied.stderr

    login = ("login", private_registry.host, "-u", USER, "--password-stdin")
    wrong = run_agent(*login, stdin=b"wrong\n")
    assert wrong.returncode == 5
    assert "check user name and password" in wrong.stderr
    assert not (home / ".docker" / "config.json").exists()

    right = run_agent(*login, stdin=f"{PASSWORD}\n".encode())
    assert right.returncode == 0, right.stderr
    assert right.stdout == ""
    assert f"logged in to {private_registry.host} as {USER}" in right.stderr

    pushed = run_agent("push", "coordinator:1.0")
    assert pushed.returncode == 0, pushed.stderr
    digest = pushed.stdout.strip()
    assert digest == run_agent("images", "-q", "coordinator").stdout.strip()
    assert f"pushed {private_registry.host}/{repository}/coordinator:1.0" in pushed.stderr

    empty = {"AGENTOCI_HOME": str(home / "second")}
    pulled = run_agent("pull", "coordinator:1.0", env=empty)
    assert pulled.returncode == 0, pulled.stderr
    assert pulled.stdout.strip() == digest
    ran = run_agent("run", "--rm", "coordinator:1.0", env=empty)
    assert "I am coordinator_agent" in ran.stdout

    unknown = run_agent("pull", "coordinator:latest", env=empty)
    assert unknown.returncode == 6
    assert "coordinator:latest" in unknown.stderr

    out = run_agent("logout", private_registry.host)
    assert out.returncode == 0
    assert run_agent("pull", "coordinator:1.0", env=empty).returncode == 5
