"""Types and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from agentoci.spec.descriptor import InvalidPlatform, Platform
from agentoci.spec.digest import Digest, InvalidDigest
from agentoci.spec.reference import InvalidReference, Reference

F = TypeVar("F", bound=Callable[..., Any])


class ReferenceParam(click.ParamType):  # type: ignore[type-arg]  # generic since 8.4 only
    """A reference: `[HOST/]NAME[:TAG][@DIGEST]`."""

    name = "reference"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Reference:
        """Parse it; a bad one is a usage error."""
        if isinstance(value, Reference):
            return value
        try:
            return Reference.parse(value)
        except InvalidReference as exc:
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


class PlatformParam(click.ParamType):  # type: ignore[type-arg]
    """`OS/ARCHITECTURE[/VARIANT]`."""

    name = "platform"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Platform:
        """Parse it; a bad one is a usage error."""
        if isinstance(value, Platform):
            return value
        try:
            return Platform.parse(value)
        except InvalidPlatform as exc:
            self.fail(f"{exc.message} ({exc.hint})", param, ctx)


class DigestParam(click.ParamType):  # type: ignore[type-arg]
    """`sha256:HEX`."""

    name = "digest"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Digest:
        """Parse it; a bad one is a usage error."""
        if isinstance(value, Digest):
            return value
        try:
            return Digest.parse(value)
        except InvalidDigest as exc:
            self.fail(exc.message, param, ctx)


DIGEST: Final = DigestParam()
PLATFORM: Final = PlatformParam()
REFERENCE: Final = ReferenceParam()
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
