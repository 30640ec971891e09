"""Shows a visit's sealed proof, and verifies a copy in which one byte was changed."""

import re
import shutil
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.config.closure_names import closure_names
from gateway.config.closures import entrance_closures
from gateway.config.device_names import device_names
from gateway.demo.page.snapshot import DemoFilm, DemoTimelineEntry, ProofVerified, film_time
from gateway.demo.page.words import LANGUAGES
from gateway.demo.plan import DemoPlan
from gateway.evidence.extract import entry_bodies
from gateway.evidence.manifest import VISITS_FOLDER, ClipRecord, Manifest, log_name, manifest_name
from gateway.evidence.verify import verify_proof
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.keys import PUBLIC_KEY_FILE
from gateway.system.i18n import Language
from gateway.web.server.visit_story import StoryNames, story_lines

CHANGED_COPY_FOLDER = "changed"  # the folder of the copy, in the run's own
_SECOND_PATTERN = re.compile(r"second (\d+(?:\.\d+)?)")


def read_sealed_film(plan: DemoPlan, visit: str) -> DemoFilm | None:
    """Read the outside camera's film and the timeline of a sealed visit; None: it has no film of that camera.

    OSError, ValueError: it is not sealed.
    """
    folder = plan.home.storage.folder / VISITS_FOLDER / visit
    clip = _find_clip(folder, plan.section.film_cameras[0])
    if clip is None:
        return None
    rows = entry_bodies((folder / log_name(1)).read_bytes()).values()
    zone = ZoneInfo(plan.home.timezone)
    stories = {
        language: story_lines(rows, language=language, zone=zone, names=_names(plan, language))
        for language in LANGUAGES
    }
    moments = tuple(
        DemoTimelineEntry(
            at=film_time(same[0].at), clock=f"{same[0].at.astimezone(zone):%H:%M:%S}", tone=same[0].tone,
            text={language: line.text for language, line in zip(stories, same, strict=True)},
        )
        for same in zip(*stories.values(), strict=True)
    )  # fmt: skip
    return DemoFilm(
        url=f"/film/{visit}/{clip.file}", start=film_time(clip.start), end=film_time(clip.end), moments=moments
    )


def _names(plan: DemoPlan, language: Language) -> StoryNames:
    return StoryNames(
        closures=closure_names(entrance_closures(plan.home, plan.entrance), language),
        keepers={id_: section.name for id_, section in plan.home.keepers.items()},
        devices=device_names(plan.home, language),
    )


def _find_clip(folder: Path, camera: str) -> ClipRecord | None:
    manifest = Manifest.from_json((folder / manifest_name(1)).read_bytes())
    return next((clip for clip in manifest.clips if clip.camera == camera), None)


def verify_changed_copy(folder: Path, plan: DemoPlan, visit: str, phone: Path) -> tuple[ProofVerified, ProofVerified]:
    """Verify a visit's proof, then a copy in the run's `folder` with one byte changed in the middle of its film.

    LookupError: the visit has no film of the outside camera.
    """
    box = plan.home.storage.folder
    original, copy = box / VISITS_FOLDER / visit, folder / CHANGED_COPY_FOLDER / visit
    shutil.copytree(original, copy)
    clip = _find_clip(copy, plan.section.film_cameras[0])
    if clip is None:
        raise LookupError(f"{visit} has no film of {plan.section.film_cameras[0]}")
    film = copy / clip.file
    with film.open("r+b") as file:
        file.seek(film.stat().st_size // 2)
        (byte,) = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    key = PublicKey.from_pem((box / "key" / PUBLIC_KEY_FILE).read_bytes())
    length = (clip.end - clip.start).total_seconds()
    return _verify(original, key, phone, length), _verify(copy, key, phone, length)


def _verify(folder: Path, key: PublicKey, phone: Path, length: float) -> ProofVerified:
    verdict = verify_proof(folder, public_key=key, checkpoint=phone)
    where = verdict.where or ""
    second = _SECOND_PATTERN.search(where)
    return ProofVerified(
        holds=verdict.ok, second=None if second is None else float(second[1]), length=length, where=where
    )
