"""A cold delivery in a whole house whose fridge says what is no temperature: the courier is refused at once."""

import json
from pathlib import Path

import pytest

from gateway.domain.delivery.result import Refusal
from tests.gateway.test_attacks import FRIDGE, says
from tests.whole_house import run_whole_house

pytestmark = pytest.mark.slow


def status(celsius: object) -> bytes:
    temperature = {"temperature": {"value": celsius, "unit": "C"}}
    return json.dumps({"components": {"cooler": {"temperatureMeasurement": temperature}}}).encode()


@pytest.mark.parametrize("payload", [b"null", b"warm", status("warm"), status(-500)])
async def test_a_cold_parcel_is_refused_while_the_fridge_says_no_temperature(tmp_path: Path, payload: bytes) -> None:
    async with run_whole_house(tmp_path) as play:
        parcels = await play.announce_delivery(place="fridge", max_celsius=8)
        await play.set_link(FRIDGE, up=False)
        topic = f"perron/{FRIDGE}/state"
        assert await says(play, FRIDGE, topic, status(4.0)) == 0
        assert await says(play, FRIDGE, topic, payload) == 0
        await play.scan_refused_code(parcels.codes[0], Refusal.FRIDGE_TOO_WARM)
        assert await says(play, FRIDGE, topic, status(4.0)) == 0
        await play.wait_for_new_scan()
        await play.deliver(parcels)
