"""Interprets a scanned code: a parcel of the running visit, a new visit, a pending scan, or a wrong attempt."""

from collections.abc import Collection

from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import replace
from gateway.domain.visit import collecting, transitions
from gateway.domain.visit import commands as c
from gateway.domain.visit.events import CodeMatch, Scanned
from gateway.domain.visit.predicates import is_in_window, is_keeper_accepted, may_open, missing_on_route
from gateway.domain.visit.state import (
    BETWEEN_INTENTS,
    CodeKind,
    Holder,
    KeeperCode,
    PendingScan,
    Phase,
    ScanLockout,
    Timer,
)
from gateway.domain.visit.step import Step

MAX_LABEL_CODES = 4  # more barcodes than that are not one label
MAX_RECENT_CODES = 32  # recently read codes; with several, two labels in turn do not count as a new scan each time
# Remembered deliveries of a scanner whose label was excused: more than can be due at one door
MAX_EXCUSED_DELIVERIES = 100

# In these phases a parcel can still be carried in.
PARCEL_SCAN_PHASES = BETWEEN_INTENTS | {Phase.UNLOCKING, Phase.UNLOCKED, Phase.INSIDE, Phase.RELOCKING}


def on_scan(step: Step, scan: Scanned) -> None:
    """Answer one scan; ignore a retained one and a repetition within a moment."""
    is_inside = scan.scanner in step.state.rules.place_scanners
    if is_inside and (step.state.visit is None or step.visit.phase not in PARCEL_SCAN_PHASES):
        return  # nothing is kept of what the household scans there
    attempts = step.state.scan_lockouts.get(scan.scanner, ScanLockout())
    if scan.retained:
        if not attempts.retained_noted:  # a scanner that only sends such gets one line
            step.emit(c.LogNote(what="retained_scan"))
            _remember(step, scan.scanner, replace(attempts, retained_noted=True))
        return
    recent_codes = tuple(
        entry for entry in attempts.recent_codes if step.now.mono - entry[1] < step.state.rules.timing.merge
    )
    if any(code == scan.code for code, _ in recent_codes):
        return
    recent_codes = (*recent_codes, (scan.code, step.now.mono))[-MAX_RECENT_CODES:]
    _remember(step, scan.scanner, replace(attempts, recent_codes=recent_codes, retained_noted=False))
    if is_inside:
        _answer_inside(step, scan)
        return
    if _add_parcel(step, scan):
        return
    is_known = bool(scan.matches) or scan.keeper is not None
    if scan.expected_only and (attempts.locked_out or not is_known):
        _count_camera_code(step, scan)
    elif step.state.visit is not None and is_known:
        _answer_during_visit(step, scan)
    elif attempts.locked_out:
        known = _choose_match(step, scan.matches).delivery.id if scan.matches else None
        _answer_no(step, scan, Refusal.LOCKED_OUT, delivery=known)
    elif scan.keeper is not None:
        _on_keeper_code(step, scan, scan.keeper)
    elif scan.matches:
        _on_known_code(step, scan)
    else:
        _count_unknown_code(step, scan)


def _answer_inside(step: Step, scan: Scanned) -> None:
    """Answer a scan at a place inside: it opens nothing and counts no wrong code, and its log entry is the proof."""
    is_known = scan.code in step.visit.delivery.codes
    answer = c.ScanAnswer.GO if is_known else c.ScanAnswer.NO
    step.emit(c.AnswerScan(scan=scan.id, scanner=scan.scanner, answer=answer))


def _answer_during_visit(step: Step, scan: Scanned) -> None:
    """Answer a scan of another delivery while a visit runs: it rings no bell, and the signal stays that visit's.

    A delivery that could come in now waits: its courier scans again after the visit. Every other one is refused.
    """
    handed = step.visit.phase is Phase.HANDED_TO_OWNER
    refusal = Refusal.NOT_READY if handed else Refusal.BUSY
    waiting = next((match.delivery.id for match in scan.matches if _could_come_in(step, match)), None)
    if handed or waiting is None:
        _answer_no(step, scan, refusal)
        return
    wait = c.ScanAnswer.WAIT
    step.emit(c.AnswerScan(scan=scan.id, scanner=scan.scanner, answer=wait, refusal=refusal, delivery=waiting))


def _could_come_in(step: Step, match: CodeMatch) -> bool:
    delivery = match.delivery
    is_here = delivery.entrance == step.state.id and delivery.id != step.visit.delivery.id
    is_free = delivery.refusal is None and delivery.openings_left > 0 and not step.state.stopped
    return is_here and is_free and match.kind is not CodeKind.COLLECT and is_in_window(delivery, step.now)


