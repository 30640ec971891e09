"""The page of guests and the guest's own page, at a real server and in a real browser."""

import base64
import io
import os
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import expect

from gateway.domain.frozen import replace
from gateway.domain.guests.bookings import Booking, Reading, ReadingFailure, SourceStatus
from gateway.domain.guests.passes import Pass, PassState
from gateway.domain.guests.provisioning import CodeState
from gateway.domain.visit import commands as c
from gateway.evidence.stay_statement import StayStatement
from gateway.protocol.booking_reader import ReadSource, SourceFailed, SourceRead
from gateway.storage.bookings import Proposing
from gateway.web.pages.guests import NOT_ADDED_TEXTS
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.gateway.runtime.test_guests import Keypad, granted, guest_home, new_pass
from tests.gateway.web.house import ANNA_PASSWORD
from tests.gateway.web.tour import propose_bookings
from tests.lens import read_all_codes, read_screen_code
from tests.shell.box import ShellBox, box, run_box
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER
NIGHTS = timedelta(days=3)
ENGLISH = {"Accept-Language": "en"}


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    async with box(tmp_path, guest_home(tmp_path, keypads=("pad",))) as made, run_box(made):
        await made.good_day()
        async with serve_site(made) as site:
            yield site


def local(made: ShellBox, hours: float) -> str:
    """So many hours from now, as a form writes it."""
    at = made.clock.now().utc + timedelta(hours=hours)
    return at.strftime("%Y-%m-%dT%H:%M")


async def post(site: ServedSite, path: str, fields: list[tuple[str, str]]) -> tuple[int, str]:
    async with (
        site.client(site.owner) as client,
        client.post("/confirm?back=/guests", data={"password": ANNA_PASSWORD}, allow_redirects=False) as confirmed,
        client.post(path, data=fields, headers=ENGLISH, allow_redirects=False) as answer,
    ):
        assert confirmed.status == 303
        return answer.status, await answer.text()


async def shown(site: ServedSite, path: str, language: str = "en") -> tuple[int, str]:
    async with (
        site.client(site.owner) as client,
        client.get(path, headers={"Accept-Language": language}, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text()


def fields(made: ShellBox, **changes: str) -> list[tuple[str, str]]:
    usual = {"guest": "Anna <b>", "entrance": "front", "from": local(made, -1), "to": local(made, 48), "day": "mon"}
    return [*(usual | changes).items(), *(("day", day) for day in ("tue", "wed", "thu", "fri", "sat", "sun"))]


async def test_the_host_grants_a_pass_whose_page_shows_the_code_and_ends_with_it(site: ServedSite) -> None:
    status, page = await post(site, "/guests/pass", fields(site.box))
    assert status == 200
    assert "Anna &lt;b&gt;" in page
    (path,) = set(re.findall(r"/guest/[a-z0-9.]+", page))
    (held,) = site.box.store.guests.passes()
    (picture,) = re.findall(r'href="data:image/png;base64,([^"]+)" download', page)
    saved = Image.open(io.BytesIO(base64.b64decode(picture)))
    assert read_all_codes(saved) == [site.box.reception.guests.code(held)]
    status, own = await shown(site, path)
    assert status == 200
    assert "nothing is filmed and no picture is taken" in own
    assert "No stay holds now" in own
    site.box.scan(site.box.reception.guests.code(held))
    await wait_until(lambda: site.box.commands(c.Unlock))
    assert not site.box.commands(c.StartRecording)
    assert (await post(site, f"/guests/pass/{held.id}", [("do", "revoke")]))[0] == 303
    status, over = await shown(site, path)
    assert (status, "This pass is over" in over) == (410, True)
    assert "Withdrawn: it opens nothing" in (await shown(site, "/guests"))[1]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"guest": " "}, "Give the guest a name"),
        ({"to": "2020-01-01T10:00"}, "The end has to come after the beginning"),
        ({"from": "nonsense"}, "Give the beginning and the end"),
        ({"entrance": "garage"}, "Choose at least one entrance"),
        ({"hours": "9-10"}, "Write the hours like"),
        ({"openings": "0"}, "A pass opens 1 to 1000 times"),
        ({"openings": "many"}, "A pass opens 1 to 1000 times"),
    ],
)
async def test_a_pass_that_cannot_be_says_what_to_change(site: ServedSite, changes: dict[str, str], text: str) -> None:
    status, page = await post(site, "/guests/pass", fields(site.box, **changes))
    assert status == 422
    assert text in page
    assert not site.box.store.guests.passes()


