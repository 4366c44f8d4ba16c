"""The gate before the console: who is asked for what, and what a browser cannot be tricked into."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from msgspec.structs import replace
from starlette.routing import Route
from starlette.testclient import TestClient

from abops.alerts.access.proxy import networks_of
from abops.alerts.model import Actor, Endpoints
from abops.alerts.service import access as service_access
from abops.alerts.service.access import Access
from abops.entry.web.app import create_app
from abops.entry.web.demands import is_open
from abops.entry.web.gate import COOKIE
from support.console import FixedClock, MemoryService, a_bad_night

URL = "http://127.0.0.1:9600"
PASSWORD = "correct horse battery"  # noqa: S105 - of a test's own people
BY = Actor("tests", "cli")
PEOPLE = {"vera": "viewer", "rosa": "responder", "olga": "operator", "ada": "admin"}


@pytest.fixture(scope="module")
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory, clock: FixedClock) -> Iterator[Access]:
    access = Access(tmp_path_factory.mktemp("access"), clock)
    access.open()
    for name, role in PEOPLE.items():
        access.accept(access.invite(name, role, BY), PASSWORD)
    yield access
    access.close()


@pytest.fixture
def app(access: Access, clock: FixedClock, tmp_path: Path) -> FastAPI:
    for name in ("ingest", "read", "respond"):
        (tmp_path / name).write_text(f"{name}-token-of-the-tests")
    service = MemoryService(a_bad_night(clock.now()), clock=clock)
    service.config = replace(service.config, endpoints=Endpoints(secrets_dir=str(tmp_path)))
    return create_app(
        service, clock=clock, access=_Kept(access), proxies=networks_of(["10.0.0.0/8"])
    )


class _Kept(Access):
    """The module's access, which an application neither opens nor closes."""

    def __init__(self, access: Access) -> None:
        self.__dict__ = access.__dict__

    def open(self) -> None:
        """It is open."""

    def close(self) -> None:
        """Others need it."""


def a_client(app: FastAPI, peer: str = "127.0.0.1", **headers: str) -> TestClient:
    return TestClient(
        app, base_url=URL, follow_redirects=False, client=(peer, 50000), headers=headers
    )


@pytest.fixture
def stranger(app: FastAPI) -> TestClient:
    return a_client(app)


def signed_in(app: FastAPI, access: Access, name: str) -> tuple[TestClient, str]:
    """Return a browser of this person, and the token of its forms."""
    signed = access.sign_in(name, PASSWORD)
    client = a_client(app)
    client.cookies.set(COOKIE, signed.secret)
    return client, signed.caller.csrf


def addresses(app: FastAPI) -> list[tuple[str, str]]:
    """Give every route, those of included routers too: a new one is covered by being there."""
    found = []
    for route in app.routes:
        own = isinstance(route, Route)
        for known in [route] if own else route.effective_route_contexts():  # type: ignore[attr-defined]
            path = re.sub(r"\{[^}]+\}", "1", known.path)
            found += [(method, path) for method in sorted(known.methods)]
    return found


def test_a_stranger_gets_nothing_from_any_route(app: FastAPI, stranger: TestClient) -> None:
    closed = [(method, path) for method, path in addresses(app) if not is_open(path)]
    assert len(closed) > 25
    for method, path in closed:
        answer = stranger.request(method, path)
        if path.startswith(("/v1/", "/api/")):
            assert 401 == answer.status_code, (method, path)
            assert method == "HEAD" or {"error", "hint"} == set(answer.json())
        else:
            assert 303 == answer.status_code, (method, path)
            assert answer.headers["location"].startswith("/login"), (method, path)


def test_what_is_open_is_listed_here(app: FastAPI) -> None:
    found = {path for _, path in addresses(app) if is_open(path)}
    callbacks = {path for path in found if path.startswith("/v1/callbacks/")}
    assert {
        *(
            "/healthz",
            "/readyz",
            "/metrics",
            "/login",
            "/invitation/1",
            "/letters/1",
            "/static/1/1",
        ),
    } == found - callbacks


@pytest.mark.parametrize("path", ["/healthz/", "//healthz", "/static", "/login/x", "/METRICS"])
def test_an_address_like_an_open_one_is_closed(stranger: TestClient, path: str) -> None:
    assert 303 == stranger.get(URL + path).status_code


