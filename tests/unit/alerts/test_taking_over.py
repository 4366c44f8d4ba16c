"""What a replica reads when it takes the lead is what the one before it had learned by itself."""

from hypothesis import given, settings
from hypothesis import strategies as st

from abops.alerts.model import Severity
from abops.alerts.storm.digest import Digest, StormAlert

NOON = 1_000.0


def an_alert(number: int, kind: str, cluster: str, severity: Severity) -> StormAlert:
    return StormAlert(f"{number:03}", kind, f"pod-{number}", cluster, severity, NOON + number)


some = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C"]),
        st.sampled_from(["n1", "n2"]),
        st.sampled_from(["critical", "warning"]),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(some)
def test_a_storm_counted_in_parts_is_the_storm_counted_alert_by_alert(
    found: list[tuple[str, str, Severity]],
) -> None:
    alerts = [an_alert(n, *each) for n, each in enumerate(found)]
    one_by_one, in_parts = Digest(NOON), Digest(NOON)
    parts: dict[tuple[str, str], list[StormAlert]] = {}
    for alert in alerts:
        one_by_one.observe(alert, alert.at)  # told of before: nothing of it pages any more
        parts.setdefault((alert.cluster, alert.kind), []).append(alert)
    for part in parts.values():
        in_parts.take_in(part[0], len(part))
    assert one_by_one.state() == in_parts.state()
