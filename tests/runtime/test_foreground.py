"""Attached runs: a program of its own plays the command line."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys

import pytest

from agentoci._internal import liveness
from agentoci.instances.directory import Instances
from agentoci.instances.instance import Instance
from agentoci.instances.state import State
from tests.runtime.conftest import HOST, MakeInstance, said, until, wait

COMMAND = """
import json, sys
from pathlib import Path
from agentoci._internal.clock import SystemClock
from agentoci.errors import AgentociError
from agentoci.instances.instance import Instance
from agentoci.runtime import verbs
path, host, terminal = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3] == "terminal"
try:
    sys.exit(
        verbs.run(Instance(path.name, path), host=host, clock=SystemClock(), terminal=terminal)
    )
except AgentociError as exc:
    print(exc, file=sys.stderr)
    sys.exit(100 + exc.exit_code)
"""


def command(instance: Instance, terminal: str = "") -> list[str]:
    return [sys.executable, "-c", COMMAND, str(instance.path), json.dumps(HOST), terminal]


def attached(instance: Instance, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(instance), input=stdin, capture_output=True, check=False)


def begin(instance: Instance, terminal: str = "") -> subprocess.Popen[bytes]:
    """The command, running, with pipes."""
    running = subprocess.Popen(
        command(instance, terminal), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stdout.readline() == b"ready\n"
    return running


def test_input_output_and_exit_code_are_the_commands(instance_of: MakeInstance) -> None:
    instance = instance_of(sh="read line; echo got $line; echo err >&2; exit 4")
    done = attached(instance, b"some input\n")
    assert (done.returncode, done.stdout, done.stderr) == (4, b"got some input\n", b"err\n")
    assert said(instance) == ["got some input"]
    assert said(instance, "stderr") == ["err"]
    assert wait(instance) == 4


def test_bytes_pass_unchanged_and_the_log_has_text(instance_of: MakeInstance) -> None:
    instance = instance_of(python="import os\nos.write(1, bytes(range(256)) * 1000)")
    assert attached(instance).stdout == bytes(range(256)) * 1000


def test_a_signal_that_ended_it_shows_as_in_a_shell(instance_of: MakeInstance) -> None:
    assert attached(instance_of(sh="kill -9 $$")).returncode == 137


def test_a_program_that_is_missing_is_named(instance_of: MakeInstance) -> None:
    done = attached(instance_of(entrypoint=["no-such-program"]))
    assert done.returncode == 106
    assert b"cannot start no-such-program: no such program on PATH" in done.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 9), (signal.SIGTERM, 8), (signal.SIGHUP, 7)]
)
def test_signals_reach_the_process_once(
    instance_of: MakeInstance, number: signal.Signals, code: int
) -> None:
    instance = instance_of(
        python="import signal, sys, time\n"
        "for n, code in ((2, 9), (15, 8), (1, 7)):\n"
        "    signal.signal(n, lambda n, _, code=code: (print('signal', n), seen.append(code)))\n"
        "seen = []\n"
        "print('ready')\n"
        "while not seen: time.sleep(0.02)\n"
        "time.sleep(0.2)\n"
        "sys.exit(seen[0])\n"
    )
    running = begin(instance)
    running.send_signal(number)
    out, _ = running.communicate()
    assert out == b"signal %d\n" % number
    assert running.returncode == code


def test_the_instance_goes_on_when_the_command_is_killed(
    instances: Instances, instance_of: MakeInstance
) -> None:
    instance = instance_of(
        sh="echo ready; while [ ! -e $AGENT_RUN/go ]; do sleep 0.02; done; echo more; exit 6"
    )
    running = begin(instance)
    running.kill()
    running.communicate()
    assert instances.list()[0].state is State.RUNNING
    (instance.run / "go").touch()
    assert wait(instance) == 6
    assert said(instance) == ["ready", "more"]


def test_a_reader_that_has_enough_does_not_end_the_instance(instance_of: MakeInstance) -> None:
    instance = instance_of(sh="echo ready; for n in 1 2 3 4 5; do echo $n; sleep 0.02; done")
    running = begin(instance)
    assert running.stdout is not None
    running.stdout.close()
    assert running.wait() == 0
    if running.stdin:
        running.stdin.close()
    assert said(instance) == ["ready", "1", "2", "3", "4", "5"]


def test_the_writer_to_its_stdin_learns_of_its_end(instance_of: MakeInstance) -> None:
    instance = instance_of(
        sh="echo ready; exec <&-; while [ ! -e $AGENT_RUN/go ]; do sleep 0.02; done"
    )
    told, tell = os.pipe()
    running = subprocess.Popen(command(instance), stdin=told, stdout=subprocess.PIPE)
    os.close(told)
    assert running.stdout is not None
    running.stdout.readline()
    (instance.run / "go").touch()
    running.communicate()
    with pytest.raises(BrokenPipeError):
        os.write(tell, b"x")
    os.close(tell)


def test_with_a_terminal_the_process_has_it_and_there_is_no_log(
    instances: Instances, instance_of: MakeInstance
) -> None:
    instance = instance_of(
        sh="[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo terminal; read line; echo got $line; exit 2"
    )
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        command(instance, "terminal"), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, b"typed\n")
    assert running.wait() == 2
    seen = os.read(ours, 4096)
    os.close(ours)
    assert b"terminal" in seen
    assert b"got typed" in seen
    assert said(instance) == []
    assert instances.list()[0].has_log is False


def test_a_supervisor_killed_meanwhile_is_said(instance_of: MakeInstance) -> None:
    instance = instance_of(sh="echo ready; sleep 60")
    running = subprocess.Popen(
        command(instance), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    running.stdout.readline()
    state = json.loads((instance.run / "state.json").read_text())
    os.kill(state["supervisor"], signal.SIGKILL)
    _, err = running.communicate()
    assert running.returncode == 101
    assert b"its supervisor ended and left no exit code" in err
    until(lambda: liveness.identity(state["process"]) is None)
