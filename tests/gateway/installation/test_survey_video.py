"""A survey's book: when cameras were not live, and nothing else."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.installation.survey_outage import TimeSpan, refusal_spans
from gateway.installation.survey_video import OutageRecorder
from gateway.video.camera import RECONNECT_BACKOFF, next_delay_s
from gateway.video.client import VideoClient
from gateway.video.ipc import CameraProof, ConfigureCameras
from tests.filmset.pages import wait_until
from tests.foreign import foreign_camera


def proof(at: float, *, live: bool = True, camera: str = "front") -> CameraProof:
    return CameraProof(camera=camera, at=at, live=live, moving=live)


def test_only_what_changes_is_kept() -> None:
    book = OutageRecorder(("front",), began=0.0)
    for said in (
        proof(2.0), proof(2.25), proof(60.0, live=False), proof(60.25, live=False), proof(61.0),
        proof(100.0, live=False), proof(110.0), proof(5.0, camera="another"),
    ):  # fmt: skip
        book.heard(said)

    watched = book.watched(now=200.0)["front"]

    assert watched.over == TimeSpan(begin=0, end=200)
    assert watched.darks == (TimeSpan(begin=0, end=2), TimeSpan(begin=60, end=61), TimeSpan(begin=100, end=110))


def test_a_camera_of_which_nothing_is_heard_would_have_refused_everybody() -> None:
    watched = OutageRecorder(("front",), began=0.0).watched(now=1000.0)["front"]
    refused = refusal_spans(watched.darks, ring=20, live=5, begin=0, end=1000)
    assert refused == (TimeSpan(begin=0, end=995),), "the last seconds are not judged yet"


@pytest.mark.slow
async def test_a_camera_that_is_well_is_told_from_one_that_does_not_open_and_no_picture_is_kept(tmp_path: Path) -> None:
    loop, socket = asyncio.get_running_loop(), tmp_path / "video.sock"
    book = OutageRecorder(("front", "hall"), began=loop.time())
    with foreign_camera() as front, foreign_camera(codec="h265") as hall:
        link = VideoClient(
            command=(sys.executable, "-m", "gateway.video", "--socket", str(socket)),
            socket=socket,
            configure=ConfigureCameras(
                cameras=(front.source(), hall.source(name="hall")), pre_roll=0, folder=str(tmp_path)
            ),
            on_event=book.heard,
        )
        link.watch(("front", "hall"), on=True)
        running = asyncio.create_task(link.run())
        await wait_until(lambda: (seen := link.proofs.get("front")) is not None and seen.live, "live pictures")
        await asyncio.sleep(0.5)
        watched = book.watched(now=loop.time())
        assert link.pid is not None
        os.kill(link.pid, signal.SIGTERM)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    assert watched["front"].darks[-1].end < watched["front"].over.end, "it is live now"
    assert watched["hall"].darks == (watched["hall"].over,), "it never was"
    assert films(tmp_path) == []


def films(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in {".mp4", ".jsonl", ".part"}]


def test_a_survey_s_camera_is_tried_again_as_soon_as_in_a_visit() -> None:
    """Else an outage of a few seconds would last longer in a survey than at the door."""
    filming, idle = [RECONNECT_BACKOFF.first_s], [RECONNECT_BACKOFF.first_s]
    for _ in range(6):
        filming.append(next_delay_s(filming[-1], was_stable=False, urgent=True))
        idle.append(next_delay_s(idle[-1], was_stable=False, urgent=False))
    assert filming == [0.25, 0.5, 1, 1, 1, 1, 1]
    assert idle == [0.25, 0.5, 1, 2, 4, 5, 5]
    assert next_delay_s(5, was_stable=True, urgent=False) == RECONNECT_BACKOFF.first_s
