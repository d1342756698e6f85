"""What a CI job says of the commit that it builds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommitBuilt:
    """Where the source of a build is, and which commit; None: not said."""

    source: str | None = None
    revision: str | None = None


def commit_built(environment: Mapping[str, str]) -> CommitBuilt:
    """By the variables of GitHub (Gitea and Forgejo set the same), GitLab, Bitbucket or Jenkins."""
    found = environment.get
    if found("GITHUB_REPOSITORY"):
        server = (found("GITHUB_SERVER_URL") or "https://github.com").rstrip("/")
        return CommitBuilt(f"{server}/{found('GITHUB_REPOSITORY')}", found("GITHUB_SHA"))
    if found("CI_PROJECT_URL"):
        return CommitBuilt(found("CI_PROJECT_URL"), found("CI_COMMIT_SHA"))
    if found("BITBUCKET_GIT_HTTP_ORIGIN"):
        return CommitBuilt(found("BITBUCKET_GIT_HTTP_ORIGIN"), found("BITBUCKET_COMMIT"))
    return CommitBuilt(found("GIT_URL") or None, found("GIT_COMMIT") or None)
