"""What people do on an incident's page, with a real service and a gate before it."""

import re

import pytest

from support.desk import Room

FORMS = ("assign", "note", "silence", "merge", "noise", "resolve", "split")


def two_incidents(room: Room) -> None:
    desk = room.desk
    room.fires(
        desk.alert("ApiErrorStorm", instance="a"),
        desk.alert("ApiErrorStorm", instance="b"),
        incidents=1,
    )
    room.fires(desk.alert("DiskFillsUp", "node", severity="warning"), incidents=2)


def test_a_viewer_sees_no_form_and_is_refused_when_posting(room: Room) -> None:
    two_incidents(room)
    vera = room.seat("vera")
    assert [] == re.findall(r'action="/incidents/1/(\w+)"', vera.page("/incidents/1"))
    answers = {form: vera.sends(f"/incidents/1/{form}", text="x")[0] for form in FORMS}
    assert dict.fromkeys(FORMS, 403) == answers


def test_a_responder_sees_what_a_responder_may(room: Room) -> None:
    two_incidents(room)
    rosa = room.seat("rosa")
    shown = re.findall(r'action="/incidents/1/(\w+)"', rosa.page("/incidents/1"))
    assert {"ack", "assign", "note", "silence", "noise", "resolve"} == set(shown)
    assert 403 == rosa.sends("/incidents/1/merge", into="2")[0]
    assert 403 == rosa.sends("/incidents/1/split", alert="x")[0]


def test_a_form_without_the_token_of_its_page_changes_nothing(room: Room) -> None:
    two_incidents(room)
    ada = room.seat("ada")
    answer = ada.client.post("/incidents/1/note", data={"text": "forged"})
    assert 403 == answer.status_code
    assert "forged" not in ada.page("/incidents/1")


def test_an_incident_is_taken_given_away_and_made_nobodys(room: Room) -> None:
    two_incidents(room)
    rosa = room.seat("rosa")
    assert (303, "/incidents/1?done=assign") == rosa.sends("/incidents/1/assign", take="1")
    assert "rosa" == room.incident(1).summary.owner
    rosa.sends("/incidents/1/assign", owner="bo")
    assert "bo" == room.incident(1).summary.owner
    assert "<span>bo's</span>" in rosa.page("/incidents/1?done=assign").replace("&#39;", "'")
    rosa.sends("/incidents/1/assign", owner="")
    assert "" == room.incident(1).summary.owner


def test_a_note_stands_on_the_timeline_with_who_wrote_it(room: Room) -> None:
    two_incidents(room)
    rosa = room.seat("rosa")
    assert 303 == rosa.sends("/incidents/1/note", text=" rolled <back> ")[0]
    assert ("rolled <back>", "rosa") == [
        (entry.text, entry.actor) for entry in room.incident(1).timeline if entry.kind == "note"
    ][-1]
    assert "rolled &lt;back&gt;" in rosa.page("/incidents/1")


def test_an_empty_note_is_refused_where_it_was_written(room: Room) -> None:
    two_incidents(room)
    status, page = room.seat("rosa").sends("/incidents/1/note", text="  ")
    assert 400 == status
    form = page[page.index('id="do-note"') : page.index('id="do-silence"')]
    assert "the note is empty" in form
    assert " open>" in form


def test_noise_is_called_and_taken_back(room: Room) -> None:
    two_incidents(room)
    rosa = room.seat("rosa")
    rosa.sends("/incidents/1/noise", noise="true")
    assert room.incident(1).summary.noise
    assert "It was no noise" in rosa.page("/incidents/1")
    rosa.sends("/incidents/1/noise", noise="false")
    assert not room.incident(1).summary.noise


def test_silencing_begins_with_matchers_that_mean_these_alerts(room: Room) -> None:
    two_incidents(room)
    rosa = room.seat("rosa")
    page = rosa.page("/incidents/1")
    area = re.search(r'id="matchers".*?>(.*?)</textarea>', page, re.DOTALL)
    assert area is not None
    matchers = area[1].replace("&#34;", '"')
    assert 'alertname="ApiErrorStorm", service="api", env="local"' == matchers
    sent = rosa.sends("/incidents/1/silence", matchers=matchers, reason="a deploy", **{"for": "1h"})
    assert (303, "/incidents/1?done=silence") == sent
    [silence] = room.ask(room.desk.service.silences)
    assert ("a deploy", "rosa") == (silence.reason, silence.created_by)
    assert 3600 == pytest.approx(silence.ends_at - silence.starts_at, abs=2)
    assert 2 == rosa.page("/incidents/1").count("told to nobody: silence 1: a deploy")


