"""A store goes away and comes back: nothing crashes, nothing hangs, nothing is lost."""

import time
from collections.abc import Iterator

import pytest

from support.servers import wait_until
from support.workload import FIRST_CHANNEL, Workload

CHANNEL = f"/api/v1/channels/{FIRST_CHANNEL}"
AT_ONCE_S = 1.0
A_FEW_SECONDS = 10.0


@pytest.fixture(autouse=True)
def _everybody_survives(workload: Workload) -> Iterator[None]:
    yield
    ended = [name for name, server in workload.servers.items() if server.process.poll() is not None]
    assert [] == ended


def _timed(workload: Workload, path: str) -> tuple[int, float]:
    started = time.monotonic()
    status, _ = workload.get(path)
    return status, time.monotonic() - started


def test_without_the_database_the_api_lives_and_says_503_at_once(
    workload: Workload, unique: str
) -> None:
    with workload.without(workload.postgres):
        assert 200 == workload.get("/health")[0]
        for path in ("/ready", CHANNEL, "/api/v1/channels"):
            status, seconds = _timed(workload, path)
            assert 503 == status, path
            assert seconds < AT_ONCE_S, path
        assert 200 == workload.request("GET", "bot", "/health")[0]

    wait_until(lambda: workload.get("/ready")[0] == 200, what="ready", timeout_s=A_FEW_SECONDS)
    assert 200 == workload.get(CHANNEL)[0]
    workload.await_status(workload.post_to_channel(unique), "sent", timeout_s=A_FEW_SECONDS)


def test_without_redis_answers_stay_right_and_posts_are_sent_later(
    workload: Workload, unique: str
) -> None:
    with workload.without(workload.redis):
        assert (200, "away") == (
            workload.get("/ready")[0],
            workload.get("/ready")[1]["redis"],
        )
        status, seconds = _timed(workload, CHANNEL)
        assert 200 == status
        assert seconds < AT_ONCE_S
        post_id = workload.post_to_channel(unique)
        assert 503 == workload.post(f"/api/v1/analytics/channels/{FIRST_CHANNEL}/reports")[0]

    workload.await_status(post_id, "sent", timeout_s=20)
    assert 1 == workload.sent().count(unique)
    wait_until(
        lambda: workload.post(f"/api/v1/analytics/channels/{FIRST_CHANNEL}/reports")[0] == 202,
        what="the queue",
        timeout_s=A_FEW_SECONDS,
    )


def test_a_database_that_hangs_costs_seconds_and_no_process(workload: Workload) -> None:
    with workload.fault("db_locks"):
        wait_until(lambda: workload.get(CHANNEL)[0] == 503, what="503", timeout_s=20)
        assert 200 == workload.get("/health")[0]

    wait_until(lambda: workload.get(CHANNEL)[0] == 200, what="recovery", timeout_s=20)
