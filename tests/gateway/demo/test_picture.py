"""The picture of a visit is well-formed, complete and inert."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

from gateway.demo.picture import draw_picture
from gateway.demo.result import DemoClip, DemoNotification, DemoProof, LogLine, PhaseAt, PhysicalOpening, ScenarioResult
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.visit.state import Phase

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def result(text: str = "Chronopost is at the door") -> ScenarioResult:
    return ScenarioResult(
        scenario="delivered",
        outcome=Outcome.DELIVERED,
        expected=Outcome.DELIVERED,
        house=DoorResult.LOCKED_AGAIN,
        ok=True,
        phases=(PhaseAt(phase=Phase.RINGING, at=at(1)), PhaseAt(phase="ready", at=at(9))),
        refusals=(),
        openings=(PhysicalOpening(unlocked_at=at(3), opened_at=at(4), closed_at=at(5), locked_at=at(6)),),
        clips=(DemoClip(camera="doorbell", path="a.mp4", start=at(0), end=at(9), sha256="0", gaps=((at(2), at(3)),)),),
        alarms=(),
        messages=(DemoNotification(to="owner", text=text, at=at(1)),),
        proof=DemoProof(folder="visits/1", verified=True),
        house_log="house.jsonl",
    )


LOG: tuple[LogLine, ...] = (
    {"at": at(0.5).isoformat(), "what": "person", "who": "courier", "where": "outside"},
    {"at": at(3).isoformat(), "what": "bolt", "state": "withdrawn", "cause": "id", "in_air": False},
    {"at": at(4).isoformat(), "what": "door", "state": "open", "by": "courier"},
)


def words(svg: str) -> set[str]:
    return {element.text or "" for element in ET.fromstring(svg).iter()}  # noqa: S314 - our own


def test_it_shows_phases_bolt_door_people_films_and_messages() -> None:
    told = words(draw_picture(result(), LOG))
    assert {
        "ringing",
        "unlocked",
        "open",
        "courier outside",
        "film: doorbell",
        "gap",
        "Chronopost is at the door",
    } <= told
    assert "delivered: delivered, locked again; the proof holds" in told


def test_text_from_outside_stays_text() -> None:
    hostile = '<script>alert("1")</script>&'
    assert hostile in words(draw_picture(result(hostile), LOG))
    assert "<script" not in draw_picture(result(hostile), LOG)


def test_a_run_in_which_nobody_came_is_drawn_too() -> None:
    nothing = result().model_copy(update={"phases": (), "clips": (), "messages": (), "openings": (), "outcome": None})
    assert "no visit, locked again; the proof holds" in draw_picture(nothing, LOG)
