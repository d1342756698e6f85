"""The seam where the errors of requests and urllib3 become ours."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import requests.exceptions
import urllib3.exceptions

from agentoci.registry.errors import (
    RegistryTimeout,
    RegistryUnreachable,
    UntrustedCertificate,
)

_NOT_TLS: Final = frozenset({"wrong version number", "record layer failure", "http request"})
_PLAIN: Final = "if it speaks plain http only, list it in insecure_registries of the config file"
_AUTHORITY: Final = "trust an authority of your own by ca_file in the config file"
_REACHABLE: Final = "is the name right, and can this machine reach it?"


@contextlib.contextmanager
def translated(host: str) -> Iterator[None]:
    """Name the host and the innermost cause.

    The texts of the libraries are not shown: they hold whole URLs, and signed ones are secrets.
    """
    try:
        yield
    except (requests.exceptions.SSLError, urllib3.exceptions.SSLError) as exc:
        reason = _reason(exc)
        hint = _PLAIN if reason in _NOT_TLS else _AUTHORITY
        raise UntrustedCertificate(host, f"no trusted TLS connection: {reason}", hint=hint) from exc
    except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as exc:
        raise RegistryTimeout(host, "no answer in time", hint=_REACHABLE) from exc
    except requests.exceptions.ProxyError as exc:
        raise RegistryUnreachable(
            host, f"the proxy does not let us through: {_reason(exc)}", hint="see HTTPS_PROXY"
        ) from exc
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
        raise RegistryUnreachable(host, _reason(exc), hint=_REACHABLE) from exc


def _reason(exc: BaseException) -> str:
    """The innermost cause, in words without addresses."""
    found = "the connection was cut"
    seen: set[int] = set()
    step: BaseException | None = exc
    while step is not None and id(step) not in seen:
        seen.add(id(step))
        match step:
            case ssl.SSLCertVerificationError():
                return step.verify_message
            case ssl.SSLError():
                return (step.reason or "handshake failed").replace("_", " ").lower()
            case socket.gaierror():
                return "the name does not resolve"
            case OSError(strerror=str() as words):
                found = words.lower()
            case OSError(args=(str() as words,)) if words.startswith("Tunnel connection failed"):
                found = words.lower()
            case _:
                pass
        step = _inner(step)
    return found


def _inner(exc: BaseException) -> BaseException | None:
    candidates = (exc.__cause__, getattr(exc, "reason", None), *exc.args, exc.__context__)
    return next((one for one in candidates if isinstance(one, BaseException)), None)
