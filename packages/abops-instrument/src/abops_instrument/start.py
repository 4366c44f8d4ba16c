"""The one call every process begins with."""

from abops_instrument.logs import configure_logs
from abops_instrument.tracing import SAMPLE_RATIO, Tracing, configure_tracing


def setup(  # noqa: PLR0913 - each has its default
    service: str,
    *,
    version: str,
    environment: str,
    otlp_endpoint: str | None = None,
    sample_ratio: float = SAMPLE_RATIO,
    log_level: str = "INFO",
    dataset: str | None = None,
) -> Tracing:
    """Turn on JSON logs and tracing for this process.

    Args:
        service: Name as in the inventory's jobs: `analyticbot-api`.
        version: Version of the running code.
        environment: `local`, `staging`, `production`.
        otlp_endpoint: Base URL of the collector; None reads OTEL_EXPORTER_OTLP_ENDPOINT.
        sample_ratio: Share of traces that begin here and are kept whole.
        log_level: Lines below it are not written.
        dataset: Default `event.dataset` of the log lines (`api.app`, `worker.tasks`).
    """
    configure_logs(
        service, version=version, environment=environment, level=log_level, dataset=dataset
    )
    return configure_tracing(
        service,
        version=version,
        environment=environment,
        otlp_endpoint=otlp_endpoint,
        sample_ratio=sample_ratio,
    )
