"""Agentfiles that the tests share."""

from __future__ import annotations

from typing import Final

from agentoci.errors import Invalid
from agentoci.spec.jsonio import Json

COORDINATOR: Final = """\
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

EVERYTHING: Final = r"""# syntax=agentoci/v1
ARG BASE=registry.example:5000/base_agent
ARG TAG

FROM scratch AS docs
ARG TAG
COPY docs/ "notes (old)/" /agent/knowledge/
COPY <<a.md <<-'b.md' --not-a-flag /agent/knowledge/
Price: \$5 for ${TAG:-nobody}
a.md
	Raw $HOME and \$x
	b.md

FROM ${BASE}:${TAG:-latest} AS Main
ARG TAG=1.0 \
    # comments may stand between
    WHO='the $team'
ENV GREETING="hello \"you\"" \
    PATH_TO=/agent/${TAG}
env LEGACY one  two 'three'
LABEL org.example.team="${WHO}" note=it\'s\ fine
COPY --from=docs --chmod=0755 /agent/knowledge /agent/knowledge/docs
COPY --from=0 ["/agent/a b.md", "/agent/\u00e9/$TAG.md", "/agent/x/"]
COPY --from=tools.example/kit:2 bin/* /agent/tools/
REQUIRE psm_generator:1.0
REQUIRE --optional team/code_generator@">=1.0, <2"
REQUIRE debug@^1.2
REQUIRE any
REQUIRE mcp:conf/mcp.json
REQUIRE --optional "mcp:conf/mcp.json#Files of $WHO" AS files
REQUIRE a2a:https://translator.example/card.json
REQUIRE http:https://api.example/v1 AS api
REQUIRE skill:registry.example:5000/skills/pdf:$TAG
SET memory.level=SMART learning.enabled=true
SET "llm.note"='$5 \ literal'
INTERFACE <<EOF
I am ${WHO}.

EOF
DEFINITION defs/$TAG.agentdef
ENTRYPOINT python3 -m "agent $X" \
  --serve
HEALTHCHECK --interval=1m30s --timeout=500ms --retries=3 --start-period=0s CMD ["check", "\"a\""]
"""


class WrongSetting(Invalid):
    """What the tests' own settings raise."""

    def __init__(self, part: str, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.part = part


def any_setting(key: str, text: str) -> Json:
    """Settings that take every key and value, but for two."""
    if key == "no.such":
        raise WrongSetting("key", "unknown setting 'no.such'", "did you mean 'no.more'?")
    if text == "wrong":
        raise WrongSetting("value", f"{key}: expected right, found 'wrong'")
    return text
