"""Constraints as CEL: what is accepted, what is refused and where, and what a value makes of it."""

from __future__ import annotations

import string
import sys
import time

import hypothesis
import hypothesis.strategies as st
import pytest

from agentoci.definition.constraints import (
    check_constraints,
    check_expressions,
    constraint_problems,
    decided,
)
from agentoci.definition.expressions import (
    EvaluationFailed,
    Expression,
    InvalidExpression,
    MissingValues,
    compile_expression,
)
from agentoci.definition.read import InvalidDefinition
from agentoci.definition.variables import VARIABLES, ValueKind, known_at_build
from agentoci.errors import SourceFaults
from agentoci.spec.jsonio import Json

from .samples import minimal_with

SPEC: dict[str, list[tuple[dict[str, Json], bool]]] = {
    "max_iterations < 1000": [
        ({"max_iterations": 999}, True),
        ({"max_iterations": 1000}, False),
    ],
    "has_success_criteria && validates_result": [
        ({"has_success_criteria": True, "validates_result": True}, True),
        ({"has_success_criteria": True, "validates_result": False}, False),
        ({"validates_result": False}, False),
    ],
    "!uses_rm_command": [({"uses_rm_command": False}, True), ({"uses_rm_command": True}, False)],
}


@pytest.mark.parametrize("text", SPEC)
def test_the_expressions_of_the_specification_work_as_written(text: str):
    compiled = compile_expression(text)
    for values, truth in SPEC[text]:
        assert compiled.evaluate(values) is truth


# text, column, part of the message, part of the hint
REFUSED = [
    ("", 1, "is empty", "max_iterations < 1000"),
    ("max_iterations <", 17, "ends too early", ""),
    ("(max_iterations < 1", 20, "ends too early", ""),
    ("max_iterations < 1)", 19, "unexpected ')'", ""),
    ("max_iterations = 1", 16, "unexpected '='", "CEL writes == for ="),
    ("max_iterations <> 1", 17, "unexpected '>'", "CEL writes != for <>"),
    ("has_success_criteria and validates_result", 22, "unexpected 'and'", "CEL writes && for and"),
    ("not uses_rm_command", 5, "unexpected 'uses_rm_command'", "CEL writes ! for not"),
    ("max_iteration < 5", 1, "unknown variable 'max_iteration'", "did you mean 'max_iterations'?"),
    ("xyz < 5", 1, "unknown variable 'xyz'", "one of: max_iterations"),
    ("uses_rm_command == True", 20, "unknown variable 'True'", "did you mean 'true'?"),
    ("max_iterations < 'x'", 1, "a whole number < text makes no sense", "without quotes"),
    ("max_iterations", 1, "gives a whole number, not true or false", "compare it"),
    ("!max_iterations", 2, "the operand of ! is a whole number", ""),
    ("true && max_iterations", 9, "a side of && is a whole number", ""),
    ("temperature == 0", 1, "a number == a whole number", "with a fraction"),
    ("'rm' in memory_level", 1, "text in text makes no sense", "a list stands on the right"),
    ("len(tools) < 3", 1, "no function 'len'", "did you mean 'size'?"),
    ("size(max_iterations) < 3", 6, "a whole number has no size", ""),
    ("tools.all(t, t)", 14, "", ""),
    ("tools.all(1, true)", 11, "a plain name is expected", ""),
    ("model.startswith('x')", 1, "no function 'startswith'", "did you mean 'startsWith'?"),
    ("99999999999999999999 > 1", 1, "beyond 64 bits", ""),
]


@pytest.mark.parametrize(("text", "column", "message", "hint"), REFUSED)
def test_what_cannot_be_right_is_refused_at_its_place(
    text: str, column: int, message: str, hint: str
):
    with pytest.raises(InvalidExpression) as caught:
        compile_expression(text)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert (caught.value.line, caught.value.column) == (1, column)


