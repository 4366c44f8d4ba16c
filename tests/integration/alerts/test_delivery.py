"""From a webhook to the channels, in every way a channel can behave."""

from pathlib import Path

from abops.alerts.model import Endpoints, ServiceSettings
from support.alert_stores import in_store
from support.alerts import a_body, a_service, an_alert, endpoints_of, eventually, over, told
from support.channels import Channels

QUICK = ServiceSettings(resolve_after_s=0.2, update_every_s=0.1, page_fallback_after_s=1)


def actions(channels: Channels, part: str) -> list[str]:
    return [record["action"] for record in channels.received(part)]


async def test_a_critical_alert_pages_and_its_recovery_is_told(
    channels: Channels, tmp_path: Path
) -> None:
    alert = an_alert()
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(alert))
        detail = await told(service, 1, ("pd", "open"), ("chat", "open"))
        latencies = [d.latency_s for d in detail.deliveries]
        assert all(latency is not None and latency < 2 for latency in latencies)
        await service.ingest(a_body(over(alert)))
        await told(service, 1, ("pd", "resolve"), ("chat", "resolve"))
    assert ["trigger", "resolve"] == actions(channels, "pagerduty")
    posts = [action for action in actions(channels, "slack") if action == "chat.postMessage"]
    assert (2, "chat.update") == (len(posts), actions(channels, "slack")[-2])
    assert [[], []] == [channels.violations(part) for part in ("slack", "pagerduty")]


async def test_another_alert_edits_the_message_and_pages_nobody(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(an_alert("A")))
        await told(service, 1, ("pd", "open"), ("chat", "open"))
        await service.ingest(a_body(*(an_alert(f"B{n}") for n in range(50))))
        await told(service, 1, ("chat", "update"))
    assert ["trigger"] == actions(channels, "pagerduty")
    assert ["chat.postMessage", "chat.update"] == actions(channels, "slack")


async def test_an_acknowledgement_is_told_to_pagerduty_and_slack(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(an_alert()))
        await told(service, 1, ("pd", "open"), ("chat", "open"))
        summary = await service.ack(1, by="ana")
        assert ("acked", "ana") == (summary.state, summary.acked_by)
        await told(service, 1, ("pd", "ack"), ("chat", "ack"))
    assert ["trigger", "acknowledge"] == actions(channels, "pagerduty")
    assert any("ana" in message["summary"] for message in channels.received("slack")[1:])


async def test_an_acknowledgement_taken_back_rings_again(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(an_alert(category="security")))
        await told(service, 1, ("pd", "open"), ("chat", "open"), ("tg", "open"))
        await service.ack(1, by="ana")
        await told(service, 1, ("pd", "ack"), ("chat", "ack"), ("tg", "ack"))
        summary = await service.unack(1, by="bo")
        assert ("open", "", None) == (summary.state, summary.acked_by, summary.acked_at)
        await told(service, 1, ("pd", "unack"), ("chat", "unack"), ("tg", "unack"))
    assert ["trigger", "acknowledge", "resolve", "trigger"] == actions(channels, "pagerduty")
    keys = {record["destination"] for record in channels.received("pagerduty")}
    assert 1 == len(keys)
    assert ["chat.update", "chat.postMessage"] == actions(channels, "slack")[-2:]
    update, reply = channels.received("slack")[-2:]
    assert update["summary"].startswith("[CRITICAL]")
    assert "is open again: nobody takes care of it" in reply["summary"]
    assert ["editMessageText", "sendMessage"] == actions(channels, "telegram")[-2:]
    assert [[], [], []] == [
        channels.violations(part) for part in ("slack", "pagerduty", "telegram")
    ]


async def test_what_was_taken_back_while_a_channel_was_away_is_not_told_as_if_it_held(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(an_alert()))
        await told(service, 1, ("pd", "open"), ("chat", "open"))
        channels.control("slack", mode="5xx", count=1)
        channels.control("pagerduty", mode="5xx", count=1)
        await service.ack(1, by="ana")

        async def refused() -> bool:
            states = [d.state for d in (await service.incident(1)).deliveries if d.kind == "ack"]
            return ["retry", "retry"] == states

        await eventually(refused, what="both channels refuse the ack")
        await service.unack(1, by="ana")
        await told(service, 1, ("pd", "unack"), ("chat", "unack"))
    replies = [r["summary"] for r in channels.received("slack") if "takes care" in r["summary"]]
    assert 1 == len(replies)
    assert "nobody takes care" in replies[0]
    assert "trigger" == actions(channels, "pagerduty")[-1]


