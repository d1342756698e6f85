"""The leaf types of a definition: what a name, a version or a path may look like.

Every check raises by `refused`, so that messages and hints reach the user as written here.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    Strict,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError, core_schema

NAME: Final = r"[a-z0-9][a-z0-9._-]{0,127}"
SEMVER: Final = (
    r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)"
    r"(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
)
_NAME: Final = re.compile(NAME)
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,127}")
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,127}")
_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d))?"
)
_URL: Final = re.compile(r"https?://[^\s/?#@]+(?:[/?#]\S*)?")
MAX_EXPRESSION: Final = 1024
"""Characters of a constraint's expression: it is compiled later, and long ones only cost time."""


def refused(
    message: str, *, hint: str | None = None, at: tuple[str | int, ...] = ()
) -> PydanticCustomError:
    """The error that a check raises: its message and hint are shown as they are.

    `at` leads from the checked value to the part of it that is at fault.
    """
    return PydanticCustomError(
        "definition", "{message}", {"message": message, "hint": hint, "at": at}
    )


class Block(BaseModel):
    """A mapping of a definition: frozen, unknown keys refused, no key without a value.

    A field that was not written is None, or empty; what that means is for whoever acts on it to
    say. `model_fields_set` tells what was written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _has_value(cls, value: object) -> object:
        if value is None:
            raise refused("no value is given", hint="give one, or leave the key out")
        return value


def _text(value: str) -> str:
    if not value.strip():
        raise refused("expected text, found none")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        lower = value.lower().replace(" ", "_")
        hint = f"did you mean '{lower}'?" if lower != value and _NAME.fullmatch(lower) else None
        raise refused(
            f"'{value[:60]}' is not a name",
            hint=hint
            or "lower-case letters, digits, '_', '-' and '.', starting with one of the "
            "first two, at most 128",
        )
    return value


def _version(value: str) -> str:
    import semver

    try:
        semver.Version.parse(value)
    except ValueError:
        padded = ".".join([*value.removeprefix("v").split("."), "0", "0"][:3])
        likely = semver.Version.is_valid(padded)
        raise refused(
            f"'{value[:60]}' is not a full version",
            hint=f"did you mean '{padded}'?" if likely else "MAJOR.MINOR.PATCH, such as 1.0.0",
        ) from None
    return value


def _range(value: str) -> str:
    from agentoci.spec.ranges import InvalidRange
    from agentoci.spec.ranges import VersionRange as Range

    try:
        Range.parse(value)
    except InvalidRange as exc:
        raise refused(exc.message, hint=exc.hint) from None
    return value


def _moment(value: str) -> str:
    if not _MOMENT.fullmatch(value) or not _on_the_calendar(value):
        raise refused(
            f"'{value[:60]}' is not a date",
            hint="such as 2024-01-15 or 2024-01-15T10:00:00Z",
        )
    return value


def _on_the_calendar(value: str) -> bool:
    try:
        dt.datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _inner_path(value: str) -> str:
    if value.startswith("/") or "\\" in value or ".." in value.split("/"):
        raise refused(
            f"'{value[:60]}' leaves the agent's own files",
            hint="a path below the knowledge folder, with '/' and without '..'",
        )
    return value


def _expression(value: str) -> str:
    if len(value) > MAX_EXPRESSION:
        raise refused(f"the expression is longer than {MAX_EXPRESSION} characters")
    return value


def _place_of_health(value: str) -> str:
    if not value.startswith("/") and not _URL.fullmatch(value):
        raise refused(
            f"'{value[:60]}' is not an endpoint", hint="a path such as /health, or an http URL"
        )
    return value


def _number(value: Any) -> float:
    """Keeps integers integers: the document stays as it was written."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("number_type", "expected a number")
    return value


def _temperature(value: float) -> float:
    if not 0 <= value <= 2:
        raise refused(f"{value} is not a temperature", hint="a number from 0 to 2")
    return value


def check_order(*steps: tuple[str, float | None]) -> None:
    """Refuse a range whose given ends are not in this order."""
    given = [(name, value) for name, value in steps if value is not None]
    for (low, less), (high, more) in itertools.pairwise(given):
        if less > more:
            order = " <= ".join(name for name, _ in steps)
            raise refused(
                f"{low} {less} is greater than {high} {more}", hint=f"keep {order}", at=(high,)
            )


def unique(key: str | None = None) -> BeforeValidator:
    """Refuse a list with the same entry twice, or with two entries that share their `key`."""

    def check(value: object) -> object:
        seen: set[str] = set()
        for index, entry in enumerate(value if isinstance(value, list | tuple) else ()):
            name = entry.get(key) if isinstance(entry, dict) else entry
            if not isinstance(name, str):
                continue
            if name in seen:
                at = (index, key) if key else (index,)
                raise refused(f"'{name[:60]}' is in the list twice", at=at)
            seen.add(name)
        return value

    return BeforeValidator(check)


def _spelt(pattern: str) -> Any:
    """The pattern for the JSON Schema; messages come from the checks, which say more."""
    return Field(json_schema_extra={"pattern": pattern})


@dataclass(frozen=True, slots=True)
class Matching:
    """A check of text by a pattern, which the JSON Schema shows as well."""

    pattern: re.Pattern[str]
    kind: str
    allowed: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^{self.pattern.pattern}$"}

    def _check(self, value: str) -> str:
        if not self.pattern.fullmatch(value):
            raise refused(f"'{value[:60]}' is not {self.kind}", hint=self.allowed)
        return value


Text = Annotated[str, AfterValidator(_text), _spelt(r"\S")]
"""Text with something in it."""

Name = Annotated[str, AfterValidator(_name), _spelt(f"^{NAME}$")]
"""The name of an agent, a tool or a user."""

FullVersion = Annotated[str, AfterValidator(_version), _spelt(f"^{SEMVER}$")]
"""A full semantic version, MAJOR.MINOR.PATCH."""

VersionRange = Annotated[str, AfterValidator(_range)]
"""A version, or a range of versions."""

Identifier = Annotated[
    str,
    Matching(
        _IDENTIFIER, "an identifier", "letters, digits, '_' and '-', not starting with a digit"
    ),
]
"""A name that the definition gives within itself: a constraint, an endpoint."""

MetricName = Annotated[
    str,
    Matching(_METRIC, "a metric name", "letters, digits, '_' and ':', not starting with a digit"),
]
LabelName = Annotated[
    str, Matching(_LABEL, "a label name", "letters, digits and '_', not starting with a digit")
]

Moment = Annotated[str, AfterValidator(_moment)]
"""An ISO date, or a date with time and zone; kept as written."""

InnerPath = Annotated[str, AfterValidator(_text), AfterValidator(_inner_path)]
"""A relative path that does not climb out."""

Expression = Annotated[str, AfterValidator(_text), AfterValidator(_expression)]
Url = Annotated[str, Matching(_URL, "an http URL", "https://HOST/PATH, without user or password")]
HealthEndpoint = Annotated[str, AfterValidator(_place_of_health)]
Flag = Annotated[bool, Strict()]
"""true or false; `yes` and `1` are neither."""

Count = Annotated[int, Strict(), Field(ge=1, le=2**53)]
"""A whole number from 1, as large as every JSON reader can read it."""

Temperature = Annotated[
    float,
    PlainValidator(_number),
    AfterValidator(_temperature),
    PlainSerializer(lambda value: value),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 2}),
]
