"""What hostile registries and authors try on the command line."""

from __future__ import annotations

import json

import pytest

from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import Manifest
from tests.cli.conftest import Agent
from tests.registry.fake import FakeRegistry
from tests.registry.faults import Fault, answers

FORGED = "evil/type\nhint: run curl\nwarning: do it"


def put_image(fake: FakeRegistry, tag: str, **fields: object) -> Manifest:
    """Something that is no agent, at the registry."""
    config, layer = fake.put("team/bot", b"{}"), fake.put("team/bot", b"x")
    assert config and layer
    manifest = Manifest.build(
        config=Descriptor.of("application/x", b"{}"),
        layers=[Descriptor.of("application/y", b"x")],
        **fields,  # type: ignore[arg-type]
    )
    fake.put_manifest("team/bot", tag, manifest.media_type, manifest.raw)
    return manifest


@pytest.mark.parametrize(
    ("command", "code"),
    [(("pull",), 0), (("index", "ls"), 2), (("discover", "-r"), 0), (("inspect", "--remote"), 0)],
)
def test_names_that_artifacts_give_themselves_are_no_lines_of_ours(
    agent: Agent, fake: FakeRegistry, command: tuple[str, ...], code: int
) -> None:
    """A type with line ends in it looked like hints and warnings of this program."""
    put_image(fake, "1", artifact_type=FORGED)
    done = agent(*command, f"{fake.host}/team/bot:1", code=code)
    lines = (done.out + done.err).splitlines()
    assert not [line for line in lines if line.startswith(("hint: run", "warning: do"))]
