"""The applications' DSN turned to another server: nothing but the place changes."""

from pathlib import Path

import pytest

from abops.backup.restore.dsn import (
    Address,
    DsnSecretError,
    address_of,
    find_secret,
    point_at,
    pointed_at,
    read_address,
)
from abops.kernel.errors import UsageError

DB2 = Address("db2.example.org", 6432)
SOCKET = Address("/run/db", 5433)


@pytest.mark.parametrize(
    ("dsn", "address", "expected"),
    [
        (
            "postgresql+asyncpg://ana:p%40ss:w@db1:5432/bot?ssl=require",
            DB2,
            "postgresql+asyncpg://ana:p%40ss:w@db2.example.org:6432/bot?ssl=require",
        ),
        ("postgresql://db1/bot", DB2, "postgresql://db2.example.org:6432/bot"),
        (
            "postgresql://ana@db1:5432,db0:5432/bot",
            Address("fd00::2", 5432),
            "postgresql://ana@[fd00::2]:5432/bot",
        ),
        ("postgresql://ana@db1/bot", SOCKET, "postgresql://ana@/bot?host=/run/db&port=5433"),
        (
            "postgresql://ana@/bot?host=/run/old&port=1&x=1",
            DB2,
            "postgresql://ana@db2.example.org:6432/bot?x=1",
        ),
        (
            "host=db1 user=ana password='a b\\'c' dbname=bot",
            DB2,
            "host='db2.example.org' port=6432 user=ana password='a b\\'c' dbname=bot",
        ),
    ],
)
def test_only_the_place_changes(dsn: str, address: Address, expected: str) -> None:
    assert expected == pointed_at(dsn, address)
    assert expected == pointed_at(expected, address)


def test_the_secret_is_replaced_for_its_owner_only(tmp_path: Path) -> None:
    (tmp_path / "database-url").write_text("postgresql://ana:word@db1/bot\n")
    secret = find_secret(tmp_path, "database-url")
    point_at(secret, DB2)
    assert "postgresql://ana:word@db2.example.org:6432/bot\n" == secret.read_text()
    assert 0o600 == secret.stat().st_mode & 0o777


@pytest.mark.parametrize("content", ["", "only hunter2 words", "two\nlines hunter2", "//hunter2"])
def test_what_is_no_dsn_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    (tmp_path / "database-url").write_text(content)
    with pytest.raises(DsnSecretError) as refused:
        find_secret(tmp_path, "database-url")
    assert "hunter2" not in str(refused.value) + refused.value.hint
    assert content == (tmp_path / "database-url").read_text()


def test_a_secret_is_named_and_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        find_secret(tmp_path, "../database-url")
    with pytest.raises(DsnSecretError, match="No such file"):
        find_secret(tmp_path, "database-url")


@pytest.mark.parametrize(("listens", "expected"), [("127.0.0.1", "127.0.0.1"), ("", "/run/db")])
def test_where_a_server_listens_is_its_own_word(
    tmp_path: Path, listens: str, expected: str
) -> None:
    (tmp_path / "postmaster.pid").write_text(
        f"1\n{tmp_path}\n0\n5433\n/run/db\n{listens}\n 1 2\nready\n"
    )
    assert Address(expected, 5433) == address_of(tmp_path)


def test_an_address_may_name_its_port() -> None:
    assert Address("db2", 5432) == read_address("db2", 5432)
    assert Address("db2", 6432) == read_address("db2:6432", 5432)
    with pytest.raises(UsageError):
        read_address("db2:x", 5432)
