"""The page of the keys: what an insurer may take along, what a phone must trust, and whom the house believes."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession, TCPConnector
from cryptography import x509
from playwright.async_api import Page, expect

from gateway.config.home import PagesSection
from gateway.domain.delivery.result import Refusal
from gateway.protocol.ed25519 import PublicKey
from gateway.storage.models import StoreFailed
from gateway.web.auth.roles import Role
from gateway.web.site import PagesSite
from tests.browser import IN_SHARED_BROWSER, TIMEOUT_MS, accessibility_problems, visitor
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.gateway.web.house import ANNA_PASSWORD
from tests.shell.box import LINK_KEY, ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER

expect.set_options(timeout=TIMEOUT_MS)

PAGE = "/settings/keys"
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


def shop_key(made: ShellBox) -> str:
    return made.home.brands["shop"].keys[0].x


async def test_the_box_s_own_key_is_shown_and_given_out_so_that_a_proof_can_be_checked(
    site: ServedSite, made: ShellBox
) -> None:
    async with site.client(site.owner) as client:
        async with client.get(PAGE) as answer:
            assert made.key.public.fingerprint in await answer.text()
        async with client.get(f"{PAGE}/box.pub.pem") as answer:
            assert "attachment" in answer.headers["Content-Disposition"]
            assert PublicKey.from_pem(await answer.read()) == made.key.public


async def test_every_address_of_it_is_the_owner_s_and_asks_for_the_password_again(
    site: ServedSite, made: ShellBox
) -> None:
    guests = [await site.guest(Role.HOUSEHOLD, "Bruno"), await site.guest(Role.INSTALLER, "Ines")]
    made.time.mono += 301
    paths = [("GET", PAGE), ("GET", f"{PAGE}/box.pub.pem"), *(("POST", f"{PAGE}/{do}?back={PAGE}")
             for do in ("certificate", "distrust", "trust"))]  # fmt: skip
    for method, path in paths:
        async with site.client(site.owner) as client:
            fields = {"x": shop_key(made)} if method == "POST" else None
            async with client.request(method, path, data=fields, allow_redirects=False) as answer:
                if method == "POST":
                    assert answer.status == 401, path
                    assert f'action="{path.partition("?")[0]}' in await answer.text(), "the form is kept"
                else:
                    assert (answer.status, answer.headers["Location"]) == (303, f"/confirm?back={path}"), path
        for guest in guests:
            async with site.client(guest) as client, client.request(method, path, data=fields) as answer:
                assert answer.status == 403, path
    assert made.store.brands.all_keys()[1].distrusted is None


async def test_a_key_that_is_trusted_no_longer_opens_nothing_from_that_instant_on(
    site: ServedSite, made: ShellBox
) -> None:
    await receive(made.store, make_offer())
    facts = made.store.deliveries.facts("shop.d1", made.clock.now())
    assert facts is not None
    assert facts.refusal is None
    async with site.client(site.owner) as client:
        async with client.post(f"{PAGE}/distrust", data={"x": shop_key(made)}, headers=ENGLISH) as answer:
            assert "not trusted since Wed 10 Jun, by Anna" in await answer.text()
        facts = made.store.deliveries.facts("shop.d1", made.clock.now())
        assert facts is not None
        assert facts.refusal is Refusal.KEY_DISTRUSTED
        answered = await receive(made.store, make_offer(id="d2"))
        assert (answered.result.accepted, answered.result.code) == (False, "key_distrusted")
        for password, status in (
            ("another one", 422),
            (ANNA_PASSWORD, 200),
        ):  # the one given a moment ago is not enough
            fields = {"x": shop_key(made), "password": password}
            async with client.post(f"{PAGE}/trust", data=fields, headers=ENGLISH) as answer:
                assert answer.status == status
            facts = made.store.deliveries.facts("shop.d1", made.clock.now())
            assert facts is not None
            assert (facts.refusal is None) is (status == 200)
        async with client.post(f"{PAGE}/distrust", data={"x": "nobody's"}) as answer:
            assert answer.status == 404
    rows = made.store.log.newest_bodies(("key_distrusted", "key_trusted"), at_most=9)
    assert [(row["kind"], row["by"], row["kid"]) for row in rows] == [
        ("key_trusted", site.owner.user.person, "shop-1"),
        ("key_distrusted", site.owner.user.person, "shop-1"),
    ]


async def test_on_a_full_disk_the_key_is_not_trusted_all_the_same_and_stored_once_there_is_room(
    site: ServedSite, made: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await receive(made.store, make_offer())
    full = True
    put = made.store._writer.do_marked  # noqa: SLF001 - the disk

    async def failing(work: Any, mark: Any) -> object:  # noqa: ANN401 - the writer's own
        if full:
            raise StoreFailed("no space left on device")
        return await put(work, mark)

    monkeypatch.setattr(made.store._writer, "do_marked", failing)  # noqa: SLF001 - the same
    async with site.client(site.owner) as client:
        async with client.post(f"{PAGE}/distrust", data={"x": shop_key(made)}, headers=ENGLISH) as answer:
            assert (
                answer.status,
                "It holds from now on, but the disk has not taken it yet" in await answer.text(),
            ) == (409, True)
        facts = made.store.deliveries.facts("shop.d1", made.clock.now())
        assert facts is not None
        assert facts.refusal is Refusal.KEY_DISTRUSTED
    full = False
    await wait_until(lambda: any(key.distrusted for key in made.store.brands.all_keys()), within=30)


@asynccontextmanager
async def encrypted(site: ServedSite, folder: Path) -> AsyncIterator[tuple[PagesSite, ClientSession]]:
    """The same box's pages by HTTPS, under the box's own authority."""
    seen = replace(site.site._services, home=site.box.home.model_copy())  # noqa: SLF001 - the same box
    other = PagesSite(
        seen,
        site.accounts,
        PagesSection(host="0.0.0.0", port=0, names=("perron.local",)),  # noqa: S104 - as in a house
        link_key=LINK_KEY,
        changes=site.site.changes,
    )
    await other.open()
    trusts = ssl.create_default_context(cafile=str(folder / "pages" / "authority.pem"))
    cookies = {"__Host-session": site.owner.session}
    try:
        async with ClientSession(
            f"https://127.0.0.1:{other.port}", headers={"Cookie": f"__Host-session={cookies['__Host-session']}"},
            connector=TCPConnector(ssl=trusts, force_close=True),
        ) as client:  # fmt: skip
            yield other, client
    finally:
        await other.close()


async def presented(port: int) -> int:
    """The serial number of the certificate that a new connection is shown."""
    pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


async def test_the_certificate_is_renewed_under_the_same_authority_and_served_at_once(
    site: ServedSite, tmp_path: Path
) -> None:
    async with encrypted(site, tmp_path) as (other, client):
        before, first = other.certificate, await presented(other.port)
        assert before is not None
        async with client.get(PAGE, headers=ENGLISH) as answer:
            page = await answer.text()
            assert "Strict-Transport-Security" not in answer.headers, "the courier's plain page has the same name"
        assert before.fingerprint[:4].upper() in page
        assert f"{before.authority.not_valid_after_utc:%b %Y}" in page
        assert f"{before.until:%b %Y}" in page
        origin = {"Origin": f"https://127.0.0.1:{other.port}", **ENGLISH}
        async with client.post(f"{PAGE}/certificate", headers=origin) as answer:
            assert (answer.status, "Renewed, and served already." in await answer.text()) == (200, True)
        assert other.certificate is not None
        assert other.certificate.fingerprint == before.fingerprint
        assert await presented(other.port) != first
        async with client.get(PAGE) as answer:  # whoever trusts the authority goes on
            assert answer.status == 200


async def test_where_there_is_no_certificate_there_is_none_to_renew(site: ServedSite) -> None:
    async with site.client(site.owner) as client:
        async with client.get(PAGE, headers=ENGLISH) as answer:
            assert "without a certificate" in await answer.text()
        async with client.post(f"{PAGE}/certificate") as answer:
            assert answer.status == 404


async def hindered(page: Page) -> list[str]:
    """What is in the way of somebody who sees badly, once the page has heard of the box (before, all is grey)."""
    await expect(page.locator("#link")).to_have_text(re.compile("Connected to the box|En liaison avec la box"))
    return await accessibility_problems(page)


@pytest.mark.slow
@pytest.mark.parametrize(("locale", "scheme"), [("fr-FR", "light"), ("en-GB", "dark")])
async def test_an_owner_ends_the_trust_in_a_key_and_gives_it_back_by_his_password(
    site: ServedSite, made: ShellBox, locale: str, scheme: str
) -> None:
    await made.store.box.raise_time_floor(NOW.utc)
    async with visitor() as somebody:
        page = await somebody.page(locale=locale, color_scheme=scheme, reduced_motion="reduce")
        await site.sign_in(page.context)
        made.time.mono += 301
        await page.goto(f"{site.address}/settings")
        await page.locator(f'a[href="{PAGE}"]').click()
        await page.locator("[name=password]").fill(ANNA_PASSWORD)
        await page.locator("form button:not([type=button])").first.click()
        key = page.locator("article", has_text="shop-1")
        await expect(key).to_contain_text(re.compile("has signed nothing yet|n'a encore rien signé"))
        assert await hindered(page) == []
        await key.locator("summary").click()
        await key.locator("button.stop").click()
        await expect(key).to_contain_text(re.compile("not trusted since|rejetée le"))
        assert await hindered(page) == []
        await key.locator("[name=password]").fill(ANNA_PASSWORD)
        await key.locator("button:not([type=button])").click()
        await expect(key).to_contain_text(re.compile("trusted since|de confiance depuis"))
        await expect(key.locator("summary")).to_have_count(1)
        for path in ("/settings/sign-ins", "/settings"):
            await page.goto(f"{site.address}{path}")
            assert await hindered(page) == [], path
