"""The compatibility matrix."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from agentoci.errors import SourceFaults
from agentoci.release.candidates import Demand
from agentoci.release.compat import Answer, Matrix, Named, check_model
from agentoci.spec.jsonio import Json
from tests.definition.samples import SPEC_FOLDER

SPEC = """\
{
  "compatibility": {
    "coordinator_agent": {
      "1.0.0": {
        "compatible_with": ["psm_gen@1.0", "code_gen@1.0"],
        "llm_models": ["gemini-2.5-pro", "gpt-4"]
      },
      "2.0.0": {
        "compatible_with": ["psm_gen@2.0", "code_gen@2.0"],
        "llm_models": ["gemini-2.5-pro", "claude-3"]
      }
    }
  }
}
"""
"""As the specification writes it."""


def read(document: Json | str) -> Matrix:
    text = document if isinstance(document, str) else json.dumps({"compatibility": document})
    return Matrix.parse(text.encode(), file="compatibility.json")


def judge(matrix: Matrix, one: str, other: str) -> str:
    return matrix.judge(Named.parse(one), Named.parse(other)).answer.value


def test_the_sample_is_the_specification_s() -> None:
    if not SPEC_FOLDER.is_dir():
        pytest.skip("no specification beside this checkout")
    texts = "".join(path.read_text("utf-8") for path in SPEC_FOLDER.glob("*.txt"))
    blocks = re.findall(r"```json\n(.*?)```", texts, re.DOTALL)
    assert SPEC in blocks


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        ("coordinator_agent@1.0.0", "psm_gen@1.0", "compatible"),
        ("coordinator_agent@1.0.0", "psm_gen@1.0.7", "compatible"),
        ("psm_gen@1.0.7", "coordinator_agent@1.0.0", "compatible"),
        ("coordinator_agent@1.0.0", "psm_gen@1.1.0", "incompatible"),
        ("coordinator_agent@1.0.0", "psm_gen@1", "incompatible"),
        ("coordinator_agent@1.0.0", "psm_gen", "incompatible"),
        ("coordinator_agent@2.0.0", "psm_gen@2.0", "compatible"),
        ("coordinator_agent@2.0.0", "code_gen@1.0.0", "incompatible"),
        ("coordinator_agent@3.0.0", "psm_gen@2.0", "unknown"),
        ("coordinator_agent@1.0.0", "debug@1.0.0", "unknown"),
        ("debug@1.0.0", "psm_gen@1.0.0", "unknown"),
    ],
)
def test_the_specification_s_matrix(one: str, other: str, answer: str) -> None:
    assert judge(read(SPEC), one, other) == answer


@pytest.mark.parametrize(
    ("version", "model", "answer"),
    [
        ("1.0.0", "gpt-4", Answer.COMPATIBLE),
        ("1.0.0", "claude-3", Answer.INCOMPATIBLE),
        ("2.0.0", "claude-3", Answer.COMPATIBLE),
        ("3.0.0", "claude-3", Answer.UNKNOWN),
    ],
)
def test_models(version: str, model: str, answer: Answer) -> None:
    assert check_model(read(SPEC), "coordinator_agent", version, model).answer is answer


def test_reasons_name_what_does_work() -> None:
    found = read(SPEC).judge(Named.parse("coordinator_agent@1.0.0"), Named.parse("psm_gen@2.0"))
    assert found.reason == "coordinator_agent@1.0.0 works with psm_gen@1.0, not with psm_gen@2.0"
    model = check_model(read(SPEC), "coordinator_agent", "1.0.0", "claude-3")
    assert "works with gemini-2.5-pro, gpt-4, not with claude-3" in model.reason


def test_either_may_say_no() -> None:
    matrix = read(
        {
            "a": {"1": {"compatible_with": ["b@*"]}},
            "b": {"1.0": {"compatible_with": ["a@>=2"]}, "2": {"compatible_with": ["a"]}},
        }
    )
    assert judge(matrix, "a@1.0.0", "b@1.0.0") == "incompatible"
    assert judge(matrix, "a@1.0.0", "b@2.0.0") == "compatible"


def test_the_most_exact_row_counts() -> None:
    matrix = read(
        {
            "a": {
                "1": {"compatible_with": ["b@1"]},
                "1.2": {"compatible_with": ["b@2"]},
                "1.2.3": {"compatible_with": ["b@2", "b@3"], "llm_models": []},
            }
        }
    )
    assert judge(matrix, "a@1.0.0", "b@1.0.0") == "compatible"
    assert judge(matrix, "a@1.2.0", "b@1.0.0") == "incompatible"
    assert judge(matrix, "a@1.2.3", "b@3.1.0") == "compatible"
    assert judge(matrix, "a@1.2", "b@2.1.0") == "compatible"
    assert check_model(matrix, "a", "1.2.0", "gpt-4").answer is Answer.UNKNOWN
    assert check_model(matrix, "a", "1.2.3", "gpt-4").answer is Answer.INCOMPATIBLE


def test_rows_are_limits_for_resolving() -> None:
    matrix = read({"a": {"1.0.0": {"compatible_with": ["b@1.0", "b@2.1", "c"]}}})
    [first, second] = matrix.of("a", "1.0.0")
    assert (first.name, str(first.range), first.demand) == ("b", "1.0 || 2.1", Demand.LIMIT)
    assert first.said == "works with b@1.0, b@2.1 only (compatibility.json)"
    assert (second.name, str(second.range)) == ("c", "*")
    assert matrix.of("a", "2.0.0") == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('"compatibility"', '"compat"', 1, "'compatibility' is missing"),
        (
            '"llm_models": ["gemini-2.5-pro", "gpt-4"]',
            '"llm_model": []',
            6,
            "unknown key 'llm_model'",
        ),
        ('"psm_gen@1.0"', '"psm_gen@newest"', 5, "'newest' is not a version or a range"),
        ('"psm_gen@1.0"', '"PSM@1.0"', 5, "'PSM@1.0' does not name an agent"),
        ('"psm_gen@1.0"', "1.0", 5, "expected text, found the number 1.0"),
        ('"1.0.0"', '"one"', 4, "'one' is not a version or a range"),
        ('"coordinator_agent"', '"Coordinator Agent"', 3, "is not the name of an agent"),
        ('["gemini-2.5-pro", "gpt-4"]', '"gpt-4"', 6, "expected a list, found 'gpt-4'"),
        ('"gpt-4"', '" "', 6, "expected the name of a model"),
    ],
)
def test_faults_are_told_with_their_line(old: str, new: str, line: int, message: str) -> None:
    with pytest.raises(SourceFaults) as caught:
        read(SPEC.replace(old, new, 1))
    found: list[Any] = [f for f in caught.value.faults if message in f.message]
    assert found, caught.value
    assert found[0].line == line
