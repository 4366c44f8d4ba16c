"""Pushing a file to a destination, and asking one for a file, by the backup engine."""

from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from abops.backup.model import Destination, Home, Site
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.faults import explain
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
    """The engine with one configuration for each destination."""

    def __init__(self, home: Home, site: Site) -> None:
        self._engine = engine_of(home, site)
        self._stanza = site.stanza
        self._places: dict[str, Destination] = {one.name: one for one in site.sources}
        self._home = home

    async def push(self, destination: str, path: Path, timeout_s: float) -> Told:
        """Push a file; the engine compares what is there already."""
        return await self._run(
            destination, "archive-push", _IO_TIMEOUT, arguments=[str(path)], timeout_s=timeout_s
        )

    async def get(self, destination: str, wanted: Wanted, timeout_s: float) -> Told:
        """Fetch a file for a data folder that may be another one than the protected."""
        return await self._run(
            destination,
            "archive-get",
            _IO_TIMEOUT,
            f"--pg1-path={wanted.data}",
            arguments=[wanted.name, str(wanted.target)],
            timeout_s=timeout_s,
        )

    async def _run(
        self,
        destination: str,
        command: str,
        *options: str,
        arguments: list[str],
        timeout_s: float,
    ) -> Told:
        place = self._places[destination]
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
