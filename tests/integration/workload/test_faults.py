"""Each fault switch breaks what it says, and nothing stays broken."""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.request import urlopen

import pytest

from support.servers import Server, answers, free_port, listens, wait_until
from support.workload import FIRST_CHANNEL, TOKEN, Workload

CHANNEL = f"/api/v1/channels/{FIRST_CHANNEL}"


def _until(claim: Callable[[], bool], what: str) -> None:
    wait_until(claim, what=what, timeout_s=20)


def test_errors_answers_500_on_the_api_and_leaves_health_alone(workload: Workload) -> None:
    with workload.fault("errors", ratio=1):
        _until(lambda: workload.get(CHANNEL)[0] == 500, "the first 500")
        assert [500] * 5 == [workload.get(CHANNEL)[0] for _ in range(5)]
        assert 200 == workload.get("/health")[0]
    _until(lambda: workload.get(CHANNEL)[0] == 200, "recovery")
    labels = {"http_response_status_code": "500"}
    assert workload.metric("api", "http_server_request_duration_seconds_count", **labels) >= 5


def test_exception_is_counted_by_its_type(workload: Workload) -> None:
    with workload.fault("exception"):
        _until(lambda: workload.get(CHANNEL)[0] == 500, "the first 500")

    assert workload.metric("api", "http_server_exceptions_total", error_type="InjectedError") >= 1


def test_latency_delays_answers(workload: Workload) -> None:
    def seconds() -> float:
        started = time.monotonic()
        workload.get(CHANNEL)
        return time.monotonic() - started

    with workload.fault("latency", delay_s=0.5):
        _until(lambda: seconds() > 0.5, "a slow answer")
    _until(lambda: seconds() < 0.4, "a quick answer")


def test_db_slow_delays_the_database(workload: Workload) -> None:
    with workload.fault("db_slow", delay_s=0.6):

        def is_slow() -> bool:
            started = time.monotonic()
            return workload.get(CHANNEL)[0] == 200 and time.monotonic() - started > 0.6

        _until(is_slow, "a slow session")
    assert workload.metric("api", "db_client_operation_duration_seconds_sum") > 0.6


def test_db_locks_makes_readers_of_channels_wait(workload: Workload) -> None:
    blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    locked = "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock'"
    with workload.fault("db_locks"):
        _until(lambda: workload.sql(locked)[0][0] >= 1, "the lock")
        assert 503 == workload.get(CHANNEL)[0]
    _until(lambda: workload.sql(blocked)[0][0] == 0, "nobody waits")
    _until(lambda: workload.get(CHANNEL)[0] == 200, "recovery")


def test_pool_exhaust_leaves_no_connection(workload: Workload) -> None:
    before = workload.metric("api", "db_client_connection_timeouts_total")
    with workload.fault("pool_exhaust"):
        _until(lambda: workload.get(CHANNEL)[0] == 503, "the first 503")
        assert 5 == workload.metric("api", "db_client_connection_count", state="used")
    _until(lambda: workload.get(CHANNEL)[0] == 200, "recovery")
    assert workload.metric("api", "db_client_connection_timeouts_total") > before


def test_poll_stall_makes_the_living_bot_unhealthy(workload: Workload) -> None:
    with workload.fault("poll_stall"):
        _until(lambda: workload.request("GET", "bot", "/health")[0] == 503, "503")
        assert workload.servers["bot"].process.poll() is None
    _until(lambda: workload.request("GET", "bot", "/health")[0] == 200, "recovery")


def test_telegram_429_delays_a_post_and_is_counted(workload: Workload, unique: str) -> None:
    before = workload.metric("worker", "telegram_api_retry_after_seconds_total")
    with workload.fault("telegram_429", retry_after=1):
        post_id = workload.post_to_channel(unique)
        _until(
            lambda: workload.metric("worker", "telegram_api_retry_after_seconds_total") > before,
            "a refusal",
        )
        assert unique not in workload.sent()
    workload.await_status(post_id, "sent")
    assert 1 == workload.sent().count(unique)
    assert workload.metric("worker", "telegram_api_requests_total", code="429") >= 1


def test_telegram_down_holds_posts_back(workload: Workload, unique: str) -> None:
    with workload.fault("telegram_down"):
        _until(lambda: not answers(workload.urls["stub"] + f"/bot{TOKEN}/getMe"), "silence")
        post_id = workload.post_to_channel(unique)
        _until(
            lambda: workload.metric("worker", "telegram_api_requests_total", code="network") >= 1,
            "a failed call",
        )
    workload.await_status(post_id, "sent")
    _until(lambda: answers(workload.urls["bot"] + "/health"), "the bot's recovery")


