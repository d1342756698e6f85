"""What a good Agentfile is read as."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from agentoci.agentfile import (
    Agentfile,
    Arg,
    Copy,
    Definition,
    Entrypoint,
    Env,
    Healthcheck,
    Heredoc,
    Instruction,
    Interface,
    Label,
    Place,
    Require,
    Set,
    parse,
    render,
)
from agentoci.errors import Invalid, SourceFaults
from tests.agentfile.samples import COORDINATOR, EVERYTHING, any_setting


def only(text: str, **build_args: str) -> Instruction:
    """The last instruction of a stage on scratch that holds `text`."""
    source = f"FROM scratch\n{text}\n"
    return parse(source, build_args=build_args, settings=any_setting).final.instructions[-1]


def copied(text: str) -> Copy:
    node = only(text)
    assert isinstance(node, Copy)
    return node


def test_the_specs_example_is_read_as_written() -> None:
    agentfile = parse(COORDINATOR)

    stage = agentfile.final
    assert (stage.index, stage.name, stage.base.reference) == (0, None, "base_agent:latest")
    assert stage.base.place == Place(2, 6)
    assert not stage.base.is_scratch
    copy, _, require, _, level, learning, interface = stage.instructions
    assert isinstance(copy, Copy)
    assert [source.text for source in copy.sources] == ["knowledge/workflow/*.md"]
    assert copy.sources[0].place == Place(5, 6)
    assert copy.destination == "/agent/knowledge/"
    assert copy.original == "COPY knowledge/workflow/*.md /agent/knowledge/"
    assert isinstance(require, Require)
    assert (require.name, require.version, require.optional) == ("psm_generator", "1.0", False)
    assert isinstance(level, Set)
    assert (level.key, level.value, level.key_place) == ("memory.level", "SMART", Place(13, 5))
    assert isinstance(learning, Set)
    assert learning.value is True
    assert isinstance(interface, Interface)
    assert (interface.kind, interface.value) == ("name", "coordinator_agent")


def test_every_instruction_is_read() -> None:
    docs, main = parse(EVERYTHING, settings=any_setting).stages

    assert docs.base.is_scratch
    assert [node for node in docs.instructions if isinstance(node, Copy)][1].heredocs == (
        Heredoc("a.md", "Price: $5 for nobody\n"),
        Heredoc("b.md", "Raw $HOME and \\$x\n"),
    )
    assert (main.name, main.base.reference) == (
        "main",
        "registry.example:5000/base_agent:latest",
    )
    found = {type(node): node for node in main.instructions}
    assert [n for n in main.instructions if isinstance(n, Arg)] == [
        Arg("TAG", "1.0", place=Place(1, 1), original=""),
        Arg("WHO", "the $team", place=Place(1, 1), original=""),
    ]
    first_env, legacy = (node for node in main.instructions if isinstance(node, Env))
    assert first_env.pairs == (("GREETING", 'hello "you"'), ("PATH_TO", "/agent/1.0"))
    assert legacy.pairs == (("LEGACY", "one  two three"),)
    label = found[Label]
    assert isinstance(label, Label)
    assert label.pairs == (("org.example.team", "the $team"), ("note", "it's fine"))
    copies = [node for node in main.instructions if isinstance(node, Copy)]
    assert [(c.from_, c.from_stage, c.chmod) for c in copies] == [
        ("docs", 0, 0o755),
        ("0", 0, None),
        ("tools.example/kit:2", None, None),
    ]
    assert [source.text for source in copies[1].sources] == ["/agent/a b.md", "/agent/é/1.0.md"]
    requires = [node for node in main.instructions if isinstance(node, Require)]
    assert [(r.name, r.version, r.optional, r.source) for r in requires] == [
        ("psm_generator", "1.0", False, ""),
        ("code_generator", ">=1.0, <2", True, "team/code_generator"),
        ("debug", "^1.2", False, ""),
        ("any", "*", False, ""),
        ("", "*", False, "conf/mcp.json"),
        ("files", "*", True, "conf/mcp.json"),
        ("translator", "*", False, "https://translator.example/card.json"),
        ("api", "*", False, "https://api.example/v1"),
        ("pdf", "*", False, "registry.example:5000/skills/pdf:1.0"),
    ]
    assert [n.text for n in main.instructions if isinstance(n, Set)] == [
        "SMART",
        "true",
        "$5 \\ literal",
    ]
    interface = found[Interface]
    assert isinstance(interface, Interface)
    assert (interface.kind, interface.value) == ("text", "I am the $team.\n\n")
    definition = found[Definition]
    assert isinstance(definition, Definition)
    assert definition.path == "defs/1.0.agentdef"
    entrypoint = found[Entrypoint]
    assert isinstance(entrypoint, Entrypoint)
    assert entrypoint.argv == ("/bin/sh", "-c", 'python3 -m "agent $X"   --serve')
    assert entrypoint.original == 'ENTRYPOINT python3 -m "agent $X" --serve'
    health = found[Healthcheck]
    assert isinstance(health, Healthcheck)
    assert health.argv == ("check", '"a"')
    assert (health.interval_seconds, health.timeout_seconds) == (90.0, 0.5)
    assert (health.retries, health.start_period_seconds) == (3, 0.0)


@pytest.mark.parametrize("text", [COORDINATOR, EVERYTHING])
def test_canonical_text_means_the_same(text: str) -> None:
    agentfile = parse(text, settings=any_setting)
    printed = render(agentfile)
    assert parse(printed, settings=any_setting) == agentfile
    assert render(parse(printed, settings=any_setting)) == printed


def test_nodes_that_mean_another_thing_differ() -> None:
    assert only("REQUIRE a:1.0") != only("REQUIRE a:1.1")
    assert only("REQUIRE a:1.0") == only("require  a@1.0")


def test_reading_needs_no_pydantic_unless_something_is_set() -> None:
    program = (
        "import sys\n"
        "from agentoci.agentfile import parse\n"
        "parse(sys.stdin.read())\n"
        "print(sorted({'pydantic', 'yaml', 'requests', 'zstandard'} & sys.modules.keys()))"
    )
    without = "\n".join(line for line in COORDINATOR.splitlines() if not line.startswith("SET"))
    done = subprocess.run(
        [sys.executable, "-c", program], input=without, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffFROM scratch\r\nREQUIRE a:1.0\r\n",
        "\ufeffFROM scratch\r\nREQUIRE a:1.0\r\n".encode(),
        "from scratch\n\trequire   a:1.0  ",
        "FROM \\\n  scratch\nREQUIRE \\\n# why\n  # and how\n a:1\\\n.0\n",
        "# syntax=agentoci/v1\nFROM scratch\n\n   # indented\nREQUIRE a:1.0",
        "#  Syntax = agentoci/V1\nFROM scratch\nREQUIRE a:1.0",
    ],
)
def test_the_form_of_the_file_does_not_matter(text: str | bytes) -> None:
    assert parse(text) == parse("FROM scratch\nREQUIRE a:1.0\n")


def test_a_stage_holds_nothing_but_instructions() -> None:
    stage = parse("FROM scratch").final
    odd = replace(stage, instructions=(stage,))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Stage is no instruction"):
        render(Agentfile("Agentfile", (), (), (odd,)))


@pytest.mark.parametrize(
    "text", ["HEALTHCHECK NONE", "INTERFACE <<X\nEOF\nEOFF\nX", "COPY a <<EOF <<E b/\nE\nEOF\nE"]
)
def test_odd_instructions_survive_printing(text: str) -> None:
    agentfile = parse(f"FROM scratch\n{text}\n")
    assert parse(render(agentfile)) == agentfile


def test_two_backslashes_do_not_continue_a_line() -> None:
    node = only("ENV A=x\\\\\nENV B=y")
    assert isinstance(node, Env)
    assert node.pairs == (("B", "y"),)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("plain", "plain"),
        ('"two words"', "two words"),
        ("'two $words'", "two $words"),
        (r"two\ words", "two words"),
        (r'"\"\\\$\n"', '"\\$\\n'),
        (r"\$X", "$X"),
        ("$", "$"),
        ("5$", "5$"),
        ("$5", "$5"),
        ('"$"', "$"),
        ("$X", "value"),
        ("${X}y", "valuey"),
        ("'$X'\"$X\"$X", "$Xvaluevalue"),
        ("${X:-other}", "value"),
        ("${X:+other}", "other"),
        ("${EMPTY:-a b}", "a b"),
        ("${EMPTY:+a b}", ""),
        ("${EMPTY:-${EMPTY:-$X}}", "value"),
        ('${EMPTY:-"a}b"}', "a}b"),
        (r"${EMPTY:-a\}b}", "a}b"),
        ("$DECLARED", ""),
        ("a=b=c", "a=b=c"),
        ("", ""),
        ("#no-comment", "#no-comment"),
        ("<<EOF", "<<EOF"),
    ],
)
def test_values_are_unquoted_and_substituted(written: str, value: str) -> None:
    node = only(f"ARG DECLARED\nARG EMPTY=\nENV X=value\nLABEL key={written}")
    assert isinstance(node, Label)
    assert node.pairs == (("key", value),)


def test_a_quoted_key_is_a_key() -> None:
    node = only('LABEL "org.example"=a')
    assert isinstance(node, Label)
    assert node.pairs == (("org.example", "a"),)


def test_values_of_one_env_line_do_not_see_each_other() -> None:
    node = only("ENV A=old\nENV A=new B=$A")
    assert isinstance(node, Env)
    assert node.pairs == (("A", "new"), ("B", "old"))


def labels(text: str, **build_args: str) -> tuple[tuple[str, str], ...]:
    agentfile = parse(text, build_args=build_args)
    node = agentfile.final.instructions[-1]
    assert isinstance(node, Label)
    return node.pairs


def test_values_of_arguments() -> None:
    stage = "FROM scratch\nARG A=default\nLABEL a=$A"
    assert labels(stage) == (("a", "default"),)
    assert labels(stage, A="given") == (("a", "given"),)
    assert labels("ARG A=before\nFROM scratch\nARG A\nLABEL a=$A") == (("a", "before"),)
    assert labels("ARG A=before\nFROM scratch\nARG A=own\nLABEL a=$A") == (("a", "own"),)
    assert labels("ARG A\nFROM scratch\nARG A\nLABEL a=$A", A="given") == (("a", "given"),)
    assert labels("FROM scratch\nARG A=x\nENV A=env\nLABEL a=$A", A="given") == (("a", "env"),)
    assert labels("FROM scratch\nARG A=1 B=${A}2\nLABEL b=$B") == (("b", "12"),)


def test_a_stage_on_a_stage_inherits_its_values() -> None:
    text = "FROM scratch AS One\nENV A=1\nARG B=2\nFROM one\nLABEL a=$A$B"
    assert labels(text) == (("a", "12"),)
    base = parse(text).final.base
    assert (base.stage, base.is_scratch) == ("one", False)


def test_the_value_given_does_not_change_the_node() -> None:
    agentfile = parse("ARG A=1\nFROM scratch\nARG A", build_args={"A": "2"})
    assert [arg.default for arg in agentfile.global_args] == ["1"]
    assert agentfile.final.instructions == (Arg("A", None, place=Place(1, 1), original=""),)


@pytest.mark.parametrize(
    ("declared", "message", "hint"),
    [
        ("ARG VERSION", "build argument 'VERSOIN' is not declared", "did you mean VERSION?"),
        ("LABEL a=b", "build argument 'VERSOIN' is not declared", "ARG VERSOIN"),
    ],
)
def test_a_build_argument_must_be_declared(declared: str, message: str, hint: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(f"FROM scratch\n{declared}", build_args={"VERSOIN": "1"})
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "a\udc80b"])
def test_a_build_argument_must_be_one_line_of_text(value: str) -> None:
    with pytest.raises(Invalid, match="build argument 'A'"):
        parse("FROM scratch\nARG A", build_args={"A": value})


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("coordinator_agent", "name"),
        ("interface.md", "file"),
        ("INTERFACE.TXT", "file"),
        ("docs/interface", "file"),
        ("name.v2", "name"),
    ],
)
def test_what_interface_names(written: str, kind: str) -> None:
    node = only(f"INTERFACE {written}")
    assert isinstance(node, Interface)
    assert (node.kind, node.value) == (kind, written)
    assert node.value_place == Place(2, 11)


def test_entrypoint_forms() -> None:
    assert only('ENTRYPOINT [ "a" , "b c" ]') == only('ENTRYPOINT ["a","b c"]')
    taken_away = only("ENTRYPOINT []")
    assert isinstance(taken_away, Entrypoint)
    assert taken_away.argv == ()
    shell = only("ENTRYPOINT [1] && $HOME ${x")
    assert isinstance(shell, Entrypoint)
    assert shell.argv == ("/bin/sh", "-c", "[1] && $HOME ${x")


def test_healthcheck_forms() -> None:
    none = only("HEALTHCHECK none")
    assert isinstance(none, Healthcheck)
    assert none.argv is None
    shell = only("HEALTHCHECK --interval=1.5s cmd curl 'x")
    assert isinstance(shell, Healthcheck)
    assert shell.argv == ("/bin/sh", "-c", "curl 'x")
    assert (shell.interval_seconds, shell.timeout_seconds) == (1.5, None)
    assert (shell.retries, shell.start_period_seconds) == (None, None)


def test_copy_forms() -> None:
    assert copied("COPY a b") == copied('COPY ["a", "b"]')
    assert copied("COPY --chmod=755 a b").chmod == copied("COPY --chmod=0755 a b").chmod == 0o755
    assert copied('COPY "--odd" b').sources[0].text == "--odd"
    assert copied('COPY ["<<EOF", "b"]').sources[0].text == "<<EOF"
    assert copied("COPY [ab].md b").sources[0].text == "[ab].md"
    assert copied('COPY "a <<EOF b" c').heredocs == ()
    assert copied("COPY a <<b.md c/\ntext\nb.md").heredocs == (Heredoc("b.md", "text\n"),)
    assert copied("COPY <<EOF /empty\nEOF").heredocs == (Heredoc("EOF", ""),)
    assert copied("COPY <<-EOF /x\n\t\ta\n\tEOF").heredocs == (Heredoc("EOF", "a\n"),)
    assert copied('COPY <<"EOF" /x\n$a "\' \\\n\nEOF').heredocs[0].content == "$a \"' \\\n\n"
    assert copied("COPY <<EOF /x\n\"q\" 'q' \\n \\\\ # no comment\nEOF").heredocs[0].content == (
        "\"q\" 'q' \\n \\\\ # no comment\n"
    )


def test_places_survive_continuations() -> None:
    node = copied("COPY --from=x.y/z \\\n  # why\n  one \\\n\ttwo \\\n /three/")
    assert [source.place for source in node.sources] == [Place(4, 3), Place(5, 2)]
    assert node.destination_place == Place(6, 2)
    assert node.from_place == Place(2, 13)
    assert node.place == Place(2, 1)
    assert node.original == "COPY --from=x.y/z one two /three/"


def test_a_word_may_be_continued() -> None:
    node = copied("COPY on\\\ne /x\\\n/y")
    assert node.original == "COPY one /x/y"
    assert (node.sources[0].text, node.destination) == ("one", "/x/y")


def test_later_faults_have_their_line_and_caret() -> None:
    agentfile = parse("FROM scratch\nCOPY missing.md /x\n", file="dir/Agentfile")
    node = agentfile.final.instructions[0]
    assert isinstance(node, Copy)
    fault = agentfile.fault(
        node.sources[0].place, "no such file 'missing.md'", width=10, hint="look around"
    )
    assert fault.render().splitlines() == [
        "dir/Agentfile:2:6: no such file 'missing.md'",
        "  | COPY missing.md /x",
        "  |      ^^^^^^^^^^",
        "  hint: look around",
    ]
    beyond = agentfile.fault(Place(99, 1), "somewhere")
    assert (beyond.line, beyond.text) == (99, "")


def test_settings_are_checked_with_their_place() -> None:
    with pytest.raises(SourceFaults) as caught:
        parse("FROM scratch\nSET memory.lvl=SMART learning.enabled=maybe\n")
    first, second = caught.value.faults
    assert (first.column, first.width) == (5, len("memory.lvl"))
    assert (second.column, second.width) == (39, len("maybe"))


def test_json_is_a_value_in_single_quotes() -> None:
    key = "config_template.llm.supported_models"
    node = parse(f"""FROM scratch\nSET {key}='["a", "b"]'\n""").final.instructions[0]
    assert isinstance(node, Set)
    assert node.value == ["a", "b"]
    with pytest.raises(SourceFaults) as caught:
        parse(f'FROM scratch\nSET {key}=["a","b"]\n')
    assert caught.value.faults[0].hint == f"JSON stands in single quotes: {key}='…'"


def test_a_huge_file_of_steps_is_read_fast_enough() -> None:
    agentfile: Agentfile = parse("FROM scratch\n" + "COPY a /b\n" * 2000)
    assert len(agentfile.final.instructions) == 2000
