"""Locks between processes."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest

from agentoci._internal.locks import Locked, lock


def is_free(path: Path, *, shared: bool = False) -> bool:
    """Whether somebody else could take the lock."""
    with contextlib.suppress(Locked), lock(path, shared=shared, wait=False):
        return True
    return False


def test_one_holds_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock(path):
        assert not is_free(path)
        assert not is_free(path, shared=True)
    assert is_free(path)
    assert path.exists()


def test_many_share_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock(path, shared=True), lock(path, shared=True):
        assert is_free(path, shared=True)
        assert not is_free(path)
    assert is_free(path)


def test_an_error_frees_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    def fail() -> None:
        with lock(path):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert is_free(path)


def test_who_does_not_wait_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with (
        lock(path),
        pytest.raises(Locked, match="lock: locked by another process") as caught,
        lock(path, wait=False),
    ):
        pytest.fail("two hold it")
    assert caught.value.exit_code == 7


def test_who_waits_gets_it_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    order: list[str] = []

    def wait() -> None:
        with lock(path):
            order.append("second")

    with lock(path):
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(0.05)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_link_is_no_lock_file(tmp_path: Path) -> None:
    """In a folder of several users it would make a file wherever somebody wants one."""
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"), lock(tmp_path / "lock"):
        pass
    assert not (tmp_path / "victim").exists()
