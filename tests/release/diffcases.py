"""Pairs of definitions, and the rules that their changes fall under."""

from __future__ import annotations

from typing import Any

from tests.release.agents import spec

INTERFACE = """\
## Coordinator
I coordinate.

### 输入
- task_description: 任务描述\N{FULLWIDTH LEFT PARENTHESIS}自然语言\N{FULLWIDTH RIGHT PARENTHESIS}
- success_criteria: 成功判定条件

### Output
- `execution_result`: what came of it
- status_report - how it went
"""

TOOL = {"name": "psm", "interface": "PIM -> PSM", "version": ">=1.0", "required": True}

EVERYTHING_BUT_ONE: dict[str, Any] = {
    "metadata": {
        "name": "bot",
        "version": "1.0.0",
        "author": "ada",
        "created": "2024-01-15",
        "tags": ["a", "b"],
        "parent": "base@1.0.0",
        "description": "a bot",
    },
    "spec": {
        "interface": INTERFACE,
        "requires": {
            "tools": [
                TOOL,
                {"name": "files", "mcp": {"command": "serve", "args": ["-x"], "env": {"A": "b"}}},
                {"name": "web", "http": {"url": "https://api.example/v1"}},
                {"name": "later", "required": False, "unheard_of": 1},
            ],
        },
        "knowledge": {"static": ["a.md"], "dynamic": ["b.md"], "principles": ["c.md"]},
        "behavior": {
            "memory": {"level": "SMART", "persistence": True, "max_size": "100MB"},
            "exploration": {"project_exploration": False},
            "execution": {"max_recursion": 100, "retry_strategy": "none"},
        },
        "config_template": {
            "llm": {
                "supported_models": ["gpt-4", "claude-3"],
                "temperature": {"min": 0, "max": 0.2, "default": 0},
                "unheard_of": 1,
            },
            "context_window": {"min": 16000, "recommended": 32000, "max": 128000},
            "api_endpoints": {"openrouter": "https://openrouter.example/api/v1"},
        },
        "constraints": [{"id": "no_loop", "description": "no loop", "validation": "n < 1000"}],
        "invariants": ["keeps order"],
        "unheard_of": {"deep": [1]},
    },
    "permissions": {
        "execution": [{"user": "admin", "actions": ["start", "stop"]}],
        "resource_limits": {"max_memory": "1GB", "max_api_calls_per_hour": 1000},
    },
    "isolation": {"network": "isolated", "filesystem": "sandboxed"},
    "health_check": {"endpoint": "/health", "interval_seconds": 30},
    "metrics": [{"name": "duration", "type": "histogram", "labels": ["agent"]}],
    "logging": {
        "level": "INFO",
        "format": "json",
        "outputs": [{"type": "elasticsearch", "endpoint": "http://logging.example:9200"}],
    },
    "unheard_of": True,
}
"""A definition with something of everything, and keys that no rule knows."""


def interface(text: str | None) -> dict[str, Any]:
    return spec() if text is None else spec(interface=text)


def tools(*listed: dict[str, Any]) -> dict[str, Any]:
    return spec(requires={"tools": list(listed)})


def template(**parts: Any) -> dict[str, Any]:
    return spec(config_template=parts)


def llm(**parts: Any) -> dict[str, Any]:
    return template(llm=parts)


def limits(**parts: str | int) -> dict[str, Any]:
    return {"permissions": {"resource_limits": parts}}


def grants(**users: list[str]) -> dict[str, Any]:
    listed = [{"user": user, "actions": actions} for user, actions in users.items()]
    return {"permissions": {"execution": listed}}


