"""Boards: the list, one board, and the stream of its panels' answers.

The page has everything but the charts. A script asks for those in one request, and its answer
comes panel by panel, one JSON document a line, as Prometheus is done with them. Only queries
that stand in a board are asked; a reader chooses times and values of variables, not queries.
"""

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse
from msgspec import Struct

from abops.clients.prometheus_queries import PrometheusQueries
from abops.entry.web.observe import board_page
from abops.entry.web.observe.board_page import Address
from abops.entry.web.pages import Pages, Place
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError, UsageError
from abops.observability.panels.model import Board, PanelAnswer
from abops.observability.panels.units import figure
from abops.observability.panels.variables import chosen_of
from abops.observability.panels.window import TimeError, read_span
from abops.workflows.board_answers import Answer, BoardAnswers, Question
from abops.workflows.board_shelf import BoardMissingError, BoardShelf

BODY_AT_MOST: Final = 65_536
COMPRESS_LEVEL: Final = 5
"""Level 9 takes six times the time and saves three per cent more."""
GZIP: Final = 31
"""What zlib calls the gzip format with a window of 32 KiB."""
PLACE: Final = Place("dashboards", "/dashboards", "Dashboards", "dashboards")
GROUPS: Final = {
    "slo": "Objectives",
    "business": "Business",
    "infrastructure": "Infrastructure",
    "service": "Services",
    "store": "Stores",
    "platform": "Platform",
}
"""Titles of tags, in the order of the list."""
NDJSON: Final = "application/x-ndjson"


class QueryFormError(UsageError):
    """This is not a question to a board."""

    hint = 'Send {"from": "now-6h", "to": "now", "vars": {"env": "local"}}.'


STATUS: Final[dict[type[OpsError], int]] = {
    BoardMissingError: 404,
    TimeError: 400,
    QueryFormError: 400,
}


class QueryForm(Struct, frozen=True, rename={"since": "from", "until": "to"}):
    """The body of a question to a board."""

    since: str | int = "now-6h"
    until: str | int = "now"
    vars: dict[str, str | list[str]] = {}
    panels: list[int] | None = None
    """Ids of the panels; None: all."""
    annotations: bool = True


