"""MCP servers as other tools list them: what is read, and what is refused where."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from agentoci.errors import SourceFaults
from agentoci.interop.toolfiles import ListedServer, read_servers

SECRET = "-".join(("sk", "proj", "A1b2C3d4" * 5))


def read(document: Any) -> list[ListedServer]:
    return read_servers(json.dumps(document, indent=1).encode(), file="mcp.json")


def one(server: dict[str, Any]) -> ListedServer:
    (found,) = read({"mcpServers": {"it": server}})
    return found


@pytest.mark.parametrize(
    "wrap",
    [
        lambda servers: {"mcpServers": servers, "theme": "dark"},
        lambda servers: {"servers": servers, "inputs": []},
        lambda servers: {"mcp": {"servers": servers}},
    ],
)
def test_where_servers_are_listed(wrap: Any) -> None:
    found = read(wrap({"b": {"command": "x"}, "a": {"url": "http://x"}}))
    assert found == [
        ListedServer("b", {"command": ["x"]}),
        ListedServer("a", {"url": "http://x"}),
    ]


COMMENTED = b"""// Kept by an editor.
{
  "servers": { /* one
                  each */
    "a": {"url": "http://x//y"}, // "not" { this
    "b": {"command": ""}
  }
}
"""


def test_comments_of_editors_are_passed_over_and_lines_count_on() -> None:
    with pytest.raises(SourceFaults) as caught:
        read_servers(COMMENTED, file="mcp.json")
    (fault,) = caught.value.faults
    assert fault.line == 6
    mended = COMMENTED.replace(b'"command": ""', b'"command": "x"')
    assert [server.mcp for server in read_servers(mended, file="mcp.json")] == [
        {"url": "http://x//y"},
        {"command": ["x"]},
    ]


def test_what_is_yaml_has_no_such_comments() -> None:
    (found,) = read_servers(b"servers:\n  a:\n    url: http://x/y\n", file="mcp.yaml")
    assert found.mcp == {"url": "http://x/y"}


@pytest.mark.parametrize("part", ["/* ", '\\"', '"\\', "//", "*/"])
@pytest.mark.parametrize("start", ["{", "{/*"])
def test_comments_and_texts_left_open_are_read_in_linear_time(start: str, part: str) -> None:
    began = time.perf_counter()
    with pytest.raises(SourceFaults):
        read_servers((start + part * 100_000).encode(), file="mcp.json")
    assert time.perf_counter() - began < 5


# What a file says of a server, and the block of a definition.
SERVERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"command": "/opt/my tools/x"}, {"command": ["/opt/my tools/x"]}),
    (
        {"type": "stdio", "command": "x", "args": ["-y"], "cwd": "/tmp", "timeout": 5},
        {"command": ["x"], "args": ["-y"], "cwd": "/tmp"},
    ),
    ({"command": "x", "env": {"PORT": "80"}}, {"command": ["x"], "env": {"PORT": "80"}}),
    ({"command": "x", "env": {"PORT": 80}}, {"command": ["x"], "env": {"PORT": "80"}}),
    ({"command": "x", "env": {}}, {"command": ["x"]}),
    ({"command": "x", "env": {"A_KEY": "$B"}}, {"command": ["x"], "env": {"A_KEY": "env:B"}}),
    ({"command": "x", "env": {"K": "${env:B}"}}, {"command": ["x"], "env": {"K": "env:B"}}),
    ({"command": "x", "env": {"K": "file:/k"}}, {"command": ["x"], "env": {"K": "file:/k"}}),
    (
        {"command": "x", "args": ["--token-file", "/run/t", "--token", "${T}", "-v", "3"]},
        {
            "command": ["x"],
            "args": ["--token-file", "/run/t", "--token", "${T}", "-v", "3"],
        },
    ),
    ({"serverUrl": "https://x.org/a"}, {"url": "https://x.org/a"}),
    ({"httpUrl": "https://x.org/a"}, {"url": "https://x.org/a"}),
    (
        {"url": "https://x.org", "headers": {"Authorization": "Bearer ${T}", "X-Team": "a"}},
        {"url": "https://x.org", "headers": {"Authorization": "Bearer env:T", "X-Team": "a"}},
    ),
    (
        {"url": "https://x.org", "headers": {"Authorization": "Bearer ${input:my-token}"}},
        {"url": "https://x.org", "headers": {"Authorization": "Bearer env:MY_TOKEN"}},
    ),
]


@pytest.mark.parametrize(("server", "block"), SERVERS)
def test_what_a_server_becomes(server: dict[str, Any], block: dict[str, Any]) -> None:
    assert one(server).mcp == block


def test_what_cannot_be_said_is_a_note() -> None:
    assert one({"type": "sse", "url": "https://x.org"}).notes == (
        "it speaks SSE, the transport before streamable HTTP",
    )
    (note,) = one({"command": "x", "env": {"A": "${B:-c}"}}).notes
    assert "default" in note
    assert one({"command": "x", "disabled": True}).disabled


# A server, the line, the message, the hint.
BAD: list[tuple[Any, int, str, str]] = [
    ("x", 3, "a server is a mapping", ""),
    ({}, 3, "neither 'command' nor 'url' is given", "give one"),
    ({"command": ""}, 4, "expected text, found none", ""),
    ({"command": "x", "args": "y"}, 5, "", ""),
    (
        {"command": "x", "env": {"A_TOKEN": "abc"}},
        6,
        "the value of 'A_TOKEN' is a secret",
        "env:A_",
    ),
    ({"command": "x", "env": {"HOST": SECRET}}, 6, "the value of 'HOST' is a secret", "env:HOST"),
    ({"command": "x", "args": ["--key", SECRET]}, 7, "an argument is a secret", "by a variable"),
    ({"command": "x", "args": ["--token", "a=b"]}, 7, "an argument is a secret", "by a variable"),
    ({"command": "x", "args": ["-v", "--api-key=a=b"]}, 7, "an argument is a secret", ""),
    ({"url": "https://u:p@x.org"}, 4, "is not an http URL", "without user or password"),
    ({"url": "https://x.org", "headers": {"Cookie": "a=b"}}, 6, "'Cookie' is a secret", "env:COO"),
    ({"url": "https://x.org", "headers": {"A B": "c"}}, 6, "not the name of a header", ""),
    ({"command": "x", "env": {"1A": "c"}}, 6, "not the name of a variable", ""),
]


@pytest.mark.parametrize(("server", "line", "message", "hint"), BAD)
def test_what_is_no_server(server: Any, line: int, message: str, hint: str) -> None:
    with pytest.raises(SourceFaults) as caught:
        one(server)
    (fault,) = caught.value.faults
    assert fault.line == line
    assert message in fault.message
    assert hint in (fault.hint or "")
    assert SECRET not in str(caught.value)
    assert "a=b" not in str(caught.value)


@pytest.mark.parametrize("document", [{}, {"mcpServers": {}}, {"mcpServers": []}, [], "x"])
def test_files_without_servers(document: Any) -> None:
    with pytest.raises(SourceFaults, match=r"mcp\.json:\d:\d+: "):
        read(document)


# server.json of the registry


def registered(**keys: Any) -> ListedServer:
    (found,) = read({"name": "io.github.example/it", "description": "x", "version": "1.0", **keys})
    assert found.name == "io.github.example/it"
    return found


def package(kind: str, **keys: Any) -> ListedServer:
    entry = {"registryType": kind, "identifier": "it", "version": "1.2.3", **keys}
    return registered(packages=[{"transport": {"type": "stdio"}, **entry}])


PACKAGES: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("npm", {"identifier": "@x/it"}, ["npx", "-y"], ["@x/it@1.2.3"]),
    ("pypi", {}, ["uvx"], ["it==1.2.3"]),
    ("nuget", {}, ["dnx", "--yes"], ["it@1.2.3"]),
    ("oci", {"identifier": "r.io/it"}, ["docker", "run", "-i", "--rm"], ["r.io/it:1.2.3"]),
    ("oci", {"identifier": "r.io/it:2"}, ["docker", "run", "-i", "--rm"], ["r.io/it:2"]),
    (
        "npm",
        {
            "runtimeArguments": [{"type": "positional", "value": "--quiet"}],
            "packageArguments": [
                {"type": "named", "name": "--dir", "value": "{dir}", "variables": {"dir": {
                    "default": "/data"}}},
                {"type": "positional", "value": "serve"},
                {"type": "named", "name": "--port"},
            ],
        },
        ["npx", "-y"],
        ["--quiet", "it@1.2.3", "--dir", "/data", "serve"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "keys", "command", "args"), PACKAGES)
def test_packages(kind: str, keys: dict[str, Any], command: list[str], args: list[str]) -> None:
    assert package(kind, **keys).mcp == {"command": command, "args": args}


def test_variables_of_a_package() -> None:
    found = package(
        "npm",
        environmentVariables=[
            {"name": "API_KEY", "isSecret": True, "value": "{key}"},
            {"name": "HOST", "isRequired": True},
            {"name": "MODE", "default": "fast"},
            {"name": "EXTRA"},
        ],
    )
    assert found.mcp["env"] == {"API_KEY": "env:API_KEY", "HOST": "env:HOST", "MODE": "fast"}
    assert found.notes == ("EXTRA may be set, and is not",)


def test_a_remote_comes_first() -> None:
    remote = {
        "type": "streamable-http",
        "url": "https://{region}.x.org/mcp",
        "variables": {"region": {"default": "eu"}},
        "headers": [{"name": "Authorization", "value": "Bearer {api-key}", "isRequired": True}],
    }
    packages = [{"registryType": "npm", "identifier": "it", "transport": {"type": "stdio"}}]
    found = registered(remotes=[{"type": "ws", "url": "x"}, remote], packages=packages)
    assert found.mcp == {
        "url": "https://eu.x.org/mcp",
        "headers": {"Authorization": "Bearer env:API_KEY"},
    }


@pytest.mark.parametrize(
    "keys",
    [
        {"packages": []},
        {"packages": [{"registryType": "mcpb", "identifier": "https://x.org/a.mcpb"}]},
        {"remotes": [{"type": "ws", "url": "wss://x.org"}]},
        {"packages": [{"registryType": "npm", "transport": {"type": "stdio"}}]},
    ],
)
def test_servers_that_agents_cannot_reach(keys: dict[str, Any]) -> None:
    with pytest.raises(SourceFaults, match="no way to reach the server") as caught:
        registered(**keys)
    assert "npm, pypi, oci, nuget" in (caught.value.faults[0].hint or "")


def test_a_remote_whose_url_is_none_is_a_fault_at_its_place() -> None:
    with pytest.raises(SourceFaults) as caught:
        registered(remotes=[{"type": "streamable-http", "url": "https://u:p@x.org"}])
    (fault,) = caught.value.faults
    assert fault.line > 5
    assert "is not an http URL" in fault.message
