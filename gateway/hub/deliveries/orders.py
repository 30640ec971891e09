"""Stores deliveries at the hub, queues their jobs for homes, and ends those that wait in vain.

The home decides: a delivery is `scheduled` or `cancelled` only once the home has reported it. Until the home permits
the brand a delivery is *held*: the box does not know the brand, so the hub sends nothing and may itself cancel or
expire the delivery.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum, auto
from hashlib import sha256
from operator import attrgetter
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, bindparam, delete, func, insert, or_, select, update

from gateway.domain.delivery.carrier_names import carrier_id, same_carrier
from gateway.domain.delivery.features import used_features
from gateway.domain.delivery.food_profiles import FoodProfile
from gateway.domain.delivery.label import LabelRule
from gateway.domain.delivery.promise import (
    FINAL_STATES,
    Cancel,
    DeliveryResult,
    Notice,
    Offer,
    State,
    Update,
    Window,
)
from gateway.domain.delivery.promise_v2 import (
    V2_FIELDS,
    CancelV2,
    DeliveryBodyV2,
    ExpectedAddress,
    ItemLine,
    OfferV2,
    ParcelSize,
    UpdateV2,
)
from gateway.hub.database.tables import connections, deliveries, delivery_parcels, delivery_versions
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries import events, jobs
from gateway.hub.http.operation import HubTransaction
from gateway.hub.worker import DueRows, DueStep, WorkerContext
from gateway.protocol.box_hub import JobKind, token_digest
from gateway.protocol.delivery_message import MAX_LIFETIME_S, MAX_MESSAGE_BYTES, HubClaims, HubClaimsV2
from gateway.protocol.delivery_state import STATUS_FIELDS
from gateway.system.ids import random_text

IS_OPEN = deliveries.c.state.not_in([str(state) for state in FINAL_STATES])
_PLACEHOLDER_HOME = f"home-{'a' * 26}"  # as long as any home's id
_PROMISE_FIELDS = {"entrance", "carrier", "place", "window", "parcels", "courier_sha256", "max_celsius", *V2_FIELDS}
_EVENT_INSTANTS = ("on_the_way", "eta")
_EVENT_COLUMNS = ("id", "connection", "brand", "version", "answered", *STATUS_FIELDS, "cancel", *_EVENT_INSTANTS)
_event_values = attrgetter(*_EVENT_COLUMNS)
_V2_MODELS: Mapping[type[Offer | Update], type[OfferV2 | UpdateV2]] = {Offer: OfferV2, Update: UpdateV2}

B = TypeVar("B", Offer, Update)

_SELECT_DELIVERY = select(deliveries).where(deliveries.c.id == bindparam("delivery"))
_INSERT_VERSION = insert(delivery_versions)
_INSERT_PARCELS = insert(delivery_parcels)
_DELETE_PARCELS = delete(delivery_parcels).where(delivery_parcels.c.delivery == bindparam("whose"))

_WIRE_ID = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_NOT_ON_THE_WIRE = re.compile(r"[^a-z0-9-]", re.ASCII)
_MAX_READABLE_CHARS = 47  # of a name in a wire id, before a hyphen and 64 bits of the digest


class CancelStatus(StrEnum):
    """What became of a retailer's cancel."""

    REQUESTED = auto()  # it is on its way to the home, which decides
    ACCEPTED = auto()
    TOO_LATE = auto()  # the courier was there before, or the delivery ended in another way
    REFUSED = auto()  # the home did not accept the message; the event's `answer` has the reason


class MessageTooLarge(ValueError):  # noqa: N818 - it says what it is
    """The signed message would be larger than a box reads; what signs one raises it."""


def wire_id(name: str) -> str:
    """Return the id of an order in the messages to the home, which each release of a box can read.

    A name of small letters, digits and hyphens is its own id. Of another (`ORD-4711`) it is what can be read of it, and
    a digest: the same name always has the same id, so a name is taken exactly if its id is.
    """
    if _WIRE_ID.fullmatch(name):
        return name
    readable = _NOT_ON_THE_WIRE.sub("-", name.lower())[:_MAX_READABLE_CHARS]
    return f"{readable}-{sha256(name.encode()).hexdigest()[:16]}"


def retailer_name(row: Row[Any]) -> str:
    """Return the name of a delivery as its retailer writes it."""
    return str(row.name if row.retailer_name is None else row.retailer_name)


def initial_state(promise: Mapping[str, Any]) -> State:
    """Return the state of a delivery that no home has answered."""
    return State.AWAITING_PERMISSION if promise["parcels"] or promise.get("collect") else State.AWAITING_LABEL


def promise_fields(body: Offer | Update) -> dict[str, Any]:
    """Return the stored fields of an order, in JSON's types; only one of version 2 has `needs`."""
    return body.model_dump(mode="json", include=_PROMISE_FIELDS)


