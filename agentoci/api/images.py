"""Images of the local store: list, find, inspect, history, tag, remove."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agentoci.api.locations import given_name, local_name, parse_location
from agentoci.content.protocols import ContentNotFound
from agentoci.errors import Conflict, Denied, NotFound
from agentoci.spec import annotations as keys
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.reference import InvalidReference, Reference
from agentoci.store.index import Entry

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

_SHORT_ID: Final = r"(?:sha256:)?([0-9a-f]{4,64})"
_HOST_AND_PORT: Final = r"(?:localhost|[^/:@]*\.[^/:@]*):[0-9]+"
"""What people write for a whole registry, and is a name with a tag."""
_FULL_ID: Final = r"(?:sha256:)?[0-9a-f]{64}"
"""What pins content means that content, even if somebody called another image so."""


class ImageNotFound(ContentNotFound):
    """No image of this name or id in the local store."""


class ImageInUse(Conflict):
    """Instances, or other names, hang on the image."""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """What `agent images` shows of one name: sizes in bytes, `stored` as RFC 3339."""

    repository: str | None
    tag: str | None
    digest: Digest
    size: int
    stored: str
    name: str | None
    kind: str | None

    @classmethod
    def of(cls, entry: Entry) -> ImageRow:
        """The row of an index entry."""
        shown = entry.annotations
        repository, tag = _split_name(entry.name)
        size = shown.get(keys.TOTAL_SIZE, "")
        return cls(
            repository,
            tag,
            entry.digest,
            int(size) if size.isdecimal() else entry.desc.size,
            shown.get(keys.STORED, ""),
            shown.get(keys.AGENT_NAME),
            shown.get(keys.ARTIFACT_TYPE) or entry.desc.artifact_type,
        )


@dataclass(frozen=True, slots=True)
class Removed:
    """What removing an image did: names gone, manifests gone, bytes freed."""

    untagged: tuple[str, ...]
    deleted: tuple[Digest, ...]
    freed: int


class Images:
    """Verbs on the images of the local store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, *, name: str | None = None) -> list[ImageRow]:
        """All names, sorted; `name` keeps those of one repository.

        What is attached to images is not among them: `agent discover` lists that.
        """
        rows = [
            ImageRow.of(entry)
            for entry in self._engine.store.index.read()
            if entry.name is not None or keys.SUBJECT not in entry.annotations
        ]
        if name is not None:
            rows = [row for row in rows if name in (row.repository, f"{row.repository}:{row.tag}")]
        return sorted(rows, key=lambda r: (r.repository or "~", r.tag or "", str(r.digest)))

    def find(self, text: str) -> Entry:
        """The entry that a reference, a digest or the beginning of an id means.

        Raises ImageNotFound with the nearest name, ImageInUse when an id is ambiguous, and
        InvalidReference for what cannot be a name and is near none.
        """
        entries = self._engine.store.index.read()
        found = _by_id(entries, text) if re.fullmatch(_FULL_ID, text) else None
        if found is None:
            found = _by_reference(entries, text, self._engine.settings.file.default_registry)
        if found is None:
            found = _by_id(entries, text)
        if found is None:
            raise _not_found(entries, text)
        return found

    @contextmanager
    def near_named(self, text: str) -> Iterator[None]:
        """Look for an image elsewhere; when it is not there either, the hint is a near name here.

        The default registry is asked for every short name, so that a slip of the pen ends there.
        """
        try:
            yield
        except (NotFound, Denied) as exc:
            near = _near(self._engine.store.index.read(), text)
            location = parse_location(text)
            if near is not None and isinstance(location, Reference) and location.is_local:
                here = f"did you mean {near!r}, which is here?"
                exc.hint = f"{here}; {exc.hint}" if exc.hint else here
            raise

    def tag(self, source: str, name: Reference) -> Digest:
        """Give an image another name, which cannot pin a digest; returns the image's digest."""
        called = given_name(name)
        entry = self.find(source)
        self._engine.writable_store.tag(entry.desc.bare(), called)
        return entry.digest

    def remove(self, texts: Sequence[str], *, force: bool = False) -> Removed:
        """Take names away; an image that loses its last one is deleted with its own blobs.

        Raises ImageInUse when an instance was made from it, or an id has several names.
        """
        store = self._engine.writable_store
        untagged: list[str] = []
        gone: list[Descriptor] = []
        for text in texts:
            entry = self.find(text)
            by_id = entry.name is None or entry.name not in _possible_names(
                text, self._engine.settings.file.default_registry
            )
            names = [e.name for e in store.index.read() if e.digest == entry.digest and e.name]
            last = by_id or len(names) <= 1
            self._check_removal(text, entry, names, by_id=by_id, last=last, force=force)
            with store.index.changing() as change:
                removed = change.remove(
                    lambda e, entry=entry, by_id=by_id: (  # type: ignore[misc]
                        e.digest == entry.digest and (by_id or e.name == entry.name)
                    )
                )
            untagged += [e.name for e in removed if e.name]
            if last:
                gone.append(entry.desc)
        gone.extend(self._detach(gone))
        freed = self._engine.collection.sweep_after(gone)
        return Removed(tuple(untagged), tuple(desc.digest for desc in gone), freed)

    def _detach(self, gone: Sequence[Descriptor]) -> tuple[Descriptor, ...]:
        """Take what was attached to these images off the index, too."""
        from agentoci.store.referrers import orphaned

        store = self._engine.writable_store
        orphans = orphaned(store, gone) if gone else []
        with store.index.changing() as change:
            change.remove(lambda entry: entry in orphans)
        return tuple(entry.desc for entry in orphans)

    def _check_removal(
        self,
        text: str,
        entry: Entry,
        names: Sequence[str],
        *,
        by_id: bool,
        last: bool,
        force: bool,
    ) -> None:
        if force:
            return
        if by_id and len(names) > 1:
            raise ImageInUse(
                f"{text} has several names: {', '.join(names)}", hint="remove names, or use --force"
            )
        users = [
            view.name
            for view in self._engine.instance_directory.list()
            if view.digest == str(entry.digest)
        ]
        if last and users:
            raise ImageInUse(
                f"{text}: instances were made from it: {', '.join(users)}",
                hint="`agent rm` them first, or use --force",
            )


