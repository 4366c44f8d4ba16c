"""The business figures from a real PostgreSQL with the workload's own tables: exact values.

The exporter logs in as a role that may only read. Rows are dated from the server's `now()`, a
good way off every edge but those that a question draws itself.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from abops.clients import postgres as client
from abops.clients.postgres import PostgresReader, PostgresUnreachableError
from abops.observability.business import QUESTIONS
from abops.observability.exporter import Database, Exporter
from support.servers import Postgres, start_postgres, wait_until
from support.workload import FOLDER, PROGRAMS

READER = "reader"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ROWS = """
INSERT INTO plans VALUES (1, 'free', 0, 0, 'USD'), (2, 'pro', 29, 290, 'USD'),
    (3, 'business', 990000, 9900000, 'UZS'), (4, 'unsold', 5, 50, 'USD');
INSERT INTO users (id, plan_id, created_at) VALUES
    (1, 1, now() - interval '90 days'), (2, 1, now() - interval '25 hours'),
    (3, 1, now() - interval '23 hours'), (4, 2, now() - interval '1 hour'),
    (5, 2, now() - interval '90 days'), (6, 3, now() - interval '90 days');
INSERT INTO user_activity_daily (user_id, day) VALUES
    (1, current_date), (2, current_date), (1, current_date - 1), (3, current_date - 6),
    (4, current_date - 7), (1, current_date - 29), (5, current_date - 29), (6, current_date - 30);
INSERT INTO channels VALUES (11, 1, 'a', 10, now()), (12, 1, 'b', 10, now()),
    (13, 6, 'c', 1, now());
INSERT INTO scheduled_posts (id, user_id, channel_id, text, status, schedule_time, created_at)
    OVERRIDING SYSTEM VALUE VALUES
    (1, 1, 11, 'x', 'pending', now() - interval '2 minutes', now()),
    (2, 1, 11, 'x', 'pending', now() - interval '1 day', now()),
    (3, 1, 11, 'x', 'pending', now() - interval '20 seconds', now()),
    (4, 1, 12, 'x', 'pending', now() + interval '1 day', now()),
    (5, 1, 12, 'x', 'sent', now() - interval '1 day', now()),
    (6, 6, 13, 'x', 'sent', now() - interval '1 day', now()),
    (7, 6, 13, 'x', 'failed', now() - interval '1 day', now());
INSERT INTO deliveries (scheduled_post_id, status, retry_count, updated_at) VALUES
    (3, 'pending', 2, now()), (5, 'sent', 0, now()), (6, 'sent', 1, now()),
    (7, 'blocked', 0, now());
INSERT INTO subscriptions (id, user_id, plan_id, status, billing_cycle, amount, trial_ends_at,
    canceled_at, created_at) OVERRIDING SYSTEM VALUE VALUES
    (1, 4, 2, 'active', 'monthly', 29, now() + interval '2 days', NULL, now()),
    (2, 5, 2, 'active', 'yearly', 290, now() + interval '4 days', NULL, now()),
    (3, 6, 3, 'active', 'yearly', 9900000, now() - interval '1 day', NULL, now()),
    (4, 1, 2, 'canceled', 'monthly', 29, now() + interval '1 day',
        now() - interval '29 days', now()),
    (5, 2, 2, 'canceled', 'monthly', 29, NULL, now() - interval '31 days', now()),
    (6, 3, 3, 'past_due', 'monthly', 990000, NULL, NULL, now());
INSERT INTO payments (subscription_id, provider, status, amount, currency, created_at) VALUES
    (1, 'stripe', 'succeeded', 29, 'USD', now()), (1, 'stripe', 'succeeded', 29.5, 'USD', now()),
    (2, 'stripe', 'failed', 290, 'USD', now()), (3, 'payme', 'succeeded', 9900000, 'UZS', now()),
    (6, 'click', 'pending', 990000, 'UZS', now()), (6, 'click', 'canceled', 990000, 'UZS', now());
