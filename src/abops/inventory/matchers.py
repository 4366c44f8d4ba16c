r"""How matchers are written, which is as in Alertmanager: `severity="critical", service=~"a|b"`.

Braces are optional, so are quotes around a word without comma, brace or space. Regular
expressions are anchored at both ends. In quotes `\"`, `\\` and `\n` stand for what they say.
"""

import re
from functools import lru_cache
from typing import Literal, cast

from msgspec import Struct

Operator = Literal["=", "!=", "=~", "!~"]

_MATCHER = re.compile(
    r"""\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^\s,"{}]*)\s*(,|$)""",
    re.DOTALL,
)
_HOW = 'write label="value", other=~"a|b"'


class Matcher(Struct, frozen=True):
    """One condition on one label."""

    label: str
    operator: Operator
    value: str


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Read a list of matchers, which may be empty. Raises ValueError."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1].strip()
    found: list[Matcher] = []
    position = 0
    while position < len(inner):
        part = _MATCHER.match(inner, position)
        if part is None:
            raise ValueError(f"cannot read {inner[position:]!r} in {text!r}; {_HOW}")
        label, operator, value = part[1], cast("Operator", part[2]), _unquoted(part[3])
        if operator in ("=~", "!~"):
            compiled(value)
        found.append(Matcher(label, operator, value))
        position = part.end()
    return tuple(found)


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a matcher's regular expression. Raises ValueError."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value[1:-1], flags=re.DOTALL)
