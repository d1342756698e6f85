"""What is released once stays: a build does not give a full release other content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agentoci.builder.options import BuildOptions
from agentoci.errors import Conflict
from agentoci.spec import annotations as keys
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.version import TagVersion
from agentoci.store.index import Entry
from agentoci.store.layout import LayoutStore

if TYPE_CHECKING:
    from agentoci.store.images import Image

_UNVERSIONED: Final = "0.0.0"


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
    known = others[0][0]
    raise ReleasedOtherwise(
        f"{name} {version} is in the store with other content: {known.digest} ({known.name}), "
        f"this build is {root.digest}",
        hint=f"`agent diff {known.name} PATH` shows what differs; raise the version (that of the "
        f"definition, or LABEL {keys.VERSION}=...), or say --replace while it is work in progress",
    )


def _is_release(version: str) -> bool:
    parsed = TagVersion.parse(version)
    return parsed is not None and parsed.is_release and version != _UNVERSIONED


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
