"""A delivery's whole way: from a hub's store over its broker into a house, to its door and back, as signed events.

Hub, box and house are processes of their own; what opened is what the simulated lock's own log says.
"""

import asyncio
import contextlib
import json
import sqlite3
from base64 import urlsafe_b64decode
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.cli.owner import verify_folder
from gateway.demo.result import door_movements
from gateway.demo.scenario import MOVES_ONCE_IN_AND_OUT, ScenarioRun
from gateway.domain.delivery.promise import Claims, Offer, State
from gateway.domain.delivery.result import Refusal
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.hash_chain import canonical_json
from tests.through_hub import (
    OTHER_HOME,
    AnnouncedDelivery,
    BrandUnderTest,
    HubUnderTest,
    ThroughHub,
    through_hub,
    wait_for,
)

pytestmark = pytest.mark.slow

COLD = 6.0


def forged(shop: BrandUnderTest, offer: Offer) -> bytes:
    return shop.token(offer, signer=replace(shop.signer, key=SigningKey.from_seed(b"x" * 32)))


def altered(shop: BrandUnderTest, offer: Offer) -> bytes:
    head, body, signature = shop.token(offer).split(b".")
    other = shop.token(offer.model_copy(update={"parcels": ("PARCEL-OTHER",)})).split(b".")[1]
    assert other != body
    return b".".join((head, other, signature))


def expired(shop: BrandUnderTest, offer: Offer) -> bytes:
    return shop.token(offer, ago=2 * 3600)


def foreign(shop: BrandUnderTest, offer: Offer) -> bytes:
    return shop.token(offer, aud=OTHER_HOME)


LIES = {
    forged: "wrong_signature",
    altered: "wrong_signature",
    expired: "no_longer_valid",
    foreign: "wrong_audience",
}


async def stands(here: ThroughHub, one: AnnouncedDelivery, state: State, reason: str | None = None) -> None:
    async def so() -> bool:
        return await here.hub.state(one.id) == (state.value, reason)

    await wait_for(so, f"{one.name} {state}, not {await here.hub.state(one.id)}")


async def quiet(here: ThroughHub) -> None:
    async def none() -> bool:
        return await here.hub.waiting() == 0

    await wait_for(none, "a receipt for every job")


async def at_the_door(play: ScenarioRun, one: AnnouncedDelivery) -> None:
    """The courier comes with a parcel and his code, and is let in."""
    await play.wait_for_cameras()
    play.watch.mark_seen()
    await play.courier.does("arrive")
    await play.courier.scans(one.parcel)
    await play.courier.scans(one.courier)
    await play.wait_for_unlocked()


async def proven(here: ThroughHub, one: AnnouncedDelivery, folder: Path) -> None:
    """Its proof holds offline, has the door's times and the fridge's, stands in the box's log, and names no film."""
    path = f"/v1/deliveries/{one.id}/proof"

    async def there() -> bool:
        return (await here.hub.ask("GET", path))[0] == 200

    await wait_for(there, "the account, once the door is locked")
    said = await here.hub.asks("GET", path)
    assert one.token.decode() in [message["token"] for message in said["messages"]]
    (account,) = said["accounts"]
    file, pem = folder / "proof.json", folder / "box.pem"
    file.write_text(json.dumps(said))
    pem.write_bytes(here.hub.key.pem)
    holds, told = await asyncio.to_thread(verify_folder, file, key=pem, checkpoint=None)
    assert holds, told
    what = [line["what"] for line in account["lines"]]
    for before, after in pairwise(("parcel", "unlocked", "opened", "closed", "locked_again")):
        assert what.index(before) < what.index(after), told
    assert [line["celsius"] for line in account["lines"] if line["what"] == "temperature"][-1] == COLD - 2.5
    assert account["lines"][0]["code"] == one.parcel[-4:]
    left_out = {**account, "lines": account["lines"][:2] + account["lines"][3:]}
    file.write_text(json.dumps({**said, "accounts": [left_out]}))
    assert "line 3 is not there" in (await asyncio.to_thread(verify_folder, file, key=pem, checkpoint=None))[1]
    promised = Claims.model_validate_json(plain(one.token.decode())).delivery
    assert isinstance(promised, Offer)
    later = here.shop.token(promised.model_copy(update={"parcels": ("OTHER",)})).decode()
    messages = [{**message, "token": later} for message in said["messages"] if message["token"] == one.token.decode()]
    file.write_text(json.dumps({**said, "parcels": ["OTHER"], "messages": messages}))
    assert (
        "not the one that the home took" in (await asyncio.to_thread(verify_folder, file, key=pem, checkpoint=None))[1]
    )
    store = folder / "box" / "perron.sqlite3"
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        entry = bytes.fromhex(account["statement"]["entry"])
        ((kind, body),) = database.execute("SELECT kind, body FROM entry WHERE hash = ?", (entry,)).fetchall()
        films = database.execute("SELECT visit, path, sha256, camera FROM clip").fetchall()
    assert kind == "account"
    assert canonical_json(json.loads(body)["lines"]) == canonical_json(
        [{name: value for name, value in line.items() if value is not None} for line in account["lines"]]
    )
    assert films
    tokens = [account["token"], *(message["token"] for message in said["messages"])]
    whole = json.dumps(said) + "".join(plain(token) for token in tokens)
    for film in films:
        assert not [word for word in film if word in whole], "no film unless the owner shares it"


