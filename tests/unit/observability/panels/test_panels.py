"""Boards read back, variables, windows, and values on their grid."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.clients.prometheus_queries import Series
from abops.observability.panels.model import Annotation, Board, Event, Panel, Target, Variable
from abops.observability.panels.read import BoardError, read_board
from abops.observability.panels.units import figure
from abops.observability.panels.values import (
    events_of,
    heatmap_of,
    lines_of,
    newest_of,
    table_of,
)
from abops.observability.panels.variables import (
    chosen_of,
    fill_link,
    fill_query,
    name_of,
    telling_labels,
    window_variables,
)
from abops.observability.panels.window import (
    Span,
    TimeError,
    Window,
    rate_interval,
    read_span,
    step_of,
    window_of,
)
from support.boards import a_board, a_panel, a_row, limits

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[4]
COMMITTED = sorted((ROOT / "infrastructure/monitoring/grafana/dashboards").glob("*.json"))
ENV = Variable("env", "Environment", "up", "env", all_value=".*")
WINDOW = Window(0, 60, 15)


def read(*panels: object, **more: object) -> Board:
    return read_board(msgspec.json.encode(a_board(*panels, **more)))  # type: ignore[arg-type]


def series(*samples: tuple[float, str], **labels: str) -> Series:
    return Series(labels, values=list(samples))


def panel(**more: object) -> Panel:
    return Panel(id=1, type="timeseries", title="Requests", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_a_committed_board_is_read_whole(path: Path) -> None:
    board = read_board(path.read_bytes())
    raw = msgspec.json.decode(path.read_bytes())
    inside = [inner for panel in raw["panels"] for inner in panel.get("panels", [])]
    expected = [p for p in [*raw["panels"], *inside] if p["type"] != "row"]
    assert sorted(p["id"] for p in expected) == sorted(p.id for p in board.panels)
    assert {p["id"]: len(p.get("targets", [])) for p in expected} == {
        p.id: len(p.targets) for p in board.panels
    }
    assert {"env", "service"} == {variable.name for variable in board.variables}


def test_panels_stand_under_their_row_and_a_collapsed_row_has_its_own() -> None:
    board = read(
        a_panel(1, "stat", "Before any row", "up"),
        a_row(2, "Now"),
        a_panel(3, "stat", "Right", "up", gridPos={"x": 12, "y": 3, "w": 12, "h": 4}),
        a_panel(4, "stat", "Left", "up", gridPos={"x": 0, "y": 3, "w": 12, "h": 4}),
        a_row(5, "Detail", a_panel(6, "table", "Inside", "up")),
    )
    assert [("", False, [1]), ("Now", False, [4, 3]), ("Detail", True, [6])] == [
        (row.title, row.collapsed, [panel.id for panel in row.panels]) for row in board.rows
    ]


def test_what_a_panel_needs_to_be_drawn_is_read() -> None:
    words = [{"type": "value", "options": {"1": {"text": "up", "index": 0}}}]
    more = {
        "unit": "percentunit",
        "thresholds": limits((0.5, "red")),
        "custom": {"thresholdsStyle": {"mode": "line"}, "stacking": {"mode": "normal"}},
        "mappings": words,
    }
    (found,) = read(a_panel(1, "timeseries", "Errors", "up", defaults=more)).panels
    assert ("percentunit", True, True) == (found.unit, found.limit_lines, found.stacked)
    assert [(None, "green"), (0.5, "red")] == [(t.value, t.color) for t in found.thresholds]
    assert {"1": "up"} == found.words


def test_hidden_queries_are_not_asked_and_dials_ask_for_the_newest_value() -> None:
    (hidden,) = read(a_panel(1, "stat", "Hidden", "up", target={"hide": True})).panels
    (dial,) = read(a_panel(1, "gauge", "Dial", "up")).panels
    assert ((), "instant") == (hidden.targets, dial.targets[0].kind)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"uid": 1}', b'{"title": "x"}', b"\xff"])
def test_a_file_that_is_no_board_is_refused(content: bytes) -> None:
    with pytest.raises(BoardError):
        read_board(content)


@pytest.mark.parametrize(
    ("hours", "width", "step"),
    [
        (1, 8, 15),
        (6, 8, 30),
        (24, 8, 120),
        (24, 24, 60),
        (24, 4, 300),
        (168, 8, 900),
        (720, 8, 3600),
    ],
)
def test_the_step_follows_grafanas_table(hours: int, width: int, step: int) -> None:
    assert step == step_of(hours * 3600, width)


@given(st.floats(60, 400 * 86_400), st.integers(1, 24))
def test_a_chart_never_has_more_points_than_prometheus_gives(seconds: float, width: int) -> None:
    window = window_of(Span(NOON - timedelta(seconds=seconds), NOON), width)
    assert window.count <= 11_000
    assert (0, 0) == (window.start % window.step, window.end % window.step)


def test_a_rate_looks_back_four_scrapes_at_least() -> None:
    assert (60, 75, 135) == (rate_interval(15), rate_interval(60), rate_interval(120))


@pytest.mark.parametrize(
    ("since", "until", "seconds"),
    [
        ("now-6h", "now", 21_600),
        ("now-1h30m", "", 5400),
        ("now-6h", "1700000000000", 21_600),
        ("2026-11-25T10:00", "2026-11-25T11:00", 3600),
        ("2026-11-25T10:00Z", "2026-11-25T12:30+01:00", 5400),
        ("1700000000000", "1700003600000", 3600),
        ("1700000000", "1700003600", 3600),
    ],
)
def test_a_span_is_read_as_people_and_grafana_write_it(
    since: str, until: str, seconds: int
) -> None:
    assert seconds == read_span(since, until, NOON).seconds


@pytest.mark.parametrize(
    ("since", "until"),
    [("yesterday", "now"), ("now-5", "now"), ("now-1s", "now"), ("now-900d", "now"),
     ("now", "now-1h"), ("9" * 14, "now"), ("1700003600000", "1700000000000"), ("", "")],
)  # fmt: skip
def test_a_span_that_is_none_is_refused(since: str, until: str) -> None:
    with pytest.raises(TimeError):
        read_span(since, until, NOON)


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [("30s", 30), (">1m", 60), ("1d", 86_400), ("", 0), (None, 0), ("$__interval", 0), (5, 0)],
)
def test_a_query_says_how_often_its_series_are_sampled(interval: object, seconds: int) -> None:
    target = {"refId": "A", "expr": "up", "interval": interval}
    if not isinstance(interval, str | None):
        with pytest.raises(BoardError):
            read(a_panel(1, "timeseries", "CPU", targets=[target]))
        return
    assert seconds == read(a_panel(1, "timeseries", "CPU", targets=[target])).panels[0].scrape_s


def test_the_slowest_query_decides_and_the_panels_own_interval_counts_too() -> None:
    targets = [{"refId": "A", "expr": "a"}, {"refId": "B", "expr": "b", "interval": "30s"}]
    assert 30 == read(a_panel(1, "timeseries", "CPU", targets=targets)).panels[0].scrape_s
    targets = [{"refId": "A", "expr": "a"}]
    assert (
        60
        == read(a_panel(1, "timeseries", "CPU", targets=targets, interval="1m")).panels[0].scrape_s
    )


def test_no_step_is_shorter_than_the_time_between_two_samples() -> None:
    hour = Span(NOON - timedelta(hours=1), NOON)
    assert (15, "60s") == _step_and_rate(window_of(hour, 24))
    assert (30, "120s") == _step_and_rate(window_of(hour, 24, scrape_s=30))
    day = Span(NOON - timedelta(days=1), NOON)
    assert (60, "120s") == _step_and_rate(window_of(day, 24, scrape_s=30))


def _step_and_rate(window: Window) -> tuple[int, str]:
    return window.step, window_variables(window)["__rate_interval"]


def test_the_charts_of_machines_look_back_four_of_their_slow_scrapes() -> None:
    """The node exporter is scraped every 30 s: a rate over one minute often has no two samples."""
    board = read_board((COMMITTED[0].parent / "infrastructure.json").read_bytes())
    slow = [p for p in board.panels for t in p.targets if "node_" in t.expr]
    assert {30} == {panel.scrape_s for panel in slow}


def test_variables_are_filled_in_every_notation() -> None:
    fixed = window_variables(Window(0, 3600, 30))
    expr = "a{env=~'$env'} ${env:regex} [[env]] [$__rate_interval] $__range_s $other $"
    assert "a{env=~'prod'} prod prod [60s] 3600 $other $" == fill_query(
        expr, [ENV], {"env": ("prod",)}, fixed
    )


def test_all_is_the_boards_word_for_it_and_several_are_alternatives() -> None:
    assert ".*" == fill_query("$env", [ENV], {}, {})
    assert "(prod|stage)" == fill_query("$env", [ENV], {"env": ("prod", "stage")}, {})


@given(st.text(max_size=20))
def test_a_chosen_value_never_leaves_its_quotes(value: str) -> None:
    filled = fill_query('up{env=~"$env"}', [ENV], {"env": (value,)}, {})
    inside = filled.removeprefix('up{env=~"').removesuffix('"}')
    unescaped = inside.replace("\\\\", "")
    assert '"' not in unescaped.replace('\\"', "")
    assert "\n" not in inside
    assert not unescaped.endswith("\\")


def test_the_address_chooses_by_either_name_and_all_means_all() -> None:
    board = read()
    assert {"env": ("prod",), "service": ("a", "b")} == chosen_of(
        board, {"var-env": ["prod"], "service": ["a", "b", "a"], "nothing": ["x"]}
    )
    assert {"env": (), "service": ()} == chosen_of(board, {"env": ["$__all"], "service": [""]})


def test_a_link_carries_choices_and_time() -> None:
    url = "/logs?service=${service}&from=${__from}&x=${none}"
    fixed = window_variables(Window(60, 120, 15))
    assert "/logs?service=a,b%26c&from=60000&x=" == fill_link(url, {"service": ("a", "b&c")}, fixed)


def test_series_are_named_by_legend_or_by_what_tells_them_apart() -> None:
    one, two = {"job": "x", "code": "200"}, {"job": "x", "code": "500"}
    telling = telling_labels([one, two])
    assert "code 200" == name_of(one, "code {{ code }}", telling)
    assert ("200", "500") == (name_of(one, "", telling), name_of(two, "__auto", telling))
    assert [] == telling_labels([one])


def test_a_sample_that_is_missing_is_a_gap_and_no_number_is_none() -> None:
    found = series((0, "1"), (15, "NaN"), (45.4, "2.00000049"), (60, "+Inf"), (75, "9"))
    lines, note = lines_of(panel(), [(Target("A", "up"), [found])], WINDOW)
    assert [1.0, None, None, 2.0, None] == lines[0].values
    assert ("Requests", "") == (lines[0].name, note)


def test_a_series_without_a_single_number_is_not_drawn() -> None:
    lines, _ = lines_of(panel(), [(Target("A", "up"), [series((0, "NaN"))])], WINDOW)
    assert [] == lines


def test_more_than_200_series_are_cut_and_counted() -> None:
    many = [series((0, "1"), n=str(i)) for i in range(203)]
    lines, note = lines_of(panel(), [(Target("A", "up", "{{n}}"), many)], WINDOW)
    assert (200, "3 more series are not shown") == (len(lines), note)


def test_instant_values_are_lines_of_one_moment() -> None:
    found = [Series({"a": "x"}, value=(0, "3")), Series({"a": "y"}, value=(0, "NaN"))]
    (line,) = newest_of(panel(), [(Target("A", "up", "{{a}}", "instant"), found)])
    assert ("x", [3.0]) == (line.name, line.values)


def test_a_heatmaps_buckets_are_without_those_below_and_in_their_order() -> None:
    buckets = {"+Inf": "9", "0.5": "7", "0.1": "4"}
    lines = heatmap_of([series((0, v), le=le) for le, v in buckets.items()], Window(0, 0, 15))
    assert [("0.1", [4.0]), ("0.5", [3.0]), ("+Inf", [2.0])] == [(x.name, x.values) for x in lines]


def test_a_table_joins_queries_by_their_labels_and_names_columns_as_the_board_says() -> None:
    shown = panel(
        renamed={"Value #A": "goal", "slo": "name"}, hidden=frozenset({"env"}), decimals=2
    )
    answered = [
        (Target("A", "a", kind="table"), [Series({"slo": "x", "env": "e"}, value=(0, "0.9"))]),
        (
            Target("B", "b", kind="table"),
            [
                Series({"slo": "x", "env": "e"}, value=(0, "1")),
                Series({"slo": "y"}, value=(0, "2")),
            ],
        ),
    ]
    table = table_of(shown, answered)
    assert ["name", "goal", "B"] == [column.name for column in table.columns]
    assert [["x", 0.9, 1.0], ["y", None, 2.0]] == table.rows


def test_an_event_lasts_from_its_first_to_its_last_sample() -> None:
    alert = Annotation("Alerts", "ALERTS", "red", "{{alertname}}")
    found = series((0, "1"), (60, "1"), (300, "1"), alertname="Down")
    assert [Event(0, 60, "Down"), Event(300, 300, "Down")] == events_of(alert, [found], 60)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.99996, "percentunit", "99.99 %"),
        (1, "percentunit", "100 %"),
        (0.000123, "percentunit", "0.012 %"),
        (42, "percent", "42 %"),
        (0.0123, "s", "12.3 ms"),
        (95, "s", "1.58 min"),
        (43.2, "m", "43.2 min"),
        (36, "h", "1.5 d"),
        (1536, "bytes", "1.5 KiB"),
        (3e6, "Bps", "2.86 MiB/s"),
        (1234, "reqps", "1.23k req/s"),
        (19_744, "currencyUSD", "$19.7k"),
        (0, "short", "0"),
        (None, "s", "-"),
    ],
)
def test_figures_are_written_with_their_unit(value: float | None, unit: str, text: str) -> None:
    assert text == figure(value, unit)
