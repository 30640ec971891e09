"""Live pictures on a page: a real camera, the real video process, a real browser."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from gateway.config.home import CamerasSection
from gateway.web.auth.accounts import SessionSecrets
from gateway.web.auth.roles import Role
from gateway.web.server.live_video import PICTURE_INTERVAL_S, SnapshotCache
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.filmset.cameras import CameraSet
from tests.gateway.web.house import ANNA_PASSWORD, signed_in
from tests.shell.box import box, run_box, run_tasks
from tests.shell.house import make_home
from tests.shell.site import serve_site
from tests.shell.studio import serve_with_cameras
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

TICK = 0.01  # seconds
GONE = 2000  # milliseconds, by the page's own clock
# The page notes when its picture went.
CLEARED = """camera => {
    const figure = document.querySelector(`[data-camera=${camera}]`);
    const note = () => { if (figure.classList.contains("stale")) window.cleared ??= performance.now(); };
    new MutationObserver(note).observe(figure, { attributes: true });
}"""
# Whoever watches ends it just when the browser has opened what plays the pictures.
ENDS_WHEN_IT_OPENS = """() => {
    const make = URL.createObjectURL;
    URL.createObjectURL = source => {
        URL.createObjectURL = make;
        source.addEventListener("sourceopen", () => {
            document.querySelector("[data-camera=cam] [data-watch]").click();
            document.body.dataset.ended = "";
        });
        return make(source);
    };
}"""


@dataclass
class Late:
    """How long this machine kept its programs waiting, all in all."""

    milliseconds: float = 0.0


@asynccontextmanager
async def lateness() -> AsyncIterator[Late]:
    """Measure it meanwhile: whatever else runs here has had to wait as well."""
    late, loop = Late(), asyncio.get_running_loop()

    async def measure() -> None:
        while True:
            due = loop.time() + TICK
            await asyncio.sleep(TICK)
            late.milliseconds += 1000 * (loop.time() - due)

    async with run_tasks(measure()):
        yield late


async def watch(page: Page, camera: str) -> None:
    figure = page.locator(f"[data-camera={camera}]").first
    await figure.locator("[data-watch]").click()
    await expect(figure.locator(".light")).to_have_text("Live")


async def test_an_owner_watches_live_and_a_frozen_picture_is_greyed_within_two_seconds(
    tmp_path: Path, cameras: CameraSet
) -> None:
    async with serve_with_cameras(tmp_path, cameras) as there, visitor() as somebody:
        there.link.watch(("cam",), on=True)  # a window is near: the box looks at the pictures itself
        page = await somebody.page()
        await there.site.sign_in(page.context)
        await page.goto(f"{there.site.address}/live")
        await watch(page, "cam")
        await expect(page.locator("[data-camera=cam].stale")).to_have_count(0)
        playing = await page.evaluate("document.querySelector('[data-camera=cam] video').currentTime")
        await page.wait_for_timeout(1000)
        assert await page.evaluate("document.querySelector('[data-camera=cam] video').currentTime") > playing
        assert await accessibility_problems(page) == []
        await page.set_viewport_size({"width": 320, "height": 700})
        await page.locator("[data-camera=cam] [data-full]").first.click(trial=True)  # the button beside hides no part

        await page.evaluate(CLEARED, "cam")
        async with lateness() as late:
            await page.evaluate("window.told = performance.now()")
            cameras.front.set_mode("frozen")
            figure = page.locator("[data-camera=cam]").first
            await expect(figure.locator(".light")).to_have_text("Stale picture: this is not live any more")
        took = await page.evaluate("window.cleared - window.told")
        assert took <= GONE + late.milliseconds, "so long, and as long as the machine itself stood still"
        cameras.front.set_mode("live")
        await expect(figure.locator(".light")).to_have_text("Live")

        await figure.locator("[data-watch]").click()
        await page.evaluate(ENDS_WHEN_IT_OPENS)
        await figure.locator("[data-watch]").click()
        await expect(page.locator("body[data-ended]")).to_have_count(1)
        await expect(figure.locator(".light")).to_have_text("")  # and no error of its script: `visitor` looks for them
        await watch(page, "cam")


async def test_a_camera_that_falls_silent_is_stale_and_comes_back_by_itself(tmp_path: Path, cameras: CameraSet) -> None:
    async with serve_with_cameras(tmp_path, cameras) as there, visitor() as somebody:
        page = await somebody.page()
        await there.site.sign_in(page.context)
        keeping, owner = there.site.box.store.privacy, there.site.owner.user.person
        await keeping.set_inside_always(there.site.box.clock.now(), always=True, by=owner)  # nothing happens here
        await page.goto(f"{there.site.address}/live")
        figure = page.locator("[data-camera=hall]").first
        cameras.hall.stop()
        await figure.locator("[data-watch]").click()
        await expect(figure.locator(".light")).to_have_text("The camera is starting…")
        await expect(figure.locator(".light.bad")).to_have_count(0)  # nothing is wrong yet
        cameras.hall.start()
        await expect(figure.locator(".light.good")).to_have_text("Live")
        cameras.hall.stop()
        await expect(figure.locator(".light.bad")).to_be_visible()
        cameras.hall.start()
        await expect(figure.locator(".light")).to_have_text("Live")
        await figure.locator("[data-watch]").click()
        await expect(figure.locator(".light")).to_have_text("")
        await wait_until(lambda: not cameras.hall.heard, within=30)


async def test_a_tab_that_is_closed_before_the_first_picture_is_no_error(
    tmp_path: Path, cameras: CameraSet, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve_with_cameras(tmp_path, cameras) as there, there.site.client(there.site.owner) as client:
        for camera in ("cam", "hall"):
            page = await client.ws_connect(f"/live/{camera}")
            page.get_extra_info("socket").shutdown(socket.SHUT_RDWR)  # no goodbye, as a phone that loses its network
        await wait_until(lambda: not cameras.front.heard and not cameras.hall.heard, within=60)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_whoever_loses_the_right_while_he_watches_loses_the_picture_within_two_seconds(
    tmp_path: Path, cameras: CameraSet
) -> None:
    async with serve_with_cameras(tmp_path, cameras) as there, visitor() as somebody:
        site, now = there.site, there.site.box.clock.now()
        await site.box.store.privacy.set_inside_always(now, always=True, by=site.owner.user.person)
        removed, ended = await site.guest(Role.HOUSEHOLD, "Bruno"), await site.guest(Role.HOUSEHOLD, "Carla")
        elsewhere = await site.accounts.sign_in("Carla", ANNA_PASSWORD, address="127.0.0.1", device=None, now=now)

        async def goes_on(who: SessionSecrets) -> Page:
            page = await somebody.page()
            await site.sign_in(page.context, who)
            await page.goto(f"{site.address}/live")
            await watch(page, "hall")
            await page.evaluate(CLEARED, "hall")
            return page

        his, hers = await goes_on(removed), await goes_on(ended)
        await his.evaluate("window.told = performance.now()")
        await site.accounts.remove_person(site.owner.user, removed.user.person, now)
        await hers.evaluate("window.told = performance.now()")
        await site.accounts.end_session(signed_in(elsewhere).user, ended.user.session, now)
        for page in (his, hers):
            figure = page.locator("[data-camera=hall]").first
            await expect(figure.locator(".light.bad")).to_have_text("You have no access to this camera any more")
            await expect(page.locator("[data-camera=hall].stale")).to_have_count(1)
            assert await figure.locator("video").evaluate("video => video.readyState") == 0, "no picture is left"
            assert await page.evaluate("window.cleared - window.told") < GONE
        await wait_until(lambda: not cameras.hall.heard, within=30)  # nobody comes back
        await somebody.leave()  # the house's own connection, which is refused too


async def test_many_who_look_ask_a_camera_no_more_often_than_one() -> None:
    asked = 0
    go = asyncio.Event()

    async def take(_camera: str) -> bytes:
        nonlocal asked
        asked += 1
        await go.wait()
        return f"picture {asked}".encode()

    shots = SnapshotCache(take)
    many = [asyncio.create_task(shots.newest("cam")) for _ in range(50)]
    gone = asyncio.create_task(shots.newest("cam"))
    await wait_until(lambda: asked)
    gone.cancel()  # a browser that goes takes the others' picture with it in no case
    go.set()
    assert set(await asyncio.gather(*many)) == {b"picture 1"}
    await wait_until(lambda: asyncio.get_running_loop().time() - shots._fetches["cam"][0] >= PICTURE_INTERVAL_S)  # noqa: SLF001 - its age
    assert {await shots.newest("cam") for _ in range(3)} == {b"picture 2"}
    assert await shots.newest("hall") == b"picture 3"


async def test_where_there_are_no_media_sources_pictures_come_one_by_one(tmp_path: Path, cameras: CameraSet) -> None:
    async with serve_with_cameras(tmp_path, cameras) as there, there.site.client(there.site.owner) as client:
        there.link.watch(("cam",), on=True)
        await wait_until(lambda: "cam" in there.link.proofs and there.link.proofs["cam"].live, within=30)
        async with client.get("/live/cam/pictures") as answer:
            assert answer.status == 200
            assert "multipart/x-mixed-replace" in answer.headers["Content-Type"]
            seen = b""
            while seen.count(b"\xff\xd8") < 2:
                seen += await answer.content.readany()


async def test_an_entrance_without_a_camera_says_so(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    blind = home.entrances["front"].model_copy(update={"cameras": CamerasSection()})
    home = home.model_copy(update={"entrances": {"front": blind}})
    async with (
        box(tmp_path, home) as made,
        run_box(made),
        serve_site(made) as site,
        site.client(site.owner) as anna,
        anna.get("/live", headers={"Accept-Language": "en"}) as answer,
    ):
        shown = await answer.text()
    assert "No camera films this entrance." in shown
    assert "A camera runs around a delivery" not in shown


async def test_the_page_says_when_each_side_of_the_door_can_be_watched(tmp_path: Path) -> None:
    only, any_time = "Inside, you can watch only during a visit", "Inside, you can watch at any time too"
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made), serve_site(made) as site:
        for always in (False, True):
            await made.store.privacy.set_inside_always(made.clock.now(), always=always, by=site.owner.user.person)
            async with site.client(site.owner) as anna, anna.get("/live", headers={"Accept-Language": "en"}) as answer:
                shown = await answer.text()
            assert "Outside, you can watch at any time" in shown
            assert (only in shown, any_time in shown) == (not always, always)
