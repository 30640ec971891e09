"""Stores connections between a retailer's brand and a home, from the request to the home's answer.

The caller owns the transaction of each function. The home decides: only its own signed message grants a connection.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, func, or_, select, update

from gateway.domain.delivery.permission import PermissionTerms
from gateway.domain.delivery.promise import State
from gateway.hub.database.tables import brand_keys, brands, connections, deliveries, homes, retailers
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries import events, jobs
from gateway.hub.deliveries.availability import GivenTerms, entrance_places
from gateway.hub.deliveries.orders import refuse_open
from gateway.hub.http.operation import HubTransaction
from gateway.hub.worker import DueRows, DueStep, WorkerContext
from gateway.protocol import consent_request
from gateway.protocol.box_hub import JobKind, PermissionDecision
from gateway.protocol.consent_request import MAX_WITHDRAWN_KEYS, AskedTerms, ConsentMessage, RequestedKey

ANSWER_PERIOD = timedelta(days=7)  # of a home
ASK_WINDOW, MAX_ASKS_PER_WINDOW = timedelta(days=1), 10  # questions of one retailer to one home
MAX_CODE_TRIES = 5  # support codes on one connection's page

# The home's answer counts, and it may still permit the brand; an expired or ended request must be made again
ANSWERED_STATES = ("pending", "granted", "refused", "revoked")

_DENIED_STATES = frozenset({"refused", "revoked"})


def state_of(row: Row[Any], now: datetime) -> str:
    """Return the state of a connection now; a request that was not answered in time counts as expired at once."""
    return "expired" if row.state == "pending" and row.expires <= now else str(row.state)


def connection_view(row: Row[Any], now: datetime) -> dict[str, Any]:
    """Return a connection as its retailer may see it, in JSON's types; its home only once it is granted."""
    state = state_of(row, now)
    given = state == "granted"
    return {
        "id": row.id, "state": state, "brand": row.brand, "asked": row.asked, "terms": row.terms if given else None,
        "address": None,  # the box states it later
        "version": row.version, "home": row.home if given else None, "reference": row.reference,
        "return_url": row.return_url, "sandbox": row.sandbox, "created": _iso(row.created),
        "expires": _iso(row.expires), "decided": None if row.decided is None else _iso(row.decided),
    }  # fmt: skip


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


async def ask_home(hub: HubTransaction, row: Row[Any], code: str | None) -> None:
    """Send the request to the home of a support code that a person entered on the page, if there is one.

    Each code counts as a try and gets the same answer, whether or not a home has it. The first home that has one stays.
    """
    values: dict[str, Any] = {"tries": connections.c.tries + 1}
    home = None
    if row.home is None and code is not None:
        mine = (homes.c.support_code == code, homes.c.sandbox == row.sandbox, homes.c.revoked.is_(None))
        open_ = or_(homes.c.retailer.is_(None), homes.c.retailer == row.retailer)  # a sandbox belongs to one retailer
        home = await hub.tx.scalar(select(homes.c.id).where(*mine, open_))
    if home is not None and not await _is_suspended(hub, row) and not await _asks_exhausted(hub, row, home):
        terms = None if row.signed is not None else AskedTerms.model_validate_json(json.dumps(row.asked))
        request = {"connection": row.id, "expires": row.expires, "signed": row.signed, "asked": terms}
        values |= {"home": home, "keys_sent": await _send(hub, row, home, **request)}
    await hub.tx.execute(update(connections).where(connections.c.id == row.id).values(**values))


async def _is_suspended(hub: HubTransaction, row: Row[Any]) -> bool:
    suspended = select(retailers.c.suspended).where(retailers.c.id == row.retailer)
    return await hub.tx.scalar(suspended) is not None


