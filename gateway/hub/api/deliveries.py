"""Creates, changes and cancels deliveries. The home's answer counts; the hub stores and forwards it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, or_, select, update

from gateway.domain.delivery.promise import Cancel, Claims, DeliveryBody, Offer, State, Update
from gateway.domain.now import Now
from gateway.hub.api.delivery_models import (
    Change,
    ChangedDelivery,
    Delivery,
    DeliveryPath,
    NewDelivery,
    NewPromise,
    Withdrawal,
)
from gateway.hub.api.rows import count_owned, find_owned, owned_by
from gateway.hub.database.store import new_id
from gateway.hub.database.tables import brand_keys, connections, deliveries, delivery_versions, homes
from gateway.hub.deliveries import events, orders
from gateway.hub.deliveries.availability import forbidden_parts
from gateway.hub.http.operation import OperationGroup, RequestContext, Response, links_to
from gateway.hub.http.problem import ApiProblem, Code, Detail
from gateway.protocol.box_hub import token_digest
from gateway.protocol.delivery_message import verify_delivery
from gateway.protocol.delivery_state import FINAL_STATES
from gateway.protocol.jws import EnrolledKey, EnrolledKeys, RejectedMessage, public_key

MAX_OPEN_SANDBOX_DELIVERIES = 100  # open deliveries of one sandbox
MAX_VERSIONS_PER_DELIVERY = 100  # its home and its proof keep a message of each

DELIVERIES = OperationGroup("Deliveries")

_LINKS = links_to("delivery_id", "readDelivery", "changeDelivery", "cancelDelivery", "readTimeline", "readProof")
_REQUEST_CODES = frozenset({Code.NOT_CONNECTED, Code.SIGNATURE_REFUSED, Code.CONFLICT, Code.INVALID})
_CODES_WITH_TERMS = _REQUEST_CODES | {Code.NOT_PERMITTED}
_INSERT_DELIVERY = insert(deliveries).returning(*deliveries.c)
_SELECT_CONNECTION = select(connections).where(
    connections.c.id == bindparam("connection"),
    connections.c.retailer == bindparam("retailer"),
    connections.c.sandbox == bindparam("sandbox"),
)
_SELECT_SAME_NAME = select(deliveries.c.id).where(
    deliveries.c.brand == bindparam("brand"), deliveries.c.name == bindparam("name")
)
_SELECT_SAME_NAME_IN_CONNECTION = _SELECT_SAME_NAME.where(deliveries.c.connection == bindparam("connection"))
_SELECT_SAME_NAME_AT_HOME = _SELECT_SAME_NAME.where(
    or_(deliveries.c.connection == bindparam("connection"), deliveries.c.home == bindparam("home"))
)


@DELIVERIES.post(
    "/v1/deliveries",
    "createDelivery",
    body=NewDelivery,
    answers={201: Delivery, 200: Delivery},
    refuses=_CODES_WITH_TERMS | {Code.NOT_FOUND, Code.ALREADY_EXISTS, Code.SIGNATURE_REQUIRED},
    links=_LINKS,
)
async def create(call: RequestContext) -> Response:
    """Announce a delivery.

    The hub sends it to the home if the home permits the brand, and holds it otherwise.
    """
    asked = call.part(NewDelivery)
    connection = await _find_connection(call, asked.connection)
    token = _token_of(asked)
    if token is not None:
        again = await _find_by_token(call, connection, token)
        if again is not None:
            return Response(delivery_of(again), headers={"Location": f"/v1/deliveries/{again.id}"})
    said = await _build_offer(call, connection, asked, token)
    await _check_offer(call, connection, said, asked)
    await _check_name_unused(call, connection, said.id, "/token" if token else "/delivery/name")
    await _check_sandbox_limit(call)
    held, id_, promise = connection.state == "pending", new_id("dlv"), orders.promise_fields(said)
    made = {
        "id": id_, "retailer": call.caller.retailer, "connection": connection.id,
        "home": None if held else connection.home,
        "brand": connection.brand, "name": said.id, "version": said.version, "promise": promise,
        "hub_signed": token is None,
        "sandbox": call.caller.sandbox, "held": held, "state": orders.initial_state(promise), "missing": 0, "seq": 0,
        "created": call.now, "changed": call.now, "window_end": said.window.end,
    }  # fmt: skip
    row = (await call.tx.execute(_INSERT_DELIVERY, made)).one()
    await _store_and_send(call, row, said, token, events.EventType.DELIVERY_CREATED)
    return Response(status=201, body=delivery_of(row), headers={"Location": f"/v1/deliveries/{id_}"})


@DELIVERIES.patch(
    "/v1/deliveries/{delivery_id}",
    "changeDelivery",
    path_model=DeliveryPath,
    body=ChangedDelivery,
    answers={200: Delivery},
    refuses=_CODES_WITH_TERMS | {Code.TOO_LATE, Code.STALE_VERSION},
    links=_LINKS,
)
async def change(call: RequestContext) -> Response:
    """Change a delivery.

    The home decides whether the new version still counts.
    """
    asked, row = call.part(ChangedDelivery), await find_delivery(call)
    _check_open(row, asked.version)
    await _check_version_count(call, row)
    connection = _check_connection_state(await _connection_of(call, row))
    token = _token_of(asked)
    _check_same_signer(row, token)
    said = await _build_update(call, row, connection, asked, token)
    await _check_offer(call, connection, said, asked)
    promise = orders.promise_fields(said)
    new: dict[str, Any] = {"version": said.version, "promise": promise,
                           "window_end": said.window.end, "changed": call.now}  # fmt: skip
    if row.seq == 0:  # no home has answered yet
        new["state"] = orders.initial_state(promise)
    await call.tx.execute(update(deliveries).where(deliveries.c.id == row.id).values(**new))
    row = await orders.find_delivery(call.tx, row.id)
    await _store_and_send(call, row, said, token, events.EventType.DELIVERY_CHANGED)
    return Response(delivery_of(row))


@DELIVERIES.post(
    "/v1/deliveries/{delivery_id}/cancel",
    "cancelDelivery",
    path_model=DeliveryPath,
    body=Withdrawal,
    answers={200: Delivery},
    refuses=_REQUEST_CODES | {Code.TOO_LATE, Code.STALE_VERSION},
    links=_LINKS,
)
async def cancel(call: RequestContext) -> Response:
    """Cancel a delivery.

    If a home knows the delivery, that home decides whether the cancel is in time.
    """
    asked, row = call.part(Withdrawal), await find_delivery(call)
    if row.state == State.CANCELLED:
        return Response(delivery_of(row))
    _check_open(row, None)
    token = _token_of(asked)
    if not row.held or token is not None:  # a held delivery, which no home knows, needs no signed cancel
        _check_same_signer(row, token)
    said = Cancel(id=row.name, version=row.version + 1)
    if token is not None:
        found = (await _verify_claims(call, await _connection_of(call, row), token)).delivery
        if not isinstance(found, Cancel):
            raise _signature_refused("wrong_claims", "`do` is cancel here.")
        said = found
        _check_name_and_version(row, said.id, said.version)
    new = {"version": said.version, "changed": call.now}
    await call.tx.execute(update(deliveries).where(deliveries.c.id == row.id).values(**new))
    await orders.store_version(_delivery_writer(call), row.id, said.version, None, token)
    row = await orders.find_delivery(call.tx, row.id)
    if row.held:
        await orders.set_state(call.tx, row, State.CANCELLED, None, call.now)
    else:
        await orders.send(_delivery_writer(call), row, said, token)
        await orders.notify_retailer(call.tx, row, events.EventType.DELIVERY_CHANGED, call.now)
    return Response(delivery_of(await orders.find_delivery(call.tx, row.id)))


# ---- what a request means -------------------------------------------------------------------------------------------


async def _build_offer(call: RequestContext, connection: Row[Any], asked: NewDelivery, token: bytes | None) -> Offer:
    if token is not None:
        found = (await _verify_claims(call, connection, token)).delivery
        if not isinstance(found, Offer):
            raise _signature_refused("wrong_claims", "`do` is offer here.")
        return found
    _check_hub_signature_allowed(connection)
    wanted = asked.delivery
    fields = {name: value for name, value in wanted if name != "name"}  # validated as the request's body
    return Offer.model_construct(**fields, id=wanted.name or new_id("d"), version=1)


async def _build_update(
    call: RequestContext, row: Row[Any], connection: Row[Any], asked: ChangedDelivery, token: bytes | None
) -> Update:
    if token is not None:
        found = (await _verify_claims(call, connection, token)).delivery
        if not isinstance(found, Update):
            raise _signature_refused("wrong_claims", "`do` is update here.")
        _check_name_and_version(row, found.id, found.version)
        return found
    before = orders.body_of(Update, row, row.version + 1, row.promise)
    changed = {name: getattr(asked.delivery, name) for name in asked.delivery.model_fields_set}
    return before.model_copy(update=changed)  # both parts were validated when they were received


def _token_of(asked: NewDelivery | ChangedDelivery | Withdrawal) -> bytes | None:
    """Return the brand's own signed message, or None if the request has none."""
    return asked.token.encode() if "token" in asked.model_fields_set and asked.token is not None else None


