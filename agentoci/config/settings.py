"""Settings: environment and config file, read once at the edge and passed down as values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentoci.config.registries import BadRegistry, RegistrySettings, parse_registries
from agentoci.config.search import SearchSettings
from agentoci.errors import Invalid

if TYPE_CHECKING:
    from agentoci.config.logins import EnvironmentLogin

_SYSTEM_HOME: Final = Path("/var/lib/agentoci")
_MAX_EPOCH: Final = 2**33
_MAX_EPOCH_DIGITS: Final = 20


class InvalidSettings(Invalid):
    """The config file or an environment variable does not say what it should."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What the config file may say.

    `default_registry` is `HOST[:PORT][/PREFIX]`, where short names are pushed to and pulled from;
    `insecure_registries` are hosts spoken to over plain http, `secure_registries` hosts on this
    machine that speak TLS nevertheless; `ca_file` adds authorities;
    `realm_hosts` are token servers that get credentials though their registry is elsewhere;
    `requirement_sources` are further places (`HOST[:PORT][/PREFIX]`) where required agents are;
    `[search]` says where `agent search` looks; `[registries."HOST"]` speaks of one registry.
    """

    default_registry: str | None = None
    insecure_registries: tuple[str, ...] = ()
    ca_file: str | None = None
    realm_hosts: tuple[str, ...] = ()
    secure_registries: tuple[str, ...] = ()
    search: SearchSettings = field(default_factory=SearchSettings)
    registries: Mapping[str, RegistrySettings] = field(default_factory=dict)
    requirement_sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the world outside decides.

    `home` holds store, instances and cache; `docker_config` is docker's config file, where
    credentials are; `environment` is passed to credential helpers and launched agents, who pick
    from it; `epoch` is SOURCE_DATE_EPOCH or 0.
    """

    home: Path
    docker_config: Path
    environment: Mapping[str, str]
    file: ConfigFile
    epoch: int = 0

    @property
    def config_path(self) -> Path:
        """The config file, whether it is there or not."""
        found = self.environment
        return _config_path(found, Path(found.get("HOME") or "~").expanduser())

    @property
    def proxies(self) -> tuple[str, str, str]:
        """The proxy for http, for https, and the hosts that need none; empty: none.

        As curl does, HTTP_PROXY counts in lower case only: CGI hands requests' headers over in
        upper case.
        """
        found = self.environment
        https = found.get("https_proxy") or found.get("HTTPS_PROXY") or ""
        bypass = found.get("no_proxy") or found.get("NO_PROXY") or ""
        return found.get("http_proxy") or "", https, bypass

    @property
    def certificate_folders(self) -> tuple[Path, ...]:
        """Where folders by registry hold certificates, in the order in which they are asked.

        Podman's of this user and of the machine, then docker's.
        """
        found = self.environment
        user = Path(found.get("XDG_CONFIG_HOME") or Path(found.get("HOME") or "~", ".config"))
        machine = Path("/etc")
        folders = (user.expanduser() / "containers", machine / "containers", machine / "docker")
        return tuple(folder / "certs.d" for folder in folders)

    @property
    def auth_files(self) -> tuple[Path, ...]:
        """Files of credentials in the order in which they are asked, whether they exist or not.

        REGISTRY_AUTH_FILE, docker's config, podman's of this session and of this user; the old
        `~/.dockercfg` comes last.
        """
        found = self.environment
        user = Path(found.get("HOME") or "~").expanduser()
        session = found.get("XDG_RUNTIME_DIR")
        folders = (
            Path(session) / "containers" if session else Path(f"/run/containers/{os.getuid()}"),
            Path(found.get("XDG_CONFIG_HOME") or user / ".config") / "containers",
        )
        named = found.get("REGISTRY_AUTH_FILE")
        files = [Path(named)] if named else []
        files += [self.docker_config, *(folder / "auth.json" for folder in folders)]
        return (*files, user / ".dockercfg")

    @property
    def own_logins(self) -> tuple[EnvironmentLogin, ...]:
        """Logins by `AGENTOCI_*` variables; raises InvalidLogin."""
        from agentoci.config.logins import own_logins

        return own_logins(self.environment)

    @property
    def ci_logins(self) -> tuple[EnvironmentLogin, ...]:
        """Logins that a CI job has for its own registry."""
        from agentoci.config.logins import ci_logins

        return ci_logins(self.environment)

    @property
    def login_file(self) -> Path:
        """Where a login is kept: the file that is asked first."""
        return self.auth_files[0]

    @property
    def store(self) -> Path:
        """The local store, an OCI image layout."""
        return self.home / "store"

    @property
    def instances(self) -> Path:
        """The instances' folders."""
        return self.home / "instances"

    @property
    def cache(self) -> Path:
        """What can be made again."""
        return self.home / "cache"


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read them; raises InvalidSettings.

    AGENTOCI_HOME, AGENTOCI_CONFIG, DOCKER_CONFIG, SOURCE_DATE_EPOCH and the XDG variables count.
    """
    found = dict(os.environ if environment is None else environment)
    user = Path(found.get("HOME") or "~").expanduser()
    docker = Path(found.get("DOCKER_CONFIG") or user / ".docker")
    return Settings(
        _home(found, user),
        docker / "config.json",
        found,
        _read_file(_config_path(found, user), named=bool(found.get("AGENTOCI_CONFIG"))),
        _epoch(found.get("SOURCE_DATE_EPOCH")),
    )


def settings_without_file(environment: Mapping[str, str] | None = None) -> Settings:
    """The same as if there were no config file, to find out what is wrong with it."""
    found = dict(os.environ if environment is None else environment)
    return replace(read_settings({**found, "AGENTOCI_CONFIG": os.devnull}), environment=found)


def _home(environment: Mapping[str, str], user: Path) -> Path:
    if chosen := environment.get("AGENTOCI_HOME"):
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return _SYSTEM_HOME
    return Path(environment.get("XDG_DATA_HOME") or user / ".local" / "share") / "agentoci"


def _config_path(environment: Mapping[str, str], user: Path) -> Path:
    if chosen := environment.get("AGENTOCI_CONFIG"):
        return Path(chosen)
    base = Path(environment.get("XDG_CONFIG_HOME") or user / ".config")
    return base / "agentoci" / "config.toml"


def _read_file(path: Path, *, named: bool) -> ConfigFile:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        if named:
            raise InvalidSettings(f"AGENTOCI_CONFIG names {path}, which is not there") from None
        return ConfigFile()
    except OSError as exc:
        raise InvalidSettings(f"{path}: {exc.strerror}") from exc
    import tomllib

    try:
        document = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as exc:
        raise InvalidSettings(f"{path}: {exc}", hint="the file is TOML") from exc
    return _check(path, document)


def _check(path: Path, document: dict[str, Any]) -> ConfigFile:
    known = [field.name for field in fields(ConfigFile)]
    for key in document:
        if key not in known:
            import difflib

            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise InvalidSettings(f"{path}: unknown key {key!r}", hint=hint)
    for key in ("insecure_registries", "realm_hosts", "secure_registries", "requirement_sources"):
        hosts = document.get(key, [])
        if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
            raise InvalidSettings(f"{path}: {key} must be a list of hosts")
    for key in ("default_registry", "ca_file"):
        if not isinstance(document.get(key, ""), str):
            raise InvalidSettings(f"{path}: {key} must be a string")
    return ConfigFile(
        (document.get("default_registry") or "").rstrip("/") or None,
        tuple(document.get("insecure_registries", [])),
        document.get("ca_file"),
        tuple(host.lower() for host in document.get("realm_hosts", [])),
        tuple(document.get("secure_registries", [])),
        _search(path, document.get("search", {})),
        _registries(path, document.get("registries", {})),
        tuple(document.get("requirement_sources", [])),
    )


def _search(path: Path, table: object) -> SearchSettings:
    try:
        return SearchSettings.parse(table)
    except ValueError as exc:
        raise InvalidSettings(f"{path}: {exc}") from exc


def _registries(path: Path, table: object) -> dict[str, RegistrySettings]:
    try:
        return parse_registries(table, path.absolute().parent)
    except BadRegistry as exc:
        raise InvalidSettings(f"{path}: {exc}") from exc


def _epoch(text: str | None) -> int:
    if not text:
        return 0
    if not text.isdecimal() or len(text) > _MAX_EPOCH_DIGITS or int(text) >= _MAX_EPOCH:
        raise InvalidSettings(
            f"SOURCE_DATE_EPOCH={text!r} is not a number of seconds", hint="or leave it unset"
        )
    return int(text)


def debugging() -> bool:
    """Whether AGENTOCI_DEBUG asks for tracebacks."""
    return bool(os.environ.get("AGENTOCI_DEBUG"))
