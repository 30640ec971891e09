"""A box with one sealed visit, filmed by two cameras in real H.264: one film lacks its middle."""

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

from devices.reports import DoorState
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import Entrance, Phase
from gateway.evidence.manifest import visit_folder
from gateway.video.ipc import ClipFacts, ClipKey, ClipsClosed
from gateway.video.sidecar import FilmHashChain
from tests.filmset.films import MUXER_OPTIONS
from tests.gateway.domain.delivery.house import make_step, receive
from tests.gateway.domain.delivery.shop import NOON, NOW, make_offer
from tests.shell.box import ShellBox, box, run_tasks
from tests.shell.house import VISIT, entrance_in_visit
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

RATE = 10  # pictures a second
WIDTH, HEIGHT = 320, 180
FILM_S = 20
FOLDER = visit_folder(VISIT)
# Camera, number of its film, from which second to which one.
FILMS: tuple[tuple[str, int, int, int], ...] = (("cam", 1, 0, FILM_S), ("hall", 1, 2, 9), ("hall", 2, 13, FILM_S))


@lru_cache
def film_of(camera: str, first: int, last: int, *, scale: int = 1) -> bytes:
    """Encode a film on which somebody walks by; the shade of its left upper corner tells the second since NOON.

    With a larger `scale` it is as large as a camera's film, and as noisy.
    """
    file = io.BytesIO()
    grain = np.random.default_rng(1).integers(-12, 12, (HEIGHT * scale + 64, WIDTH * scale, 1), np.int16)
    with av.open(file, "w", format="mp4", container_options=dict(MUXER_OPTIONS)) as container:
        options = {"g": str(RATE), "bf": "0", "preset": "ultrafast"}
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH * scale, HEIGHT * scale, "yuv420p"
        for number in range(first * RATE, last * RATE):
            picture = np.asarray(_picture(camera, number).resize((WIDTH * scale, HEIGHT * scale)))
            if scale > 1:
                top = number * 7 % 64
                noisy = picture.astype(np.int16) + grain[top : top + HEIGHT * scale]
                picture = noisy.clip(0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def _picture(camera: str, number: int) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), (96, 118, 122) if camera == "cam" else (138, 108, 84))
    pen = ImageDraw.Draw(image)
    second = number / RATE
    if 2 <= second <= 16:
        left = int(40 + 12 * second)
        pen.ellipse((left, 40, left + 26, 66), fill=(232, 194, 160))
        pen.rectangle((left - 6, 66, left + 32, 150), fill=(36, 52, 92))
        if second < 9:
            pen.rectangle((left + 20, 90, left + 56, 120), fill=(190, 142, 84))
    pen.rectangle((0, 0, 39, 39), fill=(int(40 + 10 * second),) * 3)
    pen.text((WIDTH - 96, HEIGHT - 16), f"{camera} {second:05.1f}", fill=(255, 255, 255))
    return image


async def _write_films(made: ShellBox, scale: int) -> tuple[ClipFacts, ...]:
    folder = made.home.storage.folder / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    facts: list[ClipFacts] = []
    for camera, number, first, last in FILMS:
        name, data, chain = f"{camera}-1-{number}.mp4", film_of(camera, first, last, scale=scale), FilmHashChain()
        for _link in chain.feed(data):
            pass
        (folder / name).write_bytes(data)
        facts.append(ClipFacts(
            camera=camera, path=f"{FOLDER}/{name}", start=_at(first), end=_at(last), sha256=chain.digest,
            fragments=chain.links,
        ))  # fmt: skip
    return tuple(facts)


def _at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


async def _tell(made: ShellBox) -> None:
    """Let the log tell what happened, at its seconds."""
    over = entrance_in_visit(
        made.home, Phase.LOCKED_AGAIN, outcome=Outcome.DELIVERED, door_result=DoorResult.LOCKED_AGAIN, opened=True,
        parcels=frozenset({"8L20524752032"}),
    )  # fmt: skip
    visit = over.visit
    assert visit is not None
    steps: Sequence[tuple[float, Phase, e.Event | None, tuple[c.Command, ...]]] = (
        (0, Phase.RINGING, None, (c.StartRecording(visit=VISIT, part=1),)),
        (3, Phase.UNLOCKED, None, (c.AnswerScan(scan=VISIT, scanner="scanner", answer=c.ScanAnswer.GO),)),
        (5, Phase.UNLOCKED, _door(DoorState.OPEN), ()),
        (12, Phase.RELOCKING, _door(DoorState.CLOSED), ()),
        (15, Phase.LOCKED_AGAIN, None, (
            c.ReportDoorResult(visit=VISIT, delivery="shop.d1", door_result=DoorResult.LOCKED_AGAIN),
            c.StopRecording(visit=VISIT, part=1, keep=True),
        )),
    )  # fmt: skip
    for second, phase, event, commands in steps:
        state = replace(over, visit=replace(visit, phase=phase))
        await made.store.commit(make_step(state, *commands, event=event, now=replace(NOW, utc=_at(second))))
        made.front.state = state


def _door(door: DoorState) -> e.Event:
    return e.SensorReported(sensor="door", value=door, context=e.ReportContext(session=1))


async def film_visit(made: ShellBox, *, seal: bool = True, scale: int = 1) -> Path:
    """Film a visit, and seal it; return its folder. The archive must run."""
    await receive(made.store, make_offer())
    await _tell(made)
    made.archive.on_film_end(c.StopRecording(visit=VISIT, part=1, keep=True), replace(NOW, utc=_at(FILM_S)))
    made.archive.add_clips(
        ClipsClosed(clip=ClipKey(visit=VISIT, part=1), clips=await _write_films(made, scale), gaps=())
    )
    await wait_until(lambda: any(film.clips for film in made.store.recordings.films(visit=VISIT)))
    if seal:
        made.archive.seal(c.SealProof(visit=VISIT, part=1, gaps=()), made.front.state)
        await wait_until(lambda: made.store.recordings.films(visit=VISIT)[0].sealed)
        made.front.state = Entrance(id="front", rules=made.front.state.rules, broker_session=1)
    return made.home.storage.folder / FOLDER


@asynccontextmanager
async def replayed_site(folder: Path, *, seal: bool = True, scale: int = 1) -> AsyncIterator[ServedSite]:
    """Serve the pages of a box with one visit."""
    async with box(folder) as made, run_tasks(made.archive.run()):
        await film_visit(made, seal=seal, scale=scale)
        async with serve_site(made) as site:
            yield site
