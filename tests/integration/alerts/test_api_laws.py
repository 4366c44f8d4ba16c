"""What no description allows is sent to the API, bytes and odd numbers: never a 5xx."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abops.entry.web.openapi import OPERATIONS, Operation, Refusal
from support.alerts import TOKEN, a_body, a_process, an_alert
from support.channels import prepared

RESPOND = "respond-token-of-the-tests"
TRIED = [key for key, o in OPERATIONS.items() if o.media == "application/json"]


@dataclass
class Api:
    client: httpx2.Client
    document: dict[str, Any]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    # A process of its own: its dice would disturb those of the laws. Nobody listens where
    # messages would go: what is told is another test's matter.
    folder = tmp_path_factory.mktemp("api")
    channels = prepared(folder / "channels")
    for name, secret in [("ingest", TOKEN), ("respond", RESPOND)]:
        (channels.folder / "secrets" / name).write_text(secret)
    with (
        a_process(channels, folder / "service") as process,
        httpx2.Client(base_url=process.client.base_url, trust_env=False, timeout=20) as client,
    ):
        firing = [an_alert(f"A{n}", service=f"s{n}") for n in range(5)]
        taken = client.post("/v1/alertmanager", content=a_body(*firing), headers=bearer(TOKEN))
        assert 200 == taken.status_code
        yield Api(client, client.get("/v1/openapi.json", headers=bearer(RESPOND)).json())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_every_operation_of_the_table_is_served(api: Api) -> None:
    missing = [(m, p) for m, p in OPERATIONS if m not in api.document["paths"].get(p, {})]
    assert [] == missing
    scopes = {o.scope for o in OPERATIONS.values()}
    assert {"", "ingest", "read", "respond"} == scopes


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
    promised = {200, *operation.refusals}
    assert answer.status_code in promised, (answer.status_code, answer.text)
    assert answer.status_code < 500 or path == "/readyz", answer.text
    if path.startswith("/v1/callbacks"):
        return
    if answer.status_code == 200:
        msgspec.json.decode(answer.content, type=operation.answer or Any)
    else:
        said = msgspec.json.decode(answer.content, type=Refusal)
        assert said.error
        assert said.hint


@pytest.mark.parametrize(("method", "path"), TRIED)
def test_whatever_is_sent_the_answer_is_as_described(api: Api, method: str, path: str) -> None:
    operation = OPERATIONS[method, path]
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
        url = path.replace("{number}", quote(number.encode("utf-8", "replace"), safe=""))
        asked = urlencode({k: v.encode("utf-8", "replace") for k, v in query.items()})
        answer = asked_until_taken(
            lambda: api.client.request(
                method,
                f"{url}?{asked}",
                content=body if method == "post" else None,
                headers=bearer(TOKEN if operation.scope == "ingest" else RESPOND),
            )
        )
        conforms(answer, operation, path)

    law()


@pytest.mark.parametrize(("method", "path"), [k for k in TRIED if OPERATIONS[k].scope])
def test_without_a_token_every_scoped_route_refuses(api: Api, method: str, path: str) -> None:
    answer = api.client.request(method, path.replace("{number}", "1"))
    assert 401 == answer.status_code
    conforms(answer, OPERATIONS[method, path], path)
