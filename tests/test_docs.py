"""What README and docs show can be typed: files are read, commands have their options."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from agentoci.agentfile import parse
from agentoci.cli.main import COMMANDS
from agentoci.definition.read import read_definition

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HEAD: Final = "apiVersion: agent/v1\nkind: AgentDefinition\n"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every line that calls `agent`, in a block or indented."""
    text = page.read_text()
    shown = [*re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)]
    shown += re.findall(r"^    (agent .*)$", text, re.MULTILINE)
    for line in "\n".join(shown).replace("\\\n", " ").splitlines():
        called = re.match(r"(?:\$ )?(agent [a-z-]+\b.*)", line)
        if called is not None:
            for part in re.split(r"&&|\||>", called[1].partition(" # ")[0]):
                words = shlex.split(part, comments=True, posix=True)
                if words[:1] == ["agent"]:
                    yield words[1:]


def options_of(words: list[str]) -> set[str]:
    module = importlib.import_module(f"agentoci.cli.{COMMANDS[words[0]][0]}")
    command = getattr(module, f"{words[0]}_command")
    while isinstance(command, click.Group):
        words = words[1:]
        command = command.commands[words[0]]
    return {"--help", *(o for p in command.params for o in (*p.opts, *p.secondary_opts))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_have_the_options_that_are_shown(page: Path) -> None:
    shown = list(commands(page))
    assert len(shown) >= 4
    for words in shown:
        assert words[0] in COMMANDS, words
        given = {word.partition("=")[0] for word in words[1:] if word.startswith("--") and word[2:]}
        assert given <= options_of(words), words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_agentfiles_are_read(page: Path) -> None:
    for text in blocks(page, "dockerfile"):
        whole = text if "\nFROM " in text else f"FROM scratch\n{text}"
        assert parse(whole).final.instructions


def test_definitions_are_read() -> None:
    shown = blocks(ROOT / "docs" / "definitions.md", "yaml")
    child, _, tools = shown
    made = read_definition((HEAD + child).encode(), file="shown")
    assert [str(tool.name) for tool in made.spec.extensions.tools.add] == ["performance_monitor"]
    spec = "  requires:\n" + "".join(f"    {line}\n" for line in tools.splitlines())
    whole = f"{HEAD}metadata: {{name: a, version: 1.0.0}}\nspec:\n{spec}"
    assert len(read_definition(whole.encode(), file="shown").spec.requires.tools) == 5
