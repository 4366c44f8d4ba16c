"""Figures as people read them: 12.3 %, 1.2k, 340 ms, 1.5 GiB/s. `static/boards/units.js` alike."""

import math
from typing import Final

_THOUSANDS: Final = ("", "k", "M", "G", "T", "P")
_BINARY: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_RATES: Final = {"reqps": "req/s", "ops": "ops/s", "iops": "io/s", "pps": "packets/s"}
_IN_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BIG: Final = 100
_NEARLY_ALL: Final = 99
_MIDDLE: Final = 10
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_DAY: Final = 86400.0
_TINY: Final = 1e-9


def figure(value: float | None, unit: str, decimals: int | None = None) -> str:  # noqa: PLR0911
    """Return a value with its unit; nothing is a dash."""
    if value is None:
        return "-"
    if unit in {"percentunit", "percent"}:
        return f"{_percent(value * (100 if unit == 'percentunit' else 1), decimals)} %"
    if unit in _IN_SECONDS:
        return _duration(value * _IN_SECONDS[unit], decimals)
    if unit in {"bytes", "Bps"}:
        return _scaled(value, 1024, _BINARY, decimals, " ") + ("/s" if unit == "Bps" else "")
    if unit in _RATES:
        return f"{_scaled(value, 1000, _THOUSANDS, decimals)} {_RATES[unit]}"
    if unit == "currencyUSD":
        return ("-$" if value < 0 else "$") + _scaled(abs(value), 1000, _THOUSANDS, decimals)
    if unit == "bool":
        return "yes" if value else "no"
    return _scaled(value, 1000, _THOUSANDS, decimals)


def _percent(value: float, decimals: int | None) -> str:
    """Write a share; what is not all of it is never rounded up to 100."""
    if decimals is None and _NEARLY_ALL <= value < _BIG:
        return _digits(math.floor(value * 100) / 100, 2).rstrip("0").rstrip(".")
    return _digits(value, decimals)


def _scaled(
    value: float, size: int, names: tuple[str, ...], decimals: int | None, gap: str = ""
) -> str:
    index = 0
    while abs(value) >= size and index < len(names) - 1:
        value, index = value / size, index + 1
    return f"{_digits(value, decimals)}{gap}{names[index]}"


def _duration(seconds: float, decimals: int | None) -> str:
    size = abs(seconds)
    if size < _TINY:
        return "0 s"
    for limit, scale, name in (
        (0.001, 1e6, "µs"),
        (1.0, 1e3, "ms"),
        (_MINUTE, 1.0, "s"),
        (_HOUR, 1 / _MINUTE, "min"),
        (_DAY, 1 / _HOUR, "h"),
    ):
        if size < limit:
            return f"{_digits(seconds * scale, decimals)} {name}"
    return f"{_digits(seconds / _DAY, decimals)} d"


def _digits(value: float, decimals: int | None) -> str:
    """Write about three figures, or as many decimals as the board says."""
    if decimals is not None:
        return f"{value:.{decimals}f}"
    size = abs(value)
    if size < _TINY:
        return "0"
    places = 0 if size >= _BIG else 1 if size >= _MIDDLE else 2
    while places < 6 and size < 10.0 ** -(places - 1):  # noqa: PLR2004 - a millionth is enough
        places += 1
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
