"""`perron survey`: looks again and again whether a delivery would have been refused; broken off, it goes on."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from gateway.cli.failure import Failure, error_text
from gateway.config.home import Home
from gateway.installation import notes
from gateway.installation.device_probe import ProbeKeyUnusable
from gateway.installation.survey import (
    SurveyPlan,
    SurveyRecord,
    SurveySample,
    SurveySummary,
    draw_svg,
    summarise,
    surveyed_devices,
)
from gateway.installation.survey_probe import (
    CAMERA_START_S,
    SurveyHolder,
    SurveyTaken,
    SurveyVideo,
    claim_survey,
    silent_devices,
    split_devices,
)
from gateway.system.clock import Clock
from gateway.system.config_section import ConfigError

OBSERVER_TIMEOUT_S = 0.1  # seconds for a gateway that only looks who has the survey
RETRY_DELAY_S = 0.5  # seconds until cameras are looked at again that were not to be judged yet


async def run_survey(  # noqa: PLR0913 - what is looked at, how often, by whom
    home: Home,
    entrance: str,
    *,
    hours: float,
    every: float,
    anew: bool,
    tell: Callable[[str], None],
    ahead: float = CAMERA_START_S,
) -> SurveySummary:
    """Look until the hours are over, or until it is broken off; what was seen is kept after each look.

    Raises:
        Failure: another process runs it, the storage folder cannot be written, or the installer's account is of no use.
    """
    clock = Clock(home.clock, floor=None, keep_floor=lambda _: None)
    async with _exclusive(home, entrance):
        begun, looks = _resume(home, entrance, anew=anew)
        if begun is None:
            begun = SurveyPlan(
                entrance=entrance, begun=clock.now().utc, every=every, looks=max(1, round(hours * 3600 / every)),
                devices=surveyed_devices(home, entrance),
            )  # fmt: skip
            _append_line(home, entrance, begun)
            looks = []
        cameras, others = split_devices(home, begun.devices)
        timing, loop = home.entrances[entrance].timing, asyncio.get_running_loop()
        async with _open_camera_check(home) as eyes, eyes.watch(cameras) as watch:
            await asyncio.sleep(ahead if cameras else 0)
            since = loop.time()
            while len(looks) < begun.looks:
                await asyncio.sleep(max(0.0, since + begun.every - loop.time()))
                while (dark := watch.dark(loop.time(), timing)) is None:  # noqa: ASYNC110 - time passes, nothing tells it
                    await asyncio.sleep(RETRY_DELAY_S)
                quiet = await _find_unresponsive(home, others)
                since = loop.time()
                look = SurveySample(at=clock.now().utc, refused=(*quiet, *dark))
                looks.append(look)
                _append_line(home, entrance, look)
                tell(_progress_line(begun, looks))
        return write_result(home, begun, looks)


def write_result(home: Home, begun: SurveyPlan, looks: Sequence[SurveySample]) -> SurveySummary:
    """Count, and draw the picture beside the numbers.

    Raises:
        Failure: it cannot be written.
    """
    found = summarise(begun, looks)
    title = f"{home.entrances[begun.entrance].name}: {found.refused}/{found.looks}"
    try:
        notes.store_survey_picture(home.storage.folder, begun.entrance, draw_svg(begun, looks, title=title))
    except OSError as error:
        raise Failure(f"The picture cannot be written ({error_text(error)}).", "Look at storage.folder.") from error
    return found


def _progress_line(begun: SurveyPlan, looks: Sequence[SurveySample]) -> str:
    found = summarise(begun, looks)
    now = f", now: {', '.join(looks[-1].refused)}" if looks[-1].refused else ""
    return f"{found.looks}/{found.wanted} looks, {found.refused} would have refused a delivery{now}"


@contextlib.asynccontextmanager
async def _exclusive(home: Home, entrance: str) -> AsyncIterator[None]:
    """Run it, and nobody else meanwhile."""
    storage = home.storage.folder
    async with contextlib.AsyncExitStack() as held:
        for last in (False, True):
            try:
                held.enter_context(claim_survey(storage, entrance, SurveyHolder.TERMINAL))
                break
            except SurveyTaken as taken:
                if last:
                    raise Failure(
                        _holder_text(storage, entrance, taken), "End it there, or wait for its end."
                    ) from taken
            except OSError as error:
                raise Failure(f"The survey cannot be kept ({error_text(error)}).", "Look at storage.folder.") from error
            await asyncio.sleep(OBSERVER_TIMEOUT_S)
        yield


def _holder_text(storage: Path, entrance: str, taken: SurveyTaken) -> str:
    kept = notes.read_survey(storage, entrance)
    if taken.holder is SurveyHolder.TERMINAL:
        return f"Another `perron survey` runs for {entrance!r}."
    by = "" if kept is None or kept.begun.by is None else f" by {kept.begun.by}"
    return f"The gateway runs a survey of {entrance!r}, begun{by} on the page Installation."


def _resume(home: Home, entrance: str, *, anew: bool) -> tuple[SurveyPlan | None, list[SurveySample]]:
    kept: SurveyRecord | None = None if anew else notes.read_survey(home.storage.folder, entrance)
    if kept is None or not kept.goes_on:
        return None, []
    return kept.begun, list(kept.looks)


def _append_line(home: Home, entrance: str, line: SurveyPlan | SurveySample) -> None:
    try:
        notes.append_survey(home.storage.folder, entrance, line)
    except OSError as error:
        raise Failure(f"What was seen cannot be kept ({error_text(error)}).", "Look at storage.folder.") from error


@contextlib.asynccontextmanager
async def _open_camera_check(home: Home) -> AsyncIterator[SurveyVideo]:
    """A video process of this command's own, beside any that a gateway runs."""
    with tempfile.TemporaryDirectory() as folder:
        yield SurveyVideo(home, socket=Path(folder) / "video.sock", folder=Path(folder))


async def _find_unresponsive(home: Home, devices: Sequence[str]) -> Sequence[str]:
    """Which devices do not answer in the time that they declare; all of them where the broker is not there."""
    try:
        return await silent_devices(home, devices)
    except ConnectionError:
        return devices
    except ConfigError as error:
        todo = "The passwords of all accounts lie beside broker.password_file of the house file."
        raise Failure(str(error), todo) from error
    except ProbeKeyUnusable as error:
        raise Failure(f"{error}.", "Survey on the box itself, as its own user.") from error
