"""The page for away from home in a real browser: kept without the box, true to its word, deaf to a hub that lies."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
import pytest_asyncio
from joserfc import jwe
from joserfc.jwk import OctKey
from playwright.async_api import expect

from tests.browser import IN_SHARED_BROWSER, visitor
from tests.gateway.evidence.visits import FILM_S, film_bytes
from tests.gateway.web.awayhome import READ_KEYS_SCRIPT, RemotePage, open_remote_page, serve_at_home
from tests.gateway.web.awayhub import run_fake_hub
from tests.gateway.web.house import ANNA_PASSWORD
from tests.gateway.web.test_every_page import looked_at
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

VECTORS = Path(__file__).parents[1] / "protocol" / "vectors.json"  # what the box's own cryptography makes of two keys
AGREES = """async (vectors) => {
    const { envelopeKeys, seal, unseal } = await import("/static/away_crypto.js");
    const { kty, crv, x, y, d } = vectors.page;
    const jwk = { kty, crv, x, y, d };
    const agree = await crypto.subtle.importKey("jwk", jwk, { name: "ECDH", namedCurve: crv }, false, ["deriveBits"]);
    const { d: _, ...box } = vectors.box;
    const keys = await envelopeKeys(agree, box, vectors.home, vectors.browser);
    const { said, bytes } = await unseal(keys.down, vectors.browser, vectors.answer.sealed);
    const raw = Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
    return [[said, raw], await seal(keys.up, vectors.browser, vectors.text)];
}"""
PIECE = 20_000
HELD_BACK_S = 3  # seconds for which a hub keeps an answer: the least age that the page then says
LOOK_INTERVAL_S = 0.25  # seconds between two looks at what the page says, which writes it twice a second
WAITS = {"key": "k" * 43, "kid": "k2", "fingerprint": "1111 2222"}  # a new key of a brand


def picture() -> bytes:
    """A JPEG."""
    made = av.CodecContext.create("mjpeg", "w")
    assert isinstance(made, av.VideoCodecContext)
    made.width, made.height, made.pix_fmt, made.time_base = 64, 48, "yuvj420p", Fraction(1, 25)
    return b"".join(bytes(packet) for packet in made.encode(av.VideoFrame(64, 48, "yuvj420p")))


@pytest_asyncio.fixture(loop_scope="session")
async def away(tmp_path: Path) -> AsyncIterator[RemotePage]:
    async with run_fake_hub() as hub, visitor() as somebody, open_remote_page(tmp_path, hub, somebody) as away:
        yield away


async def test_the_page_comes_from_its_worker_says_what_the_box_says_and_how_old_that_is(away: RemotePage) -> None:
    page, hub = away.page, away.hub
    await page.goto(f"{away.address}/away")
    assert page.url.endswith("/away/en")
    await expect(away.front).to_have_text("Locked")
    await expect(page.locator("[data-entrance=garage] .door .word")).to_have_text("Unknown")
    await expect(page.locator("#messages")).to_contain_text("Locked again.")
    hub.door("open")
    await expect(away.front).to_have_text("Open")
    hub.door("ajar")  # a word that this page does not know
    await expect(away.front).to_have_text("Unknown")
    assert not await page.evaluate("fetch('/enter').then(() => true, () => false)"), "the box is really not there"
    await page.goto(f"{away.address}/away/fr")
    await expect(page.locator("html")).to_have_attribute("lang", "fr")
    await expect(away.heard).to_have_text("En liaison avec la box")
    await expect(page.locator("[data-entrance=front] .door .age")).to_have_text(re.compile(r"^il y a \d+ j$"))
    await page.goto(f"{away.address}/away/en")

    async def late(_browser: str, _true: str) -> None:
        await asyncio.sleep(HELD_BACK_S)

    hub.lie, hub.version = late, hub.version + 1  # a hub that holds an answer back makes it look older, never newer
    await expect(page.locator("#as-of")).to_have_text(re.compile(r"Said by the box ([3-9]|[1-9]\d) s ago"))
    for _ in range(int((HELD_BACK_S + 1) / LOOK_INTERVAL_S)):  # one that has just come through is no newer
        assert await page.locator("#as-of").text_content() != "Said by the box just now."
        await asyncio.sleep(LOOK_INTERVAL_S)
    hub.lie, hub.ahead = None, 600  # the box's clock is another than this device's
    await expect(page.locator("#as-of")).to_have_text("Said by the box just now.")
    hub.offline = True
    await away.unheard("The box is not connected to the hub: nothing is known of the house.")
    await page.reload()
    await away.unheard("nothing is known")
    await expect(page.locator("#doors")).to_be_empty()
    hub.offline = False
    await expect(away.heard).to_have_text("Connected to the box")
    assert await page.evaluate(READ_KEYS_SCRIPT) == [away.browser, 0, "private", "private"]
    vectors = json.loads(VECTORS.read_text(encoding="ascii"))
    opened, sealed = await page.evaluate(AGREES, vectors)
    assert opened == [json.loads(vectors["answer"]["text"]), vectors["answer"]["raw"]]
    up = OctKey.import_key(bytes.fromhex(vectors["up"]))
    assert jwe.decrypt_compact(sealed, up, algorithms=["dir", "A256GCM"]).plaintext == vectors["text"].encode()


async def test_the_page_draws_each_closure_where_an_entrance_has_others_than_one_door(away: RemotePage) -> None:
    page, hub = away.page, away.hub
    await page.goto(f"{away.address}/away")
    await expect(page.locator("[data-entrance=front] .closures")).to_have_count(0)
    box = {"is_private": True, "kind": "compartment", "position": None}
    street = {"id": "street", "kind": "strike", "state": "secured", "is_private": False, "position": "passed"}
    first, second = {**box, "id": "c1", "state": "open", "position": "here"}, {**box, "id": "c2", "state": "ajar"}
    kept = {**box, "id": "safe", "kind": "key_safe", "state": "open", "position": "ahead", "way": "way.ahead.keeper"}
    visit = {"id": "v", "phase": "inside", "brand": "", "place": "", "may_veto": False, "asks": False, "deadline": None}
    hub.door("open", closures=[street, first, second, kept], visit=visit)
    await expect(page.locator("[data-entrance=front] .closures li")).to_have_text(
        [
            "Street door shut, proven the courier has passed it",
            "Compartment (c1) open the courier is here",
            "Compartment (c2) not proven",  # a word that this page does not know
            "Key safe open the keeper comes here later",
        ],
        use_inner_text=True,
    )
    await expect(page.locator("[data-entrance=front] .phase")).to_have_text("Open: Compartment (c1)")
    await expect(page.locator("[data-entrance=front] .door .why")).to_have_text("something in the home is open")
    await looked_at(page, "closures away from home")


async def test_the_box_enrols_a_browser_by_its_password_and_lists_it(tmp_path: Path) -> None:
    async with run_fake_hub() as hub, visitor() as somebody, serve_at_home(tmp_path, hub) as site:
        page = await somebody.page()
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/settings")
        assert page.url.startswith("http://127.0.0.1:")  # at the box itself no certificate is needed
        await page.get_by_role("link", name="Enrol this browser").click()
        make = page.locator("form.enrol button:not([type=button])")
        await page.route("**/away_enrol.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
        await page.reload()
        await expect(make).to_be_disabled()  # its script is not here: the form would go without keys
        await page.unroute("**/away_enrol.js")
        await page.reload()
        await page.locator("[name=password]").fill("not the password")
        await make.click()
        await expect(page.locator("#said")).to_have_text("This password is wrong.")
        assert site.box.store.browsers.browsers(None) == ()
        await page.locator("[name=password]").fill(ANNA_PASSWORD)
        await make.click()
        await page.wait_for_url(re.compile("/away/en$"))
        (one,) = site.box.store.browsers.browsers(None)
        assert one.label == "Anna's phone"
        assert (await page.evaluate(READ_KEYS_SCRIPT)) == [one.id, 0, "private", "private"]
        await expect(page.locator("#as-of")).to_contain_text("The hub does not know this browser")
        await page.goto(f"{site.address}/settings")
        await expect(page.get_by_role("button", name="End the browser Anna's phone")).to_be_visible()
        somebody.complaints[:] = [one for one in somebody.complaints if not re.search("422|401", one)]


async def test_a_stop_is_one_button_and_a_second_press_and_only_the_box_says_that_it_came(away: RemotePage) -> None:
    page, hub = away.page, away.hub
    order = page.locator("[data-order=stop]")
    for _ in range(10):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.dataset.key") == "stop":
            break
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-key=stop]")).to_contain_text("press once more")
    assert hub.orders == [], "a stop asks once more"
    hub.dropping = True
    await page.keyboard.press("Enter")
    await expect(order).to_contain_text("waits at the hub")
    await expect(order).to_contain_text("the box has not said so yet")  # the hub's "received" is no good news
    await expect(order).not_to_have_attribute("data-way", "done")
    hub.dropping = False
    await away.twice(page.locator("#stop button"))
    await wait_until(lambda: hub.orders)
    (one,) = hub.orders
    assert (one["order"], one["number"], one["exp"] - one["iat"]) == ({"do": "stop"}, 2, 900)
    told = {"number": 2, "jti": one["jti"], "do": "stop", "state": "done"}
    hub.becomes(orders=[told], number=2, entrances=[{**each, "stopped": True} for each in hub.state["entrances"]])
    await expect(order.first).to_contain_text("done, says the house")
    await expect(page.locator("[data-entrance=front]")).to_contain_text("Stopped: nothing opens here.")
    await page.reload()
    await expect(order.first).to_contain_text("done, says the house")


async def test_a_brand_is_let_in_under_the_terms_that_were_shown_and_a_visit_is_vetoed(away: RemotePage) -> None:
    page, hub = away.page, away.hub
    asks = page.locator("[data-brand=lune]")
    await expect(asks).to_contain_text("Garage")
    await expect(asks).to_contain_text("Mon, Tue, between 08:00 and 20:00")
    await asks.get_by_text("Terms").click()
    permit = asks.get_by_role("button").first
    await permit.click()
    lune, shop = hub.state["brands"]
    hub.becomes(brands=[{**lune, "ask": "d9", "terms": {**lune["terms"], "entrances": ["front"]}}, shop])
    await expect(asks).to_contain_text("Front door")
    garage = asks.get_by_text("Begin with the garage")
    await expect(garage).to_be_attached()
    whole = hub.state["entrances"]
    hub.becomes(entrances=[one for one in whole if one["id"] != "garage"])
    await expect(garage).not_to_be_attached()  # there is none to begin with
    hub.becomes(entrances=whole)
    await expect(garage).to_be_attached()
    await expect(permit).to_have_text("Let in like this", timeout=5_000)  # the first press was for something else
    await asks.locator("[name=from]").fill("25 o'clock")
    await away.twice(permit)
    await asks.locator("[name=from]").fill("09:00")
    await asks.locator("[name=until]").fill("2027-01-31")
    await asks.locator("[name=entrance][value=garage]").check()
    await asks.locator("[name=day][value=tue]").uncheck()
    await away.twice(permit)
    await wait_until(lambda: hub.orders)
    terms = {
        "entrances": ["garage", "front"],
        "places": ["shelf"],
        "carriers": ["Chronopost"],
        "days": ["mon"],
        "hours": "09:00-20:00",
        "ask_each_time": False,
        "openings": 1,
        "hub_signed": False,
        "until": "2027-01-31",
    }
    assert [one["order"] for one in hub.orders] == [{"do": "permit", "brand": "lune", "ask": "d9", "terms": terms}]
    shown = page.locator("#brands [data-brand=shop]").first
    await expect(shown.locator("[name=until]")).to_have_value("2026-12-31")  # its last whole day in Paris
    visit = {"id": "v1", "phase": "ringing", "brand": "The Shop", "place": "Hall", "may_veto": True, "asks": False,
             "deadline": "2030-01-01T00:00:00.000+00:00"}  # fmt: skip
    hub.door("locked", visit=visit)
    await away.twice(page.get_by_role("button", name="Do not open"))
    await wait_until(lambda: len(hub.orders) == 2)
    assert hub.orders[1]["order"] == {"do": "veto", "entrance": "front", "visit": "v1"}
    hub.becomes(orders=[{"number": 2, "jti": hub.orders[1]["jti"], "do": "veto", "state": "failed", "why": "not_here"}])
    await expect(page.locator("[data-order=veto]")).to_contain_text("the house did not do it: there is no such thing")
    hub.becomes(may=["see_state", "stop"])
    await expect(page.get_by_role("button", name="Let in")).to_have_count(0)
    await expect(page.locator("#films")).to_be_hidden()


async def test_pictures_films_and_live_pictures_come_sealed_piece_by_piece(away: RemotePage) -> None:
    page, hub = away.page, away.hub
    film, jpeg = film_bytes(40), picture()
    pieces = [film[at : at + PIECE] for at in range(0, len(film), PIECE)]
    assert len(pieces) > 1
    clip = {"path": "visits/v1/cam-1-1.mp4", "camera": "cam", "start": "2026-11-25T19:00:00.000+00:00",
            "end": "2026-11-25T19:00:08.000+00:00", "size": len(film), "pictures": 40}  # fmt: skip
    visit = {"id": "v1", "began": clip["start"], "entrance": "Front door", "brand": "The Shop", "films": [clip]}
    hub.answers["visits"] = lambda _: ({"visits": [visit]}, None)
    hub.answers["film"] = lambda q: (
        {"path": q["path"], "piece": q["piece"], "pieces": len(pieces), "size": len(film)}, pieces[q["piece"]]
    )  # fmt: skip
    half = len(jpeg) // 2
    hub.answers["picture"] = lambda q: (
        {"path": q["path"], "second": q["second"], "piece": q["piece"], "pieces": 2},
        (jpeg[:half], jpeg[half:])[q["piece"]],
    )
    await page.get_by_role("button", name="Show the visits").click()
    one = page.locator("[data-visit=v1]")
    await one.get_by_role("button", name=re.compile("Picture, cam")).click()
    image = one.locator("img")
    await expect(image).to_be_visible()
    assert await image.evaluate("one => one.decode().then(() => one.naturalWidth)") == 64
    await one.get_by_role("button", name=re.compile("Film, cam")).click()
    await expect(one).to_contain_text("All of the film is here.")
    video = one.locator("video")
    async with asyncio.timeout(20):
        while await video.evaluate("one => one.currentTime") < 0.3:  # noqa: ASYNC110 - the film rings no bell here
            await asyncio.sleep(0.05)
    assert abs(float(await video.evaluate("one => one.duration")) - FILM_S) < 1
    hub.answers["live"] = lambda q: ({"camera": q["camera"], "live": True}, jpeg)
    await page.get_by_role("button", name="Live: cam").click()
    await expect(page.locator("#live img")).to_be_visible()
    await expect(page.locator("#live [role=status]")).to_contain_text("Live")
    hub.answers["live"] = lambda _: ("private", None)
    await expect(page.locator("#live [role=status]")).to_have_text("the inside is shown during a visit only")
    await expect(page.locator("#live img")).to_have_count(0)


async def test_nothing_is_in_anybody_s_way_in_both_languages_heard_or_not(away: RemotePage) -> None:
    page, hub = away.page, away.hub
    visit = {"id": "v1", "phase": "approving", "brand": "The Shop", "place": "Hall", "may_veto": True, "asks": True,
             "deadline": "2030-01-01T00:00:00.000+00:00"}  # fmt: skip
    hub.door("handed", visit=visit, stopped=False, pause={"until": "2030-01-01T00:00:00.000+00:00", "who": "Anna"})
    lune, shop = hub.state["brands"]
    hub.becomes(
        brands=[{**lune, "open": True, "hub": "https://hub.example", "asked": lune["terms"], "keys": [WAITS]}, shop]
    )
    for language in ("fr", "en"):
        hub.offline = False
        await page.goto(f"{away.address}/away/{language}")
        await expect(page.locator(".phase")).to_be_visible()
        await page.locator("summary").first.click()
        await page.locator("#stop button").click()
        await looked_at(page, f"{language}, heard")
        hub.offline = True
        await expect(page.locator("body.unheard")).to_be_visible()
        await looked_at(page, f"{language}, not heard")


async def test_what_could_not_leave_leaves_later_in_its_order_and_a_stop_comes_before_it(away: RemotePage) -> None:
    page, hub = away.page, away.hub
    away.somebody.complaints.clear()
    await page.context.set_offline(True)
    await away.twice(page.locator("[data-key='lock garage']"))
    lock = page.locator("[data-order=lock]")
    await expect(lock).to_contain_text("has not left this device yet")
    await page.context.set_offline(False)
    await wait_until(lambda: hub.orders)
    await expect(lock).to_contain_text("waits at the hub")
    await page.context.set_offline(True)
    await away.twice(page.locator("[data-key='refuse lune']"))
    await expect(page.locator("[data-order=refuse]")).to_contain_text("has not left this device yet")
    await away.twice(page.locator("#stop button"))
    await expect(page.locator("[data-order=refuse]")).to_contain_text("not sent any more")
    await page.context.set_offline(False)
    await wait_until(lambda: len(hub.orders) == 2)
    assert [(one["number"], one["order"]["do"]) for one in hub.orders] == [(1, "lock"), (3, "stop")]
