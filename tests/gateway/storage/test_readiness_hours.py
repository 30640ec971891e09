"""The counted readiness as page and terminal show it."""

from datetime import UTC, datetime, timedelta

from gateway.storage.readiness import ReadinessHour, summarise

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def test_checks_are_summed_by_device_and_grouped_by_hour() -> None:
    one = ReadinessHour(hour=NOON + timedelta(hours=1), device="lock", ready=3, not_ready=1)
    hours = (
        one,
        ReadinessHour(hour=NOON, device="cam", ready=2, not_ready=0),
        ReadinessHour(hour=NOON, device="lock", ready=5, not_ready=0),
    )
    found = summarise(hours)
    assert found.devices == (("cam", 0, 2), ("lock", 1, 9))
    assert found.hours == ((one.hour, (one,)), (NOON, hours[1:]))


def test_nothing_counted_is_nothing() -> None:
    found = summarise(())
    assert (found.devices, found.hours) == ((), ())
