from typing import Any

import pytest

from abops.stack.channels.blocks import SlackRefusal, check_content, lines_of, text_of


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


@pytest.mark.parametrize(
    "content",
    [
        {"text": "x" * 40_000},
        {"blocks": [section("x" * 3_000)] * 50},
        {"blocks": '[{"type": "divider"}]'},
        {"attachments": [{"title": "from Alertmanager"}]},
    ],
)
def test_content_within_the_limits_is_taken(content: dict[str, Any]) -> None:
    check_content(content)


@pytest.mark.parametrize(
    ("content", "error", "limit"),
    [
        ({}, "no_text", False),
        ({"text": "x" * 40_001}, "msg_too_long", True),
        ({"blocks": [section("x")] * 51}, "invalid_blocks", True),
        ({"blocks": [section("x" * 3_001)]}, "invalid_blocks", True),
        ({"blocks": [section("")]}, "invalid_blocks", False),
        ({"blocks": [{"type": "marquee"}]}, "invalid_blocks", False),
        ({"blocks": "[{"}, "invalid_blocks_format", False),
    ],
)
def test_content_beyond_the_limits_is_refused(
    content: dict[str, Any], error: str, *, limit: bool
) -> None:
    with pytest.raises(SlackRefusal) as refused:
        check_content(content)
    assert (error, limit) == (refused.value.error, refused.value.limit)


def test_a_refusal_points_at_the_place_of_each_mistake() -> None:
    button = {"type": "button", "text": {"type": "plain_text", "text": "x" * 76}}
    blocks = [section("fine"), {"type": "actions", "elements": [button]}, section("x" * 3_001)]
    with pytest.raises(SlackRefusal) as refused:
        check_content({"blocks": blocks})
    assert (
        "[ERROR] must be less than 76 characters [json-pointer:/blocks/1/elements/0/text/text]",
        "[ERROR] must be less than 3001 characters [json-pointer:/blocks/2/text/text]",
    ) == refused.value.messages


def test_a_message_is_read_from_its_text_its_attachments_and_its_blocks() -> None:
    content = {"attachments": [{"title": "api down"}], "blocks": [section("since 22:14")]}
    assert "api down" == text_of(content)
    assert "api down\nsince 22:14" == lines_of(content)
