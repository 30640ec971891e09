"""Carriers' tracking numbers and the bar codes of their labels. Samples are the carriers' own or published ones.

Sources, by the letter in each sample: J: jkeen/tracking_number_data (couriers/*.json, the valid test numbers; of DPD
the line in clear is given there, and the bar code is `%` with that line without its check character, as DPD's
Paketschein-Spezifikation 2.4 and Neodynamic's and activePDF's pages on the DPD code say); K: the shipping service's
answers in karrio's tests of its Chronopost connector (geoPostCodeBarre, skybillNumber); M: Mondial Relay, labels
specification 2.3, the worked example; P: a real DHL label's three bar codes in the test data of a public scanner
application (routing 2LKW:..., piece JJD..., waybill); D: DHL's sandbox for developers; W: paketda.de on GLS labels; U:
UPU S10 and La Poste's numbers (as in test_barcodes.py).
"""

import functools
import random
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gateway.domain.delivery.barcodes import BarcodeKind, ParcelCode, normalise
from gateway.domain.delivery.carriers import CARRIER_BARCODES, CarrierBarcode, tracking_number
from gateway.domain.delivery.check_digits import gs1_checks
from gateway.domain.delivery.gs1 import FNC1
from gateway.domain.delivery.promise import Parcel

PROMISED: TypeAdapter[str] = TypeAdapter(Parcel)

# What a retailer may know of a parcel, what a scanner reads of its label, and what both are written as.
LABELLED = [
    ("09980000020045", "%008182709980000020045327276", "09980000020045"),  # DPD, J
    ("0998 0000 0200 33", "%008182709980000020033350276", "09980000020033"),  # DPD, J
    ("XP696808230FR", "%0006500XP696808230248226250", "XP696808230FR"),  # Chronopost, K
    ("XP 696 982 485 FR", "%0006500XP696982485248226250", "XP696982485FR"),  # Chronopost, K
    ("776632517510", "9622001900000000000000776632517510", "776632517510"),  # FedEx Ground, J
    ("794808390594", "9632001560123456789900794808390594", "794808390594"),  # FedEx Ground, J
    ("779017972697", "1001921334250001000300779017972697", "779017972697"),  # FedEx Express, J
    ("7906 9551 7286", "1002297871540001000300790695517286", "790695517286"),  # FedEx Express, J
    ("9876 5431 2345 672", "9611020987654312345672", "987654312345672"),  # FedEx Ground 96, J
    ("9261290113185417468510", "4201028200009261290113185417468510", "9261290113185417468510"),  # USPS, J
    ("9101 0268 3733 1000 0395 21", "420221539101026837331000039521", "9101026837331000039521"),  # USPS, J
    ("9101026837331000039521", f"]C142022153{FNC1}9101026837331000039521", "9101026837331000039521"),
    ("9101026837331000039521", f"42022153{FNC1}9101026837331000039521", "9101026837331000039521"),
    ("9101026837331000039521", "(420)22153(91)01026837331000039521", "9101026837331000039521"),
    ("92748931507708513018050063", "42022153" + "92748931507708513018050063", "92748931507708513018050063"),  # USPS, J
    ("JD014600012794402457", "JJD014600012794402457", "JD014600012794402457"),  # DHL Express, P
    ("jd01 4600 0127 9440 2457", "]C0JJD014600012794402457", "JD014600012794402457"),
    ("12345678", "12123456780101006623123454", "12345678"),  # Mondial Relay, M
    ("00340434161094015902", "]C100340434161094015902", "340434161094015902"),  # DHL Paket, D: an SSCC
]

# Carriers whose bar code is the tracking number.
PLAIN = [
    ("1Z5R89390357567127", "1Z5R89390357567127"),  # UPS
    ("8L20524752032", "8L20524752032"),  # Colissimo, U
    ("8L 20524 75203 2", "8L20524752032"),
    ("RB123456785GB", "RB123456785GB"),  # Royal Mail, U
    ("TBA502887274000", "TBA502887274000"),  # Amazon, J
    ("tba 5028 8727 4000", "TBA502887274000"),
    ("3SDEVC0123456789", "3SDEVC0123456789"),  # PostNL: 3S, customer, number
    ("986578788855", "986578788855"),  # FedEx, J
    ("5682 8361 0012 734", "568283610012734"),  # FedEx Ground, J
    ("9405803699300124287899", "9405803699300124287899"),  # USPS, J
    ("3318810025", "3318810025"),  # DHL Express, J
    ("5111661225", "5111661225"),  # DHL Express, P
    ("XHAX4HDA", "XHAX4HDA"),  # GLS track id, W
    ("01505022222229", "01505022222229"),  # DPD, fits GS1's check digit by chance
    ("96385074", "96385074"),  # Mondial Relay's length, fits GS1's check digit
    ("4006381333931", "4006381333931"),
    ("036000291452", "036000291452"),
]


@pytest.mark.parametrize(("promised", "scanned", "written"), LABELLED)
def test_a_promise_by_tracking_number_or_label_matches_a_scan_of_either(
    promised: str, scanned: str, written: str
) -> None:
    assert PROMISED.validate_python(promised) == PROMISED.validate_python(scanned) == written
    for raw in (promised, scanned, written):
        code = normalise(raw)
        assert isinstance(code, ParcelCode)
        assert code.value == written


@pytest.mark.parametrize(("raw", "written"), PLAIN)
def test_a_carriers_number_is_taken_as_it_is(raw: str, written: str) -> None:
    assert PROMISED.validate_python(raw) == written