def _answer_no(
    step: Step, scan: Scanned, refusal: Refusal, *, lacking: tuple[str, ...] = (), delivery: str | None = None
) -> None:
    answer = c.AnswerScan(
        scan=scan.id, scanner=scan.scanner, answer=c.ScanAnswer.NO, refusal=refusal, lacking=lacking, delivery=delivery
    )
    transitions.answer_no(step, answer)


def _remember(step: Step, scanner: str, attempts: ScanLockout) -> None:
    step.state = replace(step.state, scan_lockouts={**step.state.scan_lockouts, scanner: attempts})


def _add_parcel(step: Step, scan: Scanned) -> bool:
    """Add one more parcel if the code belongs to the running visit's own delivery; its keeper's code is known too."""
    if step.state.visit is None or step.visit.phase not in PARCEL_SCAN_PHASES:
        return False
    kinds = {match.kind for match in scan.matches if match.delivery.id == step.visit.delivery.id}
    if any(scan.code == item.code for item in step.visit.delivery.items):
        kinds |= {CodeKind.ITEM}
    acting = step.visit.keeper
    if scan.keeper is not None and acting is not None and scan.keeper.code == acting.code:
        kinds = {CodeKind.KEEPER}
    if not kinds:
        return False
    is_robot = step.visit.robot is not None or scan.robot is not None  # it reports in another way that it left
    if kinds == {CodeKind.COLLECT}:
        return _collect_parcel(step, scan)
    is_at_next = _hangs_at_next(step, scan.scanner)
    # In other phases the bolt may be out again, and the next closure is not open yet
    is_open = step.visit.phase in {Phase.UNLOCKED, Phase.INSIDE} and not is_at_next
    answer = c.ScanAnswer.GO if is_open else c.ScanAnswer.WAIT
    step.emit(c.AnswerScan(scan=scan.id, scanner=scan.scanner, answer=answer))
    shown_again = not kinds.isdisjoint({CodeKind.COURIER, CodeKind.KEEPER}) or scan.code in step.visit.parcels
    if shown_again and not is_robot:
        courier_reports_left(step)
    if is_at_next and step.visit.phase in {Phase.UNLOCKED, Phase.INSIDE, Phase.ADVANCING}:
        step.visit = replace(step.visit, scanner=scan.scanner, entry=replace(step.visit.entry, arrival_scan=scan.id))
    if CodeKind.PARCEL in kinds and step.visit.delivery.errand.has_parcels:
        step.visit = replace(step.visit, parcels=step.visit.parcels | {scan.code})
    return True


def _collect_parcel(step: Step, scan: Scanned) -> bool:
    """Count a parcel that the courier takes with him, or answer "no": its code opens nothing."""
    if not collecting.may_collect(step):
        _answer_no(step, scan, Refusal.COLLECT_INSIDE, delivery=step.visit.delivery.id)
        return True
    step.emit(c.AnswerScan(scan=scan.id, scanner=scan.scanner, answer=c.ScanAnswer.GO))
    step.visit = replace(step.visit, collected=step.visit.collected | {scan.code})
    return True


def _hangs_at_next(step: Step, scanner: str) -> bool:
    """Return whether a scanner hangs at the closure that the visit has to open next."""
    entry = step.visit.entry
    following = step.visit.route[entry.stage + 1 : entry.stage + 2]
    at = step.state.rules.scanners.get(scanner)
    return at in following and at not in entry.ordered_at and step.is_ordered(at)


def on_bell(step: Step) -> None:
    """Take the bell for "I am out", unless a robot acts: it rings none, so somebody else did."""
    if step.state.visit is None or step.visit.robot is None:
        courier_reports_left(step)


def courier_reports_left(step: Step) -> None:
    """Record that the courier left: somebody outside rang, or scanned again what was scanned before.

    The report counts only if no sensor that could cancel it says otherwise at that moment: a person who leaves a light
    beam later may just as well have gone in.
    """
    if step.state.visit is None or step.visit.phase not in (Phase.INSIDE, Phase.RELOCKING):
        return
    closure, seen = step.here, step.view(step.here)
    against = [role for role, sensor in closure.sensors.items() if sensor.cancels_exit_report]
    if all(seen.value(role) in closure.sensors[role].needs_answer for role in against):
        step.visit = replace(step.visit, courier_left=True)
    else:
        step.query_closure(closure, *against)


