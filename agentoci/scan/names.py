"""Files that hold secrets by their name: `secret/file-name`."""

from __future__ import annotations

import re
from typing import Final

from agentoci.scan.findings import SECRETS, Finding

RULE: Final = SECRETS + "file-name"

_DENIED: Final = re.compile(
    r"(?:^|/)(?:"
    r"\.ssh/(?!known_hosts$|config$)[^/]+(?<!\.pub)"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?"
    r"|\.aws/(?:credentials|config)"
    r"|[._]netrc"
    r"|\.env(?:\.(?!example$|sample$|template$|dist$|defaults?$)[^/]+)?|\.envrc"
    r"|\.git-credentials"
    r"|\.docker/config\.json|\.dockercfg"
    r"|\.kube/config"
    r"|\.pypirc|\.htpasswd|\.pgpass|\.my\.cnf"
    r"|\.config/gh/hosts\.yml"
    r"|application_default_credentials\.json"
    r"|[^/]+\.(?:p12|pfx|jks|keystore|kdbx|ppk)"
    r")$",
    re.IGNORECASE,
)


def name_finding(path: str) -> Finding | None:
    """The finding that a file of this name is, whatever is in it; None for other names."""
    if _DENIED.search(path) is None:
        return None
    return Finding(RULE, path, 1, 1, "a file of this name holds secrets", "")
