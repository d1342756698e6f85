"""agent.lock: resolve what an Agentfile needs, keep it, and see whether it still fits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentoci._internal import files, limits
from agentoci.api.pinning import lock_path
from agentoci.api.resolving import Resolving, place_of
from agentoci.builder.options import BuildOptions
from agentoci.content.protocols import ContentNotFound
from agentoci.errors import Invalid, NotFound
from agentoci.release.drift import Change, LockDrift, changes, drifted
from agentoci.release.lock import Lock, Pin, PinKind
from agentoci.spec.reference import Reference

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

EVERYTHING: Final = "*"
"""In the place of names: all of them."""


class NoLock(LockDrift):
    """There is no lock, and one is asked for: what is needed is not locked."""


class LockUnreadable(Invalid):
    """What is called as the lock is, is no file."""


class NotLocked(NotFound):
    """A name that was given is not in the lock."""


@dataclass(frozen=True, slots=True)
class Locked:
    """What locking did: the lock, what changed, and how many requests registries got.

    `is_written` tells whether the file changed; `unpushed` are the names of what only the local
    store has, so that nobody else can install it.
    """

    path: Path
    lock: Lock
    changes: tuple[Change, ...]
    is_written: bool
    requests: int
    unpushed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Installed:
    """A pin, and whether it had to be pulled."""

    pin: Pin
    is_new: bool


def read_lock(path: Path) -> Lock | None:
    """The lock, None when there is none; raises SourceFaults, LockUnreadable."""
    try:
        content = files.read_regular(path, limits.MAX_DEFINITION_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise LockUnreadable(f"{path}: {exc.strerror}", hint="remove it") from exc
    return Lock.parse(content, file=str(path))


def make_lock(
    engine: Engine,
    context: Path,
    options: BuildOptions,
    *,
    upgrade: Collection[str] = (),
    sources: Sequence[str] = (),
    write: bool = True,
) -> Locked:
    """Resolve and write the lock; pins that fit are kept, except those of the names to upgrade.

    EVERYTHING in `upgrade` keeps none, names want a lock that is there; without `write` the file
    stays as it is. Raises NotLocked, NoLock, RequirementConflict, RequirementNotFound, what
    building raises of bases and definitions, and what registries say.
    """
    before = engine.client.requests if engine.has_client else 0
    path = lock_path(context, options)
    old = (_present(path) if set(upgrade) - {EVERYTHING} else read_lock(path)) or Lock()
    kept = _kept(old, upgrade)
    work = Resolving(engine, context, options, kept, sources, fresh=bool(upgrade))
    made = work.lock()
    content = made.encode()
    is_written = write and (not path.exists() or path.read_bytes() != content)
    if is_written:
        files.write_atomically(path, content)
    return Locked(
        path,
        made,
        tuple(changes(old, made)),
        is_written,
        (engine.client.requests if engine.has_client else 0) - before,
        tuple(pin.name for pin in made.pins if place_of(pin) is not None),
    )


def write_lock(path: Path, lock: Lock) -> None:
    """Keep a lock; a file that says the same already stays as it is, byte by byte."""
    if read_lock(path) != lock:
        files.write_atomically(path, lock.encode())


def check_lock(engine: Engine, context: Path, options: BuildOptions) -> Lock:
    """The lock, if it fits; raises LockDrift with every difference, NoLock."""
    path = lock_path(context, options)
    lock = _present(path)
    Resolving(engine, context, options, lock).check(path)
    return lock


def install(engine: Engine, context: Path, options: BuildOptions) -> list[Installed]:
    """Bring exactly what is locked into the local store; raises LockDrift, NoLock.

    What is here already is not asked for again.
    """
    path = lock_path(context, options)
    lock = _present(path)
    bases = [pin for pin in lock.pins if pin.kind is PinKind.IMAGE]
    others = [pin for pin in lock.pins if pin.kind is not PinKind.IMAGE]
    with engine.writable_store.using():
        done = [_install(engine, pin) for pin in bases]
        Resolving(engine, context, options, lock).check(path)
        done += [_install(engine, pin) for pin in others]
    return done


def fitting_lock(
    engine: Engine,
    context: Path,
    options: BuildOptions,
    *,
    locked: bool,
    sources: Sequence[str],
    warn: Callable[[str], None],
    write: bool = True,
) -> Lock:
    """The lock if it fits; one that does not is made anew, which `warn` is told, unless `locked`.

    Nothing is written here: `write` tells whether the caller is going to, by `write_lock`.
    Raises LockDrift, and what `make_lock` raises.
    """
    path = lock_path(context, options)
    lock = _present(path) if locked else read_lock(path)
    try:
        work = Resolving(engine, context, options, lock or Lock())
        reasons = work.drift(limited=locked)
    except ContentNotFound as exc:  # what is pinned is gone
        if locked:
            raise
        reasons = [exc.message]
    if lock is not None and not reasons:
        return lock
    if locked:
        raise drifted(path, reasons)
    made = make_lock(engine, context, options, sources=sources, write=False)
    warn(f"{path} {'is made anew' if write else 'does not fit'}: {reasons[0]}")
    for change in made.changes:
        warn(f"{path.name}: {change}")
    return made.lock


def _present(path: Path) -> Lock:
    lock = read_lock(path)
    if lock is None:
        raise NoLock(f"{path}: there is no lock", hint="agent lock makes one")
    return lock


def _install(engine: Engine, pin: Pin) -> Installed:
    if pin.reference.startswith("oci:"):
        return Installed(pin, is_new=False)
    reference = Reference.parse(pin.reference)
    pinned = f"{reference.name}@{pin.digest}"
    here = engine.transfers.find_here(pinned)
    if here is None:
        engine.transfers.pull(pinned)
    store = engine.writable_store
    if reference.tag and store.find(reference.tagged) is None:
        desc = engine.images.find(pinned).desc
        store.tag(desc.bare(), reference.tagged)
    return Installed(pin, is_new=here is None)


def _kept(old: Lock, upgrade: Collection[str]) -> Lock:
    """The pins that are to stay; raises NotLocked for a name that no pin has."""
    if EVERYTHING in upgrade:
        return Lock()
    named = {name: [pin for pin in old.pins if _is_called(pin, name)] for name in upgrade}
    for name, found in named.items():
        if not found:
            import difflib

            near = difflib.get_close_matches(name, [pin.name for pin in old.pins], 1)
            hint = f"did you mean {near[0]!r}?" if near else "agent lock --check shows what is"
            if Path(name).is_dir():
                hint = f"{name} is a folder, and a name is meant: agent update -C {name}"
            raise NotLocked(f"{name} is not locked", hint=hint)
    gone = [pin for found in named.values() for pin in found]
    return Lock.of((pin for pin in old.pins if pin not in gone), old.missing)


def _is_called(pin: Pin, name: str) -> bool:
    known = {pin.name, pin.reference}
    if not pin.reference.startswith("oci:"):
        known.add(Reference.parse(pin.reference).name)
    if pin.kind is PinKind.IMAGE:
        known.add(pin.name.rpartition(":")[0])
    return name in known
