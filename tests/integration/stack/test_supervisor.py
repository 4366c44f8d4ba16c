"""The supervisor on real processes: small Python programs in place of PostgreSQL and Celery."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import msgspec
import pytest

from abops.kernel.clock import SystemClock
from abops.stack import processes
from abops.stack.control import Request, RequestRefusedError, StackDownError, ask
from abops.stack.cpu import cpu_limit_cores
from abops.stack.keeper import Keeper, PartStatus, State
from abops.stack.layout import Layout
from abops.stack.lifecycle import sweep
from abops.stack.part import HttpCheck, Part, PortCheck
from abops.stack.records import read_records
from abops.stack.supervisor import Supervisor, take_lock
from support.servers import free_port

SERVER = """
import http.server, sys
class Ok(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Ok).serve_forever()
"""
FOREVER = "import time; time.sleep(600)"
WITH_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{FOREVER}'])"
DEADLINE_S = 15


def python(code: str, *words: object) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *map(str, words))


def a_server(name: str = "web", *, depends_on: tuple[str, ...] = ()) -> Part:
    port = free_port()
    return Part(
        name=name,
        argv=python(SERVER, port),
        check=HttpCheck(port, "/"),
        depends_on=depends_on,
    )


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    # Deeper than a socket's path may be long: a checkout may lie there.
    state = tmp_path / ("deep-" * 20) / "stack"
    state.mkdir(parents=True)
    found = Layout(tmp_path, state)
    yield found
    processes.end(processes.marked(found.stack_id), signal.SIGKILL, 5)


class Running:
    """A supervisor in this process, asked over its socket as the command line does."""

    def __init__(self, layout: Layout, supervisor: Supervisor, metrics_port: int) -> None:
        self.layout = layout
        self.supervisor = supervisor
        self.metrics_port = metrics_port

    def keeper(self, name: str) -> Keeper:
        return self.supervisor.keepers[name]

    def pid(self, name: str) -> int:
        pid = self.keeper(name).status().pid
        assert pid is not None
        return pid

    async def ask(self, do: str, part: str = "", sig: int | None = None) -> tuple[PartStatus, ...]:
        request = Request(do, part, sig)
        return (await asyncio.to_thread(ask, self.layout.control_socket, request)).parts

    async def until(self, claim: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not claim():  # noqa: ASYNC110 - states of processes have no event of ours
                await asyncio.sleep(0.02)

    async def reaches(self, name: str, *states: State) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.keeper(name).until(states)


@asynccontextmanager
async def supervised(layout: Layout, *parts: Part, stop: bool = True) -> AsyncIterator[Running]:
    supervisor = Supervisor(layout, parts, clock=SystemClock())
    port = free_port()
    task = asyncio.create_task(supervisor.run(port))
    try:
        yield Running(layout, supervisor, port)
    finally:
        if task.done():
            task.result()  # it never ends by itself: show why it did
        elif stop:
            await supervisor.down()
            await task
        else:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_part_starts_after_the_parts_it_depends_on_are_ready(layout: Layout) -> None:
    mark = layout.state / "made"
    step = Part(name="step", argv=python(f"open({str(mark)!r}, 'w')"), runs_once=True)
    reader = Part(
        name="reader", argv=python(f"open({str(mark)!r})"), depends_on=("step",), runs_once=True
    )

    async with supervised(layout, reader, step) as running:
        await running.reaches("reader", State.DONE, State.FAILED)
        assert State.DONE == running.keeper("reader").state


async def test_a_killed_part_is_started_again_and_counted(layout: Layout) -> None:
    async with supervised(layout, a_server()) as running:
        await running.reaches("web", State.READY)
        first = running.pid("web")
        os.kill(first, signal.SIGKILL)
        await running.reaches("web", State.RESTARTING)
        await running.reaches("web", State.READY)

        assert 1 == running.keeper("web").restarts
        assert first != running.pid("web")
        metrics = await asyncio.to_thread(_get, running.metrics_port)
        assert 'abops_stack_restarts_total{service="web"} 1\n' in metrics
        cores = cpu_limit_cores(running.pid("web"))
        assert f'abops_stack_cpu_limit_cores{{service="web"}} {cores:g}\n' in metrics


def _get(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        text: str = response.read().decode()
        return text


async def test_a_part_stopped_on_purpose_stays_stopped_until_it_is_started(layout: Layout) -> None:
    async with supervised(layout, a_server()) as running:
        await running.reaches("web", State.READY)
        (stopped,) = await running.ask("stop", "web", signal.SIGKILL)
        await asyncio.sleep(0.7)  # longer than the first pause before a restart
        (still,) = await running.ask("status")
        (started,) = await running.ask("start", "web")

        assert ["stopped", "stopped", "ready"] == [s.state for s in (stopped, still, started)]
        assert 0 == started.restarts


async def test_restarting_on_purpose_is_not_counted(layout: Layout) -> None:
    async with supervised(layout, a_server()) as running:
        await running.reaches("web", State.READY)
        first = running.pid("web")
        (restarted,) = await running.ask("restart", "web")

        assert ("ready", 0) == (restarted.state, restarted.restarts)
        assert first != restarted.pid


async def test_a_part_that_never_gets_ready_fails_and_the_rest_stays_up(layout: Layout) -> None:
    broken = Part(
        name="broken", argv=python("raise SystemExit('no disk')"), check=PortCheck(free_port())
    )
    async with supervised(layout, broken, a_server()) as running:
        await running.reaches("broken", State.FAILED)
        await running.reaches("web", State.READY)

        status = running.keeper("broken").status()
        assert "ended with exit code 1" == status.message
        assert "no disk" in layout.log("broken").read_text()


async def test_a_part_that_does_not_get_healthy_in_time_is_ended(layout: Layout) -> None:
    deaf = Part(
        name="deaf", argv=python(FOREVER), check=PortCheck(free_port()), start_timeout_s=0.3
    )
    async with supervised(layout, deaf) as running:
        await running.reaches("deaf", State.FAILED)

        assert "not healthy within 0.3 s" == running.keeper("deaf").status().message
        assert {} == processes.marked(layout.stack_id)


async def test_a_dependency_that_is_optional_and_missing_holds_nobody_up(layout: Layout) -> None:
    extra = Part(name="extra", argv=("/no/such/program",), without="no extras")
    async with supervised(layout, extra, a_server(depends_on=("extra",))) as running:
        await running.reaches("web", State.READY)

        assert State.FAILED == running.keeper("extra").state


async def test_children_left_by_a_killed_part_are_ended(layout: Layout) -> None:
    async with supervised(layout, Part(name="parent", argv=python(WITH_CHILD))) as running:
        await running.reaches("parent", State.READY)
        await running.until(lambda: len(processes.marked(layout.stack_id)) == 2)
        before = set(processes.marked(layout.stack_id))
        await running.ask("stop", "parent", signal.SIGKILL)

        assert set() == before & set(processes.marked(layout.stack_id))


async def test_down_ends_everything_and_what_stops_first_has_ended_before_the_rest_is_asked(
    layout: Layout,
) -> None:
    order = layout.state / "order"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep(float(sys.argv[2]))\n"
        f"    open({str(order)!r}, 'a').write(sys.argv[1] + '\\n')\n"
        "    sys.exit()\n"
        "signal.signal(15, end)\n"
        f"{FOREVER}"
    )
    rest = Part(name="rest", argv=python(code, "rest", 0))
    first = Part(name="first", argv=python(code, "first", 0.3), stops_first=True)
    async with supervised(layout, rest, first) as running:
        await running.reaches("rest", State.READY)
        await running.reaches("first", State.READY)

    assert ["first", "rest"] == order.read_text().split()
    assert {} == processes.marked(layout.stack_id)
    assert not layout.control_socket.exists()
    assert {} == read_records(layout)


async def test_the_next_supervisor_takes_over_what_a_dead_one_left(layout: Layout) -> None:
    web = a_server()
    async with supervised(layout, web, stop=False) as running:
        await running.reaches("web", State.READY)
        pid = running.pid("web")

    async with supervised(layout, web) as running:
        await running.reaches("web", State.READY)
        assert pid == running.pid("web")
        os.kill(pid, signal.SIGKILL)
        # The test is its parent; a real supervisor would have gone.
        await asyncio.to_thread(_reap, pid)
        await running.reaches("web", State.RESTARTING)
        await running.reaches("web", State.READY)
        assert pid != running.pid("web")


async def test_a_part_that_was_declared_anew_is_replaced_at_the_takeover(layout: Layout) -> None:
    web = a_server()
    async with supervised(layout, web, stop=False) as running:
        await running.reaches("web", State.READY)
        pid = running.pid("web")
    reaper = asyncio.create_task(asyncio.to_thread(_reap, pid))  # we are its parent here

    changed = msgspec.structs.replace(web, env={"MODE": "other"})
    async with supervised(layout, changed) as running:
        await running.reaches("web", State.READY)
        assert pid != running.pid("web")
        assert 0 == running.keeper("web").restarts
    await reaper


async def test_a_supervisor_that_hands_over_leaves_its_parts_running(layout: Layout) -> None:
    web = a_server()
    async with supervised(layout, web, stop=False) as running:
        await running.reaches("web", State.READY)
        pid = running.pid("web")
        await running.ask("handover")
        await running.until(lambda: not layout.control_socket.exists())

    async with supervised(layout, web) as running:
        await running.reaches("web", State.READY)
        assert pid == running.pid("web")


async def test_what_a_dead_supervisor_left_is_swept(layout: Layout) -> None:
    async with supervised(layout, Part(name="parent", argv=python(WITH_CHILD)), stop=False) as it:
        await it.reaches("parent", State.READY)
        await it.until(lambda: len(processes.marked(layout.stack_id)) == 2)

    await asyncio.to_thread(sweep, layout)

    assert {} == processes.marked(layout.stack_id)
    assert {} == read_records(layout)


async def test_an_unknown_part_is_refused_with_the_names_there_are(layout: Layout) -> None:
    async with supervised(layout, a_server()) as running:
        await running.reaches("web", State.READY)
        with pytest.raises(RequestRefusedError, match="no part is called 'wep'") as refused:
            await running.ask("restart", "wep")

        assert "The parts are web." == refused.value.hint


def test_without_a_supervisor_a_request_says_that_the_stack_is_down(layout: Layout) -> None:
    with pytest.raises(StackDownError):
        ask(layout.control_socket, Request("status"))


def test_a_stack_has_one_supervisor(layout: Layout) -> None:
    lock = take_lock(layout)
    assert lock is not None
    try:
        assert take_lock(layout) is None
    finally:
        os.close(lock)


def _reap(pid: int) -> None:
    """Wait until a child has gone; subprocess takes in what its own objects left, at any time."""
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