def _excuse_label(step: Step, scan: Scanned, delivery: VisitDelivery) -> None:
    """Excuse the unknown codes of a label whose other code may open now: the attempt does not count.

    Only once per delivery, and only for one that may come in now: otherwise a person with yesterday's label could guess
    beside it without end. The hourly count (`ScanLockout.tried_codes`) is never reduced.
    """
    attempts = step.state.scan_lockouts[scan.scanner]
    same_label = step.now.mono - attempts.label_read_at <= step.state.rules.timing.label
    if same_label and not attempts.locked_out and delivery.id not in attempts.excused_deliveries:
        unexcused = tuple(wrong for wrong in attempts.unknown_codes if wrong[0] not in attempts.label_codes)
        excused = (*attempts.excused_deliveries, delivery.id)[-MAX_EXCUSED_DELIVERIES:]
        freed = replace(
            attempts, unknown_codes=unexcused, label_codes=frozenset(), label_read_at=-1e9, excused_deliveries=excused
        )
        _remember(step, scan.scanner, freed)


def _count_unknown_code(step: Step, scan: Scanned) -> None:
    """Count an unknown code, once per label and once per code; too many different ones lock the scanner out."""
    attempts, rules, mono = step.state.scan_lockouts[scan.scanner], step.state.rules, step.now.mono
    attempts, too_many = _count_tried_code(attempts, scan.code, mono, period=rules.tried_period, limit=rules.tried)
    counted = tuple(wrong for wrong in attempts.unknown_codes if mono - wrong[1] < rules.timing.lockout)
    same_label = mono - attempts.label_read_at <= rules.timing.label and len(attempts.label_codes) < MAX_LABEL_CODES
    if same_label:
        attempts = replace(attempts, unknown_codes=counted, label_codes=attempts.label_codes | {scan.code})
    elif any(code == scan.code for code, _ in counted):
        attempts = replace(attempts, unknown_codes=counted)
    else:
        counted = (*counted, (scan.code, mono))
        attempts = replace(attempts, unknown_codes=counted, label_codes=frozenset({scan.code}), label_read_at=mono)
    _remember(step, scan.scanner, attempts)
    if too_many or len(attempts.unknown_codes) >= rules.wrong:
        _lock_out(step, scan.scanner, c.AlarmCode.WRONG_CODE_LIMIT)
    _answer_no(step, scan, Refusal.UNKNOWN_CODE)


def _count_camera_code(step: Step, scan: Scanned) -> None:
    """Count a camera's unknown code: a camera misreads and sees passing codes, so its limit is wider. No answer."""
    attempts, rules = step.state.scan_lockouts[scan.scanner], step.state.rules
    if attempts.locked_out:  # then also of known codes: an answer would distinguish one from a guess
        return
    period, limit = rules.camera_tried_period, rules.camera_tried
    attempts, too_many = _count_tried_code(attempts, scan.code, step.now.mono, period=period, limit=limit)
    _remember(step, scan.scanner, attempts)
    if too_many:
        _lock_out(step, scan.scanner, c.AlarmCode.CAMERA_CODE_LIMIT)


def _count_tried_code(
    attempts: ScanLockout, code: str, mono: float, *, period: float, limit: int
) -> tuple[ScanLockout, bool]:
    """Count a new unknown code of the last `period` seconds; return also whether the `limit` is reached."""
    tried = tuple(entry for entry in attempts.tried_codes if mono - entry[1] < period)
    is_new = all(code != known for known, _ in tried)
    if is_new:
        tried = (*tried, (code, mono))[-limit:]
    return replace(attempts, tried_codes=tried), is_new and len(tried) >= limit


def _lock_out(step: Step, scanner: str, alarm: c.AlarmCode) -> None:
    step.emit(c.RaiseAlarm(code=alarm, detail=scanner))
    until = step.now.mono + step.state.rules.timing.lockout
    attempts = step.state.scan_lockouts[scanner]
    _remember(step, scanner, replace(attempts, unknown_codes=(), locked_out=True, locked_out_until=until))
    set_lockout_timer(step)


def set_lockout_timer(step: Step) -> None:
    """Set the timer to the lockout that ends first."""
    ends = [attempts.locked_out_until for attempts in step.state.scan_lockouts.values() if attempts.locked_out]
    if ends:
        step.set_timer(Timer.LOCKOUT, min(ends) - step.now.mono)
    else:
        step.clear_timers(Timer.LOCKOUT)