class Dashboards:
    """The boards, and Prometheus behind them while the application runs."""

    def __init__(self, pages: Pages, shelf: BoardShelf, url: str, clock: Clock) -> None:
        self._pages = pages
        self._shelf = shelf
        self._url = url
        self._clock = clock
        self._answers: BoardAnswers | None = None

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Hold the connections to Prometheus."""
        async with PrometheusQueries(self._url) as prometheus:
            self._answers = BoardAnswers(prometheus, self._clock)
            yield

    @property
    def answers(self) -> BoardAnswers:
        """Return what asks Prometheus."""
        if self._answers is None:
            raise RuntimeError("the application has not started")
        return self._answers

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(include_in_schema=False, lifespan=self.lifespan)
        router.get("/dashboards")(self.list_page)
        router.get("/dashboards/{uid}")(self.board_page)
        router.get("/d/{uid}")(self.grafana_address)
        router.get("/d/{uid}/{name}")(self.grafana_address)
        router.get("/api/dashboards")(self.list_api)
        router.get("/api/dashboards/{uid}")(self.board_api)
        router.post("/api/dashboards/{uid}/query")(self.query_api)
        return router

    async def list_page(self, request: Request) -> Response:
        """Show every board, by tag."""
        boards = self._shelf.boards()
        return self._pages.show(
            request,
            "dashboards.html",
            groups=_by_tag(boards),
            problems=self._shelf.problems(),
            folder=self._shelf.folder.name,
        )

    async def board_page(self, request: Request, uid: str) -> Response:
        """Show one board; its charts come by script, or values in their place."""
        board = self._shelf.board(uid)
        given = request.query_params
        since, until = given.get("from") or board.since, given.get("to") or "now"
        now = self._pages.now()
        span = read_span(since, until, now)
        chosen = chosen_of(board, {key: given.getlist(key) for key in given})
        choices = await self.answers.choices(board, span, chosen)
        answers: dict[int, PanelAnswer] = {}
        if "values" in given:
            answers = await self._values(Question(board, span, chosen, newest_only=True))
        refresh = given.get("refresh", "")
        address = Address(uid, chosen, refresh=refresh)
        return self._pages.show(
            request,
            "dashboard.html",
            board=board,
            frames=board_page.frames_of(board, span, chosen),
            pickers=board_page.pickers_of(board, choices, chosen),
            times=board_page.times_of(since, until, span, now, address),
            ranges=board_page.RANGES,
            refresh=_refresh(refresh, board),
            refreshes=board_page.REFRESH,
            answers=answers,
            has_values="values" in given,
            values_address=address(since, until if not since.startswith("now") else "", values="1"),
            chosen=chosen,
            values_of=board_page.values_of,
            traces_of=board_page.traces_of,
            clock=board_page.clock,
            figure=figure,
        )

    async def _values(self, question: Question) -> dict[int, PanelAnswer]:
        found = [a async for a in self.answers.answer(question) if isinstance(a, PanelAnswer)]
        return {answer.panel: answer for answer in found}

    async def grafana_address(self, request: Request, uid: str) -> Response:
        """Answer links that were made for Grafana."""
        query = request.url.query
        return RedirectResponse(f"/dashboards/{self._shelf.board(uid).uid}?{query}", 307)

    async def list_api(self) -> Response:
        """Return what boards there are."""
        return _json(
            [
                {
                    "uid": board.uid,
                    "title": board.title,
                    "description": board.description,
                    "tags": board.tags,
                    "panels": len(board.panels),
                    "url": f"/dashboards/{board.uid}",
                }
                for board in self._shelf.boards()
            ]
        )

    async def board_api(self, uid: str) -> Response:
        """Return one board: rows, panels, queries, variables."""
        return _json(self._shelf.board(uid))

    async def query_api(self, request: Request, uid: str) -> Response:
        """Return the answers of a board's panels, one a line, as they come."""
        board = self._shelf.board(uid)
        form = await _form(request)
        given = {name: [v] if isinstance(v, str) else v for name, v in form.vars.items()}
        question = Question(
            board=board,
            span=read_span(str(form.since), str(form.until), self._clock.now()),
            chosen=chosen_of(board, given),
            panels=None if form.panels is None else frozenset(form.panels),
            annotations=form.annotations,
        )
        answers = self.answers.answer(question)
        headers = {"Cache-Control": "no-store"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return StreamingResponse(_lines(answers), media_type=NDJSON, headers=headers)
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return StreamingResponse(_compressed(_lines(answers)), media_type=NDJSON, headers=headers)


def _by_tag(boards: list[Board]) -> dict[str, list[Board]]:
    """Return the boards under their own tag: what users notice first, what carries it last."""
    groups: dict[str, list[Board]] = {tag: [] for tag in GROUPS}
    for board in boards:
        own = [tag for tag in board.tags if tag != "analyticbot"]
        groups.setdefault(own[0] if own else "other", []).append(board)
    return {GROUPS.get(tag, tag): found for tag, found in groups.items() if found}


def _refresh(given: str, board: Board) -> int:
    """Return the seconds between two pictures: what the reader chose, else what the board says."""
    if given.isdecimal() and int(given) in {seconds for _, seconds in board_page.REFRESH}:
        return int(given)
    return 15 if 0 < board.refresh_s < 60 else 60 if board.refresh_s else 0  # noqa: PLR2004


def _json(content: Any) -> Response:  # noqa: ANN401 - whatever msgspec encodes
    return Response(msgspec.json.encode(content), media_type="application/json")


async def _form(request: Request) -> QueryForm:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_AT_MOST:
            raise QueryFormError(f"the question is longer than {BODY_AT_MOST} bytes")
    try:
        return msgspec.json.decode(body or b"{}", type=QueryForm)
    except msgspec.DecodeError as error:
        raise QueryFormError(f"the question cannot be read: {error}") from error


async def _lines(answers: AsyncIterator[Answer]) -> AsyncIterator[bytes]:
    async for answer in answers:
        yield msgspec.json.encode(answer) + b"\n"


async def _compressed(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Compress each line so that it leaves at once; the middleware would gather them."""
    packer = zlib.compressobj(COMPRESS_LEVEL, zlib.DEFLATED, GZIP)
    async for line in lines:
        yield packer.compress(line) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


def dashboards_router(pages: Pages, url: str, clock: Clock, shelf: BoardShelf) -> APIRouter:
    """Return the routes of the boards, with Prometheus at `url`."""
    return Dashboards(pages, shelf, url, clock).router()
