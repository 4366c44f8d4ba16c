"""The archiver over destinations that do as the test says, with real files."""

import asyncio
import resource
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from abops.backup.model import SegmentName, WalRules
from abops.backup.wal.archiver import Archiver, Reply
from abops.backup.wal.drain import drain
from abops.backup.wal.engine import Outcome, Told, Wanted
from abops.backup.wal.policy import FAILURES_UNTIL_DOWN, Gap
from abops.backup.wal.queue import Queue, sha1_of

SIZE = 2**20
NAMES = ("eu", "us")


class Destinations:
    """Takes what it is given, or does what `does` says of a destination."""

    def __init__(self) -> None:
        self.has: dict[str, dict[str, str]] = {name: {} for name in NAMES}
        self.does: dict[str, Outcome | float] = {}
        self.order: list[tuple[str, str]] = []

    async def push(self, destination: str, path: Path, timeout_s: float) -> Told:
        what = self.does.get(destination, Outcome.DONE)
        if isinstance(what, float):
            async with asyncio.timeout(timeout_s):
                await asyncio.sleep(what)
            what = Outcome.DONE
        content = sha1_of(path)
        if self.has[destination].get(path.name, content) != content:
            what = Outcome.DIFFERENT
        if what is Outcome.DONE:
            self.has[destination][path.name] = content
            self.order.append((destination, path.name))
        return Told(what, 0.01, "" if what is Outcome.DONE else f"{destination} said {what}")

    async def get(self, destination: str, wanted: Wanted, timeout_s: float) -> Told:
        raise NotImplementedError


class NoFigures:
    def pushed(self, destination: str, told: Told) -> None:
        pass

    def answered(self, reply: Reply, seconds: float) -> None:
        pass


class Rig:
    """An archiver over a folder of log."""

    def __init__(self, folder: Path, **rules: object) -> None:
        self.log = folder / "pg_wal"
        self.log.mkdir(exist_ok=True)
        self.destinations = Destinations()
        self.queue = Queue(folder / "queue", NAMES)
        self.queue.prepare()
        self.archiver = Archiver(
            log_folder=self.log,
            rules=WalRules(**{"any": 1, "queue_max": 2**30, "timeout_s": 1.0} | rules),  # type: ignore[arg-type]
            queue=self.queue,
            carrier=self.destinations,
            figures=NoFigures(),
        )

    def segment(self, number: int, filling: bytes = b"x") -> Path:
        path = self.log / SegmentName(1, number).file_name(SIZE)
        header = struct.pack("=HHIQI4xQII", 0xD110, 2, 1, number * SIZE, 0, 42, SIZE, 8192)
        path.write_bytes(header + filling * (SIZE - len(header)))
        return path

    def owed(self, name: str) -> list[str]:
        return [one.name for one in self.queue.owed(name)]


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not claim():  # noqa: ASYNC110 - files change, nobody tells
            await asyncio.sleep(0.01)


