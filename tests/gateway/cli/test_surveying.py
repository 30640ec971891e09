"""A survey of a house with a real broker and real cameras, broken off and gone on with."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from gateway.cli import surveying
from gateway.installation import notes
from tests.whole_house import run_whole_house

pytestmark = pytest.mark.slow


def filmed(folder: Path) -> list[Path]:
    return list(folder.rglob("*.mp4"))


async def test_a_survey_that_was_broken_off_goes_on_and_names_who_would_have_refused(tmp_path: Path) -> None:
    async with run_whole_house(tmp_path) as play:
        home = play.stage.plan.home
        told: list[str] = []
        looked = asyncio.Event()

        def tell(line: str) -> None:
            told.append(line)
            looked.set()

        hours = 4 / 3600  # four looks, a second apart
        first = asyncio.create_task(
            surveying.run_survey(home, "front", hours=hours, every=1.0, anew=False, tell=tell, ahead=1.0)
        )
        await looked.wait()
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        kept = notes.read_survey(home.storage.folder, "front")
        assert kept is not None
        assert [look.refused for look in kept.looks] == [()]

        await play.link("doorbell", up=False)
        await play.link("front-lock", up=False)
        found = await surveying.run_survey(
            home, "front", hours=hours, every=1.0, anew=False, tell=tell, ahead=play.timing.live + 1
        )
        assert (found.looks, found.whole) == (4, True)
        assert found.by_device == {"front-lock": 3, "front-door": 0, "doorbell": 3, "hall-camera": 0}
        assert told[0].startswith("1/4 looks, 0 would have refused")
        assert "now: front-lock, doorbell" in told[-1]
        assert notes.survey_picture(home.storage.folder, "front").read_text().startswith("<svg")
        assert filmed(tmp_path) == []
