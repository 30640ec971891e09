"""What the log writes keeps its names, whatever the code calls it now."""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

from gateway.domain.visit.commands import Command, ValueAge
from gateway.domain.visit.conditions import REPORTS
from gateway.domain.visit.conditions.cold_chain import FridgeState
from gateway.domain.visit.conditions.contract import ConditionReport
from gateway.domain.visit.events import Event, ReportContext
from gateway.domain.visit.state import PausePeriod, StayPeriod
from gateway.storage.log_names import field_of, kind_of

BEFORE = json.loads(Path(__file__).with_name("log_names.json").read_text())
"""Each kind with its fields, as the release before the renames (d96f34a) wrote them."""

WITHOUT_CLOSURES = {"LockHeard", "DoorHeard", "WayHeard", "LockReport", "DoorReport"}
"""Kinds of a gateway that knew one lock and one door: `SensorReported` is logged in their place. Readers know both."""

OF_CLOSURES = {
    "Alarm": {"closure"}, "Answer": {"lacking", "delivery"},
    "ParcelResult": {"collected"}, "Close": {"closure"}, "Lock": {"closure"}, "LockFailed": {"closure"},
    "OpeningDecided": {
        "visit", "closure", "yes", "by", "issued", "expires", "message_sha256", "picture_sha256",
        "token", "key",
    },
    "Reserve": {"closure", "stage", "permit"}, "RobotFitReported": {"device", "fitness"},
    "RobotLeft": {"robot", "carries"}, "RobotStrayed": {"robot", "is_astray"},
    "Tell": {"closure"}, "Unlock": {"closure", "pulls_latch", "ages"},
    "UnlockNotSent": {"closure"}, "UnlockPublished": {"visit", "closure", "at"},
    "RoomHeard": {"place", "full"}, "Scanned": {"keeper", "awaiting", "robot"}, "KeeperWithdrawn": {"codes"},
    "SensorReported": {"sensor", "value", "heard", "source", "user", "is_movement", "jammed", "age_s"},
    "FactsChanged": {"stays"}, "StaysChanged": {"stays"}, "StrayCodeReported": {"device", "is_left"},
    "StayPeriod": {"id", "start", "end", "admits_deliveries"},
    "ValueAge": {"sensor", "value", "age_s", "max_age_s"}, "WitnessReported": {"sensor", "device", "value"},
}  # fmt: skip
"""Fields that were added since."""


def logged() -> Iterator[Any]:
    """Every class that the log writes."""
    yield from (one for one in (*get_args(Event), *REPORTS, *get_args(Command)) if _is_logged(one))
    yield from (ReportContext, FridgeState, PausePeriod, StayPeriod, ValueAge)


def _is_logged(one: Any) -> bool:  # noqa: ANN401 - a member of a union
    return is_dataclass(one) and one is not ConditionReport  # of which the log has the kinds


def test_every_event_and_command_is_logged_under_the_names_that_it_always_had() -> None:
    now = {kind_of(one): {field_of(one, field.name) for field in fields(one)} for one in logged()}
    always = {kind: {*BEFORE.get(kind, ()), *OF_CLOSURES.get(kind, ())} for kind in {*BEFORE, *OF_CLOSURES}}
    assert now == {kind: names for kind, names in always.items() if kind not in WITHOUT_CLOSURES}
