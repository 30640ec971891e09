"""Every address of the pages, and who may come there: cell by cell, at a real server."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession, WSMsgType

from gateway.protocol.owner_requests import parse_owner_request
from gateway.web.auth.roles import Role
from gateway.web.server.authorization import REQUEST_RIGHTS
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.site import serve_site

JSON = {"Accept": "application/json"}
OWNER, HOUSEHOLD, INSTALLER, NOBODY = "owner", "household", "installer", "nobody"

# What each sees: o opens, f is forbidden, c is asked for the password again, n is not found (so: was let in).
PAGES = {
    "/": (OWNER, HOUSEHOLD, INSTALLER),
    "/live": (OWNER, HOUSEHOLD),
    "/live/nowhere": (OWNER, HOUSEHOLD),
    "/live/nowhere/pictures": (OWNER, HOUSEHOLD),
    "/history": (OWNER, HOUSEHOLD),
    "/history/nobody": (OWNER, HOUSEHOLD),
    "/film/nothing.mp4": (OWNER, HOUSEHOLD),
    "/parcels": (OWNER,),
    "/returns": (OWNER, HOUSEHOLD),
    "/brands": (OWNER, HOUSEHOLD),
    "/receptions": (OWNER, HOUSEHOLD),
    "/keepers": (OWNER, HOUSEHOLD),
    "/guests": (OWNER, HOUSEHOLD),
    "/guests/stay/s1/statement.json": (OWNER, HOUSEHOLD),
    "/cars": (OWNER, HOUSEHOLD),
    "/room": (OWNER, HOUSEHOLD),
    "/household": (OWNER, HOUSEHOLD),
    "/settings": (OWNER, HOUSEHOLD, INSTALLER),
    "/settings/messages": (OWNER, HOUSEHOLD),
    "/settings/sign-ins": (OWNER, HOUSEHOLD, INSTALLER),
    "/settings/privacy": (OWNER,),
    "/settings/hub": (OWNER,),
    "/installation": (OWNER, INSTALLER),
    "/installation/add": (OWNER, INSTALLER),
    "/installation/accounts": (OWNER, INSTALLER),
    "/installation/remove/lock": (OWNER,),
    "/installation/examination": (OWNER, INSTALLER),
    "/installation/walk/front": (OWNER, INSTALLER),
    "/installation/walk/front/picture/0": (OWNER, INSTALLER),
    "/installation/walk/front/report.pdf": (OWNER, INSTALLER),
    "/confirm": (OWNER, HOUSEHOLD, INSTALLER),
}
DOES = {
    "stop": (OWNER, HOUSEHOLD, INSTALLER),
    "lift": (OWNER, HOUSEHOLD),
    "clear_lockout": (OWNER, HOUSEHOLD),
    "acknowledge": (OWNER, HOUSEHOLD),
    "approve": (OWNER, HOUSEHOLD),
    "refuse": (OWNER, HOUSEHOLD),
    "refuse_delivery": (OWNER, HOUSEHOLD),
    "give_time": (OWNER, HOUSEHOLD),
    "refuse_time": (OWNER, HOUSEHOLD),
    "take_in": (OWNER, HOUSEHOLD),
    "home": (OWNER, HOUSEHOLD),
    "nobody_home": (OWNER, HOUSEHOLD),
    "away": (OWNER, HOUSEHOLD),
    "pause": (OWNER, HOUSEHOLD),
    "end_pause": (OWNER, HOUSEHOLD),
    "lock": (OWNER, HOUSEHOLD, INSTALLER),
    "permit": (OWNER,),
    "refuse_brand": (OWNER,),
    "revoke": (OWNER,),
    "hold": (OWNER, HOUSEHOLD),
}
CONFIRMED = {"release": (OWNER,), "erase": (OWNER,)}
# what asks for the password again already to be looked at
GUARDED = {
    "/settings/moving-out": (OWNER,),
    "/settings/moving-out/everything.zip": (OWNER,),
}
FORMS = {
    "/household/invite": (OWNER,),
    "/household/withdraw": (OWNER,),
    "/household/remove": (OWNER,),
    "/receptions/desk/link": (OWNER,),
    "/receptions/desk/end": (OWNER,),
    "/guests/pass": (OWNER,),
    "/guests/pass/p1": (OWNER,),
    "/guests/stay": (OWNER,),
    "/guests/stay/s1": (OWNER,),
    "/keepers/claire/link": (OWNER,),
    "/keepers/claire/card": (OWNER,),
    "/keepers/claire/renew": (OWNER,),
    "/keepers/claire/withdraw": (OWNER,),
    "/keepers/claire/withdraw-all": (OWNER,),
    "/settings/privacy/retention": (OWNER,),
    "/settings/privacy/live": (OWNER,),
    "/settings/moving-out/wipe": (OWNER,),
    "/settings/moving-out/offer": (OWNER,),
    "/settings/moving-out/withdraw": (OWNER,),
}


@pytest.fixture
async def clients(tmp_path: Path) -> AsyncIterator[dict[str, ClientSession]]:
    """One signed-in client a role, and one of nobody."""
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made), serve_site(made) as site:
        who = {
            OWNER: site.owner,
            HOUSEHOLD: await site.guest(Role.HOUSEHOLD, "Bruno"),
            INSTALLER: await site.guest(Role.INSTALLER, "Ines"),
            NOBODY: None,
        }
        made.time.mono += 301  # the owner's password, given to invite them, no longer counts as just given
        clients = {name: site.client(somebody) for name, somebody in who.items()}
        yield clients
        for client in clients.values():
            await client.close()


async def test_each_page_opens_to_those_who_may_see_it_and_leads_others_to_the_door(
    clients: dict[str, ClientSession],
) -> None:
    for path, let_in in PAGES.items():
        for name, client in clients.items():
            async with client.get(path, allow_redirects=False) as answer:
                if name in let_in:
                    assert answer.status in (200, 404), (path, name)
                elif name == NOBODY:
                    assert (answer.status, answer.headers["Location"]) == (303, f"/enter?back={path}"), (path, name)
                else:
                    assert answer.status == 403, (path, name)


async def test_what_shows_or_ends_everything_asks_the_owner_for_his_password_and_others_not_at_all(
    clients: dict[str, ClientSession],
) -> None:
    for path, let_in in GUARDED.items():
        for name, client in clients.items():
            async with client.get(path, allow_redirects=False) as answer:
                if name in let_in:
                    assert (answer.status, answer.headers["Location"]) == (303, f"/confirm?back={path}"), (path, name)
                else:
                    assert answer.status == (303 if name == NOBODY else 403), (path, name)


OPEN = (
    "/take-over/",
    "/enter",
    "/claim",
    "/join/",
    "/desk/in/",
    "/keeper/in/",
    "/guest/",
    "/supervisor/in/",
    "/link/",
    "/push/picture/",
    "/c/",
    "/certificate",
    "/static/",
    "/shared/",
    "/language",
    "/away/front",  # the page for away from home: no fact of the house is in it
    "/away/worker.js",
    *("/worker.js", "/manifest/", "/offline/"),  # the same: what a browser installs
)


@pytest.mark.parametrize("how", ["nobody", "signed out", "removed", "another box's"])
async def test_every_address_there_is_leads_who_is_not_in_to_the_door(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The addresses are the server's own list: a new one that is forgotten above is still tried here."""
    monkeypatch.setattr("gateway.web.server.connection_limits.STRANGER_REQUESTS_BURST", 1000.0)
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made), serve_site(made) as site:
        bruno = await site.guest(Role.HOUSEHOLD)
        if how == "signed out":
            await site.accounts.sign_out(bruno.user)
        elif how == "removed":
            await site.accounts.remove_person(site.owner.user, bruno.user.person, made.clock.now())
        elif how == "another box's":
            bruno = replace(bruno, session=bruno.session[:-1] + ("A" if bruno.session[-1] != "A" else "E"))
        async with site.client(None if how == "nobody" else bruno) as client:
            tried = 0
            for route in site.site._runner.app.router.routes():  # noqa: SLF001 - its own list
                assert route.resource is not None
                path = re.sub(r"\{[^}]*\}", "front", route.resource.canonical)
                if path.startswith(OPEN) or path == "/away":
                    continue
                tried += 1
                fields = {"do": "stop"} if route.method == "POST" else None
                async with client.request(route.method, path, data=fields, headers=JSON) as answer:
                    assert answer.status == 401, (route.method, path)
            assert tried > 20
        assert not made.front.is_stopped()


