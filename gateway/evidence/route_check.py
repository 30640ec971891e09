"""Checks the statements of a manifest about the way in against the log, and whether the logged actions kept the rules.

The box's own key signs log and manifest, so these checks do not find false statements that are in both. They find a
manifest that differs from its log, and a log with an opening, or a "secured", that the rules forbid.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise

from gateway.domain.visit.closures.contract import Closure
from gateway.evidence.route import (
    KNOWN_KINDS,
    MAX_LIFE_S,
    ProofAtOrder,
    RouteAccount,
    RouteClosure,
    RouteGap,
    RouteReading,
    SensorAnswer,
    StandingAnswer,
    needed_sensors,
    proves_secured,
)
from gateway.evidence.verdict import ProofDefect, ProofProblem


def check_route(told: RouteAccount, reading: RouteReading, *, name: str, box: str | None = None) -> None:
    """Compare what the manifest `name` of `box` says with the reading of its log, and check the order of the events.

    Raises:
        ProofDefect: the first thing wrong. Its place names the closure and the reason.
    """
    _check_kinds(told, name)
    _check_readable(reading)
    _check_same(told, reading, name)
    has_times = RouteGap.CLOCK_STEPPED not in told.evidence.gaps
    if has_times:
        _check_times(told)
    _check_orders(reading, has_times=has_times)
    _check_permits(reading, box=box, has_times=has_times)
    _check_ages(told)
    for closure in told.route:
        if closure.secured is not None:
            _check_proven(closure, reading)
            _check_fresh(closure, reading)


def _check_kinds(told: RouteAccount, name: str) -> None:
    for closure in told.route:
        if closure.kind not in KNOWN_KINDS:
            where = f"{name}: {closure.closure} is a {closure.kind}, which this release does not know"
            raise ProofDefect(ProofProblem.MANIFEST_NEWER, where)


def _check_readable(reading: RouteReading) -> None:
    if reading.unreadable > 0:
        where = f"the log has an order that does not follow the format (`life`: over 0, at most {MAX_LIFE_S:g} s)"
        raise ProofDefect(ProofProblem.ROUTE_ORDER, where)


def _check_same(told: RouteAccount, reading: RouteReading, name: str) -> None:
    if reading.unexplained:
        where = f"{name}: the log orders {reading.unexplained[0]} open, which is on no route of the visit"
        raise ProofDefect(ProofProblem.ROUTE_DIFFERS, where)
    read = reading.account
    declared = tuple(gap for gap in told.evidence.gaps if gap != RouteGap.CLOCK_STEPPED)
    pairs: list[tuple[str, object, object]] = [
        ("route", [closure.closure for closure in told.route], [closure.closure for closure in read.route]),
        *(
            (f"{ours.closure}: {field}", getattr(ours, field), getattr(theirs, field))
            for ours, theirs in zip(told.route, read.route, strict=False)
            for field in RouteClosure.model_fields
        ),
        ("evidence: required", told.evidence.required, read.evidence.required),
        ("evidence: gaps", declared, read.evidence.gaps),
        *(
            (field, getattr(told, field), getattr(read, field))
            for field in RouteAccount.model_fields
            if field not in {"route", "evidence"}
        ),
    ]
    different = next((what for what, ours, theirs in pairs if ours != theirs), None)
    if different is not None:
        raise ProofDefect(ProofProblem.ROUTE_DIFFERS, f"{name}: {different} differs from the log")


# ---- times -----------------------------------------------------------------------------------------------------------


def times_ascend(told: RouteAccount) -> bool:
    """Return whether no time of the account is before a time that it has to follow."""
    return next(_descents(told), None) is None


def _check_times(told: RouteAccount) -> None:
    where = next(_descents(told), None)
    if where is not None:
        raise ProofDefect(ProofProblem.ROUTE_TIMES, where)


def _descents(told: RouteAccount) -> Iterator[str]:
    for closure in told.route:
        for (before, first), (after, second) in _in_order(closure):
            if first is not None and second is not None and second < first:
                yield f"{closure.closure}: {after} at {_clock(second)}, before {before} at {_clock(first)}"
    ordered = [closure for closure in told.route if closure.ordered is not None]
    for one, following in pairwise(ordered):
        if one.ordered is not None and following.ordered is not None and following.ordered < one.ordered:
            yield f"{following.closure}: ordered at {_clock(following.ordered)}, before {one.closure} was"
    for times in ([mark.at for mark in told.marks], [step.at for step in told.custody]):
        for first, second in pairwise(times):
            if second < first:
                yield f"a step of the custody at {_clock(second)} follows one at {_clock(first)}"


_Moment = tuple[str, datetime | None]


def _in_order(closure: RouteClosure) -> Iterator[tuple[_Moment, _Moment]]:
    """Yield pairs of moments of one closure; the second cannot be before the first."""
    ordered: _Moment = "ordered", closure.ordered
    yield ("intent", closure.intent), ordered
    opened: list[_Moment] = [("opened", at) for at in closure.opened]
    yield from ((ordered, later) for later in (
        ("published", closure.published), ("passable", closure.passable), *opened, ("secured", closure.secured),
    ))  # fmt: skip
    yield from pairwise(opened)
    proofs = [] if closure.passed is None else [(closure.passed.at, closure.passed.answers)]
    if closure.secured is not None:
        proofs.append((closure.secured, closure.answers))
    for at, answers in proofs:
        for role, answer in answers.items():
            answered: _Moment = f"{role} answered", answer.answered
            yield (f"{role} queried", answer.asked), answered
            yield answered, ("secured", at)


# ---- the order of the events -----------------------------------------------------------------------------------------


def _check_orders(reading: RouteReading, *, has_times: bool) -> None:
    for ident, orders in reading.orders.items():
        if len(orders) > min(1, reading.intents[ident]):
            where = f"{ident}: ordered open {len(orders)} times, with {reading.intents[ident]} stored intents"
            raise ProofDefect(ProofProblem.ROUTE_ORDER, where)
    for proof in reading.at_orders:
        why = _why_not_passed(proof, reading, has_times=has_times)
        if why is not None:
            where = f"{proof.later} was ordered open at {_clock(proof.at)}, but {proof.closure} was not secured: {why}"
            raise ProofDefect(ProofProblem.ROUTE_ORDER, where)


def _check_ages(told: RouteAccount) -> None:
    for one in told.ages:
        if one.age_s > one.max_age_s:
            where = f"{one.closure}: ordered open by a value of {one.sensor} of {one.age_s:g} s before"
            raise ProofDefect(ProofProblem.ROUTE_ORDER, f"{where}, where {one.max_age_s:g} s are the most")


def _why_not_passed(proof: ProofAtOrder, reading: RouteReading, *, has_times: bool) -> str | None:
    kind = reading.kinds[proof.closure]
    lacking = _lacking(kind, _answers(proof.answers))
    if lacking is not None:
        return None if reading.is_incomplete else lacking
    if proof.ordered is None:
        return "it had not been ordered open"
    life = timedelta(seconds=proof.ordered.life)
    for role, found in proof.answers.items():
        if kind is None or role not in needed_sensors(kind) or found.answer.query is None:
            continue
        if not _is_newer(found, proof.last_order):
            return f"{role} was queried before the last order to it"
        asked = found.answer.asked
        if has_times and asked is not None and asked - proof.ordered.at < life:
            return f"{role} was queried at {_clock(asked)}, less than {life.total_seconds():g} s after the order"
    return None


def _check_permits(reading: RouteReading, *, box: str | None, has_times: bool) -> None:
    """Check that each opening which needs a yes had one of its own, signed for this box (None: for any)."""
    for fault in reading.permit_faults:
        is_excused = (fault.is_missing and reading.is_incomplete) or (fault.is_time and not has_times)
        if not is_excused:
            where = f"{fault.closure} was opened, but {fault.reason}"
            raise ProofDefect(ProofProblem.OPENING_UNPERMITTED, where)
    for closure, signed_for in reading.permit_boxes:
        if box not in (None, signed_for):
            where = f"{closure} was opened, but its yes was signed for another box, {signed_for}"
            raise ProofDefect(ProofProblem.OPENING_UNPERMITTED, where)


# ---- secured ---------------------------------------------------------------------------------------------------------


def _check_proven(closure: RouteClosure, reading: RouteReading) -> None:
    lacking = _lacking(reading.kinds[closure.closure], closure.answers)
    if lacking is not None:
        raise ProofDefect(ProofProblem.ROUTE_UNPROVEN, f"{closure.closure}: {lacking}")


def _check_fresh(closure: RouteClosure, reading: RouteReading) -> None:
    for role, found in reading.at_end[closure.closure].items():
        if found.answer.query is not None and not _is_newer(found, reading.last_orders[closure.closure]):
            where = f"{closure.closure}: {role} answered a query from before the last order to it"
            raise ProofDefect(ProofProblem.ROUTE_STALE, where)


def _is_newer(found: StandingAnswer, last_order: int) -> bool:
    """Whether the log has the query of this answer, after the order."""
    return found.asked_place is not None and found.asked_place > last_order


def _lacking(kind: Closure | None, answers: Mapping[str, SensorAnswer]) -> str | None:
    """Return, in words, what is missing in the answers to prove the closure secured; None: nothing."""
    if kind is None or proves_secured(kind, answers):
        return None
    missing = sorted(needed_sensors(kind) - answers.keys())
    if missing:
        return f"{missing[0]} has no answer that stands"
    said = ", ".join(f"{role} {answer.value}" for role, answer in sorted(answers.items()))
    return f"the answers are {said}"


def _answers(standing: Mapping[str, StandingAnswer]) -> dict[str, SensorAnswer]:
    return {role: found.answer for role, found in standing.items()}


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S.%f} UTC"
