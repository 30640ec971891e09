"""20,000 numbers as each carrier gives them: none is refused, and each is its own label's and no other parcel's.

A number has the carrier's length, letters and check digits; the label has the number in the carrier's bar code. The
rules are those of gateway/domain/delivery/carriers.py, whose sources docs/reference/parcel-numbers.md names.
"""

import random
from collections.abc import Callable
from itertools import cycle

import pytest

from gateway.domain.delivery.barcodes import ParcelCode, normalise
from gateway.domain.delivery.check_digits import colissimo_checks, fedex_checks, gs1_checks, s10_checks, ups_checks

COUNT = 20_000
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Numbers = Callable[[random.Random], tuple[str, str]]
"""Draws a tracking number and the data of its label's bar code."""


def digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choices("0123456789", k=count))


def checked(begin: str, end: str, checks: Callable[[str], bool]) -> str | None:
    """The number with the one digit between both that makes the check right; None: there is none."""
    return next((number for n in range(10) if checks(number := f"{begin}{n}{end}")), None)


def having(draw: Callable[[], str | None]) -> str:
    return next(number for number in iter(draw, "") if number is not None)


def s10(chance: random.Random, letters: str, country: str) -> str:
    return having(lambda: checked(letters + digits(chance, 8), country, s10_checks))


def same(draw: Callable[[random.Random], str]) -> Numbers:
    """The bar code is the number."""
    return lambda chance: (number := draw(chance), number)


def colissimo(chance: random.Random) -> str:
    product = chance.choice(("8L", "8V", "8R", "6A", "6C", "6M", "9V", "5R", "EY"))
    return having(lambda: checked(product + digits(chance, 10), "", colissimo_checks))


def chronopost(chance: random.Random) -> tuple[str, str]:
    number = s10(chance, chance.choice(("XP", "XA", "XE", "XY", "EE")), "FR")
    return number, f"%{digits(chance, 7)}{number[:11]}248{digits(chance, 6)}"


def mod11(text: str) -> str:
    total = sum(int(digit) * weight for digit, weight in zip(reversed(text), cycle(range(2, 8)), strict=False))
    return str(0 if total % 11 < 2 else 11 - total % 11)


def mondial_relay(chance: random.Random) -> tuple[str, str]:
    number = digits(chance, 8)
    brand = f"{chance.randrange(10, 100)}"  # with 00 it could be an SSCC of a GS1 label
    begin, end = f"{brand}{number}0101", digits(chance, 10)
    return number, f"{begin}{mod11(begin)}{end}{mod11(end)}"


def dpd(chance: random.Random) -> tuple[str, str]:
    begin = chance.choice(("01", "09", "05", "15", chance.choice(LETTERS) + chance.choice(LETTERS)))
    number = begin + digits(chance, 12)
    if begin.isalpha() and number[11:14] == "248":  # of Chronopost
        return dpd(chance)
    return number, f"%{digits(chance, 7)}{number}{digits(chance, 3)}276"


def dhl_paket(chance: random.Random) -> tuple[str, str]:
    number = having(lambda: checked(f"34043{digits(chance, 12)}", "", gs1_checks))
    return number, f"]C100{number}"


def dhl_piece(chance: random.Random) -> tuple[str, str]:
    number = f"JD{digits(chance, 18)}"
    return number, f"J{number}"


def ups(chance: random.Random) -> str:
    shipper = "".join(chance.choices("0123456789" + LETTERS, k=6))
    return having(lambda: checked(f"1Z{shipper}{digits(chance, 9)}", "", ups_checks))


def fedex(chance: random.Random) -> tuple[str, str]:
    number = having(lambda: checked(digits(chance, 11), "", fedex_checks))
    return number, f"{chance.choice(('10', '11', '96'))}{digits(chance, 18)}00{number}"


def fedex_ground(chance: random.Random) -> tuple[str, str]:
    number = having(lambda: checked(digits(chance, 14), "", gs1_checks))
    return number, f"96{digits(chance, 5)}{number}"


CARRIERS: dict[str, Numbers] = {
    "La Poste Colissimo": same(colissimo),
    "Chronopost": chronopost,
    "Mondial Relay": mondial_relay,
    "DPD": dpd,
    "GLS, number": same(lambda chance: digits(chance, 12)),
    "GLS, number without its check digit": same(lambda chance: digits(chance, 11)),
    "GLS, Track ID": same(lambda chance: "".join(chance.choices(LETTERS + "0123456789", k=8))),
    "DHL Paket": dhl_paket,
    "DHL Express, waybill": same(lambda chance: digits(chance, 10)),
    "DHL Express, piece": dhl_piece,
    "UPS": same(ups),
    "FedEx": fedex,
    "FedEx Ground, older": fedex_ground,
    "Amazon": same(lambda chance: f"TBA{digits(chance, 12)}"),
    "Royal Mail": same(lambda chance: s10(chance, chance.choice(LETTERS) + chance.choice(LETTERS), "GB")),
}


def value(raw: str) -> str:
    code = normalise(raw)
    assert isinstance(code, ParcelCode), (raw, code)
    return code.value


@pytest.mark.slow
@pytest.mark.parametrize("carrier", CARRIERS)
def test_none_of_20_000_numbers_is_refused_and_each_is_its_own_label_s_and_no_other_parcel_s(carrier: str) -> None:
    chance = random.Random(carrier)
    drawn = dict(CARRIERS[carrier](chance) for _ in range(COUNT))
    values = {number: value(number) for number in drawn}
    labels = {number: label for number, label in drawn.items() if label != number}
    assert all(value(label) == values[number] for number, label in labels.items()), "order and label are one"
    assert len(set(values.values())) == len(drawn), "no label is another parcel's"
    assert all(shown == number for number, shown in values.items()), "a number is told as it was sent"
    fits_gtin = [number for number in drawn if number.isdecimal() and len(number) in {8, 12, 14} and gs1_checks(number)]
    of_that_length = [number for number in drawn if number.isdecimal() and len(number) in {8, 12, 14}]
    if len(of_that_length) == len(drawn):
        assert len(fits_gtin) > COUNT / 20, "one in ten has a check digit like an article's"


@pytest.mark.slow
def test_a_label_is_no_parcel_of_another_carrier_whose_rule_it_does_not_fit() -> None:
    """One carrier's label never becomes a part of itself by another carrier's rule."""
    chance = random.Random(20)
    owners: dict[str, tuple[str, str]] = {}
    for _ in range(2000):
        for carrier, draw in CARRIERS.items():
            number, label = draw(chance)
            if label != number:
                assert value(label) == number, (carrier, label)
                assert owners.setdefault(label, (carrier, number)) == (carrier, number)


@pytest.mark.slow
def test_the_labels_of_one_mondial_relay_shipment_stay_apart() -> None:
    chance = random.Random(21)
    for _ in range(2000):
        shipment = digits(chance, 8)
        labels = set()
        for place in ("01", "02", "03"):
            begin, end = f"12{shipment}{place}03", digits(chance, 10)
            labels.add(value(f"{begin}{mod11(begin)}{end}{mod11(end)}"))
        assert len(labels) == 3
        assert shipment not in labels
