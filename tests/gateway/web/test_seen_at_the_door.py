"""What an owner sees when it rings and when something is wrong: real cameras, the real video process, a browser."""

import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Page, expect

from devices.reports import DoorReport, DoorState, LockReport, LockState, OperationSource
from gateway.domain.visit import events as e
from gateway.domain.visit.state import Phase
from gateway.evidence.documents.photos import PhotoMoment
from gateway.evidence.thumbnails import write_thumbnails
from gateway.storage.models import StoredClip
from gateway.web.auth.roles import Role
from tests.browser import IN_SHARED_BROWSER, PHONE_OPTIONS, accessibility_problems, contrast_problems, visitor
from tests.filmset.cameras import CameraSet
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOON, NOW, make_offer
from tests.shell.box import IN_WINDOW_MONO_S, ShellBox
from tests.shell.house import PARCEL, make_home
from tests.shell.parts import ManualTime
from tests.shell.studio import CameraSite, serve_with_cameras
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
# What a page shows in the first moments: when the still came, and the element that plays
PLAYS = "document.querySelector('[data-camera=cam] video').currentTime"


@asynccontextmanager
async def at_home(folder: Path, cameras: CameraSet, *, asks: bool = False) -> AsyncIterator[CameraSite]:
    """A good day in a window: cameras run. `asks`: the owner is asked each time."""
    house = make_home(folder)
    if asks:
        shop = house.brands["shop"]
        permission = shop.permission.model_copy(update={"ask_each_time": True})
        house = house.model_copy(update={"brands": {"shop": shop.model_copy(update={"permission": permission})}})
    async with serve_with_cameras(folder, cameras, house=house, time=ManualTime(mono=IN_WINDOW_MONO_S)) as there:
        made = there.site.box
        await receive(made.store, make_offer(), now=NOW)
        await made.good_day()
        there.link.watch(("cam", "hall"), on=True)
        await wait_until(lambda: {"cam", "hall"} <= set(there.link.proofs) and there.link.proofs["cam"].live, within=30)
        yield there


async def after_a_visit(made: ShellBox) -> None:
    """A visit was sealed an hour ago, and its pictures are kept."""
    clip = StoredClip(
        path="visits/yesterday/cam-1-1.mp4", entrance="front", visit="yesterday", part=1, camera="cam", start=NOON,
        end=NOON + timedelta(seconds=9), sha256="0" * 64, fragments=6, size=1, gaps=(),
    )  # fmt: skip
    await made.store.recordings.add_clip(clip, NOW)
    await made.store.recordings.mark_sealed("yesterday", 1, "0" * 64, NOW)
    jpeg = io.BytesIO()
    Image.linear_gradient("L").resize((640, 360)).save(jpeg, "JPEG")
    moments = (PhotoMoment.ARRIVAL, PhotoMoment.CARRYING)
    write_thumbnails(made.home.storage.folder, "yesterday", dict.fromkeys(moments, jpeg.getvalue()))


async def opened(there: CameraSite, page: Page, path: str = "/") -> Page:
    await there.site.sign_in(page.context)
    await page.goto(f"{there.site.address}{path}")
    await expect(page.locator("#link")).to_have_text(re.compile("Connected to the box|En liaison avec la box"))
    return page


async def goes_inside(made: ShellBox, visit: str) -> None:
    """Nobody says no: the bolt withdraws, and the courier opens the door."""
    await made.commits(visit)
    await wait_until(lambda: made.line.on("perron/lock/set"))
    made.bolt = LockState.UNLOCKED
    made.says("lock", LockReport(bolt=LockState.UNLOCKED))
    await wait_until(lambda: phase(made) is Phase.UNLOCKED)
    made.door = DoorState.OPEN
    made.says("door", DoorReport(door=DoorState.OPEN))
    await wait_until(lambda: phase(made) is Phase.INSIDE)


async def is_handed_to_the_owner(made: ShellBox) -> None:
    """The courier closes the door behind him, and the bolt does not answer any more; the door's sensor does."""
    made.door = DoorState.CLOSED
    made.says("door", DoorReport(door=DoorState.CLOSED))
    made.bolt = LockState.UNKNOWN
    made.says("lock", LockReport(bolt=LockState.UNKNOWN))
    for _ in range(60):
        if phase(made) is Phase.HANDED_TO_OWNER:
            return
        await made.quiet()
        made.passes(15)
    raise AssertionError(phase(made))


def phase(made: ShellBox) -> Phase | None:
    return None if made.front.state.visit is None else made.front.state.visit.phase


async def plays(page: Page, camera: str) -> None:
    """The picture of a camera is live, without a press."""
    await expect(page.locator(f"[data-camera={camera}] .light.good")).to_have_text(re.compile("Live|En direct"))
    await page.wait_for_function(
        "(camera) => document.querySelector(`[data-camera=${camera}] video`).currentTime > 0", arg=camera
    )


