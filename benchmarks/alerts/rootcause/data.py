"""The three sets as values, read from their archives without unpacking them to disk.

An archive is recognised by its name, its cases by the layout inside, so that other parts of the
same sets are read alike. Nothing is unpickled: the cloudbed archive carries a pickle that is left
where it is.
"""

import csv
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import zstandard

from abops.alerts.rootcause.model import AlertSeen, Edge, Relation, Sample, Series

Files = Mapping[str, bytes]
READ = (".csv", ".json")


class Missing(Exception):  # noqa: N818 - not an error: the benchmark is skipped
    """The data are not there."""


class PetShop(NamedTuple):
    """One issue of one load."""

    name: str
    symptom: str
    metric: str
    truth: str
    edges: tuple[Edge, ...]
    normal: Mapping[tuple[str, str], tuple[Sample, ...]]
    """By node and metric: Average, and Sum of requests."""
    issue: Mapping[tuple[str, str], tuple[Sample, ...]]
    """All rows of the issue, those before the alarm too: the peers use them."""
    after: int
    """Rows before the alarm."""


class Cloudbed(NamedTuple):
    """One fault with the alerts that told of it."""

    name: str
    truth: str
    began: float
    alerts: tuple[AlertSeen, ...]
    rows: tuple[tuple[str, float | None], ...]
    """Every row with its entity: alerts and repetitions."""


class Cluster(NamedTuple):
    """One cloudbed: its parts and its faults in time order."""

    name: str
    edges: tuple[Edge, ...]
    candidates: frozenset[str]
    faults: tuple[Cloudbed, ...]


class SockShop(NamedTuple):
    """One run of one fault: columns as they were recorded."""

    name: str
    truth: str
    fault: str
    normal: Mapping[str, tuple[float, ...]]
    during: Mapping[str, tuple[float, ...]]

    def series(self, late: int) -> tuple[Series, ...]:
        """Prepare as the field does; the first `late` rows of the fault count as normal."""
        found = []
        for column, before in self.normal.items():
            after = self.during.get(column, ())
            if column.endswith(("_lat_50", "_lat_99")) or not after:
                continue
            if len(set(before)) < 2 or len(set(after)) < 2:  # noqa: PLR2004 - constant
                continue
            unit = 1e6 if column.endswith("_mem") else 1.0
            service, metric = column.split("_", 1)
            values = [value / unit for value in (*before, *after)]
            cut = len(before) + late
            found.append(
                Series(
                    service.removesuffix("-db"),
                    f"{service} {metric}",
                    tuple(values[:cut]),
                    tuple(values[cut:]),
                )
            )
        return tuple(found)


def archives(folder: Path, pattern: str, split: str) -> list[tuple[str, Files]]:
    """Read every archive of one set whose name contains `split`."""
    paths = [path for path in sorted(folder.glob(pattern)) if split in path.name]
    return [(path.name.removesuffix(".tar.zst"), _files(path)) for path in paths]


