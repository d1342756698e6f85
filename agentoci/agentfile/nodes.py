"""What an Agentfile says, as values.

Two nodes are equal when they mean the same: places and the text as written do not count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from agentoci.agentfile.places import Place, fault_at
from agentoci.definition.toolkinds import ToolKind
from agentoci.errors import Fault
from agentoci.spec.jsonio import Json

SCRATCH: Final = "scratch"


@dataclass(frozen=True, slots=True)
class Node:
    """`place` is where the instruction starts; `original` is how it was written, on one line."""

    place: Place = field(kw_only=True, compare=False)
    original: str = field(kw_only=True, compare=False)


@dataclass(frozen=True, slots=True)
class Arg(Node):
    """`ARG NAME[=default]`; the value given at build time is not kept here."""

    name: str
    default: str | None


@dataclass(frozen=True, slots=True)
class SourcePath:
    """One source of a COPY: a path or a glob."""

    text: str
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A file written in the Agentfile itself; the name is its file name below a folder."""

    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Copy(Node):
    """`COPY [--from=…] [--chmod=…] SRC... DST`.

    `from_` is as written; `from_stage` is the index of the earlier stage that it names, None when
    it is an image. Several sources always go to a destination that ends in `/`.
    """

    sources: tuple[SourcePath, ...]
    destination: str
    from_: str | None
    chmod: int | None
    heredocs: tuple[Heredoc, ...]
    from_stage: int | None
    destination_place: Place = field(kw_only=True, compare=False)
    from_place: Place | None = field(kw_only=True, compare=False, default=None)


@dataclass(frozen=True, slots=True)
class Require(Node):
    """`REQUIRE name[:version]`, `name@range`, or `kind:source[#item] [AS name]`.

    Of an agent the version is `*` when none was written, and `source` the whole name when that has
    more than one part: `name` is its last part. A tool of another kind has no version; its `source`
    is a URL, a path of the context or a reference. `name` is empty where the file of an `mcp`
    requirement names all its servers itself.
    """

    name: str
    version: str
    optional: bool
    kind: Literal["agent"] | ToolKind = "agent"
    source: str = ""
    item: str | None = None
    name_place: Place = field(kw_only=True, compare=False)


@dataclass(frozen=True, slots=True)
class Set(Node):
    """One `key=value` of a SET: the value as the definition's schema reads it, and its text."""

    key: str
    value: Json
    text: str
    key_place: Place = field(kw_only=True, compare=False)


@dataclass(frozen=True, slots=True)
class Interface(Node):
    """`INTERFACE name`, `INTERFACE path/to/file.md`, or the text itself in a heredoc."""

    kind: Literal["name", "file", "text"]
    value: str
    value_place: Place = field(kw_only=True, compare=False)


@dataclass(frozen=True, slots=True)
class Definition(Node):
    """`DEFINITION file.agentdef`."""

    path: str
    path_place: Place = field(kw_only=True, compare=False)


@dataclass(frozen=True, slots=True)
class Env(Node):
    """`ENV K=V…`, in the order written."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Label(Node):
    """`LABEL K=V…`, in the order written, and where each value stands (made up: nowhere)."""

    pairs: tuple[tuple[str, str], ...]
    value_places: tuple[Place, ...] = field(default=(), kw_only=True, compare=False)


@dataclass(frozen=True, slots=True)
class Entrypoint(Node):
    """`ENTRYPOINT`; the shell form is `/bin/sh -c TEXT`, and `[]` takes the base's away."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Healthcheck(Node):
    """`HEALTHCHECK … CMD …`; `argv` is None for `NONE`, and what was not written is None."""

    argv: tuple[str, ...] | None
    interval_seconds: float | None
    timeout_seconds: float | None
    retries: int | None
    start_period_seconds: float | None


Instruction: TypeAlias = (
    Arg | Copy | Require | Set | Interface | Definition | Env | Label | Entrypoint | Healthcheck
)


@dataclass(frozen=True, slots=True)
class Base:
    """What a stage starts from: an image, `scratch`, or an earlier stage (then `stage` is set)."""

    reference: str
    stage: str | None
    place: Place = field(kw_only=True, compare=False)

    @property
    def is_scratch(self) -> bool:
        """Whether the stage starts from nothing."""
        return self.stage is None and self.reference == SCRATCH


@dataclass(frozen=True, slots=True)
class Stage(Node):
    """A FROM and the instructions that follow it; the last stage is the image."""

    index: int
    name: str | None
    base: Base
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Agentfile:
    """A whole file: at least one stage, every rule of the language kept."""

    file: str = field(compare=False)
    source: tuple[str, ...] = field(compare=False, repr=False)
    global_args: tuple[Arg, ...]
    stages: tuple[Stage, ...]

    @property
    def final(self) -> Stage:
        """The stage that becomes the image."""
        return self.stages[-1]

    def fault(
        self, place: Place, message: str, *, width: int = 1, hint: str | None = None
    ) -> Fault:
        """A fault of this file, for what only a later step can see (a missing source)."""
        return fault_at(self.file, self.source, place, message, width=width, hint=hint)
