"""A real video process shows real H.264 to pages, while it films."""

import asyncio
import os
import select
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.video import live as gateways_end
from gateway.video import viewers
from gateway.video.ipc import (
    FROM_VIDEO_ADAPTER,
    TO_VIEWER_ADAPTER,
    BarcodeRead,
    CameraProof,
    ClipBegun,
    ClipKey,
    ConfigureCameras,
    LiveViewAccepted,
    LiveViewError,
    LiveViewRefused,
    LiveViewRequest,
    PictureTaken,
    RecordClip,
    TakePicture,
    WatchCameras,
    live_socket,
)
from gateway.video.live import LiveViewUnavailable, open_live_view
from gateway.video.process import IDLE_TIMEOUT_S
from gateway.video.process import VideoProcess as Process
from gateway.video.viewers import DEFAULT_VIEWER_LIMITS, ViewerLimits
from tests.filmset.cameras import CameraSet
from tests.filmset.films import check_clip
from tests.filmset.pages import open_page
from tests.filmset.talk import TIMEOUT_S, video_process
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

VISIT = ClipKey(visit="visit-1", part=1)


def record(camera: str) -> RecordClip:
    return RecordClip(clip=VISIT, cameras=(camera,), folder="visit-1")


@asynccontextmanager
async def narrow(
    place: Path, cameras: CameraSet, *, seats: ViewerLimits = DEFAULT_VIEWER_LIMITS
) -> AsyncIterator[Path]:
    """A video process with other limits, in this loop, which knows `front` and `hall`; its socket."""
    path = place / "video.sock"
    running = asyncio.create_task(Process(path, utc=lambda: datetime.now(UTC), viewer_limits=seats).run())
    await wait_until(path.exists)
    reader, writer = await asyncio.open_unix_connection(path)
    sources = tuple(cameras.source(name) for name in ("front", "hall"))
    for words in (
        ConfigureCameras(cameras=sources, folder=str(place / "films")),
        TakePicture(camera="front", request="a"),
    ):
        writer.write(words.model_dump_json().encode() + b"\n")
    async with asyncio.timeout(TIMEOUT_S):
        while not isinstance(FROM_VIDEO_ADAPTER.validate_json(await reader.readline()), PictureTaken):
            pass
    try:
        yield path
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def test_what_a_page_gets_plays_and_shows_the_present(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front"):
        async with open_page(process.socket, "front") as it:
            await it.sees(60)
            seen, clock = it.play(tmp_path), datetime.now(UTC).timestamp() - time.monotonic()

        assert (it.view.codec, it.view.width, it.view.height) == (
            f"avc1.{cameras.front.sps[1:4].hex().upper()}",
            640,
            360,
        )
        assert seen.pictures == len(seen.times) > 60
        assert seen.streams == ("video",)
        pictures = list(zip(it.came[1:], seen.times, strict=False))
        assert min(came.at - made for came, made in pictures) < timedelta(seconds=1), "never of now"
        assert all(one.at <= other.at for one, other in pairwise(it.fragments))
        arrived = [datetime.fromtimestamp(came.chunk.at + clock, UTC) for came, _ in pictures]
        apart = [instant - made for instant, (_, made) in zip(arrived, pictures, strict=True)]
        assert abs(min(apart)) < timedelta(seconds=0.5), "each is told with the instant at which it arrived"


async def test_two_pages_get_the_same_bytes_and_who_comes_late_begins_at_a_key_picture(
    tmp_path: Path, cameras: CameraSet
) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front"):
        async with open_page(process.socket, "front") as early:
            await early.sees(20)
            async with open_page(process.socket, "front") as late:
                assert late.begins_with_a_key_picture(tmp_path)
                await late.sees(20)
                seen = late.play(tmp_path)

        assert seen.pictures > 20
        assert late.init == early.init
        begin = early.fragments.index(late.fragments[0])
        assert begin > 0, "it begins later"
        shared = min(len(early.fragments) - begin, len(late.fragments))
        assert shared > 10
        assert early.fragments[begin : begin + shared] == late.fragments[:shared]


async def test_where_the_last_key_picture_is_too_long_ago_to_be_kept_who_comes_late_waits_for_the_next(
    tmp_path: Path, cameras: CameraSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewers, "MAX_GROUP_BYTES", 100)
    async with narrow(tmp_path, cameras) as path, open_page(path, "front") as early:
        await early.sees(5)
        async with open_page(path, "front") as late:
            assert late.begins_with_a_key_picture(tmp_path)
            await late.sees(20)
            assert late.play(tmp_path).pictures > 20


async def test_a_page_that_does_not_read_is_cut_off_and_the_other_goes_on(tmp_path: Path, cameras: CameraSet) -> None:
    async with (
        narrow(tmp_path, cameras, seats=ViewerLimits(max_unread_bytes=32 << 10)) as path,
        open_page(path, "front") as it,
    ):
        with socket.socket(socket.AF_UNIX) as asleep:
            asleep.connect(str(live_socket(path)))
            asleep.sendall(LiveViewRequest(camera="front").model_dump_json().encode() + b"\n")
            assert await asyncio.to_thread(hung_up, asleep)
            assert not it.reading.done()
        await it.sees(20)


def hung_up(endpoint: socket.socket) -> bool:
    """Wait until the other end closes, without reading."""
    poll = select.poll()
    poll.register(endpoint, 0)
    return bool(poll.poll(2 * TIMEOUT_S * 1000))


async def test_when_the_camera_is_lost_its_pages_are_hung_up_and_may_come_again(
    tmp_path: Path, cameras: CameraSet
) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front", "hall"):
        async with (
            open_page(process.socket, "front") as one,
            open_page(process.socket, "front") as two,
            open_page(process.socket, "hall") as other,
        ):
            cameras.front.set_mode("reset")
            await one.hung_up()
            await two.hung_up()
            async with open_page(process.socket, "front") as again:
                await again.sees(5)
                assert again.begins_with_a_key_picture(tmp_path)
                assert again.play(tmp_path).times[-1] > one.play(tmp_path).times[-1]
            await other.sees(5)


async def test_a_camera_that_stalls_hangs_its_pages_up(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front"):
        async with open_page(process.socket, "front") as it:
            cameras.front.set_mode("stall")
            await it.hung_up()


async def test_what_cannot_be_seen_is_refused_with_the_reason(tmp_path: Path, cameras: CameraSet) -> None:
    cameras.hall.stop()
    async with narrow(tmp_path, cameras, seats=ViewerLimits(first_picture_timeout_s=0.5)) as path:
        for camera, why in (
            ("no-such-camera", LiveViewError.NO_SUCH_CAMERA),
            ("../front", LiveViewError.NO_SUCH_CAMERA),
            ("x" * 5000, LiveViewError.NOT_UNDERSTOOD),
            ("hall", LiveViewError.NO_PICTURES),
        ):
            assert await refused(path, camera) == why


async def test_there_are_only_so_many_seats_and_each_is_free_again_when_its_page_has_gone(
    tmp_path: Path, cameras: CameraSet
) -> None:
    async with narrow(tmp_path, cameras, seats=ViewerLimits(max_connections=2)) as path:
        async with open_page(path, "front") as it, open_page(path, "hall"):
            assert await refused(path, "front") is LiveViewError.TOO_MANY_VIEWERS
            await it.sees(5)
        async with open_page(path, "front"), open_page(path, "hall"):
            pass


async def refused(path: Path, camera: str, *, patience: float = TIMEOUT_S) -> LiveViewError | None:
    """Why a camera cannot be seen; None where it can."""
    try:
        async with open_live_view(path, camera, timeout_s=patience):
            return None
    except LiveViewUnavailable as none:
        return none.reason


async def test_garbage_from_a_page_is_refused_and_harms_nobody(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front", "hall") as talk:
        talk.say(WatchCameras(cameras=("hall",), on=True))
        async with open_page(process.socket, "front") as it:
            for garbage in (
                b"\n",
                b"{}\n",
                b"\xff\xfe\n",
                b'{"camera":1}\n',
                b'{"camera":"front","x":1}\n',
                b"GET / HTTP/1.1\r\n\r\n",
                b"x" * 100_000,
                WatchCameras(cameras=("front",), on=True).model_dump_json().encode() + b"\n",
            ):
                assert await answer(process.socket, garbage) == LiveViewRefused(why=LiveViewError.NOT_UNDERSTOOD), (
                    garbage[:40]
                )
            assert await answer(process.socket, b"") is None
            await it.sees(10)
            talk.proof("hall", lambda proof: proof.live)
            assert process.process.returncode is None


async def answer(path: Path, said: bytes) -> object:
    """What is answered before the process hangs up; None where we have gone before."""
    reader, writer = await asyncio.open_unix_connection(live_socket(path))
    writer.write(said)
    try:
        if not said:
            return None
        async with asyncio.timeout(TIMEOUT_S):
            return TO_VIEWER_ADAPTER.validate_json(await reader.readline())
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def test_a_page_that_says_more_than_it_should_is_hung_up(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front"):
        async with open_page(process.socket, "front") as it:
            reader, writer = await asyncio.open_unix_connection(live_socket(process.socket))
            writer.write(LiveViewRequest(camera="front").model_dump_json().encode() + b"\n")
            async with asyncio.timeout(TIMEOUT_S):
                assert isinstance(TO_VIEWER_ADAPTER.validate_json(await reader.readline()), LiveViewAccepted)
                writer.write(b"more")
                with suppress(ConnectionResetError):  # it does not read what it did not ask for
                    while await reader.read(1 << 16):
                        pass
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            await it.sees(5)


async def until_nobody_is_connected(cameras: CameraSet) -> None:
    """All tests share the camera. A video process that an earlier test left connected ends after `IDLE_TIMEOUT_S`."""
    await wait_until(lambda: not cameras.front.heard, within=IDLE_TIMEOUT_S + TIMEOUT_S)


async def test_a_camera_is_connected_while_it_is_viewed_and_rests_when_the_last_page_has_gone(
    tmp_path: Path, cameras: CameraSet
) -> None:
    cameras.front.show_label("VIEWED")
    await until_nobody_is_connected(cameras)
    with video_process(tmp_path) as process, process.talk(cameras, "front") as talk:
        assert not cameras.front.heard
        async with open_page(process.socket, "front"):
            async with open_page(process.socket, "front"):
                pass
            async with open_page(process.socket, "front") as it:
                await it.sees(20)
        await until_nobody_is_connected(cameras)

        assert not any(isinstance(words, CameraProof | BarcodeRead) for words in talk.heard), (
            "the gateway is told nothing of it"
        )


async def test_a_watched_camera_stays_connected_when_its_last_page_has_gone(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front") as talk:
        talk.say(WatchCameras(cameras=("front",), on=True))
        talk.proof("front", lambda proof: proof.live)
        async with open_page(process.socket, "front"):
            pass
        for _ in range(8):  # two seconds of proofs
            assert talk.proof("front", lambda _proof: True).live


async def test_the_end_of_a_watch_leaves_a_page_its_pictures(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front") as talk:
        talk.say(WatchCameras(cameras=("front",), on=True, labels=("front",)))
        talk.proof("front", lambda proof: proof.live)
        async with open_page(process.socket, "front") as it:
            talk.say(WatchCameras(cameras=("front",), on=False))
            await it.sees(30)
            cameras.front.show_label("UNWATCHED")
            await it.sees(30)
            assert not any(isinstance(words, BarcodeRead) for words in talk.heard), "nobody asked for labels any more"
        await until_nobody_is_connected(cameras)


async def test_a_film_that_is_made_while_pages_come_and_go_is_whole(tmp_path: Path, cameras: CameraSet) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front", pre_roll=1.0) as talk:
        talk.say(WatchCameras(cameras=("front",), on=True))
        talk.proof("front", lambda proof: proof.live)
        async with open_page(process.socket, "front") as before:
            talk.say(record("front"))
            talk.wait(ClipBegun)
            async with open_page(process.socket, "front") as during:
                await during.sees(30)
            assert talk.proof("front", lambda proof: proof.recording == VISIT).live
            await before.sees(15)
        closed = talk.finish("visit-1")

        (facts,) = closed.clips
        assert (closed.gaps, facts.gaps) == ((), ())
        film, seen = check_clip(process.films, facts), during.play(tmp_path)
        assert film.pictures == len(film.times)
        within = [made for made in seen.times if film.times[0] <= made <= film.times[-1]]
        assert len(within) > 30
        assert set(within) <= set(film.times), "what was seen is on film"


async def test_viewing_lays_in_no_pre_roll_and_a_film_begins_at_once_nevertheless(
    tmp_path: Path, cameras: CameraSet
) -> None:
    with video_process(tmp_path) as process, process.talk(cameras, "front", pre_roll=20.0) as talk:
        async with open_page(process.socket, "front") as it:
            await it.sees(60)  # four groups of pictures
            talk.say(record("front"))
            talk.wait(ClipBegun)
            closed = talk.finish("visit-1")
            seen = it.play(tmp_path)

        (facts,) = closed.clips
        film = check_clip(process.films, facts)
        assert closed.gaps == ()
        assert film.times[0] > seen.times[30], "older pictures than the newest group were kept"


async def test_a_page_outlives_the_gateways_connection_and_not_a_change_of_its_camera(
    tmp_path: Path, cameras: CameraSet
) -> None:
    moved = cameras.source("hall").model_copy(update={"sees_courier": False})
    with video_process(tmp_path) as process, process.talk(cameras, "front", "hall") as old:
        async with open_page(process.socket, "front") as it, open_page(process.socket, "hall") as other:
            with process.talk(cameras, "front", "hall") as new:
                assert old.hung_up()
                new.say(TakePicture(camera="front", request="a"))
                new.wait(PictureTaken)
                await it.sees(15)
                await other.sees(15)
                sources = (cameras.source("front"), moved)
                new.say(ConfigureCameras(cameras=sources, pre_roll=2.0, folder=str(process.films)))
                await other.hung_up()
                await it.sees(15)


async def test_pages_learn_of_a_process_that_is_not_there_hangs_or_ends(
    tmp_path: Path, cameras: CameraSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await refused(tmp_path / "video.sock", "front") is LiveViewError.NO_PROCESS
    with video_process(tmp_path) as process, process.talk(cameras, "front"):
        async with open_page(process.socket, "front") as it:
            monkeypatch.setattr(gateways_end, "CHUNK_TIMEOUT_S", 0.5)
            os.kill(process.process.pid, signal.SIGSTOP)
            try:
                await it.hung_up()
                assert await refused(process.socket, "front", patience=0.5) is LiveViewError.NO_ANSWER
            finally:
                os.kill(process.process.pid, signal.SIGCONT)
        monkeypatch.undo()
        assert live_socket(process.socket).stat().st_mode & 0o777 == 0o600
        async with open_page(process.socket, "front") as it:
            assert await asyncio.to_thread(process.end) == 0
            await it.hung_up()
        assert not live_socket(process.socket).exists()
        assert await refused(process.socket, "front") is LiveViewError.NO_PROCESS
