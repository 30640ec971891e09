"""A video process without a gateway: for how long it stays, and that it closes what it filmed."""

import asyncio
import os
import shlex
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from gateway.video.held_folder import AlreadyRunning
from gateway.video.ipc import FROM_VIDEO_ADAPTER, ClipBegun, ClipKey, ConfigureCameras, RecordClip, StreamFault
from gateway.video.process import VideoProcess
from gateway.video.sidecar import SidecarEnd, read_sidecar
from tests.filmset.cameras import CameraSet
from tests.filmset.films import check_clip
from tests.waiting import assert_stays, wait_until

PATIENCE = 30.0
ORPHAN_S = 2.0  # seconds for which it films on without a gateway


def process(place: Path, *, orphan: float = 60.0, idle: float = 60.0) -> VideoProcess:
    return VideoProcess(
        place / "video.sock", utc=lambda: datetime.now(UTC), orphan_timeout_s=orphan, idle_timeout_s=idle
    )


async def test_with_nothing_to_film_and_nobody_to_serve_it_ends(tmp_path: Path) -> None:
    await asyncio.wait_for(process(tmp_path, idle=0.2).run(), PATIENCE)

    left = await asyncio.to_thread(lambda: [path.name for path in tmp_path.iterdir()])
    assert left == [], "neither socket nor pid file is left"


async def test_a_dead_processs_socket_and_pid_file_are_taken_over(tmp_path: Path) -> None:
    (tmp_path / "video.pid").write_text("1\n")
    (tmp_path / "video.sock").touch()

    await asyncio.wait_for(process(tmp_path, idle=0.2).run(), PATIENCE)


async def test_there_is_one_process_for_a_socket(tmp_path: Path) -> None:
    first = asyncio.create_task(process(tmp_path, idle=1.0).run())
    await wait_until((tmp_path / "video.sock").exists)
    with pytest.raises(AlreadyRunning):
        await process(tmp_path).run()
    assert (tmp_path / "video.sock").exists()

    await asyncio.wait_for(first, PATIENCE)


async def test_a_newer_gateway_that_it_does_not_understand_does_not_keep_it(tmp_path: Path) -> None:
    """After an upgrade: the new version calls on, as it does every moment, and gets a process of its own."""
    running = asyncio.create_task(process(tmp_path, idle=4.0).run())
    while not (tmp_path / "video.sock").exists():  # noqa: ASYNC110  a file tells of no event
        await asyncio.sleep(0.02)
    async with asyncio.timeout(PATIENCE):
        while not running.done():
            try:
                reader, writer = await asyncio.open_unix_connection(tmp_path / "video.sock")
                writer.write(b'{"kind":"configure","cameras":[],"folder":"films","newer":true}\n')
                await reader.read()  # until it hangs up
                writer.close()
            except (ConnectionError, FileNotFoundError):
                break  # it has ended
            await asyncio.sleep(0.1)
        await running


def words_that_are_none(socket_path: Path) -> None:
    """Speak to the process what it does not understand: it logs that, and hangs up."""
    with socket.socket(socket.AF_UNIX) as gateway:
        gateway.settimeout(PATIENCE)
        gateway.connect(str(socket_path))
        gateway.sendall(b"nonsense\n")
        while gateway.recv(4096):
            pass


async def test_a_process_whose_gateway_has_ended_writes_no_more_into_its_terminal(tmp_path: Path) -> None:
    place = tmp_path / "video.sock"
    ours, theirs = os.openpty()
    command = shlex.join([sys.executable, "-m", "gateway.video", "--socket", str(place)])
    gateway = await asyncio.create_subprocess_exec(
        "sh", "-c", f"{command} & read line", stdin=asyncio.subprocess.PIPE, stderr=theirs
    )
    await wait_until(place.exists)
    (video,) = psutil.Process(gateway.pid).children()
    try:
        await asyncio.to_thread(words_that_are_none, place)
        assert b"invalid message" in os.read(ours, 65_536), "so long as the gateway runs, its terminal tells"
        await gateway.communicate(b"\n")
        await wait_until(lambda: video.ppid() != gateway.pid)
        await asyncio.to_thread(words_that_are_none, place)
    finally:
        video.terminate()
        await asyncio.to_thread(video.wait, PATIENCE)
    os.close(theirs)
    os.set_blocking(ours, False)
    with pytest.raises(OSError, match="Input/output error"):  # nothing is left to read, and nobody has it open
        os.read(ours, 65_536)
    os.close(ours)


@pytest.mark.slow
async def test_an_orphan_films_on_for_its_patience_and_then_closes_the_film(tmp_path: Path, cameras: CameraSet) -> None:
    running = asyncio.create_task(process(tmp_path, orphan=ORPHAN_S, idle=0.2).run())
    while not (tmp_path / "video.sock").exists():  # noqa: ASYNC110  a file tells of no event
        await asyncio.sleep(0.02)
    reader, writer = await asyncio.open_unix_connection(tmp_path / "video.sock")
    clip = ClipKey(visit="visit-1", part=1)
    for words in (
        ConfigureCameras(cameras=(cameras.source("hall"),), folder=str(tmp_path / "films")),
        RecordClip(clip=clip, cameras=("hall",), folder="visit-1"),
    ):
        writer.write(words.model_dump_json().encode() + b"\n")
    async with asyncio.timeout(PATIENCE):
        while not isinstance(FROM_VIDEO_ADAPTER.validate_json(await reader.readline()), ClipBegun):
            pass
    writer.close()
    await writer.wait_closed()
    await assert_stays(lambda: not running.done(), ORPHAN_S / 2, "it has ended too early")

    await asyncio.wait_for(running, PATIENCE)

    end = read_sidecar(tmp_path / "films/visit-1/hall-1-1.jsonl")[-1]
    assert isinstance(end, SidecarEnd)
    assert end.why is StreamFault.INTERRUPTED
    assert end.facts is not None
    assert check_clip(tmp_path / "films", end.facts).pictures > 15
