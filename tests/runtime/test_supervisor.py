"""Detached instances with real processes and real supervisors."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
from pathlib import Path

import pytest

from agentoci._internal import liveness
from agentoci.errors import Conflict, Invalid, NotFound
from agentoci.instances import record
from agentoci.instances.directory import Instances
from agentoci.instances.document import read_instance
from agentoci.instances.instance import Instance, InstanceNotFound
from agentoci.instances.state import State, WrongState
from agentoci.runtime import verbs
from agentoci.runtime.supervision import ProgramNotFound, ProgramUnusable
from tests.runtime.conftest import CLOCK, HOST, MakeInstance, said, start, until, wait

READY = "echo ready; "
FOREVER = "while :; do sleep 0.05; done"


def events(instance: Instance) -> list[dict[str, object]]:
    text = (instance.history / "events.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def run_state(instance: Instance) -> dict[str, object]:
    return dict(record.read_run(str(instance.path)))


def supervisor_of(instance: Instance) -> int:
    found = run_state(instance)["supervisor"]
    assert isinstance(found, int)
    return found


def ready(instance: Instance) -> None:
    until(lambda: "ready" in said(instance))


def lives(pid: int) -> bool:
    return liveness.identity(pid) is not None


def pid_in(path: Path) -> int:
    until(lambda: path.exists() and path.read_text().strip().isdigit())
    return int(path.read_text())


def children() -> set[str]:
    """Our own child processes, those that wait to be reaped included."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_output_exit_code_and_history_are_kept(
    instances: Instances, instance_of: MakeInstance
) -> None:
    instance = instance_of(sh="echo out $1; echo err >&2; exit 3", arguments=["arg"])
    assert start(instance) > 0
    assert wait(instance) == 3
    assert said(instance) == ["out arg"]
    assert said(instance, "stderr") == ["err"]
    view = instances.view(instance)
    assert (view.state, view.exit_code, view.pid) == (State.STOPPED, 3, None)
    assert [event["event"] for event in events(instance)] == ["created", "started", "stopped"]
    assert events(instance)[-1]["exit_code"] == 3


def test_the_document_stays_valid_and_says_the_state(
    instances: Instances, instance_of: MakeInstance
) -> None:
    instance = instance_of(sh=READY + FOREVER)
    pid = start(instance)
    document = read_instance((instance.path / "instance.json").read_bytes(), what="running")
    assert document.status.state is State.RUNNING
    view = instances.view(instance)
    assert (view.state, view.pid, view.exit_code) == (State.RUNNING, pid, None)
    assert view.uptime is not None
    verbs.stop(instance, clock=CLOCK)
    document = read_instance((instance.path / "instance.json").read_bytes(), what="stopped")
    assert document.status.state is State.STOPPED


def test_the_process_sees_its_places_and_no_secret_of_the_host(instance_of: MakeInstance) -> None:
    instance = instance_of(
        sh="env; touch $AGENT_MEMORY/m $AGENT_WORKSPACE/w; pwd", env=["A=1"], extra=["B=2"]
    )
    start(instance)
    assert wait(instance) == 0
    lines = said(instance)
    assert {"A=1", "B=2", f"AGENT_INSTANCE={instance.name}"} <= set(lines)
    assert not any("SECRET" in line for line in lines)
    assert lines[-1] == str(instance.image / "agent")
    assert (instance.memory / "m").exists()
    assert (instance.workspace / "w").exists()


def test_nothing_of_the_environment_shows_in_a_command_line(instance_of: MakeInstance) -> None:
    instance = instance_of(sh=READY + FOREVER, extra=["TOKEN=s3cret"])
    start(instance)
    command = Path(f"/proc/{supervisor_of(instance)}/cmdline").read_bytes()
    assert b"s3cret" not in command
    assert b"s3cret" not in Path(f"/proc/{supervisor_of(instance)}/environ").read_bytes()


@pytest.mark.parametrize(
    ("entrypoint", "error", "family", "code"),
    [
        (["no-such-program"], ProgramNotFound, NotFound, 127),
        (["/agent/missing"], ProgramNotFound, NotFound, 127),
        (["/agent"], ProgramUnusable, Invalid, 126),
    ],
)
def test_a_program_that_cannot_start_is_reported_at_once_and_recorded(
    instances: Instances,
    instance_of: MakeInstance,
    entrypoint: list[str],
    error: type[Exception],
    family: type[Exception],
    code: int,
) -> None:
    instance = instance_of(entrypoint=entrypoint)
    with pytest.raises(error) as caught:
        start(instance)
    assert isinstance(caught.value, family)
    assert f"{instance.name}: cannot start " in str(caught.value)
    assert getattr(caught.value, "hint", None)
    until(lambda: not instance.is_supervised())
    view = instances.view(instance)
    assert (view.state, view.exit_code) == (State.STOPPED, code)
    assert events(instance)[-1]["exit_code"] == code


