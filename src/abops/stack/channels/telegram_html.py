"""Telegram's HTML: which markup is taken, and what is answered to the rest.

Telegram knows a handful of tags and refuses a whole message for one stray `<`. The mistakes here
are named in the Bot API server's words, with the offset counted in bytes of UTF-8, so that a
sender that cuts a text inside a tag fails here as it would there.
"""

import html
import re
from dataclasses import dataclass, field
from typing import Final

_TAGS: Final = frozenset(
    {
        "a",
        "b",
        "blockquote",
        "code",
        "del",
        "em",
        "i",
        "ins",
        "pre",
        "s",
        "span",
        "strike",
        "strong",
        "tg-emoji",
        "tg-spoiler",
        "tg-time",
        "u",
    }
)
_MARKUP: Final = re.compile(r"<(?P<close>/?)(?P<name>[^\s/>]*)(?P<rest>[^>]*)(?P<end>>?)")
_ATTRIBUTE: Final = re.compile(
    r"""\s*(?P<name>[a-zA-Z][a-zA-Z0-9-]*)(?:\s*=\s*(?P<value>"[^"]*"|'[^']*'|[^\s"'>=]+))?"""
)


class MarkupError(Exception):
    """The text is not Telegram's HTML."""


@dataclass
class _Reading:
    text: str
    plain: list[str] = field(default_factory=list)
    open_tags: list[str] = field(default_factory=list)

    def offset(self, position: int) -> int:
        return len(self.text[:position].encode())


def plain_text(text: str) -> str:
    """Return `text` without its markup and with its entities decoded; refuse broken markup."""
    reading = _Reading(text)
    position = 0
    while (start := text.find("<", position)) >= 0:
        reading.plain.append(html.unescape(text[position:start]))
        position = _tag(reading, start)
    reading.plain.append(html.unescape(text[position:]))
    if reading.open_tags:
        raise MarkupError(
            f'Can\'t find end tag corresponding to start tag "{reading.open_tags[-1]}"'
        )
    return "".join(reading.plain)


def _tag(reading: _Reading, start: int) -> int:
    """Read the tag at `start`; return the position after it."""
    found = _MARKUP.match(reading.text, start)
    assert found is not None  # noqa: S101 - every part but the "<" may be empty
    at = reading.offset(start)
    name = found["name"].lower()
    if found["close"]:
        if not found["end"]:
            raise MarkupError(f"Unclosed end tag at byte offset {at}")
        if not reading.open_tags:
            raise MarkupError(f"Unexpected end tag at byte offset {at}")
        expected = reading.open_tags.pop()
        if name not in ("", expected):
            raise MarkupError(
                f"Unmatched end tag at byte offset {at}, "
                f'expected "</{expected}>", found "</{name}>"'
            )
        return found.end()
    if name not in _TAGS:
        raise MarkupError(f'Unsupported start tag "{name}" at byte offset {at}')
    if not found["end"]:
        raise MarkupError(f'Unclosed start tag "{name}" at byte offset {at}')
    _check_attributes(name, found["rest"], at)
    reading.open_tags.append(name)
    return found.end()


def _check_attributes(name: str, rest: str, at: int) -> None:
    position = 0
    attributes: dict[str, str] = {}
    while rest[position:].strip():
        found = _ATTRIBUTE.match(rest, position)
        if found is None:
            raise MarkupError(f'Empty attribute name in the tag "{name}" at byte offset {at}')
        attributes[found["name"].lower()] = (found["value"] or "").strip("\"'")
        position = found.end()
    if name == "span" and attributes.get("class") != "tg-spoiler":
        raise MarkupError(f'Tag "span" must have class "tg-spoiler" at byte offset {at}')
