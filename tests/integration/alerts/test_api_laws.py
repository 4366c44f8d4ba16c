"""What no description allows is sent to the API, bytes and odd numbers: never a 5xx."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abops.entry.web.openapi import Refusal
from abops.entry.web.operations import OPERATIONS, Operation, ability_of
from support.api import Door, a_door

TRIED = [key for key, o in OPERATIONS.items() if o.media == "application/json"]
BODIES = ("post", "put")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    # A process of its own: its dice would disturb those of the laws.
    with a_door(tmp_path_factory.mktemp("api")) as door:
        yield door


@pytest.fixture(scope="module")
def document(api: Door) -> dict[str, Any]:
    return api.described()


def test_every_operation_of_the_table_is_served(document: dict[str, Any]) -> None:
    missing = [(m, p) for m, p in OPERATIONS if m not in document["paths"].get(p, {})]
    assert [] == missing
    asked = {ability_of(*key) for key in OPERATIONS}
    assert {"", "ingest", "read", "respond", "operate", "administer"} == asked


def asked_until_taken(ask: Callable[[], httpx2.Response]) -> httpx2.Response:
    """Send it again as Retry-After says: a machine under load may need it."""
    answer = ask()
    for _ in range(5):
        if answer.status_code != 503 or "retry-after" not in answer.headers:
            break
        time.sleep(float(answer.headers["retry-after"]))
        answer = ask()
    return answer


def conforms(answer: httpx2.Response, operation: Operation, path: str) -> None:
    """Raise unless the answer is one that the description promises."""
    promised = {operation.success, *operation.refusals}
    assert answer.status_code in promised, (answer.status_code, answer.text)
    assert answer.status_code < 500 or path == "/readyz", answer.text
    if path.startswith("/v1/callbacks"):
        return
    if answer.status_code == operation.success:
        msgspec.json.decode(answer.content, type=operation.answer or Any)
    else:
        said = msgspec.json.decode(answer.content, type=Refusal)
        assert said.error
        assert said.hint


@pytest.mark.parametrize(("method", "path"), TRIED)
def test_whatever_is_sent_the_answer_is_as_described(
    api: Door, document: dict[str, Any], method: str, path: str
) -> None:
    operation = OPERATIONS[method, path]
    shown = api.let_in(document["paths"][path][method])
    numbers = st.sampled_from(["1", "2", "INC-3", "inc-4", "99", "0"]) | st.text(
        min_size=1, max_size=6
    ).filter(lambda text: not set(text) & set("/\\") and text not in (".", ".."))
    queries = st.dictionaries(
        st.sampled_from([*operation.query, "other"]),
        st.text(max_size=8) | st.integers(-(2**70), 2**70).map(str),
        max_size=3,
    )

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=st.binary(max_size=60), number=numbers, query=queries)
    def law(body: bytes, number: str, query: dict[str, str]) -> None:
        odd = quote(number.encode("utf-8", "replace"), safe="")
        url = re.sub(r"{\w+}", odd.replace("\\", "\\\\"), path)
        asked = urlencode({k: v.encode("utf-8", "replace") for k, v in query.items()})
        answer = asked_until_taken(
            lambda: api.client.request(
                method,
                f"{url}?{asked}",
                content=body if method in BODIES else None,
                headers=shown,
            )
        )
        conforms(answer, operation, path)

    law()


@pytest.mark.parametrize(("method", "path"), [key for key in TRIED if ability_of(*key)])
def test_without_a_token_every_closed_route_refuses(api: Door, method: str, path: str) -> None:
    answer = api.client.request(method, re.sub(r"{\w+}", "1", path))
    assert 401 == answer.status_code
    conforms(answer, OPERATIONS[method, path], path)


KEPT = {
    "/v1/silences": {
        "matchers": 'service="elsewhere"',
        "reason": "the tests",
        "ends_at": "2100-01-01T00:00:00Z",
        "starts_at": "2099-12-31T22:00:00+01:00",
    },
    "/v1/windows": {
        "name": "nightly",
        "matchers": 'service="elsewhere"',
        "reason": "the tests",
        "schedule": {"days": ["sat"], "at": "02:00", "for": "2h", "tz": "Europe/Berlin"},
    },
}


@pytest.mark.parametrize("path", KEPT)
def test_what_is_kept_is_listed_and_ended_as_described(api: Door, path: str) -> None:
    shown = api.people["operator"]
    made = api.client.post(path, json=KEPT[path], headers=shown)
    assert 201 == made.status_code, made.text
    conforms(made, OPERATIONS["post", path], path)
    listed = api.client.get(path, headers=shown)
    conforms(listed, OPERATIONS["get", path], path)
    assert made.json()["id"] in [row["id"] for row in listed.json()]
    one = f"{path}/{made.json()['id']}"
    for status in (200, 404):
        ended = api.client.delete(one, headers=shown)
        assert status == ended.status_code
        conforms(ended, OPERATIONS["delete", f"{path}/{{number}}"], path)


def test_a_local_time_is_no_moment(api: Door) -> None:
    said = KEPT["/v1/silences"] | {"ends_at": "2100-01-01T00:00:00"}
    answer = api.client.post("/v1/silences", json=said, headers=api.people["operator"])
    assert 400 == answer.status_code
    assert "timezone" in answer.json()["error"]
