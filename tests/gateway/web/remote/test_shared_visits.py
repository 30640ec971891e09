"""A link through the hub shows one visit to whoever has it, while it is shared, and lets him do nothing else."""

import html
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from gateway.domain.frozen import replace
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance
from gateway.storage.shares import MAX_SHARES
from gateway.system.base64url import decode_base64url
from gateway.web.remote import queries, sessions
from tests.certified import make_certificate
from tests.gateway.domain.delivery.house import make_step
from tests.gateway.people import set_role
from tests.gateway.web.remote.away import HUB, RemoteHousehold, remote_household
from tests.gateway.web.tour import INCIDENT, _film_incident
from tests.remotebrowser import RemoteBrowser
from tests.shell.box import box
from tests.shell.house import make_home
from tests.shell.site import serve_site
from tests.waiting import wait_until

FILM, OTHER_FILM = f"visits/{INCIDENT}/cam-1-1.mp4", "visits/incident-2/yard-1-1.mp4"
ENGLISH = {"Accept-Language": "en"}


async def share(here: RemoteHousehold, *, days: str = "7") -> str:
    """The owner shares the incident; the link that the page shows."""
    async with (
        here.site.client(here.site.owner) as client,
        client.post(f"/history/{INCIDENT}/share", data={"days": days}) as answer,
    ):
        text = await answer.text()
        assert answer.status == 200, text
    (link,) = re.findall(r'<code id="handed-link">([^<]+)</code>', text)
    return html.unescape(link)


async def stop_sharing(here: RemoteHousehold) -> None:
    (one,) = here.made.store.accounts.active_shares(here.made.clock.now().utc)
    async with (
        here.site.client(here.site.owner) as client,
        client.post("/shares/end", data={"id": one.id, "back": "/history"}) as answer,
    ):
        assert answer.status == 200