def _by_reference(
    entries: Sequence[Entry], text: str, default_registry: str | None
) -> Entry | None:
    """By name, and when the reference pins a digest only if it is that one."""
    pinned = _pinned(text)
    for name in _possible_names(text, default_registry):
        for entry in entries:
            if name == entry.name and pinned in (None, entry.digest):
                return entry
    if pinned is None:
        return None
    return next((entry for entry in entries if entry.digest == pinned), None)


def _pinned(text: str) -> Digest | None:
    try:
        return Reference.parse(text).digest
    except InvalidReference:
        return None


def _possible_names(text: str, default_registry: str | None) -> list[str]:
    """The names a text may have in the store: itself, with `latest`, at the default registry."""
    names = [text]
    try:
        reference = Reference.parse(text)
    except InvalidReference:
        return names
    names.append(local_name(reference))
    if reference.is_local and default_registry:
        names.append(f"{default_registry}/{local_name(reference)}")
    return names


def _by_id(entries: Sequence[Entry], text: str) -> Entry | None:
    match = re.fullmatch(_SHORT_ID, text)
    if match is None:
        return None
    found = {e.digest: e for e in entries if e.digest.hex.startswith(match[1])}
    if len(found) > 1:
        raise ImageInUse(f"{text!r} is the beginning of {len(found)} ids", hint="give more digits")
    return next(iter(found.values()), None)


def _near(entries: Sequence[Entry], text: str) -> str | None:
    import difflib

    names = [entry.name for entry in entries if entry.name]
    return next(iter(difflib.get_close_matches(text, names, 1)), None)


def _not_found(entries: Sequence[Entry], text: str) -> ImageNotFound:
    near = _near(entries, text)
    if not near and re.fullmatch(_SHORT_ID, text) is None:
        parse_location(text)  # raises when there cannot be such a name
    hint = f"did you mean {near!r}?" if near else "`agent images` lists what is here"
    if not near and re.fullmatch(_HOST_AND_PORT, text):
        hint = f"write {text}/NAME, if it is a registry's host and port"
    return ImageNotFound(f"{text}: no such image in the local store", hint=hint)


def _split_name(name: str | None) -> tuple[str | None, str | None]:
    if name is None:
        return None, None
    if "@" in name:
        return name.partition("@")[0], None
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name, None
    return repository, tag
