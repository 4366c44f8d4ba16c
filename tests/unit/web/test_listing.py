from datetime import timedelta

import pytest

from abops.entry.web import listing
from support.console import NOON, an_incident


def numbers(content: listing.IncidentList) -> list[int]:
    return [incident.number for incident in content.rows]


def listed(*incidents: object, **params: str) -> listing.IncidentList:
    return listing.list_incidents(incidents, listing.read_query(params), NOON)  # type: ignore[arg-type]


def test_what_is_open_and_worst_comes_first_and_the_newest_of_equals() -> None:
    content = listed(
        an_incident(1, severity="info"),
        an_incident(2, severity="critical", state="acked"),
        an_incident(3, severity="warning"),
        an_incident(4, opened_at=NOON - timedelta(hours=1)),
        an_incident(5, opened_at=NOON - timedelta(minutes=1)),
    )
    assert [5, 4, 3, 1, 2] == numbers(content)


def test_the_list_shows_what_is_not_resolved_unless_asked() -> None:
    incidents = (
        an_incident(1),
        an_incident(2, state="acked"),
        an_incident(3, state="resolved", resolved_at=NOON - timedelta(minutes=5)),
    )
    assert [1, 2] == numbers(listed(*incidents))
    assert [1] == numbers(listed(*incidents, state="open"))
    assert [2] == numbers(listed(*incidents, state="acked"))
    assert [3] == numbers(listed(*incidents, state="resolved"))
    assert [1, 2, 3] == numbers(listed(*incidents, state="all"))


def test_an_open_incident_is_never_hidden_by_the_time_range() -> None:
    old = an_incident(1, opened_at=NOON - timedelta(days=9))
    past = an_incident(2, state="resolved", resolved_at=NOON - timedelta(hours=2))
    assert [1] == numbers(listed(old, past, state="all", since="1h"))


def test_filters_apply_together() -> None:
    incidents = (
        an_incident(1, service="bot", severity="warning"),
        an_incident(2, service="bot"),
        an_incident(3, service="api", severity="warning"),
        an_incident(4, service="bot", severity="warning", env="prod"),
    )
    found = listed(*incidents, service="bot", severity="warning", env="local")
    assert [1] == numbers(found)
    assert ("api", "bot") == found.services
    assert ("local", "prod") == found.envs


def test_the_filter_offers_the_services_with_the_most_incidents_and_the_chosen_one() -> None:
    many = [an_incident(n, service=f"s{n}") for n in range(1, 400)]
    busy = [an_incident(n, service="busy") for n in range(400, 403)]
    offered = listed(*many, *busy, service="rare").services
    assert {"busy", "rare"} <= set(offered)
    assert 201 == len(offered)


def test_counts_are_of_the_filtered_incidents_whatever_state_is_shown() -> None:
    content = listed(
        an_incident(1, alerts=11),
        an_incident(2, alerts=2, state="acked"),
        an_incident(3, alerts=7, state="resolved", resolved_at=NOON),
        an_incident(4, alerts=1, severity="warning"),
        state="acked",
    )
    assert {"active": 3, "open": 2, "acked": 1, "resolved": 1, "all": 4} == content.counts
    assert {"critical": 1, "warning": 1} == dict(content.open_by_severity)
    assert (14, 3) == (content.alerts, content.active)


def test_mean_time_to_acknowledge_counts_what_was_opened_in_the_range() -> None:
    def acked(number: int, opened: timedelta, took: timedelta) -> object:
        at = NOON - opened
        return an_incident(number, state="acked", opened_at=at, acked_at=at + took)

    content = listed(
        acked(1, timedelta(minutes=30), timedelta(seconds=60)),
        acked(2, timedelta(minutes=20), timedelta(seconds=140)),
        acked(3, timedelta(days=5), timedelta(hours=9)),
        an_incident(4),
    )
    assert timedelta(seconds=100) == content.mtta
    assert listed(an_incident(4)).mtta is None


def test_the_list_has_pages_of_a_hundred_and_a_page_too_far_is_the_last() -> None:
    incidents = [an_incident(n, opened_at=NOON - timedelta(minutes=n)) for n in range(1, 251)]
    second = listed(*incidents, page="2")
    assert (100, 101, 200, 250) == (
        len(second.rows),
        second.first,
        second.last,
        second.matched,
    )
    assert 101 == second.rows[0].number
    assert (201, 250) == (listed(*incidents, page="99").first, listed(*incidents, page="99").last)
    assert 1 == listed(page="7").query.page


@pytest.mark.parametrize(
    "params",
    [
        {"state": "closed"},
        {"severity": "page"},
        {"since": "yesterday"},
        {"since": "0"},
        {"since": "9" * 40 + "w"},
        {"page": "-1"},
        {"page": "²"},
        {"page": "9999999999"},
    ],
)
def test_a_value_that_cannot_be_read_counts_as_not_given(params: dict[str, str]) -> None:
    assert listing.ListQuery() == listing.read_query(params)


def test_an_address_holds_what_differs_from_the_default() -> None:
    query = listing.read_query({"state": "all", "service": "a&b", "since": "7d", "page": "3"})
    assert "/incidents?state=all&service=a%26b&since=7d&page=4" == query.url(page=4)
    assert "/incidents?service=a%26b&since=7d" == query.url(state="active")
    assert "/incidents" == listing.ListQuery().url()


@pytest.mark.parametrize("words", ["INC-42", "inc42", "42", "#42", " inc 42 "])
def test_a_number_is_found_however_it_is_written(words: str) -> None:
    assert 42 == listing.incident_number(words)


@pytest.mark.parametrize("words", ["", "api", "INC-", "4 2", "٤٢x", "9" * 20])
def test_other_words_are_no_number(words: str) -> None:
    assert listing.incident_number(words) is None


def test_search_wants_every_word_in_any_order_and_case() -> None:
    incidents = (
        an_incident(1, title="bot: polling stalled", service="bot"),
        an_incident(2, title="api: slow", service="api"),
    )
    assert [1] == [i.number for i in listing.find_incidents(incidents, "Stalled BOT")]
    assert [2] == [i.number for i in listing.find_incidents(incidents, "inc-2")]
    assert () == listing.find_incidents(incidents, "bot slow")
    assert () == listing.find_incidents(incidents, "  ")