async def test_with_a_hub_the_link_leads_to_it_and_all_that_is_secret_stands_behind_the_hash(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        link = await share(here)
        address, _, fragment = link.partition("#")
        assert address == "https://hub.example/shared"
        guest = RemoteBrowser.of_link(link)
        kept = here.made.store.browsers.guest(guest.browser)
        assert kept is not None
        private = fragment.split(".")[4]
        assert not {private, decode_base64url(private)} & set(vars(kept).values()), "the box keeps no private key of it"
        async with (
            here.site.client(here.site.owner) as client,
            client.post(f"/history/{INCIDENT}/share", data={"days": "1"}, headers=ENGLISH) as answer,
        ):
            text = await answer.text()
        assert "opens from anywhere, through the hub hub.example" in text
        assert "opens only in the home" not in text
        assert "send them the report" not in text


async def test_whoever_has_the_link_sees_the_visit_and_its_film_and_it_is_told_that_somebody_looked(
    tmp_path: Path,
) -> None:
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        guest = RemoteBrowser.of_link(await share(here))
        facts, _ = await here.asks("shared", by=guest, language="en")
        (film,) = facts["films"]
        assert (facts["id"], facts["brand"], facts["house"]) == (INCIDENT, None, here.made.home.name)
        assert facts["entrance"] == here.made.home.entrances["garage"].name
        (shared,) = here.made.store.accounts.active_shares(here.made.clock.now().utc)
        assert (facts["until"], facts["timezone"]) == (shared.until.isoformat(), here.made.home.timezone)
        (gap,) = facts["gaps"]
        assert (gap["path"], gap["start"] < gap["end"]) == (film["path"], True)
        french = (await here.asks("shared", by=guest, language="fr"))[0]
        assert [one["text"] for one in french["story"]] != [one["text"] for one in facts["story"]]
        pieces, count = list[bytes](), 1
        while len(pieces) < count:
            answer, raw = await here.asks("film", by=guest, path=film["path"], piece=len(pieces))
            count = answer["pieces"]
            pieces.append(raw)
        assert b"".join(pieces) == (here.made.home.storage.folder / FILM).read_bytes()
        await wait_until(lambda: bool(here.made.store.privacy.views(at_most=9)))
        looks = here.made.store.privacy.views(at_most=9)
        assert [(one.kind, one.what, one.person) for one in looks] == [("film", INCIDENT, None)]


@pytest.mark.slow
async def test_a_link_shows_a_picture_out_of_its_film(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        guest = RemoteBrowser.of_link(await share(here))
        _, raw = await here.asks("picture", by=guest, path=FILM, second=0.5)
        assert raw.startswith(b"\xff\xd8\xff")


async def test_with_the_key_of_a_link_nothing_else_is_seen_and_nothing_is_ordered(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        guest = RemoteBrowser.of_link(await share(here))
        for ask, more in (
            ("state", {}), ("messages", {}), ("visits", {}), ("live", {"camera": "cam"}), ("live", {"camera": "yard"}),
        ):  # fmt: skip
            assert (await here.asks(ask, by=guest, **more))[0] == {"refused": "not_allowed"}, ask
        assert (await here.asks("shared", language="en"))[0] == {"refused": "not_allowed"}, "by the owner's browser"
        assert await here.orders("stop", by=guest) == "unknown_browser"
        assert not here.made.front.is_stopped()


@pytest.mark.parametrize("path", [
    OTHER_FILM, f"visits/{INCIDENT}/../incident-2/yard-1-1.mp4", "home.yaml",
    f"visits/{INCIDENT}/manifest-1.json", f"/{FILM}", "perron.sqlite",
])  # fmt: skip
async def test_a_link_shows_no_film_but_those_of_its_visit(tmp_path: Path, path: str) -> None:
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        state = Entrance(id="front", incident="incident-2")
        await here.made.store.commit(make_step(state, c.StartRecording(visit="incident-2")))
        (film,) = here.made.store.recordings.films(visit=INCIDENT)
        other = replace(film.clips[0], path=OTHER_FILM, visit="incident-2", entrance="front")
        await here.made.store.recordings.add_clip(other, here.made.clock.now())
        file = here.made.home.storage.folder / OTHER_FILM
        file.parent.mkdir(parents=True)
        file.write_bytes(b"another film")
        assert (await here.asks("film", path=OTHER_FILM, piece=0))[1], "its household sees it"
        guest = RemoteBrowser.of_link(await share(here))
        assert (await here.asks("film", by=guest, path=path, piece=0))[0] == {"refused": "not_here"}
        assert (await here.asks("picture", by=guest, path=path, second=0))[0] == {"refused": "not_here"}


async def _stopped(here: RemoteHousehold) -> None:
    await stop_sharing(here)


async def _erased(here: RemoteHousehold) -> None:
    await here.made.store.recordings.set_hold(INCIDENT, None, here.made.clock.now())
    await here.made.archive.erase(INCIDENT, here.site.owner.user.person)


@pytest.mark.parametrize("end", [_stopped, _erased])
async def test_from_the_instant_at_which_the_share_ends_nothing_is_answered(
    tmp_path: Path, end: Callable[[RemoteHousehold], Awaitable[None]]
) -> None:
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        guest = RemoteBrowser.of_link(await share(here))
        assert "refused" not in (await here.asks("shared", by=guest, language="en"))[0]
        await end(here)
        for ask, more in (("shared", {"language": "en"}), ("film", {"path": FILM, "piece": 0})):
            _, text = here.synchronised(guest).question(ask, **more)
            assert await here.put(guest.sealed(text), by=guest) is None, ask


async def test_a_link_is_refused_once_its_time_is_over_and_then_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SHARES_CHECK_INTERVAL_S", 0.05)
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        guest = RemoteBrowser.of_link(await share(here, days="1"))
        here.made.time.mono += timedelta(days=1).total_seconds() + 1
        browsers = here.made.store.browsers
        await wait_until(lambda: browsers.guest(guest.browser) is None)


async def test_a_link_that_is_over_is_refused_before_the_box_has_forgotten_it(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        guest = RemoteBrowser.of_link(await share(here, days="1"))
        here.made.time.mono += timedelta(days=1).total_seconds() + 1
        assert here.made.store.browsers.guest(guest.browser) is not None
        for ask, more in (("shared", {"language": "en"}), ("film", {"path": FILM, "piece": 0})):
            assert (await here.asks(ask, by=guest, **more))[0] == {"refused": "not_shared"}


async def test_a_link_shows_nothing_while_its_maker_has_lost_the_right_to_share(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        guest = RemoteBrowser.of_link(await share(here))
        await set_role(here.made.store.accounts, here.site.owner.user.person, "installer")
        assert (await here.asks("shared", by=guest, language="en"))[0] == {"refused": "not_shared"}


async def test_a_link_shows_nothing_while_the_box_does_not_know_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        guest, clock = RemoteBrowser.of_link(await share(here)), here.made.clock
        now = clock.now()
        monkeypatch.setattr(clock, "now", lambda: replace(now, trusted=False))
        assert (await here.asks("shared", by=guest, language="en"))[0] == {"refused": "clock_untrusted"}


async def test_a_share_that_ends_while_its_film_is_read_shows_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        guest = RemoteBrowser.of_link(await share(here))
        read = queries.QueryService._read_film  # noqa: SLF001 - what ends meanwhile is the point

        async def read_while_it_ends(*args: Any) -> Any:  # noqa: ANN401 - as the method
            piece = await read(*args)
            await stop_sharing(here)
            return piece

        monkeypatch.setattr(queries.QueryService, "_read_film", read_while_it_ends)
        answer, raw = await here.asks("film", by=guest, path=FILM, piece=0)
        assert (answer, raw) == ({"refused": "not_shared"}, b"")


async def test_whoever_asks_too_much_by_a_link_leaves_the_household_its_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MAX_REMEMBERED_QUERIES", 5)
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        guest = RemoteBrowser.of_link(await share(here))
        for _ in range(5):
            await here.asks("shared", by=guest, language="en")
        assert (await here.asks("shared", by=guest, language="en"))[0] == {"refused": "too_many"}
        assert "refused" not in (await here.asks("visits"))[0]


async def test_the_page_says_when_too_many_visits_are_shared(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        for _ in range(MAX_SHARES):
            await share(here)
        async with (
            here.site.client(here.site.owner) as client,
            client.post(f"/history/{INCIDENT}/share", data={"days": "7"}, headers=ENGLISH) as answer,
        ):
            assert answer.status == 409
            assert "stop sharing one" in await answer.text()


async def test_an_owner_whose_pages_are_reached_from_anywhere_gets_a_link_to_them_and_trusts_no_hub(
    tmp_path: Path,
) -> None:
    name = "house.example.org"
    _, chain, key = make_certificate(tmp_path, name)
    home = make_home(tmp_path).model_copy(update={"hub": HUB})
    async with box(tmp_path, home) as made, serve_site(made, names=(name,), tls=(chain, key)) as site:
        await _film_incident(made, "a dispute")
        address, cookie = f"https://127.0.0.1:{site.site.port}", f"__Host-session={site.owner.session}"
        headers = {"Host": f"{name}:{site.site.port}", "Cookie": cookie}
        async with (
            ClientSession(address, headers=headers) as client,
            client.post(f"/history/{INCIDENT}/share", data={"days": "7"}, ssl=False) as answer,
        ):
            text = await answer.text()
            assert answer.status == 200, text
        assert f"https://{name}:{site.site.port}/shared/" in text
        assert "hub.example/shared#" not in text
