"""What a device can promise, on which ground, and what forbids a visit while nobody is home."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devices.vendors.words import TopicSuffix
from gateway.config.devices import CoverDevice
from gateway.config.errors import ConfigError
from gateway.config.home import Home
from gateway.config.loader import load
from gateway.config.sensor_independence import depends
from gateway.installation.capability import Ground, Measurement, Promise, Walked, entrance_promises, promises, proposed
from gateway.installation.words import promised

HOME = Path(__file__).parents[3] / "config" / "home.yaml"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def house(device: str = "front-lock", **changes: Any) -> Home:  # noqa: ANN401 - fields of a section
    home = load(HOME)
    devices = {**home.devices, device: home.devices[device].model_copy(update=changes)}
    return home.model_copy(update={"devices": devices})


def measured(*seconds: float, asked: int | None = None, **told: bool) -> Measurement:
    return Measurement(at=NOW, asked=len(seconds) if asked is None else asked, seconds=seconds, **told)


def said(found: tuple[Promise, ...]) -> dict[str, Ground]:
    return {promise.said: promise.ground for promise in found}


@pytest.mark.parametrize(
    ("changes", "measurement", "expected"),
    [
        ({}, None, {"bolt.declared": Ground.DECLARED, "guarded.declared": Ground.DECLARED,
                    "auto_lock.unknown": Ground.UNKNOWN, "latency.declared": Ground.DECLARED}),
        ({"guarded": False, "auto_lock": False}, measured(0.2, 0.4, bolt=True),
         {"bolt.measured": Ground.MEASURED, "guarded.missing": Ground.MISSING, "auto_lock.missing": Ground.MISSING,
          "latency.within": Ground.MEASURED}),
        ({"auto_lock": True}, measured(0.2, 4.1, bolt=False),
         {"bolt.missing": Ground.MISSING, "guarded.declared": Ground.DECLARED, "auto_lock.declared": Ground.DECLARED,
          "latency.longer": Ground.MISSING}),
        ({}, measured(asked=3),
         {"bolt.declared": Ground.DECLARED, "guarded.declared": Ground.DECLARED, "auto_lock.unknown": Ground.UNKNOWN,
          "latency.silent": Ground.MISSING}),
    ],
)  # fmt: skip
def test_a_lock_promises_what_is_declared_or_measured_and_what_nobody_said_is_unknown(
    changes: Mapping[str, Any], measurement: Measurement | None, expected: Mapping[str, Ground]
) -> None:
    assert said(promises(house(**changes), "front-lock", measurement)) == expected


def test_the_opener_of_a_garage_obeys_late_copies_and_has_no_bolt_to_promise() -> None:
    opener = CoverDevice(kind="cover", vendor="esphome", reverses=True)
    home = load(HOME)
    home = home.model_copy(update={"devices": {**home.devices, "front-lock": opener}})
    expected = {"guarded.missing": Ground.MISSING, "latency.declared": Ground.DECLARED}
    assert said(promises(home, "front-lock", None)) == expected


def test_a_lock_that_answers_late_is_told_which_latency_to_declare() -> None:
    late = measured(0.2, 4.1, bolt=True)
    (longer,) = (p for p in promises(house(), "front-lock", late) if p.said == "latency.longer")
    assert proposed(late) == 7
    assert "write `latency: 7` under front-lock" in promised(longer, "en")


@pytest.mark.parametrize(
    ("device", "changes", "walked", "why"),
    [
        ("front-door", {"address": "io://1234-5678-3293/5770898"}, Walked.PASSED, "door.dependent"),
        ("front-door", {"address": "io://1234-5678-3293/5770898#2"}, Walked.PASSED, "door.dependent"),
        ("front-door", {"answers": False}, Walked.PASSED, "door.unasked"),
        ("front-lock", {}, Walked.FAILED, "walk.failed"),
        ("front-lock", {}, Walked.BLOCKED, "walk.blocked"),
    ],
)
def test_an_entrance_says_what_forbids_an_unattended_visit(
    device: str, changes: Mapping[str, Any], walked: Walked, why: str
) -> None:
    found = entrance_promises(house(device, **changes), "front", {}, walked)
    forbidding = [one for one in found if one.forbids]
    assert [one.said for one in forbidding] == [why]
    assert "no unattended visit" in promised(forbidding[0], "en").lower()
    assert "pas de visite en votre absence" in promised(forbidding[0], "fr").lower()


def test_without_a_way_out_by_hand_there_is_no_unattended_visit() -> None:
    home = house()
    shut = home.entrances["front"].model_copy(update={"way_out_by_hand": False})
    found = entrance_promises(home.model_copy(update={"entrances": {"front": shut}}), "front", {}, Walked.PASSED)
    assert [one.said for one in found if one.forbids] == ["way_out.missing"]


def test_what_was_measured_forbids_too() -> None:
    untold = {"front-lock": measured(0.1, bolt=False), "front-door": measured(0.1, door=False)}
    found = entrance_promises(house(), "front", untold, Walked.NEVER)
    assert {one.said for one in found if one.forbids} == {"bolt.missing", "door.untold"}


def test_an_entrance_that_was_never_walked_lets_in_and_says_so() -> None:
    found = entrance_promises(house(), "front", {}, Walked.NEVER)
    assert not any(one.forbids for one in found)
    assert said(found)["walk.never"] is Ground.UNKNOWN


def test_a_sensor_that_is_the_lock_s_own_is_refused_with_line_and_remedy(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    file.write_text(HOME.read_text(encoding="utf-8").replace("/5770899", "/5770898"), encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"home.yaml:\d+:\d+: .*the sensor of the lock `front-lock` itself.* of its own"
    ):
        load(file)


def test_a_sensor_that_speaks_on_the_lock_s_topic_is_the_lock_s_own() -> None:
    shared = {"topics": {TopicSuffix.STATE: "zigbee2mqtt/door"}}
    home = house("front-lock", **shared)
    assert not depends(home, "front-lock", "front-door")
    both = {**home.devices, "front-door": home.devices["front-door"].model_copy(update=shared)}
    assert depends(home.model_copy(update={"devices": both}), "front-lock", "front-door")
