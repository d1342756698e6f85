"""Definitions for the tests: the architecture's examples, in full and as small as can be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from agentoci.spec.jsonio import Json

SPEC_FOLDER = Path(__file__).resolve().parents[3] / "shared" / "spec"
"""The architecture's text, where a checkout lies beside it."""

MINIMAL = """\
apiVersion: agent/v1
kind: AgentDefinition
metadata:
  name: coordinator_agent
  version: 1.0.0
spec:
  interface: coordinates
"""

FULL = """\
# coordinator.agentdef
apiVersion: agent/v1
kind: AgentDefinition
metadata:
  name: coordinator_agent
  version: 1.0.0
  author: system
  created: 2024-01-15
  tags: [coordinator, workflow, zero-knowledge]
  description: 协调复杂的工作流

spec:
  interface: |
    ## 零知识协调器
    - task_description: 任务描述 (自然语言)
  requires:
    tools:
      - name: psm_generation_agent
        interface: "PIM -> PSM转换"
        version: ">=1.0"
        required: true

      - name: debug_agent
        interface: "测试修复"
        version: "*"
        required: false
  knowledge:
    static:  # of the type
      - workflow/coordination_patterns.md
    dynamic:
      - extracted_knowledge.md
    principles:
      - zero_knowledge_pattern.md
  behavior:
    memory:
      level: SMART  # NONE | BASIC | SMART
      persistence: true
      max_size: 100MB
    learning:
      enabled: true
      knowledge_extraction: true
      knowledge_compression: true
    exploration:
      project_exploration: false
      environment_discovery: false
    execution:
      max_recursion: 100
      timeout_seconds: 3600
      retry_strategy: exponential_backoff
      enable_parallel: true
      max_parallel_tasks: 5
  config_template:
    llm:
      supported_models:
        - gemini-2.5-pro
        - gpt-4
      temperature:
        min: 0
        max: 0.2
        default: 0
    context_window:
      min: 16000
      recommended: 32000
      max: 128000
    api_endpoints:
      openrouter: "https://openrouter.ai/api/v1"
  constraints:
    - id: no_infinite_loop
      description: "必须避免无限循环"
      validation: "max_iterations < 1000"
    - id: no_file_deletion
      description: "不能删除用户文件"
      validation: "!uses_rm_command"
  invariants:
    - "保持工作目录整洁"
permissions:
  execution:
    - user: admin
      actions: [create, start, stop, delete]
    - user: viewer
      actions: [read]
  resource_limits:
    max_memory: 1GB
    max_disk: 10GB
    max_api_calls_per_hour: 1000
isolation:
  network: isolated
  filesystem: sandboxed
  process: containerized
  resource: cgroup_limited
health_check:
  endpoint: /health
  interval_seconds: 30
  timeout_seconds: 5
  healthy_threshold: 2
  unhealthy_threshold: 3
metrics:
  - name: agent_task_duration
    type: histogram
    labels: [agent_name, task_type]
  - name: agent_success_rate
    type: gauge
    labels: [agent_name]
logging:
  level: INFO
  format: json
  outputs:
    - type: file
      path: /var/log/agents/coordinator.log
    - type: elasticsearch
      endpoint: http://logging:9200
"""

CHILD = """\
apiVersion: agent/v1
kind: AgentDefinition
metadata:
  name: advanced_coordinator_agent
  version: 1.0.0
  parent: coordinator_agent@1.0.0  # 继承父定义

spec:
  inherit: all  # 继承所有能力
  extensions:
    tools:
      add:
        - name: performance_monitor
          interface: "性能监控"
      remove: [debug_agent]
    knowledge:
      add:
        - advanced/parallel_execution.md
      remove: [extracted_knowledge.md]
    behavior:
      override:
        execution:
          enable_parallel: true
          max_parallel_tasks: 5
    constraints:
      add:
        - id: bounded
          validation: "max_iterations < 10"
    invariants:
      add: [日志齐全]
"""


def minimal_with(*lines: str) -> str:
    """The minimal definition with lines added at its end."""
    return MINIMAL + "".join(f"{line}\n" for line in lines)


def written_definitions() -> Iterator[str]:
    """The YAML definitions that the architecture shows, as written there."""
    for block in _blocks("yaml"):
        if "kind: AgentDefinition" in block:
            yield block


def written_top_level_blocks() -> Iterator[dict[str, Json]]:
    """The blocks beside `spec` that the architecture shows, each as the mapping it stands in."""
    names = ("isolation", "health_check", "logging")
    for block in _blocks("json"):
        document = json.loads(block)
        if isinstance(document, dict) and set(document) <= set(names):
            yield document


def written_yaml_blocks() -> Iterator[str]:
    """The YAML blocks beside `spec` (permissions, metrics), as written there."""
    for block in _blocks("yaml"):
        if block.startswith(("permissions:", "metrics:")):
            yield block


def _blocks(language: str) -> Iterator[str]:
    for path in sorted(SPEC_FOLDER.glob("*.txt")):
        yield from re.findall(rf"```{language}\n(.*?)```", path.read_text("utf-8"), re.DOTALL)
