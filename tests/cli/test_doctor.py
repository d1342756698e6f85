"""agent doctor: tables, documents, exit codes, and what goes to which stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentoci.cli.main import agent as program
from tests.cli.conftest import Agent
from tests.quirks.profiles import PROFILES
from tests.quirks.server import QuirkRegistry
from tests.registries import PASSWORD, USER, Registry
from tests.registry.fake import Basic, FakeRegistry, Tokens

ADA = ("-u", "ada", "--password-stdin")
FACTS = {
    *("upload", "chunk", "resume", "ranges", "mount", "referrers", "customTypes"),
    *("deleteTags", "deleteManifests", "catalog", "linksPages", "wholeLists", "probed"),
}


def rows(text: str) -> dict[str, str]:
    """The table: check → result."""
    header, *lines = text.splitlines()
    start = header.index("RESULT")
    return {line[:start].strip(): line[start:].split()[0] for line in lines}


def test_machine_is_a_table(agent: Agent):
    shown = agent("doctor")
    assert shown.lines[0].split() == ["CHECK", "RESULT", "DETAIL"]
    assert set(rows(shown.out).values()) == {"ok"}
    assert "none: what is public can be read (hint: agent login HOST)" in shown.out
    assert shown.err == ""


def test_machine_is_a_document(agent: Agent):
    found = agent("doctor", "--format", "json").json
    assert found["failed"] == 0
    assert {"check", "result", "detail", "hint"} == set(found["checks"][0])


def test_faults_of_the_machine_fail(agent: Agent, home: Path):
    (home / "agentoci" / "store").mkdir(parents=True)
    (home / "agentoci" / "store" / "index.json").write_text("{}")
    shown = agent("doctor", code=1)
    assert rows(shown.out)["store"] == "fail"
    assert shown.err == "error: 1 of 13 checks failed\n"
    assert agent("doctor", "--format", "json", code=1).json["failed"] == 1


def test_bad_config_file_is_shown_among_the_rest(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeRegistry
):
    path = tmp_path / "config.toml"
    path.write_text("defualt_registry = 'x'")
    monkeypatch.setenv("AGENTOCI_CONFIG", str(path))
    shown = agent("doctor", code=1)
    assert rows(shown.out)["config file"] == "fail"
    assert "did you mean 'default_registry'?" in shown.out
    assert rows(shown.out)["certificates"] == "ok"
    assert "unknown key" in agent("doctor", fake.host, code=2).err
    assert "unknown key" in agent("images", code=2).err
    assert fake.seen == []


def test_registry_is_a_table(agent: Agent, fake: FakeRegistry):
    shown = agent("doctor", f"{fake.host}/team")
    found = rows(shown.out)
    assert found["custom types"] == found["mount"] == "yes"
    assert found["tls"] == "no"
    place = f"{fake.host}/team/agentoci-doctor"
    assert shown.err == f"writing to {place} and {place}-mount; it is removed again\n"
    assert not fake.blobs


def test_registry_is_a_document_with_what_is_known(agent: Agent, fake: FakeRegistry):
    found = agent("doctor", "--format", "json", fake.host).json
    assert set(found) == {"registry", "checks", "left", "facts", "error"}
    assert set(found["facts"]) == FACTS
    assert found["facts"]["probed"].endswith("Z")
    assert (found["left"], found["error"]) == ([], None)
    fake.seen.clear()
    known = agent("doctor", "--cached", "--format", "json", fake.host)
    assert known.json == {"registry": fake.host, "facts": found["facts"]}
    assert (known.err, fake.seen) == ("", [])


def test_known_facts_are_a_table(agent: Agent, fake: FakeRegistry):
    shown = agent("doctor", "--cached", fake.host)
    assert shown.lines[0].split() == ["FACT", "VALUE"]
    assert "custom types       unknown" in shown.lines
    agent("doctor", fake.host)
    lines = agent("doctor", "--cached", fake.host).lines
    assert "custom types       yes" in lines
    assert "upload             monolithic" in lines


def test_what_stays_is_said(agent: Agent, fake: FakeRegistry):
    fake.deletes = False
    shown = agent("doctor", fake.host)
    [_, first, second] = shown.err.splitlines()
    assert first.startswith(f"warning: could not be removed again: {fake.host}/agentoci-doctor: ")
    assert second.startswith(
        f"warning: could not be removed again: {fake.host}/agentoci-doctor-mount: blob "
    )
    assert len(agent("doctor", "--format", "json", fake.host).json["left"]) == 2


def test_read_only_writes_nothing(agent: Agent, stocked: Path, fake: FakeRegistry):
    agent("push", "talker:1.0", f"{fake.host}/team/talker:1.0")
    fake.seen.clear()
    image = f"{fake.host}/team/talker:1.0"
    shown = agent("doctor", "--read-only", "--image", image, fake.host)
    assert rows(shown.out)["blob ranges"] == "yes"
    assert shown.err == ""
    assert {seen.method for seen in fake.seen} <= {"GET", "HEAD"}


def test_image_that_is_not_there(agent: Agent, fake: FakeRegistry):
    shown = agent("doctor", "--read-only", "--image", f"{fake.host}/a/b:1", fake.host, code=6)
    assert rows(shown.out)["image"] == "unknown"


def test_registry_that_refuses_agents_names_the_profile(agent: Agent, stocked: Path):
    with QuirkRegistry(PROFILES["gitlab"]) as registry:
        shown = agent("doctor", *ADA, f"{registry.host}/team", stdin=b"secret")
        [line] = [line for line in shown.lines if line.startswith("custom types")]
        assert line.endswith("; use push --profile image")
        target = f"{registry.host}/team/talker:1.0"
        refused = agent("push", *ADA, "talker:1.0", target, stdin=b"secret", code=1)
    assert "takes no artifacts of type application/vnd.agentoci.agent.v1" in refused.err
    assert "push --profile image" in refused.err


def test_registry_that_is_down(agent: Agent):
    shown = agent("doctor", "127.0.0.1:9", code=4)
    assert rows(shown.out) == {"tls": "no", "registry api": "unknown", "login needed": "unknown"}
    assert "127.0.0.1:9: connection refused" in shown.err
    found = agent("doctor", "--format", "json", "127.0.0.1:9", code=4).json
    assert found["error"] == "127.0.0.1:9: connection refused"


@pytest.mark.parametrize("given", [(), ("-u", "eve", "--password-stdin")])
def test_denied(agent: Agent, given: tuple[str, ...]):
    with FakeRegistry(auth=Basic()) as fake:
        shown = agent("doctor", *given, fake.host, stdin=b"wrong", code=5)
    assert rows(shown.out)["login needed"] == "yes"
    assert rows(shown.out)["login accepted"] == "unknown"
    assert f"agent login {fake.host}" in shown.err
    assert "wrong" not in shown.out + shown.err


def test_reader_is_denied_and_may_look(agent: Agent):
    with FakeRegistry(auth=Tokens(allowed=frozenset({"pull"}))) as fake:
        shown = agent("doctor", *ADA, fake.host, stdin=b"secret", code=5)
        assert rows(shown.out)["push access"] == "unknown"
        agent("doctor", "--read-only", *ADA, fake.host, stdin=b"secret")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--read-only",),
        ("--cached",),
        ("--image", "host.example/a:1"),
        ("--cached", "--read-only", "host.example"),
        ("--image", "host.example/a:1", "host.example"),
    ],
)
def test_options_that_do_not_go_together(agent: Agent, arguments: tuple[str, ...]):
    assert "Usage: agent doctor" in agent("doctor", *arguments, code=2).err


def test_what_is_no_registry(agent: Agent):
    refused = agent("doctor", "team", code=2)
    assert refused.err.splitlines()[-2:] == [
        "error: 'team' is no registry",
        "hint: write HOST, HOST:PORT or HOST/PREFIX",
    ]


def test_doctor_is_in_the_table_of_commands():
    assert "doctor" in program.list_commands(None)  # type: ignore[arg-type]


@pytest.mark.integration
def test_real_registries_are_examined(agent: Agent, registry: Registry, repository: str):
    found = rows(agent("doctor", registry.reference(repository)).out)
    assert found["custom types"] == found["monolithic upload"] == found["blob delete"] == "yes"
    assert found["referrers api"] == ("yes" if registry.kind == "olareg" else "no")


@pytest.mark.integration
def test_real_registry_with_passwords(agent: Agent, private_registry: Registry, repository: str):
    place = private_registry.reference(repository)
    login = ("-u", USER, "--password-stdin")
    shown = agent("doctor", *login, place, stdin=PASSWORD.encode())
    assert rows(shown.out)["login accepted"] == "yes"
    assert PASSWORD not in shown.out + shown.err
    agent("doctor", place, code=5)
