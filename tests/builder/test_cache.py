"""The cache saves work and is never believed against the facts."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agentoci._internal.clock import SystemClock
from agentoci.api.builds import Built, Profile
from agentoci.builder.cachefile import read_cache, write_cache
from agentoci.builder.memo import Memo
from agentoci.spec.jsonio import Json
from tests import commandline
from tests.builder.workshop import Workshop
from tests.layers.archives import contents

AGENTFILE = """\
FROM scratch
ARG WHO=nobody
COPY knowledge /agent/knowledge/
COPY data /agent/data/
SET memory.level=BASIC
ENV WHO=$WHO
INTERFACE cached_agent
"""


@pytest.fixture
def filled(workshop: Workshop) -> Workshop:
    workshop.fill({f"knowledge/{number}.md": f"{number}" * 50 for number in range(20)})
    workshop.fill({"data/a.csv": "1,2", "Agentfile": AGENTFILE})
    return workshop


def packed(built: Built) -> set[str]:
    """The kinds of the layers that were packed, not found."""
    titles = [
        x.desc.annotations["org.opencontainers.image.title"] for x in built.layers if not x.cached
    ]
    return {title.partition("-")[0] for title in titles}


def forget_replays(workshop: Workshop) -> None:
    """Leave the caches of layers and files, but not the record of the whole build."""
    for path in (workshop.home / "cache/builds").glob("*"):
        path.unlink()


# What is read

WATCH = """
import os, sys
context = os.path.realpath(sys.argv[1])
opened = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if path.startswith(context + os.sep):
            opened.append(os.path.relpath(path, context))
sys.addaudithook(watch)
from agentoci.cli.main import agent
if sys.argv[2] == "layers":
    import pathlib
    for record in pathlib.Path(os.environ["AGENTOCI_HOME"], "cache/builds").glob("*"):
        record.unlink()
agent.main(["build", "-q", "-t", "test:1", *sys.argv[3:], context], standalone_mode=False)
print(sorted(opened))
"""


def opened(workshop: Workshop, how: str, *options: str) -> list[str]:
    """The files of the context that a build in a process of its own opens."""
    environment = {**commandline.environment_of(workshop.home), "AGENTOCI_HOME": str(workshop.home)}
    done = subprocess.run(
        [sys.executable, "-c", WATCH, str(workshop.context), how, *options],
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )
    found: list[str] = eval(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_a_build_without_changes_opens_no_file_to_copy(filled: Workshop) -> None:
    settle()
    copied = {f"knowledge/{n}.md" for n in range(20)} | {"data/a.csv"}
    assert copied <= set(opened(filled, "all"))
    assert not copied & set(opened(filled, "all")), "the record of the build is enough"
    assert not copied & set(opened(filled, "layers")), "the digests of files are enough"
    filled.write("knowledge/3.md", "new")
    settle()
    assert "data/a.csv" not in opened(filled, "all"), "layers without a change are not read"
    assert copied <= set(opened(filled, "all", "--no-cache"))


def settle() -> None:
    """Wait until the clock of the file system has moved on, as it does between a user's steps."""
    SystemClock().sleep(0.15)


# What is noticed


def test_everything_is_cached_the_second_time(filled: Workshop) -> None:
    first = filled.build()
    assert packed(first) == {"knowledge", "files", "config", "interface"}
    steps = filled.told.steps
    again = filled.build()
    assert packed(again) == set()
    assert again.root == first.root
    assert [step for step, _ in filled.told.steps] == [step for step, _ in steps]
    forget_replays(filled)
    assert packed(filled.build()) == set()


def test_no_cache_packs_everything(filled: Workshop) -> None:
    filled.build()
    assert packed(filled.build(use_cache=False)) == {"knowledge", "files", "config", "interface"}


def test_a_change_of_the_same_size_is_noticed(filled: Workshop) -> None:
    before = filled.build()
    path = filled.context / "data/a.csv"
    status = path.stat()
    path.write_text("3,4")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert path.stat().st_mtime_ns == status.st_mtime_ns
    built = filled.build()
    assert packed(built) == {"files", "interface"}
    assert filled.copied(built)["data/a.csv"] == b"3,4"
    assert built.root != before.root


def test_a_file_replaced_by_another_is_noticed(filled: Workshop) -> None:
    filled.build()
    other = filled.write("other", "3,4")
    status = (filled.context / "data/a.csv").stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(filled.context / "data/a.csv")
    assert filled.copied(filled.build())["data/a.csv"] == b"3,4"


def test_a_touched_file_gives_the_same_image(filled: Workshop) -> None:
    before = filled.build()
    (filled.context / "knowledge/3.md").touch()
    built = filled.build()
    assert packed(built) == {"knowledge"}, "it is read again, for it may be another"
    assert built.root == before.root
    assert packed(filled.build()) == set()