def test_the_page_that_was_asked_for_comes_after_the_login(
    stranger: TestClient, access: Access
) -> None:
    sent = stranger.get("/incidents?state=open").headers["location"]
    assert "/login?next=/incidents%3Fstate%3Dopen" == sent
    page = stranger.get(sent)
    assert (200, "no-store") == (page.status_code, page.headers["cache-control"])
    assert 'name="next" value="/incidents?state=open"' in page.text
    for told in ("INC-", "rail", "ApiErrorStorm"):
        assert told not in page.text
    form = {"name": "vera", "password": PASSWORD, "next": "/incidents?state=open"}
    answer = stranger.post("/login", data=form)
    assert (303, "/incidents?state=open") == (answer.status_code, answer.headers["location"])
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "max-age=43200" in cookie
    assert "secure" not in cookie
    assert 200 == stranger.get("/incidents").status_code
    assert any("sign in" == row["action"] for row in access.audited())


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_nobody_is_sent_to_another_site(stranger: TestClient, target: str) -> None:
    form = {"name": "vera", "password": PASSWORD, "next": target}
    assert "/incidents" == stranger.post("/login", data=form).headers["location"]


def test_the_cookie_is_secure_behind_a_proxy_with_tls(app: FastAPI) -> None:
    form = {"name": "vera", "password": PASSWORD}
    headers = {"X-Forwarded-Proto": "https"}
    cookie = a_client(app, "10.1.1.1").post("/login", data=form, headers=headers)
    assert "secure" in cookie.headers["set-cookie"].lower()


def test_a_wrong_password_says_the_same_as_an_unknown_name(stranger: TestClient) -> None:
    answers = [
        stranger.post("/login", data={"name": name, "password": "wrong"})
        for name in ("ada", "nobody")
    ]
    assert [401, 401] == [answer.status_code for answer in answers]
    first, second = (answer.text for answer in answers)
    assert first.replace("ada", "") == second.replace("nobody", "")


def test_five_failures_lock_for_a_minute(access: Access, clock: FixedClock) -> None:
    access.accept(access.invite("lola", "viewer", BY), PASSWORD)
    for _ in range(4):
        with pytest.raises(service_access.SignInError):
            access.sign_in("lola", "wrong")
    with pytest.raises(service_access.LockedError):
        access.sign_in("lola", "wrong")
    with pytest.raises(service_access.LockedError):
        access.sign_in("lola", PASSWORD)
    before = clock.moment
    clock.moment = before.replace(minute=before.minute + 1)
    try:
        assert "lola" == access.sign_in("lola", PASSWORD).caller.name
    finally:
        clock.moment = before


def test_a_session_is_over_after_twelve_hours(access: Access, clock: FixedClock) -> None:
    signed = access.sign_in("vera", PASSWORD)
    before = clock.moment
    try:
        clock.moment = before.replace(hour=23, minute=59)
        assert access.session(signed.secret) is not None
        clock.moment = before.replace(day=before.day + 1, hour=0, minute=0)
        assert access.session(signed.secret) is None
    finally:
        clock.moment = before


def test_signing_out_ends_the_session_itself(app: FastAPI, access: Access) -> None:
    client, csrf = signed_in(app, access, "vera")
    secret = client.cookies[COOKIE]
    assert "/login" == client.post("/logout", data={"csrf": csrf}).headers["location"]
    assert access.session(secret) is None


@pytest.mark.parametrize("form", [{}, {"csrf": ""}, {"csrf": "guessed"}])
def test_a_form_without_the_sessions_token_changes_nothing(
    app: FastAPI, access: Access, form: dict[str, str]
) -> None:
    client, _ = signed_in(app, access, "rosa")
    answer = client.post("/incidents/42/ack", data=form)
    assert 403 == answer.status_code
    assert "does not come from a page of this session" in answer.text


def test_a_responder_acknowledges_under_their_own_name(app: FastAPI, access: Access) -> None:
    client, csrf = signed_in(app, access, "rosa")
    page = client.get("/incidents").text
    assert f'name="csrf" value="{csrf}"' in page
    assert "rosa" in page
    client.post("/incidents/42/ack", data={"csrf": csrf, "by": "somebody else"})
    values = {"Accept": "application/json", "X-CSRF-Token": csrf}
    undone = client.post("/incidents/42/unack", headers=values).json()
    assert "open" == undone["state"]
    again = client.post("/v1/incidents/42/ack", json={"by": "x"}, headers=values).json()
    assert "rosa" == again["acked_by"]


def test_a_viewer_sees_no_buttons_and_cannot_act(app: FastAPI, access: Access) -> None:
    client, csrf = signed_in(app, access, "vera")
    for path in ("/incidents", "/incidents/42"):
        page = client.get(path)
        assert 200 == page.status_code
        assert "data-ack" not in page.text
    for path in ("/incidents/42/ack", "/v1/incidents/42/ack"):
        answer = client.post(path, data={"csrf": csrf})
        assert 403 == answer.status_code
        assert "responder" in answer.text


@pytest.mark.parametrize("name", ["vera", "rosa", "olga"])
@pytest.mark.parametrize("path", ["/users", "/audit"])
def test_people_and_audit_are_the_admins(
    app: FastAPI, access: Access, name: str, path: str
) -> None:
    client, _ = signed_in(app, access, name)
    assert 403 == client.get(path).status_code
    assert 'href="/users"' not in client.get("/incidents").text