@contextmanager
def files_end_at(limit: int) -> Iterator[None]:
    """Let no file grow beyond a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_late_destination_is_owed_an_independent_copy(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.destinations.does["us"] = 5.0
    segment = rig.segment(1)
    content = sha1_of(segment)
    assert Reply(0) == await rig.archiver.push(segment)
    assert [segment.name] == rig.owed("us")
    # PostgreSQL writes a later segment over the same file.
    with segment.open("r+b") as stream:
        stream.write(b"later" * 1000)
    copy = rig.queue.find_owed(segment.name)
    assert copy is not None
    assert content == sha1_of(copy)
    assert [] == list((tmp_path / "queue/inflight/us").iterdir())


async def test_what_is_owed_is_paid_oldest_first_and_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.destinations.does["us"] = 5.0
    names = []
    for number in range(1, 6):
        segment = rig.segment(number, bytes([number]))
        names.append(segment.name)
        assert 0 == (await rig.archiver.push(segment)).code
    rig.destinations.does.clear()
    paying = asyncio.create_task(drain(rig.archiver))
    await until(lambda: not rig.owed("us"))
    paying.cancel()
    paid = [name for where, name in rig.destinations.order if where == "us"]
    # Two at a time: either of a pair may come first.
    assert names == [*sorted(paid[:2]), *sorted(paid[2:4]), *paid[4:]]
    assert rig.destinations.has["eu"] == rig.destinations.has["us"]


@pytest.mark.parametrize("rules", [{"any": 2}, {"any": None, "all": True}])
async def test_nothing_is_kept_before_the_policy_holds(
    tmp_path: Path, rules: dict[str, object]
) -> None:
    rig = Rig(tmp_path, **rules)
    rig.destinations.does["us"] = Outcome.FAILED
    for number in range(1, 6):
        reply = await rig.archiver.push(rig.segment(number))
        assert (1, True) == (reply.code, "us said failed" in reply.text)
    assert [] == rig.owed("us")


async def test_required_destinations_must_have_it_others_are_owed_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, any=None, require=("eu",))
    rig.destinations.does["us"] = Outcome.FAILED
    segment = rig.segment(1)
    assert Reply(0) == await rig.archiver.push(segment)
    assert [segment.name] == rig.owed("us")
    rig.destinations.does = {"eu": Outcome.FAILED}
    assert 1 == (await rig.archiver.push(rig.segment(2))).code


async def test_another_segment_of_the_same_name_is_never_taken(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert Reply(0) == await rig.archiver.push(rig.segment(1, b"a"))
    before = dict(rig.destinations.has["eu"])
    reply = await rig.archiver.push(rig.segment(1, b"b"))
    assert (1, True) == (reply.code, "another segment" in reply.text)
    assert before == rig.destinations.has["eu"]


async def test_another_segment_than_the_owed_one_is_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.destinations.does["us"] = Outcome.FAILED
    assert Reply(0) == await rig.archiver.push(rig.segment(1, b"a"))
    rig.destinations.has["eu"].clear()
    reply = await rig.archiver.push(rig.segment(1, b"b"))
    assert (1, True) == (reply.code, "differs" in reply.text)


async def test_a_full_queue_refuses_and_postgresql_keeps_the_segment(tmp_path: Path) -> None:
    rig = Rig(tmp_path, queue_max=2 * SIZE)
    rig.destinations.does["us"] = Outcome.FAILED
    codes = [(await rig.archiver.push(rig.segment(number))).code for number in range(1, 6)]
    assert [0, 0, 1, 1, 1] == codes
    assert 2 == len(rig.owed("us"))
    # What is owed already may be asked again without more room.
    assert Reply(0) == await rig.archiver.push(rig.segment(2))


async def test_told_to_drop_only_a_dead_destination_loses_and_it_is_written_down(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path, queue_max=SIZE, when_full="drop")
    rig.destinations.does["us"] = Outcome.FAILED
    first = rig.segment(1)
    assert 0 == (await rig.archiver.push(first)).code
    assert 1 == (await rig.archiver.push(rig.segment(2))).code
    for _ in range(FAILURES_UNTIL_DOWN):
        rig.archiver.note(first.name, "us", Told(Outcome.FAILED, 0, "gone"))
    lost = rig.segment(3)
    assert Reply(0) == await rig.archiver.push(lost)
    assert [("us", lost.name)] == [(gap.destination, gap.name) for gap in rig.queue.gaps()]
    assert [first.name] == rig.owed("us")
    assert [1, 0] == [view.gaps for view in reversed(rig.archiver.views())]


async def test_a_copy_that_does_not_fit_on_the_disk_is_no_promise(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.destinations.does["us"] = Outcome.FAILED
    segment = rig.segment(1)
    with files_end_at(SIZE // 2):
        reply = await rig.archiver.push(segment)
    assert (1, True) == (reply.code, "cannot be put aside" in reply.text)
    assert [] == rig.owed("us")
    assert [] == list((tmp_path / "queue/owed/.new").iterdir())
    assert Reply(0) == await rig.archiver.push(segment)


async def test_asked_twice_at_once_it_is_pushed_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.destinations.does = {"eu": 0.05, "us": 0.05}
    segment = rig.segment(1)
    replies = await asyncio.gather(rig.archiver.push(segment), rig.archiver.push(segment))
    assert [Reply(0), Reply(0)] == replies
    assert 2 == len(rig.destinations.order)


async def test_an_owed_file_that_is_not_what_its_name_says_is_never_pushed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.destinations.does["us"] = Outcome.FAILED
    segment = rig.segment(1)
    await rig.archiver.push(segment)
    copy = rig.queue.find_owed(segment.name)
    assert copy is not None
    copy.write_bytes(bytes(SIZE))
    rig.destinations.does.clear()
    paying = asyncio.create_task(drain(rig.archiver))
    await until(lambda: bool(rig.archiver.places["us"].conflicts))
    paying.cancel()
    assert {} == rig.destinations.has["us"]
    assert [segment.name] == rig.owed("us")


def test_a_restart_forgets_what_was_in_flight_and_keeps_what_is_owed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    segment = rig.segment(1)
    rig.queue.take(segment, "eu")
    rig.queue.owe(segment, ["us"])
    (tmp_path / "queue/owed/.new" / segment.name).write_bytes(b"half")
    again = Queue(tmp_path / "queue", NAMES)
    again.prepare()
    assert [] == list((tmp_path / "queue/inflight/eu").iterdir())
    assert [segment.name] == [one.name for one in again.owed("us")]
    again.owe(segment, ["us", "eu"])
    assert [segment.name] == [one.name for one in again.owed("eu")]


def test_a_torn_line_hides_no_gap_that_follows(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (tmp_path / "queue/gaps.jsonl").write_bytes(b'{"destination":"eu","na')
    gap = Gap("us", "000000010000000000000001", 1.0, "full")
    rig.queue.note_gap(gap)
    assert (gap,) == rig.queue.gaps()
