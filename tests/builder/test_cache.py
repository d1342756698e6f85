"""The cache saves work and is never believed against the facts."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentoci.api.builds import Profile
from tests import commandline
from tests.builder.caching import AGENTFILE, fill, forget_replays, packed, settle
from tests.builder.workshop import Workshop


@pytest.fixture
def filled(workshop: Workshop) -> Workshop:
    fill(workshop)
    return workshop


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
