"""The commands behind the plan's scripts, each tried as a person would call it.

All on things thrown away: one makes its own, the others share a protected database. One that
fails stops none of the others.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from abops.backup.model import Home
from abops.clients.programs import Ended, call
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError
from abops.stack.programs import ABOPS
from abops.stack.throwaway import ThrowAwayRegion
from abops.workflows.recovery.report import Tried
from abops.workflows.recovery.setting import COMMAND_S, Setting, SettingError, make_setting

TEST: Final = "backup-system.sh --test"
SCHEDULER: Final = "backup-scheduler.py --once"
SHARED: Final = {
    SCHEDULER: "abops backup schedule --once --metrics-port 0",
    "restore-system.sh --test-restore": "abops recovery drill --hurry",
    "verify-backup.sh --validate": "abops backup verify --validate",
}
"""What a script comes to, by what is typed."""
ROUND_TRIP: Final = "config-backup.sh: a bundle there and back"
_SHOWN: Final = 200


async def try_commands(
    regions: Mapping[str, ThrowAwayRegion], platform: Path, clock: Clock
) -> tuple[Tried, ...]:
    """Try all of them, and say how each ended."""
    began = clock.monotonic()
    ended = await call(ABOPS, "backup", "run", "--test", timeout_s=COMMAND_S)
    found = [_told(TEST, ended, clock.monotonic() - began)]
    try:
        async with make_setting(regions, platform) as setting:
            await setting.must("backup", "config", "init-key", "--write-identity", _key(setting))
            for name, line in SHARED.items():
                began = clock.monotonic()
                ended = await setting.run(line)
                found.append(_told(name, ended, clock.monotonic() - began))
                if name == SCHEDULER and ended.code:
                    # It would have made the backups that the others work on.
                    await setting.must("backup", "run", "--type", "full")
            found.append(await _round_trip(setting, clock))
    except (OpsError, TimeoutError) as error:
        done = {one.name for one in found}
        found += [
            Tried(name=name, outcome="failed", detail=f"no setting for it: {error}")
            for name in (*SHARED, ROUND_TRIP)
            if name not in done
        ]
    return tuple(found)


async def _round_trip(setting: Setting, clock: Clock) -> Tried:
    """Save a bundle, bring a second home back from it by the offline key, compare the secrets."""
    began = clock.monotonic()
    key, other = _key(setting), Home(setting.database.folder / "home.again")
    name, *_ = setting.regions
    config = ("backup", "config")
    try:
        await setting.must(*config, "save", "--inventory", setting.inventory, "--no-git")
        away = ("--home", other.folder, "--identity", key, "--from", name)
        keys = ("--credentials", setting.keys / f"backup-{name}.json")
        inventory = ("--inventory", setting.inventory)
        await setting.must(*config, "restore", "--bootstrap", *away, *keys, *inventory)
        await setting.must("backup", "list", "--home", other.folder)
        detail = _compare(setting.home, other)
    except SettingError as error:
        return Tried(
            name=ROUND_TRIP,
            outcome="failed",
            seconds=clock.monotonic() - began,
            detail=str(error)[-_SHOWN:],
        )
    return Tried(name=ROUND_TRIP, outcome="met", seconds=clock.monotonic() - began, detail=detail)


def _key(setting: Setting) -> Path:
    return setting.keys / "offline.key"


def _compare(home: Home, other: Home) -> str:
    """Compare the secrets of two homes, and say how many there are. Raises SettingError."""
    own, brought = (
        {path.name: path.read_bytes() for path in one.secrets.iterdir()} for one in (home, other)
    )
    if own != brought:
        wrong = sorted(name for name in {*own, *brought} if own.get(name) != brought.get(name))
        raise SettingError(f"not as they were: {', '.join(wrong)}")
    return f"{len(own)} secrets as they were, the new home reads its destinations"


def _told(name: str, ended: Ended, seconds: float) -> Tried:
    """Return how a command ended, with its last line of what matters."""
    text = ended.errors if ended.code else ended.output.decode(errors="replace")
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    if ended.code:
        detail = next((line for line in lines if line.startswith("error:")), "".join(lines[-1:]))
    else:
        detail = f"{max(len(lines) - 1, 0)} rows"
    return Tried(
        name=name,
        outcome="failed" if ended.code else "met",
        seconds=seconds,
        detail=detail[:_SHOWN],
    )
