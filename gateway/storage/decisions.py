"""Stores one decision in a transaction: log entry, the entrance's state and the effects of its commands."""

import json
from collections.abc import Collection, Sequence
from typing import assert_never

from gateway.domain.delivery.candidate import DeliveryContext, VisitDelivery
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.delivery.temperature import NO_LIMITS, Limits, stricter
from gateway.domain.guests.passes import is_pass_key
from gateway.domain.visit import commands as c
from gateway.domain.visit.events import FactsChanged, KeeperWithdrawn, OwnerAcknowledged, PreflightDue, Scanned
from gateway.domain.visit.predicates import routes_to
from gateway.domain.visit.state import Entrance, Evidence, StayPeriod, Visit
from gateway.domain.visit.views import closure_of, fact_of
from gateway.protocol.cold_chain import read_cold_chain
from gateway.protocol.hash_chain import Json
from gateway.protocol.key_custody import COURIER, HOUSEHOLD, KEEPER, ROBOT
from gateway.storage import entrances, guests, keepers, outbox, pauses, recordings
from gateway.storage.audit_log import bodies_of_visit, code_digest, code_key, encode, encode_code, encode_event
from gateway.storage.box import store_time_floor
from gateway.storage.database import Database
from gateway.storage.entrances import EntranceStanding
from gateway.storage.free_room import take_room
from gateway.storage.models import CommitResult, StoredDecision
from gateway.storage.rows import mark_for_check, outcomes_json, row_in_visit, row_of
from gateway.storage.turned_away import note_refusal


def store_decision(
    db: Database, decision: StoredDecision, context: DeliveryContext
) -> CommitResult | FactsChanged | KeeperWithdrawn:
    """Store the decision in the caller's transaction.

    Nothing is written if an intent or a beginning visit is based on facts that have changed; then return the new ones.

    Raises:
        LookupError: it reserves a delivery that does not exist, or there is no such entrance.
    """
    standing = entrances.standing_of(db, decision.entrance)
    for command in decision.commands:  # every check comes before the first write
        changed: FactsChanged | KeeperWithdrawn | None = None
        if isinstance(command, c.ReserveOpening):
            changed = _intent_changed(db, command, decision, context, standing) or _keeper_changed(db, decision)
        elif isinstance(command, c.RingBell):
            changed = _order_changed(db, decision, context)
        if changed is not None:
            return changed
    for command in decision.commands:
        _apply_command(db, command, decision)
    visit, commands = visit_of(decision), [encode(command, "command") for command in decision.commands]
    messages = tuple(
        outbox.queue_message(db, decision.entrance, visit, json.dumps(encoded).encode(), decision.now)
        for command, encoded in zip(decision.commands, commands, strict=True)
        if isinstance(command, c.NotifyOwner | c.RaiseAlarm)
    )
    if isinstance(decision.event, PreflightDue):
        checked = (decision.now.utc, decision.event.delivery.id)
        db.execute("UPDATE delivery SET checked = ? WHERE key = ?", checked)
    if isinstance(decision.event, OwnerAcknowledged) and not decision.state.safe_mode:
        db.execute("UPDATE entrance SET in_doubt = 0 WHERE id = ?", (decision.entrance,))
    running = decision.state.visit
    entrances.store_state(db, decision.entrance, decision.state)
    delivery = None if running is None else running.delivery.id
    after = (_phase_of(decision.state), None if running is None else running.id, delivery)
    if after != (standing.phase, standing.visit, standing.delivery):
        update = "UPDATE entrance SET phase = ?, visit = ?, delivery = ? WHERE id = ?"
        db.execute(update, (*after, decision.entrance))
    if delivery != standing.delivery:  # other changes of a result mark the delivery where they are made
        for key in (standing.delivery, delivery):
            if key is not None:
                mark_for_check(db, key)
    facts = logged_step(decision, commands, phase_before=standing.phase, key=code_key(db))
    seq, row = db.log("step", decision.now.utc, facts, entrance=decision.entrance, visit=visit)
    for command in decision.commands:
        if isinstance(command, c.ReportDoorResult):
            _judge_items(db, command)
    return CommitResult(seq=seq, messages=messages, row=row)


