"""What an artifact says of itself to people who look for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agentoci._internal import limits
from agentoci.content.graph import fetch_manifest
from agentoci.content.protocols import Fetcher
from agentoci.content.reader import fetch_bytes
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.imageconfig import ImageConfig
from agentoci.spec.jsonio import Json
from agentoci.spec.manifest import Manifest
from agentoci.spec.version import TagVersion, newest_first, sort_tags


@dataclass(frozen=True, slots=True)
class Described:
    """Title, version and description as the artifact gives them, and its type."""

    kind: str | None
    annotations: Mapping[str, str]
    title: str | None
    version: str | None
    description: str | None


def describe(source: Fetcher, root: Descriptor) -> Described:
    """Read the manifest; the config too, when an agent's manifest does not say enough.

    Raises what fetching and parsing raise.
    """
    found = fetch_manifest(source, root)
    annotations = dict(found.annotations)
    manifest = found
    if not isinstance(found, Manifest) and (not found.kind or keys.TITLE not in annotations):
        children = [child for child in found.children if child.is_manifest]
        if children:
            manifest = fetch_manifest(source, children[0])
            annotations = {**manifest.annotations, **annotations}
    kind = found.kind or manifest.kind
    metadata: Mapping[str, Json] = {}
    if kind == mediatypes.AGENT and keys.TITLE not in annotations:
        metadata = _metadata(source, manifest) if isinstance(manifest, Manifest) else {}
    return Described(
        kind,
        annotations,
        annotations.get(keys.TITLE) or _text(metadata, "name"),
        annotations.get(keys.VERSION) or _text(metadata, "version"),
        annotations.get(keys.DESCRIPTION) or _text(metadata, "description"),
    )


def newest(tags: Iterable[str]) -> str | None:
    """The tag to show for a repository: its newest release, else `latest`, else the first there is.

    Tags that stand for attachments (`sha256-…`) are none.
    """
    named = [tag for tag in tags if not tag.startswith(("sha256-", "sha512-"))]
    read = filter(None, map(TagVersion.parse, named))
    if releases := newest_first(one for one in read if one.prerelease is None):
        return releases[0].tag
    if "latest" in named:
        return "latest"
    return next(iter(sort_tags(named)), None)


def _metadata(source: Fetcher, manifest: Manifest) -> Mapping[str, Json]:
    """The definition's `metadata`, out of the config."""
    raw = fetch_bytes(source, manifest.config, limit=limits.MAX_CONFIG_BYTES)
    definition = ImageConfig.parse(raw, what=f"{manifest.config.digest}: config").agentoci.get(
        "definition"
    )
    found = definition.get("metadata") if isinstance(definition, dict) else None
    return found if isinstance(found, dict) else {}


def _text(document: Mapping[str, Json], key: str) -> str | None:
    found = document.get(key)
    return found if isinstance(found, str) else None
