import re
from datetime import timedelta

import pytest
from msgspec.structs import replace
from starlette.testclient import TestClient

from abops.alerts.model import IncidentSummary, Member, Readiness
from abops.entry.web.app import create_app
from support.console import NOON, MemoryService, a_detail, an_alert, an_incident


def test_home_is_the_list_of_incidents(client: TestClient) -> None:
    assert "/incidents" == client.get("/").headers["location"]


def test_the_list_says_what_is_wrong_in_one_line(client: TestClient) -> None:
    text = _words(client.get("/incidents").text)
    assert "2 critical" in text
    assert "1 warning" in text
    assert "16 alerts → 5 incidents" in text
    assert "MTTA 1m 50s" in text


def test_a_row_holds_severity_number_title_alerts_age_and_owner(client: TestClient) -> None:
    row = _words(_row(client.get("/incidents").text, 40))
    for part in ("warning", "INC-40", "1,204 tasks wait", "31 m", "acked by ana"):
        assert part in row


def test_the_title_counts_what_needs_action(client: TestClient) -> None:
    assert "<title>(2) Incidents" in client.get("/incidents").text
    assert "<title>Incidents" in client.get("/incidents?service=worker").text


def test_what_an_alert_says_is_shown_as_text(client: TestClient, service: MemoryService) -> None:
    attack = "<script>alert(1)</script>"
    member = Member(an_alert(attack, annotations={"summary": attack}), attack, NOON)
    service.put(a_detail(an_incident(50, title=attack, service=attack), member))
    for path in ("/incidents", "/incidents/50", "/search?q=script"):
        page = client.get(path).text
        assert attack not in page, path
        assert "&lt;script&gt;" in page, path


def test_no_page_has_inline_script_or_style(client: TestClient) -> None:
    for path in ("/incidents", "/incidents/42", "/incidents/7", "/help", "/search?q=api"):
        page = client.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page), path


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("?service=nosuch", "No incident matches"),
        ("?state=acked&service=bot", "No incident matches"),
    ],
)
def test_filters_that_match_nothing_offer_the_way_back(
    client: TestClient, query: str, says: str
) -> None:
    page = client.get(f"/incidents{query}").text
    assert says in page
    assert "Show all active incidents" in page


def test_an_empty_list_says_what_fills_it(client: TestClient, service: MemoryService) -> None:
    service.details.clear()
    assert "abops alerts fire --test" in client.get("/incidents").text
    assert "when somebody acknowledges it" in client.get("/incidents?state=acked").text
    assert "stopped for five minutes" in client.get("/incidents?state=resolved").text


def test_an_incident_says_why_the_page_came(client: TestClient) -> None:
    text = _words(client.get("/incidents/42").text)
    for part in ("38.2 %", "&gt; 5 % for 10 s", "ApiErrorStorm", "Channel owners see errors"):
        assert part in text
    for part in ("pd-dev", "4.1 s", "429, retry after 30 s", "first alert of its service"):
        assert part in text


def test_the_runbook_is_on_the_incident_s_page(client: TestClient) -> None:
    page = client.get("/incidents/42").text
    assert "First look." in page
    assert 'href="/runbooks/ApiErrorStorm"' in page


def test_an_alert_s_address_is_a_link_only_when_it_is_one(
    client: TestClient, service: MemoryService
) -> None:
    bad = an_alert("NoBook", generator_url="javascript:alert(1)")
    service.put(
        a_detail(
            an_incident(50), Member(bad, "", NOON), runbook_url="data:text/html,<b>", timeline=()
        )
    )
    page = client.get("/incidents/50").text
    assert "javascript:" not in page
    assert "data:text" not in page
    assert "No runbook for NoBook yet" in page


def test_acknowledging_by_form_returns_to_the_page_and_remembers_the_name(
    client: TestClient, service: MemoryService
) -> None:
    answer = client.post("/incidents/42/ack", data={"by": " ana "})
    assert (303, "/incidents/42") == (answer.status_code, answer.headers["location"])
    assert "ana" == service.details[42].summary.acked_by
    client.post("/incidents/41/ack", data={})
    assert "ana" == service.details[41].summary.acked_by


def test_acknowledging_from_the_list_returns_to_the_list(client: TestClient) -> None:
    back = "/incidents?severity=critical"
    answer = client.post("/incidents/42/ack", data={"back": back})
    assert back == answer.headers["location"]


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/\\evil.example", ""])
def test_nobody_is_sent_to_another_site(client: TestClient, back: str) -> None:
    answer = client.post("/incidents/42/ack", data={"back": back})
    assert "/incidents/42" == answer.headers["location"]


