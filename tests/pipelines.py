"""Release pipelines as the CI services run them, on machines of ours.

Nothing of a pipeline is passed over in silence: an action, an expression or a condition that is not
known here fails the test.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from agentoci import __version__
from tests.recipes import Block, Machine, git

USED: Final = frozenset({"actions/checkout@v4", "actions/setup-python@v5"})
"""Actions that the tests stand in for: a clone of the tag, and the Python that runs the tests."""

INSTALLS: Final = frozenset({f"pip install agentoci=={__version__}"})
"""Lines that are not run, since the package is here."""

_EXPRESSION: Final = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
_WITHOUT: Final = re.compile(r"!contains\((\S+), '(.+)'\)")
_MATCHES: Final = re.compile(r"\$(\w+) =~ /(.+)/")


@dataclass(frozen=True, slots=True)
class Ran:
    """A script that was run: in which job, what it was, how it ended."""

    job: str
    script: str
    done: subprocess.CompletedProcess[str]


@dataclass
class Pipeline:
    """A pipeline of the page: what it takes to run it for a tag of a repository.

    `variables` are what the service sets, `contexts` what expressions may name, and `hosts` are the
    registries of the page and those that stand in for them.
    """

    document: dict[str, Any]
    repository: Path
    folder: Path
    variables: Mapping[str, str]
    contexts: Mapping[str, str] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    runs: int = 0

    def run(self, tag: str) -> list[Ran]:
        """Run the jobs for a tag, up to the first script that fails."""
        self.runs += 1
        ran: list[Ran] = []
        for each in self._scripts(tag):
            ran.append(each)
            if each.done.returncode:
                break
        return ran

    def _scripts(self, tag: str) -> Iterator[Ran]:
        raise NotImplementedError

    def _machine(self, job: str, tag: str, *, checkout: bool) -> Machine:
        machine = Machine(self.folder / f"{self.runs}-{job}", self.variables)
        if checkout:
            git(machine.work, "clone", "-q", "--branch", tag, str(self.repository), ".")
        return machine


class Workflow(Pipeline):
    """A workflow of GitHub Actions."""

    def _scripts(self, tag: str) -> Iterator[Ran]:
        known = {**self.contexts, "github.ref_name": tag}
        shared = {name: self._here(text) for name, text in self.document["env"].items()}
        for name, job in self.document["jobs"].items():
            if not _applies(job.get("if"), known):
                continue
            assert job["runs-on"] == "ubuntu-latest"
            uses = [step["uses"] for step in job["steps"] if "uses" in step]
            assert USED.issuperset(uses)
            checkout = "actions/checkout@v4" in uses
            yield from self._job(
                name, job, known, self._machine(name, tag, checkout=checkout), shared
            )
            for output, text in job.get("outputs", {}).items():
                known[f"needs.{name}.outputs.{output}"] = evaluate(text, known)

    def _job(
        self, name: str, job: Any, known: dict[str, str], machine: Machine, shared: dict[str, str]
    ) -> Iterator[Ran]:
        files = {key: machine.folder / key.lower() for key in ("GITHUB_ENV", "GITHUB_OUTPUT")}
        kept: dict[str, str] = {}
        for step in job["steps"]:
            if "uses" in step or step["run"] in INSTALLS:
                continue
            own = {key: evaluate(text, known) for key, text in step.get("env", {}).items()}
            for path in files.values():
                path.write_text("")
            told = {
                "GITHUB_REF_NAME": known["github.ref_name"],
                **{k: str(v) for k, v in files.items()},
            }
            assert "${{" not in step["run"], "expressions in scripts let a tag's name run as code"
            yield Ran(
                name, step["run"], machine.run(step["run"], {**shared, **kept, **told, **own})
            )
            kept |= _pairs(files["GITHUB_ENV"])
            for key, value in _pairs(files["GITHUB_OUTPUT"]).items():
                known[f"steps.{step['id']}.outputs.{key}"] = value

    def _here(self, text: str) -> str:
        for host, local in self.hosts.items():
            text = re.sub(rf"^{re.escape(host)}(?=/|$)", local, text)
        return text


class GitLab(Pipeline):
    """A pipeline of GitLab CI."""

    def _scripts(self, tag: str) -> Iterator[Ran]:
        default, told = self.document["default"], {"CI_COMMIT_TAG": tag}
        jobs = {
            name: job for name, job in self.document.items() if name not in ("stages", "default")
        }
        assert [job["stage"] for job in jobs.values()] == self.document["stages"]
        for name, job in jobs.items():
            [rule] = job["rules"]
            if not _matches(rule["if"], told):
                continue
            lines = [*default["before_script"], *job["script"]]
            script = "\n".join(line for line in lines if line not in INSTALLS)
            machine = self._machine(name, tag, checkout=True)
            yield Ran(name, script, machine.run(script, told))
            report = job.get("artifacts", {}).get("reports", {}).get("dotenv")
            told |= _pairs(machine.work / report) if report else {}


def evaluate(text: str, known: Mapping[str, str]) -> str:
    """A value of a workflow, with what its expressions mean; KeyError where one means nothing."""
    return _EXPRESSION.sub(lambda match: known[match[1]], text)


def _applies(condition: str | None, known: Mapping[str, str]) -> bool:
    if condition is None:
        return True
    inner = _EXPRESSION.fullmatch(condition)
    without = inner and _WITHOUT.fullmatch(inner[1])
    assert without, f"the tests know no condition such as {condition}"
    return without[2] not in known[without[1]]


def _matches(condition: str, known: Mapping[str, str]) -> bool:
    match = _MATCHES.fullmatch(condition)
    assert match, f"the tests know no condition such as {condition}"
    return re.search(match[2], known[match[1]]) is not None


def _pairs(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


def shell_lines(document: dict[str, Any]) -> list[str]:
    """Everything in a pipeline that a shell is to run, wherever it is written."""
    found: list[str] = []
    for key, value in document.items():
        if key in ("run", "script", "before_script", "after_script") and not isinstance(
            value, dict
        ):
            found += [value] if isinstance(value, str) else value
        elif isinstance(value, dict):
            found += shell_lines(value)
        elif isinstance(value, list):
            found += [line for one in value if isinstance(one, dict) for line in shell_lines(one)]
    return found


def load(block: Block) -> dict[str, Any]:
    """A pipeline as the services read it."""
    document = yaml.safe_load(block.text)
    assert isinstance(document, dict)
    return document
