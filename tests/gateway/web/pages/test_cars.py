"""The page Cars: where the car must stand, drawn without a map service, and the owner who sets it there."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from devices.reports import PositionReport
from gateway.config.devices import CarDevice
from gateway.config.home import CamerasSection, Home, Place
from gateway.config.loader import parse_home
from gateway.domain.visit.closures import CarBoot
from gateway.domain.visit.state import Evidence
from gateway.runtime.entrance import LastPosition
from gateway.web.auth.accounts import SessionSecrets
from gateway.web.auth.roles import Role
from tests.browser import IN_SHARED_BROWSER
from tests.gateway.web.house import ANNA_PASSWORD
from tests.shell.box import box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site

pytestmark = IN_SHARED_BROWSER

ENGLISH = {"Accept-Language": "en"}
LATITUDE, LONGITUDE = 48.85661, 2.35222
NOTHING: Mapping[str, str] = {}


def home_with_car(tmp_path: Path) -> Home:
    """A house whose one entrance is a car, of which nobody has said where it must stand."""
    home = make_home(tmp_path)
    section = home.entrances["front"]
    boot = CarBoot(id="boot", devices=dict.fromkeys(("order", *CarBoot.roles), "zoe"), opens="car")
    update = {
        "closures": (boot,), "lock": None, "door": None, "signal": None, "living_space": False, "home_refuses": False,
        "cameras": CamerasSection(), "evidence": Evidence.SCAN, "places": {"boot": Place(name="Boot")},
    }  # fmt: skip
    scanners = {name: home.devices[name] for name in section.scanners}
    return home.model_copy(
        update={
            "entrances": {"front": section.model_copy(update=update)},
            "brands": {},
            "devices": {**scanners, "zoe": CarDevice(kind="car", vendor="ovms", address="ovms/marie/zoe")},
        }
    )


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    home, file = home_with_car(tmp_path), tmp_path / "home.yaml"
    file.write_text(home.model_dump_json(exclude_none=True))
    async with box(tmp_path, home) as made, serve_site(made, file=file) as site:
        yield site


def says(site: ServedSite, *, latitude: float = LATITUDE, age_s: float = 5.0) -> None:
    """The car says where it is."""
    report = PositionReport(latitude=latitude, longitude=LONGITUDE, accuracy_m=10.0, age_s=age_s)
    mono = site.box.clock.now().mono
    site.box.front.positions["zoe"] = LastPosition(report=report, heard_mono=mono)


async def read(site: ServedSite) -> str:
    async with site.client(site.owner) as client, client.get("/cars", headers=ENGLISH) as answer:
        assert answer.status == 200
        return await answer.text()


async def post(
    site: ServedSite, fields: Mapping[str, str] = NOTHING, person: SessionSecrets | None = None
) -> tuple[int, str]:
    data = {"radius": "60", "fix_age": "120", "password": ANNA_PASSWORD, "do": "here", **fields}
    async with (
        site.client(person or site.owner) as client,
        client.post("/cars/front/boot", data=data, headers=ENGLISH, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text()


def fence_in_file(tmp_path: Path) -> dict[str, float] | None:
    file = tmp_path / "home.yaml"
    (boot,) = parse_home(file.read_text(), file).entrances["front"].closures
    assert isinstance(boot, CarBoot)
    return None if boot.fence is None else boot.fence.model_dump()


async def test_the_owner_sets_the_fence_where_the_car_stands_and_no_coordinate_is_on_the_page(
    tmp_path: Path, site: ServedSite
) -> None:
    assert "Nobody has said yet where the car must stand" in await read(site)
    assert (await post(site))[0] == 422, "it has said nothing yet"
    says(site)
    page = await read(site)
    assert "5 seconds" in page
    assert not re.search(r"48\.8|2\.35", page)
    status, page = await post(site)
    assert status == 200
    assert "The box reads the changed house" in page
    assert fence_in_file(tmp_path) == {"latitude": LATITUDE, "longitude": LONGITUDE, "radius": 60, "fix_age": 120}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"password": "wrong"}, "password"),
        ({"radius": "5"}, "15 to 500 metres"),
        ({"radius": "wide"}, "Write numbers"),
        ({"do": "write", "latitude": "nan", "longitude": "2"}, "Write numbers"),
        ({"do": "write", "latitude": "", "longitude": "2"}, "Write numbers"),
        ({"do": "write", "latitude": "91", "longitude": "2"}, "place on earth"),
    ],
)
async def test_what_is_no_fence_is_not_written(
    tmp_path: Path, site: ServedSite, fields: dict[str, str], text: str
) -> None:
    says(site)
    status, page = await post(site, fields)
    assert status == 422
    assert text in page
    assert fence_in_file(tmp_path) is None


async def test_an_old_position_sets_no_fence_and_the_owner_may_write_one(tmp_path: Path, site: ServedSite) -> None:
    says(site, age_s=400.0)
    assert (await post(site))[0] == 422
    assert fence_in_file(tmp_path) is None
    assert (await post(site, {"do": "write", "latitude": "48,9", "longitude": "2.4"}))[0] == 200
    assert fence_in_file(tmp_path) == {"latitude": 48.9, "longitude": 2.4, "radius": 60, "fix_age": 120}


async def test_an_installer_neither_sees_where_the_car_is_nor_moves_its_fence(tmp_path: Path, site: ServedSite) -> None:
    installer = await site.guest(Role.INSTALLER)
    says(site)
    assert (await post(site, person=installer))[0] == 403
    async with site.client(installer) as client, client.get("/cars", headers=ENGLISH) as answer:
        assert answer.status == 403
    assert fence_in_file(tmp_path) is None
