"""A browser is enrolled in the house, with the password, and speaks for its person; it is listed there, and ended."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.config.home import HubSection
from gateway.protocol.browser_envelope import Jwk, derive_keys, load_private_key
from gateway.web.auth.roles import Role
from tests.remotebrowser import RemoteBrowser
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site

JSON = {"Accept": "application/json"}
HUB = HubSection(url="https://hub.example", home="home-1", host="127.0.0.1", password_file=Path("/nowhere"))


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, make_home(tmp_path).model_copy(update={"hub": HUB})) as made, run_box(made):
        yield made


@pytest.fixture
async def site(made: ShellBox) -> AsyncIterator[ServedSite]:
    async with serve_site(made) as site:
        yield site


async def asked(client: ClientSession, form: dict[str, str], path: str = "/away/enrol") -> tuple[int, dict[str, str]]:
    async with client.post(path, data=form, headers=JSON) as answer:
        return answer.status, await answer.json()


async def test_browser_and_box_agree_on_keys_that_nobody_else_has(site: ServedSite, made: ShellBox) -> None:
    phone = RemoteBrowser()
    async with site.client(site.owner) as client:
        said = await phone.enrol(client)
    assert (said["home"], said["hub"], said["person"], said["role"]) == ("home-1", HUB.url, "Anna", "owner")
    kept = made.store.browsers.browser(phone.browser)
    assert kept is not None
    ours = derive_keys(load_private_key(kept.own), Jwk.model_validate_json(kept.agree), home=kept.home, browser=kept.id)
    assert (ours.up, ours.down) == (phone.keys.up, phone.keys.down)
    assert kept.label == "Anna's phone"
    assert json.loads(phone.opened(kept.farewell).text) == {"ended": True, "browser": phone.browser}
    assert kept.person.id == site.owner.user.person


async def test_it_takes_the_password_however_fresh_the_last_one_is(site: ServedSite, made: ShellBox) -> None:
    phone = RemoteBrowser()
    async with site.client(site.owner) as client:
        for password in ("", "not the password"):
            status, said = await asked(client, phone.asks_to_be_enrolled(password))
            assert (status, list(said)) == (422, ["why"])
    assert made.store.browsers.browsers() == ()


@pytest.mark.parametrize("changed", [
    {"label": ""}, {"label": "x" * 65}, {"label": "a\u202eb"}, {"sign": ""}, {"agree": "{}"}, {"sign": "[" * 5000},
    {"sign": '{"kty":"EC","crv":"P-256","x":"' + "A" * 43 + '","y":"' + "A" * 43 + '"}'},
    {"agree": '{"kty":"OKP","crv":"X25519","x":"' + "A" * 43 + '"}'},
])  # fmt: skip
async def test_what_is_no_browser_s_keys_is_not_enrolled(
    site: ServedSite, made: ShellBox, changed: dict[str, str]
) -> None:
    async with site.client(site.owner) as client:
        status, _ = await asked(client, RemoteBrowser().asks_to_be_enrolled() | changed)
    assert status == 422
    assert made.store.browsers.browsers() == ()


async def test_a_private_key_is_refused_as_every_word_too_many(site: ServedSite, made: ShellBox) -> None:
    form = RemoteBrowser().asks_to_be_enrolled()
    form["sign"] = form["sign"][:-1] + ',"d":"' + "A" * 43 + '"}'
    async with site.client(site.owner) as client:
        assert (await asked(client, form))[0] == 422
    assert made.store.browsers.browsers() == ()


async def test_a_house_that_has_joined_no_hub_enrols_nobody(tmp_path: Path) -> None:
    async with (
        box(tmp_path, make_home(tmp_path)) as made,
        run_box(made),
        serve_site(made) as site,
        site.client(site.owner) as client,
    ):
        status, said = await asked(client, RemoteBrowser().asks_to_be_enrolled())
        assert status == 409
        assert "hub" in said["why"]


async def test_the_household_may_and_an_installer_and_a_stranger_may_not(site: ServedSite, made: ShellBox) -> None:
    for role, status in ((Role.HOUSEHOLD, 200), (Role.INSTALLER, 403), (None, 401)):
        who = None if role is None else await site.guest(role, f"the {role}")
        async with site.client(who) as client:
            assert (await asked(client, RemoteBrowser().asks_to_be_enrolled()))[0] == status, role
    assert [one.person.role for one in made.store.browsers.browsers()] == ["household"]


async def test_another_page_cannot_enrol_a_browser_in_the_owner_s_name(site: ServedSite, made: ShellBox) -> None:
    form = RemoteBrowser().asks_to_be_enrolled()
    async with site.client(site.owner) as client:
        async with client.post("/away/enrol", data=form, headers={"Origin": "https://evil.example"}) as answer:
            assert answer.status == 403
        async with client.post("/away/enrol", json=form) as answer:
            assert answer.status == 415
    assert made.store.browsers.browsers() == ()


async def test_one_s_own_is_ended_at_once_and_another_s_by_whoever_answers_for_the_people(
    site: ServedSite, made: ShellBox
) -> None:
    bruno = await site.guest(Role.HOUSEHOLD)
    hers, his = RemoteBrowser(), RemoteBrowser(label="Bruno's phone")
    async with site.client(site.owner) as anna, site.client(bruno) as client:
        await hers.enrol(anna)
        await his.enrol(client)
        assert (await asked(client, {"id": hers.browser}, "/away/end"))[0] == 403
        assert (await asked(client, {"id": "brw-nothing"}, "/away/end"))[0] == 404
        assert (await asked(anna, {"id": his.browser}, "/away/end"))[0] == 200
        again = RemoteBrowser(label="again")
        await again.enrol(client)
        made.time.mono += 301
        assert (await asked(anna, {"id": again.browser}, "/away/end"))[0] == 401, "the password first"
        assert (await asked(client, {"id": again.browser}, "/away/end"))[0] == 200
        assert [one.id for one in made.store.browsers.browsers()] == [hers.browser]
        async with anna.get("/settings/sign-ins", headers={"Accept-Language": "en"}) as answer:
            told = re.sub(r"\s+", " ", await answer.text())
    assert "Anna reaches the house from afar" in told
    assert "Anna ended a browser of Bruno" in told


async def test_it_stands_on_the_settings_page_with_a_button_that_ends_it(site: ServedSite, made: ShellBox) -> None:
    phone = RemoteBrowser(label="<b>phone</b>")
    async with site.client(site.owner) as client:
        await phone.enrol(client)
        async with client.get("/settings", headers={"Accept-Language": "en"}) as answer:
            page = await answer.text()
        assert "<b>&lt;b&gt;phone&lt;/b&gt;</b>" in page
        (action,) = re.findall(r'action="(/away/end[^"]*)"', page)
        async with client.post(action, data={"id": phone.browser}) as answer:
            assert "phone" not in await answer.text()
            assert answer.url.path == "/settings"
    assert made.store.browsers.browsers() == ()