def constraint(**parts: str) -> dict[str, Any]:
    return spec(constraints=[{"id": "c", **parts}])


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, str]]] = {
    # Interface
    "an interface comes": (
        interface(None),
        interface("words"),
        {"interface.text-added": "MINOR"},
    ),
    "an interface goes": (
        interface("words"),
        interface(None),
        {"interface.text-removed": "MAJOR"},
    ),
    "other words": (
        interface(INTERFACE),
        interface(INTERFACE.replace("I coordinate", "I direct")),
        {"interface.reworded": "PATCH"},
    ),
    "an output goes": (
        interface(INTERFACE),
        interface(INTERFACE.replace("- status_report - how it went\n", "")),
        {"interface.reworded": "PATCH", "interface.output-removed status_report": "MAJOR"},
    ),
    "an output comes": (
        interface(INTERFACE),
        interface(INTERFACE + "* **logs**: what was said\n"),
        {"interface.reworded": "PATCH", "interface.output-added logs": "MINOR"},
    ),
    "an input goes": (
        interface(INTERFACE),
        interface(INTERFACE.replace("- success_criteria: 成功判定条件\n", "")),
        {"interface.reworded": "PATCH", "interface.input-removed success_criteria": "MAJOR"},
    ),
    "an input comes": (
        interface(INTERFACE),
        interface(INTERFACE.replace("### Output", "1. deadline\n### Output")),
        {"interface.reworded": "PATCH", "interface.input-added deadline": "MINOR"},
    ),
    "a required input comes": (
        interface(INTERFACE),
        interface(INTERFACE.replace("### Output", "- deadline (required): when\n### Output")),
        {"interface.reworded": "PATCH", "interface.needed-input-added deadline": "MAJOR"},
    ),
    "an input becomes required": (
        interface(INTERFACE),
        interface(INTERFACE.replace("成功判定条件", "成功判定条件, 必填")),
        {
            "interface.reworded": "PATCH",
            "interface.input-became-required success_criteria": "MAJOR",
        },
    ),
    "not required is not required": (
        interface(INTERFACE),
        interface(INTERFACE.replace("成功判定条件", "not required")),
        {"interface.reworded": "PATCH"},
    ),
    "a heading comes": (
        interface(INTERFACE),
        interface(INTERFACE + "\n### Examples\n- none: yet\n"),
        {"interface.reworded": "PATCH", "interface.heading-added Examples": "MINOR"},
    ),
    "what a code block shows is no heading": (
        interface(INTERFACE),
        interface(INTERFACE + "\n```\n### Input\n- x: y\n```\n"),
        {"interface.reworded": "PATCH"},
    ),
    # Tools
    "a required tool comes": (tools(), tools(TOOL), {"tool.required-added psm": "MAJOR"}),
    "a required tool goes": (tools(TOOL), tools(), {"tool.required-removed psm": "MINOR"}),
    "an optional tool comes": (
        tools(),
        tools({**TOOL, "required": False}),
        {"tool.optional-added psm": "MINOR"},
    ),
    "a tool without the key is required": (
        tools(),
        tools({"name": "x"}),
        {"tool.required-added x": "MAJOR"},
    ),
    "a tool becomes required": (
        tools({**TOOL, "required": False}),
        tools(TOOL),
        {"tool.became-required psm": "MAJOR"},
    ),
    "a tool becomes optional": (
        tools(TOOL),
        tools({**TOOL, "required": False}),
        {"tool.became-optional psm": "MINOR"},
    ),
    "a range is wider": (
        tools({**TOOL, "version": ">=1.0,<2"}),
        tools(TOOL),
        {"tool.range-widened psm": "MINOR"},
    ),
    "a range is narrower": (
        tools(TOOL),
        tools({**TOOL, "version": "^1.2"}),
        {"tool.range-narrowed psm": "MAJOR"},
    ),
    "a range is another": (
        tools({**TOOL, "version": "1.x"}),
        tools({**TOOL, "version": "2.x"}),
        {"tool.range-moved psm": "MAJOR"},
    ),
    "a range is written otherwise": (
        tools({**TOOL, "version": "1.0"}),
        tools({**TOOL, "version": "~1.0"}),
        {"tool.range-rewritten psm": "PATCH"},
    ),
    "what a tool is for is said otherwise": (
        tools(TOOL),
        tools({**TOOL, "interface": "PIM to PSM"}),
        {"tool.reworded psm": "PATCH"},
    ),
    "a tool runs another program": (
        tools({"name": "files", "mcp": {"command": "a"}}),
        tools({"name": "files", "mcp": {"command": "b"}}),
        {"tool.target-changed files": "MAJOR"},
    ),
    "a tool speaks to another host": (
        tools({"name": "web", "http": {"url": "https://a.example/x"}}),
        tools({"name": "web", "http": {"url": "https://b.example/x"}}),
        {
            "tool.target-changed web": "MAJOR",
            "egress.added b.example": "MAJOR",
            "egress.removed a.example": "PATCH",
        },
    ),
    "a skill comes from elsewhere": (
        tools({"name": "s", "skill": {"reference": "a/s:1"}}),
        tools({"name": "s", "skill": {"reference": "b/s:1"}}),
        {"tool.skill-changed s": "MINOR"},
    ),
    "a key of a tool that no rule knows": (
        tools(TOOL),
        tools({**TOOL, "unheard_of": 1}),
        {"tool.setting-changed psm": "MINOR"},
    ),
    "what is no address is no host": (
        tools({"name": "web", "http": {"url": "https://[::1"}}),
        tools({"name": "web", "http": {"url": "https://"}}),
        {"tool.target-changed web": "MAJOR"},
    ),
    # Network
    "an endpoint comes": (
        template(api_endpoints={}),
        template(api_endpoints={"a": "https://a.example"}),
        {"endpoint.added a": "MINOR"},
    ),
    "an endpoint is another": (
        template(api_endpoints={"a": "https://a.example"}),
        template(api_endpoints={"a": "https://b.example"}),
        {"endpoint.changed a": "MAJOR"},
    ),
    "logs go to a host": (
        {"logging": {"outputs": [{"type": "stdout"}]}},
        {"logging": {"outputs": [{"type": "elasticsearch", "endpoint": "http://U@L.example:9"}]}},
        {
            "egress.added l.example:9": "MAJOR",
            "log-output.added elasticsearch http://U@L.example:9": "MINOR",
            "log-output.removed stdout": "MINOR",
        },
    ),
    # Models
    "a model comes, another goes": (
        llm(supported_models=["a", "b"]),
        llm(supported_models=["b", "c"]),
        {"model.added c": "MINOR", "model.removed a": "MAJOR"},
    ),
    "any model would do": (
        llm(),
        llm(supported_models=["a"]),
        {"model.list-closed": "MAJOR"},
    ),
    "any model will do": (llm(supported_models=["a"]), llm(), {"model.list-opened": "MINOR"}),
    "another order of models": (
        llm(supported_models=["a", "b"]),
        llm(supported_models=["b", "a"]),
        {"model.reordered": "PATCH"},
    ),
    "temperature wider": (
        llm(temperature={"min": 0, "max": 0.2}),
        llm(temperature={"min": 0, "max": 0.5}),
        {"temperature.widened": "MINOR"},
    ),
    "temperature bounded": (
        llm(),
        llm(temperature={"max": 0.5}),
        {"temperature.narrowed": "MAJOR"},
    ),
    "temperature moved": (
        llm(temperature={"min": 0, "max": 0.2}),
        llm(temperature={"min": 0.1, "max": 0.5}),
        {"temperature.moved": "MAJOR"},
    ),
    "another default": (
        llm(temperature={"default": 0}),
        llm(temperature={"default": 0.1}),
        {"temperature.default-changed": "MINOR"},
    ),
    "0.0 is 0": (llm(temperature={"default": 0}), llm(temperature={"default": 0.0}), {}),
    "more context needed": (
        template(context_window={"min": 16000}),
        template(context_window={"min": 32000}),
        {"context.narrowed": "MAJOR"},
    ),
    "other context recommended": (
        template(context_window={"recommended": 16000}),
        template(context_window={"recommended": 32000}),
        {"context.recommended-changed": "PATCH"},
    ),
    "other context needed": (
        template(context_window={"min": 16000, "max": 32000}),
        template(context_window={"min": 20000, "max": 64000}),
        {"context.moved": "MAJOR"},
    ),
    # Behaviour
    "a setting comes": (
        spec(),
        spec(behavior={"learning": {"enabled": True}}),
        {"behavior.added learning.enabled": "MINOR"},
    ),
    "a setting changes": (
        spec(behavior={"execution": {"max_recursion": 1}}),
        spec(behavior={"execution": {"max_recursion": 2}}),
        {"behavior.changed execution.max_recursion": "MINOR"},
    ),
    "it looks around by itself": (
        spec(),
        spec(behavior={"exploration": {"project_exploration": True}}),
        {"exploration.enabled project_exploration": "MAJOR"},
    ),
    "it says that it does not": (
        spec(),
        spec(behavior={"exploration": {"project_exploration": False}}),
        {"behavior.changed exploration.project_exploration": "MINOR"},
    ),
    # Knowledge
    "principles": (
        spec(knowledge={"principles": ["a.md"], "static": ["x.md"]}),
        spec(knowledge={"principles": ["b.md"], "dynamic": ["x.md"]}),
        {
            "principle.added b.md": "MINOR",
            "principle.removed a.md": "MAJOR",
            "listed-knowledge.added dynamic x.md": "MINOR",
            "listed-knowledge.removed static x.md": "MINOR",
        },
    ),
    # Permissions
    "somebody may do more": (
        grants(ada=["start"]),
        grants(ada=["start", "delete"]),
        {"permission.granted ada: delete": "MAJOR"},
    ),
    "somebody may do less": (
        grants(ada=["start"]),
        grants(ada=[]),
        {"permission.revoked ada: start": "MAJOR"},
    ),
    "a limit goes": (limits(max_memory="1GB"), limits(), {"limit.raised max_memory": "MAJOR"}),
    "a limit is lower": (
        limits(max_memory="1GB"),
        limits(max_memory="512MB"),
        {"limit.lowered max_memory": "MINOR"},
    ),
    "a limit is written otherwise": (limits(max_memory="1GB"), limits(max_memory="1024MB"), {}),
    "isolation is given up": (
        {"isolation": {"network": "isolated"}},
        {"isolation": {"network": "host"}},
        {"isolation.loosened network": "MAJOR"},
    ),
    "isolation is not asked for any more": (
        {"isolation": {"network": "isolated"}},
        {},
        {"isolation.loosened network": "MAJOR"},
    ),
    "isolation is asked for": (
        {},
        {"isolation": {"network": "isolated"}},
        {"isolation.tightened network": "MINOR"},
    ),
    # Constraints
    "a constraint comes": (spec(), constraint(validation="a"), {"constraint.added c": "MINOR"}),
    "a constraint goes": (constraint(validation="a"), spec(), {"constraint.removed c": "MAJOR"}),
    "another validation": (
        constraint(validation="a"),
        constraint(validation="b"),
        {"constraint.changed c": "MAJOR"},
    ),
    "another description": (
        constraint(validation="a", description="x"),
        constraint(validation="a", description="y"),
        {"constraint.reworded c": "PATCH"},
    ),
    "invariants": (
        spec(invariants=["a"]),
        spec(invariants=["b"]),
        {"invariant.added b": "MINOR", "invariant.removed a": "MAJOR"},
    ),
    # Operation
    "a health check comes": (
        {"health_check": {}},
        {"health_check": {"endpoint": "/health"}},
        {"health-check.added": "MINOR"},
    ),
    "a health check is another": (
        {"health_check": {"endpoint": "/health"}},
        {"health_check": {"endpoint": "/healthy"}},
        {"health-check.changed": "PATCH"},
    ),
    "a metric has another type": (
        {"metrics": [{"name": "m", "type": "gauge"}]},
        {"metrics": [{"name": "m", "type": "counter"}]},
        {"metric.changed m": "MAJOR"},
    ),
    "a metric goes": (
        {"metrics": [{"name": "m", "type": "gauge"}]},
        {},
        {"metric.removed m": "MAJOR"},
    ),
    "another log level": (
        {"logging": {"level": "INFO"}},
        {"logging": {"level": "DEBUG"}},
        {"logging.changed level": "PATCH"},
    ),
    # Identity and the rest
    "another name": (
        {"metadata": {"name": "a", "version": "1.0.0"}},
        {"metadata": {"name": "b", "version": "1.0.0"}},
        {"agent.name-changed": "MAJOR"},
    ),
    "version and date alone": (
        {"metadata": {"name": "a", "version": "1.0.0"}},
        {"metadata": {"name": "a", "version": "2.0.0", "created": "2024-01-15"}},
        {"agent.version-changed": "NONE", "agent.created-changed": "NONE"},
    ),
    "another author": (
        {"metadata": {"name": "a", "author": "x"}},
        {"metadata": {"name": "a", "author": "y"}},
        {"agent.metadata-changed author": "PATCH"},
    ),
    "another parent": (
        {"metadata": {"name": "a", "parent": "b@1.0.0"}},
        {"metadata": {"name": "a", "parent": "b@1.1.0"}},
        {"agent.parent-changed": "PATCH"},
    ),
    "more that no rule knows": (
        spec(),
        spec(unheard_of=[]),
        {"setting.added spec.unheard_of": "MINOR"},
    ),
    "what no rule knows": (
        spec(unheard_of={"a": 1}),
        spec(unheard_of={"a": True}),
        {"setting.changed spec.unheard_of.a": "MINOR"},
    ),
    "how a parent was extended": (
        spec(),
        spec(inherit="all", extensions={"tools": {"remove": ["x"]}}),
        {},
    ),
}
