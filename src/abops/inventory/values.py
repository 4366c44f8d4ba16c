"""Values that many models of the inventory are made of: names, ports, durations, sizes, zones."""

from datetime import timedelta
from typing import Annotated, Final, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from abops.kernel.quantities import QuantityError, format_duration, parse_duration, parse_size

_NAME = r"^[a-z][a-z0-9-]*$"


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    try:
        return parse_duration(str(value))
    except QuantityError as error:
        raise ValueError(f"{error}; write a number and a unit: 30s, 15m, 4h") from error


def _size(value: object) -> object:
    if isinstance(value, int):
        return value
    try:
        return parse_size(str(value))
    except QuantityError as error:
        raise ValueError(f"{error}; write a number and a unit: 512MiB, 20GiB") from error


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"there is no time zone {name!r}; write one as Europe/Berlin") from error
    return name


Name = Annotated[str, Field(pattern=_NAME, description="lower case, digits and dashes")]
Port = Annotated[int, Field(ge=1, le=65535)]
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+(ms|s|m|h|d|w))+$"}),
]
Size = Annotated[
    int, BeforeValidator(_size), WithJsonSchema({"type": ["string", "integer"]}), Field(ge=0)
]
"""Bytes."""
Zone = Annotated[str, AfterValidator(_zone)]
Tier = Literal[1, 2, 3]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = get_args(Weekday)


class Model(BaseModel):
    """A value of the inventory: frozen, and strict about keys it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, strict=False
    )
