"""The tools of an agent: what REQUIRE and `requires.tools` become in its image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from agentoci.api.builds import Built
from agentoci.builder.options import Pins
from agentoci.spec.jsonio import loads
from tests.builder.workshop import Workshop

MCP = {
    "mcpServers": {
        "files": {
            "command": "npx",
            "args": ["-y", "@example/files", "/agent/workspace"],
            "env": {"LOG_LEVEL": "debug", "FILES_TOKEN": "${FILES_TOKEN}"},
            "alwaysAllow": ["read"],
        },
        "search": {
            "type": "http",
            "url": "https://mcp.example.com/search",
            "headers": {"Authorization": "Bearer ${input:search-key}"},
        },
        "old": {"command": "old-server", "disabled": True},
    }
}
FILES: Mapping[str, Any] = {
    "name": "files",
    "required": True,
    "mcp": {
        "command": ["npx"],
        "args": ["-y", "@example/files", "/agent/workspace"],
        "env": {"LOG_LEVEL": "debug", "FILES_TOKEN": "env:FILES_TOKEN"},
    },
}
SEARCH: Mapping[str, Any] = {
    "name": "search",
    "required": True,
    "mcp": {
        "url": "https://mcp.example.com/search",
        "headers": {"Authorization": "Bearer env:SEARCH_KEY"},
    },
}
DEFINITION = """\
apiVersion: agent/v1
kind: AgentDefinition
metadata: {name: bot, version: 1.0.0}
spec:
  interface: helps
  requires:
    tools:
      - name: psm
        interface: makes a PSM
        version: ">=1.0"
      - {name: debug, required: false}
      - {name: api, http: https://api.example.com/v1}
      - name: files
        interface: reads files
        mcp: {command: files-server}
"""


def listed(workshop: Workshop, built: Built) -> list[dict[str, Any]]:
    """The bindings of an image: the same in its config and in its tools layer."""
    found: Any = workshop.image(built).config.agentoci.get("requirements", [])
    tree = workshop.tree(built)
    content = tree.get("agent/tools/bindings.json")
    if not found:
        assert content is None
        return []
    assert isinstance(content, bytes)
    assert loads(content, what="bindings") == {"version": 1, "tools": found}
    checked: list[dict[str, Any]] = found
    return checked


@pytest.fixture
def mcp(workshop: Workshop) -> Workshop:
    """A context with an mcp.json."""
    workshop.write("mcp.json", json.dumps(MCP, indent=2))
    return workshop


def test_the_tools_of_a_definition_are_bound(workshop: Workshop) -> None:
    workshop.write("bot.agentdef", DEFINITION)
    assert listed(workshop, workshop.build_text("FROM scratch\nDEFINITION bot.agentdef\n")) == [
        {"name": "psm", "version": ">=1.0", "required": True, "interface": "makes a PSM"},
        {"name": "debug", "version": "*", "required": False},
        {"name": "api", "required": True, "http": {"url": "https://api.example.com/v1"}},
        {
            "name": "files",
            "required": True,
            "interface": "reads files",
            "mcp": {"command": ["files-server"]},
        },
    ]


def test_a_lone_definition_is_bound_alike(workshop: Workshop) -> None:
    workshop.write("bot.agentdef", DEFINITION)
    lone = workshop.build("lone:1")
    workshop.agentfile("FROM scratch\nDEFINITION bot.agentdef\n")
    assert listed(workshop, lone) == listed(workshop, workshop.build("with:1"))


def test_what_an_agentfile_requires_wins_key_by_key(workshop: Workshop) -> None:
    workshop.write("bot.agentdef", DEFINITION)
    text = "FROM scratch\nDEFINITION bot.agentdef\nREQUIRE team/psm@^1.2\nREQUIRE --optional api\n"
    psm, _, api, files = listed(workshop, workshop.build_text(text))
    assert psm == {
        "name": "psm",
        "version": "^1.2",
        "required": True,
        "interface": "makes a PSM",
        "reference": "team/psm",
    }
    assert api == {"name": "api", "version": "*", "required": False}  # an agent now
    assert files["interface"] == "reads files"


def test_a_base_passes_its_tools_on(workshop: Workshop) -> None:
    workshop.write("bot.agentdef", DEFINITION)
    base = workshop.build_text("FROM scratch\nDEFINITION bot.agentdef\n", "base:1")
    child = workshop.build_text("FROM base:1\nREQUIRE debug:2.0\nREQUIRE more\n", "child:1")
    before = {tool["name"]: tool for tool in listed(workshop, base)}
    after = {tool["name"]: tool for tool in listed(workshop, child)}
    assert list(after) == [*before, "more"]
    assert after["debug"] == {"name": "debug", "version": "2.0", "required": True}
    assert {k: v for k, v in after.items() if k in before and k != "debug"} == {
        k: v for k, v in before.items() if k != "debug"
    }


def test_pins_say_what_agents_turned_out_to_be(workshop: Workshop) -> None:
    pin = {"version": "1.0.3", "digest": f"sha256:{'0' * 64}", "reference": "reg.org/psm:1.0.3"}
    pins = {"psm": pin, "nobody": pin, "api": pin}
    text = "FROM scratch\nREQUIRE psm:1.0\nREQUIRE http:http://x AS api\n"
    base = workshop.build_text(text, "base:1", pins=Pins(requirements=pins))
    psm, api = listed(workshop, base)
    assert psm == {"name": "psm", "version": "1.0", "required": True, "resolved": pin}
    assert "resolved" not in api
    assert listed(workshop, workshop.build_text("FROM base:1\n", "child:1")) == [psm, api]
    (again, _) = listed(workshop, workshop.build_text("FROM base:1\nREQUIRE psm:2\n", "child:2"))
    assert "resolved" not in again, "another version is required now"
    assert workshop.build_text(text, "plain:1").root.digest != base.root.digest


def test_every_server_of_a_file_becomes_a_tool(mcp: Workshop) -> None:
    built = mcp.build_text("FROM scratch\nREQUIRE mcp:mcp.json\n")
    assert listed(mcp, built) == [FILES, SEARCH]


def test_one_server_of_a_file(mcp: Workshop) -> None:
    text = "FROM scratch\nREQUIRE --optional mcp:mcp.json#old AS elder\nREQUIRE mcp:mcp.json#files"
    assert listed(mcp, mcp.build_text(text)) == [
        {"name": "elder", "required": False, "mcp": {"command": ["old-server"]}},
        FILES,
    ]


def test_other_programs_names_become_ours(workshop: Workshop) -> None:
    servers = {"GitHub": {"command": "x"}, "My Files (local)": {"command": "y"}}
    workshop.write("mcp.json", json.dumps({"mcpServers": servers}))
    built = workshop.build_text("FROM scratch\nREQUIRE mcp:mcp.json\n")
    assert [tool["name"] for tool in listed(workshop, built)] == ["github", "my-files-local"]


def test_a_changed_file_is_seen(mcp: Workshop) -> None:
    first = mcp.build_text("FROM scratch\nREQUIRE mcp:mcp.json#old\n")
    assert mcp.build().root.digest == first.root.digest
    mcp.write("mcp.json", json.dumps(MCP).replace("old-server", "new-server"))
    assert "new-server" in str(listed(mcp, mcp.build()))


def test_tools_behind_urls(workshop: Workshop) -> None:
    text = (
        "FROM scratch\n"
        "REQUIRE mcp:https://mcp.example.com/x AS x\n"
        "REQUIRE --optional a2a:https://translator.example.com/.well-known/agent-card.json\n"
        "REQUIRE http:https://api.example.com AS api\n"
    )
    assert listed(workshop, workshop.build_text(text)) == [
        {"name": "x", "required": True, "mcp": {"url": "https://mcp.example.com/x"}},
        {
            "name": "translator",
            "required": False,
            "a2a": {"card": "https://translator.example.com/.well-known/agent-card.json"},
        },
        {"name": "api", "required": True, "http": {"url": "https://api.example.com"}},
    ]


def test_a_server_file_of_the_registry(workshop: Workshop) -> None:
    document = {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": "io.github.example/weather",
        "description": "Weather",
        "version": "1.0.2",
        "packages": [
            {
                "registryType": "oci",
                "identifier": "ghcr.io/example/weather:1.0.2",
                "transport": {"type": "stdio"},
                "environmentVariables": [
                    {"name": "API_KEY", "isSecret": True, "isRequired": True},
                    {"name": "UNITS", "default": "metric"},
                ],
            }
        ],
    }
    workshop.write("server.json", json.dumps(document))
    assert listed(workshop, workshop.build_text("FROM scratch\nREQUIRE mcp:server.json\n")) == [
        {
            "name": "weather",
            "required": True,
            "mcp": {
                "command": ["docker", "run", "-i", "--rm"],
                "args": ["-e", "API_KEY", "-e", "UNITS", "ghcr.io/example/weather:1.0.2"],
                "env": {"API_KEY": "env:API_KEY", "UNITS": "metric"},
            },
        }
    ]


# Agentfile's REQUIRE, column, message, hint.
BAD = [
    ("mcp:none.json", 9, "'none.json' is not in the context", "a file of the context, or a URL"),
    ("mcp:ftp://a/b", 9, "'ftp://a/b' is not in the context", "https://HOST/PATH"),
    ("mcp:off.json", 9, "every server in the file is switched off", "#SERVER takes one: a, b"),
    ("mcp:../mcp.json", 9, "leads out of the context", "inside the folder"),
    ("mcp:mcp.json#none", 9, "the file lists no server 'none'", "one of: files, search, old"),
    ("mcp:mcp.json AS all", 9, "the file lists files, search, old", "mcp:FILE#SERVER"),
    ("mcp:odd.json", 9, "no tool can be called '文件'", 'odd.json#文件" AS NAME'),
    ("mcp:twins.json", 9, "two servers would be called 'my-files'", 'twins.json#my files" AS'),
]


@pytest.mark.parametrize(("require", "column", "message", "hint"), BAD)
def test_faults_at_the_requirement(
    mcp: Workshop, require: str, column: int, message: str, hint: str
) -> None:
    mcp.write("odd.json", json.dumps({"mcpServers": {"文件": {"command": "x"}}}))
    twins = {"My Files": {"command": "x"}, "my files": {"command": "y"}}
    mcp.write("twins.json", json.dumps({"mcpServers": twins}))
    off = {name: {"command": "x", "disabled": True} for name in "ab"}
    mcp.write("off.json", json.dumps({"mcpServers": off}))
    (fault,) = mcp.faults(f"FROM scratch\nREQUIRE {require}\n").faults
    assert (fault.line, fault.column) == (2, column)
    assert message in fault.message
    assert hint in (fault.hint or "")


def test_a_file_of_json_that_ends_early_is_not_json(mcp: Workshop) -> None:
    mcp.write("mcp.json", '{"mcpServers": {')
    (fault,) = mcp.faults("FROM scratch\nREQUIRE mcp:mcp.json\n").faults
    assert (fault.file, fault.line) == (str(mcp.context / "mcp.json"), 1)
    assert fault.message.startswith("not JSON: ")


def test_faults_in_the_file(mcp: Workshop) -> None:
    secret = "s3cr3t-" + "0123456789abcdef" * 2
    servers = {"a": {"command": "x", "env": {"A_TOKEN": secret}}, "b": {"cmd": "y"}}
    mcp.write("mcp.json", json.dumps({"mcpServers": servers}, indent=1))
    found = mcp.faults("FROM scratch\nREQUIRE mcp:mcp.json\n")
    file = str(mcp.context / "mcp.json")
    assert [(fault.file, fault.line) for fault in found.faults] == [(file, 6), (file, 9)]
    assert "write env:A_TOKEN" in (found.faults[0].hint or "")
    assert secret not in str(found)
