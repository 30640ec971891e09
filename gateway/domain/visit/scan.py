"""What a scanned code means: a parcel of the running visit, a new visit, half of one, or a wrong attempt."""

from gateway.domain.frozen import replace
from gateway.domain.visit import garage, transitions
from gateway.domain.visit.commands import Alarm, AlarmCode, Answer, Note, Saying, Tell, Word
from gateway.domain.visit.events import Match, Scanned
from gateway.domain.visit.rules import in_window, may_open
from gateway.domain.visit.state import BEFORE_INTENT, Attempts, CodeKind, Delivery, Half, Phase, Refusal, Why
from gateway.domain.visit.step import Step

LABEL_CODES = 4  # more barcodes than that are not one label
SEEN = 32  # codes of a moment that are remembered: two labels in turn are not a new scan each time
EXCUSED = 100  # deliveries remembered of a scanner whose label was excused: more than can be due at one door

# In these phases a parcel can still be carried in.
CARRYING = BEFORE_INTENT | {Phase.UNLOCKING, Phase.UNLOCKED, Phase.INSIDE, Phase.RELOCKING}


def scanned(step: Step, scan: Scanned) -> None:
    """Answer one scan; a retained one and a repetition within a moment are none."""
    attempts = step.state.attempts.get(scan.scanner, Attempts())
    if scan.retained:
        if not attempts.retained_noted:  # a scanner that only sends such gets one line
            step.say(Note(what="retained_scan"))
            _remember(step, scan.scanner, replace(attempts, retained_noted=True))
        return
    seen = tuple(one for one in attempts.seen if step.now.mono - one[1] < step.state.rules.timing.merge)
    if any(code == scan.code for code, _ in seen):
        return
    seen = (*seen, (scan.code, step.now.mono))[-SEEN:]
    _remember(step, scan.scanner, replace(attempts, seen=seen, retained_noted=False))
    if _own(step, scan):
        return
    if scan.expected_only and (attempts.locked_out or not scan.matches):
        _read_by_camera(step, scan)
    elif step.state.visit is not None and scan.matches:
        handed = step.visit.phase is Phase.HANDED_TO_OWNER
        transitions.say_no(step, scan.id, scan.scanner, Refusal.NOT_READY if handed else Refusal.BUSY)
    elif attempts.locked_out:
        transitions.say_no(step, scan.id, scan.scanner, Refusal.LOCKED_OUT)
    elif scan.matches:
        _known(step, scan)
    else:
        _wrong(step, scan)


def _remember(step: Step, scanner: str, attempts: Attempts) -> None:
    step.state = replace(step.state, attempts={**step.state.attempts, scanner: attempts})


def _own(step: Step, scan: Scanned) -> bool:
    """A code of the running visit's own delivery is one more parcel."""
    if step.state.visit is None or step.visit.phase not in CARRYING:
        return False
    kinds = {match.kind for match in scan.matches if match.delivery.id == step.visit.delivery.id}
    if not kinds:
        return False
    word = Word.GO if step.visit.phase in {Phase.UNLOCKED, Phase.INSIDE} else Word.WAIT  # the bolt may be out again
    step.say(Answer(scan=scan.id, scanner=scan.scanner, word=word))
    if CodeKind.COURIER in kinds or scan.code in step.visit.parcels:
        garage.says_out(step)
    if CodeKind.PARCEL in kinds:
        step.visit = replace(step.visit, parcels=step.visit.parcels | {scan.code})
    return True


def _take_back(step: Step, scan: Scanned, delivery: Delivery) -> None:
    """A code that may open now explains the unknown ones of its own label: the attempt does not count.

    Once for each delivery, and only for one that may come in now: otherwise whoever holds yesterday's label guesses
    beside it without end. The count of an hour (`Attempts.tried`) is never taken back.
    """
    attempts = step.state.attempts[scan.scanner]
    same_label = step.now.mono - attempts.group_at <= step.state.rules.timing.label
    if same_label and not attempts.locked_out and delivery.id not in attempts.excused:
        kept = tuple(wrong for wrong in attempts.wrong if wrong[0] not in attempts.group)
        excused = (*attempts.excused, delivery.id)[-EXCUSED:]
        freed = replace(attempts, wrong=kept, group=frozenset(), group_at=-1e9, excused=excused)
        _remember(step, scan.scanner, freed)


