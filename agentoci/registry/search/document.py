"""The document of a search index: which agents there are, with what tells people about them.

One JSON object in canonical spelling, sorted, so that the same agents are the same bytes whoever
wrote them down in whatever order. Importing this module costs pydantic.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from agentoci._internal import limits
from agentoci.errors import Integrity
from agentoci.spec.digest import Digest, InvalidDigest
from agentoci.spec.jsonio import Json, canonical, loads_object
from agentoci.spec.reference import InvalidReference, Reference

VERSION: Final = 1

MAX_DESCRIPTION: Final = 2048
MAX_ANNOTATIONS: Final = 64
MAX_ANNOTATION: Final = 1024
MAX_SHORT: Final = 255
"""Characters, annotations, characters of one, of a key: an index is for finding, not reading."""

_Short = Annotated[str, Field(max_length=MAX_SHORT)]
_VERSION: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}$"
_SHOWN_FAULTS: Final = 3


class InvalidSearchIndex(Integrity):
    """Not a search index, or one that says what no index may."""


class UnknownSearchIndex(Integrity):
    """A search index of a version that this program does not read."""


def _is_name(text: str) -> str:
    try:
        reference = Reference.parse(text)
    except InvalidReference as exc:
        raise ValueError(exc.message) from exc
    if reference.name != text:
        raise ValueError(f"expected a name without tag and digest, such as {reference.name!r}")
    return text


def _is_digest(text: str) -> str:
    try:
        return str(Digest.parse(text))
    except InvalidDigest as exc:
        raise ValueError(exc.message) from exc


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class IndexedAgent(_Part):
    """One agent: `NAME:VERSION` is what to pull, and `NAME@DIGEST` is what it was then."""

    name: Annotated[str, AfterValidator(_is_name)] = Field(
        max_length=512, description="Registry and repository, without tag and digest."
    )
    version: str = Field(pattern=_VERSION, description="The tag.")
    digest: Annotated[str, AfterValidator(_is_digest)] = Field(
        max_length=200, description="The manifest's digest when the entry was written."
    )
    title: _Short | None = Field(None, description="What the agent calls itself.")
    description: str | None = Field(None, max_length=MAX_DESCRIPTION, description="What it is for.")
    artifact_type: _Short | None = Field(
        None, alias="artifactType", description="What kind of artifact it is."
    )
    annotations: dict[_Short, Annotated[str, Field(max_length=MAX_ANNOTATION)]] = Field(
        default_factory=dict,
        max_length=MAX_ANNOTATIONS,
        description="Further annotations of the manifest.",
    )

    @property
    def key(self) -> tuple[str, str]:
        """What an index holds once."""
        return self.name, self.version

    @property
    def reference(self) -> str:
        """`NAME:VERSION`."""
        return f"{self.name}:{self.version}"

    def document(self) -> dict[str, Json]:
        """The JSON object, without what was not said."""
        made: dict[str, Json] = self.model_dump(by_alias=True, exclude_none=True)
        if not self.annotations:
            del made["annotations"]
        return made


class _Document(_Part):
    version: Literal[1]
    entries: Annotated[
        tuple[IndexedAgent, ...], Field(max_length=limits.MAX_SEARCH_INDEX_ENTRIES)
    ] = ()


class SearchIndex:
    """The agents of one index, each name and version once, sorted. A value: changes make others."""

    def __init__(self, entries: Iterable[IndexedAgent] = ()) -> None:
        found = {entry.key: entry for entry in entries}
        self.entries = tuple(found[key] for key in sorted(found))

    @classmethod
    def parse(cls, raw: bytes, *, what: str) -> SearchIndex:
        """Read a document; raises UnknownSearchIndex, InvalidSearchIndex, InvalidJson."""
        document = loads_object(raw, what=what, limit=limits.MAX_SEARCH_INDEX_BYTES)
        version = document.get("version")
        if type(version) is int and version != VERSION:
            raise UnknownSearchIndex(
                f"{what}: a search index of version {version}, this program reads {VERSION}",
                hint="a newer agentoci reads it",
            )
        try:
            entries = _Document.model_validate_json(raw).entries
        except ValidationError as exc:
            raise InvalidSearchIndex(f"{what}: {_faults(exc)}") from exc
        index = cls(entries)
        if len(index.entries) != len(entries):
            raise InvalidSearchIndex(f"{what}: lists the same name and version twice")
        return index

    def encode(self) -> bytes:
        """The document's bytes; raises InvalidSearchIndex when no reader would take them."""
        if len(self.entries) > limits.MAX_SEARCH_INDEX_ENTRIES:
            raise InvalidSearchIndex(
                f"{len(self.entries)} agents: an index holds {limits.MAX_SEARCH_INDEX_ENTRIES}",
                hint="use several indexes",
            )
        entries: list[Json] = [entry.document() for entry in self.entries]
        raw = canonical({"version": VERSION, "entries": entries})
        if len(raw) > limits.MAX_SEARCH_INDEX_BYTES:
            raise InvalidSearchIndex(
                f"an index of {len(raw)} bytes: readers take {limits.MAX_SEARCH_INDEX_BYTES}",
                hint="use several indexes",
            )
        return raw

    def with_entries(self, entries: Iterable[IndexedAgent]) -> SearchIndex:
        """These too; they replace what has their name and version."""
        return SearchIndex((*self.entries, *entries))

    def without(self, matches: Callable[[IndexedAgent], bool]) -> SearchIndex:
        """All but those."""
        return SearchIndex(entry for entry in self.entries if not matches(entry))

    def find(self, key: tuple[str, str]) -> IndexedAgent | None:
        """The entry of this name and version."""
        return next((entry for entry in self.entries if entry.key == key), None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchIndex) and self.entries == other.entries

    def __hash__(self) -> int:
        return hash(tuple(entry.key for entry in self.entries))


def render_schema() -> str:
    """The text of `schemas/search-index.schema.json`."""
    made = _Document.model_json_schema(by_alias=True)
    agent = made.pop("$defs")["IndexedAgent"]
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:agentoci:schema:search-index:v1",
        **made,
        "title": "Search index of agents",
        "$defs": {"IndexedAgent": agent},
    }
    return json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _faults(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False)
    shown = [
        f"{'.'.join(map(str, fault['loc'])) or 'document'}: {fault['msg']}"
        for fault in found[:_SHOWN_FAULTS]
    ]
    more = len(found) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")
