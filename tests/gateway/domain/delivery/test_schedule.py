"""When the cameras' ring runs and when an entrance is looked at before a delivery."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from gateway.config.home import PermissionSeed
from gateway.domain.delivery.candidate import DeliveryContext, VisitDelivery, candidate
from gateway.domain.delivery.promise import OrderUsage, order_of
from gateway.domain.delivery.result import Refusal
from gateway.domain.delivery.schedule import EntranceAgenda, ExpectedDelivery, build_agenda
from gateway.domain.now import Now
from tests.gateway.domain.delivery.shop import GRANTED_TERMS, NOON, NOW, make_offer, noon_plus

HOUSE = DeliveryContext(box="box-1", zone=ZoneInfo("Europe/Paris"), courier_proof=frozenset())
SHOP = PermissionSeed.model_validate(GRANTED_TERMS).permission("shop", zone=ZoneInfo("Europe/Paris"))
DELIVERY = candidate(order_of("shop", make_offer()), SHOP, OrderUsage(), context=HOUSE, now=NOW)  # from 13:00 to 15:00
NEAR, AFTER = timedelta(minutes=2), timedelta(minutes=15)
MINUTE = timedelta(minutes=1)


def seen(
    now: Now, *expected: VisitDelivery, checked: datetime | None = NOON, locked_at: datetime | None = None
) -> EntranceAgenda:
    waiting = [ExpectedDelivery(delivery=one, checked=checked) for one in expected]
    return build_agenda(waiting, now=now, near=NEAR, after=AFTER, locked_at=locked_at)


def test_an_entrance_that_expects_nobody_films_nobody() -> None:
    assert seen(NOW) == EntranceAgenda(expecting=False, ring=False, checks=(), next_change_at=None)


def test_the_ring_runs_from_two_minutes_before_a_window_to_its_end() -> None:
    assert not seen(noon_plus(minutes=57, seconds=59), DELIVERY).ring
    early = seen(noon_plus(minutes=58), DELIVERY)
    assert early.expecting
    assert early.ring
    assert seen(noon_plus(hours=3, seconds=-1), DELIVERY).ring
    late = seen(noon_plus(hours=3), DELIVERY)
    assert (late.expecting, late.ring, late.next_change_at) == (False, False, None)


def test_the_ring_runs_on_for_15_minutes_after_the_door_was_locked_again() -> None:
    locked_at = NOON + timedelta(hours=2, minutes=55)
    lingering = seen(noon_plus(hours=3), DELIVERY, locked_at=locked_at)
    assert (lingering.expecting, lingering.ring) == (False, True)
    assert lingering.next_change_at == locked_at + AFTER
    assert not seen(noon_plus(hours=3, minutes=10), DELIVERY, locked_at=locked_at).ring
    assert seen(noon_plus(hours=2, minutes=30), DELIVERY, locked_at=NOON + timedelta(hours=1, minutes=59)).ring


def test_readiness_is_looked_at_when_scheduled_and_at_each_fixed_instant_once() -> None:
    start = DELIVERY.start
    for before in (timedelta(hours=24), timedelta(minutes=60), timedelta(minutes=5), timedelta(0)):
        then = start - before
        for second, due in ((-1, False), (0, True), (30, True)):
            now = replace(NOW, utc=then + timedelta(seconds=second))
            assert bool(seen(now, DELIVERY, checked=then - MINUTE).checks) is due
        assert not seen(replace(NOW, utc=then + MINUTE), DELIVERY, checked=then).checks
    assert seen(NOW, DELIVERY, checked=None).checks == (DELIVERY,)


def test_a_delivery_that_may_not_come_in_is_not_expected() -> None:
    refused = replace(DELIVERY, refusal=Refusal.AWAITING_PERMISSION)
    assert seen(noon_plus(hours=2), refused, checked=None) == EntranceAgenda(
        expecting=False, ring=False, checks=(), next_change_at=None
    )


def test_without_trusted_time_nobody_is_expected_and_no_film_begins() -> None:
    now = replace(noon_plus(hours=2), trusted=False)
    assert seen(now, DELIVERY, checked=None) == EntranceAgenda(
        expecting=False, ring=False, checks=(), next_change_at=None
    )
    assert seen(now, DELIVERY, locked_at=now.utc - MINUTE).ring


@given(st.integers(-30 * 60, 5 * 60), st.none() | st.integers(-30 * 60, 5 * 60), st.none() | st.integers(0, 300))
def test_nothing_changes_before_the_next_look(minute: int, checked: int | None, locked: int | None) -> None:
    """Looked at every minute until `next`, the agenda stays as it was; after a check its mark is set."""
    now = noon_plus(minutes=minute)
    mark = None if checked is None or checked > minute else noon_plus(minutes=checked).utc
    locked_at = None if locked is None or locked > minute else noon_plus(minutes=locked).utc
    first = seen(now, DELIVERY, checked=mark, locked_at=locked_at)
    if first.checks:
        mark = now.utc
        first = seen(now, DELIVERY, checked=mark, locked_at=locked_at)
        assert not first.checks
    until = first.next_change_at or now.utc + timedelta(days=2)
    assert until > now.utc
    for step in (0.01, 0.3, 0.7, 0.99):
        later = replace(NOW, utc=now.utc + step * (until - now.utc))
        again = seen(later, DELIVERY, checked=mark, locked_at=locked_at)
        assert (again.expecting, again.ring, again.checks) == (first.expecting, first.ring, first.checks)
