"""The owner's requests to an entrance: `perron/entrance/<id>/set`, one JSON object a message.

Only the account `owner` may write there (the broker's ACL); retained copies are never acted on.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, ValidationError

from devices.strict_json import MalformedPayload, parse
from gateway.domain.delivery.promise import Instant, WireModel, printable

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}\z")]
Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\z")]
DeliveryKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}\.[a-z0-9-]{1,64}\z")]
VisitId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}\z")]


class OwnerRequest(WireModel):
    """One request; `id` names it in the log and in the answer."""

    id: VisitId


class OwnerStopRequest(OwnerRequest):
    """Stop everything at this entrance, or lift the stop."""

    do: Literal["stop", "lift"]


class OwnerAcknowledgeRequest(OwnerRequest):
    """The owner looked after the door; without a visit: safe mode may end."""

    do: Literal["acknowledge"]
    visit: VisitId | None = None


class OwnerDecideRequest(OwnerRequest):
    """Yes or no to the visit that rings or waits for a yes."""

    do: Literal["approve", "refuse"]
    visit: VisitId


class OwnerClearLockoutRequest(OwnerRequest):
    """Let a locked-out scanner try again."""

    do: Literal["clear_lockout"]
    scanner: Id


class OwnerPresenceRequest(OwnerRequest):
    """Somebody is home, nobody is home, or the household is away (then a door used by hand alarms)."""

    do: Literal["home", "nobody_home", "away"]


class OwnerPauseRequest(OwnerRequest):
    """Let no delivery in from `start` (RFC 3339; left out: now) to `end`, at this entrance or at all of them."""

    do: Literal["pause"]
    start: Instant | None = None
    end: Instant
    everywhere: bool = False


class OwnerEndPauseRequest(OwnerRequest):
    """End a pause, or withdraw one that has not begun."""

    do: Literal["end_pause"]
    pause: Id


class OwnerLockRequest(OwnerRequest):
    """Lock now, if the door is closed and no visit runs."""

    do: Literal["lock"]


class OwnerPermitRequest(OwnerRequest):
    """Let a brand in as its terms stand, refuse it, or take the permission back."""

    do: Literal["permit", "refuse_brand", "revoke"]
    brand: Id


class OwnerAnnounceParcelRequest(OwnerRequest):
    """Announce a parcel to this entrance: `number` as it is typed, days and hours in the house's own time."""

    do: Literal["announce_parcel"]
    number: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    place: Id
    first_day: Day
    last_day: Day | None = None  # left out: the same day
    hours: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}\z")] | None = None
    carrier: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}\z")] | None = None
    note: Annotated[str, StringConstraints(max_length=80), AfterValidator(printable)] = ""
    comes_today: bool = False


class OwnerParcelRequest(OwnerRequest):
    """Withdraw an announced parcel, or say that it comes today."""

    do: Literal["cancel_parcel", "parcel_today"]
    parcel: Id


class OwnerRefuseDeliveryRequest(OwnerRequest):
    """Refuse one expected delivery for good: the gateway informs its retailer, and opens for it no more."""

    do: Literal["refuse_delivery"]
    delivery: DeliveryKey


class OwnerTimeRequest(OwnerRequest):
    """Give half an hour to a late courier who waits for the answer, or give him no more time."""

    do: Literal["give_time", "refuse_time"]
    delivery: DeliveryKey


class OwnerTakeInRequest(OwnerRequest):
    """Say that the parcel was taken in, of a delivery to whose courier somebody of the household opened."""

    do: Literal["take_in"]
    delivery: DeliveryKey


class OwnerHoldRequest(OwnerRequest):
    """Keep a visit's film beyond its time (a dispute), end that, or erase the film now."""

    do: Literal["hold", "release", "erase"]
    visit: VisitId
    why: Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(printable)] = "owner"


AnyOwnerRequest = Annotated[
    OwnerStopRequest
    | OwnerAcknowledgeRequest
    | OwnerDecideRequest
    | OwnerClearLockoutRequest
    | OwnerPresenceRequest
    | OwnerPauseRequest
    | OwnerEndPauseRequest
    | OwnerLockRequest
    | OwnerPermitRequest
    | OwnerHoldRequest
    | OwnerAnnounceParcelRequest
    | OwnerParcelRequest
    | OwnerRefuseDeliveryRequest
    | OwnerTimeRequest
    | OwnerTakeInRequest,
    Field(discriminator="do"),
]
REQUEST_ADAPTER: TypeAdapter[AnyOwnerRequest] = TypeAdapter(AnyOwnerRequest)


def parse_owner_request(payload: bytes) -> AnyOwnerRequest | str:
    """Parse one request, or return why it is refused: one line that quotes nothing, so it is safe to log."""
    try:
        return REQUEST_ADAPTER.validate_python(parse(payload))
    except MalformedPayload as error:
        return str(error)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        match first["type"]:
            case "union_tag_invalid":
                return f"do: one of {first['ctx']['expected_tags']}"
            case "union_tag_not_found":
                return "do: say what is wished"
            case "extra_forbidden":
                return "a key that is not known"
            case _:
                where = str(first["loc"][-1]) if first["loc"] else "message"
                return f"{where}: {first['msg']}"
