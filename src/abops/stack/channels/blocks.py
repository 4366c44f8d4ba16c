"""What Slack refuses in a message's content: sizes of texts and blocks.

The lengths are those of Slack's Block Kit reference. Slack names the place of each mistake with a
JSON pointer, which is what makes `invalid_blocks` bearable to debug; so do we.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

_TEXT_CHARS: Final = 40_000
_BLOCKS: Final = 50
_SECTION_CHARS: Final = 3_000
_FIELDS: Final = 10
_FIELD_CHARS: Final = 2_000
_HEADER_CHARS: Final = 150
_CONTEXT_ELEMENTS: Final = 10
_ACTIONS_ELEMENTS: Final = 25
_BUTTON_CHARS: Final = 75
_VALUE_CHARS: Final = 2_000
_KNOWN_BLOCKS: Final = frozenset(
    {
        "actions",
        "context",
        "context_actions",
        "divider",
        "file",
        "header",
        "image",
        "input",
        "markdown",
        "rich_text",
        "section",
        "table",
        "video",
    }
)


class SlackRefusal(Exception):  # noqa: N818 - an answer of the protocol, not a failure of ours
    """Slack's `ok: false` with its error word and the messages that explain it."""

    def __init__(self, error: str, messages: tuple[str, ...] = (), *, limit: bool = False) -> None:
        super().__init__(error)
        self.error = error
        self.messages = messages
        self.limit = limit


def check_content(content: Mapping[str, Any]) -> None:
    """Refuse a message without content, with too much of it, or with broken blocks."""
    text = str(content.get("text") or "")
    blocks = listed(content, "blocks")
    attachments = listed(content, "attachments")
    if not text and not blocks and not attachments:
        raise SlackRefusal("no_text")
    if len(text) > _TEXT_CHARS:
        raise SlackRefusal("msg_too_long", limit=True)
    broken: list[tuple[str, bool]] = []
    if len(blocks) > _BLOCKS:
        broken.append((f"no more than {_BLOCKS} items allowed [json-pointer:/blocks]", True))
    for position, block in enumerate(blocks):
        broken += _faults_of(block, f"/blocks/{position}")
    if broken:
        messages = tuple(f"[ERROR] {message}" for message, _ in broken)
        raise SlackRefusal("invalid_blocks", messages, limit=any(limit for _, limit in broken))


def listed(content: Mapping[str, Any], name: str) -> list[Any]:
    """Return a list field, which a form carries as JSON text."""
    value = content.get(name) or []
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            raise SlackRefusal(f"invalid_{name}_format") from None
    if not isinstance(value, list):
        raise SlackRefusal(f"invalid_{name}_format")
    return value


def text_of(content: Mapping[str, Any]) -> str:
    """Return the line that a reader sees first: the text, an attachment's title, a block's text."""
    if content.get("text"):
        return str(content["text"])
    for attachment in listed(content, "attachments"):
        for name in ("title", "fallback", "text", "pretext"):
            if isinstance(attachment, dict) and attachment.get(name):
                return str(attachment[name])
    for block in listed(content, "blocks"):
        if isinstance(block, dict) and (text := _text(block.get("text"))):
            return text
    return ""


def lines_of(content: Mapping[str, Any]) -> str:
    """Return every text of the message, a line each, buttons in brackets."""
    lines = [str(content.get("text") or "")]
    for attachment in listed(content, "attachments"):
        if isinstance(attachment, dict):
            names = ("pretext", "title", "text", "fallback")
            lines += [str(attachment[name]) for name in names if attachment.get(name)]
    for block in listed(content, "blocks"):
        if not isinstance(block, dict):
            continue
        lines.append(_text(block.get("text")))
        lines += [_text(field) for field in _list(block.get("fields"))]
        for element in [*_list(block.get("elements")), block.get("accessory")]:
            if isinstance(element, dict):
                label = _text(element.get("text"))
                lines.append(f"[{label}]" if label else str(element.get("text") or ""))
    return "\n".join(dict.fromkeys(line for line in lines if line))


def _faults_of(block: object, at: str) -> Iterator[tuple[str, bool]]:
    """Yield what is wrong with `block` and whether it is a matter of size."""
    if not isinstance(block, dict) or str(block.get("type")) not in _KNOWN_BLOCKS:
        yield f"unsupported type [json-pointer:{at}/type]", False
        return
    kind = block["type"]
    if kind == "section":
        yield from _section(block, at)
    elif kind == "header":
        yield from _sized(_text(block.get("text")), _HEADER_CHARS, f"{at}/text/text", needed=True)
    elif kind in ("context", "actions"):
        most = _CONTEXT_ELEMENTS if kind == "context" else _ACTIONS_ELEMENTS
        elements = _list(block.get("elements"))
        if not elements:
            yield f"missing required field: elements [json-pointer:{at}]", False
        if len(elements) > most:
            yield f"no more than {most} items allowed [json-pointer:{at}/elements]", True
        for position, element in enumerate(elements):
            if isinstance(element, dict) and element.get("type") == "button":
                yield from _button(element, f"{at}/elements/{position}")


def _section(block: Mapping[str, Any], at: str) -> Iterator[tuple[str, bool]]:
    fields = _list(block.get("fields"))
    text = _text(block.get("text"))
    yield from _sized(text, _SECTION_CHARS, f"{at}/text/text", needed=not fields)
    if len(fields) > _FIELDS:
        yield f"no more than {_FIELDS} items allowed [json-pointer:{at}/fields]", True
    for position, field in enumerate(fields):
        yield from _sized(_text(field), _FIELD_CHARS, f"{at}/fields/{position}/text", needed=True)


def _button(element: Mapping[str, Any], at: str) -> Iterator[tuple[str, bool]]:
    yield from _sized(_text(element.get("text")), _BUTTON_CHARS, f"{at}/text/text", needed=True)
    value = str(element.get("value") or "")
    yield from _sized(value, _VALUE_CHARS, f"{at}/value", needed=False)


def _sized(text: str, most: int, at: str, *, needed: bool) -> Iterator[tuple[str, bool]]:
    if needed and not text:
        yield f"must be more than 0 characters [json-pointer:{at}]", False
    if len(text) > most:
        yield f"must be less than {most + 1} characters [json-pointer:{at}]", True


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return str(value.get("text") or "") if isinstance(value, dict) else ""
