"""Secrets, hidden characters and injected prompts in everything that goes into the image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Final, NamedTuple

from agentoci._internal.limits import MIB
from agentoci.agentfile import Arg, Interface
from agentoci.errors import Fault
from agentoci.lint.subject import Subject
from agentoci.scan.content import scan_content
from agentoci.scan.findings import Finding as Found
from agentoci.scan.findings import Kind
from agentoci.scan.names import name_finding

_KNOWLEDGE: Final = "agent/knowledge/"
_IF_NONE: Final = "remove it and revoke it; if it is none: --allow-secret {}"


class Candidate(NamedTuple):
    """A file to look at: relative to the context, where it is, and what it is read for."""

    path: str
    where: str
    kind: Kind


class Seen(NamedTuple):
    """One finding of the scan, and the line that it is on."""

    found: Found
    line: str


def check(subject: Subject) -> None:
    """Scan what is copied, the Agentfile, definitions, interface files and build arguments."""
    for seen in scan_all(list(candidates(subject))):
        _report(subject, seen)
    _build_args(subject)


def candidates(subject: Subject) -> Iterator[Candidate]:
    """Everything to scan, once each; what a model reads is read as text."""
    own = {subject.file: subject.path.as_posix()}
    own |= {subject.shown(path): subject.context.locate(path) for path in _texts(subject)}
    for where in own.values():
        yield Candidate(_relative(subject, where), where, Kind.TEXT)
    seen = set(own)
    files = [*(copied.file for copied in subject.copied), *subject.required]
    for file in files:
        origin = file.origin
        if origin is None or not origin.is_regular or subject.shown(origin.path) in seen:
            continue
        seen.add(subject.shown(origin.path))
        kind = Kind.TEXT if file.entry.path.startswith(_KNOWLEDGE) else Kind.FILE
        yield Candidate(origin.path, subject.context.locate(origin.path), kind)


def _build_args(subject: Subject) -> None:
    """Values that were given, as a build scans them; told where their ARG is."""
    agentfile = subject.agentfile
    if agentfile is None:
        return
    declared = [*agentfile.global_args]
    for stage in agentfile.stages:
        declared += [each for each in stage.instructions if isinstance(each, Arg)]
    places = {each.name: each.place for each in reversed(declared)}
    for name, value in subject.options.build_args.items():
        content = f"{name}={value}".encode("utf-8", "surrogateescape")
        for found in scan_content(f"--build-arg {name}", content):
            if found.is_secret and found.id not in subject.options.allowed_secrets:
                fault = subject.at_instruction(
                    places.get(name, agentfile.final.place),
                    f"{found.message} is given by --build-arg {name}",
                    hint=_IF_NONE.format(found.id),
                )
                subject.add(found.rule, fault, secret=found.id)


def _texts(subject: Subject) -> Iterator[str]:
    """Definitions, and files that INTERFACE names."""
    yield from subject.definitions
    yield from subject.others
    yield from subject.unread
    for stage in subject.agentfile.stages if subject.agentfile else ():
        for instruction in stage.instructions:
            if isinstance(instruction, Interface) and instruction.kind == "file":
                found = subject.context.lookup(instruction.value)
                if found is not None and found.is_regular:
                    yield instruction.value


def _relative(subject: Subject, where: str) -> str:
    path, root = Path(where).absolute(), subject.context.root.absolute()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def scan_all(files: Sequence[Candidate]) -> Iterable[Seen]:
    """What a scan finds in the files, in their order."""
    for candidate in files:
        yield from scan_candidate(candidate)


def scan_candidate(candidate: Candidate) -> list[Seen]:
    """What is found in one file; of one that cannot be read the build says so."""
    found: list[Found] = []
    if (named := name_finding(candidate.path)) is not None:
        found.append(named)
    try:
        with Path(candidate.where).open("rb") as stream:
            first = stream.read(MIB)
            pieces: Iterable[bytes] | bytes = first
            if len(first) == MIB:
                pieces = _pieces(first, stream)
            found += scan_content(candidate.path, pieces, kind=candidate.kind)
    except OSError:
        return [Seen(each, "") for each in found]
    return [Seen(each, _line(first, each)) for each in found]


def _pieces(first: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    yield first
    while piece := stream.read(MIB):
        yield piece


def _line(content: bytes, found: Found) -> str:
    """The line of a finding, when it is near the start; never that of a secret."""
    if found.is_secret:
        return ""
    lines = content.decode("utf-8", "replace").split("\n", found.line)
    return lines[found.line - 1].rstrip("\r") if found.line <= len(lines) else ""


def _report(subject: Subject, seen: Seen) -> None:
    found = seen.found
    if found.id in subject.options.allowed_secrets:
        return
    hint = "remove it; what a model reads should say what its reader sees"
    if found.is_secret:
        hint = _IF_NONE.format(found.id)
    if found.again:
        hint = f"{found.again}; {hint}"
    fault = Fault(
        subject.shown(found.path),
        found.line,
        found.column,
        found.message,  # without the other places, which move with lines
        text=seen.line,
        width=found.width,
        hint=hint,
    )
    subject.add(found.rule, fault, secret=found.id if found.is_secret else "")