def test_only_the_layer_that_changed_is_packed(workshop: Workshop) -> None:
    chance = random.Random(1)
    for number in range(300):
        workshop.write(f"knowledge/{number:03d}.md", chance.randbytes(20_000).hex())
    workshop.agentfile("FROM scratch\nCOPY knowledge /agent/knowledge/\n")
    first = workshop.build()
    assert len(first.layers) > 4
    workshop.write("knowledge/150.md", "changed")
    built = workshop.build()
    assert [layer.cached for layer in built.layers].count(False) == 2, "it, and the interface"


CHANGES: list[tuple[str, Callable[[Workshop], object]]] = [
    ("new-file", lambda w: w.write("data/b.csv")),
    ("removed-file", lambda w: (w.context / "knowledge/3.md").unlink()),
    ("renamed-file", lambda w: (w.context / "data/a.csv").rename(w.context / "data/z.csv")),
    ("new-folder", lambda w: (w.context / "data/empty").mkdir()),
    ("mode", lambda w: (w.context / "data/a.csv").chmod(0o755)),
    ("file-becomes-link", lambda w: w.fill({"data/b": "x", "data/c": "-> b"})),
    ("agentfile", lambda w: w.agentfile(AGENTFILE + "ENV X=1\n")),
    ("ignore-file", lambda w: w.write(".agentignore", "3.md\n")),
    ("definition", lambda w: w.write("cached_agent.agentdef", DEFINITION)),
]

DEFINITION = """\
apiVersion: agent/v1
kind: AgentDefinition
metadata: {name: cached_agent, version: 3.0.0}
spec:
  interface: I am another one.
"""


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in CHANGES])
def test_a_change_is_noticed(filled: Workshop, change: Callable[[Workshop], object]) -> None:
    before = filled.build()
    change(filled)
    built = filled.build()
    assert built.root != before.root
    assert built.root == filled.build(use_cache=False).root
    assert built.root == filled.build().root


def test_changes_of_agentignore_are_noticed_both_ways(filled: Workshop) -> None:
    before = filled.build()
    filled.write(".agentignore", "*.csv\n!a.csv\n3.md\n")
    assert "knowledge/3.md" not in filled.copied(filled.build())
    (filled.context / ".agentignore").write_text("*.csv\n!a.csv\n4.md\n")
    assert "knowledge/4.md" not in filled.copied(filled.build())
    (filled.context / ".agentignore").unlink()
    assert filled.build().root == before.root


def test_build_arguments_are_noticed(filled: Workshop) -> None:
    digests = {
        filled.build(build_args=arguments).root.digest
        for arguments in ({}, {"WHO": "me"}, {"WHO": "you"}, {"WHO": "me"})
    }
    assert len(digests) == 3


def test_profile_epoch_and_compression_are_noticed(filled: Workshop) -> None:
    first = filled.build()
    assert filled.build(profile=Profile.IMAGE).root != first.root
    assert filled.build(epoch=5).root != first.root
    assert filled.build().root == first.root


def test_another_base_of_the_same_name_is_noticed(filled: Workshop) -> None:
    filled.build_text("FROM scratch\nENV V=1\nINTERFACE base\n", "base:1")
    derived = "FROM base:1\nCOPY data /agent/data/\n"
    first = filled.build_text(derived)
    assert packed(filled.build()) == set()
    filled.build_text("FROM scratch\nENV V=2\nINTERFACE base\n", "base:1")
    second = filled.build_text(derived)
    assert second.root != first.root
    assert filled.image(second).config.env == ("V=2",)


def test_another_image_to_copy_from_is_noticed(filled: Workshop) -> None:
    text = "FROM scratch\nCOPY --from=tools:1 /agent/x /agent/x\n"
    for content in ("one", "two"):
        filled.write("x", content)
        filled.build_text("FROM scratch\nCOPY x /agent/x\n", "tools:1")
        assert filled.copied(filled.build_text(text))["x"] == content.encode()
        assert packed(filled.build()) == set()


def test_a_base_that_is_gone_is_noticed(filled: Workshop) -> None:
    filled.build_text("FROM scratch\nINTERFACE base\n", "base:1")
    filled.build_text("FROM base:1\nCOPY data /agent/data/\n")
    filled.engine.images.remove(["base:1"], force=True)
    with pytest.raises(Exception, match=r"Agentfile:1:6: base:1: no such image"):
        filled.build()


def test_a_requirement_that_comes_and_goes_is_noticed(filled: Workshop) -> None:
    text = "FROM scratch\nREQUIRE helper:1.0\nLABEL org.opencontainers.image.version=1.0.0\n"
    filled.build_text(text)
    assert len(filled.told.warnings) == 1
    filled.build()
    assert len(filled.told.warnings) == 1, "a cached build warns as well"
    filled.build_text("FROM scratch\nINTERFACE helper\n", "helper:1.0.2")
    filled.build_text(text)
    assert filled.told.warnings == []
    filled.build()
    assert filled.told.warnings == []
    filled.engine.images.remove(["helper:1.0.2"], force=True)
    filled.build()
    assert len(filled.told.warnings) == 1


