"""What the core decides where an entrance has several closures: stages, explanations, securing, money."""

import pytest

from devices.reports import OperationSource
from gateway.domain.delivery.features import Dimensions
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import replace
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures import BoltedDoor, Compartment, KeyedDoor, KeySafe, Strike
from gateway.domain.visit.state import Evidence, LockRequestResult, Phase, Rules
from gateway.domain.visit.step import Step
from tests.gateway.domain.visit.closures.driven import Driven
from tests.house.promise import SimulatedDelivery

HAND = OperationSource.MANUAL
COMMAND_CAN_ACT_S = 10.0  # by its life, and the clock error of the lock

CAMERAS = {"outside": True, "landing": True}
FLAT = Rules(
    cameras=CAMERAS,
    watched_by={"street": ("outside",), "flat": ("landing",)},
    scanners={"s": "street", "landing": "flat"},
    closures=(Strike(id="street"), BoltedDoor(id="flat")),
)
LOCKED = {"street/door": "closed", "flat/lock": "locked", "flat/door": "closed"}

BOXES = Rules(
    evidence=Evidence.SENSOR,
    has_signal=False,
    household_refuses=False,
    closures=tuple(Compartment(id=name, devices={"content": "eye"}, size=(300, 300, 300)) for name in ("one", "two")),
    routes={"hall": (("one",), ("two",))},
)
EMPTY = {f"{box}/{role}": value for box in ("one", "two") for role, value in
         (("latch", "locked"), ("lid", "closed"), ("content", "empty"))}  # fmt: skip

KEYS = Rules(cameras={"outside": True}, closures=(KeySafe(id="safe", back_within=600.0), KeyedDoor(id="hall")))
KEY_IN = {"safe/flap": "closed", "safe/key": "present", "hall/door": "closed"}

GATE = Rules(
    cameras=CAMERAS,
    scanners={"s": "gate", "porch": "house"},
    closures=(BoltedDoor(id="gate"), BoltedDoor(id="house")),
)
BOTH_LOCKED = {f"{door}/{role}": value for door in ("gate", "house") for role, value in
               (("lock", "locked"), ("door", "closed"))}  # fmt: skip


def at_the_street(rules: Rules = FLAT) -> tuple[Driven, SimulatedDelivery]:
    """The courier scanned at the street door and nobody objected: its strike is released."""
    house = Driven(rules, LOCKED)
    delivery = house.delivery()
    house.scan(delivery)
    house.run(21)
    assert house.orders == ["open street"], house.refusals
    return house, delivery


def in_the_hall(rules: Rules = FLAT) -> tuple[Driven, SimulatedDelivery]:
    """He went through it, and it fell shut behind him."""
    house, delivery = at_the_street(rules)
    house.says(street_door="open")
    house.says(street_door="closed")
    house.run(3)
    assert house.phase == "advancing"
    return house, delivery


def in_the_flat() -> tuple[Driven, SimulatedDelivery]:
    """He scanned at the flat's door, which opened to him."""
    house, delivery = in_the_hall()
    house.run(COMMAND_CAN_ACT_S)
    house.scan(delivery, "landing")
    house.says(OperationSource.REMOTE, flat_lock="unlocked")
    house.says(flat_door="open")
    assert house.phase == "inside", house.refusals
    return house, delivery


def flat_is_shut(house: Driven) -> None:
    """He pulled the flat's door shut, and its bolt moves when it gets the command."""
    house.says(flat_door="closed")
    house.run(12)
    assert house.orders[-1] == "lock flat"
    house.says(OperationSource.REMOTE, flat_lock="locked")


# ---- stages ---------------------------------------------------------------------------------------------------------


def test_both_open_in_turn_and_each_has_its_own_intent_and_command() -> None:
    house, _ = in_the_flat()
    flat_is_shut(house)
    house.run(60)
    assert house.orders == ["open street", "open flat", "lock flat"]
    assert [(one.closure, one.stage) for one in house.all(c.ReserveOpening)] == [("street", 0), ("flat", 1)]
    assert house.outcomes == ["delivered"]
    assert house.door_results == ["locked_again"]


