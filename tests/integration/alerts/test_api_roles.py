"""Who may ask for what, over every operation that the API's description names."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from abops.entry.web.operations import OPERATIONS, ability_of
from support.alerts import a_body, an_alert, eventually
from support.api import Door, Headers, a_door

CLOSED = [key for key in OPERATIONS if ability_of(*key)]
PLACES = {"number": "1", "via": "telegram", "name": "a-viewer"}
BODY = b"{}"
"""Nothing that any operation takes: who is let in is told so, who is not hears of no body."""


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with a_door(tmp_path_factory.mktemp("roles")) as door:
        yield door


@pytest.fixture(scope="module")
def described(door: Door) -> dict[tuple[str, str], dict[str, Any]]:
    paths = door.described()["paths"]
    return {(method, path): of for path in paths for method, of in paths[path].items()}


def ask(door: Door, method: str, path: str, shown: Headers) -> int:
    """Ask with these credentials; return the status. A stream is not read."""
    url = re.sub(r"{(\w+)}", lambda found: PLACES[found[1]], path)
    body = BODY if method in ("post", "put") else None
    with door.client.stream(method, url, content=body, headers=shown) as answer:
        if answer.status_code == 401:
            assert b"INC-" not in answer.read()
        return answer.status_code


def test_the_description_names_every_route_of_the_api(
    described: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert set(OPERATIONS) == set(described)
    incomplete = [
        key
        for key, of in described.items()
        if not of.get("summary") or "security" not in of or "422" in of["responses"]
    ]
    assert [] == incomplete


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_only_those_are_let_in_whom_the_description_names(
    door: Door, described: dict[tuple[str, str], dict[str, Any]], method: str, path: str
) -> None:
    operation = described[method, path]
    named = {f"the token {scope}" for scope in operation["x-scopes"]} | set(operation["x-roles"])
    assert named, "nobody is let in"
    assert 401 == ask(door, method, path, {})
    found = {
        who
        for who, shown in door.callers.items()
        if ask(door, method, path, shown) not in (401, 403)
    }
    assert named == found


def test_a_viewer_reads_and_does_nothing_else(
    described: dict[tuple[str, str], dict[str, Any]],
) -> None:
    acts = {
        (method, path)
        for (method, path), of in described.items()
        if method != "get" and "viewer" in of.get("x-roles", []) and not path.startswith("/v1/me/")
    }
    assert set() == acts
    reads = {key for key, of in described.items() if key[0] == "get" and of.get("x-roles")}
    hidden = {key for key in reads if "viewer" not in described[key]["x-roles"]}
    assert {("get", "/v1/users/accounts")} == hidden


async def test_an_act_that_a_viewer_tried_has_not_happened(door: Door) -> None:
    viewer, responder = door.people["viewer"], door.people["responder"]
    # Each other operation was tried on the first incident: this one is nobody else's.
    alone = a_body(an_alert("Apart", service="apart", summary="of no other", test="true"))
    door.client.post("/v1/alertmanager", content=alone, headers=door.callers["the token ingest"])
    found: list[int] = []

    async def opened() -> bool:
        listed = door.client.get("/v1/incidents", headers=viewer).json()
        found[:] = [one["number"] for one in listed if one["service"] == "apart"]
        return bool(found)

    await eventually(opened, what="the incident is open")
    url = f"/v1/incidents/{found[0]}"
    assert 403 == door.client.post(f"{url}/ack", headers=viewer).status_code
    assert "open" == door.client.get(url, headers=viewer).json()["summary"]["state"]
    assert 200 == door.client.post(f"{url}/ack", headers=responder).status_code
    assert "acked" == door.client.get(url, headers=viewer).json()["summary"]["state"]
