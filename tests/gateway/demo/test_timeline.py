"""The live timeline reads well in a narrow terminal and in a wide one."""

import asyncio
from io import StringIO

import pytest
from rich.console import Console

from gateway.demo.scenarios import find_scenarios
from gateway.demo.timeline import COLUMNS, TIME_WIDTH_CHARS, DemoTimeline, print_summary
from gateway.demo.verdict import Judgement
from gateway.demo.watch import ObservedMessage
from tests.gateway.demo.test_picture import result

OWNER = "Chronopost est à la porte (Porte d'entrée) pour Cdiscount, ouverture dans 20 s"
FOLDER = "var/demo/20261124T203359/gateway-killed-after-acknowledgement/box/visits/781a10d5a42b512c"


async def shown(width: int) -> list[str]:
    """What stands on the screen after a bit of everything."""
    out = StringIO()
    (scenario,) = find_scenarios("delivered")
    with DemoTimeline(Console(file=out, width=width, highlight=False), scenario) as timeline:
        timeline.narrated("courier", "scans the one-time code")
        timeline.seen(ObservedMessage("event", {"kind": "reserve"}))
        timeline.seen({"what": "signal", "light": "amber", "sound": "close_the_door"})
        timeline.seen(ObservedMessage("state", {
            "phase": "inside", "locked": False, "bolt": "unlocked", "door": "open",
            "cameras": {"hall-camera": {"recording": True, "live": False}},
        }))  # fmt: skip
        timeline.seen(ObservedMessage("message", {"text": OWNER, "urgent": False}))
    await asyncio.sleep(0)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120])
async def test_whatever_happens_takes_one_line_below_the_name_of_its_column(width: int) -> None:
    lines = await shown(width)
    assert max(map(len, lines)) <= width
    names = next(line for line in lines if all(name in line for name in COLUMNS))
    texts = ("scans the one-time code", "intent stored", "sound close_the_door", "recording: hall-camera")
    for name, text in zip(COLUMNS[:-1], texts, strict=True):
        (line,) = [line for line in lines if text in line]
        assert line[TIME_WIDTH_CHARS:].index(line[TIME_WIDTH_CHARS:].lstrip()) == names[TIME_WIDTH_CHARS:].rindex(
            name
        ), line


@pytest.mark.parametrize(("width", "most"), [(80, 3), (120, 2)])
async def test_the_owners_words_take_few_lines_all_below_their_columns_name(width: int, most: int) -> None:
    lines = await shown(width)
    start = next(line.index("owner") for line in lines if all(name in line for name in COLUMNS))
    told = [line[start:] for line in lines if line[TIME_WIDTH_CHARS:start].strip() == "" and line[start:].strip()]
    assert " ".join(part.strip() for part in told) == OWNER
    assert len(told) <= most


@pytest.mark.parametrize("width", [80, 120])
def test_what_came_of_it_breaks_no_path_and_no_line_of_words(width: int) -> None:
    out = StringIO()
    it = result()
    it = it.model_copy(update={"proof": it.proof.model_copy(update={"folder": FOLDER})})
    print_summary(Console(file=out, width=width, highlight=False), Judgement(it, (), ()), f"{FOLDER}/visit.svg")
    lines = [line.strip() for line in out.getvalue().splitlines()]
    assert FOLDER in [line.rpartition(" ")[2] for line in lines], "whole, so that it can be copied"
    assert all(len(line) <= width for line in lines if FOLDER not in line)
    assert any(line.endswith("unlocked 12:00:03, opened 12:00:04, closed 12:00:05, locked 12:00:06") for line in lines)
