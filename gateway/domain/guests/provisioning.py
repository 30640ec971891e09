"""The life of a guest's code at a keypad: wanted, set, proven, withdrawing, withdrawn. Pure.

A code counts as given, and as withdrawn, only after the keypad was read back: by a report that answers a query which
was sent after the newest order. An order is repeated until then. A quarter of an hour after its end a code that is not
read back as gone is an alarm, and nothing is delivered meanwhile.

A code of the household is neither overwritten nor deleted. A slot is read before a code is stored in it, and one that
is taken is left for another. A code with another name and other times is not the guest's, so it is not deleted.

A bridge that repeats what it remembers may say that a slot is free because it never heard of the code in it. There
only a change proves that the code is gone: the keypad had it, was told to delete it, and has it no more. If it was
never seen there, a PIN that nobody knows is stored over it, and then deleted.

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
CHECK_INTERVAL_S = 1.0  # seconds between two checks of all codes
RETRY_S = 60.0  # seconds between two orders, and between two queries that brought no proof
LEAD = timedelta(hours=24)  # a keypad that keeps its very times gets the code so long before it counts
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

    ordered_at: float | None = None  # monotonic: the newest order; None: none in this state and run
    queried_at: float | None = None  # the newest query, unless the next one may follow its answer at once
    answers: int = 0  # answers in turn since the newest order that agree with what is wanted
    is_seen: bool = False  # the keypad has reported the code
    is_read: bool = False  # since the newest order the keypad answered, and no other code lies there
    is_foreign: bool = False  # the newest answer shows another code in its place
    is_doubtful: bool = False  # "gone" was answered, perhaps from what a bridge remembers


class Do(StrEnum):
    """What the runtime does next for a code. It stores the code's new state first."""

    SET = auto()
    REPLACE = auto()  # store a PIN that nobody knows over it
    CLEAR = auto()
    QUERY = auto()
    MOVE = auto()  # another code lies in its slot: choose another slot
    ALARM = auto()


def next_progress(before: CodeState, progress: Progress) -> Progress:
    """Return the progress of a code whose state `before` has ended."""
    return Progress(is_seen=before is CodeState.PROVEN or progress.is_seen)


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
        return replace(code, state=CodeState.WITHDRAWING), next_progress(code.state, progress), None
    if now.trusted and code.is_stray(now) and not code.is_alarmed:
        return replace(code, is_alarmed=True), progress, Do.ALARM
    return _next_order(code, progress, facts, now)


def _next_order(
    code: PassCode, progress: Progress, facts: KeypadFacts, now: Now
) -> tuple[PassCode, Progress, Do | None]:
    lead = LEAD if facts.keeps_times and not facts.times_off_s else timedelta()
    is_due = now.trusted and now.utc >= code.starts - lead
    may_order = not progress.is_foreign and _is_silent(progress.ordered_at, now)
    query = replace(progress, queried_at=now.mono)
    match code.state:
        case CodeState.WANTED if not is_due:
            return code, progress, None
        case CodeState.WANTED if facts.chooses_slot or progress.is_read:
            return replace(code, state=CodeState.SET), Progress(ordered_at=now.mono), Do.SET
        case CodeState.WANTED if progress.is_foreign:
            return code, replace(query, is_foreign=False), Do.MOVE
        case CodeState.SET if may_order:
            return code, _ordered(progress, now), Do.SET
        case CodeState.WITHDRAWING if may_order and _may_delete(code, progress, facts, now):
            return code, _ordered(progress, now), Do.REPLACE if progress.is_doubtful else Do.CLEAR
        case CodeState.WANTED | CodeState.SET | CodeState.WITHDRAWING if _is_silent(progress.queried_at, now):
            return code, query, Do.QUERY
        case _:
            return code, progress, None


def _may_delete(code: PassCode, progress: Progress, facts: KeypadFacts, now: Now) -> bool:
    """Return whether what lies in the code's place may be deleted: a keypad with names is asked first whose code it is.

    One that does not answer is told all the same: the place was free when the code was stored there.
    """
    is_silent = progress.queried_at is not None and _is_silent(progress.queried_at, now)
    return code.number is not None and (progress.is_read or is_silent or not facts.reports_names)


