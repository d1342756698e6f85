"""Which Agentfile a build reads, and which lock; to repeat a build neither is read."""

from __future__ import annotations

from pathlib import Path

from agentoci.errors import Invalid, NotFound
from agentoci.release.lock import LOCK_FILE


class AgentfileMissing(NotFound):
    """The Agentfile is not there."""


class AmbiguousDefinition(Invalid):
    """No Agentfile, and several `.agentdef` files to choose from."""


def find_agentfile(context: Path) -> Path:
    """`Agentfile` in the folder, else its only `.agentdef`.

    Raises AgentfileMissing, and AmbiguousDefinition when there are several.
    """
    path = context / "Agentfile"
    if path.is_file():
        return path
    definitions = sorted(context.glob("*.agentdef"))
    if len(definitions) == 1:
        return definitions[0]
    hint = "name the file with -f FILE"
    if definitions:
        found = f"no Agentfile, and {len(definitions)} .agentdef files"
        raise AmbiguousDefinition(f"{context}: {found}", hint=hint)
    raise AgentfileMissing(f"{context}: no Agentfile, and no .agentdef", hint=hint)


def find_lock(context: Path, file: Path | None) -> Path:
    """Where the lock of a build is, whether or not it is there: beside the file that is built.

    It is `agent.lock` for the file that a build of its folder finds by itself, and `FILE.lock` for
    another one: two files in one folder do not share a lock.
    """
    if file is None:
        return context / LOCK_FILE
    try:
        is_found = find_agentfile(file.parent).name == file.name
    except (AgentfileMissing, AmbiguousDefinition):
        is_found = False
    return file.parent / (LOCK_FILE if is_found else f"{file.name}.lock")
