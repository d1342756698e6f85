"""Types and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from agentoci.errors import AgentociError
from agentoci.spec.descriptor import Platform
from agentoci.spec.digest import Digest
from agentoci.spec.reference import Reference

F = TypeVar("F", bound=Callable[..., Any])


class ValueParam(click.ParamType):  # type: ignore[type-arg]  # generic since 8.4 only
    """A value of our own, by its `parse`; a text that is none is a usage error."""

    def __init__(self, kind: type[Reference | Platform | Digest]) -> None:
        self.name = kind.__name__.lower()
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse it."""
        if isinstance(value, self._kind):
            return value
        try:
            return self._kind.parse(value)
        except AgentociError as exc:
            hint = f" ({exc.hint})" if exc.hint else ""
            self.fail(exc.message + hint, param, ctx)


class PairParam(click.ParamType):  # type: ignore[type-arg]
    """`KEY=VALUE`."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split it; one without `=` is a usage error."""
        if isinstance(value, tuple):
            return value
        key, equals, rest = str(value).partition("=")
        if not equals or not key:
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        return key, rest


DIGEST: Final = ValueParam(Digest)
PLATFORM: Final = ValueParam(Platform)
REFERENCE: Final = ValueParam(Reference)
PAIR: Final = PairParam()


def format_option(function: F) -> F:
    """`--format table|json`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="How to print.",
    )(function)


def _file_or_none(_: click.Context, __: click.Parameter, value: Path | None) -> Path | None:
    return None if value == Path("-") else value


output_option = click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    callback=_file_or_none,
    help="File to write; stdout when left out, or -.",
)
"""`-o FILE`, which the command gets as `target`: None for stdout."""

json_option = click.option(
    "--format", type=click.Choice(["json"]), expose_value=False, help="How to print: always JSON."
)
"""`--format json` of what prints nothing else; it is what scripts write everywhere."""

quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print results only.")
