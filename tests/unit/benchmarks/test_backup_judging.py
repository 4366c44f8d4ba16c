"""The judging of the benchmarks of backups, which nobody would notice being too kind."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BACKUP = Path(__file__).parents[3] / "benchmarks" / "backup"


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load a benchmark's module under a name of its own: several are called the same."""
    monkeypatch.syspath_prepend(str(BACKUP))
    spec = importlib.util.spec_from_file_location(
        f"bench_{name.replace('/', '_')}", BACKUP / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("costs", monkeypatch)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("engine/judging", monkeypatch)


@pytest.fixture
def archiver(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("archiver/judging", monkeypatch)


def test_a_ratio_is_of_medians_and_judged_by_the_wall(
    engine: ModuleType, costs: ModuleType
) -> None:
    ours = [costs.Cost(wall, 1, 1) for wall in (4, 5, 90)]
    other = [costs.Cost(10, 2, 2)] * 3
    assert engine.ratio_row("x", ours, other, 0.5).met is True
    assert engine.ratio_row("x", ours, other, 0.49).met is False
    assert engine.ratio_row("x", ours, other, 0.49, judged=False).met is None
    assert "0.50 on the wall, 0.50 of all CPU" == engine.ratio_row("x", ours, other).figure


def test_the_biggest_increment_counts(engine: ModuleType) -> None:
    assert engine.size_row("x", [10, 30], 100, 0.2).met is False
    assert engine.size_row("x", [10, 20], 100, 0.2).met is True


def test_damage_counts_as_found_only_when_nothing_whole_was_accused(engine: ModuleType) -> None:
    found = engine.Planted("flip", "a", ours=True, engine_says=True, engine_code=0)
    missed = found._replace(ours=False, engine_says=False)
    first, second, *_ = engine.damage_rows([found, found], [False])
    assert (True, "2 of 2 by its text, 0 of 2 by its exit code") == (first.met, second.figure)
    assert engine.damage_rows([found], [False, True])[0].met is False
    assert engine.damage_rows([], [False])[0].met is False
    rows = engine.damage_rows([found, missed], [False])
    assert rows[0].met is False
    assert ["  missed", "  the engine says nothing of"] == [one.what for one in rows[2:]]


def test_the_worst_drill_of_a_destination_counts(engine: ModuleType) -> None:
    good = {"destination": "eu", "outcome": "success", "rto_s": 9.0, "rpo_s": 30.0}
    slow, lost, failed = good | {"rto_s": 61.0}, good | {"rpo_s": None}, good | {"outcome": "x"}
    assert [True] == [one.met for one in engine.drill_rows([good, good], 60, 120)]
    for wrong in (slow, lost, failed):
        assert [False] == [one.met for one in engine.drill_rows([good, wrong], 60, 120)]
    other = slow | {"destination": "us"}
    assert [True, False] == [one.met for one in engine.drill_rows([other, good], 60, 120)]


def test_a_command_that_fails_quickly_reaches_nothing(engine: ModuleType) -> None:
    assert engine.time_row("x", [1.0, 2.0], 60).met is True
    assert engine.time_row("x", [1.0, 61.0], 60).met is False
    assert engine.time_row("x", [0.1], 60, good=False).met is False


def test_the_median_of_runs_is_judged_and_the_worst_count_of_segments(
    archiver: ModuleType,
) -> None:
    runs = [[archiver.row("p", [wall] * 20, 500)] for wall in (100.0, 400.0, 900.0)]
    (one,) = archiver.over_runs(runs)
    assert (400.0, True) == (one["p95_ms"], one["met"])
    paid = [[archiver.row("back", [9.0], 100, owed=100, equal=equal)] for equal in (100, 99, 100)]
    (back,) = archiver.over_runs(paid)
    assert (99, False) == (back["equal"], back["met"])
    assert "99 of 100 equal  <= 100 ms: MISSED" in archiver.told(back)


def test_p95_is_that_of_the_slowest_twentieth(archiver: ModuleType) -> None:
    assert 95.0 == archiver.row("p", [float(one) for one in range(1, 101)])["p95_ms"]
    assert 19.0 == archiver.row("p", [float(one) for one in range(1, 21)])["p95_ms"]


EVERY_S = 50.0


@pytest.fixture
def endurance(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("endurance/judging", monkeypatch)


def found_at(endurance: ModuleType, *states: str, there: str = "") -> list[object]:
    """Return the outcomes of times in `eu`, one after the other; `there`: runs with a set."""
    planned = [
        endurance.Planned("eu", EVERY_S * number, f"fault {number}")
        for number in range(len(states))
    ]
    runs = [
        endurance.Attempted(f"r{n}", "eu", "incr", EVERY_S * n + 1, state, 1, f"set {n}", "why")
        for n, state in enumerate(states)
        if state
    ]
    sets = {run.label: run.id for run in runs if run.state == "success"}
    sets |= {f"orphan of {run}": run for run in there.split()}
    return list(endurance.outcomes(planned, runs, {"eu": sets}, EVERY_S))


def test_a_planned_time_is_good_only_when_a_set_of_its_run_is_there(
    endurance: ModuleType,
) -> None:
    found = found_at(endurance, "success", "interrupted", "", "interrupted", there="r3")
    assert [True, False, False, True] == [one.good for one in found]
    assert [False, False, False, True] == [one.unnoted for one in found]
    assert ["success", "interrupted", "unknown", "interrupted"] == [one.state for one in found]


def test_a_run_that_says_success_and_left_no_set_is_not_good(endurance: ModuleType) -> None:
    run = endurance.Attempted("r", "eu", "incr", 0.0, "success", 1, "gone")
    planned = [endurance.Planned("eu", 0.0, "")]
    (one,) = endurance.outcomes(planned, [run], {"eu": {}}, EVERY_S)
    assert (False, ("gone",)) == (one.good, one.labels)


def test_each_failure_has_a_line_with_what_made_it_good(endurance: ModuleType) -> None:
    found = found_at(endurance, "failed", "missed", "success", "failed")
    assert [
        "eu under fault 0: failed after 1 attempts, made good 2 later: why",
        "eu under fault 1: missed after 1 attempts, made good 1 later: why",
        "eu under fault 3: failed after 1 attempts, never made good: why",
    ] == endurance.told(found)
    assert 2 == endurance.longest_without(found)


def test_everything_acknowledged_that_is_missing_counts_as_lost(endurance: ModuleType) -> None:
    nothing = endurance.Loss(0, {"eu": ""}, {"eu": 0}, {"eu": 0}, 0)
    assert 0 == nothing.count
    for loss in (
        nothing._replace(rows=1),
        nothing._replace(restored={"eu": "written differ"}),
        nothing._replace(segments={"eu": 1}),
        nothing._replace(sets={"eu": 1}),
    ):
        assert 1 == loss.count


def test_a_segment_is_kept_once_and_as_it_was_handed_over_last(endurance: ModuleType) -> None:
    names = [f"{number:024X}" for number in range(5)]
    lines = [f"{name} old" for name in names] + [f"{name} a" for name in names] + ["torn li"]
    kept = {names[0]: ["a"], names[1]: ["old"], names[2]: ["a", "a"], names[3]: []}
    assert 4 == endurance.segments_lost(endurance.handed_over(lines), kept)
