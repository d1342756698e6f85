"""How registries are reached from this machine: logins, proxies, trust; never a secret."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from agentoci.api.machine import Check, Grade, Look
from agentoci.errors import AgentociError
from agentoci.registry.auth.dockerconfig import DockerConfig
from agentoci.registry.http.certificates import Certificates, Pair, find_certificates, make_context
from agentoci.registry.http.origin import Origin, Reach
from agentoci.registry.http.proxies import Proxies
from agentoci.spec.reference import InvalidReference
from agentoci.spec.registrypath import RegistryPath

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

_ANYWHERE: Final = Origin("https", "registry.example.com", 443), Origin("http", "example.com", 80)


def _credentials(engine: Engine) -> Iterator[Check]:
    """Each place that has logins, in the order in which they are asked."""
    found = [
        *_by_variables(engine, own=True),
        *_by_files(engine),
        *_by_variables(engine, own=False),
    ]
    yield from found or [
        Check("credentials", Grade.OK, "none: what is public can be read", "agent login HOST")
    ]


def _by_variables(engine: Engine, *, own: bool) -> Iterator[Check]:
    settings = engine.settings
    for login in settings.own_logins if own else settings.ci_logins:
        where = f" for {login.registry}" if login.registry else ""
        yield Check("credentials", Grade.OK, f"{login.variable}{where}")


def _by_files(engine: Engine) -> Iterator[Check]:
    given = engine.access.authfile
    paths = ([given] if given else []) + list(engine.settings.auth_files)
    for path in dict.fromkeys(paths):
        try:
            yield from _by_file(engine, path)
        except AgentociError as exc:
            yield Check("credentials", Grade.FAIL, exc.message, exc.hint)


def _by_file(engine: Engine, path: Path) -> Iterator[Check]:
    environment = engine.settings.environment
    legacy = path.name == ".dockercfg"
    held = DockerConfig(path, environment=environment, warn=engine.warn, legacy=legacy).held()
    if held.hosts:
        yield _exposed(path, f"{path}: {', '.join(held.hosts)}")
    for host, program in held.helpers.items():
        shown = f"{path}: {program} for {host or 'all others'}"
        if shutil.which(program, path=environment.get("PATH")):
            yield Check("credentials", Grade.OK, shown)
        else:
            hint = f"install {program}, or take it out of {path}"
            yield Check("credentials", Grade.WARN, f"{shown}: not installed", hint)


def _exposed(path: Path, shown: str) -> Check:
    """Passwords are for their owner: others on the machine should not read them."""
    if stat.S_IMODE(path.stat().st_mode) & (stat.S_IRGRP | stat.S_IROTH):
        return Check(
            "credentials", Grade.WARN, f"{shown} (others may read it)", f"chmod 600 {path}"
        )
    return Check("credentials", Grade.OK, shown)


def _default_registry(engine: Engine) -> Iterator[Check]:
    default = engine.settings.file.default_registry
    if default is None:
        yield Check("default registry", Grade.OK, "none: names of images begin with their registry")
        return
    try:
        RegistryPath.parse(default)
    except InvalidReference as exc:
        hint = "default_registry is HOST[:PORT][/PREFIX]"
        yield Check("default registry", Grade.FAIL, exc.message, hint)
    else:
        yield Check("default registry", Grade.OK, default)


def _proxies(engine: Engine) -> Iterator[Check]:
    http, https, bypass = engine.settings.proxies
    proxies = Proxies(http, https)
    for origin in _ANYWHERE:
        proxy = proxies.select(origin)
        around = f", but not for {bypass}" if bypass and proxy else ""
        if proxy:
            yield Check("proxy", Grade.OK, f"{origin.scheme} by {_host(proxy)}{around}")
    if not http and engine.settings.environment.get("HTTP_PROXY"):
        hint = "write it in lower case: http_proxy"
        yield Check("proxy", Grade.WARN, "HTTP_PROXY is not used, as other programs do", hint)
    if not (http or https):
        yield Check("proxy", Grade.OK, "none")


def _host(proxy: str) -> str:
    """Where a proxy is, without who we are there."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _insecure(engine: Engine) -> Iterator[Check]:
    """Registries that everybody on the way can read along with."""
    file = engine.settings.file
    tables = (host for host, settled in file.registries.items() if settled.insecure)
    far = [
        host
        for host in dict.fromkeys((*file.insecure_registries, *tables))
        if Origin.of(f"http://{host}").reach is not Reach.LOOPBACK
    ]
    if far:
        hint = "let them speak TLS: an authority of your own goes into certs.d or ca_file"
        yield Check("plain http", Grade.WARN, f"spoken to {', '.join(far)}", hint)
    else:
        yield Check("plain http", Grade.OK, "on this machine only")


def _certificates(engine: Engine) -> Iterator[Check]:
    """Every file of certificates that a registry would be shown or trusted by."""
    settings = engine.settings
    ca_file = engine.access.ca_file or settings.file.ca_file
    if ca_file:
        yield from _usable(f"ca_file {ca_file}", Certificates((Path(ca_file),)))
    for host, settled in settings.file.registries.items():
        if settled.ca_file or settled.client_cert:
            pair = None
            if settled.client_cert:
                pair = Pair(settled.client_cert, settled.client_key or settled.client_cert)
            own = (settled.ca_file,) if settled.ca_file else ()
            yield from _usable(f'registries."{host}"', Certificates(own, pair))
    for folder in settings.certificate_folders:
        for host in _names(folder):
            try:
                found = find_certificates(host, [folder])
            except AgentociError as exc:
                yield Check("certificates", Grade.FAIL, exc.message, exc.hint)
                continue
            yield from _usable(str(folder / host), found)
    system = make_context(Certificates()).cert_store_stats()["x509_ca"]
    yield Check("certificates", Grade.OK, f"{system} authorities of the system")


def _names(folder: Path) -> Iterable[str]:
    """The registries that a folder knows; none when it may not be looked into."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_dir())
    except OSError:
        return ()


def _usable(what: str, found: Certificates) -> Iterator[Check]:
    try:
        make_context(found)
    except AgentociError as exc:
        yield Check("certificates", Grade.FAIL, exc.message, exc.hint)
        return
    shows = ", with a client certificate" if found.pair else ""
    yield Check("certificates", Grade.OK, f"{what}{shows}")


LOOKS: Final[tuple[tuple[str, Look], ...]] = (
    ("credentials", _credentials),
    ("default registry", _default_registry),
    ("proxy", _proxies),
    ("plain http", _insecure),
    ("certificates", _certificates),
)
"""How each is called when it fails, and where to look."""
