"""A tracking number on the order, announced over HTTP, is what the scanner reads on the label at a real box's door."""

from pathlib import Path

import pytest

from gateway.domain.delivery.barcodes import ParcelCode, normalise
from gateway.domain.delivery.carrier_names import CARRIERS
from gateway.domain.delivery.promise import State
from tests.gateway.domain.delivery.test_carriers import LABELLED, PLAIN
from tests.hubhouse import hub_house, new_offer

pytestmark = pytest.mark.slow

SAMPLES = [
    ("Colissimo", *PLAIN[1]),
    ("Chronopost", *LABELLED[2][:2]),
    ("Mondial Relay", *LABELLED[17][:2]),
    ("DPD", *LABELLED[0][:2]),
    ("GLS", "XHAX4HDA", "xhax4hda".upper()),
    ("DHL Paket", *LABELLED[18][:2]),
    ("UPS", "1z 5r8 939 03 5756 7127", PLAIN[0][1]),
    ("FedEx", *LABELLED[6][:2]),
    ("Amazon", "tba 5028 8727 4000", "TBA502887274000"),
    ("Royal Mail", "rb123456785gb", "RB123456785GB"),
]


async def test_the_number_on_the_order_is_that_on_the_label_at_the_door(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        expected = {}
        for carrier, number, label in SAMPLES:
            said = new_offer(parcels=(number,))
            made = await here.offers(said)
            told = await here.stands(made, State.SCHEDULED)
            expected[carrier] = (label, f"shop.{said.id}")
            _, found = await here.ask("GET", f"/v1/deliveries?parcel={label.replace('%', '%25')}")
            assert [one["id"] for one in found["data"]] == [told["id"]], "customer service finds it by the label too"
        for carrier, (label, delivery) in expected.items():
            scanned = normalise(label)
            assert isinstance(scanned, ParcelCode), carrier
            matches = here.made.store.deliveries.matches(scanned.value, here.made.clock.now())
            assert [match.delivery.id for match in matches] == [delivery], carrier


async def test_a_box_takes_a_carrier_by_any_of_its_names_and_no_other_carrier(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        owners = new_offer().carrier
        known = next(carrier for carrier in CARRIERS if owners in {carrier.name, *carrier.aliases})
        for written in (owners, known.id, owners.upper(), *known.aliases):
            await here.stands(await here.offers(new_offer(carrier=written)), State.SCHEDULED)
        for other in ("DHL Express", f"{owners} 2"):
            body = {"connection": here.connection, "token": here.token(new_offer(carrier=other))}
            status, said = await here.ask("POST", "/v1/deliveries", body)
            assert status == 422 or (await here.stands(said["id"], State.REFUSED, "carrier_not_permitted"))
