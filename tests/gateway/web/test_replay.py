"""The replay of a visit in a real browser: one clock for all cameras, and films that the browser itself checks."""

import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from playwright.async_api import Locator, Page, Route, expect

from gateway.evidence.manifest import Manifest
from gateway.evidence.succession import finish_key_change, prepare_key_change
from gateway.evidence.thumbnails import kept_thumbnails
from gateway.evidence.verify import verify_proof
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.hash_chain import canonical_json
from gateway.protocol.keys import BoxKey
from gateway.storage.database import Database
from gateway.web.auth.roles import Role
from gateway.web.server.context import GatewayServices
from gateway.web.server.replay_view import box_keys
from tests.browser import IN_SHARED_BROWSER, Scheme, accessibility_problems, visitor
from tests.gateway.domain.delivery.shop import NOW
from tests.gateway.test_upgrade import BOTH, its_house, laid_out, proofs
from tests.gateway.web.replayed import FILM_S, FOLDER, RATE, film_visit, replayed_site
from tests.shell.box import box, run_tasks
from tests.shell.house import VISIT
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

# Which second since the scan a film shows: its left upper corner is as bright as it is late (`replayed.py`).
SHOWN_SECOND = """(video) => {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  const pen = canvas.getContext("2d");
  pen.drawImage(video, 0, 0);
  return (pen.getImageData(12, 12, 1, 1).data[1] - 40) / 10;
}"""
TOGETHER_S = 0.9  # the encoder codes the corner's shade, a picture stands for 0.1 s, and a loaded machine draws late
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "has_touch": False}


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    async with replayed_site(tmp_path) as site:
        yield site


def folder_of(site: ServedSite) -> Path:
    return site.box.home.storage.folder / FOLDER


async def opened(site: ServedSite, page: Page, *, state: str = "sealed") -> None:
    """The owner looks at the visit, and the seal was checked."""
    await site.sign_in(page.context)
    await page.goto(f"{site.address}/history/{VISIT}")
    await expect(page.locator("#seal")).to_have_attribute("data-state", state)
    if state == "sealed":
        await expect(page.locator("#seal.whole")).to_be_visible()


def film(page: Page, name: str) -> Locator:
    return page.locator(f'video[data-film="{name}-1-1.mp4"]')


async def shown(page: Page, name: str) -> float:
    """Which second since the scan a camera's film shows."""
    return float(await film(page, name).evaluate(SHOWN_SECOND))


async def wait_for(page: Page, script: str, argument: object = None) -> None:
    await page.wait_for_function(script, arg=argument)


async def at_second(page: Page, second: float) -> None:
    """The clock stands at this second or later."""
    await wait_for(page, "(at) => Number(document.getElementById('scrubber').value) >= at * 1000", second)


async def settled(page: Page) -> None:
    """No film searches its place any more, and what was found is painted."""
    await wait_for(
        page, "() => [...document.querySelectorAll('#replay video:not([hidden])')].every(one => !one.seeking)"
    )
    await page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