@pytest.mark.parametrize("length", [8, 10, 11, 12, 13, 14, 15, 20, 22])
def test_no_carriers_number_is_refused_for_its_check_digit(length: int) -> None:
    chance = random.Random(length)
    numbers = ["".join(chance.choices("12345678", k=length)) for _ in range(2000)]
    assert any(map(gs1_checks, numbers))
    assert [PROMISED.validate_python(number) for number in numbers] == numbers


@pytest.mark.parametrize("raw", ["]E04006381333931", "(01)04006381333931", "https://id.gs1.org/01/04006381333931"])
def test_a_code_that_says_of_itself_that_it_names_a_product_is_no_parcel(raw: str) -> None:
    with pytest.raises(ValidationError, match="a GTIN names a product"):
        PROMISED.validate_python(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "1001921334250001000300779017972698",  # FedEx, a wrong check digit
        "1241877254270011013900794600002222",
        "9611020987654312345673",
        "4201028200009261290113185417468511",
        "%0006500XP696808231248226250",  # Chronopost, a wrong check digit
        "12123456780102906623123454",  # Mondial Relay, the first of two parcels: the shipment's number names both
        "12123456780101006623123455",
        "%00818270998000002004532727",
    ],
)
def test_a_bar_code_that_no_rule_fits_exactly_is_never_shortened(raw: str) -> None:
    assert normalise(raw) == ParcelCode(BarcodeKind.EXACT, raw)


def test_two_parcels_of_one_shipment_are_two_codes() -> None:
    first, second = "12123456780102906623123454", "12123456780202506623123454"  # with check digits that hold
    assert {normalise(one) for one in (first, second)} == {
        ParcelCode(BarcodeKind.EXACT, one) for one in (first, second)
    }


CHECKED = {  # places of a label's check digits, in the order of CARRIER_BARCODES
    0: (), 1: (18,), 2: (33,), 3: (21,), 4: (-1,), 5: (-1,), 6: (), 7: (14, 25),
}  # fmt: skip


@functools.cache
def good(rule: int) -> st.SearchStrategy[str]:
    """Labels of one rule, with check digits that hold."""
    label = CARRIER_BARCODES[rule]

    def mended(text: str) -> str:
        for place in CHECKED[rule]:
            at = place % len(text)
            tries = [text[:at] + digit + text[at + 1 :] for digit in "0123456789"]
            text = next((one for one in tries if _holds(label, one, place)), tries[0])
        return text

    return st.from_regex(label.pattern, fullmatch=True).map(mended).filter(lambda text: _holds(label, text, None))


def _holds(label: CarrierBarcode, text: str, place: int | None) -> bool:
    if label.carrier == "mondial_relay" and place == 14:
        return any(_holds(label, text[:25] + digit, None) for digit in "0123456789")
    match = label.pattern.fullmatch(text)
    return match is not None and (label.checks is None or label.checks(match.expand(label.checked)))


def number_of(rule: int, text: str) -> str:
    match = CARRIER_BARCODES[rule].pattern.fullmatch(text)
    assert match is not None
    return match.expand(CARRIER_BARCODES[rule].number)


@pytest.mark.parametrize(
    "rule", range(len(CARRIER_BARCODES)), ids=lambda rule: f"{CARRIER_BARCODES[rule].carrier}-{rule}"
)
@given(data=st.data())
def test_a_label_is_its_tracking_number_and_two_numbers_are_two_codes(rule: int, data: st.DataObject) -> None:
    one, other = data.draw(good(rule)), data.draw(good(rule))
    assume(tracking_number(one) is not None and tracking_number(other) is not None)  # two rules may claim one
    # Digits of a label can also be an SSCC with its check digit and a batch: then they are that SSCC
    assume(
        not any(isinstance(c := normalise(text), ParcelCode) and c.kind is BarcodeKind.SSCC for text in (one, other))
    )
    assert tracking_number(one) == number_of(rule, one)
    assert normalise(one) == normalise(number_of(rule, one))
    assert (normalise(one) == normalise(other)) == (number_of(rule, one) == number_of(rule, other))


@given(st.data())
def test_the_labels_of_two_carriers_are_one_code_only_where_both_say_the_same_number(data: st.DataObject) -> None:
    first, second = data.draw(st.permutations(range(len(CARRIER_BARCODES))))[:2]
    one, other = data.draw(good(first)), data.draw(good(second))
    if normalise(one) == normalise(other):
        assert one == other or number_of(first, one) == number_of(second, other)


@given(st.data())
def test_no_code_fits_two_carriers_rules_with_two_numbers_and_is_shortened_all_the_same(data: st.DataObject) -> None:
    rule = data.draw(st.integers(0, len(CARRIER_BARCODES) - 1))
    text = data.draw(good(rule))
    numbers = {number_of(at, text) for at, label in enumerate(CARRIER_BARCODES) if _holds(label, text, None)}
    assert tracking_number(text) == (numbers.pop() if len(numbers) == 1 else None)


def test_a_label_that_two_rules_read_differently_stays_what_it_is() -> None:
    """420, ZIP+4 and 22 digits, or ZIP and 26 digits: without FNC1 nobody can tell."""
    make: Callable[[int], str] = "4201234593009405803699300124287{:03}".format
    both = [
        text
        for text in map(make, range(1000))
        if _holds(CARRIER_BARCODES[4], text, None) and _holds(CARRIER_BARCODES[5], text, None)
    ]
    for text in both:
        assert tracking_number(text) is None
        assert normalise(text) == ParcelCode(BarcodeKind.EXACT, text)
    assert both
