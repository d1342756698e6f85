"""What the text of an interface promises: its headings, its inputs and outputs, item by item."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from agentoci.release.changes import Change, change
from agentoci.release.textdiff import diff_texts

_HEADING: Final = re.compile(r"#{1,6}\s+(?P<title>.*?)\s*#*\s*")
_ITEM: Final = re.compile(r" {0,1}(?:[-*+]|\d{1,9}[.)])\s+(?P<item>\S.*)")
_LABEL: Final = re.compile(
    r" {0,3}(?:\*\*|__)?(?P<title>[^\s*_:\uff1a-][^*_:\uff1a]*)"
    r"(?:[:\uff1a](?:\*\*|__)?|(?:\*\*|__)[:\uff1a]?)\s*"
)
"""A line that heads a list without being a heading: `Inputs:`, `**Output**`."""
_FENCE: Final = re.compile(r"\s{0,3}(?:```|~~~)")
_NAME: Final = re.compile(r"(?P<name>.+?)\s*(?:[:(\uff1a\uff08]|\s[-\u2013\u2014]\s|$)")
"""Up to a colon, a bracket or a dash; the Chinese ones included."""
_REQUIRED: Final = re.compile(r"(?<!not )\brequired\b|\bmandatory\b|(?<![非无不])必[填需须須]")

INPUTS: Final = frozenset(
    ("input", "inputs", "parameters", "arguments", "输入", "输入参数", "参数", "入力")
)
OUTPUTS: Final = frozenset(("output", "outputs", "returns", "result", "results", "输出", "出力"))
"""Headings, in lower case, whose list items are inputs or outputs."""


@dataclass(slots=True)
class Interface:
    """The headings of a text, and the items of its inputs and outputs by name."""

    headings: list[str] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Interface:
        """Read Markdown as people write it; whatever is not understood is only text."""
        made = cls()
        items: dict[str, str] | None = None
        fenced = False
        for line in text.splitlines():
            fenced ^= _FENCE.match(line) is not None
            if fenced:
                continue
            if heading := _HEADING.fullmatch(line):
                items = made._below(heading["title"])
            elif label := _LABEL.fullmatch(line):
                items = made._listed(label["title"])
            elif items is not None and (item := _ITEM.fullmatch(line)):
                items.setdefault(_name_of(item["item"]), item["item"])
        return made

    def _below(self, title: str) -> dict[str, str] | None:
        """Note a heading; where the items below it belong."""
        items = self._listed(title)
        if items is None and title not in self.headings:
            self.headings.append(title)
        return items

    def _listed(self, title: str) -> dict[str, str] | None:
        plain = title.strip("*_ :\uff1a").lower()
        return self.inputs if plain in INPUTS else self.outputs if plain in OUTPUTS else None


def compare_interfaces(before: str | None, after: str | None) -> Iterator[Change]:
    """The changes of two interface texts; None where there is no interface."""
    if before == after:
        return
    old, new = Interface.read(before or ""), Interface.read(after or "")
    if before is None or after is None:
        end = "added" if before is None else "removed"
        yield change(f"interface.text-{end}", "", text=diff_texts(before or "", after or ""))
    else:
        yield change("interface.reworded", "", text=diff_texts(before, after))
    yield from _compare_headings(old.headings, new.headings)
    yield from _compare_inputs(old.inputs, new.inputs)
    for name, item in old.outputs.items():
        if name not in new.outputs:
            yield change("interface.output-removed", name, item)
    for name, item in new.outputs.items():
        if name not in old.outputs:
            yield change("interface.output-added", name, None, item)


def _compare_headings(old: list[str], new: list[str]) -> Iterator[Change]:
    yield from (change("interface.heading-removed", one) for one in old if one not in new)
    yield from (change("interface.heading-added", one) for one in new if one not in old)


def _compare_inputs(old: dict[str, str], new: dict[str, str]) -> Iterator[Change]:
    for name, item in old.items():
        if name not in new:
            yield change(f"interface.{_kind(item)}-removed", name, item)
        elif _is_required(item) != _is_required(new[name]):
            end = "required" if _is_required(new[name]) else "optional"
            yield change(f"interface.input-became-{end}", name, item, new[name])
    for name, item in new.items():
        if name not in old:
            yield change(f"interface.{_kind(item)}-added", name, None, item)


def _kind(item: str) -> str:
    return "needed-input" if _is_required(item) else "input"


def _is_required(item: str) -> bool:
    """Whether an input says that it must be given; one that says nothing may be left out."""
    return _REQUIRED.search(item.lower()) is not None


def _name_of(item: str) -> str:
    found = _NAME.match(item)
    name = found["name"] if found else item
    return name.strip("`*_ \"'") or item
