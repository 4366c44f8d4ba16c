from datetime import UTC, datetime
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from abops.alerts.model import Alert, IncidentDetail, IncidentSummary, Member
from abops.alerts.service.wording import (
    PAGERDUTY_SUMMARY,
    SLACK_SECTION,
    TELEGRAM_TEXT,
    fit_lines,
    pagerduty_payload,
    slack_blocks,
    telegram_html,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://ops.example.org/incidents/7"
nasty = st.text(alphabet=st.sampled_from("a<>&\"'\n\u20ac\U0001f534; "), max_size=6000)


def a_detail(*, title: str = "t", description: str = "", alerts: int = 1) -> IncidentDetail:
    summary = IncidentSummary(
        number=7, title=title, state="open", severity="critical", service="api", env="local",
        team="dev", opened_at=NOON, updated_at=NOON, alerts=alerts, firing=alerts,
    )  # fmt: skip
    alert = Alert(
        fingerprint="f", name="ProbeFailed", severity="critical", service="api", env="local",
        state="firing", labels={}, annotations={"summary": title}, starts_at=NOON, ends_at=None,
    )  # fmt: skip
    member = Member(alert, "first", NOON)
    return IncidentDetail(summary, (member,) * alerts, (), (), description=description)


class Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()


@given(nasty, nasty, st.integers(1, 12))
def test_telegram_text_fits_and_no_tag_or_entity_is_cut(
    title: str, description: str, alerts: int
) -> None:
    text = telegram_html(a_detail(title=title, description=description, alerts=alerts), URL)
    parser = Balanced()
    parser.feed(text)
    parser.close()
    assert len(text) <= TELEGRAM_TEXT
    assert [] == parser.open
    assert all(part.partition(";")[1] for part in text.split("&")[1:])


@given(nasty, nasty, st.integers(1, 12))
def test_slack_blocks_fit_and_no_entity_is_cut(title: str, description: str, alerts: int) -> None:
    for block in slack_blocks(a_detail(title=title, description=description, alerts=alerts), URL):
        text = block["text"]["text"]
        assert len(text) <= SLACK_SECTION
        assert all(part.partition(";")[0] in ("amp", "lt", "gt") for part in text.split("&")[1:])


@given(nasty)
def test_a_pagerduty_summary_fits(title: str) -> None:
    payload = pagerduty_payload(a_detail(title=title))
    assert len(payload["summary"]) <= PAGERDUTY_SUMMARY
    assert ("critical", "api", "ProbeFailed") == (
        payload["severity"],
        payload["source"],
        payload["class"],
    )


def test_lines_that_do_not_fit_are_left_out_whole() -> None:
    assert "aaaa\n\u2026" == fit_lines(["aaaa", "bbbb", "cccc"], 9)
    assert "aaaa\nbbbb" == fit_lines(["aaaa", "bbbb"], 9)
