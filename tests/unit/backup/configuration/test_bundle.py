"""Laws of the bundle: what goes in comes out, once and for all orders; altered, nothing does."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.backup.configuration.archive import Bundle, pack, unpack
from abops.backup.configuration.bundles import StoredBundle, too_old
from abops.backup.configuration.compare import differences
from abops.backup.configuration.errors import BundleError, DecryptError, RecipientsError
from abops.backup.configuration.sealing import Recipient, new_key, seal, unseal

NAMES = st.from_regex(r"\A[a-zü][a-z0-9_-]{0,120}(/[a-z0-9_:-]{1,90}){0,3}\Z")
MEMBERS = st.dictionaries(NAMES, st.binary(max_size=2_000), max_size=8)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@given(members=MEMBERS, origin=st.dictionaries(st.text(max_size=9), st.text(max_size=9)))
def test_what_is_packed_comes_out_equal(members: dict[str, bytes], origin: dict[str, str]) -> None:
    bundle = Bundle(members, origin)
    assert bundle == unpack(pack(bundle))


@given(members=MEMBERS)
def test_the_order_of_members_does_not_matter(members: dict[str, bytes]) -> None:
    turned = dict(reversed(members.items()))
    assert pack(Bundle(members)) == pack(Bundle(turned))


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../b", "a//b", "contents.json", ""])
def test_a_member_cannot_lie_elsewhere(name: str) -> None:
    with pytest.raises(BundleError):
        pack(Bundle({name: b"x"}))


def test_an_altered_member_is_found() -> None:
    stream = pack(Bundle({"home/site.json": b"before"}))
    with pytest.raises(BundleError, match=r"home/site\.json is not what was packed"):
        unpack(stream.replace(b"before", b"behind"))


def _two() -> tuple[tuple[str, str], tuple[Recipient, ...]]:
    (machine, at_machine), (offline, at_offline) = new_key(), new_key()
    recipients = (Recipient("machine", at_machine), Recipient("offline", at_offline))
    return (machine, offline), recipients


def test_either_key_opens_and_a_third_does_not() -> None:
    keys, recipients = _two()
    sealed = seal(b"plain", recipients)
    assert [b"plain", b"plain"] == [unseal(sealed, key) for key in keys]
    with pytest.raises(DecryptError):
        unseal(sealed, new_key()[0])


@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_one_altered_bit_opens_nothing(place: int, bit: int) -> None:
    (machine, _), recipients = _two()
    sealed = bytearray(seal(b"plain" * 20, recipients))
    # The stanza of the other key is for the other key.
    sealed[-(place % 100) - 1] ^= 1 << bit
    with pytest.raises(DecryptError):
        unseal(bytes(sealed), machine)


def test_one_recipient_or_no_offline_key_is_too_few() -> None:
    _, (machine, offline) = _two()
    for recipients in ((offline,), (machine, Recipient("person", offline.public)), ()):
        with pytest.raises(RecipientsError):
            seal(b"plain", recipients)


def test_a_difference_has_keys_and_no_values() -> None:
    before = {"a.conf": b"[global]\nrepo1-cipher-pass=old\nsame=1\n", "gone": b"x"}
    after = {"a.conf": b"[global]\nrepo1-cipher-pass=new\nsame=1\n", "b.json": b'{"k":{"n":1}}'}
    found = differences(before, after, b"salt")
    assert [
        ("a.conf", "global.repo1-cipher-pass", "changed"),
        ("b.json", "k.n", "added"),
        ("gone", "", "removed"),
    ] == [(one.member, one.key, one.change) for one in found]
    assert all(len(one.before + one.after) <= 16 for one in found)
    assert found != differences(before, after, b"pepper")


def test_bundles_go_after_thirty_days_and_the_newest_never() -> None:
    def of(days: int) -> StoredBundle:
        return StoredBundle("eu", f"b{days}", NOON - timedelta(days=days), 1)

    assert ("b30", "b40") == too_old((of(29), of(30), of(40)), NOON)
    assert ("b40",) == too_old((of(31), of(40)), NOON)
    assert () == too_old((), NOON)
