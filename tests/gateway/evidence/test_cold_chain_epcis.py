"""The passport of an item as EPCIS 2.0: valid by GS1's schema, with the reference implementation's ids."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.evidence.epcis import epc_uri, event_hash
from gateway.evidence.epcis_export import signed_epcis
from gateway.protocol.key_succession import KeyHistory
from gateway.storage.audit_log import code_digest
from tests.gateway.evidence.route.rows import CODE_KEY, RecordedLog, sealed_rows
from tests.gateway.evidence.test_cold_chain import KEY, sealed_visit
from tests.gateway.evidence.test_epcis import CHECKER, MADE, PARIS, events, reference_hashes
from tests.gateway.protocol.test_cold_chain import come_in, go, house_with_items, says, stow

SGTIN = "(01)04006381333931(21)fish-1"
LINK = "https://id.gs1.org/01/04006381333931/21/fish-1"


def visit_with_fish(*, is_stowed: bool = True, celsius: float | None = 1.5) -> RecordedLog:
    house, log = house_with_items()
    come_in(house)
    if is_stowed:
        stow(house)
    house.run(1)
    if celsius is not None:
        says(house, celsius)
    go(house)
    house.run(60)
    return log


def item_event(tmp_path: Path, log: RecordedLog) -> tuple[dict[str, Any], dict[str, Any]]:
    """The document, and its event about the fish."""
    folder = sealed_rows(tmp_path, sealed_visit(log), KEY)
    codes = {code_digest("fish", CODE_KEY): SGTIN}
    data, _ = signed_epcis(folder, key=KEY, line=KeyHistory(), zone=PARIS, made=MADE, codes=codes)
    made: dict[str, Any] = json.loads(data)
    CHECKER.validate(made)
    (event,) = [event for event in events(made) if event["epcList"] == [LINK]]
    return made, event


@pytest.mark.parametrize(
    ("facts", "step", "disposition", "alarm"),
    [
        ({}, "storing", "conformant", None),
        ({"celsius": 9.0}, "storing", "non_conformant", "ALARM_CONDITION"),
        ({"celsius": None}, "storing", "unknown", "ERROR_CONDITION"),
        ({"is_stowed": False}, "inspecting", "unknown", "ERROR_CONDITION"),
    ],
)
def test_an_item_is_stored_with_its_verdict_and_the_air_that_was_measured(
    tmp_path: Path, facts: dict[str, Any], step: str, disposition: str, alarm: str | None
) -> None:
    made, event = item_event(tmp_path, visit_with_fish(**facts))
    assert (event["bizStep"], event["disposition"]) == (step, disposition)
    (element,) = event["sensorElementList"]
    assert element["sensorMetadata"]["deviceID"].endswith(":device:cooler")
    before, since = element["sensorReport"]
    assert (before["value"], before["uom"], since["minValue"]) == (1.0, "CEL", 1.0)
    assert since.get("exception") == alarm
    # Release 1.9.3 of the reference writes the sensors before the transactions, against the table of CBV 2.0
    compared = {name: value for name, value in event.items() if name != "bizTransactionList"}
    assert reference_hashes({**made, "epcisBody": {"eventList": [compared]}}) == [event_hash(compared)]
    assert event["eventID"] == event_hash(event)


def test_an_item_is_a_gs1_digital_link_where_it_has_one() -> None:
    assert epc_uri(SGTIN) == LINK
    assert epc_uri("(01)04006381333931(21)a/b") == "https://id.gs1.org/01/04006381333931/21/a%2Fb"
    assert epc_uri("milk 1") == "urn:perron:parcel:milk%201"