async def _asks_exhausted(hub: HubTransaction, row: Row[Any], home: str) -> bool:
    begin = hub.now - ASK_WINDOW
    lately = (connections.c.retailer == row.retailer, connections.c.home == home, connections.c.created > begin)
    count = await hub.tx.scalar(select(func.count()).select_from(connections).where(*lately))
    return (count or 0) >= MAX_ASKS_PER_WINDOW


async def send_keys(hub: HubTransaction, row: Row[Any]) -> None:
    """Inform a home that permits the brand of its current keys; the owner approves new ones."""
    version = await _send(hub, row, row.home)
    await hub.tx.execute(update(connections).where(connections.c.id == row.id).values(keys_sent=version))


async def send_end(hub: HubTransaction, row: Row[Any]) -> None:
    """Inform a home that the brand ended a connection, by the brand's signed message if it gave one."""
    await _send(hub, row, row.home, ends=row.id, ended=row.end_signed)
    await hub.tx.execute(update(connections).where(connections.c.id == row.id).values(end_told=True))


async def _send(hub: HubTransaction, row: Row[Any], home: str, **content: Any) -> int:  # noqa: ANN401 - fields of the message
    """Send a home the brand's name and keys, and this `content`; return the version of the keys."""
    of_brand = select(brands.c.name, brands.c.keys_version).filter_by(id=row.brand, sandbox=row.sandbox)
    brand = (await hub.tx.execute(of_brand)).one()
    mine = select(brand_keys).filter_by(brand=row.brand, sandbox=row.sandbox)
    current = mine.filter_by(revoked=None).order_by(brand_keys.c.created, brand_keys.c.kid)
    gone = mine.where(brand_keys.c.revoked.is_not(None)).order_by(brand_keys.c.revoked.desc()).limit(MAX_WITHDRAWN_KEYS)
    message = ConsentMessage(
        hub=hub.url, home=home, brand=row.brand, name=brand.name,
        keys=tuple(RequestedKey(kid=key.kid, x=key.x, vouched=key.vouched) for key in await hub.tx.execute(current)),
        withdrawn=tuple(key.x for key in await hub.tx.execute(gone)), **content,
    )  # fmt: skip
    token = consent_request.sign_consent_within_limit(message, hub.signer.signature)
    await jobs.enqueue(hub.tx, home, JobKind.CONNECT, token, now=hub.now)
    return int(brand.keys_version)


async def on_decision(tx: Transaction, home: Row[Any], decision: PermissionDecision, now: datetime) -> bool:
    """Store a home's decision on a brand and notify the retailer; return whether it changed anything.

    `home` is the home's row. A decision older than the stored one changes nothing, and contradictory terms grant
    nothing. A no ends the brand's open deliveries at once, except one that is at the door: the home reports its result.
    It also reports each of the others if it changes its decision again.
    """
    given = _granted_terms(decision, home.said)
    if given is None and decision.standing == "granted":
        decision = decision.model_copy(update={"standing": "pending"})
    concerned = select(connections).filter_by(home=home.id, brand=decision.brand, sandbox=home.sandbox)
    changed = False
    for row in (await tx.execute(concerned.with_for_update(key_share=True))).all():
        if state_of(row, now) not in ANSWERED_STATES or row.version >= decision.version:
            continue
        state = _state_after(row, decision)
        at = row.decided if state == "pending" else now
        new = {"state": state, "terms": given, "version": decision.version, "decided": at}
        await tx.execute(update(connections).where(connections.c.id == row.id).values(**new))
        if (row.state, row.terms) != (state, given):
            await _notify_retailer(tx, row.id, now)
            changed = True
        if state in _DENIED_STATES:
            await refuse_open(tx, now, deliveries.c.connection == row.id, deliveries.c.state != State.VISITING)
    return changed