HOSTILE = [
    "''.__class__.__mro__[1].__subclasses__()",
    "model.__class__ == model.__class__",
    "tools.__init__.__globals__['os']",
    "().__class__.__bases__[0]",
    "__import__('os').system('true') == 0",
    "open('/etc/passwd').read() == ''",
    "eval('1') == 1",
    "exec('x = 1')",
    "'%s'.format(model) == ''",
    "'{0.__class__}'.format(model) == ''",
    "model.upper() == 'X'",
    "9 ** 9 ** 9 ** 9 > 1",
    "9999999999 * 9999999999 * 9999999999 > 1",
    "1 / 0 == 1",
    "1 % 0 == 1",
    "9" * 900 + " > 1",
    "(" * 400 + "true" + ")" * 400,
    "[" * 400 + "1" + "]" * 400 + " == [1]",
    "!" * 1000 + "true",
    "-" * 1000 + "1 < 2",
    "true" + " && true" * 120 + " ? " * 3,
    "'" + "a" * 2000 + "' == ''",
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('(a+)+$') == true",
    "'x'.matches('((((x{900}){900}){900}){900})')",
    "'x'.matches('(')",
    "tools.all(a, tools.all(b, tools.all(c, a == b && b == c)))",
    "tools.map(a, tools.map(b, a + b)).size() > 1",
    "[1, 2].map(x, [1, 2].map(y, x))[0] == 1",
    "{'a': {'b': 1}}.a.b == 1",
    "{model: 1}[model].__class__ == 1",
    "google.protobuf.Any{} == null",
    "timestamp('9999-12-31T23:59:59Z') + duration('1h') > timestamp('0001-01-01T00:00:00Z')",
    "dyn(model).x == 1",
    "type(model) == string",
    "b'\\xff' == b''",
    "lambda: true",
    "model; true",
    "true\0",
    "\ud800",
    "int('0x' + '9') == 1",
    "double('nan') == double('nan')",
    "$(id)",
    "`id`",
    "${AGENT_HOME}",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_expressions_are_refused_or_harmless_and_soon_done(text: str):
    values: dict[str, Json] = {"model": "m" * 1000, "tools": ["tool"] * 100}
    started = time.perf_counter()
    try:
        outcome: object = compile_expression(text).evaluate(values)
    except (InvalidExpression, EvaluationFailed) as exc:
        outcome = exc
    assert isinstance(outcome, bool | InvalidExpression | EvaluationFailed)
    assert time.perf_counter() - started < 2


REFUSED_AT_ONCE = [text for text in HOSTILE if "__" in text or "open(" in text or "format" in text]


@pytest.mark.parametrize("text", REFUSED_AT_ONCE)
def test_nothing_of_python_is_reached(text: str):
    with pytest.raises(InvalidExpression):
        compile_expression(text)


WORD = st.sampled_from(
    [*VARIABLES, "&&", "||", "!", "<", "==", "in", "(", ")", "[", "]", "1", "'x'", ".", ",", "all"]
)


@hypothesis.given(
    st.lists(WORD, max_size=14).map(" ".join) | st.text(string.printable, max_size=60)
)
def test_any_text_compiles_or_is_refused_with_a_place_inside_it(text: str):
    lines = text.split("\n")
    for line, column in places_of_faults(text):
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1]) + 1


def places_of_faults(text: str) -> list[tuple[int, int]]:
    try:
        compiled = compile_expression(text)
    except InvalidExpression as exc:
        return [(exc.line, exc.column)]
    assert set(compiled.variables) <= VARIABLES.keys()
    return []


JSON_VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([1, "x"])
)


@hypothesis.given(st.fixed_dictionaries({}, optional=dict.fromkeys(VARIABLES, JSON_VALUES)))
def test_any_values_give_a_truth_or_a_typed_error(values: dict[str, Json]):
    for text in (*SPEC, "tools.exists(t, t == model)", "temperature <= temperature_max"):
        outcome: object
        try:
            outcome = compile_expression(text).evaluate(values)
        except EvaluationFailed as exc:
            outcome = exc
        assert isinstance(outcome, bool | EvaluationFailed)


