"""How often a delivery would have been refused: counted, drawn, and kept over an interruption."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

from gateway.config.loader import load_home_file
from gateway.installation.notes import append_survey, read_survey, survey_file
from gateway.installation.survey import (
    GOOD_COLOUR,
    MANY_COLOUR,
    NO_SAMPLE_COLOUR,
    SOME_COLOUR,
    SurveyEnd,
    SurveyEndReason,
    SurveyPlan,
    SurveyRecord,
    SurveySample,
    draw_svg,
    sampling,
    summarise,
    surveyed_devices,
)

HOME = Path(__file__).parents[3] / "config" / "home.yaml"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
BEGUN = SurveyPlan(entrance="front", begun=NOW, every=60, looks=240, devices=("lock", "doorbell"))


def looks(*refused: tuple[str, ...], first: float = 0) -> list[SurveySample]:
    return [SurveySample(at=NOW + timedelta(minutes=first + n), refused=who) for n, who in enumerate(refused)]


def test_a_delivery_counts_once_however_many_devices_would_have_refused_it() -> None:
    found = summarise(BEGUN, looks((), ("lock", "doorbell"), ("doorbell",), ()))
    assert (found.looks, found.refused, found.share) == (4, 2, 0.5)
    assert found.by_device == {"lock": 1, "doorbell": 2}
    assert not found.whole
    assert summarise(BEGUN, []).share == 0.0


def test_the_picture_has_a_cell_a_device_and_hour_coloured_by_how_much_was_refused() -> None:
    seen = [
        *looks(*[()] * 30, *[("doorbell",)] * 30),  # the first hour: half of it
        *looks(*[()] * 59, ("lock",), first=180),  # the fourth: once
    ]
    picture = ET.fromstring(draw_svg(BEGUN, seen, title="Front <door> & hall"))  # noqa: S314 - our own
    cells = [rect.get("fill") for rect in picture.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert cells == [
        GOOD_COLOUR,
        NO_SAMPLE_COLOUR,
        NO_SAMPLE_COLOUR,
        SOME_COLOUR,
        MANY_COLOUR,
        NO_SAMPLE_COLOUR,
        NO_SAMPLE_COLOUR,
        GOOD_COLOUR,
    ]
    assert picture.get("aria-label") == "Front <door> & hall"


def test_lock_door_and_cameras_of_an_entrance_are_looked_at() -> None:
    assert surveyed_devices(load_home_file(HOME), "front") == ("front-lock", "front-door", "doorbell", "hall-camera")


def test_what_was_seen_is_read_back_and_a_line_that_a_crash_cut_short_is_no_look(tmp_path: Path) -> None:
    assert read_survey(tmp_path, "front") is None
    append_survey(tmp_path, "front", BEGUN)
    for look in looks((), ("lock",)):
        append_survey(tmp_path, "front", look)
    with survey_file(tmp_path, "front").open("a") as out:
        out.write('{"at": "2026-')
    assert read_survey(tmp_path, "front") == SurveyRecord(begun=BEGUN, looks=tuple(looks((), ("lock",))))
    append_survey(tmp_path, "front", SurveySample(at=NOW))  # on a line of its own, not on the torn one
    end = SurveyEnd(ended=NOW, why=SurveyEndReason.ASKED, by="Ida")
    append_survey(tmp_path, "front", end)
    kept = read_survey(tmp_path, "front")
    assert kept == SurveyRecord(begun=BEGUN, looks=(*looks((), ("lock",)), SurveySample(at=NOW)), ended=end)
    assert not kept.goes_on
    append_survey(tmp_path, "front", BEGUN)
    assert read_survey(tmp_path, "front") == SurveyRecord(begun=BEGUN)


def test_a_survey_of_a_page_never_looks_more_often_than_that_of_a_day() -> None:
    assert sampling(1) == (60, 60)
    assert sampling(24) == (1440, 60)
    assert sampling(168) == (1440, 420)


def test_a_clock_that_was_set_makes_no_picture_without_end() -> None:
    begun = BEGUN.model_copy(update={"begun": datetime(1970, 1, 1, tzinfo=UTC)})
    assert len(draw_svg(begun, looks((), ("lock",)), title="Front")) < 200_000
