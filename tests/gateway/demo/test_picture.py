"""The picture of a visit is well-formed, complete and inert."""

from xml.etree import ElementTree as ET

from gateway.demo.picture import draw_picture
from gateway.demo.result import LogLine
from tests.gateway.demo.example_result import at, result

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
