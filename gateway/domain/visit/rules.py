"""Questions about an entrance that have an answer and no effect. Unknown is never good."""

from devices.reports import BatteryLevel, BatteryReport, DoorState, LockState
from gateway.domain.visit import presence
from gateway.domain.visit.state import (
    BEFORE_INTENT,
    WALK_TEST,
    Entrance,
    Now,
    Obstruction,
    Refusal,
    Timer,
    VisitDelivery,
)

OPENABLE = frozenset({LockState.UNLOCKED, LockState.UNLATCHED})  # the door can be opened
NOT_LOCKED = OPENABLE | {LockState.NOT_FULLY_LOCKED}
CRITICAL_BATTERY_PERCENT = 10  # percent: a battery that may withdraw the bolt and not throw it again
OPEN_DOOR_STATES = frozenset({DoorState.OPEN, DoorState.AJAR, DoorState.FORCED_OPEN})


def locked(state: Entrance) -> bool:
    """The bolt answered "locked" to a question asked after the last bad news: all that may be shown as locked."""
    return state.bolt.proven and state.bolt.value is LockState.LOCKED


def closed(state: Entrance) -> bool:
    """The door is affirmatively closed."""
    return state.door.proven and state.door.value is DoorState.CLOSED


def unobstructed(state: Entrance) -> bool:
    """Nothing is in the way of a garage door, affirmatively; where there is no beam nothing ever is known to be."""
    return state.obstruction.proven and state.obstruction.value is Obstruction.CLEAR


def door_open(state: Entrance) -> bool:
    """The door was last seen open; bad news needs no proof."""
    return state.door.value in OPEN_DOOR_STATES


def bolt_out_with_the_door_open(state: Entrance) -> bool:
    """It looks so; whether it is so must be asked."""
    return door_open(state) and state.bolt.value is LockState.LOCKED


def openable(state: Entrance) -> bool:
    """The door can be opened from outside: with a fixed knob only while the latch is pulled."""
    return state.bolt.value is LockState.UNLATCHED or (
        state.bolt.value is LockState.UNLOCKED and not state.rules.unlatch
    )


def filmed(state: Entrance) -> bool:
    """Every required camera is live and its running clip is on disk."""
    return bool(state.rules.cameras) and all(
        name in state.cameras and state.cameras[name].live and state.cameras[name].recording
        for name in state.rules.cameras
    )


def courier_seen(state: Entrance) -> bool:
    """Filmed, and the cameras that see the courier have moving pictures. An empty dark hall is not a fault."""
    return filmed(state) and all(state.cameras[name].moving for name, sees in state.rules.cameras.items() if sees)


def has_unlock_intent(state: Entrance) -> bool:
    """Whether a visit past its intent runs: what happens at the door then belongs to it."""
    return state.visit is not None and state.visit.unlock_intent


def is_explained(state: Entrance) -> bool:
    """Whether a visit, or the watch after one, explains what happens at the door."""
    return has_unlock_intent(state) or state.grace_visit is not None


def unlock_unanswered(state: Entrance) -> bool:
    """Whether the lock may still obey an unlock of the running visit, or of the last one, that no report answered."""
    return (state.visit is not None and state.visit.unlock_unanswered) or unlock_held(state)


def unlock_held(state: Entrance) -> bool:
    """Whether a visit ended and its unlock, which no report answered, may still act.

    Until it cannot, the entrance is not ready: no second unlocking command is sent beside it.
    """
    return state.grace_visit is not None and state.grace_visit.unlock_unanswered


def explained_only_by_unlock(state: Entrance) -> bool:
    """Whether only an unanswered unlock keeps the watch: what a hand does is the household's own by then."""
    return unlock_held(state) and Timer.WATCH not in state.timers


def before_intent(state: Entrance) -> bool:
    """Whether a visit runs that has not committed to open."""
    return state.visit is not None and state.visit.phase in BEFORE_INTENT


def cold_enough(state: Entrance, delivery: VisitDelivery) -> bool:
    """A delivery without a cold chain asks nothing of the fridge."""
    if delivery.cold_max_c is None:
        return True
    fridge = state.fridges.get(delivery.place)
    return fridge is not None and fridge.temp_c is not None and fridge.temp_c <= delivery.cold_max_c


