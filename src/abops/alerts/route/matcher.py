"""Alertmanager's matchers: reading them and holding them against labels.

The notation is Alertmanager's: `severity="critical", service=~"api|bot"`, braces optional,
quotes optional around plain words, regular expressions anchored at both ends. A label that is
missing counts as empty.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from abops.alerts.model import Matcher
from abops.kernel.errors import UsageError

_PART = re.compile(
    r"""\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^\s,"{}]*)\s*(,|$)"""
)


class MatcherSyntaxError(UsageError):
    """This is not a list of matchers."""

    hint = """Write them as Alertmanager does: severity="critical", service=~"api|bot"."""


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Read a list of matchers; the empty list matches everything."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    inner = inner.strip().removesuffix(",")
    found: list[Matcher] = []
    position = 0
    while position < len(inner):
        part = _PART.match(inner, position)
        if part is None:
            raise MatcherSyntaxError(f"cannot read the matcher {inner[position:]!r} in {text!r}")
        label, operator, value = part[1], part[2], _unquote(part[3])
        if operator in ("=~", "!~"):
            _compiled(value)
        found.append(Matcher(label, operator, value))  # type: ignore[arg-type] # by the pattern
        position = part.end()
    return tuple(found)


def parse_labels(text: str) -> dict[str, str]:
    """Read labels such as `severity=critical,service=api`; raises MatcherSyntaxError."""
    matchers = parse_matchers(text)
    if any(matcher.operator != "=" for matcher in matchers):
        raise MatcherSyntaxError(
            f"{text!r} is not a list of labels", hint="Write them so: severity=critical,service=api"
        )
    return {matcher.label: matcher.value for matcher in matchers}


def matches(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Say whether every matcher holds for these labels."""
    return all(_holds(matcher, labels.get(matcher.label, "")) for matcher in matchers)


def _holds(matcher: Matcher, value: str) -> bool:
    match matcher.operator:
        case "=":
            return value == matcher.value
        case "!=":
            return value != matcher.value
        case "=~":
            return _compiled(matcher.value).fullmatch(value) is not None
        case "!~":
            return _compiled(matcher.value).fullmatch(value) is None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise MatcherSyntaxError(f"{pattern!r} is not a regular expression: {error}") from error


def _unquote(value: str) -> str:
    if value.startswith('"'):
        return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value[1:-1])
    return value
