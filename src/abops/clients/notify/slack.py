"""Slack's Web API, through its own client. The token travels in a header, never in a text."""

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from abops.clients.notify.receipt import TIMEOUT_S, NotAcceptedError, seconds

_RETRYABLE = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable"}
    | {"request_timeout", "team_added_to_org", "message_limit_exceeded"}
)
_CODE = re.compile(r"[a-z_]+")
_RATE_LIMITED = 429
_SERVER_ERROR = 500
_silent = logging.getLogger("abops.clients.notify.slack")
_silent.setLevel(logging.CRITICAL)


class Slack:
    """Posts and edits messages. The client blocks, so it runs in a thread of its own."""

    def __init__(self, token: str, *, base_url: str | None = None) -> None:
        self._client = WebClient(
            token=token,
            base_url=base_url or WebClient.BASE_URL,
            timeout=int(TIMEOUT_S),
            logger=_silent,  # what goes wrong is raised, and logged by who knows the incident
            retry_handlers=[],  # the outbox retries, and survives a restart
        )
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="slack")

    async def post(
        self,
        channel: str,
        text: str,
        *,
        blocks: Sequence[dict[str, Any]] | None = None,
        thread: str | None = None,
    ) -> str:
        """Post a message, within a thread if named; return Slack's name for it."""
        answer = await self._call(
            lambda: self._client.chat_postMessage(
                channel=channel,
                text=text,
                blocks=blocks,
                thread_ts=thread,
                unfurl_links=False,
                unfurl_media=False,
            )
        )
        return f"{answer.get('channel') or channel}/{answer['ts']}"

    async def edit(
        self, reference: str, text: str, *, blocks: Sequence[dict[str, Any]] | None = None
    ) -> None:
        """Replace the content of a message that `post` returned."""
        channel, _, ts = reference.partition("/")
        await self._call(
            lambda: self._client.chat_update(channel=channel, ts=ts, text=text, blocks=blocks)
        )

    async def whisper(self, channel: str, user: str, text: str) -> None:
        """Say something in a channel that one person sees."""
        await self._call(
            lambda: self._client.chat_postEphemeral(channel=channel, user=user, text=text)
        )

    async def test(self) -> str:
        """Ask whose token it is, which tells nobody anything; return bot and workspace."""
        answer = await self._call(self._client.auth_test)
        return f"{answer.get('user', '?')} in {answer.get('team', '?')}"

    def close(self) -> None:
        """Let go of the thread; a call that hangs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _call(self, call: Callable[[], Any]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._threads, call)
            data = answer.data
        except SlackApiError as error:
            raise _refused(error) from error
        except (SlackClientError, OSError, HTTPException, ValueError) as error:
            raise NotAcceptedError(
                f"Slack did not answer: {type(error).__name__}", outcome_unknown=True
            ) from error
        if not isinstance(data, dict) or not isinstance(data.get("ts", ""), str):
            raise NotAcceptedError("Slack's answer cannot be read", outcome_unknown=True)
        return data


def _refused(error: SlackApiError) -> NotAcceptedError:
    response = error.response
    data = getattr(response, "data", None)
    reason = str(data.get("error", "")) if isinstance(data, dict) else ""
    status = int(getattr(response, "status_code", 0) or 0)
    headers = {str(k).lower(): v for k, v in dict(getattr(response, "headers", {})).items()}
    wait = headers.get("retry-after")
    wait = wait[0] if isinstance(wait, list) else wait
    said = _CODE.fullmatch(reason) is not None  # anything else did not come from Slack itself
    passing = status in (0, _RATE_LIMITED) or status >= _SERVER_ERROR or reason in _RETRYABLE
    return NotAcceptedError(
        f"Slack refused: {reason if said else status}",
        final=said and not passing,
        retry_after_s=seconds(wait),
        outcome_unknown=status >= _SERVER_ERROR or not said,
    )
