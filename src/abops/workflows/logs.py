"""The log store's jobs: made ready, searched, compared with the files, rolled over.

The files are the truth. What the store lacks of them is sent again under the identity that the
shipper gives it, so that it does not matter who comes first, or how often.
"""

import time
from collections.abc import Iterator
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
) -> Iterator[FileCount]:
    """Compare every file with its stream, file by file; with `send`, make good what is missing."""
    arrival = _Arrival(store, stream_pattern(inventory, env=env))
    for source in sources(inventory):
        stream = stream_of(inventory, source.part, env)
        for file in files_of(folder, source.part):
            yield _compare(store, source, env, stream, file, send=send, arrival=arrival)


class _Arrival:
    """Lets lines that are on their way arrive, once: they are not missing."""

    def __init__(self, store: OpenSearch, pattern: str) -> None:
        self._store = store
        self._pattern = pattern
        self._waited = False
        store.refresh(pattern)

    def wait(self) -> None:
        if not self._waited:
            time.sleep(ON_THEIR_WAY_S)
            self._store.refresh(self._pattern)
            self._waited = True


def _compare(  # noqa: PLR0913 - what one file and its stream are
    store: OpenSearch,
    source: Source,
    env: str,
    stream: str,
    file: Path,
    *,
    send: bool,
    arrival: _Arrival,
) -> FileCount:
    count, missing, sent = 0, 0, 0
    refused: list[Refusal] = []
    lines = read_lines(file)
    while batch := list(islice(lines, LINES_AT_ONCE)):
        by_id = {document_id(source.part, line): line for line in batch}
        lacking = by_id.keys() - store.existing(stream, by_id)
        if lacking:
            arrival.wait()
            lacking -= store.existing(stream, lacking)
        count += len(batch)
        missing += len(lacking)
        if send and lacking:
            written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
            documents = [
                Document(stream, name, _content(source, env, by_id[name], written))
                for name in sorted(lacking, key=lambda name: by_id[name].offset)
            ]
            failed = store.create(documents, pipeline=PIPELINE)
            refused += failed
            sent += len(documents) - len(failed)
    return FileCount(file.name, stream, count, missing, sent, tuple(refused))


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
