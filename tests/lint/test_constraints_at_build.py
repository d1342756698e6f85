"""A build fails by a constraint that cannot be read or is false already, and pays for none else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agentoci.definition.read import InvalidDefinition
from tests.builder.workshop import Workshop
from tests.definition.samples import minimal_with


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def constrained(expression: str, *, recursion: int = 5) -> str:
    return minimal_with(
        "  behavior:",
        "    execution:",
        f"      max_recursion: {recursion}",
        "  constraints:",
        "    - id: deep",
        f"      validation: {expression}",
    )


AGENTFILE = "FROM scratch\nDEFINITION bot.agentdef\n"


def test_an_expression_that_cannot_be_read_fails_with_a_caret(workshop: Workshop):
    workshop.write("bot.agentdef", constrained("max_recursion and true"))
    (fault,) = workshop.faults(AGENTFILE).faults
    assert fault.file == str(workshop.context / "bot.agentdef")
    assert (fault.line, fault.column, fault.width) == (13, 33, 3)
    assert fault.hint == "CEL writes && for and"


def test_what_holds_is_built(workshop: Workshop):
    workshop.write("bot.agentdef", constrained("max_recursion <= 5 && max_iterations < 9"))
    built = workshop.build_text(AGENTFILE)
    assert workshop.image(built).definition["spec"]


@pytest.mark.parametrize(("recursion", "line"), [(9, ""), (5, "SET execution.max_recursion=9\n")])
def test_what_is_false_already_fails(workshop: Workshop, recursion: int, line: str):
    workshop.write("bot.agentdef", constrained("max_recursion < 9", recursion=recursion))
    with pytest.raises(InvalidDefinition, match="is never true: max_recursion is 9"):
        workshop.build_text(AGENTFILE + line)


def test_a_set_may_make_true_what_is_false(workshop: Workshop):
    workshop.write("bot.agentdef", constrained("max_recursion < 9", recursion=9))
    workshop.build_text(f"{AGENTFILE}SET execution.max_recursion=8\n", "bot:8")
    assert any(name.endswith("bot:8") for name in workshop.names())


def test_constraints_of_the_base_hold_for_what_is_built_on_it(workshop: Workshop):
    workshop.write("bot.agentdef", constrained("max_recursion < 9"))
    workshop.build_text(AGENTFILE, "base:1")
    with pytest.raises(InvalidDefinition, match="max_recursion is 9"):
        workshop.build_text("FROM base:1\nSET execution.max_recursion=9\n", "other:1")


def test_without_constraints_nothing_of_cel_is_imported(workshop: Workshop):
    workshop.write("bot.agentdef", minimal_with())
    workshop.agentfile(AGENTFILE)
    program = (
        "import sys; from agentoci.cli.main import _run\n"
        "assert _run(['build', '-q', '-t', 'x:1', sys.argv[1]]) == 0\n"
        "assert 'celpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, workshop.context], check=True)
