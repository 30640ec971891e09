"""The gateway's link to a real video process, through the deaths of both."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.video.client import VideoClient
from gateway.video.ipc import (
    BarcodeRead,
    CameraProof,
    ClipBegun,
    ClipKey,
    ClipsClosed,
    ConfigureCameras,
    FromVideo,
    StreamFault,
    VideoHello,
)
from tests.filmset.cameras import CameraSet
from tests.filmset.films import check_clip
from tests.waiting import assert_stays, wait_until

pytestmark = pytest.mark.slow

VISIT = ClipKey(visit="visit-1", part=1)
PATIENCE = 30.0
Heard = TypeVar("Heard")


class Gateway:
    """A gateway as far as the video process can tell: its link, and all that the link told it."""

    def __init__(self, place: Path, cameras: CameraSet) -> None:
        self.heard: list[FromVideo] = []
        self.films = place / "films"
        socket = place / "video.sock"
        self.link = VideoClient(
            command=(sys.executable, "-m", "gateway.video", "--socket", str(socket)),
            socket=socket,
            configure=ConfigureCameras(
                cameras=(cameras.source("front"), cameras.source("hall")), pre_roll=1.0, folder=str(self.films)
            ),
            on_event=self.heard.append,
        )

    async def wait(
        self, kind: type[Heard], is_it: Callable[[Heard], bool] = lambda _words: True, *, since: int = 0
    ) -> Heard:
        async with asyncio.timeout(PATIENCE):
            while True:
                for words in self.heard[since:]:
                    if isinstance(words, kind) and is_it(words):
                        return words
                await asyncio.sleep(0.02)

    async def until(self, true: Callable[[], bool]) -> None:
        await wait_until(true, within=PATIENCE)

    def live(self, camera: str) -> bool:
        proof = self.link.proofs.get(camera)
        return proof is not None and proof.live


@asynccontextmanager
async def gateway(place: Path, cameras: CameraSet) -> AsyncIterator[Gateway]:
    """A gateway that lives inside this block; its video process outlives it."""
    it = Gateway(place, cameras)
    running = asyncio.create_task(it.link.run())
    try:
        yield it
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Path]:
    """A folder whose video process, if any, is ended at last."""
    yield tmp_path
    pid_file = tmp_path / "video.pid"
    if pid_file.exists():
        os.kill(int(pid_file.read_text()), signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            while pid_file.exists():  # noqa: ASYNC110  a file tells of no event
                await asyncio.sleep(0.02)


async def test_a_gateway_starts_its_video_process_watches_films_and_gets_the_facts(
    place: Path, cameras: CameraSet
) -> None:
    async with gateway(place, cameras) as house:
        house.link.watch(("front", "hall"), on=True, labels=("front",))
        house.link.record(VISIT, ("front", "hall"), "visit-1")
        await house.wait(ClipBegun, lambda begun: begun.camera == "hall")
        await house.until(lambda: house.live("front") and house.live("hall"))
        assert house.link.is_connected
        assert house.link.pid
        jpeg = await house.link.take_picture("front", 10)
        assert jpeg is not None
        assert jpeg.startswith(b"\xff\xd8")
        cameras.front.show_label("LINK128")
        await house.wait(BarcodeRead, lambda label: label.code == "LINK128")
        house.link.finish(VISIT, keep=True)
        closed = await house.wait(ClipsClosed)

    for facts in closed.clips:
        check_clip(house.films, facts)
    assert {facts.camera for facts in closed.clips} == {"front", "hall"}


async def test_of_the_proofs_only_edges_are_told(place: Path, cameras: CameraSet) -> None:
    async with gateway(place, cameras) as house:
        house.link.watch(("hall",), on=True)
        await house.until(lambda: house.live("hall"))
        came = set[float]()

        def eight_came() -> bool:
            proof = house.link.proofs.get("hall")
            came.update(() if proof is None else (proof.at,))
            return len(came) >= 8

        await house.until(eight_came)
        edges = [words for words in house.heard if isinstance(words, CameraProof)]

        assert all(one.model_copy(update={"at": other.at}) != other for one, other in pairwise(edges)), (
            "each differs from the one before"
        )
        assert len(edges) < 8, "so many proofs came at least"
        assert house.link.proofs["hall"].at > edges[-1].at + 0.5, "the newest proof is at hand nevertheless"


async def test_when_the_video_process_is_killed_nothing_looks_alive_and_another_one_films_on(
    place: Path, cameras: CameraSet
) -> None:
    async with gateway(place, cameras) as house:
        house.link.watch(("front",), on=True)
        house.link.record(VISIT, ("front",), "visit-1")
        await house.wait(ClipBegun)
        await house.until(lambda: house.live("front"))
        first, since = house.link.pid, len(house.heard)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        dark = await house.wait(CameraProof, since=since)
        assert (dark.live, dark.moving, dark.recording) == (False, False, None)
        assert not house.live("front")

        await house.wait(ClipBegun, since=since)
        await house.until(lambda: house.live("front"))
        assert house.link.pid != first
        house.link.finish(VISIT, keep=True)
        closed = await house.wait(ClipsClosed)

    assert len(closed.clips) == 2
    for facts in closed.clips:
        check_clip(house.films, facts)
    assert [gap.why for _, gap in closed.gaps] == [StreamFault.INTERRUPTED]
    ((_, hole),) = closed.gaps
    assert (hole.start, hole.end) == (closed.clips[0].end, closed.clips[1].start)


async def test_a_gateway_that_dies_leaves_the_film_running_and_the_next_one_ends_it(
    place: Path, cameras: CameraSet
) -> None:
    async with gateway(place, cameras) as house:
        house.link.watch(("front",), on=True)
        house.link.record(VISIT, ("front",), "visit-1")
        await house.wait(ClipBegun)
        pid = house.link.pid

    async with gateway(place, cameras) as house:
        adopted = await house.wait(VideoHello)
        assert (adopted.pid, adopted.recording) == (pid, (VISIT,))
        house.link.watch(("front",), on=True)
        await house.until(lambda: house.live("front"))
        assert house.link.proofs["front"].recording == VISIT
        house.link.finish(VISIT, keep=True)
        closed = await house.wait(ClipsClosed)

    (facts,) = closed.clips
    check_clip(house.films, facts)
    assert closed.gaps == ()


async def test_a_process_that_hangs_looks_alive_for_a_second_at_most(place: Path, cameras: CameraSet) -> None:
    async with gateway(place, cameras) as house:
        house.link.watch(("hall",), on=True)
        await house.until(lambda: house.live("hall"))
        since, pid = len(house.heard), house.link.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            dark = await house.wait(CameraProof, lambda proof: not proof.live, since=since)
            assert dark.camera == "hall"
            assert "hall" not in house.link.proofs
            assert await house.link.take_picture("hall", 0.2) is None
            assert house.link.pid == pid, "it is never killed for that"
        finally:
            os.kill(pid, signal.SIGCONT)
        await house.until(lambda: house.live("hall"))


async def test_a_process_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    link = VideoClient(
        command=("/nonexistent/video",),
        socket=tmp_path / "video.sock",
        configure=ConfigureCameras(cameras=(), folder=str(tmp_path)),
    )
    running = asyncio.create_task(link.run())
    await assert_stays(lambda: not running.done(), 0.5)

    assert not running.done()
    assert not link.is_connected
    assert await link.take_picture("hall", 5) is None
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


OLDER = """
import os, signal, socket, sys
from gateway.video.ipc import VideoHello
at = socket.socket(socket.AF_UNIX)
at.bind(sys.argv[1])
at.listen()
signal.signal(signal.SIGTERM, lambda *_: (os.unlink(sys.argv[1]), os._exit(0)))
while True:  # it knows fewer words than the gateway says, and hangs up at the first it does not know
    line, _ = at.accept()
    line.sendall(VideoHello(pid=os.getpid(), recording=()).model_dump_json().encode() + b"\\n")
    line.recv(65536)
    line.close()
"""


async def test_what_an_older_version_left_behind_is_ended_and_the_next_shows_pictures(
    tmp_path: Path, cameras: CameraSet
) -> None:
    older = await asyncio.create_subprocess_exec(sys.executable, "-c", OLDER, str(tmp_path / "video.sock"))
    while not (tmp_path / "video.sock").exists():  # noqa: ASYNC110  a file tells of no event
        await asyncio.sleep(0.02)
    async with gateway(tmp_path, cameras) as it:
        it.link.watch(["front"], on=True)
        await it.until(lambda: it.live("front"))
        assert await asyncio.wait_for(older.wait(), PATIENCE) == 0, "told to end, in its own time"
        assert it.link.pid != older.pid
