"""What the log path says about itself, as metrics."""

from collections.abc import Mapping

from msgspec import Struct

STATUS = {"green": 0, "yellow": 1, "red": 2}


class PathState(Struct, frozen=True):
    """The log path at one moment."""

    up: bool
    status: str = "red"
    disk_used_ratio: float = 0.0
    unshipped: Mapping[str, int] = {}
    """Lines at the end of each part's file that the store lacks."""
    lag_s: float = 0.0
    """Age of the oldest of them."""
    lines: Mapping[str, int] = {}
    """Lines in the last five minutes, by part."""
    errors: Mapping[str, int] = {}
    """Lines of level error and above in the last five minutes, by part."""
    dead_letters: int = 0


def exposition(state: PathState) -> str:
    """Return the state in Prometheus' text format."""
    lines = [
        *_head("abops_log_store_up", "gauge", "Whether the log store answers."),
        f"abops_log_store_up {int(state.up)}",
        *_head("abops_log_dead_letters", "gauge", "Lines that the store refused for good."),
        f"abops_log_dead_letters {state.dead_letters}",
    ]
    if state.up:
        lines += [
            *_head("abops_log_store_status", "gauge", "0 green, 1 yellow, 2 red."),
            f"abops_log_store_status {STATUS.get(state.status, 2)}",
            *_head("abops_log_store_disk_used_ratio", "gauge", "How full its fullest disk is."),
            f"abops_log_store_disk_used_ratio {state.disk_used_ratio:.4f}",
            *_head("abops_log_ingest_lag_seconds", "gauge", "Age of the oldest line not stored."),
            f"abops_log_ingest_lag_seconds {state.lag_s:.1f}",
            *_head("abops_log_unshipped_lines", "gauge", "Newest lines of a file not stored."),
            *(f'abops_log_unshipped_lines{{part="{p}"}} {n}' for p, n in state.unshipped.items()),
            *_head("abops_log_lines", "gauge", "Lines, last 5 minutes."),
            *(f'abops_log_lines{{part="{p}"}} {n}' for p, n in state.lines.items()),
            *_head("abops_log_error_lines", "gauge", "Lines of level error up, last 5 minutes."),
            *(f'abops_log_error_lines{{part="{p}"}} {n}' for p, n in state.errors.items()),
        ]
    return "\n".join(lines) + "\n"


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"
