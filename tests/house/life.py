"""A seed's life: people, networks and faults at random, then a world made good again, in which all must end well."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from devices.reports import BatteryLevel, OperationError
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.predicates import is_explained_only_by_unlock
from tests.house.faults import CRASH_POINTS, Faults
from tests.house.followed import BYPASSED
from tests.house.house import CAMERAS, SimulatedHome
from tests.house.promise import SimulatedDelivery
from tests.house.rules import rules_with
from tests.house.story import announce_delivery

STORE_REFUSALS = (
    Refusal.CANCELLED,
    Refusal.EXPIRED,
    Refusal.BRAND_NOT_PERMITTED,
    Refusal.CARRIER_NOT_PERMITTED,
    Refusal.AWAITING_PERMISSION,
    Refusal.KEY_DISTRUSTED,
    Refusal.HUB_SIGNED_NOT_PERMITTED,
    Refusal.ANNOUNCE_AGAIN,
    Refusal.LABEL_FORBIDS,
    Refusal.NOT_OUT_FOR_DELIVERY,
    Refusal.DECLINED_BY_HOUSEHOLD,
    Refusal.OTHER_ADDRESS,
)
PAUSES = (0.0, 0.02, 0.3, 1.0, 4.0, 12.0, 21.0, 35.0)
RandomAction = Callable[[SimulatedHome, random.Random, SimulatedDelivery], str]


# ---- what people do -------------------------------------------------------------------------------------------------


def scan_parcel(house: SimulatedHome, rng: random.Random, p: SimulatedDelivery) -> str:
    code = rng.choice(sorted(p.door_codes))
    house.scan(code, scanner=rng.choice(("s", "s", "s", "t")))
    if p.needs_courier and rng.random() < 0.7:
        house.run(rng.choice((0.5, 5, 70)))
        house.scan(p.courier)
    return f"scans {code}"


def scan_courier(house: SimulatedHome, _: random.Random, p: SimulatedDelivery) -> str:
    house.scan(p.courier)
    return "scans the courier's code"


def scan_wrong(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    for _i in range(rng.choice((1, 1, 2, 4))):
        camera = rng.random() < 0.1
        house.scan(f"wrong-{rng.randrange(30)}", scanner="camera" if camera else "s", expected_only=camera)
        house.run(rng.choice((0.1, 3.0)))
    return "guesses"


def scan_retained(house: SimulatedHome, _: random.Random, p: SimulatedDelivery) -> str:
    house.scan(min(p.door_codes), retained=True)
    return "a retained scan"


def open_door(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    return "opens" if house.open() else "-"


def close_door(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    return "closes" if house.close() else "-"


def unlock_by_hand(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    return "unlocks by hand" if house.by_hand(unlock=True) else "-"


def lock_by_hand(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    return "locks by hand" if house.by_hand(unlock=False) else "-"


def open_and_close(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    house.open()
    house.close()
    return "in and out between two reports"


def close_and_lock(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    house.close()
    house.by_hand(unlock=False)
    return "closes and locks"


def break_in(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    return "breaks in" if rng.random() < 0.3 and house.force() else "-"


def unlock_by_radio(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    return "unlocks by radio" if rng.random() < 0.3 and house.remote_unlock() else "-"


def let_in(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    """An honest courier with a fresh delivery waits until the lock opens, and goes in."""
    cold = rng.random() < 0.3
    new = announce_delivery(
        house, f"h{house.scans}", cold=cold, place="fridge" if cold else rng.choice(("hall", "fridge"))
    )
    house.scan(min(new.parcels))
    house.run(rng.choice((20.5, 22.0, 26.0)))
    return "an honest courier"


def let_in_to_collect(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    """A courier who takes parcels with him: some he scans inside, some too early, too late or never."""
    alone = rng.random() < 0.5
    new = announce_delivery(house, f"r{house.scans}", returns=rng.choice((1, 2)), alone=alone)
    house.scan(min(new.door_codes))
    if rng.random() < 0.3:
        house.run(1)
        house.scan(max(new.collect))
    house.run(rng.choice((20.5, 22.0, 26.0)))
    house.open()
    house.run(1)
    for code in sorted(new.collect):
        if rng.random() < 0.6:
            house.scan(code)
    house.run(rng.choice((0.5, 5.0)))
    house.close()
    house.run(rng.choice((0.1, 3.0, 15.0)))
    house.scan(max(new.collect))
    return "a courier collects"


def let_in_late(house: SimulatedHome, rng: random.Random, p: SimulatedDelivery) -> str:
    """The same, and a radio takes the unlock in time and hands it to the lock much later; the visit ends before."""
    before, house.faults.holds = house.faults.holds, rng.choice((45.0, 70.0, 110.0))
    let_in(house, rng, p)
    house.faults.holds = before
    house.run(rng.choice((4.0, 35.0, 60.0)))
    return "a radio holds an unlock"


def guess_codes(house: SimulatedHome, rng: random.Random, p: SimulatedDelivery) -> str:
    """Codes that are unknown, then one that is known, as if all stood on one label; again and again."""
    for _i in range(rng.choice((1, 3, 10))):
        for _j in range(4):
            house.scan(f"guess-{rng.randrange(1000)}")
            house.run(0.2)
        house.scan(min(rng.choice((p, house.promises[min(house.promises)])).door_codes))
        house.run(rng.choice((2.0, 11.0)))
    return "guesses beside a label"


def two_brands_one_code(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    """Two brands announced the same parcel for now."""
    label = f"shared-{house.scans}"
    for brand in ("shop", "farm"):
        announce_delivery(house, f"{brand}{house.scans}", brand=brand, label=label, needs_courier=rng.random() < 0.3)
    house.scan(label)
    return "a code of two brands"


def show_codes_to_camera(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    """A telephone shows one code after the other to the camera that reads labels."""
    for _i in range(rng.choice((1, 10, 40))):
        house.scan(f"shown-{rng.randrange(1000)}", scanner="camera", expected_only=True)
        house.run(0.4)
    return "shows codes to the camera"


# ---- what the owner and the world do --------------------------------------------------------------------------------


def stop(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    house.stop(stopped=True)
    return "stop"


def lift(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    house.stop(stopped=False)
    return "lift"


def pause(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    """Now or soon, for a while; or all are withdrawn."""
    if rng.random() < 0.4:
        house.end_pauses()
        return "no pause any more"
    start = rng.choice((0.0, 0.0, 5.0, 19.9, 60.0))
    house.pause(start, start + rng.choice((3.0, 30.0, 300.0)))
    return "a pause"


def lock_now(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    house.lock_now()
    return "lock now"


def owner_acts(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    house.feed(e.OwnerAcknowledged(visit=None))
    if house.mem.visit is not None:
        visit = house.mem.visit.id
        house.feed(e.OwnerAcknowledged(visit=visit))
        house.feed(e.OwnerDecided(visit=visit, yes=rng.random() < 0.8))
    return "the owner speaks"


def home(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    somebody = rng.random() < 0.2
    house.feed(e.HomeChanged(somebody_home=somebody, away=not somebody and rng.random() < 0.3))
    return "home or away"


def answered(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    house.feed(e.HouseholdAnswered())
    return "somebody answers"


def broker_down(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    house.broker_down()
    return "broker down"


def broker_up(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    house.broker_up()
    return "broker up"


def crash_soon(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    house.crash_at = rng.choice(CRASH_POINTS)
    return f"dies {house.crash_at}"


def kill(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    house.kill()
    return "dies now"


def crash_loop(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    if rng.random() < 0.7:
        return "-"
    for _i in range(3):
        house.kill(seconds=1.0)
        house.run(2.0)
    return "dies again and again"


def change_facts(house: SimulatedHome, rng: random.Random, p: SimulatedDelivery) -> str:
    """A cancellation, a revocation, or one taken back."""
    p.refusal = rng.choice((*STORE_REFUSALS, None, None, None, None, None))
    p.version += 1
    p.permission_version += rng.random() < 0.5
    if rng.random() < 0.6:
        house.feed(e.FactsChanged(delivery=p.facts(), stopped=house.stopped, epoch=house.epoch))
    return f"facts change: {p.refusal}"


def lose_device(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    device = rng.choice(("lock", "door"))
    if rng.random() < 0.5:
        house.reboot(device)
    house.feed(e.SensorOffline(sensor=device))
    return f"{device} lost"


def battery_weakens(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    levels = (BatteryLevel.GOOD, BatteryLevel.GOOD, BatteryLevel.LOW, BatteryLevel.CRITICAL)
    house.faults.battery = rng.choice(levels)
    house.feed(e.BatteryReported(device="lock", level=house.faults.battery))
    return f"the lock's battery is {house.faults.battery}"


def flood(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    house.feed(e.ScansDropped(count=100))
    return "a scanner is flooded"


def miss_reports(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    house.feed(e.ReportsMissed())
    return "reports missed"


def preflight(house: SimulatedHome, rng: random.Random, p: SimulatedDelivery) -> str:
    house.feed(e.WindowChanged(near=rng.random() < 0.6))
    house.feed(e.PreflightDue(delivery=p.facts()))
    return "preflight"


def clear_lockout(house: SimulatedHome, _: random.Random, __: SimulatedDelivery) -> str:
    house.oracle.forgiven("s")
    house.feed(e.LockoutCleared(scanner="s"))
    return "lock-out cleared"


SWITCHES = (
    *("jam", "silent", "mute", "lies", "stale", "bell", "still", "film", "disk", "commit", "untrusted", "unwritten"),
    *("door_mute", "loses_open", "warm", "fridge_open"),
)
CHOICES: dict[str, tuple[float, ...]] = {
    "loss": (0.0, 0.1, 0.5),
    "duplicates": (0.0, 0.1, 0.5),
    "delay": (0.0, 0.1, 1.0, 8.0),
    "lag": (0.5, 2.0, 6.0),
    "holds": (0.0, 14.0, 30.0, 60.0, 110.0),
    "slow_unlock": (0.0, 1.0, 2.9, 4.6, 12.0, 40.0),
    "countdown": (0.0, -3.0, 3.0),
    "clock_step": (-86_400.0, -3_000.0, 5_000.0),
}


def fault(house: SimulatedHome, rng: random.Random, _: SimulatedDelivery) -> str:
    """One thing breaks, or all is well again."""
    what = rng.choice((*SWITCHES, *CHOICES, "camera", "held_back", "refuses", "nothing", "nothing", "nothing"))
    if what == "nothing":
        house.faults = Faults()
    elif what == "camera":
        house.faults.camera = rng.choice((frozenset(), frozenset({"outside"}), frozenset({"inside"})))
    elif what == "held_back":
        house.faults.held_back = rng.choice(
            (None, e.UnsentReason.PROOF_TOO_OLD, e.UnsentReason.EXPIRED, e.UnsentReason.BROKER)
        )
    elif what == "refuses":
        house.faults.refuses = rng.choice((None, OperationError.TIMEOUT, OperationError.BUSY))
        house.faults.refused_yet_done = rng.random() < 0.5
    elif what in CHOICES:
        setattr(house.faults, what, rng.choice(CHOICES[what]))
    else:
        setattr(house.faults, what, not getattr(house.faults, what))
    tell_faults(house)
    return f"fault: {what}"


def tell_faults(house: SimulatedHome) -> None:
    """What a healthy process would notice at once."""
    for name in CAMERAS:
        state = house.camera_state(name)
        if house.mem.cameras.get(name) != state:
            house.feed(e.CameraChanged(camera=name, live=state.live, moving=state.moving, recording=state.recording))
    house.feed(e.DiskChanged(ok=not (house.faults.disk or house.faults.commit)))
    house.feed(e.BatteryReported(device="lock", level=house.faults.battery))
    house.fridge_says()


# What needs nobody at the door.
WORLD_ACTIONS: tuple[RandomAction, ...] = (
    battery_weakens,
    flood,
    change_facts,
    lose_device,
    miss_reports,
    home,
    preflight,
    answered,
    pause,
    lock_now,
    open_and_close,
    close_and_lock,
    fault,
)

CALM_ACTIONS: tuple[tuple[int, RandomAction], ...] = (
    (12, scan_parcel),
    (3, scan_courier),
    (3, scan_wrong),
    (1, scan_retained),
    (6, let_in),
    (2, let_in_late),
    (3, let_in_to_collect),
    (1, guess_codes),
    (1, show_codes_to_camera),
    (1, two_brands_one_code),
    (14, open_door),
    (14, close_door),
    (4, unlock_by_hand),
    (3, lock_by_hand),
    (3, stop),
    (5, lift),
    (2, pause),
    (3, lock_now),
    (5, owner_acts),
    (2, home),
    (1, preflight),
)
WILD_ACTIONS: tuple[tuple[int, RandomAction], ...] = (
    *CALM_ACTIONS,
    (3, broker_down),
    (6, broker_up),
    (5, crash_soon),
    (2, kill),
    (1, crash_loop),
    (2, change_facts),
    (1, answered),
    (2, open_and_close),
    (2, close_and_lock),
    (2, break_in),
    (2, unlock_by_radio),
    (2, lose_device),
    (1, miss_reports),
    (1, battery_weakens),
    (1, flood),
    (1, clear_lockout),
    (12, fault),
)


def household_rules(seed: int) -> dict[str, Any]:
    """Some households are followed, some have an alarm panel, some a door whose handle has to be lifted."""
    rng = random.Random(f"household {seed}")
    presence = ("claire",) if rng.random() < 0.2 else ()
    panel = {"alarm": "panel", "bypassed": BYPASSED} if rng.random() < 0.15 else {}
    return {"presence": presence, "lift_handle": rng.random() < 0.15, **panel}


def run_life(seed: int, tell: Callable[[str], None] | None = None, steps: int = 150) -> Counter[str]:
    """One life; what was seen in it.

    Raises:
        AssertionError: an invariant does not hold.
    """
    rng = random.Random(seed)
    rules = rules_with(
        cameras=CAMERAS,
        guarded=rng.random() < 0.75,
        door_answers=rng.random() < 0.75,
        by_hand=rng.choice((5.0, 5.0, 120.0)),  # so that hands do not keep every courier out
        command_hold=120.0,
        watch=rng.choice((60.0, 900.0)),
        **household_rules(seed),
    )
    house = SimulatedHome(seed, rules, tell)
    acts = CALM_ACTIONS if rng.random() < 0.3 else WILD_ACTIONS
    weights = [weight for weight, _ in acts]
    house.mean = rng.choice((0.0, 0.3, 0.8))
    for number in range(4):
        _random_promise(house, rng, f"d{number}")
    house.run(5)
    for step in range(steps):
        if step % 12 == 0:
            _random_promise(house, rng, f"e{step}")
            if house.stopped and rng.random() < 0.7:
                house.stop(stopped=False)
            house.end_pauses()
            if rng.random() < 0.5:
                clear_lockout(house, rng, house.promises["d0"])
                house.feed(e.HomeChanged(somebody_home=False, away=False))
        chosen = house.promises[rng.choice(list(house.promises)[-4:])]
        house.followed.step()
        what = rng.choices(acts, weights)[0][1](house, rng, chosen)
        house.note(f"** {what}")
        house.run(rng.choice(PAUSES))
    heal(house)
    return house.oracle.seen


def _random_promise(house: SimulatedHome, rng: random.Random, ident: str) -> None:
    announce_delivery(
        house,
        ident,
        rng.choice((100, 400, 2000, 9000)),
        allowance=rng.choice((1, 1, 2)),
        needs_courier=rng.random() < 0.25,
        needs_yes=rng.random() < 0.25,
        cold=rng.random() < 0.4,
        place=rng.choice(("hall", "fridge")),
        entrance=rng.choice(("front",) * 9 + ("garage",)),
    )
    if house.promises[ident].cold:
        house.promises[ident].place = "fridge"


def heal(house: SimulatedHome) -> None:
    """Once faults cease: every visit ends (I21), and a valid scan opens (I20)."""
    house.faults = Faults()
    house.devices.half = False  # somebody lifts the handle
    house.mean = 0.0
    house.crash_at = None
    house.note("** all is well again")
    house.run(40)
    house.broker_up()
    house.stop(stopped=False)
    house.end_pauses()
    house.feed(e.HomeChanged(somebody_home=False, away=False))
    tell_faults(house)
    for _ in range(40):
        house.run(30)
        if house.premises.bolt_out and house.premises.in_air:
            house.by_hand(unlock=True)
        house.close()
        if house.mem.visit is None and (house.mem.grace_visit is None or is_explained_only_by_unlock(house.mem)):
            house.by_hand(unlock=False)
        house.feed(e.OwnerAcknowledged(visit=None))
        if house.mem.visit is not None:
            house.feed(e.OwnerAcknowledged(visit=house.mem.visit.id))
        elif house.mem.grace_visit is None and house.premises.bolt_out and house.mem.incident is None:
            break
    assert house.mem.visit is None, f"I21 the visit never ends: {house.mem.visit} {house.mem.timers}"
    assert house.mem.incident is None, "the incident never ends"
    assert not house.premises.door_open, "the door stays open"
    house.followed.all_quiet()
    house.run(house.rules.timing.by_hand + 1)
    valid_scan_opens(house)


def valid_scan_opens(house: SimulatedHome) -> None:
    """I20, by the lock's own log."""
    last = announce_delivery(house, "last")
    clear_lockout(house, house.rng, last)
    house.feed(e.WindowChanged(near=True))
    house.feed(e.PreflightDue(delivery=last.facts()))
    house.run(61)
    readiness = [x.lacking for _, x in house.did if isinstance(x, c.ReportReadiness) and x.delivery == "last"]
    assert readiness[-1] == (), f"I20 the entrance does not get ready: {readiness}"
    house.scan(min(last.parcels))
    house.run(27)
    said = [x for _, x in house.did if isinstance(x, c.AnswerScan)][-1]
    before = len(house.premises.log)
    assert house.open(), f"I20 a valid scan does not open: {said.refusal}"
    house.run(5)
    house.close()
    house.run(60)
    after = [line.what for line in house.premises.log[before:]]
    assert after == ["open", "close", "thrown"], f"I20 the door is not locked again: {after}"
    assert house.mem.visit is None, f"I21 the visit does not end: {house.mem.visit}"
    results = [x.outcome for _, x in house.did if isinstance(x, c.ReportParcelResult) and x.delivery == "last"]
    assert results == ["delivered"], f"I20 the parcel's result is {results}"


def household(seed: int, tell: Callable[[str], None] | None = None) -> None:
    """I17: nobody but the family, on a good day: neither filmed nor alarmed."""
    rng = random.Random(seed)
    house = SimulatedHome(seed, tell=tell)
    house.run(5)
    done = len(house.did)
    acts: tuple[Callable[[], object], ...] = (
        lambda: house.by_hand(unlock=True),
        lambda: house.by_hand(unlock=False),
        house.open,
        house.close,
        house.broker_down,
        house.broker_up,
    )
    for _ in range(40):
        rng.choice(acts)()
        house.run(rng.choice((0.3, 1.0, 4.0, 30.0, 600.0)))
    intrusive = [x for _, x in house.did[done:] if isinstance(x, (c.RaiseAlarm, c.StartRecording))]
    assert not intrusive, f"I17 the family is filmed or alarmed: {intrusive}"
