"""The parts of Grafana's classic dashboard JSON that are read, named as Grafana names them."""

from typing import Any

from msgspec import Struct

from abops.observability.panels.model import Link, Threshold


class RawSteps(Struct, frozen=True):
    """The steps of the thresholds."""

    steps: list[Threshold] = []


class RawWords(Struct, frozen=True):
    """What a mapped value is shown as."""

    text: str | None = None


class RawMapping(Struct, frozen=True):
    """Words for values."""

    type: str = ""
    options: Any = None


class RawDefaults(Struct, rename="camel", frozen=True):
    """How the panel's fields are shown."""

    unit: str = "short"
    decimals: int | None = None
    min: float | None = None
    max: float | None = None
    no_value: str | None = None
    thresholds: RawSteps = RawSteps()
    mappings: list[RawMapping] = []
    links: list[Link] = []
    custom: dict[str, Any] = {}


class RawProperty(Struct, frozen=True):
    """One thing that is different for some fields."""

    id: str
    value: Any = None


class RawMatcher(Struct, frozen=True):
    """The fields that an override is for."""

    id: str = ""
    options: Any = None


class RawOverride(Struct, frozen=True):
    """What is different for some fields."""

    matcher: RawMatcher = RawMatcher()
    properties: list[RawProperty] = []


class RawFieldConfig(Struct, frozen=True):
    """How fields are shown."""

    defaults: RawDefaults = RawDefaults()
    overrides: list[RawOverride] = []


class RawPlace(Struct, frozen=True):
    """The place in the grid of 24 columns."""

    h: int = 8
    w: int = 12
    x: int = 0
    y: int = 0


class RawQuery(Struct, rename="camel", frozen=True):
    """One query."""

    ref_id: str = "A"
    expr: str = ""
    legend_format: str | None = None
    instant: bool = False
    range: bool | None = None
    format: str = "time_series"
    hide: bool = False
    interval: str | None = None


class RawTransformation(Struct, frozen=True):
    """A step between the answer and the panel."""

    id: str = ""
    options: dict[str, Any] = {}


class RawPanel(Struct, rename="camel", frozen=True):
    """A panel, or a row with panels in it."""

    id: int = 0
    type: str = ""
    title: str = ""
    description: str | None = None
    grid_pos: RawPlace = RawPlace()
    collapsed: bool = False
    panels: tuple["RawPanel", ...] = ()
    field_config: RawFieldConfig = RawFieldConfig()
    options: dict[str, Any] = {}
    links: list[Link] | None = None
    targets: list[RawQuery] | None = None
    interval: str | None = None
    transformations: list[RawTransformation] = []


class RawVariable(Struct, rename="camel", frozen=True):
    """A variable."""

    name: str
    type: str = "query"
    label: str | None = None
    query: Any = None
    include_all: bool = False
    all_value: str | None = None
    current: dict[str, Any] = {}


class RawTemplating(Struct, rename={"variables": "list"}, frozen=True):
    """The variables."""

    variables: tuple[RawVariable, ...] = ()


class RawMark(Struct, rename="camel", frozen=True):
    """An annotation."""

    name: str = ""
    enable: bool = True
    expr: str | None = None
    icon_color: str = "blue"
    text_format: str | None = None


class RawMarks(Struct, rename={"marks": "list"}, frozen=True):
    """The annotations."""

    marks: tuple[RawMark, ...] = ()


class RawTime(Struct, rename={"since": "from"}, frozen=True):
    """The time shown at first."""

    since: str = "now-6h"


class RawBoard(Struct, frozen=True):
    """The file."""

    uid: str
    title: str
    description: str | None = None
    tags: list[str] = []
    time: RawTime = RawTime()
    refresh: Any = None
    panels: list[RawPanel] = []
    templating: RawTemplating = RawTemplating()
    annotations: RawMarks = RawMarks()
