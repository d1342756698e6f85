"""What is left out of a context: safe defaults, and the user's rules on top."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentoci.builder.context import Context, SourceMissing
from agentoci.builder.ignore import DEFAULTS, _path_expression, read_rules
from agentoci.builder.patterns import part_expression
from agentoci.errors import Invalid
from tests.builder.workshop import Workshop

ALL = "FROM scratch\nCOPY . /agent/in/\n"

SECRETS = [
    ".git/config",
    ".hg/store",
    ".svn/entries",
    ".env",
    ".env.local",
    "deep/down/.env",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".ssh/known_hosts",
    ".aws/credentials",
    ".kube/config",
    ".docker/config.json",
    "server.pem",
    "certs/server.key",
    "store.p12",
    "store.pfx",
    "id_rsa",
    "id_rsa.pub",
    "id_ecdsa",
    "id_ed25519",
    "__pycache__/a.pyc",
    "b.pyc",
    ".DS_Store",
]

KEPT = [
    "a.md",
    ".env.example",
    "envs/a.md",
    "environment",
    "keys.md",
    "git/x",
    ".github/x",
    "my.env",
]


def copied(workshop: Workshop) -> set[str]:
    """What `COPY .` brings, without the Agentfile."""
    found = workshop.copied(workshop.build_text(ALL))
    return {path.removeprefix("in/") for path in found} - {"Agentfile"}


def test_the_defaults_leave_out_secrets_and_droppings(workshop: Workshop) -> None:
    workshop.fill(dict.fromkeys([*SECRETS, *KEPT], "x"))
    assert copied(workshop) - {"deep/down", "certs"} == set(KEPT)


def test_the_defaults_hold_below_rules_of_ones_own(workshop: Workshop) -> None:
    workshop.fill(dict.fromkeys([*SECRETS, *KEPT, "notes.txt"], "x"))
    workshop.write(".agentignore", "# no notes\n*.txt\n")
    assert copied(workshop) - {"deep/down", "certs"} == set(KEPT)


RULES: list[tuple[str, str, set[str]]] = [
    ("name", "b.md", {"a.md", "docs/c.txt", "docs/sub/d.md"}),
    ("rooted", "/b.md", {"a.md", "docs/b.md", "docs/c.txt", "docs/sub/d.md"}),
    ("folder", "docs/", {"a.md", "b.md"}),
    ("folder-without-slash", "docs", {"a.md", "b.md"}),
    ("star", "*.md", {"docs/c.txt", "docs/sub"}),
    ("in-folder", "docs/*.md", {"a.md", "b.md", "docs/c.txt", "docs/sub/d.md"}),
    ("double-star", "docs/**/*.md", {"a.md", "b.md", "docs/c.txt", "docs/sub"}),
    ("re-included", "*.md\n!a.md", {"a.md", "docs/c.txt", "docs/sub"}),
    ("last-rule-wins", "!a.md\n*.md", {"docs/c.txt", "docs/sub"}),
    (
        "comment-and-blank",
        "# b.md\n\n",
        {"a.md", "b.md", "docs/b.md", "docs/c.txt", "docs/sub/d.md"},
    ),
    ("a-folder-stays-out", "docs/\n!docs/c.txt", {"a.md", "b.md"}),
    ("windows-line-ends", "b.md\r\n*.txt\r\n", {"a.md", "docs/sub/d.md"}),
]


@pytest.mark.parametrize(("rules", "left"), [pytest.param(*row[1:], id=row[0]) for row in RULES])
def test_rules_are_those_of_gitignore(workshop: Workshop, rules: str, left: set[str]) -> None:
    workshop.fill(dict.fromkeys(["a.md", "b.md", "docs/b.md", "docs/c.txt", "docs/sub/d.md"], "x"))
    workshop.write(".agentignore", rules)
    assert copied(workshop) == left


def test_a_default_can_be_taken_back_in(workshop: Workshop) -> None:
    workshop.fill(
        {"ca.pem": "x", "own.pem": "x", ".git/config": "x", ".agentignore": "!ca.pem\n!.git"}
    )
    assert copied(workshop) == {"ca.pem", ".git/config"}


def test_an_ignored_source_is_explained(workshop: Workshop) -> None:
    workshop.fill({"notes/a.txt": "x", ".agentignore": "*.txt\n"})
    (fault,) = workshop.faults("FROM scratch\nCOPY notes/a.txt /agent/x\n").faults
    assert fault.hint == "it is left out by .agentignore or its defaults; '!a.txt' takes it back in"
    workshop.write(".agentignore", "*.txt\n!a.txt\n")
    built = workshop.build_text("FROM scratch\nCOPY notes/a.txt /agent/x\n")
    assert workshop.copied(built) == {"x": b"x"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not UTF-8 text"),
        (b"#" * (2**20 + 1), "larger than 1 MiB"),
        (None, "not a regular file"),
    ],
)
def test_a_file_of_rules_that_is_none(
    workshop: Workshop, content: bytes | None, message: str
) -> None:
    workshop.fill({".agentignore": content})
    workshop.agentfile(ALL)
    with pytest.raises(Invalid, match=message) as caught:
        workshop.build()
    assert ".agentignore" in caught.value.message


def test_empty_rules_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "ruled").mkdir()
    (tmp_path / "ruled" / ".agentignore").write_text("\n# nothing\n!\n/\n")
    plain, ruled = read_rules(tmp_path), read_rules(tmp_path / "ruled")
    for path in (*SECRETS, *KEPT):
        for name in (path, path.partition("/")[0]):
            assert plain(name, False) == ruled(name, False)


def test_a_folder_taken_back_in_keeps_its_secrets_out(workshop: Workshop) -> None:
    """Rules that name a folder say nothing of what is in it."""
    names = [".env", ".ssh/id", "sub/.git/config", "sub/key.pem", "sub/a.md"]
    workshop.fill(dict.fromkeys([f"docs/{name}" for name in names], "x"))
    workshop.write(".agentignore", "*\n!docs/\n!docs/**\n.*\n*.pem\n")
    assert copied(workshop) == {"docs/sub/a.md"}
    workshop.write(".agentignore", "!docs/\n!sub\n")
    assert copied(workshop) == {"docs/sub/a.md"}


def test_a_bad_pattern_is_told_with_its_line(workshop: Workshop) -> None:
    workshop.write(".agentignore", "*.txt\n[z-a]\n")
    workshop.agentfile(ALL)
    with pytest.raises(Invalid, match=r"\.agentignore:2: '\[z-a\]' is no pattern"):
        workshop.build()


# git is the reference for the meaning of rules.

PART = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        "*",
        "?",
        "**",
        "a*",
        "*b",
        "[ab]",
        "[!a]",
        "*.md",
        ".env",
        "x\\*",
        "\\#x",
        "a ",
    ]
)
RULE = st.builds(
    lambda keeps, rooted, parts, folder: keeps + rooted + "/".join(parts) + folder,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(PART, min_size=1, max_size=3),
    st.sampled_from(["", "", "/", " "]),
)
TREE = [
    "a", "b/a", "b/b/a", "b/b/b.md", "b/.env", "ab/a.md", "ab/.env/x", "ab/ab/ab", "ab/ab/b",
    "c.md", "x*", "xy", "#x", "a b/a", "[ab]", ".env.example/.env", ".env.example/a", "d/key.pem",
    "d/.ssh/k",
]  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree, and an empty repository of git's beside it."""
    folder = tmp_path_factory.mktemp("git")
    if shutil.which("git") is None:
        pytest.skip("git is not there to compare with")
    subprocess.run(["git", "init", "-q", "--bare", folder / "repository"], check=True)
    for path in TREE:
        file = folder / "tree" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    return folder


