"""Whatever JSON a sender makes up, a channel server takes or refuses it and never breaks."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abops.kernel.clock import SystemClock
from abops.stack.channels.blocks import SlackRefusal, lines_of
from abops.stack.channels.config import ChannelConfig, Secrets
from abops.stack.channels.desk import Desk
from abops.stack.channels.pagerduty import EventRefused, PagerDutyService
from abops.stack.channels.recorder import Recorder
from abops.stack.channels.slack import RateLimitedError, Workspace
from abops.stack.channels.telegram import Bot
from abops.stack.channels.telegram_message import BotRefusal

KEYS = [
    *("text", "blocks", "attachments", "type", "elements", "fields", "accessory", "value"),
    *("title", "thread_ts", "ts", "channel", "payload", "summary", "source", "severity"),
    *("dedup_key", "event_action", "chat_id", "message_id", "parse_mode", "reply_markup"),
    *("inline_keyboard", "callback_data"),
]
WORDS = [
    "",
    "section",
    "button",
    "actions",
    "trigger",
    "resolve",
    "critical",
    "HTML",
    "<b>x",
    "[",
    "C0X",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=12,
)
CONTENT = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=8)
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
many = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "pd-dev").write_text(ROUTING_KEY)
    config = ChannelConfig(1, 2, 3, 4, 5, str(tmp_path), str(tmp_path))
    clock = SystemClock()
    return Desk(config, Secrets(tmp_path), Recorder(tmp_path, clock), clock)


@many
@given(content=CONTENT)
def test_slack_takes_or_refuses_any_content(desk: Desk, content: dict[str, Any]) -> None:
    workspace = Workspace(desk)
    with suppress(SlackRefusal, RateLimitedError):
        workspace.post({**content, "channel": "C0ANY"})
        lines_of(content)


@many
@given(content=CONTENT)
def test_pagerduty_takes_or_refuses_any_event(desk: Desk, content: dict[str, Any]) -> None:
    service = PagerDutyService(desk)
    with suppress(EventRefused):
        service.enqueue({"event_action": "trigger", **content, "routing_key": ROUTING_KEY})


@many
@given(content=CONTENT)
async def test_telegram_takes_or_refuses_any_message(desk: Desk, content: dict[str, Any]) -> None:
    bot = Bot(desk)
    with suppress(BotRefusal):
        await bot.send({"text": "x", **content, "chat_id": 1})
