"""The picture of an incident: who stands where, what is marked, what is left out."""

from datetime import UTC, datetime

from abops.alerts.model import Member, SuspectedCause
from abops.entry.web.topology import NODES_AT_MOST, picture_of
from support.console import a_detail, an_alert, an_incident

CALLS = (("nginx", "api"), ("api", "postgres"), ("api", "redis"), ("bot", "telegram"))
AT = datetime(2026, 11, 25, tzinfo=UTC)


def _members(*services: str) -> list[Member]:
    return [Member(an_alert(service=name), "", AT) for name in services]


def test_callers_stand_left_and_the_way_to_the_suspect_is_marked() -> None:
    detail = a_detail(
        an_incident(1, service="api"),
        *_members("api", "postgres"),
        causes=(SuspectedCause("postgres", 0.8, ()),),
    )
    picture = picture_of(detail, CALLS)
    assert picture is not None
    across = {node.name: node.x for node in picture.nodes}
    assert across["nginx"] < across["api"] < across["postgres"] == across["redis"]
    assert {"api", "postgres"} == {node.name for node in picture.nodes if node.on_path}
    assert ["postgres"] == [node.name for node in picture.nodes if node.suspect]
    assert ["api calls postgres"] == [link.says for link in picture.links if link.on_path]
    assert "bot" not in across


def test_one_part_alone_needs_no_picture() -> None:
    assert picture_of(a_detail(an_incident(1, service="x"), *_members("x")), CALLS) is None


def test_calls_in_a_circle_end() -> None:
    picture = picture_of(
        a_detail(an_incident(1, service="a"), *_members("a", "b")), (("a", "b"), ("b", "a"))
    )
    assert picture is not None
    assert {"a", "b"} == {node.name for node in picture.nodes}


def test_what_does_not_fit_is_counted() -> None:
    calls = tuple(("hub", f"leaf-{n}") for n in range(60))
    picture = picture_of(a_detail(an_incident(1, service="hub"), *_members("hub")), calls)
    assert picture is not None
    assert (NODES_AT_MOST, 61 - NODES_AT_MOST) == (len(picture.nodes), picture.folded)
