"""A registry that can be searched as zot, Harbor and Docker Hub can: the documented shapes of each.

zot: `/v2/_oci/ext/discover` and GraphQL at `/v2/_zot/ext/search`; Harbor: `/api/v2.0/search`, which
shows private projects to those who introduce themselves; Docker Hub: `/v2/search/repositories/`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from agentoci.content.protocols import Target
from agentoci.content.reader import BytesSource
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.manifest import Manifest
from tests.registry.fake import FakeRegistry
from tests.registry.faults import BodyReader, Reply, Seen

_GRAPHQL = re.compile(
    r'\{GlobalSearch\(query:("(?:[^"\\]|\\.)*"),requestedPage:\{limit:(\d+),offset:0\}\)'
    r"\{Repos\{Name NewestImage\{Description\}\}\}\}"
)


def simple_agent(
    *, title: str = "bot", description: str = "", kind: str | None = mediatypes.AGENT
) -> Manifest:
    """An agent image as far as a search looks."""
    annotations = {keys.TITLE: title, keys.VERSION: "1.0.0"}
    if description:
        annotations[keys.DESCRIPTION] = description
    return Manifest.build(
        config=EMPTY, layers=(EMPTY,), artifact_type=kind, annotations=annotations
    )


def put_agent(target: Target, tag: str, manifest: Manifest) -> Descriptor:
    """Push it to anything that keeps content."""
    target.push(EMPTY, BytesSource(EMPTY_CONTENT))
    target.push(manifest.descriptor, BytesSource(manifest.raw))
    target.tag(manifest.descriptor, tag)
    return manifest.descriptor


@dataclass
class Offers:
    """What can be asked for; None: there is no such thing here."""

    zot: dict[str, str] | None = None
    harbor: list[str] | None = None
    private: list[str] = field(default_factory=list)
    hub: list[dict[str, Any]] | None = None


class SearchableRegistry(FakeRegistry):
    """What `offers` says can be searched, with the tags and manifests that were put there."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.offers = Offers()

    def add(self, name: str, *tags: str, manifest: Manifest | None = None) -> str:
        """An agent in a repository; returns its digest."""
        manifest = manifest or simple_agent()
        self.put(name, EMPTY_CONTENT)
        digest = ""
        for tag in tags:
            digest = self.put_manifest(name, tag, manifest.media_type, manifest.raw)
        return digest

    def respond(self, seen: Seen, body: bytes) -> Reply:
        """What the registry itself answers, and its extensions."""
        found = {
            "/v2/_oci/ext/discover": self._discover,
            "/v2/_zot/ext/search": self._zot,
            "/v2/search/repositories/": self._hub,
        }.get(seen.path)
        return super().respond(seen, body) if found is None else found(seen)

    def serve(self, seen: Seen, read_body: BodyReader) -> Reply:
        """Harbor's own API, too, which asks nobody for credentials."""
        if seen.path == "/api/v2.0/search":
            return self._harbor(seen)
        return super().serve(seen, read_body)

    def _discover(self, seen: Seen) -> Reply:
        if self.offers.zot is None:
            return _json({"errors": [{"code": "NOT_FOUND"}]}, 404)
        zot = {
            "name": "_zot",
            "url": "https://github.com/project-zot/zot/blob//pkg/extensions/_zot.md",
            "description": "zot registry extensions",
            "endpoints": ["/v2/_zot/ext/search", "/v2/_zot/ext/mgmt"],
        }
        return _json({"extensions": [zot]})

    def _zot(self, seen: Seen) -> Reply:
        match = _GRAPHQL.fullmatch(seen.query["query"][0])
        if match is None:
            return _json({"errors": [{"message": "Unexpected <Invalid>"}], "data": None}, 422)
        text, limit = json.loads(match[1]), int(match[2])
        repositories = [
            {"Name": name, "NewestImage": {"Description": description}}
            for name, description in (self.offers.zot or {}).items()
            if text in name
        ]
        return _json({"data": {"GlobalSearch": {"Repos": repositories[:limit]}}})

    def _harbor(self, seen: Seen) -> Reply:
        if self.offers.harbor is None:
            return _json({"errors": [{"code": "NOT_FOUND", "message": "not found"}]}, 404)
        shown = [*self.offers.harbor]
        if seen.headers.get("authorization", "").startswith("Basic "):
            shown += self.offers.private
        repositories = [
            {
                "project_id": 1,
                "project_name": name.partition("/")[0],
                "project_public": name not in self.offers.private,
                "repository_name": name,
                "pull_count": 0,
                "artifact_count": 1,
            }
            for name in shown
            if seen.query["q"][0] in name
        ]
        return _json({"project": [], "repository": repositories})

    def _hub(self, seen: Seen) -> Reply:
        if self.offers.hub is None:
            return Reply(404, b"<html>not here</html>", {"Content-Type": "text/html"})
        size = int(seen.query["page_size"][0])
        return _json(
            {
                "count": len(self.offers.hub),
                "next": "",
                "previous": "",
                "results": self.offers.hub[:size],
            }
        )


def hub_result(name: str, description: str = "") -> dict[str, Any]:
    """One result of Docker Hub's."""
    return {
        "repo_name": name,
        "short_description": description,
        "star_count": 1,
        "pull_count": 10,
        "repo_owner": "",
        "is_automated": False,
        "is_official": "/" not in name,
    }


def _json(document: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(document).encode(), {"Content-Type": "application/json"})
