"""The workload's decisions, which need no store and no framework."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.api.tokens import TokenError, TokenSigner
from apps.faults import Switches
from apps.passwords import hash_password, is_password
from apps.settings import SettingsError, read_settings
from apps.traffic.shape import Shape
from infra.celery.schedule import (
    ON_DEMAND,
    PERIODIC,
    QUEUES,
    ROUTES,
    ScheduleError,
    beat_schedule,
    intervals,
)

DAY_S = 86_400.0


def test_the_schedule_is_the_contract() -> None:
    contract = {
        "bot.tasks.send_scheduled_message": (60, "messages", 9),
        "bot.tasks.update_post_views_task": (300, "analytics", None),
        "bot.tasks.health_check_task": (300, "monitoring", None),
        "bot.tasks.update_prometheus_metrics": (300, "monitoring", None),
        "bot.tasks.cleanup_metrics_task": (3600, "maintenance", None),
        "bot.tasks.maintenance_cleanup": (3600, "maintenance", None),
        "infra.celery.tasks.cleanup_old_data": (86400, "maintenance", None),
    }

    assert contract == {
        entry.task: (entry.every_s, entry.queue, entry.priority) for entry in PERIODIC
    }
    assert {
        "infra.celery.tasks.send_message_task": "messages",
        "infra.celery.tasks.process_analytics": "analytics",
    } == ON_DEMAND
    assert ("default", "messages", "analytics", "monitoring", "maintenance") == QUEUES
    assert {route["queue"] for route in ROUTES.values()} <= set(QUEUES)


def test_intervals_can_be_shortened_one_by_one() -> None:
    every = intervals("send_scheduled_message=5, cleanup_old_data=60")

    assert (5, 300, 60) == (
        every["send_scheduled_message"],
        every["update_post_views_task"],
        every["cleanup_old_data"],
    )
    assert 5 == beat_schedule("send_scheduled_message=5")["send_scheduled_message"]["schedule"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("send=5", "no schedule 'send'"),
        ("cleanup_old_data=soon", "'soon' is not a number"),
        ("cleanup_old_data=0", "less than one second"),
        ("cleanup_old_data=nan", "less than one second"),
        ("cleanup_old_data", "'' is not a number"),
    ],
)
def test_a_bad_interval_is_refused_with_its_reason(overrides: str, message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        intervals(overrides)


@given(st.floats(0, 4e9))
def test_traffic_stays_between_night_and_peak(at_s: float) -> None:
    rate = Shape(peak_per_s=10, noise=0.1).rate(at_s)

    assert 10 * 0.2 * 0.9 <= rate <= 10 * 1.1


def test_traffic_peaks_in_the_evening_and_rests_before_dawn() -> None:
    shape = Shape(peak_per_s=10, noise=0)
    rates = {hour: shape.rate(hour * 3600) for hour in range(24)}

    assert 20 == max(rates, key=rates.__getitem__)
    assert 8 == min(rates, key=rates.__getitem__)
    assert pytest.approx(2, abs=0.1) == rates[8]


def test_a_day_can_be_shortened() -> None:
    day, short = Shape(10, noise=0), Shape(10, day_s=600, noise=0)

    assert pytest.approx(day.rate(DAY_S / 4)) == short.rate(600 / 4)


def test_a_token_says_whose_it_is_to_its_signer_only() -> None:
    token = TokenSigner("secret").issue(7)

    assert 7 == TokenSigner("secret").read(token)
    with pytest.raises(TokenError, match="bad_token"):
        TokenSigner("other").read(token)
    with pytest.raises(TokenError, match="bad_token"):
        TokenSigner("secret").read(token.replace("7", "8", 1))


def test_an_old_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    token = TokenSigner("secret").issue(7)
    monkeypatch.setattr("apps.clock.epoch_s", lambda: 9e9)

    with pytest.raises(TokenError, match="expired_token"):
        TokenSigner("secret").read(token)


@given(st.text(max_size=60))
def test_anything_else_is_no_token(token: str) -> None:
    with pytest.raises(TokenError):
        TokenSigner("secret").read(token)


def test_a_password_is_recognized_and_not_kept() -> None:
    stored = hash_password("open sesame")

    assert is_password("open sesame", stored)
    assert not is_password("open", stored)
    assert "sesame" not in stored
    assert stored != hash_password("open sesame")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://user:geheim@host/db"),
        ("REDIS_URL", "http://:geheim@host"),
        ("BOT_TOKEN", "geheim"),
        ("DB_POOL_SIZE", "0"),
        ("DB_POOL_TIMEOUT", "0"),
        ("METRICS_PORT", "65536"),
        ("WORKLOAD_FAULTS", "yes"),
        ("MTPROTO_ENABLED", "yes"),
        ("MTPROTO_GATEWAY_URL", "tcp://geheim@host"),
        ("MTPROTO_SESSIONS", "geheim"),
        ("MTPROTO_SESSIONS", "geheim-1,"),
        ("MTPROTO_SESSIONS", "geheim-12,geheim 34"),
        ("MTPROTO_SESSIONS", "geheim-12,geheim-12"),
        ("MTPROTO_INTERVAL_S", "0"),
    ],
)
def test_a_bad_value_names_its_variable_and_keeps_secrets(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({name: value})

    assert str(caught.value).startswith(f"{name}: ")
    assert "geheim" not in str(caught.value)


def test_a_driver_in_the_database_url_is_dropped() -> None:
    url = read_settings({"DATABASE_URL": "postgresql+asyncpg://u@h/d"}).database_url

    assert "postgresql://u@h/d" == url


@pytest.mark.parametrize(("stall", "poll"), [("60", 10), ("10", 3), ("1", 1)])
def test_a_quiet_poll_ends_well_before_it_counts_as_stalled(stall: str, poll: int) -> None:
    assert poll == read_settings({"BOT_POLL_STALL_S": stall}).poll_timeout_s


def _switches(path: Path, content: object, *, enabled: bool = True) -> Switches:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return Switches(path, enabled=enabled)


def _entry(**more: object) -> dict[str, object]:
    return {"since": 1.0, "until": None, "ratio": 1.0, "options": {}, **more}


def test_a_switch_is_on_until_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.clock.epoch_s", lambda: 100.0)
    switches = _switches(
        tmp_path / "f", {"errors": _entry(until=101.0), "latency": _entry(until=100.0)}
    )

    assert switches.active("errors") is not None
    assert switches.active("latency") is None
    assert switches.active("crash") is None


def test_a_process_fault_meets_the_named_service_only(tmp_path: Path) -> None:
    switches = _switches(tmp_path / "f", {"crash": _entry(options={"service": "bot"})})

    assert switches.active("crash", service="bot") is not None
    assert switches.active("crash", service="api") is None


def test_a_ratio_of_zero_never_hits(tmp_path: Path) -> None:
    switches = _switches(tmp_path / "f", {"errors": _entry(ratio=0.0)})

    assert switches.hits("errors") is None


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"errors": 1}', '{"errors": {"since": "x"}}', '{"unknown": {}}']
)
def test_a_damaged_file_breaks_nothing(tmp_path: Path, content: str) -> None:
    assert _switches(tmp_path / "f", content).active("errors") is None


def test_nothing_is_broken_where_switches_are_not_allowed(tmp_path: Path) -> None:
    switches = _switches(tmp_path / "f", {"errors": _entry()}, enabled=False)

    assert switches.active("errors") is None


def test_a_changed_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.faults.LOOK_EVERY_S", 0.0)
    path = tmp_path / "f"
    switches = _switches(path, {})
    assert switches.active("errors") is None

    path.with_suffix(".new").write_text(json.dumps({"errors": _entry()}))
    os.replace(path.with_suffix(".new"), path)  # noqa: PTH105 - as the panel does

    assert switches.active("errors") is not None
    path.unlink()
    assert switches.active("errors") is None


HOOK = {"TELEGRAM_WEBHOOK_URL": "https://bot.example.com", "TELEGRAM_WEBHOOK_SECRET": "geheim-12"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ("", "")),
        (HOOK, ("https://bot.example.com/webhook/telegram", "geheim-12")),
        (
            HOOK | {"TELEGRAM_WEBHOOK_URL": "https://bot.example.com/"},
            ("https://bot.example.com/webhook/telegram", "geheim-12"),
        ),
        (
            HOOK | {"TELEGRAM_WEBHOOK_URL": "https://example.com/a/b"},
            ("https://example.com/a/b", "geheim-12"),
        ),
        (HOOK | {"BOT_MODE": "polling"}, ("", "")),
        ({"BOT_MODE": "polling", "TELEGRAM_WEBHOOK_URL": "nonsense"}, ("", "")),
    ],
)
def test_the_bots_mode_follows_from_the_address_unless_it_is_named(
    environment: dict[str, str], expected: tuple[str, str]
) -> None:
    config = read_settings(environment)

    assert expected == (config.webhook_url, config.webhook_secret)


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"BOT_MODE": "both"}, "BOT_MODE"),
        ({"BOT_MODE": "webhook"}, "TELEGRAM_WEBHOOK_URL"),
        (HOOK | {"TELEGRAM_WEBHOOK_URL": "ftp://geheim@host"}, "TELEGRAM_WEBHOOK_URL"),
        (HOOK | {"TELEGRAM_WEBHOOK_URL": "https://"}, "TELEGRAM_WEBHOOK_URL"),
        (HOOK | {"TELEGRAM_WEBHOOK_SECRET": ""}, "TELEGRAM_WEBHOOK_SECRET"),
        (HOOK | {"TELEGRAM_WEBHOOK_SECRET": "geheim"}, "TELEGRAM_WEBHOOK_SECRET"),
        (HOOK | {"TELEGRAM_WEBHOOK_SECRET": "geheim geheim"}, "TELEGRAM_WEBHOOK_SECRET"),
        (HOOK | {"TELEGRAM_WEBHOOK_SECRET": "geheim-12\n"}, "TELEGRAM_WEBHOOK_SECRET"),
        (HOOK | {"BOT_WEBHOOK_LOOK_S": "0"}, "BOT_WEBHOOK_LOOK_S"),
    ],
)
def test_a_webhook_needs_an_address_and_a_secret(environment: dict[str, str], name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(environment)

    assert str(caught.value).startswith(f"{name}: ")
    assert "geheim" not in str(caught.value)


def test_the_accounts_are_off_and_speak_to_the_stub_unless_told() -> None:
    config = read_settings({"TELEGRAM_API_URL": "http://127.0.0.1:8181/"})

    assert (False, "http://127.0.0.1:8181/mtproto", ("local-session",), 300.0) == (
        config.mtproto_enabled,
        config.mtproto_gateway_url,
        config.mtproto_sessions,
        config.mtproto_interval_s,
    )


def test_the_accounts_have_a_session_each() -> None:
    config = read_settings({"MTPROTO_ENABLED": "1", "MTPROTO_SESSIONS": "abcdefgh, 1234567="})

    assert (True, ("abcdefgh", "1234567=")) == (config.mtproto_enabled, config.mtproto_sessions)