def logged_step(
    decision: StoredDecision, commands: Sequence[Json], *, phase_before: str | None, key: bytes
) -> dict[str, Json]:
    """Return the log entry of a decision; `commands` are encoded, `key` is the box's own, for codes."""
    return {
        "event": encode_event(decision.event, key),
        "phase_before": phase_before,
        "phase": _phase_of(decision.state),
        "trusted": decision.now.trusted,
        "commands": list(commands),
        **_begun_route(decision, key),
    }


def _begun_route(decision: StoredDecision, key: bytes) -> dict[str, Json]:
    """Return the log's entry `route` for a decision that begins a visit; for any other decision nothing.

    The proof lists each closure, so this entry also has the closures without any order or report: those behind a
    closure that never opened, and the doors that a key opens. It has the value of each sensor that answers no query.
    `parcels` are digests: the scan of a parcel before the courier's code has its own entry, before the visit's log
    begins.
    """
    visit, event, rules = decision.state.visit, decision.event, decision.state.rules
    if visit is None or not isinstance(event, Scanned) or event.id != visit.id:
        return {}
    routes = routes_to(decision.state, visit.delivery)
    begun = (number for number, route in enumerate(routes) if route[-len(visit.route) :] == visit.route)
    closures: list[Json] = []
    for closure in (closure_of(rules, ident) for ident in visit.route):
        basic = {role: name for role, name in closure.sensor_names.items() if name in rules.basic_sensors}
        closures.append({
            "closure": closure.id, "kind": closure.kind,
            "guarded": closure.guarded and closure.opening().is_ordered,
            "sensors": list(closure.sensors),
            "basic": {role: fact_of(decision.state, name).value for role, name in basic.items()},
        })  # fmt: skip
    errand = visit.delivery.errand
    evidence = rules.evidence if errand.is_filmed else Evidence.NONE
    somebody = HOUSEHOLD if errand.for_household else COURIER
    route: dict[str, Json] = {
        "place": visit.delivery.place, "alternative": next(begun, 0), "evidence": evidence.value,
        "holder": _holder(visit) or somebody,
        "closures": closures,
        "parcels": tuple(sorted(code_digest(parcel, key) for parcel in visit.parcels)),
        **({"yes_each": True} if visit.delivery.yes_each else {}),
        **_begun_items(decision, key),
    }  # fmt: skip
    return {"route": route}


def _begun_items(decision: StoredDecision, key: bytes) -> dict[str, Json]:
    """Return the log's entry `items` of a visit with items: their limits, the scanners inside, and the air as known.

    `gateway/protocol/cold_chain.py` reads it. The air is here because its last reading has an entry of its own, before
    the visit's log begins.
    """
    visit, rules = decision.state.visit, decision.state.rules
    if visit is None or not visit.delivery.items:
        return {}
    delivery = visit.delivery
    own = Limits(min_c=delivery.cold_min_c, max_c=delivery.cold_max_c)
    items: list[Json] = [
        {
            "code": encode_code(item.code, key), "place": item.place, "profile": item.profile,
            "order": _encode_limits(stricter(item.limits, own if item.place == delivery.place else NO_LIMITS)),
            "legal": _encode_limits(item.legal),
            "label": _encode_limits(delivery.label_limits.get(item.code, NO_LIMITS)),
            "max_seconds": item.max_seconds, "is_parcel": item.code in delivery.parcels,
        }
        for item in delivery.items
    ]  # fmt: skip
    places = sorted(delivery.places)
    air: dict[str, Json] = {}
    for condition in rules.conditions:
        air |= {
            place: facts for place in places if (facts := condition.logged_place(place, decision.state.surroundings))
        }
    return {"items": {"list": items, "scanners": dict(rules.place_scanners), "air": air}}


def _encode_limits(limits: Limits) -> Json:
    return {"min_c": limits.min_c, "max_c": limits.max_c}


