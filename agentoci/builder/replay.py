"""A build that would do what it did before is recognised by its inputs, and not done again.

The record of a build lists what it read: the Agentfile, the folders of the context (each entry with
size, times and inode), the digests of base images, the tags it looked at. When all of it is as it
was and every blob is still there, the result is too. Checking costs one `stat` per file, and
imports neither parser nor packer.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentoci._internal import files, limits
from agentoci._internal.version import __version__
from agentoci.builder.cachefile import read_cache, write_cache
from agentoci.builder.immutable import refuse_other_content
from agentoci.builder.options import FORMAT, BuildOptions
from agentoci.builder.report import BuildReport, Built, Layer, Step
from agentoci.builder.scan import RawEntry, fingerprint, scan
from agentoci.errors import AgentociError
from agentoci.scan.version import RULES_VERSION
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import Json, canonical
from agentoci.store.layout import LayoutStore

RACY_NS: Final = 50_000_000
"""A file changed this shortly before the build began, or since, could change again within one tick
of the file system's clock, unseen; what hangs on it is not remembered (git's "racy" entries)."""

_RECORD_LIMIT: Final = 16 * limits.MIB


@dataclass(slots=True)
class Trace:
    """What a build that began at `opened_ns` reads, while it goes on."""

    opened_ns: int
    folders: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str | None] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)
    newest_ns: int = 0
    replayable: bool = True

    def folder(self, path: str, entries: Sequence[RawEntry]) -> None:
        """A folder of the context was listed."""
        self.folders[path] = fingerprint(entries)
        self.newest_ns = max([self.newest_ns, *(max(e.mtime_ns, e.ctime_ns) for e in entries)])

    def text(self, path: Path) -> None:
        """A file outside the listed folders was read (it may be missing)."""
        self.texts[str(path.absolute())] = _digest_of(path)


@dataclass(slots=True)
class Recorder:
    """Passes the reports of a build on, and keeps them for the next time."""

    inner: BuildReport
    steps: list[tuple[Step, list[Layer]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def step(self, step: Step, layers: Sequence[Layer]) -> None:
        """Keep and pass on."""
        self.steps.append((step, list(layers)))
        self.inner.step(step, layers)

    def warning(self, text: str) -> None:
        """Keep and pass on."""
        self.warnings.append(text)
        self.inner.warning(text)


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one home's builds."""

    store: LayoutStore
    cache: Path

    def replay(self, context: Path, options: BuildOptions, report: BuildReport) -> Built | None:
        """The build's result, if nothing it reads has changed; None: build."""
        record = read_cache(self._path(context, options), limit=_RECORD_LIMIT)
        if record is None:
            return None
        with self.store.using():
            try:
                if not self._still_true(context, record):
                    return None
                steps, built = _parse_steps(record), _parse_built(record)
                warnings = [str(text) for text in _list(record["warnings"])]
                refuse_other_content(self.store, built.root, built.name, built.version, options)
            except (OSError, AgentociError, KeyError, TypeError, ValueError):
                return None
            tag_all(self.store, built.root, options)
        for step, layers in steps:
            report.step(step, layers)
        for text in warnings:
            report.warning(text)
        return built

    def keep(
        self, context: Path, options: BuildOptions, trace: Trace, report: Recorder, built: Built
    ) -> None:
        """Remember a build, unless something it read is so young that it could change unseen."""
        if not trace.replayable or trace.newest_ns + RACY_NS > trace.opened_ns:
            return
        from agentoci.content.graph import walk

        needs: list[Json] = [d.document() for d in walk(self.store, built.root).descriptors()]
        document: dict[str, Json] = {
            "folders": dict(trace.folders),
            "texts": dict(trace.texts),
            "images": dict(trace.images),
            "tags": {name: list(tags) for name, tags in trace.tags.items()},
            "needs": needs,
            "root": built.root.document(),
            "layers": [_layer_document(layer) for layer in built.layers],
            "steps": [_step_document(step, layers) for step, layers in report.steps],
            "warnings": list(report.warnings),
            "name": built.name,
            "version": built.version,
        }
        write_cache(self._path(context, options), document)

    def _path(self, context: Path, options: BuildOptions) -> Path:
        said = [
            __version__,
            FORMAT,
            str(context.resolve()),
            str(options.file.absolute()) if options.file else None,
            dict(options.build_args),
            options.profile,
            options.compression,
            options.epoch,
            options.fallback_name,
            options.version,
            sorted(options.annotations.items()),
            sorted(options.allowed_secrets),
            canonical({name: dict(pin) for name, pin in options.pins.requirements.items()}),
            sorted(options.pins.images.items()),
            RULES_VERSION,
        ]
        return self.cache / "builds" / f"{Digest.of(repr(said).encode()).hex}.json"

    def _still_true(self, context: Path, record: Mapping[str, Json]) -> bool:
        return (
            all(_digest_of(Path(path)) == known for path, known in _map(record, "texts"))
            and all(
                fingerprint(scan(os.path.join(context, folder))) == known  # noqa: PTH118 (speed)
                for folder, known in _map(record, "folders")
            )
            and self._names_unchanged(record)
            and all(self.store.exists(desc) for desc in _descriptors(record["needs"]))
        )

    def _names_unchanged(self, record: Mapping[str, Json]) -> bool:
        images = dict(_map(record, "images"))
        tags = dict(_map(record, "tags"))
        if not images and not tags:
            return True
        entries = self.store.index.read()
        known = {entry.name: str(entry.digest) for entry in entries}
        if any(known.get(name) != digest for name, digest in images.items()):
            return False
        names = [entry.name for entry in entries if entry.name is not None]
        return tags == {name: tags_of(names, name) for name in tags}


