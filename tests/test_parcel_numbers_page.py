"""docs/reference/parcel-numbers.md says what the program does."""

import re
from pathlib import Path

import pytest

from gateway.domain.delivery.barcodes import ParcelCode, normalise
from gateway.domain.delivery.carriers import CARRIER_BARCODES

PAGE = (Path(__file__).parent.parent / "docs" / "reference" / "parcel-numbers.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")][
    2:
]
CODE = re.compile(r"`([^`]+)`")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]))
def test_tracking_number_and_label_of_a_carrier_become_what_the_page_says(row: list[str]) -> None:
    _, number, label, compared = row
    codes = [*CODE.findall(number), *CODE.findall(label)]
    values = set(CODE.findall(compared))
    assert {code.value for code in map(normalise, codes) if isinstance(code, ParcelCode)} == values
    assert len(values) == (1 if codes else 0)


def test_each_carrier_with_a_rule_stands_on_the_page() -> None:
    named = " ".join(row[0].lower().replace(" ", "_") for row in ROWS)
    assert [label.carrier for label in CARRIER_BARCODES if label.carrier not in named] == []


def test_retailers_are_led_to_the_page() -> None:
    guide = Path(__file__).parent.parent / "docs" / "retailer" / "guide.md"
    assert "(../reference/parcel-numbers.md)" in guide.read_text(encoding="utf-8")
