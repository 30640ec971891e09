"""Moving out, on the pages: everything to take along, the box wiped, the house handed over."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientPayloadError, ClientSession
from playwright.async_api import expect

from devices.reports import LockState
from gateway.cli.owner import verify_folder
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.promise import State
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance
from gateway.evidence import export
from gateway.protocol.owner_requests import AnyOwnerRequest
from gateway.runtime.maintenance import factory_reset
from gateway.web.auth.roles import Role
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.gateway.domain.delivery.house import make_step, receive
from tests.gateway.domain.delivery.shop import make_offer
from tests.gateway.evidence.visits import SealingBox as Prover
from tests.gateway.web.house import ANNA_PASSWORD
from tests.guestcodes import leave_code
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import entrance_in_visit, make_home
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER

ENGLISH = {"Accept-Language": "en"}
HERE = "/settings/moving-out"


@pytest_asyncio.fixture(loop_scope="session")
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        await made.good_day()
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def site(made: ShellBox) -> AsyncIterator[ServedSite]:
    async with serve_site(made) as site:
        yield site


async def filmed(made: ShellBox, visit: str) -> None:
    """An incident was filmed, and is over."""
    await made.store.commit(make_step(Entrance(id="front", incident=visit), c.StartRecording(visit=visit)))
    await made.store.commit(make_step(Entrance(id="front")))


async def asked(client: ClientSession, what: str, **fields: str) -> tuple[int, str]:
    async with client.post(f"{HERE}/{what}?back={HERE}", data=fields, headers=ENGLISH, allow_redirects=False) as answer:
        return answer.status, await answer.text()


# ---- take everything along -------------------------------------------------------------------------------------------


async def everything(client: ClientSession) -> zipfile.ZipFile:
    async with client.get(f"{HERE}/everything.zip", headers=ENGLISH) as answer:
        assert (answer.status, answer.content_type) == (200, "application/zip")
        assert "Content-Length" not in answer.headers, "nobody knows the length of what is made while it is read"
        return zipfile.ZipFile(io.BytesIO(await answer.read()))


async def test_all_that_was_taken_along_can_be_verified_where_it_was_unpacked(
    site: ServedSite, made: ShellBox, tmp_path: Path
) -> None:
    films = made.home.storage.folder / "visits"
    films.mkdir(exist_ok=True)
    Prover(key=made.key).visit(films, visit="v1")
    async with site.client(site.owner) as client:
        archive = await everything(client)
    assert archive.testzip() is None
    archive.extractall(tmp_path / "unpacked")
    (top,) = (tmp_path / "unpacked").iterdir()
    holds, said = verify_folder(top / "visits" / "v1", key=top / "box.pub.pem", checkpoint=None)
    assert holds, said
    people = json.loads((top / "people.json").read_text())
    assert [(one["name"], one["role"]) for one in people] == [("Anna", "owner")]
    permissions = json.loads((top / "permissions.json").read_text())
    assert {one["brand"] for one in permissions} == set(made.home.brands)
    log = [json.loads(line) for line in (top / "log.jsonl").read_text().splitlines()]
    assert [row["seq"] for row in log] == list(range(1, len(log) + 1))
    assert any(row.get("body", {}).get("kind") == "person_added" for row in log)
    readme = (top / "README.txt").read_text()
    assert f"perron verify {top.name}/visits/VISIT" in readme
    assert b"argon2" not in b"".join(path.read_bytes() for path in top.glob("*.json"))


async def test_a_visit_under_way_and_what_is_no_plain_file_stay_behind(site: ServedSite, made: ShellBox) -> None:
    films = made.home.storage.folder / "visits"
    for visit in ("0f3a-visit", "v1"):
        (films / visit).mkdir(parents=True)
        (films / visit / "cam.mp4").write_bytes(b"film")
    (films / "v1" / "passwd").symlink_to("/etc/passwd")
    (films / "v1" / ".cam.mp4.new").write_bytes(b"half")
    made.front.state = entrance_in_visit(made.home)
    async with site.client(site.owner) as client:
        names = {name.partition("/")[2] for name in (await everything(client)).namelist()}
    assert {name for name in names if name.startswith("visits/")} == {"visits/v1/cam.mp4"}


async def test_what_is_sealed_is_taken_along_while_its_courier_may_still_come_out(
    site: ServedSite, made: ShellBox
) -> None:
    film = made.home.storage.folder / "visits" / "0f3a-visit" / "cam.mp4"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"film")
    await filmed(made, "0f3a-visit")
    state = entrance_in_visit(made.home)
    made.front.state = replace(state, visit=None, grace_visit=state.visit)
    async with site.client(site.owner) as client:
        assert not [name for name in (await everything(client)).namelist() if name.endswith("cam.mp4")]
        await made.store.recordings.mark_sealed("0f3a-visit", 1, "0" * 64, made.clock.now())
        assert [name for name in (await everything(client)).namelist() if name.endswith("/visits/0f3a-visit/cam.mp4")]


async def test_it_is_never_whole_in_memory(site: ServedSite, made: ShellBox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece leaves before the next is read: a film of 20 MB goes in pieces of a quarter of a MB."""
    film = made.home.storage.folder / "visits" / "v1" / "cam.mp4"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"f" * 20_000_000)
    largest, real = 0, export.stream_zip

    async def watched(*given: object, **named: object) -> AsyncIterator[bytes]:
        nonlocal largest
        async for piece in real(*given, **named):  # type: ignore[arg-type]  # handed on as it comes
            largest = max(largest, len(piece))
            yield piece

    monkeypatch.setattr("gateway.web.pages.decommission.stream_zip", watched)
    async with site.client(site.owner) as client:
        archive = await everything(client)
    assert archive.getinfo(archive.namelist()[-1]).file_size == 20_000_000
    assert largest < 2 * export.CHUNK_BYTES