def settle_lockouts(step: Step) -> None:
    """Let a scanner try again when its lockout is over."""
    if step.timer_expired(Timer.LOCKOUT):
        for scanner, attempts in step.state.scan_lockouts.items():
            if attempts.locked_out and attempts.locked_out_until <= step.now.mono:
                _remember(step, scanner, _let_try_again(attempts))
        set_lockout_timer(step)


def clear_lockout(step: Step, scanner: str) -> None:
    """End this scanner's lockout on the owner's request: forget its attempts, but not the codes that it tried."""
    if scanner in step.state.scan_lockouts:
        _remember(step, scanner, _let_try_again(step.state.scan_lockouts[scanner]))
    set_lockout_timer(step)


def _let_try_again(attempts: ScanLockout) -> ScanLockout:
    return ScanLockout(tried_codes=attempts.tried_codes, excused_deliveries=attempts.excused_deliveries)


def _on_keeper_code(step: Step, scan: Scanned, keeper: KeeperCode) -> None:
    """Continue with the parcel that was scanned before, or wait for one; a refused code changes nothing."""
    if not is_keeper_accepted(step.state.rules, keeper):
        _answer_no(step, scan, Refusal.KEEPER_NOT_ACCEPTED)
        return
    waiting = tuple(match for match in scan.awaiting if _is_waiting(step.state.pending_scan, match.delivery))
    if waiting:
        _on_known_code(step, replace(scan, matches=waiting))
        return
    codes = frozenset({scan.code})
    pending = PendingScan(kind=CodeKind.KEEPER, codes=codes, scan=scan.id, scanner=scan.scanner, keeper=keeper)
    _set_pending(step, scan, pending)


def _is_waiting(pending: PendingScan | None, delivery: VisitDelivery) -> bool:
    """Return whether a parcel of this delivery waits. A new version voids its scan, unless that itself refuses."""
    if pending is None or pending.delivery != delivery.id:
        return False
    return _is_same_order(pending, delivery) or delivery.refusal is not None


def _on_known_code(step: Step, scan: Scanned) -> None:
    match = _choose_match(step, scan.matches)
    delivery = match.delivery
    if match.kind is CodeKind.COLLECT:  # it stands on a parcel inside: whoever knows it proves nothing
        _answer_no(step, scan, Refusal.COLLECT_INSIDE, delivery=delivery.id)
        return
    route = transitions.route_from(step, delivery, scan.scanner)
    robot = None if scan.robot is None else scan.robot.robot
    refusal = may_open(step.state, delivery, step.now, route, robot=robot)
    if refusal is not None:
        lacking: tuple[str, ...] = ()
        if refusal is Refusal.NOT_READY:
            step.query_all()
            lacking = missing_on_route(step.state, route, delivery)
        _answer_no(step, scan, refusal, lacking=lacking, delivery=delivery.id)
        return
    is_for_keeper = step.state.rules.holder is Holder.KEEPER
    if is_for_keeper and match.kind is CodeKind.COURIER:  # a keeper acts here: a courier's token opens nothing
        _answer_no(step, scan, Refusal.KEEPER_NOT_PROVEN)
        return
    opening = (other.delivery for other in scan.matches if other.kind is not CodeKind.COLLECT)
    rivals = [rival for rival in opening if rival.brand != delivery.brand]
    others = [rival for rival in rivals if _may_begin(step, rival, scan.scanner)]
    if others and not delivery.needs_courier:  # where a courier token is required, it identifies the delivery
        brands = ", ".join(sorted({other.brand for other in (delivery, *others)}))
        step.emit(c.NotifyOwner(notification=c.Notification.CODE_OF_SEVERAL, detail=brands))
        _answer_no(step, scan, Refusal.CODE_OF_SEVERAL)
        return
    if scan.robot is not None:  # its proof names the delivery and every parcel
        transitions.begin(step, scan, delivery, (scan.robot.loads | {scan.code}) & delivery.parcels)
        return
    _excuse_label(step, scan, delivery)
    pending = step.state.pending_scan
    kinds: set[CodeKind] = {match.kind}
    codes, keeper = frozenset({scan.code}), scan.keeper
    if pending is not None and _goes_with(pending, delivery):
        kinds, codes, keeper = kinds | {pending.kind}, codes | pending.codes, keeper or pending.keeper
        delivery = delivery.with_labels(pending.label_limits)
    parcels = codes & delivery.parcels
    proven = keeper is not None if is_for_keeper else CodeKind.COURIER in kinds or not delivery.needs_courier
    is_complete = CodeKind.PARCEL in kinds or (delivery.only_collects and CodeKind.COURIER in kinds)
    if is_complete and proven:
        transitions.begin(step, scan, delivery, parcels, keeper)
    else:
        _keep_pending(step, scan, replace(match, delivery=delivery), codes)


