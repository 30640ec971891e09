"""Privacy: what is kept and for how long, who looked, and that nobody is watched in their own home."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from gateway.config.home import HubSection
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance
from gateway.evidence.retention import read_tombstone
from gateway.storage.models import StoredClip
from tests.filmset.cameras import CameraSet
from tests.gateway.domain.delivery.house import make_step
from tests.gateway.domain.delivery.shop import NOW
from tests.gateway.web.house import ANNA_PASSWORD
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import entrance_in_visit, make_home
from tests.shell.site import ServedSite, serve_site
from tests.shell.studio import serve_with_cameras
from tests.waiting import wait_until

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
FILM = b"\0\0\0\x18ftypisom a film"


async def filmed(made: ShellBox, visit: str, *, days_ago: float) -> None:
    """An incident was filmed so long ago."""
    await made.store.commit(make_step(Entrance(id="front", incident=visit), c.StartRecording(visit=visit)))
    path = f"visits/{visit}/cam-1-1.mp4"
    (made.home.storage.folder / path).parent.mkdir(parents=True)
    (made.home.storage.folder / path).write_bytes(FILM)
    at = NOON - timedelta(days=days_ago)
    await made.store.recordings.add_clip(
        StoredClip(
            path=path, entrance="front", visit=visit, part=1, camera="cam", start=at, end=at + timedelta(seconds=9),
            sha256="0" * 64, fragments=2, size=len(FILM),
        ),
        NOW,
    )  # fmt: skip
    await made.store.commit(make_step(Entrance(id="front")))


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        yield made


@pytest.fixture
async def site(made: ShellBox) -> AsyncIterator[ServedSite]:
    async with serve_site(made) as site:
        yield site


async def read(client: ClientSession, path: str = "/settings/privacy") -> str:
    async with client.get(path, headers={"Accept-Language": "en"}) as answer:
        assert answer.status == 200
        return await answer.text()


async def keep_for(client: ClientSession, days: str) -> int:
    async with client.post(
        "/settings/privacy/retention?back=/settings/privacy", data={"days": days}, allow_redirects=False
    ) as answer:
        return answer.status


def kinds(made: ShellBox, kind: str) -> list[dict[str, object]]:
    rows = [json.loads(one.body) for one in made.store.log.entries() if isinstance(one.body, bytes)]
    return [row for row in rows if row["kind"] == kind]


@pytest.mark.slow
async def test_the_page_tells_what_is_kept_in_numbers_of_this_box(site: ServedSite, made: ShellBox) -> None:
    await filmed(made, "v1", days_ago=3)
    await filmed(made, "v2", days_ago=1)
    await made.store.recordings.set_hold("v2", "a dispute", NOW)
    async with site.client(site.owner) as client:
        text = await read(client)
    assert "Visits: 2 (1 MB). Erased after 30 days" in text
    assert "Held by you beyond that: 1." in text
    assert "Accounts: 1; open sessions: 1; invitations: 0." in text
    assert f"in {made.home.storage.folder}." in text


async def test_a_shorter_retention_erases_at_once_with_a_tombstone_and_what_is_held_stays(
    site: ServedSite, made: ShellBox
) -> None:
    for visit, days in (("old", 9), ("held", 9), ("new", 2)):
        await filmed(made, visit, days_ago=days)
    await made.store.recordings.set_hold("held", "a dispute", NOW)
    films = made.home.storage.folder / "visits"
    async with site.client(site.owner) as client:
        assert await keep_for(client, "7") == 303
        await wait_until(lambda: not (films / "old" / "cam-1-1.mp4").exists())
        await wait_until(lambda: read_tombstone(films / "old") is not None)
        stone = read_tombstone(films / "old")
        assert stone is not None
        assert stone.why == "retention"
        assert stone.is_signed_by(made.key.public)
        assert all((films / visit / "cam-1-1.mp4").exists() for visit in ("held", "new"))
        text = await read(client)
        assert "Erased after 7 days" in text
        assert "its time was over" in text
        assert "erased after 7 days" in await read(client, "/history")
    (row,) = kinds(made, "retention")
    assert (row["days"], row["was"], row["by"]) == (7, 30, site.owner.user.person)


async def test_how_long_films_are_kept_outlives_a_restart(tmp_path: Path) -> None:
    async with (
        box(tmp_path, make_home(tmp_path)) as made,
        run_box(made),
        serve_site(made) as site,
        site.client(site.owner) as client,
    ):
        assert await keep_for(client, "3") == 303
    async with box(tmp_path, make_home(tmp_path)) as made:
        assert made.store.privacy.chosen_retention_days() == 3


@pytest.mark.parametrize("days", ["0", "31", "-1", "7.5", "07", "", "seven", "1" * 5000])
async def test_no_other_number_of_days_is_taken(site: ServedSite, made: ShellBox, days: str) -> None:
    async with site.client(site.owner) as client:
        assert await keep_for(client, days) == 400
    assert made.store.privacy.chosen_retention_days() is None


async def test_how_long_asks_for_the_password_again_and_keeps_the_form(site: ServedSite, made: ShellBox) -> None:
    made.time.mono += 301
    async with site.client(site.owner) as client:
        async with client.post(
            "/settings/privacy/retention?back=/settings/privacy", data={"days": "3"}, allow_redirects=False
        ) as answer:
            assert answer.status == 401
            assert 'action="/settings/privacy/retention"' in await answer.text()
        assert made.store.privacy.chosen_retention_days() is None


# ---- who looked ------------------------------------------------------------------------------------------------------


async def test_who_replayed_a_film_is_shown_once_however_many_pieces_were_asked_for(
    site: ServedSite, made: ShellBox
) -> None:
    await filmed(made, "v1", days_ago=1)
    async with site.client(site.owner) as client:
        for start in range(3):
            async with client.get(
                "/film/visits/v1/cam-1-1.mp4", headers={"Range": f"bytes={start}-{start + 1}"}
            ) as answer:
                assert answer.status == 206
        await wait_until(lambda: made.store.privacy.views(at_most=9))
        text = await read(client)
    (look,) = made.store.privacy.views(at_most=9)
    assert (look.kind, look.what, look.person) == ("film", "v1", site.owner.user.person)
    assert "<b>Anna</b>" in text
    assert '<a href="/history/v1">a visit&#39;s film</a>' in text


async def test_a_film_seen_by_a_link_is_noted_as_nobody_s(site: ServedSite, made: ShellBox) -> None:
    await filmed(made, "v1", days_ago=1)
    async with site.client(site.owner) as client, client.post("/history/v1/share", data={"days": "1"}) as answer:
        token = (await answer.text()).partition("/shared/")[2].partition("<")[0]
    async with ClientSession(site.address) as stranger, stranger.get(f"/shared/{token}/cam-1-1.mp4") as answer:
        assert answer.status == 200
    await wait_until(lambda: made.store.privacy.views(at_most=9))
    (look,) = made.store.privacy.views(at_most=9)
    assert (look.kind, look.person) == ("film", None)
    async with site.client(site.owner) as client:
        assert "somebody with a link" in await read(client)


async def test_each_look_has_its_own_beginning_and_end_however_long_it_is(site: ServedSite, made: ShellBox) -> None:
    """A still at set-up, and a view of 20 minutes that begins 3 minutes later: neither is a part of the other."""
    async with site.client(site.owner) as client:
        async with client.get("/live/cam/still") as answer:
            assert answer.status == 200
        made.time.mono += 180
        async with client.get("/live/cam/pictures") as answer:
            await answer.content.readany()
            made.time.mono += 1200
        await wait_until(
            lambda: {look.began != look.ended for look in made.store.privacy.views(at_most=9)} == {True, False}
        )
        text = await read(client)
    watched, still = made.store.privacy.views(at_most=9)
    assert still.began == still.ended
    assert (watched.began - still.began, watched.ended - watched.began) == (timedelta(minutes=3), timedelta(minutes=20))
    assert len(re.findall(r"until \d\d:\d\d", text)) == 1


async def test_a_view_whose_connection_was_lost_for_a_moment_is_one_look(made: ShellBox) -> None:
    for _ in range(3):
        made.store.privacy.record_view("live", "cam", "p", made.clock.now())
        made.time.mono += 29
    await made.store.log.append("done", {}, NOW)
    (look,) = made.store.privacy.views(at_most=9)
    assert look.ended - look.began == timedelta(seconds=58)


async def test_only_the_newest_looks_are_kept(made: ShellBox) -> None:
    for number in range(530):
        made.store.privacy.record_view("film", f"v{number}", "p", made.clock.now())
    await made.store.log.append("done", {}, NOW)  # what was posted before is stored by now
    looks = made.store.privacy.views(at_most=1000)
    assert len(looks) == 500
    assert (looks[0].what, looks[-1].what) == ("v529", "v30")


# ---- nobody is watched at home ---------------------------------------------------------------------------------------


async def refused_live(client: ClientSession, camera: str) -> str | None:
    """Why a camera is not shown; None: it is tried."""
    async with client.ws_connect(f"/live/{camera}") as page:
        said = await page.receive(timeout=20)
        assert said.type is WSMsgType.TEXT
        why: str | None = json.loads(said.data).get("why")
        return why


async def test_a_camera_inside_is_not_shown_while_nothing_is_filmed(site: ServedSite, made: ShellBox) -> None:
    async with site.client(site.owner) as client:
        assert await refused_live(client, "hall") == "private"
        assert await refused_live(client, "cam") != "private"
        async with client.get("/live/hall/pictures", headers={"Accept": "application/json"}) as answer:
            assert answer.status == 409
            assert "visit" in (await answer.json())["why"]
        assert "Available while a courier is here" in await read(client, "/live")
    made.store.privacy.record_view("copy", "", None, NOW)
    await wait_until(lambda: made.store.privacy.views(at_most=9))
    assert [one.what for one in made.store.privacy.views(at_most=9) if one.what == "hall"] == []


async def test_while_a_visit_runs_it_is_and_not_a_moment_longer(site: ServedSite, made: ShellBox) -> None:
    """By pictures one after the other, which come from a recorder here: what runs is cut when the visit ends."""
    made.front.state = entrance_in_visit(made.home)
    async with site.client(site.owner) as client, client.get("/live/hall/pictures") as answer:
        assert answer.status == 200
        assert b"\xff\xd8" in await answer.content.readany()
        made.front.state = Entrance(id="front")
        async with asyncio.timeout(20):
            await answer.content.read()  # to the end, which comes
    await wait_until(lambda: made.store.privacy.views(at_most=9))
    (look,) = made.store.privacy.views(at_most=9)
    assert (look.kind, look.what, look.person) == ("live", "hall", site.owner.user.person)


async def test_the_owner_may_choose_otherwise_and_back(site: ServedSite, made: ShellBox) -> None:
    async with site.client(site.owner) as client:
        for chosen, why in (("always", False), ("filming", True)):
            async with client.post("/settings/privacy/live", data={"inside": chosen}, allow_redirects=False) as answer:
                assert answer.status == 303
            assert (await refused_live(client, "hall") == "private") is why
        async with client.post("/settings/privacy/live", data={"inside": "sometimes"}) as answer:
            assert answer.status == 400
    assert [row["always"] for row in kinds(made, "inside_live")] == [True, False]


async def pictures(client: ClientSession) -> ClientWebSocketResponse:
    """Watch the hall as a page does: again until the cameras' process, which has just begun, has pictures."""
    while True:
        page = await client.ws_connect("/live/hall")
        if "codec" in json.loads((await page.receive(timeout=30)).data):
            return page
        await page.close()