async def test_who_is_signed_out_meanwhile_gets_no_more_and_no_whole_archive(site: ServedSite, made: ShellBox) -> None:
    film = made.home.storage.folder / "visits" / "v1" / "cam.mp4"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"f" * 60_000_000)  # more than fits between the box and a reader who waits
    async with site.client(site.owner) as client, client.get(f"{HERE}/everything.zip") as answer:
        await answer.content.readany()
        async with client.get(f"{HERE}/everything.zip") as another:
            assert another.status == 429, "one copy at a time"
        await site.accounts.sign_out(site.owner.user)
        with pytest.raises(ClientPayloadError):
            await answer.read()


# ---- wipe ------------------------------------------------------------------------------------------------------------


async def test_nothing_is_wiped_without_the_house_s_name(site: ServedSite, made: ShellBox) -> None:
    async with site.client(site.owner) as client:
        for name in ("", "Homer", "home\0"):
            status, text = await asked(client, "wipe", name=name)
            assert (status, "This is not the house&#39;s name: Home" in text) == (422, True)
    assert not factory_reset.is_marked_for_wipe(made.home.storage.folder)
    assert not made.front.is_stopped()


async def test_it_is_stopped_announced_marked_and_then_the_box_begins_anew(site: ServedSite, made: ShellBox) -> None:
    await receive(made.store, make_offer(id="d1", parcels=("8L20524752032",)), now=made.clock.now())
    async with site.client(site.owner) as client:
        status, text = await asked(client, "wipe", name="  home ")
    assert (status, "The box is being wiped" in text) == (200, True)
    assert made.began_again == 1
    assert factory_reset.is_marked_for_wipe(made.home.storage.folder)
    assert made.front.is_stopped()
    results = [json.loads(one.payload) for one in made.line.on("perron/deliveries/result")]
    assert results[-1]["state"] == "cancelled"
    assert made.store.deliveries.changed_results(made.clock.now()) == ()


