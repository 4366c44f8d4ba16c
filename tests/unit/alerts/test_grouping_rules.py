"""Rules of grouping of the inventory, on a real store: what they do, and that it says why."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from abops.alerts.model import Actor, AlertEvent, GroupingRule, Member
from abops.alerts.route.sorting import Sorting
from abops.alerts.store import reading
from support.book import Book, a_store, an_event

DISK = an_event("DiskFull", service="storage")
QUEUE = an_event("QueueLong", service="worker")
PROBE = an_event("ProbeFailed", service="storage")
RULE = GroupingRule("queue-on-disk", 'alertname="DiskFull"', 'alertname=~"Queue.*"', together=True)
NEVER = GroupingRule(
    "not-the-disk", 'alertname="DiskFull"', 'alertname="ProbeFailed"', together=False
)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with a_store(tmp_path) as engine:
        yield Book(engine, tmp_path)


def obey(book: Book, *rules: GroupingRule) -> None:
    book.config = replace(book.config, routing=replace(book.config.routing, grouping=rules))
    book.restart()


def members(book: Book) -> dict[str, tuple[int, Member]]:
    """Return by alert in which open incident it is, and how it came there."""
    found = {}
    with book.engine.connect() as connection:
        for incident in reading.incidents(connection, state="open", limit=100):
            detail = reading.incident(connection, incident.number, members=100)
            assert detail is not None
            found |= {m.alert.labels["alertname"]: (incident.number, m) for m in detail.members}
    return found


def together(book: Book, a: AlertEvent, b: AlertEvent) -> bool:
    found = members(book)
    return found[a.labels["alertname"]][0] == found[b.labels["alertname"]][0]


def test_without_a_rule_they_lie_otherwise(book: Book) -> None:
    book.take(DISK)
    book.take(QUEUE, at_s=30)
    book.take(PROBE, at_s=60)
    assert not together(book, DISK, QUEUE)
    assert together(book, DISK, PROBE)


def test_a_rule_joins_alerts_and_the_membership_says_which(book: Book) -> None:
    obey(book, RULE)
    book.take(DISK)
    book.take(QUEUE, at_s=1_800)
    assert together(book, DISK, QUEUE)
    joined = members(book)["QueueLong"][1]
    assert "rule 'queue-on-disk' joins them, 1800 s before" == joined.reason == joined.terms[0]


def test_a_rule_keeps_alerts_apart_and_the_new_incident_says_which(book: Book) -> None:
    obey(book, NEVER)
    book.take(DISK)
    book.take(PROBE, at_s=1)
    assert not together(book, DISK, PROBE)
    kept = members(book)["ProbeFailed"][1]
    assert "rule 'not-the-disk' keeps it apart from INC-1" == kept.reason == kept.terms[0]


@pytest.mark.parametrize(("rule", "late"), [(RULE, QUEUE), (NEVER, PROBE)])
def test_a_restart_forgets_neither(book: Book, rule: GroupingRule, late: AlertEvent) -> None:
    obey(book, rule)
    book.take(DISK)
    book.restart(at_s=900)
    book.take(late, at_s=901)
    assert rule.together is together(book, DISK, late)


def test_alerts_that_people_split_off_carry_the_rule_along(book: Book) -> None:
    obey(book, RULE)
    book.take(DISK)
    book.take(PROBE, at_s=1)
    with book.unit(2) as unit:
        number = book.state.regroup.split(unit, 1, [DISK.fingerprint], Actor("ana", "cli"))
    book.take(QUEUE, at_s=3)
    assert number == members(book)["QueueLong"][0]


def test_what_resolved_is_joined_by_no_rule(book: Book) -> None:
    obey(book, RULE)
    book.take(DISK)
    book.take(an_event("DiskFull", service="storage", status="resolved", end_s=5), at_s=5)
    with book.unit(1_000) as unit:
        book.state.resolve_quiet(unit)
    book.take(QUEUE, at_s=1_001)
    assert {"QueueLong"} == set(members(book))


def test_sorts_are_found_by_any_matcher_in_the_order_of_the_rules() -> None:
    none_named = GroupingRule("odd", 'service!="api", severity=~".+"', 'service=""', together=True)
    sorting = Sorting([RULE, none_named, NEVER])
    assert ((0, 0), (1, 0), (2, 0)) == sorting.sides(DISK.labels)
    assert ((0, 1), (1, 0)) == sorting.sides(QUEUE.labels)
    assert ((1, 1), (2, 1)) == sorting.sides({"alertname": "ProbeFailed"})
