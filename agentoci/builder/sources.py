"""Reading the Agentfile of a build."""

from __future__ import annotations

from agentoci._internal import files, limits
from agentoci.agentfile import Agentfile, parse
from agentoci.builder.context import Context
from agentoci.builder.finding import AgentfileMissing, find_agentfile
from agentoci.builder.loose import agentfile_for
from agentoci.builder.memo import Memo
from agentoci.builder.options import BuildOptions
from agentoci.builder.replay import Trace
from agentoci.builder.report import BuildReport
from agentoci.definition.parents import Find
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
