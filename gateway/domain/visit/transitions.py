"""How a visit begins, goes from phase to phase and ends. `decide` says when; here is what comes with each move."""

from devices.commands import Light, Sound
from gateway.domain.frozen import replace
from gateway.domain.visit import film
from gateway.domain.visit.commands import (
    Alarm,
    AlarmCode,
    Answer,
    HouseResult,
    ParcelResult,
    Release,
    Reserve,
    Ring,
    Saying,
    Show,
    Spend,
    StopFilm,
    Tell,
    Unlock,
    Word,
)
from gateway.domain.visit.events import Scanned
from gateway.domain.visit.state import Closing, Delivery, House, Outcome, Phase, Refusal, Relock, Visit, Why
from gateway.domain.visit.step import Step

WAIT = Show(light=Light.AMBER, sound=Sound.WAIT)
GO = Show(light=Light.GREEN, sound=Sound.GO)
NO = Show(light=Light.RED, sound=Sound.NO)
INSIDE = Show(light=Light.AMBER, sound=Sound.NONE)
CLOSE_THE_DOOR = Show(light=Light.AMBER, sound=Sound.CLOSE_THE_DOOR)
LIFT_THE_HANDLE = Show(light=Light.AMBER, sound=Sound.LIFT_THE_HANDLE)
LEAVE = Show(light=Light.RED, sound=Sound.LEAVE)
TROUBLE = Show(light=Light.RED, sound=Sound.ALARM)
DARK = Show(light=Light.OFF, sound=Sound.NONE)

DEFAULT_OPEN_LIMIT = 120.0  # seconds, for a place without a limit of its own


def begin(step: Step, scan: Scanned, delivery: Delivery, parcels: frozenset[str]) -> None:
    """An accepted scan: ring, film, tell the owner, and ask lock and door once more."""
    rules = step.state.rules
    saying = Saying.ASKS_FOR_YES if delivery.needs_yes else Saying.AT_THE_DOOR
    step.say(
        Answer(scan=scan.id, scanner=scan.scanner, word=Word.WAIT),
        WAIT,
        Ring(visit=scan.id),
        Tell(saying=saying, delivery=delivery.id, visit=scan.id, picture=True),
    )
    film.begin(step, scan.id, 1)
    visit = Visit(id=scan.id, delivery=delivery, phase=Phase.RINGING, scanner=scan.scanner, parcels=parcels)
    step.state = replace(step.state, visit=visit, half=None, watch=None)
    step.disarm(Why.HALF, Why.WATCH, Why.HELD, Why.SIGNAL)
    step.ask("lock", "door")
    step.enter(Phase.RINGING, {Why.RING: rules.timing.ring, Why.BELL: rules.timing.bell})


def end_unopened(step: Step) -> None:
    """Back to ready: nobody came in, so nothing of the film is kept."""
    visit = step.visit
    step.say(
        StopFilm(visit=visit.id, part=visit.part, keep=False),
        HouseResult(visit=visit.id, delivery=visit.delivery.id, house=House.NOT_OPENED),
    )
    step.drop_phase_dues()
    step.state = replace(step.state, visit=None)


def refuse(step: Step, refusal: Refusal) -> None:
    """The visit ends with a no; the delivery stays as it was."""
    visit = step.visit
    say_no(step, visit.id, visit.scanner, refusal)
    step.say(Tell(saying=Saying.NOT_OPENED, delivery=visit.delivery.id, visit=visit.id, detail=refusal))
    end_unopened(step)


def attend(step: Step) -> None:
    """Somebody of the household sees to the courier: no refusal, no opening, only an end."""
    visit = step.visit
    step.say(DARK, Tell(saying=Saying.ATTENDED, delivery=visit.delivery.id, visit=visit.id))
    latch(step, Outcome.ATTENDED)
    end_unopened(step)


def say_no(step: Step, scan: str, scanner: str, refusal: Refusal) -> None:
    """One neutral word at the door. The signal is left alone while somebody else's visit uses it."""
    step.say(Answer(scan=scan, scanner=scanner, word=Word.NO, refusal=refusal))
    if step.state.visit is None or step.visit.id == scan:
        step.say(NO)
        step.arm(Why.SIGNAL, step.state.rules.signal)


def commit(step: Step) -> None:
    """The intent: reserve an opening and withdraw the bolt, once."""
    visit, rules = step.visit, step.state.rules
    step.say(
        Reserve(
            visit=visit.id,
            delivery=visit.delivery.id,
            version=visit.delivery.version,
            permission_version=visit.delivery.permission_version,
            stop_epoch=step.state.stop_epoch,
        ),
        Unlock(visit=visit.id, life=rules.timing.command_life),
    )
    step.doubt("lock")
    armed_until = step.now.mono + rules.timing.command_life + rules.timing.skew
    step.visit = replace(visit, committed=True, unbroken=True, armed_until=armed_until, unanswered=True)
    step.enter(Phase.UNLOCKING, {Why.ANSWER: rules.latency})


def give_back_unsent(step: Step, why: Refusal) -> None:
    """The unlock certainly never left: opening and withdrawal come back, and the courier may scan again at once."""
    step.ask("lock")
    step.say(Release(visit=step.visit.id, delivery=step.visit.delivery.id, withdrawal=True))
    refuse(step, why)


