"""What a household reads of a visit."""

from zoneinfo import ZoneInfo

from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.web.server.visit_story import StoryNames, story_lines
from tests.gateway.protocol.test_narrative import REFUSED, SCAN, row


def test_a_household_reads_a_visit_in_its_own_language() -> None:
    rows = [
        row(SCAN, REFUSED),
        row(e.HouseholdAnswered(), c.ReportParcelResult(visit="v", delivery="d", outcome=Outcome.ATTENDED)),
        row(e.StopLifted(epoch=2), c.ReportDoorResult(visit="v", delivery="d", door_result=DoorResult.HANDED_TO_OWNER)),
        row(e.TimerExpired(), phase="locked_again", before="relocking"),
    ]
    english = story_lines(rows, language="en", zone=ZoneInfo("Europe/Paris"))
    assert [(line.text, line.tone) for line in english] == [
        ("…2032 refused: unknown code", "bad"),
        ("Somebody inside answered", "calm"),
        ("Received by somebody", "good"),
        ("Stop lifted", "calm"),
        ("Needs your attention", "bad"),
        ("Locked again, proven", "good"),
    ]
    french = story_lines(rows, language="fr", zone=ZoneInfo("Europe/Paris"))
    assert [line.tone for line in french] == [line.tone for line in english]
    assert french[0].text == "…2032 refusé : code inconnu"


def test_each_closure_of_a_flat_a_parcel_box_and_a_key_safe_has_its_lines() -> None:
    def heard(sensor: str, value: str) -> e.SensorReported:
        return e.SensorReported(sensor=sensor, value=value, context=e.ReportContext(session=1))

    rows = [
        row(heard("street/door", "closed")),
        row(heard("street/door", "open")),
        row(heard("street/door", "closed")),
        row(heard("door", "open")),
        row(heard("box-1/content", "empty")),
        row(heard("box-1/content", "occupied")),
        row(heard("safe/key", "absent"), c.LogNote(what="key_taken")),
        row(heard("safe/key", "present"), c.LogNote(what="key_returned")),
    ]
    lines = story_lines(rows, language="en", zone=ZoneInfo("Europe/Paris"))
    assert [line.text for line in lines] == [
        "street opens",
        "street closes",
        "The door opens",
        "box-1: something lies in it",
        "The key is taken from its hook",
        "The key is on its hook again, proven",
    ]
    french = story_lines(rows, language="fr", zone=ZoneInfo("Europe/Paris"))
    assert french[4].text == "La clé est prise de son crochet"


def test_where_not_each_closure_is_a_door_no_line_speaks_of_coming_in() -> None:
    rows = [
        row(
            SCAN,
            c.AnswerScan(scan="s", scanner="scanner", answer=c.ScanAnswer.GO),
            phase="unlocked",
            before="unlocking",
        ),
        row(e.TimerExpired(), phase="relocking", before="inside"),
        row(e.TimerExpired(), phase="locked_again", before="relocking"),
    ]

    def told(names: dict[str, str]) -> list[str]:
        said = story_lines(rows, language="en", zone=ZoneInfo("Europe/Paris"), names=StoryNames(closures=names))
        return [line.text for line in said]

    door = ["Green light: come in", "Locking again", "Locked again, proven"]
    assert told({"door": "Door"}) == door
    assert told({"box-1": "Compartment"}) == [
        "Green light", "All is being secured", "All is secured again, proven",
    ]  # fmt: skip


def told(*rows: object) -> list[tuple[str, str]]:
    lines = story_lines(rows, language="en", zone=ZoneInfo("Europe/Paris"))
    return [(line.text, line.tone) for line in lines]


def test_a_door_that_needs_the_owner_is_one_line_which_says_why_and_the_time_stands_beside_it() -> None:
    handed = row(
        e.TimerExpired(),
        c.ReportParcelResult(visit="v", delivery="d", outcome=Outcome.UNKNOWN),
        c.RaiseAlarm(code=c.AlarmCode.NOT_LOCKED),
        c.ReportDoorResult(visit="v", delivery="d", door_result=DoorResult.HANDED_TO_OWNER),
        phase="handed_to_owner",
        before="relocking",
    )
    assert told(handed) == [("Needs your attention: the door is not proven locked", "bad")]
    again = row(e.TimerExpired(), c.RaiseAlarm(code=c.AlarmCode.NOT_LOCKED), phase="x", before="x")
    assert told(again) == [("Alarm: the door is not proven locked", "bad")]


def test_a_parcel_that_came_in_before_the_door_needs_the_owner_is_a_line_of_its_own() -> None:
    handed = row(
        e.TimerExpired(),
        c.ReportParcelResult(visit="v", delivery="d", outcome=Outcome.DELIVERED),
        c.RaiseAlarm(code=c.AlarmCode.NOT_LOCKED),
        phase="handed_to_owner",
        before="relocking",
    )
    assert told(handed) == [
        ("Delivered", "good"), ("Needs your attention: the door is not proven locked", "bad"),
    ]  # fmt: skip


def test_a_lock_that_jams_after_the_order_was_ready_and_a_scan_that_is_refused_says_its_code() -> None:
    refused = c.AnswerScan(scan="v", scanner="scanner", answer=c.ScanAnswer.NO, refusal=Refusal.NOT_READY)
    sent = row(e.TimerExpired(), c.Unlock(visit="v", closure="door", life=5.0), phase="unlocking", before="ringing")
    jammed = row(
        e.TimerExpired(), refused, c.RaiseAlarm(code=c.AlarmCode.LOCK_JAMMED), phase="relocking", before="unlocking"
    )
    assert [text for text, _tone in told(sent, jammed)] == [
        "The unlock has left, once",
        "Red light: the lock did not open",
        "Alarm: the lock is jammed",
        "Locking again",
    ]
    assert told(row(SCAN, refused)) == [("…2032 refused: the entrance was not ready", "bad")]
    assert told(row(e.TimerExpired(), refused)) == [("Red light: the entrance was not ready", "bad")]


def test_a_device_in_an_alarm_is_named_as_the_household_knows_it() -> None:
    lost = row(
        e.TimerExpired(), c.RaiseAlarm(code=c.AlarmCode.CAMERA_LOST, detail="hall-camera"), phase="x", before="x"
    )
    names = StoryNames(devices={"hall-camera": "Inside camera"})
    (line,) = story_lines([lost], language="en", zone=ZoneInfo("Europe/Paris"), names=names)
    assert line.text == "Alarm: no more pictures from Inside camera during a visit"


def test_a_scan_that_rings_is_one_line() -> None:
    waits = c.AnswerScan(scan="s", scanner="scanner", answer=c.ScanAnswer.WAIT)
    assert told(row(SCAN, waits, c.RingBell(visit="s"))) == [("…2032 read: the bell rings", "calm")]
    assert told(row(SCAN, waits)) == [("…2032 read: please wait", "calm")]
