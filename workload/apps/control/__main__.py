"""The panel of fault switches: `python -m apps.control`, on port 8090 of loopback.

    GET  /faults           what is on, and what there is
    POST /faults/<name>    {"on": true, "ratio": 0.8, "seconds": 30, ...}
    POST /faults           {"on": false} turns everything off
    GET  /health

`seconds` says for how long; without it a switch stays on until it is turned off. It runs
without any store: its only memory is the file that the processes read.
"""

import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from apps import clock
from apps.faults import FAULTS, read_faults
from apps.settings import Settings, SettingsError, settings

DEFAULT_PORT = 8090
LARGEST_BODY = 10_000


class BadRequestError(Exception):
    """The request makes no sense; the message says why."""


class Panel:
    """The switches, kept in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def state(self) -> dict[str, Any]:
        """Return what is on, and what there is."""
        now = clock.epoch_s()
        faults = read_faults(self._path).values()
        return {
            "on": {
                fault.name: {
                    "since": fault.since,
                    "until": fault.until,
                    "ratio": fault.ratio,
                    **fault.options,
                }
                for fault in faults
                if fault.until is None or fault.until > now
            },
            "known": dict(FAULTS),
        }

    def set(self, name: str, wanted: Mapping[str, Any]) -> None:
        """Turn one switch on or off, or with no name all of them off."""
        if not name:
            if wanted != {"on": False}:
                raise BadRequestError('only {"on": false} goes to all of them')
            self.clear()
            return
        if name not in FAULTS:
            raise BadRequestError(f"no fault {name!r}; known: {', '.join(FAULTS)}")
        entry = _entry(wanted)
        with self._lock:
            entries = self._entries()
            entries.pop(name, None)
            if entry is not None:
                entries[name] = entry
            self._write(entries)

    def clear(self) -> None:
        """Turn everything off."""
        with self._lock:
            self._write({})

    def _entries(self) -> dict[str, dict[str, Any]]:
        return {
            fault.name: {
                "since": fault.since,
                "until": fault.until,
                "ratio": fault.ratio,
                "options": dict(fault.options),
            }
            for fault in read_faults(self._path).values()
        }

    def _write(self, entries: Mapping[str, Any]) -> None:
        # Readers see the old file or the new one, never half of one.
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
        with os.fdopen(handle, "w") as stream:
            json.dump(entries, stream, indent=1)
        Path(name).chmod(0o644)
        Path(name).replace(self._path)


def _entry(wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the file holds for a switch, None when it is to be off."""
    on, ratio = wanted.get("on", True), wanted.get("ratio", 1.0)
    seconds = wanted.get("seconds")
    if not isinstance(on, bool):
        raise BadRequestError("on: must be true or false")
    if not on:
        return None
    if not isinstance(ratio, int | float) or isinstance(ratio, bool) or not 0 <= ratio <= 1:
        raise BadRequestError("ratio: must be a number from 0 to 1")
    if seconds is not None and (not isinstance(seconds, int | float) or not seconds > 0):
        raise BadRequestError("seconds: must be a number above 0")
    now = clock.epoch_s()
    options = {key: value for key, value in wanted.items() if key not in {"on", "ratio", "seconds"}}
    if not all(isinstance(value, str | int | float) for value in options.values()):
        raise BadRequestError("options must be numbers or texts")
    return {
        "since": now,
        "until": None if seconds is None else now + seconds,
        "ratio": ratio,
        "options": options,
    }


class _Handler(BaseHTTPRequestHandler):
    panel: Panel
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        """Show the switches."""
        if self.path == "/health":
            self._answer(200, {"status": "ok"})
        elif self.path == "/faults":
            self._answer(200, self.panel.state())
        else:
            self._answer(404, {"error": "there are /faults, /faults/<name> and /health"})

    def do_POST(self) -> None:
        """Turn switches."""
        head, _, name = self.path.removeprefix("/").partition("/")
        try:
            wanted = self._body()
            if head != "faults":
                self._answer(404, {"error": "there are /faults and /faults/<name>"})
                return
            self.panel.set(name, wanted)
        except BadRequestError as error:
            self._answer(400, {"error": str(error)})
        except OSError as error:
            self._answer(500, {"error": f"the file of switches cannot be written: {error}"})
        else:
            self._answer(200, self.panel.state())

    def _body(self) -> dict[str, Any]:
        raw_length = self.headers.get("Content-Length", "0")
        length = int(raw_length) if raw_length.isdigit() else -1
        if not 0 <= length <= LARGEST_BODY:
            self.close_connection = True
            raise BadRequestError(f"a body has at most {LARGEST_BODY} bytes")
        raw = self.rfile.read(length)
        try:
            wanted = json.loads(raw or b"{}")
        except ValueError as error:
            raise BadRequestError(f"not JSON: {error}") from error
        if not isinstance(wanted, dict):
            raise BadRequestError("the body must be an object")
        return wanted

    def _answer(self, status: int, document: Mapping[str, Any]) -> None:
        body = json.dumps(document, indent=1).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: the answer tells all."""


def serve(config: Settings, port: int) -> None:
    """Serve until a signal comes; leave no switch on behind."""
    panel = Panel(config.faults_file)
    handler = type("Handler", (_Handler,), {"panel": panel})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    sys.stdout.write(f"control: switches on http://127.0.0.1:{server.server_address[1]}/faults\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.2)
    server.server_close()
    panel.clear()


def main() -> int:
    """Start the panel on CONTROL_PORT."""
    try:
        config = settings()
        port = int(os.environ.get("CONTROL_PORT", "") or DEFAULT_PORT)
    except (SettingsError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    if not config.faults_enabled:
        sys.stderr.write(
            "error: the fault switches are off\n  hint: set WORKLOAD_FAULTS=1 for all processes\n"
        )
        return 2
    try:
        serve(config, port)
    except OSError as error:
        sys.stderr.write(f"error: port {port}: {error.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
