"""A clock that a test sets."""

from datetime import datetime

from abops.kernel.clock import SystemClock


class SetClock(SystemClock):
    """The machine's clock, set to a moment from which on it runs."""

    def __init__(self, moment: datetime) -> None:
        self.set(moment)

    def set(self, moment: datetime) -> None:
        self._shift = moment - super().now()

    def now(self) -> datetime:
        return super().now() + self._shift
