"""Cases that every recorded series of one shape must pass: rates, ratios, quantiles, sums.

A case gives the series that the expression reads, recorded ones too, so each is judged alone.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from abops.observability.catalogue.recording import RecordingCase, Sample

Labels = Mapping[str, str]

AT: Final = timedelta(minutes=15)
"""When cases look. A window of 5 minutes then begins at 600 s, between two samples."""
SOON: Final = timedelta(minutes=1)
_STEP_S: Final = 14
_RISES_AT: Final = 50
"""Sample of the first rise: 700 s. Before that the counter rests, so that a window of another
length gives another rate."""
_SPAN_S: Final = 294
_RISES: Final = 15
"""First to last sample of the window, and how often the counter rises between them."""
_START: Final = 1000
"""Counters are not young: Prometheus would not extrapolate them below zero."""


def rises(per_second: float) -> str:
    """Return a counter whose rate over 5 minutes is `per_second` at AT."""
    each = per_second * _SPAN_S / _RISES
    return f"{_START}x{_RISES_AT - 1} {_START + each:.10g}+{each:.10g}x{_RISES * 2}"


def jumps(*at_minutes: int, by: float = 3) -> str:
    """Return a counter that jumps at these minutes."""
    parts, value, now = [], float(_START), 0
    for minute in at_minutes:
        sample = minute * 60 // _STEP_S + 1
        parts.append(f"{value:g}x{sample - now - 1}")
        now, value = sample, value + by
    return " ".join([*parts, f"{value:g}x600"])


def name(metric: str, labels: Labels) -> str:
    """Return a series as promtool writes it."""
    inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return f"{metric}{{{inside}}}"


def gauges(metric: str, values: Sequence[tuple[Labels, float]]) -> dict[str, str]:
    """Return series that stay at their values."""
    return {name(metric, labels): f"{value:.10g}x80" for labels, value in values}


def case(
    title: str,
    series: Mapping[str, str],
    samples: Sequence[tuple[Labels, float]] = (),
    at: timedelta = AT,
) -> RecordingCase:
    """Return one case."""
    expected = tuple(Sample(dict(labels), value) for labels, value in samples)
    return RecordingCase(title, dict(series), at, expected)


def rate_cases(
    metric: str, kept: Labels, excluded: Sequence[Labels] = ()
) -> tuple[RecordingCase, ...]:
    """Return the cases of a rate summed by the labels `kept`; `excluded` series are in no sum."""

    def instances(first: str, second: str) -> dict[str, str]:
        return {
            name(metric, {**kept, "instance": "a"}): first,
            name(metric, {**kept, "instance": "b"}): second,
        }

    others = {name(metric, {**labels, "instance": "a"}): rises(5) for labels in excluded}
    return (
        case(
            "it rises within the window",
            instances(rises(1.5), rises(0.5)) | others,
            [(kept, 2)],
        ),
        case("it rests", instances("7x80", "9x80"), [(kept, 0)]),
        case("there is none", others),
    )


def sum_cases(metric: str, kept: Labels, parts: Sequence[Labels]) -> tuple[RecordingCase, ...]:
    """Return the cases of recorded parts added up under the labels `kept`."""
    values = [({**kept, **part}, at + 1.0) for at, part in enumerate(parts)]
    total = sum(value for _labels, value in values)
    return (
        case("all parts together", gauges(metric, values), [(kept, total)], SOON),
        case("there is none", {}, at=SOON),
    )


def ratio_cases(
    metric: str, total: str, kept: Labels, bad: Sequence[Labels], good: Sequence[Labels]
) -> tuple[RecordingCase, ...]:
    """Return the cases of a share of recorded parts: each of `bad` counts, none of `good` does."""

    def history(of_bad: float, of_good: float) -> dict[str, str]:
        values = [({**kept, **part}, of_bad) for part in bad if of_bad] + [
            ({**kept, **part}, of_good) for part in good
        ]
        return gauges(metric, values) | gauges(total, [(kept, sum(v for _part, v in values))])

    everything = len(bad) + 2 * len(good)
    return (
        case("some are", history(1, 2), [(kept, len(bad) / everything)], SOON),
        case("none is: zero, not absent", history(0, 2), [(kept, 0)], SOON),
        case("no traffic: absent, not zero", history(0, 0), at=SOON),
        case("there is none", {}, at=SOON),
    )


_LEVELS: Final = {0.5: 0.1, 0.95: 0.375, 0.99: 0.475}


def quantile_cases(q: float, buckets: str, kept: Labels) -> tuple[RecordingCase, ...]:
    """Return the cases of a quantile: half below 0.1, nine tenths below 0.25, all below 0.5."""
    values = [
        ({**kept, "le": le}, count)
        for le, count in (("0.1", 50.0), ("0.25", 90.0), ("0.5", 100.0), ("+Inf", 100.0))
    ]
    return (
        case("between two buckets", gauges(buckets, values), [(kept, _LEVELS[q])], SOON),
        case("there is none", {}, at=SOON),
    )


def share_cases(
    used: Sequence[tuple[str, Labels, float]],
    limit: Sequence[tuple[str, Labels, float]],
    kept: Labels,
    expected: float,
) -> tuple[RecordingCase, ...]:
    """Return the cases of gauges divided by their limit; without a limit there is no share."""
    of_used = {
        k: v for metric, labels, value in used for k, v in gauges(metric, [(labels, value)]).items()
    }
    of_limit = {
        k: v
        for metric, labels, value in limit
        for k, v in gauges(metric, [(labels, value)]).items()
    }
    return (
        case("in use", of_used | of_limit, [(kept, expected)], SOON),
        case("a limit of zero is none", of_used | dict.fromkeys(of_limit, "0x80"), at=SOON),
        case("no limit is known", of_used, at=SOON),
        case("there is none", {}, at=SOON),
    )
