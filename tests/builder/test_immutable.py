"""What is released stays: a full release gets no other content by a local build."""

from __future__ import annotations

from typing import Any

import pytest

from agentoci.api.builds import Built, Compression, Profile
from agentoci.builder.immutable import ReleasedOtherwise
from agentoci.errors import Conflict
from agentoci.spec import annotations as keys
from tests.builder.workshop import Workshop


def build(workshop: Workshop, version: str, content: str, tag: str, **options: Any) -> Built:
    """A build of `bot` with one file."""
    workshop.write("note.md", content)
    options.setdefault("replace", False)
    return workshop.build_text(
        "FROM scratch\nINTERFACE bot\nCOPY note.md /agent/knowledge/\n"
        f"LABEL org.opencontainers.image.version={version}\n",
        tag,
        **options,
    )


def test_other_content_of_a_release_is_refused(workshop: Workshop) -> None:
    first = build(workshop, "1.0.0", "first", "bot:1.0.0")
    with pytest.raises(ReleasedOtherwise) as caught:
        build(workshop, "1.0.0", "second", "bot:latest")
    assert isinstance(caught.value, Conflict)
    assert f"bot 1.0.0 is in the store with other content: {first.root.digest}" in str(caught.value)
    assert "(bot:1.0.0), this build is sha256:" in str(caught.value)
    assert "`agent diff bot:1.0.0 PATH` shows what differs" in str(caught.value.hint)
    assert "say --replace while it is work in progress" in str(caught.value.hint)
    assert workshop.names() == ["bot:1.0.0"]


def test_the_same_content_is_built_again(workshop: Workshop) -> None:
    first = build(workshop, "1.0.0", "same", "bot:1.0.0")
    assert build(workshop, "1.0.0", "same", "bot:again").root == first.root
    assert build(workshop, "1.0.0", "same", "bot:new", use_cache=False).root == first.root


@pytest.mark.parametrize(
    "options",
    [
        {"profile": Profile.IMAGE},
        {"compression": Compression.GZIP},
        {"compression": Compression.NONE},
    ],
)
def test_how_it_is_packed_is_no_content(workshop: Workshop, options: Any) -> None:
    first = build(workshop, "1.0.0", "same " * 400, "bot:1.0.0")
    other = build(workshop, "1.0.0", "same " * 400, "bot:other", **options)
    assert other.root.digest != first.root.digest
    assert build(workshop, "1.0.0", "same " * 400, "bot:1.0.0").root == first.root


@pytest.mark.parametrize("version", ["1.0.0-rc.1", "0.0.0", "2.0.0-alpha"])
def test_other_versions_are_free(workshop: Workshop, version: str) -> None:
    build(workshop, version, "first", "bot:dev")
    build(workshop, version, "second", "bot:dev")
    assert workshop.names() == ["bot:dev"]


def test_replace_is_for_work_in_progress(workshop: Workshop) -> None:
    build(workshop, "1.0.0", "first", "bot:1.0.0")
    second = build(workshop, "1.0.0", "second", "bot:1.0.0", replace=True)
    assert build(workshop, "1.0.0", "second", "bot:1.0.0").root == second.root
    with pytest.raises(ReleasedOtherwise):
        build(workshop, "1.0.0", "first", "bot:1.0.0")


def test_what_lost_its_name_is_no_release(workshop: Workshop) -> None:
    first = build(workshop, "1.0.0", "first", "bot:1.0.0")
    workshop.engine.images.remove(["bot:1.0.0"])
    second = build(workshop, "1.0.0", "second", "bot:1.0.0")
    assert second.root.digest != first.root.digest
    assert workshop.names() == ["bot:1.0.0"]


def test_a_build_without_a_name_gives_none_away(workshop: Workshop) -> None:
    build(workshop, "1.0.0", "first", "bot:1.0.0")
    workshop.write("note.md", "second")
    from agentoci.api.builds import BuildOptions

    engine = workshop.engine
    engine.builds.build(workshop.context, BuildOptions())
    assert workshop.names() == ["bot:1.0.0"]


def test_a_replayed_build_gives_nothing_back(workshop: Workshop) -> None:
    """What was built here before, and replaced from elsewhere, is not the release any more."""
    build(workshop, "1.0.0", "here", "bot:1.0.0")
    other = Workshop(workshop.folder / "other")
    other.home = workshop.home
    build(other, "1.0.0", "there", "bot:1.0.0", replace=True)
    with pytest.raises(ReleasedOtherwise):
        build(workshop, "1.0.0", "here", "bot:1.0.0")


def test_other_agents_have_versions_of_their_own(workshop: Workshop) -> None:
    build(workshop, "1.0.0", "first", "bot:1.0.0")
    workshop.build_text(
        "FROM scratch\nINTERFACE other\nLABEL org.opencontainers.image.version=1.0.0\n",
        "other:1.0.0",
        replace=False,
    )
    assert workshop.names() == ["bot:1.0.0", "other:1.0.0"]


def test_the_index_tells_the_version(workshop: Workshop) -> None:
    build(workshop, "1.2.0", "x", "bot:1.2")
    (entry,) = workshop.engine.store.index.read()
    assert entry.annotations[keys.VERSION] == "1.2.0"


def test_an_index_of_an_older_program_is_looked_through(workshop: Workshop) -> None:
    build(workshop, "1.0.0", "first", "bot:1.0.0")
    store = workshop.engine.store
    with store.index.changing() as change:
        (entry,) = change.entries
        kept = {k: v for k, v in entry.annotations.items() if k != keys.VERSION}
        change.entries[:] = [type(entry)(entry.desc.bare().annotated(**kept), entry.name)]
        change.touched = True
    build(workshop, "1.1.0", "second", "bot:1.1.0")
    with pytest.raises(ReleasedOtherwise):
        build(workshop, "1.0.0", "third", "bot:1.0.0")
