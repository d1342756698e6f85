"""Saying a thing once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from agentoci._internal.once import Once


def test_each_text_is_said_once_by_any_number_of_threads() -> None:
    said: list[str] = []
    once = Once(said.append)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(once, ["a", "b"] * 200))
    assert sorted(said) == ["a", "b"]
