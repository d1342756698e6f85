"""Sizes as people write them: `100MB`, `1GB`, `1.5 GiB`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from agentoci.errors import Invalid

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

_UNITS: Final = {"B": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
PATTERN: Final = r"[0-9]{1,15}(?:\.[0-9]{1,6})? ?(?:[KkMmGgTtPp](?:[Ii]?[Bb])?|[Bb])"
_SIZE: Final = re.compile(PATTERN)


class InvalidSize(Invalid):
    """Not a size with a unit."""


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes, and the text that it was written as.

    Units count by 1024 with or without the `i`, as docker and compose read memory limits:
    `1GB` = `1GiB` = 1,073,741,824 bytes. Two spellings of one number of bytes are equal.
    """

    bytes: int
    text: str = field(compare=False)

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read `100MB`; raises InvalidSize."""
        if not _SIZE.fullmatch(text):
            raise InvalidSize(
                f"'{text[:60]}' is not a size", hint="a number with a unit, such as 100MB or 1GB"
            )
        number = text.rstrip("BbIi KkMmGgTtPp")
        unit = text[len(number) :].strip().upper()
        amount = int(Decimal(number) * 1024 ** _UNITS[unit[0]])
        if amount < 1:
            raise InvalidSize(f"'{text}' is less than one byte")
        return cls(amount, text)

    def __str__(self) -> str:
        return self.text

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            _validated, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{PATTERN}$"}


def _validated(value: object) -> Size:
    from pydantic_core import PydanticCustomError

    from agentoci.definition.values import refused

    if isinstance(value, Size):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("size_type", "expected a size")
    try:
        return Size.parse(value)
    except InvalidSize as exc:
        raise refused(exc.message, hint=exc.hint) from exc
