"""Defines what a visit reports about a delivery: a scan's refusal, the parcels' outcome, and how the door was left.

The box reports these values to retailers, so the hub knows them; it knows nothing else about a visit.
"""

from enum import StrEnum, auto


class Refusal(StrEnum):
    """Why a scan is answered with no. The door shows the same neutral answer for all; the log contains the reason."""

    OUTSIDE_WINDOW = auto()
    UNKNOWN_CODE = auto()
    CODE_OF_SEVERAL = auto()  # several permitted brands announced it, and the code does not decide between them
    ALREADY_USED = auto()
    EXPIRED = auto()
    CANCELLED = auto()
    BRAND_NOT_PERMITTED = auto()
    CARRIER_NOT_PERMITTED = auto()
    COURIER_NOT_PROVEN = auto()
    KEEPER_NOT_PROVEN = auto()  # only a keeper may act there, and no keeper's code was scanned with the parcel's
    KEEPER_NOT_ACCEPTED = auto()  # this entrance does not accept this keeper's code, or the owner withdrew it
    ROBOT_NOT_PROVEN = auto()  # no robot has proven itself for its own delivery, or one came for a courier's
    WRONG_ENTRANCE = auto()
    NOT_READY = auto()
    CAMERA_UNAVAILABLE = auto()
    CLOCK_UNTRUSTED = auto()
    LOCKED_OUT = auto()
    BUSY = auto()
    HOUSEHOLD_PRESENT = auto()
    STOPPED_BY_OWNER = auto()
    PAUSED = auto()
    GUEST_PRESENT = auto()  # guests stay in the home: nothing is filmed, and no courier comes in
    REVOKED = auto()  # the owner ended the pass of the person whose code it is
    AWAITING_PERMISSION = auto()
    NOT_APPROVED = auto()
    FRIDGE_TOO_WARM = auto()
    FRIDGE_TOO_COLD = auto()
    FRIDGE_FULL = auto()
    LABEL_FORBIDS = auto()  # the label wants a person who takes the parcel, or a rule on it was not read
    KEY_DISTRUSTED = auto()
    HUB_SIGNED_NOT_PERMITTED = auto()  # the hub signed it, not its brand
    NO_RECEIVER = auto()  # nobody is on duty at the reception
    ANNOUNCE_AGAIN = auto()  # announced before the box's state was restored from a copy: it may have been used since
    OTHER_ADDRESS = auto()  # its order names another postcode or word than the owner told
    DECLINED_BY_HOUSEHOLD = auto()  # somebody of the household refused this one delivery before it came
    COLLECT_INSIDE = auto()  # the code of a parcel that is to be collected: it opens nothing, and counts inside only
    NOT_OUT_FOR_DELIVERY = auto()  # the owner's own parcel: no live report of today, and no word of the owner's


class Outcome(StrEnum):
    """The result of the visit's parcels; set once."""

    DELIVERED = auto()
    PARTLY_DELIVERED = auto()
    NOT_DELIVERED = auto()
    ATTENDED = auto()
    REFUSED = auto()
    UNKNOWN = auto()
    # Of an order that brings nothing and only collects: the value is that of `CollectResult`
    COLLECTED = auto()
    PARTLY_COLLECTED = auto()
    NOT_COLLECTED = auto()


class CollectResult(StrEnum):
    """The result of what a visit was to collect, beside its `Outcome`; set with it, once.

    It counts the announced codes that were scanned inside before the courier left. Nothing can prove what else he took.
    """

    COLLECTED = auto()
    PARTLY_COLLECTED = auto()
    NOT_COLLECTED = auto()


class DoorResult(StrEnum):
    """How the visit left the door; set once, apart from the parcels' outcome."""

    NOT_OPENED = auto()
    LOCKED_AGAIN = auto()
    HANDED_TO_OWNER = auto()
