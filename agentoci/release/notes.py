"""The notes of one release, in Markdown."""

from __future__ import annotations

from agentoci.release.changelog import render_changelog
from agentoci.release.changes import AgentDiff
from agentoci.release.verdict import judge


def release_notes(changes: AgentDiff | None, version: str, date: str | None = None) -> str:
    """What changed since the release before; None: there is none. Ends with a line end."""
    if changes is not None:
        return render_changelog(changes, judge(changes), version, date)
    title = f"## {version} - {date}" if date else f"## {version}"
    return f"{title}\n\nFirst release.\n"