async def _check_offer(
    call: RequestContext, connection: Row[Any], said: Offer | Update, asked: NewDelivery | ChangedDelivery
) -> None:
    is_signed = _token_of(asked) is not None
    _check_window(call, said, "/token" if is_signed else "/delivery/window/end")
    await _check_terms(call, connection, said, None if is_signed else asked.delivery)


def _check_window(call: RequestContext, said: DeliveryBody, pointer: str) -> None:
    """Refuse a window that is over or begins more than a year from now."""
    if said.window.end <= call.now:
        raise ApiProblem.at(pointer, "window_over", "The window is over already.")
    if said.window.end > call.now + orders.MAX_WINDOW_AHEAD:
        raise ApiProblem.at(pointer, "window_too_far", "A window lies within a year from now.")


async def _check_terms(
    call: RequestContext, connection: Row[Any], said: DeliveryBody, named: NewPromise | Change | None
) -> None:
    """Refuse what the home would refuse by its terms as the hub knows them; of a change only the fields that it names.

    `named`: the fields of plain JSON; None: the brand signed it. This check only saves a round trip. If the home is not
    connected, its owner may have changed the terms, so the home decides.
    """
    if connection.state != "granted" or connection.terms is None:
        return
    parts = said.model_dump(include={"entrance", "place", "carrier"} & (named or said).model_fields_set)
    found = forbidden_parts(connection.terms, parts)
    if not found:
        return
    heard = (homes.c.id == connection.home, homes.c.revoked.is_(None), or_(homes.c.there, homes.c.sandbox))
    if await call.tx.scalar(select(homes.c.id).where(*heard)) is not None:
        errors = [
            Detail(
                pointer=f"/delivery/{one.part}" if named else "/token", where="body",
                code=f"{one.part}_not_permitted", detail=str(one),
            )
            for one in found
        ]  # fmt: skip
        raise ApiProblem(Code.NOT_PERMITTED, errors=errors)


