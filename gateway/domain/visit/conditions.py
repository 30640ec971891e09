"""Pure queries on the state of an entrance. An unknown value never counts as good."""

from devices.reports import BatteryLevel, BatteryReport, DoorState, LockState
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.result import Refusal
from gateway.domain.now import Now
from gateway.domain.visit import presence
from gateway.domain.visit.state import BEFORE_INTENT, WALK_TEST, CameraState, Entrance, Obstruction, Timer

OPENABLE = frozenset({LockState.UNLOCKED, LockState.UNLATCHED})  # the door can be opened
NOT_LOCKED = OPENABLE | {LockState.NOT_FULLY_LOCKED}
CRITICAL_BATTERY_PERCENT = 10  # percent: such a battery may withdraw the bolt and not throw it again
OPEN_DOOR_STATES = frozenset({DoorState.OPEN, DoorState.AJAR, DoorState.FORCED_OPEN})


def is_locked(state: Entrance) -> bool:
    """Return whether the bolt is proven locked; only this may be shown as locked."""
    return state.bolt.proven and state.bolt.value is LockState.LOCKED


def is_closed(state: Entrance) -> bool:
    """Return whether the door is proven closed."""
    return state.door.proven and state.door.value is DoorState.CLOSED


def is_unobstructed(state: Entrance) -> bool:
    """Return whether a garage door's way is proven free; without a beam it never is."""
    return state.obstruction.proven and state.obstruction.value is Obstruction.CLEAR


def is_door_open(state: Entrance) -> bool:
    """Return whether the door was last seen open; bad news needs no proof."""
    return state.door.value in OPEN_DOOR_STATES


def is_bolt_thrown_with_door_open(state: Entrance) -> bool:
    """Return whether the bolt seems out with the door open; only a query can prove it."""
    return is_door_open(state) and state.bolt.value is LockState.LOCKED


def is_openable(state: Entrance) -> bool:
    """Return whether the door can be opened from outside: with a fixed knob only while the latch is pulled."""
    bolt = state.bolt.value
    return bolt is LockState.UNLATCHED or (bolt is LockState.UNLOCKED and not state.rules.unlatch)


def is_filmed(state: Entrance) -> bool:
    """Return whether every required camera is live and its running clip is on disk."""
    cameras = [state.cameras.get(name, CameraState()) for name in state.rules.cameras]
    return bool(cameras) and all(camera.live and camera.recording for camera in cameras)


def is_courier_seen(state: Entrance) -> bool:
    """Return whether all is filmed, with moving pictures where the courier is: a dark empty hall is not a fault."""
    return is_filmed(state) and all(state.cameras[name].moving for name, sees in state.rules.cameras.items() if sees)


def has_unlock_intent(state: Entrance) -> bool:
    """Return whether a visit past its intent runs: what happens at the door then belongs to it."""
    return state.visit is not None and state.visit.unlock_intent


def is_explained(state: Entrance) -> bool:
    """Return whether a visit, or the grace after one, explains what happens at the door."""
    return has_unlock_intent(state) or state.grace_visit is not None


def is_unlock_unanswered(state: Entrance) -> bool:
    """Return whether the lock may still obey an unlock, of the running or the last visit, that no report answered."""
    return (state.visit is not None and state.visit.unlock_unanswered) or is_unlock_held(state)


def is_unlock_held(state: Entrance) -> bool:
    """Return whether a visit ended and its unanswered unlock may still act: no second one is sent beside it."""
    return state.grace_visit is not None and state.grace_visit.unlock_unanswered


def is_explained_only_by_unlock(state: Entrance) -> bool:
    """Return whether only an unanswered unlock keeps the grace: use by hand is then the household's own."""
    return is_unlock_held(state) and Timer.WATCH not in state.timers


def is_before_intent(state: Entrance) -> bool:
    """Return whether a visit runs that has no unlock intent yet."""
    return state.visit is not None and state.visit.phase in BEFORE_INTENT


def is_cold_enough(state: Entrance, delivery: VisitDelivery) -> bool:
    """Return whether the fridge is proven cold enough; a delivery without a cold chain always passes."""
    if delivery.cold_max_c is None:
        return True
    fridge = state.fridges.get(delivery.place)
    return fridge is not None and fridge.temp_c is not None and fridge.temp_c <= delivery.cold_max_c


