"""A Tesla's gear and speed, also where firmware writes them otherwise."""

import json

import pytest

from devices.reports import ParkedReport, UnreadablePayload
from devices.vendors import tesla
from devices.vendors.words import TopicSuffix


@pytest.mark.parametrize(
    ("gear", "speed", "parked"),
    [
        ("P", None, True),
        ("P", 0, True),
        ("P", 12.3, False),
        ("P", "12.3", None),
        ("P", "0", None),
        ("P", True, None),
        ("D", None, False),
        (None, None, None),
        ("p", 0, None),
    ],
)
def test_a_car_whose_speed_cannot_be_read_is_not_parked_whatever_its_gear(
    gear: str | None, speed: object, parked: bool | None
) -> None:
    body = {"echo": "1:2", "response": {"vehicle_state": {}, "drive_state": {"shift_state": gear, "speed": speed}}}
    assert ParkedReport(parked=parked) in tesla.decode_report(TopicSuffix.RESULT, json.dumps(body).encode())


@pytest.mark.parametrize("name", [[], {}, 7, None, "honk_horn"])
def test_a_command_of_any_other_name_is_unreadable(name: object) -> None:
    payload = json.dumps({"command": name, "part": "lock"}).encode()
    assert isinstance(tesla.decode_command(TopicSuffix.SET, payload), UnreadablePayload)
