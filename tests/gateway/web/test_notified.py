"""A phone is notified: the page subscribes a real browser, and the service worker shows what the box pushes.

What is real: Chromium, its service worker, the page, the box, a push service of the tests' own over TLS, the
encryption for the browser's own key, and the buttons' way back to the box. What is not: Chromium's own push service is
not reachable here, so `PushManager.subscribe` returns a subscription to the tests' service, and what that service
decrypts is delivered by Chromium's DevTools (`ServiceWorker.deliverPushMessage`). `chromium-headless-shell` has no
notifications, so there the worker's `showNotification` is recorded; Debian's `chromium`, where it is installed, shows
real ones (tests/real/with_chromium.py).
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Worker, expect

from gateway.web.auth.roles import Role
from tests.browser import IN_SHARED_BROWSER, BrowserVisitor, accessibility_problems, visitor
from tests.certified import make_certificate
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.gateway.web.test_installable import CONTROLLED
from tests.pushservice import PushBrowser, PushService, push_service
from tests.shell.box import IN_WINDOW_MONO_S, box, run_box
from tests.shell.house import PARCEL, make_home
from tests.shell.parts import ManualTime
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER

PAGE = "/settings/messages"
SCRIPT = {"Accept": "application/json", "Accept-Language": "en"}
SUBSCRIBES = """({ endpoint, p256dh, auth }) => {
  const kept = () => JSON.parse(sessionStorage.getItem("push") ?? "null");
  const made = (one) => one && {
    endpoint: one.endpoint, toJSON: () => ({ endpoint: one.endpoint, keys: { p256dh: one.p256dh, auth: one.auth } }),
    unsubscribe: async () => { sessionStorage.removeItem("push"); return true; },
  };
  PushManager.prototype.getSubscription = async () => made(kept());
  PushManager.prototype.subscribe = async (options) => {
    if (!options.userVisibleOnly || options.applicationServerKey.length < 80) throw new DOMException("no key");
    sessionStorage.setItem("push", JSON.stringify({ endpoint, p256dh, auth }));
    return made(kept());
  };
  Object.defineProperty(Notification, "permission", { get: () => sessionStorage.getItem("permission") ?? "default" });
  Notification.requestPermission = async () => {
    sessionStorage.setItem("permission", window.refuses ? "denied" : "granted");
    return Notification.permission;
  };
}"""
RECORDS = """() => {
  self.shown = [];
  self.opened = [];
  self.registration.showNotification = async (title, options) => {
    self.shown = self.shown.filter((one) => one.tag !== options.tag);
    self.shown.push({ title, ...options, close() { self.shown = self.shown.filter((one) => one !== this); } });
  };
  self.registration.getNotifications = async ({ tag }) => self.shown.filter((one) => one.tag === tag);
  self.clients.openWindow = async (path) => { self.opened.push(path); };
}"""
SHOWN = "() => JSON.parse(JSON.stringify(self.shown))"
PUSH = """async (said) => {
  const waits = [];
  const event = Object.assign(new Event("push"), { data: { json: () => said }, waitUntil: (one) => waits.push(one) });
  self.dispatchEvent(event);
  await Promise.all(waits);
}"""
CLICK = """async (action) => {
  const waits = [];
  const event = Object.assign(new Event("notificationclick"), {
    action, notification: self.shown.at(-1), waitUntil: (one) => waits.push(one),
  });
  self.dispatchEvent(event);
  await Promise.all(waits);
}"""


@dataclass
class NotifiedPhone:
    """A person's phone: its page, its service worker, and the subscription that it brings."""

    site: ServedSite
    service: PushService
    page: Page
    subscription: PushBrowser

    async def notify_me(self) -> None:
        """Press the button of the page."""
        await self.page.goto(f"{self.site.address}{PAGE}")
        await self.page.locator("[data-start]").click()
        await expect(self.page.locator("[data-when=told]")).to_be_visible()

    async def worker(self) -> Worker:
        """The service worker, whose notifications are recorded."""
        await self.page.evaluate(CONTROLLED)
        (worker,) = [one for one in self.page.context.service_workers if one.url.endswith("/worker.js")]
        await worker.evaluate(RECORDS)
        return worker

    async def pushed(self, number: int = 0) -> dict[str, Any]:
        """What the push service got for this phone, decrypted."""
        await wait_until(lambda: len(self.service.got) > number)
        return self.service.got[number].said


def subscribe_script(subscription: PushBrowser) -> str:
    """A script for a browser's pages: it subscribes to the tests' push service, and its person allows notifications."""
    return f"({SUBSCRIBES})({json.dumps(subscription.fields)})"


