"""Where a release comes from: what git, or the CI job, says of the folder that is built."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from agentoci._internal import proc
from agentoci.config.ci import CommitBuilt, commit_built
from agentoci.config.settings import Settings
from agentoci.spec import annotations as keys

DIRTY: Final = "-dirty"
"""The end of a revision that the folder is not exactly."""

_PATIENCE_SECONDS: Final = 30.0
_ALONE: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ALLOW_PROTOCOL": "none",  # objects that are missing are fetched by what the folder says
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C",
}
_NO_MATCH: Final = 1
_FILTERS: Final = r"^filter\."
_FILTERS_OFF: Final = ("clean=", "smudge=", "process=", "required=false")
_SCOPES_OF_A_FOLDER: Final = ("local", "worktree")
_BY_SSH: Final = re.compile(r"(?:[^@/:]+@)([^/:]+):(?!/)(.+)")
"""`git@host:team/name`, as ssh is spelled."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Annotations that say where an image comes from; `dirty`: its folder had other content."""

    annotations: Mapping[str, str]
    dirty: bool = False


def origin_of(
    folder: Path, settings: Settings, *, source: str | None = None, revision: str | None = None
) -> Origin:
    """The source and revision of a folder, as far as they are known.

    What is given counts. Else the revision is git's, when the folder is in a work tree, and the CI
    job's otherwise; the source is the CI job's, else the address of git's `origin`. No address
    keeps a user name or password.
    """
    job = commit_built(settings.environment)
    here = _of_work_tree(folder, settings.environment)
    said = source or web_address(job.source or here.source or "")
    commit = revision or here.revision or job.revision
    made = {keys.SOURCE: said, keys.REVISION: commit}
    dirty = revision is None and (here.revision or "").endswith(DIRTY)
    return Origin({key: value for key, value in made.items() if value}, dirty)


def web_address(url: str) -> str | None:
    """The address of a repository as one opens it; None for what leads to no web server."""
    if match := _BY_SSH.fullmatch(url):
        url = f"https://{match[1]}/{match[2]}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in ("https", "http", "ssh", "git") or not parts.hostname:
        return None
    path = parts.path.removesuffix("/").removesuffix(".git")
    host = parts.hostname  # the port was that of ssh or git
    if parts.scheme in ("http", "https"):
        host = parts.netloc.rpartition("@")[2]
    made = f"{'http' if parts.scheme == 'http' else 'https'}://{host}{path}"
    return made if made.isprintable() else None


def _of_work_tree(folder: Path, environment: Mapping[str, str]) -> CommitBuilt:
    """What git says; nothing where there is no git, no work tree, or no commit."""
    with contextlib.suppress(proc.CommandFailed):
        git = _Git(folder, environment)
        commit = git.line("rev-parse", "--verify", "HEAD")
        harmless = git.without_filters() if commit else None
        if commit and harmless is not None:
            origin = git.line("config", "--get", "remote.origin.url")
            return CommitBuilt(origin, commit + ("" if harmless.is_clean() else DIRTY))
    return CommitBuilt()


@dataclass(frozen=True, slots=True)
class _Git:
    """git in a folder that anybody may have made: nothing that it configures is run.

    A work tree can name programs as its file monitor, hooks, filters of what is read, and for the
    place that missing objects come from; submodules have a configuration of their own.
    """

    folder: Path
    environment: Mapping[str, str]
    settings: tuple[str, ...] = ("core.fsmonitor=false", "core.hooksPath=/dev/null")

    def without_filters(self) -> _Git | None:
        """The same, deaf to the filters of the folder; None when these cannot be told."""
        done = self._run("config", "--show-scope", "--name-only", "-z", "--get-regexp", _FILTERS)
        if done.status not in (0, _NO_MATCH):
            return None
        said = done.stdout.decode(errors="surrogateescape").split("\0")[:-1]
        its_own = (
            key.rpartition(".")[0]
            for scope, key in zip(said[::2], said[1::2], strict=True)
            if scope in _SCOPES_OF_A_FOLDER
        )
        names = dict.fromkeys(its_own)
        if any("=" in name for name in names):
            return None  # no option can name it
        off = [f"{name}.{key}" for name in names for key in _FILTERS_OFF]
        return replace(self, settings=(*self.settings, *off))

    def is_clean(self) -> bool:
        """Whether the folder is what was committed, as far as git can tell."""
        done = self._run("status", "--porcelain", "--ignore-submodules=dirty", "--", ".")
        return done.status == 0 and not done.stdout.strip()

    def line(self, *arguments: str) -> str | None:
        """What git prints; None when that is nothing, or when it fails."""
        done = self._run(*arguments)
        return done.stdout.decode(errors="replace").strip() or None if done.status == 0 else None

    def _run(self, *arguments: str) -> proc.Completed:
        settings = [word for setting in self.settings for word in ("-c", setting)]
        return proc.run(
            ["git", *settings, "-C", str(self.folder), *arguments],
            environment={**self.environment, **_ALONE},
            timeout_seconds=_PATIENCE_SECONDS,
        )