def test_the_flat_opens_only_after_an_answer_that_was_asked_when_the_streets_command_can_act_no_more() -> None:
    house, delivery = at_the_street()
    ordered_at = house.t
    house.says(street_door="open")
    house.says(street_door="closed")
    house.run(3)
    house.scan(delivery, "landing")
    while "open flat" not in house.orders and house.t < ordered_at + 60:
        house.run(0.1)
    times = {command: at for at, command in house.did}
    queries = [at for command, at in times.items() if isinstance(command, c.QuerySensor)
               and command.sensor == "street/door" and at <= house.t]  # fmt: skip
    assert "open flat" in house.orders
    assert max(queries) >= ordered_at + COMMAND_CAN_ACT_S - 1


def test_the_flat_stays_shut_until_the_street_door_has_answered_closed() -> None:
    house, delivery = at_the_street()
    house.says(street_door="open")
    house.says(street_door="closed")
    del house.values["street/door"]  # it answers nothing from here on
    house.run(20)
    house.scan(delivery, "landing")
    house.run(60)
    assert house.orders == ["open street"]


def test_who_comes_in_behind_him_keeps_the_flat_shut_until_the_street_door_is_shut_again() -> None:
    house, delivery = in_the_hall()
    house.run(COMMAND_CAN_ACT_S + 3)  # it was proven shut
    house.says(street_door="open")
    house.scan(delivery, "landing")
    house.run(5)
    assert house.orders == ["open street"]
    house.says(street_door="closed")
    house.run(5)
    assert house.orders == ["open street", "open flat"]


def test_who_scans_at_the_flat_while_the_street_door_is_open_is_told_to_wait_and_need_not_scan_again() -> None:
    house, delivery = at_the_street()
    house.says(street_door="open")
    house.scan(delivery, "landing")
    assert [answer.answer for answer in house.all(c.AnswerScan)[-1:]] == [c.ScanAnswer.WAIT]
    assert house.orders == ["open street"]
    house.says(street_door="closed")
    house.run(COMMAND_CAN_ACT_S + 5)
    assert house.orders[:2] == ["open street", "open flat"]


def test_who_scans_another_parcel_where_he_is_let_in_is_told_to_go_on() -> None:
    house, delivery = in_the_flat()
    house.scan(delivery, "landing")
    assert house.all(c.AnswerScan)[-1].answer is c.ScanAnswer.GO


def test_a_scan_at_the_street_door_again_opens_no_flat() -> None:
    house, delivery = in_the_hall()
    house.run(COMMAND_CAN_ACT_S)
    house.scan(delivery, "s")
    house.run(30)
    assert house.orders == ["open street"]


def test_the_flat_opens_to_nobody_who_does_not_scan_there() -> None:
    house, _ = in_the_hall()
    house.run(100)
    assert house.orders == ["open street"]
    house.run(200)
    assert house.door_results == ["locked_again"]
    assert house.outcomes == ["not_delivered"]


def test_where_no_scanner_hangs_to_have_come_so_far_is_enough() -> None:
    house, _ = in_the_hall(replace(FLAT, scanners={"s": "street"}))
    house.run(COMMAND_CAN_ACT_S)
    assert house.orders == ["open street", "open flat"]


@pytest.mark.parametrize("why", ["stop", "cancelled", "no"])
def test_a_stop_a_cancellation_or_a_no_in_the_hall_secures_everything_at_once(why: str) -> None:
    house, delivery = in_the_hall()
    match why:
        case "stop":
            house.feed(e.Stopped(epoch=1))
        case "cancelled":
            delivery.refusal = Refusal.CANCELLED
            house.feed(e.FactsChanged(delivery=delivery.facts(), stopped=False, epoch=0))
        case _:
            house.feed(e.OwnerDecided(visit="v1", yes=False))
    assert house.phase == "relocking"
    house.scan(delivery, "landing")
    house.run(60)
    assert house.orders == ["open street"]
    assert house.door_results == ["locked_again"]


