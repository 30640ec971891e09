import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.owner import verify_folder
from gateway.domain.delivery.promise import DeliveryResult, State, Update
from gateway.domain.delivery.result import DoorResult
from gateway.hub.api.deliveries import MAX_VERSIONS_PER_DELIVERY
from gateway.hub.deliveries.evidence import Evidence, first_problem
from gateway.protocol.delivery_message import HubClaims
from gateway.protocol.delivery_record import RecordEntry, RecordEntryKind
from gateway.protocol.keys import BoxKey
from tests.announcing import ConnectedHome, connected_home
from tests.announcing import payload_of as plain_of
from tests.boxes import EventJournal
from tests.hubs import hub_file, run_hub

AT = datetime(2026, 11, 25, 17, 0, 0, tzinfo=UTC)


async def proof_of(home: ConnectedHome, made: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return await home.ask("GET", f"/v1/deliveries/{made['id']}/proof")


def of_no_version(said: dict[str, Any]) -> dict[str, str]:
    """A message that somebody made himself, under a key of his own."""
    key = BoxKey.generate()
    claims = {"aud": said["home"], "iss": said["brand"], "delivery": {"id": said["name"], "version": [1]}}
    token = b".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "EdDSA"}, claims))
    signature = urlsafe_b64encode(key.sign(token)).rstrip(b"=")
    return {"key": key.public.text, "token": (token + b"." + signature).decode()}


LINES = (
    RecordEntry(at=AT, what=RecordEntryKind.PARCEL, code="56FR"),
    RecordEntry(at=AT + timedelta(seconds=20), what=RecordEntryKind.UNLOCKED),
    RecordEntry(at=AT + timedelta(seconds=22), what=RecordEntryKind.OPENED),
    RecordEntry(at=AT + timedelta(seconds=30), what=RecordEntryKind.TEMPERATURE, celsius=4.5),
    RecordEntry(at=AT + timedelta(seconds=50), what=RecordEntryKind.CLOSED),
    RecordEntry(at=AT + timedelta(seconds=62), what=RecordEntryKind.LOCKED_AGAIN),
)
ENDED: dict[str, Any] = {"house": "locked_again", "lines": LINES}


def delivered(brand: str, name: str, at: datetime) -> DeliveryResult:
    """What a home says of a delivery that came well."""
    said = {"box": "box", "at": at, "brand": brand, "delivery": name, "version": 1, "state": State.DELIVERED,
            "house": DoorResult.LOCKED_AGAIN}  # fmt: skip
    return DeliveryResult.model_validate(said)


async def test_there_is_a_proof_once_the_home_has_given_its_account_and_it_holds_offline(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce(parcels=["xy 123456785 fr"], max_celsius=6.0)
        await home.stands(made, "visiting")
        await home.stands(made, "delivered")
        status, said = await proof_of(home, made)
        assert (status, said["code"]) == (404, "not_found"), "the door is not locked yet"
        await home.stands(made, "delivered", **ENDED)
        status, said = await proof_of(home, made)
    assert status == 200
    assert (said["accounts"][0]["statement"]["state"], said["place"]) == ("delivered", "hall")
    assert (said["parcels"], said["max_celsius"]) == (["XY123456785FR"], 6.0)
    file, pem = tmp_path / "proof.json", tmp_path / "box.pem"
    file.write_text(json.dumps(said))
    pem.write_bytes(home.journal.key.public.pem)
    holds, told = verify_folder(file, key=pem, checkpoint=None)
    assert holds, told
    assert "delivered at" in told
    for line in ("17:00:00Z  parcel …56FR", "17:00:22Z  opened", "17:00:30Z  temperature 4.5 °C", "locked again"):
        assert line in told
    assert home.journal.key.public.fingerprint in told
    pem.write_bytes(BoxKey.generate().public.pem)
    assert not verify_folder(file, key=pem, checkpoint=None)[0], "another box's"


async def test_a_delivery_is_changed_so_often_at_most_that_its_proof_can_still_be_given(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce()
        path, last = f"/v1/deliveries/{made['id']}", made
        for number in range(MAX_VERSIONS_PER_DELIVERY):
            status, last = await home.ask("PATCH", path, {"delivery": {"parcels": [f"PARCEL{number}"]}})
            assert status == 200, last
        status, said = await home.ask("PATCH", path, {"delivery": {"parcels": ["ONE-TOO-MANY"]}})
        assert (status, said["code"]) == (409, "conflict")
        assert said["detail"] == "A delivery is changed 100 times at most: cancel it and announce another."
        status, _ = await home.ask("POST", f"{path}/cancel", {})
        assert status == 200, "that is always possible"
        await home.stands(last, "delivered", **ENDED)
        status, said = await proof_of(home, made)
    assert status == 200
    assert (len(said["messages"]), said["parcels"]) == (
        MAX_VERSIONS_PER_DELIVERY + 2,
        [f"PARCEL{MAX_VERSIONS_PER_DELIVERY - 1}"],
    )
    assert first_problem(Evidence.model_validate_json(json.dumps(said))) is None


async def test_who_numbers_his_versions_as_he_likes_may_change_as_often_as_everybody(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        _, made = await home.ask(
            "POST", "/v1/deliveries", {"connection": home.connection, "token": home.token(home.offer())}
        )
        plain = {**home.promise(), "id": home.offer().id}
        for version in (1_000, 2_000):
            token = home.token(Update.model_validate_json(json.dumps({**plain, "version": version})))
            status, said = await home.ask("PATCH", f"/v1/deliveries/{made['id']}", {"token": token})
            assert (status, said["version"]) == (200, version)


async def test_a_brand_s_own_promise_stands_in_its_proof_byte_for_byte(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        token = home.token(home.offer())
        _, made = await home.ask("POST", "/v1/deliveries", {"connection": home.connection, "token": token})
        await home.stands(made, "partly_delivered", missing=1, **ENDED)
        _, said = await proof_of(home, made)
    assert [message["token"] for message in said["messages"]] == [token]
    (tmp_path / "proof.json").write_text(json.dumps(said))
    assert verify_folder(tmp_path / "proof.json", key=None, checkpoint=None)[0]


async def test_a_proof_of_an_older_release_that_has_the_whole_label_for_the_parcel_still_holds(tmp_path: Path) -> None:
    """Today a label's bar code is its tracking number; both the brand's message and the proof may have the bar code."""
    label, number = "%008182709980000020045327276", "09980000020045"
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        token = home.token(home.offer().model_copy(update={"parcels": (label,)}))
        _, made = await home.ask("POST", "/v1/deliveries", {"connection": home.connection, "token": token})
        await home.stands(made, "delivered", **ENDED)
        _, said = await proof_of(home, made)
    assert said["parcels"] == [number]
    for parcels, holds in (([number], True), ([label], True), (["09980000020046"], False), ([], False)):
        evidence = Evidence.model_validate_json(json.dumps({**said, "parcels": parcels}))
        assert (first_problem(evidence) is None) is holds, parcels


async def test_another_message_under_the_same_key_is_not_the_one_that_the_home_took(
    tmp_path: Path,
) -> None:
    """Who holds the key that signs promises, a brand's or the hub's, may sign what he likes afterwards."""

    def verified(said: dict[str, Any]) -> tuple[bool, str]:
        (tmp_path / "proof.json").write_text(json.dumps(said))
        return verify_folder(tmp_path / "proof.json", key=None, checkpoint=None)

    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        offer = home.offer()
        other = offer.model_copy(update={"parcels": ("OTHER",)})
        body = {"connection": home.connection, "token": home.token(offer)}
        signed = (await home.ask("POST", "/v1/deliveries", body))[1]
        plain = await home.announce(name="order-2")
        for made in (signed, plain):
            await home.stands(made, "delivered", **ENDED)
        by_brand, by_hub = [(await proof_of(home, made))[1] for made in (signed, plain)]
        now = int(hub.hub.now().timestamp())
        claims = HubClaims(brand=home.brand, aud=home.id, iat=now, nbf=now, exp=now + 60, jti="j" * 16,
                           delivery=other.model_copy(update={"id": "order-2"}))  # fmt: skip
        later = (
            (by_brand, home.token(other)),
            (by_brand, home.token(offer)),
            (by_hub, hub.hub.key.sign(claims).decode()),
        )
    for said, token in later:
        assert verified(said)[0]
        message = {**said["messages"][0], "token": token}
        named = json.loads(plain_of(token.encode()))["delivery"]["parcels"]
        told = {**said, "parcels": named, "messages": [message]}
        holds, why = verified(told)
        assert not holds
        assert "the message of version 1 is not the one that the home took" in why
        assert sha256(said["messages"][0]["token"].encode()).hexdigest() in why
        both = {**told, "messages": [*said["messages"], message]}
        assert verified(both)[0] is (named == said["parcels"]), "what counts is what the home took"


async def test_of_a_home_that_did_not_note_which_message_it_took_that_is_said(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce()
        ended = delivered(home.brand, made["name"], hub.hub.now())
        await home.says(ended, home.journal.account(ended, LINES))
        said = (await proof_of(home, made))[1]
        await home.stands(made, "delivered", **ENDED)
        known = (await proof_of(home, made))[1]
    for proof, expected in ((said, True), (known, False)):
        (tmp_path / "proof.json").write_text(json.dumps(proof))
        holds, told = verify_folder(tmp_path / "proof.json", key=None, checkpoint=None)
        assert holds
        assert ("did not record which message it accepted" in told) is expected


async def test_nothing_in_a_proof_can_be_changed(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made, other = await home.announce(name="order-1"), await home.announce(name="order-2")
        await home.stands(made, "not_delivered", reason="not_delivered", **ENDED)
        await home.stands(other, "delivered", **ENDED)
        (_, said), (_, theirs) = await proof_of(home, made), await proof_of(home, other)
    told, message = said["accounts"][0], said["messages"][0]
    statement, lines = told["statement"], told["lines"]
    another = BoxKey.generate().public.text
    changes: tuple[tuple[dict[str, Any], str], ...] = (
        ({"parcels": ["ABC1"]}, "the promise says otherwise"), ({"place": "shed"}, "the promise says otherwise"),
        ({"max_celsius": 9.0}, "the promise says otherwise"), ({"name": "order-2"}, "another home or delivery"),
        ({"home": "home-2"}, "another home or delivery"), ({"brand": "soleil"}, "another home or delivery"),
        ({"messages": []}, "is not there"), ({"messages": theirs["messages"]}, "of another delivery"),
        ({"accounts": theirs["accounts"]}, "another home or delivery"),
        ({"accounts": [{**told, "statement": {**statement, "state": "delivered"}}]}, "says otherwise"),
        ({"accounts": [{**told, "statement": {**statement, "at": made["created"]}}]}, "says otherwise"),
        ({"accounts": [{**told, "key": another}]}, "not signed by the box's key"),
        ({"accounts": [{**told, "lines": lines[:2] + lines[3:]}]}, "line 3 is not there"),
        ({"accounts": [{**told, "lines": lines[:-1]}]}, "line 6 is not there"),
        ({"accounts": [{**told, "lines": []}]}, "line 1 is not there"),
        ({"accounts": [{**told, "lines": [lines[1], lines[0], *lines[2:]]}]}, "line 1 is at another place"),
        ({"accounts": [{**told, "lines": [*lines[:3], {**lines[3], "celsius": 3.0}, *lines[4:]]}]},
         "line 4 is not what the box wrote"),
        ({"messages": [{**message, "key": another}]}, "not signed by the key beside it"),
        ({"messages": [message, of_no_version(said)]}, "message 2 is of no version"),
    )  # fmt: skip
    for changed, why in changes:
        (tmp_path / "proof.json").write_text(json.dumps({**said, **changed}))
        holds, told_ = verify_folder(tmp_path / "proof.json", key=None, checkpoint=None)
        assert not holds, changed
        assert told_.startswith("does not hold: ")
        assert why in told_


async def test_whatever_single_byte_of_a_proof_is_altered_it_does_not_hold(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce(max_celsius=6.0)
        await home.stands(made, "delivered", **ENDED)
        _, said = await proof_of(home, made)
    whole = json.dumps(said).encode()
    before = Evidence.model_validate_json(whole)
    altered = 0
    for place in range(0, len(whole), 3):
        other = bytearray(whole)
        other[place] = whole[place] ^ 1
        try:
            evidence = Evidence.model_validate_json(bytes(other))
        except ValueError:
            continue  # it is no proof any more
        if evidence != before:
            altered += 1
            assert first_problem(evidence) is not None, bytes(other[max(0, place - 30) : place + 30])
    assert altered > 500


async def test_a_proof_tells_nothing_of_the_household_of_others_or_of_a_film(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        other = await connected_home(hub)
        made = await home.announce()
        await home.stands(made, "not_delivered", reason="household_present", **ENDED)
        status, _ = await proof_of(home, made)
        assert status == 404, "a word that tells more than a retailer may know is not handed on"
        other.id, other.journal = home.id, home.journal  # another brand at the same door
        between = await connected_home(hub)
        await home.stands(made, "delivered", **ENDED)
        _, said = await proof_of(home, made)
        assert (await between.ask("GET", f"/v1/deliveries/{made['id']}/proof"))[0] == 404
    (told,) = said["accounts"]
    assert told["statement"]["state"] == "delivered"
    whole = json.dumps(said)
    for word in ("seq", "prev", "visit", "film", "clip", "camera", "manifest", "sha256", "reference", "customer 7"):
        assert f'"{word}"' not in whole, "no number of the home's events, no film, nothing by which one is found"
    payload = told["token"].split(".")[1]
    assert set(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))) == {
        "kind", "home", "brand", "delivery", "version", "state", "missing", "house", "at", "clock_trusted", "lines",
        "left_out", "head", "entry", "sandbox", "message_sha256",
    }  # fmt: skip


async def test_a_home_that_was_handed_over_and_then_locked_has_two_accounts_and_the_newest_counts(
    tmp_path: Path,
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce()
        await home.stands(made, "delivered", house="handed_to_owner", lines=LINES[:-1])
        await home.stands(made, "delivered", **ENDED)
        _, said = await proof_of(home, made)
    assert [one["statement"]["house"] for one in said["accounts"]] == ["handed_to_owner", "locked_again"]
    (tmp_path / "proof.json").write_text(json.dumps(said))
    holds, told = verify_folder(tmp_path / "proof.json", key=None, checkpoint=None)
    assert holds
    assert "house locked_again" in told


async def test_an_account_that_does_not_hold_is_none(tmp_path: Path) -> None:
    """A box's key may have been stolen, a box may be wrong: what no retailer could check is not handed on."""
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce()
        ended = delivered(home.brand, made["name"], hub.hub.now())
        good = home.journal.account(ended, LINES)
        forged = EventJournal(home.id, BoxKey.generate()).account(ended, LINES)
        for bad in (
            forged, good.model_copy(update={"lines": good.lines[:-1]}),
            home.journal.account(ended, LINES, home="home-other"),
        ):  # fmt: skip
            await home.says(ended, bad)
            assert (await proof_of(home, made))[0] == 404


def read_at(seconds: int, code: str) -> RecordEntry:
    return RecordEntry(at=AT + timedelta(seconds=seconds), what=RecordEntryKind.PARCEL, code=code)


@pytest.mark.parametrize(
    ("promised", "read", "missing", "named"),
    [
        (["AA-0001", "AA-0002", "AA-0003"], ["0002"], 2, ["AA-0001", "AA-0003"]),
        (["AA-0001", "AA-0002"], ["0001", "0002"], 0, []),
        (["AA-0001", "BB-0001"], ["0001"], 1, None),  # they end alike: which of them came is not known
        (["AA-0001", "AA-0002"], ["9999"], 1, None),  # the label says another number
    ],
)
async def test_a_proof_names_the_parcels_that_are_missing_as_far_as_the_home_s_account_tells(
    promised: list[str], read: list[str], missing: int, named: list[str] | None, tmp_path: Path
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce(parcels=promised)
        lines = (*(read_at(number, code) for number, code in enumerate(read)), *LINES[1:])
        state = "partly_delivered" if missing else "delivered"
        await home.stands(made, state, house="locked_again", lines=lines, missing=missing)
        status, said = await proof_of(home, made)
    assert (status, said["accounts"][0]["statement"]["missing"], said["missing_parcels"]) == (200, missing, named)
    assert first_problem(Evidence.model_validate_json(json.dumps(said))) is None
    older = {name: value for name, value in said.items() if name != "missing_parcels"}
    assert first_problem(Evidence.model_validate_json(json.dumps(older))) is None, "an older proof names none"
    if named is not None:
        forged = Evidence.model_validate_json(json.dumps({**said, "missing_parcels": ["AA-0009"]}))
        assert first_problem(forged) == "other parcels are named as missing than the account tells"
