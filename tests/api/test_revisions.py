"""Where a release comes from, as git and CI jobs say it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agentoci.api.revisions import origin_of, web_address
from agentoci.config.ci import CommitBuilt, commit_built
from agentoci.config.settings import Settings, read_settings

SOURCE = "org.opencontainers.image.source"
REVISION = "org.opencontainers.image.revision"
GITLAB = {"CI_PROJECT_URL": "https://gitlab.example.com/team/bot", "CI_COMMIT_SHA": "c0ffee"}


def settings(**variables: str) -> Settings:
    return read_settings({**read_settings().environment, **variables})


def git(folder: Path, *arguments: str) -> str:
    author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    command = ["git", "-C", str(folder), *author, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A work tree with a commit and no remote."""
    folder = tmp_path / "tree"
    (folder / "bot").mkdir(parents=True)
    (folder / "bot" / "notes.md").write_text("one")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    return folder


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://example.com/team/bot.git", "https://example.com/team/bot"),
        ("https://ada:word@example.com/team/bot", "https://example.com/team/bot"),
        ("https://token@example.com:8443/bot.git/", "https://example.com:8443/bot"),
        ("http://example.com/bot", "http://example.com/bot"),
        ("git@example.com:team/bot.git", "https://example.com/team/bot"),
        ("ssh://git@example.com:2222/team/bot.git", "https://example.com/team/bot"),
        ("git://example.com/bot.git", "https://example.com/bot"),
        ("/srv/git/bot.git", None),
        ("file:///srv/git/bot.git", None),
        ("../bot", None),
        ("https://[bad", None),
        ("https://\u2100.example/bot", None),
        ("https://example.com/bot\x1b[2J", None),
        ("https://ada:word@example.com/bot?token=x#y", "https://example.com/bot"),
        ("", None),
    ],
)
def test_addresses_are_such_as_people_open(url: str, address: str | None) -> None:
    assert web_address(url) == address


@pytest.mark.parametrize(
    ("variables", "built"),
    [
        ({}, CommitBuilt()),
        (GITLAB, CommitBuilt("https://gitlab.example.com/team/bot", "c0ffee")),
        (
            {"GITHUB_REPOSITORY": "team/bot", "GITHUB_SHA": "c0ffee"},
            CommitBuilt("https://github.com/team/bot", "c0ffee"),
        ),
        (
            {"GITHUB_REPOSITORY": "team/bot", "GITHUB_SERVER_URL": "https://git.example.com/"},
            CommitBuilt("https://git.example.com/team/bot"),
        ),
        (
            {"BITBUCKET_GIT_HTTP_ORIGIN": "https://example.com/bot", "BITBUCKET_COMMIT": "c0ffee"},
            CommitBuilt("https://example.com/bot", "c0ffee"),
        ),
        (
            {"GIT_URL": "git@example.com:bot.git", "GIT_COMMIT": "c0ffee"},
            CommitBuilt("git@example.com:bot.git", "c0ffee"),
        ),
    ],
)
def test_ci_jobs_say_what_they_build(variables: dict[str, str], built: CommitBuilt) -> None:
    assert commit_built(variables) == built


def test_folder_without_a_work_tree_has_no_origin(tmp_path: Path) -> None:
    assert origin_of(tmp_path, settings()).annotations == {}
    found = origin_of(tmp_path, settings(**GITLAB)).annotations
    assert found == {SOURCE: "https://gitlab.example.com/team/bot", REVISION: "c0ffee"}


def test_what_is_given_counts(tree: Path) -> None:
    found = origin_of(tree, settings(**GITLAB), source="here", revision="v1")
    assert found.annotations == {SOURCE: "here", REVISION: "v1"}


def test_commit_is_the_one_that_is_checked_out(tree: Path) -> None:
    found = origin_of(tree / "bot", settings(**GITLAB))
    assert found.annotations == {
        SOURCE: "https://gitlab.example.com/team/bot",
        REVISION: git(tree, "rev-parse", "HEAD"),
    }


