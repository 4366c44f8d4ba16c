from pathlib import Path

from abops.kernel.clock import SystemClock
from abops.stack.channels.recorder import Recorder


def receive(recorder: Recorder, summary: str, channel: str = "slack") -> None:
    recorder.receive(
        channel,
        action="chat.postMessage",
        destination="C0OPS",
        severity=None,
        summary=summary,
        payload={"text": summary},
        answer={"ts": "1.000001"},
    )


def summaries(recorder: Recorder, channel: str | None = None) -> list[str]:
    return [record.summary for record in recorder.received(channel)]


def test_history_and_numbers_survive_a_restart(tmp_path: Path) -> None:
    before = Recorder(tmp_path, SystemClock())
    receive(before, "one")
    before.violate("slack", kind="limit", rule="1/s", destination="C0OPS")
    after = Recorder(tmp_path, SystemClock())
    receive(after, "two")
    assert before.violations() == after.violations()
    assert [("one", 1), ("two", 3)] == [(r.summary, r.number) for r in after.received()]


def test_a_line_that_a_crash_cut_short_is_dropped(tmp_path: Path) -> None:
    receive(Recorder(tmp_path, SystemClock()), "whole")
    with (tmp_path / "received.jsonl").open("ab") as stream:
        stream.write(b'{"number": 2, "recei')
    recorder = Recorder(tmp_path, SystemClock())
    receive(recorder, "next")
    assert ["whole", "next"] == summaries(Recorder(tmp_path, SystemClock()))


def test_memory_and_file_are_bounded_and_keep_the_newest(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, SystemClock(), kept=10)
    for number in range(95):
        receive(recorder, str(number))
    newest = [str(number) for number in range(85, 95)]
    assert newest == summaries(recorder)
    assert len((tmp_path / "received.jsonl").read_bytes().splitlines()) <= 20
    assert newest == summaries(Recorder(tmp_path, SystemClock(), kept=10))


def test_clearing_one_channel_leaves_the_others(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, SystemClock())
    receive(recorder, "chat", "slack")
    receive(recorder, "page", "pagerduty")
    recorder.clear("slack")
    assert ["page"] == summaries(Recorder(tmp_path, SystemClock()))


def test_whoever_watches_hears_of_every_change(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, SystemClock())
    with recorder.watch() as changed:
        assert not changed.is_set()
        receive(recorder, "news")
        assert changed.is_set()
