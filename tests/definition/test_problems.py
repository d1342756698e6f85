"""Problems of values that stand elsewhere than in a definition."""

from __future__ import annotations

from agentoci.definition.problems import problem_with
from agentoci.definition.tools import McpServer


def test_a_misspelt_key_is_compared_with_the_keys_of_its_own_type() -> None:
    problem = problem_with(("tools", 0), {"command": ["x"], "envs": {}}, McpServer)
    assert problem is not None
    assert str(problem) == "tools[0]: unknown key 'envs'"
    assert problem.hint == "did you mean 'env'?"
