"""A day of history from one moment of a real environment: its series, with their pace.

The series, their labels and their numbers are real; how they went through the day is made up,
with the shape of a day, so that every board has something to compute.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from msgspec import Struct

from abops.observability.catalogue.recording import Recording

DAY_S: Final = 86_400
GROWING: Final = "analyticbot-api"
"""The job of which there are more when there is more to do."""
_WAVE: Final = 0.4
"""Night is this much below, noon this much above the mean."""
_EPOCH_FROM: Final = 1e9
"""Gauges above it are moments: they go with the time."""
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


class Seed(Struct, frozen=True):
    """One series at one moment. `slope` is its growth a second: zero for what is no counter."""

    labels: dict[str, str]
    value: float
    slope: float

    @property
    def name(self) -> str:
        """Return the metric's name."""
        return self.labels["__name__"]


def metrics_in(expr: str) -> set[str]:
    """Return words of an expression that may be names of metrics."""
    outside = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', " ", expr)
    inside = re.findall(r'__name__=~?"([^"]+)"', expr)
    return {*_NAME.findall(outside), *inside}


def needed(exprs: Iterable[str], recorded: Mapping[str, str]) -> set[str]:
    """Return the names that the expressions read, also through recorded series."""
    found: set[str] = set()
    waiting = list(exprs)
    while waiting:
        for name in metrics_in(waiting.pop()) - found:
            found.add(name)
            if name in recorded:
                waiting.append(recorded[name])
    return found


def expanded(expr: str, recorded: Mapping[str, str]) -> str:
    """Return the expression with recorded series replaced by what they are recorded from.

    Matchers on a recorded series are dropped: what remains is what a board without recordings
    would make Prometheus do.
    """
    for name in sorted(recorded, key=len, reverse=True):
        if name in expr:
            inner = expanded(recorded[name], {k: v for k, v in recorded.items() if k != name})
            word = rf"(?<![\w:]){re.escape(name)}(?![\w:])(?:\{{[^}}]*\}})?(\[\w+)?"
            expr = re.sub(word, partial(_spelled_out, inner), expr)
    return expr


def _spelled_out(inner: str, found: re.Match[str]) -> str:
    """Return what stands in place of a recorded series: over a range, a subquery."""
    return f"({inner})" + (f"{found[1]}:" if found[1] else "")


def levels(known: Sequence[Recording]) -> tuple[tuple[Recording, ...], ...]:
    """Return recordings in passes: each reads raw series and series of earlier passes only."""
    waiting, passes = list(known), []
    while waiting:
        names = {one.record for one in waiting}
        ready = tuple(one for one in waiting if not metrics_in(one.expr) & names)
        if not ready:
            break  # a circle: promtool refuses it in the rules' own check
        passes.append(ready)
        waiting = [one for one in waiting if one not in ready]
    return tuple(passes)


def copies(seeds: list[Seed], least: int) -> list[Seed]:
    """Return the seeds, and copies under further instances until there are `least`.

    Copied is the API, as more of its pods would be: that is how an environment grows. Without an
    API everything is.
    """
    found = list(seeds)
    scraped = [seed for seed in seeds if "instance" in seed.labels]
    growing = [seed for seed in scraped if seed.labels.get("job") == GROWING] or scraped
    number = 0
    while growing and len(found) < least:
        number += 1
        found += [
            Seed(seed.labels | {"instance": f"copy-{number}"}, seed.value, seed.slope)
            for seed in growing[: least - len(found)]
        ]
    return found


def openmetrics(seeds: Iterable[Seed], start: int, end: int, step: int) -> Iterator[str]:
    """Give the lines of an OpenMetrics document: every seed from `start` to `end`, in seconds."""
    moments = range(start, end + 1, step)
    for seed in seeds:
        labels = ",".join(
            f"{name}={json.dumps(value, ensure_ascii=False)}"
            for name, value in seed.labels.items()
            if name != "__name__"
        )
        head = f"{seed.name}{{{labels}}}"
        phase = (hash_of(head) % 1000) / 1000 * math.tau / 6
        for at in moments:
            yield f"{head} {_value(seed, at, start, phase):.9g} {at}\n"
    yield "# EOF\n"


def _value(seed: Seed, at: int, start: int, phase: float) -> float:
    angle = math.tau * (at % DAY_S) / DAY_S + phase
    if seed.slope > 0:  # the integral of a pace that swings around its mean through the day
        first = math.tau * (start % DAY_S) / DAY_S + phase
        swing = _WAVE * DAY_S / math.tau * (math.cos(first) - math.cos(angle))
        return seed.value + seed.slope * (at - start + swing)
    if seed.value > _EPOCH_FROM and "seconds" in seed.name:
        return at - (start - seed.value) % DAY_S % 60
    if seed.value in (0.0, 1.0) or seed.name.endswith(("_total", "_count", "_sum", "_bucket")):
        return seed.value
    return seed.value * (1 + _WAVE / 4 * math.sin(angle))


def hash_of(text: str) -> int:
    """Return a number that is the same in every run."""
    number = 0
    for character in text:
        number = (number * 31 + ord(character)) & 0xFFFFFFFF
    return number
