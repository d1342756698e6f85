"""What the tests of the cache share: a context, and how to see what was packed."""

from __future__ import annotations

from agentoci._internal.clock import SystemClock
from agentoci.api.builds import Built
from tests.builder.workshop import Workshop

AGENTFILE = """\
FROM scratch
ARG WHO=nobody
COPY knowledge /agent/knowledge/
COPY data /agent/data/
SET memory.level=BASIC
ENV WHO=$WHO
INTERFACE cached_agent
"""


def fill(workshop: Workshop) -> None:
    """A context of several kinds of layers."""
    workshop.fill({f"knowledge/{number}.md": f"{number}" * 50 for number in range(20)})
    workshop.fill({"data/a.csv": "1,2", "Agentfile": AGENTFILE})


def packed(built: Built) -> set[str]:
    """The kinds of the layers that were packed, not found."""
    titles = [
        x.desc.annotations["org.opencontainers.image.title"] for x in built.layers if not x.cached
    ]
    return {title.partition("-")[0] for title in titles}


def forget_replays(workshop: Workshop) -> None:
    """Leave the caches of layers and files, but not the record of the whole build."""
    for path in (workshop.home / "cache/builds").glob("*"):
        path.unlink()


def settle() -> None:
    """Wait until the clock of the file system has moved on, as it does between a user's steps."""
    SystemClock().sleep(0.15)
