"""The pages over HTTP, at a real server on a real store: what is shown, what is asked, what is refused."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, WSMsgType

from gateway.domain.delivery.permission import PermissionStatus, PermissionTerms
from gateway.web.server.brand_terms import week_spans
from tests.gateway.domain.delivery.shop import NOW
from tests.gateway.web.house import ANNA_PASSWORD
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import PARCEL, make_home
from tests.shell.site import serve_site
from tests.waiting import wait_until

JSON = {"Accept": "application/json"}


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        await made.good_day()
        yield made


@pytest.fixture
async def at(made: ShellBox) -> AsyncIterator[ClientSession]:
    """A client of this box's pages; paths are enough."""
    async with serve_site(made) as site, site.client(site.owner) as session:
        yield session


@pytest.mark.parametrize("path", ["/", "/live", "/history", "/brands"])
@pytest.mark.parametrize(("accept", "word"), [("fr", "Accueil"), ("en", "Home"), ("de", "Accueil")])
async def test_each_page_is_there_in_both_languages_and_else_in_the_houses_own(
    at: ClientSession, path: str, accept: str, word: str
) -> None:
    async with at.get(path, headers={"Accept-Language": accept}) as answer:
        text = await answer.text()
    assert answer.status == 200
    assert f">{word}</span></a>" in text


async def test_a_chosen_language_stays(at: ClientSession) -> None:
    async with at.post("/language", data={"language": "en"}) as answer:
        assert answer.status == 200
        assert 'lang="en"' in await answer.text()
    async with at.get("/", headers={"Accept-Language": "fr"}) as answer:
        assert 'lang="en"' in await answer.text()
    async with at.post("/language", data={"language": "<script>"}) as answer:
        assert answer.status == 400


async def test_a_stop_counts_and_can_be_lifted(made: ShellBox, at: ClientSession) -> None:
    async with at.post("/entrance/front", data={"do": "stop"}, headers=JSON) as answer:
        assert answer.status == 200
    assert made.front.is_stopped()
    assert made.store.entrances.stop_state("front").stopped
    async with at.post("/entrance/front", data={"do": "lift"}) as answer:
        assert answer.url.path == "/"
    await wait_until(lambda: not made.front.is_stopped())


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 400),
        ({"do": "open"}, 400),
        ({"do": "unlock"}, 400),
        ({"do": "stop", "id": "x"}, 400),
        ({"do": "stop", "more": "x"}, 400),
        ({"do": "approve"}, 400),
        ({"do": "hold", "visit": "../../etc"}, 400),
        ({"do": "hold", "visit": "no-such-visit"}, 409),
        ({"do": "clear_lockout", "scanner": "nobody"}, 409),
    ],
)
async def test_what_is_no_wish_is_refused_in_words(at: ClientSession, fields: dict[str, str], status: int) -> None:
    async with at.post("/entrance/front", data=fields, headers=JSON) as answer:
        assert answer.status == status
        assert (await answer.json())["why"]


async def test_an_entrance_that_is_not_there_is_not_found(at: ClientSession) -> None:
    async with at.post("/entrance/nowhere", data={"do": "stop"}) as answer:
        assert answer.status == 404
        assert "text/html" in answer.headers["Content-Type"]


async def test_a_form_leads_back_only_to_this_site(made: ShellBox, at: ClientSession) -> None:
    for back, to in (("/history/x", "/history/x"), ("https://evil.example/", "/"), ("//evil.example/", "/")):
        fields = {"do": "home", "back": back}
        async with at.post("/entrance/front", data=fields, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, to)
    assert made.store.entrances.presence("front").somebody_home


async def test_a_brand_is_let_in_and_turned_away_again(made: ShellBox, at: ClientSession) -> None:
    brand = next(iter(made.home.brands))
    for do, standing in (("revoke", PermissionStatus.REVOKED), ("permit", PermissionStatus.GRANTED)):
        async with at.post(f"/brands/{brand}", data={"do": do, "password_again": ANNA_PASSWORD}) as answer:
            assert answer.url.path == "/brands"
        permission = made.store.brands.permission(brand)
        assert permission is not None
        assert permission.standing is standing


TERMS = (
    ("entrance", "garage"), ("place", "hall"), ("day", "mon"), ("day", "tue"), ("from", "09:00"), ("to", "12:00"),
    ("each", "1"), ("password_again", ANNA_PASSWORD),
)  # fmt: skip


async def test_an_owner_begins_with_the_garage_and_what_he_says_counts_at_once(
    made: ShellBox, at: ClientSession
) -> None:
    async with at.post("/brands/shop/terms", data=[*TERMS, ("carriers", " Colissimo , Chronopost,, ")]) as answer:
        assert answer.url.path == "/brands"
        assert "décidé par Anna" in await answer.text()
    permission = made.store.brands.permission("shop")
    assert permission is not None
    assert permission.standing is PermissionStatus.GRANTED
    assert permission.terms == PermissionTerms(
        entrances=frozenset({"garage"}),
        places=frozenset({"hall"}),
        days=frozenset({"mon", "tue"}),
        hours="09:00-12:00",
        carriers=frozenset({"Colissimo", "Chronopost"}),
        ask_each_time=True,
    )


