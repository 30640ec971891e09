"""A box's own key signs a manifest that its log contradicts, or a log that breaks the rules: both verifiers refuse."""

import copy
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.now import Now
from gateway.evidence import route_check
from gateway.evidence.manifest import NEWEST_VERSION
from gateway.evidence.route import RouteAccount, RouteReading, read_route
from gateway.evidence.seal import seal_part
from gateway.evidence.verdict import ProofDefect
from gateway.evidence.verify import verify_proof
from gateway.protocol.hash_chain import ChainHead, canonical_json
from gateway.protocol.keys import BoxKey
from tests.foreign import proof_route
from tests.foreign import proof_verifier as foreign
from tests.gateway.evidence.route.rows import (
    account_of,
    forge_log,
    forge_manifest,
    honest_visit,
    sealed_rows,
    verdicts,
    words_of_both,
)
from tests.gateway.evidence.visits import NAMES, VISIT, chain_entries, draft_of, span_of

Row = dict[str, Any]
KEY = BoxKey.generate()
FLAT = honest_visit("flat")
SAFE = honest_visit("key safe")


def ordering_row(rows: list[Row], closure: str) -> Row:
    """The entry in which this closure is ordered open."""
    return next(
        row for row in rows for one in row["commands"] if (one["command"], one.get("closure")) == ("Unlock", closure)
    )


def answers_of(rows: list[Row], sensor: str) -> list[Row]:
    """The entries in which this sensor answers a query."""
    return [
        row for row in rows if row["event"].get("sensor") == sensor and row["event"]["heard"]["answers"] is not None
    ]


def flat_before_street(rows: list[Row]) -> None:
    """The flat is ordered open while the street door stands open."""
    late = ordering_row(rows, "flat")
    early = next(row for row in rows if row["event"].get("sensor") == "street/door" and row["event"]["value"] == "open")
    orders = [one for one in late["commands"] if one["command"] in {"Reserve", "Unlock"}]
    late["commands"] = [one for one in late["commands"] if one not in orders]
    early["commands"] += orders


def street_after_flat(rows: list[Row]) -> None:
    """The flat is ordered open though the street door was ordered open only after it."""
    late = ordering_row(rows, "flat")
    early = ordering_row(rows, "street")
    rows.remove(early)
    rows.insert(rows.index(late) + 1, {**early, "at": late["at"]})


def long_lived_order(rows: list[Row]) -> None:
    """The street door's order could still act when its sensor was queried."""
    unlock = next(one for one in ordering_row(rows, "street")["commands"] if one["command"] == "Unlock")
    unlock["life"] = 300


def street_never_queried(rows: list[Row]) -> None:
    """The log has the street door's answers before the flat was ordered open, and not the queries they answer."""
    for row in rows[: rows.index(ordering_row(rows, "flat"))]:
        row["commands"] = [one for one in row["commands"] if one.get("device") != "street/door"]


def lock_after_answer(rows: list[Row]) -> None:
    """A last order follows the answers: they may no longer be true."""
    end = next(number for number, row in enumerate(rows) if row["phase"] == "locked_again")
    rows[end]["commands"].insert(0, {"command": "Lock", "closure": "flat", "n": 3, "life": 5, "visit": "v1"})


def bolt_says_unlocked(rows: list[Row]) -> None:
    """The bolt's last answer was that it is open."""
    answers_of(rows, "flat/lock")[-1]["event"]["value"] = "unlocked"


def bolt_never_answered(rows: list[Row]) -> None:
    """The bolt reported "locked" by itself, which proves nothing, and answered nothing."""
    asked_from = rows.index(ordering_row(rows, "flat"))
    for row in answers_of(rows[asked_from:], "flat/lock"):
        row["event"] = {"event": "Due"}  # what the entry queries stays


def without_intent(rows: list[Row]) -> None:
    """The order has no stored intent."""
    row = ordering_row(rows, "flat")
    row["commands"] = [one for one in row["commands"] if one["command"] != "Reserve"]


def ordered_twice(rows: list[Row]) -> None:
    """A second order follows the first."""
    row = ordering_row(rows, "flat")
    row["commands"].append(next(one for one in row["commands"] if one["command"] == "Unlock"))


def back_in_time(rows: list[Row]) -> None:
    """The flat was ordered open before the street door was, by the clock."""
    ordering_row(rows, "flat")["at"] = rows[0]["at"]


def published_early(rows: list[Row]) -> None:
    """The flat's order left the box before it was decided."""
    events = [row["event"] for row in rows if row["event"]["event"] == "UnlockPublished"]
    events[-1]["at"] = rows[0]["at"]


