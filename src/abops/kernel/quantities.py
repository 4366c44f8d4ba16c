"""Durations and sizes as people write them: 30s, 15m, 4h, 7d, 64MiB."""

import re
from datetime import timedelta

from abops.kernel.errors import UsageError

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_DURATION_PART = re.compile(r"(\d+)(ms|s|m|h|d|w)")
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB|TiB)")


class QuantityError(UsageError):
    """This is not a quantity with a unit."""


def parse_duration(text: str) -> timedelta:
    """Read a duration in Prometheus' notation: one or more of a whole number and a unit.

    Raises QuantityError on anything else; "0" stands for no time at all.
    """
    if text == "0":
        return timedelta()
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise QuantityError(
            f"{text!r} is not a duration",
            hint="Write a whole number and a unit: 30s, 15m, 4h, 7d, 2w, or 1h30m.",
        )
    return timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in parts))


def format_duration(duration: timedelta) -> str:
    """Write a duration in Prometheus' notation, largest unit first: 1h30m. Zero is 0s."""
    left = round(duration.total_seconds() * 1000)
    parts = []
    for unit in ("w", "d", "h", "m", "s", "ms"):
        size = round(_SECONDS[unit] * 1000)
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def humanize_seconds(seconds: float) -> str:
    """Write seconds for a person: 0.42 s, 12.3 s, 1m 40s, 1h 04m, 3d 02h."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, lower, unit, sub in ((86400, 3600, "d", "h"), (3600, 60, "h", "m")):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // lower:02d}{sub}"
    return f"{whole // 60}m {whole % 60:02d}s"


def parse_size(text: str) -> int:
    """Read a size in bytes: a whole number and B, KiB, MiB, GiB or TiB."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise QuantityError(
            f"{text!r} is not a size", hint="Write a whole number and B, KiB, MiB, GiB or TiB."
        )
    return int(match[1]) * _BYTES[match[2]]
