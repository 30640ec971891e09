"""A delivery as the door sees it."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.config.home import PermissionSeed
from gateway.domain.delivery.candidate import DeliveryContext, VisitDelivery, candidate, delivery_status, next_change_at
from gateway.domain.delivery.own_parcel import OWN_BRAND
from gateway.domain.delivery.permission import Permission, PermissionStatus
from gateway.domain.delivery.promise import DeliveryOrder, OrderUsage, State, order_of
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.now import Now
from tests.gateway.domain.delivery.shop import GRANTED_TERMS, NOON, NOW, PARCEL, make_offer, noon_plus

HOUSE = DeliveryContext(box="box-1", zone=ZoneInfo("Europe/Paris"), courier_proof=frozenset({"front"}))
PROMISE = order_of("shop", make_offer(max_celsius=4.0))
SHOP = PermissionSeed.model_validate(GRANTED_TERMS).permission("shop", zone=ZoneInfo("Europe/Paris"))
TWO = replace(SHOP, terms=replace(SHOP.terms, openings=2, ask_each_time=True))
FRESH = OrderUsage()


def seen(
    what: DeliveryOrder = PROMISE, permission: Permission | None = SHOP, usage: OrderUsage = FRESH, now: Now = NOW
) -> VisitDelivery:
    return candidate(what, permission, usage, context=HOUSE, now=now)


def test_all_that_decide_must_know_is_there() -> None:
    assert seen(permission=TWO) == VisitDelivery(
        id="shop.d1",
        version=1,
        permission_version=1,
        brand="shop",
        carrier="Colissimo",
        entrance="front",
        place="hall",
        refusal=None,
        start=NOON + timedelta(hours=1),
        end=NOON + timedelta(hours=3),
        openings_left=2,
        withdrawals_left=4,
        needs_courier=True,
        needs_yes=True,
        cold_max_c=4.0,
        parcels=frozenset({PARCEL}),
    )
    assert not seen(replace(PROMISE, entrance="garage")).needs_courier


def test_openings_and_withdrawals_go_down_and_never_below_nothing() -> None:
    left = seen(permission=TWO, usage=OrderUsage(used=1, withdrawals=3))
    assert (left.openings_left, left.withdrawals_left, left.refusal) == (1, 1, None)
    none = seen(usage=OrderUsage(used=2, withdrawals=4))
    assert (none.openings_left, none.withdrawals_left) == (0, 0)


REVOKED = replace(SHOP, standing=PermissionStatus.REVOKED)
PENDING = replace(SHOP, standing=PermissionStatus.PENDING)
OTHER = replace(SHOP, terms=replace(SHOP.terms, carriers=frozenset({"Chronopost"})))
LATE = noon_plus(hours=3)


@pytest.mark.parametrize(
    ("what", "permission", "usage", "now", "expected"),
    [
        (replace(PROMISE, cancelled=True), REVOKED, OrderUsage(used=1, withdrawals=1), LATE, Refusal.CANCELLED),
        (PROMISE, SHOP, OrderUsage(used=1, withdrawals=1), NOW, Refusal.ALREADY_USED),
        (PROMISE, SHOP, OrderUsage(used=1, withdrawals=1), LATE, Refusal.ALREADY_USED),
        (PROMISE, TWO, OrderUsage(used=1, withdrawals=1), NOW, None),
        (PROMISE, TWO, OrderUsage(used=1, withdrawals=1), LATE, Refusal.ALREADY_USED),
        (PROMISE, SHOP, FRESH, LATE, Refusal.EXPIRED),
        (PROMISE, SHOP, FRESH, replace(LATE, trusted=False), None),
        (PROMISE, REVOKED, FRESH, NOW, Refusal.BRAND_NOT_PERMITTED),
        (PROMISE, None, FRESH, NOW, Refusal.BRAND_NOT_PERMITTED),
        (PROMISE, PENDING, FRESH, NOW, Refusal.AWAITING_PERMISSION),
        (PROMISE, OTHER, FRESH, NOW, Refusal.CARRIER_NOT_PERMITTED),
    ],
)
def test_a_delivery_says_its_own_no(
    what: DeliveryOrder, permission: Permission | None, usage: OrderUsage, now: Now, expected: Refusal | None
) -> None:
    assert seen(what, permission, usage, now).refusal is expected


def test_a_reservation_given_back_lets_the_second_try_in_and_the_third_not() -> None:
    """One opening, at most two withdrawals of the bolt."""
    once = seen(usage=OrderUsage(used=0, withdrawals=1))
    assert (once.refusal, once.openings_left, once.withdrawals_left) == (None, 1, 1)
    twice = seen(usage=OrderUsage(used=0, withdrawals=2))
    assert (twice.openings_left, twice.withdrawals_left) == (1, 0)  # `decide` refuses: already used


def test_the_retailer_sees_permission_and_time_together() -> None:
    def word(permission: Permission | None, now: Now) -> State:
        return delivery_status(PROMISE, permission, FRESH, context=HOUSE, now=now).state

    assert word(SHOP, NOW) is State.SCHEDULED
    assert word(PENDING, NOW) is State.AWAITING_PERMISSION
    assert word(REVOKED, NOW) is State.REFUSED
    assert word(SHOP, noon_plus(hours=1)) is State.WINDOW_OPEN
    assert word(SHOP, replace(noon_plus(hours=1), trusted=False)) is State.SCHEDULED
    assert word(PENDING, LATE) is State.EXPIRED


def test_it_is_known_when_time_alone_changes_what_the_retailer_sees() -> None:
    def next_look(now: Now, usage: OrderUsage = FRESH) -> object:
        return next_change_at(PROMISE, delivery_status(PROMISE, SHOP, usage, context=HOUSE, now=now), now=now)

    assert next_look(NOW) == PROMISE.start
    assert next_look(noon_plus(hours=1)) == PROMISE.end
    assert next_look(LATE) is None
    assert next_look(NOW, OrderUsage(outcomes=(Outcome.DELIVERED,))) is None
    assert next_look(NOW, OrderUsage(visiting=True)) is None


def test_a_delivery_that_was_moved_keeps_the_courier_s_code_and_the_owner_s_tap_of_its_own_entrance() -> None:
    moved = replace(PROMISE, entrance="garage", moved_from="front")
    assert seen(moved).needs_courier
    house = replace(HOUSE, own_permission=SHOP, without_tap=frozenset({"garage"}))
    own = replace(PROMISE, brand=OWN_BRAND, courier=None, entrance="garage", cold_max_c=None)

    def needs_tap(order: DeliveryOrder) -> bool:
        return candidate(order, None, FRESH, context=house, now=NOW).needs_yes

    assert not needs_tap(own)
    assert needs_tap(replace(own, moved_from="front"))
