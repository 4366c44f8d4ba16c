"""From what people did with incidents to labels: which are known now, and writing them down."""

from datetime import datetime

from abops.alerts.score.labels import Outcome, label
from abops.alerts.score.model import Label
from abops.alerts.store import scores
from abops.alerts.store.database import Connection
from abops.alerts.store.scores import Became, Judged
from abops.alerts.store.writer import Unit
from abops.kernel.clock import moment


def new_labels(connection: Connection, now: datetime) -> list[tuple[int, Judged, Label]]:
    """Return the labels that are known now and were not before."""
    found = [
        (number, judged, known)
        for number, judged, became in scores.unlabelled(connection)
        if (known := label(_outcome(became), now)) is not None
    ]
    noise = Label(0, "called noise")
    return found + [(n, judged, noise) for n, judged in scores.called_noise_after_all(connection)]


def keep_labels(found: list[tuple[int, Judged, Label]], unit: Unit) -> None:
    """Write labels in the place of how their incidents looked."""
    scores.drop_merged(unit.connection)
    for number, judged, known in found:
        said = (known.value, known.reason)
        scores.keep_label(unit.connection, number, judged, said, at=unit.now)


def _outcome(became: Became) -> Outcome:
    resolved = became.resolved_at
    return Outcome(
        opened_at=moment(became.opened_at),
        resolved_at=None if resolved is None else moment(resolved),
        resolved_by=became.resolved_by,
        acked=became.acked,
        noted=became.noted,
        silenced=became.silenced,
        noise=became.noise,
    )
