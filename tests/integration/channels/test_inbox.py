import re

import httpx2

from support.channels import SECRETS, Channels


def post(channels: Channels, text: str) -> None:
    httpx2.post(
        f"{channels.url('slack')}/api/chat.postMessage",
        json={"channel": "C0INBOX", "text": text},
        headers={"Authorization": f"Bearer {SECRETS['slack']}"},
    )


def test_the_page_asks_for_nothing_from_outside(channels: Channels) -> None:
    with httpx2.Client(base_url=channels.url("inbox")) as client:
        page = client.get("/")
        assert page.headers["content-security-policy"].startswith("default-src 'self'")
        linked = re.findall(r'(?:href|src)="([^"]+)"', page.text)
        assert {"/inbox.css", "/inbox.js", "/inbox.svg"} <= set(linked)
        assert {200} == {client.get(path).status_code for path in linked}
        assert "<script>" not in page.text
        assert "style=" not in page.text


def test_the_page_is_told_of_every_change(channels: Channels) -> None:
    with httpx2.Client(base_url=channels.url("inbox")) as client:
        with client.stream("GET", "/_events") as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("data: ")
            post(channels, "● critical: first")
            news = next(line for line in lines if line)
        shown = {c["name"]: c for c in client.get("/_page").json()["channels"]}
    assert news.startswith("data: ")
    assert ["slack", "pagerduty", "telegram", "email"] == list(shown)
    assert [("critical", "● critical: first")] == [
        (record["severity"], record["summary"]) for record in shown["slack"]["received"]
    ]


def test_records_of_all_channels_come_oldest_first_and_can_be_cleared(channels: Channels) -> None:
    post(channels, "one")
    post(channels, "two")
    url = f"{channels.url('inbox')}/_received"
    assert ["one", "two"] == [record["summary"] for record in httpx2.get(url).json()]
    assert 204 == httpx2.delete(url).status_code
    assert [] == httpx2.get(url).json()
