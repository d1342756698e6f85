"""The seam where the errors of sockets, TLS and urllib3 become ours."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import urllib3.exceptions

from agentoci.registry.errors import (
    ProxyRefused,
    RegistryTimeout,
    RegistryUnreachable,
    UntrustedCertificate,
)
from agentoci.registry.http.connections import ProxyTrouble
from agentoci.registry.http.responses import NotHttp

_REACHABLE: Final = "is the name right, and can this machine reach it?"
_PLAIN: Final = "if it speaks plain http only, list it in insecure_registries of the config file"
_AUTHORITY: Final = "trust an authority of your own by ca_file in the config file, or by certs.d"
_ENDED: Final = "the registry has to renew its certificate; or is this machine's clock wrong?"
_NAMES: Final = "is the name right? its certificate is made for another one"
_SHOW: Final = "it may want a client certificate: client_cert and client_key in the config file"

_NOT_TLS: Final = frozenset({"wrong version number", "record layer failure", "http request"})
_CLIENT_WORDS: Final = (
    *("certificate required", "bad certificate", "unknown ca", "access denied"),
    "handshake failure",  # what TLS 1.2 says when none is shown
)
_VERIFY_HINTS: Final = {9: _ENDED, 10: _ENDED, 62: _NAMES, 64: _NAMES}
"""By OpenSSL's codes: not yet valid, expired, other host, other address."""

_GONE: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""Cuts that TLS reports in its own words."""

_GARBLED: Final = "BAD_RECORD_MAC"
_TUNNEL: Final = re.compile(r"Tunnel connection failed: ([0-9]{3})")
_LOGIN: Final = 407
_PASSING: Final = frozenset({429, 500, 502, 503, 504})


@contextlib.contextmanager
def translated(host: str, *, proxy: str | None = None) -> Iterator[None]:
    """Name the host, the proxy where it is the trouble, and the innermost cause.

    The texts of the libraries are not shown: they hold whole URLs, and signed ones are secrets.
    """
    try:
        yield
    except (OSError, urllib3.exceptions.HTTPError, ValueError) as exc:
        raise _translation(exc, host, proxy) from exc


def refused_by_proxy(host: str, proxy: str, status: int) -> ProxyRefused:
    """The error of a proxy that does not let us through; the proxy's password is not shown."""
    name = proxy.rpartition("@")[2].rpartition("//")[2].rstrip("/")
    if status == _LOGIN:
        return ProxyRefused(
            host,
            f"the proxy {name} wants a user name and a password ({status})",
            hint="put them in the proxy's address: http://USER:PASSWORD@HOST:PORT",
        )
    return ProxyRefused(
        host,
        f"the proxy {name} does not let us through (tunnel: {status})",
        hint="see HTTPS_PROXY; hosts that need no proxy go in NO_PROXY",
        transient=status in _PASSING,
    )


def _translation(exc: Exception, host: str, proxy: str | None) -> RegistryUnreachable:
    if proxy is not None and (match := _TUNNEL.search(str(exc))):
        return refused_by_proxy(host, proxy, int(match[1]))
    if proxy is not None and isinstance(exc, ProxyTrouble):
        name = proxy.rpartition("@")[2].rpartition("//")[2].rstrip("/")
        reason = f"the proxy {name} cannot be reached: {_reason(exc)}"
        return RegistryUnreachable(host, reason, hint="see HTTPS_PROXY and HTTP_PROXY")
    cause = _cause(exc)
    if isinstance(cause, ssl.SSLError) and not _is_cut(cause):
        return _untrusted(cause, host)
    if isinstance(exc, TimeoutError):
        return RegistryTimeout(host, "no answer in time", hint=_REACHABLE)
    return RegistryUnreachable(host, _reason(exc), hint=_REACHABLE)


def _untrusted(exc: ssl.SSLError, host: str) -> UntrustedCertificate:
    reason = _reason(exc)
    hint = _AUTHORITY
    if isinstance(exc, ssl.SSLCertVerificationError):
        hint = _VERIFY_HINTS.get(exc.verify_code, _AUTHORITY)
    elif reason in _NOT_TLS:
        hint = _PLAIN
    elif any(words in reason for words in _CLIENT_WORDS):
        hint = _SHOW
    return UntrustedCertificate(host, f"no trusted TLS connection: {reason}", hint=hint)


def _is_cut(exc: ssl.SSLError) -> bool:
    return isinstance(exc, _GONE) or _GARBLED in (exc.reason or "")


def _reason(exc: BaseException) -> str:
    """The innermost cause, in words without addresses."""
    match _cause(exc):
        case ssl.SSLCertVerificationError() as found:
            return found.verify_message
        case ssl.SSLError() as found if not _is_cut(found):
            return (found.reason or "handshake failed").replace("_", " ").lower()
        case socket.gaierror():
            return "the name does not resolve"
        case NotHttp():
            return "what it answers is not HTTP"
        case OSError(strerror=str() as words) as found if not isinstance(found, ssl.SSLError):
            return words.lower()
        case ValueError():
            return "it sent an address that cannot be asked for"
        case _:
            pass
    return "the connection was cut"


def _cause(exc: BaseException) -> BaseException:
    """The error of ssl or the socket within what wraps it."""
    step: BaseException | None = exc
    while step is not None:
        if isinstance(step, ssl.SSLError | socket.gaierror):
            return step
        step = step.__cause__
    return exc
