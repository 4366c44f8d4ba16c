"""What goes wrong, in words for the person who has to act.

Each error says what happened and what to do next. The docstring of a class is its default
message; `hint` is the next step. Only the command line's `run` prints them.
"""

import inspect
from typing import ClassVar


class OpsError(Exception):
    """The command could not do what was asked."""

    hint: str = "Run it again with --verbose for the full story."
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        super().__init__(message or inspect.getdoc(type(self)))
        self.hint = hint or self.hint


class UsageError(OpsError):
    """The command was called in a way it does not know."""

    hint = "See the command's --help."
    exit_code = 2
