from __future__ import annotations

import concurrent.futures
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentoci._internal import liveness
from agentoci.instances import record
from agentoci.instances.directory import AmbiguousPrefix, CannotCreate, InstanceExists, Instances
from agentoci.instances.document import read_instance
from agentoci.instances.instance import BrokenInstance, Instance, InstanceNotFound
from agentoci.instances.names import InvalidName
from agentoci.instances.state import State, WrongState
from tests.instances.conftest import ENTRY, IMAGE, Create, SteppingClock, populate


def pretend_running(instance: Instance, pid: int, identity: str) -> None:
    """The files as a supervisor with this pid leaves them."""
    record.update_status(str(instance.path), {"state": "running"})
    record.write_object(
        f"{instance.path}/{record.RUN_STATE}",
        {
            "supervisor": pid,
            "supervisor_identity": identity,
            "process": pid,
            "process_identity": identity,
            "started": "2024-01-15T10:00:00Z",
        },
    )


def test_a_new_instance_has_every_place_and_a_valid_document(create: Create) -> None:
    instance = create("coord_001")
    assert sorted(path.name for path in instance.path.iterdir()) == [
        "history", "image", "instance.json", "learned", "logs", "memory", "run", "workspace",
    ]  # fmt: skip
    document = read_instance((instance.path / "instance.json").read_bytes(), what="x")
    assert document.metadata.name == "coord_001"
    assert document.metadata.checksum == IMAGE.digest
    assert document.metadata.definition_ref == "coordinator@1.0.0"
    assert document.metadata.uuid.version == 4
    assert set(document.bindings.tools) == {"psm", "debug"}
    events = (instance.history / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in events] == ["created"]


def test_what_the_user_gave_is_readable_by_the_user_only(create: Create) -> None:
    instance = create("x")
    assert instance.entry() == ENTRY
    assert instance.run.stat().st_mode & 0o777 == 0o700
    assert (instance.run / "entry.json").stat().st_mode & 0o777 == 0o600
    assert "s3cret" not in (instance.path / "instance.json").read_text()


def test_a_taken_name_is_refused_before_anything_is_unpacked(
    instances: Instances, create: Create
) -> None:
    create("coord_001")
    calls: list[Path] = []
    with pytest.raises(InstanceExists) as caught:
        instances.create("coord_001", populate=calls.append, image=IMAGE, entry=ENTRY)
    assert not calls
    assert "'coord_001' exists already (created, made from coordinator:1.0" in str(caught.value)
    assert caught.value.hint is not None
    assert "agent rm coord_001" in caught.value.hint


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "-x", "a/b", "a b", "a\n", "é", "x" * 129])
def test_a_name_outside_the_grammar_is_refused(create: Create, name: str) -> None:
    with pytest.raises(InvalidName):
        create(name)


def test_without_a_name_each_gets_one_of_its_own(instances: Instances, create: Create) -> None:
    names = {create().name for _ in range(30)}
    assert len(names) == 30
    assert all("_" in name for name in names)
    assert {view.name for view in instances.list()} == names


