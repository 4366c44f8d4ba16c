"""A piece of work that begins in this process: a request, an update, a task, a tick.

Its ids are drawn at the start, so that logs and callees carry them whether or not it is
sampled. At the end it becomes a span: because it was sampled, or late, because it failed or
was slow.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter, time_ns

from opentelemetry.context import attach, detach
from opentelemetry.trace import SpanKind, set_span_in_context

from abops_instrument import tracing
from abops_instrument.propagation import RemoteSpan

Attributes = Mapping[str, str | int | bool]


class Work:
    """One piece of work and its place in its trace."""

    __slots__ = (
        "_token",
        "is_sampled",
        "kind",
        "process",
        "remote",
        "span",
        "span_id",
        "start_ns",
        "started",
        "trace_id",
    )

    def __init__(
        self, name: str, kind: SpanKind, remote: RemoteSpan | None, process: tracing.Tracing
    ) -> None:
        self.started = perf_counter()
        self.start_ns = time_ns()
        self.kind = kind
        self.remote = remote
        self.process = process
        self.trace_id, self.span_id, self.is_sampled = process.draw(remote)
        if self.is_sampled:
            self.span = process.start(
                name,
                kind,
                trace_id=self.trace_id,
                span_id=self.span_id,
                remote=remote,
                start_ns=self.start_ns,
            )
        else:
            self.span = tracing.unsampled(self.trace_id, self.span_id)
        self._token = attach(set_span_in_context(self.span))

    def leave(self) -> None:
        """Stop being what logs and callees belong to."""
        detach(self._token)

    def exemplar(self) -> dict[str, str]:
        """Return what ties an observation to this trace."""
        return {"trace_id": f"{self.trace_id:032x}", "span_id": f"{self.span_id:016x}"}

    def end(
        self,
        name: str,
        attributes: Attributes,
        *,
        error: BaseException | None = None,
        failed: bool = False,
        wanted: bool = False,
    ) -> None:
        """Become a span if sampled, failed or `wanted` for another reason, as being slow is."""
        if self.is_sampled:
            span = self.span
            span.update_name(name)
            span.set_attributes(attributes)
            tracing.finish(span, error=error, failed=failed)
        elif failed or wanted:
            self.process.emit_late(
                name,
                self.kind,
                trace_id=self.trace_id,
                span_id=self.span_id,
                remote=self.remote,
                start_ns=self.start_ns,
                attributes=attributes,
                error=error,
                failed=failed,
            )


@contextmanager
def working(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    attributes: Attributes | None = None,
    remote: RemoteSpan | None = None,
) -> Iterator[Work]:
    """Run a block as one piece of work; an exception makes it a failed one."""
    work = Work(name, kind, remote, tracing.current())
    failure: BaseException | None = None
    try:
        yield work
    except BaseException as error:
        failure = error
        raise
    finally:
        work.leave()
        work.end(name, attributes or {}, error=failure, failed=failure is not None)