@pytest.mark.slow
async def test_a_real_stream_of_the_hall_ends_with_the_visit(tmp_path: Path, cameras: CameraSet) -> None:
    async with serve_with_cameras(tmp_path, cameras) as there, there.site.client(there.site.owner) as client:
        front = there.site.box.front
        front.state = entrance_in_visit(there.site.box.home)
        async with asyncio.timeout(60):
            page = await pictures(client)
            while (await page.receive()).type is not WSMsgType.BINARY:
                pass
            front.state = Entrance(id="front")
            while (message := await page.receive()).type in (WSMsgType.BINARY, WSMsgType.TEXT):
                pass
        assert message.type is WSMsgType.CLOSE
        assert await refused_live(client, "hall") == "private"
        await page.close()


async def test_an_erasure_names_who_asked_for_it(site: ServedSite, made: ShellBox) -> None:
    await filmed(made, "v1", days_ago=1)
    await site.accounts.confirm_password(site.owner.user, ANNA_PASSWORD, made.clock.now())
    async with site.client(site.owner) as client:
        async with client.post(
            "/entrance/front", data={"do": "erase", "visit": "v1"}, headers={"Accept": "application/json"}
        ) as answer:
            assert answer.status == 200, await answer.text()
        assert "by Anna" in await read(client)


async def test_what_a_hub_knows_of_the_house_is_told_where_there_is_one(tmp_path: Path) -> None:
    hub = HubSection(url="https://hub.example", home="home-1", host="127.0.0.1")
    for number, joined in enumerate((None, hub)):
        (tmp_path / str(number)).mkdir()
        house = make_home(tmp_path / str(number)).model_copy(update={"hub": joined})
        async with box(tmp_path / str(number), house) as made, run_box(made), serve_site(made) as site:
            client = site.client(site.owner)
            async with client:
                text = await read(client)
        assert ("Deliveries come by" in text and "https://hub.example" in text) is (joined is not None)
        assert ("it knows when, not what" in re.sub(r"\s+", " ", text)) is (joined is not None)