def test_values_of_every_kind_are_taken():
    samples: dict[ValueKind, tuple[Json, str]] = {
        ValueKind.WHOLE: (3, "{} > 2"),
        ValueKind.NUMBER: (0.5, "{} < 1"),
        ValueKind.FLAG: (True, "{}"),
        ValueKind.TEXT: ("x", "{} == 'x'"),
        ValueKind.LIST: (["a", "b"], "'a' in {} && {}.size() == 2"),
    }
    for name, variable in VARIABLES.items():
        value, text = samples[variable.kind]
        assert compile_expression(text.format(name, name)).evaluate({name: value}) is True


def test_missing_values_are_named_unless_the_truth_is_sure_without_them():
    compiled = compile_expression("max_iterations < 10 && !uses_rm_command")
    with pytest.raises(MissingValues) as caught:
        compiled.evaluate({"max_iterations": 1})
    assert caught.value.names == ("uses_rm_command",)
    assert compiled.evaluate({"max_iterations": 10}) is False


@pytest.mark.parametrize(
    ("text", "values", "reason"),
    [
        ("max_iterations < 5", {"max_iterations": "many"}, "is 'many', not a whole number"),
        ("max_iterations < 5", {"max_iterations": True}, "is True, not a whole number"),
        ("max_iterations < 5", {"max_iterations": 2**70}, "not a whole number"),
        ("tools.size() < 5", {"tools": ["x"] * 1001}, "is too long"),
        ("model == ''", {"model": "x" * 65537}, "is too long"),
        ("1 / iterations > 1", {"iterations": 0}, "divide by zero"),
        ("tools[5] == 'x'", {"tools": ["x"]}, ""),
        ("[1, 'x'].all(x, x < 5)", {}, "kinds that do not go together"),
        ("[max_iterations][0]", {"max_iterations": 1}, "not true or false"),
    ],
)
def test_values_that_give_no_truth_are_errors(text: str, values: dict[str, Json], reason: str):
    with pytest.raises(EvaluationFailed) as caught:
        compile_expression(text).evaluate(values)
    assert reason in caught.value.message
    assert "Activation" not in caught.value.message


def test_a_loop_ends_soon_or_is_not_begun():
    compiled = compile_expression("tools.all(t, t == '1' || t == '2' || true)")
    assert compiled.evaluate({"tools": ["3"] * 500}) is True
    body = " || ".join(f"t == '{n}'" for n in range(60))
    longer = compile_expression(f"tools.all(t, {body} || true)")
    assert longer.evaluate({"tools": ["1"] * 50}) is True
    for made in (
        longer,
        compile_expression(f"[{'1,' * 230}1].all(i, {' || '.join(['true'] * 65)})"),
    ):
        with pytest.raises(EvaluationFailed, match="the lists are too long for it"):
            made.evaluate({"tools": ["1"] * 1000})


def test_expressions_are_equal_by_their_text():
    assert compile_expression("!uses_rm_command") == compile_expression("!uses_rm_command")
    assert isinstance(compile_expression("true"), Expression)


# In definitions


def constrained(*lines: str, **spec: Json) -> dict[str, Json]:
    entries: list[Json] = [
        {"id": f"c{number}", "validation": text} for number, text in enumerate(lines)
    ]
    return {"metadata": {"name": "a", "version": "1.0.0"}, "spec": {**spec, "constraints": entries}}


def test_what_the_definition_says_decides_at_build():
    document = constrained(
        "max_recursion <= 100",
        "max_iterations < 1000",
        "'shell' in tools || max_recursion > 5",
        behavior={"execution": {"max_recursion": 100}},
        requires={"tools": [{"name": "shell"}]},
    )
    found = check_constraints(document, what="x")
    assert [(each.id, each.holds, each.needs) for each in found] == [
        ("c0", True, ("max_recursion",)),
        ("c1", None, ("max_iterations",)),
        ("c2", True, ("max_recursion", "tools")),
    ]
    assert decided(document) == found