@pytest.mark.parametrize("text", [b"\xff\xfe", b"no newline at the end", b"\0"])
def test_odd_output_is_kept_as_text(instance_of: MakeInstance, text: bytes) -> None:
    instance = instance_of(python=f"import os; os.write(1, {text!r})")
    start(instance)
    assert wait(instance) == 0
    assert said(instance) == [text.decode("utf-8", "replace")]


@pytest.mark.slow
def test_much_output_is_kept_in_bounded_files(instance_of: MakeInstance) -> None:
    instance = instance_of(
        python="import sys\nfor n in range(250_000): sys.stdout.write(f'{n} {\"x\" * 100}\\n')"
    )
    start(instance)
    assert wait(instance) == 0
    sizes = [path.stat().st_size for path in instance.logs.iterdir()]
    assert len(sizes) == 3
    assert sum(sizes) <= 3 * 10 * 1024 * 1024
    assert said(instance)[-1].startswith("249999 ")


def test_stop_is_polite_first(instance_of: MakeInstance) -> None:
    instance = instance_of(sh=f"trap 'echo bye; exit 5' TERM; {READY}{FOREVER}")
    start(instance)
    ready(instance)
    assert verbs.stop(instance, clock=CLOCK) == 5
    assert said(instance)[-1] == "bye"
    assert verbs.stop(instance, clock=CLOCK) == 5  # again changes nothing


def test_stop_kills_what_ignores_it_after_the_grace(instance_of: MakeInstance) -> None:
    instance = instance_of(sh=f"trap '' TERM; {READY}{FOREVER}")
    start(instance)
    ready(instance)
    begun = CLOCK.monotonic()
    assert verbs.stop(instance, clock=CLOCK, grace_seconds=0.4) == 137
    assert 0.4 <= CLOCK.monotonic() - begun < 4
    assert run_state(instance)["signal"] == "SIGKILL"


def test_grandchildren_go_with_the_group(instance_of: MakeInstance) -> None:
    instance = instance_of(
        sh=f"(trap '' TERM; (trap '' TERM; echo $$ >/dev/null; sh -c 'echo $PPID > $AGENT_RUN/g; "
        f"trap \"\" TERM; {FOREVER}') & {FOREVER}) & trap '' TERM; {READY}{FOREVER}"
    )
    start(instance)
    ready(instance)
    grandchild = pid_in(instance.run / "g")
    assert lives(grandchild)
    assert verbs.stop(instance, clock=CLOCK, grace_seconds=0.2) == 137
    until(lambda: not lives(grandchild))


def test_children_left_behind_end_with_the_process(instance_of: MakeInstance) -> None:
    instance = instance_of(sh="sleep 300 & echo $! > $AGENT_RUN/child; exit 0")
    start(instance)
    assert wait(instance) == 0
    child = pid_in(instance.run / "child")
    until(lambda: not lives(child))


def test_a_daemon_that_keeps_the_pipes_open_does_not_keep_the_supervisor(
    instance_of: MakeInstance,
) -> None:
    instance = instance_of(
        sh="echo said; setsid sh -c 'echo $$ > $AGENT_RUN/daemon; exec sleep 300' & "
        "while [ ! -s $AGENT_RUN/daemon ]; do sleep 0.02; done"
    )
    start(instance)
    daemon = pid_in(instance.run / "daemon")
    try:
        assert wait(instance) == 0
        assert said(instance) == ["said"]
    finally:
        os.kill(daemon, signal.SIGKILL)


def test_a_process_killed_by_others_is_recorded_as_such(instance_of: MakeInstance) -> None:
    instance = instance_of(sh=READY + FOREVER)
    os.kill(start(instance), signal.SIGKILL)
    assert wait(instance) == 137
    assert events(instance)[-1]["signal"] == "SIGKILL"


def test_when_the_supervisor_is_killed_the_process_goes_too(
    instances: Instances, instance_of: MakeInstance
) -> None:
    instance = instance_of(sh=READY + FOREVER)
    pid = start(instance)
    ready(instance)
    os.kill(supervisor_of(instance), signal.SIGKILL)
    until(lambda: not lives(pid))
    view = instances.view(instance)
    assert (view.state, view.exit_code, view.pid) == (State.STOPPED, None, None)
    assert wait(instance) is None
    assert verbs.stop(instance, clock=CLOCK) is None


def test_an_instance_whose_supervisor_was_killed_starts_again(instance_of: MakeInstance) -> None:
    instance = instance_of(
        sh="sh -c 'echo $$ > $AGENT_RUN/child; exec sleep 300' & " + READY + FOREVER
    )
    start(instance)
    ready(instance)
    child = pid_in(instance.run / "child")
    os.kill(supervisor_of(instance), signal.SIGKILL)
    until(lambda: not instance.is_supervised())
    start(instance)
    until(lambda: not lives(child))  # what was left of the first run
    names = [event["event"] for event in events(instance)]
    assert names == ["created", "started", "stopped", "started"]
    assert events(instance)[2]["reason"] == "its supervisor was killed"
    verbs.stop(instance, clock=CLOCK, grace_seconds=0)