def test_a_window_that_ended_in_the_hall_opens_nothing() -> None:
    house, delivery = in_the_hall()
    house.run(COMMAND_CAN_ACT_S)
    house.feed(e.FactsChanged(delivery=replace(delivery.facts(), end=house.now().utc), stopped=False, epoch=0))
    house.scan(delivery, "landing")
    assert house.orders == ["open street"]
    assert house.refusals == ["outside_window"]


def test_a_flat_that_is_not_ready_any_more_opens_nothing_and_the_answer_says_why() -> None:
    house, delivery = in_the_hall()
    house.run(COMMAND_CAN_ACT_S)
    del house.values["flat/lock"]
    house.feed(e.SensorOffline(sensor="flat/lock"))
    house.scan(delivery, "landing")
    assert house.orders == ["open street"]
    assert house.all(c.AnswerScan)[-1].lacking == ("flat/lock",)


def test_the_visits_own_opening_does_not_count_against_its_next_stage() -> None:
    house, delivery = in_the_hall()
    delivery.used, delivery.withdrawals = 1, 2
    house.feed(e.FactsChanged(delivery=delivery.facts(), stopped=False, epoch=0))
    house.run(COMMAND_CAN_ACT_S)
    house.scan(delivery, "landing")
    assert house.orders == ["open street", "open flat"]


def test_what_changed_in_the_store_in_the_hall_goes_into_the_next_intent() -> None:
    house, delivery = in_the_hall()
    delivery.version = 7
    house.feed(e.FactsChanged(delivery=delivery.facts(), stopped=False, epoch=0))
    house.run(COMMAND_CAN_ACT_S)
    house.scan(delivery, "landing")
    assert [reserve.version for reserve in house.all(c.ReserveOpening)] == [1, 7]


@pytest.mark.parametrize(("moving", "refusals"), [(("outside",), ["camera_unavailable"]), (("landing",), [])])
def test_the_camera_at_the_flat_has_to_see_him_and_no_other(moving: tuple[str, ...], refusals: list[str]) -> None:
    house, delivery = in_the_hall()
    house.run(COMMAND_CAN_ACT_S)
    house.films(is_recording=True, moving=moving)
    house.scan(delivery, "landing")
    assert house.refusals == refusals
    assert ("open flat" in house.orders) is not bool(refusals)


def test_a_command_for_the_flat_that_never_left_gives_back_nothing_of_what_was_used() -> None:
    house, delivery = in_the_hall()
    house.run(COMMAND_CAN_ACT_S)
    house.scan(delivery, "landing")
    house.feed(e.UnlockNotSent(visit="v1", closure="flat", why=e.UnsentReason.SENSOR))
    house.run(60)
    assert house.phase is None
    assert not house.all(c.ReleaseOpening)
    assert house.door_results == ["locked_again"]


def test_go_at_a_strike_whose_command_never_left_is_taken_back() -> None:
    house, _ = at_the_street()
    house.feed(e.UnlockNotSent(visit="v1", closure="street", why=e.UnsentReason.BROKER))
    assert house.refusals == ["not_ready"]
    house.run(60)
    assert [release.withdrawal for release in house.all(c.ReleaseOpening)] == [True]


def test_a_gate_that_opens_on_the_way_out_leads_nowhere_again() -> None:
    house = Driven(replace(GATE, scanners={"s": "gate"}), BOTH_LOCKED)
    house.scan(house.delivery())
    house.run(21)
    for door in ("gate", "house"):
        house.says(OperationSource.REMOTE, **{f"{door}_lock": "unlocked"})
        house.says(**{f"{door}_door": "open"})
        house.says(**{f"{door}_door": "closed"})
        house.run(3)
        if door == "gate":
            house.says(OperationSource.REMOTE, gate_lock="locked")
            house.run(COMMAND_CAN_ACT_S)
    assert house.orders == ["open gate", "lock gate", "open house"]
    house.says(HAND, gate_lock="unlocked")
    house.says(gate_door="open")
    house.says(gate_door="closed")
    house.run(12)
    house.says(OperationSource.REMOTE, house_lock="locked")
    house.says(OperationSource.REMOTE, gate_lock="locked")
    house.run(30)
    assert house.orders[3:].count("open house") == 0
    assert house.door_results == ["locked_again"]