def _may_begin(step: Step, delivery: VisitDelivery, scanner: str) -> bool:
    route = transitions.route_from(step, delivery, scanner)
    return may_open(step.state, delivery, step.now, route) is None


def _choose_match(step: Step, matches: tuple[CodeMatch, ...]) -> CodeMatch:
    """Choose among deliveries with this code: the one whose other code has come, else the likeliest."""
    pending = step.state.pending_scan
    waiting = [match for match in matches if pending is not None and _is_same_order(pending, match.delivery)]
    return min(waiting or matches, key=lambda match: _unlikeliness(step, match))


def _goes_with(pending: PendingScan, delivery: VisitDelivery) -> bool:
    """Return whether the waiting code may be the other code of this delivery; a keeper's goes with any delivery."""
    is_of_any = pending.delivery is None
    return is_of_any or _is_same_order(pending, delivery) or _also_of_other_brand(pending, delivery)


def _also_of_other_brand(pending: PendingScan, delivery: VisitDelivery) -> bool:
    """Return whether a pending parcel of one brand also belongs to this delivery, whose courier has come."""
    return pending.kind is CodeKind.PARCEL and pending.delivery != delivery.id and pending.codes <= delivery.parcels


def _unlikeliness(step: Step, match: CodeMatch) -> tuple[bool, bool, bool, bool, str]:
    delivery = match.delivery
    return (
        match.kind is CodeKind.COLLECT,
        delivery.entrance != step.state.id,
        delivery.refusal is not None,
        not is_in_window(delivery, step.now),
        delivery.start.isoformat(),
    )


def _keep_pending(step: Step, scan: Scanned, match: CodeMatch, codes: frozenset[str]) -> None:
    delivery = match.delivery
    pending = PendingScan(
        delivery=delivery.id, version=delivery.version, kind=match.kind, codes=codes,
        label_limits=delivery.label_limits, scan=scan.id, scanner=scan.scanner,
    )  # fmt: skip
    _set_pending(step, scan, pending)


def _set_pending(step: Step, scan: Scanned, pending: PendingScan) -> None:
    """Wait for the other code; answer a code that waited for another delivery."""
    before = step.state.pending_scan
    if before is not None and (before.delivery, before.version) != (pending.delivery, pending.version):
        expire_pending_scan(step)
    step.state = replace(step.state, pending_scan=pending)
    step.emit(c.AnswerScan(scan=scan.id, scanner=scan.scanner, answer=c.ScanAnswer.WAIT), transitions.WAIT)
    step.clear_timers(Timer.SIGNAL)
    step.set_timer(Timer.HALF, step.state.rules.timing.courier)


def _is_same_order(pending: PendingScan, delivery: VisitDelivery) -> bool:
    """Return whether both codes belong to one order; an update may have withdrawn the first one."""
    return (pending.delivery, pending.version) == (delivery.id, delivery.version)


def expire_pending_scan(step: Step) -> None:
    """Answer "no" at the scanner of the first code, because the second did not come in time."""
    pending = step.state.pending_scan
    if pending is not None:
        is_for_keeper = step.state.rules.holder is Holder.KEEPER
        why = Refusal.KEEPER_NOT_PROVEN if is_for_keeper else Refusal.COURIER_NOT_PROVEN
        answer = c.AnswerScan(
            scan=pending.scan, scanner=pending.scanner, answer=c.ScanAnswer.NO, refusal=why, delivery=pending.delivery
        )
        transitions.answer_no(step, answer)
        step.state = replace(step.state, pending_scan=None)
    step.clear_timers(Timer.HALF)


def withdraw_keeper(step: Step, codes: Collection[str]) -> None:
    """Void these codes of keepers, for a scan that waits and for an intent that is not stored.

    After the intents nothing depends on the code: the keeper who has a key brings it back.
    """
    pending, visit = step.state.pending_scan, step.state.visit
    if pending is not None and pending.keeper is not None and pending.keeper.code in codes:
        expire_pending_scan(step)
    if visit is not None and visit.keeper is not None and visit.keeper.code in codes:
        step.visit = replace(visit, keeper=replace(visit.keeper, withdrawn=True))
