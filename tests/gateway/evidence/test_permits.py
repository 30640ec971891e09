"""Who said yes to which opening, in the proof: read from the log, so neither box nor manifest can say otherwise."""

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from gateway.domain.frozen import replace
from gateway.domain.visit import events as e
from gateway.evidence.permits import read_permits
from gateway.evidence.route import RouteGap, read_route
from gateway.evidence.verify import verify_proof
from gateway.protocol.browser_envelope import Jwk
from gateway.protocol.keys import BoxKey
from gateway.system.base64url import decode_base64url, encode_base64url
from tests.gateway.evidence.route.rows import (
    RecordedLog,
    account_of,
    forge_log,
    forge_manifest,
    sealed_rows,
    verdicts,
    words_of_both,
)
from tests.house.robots import RobotHome, live

KEY = BoxKey.generate()
BOX = "box-1"
SUPERVISOR_KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
Row = dict[str, Any]
LIVES = range(12)
OLDER = {"closure", "used", "message_sha256", "by", "signed", "expires", "picture_sha256"}  # of a permit of version 6
LATER = frozenset({"permits", "ages", "collected", "cold_chain"})  # fields that version 4 has not


def claims_of(event: e.OpeningDecided) -> Row:
    """What the browser of the supervisor signs for this decision."""
    iat = int(event.issued.timestamp())
    picture = {"picture_sha256": event.picture_sha256} if event.yes else {}
    return {
        "iss": "trundle", "sub": event.by, "aud": BOX, "jti": "j" * 22, "iat": iat, "exp": iat + 30,
        "visit": event.visit, "closure": event.closure, **picture, "yes": event.yes,
    }  # fmt: skip


def token_of(claims: Row, key: ec.EllipticCurvePrivateKey = SUPERVISOR_KEY, **header: str) -> str:
    """A compact JWS, written by hand."""
    parts = ({"alg": "ES256", "typ": "perron-yes+jwt", "kid": "k" * 22} | header, claims)
    data = b".".join(encode_base64url(json.dumps(part, separators=(",", ":")).encode()).encode() for part in parts)
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return f"{data.decode()}.{encode_base64url(r.to_bytes(32) + s.to_bytes(32))}"