async def test_each_wish_is_granted_to_those_who_may_ask_it(clients: dict[str, ClientSession]) -> None:
    fields = {
        "visit": "nobody",
        "scanner": "nobody",
        "brand": "shop",
        "end": "2020-01-01T00:00:00Z",
        "pause": "nobody",
        "delivery": "shop.nothing",
    }
    needs = {"approve": "visit", "refuse": "visit", "hold": "visit", "release": "visit", "erase": "visit",
             "clear_lockout": "scanner", "permit": "brand", "refuse_brand": "brand", "revoke": "brand",
             "pause": "end", "end_pause": "pause", "refuse_delivery": "delivery", "give_time": "delivery",
             "refuse_time": "delivery", "take_in": "delivery"}  # fmt: skip
    for do, let_in in (DOES | CONFIRMED).items():
        body = {"do": do, **({needs[do]: fields[needs[do]]} if do in needs else {})}
        for name, client in clients.items():
            async with client.post("/entrance/front", data=body, headers=JSON) as answer:
                if name in let_in and do in CONFIRMED:
                    assert answer.status == 401, (do, name)
                elif name in let_in:
                    assert answer.status in (200, 409), (do, name)
                else:
                    assert answer.status == (401 if name == NOBODY else 403), (do, name)


async def test_people_are_the_owners_matter_and_ask_for_his_password(clients: dict[str, ClientSession]) -> None:
    for path, let_in in FORMS.items():
        for name, client in clients.items():
            async with client.post(path, data={"role": "household"}, allow_redirects=False) as answer:
                if name in let_in:
                    assert answer.status == 401, (path, name)
                    page = await answer.text()
                    assert f'action="{path}"' in page
                    assert '<input type="hidden" name="role" value="household">' in page, "the form is kept"
                else:
                    assert answer.status == (303 if name == NOBODY else 403), (path, name)


