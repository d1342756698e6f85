"""Diffs of real images: in the store, at a registry, in layouts, and of folders."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from agentoci._internal.limits import MIB
from agentoci.api.builds import BuildOptions, Profile
from agentoci.api.diffing import build_candidate, diff, judge
from agentoci.api.locking import make_lock
from agentoci.content.protocols import Fetcher, Reader
from agentoci.errors import NotFound
from agentoci.layers.inventory import FILES_JSON
from agentoci.layers.split import HUGE
from agentoci.release.changes import AgentDiff
from agentoci.release.compare import compare
from agentoci.release.rules import Level
from agentoci.release.view import FileContradicts, OpenedImage, open_both
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from tests.builder.workshop import Workshop
from tests.registry.fake import FakeRegistry

AGENTFILE = """\
FROM scratch
COPY knowledge /agent/knowledge/
SET memory.level=SMART
INTERFACE <<END
### Input
- task: what to do
### Output
- result: what came of it
END
"""

FILES, CHANGED, BYTES = 5_000, 10, 2_000
"""The issue's case: two images of 5,000 files, of which 10 differ."""


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """A context with a little knowledge."""
    made = Workshop(tmp_path / "shop")
    made.agentfile(AGENTFILE)
    made.write("knowledge/a.md", "one\n")
    made.write("knowledge/b.md", "two\n")
    return made


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


def rules_of(found: AgentDiff) -> list[str]:
    return [change.rule.id for change in found.changes]


def test_two_images_of_the_store(shop: Workshop) -> None:
    first = shop.build("bot:1.0.0")
    shop.write("knowledge/a.md", "one\nand more\n")
    shop.build("bot:1.1.0")
    found = diff(shop.engine, "bot:1.0.0", "bot:1.1.0")
    assert rules_of(found) == ["knowledge.changed"]
    (change,) = found.changes
    assert change.text is not None
    assert change.text.lines == ("@@ -1 +1,2 @@", " one", "+and more")
    assert found.before.digest == str(first.root.digest)
    assert (found.before.reference, found.before.name) == ("bot:1.0.0", "bot")
    assert judge(found).level is Level.PATCH


def test_an_image_and_its_folder_are_the_same(shop: Workshop) -> None:
    """Though nothing but the tag named the agent."""
    shop.build("bot:1.0.0")
    assert diff(shop.engine, "bot:1.0.0", str(shop.context)).is_empty
    assert diff(shop.engine, str(shop.context), str(shop.context)).is_empty


def test_a_folder_leaves_nothing_behind(shop: Workshop) -> None:
    shop.build("bot:1.0.0")
    before = shop.engine.store.index.read()
    shop.write("knowledge/a.md", "else\n")
    for _ in range(2):  # the second time from the cache
        found = diff(shop.engine, "bot:1.0.0", f"{shop.context}/")
        assert rules_of(found) == ["knowledge.changed"]
        assert shop.engine.store.index.read() == before


def test_a_candidate_that_somebody_built_stays(shop: Workshop) -> None:
    held = shop.engine.builds.build(shop.context, BuildOptions(name="bot")).root
    assert build_candidate(shop.engine, shop.context, name="bot").digest == held.digest
    assert [entry.digest for entry in shop.engine.store.index.read()] == [held.digest]


def test_a_release_that_is_in_the_store_with_other_content(shop: Workshop) -> None:
    """A candidate is no release: the store keeps what it has."""
    label = "LABEL org.opencontainers.image.version=1.0.0\n"
    built = shop.build_text(AGENTFILE + label, "bot:1.0.0")
    shop.write("knowledge/a.md", "else\n")
    assert rules_of(diff(shop.engine, "bot:1.0.0", str(shop.context))) == ["knowledge.changed"]
    assert [entry.digest for entry in shop.engine.store.index.read()] == [built.root.digest]


def test_a_lock_that_does_not_fit_stays_as_it_is(shop: Workshop) -> None:
    for name in ("psm", "gen"):
        shop.build_text(f"FROM scratch\nINTERFACE {name}\n", f"{name}:1.0.0")
    shop.build_text(AGENTFILE + "REQUIRE psm:1.0\n", "bot:1.0.0")
    lock = make_lock(shop.engine, shop.context, BuildOptions()).path
    before = lock.read_bytes()
    shop.agentfile(AGENTFILE + "REQUIRE psm:1.0\nREQUIRE gen:1.0\n")
    found = diff(shop.engine, "bot:1.0.0", str(shop.context))
    assert rules_of(found) == ["tool.required-added", "tool.pin-changed"]
    assert lock.read_bytes() == before


