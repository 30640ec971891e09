"""The entrance that the devices of a house make: offered whole, or said what is missing."""

from typing import Any

import pytest

from gateway.config.home import Home
from gateway.installation.entrance_offer import EntranceOffer, offer_entrance

DEVICES: dict[str, dict[str, Any]] = {
    "hall-camera": {"kind": "camera", "vendor": "rtsp", "url": "rtsp://192.168.1.3/hall"},
    "doorbell": {"kind": "camera", "vendor": "rtsp", "url": "rtsp://192.168.1.3/bell"},
    "front-lock": {"kind": "lock", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/lock"},
    "front-contact": {"kind": "door", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/contact", "answers": False,
                      "heartbeat": 3600},
    "front-door": {"kind": "door", "vendor": "esphome"},
    "front-signal": {"kind": "signal", "vendor": "signal"},
    "front-scanner": {"kind": "scanner", "vendor": "scanner"},
}  # fmt: skip


def offer(*without: str, more: dict[str, Any] | None = None, entrances: dict[str, Any] | None = None) -> EntranceOffer:
    devices = {id_: device for id_, device in {**DEVICES, **(more or {})}.items() if id_ not in without}
    home = Home.model_validate(
        {"box": "b", "name": "House", "broker": {}, "devices": devices, "entrances": entrances or {}}
    )
    return offer_entrance(home, name="Front door", place="In the hall", garage_name="Garage")


def test_the_camera_at_the_bell_is_outside_and_a_sensor_that_answers_is_preferred() -> None:
    made = offer()
    assert made.request is not None
    assert (made.request.name, made.lacking, made.outside) == ("front", (), "doorbell")
    fields = made.request.fields
    assert (fields["lock"], fields["door"], fields["cameras.outside"]) == ("front-lock", "front-door", "doorbell")
    assert fields["cameras.inside"] == ["hall-camera"]
    assert fields["way_out_by_hand"] is True
    assert "living_space" not in fields


def test_with_a_sensor_on_a_battery_it_does_not_lead_to_the_living_space() -> None:
    made = offer("front-door")
    assert made.request is not None
    assert made.request.fields["living_space"] is False


def test_an_opener_makes_a_garage() -> None:
    opener = {"kind": "cover", "vendor": "esphome", "address": "board", "reverses": True}
    made = offer("front-lock", more={"gate": opener})
    assert made.request is not None
    assert (made.request.name, made.request.fields["name"]) == ("garage", "Garage")
    assert made.request.fields["living_space"] is False


@pytest.mark.parametrize(
    ("without", "lacking"),
    [
        (("front-lock",), ("lock",)),
        (("front-door", "front-contact"), ("door",)),
        (("doorbell", "hall-camera"), ("camera",)),
        (("front-scanner", "front-signal"), ("scanner", "signal")),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_offered(without: tuple[str, ...], lacking: tuple[str, ...]) -> None:
    made = offer(*without)
    assert (made.request, made.lacking) == (None, lacking)


def test_devices_of_another_entrance_are_not_offered_again() -> None:
    front = {
        "name": "Front", "lock": "front-lock", "door": "front-door", "way_out_by_hand": True,
        "cameras": {"outside": "doorbell"}, "scanners": ["front-scanner"], "signal": "front-signal",
        "places": {"hall": {"name": "Hall"}},
    }  # fmt: skip
    made = offer(entrances={"front": front})
    assert made.request is None
    assert set(made.lacking) == {"lock", "scanner", "signal"}