def test_task_fail_is_counted_as_failure(workload: Workload, unique: str) -> None:
    name, task = "celery_task_runtime_seconds_count", "infra.celery.tasks.send_message_task"
    before = workload.metric("worker", name, task=task, state="failure")
    with workload.fault("task_fail", task="send_message_task"):
        post_id = workload.post_to_channel(unique)
        _until(
            lambda: workload.metric("worker", name, task=task, state="failure") > before,
            "a failure",
        )
    assert "sent" == workload.await_status(post_id, "sent")


def test_queue_stall_leaves_messages_in_their_queue(workload: Workload, unique: str) -> None:
    log = workload.servers["worker"].log
    with workload.fault("queue_stall", queue="messages"):
        _until(lambda: b"Canceling queue messages" in log.read_bytes(), "the stall")
        post_id = workload.post_to_channel(unique)
        workload.post(f"/api/v1/analytics/channels/{FIRST_CHANNEL + 2}/reports")
        latest = f"/api/v1/analytics/channels/{FIRST_CHANNEL + 2}/reports/latest"
        _until(lambda: workload.get(latest)[0] == 200, "another queue's task")
        assert "pending" == workload.get(f"/api/v1/posts/{post_id}")[1]["status"]
    workload.await_status(post_id, "sent")


def test_beat_stop_lets_the_ticks_grow_old(workload: Workload) -> None:
    def tick() -> float:
        return workload.metric(
            "beat", "celery_beat_last_tick_timestamp_seconds", schedule="send_scheduled_message"
        )

    def stands_still() -> bool:
        before = tick()
        time.sleep(2.5)  # two intervals of the schedule: nothing else shows that none came
        return tick() == before

    with workload.fault("beat_stop"):
        _until(stands_still, "no tick")
        assert answers(workload.urls["beat"] + "/health")
        last = tick()
    _until(lambda: tick() > last, "a tick")


def test_log_burst_writes_lines(workload: Workload) -> None:
    log = workload.servers["api"].log
    with workload.fault("log_burst", lines_per_s=400):
        _until(lambda: log.read_bytes().count(b"a line of the burst") > 200, "200 lines")


@pytest.fixture
def switches_of_its_own(tmp_path: Path) -> Path:
    """Return a file of switches that only one process reads."""
    return tmp_path / "faults.json"


def _turn_on(file: Path, name: str, **options: object) -> None:
    entry = {"since": time.time(), "until": None, "ratio": 1.0, "options": options}  # noqa: TID251
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps({name: entry}))
    temporary.replace(file)


def _second_api(workload: Workload, switches: Path) -> AbstractContextManager[Server]:
    port = free_port()
    return workload.process(
        f"api-{port}",
        *("uvicorn", "apps.api.main:app", "--port", str(port)),
        port=port,
        ready=lambda: listens(port),
        FAULTS_FILE=str(switches),
    )


def test_crash_ends_the_process_and_not_the_next_one(
    workload: Workload, switches_of_its_own: Path
) -> None:
    with _second_api(workload, switches_of_its_own) as server:
        _turn_on(switches_of_its_own, "crash")
        assert 70 == server.process.wait(10)

    with _second_api(workload, switches_of_its_own) as server:
        _until(lambda: answers(server.url + "/ready"), "the restarted api")
        time.sleep(1)  # four looks at the switches: it must not crash again
        assert server.process.poll() is None


def test_memory_leak_grows_the_process_to_its_limit(
    workload: Workload, switches_of_its_own: Path
) -> None:
    def resident_mb(server: Server) -> int:
        with urlopen(server.url + "/metrics", timeout=5) as response:
            page = response.read().decode()
        [line] = [x for x in page.splitlines() if x.startswith("process_resident_memory_bytes")]
        return int(float(line.split()[1]) / 2**20)

    with _second_api(workload, switches_of_its_own) as server:
        before = resident_mb(server)
        _turn_on(switches_of_its_own, "memory_leak", mb_per_s=60, max_mb=40)
        _until(lambda: resident_mb(server) > before + 35, "35 MB more")
        assert resident_mb(server) < before + 90


def test_a_switch_turns_itself_off(workload: Workload) -> None:
    workload.request("POST", "control", "/faults/errors", {"seconds": 1})

    _until(lambda: workload.get(CHANNEL)[0] == 500, "on")
    _until(lambda: workload.get(CHANNEL)[0] == 200, "off")
    assert {} == workload.request("GET", "control", "/faults")[1]["on"]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/faults/erors", {}, "no fault 'erors'"),
        ("/faults/errors", {"ratio": 2}, "ratio: must be a number from 0 to 1"),
        ("/faults/errors", {"seconds": -1}, "seconds: must be a number above 0"),
        ("/faults/errors", {"on": "yes"}, "on: must be true or false"),
        ("/faults/errors", [], "the body must be an object"),
        ("/faults", {}, 'only {"on": false}'),
    ],
)
def test_nonsense_is_refused_with_its_reason(
    workload: Workload, path: str, body: object, message: str
) -> None:
    status, answer = workload.request("POST", "control", path, body)

    assert 400 == status
    assert message in answer["error"]
