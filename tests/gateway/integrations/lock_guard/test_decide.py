"""What the guard does and refuses, one rule after the other."""

from collections.abc import Callable

import pytest

from devices.commands import LockDoor, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    BatteryLevel,
    BatteryReport,
    DoorState,
    ErrorReport,
    LockReport,
    LockState,
    NoAnswerReport,
    OperationError,
    Report,
)
from gateway.integrations.lock_guard import messages as w
from gateway.integrations.lock_guard.decide import PROBE_TIMEOUT_S, SETTLE_TIME_S, next_deadline_mono
from gateway.protocol.guard_message import FromGuard, ToGuard
from tests.gateway.integrations.lock_guard.beside import LOCK, GuardInMemory, report_of


def refusals(commands: tuple[w.GuardCommand, ...]) -> list[OperationError]:
    reports = [report_of(c) for c in commands if isinstance(c, FromGuard)]
    return [report.failure for report in reports if isinstance(report, ErrorReport)]


def said(commands: tuple[w.GuardCommand, ...], part: w.GuardPart) -> list[tuple[Report | None, str | None]]:
    return [(report_of(c), c.question) for c in commands if isinstance(c, FromGuard) and c.part == part]


def test_an_unlock_in_order_is_kept_on_the_disk_and_then_moves_the_bolt_once() -> None:
    house = GuardInMemory()
    done = [
        c for c in house.tell(house.unlocking(house.beat())) if isinstance(c, w.WriteLedger | UnlockDoor | LockDoor)
    ]
    assert [type(c) for c in done] == [w.WriteLedger, UnlockDoor]
    assert house.disk == w.WriteLedger(counter=1, intents=("v1",), owes=True)


Wrong = Callable[[GuardInMemory, str], ToGuard]


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        (lambda house, nonce: house.unlocking(nonce, boot="9-00000000000000ff"), OperationError.EXPIRED),
        (lambda house, nonce: house.unlocking(nonce, until_ms=0), OperationError.EXPIRED),
        (lambda house, nonce: house.unlocking(nonce, until_ms=10_000_000), OperationError.EXPIRED),
        (lambda house, _nonce: house.unlocking(None), OperationError.EXPIRED),
        (lambda house, _nonce: house.unlocking("a-word-nobody-gave"), OperationError.EXPIRED),
        (lambda house, nonce: house.unlocking(nonce, counter=0), OperationError.REPEATED),
        (lambda house, nonce: house.unlocking(nonce, counter=2), OperationError.REPEATED),
    ],
    ids=[
        "another boot",
        "too late",
        "good for too long",
        "no challenge",
        "foreign challenge",
        "old counter",
        "skipped",
    ],
)
def test_an_unlock_out_of_order_moves_nothing_and_says_why(wrong: Wrong, refusal: OperationError) -> None:
    house = GuardInMemory()
    house.wait(1.0)
    done = house.tell(wrong(house, house.beat()))
    assert refusals(done) == [refusal]
    assert (house.unlocked, house.disk.counter) == (0, 0)


def test_an_unlock_for_another_lock_is_not_even_answered() -> None:
    house = GuardInMemory()
    done = house.tell(house.unlocking(house.beat(), lock="back-lock"))
    assert done == (w.GuardNote("not for this lock"),)


def test_the_same_unlock_twice_moves_once() -> None:
    house = GuardInMemory()
    claims = house.unlocking(house.beat())
    for _ in range(3):
        house.tell(claims)
    assert house.unlocked == 1


def test_one_intent_moves_once_even_under_a_new_counter_and_challenge() -> None:
    house = GuardInMemory().opened()
    assert refusals(house.tell(house.unlocking(house.beat(), id="u2"))) == [OperationError.REPEATED]
    assert house.unlocked == 1


def test_a_challenge_serves_one_unlock() -> None:
    house = GuardInMemory()
    nonce = house.beat()
    house.tell(house.unlocking(nonce))
    assert refusals(house.tell(house.unlocking(nonce, id="u2", intent="v2"))) == [OperationError.EXPIRED]
    assert house.unlocked == 1


