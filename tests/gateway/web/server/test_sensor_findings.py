"""What the alarm's card says of each sensor: known by its own report or answer, or not known."""

import pytest

from devices.reports import DoorState, LockState
from gateway.domain.frozen import replace
from gateway.domain.visit.closures import KINDS, BoltedDoor, GarageDoor, Strike
from gateway.domain.visit.closures.contract import Closure, Fact
from gateway.domain.visit.state import Entrance, Rules
from gateway.web.server.sensor_findings import sensor_findings

PROVEN = {"lock": Fact(value=LockState.LOCKED, proven=True), "door": Fact(value=DoorState.CLOSED, proven=True)}
FRONT = Entrance(id="front", broker_session=1, facts=PROVEN)


def said(**facts: Fact) -> tuple[list[str], list[str]]:
    found = sensor_findings(replace(FRONT, facts={**PROVEN, **facts}), "en")
    return list(found.known), list(found.unknown)


def test_a_bolt_that_did_not_answer_is_told_beside_the_door_s_sensor_that_did() -> None:
    assert said(lock=Fact(value=LockState.LOCKED)) == (
        ["The door's sensor says closed."],
        ["The bolt did not answer."],
    )


@pytest.mark.parametrize(
    ("sensor", "fact", "known"),
    [
        ("lock", Fact(value=LockState.UNLOCKED), "The bolt says not locked."),
        ("lock", Fact(value=LockState.NOT_FULLY_LOCKED), "The bolt says not locked."),
        ("lock", PROVEN["lock"], "The bolt says locked."),
        ("door", Fact(value=DoorState.OPEN), "The door's sensor says open."),
        ("door", Fact(value=DoorState.AJAR), "The door's sensor says open."),
        ("door", Fact(value=DoorState.ERROR), "The door's sensor reports a fault."),
    ],
)
def test_bad_news_is_known_by_the_report_alone(sensor: str, fact: Fact, known: str) -> None:
    assert known in said(**{sensor: fact})[0]


def test_without_a_link_nothing_is_known() -> None:
    found = sensor_findings(replace(FRONT, broker_session=None), "en")
    assert found.known == ()
    assert found.unknown == (
        "The box has no link to its devices.", "The bolt did not answer.", "The door's sensor did not answer.",
    )  # fmt: skip


def test_of_several_closures_each_is_named_and_a_shared_one_says_nothing() -> None:
    rules = Rules(closures=(Strike(id="street"), BoltedDoor(id="door"), GarageDoor(id="garage")))
    found = sensor_findings(replace(FRONT, rules=rules), "en")
    assert found.known == ("Door: The bolt says locked.", "Door: The door's sensor says closed.")
    assert found.unknown == ("Garage door: The door's sensor did not answer.",)


@pytest.mark.parametrize("kind", KINDS)
def test_every_sensor_of_every_kind_of_closure_has_its_sentence(kind: type[Closure]) -> None:
    one = kind.model_validate({"id": "one"})
    assert isinstance(one, KINDS)
    for language in ("en", "fr"):
        state = Entrance(id="e", broker_session=1, rules=Rules(closures=(one,)))  # type: ignore[arg-type]  # any kind
        found = sensor_findings(state, language)
        assert len(found.unknown) == (len(one.sensors) if kind.is_private else 0)
