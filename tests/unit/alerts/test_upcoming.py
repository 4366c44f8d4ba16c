from datetime import UTC, datetime

import msgspec

from abops.alerts.escalate.ladder import Ladder
from abops.alerts.model import Level, OnCall, Policy, Routing, Team
from abops.alerts.service.upcoming import Upcoming, foreseen

AT = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
ROUTING = Routing(
    "",
    {},
    {
        "dev": Team("dev", "pd", "chat", oncall=OnCall(("ana",))),
        "ops": Team("ops", "pd", "chat"),
    },
    (),
    escalation=Policy((Level("dev", 0), Level("ops", 900)), repeat=2),
    policies={"fast": Policy((Level("ops", 0), Level("dev", 60)))},
)


def next_of(**ladder: object) -> Upcoming | None:
    data = msgspec.json.encode(Ladder(0.0, **ladder)).decode()  # type: ignore[arg-type]
    return foreseen(ROUTING, [(7, AT.timestamp(), data)]).get(7)


def test_the_next_level_names_its_team_and_who_is_on_call() -> None:
    assert Upcoming(AT, 2, "ops", "") == next_of(step=1)
    assert Upcoming(AT, 1, "dev", "ana") == next_of(step=2)  # the ladder begins again


def test_when_every_level_was_paged_often_enough_the_chat_is_reminded() -> None:
    assert Upcoming(AT, 0, "", "") == next_of(step=4)


def test_the_incidents_own_policy_counts() -> None:
    assert Upcoming(AT, 2, "dev", "ana") == next_of(step=1, policy="fast")


def test_what_somebody_has_taken_wakes_nobody() -> None:
    assert next_of(step=1, acked_at=5.0) is None