def test_a_challenge_dies_by_the_guard_s_own_clock() -> None:
    house = GuardInMemory()
    nonce = house.beat()
    house.wait(house.settings.timing.nonce_life)
    assert refusals(house.tell(house.unlocking(nonce))) == [OperationError.EXPIRED]
    assert house.unlocked == 0


def test_after_a_reboot_no_earlier_command_counts() -> None:
    house = GuardInMemory()
    claims = house.unlocking(house.beat())
    house.boot()
    assert refusals(house.tell(claims)) == [OperationError.EXPIRED]
    house.opened()
    assert house.disk.counter == 1


def test_the_counter_goes_on_after_a_reboot() -> None:
    house = GuardInMemory().opened()
    house.boot()
    assert refusals(house.tell(house.unlocking(house.beat(), counter=1, intent="v2"))) == [OperationError.REPEATED]
    house.tell(house.unlocking(house.beat(), intent="v2", id="u2"))
    assert (house.unlocked, house.disk.counter) == (2, 2)


def test_a_radio_broker_that_stands_still_gets_no_unlock_that_could_arrive_late() -> None:
    house = GuardInMemory(alive=False)
    house.tell(house.unlocking(house.beat()))
    assert refusals(house.wait(PROBE_TIMEOUT_S)) == [OperationError.UNREACHABLE]
    house.alive = True
    house.hear(w.GuardSignal.RADIO_ANSWERED)  # its answer comes after all
    assert (house.unlocked, house.disk.counter) == (0, 0), "nothing was spent"


def test_what_became_too_late_while_the_radio_was_asked_moves_nothing() -> None:
    house = GuardInMemory(alive=False)
    uptime = int((house.mono - house.state.boot_mono) * 1000)
    house.tell(house.unlocking(house.beat(), until_ms=uptime + 100))
    house.mono += 0.2
    assert refusals(house.hear(w.GuardSignal.RADIO_ANSWERED)) == [OperationError.EXPIRED]
    assert house.unlocked == 0


def test_without_a_radio_nothing_is_spent() -> None:
    house = GuardInMemory()
    house.hear(w.GuardSignal.RADIO_DISCONNECTED)
    assert refusals(house.tell(house.unlocking(house.beat()))) == [OperationError.UNREACHABLE]
    assert house.disk.counter == 0


def test_a_disk_that_takes_nothing_lets_nothing_move() -> None:
    house = GuardInMemory(disk_ok=False)
    assert refusals(house.tell(house.unlocking(house.beat()))) == [OperationError.UNSPECIFIED]
    assert house.unlocked == 0


def test_a_move_that_never_left_is_said_and_never_tried_again() -> None:
    house = GuardInMemory()
    house.tell(house.unlocking(house.beat()))
    assert refusals(house.hear(w.GuardSignal.COMMAND_NOT_SENT)) == [OperationError.UNREACHABLE]
    assert house.disk.counter == 1


def test_the_gateway_s_lock_needs_no_counter_but_a_time_a_challenge_and_a_door_that_is_not_open() -> None:
    house = GuardInMemory()
    house.wait(1.0)
    nonce = house.beat()
    house.tell(house.locking(nonce))
    assert house.locked == 1
    assert refusals(house.tell(house.locking(nonce))) == [OperationError.REPEATED]
    assert refusals(house.tell(house.locking(nonce, "l2", until=-0.1))) == [OperationError.EXPIRED]
    assert refusals(house.tell(house.locking(None, "l3"))) == [OperationError.EXPIRED]
    house.leaf(DoorState.OPEN)
    assert refusals(house.tell(house.locking(nonce, "l4"))) == [OperationError.RESTRICTED]
    house.leaf(DoorState.CLOSED)
    house.tell(house.locking(nonce, "l5"))
    assert house.locked == 2


