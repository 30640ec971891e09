"""The page for away from home against a hub that lies, brands with hostile names, and a browser that forgets."""

import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from joserfc.jwk import ECKey
from playwright.async_api import Page, expect

from gateway.web.pages.away import AwayPage as AwayPart
from gateway.web.pages.away import script_texts
from gateway.web.site import STATIC_FILES
from tests.browser import IN_SHARED_BROWSER, visitor
from tests.gateway.web.awayhome import READ_KEYS_SCRIPT, RemotePage, enrol_browser, open_remote_page, serve_at_home
from tests.gateway.web.awayhub import CORS, FakeHub, encode_base64url, quiet_house_state, run_fake_hub

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

HOSTILE = "<img src=x onerror=window.hit=1>\u202e\u2066<script>window.hit=2</script>"
NOT_THE_BOX = "does not come from the box"


@pytest_asyncio.fixture(loop_scope="session")
async def away(tmp_path: Path) -> AsyncIterator[RemotePage]:
    async with run_fake_hub() as hub, visitor() as somebody, open_remote_page(tmp_path, hub, somebody) as away:
        yield away


def sealed(text: str) -> web.Response:
    """What the hub says is the box's answer."""
    return web.json_response({"sealed": text}, headers=CORS)


def head(**more: str) -> str:
    """An envelope's first part."""
    return encode_base64url(json.dumps(more, separators=(",", ":")).encode())


def invented(hub: FakeHub) -> dict[str, object]:
    """The answer to what was asked, as a hub would like it."""
    return {
        "id": hub.asked[-1]["id"],
        "at": 1e9,
        "answer": {"version": "x", "unchanged": False, "state": quiet_house_state()},
    }


def altered(_hub: FakeHub, _browser: str, true: str) -> web.Response:
    """One bit of what the box said."""
    first, _, iv, body, tag = true.split(".")
    return sealed(f"{first}..{iv}.{body[:-9]}{'A' if body[-9] != 'A' else 'B'}{body[-8:]}.{tag}")


def anothers(hub: FakeHub, browser: str, _true: str) -> web.Response:
    """What the box would say to another browser of the house."""
    other = next(one for one in hub.keys if one != browser)
    return sealed(hub.seal(other, invented(hub)))


def renamed(hub: FakeHub, browser: str, true: str) -> web.Response:
    """The same under this browser's name."""
    other = json.loads(anothers(hub, browser, true).text or "")["sealed"]
    return sealed(head(alg="dir", enc="A256GCM", kid=browser) + other[other.index(".") :])


def in_clear(hub: FakeHub, browser: str, _true: str) -> web.Response:
    """The hub's own word, under no algorithm."""
    said = invented(hub)
    text = f"{head(alg='none', kid=browser)}...{encode_base64url(json.dumps(said).encode())}."
    return web.json_response({**said, "sealed": text}, headers=CORS)


def html(_hub: FakeHub, _browser: str, _true: str) -> web.Response:
    """A page that runs scripts and leads away."""
    text = "<script>window.hit=1</script><meta http-equiv=refresh content='0;url=/enter'>"
    more = {
        "Refresh": "0;url=/enter",
        "Content-Security-Policy": "",
        "Clear-Site-Data": '"*"',
        "Link": "</x>; rel=next",
    }
    return web.Response(text=text, content_type="text/html", headers=CORS | more)


def script(_hub: FakeHub, _browser: str, _true: str) -> web.Response:
    """A script."""
    return web.Response(text="window.hit=2", content_type="text/javascript", headers=CORS)


def leading(_hub: FakeHub, _browser: str, _true: str) -> web.Response:
    """Another address."""
    return web.Response(status=307, headers=CORS | {"Location": "/elsewhere"})


def endless(_hub: FakeHub, _browser: str, _true: str) -> web.Response:
    """Much too much."""
    return web.Response(body=b'{"sealed":"' + b"A" * 5_000_000, content_type="application/json", headers=CORS)


def nothing(_hub: FakeHub, _browser: str, _true: str) -> web.Response:
    """JSON of another shape."""
    return web.json_response([{"sealed": None}], headers=CORS)


