"""The plain driver; it forks, so it runs in a program of its own here as in real life."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentoci.runtime.contract import CannotStart, Exit, ProcessSpec
from agentoci.runtime.process import find_program

PROGRAM = """
import json, os, sys, time
from agentoci.runtime.contract import CannotStart, ProcessSpec, Stdio
from agentoci.runtime.process import PlainDriver
try:
    process = PlainDriver().start(ProcessSpec(*json.loads(sys.argv[1])), Stdio(0, 1, 2))
except CannotStart as failure:
    print(json.dumps([failure.code, failure.program, failure.reason]))
    sys.exit()
while (ended := process.poll()) is None:
    time.sleep(0.005)
print(json.dumps([ended.code, ended.signal]))
"""


def drive(argv: list[str], cwd: Path, environment: dict[str, str] | None = None) -> list[str]:
    """What the process wrote and, last, how it ended as JSON."""
    given = {"PATH": "/usr/bin:/bin"} if environment is None else environment
    request = json.dumps([argv, given, str(cwd)])
    return subprocess.check_output([sys.executable, "-c", PROGRAM, request], text=True).split("\n")[
        :-1
    ]


def script(folder: Path, text: str, mode: int = 0o755) -> str:
    path = folder / "program"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_it_has_its_environment_and_folder_and_leads_its_group(tmp_path: Path) -> None:
    text = "#!/bin/sh\necho $A; pwd; cut -d' ' -f1,5,6 /proc/$$/stat; env | sort\n"
    out = drive([script(tmp_path, text)], tmp_path, {"A": "b", "PATH": "/bin:/usr/bin"})
    pid, group, session = out[2].split()
    assert out[0] == "b"
    assert out[1] == str(tmp_path)
    assert pid == group == session
    assert out[3:-1] == ["A=b", "PATH=/bin:/usr/bin", f"PWD={tmp_path}"]
    assert json.loads(out[-1]) == [0, None]


@pytest.mark.parametrize(
    ("command", "ended"), [("exit 7", [7, None]), ("kill -9 $$", [137, 9]), ("kill $$", [143, 15])]
)
def test_exit_codes_are_a_shells(tmp_path: Path, command: str, ended: list[int]) -> None:
    assert json.loads(drive(["sh", "-c", command], tmp_path)[-1]) == ended


def test_it_dies_of_a_closed_pipe_as_programs_do(tmp_path: Path) -> None:
    out = drive(["sh", "-c", "yes | head -n 1; trap"], tmp_path)
    assert out == ["y", "[0, null]"]  # `trap` would list SIGPIPE if it were ignored


@pytest.mark.parametrize(
    ("text", "mode", "code", "reason"),
    [
        ("#!/bin/sh\n", 0o644, 126, "is not executable"),
        ("#!/no/such/interpreter\n", 0o755, 126, "interpreter"),
        ("just text\n", 0o755, 126, "no #! in its first line"),
    ],
)
def test_a_file_that_is_no_program_is_told_apart(
    tmp_path: Path, text: str, mode: int, code: int, reason: str
) -> None:
    path = script(tmp_path, text, mode)
    found = json.loads(drive([path], tmp_path)[-1])
    assert found[:2] == [code, path]
    assert reason in found[2]


def test_a_missing_file_and_a_nul_are_reported(tmp_path: Path) -> None:
    assert json.loads(drive(["./no"], tmp_path)[-1]) == [127, "./no", "no such file"]
    assert json.loads(drive(["/bin/echo", "a\0b"], tmp_path)[-1])[0] == 126


def spec(tmp_path: Path, name: str, path: str) -> ProcessSpec:
    return ProcessSpec([name], {"PATH": path}, str(tmp_path))


def test_programs_are_found_on_the_path_of_the_process(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    script(tmp_path / "a", "", 0o644)
    good = script(tmp_path / "b", "")
    assert find_program(spec(tmp_path, "program", f"{tmp_path}/a:{tmp_path}/b")) == good
    assert find_program(spec(tmp_path, "program", "none:b")) == good
    assert find_program(spec(tmp_path, "./program", "")) == "./program"
    with pytest.raises(CannotStart, match="program: is not executable") as caught:
        find_program(spec(tmp_path, "program", f"{tmp_path}/a"))
    assert caught.value.code == 126
    with pytest.raises(CannotStart, match="program: no such program on PATH") as caught:
        find_program(spec(tmp_path, "program", "/nowhere"))
    assert caught.value.code == 127


def test_a_missing_working_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"working directory .*/gone is missing"):
        find_program(ProcessSpec(["sh"], {}, str(tmp_path / "gone")))


def test_signals_become_codes_above_128() -> None:
    ended = Exit.from_wait(-9)
    assert (ended.code, ended.signal) == (137, 9)
    assert Exit.from_wait(3).code == 3
    assert os.waitstatus_to_exitcode(9) == -9