def test_an_inner_scanner_begins_there_where_only_shared_doors_lie_before_it() -> None:
    house = Driven(FLAT, LOCKED)
    house.scan(house.delivery(), "landing")
    house.run(21)
    assert house.orders == ["open flat"]
    house = Driven(GATE, BOTH_LOCKED)
    house.scan(house.delivery(), "porch")
    house.run(21)
    assert house.orders == ["open gate"]


@pytest.mark.parametrize("reports_jam", [False, True])
def test_a_gate_whose_bolt_does_not_obey_is_tried_three_times_then_the_visit_goes_back(*, reports_jam: bool) -> None:
    house = Driven(GATE, BOTH_LOCKED)
    house.scan(house.delivery())
    house.run(21)
    house.says(OperationSource.REMOTE, gate_lock="unlocked")
    house.says(gate_door="open")
    house.says(gate_door="closed")
    while house.phase in {"inside", "advancing"} and house.t < 3000:
        house.run(1)
        if reports_jam and house.phase == "advancing" and "lock gate" in house.orders:
            context = e.ReportContext(session=1)
            house.feed(e.SensorReported(sensor="gate/lock", value="unlocked", jammed=True, context=context))
    assert house.phase == "relocking"
    assert house.orders.count("lock gate") <= 4  # three, and the first of those at the end
    assert ("lock_jammed" in house.alarms) is reports_jam
    house.run(60)
    assert house.door_results == ["handed_to_owner"]


# ---- securing -------------------------------------------------------------------------------------------------------


def test_the_innermost_is_secured_first() -> None:
    house, _ = in_the_flat()
    before = len(house.did)
    flat_is_shut(house)
    house.run(30)
    queried = [command.sensor for _, command in house.did[before:] if isinstance(command, c.QuerySensor)]
    assert "lock flat" in house.orders
    assert queried.index("flat/door") < queried.index("street/door")
    assert queried[-1] == "street/door"


def test_at_the_end_all_are_secured_at_once_or_one_is_secured_again() -> None:
    house, _ = in_the_flat()
    house.says(flat_door="closed")
    house.says(street_door="open")  # he went out and wedged it
    house.run(12)
    house.says(OperationSource.REMOTE, flat_lock="locked")
    house.run(20)
    assert not house.door_results
    house.says(HAND, flat_lock="unlocked")  # somebody inside, while the street door is waited for
    house.says(street_door="closed")
    while house.orders.count("lock flat") < 2 and house.t < 3000:
        house.run(1)
    assert not house.door_results
    house.says(OperationSource.REMOTE, flat_lock="locked")
    house.run(30)
    assert house.door_results == ["locked_again"]


def test_a_street_door_that_opens_while_the_flat_is_secured_is_anybodys() -> None:
    house, _ = in_the_flat()
    house.says(flat_door="closed")
    house.run(3)
    assert house.phase == "relocking"
    house.says(street_door="open")
    assert house.phase == "relocking"
    house.says(flat_door="open")
    assert house.phase == "inside"


def test_who_was_at_the_street_door_only_delivered_nothing() -> None:
    house, _ = in_the_hall()
    house.feed(e.Stopped(epoch=1))
    house.run(60)
    assert house.outcomes == ["not_delivered"]
    assert house.door_results == ["locked_again"]
    assert not house.all(c.ReleaseOpening)


def test_each_step_that_queries_believes_nothing_of_before() -> None:
    house, _ = in_the_flat()
    house.says(flat_door="closed")
    house.run(3)
    del house.values["flat/door"]  # it answered "closed" before, and answers nothing from here on
    house.run(60)
    assert "lock flat" not in house.orders
    assert house.door_results == ["handed_to_owner"]