async def is_for_everybody(page: Page, *widths: int) -> None:
    for width in widths:
        await page.set_viewport_size({"width": width, "height": 800})
        await page.emulate_media(color_scheme="light")
        assert await accessibility_problems(page) == [], width
        await page.emulate_media(color_scheme="dark")
        assert await contrast_problems(page) == [], width
        assert not await page.evaluate("() => document.documentElement.scrollWidth > innerWidth"), width


@pytest.mark.parametrize("asks", [True, False])
async def test_when_it_rings_home_shows_who_is_there_by_itself_and_takes_the_answer_at_once(
    tmp_path: Path, cameras: CameraSet, *, asks: bool
) -> None:
    async with at_home(tmp_path, cameras, asks=asks) as there, visitor() as somebody:
        page, made = await opened(there, await somebody.page()), there.site.box
        door, hall = page.locator("[data-camera=cam]").first, page.locator("[data-camera=hall]").first
        await expect(door).to_be_hidden()  # no last visit: there is nothing to show
        async with page.expect_response(re.compile(r"/live/cam/still\?")) as still:
            visit = await made.ring(PARCEL)
        assert (await (await still.value).body()).startswith(b"\xff\xd8"), "a still, while the film begins"
        await plays(page, "cam")
        await plays(page, "hall")
        card = page.locator(".visit")
        await expect(card).to_contain_text(re.compile(rf"shop · Colissimo · Hall\s*Parcel …{PARCEL[-4:]}"))
        await expect(card.locator(".ring .left")).to_have_attribute("stroke-dasharray", re.compile(r"^\d+"))
        await expect(card.get_by_role("button", name="Do not open")).to_be_in_viewport()
        await expect(card.get_by_role("button", name="Open", exact=True)).to_have_count(1 if asks else 0)
        await expect(page.locator("button.stop.quiet")).to_have_count(2)  # here, and at the garage
        await is_for_everybody(page, 320, 390, 1280)
        await page.set_viewport_size(PHONE_OPTIONS["viewport"])
        before = await page.evaluate(PLAYS)
        if asks:
            await card.get_by_role("button", name="Open", exact=True).click()
            await expect(card).to_contain_text("You said yes")
        else:
            await made.commits(visit)
            await expect(card).not_to_contain_text("Ringing")
        await page.wait_for_function(f"(before) => {PLAYS} > before", arg=before)  # the film was not torn down
        await expect(hall).to_be_visible()
        if asks:
            await card.get_by_role("button", name="Do not open").click()
            await expect(card).to_have_count(0)
            await expect(hall).to_be_hidden()
            await expect(door).to_be_hidden()
            await wait_until(lambda: made.front.state.visit is None)


async def test_an_alarm_is_one_card_that_says_what_is_known_and_what_to_do_and_is_over_once_the_door_was_checked(
    tmp_path: Path, cameras: CameraSet
) -> None:
    async with at_home(tmp_path, cameras) as there, visitor() as somebody:
        page, made = await opened(there, await somebody.page()), there.site.box
        await receive(made.store, make_offer(id="d2", parcels=("other-parcel",), courier_sha256="cd" * 32), now=NOW)
        visit = await made.ring(PARCEL)
        await goes_inside(made, visit)
        await is_handed_to_the_owner(made)
        card = page.locator(".visit")
        await expect(card).to_have_count(1)
        await expect(card.locator(".known li")).to_have_text(["The door's sensor says closed."])
        await expect(card.locator(".unknown li")).to_have_text(["The bolt did not answer."])
        await expect(card.locator(".steps li")).to_have_text(
            [re.compile("Look"), re.compile("Call somebody"), re.compile("Lock it by hand")]
        )
        await plays(page, "cam")
        front = page.locator("article[aria-labelledby=name-front]")
        main = page.locator("main")
        await expect(main).to_contain_text("Not ready: the door needs your attention first.")
        await expect(main).not_to_contain_text(re.compile("entrance is ready|Locked again|Visit under way"))
        await is_for_everybody(page, 320, 390, 1280)
        made.bolt = LockState.LOCKED
        made.says("lock", LockReport(bolt=LockState.LOCKED))
        await card.get_by_role("button", name="I checked the door").click()
        for _ in range(20):
            made.passes(2)
            await made.quiet()
            if phase(made) is Phase.LOCKED_AGAIN:
                break
        await expect(card).to_have_count(0)
        await expect(front.locator(".door .word")).to_have_text("Locked")
        await expect(front).not_to_contain_text("Visit under way")


