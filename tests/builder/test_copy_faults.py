"""What COPY refuses: every fault at its place, and nothing half-read."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentoci.agentfile import Copy, parse
from agentoci.builder.context import Context
from agentoci.builder.copying import plan_copy
from agentoci.errors import AgentociError, Denied
from agentoci.layers.pack import ChangedWhileReading, pack
from agentoci.spec.mediatypes import Compression
from tests.builder.workshop import FILES, Workshop


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "../outside.md", "../../../etc/passwd", "missing.md", "loop", ".", "a\\b"],
)
def test_other_links_are_refused_at_their_place(workshop: Workshop, target: str) -> None:
    workshop.fill({"outside.md": "x", "in/a.md": "a", "in/loop": f"-> {target}"})
    if target == "a\\b":
        workshop.write("in/a\\b")
    fault = workshop.faults("FROM scratch\n\nCOPY in /agent/knowledge/\n").faults[0]
    assert (fault.line, fault.column) == (3, 1)
    assert fault.text == "COPY in /agent/knowledge/"
    assert "loop" in fault.message or "a\\\\b" in fault.message


def test_a_link_alone_needs_what_it_leads_to(workshop: Workshop) -> None:
    workshop.fill({"a.md": "a", "link": "-> a.md"})
    fault = workshop.faults("FROM scratch\nCOPY link /agent/x/\n").faults[0]
    assert "is a link to 'a.md', which is not inside what is copied" in fault.message
    built = workshop.build_text("FROM scratch\nCOPY link a.md /agent/x/\n")
    assert workshop.copied(built) == {"x/a.md": b"a", "x/link": "-> a.md"}


# Faults: all of them, each with line and caret

FAULTS: list[tuple[str, str, str, int]] = [
    ("missing", "COPY nope.md /agent/x", "'nope.md' is not in the context", 6),
    ("missing-second", "COPY a.md nope.md /agent/x/", "'nope.md' is not in the context", 11),
    ("missing-folder", "COPY nope/x.md /agent/x", "'nope/x.md' is not in the context", 6),
    ("below-a-file", "COPY a.md/x /agent/x", "'a.md/x' is not in the context", 6),
    ("no-match", "COPY *.rst /agent/x/", "'*.rst' matches nothing in the context", 6),
    ("no-match-in-set", "COPY set/[z]1.md /agent/x/", "matches nothing", 6),
    ("bad-set", "COPY set/[z-a].md /agent/x/", "is no pattern: bad character range", 1),
    ("dots", "COPY ../secret /agent/x", "'../secret' leads out of the context", 6),
    ("hidden-dots", "COPY docs/../../x /agent/x", "leads out of the context", 6),
    ("behind-a-link", "COPY link/c.md /agent/x", "'link' is a symbolic link", 1),
    ("outside-agent", "COPY a.md /etc/x", "destination '/etc/x' is outside /agent", 1),
    ("climbing-out", "COPY a.md /agent/../x", "is outside /agent", 1),
    ("climbing-relative", "COPY a.md ../x", "is outside /agent", 1),
    ("reserved", "COPY a.md /agent/definition.json", "is written by the builder itself", 1),
    ("reserved-by-name", "COPY res/ /agent/", "'agent/config.json' is written by the builder", 1),
    ("reserved-folded", "COPY a.md /agent/Files.json", "are one name where case is folded", 1),
    ("below-reserved", "COPY a.md /agent/files.json/x", "is a file already", 1),
    ("backslash", 'COPY a.md "/agent/a\\\\b"', "holds a control character or a backslash", 1),
    ("whiteout", "COPY a.md /agent/.wh.x", "starts with '.wh.'", 1),
    ("too-long", f"COPY a.md /agent/{'x' * 256}", "is longer than 255 bytes", 1),
    ("several-to-a-file", "COPY *.md /agent/x", "matches 4 names, but the destination is one", 1),
    ("not-utf-8", "COPY raw /agent/x/", "cannot be in an image", 1),
    ("case", "COPY case/ /agent/x/", "'agent/x/A.md' and 'agent/x/a.md' are one name", 1),
    ("accents", "COPY accents/ /agent/x/", "are one name where case is folded", 1),
    ("folder-case", "COPY foldercase/ /agent/x/", "'agent/x/F' and 'agent/x/f' are one name", 1),
    ("empty-folder-case", "COPY emptycase/ /agent/x/", "are one name where case is folded", 1),
    ("fifo", "COPY pipe /agent/x", "'pipe' is no regular file, folder or link", 1),
    ("socket", "COPY sockets/ /agent/x/", "is no regular file, folder or link", 1),
]


@pytest.fixture
def odd(workshop: Workshop) -> Workshop:
    """A context with what cannot be copied."""
    workshop.fill(FILES)
    workshop.fill(
        {
            "link": "-> docs",
            "res/config.json": "{}",
            "case/a.md": "1",
            "case/A.md": "2",
            "accents/\u00e9.md": "1",
            "accents/e\u0301.md": "2",
            "foldercase/f/1": "1",
            "foldercase/F/2": "2",
            "emptycase/f": "1",
            "emptycase/F": None,
            "raw": None,
            "sockets": None,
        }
    )
    os.mkfifo(workshop.context / "pipe")
    (Path(os.fsdecode(os.fsencode(workshop.context / "raw") + b"/\xff.md"))).write_text("x")
    here = Path.cwd()
    os.chdir(workshop.context / "sockets")  # the path of a socket has to be short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("s")
    finally:
        os.chdir(here)
    return workshop


@pytest.mark.parametrize(
    ("line", "message", "column"), [pytest.param(*f[1:], id=f[0]) for f in FAULTS]
)
def test_a_fault_is_told_at_its_place(odd: Workshop, line: str, message: str, column: int) -> None:
    faults = odd.faults(f"FROM scratch\n{line}\n")
    assert faults.exit_code == 2
    (fault,) = faults.faults
    assert message in fault.message
    assert (fault.line, fault.column) == (2, column)
    assert fault.text == line
    assert "^" in fault.render()
    assert odd.ingest() == []


def test_all_faults_are_told_at_once(odd: Workshop) -> None:
    faults = odd.faults(
        "FROM scratch\nCOPY nope /agent/x\nCOPY a.md /agent/\nCOPY ../y /agent/x\n"
        "COPY a.md b.md gone.md /agent/k/\nCOPY a.md /agent/a.md/b\n"
    ).faults
    assert [(fault.line, fault.column) for fault in faults] == [(2, 6), (4, 6), (5, 16), (6, 1)]


def test_a_file_where_an_earlier_copy_made_a_folder(workshop: Workshop) -> None:
    workshop.fill(FILES)
    fault = workshop.faults(
        "FROM scratch\nCOPY a.md /agent/knowledge/\nCOPY b.md /agent/knowledge\n"
    ).faults[0]
    assert "'agent/knowledge' is a folder already" in fault.message
    assert fault.hint is not None
    assert "/agent/knowledge/" in fault.hint
    assert fault.line == 3


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("a.dm", "did you mean 'a.md'?"),
        ("docs/c.dm", "did you mean 'docs/c.md'?"),
        ("dosc/c.md", "there is no folder 'dosc'"),
        ("key.pem", "'!key.pem' takes it back in"),
        (".ssh/known_hosts", "'!.ssh' takes it back in"),
    ],
)
def test_hints_for_missing_sources(workshop: Workshop, source: str, hint: str) -> None:
    workshop.fill({**FILES, "key.pem": "secret", ".ssh/known_hosts": "secret"})
    fault = workshop.faults(f"FROM scratch\nCOPY {source} /agent/x\n").faults[0]
    assert fault.hint is not None
    assert hint in fault.hint


# The machine


def as_nobody(step: Callable[[], object]) -> AgentociError | None:
    """The error of a step that runs in a child which is not root; only code and text come back."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        code, text = 99, ""
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            step()
            code = 0
        except AgentociError as exc:
            code, text = exc.exit_code, exc.message
        finally:
            os.write(theirs, text.encode())
            os._exit(code)
    os.close(theirs)
    with os.fdopen(ours, encoding="utf-8") as stream:
        error = AgentociError(stream.read())
    error.exit_code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return error if error.exit_code else None