async def test_one_clock_plays_all_cameras(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await opened(site, page)
        await page.locator("#scrubber").fill("3000")
        await page.get_by_role("button", name="Play").click()
        await at_second(page, 5)
        seconds = [await shown(page, "cam"), await shown(page, "hall")]
        assert abs(seconds[0] - seconds[1]) < TOGETHER_S, seconds
        assert seconds[0] > 4.5
        await page.get_by_role("button", name="Pause").click()
        await settled(page)
        seconds = [await shown(page, "cam"), await shown(page, "hall")]
        assert abs(seconds[0] - seconds[1]) < TOGETHER_S, seconds
        for name in ("cam", "hall"):
            assert await film(page, name).evaluate("one => one.paused")


async def test_a_film_that_falls_behind_is_brought_back_to_the_clock(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await opened(site, page)
        await page.locator("#scrubber").fill("3000")
        await page.get_by_role("button", name="Play").click()
        await at_second(page, 3.5)
        await film(page, "hall").evaluate("one => { one.currentTime = 0; }")
        behind = """() => {
          const [cam, hall] = ["cam", "hall"].map((one) => document.querySelector(`video[data-film="${one}-1-1.mp4"]`));
          return !hall.seeking && Math.abs(cam.currentTime - hall.currentTime - 2) < 0.1;
        }"""
        await wait_for(page, behind)


async def test_where_a_camera_has_no_film_the_page_says_so_and_the_clock_goes_on(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await opened(site, page)
        hall = page.locator("figure", has=film(page, "hall"))
        await page.locator("#scrubber").fill("12000")
        await expect(hall.locator(".hole")).to_have_text("No film of this camera at this moment")
        await expect(film(page, "hall")).to_be_hidden()
        await page.get_by_role("button", name="Play").click()
        await at_second(page, 14)
        await expect(hall.locator(".hole")).to_be_hidden()
        await page.get_by_role("button", name="Pause").click()  # the two are read one after the other
        second = float(await hall.locator("video:not([hidden])").evaluate(SHOWN_SECOND))
        assert abs(second - await shown(page, "cam")) < TOGETHER_S, "the next film of this camera plays on"


async def test_the_replay_ends_and_begins_anew(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await opened(site, page)
        await page.locator("#scrubber").fill(str(FILM_S * 1000 - 600))
        await page.locator("#speed").select_option("4")
        await page.get_by_role("button", name="Play").click()
        await at_second(page, FILM_S)
        await expect(page.get_by_role("button", name="Play")).to_be_visible()
        await page.get_by_role("button", name="Play").click()
        await wait_for(page, "() => Number(document.getElementById('scrubber').value) < 10000")


async def test_the_speed_is_that_of_the_films(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await opened(site, page)
        await page.locator("#speed").select_option("2")
        await page.get_by_role("button", name="Play").click()
        await at_second(page, 4)
        rates = await page.locator("#replay video:not([hidden])").evaluate_all(
            "all => all.map(one => one.playbackRate)"
        )
        assert all(abs(rate - 2) < 0.25 for rate in rates), rates


async def test_the_keys_drive_the_replay_and_can_be_switched_off(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await opened(site, page)
        at = page.locator("#scrubber")

        async def press(key: str) -> float:
            await page.keyboard.press(key)
            await settled(page)
            return int(await at.input_value()) / 1000

        assert int(await at.input_value()) > 0, "it opens where each camera has its film"
        keys = ("Home", "ArrowRight", "ArrowRight", "ArrowLeft", "j", "End", "Home")
        assert [await press(key) for key in keys] == [0, 5, 10, 5, 0, FILM_S, 0]
        assert await press(".") == pytest.approx(1 / RATE, abs=0.02)
        assert await press(",") == 0
        await page.keyboard.press("Space")
        await expect(page.get_by_role("button", name="Pause")).to_be_visible()
        await page.keyboard.press("l")
        await expect(page.locator("#speed")).to_have_value("2")
        await page.keyboard.press("k")
        await expect(page.get_by_role("button", name="Play")).to_be_visible()
        await page.locator("summary", has_text="Keyboard").click()
        await page.get_by_label("Keys drive the replay").uncheck()
        await page.locator("h1").click()
        before = await at.input_value()
        assert await press("End") == int(before) / 1000


async def test_the_scrubber_is_a_slider_with_words_and_a_finger_drags_it(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        await opened(site, page)
        slider = page.get_by_role("slider", name="Moment of the visit")
        box_ = await slider.bounding_box()
        assert box_ is not None
        await page.touchscreen.tap(box_["x"] + box_["width"] / 2, box_["y"] + box_["height"] / 2)
        await settled(page)
        assert int(await slider.input_value()) == pytest.approx(FILM_S * 500, abs=300)
        assert "The door opens" in str(await slider.get_attribute("aria-valuetext"))
        await expect(page.locator(".moment[aria-current]")).to_contain_text("The door opens")
        await expect(page.locator(".marks i")).to_have_count(await page.locator(".moment").count())
        await page.locator(".moment", has_text="The door closes").click()
        await settled(page)
        assert abs(await shown(page, "cam") - 12) < TOGETHER_S


async def test_a_strip_of_pictures_shows_each_camera_and_hatches_what_is_missing(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await opened(site, page)
        await expect(page.locator("#replay[data-strip=drawn]")).to_be_visible()
        row = """(canvas) => {
          const data = canvas.getContext("2d").getImageData(0, canvas.height - 12, canvas.width, 1).data;
          const at = (share) => [...data.slice(4 * Math.floor(share * canvas.width)).slice(0, 4)];
          return [0.5, 0.505, 0.51, 0.55, 0.6, 0.97].map(at);
        }"""
        *_, (red, _, blue, opaque) = await page.locator(".strip canvas").nth(0).evaluate(row)
        assert opaque == 255
        assert blue > red, "the outside is blue"
        *missing, (red, _, blue, _) = await page.locator(".strip canvas").nth(1).evaluate(row)
        assert red > blue + 20, "the hall is brown"
        assert all(max(rgb[:3]) - min(rgb[:3]) < 12 for rgb in missing), "nothing was filmed there: grey"
        assert len({tuple(rgb) for rgb in missing}) > 1, "hatched"


async def test_a_camera_is_enlarged_by_a_press(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await opened(site, page)
        hall = page.locator("figure", has=film(page, "hall"))
        small = await hall.bounding_box()
        await hall.get_by_role("button", name="Enlarge").click()
        large = await hall.bounding_box()
        assert small is not None
        assert large is not None
        assert large["width"] > 1.8 * small["width"]
        await expect(hall.get_by_role("button", name="Enlarge")).to_have_attribute("aria-pressed", "true")


async def test_the_replay_fills_the_screen_and_leaves_it(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await opened(site, page)
        await page.get_by_role("button", name="Full screen").click()
        await wait_for(page, "() => document.fullscreenElement?.id === 'replay'")
        await expect(page.get_by_role("button", name="Play")).to_be_in_viewport()
        await page.keyboard.press("f")
        await wait_for(page, "() => document.fullscreenElement === null")


# ---- the seal --------------------------------------------------------------------------------------------------------


async def test_the_browser_finds_the_films_unaltered_and_plays_the_very_bytes_that_it_checked(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        await opened(site, page)
        await expect(page.locator("#seal b")).to_have_text("Sealed and unaltered")
        await page.locator("#seal summary").click()
        hashes = await page.locator(".hashes code").all_inner_texts()
        films = sorted(folder_of(site).glob("*.mp4"))
        assert {sha256(one.read_bytes()).hexdigest() for one in films} < set(hashes)
        assert sha256((folder_of(site) / "manifest.json").read_bytes()).hexdigest() in hashes
        assert site.box.key.public.text in hashes


async def test_from_the_check_on_the_checked_bytes_are_played_whatever_was_played_before(site: ServedSite) -> None:
    other = (folder_of(site) / "hall-1-2.mp4").read_bytes()

    async def deceive(route: Route) -> None:
        """The player gets another film than the check."""
        if route.request.resource_type == "media":
            await route.fulfill(body=other, content_type="video/mp4")
        else:
            await route.continue_()

    async with visitor() as somebody:
        page = await somebody.page()
        await page.route("**/cam-1-1.mp4", deceive)
        await opened(site, page)
        await page.locator("#scrubber").fill("4000")
        await settled(page)
        assert (await film(page, "cam").evaluate("one => one.src")).startswith("blob:")
        assert abs(await shown(page, "cam") - 4) < TOGETHER_S, "the sealed film, not the other one"


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def one_byte_of_a_film(folder: Path) -> None:
    flip(folder / "hall-1-2.mp4")


def one_byte_of_the_manifest(folder: Path) -> None:
    data = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").write_bytes(data.replace(b'"hall"', b'"yard"', 1))


def one_byte_of_the_signature(folder: Path) -> None:
    flip(folder / "manifest.sig")


def another_key(folder: Path) -> None:
    """A forger changes a film, and signs a whole list with a key of his own."""
    forger = BoxKey.generate()
    flip(folder / "cam-1-1.mp4")
    sealed = json.loads((folder / "manifest.json").read_bytes())
    sealed["key"] = forger.public.text
    for clip in sealed["clips"]:
        clip["sha256"] = sha256((folder / clip["file"]).read_bytes()).hexdigest()
    data = canonical_json(sealed)
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest.sig").write_bytes(forger.sign(data))


def a_film_is_gone(folder: Path) -> None:
    (folder / "hall-1-1.mp4").unlink()


def no_signature(folder: Path) -> None:
    (folder / "manifest.sig").unlink()


def films_swapped(folder: Path) -> None:
    first, second = (folder / f"hall-1-{number}.mp4" for number in (1, 2))
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (one_byte_of_a_film, "The film of Inside camera (14:00:13) is not the one that the box sealed."),
        (one_byte_of_the_manifest, "The list of sealed films (manifest, part 1) was changed"),
        (one_byte_of_the_signature, "The list of sealed films (manifest, part 1) was changed"),
        (another_key, "The list of sealed films (part 1) is signed by another key than the box's."),
        (a_film_is_gone, "The film of Inside camera (14:00:02) was sealed and is missing."),
        (no_signature, "The list of sealed films (manifest, part 1) or its signature is missing."),
        (films_swapped, "The film of Inside camera (14:00:02) is not the one that the box sealed."),
    ],
)
async def test_what_was_altered_is_called_altered_with_the_film_also_by_a_shared_link(
    site: ServedSite, attack: Callable[[Path], None], said: str
) -> None:
    link = await share(site)
    attack(folder_of(site))
    async with visitor() as somebody:
        for address in (f"{site.address}/history/{VISIT}", link):
            page = await somebody.page()
            await site.sign_in(page.context)
            await page.goto(address)
            await expect(page.locator("#seal")).to_have_attribute("data-state", "altered")
            await expect(page.locator("#seal b")).to_have_text("ALTERED")
            await expect(page.locator("#seal")).to_contain_text(said)
            await expect(page.locator("#seal.whole")).to_have_count(0)
        await somebody.leave(forgiven="404|ERR_REQUEST_RANGE|416|decode")


async def test_a_film_that_the_store_names_and_nobody_sealed_is_told(site: ServedSite) -> None:
    added = folder_of(site) / "cam-1-9.mp4"
    added.write_bytes((folder_of(site) / "cam-1-1.mp4").read_bytes())

    def insert(db: Database) -> None:
        db.execute(
            "INSERT INTO clip SELECT replace(path, 'cam-1-1', 'cam-1-9'), visit, part, camera, starts, ends, sha256,"
            " fragments, size, gaps FROM clip WHERE path LIKE '%cam-1-1.mp4'"
        )

    await site.box.store.recordings.write(insert)
    async with visitor() as somebody:
        page = await somebody.page()
        await opened(site, page, state="altered")
        await expect(page.locator("#seal")).to_contain_text("cam-1-9.mp4 is shown here and was never sealed")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE clip SET starts = starts - 60000000 WHERE path LIKE '%cam-1-1.mp4'",
        (
            "INSERT INTO clip SELECT replace(path, 'visits/', 'visits//'), visit, part, camera, starts + 60000000,"
            " ends + 60000000, sha256, fragments, size, gaps FROM clip WHERE path LIKE '%cam-1-1.mp4'"
        ),
    ],
    ids=["moved", "listed a second time"],
)
async def test_a_film_that_the_store_shows_at_another_time_than_the_sealed_one_is_told(
    site: ServedSite, change: str
) -> None:
    await site.box.store.recordings.write(lambda db: db.execute(change))
    async with visitor() as somebody:
        page = await somebody.page()
        await opened(site, page, state="altered")
        await expect(page.locator("#seal")).to_contain_text("another time than the sealed one")


async def test_a_hole_that_the_store_names_and_nobody_sealed_hides_no_film(site: ServedSite) -> None:
    await site.box.store.recordings.write(
        lambda db: db.execute(
            "UPDATE clip SET gaps = json_array(json_array(starts + 3000000, starts + 10000000)) WHERE camera = 'cam'"
        )
    )
    async with visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await opened(site, page)
        await page.locator("#scrubber").fill("5000")
        await settled(page)
        await expect(page.locator('figure[data-view="cam"] .hole')).to_be_hidden()
        assert abs(await shown(page, "cam") - 5) < TOGETHER_S


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        ("Object.defineProperty(window, 'isSecureContext', { value: false })", "trusted HTTPS address"),
        (
            "crypto.subtle.importKey = () => Promise.reject(new DOMException('', 'NotSupportedError'))",
            "This browser cannot check the box's signature",
        ),
    ],
)
async def test_a_browser_that_cannot_check_says_so_and_names_the_other_way(
    site: ServedSite, lacks: str, said: str
) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        await page.add_init_script(lacks)
        await opened(site, page, state="unable")
        await expect(page.locator("#seal b")).to_have_text("Sealed, not checked here")
        await expect(page.locator("#seal")).to_contain_text(said)
        await expect(page.locator("#seal")).to_contain_text("perron verify")
        await page.get_by_role("button", name="Play").click()  # it plays all the same
        await at_second(page, 1)


async def test_who_may_not_download_the_proof_is_told_to_ask_the_owner(site: ServedSite) -> None:
    link = await share(site)
    async with visitor() as somebody:
        page = await somebody.page()
        await page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
        await page.goto(link)
        await expect(page.locator("#seal")).to_have_attribute("data-state", "unable")
        await expect(page.locator("#seal")).to_contain_text("ask the owner for the whole proof")


async def test_without_an_answer_of_the_box_nothing_is_claimed_and_it_can_be_checked_again(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        await page.route("**/manifest.json", lambda route: route.abort())
        await opened(site, page, state="offline")
        await expect(page.locator("#seal b")).to_have_text("Not checked: the box did not answer.")
        await page.unroute("**/manifest.json")
        await page.get_by_role("button", name="Check again").click()
        await expect(page.locator("#seal.whole")).to_be_visible()
        await somebody.leave(forgiven="ERR_FAILED")


async def test_a_key_that_the_box_had_before_still_counts(tmp_path: Path) -> None:
    async with replayed_site(tmp_path) as site, visitor() as somebody:
        page = await somebody.page()
        await page.route(f"**/history/{VISIT}", _with_former_key)
        await opened(site, page)
        await expect(page.locator("#seal b")).to_have_text("Sealed and unaltered")


def test_the_page_names_the_keys_that_the_box_had_before(tmp_path: Path) -> None:
    folder = tmp_path / "key"
    first = BoxKey.load_or_create(folder).public
    second = prepare_key_change(folder)
    finish_key_change(folder, box="box-1", now=NOW)
    services = cast("GatewayServices", SimpleNamespace(films_folder=tmp_path, public_key=second))
    assert set(box_keys(services)) == {first.text, second.text}
    stranger = BoxKey.generate().public
    services = cast("GatewayServices", SimpleNamespace(films_folder=tmp_path, public_key=stranger))
    assert box_keys(services) == (stranger.text,), "a history of another box counts for nothing"


async def _with_former_key(route: Route) -> None:
    """As a box writes its page after its key was changed: the newest key first, then the one that sealed this visit."""
    answer = await route.fetch()
    text = await answer.text()
    newest = BoxKey.generate().public.text
    assert "&#34;keys&#34;:[" in text
    await route.fulfill(response=answer, body=text.replace("&#34;keys&#34;:[", f"&#34;keys&#34;:[&#34;{newest}&#34;,"))


@pytest.mark.parametrize("version", [1, 2, 3])
async def test_a_proof_of_an_earlier_version_is_checked_and_played(tmp_path: Path, version: int) -> None:
    async with replayed_site(tmp_path) as site, visitor() as somebody:
        file = folder_of(site) / "manifest.json"
        manifest = Manifest.from_json(file.read_bytes())
        data = manifest.model_copy(update={"version": version}).to_json()
        assert Manifest.from_json(data).version == version
        file.write_bytes(data)
        file.with_suffix(".sig").write_bytes(site.box.key.sign(data))
        page = await somebody.page()
        await opened(site, page)
        await page.get_by_role("button", name="Play").click()
        await at_second(page, 1)


@BOTH
async def test_the_visit_of_a_released_box_is_listed_played_and_checked(tmp_path: Path, kept: Path) -> None:
    folder = laid_out(kept, tmp_path / "box")
    sealed = proofs(folder)["cdiscount.sealed"]
    async with box(folder, its_house(folder)) as made, run_tasks(made.archive.run()):
        await wait_until(lambda: kept_thumbnails(folder, sealed.name), within=120)  # the decoder yields to all else
        async with serve_site(made) as site, visitor() as somebody:
            page = await somebody.page()
            await site.sign_in(page.context)
            await page.goto(f"{site.address}/history?q=cdiscount+delivered")
            card = page.locator("#cards > li", has=page.locator(f"a[href='/history/{sealed.name}']"))
            await expect(card.locator("img").first).to_be_visible()
            await card.locator("a").click()
            await expect(page.locator("#seal.whole")).to_be_visible()
            await page.get_by_role("button", name="Play").click()
            await at_second(page, 1)


async def test_a_visit_that_is_not_sealed_says_why(tmp_path: Path) -> None:
    async with box(tmp_path) as made, run_tasks(made.archive.run()):
        await film_visit(made, seal=False)
        async with serve_site(made) as site, visitor() as somebody:
            page = await somebody.page()
            await opened(site, page, state="sealing")
            await expect(page.locator("#seal")).to_contain_text("seals them within seconds")
            made.front.state = made.front.state.__class__(id="front", rules=made.front.state.rules)
            made.time.mono += 3600
            await page.reload()
            await expect(page.locator("#seal")).to_have_attribute("data-state", "not_sealed")
            await expect(page.locator("#seal")).to_contain_text("tries again every hour")


# ---- sharing and downloading -----------------------------------------------------------------------------------------


async def share(site: ServedSite) -> str:
    """Return a link to the visit."""
    path = f"/history/{VISIT}/share"
    async with site.client(site.owner) as client, client.post(path, data={"days": "7"}) as answer:
        text = await answer.text()
    return f"{site.address}/shared/{text.partition('/shared/')[2].partition('<')[0]}"


async def test_somebody_with_a_link_plays_and_checks_the_films_and_gets_nothing_else(site: ServedSite) -> None:
    link = await share(site)
    async with visitor() as somebody:
        page = await somebody.page()
        await page.goto(link)
        await expect(page.locator("#seal.whole")).to_be_visible()
        await expect(page.locator("#seal b")).to_have_text("Sealed and unaltered")
        await page.get_by_role("button", name="Play").click()
        await at_second(page, 1)
        await expect(page.locator("a[href*='proof.zip']")).to_have_count(0)
        assert await accessibility_problems(page) == []
    async with ClientSession() as stranger:
        of_no_share = ("log.jsonl", "receipt.json", "succession.jsonl", "manifest-2.json", "../../key/box.key.pem")
        for name, status in (("manifest.json", 200), ("manifest.sig", 200), *((name, 404) for name in of_no_share)):
            async with stranger.get(f"{link}/{name}", allow_redirects=False) as answer:
                assert answer.status == status, name


async def test_the_whole_proof_is_downloaded_and_verifies_elsewhere(site: ServedSite, tmp_path: Path) -> None:
    bruno = await site.guest(Role.HOUSEHOLD)
    async with site.client(site.owner) as client, site.client(bruno) as guest, ClientSession(site.address) as stranger:
        async with client.get(f"/history/{VISIT}/proof.zip") as answer:
            assert answer.status == 200
            data = await answer.read()
        for other in (guest, stranger):
            async with other.get(f"/history/{VISIT}/proof.zip", allow_redirects=False) as answer:
                assert answer.status in (303, 401, 403)
        async with client.get("/history/nothing/proof.zip") as answer:
            assert answer.status == 404
        for name in ("log.jsonl", "..%2f..%2fkey%2fbox.key.pem", "erased.json"):
            async with client.get(f"/history/{VISIT}/proof/{name}") as answer:
                assert answer.status == 404, name
    into = tmp_path / "elsewhere"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(into)
    key = PublicKey.from_pem((into / "box.pub.pem").read_bytes())
    verdict = verify_proof(into / VISIT, public_key=key)
    assert verdict.ok, verdict.where


@pytest.mark.parametrize(("locale", "scheme"), [("en-GB", "light"), ("fr-FR", "dark")])
async def test_everybody_can_use_the_replay(site: ServedSite, locale: str, scheme: Scheme) -> None:
    async with visitor() as somebody:
        page = await somebody.page(locale=locale, color_scheme=scheme, viewport={"width": 390, "height": 844})
        await opened(site, page)
        for fold in await page.locator("#replay summary").all():
            await fold.click()
        assert await accessibility_problems(page) == []
        await page.locator("#scrubber").fill("12000")
        for width in (320, 390, 1280):
            await page.set_viewport_size({"width": width, "height": 844})
            assert await accessibility_problems(page) == [], f"with a hole in a film, {width} pixels wide"
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
