"""Tools that are no agents, in a definition: what is read, and what is refused where."""

from __future__ import annotations

import pytest

from agentoci.definition.read import definition_document, parse_document, read_definition
from agentoci.definition.tools import is_secret_reference, names_secret
from agentoci.errors import SourceFaults
from agentoci.spec.jsonio import Json
from tests.definition.samples import minimal_with


def with_tool(text: str) -> bytes:
    """A definition with one tool; the first key of `text` stands at line 11, column 9."""
    lines = [f"        {line}" for line in text.split("\n")]
    return minimal_with("  requires:", "    tools:", "      - name: it", *lines).encode()


def tool_of(text: str) -> Json:
    read = read_definition(with_tool(text), file="a.agentdef")
    document = definition_document(read)
    assert parse_document(document, what="again") == read
    spec = document["spec"]
    assert isinstance(spec, dict)
    requires = spec["requires"]
    assert isinstance(requires, dict)
    tools = requires["tools"]
    assert isinstance(tools, list)
    return tools[0]


GOOD: list[tuple[str, dict[str, Json]]] = [
    ("mcp: {command: server}", {"mcp": {"command": ["server"]}}),
    (
        (
            "mcp:\n  command: [npx, -y, '@x/files']\n  args: [/data]\n  cwd: /agent\n  env:"
            " {LOG_LEVEL: debug, MAX_TOKENS: '4096', API_KEY: env:FILES_KEY, PASSWORD: file:/run/p}"
        ),
        {
            "mcp": {
                "command": ["npx", "-y", "@x/files"],
                "args": ["/data"],
                "env": {
                    "LOG_LEVEL": "debug",
                    "MAX_TOKENS": "4096",
                    "API_KEY": "env:FILES_KEY",
                    "PASSWORD": "file:/run/p",
                },
                "cwd": "/agent",
            }
        },
    ),
    (
        "mcp: {url: 'https://mcp.example.com/x', headers: {Authorization: 'Bearer env:X', A: b}}",
        {
            "mcp": {
                "url": "https://mcp.example.com/x",
                "headers": {"Authorization": "Bearer env:X", "A": "b"},
            }
        },
    ),
    ("a2a: https://a.example.com/c.json", {"a2a": {"card": "https://a.example.com/c.json"}}),
    ("a2a: {card: 'http://127.0.0.1:8080'}", {"a2a": {"card": "http://127.0.0.1:8080"}}),
    ("http: https://api.example.com/v1", {"http": {"url": "https://api.example.com/v1"}}),
    ("skill: ghcr.io/team/pdf:1.0", {"skill": {"reference": "ghcr.io/team/pdf:1.0"}}),
    ("skill: oci:dir:pdf", {"skill": {"reference": "oci:dir:pdf"}}),
    ("skill: ./skills/pdf", {"skill": {"path": "./skills/pdf"}}),
    ("skill: skills/pdf/", {"skill": {"path": "skills/pdf/"}}),
    (
        "skill: {reference: 'team/office:2', select: pdf}",
        {"skill": {"reference": "team/office:2", "select": "pdf"}},
    ),
    ("skill: team/pdf\nversion: ^1.2", {"skill": {"reference": "team/pdf"}, "version": "^1.2"}),
    ("reference: ghcr.io/team/it\nversion: '1'", {"reference": "ghcr.io/team/it", "version": "1"}),
]


@pytest.mark.parametrize(("text", "expected"), GOOD, ids=[text[:30] for text, _ in GOOD])
def test_what_a_tool_may_be(text: str, expected: dict[str, Json]) -> None:
    assert tool_of(text) == {"name": "it", **expected}