async def test_a_security_alert_reaches_telegram_and_mail_reaches_the_mailbox(
    channels: Channels, tmp_path: Path
) -> None:
    security = an_alert("Intrusion", severity="warning", category="security", service="bot")
    letter = an_alert("Report", severity="info", category="mail", service="mailer")
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(security, letter))
        await told(service, 1, ("tg", "open"))
        await told(service, 2, ("mail", "open"))
        await service.ingest(a_body(over(security), over(letter)))
        await told(service, 1, ("tg", "resolve"))
        await told(service, 2, ("mail", "resolve"))
    assert ["sendMessage", "editMessageText", "sendMessage"] == actions(channels, "telegram")
    assert [] == channels.violations("telegram")
    mails = [record for record in channels.received("inbox") if record["channel"] == "email"]
    assert ["[INFO]", "[RESOLVED]"] == [mail["summary"].split(" ")[0] for mail in mails]
    assert mails[0]["payload"]["message_id"] == mails[1]["payload"]["in_reply_to"]


async def test_a_channel_that_hangs_delays_no_other(channels: Channels, tmp_path: Path) -> None:
    channels.control("slack", mode="hang")
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(an_alert()))
        detail = await told(service, 1, ("pd", "open"))
        states = {d.channel: d.state for d in detail.deliveries}
        latency = next(d.latency_s for d in detail.deliveries if d.channel == "pd")
        channels.control("slack", mode="ok")
    assert {"pd": "done", "chat": "sending"} == states
    assert latency is not None
    assert latency < 2


async def test_what_the_channel_asks_for_is_obeyed(channels: Channels, tmp_path: Path) -> None:
    for part in ("slack", "pagerduty", "telegram"):
        channels.control(part, mode="429", retry_after=1, count=1)
    alert = an_alert(category="security")
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(alert))
        detail = await told(service, 1, ("pd", "open"), ("chat", "open"), ("tg", "open"))
        attempts = {d.channel: d.attempts for d in detail.deliveries if d.kind == "open"}
        waits = [d.latency_s or 0 for d in detail.deliveries if d.kind == "open"]
    assert {"pd": 2, "chat": 2, "tg": 2} == attempts
    assert min(waits) >= 1
    assert [[], [], []] == [channels.violations(p) for p in ("slack", "pagerduty", "telegram")]


async def test_every_failure_that_may_pass_is_tried_again(
    channels: Channels, tmp_path: Path
) -> None:
    for mode in ("5xx", "reset", "malformed"):
        for part in ("slack", "pagerduty", "telegram"):
            channels.control(part, mode=mode, count=1)
        async with a_service(channels, tmp_path / mode) as service:
            await service.ingest(a_body(an_alert(category="security")))
            await told(service, 1, ("pd", "open"), ("chat", "open"), ("tg", "open"))


async def test_a_page_that_is_not_accepted_goes_to_the_fallback(
    channels: Channels, tmp_path: Path
) -> None:
    channels.control("pagerduty", mode="5xx")
    async with a_service(channels, tmp_path, settings=QUICK) as service:
        await service.ingest(a_body(an_alert()))
        detail = await told(service, 1, ("tg", "fallback"))
        assert "tg" in detail.summary.channels
        assert any("tg told instead" in entry.text for entry in detail.timeline)
    assert ["sendMessage"] == actions(channels, "telegram")


async def test_a_refused_message_is_given_up_and_told_elsewhere(
    channels: Channels, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for path in (channels.folder / "secrets").iterdir():
        (secrets / path.name).write_text(path.read_text())
    (secrets / "pd-dev").write_text("f" * 32)
    fields = {f: getattr(endpoints_of(channels), f) for f in Endpoints.__struct_fields__}
    endpoints = Endpoints(**{**fields, "secrets_dir": str(secrets)})
    async with a_service(channels, tmp_path, endpoints=endpoints) as service:
        await service.ingest(a_body(an_alert()))
        detail = await told(service, 1, ("tg", "fallback"))
        page = next(d for d in detail.deliveries if d.channel == "pd")
        metrics = (await service.metrics()).decode()
    assert ("dead", 1) == (page.state, page.attempts)
    assert "f" * 32 not in page.error
    assert "abops_dead_letters_total 1.0" in metrics


async def test_what_was_being_sent_when_it_died_is_sent_once_more(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(an_alert()))
        await told(service, 1, ("pd", "open"), ("chat", "open"))
    in_store(tmp_path, "UPDATE outbox SET state = 'sending', reference = ''")  # as kill -9 would
    async with a_service(channels, tmp_path) as service:

        async def both_again() -> bool:
            return [2, 2] == [len(channels.received(part)) for part in ("pagerduty", "slack")]

        await eventually(both_again, what="both told again")
        metrics = (await service.metrics()).decode()
    keys = {record["payload"]["dedup_key"] for record in channels.received("pagerduty")}
    assert 1 == len(keys)
    assert "abops_duplicate_pages_total 1.0" in metrics
