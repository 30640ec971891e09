"""What a brand did here: beside the switch on the page Brands, signed for others, with its own comment."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from devices.reports import DoorReport, DoorState, LockReport, LockState
from gateway.cli.brand_facts import export_facts
from gateway.cli.failure import Failure
from gateway.domain.visit.state import Phase
from gateway.mqtt.packets import InboundMessage
from gateway.protocol.brand_facts import Complaint
from gateway.protocol.brand_messages import BrandFacts, CommentClaims, FactsClaims, sign_comment, verify_facts
from gateway.storage import readonly
from gateway.storage.brand_facts import MAX_COMMENTS_PER_DAY, ComplaintRefusal
from gateway.web.auth.roles import Role
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import BOX, NOW, SECRETS, make_offer
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import PARCEL, make_home
from tests.shell.parts import ManualTime
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER

ENGLISH = {"Accept-Language": "en"}


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    """A good day, in the window of a parcel of the shop."""
    home = make_home(tmp_path)
    async with box(tmp_path, home, time=ManualTime(mono=7300.0)) as made:
        carrier = min(home.brands["shop"].permission.carriers)
        await receive(made.store, make_offer(carrier=carrier), now=NOW)
        async with run_box(made):
            await made.good_day()
            await made.quiet()
            async with serve_site(made) as site:
                yield site


async def brought(made: ShellBox) -> str:
    """The courier comes in and goes; the door is open for 3 minutes."""
    visit = await made.ring(PARCEL)
    await made.commits(visit)
    await wait_until(lambda: phase(made) is Phase.UNLOCKING)
    made.bolt = LockState.UNLOCKED  # also when it is asked
    made.says("lock", LockReport(bolt=made.bolt))
    await wait_until(lambda: phase(made) is Phase.UNLOCKED)
    made.door = DoorState.OPEN
    made.says("door", DoorReport(door=made.door))
    await wait_until(lambda: phase(made) is Phase.INSIDE)
    made.passes(180)
    made.door = DoorState.CLOSED
    made.says("door", DoorReport(door=made.door))
    await made.quiet()
    made.passes(60)
    await wait_until(lambda: phase(made) is Phase.RELOCKING)
    await made.quiet()
    return visit


def phase(made: ShellBox) -> Phase | None:
    return None if made.front.state.visit is None else made.front.state.visit.phase


def facts(made: ShellBox) -> BrandFacts:
    return readonly.brand_facts(made.home.storage.folder / "perron.sqlite3").of("shop", made.clock.now())


async def test_a_real_visit_is_in_the_facts_and_the_owners_complaint_too(site: ServedSite) -> None:
    visit = await brought(site.box)
    seen = facts(site.box)
    assert (seen.visits, seen.announced, seen.missed) == (1, 1, 0)
    assert seen.inside_longest_s is not None
    assert 180 <= seen.inside_longest_s <= 300
    store = site.box.store.brand_facts
    now = site.box.clock.now()
    assert await store.complain(visit, Complaint.DAMAGED, now, by="anna") is None
    assert await store.complain(visit, Complaint.DAMAGED, now, by="anna") is ComplaintRefusal.ALREADY_MADE
    assert await store.complain("nothing", Complaint.LATE, now, by="anna") is ComplaintRefusal.UNKNOWN_VISIT
    assert store.complaints_of(visit) == (Complaint.DAMAGED,)
    assert facts(site.box).complaints == {"damaged": 1}


async def test_a_refused_scan_is_in_the_facts_of_its_brand(site: ServedSite) -> None:
    site.box.time.mono += 30 * 3600
    site.box.scan(PARCEL)
    await site.box.quiet()
    assert facts(site.box).refusals == {"expired": 1}
    assert facts(site.box).missed == 1


async def test_the_page_shows_them_beside_the_switch_and_the_owner_takes_them_along_signed(site: ServedSite) -> None:
    await brought(site.box)
    async with site.client(site.owner) as client:
        async with client.get("/brands", headers=ENGLISH) as answer:
            shown = await answer.text()
        assert "What it did here" in shown
        assert shown.index('class="week"') < shown.index("What it did here"), "the hours belong to the terms"
        assert "announced: 1," in shown
        async with client.get("/brands/shop/facts.jwt") as answer:
            token = await answer.read()
            assert (answer.status, answer.content_type) == (200, "application/jwt")
        async with client.get("/brands/nobody/facts.jwt") as answer:
            assert answer.status == 404
    claims = verify_facts(token, site.box.key.public)
    assert isinstance(claims, FactsClaims)
    assert (claims.iss, claims.sub, claims.facts.visits) == (BOX, "shop", 1)
    async with (
        site.client(await site.guest(Role.HOUSEHOLD)) as client,
        client.get("/brands/shop/facts.jwt", allow_redirects=False) as answer,
    ):
        assert answer.status == 403


async def test_a_complaint_that_is_none_is_refused(site: ServedSite) -> None:
    visit = await brought(site.box)
    async with site.client(site.owner) as client:
        for path, complaint, status in (
            (f"/history/{visit}/complaint", "rude", 400), ("/history/nothing/complaint", "late", 404),
            (f"/history/{visit}/complaint", "late", 303),
        ):  # fmt: skip
            async with client.post(path, data={"complaint": complaint}, allow_redirects=False) as answer:
                assert answer.status == status
    assert facts(site.box).complaints == {"late": 1}


def comment(made: ShellBox, text: str, jti: str) -> bytes:
    seconds = int(made.clock.now().utc.timestamp())
    claims = CommentClaims(
        iss="shop", aud=BOX, iat=seconds, nbf=seconds, exp=seconds + 3600, jti=jti.ljust(16, "0"), comment=text
    )
    return sign_comment(claims, SECRETS["shop"], kid="shop-1")


async def answered(made: ShellBox, token: bytes) -> dict[str, Any]:
    before = len(made.line.on("perron/deliveries/result"))
    made.reception.on_retailer_message(InboundMessage(topic="offer", payload=token, retain=False, session=1))
    await wait_until(lambda: len(made.line.on("perron/deliveries/result")) > before)
    return dict(json.loads(made.line.on("perron/deliveries/result")[-1].payload))


async def test_the_brand_comments_by_a_signed_message_and_the_newest_one_is_shown(site: ServedSite) -> None:
    made = site.box
    first = comment(made, "the courier was new", "a")
    assert (await answered(made, first))["accepted"] is True
    assert (await answered(made, first))["code"] == "jti_reused"
    assert (await answered(made, comment(made, "<b>we are sorry</b>", "b")))["accepted"] is True
    assert made.store.brand_facts.comment_of("shop") == "<b>we are sorry</b>"
    assert made.store.brand_facts.comment_of("farm") is None
    forged = comment(made, "we are great", "c")[:-3] + b"AAA"
    assert (await answered(made, forged))["code"] == "wrong_signature"
    async with site.client(site.owner) as client, client.get("/brands", headers=ENGLISH) as answer:
        shown = await answer.text()
    assert "&lt;b&gt;we are sorry&lt;/b&gt;" in shown
    for number in range(MAX_COMMENTS_PER_DAY - 2):
        assert (await answered(made, comment(made, "again", f"d{number}-")))["accepted"] is True
    assert (await answered(made, comment(made, "too often", "e")))["code"] == "too_many"


async def test_the_command_writes_the_same_statement_once(site: ServedSite, tmp_path: Path) -> None:
    made = site.box
    await brought(made)
    keys = made.home.storage.folder / "key"
    keys.mkdir(mode=0o700, exist_ok=True)
    file = keys / "box.key.pem"
    file.write_bytes(made.key.pem)
    file.chmod(0o600)
    target = tmp_path / "shop.facts.jwt"
    (line,) = export_facts(made.home, "shop", target)
    assert "1 visit since Wed 10 Jun 2026" in line
    claims = verify_facts(target.read_bytes(), made.key.public)
    assert isinstance(claims, FactsClaims)
    assert claims.facts.visits == 1
    with pytest.raises(Failure, match="exists"):
        export_facts(made.home, "shop", target)
    with pytest.raises(Failure, match=r"No brand 'nosuch'\. Known: .*shop"):
        export_facts(made.home, "nosuch", tmp_path / "nosuch.facts.jwt")
    assert not (tmp_path / "nosuch.facts.jwt").exists()


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
async def test_in_a_browser_nothing_is_in_anybody_s_way(site: ServedSite, locale: str) -> None:
    await brought(site.box)
    await answered(site.box, comment(site.box, "we are sorry", "a"))
    async with visitor() as owner:
        page = await owner.page(locale=locale, viewport={"width": 360, "height": 740})
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/brands")
        assert await accessibility_problems(page) == []
        assert owner.complaints == []
