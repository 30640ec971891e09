"""Makes the one-time code of a delivery's courier, and tells its home when he comes. A carrier's key may do both."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Row, update

from gateway.domain.delivery.features import Feature
from gateway.domain.delivery.promise import FINAL_STATES, Arrival, State
from gateway.hub.api import delivery_models as models
from gateway.hub.api.deliveries import (
    CODES_OF_CHANGE,
    MAX_LATENESS,
    change,
    check_notice_understood,
    check_same_signer,
    delivery_of,
    find_delivery,
    made_courier_code,
    notify,
    verify_notice,
)
from gateway.hub.database.tables import deliveries
from gateway.hub.deliveries import courier_codes, events, orders
from gateway.hub.http.operation import OperationGroup, RequestContext, Response
from gateway.hub.http.problem import ApiProblem, Code

MIN_SHIFT = timedelta(minutes=5)  # of the expected time; the home is not sent a smaller change
MAX_ARRIVALS = 20  # messages to a home about one delivery, which then are too many for it too
MAX_ETA_AGE = timedelta(hours=1)
MAX_ETA_AFTER_WINDOW = timedelta(days=1)

COURIERS = OperationGroup("Couriers")

_ITEM_PATH = "/v1/deliveries/{delivery_id}"


@COURIERS.add(
    "POST", f"{_ITEM_PATH}/courier", "makeCourierCode", statuses=(201,), carriers=True, refuses=CODES_OF_CHANGE
)
async def make_code(call: RequestContext, delivery_id: models.DeliveryId) -> Response[models.CodedDelivery]:
    """Make a new one-time code for the courier, in place of an earlier one.

    The hub writes the code's digest into a new version of the order, and returns the code once: its text, a QR code,
    and a link to a page for the courier. From the home's answer on an earlier code opens nothing.
    """
    row = await find_delivery(call, delivery_id)
    if not row.hub_signed:
        raise ApiProblem(Code.CONFLICT, "The brand signed this delivery: make the code yourself, and sign its digest.")
    code = courier_codes.new_code()
    changed = models.ChangedDelivery(delivery=models.Change(courier_sha256=code.sha256))
    delivery = await change(call, delivery_id, changed)
    return Response(models.CodedDelivery(delivery=delivery, courier=await made_courier_code(call, row, code)))


@COURIERS.add(
    "POST", f"{_ITEM_PATH}/arrival", "announceArrival", carriers=True,
    refuses={Code.NOT_CONNECTED, Code.SIGNATURE_REFUSED, Code.CONFLICT, Code.TOO_LATE, Code.STALE_VERSION,
             Code.UNSUPPORTED},
)  # fmt: skip
async def announce_arrival(
    call: RequestContext, delivery_id: models.DeliveryId, body: models.ArrivalNotice
) -> models.Delivery:
    """Tell the home that the courier is on his way, or when he expects to be there.

    It decides nothing at the door. The household gets at most three messages about a delivery. The home is sent a
    change of at least five minutes, and at most twenty messages about a delivery; `eta` in the delivery is always the
    newest.
    """
    row, given = await find_delivery(call, delivery_id), body.model_dump(exclude_unset=True)
    token = given["token"].encode() if "token" in given else None
    _check_expected(row)
    check_same_signer(row, token)
    notice = Arrival.model_construct(
        id=row.name, version=row.version, on_the_way=given.get("on_the_way"), eta=given.get("eta"),
        needs=(Feature.ARRIVAL,),
    )  # fmt: skip
    if token is not None:
        notice = await verify_notice(call, row, token, Arrival)
    _check_eta(call, row, notice)
    await check_notice_understood(call, row, Feature.ARRIVAL)
    sets_out = notice.on_the_way is not None and row.on_the_way is None
    if not sets_out and notice.eta in {None, row.eta}:
        return delivery_of(row, call.caller)
    new: dict[str, Any] = {"on_the_way": call.now} if sets_out else {}
    new |= {} if notice.eta is None else {"eta": notice.eta}
    shifts = notice.eta is not None and (row.eta_sent is None or abs(notice.eta - row.eta_sent) >= MIN_SHIFT)
    if row.arrivals < MAX_ARRIVALS and (sets_out or shifts):
        new |= {"arrivals": row.arrivals + 1, "eta_sent": notice.eta or row.eta_sent}
        await orders.send(call, row, notice, token, lifetime=row.window_end + MAX_LATENESS - call.now)
    changed = update(deliveries).where(deliveries.c.id == row.id).values(**new, changed=call.now)
    row = (await call.tx.execute(changed.returning(*deliveries.c))).one()
    await notify(call, row, events.EventType.DELIVERY_CHANGED)
    return delivery_of(row, call.caller)


def _check_expected(row: Row[Any]) -> None:
    if State(row.state) in FINAL_STATES or row.state == State.VISITING:
        raise ApiProblem(Code.TOO_LATE, f"It is {row.state}.")
    if row.held or row.answered is None:
        raise ApiProblem(Code.NOT_CONNECTED, "No home has answered this delivery yet.")


def _check_eta(call: RequestContext, row: Row[Any], notice: Arrival) -> None:
    if notice.eta is None:
        return
    if not call.now - MAX_ETA_AGE <= notice.eta <= row.window_end + MAX_ETA_AFTER_WINDOW:
        why = "`eta` lies between an hour ago and a day after the window."
        raise ApiProblem.at("/eta", "eta_out_of_range", why, detail=why)