def test_an_admin_invites_and_the_link_opens_once(
    app: FastAPI, access: Access, stranger: TestClient
) -> None:
    client, csrf = signed_in(app, access, "ada")
    page = client.post("/users/invite", data={"csrf": csrf, "name": "nina", "role": "responder"})
    found = re.search(r"/invitation/[\w-]+", page.text)
    assert found is not None
    link = found.group()
    assert "Welcome, nina" in stranger.get(link).text
    differing = stranger.post(link, data={"password": PASSWORD, "again": "another one here"})
    assert 400 == differing.status_code
    entered = stranger.post(link, data={"password": PASSWORD, "again": PASSWORD})
    assert (303, "/incidents") == (entered.status_code, entered.headers["location"])
    assert 404 == stranger.get(link).status_code
    listed = client.get("/users").text
    assert "nina" in listed
    assert link not in listed
    assert "accept invitation" in client.get("/audit").text


def test_who_is_locked_out_is_out_at_once(app: FastAPI, access: Access) -> None:
    access.accept(access.invite("otto", "responder", BY), PASSWORD)
    theirs, _ = signed_in(app, access, "otto")
    client, csrf = signed_in(app, access, "ada")
    client.post("/users/change", data={"csrf": csrf, "name": "otto", "wish": "disable"})
    assert 303 == theirs.get("/incidents").status_code
    with pytest.raises(service_access.SignInError):
        access.sign_in("otto", PASSWORD)


def test_the_last_admin_stays(access: Access) -> None:
    for change in (
        lambda: access.change_role("ada", "viewer", BY),
        lambda: access.disable("ada", BY),
    ):
        with pytest.raises(service_access.LastAdminError):
            change()
    assert access.named("ada") is not None


@pytest.mark.parametrize(
    ("token", "reads", "acks"), [("ingest", 403, 403), ("read", 200, 403), ("respond", 200, 200)]
)
def test_a_file_of_the_secrets_folder_opens_its_scope(
    app: FastAPI, token: str, reads: int, acks: int
) -> None:
    client = a_client(app, authorization=f"Bearer {token}-token-of-the-tests")
    assert reads == client.get("/v1/incidents").status_code
    assert acks == client.post("/v1/incidents/42/ack", json={"by": "ana"}).status_code
    assert 403 == client.get("/users").status_code


def test_a_token_from_the_database_opens_its_scope_until_it_is_revoked(
    app: FastAPI, access: Access
) -> None:
    client = a_client(app, authorization=f"Bearer {access.add_token('ci', 'read', BY)}")
    assert 200 == client.get("/v1/incidents").status_code
    assert 403 == client.post("/v1/incidents/42/ack", json={}).status_code
    access.revoke("ci", BY)
    assert 401 == client.get("/v1/incidents").status_code


def test_a_wrong_token_is_not_helped_by_a_cookie(app: FastAPI, access: Access) -> None:
    client, _ = signed_in(app, access, "ada")
    answer = client.get("/v1/incidents", headers={"Authorization": "Bearer wrong"})
    assert 401 == answer.status_code


@pytest.mark.parametrize(
    ("peer", "name", "status"),
    [
        ("10.9.9.9", "vera", 200),
        ("10.9.9.9", "nobody", 303),
        ("127.0.0.1", "vera", 303),
        ("192.0.2.1", "ada", 303),
    ],
)
def test_a_proxy_vouches_for_people_from_listed_networks_only(
    app: FastAPI, peer: str, name: str, status: int
) -> None:
    client = a_client(app, peer, **{"x-forwarded-user": name, "x-forwarded-for": "10.0.0.1"})
    assert status == client.get("/incidents").status_code


def test_the_first_admins_link_is_in_a_file_for_its_owner_only(
    tmp_path: Path, clock: FixedClock
) -> None:
    access = Access(tmp_path, clock)
    access.open()
    path = access.first_link(URL)
    assert path is not None
    assert 0o600 == path.stat().st_mode & 0o777
    secret = path.read_text().strip().removeprefix(f"{URL}/invitation/")
    assert ("admin", "admin") == access.invitation(secret)
    access.accept(secret, PASSWORD)
    assert not path.exists()
    assert access.first_link(URL) is None
    access.close()


def test_who_is_invited_is_listed_and_takes_the_role_that_they_have_by_then(
    access: Access,
) -> None:
    secret = access.invite("iris", "admin", BY)
    access.change_role("iris", "viewer", BY)
    assert ("viewer", False) == next(
        (one.role, one.has_password) for one in access.people() if one.name == "iris"
    )
    assert "viewer" == access.accept(secret, PASSWORD).caller.role
