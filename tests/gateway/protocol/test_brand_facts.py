"""What a brand did in a home, computed from rows of the log; the box's statement of it, and the brand's comment."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol import jws
from gateway.protocol.brand_facts import Complaint, PromisedWindow, brand_facts
from gateway.protocol.brand_messages import (
    MAX_COMMENT_CHARS,
    CommentClaims,
    FactsClaims,
    facts_claims,
    sign_comment,
    sign_facts,
    verify_brand_message,
    verify_facts,
)
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.jws import RejectedMessage, RejectionCode
from tests.gateway.domain.delivery.shop import BOX, NOON, NOW, SECRETS, enrolled_keys, noon_plus

KEY = SigningKey.from_seed(b"b" * 32)
WINDOW = PromisedWindow(NOON, NOON + timedelta(hours=2))


Json = dict[str, Any]


def step(minute: float, visit: str | None, phase: str, *commands: Json, event: Json | None = None) -> Json:
    row = {"kind": "step", "at": (NOON + timedelta(minutes=minute)).isoformat(), "visit": visit, "phase": phase}
    return row | {"event": event or {"event": "Due"}, "commands": [*commands]}


def a_visit(
    id_: str, delivery: str, begins: float = 1, inside: float = 2, outcome: str = "delivered"
) -> list[dict[str, Any]]:
    parcels = {"command": "ParcelResult", "delivery": delivery, "outcome": outcome}
    door = {"command": "HouseResult", "delivery": delivery, "house": "locked_again"}
    return [
        step(begins, id_, "ringing", {"command": "Tell", "delivery": delivery}),
        step(begins + 1, id_, "inside"),
        step(begins + 1 + inside / 2, id_, "inside"),
        step(begins + 1 + inside, id_, "relocking", parcels),
        step(begins + 2 + inside, id_, "locked_again", door),
        step(begins + 3 + inside, id_, "ready"),
    ]


def refused(minute: float, delivery: str, code: str) -> dict[str, Any]:
    event = {"event": "Scanned", "matches": [{"kind": "parcel", "delivery": delivery}]}
    return step(minute, None, "ready", {"command": "Answer", "word": "no", "refusal": code}, event=event)


def facts(rows: list[Any], windows: dict[str, PromisedWindow] | None = None, brand: str = "shop") -> Any:  # noqa: ANN401 - the facts
    return brand_facts(brand, rows, windows or {}, until=NOON + timedelta(days=1))


def test_visits_are_counted_with_their_minutes_inside() -> None:
    rows = a_visit("v1", "shop.d1", inside=2) + a_visit(
        "v2", "shop.d2", begins=20, inside=6, outcome="partly_delivered"
    )
    windows = {"shop.d1": WINDOW, "shop.d2": WINDOW, "shop.d3": WINDOW}
    seen = facts(rows, windows)
    assert (seen.visits, seen.announced, seen.on_time, seen.missed) == (2, 3, 2, 1)
    assert seen.outcomes == {"delivered": 1, "partly_delivered": 1}
    assert (seen.inside_median_s, seen.inside_longest_s) == (240, 360)
    assert (seen.doors_left_open, seen.handed_to_owner, seen.refusals) == (0, 0, {})


def test_trips_of_one_visit_add_up() -> None:
    rows = [
        step(0, "v1", "inside", {"command": "Spend", "delivery": "shop.d1"}),
        step(1, "v1", "relocking"),
        step(2, "v1", "inside"),
        step(5, "v1", "relocking"),
    ]
    assert facts(rows).inside_longest_s == 240


def test_a_visit_that_still_is_inside_has_no_length_yet() -> None:
    assert facts([step(0, "v1", "inside", {"command": "Spend", "delivery": "shop.d1"})]).inside_longest_s is None


def test_doors_left_open_hand_overs_refusals_and_complaints_are_counted() -> None:
    rows = [
        *a_visit("v1", "shop.d1"),
        step(3, "v1", "inside", {"command": "Alarm", "code": "door_left_open"}),
        step(9, "v1", "handed_to_owner", {"command": "HouseResult", "delivery": "shop.d1", "house": "handed_to_owner"}),
        refused(30, "shop.d1", "already_used"),
        refused(31, "shop.d1", "already_used"),
        refused(32, "shop.d2", "outside_window"),
        {"kind": "complaint", "at": NOON.isoformat(), "visit": "v1", "delivery": "shop.d1", "complaint": "damaged"},
    ]
    seen = facts(rows)
    assert (seen.doors_left_open, seen.handed_to_owner) == (1, 1)
    assert seen.refusals == {"already_used": 2, "outside_window": 1}
    assert seen.complaints == {"damaged": 1}


def test_a_delivery_outside_its_window_is_not_on_time_and_a_cancelled_one_never_missed() -> None:
    windows = {"shop.d1": PromisedWindow(NOON + timedelta(hours=1), NOON + timedelta(hours=2)),
               "shop.d2": PromisedWindow(NOON, NOON + timedelta(hours=1), cancelled=True)}  # fmt: skip
    seen = facts(a_visit("v1", "shop.d1"), windows)
    assert (seen.on_time, seen.announced, seen.missed) == (0, 1, 0)


def test_what_another_brand_did_counts_for_nothing() -> None:
    rows = [*a_visit("v1", "shop2.d1"), refused(9, "shop2.d1", "expired")]
    both = {"event": "Scanned", "matches": [{"delivery": "shop.d1"}, {"delivery": "farm.d1"}]}
    rows.append(step(9, None, "ready", {"command": "Answer", "refusal": "code_of_several"}, event=both))
    seen = facts(rows, {"shop2.d1": WINDOW})
    assert (seen.visits, seen.announced, seen.refusals, seen.outcomes) == (0, 0, {}, {})


KEYS = st.sampled_from(["kind", "at", "visit", "phase", "event", "commands", "delivery", "matches", "outcome"])
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(JSONS, max_size=5))
def test_rows_that_are_none_change_nothing(broken: list[Any]) -> None:
    good = a_visit("v1", "shop.d1")
    broken = [row for row in broken if not (isinstance(row, dict) and row.get("kind") in ("step", "complaint"))]
    assert facts(broken + good, {"shop.d1": WINDOW}) == facts(good, {"shop.d1": WINDOW})


BRANDS = st.sampled_from(["shop", "farm"])


@given(
    st.lists(
        st.tuples(BRANDS, st.floats(0, 50), st.sampled_from(["delivered", "unknown", "not_delivered"])), max_size=8
    )
)
def test_the_brands_share_nothing_and_every_number_is_bounded(visits: list[tuple[str, float, str]]) -> None:
    rows, windows = [], {}
    for number, (brand, minutes, outcome) in enumerate(visits):
        rows += a_visit(f"v{number}", f"{brand}.d{number}", begins=number, inside=minutes, outcome=outcome)
        windows[f"{brand}.d{number}"] = WINDOW
    shop, farm = facts(rows, windows), facts(rows, windows, "farm")
    assert shop.visits + farm.visits == len(visits)
    assert shop.announced + farm.announced == len(windows)
    for seen in (shop, farm):
        assert seen.on_time + seen.missed <= seen.announced
        assert sum(seen.outcomes.values()) == seen.visits
        if seen.visits:
            assert 0 <= seen.inside_median_s <= seen.inside_longest_s <= 50 * 60 + 1
    assert facts(rows, windows) == shop, "the same rows, the same facts"


def test_the_box_signs_the_facts_and_nobody_else_does() -> None:
    claims = facts_claims(BOX, "shop", facts(a_visit("v1", "shop.d1")), comment="we are sorry")
    token = sign_facts(claims, KEY)
    assert verify_facts(token, KEY.public) == claims
    assert verify_facts(token, SECRETS["shop"].public) is RejectionCode.WRONG_SIGNATURE
    assert verify_facts(token[:-2], KEY.public) in (RejectionCode.WRONG_SIGNATURE, RejectionCode.MALFORMED)
    other = jws.sign_claims(jws.BOX_EVENT, claims, KEY.sign)
    assert verify_facts(other, KEY.public) is RejectionCode.WRONG_HEADER, "no other token of the box is a statement"
    empty = jws.sign(jws.BRAND_FACTS, b"{}", KEY.sign)
    assert verify_facts(empty, KEY.public) is RejectionCode.WRONG_CLAIMS
    assert isinstance(claims, FactsClaims)


def test_the_facts_name_no_person() -> None:
    rows = a_visit("v1", "shop.d1")
    for row in rows:
        row |= {"by": "anna", "who": "Bruno"}
    assert not {"anna", "Bruno"} & set(json.dumps(facts(rows).model_dump(mode="json")).split('"'))
    assert {one.value for one in Complaint} == {"damaged", "missing", "wrong_place", "late", "left_open", "other"}


def comment(text: str = "we are sorry", brand: str = "shop", **changes: Any) -> bytes:  # noqa: ANN401 - any claim
    seconds = int(NOON.timestamp())
    claims: dict[str, Any] = {
        "iss": brand,
        "aud": BOX,
        "iat": seconds,
        "nbf": seconds,
        "exp": seconds + 3600,
        "jti": "c" * 20,
    }
    return sign_comment(CommentClaims(**claims | changes, comment=text), SECRETS["shop"], kid="shop-1")


def test_a_comment_is_its_brands_own_and_short() -> None:
    verified = verify_brand_message(comment(), enrolled_keys(), box=BOX, now=NOW)
    assert isinstance(verified, CommentClaims)
    assert verified.comment == "we are sorry"
    for text in ("", "x" * (MAX_COMMENT_CHARS + 1), "a\nb"):
        with pytest.raises(ValueError, match=r"."):
            comment(text)


@pytest.mark.parametrize(
    ("token", "now", "code"),
    [
        (comment(brand="farm"), NOW, RejectionCode.WRONG_ISSUER),
        (comment(aud="box-2"), NOW, RejectionCode.WRONG_AUDIENCE),
        (comment(), noon_plus(hours=1), RejectionCode.NO_LONGER_VALID),
        (comment(), noon_plus(hours=-1), RejectionCode.NOT_YET_VALID),
        (comment(exp=int((NOON + timedelta(days=32)).timestamp())), NOW, RejectionCode.WRONG_CLAIMS),
        (comment()[:-2] + b"AA", NOW, RejectionCode.WRONG_SIGNATURE),
    ],
)
def test_a_comment_that_is_not_good_is_refused(token: bytes, now: Any, code: RejectionCode) -> None:  # noqa: ANN401 - a time
    rejected = verify_brand_message(token, enrolled_keys(), box=BOX, now=now)
    assert isinstance(rejected, RejectedMessage)
    assert rejected.code is code


def test_times_keep_their_offset() -> None:
    assert facts(a_visit("v1", "shop.d1")).since == datetime(2026, 6, 10, 12, 1, tzinfo=UTC)
