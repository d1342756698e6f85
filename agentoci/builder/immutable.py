"""What is released once stays: a build does not give a full release other content."""

from __future__ import annotations

from agentoci.builder.options import BuildOptions
from agentoci.errors import Conflict
from agentoci.spec import annotations as keys
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.version import TagVersion
from agentoci.store.images import Image, read_image
from agentoci.store.index import Entry
from agentoci.store.layout import LayoutStore

UNVERSIONED = "0.0.0"


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
    built = read_image(store, root, what="the built image")
    others = [entry for entry in entries if _is_version(store, entry, built)]
    if others and not any(_image(store, entry).config == built.config for entry in others):
        known = others[0]
        raise ReleasedOtherwise(
            f"{name} {version} is in the store with other content: {known.digest} "
            f"({known.name}), this build is {root.digest}",
            hint="raise the version, or say --replace while it is work in progress",
        )


def _is_release(version: str) -> bool:
    parsed = TagVersion.parse(version)
    return parsed is not None and parsed.is_release and version != UNVERSIONED


def _may_be(entry: Entry, name: str, version: str) -> bool:
    """By what the index tells; it tells the version of what was stored by this program only."""
    said = entry.annotations
    return (
        entry.name is not None
        and said.get(keys.AGENT_NAME) == name
        and said.get(keys.VERSION) in (version, None)
    )


def _is_version(store: LayoutStore, entry: Entry, built: Image) -> bool:
    image = _image(store, entry)
    return (image.name, image.version) == (built.name, built.version)


def _image(store: LayoutStore, entry: Entry) -> Image:
    return read_image(store, entry.desc.bare(), what=str(entry.name))
