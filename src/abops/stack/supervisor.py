"""The daemon that keeps the local platform as it is wanted.

`abops stack up` starts it in the background and asks it for everything else. When it is killed
the parts go on running: the next supervisor finds their records and takes them over. A TERM
stops the whole stack in its order.
"""

import asyncio
import fcntl
import os
import signal
import sys
from contextlib import suppress

import msgspec

from abops.kernel.clock import Clock, SystemClock
from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic
from abops.stack import exposition
from abops.stack.control import Answer, Request, listen, read_request
from abops.stack.keeper import GOOD, Keeper, PartStatus, State
from abops.stack.layout import Layout, find_layout
from abops.stack.logs import shorten_all
from abops.stack.part import Part
from abops.stack.parts import declare_parts, version
from abops.stack.records import read_records
from abops.stack.site import load_site

HOUSEKEEPING_S = 5.0
REQUEST_SETTLES_S = 90.0


class UnknownPartError(OpsError):
    """There is no part of this name."""


class Supervisor:
    """All keepers, and the requests that reach them."""

    def __init__(self, layout: Layout, parts: tuple[Part, ...], *, clock: Clock) -> None:
        self._layout = layout
        self._clock = clock
        self._dirty = asyncio.Event()
        self._over = asyncio.Event()
        self._version = version(parts)
        self.keepers = {
            part.name: Keeper(part, layout, clock=clock, on_change=self._dirty.set)
            for part in parts
        }

    def statuses(self) -> tuple[PartStatus, ...]:
        """Return what is known about every part, in their declared order."""
        return tuple(keeper.status() for keeper in self.keepers.values())

    async def run(self, metrics_port: int) -> None:
        """Keep every part until the stack is taken down."""
        records = read_records(self._layout)
        listener = listen(self._layout.control_socket)
        control = await asyncio.start_unix_server(self._serve, sock=listener)
        metrics = await exposition.serve(
            metrics_port, lambda: exposition.text(self.keepers.values())
        )
        tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(
                keeper.run(
                    [self.keepers[name] for name in keeper.part.depends_on],
                    records.get(name),
                )
            )
            for name, keeper in self.keepers.items()
        ]
        tasks += [asyncio.create_task(self._write_state()), asyncio.create_task(self._keep_house())]
        loop = asyncio.get_running_loop()
        downs: set[asyncio.Task[None]] = set()
        for sig in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sig, lambda: downs.add(asyncio.create_task(self.down())))
        over = asyncio.create_task(self._until_over())
        try:
            await asyncio.wait([over, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()  # a keeper never returns: this is a defect, let it be seen
        finally:
            for task in [over, *tasks]:
                task.cancel()
            control.close()
            metrics.close()
            self._layout.control_socket.unlink(missing_ok=True)

    async def _until_over(self) -> None:
        await self._over.wait()

    async def down(self) -> None:
        """Stop what must stop first, then the rest, then ourselves."""
        for keeper in self.keepers.values():
            if keeper.part.stops_first:
                await keeper.hold()
        await asyncio.gather(
            *(keeper.hold() for keeper in self.keepers.values() if not keeper.part.stops_first)
        )
        self._save()
        self._over.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            try:
                answer = await self._answer(await read_request(reader))
            except (OpsError, ValueError) as error:
                answer = Answer(error=str(error), hint=getattr(error, "hint", ""))
            writer.write(msgspec.json.encode(answer) + b"\n")
            await writer.drain()
        except ConnectionError:
            pass  # the asker went away; what was asked is done all the same
        finally:
            writer.close()

    async def _answer(self, request: Request) -> Answer:
        match request.do:
            case "status":
                return Answer(self.statuses(), version=self._version)
            case "look":
                return await self._look()
            case "ensure":
                return self._ensure()
            case "handover":
                self._over.set()
                return Answer()
            case "start" | "stop" | "restart":
                return await self._change(request, self._keeper(request.part))
            case _:
                raise ValueError(f"unknown request {request.do!r}")

    async def _change(self, request: Request, keeper: Keeper) -> Answer:
        if request.do in {"stop", "restart"}:
            await keeper.hold(request.signal)
        if request.do in {"start", "restart"}:
            keeper.want()
            with suppress(TimeoutError):
                async with asyncio.timeout(REQUEST_SETTLES_S):
                    await keeper.until(GOOD | {State.FAILED, State.MISSING})
        return Answer((keeper.status(),))

    async def _look(self) -> Answer:
        """Ask every part for its health, at once."""
        keepers = tuple(self.keepers.values())
        seen = await asyncio.gather(*(keeper.healthy() for keeper in keepers))
        pairs = zip(keepers, seen, strict=True)
        return Answer(tuple(keeper.status(healthy=healthy) for keeper, healthy in pairs))

    def _ensure(self) -> Answer:
        for keeper in self.keepers.values():
            if keeper.state is not State.DONE:
                keeper.want()
        return Answer(self.statuses())

    def _keeper(self, name: str) -> Keeper:
        keeper = self.keepers.get(name)
        if keeper is None:
            raise UnknownPartError(
                f"no part is called {name!r}", hint=f"The parts are {', '.join(self.keepers)}."
            )
        return keeper

    async def _write_state(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            self._save()
            await asyncio.sleep(0.1)  # many parts change at once while the stack starts

    def _save(self) -> None:
        write_atomic(self._layout.state_file, msgspec.json.encode(self.statuses()))

    async def _keep_house(self) -> None:
        while True:
            await asyncio.to_thread(shorten_all, self._layout.logs, self._clock.now())
            await asyncio.sleep(HOUSEKEEPING_S)


def take_lock(layout: Layout) -> int | None:
    """Return the lock that makes this the only supervisor of its stack, None when there is one."""
    handle = os.open(layout.state / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    return handle


def main() -> int:
    """Run the supervisor of the stack around the current folder."""
    layout = find_layout()
    lock = take_lock(layout)
    if lock is None:
        return 0
    try:
        site = load_site(layout)
        asyncio.run(_run(layout, declare_parts(site), site.port("supervisor")))
    except OpsError as error:
        sys.stderr.write(f"error: {error}\n  hint: {error.hint}\n")
        return 1
    finally:
        os.close(lock)
    return 0


async def _run(layout: Layout, parts: tuple[Part, ...], metrics_port: int) -> None:
    await Supervisor(layout, parts, clock=SystemClock()).run(metrics_port)


if __name__ == "__main__":
    sys.exit(main())