def tag_all(store: LayoutStore, root: Descriptor, options: BuildOptions) -> None:
    """Give the image the tags of the options; without any it is held untagged."""
    for tag in options.tags:
        store.tag(root, tag.tagged)
    if not options.tags:
        store.tag(root, str(root.digest))


def tags_of(names: Sequence[str], wanted: str) -> list[str]:
    """The tags under which the store holds an image of this name, in whatever registry."""
    found: set[str] = set()
    for name in names:
        repository, colon, tag = name.rpartition(":")
        if colon and "/" not in tag and wanted in (repository, repository.rpartition("/")[2]):
            found.add(tag)
    return sorted(found)


def _digest_of(path: Path) -> str | None:
    try:
        return hashlib.sha256(files.read_regular(path, limits.MIB)).hexdigest()
    except OSError:
        return None


def _parse_steps(record: Mapping[str, Json]) -> list[tuple[Step, list[Layer]]]:
    made: list[tuple[Step, list[Layer]]] = []
    for document in _list(record["steps"]):
        number, total, text, layers = _list(document)
        step = Step(int(str(number)), int(str(total)), str(text))
        made.append((step, list(_layers(layers))))
    return made


def _parse_built(record: Mapping[str, Json]) -> Built:
    root = Descriptor.parse(record["root"], what="record")
    layers_made = tuple(_layers(record["layers"]))
    return Built(root, layers_made, str(record["name"]), str(record["version"]))


def _layer_document(layer: Layer) -> Json:
    return [layer.desc.document(), str(layer.diff_id), layer.created_by, layer.file_count]


def _step_document(step: Step, layers: Sequence[Layer]) -> Json:
    return [step.number, step.total, step.text, [_layer_document(layer) for layer in layers]]


def _layers(document: Json) -> Iterator[Layer]:
    for entry in _list(document):
        desc, diff_id, created_by, count = _list(entry)
        yield Layer(
            Descriptor.parse(desc, what="record"),
            Digest.parse(diff_id),
            str(created_by),
            int(str(count)),
            cached=True,
        )


def _descriptors(document: Json) -> Iterator[Descriptor]:
    for entry in _list(document):
        yield Descriptor.parse(entry, what="record")


def _list(document: Json) -> list[Json]:
    if not isinstance(document, list):
        raise TypeError("a record of another shape")
    return document


def _map(record: Mapping[str, Json], key: str) -> list[tuple[str, Json]]:
    found = record[key]
    if not isinstance(found, dict):
        raise TypeError("a record of another shape")
    return list(found.items())
