"""A run at a terminal: short lines while it is played, and what came of it."""

from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from gateway.config.closure_names import KIND_NAMES
from gateway.demo.observers import ObservedMessage
from gateway.demo.result import PhaseAt
from gateway.demo.scenarios import find_scenarios
from gateway.demo.terminal import TerminalObserver, print_summary
from gateway.demo.verdict import Judgement
from gateway.demo.wording import THE_DOOR, DoorNames
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.visit.state import Phase
from tests.gateway.demo.example_result import at, result

FOLDER = "var/demo/20261124T203359/gateway-killed-after-acknowledgement/box/visits/781a10d5a42b512c"
RESULT = result(folder=FOLDER)
PARIS = ZoneInfo("Europe/Paris")
FLAT = DoorNames(by_id={}, by_thing={"street": KIND_NAMES["strike"], None: KIND_NAMES["bolted_door"]})


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
        "The owner is told: “Alarm 12:00: the lock is jammed”",
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_what_came_of_it_breaks_no_path_and_no_line_of_words(width: int) -> None:
    out = StringIO()
    console = Console(file=out, width=width, highlight=False)
    print_summary(console, Judgement(RESULT, ()), "var/demo/delivered/visit.svg", zone=PARIS, doors=THE_DOOR)
    lines = [line.strip() for line in out.getvalue().splitlines()]
    assert FOLDER in [line.rpartition(" ")[2] for line in lines], "whole, so that it can be copied"
    assert all(len(line) <= width for line in lines if FOLDER not in line)
    assert any(line.endswith("unlocked 14:00:03, opened 14:00:04, closed 14:00:05, locked 14:00:06") for line in lines)


def summary_of(retailer_state: str | None = None, /, **facts: object) -> list[str]:
    out = StringIO()
    changed = RESULT.model_copy(update=facts)
    console = Console(file=out, width=160, highlight=False)
    print_summary(console, Judgement(changed, (), retailer_state), "visit.svg", zone=PARIS, doors=FLAT)
    return [line.strip() for line in out.getvalue().splitlines()]


def test_each_opening_names_its_door_and_has_the_time_of_the_house() -> None:
    (one,) = RESULT.openings
    lines = summary_of(openings=(one.model_copy(update={"thing": "street"}), one))
    assert [line.partition(":")[0] for line in lines if line.startswith("opening")] == [
        "opening of the street door, by its own log", "opening of the door, by its own log",
    ]  # fmt: skip
    assert not any("12:00" in line for line in lines), "one time zone: that of the owner's messages"


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({}, "parcels delivered, house locked again, proven"),
        ({"outcome": Outcome.NOT_DELIVERED, "house": DoorResult.NOT_OPENED},
         "parcels not delivered, house not opened"),
        ({"house": DoorResult.HANDED_TO_OWNER}, "parcels delivered, house handed to the owner"),
        ({"house": DoorResult.HANDED_TO_OWNER, "phases": (PhaseAt(phase=Phase.LOCKED_AGAIN, at=at(8)),)},
         "parcels delivered, house handed to the owner, then locked again, proven"),
        ({"outcome": None, "house": None}, "no visit"),
        ({"outcome": None, "house": DoorResult.NOT_OPENED}, "house not opened"),
    ],
)  # fmt: skip
def test_the_end_is_in_words_and_agrees_with_the_last_line_of_the_story(facts: dict[str, object], text: str) -> None:
    assert f"delivered: {text}: as expected" in summary_of(**facts)


@pytest.mark.parametrize(
    ("state", "outcome", "text"),
    [
        ("delivered", None, "parcels delivered, house not opened"),
        ("delivered", Outcome.REFUSED, "parcels delivered, house not opened"),
        ("not_delivered", None, "parcels not delivered, house not opened"),
        ("window_open", Outcome.REFUSED, "parcels refused, house not opened"),
        (None, Outcome.REFUSED, "parcels refused, house not opened"),
    ],
)
def test_at_a_reception_the_end_is_what_the_retailer_reads(
    state: str | None, outcome: Outcome | None, text: str
) -> None:
    lines = summary_of(state, phases=(), outcome=outcome, house=DoorResult.NOT_OPENED)
    assert f"delivered: {text}: as expected" in lines
