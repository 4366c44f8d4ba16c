"""Whether traces arrive, and targets and exporters answer."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import (
    MARGIN,
    TURN,
    Timing,
    around,
    burst,
    labelled,
    rising,
    steady,
    turning,
)
from abops.observability.catalogue.telemetry_place import GROUP, place

_COLLECTORS: Final = "cpu|diskstats|filesystem|loadavg|meminfo|netdev|stat|vmstat"
"""Collectors that every machine has; others fail where there is no such hardware."""
_QUARTER: Final = timedelta(minutes=15)


def signal_alerts(teams: dict[str, str]) -> tuple[Alert, ...]:
    """Return the alerts about Jaeger, targets and exporters; `teams` maps a part to its team."""
    return (*_traces(teams), *_parts(teams["prometheus"]))


_COLLECTOR_REFUSING_RUNBOOK: Final = Runbook(
    meaning="The receiver turns spans away: its memory limit or its queue is reached.",
    diagnosis=(
        "```\nabops stack logs jaeger -n 50\ncurl -s http://JAEGER:8888/metrics | grep refused\n```"
    ),
    mitigation=(
        "Lower the sampling ratio of the service that sends most, or give the"
        " collector more memory. `abops stack restart jaeger` empties its buffers."
    ),
)
_COLLECTOR_EXPORT_FAILING_RUNBOOK: Final = Runbook(
    meaning="Spans were received and could not be handed on to their storage.",
    diagnosis=(
        "```\nabops stack logs jaeger -n 50\ndf -h\n```\nA full disk, or a storage that is down."
    ),
    mitigation=(
        "Make room or bring the storage back, then `abops stack restart jaeger`. Traces"
        " are kept for 48 h; deleting the folder of the local store loses only those."
    ),
)


def _collector_refusing(teams: dict[str, str]) -> Alert:
    jaeger = {"job": "jaeger", "service": "jaeger", "env": "local"}
    receiver = jaeger | {"receiver": "otlp"}
    refusing = labelled(
        "otelcol_receiver_refused_spans_total", turning(0, 100), receiver
    ) | labelled("otelcol_receiver_accepted_spans_total", turning(1000, 900), receiver)
    crossing = TURN + timedelta(minutes=2, seconds=45) + timedelta(minutes=5)
    last = Fired({"env": "local", "service": "jaeger"}, "jaeger refuses 10% of all spans")
    return Alert(
        name="CollectorRefusing",
        group=GROUP,
        severity="warning",
        expr=(
            "sum by (env, service) (rate(otelcol_receiver_refused_spans_total[5m]))"
            " / (sum by (env, service) (rate(otelcol_receiver_accepted_spans_total[5m]))"
            " + sum by (env, service) (rate(otelcol_receiver_refused_spans_total[5m])) > 0)"
            " > {threshold}"
        ),
        threshold=0.05,
        unit="ratio",
        reason="A burst may be refused; one span in twenty over five minutes is a full buffer.",
        hold=timedelta(minutes=5),
        summary="{{ $labels.service }} refuses {{ $value | humanizePercentage }} of all spans",
        impact="Traces have holes.",
        labels=place("jaeger", "saturation", teams["jaeger"]),
        board="platform",
        runbook=_COLLECTOR_REFUSING_RUNBOOK,
        cases=(
            *around(
                0.05,
                lambda value: (
                    labelled("otelcol_receiver_refused_spans_total", rising(1000 * value), receiver)
                    | labelled(
                        "otelcol_receiver_accepted_spans_total",
                        rising(1000 * (1 - value)),
                        receiver,
                    )
                ),
                lambda _value: Fired(
                    {"env": "local", "service": "jaeger"}, "jaeger refuses 5.5% of all spans"
                ),
                timing=Timing(hold=timedelta(minutes=5), warm=timedelta(seconds=15)),
            ),
            Case("a tenth refused since half its window", refusing, crossing + MARGIN, (last,)),
            Case("a tenth refused for less", refusing, crossing - MARGIN),
        ),
    )


def _collector_export_failing(teams: dict[str, str]) -> Alert:
    jaeger = {"job": "jaeger", "service": "jaeger", "env": "local"}
    exporter = jaeger | {"exporter": "jaeger_storage_exporter"}
    return Alert(
        name="CollectorExportFailing",
        group=GROUP,
        severity="warning",
        expr=(
            "sum by (env, service, exporter)"
            " (increase(otelcol_exporter_send_failed_spans_total[15m])) > {threshold}"
        ),
        threshold=0,
        unit="spans",
        reason="A span that could not be stored is lost.",
        summary="{{ $labels.exporter }} fails to store spans",
        impact="New traces are missing; old ones can be read.",
        labels=place("jaeger", "errors", teams["jaeger"]),
        board="platform",
        runbook=_COLLECTOR_EXPORT_FAILING_RUNBOOK,
        cases=burst(
            "otelcol_exporter_send_failed_spans_total",
            exporter,
            _QUARTER,
            Fired(
                {
                    "env": "local",
                    "service": "jaeger",
                    "exporter": "jaeger_storage_exporter",
                },
                "jaeger_storage_exporter fails to store spans",
            ),
        ),
    )


def _traces(teams: dict[str, str]) -> tuple[Alert, ...]:
    return (_collector_refusing(teams), _collector_export_failing(teams))


_TARGET_DOWN_RUNBOOK: Final = Runbook(
    meaning="Every target of this job fails to answer Prometheus.",
    diagnosis=(
        "```\nabops stack status\nabops stack logs SERVICE -n 50\n"
        "curl -s http://PROMETHEUS/api/v1/targets | jq -r '.data.activeTargets[]"
        ' | select(.health!="up") | "\\(.scrapeUrl) \\(.lastError)"\'\n```\n'
    ),
    mitigation=(
        "```\nabops stack restart SERVICE\n```\nor `abops stack up`, which starts what is missing."
    ),
)
_EXPORTER_ERROR_RUNBOOK: Final = Runbook(
    meaning="The exporter answers Prometheus, and says that its last reading failed.",
    diagnosis=(
        "```\nabops stack logs postgres-exporter -n 30\n"
        "abops stack logs redis-exporter -n 30\n"
        "abops stack logs business-exporter -n 30\n```\nMostly a right that the"
        " exporter's role lost, or a view that a new version renamed."
    ),
    mitigation=(
        "For PostgreSQL: `GRANT pg_monitor TO` the exporter's role. Otherwise restart"
        " the exporter: `abops stack restart postgres-exporter`."
    ),
)


def _parts(team: str) -> tuple[Alert, ...]:
    return (
        Alert(
            name="TargetDown",
            group=GROUP,
            severity="warning",
            expr="max by (env, job, service) (up) == {threshold}",
            threshold=0,
            unit="",
            reason="Five minutes outlast a restart; tier-1 parts have paged long before.",
            hold=timedelta(minutes=5),
            summary="{{ $labels.job }} has not been scraped for five minutes",
            impact="Nobody sees how {{ $labels.service }} does, and its alerts are silent.",
            labels={"component": "scrape", "category": "availability", "tier": "2", "team": team},
            board="platform",
            runbook=_TARGET_DOWN_RUNBOOK,
            cases=around(
                1,
                lambda value: labelled(
                    "up",
                    steady(0 if value < 1 else 1),
                    {"job": "node", "service": "node-exporter", "env": "local"},
                ),
                lambda _value: Fired(
                    {"env": "local", "job": "node", "service": "node-exporter"},
                    "node has not been scraped for five minutes",
                ),
                below=True,
                timing=Timing(hold=timedelta(minutes=5)),
            ),
        ),
        Alert(
            name="ExporterError",
            group=GROUP,
            severity="warning",
            expr=(
                "max by (env, job, service) (pg_exporter_last_scrape_error"
                " or redis_exporter_last_scrape_error) > {threshold}"
                " or min by (env, job, service) (node_scrape_collector_success"
                f'{{collector=~"{_COLLECTORS}"}}) == 0'
                " or min by (env, job, service) (abops_exporter_up) == 0"
            ),
            threshold=0,
            unit="",
            reason="An exporter that runs and cannot read shows old or no figures.",
            hold=timedelta(minutes=5),
            summary="The exporter of {{ $labels.service }} cannot read all it should",
            impact="Figures about {{ $labels.service }} are missing; alerts on them are silent.",
            labels={"component": "exporter", "category": "errors", "tier": "2", "team": team},
            board="platform",
            runbook=_EXPORTER_ERROR_RUNBOOK,
            cases=_exporter_cases(),
        ),
    )


def _exporter_cases() -> tuple[Case, ...]:
    def fired(job: str, service: str) -> Fired:
        return Fired(
            {"env": "local", "job": job, "service": service},
            f"The exporter of {service} cannot read all it should",
        )

    def postgres(value: int) -> dict[str, str]:
        return labelled(
            "pg_exporter_last_scrape_error",
            steady(value),
            {"job": "postgres", "service": "postgres", "env": "local"},
        )

    redis = labelled(
        "redis_exporter_last_scrape_error",
        steady(1),
        {"job": "redis", "service": "redis", "env": "local"},
    )
    node = {"job": "node", "service": "node-exporter", "env": "local"}
    collectors = labelled(
        "node_scrape_collector_success", steady(1), node | {"collector": "cpu"}
    ) | labelled("node_scrape_collector_success", steady(0), node | {"collector": "diskstats"})
    business = {"job": "abops-exporter", "service": "business-exporter", "env": "local"}
    one_away = labelled(
        "abops_exporter_up", steady(1), business | {"source": "postgres"}
    ) | labelled("abops_exporter_up", steady(0), business | {"source": "redis"})
    absent = labelled("node_scrape_collector_success", steady(0), node | {"collector": "nvme"})
    due = timedelta(minutes=5)
    return (
        Case("PostgreSQL's fails", postgres(1), due, (fired("postgres", "postgres"),)),
        Case("not before its hold", postgres(1), due - timedelta(seconds=15)),
        Case("Redis' fails", redis, due, (fired("redis", "redis"),)),
        Case("one collector of a node fails", collectors, due, (fired("node", "node-exporter"),)),
        Case(
            "ours cannot read one of its sources",
            one_away,
            due,
            (fired("abops-exporter", "business-exporter"),),
        ),
        Case("this machine has no such hardware", absent, due * 2),
        Case("all is read", postgres(0), due * 2),
        Case("no data", {}, due * 2),
    )
