"""The life of a guest's code at a keypad: wanted, set, proven, withdrawing, withdrawn. Pure.

A code counts as given, and as withdrawn, only after the keypad was read back: by a report that answers a query which
was sent after the newest order. An order is repeated until then. A quarter of an hour after its end a code that is not
read back as gone is an alarm, and nothing is delivered meanwhile.

    wanted -> set -> proven -> withdrawing -> withdrawn
       |       `-----------------^                ^
       `-- never sent to the keypad --------------'
"""

from datetime import datetime, timedelta
from enum import StrEnum, auto

from devices.reports import CodesReport, CodeStatus, KeypadCode
from devices.vendors.definition import KeypadFacts
from gateway.domain.frozen import Frozen, replace
from gateway.domain.now import Now

ALARM_AFTER = timedelta(minutes=15)  # after its end, a code that is not read back as gone is an alarm
RETRY_S = 60.0  # seconds between two orders, and between two queries that brought no proof
LEAD = timedelta(hours=24)  # a keypad that keeps times gets the code so long before it counts
PIN_DIGITS, PIN_CHARACTERS = 6, "123456789"  # every keypad takes these
FORBIDDEN_PIN_START = "12"  # a Nuki keypad takes no such code


class CodeState(StrEnum):
    """How far the code of a pass at a keypad is."""

    WANTED = auto()  # no order was sent yet
    SET = auto()  # the keypad was told to store it; it may be there
    PROVEN = auto()  # read back: it is there, as asked
    WITHDRAWING = auto()  # it has to go; it may be there
    WITHDRAWN = auto()  # read back: it is gone, or it was never sent


class PassCode(Frozen):
    """The code of one pass at one keypad, as it is stored. `ends`: when it has to be gone; a revocation brings it on.

    `number`: what the keypad itself calls it, if it chooses that, or the slot that the box chose; None: not known yet.
    """

    id: str
    held: str  # the id of the pass
    keypad: str
    name: str
    pin: str
    starts: datetime
    ends: datetime
    number: int | None = None
    state: CodeState = CodeState.WANTED
    is_alarmed: bool = False

    @property
    def may_open(self) -> bool:
        """Return whether the keypad may accept it now, as far as the box knows."""
        return self.state not in (CodeState.WANTED, CodeState.WITHDRAWN)

    def is_stray(self, now: Now) -> bool:
        """Return whether it should be gone and is not proven to be."""
        return self.may_open and now.utc >= self.ends + ALARM_AFTER


class Progress(Frozen):
    """What is known of a code in its state, in this run of the gateway only: after a restart everything is asked anew.

    Another state begins with another progress: what was asked before an order to delete proves nothing about it.
    """

    ordered_at: float | None = None  # monotonic: the newest order; None: none in this run
    queried_at: float | None = None  # the newest query that was not answered
    answers: int = 0  # answers in turn since the newest order that agree with what is wanted


class Do(StrEnum):
    """What the runtime does next for a code. It stores the code's new state first."""

    SET = auto()
    CLEAR = auto()
    QUERY = auto()
    ALARM = auto()


def advance(code: PassCode, progress: Progress, facts: KeypadFacts, now: Now) -> tuple[PassCode, Progress, Do | None]:
    """Return the code's next state by the time alone, and what to do.

    Without trusted time nothing begins, and nothing ends by the time; a code that was revoked goes all the same.
    """
    if code.state is CodeState.WITHDRAWN:
        return code, progress, None
    is_over = now.trusted and now.utc >= code.ends
    if is_over and code.state is CodeState.WANTED:
        return replace(code, state=CodeState.WITHDRAWN), progress, None
    if is_over and code.state in (CodeState.SET, CodeState.PROVEN):
        return replace(code, state=CodeState.WITHDRAWING), Progress(), None
    if now.trusted and code.is_stray(now) and not code.is_alarmed:
        return replace(code, is_alarmed=True), progress, Do.ALARM
    return _next_order(code, progress, facts, now)