def test_a_question_is_answered_by_what_the_device_says_after_it() -> None:
    house = GuardInMemory()
    nonce = house.beat()
    early = house.asked(w.GuardPart.LOCK)  # asked when the radio came up
    ask = house.asking("lock", nonce)
    house.tell(ask)
    report = LockReport(bolt=LockState.LOCKED)
    assert said(house.says(w.GuardPart.LOCK, report, early), w.GuardPart.LOCK) == [(report, None)], (
        "it was asked before"
    )
    assert said(house.bolt(LockState.LOCKED), w.GuardPart.LOCK) == [(report, None)], "news is no answer"
    assert said(house.bolt(LockState.LOCKED, answers=True), w.GuardPart.LOCK) == [(report, ask.question)]


def test_a_device_that_echoes_nothing_answers_with_the_first_state_it_tells() -> None:
    house = GuardInMemory(settings=w.GuardSettings(lock=LOCK, has_door=False, max_silence_s=60))
    house.bolt(LockState.LOCKED)
    ask = house.asking("lock", house.beat())
    house.tell(ask)
    assert said(house.bolt(LockState.LOCKED), w.GuardPart.LOCK) == [(LockReport(bolt=LockState.LOCKED), ask.question)]


def test_who_has_no_living_challenge_makes_no_device_work() -> None:
    house = GuardInMemory()
    house.bolt(LockState.LOCKED, answers=True)
    done = house.tell(house.asking("lock", None))
    assert not [c for c in done if isinstance(c, w.QueryRadioDevice)]
    assert [c.nonce for c in done if isinstance(c, FromGuard)] != [None], "but it gets one"


def test_a_question_to_a_silent_device_stays_unanswered_and_the_next_is_asked() -> None:
    house = GuardInMemory()
    house.bolt(LockState.LOCKED, answers=True)
    nonce = house.beat()
    house.tell(house.asking("lock", nonce))
    house.tell(house.asking("lock", nonce))
    assert [c for c in house.wait(house.settings.timing.answer) if isinstance(c, w.QueryRadioDevice)] != []


def test_a_move_as_it_happens_answers_no_question() -> None:
    house = GuardInMemory(settings=w.GuardSettings(lock=LOCK, has_door=False, max_silence_s=60))
    house.bolt(LockState.LOCKED)
    ask = house.asking("lock", house.beat())
    house.tell(ask)
    told = LockReport(bolt=LockState.LOCKED, event=True)
    assert said(house.says(w.GuardPart.LOCK, told), w.GuardPart.LOCK) == [(told, None)]
    assert said(house.bolt(LockState.UNLOCKED), w.GuardPart.LOCK) == [
        (LockReport(bolt=LockState.UNLOCKED), ask.question)
    ]


def test_what_a_bridge_remembers_when_it_comes_back_answers_no_question() -> None:
    house = GuardInMemory(settings=w.GuardSettings(lock=LOCK, has_door=False, max_silence_s=60))
    house.bolt(LockState.LOCKED)
    house.tell(house.asking("lock", house.beat()))
    house.hear(w.RadioReported(part=w.GuardPart.LOCK, reports=(AvailabilityReport(online=True),), by_bridge=True))
    assert said(house.bolt(LockState.LOCKED), w.GuardPart.LOCK) == [(LockReport(bolt=LockState.LOCKED), None)], (
        "asked before"
    )
    house.tell(house.asking("lock", house.beat()))
    assert said(house.bolt(LockState.LOCKED), w.GuardPart.LOCK) == [(LockReport(bolt=LockState.LOCKED), None)], (
        "a memory, perhaps"
    )
    house.wait(SETTLE_TIME_S)
    ask = house.asking("lock", house.beat())
    house.tell(ask)
    assert said(house.bolt(LockState.LOCKED), w.GuardPart.LOCK) == [(LockReport(bolt=LockState.LOCKED), ask.question)]


@pytest.mark.parametrize("void", [NoAnswerReport(), AvailabilityReport(online=False)])
def test_what_the_bridge_could_not_ask_is_answered_by_nothing_that_comes_then(void: Report) -> None:
    house = GuardInMemory(settings=w.GuardSettings(lock=LOCK, has_door=False, max_silence_s=60))
    house.bolt(LockState.LOCKED)
    house.tell(house.asking("lock", house.beat()))
    house.says(w.GuardPart.LOCK, void)
    assert said(house.bolt(LockState.LOCKED), w.GuardPart.LOCK) == [(LockReport(bolt=LockState.LOCKED), None)]