def _intent_changed(
    db: Database, reserve: c.ReserveOpening, step: StoredDecision, house: DeliveryContext, stop: EntranceStanding
) -> FactsChanged | None:
    """Return the present facts if the intent may not reserve one opening and one withdrawal by them; None: it may."""
    facts = _facts_in_visit(db, reserve, step, house)
    planned = pauses.pauses_of(db, step.entrance) if stop.has_pauses else ()
    paused = any(pause.start <= step.now.utc < pause.end for pause in planned)
    stays = guests.stays_of(db, step.entrance) if stop.has_stays else ()
    is_closed = not facts.errand.for_household and (paused or _holding(stays, step) != _holding(step.state.stays, step))
    same = (facts.version, facts.permission_version, stop.epoch) == (
        reserve.version,
        reserve.permission_version,
        reserve.stop_epoch,
    )
    free = facts.refusal is None and facts.openings_left >= 1 and facts.withdrawals_left >= 1
    if not same or not free or stop.stopped or is_closed or facts.entrance != step.entrance:
        return FactsChanged(delivery=facts, stopped=stop.stopped, epoch=stop.epoch, pauses=planned, stays=stays)
    return None


def _holding(stays: Collection[StayPeriod], step: StoredDecision) -> frozenset[StayPeriod]:
    """Return the stays that hold now."""
    return frozenset(stay for stay in stays if stay.start <= step.now.utc < stay.end)


def _facts_in_visit(
    db: Database, reserve: c.ReserveOpening, step: StoredDecision, house: DeliveryContext
) -> VisitDelivery:
    """Return the delivery or pass of a visit as the store has it now.

    A visit on its way has its opening and its withdrawal reserved.

    Raises:
        LookupError: there is no such delivery or pass.
    """
    key, visit = reserve.delivery, reserve.visit if reserve.stage > 0 else None
    if is_pass_key(key):
        facts = guests.visit_facts(db, key, house, step.now, entrance=step.entrance, visit=visit)
    else:
        row = row_in_visit(db, key, visit)
        facts = None if row is None else row.facts(house, step.now)
    if facts is None:
        raise LookupError(f"no delivery {key}")
    return facts


def _holder(visit: Visit) -> str | None:
    """Return who acts, in the log's words; None: the holder that the entrance has."""
    if visit.robot is not None:
        return f"{ROBOT}{visit.robot}"
    return f"{KEEPER}{visit.holder}" if visit.holder else None


def _keeper_changed(db: Database, step: StoredDecision) -> KeeperWithdrawn | None:
    """Return a fact if the code of the visit's keeper no longer counts; None: it counts, or no keeper acts."""
    keeper = None if step.state.visit is None else step.state.visit.keeper
    if keeper is None or keepers.counts(db, keeper.code):
        return None
    return KeeperWithdrawn(codes=frozenset({keeper.code}))


def _order_changed(db: Database, step: StoredDecision, house: DeliveryContext) -> FactsChanged | None:
    """Return the present facts if an update changed the delivery after its codes were looked up; None: it did not.

    During a visit no update is accepted.
    """
    running = step.state.visit
    row = None if running is None else row_of(db, running.delivery.id)
    if running is None or row is None or row.order.version == running.delivery.version:
        return None
    stop = entrances.stop_of(db, step.entrance)
    return FactsChanged(delivery=row.facts(house, step.now), stopped=stop.stopped, epoch=stop.epoch)


def _store_parcel_result(db: Database, result: c.ReportParcelResult, step: StoredDecision) -> None:
    db.execute(
        "INSERT INTO visit (id, delivery, entrance, began, outcome, missing, missing_parcels, collected)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome,"
        " missing = excluded.missing, missing_parcels = excluded.missing_parcels,"
        " collected = excluded.collected WHERE outcome IS NULL",
        (
            result.visit, result.delivery, step.entrance, step.now.utc, result.outcome, result.missing,
            _missing_parcels(result, step), result.collected,
        ),
    )  # fmt: skip
    mark_for_check(db, result.delivery)


def _missing_parcels(result: c.ReportParcelResult, step: StoredDecision) -> str | None:
    """Return the parcels that were not scanned in a visit that delivered; None: it did not, or they are not known.

    The command does not name them, because the log would keep them: it has digests of codes only.
    """
    visit = step.state.visit
    if result.outcome is Outcome.DELIVERED:
        return "[]"
    if result.outcome is not Outcome.PARTLY_DELIVERED or visit is None or visit.id != result.visit:
        return None
    missing = sorted(visit.delivery.parcels - visit.parcels)
    return json.dumps(missing) if len(missing) == result.missing else None


