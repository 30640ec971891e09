"""Combines an order, its permission and its past visits into one candidate for `decide`, with its refusal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from zoneinfo import ZoneInfo

from gateway.domain.delivery.address import HomeAddress, is_other_address
from gateway.domain.delivery.features import Dimensions
from gateway.domain.delivery.items import OrderItem, limits_by_place, room_needed
from gateway.domain.delivery.own_parcel import OWN_BRAND, TrackedStatus, own_parcel_refusal
from gateway.domain.delivery.permission import Permission, PermissionStatus, permission_refusal
from gateway.domain.delivery.promise import FINAL_STATES, DeliveryOrder, OrderStatus, OrderUsage, State, order_status
from gateway.domain.delivery.result import Refusal
from gateway.domain.delivery.temperature import NO_LIMITS, Limits, stricter
from gateway.domain.frozen import Frozen, replace
from gateway.domain.now import Now

_DOUBTABLE_STATES = frozenset({
    State.AWAITING_LABEL, State.AWAITING_PERMISSION, State.SCHEDULED, State.WINDOW_OPEN, State.REFUSED, State.EXPIRED,
})  # fmt: skip
"""The states that follow from the order and the time alone; a visit or a decision causes every other state."""

MAX_WITHDRAWALS_PER_OPENING = 2  # of the bolt for one opening


class Errand(Frozen):
    """What a visit is for, as far as other rules follow from it than from a parcel that a retailer sends."""

    is_filmed: bool = True  # False: nothing of the visit is filmed or pictured, whatever the entrance requires
    rings: bool = True  # False: the bell does not ring, and nobody is asked or can refuse in the ringing time
    has_parcels: bool = True  # False: nothing is brought, so the visit has no result of parcels
    # True: the household lets this person in as one of its own. Its presence, its pauses and its guests refuse nothing,
    # and after the visit a hand at the door is its own
    for_household: bool = False


PARCEL_ERRAND = Errand()


class VisitDelivery(Frozen):
    """A delivery order and its permission as stored, at the moment of the event that carries them."""

    id: str
    version: int
    permission_version: int
    brand: str
    carrier: str
    entrance: str
    place: str
    refusal: Refusal | None  # the delivery's or its permission's own reason to refuse
    start: datetime
    end: datetime
    openings_left: int
    withdrawals_left: int
    needs_courier: bool = False
    needs_yes: bool = False
    cold_max_c: float | None = None  # cold chain: the place may not be warmer
    cold_min_c: float | None = None  # nor colder
    items: tuple[OrderItem, ...] = ()  # items with limits and places of their own
    # Code -> the limits that were read on its label, since the delivery came from the store
    label_limits: Mapping[str, Limits] = field(default_factory=dict)
    # The places that, by the household's count, have no room for so many items
    full_places: frozenset[str] = frozenset()
    parcels: frozenset[str] = frozenset()  # normalised parcel codes
    dimensions: Dimensions | None = None  # of the largest parcel; None: not announced
    for_robot: bool = False  # a robot brings it, and nobody else may
    yes_each: bool = False  # each opening needs a yes of its own
    collect: frozenset[str] = frozenset()  # normalised codes of the parcels that the courier takes with him
    errand: Errand = PARCEL_ERRAND

    @property
    def only_collects(self) -> bool:
        """Return whether it brings nothing: then the courier's own code opens it, not a parcel's."""
        return bool(self.collect) and not self.parcels

    @cached_property
    def codes(self) -> frozenset[str]:
        """Return the codes of its parcels and items."""
        return self.parcels | {item.code for item in self.items}

    @cached_property
    def places(self) -> frozenset[str]:
        """Return every place to which something of the delivery goes."""
        return frozenset({self.place, *(item.place for item in self.items)})

    @cached_property
    def limits(self) -> Mapping[str, Limits]:
        """Return the limits of the air at each place that has any, by order, law and the labels that were read."""
        own = Limits(min_c=self.cold_min_c, max_c=self.cold_max_c)
        return limits_by_place(self.items, place=self.place, limits=own, labels=self.label_limits)

    def with_labels(self, label_limits: Mapping[str, Limits]) -> "VisitDelivery":
        """Return the delivery with further limits that were read on labels; the stricter counts."""
        if not label_limits:
            return self
        merged = dict(self.label_limits)
        for code, limits in label_limits.items():
            merged[code] = stricter(merged.get(code, NO_LIMITS), limits)
        return replace(self, label_limits=merged)


NO_COUNTS: Mapping[str, int] = MappingProxyType({})


@dataclass(slots=True)
class ToldAddress:
    """What the owner tells of the home's address; None: nothing. It changes while the gateway runs."""

    address: HomeAddress | None = None


class DeliveryContext(Frozen):
    """What the house adds to every delivery."""

    box: str
    zone: ZoneInfo
    courier_proof: frozenset[str]  # the entrances that require a courier token
    # Revoked public key -> its brand; it may change while the gateway runs
    distrusted: Mapping[str, str] = field(default_factory=dict, compare=False)
    own_permission: Permission | None = None  # what the owner's own parcels may do, by the house file alone
    without_tap: frozenset[str] = frozenset()  # the entrances that the owner's own parcels open without his yes
    guest_places: Mapping[str, str] = field(default_factory=dict)  # entrance that admits guests -> its place for them
    # Normalised code -> status by a live report of the household's tracking; it changes while the gateway runs
    tracked: Mapping[str, TrackedStatus] = field(default_factory=dict, compare=False)
    told_address: ToldAddress = field(default_factory=ToldAddress, compare=False)

    def distrusts(self, order: DeliveryOrder) -> bool:
        """Return whether the order depends on a revoked key; an unknown key counts as any key of its brand."""
        if order.signed_by is None:
            return order.brand in self.distrusted.values()
        return order.signed_by in self.distrusted

    def permission_for(self, order: DeliveryOrder, stored: Permission | None) -> Permission | None:
        """Return the permission that counts for an order: of the box's own promises never a stored one."""
        return self.own_permission if order.brand == OWN_BRAND else stored


