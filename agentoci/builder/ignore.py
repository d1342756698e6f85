"""`.agentignore`: gitignore's rules on top of safe defaults."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agentoci._internal import files, limits
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
        raw = files.read_at_most(path, limits.MIB)
    except FileNotFoundError:
        return _defaults_only
    except OSError as exc:
        raise Invalid(f"{path}: {exc.strerror}") from exc
    if len(raw) > limits.MIB:
        raise Invalid(f"{path}: larger than 1 MiB")
    try:
        lines = raw.decode("utf-8").splitlines()
    except UnicodeDecodeError as exc:
        raise Invalid(f"{path}: not UTF-8 text") from exc
    return _compile(path, lines)


def _compile(path: Path, lines: list[str]) -> Ignored:
    import pathspec

    try:
        spec = pathspec.GitIgnoreSpec.from_lines([*DEFAULTS, *lines])
    except ValueError as exc:
        raise Invalid(f"{path}: {exc}", hint="one gitignore pattern per line") from exc
    return lambda name, is_folder: spec.match_file(name + "/" if is_folder else name)


def _as_expression(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", "[^/]*")


_LEFT_OUT: Final = re.compile(
    "|".join(_as_expression(p) for p in DEFAULTS if not p.startswith("!"))
)
_KEPT: Final = re.compile("|".join(_as_expression(p[1:]) for p in DEFAULTS if p.startswith("!")))


def _defaults_only(name: str, is_folder: bool) -> bool:  # noqa: FBT001 (the shape of Ignored)
    """The defaults are plain names, so without a file of rules no matcher needs to be loaded."""
    del is_folder
    base = name.rpartition("/")[2]
    return _LEFT_OUT.fullmatch(base) is not None and _KEPT.fullmatch(base) is None
