"""The log store's jobs: made ready, searched, compared with the files, rolled over.

The files are the truth. What the store lacks of them is sent again under the identity that the
shipper gives it, so that it does not matter who comes first, or how often.
"""

import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from msgspec import Struct

from abops.clients.opensearch import Document, OpenSearch, Refusal
from abops.inventory.model import Inventory
from abops.observability.logs.identity import Line, document_id, read_lines
from abops.observability.logs.retention import Backing, Plan, plan
from abops.observability.logs.search import Found, Query, read_answer, request, streams
from abops.observability.logs.streams import (
    PIPELINE,
    Source,
    sources,
    stream_of,
    stream_pattern,
)
from abops.observability.logs.templates import setup_calls
from abops.stack.logs import files_of

LINES_AT_ONCE = 2_000
ON_THEIR_WAY_S = 1.5
"""Longer than the shipper takes from the file to the store."""


class FileCount(Struct, frozen=True):
    """One file against its stream."""

    file: str
    stream: str
    lines: int
    missing: int
    """Lines that the store lacked."""
    sent: int
    refused: tuple[Refusal, ...]


def prepare_store(store: OpenSearch, inventory: Inventory) -> None:
    """Tell the store how lines become documents; telling it again changes nothing."""
    for path, document in setup_calls(inventory):
        store.put(path, document)


def find(store: OpenSearch, inventory: Inventory, query: Query, now: datetime) -> Found:
    """Return the lines that match, the newest first."""
    where = streams(inventory, query)
    return read_answer(inventory, store.search(where, request(query, now)), query, now)


def reconcile(
    store: OpenSearch, inventory: Inventory, folder: Path, env: str, *, send: bool
) -> tuple[FileCount, ...]:
    """Compare every file with its stream; with `send`, make good what is missing."""
    pattern = stream_pattern(inventory, env=env)
    store.refresh(pattern)
    compared = [
        _compare(store, source, stream_of(inventory, source.part, env), file)
        for source in sources(inventory)
        for file in files_of(folder, source.part)
    ]
    if any(each.lacking for each in compared):
        time.sleep(ON_THEIR_WAY_S)
        store.refresh(pattern)
    return tuple(_make_good(store, env, each, send=send) for each in compared)


class _Compared(Struct, frozen=True):
    """One file as it was read, and the lines that its stream lacked then."""

    source: Source
    stream: str
    file: Path
    lines: int
    lacking: dict[str, Line]


def _compare(store: OpenSearch, source: Source, stream: str, file: Path) -> _Compared:
    count = 0
    lacking: dict[str, Line] = {}
    lines = read_lines(file)
    while batch := list(islice(lines, LINES_AT_ONCE)):
        by_id = {document_id(source.part, line): line for line in batch}
        there = store.existing(stream, by_id)
        lacking |= {name: line for name, line in by_id.items() if name not in there}
        count += len(batch)
    return _Compared(source, stream, file, count, lacking)


def _make_good(store: OpenSearch, env: str, compared: _Compared, *, send: bool) -> FileCount:
    """Send the lines that are still lacking, now that those on their way have arrived."""
    arrived = store.existing(compared.stream, compared.lacking)
    lacking = [(n, line) for n, line in compared.lacking.items() if n not in arrived]
    refused: list[Refusal] = []
    sent = 0
    written = datetime.fromtimestamp(compared.file.stat().st_mtime, UTC)
    for start in range(0, len(lacking) if send else 0, LINES_AT_ONCE):
        documents = [
            Document(compared.stream, name, _content(compared.source, env, line, written))
            for name, line in lacking[start : start + LINES_AT_ONCE]
        ]
        failed = store.create(documents, pipeline=PIPELINE)
        refused += failed
        sent += len(documents) - len(failed)
    return FileCount(
        compared.file.name, compared.stream, compared.lines, len(lacking), sent, tuple(refused)
    )


def _content(source: Source, env: str, line: Line, written: datetime) -> dict[str, object]:
    """Return what the shipper would send; a line without a time gets its file's."""
    return {
        "@timestamp": written.isoformat(),
        "service.name": source.service,
        "service.environment": env,
        "log.file.name": f"{source.part}.log",
        "log.offset": line.offset,
        "line": line.text.decode("utf-8", errors="replace"),
    }


def keep_house(store: OpenSearch, inventory: Inventory, now: datetime) -> Plan:
    """Roll over and delete what the retention says; return what was done."""
    indices = [
        Backing(i.name, i.stream, i.created, i.size_bytes, i.documents, i.writes)
        for i in store.indices(stream_pattern(inventory))
    ]
    due = plan(indices, now)
    for stream in due.roll:
        store.rollover(stream)
    for name in due.delete:
        store.delete_index(name)
    return due