LIES = {
    altered: NOT_THE_BOX, anothers: NOT_THE_BOX, renamed: NOT_THE_BOX, in_clear: NOT_THE_BOX, html: NOT_THE_BOX,
    script: NOT_THE_BOX, leading: "No answer", endless: NOT_THE_BOX, nothing: NOT_THE_BOX,
}  # fmt: skip


def telling(hub: FakeHub, lie: Callable[[FakeHub, str, str], web.Response]) -> None:
    """Let the hub lie so from now on."""

    async def told(browser: str, true: str) -> web.Response:
        return lie(hub, browser, true)

    hub.lie = told


async def test_whatever_a_hub_answers_nothing_of_it_is_shown_runs_or_leads_away(away: RemotePage) -> None:
    page, hub = away.page, away.hub
    plain = json.dumps(ECKey.generate_key("P-256").as_dict(private=False))
    hub.enrol({"sign": plain, "agree": json.dumps({k: v for k, v in json.loads(plain).items() if k in "kty crv x y"})})
    kept: list[str] = []

    async def keeps(_browser: str, true: str) -> None:
        kept.append(true)

    hub.lie = keeps
    hub.door("locked")
    await expect(away.front).to_have_text("Locked")
    hub.door("open")
    await expect(away.front).to_have_text("Open")

    def older(_hub: FakeHub, _browser: str, _true: str) -> web.Response:
        return sealed(kept[0])

    for lie, why in {**LIES, older: NOT_THE_BOX}.items():
        telling(hub, lie)
        hub.version += 1
        await away.unheard(why)
        await expect(away.front).to_have_text("Open")
        await expect(page.locator(".stale").first).to_be_visible()
        hub.lie = None
        await page.evaluate("dispatchEvent(new Event('online'))")  # no need to wait until it asks by itself
        await expect(away.heard).to_have_text("Connected to the box")
    assert await page.evaluate("window.hit") is None
    assert page.url == f"{away.address}/away/en"
    assert any("Clear-Site-Data" in one for one in away.somebody.complaints), "the browser would not"
    away.somebody.complaints.clear()
    assert set(hub.elsewhere) == set(), "no redirect is followed"


async def test_a_hostile_name_is_read_and_never_run_and_the_page_makes_no_markup_at_all(away: RemotePage) -> None:
    page, hub = away.page, away.hub
    visit = {"id": "v1", "phase": HOSTILE, "brand": HOSTILE, "place": HOSTILE, "may_veto": True, "asks": True,
             "deadline": HOSTILE}  # fmt: skip
    front, garage = hub.state["entrances"]
    lune, shop = hub.state["brands"]
    terms = {**lune["terms"], "entrances": [HOSTILE], "places": [HOSTILE], "carriers": [HOSTILE], "hours": HOSTILE}
    following = {"brand": HOSTILE, "place": HOSTILE, "start": HOSTILE, "end": HOSTILE}
    hub.answers["messages"] = lambda _: ({"messages": [{"id": 1, "at": HOSTILE, "text": HOSTILE}]}, None)
    hub.becomes(
        timezone="Europe/Paris", person=HOSTILE,
        entrances=[
            {**front, "name": HOSTILE, "visit": visit, "since": HOSTILE, "door": HOSTILE},
            {**garage, "next": following},
        ],
        brands=[{**lune, "id": HOSTILE, "name": HOSTILE, "terms": terms, "open": True, "hub": HOSTILE, "asked": terms,
                 "fingerprints": [HOSTILE], "keys": [{"key": HOSTILE, "kid": HOSTILE, "fingerprint": HOSTILE}]}, shop],
    )  # fmt: skip
    await expect(page.locator("#doors h3").first).to_contain_text("<img src=x onerror=window.hit=1><script>")
    await expect(page.locator("#waiting h3").first).to_contain_text("<img src=x onerror=window.hit=1><script>")
    await expect(page.locator("#messages")).to_contain_text("<script>")
    assert await page.locator("#house img, #house script").count() == 0
    for made in ("innerHTML = '<i>'", "insertAdjacentHTML('beforeend', '<i>')"):
        said = f"(() => {{ try {{ document.body.{made} }} catch (no) {{ return no.name }} }})()"
        assert await page.evaluate(said) == "TypeError"
    assert await page.evaluate("window.hit") is None
    assert len(away.somebody.complaints) == 2, away.somebody.complaints  # of the two that were tried
    away.somebody.complaints.clear()


