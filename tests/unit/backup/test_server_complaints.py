"""What a restored server's log is held against it."""

from pathlib import Path

import pytest

from abops.clients.postgres_server import PostgresServer
from abops.clients.postgres_session import SocketAddress


def complaint(tmp_path: Path, *lines: str) -> str:
    log = tmp_path / "postgres.log"
    log.write_text("".join(f"2026-11-25 15:32:30.1 UTC [7] {line}\n" for line in lines))
    address = SocketAddress(folder=tmp_path, port=5432, user="ana")
    return PostgresServer(tmp_path, tmp_path, log, address=address).complaint()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("FATAL:  could not open file", "could not open file"),
        ("PANIC:  could not locate a valid checkpoint", "could not locate a valid checkpoint"),
        ("ERROR:  division by zero", ""),
    ],
)
def test_a_server_that_gave_up_is_heard(tmp_path: Path, line: str, expected: str) -> None:
    assert expected == complaint(tmp_path, "LOG:  starting", line)


def test_who_is_sent_away_when_we_stop_it_is_no_fault_of_its_own(tmp_path: Path) -> None:
    ours = (
        "FATAL:  terminating connection due to administrator command",
        "FATAL:  terminating autovacuum process due to administrator command",
    )
    assert "" == complaint(tmp_path, *ours)
    assert "no space left" == complaint(tmp_path, *ours, "FATAL:  no space left")