def test_stopping_a_dead_supervisors_instance_kills_what_it_left(instance_of: MakeInstance) -> None:
    instance = instance_of(
        sh="sh -c 'echo $$ > $AGENT_RUN/child; exec sleep 300' & " + READY + FOREVER
    )
    start(instance)
    ready(instance)
    child = pid_in(instance.run / "child")
    os.kill(supervisor_of(instance), signal.SIGKILL)
    until(lambda: not instance.is_supervised())
    assert lives(child)
    verbs.stop(instance, clock=CLOCK)
    until(lambda: not lives(child))


@pytest.mark.slow
def test_a_supervisor_that_does_not_listen_is_ended_by_force(
    instances: Instances, instance_of: MakeInstance
) -> None:
    instance = instance_of(sh=READY + FOREVER)
    pid = start(instance)
    os.kill(supervisor_of(instance), signal.SIGSTOP)
    verbs.stop(instance, clock=CLOCK, grace_seconds=0.1)
    until(lambda: not lives(pid))
    assert instances.view(instance).state is State.STOPPED


def test_a_running_instance_is_not_started_twice(instance_of: MakeInstance) -> None:
    instance = instance_of(sh=READY + FOREVER, name="coord_001")
    pid = start(instance)
    with pytest.raises(WrongState, match="coord_001 is running: cannot start"):
        start(instance)
    assert lives(pid)


def test_of_concurrent_starts_one_wins(instance_of: MakeInstance) -> None:
    instance = instance_of(sh="echo $$ >> $AGENT_RUN/pids; " + FOREVER)

    def attempt(_: int) -> int | None:
        try:
            return start(instance)
        except Conflict:
            return None

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        winners = [pid for pid in pool.map(attempt, range(6)) if pid is not None]
    assert len(winners) == 1
    until((instance.run / "pids").exists)
    assert (instance.run / "pids").read_text().split() == [str(winners[0])]
    assert [event["event"] for event in events(instance)] == ["created", "started"]


def test_a_stopped_instance_starts_again_at_once(instance_of: MakeInstance) -> None:
    instance = instance_of(sh="echo again; exit 1")
    for _ in range(5):
        start(instance)
        assert wait(instance) == 1
    assert said(instance) == ["again"] * 5


@pytest.mark.slow
def test_twenty_instances_at_once(instances: Instances, instance_of: MakeInstance) -> None:
    made = [instance_of(sh=f"{READY} sleep 1; exit {n}") for n in range(20)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(start, made))
    assert sum(view.state is State.RUNNING for view in instances.list()) > 0
    assert [wait(instance) for instance in made] == list(range(20))
    assert all(said(instance) == ["ready"] for instance in made)
    assert {view.state for view in instances.list()} == {State.STOPPED}


def test_following_ends_when_the_instance_does(instance_of: MakeInstance) -> None:
    instance = instance_of(sh="for n in 1 2 3 4 5; do echo $n; sleep 0.05; done; printf end")
    start(instance)
    lines = list(verbs.logs(instance, clock=CLOCK, follow=True))
    assert [line.text for line in lines] == ["1", "2", "3", "4", "5", "end"]
    assert [line.text for line in verbs.logs(instance, clock=CLOCK, tail=2)] == ["5", "end"]


def test_removing_by_force_kills_first(instances: Instances, instance_of: MakeInstance) -> None:
    instance = instance_of(sh=f"trap '' TERM; {READY}{FOREVER}")
    pid = start(instance)
    with pytest.raises(WrongState, match="cannot remove"):
        verbs.remove(instances, instance, clock=CLOCK)
    verbs.remove(instances, instance, clock=CLOCK, force=True)
    assert not lives(pid)
    assert instances.list() == []
    with pytest.raises(InstanceNotFound):
        start(instance)


def test_the_supervisor_survives_whoever_started_it_and_leaves_no_zombie(
    instance_of: MakeInstance,
) -> None:
    before = children()
    instance = instance_of(sh="sleep 0.1; echo done")
    start(instance)
    assert children() == before
    assert wait(instance) == 0
    assert children() == before


def test_the_supervisor_stays_small(instance_of: MakeInstance) -> None:
    instance = instance_of(sh=READY + FOREVER)
    start(instance)
    status = Path(f"/proc/{supervisor_of(instance)}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    assert int(resident.split()[1]) < 14 * 1024  # 9.5 MiB when this was written
    assert HOST["SECRET_TOKEN"] not in status
