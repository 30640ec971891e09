"""Derives the state of a delivery that its retailer may know from the home's statement. Pure.

Coarse on purpose: a retailer must not learn when nobody is home, nor how an entrance is doing. So nothing of readiness
goes on, and of reasons those only that a retailer can act on or that say what became of a parcel.
"""

from dataclasses import dataclass

from gateway.domain.delivery.promise import DeliveryResult, State

PUBLIC_REASONS = frozenset({
    # of a permission
    "brand_not_permitted", "carrier_not_permitted", "outside_window", "announce_again",
    # of a message: what stands in it
    "jti_reused", "already_offered", "unknown_delivery", "version_too_low", "cancelled", "expired", "too_late",
    "unknown_entrance", "unknown_place", "place_not_cold", "courier_code_missing", "code_collision",
    # of a message: whether it is believed
    "malformed", "wrong_header", "wrong_algorithm", "wrong_type", "unknown_key", "wrong_signature",
    "wrong_claims", "wrong_issuer", "wrong_audience", "not_yet_valid", "no_longer_valid", "key_distrusted",
    "hub_signed_not_permitted",
    # of a visit
    "attended", "unknown", "not_delivered",
})  # fmt: skip
"""Reasons that a retailer is told; every other is told as none. Each is reached through HTTP with a real box in
tests/gateway/hub/test_states_and_refusals.py; what no home can say through a hub is none (a box that does not know the
time gives no answer, a hub takes no message that is too large, a scan at another entrance is no end of a delivery)."""

FINAL_STATES = frozenset(
    {State.DELIVERED, State.PARTLY_DELIVERED, State.NOT_DELIVERED, State.REFUSED, State.CANCELLED, State.EXPIRED}
)
"""States that time alone does not change."""


_STATES_BEFORE_VISIT = frozenset({State.AWAITING_PERMISSION, State.AWAITING_LABEL, State.SCHEDULED, State.REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStatus:
    """How a delivery stands. `version`: the one of which the home speaks."""

    state: State
    reason: str | None = None
    missing: int = 0
    house: str | None = None


def public_reason(reason: str | None) -> str | None:
    """The reason as a retailer may know it."""
    return reason if reason in PUBLIC_REASONS else None


def status_of(result: DeliveryResult, *, known: bool) -> DeliveryStatus | None:
    """Tell how a delivery stands by a home's word; None: it says nothing of that.

    `known`: the home has said before how it stands. A message that the home does not believe names no delivery; then a
    delivery of which it never spoke is refused, and of one that it knows everything stays as it was.
    """
    if result.state is not None:
        house = None if result.house is None else str(result.house)
        return DeliveryStatus(
            state=result.state, reason=public_reason(result.reason), missing=result.missing, house=house
        )
    if result.accepted is False and not known:
        return DeliveryStatus(state=State.REFUSED, reason=public_reason(result.code))
    return None


def is_superseded(result: DeliveryResult, *, newest: int) -> bool:
    """Whether a home's word is of a version that its retailer has changed since, so that the next answer is the news.

    What becomes of a visit is always news, whichever version the home had.
    """
    older = result.version is not None and result.version < newest
    return older and (result.state is None or result.state in _STATES_BEFORE_VISIT)
