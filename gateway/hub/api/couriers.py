"""Makes the one-time code of a delivery's courier. A carrier's own key may do it."""

from gateway.hub.api import delivery_models as models
from gateway.hub.api.deliveries import CODES_OF_CHANGE, change, find_delivery, made_courier_code
from gateway.hub.deliveries import courier_codes
from gateway.hub.http.operation import OperationGroup, RequestContext, Response
from gateway.hub.http.problem import ApiProblem, Code

COURIERS = OperationGroup("Couriers")


@COURIERS.add(
    "POST", "/v1/deliveries/{delivery_id}/courier", "makeCourierCode", statuses=(201,), carriers=True,
    refuses=CODES_OF_CHANGE,
)  # fmt: skip
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