def _files(path: Path) -> Files:
    with (
        path.open("rb") as packed,
        zstandard.ZstdDecompressor().stream_reader(packed) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        found = {}
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(READ) else None
            if content is not None:
                found[member.name.removeprefix("./")] = content.read()
        return found


def petshop(files: Files) -> Iterator[PetShop]:
    """Read all issues of all loads in the archive."""
    for graph in sorted(name for name in files if name.endswith("/graph.csv")):
        load = graph.removesuffix("graph.csv")
        rows = _rows(files[graph])
        edges = tuple(
            Edge(row[0], callee)
            for row in rows[1:]
            for callee, linked in zip(rows[0][1:], row[1:], strict=True)
            if float(linked or 0)
        )
        _, normal = _metrics(files[f"{load}noissue/metrics.csv"])
        for name in sorted(n for n in files if n.startswith(load) and n.endswith("target.json")):
            said = json.loads(files[name])
            times, issue = _metrics(files[name.replace("target.json", "metrics.csv")])
            yield PetShop(
                name.removesuffix("/target.json"),
                said["target"]["node"],
                said["target"]["metric"],
                said["root_cause"]["node"],
                edges,
                normal,
                issue,
                sum(time <= said["target"]["timestamp"] for time in times),
            )


def _metrics(content: bytes) -> tuple[list[float], dict[tuple[str, str], tuple[Sample, ...]]]:
    nodes, metrics, statistics, *rows = _rows(content)
    body = [row for row in rows if row[0].replace(".", "", 1).isdigit()]
    wanted = {"latency": "Average", "availability": "Average", "requests": "Sum"}
    columns = {
        (node, metric): tuple(float(row[i]) if row[i] else None for row in body)
        for i, (node, metric, statistic) in enumerate(zip(nodes, metrics, statistics, strict=True))
        if wanted.get(metric) == statistic
    }
    return [float(row[0]) for row in body], columns


def cloudbed(files: Files) -> Iterator[Cluster]:
    """Read every cluster of the archive; traces and logs may be absent."""
    relations: dict[str, Relation] = {
        "control_flow": "calls",
        "data_flow": "calls",
        "instance_of": "instance_of",
        "hosted_on": "hosted_on",
    }
    for labels in sorted(name for name in files if name.endswith("/label.csv")):
        folder = labels.removesuffix("label.csv")
        name = folder.rstrip("/").rsplit("/", 1)[1]
        graph = json.loads(_ending(files, f"{name}-KG.json", b'{"nodes": [], "edges": []}'))
        edges = tuple(
            Edge(edge["source"], edge["target"], relations[edge["label"]])
            for edge in graph["edges"]
            if edge["label"] in relations
        )
        levels = {"Service_Instance", "Service", "Host"}
        candidates = frozenset(n["id"] for n in graph["nodes"] if n["type"] in levels)
        kinds = {
            kind: json.loads(files.get(f"{folder}{kind}.json", b"{}"))
            for kind in ("metric/metrics", "trace/traces", "log/logs")
        }
        header, *rows = _rows(files[labels])
        faults = [
            _fault(dict(zip(header, row, strict=True)), kinds) for row in rows if len(row) > 1
        ]
        faults.sort(key=lambda fault: fault.began)
        yield Cluster(name, edges, candidates, tuple(faults))


def _ending(files: Files, end: str, otherwise: bytes) -> bytes:
    return next((content for name, content in files.items() if name.endswith(end)), otherwise)


def _fault(
    label: Mapping[str, str], kinds: Mapping[str, Mapping[str, list[list[str]]]]
) -> Cloudbed:
    number = label["fault_id"]
    alerts = [
        AlertSeen(entity, f"{metric} {direction}", float(ms) / 1000)
        for ms, entity, _, metric, direction in kinds["metric/metrics"].get(number, ())
    ]
    alerts += [
        AlertSeen(callee, f"{operation} {what}", float(ms) / 1000, trace=True)
        for ms, _, callee, operation, what in kinds["trace/traces"].get(number, ())
    ]
    alerts += [
        AlertSeen(entity, f"log {template}")
        for entity, template, *_ in kinds["log/logs"].get(number, ())
    ]
    return Cloudbed(
        number,
        label["fault_entity"],
        float(label["fault_st_time"]),
        tuple(alerts),
        tuple((alert.entity, alert.at) for alert in alerts),
    )


def sockshop(files: Files) -> Iterator[SockShop]:
    """Read every run of every fault."""
    for name in sorted(name for name in files if name.endswith("/normal.csv")):
        folder = name.removesuffix("normal.csv")
        service, fault = folder.rstrip("/").split("/")[-2].rsplit("-", 1)
        yield SockShop(
            folder.rstrip("/"),
            service,
            fault,
            _columns(files[name]),
            _columns(files[f"{folder}anomalous.csv"]),
        )


def _columns(content: bytes) -> dict[str, tuple[float, ...]]:
    header, *rows = _rows(content)
    return {
        column: tuple(_number(row[i]) for row in rows)
        for i, column in enumerate(header)
        if column != "time"
    }


def _number(text: str) -> float:
    value = float(text or 0)
    return value if isfinite(value) else 0.0


def _rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode())))
