"""Derives the state of a delivery that its retailer may know from the home's statement. Pure.

The state is coarse, because a retailer must not learn when nobody is home or what state an entrance is in. So it
contains no readiness, and only those reasons that a retailer can act on or that say what happened to a parcel.
"""

from typing import Any

from gateway.domain.delivery.promise import DeliveryResult, ItemResult, State
from gateway.domain.frozen import Frozen

PUBLIC_REASONS = frozenset({
    # of a permission
    "brand_not_permitted", "carrier_not_permitted", "outside_window", "announce_again", "other_address",
    # the content of a message
    "jti_reused", "already_offered", "unknown_delivery", "version_too_low", "cancelled", "expired", "too_late",
    "unknown_entrance", "unknown_place", "place_not_cold", "courier_code_missing", "code_collision", "downgrade",
    "cannot_collect",
    # of a message: whether it is believed
    "malformed", "wrong_header", "wrong_algorithm", "wrong_type", "unknown_key", "wrong_signature",
    "wrong_claims", "wrong_issuer", "wrong_audience", "not_yet_valid", "no_longer_valid", "key_distrusted",
    "unsupported",
    "hub_signed_not_permitted",
    # of the household: it refused this one delivery
    "declined_by_household",
    # of a visit
    "attended", "unknown", "not_delivered", "not_collected",
    # of a receiver who did not take it
    "declined", "declined_damaged", "declined_unknown", "declined_no_room",
})  # fmt: skip
"""The reasons that a retailer gets; every other reason is left out.

tests/gateway/hub/test_states_and_refusals.py reaches each one through HTTP with a real box. A reason that no home can
send through a hub is not in this list: a box that does not know the time gives no answer, a hub refuses a message that
is too large, and a scan at another entrance ends no delivery.
"""

_STATES_BEFORE_VISIT = frozenset({State.AWAITING_PERMISSION, State.AWAITING_LABEL, State.SCHEDULED, State.REFUSED})


class DeliveryStatus(Frozen):
    """The state of a delivery for its retailer: `DeliveryResult` has the meaning of each field."""

    state: State
    reason: str | None = None
    missing: int = 0
    missing_parcels: list[str] | None = None
    house: str | None = None
    custody: str | None = None
    moved_to: str | None = None
    more_time: str | None = None
    collected: str | None = None
    cold_chain: list[dict[str, Any]] | None = None  # in JSON's types


STATUS_FIELDS = (
    "state", "reason", "missing", "missing_parcels", "house", "custody", "moved_to", "more_time", "collected",
    "cold_chain",
)  # fmt: skip
"""The fields of `DeliveryStatus`: each is a column of a delivery and a member of an event."""


def public_reason(reason: str | None) -> str | None:
    """Return the reason if a retailer may know it."""
    return reason if reason in PUBLIC_REASONS else None


def status_of(result: DeliveryResult, *, known: bool) -> DeliveryStatus | None:
    """Return the state of a delivery after a home's result; None: the result does not change it.

    `known`: the home has reported this delivery before. The result of a message that the home rejected has no state:
    then an unknown delivery counts as refused, and a known one keeps its state.
    """
    if result.state is not None:
        house = None if result.house is None else str(result.house)
        return DeliveryStatus(
            state=result.state,
            reason=public_reason(result.reason),
            missing=result.missing,
            missing_parcels=None if result.missing_parcels is None else list(result.missing_parcels),
            house=house,
            custody=result.custody,
            moved_to=result.moved_to,
            more_time=None if result.more_time is None else str(result.more_time),
            collected=None if result.collected is None else str(result.collected),
            cold_chain=_json_of(result.cold_chain),
        )
    if result.accepted is False and not known:
        return DeliveryStatus(state=State.REFUSED, reason=public_reason(result.code))
    return None


def _json_of(items: tuple[ItemResult, ...] | None) -> list[dict[str, Any]] | None:
    return None if items is None else [item.model_dump(mode="json", exclude_none=True) for item in items]


def is_superseded(result: DeliveryResult, *, newest: int) -> bool:
    """Whether a home's result concerns a version that the retailer has changed since.

    The result of a visit is never superseded, whichever version the home had.
    """
    older = result.version is not None and result.version < newest
    return older and (result.state is None or result.state in _STATES_BEFORE_VISIT)
