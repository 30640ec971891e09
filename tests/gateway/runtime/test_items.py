"""Items through the messages of a house: limits on a label, a sensor that says full, a scanner at the fridge."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devices.reports import ContentReport, DoorState, FridgeReport, ScanReport
from gateway.config.home import Home
from gateway.domain.delivery.food_profiles import FoodProfile
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.commands import ScanAnswer
from gateway.domain.visit.state import Phase
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_offer_v2
from tests.shell.box import ShellBox, box_in_window
from tests.shell.house import make_home
from tests.waiting import wait_until

SSCC = "106141411234567897"
FISH = "(01)04006381333931(21)7"


def home_with_fridge(folder: Path) -> Home:
    """A scanner and a sensor at the fridge of the front door."""
    document: dict[str, Any] = make_home(folder).model_dump(mode="json")
    document["devices"]["fridge-scanner"] = document["devices"]["scanner"]
    document["devices"]["eye"] = {"kind": "content", "vendor": "perron"}
    document["entrances"]["front"]["places"]["fridge"] |= {"scanners": ["fridge-scanner"], "full_sensor": "eye"}
    return Home.model_validate(document, strict=False)


@pytest.fixture
async def ready(tmp_path: Path) -> AsyncIterator[ShellBox]:
    """A good day in the middle of a window; a parcel with an SSCC, and fish, are expected."""
    async with box_in_window(tmp_path, home_with_fridge(tmp_path)) as made:
        fish = {"code": FISH, "place": "fridge", "profile": FoodProfile.FISH}
        await receive(
            made.store, make_offer_v2(id="d2", parcels=(SSCC,), courier_sha256="c" * 64, items=(fish,)), now=NOW
        )
        made.answers["cooler"] = FridgeReport(temp_c=1.0, door=DoorState.CLOSED, compartment="cooler")
        air(made, 1.0)
        made.says("eye", ContentReport(occupied=False))
        await made.quiet()
        yield made


def air(made: ShellBox, celsius: float) -> None:
    made.says("cooler", FridgeReport(temp_c=celsius, door=DoorState.CLOSED, compartment="cooler"))


async def answer_to(made: ShellBox, label: str) -> c.AnswerScan:
    made.scan(label)
    await wait_until(lambda: made.commands(c.AnswerScan))
    await made.quiet()
    answer: c.AnswerScan = made.commands(c.AnswerScan)[-1]
    return answer


async def test_an_expected_item_is_let_in_where_the_air_is_good_and_there_is_room(ready: ShellBox) -> None:
    assert (await answer_to(ready, f"]C100{SSCC}")).answer is ScanAnswer.WAIT


async def later(made: ShellBox, seconds: float) -> None:
    made.time.mono += seconds
    made.front.check_heartbeats(made.clock.now())
    await made.quiet()


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (FridgeReport(temp_c=1.0, door=DoorState.CLOSED, compartment="cooler"), None),
        (None, Refusal.FRIDGE_TOO_WARM),  # it says nothing any more, and what it said is of long ago
        (FridgeReport(temp_c=1.0, compartment="freezer"), Refusal.FRIDGE_TOO_WARM),  # it says nothing of this part
    ],
)
async def test_the_air_of_long_ago_lets_nothing_in_where_the_fridge_answers_no_longer(
    ready: ShellBox, answer: FridgeReport | None, refusal: Refusal | None
) -> None:
    ready.answers.pop("cooler")
    if answer is not None:
        ready.answers["cooler"] = answer
    ready.front.post(e.WindowChanged(near=True))
    await ready.quiet()
    for seconds in (60.0, 16.0):  # it is asked, and has not answered
        await later(ready, seconds)
    assert (await answer_to(ready, f"]C100{SSCC}")).refusal is refusal


@pytest.mark.parametrize(("occupied", "retained"), [(True, False), (True, True), (None, False)])
async def test_a_fridge_that_is_full_lets_nothing_in_also_by_old_news(
    ready: ShellBox, occupied: bool | None, retained: bool
) -> None:
    ready.says("eye", ContentReport(occupied=occupied), retain=retained)
    await ready.quiet()
    assert (await answer_to(ready, f"]C100{SSCC}")).refusal is Refusal.FRIDGE_FULL


async def test_old_news_that_there_is_room_counts_for_nothing(ready: ShellBox) -> None:
    ready.says("eye", ContentReport(occupied=True))
    ready.says("eye", ContentReport(occupied=False), retain=True)
    await ready.quiet()
    assert (await answer_to(ready, f"]C100{SSCC}")).refusal is Refusal.FRIDGE_FULL


@pytest.mark.parametrize(
    ("rule", "refusal"),
    [
        ("4331000400", Refusal.FRIDGE_TOO_WARM),  # for the parcel itself, whose place has no thermometer
        ("4331xx0400", Refusal.LABEL_FORBIDS),
        ("4331000400\x1d4330003920", Refusal.LABEL_FORBIDS),
    ],
)
async def test_a_limit_on_the_label_counts_and_one_that_cannot_be_read_forbids(
    ready: ShellBox, rule: str, refusal: Refusal
) -> None:
    assert (await answer_to(ready, f"]C100{SSCC}{rule}")).refusal is refusal


async def test_a_scan_at_the_fridge_is_answered_there_stored_and_asks_for_the_air(ready: ShellBox) -> None:
    visit = await ready.ring(f"]C100{SSCC}")
    await ready.commits(visit)
    await wait_until(lambda: ready.front.state.visit is not None and ready.front.state.visit.phase is Phase.UNLOCKING)
    await ready.quiet()
    asked = len(ready.line.on("perron/cooler/get"))
    ready.says("fridge-scanner", ScanReport(code="https://id.gs1.org/01/04006381333931/21/7"))
    await wait_until(lambda: len(ready.line.on("perron/cooler/get")) > asked)
    (stowed,) = stows(ready)
    assert stowed.code == FISH
    answer = ready.commands(c.AnswerScan)[-1]
    assert (answer.scanner, answer.answer) == ("fridge-scanner", ScanAnswer.GO)


def stows(made: ShellBox) -> list[e.Scanned]:
    """The scans at the fridge that are stored."""
    scans = [one.event for one in made.journal.steps if isinstance(one.event, e.Scanned)]
    return [scan for scan in scans if scan.scanner == "fridge-scanner"]


async def test_the_household_may_scan_its_shopping_at_the_fridge_as_it_likes(ready: ShellBox) -> None:
    before = len(ready.journal.steps)
    for number in range(20):
        ready.says("fridge-scanner", ScanReport(code=f"milk-{number}"))
    await ready.quiet()
    assert len(ready.journal.steps) == before
    assert ready.commands(c.RaiseAlarm) == []
