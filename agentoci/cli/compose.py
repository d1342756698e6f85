"""The command `agent-compose`: it says that it is not part of this version."""

from __future__ import annotations

import sys
from typing import NoReturn

from agentoci.cli import output


def main() -> NoReturn:
    """Refuse, clearly."""
    output.error(
        "agent-compose is not part of this version",
        "start the agents of a file one by one with `agent run -d`",
    )
    sys.exit(1)
