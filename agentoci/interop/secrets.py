"""Secrets in other tools' files: they become references, and no message or result shows them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agentoci.definition.tools import is_secret_reference, names_secret
from agentoci.scan.content import scan_content
from agentoci.spec.jsonio import Json

HIDDEN: Final = "***"

_LONG: Final = 4096
"""Characters of a text in which secrets are looked for; no setting has more."""

_RANDOM: Final = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9+_=-]{24,}")
_PASSWORD_IN_URL: Final = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
_PLACEHOLDER: Final = re.compile(
    r"\$\{(?:env[:.]|input:|secret:)?(?P<braced>[A-Za-z_][\w-]*)(?P<default>:?-[^}]*)?\}"
    r"|\$\{\{\s*(?:env|secrets)\.(?P<double>[A-Za-z_]\w*)\s*\}\}"
    r"|\$(?P<bare>[A-Za-z_]\w*)"
)
_OURS: Final = re.compile(r"(?P<scheme>(?:[A-Za-z][A-Za-z0-9-]* )?)env:(?P<name>[A-Za-z_]\w*)")
_SCHEME: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9-]*) (?P<rest>\S+)")


@dataclass(frozen=True, slots=True)
class Setting:
    """A variable's or header's value as a definition has it, and what that leaves out, if any."""

    value: str
    loss: str | None = None


def looks_secret(value: str) -> bool:
    """Whether a text looks like a key that somebody issued, or holds a password."""
    if is_placeholder(value):
        return False
    return (
        bool(scan_content("value", value[:_LONG].encode(errors="replace")))
        or _RANDOM.fullmatch(value) is not None
        or _PASSWORD_IN_URL.search(value) is not None
    )


def is_placeholder(value: str) -> bool:
    """Whether a text is `${NAME}`, in any tool's spelling, or a reference of ours."""
    return is_secret_reference(value) or _PLACEHOLDER.fullmatch(value) is not None


def setting(name: str, value: str) -> Setting:
    """What a definition says for a variable or header of another tool's file.

    `${NAME}` in any tool's spelling becomes `env:NAME`, with a scheme before it if there is one
    (`Bearer env:NAME`); so does a literal secret, which is a loss.
    """
    if not value or is_secret_reference(value):
        return Setting(value)
    match = _SCHEME.fullmatch(value)
    scheme, rest = (f"{match['scheme']} ", match["rest"]) if match else ("", value)
    if place := _PLACEHOLDER.fullmatch(rest):
        named = _variable(place["braced"] or place["double"] or place["bare"])
        loss = "a default for the variable has no equivalent" if place["default"] else None
        return Setting(f"{scheme}env:{named}", loss)
    if names_secret(name) or looks_secret(rest):
        return Setting(
            f"{scheme}env:{_variable(name)}",
            "the secret itself stays out: set the variable where the agent runs",
        )
    if _PLACEHOLDER.search(value):
        return Setting(value, "the variable within the text is not filled in at run time")
    return Setting(value)


def filled_in(value: str, form: str) -> str:
    """The reverse: `env:NAME`, after a scheme or alone, spelled by a form such as `${%s}`."""
    match = _OURS.fullmatch(value)
    return value if match is None else match["scheme"] + form % match["name"]


def conceal(value: Json, *, name: str = "") -> Json:
    """The value with every secret in it hidden."""
    if isinstance(value, dict):
        return {key: conceal(inner, name=key) for key, inner in value.items()}
    if isinstance(value, list):
        return [conceal(inner, name=name) for inner in value]
    if not isinstance(value, str) or not value or setting("", value).value != value:
        return value if not isinstance(value, str) or not looks_secret(value) else HIDDEN
    if names_secret(name) or looks_secret(value):
        return HIDDEN
    return value


def _variable(name: str) -> str:
    made = re.sub(r"\W", "_", name, flags=re.ASCII).upper()
    return f"_{made}" if made[:1].isdigit() else made or "SECRET"