def is_too_warm(state: Entrance, delivery: VisitDelivery) -> bool:
    """Return whether the fridge is known to be too warm; an unknown temperature is neither this nor cold enough."""
    fridge = state.fridges.get(delivery.place)
    known = fridge is not None and fridge.temp_c is not None
    return known and not is_cold_enough(state, delivery)


def is_fridge_open(state: Entrance, delivery: VisitDelivery) -> bool:
    """Whether the fridge at the delivery's place stands open."""
    fridge = state.fridges.get(delivery.place)
    return fridge is not None and fridge.door in OPEN_DOOR_STATES


def battery_level(report: BatteryReport) -> BatteryLevel:
    """Map a battery report to critical (10 % or less), low (20 % or less) or good."""
    percent = 100 if report.percent is None else report.percent
    if report.level is BatteryLevel.CRITICAL or percent <= CRITICAL_BATTERY_PERCENT:
        return BatteryLevel.CRITICAL
    return BatteryLevel.LOW if report.level is BatteryLevel.LOW or percent <= 20 else BatteryLevel.GOOD


def batteries_at(state: Entrance, level: BatteryLevel) -> tuple[str, ...]:
    """Return the batteries at this level as missing conditions: `battery:lock`. Unknown ones have no level."""
    return tuple(f"battery:{role}" for role in ("lock", "door") if state.batteries.get(role) is level)


def is_in_window(delivery: VisitDelivery, now: Now) -> bool:
    """Return whether now is in the window, which does not include its end."""
    return delivery.start <= now.utc < delivery.end


def is_paused(state: Entrance, now: Now) -> bool:
    """Return whether a pause of the household holds now; without trusted time this is a guess, and nothing opens."""
    return any(pause.start <= now.utc < pause.end for pause in state.pauses)


def is_blocked_by_household(state: Entrance, delivery: VisitDelivery, now: Now) -> bool:
    """Return whether a stop or pauses cover all that is left of the delivery's window."""
    free = max(delivery.start, now.utc)  # the first instant that no known pause covers
    for pause in sorted(state.pauses, key=lambda pause: pause.start):
        if pause.start <= free:
            free = max(free, pause.end)
    return state.stopped or free >= delivery.end


def is_household_present(state: Entrance, now: Now) -> bool:
    """Return whether the household is present: by its statement, an open or hand-unlocked door, or recent hand use."""
    by_hand = state.by_hand and state.bolt.value in NOT_LOCKED
    recent = now.mono - state.by_hand_at < state.rules.timing.by_hand
    return state.somebody_home or presence.is_somebody_home(state) or by_hand or recent or is_door_open(state)


def is_ready(state: Entrance) -> bool:
    """Return whether everything is ready except the clock and the cameras, which run only near a window."""
    secure = is_locked(state) and is_closed(state) and state.disk_ok and not batteries_at(state, BatteryLevel.CRITICAL)
    is_way_free = is_unobstructed(state) or not state.rules.obstruction_sensor
    surroundings = is_way_free and presence.is_presence_known(state) and presence.is_siren_off(state)
    return secure and surroundings and state.incident is None and not state.safe_mode and not is_unlock_held(state)


def walk_test_refuses(state: Entrance, delivery: VisitDelivery | None) -> bool:
    """Return whether a failed walk test refuses this delivery; its own passes, as its installer stands at the door."""
    return state.walk_test_failed and (delivery is None or delivery.brand != WALK_TEST)


def may_open(state: Entrance, delivery: VisitDelivery, now: Now) -> Refusal | None:
    """Return the first reason that forbids opening, or None; checked at the scan and again at the intent."""
    if delivery.entrance != state.id:
        return Refusal.WRONG_ENTRANCE
    if state.stopped:
        return Refusal.STOPPED_BY_OWNER
    if is_paused(state, now):
        return Refusal.PAUSED
    if delivery.refusal is not None:
        return delivery.refusal
    if delivery.openings_left < 1 or delivery.withdrawals_left < 1:
        return Refusal.ALREADY_USED
    if not now.trusted:
        return Refusal.CLOCK_UNTRUSTED
    if not is_in_window(delivery, now):
        return Refusal.OUTSIDE_WINDOW
    if is_household_present(state, now):
        return Refusal.HOUSEHOLD_PRESENT
    if not is_ready(state) or walk_test_refuses(state, delivery):
        return Refusal.NOT_READY
    if not is_cold_enough(state, delivery):
        return Refusal.FRIDGE_TOO_WARM
    return None