# ---- what a visit explains ------------------------------------------------------------------------------------------


def at_the_box(values: dict[str, str] = EMPTY) -> Driven:
    """The courier scanned at the parcel box: one of its compartments is ordered open."""
    house = Driven(BOXES, values)
    house.scan(house.delivery())
    house.run(1)
    return house


def one_is_open(values: dict[str, str] = EMPTY) -> Driven:
    house = at_the_box(values)
    assert house.orders == ["open one"], house.refusals
    house.says(OperationSource.REMOTE, one_latch="unlocked")
    house.says(one_lid="open")
    return house


def one_is_shut(house: Driven, content: str = "occupied") -> None:
    house.values["one/content"] = content
    house.says(one_latch="locked")
    house.says(one_lid="closed")
    house.run(30)


def test_a_visit_explains_nothing_that_happens_at_another_compartment() -> None:
    house = one_is_open()
    house.says(OperationSource.REMOTE, one_latch="unlocked")
    assert not house.alarms
    house.says(OperationSource.REMOTE, two_latch="unlocked")
    assert house.alarms == ["unexpected_unlock"]


def test_after_a_visit_the_owners_use_of_another_compartment_is_not_the_couriers_way_out() -> None:
    house = one_is_open()
    one_is_shut(house)
    house.run(5)
    house.says(HAND, two_latch="unlocked")
    house.says(two_lid="open")
    assert house.phase is None or house.phase == "locked_again"
    house.run(30)
    assert house.phase is None
    assert house.door_results == ["locked_again"]
    assert not house.alarms


def test_before_its_film_ends_another_compartment_that_stands_open_keeps_no_visit_from_ending() -> None:
    house = one_is_open()
    house.says(HAND, two_latch="unlocked")
    house.says(two_lid="open")
    one_is_shut(house)
    house.run(60)
    assert house.phase is None
    assert house.door_results == ["locked_again"]


def test_an_occupied_or_unknown_compartment_is_never_opened_and_the_next_one_is() -> None:
    for content in ("occupied", "unknown"):
        assert at_the_box(EMPTY | {"one/content": content}).orders == ["open two"]


def test_a_full_box_refuses_and_says_what_is_occupied() -> None:
    house = at_the_box(EMPTY | {"one/content": "occupied", "two/content": "occupied"})
    assert house.orders == []
    assert house.all(c.AnswerScan)[-1].lacking == ("one/occupied",)


def test_a_parcel_that_does_not_fit_opens_nothing() -> None:
    house = Driven(BOXES, EMPTY)
    house.scan(house.delivery(), dimensions=Dimensions(length=301, width=10, height=10))
    assert house.orders == []
    assert house.all(c.AnswerScan)[-1].lacking == ("one/too_big",)


@pytest.mark.parametrize(
    ("content", "outcome"), [("occupied", "delivered"), ("empty", "not_delivered"), ("unknown", "unknown")]
)
def test_delivered_to_a_box_needs_an_answer_that_something_lies_in_it(content: str, outcome: str) -> None:
    house = one_is_open()
    one_is_shut(house, content)
    house.run(30)
    assert house.outcomes == [outcome]
    assert house.door_results == ["locked_again"]


def test_the_proof_of_a_box_without_a_camera_says_that_there_is_no_film() -> None:
    house = one_is_open()
    one_is_shut(house)
    house.run(30)
    assert [seal.gaps for seal in house.all(c.SealProof)] == [("no_film",)]


# ---- keys -----------------------------------------------------------------------------------------------------------


def key_is_out() -> Driven:
    """The keeper's code opened the safe, and the key is gone."""
    house = Driven(KEYS, KEY_IN)
    house.scan(house.delivery())
    house.run(21)
    assert house.orders == ["open safe"], house.refusals
    house.says(safe_flap="open")
    house.says(safe_key="absent")
    house.says(safe_flap="closed")
    assert house.phase == "inside"
    return house


