"""Comparing version numbers as tools print them: 2.53.3, v0.17.1, 15.20."""

import re

_PART = re.compile(r"\d+")


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers of a version, so that (2, 9) < (2, 53). Empty when there are none."""
    return tuple(
        int(part)
        for part in _PART.findall(text.split("-", maxsplit=1)[0].split("+", maxsplit=1)[0])
    )


def is_within(version: str, minimum: str, below: str | None) -> bool:
    """Tell whether minimum <= version < below. A version without numbers is never within."""
    numbers = parse_version(version)
    if not numbers or numbers < parse_version(minimum):
        return False
    return below is None or numbers < parse_version(below)
