"""Instances: create, run, start, stop, logs, remove."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentoci._internal import limits
from agentoci.errors import Integrity, Invalid
from agentoci.instances.instance import ImageRef, Instance, InstanceView, ProcessEntry
from agentoci.spec.jsonio import InvalidJson, canonical, loads

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.runtime.logreader import LogLine
    from agentoci.store.images import Image


class ContradictingLayer(Integrity):
    """A layer holds another definition than the config, which is the truth."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the user says about an instance: its name, arguments, and `KEY=VALUE` variables."""

    name: str | None = None
    arguments: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()


class Runs:
    """Verbs on instances."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, text: str, options: RunOptions | None = None) -> Instance:
        """Unpack an image (pulled when it is not here) into a new instance; nothing runs yet.

        Raises ImageNotFound, NotAnAgent, InstanceExists, and Integrity for hostile layers.
        """
        return self._create(text, self._image(text), options or RunOptions())

    def _create(self, text: str, image: Image, options: RunOptions) -> Instance:
        config = image.config
        return self._engine.instance_directory.create(
            options.name,
            populate=lambda folder: self._unpack(image, folder),
            image=_image_ref(text, image),
            entry=ProcessEntry(
                config.entrypoint,
                options.arguments,
                config.env,
                options.environment,
                config.working_dir,
            ),
        )

    def run_detached(self, text: str, options: RunOptions | None = None) -> Instance:
        """Create an instance and start it under a supervisor; raises NoEntrypoint and others."""
        instance = self._create(text, self._runnable(text), options or RunOptions())
        self.start(instance)
        return instance

    def run_attached(
        self, text: str, options: RunOptions | None = None, *, terminal: bool
    ) -> tuple[Instance, int]:
        """Create an instance, run it to its end; returns it and the exit code."""
        from agentoci.runtime import verbs

        instance = self._create(text, self._runnable(text), options or RunOptions())
        status = verbs.run(
            instance,
            host=self._engine.settings.environment,
            clock=self._engine.clock,
            terminal=terminal,
        )
        return instance, status

    def start(self, instance: Instance) -> int:
        """Start it detached; returns the pid of its process. Raises WrongState when it runs."""
        from agentoci.runtime import verbs

        return verbs.start(
            instance, host=self._engine.settings.environment, clock=self._engine.clock
        )

    def stop(self, instance: Instance, *, grace_seconds: float = 10) -> int | None:
        """End its process group, by force after the grace; returns the exit code if known."""
        from agentoci.runtime import verbs

        return verbs.stop(instance, clock=self._engine.clock, grace_seconds=grace_seconds)

    def remove(self, instance: Instance, *, force: bool = False) -> None:
        """Remove an instance with all it holds; raises WrongState while it runs."""
        from agentoci.runtime import verbs

        verbs.remove(
            self._engine.instance_directory, instance, clock=self._engine.clock, force=force
        )

    def logs(
        self, instance: Instance, *, follow: bool = False, tail: int | None = None
    ) -> Iterator[LogLine]:
        """What its process said, oldest first."""
        from agentoci.runtime import verbs

        return verbs.logs(instance, clock=self._engine.clock, follow=follow, tail=tail)

    def get(self, name: str) -> Instance:
        """By name or beginning of the uuid; raises InstanceNotFound."""
        return self._engine.instance_directory.get(name)

    def list(self, *, stopped_too: bool = False) -> list[InstanceView]:
        """Instances, the newest first; the running ones unless `stopped_too`."""
        from agentoci.instances.state import LIVE

        views = self._engine.instance_directory.list()
        return [view for view in views if stopped_too or view.state in LIVE]

    def _image(self, text: str) -> Image:
        from agentoci.store.images import read_image

        desc = self._engine.transfers.ensure(text)
        return read_image(self._engine.store, desc, what=text)

    def _runnable(self, text: str) -> Image:
        """An image with an ENTRYPOINT; one without is refused before an instance is left behind."""
        from agentoci.runtime.launch import NoEntrypoint

        image = self._image(text)
        if not image.config.entrypoint:
            raise NoEntrypoint(text)
        return image

    def _unpack(self, image: Image, folder: Path) -> None:
        from agentoci.layers.unpack import unpack_image

        store = self._engine.store
        unpack_image(image.packed_layers(store), folder, inventory=image.inventory(store))
        _check_definition(image, folder / "agent" / "definition.json")


def _image_ref(text: str, image: Image) -> ImageRef:
    requirements = image.config.agentoci.get("requirements")
    listed = requirements if isinstance(requirements, list) else []
    tools = tuple(str(r["name"]) for r in listed if isinstance(r, dict) and "name" in r)
    return ImageRef(text, str(image.root.digest), f"{image.name}@{image.version}", tools)


def _check_definition(image: Image, path: Path) -> None:
    """The config is the truth; a layer that says otherwise is refused."""
    try:
        raw = path.read_bytes()
        found = loads(raw, what=str(path), limit=limits.MAX_CONFIG_BYTES)
    except (OSError, InvalidJson) as exc:
        raise ContradictingLayer(f"{image.root.digest}: no readable definition.json") from exc
    if canonical(found) != canonical(image.definition):
        raise ContradictingLayer(
            f"{image.root.digest}: definition.json in the layers is not the one of the config",
            hint="do not trust the image; ask whoever pushed it",
        )


def check_environment(texts: tuple[str, ...]) -> tuple[str, ...]:
    """`KEY=VALUE` strings as given by the user; raises Invalid."""
    for text in texts:
        key, equals, _ = text.partition("=")
        if not equals or not key.isidentifier():
            raise Invalid(f"{text!r} is not KEY=VALUE")
    return texts


__all__ = ["Instance", "InstanceView", "RunOptions", "Runs", "check_environment"]
