"""The page of the phones: who may change it, what it never shows, and what it says of each phone as it comes."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from playwright.async_api import Page, expect

from gateway.domain.visit.commands import AlarmCode, Notification, NotifyOwner, RaiseAlarm
from gateway.runtime.notifications.phone import SendResult
from gateway.web.auth.roles import Role
from tests.browser import IN_SHARED_BROWSER, TIMEOUT_MS, accessibility_problems, visitor
from tests.gateway.web.house import ANNA_PASSWORD
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.receiver import SECRET_TOKEN, receiver
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER

expect.set_options(timeout=TIMEOUT_MS)

PAGE = "/settings/messages"
ENGLISH = {"Accept-Language": "en"}


@pytest_asyncio.fixture(loop_scope="session")
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        await made.good_day()
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def site(made: ShellBox) -> AsyncIterator[ServedSite]:
    async with serve_site(made) as site:
        yield site


async def added(client: ClientSession, url: str, *, password: str = ANNA_PASSWORD) -> tuple[int, str]:
    async with client.post(PAGE, data={"url": url, "password": password}, headers=ENGLISH) as answer:
        return answer.status, await answer.text()


async def test_a_phone_is_added_only_with_the_password_and_its_address_is_never_shown(
    site: ServedSite, made: ShellBox
) -> None:
    async with receiver() as ear, site.client(site.owner) as client:
        status, page = await added(client, ear.json, password="another one")  # noqa: S106 - a wrong one
        assert (status, "This password is wrong." in page) == (422, True)
        assert made.phonebook.list_phones() == ()
        status, page = await added(client, ear.json)
        assert (status, "Added. Try it." in page) == (200, True)
        assert "json 127.0.0.1" in page
        async with client.get(PAGE) as answer:
            page += await answer.text()
        assert SECRET_TOKEN not in page
        assert str(ear.port) not in page
        assert made.home.storage.folder.joinpath("phones.txt").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"syslog://{SECRET_TOKEN}", "syslog:// is not let in here"),
        (f"<script>alert(1)</script>://{SECRET_TOKEN}", "&lt;script&gt;alert(1)&lt;/script&gt;:// is not let in here"),
        (f"discord://{SECRET_TOKEN}/b?template=/etc/passwd", "make the box read one of its files"),
        (f"mailto://{SECRET_TOKEN}", "mailto:// is written mailto://USER:PASSWORD@SERVER"),
        (SECRET_TOKEN, "it begins like ntfys://SERVER/TOPIC"),
    ],
)
async def test_a_refusal_says_what_is_wrong_and_repeats_no_secret(site: ServedSite, url: str, said: str) -> None:
    async with site.client(site.owner) as client:
        status, page = await added(client, url)
    assert status == 422
    assert said in page
    assert SECRET_TOKEN not in page


async def test_a_file_that_others_can_read_is_said_to_be_so(site: ServedSite, made: ShellBox) -> None:
    async with site.client(site.owner) as client:
        made.phonebook.file.write_text("")
        for mode, said in ((0o600, "which only the box can read"), (0o640, "chmod 600")):
            made.phonebook.file.chmod(mode)
            async with client.get(PAGE, headers=ENGLISH) as answer:
                assert said in await answer.text()


async def test_other_ways_are_the_owner_s_alone_and_an_installer_sees_nothing(site: ServedSite) -> None:
    for role, name in ((Role.HOUSEHOLD, "Bruno"), (Role.INSTALLER, "Ines")):
        guest, sees = await site.guest(role, name), role is Role.HOUSEHOLD
        async with site.client(guest) as client:
            for method, path, status in (("GET", PAGE, 200 if sees else 403), ("POST", PAGE, 403),
                                         ("POST", f"{PAGE}/address", 403), ("POST", f"{PAGE}/x", 404 if sees else 403),
                                         ("POST", f"{PAGE}/browser", 422 if sees else 403)):  # fmt: skip
                async with client.request(method, path, data={"do": "try"} if method == "POST" else None) as answer:
                    assert answer.status == status, (role, path)
            async with client.get("/settings") as answer:
                assert (PAGE in await answer.text()) is sees
            if sees:
                continue
            async with client.ws_connect("/feed") as feed:
                await feed.send_json({"want": ["en/phones/all", "en/state/front"]})
                parts: dict[str, str] = {}
                while "en/state/front" not in parts:
                    parts |= (await feed.receive_json(timeout=20)).get("parts", {})
                assert set(parts) == {"en/state/front"}


async def test_what_does_not_exist_is_not_done(site: ServedSite) -> None:
    async with receiver() as ear, site.client(site.owner) as client:
        await added(client, ear.json)
        name = site.box.phonebook.list_phones()[0].name
        for path, do, status in ((f"{PAGE}/nobody", "remove", 404), (f"{PAGE}/nobody", "en", 404),
                                 (f"{PAGE}/{name}", "dance", 400)):  # fmt: skip
            async with client.post(path, data={"do": do}) as answer:
                assert answer.status == status, (path, do)


async def hindered(page: Page) -> list[str]:
    """What is in the way of somebody who sees badly, once the page has heard of the box (before, all is grey)."""
    await expect(page.locator("#link")).to_have_text(re.compile("Connected to the box|En liaison avec la box"))
    return await accessibility_problems(page)


@pytest.mark.slow
@pytest.mark.parametrize(("locale", "scheme"), [("fr-FR", "dark"), ("en-GB", "light")])
async def test_an_owner_adds_tries_and_removes_a_phone_and_sees_each_outcome_as_it_comes(
    site: ServedSite, locale: str, scheme: str
) -> None:
    async with receiver() as ear, visitor() as somebody:
        page = await somebody.page(locale=locale, color_scheme=scheme, reduced_motion="reduce")
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/settings")
        await page.locator(f'a[href="{PAGE}"]').click()
        await page.get_by_text(re.compile("^(Other ways|Autres moyens)$")).click()
        form = page.locator("form.fields", has=page.locator("[name=url]"))
        await form.locator("[name=url]").fill(ear.ntfy)
        await form.locator("[name=password]").fill(ANNA_PASSWORD)
        await form.locator("button:not([type=button])").click()
        phone = page.locator("article.phone")
        await expect(phone).to_contain_text("ntfy 127.0.0.1")
        await expect(phone).to_contain_text(re.compile("Not reached yet|Pas encore joint"))
        assert await hindered(page) == []
        await phone.locator("[value=try]").press("Enter")
        await expect(phone.get_by_role("status")).to_contain_text(re.compile("^(Reached|Joint)"))
        await expect(phone).to_contain_text(re.compile("Last reached|Joint pour la dernière fois"))
        await ear.down()
        await phone.locator("[value=try]").click()
        await expect(phone.get_by_role("status")).to_contain_text(re.compile("^(Not reached|Pas joint)"))
        assert await hindered(page) == []
        await phone.locator("[value=fr]").click()
        await expect(phone.locator("[value=fr]")).to_have_attribute("aria-pressed", "true")
        book = site.box.phonebook
        assert await book.add(ear.json, site.owner.user.person) is None
        await expect(phone).to_have_count(2)
        await phone.nth(1).locator("[value=try]").focus()
        await book.set_language(book.list_phones()[0].name, "en")  # the part is painted anew under his fingers
        await expect(phone.nth(0).locator("[value=en]")).to_have_attribute("aria-pressed", "true")
        held = page.locator(":focus")
        await expect(held).to_have_attribute("aria-label", re.compile("2$"))
        await book.remove(book.list_phones()[1].name, site.owner.user.person)
        await expect(phone).to_have_count(1)
        await phone.get_by_text(re.compile("^(Remove|Retirer)$")).first.click()
        await phone.locator("[value=remove]").click()
        await expect(page.locator(".notice[role=status]")).to_have_text(re.compile("Removed|Retiré"))
        await expect(phone).to_have_count(0)


NTFY = re.compile(r"https://ntfy\.example\.org/perron-[0-9a-f]{24}")


async def test_ntfy_is_set_up_by_a_code_that_is_shown_until_the_test_arrived(site: ServedSite, made: ShellBox) -> None:
    async with visitor() as somebody:
        page = await somebody.page(viewport={"width": 320, "height": 800})
        await site.sign_in(page.context)
        await page.goto(f"{site.address}{PAGE}")
        form = page.locator("form.fields", has=page.locator("[name=server]"))
        await expect(form.locator("[name=server]")).to_have_value("ntfy.sh")
        await form.locator("[name=server]").fill("ntfy.example.org")
        await form.locator("[name=password]").fill(ANNA_PASSWORD)
        await form.locator("button:not([type=button])").click()
        phone = page.locator("article.phone")
        await expect(phone.locator(".pairing code")).to_have_text(NTFY)
        address = await phone.locator(".pairing code").inner_text()
        link = await phone.get_by_role("link", name="Open in the app ntfy").get_attribute("href")
        assert link == address.replace("https://", "ntfy://")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await hindered(page) == []
        assert made.phonebook.file.read_text().strip() == address.replace("https://", "ntfys://")
        await phone.locator("[value=arrived]").click()
        await expect(phone.locator(".pairing")).to_have_count(0)
        assert address.rpartition("/")[2] not in await page.content(), "never shown again"


async def test_two_topics_are_never_the_same_and_a_server_is_a_name(site: ServedSite, made: ShellBox) -> None:
    async with site.client(site.owner) as client:
        for server, status in (("ntfy.sh", 200), ("https://NTFY.sh/", 200), ("ntfy.sh:8443", 200), ("a b", 422),
                               ("ntfy.sh/topic", 422), ("user@ntfy.sh", 422), ("", 422), ("x?template=/etc", 422),
                               ("-x", 422)):  # fmt: skip
            fields = {"server": server, "password": ANNA_PASSWORD}
            async with client.post(PAGE, data=fields, headers=ENGLISH) as answer:
                assert answer.status == status, server
        async with client.post(PAGE, data={"server": "ntfy.sh", "password": "wrong one"}) as answer:
            assert answer.status == 422
    topics = [line.rpartition("/")[2] for line in made.phonebook.file.read_text().split()]
    assert len(set(topics)) == len(topics) == 3


async def test_a_phone_of_apprise_has_its_switches_too(site: ServedSite, made: ShellBox) -> None:
    async with receiver() as ear, site.client(site.owner) as client:
        await added(client, ear.json)
        (phone,) = made.phonebook.list_phones()
        async with client.post(f"{PAGE}/{phone.name}", data={"do": "mute upkeep"}, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, f"{PAGE}#told-{phone.name}")
        for notification in (Notification.BATTERY_SOON, Notification.MOVED):
            made.pocket.notify(made.office._composer.compose(  # noqa: SLF001 - as the outbox does
                NotifyOwner(notification=notification), "front", None, made.clock.now()))  # fmt: skip
        await wait_until(lambda: ear.got)
        await made.pocket.record_attempt(phone.name, SendResult.TAKEN)
        assert len(ear.got) == 1
        assert "another place" in ear.got[0].text or "autre" in ear.got[0].text


async def test_buttons_come_with_the_address_that_is_said_on_the_page_at_once(site: ServedSite, made: ShellBox) -> None:
    async with receiver() as ear, site.client(site.owner) as client:
        await added(client, ear.ntfy)
        async with client.post(f"{PAGE}/address", data={"address": "no address"}) as answer:
            assert answer.status == 422
        for address, has_buttons in (("https://box.example:8443/", True), ("", False)):
            async with client.post(f"{PAGE}/address", data={"address": address}, allow_redirects=False) as answer:
                assert answer.status == 303
            count = len(ear.got)
            made.pocket.notify(made.office._composer.compose(  # noqa: SLF001 - as the outbox does
                RaiseAlarm(code=AlarmCode.NOT_LOCKED), "front", None, made.clock.now()))  # fmt: skip
            await wait_until(lambda before=count: len(ear.got) > before)  # type: ignore[misc]  # mypy infers no default
            headers = ear.got[-1].headers
            assert ("X-Actions" in headers) is has_buttons
            if has_buttons:
                assert "https://box.example:8443/link/" in headers["X-Actions"]
