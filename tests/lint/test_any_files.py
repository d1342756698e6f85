"""Whatever the files are, lint ends with findings whose places lie in the files."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest

from agentoci.api.engine import Engine
from agentoci.api.linting import lint, mend
from agentoci.config.settings import read_settings
from tests import commandline
from tests.agentfile.test_properties import mutated
from tests.definition.samples import FULL
from tests.lint.conftest import write
from tests.lint.test_bad_files import BAD, GOOD, INTERFACE

WITHIN_ONE_TEST = hypothesis.settings(
    suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
    ]
)


@pytest.fixture
def engine(home: Path) -> Engine:
    return Engine(read_settings(commandline.home_variables(home)))


def check(engine: Engine, context: Path) -> None:
    """Lint, and look at the places; then mend, and lint again."""
    for finding in lint(engine, context):
        path = Path(finding.fault.file)
        assert path.is_relative_to(context), finding
        lines = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
        assert 1 <= finding.fault.line <= len(lines), finding
        assert finding.fault.column >= 1
        assert finding.fault.width >= 1
        assert finding.fault.message
    mend(engine, context)
    assert mend(engine, context).fixed == ()


@hypothesis.given(mutated())
@WITHIN_ONE_TEST
def test_any_agentfile(context: Path, engine: Engine, text: str):
    write(context, {"Agentfile": text.encode("utf-8", "surrogatepass"), "interface.md": INTERFACE})
    check(engine, context)


LINES = [
    "COPY . /agent/knowledge/",
    "COPY *.md /agent/",
    "REQUIRE a",
    "REQUIRE --optional skill:.",
    "REQUIRE mcp:x.json AS m",
    "REQUIRE http:https://example.com AS h",
    "DEFINITION bot.agentdef",
    "INTERFACE bot",
    "SET memory.level=NONE",
    "SET constraints=[]",
    "SET execution.max_recursion=3",
    "ENV TOKEN=x ",
    "env a=1",
    "ARG B",
    "LABEL a=1 a=2",
    "FROM scratch AS s",
    "FROM s",
    "FROM 0",
    "COPY --from=s /agent/x /agent/y",
    "HEALTHCHECK --timeout=9m CMD x",
    "# syntax=agentoci/v1",
    "MAINTAINER me",
    "COPY <<x /agent/x",
    "x",
]


@hypothesis.given(st.lists(st.sampled_from(LINES), max_size=8))
@WITHIN_ONE_TEST
def test_any_instructions(context: Path, engine: Engine, lines: list[str]):
    write(
        context,
        {
            "Agentfile": GOOD + "\n".join(lines),
            "interface.md": INTERFACE,
            "bot.agentdef": FULL,
            "x.json": '{"mcpServers": {"m": {"command": "x"}}}',
        },
    )
    check(engine, context)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A whole definition with a part taken out, doubled, or replaced by something else."""
    start = draw(st.integers(0, len(FULL)))
    end = min(len(FULL), start + draw(st.integers(0, 40)))
    put = draw(st.sampled_from(["", "\n", " ", ":", "- ", "[", "'", "\t", "\u202e", "&a ", "!!x "]))
    middle = draw(st.sampled_from([put, FULL[start:end] * 2]))
    return (FULL[:start] + middle + FULL[end:]).encode()


@hypothesis.given(damaged())
@WITHIN_ONE_TEST
def test_any_definition(context: Path, engine: Engine, content: bytes):
    write(context, {"bot.agentdef": content})
    check(engine, context)


@hypothesis.given(st.sampled_from(sorted(BAD)), st.binary(max_size=64), st.integers(0, 200))
@WITHIN_ONE_TEST
def test_any_bytes(context: Path, engine: Engine, name: str, junk: bytes, at: int):
    files = {
        path: (whole := content if isinstance(content, bytes) else content.encode())[:at]
        + junk
        + whole[at:]
        for path, content in BAD[name].files.items()
    }
    if "Agentfile" not in files:
        (context / "Agentfile").unlink(missing_ok=True)
    for old in context.rglob("*.agentdef"):
        old.unlink()
    write(context, files)
    check(engine, context)
