"""Files as other tools' users write them, and definitions to export."""

from __future__ import annotations

from pathlib import Path

INPUTS = Path(__file__).parent / "inputs"
SKILLS = sorted(path for path in (INPUTS / "skills").iterdir() if path.is_dir())
DOCKER = sorted((INPUTS / "docker").glob("*.yaml"))

TRANSLATOR = """\
apiVersion: agent/v1
kind: AgentDefinition
metadata:
  name: doc_translator
  version: 2.1.0
  author: docs-team
  description: Translates documentation and keeps its code samples
  tags: [translation, docs]
spec:
  interface: |
    # Translator

    Translates Markdown from one language to another.
  requires:
    tools:
      - name: glossary
        interface: Looks up terms
        mcp:
          command: [npx, -y, glossary-mcp]
          env: {GLOSSARY_TOKEN: "env:GLOSSARY_TOKEN"}
      - name: reviewer
        interface: Reads translations again
        version: ">=1.0"
  knowledge:
    principles: [style.md]
  behavior:
    memory: {level: BASIC, persistence: true}
  config_template:
    llm:
      supported_models: [anthropic/claude-sonnet-4-0]
      temperature: {default: 0.1}
  invariants: [Never translate code]
"""

TRANSLATOR_AGENTFILE = """\
FROM scratch
DEFINITION doc_translator.agentdef
COPY style.md /agent/knowledge/
LABEL io.modelcontextprotocol.server.name=io.github.example/translator
LABEL org.opencontainers.image.url=https://example.com/translator
LABEL org.opencontainers.image.source=https://github.com/example/translator
LABEL org.opencontainers.image.licenses=Apache-2.0
ENTRYPOINT ["python3", "/agent/serve.py"]
"""


def write_translator(folder: Path) -> Path:
    """The context of an agent that has something of everything."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "doc_translator.agentdef").write_text(TRANSLATOR)
    (folder / "Agentfile").write_text(TRANSLATOR_AGENTFILE)
    (folder / "style.md").write_text("Short sentences.\n")
    return folder
