"""Pushing a file to a destination, and asking one for a file, by the backup engine.

While a key is changed a destination has two repositories: it has a segment when both have it, and
what is asked for may lie in either, also in those of keys of before.
"""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from abops.backup.model import Destination, Home, Site
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.faults import explain
from abops.backup.postgres.site import generations_of
from abops.kernel.errors import OpsError

_IO_TIMEOUT: Final = "--io-timeout=5"
_OTHER_CHECKSUM: Final = 45
_NOT_THERE: Final = 1


class Outcome(StrEnum):
    """How a destination took a file, or gave one."""

    DONE = "done"
    DIFFERENT = "different"
    """It has another file of this name."""
    ABSENT = "absent"
    """It answered that it has no such file."""
    FAILED = "failed"


class Told(Struct, frozen=True):
    """What a destination said."""

    outcome: Outcome
    seconds: float
    reason: str = ""


class Carrier(Protocol):
    """Takes files to destinations and from them. Failure is an answer, not an error."""

    async def push(self, destination: str, path: Path, timeout_s: float) -> Told:
        """Push a file; once more with the same content is as good."""
        ...

    async def get(self, destination: str, wanted: "Wanted", timeout_s: float) -> Told:
        """Fetch a file."""
        ...


class Wanted(Struct, frozen=True):
    """A file that a recovery asks for."""

    name: str
    target: Path
    data: Path
    """The data folder that recovers."""


class EngineCarrier:
    """The engine with one configuration for each destination and key generation."""

    def __init__(self, home: Home, site: Site) -> None:
        self._engine = engine_of(home, site)
        self._stanza = site.stanza
        self._home = home
        self._written = {
            one.name: [replace(one, generation=name) for name in one.written]
            for one in site.sources
        }
        self._readable = {one.name: generations_of(home, one)[::-1] for one in site.sources}

    async def push(self, destination: str, path: Path, timeout_s: float) -> Told:
        """Push a file; the engine compares what is there already."""
        words = [str(path)]
        told = await asyncio.gather(
            *(
                self._run(place, "archive-push", _IO_TIMEOUT, arguments=words, timeout_s=timeout_s)
                for place in self._written[destination]
            )
        )
        slowest = max(one.seconds for one in told)
        worst = next((one for one in told if one.outcome is Outcome.DIFFERENT), None)
        worst = worst or next((one for one in told if one.outcome is not Outcome.DONE), told[0])
        return Told(worst.outcome, slowest, worst.reason)

    async def get(self, destination: str, wanted: Wanted, timeout_s: float) -> Told:
        """Fetch a file for a data folder that may be another one than the protected."""
        failed: Told | None = None
        for place in self._readable[destination]:
            told = await self._run(
                place,
                "archive-get",
                _IO_TIMEOUT,
                f"--pg1-path={wanted.data}",
                arguments=[wanted.name, str(wanted.target)],
                timeout_s=timeout_s,
            )
            if told.outcome is Outcome.DONE:
                return told
            if told.outcome is not Outcome.ABSENT:
                failed = told
        # "Not there" is the end of the log to whoever asks: each must have said it.
        return failed or told

    async def _run(
        self,
        place: Destination,
        command: str,
        *options: str,
        arguments: list[str],
        timeout_s: float,
    ) -> Told:
        config = self._home.engine(place.name, place.generation)
        try:
            answer = await self._engine.run(
                config,
                self._stanza,
                command,
                *options,
                arguments=arguments,
                timeout_s=timeout_s,
            )
        except OpsError as error:
            return Told(Outcome.FAILED, 0.0, str(error))
        if answer.code == 0:
            return Told(Outcome.DONE, answer.seconds)
        if command == "archive-get" and answer.code == _NOT_THERE:
            return Told(Outcome.ABSENT, answer.seconds)
        reason = str(explain(place, command, answer))
        different = command == "archive-push" and answer.fault[0] == _OTHER_CHECKSUM
        return Told(Outcome.DIFFERENT if different else Outcome.FAILED, answer.seconds, reason)