@pytest.fixture
def open_workshop() -> Iterator[Workshop]:
    """A workshop that anybody may enter and write to."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    made = Workshop(folder / "shop")
    made.home.mkdir()
    for each in (made.folder, made.home, made.context):
        each.chmod(0o777)
    yield made
    shutil.rmtree(folder)


def test_an_unreadable_file_is_named(open_workshop: Workshop) -> None:
    open_workshop.write("in/secret.md").chmod(0)
    open_workshop.agentfile("FROM scratch\nCOPY in /agent/knowledge/\n")
    error = as_nobody(open_workshop.build)
    assert error is not None
    assert error.exit_code == Denied.exit_code
    assert "in/secret.md: may not be read" in error.message
    assert open_workshop.ingest() == []


def test_an_unreadable_folder_is_told_at_its_place(open_workshop: Workshop) -> None:
    open_workshop.write("in/locked/a.md")
    open_workshop.agentfile("FROM scratch\nCOPY in /agent/knowledge/\n")
    (open_workshop.context / "in/locked").chmod(0)
    error = as_nobody(open_workshop.build)
    (open_workshop.context / "in/locked").chmod(0o755)
    assert error is not None
    assert error.exit_code == Denied.exit_code
    assert "Agentfile:2:1: " in error.message
    assert "in/locked: may not be read" in error.message


@pytest.mark.parametrize("size", [100, 20_000_000], ids=["small", "huge"])
@pytest.mark.parametrize("change", ["grow", "shrink", "vanish", "link", "fifo", "folder"])
def test_a_file_that_changes_before_it_is_read(workshop: Workshop, size: int, change: str) -> None:
    file = workshop.write("in/a.bin", bytes(size))
    context = Context.whole(workshop.context)
    instruction = parse("FROM scratch\nCOPY in /agent/\n", file="x").final.instructions[0]
    assert isinstance(instruction, Copy)
    entries = [copied.entry for copied in plan_copy(instruction, context)]
    match change:
        case "grow":
            file.write_bytes(bytes(size + 1))
        case "shrink":
            file.write_bytes(bytes(size - 1))
        case _:
            file.unlink()
    if change == "link":
        file.symlink_to("/etc/passwd")
    elif change == "fifo":
        os.mkfifo(file)
    elif change == "folder":
        file.mkdir()
    store = workshop.engine.writable_store
    with pytest.raises(ChangedWhileReading, match=r"a\.bin") as caught, store.writer() as sink:
        pack(entries, sink, compression=Compression.ZSTD, epoch=0)
    assert caught.value.hint
    assert workshop.ingest() == []
