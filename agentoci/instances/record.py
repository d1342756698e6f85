# ruff: noqa: PTH105, PTH108, PTH123
"""The small files of an instance, read and written raw.

`instance.json` is the document; `run/state.json` is what only the runtime needs (pids, exit code);
`history/events.jsonl` says what happened. Imports `os`, `json` and `fcntl` only and takes paths as
strings: one supervisor per instance pays for what is imported here.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping

from agentoci._internal import liveness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agentoci.spec.jsonio import Json

DOCUMENT = "instance.json"
RUN_STATE = "run/state.json"
ENTRY = "run/entry.json"
GRACE = "run/grace"
EVENTS = "history/events.jsonl"
DOCUMENT_LOCK = "run/document.lock"
SUPERVISOR_LOCK = "run/supervisor.lock"


def read_object(path: str) -> dict[str, Json]:
    """The JSON object in a file; raises OSError, ValueError."""
    with open(path, "rb") as stream:
        document = json.loads(stream.read())
    if not isinstance(document, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004 - all bad content is one error
    return document


def write_object(
    path: str, document: Mapping[str, Json], *, mode: int = 0o644, durable: bool = False
) -> None:
    """Replace the file as a whole; `durable` waits until the disk has it.

    Only one process may write a path at a time: each has its lock.
    """
    content = (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode(
        "utf-8", "surrogateescape"
    )
    folder, _, name = path.rpartition("/")
    temporary = f"{folder}/.{name}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
            if durable:
                stream.flush()
                os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def update_status(directory: str, changes: Mapping[str, Json]) -> None:
    """Change fields of the document's `status`, under the instance's lock."""
    with _locked(f"{directory}/{DOCUMENT_LOCK}"):
        document = read_object(f"{directory}/{DOCUMENT}")
        status = document.get("status")
        document["status"] = {**(status if isinstance(status, dict) else {}), **changes}
        write_object(f"{directory}/{DOCUMENT}", document, durable=True)


def append_event(directory: str, event: str, *, at: str, **details: Json) -> None:
    """Add one line to the history; lines of several writers do not mix."""
    line = json.dumps({"time": at, "event": event, **details}, ensure_ascii=False) + "\n"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(f"{directory}/{EVENTS}", flags, 0o644)
    try:
        os.write(descriptor, line.encode("utf-8", "surrogateescape"))
    finally:
        os.close(descriptor)


def read_run(directory: str) -> dict[str, Json]:
    """What the last supervisor wrote; empty when there was none or a crash cut the file."""
    try:
        return read_object(f"{directory}/{RUN_STATE}")
    except (OSError, ValueError):
        return {}


def is_supervised(run: Mapping[str, Json]) -> bool:
    """Whether the supervisor that wrote this still has work to do."""
    pid, known = run.get("supervisor"), run.get("supervisor_identity")
    if "ended" in run or not isinstance(pid, int) or not isinstance(known, str):
        return False
    return liveness.is_alive(pid, known)


def take_lock(directory: str) -> int | None:
    """The supervisor's lock as an open file, None when someone has it; close it to let go."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(f"{directory}/{SUPERVISOR_LOCK}", flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def spell_time(seconds: float, *, millis: bool = False) -> str:
    """RFC 3339 in UTC of a time of day."""
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{text}.{int(seconds * 1000) % 1000:03d}Z" if millis else f"{text}Z"


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
