"""What each group of features is worth: the fitted model of every fold without one of them.

Run: python benchmarks/alerts/score/ablation.py [--data DIR]
"""

import argparse
import sys
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).parent))
from data import FOLDS, networks
from run import DATA, NO_DATA, SHARE, Stream, described, folds_of, joined

from abops.alerts.score.logistic import probability
from abops.alerts.score.measure import average_precision, recall_at

GROUPS = {
    "nothing": (),
    "kind": ("kind=",),
    "class of the host": ("class=",),
    "how many, z": ("ln n", "z"),
    "new kind, new pair": ("new ",),
    "rarity, gap": ("rarity", "pair rarity", "gap"),
    "company": ("kinds in", "rarity in", "rarest in"),
    "all but kind and class": (
        "ln n",
        "z",
        "new ",
        "rarity",
        "pair rarity",
        "gap",
        "kinds",
        "rare",
    ),
}


def without(stream: Stream, prefixes: tuple[str, ...]) -> Stream:
    """Return the stream without the features that begin so; `rarity` alone is not its company."""
    rows = [
        {name: value for name, value in row.items() if not dropped(name, prefixes)}
        for row in stream.rows
    ]
    return stream._replace(rows=rows)


def dropped(name: str, prefixes: tuple[str, ...]) -> bool:
    """Say whether a feature belongs to the group."""
    if "rarity" in prefixes and "kinds" not in prefixes and name == "rarity in 2 min":
        return False
    return name.startswith(prefixes) if prefixes else False


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    read = networks(parser.parse_args().data)
    streams = {name: described(name, buckets) for name, buckets in read.items()}
    if not folds_of(streams, FOLDS[:1]):
        print("no data")
        return NO_DATA
    for group, prefixes in GROUPS.items():
        less = {name: without(stream, prefixes) for name, stream in streams.items()}
        figures = []
        for fold in folds_of(less, FOLDS):
            rows, labels = joined(fold.test)
            scores = [probability(fold.model, row) for row in rows]
            figures.append((average_precision(scores, labels), recall_at(scores, labels, SHARE)))
        precision, recall = (fmean(column) for column in zip(*figures, strict=True))
        print(f"without {group:26} AP {precision:.3f}  recall at 2 % {recall:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