def order_columns(promise: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that follow from an order: what a delivery is looked up by, and when its window ends."""
    window = promise["window"]
    return {
        "promise": promise, "carrier_id": carrier_id(promise["carrier"]),
        "window_start": datetime.fromisoformat(window["start"]), "window_end": datetime.fromisoformat(window["end"]),
    }  # fmt: skip


async def store_parcels(
    tx: Transaction, row: Row[Any], promise: Mapping[str, Any], before: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Store the codes of an order, by which its delivery is found; `before`: the order whose codes are stored now."""
    new, old = _codes_of(promise), _codes_of(before)
    if new == old:
        return
    if old:
        await tx.execute(_DELETE_PARCELS, {"whose": row.id})
    if new:
        rows = [{"delivery": row.id, "parcel": code, "retailer": row.retailer} for code in sorted(new)]
        if len(rows) == 1:
            await tx.execute_later(_INSERT_PARCELS, rows[0])
        else:
            await tx.execute(_INSERT_PARCELS, rows)


def _codes_of(promise: Mapping[str, Any]) -> frozenset[str]:
    return frozenset((*promise.get("parcels", ()), *(promise.get("collect") or ())))


def body_of(model: type[B], row: Row[Any], version: int, promise: Mapping[str, Any]) -> B:
    """Build the message of a version that is stored.

    Its values were validated when they were received. They are not validated again: the rules of an older release may
    have been others, and a stored row must not raise in a background task.
    """
    window = Window.model_construct(
        start=datetime.fromisoformat(promise["window"]["start"]), end=datetime.fromisoformat(promise["window"]["end"])
    )
    stored = {**promise, "window": window, "parcels": tuple(promise["parcels"]), "id": row.name, "version": version}
    return construct_body(model, stored)


def construct_body(model: type[B], fields: Mapping[str, Any]) -> B:
    """Make an order of fields that were validated when they were received, in the lowest version that can say them.

    An order that has `needs` is of version 2, and stays so without any feature: its home would refuse version 1.
    """
    further: dict[str, Any] = {name: fields[name] for name in V2_FIELDS if fields.get(name) is not None}
    further.pop("yes_each", None)
    if "holder" in further:
        further["yes_each"] = True  # nobody opens for a robot without watching
    if not further:
        return model.model_construct(**{name: fields[name] for name in fields if name not in V2_FIELDS})
    further["needs"] = used_features(further)
    if "entrances" in further:
        further["entrances"] = tuple(dict.fromkeys((fields["entrance"], *further["entrances"])))
    if "label_rules" in further:
        further["label_rules"] = tuple(map(LabelRule, sorted(further["label_rules"])))
    if "collect" in further:
        further["collect"] = tuple(further["collect"])
    if "items" in further:
        further["items"] = tuple(_item_of(item) if isinstance(item, Mapping) else item for item in further["items"])
    if isinstance(further.get("expected_address"), Mapping):
        further["expected_address"] = ExpectedAddress.model_construct(**further["expected_address"])
    if isinstance(further.get("dimensions"), Mapping):
        further["dimensions"] = ParcelSize.model_construct(**further["dimensions"])
    made = _V2_MODELS[model].model_construct(**{**fields, **dict.fromkeys(V2_FIELDS), **further})
    assert isinstance(made, model)  # noqa: S101 - a model of version 2 is one of version 1 too
    return made


def _item_of(stored: Mapping[str, Any]) -> ItemLine:
    profile = stored.get("profile")
    return ItemLine.model_construct(**{**stored, "profile": None if profile is None else FoodProfile(profile)})


async def store_version(
    hub: HubTransaction, delivery: str, version: int, promise: Mapping[str, Any] | None, token: bytes | None
) -> None:
    """Store one version; without a token the hub signs it when it is sent."""
    values = {"delivery": delivery, "version": version, "promise": promise, "token": token, "created": hub.now,
            "sha256": None if token is None else token_digest(token)}  # fmt: skip
    await hub.tx.execute_later(_INSERT_VERSION, values)


async def send(
    hub: HubTransaction,
    row: Row[Any],
    body: Offer | Update | Cancel | Notice,
    token: bytes | None,
    lifetime: timedelta = jobs.JOB_LIFETIME,
) -> None:
    """Send a message to its home, signed by the brand or else by the hub. After `lifetime` the hub sends it no more."""
    kind = JobKind.HUB_DELIVERY if token is None else JobKind.DELIVERY
    if token is None:
        token = sign_message(hub, row.brand, row.home, body)
    await jobs.enqueue(hub.tx, row.home, kind, token, now=hub.now, delivery=row.id, lifetime=lifetime)


def sign_message(hub: HubTransaction, brand: str, home: str | None, body: Offer | Update | Cancel | Notice) -> bytes:
    """Sign a message as the hub. `home` None: the home is not known yet, and only the size matters."""
    iat = int(hub.now.timestamp())
    fields: dict[str, Any] = {
        "brand": brand, "aud": home or _PLACEHOLDER_HOME, "iat": iat, "nbf": iat, "exp": iat + MAX_LIFETIME_S,
        "jti": random_text(), "delivery": body,
    }  # fmt: skip
    model = HubClaimsV2 if isinstance(body, DeliveryBodyV2 | CancelV2 | Notice) else HubClaims
    token = hub.signer.sign(model(**fields))
    if len(token) > MAX_MESSAGE_BYTES:
        raise MessageTooLarge
    return token


async def release(hub: HubTransaction, row: Row[Any], signed: Sequence[Row[Any]]) -> None:
    """Send what was held for a home that has permitted the brand; `signed`: the versions that the brand signed."""
    new = {"home": row.let_in, "held": False}
    if not signed and (promise := _with_carrier_of_terms(row.promise, row.given)) is not None:
        new["promise"] = promise
        this = (delivery_versions.c.delivery == row.id, delivery_versions.c.version == row.version)
        await hub.tx.execute(update(delivery_versions).where(*this).values(promise=promise))
    await hub.tx.execute(update(deliveries).where(deliveries.c.id == row.id).values(new))
    row = await find_delivery(hub.tx, row.id)
    for place, version in enumerate(signed):  # each a little later, because jobs are sent in the order of their times
        number, promise = version.version, version.promise
        body = body_of(Update, row, number, promise) if place else body_of(Offer, row, number, promise)
        at = replace(hub, now=hub.now + place * timedelta(microseconds=1))
        await send(at, row, body, version.token)
    if not signed:  # of versions that the hub signs only the newest is sent
        await send(hub, row, body_of(Offer, row, row.version, row.promise), None)


def _with_carrier_of_terms(promise: Mapping[str, Any], terms: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the order with its carrier as the terms write it, which an older box compares letter by letter.

    None: they write it so, or do not name it.
    """
    written = same_carrier(promise["carrier"], (terms or {}).get("carriers", ()))
    return None if written in {None, promise["carrier"]} else {**promise, "carrier": written}


async def _is_name_taken(tx: Transaction, row: Row[Any], home: str) -> bool:
    named = select(deliveries.c.id).filter_by(brand=row.brand, home=home, name=row.name)
    return await tx.scalar(named.where(deliveries.c.id != row.id)) is not None


async def set_state(  # noqa: PLR0913 - the state, and why, when and by which request
    tx: Transaction, row: Row[Any], state: State, reason: str | None, now: datetime, *, request: str | None = None
) -> None:
    """Store a state that the hub itself decides, because no home knows the delivery."""
    new: dict[str, Any] = {"state": state, "reason": reason, "held": False, "changed": now}
    if row.cancel == CancelStatus.REQUESTED:
        new["cancel"] = _cancel_at_end(state)
    await tx.execute(update(deliveries).where(deliveries.c.id == row.id).values(new))
    cause = events.EventType.DELIVERY_CHANGED
    await notify_retailer(tx, await find_delivery(tx, row.id), cause, now, request=request)


async def refuse_open(tx: Transaction, now: datetime, *which: ColumnElement[bool]) -> None:
    """Refuse open deliveries that their home no longer permits, and notify their retailers."""
    for row in (await tx.execute(select(deliveries).where(IS_OPEN, *which).with_for_update())).all():
        await set_state(tx, row, State.REFUSED, "brand_not_permitted", now)


async def columns_after(tx: Transaction, row: Row[Any], result: DeliveryResult) -> dict[str, Any]:
    """Return the columns that a home's answer to a version changes.

    A refused version does not count, so the order is that of the version before it.
    """
    mine = delivery_versions.c.delivery == row.id
    version = result.version
    if version is None and result.token_sha256 is not None:
        same = delivery_versions.c.sha256 == result.token_sha256
        version = await tx.scalar(select(delivery_versions.c.version).where(mine, same))
    if version is None:
        return {}
    new: dict[str, Any] = {"answered": max(row.answered or 0, version)}
    if row.cancel == CancelStatus.REQUESTED:
        new |= await _cancel_answered(tx, row, version, result)
    if result.accepted is False:
        same_version = delivery_versions.c.version == version
        await tx.execute(update(delivery_versions).where(mine, same_version).values(refused=True))
        promised = (mine, delivery_versions.c.refused.is_(False), delivery_versions.c.promise.is_not(None))
        stands = select(delivery_versions.c.promise).where(*promised).order_by(delivery_versions.c.version.desc())
        promise = await tx.scalar(stands.limit(1))
        if promise is not None and promise != row.promise:
            new |= order_columns(promise)
    return new


async def newest_version(tx: Transaction, row: Row[Any], result: DeliveryResult) -> int:
    """Return the newest version that the home has not refused, beside which a result may be an old one."""
    if result.version is None or result.version >= row.version:
        return int(row.version)
    mine = select(func.max(delivery_versions.c.version)).filter_by(delivery=row.id, refused=False)
    newest: int | None = await tx.scalar(mine)
    return int(row.version) if newest is None else newest


async def _cancel_answered(
    tx: Transaction, row: Row[Any], version: int, result: DeliveryResult
) -> dict[str, CancelStatus]:
    """Return what became of a cancel that was on its way, after the home's answer to a version."""
    if result.state in FINAL_STATES:
        return {"cancel": _cancel_at_end(result.state)}
    this = select(delivery_versions.c.promise).filter_by(delivery=row.id, version=version)
    is_of_cancel = result.accepted is False and await tx.scalar(this) is None
    if not is_of_cancel:
        return {}
    return {"cancel": CancelStatus.TOO_LATE if result.code == "too_late" else CancelStatus.REFUSED}


def _cancel_at_end(state: State) -> CancelStatus:
    return CancelStatus.ACCEPTED if state is State.CANCELLED else CancelStatus.TOO_LATE


def event_data(row: Row[Any], changed: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Return what an event tells of a delivery, with the columns that were `changed` since the row was read."""
    told = dict(zip(_EVENT_COLUMNS, _event_values(row), strict=True))
    told |= {name: changed[name] for name in changed if name in told}
    for name in _EVENT_INSTANTS:
        told[name] = None if told[name] is None else told[name].isoformat().replace("+00:00", "Z")
    return {**told, "name": retailer_name(row), "order_id": row.name, "metadata": row.metadata or {}}


async def notify_retailer(  # noqa: PLR0913 - the arguments of `events.emit`
    tx: Transaction, row: Row[Any], type_: events.EventType, now: datetime, *, request: str | None = None,
    has_endpoints: bool = True,
) -> None:  # fmt: skip
    """Store an event about a delivery's state for its retailer; `request` and `has_endpoints` as in `events.emit`."""
    data = event_data(row)
    if row.untold:
        await tx.execute(update(deliveries).where(deliveries.c.id == row.id).values(untold=False))
    await events.emit(tx, row, type_, data, now, request=request, has_endpoints=has_endpoints)


async def find_delivery(tx: Transaction, delivery: str) -> Row[Any]:
    """Return an existing delivery as it is in this transaction."""
    return (await tx.execute(_SELECT_DELIVERY, {"delivery": delivery})).one()


def held_deliveries(context: WorkerContext) -> DueRows:
    """Return the worker of one process, which releases held deliveries."""
    facts = (
        connections.c.state.label("standing"), connections.c.home.label("let_in"), connections.c.terms.label("given"),
    )  # fmt: skip
    held = (
        select(deliveries, *facts).join(connections, connections.c.id == deliveries.c.connection)
        .where(deliveries.c.held)
    )  # fmt: skip

    def wake_up() -> None:
        context.wake_ups.jobs()
        context.wake_ups.messages()

    step = DueStep(
        due=lambda now: held.where(or_(connections.c.state != "pending", deliveries.c.window_end <= now)),
        perform=_release_or_end, on_fault=_refuse_unusable, wake_up=wake_up,
    )  # fmt: skip
    return DueRows(context, "held deliveries", deliveries, (step,), max_rows=50)


async def _refuse_unusable(hub: HubTransaction, row: Row[Any]) -> None:
    if row.held:
        await set_state(hub.tx, row, State.REFUSED, "malformed", hub.now)


async def _release_or_end(hub: HubTransaction, row: Row[Any]) -> None:
    state, reason = State.REFUSED, None
    if row.window_end <= hub.now:
        state = State.EXPIRED
    elif row.standing != "granted" or row.let_in is None:
        reason = "brand_not_permitted"
    elif await _is_name_taken(hub.tx, row, row.let_in):
        reason = "already_offered"
    elif not (signed := await _signed_versions(hub.tx, row)) and not (row.given or {}).get("hub_signed", False):
        reason = "hub_signed_not_permitted"
    else:
        try:
            await release(hub, row, signed)
        except MessageTooLarge:  # checked at the announcement since some release; older versions end here
            reason = "malformed"
        else:
            return
    await set_state(hub.tx, row, state, reason, hub.now)


async def _signed_versions(tx: Transaction, row: Row[Any]) -> Sequence[Row[Any]]:
    signed = select(delivery_versions).filter_by(delivery=row.id).where(delivery_versions.c.token.is_not(None))
    return (await tx.execute(signed.order_by(delivery_versions.c.version))).all()