def _check_open(row: Row[Any], known: int | None) -> None:
    if orders.is_over(row):
        raise ApiProblem(Code.TOO_LATE, f"It is {row.state}.")
    if known is not None and known != row.version:
        raise ApiProblem(Code.STALE_VERSION, f"Version {row.version} is the newest.")
    if row.version >= 2**31 - 2:
        raise ApiProblem(Code.CONFLICT, "There is no version after this one.")


async def _check_version_count(call: RequestContext, row: Row[Any]) -> None:
    """Refuse a change too many; brands choose the numbers of their versions, so the hub counts the versions."""
    if row.version <= MAX_VERSIONS_PER_DELIVERY:
        return
    mine = select(func.count()).select_from(delivery_versions).where(delivery_versions.c.delivery == row.id)
    if (await call.tx.scalar(mine) or 0) > MAX_VERSIONS_PER_DELIVERY:
        raise ApiProblem(
            Code.CONFLICT,
            f"A delivery is changed {MAX_VERSIONS_PER_DELIVERY} times at most: cancel it and announce another.",
        )


def _check_same_signer(row: Row[Any], token: bytes | None) -> None:
    """Refuse a change of the signer: who signed the announcement must sign each change."""
    if token is None and not row.hub_signed:
        raise ApiProblem(Code.CONFLICT, "The brand signed this delivery: send its signed message as `token`.")
    if token is not None and row.hub_signed:
        raise ApiProblem(Code.CONFLICT, "The brand did not sign this delivery: change it by plain JSON.")


def _check_name_and_version(row: Row[Any], name: str, version: int) -> None:
    if name != row.name:
        raise _signature_refused("wrong_claims", "It names another delivery.")
    if version <= row.version:
        raise ApiProblem(Code.STALE_VERSION, f"Version {row.version} is the newest.")


def _check_hub_signature_allowed(connection: Row[Any]) -> None:
    """Refuse a message that the hub would sign if the home's terms demand the brand's own signature."""
    if connection.terms is not None and not connection.terms.get("hub_signed", False):
        raise ApiProblem(Code.SIGNATURE_REQUIRED, "Send the brand's signed message as `token`.")


async def _verify_claims(call: RequestContext, connection: Row[Any], token: bytes) -> Claims:
    """Verify a brand's message as its home will; this only saves a round trip, because the home verifies it again.

    Before the home has answered, a caller learns details only if it knows the home's id already. Otherwise somebody
    could guess support codes on the consent page and test them here.
    """
    unknown = ApiProblem(Code.NOT_CONNECTED, "No home yet for which a message could be signed: wait for its answer.")
    if connection.home is None:
        raise unknown
    rows = await call.tx.execute(
        select(brand_keys).where(
            brand_keys.c.brand == connection.brand,
            brand_keys.c.sandbox == connection.sandbox,
            brand_keys.c.revoked.is_(None),
        )
    )
    keys = EnrolledKeys({row.kid: EnrolledKey(connection.brand, public_key(row.x)) for row in rows})
    found = verify_delivery(token, keys, box=connection.home, now=Now(utc=call.now, trusted=True, mono=0.0))
    if isinstance(found, RejectedMessage):
        raise unknown if connection.state == "pending" else _signature_refused(found.code.value, found.why)
    return found


