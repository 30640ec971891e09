"""The evidence for "delivered" at a parcel box: its content sensor, else the film; else the result is unknown."""

import pytest

from devices.reports import OperationSource
from gateway.domain.visit.closures import Compartment
from gateway.domain.visit.state import Evidence, Rules
from tests.gateway.domain.visit.closures.driven import Driven

CAMERAS = {"outside": True}


@pytest.mark.parametrize(
    ("evidence", "has_sensor", "content", "outcome"),
    [
        (Evidence.FILM, True, "occupied", "delivered"),
        (Evidence.FILM, True, "empty", "not_delivered"),
        (Evidence.FILM, True, "unknown", "unknown"),  # the sensor has to answer: a film is no substitute
        (Evidence.FILM, False, "", "delivered"),
        (Evidence.DOOR_FILM, False, "", "delivered"),
        (Evidence.SENSOR, True, "occupied", "delivered"),
        (Evidence.SENSOR, True, "unknown", "unknown"),
        (Evidence.SCAN, False, "", "unknown"),
        (Evidence.NONE, False, "", "unknown"),
    ],
)
def test_the_result_is_delivered_only_if_the_sensor_that_can_detect_it_has_answered(
    evidence: Evidence, content: str, outcome: str, *, has_sensor: bool
) -> None:
    is_filmed = evidence in (Evidence.FILM, Evidence.DOOR_FILM)
    rules = Rules(
        cameras=CAMERAS if is_filmed else {},
        evidence=evidence,
        has_signal=False,
        household_refuses=False,
        closures=(Compartment(id="one", devices={"content": "eye"} if has_sensor else {}),),
    )
    values = {"one/latch": "locked", "one/lid": "closed", **({"one/content": "empty"} if has_sensor else {})}
    house = Driven(rules, values)
    house.scan(house.delivery())
    house.run(1)
    assert house.orders == ["open one"], house.refusals
    house.says(OperationSource.REMOTE, one_latch="unlocked")
    house.says(one_lid="open")
    if has_sensor:
        house.values["one/content"] = content
    house.says(one_latch="locked")
    house.says(one_lid="closed")
    house.run(90)
    assert (house.outcomes, house.door_results) == ([outcome], ["locked_again"])
