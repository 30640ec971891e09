"""Live pictures on a page: a real camera, the real video process, a real browser."""

import socket
import time
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser import barriers, visitor
from tests.filmset.cameras import CameraSet
from tests.shell.parts import until
from tests.shell.studio import studio

pytestmark = pytest.mark.slow


async def watch(page: Page, camera: str) -> None:
    figure = page.locator(f"[data-camera={camera}]").first
    await figure.get_by_role("button").click()
    await expect(figure.locator(".light")).to_have_text("Live")


async def test_an_owner_watches_live_and_a_frozen_picture_is_greyed_within_two_seconds(
    tmp_path: Path, cameras: CameraSet
) -> None:
    async with studio(tmp_path, cameras) as there, visitor() as somebody:
        there.link.watch(("cam",), on=True)  # a window is near: the box looks at the pictures itself
        page = await somebody.page()
        await there.site.sign_in(page.context)
        await page.goto(f"{there.site.address}/live")
        await watch(page, "cam")
        await expect(page.locator("[data-camera=cam].stale")).to_have_count(0)
        playing = await page.evaluate("document.querySelector('[data-camera=cam] video').currentTime")
        await page.wait_for_timeout(1000)
        assert await page.evaluate("document.querySelector('[data-camera=cam] video').currentTime") > playing
        assert await barriers(page) == []

        frozen = time.monotonic()
        cameras.front.set_mode("frozen")
        figure = page.locator("[data-camera=cam]").first
        await expect(figure.locator(".light")).to_have_text("Stale picture: this is not live any more")
        assert time.monotonic() - frozen < 4  # 2 s on a quiet machine; `make bench` measures it
        cameras.front.set_mode("live")
        await expect(figure.locator(".light")).to_have_text("Live")


async def test_a_camera_that_falls_silent_is_stale_and_comes_back_by_itself(tmp_path: Path, cameras: CameraSet) -> None:
    async with studio(tmp_path, cameras) as there, visitor() as somebody:
        page = await somebody.page()
        await there.site.sign_in(page.context)
        keeping, owner = there.site.box.store.keeping, there.site.owner.who.person
        await keeping.set_inside_always(there.site.box.clock.now(), always=True, by=owner)  # nothing happens here
        await page.goto(f"{there.site.address}/live")
        await watch(page, "hall")
        figure = page.locator("[data-camera=hall]").first
        cameras.hall.stop()
        await expect(figure.locator(".light.bad")).to_be_visible()
        cameras.hall.start()
        await expect(figure.locator(".light")).to_have_text("Live")
        await figure.get_by_role("button").click()
        await expect(figure.locator(".light")).to_have_text("")
        await until(lambda: not cameras.hall.heard, within=30)


async def test_a_tab_that_is_closed_before_the_first_picture_is_no_error(
    tmp_path: Path, cameras: CameraSet, caplog: pytest.LogCaptureFixture
) -> None:
    async with studio(tmp_path, cameras) as there, there.site.client(there.site.owner) as client:
        for camera in ("cam", "hall"):
            page = await client.ws_connect(f"/live/{camera}")
            page.get_extra_info("socket").shutdown(socket.SHUT_RDWR)  # no goodbye, as a phone that loses its network
        await until(lambda: not cameras.front.heard and not cameras.hall.heard, within=30)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_where_there_are_no_media_sources_pictures_come_one_by_one(tmp_path: Path, cameras: CameraSet) -> None:
    async with studio(tmp_path, cameras) as there, there.site.client(there.site.owner) as client:
        there.link.watch(("cam",), on=True)
        await until(lambda: "cam" in there.link.proofs and there.link.proofs["cam"].live, within=30)
        async with client.get("/live/cam/pictures") as answer:
            assert answer.status == 200
            assert "multipart/x-mixed-replace" in answer.headers["Content-Type"]
            seen = b""
            while seen.count(b"\xff\xd8") < 2:
                seen += await answer.content.readany()
