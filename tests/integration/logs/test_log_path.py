"""Lines from their files to the store, by the real shipper: all of them, once, and masked."""

import json
import re
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner

from abops.entry.cli.main import main
from abops.kernel.clock import SystemClock
from abops.observability.logs.search import Query
from abops.observability.logs.streams import stream_of
from abops.stack.logs import shorten_all
from abops.workflows.log_keeper import LogKeeper, Place
from abops.workflows.logs import FileCount, find, keep_house, reconcile
from support.logs import INVENTORY, ROOT, Shipper, Store
from support.servers import wait_until
from support.workload import FIRST_CHANNEL, PROGRAMS, start_workload

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
MANY = 3_000


def a_line(number: int = 0, **fields: object) -> dict[str, object]:
    return {
        "@timestamp": f"2026-11-25T11:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
        "log.level": "info",
        "message": f"line {number}",
        "service.name": "analyticbot-api",
        **fields,
    }


def compared(shipper: Shipper, *, send: bool = True) -> list[FileCount]:
    client = shipper.store.client
    return list(reconcile(client, INVENTORY, shipper.logs, shipper.env, send=send))


def test_a_line_becomes_the_fields_that_it_names(shipper: Shipper) -> None:
    shipper.write(a_line(**{"trace.id": "ab" * 16, "event.duration": 5_000_000, "own": {"x": 1}}))
    with shipper.running():
        (line,) = shipper.store.await_lines(shipper.env, 1)
    wanted = {
        "@timestamp": "2026-11-25T11:00:00.000Z",
        "event.duration": 5_000_000,
        "log.file.name": "api.log",
        "log.level": "info",
        "log.offset": 0,
        "message": "line 0",
        "own.x": 1,
        "service.environment": shipper.env,
        "service.name": "analyticbot-api",
        "trace.id": "ab" * 16,
    }
    ingested = line.fields.pop("event.ingested")
    assert wanted == line.fields
    assert abs(datetime.fromisoformat(ingested) - SystemClock().now()) < timedelta(minutes=1)


def test_what_is_no_json_is_kept_as_it_stands(shipper: Shipper) -> None:
    odd = [
        b'level=info msg="started" \x01\x1b[0m\ttab',
        b"[1,2]",
        b"{}",
        b'{"cut off": "by a cra',
        b'{"message":"\xff\xfe is no UTF-8","log.level":"info"}',
        "{'message': 'é😀'}".encode(),
        b"",
        b'{"message":"no time"}',
    ]
    shipper.write(*odd, part="prometheus")
    with shipper.running():
        lines = shipper.store.await_lines(shipper.env, 7, part="prometheus")
    assert [
        'level=info msg="started" \x01\x1b[0m\ttab',
        "[1,2]",
        "{}",
        '{"cut off": "by a cra',
        "?? is no UTF-8",
        "{'message': 'é😀'}",
        "no time",
    ] == [line.message for line in lines]
    assert {"prometheus"} == {str(line.fields["service.name"]) for line in lines}
    assert [] == shipper.dead_letters()
    assert 0 == sum(count.missing for count in compared(shipper, send=False))


def test_a_post_is_found_by_its_trace_from_the_api_to_the_worker(store: Store) -> None:
    if not PROGRAMS.is_dir():
        pytest.fail("workload/.venv is missing: run `make env`")
    trace = secrets.token_hex(16)
    header = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    with (
        # Not pytest's folder: the next pytest that starts closes that one to PostgreSQL's user.
        TemporaryDirectory(prefix="abops-logs-", ignore_cleanup_errors=True) as name,
        start_workload(Path(name)) as workload,
        Shipper(store, Path(name) / "shipper", logs=Path(name)).running(),
    ):
        body = {"channel_id": FIRST_CHANNEL + 4, "text": "found by its trace"}
        assert 202 == workload.request("POST", "api", "/api/v1/posts", body, **header)[0]
        parts: set[str] = set()

        def both_wrote() -> bool:
            query = Query(trace=trace)
            store.client.refresh("logs-*")
            found = find(store.client, INVENTORY, query, SystemClock().now())
            parts.update(line.part for line in found.lines)
            return {"api", "worker"} <= parts

        wait_until(both_wrote, timeout_s=30, what=f"lines of api and worker, have {parts}")


