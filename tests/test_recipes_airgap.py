"""README's way over an air gap does what the page says of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import recipes, registries
from tests.certificates import Authority
from tests.recipes import Machine, succeed
from tests.registries import KINDS

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@dataclass(frozen=True, slots=True)
class Carried:
    """What was brought out of a registry that cannot be reached any more.

    `digests` are its images by name, `attached` is what speaks of the coordinator.
    """

    folder: Path
    host: str
    digests: dict[str, str]
    attached: str


PUBLISH = """\
build() { agent build -q -t "$REGISTRY/team/$1" --build-arg VERSION="${1#*:}" --push "$2"; }
base=$(build base_agent:1.0.0 base_agent)
old=$(build coordinator:1.4.1 coordinator)
new=$(build coordinator:1.4.2 coordinator)
report=$(agent attach "$REGISTRY/team/coordinator:1.4.2" base_agent/agent.py --artifact-type a/b)
printf '%s\\n' "base_agent:1.0.0=$base" "coordinator:1.4.1=$old" "coordinator:1.4.2=$new" "$report"
rm -r base_agent coordinator
"""


def page_variables() -> dict[str, str]:
    """REGISTRY and INTERNAL as the page has them."""
    [line] = recipes.quoted("Air gap", "export ")
    return dict(word.split("=") for word in line.removeprefix("export ").split())


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Carried:
    """What the page's script outside leaves to be carried; its registry is gone then."""
    kind, folder = KINDS["distribution"], tmp_path_factory.mktemp("outside")
    if kind.program() is None:
        pytest.skip(kind.missing)
    machine = Machine(folder / "machine")
    for name in ("base_agent", "coordinator"):
        shutil.copytree(recipes.EXAMPLE, machine.work / name)
        recipes.take_version(machine.work / name, name=name)
    outside, _, _ = recipes.blocks("Air gap")
    with registries.serve(kind, folder / "registry") as registry:
        told = {"REGISTRY": registry.host, "INTERNAL": "nowhere.invalid"}
        made = succeed(machine.run(PUBLISH, told))
        succeed(machine.run(outside.text, told))
    *lines, report = made.splitlines()
    digests = dict(line.split("=") for line in lines)
    return Carried(machine.work, registry.host, digests, report)


@dataclass(frozen=True, slots=True)
class Inside:
    """A machine behind the gap, with a registry that has a certificate of the company's own."""

    machine: Machine
    carried: Carried
    host: str

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script with the variables of the page."""
        return self.machine.run(script, {"REGISTRY": self.carried.host, "INTERNAL": self.host})

    def digests(self) -> dict[str, str]:
        """The images that came in."""
        found = {}
        for name in self.carried.digests:
            done = self.run(f"agent manifest head --digest $INTERNAL/team/{name}")
            assert done.returncode in (0, 6), done.stderr
            if done.returncode == 0:
                found[name] = done.stdout.strip()
        return found

    def here(self, text: str) -> str:
        """A text of the page, with the registries that the tests have."""
        for name, host in page_variables().items():
            text = text.replace(host, {"REGISTRY": self.carried.host, "INTERNAL": self.host}[name])
        return text

    def configure(self, text: str) -> None:
        """Add lines to the machine's config file."""
        file = self.machine.home / "config" / "agentoci" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as config:
            config.write(text)


@pytest.fixture
def inside(carried: Carried, authority: Authority, tmp_path: Path) -> Iterator[Inside]:
    """A machine to which everything was carried that was written outside."""
    machine = Machine(tmp_path / "inside")
    shutil.copytree(carried.folder, machine.work, dirs_exist_ok=True)
    certificate = authority.issue(tmp_path.name)
    kind = KINDS["distribution"]
    with registries.serve(kind, tmp_path / "registry", certificate=certificate) as registry:
        here = Inside(machine, carried, registry.host)
        # Loopback is spoken to in plain http unless the config file says otherwise.
        here.configure(f'secure_registries = ["{here.host}"]\nca_file = "{authority.cert}"\n')
        yield here


def bring_in() -> str:
    """The page's script inside."""
    _, script, _ = recipes.blocks("Air gap")
    return script.text


def test_what_was_carried_is_inside_under_the_same_digests(inside: Inside):
    said = succeed(inside.run(bring_in()))
    assert "I am coordinator 1.4.2" in said
    assert inside.digests() == inside.carried.digests
    listed = inside.run('agent discover --format json "$INTERNAL/team/coordinator:1.4.2"')
    [found] = json.loads(succeed(listed))["referrers"]
    assert found["digest"] == inside.carried.attached
    succeed(inside.run(bring_in()))
    assert inside.digests() == inside.carried.digests


def test_names_of_outside_are_read_from_the_mirror_inside(inside: Inside):
    succeed(inside.run(bring_in()))
    [command] = recipes.quoted("Air gap", "agent run ")
    assert inside.run(inside.here(command)).returncode == 4, "the gap has a hole"
    *_, config = recipes.blocks("Air gap")
    inside.configure(inside.here(config.text))
    assert "I am coordinator 1.4.2" in succeed(inside.run(inside.here(command)))
    (inside.machine.work / "Agentfile").write_text(
        f"FROM {inside.carried.host}/team/base_agent:1.0.0\nINTERFACE other\n"
    )
    succeed(inside.run("agent build -t other:1.0 -f Agentfile agents"))


def test_archive_that_was_exchanged_on_the_way_is_refused(inside: Inside):
    name, archive = "$REGISTRY/team/coordinator", "oci-archive:coordinator-1.4.2.tar"
    succeed(inside.run(f"agent cp oci:agents:{name}:1.4.1 {archive}:{name}:1.4.2"))
    done = inside.run(bring_in())
    assert (done.returncode, inside.digests()) == (8, {})
    assert "coordinator-1.4.2.tar: its sha256 is" in done.stderr


def test_folder_that_was_exchanged_on_the_way_is_refused(inside: Inside):
    carried = inside.carried
    old, new = (carried.digests[f"coordinator:1.4.{patch}"] for patch in (1, 2))
    index = inside.machine.work / "agents" / "index.json"
    index.write_text(index.read_text().replace(new, old))
    done = inside.run(bring_in())
    assert (done.returncode, inside.digests()) == (8, {})
    assert "agents/index.json: its sha256 is" in done.stderr


def test_folder_that_was_spoiled_on_the_way_brings_nothing_wrong(inside: Inside):
    name = "coordinator:1.4.1"
    digest = inside.carried.digests[name]
    spoil(inside.machine.work / "agents" / "blobs" / "sha256" / digest.removeprefix("sha256:"))
    done = inside.run(bring_in())
    assert done.returncode == 1
    assert f"team/{name}" in done.stdout
    assert inside.digests().items() == inside.carried.digests.items() - {(name, digest)}


def spoil(file: Path) -> None:
    """Change a byte in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)
