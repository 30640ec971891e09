"""What a courier took with him, in the proof: read from the log, so a manifest cannot say otherwise."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.evidence.documents.report import HouseNames, draw_report
from gateway.evidence.documents.sources import read_visit
from gateway.protocol.keys import BoxKey
from tests.gateway.evidence.documents.printed import read_pdf
from tests.gateway.evidence.route.rows import RecordedLog, forge_manifest, sealed_rows, verdicts
from tests.house.story import RINGING_S, announce_delivery, good_day

KEY = BoxKey.generate()


def visited(returns: int, scanned: int, *, alone: bool = False) -> list[dict[str, Any]]:
    """The log of a visit in which so many of the returns were scanned inside."""
    house = good_day()
    log = RecordedLog(house)
    delivery = announce_delivery(house, "d0", returns=returns, alone=alone)
    house.scan(min(delivery.door_codes))
    house.run(RINGING_S + 1)
    house.open()
    house.run(1)
    for code in sorted(delivery.collect)[:scanned]:
        house.scan(code)
    house.close()
    house.run(60)
    ((visit, _, count),) = log.seals
    return log.rows[visit][:count]


@pytest.mark.parametrize(
    ("returns", "scanned", "result"), [(2, 2, "collected"), (2, 1, "partly_collected"), (1, 0, "not_collected")]
)
@pytest.mark.parametrize("alone", [False, True])
def test_the_manifest_says_what_was_scanned_inside_and_what_cannot_be_proven(
    tmp_path: Path, returns: int, scanned: int, result: str, *, alone: bool
) -> None:
    folder = sealed_rows(tmp_path, visited(returns, scanned, alone=alone), KEY)
    told = json.loads((folder / "manifest.json").read_bytes())
    ends = [f"ck-{number}" for number in range(scanned)]
    assert told["collected"] == {"result": result, "scanned": ends, "unlisted": "not_provable"}
    assert told["version"] == 5
    assert verdicts(folder, KEY) == ("ok", "ok", "")


def test_a_visit_that_collects_nothing_is_sealed_as_before(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, visited(0, 0), KEY)
    told = json.loads((folder / "manifest.json").read_bytes())
    assert told["version"] == 4
    assert "collected" not in told
    assert verdicts(folder, KEY) == ("ok", "ok", "")


@pytest.mark.parametrize(
    "claim",
    [
        None,
        {"result": "collected", "scanned": ["ck-0"], "unlisted": "not_provable"},
        {"result": "partly_collected", "scanned": ["ck-0", "ck-1"], "unlisted": "not_provable"},
    ],
)
def test_a_box_that_says_otherwise_than_its_log_is_found_out(tmp_path: Path, claim: object) -> None:
    folder = sealed_rows(tmp_path, visited(2, 1), KEY)
    forge_manifest(folder, KEY, {"collected": claim})
    ours, theirs, where = verdicts(folder, KEY)
    assert (ours, theirs) == ("route_differs", "route_differs")
    assert "collected" in where


def test_nobody_says_that_the_courier_took_nothing_else(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, visited(1, 1), KEY)
    told = json.loads((folder / "manifest.json").read_bytes())["collected"]
    forge_manifest(folder, KEY, {"collected": {**told, "unlisted": "none"}})
    assert verdicts(folder, KEY)[0] == "manifest_malformed"


@pytest.mark.slow
@pytest.mark.parametrize(("scanned", "told"), [(1, "partly collected. Scanned inside: …ck-0."), (0, "not collected.")])
def test_the_report_says_what_was_scanned_inside_and_that_nothing_else_can_be_shown(
    tmp_path: Path, scanned: int, told: str
) -> None:
    folder = sealed_rows(tmp_path, visited(2, scanned), KEY)
    made, names = datetime(2026, 6, 2, 8, tzinfo=UTC), HouseNames(box="box-1", house="Home", entrances={}, places={})
    paper = draw_report(read_visit(folder), language="en", zone=ZoneInfo("UTC"), made=made, names=names)
    words = read_pdf(paper, tmp_path).words[0]
    assert f"Return: {told}" in words
    assert "The log cannot show that the courier took nothing else." in words
