"""Creates, changes, cancels and reads deliveries. The home's answer counts; the hub stores and forwards it."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import BindParameter, ColumnElement, Row, and_, bindparam, func, insert, or_, select, update

from gateway.domain.delivery.address import HomeAddress, is_other_address
from gateway.domain.delivery.carrier_names import carrier_id, same_carrier
from gateway.domain.delivery.features import Feature, field_of
from gateway.domain.delivery.promise import (
    FINAL_STATES,
    Arrival,
    Cancel,
    DeliveryBody,
    Offer,
    State,
    TimeAnswer,
    TimeRequest,
    Update,
    Window,
)
from gateway.domain.delivery.promise_v2 import MAX_ENTRANCES, DeliveryBodyV2, refuse_contradictory_limits
from gateway.domain.delivery.temperature import Limits
from gateway.domain.now import Now
from gateway.hub.api import delivery_models as models
from gateway.hub.api import rows
from gateway.hub.api.brands import active_keys
from gateway.hub.api.rows import PageParameters, decode_cursor, encode_cursor, find_owned, owned_by, read_page
from gateway.hub.database import tables
from gateway.hub.database.statements import row_of
from gateway.hub.database.store import new_id, new_row_id
from gateway.hub.database.tables import (
    brand_keys,
    connections,
    deliveries,
    delivery_parcels,
    delivery_versions,
    home_events,
    homes,
    jobs,
)
from gateway.hub.deliveries import box_statements, courier_codes, events, evidence, orders
from gateway.hub.deliveries.availability import forbidden_parts, misplaced
from gateway.hub.http.operation import ApiCaller, OperationGroup, RequestContext, Response, links_to
from gateway.hub.http.problem import ApiProblem, Code, Detail
from gateway.protocol.box_hub import token_digest
from gateway.protocol.delivery_message import verify_delivery
from gateway.protocol.jws import RejectedMessage, kid_of

MAX_OPEN_SANDBOX_DELIVERIES = 100  # open deliveries of one sandbox
MAX_WINDOW_AHEAD = timedelta(days=365)
MAX_ACCOUNTS = 100  # in one proof, the newest
MAX_LATENESS = timedelta(hours=2)  # after the window: the home asks nobody later
MAX_BODY_BYTES = 262_144  # an order and its metadata, of which JSON may write a letter in six bytes
MAX_VERSIONS_PER_DELIVERY = 100  # its home and its proof keep a message of each

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

SignedOrder = TypeVar("SignedOrder", Offer, Update, Cancel, TimeRequest, Arrival)
SignedNotice = TypeVar("SignedNotice", TimeRequest, Arrival)

DELIVERIES = OperationGroup("Deliveries")

_ITEM_PATH = "/v1/deliveries/{delivery_id}"
_STEP_FIELDS = tuple(name for name in models.Step.model_fields if name != "at")
_SHOWN_COLUMNS = tuple(name for name in models.Delivery.model_fields if name in deliveries.c)
_shown_values = attrgetter(*_SHOWN_COLUMNS)
_LINKS = links_to(
    "delivery_id",
    "readDelivery",
    "changeDelivery",
    "cancelDelivery",
    "askMoreTime",
    "makeCourierCode",
    "readTimeline",
    "readProof",
)
_REQUEST_CODES = frozenset({Code.NOT_CONNECTED, Code.SIGNATURE_REFUSED, Code.CONFLICT, Code.INVALID})
_CODES_WITH_TERMS = _REQUEST_CODES | {Code.NOT_PERMITTED, Code.OTHER_ADDRESS, Code.UNSUPPORTED}
CODES_OF_CHANGE = _CODES_WITH_TERMS | {Code.TOO_LATE, Code.STALE_VERSION}
_INSERT_DELIVERY = insert(deliveries)
_RETAILER: BindParameter[str] = bindparam("retailer")
_SANDBOX: BindParameter[bool] = bindparam("sandbox")
_SELECT_CONNECTION = select(
    *(connections.c[name] for name in ("id", "brand", "home", "state", "terms")),
    events.has_enabled(_RETAILER, _SANDBOX).label("has_endpoints"),
).where(connections.c.id == bindparam("id"), connections.c.retailer == _RETAILER, connections.c.sandbox == _SANDBOX)
_SAME_NAME = (deliveries.c.brand == bindparam("brand"), deliveries.c.name == bindparam("name"))
_OF_CONNECTION = deliveries.c.connection == bindparam("connection")
_SELECT_SAME_NAME = select(deliveries.c.id).where(*_SAME_NAME, _OF_CONNECTION).limit(1)
_SELECT_SAME_NAME_AT_HOME = (
    select(deliveries.c.id).where(*_SAME_NAME, or_(_OF_CONNECTION, deliveries.c.home == bindparam("home"))).limit(1)
)


@DELIVERIES.add(
    "POST", "/v1/deliveries", "createDelivery", statuses=(201, 200), location=True, links=_LINKS,
    max_body_bytes=MAX_BODY_BYTES,
    refuses=_CODES_WITH_TERMS | {Code.NOT_FOUND, Code.ALREADY_EXISTS, Code.SIGNATURE_REQUIRED},
)  # fmt: skip
async def create(call: RequestContext, body: models.NewDelivery) -> Response[models.MadeDelivery]:
    """Announce a delivery. The hub sends it to the home if the home permits the brand, and holds it otherwise."""
    code = _new_code(body)
    if code is not None:
        coded = body.delivery.model_copy(update={"courier_sha256": code.sha256})
        body = body.model_copy(update={"delivery": coded})
    connection = _check_connection_state(await _find_connection(call, body.connection))
    token = _token_of(body)
    if token is not None:
        same = await _find_by_token(call, connection, token)
        if same is not None:
            return Response(_made(same), status=200, headers={"Location": f"/v1/deliveries/{same.id}"})
    offer = await _build_offer(call, connection, body, token)
    await _check_offer(call, connection, offer, body)
    if call.looks_first:  # otherwise the unique indexes refuse a name that is taken
        await _check_name_unused(call, connection, offer.id, "/token" if token else "/delivery/name")
    await _check_sandbox_limit(call)
    held, id_, promise = connection.state == "pending", new_row_id("dlv", call.now), orders.promise_fields(offer)
    name = None if token is not None else body.delivery.name
    columns = {
        "id": id_, "retailer": call.caller.retailer, "connection": connection.id,
        "home": None if held else connection.home,
        "brand": connection.brand, "name": offer.id, "retailer_name": None if name == offer.id else name,
        "metadata": body.metadata or None, "version": offer.version, "hub_signed": token is None,
        "sandbox": call.caller.sandbox, "held": held, "state": orders.initial_state(promise), "missing": 0, "seq": 0,
        "created": call.now, "changed": call.now, **orders.order_columns(promise),
    }  # fmt: skip
    row = row_of(deliveries, columns)
    await call.tx.execute_later(_INSERT_DELIVERY, columns)
    await orders.store_parcels(call.tx, row, promise)
    created = events.EventType.DELIVERY_CREATED
    await _store_and_send(call, row, offer, token, created, has_endpoints=connection.has_endpoints)
    courier = None if code is None else await made_courier_code(call, row, code)
    return Response(_made(row, courier, window=offer.window), headers={"Location": f"/v1/deliveries/{id_}"})


@DELIVERIES.add(
    "PATCH", _ITEM_PATH, "changeDelivery", links=_LINKS, max_body_bytes=MAX_BODY_BYTES,
    refuses=CODES_OF_CHANGE,
)  # fmt: skip
async def change(call: RequestContext, delivery_id: models.DeliveryId, body: models.ChangedDelivery) -> models.Delivery:
    """Change a delivery. The home decides whether the new version still counts."""
    row, token = await find_delivery(call, delivery_id), _token_of(body)
    if not body.model_fields_set & {"delivery", "token"}:
        return await _change_metadata(call, row, body)
    _check_open(row, body.version)
    await _check_version_count(call, row)
    connection = _check_connection_state(await _connection_of(call, row))
    check_same_signer(row, token)
    order = await _build_update(call, row, connection, body, token)
    await _check_offer(call, connection, order, body)
    promise = orders.promise_fields(order)
    new = {"version": order.version, **orders.order_columns(promise), **_metadata_after(row, body)}
    if row.seq == 0:  # no home has answered yet
        new["state"] = orders.initial_state(promise)
    before, row = row.promise, await _update_delivery(call, row, new)
    await orders.store_parcels(call.tx, row, promise, before)
    await _store_and_send(call, row, order, token, events.EventType.DELIVERY_CHANGED)
    return delivery_of(row, call.caller)


@DELIVERIES.add(
    "POST", f"{_ITEM_PATH}/cancel", "cancelDelivery", links=_LINKS,
    refuses=_REQUEST_CODES | {Code.TOO_LATE, Code.STALE_VERSION},
)  # fmt: skip
async def cancel(call: RequestContext, delivery_id: models.DeliveryId, body: models.Withdrawal) -> models.Delivery:
    """Cancel a delivery. If a home knows the delivery, that home decides whether the cancel is in time.

    `cancel` in the answer says how that stands: `requested` until the home has answered, and then `accepted` or
    `too_late`, which an event tells too.
    """
    row, token = await find_delivery(call, delivery_id), _token_of(body)
    if row.state == State.CANCELLED or (row.cancel == orders.CancelStatus.REQUESTED and token is None):
        return delivery_of(row)
    _check_open(row, None)
    if not row.held or token is not None:  # a held delivery, which no home knows, needs no signed cancel
        check_same_signer(row, token)
    order = Cancel(id=row.name, version=row.version + 1)  # every box understands a cancel of version 1
    if token is not None:
        order = await _verify_order(call, await _connection_of(call, row), token, Cancel)
        _check_name_and_version(row, order)
    requested = {"version": order.version, "cancel": orders.CancelStatus.REQUESTED}
    row = await _update_delivery(call, row, requested)
    await orders.store_version(call, row.id, order.version, None, token)
    if row.held:
        await orders.set_state(call.tx, row, State.CANCELLED, None, call.now, request=call.request_id)
    else:
        await orders.send(call, row, order, token)
        await notify(call, row, events.EventType.DELIVERY_CHANGED)
    return delivery_of(await orders.find_delivery(call.tx, row.id))


@DELIVERIES.add(
    "POST", f"{_ITEM_PATH}/more_time", "askMoreTime", carriers=True,
    refuses=_REQUEST_CODES | {Code.TOO_LATE, Code.STALE_VERSION, Code.UNSUPPORTED},
)  # fmt: skip
async def ask_more_time(
    call: RequestContext, delivery_id: models.DeliveryId, body: models.LateCourier
) -> models.Delivery:
    """Ask the household for half an hour more, because the courier is late.

    It can be asked from the start of the window until two hours after its end, and answers once. `more_time` in the
    delivery and its events tells what became of it; until then nothing opens after the window.
    """
    row, token = await find_delivery(call, delivery_id), _token_of(body)
    if row.more_time == TimeAnswer.ASKED:
        return delivery_of(row, call.caller)
    _check_may_ask(call, row)
    check_same_signer(row, token)
    request = TimeRequest(id=row.name, version=row.version, needs=(Feature.MORE_TIME,))
    if token is not None:
        request = await verify_notice(call, row, token, TimeRequest)
    await check_notice_understood(call, row, Feature.MORE_TIME)
    await orders.send(call, row, request, token, lifetime=row.window_end + MAX_LATENESS - call.now)
    return delivery_of(row, call.caller)


async def verify_notice(call: RequestContext, row: Row[Any], token: bytes, kind: type[SignedNotice]) -> SignedNotice:
    """Return the brand's own notice about the newest version of a delivery, verified as its home will."""
    notice = await _verify_order(call, await _connection_of(call, row), token, kind)
    if notice.id != row.name:
        raise _signature_refused("wrong_claims", "It names another delivery.")
    if notice.version != row.version:
        raise ApiProblem(Code.STALE_VERSION, f"Version {row.version} is the newest.")
    return notice