def test_a_script_gets_the_new_state_as_values(client: TestClient) -> None:
    answer = client.post(
        "/incidents/42/ack", data={"by": "bo"}, headers={"Accept": "application/json"}
    )
    assert {"number": 42, "state": "acked", "acked_by": "bo", "undo": True} == answer.json()
    again = client.post(
        "/incidents/42/ack", data={"by": "cy"}, headers={"Accept": "application/json"}
    )
    assert {"number": 42, "state": "acked", "acked_by": "bo", "undo": False} == again.json()


def test_taking_an_acknowledgement_back_by_form_and_by_script(
    client: TestClient, service: MemoryService
) -> None:
    assert 'action="/incidents/40/unack"' in client.get("/incidents/40").text
    answer = client.post("/incidents/40/unack", data={})
    assert (303, "/incidents/40") == (answer.status_code, answer.headers["location"])
    assert "open" == service.details[40].summary.state
    assert "/unack" not in client.get("/incidents/40").text
    values = client.post("/incidents/40/unack", headers={"Accept": "application/json"})
    assert {"number": 40, "state": "open", "acked_by": ""} == values.json()
    assert 404 == client.post("/incidents/999/unack", data={}).status_code


@pytest.mark.parametrize("path", ["/incidents/999", "/incidents/x", "/nowhere", "/runbooks/None"])
def test_what_does_not_exist_gets_a_page_that_leads_back(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert 404 == answer.status_code
    assert "To the incidents" in answer.text


def test_a_page_that_breaks_says_so_and_keeps_its_guard(service: MemoryService) -> None:
    async def break_down(**_: object) -> tuple[IncidentSummary, ...]:
        raise RuntimeError("secret details")

    service.incidents = break_down  # type: ignore[method-assign]
    with TestClient(
        create_app(service), base_url="http://localhost", raise_server_exceptions=False
    ) as client:
        answer = client.get("/incidents")
    assert 500 == answer.status_code
    assert "This page could not be made" in answer.text
    assert "secret details" not in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_a_script_that_acts_on_what_is_unknown_gets_the_reason(client: TestClient) -> None:
    answer = client.post("/incidents/999/ack", headers={"Accept": "application/json"})
    assert 404 == answer.status_code
    assert "there is no incident INC-999" == answer.json()["error"]


def test_acknowledging_an_unknown_incident_is_a_404(client: TestClient) -> None:
    assert 404 == client.post("/incidents/999/ack", data={}).status_code


def test_an_oversized_form_is_refused(client: TestClient) -> None:
    assert 413 == client.post("/incidents/42/ack", data={"by": "x" * 20_000}).status_code


def test_searching_a_number_opens_the_incident(client: TestClient) -> None:
    answer = client.get("/search?q=INC-41")
    assert (303, "/incidents/41") == (answer.status_code, answer.headers["location"])


def test_search_lists_incidents_and_runbooks(client: TestClient) -> None:
    assert "INC-36" in client.get("/search?q=redis").text
    assert '<a href="/runbooks/ApiErrorStorm">' in client.get("/search?q=errorstorm").text
    nothing = client.get("/search?q=zebra").text
    assert "Nothing found for" in nothing
    assert "leads to the trace" in nothing
    assert "What are you looking for?" in client.get("/search").text


def test_the_inbox_is_linked_only_when_it_runs(client: TestClient) -> None:
    assert "Inbox" not in client.get("/incidents").text


def test_the_theme_is_remembered(client: TestClient) -> None:
    answer = client.post("/preferences/theme", data={"theme": "dark", "back": "/help"})
    assert "/help" == answer.headers["location"]
    assert 'data-theme="dark"' in client.get("/incidents").text
    client.post("/preferences/theme", data={"theme": "pink"})
    assert 'data-theme="dark"' in client.get("/incidents").text


def test_a_service_that_cannot_take_alerts_says_so_on_every_page(
    client: TestClient, service: MemoryService
) -> None:
    assert "New alerts are not taken" not in client.get("/incidents").text
    service.ready = Readiness(ready=False, reasons=("the disk is full",))
    for path in ("/incidents", "/incidents/42", "/help"):
        assert "New alerts are not taken at the moment: the disk is full" in client.get(path).text


def test_pages_are_not_kept_and_large_ones_are_compressed(client: TestClient) -> None:
    headers = client.get("/incidents").headers
    assert "no-store" == headers["cache-control"]
    assert "gzip" == headers["content-encoding"]


def test_a_recurring_and_resolved_incident_says_so(
    client: TestClient, service: MemoryService
) -> None:
    ended = replace(service.details[36].summary, recurs=12, opened_at=NOON - timedelta(hours=3))
    service.put(a_detail(ended))
    text = _words(client.get("/incidents/36").text)
    assert "came before as INC-12" in text
    assert "lasted 19m 00s" in text


def _row(page: str, number: int) -> str:
    match = re.search(rf'<tr[^>]*data-key="{number}".*?</tr>', page, re.DOTALL)
    assert match is not None
    return match[0]


def _words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace("& gt;", "&gt;")
