"""The archiver as a process: a socket for PostgreSQL's program, one line in, one line out."""

import asyncio
import fcntl
import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import msgspec
import structlog

from abops.backup.model import Home, Site
from abops.backup.postgres.site import load_site
from abops.backup.wal.archiver import Archiver, Reply
from abops.backup.wal.asking import Status
from abops.backup.wal.drain import drain
from abops.backup.wal.engine import EngineCarrier, Wanted
from abops.backup.wal.fetch import fetch
from abops.backup.wal.heartbeat import beat
from abops.backup.wal.metrics import Metrics
from abops.backup.wal.program import install_client
from abops.backup.wal.queue import Queue, queue_folder
from abops.kernel.clock import SystemClock
from abops.kernel.errors import OpsError

_LONGEST: Final = 64 * 1024
_QUESTION_S: Final = 5.0
_log = structlog.get_logger()


class ArchiverRunsError(OpsError):
    """Another archiver serves this home."""

    hint = "One is enough: abops backup wal status."


class Server:
    """Answers requests; each on a connection of its own."""

    def __init__(self, archiver: Archiver, home: Home, site: Site) -> None:
        self._archiver = archiver
        self._home = home
        self._asked = _names(site)
        self._open: set[asyncio.Task[None]] = set()

    async def finish(self) -> None:
        """Wait until those who have asked are answered: seconds, by the timeouts of pushes."""
        await asyncio.gather(*self._open, return_exceptions=True)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a question, write the answer."""
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        try:
            async with asyncio.timeout(_QUESTION_S):
                line = await reader.readuntil(b"\n")
            words = [os.fsdecode(word) for word in line.rstrip(b"\n").split(b"\0")]
            reply = await self._reply(words)
            text = " ".join(reply.text.split())
            writer.write(f"{reply.code} {text}\n".encode(errors="replace"))
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # Whoever asked was killed: PostgreSQL asks again.
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _reply(self, words: list[str]) -> Reply:
        match words:
            case ["push", path]:
                return await self._archiver.push(Path(path))
            case ["get", name, target, data, *names]:
                archiver = self._archiver
                return await fetch(
                    Wanted(name, Path(target), Path(data)),
                    names or self._asked,
                    queue=archiver.queue,
                    carrier=archiver.carrier,
                    places=archiver.places,
                )
            case ["status"]:
                status = await asyncio.to_thread(self._status)
                return Reply(0, msgspec.json.encode(status).decode())
            case ["drain", *names]:
                return self._drain(names)
            case ["reload"]:
                return await asyncio.to_thread(self._reload)
            case _:
                return Reply(1, "nobody here knows this request")

    def _reload(self) -> Reply:
        """Go on by the rules and keys that the site has now: after a failover, in a rotation."""
        try:
            site = load_site(self._home)
        except OpsError as error:
            return Reply(1, str(error))
        self._archiver.rules, self._asked = site.log_rules, _names(site)
        self._archiver.carrier = EngineCarrier(self._home, site)
        _log.info("rules are read again", leads=site.lead, away=sorted(site.away))
        return Reply(0)

    def _status(self) -> Status:
        room, p95_s = self._archiver.queue.room(), self._archiver.p95_s
        return Status(
            self._archiver.views(),
            None if p95_s is None else round(p95_s * 1000, 1),
            room.owed_bytes,
            room.free_bytes,
        )

    def _drain(self, names: list[str]) -> Reply:
        places = self._archiver.places
        if unknown := [name for name in names if name not in places]:
            return Reply(1, f"no destination is called {', '.join(unknown)}")
        for name in names or places:
            places[name].conflicts.clear()
            places[name].wake(probe=True)
        return Reply(0)


async def serve(
    home: Home,
    site: Site,
    *,
    metrics_port: int | None,
    reached: Callable[[str], None] = lambda _step: None,
) -> None:
    """Serve until SIGTERM or SIGINT; run as the owner of the cluster. Raises OpsError."""
    with ExitStack() as stack:
        _only_one(home, stack)
        await install_client(home)
        names = [place.name for place in site.sources]
        queue = Queue(queue_folder(home, site.cluster), names, reached=reached)
        queue.prepare()
        metrics, clock = Metrics(names), SystemClock()
        archiver = Archiver(
            log_folder=site.cluster.data / "pg_wal",
            rules=site.log_rules,
            queue=queue,
            carrier=EngineCarrier(home, site),
            figures=metrics,
            clock=clock,
            reached=reached,
        )
        if metrics_port is not None:
            stack.callback(metrics.serve(metrics_port, archiver.views))
        answering = Server(archiver, home, site)
        server = await _listen(home, answering, stack)
        stop = asyncio.Event()
        for sig in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sig, stop.set)
        tasks = [
            asyncio.create_task(drain(archiver, clock)),
            asyncio.create_task(beat(home, site, clock, metrics.heartbeat.set)),
            asyncio.create_task(stop.wait()),
        ]
        _log.info("archiver serves", destinations=names, home=str(home.folder))
        ended, running = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        server.close()
        for task in running:
            task.cancel()
        await answering.finish()
        await asyncio.gather(*running, return_exceptions=True)
        for task in ended:
            task.result()
        _log.info("archiver ends")


def _names(site: Site) -> tuple[str, ...]:
    """Return whom a recovering server's wish is asked of when it names nobody."""
    return tuple(place.name for place in site.present)


def _only_one(home: Home, stack: ExitStack) -> None:
    handle = os.open(home.folder / "wal.lock", os.O_RDWR | os.O_CREAT, 0o600)
    stack.callback(os.close, handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ArchiverRunsError(f"an archiver serves {home.folder} already") from error


async def _listen(home: Home, server: Server, stack: ExitStack) -> asyncio.Server:
    """Listen in the home; the owner's programs alone may ask."""
    home.socket.unlink(missing_ok=True)
    folder = os.open(home.folder, os.O_RDONLY | os.O_DIRECTORY)
    stack.callback(os.close, folder)
    line = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        # By the folder's handle: the path of a socket may have 107 bytes only.
        line.bind(f"/proc/self/fd/{folder}/{home.socket.name}")
    finally:
        os.umask(mask)
    stack.callback(home.socket.unlink, missing_ok=True)
    line.settimeout(0)
    return await asyncio.start_unix_server(server.answer, sock=line, limit=_LONGEST)
