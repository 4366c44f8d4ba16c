"""Planning and doing a restore: the plan from what is there now, the files by the engine.

The restored server never archives: with archiving on it would write its own branch of history
into the live repository before anybody has judged it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from abops.backup.model import Home, Site
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.faults import explain
from abops.backup.restore.claim import claim
from abops.backup.restore.fetch_log import FILE_NAME, RESTORE_COMMAND, log_script
from abops.backup.restore.folder import Record, place_of, write_record
from abops.backup.restore.gather import gather, owed_folders, repositories
from abops.backup.restore.past import Past, check_engine, keepers
from abops.backup.restore.plan import plan
from abops.backup.restore.request import Plan, Rehearsal, Request
from abops.backup.restore.target import Target
from abops.backup.store.database import Catalog, CatalogError
from abops.backup.store.entries import get
from abops.backup.store.records import Verdict
from abops.kernel.clock import Clock
from abops.kernel.files import write_atomic

FETCH_S = 24 * 3_600.0
_LOG_FLAGS = ("--log-level-file=off",)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a person, or a drill, asks for."""

    folder: Path
    target: Target
    label: str = ""
    sources: tuple[str, ...] = ()
    timeline: int | None = None
    delta: bool = False
    past: Past | None = None
    """Read the sources as they were then."""


async def make_plan(home: Home, site: Site, wish: Wish) -> Plan:
    """Look at the folder and the destinations, and decide. Raises RestoreRefusedError."""
    place = place_of(wish.folder)
    sources = wish.sources
    if wish.past is not None:
        check_engine(await engine_of(home, site).capabilities())
        sources = keepers(site, sources)
    found = await gather(home, site, sources, wish.past)
    request = Request(
        target=wish.target,
        place=place,
        label=wish.label,
        sources=sources,
        timeline=wish.timeline,
        delta=wish.delta,
        spoiled=spoiled_sets(home),
    )
    made = plan(request, found.holdings, found.log, rehearsals(home))
    return msgspec.structs.replace(made, past=wish.past)


async def bring(
    home: Home, site: Site, made: Plan, clock: Clock, *, timeout_s: float = FETCH_S
) -> Record:
    """Restore the files of a plan. Raises DestinationError."""
    began, at = clock.monotonic(), clock.now()
    source = next(
        one
        for one in repositories(home, site)
        if (one.destination.name, one.destination.generation) == (made.source, made.generation)
    )
    claim(home, made.facts, at)
    made.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made.folder.chmod(0o700)
    answer = await engine_of(home, site).run(
        source.config, site.stanza, "restore", *_options(made), timeout_s=timeout_s
    )
    if answer.code != 0:
        raise explain(source.destination, "restore", answer)
    _write_script(home, site, made)
    record = Record(
        source=made.source,
        label=made.facts.label,
        target=str(made.target),
        target_at=made.target.at,
        began=at.timestamp(),
        fetch_s=clock.monotonic() - began,
        segments=made.segments,
    )
    write_record(made.folder, record)
    return record


def spoiled_sets(home: Home) -> frozenset[tuple[str, str]]:
    """Return the sets that the last check found damaged; none when the catalog cannot tell."""
    if not home.catalog.is_file():
        return frozenset()
    catalog = Catalog(home.catalog)
    try:
        with catalog.read() as connection:
            verdicts = get(connection, Verdict)
    except CatalogError:
        # A restore must not need the catalog: it may be lost with everything else.
        return frozenset()
    finally:
        catalog.close()
    return frozenset((one.destination, one.label) for one in verdicts if not one.valid)


def rehearsals(home: Home) -> tuple[Rehearsal, ...]:
    """Return what earlier drills took, by their evidence."""
    return tuple(_readable(sorted(home.drills.glob("*.json"))))


def _readable(paths: Iterable[Path]) -> Iterable[Rehearsal]:
    for path in paths:
        try:
            found = msgspec.json.decode(path.read_bytes(), type=_Evidence)
        except (OSError, msgspec.MsgspecError):
            continue
        if found.outcome == "success":
            yield Rehearsal(
                destination=found.destination,
                size=found.size,
                segments=found.segments,
                phases=found.phases,
            )


class _Evidence(msgspec.Struct, frozen=True):
    """What the estimate needs of a drill's evidence."""

    destination: str
    outcome: str
    size: int
    segments: int
    phases: dict[str, float]


def _options(made: Plan) -> Sequence[str]:
    kind, value = made.target.kind, made.target.value
    options = [
        f"--pg1-path={made.folder}",
        f"--set={made.facts.label}",
        f"--type={'default' if kind == 'latest' else kind}",
        "--archive-mode=off",
        f"--recovery-option=restore_command={RESTORE_COMMAND}",
        *_LOG_FLAGS,
    ]
    if value:
        options.append(f"--target={value}")
    if kind not in {"latest", "immediate"}:
        options.append(f"--target-timeline={made.timeline}")
    if kind != "latest":
        options.append("--target-action=promote")
    if made.delta:
        options.append("--delta")
    if made.past is not None:
        options += made.past.options
    return options


def _write_script(home: Home, site: Site, made: Plan) -> None:
    """Leave in the folder the program by which the server asks for its log."""
    order = {name: index for index, name in enumerate(made.logs)}
    places = [one for one in repositories(home, site) if one.destination.name in order]
    places.sort(
        key=lambda one: (
            order[one.destination.name],
            one.destination.generation != made.generation,
        )
    )
    text = log_script(
        site.engine,
        site.stanza,
        [one.config for one in places],
        owed_folders(home, site, made.logs),
        made.past.options if made.past else (),
    )
    write_atomic(made.folder / FILE_NAME, text, mode=0o700)
