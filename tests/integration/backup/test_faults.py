"""Faults and what must come of them, on a real database with two regions."""

import pytest

from support.backup import Protected
from support.faults.damage import damaged_object, missing_segments
from support.faults.dead import killed_postmaster, region_gone
from support.faults.disks import refused_restore_target
from support.faults.told import NotPlayedError


def test_a_truncated_object_is_found_another_destination_restores_and_a_full_set_follows(
    protected: Protected,
) -> None:
    protected.database.fill()
    assert 0 == protected.abops("run", "--to", "us", "--type", "full").returncode
    assert 0 == damaged_object(protected, "truncated").lost


def test_seven_segments_that_are_gone_are_told_and_no_point_among_them_is_promised(
    protected: Protected,
) -> None:
    assert 0 == missing_segments(protected).lost


def test_a_postmaster_that_is_killed_during_a_backup_is_told_and_the_next_run_succeeds(
    protected: Protected,
) -> None:
    protected.database.fill(10)
    assert 0 == killed_postmaster(protected).lost


def test_a_region_that_is_frozen_for_a_whole_backup_holds_up_nothing(protected: Protected) -> None:
    protected.database.fill()
    assert 0 == region_gone(protected, "freeze", 20).lost


def test_a_restore_that_does_not_fit_is_refused(protected: Protected) -> None:
    protected.archive_directly("eu", "us")
    protected.database.fill(4)
    assert 0 == protected.abops("run", "--to", "us", "--type", "full").returncode
    try:
        assert 0 == refused_restore_target(protected).lost
    except NotPlayedError as reason:
        pytest.skip(str(reason))
