"""oras-py's API on our client: change one import, keep the program.

    from agentoci.registry import OrasRegistry as OrasClient    # was: from oras.client import ...

    client = OrasClient(hostname="registry.example.com")
    client.push(target="registry.example.com/team/data:1.0", files=["data.csv"])
    client.pull(target="registry.example.com/team/data:1.0", outdir="data")

What is the same: names, arguments and results of `oras.provider.Registry`; responses are
`requests.Response`; `oras.layout` takes it as a provider; the same files give the same manifest.

What differs:

* Every byte is verified: blobs by size and digest, manifests by the digest that was asked for. A
  file appears under its name when it is right. Broken lines are mended, uploads go on where they
  stopped, and who is unwell is asked again, for seconds.
* Tokens are asked for by repository and action, and renewed. Credentials are those that docker and
  podman keep (see Keychain), or `login`, `auth.set_basic_auth`, `auth.set_token_auth`, whose login
  is for `hostname`, else for the registry that is addressed next. So are headers by `set_header`.
* Errors are those of this package (`AgentociError`: AuthenticationFailed, DigestMismatch, ...),
  which are no ValueError. A wrong argument is ValueError or FileNotFoundError as ever; a target
  that is none is both (InvalidTarget).
* `pull` of an index is an error, and so are names and archives that lead out of `outdir`, and two
  layers of one name. A layer of oras-py's folder type is unpacked when its archive holds the folder
  that its title names; another one is kept as the file that it is.
* `delete_tag` takes away that tag only. `logout` forgets what `login` of this object stored.
* Names are checked by docker's grammar: `localhost/x` is on this machine.
* `auth_backend` is not needed: the registry says what it wants. For "ecr", let docker's config name
  the helper `ecr-login`. `tls_verify=False` is refused over TLS: name the authority's file.
* There is no `session`: proxies come from the environment, client certificates from certs.d.
* Folders are packed without owners and times, not with links that lead out of them, and with the
  annotations by which the oras command knows that it is to unpack them.

`oras.layout.Layout.push_to_registry` reads each blob into memory before it hands it over.
"""

from __future__ import annotations

import getpass
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import oras.defaults
import oras.oci
import oras.utils
import requests
from oras.container import Container
from oras.logger import logger

from agentoci.content.files import describe_file
from agentoci.errors import Invalid
from agentoci.registry.auth.credentials import Credential
from agentoci.registry.oras.access import check_tls
from agentoci.registry.oras.content import CHUNK_SIZE, OrasContent
from agentoci.registry.oras.files import place_in, save, titled
from agentoci.registry.oras.folders import pack_folder, save_folder
from agentoci.registry.oras.login import login_host
from agentoci.registry.oras.names import to_reference
from agentoci.spec.annotations import TITLE
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import Index, parse_manifest

_FOLDER = oras.defaults.default_blob_dir_media_type
_FILE = oras.defaults.default_blob_media_type
_UNPACK = oras.defaults.annotation_unpack
_PLAIN_DIGEST = oras.defaults.annotation_digest


class IndexNotPullable(Invalid):
    """What is pulled as files is an index, which holds manifests and no files."""


