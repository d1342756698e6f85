"""One MCP server of another tool's file, as a tool of a definition."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from agentoci.definition.tools import names_secret
from agentoci.interop.losses import Losses
from agentoci.interop.secrets import HIDDEN, is_placeholder, looks_secret, setting
from agentoci.spec.jsonio import Json

_FLAG: Final = re.compile(r"--?([A-Za-z][\w-]*)(?:=(.*))?", re.DOTALL)
_NAMES_A_FILE: Final = ("file", "path", "dir")
_IN_ARGUMENT: Final = "a secret was an argument: give it by a variable, if the program reads one"


def settings(values: Mapping[str, str], path: str, losses: Losses) -> dict[str, Json]:
    """Variables or headers, secrets by reference."""
    made: dict[str, Json] = {}
    for name, value in values.items():
        found = setting(name, value)
        if found.loss is not None:
            losses.note(f"{path}.{name}", HIDDEN, f"{found.loss} ({found.value})")
        made[name] = found.value
    return made


def arguments(values: list[str], path: str, losses: Losses) -> list[Json]:
    """Arguments of a program, secrets hidden: an image is for everybody to read."""
    made: list[Json] = [*values]
    for index, start in secret_arguments(values):
        made[index] = f"{values[index][:start]}{HIDDEN}"
        losses.note(f"{path}[{index}]", HIDDEN, _IN_ARGUMENT)
    return made


def secret_arguments(values: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The arguments that hold a secret: the index of each, and where in it the secret begins.

    They look like one, or a flag says so: `--token x`, `--api-key=x`, but not `--token-file x`.
    """
    secret_follows = False
    for index, value in enumerate(values):
        match = _FLAG.fullmatch(value)
        if match is None:
            if looks_secret(value) or (secret_follows and not is_placeholder(value)):
                yield index, 0
            secret_follows = False
            continue
        given = match[2]
        asks = names_secret(match[1].replace("-", "_")) and not match[1].endswith(_NAMES_A_FILE)
        if given and (looks_secret(given) or (asks and not is_placeholder(given))):
            yield index, match.start(2)
        secret_follows = asks and given is None


def clean_url(url: str, path: str, losses: Losses) -> str:
    """The URL without user, password and secrets in its query."""
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return url
    host = parts.netloc.rpartition("@")[2]
    kept = [(k, HIDDEN if names_secret(k) or looks_secret(v) else v) for k, v in query]
    if host == parts.netloc and kept == query:
        return url
    losses.note(path, HIDDEN, "the URL holds a secret: give it in a header, by reference")
    return urlunsplit(parts._replace(netloc=host, query=urlencode(kept, safe="*")))


def called_after(command: str, args: list[str]) -> str:
    """What a server may be called after how it is started: its package, else its program."""
    for argument in args:
        if re.fullmatch(r"@?[A-Za-z0-9][\w.-]*(?:/[\w.-]+)*(?:@[\w.-]+)?", argument):
            package = argument.rpartition("/")[2].lstrip("@").partition("@")[0]
            if package not in ("run", "exec", "x", "dlx", "tool"):
                return package
    return command.rpartition("/")[2] or "server"
