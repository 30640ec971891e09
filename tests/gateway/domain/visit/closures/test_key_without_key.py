"""The keyed door opens while the hook's sensor reports the key in its safe: the gateway raises an alarm."""

from gateway.domain.visit.closures import KeyedDoor, KeySafe
from gateway.domain.visit.state import Rules
from tests.gateway.domain.visit.closures.driven import Driven

KEYS = Rules(cameras={"outside": True}, closures=(KeySafe(id="safe", back_within=600.0), KeyedDoor(id="hall")))
KEY_IN = {"safe/flap": "closed", "safe/key": "present", "hall/door": "closed"}


def safe_is_open() -> Driven:
    house = Driven(KEYS, KEY_IN)
    house.scan(house.delivery())
    house.run(21)
    house.says(safe_flap="open")
    assert house.phase == "inside"
    return house


def test_a_hook_stuck_at_present_is_contradicted_by_the_door_and_raises_one_alarm() -> None:
    house = safe_is_open()
    for _ in range(2):
        house.says(hall_door="open")
        house.run(3)
        house.says(hall_door="closed")
        house.run(3)
    assert house.alarms == ["unexpected_unlock"]


def test_with_the_key_out_the_door_is_used_without_an_alarm() -> None:
    house = safe_is_open()
    house.says(safe_key="absent")
    house.says(hall_door="open")
    house.run(3)
    assert house.alarms == []
