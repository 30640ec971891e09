"""The pages of an entrance with several closures: the drawing of each, and what the courier does at it."""

import re
from typing import Any

import pytest

from devices.reports import DoorState, LockState
from gateway.domain.frozen import replace
from gateway.domain.visit.closures import AnyClosure, BoltedDoor, Compartment, GarageDoor, KeySafe, Strike
from gateway.domain.visit.closures.compartment import EMPTY, OCCUPIED
from gateway.domain.visit.closures.contract import Fact
from gateway.domain.visit.state import Entrance, Entry, Holder, Phase, Rules, Securing, Visit
from gateway.domain.visit.summary import ClosureState
from gateway.web.server.closure_drawings import CLOSURE_DRAWINGS
from gateway.web.server.courier_view import CourierStep, way_texts
from gateway.web.server.fragments import CourierPosition, DoorSummary, closure_facts, door_summary
from gateway.web.texts.catalogue import TEXTS
from tests.closures import KIND_WORDS, plain
from tests.shell.house import visit_delivery

FLAT = (Strike(id="street"), BoltedDoor(id="door"))
SHUT = {
    "street/door": Fact(value=DoorState.CLOSED, proven=True),
    "door": Fact(value=DoorState.CLOSED, proven=True),
    "lock": Fact(value=LockState.LOCKED, proven=True),
}


def entrance(*closures: AnyClosure, **facts: Any) -> Entrance:  # noqa: ANN401 - of the entrance
    return Entrance(id="front", **{"broker_session": 1, "rules": Rules(closures=closures), **facts})


def in_visit(*closures: AnyClosure, stage: int = 0) -> Entrance:
    visit = Visit(
        id="v", delivery=visit_delivery(), scanner="scanner", phase=Phase.INSIDE,
        route=tuple(closure.id for closure in closures), entry=Entry(stage=stage),
    )  # fmt: skip
    return entrance(*closures, visit=visit)


def states(shown: Entrance) -> list[object]:
    return [closure["state"] for closure in closure_facts(shown, "en")]


def test_each_closure_of_a_flat_is_shown_with_what_is_proven_of_it() -> None:
    flat = entrance(*FLAT, facts=SHUT)
    assert states(flat) == ["secured", "secured"]
    opened = SHUT | {"street/door": Fact(value=DoorState.OPEN)}
    assert states(replace(flat, facts=opened)) == ["open", "secured"]
    withdrawn = SHUT | {"lock": Fact(value=LockState.UNLOCKED)}
    assert states(replace(flat, facts=withdrawn)) == ["secured", "open"]
    claimed = {name: replace(fact, proven=False) for name, fact in SHUT.items()}
    assert states(replace(flat, facts=claimed)) == ["unknown", "unknown"], "what is not proven is never shown as shut"
    assert states(entrance(*FLAT)) == ["unknown", "unknown"]


@pytest.mark.parametrize("word", KIND_WORDS)
def test_each_kind_is_drawn_from_its_row_and_open_otherwise_than_closed(word: str) -> None:
    drawing = CLOSURE_DRAWINGS[word]
    (shown,) = closure_facts(entrance(plain(word)), "en")
    assert (shown["state"], shown["drawing"]) == ("unknown", drawing.path(ClosureState.UNKNOWN))
    paths = {state: drawing.path(state) for state in ClosureState}
    assert paths[ClosureState.UNKNOWN] == paths[ClosureState.SECURED] != paths[ClosureState.OPEN]
    for path in paths.values():
        assert re.fullmatch(r"M[MmLlHhVvAaZz0-9 .-]+", path), "path data that begins with a place"


def test_without_the_devices_nothing_is_shown_as_shut() -> None:
    assert states(entrance(*FLAT, facts=SHUT, broker_session=None)) == ["unknown", "unknown"]


HALL = (*FLAT, Compartment(id="other"))


@pytest.mark.parametrize(
    ("phase", "stage", "positions"),
    [
        (Phase.RINGING, 0, ["here", "ahead", None]),
        (Phase.INSIDE, 0, ["here", "ahead", None]),
        (Phase.ADVANCING, 0, ["passed", "next", None]),
        (Phase.UNLOCKED, 1, ["passed", "here", None]),
        (Phase.RELOCKING, 1, [None, "securing", None]),
        (Phase.HANDED_TO_OWNER, 1, [None, None, None]),
    ],
)
def test_a_visit_shows_at_which_closure_its_courier_is(phase: Phase, stage: int, positions: list[str | None]) -> None:
    visit = Visit(
        id="v", delivery=visit_delivery(), scanner="s", phase=phase, route=("street", "door"),
        entry=Entry(stage=stage), securing=Securing(closure="door"),
    )  # fmt: skip
    shown = closure_facts(entrance(*HALL, visit=visit), "fr")
    assert [one["position"] for one in shown] == positions
    assert [one["name"] for one in shown] == ["Porte de la rue", "Porte", "Casier"]
    assert {f"way.{one}" for one in positions if one is not None} <= TEXTS.keys()


