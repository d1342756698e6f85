"""What is remembered of registries between runs."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from agentoci.registry.facts import CHUNKED, FileMemory, HostFacts, RunMemory
from tests.registry.conftest import StepClock

HOST = "registry.example.com"


def test_facts_are_kept_between_runs(tmp_path: Path, clock: StepClock):
    FileMemory(tmp_path / "hosts", clock).learn(HOST, upload=CHUNKED, chunk=4096)
    FileMemory(tmp_path / "hosts", clock).learn(HOST, referrers=False)
    assert FileMemory(tmp_path / "hosts", clock).facts(HOST) == HostFacts(
        upload=CHUNKED, chunk=4096, referrers=False
    )
    assert FileMemory(tmp_path / "hosts", clock).facts("other.example.com") == HostFacts()


def test_old_facts_are_forgotten(tmp_path: Path, clock: StepClock):
    FileMemory(tmp_path, clock).learn(HOST, mount=True)
    [path] = tmp_path.glob("*.json")
    written = clock.now().timestamp()
    os.utime(path, (written, written))
    clock.sleep(29 * 86400)
    assert FileMemory(tmp_path, clock).facts(HOST).mount is True
    clock.sleep(2 * 86400)
    assert FileMemory(tmp_path, clock).facts(HOST).mount is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"facts": []}',
        b'{"facts": {"chunk": "many", "upload": "by post", "mount": 1}}',
        b'{"facts": {"chunk": -5, "upload": 7, "mount": "yes"}}',
    ],
)
def test_damaged_facts_are_no_facts(tmp_path: Path, clock: StepClock, content: bytes):
    FileMemory(tmp_path, clock).learn(HOST, mount=True)
    [path] = tmp_path.glob("*.json")
    path.write_bytes(content)
    assert FileMemory(tmp_path, clock).facts(HOST) == HostFacts()


def test_memory_that_cannot_be_written_lasts_for_the_run(tmp_path: Path, clock: StepClock):
    (tmp_path / "file").write_text("no folder")
    memory = FileMemory(tmp_path / "file" / "hosts", clock)
    assert memory.learn(HOST, ranges=True).ranges is True
    assert memory.facts(HOST).ranges is True


def test_lessons_of_several_threads_are_all_kept(tmp_path: Path, clock: StepClock):
    names = ["resume", "ranges", "mount", "referrers", "catalog", "delete_tags"]
    threads = [
        threading.Thread(target=lambda n=name: FileMemory(tmp_path, clock).learn(HOST, **{n: True}))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [path] = tmp_path.glob("*.json")
    kept = json.loads(path.read_bytes())["facts"]
    assert all(kept[name] for name in names)


def test_facts_of_a_run_need_no_folder():
    memory = RunMemory()
    memory.learn(HOST, mount=True)
    memory.learn(HOST, ranges=False)
    assert memory.facts(HOST) == HostFacts(mount=True, ranges=False)