def _signature_refused(mistake: str, why: str) -> ApiProblem:
    return ApiProblem.at("/token", mistake, why, code=Code.SIGNATURE_REFUSED, detail=why)


async def _find_connection(call: RequestContext, id_: str) -> Row[Any]:
    """Return the connection under which a delivery is announced."""
    mine = {"connection": id_, "retailer": call.caller.retailer, "sandbox": call.caller.sandbox}
    row = (await call.tx.execute(_SELECT_CONNECTION, mine)).one_or_none()
    if row is None:
        raise ApiProblem(Code.NOT_FOUND, "There is no such connection, or it is not yours.")
    return _check_connection_state(row)


async def _connection_of(call: RequestContext, row: Row[Any]) -> Row[Any]:
    found = await call.tx.execute(select(connections).where(connections.c.id == row.connection))
    return found.one()


def _check_connection_state(row: Row[Any]) -> Row[Any]:
    if row.state not in {"pending", "granted"}:
        raise ApiProblem(Code.NOT_CONNECTED, f"The connection is {row.state}.")
    return row


async def _find_by_token(call: RequestContext, connection: Row[Any], token: bytes) -> Row[Any] | None:
    """Return the delivery that was made from exactly these bytes, or None."""
    same = token_digest(token)
    found = await call.tx.execute(
        select(deliveries)
        .join(delivery_versions, delivery_versions.c.delivery == deliveries.c.id)
        .where(owned_by(call, deliveries), deliveries.c.connection == connection.id, delivery_versions.c.sha256 == same)
    )
    return found.one_or_none()


async def _check_name_unused(call: RequestContext, connection: Row[Any], name: str, pointer: str) -> None:
    """Refuse a name that another delivery of the brand at this home has."""
    asked = {"brand": connection.brand, "name": name, "connection": connection.id}
    taken = _SELECT_SAME_NAME_IN_CONNECTION
    # Earlier, the answer would reveal the home; then `HeldDeliveries` checks the name.
    if connection.home is not None and connection.state == "granted":
        taken, asked = _SELECT_SAME_NAME_AT_HOME, {**asked, "home": connection.home}
    if await call.tx.scalar(taken, asked) is not None:
        why = "This home has a delivery of this name."
        raise ApiProblem.at(pointer, "name_taken", why, code=Code.ALREADY_EXISTS, detail=why)


async def _check_sandbox_limit(call: RequestContext) -> None:
    """Refuse more open deliveries than a sandbox may have: its robot compares each with all others."""
    if not call.caller.sandbox:
        return
    open_ = deliveries.c.state.not_in([str(state) for state in FINAL_STATES])
    if await count_owned(call, deliveries, open_) >= MAX_OPEN_SANDBOX_DELIVERIES:
        raise ApiProblem(
            Code.CONFLICT, f"A sandbox has at most {MAX_OPEN_SANDBOX_DELIVERIES} open deliveries at a time."
        )


def _delivery_writer(call: RequestContext) -> orders.DeliveryWriter:
    return orders.DeliveryWriter(call.tx, call.signer, call.now)


async def _store_and_send(
    call: RequestContext, row: Row[Any], said: Offer | Update, token: bytes | None, event: events.EventType
) -> None:
    """Store a version, send it to the home, and notify the retailer. `row` is the delivery with this version."""
    await orders.store_version(_delivery_writer(call), row.id, said.version, row.promise, token)
    await _send(call, row, said, token)
    await orders.notify_retailer(call.tx, row, event, call.now)


async def _send(call: RequestContext, row: Row[Any], said: Offer | Update, token: bytes | None) -> None:
    """Send the delivery to its home. If it is held, only check that the signed message would not be too large.

    Nobody waits for the answer when it is released later, so the retailer must learn of a too large message now.
    """
    try:
        if not row.held:
            await orders.send(_delivery_writer(call), row, said, token)
        elif token is None:
            orders.sign_message(_delivery_writer(call), row.brand, None, said)
    except orders.MessageTooLarge as error:
        raise ApiProblem.at(
            "/delivery/parcels", "too_large", "Signed it is larger than 32 KiB: fewer or shorter codes."
        ) from error


async def find_delivery(call: RequestContext) -> Row[Any]:
    """Return the delivery that the path names, locked until the transaction ends."""
    return await find_owned(call, deliveries, call.part(DeliveryPath).delivery_id, lock=True)


def delivery_of(row: Row[Any]) -> Delivery:
    """Return a delivery as the API shows it."""
    promise: Mapping[str, Any] = row.promise
    own = {name: getattr(row, name) for name in Delivery.model_fields if hasattr(row, name)}
    # not strict, because the order is stored as JSON
    return Delivery.model_validate({**promise, **own}, strict=False)