def test_a_failing_unpack_leaves_nothing(instances: Instances, tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        populate(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        instances.create("x", populate=fail, image=IMAGE, entry=ENTRY)
    assert list((tmp_path / "instances").iterdir()) == []


def test_remains_of_killed_creations_are_swept_and_those_at_work_are_not(
    create: Create, tmp_path: Path
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    dead = tmp_path / "instances" / f".new-{ended.pid}-00"
    alive = tmp_path / "instances" / f".new-{os.getpid()}-00"
    for folder in (dead, alive):
        populate(folder)
    create("x")
    assert not dead.exists()
    assert alive.exists()


def test_of_many_that_take_a_name_at_once_one_gets_it(instances: Instances) -> None:
    def attempt(_: int) -> bool:
        try:
            instances.create("x", populate=populate, image=IMAGE, entry=ENTRY)
        except InstanceExists:
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(16))) == 1
    assert [view.name for view in instances.list()] == ["x"]


def test_an_instance_is_found_by_name_and_by_the_beginning_of_its_uuid(
    instances: Instances, create: Create
) -> None:
    instance = create("coord_001")
    uuid = instances.view(instance).uuid
    assert instances.get("coord_001") == instance
    assert instances.get(uuid) == instance
    assert instances.get(uuid[:6].upper()) == instance


def test_a_prefix_of_several_is_refused(instances: Instances, create: Create) -> None:
    for _ in range(17):  # one hex digit cannot tell seventeen apart
        create()
    firsts = [view.uuid[0] for view in instances.list()]
    twin = max(firsts, key=firsts.count)
    with pytest.raises(AmbiguousPrefix, match="beginning of several"):
        instances.get(twin)


def test_what_is_missing_is_named_with_its_near_miss(instances: Instances, create: Create) -> None:
    with pytest.raises(InstanceNotFound) as caught:
        instances.get("coord_01")
    assert caught.value.hint == "there are no instances yet"
    create("coord_001")
    with pytest.raises(InstanceNotFound) as caught:
        instances.get("coord_01")
    assert caught.value.hint == "did you mean 'coord_001'?"
    assert caught.value.exit_code == 6


def test_a_listing_shows_the_newest_first(instances: Instances, create: Create) -> None:
    create("b")
    create("a")
    views = instances.list()
    assert [view.name for view in views] == ["a", "b"]
    assert views[0].state is State.CREATED
    assert (views[0].image, views[0].exit_code, views[0].pid) == ("coordinator:1.0", None, None)


def test_one_broken_document_does_not_hide_the_others(instances: Instances, create: Create) -> None:
    create("good")
    broken = create("broken")
    (broken.path / "instance.json").write_text('{"metadata": ')
    assert {view.name: view.state for view in instances.list()} == {
        "good": State.CREATED,
        "broken": None,
    }
    with pytest.raises(BrokenInstance, match=r"broken: instance\.json"):
        instances.view(broken)
    instances.remove(broken)
    assert [view.name for view in instances.list()] == ["good"]


def test_a_running_instance_is_not_removed(instances: Instances, create: Create) -> None:
    instance = create("x")
    mine = liveness.identity(os.getpid())
    assert mine is not None
    pretend_running(instance, os.getpid(), mine)
    view = instances.view(instance)
    assert (view.state, view.pid) == (State.RUNNING, os.getpid())
    with pytest.raises(WrongState, match="x is running: cannot remove"):
        instances.remove(instance)
    assert instance.path.exists()


@pytest.mark.parametrize("identity", ["00000000:1", "nonsense"])
def test_a_reused_pid_is_not_taken_for_the_supervisor(
    instances: Instances, create: Create, identity: str
) -> None:
    instance = create("x")
    pretend_running(instance, os.getpid(), identity)
    view = instances.view(instance)
    assert (view.state, view.exit_code, view.pid) == (State.STOPPED, None, None)
    instances.remove(instance)  # and this process was not killed as a leftover
    assert not instance.path.exists()


def test_a_zombie_counts_as_dead() -> None:
    child = subprocess.Popen(["true"])
    identity = None
    while (found := liveness.identity(child.pid)) is not None:
        identity = found
    assert identity is None or not liveness.is_alive(child.pid, identity)
    child.wait()


def test_removing_takes_read_only_content_too(instances: Instances, create: Create) -> None:
    instance = create("x")
    (instance.image / "agent").chmod(0o555)
    (instance.image / "agent" / "definition.json").chmod(0o444)
    instances.remove(instance)
    assert instances.list() == []
    with pytest.raises(InstanceNotFound):
        instances.view(instance)
    with pytest.raises(InstanceNotFound):
        instances.remove(instance)


def test_status_changes_from_many_threads_are_all_kept(create: Create) -> None:
    instance = create("x")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda n: record.update_status(str(instance.path), {f"field{n}": n}), range(24)
            )
        )
    status = json.loads((instance.path / "instance.json").read_text())["status"]
    assert [status[f"field{n}"] for n in range(24)] == list(range(24))
    assert status["state"] == "created"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotCreate, match="file/instances: cannot make an instance here: not a d"):
        Instances(tmp_path / "file" / "instances", clock=SteppingClock()).create(
            "x", populate=populate, image=IMAGE, entry=ENTRY
        )


def test_listing_imports_neither_pydantic_nor_the_network() -> None:
    program = "import sys, agentoci.instances.directory; print(*sys.modules)"
    listed = subprocess.check_output([sys.executable, "-c", program], text=True)
    loaded = set(listed.split())
    assert "agentoci.instances.directory" in loaded
    assert not loaded & {"pydantic", "requests", "yaml", "zstandard", "subprocess"}
