"""The films of a whole visit, looked at as anybody could: the times that the cameras themselves burnt into them."""

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.demo.run import DemoObserver, run_scenario
from gateway.demo.scenarios import find_scenarios
from tests.filmset.films import decode_film

NEAR = timedelta(seconds=0.5)


def nearest(times: tuple[datetime, ...], to: datetime) -> timedelta:
    return min(abs(time - to) for time in times)


@pytest.mark.slow
async def test_every_film_shows_the_moment_before_the_door_opened_the_opening_and_the_locking(tmp_path: Path) -> None:
    judged = await run_scenario(find_scenarios("delivered")[0], tmp_path, fast=True, observer=DemoObserver())
    assert judged.complaints == ()
    (opening,) = judged.result.openings
    assert opening.unlocked_at is not None
    assert opening.closed_at is not None
    assert opening.locked_at is not None
    assert judged.result.proof.folder is not None
    folder = Path(judged.result.proof.folder)
    assert {clip.camera for clip in judged.result.clips} == {"doorbell", "hall-camera"}
    for clip in judged.result.clips:
        film = decode_film(folder / clip.path)
        assert len(film.times) == film.pictures, "every picture shows its time"
        assert film.times[0] < opening.unlocked_at
        assert film.times[0] < opening.opened_at
        for moment in (opening.unlocked_at, opening.opened_at, opening.closed_at, opening.locked_at):
            assert nearest(film.times, moment) <= NEAR, f"{clip.camera} has no picture of {moment}"
        assert film.times[-1] > opening.locked_at
        steps = [after - before for before, after in pairwise(film.times)]
        assert max(steps) <= NEAR, f"{clip.camera} has a hole that nobody declared"
        assert abs(film.times[0] - clip.start) <= NEAR, "the manifest says when the film begins"
        assert abs(film.times[-1] - clip.end) <= NEAR, "and when it ends"
