"""What `perron retailer announce` says after a box has accepted a delivery: who does what next, in which words."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.cli.delivery import next_step, read_claims
from gateway.config.home import Home
from gateway.config.keepers import KeeperSection
from gateway.config.reception import ReceiverSection, ReceptionSection
from gateway.domain.delivery.barcodes import new_courier_token
from gateway.domain.delivery.features import Feature
from gateway.domain.delivery.promise_v2 import OfferV2
from gateway.domain.visit.closures import GarageDoor
from gateway.domain.visit.state import Holder

SECRET = bytes(range(16))
TOKEN = new_courier_token(SECRET)
HOME_FILE = Path("home.yaml")


@pytest.fixture
def desk_house(home: Home) -> Home:
    """A house with a concierge, whose desk has no scanner, and a second scanner somewhere else."""
    desk = ReceptionSection(name="Concierge", receivers={"marc": ReceiverSection(name="Marc")})
    devices = {**home.devices, "garage-scanner": home.devices["front-scanner"]}
    return home.model_copy(update={"devices": devices, "receptions": {"desk": desk}})


def said(home: Home, folder: Path, entrance: str, *, courier: bytes | None = None, simulated: bool = False) -> str:
    file = folder / "delivery.yaml"
    file.write_text(f"{{entrance: {entrance}, parcels: [8L20524752032]}}")
    return next_step(file, home, HOME_FILE, courier=courier, simulated=simulated)


def test_the_entrance_is_added_to_the_entrances_as_the_hub_does(tmp_path: Path) -> None:
    file = tmp_path / "delivery.yaml"
    file.write_text(
        "{id: order-1, entrance: garage, place: shelf, carrier: Colissimo, window: {start: +0m, end: +2h},"
        " parcels: [8L20524752032], entrances: [front]}"
    )
    delivery = read_claims(file, brand="lune", box="home-1", utc=datetime(2026, 11, 29, tzinfo=UTC)).delivery
    assert isinstance(delivery, OfferV2)
    assert delivery.entrances == ("garage", "front")
    assert delivery.needs == (Feature.ENTRANCES,)


def test_the_courier_scans_the_parcel_and_the_one_time_code(home: Home, tmp_path: Path) -> None:
    text = said(home, tmp_path, "front", courier=SECRET, simulated=True)
    assert "The courier now scans the parcel and the one-time code:" in text
    assert f"scan 8L20524752032 {TOKEN} --deliver --home home.yaml" in text
    assert f"#{TOKEN}" in text


def test_no_courier_is_simulated_at_a_garage(home: Home, tmp_path: Path) -> None:
    garage = GarageDoor.model_validate({"id": "garage", "devices": {"order": "garage-opener", "door": "front-door"}})
    front = home.entrances["front"].model_copy(update={"closures": (garage,)})
    house = home.model_copy(update={"entrances": {"front": front}})
    assert "--deliver" not in said(house, tmp_path, "front", courier=SECRET, simulated=True)


def test_the_scanner_is_named_where_the_house_has_several(desk_house: Home, tmp_path: Path) -> None:
    assert "scan 8L20524752032 --scanner front-scanner --home" in said(desk_house, tmp_path, "front")


def test_a_reception_without_a_scanner_has_the_couriers_page_as_the_next_step(desk_house: Home, tmp_path: Path) -> None:
    with_code = said(desk_house, tmp_path, "desk", courier=SECRET, simulated=True)
    assert "perron scan" not in with_code
    assert "The courier's page on a phone:\n  " in with_code
    without = said(desk_house, tmp_path, "desk", simulated=True)
    assert "Concierge has no scanner" in without
    assert "--courier" in without


def test_at_a_reception_with_a_scanner_the_courier_scans_the_parcel_only(desk_house: Home, tmp_path: Path) -> None:
    desk = desk_house.receptions["desk"].model_copy(update={"scanners": ("garage-scanner",)})
    house = desk_house.model_copy(update={"receptions": {"desk": desk}})
    text = said(house, tmp_path, "desk", courier=SECRET, simulated=True)
    assert "scan 8L20524752032 --scanner garage-scanner --home home.yaml" in text
    assert TOKEN not in text.splitlines()[1]


def test_a_keeper_scans_his_own_code_and_the_couriers_is_not_named(home: Home, tmp_path: Path) -> None:
    front = home.entrances["front"].model_copy(update={"holder": Holder.KEEPER, "keepers": ("claire",)})
    keepers = {"claire": KeeperSection(name="Claire Martin")}
    house = home.model_copy(update={"entrances": {**home.entrances, "front": front}, "keepers": keepers})
    text = said(house, tmp_path, "front", courier=SECRET)
    assert "A keeper (Claire Martin) now scans the parcel" in text
    assert "scan 8L20524752032 KEEPER_CODE --home home.yaml" in text
    assert TOKEN not in text