def left_by_git(folder: Path, rules: list[str]) -> set[str]:
    (folder / "rules").write_text("\n".join([*DEFAULTS, *rules]) + "\n")
    line = ["git", f"--git-dir={folder / 'repository'}", f"--work-tree={folder / 'tree'}"]
    line += ["ls-files", "--others", "-z", f"--exclude-from={folder / 'rules'}"]
    done = subprocess.run(line, cwd=folder / "tree", check=True, capture_output=True)
    return {name.decode() for name in done.stdout.split(b"\0") if name}


def left_by_us(folder: Path, rules: list[str]) -> set[str]:
    (folder / "ours").mkdir(exist_ok=True)
    (folder / "ours" / ".agentignore").write_text("\n".join(rules))
    context = Context(folder / "tree", ignored=read_rules(folder / "ours"))
    return {entry.path for entry in context.walk("") if not entry.is_folder}


@given(st.lists(RULE, max_size=5))
@example([])
@example(["docs/**", "!b/b/a"])
@example(["*", "!b/", "!a"])
@example(["!.env.example/"])
@example(["b/**", "!b/b/a"])
@example(["**/a", "!/a"])
@example(["x\\*"])
@example(["a\\ "])
def test_rules_mean_what_they_mean_to_git(tree: Path, rules: list[str]) -> None:
    assert left_by_us(tree, rules) == left_by_git(tree, rules)


