"""The command line over folders that tests write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.cli.conftest import Agent, agent

__all__ = ["agent"]

Files: TypeAlias = Mapping[str, str | bytes]
Lint: TypeAlias = Callable[..., list[dict[str, Any]]]
"""`lint(files, *arguments, code=None)` writes files and lints them; findings as JSON has them."""


def write(folder: Path, files: Files) -> Path:
    """Write files below a folder."""
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is linted, which is also where the user is."""
    folder = tmp_path / "bot"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def lint(context: Path, agent: Agent) -> Lint:
    """Lint files as the command line does."""

    def call(files: Files, *arguments: str, code: int | None = None) -> list[dict[str, Any]]:
        write(context, files)
        found: list[dict[str, Any]] = agent("lint", "--format", "json", *arguments, code=code).json
        return found

    return call
