"""What the model says of an incident, and what people said of earlier ones."""

from msgspec import Struct

from abops.alerts.score.features import Features


class Score(Struct, frozen=True):
    """How likely it is that somebody has to act, and why."""

    value: float | None
    """0 to 1. None: too little was learned, and everything is told as if there were no score."""
    terms: tuple[str, ...]
    """The three strongest reasons in words; without a value, what is missing."""
    features: Features = {}
    """What it was judged by; kept with its label, it is what the next model learns from."""


class Label(Struct, frozen=True):
    """What people showed an incident to be by what they did."""

    value: int
    """1: somebody had to act. 0: nobody had to."""
    reason: str


class Example(Struct, frozen=True):
    """A stored label with what the incident looked like when it was judged."""

    features: Features
    value: int
    at: float
    """Seconds since the epoch when the incident opened."""
    served: float | None = None
    """The score people saw then. None: there was none."""