@pytest_asyncio.fixture(loop_scope="session")
async def service(tmp_path: Path) -> AsyncIterator[PushService]:
    async with push_service(tmp_path / "push") as service:
        yield service


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path, service: PushService) -> AsyncIterator[ServedSite]:
    house = make_home(tmp_path).model_copy(update={"push": service.section})
    async with box(tmp_path, house, time=ManualTime(mono=IN_WINDOW_MONO_S)) as made, run_box(made):
        await receive(made.store, make_offer(), now=NOW)
        await made.good_day()
        await made.quiet()
        async with serve_site(made) as site:
            yield site


@asynccontextmanager
async def phone(
    site: ServedSite,
    service: PushService,
    somebody: BrowserVisitor,
    **options: Any,  # noqa: ANN401 - Playwright's own
) -> AsyncIterator[NotifiedPhone]:
    """A phone in which the owner is signed in."""
    page = await somebody.page(**options)
    await site.sign_in(page.context)
    subscription = PushBrowser(service)
    await page.context.add_init_script(subscribe_script(subscription))
    yield NotifiedPhone(site, service, page, subscription)


@pytest.mark.parametrize(
    ("locale", "scheme", "width", "rings", "veto"),
    [
        ("en-GB", "light", 320, "is at the door", "Do not open"),
        ("fr-FR", "dark", 390, "est à la porte", "Ne pas ouvrir"),
        ("en-GB", "dark", 1280, "is at the door", "Do not open"),
    ],
)
async def test_a_phone_is_notified_of_who_rings_with_picture_and_buttons_in_its_language(  # noqa: PLR0913, PLR0917 - the cases
    site: ServedSite, service: PushService, locale: str, scheme: str, width: int, rings: str, veto: str
) -> None:
    async with visitor() as somebody, phone(
        site, service, somebody, locale=locale, color_scheme=scheme, viewport={"width": width, "height": 900}
    ) as made:  # fmt: skip
        await made.notify_me()
        assert await made.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await expect(made.page.locator("#link")).to_have_text(re.compile("Connected to the box|En liaison avec la box"))
        assert await accessibility_problems(made.page) == []
        worker = await made.worker()
        await site.box.ring(PARCEL)
        said = await made.pushed()
        await worker.evaluate(PUSH, said)
        (shown,) = await worker.evaluate(SHOWN)
        assert shown["title"] == site.box.home.name
        assert rings in shown["body"]
        assert shown["actions"][0] == {"action": "veto", "title": veto}
        assert shown["image"].startswith("data:image/jpeg;base64,"), "fetched from the box, where it waited once"
        assert (shown["requireInteraction"], shown["silent"]) == (True, True), "the picture makes no second sound"


async def test_do_not_open_acts_from_the_notification_once_and_says_what_became_of_it(
    site: ServedSite, service: PushService
) -> None:
    async with visitor() as somebody, phone(site, service, somebody) as made:
        await made.notify_me()
        worker = await made.worker()
        await site.box.ring(PARCEL)
        said = await made.pushed()
        await worker.evaluate(PUSH, said)
        await worker.evaluate(CLICK, "veto")
        (shown,) = await worker.evaluate(SHOWN)
        assert (shown["body"], shown["actions"]) == ("The door stays shut.", [])
        await wait_until(lambda: site.box.front.state.visit is None)
        await worker.evaluate(PUSH, said)
        await worker.evaluate(CLICK, "veto")
        assert "Decided already" in (await worker.evaluate(SHOWN))[-1]["body"], "the same link again"


async def test_tapping_the_notification_opens_home_and_what_lets_in_leads_to_a_page_that_asks(
    site: ServedSite, service: PushService
) -> None:
    async with visitor() as somebody, phone(site, service, somebody) as made:
        await made.notify_me()
        worker = await made.worker()
        await site.box.ring(PARCEL)
        said = await made.pushed()
        await worker.evaluate(PUSH, said)
        await worker.evaluate(CLICK, "")
        assert await worker.evaluate("() => self.opened") == ["/"]
        asks = said | {"actions": [{"action": "approve", "title": "Open", "path": "/link/x", "at_once": False}]}
        await worker.evaluate(PUSH, asks)
        await worker.evaluate(CLICK, "approve")
        assert await worker.evaluate("() => self.opened") == ["/", "/link/x"]
        assert site.box.front.state.visit is not None, "nothing was decided"


