"""A manifest must agree with its log about a visit's end, its entrance and its delivery, for both verifiers."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence.logged_result import LoggedResult, read_result
from gateway.evidence.route import read_route
from gateway.evidence.route_check import check_route
from gateway.evidence.verdict import ProofDefect
from gateway.evidence.verify import verify_proof
from gateway.protocol.hash_chain import canonical_json
from gateway.protocol.keys import BoxKey
from tests.foreign import proof_verifier as foreign
from tests.gateway.evidence.route.rows import forge_manifest, honest_visit, sealed_rows, verdicts
from tests.gateway.evidence.visits import draft_of

Row = dict[str, Any]
KEY = BoxKey.generate()
FLAT = honest_visit("flat")
SAFE = honest_visit("key safe")
LATER_FIELDS = (
    "route",
    "evidence",
    "holder",
    "marks",
    "custody",
    "place",
    "moved_from",
    "names",
    "collected",
    "cold_chain",
    "permits",
    "ages",
)


def sealed_document(folder: Path) -> dict[str, Any]:
    (part,) = verify_proof(folder, public_key=KEY.public).parts
    return part.manifest.model_dump(mode="json")


LIES: dict[str, tuple[Callable[[dict[str, Any]], dict[str, Any]], str]] = {
    "outcome": (lambda _: {"outcome": "refused"}, "outcome is refused, the log has delivered"),
    "no outcome": (lambda _: {"outcome": None}, "outcome is null, the log has delivered"),
    "house": (lambda _: {"house": "handed_to_owner"}, "house is handed_to_owner, the log has locked_again"),
    "no house": (lambda _: {"house": None}, "house is null, the log has locked_again"),
    "entrance": (lambda _: {"entrance": "garage"}, "its entrance is garage, but the log has front"),
    "delivery's id": (lambda told: {"delivery": told["delivery"] | {"id": "other.x"}}, "the id of the delivery"),
    "version": (lambda told: {"delivery": told["delivery"] | {"version": 99}}, "the version of the delivery"),
    "place": (lambda told: {"delivery": told["delivery"] | {"place": "flat"}}, "the place of the delivery"),
    "no delivery": (lambda _: {"delivery": None}, "the id of the delivery"),
    "moved from itself": (
        lambda told: {"moved_from": told["entrance"]},
        "moved from front, the entrance of this visit",
    ),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("rows", [FLAT, SAFE], ids=["flat", "key safe"])
def test_a_manifest_that_lies_about_the_end_of_a_visit_is_refused_by_both(
    tmp_path: Path, rows: list[Row], lie: str
) -> None:
    folder = sealed_rows(tmp_path, rows, KEY)
    assert verdicts(folder, KEY) == ("ok", "ok", "")
    change, why = LIES[lie]
    if rows is SAFE and "the log has delivered" in why:
        why = f"the log has {read_result(rows).outcome}"
    forge_manifest(folder, KEY, change(sealed_document(folder)))
    ours, theirs, where = verdicts(folder, KEY)
    assert (ours, theirs) == ("route_differs", "route_differs")
    assert where.startswith("manifest.json: ")
    assert why in where


@pytest.mark.parametrize("version", [1, 2])
def test_a_visit_whose_log_names_its_route_has_no_manifest_of_an_earlier_version(tmp_path: Path, version: int) -> None:
    folder = sealed_rows(tmp_path, FLAT, KEY)
    older = {name: value for name, value in sealed_document(folder).items() if name not in LATER_FIELDS}
    if version == 1:
        del older["receipt_sha256"]
    data = canonical_json(older | {"version": version})
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest.sig").write_bytes(KEY.sign(data))
    ours, theirs, where = verdicts(folder, KEY)
    assert (ours, theirs) == ("route_differs", "route_differs")
    why = f"it has version {version}, but its log has a route, which needs version 3"
    assert where == f"manifest.json: {why}"


def incident() -> list[Row]:
    """The entries of an incident: no visit runs."""
    return [{**row, "phase": "ready", "phase_before": "ready", "commands": []} for row in FLAT if "route" not in row]


@pytest.mark.parametrize("lie", ["outcome", "house", "delivery"])
def test_an_incident_has_no_result_and_no_delivery(tmp_path: Path, lie: str) -> None:
    folder = sealed_rows(tmp_path, incident(), KEY)
    assert verdicts(folder, KEY) == ("ok", "ok", "")
    told = sealed_document(folder)
    assert (told["outcome"], told["house"], told["delivery"], told["notes"]) == (None, None, None, [])
    delivery = draft_of(()).model_dump(mode="json")["delivery"]
    forge_manifest(folder, KEY, {lie: {"outcome": "delivered", "house": "locked_again", "delivery": delivery}[lie]})
    assert verdicts(folder, KEY)[:2] == ("route_differs", "route_differs")


def test_a_visit_whose_log_has_no_result_is_sealed_without_one(tmp_path: Path) -> None:
    rows = copy.deepcopy(FLAT)
    for row in rows:
        row["commands"] = [one for one in row["commands"] if one["command"] not in {"ParcelResult", "HouseResult"}]
    folder = sealed_rows(tmp_path, rows, KEY)
    assert verdicts(folder, KEY) == ("ok", "ok", "")
    told = sealed_document(folder)
    assert (told["outcome"], told["house"]) == (None, None)


def test_a_log_that_lost_its_result_with_the_disk_keeps_that_of_the_box(tmp_path: Path) -> None:
    rows = copy.deepcopy(FLAT)
    for row in rows:
        row["commands"] = [one for one in row["commands"] if one["command"] not in {"ParcelResult", "HouseResult"}]
    rows.append({**rows[-1], "event": {"event": "DiskChanged", "ok": True}, "commands": []})
    folder = sealed_rows(tmp_path, rows, KEY)
    assert verdicts(folder, KEY) == ("ok", "ok", "")
    told = sealed_document(folder)
    assert (told["outcome"], told["house"]) == ("delivered", "locked_again")
    assert told["evidence"]["gaps"] == ["log_incomplete"]


def test_an_opening_that_was_given_back_means_not_delivered() -> None:
    back = {"kind": "step", "phase": "locked_again", "commands": [{"command": "Release", "withdrawal": False}]}
    assert read_result([back]).outcome == "not_delivered"
    assert read_result([{**back, "phase": "unlocked"}]).outcome is None


def test_a_visit_that_was_handed_to_the_owner_in_a_later_part_stays_so() -> None:
    result = {"command": "HouseResult", "house": "locked_again"}
    locked = {"kind": "step", "phase": "locked_again", "commands": [result]}
    handed = {"kind": "step", "phase": "handed_to_owner", "commands": []}
    assert read_result([locked, handed, locked]).house == "handed_to_owner"


# ---- any log ---------------------------------------------------------------------------------------------------------

NUMBERS = st.sampled_from([1e300, -1e300, 1e15, 10**15, -1, 0, 0.5, 2**53 - 1])
TIMES = st.sampled_from(["9999-12-31T23:59:59.999999-12:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"])
VALUES = NUMBERS | TIMES | st.sampled_from(["", "x", None, True])


def places_of(value: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 - any JSON
    """Each container in a value with each key of it."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    found: list[tuple[Any, Any]] = [(value, key) for key in keys]
    for key in keys:
        found += places_of(value[key])
    return found


