"""A robot comes in under supervision: a yes for each opening, a stop at any moment, and nothing closes on the robot."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.frozen import replace
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit import supervision
from gateway.domain.visit.closures import BoltedDoor, GarageDoor, Strike
from gateway.domain.visit.conditions import RobotFit, RobotFitReported
from gateway.domain.visit.conditions.robot_fit import RobotFitness
from gateway.domain.visit.state import CodeKind, RobotProof, Rules
from tests.gateway.domain.visit.closures.driven import Driven
from tests.house.promise import SimulatedDelivery

YES_LIFE = 10.0
ROBOT, OTHER, STRANGER = "r1", "r2", "r9"
FRONT = Rules(
    closures=(BoltedDoor(id="flat"),),
    cameras={"outside": True},
    scanners={"s": "flat"},
    robots=frozenset({ROBOT, OTHER}),
    conditions=(RobotFit(robots=(ROBOT, OTHER)),),
)
FLATS = replace(
    FRONT,
    closures=(Strike(id="street"), BoltedDoor(id="flat")),
    cameras={"outside": True, "landing": True},
    watched_by={"street": ("outside",), "flat": ("landing",)},
    scanners={"s": "street", "landing": "flat"},
)
GARAGE = replace(FRONT, closures=(GarageDoor(id="leaf", obstruction_sensor=True),), scanners={"s": "leaf"})
CLOSED = {
    "flat/lock": "locked",
    "flat/door": "closed",
    "street/door": "closed",
    "leaf/door": "closed",
    "leaf/way": "clear",
}


class Supervised(Driven):
    """An entrance where a robot brings the parcel, and a supervisor decides on each opening."""

    def __init__(self, rules: Rules = FRONT, *, yes_life: float = YES_LIFE) -> None:
        timing = rules.timing.model_copy(update={"yes_life": yes_life})
        super().__init__(replace(rules, timing=timing), CLOSED)
        self.parcel = self.delivery(for_robot=True)
        self.yesses = 0
        for robot in (ROBOT, OTHER):
            self.reports(robot)

    def reports(self, robot: str = ROBOT, fitness: RobotFitness = RobotFitness.FIT) -> None:
        """The state of a robot."""
        self.feed(RobotFitReported(device=robot, fitness=fitness))

    def comes(self, robot: str = ROBOT, parcel: SimulatedDelivery | None = None) -> None:
        """A robot proves who it is."""
        self.run(11)
        self.scans += 1
        parcel = parcel or self.parcel
        match = e.CodeMatch(kind=CodeKind.PARCEL, delivery=parcel.facts())
        proof = RobotProof(robot=robot, delivery=parcel.id, loads=parcel.parcels)
        (code,) = parcel.parcels
        self.feed(e.Scanned(id=f"v{self.scans}", scanner=robot, code=code, matches=(match,), robot=proof))

    def decides(self, closure: str = "flat", *, yes: bool = True, age: float = 0.0, life: float = 30.0) -> None:
        """The supervisor decides on an opening; the message is `age` seconds old and valid for `life` in all."""
        self.yesses += 1
        issued = self.now().utc - timedelta(seconds=age)
        visit = "v0" if self.state.visit is None else self.state.visit.id
        self.feed(
            e.OpeningDecided(
                visit=visit, closure=closure, yes=yes, by="ines", issued=issued,
                expires=issued + timedelta(seconds=life), message_sha256=f"{self.yesses:064x}",
            )
        )  # fmt: skip

    def leaves(self, robot: str = ROBOT, carries: frozenset[str] = frozenset()) -> None:
        """The robot reports that it is outside again."""
        self.feed(e.HolderLeft(holder=robot, carries=carries))

    def rings_out(self) -> None:
        """The ringing time passes."""
        self.run(21)

    def goes_in(self) -> None:
        """The robot opens the unlocked door, which stays open."""
        self.says(flat_lock="unlocked")
        self.says(flat_door="open")

    def door_falls_shut(self) -> None:
        """The door closes by itself, and locks when the box locks it."""
        self.says(flat_door="closed")
        self.values["flat/lock"] = "locked"


def rung(rules: Rules = FRONT, *, yes_life: float = YES_LIFE) -> Supervised:
    house = Supervised(rules, yes_life=yes_life)
    house.comes()
    house.rings_out()
    assert house.phase == "approving"
    return house


def entered() -> Supervised:
    house = rung()
    house.decides()
    house.goes_in()
    assert house.phase == "inside"
    return house


def locks_only_once_it_left(house: Supervised) -> None:
    house.run(60)
    assert house.orders == ["open flat"]
    house.leaves()
    house.door_falls_shut()
    house.run(60)
    assert house.orders == ["open flat", "lock flat"]


def test_a_robot_comes_in_on_one_yes_leaves_and_the_door_is_locked_again() -> None:
    house = entered()
    house.leaves()
    house.door_falls_shut()
    house.run(60)
    assert house.orders == ["open flat", "lock flat"]
    assert (house.outcomes, house.door_results) == (["delivered"], ["locked_again"])
    (intent,) = house.all(c.ReserveOpening)
    assert intent.permit == f"{1:064x}", "the intent names the yes that it used"


def test_silence_opens_nothing() -> None:
    house = rung()
    house.run(90)
    assert house.orders == []
    assert house.refusals == ["not_approved"]


def test_a_yes_during_the_ringing_waits_until_the_household_had_its_time() -> None:
    house = Supervised()
    house.comes()
    house.run(15)
    house.decides()
    assert house.orders == []
    house.run(6)
    assert house.orders == ["open flat"]


@pytest.mark.parametrize(
    ("age", "life", "opens"),
    [(0.0, 30.0, True), (9.0, 30.0, True), (10.0, 30.0, False), (0.0, 0.0, False), (29.0, 30.0, False)],
)
def test_a_yes_that_is_too_old_when_it_comes_opens_nothing(age: float, life: float, opens: bool) -> None:
    house = rung()
    house.decides(age=age, life=life)
    assert house.orders == (["open flat"] if opens else [])


def test_a_yes_that_grows_too_old_before_the_opening_opens_nothing() -> None:
    house = Supervised()
    house.comes()
    house.decides()
    house.run(YES_LIFE)
    house.run(21 - YES_LIFE)
    assert house.phase == "approving"
    assert house.orders == []


def test_a_yes_dated_in_the_future_counts_no_longer_than_one_of_now() -> None:
    house = Supervised()
    house.comes()
    house.decides(age=-3600.0, life=7200.0)
    house.rings_out()
    assert house.orders == []


def test_a_yes_to_another_opening_or_another_visit_opens_nothing() -> None:
    house = rung()
    house.decides("street")
    house.feed(
        e.OpeningDecided(
            visit="v7", closure="flat", yes=True, by="ines", issued=house.now().utc,
            expires=house.now().utc + timedelta(seconds=30), message_sha256="0" * 64,
        )
    )  # fmt: skip
    house.run(90)
    assert house.orders == []


def test_a_no_ends_the_visit_and_a_yes_after_it_does_not_count() -> None:
    house = Supervised()
    house.comes()
    house.decides(yes=False)
    house.decides()
    house.run(90)
    assert house.orders == []
    assert house.refusals == ["not_approved"]


def test_the_owner_s_yes_is_not_the_supervisor_s() -> None:
    house = rung()
    house.feed(e.OwnerDecided(visit="v1", yes=True))
    house.run(90)
    assert house.orders == []


def test_the_household_can_still_refuse_a_robot() -> None:
    house = Supervised()
    house.comes()
    house.feed(e.OwnerDecided(visit="v1", yes=False))
    house.decides()
    house.run(30)
    assert (house.orders, house.refusals) == ([], ["not_approved"])


# ---- each opening has its own ---------------------------------------------------------------------------------------


def at_the_flat() -> Supervised:
    """The robot went through the street door, which fell shut behind it."""
    house = rung(FLATS)
    house.decides("street")
    house.says(street_door="open")
    house.says(street_door="closed")
    house.run(20)
    assert house.phase == "advancing"
    return house


def test_each_opening_has_its_own_yes() -> None:
    house = at_the_flat()
    assert house.orders == ["open street"]
    assert supervision.question(house.state) == "flat"
    house.decides("flat")
    assert house.orders == ["open street", "open flat"]
    first, second = house.all(c.ReserveOpening)
    assert first.permit != second.permit


def test_a_yes_given_before_its_opening_is_in_question_does_not_count() -> None:
    house = rung(FLATS, yes_life=60.0)
    house.decides("street")
    house.decides("flat", life=60.0)
    house.says(street_door="open")
    house.says(street_door="closed")
    house.run(20)
    assert house.phase == "advancing"
    assert house.orders == ["open street"]


def test_a_no_on_the_way_leads_back() -> None:
    house = at_the_flat()
    house.decides("flat", yes=False)
    house.leaves()
    house.run(60)
    assert house.orders[0] == "open street"
    assert "open flat" not in house.orders
    assert (house.outcomes, house.door_results) == (["not_delivered"], ["locked_again"])


def test_one_yes_opens_once_even_if_the_robot_comes_again() -> None:
    house = rung()
    house.decides()
    house.run(60)  # nobody went in: locked again
    house.says(flat_lock="locked")
    house.run(60)
    before = house.orders.count("open flat")
    house.comes()
    house.run(90)
    assert house.orders.count("open flat") == before == 1


# ---- stop ------------------------------------------------------------------------------------------------------------


def test_a_no_after_the_intent_stops_the_visit_at_once() -> None:
    house = rung()
    house.decides()
    assert house.phase == "unlocking"
    house.decides(yes=False)
    house.says(flat_lock="unlocked")
    house.run(1)
    assert house.phase == "relocking"
    assert house.refusals == ["not_approved"]


def test_a_no_while_the_robot_is_inside_alarms_and_closes_nothing() -> None:
    house = entered()
    house.decides(yes=False)
    house.run(30)
    assert house.alarms == ["stopped_inside"]
    assert house.orders == ["open flat"]


def test_a_stop_of_the_owner_locks_nothing_while_the_robot_is_inside() -> None:
    house = entered()
    house.feed(e.Stopped(epoch=1))
    house.says(flat_door="closed")
    locks_only_once_it_left(house)


# ---- who comes -------------------------------------------------------------------------------------------------------


def test_a_robot_that_this_entrance_does_not_know_opens_nothing() -> None:
    house = Supervised()
    house.comes(STRANGER)
    assert house.refusals == ["robot_not_proven"]


def test_a_person_who_scans_a_robot_s_parcel_opens_nothing() -> None:
    house = Supervised()
    house.scan(house.parcel)
    assert house.refusals == ["robot_not_proven"]


def test_a_robot_cannot_bring_a_courier_s_delivery() -> None:
    house = Supervised()
    house.comes(parcel=house.delivery())
    assert house.refusals == ["robot_not_proven"]


def test_the_second_robot_does_not_come_in_with_the_first() -> None:
    house = rung()
    house.comes(OTHER, replaced(house.parcel))
    assert house.refusals == ["busy"]


def replaced(parcel: SimulatedDelivery) -> SimulatedDelivery:
    return SimulatedDelivery(id="d1", start=parcel.start, end=parcel.end, for_robot=True)


# ---- the robot's own state -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fitness", [RobotFitness.UNFIT, RobotFitness.LOST])
def test_a_robot_that_is_not_fit_opens_nothing(fitness: RobotFitness) -> None:
    house = Supervised()
    house.reports(fitness=fitness)
    house.comes()
    assert house.refusals == ["not_ready"]


def test_another_robot_that_is_not_fit_does_not_matter() -> None:
    house = Supervised()
    house.reports(OTHER, RobotFitness.LOST)
    house.comes()
    assert house.refusals == []


def test_a_robot_of_which_nothing_is_known_opens_nothing() -> None:
    house = Supervised()
    house.feed(e.BrokerUp(session=2))  # a new session: what was reported before counts no longer
    house.comes()
    assert house.refusals == ["not_ready"]


@pytest.mark.parametrize("fitness", [RobotFitness.UNFIT, RobotFitness.LOST])
def test_a_stranded_robot_raises_the_alarm_and_nothing_is_closed(fitness: RobotFitness) -> None:
    house = entered()
    house.reports(fitness=fitness)
    assert house.alarms == ["robot_stranded"]
    house.says(flat_door="closed")
    house.run(60)
    assert house.orders == ["open flat"]


def test_a_robot_that_does_not_leave_is_handed_to_the_owner_who_has_the_door_locked() -> None:
    house = entered()
    house.says(flat_door="closed")
    house.run(400)
    assert house.phase == "handed_to_owner"
    assert "robot_stranded" in house.alarms
    assert house.orders == ["open flat"]
    assert house.outcomes == ["unknown"]
    house.door_falls_shut()
    house.feed(e.OwnerAcknowledged(visit="v1"))
    house.run(60)
    assert house.orders == ["open flat", "lock flat"]


def test_a_restart_with_a_robot_inside_locks_nothing() -> None:
    house = entered()
    house.says(flat_door="closed")
    house.feed(e.Restarted())
    house.feed(e.DiskChanged(ok=True))
    house.feed(e.BrokerUp(session=1))
    house.run(60)
    assert house.orders == ["open flat"]


def starts_again(house: Supervised) -> None:
    """The gateway was killed, and runs again."""
    house.feed(e.Restarted())
    house.feed(e.DiskChanged(ok=True))
    house.feed(e.BrokerUp(session=1))
    house.reports()


def test_a_restart_before_the_robot_was_seen_going_in_locks_nothing_until_it_reports_that_it_left() -> None:
    house = rung()
    house.decides()
    house.says(flat_lock="unlocked")
    starts_again(house)  # the door opens and falls shut meanwhile
    locks_only_once_it_left(house)


def test_that_the_robot_left_is_not_believed_while_nobody_knows_where_it_is_also_after_a_restart() -> None:
    house = entered()
    house.feed(e.HolderStrayed(holder=ROBOT, is_astray=True))
    assert [alarm.code for alarm in house.all(c.RaiseAlarm)] == [c.AlarmCode.ROBOT_STRANDED]
    starts_again(house)
    house.feed(e.HolderStrayed(holder=OTHER, is_astray=False))
    house.leaves()
    house.door_falls_shut()
    house.run(60)
    assert house.orders == ["open flat"]
    house.feed(e.HolderStrayed(holder=ROBOT, is_astray=False))
    house.feed(e.HolderStrayed(holder=OTHER, is_astray=True))
    house.leaves()
    house.run(60)
    assert house.orders == ["open flat", "lock flat"]


def test_a_restart_between_yes_and_opening_forgets_the_yes() -> None:
    house = Supervised()
    house.comes()
    house.decides()
    house.feed(e.Restarted())
    assert house.state.visit is None


def test_somebody_who_rings_does_not_speak_for_the_robot() -> None:
    house = entered()
    house.feed(e.BellPressed())
    house.says(flat_door="closed")
    house.run(60)
    assert house.orders == ["open flat"]


def test_another_robot_does_not_speak_for_it_either() -> None:
    house = entered()
    house.leaves(OTHER)
    house.says(flat_door="closed")
    house.run(60)
    assert house.orders == ["open flat"]


def test_what_the_robot_takes_away_again_is_not_delivered() -> None:
    house = entered()
    house.leaves(carries=house.parcel.parcels)
    house.door_falls_shut()
    house.run(60)
    assert house.outcomes == ["not_delivered"]


def test_a_garage_is_not_closed_on_a_robot_because_somebody_rings() -> None:
    house = rung(GARAGE)
    house.decides("leaf")
    house.says(leaf_door="open")
    house.feed(e.BellPressed())
    house.run(60)
    assert house.orders == ["open leaf"]


def test_a_garage_is_closed_only_after_the_robot_left_and_the_way_is_clear() -> None:
    house = rung(GARAGE)
    house.decides("leaf")
    house.says(leaf_door="open")
    house.run(60)
    assert house.orders == ["open leaf"]
    house.says(leaf_way="obstructed")
    house.leaves()
    house.run(60)
    assert house.orders == ["open leaf"], "it says that it left, and the beam says otherwise"
    house.says(leaf_way="clear")
    house.leaves()
    house.run(60)
    assert "close leaf" in house.orders


# ---- whatever happens ------------------------------------------------------------------------------------------------

ACTS = st.sampled_from((
    "yes flat", "yes street", "old yes", "no", "door opens", "door closes", "leaves", "stranded", "fit", "stop", "lift",
    "ring", "comes", "wait 1", "wait 15", "wait 60", "restart", "unlocked", "locked",
))  # fmt: skip


@given(acts=st.lists(ACTS, max_size=30))
def test_whatever_happens_each_opening_has_its_own_fresh_yes_and_nothing_locks_on_the_robot(acts: list[str]) -> None:
    house = Supervised(FLATS)
    given_at: dict[str, tuple[float, str]] = {}
    house.comes()
    inside = False
    for act in acts:
        before = len(house.did)
        _act(house, act, given_at)
        for at, command in house.did[before:]:
            if isinstance(command, c.ReserveOpening):
                issued, closure = given_at.pop(command.permit)
                assert closure == command.closure
                assert at - issued < YES_LIFE
                inside = False
            if isinstance(command, c.Lock | c.Close) and inside:
                pytest.fail(f"{command} while the robot is inside")
        visit = house.state.visit
        inside = visit is not None and visit.opened and not visit.holder_left


def _act(house: Supervised, act: str, given_at: dict[str, tuple[float, str]]) -> None:
    word, _, what = act.partition(" ")
    match word:
        case "yes" | "old" | "no":
            closure = what if word == "yes" else "street"
            age = YES_LIFE - 1 if word == "old" else 0.0
            house.decides(closure, yes=word != "no", age=age)
            if word != "no":
                given_at[f"{house.yesses:064x}"] = (house.t - age, closure)
        case "door":
            closure = "flat" if house.orders[-1:] == ["open flat"] else "street"
            house.says(**{f"{closure}_door": "open" if what == "opens" else "closed"})
        case "unlocked" | "locked":
            house.says(flat_lock=word)
        case "leaves":
            house.leaves()
        case "stranded" | "fit":
            house.reports(fitness=RobotFitness.UNFIT if word == "stranded" else RobotFitness.FIT)
        case "stop" | "lift":
            epoch = house.state.stop_epoch + 1
            house.feed(e.Stopped(epoch=epoch) if word == "stop" else e.StopLifted(epoch=epoch))
        case "ring":
            house.feed(e.BellPressed())
        case "comes":
            house.comes()
        case "wait":
            house.run(float(what))
        case _:
            house.feed(e.Restarted())
            house.feed(e.DiskChanged(ok=True))
            house.feed(e.BrokerUp(session=1))
            house.reports()
