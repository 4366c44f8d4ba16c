"""The stub keeps the Bot API's rules."""

import json
import threading
from collections.abc import Iterator

import pytest

from support.servers import Server, answers, free_port, wait_until
from support.workload import TOKEN, Workload


@pytest.fixture(scope="module")
def stub(workload: Workload) -> Iterator[Server]:
    """Return a stub of its own, to which nobody writes."""
    port = free_port()
    with workload.process(
        "stub2",
        *("python", "-m", "apps.telegram_stub"),
        port=port,
        ready=lambda: answers(f"http://127.0.0.1:{port}/health"),
        STUB_PORT=str(port),
        STUB_UPDATES_PEAK="0",
    ) as server:
        workload.urls["stub2"] = server.url
        yield server


@pytest.fixture
def call(workload: Workload, stub: Server):  # noqa: ANN201 - a function of the test
    """Return a function that calls a method of the Bot API."""
    assert stub.process.poll() is None

    def post(method: str, token: str = TOKEN, **parameters: object) -> tuple[int, dict]:
        return workload.request("POST", "stub2", f"/bot{token}/{method}", parameters)

    return post


def test_a_wrong_token_is_401(call) -> None:  # noqa: ANN001
    status, answer = call("getMe", "1:x")

    assert (401, "Unauthorized") == (status, answer["description"])


def test_an_unknown_method_is_404(call) -> None:  # noqa: ANN001
    assert 404 == call("makeCoffee")[0]


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"chat_id": 5, "text": "x"}, 200),
        ({"chat_id": 5, "text": " "}, 400),
        ({"chat_id": 5, "text": "x" * 4097}, 400),
        ({"chat_id": "nobody", "text": "x"}, 400),
        ({"text": "x"}, 400),
        ({"chat_id": 97, "text": "x"}, 403),
    ],
)
def test_a_message_is_taken_or_refused(call, parameters: dict, status: int) -> None:  # noqa: ANN001
    answer = call("sendMessage", **parameters)

    assert status == answer[0]
    assert (status == 200) == answer[1]["ok"]


def test_an_update_waits_until_a_higher_offset_is_asked_for(
    call,  # noqa: ANN001
    workload: Workload,
) -> None:
    ids = [
        workload.request("POST", "stub2", "/_updates", {"message": {}})[1]["update_id"]
        for _ in range(2)
    ]

    def waiting(**parameters: int) -> list[int]:
        return [update["update_id"] for update in call("getUpdates", **parameters)[1]["result"]]

    assert ids == waiting()
    assert ids == waiting()
    assert ids[1:] == waiting(offset=ids[1])
    assert [] == waiting(offset=ids[1] + 1)


def test_a_second_poller_throws_the_first_one_out(call, workload: Workload) -> None:  # noqa: ANN001
    first: list[tuple[int, dict]] = []
    poller = threading.Thread(target=lambda: first.append(call("getUpdates", timeout=20)))
    poller.start()
    wait_until(
        lambda: workload.request("GET", "stub2", "/_received")[1]["polling"] == 1, what="a poller"
    )

    call("getUpdates", timeout=0)
    poller.join(10)

    assert 409 == first[0][0]
    assert "terminated by other getUpdates request" in first[0][1]["description"]


def test_more_than_thirty_messages_a_second_are_too_many(call) -> None:  # noqa: ANN001
    answers_seen = [call("sendMessage", chat_id=5, text="x") for _ in range(80)]

    refused = [body for status, body in answers_seen if status == 429]
    assert refused, json.dumps([status for status, _ in answers_seen])
    assert 1 == refused[0]["parameters"]["retry_after"]