def key_is_back(house: Driven) -> None:
    house.says(safe_key="present")
    house.run(60)


def notes(house: Driven) -> list[str]:
    return [note.what for note in house.all(c.LogNote)]


def test_the_key_opens_the_door_and_comes_back_and_all_is_secured_from_inside_out() -> None:
    house = key_is_out()
    house.says(hall_door="open")
    house.run(5)
    house.says(hall_door="closed")
    house.run(5)
    assert not house.door_results
    before = len(house.did)
    key_is_back(house)
    queried = [command.sensor for _, command in house.did[before:] if isinstance(command, c.QuerySensor)]
    assert queried.index("hall/door") < len(queried) - 1 - queried[::-1].index("safe/key")
    assert house.orders == ["open safe"]
    assert house.outcomes == ["delivered"]
    assert house.door_results == ["locked_again"]
    assert notes(house) == ["key_taken", "key_returned"]


def test_a_key_that_opened_no_door_delivered_nothing() -> None:
    house = key_is_out()
    key_is_back(house)
    assert house.outcomes == ["not_delivered"]


def test_a_door_that_the_key_opened_and_that_stands_open_is_not_locked_again() -> None:
    house = key_is_out()
    house.says(hall_door="open")
    key_is_back(house)
    assert not house.door_results
    house.says(hall_door="unknown")
    del house.values["hall/door"]
    house.run(300)
    assert "locked_again" not in house.door_results


def test_a_key_that_is_out_is_due_while_its_keeper_is_in_the_home() -> None:
    house = key_is_out()
    house.run(100)
    house.says(hall_door="open")
    house.run(600 - 100 - 10)
    assert "key_late" not in house.alarms
    house.run(20)
    assert "key_late" in house.alarms


# ---- an unanswered command ------------------------------------------------------------------------------------------


def test_a_compartment_that_never_answered_is_watched_after_its_visit_and_a_late_opening_alarms() -> None:
    house = at_the_box()
    assert house.orders == ["open one"]
    house.run(60)
    assert house.door_results == ["locked_again"]
    assert not house.all(c.ReleaseOpening)
    house.run(300)
    assert house.phase is None
    house.scan(house.delivery())
    assert house.refusals[-1] == "not_ready"  # no second command beside the first
    house.says(OperationSource.REMOTE, one_latch="unlocked")
    assert "late_unlock" in house.alarms


def test_a_strike_is_nobodys_secret_and_is_not_watched() -> None:
    house, _ = at_the_street()
    house.run(60)
    assert house.door_results == ["locked_again"]
    assert len(house.all(c.ReleaseOpening)) == 1
    house.run(20)
    house.says(OperationSource.REMOTE, street_door="open")
    assert not house.alarms
    assert house.phase is None


def test_neighbours_at_the_street_door_are_neither_alarmed_nor_filmed_nor_the_household() -> None:
    house = Driven(FLAT, LOCKED)
    for _ in range(3):
        house.says(OperationSource.REMOTE, street_door="open")
        house.run(5)
        house.says(street_door="closed")
    assert not house.alarms
    assert not house.all(c.StartRecording)
    house.scan(house.delivery())
    assert house.phase == "ringing"


def test_after_a_crash_a_command_that_may_have_been_sent_is_unanswered() -> None:
    house = at_the_box()
    state = house.state
    assert state.visit is not None
    entry = replace(state.visit.entry, unanswered=frozenset())
    house.state = replace(state, visit=replace(state.visit, entry=entry))
    house.feed(e.Restarted())
    assert house.state.visit is not None
    assert house.state.visit.entry.unanswered == {"one"}


# ---- without a visit ------------------------------------------------------------------------------------------------