@pytest.mark.parametrize(("path", "dirty"), [("bot/new.md", True), ("README.md", False)])
def test_only_changes_of_the_folder_make_it_dirty(tree: Path, path: str, *, dirty: bool) -> None:
    (tree / path).write_text("not committed")
    found = origin_of(tree / "bot", settings())
    assert found.dirty is dirty
    assert found.annotations[REVISION].endswith("-dirty") is dirty
    assert not origin_of(tree / "bot", settings(), revision="v1").dirty


def test_machine_without_git(tree: Path, tmp_path: Path) -> None:
    assert origin_of(tree, settings(PATH=str(tmp_path))).annotations == {}


def test_work_tree_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert origin_of(tmp_path, settings()).annotations == {}


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A program that leaves a trace beside itself."""
    made = tmp_path / "trap"
    made.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    made.chmod(0o755)
    return made


def touched(tree: Path) -> None:
    """Let git look into every file again."""
    git(tree, "config", "core.trustctime", "true")
    notes = tree / "bot" / "notes.md"
    notes.write_text("two")
    notes.write_text("one")


@pytest.mark.parametrize("key", ["core.fsmonitor", "core.pager", "core.sshCommand", "alias.status"])
def test_nothing_that_the_folder_configures_is_run(tree: Path, trap: Path, key: str) -> None:
    git(tree, "config", key, str(trap))
    assert origin_of(tree, settings()).annotations
    assert not (trap.parent / "sprung").exists()


@pytest.mark.parametrize("key", ["clean", "process", "smudge"])
@pytest.mark.parametrize("name", ["trap", "a.b"])
def test_no_filter_of_the_folder_is_run(tree: Path, trap: Path, name: str, key: str) -> None:
    (tree / ".gitattributes").write_text(f"*.md filter={name}\n")
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "filters")
    git(tree, "config", f"filter.{name}.{key}", str(trap))
    git(tree, "config", f"filter.{name}.required", "true")
    touched(tree)
    assert origin_of(tree, settings()).annotations[REVISION] == git(tree, "rev-parse", "HEAD")
    assert not (trap.parent / "sprung").exists()


def test_a_folder_whose_filters_cannot_be_switched_off_is_not_asked(tree: Path, trap: Path) -> None:
    git(tree, "config", "filter.a=b.clean", str(trap))
    assert origin_of(tree, settings()).annotations == {}


def test_no_object_that_is_missing_is_fetched(tree: Path, trap: Path) -> None:
    """Where from, and by which program, is what the folder says."""
    missing = git(tree, "rev-parse", "HEAD^{tree}")
    (tree / ".git" / "objects" / missing[:2] / missing[2:]).unlink()
    git(tree, "config", "core.repositoryformatversion", "1")
    git(tree, "config", "extensions.partialClone", "origin")
    git(tree, "config", "remote.origin.promisor", "true")
    git(tree, "config", "remote.origin.url", str(tree))
    git(tree, "config", "remote.origin.uploadpack", str(trap))
    assert origin_of(tree, settings()).dirty, "nobody can tell"
    assert not (trap.parent / "sprung").exists()


def test_no_submodule_is_asked(tree: Path, trap: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "a.md").write_text("one")
    (inner / ".gitattributes").write_text("*.md filter=trap\n")
    git(inner, "add", "-A")
    git(inner, "commit", "-q", "-m", "one")
    git(tree, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "in")
    git(tree, "commit", "-q", "-m", "with a submodule")
    git(tree / "in", "config", "filter.trap.clean", str(trap))
    (tree / "in" / "a.md").write_text("two")
    (tree / "in" / "a.md").write_text("one")
    assert origin_of(tree, settings()).annotations[REVISION] == git(tree, "rev-parse", "HEAD")
    assert not (trap.parent / "sprung").exists()
