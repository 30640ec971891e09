"""A whole delivery, real broker and real gateway, as Home Assistant follows it; the gateway is killed, and reloads."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config.home import Home, HomeAssistantSection
from gateway.demo.plan import DemoPlan
from gateway.demo.result import door_movements
from gateway.demo.scenario import MOVES_ONCE_IN_AND_OUT
from gateway.demo.scenarios.ways_in_homes import STREET, with_flat
from tests.gateway.integrations.homeassistant.played import FakeHomeAssistant
from tests.whole_house import run_whole_house

pytestmark = pytest.mark.slow


def shown(plan: DemoPlan) -> DemoPlan:
    section = HomeAssistantSection(picture="last_visit")
    return replace(plan, home=plan.home.model_copy(update={"homeassistant": section}))


def said(ha: FakeHomeAssistant, key: str) -> list[str]:
    """What the front door's states said, each once where it stayed."""
    told = [json.loads(one.payload)[key] for one in ha.told if one.topic == "perron/ha/front/state"]
    return [word for n, word in enumerate(told) if n == 0 or word != told[n - 1]]


async def test_a_delivery_is_followed_and_a_killed_gateway_leaves_nothing_that_looks_locked(tmp_path: Path) -> None:
    ha = FakeHomeAssistant()
    async with run_whole_house(tmp_path, shown) as play, ha.connected(play.plan.home):
        await ha.until(lambda: ha.shows("front") == "LOCKED")
        parcels = await play.announce_delivery()
        await play.deliver(parcels)
        await ha.until(lambda: ha.shows("front") == "LOCKED" and ha.shows("front", "delivery") in {"idle", "expected"})
        play.log.read_new_lines()
        assert door_movements(play.log.lines) == MOVES_ONCE_IN_AND_OUT
        assert [word for word in said(ha, "lock") if word not in {"UNLOCKING", "None"}] == [
            "LOCKED", "UNLOCKED", "LOCKING", "LOCKED",
        ]  # fmt: skip
        assert [one["event_type"] for one in ha.events] == [
            "at_the_door", "unlocked", "inside", "delivered", "locked_again",
        ]  # fmt: skip
        assert [picture[:2] for picture in ha.pictures] == [b"\xff\xd8"]
        everything = b"".join(one.payload for one in ha.told)
        assert not [code for code in (*parcels.codes, parcels.courier_code) if code.encode() in everything]

        play.stage.gateway.kill()
        await ha.until(lambda: ha.shows("front") == "unavailable")
        await ha.until(lambda: ha.shows("front") == "LOCKED")

        file = tmp_path / "home.yaml"
        home = Home.model_validate_json(file.read_text()).model_copy(update={"homeassistant": None})
        file.write_text(json.dumps(home.model_dump(mode="json")))
        play.stage.gateway.kill()
        await ha.until(lambda: ha.devices == {})


async def test_each_door_of_a_flat_is_followed_and_its_entities_go_with_it(tmp_path: Path) -> None:
    ha = FakeHomeAssistant()

    def values(ha: FakeHomeAssistant) -> dict[str, dict[str, str]]:
        return dict(ha.states.get("front", {}).get("closures", {}))

    async with run_whole_house(tmp_path, lambda plan: shown(with_flat(plan))) as play, ha.connected(play.plan.home):
        shut = {STREET: {"door": "OFF"}, "door": {"secured": "LOCKED", "door": "OFF"}}
        await ha.until(lambda: ha.shows("front") == "LOCKED" and values(ha) == shut)
        assert {"street_door", "door_secured", "door_door"} <= ha.names("front")
        heard = len(ha.told)
        await play.resident.handles(STREET, "come_with_key")
        await ha.until(lambda: len(ha.told) > heard and values(ha)[STREET] == {"door": "ON"})
        assert values(ha)["door"] == shut["door"], "a neighbour at the street door says nothing of the flat"
        await ha.until(lambda: values(ha) == shut)

        file = tmp_path / "home.yaml"
        home = Home.model_validate_json(file.read_text())
        front = home.entrances["front"]
        only = front.model_copy(update={"closures": front.closures[1:]})
        home = home.model_copy(update={"entrances": {"front": only}})
        file.write_text(json.dumps(home.model_dump(mode="json")))
        play.stage.gateway.kill()
        await ha.until(lambda: not {"street_door", "door_secured", "door_door"} & ha.names("front"))
        await ha.until(lambda: ha.shows("front") == "LOCKED" and values(ha) == {})