async def test_live_plays_by_itself_while_somebody_is_there_side_by_side_and_larger_where_one_wants(
    tmp_path: Path, cameras: CameraSet
) -> None:
    async with at_home(tmp_path, cameras) as there, visitor() as somebody:
        page, made = await opened(there, await somebody.page(**DESKTOP), "/live"), there.site.box
        hall = page.locator("[data-camera=hall]").first
        await expect(hall.get_by_text("Available while a courier is here")).to_be_visible()
        await made.ring(PARCEL)
        await plays(page, "cam")
        await plays(page, "hall")
        await expect(hall.get_by_text("Available while a courier is here")).to_be_hidden()
        boxes = [await page.locator(f"[data-camera={one}] >> nth=0").bounding_box() for one in ("cam", "hall")]
        assert boxes[0] is not None
        assert boxes[1] is not None
        assert boxes[0]["y"] == boxes[1]["y"]
        assert boxes[0]["width"] > 500
        await hall.get_by_role("button", name="Enlarge").click()
        larger = await hall.bounding_box()
        assert larger is not None
        assert larger["width"] > 1.9 * boxes[1]["width"]
        await hall.get_by_role("button", name="Full screen").click()
        await page.wait_for_function("() => document.fullscreenElement?.dataset.camera === 'hall'")
        await page.keyboard.press("Escape")
        await page.evaluate("() => document.fullscreenElement && document.exitFullscreen()")
        await hall.locator("[data-watch]").click()
        await expect(hall.locator(".light")).to_have_text("")  # who has ended it has ended it for this visit
        await plays(page, "cam")
        await is_for_everybody(page, 320, 1280)


async def test_between_visits_there_is_a_picture_of_the_last_one_and_one_press_shows_what_is_there_now(
    tmp_path: Path, cameras: CameraSet
) -> None:
    async with at_home(tmp_path, cameras) as there, visitor() as somebody:
        made = there.site.box
        await after_a_visit(made)
        page = await opened(there, await somebody.page())
        door, hall = page.locator("[data-camera=cam]").first, page.locator("[data-camera=hall]").first
        await expect(door.get_by_role("link", name=re.compile("Last visit: Wed 10 Jun"))).to_be_visible()
        await expect(hall).to_be_hidden()  # Home shows one picture; Live shows both
        await is_for_everybody(page, 320, 390, 1280)
        await page.goto(f"{there.site.address}/live")
        still = "/history/yesterday/thumbnail?moment="
        await expect(door.locator("video")).to_have_attribute("poster", f"{still}arrival")
        await expect(hall.locator("video")).to_have_attribute("poster", f"{still}carrying")
        await expect(hall.get_by_role("button")).to_have_count(0)
        await is_for_everybody(page, 320, 390, 1280)
        await door.locator("[data-watch]").click()
        await plays(page, "cam")
        await expect(door.get_by_role("link")).to_be_hidden()  # what is shown is no past visit
        await door.locator("[data-watch]").click()
        await expect(door.get_by_role("link", name=re.compile("Last visit"))).to_be_visible()
        await expect(door.locator("video")).to_have_attribute("poster", f"{still}arrival")
        installer = await there.site.guest(Role.INSTALLER, "Ida")
        his = await somebody.page()
        await there.site.sign_in(his.context, installer)
        await his.goto(there.site.address)
        await expect(his.locator(".door .word").first).to_have_text("Locked")
        await expect(his.locator("video")).to_have_count(0)  # an installer sees no picture


@pytest.mark.parametrize("safe_mode", [True, False], ids=["safe mode", "opened without an order"])
async def test_a_door_that_moved_without_an_order_has_a_card_with_its_picture_too(
    tmp_path: Path, cameras: CameraSet, *, safe_mode: bool
) -> None:
    async with at_home(tmp_path, cameras) as there, visitor() as somebody:
        page, made = await opened(there, await somebody.page(locale="fr-FR")), there.site.box
        if safe_mode:
            made.front.post(e.Restarted(safe_mode=True))
        else:
            made.bolt = LockState.UNLOCKED
            made.says("lock", LockReport(bolt=LockState.UNLOCKED, source=OperationSource.REMOTE))
        card = page.locator(".alarm")
        title = "Perron est en mode sûr" if safe_mode else "Il s'est passé quelque chose à la porte"
        await expect(card.get_by_role("heading", name=title)).to_be_visible()
        await plays(page, "cam")
        await expect(card.locator("button[value=acknowledge]")).to_have_count(1 if safe_mode else 0)
        await is_for_everybody(page, 320, 1280)
        if safe_mode:
            await card.locator("button[value=acknowledge]").click()
            await wait_until(lambda: not made.front.state.safe_mode)
            await expect(card).not_to_contain_text(title)
        else:
            await expect(card).to_contain_text("Le pêne dit : pas verrouillé.")
            made.bolt = LockState.LOCKED
            made.says("lock", LockReport(bolt=LockState.LOCKED))
            made.passes(60)
            await expect(card).to_have_count(0)