"""
EXPECTED = {
    "analyticbot_users": {("free",): 3.0, ("pro",): 2.0, ("business",): 1.0, ("unsold",): 0.0},
    "analyticbot_active_users": {("1d",): 2.0, ("7d",): 3.0, ("30d",): 5.0},
    "analyticbot_new_users": {(): 2.0},
    "analyticbot_channels": {(): 3.0},
    "analyticbot_scheduled_posts": {("pending",): 4.0, ("sent",): 2.0, ("failed",): 1.0},
    "analyticbot_overdue_posts": {(): 2.0},
    "analyticbot_deliveries_total": {("pending",): 1.0, ("sent",): 2.0, ("blocked",): 1.0},
    "analyticbot_subscriptions": {
        ("pro", "active"): 2.0,
        ("pro", "canceled"): 2.0,
        ("business", "active"): 1.0,
        ("business", "past_due"): 1.0,
    },
    # A year's price counts with a twelfth; canceled and unpaid ones bring nothing.
    "analyticbot_mrr": {("pro", "USD"): 29 + 290 / 12, ("business", "UZS"): 825_000.0},
    "analyticbot_payments_total": {
        ("stripe", "succeeded"): 2.0,
        ("stripe", "failed"): 1.0,
        ("payme", "succeeded"): 1.0,
        ("click", "pending"): 1.0,
        ("click", "canceled"): 1.0,
    },
    "analyticbot_revenue_total": {("USD",): 58.5, ("UZS",): 9_900_000.0},
    "analyticbot_canceled_subscriptions": {(): 1.0},
    "analyticbot_ending_trials": {(): 1.0},
}


@dataclass
class SetClock:
    """A clock that stands until it is moved."""

    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


@dataclass
class Watched:
    """An exporter on the database, as a scrape sees it."""

    server: Postgres
    exporter: Exporter
    clock: SetClock
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def read(self, *, later: timedelta = timedelta()) -> None:
        self.clock.at += later
        self.exporter.read_once()

    def figures(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Return every figure by the values of its labels, in the order of the question."""
        found: dict[str, dict[tuple[str, ...], float]] = {}
        order = {question.metric: question.labels for question in QUESTIONS}
        for family in self.registry.collect():
            for sample in family.samples:
                if sample.name in order:
                    key = tuple(sample.labels[label] for label in order[sample.name])
                    found.setdefault(sample.name, {})[key] = sample.value
        return found

    def up(self) -> float | None:
        return self.registry.get_sample_value("abops_exporter_up", {"source": "postgres"})

    @contextmanager
    def server_away(self) -> Iterator[None]:
        """Stop PostgreSQL for the time of the block; it comes back on its port with its rows."""
        self.server.stop()
        try:
            yield
        finally:
            self.server.process = subprocess.Popen(
                self.server.process.args,
                cwd="/",
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            wait_until(lambda: _accepts(self.server), what="PostgreSQL's return")


def _accepts(server: Postgres) -> bool:
    try:
        psycopg.connect(server.dsn(), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Return a server with the workload's tables, as its migrations make them, and the rows."""
    with start_postgres(tmp_path_factory.mktemp("postgres")) as server:
        address = {"DATABASE_URL": server.dsn()}
        migrated = subprocess.run(
            [PROGRAMS / "alembic", "upgrade", "head"],
            cwd=FOLDER,
            env={**os.environ, **address},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert migrated.returncode == 0, migrated.stderr
        with psycopg.connect(server.dsn(), autocommit=True) as owner:
            owner.execute(ROWS.encode())
            owner.execute(f"CREATE ROLE {READER} LOGIN PASSWORD '{READER}'".encode())
            owner.execute(f"GRANT pg_read_all_data TO {READER}".encode())
        yield server
        server.stop()  # the one that came back; `start_postgres` knows the first one only


@pytest.fixture
def owner(server: Postgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def watched(server: Postgres) -> Iterator[Watched]:
    reader = PostgresReader(f"postgresql://{READER}:{READER}@127.0.0.1:{server.port}/postgres")
    clock = SetClock()
    made = Watched(server, Exporter([Database(reader)], clock, timedelta(seconds=15)), clock)
    made.registry.register(made.exporter)
    yield made
    reader.close()


def test_every_question_has_a_value_that_was_worked_out_by_hand() -> None:
    assert {question.metric for question in QUESTIONS} == EXPECTED.keys()


@pytest.mark.parametrize("metric", EXPECTED)
def test_a_figure_is_what_the_rows_say(watched: Watched, metric: str) -> None:
    watched.read()

    found = watched.figures()[metric]
    assert EXPECTED[metric].keys() == found.keys()
    assert found == pytest.approx(EXPECTED[metric], abs=0.005)  # half a cent: numeric to float


def test_a_database_without_rows_shows_zeros_and_no_errors(
    watched: Watched, owner: psycopg.Connection
) -> None:
    owner.execute("TRUNCATE users, plans CASCADE")
    try:
        watched.read()
    finally:
        owner.execute(ROWS.encode())

    zero = {(): 0.0}
    assert {
        "analyticbot_active_users": {("1d",): 0.0, ("7d",): 0.0, ("30d",): 0.0},
        "analyticbot_new_users": zero,
        "analyticbot_channels": zero,
        "analyticbot_overdue_posts": zero,
        "analyticbot_canceled_subscriptions": zero,
        "analyticbot_ending_trials": zero,
    } == watched.figures()
    assert 1.0 == watched.up()


def test_a_server_that_is_gone_leaves_its_last_figures_for_fifteen_minutes(
    watched: Watched,
) -> None:
    watched.read()
    before = watched.figures()

    with watched.server_away():
        watched.read(later=timedelta(minutes=15))
        assert (before, 0.0) == (watched.figures(), watched.up())

        watched.read(later=timedelta(seconds=1))
        assert ({}, 0.0) == (watched.figures(), watched.up())

    watched.read()
    assert (before, 1.0) == (watched.figures(), watched.up())


def test_a_server_that_restarted_between_two_readings_is_found_again(watched: Watched) -> None:
    watched.read()
    before = watched.figures()
    with watched.server_away():
        pass

    watched.read()  # the connection it held is dead: this one fails
    watched.read(later=timedelta(seconds=15))

    assert (before, 1.0) == (watched.figures(), watched.up())


def test_a_question_that_takes_too_long_is_given_up_and_blocks_no_scrape(
    watched: Watched, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "STATEMENT_TIMEOUT_MS", 200)
    watched.read()
    before = watched.figures()

    with owner.transaction():
        owner.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        watched.read(later=timedelta(seconds=15))

    assert (before, 0.0) == (watched.figures(), watched.up())


def test_the_exporter_cannot_write_even_as_the_owner(server: Postgres) -> None:
    reader = PostgresReader(server.dsn())
    try:
        with pytest.raises(PostgresUnreachableError, match="ReadOnlySqlTransaction"):
            reader.rows("DELETE FROM payments RETURNING id")
    finally:
        reader.close()
