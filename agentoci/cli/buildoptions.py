"""The options of every command that builds: what from, and into what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from agentoci.cli.params import PAIR

F = TypeVar("F", bound=Callable[..., Any])

_FILE: Final = "Agentfile or .agentdef (PATH/Agentfile, else the only .agentdef in PATH)."


def source_options(*, file: str = _FILE) -> Callable[[F], F]:
    """`-f/--file`, whose help is `file`, and `--build-arg`: `file` and `build_args`."""
    return _all_of(
        click.option(
            "-f", "--file", "file", type=click.Path(path_type=Path, dir_okay=False), help=file
        ),
        click.option(
            "--build-arg", "build_args", type=PAIR, multiple=True, help="Value of an ARG."
        ),
    )


def packing_options(function: F) -> F:
    """`--profile` and `--compression`."""
    return _all_of(
        click.option(
            "--profile",
            type=click.Choice(["agent", "image"]),
            default="agent",
            show_default=True,
            help="Media types: our own, or those of container images.",
        ),
        click.option(
            "--compression",
            type=click.Choice(["zstd", "gzip", "none"]),
            default="zstd",
            show_default=True,
            help="Of layers that get smaller by it.",
        ),
    )(function)


allow_secret_option = click.option(
    "--allow-secret",
    "allowed_secrets",
    metavar="ID",
    multiple=True,
    help="Let one finding of the secret scan through; repeatable.",
)
"""`--allow-secret ID`, which the command gets as `allowed_secrets`."""


def _all_of(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """One decorator for several; help shows them in this order."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate
