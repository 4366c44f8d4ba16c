"""A failover and its way back, over values: who leads, who is asked, who is taken back when."""

from pathlib import Path

import msgspec
import pytest

from abops.backup.model import Destination, Home, Site, WalRules
from abops.backup.postgres.site import load_site, save_site, with_shift
from abops.backup.service.shift import (
    FailoverRefusedError,
    Met,
    caught_up,
    changes,
    give_up,
    since,
    take_back,
    verified_again,
)
from abops.backup.store.records import Check, Finding
from abops.kernel.errors import UsageError
from support.backup_values import AZURE, EU, SITE
from support.sets import a_set

US = msgspec.structs.replace(EU, name="us", container="other")
VAULT = msgspec.structs.replace(EU, name="vault", role="mirror", of="eu")
THREE = msgspec.structs.replace(SITE, destinations=(EU, US, AZURE, VAULT))
WELL = (Met(name="eu", answers=True, sets=3), Met(name="us", answers=True, sets=2))
EU_DEAD = (
    Met(name="eu", answers=False, reason="no answer within 10 s"),
    Met(name="us", answers=True, sets=2),
    Met(name="azure", answers=True, sets=1),
)


def names(places: tuple[Destination, ...]) -> list[str]:
    return [place.name for place in places]


def ruled(**rules: object) -> Site:
    return msgspec.structs.replace(THREE, wal=WalRules(**rules))  # type: ignore[arg-type]


def test_who_does_not_answer_is_asked_no_more_and_another_leads() -> None:
    after = give_up(THREE, "us", EU_DEAD, 1_000.0)
    assert ("us", {"eu"}) == (after.lead, set(after.away))
    assert ["us", "azure"] == names(after.present)
    assert ["us", "azure", "vault", "eu"] == names(after.ordered)
    assert 1_000.0 == since(after, "eu")


@pytest.mark.parametrize(
    ("declared", "holds"),
    [
        ({"any": 3}, {"any": 2}),
        ({"any": None, "require": ("eu",)}, {"any": None, "require": ("us",)}),
        ({"any": None, "require": ("eu", "azure")}, {"any": None, "require": ("azure",)}),
        ({"any": None, "all": True}, {"any": None, "require": ("us", "azure")}),
    ],
)
def test_the_log_waits_for_nobody_who_is_away(
    declared: dict[str, object], holds: dict[str, object]
) -> None:
    before = ruled(**declared)
    after = give_up(before, "us", EU_DEAD, 1_000.0)
    assert WalRules(**holds) == after.log_rules  # type: ignore[arg-type]
    assert before.wal == after.wal
    assert before.wal == take_back(after, "eu").log_rules


def test_done_twice_changes_nothing_and_the_way_back_leads_where_it_began() -> None:
    once = give_up(THREE, "us", EU_DEAD, 1_000.0)
    assert once == give_up(once, "us", EU_DEAD, 2_000.0)
    back = take_back(once, "eu")
    assert THREE == back
    assert back == take_back(back, "eu")


def test_one_that_answers_again_stays_away_until_it_is_taken_back() -> None:
    once = give_up(THREE, "us", EU_DEAD, 1_000.0)
    met = [msgspec.structs.replace(one, answers=True, sets=2) for one in EU_DEAD]
    assert once == give_up(once, "us", met, 2_000.0)
    with pytest.raises(FailoverRefusedError) as refused:
        give_up(once, "eu", met, 2_000.0)
    assert "abops backup failback eu" == refused.value.hint


def test_when_the_new_one_is_lost_too_the_old_one_may_lead_again() -> None:
    once = give_up(THREE, "us", EU_DEAD, 1_000.0)
    met = [
        Met(name="eu", answers=True, sets=3),
        Met(name="us", answers=False, reason="refused"),
        Met(name="azure", answers=True, sets=1),
    ]
    after = give_up(once, "eu", met, 2_000.0)
    assert ("eu", {"us"}) == (after.lead, set(after.away))


def test_a_planned_change_gives_nobody_up_but_whom_it_names() -> None:
    site = msgspec.structs.replace(THREE, destinations=(EU, US))
    assert frozenset() == give_up(site, "us", WELL, 1_000.0).away
    assert {"eu"} == give_up(site, "us", WELL, 1_000.0, named=["eu"]).away
    assert site == take_back(give_up(site, "us", WELL, 1_000.0), "eu")


@pytest.mark.parametrize(
    "us",
    [
        Met(name="us", answers=False, reason="refused"),
        Met(name="us", answers=True, sets=0),
    ],
)
def test_nobody_leads_who_does_not_answer_or_holds_nothing(us: Met) -> None:
    with pytest.raises(FailoverRefusedError):
        give_up(THREE, "us", [EU_DEAD[0], us], 1_000.0)


def test_a_name_that_nobody_has_is_a_wrong_call() -> None:
    with pytest.raises(UsageError, match="no destination mars"):
        give_up(THREE, "mars", EU_DEAD, 1_000.0)
    with pytest.raises(UsageError):
        give_up(THREE, "us", EU_DEAD, 1_000.0, named=["us"])


def test_what_was_and_what_is_stands_side_by_side() -> None:
    told = {
        one.what: (one.was, one.now) for one in changes(THREE, give_up(THREE, "us", EU_DEAD, 1.0))
    }
    assert {
        "leads": ("eu", "us"),
        "away": ("-", "eu"),
        "restores ask": ("eu, us, azure, vault", "us, azure, vault"),
        "the log is kept by": ("any 1", "any 1"),
        "configuration is saved in": ("eu, us, azure, vault", "us, azure, vault"),
        "mirror vault": ("copies eu", "holds still (eu is away)"),
    } == told


def test_a_later_init_keeps_the_failover_that_stands(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert THREE == with_shift(home, THREE)
    after = give_up(THREE, "us", EU_DEAD, 1_000.0)
    save_site(home, after)
    assert after == with_shift(home, THREE)
    assert after == load_site(home)
    # A destination that is declared no more can be neither given up nor lead.
    without = msgspec.structs.replace(THREE, destinations=(US, AZURE))
    assert without == with_shift(home, without)


FRESH = a_set("20261125-120000F")
LOST_AT = FRESH.started - 60


def a_check(**different: object) -> Check:
    check = Check(
        id="c", destination="eu", kind="verify", started=0.0, ended=1.0, outcome="success"
    )
    return msgspec.structs.replace(check, **different)


def unmet(*found: object) -> list[str]:
    return [one.claim for one in found if one.outcome == "no"]  # type: ignore[attr-defined]


def test_a_destination_that_lacks_log_or_is_silent_has_not_caught_up() -> None:
    assert ["eu answers"] == unmet(*caught_up("eu", EU_DEAD[0], 0))
    owed = caught_up("eu", WELL[0], 7)
    assert ["nothing is owed to it"] == unmet(*owed)
    assert "abops backup wal drain --to eu" == owed[1].hint


def test_only_a_good_set_of_after_the_loss_counts() -> None:
    assert [] == unmet(*verified_again("eu", LOST_AT, [FRESH], a_check()))
    assert ["it has a set of after the loss"] == unmet(
        *verified_again("eu", FRESH.stopped, [FRESH], a_check())
    )
    spoiled = Finding(severity="critical", code="object", message="gone", label=FRESH.label)
    check = a_check(outcome="failed", findings=(spoiled,))
    assert ["it has a set of after the loss", "its verification finds nothing"] == unmet(
        *verified_again("eu", LOST_AT, [FRESH], check)
    )
    assert ["its log has no hole"] == unmet(
        *verified_again("eu", LOST_AT, [FRESH], a_check(gap_segments=2))
    )
