"""A delivery as the door sees it."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.config.home import PermissionSeed
from gateway.config.permission_seed import seeded
from gateway.domain.delivery.candidate import House, changes_at, facts, state
from gateway.domain.delivery.permission import Permission, Standing
from gateway.domain.delivery.promise import Promise, State, Usage, promise
from gateway.domain.visit.state import Now, Outcome, Refusal, VisitDelivery
from tests.gateway.domain.delivery.shop import GRANTED, NOON, NOW, PARCEL, after, offer

HOUSE = House(zone=ZoneInfo("Europe/Paris"), courier_proof=frozenset({"front"}))
PROMISE = promise("shop", offer(max_celsius=4.0))
SHOP = seeded("shop", PermissionSeed.model_validate(GRANTED), zone=ZoneInfo("Europe/Paris"))
TWO = replace(SHOP, terms=replace(SHOP.terms, openings=2, ask_each_time=True))
FRESH = Usage()


def seen(
    what: Promise = PROMISE, permission: Permission | None = SHOP, usage: Usage = FRESH, now: Now = NOW
) -> VisitDelivery:
    return facts(what, permission, usage, house=HOUSE, now=now)


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
    left = seen(permission=TWO, usage=Usage(used=1, withdrawals=3))
    assert (left.openings_left, left.withdrawals_left, left.refusal) == (1, 1, None)
    none = seen(usage=Usage(used=2, withdrawals=4))
    assert (none.openings_left, none.withdrawals_left) == (0, 0)


REVOKED = replace(SHOP, standing=Standing.REVOKED)
PENDING = replace(SHOP, standing=Standing.PENDING)
OTHER = replace(SHOP, terms=replace(SHOP.terms, carriers=frozenset({"Chronopost"})))
LATE = after(hours=3)


@pytest.mark.parametrize(
    ("what", "permission", "usage", "now", "expected"),
    [
        (replace(PROMISE, cancelled=True), REVOKED, Usage(used=1, withdrawals=1), LATE, Refusal.CANCELLED),
        (PROMISE, SHOP, Usage(used=1, withdrawals=1), NOW, Refusal.ALREADY_USED),
        (PROMISE, SHOP, Usage(used=1, withdrawals=1), LATE, Refusal.ALREADY_USED),
        (PROMISE, TWO, Usage(used=1, withdrawals=1), NOW, None),
        (PROMISE, TWO, Usage(used=1, withdrawals=1), LATE, Refusal.ALREADY_USED),
        (PROMISE, SHOP, FRESH, LATE, Refusal.EXPIRED),
        (PROMISE, SHOP, FRESH, replace(LATE, trusted=False), None),
        (PROMISE, REVOKED, FRESH, NOW, Refusal.BRAND_NOT_PERMITTED),
        (PROMISE, None, FRESH, NOW, Refusal.BRAND_NOT_PERMITTED),
        (PROMISE, PENDING, FRESH, NOW, Refusal.AWAITING_PERMISSION),
        (PROMISE, OTHER, FRESH, NOW, Refusal.CARRIER_NOT_PERMITTED),
    ],
)
def test_a_delivery_says_its_own_no(
    what: Promise, permission: Permission | None, usage: Usage, now: Now, expected: Refusal | None
) -> None:
    assert seen(what, permission, usage, now).refusal is expected


def test_a_reservation_given_back_lets_the_second_try_in_and_the_third_not() -> None:
    """One opening, at most two withdrawals of the bolt."""
    once = seen(usage=Usage(used=0, withdrawals=1))
    assert (once.refusal, once.openings_left, once.withdrawals_left) == (None, 1, 1)
    twice = seen(usage=Usage(used=0, withdrawals=2))
    assert (twice.openings_left, twice.withdrawals_left) == (1, 0)  # `decide` refuses: already used


def test_the_retailer_sees_permission_and_time_together() -> None:
    def word(permission: Permission | None, now: Now) -> State:
        return state(PROMISE, permission, FRESH, house=HOUSE, now=now).state

    assert word(SHOP, NOW) is State.SCHEDULED
    assert word(PENDING, NOW) is State.AWAITING_PERMISSION
    assert word(REVOKED, NOW) is State.REFUSED
    assert word(SHOP, after(hours=1)) is State.WINDOW_OPEN
    assert word(SHOP, replace(after(hours=1), trusted=False)) is State.SCHEDULED
    assert word(PENDING, LATE) is State.EXPIRED


def test_it_is_known_when_time_alone_changes_what_the_retailer_sees() -> None:
    def next_look(now: Now, usage: Usage = FRESH) -> object:
        return changes_at(PROMISE, state(PROMISE, SHOP, usage, house=HOUSE, now=now), now=now)

    assert next_look(NOW) == PROMISE.start
    assert next_look(after(hours=1)) == PROMISE.end
    assert next_look(LATE) is None
    assert next_look(NOW, Usage(outcomes=(Outcome.DELIVERED,))) is None
    assert next_look(NOW, Usage(visiting=True)) is None
