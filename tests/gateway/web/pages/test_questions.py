"""What is still to be said about the devices is asked on a page in plain words, and the page writes it."""

import re

from gateway.config.devices import CameraDevice, LockDevice
from gateway.config.loader import load_home_file
from gateway.installation import records
from gateway.installation.capability import Measurement
from gateway.web.auth.accounts import SessionSecrets
from gateway.web.auth.roles import Role
from tests.gateway.web.house import ANNA_PASSWORD
from tests.gateway.web.pages.house_file import ENGLISH, Home
from tests.gateway.web.pages.test_add_device import house

__all__ = ["house"]  # the fixture

PAGE = "/installation"
PASSWORD = {"password": ANNA_PASSWORD}


async def answers(house: Home, who: SessionSecrets, fields: dict[str, str]) -> tuple[int, str]:
    async with (
        house.site.client(who) as client,
        client.post(f"{PAGE}/questions", data=fields, headers=ENGLISH, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text()


async def test_the_owner_answers_in_words_and_the_page_writes_the_house_file(house: Home) -> None:
    owner, before = house.site.owner, load_home_file(house.file)
    folder = house.site.box.home.storage.folder
    late = Measurement(at=house.site.box.clock.now().utc, asked=1, seconds=(0.75,))
    records.store_measurements(folder, {"lock": late})
    page = await house.page(owner, PAGE)
    shown = re.sub(r"<[^>]*>|[\u2066-\u2069]", "", page)
    assert "Lock (Front) · Does it lock by itself some time after it was unlocked?" in shown
    assert "Where does its picture show a running clock?" in shown
    assert "as measured" in shown
    assert not re.search(r"auto_lock|clock_region|latency", shown), "no word of the file"
    assert "Open questions about the devices: 5." in await house.page(owner, "/setup")

    said = {"auto_lock lock": "yes", "clock_region cam": "bottom", "latency lock": "fit", "auto_lock garage-lock": ""}
    assert (await answers(house, owner, said | {"password": "not it"}))[0] == 422
    assert load_home_file(house.file) == before
    assert (await answers(house, owner, PASSWORD))[0] == 422, "nothing was said"
    assert (await answers(house, owner, said | PASSWORD))[0] == 303
    after = load_home_file(house.file)
    lock, camera = after.devices["lock"], after.devices["cam"]
    assert isinstance(lock, LockDevice)
    assert isinstance(camera, CameraDevice)
    assert lock.auto_lock is True
    assert lock.latency > 0.75
    assert camera.clock_region == (0.0, 0.91, 1.0, 0.09)
    others = {id_: one for id_, one in before.devices.items() if id_ not in ("lock", "cam")}
    assert {id_: one for id_, one in after.devices.items() if id_ in others} == others
    assert after.model_copy(update={"devices": before.devices}) == before
    assert house.reread == [""]
    assert 'id="changing"' in await house.page(owner, PAGE)


async def test_only_the_owner_answers_and_only_what_was_asked(house: Home) -> None:
    ines, before = await house.site.guest(Role.INSTALLER, "Ines"), house.file.read_bytes()
    page = await house.page(ines, PAGE)
    assert "The owner answers this here, with his password." in page
    assert f"{PAGE}/questions" not in page
    assert (await answers(house, ines, {"auto_lock lock": "yes"} | PASSWORD))[0] == 403
    assert (await answers(house, house.site.owner, {"auto_lock lock": "perhaps"} | PASSWORD))[0] == 400
    assert (await answers(house, house.site.owner, {"address lock": "x", "guarded lock": "yes"} | PASSWORD))[0] == 422
    assert house.file.read_bytes() == before
