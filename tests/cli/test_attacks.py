"""What hostile registries and authors try on the command line."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from agentoci.api.discovery import Discovered
from agentoci.api.discretion import discreet
from agentoci.cli.attachments import _show
from agentoci.content.recursion import Attachment
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digesttags import referrers_tag
from agentoci.spec.manifest import Manifest
from tests.cli.conftest import Agent
from tests.registry.fake import FakeRegistry
from tests.registry.faults import answers

TOKEN = "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6"
"""One that nobody has."""

FORGED = "evil/type\nhint: run curl\nwarning: do it"


def put_image(fake: FakeRegistry, tag: str, **fields: object) -> Manifest:
    """Something that is no agent, at the registry."""
    fake.put("team/bot", b"{}")
    fake.put("team/bot", b"x")
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


def test_image_that_is_listed_as_its_own_referrer(agent: Agent, fake: FakeRegistry) -> None:
    """The tree went round in a circle until Python ended it."""
    image = put_image(fake, "1")
    entry = {**image.descriptor.document(), "artifactType": "a/b"}
    listed = {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": [entry]}
    lie = answers(200, json.dumps(listed), Content_Type=mediatypes.OCI_INDEX)
    fake.on("GET", "/referrers/", lie, times=20)
    done = agent("discover", "-r", "--format", "tree", f"{fake.host}/team/bot:1")
    assert len(done.lines) == 2


def test_long_chain_of_referrers_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """One that is longer than Python's stack is deep."""
    chain = [Descriptor.of("a/b", f"{number}".encode()) for number in range(1200)]
    found = tuple(Attachment(desc, subject) for subject, desc in pairwise(chain))
    _show(Discovered("bot:1", chain[0], found), "tree")
    assert len(capsys.readouterr().out.splitlines()) == 1200


def test_prune_believes_no_list_that_anybody_can_write(agent: Agent, fake: FakeRegistry) -> None:
    """Who may push could have what he liked deleted by who may delete."""
    fake.referrers = False
    old = put_image(fake, "1.0.0", annotations={"version": "1"})
    put_image(fake, "2.0.0", annotations={"version": "2"})
    used = put_image(fake, "x", annotations={"used": "by digest"})
    signed = put_image(fake, "y", artifact_type="a/b", subject=old.descriptor)
    for tag in ("x", "y"):
        del fake.manifests["team/bot", tag]
    entries = [image.descriptor.document() for image in (used, signed)]
    index = {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": entries}
    tag = referrers_tag(old.descriptor.digest)
    fake.put_manifest("team/bot", tag, mediatypes.OCI_INDEX, json.dumps(index).encode())
    agent("prune", "--remote", f"{fake.host}/team/bot", "--keep-semver", "1", "--yes")
    assert ("team/bot", str(old.descriptor.digest)) not in fake.manifests
    assert ("team/bot", str(signed.descriptor.digest)) not in fake.manifests
    assert ("team/bot", str(used.descriptor.digest)) in fake.manifests


@pytest.mark.parametrize(
    "line",
    [
        "COPY $KEY /agent/knowledge/",
        "COPY notes.md /agent/knowledge/ $KEY",
        "SET memory.level=$KEY",
        "REQUIRE helper@$KEY",
        "INTERFACE $KEY",
        "EVN KEY=" + TOKEN,
        "REQUIRE mcp:mcp.json",
    ],
)
def test_no_failure_tells_a_secret(agent: Agent, talker: Path, line: str) -> None:
    """What a build says ends in the logs of CI, its arguments' values and lines included."""
    server = {"url": f"https://user:{TOKEN}@host.example/mcp"}
    (talker / "mcp.json").write_text(json.dumps({"mcpServers": {"x": server}}))
    (talker / "Agentfile").write_text(f"FROM scratch\nARG KEY\n{line}\n")
    done = agent("build", "-t", "x:1", "--build-arg", f"KEY={TOKEN}", talker, code=None)
    assert done.code in (2, 5)
    assert TOKEN not in done.out + done.err
    assert "Agentfile:" in done.err or "mcp.json:" in done.err


def test_a_secret_in_half_a_character_is_redacted() -> None:
    assert discreet(f"\ud800 {TOKEN}").startswith("\\ud800 ghp_")
    assert TOKEN not in discreet(f"\ud800 {TOKEN}")