def test_a_definition_is_built_by_itself(shop: Workshop) -> None:
    head = "apiVersion: agent/v1\nkind: AgentDefinition\nspec: {}\nmetadata:\n  name: bot\n"
    old = shop.write("old.agentdef", f"{head}  version: 1.0.0\n")
    new = shop.write("new.agentdef", f"{head}  version: 1.1.0\n")
    assert rules_of(diff(shop.engine, str(old), str(new))) == ["agent.version-changed"]


def test_words_are_images_first_and_folders_else(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop.folder)
    shop.context.rename(shop.folder / "Bot")
    built = shop.build("bot:latest", context=shop.folder / "Bot")
    assert diff(shop.engine, "bot", "Bot").is_empty
    (shop.folder / "bot").mkdir()  # and a folder of that name, which is no agent
    assert diff(shop.engine, "bot", "Bot").before.digest == str(built.root.digest)
    with pytest.raises(NotFound, match="no such file or folder"):
        diff(shop.engine, "bot", "./nowhere")
    with pytest.raises(NotFound, match="local store"):
        diff(shop.engine, "bot", "nowhere")


def test_layouts_and_archives(shop: Workshop) -> None:
    shop.build("bot:1.0.0")
    layout, archive = shop.folder / "layout", shop.folder / "bot.tar"
    shop.engine.transfers.push("bot:1.0.0", f"oci:{layout}:bot:1.0.0")
    with archive.open("wb") as stream:
        shop.engine.transfers.save(["bot:1.0.0"], stream)
    shop.write("knowledge/c.md", "three\n")
    for text in (f"oci:{layout}", f"oci:{layout}:bot:1.0.0", f"oci-archive:{archive}"):
        assert rules_of(diff(shop.engine, text, str(shop.context))) == ["knowledge.added"]


def test_profiles_pack_the_same_agent(shop: Workshop) -> None:
    shop.build("bot:1.0.0")
    shop.build("bot:image", profile=Profile.IMAGE)
    found = diff(shop.engine, "bot:1.0.0", "bot:image")
    assert found.before.digest != found.after.digest
    assert found.is_empty


# What is read


@dataclass
class Counting:
    """Passes content on and counts its bytes by digest."""

    source: Fetcher
    read: dict[Digest, int] = field(default_factory=dict)

    @contextlib.contextmanager
    def fetch(self, desc: Descriptor, offset: int = 0) -> Iterator[Reader]:
        counting = self

        class _Counted:
            def __init__(self, stream: Reader) -> None:
                self.stream = stream

            def read(self, size: int = -1, /) -> bytes:
                chunk = self.stream.read(size)
                counting.read[desc.digest] = counting.read.get(desc.digest, 0) + len(chunk)
                return chunk

        with self.source.fetch(desc, offset) as stream:
            yield _Counted(stream)


