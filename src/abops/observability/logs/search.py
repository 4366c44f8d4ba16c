"""What is asked of the log store, and what a found line looks like."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from abops.inventory.model import Inventory
from abops.kernel.errors import UsageError
from abops.observability.logs.streams import part_of, sources, stream_pattern, streams_of

LEVELS = ("debug", "info", "warning", "error", "critical")
COUNTED_AT_MOST = 10_000
BARS = 60


class Query(Struct, frozen=True):
    """What somebody looks for."""

    text: str = ""
    part: str = ""
    level: str = ""
    """This level and all above it."""
    trace: str = ""
    since: datetime | None = None
    until: datetime | None = None
    env: str | None = None
    size: int = 200


class FoundLine(Struct, frozen=True):
    """One line of a log, with all its fields by their dotted names."""

    id: str
    at: str
    part: str
    level: str
    message: str
    fields: dict[str, Any]

    @property
    def trace(self) -> str:
        """Return the trace that the line belongs to."""
        return str(self.fields.get("trace.id", ""))


class Bar(Struct, frozen=True):
    """How many lines a stretch of time has, and how many of them are errors."""

    at: str
    lines: int
    errors: int


class Found(Struct, frozen=True):
    """The answer to a query: the newest lines first."""

    lines: tuple[FoundLine, ...]
    total: int
    exact: bool
    """Whether `total` is the number of lines or only a number that they exceed."""
    levels: dict[str, int]
    parts: dict[str, int]
    bars: tuple[Bar, ...]
    bar_s: int
    took_ms: int


class UnknownPartError(UsageError):
    """No part of this name logs."""


def streams(inventory: Inventory, query: Query) -> tuple[str, ...]:
    """Return the streams to search. Raises UnknownPartError."""
    if not query.part:
        return (stream_pattern(inventory, env=query.env or "*"),)
    known = [source.part for source in sources(inventory)]
    if query.part not in known:
        raise UnknownPartError(
            f"no part {query.part!r} logs", hint=f"There are {', '.join(known)}."
        )
    return streams_of(inventory, [query.part], query.env)


def request(query: Query, now: datetime) -> dict[str, Any]:
    """Return the search to send."""
    filters: list[dict[str, Any]] = []
    if query.trace:
        filters.append({"term": {"trace.id": query.trace.lower()}})
    if query.level:
        filters.append({"terms": {"log.level": levels_from(query.level)}})
    window = {
        bound: moment.isoformat()
        for bound, moment in (("gte", query.since), ("lt", query.until))
        if moment is not None
    }
    if window:
        filters.append({"range": {"@timestamp": window}})
    must = [_words(query.text)] if query.text.strip() else []
    body: dict[str, Any] = {
        "query": {"bool": {"must": must, "filter": filters}},
        "size": query.size,
        "track_total_hits": COUNTED_AT_MOST,
        "sort": [
            {"@timestamp": {"order": "desc", "unmapped_type": "date"}},
            {"log.offset": {"order": "desc", "unmapped_type": "long"}},
        ],
        "aggs": {
            "levels": {"terms": {"field": "log.level", "size": 12}},
            "files": {"terms": {"field": "log.file.name", "size": 100}},
        },
    }
    if query.since is not None:
        every_s = bar_seconds(query, now)
        body["aggs"]["bars"] = {
            "date_histogram": {"field": "@timestamp", "fixed_interval": f"{every_s}s"},
            "aggs": {
                "errors": {"filter": {"terms": {"log.level": levels_from("error")}}},
            },
        }
    return body


def _words(text: str) -> dict[str, Any]:
    return {
        "simple_query_string": {
            "query": text,
            "fields": ["message^2", "error.message", "error.type", "http.route", "event.dataset"],
            "default_operator": "and",
            "lenient": True,
        }
    }


def levels_from(level: str) -> list[str]:
    """Return the level and those above it. Raises UsageError."""
    if level not in LEVELS:
        raise UsageError(f"there is no level {level!r}", hint=f"Levels: {', '.join(LEVELS)}.")
    found = list(LEVELS[LEVELS.index(level) :])
    # Other programs' words for the same.
    aliases = {"warning": ["warn"], "error": ["err"], "critical": ["fatal", "panic"]}
    return found + [alias for name in found for alias in aliases.get(name, ())]


def bar_seconds(query: Query, now: datetime) -> int:
    """Return how long one bar of the picture is, so that there are at most `BARS` of them."""
    span = (query.until or now) - (query.since or now)
    nice = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
    wanted = max(span, timedelta(seconds=1)).total_seconds() / BARS
    return next((step for step in nice if step >= wanted), nice[-1])


def read_answer(
    inventory: Inventory, answer: Mapping[str, Any], query: Query, now: datetime
) -> Found:
    """Return the store's answer as values."""
    hits = answer["hits"]
    total = hits.get("total", {"value": len(hits["hits"]), "relation": "eq"})
    groups = answer.get("aggregations", {})
    levels = {b["key"]: b["doc_count"] for b in _buckets(groups, "levels")}
    return Found(
        lines=tuple(_line(inventory, hit) for hit in hits["hits"]),
        # The store stops counting early; its groups it counts to the end.
        total=max(total["value"], sum(levels.values())),
        exact=total["relation"] == "eq",
        levels=levels,
        parts={b["key"].removesuffix(".log"): b["doc_count"] for b in _buckets(groups, "files")},
        bars=tuple(
            Bar(b["key_as_string"], b["doc_count"], b["errors"]["doc_count"])
            for b in _buckets(groups, "bars")
        ),
        bar_s=bar_seconds(query, now),
        took_ms=answer.get("took", 0),
    )


def _buckets(groups: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = groups.get(name, {}).get("buckets", [])
    return found


def _line(inventory: Inventory, hit: Mapping[str, Any]) -> FoundLine:
    fields = dict(_flat(hit.get("_source", {})))
    message = fields.get("message", "")
    return FoundLine(
        id=hit["_id"],
        at=str(fields.get("@timestamp", "")),
        part=part_of(inventory, hit["_index"]) or str(fields.get("service.name", "")),
        level=str(fields.get("log.level", "")).lower(),
        message=message if isinstance(message, str) else repr(message),
        fields=fields,
    )


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield fields by dotted name: `{"log": {"level": 1}}` and `{"log.level": 1}` are one."""
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", inner
