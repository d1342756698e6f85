"""Which Agentfile a build reads, and reading it."""

from __future__ import annotations

from pathlib import Path

from agentoci._internal import files, limits
from agentoci.agentfile import Agentfile, parse
from agentoci.builder.context import Context
from agentoci.builder.loose import agentfile_for
from agentoci.builder.memo import Memo
from agentoci.builder.options import BuildOptions
from agentoci.builder.replay import Trace
from agentoci.builder.report import BuildReport
from agentoci.definition.parents import Find
from agentoci.errors import Invalid, NotFound
from agentoci.release.lock import LOCK_FILE
from agentoci.spec.jsonio import Json


def read_agentfile(
    context: Context,
    options: BuildOptions,
    memo: Memo,
    report: BuildReport,
    trace: Trace,
    find: Find,
) -> Agentfile:
    """The parsed Agentfile of the options, or of the context; raises as `find_agentfile`.

    `find` finds the parents of an `.agentdef` that stands for an Agentfile.
    """
    if options.file is None:
        trace.text(context.root / "Agentfile")
    path = options.file or find_agentfile(context.root)
    trace.text(path)
    if path.suffix == ".agentdef":
        context.listing("")  # another .agentdef beside it would change what is built
        return agentfile_for(context, path, options, find, warn=report.warning)
    try:
        raw = files.read_at_most(path, limits.MAX_AGENTFILE_BYTES)
    except OSError as exc:
        hint = "-f names the file; PATH is the folder to copy from"
        raise AgentfileMissing(f"{path}: {exc.strerror}", hint=hint) from exc

    def parse_setting(key: str, text: str) -> Json:
        return memo.remember(f"set {key}={text}", lambda: _setting(key, text))["value"]

    return parse(raw, file=str(path), build_args=options.build_args, settings=parse_setting)


def _setting(key: str, text: str) -> dict[str, Json]:
    from agentoci.definition.settings import resolve_setting

    return {"value": resolve_setting(key).parse(text)}


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
