"""Migrations, example data, and what the api says about a schema that is not its own."""

import ast

import pytest

from support.servers import answers, free_port, listens
from support.workload import FOLDER, Workload


def test_the_migrations_make_the_tables_that_the_code_sees(workload: Workload) -> None:
    code = (
        "from alembic.autogenerate import compare_metadata as c;"
        "from alembic.migration import MigrationContext as M;"
        "from apps.settings import settings;"
        "from apps.storage.engines import sync_engine;"
        "from apps.storage.tables import metadata;"
        "e = sync_engine(settings(), pool_size=1).connect();"
        "d = c(M.configure(e, opts={'compare_type': True}), metadata);"
        "print([x for x in d if 'index' not in x[0] and 'comment' not in x[0]])"
    )

    done = workload.run("python", "-c", code)

    assert "[]" == done.stdout.strip(), done.stderr


def test_there_is_one_head_and_the_code_runs_on_it(workload: Workload) -> None:
    heads = workload.run("alembic", "heads").stdout.split("\n")
    source = ast.parse((FOLDER / "apps/storage/tables.py").read_text())
    [needed] = [
        ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SCHEMA_REVISION"
    ]

    assert [f"{needed} (head)"] == [line for line in heads if line]


def test_migrations_go_down_and_up_again(workload: Workload) -> None:
    workload.sql("CREATE DATABASE second")
    url = workload.postgres.dsn("second")

    for argv in (("upgrade", "head"), ("downgrade", "base"), ("upgrade", "head")):
        done = workload.run("alembic", *argv, DATABASE_URL=url)
        assert 0 == done.returncode, done.stderr


def test_seeding_again_changes_nothing(workload: Workload) -> None:
    done = workload.run("python", "-m", "apps.seed", "--users=60")

    assert {"0 new"} == {line.partition(": ")[2] for line in done.stdout.splitlines()}


@pytest.mark.parametrize(("revision", "expected"), [("0003", 503), ("0004", 200), ("0999", 200)])
def test_ready_means_that_the_schema_is_not_behind(
    workload: Workload, revision: str, expected: int
) -> None:
    workload.sql(f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608
    try:
        status = workload.get("/ready")[0]
    finally:
        workload.sql("UPDATE alembic_version SET version_num = '0004'")

    assert expected == status


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u:geheim@h/d"),
        ("BOT_TOKEN", "geheim"),
        ("DB_POOL_SIZE", "0"),
        ("METRICS_PORT", "99999"),
        ("BOT_POLL_STALL_S", "soon"),
        ("WORKLOAD_FAULTS", "yes"),
    ],
)
def test_a_bad_environment_ends_with_a_sentence(workload: Workload, name: str, value: str) -> None:
    done = workload.run("python", "-m", "apps.seed", **{name: value})

    assert 2 == done.returncode
    assert done.stderr.startswith(f"error: {name}: ")
    assert "Traceback" not in done.stderr
    assert "geheim" not in done.stderr


def test_a_token_that_telegram_does_not_know_ends_the_bot(workload: Workload) -> None:
    port = free_port()

    env = {"BOT_TOKEN": "1:wrong", "METRICS_PORT": str(port)}
    done = workload.run("python", "-m", "apps.bot.run_bot", **env)

    assert 1 == done.returncode
    assert "Telegram does not know this token" in done.stdout
    assert not listens(port)


def test_without_permission_there_are_no_switches(workload: Workload) -> None:
    done = workload.run("python", "-m", "apps.control", WORKLOAD_FAULTS="0")

    assert 2 == done.returncode
    assert "WORKLOAD_FAULTS=1" in done.stderr
    assert answers(workload.urls["control"] + "/health")
