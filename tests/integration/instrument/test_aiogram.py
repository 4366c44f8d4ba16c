import json
from pathlib import Path

from support.servers import answers, free_port, running, wait_until
from support.telemetry import WORKLOAD_PYTHON, Collector, Scrape, Telegram

TOKEN = "123456789:" + "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
PROBE = Path(__file__).parent / "aiogram_probe.py"


def test_a_polling_bot_tells_its_updates_its_calls_and_its_health(
    telegram: Telegram, collector: Collector, tmp_path: Path
) -> None:
    port = free_port()
    scrape = Scrape(port)
    with running(
        [WORKLOAD_PYTHON, PROBE],
        port=port,
        log=tmp_path / "bot.log",
        ready=lambda: answers(f"{scrape.url}/health"),
        env={
            "PROBE_PORT": str(port),
            "PROBE_API": telegram.url,
            "PROBE_TOKEN": TOKEN,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        },
    ) as bot:
        updates = "telegram_bot_update_duration_seconds_count"
        wait_until(lambda: len(scrape.samples(updates)) == 2, what="two updates", timeout_s=20)
        assert {
            '{handler="cmd_start",status="ok",update_type="message"}': 1.0,
            '{handler="forbidden",status="blocked",update_type="message"}': 1.0,
        } == scrape.samples(updates)
        calls = scrape.samples("telegram_api_requests_total")
        assert 1 == calls['{code="200",method="sendMessage"}']
        assert 1 == calls['{code="403",method="sendMessage"}']
        assert {"": 1.0} == scrape.samples("telegram_bot_blocked_total")
        wait_until(lambda: len(collector.spans) >= 4, what="four spans", timeout_s=20)
        (update,) = collector.named("update cmd_start")
        children = {span.parent_span_id for span in collector.named("sendMessage")}
        assert update.span_id in children
        bot.stop()
    log = bot.log.read_text()
    assert TOKEN not in log
    told = [json.loads(line) for line in log.splitlines()]
    assert {"bot.app"} == {line["event.dataset"] for line in told}


def test_a_bot_whose_polls_are_refused_is_not_healthy(telegram: Telegram, tmp_path: Path) -> None:
    telegram.polls_are_refused = True
    port = free_port()
    scrape = Scrape(port)
    with running(
        [WORKLOAD_PYTHON, PROBE],
        port=port,
        log=tmp_path / "bot.log",
        ready=lambda: answers(f"{scrape.url}/metrics"),
        env={"PROBE_PORT": str(port), "PROBE_API": telegram.url, "PROBE_TOKEN": TOKEN},
    ) as bot:
        refused = '{code="409",method="getUpdates"}'
        calls = "telegram_api_requests_total"
        wait_until(lambda: scrape.samples(calls).get(refused, 0) >= 1, what="a refused poll")
        assert not answers(f"{scrape.url}/health")
        telegram.polls_are_refused = False
        wait_until(lambda: answers(f"{scrape.url}/health"), what="health", timeout_s=20)
    assert TOKEN not in bot.log.read_text()
