"""Deleting at a registry: a tag alone, a manifest with all its tags, a blob.

Registries differ most here (distribution-spec, "Content Management"): some delete a tag, some only
a manifest by its digest and with it every tag, some nothing. What is deleted here is what was asked
for, or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from agentoci.content.graph import as_manifest, fetch_raw_manifest
from agentoci.content.protocols import ContentNotFound, Target
from agentoci.content.reader import BytesSource
from agentoci.content.standing import meant_by
from agentoci.errors import AgentociError, Conflict, Denied, Integrity
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.errors import BlobNotFound, ManifestNotFound
from agentoci.registry.http.transport import Request
from agentoci.registry.problems import Problem
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import Manifest, parse_manifest

PLACEHOLDER: Final = "application/vnd.agentoci.placeholder.v1"
"""The artifact type of a manifest that takes a tag over for a moment, to be deleted with it."""

_SPEAKS_OF: Final = "dev.agentoci.placeholder.of"
_DELETED: Final = frozenset({200, 202, 204})
_MISSING: Final = 404
_DENIED: Final = 401
_UNSUPPORTED: Final = frozenset({400, 405, 501})
_NO_TAGS: Final = frozenset({"UNSUPPORTED", "DIGEST_INVALID"})
"""How distribution 2 says that it deletes by digest only."""

_HINTS: Final = {
    "ghcr.io": "GitHub deletes by its packages API only: "
    "gh api -X DELETE /users/OWNER/packages/container/NAME/versions/ID",
    "docker.io": "Docker Hub deletes by its website and its own API only",
}
_HINT: Final = "deletion is often switched off: who runs the registry can allow it"


class DeletionDisabled(Denied):
    """The registry deletes nothing by its API, or nothing of this kind."""


class TagMoved(Conflict):
    """Somebody else moved the tag meanwhile."""


class TagsLost(Conflict):
    """The registry deleted more than it was asked to; what could be put back was."""


class TaggedTarget(Target, Protocol):
    """The repository that content is deleted from."""

    def tags(self) -> list[str]:
        """All tags."""
        ...

    def push_tagged(self, desc: Descriptor, content: bytes, names: tuple[str, ...]) -> None:
        """Store a manifest under tags."""
        ...


class Deletion:
    """Deletes from one repository."""

    def __init__(self, endpoint: Endpoint, name: str, target: TaggedTarget) -> None:
        self._endpoint = endpoint
        self._name = name
        self._target = target
        # All actions: distribution wants "delete", and quay.io issues no token when it reads that.
        self._scopes = (f"repository:{name}:*",)

    def manifest(self, digest: Digest, tags: Sequence[str] = ()) -> None:
        """Delete a manifest, and with it all its tags.

        Of `tags`, those that mean it still are deleted one by one: the go-containerregistry
        registry leaves them. Raises ManifestNotFound, DeletionDisabled, Denied,
        RegistryUnreachable.
        """
        problem = self._delete(f"manifests/{digest}")
        missing = problem is not None and problem.status == _MISSING
        left = self._left(tags, digest) if problem is None or missing else []
        for tag in left:
            refused = self._delete(f"manifests/{tag}")
            if refused is not None:
                raise self._error(refused, tag, ManifestNotFound)
        if problem is not None and not left:
            raise self._error(problem, str(digest), ManifestNotFound)
        self._endpoint.learn(delete_manifests=True)

    def _left(self, tags: Sequence[str], digest: Digest) -> list[str]:
        """The tags that mean the manifest still; where the first is gone, so are all."""
        if not tags or not self._is_there(tags[0], digest):
            return []
        return [tag for tag in tags if self._is_there(tag, digest)]

    def blob(self, digest: Digest) -> None:
        """Delete a blob, whoever needs it; raises BlobNotFound, and what `manifest` raises."""
        problem = self._delete(f"blobs/{digest}")
        if problem is not None:
            raise self._error(problem, str(digest), BlobNotFound)

    def tag(self, name: str) -> Descriptor:
        """Take a tag away and leave the manifest and its other tags; returns what it meant.

        Where the registry cannot, the tag is moved to a manifest made for this, which is deleted by
        its digest. Raises ManifestNotFound, DeletionDisabled, TagMoved, TagsLost, Denied,
        RegistryUnreachable; only after TagsLost is the tag gone.
        """
        meant = self._target.resolve(name)
        content = fetch_raw_manifest(self._target, meant)
        if _is_placeholder(content, meant) and not self._is_shared(name, meant):
            self.manifest(meant.digest)  # an earlier try was interrupted
        elif not self._delete_tag(name, meant, content):
            self._replace_tag(name, meant, content)
        return meant

    def _delete_tag(self, name: str, meant: Descriptor, content: bytes) -> bool:
        """Delete a tag by its name; False when the registry does not do that."""
        known = self._endpoint.facts.delete_tags
        if known is False:
            return False
        others = set() if known else self._others(name)
        problem = self._delete(f"manifests/{name}")
        if problem is not None and problem.status == _MISSING:
            return not self._is_there(name)  # gone when the answer to an earlier try was lost
        if problem is not None and problem.status in _UNSUPPORTED:
            if problem.code in _NO_TAGS:
                self._endpoint.learn(delete_tags=False)
            return False
        if problem is not None:
            raise self._error(problem, name, ManifestNotFound)
        if not known:
            self._check_losses(others, name, meant, content)
            self._endpoint.learn(delete_tags=True)
        return True

    def _replace_tag(self, name: str, meant: Descriptor, content: bytes) -> None:
        """Move the tag to a manifest of its own, and delete that one."""
        self._check_deletes(name)
        others = self._others(name)
        placeholder = _placeholder(name, meant)
        if not self._target.exists(EMPTY):
            self._target.push(EMPTY, BytesSource(EMPTY_CONTENT))
        now = self._target.resolve(name)
        if now.digest != meant.digest or placeholder.descriptor.digest == meant.digest:
            raise TagMoved(f"{self._what(name)}: moved from {meant.digest} to {now.digest}")
        self._target.push_tagged(placeholder.descriptor, placeholder.raw, (name,))
        try:
            self.manifest(placeholder.descriptor.digest)
        except BaseException:
            self._target.push_tagged(meant, content, (name,))
            raise
        self._check_losses(others, name, meant, content)

    def _check_deletes(self, name: str) -> None:
        """Raise DeletionDisabled where no manifest can be deleted; asks for one of no content."""
        nothing = Digest.of(f"nothing of {name}".encode())
        problem = self._delete(f"manifests/{nothing}")
        if problem is not None and problem.status != _MISSING:
            raise self._error(problem, name, ManifestNotFound)

    def _check_losses(self, others: set[str], name: str, meant: Descriptor, content: bytes) -> None:
        """Put the manifest back if it went with the tag; raise TagsLost if other tags did too."""
        if self._target.exists(as_manifest(meant)):
            return
        lost = tuple(sorted(others - self._others(name)))
        self._target.push_tagged(meant, content, lost or (str(meant.digest),))
        if lost:
            raise TagsLost(
                f"{self._what(name)}: the registry deleted {meant.digest} with all its tags; "
                f"these were put back: {', '.join(lost)}",
                hint=f"see what is there: agent tags {self._endpoint.named(self._name)} --digests",
            )

    def _others(self, name: str) -> set[str]:
        try:
            return set(self._target.tags()) - {name}
        except ContentNotFound:  # the last tag of the repository is gone
            return set()

    def _is_shared(self, name: str, meant: Descriptor) -> bool:
        """Whether other tags mean the same: anybody may write what looks like a placeholder."""
        return any(self._is_there(other, meant.digest) for other in self._others(name))

    def _is_there(self, name: str, digest: Digest | None = None) -> bool:
        found = meant_by(self._target, name)
        return found is not None and digest in (None, found.digest)

    def _delete(self, path: str) -> Problem | None:
        """Ask for a deletion; returns how it was refused, None when it was done."""
        request = Request("DELETE", self._endpoint.url(f"{self._name}/{path}"))
        answer = self._endpoint.request(request, self._scopes, expect=_DELETED)
        if answer.status == _DENIED:  # GitLab hears the last scope only, and this is not in "all"
            answer.discard()
            alone = (f"repository:{self._name}:delete",)
            answer = self._endpoint.request(request, alone, expect=_DELETED)
        if answer.status in _DELETED:
            answer.discard()
            return None
        return Problem.read(answer)

    def _error(self, problem: Problem, name: str, missing: type[ContentNotFound]) -> AgentociError:
        what = self._what(name)
        if problem.status in _UNSUPPORTED:
            if missing is ManifestNotFound:
                self._endpoint.learn(delete_manifests=False)
            hint = _HINTS.get(self._endpoint.host, _HINT)
            return DeletionDisabled(f"{what}: the registry does not delete ({problem})", hint=hint)
        return self._endpoint.error(problem, what=what, missing=missing)

    def _what(self, name: str) -> str:
        return self._endpoint.named(self._name, name)


def _placeholder(name: str, meant: Descriptor) -> Manifest:
    """A manifest that no other tag can have: it speaks of this tag and of what it means."""
    return Manifest.build(
        config=EMPTY,
        layers=[EMPTY],
        artifact_type=PLACEHOLDER,
        annotations={_SPEAKS_OF: f"{name}@{meant.digest}"},
    )


def _is_placeholder(content: bytes, desc: Descriptor) -> bool:
    if PLACEHOLDER.encode() not in content:
        return False
    try:
        found = parse_manifest(content, media_type=desc.media_type, what=str(desc))
    except Integrity:
        return False
    return found.kind == PLACEHOLDER
