"""What is judged of what was seen. The engine's words are those of pgBackRest 2.55.1."""

import msgspec
import pytest

from abops.backup.model import SegmentName
from abops.backup.postgres.log_files import Fork
from abops.backup.verify.judge import judge
from abops.backup.verify.seen import Judgement, Seen
from abops.backup.verify.spoken import Tally, read_verify
from support.sets import a_set

FULL, INCR = "20261125-010000F", "20261125-010000F_20261125-020000I"
WHOLE = f"""stanza: main
status: ok
  archiveId: 15-1, total WAL checked: 13, total valid WAL: 13
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: {FULL}, status: valid, total files checked: 964, total valid files: 964
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: {INCR}, status: valid, total files checked: 967, total valid files: 967
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
"""
_ALL = "964, total valid files: 964\n    missing: 0, checksum invalid: 0"
_ALL_BUT_ONE = "964, total valid files: 963\n    missing: 0, checksum invalid: 1"
FLIPPED = (
    WHOLE.replace("status: ok", "status: error")
    .replace(f"valid, total files checked: {_ALL}", f"invalid, total files checked: {_ALL}")
    .replace(_ALL, _ALL_BUT_ONE)
)
LOG_FLIPPED = WHOLE.replace("status: ok", "status: error", 1).replace(
    "13, total valid WAL: 13\n    missing: 0, checksum invalid: 0",
    "13, total valid WAL: 12\n    missing: 0, checksum invalid: 1",
)
# both manifests of the full set are gone: the engine calls that ok
NO_MANIFEST = WHOLE.replace(
    "status: valid, total files checked: 964, total valid files: 964\n"
    "    missing: 0, checksum invalid: 0, size invalid: 0, other: 0",
    "status: manifest missing, total files checked: 0, total valid files: 0",
)


def segment(number: int, digest: str = "a", timeline: int = 1) -> str:
    name = SegmentName(timeline, number).file_name()
    return f"archive/main/15-1/{name[:16]}/{name}-{digest * 40}.zst"


def a_look(**different: object) -> Seen:
    full = a_set(FULL, wal_start=name(2), wal_stop=name(2))
    incr = a_set(INCR, wal_start=name(4), wal_stop=name(4))
    seen = Seen(
        destination="eu",
        generation="g1",
        sets=(full, incr),
        spoken=read_verify(WHOLE),
        paths=tuple(segment(number) for number in range(1, 14)),
        archive_id="15-1",
        until=SegmentName(1, 13),
        copies={f"backup/main/{FULL}/backup.manifest": ""},
        objects={FULL: {"bundle/1": (100, "e1"), "bundle/2": (200, "e2")}},
        recorded={FULL: {"bundle/1": (100, "e1"), "bundle/2": (200, "e2")}},
        elsewhere={"us": {name(number): frozenset({"a" * 40}) for number in range(1, 14)}},
        live_system=full.system_id,
    )
    return msgspec.structs.replace(seen, **different)


def name(number: int, timeline: int = 1) -> str:
    return SegmentName(timeline, number).file_name()


def codes(judgement: Judgement) -> list[str]:
    return [one.code for one in judgement.findings]


def test_what_is_whole_has_no_finding() -> None:
    assert Judgement((), {}, 0, 0, 0) == judge(a_look())


def test_the_words_are_read() -> None:
    said = read_verify(FLIPPED)
    assert "error" == said.status
    assert {"15-1": Tally(13, 13)} == said.archives
    assert Tally(964, 963, checksum=1) == said.sets[FULL].tally
    assert "1 with another checksum" == said.sets[FULL].tally.words
    assert [False, True] == [said.sets[label].valid for label in (FULL, INCR)]


def test_a_damaged_full_set_takes_its_increments_along_though_the_engine_calls_them_valid() -> None:
    found = judge(a_look(spoken=read_verify(FLIPPED)))
    assert ["object"] == codes(found)
    assert 1 == found.invalid_objects
    assert not found.passed
    assert {
        FULL: f"{FULL} is invalid: 1 with another checksum",
        INCR: f"it builds on {FULL}",
    } == found.broken


