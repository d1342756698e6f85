"""What keeps the code readable and the promises of README and errors the same."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import agentoci
from agentoci import errors

PACKAGE = Path(agentoci.__file__).parent
README = PACKAGE.parent / "README.md"
MODULES = sorted(PACKAGE.rglob("*.py"))

PUBLIC = [
    "AgentociError",
    "BuildOptions",
    "Digest",
    "Engine",
    "Reference",
    "RunOptions",
    "Settings",
    "__version__",
    "read_settings",
]
"""Removing one of these is a decision, and so is adding one."""

LINES = 500
TALL: dict[str, str] = {}
"""Path in the package → the reason why it may be taller."""

WORDS_OF_CODES = {
    1: "failed",
    2: "wrong usage",
    3: "difference",
    4: "unreachable",
    5: "denied",
    6: "not found",
    7: "conflict",
    8: "integrity",
}


def test_the_public_surface_is_pinned():
    assert agentoci.__all__ == PUBLIC
    for name in PUBLIC:
        assert getattr(agentoci, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Docker'"):
        agentoci.__getattr__("Docker")


def test_the_engine_has_the_verbs_that_readme_names():
    [sentence] = re.findall(
        r"The verbs are those of the command line: (.*)\.\n", README.read_text()
    )
    named = re.findall(r"`(?:engine\.)?(\w+)`", sentence)
    assert len(named) == 8
    for name in named:
        assert inspect.getdoc(getattr(agentoci.Engine, name))


def test_no_file_outgrows_its_reader():
    tall = {
        str(path.relative_to(PACKAGE)): lines
        for path in MODULES
        if (lines := len(path.read_text().splitlines())) > LINES
    }
    assert not {path: lines for path, lines in tall.items() if path not in TALL}
    assert not {path for path in TALL if path not in tall}, "no longer taller: drop the reason"


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def test_every_module_says_what_it_is_for():
    assert not [path for path in MODULES if not docstring(path)]


def test_every_package_says_what_it_may_import():
    packages = [path for path in MODULES if path.name == "__init__.py" and path.parent != PACKAGE]
    assert len(packages) > 10
    assert not [path for path in packages if "May import" not in docstring(path)]


def families() -> dict[int, type[errors.AgentociError]]:
    """The class of each exit code."""
    found: list[type[errors.AgentociError]] = [errors.AgentociError]
    found += errors.AgentociError.__subclasses__()
    return {each.exit_code: each for each in found if each.__module__ == errors.__name__}


def all_errors() -> list[type[errors.AgentociError]]:
    """Every error of the package; imports all of it."""
    for path in MODULES:
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        if not name.endswith(("__main__", "runtime.supervise")):
            importlib.import_module(name.removesuffix(".__init__"))
    found: list[type[errors.AgentociError]] = [errors.AgentociError]
    for each in found:
        found += [child for child in each.__subclasses__() if child not in found]
    return [each for each in found if each.__module__.startswith("agentoci.")]


def codes_in_readme() -> dict[int, str]:
    section = README.read_text().partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", section, re.MULTILINE)
    return {int(code): text for code, text in rows}


def test_readme_has_the_exit_codes_of_the_errors():
    told = codes_in_readme()
    assert set(told) == {0, *families(), 130}
    for code, word in WORDS_OF_CODES.items():
        assert word in told[code]


def test_help_has_the_exit_codes_of_the_errors():
    from agentoci.cli.main import agent

    text = " ".join((agent.help or "").split())
    [codes] = re.findall(r"Exit codes: (.*)\.", text)
    told = {int(part.split()[0]): part for part in codes.split(", ")}
    assert set(told) == {0, *families(), 130}
    for code, word in WORDS_OF_CODES.items():
        assert word in told[code]


def test_every_error_belongs_to_a_family():
    known = families()
    for each in all_errors():
        assert each.exit_code in known, each
        assert issubclass(each, known[each.exit_code]), each
        assert each.__doc__, each


def test_errors_have_one_name_each():
    names = [each.__name__ for each in all_errors()]
    assert sorted(names) == sorted(set(names))
