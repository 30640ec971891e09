"""The rules on a parcel's GS1 label: what was read of them, and what they forbid."""

from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.domain.delivery.label import LabelRule, label_refusal, read_label
from gateway.domain.delivery.result import Refusal

SSCC = "106141411234567897"
GS = "\x1d"
NOON = datetime(2026, 11, 28, 12, 0)  # noqa: DTZ001 - the wall clock has no zone
FORBIDS, OUTSIDE = Refusal.LABEL_FORBIDS, Refusal.OUTSIDE_WINDOW


@pytest.mark.parametrize(
    ("raw", "rules"),
    [
        (f"]C100{SSCC}43220", {"4322": "0"}),
        (f"]d200{SSCC}43220{GS}43231{GS}42075011", {"4322": "0", "4323": "1"}),
        (f"(00){SSCC}(4324)2611280900(4325)2611281800", {"4324": "2611280900", "4325": "2611281800"}),
        (f"00{SSCC}43210{GS}4331001800-", {"4321": "0", "4331": "001800-"}),
        (f"00{SSCC}43220", {"4322": "0"}),  # the scanner dropped the symbology and the separator in front
        (f"https://brand.example/p/00/{SSCC}?4322=1&4331=000400", {"4322": "1", "4331": "000400"}),
        (f"]Q1https://brand.example/00/{SSCC}?4323=0", {"4323": "0"}),
        (f"]C100{SSCC}43220{GS}43221", {"4322": ""}),  # it contradicts itself
        (f"]C100{SSCC}", {}),
        (SSCC, {}),
        ("8L20524752032", {}),
        ("43220", {}),
        ("", {}),
    ],
)
def test_the_rules_are_read_with_the_number_however_the_label_is_written(raw: str, rules: dict[str, str]) -> None:
    assert read_label(raw) == rules


@pytest.mark.parametrize(
    ("label", "refusal"),
    [
        ({}, None),
        ({"4322": "1"}, None),
        ({"4323": "0"}, None),
        ({"4322": "0"}, FORBIDS),
        ({"4322": "7"}, FORBIDS),
        ({"4322": ""}, FORBIDS),
        ({"4323": "1"}, FORBIDS),
        ({"4322": "1", "4323": "1"}, FORBIDS),
        ({"4321": "1", "4331": "000400"}, None),  # dangerous goods and temperatures are no rule about leaving it
        ({"4324": "2611281200"}, None),
        ({"4324": "2611281201"}, OUTSIDE),
        ({"4325": "2611281200"}, None),  # to the end of that minute
        ({"4325": "2611281159"}, OUTSIDE),
        ({"4324": "2611289999", "4325": "2611289999"}, None),  # the whole day
        ({"4324": "2611299999"}, OUTSIDE),
        ({"4325": "2611279999"}, OUTSIDE),
        ({"4324": "2613280900"}, OUTSIDE),  # no such month: it cannot be read
        ({"4325": "2611282400"}, OUTSIDE),
        ({"4325": ""}, OUTSIDE),
        ({"4325": "9911281800"}, OUTSIDE),  # 1999
        ({"4325": "7511281800"}, None),  # 2075
    ],
)
def test_a_label_says_whether_and_when_its_parcel_may_be_left(label: dict[str, str], refusal: Refusal | None) -> None:
    assert label_refusal(label, (), local=NOON) is refusal


def test_a_rule_that_the_retailer_named_and_nobody_read_is_a_prohibition() -> None:
    named = [LabelRule.AUTHORITY_TO_LEAVE, LabelRule.NOT_AFTER]
    assert label_refusal({}, named, local=NOON) is FORBIDS
    assert label_refusal({"4322": "1"}, named, local=NOON) is FORBIDS
    assert label_refusal({"4322": "1", "4325": "2611281800"}, named, local=NOON) is None


ELEMENTS = st.dictionaries(
    st.sampled_from(["4321", "4322", "4323", "4324", "4325", "4331"]), st.text("0123456789-", max_size=11)
)
YEAR_2001, YEAR_2200 = NOON.replace(year=2001, month=1, day=1), NOON.replace(year=2200, month=1, day=1)
INSTANTS = st.datetimes(min_value=YEAR_2001, max_value=YEAR_2200)


@given(ELEMENTS, INSTANTS)
def test_a_rule_more_never_permits_what_was_forbidden_without_it(label: dict[str, str], local: datetime) -> None:
    if label_refusal(label, (), local=local) is None:
        for identifier in label:
            fewer = {other: value for other, value in label.items() if other != identifier}
            assert label_refusal(fewer, (), local=local) is None


@given(INSTANTS, st.integers(min_value=-40 * 365, max_value=40 * 365))
def test_a_day_of_the_label_is_found_in_its_century(local: datetime, days: int) -> None:
    day = local + timedelta(days=days)
    assume(2001 <= day.year <= 2199)
    text = f"{day:%y%m%d}9999"
    assert (label_refusal({"4324": text}, (), local=local) is None) is (day.date() <= local.date())
    assert (label_refusal({"4325": text}, (), local=local) is None) is (day.date() >= local.date())
