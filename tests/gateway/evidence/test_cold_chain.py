"""The cold chain of items in the proof: read from the log, so a manifest cannot say otherwise."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.protocol.keys import BoxKey
from tests.gateway.evidence.route.rows import RecordedLog, forge_manifest, sealed_rows, verdicts
from tests.gateway.protocol.test_cold_chain import Kitchen, come_in, go, house_with_items, says, stow

KEY = BoxKey.generate()


def sealed_visit(log: RecordedLog) -> list[dict[str, Any]]:
    (visit, _, count), *_ = log.seals
    return log.rows[visit][:count]


def cold_visit(readings: int = 2) -> list[dict[str, Any]]:
    house, log = house_with_items()
    come_in(house)
    for n in range(readings // 2):
        says(house, 1.0 + n % 5 / 10)
        house.run(0.2)
    stow(house)
    house.run(0.2)
    for n in range(readings - readings // 2):
        says(house, 1.0 + n % 5 / 10)
        house.run(0.2)
    go(house)
    house.run(60)
    return sealed_visit(log)


def told_of(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return told


@pytest.mark.parametrize("readings", [2, 300])
def test_both_verifiers_read_the_same_cold_chain_from_the_log(tmp_path: Path, readings: int) -> None:
    folder = sealed_rows(tmp_path, cold_visit(readings), KEY)
    told = told_of(folder)
    assert (told["version"], told["collected"]) == (5, None)
    assert [item["verdict"] for item in told["cold_chain"]["items"]] == ["conformant"]
    assert verdicts(folder, KEY) == ("ok", "ok", "")


def test_a_proof_with_items_names_no_code_in_clear(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, cold_visit(), KEY)
    (item,) = told_of(folder)["cold_chain"]["items"]
    assert len(item["last"]) <= 4
    assert len(item["code"]) == 64


@pytest.mark.parametrize(
    ("part", "key", "claim"),
    [
        ("items", "verdict", "conformant"),
        ("items", "reasons", []),
        ("items", "seconds", 1.0),
        ("items", "stowed_at", "2025-03-03T08:00:01Z"),
        ("items", "limits", {"min_c": None, "max_c": 30.0}),
        ("items", "after", {"min_c": 1.0, "max_c": 1.0}),
        ("air", "device", "another"),
        ("air", "points", []),
        ("air", "left_out", 3),
    ],
)
def test_a_box_that_says_otherwise_than_its_log_is_found_out(
    tmp_path: Path, part: str, key: str, claim: object
) -> None:
    house, log = house_with_items()
    come_in(house)
    stow(house)
    house.run(1)
    says(house, 3.0)
    go(house)
    house.run(60)
    folder = sealed_rows(tmp_path, sealed_visit(log), KEY)
    told = told_of(folder)["cold_chain"]
    assert told["items"][0]["verdict"] == "non_conformant"
    told[part][0][key] = claim
    forge_manifest(folder, KEY, {"cold_chain": told})
    ours, theirs, where = verdicts(folder, KEY)
    assert (ours, theirs) == ("route_differs", "route_differs")
    assert "cold_chain" in where


def test_a_cold_chain_cannot_be_left_out(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, cold_visit(), KEY)
    forge_manifest(folder, KEY, {"cold_chain": None})
    assert verdicts(folder, KEY)[:2] == ("route_differs", "route_differs")


def test_the_proofs_of_random_kitchens_hold_for_both_verifiers(tmp_path: Path) -> None:
    for seed in range(40):
        kitchen = Kitchen(seed)
        kitchen.play()
        kitchen.house.run(60)
        root = tmp_path / str(seed)
        root.mkdir()
        folder = sealed_rows(root, sealed_visit(kitchen.log), KEY)
        assert told_of(folder)["cold_chain"] is not None, seed
        assert verdicts(folder, KEY) == ("ok", "ok", ""), seed
