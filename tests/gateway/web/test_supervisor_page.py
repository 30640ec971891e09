"""A supervisor's page in a real browser: the picture, a yes signed by a key that cannot be read out, a no, a stop."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from gateway.config.devices import RobotDevice
from gateway.config.home import OperatorKeySection, OperatorSection
from gateway.config.robots import RobotsSection, SupervisorSection
from gateway.domain.frozen import replace
from gateway.domain.visit import events as e
from gateway.domain.visit.state import Entrance, Phase, Timer, Visit
from gateway.runtime.entrance import EntranceActor
from gateway.runtime.supervision import SupervisionDesk
from tests.browser import IN_SHARED_BROWSER, Scheme, accessibility_problems, visitor
from tests.house.promise import SimulatedDelivery
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.links import LINK, submit
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER
VISIT = "0123456789abcdef"


class Door:
    """An entrance with a robot in front of it; it keeps what was decided."""

    def __init__(self) -> None:
        delivery = SimulatedDelivery(id="d0", start=0, end=9, for_robot=True).facts()
        visit = Visit(id=VISIT, delivery=delivery, scanner="r1", robot="r1", phase=Phase.APPROVING)
        self.state = replace(Entrance(id="front"), visit=visit)
        self.decided: list[e.OpeningDecided] = []

    def is_stopped(self) -> bool:
        """Nobody stopped it."""
        return False

    def post(self, event: e.OpeningDecided) -> None:
        """Keep a decision."""
        self.decided.append(event)

    def enters(self, phase: Phase | None) -> None:
        """The visit goes on."""
        visit = self.state.visit
        assert visit is not None
        self.state = replace(self.state, visit=None if phase is None else replace(visit, phase=phase))


class Watched:
    """A box with a robot at its door, the pages, and what the camera shows."""

    def __init__(self, made: ShellBox, site: ServedSite, door: Door) -> None:
        self.made, self.site, self.door = made, site, door


@pytest_asyncio.fixture(loop_scope="session")
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    home = make_home(tmp_path)
    robot = RobotDevice(
        kind="robot", vendor="vda5050", name="Trundle 1", address="vda5050/v3/KIT/0001", operator="trundle"
    )
    robots = RobotsSection(devices=("r1",), zone="door-1")
    key = OperatorKeySection(kid="trundle-1", x="1" * 43)
    home = home.model_copy(
        update={
            "devices": {**home.devices, "r1": robot},
            "entrances": {**home.entrances, "front": home.entrances["front"].model_copy(update={"robots": robots})},
            "operators": {"trundle": OperatorSection(name="Trundle", keys=(key,))},
            "supervisors": {"ines": SupervisorSection(name="Ines", operator="trundle")},
        }
    )
    door = Door()
    async with box(tmp_path, home) as made, run_box(made):
        await made.good_day()
        desk = SupervisionDesk(
            home, entrances={"front": cast("EntranceActor", door)}, clock=made.clock, take_picture=picture
        )
        mono = made.clock.now().mono
        door.state = replace(
            door.state,
            timers={Timer.APPROVAL: mono + 60},
            rules=replace(door.state.rules, cameras={"street": True}),
        )
        async with serve_site(made, supervision=desk) as site:
            yield Watched(made, site, door)


async def picture(_camera: str) -> bytes:
    return PICTURE


PICTURE = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffc0000b080001000101011100ffc40014000100000000000000"
    "000000000000000009ffc40014100100000000000000000000000000000000ffda0008010100003f0054bfffd9"
)
"""A JPEG of one pixel."""
SHOWN = f"data:image/jpeg;base64,{b64encode(PICTURE).decode()}"


async def link_of(site: ServedSite) -> str:
    """The link that the owner makes for the supervisor, as her page shows it."""
    return await submit(site, "/robots/ines/link", LINK)


async def sign_in(page: Page, site: ServedSite) -> None:
    """The supervisor opens the link, and the browser makes its key."""
    await page.route("**/supervisor_key.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    await page.goto(await link_of(site))
    use = page.get_by_role("button", name="Use this browser")
    await expect(use).to_be_disabled()  # its script is not here: the form would go without a key
    await page.unroute("**/supervisor_key.js")
    await page.reload()
    await use.click()
    await expect(page).to_have_url(f"{site.address}/supervisor")


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 320), ("dark", 1280)])
async def test_a_supervisor_sees_the_robot_and_says_yes_with_a_key_that_stays_in_the_browser(
    watched: Watched, scheme: Scheme, width: int
) -> None:
    async with visitor() as somebody:
        page = await somebody.page(viewport={"width": width, "height": 800})
        await page.emulate_media(color_scheme=scheme)
        await sign_in(page, watched.site)
        await expect(page.get_by_role("heading", name="Trundle 1")).to_be_visible()
        await expect(page.locator(".robot-picture")).to_have_attribute("src", SHOWN)
        await expect(page.locator(".robot-left strong")).to_have_text("60")
        assert await accessibility_problems(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        stop = page.get_by_role("button", name="Stop")
        before, yes = await stop.bounding_box(), await page.get_by_role("button", name="Yes, open").bounding_box()
        await page.get_by_role("button", name="Yes, open").click()
        await wait_until(lambda: len(watched.door.decided) == 1)
        (said,) = watched.door.decided
        assert (said.visit, said.closure, said.yes, said.by) == (VISIT, "door", True, "ines")
        assert await page.evaluate(KEY_IS_HIDDEN), "nobody reads the key out, not even this page"
        watched.door.enters(Phase.INSIDE)
        await expect(page.get_by_role("button", name="Yes, open")).to_be_hidden()
        after = await stop.bounding_box()
        assert before == after != yes, "no button comes where another one was"
        await stop.click()
        await wait_until(lambda: len(watched.door.decided) == 2)
        assert not watched.door.decided[1].yes
        watched.door.enters(None)
        await expect(page.get_by_text("No robot is at a door.")).to_be_visible()
        await somebody.leave(forgiven="409")  # the page says "stop" until it sees that the robot is gone


KEY_IS_HIDDEN = """async () => {
  const opening = indexedDB.open("perron-supervisor", 1);
  const base = await new Promise((done) => { opening.onsuccess = () => done(opening.result); });
  const asked = base.transaction("key").objectStore("key").get("sign");
  const key = await new Promise((done) => { asked.onsuccess = () => done(asked.result); });
  base.close();
  return key.extractable === false && await crypto.subtle.exportKey("jwk", key).then(() => false, () => true);
}"""


async def test_a_no_needs_no_picture_and_a_yes_on_an_old_one_is_refused_in_words(watched: Watched) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        await sign_in(page, watched.site)
        await page.get_by_role("button", name="No", exact=True).click()
        await wait_until(lambda: [one.yes for one in watched.door.decided] == [False])
        await page.route(
            "**/supervisor/picture/*", lambda route: route.fulfill(body=b"another", content_type="image/jpeg")
        )
        await page.reload()
        await page.get_by_role("button", name="Yes, open").click()
        await expect(page.get_by_role("alert").filter(has_text="too old")).to_be_visible()
        assert [one.yes for one in watched.door.decided] == [False]
        await somebody.leave(forgiven="409")


async def test_a_lost_connection_is_said_on_the_picture_and_a_stop_that_was_pressed_then_is_sent_later(
    watched: Watched,
) -> None:
    async with visitor() as somebody:
        page = await somebody.page(viewport={"width": 320, "height": 640})
        await sign_in(page, watched.site)
        yes, said = page.get_by_role("button", name="Yes, open"), page.locator("figcaption")
        await expect(yes).to_be_enabled()
        await page.route("**/supervisor/picture/*", lambda route: route.fulfill(status=204))
        await expect(said).to_have_text("The camera shows nothing now. A yes needs a picture.")
        await expect(yes).to_be_disabled()
        await page.unroute("**/supervisor/picture/*")
        await expect(said).to_be_empty()
        await page.route("**/supervisor/*", lambda route: route.abort())
        await page.route("**/supervisor/picture/*", lambda route: route.abort())
        await expect(said).to_contain_text("No connection to the box")
        await expect(yes).to_be_disabled()
        await page.get_by_role("button", name="Stop").click()
        await expect(page.get_by_role("alert").filter(has_text="not sent yet")).to_be_visible()
        assert watched.door.decided == []
        await page.unroute_all()
        await wait_until(lambda: [one.yes for one in watched.door.decided] == [False])
        await expect(page.get_by_role("alert").filter(has_text="not sent yet")).to_be_hidden()
        await somebody.leave(forgiven="ERR_FAILED")


async def test_the_supervisor_s_cookie_opens_nothing_else_and_ends_with_the_owner(watched: Watched) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        await sign_in(page, watched.site)
        for path in ("/", "/history", "/live", "/robots", "/settings"):
            answer = await page.request.get(f"{watched.site.address}{path}", max_redirects=0)
            assert answer.status in (303, 401, 403), path
        (session,) = watched.made.store.supervisors.sessions()
        async with watched.site.client(watched.site.owner) as client:
            await client.post("/robots/ines/end", data={"session": session.id})
        answer = await page.request.get(f"{watched.site.address}/supervisor/visits")
        assert answer.status == 401
        await somebody.leave(forgiven="401")


async def test_a_decision_without_the_key_of_this_browser_is_nothing_and_who_leaves_is_signed_out_on_the_box(
    watched: Watched,
) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        await sign_in(page, watched.site)
        headers = {"Origin": watched.site.address}
        for token in ("", "a.b.c", "x" * 9000):
            answer = await page.request.post(
                f"{watched.site.address}/supervisor/decide", form={"token": token}, headers=headers
            )
            assert answer.status == 409
        assert watched.door.decided == []
        leave = f"{watched.site.address}/supervisor/leave"
        assert (await page.request.post(leave, headers=headers, max_redirects=0)).status == 303
        assert watched.made.store.supervisors.sessions() == ()
        assert [cookie["name"] for cookie in await page.context.cookies() if cookie["name"] == "supervisor"] == []
        await somebody.leave(forgiven="401")