def test_lock_now_secures_what_bars_this_home_and_waits_for_no_street_door() -> None:
    house = Driven(FLAT, LOCKED | {"street/door": "open", "flat/lock": "unlocked"})
    house.feed(e.LockRequested(id="lockup-1", by="anna"))
    assert house.orders == ["lock flat"]
    house.says(OperationSource.REMOTE, flat_lock="locked")
    house.run(1)
    assert house.state.lock_request is not None
    assert house.state.lock_request.result is LockRequestResult.PROVEN


def test_lock_now_of_a_lock_that_only_says_locked_proves_it_first() -> None:
    house = Driven(FLAT, LOCKED)
    del house.values["flat/lock"]
    house.feed(e.SensorOffline(sensor="flat/lock"))
    house.says(OperationSource.REMOTE, street_door="closed")
    house.feed(e.SensorReported(sensor="flat/lock", value="locked", context=e.ReportContext(session=1)))
    house.feed(e.LockRequested(id="lockup-1", by="anna"))
    assert house.orders == ["lock flat"]
    house.run(20)
    assert house.state.lock_request is not None
    assert house.state.lock_request.result is LockRequestResult.NOT_PROVEN


def in_safe_mode(**values: str) -> Driven:
    """Safe mode with the flat's bolt back, a moment before its first round."""
    house = Driven(FLAT, LOCKED | {"flat/lock": "unlocked"})
    house.feed(e.Restarted(safe_mode=True))
    house.feed(e.DiskChanged(ok=True))
    house.feed(e.BrokerUp(session=1))
    house.run(2.9)
    assert house.state.safe_mode
    assert house.orders == []
    house.values |= {name.replace("_", "/"): value for name, value in values.items()}
    return house


def test_safe_mode_locks_the_flat_and_nothing_that_neighbours_use() -> None:
    house = in_safe_mode()
    house.run(5)
    assert house.orders == ["lock flat"]


def test_safe_mode_asks_the_door_once_more_before_it_locks() -> None:
    house = in_safe_mode(flat_door="closed>open")  # it opened since the round's answer
    house.run(300)
    assert house.orders == []


def test_safe_mode_locks_against_no_hand_that_came_since_its_round() -> None:
    house = in_safe_mode()
    answers = dict(house.values)
    house.values = {name: value for name, value in answers.items() if name != "flat/door"}
    house.run(0.2)  # its round: the flat's door is slow to answer
    door_answers_closed(house)
    assert house.all(c.QuerySensor)[-1].sensor == "flat/door"  # it is asked once more
    house.says(HAND, flat_lock="locked")
    house.says(HAND, flat_lock="unlocked")
    door_answers_closed(house)
    house.values = answers
    house.run(60)
    assert house.orders == []


def door_answers_closed(house: Driven) -> None:
    """The flat's door answers the newest query."""
    numbers = [query.number for query in house.all(c.QuerySensor) if query.sensor == "flat/door"]
    context = e.ReportContext(session=1, answers=numbers[-1])
    house.feed(e.SensorReported(sensor="flat/door", value="closed", context=context))


def test_a_route_with_a_closure_that_the_house_file_has_no_longer_begins_safe_mode() -> None:
    house, _ = in_the_hall()
    house.state = replace(house.state, rules=replace(FLAT, closures=(BoltedDoor(id="flat"),)))
    house.feed(e.Restarted())
    assert house.state.safe_mode
    assert house.state.visit is not None
    assert house.state.visit.route == ("flat",)
    assert set(house.state.visit.entry.ordered_at) == {"flat"}


# ---- phases ---------------------------------------------------------------------------------------------------------


def test_no_phase_follows_that_is_not_declared() -> None:
    house, _ = in_the_hall()
    for phase in (Phase.RINGING, Phase.APPROVING, Phase.UNLOCKED, Phase.LOCKED_AGAIN, Phase.HANDED_TO_OWNER):
        with pytest.raises(RuntimeError, match="no transition"):
            Step(house.state, house.now()).transition(phase, {})
    with pytest.raises(RuntimeError, match="no end"):
        Step(house.state, house.now()).end_visit()
    Step(house.state, house.now()).transition(Phase.RELOCKING, {})