async def test_away_from_the_house_the_text_stands_and_a_button_says_that_the_box_was_not_reached(
    site: ServedSite, service: PushService
) -> None:
    async with visitor() as somebody, phone(site, service, somebody) as made:
        await made.notify_me()
        worker = await made.worker()
        await site.box.ring(PARCEL)
        said = await made.pushed()
        await site.site.close()
        await worker.evaluate(PUSH, said)
        (shown,) = await worker.evaluate(SHOWN)
        assert "image" not in shown
        assert "is at the door" in shown["body"]
        await worker.evaluate(CLICK, "veto")
        (shown,) = await worker.evaluate(SHOWN)
        assert shown["body"] == "The box was not reached: it has not heard this."
        assert shown["actions"][0]["action"] == "veto", "it can be tried again"
        await somebody.leave(forgiven="ERR_|WebSocket|fetch")


async def test_what_arrives_late_says_so_and_what_replaces_it_takes_its_place(
    site: ServedSite, service: PushService
) -> None:
    async with visitor() as somebody, phone(site, service, somebody) as made:
        await made.notify_me()
        worker = await made.worker()
        await site.box.ring(PARCEL)
        said = await made.pushed()
        assert said["late"].startswith("(late: this was so at")
        now = await worker.evaluate("() => Date.now()")
        await worker.evaluate(PUSH, said | {"at": now, "picture": None})
        assert "(late" not in (await worker.evaluate(SHOWN))[0]["body"]
        await worker.evaluate(PUSH, said | {"at": now - 61_000, "picture": None, "body": "It rang."})
        (shown,) = await worker.evaluate(SHOWN)
        assert shown["body"] == f"It rang. {said['late']}"


async def test_a_picture_is_not_shown_for_what_was_answered_meanwhile(site: ServedSite, service: PushService) -> None:
    async with visitor() as somebody, phone(site, service, somebody) as made:
        await made.notify_me()
        worker = await made.worker()
        await site.box.ring(PARCEL)
        said = await made.pushed()
        await worker.evaluate("() => { self.registration.getNotifications = async () => []; }")
        await worker.evaluate(PUSH, said)
        (shown,) = await worker.evaluate(SHOWN)
        assert "image" not in shown


async def test_who_refuses_notifications_is_told_where_to_allow_them(site: ServedSite, service: PushService) -> None:
    async with visitor() as somebody, phone(site, service, somebody) as made:
        await made.page.goto(f"{site.address}{PAGE}")
        await made.page.evaluate("window.refuses = true")
        await made.page.locator("[data-start]").click()
        await expect(made.page.locator("[data-when=denied]")).to_contain_text("switched off in this browser")
        await made.page.reload()
        await expect(made.page.locator("[data-when=denied]")).to_be_visible()
        assert site.box.phonebook.list_phones() == ()


async def test_a_browser_without_its_push_service_says_so(site: ServedSite, service: PushService) -> None:
    """As it is: this Chromium reaches no push service of its maker."""
    async with visitor() as somebody:
        page = await somebody.page()
        await site.sign_in(page.context)
        await page.context.add_init_script(
            "Object.defineProperty(Notification, 'permission', { get: () => 'default' });"
            "Notification.requestPermission = async () => 'granted';"
        )
        await page.goto(f"{site.address}{PAGE}")
        await page.locator("[data-start]").click()
        await expect(page.locator("#browser-error")).to_contain_text("no way to its push service")
        await somebody.leave(forgiven="Push API")
        assert service.browsers == {}


async def test_a_subscription_that_leads_into_the_house_is_refused_in_words(tmp_path: Path) -> None:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made), serve_site(made) as site:  # noqa: SIM117 - the same
        async with site.client(site.owner) as client:
            good = {"p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
                    "auth": "BTBZMqHH6r4Tts7J_aSIgg"}  # fmt: skip
            for endpoint in (
                "https://127.0.0.1/",
                "https://169.254.169.254/x",
                "https://box.local/",
                "ftp://a.example/",
            ):
                fields = good | {"endpoint": endpoint}
                async with client.post(
                    f"{PAGE}/browser", data=fields, headers={"Accept": "application/json"}
                ) as answer:
                    assert answer.status == 422, endpoint
                    assert "may send" in (await answer.json())["why"] or "peut" in (await answer.json())["why"]
            assert made.phonebook.list_phones() == ()
            async with client.post(f"{PAGE}/browser", data={"endpoint": "x" * 40_000}) as answer:
                assert answer.status == 413