async def test_a_broker_that_is_away_keeps_nobody_from_being_forgotten(
    site: ServedSite, made: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.runtime.maintenance.decommission.ANNOUNCE_TIMEOUT_S", 0.05)
    await receive(made.store, make_offer(id="d1", parcels=("8L20524752032",)), now=made.clock.now())
    made.line.cut()
    async with site.client(site.owner) as client:
        assert (await asked(client, "wipe", name="Home"))[0] == 200
    assert (factory_reset.is_marked_for_wipe(made.home.storage.folder), made.began_again) == (True, 1)


@pytest.mark.parametrize("way", ["visit", "incident", "not locked", "broker away", "window"])
async def test_it_is_refused_in_plain_words_while_something_is_under_way(
    site: ServedSite, made: ShellBox, way: str
) -> None:
    said = {
        "visit": "a visit is under way (Front)",
        "incident": "a door opened without an order and is being filmed (Front)",
        "not locked": "the door is not proven locked (Front)",
        "broker away": "the door is not proven locked (Front)",
        "window": "a delivery&#39;s window is open, a courier may come (Front)",
    }
    state = made.front.state
    match way:
        case "visit":
            made.front.state = entrance_in_visit(made.home)
        case "incident":
            made.front.state = replace(state, incident="i1")
        case "not locked":
            made.front.state = replace(
                state, facts={**state.facts, "lock": replace(state.facts["lock"], value=LockState.UNLOCKED)}
            )
        case "broker away":
            made.front.state = replace(state, broker_session=None)
        case _:
            await receive(made.store, make_offer(id="d1", parcels=("8L20524752032",)), now=made.clock.now())
            made.time.mono += 2 * 3600
            await site.accounts.confirm_password(site.owner.user, ANNA_PASSWORD, made.clock.now())
    async with site.client(site.owner) as client:
        async with client.get(HERE, headers=ENGLISH) as answer:
            assert said[way] in await answer.text(), "told before anybody tries"
        status, text = await asked(client, "wipe", name="Home")
    assert (status, said[way] in text) == (409, True)
    assert not factory_reset.is_marked_for_wipe(made.home.storage.folder)
    assert not made.front.is_stopped()
    assert made.began_again == 0


async def test_a_visit_that_begins_while_it_is_decided_stands_in_the_way(
    site: ServedSite, made: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The house is stopped before it is looked at again: what began in between is found, what comes later is no."""
    real = made.removal.submit_request

    async def rings(entrance: str, request: AnyOwnerRequest, by: str | None) -> str | None:
        outcome = await real(entrance, request, by)
        made.front.state = entrance_in_visit(made.home)
        return outcome

    monkeypatch.setattr(made.removal, "submit_request", rings)
    async with site.client(site.owner) as client:
        assert (await asked(client, "wipe", name="Home"))[0] == 409
    assert not factory_reset.is_marked_for_wipe(made.home.storage.folder)


async def test_what_is_held_as_evidence_goes_only_where_that_was_ticked(site: ServedSite, made: ShellBox) -> None:
    await filmed(made, "v1")
    await made.store.recordings.set_hold("v1", "a dispute", made.clock.now())
    async with site.client(site.owner) as client:
        status, text = await asked(client, "wipe", name="Home")
        assert (status, "held as evidence: tick that they go too" in text) == (422, True)
        status, _ = await asked(client, "wipe", name="Home", films="leave")  # the other form's word is none here
        assert status == 409
        assert not factory_reset.is_marked_for_wipe(made.home.storage.folder)
        assert (await asked(client, "wipe", name="Home", held="1"))[0] == 200
    assert factory_reset.is_marked_for_wipe(made.home.storage.folder)


async def test_who_closes_the_page_meanwhile_stops_nothing_that_was_decided(
    site: ServedSite, made: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = asyncio.Event()
    real = made.removal._cancel_deliveries  # noqa: SLF001 - where it may take long

    async def slowly(by: str) -> None:
        going.set()
        await real(by)
        await wait_until(lambda: client.closed)

    monkeypatch.setattr(made.removal, "_cancel_deliveries", slowly)
    client = site.client(site.owner)
    asking = asyncio.create_task(asked(client, "wipe", name="Home"))
    await going.wait()
    asking.cancel()
    await client.close()
    await wait_until(lambda: made.began_again == 1)
    assert factory_reset.is_marked_for_wipe(made.home.storage.folder)


async def test_a_disk_that_does_not_take_the_mark_wipes_nothing(
    site: ServedSite, made: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(factory_reset, "mark_for_wipe", full)
    async with site.client(site.owner) as client:
        assert (await asked(client, "wipe", name="Home"))[0] == 503
    assert made.began_again == 0


async def test_another_page_can_neither_wipe_nor_offer(site: ServedSite, made: ShellBox) -> None:
    async with site.client(site.owner) as client:
        for what in ("wipe", "offer", "withdraw"):
            async with client.post(
                f"{HERE}/{what}", data={"name": "Home"}, headers={"Origin": "https://evil.example"}
            ) as answer:
                assert answer.status == 403
    assert not factory_reset.is_marked_for_wipe(made.home.storage.folder)
    assert made.began_again == 0


# ---- hand over -------------------------------------------------------------------------------------------------------


async def offered(client: ClientSession, **fields: str) -> str:
    status, text = await asked(client, "offer", name="Home", **fields)
    assert status == 200
    return "/take-over/" + text.partition("/take-over/")[2].partition("<")[0]


async def taken(client: ClientSession, link: str, name: str = "Clara") -> tuple[int, str]:
    async with client.post(
        link, data={"name": name, "password": ANNA_PASSWORD}, headers=ENGLISH, allow_redirects=False
    ) as answer:
        return answer.status, await answer.text()


async def test_the_next_owner_takes_the_house_and_nobody_from_before_has_access(
    site: ServedSite, made: ShellBox
) -> None:
    bruno, ines = await site.guest(Role.HOUSEHOLD), await site.guest(Role.INSTALLER, "Ines")
    invited = await site.accounts.invite(site.owner.user, Role.OWNER, made.clock.now())
    await receive(made.store, make_offer(id="d1", parcels=("8L20524752032",)), now=made.clock.now())
    await made.store.phones.set_recipients(["a-phone"], made.clock.now())
    async with (
        site.client(site.owner) as anna,
        site.client(bruno) as former,
        site.client(ines) as installer,
        site.client(None) as clara,
        former.ws_connect("/feed") as feed,
    ):
        link = await offered(anna)
        async with clara.get(link, headers=ENGLISH) as answer:
            assert "The films will be erased." in await answer.text()
        status, text = await taken(clara, link)
        assert (status, "The house is yours" in text) == (200, True)
        for client in (anna, former, installer):
            async with client.get("/", allow_redirects=False) as answer:
                assert answer.headers["Location"] == "/enter?back=/"
        async with clara.get("/", allow_redirects=False) as answer:
            assert answer.status == 200
        made.front.publish_change()
        while (await feed.receive(timeout=20)).type.name == "TEXT":
            pass
        assert feed.close_code == 1008
        async with anna.post(
            "/enter", data={"name": "Anna", "password": ANNA_PASSWORD}, allow_redirects=False
        ) as answer:
            assert answer.status == 422
        async with anna.get(f"/join/{getattr(invited, 'token', '')}") as answer:
            assert answer.status == 404
    assert made.began_again == 1
    assert [one.name for one in made.store.accounts.all_people()] == ["Clara"]
    assert {one.standing for one in made.store.brands.permissions()} == {PermissionStatus.REVOKED}
    now = made.clock.now()
    assert made.store.phones.pending("a-phone", now, until=now.utc) == ()
    assert [result.state for result in made.store.deliveries.changed_results(now)] == [State.CANCELLED]
    rows = [json.loads(one.body) for one in made.store.log.entries() if isinstance(one.body, bytes)]
    assert next(row for row in rows if row["kind"] == "house_taken_over")["people"] == 3
    assert not any("Anna" in json.dumps(row) or "Bruno" in json.dumps(row) for row in rows)


async def test_the_link_counts_once_and_not_after_it_was_withdrawn(site: ServedSite, made: ShellBox) -> None:
    async with site.client(site.owner) as anna, site.client(None) as clara:
        withdrawn = await offered(anna)
        async with anna.get(HERE, headers=ENGLISH) as answer:
            assert "A link is waiting" in await answer.text()
        assert (await asked(anna, "withdraw"))[0] == 303
        assert (await asked(anna, "withdraw"))[0] == 409
        replaced = await offered(anna)
        link = await offered(anna)
        for old in (withdrawn, replaced, link[:-2] + "xx", "/take-over/nonsense"):
            assert (await taken(clara, old))[0] == 404, old
        assert (await taken(clara, link))[0] == 200
    async with site.client(None) as again:
        assert (await taken(again, link, "Damien"))[0] == 404
    assert [one.name for one in made.store.accounts.all_people()] == ["Clara"]


async def test_of_two_who_take_it_at_once_one_has_it(site: ServedSite, made: ShellBox) -> None:
    async with site.client(site.owner) as anna, site.client(None) as one, site.client(None) as other:
        link = await offered(anna)
        outcomes = await asyncio.gather(taken(one, link, "Clara"), taken(other, link, "Damien"))
    statuses = {status for status, _ in outcomes}
    assert (min(statuses), max(statuses) in (404, 422)) == (200, True)
    assert len(made.store.accounts.all_people()) == 1


async def test_the_link_ends_after_a_week_and_with_who_gave_it(site: ServedSite, made: ShellBox) -> None:
    bruno = await site.guest(Role.OWNER)
    async with site.client(bruno) as giver, site.client(None) as clara:
        link = await offered(giver)
        await site.accounts.remove_person(site.owner.user, bruno.user.person, made.clock.now())
        assert (await taken(clara, link))[0] == 404
    async with site.client(site.owner) as anna, site.client(None) as clara:
        link = await offered(anna)
        made.time.mono += 7 * 86_400
        assert (await taken(clara, link))[0] == 404


async def test_nobody_takes_a_house_in_the_middle_of_a_visit(site: ServedSite, made: ShellBox) -> None:
    async with site.client(site.owner) as anna, site.client(None) as clara:
        link = await offered(anna)
        before, made.front.state = made.front.state, entrance_in_visit(made.home)
        status, text = await taken(clara, link)
        assert (status, "Not during a visit" in text) == (422, True)
        made.front.state = before
        assert (await taken(clara, link))[0] == 200


async def test_what_is_held_is_left_or_ticked_before_a_link_is_made(site: ServedSite, made: ShellBox) -> None:
    await filmed(made, "v1")
    await made.store.recordings.set_hold("v1", "a dispute", made.clock.now())
    async with site.client(site.owner) as client:
        assert (await asked(client, "offer", name="Home"))[0] == 422
        assert (await asked(client, "offer", name="Home", films="leave"))[0] == 200
        assert (await asked(client, "offer", name="Home", held="1"))[0] == 200


async def test_films_that_were_not_left_are_erased_with_all_that_was_said_of_them(
    site: ServedSite, made: ShellBox
) -> None:
    films = made.home.storage.folder / "visits"
    films.mkdir(exist_ok=True)
    Prover(key=made.key).visit(films, visit="known")
    await filmed(made, "known")
    Prover(key=made.key).visit(films, visit="forgotten")
    async with site.client(site.owner) as anna, site.client(None) as clara:
        assert (await taken(clara, await offered(anna)))[0] == 200
        made.archive.request_tidying()  # as at the start that follows
        await wait_until(lambda: made.store.recordings.films() == ())
        for visit in ("known", "forgotten"):
            assert [path.name for path in (films / visit).iterdir()] == ["erased.json"], visit
        async with clara.get("/history", headers=ENGLISH) as answer:
            assert "No visit is kept." in await answer.text()


async def test_films_that_were_left_stay_with_their_story(site: ServedSite, made: ShellBox) -> None:
    await filmed(made, "v1")
    async with site.client(site.owner) as anna, site.client(None) as clara:
        assert (await taken(clara, await offered(anna, films="leave")))[0] == 200
        made.archive.request_tidying()
        async with clara.get("/history/v1", headers=ENGLISH) as answer:
            assert answer.status == 200
    assert [film.erased for film in made.store.recordings.films(visit="v1")] == [None]


# ---- as people see it ------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_house_changes_hands_on_two_phones_with_nothing_in_the_way(site: ServedSite, made: ShellBox) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/settings")
        await page.get_by_role("link", name="Privacy").click()
        await page.get_by_label("Keep films for").fill("7")
        await page.get_by_role("button", name="Change how long").click()
        await expect(page.locator("dl")).to_contain_text("Erased after 7 days")
        await page.get_by_label("Always").check()
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_label("Always")).to_be_checked()

        await page.goto(f"{site.address}/settings")
        await page.get_by_role("link", name="Moving out").click()
        await page.get_by_label("To be sure").first.fill("not this house")
        await page.get_by_role("button", name="Make the link").click()
        await expect(page.get_by_role("alert")).to_contain_text("This is not the house's name: Home")
        assert await accessibility_problems(page) == []
        await page.get_by_label("To be sure").first.fill("home")
        await page.get_by_role("button", name="Make the link").click()
        link = await page.locator("code").first.inner_text()
        assert await accessibility_problems(page) == []

        other = await somebody.page(locale="fr-FR", color_scheme="dark")
        for where in (f"{site.address}/enter/again", link):
            await other.goto(where)
            assert await accessibility_problems(other) == [], where
        await other.get_by_label("Nom", exact=True).fill("Clara")
        await other.get_by_label("Nouveau mot de passe").fill(ANNA_PASSWORD)
        await other.get_by_role("button", name="Prendre la maison").click()
        await expect(other.locator("h1")).to_have_text("La maison est à vous")
        assert await accessibility_problems(other) == []
        await page.goto(f"{site.address}/")
        await expect(page.locator("h1")).to_have_text("Sign in")
        somebody.complaints.clear()  # the 422 that was asked for
    assert made.store.privacy.chosen_retention_days() is None, "what the former owner chose does not bind the next one"
    assert made.began_again == 1


@pytest.mark.slow
async def test_a_camera_inside_says_why_it_is_not_shown(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/live")
        hall = page.locator("[data-camera=hall]").first
        await expect(hall).to_contain_text("Available while a courier is here")
        await expect(hall.get_by_role("button")).to_have_count(0)
        assert await accessibility_problems(page) == []


async def test_a_code_that_a_keypad_keeps_is_named_and_the_owner_says_that_it_is_deleted_there(
    site: ServedSite, made: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.runtime.maintenance.decommission.CODES_TIMEOUT_S", 0.2)
    await leave_code(made.store, made.clock.now(), keypad="garden-pad")
    async with site.client(site.owner) as client:
        await client.post("/confirm?back=/", data={"password": ANNA_PASSWORD}, allow_redirects=False)
        async with client.get(HERE, headers=ENGLISH) as answer:
            assert "do not prove them gone: garden-pad" in await answer.text()
        status, text = await asked(client, "wipe", name=made.home.name)
        assert (status, "garden-pad may still have a guest&#39;s code, which is being withdrawn" in text) == (409, True)
        assert not factory_reset.is_marked_for_wipe(made.home.storage.folder)
        assert (await asked(client, "wipe", name=made.home.name, codes="1"))[0] == 200
    assert factory_reset.is_marked_for_wipe(made.home.storage.folder)