async def on_layout(tx: Transaction, home: Row[Any], now: datetime) -> None:
    """Store which place belongs to which entrance of a home, after its report, and notify whom it concerns."""
    granted = select(connections).filter_by(home=home.id, state="granted")
    for row in (await tx.execute(granted.with_for_update(key_share=True))).all():
        terms = row.terms or {}
        if not {"entrances", "places"} <= terms.keys():
            continue
        places = entrance_places(home.said, terms)
        if places is not None and places != terms.get("entrance_places"):
            new = {**terms, "entrance_places": places}
            await tx.execute(update(connections).where(connections.c.id == row.id).values(terms=new))
            await _notify_retailer(tx, row.id, now)


def _granted_terms(decision: PermissionDecision, report: Mapping[str, Any]) -> dict[str, Any] | None:
    if decision.standing != "granted":
        return None
    terms: dict[str, Any] = decision.model_dump(mode="json", exclude={"brand", "version", "standing"})
    terms["entrance_places"] = entrance_places(report, terms)
    try:
        _ = GivenTerms.model_validate_json(json.dumps(terms)).permission_terms
    except ValueError:  # a ValidationError is one
        return None
    return terms


def _state_after(row: Row[Any], decision: PermissionDecision) -> str:
    """Return the state after a decision; an undecided home has not said yes, and has revoked an earlier yes."""
    if decision.standing == "pending":
        return "pending" if row.state == "pending" else "revoked"
    return decision.standing


async def expire_connection(tx: Transaction, row: Row[Any], now: datetime) -> None:
    """End a request that no home answered: no answer is a no."""
    await tx.execute(update(connections).where(connections.c.id == row.id).values(state="expired"))
    await _notify_retailer(tx, row.id, now)


async def on_question_refused(tx: Transaction, home: str, token: bytes, now: datetime) -> None:
    """Handle a request that a home refused unseen; one without the brand's required signature ends at once.

    Any other looks unanswered until it expires. Such a home refuses because of what it knows of other brands (a similar
    name, too many requests), and an early end would reveal that.
    """
    request = consent_request.parse_consent(token)
    if request is None or request.connection is None or request.signed is not None:
        return
    if not request.keys and request.asked is not None and request.asked.hub_signed:
        return  # a brand without keys cannot sign
    pending = select(connections).filter_by(id=request.connection, home=home, state="pending")
    row = (await tx.execute(pending.with_for_update(key_share=True))).one_or_none()
    if row is not None:
        await expire_connection(tx, row, now)


async def _notify_retailer(tx: Transaction, id_: str, now: datetime) -> None:
    row = (await tx.execute(select(connections).where(connections.c.id == id_))).one()
    await events.emit(tx, row, events.EventType.CONNECTION_DECIDED, connection_view(row, now), now)


def terms_of(row: Row[Any]) -> PermissionTerms | None:
    """Return the terms that a home granted, or None."""
    return None if row.terms is None else GivenTerms.model_validate_json(json.dumps(row.terms)).permission_terms


def due_connections(context: WorkerContext) -> DueRows:
    """Return the worker of one process: it expires unanswered requests, and informs homes of brands' keys and ends."""
    known, wake_ups = select(connections).where(connections.c.home.is_not(None)), context.wake_ups
    brand = and_(brands.c.id == connections.c.brand, brands.c.sandbox == connections.c.sandbox)
    pending = select(connections).where(connections.c.state == "pending")
    outdated = known.join(brands, brand).where(
        connections.c.state.in_(ANSWERED_STATES), connections.c.keys_sent < brands.c.keys_version
    )
    ended = known.where(connections.c.state == "ended", connections.c.end_told.is_(False))
    steps = (
        DueStep(
            name="expire", due=lambda now: pending.where(connections.c.expires <= now),
            perform=lambda hub, row: expire_connection(hub.tx, row, hub.now), wake_up=wake_ups.messages,
        ),
        DueStep(name="send keys", due=lambda _now: outdated, perform=send_keys, wake_up=wake_ups.jobs),
        DueStep(name="tell end", due=lambda _now: ended, perform=send_end, wake_up=wake_ups.jobs),
    )  # fmt: skip
    return DueRows(context, "connections", connections, steps, max_rows=100)
