"""Finding an installed program by name, quickly: one TOML file, one record."""

from pathlib import Path

from abops.kernel.errors import OpsError
from abops.stack.tools.cache import read_record
from abops.stack.tools.lock import Tool, read_lock


class ToolMissingError(OpsError):
    """A program that is needed is not installed."""

    hint = "Install it: abops tools install"


def find_tool(program: str) -> Path:
    """Return the path of an installed program, such as `promtool`. Raises ToolMissingError."""
    tool = _tool_of(program)
    record = read_record(tool)
    if record is None or program not in record.programs:
        raise ToolMissingError(
            f"{program} is not installed", hint=f"Install it: abops tools install {tool.name}"
        )
    return Path(record.programs[program])


def _tool_of(program: str) -> Tool:
    tools = read_lock()
    for tool in tools.values():
        if program in tool.programs:
            return tool
    known = ", ".join(sorted(name for tool in tools.values() for name in tool.programs))
    raise ToolMissingError(f"no tool gives {program!r}", hint=f"Known programs: {known}")
