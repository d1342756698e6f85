"""From the events of a YAML parser to plain data, refusing whatever JSON does not have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

from agentoci._internal import limits
from agentoci.definition.places import Located, Node, Place
from agentoci.definition.scalars import resolve
from agentoci.definition.wording import short
from agentoci.errors import Fault, SourceFaults
from agentoci.spec.jsonio import Json

MAX_FAULTS: Final = 50
"""Faults reported of one file; a file with more is another kind of file, or a hostile one."""


@dataclass(slots=True)
class _Key:
    """A key that waits for its value; no name when it was at fault and its value is dropped."""

    name: str | None
    place: Place


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    node: Node
    is_mapping: bool
    key: _Key | None = None


class Collector:
    """Takes the parser's events one by one, then gives the document."""

    def __init__(self, file: str, lines: tuple[str, ...]) -> None:
        self.file = file
        self.lines = lines
        self.faults: list[Fault] = []
        self._open: list[_Open] = []
        self._root: Node | None = None
        self._documents = 0

    def take(self, event: Any) -> None:
        """Take one event of `yaml.parse`; raises SourceFaults when there is no going on."""
        handler = self._HANDLERS.get(type(event).__name__)
        if handler:
            handler(self, event)

    def finish(self) -> Located:
        """The document; raises SourceFaults with all that was found."""
        if not self.faults and self._root is None:
            self.faults.append(Fault(self.file, 1, 1, "the file is empty"))
        if self.faults or self._root is None:
            raise SourceFaults(self.faults)
        return Located(self.file, self._root, self.lines)

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self._stop(self._place(event), "a second document; the file must hold one only")

    def _alias(self, event: Any) -> None:
        place = self._place(event)
        self._fault(place, "aliases are not supported", hint="write the value out here")
        self._attach(Node(None, place))

    def _scalar(self, event: Any) -> None:
        place = self._place(event)
        self._refuse_extras(event, place)
        plain = bool(event.implicit[0])
        node = Node(event.value, place, written=event.value if plain else None)
        if any("\ud800" <= char <= "\udfff" for char in event.value):
            self._fault(place, "half of a surrogate pair is not text")
        elif plain and not self._expects_key():
            node.value = self._resolved(event.value, place)
        self._attach(node)

    def _resolved(self, text: str, place: Place) -> Json:
        try:
            return resolve(text)
        except ValueError as exc:
            self._fault(place, str(exc), hint=f'write "{short(text)}" if it is text')
            return None

    def _sequence(self, event: Any) -> None:
        self._push(event, [], is_mapping=False)

    def _mapping(self, event: Any) -> None:
        self._push(event, {}, is_mapping=True)

    def _push(self, event: Any, empty: Json, *, is_mapping: bool) -> None:
        place = self._start(event)
        self._refuse_extras(event, place)
        if len(self._open) >= limits.MAX_YAML_DEPTH:
            self._stop(place, f"nested deeper than {limits.MAX_YAML_DEPTH} levels")
        self._open.append(_Open(Node(empty, place), is_mapping=is_mapping))

    def _end(self, event: Any) -> None:
        del event
        self._attach(self._open.pop().node)

    def _refuse_extras(self, event: Any, place: Place) -> None:
        if event.anchor is not None:
            self._fault(place, f"anchors are not supported: &{event.anchor[:40]}")
        if event.tag is not None:
            self._fault(
                place,
                f"tags are not supported: {event.tag[:40]}",
                hint="put the value in quotes if '!' is part of the text",
            )

    def _expects_key(self) -> bool:
        return bool(self._open) and self._open[-1].is_mapping and self._open[-1].key is None

    def _attach(self, node: Node) -> None:
        """Give a finished value its place in the list or mapping around it."""
        if not self._open:
            self._root = node
        elif not self._open[-1].is_mapping:
            around = self._open[-1].node
            around.children[len(around.children)] = node
            cast("list[Json]", around.value).append(node.value)
        elif self._expects_key():
            self._open[-1].key = _Key(self._key_name(node), node.place)
        else:
            self._attach_to_key(node)

    def _attach_to_key(self, node: Node) -> None:
        opened = self._open[-1]
        key, opened.key = opened.key, None
        if key is None or key.name is None:
            return
        if first := opened.node.children.get(key.name):
            line = first.key.line if first.key else first.place.line
            message = f"key '{short(key.name)}' stands twice"
            self._fault(key.place, message, hint=f"it stands on line {line} already")
            return
        node.key = key.place
        opened.node.children[key.name] = node
        cast("dict[str, Json]", opened.node.value)[key.name] = node.value

    def _key_name(self, node: Node) -> str | None:
        if node.written == "<<":
            self._fault(node.place, "merge keys are not supported", "write the values out here")
            return None
        if node.written is not None and not isinstance(_quietly_resolved(node.written), str):
            written = short(node.written)
            self._fault(node.place, f"key '{written}' is not text", f'write "{written}"')
            return None
        if not isinstance(node.value, str):
            # An alias or a collection as key; the alias has been named already.
            if node.value is not None:
                self._fault(node.place, "a key must be text")
            return None
        return node.value

    def _start(self, event: Any) -> Place:
        return Place(event.start_mark.line + 1, event.start_mark.column + 1)

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        if start.line == end.line:
            width = end.column - start.column
        else:
            line = self.lines[start.line] if start.line < len(self.lines) else ""
            width = len(line.rstrip()) - start.column
        return Place(start.line + 1, start.column + 1, max(1, width))

    def _fault(self, place: Place, message: str, hint: str | None = None) -> None:
        text = self.lines[place.line - 1] if place.line <= len(self.lines) else ""
        fault = Fault(self.file, place.line, place.column, message, text, place.width, hint)
        self.faults.append(fault)
        if len(self.faults) >= MAX_FAULTS:
            raise SourceFaults(self.faults)

    def _stop(self, place: Place, message: str) -> NoReturn:
        self._fault(place, message)
        raise SourceFaults(self.faults)

    _HANDLERS: Final[dict[str, Callable[[Collector, Any], None]]] = {
        "DocumentStartEvent": _document,
        "AliasEvent": _alias,
        "ScalarEvent": _scalar,
        "SequenceStartEvent": _sequence,
        "SequenceEndEvent": _end,
        "MappingStartEvent": _mapping,
        "MappingEndEvent": _end,
    }


def _quietly_resolved(text: str) -> Json:
    try:
        return resolve(text)
    except ValueError:
        return None