async def test_the_host_reads_in_words_of_a_pass_why_a_guest_was_turned_away(site: ServedSite) -> None:
    new = replace(new_pass(site.box), hours="00:00-00:01")
    held = await site.box.reception.guests.grant(new, "anna")
    assert isinstance(held, Pass)
    site.box.scan(site.box.reception.guests.code(held))
    await wait_until(lambda: site.box.commands(c.AnswerScan))
    for path, language, text in (
        ("/history", "en", "outside the days or hours of the pass"),
        ("/history", "fr", "en dehors des jours ou des heures du passe"),
    ):
        assert text in (await shown(site, path, language))[1]


async def test_a_stay_shows_in_words_that_it_holds_and_the_guest_reads_that_nothing_is_filmed(site: ServedSite) -> None:
    times = [("guest", "Anna"), ("from", local(site.box, -1)), ("to", local(site.box, 48))]
    assert (await post(site, "/guests/stay", times))[0] == 303
    assert "Holds now: nothing is filmed" in (await shown(site, "/guests"))[1]
    held = await granted(site.box)
    own = site.box.reception.guests.page(held)
    assert "nothing at all is filmed" in (await shown(site, own))[1]
    await wait_until(lambda: site.box.front.state.stays)
    (stay,) = site.box.store.guests.stays()
    for path in (f"/guests/stay/{stay.id}/statement.json", f"{own}/statement.json"):
        status, text = await shown(site, path)
        statement = StayStatement.from_json(text.encode())
        assert (status, statement.stay, statement.films) == (200, stay.id, ())
        assert statement.is_signed_by(site.box.key.public)
    assert (await post(site, f"/guests/stay/{stay.id}", [("do", "end")]))[0] == 303
    page = (await shown(site, "/guests"))[1]
    assert "Over" in page
    assert "End the stay" not in page
    assert (await shown(site, f"/guests/stay/{stay.id}/statement.json"))[0] == 200
    assert (await shown(site, f"{own}/statement.json"))[0] == 404, "no stay holds now"


async def test_home_and_live_say_until_when_guests_stay_and_that_the_inside_camera_is_off(site: ServedSite) -> None:
    held, off = "Guests stay until", "Off while guests stay, until"
    assert not {word for word in (held, off) if word in (await shown(site, "/"))[1]}
    times = [("guest", "Anna"), ("from", local(site.box, -1)), ("to", local(site.box, 48))]
    await post(site, "/guests/stay", times)
    await wait_until(lambda: site.box.front.state.stays)
    home, live = (await shown(site, "/"))[1], (await shown(site, "/live"))[1]
    assert f"{held} Fri 12 Jun" in home
    assert home.count(off) == live.count(off) == 1, "only the camera inside"
    assert ">Available while a courier is here" not in live
    assert 'data-private="stay"' in live, "a guest's visit does not make it available"


async def test_of_a_stay_that_has_not_begun_or_does_not_exist_nothing_is_stated(site: ServedSite) -> None:
    times = [("guest", "Anna"), ("from", local(site.box, 24)), ("to", local(site.box, 48))]
    assert (await post(site, "/guests/stay", times))[0] == 303
    (stay,) = site.box.store.guests.stays()
    assert "Signed statement" not in (await shown(site, "/guests"))[1]
    held = await granted(site.box)
    own = site.box.reception.guests.page(held)
    for path in (
        f"/guests/stay/{stay.id}/statement.json",
        "/guests/stay/nobody/statement.json",
        f"{own}/statement.json",
    ):
        assert (await shown(site, path))[0] == 404
    await site.box.reception.guests.change(held.id, PassState.REVOKED, None)
    assert (await shown(site, f"{own}/statement.json"))[0] == 404


