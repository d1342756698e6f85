"""What is released once stays: a build does not give a full release other content."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from agentoci.builder.options import BuildOptions
from agentoci.errors import Conflict
from agentoci.spec import annotations as keys
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.imageconfig import ImageConfig
from agentoci.spec.jsonio import Json
from agentoci.spec.version import TagVersion
from agentoci.store.index import Entry
from agentoci.store.layout import LayoutStore

if TYPE_CHECKING:
    from agentoci.store.images import Image

_UNVERSIONED: Final = "0.0.0"

_LOCKED: Final = frozenset({"agent/files.json", "agent/tools/bindings.json"})
"""Files that say, or follow from, what was resolved."""


class ReleasedOtherwise(Conflict):
    """The store holds other content under the same name and version."""


def refuse_other_content(
    store: LayoutStore, root: Descriptor, name: str, version: str, options: BuildOptions
) -> None:
    """Raise ReleasedOtherwise when `name@version` is in the store with other content only.

    Free are pre-releases, what has no version, builds that tag nothing, and `options.replace`.
    Content is what the config says, so that compression and profile make no difference.
    """
    if options.replace or not options.tags or not _is_release(version):
        return
    entries = [entry for entry in store.index.read() if _may_be(entry, name, version)]
    if not entries or any(entry.digest == root.digest for entry in entries):
        return
    built = _image(store, root)
    others = [(entry, _image(store, entry.desc.bare())) for entry in entries]
    others = [(entry, image) for entry, image in others if image.version == version]
    if not others or any(image.config == built.config for _, image in others):
        return
    known, image = others[0]
    why = f"`agent diff {known.name} PATH` shows what differs; "
    if _differ_by_lock(store, image, built):
        why = "the only difference is what agent.lock pins (a lock is part of the content); "
    raise ReleasedOtherwise(
        f"{name} {version} is in the store with other content: {known.digest} ({known.name}), "
        f"this build is {root.digest}",
        hint=f"{why}raise the version (that of the definition, or LABEL {keys.VERSION}=...), "
        "or say --replace while it is work in progress",
    )


def _is_release(version: str) -> bool:
    parsed = TagVersion.parse(version)
    return parsed is not None and parsed.is_release and version != _UNVERSIONED


def _differ_by_lock(store: LayoutStore, one: Image, other: Image) -> bool:
    """Whether two images are the same but for the versions that a lock resolved."""
    if _unresolved(one.config) != _unresolved(other.config):
        return False
    return _files(store, one) == _files(store, other)


def _unresolved(config: ImageConfig) -> ImageConfig:
    """A config without what was resolved, and without the layers that hold it."""
    bindings = config.agentoci.get("requirements")
    kept: list[Json] = [
        {key: value for key, value in each.items() if key != "resolved"}
        for each in (bindings if isinstance(bindings, list) else [])
        if isinstance(each, dict)
    ]
    return replace(
        config, diff_ids=(), history=(), agentoci={**config.agentoci, "requirements": kept}
    )


def _files(store: LayoutStore, image: Image) -> list[tuple[object, ...]]:
    """Every file and what is in it, whatever its layer."""
    layers = image.config.diff_ids
    return [
        (entry.path, entry.mode, entry.link or entry.sha256 or layers[entry.layer])
        for entry in image.inventory(store).entries
        if entry.path not in _LOCKED
    ]


def _may_be(entry: Entry, name: str, version: str) -> bool:
    """By what the index tells; it tells the version of what was stored by this program only."""
    said = entry.annotations
    return (
        entry.name is not None
        and said.get(keys.AGENT_NAME) == name
        and said.get(keys.VERSION) in (version, None)
    )


def _image(store: LayoutStore, root: Descriptor) -> Image:
    from agentoci.store.images import read_image  # a build that only repeats another needs it not

    return read_image(store, root, what=str(root.digest))
