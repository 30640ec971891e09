"""A survey watches real cameras and keeps nothing of what they see."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.video.survey import Survey, Watched, survey
from gateway.video.words import Fault, Proof, Unopened
from gateway.visit.survey import Span
from tests.foreign import foreign_camera


def proof(at: float, *faults: Fault, live: bool = True, camera: str = "front") -> Proof:
    return Proof(camera=camera, at=at, live=live, moving=live, faults=faults)


def test_only_what_changes_is_kept_and_each_fault_counted_once() -> None:
    book = Survey(("front",), began=0.0)
    for said in (
        proof(2.0), proof(2.25), proof(60.0, Fault.STALL, live=False), proof(60.25, Fault.STALL, live=False),
        proof(61.0), proof(100.0, Fault.RESET, live=False), proof(110.0), proof(5.0, camera="another"),
    ):  # fmt: skip
        book.heard(said)

    watched = book.watched(now=200.0)["front"]

    assert watched.darks == (Span(begin=0, end=2), Span(begin=60, end=61), Span(begin=100, end=110))
    assert watched.faults == {Fault.STALL: 1, Fault.RESET: 1}
    assert watched.refused(ring=20, live=5) == pytest.approx(25 / 200)


def test_a_camera_of_which_nothing_is_heard_would_have_refused_everybody() -> None:
    watched = Survey(("front",), began=0.0).watched(now=1000.0)["front"]
    assert watched.refused(ring=20, live=5) == pytest.approx(0.995)  # the last 5 s are not judged yet


def films(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in {".mp4", ".jsonl", ".part"}]


@pytest.mark.slow
async def test_a_survey_tells_a_camera_that_is_well_from_one_that_does_not_open(tmp_path: Path) -> None:
    told: list[Mapping[str, Watched]] = []
    with foreign_camera() as front, foreign_camera(codec="h265") as hall:
        sources = (front.source(), hall.source(name="hall"))
        watched = await survey(sources, seconds=4, folder=tmp_path, tell=told.append)

    assert told[-1].keys() == watched.keys() == {"front", "hall"}
    assert watched["front"].darks[-1].end < watched["front"].over.end, "it is live at the end"
    assert watched["front"].refused(ring=20, live=5) == 0.0
    assert watched["hall"].unopened is Unopened.NOT_H264
    assert len(watched["hall"].darks) == 1
    assert films(tmp_path) == []
