from __future__ import annotations

from pathlib import Path

import pytest

from agentoci.errors import Invalid
from agentoci.instances.instance import Instance, ProcessEntry
from agentoci.runtime.contract import ProcessSpec
from agentoci.runtime.launch import InvalidVariable, NoEntrypoint, environment, process_spec

INSTANCE = Instance("coord_001", Path("/srv/instances/coord_001"))
HOME = "/srv/instances/coord_001/image/agent"
HOST = {"PATH": "/bin", "HOME": "/root", "LANG": "C", "TZ": "UTC", "AWS_SECRET": "x", "PWD": "/"}


def spec(entry: ProcessEntry) -> ProcessSpec:
    return process_spec(INSTANCE, entry, image="coordinator:1.0", host=HOST)


def test_the_process_is_told_its_places_and_nothing_else_of_the_host() -> None:
    assert environment(INSTANCE, (), (), host=HOST) == {
        "PATH": "/bin",
        "HOME": "/root",
        "LANG": "C",
        "TZ": "UTC",
        "AGENT_HOME": HOME,
        "AGENT_MEMORY": "/srv/instances/coord_001/memory",
        "AGENT_LEARNED": "/srv/instances/coord_001/learned",
        "AGENT_HISTORY": "/srv/instances/coord_001/history",
        "AGENT_WORKSPACE": "/srv/instances/coord_001/workspace",
        "AGENT_INSTANCE": "coord_001",
        "AGENT_RUN": "/srv/instances/coord_001/run",
    }


def test_later_variables_win_and_those_of_the_contract_always() -> None:
    made = environment(
        INSTANCE, ("A=image", "B=image", "LANG=de"), ("B=user=x", "AGENT_HOME=/tmp"), host=HOST
    )
    assert (made["A"], made["B"], made["LANG"]) == ("image", "user=x", "de")
    assert made["AGENT_HOME"] == HOME


def test_without_a_host_there_is_still_a_path() -> None:
    assert "/usr/bin" in environment(INSTANCE, (), (), host={})["PATH"].split(":")


def test_paths_of_the_sandbox_in_the_images_variables_are_rewritten() -> None:
    made = environment(
        INSTANCE,
        ("PYTHONPATH=/agent/lib:/opt/lib:/agent", "URL=http://agent/x", "P=/agents"),
        ("MINE=/agent/x",),
        host=HOST,
    )
    assert made["PYTHONPATH"] == f"{HOME}/lib:/opt/lib:{HOME}"
    assert made["URL"] == "http://agent/x"
    assert made["P"] == "/agents"
    assert made["MINE"] == "/agent/x"


@pytest.mark.parametrize("variable", ["A", "=x", "", "A=b\0c"])
def test_what_is_not_a_variable_is_refused(variable: str) -> None:
    with pytest.raises(InvalidVariable):
        environment(INSTANCE, (), (variable,), host=HOST)


def test_paths_of_the_sandbox_in_an_exec_form_entrypoint_are_rewritten() -> None:
    entry = ProcessEntry(("/agent/run", "--dir=/agent", "/agent", "/agents"), ("/agent/mine",))
    assert spec(entry).argv == (f"{HOME}/run", "--dir=/agent", HOME, "/agents", "/agent/mine")


def test_a_shell_form_entrypoint_is_left_alone() -> None:
    argv = ("/bin/sh", "-c", "/agent/run --x")
    assert spec(ProcessEntry(argv)).argv == argv


@pytest.mark.parametrize(
    ("working_dir", "cwd"),
    [("/agent", HOME), ("/agent/tools", f"{HOME}/tools"), ("/", HOME), ("/srv", HOME), ("", HOME)],
)
def test_the_process_starts_at_home(working_dir: str, cwd: str) -> None:
    assert spec(ProcessEntry(("x",), working_dir=working_dir)).cwd == cwd


def test_an_image_without_entrypoint_is_refused_with_the_cure() -> None:
    with pytest.raises(NoEntrypoint) as caught:
        spec(ProcessEntry(()))
    assert isinstance(caught.value, Invalid)
    assert str(caught.value).startswith("coordinator:1.0: the image has no ENTRYPOINT")
    assert caught.value.hint is not None
    assert "ENTRYPOINT [" in caught.value.hint
