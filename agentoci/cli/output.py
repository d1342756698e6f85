"""What the command line prints: results on stdout, talk on stderr."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import IO, TYPE_CHECKING, Final, NoReturn

from agentoci.errors import AgentociError, Denied, NotFound

if TYPE_CHECKING:
    from pathlib import Path

_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_AGES: Final = ((86400 * 365, "year"), (86400 * 30, "month"), (86400 * 7, "week"), (86400, "day"))
_UNSHOWN: Final = "\N{REPLACEMENT CHARACTER}"
_SHORT_AGES: Final = ((3600, "hour"), (60, "minute"), (1, "second"))


INTERRUPTED: Final = 130
READER_GONE: Final = 141
"""Exit codes as a shell gives them for SIGINT and SIGPIPE."""


def result(text: object) -> None:
    """A line of result."""
    print(_one_line(str(text)))


def document(value: object) -> None:
    """A JSON document, indented; what could steer a terminal is escaped."""
    import json

    lines = json.dumps(value, indent=2, ensure_ascii=False).split("\n")
    print("\n".join(line if line.isprintable() else _escaped(line) for line in lines))


def _escaped(line: str) -> str:
    import json

    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


@contextlib.contextmanager
def writing(target: Path | None) -> Iterator[IO[bytes]]:
    """A file, which appears when the block ends well, or stdout; raises NotFound for its folder."""
    if target is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    from agentoci.api.files import replacing

    if not target.absolute().parent.is_dir():
        raise NotFound(f"{target.parent}: no such folder")
    with replacing(target.absolute()) as stream:
        yield stream


def talk(text: str) -> None:
    """A line for the person who watches: what an image calls itself must not look like another."""
    _say(_one_line(text))


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")  # one write: lines of several threads stay whole
    sys.stderr.flush()


def tags_of(names: Iterable[str]) -> list[str]:
    """The tags of names as targets keep them: whole ones here, bare tags at a registry."""
    return [tag for tag in map(_tag_of, names) if tag]


def _tag_of(name: str) -> str | None:
    from agentoci.spec.reference import InvalidReference, Reference, is_tag

    if is_tag(name):
        return name
    with contextlib.suppress(InvalidReference):
        if not name.startswith(("sha256:", "sha512:")):
            return Reference.parse(name).tag
    return None


def told(what: str, message: str) -> str:
    """A message that says what it is about, once."""
    return message if what in message else f"{what}: {message}"


def warning(text: str) -> None:
    """Something that the user should know."""
    talk(f"warning: {text}")


def error(message: str, hint: str | None = None, *, lines: bool = False) -> None:
    """What went wrong, and how to mend it; `lines` for a message that shows lines of a file.

    A secret that stands in it, or in a line that it shows, is redacted.
    """
    message, hint = _discreet(message), hint and _discreet(hint)
    _say(clean(f"error: {message}")) if lines else talk(f"error: {message}")
    if hint:
        talk(f"hint: {hint}")


def _discreet(text: str) -> str:
    from agentoci.api.discretion import discreet

    return discreet(text)


def interrupted() -> int:
    """Say so; another Ctrl-C while we leave changes nothing any more."""
    import signal

    with contextlib.suppress(ValueError):  # only the main thread may
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    talk("error: interrupted")  # at once, without loading what looks for secrets
    return INTERRUPTED


def unexpected(exc: Exception) -> int:
    """A fault of ours or of the machine; the traceback is for those who ask for it."""
    if isinstance(exc, OSError):
        name = f"{exc.filename}: " if exc.filename else ""
        error(f"{name}{exc.strerror or exc}")
        denied = exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        return Denied.exit_code if denied else AgentociError.exit_code
    if debugging():
        import traceback

        traceback.print_exception(exc)
    error(f"internal error: {type(exc).__name__}: {exc}", "AGENTOCI_DEBUG=1 shows where")
    return AgentociError.exit_code


def debugging() -> bool:
    """Whether the user asked for tracebacks."""
    from agentoci.config.settings import debugging

    return debugging()


def prepare() -> None:
    """Print what the terminal's encoding lacks as escapes instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def settle(status: int) -> int:
    """Get everything out; a full disk or a reader that is gone makes an error of a success."""
    try:
        print(end="", flush=True)
    except BrokenPipeError:
        _forget_stdout()
        return status or READER_GONE
    except OSError as exc:
        _forget_stdout()
        return status or unexpected(exc)
    return status


def leave(status: int) -> NoReturn:
    """End at once after Ctrl-C, whatever threads still wait for a server."""
    import threading

    if threading.active_count() > 1:
        os._exit(status)
    sys.exit(status)


def _forget_stdout() -> None:
    """Say nothing more when Python closes it."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as their longest cell, three spaces apart."""
    lines = [tuple(header), *(tuple(_one_line(cell) for cell in row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    form = "   ".join(f"{{:<{width}}}" for width in widths)
    print("\n".join(form.format(*line).rstrip() for line in lines))


def size(count: int) -> str:
    """Bytes for people, in powers of 1000: `34.1 kB`."""
    value = float(count)
    for unit in _UNITS[:-1]:
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} {_UNITS[-1]}"


def counted(number: int, noun: str) -> str:
    """`1 request`, `2 requests`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def age(stamp: str, now: datetime) -> str:
    """How long ago an RFC 3339 time was: `3 minutes ago`."""
    try:
        seconds = (now - datetime.fromisoformat(stamp)).total_seconds()
    except (ValueError, TypeError):
        return ""
    return f"{duration(seconds)} ago"


def duration(seconds: float) -> str:
    """A time span in its largest unit."""
    for length, unit in (*_AGES, *_SHORT_AGES):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a second"


def clean(text: str) -> str:
    """Without control characters: what images say of themselves must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def _one_line(text: str) -> str:
    """Cleaned, and without line ends and tabs: a name must not look like a row of its own."""
    return clean(text if text.isprintable() else " ".join(text.split("\n")).replace("\t", " "))


def lines(text: str) -> None:
    """Several lines of result, such as a fault with the source line that it is drawn under."""
    print(clean(text))


def log_line(text: str, stream: str, *, end: str) -> None:
    """What an agent said, on the stream where it said it."""
    print(text, end=end, file=sys.stderr if stream == "stderr" else sys.stdout, flush=True)


def script(text: str) -> None:
    """A script as it is."""
    print(text)
