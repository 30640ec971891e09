"""What a survey makes of what its cameras' process says, and that nobody surveys beside another."""

from pathlib import Path

import pytest

from gateway.domain.timing import Timing
from gateway.installation.survey_probe import CameraWatch, SurveyHolder, SurveyTaken, claim_survey, survey_holder
from gateway.video.ipc import CameraProof, VideoHello

TIMING = Timing(ring=20, live=5)
CAMERAS = ("front", "hall")


class Process:
    """The video process of a survey that has begun at second 0, both cameras live from second 1 on."""

    def __init__(self) -> None:
        self.there = True
        self.watch = CameraWatch(CAMERAS, lambda: self.there)
        self.begins(0.0)

    def begins(self, at: float) -> None:
        self.watch.heard(VideoHello(pid=1, recording=()), at)
        for camera in CAMERAS:
            self.proves(camera, at + 1, live=True)

    def proves(self, camera: str, at: float, *, live: bool) -> None:
        self.watch.heard(CameraProof(camera=camera, at=at, live=live, moving=live), at)

    def dark(self, now: float) -> tuple[str, ...] | None:
        return self.watch.dark(now, TIMING)


def test_of_couriers_who_come_each_minute_as_many_are_refused_as_the_failures_would_have() -> None:
    """A failure of 8 s every 997 s refuses from 20 s before it until 5 s before its end: 23 s of 997."""
    process, refused, looks = Process(), 0, 3000
    for second in range(100, 100 + 60 * looks):
        if second % 997 in (0, 8):
            process.proves("front", second, live=second % 997 == 8)
        if second % 60 == 0:
            refused += process.dark(second) == ("front",)
    assert refused == pytest.approx(looks * 23 / 997, rel=0.05)


def test_a_camera_that_is_away_is_known_to_refuse_only_after_the_rules_would_have_waited() -> None:
    process = Process()
    process.begins(100)
    process.proves("hall", 102, live=False)
    assert process.dark(104) is None, "it may only be starting"
    assert process.dark(124) is None
    assert process.dark(125.5) == ("hall",)


def test_a_short_failure_refuses_nobody() -> None:
    process = Process()
    process.proves("front", 60, live=False)
    process.proves("front", 64.9, live=True)
    assert {process.dark(second) for second in range(60, 200)} == {()}


def test_a_process_that_was_lost_knows_nothing_until_it_has_begun_again() -> None:
    process = Process()
    process.there = False
    assert process.dark(100) is None
    process.there = True
    process.begins(110)
    assert process.dark(112) == (), "and the time between counts for nothing"


def test_without_cameras_there_is_nothing_to_wait_for() -> None:
    assert CameraWatch((), lambda: False).dark(0, TIMING) == ()


def test_who_has_a_survey_has_it_alone_and_is_named(tmp_path: Path) -> None:
    assert survey_holder(tmp_path, "front") is None
    with claim_survey(tmp_path, "front", SurveyHolder.GATEWAY):
        assert survey_holder(tmp_path, "front") is SurveyHolder.GATEWAY
        with pytest.raises(SurveyTaken) as taken, claim_survey(tmp_path, "front", SurveyHolder.TERMINAL):
            pass
        assert taken.value.holder is SurveyHolder.GATEWAY
        with claim_survey(tmp_path, "garage", SurveyHolder.TERMINAL):
            assert survey_holder(tmp_path, "garage") is SurveyHolder.TERMINAL
    assert survey_holder(tmp_path, "front") is None, "the file stays, and says nothing by itself"
    with claim_survey(tmp_path, "front", SurveyHolder.TERMINAL):
        assert survey_holder(tmp_path, "front") is SurveyHolder.TERMINAL
