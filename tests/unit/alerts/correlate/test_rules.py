"""What people's rules make of a match: they go before whatever was learned."""

from abops.alerts.correlate.join import Match, Term
from abops.alerts.correlate.rules import Rule, Rules

DISK, QUEUE = (0, 0), (0, 1)
TOGETHER = Rule("disk and queue", together=True, within_s=600)
APART = Rule("disk without queue", together=False)
NOTHING = Match()


def near(*groups: int) -> Match:
    """Return a match that was made by evidence."""
    terms = tuple(Term(group, 0.8, 5.0, "same service") for group in groups)
    return Match(tuple(sorted(groups)), terms)


def rules(*known: Rule) -> Rules:
    found = Rules(known)
    found.record("local", (DISK,), 100.0, 1)
    return found


def test_without_rules_a_match_stays_as_it_is() -> None:
    assert near(2) == Rules().judge("local", (), 0.0, near(2))


def test_a_rule_joins_what_nothing_else_speaks_for() -> None:
    match = rules(TOGETHER).judge("local", (QUEUE,), 160.0, NOTHING)
    assert (1,) == match.groups
    assert ("rule 'disk and queue' joins them, 60 s before",) == match.words


def test_it_joins_within_its_time_and_environment_only() -> None:
    known = rules(TOGETHER)
    assert (1,) == known.judge("local", (QUEUE,), 700.0, NOTHING).groups
    assert () == known.judge("local", (QUEUE,), 700.1, NOTHING).groups
    assert () == known.judge("other", (QUEUE,), 160.0, NOTHING).groups
    assert () == known.judge("local", (DISK,), 160.0, NOTHING).groups


def test_what_a_rule_joins_is_one_with_what_evidence_joins() -> None:
    match = rules(TOGETHER).judge("local", (QUEUE,), 160.0, near(4))
    assert (1, 4) == match.groups
    assert "rule" in match.reason


def test_a_rule_keeps_apart_what_evidence_would_join() -> None:
    match = rules(APART).judge("local", (QUEUE,), 9_999.0, near(1))
    assert () == match.groups
    assert "rule 'disk without queue' keeps it apart from INC-1" == match.reason
    elsewhere = rules(APART).judge("local", (QUEUE,), 9_999.0, near(1, 3))
    assert (3,) == elsewhere.groups
    assert (elsewhere.reason, 2) == ("same service, 5 s before", len(elsewhere.words))


def test_a_third_alert_does_not_tie_together_what_is_apart() -> None:
    known = rules(APART)
    known.record("local", (QUEUE,), 110.0, 2)
    match = known.judge("local", (), 120.0, near(2, 1, 3))
    assert (2, 3) == match.groups  # the strongest reason first
    assert ((1, "disk without queue"),) == match.apart


def test_the_first_rule_that_speaks_decides() -> None:
    both = Rules([APART, TOGETHER])
    both.record("local", ((0, 0), (1, 0)), 100.0, 1)
    assert () == both.judge("local", ((0, 1), (1, 1)), 160.0, NOTHING).groups
    other = Rules([TOGETHER, APART])
    other.record("local", ((0, 0), (1, 0)), 100.0, 1)
    assert (1,) == other.judge("local", ((0, 1), (1, 1)), 160.0, NOTHING).groups
    # Of the one that joins the time is over: the next one speaks.
    assert () == other.judge("local", ((0, 1), (1, 1)), 9_999.0, near(1)).groups


def test_what_merged_and_what_closed_is_followed() -> None:
    known = rules(TOGETHER)
    known.record("local", (DISK,), 50.0, 2)
    known.merge(1, 2)
    assert (2,) == known.judge("local", (QUEUE,), 160.0, NOTHING).groups
    assert 60.0 == known.judge("local", (QUEUE,), 160.0, NOTHING).terms[0].gap_s
    known.close(2)
    assert () == known.judge("local", (QUEUE,), 160.0, NOTHING).groups
