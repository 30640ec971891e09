"""What a device can promise, on which ground, and what forbids a visit while nobody is home."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from devices.vendors.words import TopicSuffix
from gateway.config.devices import AnyDevice, CoverDevice
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.config.topics import depends_on_lock
from gateway.config.validation import find_problems
from gateway.demo.plan import DemoPlan, make_plan
from gateway.demo.scenarios.ways_in_homes import with_flat, with_key_safe, with_parcel_box
from gateway.installation.capability import (
    Capability,
    CapabilityEvidence,
    Measurement,
    WalkTestStatus,
    device_capabilities,
    entrance_capabilities,
)
from gateway.system.config_section import ConfigError

HOME = Path(__file__).parents[3] / "config" / "home.yaml"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def house(device: str = "front-lock", **changes: Any) -> Home:  # noqa: ANN401 - fields of a section
    home = load_home_file(HOME)
    devices = {**home.devices, device: home.devices[device].model_copy(update=changes)}
    return home.model_copy(update={"devices": devices})


def measured(*seconds: float, asked: int | None = None, **told: bool) -> Measurement:
    return Measurement(at=NOW, asked=len(seconds) if asked is None else asked, seconds=seconds, **told)


def said(found: Iterable[Capability]) -> dict[str, CapabilityEvidence]:
    return {beginning(promise): promise.evidence for promise in found}


def beginning(promise: Capability) -> str:
    """The first words of what is promised, which tell one promise from another."""
    return " ".join(re.findall(r"\w+", promise.text.message)[:4])


@pytest.mark.parametrize(
    ("changes", "measurement", "expected"),
    [
        (
            {},
            None,
            {
                "A lock of this": CapabilityEvidence.DECLARED,
                "Guarded it refuses a": CapabilityEvidence.DECLARED,
                "Nobody has said whether": CapabilityEvidence.UNKNOWN,
                "Declared to answer within": CapabilityEvidence.DECLARED,
            },
        ),
        (
            {"guarded": False, "auto_lock": False},
            measured(0.2, 0.4, bolt=True),
            {
                "Asked it told where": CapabilityEvidence.MEASURED,
                "Basic it cannot refuse": CapabilityEvidence.MISSING,
                "It does not lock": CapabilityEvidence.MISSING,
                "Answers within median s": CapabilityEvidence.MEASURED,
            },
        ),
        (
            {"auto_lock": True},
            measured(0.2, 4.1, bolt=False),
            {
                "It answers but not": CapabilityEvidence.MISSING,
                "Guarded it refuses a": CapabilityEvidence.DECLARED,
                "It locks by itself": CapabilityEvidence.DECLARED,
                "It took longest s": CapabilityEvidence.MISSING,
            },
        ),
        (
            {},
            measured(asked=3),
            {
                "A lock of this": CapabilityEvidence.DECLARED,
                "Guarded it refuses a": CapabilityEvidence.DECLARED,
                "Nobody has said whether": CapabilityEvidence.UNKNOWN,
                "It did not answer": CapabilityEvidence.MISSING,
            },
        ),
    ],
)
def test_a_lock_promises_what_is_declared_or_measured_and_what_nobody_said_is_unknown(
    changes: Mapping[str, Any], measurement: Measurement | None, expected: Mapping[str, CapabilityEvidence]
) -> None:
    assert said(device_capabilities(house(**changes), "front-lock", measurement)) == expected


@pytest.mark.parametrize(
    ("device", "untold"),
    [("front-lock", "asked here, it did not tell it"), ("front-door", "it did not tell where the door is")],
)
def test_what_was_asked_and_told_nothing_is_not_called_untried(device: str, untold: str) -> None:
    never, asked = (
        " ".join(promise.text.message for promise in device_capabilities(house(), device, measurement))
        for measurement in (None, measured(asked=3))
    )
    assert ("not tried here yet" in never, untold in never) == (True, False)
    assert ("not tried here yet" in asked, untold in asked) == (False, True)


def test_the_opener_of_a_garage_obeys_late_copies_and_has_no_bolt_to_promise() -> None:
    opener = CoverDevice(kind="cover", vendor="esphome", reverses=True)
    home = load_home_file(HOME)
    home = home.model_copy(update={"devices": {**home.devices, "front-lock": opener}})
    expected = {
        "Basic it cannot refuse": CapabilityEvidence.MISSING,
        "Declared to answer within": CapabilityEvidence.DECLARED,
        "It answers whether its": CapabilityEvidence.DECLARED,
    }
    assert said(device_capabilities(home, "front-lock", None)) == expected


MISSING, DECLARED = CapabilityEvidence.MISSING, CapabilityEvidence.DECLARED


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"kind": "strike", "vendor": "perron"},
            {"Basic it cannot refuse": MISSING, "It lets go for": MISSING},
        ),
        (
            {"kind": "compartment", "vendor": "locker", "address": "locker/hall/compartment/1"},
            {"Basic it cannot refuse": MISSING, "It can be asked": DECLARED, "Declared to answer within": DECLARED},
        ),
        ({"kind": "key", "vendor": "esphome"}, {"It can be asked": DECLARED}),
        (
            {"kind": "content", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/eye", "answers": False},
            {"It speaks by itself": MISSING},
        ),
    ],
    ids=["strike", "compartment", "key", "content"],
)
def test_a_device_of_a_further_way_in_says_what_it_cannot_promise(
    fields: Mapping[str, Any], expected: Mapping[str, CapabilityEvidence]
) -> None:
    home = load_home_file(HOME)
    device: AnyDevice = TypeAdapter(AnyDevice).validate_python(fields)
    home = home.model_copy(update={"devices": {**home.devices, "front-lock": device}})
    assert said(device_capabilities(home, "front-lock", None)) == expected
    told = said(device_capabilities(home, "front-lock", measured(0.2)))
    assert ("Asked it told its" in told) is ("It can be asked" in expected)


@pytest.mark.parametrize(
    ("vendor", "address"),
    [
        ("homeassistant", "cover.garage_door"),
        ("homeassistant", "homeassistant/cover/garage_door"),
        ("ratgdo", "garage/ratgdo"),
        ("zigbee2mqtt", "zigbee2mqtt/garage door"),
    ],
)
def test_the_box_never_closes_a_garage_whose_opener_cannot_be_asked_about_its_beam(vendor: str, address: str) -> None:
    described = {"kind": "cover", "vendor": vendor, "address": address, "reverses": True}
    with pytest.raises(
        ValueError, match="beam must be false: the gateway cannot query the light beam of an opener of the vendor"
    ):
        CoverDevice.model_validate(described)
    opener = CoverDevice.model_validate({**described, "beam": False})
    home = load_home_file(HOME)
    home = home.model_copy(update={"devices": {**home.devices, "front-lock": opener}})
    told = said(device_capabilities(home, "front-lock", None))
    assert told["Its light beam cannot"] is CapabilityEvidence.MISSING
    assert told["Basic it cannot refuse"] is CapabilityEvidence.MISSING


def test_a_lock_that_answers_late_is_told_which_latency_to_declare() -> None:
    late = measured(0.2, 4.1, bolt=True)
    (longer,) = (p for p in device_capabilities(house(), "front-lock", late) if beginning(p) == "It took longest s")
    assert "write `latency: 7` under front-lock" in longer.text_with_command.to("en")


@pytest.mark.parametrize(
    ("device", "changes", "walked", "why"),
    [
        ("front-door", {"address": "io://1234-5678-3293/5770898"}, WalkTestStatus.PASSED, "door is the lock"),
        ("front-door", {"address": "io://1234-5678-3293/5770898#2"}, WalkTestStatus.PASSED, "door is the lock"),
        ("front-door", {"answers": False}, WalkTestStatus.PASSED, "door cannot be asked"),
        ("front-lock", {}, WalkTestStatus.FAILED, "The walk test is"),
        ("front-lock", {}, WalkTestStatus.BLOCKED, "A camera sees a"),
    ],
)
def test_an_entrance_says_what_forbids_an_unattended_visit(
    device: str, changes: Mapping[str, Any], walked: WalkTestStatus, why: str
) -> None:
    found = entrance_capabilities(house(device, **changes), "front", {}, walked)
    forbidding = [one for one in found if one.forbids]
    assert [beginning(one) for one in forbidding] == [why]
    assert "no unattended visit" in forbidding[0].text.to("en").lower()
    assert "pas de visite en votre absence" in forbidding[0].text.to("fr").lower()


def test_without_a_way_out_by_hand_there_is_no_unattended_visit() -> None:
    home = house()
    shut = home.entrances["front"].model_copy(update={"way_out_by_hand": False})
    found = entrance_capabilities(
        home.model_copy(update={"entrances": {"front": shut}}), "front", {}, WalkTestStatus.PASSED
    )
    assert [beginning(one) for one in found if one.forbids] == ["From inside the door"]


def test_what_was_measured_forbids_too() -> None:
    untold = {"front-lock": measured(0.1, bolt=False), "front-door": measured(0.1, door=False)}
    found = entrance_capabilities(house(), "front", untold, WalkTestStatus.NEVER)
    assert [one.text.message.partition(":")[0] for one in found if one.forbids] == [
        "It answers, but not where its bolt is",
        "It answers, but not where the door is. No unattended visit.",
    ]


def test_an_entrance_that_was_never_walked_lets_in_and_says_so() -> None:
    found = entrance_capabilities(house(), "front", {}, WalkTestStatus.NEVER)
    assert not any(one.forbids for one in found)
    assert said(found)["The walk test was"] is CapabilityEvidence.UNKNOWN


def test_a_sensor_that_is_the_lock_s_own_is_refused_with_line_and_remedy(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    file.write_text(HOME.read_text(encoding="utf-8").replace("/5770899", "/5770898"), encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"home.yaml:\d+:\d+: .*the sensor of the lock `front-lock` itself.* independent"
    ):
        load_home_file(file)


def test_a_sensor_that_speaks_on_the_lock_s_topic_is_the_lock_s_own() -> None:
    shared = {"topics": {TopicSuffix.STATE: "zigbee2mqtt/door"}}
    home = house("front-lock", **shared)
    assert not depends_on_lock(home, "front-lock", "front-door")
    both = {**home.devices, "front-door": home.devices["front-door"].model_copy(update=shared)}
    assert depends_on_lock(home.model_copy(update={"devices": both}), "front-lock", "front-door")


@pytest.mark.parametrize(("contact", "is_own"), [("matter/5-2", True), ("matter/6-1", False), ("matter/5-3-3", False)])
def test_a_contact_on_the_matter_lock_s_own_node_is_the_lock_s_own(contact: str, *, is_own: bool) -> None:
    home = house("front-lock", vendor="matter", address="matter/5-1")
    door = home.devices["front-door"].model_copy(update={"vendor": "matter", "address": contact})
    home = home.model_copy(update={"devices": {**home.devices, "front-door": door}})
    found = [problem.text for problem in find_problems(home)]
    refused = "`front-door` is the sensor of the lock `front-lock` itself"
    assert any(text.startswith(refused) for text in found) is is_own


@pytest.mark.parametrize(("equip", "is_said"), [(with_flat, True), (with_parcel_box, False), (with_key_safe, True)])
def test_a_way_out_is_promised_only_where_somebody_goes_in_and_it_was_tried(
    tmp_path: Path, equip: Callable[[DemoPlan], DemoPlan], *, is_said: bool
) -> None:
    home = equip(make_plan(tmp_path, fast=True)).home
    promised = entrance_capabilities(home, "front", {}, WalkTestStatus.PASSED)
    assert any("from inside" in one.text.to("en") for one in promised) is is_said