async def test_only_the_box_s_own_word_makes_a_browser_forget_its_keys(away: RemotePage) -> None:
    page, hub, browser = away.page, away.hub, away.browser
    hub.ended[browser] = hub.seal(browser, {"ended": True, "browser": "brw-another"})
    await away.unheard("The hub does not know this browser")
    assert (await page.evaluate(READ_KEYS_SCRIPT))[0] == browser
    hub.ended.clear()
    await expect(away.heard).to_have_text("Connected to the box")
    hub.end(browser)
    await expect(page.locator("#gone")).to_contain_text("The box has ended the enrolment of this browser.")
    await expect(page.locator("#house")).to_be_empty()
    assert await page.evaluate(READ_KEYS_SCRIPT) is None
    await page.reload()
    await expect(page.locator("#gone")).to_contain_text("This browser has no keys of this house")


async def away_copies(page: Page) -> list[str]:
    """The kept copies of the page for elsewhere; the house's own pages have a worker and a copy of theirs."""
    names: list[str] = await page.evaluate("caches.keys()")
    return [name for name in names if name.startswith("perron-away-")]


async def test_the_page_is_kept_whole_or_not_at_all_and_a_new_one_comes_from_the_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_fake_hub() as hub, visitor() as somebody, serve_at_home(tmp_path, hub) as site:
        page = await somebody.page()
        await site.sign_in(page.context)
        with monkeypatch.context() as patched:
            (tmp_path / "false.js").write_text("window.hit = 1", encoding="ascii")
            patched.setitem(STATIC_FILES, "away_view.js", tmp_path / "false.js")
            await enrol_browser(page, site, hub)
            await expect(page.locator("#said")).to_contain_text("nothing is enrolled")
        assert await away_copies(page) == []
        assert hub.enrolled == []
        somebody.complaints.clear()
        await enrol_browser(page, site, hub)
        await page.wait_for_url(re.compile("/away/en$"))
        await expect(page.locator("#heard")).to_have_text("Connected to the box")
        monkeypatch.setattr(
            "gateway.web.pages.away.script_texts", lambda _: script_texts("en").replace("Connected to the box", "Anew")
        )
        for route in site.site._runner.app.router.routes():  # noqa: SLF001 - as a box that was updated would
            part = getattr(route.handler, "__self__", None)
            if isinstance(part, AwayPart):
                part.__dict__.pop("_cached_files", None)
                part.__dict__.pop("service_worker", None)
        # what a browser does by itself a moment after the page was opened, and may have done already
        await page.evaluate("""async () => {
            const known = await navigator.serviceWorker.getRegistration();
            await known.update();
            const end = Date.now() + 30_000;
            while (Date.now() < end && (known.installing || known.waiting || known.active.state !== "activated")) {
                await new Promise((resolve) => setTimeout(resolve, 50));
            }
        }""")
        await page.reload()
        await expect(page.locator("#heard")).to_have_text("Anew")
        assert len(await away_copies(page)) == 1


async def test_a_browser_that_threw_its_keys_away_says_so_and_a_second_enrolment_replaces_the_first(
    tmp_path: Path,
) -> None:
    async with run_fake_hub() as hub, visitor() as somebody:
        async with serve_at_home(tmp_path, hub) as site:
            page = await somebody.page()
            await site.sign_in(page.context)
            await page.goto(f"{site.address}/away")
            await expect(page.locator("#gone")).to_contain_text("This browser has no keys of this house")
            for _ in range(2):
                await enrol_browser(page, site, hub)
                await page.wait_for_url(re.compile("/away/en$"))
                await expect(page.locator("#heard")).to_have_text("Connected to the box")
            first, second = hub.keys
            assert first != second
            assert (await page.evaluate(READ_KEYS_SCRIPT))[0] == second
        await page.evaluate("""() => new Promise((resolve) => {
            const asked = indexedDB.deleteDatabase("perron-away");
            asked.onsuccess = resolve; asked.onblocked = resolve;
        })""")
        await page.reload()
        await expect(page.locator("#gone")).to_contain_text("it has thrown its storage away")
        await somebody.leave()