SECRETS = {
    "bot token": "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw9",
    "bearer": "s3cr3t.bearer-value",
    "basic": "dXNlcjpwYXNzd29yZA==",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "password": "hunter2hunter2",
    "card": "4111 1111 1111 1111",
    "uzcard": "8600123412341234",
    "phone": "+998 90 123 45 67",
    "phone without plus": "998901234567",
}


def test_nothing_secret_reaches_the_store_even_when_the_service_let_it_out(
    shipper: Shipper,
) -> None:
    s = SECRETS
    leaks = [
        a_line(message=f"POST https://api.telegram.org/bot{s['bot token']}/sendMessage"),
        a_line(message=f"Authorization: Bearer {s['bearer']}"),
        a_line(headers={"authorization": f"Basic {s['basic']}", "list": [f"x {s['jwt']} y"]}),
        a_line(**{"error.stack_trace": f"postgresql://bot:{s['password']}@db/x"}),
        a_line(message=f"paid with {s['card']} by {s['phone']}, {s['phone without plus']}"),
        a_line(message=json.dumps({"authorization": f"token {s['bearer']}", "pan": s["uzcard"]})),
    ]
    shipper.write(*leaks)
    shipper.write(f'time=now card="{s["uzcard"]}" url=redis://:{s["password"]}@h', part="redis")
    with shipper.running():
        api = shipper.store.await_lines(shipper.env, len(leaks))
        redis = shipper.store.await_lines(shipper.env, 1, part="redis")
    stored = json.dumps([line.fields for line in (*api, *redis)])
    assert {} == {kind: secret for kind, secret in s.items() if secret in stored}
    assert 11 <= stored.count("***")
    assert "POST https://api.telegram.org/bot***/sendMessage" == api[0].message
    assert {"headers.authorization": "***", "headers.list": ["x *** y"]} == {
        name: value for name, value in api[2].fields.items() if name.startswith("headers")
    }


def test_masking_leaves_numbers_that_are_none_of_anybody(shipper: Shipper) -> None:
    innocent = a_line(
        message="chat -1001234567890 at 1732500000000000000, 12345 ms, 10.0.0.1:5432",
        **{
            "trace.id": "4111111111111111" * 2,
            "span.id": "4111111111111111",
            "n": 4111111111111111,
        },
    )
    shipper.write(innocent)
    with shipper.running():
        (line,) = shipper.store.await_lines(shipper.env, 1)
    assert innocent == {name: line.fields[name] for name in innocent}


def test_a_line_that_the_store_refuses_goes_to_the_dead_letters_and_the_rest_is_stored(
    shipper: Shipper,
) -> None:
    shipper.write(a_line(1), a_line(2, **{"event.duration": "long"}), a_line(3))
    with shipper.running():
        lines = shipper.store.await_lines(shipper.env, 2)
        wait_until(lambda: bool(shipper.dead_letters()), timeout_s=10, what="a dead letter")
    assert ["line 1", "line 3"] == [line.message for line in lines]
    (dead,) = shipper.dead_letters()
    assert (400, stream_of(INVENTORY, "api", shipper.env)) == (dead["status"], dead["stream"])
    assert "failed to parse field [event.duration]" in dead["reason"]
    assert a_line(2, **{"event.duration": "long"}) == json.loads(dead["line"])

    (count,) = compared(shipper)
    assert (3, 1, 0) == (count.lines, count.missing, count.sent)
    (refusal,) = count.refused
    assert (400, True) == (refusal.status, "event.duration" in refusal.reason)