def test_a_memory_of_a_closed_door_locks_nothing() -> None:
    house = GuardInMemory(settings=w.GuardSettings(lock=LOCK, has_door=True, max_silence_s=60))
    house.opened()
    silent(house)
    house.hear(w.RadioReported(part=w.GuardPart.DOOR, reports=(AvailabilityReport(online=True),), by_bridge=True))
    for _ in range(6):
        house.leaf(DoorState.CLOSED)
        house.wait(0.8)
    assert house.locked == 0


def test_a_latch_is_pulled_only_where_the_lock_can() -> None:
    for latches in (False, True):
        house = GuardInMemory(
            settings=w.GuardSettings(lock=LOCK, has_door=False, max_silence_s=60, can_unlatch=latches)
        )
        order = house.unlocking(house.beat(), latch=True)
        done = house.tell(order)
        assert refusals(done) == ([] if latches else [OperationError.RESTRICTED])
        assert house.unlocked == latches


def test_what_the_radio_says_of_battery_link_and_failure_is_passed_on() -> None:
    house = GuardInMemory()
    for report in (
        BatteryReport(level=BatteryLevel.LOW),
        AvailabilityReport(online=False),
        ErrorReport(id=None, failure=OperationError.TIMEOUT),
    ):
        assert said(house.says(w.GuardPart.LOCK, report), w.GuardPart.LOCK) == [(report, None)]


def test_a_lost_radio_is_told_of_both_parts() -> None:
    house = GuardInMemory()
    done = house.hear(w.GuardSignal.RADIO_DISCONNECTED)
    assert [
        part
        for part in (w.GuardPart.LOCK, w.GuardPart.DOOR)
        if said(done, part) == [(AvailabilityReport(online=False), None)]
    ]


def test_everything_said_of_a_part_has_the_next_number() -> None:
    house = GuardInMemory()
    house.bolt(LockState.LOCKED)
    house.leaf(DoorState.OPEN)
    house.beat()
    house.bolt(LockState.UNLOCKED)
    spoken = [c for c in house.done if isinstance(c, FromGuard)]
    for part in w.GuardPart:
        numbers = [c.seq for c in spoken if c.part == part]
        assert numbers == list(range(1, len(numbers) + 1))


# ---- locking by itself ----------------------------------------------------------------------------------------------


def silent(house: GuardInMemory) -> GuardInMemory:
    house.wait(house.settings.max_silence_s)
    return house


def closes(house: GuardInMemory) -> None:
    """The door answers closed, stays so, and answers again."""
    house.leaf(DoorState.CLOSED, answers=True)
    house.wait(house.settings.timing.stable)
    house.leaf(DoorState.CLOSED, answers=True)


def test_a_silent_gateway_s_door_is_locked_after_two_fresh_answers_of_closed() -> None:
    house = silent(GuardInMemory().opened())
    house.leaf(DoorState.CLOSED, answers=True)
    assert house.locked == 0
    house.wait(house.settings.timing.stable)
    assert house.locked == 0
    house.leaf(DoorState.CLOSED, answers=True)
    assert house.locked == 1
    house.wait(house.settings.latency_s)
    house.bolt(LockState.LOCKED, answers=True)
    assert not house.disk.owes
    house.wait(10 * house.settings.max_silence_s)
    assert house.locked == 1


def test_it_waits_for_the_declared_silence() -> None:
    house = GuardInMemory().opened()
    house.leaf(DoorState.CLOSED, answers=True)
    assert next_deadline_mono(house.state) <= house.state.gateway_heard_mono + house.settings.max_silence_s
    house.wait(house.settings.max_silence_s - 0.1)
    assert house.state.securing is None


