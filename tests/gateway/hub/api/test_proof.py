import json
from pathlib import Path
from typing import Any

from gateway.cli.owner import verdict
from gateway.proof.keys import BoxKey
from tests.announcing import Home, connected
from tests.hubs import hub_file, running


async def proof_of(home: Home, made: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return await home.ask("GET", f"/v1/deliveries/{made['id']}/proof")


async def test_there_is_a_proof_once_the_home_has_said_how_it_ended_and_it_holds_offline(tmp_path: Path) -> None:
    async with running(hub_file(tmp_path)) as hub:
        home = await connected(hub)
        made = await home.announce(parcels=["xy 123456785 fr"])
        await home.stands(made, "visiting")
        status, said = await proof_of(home, made)
        assert (status, said["code"]) == (404, "not_found")
        await home.stands(made, "delivered", house="locked_again")
        status, said = await proof_of(home, made)
    assert status == 200
    assert (said["words"][0]["state"], said["place"], said["parcels"]) == ("delivered", "hall", ["XY123456785FR"])
    file, pem = tmp_path / "proof.json", tmp_path / "box.pem"
    file.write_text(json.dumps(said))
    pem.write_bytes(home.journal.key.public.pem)
    holds, told = verdict(file, key=pem, checkpoint=None)
    assert holds, told
    assert "delivered at" in told
    assert home.journal.key.public.fingerprint in told
    pem.write_bytes(BoxKey.fresh().public.pem)
    assert not verdict(file, key=pem, checkpoint=None)[0], "another box's"


async def test_a_brand_s_own_promise_stands_in_its_proof_byte_for_byte(tmp_path: Path) -> None:
    async with running(hub_file(tmp_path)) as hub:
        home = await connected(hub)
        token = home.token(home.offer())
        _, made = await home.ask("POST", "/v1/deliveries", {"connection": home.connection, "token": token})
        await home.stands(made, "partly_delivered", missing=1)
        _, said = await proof_of(home, made)
    assert [message["token"] for message in said["messages"]] == [token]
    (tmp_path / "proof.json").write_text(json.dumps(said))
    assert verdict(tmp_path / "proof.json", key=None, checkpoint=None)[0]


async def test_nothing_in_a_proof_can_be_changed(tmp_path: Path) -> None:
    async with running(hub_file(tmp_path)) as hub:
        home = await connected(hub)
        made, other = await home.announce(name="order-1"), await home.announce(name="order-2")
        await home.stands(made, "not_delivered", reason="not_delivered")
        await home.stands(other, "delivered")
        (_, said), (_, theirs) = await proof_of(home, made), await proof_of(home, other)
    word, message = said["words"][0], said["messages"][0]
    changes: tuple[dict[str, Any], ...] = (
        {"parcels": ["ABC1"]}, {"place": "shed"}, {"name": "order-2"}, {"home": "home-2"}, {"brand": "soleil"},
        {"messages": []}, {"messages": theirs["messages"]}, {"words": theirs["words"]},
        {"words": [{**word, "state": "delivered"}]}, {"words": [{**word, "at": made["created"]}]},
        {"words": [{**word, "key": BoxKey.fresh().public.text}]},
        {"messages": [{**message, "key": BoxKey.fresh().public.text}]},
    )  # fmt: skip
    for changed in changes:
        (tmp_path / "proof.json").write_text(json.dumps({**said, **changed}))
        holds, told = verdict(tmp_path / "proof.json", key=None, checkpoint=None)
        assert not holds, changed
        assert told.startswith("does not hold: ")


async def test_a_proof_tells_nothing_of_the_household(tmp_path: Path) -> None:
    async with running(hub_file(tmp_path)) as hub:
        home = await connected(hub)
        made = await home.announce()
        await home.stands(made, "not_delivered", reason="household_present")
        await home.stands(made, "not_delivered", lacking=("front lock: battery",))
        status, _ = await proof_of(home, made)
        assert status == 404, "a word that tells more than a retailer may know is not handed on"
        await home.stands(made, "delivered")
        _, said = await proof_of(home, made)
        assert [word["state"] for word in said["words"]] == ["delivered"]
