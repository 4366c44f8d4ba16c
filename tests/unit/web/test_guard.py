import pytest
from starlette.testclient import TestClient

from support.console import MemoryService


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "10.0.0.7"])
def test_a_host_name_that_is_not_ours_is_refused(client: TestClient, host: str) -> None:
    assert 421 == client.get("/incidents", headers={"Host": host}).status_code


@pytest.mark.parametrize(
    "host", ["127.0.0.1:9600", "localhost", "[::1]:9600", "ops.example.org", "OPS.example.org:443"]
)
def test_loopback_and_the_public_name_are_answered(client: TestClient, host: str) -> None:
    assert 200 == client.get("/incidents", headers={"Host": host}).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "null"},
    ],
)
def test_a_form_of_another_site_acknowledges_nothing(
    client: TestClient, service: MemoryService, headers: dict[str, str]
) -> None:
    answer = client.post("/incidents/42/ack", data={"by": "mallory"}, headers=headers)
    assert 403 == answer.status_code
    assert "open" == service.details[42].summary.state


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:9600"},
        {"Origin": "http://127.0.0.1:9600"},
        {},
    ],
)
def test_our_own_form_and_a_program_may_acknowledge(
    client: TestClient, service: MemoryService, headers: dict[str, str]
) -> None:
    assert 303 == client.post("/incidents/42/ack", data={}, headers=headers).status_code
    assert "acked" == service.details[42].summary.state


def test_without_a_login_nobody_acknowledges_from_elsewhere(
    client: TestClient, service: MemoryService
) -> None:
    through_a_proxy = {"X-Forwarded-For": "203.0.113.9"}
    answer = client.post("/incidents/42/ack", data={}, headers=through_a_proxy)
    assert 403 == answer.status_code
    assert "from this machine only" in answer.text
    assert 403 == client.post("/incidents/40/unack", headers=through_a_proxy).status_code
    assert "acked" == service.details[40].summary.state
    elsewhere = TestClient(
        client.app, base_url="http://127.0.0.1:9600", client=("203.0.113.9", 50000)
    )
    assert 403 == elsewhere.post("/incidents/42/ack", data={}).status_code
    assert "open" == service.details[42].summary.state


@pytest.mark.parametrize("path", ["/incidents", "/incidents/999", "/nowhere", "/help"])
def test_every_answer_forbids_what_is_not_from_here(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "nosniff" == headers["x-content-type-options"]
    assert "same-origin" == headers["referrer-policy"]
