"""`.agentignore`: gitignore's rules on top of safe defaults."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from agentoci._internal import files, limits
from agentoci.builder.patterns import BadPattern, part_expression
from agentoci.errors import Invalid

NAME: Final = ".agentignore"

DEFAULTS: Final = (
    ".git",
    ".hg",
    ".svn",
    ".env",
    ".env.*",
    "!.env.example",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".ssh",
    ".aws",
    ".kube",
    ".docker",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "id_rsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "__pycache__",
    "*.pyc",
    ".DS_Store",
    ".agentignore",
)
"""Left out unless `.agentignore` takes them back in by `!`: version control, secrets, and the
droppings of tools."""

Ignored = Callable[[str, bool], bool]
"""Whether a path of the context (with `/`, relative) is left out; the flag says it is a folder."""


def read_rules(context: Path) -> Ignored:
    """The rules of a context; raises Invalid when `.agentignore` cannot be read as text."""
    path = context / NAME
    try:
        raw = files.read_regular(path, limits.MIB)
    except FileNotFoundError:
        return _left_out_by_default
    except OSError as exc:
        raise Invalid(f"{path}: {exc.strerror}") from exc
    if len(raw) > limits.MIB:
        raise Invalid(f"{path}: larger than 1 MiB")
    try:
        lines = raw.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as exc:
        raise Invalid(f"{path}: not UTF-8 text") from exc
    return _compile(path, lines)


class _Rule(NamedTuple):
    """One line of the file, as gitignore(5) reads it."""

    expression: re.Pattern[str]
    keeps: bool
    folders_only: bool
    whole_path: bool


def _compile(path: Path, lines: Sequence[str]) -> Ignored:
    """The last rule that matches decides, else the defaults.

    Whoever asks walks down from the top and stops at what is ignored, as git does, so a rule needs
    to match the path itself only, never what lies above it.
    """
    rules: list[_Rule] = []
    for number, line in enumerate(lines, 1):
        try:
            rule = _parse(line)
        except BadPattern as exc:
            raise BadPattern(f"{path}:{number}: {exc.message}") from exc
        if rule is not None:
            rules.insert(0, rule)

    def ignored(name: str, is_folder: bool) -> bool:  # noqa: FBT001 (the shape of Ignored)
        base = name.rpartition("/")[2]
        for rule in rules:
            if rule.folders_only and not is_folder:
                continue
            if rule.expression.fullmatch(name if rule.whole_path else base):
                return not rule.keeps
        return _left_out_by_default(name, is_folder)

    return ignored


def _parse(line: str) -> _Rule | None:
    text = _without_trailing_blanks(line.rstrip("\r"))
    if not text or text.startswith("#"):
        return None
    keeps = text.startswith("!")
    text = text[1:] if keeps else text
    folders_only = text.endswith("/")
    text = text.removesuffix("/")
    whole_path = "/" in text
    parts = text.removeprefix("/").split("/")
    if parts == [""]:
        return None
    expression = re.compile("".join(_path_expression(parts)), re.DOTALL)
    return _Rule(expression, keeps, folders_only, whole_path)


def _path_expression(parts: Sequence[str]) -> Iterator[str]:
    """`**` as a part of its own spans folders; at the end it is everything inside.

    What stands between two of them is taken where it first occurs, so that their number costs no
    time.
    """
    first, *groups = _between_double_stars(parts)
    yield "/".join(map(part_expression, first)) + ("/" if first and groups else "")
    for number, group in enumerate(groups, 1):
        inner = "/".join(map(part_expression, group))
        if number == len(groups):
            yield f"(?:.*/)?{inner}" if group else ".+"
        elif group:
            yield f"(?>(?:.*?/)??{inner}/)"


def _between_double_stars(parts: Sequence[str]) -> list[list[str]]:
    groups: list[list[str]] = [[]]
    for part in parts:
        if part == "**":
            groups.append([])
        else:
            groups[-1].append(part)
    return groups


def _without_trailing_blanks(line: str) -> str:
    """The last one stays when a backslash stands before it."""
    text = line.rstrip(" ")
    backslashes = len(text) - len(text.rstrip("\\"))
    return text + " " if backslashes % 2 and len(text) < len(line) else text


def _as_expression(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", "[^/]*")


_LEFT_OUT: Final = re.compile(
    "|".join(_as_expression(p) for p in DEFAULTS if not p.startswith("!"))
)
_KEPT: Final = re.compile("|".join(_as_expression(p[1:]) for p in DEFAULTS if p.startswith("!")))


def _left_out_by_default(name: str, is_folder: bool) -> bool:  # noqa: FBT001 (the shape of Ignored)
    """The defaults are plain names."""
    del is_folder
    base = name.rpartition("/")[2]
    return _LEFT_OUT.fullmatch(base) is not None and _KEPT.fullmatch(base) is None
