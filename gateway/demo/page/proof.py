"""A visit's sealed proof as the page shows it, and what becomes of a copy in which one byte was changed."""

import asyncio
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

from gateway.demo.page.snapshot import Film, Moment, Verified, clock_time
from gateway.demo.page.words import LANGUAGES
from gateway.demo.plan import Plan
from gateway.evidence.extract import told_bodies
from gateway.evidence.folders import VISITS
from gateway.evidence.manifest import ClipRecord, Manifest, log_name, manifest_name
from gateway.evidence.verify import verify
from gateway.protocol.keys import PUBLIC, PublicKey
from gateway.web.server.visit_story import Row, story

CHANGED = "changed"  # the folder of the copy, in the run's own
_SECOND = re.compile(r"second (\d+(?:\.\d+)?)")


async def sealed_film(plan: Plan, visit: str) -> Film:
    """The outside camera's film of a sealed visit, with the visit's timeline in both languages.

    Raises:
        OSError, ValueError: it is not sealed.
    """
    return await asyncio.to_thread(_sealed_film, plan, visit)


def _sealed_film(plan: Plan, visit: str) -> Film:
    folder = plan.home.storage.folder / VISITS / visit
    clip = _clip(folder, plan.section.cameras.outside)
    rows = cast("list[Row]", list(told_bodies((folder / log_name(1)).read_bytes()).values()))
    zone = ZoneInfo(plan.home.timezone)
    told = {language: story(rows, language=language, zone=zone) for language in LANGUAGES}
    moments = tuple(
        Moment(
            at=clock_time(same[0].at), clock=_clock(same[0].at, zone), tone=same[0].tone.value,
            text={language: line.text for language, line in zip(told, same, strict=True)},
        )
        for same in zip(*told.values(), strict=True)
    )  # fmt: skip
    url = f"/film/{visit}/{clip.file}"
    return Film(
        camera=clip.camera, url=url, start=clock_time(clip.start), end=clock_time(clip.end), moments=moments
    )  # fmt: skip


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%H:%M:%S")


def _clip(folder: Path, camera: str) -> ClipRecord:
    manifest = Manifest.from_json((folder / manifest_name(1)).read_bytes())
    return next(clip for clip in manifest.clips if clip.camera == camera)


async def one_byte_changed(folder: Path, plan: Plan, visit: str, phone: Path) -> tuple[Verified, Verified]:
    """Verify a visit's proof, then a copy in the run's `folder` with one byte changed in the middle of its film."""
    return await asyncio.to_thread(_one_byte_changed, folder, plan, visit, phone)


def _one_byte_changed(folder: Path, plan: Plan, visit: str, phone: Path) -> tuple[Verified, Verified]:
    box = plan.home.storage.folder
    original, copy = box / VISITS / visit, folder / CHANGED / visit
    shutil.copytree(original, copy)
    clip = _clip(copy, plan.section.cameras.outside)
    film = copy / clip.file
    with film.open("r+b") as file:
        file.seek(film.stat().st_size // 2)
        (byte,) = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    key, length = PublicKey.from_pem((box / "key" / PUBLIC).read_bytes()), (clip.end - clip.start).total_seconds()
    before, changed = _verified(original, key, phone, length), _verified(copy, key, phone, length)
    return before, changed


def _verified(folder: Path, key: PublicKey, phone: Path, length: float) -> Verified:
    verdict = verify(folder, public_key=key, checkpoint=phone)
    where = verdict.where or ""
    second = _SECOND.search(where)
    return Verified(holds=verdict.ok, second=None if second is None else float(second[1]), length=length, where=where)