def jwk_of(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    return Jwk.of(key.public_key()).model_dump()


def signed(event: e.OpeningDecided) -> e.OpeningDecided:
    """The decision as a box logs it that verified what the browser signed."""
    claims = claims_of(event)
    token = token_of(claims)
    return replace(
        event, issued=datetime.fromtimestamp(claims["iat"], UTC),
        expires=datetime.fromtimestamp(claims["exp"], UTC), message_sha256=sha256(token.encode()).hexdigest(),
        token=token, key=jwk_of(SUPERVISOR_KEY),
    )  # fmt: skip


@cache
def supervised(*, is_signed: bool = True) -> tuple[Row, ...]:
    """The log of a visit of a robot whose supervisor said yes once."""
    home = RobotHome(1)
    home.sign = signed if is_signed else None
    log = RecordedLog(home)
    home.run(20)
    home.comes()
    home.run(8)
    home.decides(yes=True)
    home.run(6)
    home.goes_in()
    home.run(5)
    home.comes_out()
    home.close()
    home.run(60)
    ((visit, _, count),) = log.seals
    return tuple(log.rows[visit][:count])


def rows(*, is_signed: bool = True) -> list[Row]:
    return deepcopy([*supervised(is_signed=is_signed)])


def event_of(found: list[Row]) -> Row:
    event: Row
    (event,) = (row["event"] for row in found if row["event"]["event"] == "OpeningDecided")
    return event


def reserve_of(found: list[Row]) -> Row:
    reserve: Row
    (reserve,) = (one for row in found for one in row["commands"] if one["command"] == "Reserve")
    return reserve


def test_the_manifest_says_who_said_yes_to_which_opening_on_which_picture(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, rows(), KEY)
    told = json.loads((folder / "manifest.json").read_bytes())
    event, (permit,) = event_of(rows()), told["permits"]
    assert told["version"] == 7
    assert permit["key_sha256"] == Jwk.of(SUPERVISOR_KEY.public_key()).sha256
    assert {name: permit[name] for name in ("closure", "by", "picture_sha256", "message_sha256")} == {
        "closure": "door", "by": "ines", "picture_sha256": event["picture_sha256"],
        "message_sha256": reserve_of(rows())["permit"],
    }  # fmt: skip
    assert permit["signed"] <= permit["used"] < permit["expires"]
    assert verdicts(folder, KEY) == ("ok", "ok", "")


@pytest.mark.parametrize("change", [
    {"by": "otto"}, {"closure": "street"}, {"picture_sha256": "0" * 64}, {"message_sha256": "f" * 64},
    {"key_sha256": "0" * 64},
])  # fmt: skip
def test_a_manifest_with_another_permit_than_its_log_is_found_out(tmp_path: Path, change: Row) -> None:
    folder = sealed_rows(tmp_path, rows(), KEY)
    told = json.loads((folder / "manifest.json").read_bytes())["permits"]
    forge_manifest(folder, KEY, {"permits": [told[0] | change]})
    ours, theirs, where = verdicts(folder, KEY)
    assert (ours, theirs) == ("route_differs", "route_differs")
    assert "permits" in where


@pytest.mark.parametrize(("version", "permits", "word"), [
    (6, set(), "route_differs"),
    (6, OLDER, "route_differs"),
    (6, {*OLDER, "key_sha256"}, "manifest_malformed"),
    (7, set(), "manifest_malformed"),
    (7, OLDER, "manifest_malformed"),
])  # fmt: skip
def test_the_key_of_a_permit_cannot_be_left_out(tmp_path: Path, version: int, permits: set[str], word: str) -> None:
    folder = sealed_rows(tmp_path, rows(), KEY)
    (told,) = json.loads((folder / "manifest.json").read_bytes())["permits"]
    left = [{name: told[name] for name in permits}] if permits else []
    forge_manifest(folder, KEY, {"version": version, "permits": left})
    assert verdicts(folder, KEY)[:2] == (word, word)


def test_a_permit_cannot_be_left_out_by_the_version_before(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, rows(), KEY)
    told = json.loads((folder / "manifest.json").read_bytes())
    forged = {name: value for name, value in told.items() if name not in LATER}
    (folder / "manifest.json").write_text("{}")
    forge_manifest(folder, KEY, forged | {"version": 4})
    assert verdicts(folder, KEY)[:2] == ("route_differs", "route_differs")


def no_yes(found: list[Row]) -> None:
    del reserve_of(found)["permit"]


def unknown_yes(found: list[Row]) -> None:
    reserve_of(found)["permit"] = "f" * 64


def yes_to_another_opening(found: list[Row]) -> None:
    event_of(found)["closure"] = "street"


def yes_of_another_visit(found: list[Row]) -> None:
    event_of(found)["visit"] = "v99"


def yes_without_a_picture(found: list[Row]) -> None:
    event_of(found)["picture_sha256"] = ""


def a_no_after_the_yes(found: list[Row]) -> None:
    number = next(n for n, row in enumerate(found) if row["event"]["event"] == "OpeningDecided")
    again = deepcopy(found[number])
    again["event"] |= {"yes": False, "message_sha256": "1" * 64, "picture_sha256": ""}
    again["commands"] = []
    found.insert(number + 1, again)
    for command in found[number]["commands"]:  # the intent comes after the no
        again["commands"].append(command)
    found[number]["commands"] = []


def used_twice(found: list[Row]) -> None:
    row = next(row for row in found if any(one["command"] == "Reserve" for one in row["commands"]))
    row["commands"].append(deepcopy(reserve_of(found)))


def an_old_yes(found: list[Row]) -> None:
    event_of(found)["expires"] = event_of(found)["issued"]


def a_yes_of_the_future(found: list[Row]) -> None:
    event_of(found)["issued"] = "2030-01-01T00:00:00.000000Z"
    event_of(found)["expires"] = "2030-01-01T00:00:30.000000Z"


@pytest.mark.parametrize("forge", [
    no_yes, unknown_yes, yes_to_another_opening, yes_of_another_visit, yes_without_a_picture, a_no_after_the_yes,
    used_twice, an_old_yes, a_yes_of_the_future,
])  # fmt: skip
@pytest.mark.parametrize("is_signed", [True, False])
def test_a_log_with_an_opening_without_its_own_yes_is_found_out(
    forge: Callable[[list[Row]], None], *, is_signed: bool
) -> None:
    found = rows(is_signed=is_signed)
    forge(found)
    assert words_of_both(account_of(found), found) == ("opening_unpermitted", "opening_unpermitted")


def test_a_proof_with_an_opening_that_nobody_permitted_does_not_verify(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, rows(), KEY)
    told = json.loads((folder / "manifest.json").read_bytes())
    found = rows()
    no_yes(found)
    forge_log(folder, KEY, found)
    forge_manifest(folder, KEY, {"version": 6, "permits": []})
    ours, theirs, where = verdicts(folder, KEY)
    assert told["permits"] != []
    assert (ours, theirs) == ("opening_unpermitted", "opening_unpermitted")
    assert where == "door was opened, but it used no yes"


FORGED: dict[str, Callable[[Row], object]] = {
    "signed with another key": lambda event: event.update(token=token_of(read_claims(event), OTHER_KEY)),
    "another key is named": lambda event: event.update(key=jwk_of(OTHER_KEY)),
    "signed for another opening": lambda event: sign_anew(event, closure="street"),
    "replayed from another visit": lambda event: sign_anew(event, visit="v" * 16),
    "a no was signed": lambda event: sign_anew(event, yes=False),
    "signed on another picture": lambda event: sign_anew(event, picture_sha256="0" * 64),
    "signed on no picture": lambda event: sign_anew(event, picture_sha256=None),
    "signed by another supervisor": lambda event: sign_anew(event, sub="otto"),
    "signed at another time": lambda event: sign_anew(event, iat=read_claims(event)["iat"] - 20),
    "signed for longer": lambda event: sign_anew(event, exp=read_claims(event)["exp"] + 20),
    "a claim more": lambda event: sign_anew(event, all=True),
    "a number for a yes": lambda event: sign_anew(event, yes=1),
    "another kind of token": lambda event: event.update(token=token_of(read_claims(event), typ="perron-order+jwt")),
    "no algorithm": lambda event: event.update(token=token_of(read_claims(event), alg="none")),
    "its own key in the header": lambda event: event.update(token=token_of(read_claims(event), jwk="{}")),
    "other claims, the old signature": lambda event: event.update(token=spliced(event)),
    "a signature of nothing": lambda event: event.update(token=event["token"].rpartition(".")[0] + "." + "A" * 86),
    "no token": lambda event: event.update(token=""),
    "the message is another one": lambda event: sign_anew(event, jti="z" * 22),
    "no key": lambda event: event.pop("key"),
    "a key off the curve": lambda event: event["key"].update(x="A" * 43),
    "a key of another kind": lambda event: event["key"].update(kty="OKP"),
    "a private key": lambda event: event["key"].update(d="A" * 43),
}


def read_claims(event: Row) -> Row:
    claims: Row = json.loads(decode_base64url(event["token"].split(".")[1]))
    return claims


def sign_anew(event: Row, **claims: Any) -> None:  # noqa: ANN401 - any claim
    """The supervisor signed something else than the log says."""
    left = {name: value for name, value in (read_claims(event) | claims).items() if value is not None}
    event["token"] = token_of(left)


def spliced(event: Row) -> str:
    """Other claims with the signature of the real ones."""
    other = token_of(read_claims(event) | {"closure": "street"}).rpartition(".")[0]
    return f"{other}.{event['token'].rpartition('.')[2]}"


@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_yes_that_the_supervisor_s_key_did_not_sign_for_this_opening_is_found_out(
    forge: Callable[[Row], object], is_named: bool
) -> None:
    found = rows()
    event = event_of(found)
    forge(event)
    if is_named:  # the log names the digest of the message that it has
        event["message_sha256"] = sha256(event["token"].encode()).hexdigest()
        reserve_of(found)["permit"] = event["message_sha256"]
    is_honest = is_named and forge is FORGED["the message is another one"]
    word = "ok" if is_honest else "opening_unpermitted"
    assert words_of_both(account_of(found), found) == (word, word)


def test_a_yes_that_was_signed_for_another_box_is_found_out(tmp_path: Path) -> None:
    found = rows()
    event = event_of(found)
    sign_anew(event, aud="box-2")
    event["message_sha256"] = reserve_of(found)["permit"] = sha256(event["token"].encode()).hexdigest()
    ours, theirs, where = verdicts(sealed_rows(tmp_path, found, KEY), KEY)
    assert (ours, theirs) == ("opening_unpermitted", "opening_unpermitted")
    assert where == "door was opened, but its yes was signed for another box, box-2"


def test_a_proof_of_version_6_is_read_and_said_to_have_no_signature_of_the_supervisor(tmp_path: Path) -> None:
    for number, is_signed in enumerate((False, True)):
        root = tmp_path / str(number)
        root.mkdir()
        folder = sealed_rows(root, rows(is_signed=is_signed), KEY)
        assert json.loads((folder / "manifest.json").read_bytes())["version"] == (7 if is_signed else 6)
        assert verdicts(folder, KEY) == ("ok", "ok", "")
        (note,) = (one for one in verify_proof(folder, public_key=KEY.public).notes if "ines" in one)
        assert ("no signature" in note) is not is_signed
        assert (Jwk.of(SUPERVISOR_KEY.public_key()).fingerprint in note) is is_signed


def test_a_visit_that_began_before_the_log_had_the_signed_messages_names_no_key() -> None:
    found, older = rows(), rows(is_signed=False)
    for row in older:  # another opening of the same visit, with an older yes
        if row["event"]["event"] == "OpeningDecided" or any(one["command"] == "Reserve" for one in row["commands"]):
            found.append(row)
    permits = read_permits(found).permits
    assert [(one.by, one.key_sha256) for one in permits] == [("ines", None)] * 2


def test_where_the_disk_lost_the_yes_the_proof_says_that_entries_are_missing() -> None:
    found = rows()
    number = next(n for n, row in enumerate(found) if row["event"]["event"] == "OpeningDecided")
    if any(one["command"] == "Reserve" for one in found[number]["commands"]):
        found[number]["event"] = {"event": "Due"}
    else:
        del found[number]
    found.insert(number, deepcopy(found[number]) | {"event": {"event": "DiskChanged", "ok": False}, "commands": []})
    told = account_of(found)
    assert told.evidence.gaps == (RouteGap.LOG_INCOMPLETE,)
    (permit,) = told.permits
    assert (permit.by, permit.picture_sha256) == (None, None)
    assert words_of_both(told, found) == ("ok", "ok")


def test_a_clock_that_jumps_between_yes_and_opening_is_declared_and_accuses_nobody(tmp_path: Path) -> None:
    found = rows(is_signed=False)
    an_old_yes(found)
    folder = sealed_rows(tmp_path, found, KEY)
    told = json.loads((folder / "manifest.json").read_bytes())
    assert told["evidence"]["gaps"] == ["clock_stepped"]
    assert verdicts(folder, KEY) == ("ok", "ok", "")


def test_a_robots_proof_of_the_release_before_the_permits_verifies_as_it_did(tmp_path: Path) -> None:
    found = rows()
    del event_of(found)["picture_sha256"]
    for row in found:
        row.get("route", {}).pop("yes_each", None)
    folder = sealed_rows(tmp_path, found, KEY)
    assert json.loads((folder / "manifest.json").read_bytes())["version"] == 4
    assert verdicts(folder, KEY) == ("ok", "ok", "")


@pytest.mark.parametrize("seed", LIVES)
def test_the_lives_of_a_door_that_robots_use_are_proven(seed: int) -> None:
    home = RobotHome(seed)
    home.sign = signed
    log = RecordedLog(home)
    live(home, seed)
    for visit, part, count in log.seals:
        found = log.rows[visit][:count]
        told, reading = account_of(found, part), read_route(found, part=part)
        if reading.went_back:
            gaps = (*told.evidence.gaps, RouteGap.CLOCK_STEPPED.value)
            told = told.model_copy(update={"evidence": told.evidence.model_copy(update={"gaps": gaps})})
        assert words_of_both(told, found, part) == ("ok", "ok"), (visit, part)
    assert log.seals
