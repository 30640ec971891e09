"""The page on which a courier's phone reads the parcel's label: what it reads, for whom, and that nothing leaves it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from PIL.Image import Image as Picture
from playwright.async_api import FilePayload, Page, expect

from gateway.domain.delivery import carriers
from gateway.domain.delivery.barcodes import ParcelCode, normalise
from gateway.domain.delivery.label import read_label
from gateway.web.server.connection_limits import PageConnection
from gateway.web.server.security_headers import CONTENT_SECURITY_POLICY, HEADERS, PHOTO_READER_HEADERS
from gateway.web.texts.catalogue import TEXTS
from tests.browser import IN_SHARED_BROWSER, Scheme, accessibility_problems, visitor
from tests.gateway.web.test_courier_page import CODE, DIGEST, OPEN, a_box, turn
from tests.gateway.web.test_rights import PAGES
from tests.lens import FakeCamera, draw_label, jpeg, read_screen_code
from tests.shell.box import ShellBox
from tests.shell.house import PARCEL
from tests.shell.site import serve_site

pytestmark = IN_SHARED_BROWSER

SSCC = "(00)106141411234567897(420)75011"
GTIN = "(01)09501101530003"
S10 = "RB123456785FR"
NAME = "perron.local"  # a name of the box that no browser takes for its own machine: no camera over plain HTTP
HERE = f"--host-resolver-rules=MAP {NAME} 127.0.0.1"
NARROW: dict[str, Any] = {"viewport": {"width": 360, "height": 740}}
ORDINARY = (
    "courier.js",
    "link.js",
    "page.js",
    "perron-180.png",
    "perron.css",
    "perron.svg",
    "qr.js",
    "qrcode-2.0.4.js",
    "ring.js",
)

CARRIERS = {one.carrier for one in carriers.CARRIER_BARCODES}

# A label's codes as they are printed, how it lies, and what the phone says that it is.
LABELS = [
    ([("gs1-128", SSCC)], 45, "sscc"),
    ([("gs1-128", "(00)106141411234567897(4322)0(4325)2611281200")], 0, "sscc"),
    ([("qr", "https://brand.example/p/00/106141411234567897?4323=1")], 0, "sscc"),
    ([("gs1-128", "(401)ABC123")], -25, "gs1"),
    ([("code128", "6A12345678905")], 0, "colissimo"),
    ([("qr", "1Z999AA10123456784")], 10, "ups"),
    ([("datamatrix", "106141411234567897")], 30, "sscc"),
    ([("code128", "12345678901234")], 0, "exact"),
    ([("code128", "01505022222229")], 0, "exact"),  # a carrier's number that fits GS1's check digit: no GTIN
    ([("code128", "%008182709980000020045327276")], 0, "dpd"),
    ([("code128", "%0006500XP696808230248226250")], 0, "chronopost"),
    ([("code128", "9622001900000000000000776632517510")], 0, "fedex"),
    ([("gs1-128", "(420)22153(91)01026837331000039521")], 0, "usps"),
    ([("code128", "JJD014600012794402457")], 0, "dhl"),
    ([("code128", "12123456780101006623123454")], 0, "mondial_relay"),
    ([("qr", "Straße Ü 12")], 0, "exact"),
]  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    """A good day in the middle of the window, at a door that wants both codes."""
    async for one in a_box(tmp_path, mono=OPEN):
        yield one


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """All that is said to the box, byte by byte (of WebSockets masked)."""
    heard: list[bytes] = []
    really = PageConnection.buffer_updated

    def noted(self: PageConnection, nbytes: int) -> None:
        heard.append(bytes(self.get_buffer(-1)[:nbytes]))
        really(self, nbytes)

    monkeypatch.setattr(PageConnection, "buffer_updated", noted)
    return heard


def overheard(page: Page) -> list[str]:
    """Each request of a page with all that it carries, and all that goes out over its WebSockets."""
    said: list[str] = []
    page.on("request", lambda one: said.append(f"{one.method} {one.url} {one.headers} {one.post_data}"))
    page.on("websocket", lambda one: one.on("framesent", lambda sent: said.append(str(sent))))
    return said


def upload(picture: Picture) -> FilePayload:
    """What a phone's camera app hands to the page."""
    return FilePayload(name="label.jpg", mimeType="image/jpeg", buffer=jpeg(picture))


async def photographs(page: Page, picture: Picture) -> None:
    await page.locator("#photo").set_input_files(upload(picture))