def _apply_command(db: Database, command: c.Command, step: StoredDecision) -> None:
    match command:
        case c.ReserveOpening():
            _store_intent(db, command, step)
        case c.ConsumeOpening():
            _settle_reservation(db, command.visit, "spent")
        case c.ReleaseOpening():
            _settle_reservation(db, command.visit, "not_sent" if command.withdrawal else "given_back")
        case c.ReportParcelResult():
            _store_parcel_result(db, command, step)
        case c.ReportDoorResult():
            _store_door_result(db, command, step)
        case c.AnswerScan():
            note_refusal(db, command, step)
        case c.ReportReadiness():
            lacking = json.dumps(command.lacking)
            db.execute("UPDATE delivery SET lacking = ? WHERE key = ?", (lacking, command.delivery))
            mark_for_check(db, command.delivery)
        case c.StartRecording():
            delivery = None if step.state.visit is None else step.state.visit.delivery.id
            recordings.begin_film(
                db, command.visit, command.part, entrance=step.entrance, delivery=delivery, utc=step.now.utc
            )
        case c.SealProof():  # a part without a film has no other beginning
            delivery = None if step.state.visit is None else step.state.visit.delivery.id
            recordings.begin_film(
                db, command.visit, command.part, entrance=step.entrance, delivery=delivery, utc=step.now.utc
            )
        case c.StopRecording(keep=False):
            recordings.drop_film(db, command.visit, command.part)
        case (
            c.RingBell()
            | c.Unlock()
            | c.Lock()
            | c.Close()
            | c.QuerySensor()
            | c.StopRecording()
            | c.ShowSignal()
            | c.NotifyOwner()
            | c.RaiseAlarm()
            | c.LogNote()
        ):
            pass
        case _:
            assert_never(command)


def _store_intent(db: Database, command: c.ReserveOpening, step: StoredDecision) -> None:
    """Store one intent; the first of a visit reserves its opening. A second one for a closure raises IntegrityError."""
    visit, began = command.visit, step.now.utc
    if step.now.trusted:
        store_time_floor(db, began)  # in the same transaction: the floor never lies behind an intent
    if command.stage == 0:
        db.insert("visit", id=visit, delivery=command.delivery, entrance=step.entrance, began=began, intent="reserved")
    permit = command.permit or None  # a yes counts once: a second opening by it raises IntegrityError
    db.insert("opening", visit=visit, closure=command.closure, stage=command.stage, at=began, permit=permit)


def _settle_reservation(db: Database, visit_id: str, how: str) -> None:
    """End a reservation, once: a used opening is never returned, and a returned one is not used."""
    db.execute("UPDATE visit SET intent = ? WHERE id = ? AND intent = 'reserved'", (how, visit_id))


def _store_door_result(db: Database, result: c.ReportDoorResult, step: StoredDecision) -> None:
    now = step.now.utc
    if db.exists("SELECT 1 FROM visit WHERE id = ? AND house IS NULL AND intent = 'spent'", (result.visit,)):
        take_room(db, result.delivery, now)  # at the first result, when nothing more of it is decided
    db.execute(
        "INSERT INTO visit (id, delivery, entrance, began, house) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET house = excluded.house",
        (result.visit, result.delivery, step.entrance, now, result.door_result),
    )
    if result.door_result is DoorResult.LOCKED_AGAIN:
        db.execute("UPDATE entrance SET locked_at = ? WHERE id = ?", (now, step.entrance))
    mark_for_check(db, result.delivery)


def _judge_items(db: Database, result: c.ReportDoorResult) -> None:
    """Store how the cold chain of each item held; nothing in the log after the first result of the door counts."""
    query = "SELECT 1 FROM delivery d JOIN visit v ON v.delivery = d.key WHERE v.id = ? AND d.items IS NOT NULL"
    if not db.exists(query, (result.visit,)):
        return
    account = read_cold_chain(bodies_of_visit(db, result.visit))
    if account is not None:
        db.execute("UPDATE visit SET items = ? WHERE id = ?", (outcomes_json(account), result.visit))


def _phase_of(state: Entrance) -> str:
    return "ready" if state.visit is None else state.visit.phase.value


def visit_of(step: StoredDecision) -> str | None:
    """Return the visit or incident of the log entry: the running one, or the one that a command names."""
    if step.state.visit is not None:
        return step.state.visit.id
    for command in step.commands:
        named = getattr(command, "visit", None)
        if isinstance(named, str):
            return named
    return step.state.incident
