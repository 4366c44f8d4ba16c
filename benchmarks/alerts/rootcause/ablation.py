"""What each mechanism is worth: ours with one of them switched off at a time.

Run: python benchmarks/alerts/rootcause/ablation.py [--data DIR]
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from math import inf
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent))
import run
from data import Cluster, PetShop, SockShop, archives, cloudbed, petshop, sockshop
from msgspec.structs import replace

from abops.alerts.rootcause import change_point, evidence, flow, likely, weights
from abops.alerts.rootcause.model import History, IncidentEvidence, Series

Change = Callable[[IncidentEvidence], IncidentEvidence]


def _same(given: IncidentEvidence) -> IncidentEvidence:
    return given


def _without(relation: str) -> Change:
    return lambda e: replace(e, edges=tuple(x for x in e.edges if x.relation != relation))


def _no_requests(given: IncidentEvidence) -> IncidentEvidence:
    kept = tuple(series for series in given.metrics or () if series.metric != "requests")
    return replace(given, metrics=kept)


def _every_part_fully(kinds: Iterable[str]) -> dict[str, int]:
    return dict.fromkeys(kinds, 1)


ALERTS: tuple[tuple[str, Any, str, Any, Change], ...] = (
    ("all", weights, "TRACE", weights.TRACE, _same),
    ("a kind counts fully on every part", weights, "Counter", _every_part_fully, _same),
    ("no bonus for being first", weights, "FIRST_BONUS", 0.0, _same),
    ("traces count fully", weights, "TRACE", 1.0, _same),
    ("machines count once", evidence, "MACHINE", 1.0, _same),
    ("no handing over to callees", evidence, "ECHO", inf, _same),
    ("services without instances", weights, "TRACE", weights.TRACE, _without("instance_of")),
)
WALK: tuple[tuple[str, Any, str, Any, Change], ...] = (
    ("all", flow, "GATE", flow.GATE, _same),
    ("no gate", flow, "GATE", 0.0, _same),
    ("the symptom stops in full", flow, "SYMPTOM_STOPS", 1.0, _same),
    ("nothing kept by what is passed", flow, "PASSED_BY", 0.0, _same),
    ("starts only at the symptom", flow, "APART", 0.0, _same),
    ("symptom not known", flow, "GATE", flow.GATE, lambda e: replace(e, symptom="")),
    ("metric not known", flow, "GATE", flow.GATE, lambda e: replace(e, symptom_metric="")),
    ("no requests", flow, "GATE", flow.GATE, _no_requests),
)


def alerts(cluster: Cluster) -> None:
    """Print top-1 and top-3 of the cloudbed, past only and whole set."""
    whole, before, past = History(), History(), []
    for fault in cluster.faults:
        past.append(before)
        before = whole = before.with_incident(fault.alerts)
    for name, module, attribute, value, change in ALERTS:
        with patch.object(module, attribute, value):
            counts = []
            for histories in (past, [whole] * len(past)):
                places = []
                for fault, history in zip(cluster.faults, histories, strict=True):
                    given = IncidentEvidence(
                        alerts=fault.alerts, edges=cluster.edges, history=history
                    )
                    named = [e for e in run.ours(change(given)) if e in cluster.candidates]
                    places.append(named.index(fault.truth) if fault.truth in named else 99)
                counts.append(_counted(places))
        print(f"{cluster.name:32}{name:36}past {counts[0]:>8}   whole {counts[1]:>8}")


def walks(name: str, cases: list[PetShop]) -> None:
    """Print top-1 and top-3 of PetShop."""
    for what, module, attribute, value, change in WALK:
        with patch.object(module, attribute, value):
            answers = [(run.ours(change(run.petshop_evidence(c))), c.truth) for c in cases]
        places = [answer.index(t) if t in answer else 99 for answer, t in answers]
        print(f"{name:32}{what:36}{_counted(places)}")


def beginnings(name: str, cases: list[SockShop]) -> None:
    """Print how often the service is named first, the later the alarm."""
    for late in (0, 60, 90, 120, 150):
        counts = []
        for from_onset in (change_point.from_onset, _as_given):
            with patch.object(likely, "from_onset", from_onset):
                named = [run.ours(IncidentEvidence(metrics=c.series(late))) for c in cases]
            right = sum(bool(n) and n[0] == c.truth for n, c in zip(named, cases, strict=True))
            counts.append(f"{right}/{len(cases)}")
        print(f"{name:32}{f'{late} s late':36}{counts[0]}, without change point {counts[1]}")


def _as_given(metrics: tuple[Series, ...]) -> tuple[Series, ...]:
    return metrics


def _counted(places: list[int]) -> str:
    return f"{sum(p == 0 for p in places)}/{sum(p < 3 for p in places)}"  # noqa: PLR2004 - top 3


def main() -> int:
    """Run all switches on all sets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=run.DATA, help="folder of the archives")
    given = parser.parse_args()
    found = 0
    for name, files in archives(given.data, "rca_*.tar.zst", ""):
        for cluster in cloudbed(files):
            alerts(cluster._replace(name=name))
            found += 1
    for name, files in archives(given.data, "petshop_*.tar.zst", ""):
        walks(name, list(petshop(files)))
        found += 1
    for name, files in archives(given.data, "rcd_sockshop*.tar.zst", ""):
        beginnings(name, list(sockshop(files)))
        found += 1
    return 0 if found else run.NO_DATA


if __name__ == "__main__":
    sys.exit(main())
