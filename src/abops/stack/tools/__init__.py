"""The programs that the platform runs: which, from where, and where they are now."""

from abops.stack.tools.find import ToolMissingError, find_tool

__all__ = ["ToolMissingError", "find_tool"]
