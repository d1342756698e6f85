"""The directory of all instances: create, find, list, remove.

An instance is a folder with its name. It is built in a hidden sibling and renamed, so that half an
instance is never seen; it is renamed away before it is removed, so that half a removal is not
either. Many processes may use one directory at once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from agentoci._internal import liveness
from agentoci._internal.clock import Clock, timestamp
from agentoci._internal.files import remove_tree, sync_folder
from agentoci.errors import AgentociError, Conflict, Denied
from agentoci.instances import record
from agentoci.instances.blank import blank_document
from agentoci.instances.instance import (
    BrokenInstance,
    ImageRef,
    Instance,
    InstanceNotFound,
    InstanceView,
    ProcessEntry,
)
from agentoci.instances.names import check_name, random_name
from agentoci.instances.state import Event, State, WrongState, advance

_FOLDERS: Final = ("memory", "learned", "history", "workspace", "logs")
_NEW: Final = ".new-"
_GONE: Final = ".gone-"
_LOCK_TRIES: Final = 50
"""A supervisor that has recorded the end lets go of its lock within milliseconds."""


class InstanceExists(Conflict):
    """The name is taken."""


class NoRoom(AgentociError):
    """The disk of the instances is full."""


class CannotCreate(Denied):
    """The folder of the instances cannot be written to."""

    def __init__(self, root: Path, cause: OSError) -> None:
        reason = (cause.strerror or str(cause)).lower()
        super().__init__(
            f"{root}: cannot make an instance here: {reason}",
            hint="let AGENTOCI_HOME name a folder that you may write to",
        )


class AmbiguousPrefix(Conflict):
    """Several instances have a uuid that begins so."""


class Instances:
    """All instances under one folder; the folder is made when the first instance is."""

    def __init__(self, root: Path, *, clock: Clock) -> None:
        self._root = root
        self._clock = clock

    def create(
        self,
        name: str | None,
        *,
        populate: Callable[[Path], None],
        image: ImageRef,
        entry: ProcessEntry,
    ) -> Instance:
        """A new instance, whole or not at all; without a name it gets a random one.

        `populate` makes the folder at the path that it is given and fills it with the image's
        content. Raises InvalidName, and InstanceExists before anything is unpacked.
        """
        if name is not None and (self._root / check_name(name)).exists():
            raise self._exists(name)
        with self._building() as temporary:
            populate(temporary / "image")
            for folder in _FOLDERS:
                (temporary / folder).mkdir()
            (temporary / "run").mkdir(mode=0o700)
            record.write_object(f"{temporary}/{record.ENTRY}", entry.document(), mode=0o600)
            return self._settle(temporary, name, image)

    def get(self, name_or_uuid: str) -> Instance:
        """By name, or by the beginning of a uuid that only one instance has.

        Raises InstanceNotFound with the nearest name, or AmbiguousPrefix.
        """
        names = self._names()
        if name_or_uuid in names:
            return self._at(name_or_uuid)
        found = [view for view in self.list() if self._has_prefix(view, name_or_uuid)]
        if len(found) > 1:
            shown = ", ".join(f"{view.name} ({view.uuid[:13]})" for view in found)
            raise AmbiguousPrefix(
                f"{name_or_uuid!r} is the beginning of several instances: {shown}",
                hint="give more digits, or the name",
            )
        if not found:
            raise InstanceNotFound(name_or_uuid, hint=_near_miss(name_or_uuid, names))
        return self._at(found[0].name)

    def list(self) -> list[InstanceView]:
        """All instances, the newest first; one that cannot be read is shown without a state."""
        now = self._clock.now()
        views: list[InstanceView] = []
        for name in self._names():
            try:
                views.append(self._at(name).view(now=now))
            except InstanceNotFound:
                continue  # removed while we looked
            except BrokenInstance:
                views.append(InstanceView(name, "", "", "", "", None, ""))
        return sorted(views, key=lambda view: (view.created, view.name), reverse=True)

    def view(self, instance: Instance) -> InstanceView:
        """How an instance is now; raises BrokenInstance."""
        return instance.view(now=self._clock.now())

    def remove(self, instance: Instance) -> None:
        """Remove it with everything in it; raises WrongState while it runs.

        Processes that a dead supervisor left behind are killed.
        """
        with contextlib.suppress(BrokenInstance):
            state = self.view(instance).state
            if state is not None:
                advance(state, Event.REMOVE, what=instance.name)
        held = self._lock(instance)
        try:
            kill_leftovers(instance)
            gone = self._root / f"{_GONE}{os.getpid()}-{os.urandom(4).hex()}"
            instance.path.rename(gone)
        finally:
            os.close(held)
        sync_folder(self._root)
        remove_tree(gone)

    def _lock(self, instance: Instance) -> int:
        """Keep supervisors away; one that begins or ends at this moment has it for a while."""
        for _ in range(_LOCK_TRIES):
            try:
                held = record.take_lock(str(instance.path))
            except FileNotFoundError:
                raise InstanceNotFound(instance.name) from None
            if held is not None:
                return held
            if instance.is_supervised():
                break
            self._clock.sleep(0.01)
        raise WrongState(State.RUNNING, Event.REMOVE, what=instance.name)

    @contextlib.contextmanager
    def _building(self) -> Iterator[Path]:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            self._sweep()
            temporary = self._root / f"{_NEW}{os.getpid()}-{os.urandom(4).hex()}"
            temporary.mkdir()
        except OSError as exc:
            if exc.errno in (errno.ENOSPC, errno.EDQUOT):
                hint = "remove instances (`agent rm`) or images (`agent prune`)"
                raise NoRoom(f"{self._root}: the disk is full", hint=hint) from exc
            raise CannotCreate(self._root, exc) from exc
        try:
            yield temporary
        except BaseException:
            remove_tree(temporary)
            raise

    def _settle(self, temporary: Path, name: str | None, image: ImageRef) -> Instance:
        """Write the document and give the folder its name."""
        created = timestamp(self._clock.now())
        uuid = _uuid4()
        for attempt in range(100):
            chosen = name or random_name(os.urandom(4 if attempt < 10 else 6))
            document = blank_document(uuid=uuid, name=chosen, created=created, image=image)
            record.write_object(f"{temporary}/{record.DOCUMENT}", document, durable=True)
            (temporary / record.EVENTS).unlink(missing_ok=True)
            record.append_event(
                str(temporary), "created", at=created, image=image.reference, digest=image.digest
            )
            if self._rename(temporary, chosen):
                return self._at(chosen)
            if name is not None:
                break
        raise self._exists(name or "")

    def _rename(self, temporary: Path, name: str) -> bool:
        """Whether the name was free; the folder of an instance is never empty, so none is lost."""
        try:
            temporary.rename(self._root / name)
        except OSError:
            if (self._root / name).exists():
                return False
            raise
        sync_folder(self._root)
        return True

    def _sweep(self) -> None:
        """Remove what creations and removals that were killed have left."""
        for path in self._root.iterdir():
            kind, _, rest = path.name.partition("-")
            if f"{kind}-" not in (_NEW, _GONE):
                continue
            pid = rest.partition("-")[0]
            if not pid.isdigit() or liveness.identity(int(pid)) is None:
                remove_tree(path)

    def _names(self) -> tuple[str, ...]:
        try:
            names = sorted(path.name for path in self._root.iterdir())
        except FileNotFoundError:
            return ()
        return tuple(name for name in names if not name.startswith("."))

    def _at(self, name: str) -> Instance:
        return Instance(name, self._root / name)

    def _has_prefix(self, view: InstanceView, prefix: str) -> bool:
        plain = prefix.lower().replace("-", "")
        return len(plain) >= 1 and view.uuid.replace("-", "").startswith(plain)

    def _exists(self, name: str) -> InstanceExists:
        detail = ""
        with contextlib.suppress(BrokenInstance, InstanceNotFound):
            view = self.view(self._at(name))
            detail = f" ({view.state}, made from {view.image} at {view.created})"
        return InstanceExists(
            f"an instance named {name!r} exists already{detail}",
            hint=f"choose another name, or remove it: agent rm {name}",
        )


def kill_leftovers(instance: Instance) -> bool:
    """Kill the processes of an instance whose supervisor is dead; True when there were some."""
    run = record.read_run(str(instance.path))
    leader, known = run.get("process"), run.get("process_identity")
    if "ended" in run or not isinstance(leader, int) or not isinstance(known, str):
        return False
    return liveness.kill_group(leader, known, signal.SIGKILL)


def _uuid4() -> str:
    """As `uuid.uuid4()`, whose module costs more to import than a listing takes."""
    bits = bytearray(os.urandom(16))
    bits[6] = bits[6] & 0x0F | 0x40
    bits[8] = bits[8] & 0x3F | 0x80
    digits = bits.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _near_miss(name: str, names: Sequence[str]) -> str | None:
    import difflib

    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return "agent ps -a lists all instances" if names else "there are no instances yet"
