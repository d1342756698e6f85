"""`agent release`: what it prints and how it ends."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli import samples
from tests.cli.conftest import Agent
from tests.registry.fake import FakeRegistry


@pytest.fixture
def bot(fake: FakeRegistry) -> str:
    """A repository that is not there yet."""
    return f"{fake.host}/team/talker"


def change(talker: Path, text: str = "Talk is dear.\n") -> None:
    (talker / "notes.md").write_text(text)


def break_it(talker: Path) -> None:
    agentfile = talker / "Agentfile"
    agentfile.write_text(agentfile.read_text() + "REQUIRE judge:1.0\n")


def test_release_says_what_it_did(agent: Agent, bot: str, talker: Path) -> None:
    first = agent("release", bot, talker)
    assert "the first release" in first.err
    assert "the definition says" not in first.err
    assert f"released {bot}:2.1.0, also as 2.1, 2, latest" in first.err
    assert first.lines == [agent("inspect", "--remote", f"{bot}:2").json["digest"]]
    break_it(talker)
    second = agent("release", bot, talker)
    assert "since 2.1.0: MAJOR\n  MAJOR  required tool added: judge" in second.err
    assert "the image says 3.0.0, where the definition says 2.1.0" in second.err
    assert f"released {bot}:3.0.0, also as 3.0, 3, latest" in second.err
    again = agent("release", bot, talker)
    assert again.out == second.out
    assert f"nothing changed since 3.0.0: {second.out.strip()}" in again.err
    assert agent("release", "-q", bot, talker).err == ""


def test_release_is_a_document(agent: Agent, bot: str, talker: Path) -> None:
    agent("release", bot, talker)
    change(talker)
    done = agent("release", "--format", "json", bot, talker).json
    assert done["digest"] == agent("inspect", "--remote", f"{bot}:2.1.1").json["digest"]
    notes, requests = done.pop("notes"), done.pop("requests")
    assert notes.startswith("## 2.1.1 - ")
    assert 0 < requests < 40
    assert done == {
        "repository": bot,
        "version": "2.1.1",
        "tag": "2.1.1",
        "digest": done["digest"],
        "released": True,
        "changed": True,
        "dryRun": False,
        "before": "2.1.0",
        "declared": "2.1.0",
        "verdict": "PATCH",
        "reasons": done["reasons"],
        "moved": ["2.1.1", "2.1", "2", "latest"],
        "kept": [],
    }
    [reason] = done["reasons"]
    assert (reason["level"], set(reason)) == ("PATCH", {"level", "rule", "title"})
    again = agent("release", "--format", "json", bot, talker).json
    assert (again["released"], again["changed"], again["digest"]) == (False, False, done["digest"])


def test_dry_run_prints_the_version(
    agent: Agent, fake: FakeRegistry, bot: str, talker: Path
) -> None:
    agent("release", bot, talker)
    before = dict(fake.manifests)
    unchanged = agent("release", "--dry-run", bot, talker)
    assert unchanged.out == "2.1.0\n", "a version, also where nothing is to be released"
    assert "nothing changed since 2.1.0: sha256:" in unchanged.err
    break_it(talker)
    plan = agent("release", "--dry-run", bot, talker)
    assert plan.out == "3.0.0\n"
    assert f"would be released {bot}:3.0.0, also as 3.0, 3, latest" in plan.err
    line = agent("release", "--dry-run", "--version", "4.0.0-beta.1", bot, talker)
    assert "left alone: latest (4.0.0-beta.1 is a pre-release)" in line.err
    document = agent("release", "--dry-run", "--format", "json", bot, talker).json
    assert (document["digest"], document["dryRun"], document["released"]) == (None, True, False)
    assert fake.manifests == before


def test_notes_go_to_a_file_or_to_stdout(
    agent: Agent, bot: str, talker: Path, tmp_path: Path
) -> None:
    agent("release", bot, talker)
    break_it(talker)
    preview = agent("release", "--dry-run", "--notes", "-", bot, talker).out
    assert preview.startswith("## 3.0.0 - ")
    assert "### Breaking" in preview
    assert "`judge`" in preview
    notes = tmp_path / "NOTES.md"
    agent("release", "--dry-run", "--notes", notes, bot, talker)
    assert not notes.exists()
    digest = agent("release", "--notes", notes, bot, talker).out.strip()
    assert notes.read_text() == preview
    assert digest.startswith("sha256:")
    assert agent("release", "--notes", "-", bot, talker).out == preview


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--bump", "patch"], 3, "2.1.1 is too small for what changed since 2.1.0: it is MAJOR"),
        (["--version", "2.2.0"], 3, "required tool added: judge"),
        (["--line", "2"], 3, "the change needs 3.0.0, which is not in the line 2"),
        (["--version", "2.1.0"], 7, "2.1.0 is released already, with other content"),
        (["--version", "2.0.0-rc.1"], 0, ""),
        (["--version", "2"], 2, "'2' is not a version that can be released"),
        (["--version", "3.0.0", "--bump", "major"], 2, "exclude each other"),
        (["--pre", "1"], 2, "led by a letter"),
        (["--bump", "tiny"], 2, "is not one of"),
        (["--notes", "nowhere/notes.md", "--version", "9.0.0"], 6, "nowhere: no such folder"),
    ],
)
def test_exit_codes(
    agent: Agent, bot: str, talker: Path, options: list[str], code: int, words: str
) -> None:
    agent("release", bot, talker)
    break_it(talker)
    done = agent("release", *options, bot, talker, code=code)
    assert words in done.err
    assert bool(done.out) == (code == 0)


def test_notes_that_cannot_be_written_stop_the_release(
    agent: Agent, fake: FakeRegistry, bot: str, talker: Path
) -> None:
    agent("release", "--notes", "nowhere/notes.md", bot, talker, code=6)
    assert not fake.manifests


def test_bad_agentfile_is_told_with_its_place(agent: Agent, bot: str, talker: Path) -> None:
    (talker / "Agentfile").write_text("FROM scratch\nCOPIE a b\n")
    assert "Agentfile:2:1" in agent("release", bot, talker, code=2).err
    assert agent("release", bot, talker / "nowhere", code=6).out == ""


def test_image_names_are_no_repositories(agent: Agent, bot: str, talker: Path) -> None:
    refused = agent("release", f"{bot}:1.0", talker, code=2)
    assert "names an image, where a repository is meant" in refused.err
    assert "no default_registry is configured" in agent("release", "talker", talker, code=2).err


def test_options_say_where_the_source_is(agent: Agent, bot: str, talker: Path) -> None:
    said = ("--source-url", "https://example.com/talker", "--revision", "5eed")
    agent("release", *said, bot, talker)
    found = agent("manifest", f"{bot}:2.1.0").json["annotations"]
    assert found["org.opencontainers.image.source"] == "https://example.com/talker"
    assert found["org.opencontainers.image.revision"] == "5eed"
    assert "--source-url" in agent("release", "--source", "h.io/x", bot, talker, code=2).err


def test_ci_job_says_where_the_source_is(
    agent: Agent, bot: str, talker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "team/talker")
    monkeypatch.setenv("GITHUB_SHA", "5eed" * 10)
    agent("release", bot, talker)
    found = agent("manifest", f"{bot}:2.1.0").json["annotations"]
    own = "org.opencontainers.image."
    assert found[f"{own}source"] == "https://github.com/team/talker"
    assert found[f"{own}revision"] == "5eed" * 10


def test_uncommitted_changes_are_told(agent: Agent, bot: str, talker: Path) -> None:
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", "-C", str(talker), *author, *command], check=True)
    change(talker)
    told = agent("release", bot, talker).err
    assert f"warning: {talker}: has changes that are not committed" in told
    revision = agent("manifest", f"{bot}:2.1.0").json["annotations"][
        "org.opencontainers.image.revision"
    ]
    assert revision.endswith("-dirty")


def test_secrets_are_not_released(agent: Agent, fake: FakeRegistry, bot: str, talker: Path) -> None:
    change(talker, "key: " + "ghp" + "_" + "16C7e42F292c6912E7710c838347Ae178B4a" + "\n")
    agent("release", bot, talker, code=5)
    assert not fake.manifests


def test_definition_alone_is_released(agent: Agent, bot: str, tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    folder.mkdir()
    (folder / "talker.agentdef").write_text(
        "apiVersion: agent/v1\nkind: AgentDefinition\n"
        "metadata:\n  name: talker\n  version: 1.0.0\nspec:\n  interface: talks\n"
    )
    agent("release", bot, folder)
    (folder / "talker.agentdef").write_text(
        "apiVersion: agent/v1\nkind: AgentDefinition\n"
        "metadata:\n  name: talker\n  version: 1.0.0\nspec:\n  interface: talks much\n"
    )
    done = agent("release", "--format", "json", bot, folder / "talker.agentdef").json
    assert (done["version"], done["verdict"]) == ("1.0.1", "PATCH")
    assert agent("inspect", "--remote", f"{bot}:1").json["definition"]["metadata"]["version"] == (
        "1.0.1"
    )


def test_lock_that_does_not_fit_is_refused_and_kept(
    agent: Agent, fake: FakeRegistry, bot: str, talker: Path, tmp_path: Path
) -> None:
    judge = samples.write_mute(tmp_path / "judge")
    (judge / "Agentfile").write_text(
        "FROM scratch\nCOPY notes.md /agent/knowledge/\nINTERFACE judge\n"
        "LABEL org.opencontainers.image.version=1.0.0\n"
    )
    agent("build", "-t", "judge:1.0.0", judge)
    assert "agent.lock" in agent("release", "--locked", bot, talker, code=3).err
    break_it(talker)
    agent("lock", talker)
    first = agent("release", bot, talker).out
    assert agent("release", "--locked", bot, talker).out == first
    lock = (talker / "agent.lock").read_bytes()
    (talker / "Agentfile").write_text(
        (talker / "Agentfile").read_text().replace("judge:1.0", "judge@^2")
    )
    before = dict(fake.manifests)
    assert "judge" in agent("release", bot, talker, code=3).err
    assert (talker / "agent.lock").read_bytes() == lock
    assert fake.manifests == before


def test_version_goes_into_the_lineage(agent: Agent, bot: str, tmp_path: Path) -> None:
    folder = tmp_path / "family"
    folder.mkdir()
    head = "apiVersion: agent/v1\nkind: AgentDefinition\n"
    (folder / "parent.agentdef").write_text(
        f"{head}metadata: {{name: parent, version: 1.0.0}}\nspec: {{interface: talks}}\n"
    )
    child = (
        f"{head}metadata: {{name: child, version: 1.0.0, parent: parent@1.0.0}}\n"
        "spec: {inherit: all, invariants: [is kind]}\n"
    )
    (folder / "child.agentdef").write_text(child)
    release = ("release", "--format", "json", "-f", folder / "child.agentdef", bot, folder)
    assert agent(*release).json["tag"] == "1.0.0"
    (folder / "child.agentdef").write_text(child.replace("kind]", "kind, is quick]"))
    assert agent(*release).json["tag"] == "1.1.0"
    shown = agent("show", "--effective", "--format", "json", f"{bot}:1.1.0").json
    assert shown["definition"]["metadata"]["version"] == "1.1.0"
    assert shown["origins"]["/spec/interface"] == "parent@1.0.0"
    assert agent(*release).json["changed"] is False


@pytest.mark.parametrize(
    ("tag", "warned"),
    [("2.1.0", False), ("v2.1.0", False), ("2.1", False), ("latest", False), ("2.2.0", True)],
)
def test_a_tag_of_another_version_is_told(
    agent: Agent, talker: Path, tag: str, warned: bool
) -> None:
    for _ in range(2):
        built = agent("build", "-q", "-t", f"talker:{tag}", talker)
        assert (f"talker:{tag} is a tag of 2.2.0, and the agent says 2.1.0" in built.err) is warned
        assert warned or "is a tag of" not in built.err
