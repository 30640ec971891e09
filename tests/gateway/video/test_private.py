"""In a stay of guests no camera runs, also while no gateway lives: a real video process and real H.264."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.video.ipc import (
    ClipBegun,
    ClipKey,
    PrivatePeriod,
    PrivatePeriods,
    RecordClip,
    StreamFault,
    WatchCameras,
)
from tests.filmset.cameras import CameraSet
from tests.filmset.films import check_clip
from tests.filmset.talk import video_process

pytestmark = pytest.mark.slow

ONE_PICTURE = timedelta(seconds=0.05)  # the duration of the last one, which came before the stay
VISIT = ClipKey(visit="visit-1", part=1)
RECORD = RecordClip(clip=VISIT, cameras=("front",), folder="visit-1")


def stay(start: datetime, *, hours: float = 1.0) -> PrivatePeriods:
    period = PrivatePeriod(camera="front", start=start, end=start + timedelta(hours=hours))
    return PrivatePeriods(periods=(period,))


def test_a_stay_that_begins_while_the_gateway_is_dead_ends_the_film_and_nothing_is_filmed_until_it_is_over(
    tmp_path: Path, cameras: CameraSet
) -> None:
    with video_process(tmp_path) as process:
        with process.talk(cameras, "front") as talk:
            talk.say(RECORD)
            begun = talk.wait(ClipBegun)
            process.grows(begun.path)
            begin = datetime.now(UTC) + timedelta(seconds=1.0)
            talk.say(stay(begin))
        # The gateway is dead now; the next one finds the film ended at the begin of the stay
        with process.talk(cameras, "front") as talk:
            talk.say(stay(begin))
            proof = talk.proof("front", lambda proof: StreamFault.STAY_BEGAN in proof.faults)
            assert (proof.live, proof.recordings) == (False, ())
            talk.say(RECORD)  # it asks for the film again before it knows better
            talk.stays(lambda: not any(isinstance(words, ClipBegun) for words in talk.heard), 1.0, "nothing is filmed")
            talk.say(PrivatePeriods(periods=()))  # the host ends the stay
            again = talk.wait(ClipBegun)
            process.grows(again.path)
            closed = talk.finish("visit-1")
        first, second = closed.clips
        assert first.end <= begin + ONE_PICTURE
        assert check_clip(process.films, first).times[-1] <= first.end
        assert second.start > first.end
        assert [gap.why for _, gap in closed.gaps] == [StreamFault.STAY_BEGAN]


def test_with_a_living_gateway_that_does_nothing_the_film_ends_all_the_same(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front") as talk:
        talk.say(WatchCameras(cameras=("front",), on=True))
        talk.say(RECORD)
        talk.wait(ClipBegun)
        begin = datetime.now(UTC) + timedelta(seconds=1.0)
        talk.say(stay(begin))
        talk.proof("front", lambda proof: StreamFault.STAY_BEGAN in proof.faults and not proof.live)
        closed = talk.finish("visit-1")
        assert [gap.why for _, gap in closed.gaps] == [StreamFault.STAY_BEGAN]
        (film,) = closed.clips
        assert film.end <= begin + ONE_PICTURE
