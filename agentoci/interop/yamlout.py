"""YAML for people and for every reader: block style, nothing that two readers take differently."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from agentoci.definition.scalars import resolve
from agentoci.spec.jsonio import Json

if TYPE_CHECKING:
    import yaml

_WIDTH: Final = 100


def dump_yaml(document: Mapping[str, Json]) -> str:
    """The document as YAML, keys in their order.

    `yamlio.load` reads it back to the same, and so do readers of YAML 1.1: a text that either
    could take for something else is in quotes.
    """
    import yaml

    made: str = yaml.dump(
        dict(document),
        Dumper=_dumper(),
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=_WIDTH,
    )
    return "".join(c if c.isprintable() or c == "\n" else _escape(c) for c in made)


def _escape(char: str) -> str:
    """What could steer a terminal; a text with such a character is in double quotes."""
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"


@cache
def _dumper() -> type[yaml.SafeDumper]:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Without aliases; texts of several lines stay lines."""

        def ignore_aliases(self, data: Any) -> bool:
            del data
            return True

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002
            del indentless
            super().increase_indent(flow, indentless=False)

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))

    Dumper.add_representer(str, represent)
    return Dumper


def _style(text: str) -> str | None:
    """How a text is written; None leaves it to the emitter."""
    if not all(char.isprintable() or char == "\n" for char in text):
        return '"'
    if "\n" in text:
        return "|" if text.strip() and not text[0].isspace() else '"'
    return None if isinstance(_meaning(text), str) else "'"


def _meaning(text: str) -> Json:
    try:
        return resolve(text)
    except ValueError:
        return None