def test_a_second_definition_makes_a_lone_one_ambiguous(workshop: Workshop) -> None:
    workshop.write("one.agentdef", DEFINITION)
    workshop.build()
    assert packed(workshop.build()) == set()
    workshop.write("two.agentdef", DEFINITION)
    with pytest.raises(Exception, match=r"no Agentfile, and 2 \.agentdef files"):
        workshop.build()
    (workshop.context / "two.agentdef").unlink()
    workshop.agentfile("FROM scratch\nINTERFACE by_agentfile\n")
    assert workshop.build().name == "by_agentfile"


def test_an_agentfile_elsewhere_is_watched(filled: Workshop, tmp_path: Path) -> None:
    file = tmp_path / "Agentfile.other"
    file.write_text("FROM scratch\nCOPY data /agent/data/\nENV V=1\n")
    first = filled.build(file=file)
    assert packed(filled.build(file=file)) == set()
    file.write_text("FROM scratch\nCOPY data /agent/data/\nENV V=2\n")
    assert filled.build(file=file).root != first.root


def test_relative_paths_are_not_mixed_up(
    filled: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record of a build from another working directory names the same files."""
    monkeypatch.chdir(filled.context)
    filled.agentfile("FROM scratch\nENV V=1\nINTERFACE x\n")
    filled.build(context=Path())
    (tmp_path / "Agentfile").write_text("FROM scratch\nENV V=1\nINTERFACE x\n")
    filled.agentfile("FROM scratch\nENV V=2\nINTERFACE x\n")
    monkeypatch.chdir(tmp_path)
    assert filled.image(filled.build(context=filled.context)).config.env == ("V=2",)


def test_a_new_tag_of_a_cached_build(filled: Workshop) -> None:
    first = filled.build("one:1")
    assert filled.build("one:2").root == first.root
    assert set(filled.names()) == {"one:1", "one:2"}


# Young files


def test_files_too_young_are_not_trusted(filled: Workshop) -> None:
    """They could change within one tick of the clock of the file system, unseen."""
    filled.clock = SystemClock()
    path = filled.context / "data/a.csv"
    path.write_text("5,6")
    filled.build()
    assert not list((filled.home / "cache/builds").glob("*"))
    for file in (filled.home / "cache/contexts").glob("*"):
        assert "data/a.csv" not in (read_cache(file, limit=10**6) or {})


def test_old_files_are_trusted_by_a_real_clock(filled: Workshop) -> None:
    filled.clock = SystemClock()
    settle()
    filled.build()
    assert packed(filled.build()) == set()


class StoppedClock(SystemClock):
    """Stands where it is told."""

    def __init__(self, at_ns: int) -> None:
        self._at = at_ns

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._at / 1e9, UTC)


def test_it_counts_when_the_build_began(filled: Workshop) -> None:
    """A build that takes long does not make the files old that changed just before it."""
    newest = max(p.stat().st_ctime_ns for p in filled.context.rglob("*") if p.is_file())
    filled.clock = StoppedClock(newest + 40_000_000)
    filled.build()
    assert packed(filled.build()) != set()
    filled.clock = StoppedClock(newest + 60_000_000)
    filled.build()
    assert packed(filled.build()) == set()


# Lost and broken


def test_lost_blobs_are_made_again(filled: Workshop) -> None:
    first = filled.build()
    image = filled.image(first)
    blobs = [image.manifest.config, *image.manifest.layers, first.root]
    for desc in blobs:
        filled.engine.store.path(desc.digest).unlink()
        again = filled.build()
        assert again.root == first.root
        assert all(filled.engine.store.exists(each) for each in blobs)
    for desc in blobs:
        path = filled.engine.store.path(desc.digest)
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1])
        assert filled.build().root == first.root
        assert all(filled.engine.store.exists(each) for each in blobs)


def caches(workshop: Workshop) -> list[Path]:
    return sorted(p for p in (workshop.home / "cache").rglob("*") if p.is_file())


DAMAGES: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("empty", lambda raw: b""),
    ("half", lambda raw: raw[: len(raw) // 2]),
    ("noise", lambda raw: random.Random(1).randbytes(len(raw))),
    ("other-json", lambda raw: b"[1, 2]"),
    ("other-object", lambda raw: b'{"value": {"a": 1}}'),
    ("one-bit", lambda raw: raw[:-2] + bytes([raw[-2] ^ 1]) + raw[-1:]),
    ("one-bit-of-the-seal", lambda raw: bytes([raw[0] ^ 1]) + raw[1:]),
    ("longer", lambda raw: raw + b" "),
]


@pytest.mark.parametrize("damage", [pytest.param(damage, id=name) for name, damage in DAMAGES])
@pytest.mark.parametrize("folder", ["builds", "contexts", "layers", "memo"])
def test_damaged_caches_cost_time_only(
    filled: Workshop, folder: str, damage: Callable[[bytes], bytes]
) -> None:
    first = filled.build()
    files = [path for path in caches(filled) if path.parent.name == folder]
    assert files
    for path in files:
        path.write_bytes(damage(path.read_bytes()))
    if folder != "builds":
        forget_replays(filled)
    assert filled.build().root == first.root
    assert packed(filled.build()) == set()


def test_a_record_of_another_shape_is_no_record(filled: Workshop) -> None:
    """As a version in development leaves them: the checksum is right, the content is not."""
    first = filled.build()
    (path,) = (filled.home / "cache/builds").iterdir()
    record = read_cache(path, limit=10**6) or {}
    others: tuple[Json, ...] = (None, [[]], {"a": "b"}, "text")
    for key in record:
        for value in others:
            write_cache(path, {**record, key: value})
            assert filled.build().root == first.root
        write_cache(path, {name: value for name, value in record.items() if name != key})
        assert filled.build().root == first.root


def test_cache_files_replaced_by_folders(filled: Workshop) -> None:
    first = filled.build()
    for path in caches(filled):
        path.unlink()
        path.mkdir()
    assert filled.build().root == first.root
    assert not [path for path in caches(filled) if path.is_file()], "nothing half-written is left"


def test_a_cache_that_cannot_be_written(filled: Workshop) -> None:
    filled.engine.writable_store  # noqa: B018 - makes the home
    (filled.home / "cache").write_text("a file where the folder should be")
    assert filled.build().root == filled.build().root


def test_sealed_files_keep_any_text(tmp_path: Path) -> None:
    document: dict[str, Json] = {"a": [1, "é\udcff", None], "b": {"c": 2**63}}
    write_cache(tmp_path / "deep/x.json", document)
    assert read_cache(tmp_path / "deep/x.json", limit=1000) == document
    assert read_cache(tmp_path / "deep/x.json", limit=50) is None
    assert read_cache(tmp_path / "missing.json", limit=50) is None
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["x.json"]


def test_a_memo_is_made_once(tmp_path: Path) -> None:
    numbers = itertools.count(1)
    memo = Memo(tmp_path)
    for _ in range(3):
        assert memo.remember("key", lambda: {"v": next(numbers)}) == {"v": 1}
    assert Memo(tmp_path, enabled=False).remember("key", lambda: {"v": 9}) == {"v": 9}
    assert memo.remember("other", lambda: {"v": 2}) == {"v": 2}


# Many at once


@pytest.mark.slow
def test_builds_at_the_same_time(filled: Workshop) -> None:
    """Six processes on one home: all of them end well, with one digest."""
    environment = {**commandline.environment_of(filled.home), "AGENTOCI_HOME": str(filled.home)}
    filled.build_text("FROM scratch\nCOPY data /agent/data/\n", "tools:1")
    filled.agentfile(AGENTFILE + "COPY --from=tools:1 /agent/data /agent/more/\n")
    line = [sys.executable, "-m", "agentoci", "build", "-t", "test:1", str(filled.context)]
    running = [
        subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    ended = [(each.communicate(), each.returncode) for each in running]
    assert [code for _, code in ended] == [0] * 6, ended
    assert len({out for (out, _), _ in ended}) == 1
    assert filled.ingest() == []


def test_an_unpacked_image_is_used_again(filled: Workshop) -> None:
    filled.build_text("FROM scratch\nCOPY data /agent/data/\n", "tools:1")
    text = "FROM scratch\nCOPY --from=tools:1 /agent/data /agent/more/\n"
    filled.build_text(text)
    (folder,) = (filled.home / "cache/unpacked").iterdir()
    before = folder.stat().st_ino
    assert packed(filled.build_text(text + "ENV A=1\n")) == set(), "the config alone changed"
    assert folder.stat().st_ino == before
    assert contents(folder)["agent/data/a.csv"] == b"1,2"


def test_the_watching_script_is_right(tmp_path: Path) -> None:
    """What the test of reading hangs on: an audit hook hears of every opening."""
    (tmp_path / "x").write_text("x")
    script = textwrap.dedent(
        """
        import os, sys
        heard = []
        sys.addaudithook(lambda event, a: heard.append(a[0]) if event == "open" else None)
        os.close(os.open(sys.argv[1], os.O_RDONLY))
        print(sys.argv[1] in heard)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "x")], capture_output=True, check=True
    )
    assert done.stdout == b"True\n"
