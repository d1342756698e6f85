"""agent prune --remote: what of a repository at a registry goes, and why."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.errors import Invalid

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.api.remoteprune import RemotePrune, RemovalOutcome
    from agentoci.api.retention import Removal, Rules


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """What the options of `agent prune --remote` say."""

    keep_semver: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    keep_prereleases: bool = False
    prune_unversioned: bool = False
    orphans: bool = False
    yes: bool = False

    def rules(self) -> Rules:
        """The rules of the plan; raises InvalidRetention, UsageError."""
        from agentoci.api.retention import Rules
        from agentoci.spec.retention import Retention

        if not self.keep_semver:
            raise click.UsageError("--remote needs --keep-semver: how many versions to keep")
        return Rules(
            tuple(Retention.parse(text) for text in self.keep_semver),
            self.keep,
            prereleases=self.keep_prereleases,
            unversioned=self.prune_unversioned,
            orphans=self.orphans,
        )


def prune_remote(
    engine: Engine, repository: str, options: RemoteOptions, form: str, *, dry_run: bool
) -> None:
    """Plan, show, ask, remove."""
    from agentoci.api.remoteprune import PartlyPruned, plan_remote

    rules = options.rules()
    asks = form != "json" and sys.stdin.isatty() and sys.stderr.isatty()
    if not (dry_run or options.yes or asks):
        raise Invalid(
            "nobody is asked whether to remove images, where there is no terminal, or for JSON",
            hint="look at the plan by --dry-run, then say --yes",
        )
    prune = plan_remote(engine, repository, rules)
    if form != "json":
        _show_plan(prune)
    if dry_run or not prune.plan.removals:
        _finish(prune, None, form, dry_run=dry_run)
        return
    question = f"Remove these from {prune.repository}?"
    if not options.yes and not click.confirm(question, err=True):
        output.talk("nothing was removed")
        return
    outcomes = prune.carry_out()
    _finish(prune, outcomes, form, dry_run=False)
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed:
        raise PartlyPruned(
            f"{prune.repository}: {len(failed)} of {len(outcomes)} removals failed",
            hint="run the command again when the cause is mended",
        )


def _show_plan(prune: RemotePrune) -> None:
    rows = [
        (str(each.action), ", ".join(each.tags) or "<untagged>", each.digest.short, each.why)
        for each in prune.plan.removals
    ]
    if rows:
        output.table(("ACTION", "TAGS", "DIGEST", "WHY"), rows)


def _finish(
    prune: RemotePrune, outcomes: Sequence[RemovalOutcome] | None, form: str, *, dry_run: bool
) -> None:
    if form == "json":
        output.document(_document(prune, outcomes, dry_run=dry_run))
        return
    for outcome in outcomes or ():
        if outcome.error is not None:
            output.talk(f"failed: {outcome.removal.digest}: {outcome.error}")
    count = len(prune.plan.removals)
    if not count:
        output.talk("nothing to remove")
    elif outcomes is None:
        output.talk(f"would remove {count}, keeps {len(prune.plan.kept)} tags")
    else:
        done = sum(outcome.error is None for outcome in outcomes)
        output.talk(f"removed {done}, kept {len(prune.plan.kept)} tags")
        output.talk("the registry frees the space when it collects garbage")


def _document(
    prune: RemotePrune, outcomes: Sequence[RemovalOutcome] | None, *, dry_run: bool
) -> dict[str, object]:
    if outcomes is None:
        removals = [_removal(each, "planned") for each in prune.plan.removals]
    else:
        removals = [
            _removal(each.removal, "failed" if each.error else "removed", each.error)
            for each in outcomes
        ]
    kept = [{"tag": tag, "why": why} for tag, why in sorted(prune.plan.kept.items())]
    return {
        "repository": prune.repository,
        "dryRun": dry_run,
        "kept": kept,
        "removals": removals,
    }


def _removal(removal: Removal, outcome: str, error: str | None = None) -> dict[str, object]:
    return {
        "action": str(removal.action),
        "digest": str(removal.digest),
        "tags": list(removal.tags),
        "why": removal.why,
        "outcome": outcome,
        "error": error,
    }