async def test_a_pause_is_the_household_s_to_plan_and_to_end(clients: dict[str, ClientSession]) -> None:
    for path in ("/pause", "/pause/end"):
        for name, client in clients.items():
            async with client.post(path, data={"pause": "nobody"}, headers=JSON) as answer:
                seen = 409 if name in (OWNER, HOUSEHOLD) else 401 if name == NOBODY else 403
                assert answer.status == seen, (path, name)


async def test_the_live_connection_and_a_camera_are_for_nobody_who_is_not_signed_in(
    clients: dict[str, ClientSession],
) -> None:
    for path in ("/feed", "/live/cam"):
        async with clients[NOBODY].get(path, headers=JSON) as answer:
            assert answer.status == 401


async def test_an_installer_s_live_connection_shows_no_visit_s_story(clients: dict[str, ClientSession]) -> None:
    async with clients[INSTALLER].ws_connect("/feed") as feed:
        await feed.send_json({"want": ["en/timeline/front", "en/expected/home", "en/pause/front", "en/state/front"]})
        parts: dict[str, str] = {}
        for _ in range(3):
            parts |= (await feed.receive_json(timeout=20)).get("parts", {})
        assert set(parts) == {"en/state/front"}


def test_each_wish_there_is_has_a_right() -> None:
    known = {"stop", "lift", *DOES, *CONFIRMED}
    assert known == set(REQUEST_RIGHTS)
    assert "one of" in str(parse_owner_request(b'{"id":"x","do":"dance"}'))
    assert all(f"'{do}'" in str(parse_owner_request(b'{"id":"x","do":"dance"}')) for do in REQUEST_RIGHTS)


async def test_a_session_that_ends_ends_its_pages_too(tmp_path: Path) -> None:
    made: ShellBox
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made), serve_site(made) as site:
        bruno = await site.guest(Role.HOUSEHOLD)
        async with site.client(bruno) as client, client.ws_connect("/feed") as feed:
            await feed.send_json({"want": ["en/state/front"]})
            while "parts" not in await feed.receive_json(timeout=20):
                pass
            await site.accounts.confirm_password(site.owner.user, "seven green herons", made.clock.now())
            await site.accounts.remove_person(site.owner.user, bruno.user.person, made.clock.now())
            async with client.get("/", allow_redirects=False) as answer:
                assert answer.status == 303
            made.front.publish_change()
            while (message := await feed.receive(timeout=20)).type is WSMsgType.TEXT:
                assert "parts" not in message.json()
            assert feed.close_code == 1008, "a page that hears on would go on to show what was so"