def test_a_file_that_is_cut_loses_no_line(shipper: Shipper) -> None:
    with shipper.running():
        shipper.write(*(a_line(n) for n in range(500)))
        shorten_all(shipper.logs, NOW, limit_bytes=1)
        shipper.write(*(a_line(n) for n in range(500, 800)))
        shipper.store.await_lines(shipper.env, 300)
        counts = compared(shipper)
    assert [500, 300] == [count.lines for count in counts]
    stored = [line.message for line in shipper.store.lines(shipper.env)]
    assert set() == {f"line {n}" for n in range(800)} - set(stored)
    # Cut while the shipper was in the middle of a line: it joins that half with the next line.
    assert len(stored) <= 801
    assert 0 == sum(count.missing for count in compared(shipper))


@pytest.fixture
def stopped(store: Store) -> Iterator[Store]:
    """The store, stopped; it runs again afterwards in any case."""
    store.stop()
    try:
        yield store
    finally:
        if store.server is None:
            store.start()


def test_while_the_store_is_down_every_line_waits_and_after_a_crash_is_found_again(
    shipper: Shipper, stopped: Store, tmp_path: Path
) -> None:
    crashed = Shipper(stopped, tmp_path / "crashed")
    with shipper.running():
        with crashed.running() as other:
            shipper.write(*(a_line(n) for n in range(MANY)))
            crashed.write(*(a_line(n) for n in range(MANY)))
            wait_until(
                lambda: "suspending" in (crashed.folder / "rsyslog.log").read_text(),
                what="rsyslog sees that the store is away",
            )
            other.stop()  # exactly here it loses lines, whatever its queue
        stopped.start()
        lines = stopped.await_lines(shipper.env, MANY)
    assert [f"line {n}" for n in range(MANY)] == [line.message for line in lines]

    with crashed.running():
        stopped.await_lines(crashed.env, MANY // 2)
        (first,) = compared(crashed)
        (again,) = compared(crashed)
    assert (MANY, first.missing) == (first.lines, first.sent)
    assert (0, 0) == (again.missing, again.sent)
    lines = stopped.lines(crashed.env)
    assert [f"line {n}" for n in range(MANY)] == [line.message for line in lines]


def test_sending_a_file_twice_stores_it_once(shipper: Shipper) -> None:
    shipper.write(*(a_line(n) for n in range(100)))
    (first,) = compared(shipper)
    with shipper.running():
        shipper.write(a_line(100))
        shipper.store.await_lines(shipper.env, 101)
    assert (100, 100) == (first.missing, first.sent)
    assert 101 == len(shipper.store.lines(shipper.env))
    assert [] == shipper.dead_letters()


def test_lines_are_found_by_trace_word_level_part_and_time(shipper: Shipper) -> None:
    trace = "cd" * 16
    shipper.write(
        a_line(1, **{"trace.id": trace}),
        a_line(2, **{"log.level": "warning", "message": "pool nearly empty"}),
        a_line(3, **{"log.level": "error", "error.type": "TimeoutError", "trace.id": trace}),
    )
    shipper.write(a_line(4, **{"trace.id": trace}), part="worker")
    with shipper.running():
        shipper.store.await_lines(shipper.env, 3)
        shipper.store.await_lines(shipper.env, 1, part="worker")

    def found(**query: object) -> list[str]:
        wanted = Query(env=shipper.env, **query)  # type: ignore[arg-type]
        answer = find(shipper.store.client, INVENTORY, wanted, NOW)
        return [f"{line.part} {line.message}" for line in answer.lines]

    assert ["worker line 4", "api line 3", "api line 1"] == found(trace=trace.upper())
    assert ["api line 3"] == found(trace=trace, part="api", level="error")
    assert ["api line 3", "api pool nearly empty"] == found(level="warning")
    assert ["api pool nearly empty"] == found(text="pool empty")
    assert ["api pool nearly empty"] == found(text='"nearly empty" -full')
    assert [] == found(text='"empty nearly"')
    assert ["api line 3"] == found(text="TimeoutError")
    start = datetime(2026, 11, 25, 11, 0, 2, tzinfo=UTC)
    assert ["api pool nearly empty"] == found(since=start, until=start + timedelta(seconds=1))
    assert [] == found(part="beat")

    client = shipper.store.client
    answer = find(client, INVENTORY, Query(env=shipper.env, since=NOW - timedelta(hours=1)), NOW)
    assert ({"info": 2, "warning": 1, "error": 1}, {"api": 3, "worker": 1}) == (
        answer.levels,
        answer.parts,
    )
    assert (4, 1) == (sum(b.lines for b in answer.bars), sum(b.errors for b in answer.bars))


def test_a_stream_goes_on_in_a_new_index_and_the_old_one_goes_in_its_time(
    shipper: Shipper,
) -> None:
    shipper.write(a_line(1))
    client, stream = shipper.store.client, stream_of(INVENTORY, "api", shipper.env)
    compared(shipper)
    now = SystemClock().now()
    assert () == keep_house(client, INVENTORY, now).roll
    client.refresh(stream)

    rolled = keep_house(client, INVENTORY, now + timedelta(days=1, minutes=1))
    shipper.write(a_line(2))
    (count,) = compared(shipper)

    assert stream in rolled.roll
    assert (2, 1) == (count.lines, count.sent)  # the first is known from the index before
    gone = keep_house(client, INVENTORY, now + timedelta(days=31))
    assert [f".ds-{stream}-000001"] == [name for name in gone.delete if stream in name]
    assert ["line 2"] == [line.message for line in shipper.store.lines(shipper.env)]


def test_the_keeper_says_how_the_path_is_and_mends_it(shipper: Shipper, tmp_path: Path) -> None:
    shipper.write(a_line(1), a_line(2, **{"event.duration": "x"}))
    metrics = tmp_path / "logs.prom"
    place = Place(shipper.logs, shipper.env, shipper.folder / "state/dead-letter.jsonl", metrics)

    class Clock:
        moment = datetime(2026, 11, 25, 11, 2, tzinfo=UTC)

        def now(self) -> datetime:
            return self.moment

        def monotonic(self) -> float:
            return 0.0

    told: list[str] = []
    clock = Clock()
    client = shipper.store.client
    keeper = LogKeeper(client, INVENTORY, place, clock=clock, tell=told.append)
    before = keeper.step()
    shipper.write(a_line(360, **{"log.level": "error"}))
    clock.moment += timedelta(minutes=5)
    after = keeper.step()

    assert (2, 119.0) == (before.unshipped["api"], before.lag_s)
    assert (1, {}, {"api": 1}) == (after.unshipped["api"], before.errors, after.errors)
    assert "api.log: 3 of 3 lines were missing, 2 sent, 1 refused" in told
    text = metrics.read_text()
    assert re.search(r"^abops_log_store_up 1$", text, re.MULTILINE)
    assert re.search(r'^abops_log_unshipped_lines\{part="api"\} 1$', text, re.MULTILINE)

    over = threading.Event()
    over.set()
    keeper.run(over)  # ends at once
    assert not metrics.exists()


def test_the_commands_find_a_trace_and_count_the_files(shipper: Shipper) -> None:
    trace = "ef" * 16
    shipper.write(a_line(1, **{"trace.id": trace}))
    inventory = ["--inventory", str(ROOT / "platform.yaml"), "--logs", shipper.store.url]
    logs = ["observability", "logs"]
    files = ["--folder", str(shipper.logs), "--env", shipper.env]
    run = CliRunner().invoke

    missing = run(main, [*logs, "reconcile", "--check", *files, *inventory])
    sent = run(main, [*logs, "reconcile", *files, *inventory])
    checked = run(main, [*logs, "reconcile", "--check", *files, *inventory])
    found = run(main, [*logs, "search", "--trace", trace, *inventory, "--output", "json"])

    assert (1, 0, 0) == (missing.exit_code, sent.exit_code, checked.exit_code)
    (line,) = json.loads(found.stdout)
    assert ("line 1", trace) == (line["message"], line["trace.id"])
