"""Values of an OVMS module that are not what they seem: each is read whole, or is unknown."""

import pytest

from devices.reports import ParkedReport, PositionReport, Report, UnreadablePayload
from devices.vendors import ovms
from devices.vendors.words import TopicSuffix

GOOD = {
    "m.time.utc": "1572590910Sec", "v.d.trunk": "no", "v.e.locked": "yes", "v.e.on": "no", "v.e.parktime": "900Sec",
    "v.p.gpshdop": "1.1", "v.p.gpslock": "yes", "v.p.gpstime": "1572590890Sec", "v.p.latitude": "48.8566",
    "v.p.longitude": "2.3522", "v.p.speed": "0km/h",
}  # fmt: skip


def answer(**changed: str) -> tuple[Report, ...]:
    """Return what an answer says; the names are those of metrics, with _ for a point."""
    listed = GOOD | {name.replace("_", "."): value for name, value in changed.items()}
    text = "".join(f"{name:<40} {value}\n" for name, value in listed.items())
    return ovms.decode_report(TopicSuffix.RESULT, text.encode())


def position(**changed: str) -> PositionReport:
    return next(report for report in answer(**changed) if isinstance(report, PositionReport))


@pytest.mark.parametrize(
    ("fixed_at", "now", "age_s"),
    [
        ("1572590890Sec", "1572590910Sec", 20.0),
        ("2026-11-30 10:00:00 UTC", "2026-11-30 10:00:20 UTC", 20.0),
        ("2026-11-29 10:00:00 UTC", "2026-11-30 10:00:20 UTC", 86_420.0),
        ("2026-11-30 10:00:00", "2026-11-30 10:00:20", 20.0),
        ("2026-10-25 02:30:00", "2026-10-25 02:30:20", None),  # clocks were set back: it may be an hour older
        ("2026-10-25 02:30:00 CEST", "2026-10-25 02:30:20 CET", None),
        ("2026-11-30 10:00:20 UTC", "2026-11-30 10:00:00 UTC", None),
        ("2026-13-30 10:00:00 UTC", "2026-13-30 10:00:00 UTC", None),
        ("10:00:00UTC", "10:00:20UTC", None),  # of which day?
        ("2026", "2026-11-30 10:00:20 UTC", None),
        ("1572590890Sec", "2026-11-30 10:00:20 UTC", None),
        ("157259089000000000", "157259091000000000", None),
    ],
)
def test_a_fix_is_as_old_as_the_module_s_clocks_clearly_say_or_its_age_is_unknown(
    fixed_at: str, now: str, age_s: float | None
) -> None:
    assert position(v_p_gpstime=fixed_at, m_time_utc=now).age_s == age_s


@pytest.mark.parametrize("latitude", ["48.8566e9", "48.8566S", "48,8566", "48°51.4", "4.88566e+01", "nan", "0x30"])
def test_a_latitude_that_is_no_plain_number_is_no_position(latitude: str) -> None:
    assert position(v_p_latitude=latitude) == PositionReport()


@pytest.mark.parametrize("hdop", ["1e+06", "1e5", "nan", "-1", "0", "1.1.1", ""])
def test_an_accuracy_that_is_no_plain_number_is_unknown(hdop: str) -> None:
    assert position(v_p_gpshdop=hdop).accuracy_m is None


@pytest.mark.parametrize("speed", ["nan", ".5km/h", "0,5km/h", "0e5", "00000000000042", "0.00000000000012", "0 or 9"])
def test_a_car_whose_speed_cannot_be_read_is_not_parked(speed: str) -> None:
    assert ParkedReport(parked=None) in answer(v_p_speed=speed)


def test_of_a_metric_that_is_listed_twice_with_two_values_neither_counts() -> None:
    text = b"v.e.on yes\nv.e.locked yes\nv.e.on no\nv.p.speed 0km/h\n"
    (report,) = ovms.decode_report(TopicSuffix.RESULT, text)
    assert isinstance(report, UnreadablePayload)
