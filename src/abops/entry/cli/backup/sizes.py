"""Bytes and ages as tables show them."""

from typing import Final

_STEP: Final = 1024
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def in_words(size: float) -> str:
    """Return a size with three digits at most."""
    for unit in _UNITS[:-1]:
        if size < _STEP:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"  # noqa: PLR2004
        size /= _STEP
    return f"{size:.1f} {_UNITS[-1]}"
