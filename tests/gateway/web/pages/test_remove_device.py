"""A device that was added by mistake is removed on a page: by the owner, while nothing uses it and nobody is there."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config.loader import load_home_file
from gateway.domain.guests.provisioning import CodeState
from gateway.web.auth.accounts import SessionSecrets
from gateway.web.auth.roles import Role
from gateway.web.pages.household import activity_lines
from tests.gateway.web.house import ANNA_PASSWORD
from tests.gateway.web.pages.house_file import ENGLISH, Home, home_with_file
from tests.guestcodes import leave_code
from tests.shell.house import entrance_in_visit

REMOVE = "/installation/remove"
SPARE = {"kind": "signal", "vendor": "signal"}  # no entrance uses it


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Home]:
    """The pages of a house with a device too many."""
    async with home_with_file(tmp_path, {"spare": SPARE}) as made:
        yield made


async def removes(house: Home, who: SessionSecrets, device: str, password: str = ANNA_PASSWORD) -> tuple[int, str]:
    async with (
        house.site.client(who) as client,
        client.post(
            f"{REMOVE}/{device}", data={"password": password}, headers=ENGLISH, allow_redirects=False
        ) as answer,
    ):
        return answer.status, await answer.text()


async def test_a_keypad_that_may_still_have_a_guest_s_code_stays(house: Home) -> None:
    made = house.site.box
    await leave_code(made.store, made.clock.now(), keypad="spare")
    assert "It may still have a guest" in await house.page(house.site.owner, f"{REMOVE}/spare")
    assert (await removes(house, house.site.owner, "spare"))[0] == 409
    await made.store.guests.save_code(
        replace(made.store.guests.live_codes()[0], state=CodeState.WITHDRAWN), made.clock.now()
    )
    assert (await removes(house, house.site.owner, "spare"))[0] == 303


async def test_the_owner_removes_what_was_added_by_mistake_with_his_password(house: Home) -> None:
    owner, before = house.site.owner, load_home_file(house.file)
    assert f'href="{REMOVE}/spare"' in await house.page(owner, "/installation")
    assert "Past visits, films and the log stay readable." in await house.page(owner, f"{REMOVE}/spare")
    assert (await removes(house, owner, "spare", "not it"))[0] == 422
    assert load_home_file(house.file) == before
    assert (await removes(house, owner, "spare"))[0] == 303
    after = load_home_file(house.file)
    assert before.devices.keys() - after.devices.keys() == {"spare"}
    assert after.model_copy(update={"devices": before.devices}) == before
    assert house.reread == [""]
    page = await house.page(owner, "/installation")
    assert 'id="changing"' in page
    assert f'href="{REMOVE}/spare"' not in page
    assert (await removes(house, owner, "spare"))[0] == 404, "once"
    told = activity_lines(house.site.box.store, "en", person=None)[0]
    assert told.text == "Anna removed from the house: Door light and buzzer spare"


async def test_what_an_entrance_uses_stays_and_the_page_says_which(house: Home) -> None:
    before = house.file.read_bytes()
    page = await house.page(house.site.owner, f"{REMOVE}/lock")
    assert "The entrance Front uses it." in page
    assert '<form class="fields"' not in page
    assert "The entrance Front uses it." in await house.page(house.site.owner, f"{REMOVE}/hall")
    assert (await removes(house, house.site.owner, "cam"))[0] == 409
    assert house.file.read_bytes() == before


async def test_nothing_is_removed_while_somebody_is_at_a_door(house: Home) -> None:
    front = house.site.box.front
    front.state = replace(entrance_in_visit(house.site.box.home), rules=front.state.rules)
    before = house.file.read_bytes()
    assert "A visit is under way" in await house.page(house.site.owner, f"{REMOVE}/spare")
    status, text = await removes(house, house.site.owner, "spare")
    assert (status, "A visit is under way" in text) == (409, True)
    assert house.file.read_bytes() == before


async def test_an_installer_reads_whom_to_ask_and_removes_nothing(house: Home) -> None:
    ines, before = await house.site.guest(Role.INSTALLER, "Ines"), house.file.read_bytes()
    page = await house.page(ines, "/installation")
    assert "The owner removes a device here, with the password." in page
    assert REMOVE not in page
    assert (await removes(house, ines, "spare"))[0] == 403
    assert house.file.read_bytes() == before
