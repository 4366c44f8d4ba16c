"""Group `telemetry`: whether Prometheus itself can still see."""

from datetime import timedelta
from typing import Final

from abops.inventory.model import Inventory
from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import STEP, Timing, around, burst, labelled, steady
from abops.observability.catalogue.telemetry_logs import log_alerts
from abops.observability.catalogue.telemetry_place import GROUP, place
from abops.observability.catalogue.telemetry_sending import sending_alerts
from abops.observability.catalogue.telemetry_signals import signal_alerts
from abops.observability.catalogue.telemetry_spans import span_alerts

_QUARTER: Final = timedelta(minutes=15)
_PROMETHEUS: Final = {"job": "prometheus", "service": "prometheus", "env": "local"}


def telemetry_alerts(inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts about Prometheus, Alertmanager, traces and the platform's exporters."""
    teams = {part.name: part.team for part in inventory.platform}
    return (
        *(*_rules(teams), *_volume(teams), *sending_alerts(teams), *signal_alerts(teams)),
        *(*log_alerts(teams), *span_alerts(teams)),
    )


_PROMETHEUS_RELOAD_FAILED_RUNBOOK: Final = Runbook(
    meaning="The last reload was refused; Prometheus goes on with what it had.",
    diagnosis=(
        "```\nabops stack logs prometheus -n 50\nabops observability check\n"
        "promtool check config infrastructure/monitoring/prometheus/prometheus.yml\n"
        "```\nThe log names file and line."
    ),
    mitigation=(
        "Bring back the last good files (`git diff infrastructure/monitoring`), or"
        " mend platform.yaml and run `abops render`, then `curl -X POST"
        " http://PROMETHEUS/-/reload`. Do not restart before the check passes."
    ),
)


def _prometheus_rule_failures(teams: dict[str, str]) -> Alert:
    look = (
        "```\ncurl -s http://PROMETHEUS/api/v1/rules | jq -r '.data.groups[].rules[]"
        ' | select(.health=="err") | "\\(.name): \\(.lastError)"\'\n'
        "abops observability check\n```\n"
    )
    group = {"rule_group": "rules/slo.yml;slo"}
    return Alert(
        name="PrometheusRuleFailures",
        group=GROUP,
        severity="warning",
        expr=(
            "sum by (env, rule_group)"
            " (increase(prometheus_rule_evaluation_failures_total[15m])) > {threshold}"
        ),
        threshold=0,
        unit="evaluations",
        reason="A rule that fails once fails always: nobody is told by it.",
        summary="Rules of {{ $labels.rule_group }} cannot be evaluated",
        impact="Alerts and boards that read these rules are silent, not healthy.",
        labels=place("prometheus", "errors", teams["prometheus"]),
        board="platform",
        runbook=Runbook(
            meaning=(
                "Prometheus could not evaluate at least one rule of this group in the last 15"
                " minutes. Mostly two series meet where one was expected (`many-to-many"
                " matching`), after a label was added somewhere."
            ),
            diagnosis=look + "The error names the rule and the series that collide.",
            mitigation=(
                "Mend the expression in its catalogue entry, then:\n\n```\nabops render\n"
                "abops observability test\nabops stack restart prometheus\n```\nIf a deploy"
                " brought the label, rolling it back mends the rule at once."
            ),
        ),
        cases=burst(
            "prometheus_rule_evaluation_failures_total",
            _PROMETHEUS | group,
            _QUARTER,
            Fired({"env": "local", **group}, "Rules of rules/slo.yml;slo cannot be evaluated"),
        ),
    )


def _prometheus_reload_failed(teams: dict[str, str]) -> Alert:
    hold = timedelta(minutes=5)
    fired = Fired(
        {"env": "local", "service": "prometheus"},
        "Prometheus runs on an old configuration: the new one was refused",
    )

    def reload_(value: float) -> dict[str, str]:
        return labelled("prometheus_config_last_reload_successful", steady(value), _PROMETHEUS)

    return Alert(
        name="PrometheusReloadFailed",
        group=GROUP,
        severity="warning",
        expr="max by (env, service) (prometheus_config_last_reload_successful) == {threshold}",
        threshold=0,
        unit="",
        reason="The metric is 1 or 0; five minutes let a reload in two steps finish.",
        hold=hold,
        summary="Prometheus runs on an old configuration: the new one was refused",
        impact="New targets and rules are not used. A restart would not come up.",
        labels=place("prometheus", "system", teams["prometheus"]),
        board="platform",
        runbook=_PROMETHEUS_RELOAD_FAILED_RUNBOOK,
        cases=(
            Case("refused", reload_(0), hold, (fired,)),
            Case("not before its hold", reload_(0), hold - STEP),
            Case("accepted", reload_(1), 2 * hold),
            Case("no data", {}, 2 * hold),
        ),
    )


def _rules(teams: dict[str, str]) -> tuple[Alert, ...]:
    return (_prometheus_rule_failures(teams), _prometheus_reload_failed(teams), _group_late(teams))


def _group_late(teams: dict[str, str]) -> Alert:
    labels = {"rule_group": "rules/slo.yml;slo"}
    return Alert(
        name="RuleGroupLate",
        group=GROUP,
        severity="warning",
        expr=(
            "max by (env, rule_group) (prometheus_rule_group_last_duration_seconds"
            " / prometheus_rule_group_interval_seconds) > {threshold}"
        ),
        threshold=0.8,
        unit="of its interval",
        reason="At 1 evaluations are skipped; a fifth is left to act.",
        hold=timedelta(minutes=5),
        summary="Evaluating {{ $labels.rule_group }} takes most of its interval",
        impact="Alerts of this group come late, and not at all once evaluations are skipped.",
        labels=place("prometheus", "saturation", teams["prometheus"]),
        board="platform",
        runbook=Runbook(
            meaning="One evaluation of this group takes more than 80 % of the time there is.",
            diagnosis=(
                "```\ncurl -s http://PROMETHEUS/api/v1/rules | jq -r '.data.groups[].rules[]"
                ' | "\\(.evaluationTime) \\(.name)"\' | sort -rn | head\n```\n'
                "See SeriesJump too: a rule becomes slow when its series multiply."
            ),
            mitigation=(
                "Find the new label that multiplied the series and drop it, or record the costly"
                " part under its own name and read that. More CPU for Prometheus buys time."
            ),
        ),
        cases=around(
            0.8,
            lambda value: (
                labelled(
                    "prometheus_rule_group_last_duration_seconds",
                    steady(value * 15),
                    _PROMETHEUS | labels,
                )
                | labelled(
                    "prometheus_rule_group_interval_seconds",
                    steady(15),
                    _PROMETHEUS | labels,
                )
            ),
            lambda _value: Fired(
                {"env": "local", **labels},
                "Evaluating rules/slo.yml;slo takes most of its interval",
            ),
            timing=Timing(hold=timedelta(minutes=5)),
        ),
    )


_SERIES_JUMP_RUNBOOK: Final = Runbook(
    meaning="The number of series grew by half within a day.",
    diagnosis=(
        "```\ncurl -s http://PROMETHEUS/api/v1/status/tsdb | jq"
        " '.data.seriesCountByMetricName[:10], .data.labelValueCountByLabelName[:10]'\n"
        "```\nA label with thousands of values (an id, a URL) is the cause; see"
        " ApiMetricOverflow."
    ),
    mitigation=(
        "Roll back the deploy that brought the label, or drop it where it is scraped."
        " Old series leave memory within three hours."
    ),
)
_PROMETHEUS_RETENTION_NEAR_RUNBOOK: Final = Runbook(
    meaning="The blocks on disk are near the limit of their size.",
    diagnosis="```\ncurl -s http://PROMETHEUS/api/v1/status/tsdb\ndf -h\n```",
    mitigation=(
        "Raise `--storage.tsdb.retention.size` and the volume, or drop series that"
        " nobody reads (SeriesJump shows which)."
    ),
)


def _series_jump(teams: dict[str, str]) -> Alert:
    day = timedelta(days=1)
    step = timedelta(minutes=10)

    def series(ratio: float) -> dict[str, str]:
        # A day of a thousand series, then more.
        more = 1000 * (1 + ratio)
        return labelled("prometheus_tsdb_head_series", f"1000x144 {more:.6g}x60", _PROMETHEUS)

    return Alert(
        name="SeriesJump",
        group=GROUP,
        severity="warning",
        expr=(
            "max by (env, service) (prometheus_tsdb_head_series)"
            " / (max by (env, service) (prometheus_tsdb_head_series offset 1d) > 0) - 1"
            " > {threshold}"
        ),
        threshold=0.5,
        unit="more than a day ago",
        reason="Half as many again in a day is a label, not growth.",
        hold=timedelta(minutes=10),
        summary="Prometheus holds {{ $value | humanizePercentage }} more series than yesterday",
        impact="Prometheus needs more memory, and is killed when it has none.",
        labels=place("prometheus", "saturation", teams["prometheus"]),
        board="platform",
        step=step,
        runbook=_SERIES_JUMP_RUNBOOK,
        cases=(
            Case(
                "past the threshold",
                series(0.55),
                day + 2 * step,
                (
                    Fired(
                        {"env": "local", "service": "prometheus"},
                        "Prometheus holds 55% more series than yesterday",
                    ),
                ),
            ),
            Case("not before its hold", series(0.55), day + step),
            Case("short of the threshold", series(0.45), day + 6 * step),
            Case("the first day", series(0.55), timedelta(hours=4)),
            Case("no data", {}, step),
        ),
    )


def _prometheus_retention_near(teams: dict[str, str]) -> Alert:
    def limit(ratio: float) -> dict[str, str]:
        return labelled(
            "prometheus_tsdb_storage_blocks_bytes", steady(ratio * 1e9), _PROMETHEUS
        ) | labelled("prometheus_tsdb_retention_limit_bytes", steady(1e9), _PROMETHEUS)

    return Alert(
        name="PrometheusRetentionNear",
        group=GROUP,
        severity="warning",
        expr=(
            "max by (env, service) (prometheus_tsdb_storage_blocks_bytes"
            " / (prometheus_tsdb_retention_limit_bytes > 0)) > {threshold}"
        ),
        threshold=0.9,
        unit="of the size limit",
        reason="Above it old blocks are deleted before their time.",
        hold=timedelta(minutes=10),
        summary="Prometheus has used {{ $value | humanizePercentage }} of its space",
        impact="History becomes shorter than 35 days: 30-day objectives lose their beginning.",
        labels=place("prometheus", "saturation", teams["prometheus"]),
        board="platform",
        runbook=_PROMETHEUS_RETENTION_NEAR_RUNBOOK,
        cases=(
            *around(
                0.9,
                limit,
                lambda _value: Fired(
                    {"env": "local", "service": "prometheus"},
                    "Prometheus has used 99% of its space",
                ),
                timing=Timing(hold=timedelta(minutes=10)),
            ),
            Case(
                "without a limit there is none to reach",
                labelled("prometheus_tsdb_storage_blocks_bytes", steady(5e9), _PROMETHEUS)
                | labelled("prometheus_tsdb_retention_limit_bytes", steady(0), _PROMETHEUS),
                timedelta(minutes=20),
            ),
        ),
    )


def _volume(teams: dict[str, str]) -> tuple[Alert, ...]:
    return (_series_jump(teams), _prometheus_retention_near(teams))