@pytest.mark.parametrize(("holder", "way"), [(Holder.COURIER, "way.here"), (Holder.KEEPER, "way.here.keeper")])
def test_who_comes_in_is_named_a_courier_or_a_keeper(holder: Holder, way: str) -> None:
    safe = in_visit(KeySafe(id="safe"))
    shown = replace(safe, rules=replace(safe.rules, holder=holder))
    assert [one["way"] for one in closure_facts(shown, "en")] == [way]
    assert {f"way.{position}.keeper" for position in CourierPosition} <= TEXTS.keys()


def test_what_a_state_does_not_say_stands_beside_it() -> None:
    box = Compartment(id="c2", devices={"content": "c2"})
    shut = {"c2/latch": Fact(value=LockState.LOCKED, proven=True), "c2/lid": Fact(value=DoorState.CLOSED, proven=True)}
    for content, told in ((OCCUPIED, ["something lies in it"]), (EMPTY, [])):
        shown = entrance(box, facts=shut | {"c2/content": Fact(value=content, proven=True)})
        (closure,) = closure_facts(shown, "en")
        assert closure["state"] == "secured"
        assert closure["facts"] == told


def test_a_street_door_that_stands_open_is_no_fault_of_the_home() -> None:
    assert [closure["is_private"] for closure in closure_facts(entrance(*FLAT), "en")] == [False, True]


def test_an_entrance_with_one_door_has_its_own_drawing_alone() -> None:
    assert closure_facts(entrance(BoltedDoor(id="door"), facts=SHUT), "en") == ()


@pytest.mark.parametrize(
    ("closures", "stage", "step", "word", "how"),
    [
        (FLAT, 0, CourierStep.GO, "turn.go", "turn.strike.go.how"),
        (FLAT, 1, CourierStep.GO, "turn.go", "turn.go.how"),
        (FLAT, 1, CourierStep.INSIDE, "turn.inside", "turn.inside.how"),
        ((Compartment(id="c2"),), 0, CourierStep.GO, "turn.compartment.go", "turn.compartment.go.how"),
        ((Compartment(id="c2"),), 0, CourierStep.INSIDE, "turn.compartment.inside", "turn.compartment.inside.how"),
        ((KeySafe(id="safe"),), 0, CourierStep.INSIDE, "turn.key_safe.inside", "turn.key_safe.inside.how"),
        ((GarageDoor(id="door"),), 0, CourierStep.INSIDE, "turn.inside", "turn.garage_door.inside.how"),
    ],
)
def test_the_courier_reads_what_to_do_at_the_closure_before_him(
    closures: tuple[AnyClosure, ...], stage: int, step: CourierStep, word: str, how: str
) -> None:
    shown = in_visit(*closures, stage=stage)
    assert way_texts(shown, visit_delivery(), step) == {"closure": closures[stage].id, "word": word, "how": how}


@pytest.mark.parametrize(
    ("alone", "step", "word", "how"),
    [
        (False, CourierStep.INSIDE, "turn.collects.inside", "turn.collects.inside.how"),
        (False, CourierStep.GO, "turn.go", "turn.go.how"),
        (True, CourierStep.SHOW, "turn.show", "turn.only_collects.show.how"),
        (True, CourierStep.GO, "turn.go", "turn.only_collects.go.how"),
        (True, CourierStep.INSIDE, "turn.only_collects.inside", "turn.only_collects.inside.how"),
    ],
)
def test_a_courier_who_collects_reads_that_he_takes_something_with_him(
    step: CourierStep, word: str, how: str, *, alone: bool
) -> None:
    delivery = replace(visit_delivery(), collect=frozenset({"R-1"}), parcels=frozenset() if alone else frozenset({"P"}))
    shown = in_visit(BoltedDoor(id="door"))
    assert way_texts(shown, delivery, step) == {"closure": "door", "word": word, "how": how}


def test_at_the_street_door_he_reads_nothing_of_it_yet() -> None:
    delivery = replace(visit_delivery(), collect=frozenset({"R-1"}), parcels=frozenset({"P"}))
    assert way_texts(in_visit(*FLAT, stage=0), delivery, CourierStep.INSIDE)["how"] == "turn.strike.inside.how"


def test_without_a_visit_of_his_a_courier_reads_the_words_of_any_door() -> None:
    for shown in (entrance(Compartment(id="c2")), in_visit(Compartment(id="c2"))):
        assert (
            way_texts(shown, replace(visit_delivery(), id="shop.another"), CourierStep.SHOW)["how"] == "turn.show.how"
        )


def test_a_compartment_is_named_to_the_courier() -> None:
    for key in ("turn.compartment.go.how", "turn.compartment.inside.how"):
        for language in ("en", "fr", "de"):
            assert "c2" in TEXTS[key].to(language, closure="c2")


def test_a_door_that_was_never_heard_has_no_time_of_its_last_change() -> None:
    assert door_summary(entrance(BoltedDoor(id="door"))) == (DoorSummary.UNKNOWN, None)
    heard = {name: replace(fact, stable_since=40.0) for name, fact in SHUT.items()}
    assert door_summary(entrance(BoltedDoor(id="door"), facts=heard, broker_session=1)) == (DoorSummary.LOCKED, 40.0)
