"""What sort of alert it is: its name and what it says, without what differs every time."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_MASKS: Final = (
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<ip>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"(?<=-)(?=[a-z0-9]*\d)[a-z0-9]{8,10}-[a-z0-9]{5}\b"), "<pod>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"[-+]?\d+(?:[.,]\d+)*"), "<n>"),
)
"""Addresses, identifiers, hashes, the random end of a pod's name, figures; the order matters."""
_WORD: Final = re.compile(r"[a-z][a-z0-9]{2,}")
_EMPTY: Final = frozenset(
    ("and", "are", "for", "has", "have", "its", "more", "not", "than", "that", "the", "with")
)
KIND_AT_MOST: Final = 200


def kind_of(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """Return the kind: two alerts of one kind differ in figures, addresses and hashes only."""
    name = labels.get("alertname", "alert")
    summary = annotations.get("summary", "")
    for pattern, mask in _MASKS:
        summary = pattern.sub(mask, summary)
    return f"{name}: {summary}"[:KIND_AT_MOST] if summary else name


@lru_cache(maxsize=4_096)
def words_of(kind: str) -> frozenset[str]:
    """Return the words that a kind consists of: camel case is taken apart."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", kind).lower()
    return frozenset(_WORD.findall(apart)) - _EMPTY


def likeness(a: frozenset[str], b: frozenset[str]) -> float:
    """Return the Jaccard index of two sets of words, 0 to 1; two empty ones are unlike."""
    both = len(a & b)
    return both / (len(a) + len(b) - both) if both else 0.0
