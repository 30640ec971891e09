"""What the owner's word lets in, to the second and over both nights on which France changes its clocks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.home import PermissionSeed
from gateway.domain.delivery.food_profiles import FoodProfile
from gateway.domain.delivery.items import OrderItem
from gateway.domain.delivery.permission import (
    DAYS,
    Permission,
    PermissionStatus,
    PermissionTerms,
    extends_permission,
    is_within_terms,
    parse_hours,
    permission_refusal,
)
from gateway.domain.delivery.promise import DeliveryOrder, order_of
from gateway.domain.delivery.result import Refusal
from tests.gateway.domain.delivery.shop import GRANTED_TERMS, NOON, make_offer, make_window

PARIS = ZoneInfo("Europe/Paris")
SECOND = timedelta(seconds=1)
ALL = PermissionSeed.model_validate(GRANTED_TERMS)


def granted(**changes: Any) -> Permission:  # noqa: ANN401 - any of the terms
    permission = ALL.permission("shop", zone=PARIS)
    return replace(permission, terms=replace(permission.terms, **changes))


def word(permission: Permission | None, what: DeliveryOrder | None = None, utc: datetime = NOON) -> Refusal | None:
    return permission_refusal(permission, what or order_of("shop", make_offer()), zone=PARIS, utc=utc)


def test_a_granted_brand_comes_in() -> None:
    assert word(granted()) is None


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (PermissionStatus.PENDING, Refusal.AWAITING_PERMISSION),
        (PermissionStatus.REFUSED, Refusal.BRAND_NOT_PERMITTED),
        (PermissionStatus.REVOKED, Refusal.BRAND_NOT_PERMITTED),
    ],
)
def test_a_brand_without_the_owners_yes_does_not(standing: PermissionStatus, expected: Refusal) -> None:
    assert word(replace(granted(), standing=standing)) is expected


def test_an_item_may_go_only_to_a_place_that_the_owner_permits() -> None:
    fish = OrderItem(code="fish", place="fridge", profile=FoodProfile.FISH)
    order = replace(order_of("shop", make_offer()), items=(fish,))
    assert word(granted(), order) is None
    assert word(granted(places=frozenset({"hall"})), order) is Refusal.BRAND_NOT_PERMITTED


def test_an_unknown_brand_does_not() -> None:
    assert word(None) is Refusal.BRAND_NOT_PERMITTED


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"entrances": frozenset({"garage"})}, Refusal.BRAND_NOT_PERMITTED),
        ({"places": frozenset({"fridge"})}, Refusal.BRAND_NOT_PERMITTED),
        ({"carriers": frozenset({"Chronopost"})}, Refusal.CARRIER_NOT_PERMITTED),
        ({"carriers": frozenset({"La Poste"})}, Refusal.CARRIER_NOT_PERMITTED),
        ({"carriers": frozenset({"COLISSIMO"})}, None),  # as somebody else writes the same carrier
        ({"carriers": frozenset({"La Poste Colissimo"})}, None),
        ({"entrances": frozenset()}, Refusal.BRAND_NOT_PERMITTED),
        ({"places": frozenset()}, Refusal.BRAND_NOT_PERMITTED),
        ({"carriers": frozenset()}, Refusal.CARRIER_NOT_PERMITTED),
        ({"days": frozenset(DAYS) - {"wed"}}, Refusal.OUTSIDE_WINDOW),
        ({"days": frozenset({"wed"})}, None),
        ({"hours": "15:00-17:00"}, None),  # 13:00 to 15:00 UTC is 15:00 to 17:00 in Paris in June
        ({"hours": "15:01-17:00"}, Refusal.OUTSIDE_WINDOW),
        ({"hours": "15:00-16:59"}, Refusal.OUTSIDE_WINDOW),
        ({"expires": NOON + timedelta(hours=3)}, None),
        ({"expires": NOON + timedelta(hours=3) - SECOND}, Refusal.BRAND_NOT_PERMITTED),
    ],
)
def test_each_of_the_owners_limits_holds(changes: dict[str, Any], expected: Refusal | None) -> None:
    assert word(granted(**changes)) is expected


def test_a_permission_that_has_expired_lets_nothing_in() -> None:
    assert (
        word(granted(expires=NOON + timedelta(hours=3)), utc=NOON + timedelta(hours=4)) is Refusal.BRAND_NOT_PERMITTED
    )


def at(text: str) -> datetime:
    """An instant, written with the offset that the wall clock has then."""
    return datetime.fromisoformat(text)


def allowed(start: str | datetime, end: str | datetime, hours: str, days: str = " ".join(DAYS)) -> bool:
    terms = PermissionTerms(hours=hours, days=frozenset(days.split()))
    first = at(start) if isinstance(start, str) else start
    last = at(end) if isinstance(end, str) else end
    return is_within_terms(first, last, terms, zone=PARIS)


# Sunday 29 March 2026: the clock goes from 02:00 to 03:00. Sunday 25 October 2026: from 03:00 back to 02:00.


def test_in_the_spring_night_hours_after_the_gap_begin_with_the_first_second_that_exists() -> None:
    """02:30 does not exist; the first wall-clock reading within 02:30-04:00 is 03:00:00 CEST."""
    assert allowed("2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00", "02:30-04:00")
    assert not allowed("2026-03-29T01:59:59+01:00", "2026-03-29T04:00:00+02:00", "02:30-04:00")
    assert not allowed("2026-03-29T03:00:00+02:00", "2026-03-29T04:00:01+02:00", "02:30-04:00")


def test_in_the_spring_night_hours_before_the_gap_end_with_it() -> None:
    assert allowed("2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00", "01:00-02:00")  # one true hour
    assert not allowed("2026-03-29T01:00:00+01:00", "2026-03-29T03:00:01+02:00", "01:00-02:00")


def test_on_the_spring_day_the_working_hours_are_the_new_times() -> None:
    assert allowed("2026-03-29T06:00:00+00:00", "2026-03-29T18:00:00+00:00", "08:00-20:00")
    assert not allowed(at("2026-03-29T06:00:00+00:00") - SECOND, "2026-03-29T18:00:00+00:00", "08:00-20:00")
    assert not allowed("2026-03-29T06:00:00+00:00", at("2026-03-29T18:00:00+00:00") + SECOND, "08:00-20:00")
    assert allowed("2026-03-28T07:00:00+00:00", "2026-03-28T19:00:00+00:00", "08:00-20:00")  # the day before


def test_in_the_autumn_night_the_hour_that_comes_twice_is_allowed_twice() -> None:
    assert allowed("2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00", "02:00-03:00")  # two true hours
    assert not allowed(at("2026-10-25T02:00:00+02:00") - SECOND, "2026-10-25T03:00:00+01:00", "02:00-03:00")
    assert not allowed("2026-10-25T02:00:00+02:00", at("2026-10-25T03:00:00+01:00") + SECOND, "02:00-03:00")


def test_in_the_autumn_night_a_clock_that_falls_back_out_of_the_hours_ends_them() -> None:
    """From 02:30 CEST on it is allowed, at 03:00 CEST the wall clock reads 02:00 again: not allowed until 02:30 CET."""
    assert allowed("2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00", "02:30-04:00")
    assert not allowed("2026-10-25T02:30:00+02:00", "2026-10-25T02:00:01+01:00", "02:30-04:00")
    assert not allowed("2026-10-25T02:29:59+01:00", "2026-10-25T04:00:00+01:00", "02:30-04:00")
    assert allowed("2026-10-25T02:30:00+01:00", "2026-10-25T04:00:00+01:00", "02:30-04:00")


def test_on_the_autumn_day_the_working_hours_are_the_new_times() -> None:
    assert allowed("2026-10-25T07:00:00+00:00", "2026-10-25T19:00:00+00:00", "08:00-20:00")
    assert not allowed(at("2026-10-25T07:00:00+00:00") - SECOND, "2026-10-25T19:00:00+00:00", "08:00-20:00")
    assert allowed("2026-10-24T06:00:00+00:00", "2026-10-24T18:00:00+00:00", "08:00-20:00")  # the day before


def test_hours_may_run_past_midnight_and_belong_to_the_day_on_which_they_begin() -> None:
    assert allowed("2026-06-12T22:00:00+02:00", "2026-06-13T06:00:00+02:00", "22:00-06:00", "fri")
    assert not allowed("2026-06-12T22:00:00+02:00", "2026-06-13T06:00:01+02:00", "22:00-06:00", "fri")
    assert not allowed("2026-06-12T05:00:00+02:00", "2026-06-12T06:00:00+02:00", "22:00-06:00", "fri")
    assert allowed("2026-06-13T00:00:00+02:00", "2026-06-13T06:00:00+02:00", "22:00-06:00", "fri")


def test_whole_days_join_to_a_window_of_several_days() -> None:
    assert allowed("2026-03-28T00:00:00+01:00", "2026-03-31T00:00:00+02:00", "00:00-24:00", "sat sun mon")
    assert not allowed("2026-03-28T00:00:00+01:00", "2026-03-31T00:00:01+02:00", "00:00-24:00", "sat sun mon")
    assert not allowed("2026-03-27T23:59:59+01:00", "2026-03-31T00:00:00+02:00", "00:00-24:00", "sat sun mon")
    assert not allowed("2026-06-10T19:00:00+02:00", "2026-06-11T09:00:00+02:00", "08:00-20:00")


@pytest.mark.parametrize(
    "hours", ["8:00-20:00", "08:00", "24:00-25:00", "08:60-09:00", "08:00-24:01", "08:00 - 20:00", "", "08:00-20:00\n"]
)
def test_hours_that_cannot_be_meant_are_refused(hours: str) -> None:
    with pytest.raises(ValueError, match="hours"):
        parse_hours(hours)
    with pytest.raises(ValueError, match="hours"):
        PermissionTerms(hours=hours)


@pytest.mark.parametrize("terms", [{"days": frozenset({"monday"})}, {"openings": 0}, {"openings": 11}])
def test_terms_that_cannot_be_meant_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"days|openings"):
        PermissionTerms(**terms)


def test_an_expiry_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        PermissionTerms(expires=datetime(2026, 12, 31))  # noqa: DTZ001 - the mistake that is tried


@pytest.mark.parametrize(
    ("day", "midnight"),
    [
        ("2026-12-31", "2027-01-01T00:00:00+01:00"),
        ("2026-10-25", "2026-10-26T00:00:00+01:00"),
        ("2026-03-28", "2026-03-29T00:00:00+01:00"),
        ("2026-06-10", "2026-06-11T00:00:00+02:00"),
    ],
)
def test_the_last_day_in_the_configuration_counts_whole(day: str, midnight: str) -> None:
    permission = ALL.model_copy(update={"expires": day}).permission("shop", zone=PARIS)
    assert permission.terms.expires == at(midnight)
    last = replace(order_of("shop", make_offer()), start=at(midnight) - timedelta(hours=1), end=at(midnight))
    assert word(permission, last, utc=last.start) is None
    assert word(permission, replace(last, end=last.end + SECOND), utc=last.start) is Refusal.BRAND_NOT_PERMITTED


@given(
    st.datetimes(datetime(2026, 3, 27), datetime(2026, 11, 1)),  # noqa: DTZ001 - made UTC below
    st.integers(60, 50 * 3600),
    st.sampled_from(["00:00-24:00", "08:00-20:00", "02:30-04:00", "22:00-03:00", "01:30-02:30"]),
    st.sets(st.sampled_from(DAYS), min_size=4),
)
def test_it_agrees_with_a_look_at_the_wall_clock_every_quarter_of_an_hour(
    start: datetime, seconds: int, hours: str, days: set[str]
) -> None:
    """The oracle reads the zone's wall clock directly, minute by minute where it matters."""
    first = start.replace(minute=start.minute // 15 * 15, second=0, microsecond=0, tzinfo=UTC)
    last = first + timedelta(minutes=max(15, seconds // 900 * 15))
    opens, closes = parse_hours(hours)

    def reads_allowed(instant: datetime) -> bool:
        wall = instant.astimezone(PARIS).replace(tzinfo=None)
        midnight = wall.replace(hour=0, minute=0)
        return any(
            DAYS[day.weekday()] in days and day + opens <= wall < day + closes
            for day in (midnight, midnight - timedelta(days=1))
        )

    quarters = range(int((last - first) / timedelta(minutes=15)))
    expected = all(reads_allowed(first + n * timedelta(minutes=15)) for n in quarters)
    assert is_within_terms(first, last, PermissionTerms(hours=hours, days=frozenset(days)), zone=PARIS) is expected


def test_a_window_is_looked_at_whole() -> None:
    night = order_of("shop", make_offer(window=make_window(start=8, end=20)))  # 22:00 to 10:00 in Paris
    assert word(granted(hours="08:00-23:00"), night) is Refusal.OUTSIDE_WINDOW


BEFORE = PermissionTerms(entrances=frozenset({"garage"}), places=frozenset({"hall"}), carriers=frozenset({"Colissimo"}),
               days=frozenset({"mon", "tue"}), hours="08:00-20:00", openings=2, expires=NOON)  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "more"),
    [
        ({}, False),
        ({"entrances": frozenset({"garage", "front"})}, True),
        ({"entrances": frozenset[str]()}, False),
        ({"places": frozenset({"fridge"})}, True),
        ({"carriers": frozenset({"Colissimo", "DHL"})}, True),
        ({"days": frozenset({"mon"})}, False),
        ({"days": frozenset({"sun"})}, True),
        ({"hours": "09:00-19:00"}, False),
        ({"hours": "07:59-20:00"}, True),
        ({"hours": "08:00-20:01"}, True),
        ({"hours": "08:00-02:00"}, True),
        ({"openings": 1}, False),
        ({"openings": 3}, True),
        ({"ask_each_time": True}, False),
        ({"expires": NOON - SECOND}, False),
        ({"expires": NOON + SECOND}, True),
        ({"expires": None}, True),
        ({"hub_signed": True}, True),
    ],
)
def test_what_lets_a_brand_do_more_than_it_may(changed: dict[str, Any], more: bool) -> None:
    after = replace(BEFORE, **changed)
    for standing in PermissionStatus:
        before = Permission(brand="shop", version=1, standing=standing, terms=BEFORE)
        assert extends_permission(before, after) is (more or standing is not PermissionStatus.GRANTED)
    assert extends_permission(None, after)
    if changed == {"ask_each_time": True}:
        assert extends_permission(
            Permission(brand="shop", version=1, standing=PermissionStatus.GRANTED, terms=after), BEFORE
        )
