"""Boards of the platform itself: what watches and tells is watched too."""

from abops.inventory.model import Inventory
from abops.observability.boards.model import FULL, Board, Limit, Panel, Query, Row, chart, stat

E = 'env=~"$env"'


def platform_boards(inventory: Inventory) -> tuple[Board, ...]:
    """Return the boards about the platform."""
    names = "|".join(part.name for part in inventory.platform)
    return (_platform(names), _alert_quality())


def _platform(names: str) -> Board:
    parts = f'{E},service=~"{names}"'
    return Board(
        uid="ab-platform",
        title="Platform",
        description="Prometheus, Alertmanager, Jaeger, exporters and the alert service.",
        tags=("platform",),
        rows=(
            Row("Now", _platform_now(parts)),
            Row("Prometheus", _prometheus()),
            Row("Traces and exporters", _signals(parts), collapsed=True),
        ),
    )


def _platform_now(parts: str) -> tuple[Panel, ...]:
    return (
        stat(
            "Parts up",
            "percentunit",
            f"avg(up{{{parts}}})",
            "Parts of the platform that answer Prometheus.",
            Limit(0.9, "yellow"),
            Limit(1, "green"),
            small_is_bad=True,
        ),
        stat(
            "Series",
            "short",
            f"max(prometheus_tsdb_head_series{{{E}}})",
            "Series in Prometheus' memory: its memory grows with them.",
        ),
        stat(
            "Samples",
            "ops",
            f"sum(rate(prometheus_tsdb_head_samples_appended_total{{{E}}}[5m]))",
            "Samples stored each second.",
        ),
        stat(
            "Rules, of a core",
            "percentunit",
            f"sum(rate(prometheus_rule_group_duration_seconds_sum{{{E}}}[5m]))",
            "Time that evaluating rules takes of one core. Promised: one per cent.",
            Limit(0.01, "yellow"),
            Limit(0.1),
        ),
        stat(
            "Oldest message",
            "s",
            f"max(abops_outbox_oldest_seconds{{{E}}})",
            "Age of the oldest message that no channel has taken.",
            Limit(15, "yellow"),
            Limit(30),
        ),
        stat(
            "Watchdog heard",
            "s",
            f"max(abops_heartbeat_age_seconds{{{E}}})",
            "Time since the alert that always fires last arrived. Above 180 s telling is broken.",
            Limit(120, "yellow"),
            Limit(180),
        ),
    )


def _prometheus() -> tuple[Panel, ...]:
    return (
        chart(
            "Scrapes that fail",
            "short",
            "Targets that do not answer, by job.",
            Query(f"count by (job) (up{{{E}}} == 0)", "{{job}}"),
            no_value="every target answers",
            limits=(Limit(1),),
        ),
        chart(
            "Rule groups",
            "s",
            "Time of the last evaluation of each group; it must stay far below its interval.",
            Query(
                "topk(10, max by (rule_group)"
                f" (prometheus_rule_group_last_duration_seconds{{{E}}}))",
                "{{rule_group}}",
            ),
        ),
        chart(
            "Failed rules",
            "short",
            "Evaluations that failed in an hour.",
            Query(
                "sum by (rule_group)"
                f" (increase(prometheus_rule_evaluation_failures_total{{{E}}}[1h])) > 0",
                "{{rule_group}}",
            ),
            no_value="no evaluation failed in this time",
            limits=(Limit(1),),
        ),
        chart(
            "Memory",
            "bytes",
            "Resident memory of the parts.",
            Query(
                f'service:memory_bytes:max{{{E},service=~"prometheus|alertmanager|jaeger|alerts"}}',
                "{{service}}",
            ),
        ),
        chart(
            "Storage",
            "bytes",
            "Bytes of blocks on disk.",
            Query(f"max(prometheus_tsdb_storage_blocks_bytes{{{E}}})", "blocks"),
        ),
        chart(
            "Alerts on their way",
            "short",
            "Alerts that wait to be sent to Alertmanager, and those that were dropped.",
            Query(f"max(prometheus_notifications_queue_length{{{E}}})", "waiting"),
            Query(
                f"sum(increase(prometheus_notifications_dropped_total{{{E}}}[1h]))",
                "dropped in an hour",
            ),
        ),
    )


