"""Extracts the tracking number from the bar code that a carrier prints on a label, with one rule per format.

An order may name a parcel by its tracking number or by the bytes of the label's bar code: both become the tracking
number. Carriers whose bar code is the tracking number itself (UPS, Colissimo, PostNL, Royal Mail, GLS, ...) need no
rule here. A bar code that does not fit a rule exactly, check digits included, stays unchanged: the module never
shortens it by guess. docs/reference/parcel-numbers.md states the same for retailers.
"""

import re
from collections.abc import Callable

from gateway.domain.delivery.check_digits import fedex_checks, gs1_checks, mondial_relay_checks, s10_checks
from gateway.domain.frozen import Frozen


class CarrierBarcode(Frozen, kw_only=False):
    """One carrier's bar code: its pattern in capitals without blanks, and the tracking number in it."""

    carrier: str  # as the texts of the courier's page name it
    pattern: re.Pattern[str]
    checks: Callable[[str], bool] | None = None  # the check digits in `checked`; None: the code has none
    number: str = r"\1"  # a template of the pattern's groups
    checked: str = r"\1"


CARRIER_BARCODES: tuple[CarrierBarcode, ...] = (
    # DPD Paketschein-Spezifikation 2.4, Geopost's GeoLabel: "%", postcode 7, parcel number 14, service 3, country 3.
    # The number may begin with two letters; the code has no check. Two letters, 9 digits and 248 are Chronopost's.
    CarrierBarcode("dpd", re.compile(r"%[0-9A-Z]{7}(?![A-Z]{2}[0-9]{9}248)([0-9A-Z]{2}[0-9]{12})[0-9]{6}")),
    # Chronopost prints the same code; its 14 characters are the S10 number with 248 for FR (as its shipping service
    # answers: geoPostCodeBarre and skybillNumber).
    CarrierBarcode("chronopost", re.compile(r"%[0-9A-Z]{7}([A-Z]{2}[0-9]{9})248[0-9]{6}"), s10_checks, number=r"\1FR"),
    # FedEx Express (1...) and Ground (96...): 34 digits, of which the last 12 are the tracking number.
    CarrierBarcode("fedex", re.compile(r"(?:1[0-9]|96)[0-9]{18}00([0-9]{12})"), fedex_checks),
    # FedEx Ground "96", 22 digits: 96, container 2, service 3, tracking number 15.
    CarrierBarcode("fedex", re.compile(r"96[0-9]{5}([0-9]{15})"), gs1_checks),
    # USPS Intelligent Mail package barcode (Publication 199), read without its FNC1: 420, ZIP or ZIP+4, number.
    CarrierBarcode("usps", re.compile(r"420[0-9]{5}(9[1-5](?:[0-9]{24}|[0-9]{20}))"), gs1_checks),
    CarrierBarcode("usps", re.compile(r"420[0-9]{9}(9[1-5](?:[0-9]{24}|[0-9]{20}))"), gs1_checks),
    # DHL's piece identifier: ISO/IEC 15459 licence plate JD..., in the bar code behind the data identifier J.
    CarrierBarcode("dhl", re.compile(r"J(JD[0-9]{10,20})")),
    # Mondial Relay, label specification 2.3: brand 2, shipment 8, parcel 01 of 01, check, agency 4, service 1, run 5,
    # check. A shipment of several parcels keeps the whole code, because the shipment's number names all of them.
    CarrierBarcode(
        "mondial_relay", re.compile(r"[0-9]{2}([0-9]{8})0101[0-9]{12}"), mondial_relay_checks, checked=r"\g<0>"
    ),
)

_PLAIN_NUMBER = re.compile(r"[0-9]{8,40}|[0-9A-Z]{2}[0-9]{12}|JD[0-9]{10,20}|TBA[0-9]{12}")
_IMPB = re.compile(r"9[1-5](?:[0-9]{20}|[0-9]{24})")
_ZIP = re.compile(r"[0-9]{5}(?:[0-9]{4})?")


def tracking_number(code: str) -> str | None:
    """Return the tracking number in a label's bar code (capitals, no blanks); None if no rule fits, or two disagree."""
    numbers = set[str]()
    for label in CARRIER_BARCODES:
        match = label.pattern.fullmatch(code)
        if match is not None and (label.checks is None or label.checks(match.expand(label.checked))):
            numbers.add(match.expand(label.number))
    return numbers.pop() if len(numbers) == 1 else None


def is_tracking_number(code: str) -> bool:
    """Return whether people write such a number in groups or small letters; `code` is in capitals without blanks."""
    return _PLAIN_NUMBER.fullmatch(code) is not None


def usps_tracking_number(pairs: tuple[tuple[str, str], ...]) -> str | None:
    """Return the USPS tracking number of a GS1 element string: a ZIP (420), or none, and a number behind 91 to 95."""
    routing, tracking = [pair for pair in pairs if pair[0] == "420"], [pair for pair in pairs if pair[0] != "420"]
    if len(routing) > 1 or len(tracking) != 1 or not all(_ZIP.fullmatch(zip_code) for _, zip_code in routing):
        return None
    number = "".join(tracking[0])
    return number if _IMPB.fullmatch(number) and gs1_checks(number) else None
