"""Builds that cannot be: what the user reads, and the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Agent
from tests.registry.fake import Basic, FakeRegistry
from tests.registry.faults import refuses


def write(context: Path, agentfile: str) -> Path:
    context.mkdir(exist_ok=True)
    (context / "notes.md").write_text("notes\n")
    (context / "Agentfile").write_text(agentfile)
    return context


def test_all_syntax_faults_are_told_at_once_each_with_a_caret(agent: Agent, tmp_path: Path):
    context = write(
        tmp_path / "context",
        "FROM scratch\nCOPPY notes.md /agent/\nSET memory.levle=SMART\nSET memory.level=CLEVER\n"
        "ENV 1A=b\nINTERFACE bot\n",
    )
    refused = agent("build", "-t", "bot:1", context, code=2)
    assert refused.out == ""
    for place in ("Agentfile:2:1:", "Agentfile:3:5:", "Agentfile:4:", "Agentfile:5:5:"):
        assert place in refused.err
    assert "did you mean COPY?" in refused.err
    assert "did you mean 'memory.level'?" in refused.err
    assert "expected NONE, BASIC or SMART, found 'CLEVER'" in refused.err
    carets = [line for line in refused.err.splitlines() if set(line) <= set(" |^") and "^" in line]
    assert len(carets) >= 4
    assert agent("images").lines[1:] == []


@pytest.mark.parametrize(
    ("agentfile", "parts"),
    [
        pytest.param("", ("FROM",), id="empty"),
        pytest.param("COPY a /agent/\n", ("FROM",), id="no FROM"),
        pytest.param(
            "FROM scratch\nRUN apt-get install x\n", ("Agentfile:2:1", "RUN"), id="docker's RUN"
        ),
        pytest.param(
            "FROM scratch\nCOPY nothere.md /agent/\n",
            ("Agentfile:2:6", "nothere.md"),
            id="missing source",
        ),
        pytest.param(
            "FROM scratch\nCOPY notes.d /agent/\n", ("did you mean 'notes.md'?",), id="near miss"
        ),
        pytest.param(
            "FROM scratch\nCOPY ../secret /agent/\n",
            ("Agentfile:2:6", "../secret", "out of the context"),
            id="dots",
        ),
        pytest.param(
            "FROM scratch\nSET learning.enabled=maybe\n",
            ("Agentfile:2", "learning.enabled", "true"),
            id="wrong type",
        ),
        pytest.param(
            "FROM scratch\nSET execution.max_recursion=many\n",
            ("Agentfile:2", "execution.max_recursion"),
            id="not a number",
        ),
        pytest.param(
            "FROM scratch\nINTERFACE <<END\nnever ended\n", ("Agentfile:2", "END"), id="heredoc"
        ),
        pytest.param("FROM Bad_Name:1\n", ("Agentfile:1:6", "Bad_Name"), id="bad reference"),
        pytest.param(
            "FROM scratch\nCOPY --chmod=rwx notes.md /agent/\n",
            ("Agentfile:2", "--chmod"),
            id="bad mode",
        ),
        pytest.param(
            "FROM scratch\nCOPY notes.md /etc/\n", ("Agentfile:2", "/agent"), id="outside /agent"
        ),
    ],
)
def test_bad_agentfiles(agent: Agent, tmp_path: Path, agentfile: str, parts: tuple[str, ...]):
    refused = agent("build", "-t", "bot:1", write(tmp_path / "context", agentfile), code=2)
    for part in parts:
        assert part in refused.err
    assert refused.out == ""


def test_a_link_out_of_the_context_is_refused(agent: Agent, tmp_path: Path):
    (tmp_path / "secret").write_text("hush")
    context = write(tmp_path / "context", "FROM scratch\nCOPY link /agent/knowledge/\n")
    (context / "link").symlink_to("../secret")
    refused = agent("build", "-t", "bot:1", context, code=2)
    assert "link" in refused.err
    assert "Agentfile:2" in refused.err
    assert agent("images").lines[1:] == []


def test_a_folder_that_leads_out_of_the_context_is_refused(agent: Agent, tmp_path: Path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text("hush")
    context = write(tmp_path / "context", "FROM scratch\nCOPY door/key /agent/knowledge/\n")
    (context / "door").symlink_to("../secrets")
    refused = agent("build", "-t", "bot:1", context, code=2)
    assert "door" in refused.err


def test_a_missing_base_names_itself(agent: Agent, tmp_path: Path):
    context = write(tmp_path / "context", "FROM base_agent:latest\nCOPY notes.md /agent/\n")
    refused = agent("build", "-t", "bot:1", context, code=6)
    assert "base_agent:latest" in refused.err
    assert "Agentfile:1:6" in refused.err


def test_a_base_whose_registry_does_not_have_it(agent: Agent, tmp_path: Path, fake: FakeRegistry):
    context = write(tmp_path / "context", f"FROM {fake.host}/base:7\nCOPY notes.md /agent/\n")
    refused = agent("build", "-t", "bot:1", context, code=6)
    assert f"{fake.host}/base:7" in refused.err


def test_a_base_that_is_denied(agent: Agent, tmp_path: Path, fake: FakeRegistry):
    fake.auth = Basic()
    context = write(tmp_path / "context", f"FROM {fake.host}/base:7\n")
    refused = agent("build", "-t", "bot:1", context, code=5)
    assert f"agent login {fake.host}" in refused.err
    fake.auth = None
    fake.on("*", "/v2/base/", refuses(403, "DENIED", "not for you"), times=5)
    assert "not for you" in agent("build", "-t", "bot:1", context, code=5).err


def test_a_context_that_is_not_there(agent: Agent, tmp_path: Path):
    refused = agent("build", "-t", "bot:1", tmp_path / "nowhere", code=6)
    assert "nowhere" in refused.err


def test_a_context_without_an_agentfile(agent: Agent, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    refused = agent("build", "-t", "bot:1", tmp_path / "empty", code=6)
    assert "Agentfile" in refused.err


def test_an_agentfile_that_is_not_there(agent: Agent, talker: Path):
    refused = agent("build", "-f", talker / "Agentfile.dev", talker, code=6)
    assert "Agentfile.dev" in refused.err


def test_an_agentfile_that_is_no_text(agent: Agent, talker: Path):
    (talker / "Agentfile").write_bytes(b"FROM scratch\n\xff\xfe\n")
    assert "UTF-8" in agent("build", talker, code=2).err


def test_a_bad_definition_shows_line_and_near_miss(agent: Agent, tmp_path: Path):
    folder = tmp_path / "definition"
    folder.mkdir()
    (folder / "bot.agentdef").write_text(
        "apiVersion: agent/v1\nkind: AgentDefinition\n"
        "metadata:\n  nmae: bot\n  version: 1.0.0\nspec: {}\n"
    )
    refused = agent("build", "-t", "bot:1", folder, code=2)
    assert "bot.agentdef:4" in refused.err
    assert "nmae" in refused.err
    assert "name" in refused.err


def test_a_definition_whose_parent_is_nowhere(agent: Agent, tmp_path: Path):
    folder = tmp_path / "definition"
    folder.mkdir()
    (folder / "bot.agentdef").write_text(
        "apiVersion: agent/v1\nkind: AgentDefinition\n"
        "metadata:\n  name: bot\n  version: 1.0.0\n  parent: base@1.0.0\nspec: {inherit: all}\n"
    )
    refused = agent("build", "-t", "bot:1", folder, code=6)
    assert "bot.agentdef:6:11: parent base@1.0.0 is neither in the folder" in refused.err
    assert "(bot@1.0.0 → base@1.0.0)" in refused.err
    assert "      ^^^^^^^^^^" in refused.err


def test_a_build_argument_without_a_value(agent: Agent, talker: Path):
    assert "not KEY=VALUE" in agent("build", "--build-arg", "VERSION", talker, code=2).err


def test_pushing_what_has_no_name_is_refused_before_the_build(agent: Agent, talker: Path):
    refused = agent("build", "--push", talker, code=2)
    assert "--push needs a name" in refused.err
    assert agent("images").lines[1:] == []


def test_a_bad_epoch(agent: Agent, talker: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert "SOURCE_DATE_EPOCH='yesterday'" in agent("build", talker, code=2).err


def test_a_bad_config_file_says_what_is_known(agent: Agent, home: Path):
    config = home / "config" / "agentoci" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('default_registy = "x"\n')
    refused = agent("images", code=2)
    assert str(config) in refused.err
    assert "did you mean 'default_registry'?" in refused.err
