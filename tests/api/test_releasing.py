"""Releases, against the registry that misbehaves on demand and into layouts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentoci.api.builds import BuildOptions, Profile
from agentoci.api.engine import Engine
from agentoci.api.releasing import Level, Released, ReleaseOptions, VersionRequest, release
from agentoci.config.settings import read_settings
from agentoci.release.nextversion import VersionTaken, VersionTooSmall, VersionUnclear
from agentoci.spec.reference import InvalidReference, Reference
from agentoci.store.images import Image, read_image
from agentoci.store.layout import LayoutStore
from tests.registry.fake import FakeRegistry
from tests.registry.faults import Exchange, Reply, refuses

AGENTFILE = "FROM scratch\nCOPY knowledge /agent/knowledge\nINTERFACE interface.md\n"
INTERFACE = "# Bot\n\n## Input\n- question: what to answer\n\n## Output\n- answer: in words\n"


class Place:
    """A folder that is released again and again, and the repository where that goes."""

    def __init__(self, folder: Path, engine: Engine, repository: str) -> None:
        self.folder, self.engine, self.repository = folder, engine, repository
        (folder / "knowledge").mkdir(parents=True)
        self.write("Agentfile", AGENTFILE)
        self.write("interface.md", INTERFACE)
        self.knows("answers")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def knows(self, text: str) -> None:
        """Change knowledge: PATCH."""
        self.write("knowledge/known.md", text)

    def learns(self, name: str) -> None:
        """Add knowledge: MINOR."""
        self.write(f"knowledge/{name}.md", name)

    def breaks(self) -> None:
        """Take an output away: MAJOR."""
        self.write("interface.md", INTERFACE.replace("- answer: in words\n", ""))

    def declares(self, version: str) -> None:
        self.write("Agentfile", f"{AGENTFILE}LABEL org.opencontainers.image.version={version}\n")

    def release(self, **options: object) -> Released:
        """Release it; `version`, `bump`, `pre` and `line` are what is asked for."""
        words = {
            key: options.pop(key) for key in ("version", "bump", "pre", "line") if key in options
        }
        asked = VersionRequest.parse(**words)  # type: ignore[arg-type]
        return release(
            self.engine,
            self.repository,
            self.folder,
            ReleaseOptions(asked, **options),  # type: ignore[arg-type]
        )


@pytest.fixture
def engine(home: Path) -> Iterator[Engine]:
    with Engine(read_settings()) as engine:
        yield engine


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


@pytest.fixture
def place(tmp_path: Path, engine: Engine, fake: FakeRegistry) -> Place:
    return Place(tmp_path / "bot", engine, f"{fake.host}/team/bot")


def meanings(fake: FakeRegistry, name: str = "team/bot") -> dict[str, str]:
    """Tag → digest."""
    digests = {content: tag for (repo, tag), (_, content) in fake.manifests.items() if ":" in tag}
    return {
        tag: digests[content]
        for (repo, tag), (_, content) in fake.manifests.items()
        if repo == name and ":" not in tag
    }


def image_of(place: Place, tag: str) -> Image:
    where = Reference.parse(f"{place.repository}:{tag}")
    repository = place.engine.client.repository(where)
    return read_image(repository, repository.resolve(tag), what=tag)


def test_versions_follow_from_what_changed(place: Place, fake: FakeRegistry) -> None:
    first = place.release(version="1.0.0")
    assert (str(first.version), first.before, first.changed) == ("1.0.0", None, True)
    assert first.moved == ("1.0.0", "1.0", "1", "latest")
    place.knows("better answers")
    patch = place.release()
    assert (str(patch.version), patch.verdict.level) == ("1.0.1", Level.PATCH)
    place.learns("more")
    minor = place.release()
    assert (str(minor.version), minor.before) == ("1.1.0", "1.0.1")
    place.breaks()
    major = place.release()
    assert (str(major.version), major.verdict.level) == ("2.0.0", Level.MAJOR)
    assert [reason.rule for reason in major.verdict.decisive] == ["interface.output-removed"]
    digests = [str(one.digest) for one in (first, patch, minor, major)]
    lines = ("1.0.0", "1.0.1 1.0", "1.1.0 1.1 1", "2.0.0 2.0 2 latest")
    assert meanings(fake) == {
        tag: digest for digest, line in zip(digests, lines, strict=True) for tag in line.split()
    }


def test_nothing_changed_is_no_release(place: Place, fake: FakeRegistry) -> None:
    first = place.release()
    assert str(first.version) == "0.1.0"
    before = dict(fake.manifests)
    again = place.release(revision="another commit")
    assert (again.changed, again.digest, again.version) == (False, first.digest, first.version)
    assert (again.moved, fake.manifests) == ((), before)
    forced = place.release(bump="major")
    assert not forced.changed, "else running it again would release again and again"


def test_version_that_is_asked_for_needs_no_change(place: Place, fake: FakeRegistry) -> None:
    place.release()
    assert str(place.release(version="1.0.0").version) == "1.0.0"
    assert not place.release(version="1.0.0").changed
    place.declares("1.1.0")
    declared = place.release()
    assert (str(declared.version), declared.verdict.level) == ("1.1.0", Level.NONE)
    assert not place.release().changed
    assert set(meanings(fake)) == {"0.1.0", "0.1", "1.0.0", "1.0", "1.1.0", "1.1", "1", "latest"}


def test_version_goes_into_the_image_and_no_file(place: Place) -> None:
    place.declares("1.0.0")
    place.release()
    place.learns("more")
    content = (place.folder / "Agentfile").read_text()
    done = place.release(source="https://example.com/bot", revision="abc")
    image = image_of(place, "1.1.0")
    assert image.root.digest == done.digest
    assert image.version == image.config.labels["org.opencontainers.image.version"] == "1.1.0"
    own = "org.opencontainers.image."
    found = {key: image.manifest.annotations.get(own + key) for key in ("version", "title")}
    assert found == {"version": "1.1.0", "title": "bot"}
    assert image.manifest.annotations[f"{own}source"] == "https://example.com/bot"
    assert image.manifest.annotations[f"{own}revision"] == "abc"
    assert (place.folder / "Agentfile").read_text() == content


def test_declared_version_is_a_request(place: Place) -> None:
    place.declares("1.0.0")
    assert str(place.release().version) == "1.0.0"
    place.knows("better answers")
    place.declares("1.4.0")
    assert str(place.release().version) == "1.4.0", "larger than needed is fine"
    place.knows("the best answers")
    assert str(place.release().version) == "1.4.1", "it is released already, so it says nothing"
    place.breaks()
    place.declares("1.5.0")
    with pytest.raises(
        VersionTooSmall, match=r"1.5.0 is too small .* 1.4.1: it is MAJOR, so 2.0.0"
    ):
        place.release()
    place.declares("1.3.0")
    with pytest.raises(
        VersionUnclear, match=r"declares 1.3.0, which is not released, and 1.4.1 is"
    ):
        place.release()


def test_too_small_a_step_is_refused_before_anything_moves(
    place: Place, fake: FakeRegistry
) -> None:
    place.release(version="1.0.0")
    place.breaks()
    before = dict(fake.manifests)
    for asked in ({"bump": "minor"}, {"version": "1.0.1"}, {"line": "1"}):
        with pytest.raises(VersionTooSmall, match="output removed: answer"):
            place.release(**asked)
    place.knows("something else")
    with pytest.raises(VersionTaken, match=r"1.0.0 is released already, with other content"):
        place.release(version="1.0.0")
    assert fake.manifests == before


def test_older_line_goes_on(place: Place, fake: FakeRegistry) -> None:
    place.release(version="1.3.4")
    place.breaks()
    newest = str(place.release().digest)
    place.write("interface.md", INTERFACE)
    place.knows("answers, mended")
    plan = place.release(line="1.3", dry_run=True)
    assert (str(plan.version), plan.moved) == ("1.3.5", ("1.3.5", "1.3", "1"))
    done = place.release(version="1.3.5")
    assert (done.before, done.verdict.level) == ("1.3.4", Level.PATCH)
    assert [(one.tag, one.reason) for one in done.kept] == [("latest", "2.0.0 is higher")]
    found = meanings(fake)
    assert found["2"] == found["latest"] == newest
    assert found["1.3"] == found["1"] == str(done.digest)
    with pytest.raises(VersionTaken, match=r"1\.3\.3 would come after 1\.3\.5"):
        place.release(version="1.3.3")
    assert not place.release(line="1.3").changed


def test_pre_releases_count_up_and_move_nothing(place: Place, fake: FakeRegistry) -> None:
    place.release(version="1.0.0")
    stable = meanings(fake)
    place.learns("more")
    first = place.release(pre="rc")
    assert (str(first.version), first.moved) == ("1.1.0-rc.1", ("1.1.0-rc.1",))
    again = place.release(pre="rc")
    assert (again.changed, again.digest, again.tag) == (False, first.digest, "1.1.0-rc.1")
    place.knows("better answers")
    second = place.release(pre="rc")
    assert str(second.version) == "1.1.0-rc.2"
    tags = {"1.1.0-rc.1": str(first.digest), "1.1.0-rc.2": str(second.digest)}
    assert meanings(fake) == stable | tags
    done = place.release()
    assert (str(done.version), done.before) == ("1.1.0", "1.0.0")
    assert image_of(place, "1").version == "1.1.0"


def test_dry_run_changes_nothing_there(place: Place, fake: FakeRegistry) -> None:
    plan = place.release(dry_run=True)
    assert (str(plan.version), plan.digest, plan.is_plan) == ("0.1.0", None, True)
    assert plan.moved == ("0.1.0", "0.1", "latest")
    place.release(version="1.0.0")
    place.breaks()
    before = dict(fake.manifests)
    fake.seen.clear()
    plan = place.release(dry_run=True, notes=True)
    assert (str(plan.version), plan.moved) == ("2.0.0", ("2.0.0", "2.0", "2", "latest"))
    assert plan.notes is not None
    assert "### Breaking" in plan.notes
    assert {one.method for one in fake.seen} <= {"GET", "HEAD"}
    assert fake.manifests == before
    assert all(entry.name for entry in place.engine.store.index.read()), "no name is left behind"


def test_notes_are_those_of_this_release(place: Place) -> None:
    assert (place.release(notes=True).notes or "").endswith("\n\nFirst release.\n")
    place.learns("more")
    done = place.release(notes=True)
    assert done.notes is not None
    assert done.notes.startswith("## 0.1.1 - 20")
    assert "knowledge/more.md" in done.notes
    again = place.release(notes=True)
    assert (again.changed, again.notes) == (False, done.notes), "whoever was stopped gets them, too"
    place.learns("even more")
    first, second = (place.release(pre="rc", notes=True) for _ in range(2))
    assert (first.changed, second.changed) == (True, False)
    assert first.notes == second.notes
    assert "even more" in (second.notes or "")


def test_tags_that_were_left_behind_are_set_right(place: Place, fake: FakeRegistry) -> None:
    """As after a kill between two tags."""
    place.release(version="1.0.0")
    place.knows("better answers")
    done = place.release()
    older = fake.manifests["team/bot", "1.0.0"]
    fake.manifests["team/bot", "1"] = fake.manifests["team/bot", "latest"] = older
    assert place.release(dry_run=True).moved == ("1", "latest")
    again = place.release()
    assert (again.changed, again.digest, again.moved) == (False, done.digest, ("1", "latest"))
    assert set(meanings(fake).values()) == {str(done.digest), meanings(fake)["1.0.0"]}
    assert meanings(fake)["latest"] == str(done.digest)


def test_tags_go_on_with_their_v(place: Place, fake: FakeRegistry) -> None:
    place.release(version="1.0.0")
    fake.manifests["team/bot", "v1.0.0"] = fake.manifests.pop(("team/bot", "1.0.0"))
    place.knows("better answers")
    done = place.release()
    assert done.moved == ("v1.0.1", "v1.0", "v1", "latest")
    assert image_of(place, "v1").version == "1.0.1"


def test_registry_that_moves_no_tag_still_gets_the_version(
    place: Place, fake: FakeRegistry
) -> None:
    place.release(version="1.0.0")
    place.knows("better answers")
    for tag in ("1.0", "1", "latest"):
        refusal = refuses(400, "TAG_INVALID", "tag is immutable")
        fake.on("PUT", f"/manifests/{tag}$", refusal)
    done = place.release()
    assert done.moved == ("1.0.1",)
    assert {(one.tag, one.reason) for one in done.kept} == {
        (tag, "the registry lets it move nowhere") for tag in ("1.0", "1", "latest")
    }


def test_image_profile_is_released_as_such(place: Place, fake: FakeRegistry) -> None:
    build = BuildOptions(profile=Profile.IMAGE)
    place.release(version="1.0.0", build=build)
    place.knows("better answers")
    done = place.release(build=build)
    assert str(done.version) == "1.0.1"
    assert fake.manifests["team/bot", "1"][0] == "application/vnd.oci.image.index.v1+json"
    assert not place.release(build=build).changed


# Layouts


def test_layout_is_released_into(tmp_path: Path, engine: Engine) -> None:
    place = Place(tmp_path / "bot", engine, f"oci:{tmp_path}/layout:bot")
    assert place.release(dry_run=True).moved == ("0.1.0", "0.1", "latest")
    assert not (tmp_path / "layout").exists()
    first = place.release(version="1.0.0")
    place.learns("more")
    second = place.release()
    assert (str(second.version), second.moved) == ("1.1.0", ("1.1.0", "1.1", "1", "latest"))
    store = LayoutStore.open(tmp_path / "layout", clock=engine.clock)
    found = {entry.name: entry.digest for entry in store.index.read()}
    old = dict.fromkeys(("bot:1.0.0", "bot:1.0"), first.digest)
    new = dict.fromkeys(("bot:1.1.0", "bot:1.1", "bot:1", "bot:latest"), second.digest)
    assert found == old | new
    assert not place.release().changed
    assert place.release().requests == 0


@pytest.mark.parametrize(
    "repository", ["oci:{0}/layout", "oci:{0}/layout:bot:1.0", "localhost:1/bot:1.0", "localhost:1"]
)
def test_repository_is_what_is_named(tmp_path: Path, engine: Engine, repository: str) -> None:
    place = Place(tmp_path / "bot", engine, repository.format(tmp_path))
    with pytest.raises(InvalidReference):
        place.release()


# Others release, too


def after(fake: FakeRegistry, method: str, pattern: str, act: Callable[[], object]) -> None:
    """Let something happen when the registry has answered the next such request."""

    def fault(exchange: Exchange) -> Reply:
        reply = exchange.serve()
        act()
        return reply

    fake.on(method, pattern, fault)


@pytest.fixture
def rival(tmp_path: Path, place: Place, fake: FakeRegistry) -> Iterator[Place]:
    """Somebody else, elsewhere, who has changed something else since 1.0.0."""
    place.release(version="1.0.0")
    settings = read_settings({**os.environ, "AGENTOCI_HOME": str(tmp_path / "elsewhere")})
    with Engine(settings) as engine:
        rival = Place(tmp_path / "rival", engine, place.repository)
        rival.knows("other answers")
        place.knows("better answers")
        yield rival


MOMENTS = [
    ("HEAD", "/manifests/1.0.1$"),
    ("PUT", "/manifests/1.0.1$"),
    ("GET", "/tags/list"),
    ("PUT", "/manifests/1.0$"),
    ("PUT", "/manifests/1$"),
    ("PUT", "/manifests/latest$"),
]
"""The requests of a release that another one may come after."""


@pytest.mark.parametrize(("method", "pattern"), MOMENTS)
def test_two_releases_never_both_win_a_version(
    place: Place, fake: FakeRegistry, rival: Place, method: str, pattern: str
) -> None:
    """The other one starts and ends while this one waits for an answer."""
    ended: list[Released | VersionTaken] = []

    def run(one: Place) -> None:
        try:
            ended.append(one.release())
        except VersionTaken as exc:
            ended.append(exc)

    after(fake, method, pattern, lambda: run(rival))
    run(place)
    assert len(ended) == 2
    won = [one for one in ended if isinstance(one, Released) and str(one.version) == "1.0.1"]
    assert len(won) == 1
    found = meanings(fake)
    assert found["1.0.1"] == str(won[0].digest)
    highest = "1.0.2" if "1.0.2" in found else "1.0.1"
    assert {found[tag] for tag in ("1.0", "1", "latest")} == {found[highest]}


@pytest.mark.parametrize(("method", "pattern"), MOMENTS)
def test_higher_release_that_comes_between_keeps_its_tags(
    place: Place, fake: FakeRegistry, rival: Place, method: str, pattern: str
) -> None:
    rival.breaks()
    higher: list[Released] = []
    after(fake, method, pattern, lambda: higher.append(rival.release()))
    done = place.release()
    found = meanings(fake)
    assert str(done.version) == "1.0.1"
    assert [str(one.version) for one in higher] == ["2.0.0"]
    expected = {"2.0.0": higher[0], "2": higher[0], "latest": higher[0], "1.0.1": done, "1": done}
    assert {tag: found[tag] for tag in expected} == {
        tag: str(one.digest) for tag, one in expected.items()
    }
    assert [one.tag for one in done.kept] == ["latest"]
    assert "latest" not in done.moved


# Where it comes from


def git(folder: Path, *arguments: str) -> str:
    author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    command = ["git", "-C", str(folder), *author, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_origin_is_read_from_git(place: Place) -> None:
    """And a commit that changes nothing of the agent is no reason for a release."""
    git(place.folder, "init", "-q")
    git(place.folder, "remote", "add", "origin", "https://ci:not-for-images@example.com/bot.git")
    git(place.folder, "add", "-A")
    git(place.folder, "commit", "-q", "-m", "one")
    commit = git(place.folder, "rev-parse", "HEAD")
    first = place.release(version="1.0.0")
    own = "org.opencontainers.image."
    found = image_of(place, "1.0.0").manifest.annotations
    assert (found[f"{own}source"], found[f"{own}revision"]) == ("https://example.com/bot", commit)
    place.write("README.md", "not part of the agent")
    git(place.folder, "add", "-A")
    git(place.folder, "commit", "-q", "-m", "two")
    again = place.release()
    assert (again.changed, again.digest) == (False, first.digest)
    place.knows("better answers")
    place.release()
    revision = image_of(place, "1.0.1").manifest.annotations[f"{own}revision"]
    assert revision == git(place.folder, "rev-parse", "HEAD") + "-dirty"