def _signals(parts: str) -> tuple[Panel, ...]:
    return (
        chart(
            "Scrape time",
            "s",
            "Time of a scrape, for the ten slowest jobs.",
            Query(f"topk(10, max by (job) (scrape_duration_seconds{{{E}}}))", "{{job}}"),
        ),
        chart(
            "Series by job",
            "short",
            "Samples of one scrape, for the ten largest jobs.",
            Query(
                f"topk(10, max by (job) (scrape_samples_post_metric_relabeling{{{E}}}))", "{{job}}"
            ),
        ),
        chart(
            "Spans lost",
            "ops",
            "Spans that a service could not hand over, by reason.",
            Query(
                "sum by (service, result) (rate(abops_instrument_spans_total"
                f'{{{E},result!="sent"}}[$__rate_interval]))',
                "{{service}} {{result}}",
            ),
            no_value="no span was lost in this time",
        ),
        chart(
            "Readings that failed",
            "short",
            "Readings of a source that our exporter had to give up, in the hour before each"
            " moment. Its last figures stay for fifteen minutes.",
            Query(
                f"sum by (source) (increase(abops_exporter_errors_total{{{E}}}[1h]))", "{{source}}"
            ),
            limits=(Limit(1, "yellow"),),
        ),
        chart(
            "Restarts",
            "short",
            "Restarts in the hour before each moment.",
            Query(f"service:restarts:increase1h{{{parts}}}", "{{service}}"),
            limits=(Limit(1),),
        ),
    )


def _alert_quality() -> Board:
    return Board(
        uid="ab-alert-quality",
        title="Alert quality",
        description="Whether alerts reach people, in time, and whether they are worth it.",
        tags=("platform",),
        span="24h",
        rows=(
            Row("Now", _quality_now()),
            Row("Told", _told()),
            Row("Noise", _noise()),
        ),
    )


def _quality_now() -> tuple[Panel, ...]:
    return (
        stat(
            "Open incidents",
            "short",
            f"sum(abops_incidents_open{{{E}}})",
            "Incidents that are not over.",
            Limit(1, "yellow"),
            Limit(5),
        ),
        stat(
            "Firing alerts",
            "short",
            f'count(ALERTS{{{E},alertstate="firing",alertname!="Watchdog"}}) or vector(0)',
            "Alerts that fire now.",
        ),
        stat(
            "Alerts in a day",
            "short",
            f"sum(increase(abops_alerts_received_total{{{E}}}[1d]))",
            "Alerts that the alert service took in 24 hours, repeats included.",
        ),
        stat(
            "Given up",
            "short",
            f"sum(increase(abops_dead_letters_total{{{E}}}[1d]))",
            "Messages of a day that no channel took: somebody was not told.",
            Limit(1),
        ),
        stat(
            "Perhaps paged twice",
            "short",
            f"sum(increase(abops_duplicate_pages_total{{{E}}}[1d]))",
            "Pages of a day that may have been sent twice after a crash.",
            Limit(1, "yellow"),
        ),
        stat(
            "Watchdog heard",
            "s",
            f"max(abops_heartbeat_age_seconds{{{E}}})",
            "Time since the alert that always fires last arrived.",
            Limit(120, "yellow"),
            Limit(180),
        ),
    )


def _told() -> tuple[Panel, ...]:
    latency = "abops_notification_latency_seconds_bucket"
    return (
        chart(
            "From alert to channel",
            "s",
            "Time until a channel took the message, for the slowest twentieth of an hour.",
            Query(
                f"histogram_quantile(0.95, sum by (le, channel) (rate({latency}{{{E}}}[1h])))",
                "{{channel}}",
            ),
            limits=(Limit(30),),
            no_value="nobody was told anything in this time",
        ),
        chart(
            "Attempts by result",
            "short",
            "Attempts of each hour. `retry` is a channel that held us back or was down.",
            Query(
                f"sum by (channel, result) (increase(abops_notifications_total{{{E}}}[1h]))",
                "{{channel}} {{result}}",
            ),
        ),
        chart(
            "Oldest message",
            "s",
            "Age of the oldest message that no channel has taken, by severity.",
            Query(f"max by (severity) (abops_outbox_oldest_seconds{{{E}}})", "{{severity}}"),
            limits=(Limit(30),),
        ),
    )


def _noise() -> tuple[Panel, ...]:
    return (
        Panel(
            title="Loudest alerts",
            description="Alerts by the share of the last day in which they fired.",
            unit="percentunit",
            kind="table",
            width=FULL,
            queries=(
                Query(
                    "topk(15, sum by (alertname, service, severity) (count_over_time("
                    f'ALERTS{{{E},alertstate="firing",alertname!="Watchdog"}}[1d:1m]) / 1440))'
                ),
            ),
            columns=("firing",),
            no_value="no alert fired in a day",
        ),
        chart(
            "Alerts by what became of them",
            "short",
            "Alerts of each hour: accepted, repeats, refused.",
            Query(
                f"sum by (result) (increase(abops_alerts_received_total{{{E}}}[1h]))", "{{result}}"
            ),
            width=12,
        ),
        chart(
            "Firing by severity",
            "short",
            "Alerts that fire, by severity.",
            Query(
                f'count by (severity) (ALERTS{{{E},alertstate="firing",severity!="none"}})',
                "{{severity}}",
            ),
            stacked=True,
            width=12,
            no_value="no alert fired in this time",
        ),
    )
