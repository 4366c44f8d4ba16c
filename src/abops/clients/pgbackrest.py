"""pgBackRest, called as a program: what it can do, what it holds, what it said.

One process group for each call, killed at its deadline: a dead endpoint would otherwise hold the
caller for minutes. Secrets reach it in its configuration's file only. What it says is cleaned
before anybody sees it: a wrong passphrase makes it print what it could not decrypt.
"""

import asyncio
import os
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from abops.clients.pgbackrest_answers import (
    TIMED_OUT,
    Answer,
    Capabilities,
    EngineAnswerError,
    EngineError,
    EngineMissingError,
    Entry,
    Info,
    Status,
    capabilities_of,
    clean,
    read_info,
)
from abops.kernel.clock import SystemClock

DEADLINE_S = 120.0
_LAST_BREATH_S = 1.0
_KEPT_ENVIRONMENT = ("PATH", "HOME", "TZ", "TMPDIR", "LD_PRELOAD", "FAKETIME")
"""Its own options can come from the environment (PGBACKREST_*): those stay outside."""
_SECRET_OPTION = re.compile(
    r"^\s*\S*(?:-key|-key-secret|-cipher-pass|-token)\s*=\s*(\S+)", re.MULTILINE
)


class _Listed(msgspec.Struct, frozen=True):
    type: str
    size: int = 0
    time: int = 0


class Engine:
    """The engine by its path, run as the owner of the cluster's files."""

    def __init__(
        self,
        program: Path,
        *,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        timeout_s: float = DEADLINE_S,
    ) -> None:
        """`prefix` makes a command another user's; `environment` is added to what it sees."""
        self._program = program
        self._prefix = tuple(prefix)
        self._environment = dict(environment or {})
        self._timeout_s = timeout_s
        self._capabilities: Capabilities | None = None
        self._clock = SystemClock()

    async def run(  # noqa: PLR0913 - one call of a program, and how it is made
        self,
        config: Path,
        stanza: str,
        command: str,
        *options: str,
        arguments: Sequence[str] = (),
        timeout_s: float | None = None,
        console: str = "off",
    ) -> Answer:
        """Run a command of the engine. Its failure is an answer, not an error.

        `console` is the level of what it says about its work, which is part of the output.
        """
        words = [f"--config={config}"]
        if stanza:
            words.append(f"--stanza={stanza}")
        words += [f"--log-level-console={console}", "--log-level-stderr=warn", *options, command]
        words += arguments
        return await self._call(words, secrets_in(config), timeout_s or self._timeout_s)

    async def capabilities(self) -> Capabilities:
        """Return what the installed version can do."""
        if self._capabilities is None:
            answer = await self._call(["version"], (), 10.0)
            if answer.code != 0:
                raise EngineMissingError(f"{self._program.name} version: {answer.fault[1]}")
            self._capabilities = capabilities_of(answer.output)
        return self._capabilities

    async def info(self, config: Path, stanza: str, *, timeout_s: float = 10.0) -> Info:
        """Return what the destination holds. A destination that fails has a status, no error."""
        options = ("--output=json", "--io-timeout=5")
        answer = await self.run(config, stanza, "info", *options, timeout_s=timeout_s)
        if answer.timed_out:
            return Info(stanza, Status(99, f"no answer within {timeout_s:g} s"), asked=answer.at)
        if answer.code != 0:
            return Info(stanza, Status(99, answer.errors.strip()), asked=answer.at)
        info = read_info(answer.output, stanza, secrets_in(config))
        return msgspec.structs.replace(info, asked=answer.at)

    async def ls(
        self, config: Path, path: str = "", *, timeout_s: float | None = None
    ) -> tuple[Entry, ...]:
        """List everything below a path of the repository. Raises EngineError."""
        options = ["--recurse", "--output=json"]
        # The path is an argument of the command: it stands behind it.
        words = [f"--config={config}", "--log-level-console=off", "--log-level-stderr=warn"]
        words += [*options, "repo-ls", *([path] if path else [])]
        answer = await self._call(words, secrets_in(config), timeout_s or self._timeout_s)
        if answer.code != 0:
            raise EngineError(f"{config.stem}: repo-ls {path}: {answer.fault[1]}")
        try:
            listed = msgspec.json.decode(answer.output, type=dict[str, _Listed])
        except msgspec.MsgspecError as error:
            raise EngineAnswerError(f"{config.stem}: repo-ls {path}: {error}") from error
        return tuple(Entry(name, at.type, at.size, at.time) for name, at in sorted(listed.items()))

    async def get(
        self, config: Path, stanza: str, path: str, *, timeout_s: float | None = None
    ) -> str:
        """Return the text of a file of the repository, decrypted. Raises EngineError."""
        words = [f"--config={config}", f"--stanza={stanza}", "--log-level-console=off"]
        words += ["--log-level-stderr=warn", "repo-get", path]
        answer = await self._call(words, secrets_in(config), timeout_s or self._timeout_s)
        if answer.code != 0:
            raise EngineError(f"{config.stem}: repo-get {path}: {answer.fault[1]}")
        return answer.output

    async def _call(self, words: Sequence[str], secrets: Sequence[str], timeout_s: float) -> Answer:
        began = self._clock.monotonic()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._prefix,
                self._program,
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                # It is started from anywhere, also from where its user may not look.
                cwd="/",
                env=self._seen(),
                start_new_session=True,
            )
        except OSError as error:
            raise EngineMissingError(f"{self._program}: {error.strerror}") from error
        try:
            async with asyncio.timeout(timeout_s):
                output, errors = await process.communicate()
            code = process.returncode or 0
        except TimeoutError:
            output, errors, code = b"", b"", TIMED_OUT
        finally:
            await _end(process)
        seconds = self._clock.monotonic() - began
        told = f"no answer within {timeout_s:g} s" if code == TIMED_OUT else clean(errors, secrets)
        at = self._clock.now().timestamp()
        return Answer(code, output.decode(errors="replace"), told, seconds, at)

    def _seen(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        return {**kept, "LANG": "C.UTF-8", **self._environment}


async def _end(process: asyncio.subprocess.Process) -> None:
    """End what is left of the group: politely, then for sure."""
    if process.returncode is not None:
        return
    _signal(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(_LAST_BREATH_S):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            _signal(process.pid, signal.SIGKILL)
            await process.wait()


def _signal(group: int, sig: signal.Signals) -> None:
    try:
        os.killpg(group, sig)
    except ProcessLookupError:
        return


def secrets_in(config: Path) -> tuple[str, ...]:
    """Return the values in a configuration that nobody may read anywhere else."""
    try:
        text = config.read_text()
    except (OSError, UnicodeDecodeError):
        return ()
    return tuple(sorted(_SECRET_OPTION.findall(text), key=len, reverse=True))