def test_a_gateway_that_is_heard_keeps_locking_to_itself() -> None:
    house = GuardInMemory().opened()
    nonce = house.beat()
    for _ in range(30):
        house.wait(5.0)
        nonce = house.beat(nonce)
    assert (house.locked, house.state.securing) == (0, None)


def test_a_beat_that_was_recorded_earlier_does_not_keep_the_gateway_alive() -> None:
    house = GuardInMemory().opened()
    old = ToGuard(at="beat", lock=LOCK, question=house.word(), nonce=house.beat())
    house.wait(house.settings.max_silence_s - 0.1)
    house.tell(old)
    house.wait(0.2)
    assert house.state.securing is not None


@pytest.mark.parametrize("door", [DoorState.OPEN, DoorState.AJAR, DoorState.UNKNOWN, DoorState.JAMMED])
@pytest.mark.parametrize("when", ["first", "between", "second"])
def test_a_door_that_is_not_affirmatively_closed_is_never_locked(door: DoorState, when: str) -> None:
    house = silent(GuardInMemory().opened())
    house.leaf(door if when == "first" else DoorState.CLOSED, answers=True)
    if when == "between":
        house.leaf(door)
    house.wait(house.settings.timing.stable)
    house.leaf(door if when == "second" else DoorState.CLOSED, answers=True)
    assert house.locked == 0
    house.wait(house.settings.timing.again)
    closes(house)
    assert house.locked == 1, "it tries again"


@pytest.mark.parametrize("first_answers", [False, True])
def test_news_of_a_closed_door_is_no_answer(*, first_answers: bool) -> None:
    house = silent(GuardInMemory().opened())
    house.leaf(DoorState.CLOSED, answers=first_answers)
    house.wait(house.settings.timing.stable)
    house.leaf(DoorState.CLOSED)
    assert house.locked == 0


def test_what_a_hand_unlocked_is_not_locked_by_the_guard() -> None:
    house = GuardInMemory()
    house.bolt(LockState.UNLOCKED)
    silent(house)
    closes(house)
    assert house.locked == 0


def test_once_proven_locked_the_guard_owes_nothing_whatever_hands_do_then() -> None:
    house = GuardInMemory().opened()
    nonce = house.beat()
    house.tell(house.asking("lock", nonce))
    house.bolt(LockState.LOCKED, answers=True)
    house.bolt(LockState.UNLOCKED)  # somebody turned his key
    silent(house)
    closes(house)
    assert house.locked == 0


def test_locked_said_before_the_bolt_can_have_moved_proves_nothing() -> None:
    house = GuardInMemory()
    house.tell(house.unlocking(house.beat()))
    house.tell(house.asking("lock", house.beat()))
    house.bolt(LockState.LOCKED, answers=True)
    assert house.disk.owes
    house.wait(house.settings.timing.moving)
    house.tell(house.asking("lock", house.beat()))
    house.bolt(LockState.LOCKED, answers=True)
    assert not house.disk.owes, "it never moved"


def test_after_a_power_cut_the_guard_still_locks_what_it_unlocked() -> None:
    house = GuardInMemory().opened()
    house.boot()
    silent(house)
    closes(house)
    assert house.locked == 1


def test_a_bolt_that_does_not_answer_locked_is_tried_again() -> None:
    house = silent(GuardInMemory().opened())
    closes(house)
    house.wait(house.settings.latency_s)
    house.bolt(LockState.UNLOCKED, answers=True)
    house.wait(house.settings.timing.again)
    closes(house)
    assert house.locked == 2


def test_without_a_door_sensor_the_guard_never_locks_by_itself() -> None:
    house = GuardInMemory(settings=w.GuardSettings(lock=LOCK, has_door=False, max_silence_s=60))
    house.opened()
    silent(house)
    house.wait(1000)
    assert house.locked == 0


def test_the_gateway_that_comes_back_takes_the_locking_over() -> None:
    house = silent(GuardInMemory().opened())
    house.leaf(DoorState.CLOSED, answers=True)
    house.beat(house.beat())
    house.wait(house.settings.timing.stable)
    house.leaf(DoorState.CLOSED, answers=True)
    assert house.locked == 0
