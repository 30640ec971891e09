"""`perron survey`: looks again and again whether a delivery would have been refused; broken off, it goes on.

The cameras run in a video process of the survey's own, which films nothing: only whether pictures are live is asked.
"""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from gateway.asking import NoKey, ask, topics
from gateway.cameras import cameras as sources
from gateway.cli.broker import logged_in
from gateway.cli.failure import Exit, Failure, plain
from gateway.clock import Clock
from gateway.config import Home
from gateway.installation import notes
from gateway.installation.survey import Begun, Look, Summary, devices_of, drawn, summary
from gateway.video.link import VideoLink
from gateway.video.survey import Survey
from gateway.visit.survey import refusing

LONGEST = 30.0  # seconds that a device may declare to need
AHEAD = 10.0  # seconds for cameras to begin before the first look

VIDEO = (sys.executable, "-m", "gateway.video")


async def survey(  # noqa: PLR0913 - what is looked at, how often, by whom
    home: Home,
    entrance: str,
    *,
    hours: float,
    every: float,
    anew: bool,
    tell: Callable[[str], None],
    ahead: float = AHEAD,
) -> Summary:
    """Look until the hours are over, or until it is broken off; what was seen is kept after each look.

    Raises:
        Failure: the storage folder cannot be written, or the broker cannot be spoken to at the start.
    """
    clock = Clock(home.clock, floor=None, keep_floor=lambda _: None)
    begun, looks = _resumed(home, entrance, anew=anew)
    if begun is None:
        begun = Begun(
            entrance=entrance, begun=clock.now().utc, every=every, looks=max(1, round(hours * 3600 / every)),
            devices=devices_of(home, entrance),
        )  # fmt: skip
        _keep(home, entrance, begun)
        looks = []
    cameras = tuple(id_ for id_ in begun.devices if id_ in home.devices and home.devices[id_].kind == "camera")
    others = tuple(id_ for id_ in begun.devices if id_ in home.devices and id_ not in cameras)
    timing, loop = home.entrances[entrance].timing, asyncio.get_running_loop()
    async with _watching(home, cameras) as book:
        await asyncio.sleep(ahead if cameras else 0)
        since = loop.time()
        while len(looks) < begun.looks:
            await asyncio.sleep(max(0.0, since + begun.every - loop.time()))
            silent, now = await _silent(home, others), loop.time()
            late = timing.live  # whether pictures that fail now fail for too long is known so much later
            dark = [
                name
                for name, watched in book.watched(now=now).items()
                if refusing(watched.darks, ring=timing.ring, live=late, begin=since - late, end=now - late)
            ]
            since = now
            look = Look(at=clock.now().utc, refused=(*silent, *dark))
            looks.append(look)
            _keep(home, entrance, look)
            tell(_line(begun, looks))
    return result(home, begun, looks)


def result(home: Home, begun: Begun, looks: Sequence[Look]) -> Summary:
    """Count, and draw the picture beside the numbers.

    Raises:
        Failure: it cannot be written.
    """
    found = summary(begun, looks)
    title = f"{home.entrances[begun.entrance].name}: {found.refused}/{found.looks}"
    try:
        notes.picture_of_survey(home.storage.folder, begun.entrance, drawn(begun, looks, title=title))
    except OSError as error:
        raise Failure(f"The picture cannot be written ({plain(error)}).", "Look at storage.folder.") from error
    return found


def _line(begun: Begun, looks: Sequence[Look]) -> str:
    found = summary(begun, looks)
    now = f", now: {', '.join(looks[-1].refused)}" if looks[-1].refused else ""
    return f"{found.looks}/{found.wanted} looks, {found.refused} would have refused a delivery{now}"


def _resumed(home: Home, entrance: str, *, anew: bool) -> tuple[Begun | None, list[Look]]:
    kept = None if anew else notes.survey_of(home.storage.folder, entrance)
    if kept is None:
        return None, []
    begun, looks = kept
    if summary(begun, looks).whole:
        return None, []
    return begun, list(looks)


def _keep(home: Home, entrance: str, line: Begun | Look) -> None:
    try:
        notes.keep_survey(home.storage.folder, entrance, line)
    except OSError as error:
        raise Failure(f"What was seen cannot be kept ({plain(error)}).", "Look at storage.folder.") from error


@contextlib.asynccontextmanager
async def _watching(home: Home, cameras: Sequence[str]) -> AsyncIterator[Survey]:
    """Run these cameras, filming nothing; what is given keeps the book of when they were live."""
    loop = asyncio.get_running_loop()
    book = Survey(cameras, began=loop.time())
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "video.sock"
        source = sources(home).model_copy(update={"folder": folder, "pre_roll": 0.0})
        link = VideoLink(
            command=(*VIDEO, "--socket", str(socket)), socket=socket, configure=source, on_event=book.heard
        )
        running = asyncio.create_task(link.run())
        link.watch(cameras, on=True)
        try:
            yield book
        finally:
            link.watch(cameras, on=False)
            ours = link.pid
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            if ours is not None:  # it would wait a minute for a gateway that never comes
                with contextlib.suppress(ProcessLookupError):
                    os.kill(ours, signal.SIGTERM)


async def _silent(home: Home, devices: Sequence[str]) -> list[str]:
    """Which devices do not answer in the time that they declare; all of them where the broker is not there."""
    try:
        async with logged_in(home.broker.account("installer"), topics(home, devices)) as guest:
            found = await ask(home, guest, devices, longest=LONGEST, word="survey", settle=0.0)
    except Failure as failure:
        if failure.code is Exit.SILENT:
            return list(devices)
        raise
    except NoKey as error:
        raise Failure(f"{error}.", "Survey on the box itself, as its own user.") from error
    return [id_ for id_, heard in found.devices.items() if heard.why is None and heard.answer is None]
