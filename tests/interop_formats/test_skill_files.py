"""SKILL.md: what is read, what is refused where, and that the format's own validator agrees."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.errors import SourceFaults
from agentoci.interop.skills import Skill, is_skill_name, read_skill

SKILLS = Path(__file__).parent / "skills"
GOOD = sorted(path.parent.name for path in SKILLS.glob("*/SKILL.md"))


def read(text: str | bytes, folder: str | None = "pdf") -> Skill:
    content = text if isinstance(text, bytes) else text.encode()
    return read_skill(content, folder=folder, file="SKILL.md")


def skill(*lines: str, name: str = "pdf", description: str = "Reads PDF files") -> str:
    """A SKILL.md with these lines from line 4 on."""
    front = [f"name: {name}", f"description: {description}", *lines]
    return "\n".join(["---", *front, "---", "# Title", ""])


@pytest.mark.parametrize("name", GOOD)
def test_our_own_skills_are_good(name: str) -> None:
    found = read_skill((SKILLS / name / "SKILL.md").read_bytes(), folder=name, file=name)
    assert found.name == name
    assert 20 < len(found.description) < 200
    assert found.body.lstrip().startswith("# ")


def test_what_a_skill_says() -> None:
    found = read(
        skill(
            "license: MIT",
            "compatibility: Python 3",
            "allowed-tools: Read Bash(git:*)",
            "metadata:",
            "  version: 1.10",
            "  on: yes",
            "  date: 2026-03-01",
            '  quoted: "0x10"',
        )
    )
    assert found == Skill(
        "pdf",
        "Reads PDF files",
        "MIT",
        "Python 3",
        {"version": "1.10", "on": "yes", "date": "2026-03-01", "quoted": "0x10"},
        "Read Bash(git:*)",
        "# Title\n",
    )


def test_windows_line_ends_and_a_byte_order_mark() -> None:
    text = ("\ufeff" + skill("license: MIT")).replace("\n", "\r\n")
    assert read(text).license == "MIT"
    assert read(text).body == "# Title\r\n"


def test_a_line_of_dashes_in_a_value_or_the_body_ends_nothing() -> None:
    text = skill("license: see --- below", description="a --- b") + "\n---\nmore\n"
    assert read(text).description == "a --- b"
    assert read(text).body.endswith("---\nmore\n")


def test_the_folder_has_no_say_at_the_root_of_an_artifact() -> None:
    assert read(skill(), None).name == "pdf"


# Text, line, column, message, hint.
BAD: list[tuple[str | bytes, int, int, str, str]] = [
    ("", 1, 1, "no frontmatter", "name: NAME"),
    ("# Title\n", 1, 1, "no frontmatter", "begin the file with ---"),
    ("\n---\nname: pdf\n---\n", 1, 1, "no frontmatter", "begin the file"),
    ("---\nname: pdf\n", 1, 1, "the frontmatter is not closed", "--- alone"),
    ("---\nname: pdf\n ---\n", 1, 1, "the frontmatter is not closed", "--- alone"),
    ("---\n---\n", 1, 1, "the frontmatter is empty", "name: NAME"),
    ("---\n- a\n---\n", 2, 1, "expected a mapping", ""),
    (b"---\nname: \xff\n---\n", 2, 1, "not UTF-8", "save it as UTF-8"),
    ("---\nname: a: b\n---\n", 2, 8, "not YAML", "put the value in quotes"),
    ("---\nname: pdf\n---\n", 2, 1, "'description' is missing", ""),
    ("---\ndescription: x\n---\n", 2, 1, "'name' is missing", ""),
    ("---\nname: pdf\ndescripton: x\n---\n", 3, 1, "unknown key 'descripton'", "'description'"),
    (skill("version: 1"), 4, 1, "unknown key 'version'", "under metadata"),
    (skill("allowed_tools: Read"), 4, 1, "unknown key 'allowed_tools'", "'allowed-tools'"),
    (skill(name="PDF"), 2, 7, "'PDF' is not the name of a skill", "did you mean 'pdf'?"),
    (skill(name="my_pdf"), 2, 7, "'my_pdf' is not the name", "did you mean 'my-pdf'?"),
    (skill(name="-pdf"), 2, 7, "'-pdf' is not the name", "did you mean 'pdf'?"),
    (skill(name="pdf-"), 2, 7, "'pdf-' is not the name", "did you mean 'pdf'?"),
    (skill(name="p--df"), 2, 7, "'p--df' is not the name", "did you mean 'p-df'?"),
    (skill(name="流程"), 2, 7, "'流程' is not the name", "lower-case letters"),
    (skill(name="a" * 65), 2, 7, "name: 65 characters, the most is 64", ""),
    (skill(name="doc"), 2, 7, "the skill is called 'doc', its folder 'pdf'", "rename one"),
    (skill(name="[pdf]"), 2, 7, "name: expected text, found a list", ""),
    (skill(name=""), 2, 6, "name: expected text, found none", ""),
    (skill(description="''"), 3, 14, "description: expected text, found none", ""),
    (skill(description="x" * 1025), 3, 14, "1025 characters, the most is 1024", ""),
    (skill(f"compatibility: {'x' * 501}"), 4, 16, "501 characters, the most is 500", ""),
    (skill("license: {a: b}"), 4, 10, "license: expected text, found a mapping", ""),
    (skill("metadata: x"), 4, 11, "metadata: expected a mapping, found 'x'", ""),
    (skill("metadata:", "  a: [b]"), 5, 6, "metadata.a: expected text, found a list", "text to"),
    (skill("allowed-tools: [Read]"), 4, 16, "expected text, found a list", "on one line"),
    (skill("name: pdf"), 4, 1, "'name'", ""),
    (skill("a: &x b"), 4, 4, "", ""),
]


@pytest.mark.parametrize(("text", "line", "column", "message", "hint"), BAD)
def test_what_is_no_skill(
    text: str | bytes, line: int, column: int, message: str, hint: str
) -> None:
    with pytest.raises(SourceFaults) as caught:
        read(text)
    fault = caught.value.faults[0]
    assert (fault.line, fault.column) == (line, column), fault
    assert message in fault.message
    assert hint in (fault.hint or "")


def test_all_faults_at_once() -> None:
    with pytest.raises(SourceFaults) as caught:
        read(skill("foo: x", "metadata: 1", f"compatibility: {'x' * 600}", name="Pdf"))
    assert [fault.line for fault in caught.value.faults] == [2, 4, 5, 6]


def test_a_huge_file_is_not_read() -> None:
    with pytest.raises(SourceFaults, match="larger than 256 KiB"):
        read(skill() + "x" * 300_000)


@given(st.binary() | st.text().map(str.encode))
def test_any_content_is_a_skill_or_has_faults(content: bytes) -> None:
    for text in (content, b"---\n" + content + b"\n---\n", b"---\nname: a\n" + content):
        try:
            found = read(text, None)
        except SourceFaults as exc:
            lines = [fault.line for fault in exc.faults]
        else:
            lines = [1 if is_skill_name(found.name) else 0]
        assert min(lines) >= 1


# The format's own validator: same verdict, where the same YAML is read.

_AGREED = [text for text, *_ in BAD if isinstance(text, str) and "流程" not in text]
_OWN_RULES = {skill("metadata: x")}
"""The peer takes any metadata."""


def peers_verdict(folder: Path) -> list[str]:
    from skills_ref.validator import validate  # type: ignore[import-untyped]

    found: list[str] = validate(folder)
    return found


@pytest.mark.parametrize("name", GOOD)
def test_the_peer_takes_our_skills(name: str) -> None:
    assert peers_verdict(SKILLS / name) == []


@pytest.mark.parametrize("text", _AGREED)
def test_the_peer_refuses_what_we_refuse(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "pdf"
    folder.mkdir()
    (folder / "SKILL.md").write_text(text, encoding="utf-8")
    assert bool(peers_verdict(folder)) is (text not in _OWN_RULES)


KEY = st.from_regex(r"[a-mo-z]{1,8}(-[a-z]{1,8})?", fullmatch=True)
LABEL = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,3}", fullmatch=True)
PLAIN = st.from_regex(r"[A-Za-z][A-Za-z0-9 ,.]{0,60}[a-z]", fullmatch=True)


@given(LABEL, PLAIN, st.dictionaries(KEY, PLAIN, max_size=3), st.sampled_from(["", "X", "-"]))
def test_the_peer_agrees_on_names(
    name: str, description: str, metadata: dict[str, str], wrong: str
) -> None:
    from skills_ref.validator import validate_metadata

    called = name + wrong
    lines = ["metadata:", *(f"  {key}: {value}" for key, value in metadata.items())]
    text = skill(*(lines if metadata else []), name=called, description=description)
    said = {"name": called, "description": description}
    try:
        ours = read(text, called).name == called
    except SourceFaults:
        ours = False
    assert ours == (validate_metadata(said, Path(called)) == [])
