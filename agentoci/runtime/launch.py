"""From an instance and its entry to the process to start: arguments and environment.

The image is written for a sandbox, where the agent's home is `/agent`. For a plain process that is
`image/agent` of the instance, so paths under `/agent` are rewritten: the elements of an exec-form
ENTRYPOINT, and the values of the image's ENV (path lists element by element). The command of a
shell-form ENTRYPOINT is left alone; it starts in the home and has `$AGENT_HOME`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agentoci.errors import Invalid
from agentoci.instances.instance import Instance, ProcessEntry
from agentoci.runtime.contract import ProcessSpec

SANDBOX_HOME: Final = "/agent"

_FROM_HOST: Final = ("PATH", "HOME", "LANG", "TZ")
_DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NoEntrypoint(Invalid):
    """The image does not say what to run."""

    def __init__(self, image: str) -> None:
        super().__init__(
            f"{image}: the image has no ENTRYPOINT, so there is nothing to run",
            hint='add ENTRYPOINT ["program", "argument"] to its Agentfile',
        )


class InvalidVariable(Invalid):
    """Not `KEY=VALUE`."""


def check_entrypoint(entry: ProcessEntry, *, image: str) -> None:
    """Raises NoEntrypoint; ask before an instance is made of the image."""
    if not entry.entrypoint:
        raise NoEntrypoint(image)


def process_spec(
    instance: Instance, entry: ProcessEntry, *, image: str, host: Mapping[str, str]
) -> ProcessSpec:
    """The plain process of the instance; raises NoEntrypoint, InvalidVariable."""
    check_entrypoint(entry, image=image)
    home = _home(instance)
    return ProcessSpec(
        [*_rewrite_entrypoint(entry.entrypoint, home), *entry.arguments],
        environment(instance, entry.environment, entry.extra, host=host),
        _place(entry.working_dir, home) if _is_inside(entry.working_dir) else home,
    )


def environment(
    instance: Instance,
    image_env: Sequence[str],
    extra: Sequence[str],
    *,
    host: Mapping[str, str],
) -> dict[str, str]:
    """All variables that the process gets, later ones over earlier ones.

    PATH, HOME, LANG and TZ of the host, nothing else of it (its secrets stay out); the image's
    ENV; what the user adds; and the AGENT_* ones of the contract, which nobody can change.
    """
    home = _home(instance)
    made = {"PATH": _DEFAULT_PATH} | {key: host[key] for key in _FROM_HOST if key in host}
    for key, value in map(_split, image_env):
        made[key] = ":".join(_place(part, home) for part in value.split(":"))
    made.update(map(_split, extra))
    return made | {
        "AGENT_HOME": home,
        "AGENT_MEMORY": str(instance.memory),
        "AGENT_LEARNED": str(instance.learned),
        "AGENT_HISTORY": str(instance.history),
        "AGENT_WORKSPACE": str(instance.workspace),
        "AGENT_INSTANCE": instance.name,
        "AGENT_RUN": str(instance.run),
    }


def _home(instance: Instance) -> str:
    return str(instance.image / "agent")


def _rewrite_entrypoint(entrypoint: Sequence[str], home: str) -> list[str]:
    if tuple(entrypoint[:2]) == ("/bin/sh", "-c"):
        return list(entrypoint)
    return [_place(element, home) for element in entrypoint]


def _is_inside(path: str) -> bool:
    return path == SANDBOX_HOME or path.startswith(f"{SANDBOX_HOME}/")


def _place(path: str, home: str) -> str:
    return home + path[len(SANDBOX_HOME) :] if _is_inside(path) else path


def _split(variable: str) -> tuple[str, str]:
    key, equals, value = variable.partition("=")
    if not key or not equals or "\0" in variable:
        raise InvalidVariable(f"{variable!r} is not a variable", hint="write KEY=VALUE")
    return key, value
