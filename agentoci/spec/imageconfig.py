"""The config blob: a superset of the OCI image config (image-spec, config.md) with our own key.

Both profiles carry the same document; the image profile adds `os` and `architecture`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentoci._internal import limits
from agentoci.errors import Integrity
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import Json, canonical, loads_object


class InvalidConfig(Integrity):
    """A config blob whose parts have the wrong shape."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step of the build; `empty_layer` when it made no layer."""

    created_by: str
    empty_layer: bool = False
    created: str | None = None
    comment: str | None = None

    def document(self) -> dict[str, Json]:
        """The JSON object."""
        made: dict[str, Json] = {"created_by": self.created_by}
        if self.created:
            made["created"] = self.created
        if self.comment:
            made["comment"] = self.comment
        if self.empty_layer:
            made["empty_layer"] = True
        return made


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """A view of the config blob.

    `env` are `KEY=VALUE` strings in order; `diff_ids` the digests of the uncompressed layers;
    `agentoci` our own key: `definition` (the compiled `.agentdef` document), `lineage` (what each
    ancestor said, when there are any), `requirements`, and
    the definition's `permissions`, `isolation`, `health_check` where it has them.
    """

    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    working_dir: str = "/agent"
    labels: Mapping[str, str] = field(default_factory=dict)
    diff_ids: tuple[Digest, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    created: str | None = None
    agentoci: Mapping[str, Json] = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: bytes, *, what: str) -> ImageConfig:
        """Read a config blob, ours or that of a plain image; raises InvalidConfig, InvalidJson."""
        document = loads_object(raw, what=what, limit=limits.MAX_CONFIG_BYTES)
        config = _object(document, "config", what)
        rootfs = _object(document, "rootfs", what)
        created = document.get("created")
        return cls(
            _strings(config, "Env", what),
            _strings(config, "Entrypoint", what) + _strings(config, "Cmd", what),
            str(config.get("WorkingDir") or "/"),
            {key: str(value) for key, value in _object(config, "Labels", what).items()},
            tuple(Digest.parse(text) for text in _strings(rootfs, "diff_ids", what)),
            tuple(_history(document, what)),
            created if isinstance(created, str) else None,
            _object(document, "agentoci", what),
        )

    def document(self, *, platform: Mapping[str, str] | None = None) -> dict[str, Json]:
        """The JSON object; `platform` adds `os` and `architecture` (image profile)."""
        config: dict[str, Json] = {"WorkingDir": self.working_dir}
        if self.env:
            config["Env"] = list(self.env)
        if self.entrypoint:
            config["Entrypoint"] = list(self.entrypoint)
        if self.labels:
            config["Labels"] = dict(self.labels)
        made: dict[str, Json] = {
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [str(digest) for digest in self.diff_ids]},
            "history": [entry.document() for entry in self.history],
            "agentoci": dict(self.agentoci),
            **(platform or {}),
        }
        if self.created:
            made["created"] = self.created
        return made

    def encode(self, *, platform: Mapping[str, str] | None = None) -> bytes:
        """The canonical bytes of the blob."""
        return canonical(self.document(platform=platform))

    def layer_history(self) -> tuple[HistoryEntry, ...]:
        """The entries that made a layer, in the order of the layers."""
        return tuple(entry for entry in self.history if not entry.empty_layer)


def _object(document: Mapping[str, Json], key: str, what: str) -> dict[str, Json]:
    found = document.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InvalidConfig(f"{what}: {key} must be an object")
    return found


def _strings(document: Mapping[str, Json], key: str, what: str) -> tuple[str, ...]:
    found = document.get(key)
    if found is None:
        return ()
    if not isinstance(found, list):
        raise InvalidConfig(f"{what}: {key} must be a list of strings")
    texts: list[str] = []
    for entry in found:
        if not isinstance(entry, str):
            raise InvalidConfig(f"{what}: {key} must be a list of strings")
        texts.append(entry)
    return tuple(texts)


def _history(document: Mapping[str, Json], what: str) -> Sequence[HistoryEntry]:
    found = document.get("history")
    if found is None:
        return ()
    if not isinstance(found, list):
        raise InvalidConfig(f"{what}: history must be a list")
    entries: list[HistoryEntry] = []
    for entry in found:
        if not isinstance(entry, dict):
            raise InvalidConfig(f"{what}: history must hold objects")
        entries.append(
            HistoryEntry(
                str(entry.get("created_by") or ""),
                entry.get("empty_layer") is True,
                str(entry["created"]) if entry.get("created") else None,
                str(entry["comment"]) if entry.get("comment") else None,
            )
        )
    return entries