def content_of(at: int, edition: int = 0) -> bytes:
    """Text that hardly compresses, so that layers are as large as their files; 31 lines."""
    drawn = random.Random(at).randbytes(BYTES // 2).hex()
    lines = [drawn[start : start + 64] for start in range(0, len(drawn), 64)]
    lines[3] += str(edition)
    return "\n".join([*lines, ""]).encode()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Two images of 5,000 files; ten of one folder differ, in one line each."""
    made = Workshop(tmp_path_factory.mktemp("large"))
    for at in range(FILES):
        made.write(f"knowledge/area-{at // 100:02}/note-{at:04}.md", content_of(at))
    made.build_text("FROM scratch\nCOPY knowledge /agent/knowledge/\nINTERFACE large\n", "large:1")
    for at in range(700, 700 + CHANGED):
        made.write(f"knowledge/area-{at // 100:02}/note-{at:04}.md", content_of(at, 1))
    made.build("large:2")
    return made


@pytest.mark.slow
def test_of_5000_files_only_those_that_differ_are_read(large: Workshop) -> None:
    store = large.engine.store
    sources = Counting(store), Counting(store)
    opened = [
        OpenedImage.open(source, large.engine.images.find(name).desc.bare(), reference=name)
        for source, name in zip(sources, ("large:1", "large:2"), strict=True)
    ]
    found = compare(*open_both(*opened))
    assert rules_of(found) == ["knowledge.changed"] * CHANGED
    assert all(
        one.text is not None and (one.text.added, one.text.removed) == (1, 1)
        for one in found.changes
    )
    for source, image in zip(sources, opened, strict=True):
        layers = image.image.manifest.layers
        whole = sum(layer.size for layer in layers)
        *content, interface = (source.read.get(layer.digest, 0) for layer in layers)
        assert whole > 5 * MIB
        assert len(content) > 3
        assert sum(size > 0 for size in content) <= 2, "ten files of one folder lie side by side"
        assert sum(content) < whole / 3
        assert interface == layers[-1].size


@pytest.mark.slow
def test_without_texts_no_layer_but_the_last_is_read(large: Workshop) -> None:
    source = Counting(large.engine.store)
    opened = [
        OpenedImage.open(source, large.engine.images.find(name).desc.bare(), reference=name)
        for name in ("large:1", "large:2")
    ]
    found = compare(*open_both(*opened), texts=False)
    assert rules_of(found) == ["knowledge.changed"] * CHANGED
    last = {image.image.manifest.layers[-1].digest for image in opened}
    layers = {layer.digest for image in opened for layer in image.image.manifest.layers}
    assert layers & source.read.keys() == last


@pytest.mark.slow
def test_at_a_registry_nothing_is_pulled(large: Workshop, registry: FakeRegistry) -> None:
    engine = large.engine
    names = [f"{registry.host}/team/large:{tag}" for tag in "12"]
    for tag, name in zip("12", names, strict=True):
        engine.transfers.push(f"large:{tag}", name)
    before = engine.store.index.read()
    engine.close()
    registry.seen.clear()
    with large.engine as fresh:
        found = diff(fresh, *names)
    assert rules_of(found) == ["knowledge.changed"] * CHANGED
    asked = [str(seen) for seen in registry.seen if seen.path != "/v2/"]
    assert len(asked) == len(set(asked)), "nothing is asked twice"
    blobs = {seen.path.rpartition("/")[2] for seen in registry.seen if "/blobs/" in seen.path}
    assert len(blobs) <= 2 * (1 + 1 + 2), "config, inventory, and the layers of ten files"
    assert fresh.store.index.read() == before


@pytest.mark.slow
def test_of_an_unchanged_image_no_layer_is_read(large: Workshop, registry: FakeRegistry) -> None:
    name = f"{registry.host}/team/large"
    with large.engine as engine:
        engine.transfers.push("large:1", f"{name}:1")
        engine.transfers.push("large:1", f"{name}:2")
    registry.seen.clear()
    with large.engine as engine:
        assert diff(engine, f"{name}:1", f"{name}:2").is_empty
    assert sum("/blobs/" in seen.path for seen in registry.seen) == 2, "the config, for each side"


# Huge files


def test_another_date_makes_no_change_of_a_huge_file(shop: Workshop) -> None:
    """It is a layer of its own, whose digest covers the time of the build."""
    shop.write("knowledge/model.bin", bytes(HUGE + 1))
    shop.build("bot:1", epoch=0)
    shop.build("bot:2", epoch=86400)
    found = diff(shop.engine, "bot:1", "bot:2")
    assert found.before.digest != found.after.digest
    assert found.is_empty


def test_a_huge_file_is_read_up_to_its_first_difference(shop: Workshop) -> None:
    content = hashlib.sha256(b"seed").digest() * (HUGE // 32 + 1)
    shop.write("knowledge/model.bin", content)
    shop.build("bot:1", epoch=0)
    shop.write("knowledge/model.bin", b"!" + content[1:])
    shop.build("bot:2", epoch=0)
    found = diff(shop.engine, "bot:1", "bot:2")
    (change,) = found.changes
    assert (change.rule.id, change.subject) == ("knowledge.changed", "agent/knowledge/model.bin")
    assert change.text is not None
    assert change.text.note == "too large"


# Hostile images


def test_an_inventory_of_layers_that_are_not_there_is_refused(shop: Workshop) -> None:
    """Of a file without a sha256 its layer tells the content: there was none to look at."""
    built = shop.build("bot:1.0.0")
    image = OpenedImage.open(shop.engine.store, built.root, reference="bot:1.0.0")
    files = image.view().files
    for lie in (replace(files[0], layer=99), replace(files[0], layer=99, sha256=None)):
        with pytest.raises(FileContradicts, match="not there"):
            image.view([lie, *files[1:]])


def test_a_layer_that_contradicts_the_inventory_is_refused(shop: Workshop) -> None:
    built = shop.build("bot:1.0.0")
    image = OpenedImage.open(shop.engine.store, built.root, reference="bot:1.0.0")
    entry = next(one for one in image.view().files if one.path == "agent/knowledge/a.md")
    assert image.read([entry]) == {entry.path: b"one\n"}
    for lie in (
        replace(entry, sha256="0" * 64),
        replace(entry, path="agent/knowledge/x.md"),
        replace(entry, size=5),
        replace(entry, layer=99),
    ):
        with pytest.raises(FileContradicts):
            image.read([lie])
    with pytest.raises(FileContradicts), image.stream(replace(entry, path="x")):
        pass


def test_the_inventory_does_not_list_itself(shop: Workshop) -> None:
    built = shop.build("bot:1.0.0")
    image = OpenedImage.open(shop.engine.store, built.root, reference="bot:1.0.0")
    assert FILES_JSON not in {entry.path for entry in image.view().files}
