"""Where a release comes from: what git, or the CI job, says of the folder that is built."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
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
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http", "ssh", "git") or not parts.hostname:
        return None
    path = parts.path.removesuffix("/").removesuffix(".git")
    if parts.scheme in ("http", "https"):
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"
    return f"https://{parts.hostname}{path}"  # the port was that of ssh or git


def _of_work_tree(folder: Path, environment: Mapping[str, str]) -> CommitBuilt:
    """What git says; nothing where there is no git, no work tree, or no commit."""
    with contextlib.suppress(proc.CommandFailed):
        commit = _git(folder, environment, "rev-parse", "--verify", "HEAD")
        if commit:
            changed = _git(folder, environment, "status", "--porcelain", "--", ".")
            origin = _git(folder, environment, "config", "--get", "remote.origin.url")
            return CommitBuilt(origin, commit + (DIRTY if changed else ""))
    return CommitBuilt()


def _git(folder: Path, environment: Mapping[str, str], *arguments: str) -> str | None:
    """What git prints; None when it fails. Nothing that the folder configures is run."""
    done = proc.run(
        ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments],
        environment={**environment, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        timeout_seconds=_PATIENCE_SECONDS,
    )
    return done.stdout.decode(errors="replace").strip() or None if done.status == 0 else None
