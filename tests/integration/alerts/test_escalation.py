"""Level after level until somebody takes it, with a real service and the channel servers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from abops.alerts.model import Level, OnCall, Policy, ServiceConfig, Team
from abops.alerts.service import AlertService
from support.alert_stores import in_store
from support.alerts import (
    PROMPT,
    a_body,
    a_routing,
    an_alert,
    endpoints_of,
    eventually,
    over,
    told,
)
from support.channels import Channels

TOLERANCE_S = 2.0
POLICY = Policy(
    (Level("dev", 0), Level("devops", 2), Level("management", 4)),
    repeat=2,
    ack_expires_s=3,
    resume_after_s=1,
    remind_every_s=2,
)


@asynccontextmanager
async def escalating(
    channels: Channels, folder: Path, policy: Policy = POLICY
) -> AsyncIterator[AlertService]:
    routing = a_routing()
    rota = OnCall(("primary",))
    teams = {name: Team(name, "pd", "chat", oncall=rota) for name in ("devops", "management")}
    routing = replace(
        routing,
        teams=routing.teams | teams,
        escalation=policy,
    )
    service = AlertService(
        ServiceConfig("local", routing, folder, endpoints_of(channels), settings=PROMPT)
    )
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


async def paged(service: AlertService, count: int) -> list[tuple[str, float]]:
    """Wait for so many pages; return team and seconds after the first."""

    async def enough() -> bool:
        return len(await service.pages(1)) >= count

    await eventually(enough, what=f"{count} pages")
    pages = await service.pages(1)
    return [(page.team, page.at - pages[0].at) for page in pages]


def triggers(channels: Channels) -> int:
    return sum(record["action"] == "trigger" for record in channels.received("pagerduty"))


async def test_nobody_takes_it_and_level_after_level_is_paged(
    channels: Channels, tmp_path: Path
) -> None:
    async with escalating(channels, tmp_path) as service:
        await service.ingest(a_body(an_alert()))
        pages = await paged(service, 3)
        assert ["dev", "devops", "management"] == [team for team, _ in pages]
        for (_, at), due in zip(pages, (0, 2, 4), strict=True):
            assert due <= at < due + TOLERANCE_S
        detail = await told(service, 1, ("pd", "open"), ("pd", "escalate"), ("chat", "escalate"))
        assert 3 == detail.summary.level
        lines = [entry.text for entry in detail.timeline if entry.kind == "paged"]
        assert lines[0] == "level 1 (dev) paged, it is critical"
        assert lines[1].startswith("level 2 (devops) paged, nobody acknowledged for")
        assert lines[1].endswith("primary is on call")

        async def three() -> bool:
            return triggers(channels) == 3

        await eventually(three, what="three pages at PagerDuty")
        metrics = (await service.metrics()).decode()
        assert "abops_timer_lateness_seconds_count 2.0" in metrics
    assert [] == channels.violations("pagerduty")


async def test_an_acknowledgement_stops_it_and_taking_it_back_goes_on(
    channels: Channels, tmp_path: Path
) -> None:
    policy = replace(POLICY, ack_expires_s=600)
    async with escalating(channels, tmp_path, policy) as service:
        await service.ingest(a_body(an_alert()))
        await paged(service, 1)
        await service.ack(1, by="ana")

        async def waits_for_expiry() -> bool:
            due = in_store(tmp_path, "SELECT due FROM timer WHERE fired_at IS NULL")
            return bool(due) and due[0][0] > service.clock.now().timestamp() + 500

        await eventually(waits_for_expiry, what="the timer waits for the expiry")
        assert 1 == len(await service.pages(1))
        await service.unack(1, by="ana")
        freed = service.clock.now().timestamp()
        await paged(service, 2)
        page = (await service.pages(1))[1]
    assert "devops" == page.team
    assert 1 <= page.at - freed + 0.1 < 1 + 2 * TOLERANCE_S


async def test_an_acknowledgement_that_is_too_old_no_longer_counts(
    channels: Channels, tmp_path: Path
) -> None:
    async with escalating(channels, tmp_path) as service:
        await service.ingest(a_body(an_alert()))
        await paged(service, 1)
        await service.ack(1, by="ana")
        await paged(service, 2)
        detail = await service.incident(1)
    assert "open" == detail.summary.state
    assert any("abops takes it from ana" in entry.text for entry in detail.timeline)


async def test_all_levels_twice_then_the_chat_is_reminded(
    channels: Channels, tmp_path: Path
) -> None:
    policy = Policy(
        (Level("dev", 0), Level("devops", 1)), repeat=2, remind_every_s=1, unaccepted_after_s=60
    )
    async with escalating(channels, tmp_path, policy) as service:
        await service.ingest(a_body(an_alert()))
        await told(service, 1, ("chat", "remind"))
        pages = await service.pages(1)
    assert ["dev", "devops", "dev", "devops"] == [page.team for page in pages]


async def test_what_is_resolved_wakes_nobody_any_more(channels: Channels, tmp_path: Path) -> None:
    alert = an_alert()
    async with escalating(channels, tmp_path) as service:
        await service.ingest(a_body(alert))
        await paged(service, 1)
        await service.ingest(a_body(over(alert)))

        async def no_timer() -> bool:
            return not in_store(tmp_path, "SELECT 1 FROM timer WHERE fired_at IS NULL")

        await eventually(no_timer, what="no timer is left")
        assert 1 == len(await service.pages(1))


async def test_a_warning_has_no_timer_until_it_is_critical(
    channels: Channels, tmp_path: Path
) -> None:
    async with escalating(channels, tmp_path) as service:
        await service.ingest(a_body(an_alert("Slow", severity="warning")))
        await told(service, 1, ("chat", "open"))
        assert () == await service.pages(1)
        await service.ingest(a_body(an_alert("Down")))
        assert ["dev"] == [team for team, _ in await paged(service, 1)]


async def test_of_two_that_become_one_the_earlier_escalation_stays(
    channels: Channels, tmp_path: Path
) -> None:
    policy = replace(POLICY, levels=(Level("dev", 0), Level("devops", 4)))
    async with escalating(channels, tmp_path, policy) as service:
        await service.ingest(a_body(an_alert("DiskFull", service="postgres", env="local")))
        await paged(service, 1)
        await service.ingest(a_body(an_alert("TokenLeak", service="bot", env="local")))

        async def two() -> bool:
            return len(await service.incidents()) == 2

        await eventually(two, what="two incidents")
        first = (await service.pages(1))[0].at
        await service.merge(1, 2, by="ana")

        async def second_level() -> bool:
            return any(page.level == 2 for page in await service.pages(2))

        await eventually(second_level, what="level 2 of the one that is left")
        page = next(page for page in await service.pages(2) if page.level == 2)
    assert 4 <= page.at - first < 4 + TOLERANCE_S


async def test_a_page_that_no_channel_accepts_brings_the_next_level_early(
    channels: Channels, tmp_path: Path
) -> None:
    policy = Policy((Level("dev", 0), Level("devops", 600)), unaccepted_after_s=1)
    channels.control("pagerduty", mode="5xx")
    async with escalating(channels, tmp_path, policy) as service:
        await service.ingest(a_body(an_alert()))
        pages = await paged(service, 2)
        why = (await service.pages(1))[1].reason
    assert ["dev", "devops"] == [team for team, _ in pages]
    assert 1 <= pages[1][1] < 1 + TOLERANCE_S
    assert "the page before was not accepted in 1 s" == why


async def test_a_silence_halts_an_escalation_and_its_end_begins_it_anew(
    channels: Channels, tmp_path: Path
) -> None:
    policy = Policy((Level("dev", 0), Level("devops", 2)))
    async with escalating(channels, tmp_path, policy) as service:
        await service.ingest(a_body(an_alert()))
        await told(service, 1, ("pd", "open"))
        end = service.clock.now().timestamp() + 4
        await service.silence('service="api"', ends_at=end, reason="known", by="ana")
        await paged(service, 3)
        pages = await service.pages(1)
        await told(service, 1, ("pd", "escalate"))
    assert [1, 1, 2] == [page.level for page in pages]
    assert end <= pages[1].at < end + TOLERANCE_S
    assert 2 <= pages[2].at - pages[1].at < 2 + TOLERANCE_S