# Text of the tool, line, column, message, hint.
BAD = [
    ("mcp: npx", 11, 14, "expected a mapping, found 'npx'", ""),
    ("mcp: {}", 11, 14, "neither 'command' nor 'url'", "give one"),
    ("mcp: {command: a, url: 'http://x'}", 11, 14, "'command' and 'url' are both", "keep one"),
    ("mcp: {command: npx -y x}", 11, 24, "a command with arguments is a list", "[npx, -y, x]"),
    ("mcp: {command: []}", 11, 24, "names no program", "[npx,"),
    ("mcp: {command: a, headers: {A: b}}", 11, 36, "'headers' does not go with 'command'", ""),
    ("mcp: {url: 'http://x', cwd: /}", 11, 37, "'cwd' does not go with 'url'", ""),
    ("mcp: {url: 'https://u:p@x.org'}", 11, 20, "is not an http URL", "without user or password"),
    ("mcp: {url: file:///etc}", 11, 20, "is not an http URL", "https://"),
    ("mcp: {commnad: a}", 11, 15, "unknown key 'commnad'", "did you mean 'command'?"),
    ("mcp: {command: a, env: {1A: x}}", 11, 33, "'1A' is not the name of a variable", "digit"),
    ("mcp: {command: a, env: {A: 1}}", 11, 36, "expected text", 'write "1"'),
    ("mcp: {command: a, env: {A: 'env:'}}", 11, 36, "names no place", "env:NAME or file:PATH"),
    ("mcp: {command: a, env: {A: 'env:x y'}}", 11, 36, "names no place", "env:NAME"),
    (
        "mcp: {command: a, env: {GITHUB_TOKEN: x1}}",
        11,
        47,
        "in the image for everybody to read",
        "write env:GITHUB_TOKEN",
    ),
    (
        "mcp: {url: 'http://x', headers: {Authorization: Bearer x1}}",
        11,
        57,
        "in the image for everybody",
        "env:AUTHORIZATION",
    ),
    ("mcp: {url: 'http://x', headers: {'a b': c}}", 11, 42, "not the name of a header", "X-Api"),
    ("a2a: card.json", 11, 14, "is not an http URL", "https://"),
    ("http: ftp://x", 11, 15, "is not an http URL", ""),
    ("a2a: http://x\nhttp: http://y", 12, 15, "here are 'a2a' and 'http'", "one entry for each"),
    ("mcp: {command: a}\nversion: '1'", 12, 18, "for agents and skills, not for 'mcp'", "leave it"),
    ("http: http://y\nreference: a/b", 12, 20, "'reference' is for agents", "leave it out"),
    ("reference: a/b:1", 11, 20, "not a name alone", "'version'"),
    ("reference: b/A", 11, 20, "'b/A' is not a name", "lower case"),
    ("skill: {}", 11, 16, "neither 'reference' nor 'path'", "give one"),
    ("skill: Team/Pdf", 11, 16, "'Pdf' is not a name", "lower case"),
    ("skill: 'oci:'", 11, 16, "names no folder", "oci:DIR:NAME"),
    ("skill: ../pdf", 11, 16, "leads out of the context", "a folder of what is built"),
    (
        "skill: a/b:1\nversion: '1'",
        12,
        18,
        "which version it is stands in 'skill'",
        "leave 'version'",
    ),
    (
        "skill: ./a\nversion: '1'",
        12,
        18,
        "which version it is stands in 'skill'",
        "leave 'version'",
    ),
    ("skill: {path: a, reference: b}", 11, 16, "are both given", "keep one"),
]


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "hint"), BAD, ids=[bad[0][:30] for bad in BAD]
)
def test_what_a_tool_may_not_be(text: str, line: int, column: int, message: str, hint: str) -> None:
    with pytest.raises(SourceFaults) as caught:
        read_definition(with_tool(text), file="a.agentdef")
    (fault,) = caught.value.faults
    assert (fault.line, fault.column) == (line, column)
    assert message in fault.message
    assert hint in (fault.hint or "")


@pytest.mark.parametrize(
    "name",
    ["TOKEN", "GITHUB_TOKEN", "apiKey", "X-Api-Key", "DB_PASSWORD", "client_secret", "Cookie",
     "Proxy-Authorization", "AWS_SECRET_ACCESS_KEY", "GITHUB_PAT", "AZURE_CREDENTIALS"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize(
    "name",
    ["LOG_LEVEL", "MAX_TOKENS", "TOKENIZERS_PARALLELISM", "KEYBOARD", "PATH", "AUTHOR", "Accept",
     "MONKEY", "X-Request-Id", "SECRETARY"],
)  # fmt: skip
def test_names_of_no_secrets(name: str) -> None:
    assert not names_secret(name)


def test_references_to_secrets() -> None:
    for good in ("env:A", "env:_b1", "file:/run/secrets/x", "file:a b", "Bearer env:X"):
        assert is_secret_reference(good)
    for bad in ("", "A", "env:", "env:1", "env:A B", "file:", "two words env:A", "xenv:A\n"):
        assert not is_secret_reference(bad)