def plain(token: str) -> str:
    """What is inside."""
    payload = token.split(".")[1]
    return urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()


async def test_a_delivery_is_announced_through_the_hub_opens_once_and_no_lie_opens_anything(tmp_path: Path) -> None:
    lies: dict[str, AnnouncedDelivery] = {}
    given: list[AnnouncedDelivery] = []

    async def before(hub: HubUnderTest, shop: BrandUnderTest) -> None:
        """The box is not there yet: all of it waits at the hub."""
        await wait_for(hub.ready, "the hub")
        for change, why in LIES.items():
            lies[change.__name__] = await shop.announces(change)
            assert why
        await hub.connects(shop.signer.brand)
        given.extend([await shop.announces(cold=COLD), await shop.announces()])

    async with through_hub(tmp_path, rigged=False, before=before) as here:
        play, (good, other) = here.play, given
        await stands(here, good, State.WINDOW_OPEN)
        await quiet(here)
        assert await here.hub.standing() == "granted", "by the house's own word"
        for change, why in LIES.items():
            await stands(here, lies[change.__name__], State.REFUSED, why)
        await here.shop.cancels(other)
        await stands(here, other, State.CANCELLED)
        await play.wait_for_cameras()
        for lie in (*lies.values(), other):
            play.watch.mark_seen()
            await play.courier.scans(lie.parcel)
            said = await play.watch.wait_for_event("answer", within=20, word="no")
            assert said["refusal"] in {Refusal.UNKNOWN_CODE.value, Refusal.CANCELLED.value, Refusal.LOCKED_OUT.value}
        assert door_movements(play.log.lines) == ()
        await play.owner.send_request("clear_lockout", scanner=play.section.scanners[0])
        await at_the_door(play, good)
        await play.courier.goes_in()
        await play.set_fridge_temperature(COLD - 2.5)
        await here.shop.cancels(good)  # the courier is inside: too late
        await play.leave_and_seal()
        await stands(here, good, State.DELIVERED)
        await here.hub.sends(good.token, good.name)  # replayed, as a hub may
        await quiet(here)
        play.watch.mark_seen()
        await play.wait_for_new_scan()
        await play.courier.scans(good.parcel)
        await play.wait_for_refusal(Refusal.ALREADY_USED)
        assert door_movements(play.log.lines) == MOVES_ONCE_IN_AND_OUT
        told = await here.hub.told(good.id)
        assert [one["state"] for one in told if "answer" not in one][-1] == "delivered"
        assert {"version": 2, "accepted": False, "code": "too_late"} in [one.get("answer") for one in told]
        steps = [step["state"] for step in (await here.hub.asks("GET", f"/v1/deliveries/{good.id}/timeline"))["data"]]
        for before_, after in pairwise(("awaiting_permission", "window_open", "visiting", "delivered")):
            assert steps.index(before_) < steps.index(after), steps
        await proven(here, good, tmp_path)
        chain = await here.hub.chain()
        results = [one.result for one in chain if one.result is not None]
        assert all(result.lacking is None for result in results), "how the entrance is doing stays in the house"
        assert [r.state for r in results if r.delivery == good.name and r.answers is None][-1] is State.DELIVERED
        assert len([one for one in results if one.answers is not None and one.delivery == good.name]) == 2


async def test_whatever_is_killed_in_the_middle_nothing_is_lost_and_nothing_opens_twice(tmp_path: Path) -> None:
    async with through_hub(tmp_path, rigged=True) as here:
        play = here.play
        await wait_for(here.hub.ready, "the hub")
        await play.kill_gateway("before-receipt")
        good = await here.shop.announces()
        await play.wait_for_gateway()  # it had the job on its disk and had not said so
        await stands(here, good, State.WINDOW_OPEN)
        await here.hub.broker.kill()
        second = await here.shop.announces()  # while nobody can ring
        await here.hub.broker.start()
        await stands(here, second, State.WINDOW_OPEN)
        await at_the_door(play, good)
        here.hub.kill()
        await play.courier.goes_in()
        await play.leave_and_seal()
        await wait_for(here.hub.ready, "the hub again")
        await stands(here, good, State.DELIVERED)
        play.watch.mark_seen()
        await play.wait_for_new_scan()
        await play.kill_gateway("after-commit")  # an opening is promised on the disk, and the lock was told nothing
        await play.courier.scans(second.parcel)
        await play.courier.scans(second.courier)
        await play.wait_for_gateway()
        await play.wait_for_visit_end()
        await stands(here, second, State.NOT_DELIVERED, "unknown")
        await quiet(here)
        assert door_movements(play.log.lines) == MOVES_ONCE_IN_AND_OUT
        chain = await here.hub.chain()
        answers = [one.result.delivery for one in chain if one.result is not None and one.result.answers is not None]
        assert sorted(filter(None, answers)) == sorted((good.name, second.name)), "each is answered once"
        assert here.hub.deaths() == 1
        assert timedelta(0) < chain[-1].at - chain[0].at
