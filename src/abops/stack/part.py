"""What a part of the local platform is: a value that says everything about one process.

Parts are declared, not coded: command, environment, what must run before it, how its health
is seen, how it is stopped. The supervisor knows these values and nothing about PostgreSQL or
Celery, so that a new part is one more value.
"""

import signal
from pathlib import Path

import msgspec


class Tool(msgspec.Struct, frozen=True):
    """A program of tools.lock, looked up at the moment of starting; `sibling` lies beside it."""

    name: str
    sibling: str = ""


class HttpCheck(msgspec.Struct, frozen=True, tag=True):
    """Healthy when a GET of the address gives 200."""

    port: int
    path: str


class RedisCheck(msgspec.Struct, frozen=True, tag=True):
    """Healthy when PING is answered: a Redis that still loads its file says LOADING instead."""

    port: int


class PortCheck(msgspec.Struct, frozen=True, tag=True):
    """Healthy when something accepts connections on the port."""

    port: int


class CommandCheck(msgspec.Struct, frozen=True, tag=True):
    """Healthy when the command ends with 0."""

    argv: tuple[str | Tool, ...]


class AliveCheck(msgspec.Struct, frozen=True, tag=True):
    """Healthy when the process has lived this long: for a program that listens nowhere."""

    seconds: float = 1.0


Check = HttpCheck | RedisCheck | PortCheck | CommandCheck | AliveCheck


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the stack."""

    name: str
    argv: tuple[str | Tool, ...]
    """The command; a secret never stands here, every user of the machine can read it."""
    env: dict[str, str] = {}
    """Added to the few variables that every part gets; passwords may stand here."""
    cwd: Path | None = None
    depends_on: tuple[str, ...] = ()
    """Parts that must be ready before this one is started for the first time."""
    check: Check = AliveCheck()
    start_timeout_s: float = 60.0
    stop_signal: int = signal.SIGTERM
    stop_grace_s: float = 10.0
    stops_first: bool = False
    """Stopped, and its end awaited, before everything else."""
    runs_once: bool = False
    """A step of the start (schema, first data): done when it ends with 0."""
    as_postgres: bool = False
    """Run as the user postgres when we are root: PostgreSQL refuses root."""
    url: str = ""
    """Where a person looks: shown in the tables."""
    without: str = ""
    """What is lost when the program is missing; not empty makes the part optional."""
    memory_mib: int = 0
    """What it takes on this machine, as measured, rounded up: published as its budget."""