def let_in(step: Step) -> None:
    """The lock reports unlocked."""
    step.say(Answer(scan=step.visit.id, scanner=step.visit.scanner, word=Word.GO), GO)
    step.enter(Phase.UNLOCKED, {Why.NEVER: step.state.rules.timing.never})


def give_up(step: Step, refusal: Refusal) -> None:
    """The door was to open and will not: tell the courier, and lock."""
    step.say(Answer(scan=step.visit.id, scanner=step.visit.scanner, word=Word.NO, refusal=refusal), NO)
    wait_then_lock(step, 0)


def go_inside(step: Step) -> None:
    """The door is open: the opening is spent."""
    step.say(INSIDE)
    spend(step)
    limit = step.state.rules.open_limit.get(step.visit.delivery.place, DEFAULT_OPEN_LIMIT)
    fresh = replace(step.visit, opened=True, tries=0, tries_given_back=0, long_told=0)
    step.visit = replace(fresh, out=False, closing=Closing.NOT, closings=0)
    step.enter(Phase.INSIDE, {Why.OPEN_LONG: limit})


def wait_then_lock(step: Step, seconds: float) -> None:
    """Relock after so many seconds without the door opening again."""
    if step.state.rules.lift_handle and step.visit.opened:
        step.say(LIFT_THE_HANDLE)
    step.visit = replace(step.visit, relock=Relock.WAIT, tries=0)
    step.enter(Phase.RELOCKING, {Why.RELOCK: seconds})


def spend(step: Step) -> None:
    """The reserved opening is used up; once."""
    if not step.visit.settled:
        step.say(Spend(visit=step.visit.id, delivery=step.visit.delivery.id))
        step.visit = replace(step.visit, settled=True)


def latch(step: Step, outcome: Outcome) -> None:
    """The parcels' result, told once; what comes later changes nothing of it."""
    visit = step.visit
    if visit.outcome is None:
        partly = outcome is Outcome.PARTLY_DELIVERED
        missing = len(visit.delivery.parcels - visit.parcels) if partly else 0
        step.say(ParcelResult(visit=visit.id, delivery=visit.delivery.id, outcome=outcome, missing=missing))
        step.visit = replace(visit, outcome=outcome)


def latch_if_opened(step: Step) -> None:
    """The courier was inside and the bolt is about to be thrown: what was scanned counts as delivered."""
    visit = step.visit
    if visit.opened:
        complete = visit.parcels >= visit.delivery.parcels
        latch(step, Outcome.DELIVERED if complete else Outcome.PARTLY_DELIVERED)


def hand_over(step: Step, code: AlarmCode) -> None:
    """What the box cannot mend is the owner's; the alarm goes on until they have looked."""
    latch_if_opened(step)
    latch(step, Outcome.UNKNOWN)
    spend(step)
    visit = step.visit
    step.say(Alarm(code=code), TROUBLE)
    if visit.house is None:
        step.say(HouseResult(visit=visit.id, delivery=visit.delivery.id, house=House.HANDED_TO_OWNER))
    step.say(Tell(saying=Saying.LOOK_AFTER_THE_DOOR, delivery=visit.delivery.id, visit=visit.id, picture=True))
    step.visit = replace(visit, house=House.HANDED_TO_OWNER, acknowledged=False)
    step.enter(Phase.HANDED_TO_OWNER, {Why.ALARM: step.state.rules.timing.alarm_again})


def prove_locked(step: Step) -> None:
    """Door closed, then bolt locked, both answered afresh: the only way to "locked again"."""
    visit = step.visit
    _settle_reservation(step)
    step.say(
        HouseResult(visit=visit.id, delivery=visit.delivery.id, house=House.LOCKED_AGAIN),
        Tell(saying=Saying.LOCKED_AGAIN, delivery=visit.delivery.id, visit=visit.id, picture=True),
        DARK,
    )
    step.visit = replace(step.visit, house=visit.house or House.LOCKED_AGAIN)
    step.enter(Phase.LOCKED_AGAIN, {Why.POST_ROLL: step.state.rules.timing.post_roll})


def _settle_reservation(step: Step) -> None:
    """Given back only when the door, watched without a break, was never seen open. A basic door proves no "never".

    Nor does an unlock that no report answered: it may open the door after the visit.
    """
    visit = step.visit
    never_opened = not visit.opened and visit.unbroken and step.state.rules.door_answers and not visit.unanswered
    if visit.settled or not never_opened:
        latch_if_opened(step)
        latch(step, Outcome.NOT_DELIVERED if never_opened else Outcome.UNKNOWN)
        spend(step)
        return
    unsent = visit.not_sent is not None
    step.say(Release(visit=visit.id, delivery=visit.delivery.id, withdrawal=unsent))
    withdrawals_left = visit.delivery.withdrawals_left if unsent else visit.delivery.withdrawals_left - 1
    step.visit = replace(visit, settled=True)
    if withdrawals_left < 1:
        latch(step, Outcome.NOT_DELIVERED)
    else:
        step.visit = replace(step.visit, outcome=Outcome.NOT_DELIVERED)