async def test_the_host_accepts_a_booking_is_asked_about_it_and_answers(site: ServedSite) -> None:
    made = site.box
    how = Proposing(source="airbnb", entrances=frozenset({"front"}), stays=True)
    starts = made.clock.now().utc + timedelta(days=2)
    booking = Booking(uid="1", guest="Anna <b>", starts=starts, ends=starts + timedelta(days=3))
    made.store.booking_sources["airbnb"] = SourceStatus(why=ReadingFailure.UNREACHABLE, failed_since=starts)

    async def answer(do: str, page: str) -> int:
        """Press a button of a page as it was shown."""
        seen = re.findall(r'name="seen" value="([^"]+)"', page)
        fields = [("do", do), *[("seen", dates) for dates in seen]]
        return (await post(site, path, fields))[0]

    async def read(*bookings: Booking) -> str:
        await made.store.bookings.take_reading(how, Reading(bookings=bookings), made.clock.now())
        return (await shown(site, "/guests"))[1]

    page = await read(booking)
    assert "airbnb proposes it: nothing changes until you accept it." in page
    assert "Anna &lt;b&gt;" in page
    assert "Its server does not answer" in page
    assert "No stay is planned." in page
    assert "No pass is granted." in page
    (path,) = set(re.findall(r"/guests/booking/[a-z0-9:]+", page))
    longer = replace(booking, ends=booking.ends + timedelta(days=1))
    await read(longer)
    assert await answer("accept", page) == 409, "these are not the dates that the host saw"
    assert await answer("accept", await read(booking)) == 303
    assert "Accepted, from airbnb" in await read(booking)
    page = await read(longer)
    assert "airbnb has other dates now" in page
    await read(replace(longer, ends=longer.ends + timedelta(days=300)))
    assert await answer("move", page) == 409
    assert await answer("move", await read(longer)) == 303
    assert "Accepted, from airbnb" in await read(longer)
    await read()
    page = await read()
    assert "Was it cancelled?" in page
    assert await answer("keep", page) == 303
    assert "Was it cancelled?" not in await read()
    assert (await post(site, path, [("do", "withdraw")]))[0] == 303
    assert "No booking is open." in await read()
    assert (await post(site, path, [("do", "withdraw")]))[0] == 409
    assert (await post(site, path, [("do", "nonsense")]))[0] == 400


def test_what_is_not_kept_is_never_said_to_be_tried_again_by_the_box() -> None:
    assert set(NOT_ADDED_TEXTS) == set(ReadingFailure)
    for failure, text in NOT_ADDED_TEXTS.items():
        assert "The box tries" not in text.to("en"), failure
        assert "If this lasts" not in text.to("en"), failure


def calendar_fields(**changes: str) -> list[tuple[str, str]]:
    usual = {"name": "Airbnb", "address": "webcal://ical.example/1.ics?s=7b3e", "arrival": "15:00",
             "departure": "11:00", "password": ANNA_PASSWORD}  # fmt: skip
    return [*(usual | changes).items()]


