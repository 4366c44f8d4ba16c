"""What a rehearsal is to reach, and what must be found there.

Setting the scene touches the live database as little as can be: a row, a named point, and for
those who are in a hurry a switch of the log. It is done before the clock of the rehearsal starts.
"""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from abops.backup.drill.checks import revisions_of
from abops.backup.drill.evidence import Kind
from abops.backup.drill.markers import Marker, last_marker, mark, prepare
from abops.backup.drill.points import Point, known_points, make_point, points_between
from abops.backup.model import Home, Site
from abops.backup.restore.folder import place_of
from abops.backup.restore.gather import gather
from abops.backup.restore.plan import plan
from abops.backup.restore.request import Request, RestoreRefusedError
from abops.backup.restore.target import at_time
from abops.clients.postgres_session import PostgresSession, SocketAddress
from abops.kernel.clock import Clock, moment
from abops.kernel.errors import OpsError

ARRIVAL_S: Final = 150.0
"""How long the log with the point may take to reach the destination: archive_timeout and more."""
_AGAIN_S: Final = 1.0
_APART: Final = timedelta(seconds=1)
_SETTLED: Final = timedelta(minutes=3)
"""A moment this long ago is in the log wherever archiving works."""


class LogDidNotArriveError(OpsError):
    """The log does not reach the destination."""

    hint = "Backups without log restore to their own end only: abops backup wal status"


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """One rehearsal's task."""

    destination: str
    kind: Kind
    point: Point
    target: float
    target_text: str
    expected: Marker | None
    """The last row before the target."""
    revisions: dict[str, str]
    box_s: float
    """Longer than this nothing may take."""


def live_address(home: Home, site: Site) -> SocketAddress:
    """Return the protected server's address."""
    at = site.cluster
    return SocketAddress(
        folder=at.socket, port=at.port, user=at.superuser, password_file=home.password_file
    )


async def set_scene(  # noqa: PLR0913 - what a drill is told
    home: Home, site: Site, destination: str, kind: Kind, clock: Clock, *, box_s: float, hurry: bool
) -> Scene:
    """Choose or make a point and a target that the destination's log leads to."""
    address = live_address(home, site)
    with PostgresSession(address, site.cluster.database) as session:
        prepare(session)
        past = None if kind == "latest" or hurry else await _past(home, site, destination, clock)
        if past is not None:
            point, target = past
        else:
            point, target = await _now(home, site, session, clock, kind, hurry=hurry)
            await _arrived(home, site, destination, target if kind == "time" else moment(point.at))
        if kind == "latest":
            target = clock.now()
        expected = last_marker(session, target if kind == "time" else moment(point.at))
        # Written after the target: it must not come back.
        mark(session, clock.now())
    return Scene(
        destination=destination,
        kind=kind,
        point=point,
        target=target.timestamp(),
        target_text=at_time(target).value,
        expected=expected,
        revisions=revisions_of(address, site.cluster),
        box_s=box_s,
    )


async def _past(
    home: Home, site: Site, destination: str, clock: Clock
) -> tuple[Point, datetime] | None:
    """Return a random point of the past and a moment after it, None when there is none yet."""
    found = await gather(home, site, [destination])
    sets = [one for held in found.holdings for one in held.sets]
    if not sets:
        return None
    until = clock.now().astimezone(UTC) - _SETTLED
    points = points_between(known_points(home), moment(min(one.stopped for one in sets)), until)
    choice = random.SystemRandom()
    for point in choice.sample(points, len(points)):
        latest = min(until, moment(point.at) + timedelta(hours=1))
        span = (latest - moment(point.at)).total_seconds()
        target = moment(point.at + choice.uniform(1.0, max(span, 1.0)))
        request = Request(target=at_time(target), place=place_of(home.folder / "nowhere"))
        try:
            plan(request, found.holdings, found.log, ())
        except RestoreRefusedError:
            continue
        return point, target
    return None


async def _now(  # noqa: PLR0913 - one step of setting one scene
    home: Home, site: Site, session: PostgresSession, clock: Clock, kind: Kind, *, hurry: bool
) -> tuple[Point, datetime]:
    """Make a row, a point and a moment after it; in a hurry the log is sent at once."""
    mark(session, clock.now())
    point = await asyncio.to_thread(
        make_point, home, live_address(home, site), site.cluster.database, clock
    )
    target = mark(session, clock.now()).at
    # Rows at one moment would be both before and after it, and repositories count whole seconds.
    await asyncio.sleep(_APART.total_seconds())
    target += _APART / 2
    mark(session, clock.now())
    if hurry or kind == "time":
        await asyncio.sleep(_APART.total_seconds())
        session.rows("SELECT pg_switch_wal()")
    return point, target


async def _arrived(home: Home, site: Site, destination: str, target: datetime) -> None:
    """Wait until the destination's log leads to the target. Raises LogDidNotArriveError."""
    why = ""
    try:
        async with asyncio.timeout(ARRIVAL_S):
            while True:
                found = await gather(home, site, [destination])
                place = place_of(home.folder / "nowhere")
                try:
                    plan(
                        Request(target=at_time(target), place=place), found.holdings, found.log, ()
                    )
                except RestoreRefusedError as error:
                    why = str(error)
                else:
                    return
                await asyncio.sleep(_AGAIN_S)
    except TimeoutError as error:
        raise LogDidNotArriveError(f"{destination}: after {ARRIVAL_S:.0f} s, {why}") from error