def candidate(  # noqa: PLR0913 - what decides about a delivery, each by its name
    order: DeliveryOrder,
    permission: Permission | None,
    usage: OrderUsage,
    *,
    context: DeliveryContext,
    now: Now,
    room: Mapping[str, int] = NO_COUNTS,
) -> VisitDelivery:
    """Build the candidate as it stands at `now`. `room`: for how many items each counted place has room.

    Its refusal is, in this order: cancelled, already used, in doubt, expired, the household's own, its key's, the
    permission's, its tracking's. Without trusted time nothing expires: `decide` refuses because of the clock itself.
    The owner's own parcel has no courier's code; instead the owner says yes to it, except where the house file lets it
    in without.
    """
    is_own = order.brand == OWN_BRAND
    permission = context.permission_for(order, permission)
    openings = permission.terms.openings if permission is not None else 0
    return VisitDelivery(
        id=order.key,
        version=order.version,
        permission_version=permission.version if permission is not None else 0,
        brand=order.brand,
        carrier=order.carrier,
        entrance=order.entrance,
        place=order.place,
        refusal=_refusal(order, permission, usage, context=context, now=now),
        start=order.start,
        end=order.end,
        openings_left=max(0, openings - usage.used),
        withdrawals_left=max(0, MAX_WITHDRAWALS_PER_OPENING * openings - usage.withdrawals),
        # A moved delivery still needs the proof, and the owner's tap, that its own entrance requires
        needs_courier=not (is_own or order.for_robot)
        and (order.only_collects or not context.courier_proof.isdisjoint(order.lies_at)),
        needs_yes=(permission is not None and permission.terms.ask_each_time)
        or (is_own and not order.lies_at <= context.without_tap),
        cold_max_c=order.cold_max_c,
        cold_min_c=order.cold_min_c,
        items=order.items,
        full_places=frozenset(
            place
            for place, things in room_needed(order.items, parcels=order.parcels, place=order.place).items()
            if things > room.get(place, things)
        ),
        parcels=order.parcels,
        dimensions=order.dimensions,
        collect=order.collect,
        for_robot=order.for_robot,
        yes_each=order.for_robot,
    )


def delivery_status(
    order: DeliveryOrder, permission: Permission | None, usage: OrderUsage, *, context: DeliveryContext, now: Now
) -> OrderStatus:
    """Derive the state that the retailer sees at `now`."""
    refusal = _permission_refusal(order, context.permission_for(order, permission), context, now)
    status = order_status(order, usage, refusal, utc=now.utc if now.trusted else None)
    if order.doubtful and status.state in _DOUBTABLE_STATES:  # nor expired: the outcome is not known here
        return OrderStatus(state=State.REFUSED, reason=Refusal.ANNOUNCE_AGAIN)
    return status


def next_change_at(order: DeliveryOrder, status: OrderStatus, *, now: Now) -> datetime | None:
    """Return the next instant at which time alone changes `status`, which held at `now`; None: never."""
    if status.state in FINAL_STATES or status.state is State.VISITING:
        return None
    if status.state is State.SCHEDULED and order.start > now.utc:
        return order.start
    return order.end


def _refusal(
    order: DeliveryOrder, permission: Permission | None, usage: OrderUsage, *, context: DeliveryContext, now: Now
) -> Refusal | None:
    if order.cancelled:
        return Refusal.CANCELLED
    granted = permission is not None and permission.standing is PermissionStatus.GRANTED
    openings = permission.terms.openings if permission is not None else 0
    used_up = usage.used >= openings or usage.withdrawals >= MAX_WITHDRAWALS_PER_OPENING * openings
    if usage.used and granted and used_up:
        return Refusal.ALREADY_USED
    if order.doubtful:
        return Refusal.ANNOUNCE_AGAIN
    if now.trusted and now.utc >= order.end:
        return Refusal.ALREADY_USED if usage.used else Refusal.EXPIRED
    refusal = _permission_refusal(order, permission, context, now)
    if refusal is None and order.brand == OWN_BRAND:
        return own_parcel_refusal(order.parcels, order.said_day, context.tracked, zone=context.zone, now=now)
    return refusal


def _permission_refusal(
    order: DeliveryOrder, permission: Permission | None, context: DeliveryContext, now: Now
) -> Refusal | None:
    if order.refused_at is not None:
        return Refusal.DECLINED_BY_HOUSEHOLD
    if context.distrusts(order):
        return Refusal.KEY_DISTRUSTED
    refusal = permission_refusal(permission, order, zone=context.zone, utc=now.utc)
    if refusal is None and is_other_address(context.told_address.address, order.expected_address):
        return Refusal.OTHER_ADDRESS  # only of a brand that may come in: another one could try which address it is
    return refusal