def too_warm(state: Entrance, delivery: VisitDelivery) -> bool:
    """A fridge known to be too warm, which is less than one not known to be cold enough."""
    fridge = state.fridges.get(delivery.place)
    known = fridge is not None and fridge.temp_c is not None
    return known and not cold_enough(state, delivery)


def fridge_open(state: Entrance, delivery: VisitDelivery) -> bool:
    """Whether the fridge at the delivery's place stands open."""
    fridge = state.fridges.get(delivery.place)
    return fridge is not None and fridge.door in OPEN_DOOR_STATES


def battery_level(report: BatteryReport) -> BatteryLevel:
    """Put a battery into one of three words: critical (10 % or less), low (20 % or less) or good."""
    percent = 100 if report.percent is None else report.percent
    if report.level is BatteryLevel.CRITICAL or percent <= CRITICAL_BATTERY_PERCENT:
        return BatteryLevel.CRITICAL
    return BatteryLevel.LOW if report.level is BatteryLevel.LOW or percent <= 20 else BatteryLevel.GOOD


def batteries_at(state: Entrance, level: BatteryLevel) -> tuple[str, ...]:
    """Name the batteries at this level, as what an entrance lacks: `battery_level:lock`. An unknown one is at none."""
    return tuple(f"battery:{role}" for role in ("lock", "door") if state.batteries.get(role) is level)


def in_window(delivery: VisitDelivery, now: Now) -> bool:
    """The window's end is no longer inside it."""
    return delivery.start <= now.utc < delivery.end


def paused(state: Entrance, now: Now) -> bool:
    """A pause of the household holds now. Of a clock that is not trusted it is the guess; then nothing opens anyway."""
    return any(pause.start <= now.utc < pause.end for pause in state.pauses)


def closed_to(state: Entrance, delivery: VisitDelivery, now: Now) -> bool:
    """The household lets this delivery in at no instant that is left of its window: a stop, or pauses all through."""
    free = max(delivery.start, now.utc)  # the first instant that no pause is known to cover
    for pause in sorted(state.pauses, key=lambda pause: pause.start):
        if pause.start <= free:
            free = max(free, pause.end)
    return state.stopped or free >= delivery.end


def household_present(state: Entrance, now: Now) -> bool:
    """Somebody says so, the door stands open or unlocked by hand, or was used by hand a moment ago."""
    by_hand = state.by_hand and state.bolt.value in NOT_LOCKED
    recent = now.mono - state.by_hand_at < state.rules.timing.by_hand
    return state.somebody_home or presence.somebody_home(state) or by_hand or recent or door_open(state)


def ready(state: Entrance) -> bool:
    """Everything but the cameras, which only run while a window is near, and the clock.

    A critical battery is a reason to stay shut: it may withdraw the bolt and not throw it again.
    """
    good = locked(state) and closed(state) and state.disk_ok and not batteries_at(state, BatteryLevel.CRITICAL)
    surroundings = (
        presence.all_known(state)
        and presence.no_siren(state)
        and (unobstructed(state) or not state.rules.obstruction_sensor)
    )
    return good and surroundings and state.incident is None and not state.safe_mode and not unlock_held(state)


def walk_test_refuses(state: Entrance, delivery: VisitDelivery | None) -> bool:
    """The walk test was not passed: nobody is let in but by the test's own delivery, whose installer stands there."""
    return state.walk_test_failed and (delivery is None or delivery.brand != WALK_TEST)


def may_open(state: Entrance, delivery: VisitDelivery, now: Now) -> Refusal | None:
    """Everything that must hold at the scan and again at the intent, in the order in which it is said."""
    if delivery.entrance != state.id:
        return Refusal.WRONG_ENTRANCE
    if state.stopped:
        return Refusal.STOPPED_BY_OWNER
    if paused(state, now):
        return Refusal.PAUSED
    if delivery.refusal is not None:
        return delivery.refusal
    if delivery.openings_left < 1 or delivery.withdrawals_left < 1:
        return Refusal.ALREADY_USED
    if not now.trusted:
        return Refusal.CLOCK_UNTRUSTED
    if not in_window(delivery, now):
        return Refusal.OUTSIDE_WINDOW
    if household_present(state, now):
        return Refusal.HOUSEHOLD_PRESENT
    if not ready(state) or walk_test_refuses(state, delivery):
        return Refusal.NOT_READY
    if not cold_enough(state, delivery):
        return Refusal.FRIDGE_TOO_WARM
    return None