class OrasRegistry(OrasContent):
    """`oras.provider.Registry` on our client; see the module. Close it, or use it in a `with`."""

    def login(
        self,
        username: str,
        password: str,
        password_stdin: bool = False,  # noqa: FBT001, FBT002
        tls_verify: bool = True,  # noqa: FBT001, FBT002
        hostname: str | None = None,
        config_path: str | None = None,
    ) -> dict[str, str]:
        """Check the credentials at the registry, use them, and keep them as docker does (0600).

        Raises AuthenticationFailed, RegistryUnreachable; ValueError when something is missing.
        """
        check_tls(tls_verify, insecure=self.prefix == "http")
        if password_stdin:
            password = sys.stdin.readline().rstrip("\r\n")
        username = username or input("Username: ")
        password = password or getpass.getpass("Password: ")
        if not username or not password:
            raise ValueError("username required" if password else "password required")
        host, credential = login_host(hostname or self.hostname), Credential(username, password)
        self._access.client(host).check_login(host, credential)
        path = Path(config_path) if config_path else self._access.settings.login_file
        self.auth.keep(host, credential, path)
        return {"Status": "Login Succeeded"}

    def push(
        self,
        target: str | Container,
        config_path: str | None = None,
        disable_path_validation: bool = False,  # noqa: FBT001, FBT002
        files: list[str | Path] | None = None,
        manifest_config: str | None = None,
        annotation_file: str | None = None,
        manifest_annotations: dict[str, str] | None = None,
        subject: oras.oci.Subject | None = None,
        do_chunked: bool = False,  # noqa: FBT001, FBT002
        chunk_size: int = CHUNK_SIZE,
        quiet: bool = False,  # noqa: FBT001, FBT002
    ) -> requests.Response:
        """Push files and folders as one artifact; the response is the manifest's.

        Each of `files` is PATH or PATH:MEDIATYPE. Raises FileNotFoundError, ValueError for a path
        outside the working folder unless `disable_path_validation`, BadTitle, UnfitFolder, and
        what sending raises.
        """
        container = self.get_container(target)
        self.auth.load_configs(container, [config_path] if config_path else None)
        notes = oras.oci.Annotations(annotation_file)
        chosen = [_chosen(str(one)) for one in files or []]
        if not disable_path_validation:
            for path, _ in chosen:
                self._check_path(path)
        manifest: dict[str, Any] = oras.oci.NewManifest()
        with tempfile.TemporaryDirectory(prefix="agentoci-") as scratch:
            for path, media_type in chosen:
                file, layer = _layer(path, media_type, Path(scratch))
                layer["annotations"].update(notes.get_annotations(str(path)))
                self.upload_blob(str(file), container, layer, do_chunked, chunk_size)
                manifest["layers"].append(layer)
            titled([Descriptor.parse(layer, what=str(container)) for layer in manifest["layers"]])
            manifest["config"] = self._push_config(container, manifest_config, Path(scratch))
        if found := notes.get_annotations("$config"):
            manifest["config"]["annotations"] = found
        own = {**notes.get_annotations("$manifest"), **(manifest_annotations or {})}
        manifest["annotations"] = own or manifest["annotations"]
        if subject:
            manifest["subject"] = asdict(subject)
        response = self.upload_manifest(manifest, container)
        if not quiet:
            logger.info(f"Successfully pushed {container}")
        return response

    def _check_path(self, path: Path) -> None:
        if not self._validate_path(str(path)):
            raise ValueError(f"Blob {path} is not in the present working directory context.")

    def _validate_path(self, path: str) -> bool:
        here = Path.cwd()
        return Path(os.path.normpath(here / path)).is_relative_to(here)

    def _push_config(self, container: Container, text: str | None, scratch: Path) -> dict[str, Any]:
        """Send the config that PATH[:MEDIATYPE] names, an empty one where there is none."""
        config, file = oras.oci.ManifestConfig(*(self._parse_manifest_ref(text) if text else ()))
        if file is None:
            file = str(scratch / "config.json")
            Path(file).write_bytes(b"{}")
        self.upload_blob(file, container, config)
        return dict(config)

    def pull(
        self,
        target: str | Container,
        config_path: str | None = None,
        allowed_media_type: list[str] | None = None,
        overwrite: bool = True,  # noqa: FBT001, FBT002
        outdir: str | Path | None = None,
    ) -> list[str]:
        """Pull an artifact's files into a folder, a new one by default; returns their paths.

        Without `overwrite`, what is there stays as it is and is left out of the result. Raises
        IndexNotPullable, BadTitle, and what `save` and `save_folder` raise.
        """
        container = self.get_container(target)
        self.auth.load_configs(container, [config_path] if config_path else None)
        raw = self.get_manifest(container, allowed_media_type).raw
        manifest = parse_manifest(raw, what=str(container))
        if isinstance(manifest, Index):
            raise _not_pullable(manifest, container)
        layers = titled(manifest.layers)
        folder = Path(outdir or tempfile.mkdtemp(prefix="oras-tmp.")).expanduser().resolve()
        files = []
        for name, layer in layers.items():
            place = place_in(folder, name)
            if not overwrite and (place.is_symlink() or place.exists()):
                logger.warning(f"{place} already exists, will not overwrite.")
                continue
            unpack = layer.media_type == _FOLDER and bool(layer.annotations.get(TITLE))
            if unpack:
                save_folder(self._repository(container), layer, place, name)
            else:
                save(self._repository(container), layer, place)
            logger.info(f"Successfully pulled {place}.")
            files.append(str(place))
        return files


def _chosen(text: str) -> tuple[Path, str | None]:
    """A file to be pushed and its media type, if any; raises FileNotFoundError."""
    found = oras.utils.split_path_and_content(text)
    if not found.path or not Path(found.path).exists():
        raise FileNotFoundError(f"{found.path or text} does not exist.")
    return Path(found.path), found.content


def _layer(path: Path, media_type: str | None, scratch: Path) -> tuple[Path, dict[str, Any]]:
    """What to send for a file or a folder, and its layer."""
    title = path.name if path.name not in {"", ".."} else path.resolve().name
    file, annotations = path, {TITLE: title}
    if path.is_dir():
        file = scratch / "folder.tar.gz"  # sent before the next one is packed
        with file.open("wb") as out:
            plain = pack_folder(path, title, out)
        # The oras command unpacks nothing without these; oras-py does not know them.
        annotations |= {_UNPACK: "true", _PLAIN_DIGEST: str(plain)}
    desc = describe_file(file, media_type or (_FOLDER if path.is_dir() else _FILE))
    layer = {"mediaType": desc.media_type, "size": desc.size, "digest": str(desc.digest)}
    return file, {**layer, "annotations": annotations}


def _not_pullable(index: Index, container: Container) -> IndexNotPullable:
    name = to_reference(container).name
    listed = ", ".join(f"{name}@{entry.digest}" for entry in index.manifests[:3])
    return IndexNotPullable(
        f"{container} is an index of {len(index.manifests)} manifests, not an artifact of files",
        hint=f"pull one of them: {listed}" if listed else None,
    )