def _wrong(step: Step, scan: Scanned) -> None:
    """Count an unknown code: once a label, once a code; so many different ones lock the scanner out."""
    attempts, rules, mono = step.state.attempts[scan.scanner], step.state.rules, step.now.mono
    attempts, too_many = _tried(attempts, scan.code, mono, period=rules.tried_period, limit=rules.tried)
    counted = tuple(wrong for wrong in attempts.wrong if mono - wrong[1] < rules.timing.lockout)
    same_label = mono - attempts.group_at <= rules.timing.label and len(attempts.group) < LABEL_CODES
    if same_label:
        attempts = replace(attempts, wrong=counted, group=attempts.group | {scan.code})
    elif any(code == scan.code for code, _ in counted):
        attempts = replace(attempts, wrong=counted)
    else:
        counted = (*counted, (scan.code, mono))
        attempts = replace(attempts, wrong=counted, group=frozenset({scan.code}), group_at=mono)
    _remember(step, scan.scanner, attempts)
    if too_many or len(attempts.wrong) >= rules.wrong:
        _lock_out(step, scan.scanner, AlarmCode.WRONG_CODE_LIMIT)
    transitions.say_no(step, scan.id, scan.scanner, Refusal.UNKNOWN_CODE)


def _read_by_camera(step: Step, scan: Scanned) -> None:
    """A camera misreads, and sees what nobody holds up to it: it has a wider limit, and answers nothing.

    A camera that is locked out looks at no code at all: an answer to a known one would tell it from a guess.
    """
    attempts, rules = step.state.attempts[scan.scanner], step.state.rules
    if attempts.locked_out:
        return
    period, limit = rules.camera_tried_period, rules.camera_tried
    attempts, too_many = _tried(attempts, scan.code, step.now.mono, period=period, limit=limit)
    _remember(step, scan.scanner, attempts)
    if too_many:
        _lock_out(step, scan.scanner, AlarmCode.CAMERA_CODE_LIMIT)


def _tried(attempts: Attempts, code: str, mono: float, *, period: float, limit: int) -> tuple[Attempts, bool]:
    """Count a different unknown code of the last `period` seconds; whether it makes `limit` of them or more."""
    tried = tuple(one for one in attempts.tried if mono - one[1] < period)
    is_new = all(code != known for known, _ in tried)
    if is_new:
        tried = (*tried, (code, mono))[-limit:]
    return replace(attempts, tried=tried), is_new and len(tried) >= limit


def _lock_out(step: Step, scanner: str, alarm: AlarmCode) -> None:
    step.say(Alarm(code=alarm, detail=scanner))
    until = step.now.mono + step.state.rules.timing.lockout
    _remember(step, scanner, replace(step.state.attempts[scanner], wrong=(), locked_out=True, until=until))
    arm_lockout(step)


def arm_lockout(step: Step) -> None:
    """The lock-out that ends first has the deadline."""
    ends = [attempts.until for attempts in step.state.attempts.values() if attempts.locked_out]
    if ends:
        step.arm(Why.LOCKOUT, min(ends) - step.now.mono)
    else:
        step.disarm(Why.LOCKOUT)


def settle_lockouts(step: Step) -> None:
    """Let a scanner try again when its time is over."""
    if step.passed(Why.LOCKOUT):
        for scanner, attempts in step.state.attempts.items():
            if attempts.locked_out and attempts.until <= step.now.mono:
                _remember(step, scanner, _let_try_again(attempts))
        arm_lockout(step)


def clear_lockout(step: Step, scanner: str) -> None:
    """The owner's word ends this scanner's lock-out and forgets its attempts, but not how many codes it tried."""
    if scanner in step.state.attempts:
        _remember(step, scanner, _let_try_again(step.state.attempts[scanner]))
    arm_lockout(step)


