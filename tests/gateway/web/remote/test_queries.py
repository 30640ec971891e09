"""What a browser is answered from afar: what its person sees on the house's own pages, once, while it is fresh."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from devices.reports import DoorReport, DoorState
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.frozen import replace
from gateway.domain.visit.closures import BoltedDoor, Strike
from gateway.protocol.browser_envelope import MAX_UP_BYTES
from gateway.web.auth.roles import ROLE_RIGHTS, Role
from gateway.web.remote.queries import CHUNK_BYTES, MAX_CONCURRENT_QUERIES
from gateway.web.server.live_video import PICTURE_INTERVAL_S
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, PARCEL, make_offer
from tests.gateway.people import set_role
from tests.gateway.web.remote.away import NOON_MONO_S, remote_household
from tests.gateway.web.tour import INCIDENT, _film_incident
from tests.shell.house import home_without_permission, make_home
from tests.waiting import assert_stays, wait_until

FILM = f"visits/{INCIDENT}/cam-1-1.mp4"


# ---- the state ------------------------------------------------------------------------------------------------------


async def test_the_house_is_told_as_its_pages_tell_it(tmp_path: Path) -> None:
    async with remote_household(tmp_path, at=NOON_MONO_S) as here:
        before = await here.entrance()
        assert (before["door"], before["heard"], before["visit"]) == ("unknown", False, None)
        await receive(here.made.store, make_offer(), now=NOW)
        await here.made.good_day()
        state = await here.state()
        assert (state["person"], state["role"], state["trusted"]) == ("Anna", "owner", True)
        assert set(state["may"]) == {right.value for right in ROLE_RIGHTS[Role.OWNER]}
        front = next(one for one in state["entrances"] if one["id"] == "front")
        assert (front["door"], front["heard"], front["stopped"], front["pause"]) == ("locked", True, False, None)
        assert (front["next"]["brand"], front["next"]["place"]) == (here.made.home.brands["shop"].name, "Hall")
        assert [one["id"] for one in state["brands"]] == sorted(here.made.home.brands)
        assert {one["standing"] for one in state["brands"]} == {"granted"}
        await here.made.ring(PARCEL)
        assert (await here.entrance())["visit"]["phase"] == "ringing"
        assert (front["safe_mode"], front["incident"]) == (False, False)


async def test_a_door_that_is_not_heard_of_is_never_told_as_locked(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        await here.made.good_day()
        assert (await here.entrance())["door"] == "locked"
        here.made.says("door", _open())
        await wait_until(lambda: here.made.front.state.facts["door"].value == "open")
        assert (await here.entrance())["door"] == "open"


async def test_an_only_door_has_no_list_of_closures_and_a_flat_has_each_of_them(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        assert (await here.entrance())["closures"] == []
        actor = here.made.front
        flat = (Strike(id="street"), BoltedDoor(id="door"))
        actor.state = replace(actor.state, rules=replace(actor.state.rules, closures=flat))
        shown = {one["id"]: (one["kind"], one["state"], one["position"]) for one in (await here.entrance())["closures"]}
        assert shown == {"street": ("strike", "unknown", None), "door": ("bolted_door", "unknown", None)}


def _open() -> Any:  # noqa: ANN401 - a report
    return DoorReport(door=DoorState.OPEN)


async def test_who_asks_after_what_he_knows_is_answered_when_it_changes(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        first, _ = await here.asks("state")
        waiting = asyncio.create_task(here.asks("state", after=first["version"]))
        await assert_stays(lambda: not waiting.done(), 0.2)
        await here.made.store.entrances.set_stop("front", here.made.clock.now(), on=True)
        await here.orders("stop")
        second, _ = await asyncio.wait_for(waiting, 5)
        assert second["version"] != first["version"]
        assert not second["unchanged"]


async def test_what_does_not_change_is_answered_as_that_after_a_while(tmp_path: Path) -> None:
    async with remote_household(tmp_path, held=0.3) as here:
        await here.made.good_day()
        first, _ = await here.asks("state")
        here.made.time.mono += 30
        second, _ = await here.asks("state", after=first["version"])
        assert second == {"version": first["version"], "unchanged": True, "state": None}


async def test_the_orders_of_this_browser_and_what_became_of_them_are_told(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        bruno = await here.browser(Role.HOUSEHOLD)
        await here.orders("stop", entrance="garage")
        await here.became()
        await here.orders("revoke", life=86_400, brand="nobody")
        await here.became()
        orders = (await here.state())["orders"]
        assert [(one["number"], one["do"], one["state"], one["why"]) for one in orders] == [
            (2, "revoke", "failed", "not_done"), (1, "stop", "done", None)
        ]  # fmt: skip
        assert (await here.state())["number"] == 2
        assert (await here.state(bruno))["orders"] == []


async def test_what_a_brand_asks_has_another_digest_with_each_decision(tmp_path: Path) -> None:
    async with remote_household(tmp_path, home_without_permission(make_home(tmp_path))) as here:
        seen = set()
        for standing in (None, PermissionStatus.GRANTED, PermissionStatus.REVOKED, PermissionStatus.GRANTED):
            letting, person = here.made.reception.permissions, here.site.owner.user.person
            if standing is PermissionStatus.GRANTED:
                permission = here.made.store.brands.permission("shop")
                assert permission is not None
                assert await letting.decide("shop", PermissionStatus.GRANTED, person, terms=permission.terms) is None
            elif standing is PermissionStatus.REVOKED:
                assert await letting.decide("shop", PermissionStatus.REVOKED, person) is None
            shop = next(one for one in (await here.state())["brands"] if one["id"] == "shop")
            seen.add(shop["ask"])
        assert len(seen) == 4


# ---- whose eyes -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_each_question_asks_for_its_right_and_a_right_that_is_gone_is_gone_at_once(tmp_path: Path) -> None:
    questions: dict[str, dict[str, Any]] = {
        "state": {}, "messages": {}, "visits": {}, "film": {"path": FILM, "piece": 0},
        "picture": {"path": FILM, "second": 0.0}, "live": {"camera": "cam"},
    }  # fmt: skip
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        bruno = await here.browser(Role.HOUSEHOLD)
        for ask, said in questions.items():
            answer, _ = await here.asks(ask, by=bruno, **said)
            assert "refused" not in answer, ask
        person = here.made.store.browsers.browser(bruno.browser)
        assert person is not None
        await set_role(here.made.store.accounts, person.person.id, "installer")
        for ask, said in questions.items():
            assert (await here.asks(ask, by=bruno, **said))[0] == {"refused": "not_allowed"}, ask


async def test_the_inside_is_not_shown_while_nothing_is_filmed_and_who_looked_is_kept(tmp_path: Path) -> None:
    async with remote_household(tmp_path, at=NOON_MONO_S) as here:
        assert (await here.asks("live", camera="hall"))[0] == {"refused": "private"}
        answer, jpeg = await here.asks("live", camera="cam")
        assert answer["camera"] == "cam"
        assert jpeg == here.made.eyes.jpeg
        cameras = {one["id"]: one for one in (await here.entrance())["cameras"]}
        assert (cameras["hall"]["inside"], cameras["hall"]["watch"], cameras["cam"]["watch"]) == (True, False, True)
        await receive(here.made.store, make_offer(), now=NOW)
        await here.made.good_day()
        await here.made.ring(PARCEL)
        assert (await here.asks("live", camera="hall"))[1] == here.made.eyes.jpeg
        for camera in ("lock", "nowhere"):
            assert (await here.asks("live", camera=camera))[0] == {"refused": "not_here"}
        here.made.eyes.jpeg = None
        here.made.time.mono += 1
        await asyncio.sleep(PICTURE_INTERVAL_S)  # an older picture is shown to nobody
        assert (await here.asks("live", camera="cam"))[0] == {"refused": "no_picture"}
        await here.made.store.box.raise_time_floor(here.made.clock.now().utc)
        looks = here.made.store.privacy.views(at_most=9)
        assert {(one.kind, one.what, one.person) for one in looks} == {
            ("live", "cam", here.site.owner.user.person), ("live", "hall", here.site.owner.user.person)
        }  # fmt: skip


async def test_a_film_comes_in_pieces_that_make_it_up_and_nothing_else_of_the_disk_does(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        (visit,) = (await here.asks("visits"))[0]["visits"]
        (film,) = visit["films"]
        assert (visit["id"], film["path"], film["camera"]) == (INCIDENT, FILM, "cam")
        whole, piece, pieces = b"", 0, 1
        while piece < pieces:
            answer, raw = await here.asks("film", path=FILM, piece=piece)
            assert len(raw) <= CHUNK_BYTES
            whole, piece, pieces = whole + raw, piece + 1, answer["pieces"]
        assert whole == (here.made.home.storage.folder / FILM).read_bytes()
        for path in (
            f"visits/{INCIDENT}/../../perron.sqlite3",
            "perron.sqlite3",
            "/etc/passwd",
            f"{FILM}x",
            INCIDENT,
            "a/\0/b",
        ):
            assert (await here.asks("film", path=path, piece=0))[0] == {"refused": "not_here"}
        assert (await here.asks("film", path=FILM, piece=pieces))[0] == {"refused": "not_here"}
        file = here.made.home.storage.folder / FILM
        file.rename(file.with_name("elsewhere"))  # the disk does not give it
        for ask in ({"ask": "film", "piece": 0}, {"ask": "picture", "second": 1.0}):
            assert (await here.asks(path=FILM, **ask))[0] == {"refused": "not_here"}  # type: ignore[arg-type]  # JSON
        file.with_name("elsewhere").rename(file)
        await here.made.store.recordings.set_hold(INCIDENT, None, here.made.clock.now())
        await here.made.archive.erase(INCIDENT, here.site.owner.user.person)
        assert (await here.asks("film", path=FILM, piece=0))[0] == {"refused": "not_here"}
        assert (await here.asks("visits"))[0] == {"visits": []}


@pytest.mark.slow
async def test_a_picture_of_a_film_is_a_jpeg(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        await _film_incident(here.made, "a dispute")
        answer, raw = await here.asks("picture", path=FILM, second=0.5)
        assert raw.startswith(b"\xff\xd8\xff")
        assert (answer["second"], answer["piece"], answer["pieces"]) == (0.5, 0, 1)
        assert (await here.asks("picture", path=FILM, second=0.5, piece=1))[0] == {"refused": "not_here"}


async def test_messages_are_told_in_words_the_newest_first(tmp_path: Path) -> None:
    async with remote_household(tmp_path, at=NOON_MONO_S) as here:
        await receive(here.made.store, make_offer(), now=NOW)
        await here.made.good_day()
        await here.made.ring(PARCEL)
        messages = (await here.asks("messages"))[0]["messages"]
        assert messages
        assert (await here.state())["message"] == messages[0]["id"], "a new one makes another version"
        assert [one["id"] for one in messages] == sorted((one["id"] for one in messages), reverse=True)
        assert all(one["text"] and one["entrance"] == "front" for one in messages)
        assert (await here.asks("messages", after=messages[0]["id"]))[0] == {"messages": []}
        french, english = [(await here.asks("messages", language=one))[0]["messages"][0] for one in ("fr", "en")]
        assert french.pop("text") != english.pop("text")
        assert french == english


# ---- what a hub can do ----------------------------------------------------------------------------------------------


async def test_a_question_is_answered_once_and_while_it_is_fresh(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        phone = here.synchronised(here.phone)
        id_, text = phone.question("state")
        sealed = phone.sealed(text)
        first = await here.put(sealed)
        assert first is not None
        assert "answer" in phone.read(first, id_)[0]
        again = await here.put(sealed)
        assert again is not None
        assert phone.read(again, id_)[0]["refused"] == "seen"
        for off in (-61.0, 61.0):
            old = json.loads(phone.question("state")[1]) | {"at": phone.now + off}
            answer = await here.put(phone.sealed(json.dumps(old).encode()))
            assert answer is not None
            said, _ = phone.read(answer, old["id"])
            assert said["refused"] == "stale"
            assert abs(said["at"] - phone.now) < 2, "so its page learns how far its clock is off"


async def test_whatever_a_hub_asks_or_alters_it_is_answered_nothing(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        bruno, phone = await here.browser(Role.HOUSEHOLD), here.synchronised(here.phone)
        _, text = phone.question("state")
        sealed = phone.sealed(text)
        chance = random.Random(5)
        for at in chance.sample(range(len(sealed)), 80):
            altered = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
            if altered.count(".") == sealed.count("."):
                assert await here.put(altered) is None, at
        for lie in (
            phone.sealed(phone.order("stop")), phone.sealed(phone.token().encode()), phone.sealed(b"{}"),
            phone.sealed(b'{"id":1}'), phone.sealed(text.replace(b'"state"', b'"unlock"')), phone.sealed(b"[" * 5000),
            phone.sealed(text[:-1] + b',"ask":"state"}'), bruno.sealed(text), phone.sealed(b"x" * (MAX_UP_BYTES + 1)),
        ):  # fmt: skip
            assert await here.put(lie) is None
        assert await here.put(sealed, by=bruno) is None, "another's envelope under one's own name"
        assert not here.made.front.is_stopped()


async def test_an_answer_is_for_the_browser_that_asked_alone(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        bruno = await here.browser(Role.HOUSEHOLD)
        phone = here.synchronised(here.phone)
        answer = await here.put(phone.sealed(phone.question("state")[1]))
        assert answer is not None
        with pytest.raises(AssertionError, match="not from the box"):
            bruno.opened(answer)


async def test_one_browser_cannot_keep_the_box_busy(tmp_path: Path) -> None:
    async with remote_household(tmp_path, held=3.0) as here:
        known = (await here.asks("state"))[0]["version"]
        waiting = [asyncio.create_task(here.asks("state", after=known)) for _ in range(MAX_CONCURRENT_QUERIES)]
        async with asyncio.timeout(30):
            while (await here.asks("state"))[0] != {"refused": "too_many"}:  # noqa: ASYNC110 - the box counts them, and rings no bell
                await asyncio.sleep(0.01)  # they are on their way
        assert all("refused" not in answer for answer, _ in await asyncio.gather(*waiting))
        assert "refused" not in (await here.asks("state"))[0]


async def test_a_whole_house_with_much_in_it_still_fits_into_an_answer(tmp_path: Path) -> None:
    async with remote_household(tmp_path, at=NOON_MONO_S) as here:
        for number in range(60):
            parcels, name = (f"PARCEL{number:04}",), f"d{number}"
            await receive(
                here.made.store, make_offer(id=name, parcels=parcels, courier_sha256=f"{number:064x}"), now=NOW
            )
        answer, _ = await here.asks("state")
        assert "state" in answer
