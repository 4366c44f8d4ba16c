"""Judging the rendered files of the log path: by rsyslog itself where it is, and by reading."""

import tempfile
from pathlib import Path

from abops.clients.promtool import Judge
from abops.inventory.model import Inventory
from abops.kernel.errors import OpsError
from abops.observability.logs.check import problems
from abops.observability.logs.rsyslog import ShipperPlace, rsyslog_config
from abops.stack.tools import ToolMissingError, find_tool


class LogFilesError(OpsError):
    """A file of the log path is unsound."""

    hint = "Change src/abops/observability/logs, then run `abops render`."


def check_log_files(inventory: Inventory, folder: Path) -> str:
    """Judge the files in `folder` and return who did. Raises LogFilesError, VerdictError."""
    files = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }
    found = problems(files)
    if found:
        raise LogFilesError("; ".join(found))
    try:
        judge = Judge(find_tool("rsyslogd"))
    except ToolMissingError:
        return "log files read (rsyslogd is not here to judge its own)"
    with tempfile.TemporaryDirectory(prefix="abops-rsyslog-") as state:
        # Its folders are those of production, which rsyslogd would look for.
        place = ShipperPlace("local", logs=state, state=state, host="127.0.0.1")
        config = Path(state) / "rsyslog.conf"
        config.write_text(rsyslog_config(inventory, place), encoding="utf-8")
        judge.check("-N1", "-f", str(config))
    return "log files and rsyslog.conf are accepted"
