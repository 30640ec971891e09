"""The trials of every kind of closure in the walk test: what passes them, and what a faulty house shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devices.reports import BatteryLevel, DoorState, LockState
from gateway.config.home import CamerasSection, EntranceSection, Place
from gateway.demo.plan import make_plan
from gateway.demo.scenarios.ways_in_homes import with_parcel_box
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.visit.closures import (
    AnyClosure,
    BoltedDoor,
    Compartment,
    Strike,
)
from gateway.domain.visit.closures.contract import Closure, Fact
from gateway.domain.visit.state import Consent, Entrance, Phase, Rules, ScanLockout, Visit
from gateway.installation.capability import WalkTestStatus
from gateway.installation.trials import KIND_TRIALS, TRIAL_PROCEDURES, TrialAnswer, WalkTrial
from gateway.installation.walk import (
    HouseObservation,
    TrialResult,
    WalkTest,
    WalkTestStep,
    advance,
    answer_trial,
    fitted_devices,
    forbids_visits,
    status_with_devices,
    walk_steps,
    walk_test_status,
)
from tests.closures import KIND_WORDS, plain, whole
from tests.shell.house import visit_delivery

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
BOX_DEVICES = {"order": "b", "latch": "b", "lid": "b", "content": "b"}
WAYS: Mapping[str, tuple[AnyClosure, ...]] = {word: (whole(word),) for word in KIND_WORDS}
FLAT = (Strike(id="street", cameras=("bell",), scanners=("street-scanner",)), BoltedDoor(id="flat", cameras=("hall",)))


def section(closures: tuple[AnyClosure, ...], **more: object) -> EntranceSection:
    """An entrance with these closures."""
    return EntranceSection.model_validate(
        {
            "name": "Home", "way_out_by_hand": True, "closures": closures, "scanners": (), "signal": "bell",
            "places": {"hall": Place(name="Hall")}, "cameras": CamerasSection(), **more,
        }
    )  # fmt: skip


@dataclass
class Shown:
    """An entrance that shows these values at `mono`; a good value is proven unless it is among `unproven`."""

    closure: AnyClosure
    mono: float = 100.0
    since: float = 0.0

    def of(self, **values: str) -> HouseObservation:
        facts = {
            self.closure.sensor_names[role]: Fact(value=value, proven=True, stable_since=self.since)
            for role, value in values.items()
        }
        state = Entrance(id="front", rules=Rules(closures=(self.closure,)), facts=facts)
        return HouseObservation(state=state, mono=self.mono)


def only(trial: WalkTrial, closure: str) -> WalkTest:
    """A walk of this one trial."""
    step = WalkTestStep(trial=trial, closure=closure)
    return WalkTest(entrance="front", begun=NOW, by="Ida", steps=(step,))


def after(walk: WalkTest, *seen: HouseObservation) -> WalkTest:
    """The walk after these observations."""
    for one in seen:
        walk = advance(walk, one, NOW)
    return walk


@pytest.mark.parametrize(("word", "kind"), KIND_WORDS.items())
def test_each_kind_has_a_trial_for_each_sensor_that_it_can_have(word: str, kind: type[Closure]) -> None:
    tried = {TRIAL_PROCEDURES[trial].tries for trial in (*KIND_TRIALS[word].before, *KIND_TRIALS[word].after)}
    assert set(kind.roles.values()) <= tried, f"a sensor of {word} is never tried"


@pytest.mark.parametrize("word", KIND_WORDS)
def test_a_closure_without_a_sensor_has_no_trial_of_it(word: str) -> None:
    full, fewer = whole(word), plain(word)
    trials = {*KIND_TRIALS[word].before, *KIND_TRIALS[word].after}
    assert {one.trial for one in walk_steps(section((full,)), (full,)) if one.closure == full.id} == trials
    without = {one.quantity for one in full.sensors.values()} - {one.quantity for one in fewer.sensors.values()}
    missing = {trial for trial in trials if TRIAL_PROCEDURES[trial].tries in without}
    left = {one.trial for one in walk_steps(section((fewer,)), (fewer,)) if one.closure == fewer.id}
    assert left == trials - missing


def test_a_garage_without_a_beam_and_a_compartment_without_a_sensor_inside_have_a_trial_less() -> None:
    for word, trial in (("garage_door", WalkTrial.OBSTRUCTION), ("compartment", WalkTrial.CONTENT)):
        for closure, has in ((whole(word), True), (plain(word), False)):
            steps = walk_steps(section((closure,)), (closure,))
            assert (trial in {one.trial for one in steps}) is has


SHUT, OPEN = DoorState.CLOSED, DoorState.OPEN
STREET, BOX = Shown(WAYS["strike"][0]), Shown(WAYS["compartment"][0])
SAFE, HALL, GARAGE = Shown(WAYS["key_safe"][0]), Shown(WAYS["keyed_door"][0]), Shown(WAYS["garage_door"][0])
LATELY = Shown(STREET.closure, since=95.0)
CAUGHT, FREE = LockState.LOCKED, LockState.UNLOCKED


@pytest.mark.parametrize(
    ("trial", "shown", "ending"),
    [
        (WalkTrial.DOOR_SENSOR, [STREET.of(door=SHUT), STREET.of(door=OPEN), STREET.of(door=SHUT)], "passed"),
        (WalkTrial.WEDGED, [STREET.of(door=OPEN)], "passed"),
        (WalkTrial.WEDGED, [LATELY.of(door=OPEN)], None),  # 5 s are not long enough to be sure
        (WalkTrial.WEDGED, [LATELY.of(door=OPEN), STREET.of(door=SHUT)], "failed"),  # ajar is reported as closed
        (WalkTrial.NOT_CAUGHT, [BOX.of(lid=OPEN, latch=FREE), BOX.of(lid=SHUT, latch=FREE)], "passed"),
        (WalkTrial.NOT_CAUGHT, [BOX.of(lid=OPEN, latch=FREE), BOX.of(lid=SHUT, latch=CAUGHT)], "failed"),
        (
            WalkTrial.CONTENT,
            [
                BOX.of(lid=SHUT, content="empty"),
                BOX.of(lid=SHUT, content="occupied"),
                BOX.of(lid=SHUT, content="empty"),
            ],
            "passed",
        ),
        (  # a report while the lid is open proves nothing
            WalkTrial.CONTENT,
            [
                BOX.of(lid=SHUT, content="empty"),
                BOX.of(lid=OPEN, content="occupied"),
                BOX.of(lid=SHUT, content="empty"),
            ],
            None,
        ),
        (
            WalkTrial.KEY_HOOK,
            [SAFE.of(flap=OPEN, key="absent"), SAFE.of(flap=SHUT, key="absent"), SAFE.of(flap=SHUT, key="present")],
            "passed",
        ),
        # A magnet below the hook, or a sensor without sight of the key: the safe counts as shut while the key is out
        (WalkTrial.KEY_HOOK, [SAFE.of(flap=OPEN, key="absent"), SAFE.of(flap=SHUT, key="present")], "failed"),
        (WalkTrial.KEY_HOOK, [SAFE.of(flap=SHUT, key="present")], None),
        (
            WalkTrial.OBSTRUCTION,
            [GARAGE.of(way="clear"), GARAGE.of(way="obstructed"), GARAGE.of(way="clear")],
            "passed",
        ),
        (WalkTrial.OBSTRUCTION, [GARAGE.of(way="clear"), GARAGE.of(way="clear")], None),
    ],
)
def test_a_closure_s_trial_ends_by_what_the_house_shows(
    trial: WalkTrial, shown: list[HouseObservation], ending: str | None
) -> None:
    closure = shown[0].state.rules.closures[0].id
    walk = after(only(trial, closure), *shown)
    assert walk.steps[0].ending == ending
    assert forbids_visits(walk_test_status(walk)) is (ending == "failed")


@pytest.mark.parametrize("thing", [STREET, SAFE, HALL])
@pytest.mark.parametrize(("answer", "ending"), [("yes", TrialResult.PASSED), ("no", TrialResult.FAILED)])
def test_only_who_pushes_knows_whether_it_holds_without_a_key(thing: Shown, answer: str, ending: TrialResult) -> None:
    values = {"flap": SHUT, "key": "present"} if thing is SAFE else {"door": SHUT}
    walk = after(only(WalkTrial.HOLDS, thing.closure.id), thing.of(**values))
    assert walk.steps[0].asks
    assert answer_trial(walk, 0, TrialAnswer(answer), NOW).steps[0].ending is ending


def test_an_unproven_closed_ends_no_trial() -> None:
    seen = STREET.of(door=SHUT)
    facts = {name: Fact(value=fact.value) for name, fact in seen.state.facts.items()}
    unproven = HouseObservation(state=Entrance(id="front", rules=seen.state.rules, facts=facts))
    assert [after(only(WalkTrial.HOLDS, STREET.closure.id), it).steps[0].shown for it in (unproven, seen)] == [0, 1]


def test_a_closure_that_the_house_no_longer_has_shows_nothing() -> None:
    assert after(only(WalkTrial.HOLDS, "gone"), STREET.of(door=SHUT)).steps[0].shown == 0


def test_a_flat_is_walked_in_the_order_of_the_way_with_its_cameras_and_its_scanners() -> None:
    flat = section(FLAT, cameras=CamerasSection(outside="bell", inside=("inside",)), scanners=("first",))
    steps = walk_steps(flat, FLAT)
    of = [(step.trial, step.closure) for step in steps]
    before = [(trial, one.id) for one in FLAT for trial in KIND_TRIALS[one.kind].before]
    assert of[: len(before)] == before
    assert [(s.camera, s.closure) for s in steps if s.trial is WalkTrial.SEES] == [("bell", "street"), ("hall", "flat")]
    assert [s.closure for s in steps if s.trial is WalkTrial.WRONG_CODE] == ["street"]
    assert of[-2:] == [(WalkTrial.DELIVERY, None), (WalkTrial.HOLDS, "street")]
    assert (WalkTrial.ANSWER, None) in of
    silent = section(FLAT, signal=None, home_refuses=False)
    assert WalkTrial.ANSWER not in {step.trial for step in walk_steps(silent, FLAT)}, "nobody could press it"


@pytest.mark.parametrize(("devices", "skippable"), [(BOX_DEVICES, False), ({}, True)])
def test_each_compartment_gets_its_own_delivery(devices: dict[str, str], *, skippable: bool) -> None:
    boxes = tuple(Compartment(id=name, devices=devices) for name in ("c1", "c2", "c3"))
    places = {"box": Place(name="Box", routes=tuple((one.id,) for one in boxes))}
    steps = [s for s in walk_steps(section(boxes, places=places), boxes) if s.trial is WalkTrial.DELIVERY]
    assert [step.closure for step in steps] == [None, "c2", "c3"]
    # Without a sensor inside, the first compartment opens again: a delivery cannot try the others
    assert [step.is_optional for step in steps] == [False, skippable, skippable]


def test_a_delivery_to_another_compartment_passes_no_trial() -> None:
    visit = Visit(
        id="v", delivery=visit_delivery(), scanner="s", route=("c1",), phase=Phase.LOCKED_AGAIN,
        consent=Consent(bell_confirmed=True), outcome=Outcome.DELIVERED, door_result=DoorResult.LOCKED_AGAIN,
    )  # fmt: skip
    boxes = Rules(closures=(Compartment(id="c1"), Compartment(id="c2")))
    proven = {"latch": CAUGHT, "lid": SHUT}
    facts = {f"{box}/{role}": Fact(value=value, proven=True) for box in ("c1", "c2") for role, value in proven.items()}
    seen = HouseObservation(
        state=Entrance(id="front", rules=boxes, facts=facts, visit=visit), delivery=visit.delivery.id
    )
    assert after(only(WalkTrial.DELIVERY, "c1"), seen).steps[0].asks
    assert not after(only(WalkTrial.DELIVERY, "c2"), seen).steps[0].asks


def test_what_was_passed_with_other_closures_is_stale(tmp_path: Path) -> None:
    home = with_parcel_box(make_plan(tmp_path, fast=True)).home
    front = home.entrances["front"]
    renamed = front.closures[1].model_copy(update={"id": "box-9"})
    other = home.model_copy(
        update={"entrances": {"front": front.model_copy(update={"closures": (front.closures[0], renamed)})}}
    )
    passed = WalkTest(
        entrance="front", begun=NOW, by="Ida", fitted=fitted_devices(home, "front"),
        steps=(WalkTestStep(trial=WalkTrial.BROKER, ending=TrialResult.PASSED),),
    )  # fmt: skip
    assert status_with_devices(passed, fitted_devices(home, "front")) is WalkTestStatus.PASSED
    assert status_with_devices(passed, fitted_devices(other, "front")) is WalkTestStatus.STALE


def test_a_wrong_code_counts_at_the_scanner_of_its_closure_only() -> None:
    rules = Rules(closures=FLAT, scanners={"first": "street", "second": "flat"})
    state = Entrance(id="front", rules=rules, scan_lockouts={"second": ScanLockout()})
    seen = HouseObservation(state=state, wrong_code_scanners=frozenset({"second"}))
    assert after(only(WalkTrial.WRONG_CODE, "street"), seen).steps[0].shown == 0
    assert after(only(WalkTrial.WRONG_CODE, "flat"), seen).steps[0].shown == 1


def test_a_battery_that_runs_out_holds_the_walk_test_up() -> None:
    walk = WalkTest(entrance="front", begun=NOW, by="Ida", steps=(WalkTestStep(trial=WalkTrial.BATTERIES),))
    low = Entrance(id="front", batteries={"street/door": BatteryLevel.LOW, "lock": BatteryLevel.GOOD})
    good = Entrance(id="front", batteries={"street/door": BatteryLevel.GOOD, "lock": BatteryLevel.MEDIUM})
    assert walk_test_status(after(walk, HouseObservation(state=low))) is WalkTestStatus.UNDER_WAY
    assert walk_test_status(after(walk, HouseObservation(state=good))) is WalkTestStatus.PASSED


def test_a_record_of_a_release_with_one_door_is_read_and_continues_at_that_door() -> None:
    old = (
        '{"entrance":"front","begun":"2026-11-25T12:00:00Z","by":"Ida","steps":'
        '[{"trial":"door_sensor","camera":null,"shown":1},{"trial":"delivery","camera":null}]}'
    )
    walk = WalkTest.model_validate_json(old)
    door = Shown(BoltedDoor(id="door"))
    walk = after(walk, door.of(lock=FREE, door=OPEN), door.of(lock=FREE, door=SHUT))
    assert walk.steps[0].ending is TrialResult.PASSED