def _let_try_again(attempts: Attempts) -> Attempts:
    return Attempts(tried=attempts.tried, excused=attempts.excused)


def _known(step: Step, scan: Scanned) -> None:
    """Begin a visit, keep half of one, or say why not."""
    match = _meant(step, scan.matches)
    delivery = match.delivery
    refusal = may_open(step.state, delivery, step.now)
    if refusal is not None:
        if refusal is Refusal.NOT_READY:
            step.ask("lock", "door")
        transitions.say_no(step, scan.id, scan.scanner, refusal)
        return
    others = _others_that_may_open(step, scan.matches, delivery)
    if others and not delivery.needs_courier:  # where a courier proves himself, his code says whose parcel it is
        brands = ", ".join(sorted({one.brand for one in (delivery, *others)}))
        step.say(Tell(saying=Saying.CODE_OF_SEVERAL, detail=brands))
        transitions.say_no(step, scan.id, scan.scanner, Refusal.CODE_OF_SEVERAL)
        return
    _take_back(step, scan, delivery)
    half = step.state.half
    kinds, codes = {match.kind}, frozenset({scan.code})
    if half is not None and (_same(half, delivery) or _of_another_too(half, delivery)):
        kinds, codes = kinds | {half.kind}, codes | half.codes
    parcels = codes & delivery.parcels
    proven = CodeKind.COURIER in kinds or not delivery.needs_courier
    if CodeKind.PARCEL in kinds and proven:
        transitions.begin(step, scan, delivery, parcels)
    else:
        _keep_half(step, scan, match, codes)


def _meant(step: Step, matches: tuple[Match, ...]) -> Match:
    """Which of several deliveries with this code is meant: the one whose other half has come, else the likeliest."""
    half = step.state.half
    waiting = [match for match in matches if half is not None and _same(half, match.delivery)]
    return min(waiting or matches, key=lambda match: _unlikeliness(step, match))


def _others_that_may_open(step: Step, matches: tuple[Match, ...], delivery: Delivery) -> tuple[Delivery, ...]:
    """Deliveries of other brands that the same code may open now."""
    others = (match.delivery for match in matches if match.delivery.brand != delivery.brand)
    return tuple(one for one in others if may_open(step.state, one, step.now) is None)


def _of_another_too(half: Half, delivery: Delivery) -> bool:
    """Whether a parcel that waits under one brand's delivery is one of this delivery too, whose courier has come."""
    return half.kind is CodeKind.PARCEL and half.delivery != delivery.id and half.codes <= delivery.parcels


def _unlikeliness(step: Step, match: Match) -> tuple[bool, bool, bool, str]:
    """Which of several deliveries with this code is meant: least first."""
    delivery = match.delivery
    return (
        delivery.entrance != step.state.id,
        delivery.refusal is not None,
        not in_window(delivery, step.now),
        delivery.start.isoformat(),
    )


def _keep_half(step: Step, scan: Scanned, match: Match, codes: frozenset[str]) -> None:
    """A parcel waits for its courier's proof, or a courier for the parcel."""
    before = step.state.half
    delivery = match.delivery
    if before is not None and not _same(before, delivery):
        forget_half(step)
    half = Half(
        delivery=delivery.id, version=delivery.version, kind=match.kind, codes=codes, scan=scan.id, scanner=scan.scanner
    )
    step.state = replace(step.state, half=half)
    step.say(Answer(scan=scan.id, scanner=scan.scanner, word=Word.WAIT), transitions.WAIT)
    step.disarm(Why.SIGNAL)
    step.arm(Why.HALF, step.state.rules.timing.courier)


def _same(half: Half, delivery: Delivery) -> bool:
    """Whether both halves are of one promise: an update may have taken the first half's code back."""
    return (half.delivery, half.version) == (delivery.id, delivery.version)


def forget_half(step: Step) -> None:
    """The other half did not come: a no at the scanner that gave the first."""
    half = step.state.half
    if half is not None:
        transitions.say_no(step, half.scan, half.scanner, Refusal.COURIER_NOT_PROVEN)
        step.state = replace(step.state, half=None)
    step.disarm(Why.HALF)