Forging = Callable[[list[Row]], None]
BROKEN: dict[Forging, tuple[str, str, str]] = {
    # the defect -> its word, our check that finds it, the text of its place
    flat_before_street: ("route_order", "_check_orders", "flat was ordered open at .* street was not secured: door"),
    street_after_flat: ("route_order", "_check_orders", "street was not secured: it had not been ordered open"),
    long_lived_order: ("route_order", "_check_orders", "street was not secured: door was queried at"),
    without_intent: ("route_order", "_check_orders", "flat: ordered open 1 times, with 0 stored intents"),
    ordered_twice: ("route_order", "_check_orders", "flat: ordered open 2 times, with 1 stored intents"),
    street_never_queried: ("route_order", "_check_orders", "street was not secured: door has no answer that stands"),
    lock_after_answer: ("route_stale", "_check_fresh", "flat: .* before the last order"),
    bolt_says_unlocked: ("route_unproven", "_check_proven", "flat: the answers are door closed, lock unlocked"),
    bolt_never_answered: ("route_unproven", "_check_proven", "flat: lock has no answer that stands"),
    published_early: ("route_times", "_check_times", "flat: published at .* before ordered at"),
    back_in_time: ("route_times", "_check_times", "flat|street"),
}


def without_stepped(rows: list[Row]) -> dict[str, Any]:
    """A manifest of these entries that hides that the clock went back."""
    return {"evidence": account_of(rows).evidence.model_dump(mode="json")}


@pytest.mark.parametrize("how", BROKEN, ids=lambda how: how.__name__)
def test_a_log_that_breaks_a_rule_is_refused_by_both(tmp_path: Path, how: Forging) -> None:
    rows = copy.deepcopy(FLAT)
    how(rows)
    word, _, where = BROKEN[how]
    ours, theirs, place = verdicts(sealed_rows(tmp_path, rows, KEY, without_stepped(rows)), KEY)
    assert (ours, theirs) == (word, word)
    assert re.search(where, place), place


@pytest.mark.parametrize("life", [1e300, 10**15, 3601, 0, -1, -1e300, "", "5", True])
def test_an_order_that_may_act_for_no_time_or_any_time_is_refused_by_both(tmp_path: Path, life: object) -> None:
    folder = sealed_rows(tmp_path, FLAT, KEY)
    rows = copy.deepcopy(FLAT)
    next(one for one in ordering_row(rows, "street")["commands"] if one["command"] == "Unlock")["life"] = life
    forge_log(folder, KEY, rows)
    ours, theirs, where = verdicts(folder, KEY)
    assert (ours, theirs) == ("route_order", "route_order")
    assert where == "the log has an order that does not follow the format (`life`: over 0, at most 3600 s)"


@pytest.mark.parametrize("part", ["event", "phase"])
def test_an_order_in_an_entry_of_no_known_shape_does_not_go_unread(tmp_path: Path, part: str) -> None:
    folder = sealed_rows(tmp_path, FLAT, KEY)
    rows = copy.deepcopy(FLAT)
    ordering_row(rows, "flat")[part] = 7
    forge_log(folder, KEY, rows)
    ours, theirs, _ = verdicts(folder, KEY)
    assert (ours, theirs) == ("route_order", "route_order")


@pytest.mark.parametrize("how", BROKEN, ids=lambda how: how.__name__)
def test_no_other_check_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: Forging) -> None:
    rows = copy.deepcopy(FLAT)
    how(rows)
    folder = sealed_rows(tmp_path, rows, KEY, without_stepped(rows))
    monkeypatch.setattr(route_check, BROKEN[how][1], lambda *_args, **_named: None)
    assert verify_proof(folder, public_key=KEY.public).code is None


def test_the_genuine_proof_is_good_for_both(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, FLAT, KEY)
    assert verdicts(folder, KEY) == ("ok", "ok", "")


def test_a_box_whose_clock_went_back_declares_it_and_only_the_order_of_the_entries_counts(tmp_path: Path) -> None:
    rows = copy.deepcopy(FLAT)
    back_in_time(rows)
    folder = sealed_rows(tmp_path, rows, KEY)
    assert verdicts(folder, KEY) == ("ok", "ok", "")
    (part,) = verify_proof(folder, public_key=KEY.public).parts
    assert "clock_stepped" in part.manifest.declared_gaps


