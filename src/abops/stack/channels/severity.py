"""Which severity a message speaks of, read from its words as a person would.

Chat messages carry no severity field, so the inbox looks for the platform's marks first and for
the words second. Only the look of the inbox depends on it.
"""

import re
from typing import Final

_MARKS: Final = {"●": "critical", "▲": "warning", "○": "info", "✓": "resolved"}
_WORDS: Final = re.compile(r"\b(resolved|critical|error|warning|info)\b", re.IGNORECASE)
_SAME: Final = {"error": "critical"}  # PagerDuty's four levels on our three


def severity_in(text: str) -> str | None:
    """Return critical, warning, info or resolved, whichever `text` names first, else None."""
    for character in text:
        if character in _MARKS:
            return _MARKS[character]
    word = _WORDS.search(text)
    return normal_severity(word.group(1)) if word else None


def normal_severity(name: str) -> str:
    """Return the platform's name of a provider's severity."""
    lowered = name.lower()
    return _SAME.get(lowered, lowered)
