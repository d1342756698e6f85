"""Models of a Docker Agent configuration, as a definition's `config_template`."""

from __future__ import annotations

import re
from typing import Final

from agentoci.definition.fields import at
from agentoci.definition.problems import problem_with
from agentoci.interop.imported import put
from agentoci.interop.losses import Losses
from agentoci.interop.taking import Path, Taking, show
from agentoci.spec.jsonio import Json

_TEMPERATURE: Final = "spec.config_template.llm.temperature.default"


class Models:
    """What the agent's `model` and `fallback` mean, written into its document."""

    def __init__(self, taking: Taking, document: dict[str, Json], losses: Losses) -> None:
        self._taking = taking
        self._document = document
        self._losses = losses
        self._found: list[str] = []

    def read(self, agent: Path) -> None:
        """Read them; the first one's settings count."""
        wanted = self._names(agent)
        for name in wanted:
            self._read_one(name, first=not self._found)
        models: list[Json] = list(dict.fromkeys(self._found))
        put(self._document, "spec.config_template.llm.supported_models", models)

    def _names(self, agent: Path) -> list[str]:
        text = self._taking.text(*agent, "model") or ""
        names = [name.strip() for name in text.split(",") if name.strip()]
        if len(names) > 1:
            reason = "one of them is chosen, they do not take turns"
            self._losses.note(show((*agent, "model")), text, reason)
        return [*names, *self._taking.texts(*agent, "fallback", "models")]

    def _read_one(self, name: str, *, first: bool) -> None:
        taking, path = self._taking, ("models", name)
        if taking.peek(*path) is None:
            if name != "auto":
                self._found.append(name)
            return
        for candidate in taking.texts(*path, "first_available"):
            self._read_one(candidate, first=first and not self._found)
        provider = taking.text(*path, "provider") or taking.text(*path, "type")
        model = taking.text(*path, "model")
        if model:
            self._found.append(f"{provider}/{model}" if provider else model)
        if first:
            self._settings(path, provider)

    def _settings(self, path: Path, provider: str | None) -> None:
        taking = self._taking
        own = ("providers", provider) if provider else ()
        self._put_checked(_TEMPERATURE, taking.number(*path, "temperature"), (*path, "temperature"))
        size = taking.number(*path, "provider_opts", "context_size")
        where = (*path, "provider_opts", "context_size")
        self._put_checked("spec.config_template.context_window.recommended", size, where)
        base: Path = path
        if own and taking.peek(*path, "base_url") is None and taking.peek(*own, "base_url"):
            base = own
        url = taking.text(*base, "base_url")
        if url and provider:
            key = re.sub(r"^(?=[\d-])|[^A-Za-z0-9_-]", "_", provider)
            endpoint = f"spec.config_template.api_endpoints.{key}"
            self._put_checked(endpoint, url, (*base, "base_url"))

    def _put_checked(self, key: str, value: Json, path: Path) -> None:
        """Put a value that the definition takes; another one is lost."""
        problem = problem_with((), value, at(tuple(key.split(".")))) if value is not None else None
        if problem is not None:
            self._losses.note(show(path), value, problem.message)
        else:
            put(self._document, key, value)