def test_a_clock_that_is_not_trusted_is_declared(tmp_path: Path) -> None:
    rows = copy.deepcopy(FLAT)
    rows[5]["trusted"] = False
    folder = sealed_rows(tmp_path, rows, KEY)
    assert verdicts(folder, KEY) == ("ok", "ok", "")
    assert b'"gaps":["clock_stepped"]' in (folder / "manifest.json").read_bytes()


def later(at: str) -> str:
    return (datetime.fromisoformat(at) + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")


def lies() -> dict[str, dict[str, Any]]:
    """The manifests of the flat that differ from the log in one field each."""
    told = account_of(FLAT).model_dump(mode="json")
    found: dict[str, dict[str, Any]] = {
        "holder": {"holder": "receiver"},
        "a mark": {"marks": [{"mark": "key_taken", "at": told["route"][0]["ordered"]}]},
        "a custody": {"custody": [{"step": "received", "at": told["route"][0]["ordered"], "by": "desk",
                                   "parcel": "4711", "reason": None}]},
        "place": {"place": {"id": "kitchen", "alternative": 0}},
        "alternative": {"place": {"id": "hall", "alternative": 1}},
        "no place": {"place": None},
        "evidence": {"evidence": {"required": "none", "gaps": []}},
        "a gap": {"evidence": {"required": "film", "gaps": ["no_film"]}},
        "log_incomplete": {"evidence": {"required": "film", "gaps": ["log_incomplete"]}},
        "no route": {"route": []},
        "one closure less": {"route": told["route"][:1]},
        "the other order": {"route": told["route"][::-1]},
        "one closure more": {"route": [*told["route"], {**told["route"][1], "closure": "vault"}]},
    }  # fmt: skip
    changes: dict[str, Callable[[Any], Any]] = {
        "closure": lambda _: "vault", "kind": lambda _: "keyed_door", "guarded": lambda value: not value,
        "intent": later, "ordered": later, "published": later, "passable": later,
        "opened": lambda value: value[:1], "passed": lambda _: None, "secured": later, "answers": lambda _: {},
    }  # fmt: skip
    for field, change in changes.items():
        street = copy.deepcopy(told["route"][0])
        street[field] = change(street[field])
        found[f"street's {field}"] = {"route": [street, told["route"][1]]}
    answer = told["route"][1]["answers"]["lock"]
    for field, value in (("value", "unlocked"), ("query", answer["query"] + 1), ("asked", later(answer["asked"])),
                         ("answered", later(answer["answered"])), ("query", None)):  # fmt: skip
        door = copy.deepcopy(told["route"][1])
        door["answers"]["lock"][field] = value
        found[f"the bolt's {field} {value}"] = {"route": [told["route"][0], door]}
    return found


LIES = lies()


@pytest.mark.parametrize("lie", LIES)
def test_a_manifest_cannot_say_what_its_log_does_not(tmp_path: Path, lie: str) -> None:
    ours, theirs, _ = verdicts(sealed_rows(tmp_path, FLAT, KEY, LIES[lie]), KEY)
    assert (ours, theirs) == ("route_differs", "route_differs")


def test_an_order_on_no_route_is_refused_though_the_manifest_names_no_closure(tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if name != "route"} for row in FLAT]
    folder = sealed_rows(tmp_path, rows, KEY)
    assert verdicts(folder, KEY) == ("ok", "ok", "")  # sealed as of a release that logged no route: version 2
    assert b'"version":2' in (folder / "manifest.json").read_bytes()
    told = account_of(rows).model_dump(mode="json", exclude={"ages", "collected", "cold_chain", "permits"}) | {
        "version": 3,
        "moved_from": None,
    }
    forge_manifest(folder, KEY, told)
    ours, theirs, where = verdicts(folder, KEY)
    assert (ours, theirs) == ("route_differs", "route_differs")
    assert where == "manifest.json: the log orders street open, which is on no route of the visit"


def test_a_kind_of_a_later_release_is_refused_with_its_name(tmp_path: Path) -> None:
    route = account_of(FLAT).model_dump(mode="json")["route"]
    route[0]["kind"] = "drawbridge"
    ours, theirs, where = verdicts(sealed_rows(tmp_path, FLAT, KEY, {"route": route}), KEY)
    assert (ours, theirs) == ("manifest_newer", "manifest_newer")
    assert "street is a drawbridge" in where