def _next_order(
    code: PassCode, progress: Progress, facts: KeypadFacts, now: Now
) -> tuple[PassCode, Progress, Do | None]:
    lead = LEAD if facts.keeps_times else timedelta()
    is_due = now.trusted and now.utc >= code.starts - lead
    match code.state:
        case CodeState.WANTED if is_due:
            return replace(code, state=CodeState.SET), _ordered(now), Do.SET
        case CodeState.SET if _is_silent(progress.ordered_at, now):
            return code, _ordered(now), Do.SET
        case CodeState.WITHDRAWING if code.number is not None and _is_silent(progress.ordered_at, now):
            return code, _ordered(now), Do.CLEAR
        case CodeState.SET | CodeState.WITHDRAWING if _is_silent(progress.queried_at, now):
            return code, replace(progress, queried_at=now.mono), Do.QUERY
        case _:
            return code, progress, None


def _ordered(now: Now) -> Progress:
    return Progress(ordered_at=now.mono)


def _is_silent(since: float | None, now: Now) -> bool:
    return since is None or now.mono - since >= RETRY_S


def on_report(code: PassCode, progress: Progress, facts: KeypadFacts, report: CodesReport) -> tuple[PassCode, Progress]:
    """Return the code after an answer to a query that was sent after its newest order.

    A report that says nothing of the code changes nothing. Bad news counts at once: a code that should be there and is
    not is set again, one that should be gone and is there is deleted again.
    """
    found = next((one for one in report.codes if _is_same(code, one, facts)), None)
    if found is None and not report.is_complete:
        return code, progress
    is_there = found is not None and found.status is not CodeStatus.AVAILABLE
    if found is not None and found.status is CodeStatus.UNKNOWN:
        return code, replace(progress, queried_at=None, answers=0)
    if code.state is CodeState.SET:
        agrees = found is not None and found.status is CodeStatus.ENABLED and _has_times(code, found, facts)
        return _counted(replace(code, number=found.slot if is_there and found else code.number), progress,
                        facts, agrees=agrees, becomes=CodeState.PROVEN)  # fmt: skip
    if code.state is CodeState.WITHDRAWING:
        known = replace(code, number=found.slot) if is_there and found is not None else code
        return _counted(known, progress, facts, agrees=not is_there, becomes=CodeState.WITHDRAWN)
    return code, progress


def _counted(
    code: PassCode, progress: Progress, facts: KeypadFacts, *, agrees: bool, becomes: CodeState
) -> tuple[PassCode, Progress]:
    answers = progress.answers + 1 if agrees else 0
    # Without a number nothing was deleted: an order to store it may still be on its way, so it is asked again later
    is_early = becomes is CodeState.WITHDRAWN and code.number is None
    if answers >= max(facts.answers_needed, 2 if is_early else 1):
        return replace(code, state=becomes), Progress()
    # An answer that agrees is asked for once more at once; one that does not waits for the next order
    again_at_once = agrees and not is_early
    return code, replace(progress, queried_at=None if again_at_once else progress.queried_at, answers=answers)


def _is_same(code: PassCode, reported: KeypadCode, facts: KeypadFacts) -> bool:
    if facts.chooses_slot:
        return reported.name == code.name or (code.number is not None and reported.slot == code.number)
    return reported.slot == code.number


def _has_times(code: PassCode, reported: KeypadCode, facts: KeypadFacts) -> bool:
    """Return whether the keypad keeps the code within its times, as it was asked to."""
    if not facts.keeps_times:
        return True
    return (reported.starts, reported.ends) == code_times(code, facts)


def code_times(code: PassCode, facts: KeypadFacts) -> tuple[datetime | None, datetime | None]:
    """Return from when until when the keypad itself accepts the code; it may read them in another time zone."""
    if not facts.keeps_times:
        return None, None
    widened = timedelta(seconds=facts.times_off_s)
    return code.starts.replace(microsecond=0) - widened, code.ends.replace(microsecond=0) + widened


def revoke(code: PassCode, now: Now) -> PassCode:
    """Return the code of a pass that ends now: it has to go at once, and no trusted time is needed for that."""
    is_nowhere = code.state in (CodeState.WANTED, CodeState.WITHDRAWN)
    state = CodeState.WITHDRAWN if is_nowhere else CodeState.WITHDRAWING
    return replace(code, state=state, ends=min(code.ends, now.utc))


def free_slot(slots: tuple[int, int], taken: frozenset[int]) -> int | None:
    """Return a slot of the keypad for guests' codes that no code may still occupy; None: all are taken."""
    return next((slot for slot in range(slots[0], slots[1] + 1) if slot not in taken), None)
