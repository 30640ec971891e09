"""What was: narrowed, drawn, shown to somebody outside for a while."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession
from yarl import URL

from gateway.domain.delivery.fallback import Place
from gateway.domain.delivery.promise import State
from gateway.domain.delivery.result import CollectResult, Outcome, Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance, Visit
from gateway.evidence.documents.photos import PhotoMoment
from gateway.evidence.documents.visit_timeline import TemperatureReading
from gateway.evidence.thumbnails import thumbnail_file
from gateway.storage.models import StoredClip
from gateway.web.auth.roles import Role
from gateway.web.pages.history import MAX_REPORTS, REPORT_RETRY_DELAY_S, temperature_plot
from tests.gateway.domain.delivery.house import make_step, receive
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.gateway.people import set_role
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home, visit_delivery
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
FILM = b"\0\0\0\x18ftypisom a film"


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    """Two incidents were filmed, one at each door; the second is held."""
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        for entrance, visit, camera in (("front", "incident-1", "cam"), ("garage", "incident-2", "yard")):
            await made.store.commit(make_step(Entrance(id=entrance, incident=visit), c.StartRecording(visit=visit)))
            path = f"visits/{visit}/{camera}-1-1.mp4"
            (tmp_path / path).parent.mkdir(parents=True)
            (tmp_path / path).write_bytes(FILM)
            clip = StoredClip(
                path=path, entrance=entrance, visit=visit, part=1, camera=camera, start=NOON,
                end=NOON + timedelta(seconds=9), sha256="0" * 64, fragments=2, size=len(FILM),
            )  # fmt: skip
            await made.store.recordings.add_clip(clip, NOW)
        await made.store.recordings.set_hold("incident-2", "a dispute", NOW)
        yield made


@pytest.fixture
async def site(made: ShellBox) -> AsyncIterator[ServedSite]:
    async with serve_site(made) as site:
        yield site


async def shared(client: ClientSession, visit: str, days: str = "7") -> str:
    """Make a link to a visit; its token."""
    async with client.post(f"/history/{visit}/share", data={"days": days}) as answer:
        text = await answer.text()
    return text.partition("/shared/")[2].partition("<")[0]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"incident-1", "incident-2"}),
        ("?entrance=front", {"incident-1"}),
        ("?held=1", {"incident-2"}),
        ("?day=2026-06-10", {"incident-1", "incident-2"}),
        ("?day=2026-06-11", set()),
        ("?day=nonsense", {"incident-1", "incident-2"}),
        ("?brand=shop", set()),
        ("?entrance=%3Cscript%3E", set()),
    ],
)
async def test_the_history_is_narrowed_to_what_is_looked_for(site: ServedSite, query: str, found: set[str]) -> None:
    async with site.client(site.owner) as client, client.get(f"/history{query}") as answer:
        text = await answer.text()
    assert {visit for visit in ("incident-1", "incident-2") if f"/history/{visit}" in text} == found
    assert "<script>" not in text.replace('<script type="module"', "")


async def test_the_page_of_a_visit_is_titled_by_how_it_ended_and_when(site: ServedSite) -> None:
    english = {"Accept-Language": "en"}
    async with site.client(site.owner) as client, client.get("/history/incident-1", headers=english) as answer:
        text = await answer.text()
    assert re.search(r"<title>Incident, Wed 10 Jun( 2026)? \d\d:\d\d", text), re.search("<title>.*", text)
    assert "<b>Incident</b> · Front" in text


async def test_a_small_picture_is_shown_to_whoever_may_see_the_history_and_noted_once(
    site: ServedSite, made: ShellBox
) -> None:
    for moment in (PhotoMoment.ARRIVAL, PhotoMoment.CLOSED):
        file = thumbnail_file(made.home.storage.folder, "incident-1", moment)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"\xff\xd8\xff" + moment.encode())
    installer = await site.guest(Role.INSTALLER, "Ida")
    async with site.client(site.owner) as anna, site.client(installer) as ida, ClientSession(site.address) as stranger:
        for query, seen in (("", "arrival"), ("?moment=closed", "closed"), ("", "arrival")):
            async with anna.get(f"/history/incident-1/thumbnail{query}") as answer:
                assert (await answer.read()).endswith(seen.encode())
                assert answer.headers["Content-Type"] == "image/jpeg"
                assert answer.headers["Cache-Control"].startswith("private")
                assert answer.headers["Vary"] == "Cookie"
        for path in (
            "incident-1/thumbnail?moment=locked",
            "incident-2/thumbnail",
            "..%2fvisits/thumbnail",
            "x/thumbnail",
        ):
            async with anna.get(URL(f"{site.address}/history/{path}", encoded=True)) as answer:
                assert answer.status == 404, path
        for client in (ida, stranger):
            async with client.get("/history/incident-1/thumbnail", allow_redirects=False) as answer:
                assert answer.status in (303, 403)
        await wait_until(lambda: made.store.privacy.views(at_most=10))  # a picture waits for no note of it
        views = made.store.privacy.views(at_most=10)
        assert [(view.kind, view.what) for view in views] == [("film", "")], "one note, whatever the number of pictures"
        async with anna.get("/settings/privacy", headers={"Accept-Language": "en"}) as answer:
            assert "small pictures of past visits" in await answer.text()
        await made.store.recordings.mark_erased("incident-1", "owner", NOW)
        async with anna.get("/history/incident-1/thumbnail") as answer:
            assert answer.status == 404, "the film is gone, whatever lies on the disk"


async def test_a_film_is_played_from_any_second_on(site: ServedSite) -> None:
    async with (
        site.client(site.owner) as client,
        client.get("/film/visits/incident-1/cam-1-1.mp4", headers={"Range": "bytes=4-7"}) as answer,
    ):
        assert (answer.status, await answer.read()) == (206, FILM[4:8])
        assert answer.headers["Content-Type"] == "video/mp4"


async def test_a_visit_is_shown_to_somebody_outside_and_nothing_else_is(site: ServedSite) -> None:
    async with site.client(site.owner) as client:
        token = await shared(client, "incident-1")
        async with client.post("/history/incident-1/share", data={"days": "400"}) as answer:
            assert answer.status == 400
    async with ClientSession(site.address) as stranger:
        async with stranger.get(f"/shared/{token}") as answer:
            assert answer.status == 200
            assert "/shared/" in await answer.text()
        async with stranger.get(f"/shared/{token}/cam-1-1.mp4") as answer:
            assert await answer.read() == FILM
        for path in (f"/shared/{token}/..%2fincident-2%2fcam-1-1.mp4", f"/shared/{token}x", "/history", "/shared/x"):
            async with stranger.get(path, allow_redirects=False) as answer:
                assert answer.status in (303, 404), path


async def test_what_is_shown_ends_on_its_day_and_with_the_film(site: ServedSite, made: ShellBox) -> None:
    async with site.client(site.owner) as client:
        token, longer = await shared(client, "incident-1", "1"), await shared(client, "incident-1", "30")
    async with ClientSession(site.address) as stranger:
        made.time.mono += 86_500
        for link, status in ((token, 404), (longer, 200)):
            async with stranger.get(f"/shared/{link}") as answer:
                assert answer.status == status
    token = longer
    await made.store.recordings.mark_erased("incident-1", "owner", NOW)
    async with ClientSession(site.address) as stranger:
        for path in (f"/shared/{token}", f"/shared/{token}/cam-1-1.mp4"):
            async with stranger.get(path) as answer:
                assert answer.status == 404, path


async def test_nothing_is_shown_outside_while_nobody_knows_what_time_it_is(
    site: ServedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site.client(site.owner) as client:
        token = await shared(client, "incident-1")
    unsure = replace(NOW, trusted=False)
    monkeypatch.setattr("gateway.web.server.authorization.Authorizer.now", property(lambda _desk: unsure))
    async with ClientSession(site.address) as stranger, stranger.get(f"/shared/{token}") as answer:
        assert answer.status == 404


async def test_a_share_ends_at_its_own_visit_whatever_the_path_says(site: ServedSite) -> None:
    async with site.client(site.owner) as client:
        token = await shared(client, "incident-1")
    async with ClientSession(site.address) as stranger:
        for path in ("yard-1-1.mp4", "../incident-2/yard-1-1.mp4", "..%2fincident-2%2fyard-1-1.mp4",
                     "%2e%2e%252fincident-2", "cam-1-1.mp4%00", "cam-1-1.mp4.gz", "x" * 4000, "CAM-1-1.mp4",
                     ""):  # fmt: skip
            url = URL(f"{site.address}/shared/{token}/{path}", encoded=True)
            async with stranger.get(url, allow_redirects=False) as answer:
                assert answer.status == 404, path


async def test_reports_are_drawn_one_at_a_time_and_few_wait(
    site: ServedSite, made: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made.store.recordings.mark_sealed("incident-1", 1, "0" * 64, NOW)
    drawing, most, go = 0, 0, threading.Event()

    def draw(*_folder: Path, **_facts: object) -> bytes:
        nonlocal drawing, most
        drawing += 1
        most = max(most, drawing)
        go.wait(30)
        drawing -= 1
        return b"%PDF"

    monkeypatch.setattr("gateway.web.pages.history.read_visit", lambda *_given, **_named: None)
    monkeypatch.setattr("gateway.web.pages.history.draw_report", draw)

    async def ask(client: ClientSession) -> int:
        async with client.get("/history/incident-1/report.pdf") as answer:
            assert (answer.headers.get("Retry-After") == str(REPORT_RETRY_DELAY_S)) is (answer.status == 429)
            return answer.status

    async with site.client(site.owner) as client:
        asked = [asyncio.create_task(ask(client)) for _ in range(20)]
        await wait_until(lambda: drawing)
        # Told to come back, and no queue
        await wait_until(lambda: sum(one.done() for one in asked) == 20 - MAX_REPORTS)
        async with client.get("/history") as answer:
            assert answer.status == 200
        go.set()
        statuses = await asyncio.gather(*asked)
        assert (statuses.count(200), statuses.count(429)) == (MAX_REPORTS, 20 - MAX_REPORTS)
        assert await ask(client) == 200, "room is room again"
    assert most == 1


async def test_whoever_may_share_ends_a_link_at_once_and_sees_who_made_it(site: ServedSite) -> None:
    bruno = await site.guest(Role.HOUSEHOLD)
    async with site.client(site.owner) as anna, ClientSession(site.address) as stranger, site.client(bruno) as guest:
        token = await shared(anna, "incident-1")
        other = await shared(anna, "incident-2")
        for path in ("/history", "/history/incident-1"):
            async with anna.get(path) as answer:
                page = await answer.text()
            assert "par Anna, " in page, path
            assert "17 juin" in page, path
            assert token not in page, "the link itself is shown once"
        async with guest.get("/history") as answer:
            assert "/shares/end" not in await answer.text()
        ended = {"id": token.partition(".")[0], "back": "/history/incident-1"}
        async with guest.post("/shares/end", data=ended) as answer:
            assert answer.status == 403
        async with stranger.get(f"/shared/{token}") as answer:
            assert answer.status == 200
        async with anna.post("/shares/end", data=ended, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/history/incident-1")
        async with anna.post("/shares/end", data=ended) as answer:
            assert answer.status == 404
        for link, status in ((token, 404), (other, 200)):
            async with stranger.get(f"/shared/{link}") as answer:
                assert answer.status == status
                assert 'id="link"' not in await answer.text(), (
                    "who hears nothing of the house is told of no lost connection"
                )


@pytest.mark.parametrize("how", ["removed", "no owner any more"])
async def test_a_link_ends_with_its_maker(site: ServedSite, how: str) -> None:
    bruno = await site.guest(Role.OWNER)
    async with site.client(bruno) as guest:
        token = await shared(guest, "incident-1")
    async with ClientSession(site.address) as stranger:
        async with stranger.get(f"/shared/{token}") as answer:
            assert answer.status == 200
        accounts, now = site.accounts, site.box.clock.now()
        if how == "removed":
            await accounts.remove_person(site.owner.user, bruno.user.person, now)
        else:
            await set_role(site.box.store.accounts, bruno.user.person, Role.HOUSEHOLD)
        async with stranger.get(f"/shared/{token}") as answer:
            assert answer.status == 404


async def test_a_link_is_its_own_secret_and_no_other_spelling_of_it(site: ServedSite, made: ShellBox) -> None:
    async with site.client(site.owner) as client:
        first, second = await shared(client, "incident-1"), await shared(client, "incident-2")
    (id1, secret1), (id2, _) = first.split("."), second.split(".")
    forged = [f"{id2}.{secret1}", f"{id1}.{secret1[:-1]}", f"{id1}.{secret1}x", f"{id1}.", id1, f"incident-1.{secret1}"]
    async with ClientSession(site.address) as stranger:
        for token in forged:
            async with stranger.get(f"/shared/{token}") as answer:
                assert answer.status == 404, token
    assert secret1 not in str(made.store.accounts.active_shares(NOW.utc))


def test_temperatures_become_a_line_that_holds_until_the_next_reading() -> None:
    readings = [
        TemperatureReading(at=NOON + timedelta(seconds=at), temp_c=temp)
        for at, temp in ((0, 4.0), (30, 8.0), (60, None))
    ]
    drawn = temperature_plot("fridge", readings)
    assert drawn["points"] == "24.0,96.0 160.0,96.0 160.0,24.0 296.0,24.0"
    assert (drawn["low"], drawn["high"]) == (4.0, 8.0)
    assert temperature_plot("fridge", [TemperatureReading(at=NOON, temp_c=None)])["points"] == ""


async def test_a_moved_parcels_visit_names_the_entrance_that_could_not_take_it(tmp_path: Path) -> None:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made), serve_site(made) as site:
        assert (await receive(made.store, make_offer(), now=NOW)).result.accepted
        garage = Place(entrance="garage", place="hall")
        assert await made.store.deliveries.move("shop.d1", garage, Refusal.HOUSEHOLD_PRESENT, NOW)
        visit = Visit(id="v", delivery=visit_delivery(), scanner="scanner")
        await made.store.commit(make_step(Entrance(id="garage", visit=visit), c.StartRecording(visit="v")))
        async with site.client(site.owner) as client:
            for language, told in (("en", "Moved here: "), ("fr", "Déplacé ici\N{NO-BREAK SPACE}: ")):
                async with client.get("/history/v", headers={"Accept-Language": language}) as answer:
                    shown = await answer.text()
                assert re.search(f"{told}.*Front", shown)


async def commit_visit(made: ShellBox, *told: c.Command) -> None:
    """A filmed visit `v` at the front door under `shop.d1`."""
    assert (await receive(made.store, make_offer(), now=NOW)).result.accepted
    visit = Visit(id="v", delivery=visit_delivery(), scanner="scanner")
    await made.store.commit(make_step(Entrance(id="front", visit=visit), c.StartRecording(visit="v"), *told))


async def test_after_somebody_opened_the_visit_s_own_page_asks_whether_the_parcel_was_taken_in(tmp_path: Path) -> None:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made), serve_site(made) as site:
        await commit_visit(made, c.ReportParcelResult(visit="v", delivery="shop.d1", outcome=Outcome.ATTENDED))
        async with site.client(site.owner) as client:
            fields = {"do": "take_in", "delivery": "shop.d1", "back": "/history/v"}
            for page in ("/history/v", "/"):
                async with client.get(page) as answer:
                    assert 'value="take_in"' in await answer.text(), page
            async with client.post("/entrance/front", data=fields, allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (303, "/history/v")
            async with client.get("/history/v") as answer:
                assert "take_in" not in await answer.text(), "it is said once"
        result = made.store.deliveries.result("shop.d1", made.clock.now())
        assert result is not None
        assert (result.state, result.custody) == (State.DELIVERED, "household")


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.UNKNOWN])
@pytest.mark.parametrize("collected", [*CollectResult, None])
async def test_a_visit_that_brought_and_collected_tells_both(
    tmp_path: Path, outcome: Outcome, collected: CollectResult | None
) -> None:
    told = {CollectResult.COLLECTED: "Return taken along", CollectResult.PARTLY_COLLECTED: "Return taken along in part",
            CollectResult.NOT_COLLECTED: "Return not taken along"}  # fmt: skip
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made), serve_site(made) as site:
        result = c.ReportParcelResult(visit="v", delivery="shop.d1", outcome=outcome, collected=collected)
        await commit_visit(made, result)
        async with site.client(site.owner) as client:
            for page in ("/history", "/history/v"):
                async with client.get(page, headers={"Accept-Language": "en"}) as answer:
                    shown = await answer.text()
                expected = set() if collected is None else {told[collected]}
                assert set(re.findall(r"Return (?:not )?taken along(?: in part)?", shown)) == expected, page