@pytest.mark.parametrize("known", [True, False], ids=["with the key", "without a key"])
def test_a_manifest_of_a_later_version_is_refused_and_named(tmp_path: Path, *, known: bool) -> None:
    folder = sealed_rows(tmp_path, FLAT, KEY, {"version": NEWEST_VERSION + 1, "something": "new"})
    verdict = verify_proof(folder, public_key=KEY.public if known else None)
    assert verdict.code == "manifest_newer"
    knows = f"this release knows versions 1 to {NEWEST_VERSION}"
    assert verdict.where == f"manifest.json has version {NEWEST_VERSION + 1}; {knows}"
    with pytest.raises(foreign.WrongError, match="manifest_newer"):
        foreign.verify(folder, KEY.public.text if known else None)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_earlier_version_has_none_of_the_new_fields(tmp_path: Path, version: int) -> None:
    ours, theirs, _ = verdicts(sealed_rows(tmp_path, FLAT, KEY, {"version": version}), KEY)
    assert (ours, theirs) == ("manifest_malformed", "manifest_malformed")


def test_a_proof_of_the_release_before_the_names_verifies_as_it_did(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, FLAT, KEY)
    document = json.loads((folder / "manifest.json").read_bytes())
    del document["names"]
    data = canonical_json(document | {"version": 3})
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest.sig").write_bytes(KEY.sign(data))
    assert verdicts(folder, KEY) == ("ok", "ok", "")
    (part,) = verify_proof(folder, public_key=KEY.public).parts
    assert part.manifest.names is None


def test_a_changed_name_is_a_changed_manifest(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, FLAT, KEY, {"names": NAMES.model_dump(mode="json")})
    assert verdicts(folder, KEY) == ("ok", "ok", "")
    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"Rue des Lilas", b"Rue des Roses"))
    ours, theirs, _ = verdicts(folder, KEY)
    assert (ours, theirs) == ("signature_wrong", "signature_wrong")


def test_where_a_delivery_was_moved_from_comes_from_the_draft_and_is_signed(tmp_path: Path) -> None:
    (tmp_path / VISIT).mkdir()
    when = datetime.fromisoformat(FLAT[-1]["at"])
    draft = draft_of((), at=when).model_copy(update={"cameras": (), "moved_from": "garage"})
    entries = chain_entries([canonical_json(row) for row in FLAT])
    now = Now(utc=when, trusted=True, mono=1)
    seal_part(tmp_path / VISIT, draft, span=span_of(ChainHead(), entries), now=now, key=KEY)
    assert verdicts(tmp_path / VISIT, KEY) == ("ok", "ok", "")
    (part,) = verify_proof(tmp_path / VISIT, public_key=KEY.public).parts
    assert part.manifest.moved_from == "garage"


# ---- any log ---------------------------------------------------------------------------------------------------------


@given(st.data(), st.sampled_from(["flat", "key safe"]))
def test_both_verifiers_say_the_same_of_a_log_whose_entries_were_dropped_moved_or_repeated(
    data: st.DataObject, layout: str
) -> None:
    rows = list(FLAT if layout == "flat" else SAFE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(rows) - 1))
        match data.draw(st.sampled_from(["drop", "move", "repeat"])):
            case "drop":
                del rows[at]
            case "move":
                rows.insert(data.draw(st.integers(0, len(rows) - 1)), rows.pop(at))
            case _:
                rows.insert(data.draw(st.integers(0, len(rows))), rows[at])
    if not rows or read_route(rows).unexplained:
        return
    ours, theirs = words_of_both(account_of(rows), rows)
    assert ours == theirs
    assert ours != "route_differs"  # what is read from a log is what both read


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_an_entry_of_any_shape_never_ends_a_verification(data: st.DataObject) -> None:
    rows: list[Any] = copy.deepcopy(FLAT)
    for _ in range(data.draw(st.integers(1, 3))):
        row = rows[data.draw(st.integers(0, len(rows) - 1))]
        if isinstance(row, dict):
            part = data.draw(st.sampled_from([row, row["event"]] if isinstance(row.get("event"), dict) else [row]))
            part[data.draw(st.sampled_from(sorted(part)))] = data.draw(JUNK)
    reading = read_route(rows)
    assert isinstance(reading.account, RouteAccount)
    if not reading.unexplained:
        assert word_of_ours(reading) != "route_differs"


def word_of_ours(reading: RouteReading) -> str:
    """The verdict of our verifier about a log: the second verifier refuses every log that does not follow the page."""
    try:
        route_check.check_route(reading.account, reading, name="manifest.json")
    except ProofDefect as defect:
        return defect.problem.value
    return "ok"


def test_the_second_verifier_shares_no_code() -> None:
    source = Path(proof_route.__file__).read_text(encoding="utf-8")
    assert "gateway" not in source
    assert "pydantic" not in source
