"""What the log's rows say."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from devices.reports import LockReport, LockState
from gateway.domain.delivery.result import Refusal
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.decide import decide
from gateway.domain.visit.state import Entrance
from gateway.protocol.narrative import HappeningKind, LoggedCode, narrative
from gateway.storage.audit_log import encode, encode_event
from tests.house import house, life
from tests.house.reports import lock_report

KEY = b"k" * 32
AT = "2026-11-24T20:35:06Z"


def row(event: e.Event, *commands: c.Command, phase: str = "ready", before: str = "ready") -> dict[str, Any]:
    return {
        "kind": "step", "at": AT, "trusted": True, "entrance": "front", "visit": "v", "phase": phase,
        "phase_before": before, "event": encode_event(event, KEY),
        "commands": [encode(command, "command") for command in commands],
    }  # fmt: skip


SCAN = e.Scanned(id="v", scanner="front-scanner", code="8L20524752032")
REFUSED = c.AnswerScan(scan="v", scanner="front-scanner", answer=c.ScanAnswer.NO, refusal=Refusal.UNKNOWN_CODE)


def test_a_refused_scan_says_what_was_scanned_where_and_why_not() -> None:
    scanned, answered = narrative([row(SCAN, REFUSED)])
    assert (scanned.kind, scanned.value, scanned.at) == (
        HappeningKind.CODE_SCANNED, "v", datetime(2026, 11, 24, 20, 35, 6, tzinfo=UTC),
    )  # fmt: skip
    assert (answered.kind, answered.value, answered.subject, answered.detail, answered.code) == (
        HappeningKind.SCAN_ANSWERED, "no", "front-scanner", "unknown_code", LoggedCode(end="2032", is_courier=False),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("event", "kind", "value"),
    [
        (e.UnlockNotSent(visit="v", why="proof_too_old"), HappeningKind.UNLOCK_NOT_SENT, "proof_too_old"),
        (e.ProofSealed(visit="v", part=1), HappeningKind.PROOF_SEALED, "v"),
        (e.PausesChanged(pauses=()), HappeningKind.PAUSES_CHANGED, "0"),
        (e.StaysChanged(stays=()), HappeningKind.STAYS_CHANGED, "0"),
        (e.Restarted(safe_mode=True), HappeningKind.SAFE_MODE_STARTED, ""),
        (e.OwnerDecided(visit="v", yes=False), HappeningKind.OWNER_REFUSED, "v"),
    ],
)
def test_an_event_says_its_one_fact(event: e.Event, kind: HappeningKind, value: str) -> None:
    assert [(one.kind, one.value) for one in narrative([row(event)])] == [(kind, value)]


def test_a_report_names_what_was_reported_before() -> None:
    def report(bolt: LockState) -> dict[str, Any]:
        return row(lock_report(report=LockReport(bolt=bolt), context=e.ReportContext(session=1)))

    rows = [report(LockState.LOCKED), report(LockState.LOCKED), report(LockState.UNLOCKED)]
    assert [(one.previous, one.value) for one in narrative(rows)] == [
        (None, "locked"), ("locked", "locked"), ("locked", "unlocked"),
    ]  # fmt: skip


def test_each_decision_of_a_simulated_home_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[dict[str, Any]] = []

    def recorded(old: Entrance, event: e.Event, *, now: Now) -> tuple[Entrance, tuple[c.Command, ...]]:
        new, commands = decide(old, event, now=now)
        rows.append(row(event, *commands, before="step", phase=f"step {len(rows)}"))
        return new, commands

    monkeypatch.setattr(house, "decide", recorded)
    for seed in range(5):
        life.run_life(seed)
    read = [one.value for one in narrative(json.loads(json.dumps(rows))) if one.kind is HappeningKind.PHASE_ENTERED]
    assert read == [f"step {number}" for number in range(len(rows))]