@given(st.data(), st.sampled_from(["flat", "key safe"]))
def test_any_value_in_any_field_of_an_entry_ends_in_a_verdict(data: st.DataObject, layout: str) -> None:
    rows: list[Any] = copy.deepcopy(FLAT if layout == "flat" else SAFE)
    for _ in range(data.draw(st.integers(1, 3))):
        row = rows[data.draw(st.integers(0, len(rows) - 1))]
        places = places_of(row)
        container, key = places[data.draw(st.integers(0, len(places) - 1))]
        container[key] = data.draw(VALUES)
    reading = read_route(rows)
    assert isinstance(read_result(rows), LoggedResult)
    told = {**reading.account.model_dump(mode="json"), **END, "version": 3, "part": 1, "moved_from": None}
    refusals = [refused(lambda: check_route(reading.account, reading, name="manifest.json"), ProofDefect)]
    refusals.append(refused(lambda: foreign.route(told, rows), foreign.WrongError))
    assert all(isinstance(one, bool) for one in refusals)


END: dict[str, Any] = {
    "entrance": "front",
    "outcome": "delivered",
    "house": "locked_again",
    "delivery": None,
    "notes": [],
}


def refused(check: Callable[[], object], refusal: type[Exception]) -> bool:
    """Whether a check refuses; any other exception is a bug of the verifier."""
    try:
        check()
    except refusal:
        return True
    return False