@DELIVERIES.add("GET", "/v1/deliveries", "listDeliveries", carriers=True)
async def list_(call: RequestContext, query: models.DeliveryFilter) -> models.Deliveries:
    """List deliveries, newest first."""
    created, id_ = deliveries.c.created, deliveries.c.id
    wanted = select(deliveries).where(owned_by(call.caller, deliveries)).order_by(created.desc(), id_.desc())
    if query.state is not None:
        wanted = wanted.where(deliveries.c.state == query.state)
    if query.connection is not None:
        wanted = wanted.where(deliveries.c.connection == query.connection)
    if query.reference is not None:
        wanted = wanted.join(connections, connections.c.id == deliveries.c.connection)
        wanted = wanted.where(connections.c.reference == query.reference)
    if query.parcel is not None:
        named = select(delivery_parcels.c.delivery).filter_by(retailer=call.caller.retailer, parcel=query.parcel)
        wanted = wanted.where(id_.in_(named))
    wanted = wanted.where(*_conditions(query))
    if query.cursor is not None:
        micros, last_id = decode_cursor(query.cursor, int, str)
        at = _EPOCH + int(micros) * _MICROSECOND
        wanted = wanted.where(or_(created < at, and_(created == at, id_ < last_id)))
    page, more = await read_page(call, wanted, query)
    next_ = encode_cursor((page[-1].created - _EPOCH) // _MICROSECOND, page[-1].id) if more else None
    return models.Deliveries(data=tuple(delivery_of(row, call.caller) for row in page), next=next_)


def _conditions(query: models.DeliveryFilter) -> list[ColumnElement[bool]]:
    column = deliveries.c
    possible = (
        (query.name, lambda name: column.name == orders.wire_id(name)),
        (query.brand, lambda brand: column.brand == brand),
        (query.carrier, lambda carrier: column.carrier_id == carrier_id(carrier)),
        (query.window_after, lambda at: column.window_end > at),
        (query.window_before, lambda at: column.window_start < at),
        (query.created_after, lambda at: column.created >= at),
        (query.created_before, lambda at: column.created < at),
    )
    return [condition(value) for value, condition in possible if value is not None]


@DELIVERIES.add("GET", _ITEM_PATH, "readDelivery", carriers=True)
async def read(call: RequestContext, delivery_id: models.DeliveryId) -> models.Delivery:
    """Read one delivery."""
    return delivery_of(await find_delivery(call, delivery_id), call.caller)


@DELIVERIES.add("GET", f"{_ITEM_PATH}/timeline", "readTimeline", carriers=True)
async def timeline(call: RequestContext, delivery_id: models.DeliveryId, query: PageParameters) -> models.Timeline:
    """Read the states that a delivery went through."""
    row, about = await find_delivery(call, delivery_id), tables.events
    wanted = select(about).where(about.c.object == row.id, about.c.retailer == row.retailer).order_by(about.c.seq)
    if query.cursor is not None:
        wanted = wanted.where(about.c.seq > decode_cursor(query.cursor, int)[0])
    page, more = await read_page(call, wanted, query)
    states = [
        {"at": event.at, **{name: event.data.get(name) for name in _STEP_FIELDS}}
        for event in page
        if "state" in event.data
    ]
    steps = tuple(models.Step.model_validate(state, strict=False) for state in states)
    return models.Timeline(data=steps, next=encode_cursor(page[-1].seq) if more else None)


@DELIVERIES.add("GET", f"{_ITEM_PATH}/proof", "readProof")
async def proof(call: RequestContext, delivery_id: models.DeliveryId) -> evidence.Evidence:
    """Read the home's signed account of how it ended. With it comes the order that the account is about."""
    row = await find_delivery(call, delivery_id)
    signed = (home_events.c.delivery == row.id, home_events.c.key.is_not(None))
    reports = select(home_events.c.token, home_events.c.key).where(*signed).order_by(home_events.c.seq)
    parsed = [evidence.parse_account(event.token, event.key) for event in await call.tx.execute(reports)]
    accounts = [account for account in parsed if account is not None]
    if not accounts:
        raise ApiProblem(
            Code.NOT_FOUND,
            "There is no proof: the home has not given its account of how it ended, or it is no longer kept.",
        )
    version = accounts[-1].statement.version
    ordered = select(delivery_versions.c.promise).filter_by(delivery=row.id, version=version)
    promise = await call.tx.scalar(ordered) or row.promise
    sent = select(jobs.c.token).where(jobs.c.delivery == row.id).order_by(jobs.c.created)
    messages = [await _message_of(call, token) for token in (await call.tx.scalars(sent)).all()]
    facts = {**promise, "home": row.home, "brand": row.brand, "name": row.name, "accounts": accounts[-MAX_ACCOUNTS:],
             "messages": [message for message in messages if message is not None],
             "missing_parcels": evidence.missing_parcels_of(promise["parcels"], accounts[-1])}  # fmt: skip
    shown = {name: facts[name] for name in evidence.Evidence.model_fields}
    return evidence.Evidence.model_validate(shown, strict=False)


def _new_code(body: models.NewDelivery) -> courier_codes.CourierCode | None:
    """Return the new courier's code that an announcement asks for, or None."""
    if not body.courier:
        return None
    if _token_of(body) is not None:
        why = "The brand signed the order: make the code yourself, and sign its digest."
        raise ApiProblem.at("/courier", "signed_by_brand", why, detail=why)
    if body.delivery.courier_sha256 is not None:
        why = "The order has the digest of your own code already."
        raise ApiProblem.at("/courier", "code_given", why, detail=why)
    return courier_codes.new_code()


async def made_courier_code(
    call: RequestContext, row: Row[Any], code: courier_codes.CourierCode
) -> models.MadeCourierCode:
    """Make the page of a delivery's courier, and return the code as the API shows it once."""
    return models.MadeCourierCode(
        text=code.text, courier_sha256=code.sha256, link=await courier_codes.open_page(call, row, code),
        qr_svg=courier_codes.qr_svg(code.text), qr_png=courier_codes.qr_png(code.text),
    )  # fmt: skip


def _made(
    row: Row[Any], courier: models.MadeCourierCode | None = None, *, window: Window | None = None
) -> models.MadeDelivery:
    """Return a new delivery as the API shows it. `window`: that of the order, if it was just validated."""
    shown = {**_shown_facts(row, row.metadata), "courier": courier}
    if window is not None:
        shown["window"] = window
    return models.MadeDelivery.model_validate(shown, strict=False)  # the order is stored as JSON


async def _build_offer(
    call: RequestContext, connection: Row[Any], body: models.NewDelivery, token: bytes | None
) -> Offer:
    if token is not None:
        return await _verify_order(call, connection, token, Offer)
    if connection.terms is not None and not connection.terms.get("hub_signed", False):
        raise ApiProblem(Code.SIGNATURE_REQUIRED, "Send the brand's signed message as `token`.")
    fields = {**vars(body.delivery)}  # validated as the request's body
    del fields["name"]
    fields["carrier"] = _carrier_of(connection, body.delivery.carrier)
    name = body.delivery.name
    own_id = new_id("d") if name is None else orders.wire_id(name)
    return orders.construct_body(Offer, {**fields, "id": own_id, "version": 1})


async def _build_update(
    call: RequestContext, row: Row[Any], connection: Row[Any], body: models.ChangedDelivery, token: bytes | None
) -> Update:
    if token is not None:
        order = await _verify_order(call, connection, token, Update)
        _check_name_and_version(row, order)
        return order
    before = orders.body_of(Update, row, row.version + 1, row.promise)
    changed = {name: getattr(body.delivery, name) for name in body.delivery.model_fields_set}
    if "carrier" in changed:
        changed["carrier"] = _carrier_of(connection, changed["carrier"])
    return orders.construct_body(
        Update, {**dict(before), **changed}
    )  # both parts were validated when they were received


def _carrier_of(connection: Row[Any], name: str) -> str:
    """Return the carrier as the home's terms write it: an older box compares names letter by letter."""
    return same_carrier(name, (connection.terms or {}).get("carriers", ())) or name


def _metadata_after(row: Row[Any], body: models.ChangedDelivery) -> dict[str, Any]:
    """Return the column of the metadata after a change; empty: it names none."""
    if "metadata" not in body.model_fields_set:
        return {}
    after = {key: value for key, value in {**(row.metadata or {}), **body.metadata}.items() if value is not None}
    if len(after) > models.MAX_METADATA_KEYS:
        reason = f"A delivery has at most {models.MAX_METADATA_KEYS} keys of metadata."
        raise ApiProblem.at("/metadata", "too_long", reason)
    return {"metadata": after or None}


async def _change_metadata(call: RequestContext, row: Row[Any], body: models.ChangedDelivery) -> models.Delivery:
    """Change what only the retailer reads: no version, no message to the home."""
    _check_known_version(row, body.version)
    new = _metadata_after(row, body)
    if (new["metadata"] or {}) != (row.metadata or {}):
        row = await _update_delivery(call, row, new)
        await notify(call, row, events.EventType.DELIVERY_CHANGED)
    return delivery_of(row)


def _token_of(
    body: models.NewDelivery | models.ChangedDelivery | models.Withdrawal | models.LateCourier,
) -> bytes | None:
    return body.token.encode() if "token" in body.model_fields_set and body.token is not None else None


async def _check_offer(
    call: RequestContext, connection: Row[Any], order: Offer | Update, body: models.NewDelivery | models.ChangedDelivery
) -> None:
    is_signed = _token_of(body) is not None
    pointer = "/token" if is_signed else "/delivery/window/end"
    if order.window.end <= call.now:
        raise ApiProblem.at(pointer, "window_over", "The window is over already.")
    if order.window.end > call.now + MAX_WINDOW_AHEAD:
        raise ApiProblem.at(pointer, "window_too_far", "A window lies within a year from now.")
    if isinstance(order, DeliveryBodyV2):
        _check_parts(order, is_signed=is_signed)
    await _check_terms(call, connection, order, None if is_signed else body.delivery)
    if isinstance(order, DeliveryBodyV2) and connection.state == "granted":
        home = (await call.tx.execute(select(homes).where(homes.c.id == connection.home))).one_or_none()
        _check_understood(call, connection, home, order, is_signed=is_signed)
        _check_address(call, connection, home, order, is_signed=is_signed)


def _check_parts(order: DeliveryBodyV2, *, is_signed: bool) -> None:
    """Refuse an order whose parts contradict each other; a change is checked with the parts that stay."""
    own = Limits(min_c=order.min_celsius, max_c=order.max_celsius)
    try:
        refuse_contradictory_limits(order.place, own, order.items or ())
    except ValueError as contradiction:
        where = "/token" if is_signed else "/delivery"
        raise ApiProblem.at(where, "limits_contradict", str(contradiction)) from contradiction
    if not set(order.collect or ()).isdisjoint(order.parcels):  # the token of a brand was verified before
        raise ApiProblem.at("/delivery/collect", "brought_and_collected", "A parcel is brought or collected, not both.")
    if len(order.entrances or ()) > MAX_ENTRANCES:
        reason = f"At most {MAX_ENTRANCES} entrances, `entrance` among them."
        raise ApiProblem.at("/delivery/entrances", "too_long", reason)


def _check_understood(
    call: RequestContext, connection: Row[Any], home: Row[Any] | None, order: DeliveryBodyV2, *, is_signed: bool
) -> None:
    """Refuse an order of which the home's box would refuse the whole: the answer names only what it does not know."""
    lacking = box_statements.unsupported_needs(home, connection.brand, order.needs, call.now)
    if not lacking:
        return
    pointers = ["/token"] if is_signed else sorted({f"/delivery/{field_of(need)}" for need in lacking})
    why = f"The home's box does not understand {', '.join(f'`{need}`' for need in lacking)}."
    errors = [Detail(pointer=pointer, where="body", code="unsupported", detail=why) for pointer in pointers]
    raise ApiProblem(Code.UNSUPPORTED, why, errors=errors)


async def check_notice_understood(call: RequestContext, row: Row[Any], need: Feature) -> None:
    """Refuse a message that an older box would refuse: its refusal would look like that of the order."""
    home = (await call.tx.execute(select(homes).where(homes.c.id == row.home))).one_or_none()
    stated = None if home is None else box_statements.statement_of(home, row.brand, call.now)
    if stated is None or need not in stated.statement.speaks.needs:
        raise ApiProblem(Code.UNSUPPORTED)


def _check_address(
    call: RequestContext, connection: Row[Any], home: Row[Any] | None, order: DeliveryBodyV2, *, is_signed: bool
) -> None:
    """Refuse an order for another address than the one that the home's owner tells; the home decides."""
    expected = order.expected_address
    if expected is None:
        return
    stated = box_statements.address_of(home, connection.brand, call.now)
    told = None if stated is None else HomeAddress(kind=stated.kind, text=stated.text)
    if told is not None and is_other_address(told, expected.order_address):
        pointer = "/token" if is_signed else f"/delivery/expected_address/{told.kind}"
        why = f"The {told.kind} of this home is another one."
        raise ApiProblem.at(pointer, "other_address", why, code=Code.OTHER_ADDRESS, detail=why)


async def _check_terms(
    call: RequestContext, connection: Row[Any], order: DeliveryBody, named: models.NewPromise | models.Change | None
) -> None:
    """Refuse what the home would refuse by its terms as the hub knows them; of a change only the fields that it names.

    `named`: the fields of plain JSON; None: the brand signed it. This check only saves a round trip. If the home is not
    connected, its owner may have changed the terms, so the home decides.
    """
    if connection.state != "granted" or connection.terms is None:
        return
    fields = (named or order).model_fields_set
    whole = {"entrance": order.entrance, "place": order.place, "carrier": order.carrier}
    parts = {part: name for part, name in whole.items() if part in fields}
    forbidden = forbidden_parts(connection.terms, parts)
    mistakes = [(part, f"{part}_not_permitted", why) for part, why in forbidden.items()]
    for part, why in _misplaced(connection, order, fields):
        if part not in forbidden:
            mistakes.append((part, "place_not_permitted", why))
    if not mistakes:
        return
    connected = (homes.c.id == connection.home, homes.c.revoked.is_(None), or_(homes.c.there, homes.c.sandbox))
    if await call.tx.scalar(select(homes.c.id).where(*connected)) is not None:
        errors = [
            Detail(pointer=f"/delivery/{part}" if named else "/token", where="body", code=code, detail=why)
            for part, code, why in mistakes
        ]
        raise ApiProblem(Code.NOT_PERMITTED, errors=errors)


def _misplaced(connection: Row[Any], order: DeliveryBody, named: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    """Yield each place that does not belong to the order's entrance: which named field is wrong, and why."""
    items = (order.items or ()) if isinstance(order, DeliveryBodyV2) else ()
    places = [("place", order.place), *((f"items/{n}/place", item.place) for n, item in enumerate(items))]
    for pointer, place in places:
        why = misplaced(connection.terms, order.entrance, place)
        is_named = pointer.partition("/")[0] in named
        if why is not None and (is_named or "entrance" in named):
            yield pointer if is_named else "entrance", why


def _check_open(row: Row[Any], known: int | None) -> None:
    if State(row.state) in FINAL_STATES:
        raise ApiProblem(Code.TOO_LATE, f"It is {row.state}.")
    _check_known_version(row, known)
    if row.version >= 2**31 - 2:
        raise ApiProblem(Code.CONFLICT, "There is no version after this one.")


def _check_known_version(row: Row[Any], known: int | None) -> None:
    if known is not None and known != row.version:
        raise ApiProblem(Code.STALE_VERSION, f"Version {row.version} is the newest.")


def _check_may_ask(call: RequestContext, row: Row[Any]) -> None:
    """Refuse a question that the home would not put to its household; the home decides."""
    if row.held or row.answered is None:
        raise ApiProblem(Code.NOT_CONNECTED, "No home has answered this delivery yet.")
    if row.more_time in {TimeAnswer.GIVEN, TimeAnswer.REFUSED}:
        raise ApiProblem(Code.TOO_LATE, f"The household has answered: {row.more_time}.")
    if row.state not in {State.WINDOW_OPEN, State.EXPIRED}:
        raise ApiProblem(Code.TOO_LATE, f"It is {row.state}.")
    if call.now >= row.window_end + MAX_LATENESS:
        raise ApiProblem(Code.TOO_LATE, "Its window has been over for two hours.")


async def _check_version_count(call: RequestContext, row: Row[Any]) -> None:
    """Refuse a change too many; brands choose the numbers of their versions, so the hub counts the versions."""
    if row.version <= MAX_VERSIONS_PER_DELIVERY:
        return
    count = select(func.count()).select_from(delivery_versions).filter_by(delivery=row.id)
    if (await call.tx.scalar(count) or 0) > MAX_VERSIONS_PER_DELIVERY:
        detail = f"A delivery is changed {MAX_VERSIONS_PER_DELIVERY} times at most: cancel it and announce another."
        raise ApiProblem(Code.CONFLICT, detail)


def check_same_signer(row: Row[Any], token: bytes | None) -> None:
    """Refuse a message whose signer is not the delivery's: the brand, or the hub for it."""
    if token is None and not row.hub_signed:
        raise ApiProblem(Code.CONFLICT, "The brand signed this delivery: send its signed message as `token`.")
    if token is not None and row.hub_signed:
        raise ApiProblem(Code.CONFLICT, "The brand did not sign this delivery: change it by plain JSON.")


def _check_name_and_version(row: Row[Any], order: Update | Cancel) -> None:
    if order.id != row.name:
        raise _signature_refused("wrong_claims", "It names another delivery.")
    if order.version <= row.version:
        raise ApiProblem(Code.STALE_VERSION, f"Version {row.version} is the newest.")


async def _verify_order(
    call: RequestContext, connection: Row[Any], token: bytes, kind: type[SignedOrder]
) -> SignedOrder:
    """Verify a brand's message as its home will; this only saves a round trip, because the home verifies it again.

    Before the home has answered, a caller learns details only if it knows the home's id already. Otherwise somebody
    could guess support codes on the consent page and test them here.
    """
    unknown = ApiProblem(Code.NOT_CONNECTED, "No home yet for which a message could be signed: wait for its answer.")
    if connection.home is None:
        raise unknown
    keys, now = await active_keys(call, connection.brand), Now(utc=call.now, trusted=True, mono=0.0)
    claims = verify_delivery(token, keys, box=connection.home, now=now)
    if isinstance(claims, RejectedMessage):
        raise unknown if connection.state == "pending" else _signature_refused(claims.code.value, claims.why)
    if not isinstance(claims.delivery, kind):
        raise _signature_refused("wrong_claims", f"`do` is {kind.model_fields['do'].default} here.")
    return claims.delivery


def _signature_refused(mistake: str, why: str) -> ApiProblem:
    return ApiProblem.at("/token", mistake, why, code=Code.SIGNATURE_REFUSED, detail=why)


async def _find_connection(call: RequestContext, id_: str) -> Row[Any]:
    """Return what an announcement needs of the caller's connection, with `has_endpoints` as `events.emit` takes it."""
    mine = {"id": id_, "retailer": call.caller.retailer, "sandbox": call.caller.sandbox}
    row = (await call.tx.execute(_SELECT_CONNECTION, mine)).one_or_none()
    if row is None:
        raise ApiProblem(Code.NOT_FOUND, "There is no such connection, or it is not yours.")
    return row


async def _connection_of(call: RequestContext, row: Row[Any]) -> Row[Any]:
    return (await call.tx.execute(select(connections).where(connections.c.id == row.connection))).one()


def _check_connection_state(row: Row[Any]) -> Row[Any]:
    if row.state not in {"pending", "granted"}:
        raise ApiProblem(Code.NOT_CONNECTED, f"The connection is {row.state}.")
    return row


async def _find_by_token(call: RequestContext, connection: Row[Any], token: bytes) -> Row[Any] | None:
    versions = select(deliveries).join(delivery_versions, delivery_versions.c.delivery == deliveries.c.id)
    mine = (owned_by(call.caller, deliveries), deliveries.c.connection == connection.id)
    same = versions.where(*mine, delivery_versions.c.sha256 == token_digest(token))
    return (await call.tx.execute(same)).one_or_none()


async def _check_name_unused(call: RequestContext, connection: Row[Any], name: str, pointer: str) -> None:
    same, named = _SELECT_SAME_NAME, {"brand": connection.brand, "name": name, "connection": connection.id}
    # Earlier, the answer would reveal the home; then `held_deliveries` checks the name.
    if connection.home is not None and connection.state == "granted":
        same, named = _SELECT_SAME_NAME_AT_HOME, {**named, "home": connection.home}
    if await call.tx.scalar(same, named) is not None:
        reason = "This home has a delivery of this name."
        raise ApiProblem.at(pointer, "name_taken", reason, code=Code.ALREADY_EXISTS, detail=reason)


async def _check_sandbox_limit(call: RequestContext) -> None:
    """Refuse more open deliveries than a sandbox may have: its robot compares each with all others."""
    if not call.caller.sandbox:
        return
    if await rows.count_owned(call, deliveries, orders.IS_OPEN) >= MAX_OPEN_SANDBOX_DELIVERIES:
        detail = f"A sandbox has at most {MAX_OPEN_SANDBOX_DELIVERIES} open deliveries at a time."
        raise ApiProblem(Code.CONFLICT, detail)


async def _update_delivery(call: RequestContext, row: Row[Any], new: Mapping[str, Any]) -> Row[Any]:
    changed = update(deliveries).where(deliveries.c.id == row.id).values(**new, changed=call.now)
    return (await call.tx.execute(changed.returning(*deliveries.c))).one()


async def _store_and_send(  # noqa: PLR0913 - an order and what is done with it
    call: RequestContext, row: Row[Any], order: Offer | Update, token: bytes | None, event: events.EventType, *,
    has_endpoints: bool = True,
) -> None:  # fmt: skip
    """Store a version, send it to the home, and notify the retailer. `row` is the delivery with this version.

    If it is held, only check that the signed message would not be too large: nobody waits for the answer when it is
    released later, so the retailer must learn that now.
    """
    await orders.store_version(call, row.id, order.version, row.promise, token)
    try:
        if not row.held:
            await orders.send(call, row, order, token)
        elif token is None:
            orders.sign_message(call, row.brand, None, order)
    except orders.MessageTooLarge as error:
        reason = "Signed it is larger than 32 KiB: fewer or shorter codes, or less in `items` and `info`."
        raise ApiProblem.at("/delivery", "too_large", reason) from error
    await notify(call, row, event, has_endpoints=has_endpoints)


async def notify(call: RequestContext, row: Row[Any], event: events.EventType, *, has_endpoints: bool = True) -> None:
    """Store an event about a delivery that this request caused; `has_endpoints` as in `events.emit`."""
    await orders.notify_retailer(call.tx, row, event, call.now, request=call.request_id, has_endpoints=has_endpoints)


async def find_delivery(call: RequestContext, delivery_id: models.DeliveryId) -> Row[Any]:
    """Return a delivery of the caller, locked until the transaction ends."""
    return await find_owned(call, deliveries, delivery_id, lock=True)


def delivery_of(row: Row[Any], caller: ApiCaller | None = None) -> models.Delivery:
    """Return a delivery as the API shows it; a carrier's own key sees no metadata of the retailer."""
    is_carrier = caller is not None and caller.carrier is not None
    shown = _shown_facts(row, None if is_carrier else row.metadata)
    return models.Delivery.model_validate(shown, strict=False)  # the order is stored as JSON


def _shown_facts(row: Row[Any], metadata: Mapping[str, str] | None) -> dict[str, Any]:
    columns = dict(zip(_SHOWN_COLUMNS, _shown_values(row), strict=True))
    own = {"name": orders.retailer_name(row), "order_id": row.name, "metadata": metadata or {}}
    return {**row.promise, **columns, **own}


async def _message_of(call: RequestContext, token: bytes) -> evidence.SignedMessage | None:
    """Return a message with the key under which it was signed, or None if the hub no longer has that key."""
    kid = kid_of(token)
    keys = [call.signer.x]
    if kid != call.signer.kid:  # in the sandbox another retailer may have a key of that name
        keys = list(await call.tx.scalars(select(brand_keys.c.x).where(brand_keys.c.kid == kid)))
    messages = (evidence.SignedMessage(key=key, token=token.decode()) for key in keys)
    return next((message for message in messages if evidence.has_valid_signature(message)), None)
