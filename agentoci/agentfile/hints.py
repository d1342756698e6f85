"""What the writer may have meant: near misses, and the words of other tools' files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_DOCKERFILE: Final = {
    "ADD": "and to openotters: copy files with COPY, which neither downloads nor unpacks",
    "CMD": "the program of an agent is its ENTRYPOINT",
    "EXPOSE": "an agent image opens no ports",
    "MAINTAINER": "write LABEL org.opencontainers.image.authors=…",
    "ONBUILD": "an image carries no instructions for its children",
    "RUN": "an Agentfile copies files, it does not run commands",
    "SHELL": 'write ENTRYPOINT in its exec form: ENTRYPOINT ["shell", "-c", "…"]',
    "STOPSIGNAL": "agents are stopped with SIGTERM",
    "USER": "who the agent runs as is decided where it runs",
    "VOLUME": "memory, learned knowledge and workspace are kept outside the image anyway",
    "WORKDIR": "the working directory is always the agent's home, /agent",
}
_AGENTRC: Final = {
    "CAPABILITY": "write REQUIRE NAME for a tool, or SET for what the agent may do",
    "IDENTITY": "write INTERFACE NAME",
    "POLICY": "write the permissions into an .agentdef and name it with DEFINITION",
    "SOP": "COPY the procedure to /agent/knowledge/",
}
_OPENOTTERS: Final = {
    "BIN": "COPY the program to /agent/tools/, or REQUIRE the tool",
    "CONFIG": "write SET key.path=value",
    "CONTEXT": "COPY the file to /agent/knowledge/",
    "MODEL": "write SET config_template.llm.supported_models=…",
    "NAME": "write INTERFACE NAME, and name the image with: agent build -t NAME:TAG",
    "RUNTIME": "write ENTRYPOINT",
}
_OLLAMA: Final = {
    "ADAPTER": "an agent image carries no model weights",
    "LICENSE": "write LABEL org.opencontainers.image.licenses=…",
    "MESSAGE": "COPY examples to /agent/knowledge/",
    "PARAMETER": "write SET config_template.llm.…=value",
    "SYSTEM": "write the prompt as INTERFACE <<EOF … EOF",
    "TEMPLATE": "prompts are COPYed to /agent/knowledge/ or written as INTERFACE",
}
_TOOLS: Final = (
    ("Dockerfiles", _DOCKERFILE),
    ("agentrc's Agentfiles", _AGENTRC),
    ("openotters' Agentfiles", _OPENOTTERS),
    ("Ollama's Modelfiles", _OLLAMA),
)
_SYNTAXES: Final = (
    ("docker/sandbox-kit", "a kit of Docker Sandboxes"),
    ("docker/dockerfile", "a Dockerfile"),
    ("agentrc", "an Agentfile of agentrc"),
    ("openotters", "an Agentfile of openotters"),
)


def near_miss(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` is a slip of, if any."""
    from difflib import get_close_matches

    close = get_close_matches(word[:80], sorted(known), n=1, cutoff=0.6)
    return close[0] if close else None


def unknown_instruction(written: str, known: Iterable[str]) -> str:
    """How to go on after a word that is no instruction here."""
    word = written.upper()
    for owner, words in _TOOLS:
        if word in words:
            return f"{word} belongs to {owner}: {words[word]}"
    if any(char.isspace() for char in written):
        return "only ASCII spaces and tabs separate words here"
    if close := near_miss(word, known):
        return f"did you mean {close}?"
    if written.endswith(":"):
        return "this looks like YAML; a definition is built with: agent build -f NAME.agentdef"
    return f"the instructions are {', '.join(known)}"


def foreign_syntax(syntax: str, ours: str) -> str:
    """Whose file it is that begins with `# syntax=…`."""
    if syntax.lower().startswith("agentoci/"):
        return f"this program reads {ours}; use the version of it that the file was written for"
    for start, owner in _SYNTAXES:
        if start in syntax.lower():
            return f"that is {owner}; an Agentfile begins with '# syntax={ours}', or without one"
    return f"the file is written for another tool; write '# syntax={ours}', or remove the line"
