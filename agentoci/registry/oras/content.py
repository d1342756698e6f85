"""Requests, blobs, manifests and tags of oras-py's API, by our client."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import oras.defaults
import oras.oci
import oras.provider
import requests
from oras.container import Container
from oras.logger import logger

from agentoci.content.files import FileSource
from agentoci.content.protocols import ContentNotFound
from agentoci.registry.blobs.methods import Plan
from agentoci.registry.blobs.upload import Uploads
from agentoci.registry.client import ClientOptions
from agentoci.registry.errors import ManifestNotFound
from agentoci.registry.facts import CHUNKED
from agentoci.registry.http.origin import Origin
from agentoci.registry.oras import answers
from agentoci.registry.oras.access import OrasAccess
from agentoci.registry.oras.calls import BYTES, Call, Place
from agentoci.registry.oras.files import save
from agentoci.registry.oras.login import BACKENDS
from agentoci.registry.oras.names import OrasManifest, encoded, layer_of, to_container, to_reference
from agentoci.registry.problems import Problem, error_from
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import parse_manifest
from agentoci.spec.reference import Reference, is_tag

CHUNK_SIZE = oras.defaults.default_chunksize


class OrasContent(oras.provider.Registry):  # type: ignore[misc]  # oras has no types
    """What a program does step by step; OrasRegistry adds whole pushes and pulls.

    `options` replaces what the environment and the config file say; the other arguments are
    oras-py's. Raises UnverifiedTls, InvalidReference, InvalidSettings; ValueError for an
    `auth_backend` that oras-py does not know.
    """

    def __init__(
        self,
        hostname: str | None = None,
        insecure: bool = False,  # noqa: FBT001, FBT002  # oras-py's
        tls_verify: bool | str = True,  # noqa: FBT001, FBT002
        auth_backend: str = "token",
        *,
        options: ClientOptions | None = None,
    ) -> None:
        if auth_backend not in BACKENDS:
            raise ValueError(f"Authentication backend {auth_backend!r} is not known.")
        self.hostname = hostname
        self.prefix = "http" if insecure else "https"
        self._access = OrasAccess(
            hostname=hostname, insecure=insecure, tls_verify=tls_verify, options=options
        )
        self.auth = self._access.login

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; what is asked next opens new ones."""
        self._access.close()

    @property
    def headers(self) -> dict[str, str]:
        """Headers for the registry beside the client's own."""
        return self._access.headers

    @property
    def session(self) -> requests.Session:
        """Not here: nothing is sent by a requests.Session."""
        raise AttributeError(
            "OrasRegistry has no session: proxies come from the environment, "
            "client certificates from certs.d or ClientOptions.hosts"
        )

    def set_header(self, name: str, value: str) -> None:
        """Send a header with every request to the registry; raises HeaderNotYours."""
        self._access.set_header(name, value)

    def get_container(self, name: str | Container) -> Container:
        """A target parsed by docker's grammar; raises InvalidTarget."""
        container = name if isinstance(name, Container) else to_container(name, self.hostname)
        self._access.address(to_reference(container).registry or "")
        return container

    def _repository(self, name: str | Container, *, push: bool = False) -> Repository:
        return self._access.repository(to_reference(self.get_container(name)), push=push)

    # Requests

    def do_request(
        self,
        url: str,
        method: str = "GET",
        data: Any = None,
        headers: dict[str, str] | None = None,
        json: Any = None,
        stream: bool = False,  # noqa: FBT001, FBT002
    ) -> requests.Response:
        """Send a request by our client; answers of any status are returned.

        Manifests and whole blobs are verified, a streamed one when its end is read. Only ranges
        that are asked for by a header are not. Raises AuthenticationFailed, RegistryUnreachable,
        DigestMismatch, SizeMismatch, UnsafeDestination, UnfitBody, and what storing a manifest
        raises.
        """
        Origin.of(url)  # refuses addresses with a user name in them, and others than http
        parts = urlsplit(url)
        call = Call.of(method, url, self._access.others(headers), data, json)
        place = Place.of(parts.path) if parts.scheme == self.prefix else None
        if place is None:
            endpoint = self._access.endpoint(parts.netloc)
            return answers.forward(call, url, endpoint, (), stream=stream)
        reference = replace(Reference.parse(f"localhost/{place.repository}"), registry=parts.netloc)
        push = call.method not in {"GET", "HEAD"}
        repository = self._access.repository(reference, push=push)
        return answers.send(call, place, repository, stream=stream)

    def _check_200_response(self, response: requests.Response) -> None:
        """Raise the error that an unwelcome answer means."""
        if response.status_code in {200, 201, 202, 204, 206}:
            return
        parts = urlsplit(response.url)
        problem = Problem.of(response.status_code, response.content)
        missing = ManifestNotFound if "/manifests/" in parts.path else ContentNotFound
        what = f"{parts.netloc}{parts.path}"
        raise error_from(problem, host=parts.netloc, what=what, missing=missing)

    # Blobs

    def blob_exists(self, layer: dict[str, Any], container: str | Container) -> bool:
        """Whether the repository has the blob."""
        return bool(super().blob_exists(layer, self.get_container(container)))

    def upload_blob(
        self,
        blob: str,
        container: str | Container,
        layer: dict[str, Any],
        do_chunked: bool = False,  # noqa: FBT001, FBT002
        chunk_size: int = CHUNK_SIZE,
    ) -> requests.Response:
        """Send a file, unless it is there; raises what `Uploads.push` raises."""
        repository = self._repository(container, push=True)
        desc = layer_of(layer)
        if repository.exists(desc):
            url = repository.endpoint.url(f"{repository.name}/blobs/{desc.digest}")
            return answers.response("HEAD", url, 200, {}, io.BytesIO())
        if do_chunked:
            return self.chunked_upload(blob, container, layer, chunk_size)
        return self.put_upload(blob, container, layer)

    def put_upload(
        self, blob: str, container: str | Container, layer: dict[str, Any]
    ) -> requests.Response:
        """Send a file by the method that the registry takes, going on where a line breaks."""
        return self._upload(blob, container, layer, None)

    def chunked_upload(
        self,
        blob: str,
        container: str | Container,
        layer: dict[str, Any],
        chunk_size: int = CHUNK_SIZE,
    ) -> requests.Response:
        """Send a file in chunks of that size, or of the least that the registry takes."""
        if chunk_size < 1:
            raise ValueError(f"chunk_size is {chunk_size}, not a number of bytes")
        return self._upload(blob, container, layer, Plan(CHUNKED, chunk_size))

    def _upload(
        self,
        blob: str,
        container: str | Container,
        layer: dict[str, Any],
        plan: Plan | None,
    ) -> requests.Response:
        repository, desc = self._repository(container, push=True), layer_of(layer)
        uploads = Uploads(repository.endpoint, repository.name)
        uploads.push(desc, FileSource(Path(blob)), plan=plan)
        url = repository.endpoint.url(f"{repository.name}/blobs/{desc.digest}")
        return answers.stored("PUT", url, desc)

    def download_blob(self, container: str | Container, digest: str, outfile: str) -> str:
        """Put a blob into a file, which appears when it is verified; returns `outfile`.

        Raises BlobNotFound, DigestMismatch, RegistryUnreachable, and what writing raises.
        """
        repository, parsed = self._repository(container), Digest.parse(digest)
        empty = Descriptor.of(BYTES, b"")  # not every registry takes it, so none is asked for it
        desc = empty if parsed == empty.digest else repository.blob(parsed)
        save(repository, desc, Path(outfile))
        return outfile

    # Manifests and tags

    def get_manifest(
        self,
        container: str | Container,
        allowed_media_type: list[str] | None = None,
        validation_schema: dict[str, Any] | None = None,
    ) -> OrasManifest:
        """A manifest or index; unchanged, it can be uploaded as the very bytes that it was."""
        container = self.get_container(container)
        accepted = allowed_media_type or oras.defaults.default_manifest_accepted_media_types
        url = f"{self.prefix}://{container.manifest_url()}"
        response = self.do_request(url, "GET", headers={"Accept": ", ".join(accepted)})
        self._check_200_response(response)
        manifest = OrasManifest(response.content, what=str(container))
        if validation_schema:
            import jsonschema  # which oras brings along

            jsonschema.validate(dict(manifest), schema=validation_schema)
        return manifest

    def upload_manifest(
        self,
        manifest: dict[str, Any] | bytes | str,
        container: str | Container,
    ) -> requests.Response:
        """Store a manifest or index under the container's tag, or its digest when it has one.

        Raises InvalidManifest, and what `Repository.push_tagged` raises.
        """
        repository = self._repository(container, push=True)
        content = encoded(manifest, what=str(container))
        media_type = parse_manifest(content, what=str(container)).media_type
        selector = to_reference(self.get_container(container)).selector
        return answers.store_manifest(repository, content, media_type, selector)

    def subject_of(self, container: str | Container) -> oras.oci.Subject:
        """What to give `push` as `subject`, by the registry's own word of digest and size."""
        selector = to_reference(self.get_container(container)).selector
        desc = self._repository(container).resolve(selector)
        return oras.oci.Subject(desc.media_type, str(desc.digest), desc.size)

    def get_tags(
        self,
        container: str | Container,
        N: int | None = None,  # noqa: N803
    ) -> list[str]:
        """All tags, or the first `N`; raises what `Repository.tags` raises."""
        return self._repository(container).tags()[:N]

    def delete_tag(self, container: str | Container, tag: str) -> bool:
        """Take a tag away and leave every other; False when there is none of that name.

        A digest instead deletes the manifest. Raises what `Deletion.tag` raises.
        """
        deletion = self._repository(container, push=True).deletion
        try:
            if is_tag(tag):
                deletion.tag(tag)
            else:
                deletion.manifest(Digest.parse(tag))
        except ContentNotFound:
            logger.error(f"Cannot find tag {container}:{tag}")
            return False
        return True
