"""What exists, as checked and frozen values. Attribute names equal the keys of platform.yaml.

A model checks one value at a time; what needs two of them (a reference, a duplicate) is checked
by `abops.inventory.check`, which sees the whole.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from abops.inventory.alerts import Alerts
from abops.inventory.backup import Backup
from abops.inventory.indicators import Sli
from abops.inventory.values import Duration, Model, Name, Port, Tier


class Environment(Model):
    """A place where AnalyticBot runs."""

    description: str = ""
    region: str
    namespace: Name


class Metrics(Model):
    """Where a part tells its metrics."""

    path: str = "/metrics"
    interval: Duration
    """Time between two scrapes."""
    port: Port | None = None
    """Port of the metrics, where it is not the part's own."""


class Probe(Model):
    """How a part is seen from outside."""

    path: str
    module: str = "http_2xx"
    """Module of the blackbox exporter."""


class Part(Model):
    """Something that runs and is watched."""

    name: Name
    kind: Name | Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Which catalogue entry gives queries, thresholds and panels."""
    tier: Tier
    """1 pages at once, 2 warns, 3 informs."""
    team: Name
    port: Port
    depends_on: tuple[Name, ...] = ()


class Service(Part):
    """A part of AnalyticBot."""

    metrics: Metrics
    probe: Probe | None = None


class Store(Part):
    """A data store, measured through an exporter."""

    exporter: Name
    database: str | None = None


class PlatformPart(Part):
    """A part of the platform itself."""

    metrics: Metrics
    probe: Probe | None = None


class OptionalPart(Model):
    """A part that not every place has: watched where it runs, and not missed where it does not."""

    name: Name
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Which catalogue entry gives queries, thresholds and panels."""
    tier: Tier
    """1 pages at once, 2 warns, 3 informs."""
    team: Name
    told_by: Name | None = None
    """The part whose metrics tell of it, where it has none of its own."""
    port: Port | None = None
    metrics: Metrics | None = None
    """Where it tells its own metrics; then it has a port."""
    depends_on: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _is_told(self) -> Self:
        if (self.metrics is None) is (self.told_by is None):
            raise ValueError("either it tells `metrics` of its own, or another part (`told_by`)")
        if self.metrics is not None and self.port is None:
            raise ValueError("a part with metrics of its own needs a port")
        return self


class Queue(Model):
    """A list of tasks in the broker."""

    name: Name
    service: Name


class BadEvents(Model):
    """How many bad events it takes, so that one failure in a quiet night wakes nobody."""

    page: Annotated[int, Field(ge=1)] = 10
    ticket: Annotated[int, Field(ge=1)] = 20


class Objective(Model):
    """A service level objective: what is promised, and what counts as keeping it."""

    name: Name
    service: Name
    objective: Annotated[float, Field(gt=0, lt=100)]
    """Per cent of events that must be good."""
    sli: Sli
    """What makes an event good: it succeeded, it was fast, it was on time, a probe saw it."""
    threshold: Duration | None = None
    """Latency and freshness: the time within which an event is good; the edge of a bucket."""
    window: Duration = timedelta(days=30)
    """28d or 30d."""
    min_bad_events: BadEvents = BadEvents()
    """Bad events in the longer window below which nobody is paged, or told."""
    description: str = ""
    """What it means to a customer, in a sentence."""

    @property
    def budget(self) -> float:
        """Share of events that may be bad."""
        return round(1 - self.objective / 100, 9)


class Inventory(Model):
    """The whole of platform.yaml."""

    version: Literal[1]
    name: Name
    environments: Annotated[dict[Name, Environment], Field(min_length=1)]
    services: Annotated[tuple[Service, ...], Field(min_length=1)]
    stores: tuple[Store, ...] = ()
    platform: tuple[PlatformPart, ...] = ()
    optional: tuple[OptionalPart, ...] = ()
    queues: tuple[Queue, ...] = ()
    slos: tuple[Objective, ...] = ()
    backup: Backup | None = None
    alerts: Alerts

    @property
    def parts(self) -> tuple[Service | Store | PlatformPart, ...]:
        """Everything that runs: services, stores, then the platform's own parts."""
        return (*self.services, *self.stores, *self.platform)

    def part(self, name: str) -> Service | Store | PlatformPart:
        """Return the part of that name. Raises KeyError."""
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(name)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of platform.yaml, for editors."""
        schema = cls.model_json_schema()
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        return schema

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return itself: a frozen value needs no copy."""
        del memo
        return self
