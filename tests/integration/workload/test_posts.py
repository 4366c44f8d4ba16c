"""A post's way: api, queue, worker, Telegram."""

from datetime import UTC, datetime, timedelta

from support.servers import wait_until
from support.workload import FIRST_CHANNEL, Workload

BLOCKED_EVERY = 97


def test_a_post_ends_as_a_message_at_telegram(workload: Workload, unique: str) -> None:
    post_id = workload.post_to_channel(unique)

    workload.await_status(post_id, "sent")

    assert 1 == workload.sent().count(unique)
    status, post = workload.get(f"/api/v1/posts/{post_id}")
    assert (200, "sent", "sent") == (status, post["status"], post["delivery"])


def test_a_post_queued_many_times_is_sent_once(workload: Workload, unique: str) -> None:
    post_id = workload.post_to_channel(unique)
    code = (
        "from infra.celery.tasks import send_message_task as t;"
        f"[t.queue({post_id}) for _ in range(20)]"
    )
    before = _finished_sendings(workload)

    assert 0 == workload.run("python", "-c", code).returncode
    wait_until(lambda: _finished_sendings(workload) >= before + 20, what="20 tasks", timeout_s=30)

    assert 1 == workload.sent().count(unique)


def _finished_sendings(workload: Workload) -> float:
    return workload.metric(
        "worker",
        "celery_task_runtime_seconds_count",
        task="infra.celery.tasks.send_message_task",
    )


def test_a_post_for_later_waits_for_its_time(workload: Workload, unique: str) -> None:
    when = datetime.now(UTC) + timedelta(seconds=3)  # noqa: TID251 - given to another process

    post_id = workload.post_to_channel(unique, schedule_time=when.isoformat())
    workload.await_status(post_id, "sent")

    [(sent_at,)] = workload.sql(
        f"SELECT sent_at FROM sent_posts WHERE scheduled_post_id = {post_id}"  # noqa: S608
    )
    assert when <= sent_at < when + timedelta(seconds=5)


def test_a_channel_that_blocked_the_bot_gets_nothing_and_is_counted(
    workload: Workload, unique: str
) -> None:
    number = BLOCKED_EVERY - FIRST_CHANNEL % BLOCKED_EVERY
    before = workload.metric("worker", "analyticbot_posts_total", result="blocked")

    post_id = workload.post_to_channel(unique, number)
    workload.await_status(post_id, "failed")

    assert "blocked" == workload.get(f"/api/v1/posts/{post_id}")[1]["delivery"]
    wait_until(
        lambda: (
            before + 1 == workload.metric("worker", "analyticbot_posts_total", result="blocked")
        ),
        what="the count",
    )


def test_a_post_to_no_channel_is_refused(workload: Workload) -> None:
    status, _ = workload.post("/api/v1/posts", {"channel_id": 7, "text": "x"})

    assert 404 == status


def test_a_report_is_made_by_the_worker(workload: Workload) -> None:
    channel = f"/api/v1/analytics/channels/{FIRST_CHANNEL}"

    status, _ = workload.post(f"{channel}/reports")
    assert 202 == status

    wait_until(
        lambda: workload.get(f"{channel}/reports/latest")[0] == 200, what="the report", timeout_s=20
    )
    assert {"posts", "views", "best"} == set(workload.get(f"{channel}/reports/latest")[1])


def test_a_login_gives_a_token_that_says_who_it_is(workload: Workload) -> None:
    login = {"login": "user10001", "password": "correct horse battery staple"}

    status, answer = workload.post("/api/v1/auth/login", login)
    assert 200 == status
    me = workload.request("GET", "api", "/api/v1/me", Authorization=f"Bearer {answer['token']}")

    assert (200, 10001) == (me[0], me[1]["id"])


def test_refused_logins_are_counted_by_reason(workload: Workload) -> None:
    before = workload.metric("api", "auth_failures_total", reason="bad_credentials")

    wrong = workload.post("/api/v1/auth/login", {"login": "user10001", "password": "x"})[0]
    nobody = workload.post("/api/v1/auth/login", {"login": "nobody", "password": "x"})[0]
    forged = workload.request("GET", "api", "/api/v1/me", Authorization="Bearer 1.9999999999.x")[0]

    assert [401, 401, 401] == [wrong, nobody, forged]
    assert before + 2 == workload.metric("api", "auth_failures_total", reason="bad_credentials")
    assert workload.metric("api", "auth_failures_total", reason="bad_token") >= 1
