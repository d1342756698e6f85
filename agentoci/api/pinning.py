"""The pins of a lock as a build takes them, read without what checks a lock.

A build that only repeats an earlier one needs no more: what was recorded under these pins was made
after the lock had been checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agentoci._internal import files, limits
from agentoci.builder.finding import find_lock
from agentoci.builder.options import BuildOptions, Pins
from agentoci.errors import AgentociError
from agentoci.release.lock import Lock, PinKind
from agentoci.spec.jsonio import Json
from agentoci.spec.reference import Reference

__all__ = ["lock_path", "pinned_text", "pins_of", "read_pins"]


def lock_path(context: Path, options: BuildOptions) -> Path:
    """Where the lock of a build is: beside the Agentfile."""
    return find_lock(context, options.file)


def pinned_text(reference: str, digest: str) -> str:
    """`HOST/NAME@DIGEST`: how a pin's image is found here, or pulled; raises InvalidReference."""
    return f"{Reference.parse(reference).name}@{digest}"


def pins_of(lock: Lock) -> Pins:
    """The pins of a checked lock."""
    return _gathered(
        {
            "kind": pin.kind.value,
            "name": pin.name,
            "version": pin.version,
            "reference": pin.reference,
            "digest": str(pin.digest),
        }
        for pin in lock.pins
    )


def read_pins(path: Path) -> Pins | None:
    """The pins of a file; None when it is missing, or no lock that was checked before."""
    try:
        content = files.read_regular(path, limits.MAX_DEFINITION_BYTES)
        return _gathered(json.loads(content)["pins"])
    except (
        *(AgentociError, OSError, ValueError, KeyError, TypeError),
        *(AttributeError, RecursionError),
    ):
        return None


def _gathered(pins: Iterable[dict[str, Any]]) -> Pins:
    images: dict[str, str] = {}
    requirements: dict[str, dict[str, Json]] = {}
    for pin in pins:
        if pin["kind"] == PinKind.IMAGE.value:
            images[str(pin["name"])] = pinned_text(pin["reference"], pin["digest"])
        else:
            made = {key: str(pin[key]) for key in ("digest", "reference")}
            version = pin.get("version")
            requirements[str(pin["name"])] = made | ({"version": version} if version else {})
    return Pins(images, requirements)