def test_only_an_operator_silences_for_days(room: Room) -> None:
    two_incidents(room)
    asked = {"matchers": 'service="api"', "reason": "moved", "for": "3d"}
    status, page = room.seat("rosa").sends("/incidents/1/silence", **asked)
    assert 400 == status
    assert "a responder silences for up to 8 h" in page
    assert "3 days" not in room.seat("rosa").page("/incidents/1")
    assert "3 days" in room.seat("olga").page("/incidents/1")
    assert 303 == room.seat("olga").sends("/incidents/1/silence", **asked)[0]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"matchers": "service~api", "reason": "typo", "for": "1h"}, "cannot read"),
        ({"matchers": " ", "reason": "all", "for": "1h"}, "everything would be silenced"),
        ({"matchers": 'service="api"', "reason": " ", "for": "1h"}, "needs a reason"),
        ({"matchers": 'service="api"', "reason": "x", "for": "soon"}, "is not a duration"),
    ],
)
def test_a_silence_that_cannot_be_is_said_with_what_was_typed(
    room: Room, fields: dict[str, str], says: str
) -> None:
    two_incidents(room)
    status, page = room.seat("rosa").sends("/incidents/1/silence", **fields)
    form = page[page.index('id="do-silence"') : page.index('id="do-noise"')]
    assert 400 == status
    assert says in form
    assert f'value="{fields["reason"]}"' in form
    assert () == room.ask(room.desk.service.silences)


def test_what_still_fires_is_resolved_only_by_its_number(room: Room) -> None:
    two_incidents(room)
    rosa = room.seat("rosa")
    status, page = rosa.sends("/incidents/1/resolve", confirm="yes")
    assert 400 == status
    assert "2 alerts still fire. Type INC-1" in page
    assert "open" == room.incident(1).summary.state
    assert 303 == rosa.sends("/incidents/1/resolve", confirm="inc-1")[0]
    assert "resolved" == room.incident(1).summary.state
    shown = re.findall(r'action="/incidents/1/(\w+)"', rosa.page("/incidents/1"))
    assert {"note", "noise"} == set(shown)


def test_two_incidents_become_one_and_two_again(room: Room) -> None:
    two_incidents(room)
    olga = room.seat("olga")
    assert '<option value="1"' in olga.page("/incidents/2")
    assert (303, "/incidents/1?done=merge") == olga.sends("/incidents/2/merge", into="1")
    assert 'part of <a href="/incidents/1">INC-1</a> now' in olga.page("/incidents/2")
    [disk] = [
        m.alert.fingerprint for m in room.incident(1).members if m.alert.name == "DiskFillsUp"
    ]
    assert f'value="{disk}" form="form-split"' in olga.page("/incidents/1")
    assert (303, "/incidents/3?done=split") == olga.sends("/incidents/1/split", alert=[disk])
    assert ["DiskFillsUp"] == [m.alert.name for m in room.incident(3).members]


@pytest.mark.parametrize(
    ("into", "status", "says"),
    [
        ("", 400, "no incident is named"),
        ("2", 409, "cannot be merged into itself"),
        ("99", 409, "there is no incident 99"),
    ],
)
def test_a_merge_that_cannot_be_says_why(room: Room, into: str, status: int, says: str) -> None:
    two_incidents(room)
    answer, page = room.seat("olga").sends("/incidents/2/merge", into=into)
    assert status == answer
    assert says in page[page.index('id="do-merge"') : page.index('id="do-noise"')]


def test_a_split_of_all_or_nothing_is_refused_and_keeps_the_ticks(room: Room) -> None:
    two_incidents(room)
    olga = room.seat("olga")
    assert "no alert is ticked" in olga.sends("/incidents/1/split")[1]
    every = [member.alert.fingerprint for member in room.incident(1).members]
    status, page = olga.sends("/incidents/1/split", alert=every)
    assert 409 == status
    assert "2 of the 2 alerts" in page
    assert 2 == len(re.findall(r'form="form-split"[^>]* checked', page))


def test_what_was_changed_shortly_before_stands_on_the_timeline(room: Room) -> None:
    room.changed(kind="deploy", service="postgres", title="16.4 <to> 16.6", url="https://ci/7")
    room.changed(kind="deploy", service="bot", title="another part")
    room.fires(room.desk.alert("ApiErrorStorm"), incidents=1)
    page = room.seat("vera").page("/incidents/1")
    timeline = page[page.index('<ol class="timeline">') :]
    assert "deploy of postgres: 16.4 &lt;to&gt; 16.6" in timeline
    assert "before the first alert" in timeline
    assert timeline.index("deploy of postgres") < timeline.index("t-opened")
    assert "another part" not in timeline


def test_several_are_acknowledged_at_once_by_who_may_respond(room: Room) -> None:
    room.fires(room.desk.alert("Down", "api"), incidents=1)
    room.fires(room.desk.alert("Full", "disk"), incidents=2)
    ticked = {"number": ["1", "2", "99", "x"], "back": "/incidents?state=open"}
    assert 403 == room.seat("vera").sends("/incidents/ack", **ticked)[0]
    assert "open" == room.incident(1).summary.state
    assert (303, "/incidents?state=open") == room.seat("rosa").sends("/incidents/ack", **ticked)
    assert ["rosa", "rosa"] == [room.incident(number).summary.acked_by for number in (1, 2)]
