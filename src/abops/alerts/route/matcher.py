"""Holding Alertmanager's matchers against labels; a label that is missing counts as empty.

How they are written is the inventory's matter: `abops.inventory.matchers`.
"""

from collections.abc import Mapping, Sequence

from abops.inventory import matchers as notation
from abops.inventory.matchers import Matcher, compiled
from abops.kernel.errors import UsageError


class MatcherSyntaxError(UsageError):
    """This is not a list of matchers."""

    hint = """Write them as Alertmanager does: severity="critical", service=~"api|bot"."""


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Read what a person typed; the empty list matches everything. Raises MatcherSyntaxError."""
    try:
        return notation.parse_matchers(text)
    except ValueError as error:
        raise MatcherSyntaxError(str(error)) from error


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
            return compiled(matcher.value).fullmatch(value) is not None
        case "!~":
            return compiled(matcher.value).fullmatch(value) is None
