from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from abops.alerts.ingest.identity import event_key, fingerprint

VOLATILE = ("prometheus_replica", "replica")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
names = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True).filter(
    lambda name: name != "pod" and name not in VOLATILE
)
label_sets = st.dictionaries(names, st.text(max_size=12), min_size=1, max_size=8)


@given(label_sets, st.randoms())
def test_order_of_labels_does_not_matter(labels: dict[str, str], draw: object) -> None:
    items = list(labels.items())
    draw.shuffle(items)  # type: ignore[attr-defined]
    assert fingerprint(labels, VOLATILE) == fingerprint(dict(items), VOLATILE)


@given(label_sets, st.text(max_size=12))
def test_twins_that_differ_in_a_volatile_label_are_one(labels: dict[str, str], value: str) -> None:
    twin = {**labels, "replica": value}
    assert fingerprint(labels, VOLATILE) == fingerprint(twin, VOLATILE)


@given(label_sets, names, st.text(max_size=12))
def test_another_label_is_another_alert(labels: dict[str, str], name: str, value: str) -> None:
    changed = {**labels, name: value}
    same = changed == labels
    assert same == (fingerprint(labels, VOLATILE) == fingerprint(changed, VOLATILE))


def test_a_value_does_not_run_into_the_next_name() -> None:
    assert fingerprint({"a": "b", "c": "d"}, ()) != fingerprint({"a": "bc", "d": ""}, ())


def test_a_pod_that_a_rollout_renames_is_the_same() -> None:
    before = fingerprint({"pod": "api-7d9f8b6c5-x2x9z"}, ())
    assert before == fingerprint({"pod": "api-5c6d7f8b9-k4k7m"}, ())
    assert before != fingerprint({"pod": "bot-7d9f8b6c5-x2x9z"}, ())


def test_a_statement_is_named_by_alert_start_state_and_end() -> None:
    said = event_key("f", "firing", NOON, None)
    later = NOON + timedelta(seconds=1)
    others = {
        event_key("g", "firing", NOON, None),
        event_key("f", "resolved", NOON, NOON),
        event_key("f", "resolved", NOON, later),
        event_key("f", "firing", later, None),
    }
    assert said == event_key("f", "firing", NOON, None)
    assert 5 == len(others | {said})
