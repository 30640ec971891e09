"""The report's page about the cold chain, read back from the PDF."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.domain.delivery.items import OrderItem
from gateway.domain.delivery.temperature import Limits
from gateway.evidence.documents.report import HouseNames, draw_report
from gateway.evidence.documents.sources import read_visit
from gateway.system.i18n import Language
from tests.gateway.evidence.documents.printed import read_pdf
from tests.gateway.evidence.route.rows import RecordedLog, sealed_rows
from tests.gateway.evidence.test_cold_chain import KEY, sealed_visit
from tests.gateway.protocol.test_cold_chain import FISH, come_in, go, house_with_items, says, stow

pytestmark = pytest.mark.slow

MADE = datetime(2026, 6, 2, 8, tzinfo=UTC)


def pages(log: RecordedLog, root: Path, language: Language = "en") -> tuple[str, ...]:
    evidence = read_visit(sealed_rows(root, sealed_visit(log), KEY), public_key=KEY.public)
    names = HouseNames(box="box-1", places={"fridge": "Fridge in the kitchen"})
    pdf = draw_report(evidence, language=language, zone=ZoneInfo("Europe/Paris"), made=MADE, names=names)
    return read_pdf(pdf, root).words


def visit(*items: OrderItem) -> RecordedLog:
    house, log = house_with_items(*items)
    come_in(house)
    stow(house)
    house.run(1)
    says(house, 1.8)
    go(house)
    house.run(60)
    return log


def test_a_delivery_with_items_has_a_page_with_the_air_and_each_verdict(tmp_path: Path) -> None:
    milk = OrderItem(code="milk", place="fridge", limits=Limits(max_c=6.0))
    *_, last = pages(visit(FISH, milk), tmp_path)
    assert "page 3 of 3" in last
    assert "Item …fish, Fridge in the kitchen: within its limits all the way" in last
    assert "Limits: 0.0 °C to 2.0 °C" in last
    assert "Item …milk, Fridge in the kitchen: not proven to be within its limits" in last
    assert "nobody scanned it at its place" in last
    assert "1 at the door 09:01:47, 2 scanned at its place 09:0" in last


def test_more_items_than_fit_are_counted_in_french_too(tmp_path: Path) -> None:
    items = tuple(OrderItem(code=f"item-{n:02}", place="fridge", limits=Limits(max_c=6.0)) for n in range(40))
    *_, last = pages(visit(*items), tmp_path, "fr")
    assert "Chaîne" not in last
    assert "Articles" in last
    assert "pas prouvé dans ses limites" in last
    assert "et " in last.partition("Articles")[2]
