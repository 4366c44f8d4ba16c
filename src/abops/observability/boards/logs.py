"""Board `ab-logs`: whether lines arrive, what they say, and how their store does."""

from functools import partial
from typing import Final

from abops.observability.boards.model import (
    Board,
    Limit,
    Panel,
    Query,
    Row,
    chart,
    stat,
)

E: Final = 'env=~"$env"'
_NONE: Final = "no data: make up LOGS=1 fills it"
_LAG: Final = (Limit(60, "yellow"), Limit(300))
_DISK: Final = (Limit(0.7, "yellow"), Limit(0.8))
# A part without errors has no series; while the store answers, none means none.
_ALL_ERRORS: Final = f"sum(abops_log_error_lines{{{E}}}) or 0 * max(abops_log_store_status{{{E}}})"
_figure: Final = partial(stat, no_value=_NONE)
_chart: Final = partial(chart, no_value=_NONE)


def logs_board() -> Board:
    """Return the board."""
    return Board(
        uid="ab-logs",
        title="Logs",
        description="Lines and errors by part, the way to the store, and the store itself.",
        tags=("platform", "logs"),
        rows=(
            Row("Now", _now()),
            Row("Lines", _lines()),
            Row("The way to the store", _way()),
            Row("Store", _store()),
        ),
    )


def _now() -> tuple[Panel, ...]:
    return (
        _answers(),
        _figure(
            "Errors, 5 min",
            "short",
            _ALL_ERRORS,
            "Lines of level error and above of all parts in the last five minutes.",
            Limit(20, "yellow"),
        ),
        _figure(
            "Ingest lag",
            "s",
            f"max(abops_log_ingest_lag_seconds{{{E}}})",
            "Age of the oldest line that the store lacks. Usual: seconds.",
            *_LAG,
        ),
        _figure(
            "Unshipped",
            "short",
            f"sum(abops_log_unshipped_lines{{{E}}})",
            "Of the last 200 lines of each file, those that are not in the store.",
            Limit(200, "yellow"),
        ),
        _figure(
            "Disk",
            "percentunit",
            f"max(abops_log_store_disk_used_ratio{{{E}}})",
            "The store's fullest disk. From 95 % on it takes no more lines.",
            *_DISK,
        ),
        _figure(
            "Dead letters",
            "short",
            f"max(abops_log_dead_letters{{{E}}})",
            "Lines that the store refused for good, in the file that keeps them.",
            Limit(1, "yellow"),
        ),
    )


def _answers() -> Panel:
    return Panel(
        title="Store",
        description="Red: an index cannot be read. Yellow is usual on a single node. Down: no"
        " answer, and lines wait in their files.",
        unit="short",
        kind="stat",
        width=4,
        height=4,
        # 3 for a store that does not answer: then there is no status.
        queries=(
            Query(
                f"max(abops_log_store_status{{{E}}})"
                f" or max(abops_log_store_up{{{E}}} == bool 0) * 3"
            ),
        ),
        limits=(Limit(1, "yellow"), Limit(2)),
        values={"0": "green", "1": "yellow", "2": "red", "3": "down"},
        no_value=_NONE,
    )


def _lines() -> tuple[Panel, ...]:
    return (
        _chart(
            "Lines by part",
            "short",
            "Lines in the five minutes before each moment. A part that falls silent while it works"
            " has lost its way to the store; one that grows fivefold is in a loop.",
            Query(f"sum by (part) (abops_log_lines{{{E}}})", "{{part}}"),
            stacked=True,
        ),
        _chart(
            "Errors by part",
            "short",
            "Lines of level error and above in the five minutes before each moment. A step up"
            " after a deploy is its doing.",
            Query(f"sum by (part) (abops_log_error_lines{{{E}}})", "{{part}}"),
            stacked=True,
            no_value="no part wrote an error; without the log path: make up LOGS=1 fills it",
        ),
        _chart(
            "Errors, a day ago",
            "short",
            "All parts now and at the same time yesterday. LogErrorSpike compares each part so.",
            Query(_ALL_ERRORS, "now"),
            Query(f"sum(abops_log_error_lines{{{E}}} offset 1d)", "a day ago"),
        ),
    )


def _way() -> tuple[Panel, ...]:
    return (
        _chart(
            "Unshipped lines by part",
            "short",
            "Of the last 200 lines of each file, those that the store lacks. All parts: the"
            " shipper or the store. One part: its lines are refused.",
            Query(f"sum by (part) (abops_log_unshipped_lines{{{E}}})", "{{part}}"),
            stacked=True,
            width=12,
        ),
        _chart(
            "Ingest lag",
            "s",
            "Age of the oldest line that the store lacks. The line is where LogIngestLag begins.",
            Query(f"max by (env) (abops_log_ingest_lag_seconds{{{E}}})", "{{env}}"),
            limits=_LAG,
            width=12,
        ),
    )


def _store() -> tuple[Panel, ...]:
    return (
        Panel(
            title="State",
            description="The store's state over time. Gaps: it did not answer.",
            unit="short",
            kind="state-timeline",
            queries=(Query(f"max by (env) (abops_log_store_status{{{E}}})", "{{env}}"),),
            limits=(Limit(1, "yellow"), Limit(2)),
            values={"0": "green", "1": "yellow", "2": "red"},
            no_value=_NONE,
        ),
        _chart(
            "Disk",
            "percentunit",
            "The fullest disk. At 85 % it gets no new shards, at 95 % its indices close.",
            Query(f"max by (env) (abops_log_store_disk_used_ratio{{{E}}})", "{{env}}"),
            limits=_DISK,
            maximum=1,
        ),
        _chart(
            "Dead letters",
            "short",
            "Lines in the file of what the store refused for good. A step is a new kind of line"
            " that the index does not take.",
            Query(f"max by (env) (abops_log_dead_letters{{{E}}})", "{{env}}"),
        ),
    )
