"""Example customers: `python -m apps.seed [--users 500]`. Running it again changes nothing.

Everything is drawn from a fixed seed and written with ON CONFLICT DO NOTHING, so that two
machines hold the same customers and a board can be compared with yesterday's.
"""

import argparse
import random
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Table, select, text
from sqlalchemy.dialects.postgresql import insert

from apps import clock
from apps.passwords import hash_password
from apps.settings import SettingsError, settings
from apps.storage import tables
from apps.storage.engines import sync_engine

Row = dict[str, Any]
FIRST_USER = 10_001
FIRST_CHANNEL = 500_001
CHANNELS_PER_USER = 2
DEMO_PASSWORD = "correct horse battery staple"  # noqa: S105 - of customers that do not exist
USERS_WITH_LOGIN = 20
DAYS_OF_HISTORY = 35

PLANS: tuple[Row, ...] = (
    {"id": 1, "name": "free", "price_monthly": 0, "price_yearly": 0, "currency": "USD"},
    {"id": 2, "name": "starter", "price_monthly": 9, "price_yearly": 90, "currency": "USD"},
    {"id": 3, "name": "pro", "price_monthly": 29, "price_yearly": 290, "currency": "USD"},
    {
        "id": 4,
        "name": "business",
        "price_monthly": 990000,
        "price_yearly": 9900000,
        "currency": "UZS",
    },
)


def seed(connection: Connection, *, users: int) -> dict[str, int]:
    """Write the customers and what they did; return how many rows were new, by table."""
    die = random.Random(20_26)  # noqa: S311 - example data
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    people = _people(die, users, datetime(2026, 1, 1, tzinfo=UTC))
    # Serial ids are given here, so that a second run meets its own rows.
    added = {
        "plans": _add(connection, tables.plans, PLANS),
        "users": _add(connection, tables.users, people),
        "credentials": _add_logins(connection, people),
        "channels": _add(connection, tables.channels, _channels(die, people)),
    }
    subscriptions = _subscriptions(die, people)
    added["subscriptions"] = _add(connection, tables.subscriptions, subscriptions)
    added["payments"] = _add(connection, tables.payments, _payments(die, subscriptions, today))
    added["user_activity_daily"] = _add(
        connection, tables.user_activity_daily, _activity(die, people, today)
    )
    for table in (tables.subscriptions, tables.payments):
        _move_sequence(connection, table)
    return added


def _add(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    # What was inserted, not what the table grew by: the bot may be adding users meanwhile.
    return sum(
        connection.execute(
            insert(table).on_conflict_do_nothing(),
            rows[start : start + 1000],
            execution_options={"preserve_rowcount": True},
        ).rowcount
        for start in range(0, len(rows), 1000)
    )


def _move_sequence(connection: Connection, table: Table) -> None:
    name = table.name
    connection.execute(
        text(
            f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), "  # noqa: S608 - our table
            f"greatest((SELECT max(id) FROM {name}), 1))"
        )
    )


def _people(die: random.Random, users: int, start: datetime) -> list[Row]:
    return [
        {
            "id": FIRST_USER + number,
            "plan_id": die.choices((1, 2, 3, 4), weights=(70, 15, 10, 5))[0],
            "created_at": start + timedelta(minutes=die.randrange(60 * 24 * 300)),
        }
        for number in range(users)
    ]


def _add_logins(connection: Connection, people: Sequence[Row]) -> int:
    have = set(connection.scalars(select(tables.credentials.c.user_id)))
    # A slow hash is the point of it: it is not computed for those who have one.
    rows = [
        {
            "user_id": person["id"],
            "login": f"user{person['id']}",
            "password_hash": hash_password(DEMO_PASSWORD),
        }
        for person in people[:USERS_WITH_LOGIN]
        if person["id"] not in have
    ]
    return _add(connection, tables.credentials, rows) if rows else 0


def _channels(die: random.Random, people: Sequence[Row]) -> list[Row]:
    return [
        {
            "id": FIRST_CHANNEL + number * CHANNELS_PER_USER + place,
            "user_id": person["id"],
            "title": f"Channel {number * CHANNELS_PER_USER + place + 1}",
            "subscribers": int(die.paretovariate(1.2) * 100) % 2_000_000,
            "created_at": person["created_at"] + timedelta(hours=1),
        }
        for number, person in enumerate(people)
        for place in range(CHANNELS_PER_USER)
    ]


def _subscriptions(die: random.Random, people: Sequence[Row]) -> list[Row]:
    prices = {plan["id"]: plan for plan in PLANS}
    rows: list[Row] = []
    for person in people:
        plan = prices[person["plan_id"]]
        if plan["price_monthly"] == 0:
            continue
        cycle = die.choices(("monthly", "yearly"), weights=(80, 20))[0]
        status = die.choices(("active", "canceled", "past_due"), weights=(85, 10, 5))[0]
        created = person["created_at"] + timedelta(days=1)
        rows.append(
            {
                "id": len(rows) + 1,
                "user_id": person["id"],
                "plan_id": plan["id"],
                "status": status,
                "billing_cycle": cycle,
                "amount": Decimal(plan[f"price_{cycle}"]),
                "trial_ends_at": created + timedelta(days=14),
                "canceled_at": created + timedelta(days=40) if status == "canceled" else None,
                "created_at": created,
            }
        )
    return rows


def _payments(die: random.Random, subscriptions: Sequence[Row], today: datetime) -> list[Row]:
    currency = {plan["id"]: plan["currency"] for plan in PLANS}
    return [
        {
            "id": number + 1,
            "subscription_id": row["id"],
            "provider": "stripe" if currency[row["plan_id"]] == "USD" else die.choice(LOCAL_WAYS),
            "status": die.choices(
                ("succeeded", "failed", "pending", "canceled"), weights=(90, 5, 3, 2)
            )[0],
            "amount": row["amount"],
            "currency": currency[row["plan_id"]],
            "created_at": today - timedelta(minutes=die.randrange(60 * 24 * DAYS_OF_HISTORY)),
        }
        for number, row in enumerate(subscriptions)
    ]


LOCAL_WAYS = ("payme", "click")


def _activity(die: random.Random, people: Sequence[Row], today: datetime) -> list[Row]:
    return [
        {"user_id": person["id"], "day": (today - timedelta(days=age)).date()}
        for person in people
        for age in range(DAYS_OF_HISTORY)
        if die.random() < 0.25  # noqa: PLR2004 - a quarter of the customers come on a day
    ]


def main() -> int:
    """Seed the database that DATABASE_URL names."""
    parser = argparse.ArgumentParser(prog="python -m apps.seed", description=__doc__)
    parser.add_argument("--users", type=int, default=500, help="how many customers (500)")
    arguments = parser.parse_args()
    try:
        engine = sync_engine(settings(), pool_size=1)
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    with engine.begin() as connection:
        added = seed(connection, users=arguments.users)
    engine.dispose()
    sys.stdout.write("".join(f"{table}: {count} new\n" for table, count in added.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