def test_a_set_without_manifest_is_broken_though_the_engine_says_ok() -> None:
    found = judge(a_look(spoken=read_verify(NO_MANIFEST)))
    assert {FULL, INCR} == set(found.broken)
    assert f"{FULL} is manifest missing" == found.findings[0].message


def test_a_set_that_is_told_but_not_verified_is_broken() -> None:
    words = WHOLE[: WHOLE.index(f"  backup: {INCR}")]
    found = judge(a_look(spoken=read_verify(words)))
    assert ["unsaid"] == codes(found)
    assert {INCR} == set(found.broken)


def test_an_engine_that_does_not_see_blocks_accuses_nobody_of_missing_files() -> None:
    missing = FLIPPED.replace("missing: 0, checksum invalid: 1", "missing: 1, checksum invalid: 0")
    assert missing != FLIPPED
    found = judge(a_look(spoken=read_verify(missing, sees_blocks=False)))
    assert (["unsaid"], ["warning"]) == (codes(found), [one.severity for one in found.findings])
    assert (True, {}, 0) == (found.passed, found.broken, found.invalid_objects)
    assert {FULL, INCR} == set(judge(a_look(spoken=read_verify(missing))).broken)
    assert {FULL, INCR} == set(judge(a_look(spoken=read_verify(FLIPPED, sees_blocks=False))).broken)


def test_a_verification_that_says_nothing_is_no_success() -> None:
    found = judge(a_look(spoken=read_verify("")))
    assert not found.passed
    assert {FULL, INCR} == set(found.broken)


def test_an_error_that_names_nothing_is_still_one() -> None:
    found = judge(a_look(spoken=read_verify(WHOLE.replace("status: ok", "status: error"))))
    assert ["object"] == codes(found)
    assert "the engine reports an error: it names nothing" == found.findings[0].message


def test_damaged_log_spoils_no_set_but_is_critical() -> None:
    found = judge(a_look(spoken=read_verify(LOG_FLIPPED)))
    assert (["log"], 1, {}) == (codes(found), found.invalid_objects, found.broken)
    assert not found.passed


def test_seven_segments_that_are_gone_are_a_gap_though_the_engine_says_ok() -> None:
    paths = tuple(segment(number) for number in range(1, 14) if not 5 <= number <= 11)
    found = judge(a_look(paths=paths))
    assert (["gap"], 7, 0) == (codes(found), found.gap_segments, found.invalid_objects)
    assert f"7 segments of log are missing: {name(5)}..{name(11)}" == found.findings[0].message
    assert {} == found.broken


def test_what_is_on_its_way_is_no_gap() -> None:
    paths = tuple(segment(number) for number in range(1, 12))
    found = judge(a_look(paths=paths, owed=frozenset({name(12), name(13)})))
    assert (True, 0, 2) == (found.passed, found.gap_segments, found.owed_segments)
    one_lost = judge(a_look(paths=paths, owed=frozenset({name(13)})))
    assert 1 == one_lost.gap_segments


def test_a_hole_that_a_later_full_set_leads_past_is_a_warning() -> None:
    paths = tuple(segment(number) for number in range(1, 14) if number != 3)
    before = a_set(FULL).started - 60
    found = judge(a_look(paths=paths, known_gaps={name(3): before}))
    assert ["warning"] == [one.severity for one in found.findings]
    assert (True, 0) == (found.passed, found.gap_segments)
    assert 1 == judge(a_look(paths=paths, known_gaps={name(3): before + 120})).gap_segments


def test_a_set_whose_own_log_is_missing_is_broken() -> None:
    paths = tuple(segment(number) for number in range(1, 14) if number != 4)
    found = judge(a_look(paths=paths))
    assert {"gap", "gap-in-set"} == set(codes(found))
    assert {INCR} == set(found.broken)