async def says(page: Page, name: str) -> None:
    await expect(page.locator("[data-said]:visible")).to_have_attribute("data-said", name)


async def clean(page: Page) -> str:
    """What the door's scanner reads when the phone shows what it has read."""
    await says(page, "found")
    return await read_screen_code(page.locator("#parcel canvas"))


@pytest.mark.slow
async def test_a_parcel_whose_label_the_scanner_does_not_take_is_held_up_on_the_couriers_phone(
    made: ShellBox, tmp_path: Path, wire: list[bytes]
) -> None:
    lens = FakeCamera(tmp_path / "label.mjpeg")
    lens.sees(draw_label(("code128", PARCEL), tilt=45))
    async with serve_site(made) as site, visitor(*lens.switches) as somebody:
        page = await somebody.page(locale="en-GB")
        said = overheard(page)
        await page.goto(f"{site.address}/c/{DIGEST}#{CODE}")
        await page.get_by_role("button", name="Français").click()
        await page.get_by_role("link", name="Le lecteur de la porte ne prend pas l'étiquette ?").click()
        await expect(page.get_by_role("button", name="Lire l'étiquette")).to_be_visible()
        assert not any("zxing" in one for one in said), "the reader comes only when somebody wants to read"
        await page.get_by_role("button", name="Lire l'étiquette").click()
        read = await clean(page)
        assert read == PARCEL
        assert await page.locator("#code").is_hidden(), "one code at a time, or the scanner may see the other"
        assert await page.evaluate("document.querySelector('video').srcObject") is None
        assert made.front.state.pending_scan is None, "what a phone has read is nothing to the door"

        made.scan(read)
        await turn(page, "other")
        await expect(page.locator("#parcel")).to_be_hidden()
        own = await read_screen_code(page.locator("#code canvas"))
        assert own == CODE
        visit = await made.ring(own)
        await turn(page, "wait")
        assert made.front.state.visit is not None
        assert made.front.state.visit.id == visit
        await expect(page.locator("#label")).to_be_hidden()
        await page.context.close()
    nothing_left(said, wire, PARCEL)


def nothing_left(said: list[str], wire: list[bytes], *codes: str) -> None:
    """No code that the phone has read or drawn went out: not one byte of it in anything that was asked for."""
    paths = {urlsplit(one.split()[1]).path for one in said if one.startswith(("GET", "POST"))}
    assert {path for path in paths if not path.startswith("/static/")} == {
        f"/c/{DIGEST}", f"/c/{DIGEST}/label", "/language",
    }  # fmt: skip
    everything = " ".join([*said, *(one.decode("latin-1") for one in wire)])
    assert f"/c/{DIGEST}/feed" in everything, "the wire was listened to"
    for code in (CODE, CODE.partition(":")[2], *codes):
        assert code.lower() not in everything.lower()


@pytest.mark.slow
async def test_a_photo_is_read_where_the_page_came_in_clear_and_says_what_the_scanner_would_have_said(
    made: ShellBox, wire: list[bytes]
) -> None:
    async with serve_site(made, names=(NAME,)) as site, visitor(HERE) as somebody:
        page = await somebody.page(**NARROW)
        said = overheard(page)
        await page.goto(f"http://{NAME}:{site.site.port}/c/{DIGEST}#{CODE}")
        await page.get_by_role("link", name="does not take the label").click()
        assert not await page.evaluate("isSecureContext")
        await expect(page.get_by_text("Photograph the label")).to_be_visible()
        await expect(page.get_by_role("button", name="Read the label")).to_be_hidden()
        for codes, tilt, kind in LABELS:
            picture = draw_label(*codes, tilt=tilt)
            await photographs(page, picture)
            read = await clean(page)
            printed, shown = normalise(codes[0][1]), normalise(read)
            assert shown == printed, codes
            assert read_label(read) == read_label(codes[0][1]), (
                "the rules on the label come to the door with the number"
            )
            assert isinstance(shown, ParcelCode)
            assert kind in CARRIERS or shown.kind == kind, codes
            await expect(page.locator("#parcel b")).to_have_text(TEXTS[f"label.kind.{kind}"].to("en"))
        await page.get_by_role("button", name="Your code").click()
        assert await read_screen_code(page.locator("#code canvas")) == CODE
        await page.get_by_role("button", name="Français").click()  # a form of the page: it carries nothing read either
        await expect(page.get_by_text("Photographier l'étiquette")).to_be_visible()
        await page.context.close()
    nothing_left(said, wire, "6141411234567897", "ABC123", "A12345678905", "1Z999AA10123456784", "12345678901234")


