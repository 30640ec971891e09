"""A run at a terminal: short lines while it is played, and what came of it."""

from io import StringIO

import pytest
from rich.console import Console

from gateway.demo.observers import ObservedMessage
from gateway.demo.scenarios import find_scenarios
from gateway.demo.terminal import TerminalObserver, print_summary
from gateway.demo.verdict import Judgement
from tests.gateway.demo.example_result import result

FOLDER = "var/demo/20261124T203359/gateway-killed-after-acknowledgement/box/visits/781a10d5a42b512c"
RESULT = result(folder=FOLDER)


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
        Console(file=out, width=width, highlight=False), Judgement(RESULT, ()), "var/demo/delivered/visit.svg"
    )
    lines = [line.strip() for line in out.getvalue().splitlines()]
    assert FOLDER in [line.rpartition(" ")[2] for line in lines], "whole, so that it can be copied"
    assert all(len(line) <= width for line in lines if FOLDER not in line)
    assert any(line.endswith("unlocked 12:00:03, opened 12:00:04, closed 12:00:05, locked 12:00:06") for line in lines)