def test_a_constraint_that_is_false_already_is_a_fault():
    document = constrained("max_recursion <= 10", behavior={"execution": {"max_recursion": 100}})
    with pytest.raises(InvalidDefinition) as caught:
        check_constraints(document, what="Agentfile:1: the definition")
    assert caught.value.message == (
        "Agentfile:1: the definition: spec.constraints[0].validation: is never true: "
        "max_recursion is 100"
    )
    assert caught.value.hint == "change the value, or the constraint"


def test_a_constraint_that_holds_for_no_agent_is_a_fault():
    assert [p.message for p in constraint_problems(constrained("1 > 2"))] == ["is never true"]
    assert [p.message for p in constraint_problems(constrained("1 / 0 > 2"))] != []
    assert constraint_problems(constrained("1 > 2"), decide=False) == []


def test_every_variable_known_at_build_has_its_value_from_the_definition():
    document: dict[str, Json] = {}
    samples: dict[ValueKind, Json] = {
        ValueKind.WHOLE: 3,
        ValueKind.NUMBER: 0.5,
        ValueKind.FLAG: True,
        ValueKind.TEXT: "x",
        ValueKind.LIST: [{"name": "a"}, "b"],
    }
    for variable in VARIABLES.values():
        around = document
        for step in (variable.path or ())[:-1]:
            around = around.setdefault(step, {})  # type: ignore[assignment]
        if variable.path:
            around[variable.path[-1]] = samples[variable.kind]
    known = known_at_build(document)
    assert known.keys() == {name for name, each in VARIABLES.items() if each.known == "build"}
    assert known["tools"] == ["a", "b"]


def test_sizes_are_bytes():
    document: dict[str, Json] = {"spec": {"behavior": {"memory": {"max_size": "2KB"}}}}
    assert known_at_build(document) == {"max_memory_bytes": 2048}


@pytest.mark.parametrize(
    ("written", "column", "width"),
    [
        ('"max_iteration < 1000"', 20, 13),
        ("'max_iteration < 1000'", 20, 13),
        ("max_iteration < 1000", 19, 13),
        ("max_iterations < maximum", 36, 7),
        ('"\\x6dax_iteration < 1000"', 19, 25),
    ],
)
def test_the_caret_stands_inside_the_expression(written: str, column: int, width: int):
    text = minimal_with("  constraints:", "    - id: a", f"      validation: {written}")
    with pytest.raises(SourceFaults) as caught:
        check_expressions(text.encode(), file="x.agentdef")
    (fault,) = caught.value.faults
    assert fault.text[fault.column - 1 :][: fault.width] in written
    assert (fault.line, fault.column, fault.width) == (10, column, width)
    assert fault.message.startswith("spec.constraints[0].validation: ")


def test_constraints_that_are_added_to_a_parent_are_read_too():
    text = minimal_with(
        "  extensions:",
        "    constraints:",
        "      add:",
        "        - id: a",
        "          validation: x",
    )
    with pytest.raises(SourceFaults, match="unknown variable 'x'"):
        check_expressions(text.encode(), file="x.agentdef")


def from_deep_inside(depth: int, compiled: Expression) -> bool:
    return from_deep_inside(depth - 1, compiled) if depth else compiled.evaluate({})


@pytest.mark.parametrize(
    "text", ["(" * 12 + "true" + ")" * 12, " && ".join(["true"] * 120), "!" * 120 + "true"]
)
def test_what_compiles_can_be_evaluated_from_deep_inside_a_program(text: str):
    before = sys.getrecursionlimit()
    assert from_deep_inside(150, compile_expression(text)) is True
    assert sys.getrecursionlimit() == before


@pytest.mark.parametrize(
    "text",
    [
        "max_iterations <= 3 && " * 40 + "true",
        "max_iterations <= 3 || " * 40 + "false",
        "[" + ",".join("1" * 200) + "].all(x, x < max_iterations)",
        "[" + ",".join("1" * 200) + "].exists(x, x < max_iterations)",
        "1/0 == 1 && " * 60 + "true",
    ],
)
def test_what_is_not_known_costs_no_more_than_what_is(text: str) -> None:
    """The text of errors doubled with every one: these took longer than anybody waits."""
    with pytest.raises(EvaluationFailed):
        compile_expression(text).evaluate({})
