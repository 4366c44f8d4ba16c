"""Matchers for people: written for a form from alerts that are there, and read out in words."""

import re
from collections.abc import Sequence
from typing import Final

from abops.alerts.model import Alert
from abops.alerts.route.matcher import MatcherSyntaxError, parse_matchers
from abops.inventory.matchers import Matcher

NAMING: Final = ("alertname", "service", "env", "category", "instance")
"""The labels that say which alerts are meant; the others change from one to the next."""
NAMES_AT_MOST: Final = 8
_SAYS: Final = {"=": "is", "!=": "is not", "=~": "is like", "!~": "is not like"}
_ALTERNATIVES: Final = re.compile(r"[\w.:/ \\-]+(\|[\w.:/ \\-]+)+")


def matchers_of(alerts: Sequence[Alert]) -> str:
    """Return the matchers that mean these alerts: what all have, and their names if they differ.

    Empty when the alerts have no more in common than that they came together.
    """
    if not alerts:
        return ""
    written = []
    for label in NAMING:
        values = {alert.labels.get(label, "") for alert in alerts}
        if len(values) == 1 and (value := next(iter(values))):
            written.append(f"{label}={_quoted(value)}")
        elif label == "alertname" and "" not in values and len(values) <= NAMES_AT_MOST:
            pattern = "|".join(re.escape(value) for value in sorted(values))
            written.append(f"{label}=~{_quoted(pattern)}")
    return ", ".join(written)


def in_words(text: str) -> str:
    """Read matchers out: `service="api", severity=~"warning|info"` as a person would say them.

    What cannot be read is returned as it is: it is shown, not evaluated.
    """
    try:
        matchers = parse_matchers(text)
    except MatcherSyntaxError:
        return text
    return ", ".join(_one_in_words(matcher) for matcher in matchers)


def _one_in_words(matcher: Matcher) -> str:
    label = "alert" if matcher.label == "alertname" else matcher.label
    negated = matcher.operator.startswith("!")
    if not matcher.value and "~" not in matcher.operator:
        return f"with {label}" if negated else f"without {label}"
    if "~" in matcher.operator and _ALTERNATIVES.fullmatch(matcher.value):
        words = re.sub(r"\\(.)", r"\1", matcher.value).split("|")
        first, last = ", ".join(words[:-1]), words[-1]
        both = f"neither {first} nor {last}" if negated else f"{first} or {last}"
        return f"{label} is {both}"
    return f"{label} {_SAYS[matcher.operator]} {matcher.value}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