# Patterns by hostile hands

_STARRED = st.lists(st.sampled_from(["*", "a", "b", "?", "[ab]"]), max_size=8).map("".join)
_DEEP = st.lists(st.sampled_from(["**", "a", "b", "*", "a*b", "?"]), min_size=1, max_size=6)


@given(_STARRED, st.text("ab", max_size=8))
def test_stars_match_what_they_match_in_a_shell(pattern: str, name: str) -> None:
    found = re.fullmatch(part_expression(pattern), name) is not None
    assert found == fnmatch.fnmatchcase(name, pattern)


def naively(parts: Sequence[str], path: Sequence[str]) -> bool:
    """What `**` means, by trying all that it can stand for."""
    if not parts:
        return not path
    if parts[0] != "**":
        return (
            bool(path) and fnmatch.fnmatchcase(path[0], parts[0]) and naively(parts[1:], path[1:])
        )
    if all(part == "**" for part in parts):
        return bool(path)
    return any(naively(parts[1:], path[at:]) for at in range(len(path) + 1))


@given(_DEEP, st.lists(st.sampled_from(["a", "b", "ab", "aab"]), min_size=1, max_size=6))
def test_double_stars_match_any_folders(parts: list[str], path: list[str]) -> None:
    expression = "".join(_path_expression(parts))
    found = re.compile(expression, re.DOTALL).fullmatch("/".join(path)) is not None
    assert found == naively(parts, path)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("*a" * 40 + "b", "a" * 200),
        ("*?" * 60 + "b", "a" * 200),
        ("**/" * 40 + "x/y", "d/" * 60 + "z"),
        ("**/d/" * 30 + "x", "d/" * 60 + "z"),
        ("/**/*d*/" * 20 + "x", "ddd/" * 60 + "z"),
    ],
)
def test_no_rule_takes_for_ever(tmp_path: Path, rule: str, name: str) -> None:
    """A folder of somebody else's brings its rules along: these took longer than the sun lasts."""
    (tmp_path / ".agentignore").write_text(rule + "\n")
    assert not read_rules(tmp_path)(name, False)


@given(_DEEP)
def test_sources_match_as_rules_do(tree: Path, parts: list[str]) -> None:
    context = Context(tree / "tree", ignored=lambda _name, _folder: False)
    there = [entry.path for entry in context.walk("")]
    expected = sorted(path for path in there if naively(parts, path.split("/")))
    assert sorted(entry.path for entry in context._match(parts)) == expected


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """Too deep for Python to remove: pytest's own clean-up fails on it, so it goes here."""
    folder = tmp_path / "deep"
    folder.mkdir()
    deepest = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=deepest)
        inner = os.open("d", os.O_RDONLY, dir_fd=deepest)
        os.close(deepest)
        deepest = inner
    os.close(deepest)
    yield folder
    subprocess.run(["rm", "-r", folder], check=True)


def test_folders_nest_deeper_than_the_stack(deep: Path) -> None:
    context = Context(deep, ignored=lambda _name, _folder: False)
    assert sum(entry.is_folder for entry in context.walk("")) == 1500
    with pytest.raises(SourceMissing):
        context.expand("**/d/" * 12 + "x")


def test_rules_in_a_pipe_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".agentignore")
    with pytest.raises(Invalid, match="not a regular file"):
        read_rules(tmp_path)
