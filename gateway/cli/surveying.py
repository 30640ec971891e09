"""`perron survey`: looks again and again whether a delivery would have been refused; broken off, it goes on."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from gateway.cli.failure import Failure, plain
from gateway.config.errors import ConfigError
from gateway.config.home import Home
from gateway.installation import notes
from gateway.installation.device_probe import NoKey
from gateway.installation.survey import Begun, Look, Summary, Surveyed, devices_of, drawn, summary
from gateway.installation.survey_probe import AHEAD, Eyes, Holder, Taken, claimed, silent, split
from gateway.system.clock import Clock

GLANCE = 0.1  # seconds for a gateway that only looks who has the survey
AGAIN = 0.5  # seconds until cameras are looked at again that were not to be judged yet


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
        Failure: another process runs it, the storage folder cannot be written, or the installer's account is of no use.
    """
    clock = Clock(home.clock, floor=None, keep_floor=lambda _: None)
    async with _alone(home, entrance):
        begun, looks = _resumed(home, entrance, anew=anew)
        if begun is None:
            begun = Begun(
                entrance=entrance, begun=clock.now().utc, every=every, looks=max(1, round(hours * 3600 / every)),
                devices=devices_of(home, entrance),
            )  # fmt: skip
            _keep(home, entrance, begun)
            looks = []
        cameras, others = split(home, begun.devices)
        timing, loop = home.entrances[entrance].timing, asyncio.get_running_loop()
        async with _eyes(home) as eyes, eyes.watch(cameras) as watch:
            await asyncio.sleep(ahead if cameras else 0)
            since = loop.time()
            while len(looks) < begun.looks:
                await asyncio.sleep(max(0.0, since + begun.every - loop.time()))
                while (dark := watch.dark(loop.time(), timing)) is None:  # noqa: ASYNC110 - time passes, nothing tells it
                    await asyncio.sleep(AGAIN)
                quiet = await _silent(home, others)
                since = loop.time()
                look = Look(at=clock.now().utc, refused=(*quiet, *dark))
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


@contextlib.asynccontextmanager
async def _alone(home: Home, entrance: str) -> AsyncIterator[None]:
    """Run it, and nobody else meanwhile."""
    storage = home.storage.folder
    async with contextlib.AsyncExitStack() as held:
        for last in (False, True):
            try:
                held.enter_context(claimed(storage, entrance, Holder.TERMINAL))
                break
            except Taken as taken:
                if last:
                    raise Failure(_who(storage, entrance, taken), "End it there, or wait for its end.") from taken
            except OSError as error:
                raise Failure(f"The survey cannot be kept ({plain(error)}).", "Look at storage.folder.") from error
            await asyncio.sleep(GLANCE)
        yield


def _who(storage: Path, entrance: str, taken: Taken) -> str:
    kept = notes.survey_of(storage, entrance)
    if taken.holder is Holder.TERMINAL:
        return f"Another `perron survey` runs for {entrance!r}."
    by = "" if kept is None or kept.begun.by is None else f" by {kept.begun.by}"
    return f"The gateway runs a survey of {entrance!r}, begun{by} on the page Installation."


def _resumed(home: Home, entrance: str, *, anew: bool) -> tuple[Begun | None, list[Look]]:
    kept: Surveyed | None = None if anew else notes.survey_of(home.storage.folder, entrance)
    if kept is None or not kept.goes_on:
        return None, []
    return kept.begun, list(kept.looks)


def _keep(home: Home, entrance: str, line: Begun | Look) -> None:
    try:
        notes.keep_survey(home.storage.folder, entrance, line)
    except OSError as error:
        raise Failure(f"What was seen cannot be kept ({plain(error)}).", "Look at storage.folder.") from error


@contextlib.asynccontextmanager
async def _eyes(home: Home) -> AsyncIterator[Eyes]:
    """A video process of this command's own, beside any that a gateway runs."""
    with tempfile.TemporaryDirectory() as folder:
        yield Eyes(home, socket=Path(folder) / "video.sock", folder=Path(folder))


async def _silent(home: Home, devices: Sequence[str]) -> Sequence[str]:
    """Which devices do not answer in the time that they declare; all of them where the broker is not there."""
    try:
        return await silent(home, devices)
    except ConnectionError:
        return devices
    except ConfigError as error:
        todo = "The passwords of all accounts lie beside broker.password_file of the house file."
        raise Failure(str(error), todo) from error
    except NoKey as error:
        raise Failure(f"{error}.", "Survey on the box itself, as its own user.") from error