@pytest.mark.parametrize("wrong", [
    {"from": "9", "to": "12:00"}, {"from": "09:00", "to": "25:00"}, {"from": "09:00", "to": "12:00", "day": "noday"},
    {"from": "09:00", "to": "12:00", "carriers": ",".join(map(str, range(40)))}, {},
])  # fmt: skip
async def test_terms_that_cannot_be_meant_are_refused_and_change_nothing(
    made: ShellBox, at: ClientSession, wrong: dict[str, str]
) -> None:
    before = made.store.brands.permission("shop")
    async with at.post("/brands/shop/terms", data=wrong, headers=JSON) as answer:
        assert answer.status == 409
        assert (await answer.json())["why"]
    assert made.store.brands.permission("shop") == before
    async with at.post("/brands/nobody/terms", data=wrong) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/film/perron.sqlite3",
        "/film/../perron.sqlite3",
        "/film/%2e%2e/%2e%2e/etc/passwd",
        "/film/visits/x/y.mp4",
        "/static/../site.py",
        "/static/%2e%2e%2fsite.py",
        "/static/.hidden.js",
        "/static/nothing.css",
        "/history/nobody",
        "/history/..%2f..",
    ],
)
async def test_nothing_of_the_disk_has_an_address_but_a_visits_own_clips(at: ClientSession, path: str) -> None:
    async with at.get(path) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    "query", ["month=0001-01", "month=9999-12", "day=0001-01-01", "day=9999-12-31", "month=9999-99"]
)
async def test_a_calendar_asked_for_the_end_of_all_time_shows_this_month(at: ClientSession, query: str) -> None:
    async with at.get(f"/history?{query}", headers={"Accept-Language": "en"}) as answer:
        assert answer.status == 200
        assert "<b>Jun 2026</b>" in await answer.text()


async def test_the_scripts_and_the_sheet_are_served_as_what_they_are(at: ClientSession) -> None:
    for name, kind in (("page.js", "text/javascript"), ("perron.css", "text/css"), ("perron.svg", "image/svg+xml")):
        async with at.get(f"/static/{name}") as answer:
            assert answer.headers["Content-Type"].startswith(kind)


# ---- the live connection ---------------------------------------------------------------------------------------------


async def test_a_tab_hears_at_once_what_the_door_does(made: ShellBox, at: ClientSession) -> None:
    async with at.ws_connect("/feed") as feed:
        await feed.send_json({"want": ["en/state/front", "fr/visit/front", "en/state/nowhere"]})
        parts: dict[str, str] = {}
        while set(parts) != {"en/state/front", "fr/visit/front"}:
            parts |= (await feed.receive_json(timeout=20)).get("parts", {})
        assert "Locked" in parts["en/state/front"]
        made.scan(PARCEL)
        async with at.post("/entrance/front", data={"do": "stop"}, headers=JSON):
            pass
        while "Stopped by you" not in parts["en/state/front"]:
            parts |= (await feed.receive_json(timeout=20)).get("parts", {})


async def test_a_beat_tells_the_time_every_second(at: ClientSession) -> None:
    async with at.ws_connect("/feed") as feed:
        beats = [(await feed.receive_json(timeout=20))["beat"] for _ in range(2)]
    assert all(isinstance(beat, int) for beat in beats)
    assert abs(beats[0] / 1000 - NOW.utc.timestamp()) < 3600


@pytest.mark.parametrize(
    "said",
    ["no json", "[]", "{}", '{"want": "state/front"}', '{"want": ["en/secret/front"]}', '{"want": ["xx/state/front"]}',
     json.dumps({"want": ["en/state/front"] * 101}), '{"want": [], "more": 1}'],
)  # fmt: skip
async def test_a_browser_that_says_what_is_no_word_of_ours_is_hung_up_on(at: ClientSession, said: str) -> None:
    async with at.ws_connect("/feed") as feed:
        await feed.send_str(said)
        while (message := await feed.receive(timeout=20)).type is WSMsgType.TEXT:
            pass
        assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED)
        assert feed.close_code == 1008


# ---- a brand's week --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "hours", "painted"),
    [
        ({"mon"}, "08:00-20:00", {"mon": [(16, 24)]}),
        ({"mon"}, "22:00-02:00", {"mon": [(44, 4)], "tue": [(0, 4)]}),
        ({"sun"}, "22:00-02:00", {"sun": [(44, 4)], "mon": [(0, 4)]}),
        ({"sat", "sun"}, "00:00-24:00", {"sat": [(0, 48)], "sun": [(0, 48)]}),
        (set(), "08:00-20:00", {}),
    ],
)
def test_the_picture_of_the_week_shows_when_a_brand_may_come(
    days: set[str], hours: str, painted: dict[str, list[tuple[float, float]]]
) -> None:
    shown = {
        day["name"]: [(span["y"], span["height"]) for span in day["spans"]]
        for day in week_spans(frozenset(days), hours)
    }
    assert {day: spans for day, spans in shown.items() if spans} == painted
