"""The form of a recorded series: an expression under a name that boards and alerts read."""

from datetime import timedelta

from msgspec import Struct


class Sample(Struct, frozen=True):
    """One value that a case expects, with every label of the recorded series but its name."""

    labels: dict[str, str]
    value: float


class RecordingCase(Struct, frozen=True):
    """A moment of made-up history, and what the recorded series says then.

    `series` maps a series to promtool's notation of its values, one every `Recording.step`.
    `samples` is complete: a series that is not in it must not exist.
    """

    name: str
    series: dict[str, str]
    at: timedelta
    samples: tuple[Sample, ...] = ()


class Recording(Struct, frozen=True):
    """One recorded series. The name is `level:metric:operations`, the level its labels."""

    record: str
    expr: str
    group: str = "recordings"
    cases: tuple[RecordingCase, ...] = ()
    step: timedelta = timedelta(seconds=14)
    """Between two samples of a case. Rules are evaluated every 15 s, so no sample lies on the
    edge of a range: whether the edge belongs to it differs between Prometheus 2 and 3."""
    labels: dict[str, str] = {}
    """Labels that the rule gives the series."""