@pytest.mark.slow
async def test_of_several_codes_the_courier_chooses_and_goods_or_a_web_page_are_never_taken_for_the_parcel(
    made: ShellBox,
) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page()
        await page.goto(f"{site.address}/c/{DIGEST}/label#{CODE}")
        choices = page.locator("#choices button")
        for code, kind in (("https://brand.example/app", "link"), (GTIN, "gtin")):
            await photographs(page, draw_label(("qr" if kind == "link" else "gs1-128", code)))
            await says(page, "several")
            await expect(choices.locator("text=" + TEXTS[f"label.kind.{kind}"].to("en"))).to_have_count(1)
            await expect(page.locator("#parcel")).to_be_hidden()
        await photographs(page, draw_label(("gs1-128", GTIN), ("gs1-128", SSCC), ("code128", S10)))
        await expect(choices).to_have_text(
            [
                re.compile(r"Parcel \(SSCC\)00106141411234567897"),
                re.compile(r"Postal tracking \(S10\)" + S10),
                re.compile(r"Goods \(GTIN\), not the parcel"),
            ]
        )
        await expect(choices.first).to_be_focused()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        assert await clean(page) == S10
        await photographs(page, draw_label(("qr", CODE), ("code128", S10)))
        assert await clean(page) == S10, "a courier's code is no label"


@pytest.mark.slow
async def test_who_cannot_read_is_told_why_and_has_another_way(made: ShellBox) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page(locale="fr-FR")
        await page.goto(f"{site.address}/c/{DIGEST}/label#{CODE}")
        await page.route("**/*.wasm", lambda route: route.abort())
        await page.get_by_role("button", name="Lire l'étiquette").click()
        await says(page, "failed")
        somebody.complaints.clear()  # of what did not come
        await page.unroute("**/*.wasm")
        await page.get_by_role("button", name="Lire l'étiquette").click()
        await says(page, "nocamera")  # this browser has none
        await photographs(page, draw_label(("qr", "x")).crop((0, 0, 300, 200)))
        await says(page, "unread")
        no_picture = FilePayload(name="label.jpg", mimeType="image/jpeg", buffer=b"no picture")
        await page.locator("#photo").set_input_files(no_picture)
        await says(page, "unread")
        await page.get_by_text("Taper le numéro").click()
        await page.get_by_label("Numéro du colis").fill("\u202eRB")
        await page.get_by_role("button", name="Montrer").click()
        await expect(page.locator("#parcel")).to_be_hidden()  # no code has such a character
        await page.get_by_label("Numéro du colis").fill("rb 123 456 785 fr")
        await page.keyboard.press("Enter")
        shown = normalise(await clean(page))
        assert shown == normalise(S10)


TORCH = """
MediaStreamTrack.prototype.getCapabilities = () => ({ torch: true });
MediaStreamTrack.prototype.applyConstraints = async function (wanted) { window.torch = wanted.advanced[0].torch; };
"""


@pytest.mark.slow
async def test_the_camera_gives_light_and_hints_and_is_off_as_soon_as_nobody_looks(
    made: ShellBox, tmp_path: Path
) -> None:
    lens = FakeCamera(tmp_path / "label.mjpeg")
    lens.sees(draw_label(("qr", "x")).crop((0, 0, 320, 240)))
    async with serve_site(made) as site, visitor(*lens.switches) as somebody:
        page = await somebody.page()
        await page.add_init_script(TORCH)  # the browser's fake camera has no light
        await page.clock.install()
        await page.goto(f"{site.address}/c/{DIGEST}/label#{CODE}")
        await page.get_by_role("button", name="Read the label").click()
        await says(page, "looking")
        await page.get_by_role("button", name="Torch").click()
        await expect(page.get_by_role("button", name="Torch")).to_have_attribute("aria-pressed", "true")
        assert await page.evaluate("window.torch") is True
        await page.clock.fast_forward(6_000)
        await says(page, "nothing")
        await page.evaluate("window.track = document.querySelector('video').srcObject.getVideoTracks()[0]")
        assert await page.evaluate("track.readyState") == "live"
        await page.evaluate(
            "Object.defineProperty(document, 'hidden', { get: () => true });"
            "document.dispatchEvent(new Event('visibilitychange'));"
        )
        assert await page.evaluate("track.readyState") == "ended"
        await expect(page.locator("#aim")).to_be_hidden()
        await expect(page.get_by_role("button", name="Torch")).to_be_hidden()
        await page.get_by_role("button", name="Read the label").click()
        await says(page, "looking")
        await page.evaluate("window.track = document.querySelector('video').srcObject.getVideoTracks()[0]")
        await page.get_by_role("button", name="Stop reading").click()
        assert await page.evaluate("track.readyState") == "ended"


