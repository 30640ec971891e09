"""The box leaves its hub: told first, then forgotten, killed wherever it is; also by a wipe and after a hand-over."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.config.editor import HomeFileWriter
from gateway.config.home import Home, HubSection
from gateway.config.loader import load_home_file
from gateway.hub.config import HubFile
from gateway.hub.database.tables import homes
from gateway.integrations.hub_client import enrolment, unenrolment
from gateway.integrations.hub_client.enrolment import HubUnavailable, text_with_membership, text_without_membership
from gateway.integrations.hub_client.unenrolment import Unenrolment, finish_pending
from gateway.runtime.maintenance import factory_reset
from gateway.storage.handover import TASK_HUB_LEFT, TASK_LEAVE_HUB
from gateway.storage.store import Store
from tests.hubs import RunningHub, run_hub
from tests.joins import JoiningBox, create_claim, with_boxes
from tests.shell.box import box as made_box
from tests.shell.house import make_home as a_home

HOUSE = "# ours\nbox: b\nname: Home\nstorage: {folder: var}\ndevices: {}\nentrances: {}\n"
RETRY_S = 0.01  # seconds between two tries, instead of HUB_RETRY_DELAY_S: the test tries often


@dataclass
class House:
    """A house file and what stands in it."""

    file: Path
    box: JoiningBox
    store: Store
    base: Home
    reread: int = 0

    @property
    def home(self) -> Home:
        """The house of the box, with the hub that its file names."""
        return self.base.model_copy(update={"hub": load_home_file(self.file).hub})

    @property
    def section(self) -> HubSection:
        section = self.home.hub
        assert section is not None
        return section

    @property
    def rewriting(self) -> HomeFileWriter:
        return HomeFileWriter(self.file, reload=self._again)

    def _again(self) -> None:
        self.reread += 1

    async def joins(self, hub: RunningHub, at: HubFile, *, home: str | None = None) -> None:
        claim = await create_claim(hub, at, home=home)
        member = await self.box.join(claim)
        text = text_with_membership(self.file.read_text(), self.file, self.base.storage.folder, claim.url, member)
        self.file.write_text(text)

    def farewell(self, ask: enrolment.HttpPost = enrolment.http_request) -> Unenrolment:
        async def soon(_seconds: float) -> None:
            await asyncio.sleep(RETRY_S)

        return Unenrolment(self.home, self.section, store=self.store, rewriting=self.rewriting, post=ask, sleep=soon)

    @property
    def forgotten(self) -> bool:
        return (
            not self.box.folder.exists() and load_home_file(self.file).hub is None and "# ours" in self.file.read_text()
        )


@pytest.fixture
def at(tmp_path: Path) -> HubFile:
    (tmp_path / "its").mkdir()
    return with_boxes(tmp_path / "its")


@pytest.fixture
async def hub(at: HubFile) -> AsyncIterator[RunningHub]:
    async with run_hub(at) as hub:
        yield hub


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    (tmp_path / "var").mkdir()
    file = tmp_path / "home.yaml"
    file.write_text(HOUSE)
    base = a_home(tmp_path / "var")
    base = base.model_copy(update={"storage": base.storage.model_copy(update={"folder": tmp_path / "var"})})
    async with made_box(tmp_path / "var", base) as made:
        yield House(file, JoiningBox(tmp_path / "var" / "hub", made.key), made.store, base)


async def revoked(hub: RunningHub) -> bool:
    async with hub.hub.store.reading() as tx:
        return (await tx.execute(select(homes.c.revoked))).scalar_one() is not None


async def test_the_hub_is_told_again_until_it_answers_and_only_then_all_of_it_is_forgotten(
    house: House, hub: RunningHub, at: HubFile
) -> None:
    await house.joins(hub, at)
    section, tries = house.section, []

    def away_twice(address: str, body: Mapping[str, object]) -> bytes:
        tries.append(address)
        assert house.box.folder.exists()
        if len(tries) < 3:
            raise HubUnavailable("away")
        return enrolment.http_request(address, body)

    await house.store.handover.set_task(TASK_LEAVE_HUB, section.home)
    await house.farewell(away_twice).end(immediately=lambda: False)
    assert len(tries) == 3
    assert await revoked(hub)
    assert house.forgotten
    assert house.reread == 1
    assert house.store.handover.pending_task(TASK_HUB_LEFT) == section.home
    assert house.store.handover.pending_task(TASK_LEAVE_HUB) is None


async def test_whoever_leaves_at_once_is_held_up_by_no_hub(house: House, hub: RunningHub, at: HubFile) -> None:
    await house.joins(hub, at)

    def away(_address: str, _body: Mapping[str, object]) -> bytes:
        raise HubUnavailable("away")

    await house.farewell(away).end(immediately=lambda: True)
    assert house.forgotten
    assert not await revoked(hub)


async def test_killed_after_the_key_went_the_next_start_goes_on(house: House, hub: RunningHub, at: HubFile) -> None:
    await house.joins(hub, at)
    await house.store.handover.set_task(TASK_LEAVE_HUB, house.section.home)
    await finish_pending(house.home, store=house.store, rewriting=house.rewriting)
    assert house.box.folder.exists(), "the hub is to be told first: that is the line's work"
    for path in house.box.folder.iterdir():
        path.unlink()
    await finish_pending(house.home, store=house.store, rewriting=house.rewriting)
    assert house.forgotten


async def test_a_house_file_that_could_not_be_written_is_written_at_the_next_start(
    house: House, hub: RunningHub, at: HubFile
) -> None:
    await house.joins(hub, at)
    home = house.section.home
    whole = house.file.read_text()
    farewell = house.farewell()
    house.file.write_text("box: [\n")
    await farewell.end(immediately=lambda: False)
    assert not house.box.folder.exists(), "the key is gone all the same"
    house.file.write_text(whole)
    await finish_pending(house.home, store=house.store, rewriting=house.rewriting)
    assert house.forgotten
    assert house.store.handover.pending_task(TASK_HUB_LEFT) == home


async def test_a_home_that_joins_anew_under_its_name_stays(house: House, hub: RunningHub, at: HubFile) -> None:
    await house.joins(hub, at)
    home = house.section.home
    await house.farewell().end(immediately=lambda: False)
    await house.joins(hub, at, home=home)
    await finish_pending(house.home, store=house.store, rewriting=house.rewriting)
    assert house.section.home == home
    assert house.store.handover.pending_task(TASK_HUB_LEFT) is None
    assert await house.farewell().is_home_accepted()


async def test_a_wipe_tells_the_hub_and_takes_it_out_of_the_house_file(
    house: House, hub: RunningHub, at: HubFile
) -> None:
    await house.joins(hub, at)
    home = house.home
    await asyncio.to_thread(factory_reset.mark_for_wipe, home.storage.folder)
    assert await asyncio.to_thread(unenrolment.finish_wipe_at_hub, home, house.file)
    assert await revoked(hub)
    assert house.forgotten


async def test_a_wipe_waits_for_no_hub(house: House, hub: RunningHub, at: HubFile) -> None:
    await house.joins(hub, at)
    home = house.home

    def away(_address: str, _body: Mapping[str, object]) -> bytes:
        raise HubUnavailable("away")

    await asyncio.to_thread(factory_reset.mark_for_wipe, home.storage.folder)
    assert await asyncio.to_thread(unenrolment.finish_wipe_at_hub, home, house.file, away)
    assert house.forgotten
    assert not factory_reset.is_marked_for_wipe(home.storage.folder)


def test_another_home_s_section_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    text = f"{HOUSE}hub: {{url: 'http://127.0.0.1:1', home: home-2, host: 127.0.0.1}}\n"
    assert text_without_membership(text, file, "home-1") == text
    assert "hub:" not in text_without_membership(text, file, "home-2")
