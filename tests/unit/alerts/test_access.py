"""Who may do what, without a store: roles, passwords, the shut door, whom a proxy vouches for."""

import pytest

from abops.alerts.access import person, proxy, roles, secret

ABILITIES = ("read", "respond", "operate", "administer", "ingest")


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("viewer", {"read"}),
        ("responder", {"read", "respond"}),
        ("operator", {"read", "respond", "operate"}),
        ("admin", {"read", "respond", "operate", "administer"}),
        ("emperor", set()),
        ("", set()),
    ],
)
def test_a_role_may_what_the_table_says(role: str, may: set[str]) -> None:
    assert may == set(roles.abilities_of(role))


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        ("ingest", {"ingest"}),
        ("read", {"read"}),
        ("respond", {"read", "respond", "operate"}),
    ],
)
def test_a_token_may_what_its_scope_says_and_never_administer(scope: str, may: set[str]) -> None:
    assert may == set(roles.SCOPES[scope])
    assert "administer" not in may


def test_the_least_role_is_named() -> None:
    named = [roles.role_for("read"), roles.role_for("administer"), roles.role_for("ingest")]
    assert ["viewer", "admin", "no role"] == named


def test_a_password_is_known_again_and_no_other() -> None:
    stored = secret.hash_password("correct horse battery")
    assert stored.startswith("scrypt$32768,8,1$")
    assert secret.verify_password("correct horse battery", stored)
    assert not secret.verify_password("correct horse batterz", stored)
    assert stored != secret.hash_password("correct horse battery")


@pytest.mark.parametrize("stored", ["", "plain", "scrypt$1$2$3", "md5$1,2$a$b"])
def test_nothing_stored_is_never_the_password(stored: str) -> None:
    assert not secret.verify_password("", stored)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaa", "x" * 300, "Maria.Callas1"])
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(secret.PasswordError):
        secret.check_password(password, "maria.callas1")


def test_an_empty_secret_is_never_right() -> None:
    assert not secret.same("", "")
    assert secret.same("a", "a")


def test_the_door_shuts_at_the_fifth_failure_for_a_minute() -> None:
    shut = [
        person.after_failure(person.Person("ana", "admin", failures=n), 100.0) for n in range(5)
    ]
    assert [(n, None) for n in (1, 2, 3, 4)] + [(5, 160.0)] == shut
    one = person.Person("ana", "admin", failures=5, locked_until=160.0)
    assert [True, True, False] == [person.is_locked(one, at) for at in (100.0, 159.9, 160.0)]


@pytest.mark.parametrize("name", ["", " ", "-x", "a b", "a/b", "<b>", "x" * 65, "a\n"])
def test_a_name_that_means_something_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(person.NameRefusedError):
        person.check_name(name)


@pytest.mark.parametrize(
    ("peer", "believed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("fd00::7", True),
        ("11.0.0.1", False),
        ("127.0.0.1", False),
        ("", False),
        ("testclient", False),
    ],
)
def test_only_listed_networks_are_believed(peer: str, believed: bool) -> None:  # noqa: FBT001 - a case
    assert believed == proxy.is_trusted(peer, proxy.networks_of(("10.0.0.0/8", "fd00::/8")))


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(proxy.NetworkError):
        proxy.networks_of(("10.0.0.1/8",))