@pytest.mark.slow
async def test_the_reader_s_page_is_in_nobody_s_way_and_needs_no_mouse(made: ShellBox, tmp_path: Path) -> None:
    lens = FakeCamera(tmp_path / "label.mjpeg")
    lens.sees(draw_label(("code128", S10)))
    async with serve_site(made) as site, visitor(*lens.switches) as somebody:
        for locale in ("fr-FR", "en-GB"):
            page = await somebody.page(locale=locale, reduced_motion="reduce", **NARROW)
            await page.goto(f"{site.address}/c/{DIGEST}/label#{CODE}")
            await page.locator("details").first.evaluate("one => { one.open = true; }")
            await by_keyboard(page, "read")
            assert await clean(page) == S10
            await expect(page.locator("#parcel")).to_be_focused()
            await in_nobody_s_way(page)
            await photographs(page, draw_label(("gs1-128", GTIN), ("gs1-128", SSCC)))
            await says(page, "several")
            await in_nobody_s_way(page)
            await page.context.close()


async def in_nobody_s_way(page: Page) -> None:
    """Neither of somebody who sees badly, by day or by night, nor of a small screen."""
    schemes: tuple[Scheme, ...] = ("light", "dark")
    for scheme in schemes:
        await page.emulate_media(color_scheme=scheme)
        assert await accessibility_problems(page) == [], scheme
    assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["viewport"]["width"]


async def by_keyboard(page: Page, name: str) -> None:
    """Press a button that is reached with Tab alone."""
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.id") == name:
            await page.keyboard.press("Enter")
            return
    raise AssertionError(name)


async def test_webassembly_and_the_camera_are_for_the_reader_s_page_alone(made: ShellBox) -> None:
    async with serve_site(made) as site, site.client(site.owner) as client:
        async with client.get(f"/c/{DIGEST}/label") as answer:
            assert answer.status == 200
            assert answer.headers["Permissions-Policy"].startswith("camera=(self), ")
            policy = answer.headers["Content-Security-Policy"]
        assert policy.replace("script-src 'self' 'wasm-unsafe-eval';", "script-src 'self';") == CONTENT_SECURITY_POLICY
        assert policy != CONTENT_SECURITY_POLICY
        for path in ("/settings/hub", "/parcels"):  # a hub's code, or a parcel's number, is read from a photo there
            async with client.get(path) as answer:
                assert answer.headers["Content-Security-Policy"] == policy
                assert PHOTO_READER_HEADERS["Content-Security-Policy"] == policy
                assert answer.headers["Permissions-Policy"] == HEADERS["Permissions-Policy"]
        others = (
            *(page for page in PAGES if page not in ("/settings/hub", "/parcels")),
            f"/c/{DIGEST}",
            f"/c/{'0' * 64}/label",
            "/certificate",
            "/enter",
            "/static/label.js",
        )
        for path in others:
            async with client.get(path, allow_redirects=False) as answer:
                for name in ("Content-Security-Policy", "Permissions-Policy"):
                    assert answer.headers[name] == HEADERS[name], path
        assert "wasm" not in HEADERS["Content-Security-Policy"]
        assert "camera=()" in HEADERS["Permissions-Policy"]


async def test_webassembly_is_served_as_what_it_is_and_the_couriers_own_page_carries_none_of_the_reader(
    made: ShellBox,
) -> None:
    async with serve_site(made) as site, ClientSession(site.address) as client:
        async with client.get("/static/zxing-reader-3.1.4.wasm") as answer:
            assert answer.headers["Content-Type"] == "application/wasm"
            assert (await answer.read()).startswith(b"\0asm")
        async with client.get("/static/zxing-LICENSE.txt") as answer:
            assert answer.status == 404
        asked = [f"/c/{DIGEST}"]
        for path in asked:  # it grows while it is walked
            async with client.get(path) as answer:
                text = "" if path.endswith(".png") else await answer.text()
            found = re.findall(r"""(?:"/static/|from "\./)([a-z0-9.-]+)\"""", text)
            asked += [f"/static/{name}" for name in dict.fromkeys(found) if f"/static/{name}" not in asked]
        assert sorted(asked[1:]) == [f"/static/{name}" for name in ORDINARY]
