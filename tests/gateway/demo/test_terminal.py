"""A run at a terminal: short lines while it is played, and what came of it."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from gateway.demo.observers import ObservedMessage
from gateway.demo.result import DemoClip, DemoNotification, DemoProof, PhaseAt, PhysicalOpening, ScenarioResult
from gateway.demo.scenarios import find_scenarios
from gateway.demo.terminal import TerminalObserver, print_summary
from gateway.demo.verdict import Judgement
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.visit.state import Phase

FOLDER = "var/demo/20261124T203359/gateway-killed-after-acknowledgement/box/visits/781a10d5a42b512c"
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


RESULT = ScenarioResult(
    scenario="delivered",
    outcome=Outcome.DELIVERED,
    expected=Outcome.DELIVERED,
    house=DoorResult.LOCKED_AGAIN,
    ok=True,
    phases=(PhaseAt(phase=Phase.RINGING, at=at(1)), PhaseAt(phase="ready", at=at(9))),
    refusals=(),
    openings=(PhysicalOpening(unlocked_at=at(3), opened_at=at(4), closed_at=at(5), locked_at=at(6)),),
    clips=(DemoClip(camera="doorbell", path="a.mp4", start=at(0), end=at(9), sha256="0", gaps=((at(2), at(3)),)),),
    alarms=(),
    messages=(DemoNotification(to="owner", text="Chronopost is at the door", at=at(1)),),
    proof=DemoProof(folder=FOLDER, verified=True),
    house_log="house.jsonl",
)


async def test_whatever_happens_is_one_short_line_and_none_is_said_twice() -> None:
    out = StringIO()
    (scenario,) = find_scenarios("delivered")
    observer = TerminalObserver(Console(file=out, width=80, highlight=False), scenario)
    observer.on_action("courier", "comes to the door")
    observer.on_event({"what": "person", "who": "courier", "where": "outside"})
    observer.on_event(ObservedMessage("event", {"kind": "answer", "word": "no", "refusal": "unknown_code"}))
    observer.on_action("house", "the broker dies")
    observer.on_event({"what": "bolt", "state": "withdrawn", "in_air": False})
    observer.on_event({"what": "link", "device": "garage-door", "up": False})
    observer.on_event(ObservedMessage("event", {"kind": "phase", "phase": "locked_again"}))
    observer.on_event(ObservedMessage("message", {"about": "lock_jammed", "facts": {"time": "12:00"}, "urgent": True}))
    title, *lines = out.getvalue().splitlines()
    assert title.startswith("delivered: ")
    assert [line[8:] for line in lines] == [
        "courier comes to the door",
        "No: unknown code.",
        "the broker dies",
        "The bolt withdraws.",
        "Locked again, proven",
        "The owner is told: “Alarm 12:00: lock jammed”",
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_what_came_of_it_breaks_no_path_and_no_line_of_words(width: int) -> None:
    out = StringIO()
    print_summary(
        Console(file=out, width=width, highlight=False), Judgement(RESULT, (), ()), "var/demo/delivered/visit.svg"
    )
    lines = [line.strip() for line in out.getvalue().splitlines()]
    assert FOLDER in [line.rpartition(" ")[2] for line in lines], "whole, so that it can be copied"
    assert all(len(line) <= width for line in lines if FOLDER not in line)
    assert any(line.endswith("unlocked 12:00:03, opened 12:00:04, closed 12:00:05, locked 12:00:06") for line in lines)