def test_an_old_set_that_is_kept_for_itself_needs_its_own_log_only() -> None:
    old = a_set("20260101-010000F", wal_start=name(2), wal_stop=name(3))
    seen = a_look()
    later = tuple(
        msgspec.structs.replace(one, wal_start=name(8), wal_stop=name(8)) for one in seen.sets
    )
    said = read_verify(
        WHOLE
        + f"  backup: {old.label}, status: valid, total files checked: 1, total valid files: 1\n"
    )
    paths = tuple(segment(number) for number in (2, 3, *range(8, 14)))
    kept = a_look(sets=(old, *later), spoken=said, paths=paths, needed_since=later[0].started)
    assert judge(kept).passed
    assert 4 == judge(msgspec.structs.replace(kept, needed_since=None)).gap_segments


def test_another_content_elsewhere_is_critical_without_any_key() -> None:
    theirs = {"us": {name(7): frozenset({"b" * 40})}}
    found = judge(a_look(elsewhere=theirs))
    assert [f"segment {name(7)} has another content than in us"] == [
        one.message for one in found.findings
    ]


def test_two_contents_of_one_segment_are_critical() -> None:
    seen = a_look()
    found = judge(a_look(paths=(*seen.paths, segment(7, "b")), elsewhere={}))
    assert ["differs"] == codes(found)


def test_log_of_another_database_of_the_stanza_is_not_compared() -> None:
    seen = a_look()
    older = segment(7, "c").replace("15-1", "14-1")
    assert judge(a_look(paths=(*seen.paths, older))).passed


def test_a_pair_that_differs_spoils_its_set() -> None:
    path = f"backup/main/{INCR}/backup.manifest"
    found = judge(a_look(copies={path: "its copy is missing", "backup/main/backup.info": ""}))
    assert {INCR: f"{path}: its copy is missing"} == found.broken


def test_objects_that_changed_or_went_since_the_set_was_made_are_found() -> None:
    now = {FULL: {"bundle/1": (100, "other"), "new": (1, "n")}}
    found = judge(a_look(objects=now))
    assert [
        f"{FULL}: 2 is gone since it was made",
        f"{FULL}: 1 is changed since it was made",
    ] == [one.message for one in found.findings]
    assert 2 == found.invalid_objects


def test_a_set_that_nobody_listed_when_it_was_made_is_not_accused() -> None:
    assert judge(a_look(recorded={})).passed


@pytest.mark.parametrize(
    ("different", "code"),
    [
        ({"live_system": 1}, "system"),
        ({"until": SegmentName(2, 14), "forks": {}}, "history"),
        (
            {"contents": {f"backup/main/{FULL}/bundle/1": "its content is another"}},
            "content",
        ),
    ],
)
def test_other_troubles_have_their_names(different: dict[str, object], code: str) -> None:
    assert code in codes(judge(a_look(**different)))


def test_pages_that_were_torn_when_they_were_copied_spoil_the_set() -> None:
    seen = a_look()
    torn = (msgspec.structs.replace(seen.sets[0], error=True), seen.sets[1])
    found = judge(a_look(sets=torn))
    assert (["page"], {FULL, INCR}) == (codes(found), set(found.broken))


def test_an_increment_without_what_it_builds_on_is_broken() -> None:
    found = judge(a_look(sets=a_look().sets[1:]))
    assert ["orphan"] == codes(found)
    assert {INCR} == set(found.broken)


def test_a_promoted_database_is_whole_when_its_history_is_there() -> None:
    paths = (*(segment(n) for n in range(1, 9)), *(segment(n, timeline=2) for n in (9, 10)))
    seen = a_look(paths=paths, until=SegmentName(2, 10), forks={2: Fork(1, 9 * 16 * 2**20 + 8)})
    assert judge(seen).passed
