"""Whether Jaeger's store takes and returns what it is asked for.

OpenSearch takes spans in bulk, after they were counted as sent: `otelcol_exporter_send_failed_*`
stays at 0 when it refuses them, and only the bulk writer's own count tells. Reading an unknown
trace counts as an error as well, so `get_trace` says nothing.

There is no alert about a queue that is nearly full. Jaeger 2.13 exports
`otelcol_exporter_queue_size` and `_capacity` when its exporter has a `queue`; ours has none, spans
wait in the services instead, and CollectorRefusing tells when they are turned away.
"""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import STEP, burst, labelled
from abops.observability.catalogue.commands import shell
from abops.observability.catalogue.histories import stepped
from abops.observability.catalogue.telemetry_place import GROUP, place

_WINDOW: Final = timedelta(minutes=15)
_READS: Final = 'operation=~"find_traces|find_trace_ids|get_services|get_operations",result="err"'
_JAEGER: Final = {"job": "jaeger", "service": "jaeger", "env": "local"}
_STORE: Final = _JAEGER | {"kind": "opensearch", "name": "main", "role": "tracestore"}


def span_alerts(teams: dict[str, str]) -> tuple[Alert, ...]:
    """Return the alerts about the store of traces; `teams` maps a part to its team."""
    return (_storage_errors(teams["jaeger"]),)


_RUNBOOK: Final = Runbook(
    meaning=(
        "In the last 15 minutes the store refused spans that Jaeger wrote in bulk, or more than"
        " five searches failed."
    ),
    diagnosis=shell(
        "curl -s http://JAEGER:8888/metrics | grep -E 'bulk_index_errors|storage_requests'",
        "abops stack logs jaeger -n 50",
        "curl -s http://TRACE_STORE/_cluster/health?pretty",
        "curl -s 'http://TRACE_STORE/_cat/allocation?v'",
    )
    + '\n`bulk_index_errors` grows: the store is full, red, or answers 429. Only `result="err"`'
    " of searches grows: it is slow or an index is damaged.",
    mitigation=(
        "Bring the store back: room on its disk, or its node. Spans that it refused are lost; new"
        " ones come by themselves. With the local store:\n\n" + shell("abops stack restart jaeger")
    ),
)


def _storage_errors(team: str) -> Alert:
    fired = Fired(
        {"env": "local", "service": "jaeger"}, "The store of jaeger fails to write or to read"
    )
    return Alert(
        name="JaegerStorageErrors",
        group=GROUP,
        severity="warning",
        expr=(
            "sum by (env, service) (increase(jaeger_storage_bulk_index_errors_total[15m]))"
            " > {threshold} or sum by (env, service)"
            f" (increase(jaeger_storage_requests_total{{{_READS}}}[15m])) > 5"
        ),
        threshold=0,
        unit="spans refused",
        reason="A refused span is lost; of searches a few fail when somebody leaves the page.",
        summary="The store of {{ $labels.service }} fails to write or to read",
        impact="New traces are missing, or the old ones cannot be found.",
        labels=place("jaeger", "errors", team),
        board="platform",
        runbook=_RUNBOOK,
        cases=_cases(fired),
    )


def _cases(fired: Fired) -> tuple[Case, ...]:
    def reads(failed: int, operation: str = "find_traces", result: str = "err") -> dict[str, str]:
        labels = _STORE | {"operation": operation, "result": result}
        return labelled("jaeger_storage_requests_total", stepped([(20, 7 + failed)], 7), labels)

    at = 40 * STEP
    return (
        *burst("jaeger_storage_bulk_index_errors_total", _STORE, _WINDOW, fired),
        Case("six searches failed", reads(6), at, (fired,)),
        Case("four searches failed", reads(4), at),
        Case("searches go well", reads(50, result="ok"), at),
        Case("somebody asks for unknown traces", reads(50, "get_trace"), at),
    )
