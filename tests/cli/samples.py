"""Contexts that tests build from, the specification's own among them."""

from __future__ import annotations

import shutil
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"

SPEC_AGENTFILE = """\
# Agentfile (类似Dockerfile)
FROM base_agent:latest

# 添加知识层
COPY knowledge/workflow/*.md /agent/knowledge/
COPY knowledge/patterns/*.md /agent/knowledge/

# 设置工具依赖
REQUIRE psm_generator:1.0
REQUIRE code_generator:1.0

# 配置行为
SET memory.level=SMART
SET learning.enabled=true

# 定义接口
INTERFACE coordinator_agent

# 构建镜像
# agent build -t coordinator:1.0 .
"""
"""As the specification writes it, comments included."""

TALKER = """\
FROM scratch
COPY talk.sh /agent/tools/talk.sh
COPY notes.md /agent/knowledge/notes.md
INTERFACE talker
LABEL org.opencontainers.image.version=2.1.0
ENV GREETING="hello there"
ENTRYPOINT ["/bin/sh", "/agent/tools/talk.sh"]
"""

TALK = """\
echo "$GREETING from $AGENT_INSTANCE, arguments:$(printf ' <%s>' "$@")"
echo "and this is stderr" >&2
echo run >>"$AGENT_MEMORY/runs"
case "${1:-}" in
    --code) exit "$2" ;;
    --sleep)
        trap 'exit 130' INT
        sleep "$2" &
        echo sleeping >"$AGENT_WORKSPACE/state"
        wait
        ;;
esac
"""

MUTE = "FROM scratch\nCOPY notes.md /agent/knowledge/\nINTERFACE mute\n"


def write_coordinator(folder: Path) -> Path:
    """The specification's context."""
    knowledge = EXAMPLES / "coordinator" / "knowledge"
    shutil.copytree(knowledge, folder / "knowledge")
    (folder / "Agentfile").write_text(SPEC_AGENTFILE, encoding="utf-8")
    return folder


def write_talker(folder: Path) -> Path:
    """An agent that says what it was given, ends as it is told to and remembers its runs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Agentfile").write_text(TALKER)
    (folder / "talk.sh").write_text(TALK)
    (folder / "notes.md").write_text("Talk is cheap.\n")
    return folder


def write_mute(folder: Path) -> Path:
    """An agent without an ENTRYPOINT."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Agentfile").write_text(MUTE)
    (folder / "notes.md").write_text("Silence is golden.\n")
    return folder