async def test_each_person_chooses_on_the_page_and_alarms_of_the_last_phone_take_a_second_press(
    site: ServedSite, service: PushService
) -> None:
    async with visitor() as somebody, phone(site, service, somebody) as made:
        await made.notify_me()
        page = made.page
        upkeep = page.get_by_role("switch", name="Upkeep")
        await expect(upkeep).to_have_attribute("aria-checked", "true")
        await upkeep.press("Enter")
        await expect(upkeep).to_have_attribute("aria-checked", "false")
        await page.get_by_role("switch", name="Alarms").click()
        await expect(page.get_by_role("alert").first).to_contain_text("nobody would be told")
        (one,) = site.box.phonebook.list_phones()
        assert {word.value for word in one.muted} == {"upkeep"}, "not yet"
        await page.get_by_role("button", name="Switch alarms off all the same").click()
        await expect(page.get_by_role("switch", name="Alarms")).to_have_attribute("aria-checked", "false")
        await page.get_by_role("switch", name="Alarms").click()
        await expect(page.get_by_role("switch", name="Alarms")).to_have_attribute("aria-checked", "true")


async def test_a_household_member_sees_and_changes_only_the_own_phone(site: ServedSite, service: PushService) -> None:
    bruno = await site.guest(Role.HOUSEHOLD, "Bruno")
    async with site.client(site.owner) as anna, site.client(bruno) as client:
        for who in (anna, client):
            async with who.post(f"{PAGE}/browser", data=PushBrowser(service).fields, allow_redirects=False) as answer:
                assert answer.status == 303
        of = {one.person: one.name for one in site.box.phonebook.list_phones()}
        async with client.get(PAGE) as answer:
            text = await answer.text()
        assert of[bruno.user.person] in text
        assert of[site.owner.user.person] not in text
        assert 'name="server"' not in text, "the household's other ways are the owners'"
        for do in ("try", "remove", "mute alarm", "fr"):
            async with client.post(f"{PAGE}/{of[site.owner.user.person]}", data={"do": do}) as answer:
                assert answer.status == 404
        for do, status in (("mute alarm", 403), ("try", 403), ("remove", 200)):
            async with anna.post(f"{PAGE}/{of[bruno.user.person]}", data={"do": do}) as answer:
                assert answer.status == status, do
        assert [one.person for one in site.box.phonebook.list_phones()] == [site.owner.user.person]


async def test_a_picture_of_a_push_is_handed_out_once_and_a_link_is_used_once(
    site: ServedSite, service: PushService
) -> None:
    async with site.client(site.owner) as anna:
        async with anna.post(f"{PAGE}/browser", data=PushBrowser(service).fields, allow_redirects=False):
            pass
        await site.box.ring(PARCEL)
        await wait_until(lambda: service.got)
        said = service.got[0].said
    async with site.client(None) as anybody:
        async with anybody.get(said["picture"]) as answer:
            assert (answer.status, await answer.read()) == (200, site.box.eyes.jpeg)
        async with anybody.get(said["picture"]) as answer:
            assert answer.status == 404
        veto = said["actions"][0]["path"]
        async with anybody.get(veto) as answer:
            assert answer.status == 200
        assert site.box.front.state.visit is not None, "a GET decides nothing"
        foreign = {"Origin": "https://evil.example", "Accept": "application/json"}
        async with anybody.post(veto, headers=foreign) as answer:
            assert answer.status == 403
        async with anybody.post(f"{veto[:-2]}xx", headers={"Accept": "application/json"}) as answer:
            assert answer.status == 410
        assert site.box.front.state.visit is not None


async def test_a_certificate_whose_warning_was_clicked_away_is_explained_with_the_steps(
    tmp_path: Path,
) -> None:
    (tmp_path / "tls").mkdir()
    _, chain, key = make_certificate(tmp_path / "tls", "perron")
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):  # noqa: SIM117 - one line is too long
        async with serve_site(made, tls=(chain, key)) as site, visitor() as somebody:
            address = site.address.replace("http://", "https://")
            page = await somebody.page(ignore_https_errors=True)
            await page.context.add_cookies([
                {"name": f"__Host-{name}", "value": value, "url": address, "httpOnly": True, "secure": True}
                for name, value in (("session", site.owner.session), ("device", site.owner.device))
            ])  # fmt: skip
            await page.goto(f"{address}{PAGE}")
            await expect(page.locator("[data-when=insecure]")).to_contain_text("does not trust this one yet")
            await expect(page.locator("[data-start]")).to_be_hidden()
            await page.get_by_role("link", name="Trust this box").click()
            await expect(page.get_by_role("heading", name="Trust this box")).to_be_visible()
            await somebody.leave(forgiven="SSL certificate error|ERR_CERT")