async def test_the_host_pastes_the_address_of_a_calendar_reads_what_is_in_it_and_removes_it(
    site: ServedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, asked = site.box, list[ReadSource]()
    starts = made.clock.now().utc + timedelta(days=2)
    answers: list[SourceRead | SourceFailed] = [
        SourceFailed(why=ReadingFailure.UNREADABLE),
        SourceRead.of(Reading(bookings=(Booking(uid="1", guest="Anna <b>", starts=starts, ends=starts + NIGHTS),))),
    ]

    async def answer(_command: object, request: ReadSource, **_more: float) -> SourceRead | SourceFailed:
        asked.append(request)
        return answers.pop(0)

    monkeypatch.setattr("gateway.runtime.calendars.ask_reader", answer)
    pages = []
    for fields, status, text in (
        ([*calendar_fields()[:-1], ("password", "no")], 422, "password"),
        (calendar_fields(name="!"), 422, "Give the calendar a name"),
        (calendar_fields(arrival="9"), 422, "Write the hours of arrival"),
        (calendar_fields(), 422, "is not kept. What its server sends is no calendar"),
        (calendar_fields(), 200, "airbnb was read. Bookings: 1. The next: "),
        (calendar_fields(), 422, "A calendar of this name is there already"),
    ):
        got, page = await post(site, "/guests/calendar", fields)
        assert (got, text in page) == (status, True), (text, page)
        pages.append(page)
    assert [one.address for one in asked] == ["https://ical.example/1.ics?s=7b3e"] * 2
    pages.append((await shown(site, "/guests"))[1])
    assert not any("7b3e" in page for page in pages), "the address is shown to nobody"
    assert "(ical.example)" in pages[-1]
    assert "Anna &lt;b&gt;" in pages[-1]
    assert (await post(site, "/guests/calendar/airbnb", [("do", "nonsense")]))[0] == 400
    assert (await post(site, "/guests/calendar/airbnb", [("do", "remove")]))[0] == 303
    assert (await post(site, "/guests/calendar/airbnb", [("do", "remove")]))[0] == 404
    assert "ical.example" not in (await shown(site, "/guests"))[1]


async def test_a_guest_opens_the_link_reads_what_is_filmed_comes_in_by_the_code_and_ends_the_pass(
    site: ServedSite,
) -> None:
    """The whole way of a guest, on a phone that never signed in; the scanner reads what its screen shows."""
    made, held = site.box, await granted(site.box)
    pad = Keypad(made)
    async with visitor() as guest:
        page = await guest.page(viewport={"width": 390, "height": 800})
        await page.goto(f"{site.address}{made.reception.guests.page(held)}")
        await expect(page.get_by_role("heading", name="Your pass")).to_be_visible()
        await expect(page.get_by_text("Until", exact=True)).to_be_visible()
        await expect(page.get_by_text("nothing is filmed and no picture is taken")).to_be_visible()
        (wanted,) = made.store.guests.live_codes()
        await expect(page.get_by_text(wanted.pin)).to_have_count(0)  # nobody has read it back yet
        while pad.state() is not CodeState.PROVEN:
            await pad.step()
        await page.reload()
        await expect(page.get_by_text(wanted.pin, exact=True)).to_be_visible()
        await expect(page.get_by_text("a lock that does not report its keypad")).to_be_visible()  # no stay holds
        await page.get_by_text("Help", exact=True).click()
        await expect(page.get_by_text("From inside every door opens by hand")).to_be_visible()
        made.scan(await read_screen_code(page.locator("figure.qr")))
        await wait_until(lambda: made.commands(c.Unlock))
        assert not made.commands(c.RingBell)
        assert not made.commands(c.StartRecording)
        await page.get_by_role("button", name="I leave for good: end this pass").click()
        await expect(page.get_by_role("heading", name="Thank you for your stay")).to_be_visible()
        assert made.store.guests.passes()[0].state is PassState.ENDED


async def test_a_guest_may_end_the_own_pass_and_no_other_address_does(site: ServedSite) -> None:
    held = await granted(site.box)
    page = site.box.reception.guests.page(held)
    assert (await shown(site, f"/guest/{held.id}.aaaa"))[0] == 410
    async with site.client(None) as nobody:
        async with nobody.post(f"/guest/{held.id}.aaaa/leave", headers=ENGLISH) as answer:
            assert "Thank you" in await answer.text()
        assert site.box.store.guests.passes()[0].state is PassState.GRANTED
        async with nobody.post(f"{page}/leave", headers=ENGLISH):
            pass
    assert site.box.store.guests.passes()[0].state is PassState.ENDED


@pytest.mark.parametrize(("language", "width", "dark"), [("en", 320, False), ("fr", 390, True), ("en", 1280, True)])
async def test_both_pages_can_be_read_on_every_screen(site: ServedSite, language: str, width: int, dark: bool) -> None:
    held = await granted(site.box)
    await post(site, "/guests/stay", [("guest", "Anna"), ("from", local(site.box, -1)), ("to", local(site.box, 48))])
    await propose_bookings(site.box, "Anna Bergström-Delacroix", entrance="front")
    for path in ("/guests", site.box.reception.guests.page(held)):
        async with visitor() as somebody:
            page = await somebody.page(
                locale=language, viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light"
            )
            await site.sign_in(page.context)
            await page.goto(f"{site.address}{path}")
            await expect(page.locator("h1")).to_be_visible()
            if path == "/guests":
                await page.locator("form[action^='/guests/calendar?']").locator("..").locator("summary").click()
            assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            assert await accessibility_problems(page) == []
            if folder := os.environ.get("PERRON_PICTURES"):
                name = f"{'host' if path == '/guests' else 'guest'}-{language}-{width}.png"
                await page.screenshot(path=f"{folder}/{name}", full_page=True)
