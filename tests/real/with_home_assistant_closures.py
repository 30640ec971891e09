"""A real Home Assistant beside a flat, a parcel box and a key safe: each closure has its own entities there.

Run by `make test-homeassistant`, as `with_home_assistant.py`.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from gateway.config.home import HomeAssistantSection
from gateway.demo.plan import DemoPlan
from gateway.demo.scenario import ScenarioRun
from gateway.demo.scenarios.ways_in_homes import STREET, with_flat, with_key_safe, with_parcel_box
from tests.real.home_assistant import HomeAssistant, home_assistant
from tests.whole_house import run_whole_house


def entity(platform: str, part: str) -> str:
    """The id that the gateway proposes for a part of the only entrance."""
    return f"{platform}.perron_perron_demo_front_{part}".replace("-", "_")


@contextlib.asynccontextmanager
async def beside(
    folder: Path, equip: Callable[[DemoPlan], DemoPlan]
) -> AsyncIterator[tuple[ScenarioRun, HomeAssistant]]:
    """This home with its Home Assistant, which shows the entrance locked."""

    def made(plan: DemoPlan) -> DemoPlan:
        plan = equip(plan)
        return replace(plan, home=plan.home.model_copy(update={"homeassistant": HomeAssistantSection()}))

    async with run_whole_house(folder / "house", made) as play:
        password = (folder / "house" / "accounts" / "homeassistant.password").read_text().strip()
        async with home_assistant(folder / "hass", broker=play.plan.home.broker.port, password=password) as ha:
            await ha.until(entity("lock", "lock"), "locked")
            yield play, ha


async def test_a_flat_shows_its_own_lock_and_the_street_door_as_a_door(tmp_path: Path) -> None:
    async with beside(tmp_path, with_flat) as (play, ha):
        street, flat = entity("binary_sensor", "street_door"), entity("lock", "door_secured")
        await ha.until(flat, "locked")
        await ha.until(street, "off")
        assert (await ha.whole(street))["attributes"]["device_class"] == "door"
        assert entity("binary_sensor", "street_secured") not in await ha.entities()
        await play.resident.handles(STREET, "come_with_key")
        await ha.until_seen(lambda: "on" in ha.shown(street) and ha.shown(street)[-1] == "off")
        assert set(ha.shown(flat)) <= {"locked", "unavailable"}, "a neighbour says nothing of the flat"
        play.stage.gateway.kill()
        await ha.until_seen(lambda: "unavailable" in ha.shown(flat))
        await ha.until(flat, "locked")


async def test_a_parcel_box_shows_what_lies_in_each_compartment(tmp_path: Path) -> None:
    async with beside(tmp_path, with_parcel_box) as (play, ha):
        first, second = (entity("binary_sensor", f"box-{n}_content") for n in (1, 2))
        latch = entity("binary_sensor", "box-1_secured")
        for shown in (first, second, latch):
            await ha.until(shown, "off")
        assert (await ha.whole(first))["attributes"]["device_class"] == "occupancy"
        assert (await ha.whole(latch))["attributes"]["device_class"] == "lock"
        await play.resident.handles("box-1-lid", "open_with_key", "put_in")
        await ha.until(latch, "on")
        await play.resident.handles("box-1-lid", "push_shut")
        await ha.until(first, "on")
        await ha.until(latch, "off")
        assert await ha.state(second) == "off"


async def test_a_key_safe_shows_whether_its_key_hangs_there_and_is_not_locked_without_it(tmp_path: Path) -> None:
    async with beside(tmp_path, with_key_safe) as (play, ha):
        key, safe = entity("binary_sensor", "safe_key"), entity("binary_sensor", "safe_secured")
        await ha.until(key, "on")
        await ha.until(safe, "off")
        await play.resident.handles("safe", "open_with_code", "take_key", "shut_flap")
        await ha.until(key, "off")
        assert await ha.state(safe) == "on", "whoever has the key has the home"
        await play.resident.handles("safe", "bring_key", "shut_flap")
        await ha.until(key, "on")
        await ha.until(safe, "off")