def _ordered(progress: Progress, now: Now) -> Progress:
    return Progress(ordered_at=now.mono, is_seen=progress.is_seen)


def _is_silent(since: float | None, now: Now) -> bool:
    return since is None or now.mono - since >= RETRY_S


def on_report(code: PassCode, progress: Progress, facts: KeypadFacts, report: CodesReport) -> tuple[PassCode, Progress]:
    """Return the code after an answer to a query that was sent after its newest order.

    A report that says nothing of the code changes nothing. Bad news counts at once: a code that should be there and is
    not is set again, one that should be gone and is there is deleted again.
    """
    found = _find(code, report, facts)
    if found is None and not report.is_complete:
        return code, progress
    is_there = found is not None and found.status is not CodeStatus.AVAILABLE
    if is_there and (code.state is CodeState.WANTED or _is_foreign(code, found, facts)):
        return code, replace(progress, answers=0, is_read=False, is_foreign=True)
    progress = replace(progress, is_foreign=False)
    if found is not None and found.status is CodeStatus.UNKNOWN:
        return code, replace(progress, answers=0)
    if is_there and found is not None:
        code, progress = replace(code, number=found.slot), replace(progress, is_seen=True)
    match code.state:
        case CodeState.WANTED:
            return code, _counted(progress, facts)
        case CodeState.SET:
            agrees = found is not None and found.status is CodeStatus.ENABLED and _has_times(code, found, facts)
            progress = _counted(progress, facts) if agrees else replace(progress, answers=0)
            is_proven = progress.answers >= facts.answers_needed
            return (replace(code, state=CodeState.PROVEN), Progress()) if is_proven else (code, progress)
        case CodeState.WITHDRAWING if is_there:
            # After an answer "gone" this is news, so it is deleted at once
            ordered_at = None if progress.ordered_at is not None and progress.is_doubtful else progress.ordered_at
            return code, replace(progress, ordered_at=ordered_at, answers=0, is_read=True, is_doubtful=False)
        case CodeState.WITHDRAWING:
            return _on_gone(code, progress, facts)
        case _:
            return code, progress


def _on_gone(code: PassCode, progress: Progress, facts: KeypadFacts) -> tuple[PassCode, Progress]:
    if code.number is None:
        # Nothing was deleted: an order to store it may still be on its way, so it is asked again later
        answers = progress.answers + 1
        is_gone = answers >= max(facts.answers_needed, 2)
        return (replace(code, state=CodeState.WITHDRAWN), Progress()) if is_gone else (
            code, replace(progress, answers=answers))  # fmt: skip
    if progress.ordered_at is None:  # an order to store it may still be on its way: first it is deleted
        return code, replace(progress, is_read=True)
    progress = _counted(progress, facts)
    if progress.answers < facts.answers_needed:
        return code, progress
    if facts.answers_needed > 1 and not progress.is_seen:
        return code, replace(progress, is_doubtful=True)
    return replace(code, state=CodeState.WITHDRAWN), Progress()


def _counted(progress: Progress, facts: KeypadFacts) -> Progress:
    """Count an answer that agrees. If more are needed, the next one is asked for at once."""
    answers = progress.answers + 1
    is_enough = answers >= facts.answers_needed
    queried_at = progress.queried_at if is_enough else None
    return replace(progress, answers=answers, is_read=is_enough, queried_at=queried_at)


def _find(code: PassCode, report: CodesReport, facts: KeypadFacts) -> KeypadCode | None:
    """Return what a report says of the code's place: by its name where the keypad numbers its codes itself."""
    by_name = (one for one in report.codes if facts.chooses_slot and one.name == code.name)
    by_number = (one for one in report.codes if one.slot == code.number)
    return next(by_name, None) or next(by_number, None)


def _is_foreign(code: PassCode, found: KeypadCode | None, facts: KeypadFacts) -> bool:
    """Return whether another code lies in this one's place. One with its times is this one, if somebody renamed it."""
    return facts.reports_names and found is not None and found.name != code.name and not _has_times(code, found, facts)


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
