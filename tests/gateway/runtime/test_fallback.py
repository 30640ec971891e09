"""A delivery that its entrance cannot take goes to another place: who is notified of it, and what opens."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from devices.reports import DoorReport, DoorState
from devices.vendors.words import TopicSuffix
from gateway.config.home import Home
from gateway.domain.delivery.fallback import MAX_MOVES, Place
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.evidence.manifest import Manifest
from gateway.runtime.fallback import FallbackPlaces
from gateway.storage.models import StoreFailed
from gateway.system.containment import Containment
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import make_offer, make_offer_v2, make_update, noon_plus
from tests.shell.box import IN_WINDOW_MONO_S, box, run_box, run_tasks
from tests.shell.desk import DESK, MARC, DeskBox, home_with_desk
from tests.shell.house import PARCEL
from tests.shell.parts import ManualTime
from tests.waiting import wait_until

IN_WINDOW = noon_plus(hours=2)
DELIVERY = "shop.d1"


class FallbackBox:
    """A box whose deliveries may go from the front door to the garage, then to the concierge."""

    def __init__(self, desk: DeskBox) -> None:
        self.desk, self.box = desk, desk.box
        self.moved: list[tuple[str, ...]] = []
        self.places = FallbackPlaces(
            self.box.home, store=self.box.store, clock=self.box.clock, publisher=self.box.line, outbox=self.box.office,
            entrances=self.box.entrances, receptions=self.box.receptions, on_moved=self._on_moved,
            containment=Containment(),
        )  # fmt: skip
        for name, running in self.box.entrances.items():
            running.on_commands.append(partial(self.places.on_decision, name))
        desk.desk.on_commands.append(partial(self.places.on_decision, DESK))

    def _on_moved(self, deliveries: tuple[str, ...]) -> None:
        self.moved.append(deliveries)
        self.box.reception.update_deliveries(deliveries)

    def lies_at(self) -> str | None:
        """The entrance at which the delivery is expected now."""
        order = self.box.store.deliveries.order(DELIVERY)
        return None if order is None else order.entrance

    def shown(self, scanner: str = "scanner") -> list[dict[str, Any]]:
        """What a scanner showed."""
        return [json.loads(one.payload) for one in self.box.line.on(f"perron/{scanner}/set")]

    def told(self, entrance: str) -> list[str]:
        """The texts to the owner of an entrance."""
        return [json.loads(one.payload)["text"] for one in self.box.line.on(f"perron/entrance/{entrance}/message")]

    def results(self) -> list[dict[str, Any]]:
        """The results that the retailer received."""
        return [json.loads(one.payload) for one in self.box.line.on("perron/deliveries/result/shop")]

    def at_home(self, entrance: str = "front", *, home: bool = True) -> None:
        """The household reports that somebody is home: nothing opens there."""
        self.box.entrances[entrance].post(e.HomeChanged(somebody_home=home, away=False))

    async def refused(self, count: int = 1) -> None:
        """The front door has refused so many scans."""
        await wait_until(lambda: [one["word"] for one in self.shown()].count("no") >= count)


def home(folder: Path, *, order: tuple[str, ...] = ("front", "garage", DESK)) -> Home:
    document = home_with_desk(folder).model_dump(mode="json")
    document["fallback"] = {"order": list(order)}
    return Home.model_validate(document, strict=False)


@asynccontextmanager
async def fallback_box(folder: Path, house: Home | None = None, offer: Any = None) -> AsyncIterator[FallbackBox]:  # noqa: ANN401 - of either version
    """In the middle of the window of a delivery to the front door; everything runs."""
    async with box(folder, house or home(folder), time=ManualTime(mono=IN_WINDOW_MONO_S)) as made:
        here = FallbackBox(DeskBox(made))
        answer = await receive(made.store, offer or make_offer(courier_sha256=None))
        assert answer.result.accepted, answer.result
        async with run_box(made), run_tasks(here.desk.desk.run(), here.places.run()):
            await made.good_day()
            await made.quiet()
            yield here


async def test_somebody_is_home_so_the_parcel_goes_to_the_garage_and_all_three_learn_it(tmp_path: Path) -> None:
    async with fallback_box(tmp_path) as here:
        here.at_home()
        here.box.scan(PARCEL)
        await wait_until(lambda: here.lies_at() == "garage")
        await wait_until(lambda: {"word": "elsewhere", "place": "Garage"} in here.shown())
        assert [one["word"] for one in here.shown()] == ["no", "elsewhere"], "first the neutral no"
        await wait_until(lambda: here.told("garage"))
        assert here.told("garage") == ["The parcel from shop goes to another place: Garage, because: somebody is home"]
        await wait_until(lambda: any(result.get("moved_to") for result in here.results()))
        assert here.results()[-1]["moved_to"] == "garage"
        assert here.results()[-1]["version"] == 1, "the retailer's version stays"
        events = [json.loads(one.payload) for one in here.box.line.on("perron/entrance/front/event")]
        told = [one["kind"] for one in events if one["kind"] in {"answer", "elsewhere"}]
        assert told == ["answer", "elsewhere"], "who reads the events learns the refusal before its consequence"
        assert [(one["delivery"], one["moved_to"]) for one in events if one["kind"] == "elsewhere"] == [
            (DELIVERY, "garage")
        ]
        assert here.box.commands(c.ReserveOpening) == []


async def test_a_new_scan_at_the_garage_is_a_new_visit_and_one_opening_serves_both(tmp_path: Path) -> None:
    async with fallback_box(tmp_path) as here:
        here.at_home()
        here.box.scan(PARCEL)
        await wait_until(lambda: here.lies_at() == "garage")
        garage = here.box.entrances["garage"]
        here.box.hear("garage-scanner", TopicSuffix.EVENT, PARCEL.encode())
        await wait_until(lambda: garage.state.visit is not None)
        assert garage.state.visit is not None
        assert garage.state.visit.delivery.openings_left == 1


async def test_a_courier_who_scans_at_the_first_door_again_is_shown_the_same_place_and_nothing_moves(
    tmp_path: Path,
) -> None:
    async with fallback_box(tmp_path) as here:
        here.at_home()
        here.box.scan(PARCEL)
        await wait_until(lambda: len(here.shown()) == 2)
        here.box.passes(30)
        await here.box.quiet()
        here.box.scan(PARCEL)
        await wait_until(lambda: [one["word"] for one in here.shown()].count("elsewhere") == 2)
        assert here.lies_at() == "garage"
        assert len(here.moved) == 1
        order = here.box.store.deliveries.order(DELIVERY)
        assert order is not None
        assert (order.moved_from, order.placed) == ("front", 1)


async def test_once_the_first_door_can_take_it_again_a_scan_there_brings_it_back(tmp_path: Path) -> None:
    async with fallback_box(tmp_path) as here:
        here.at_home()
        here.box.scan(PARCEL)
        await wait_until(lambda: here.lies_at() == "garage")
        here.at_home(home=False)
        here.box.passes(30)
        await here.box.quiet()
        here.box.scan(PARCEL)
        await wait_until(lambda: here.lies_at() == "front")
        await wait_until(lambda: {"word": "elsewhere", "place": "Front"} in here.shown())
        here.box.passes(30)
        await here.box.quiet()
        await here.box.ring(PARCEL)
        order = here.box.store.deliveries.order(DELIVERY)
        assert order is not None
        assert (order.moved_from, order.announced_place, order.place) == (None, None, "hall")


async def test_a_door_that_only_had_to_answer_a_query_takes_the_parcel_itself(tmp_path: Path) -> None:
    async with fallback_box(tmp_path) as here:
        here.box.entrances["front"].post(e.ReportsMissed())
        here.box.scan(PARCEL)
        await here.refused()
        await asyncio.sleep(0)
        assert here.lies_at() == "front"
        # Its devices have answered by now: a second later the door is ready
        await asyncio.sleep(1.5)
        assert here.lies_at() == "front"
        assert here.moved == []


async def test_a_door_that_stays_unproven_sends_it_elsewhere(tmp_path: Path) -> None:
    async with fallback_box(tmp_path) as here:
        here.box.door = DoorState.OPEN
        here.box.says("door", DoorReport(door=DoorState.OPEN))
        here.at_home(home=False)
        await here.box.quiet()
        here.box.scan(PARCEL)
        await wait_until(lambda: here.lies_at() == "garage")


@pytest.mark.parametrize(
    ("event", "refusal"),
    [
        (e.Stopped(epoch=1), Refusal.STOPPED_BY_OWNER),
        (e.WalkTestChanged(failed=True), Refusal.NOT_READY),
    ],
)
async def test_a_stop_holds_everywhere_and_a_door_out_of_order_does_not(
    tmp_path: Path, event: e.Event, refusal: Refusal
) -> None:
    async with fallback_box(tmp_path) as here:
        here.box.entrances["front"].post(event)
        await here.box.quiet()
        here.box.scan(PARCEL)
        await here.refused()
        await wait_until(lambda: bool(here.box.commands(c.AnswerScan)))  # it answers beside what it shows
        assert here.box.commands(c.AnswerScan)[-1].refusal is refusal
        if refusal is Refusal.NOT_READY:
            await wait_until(lambda: here.lies_at() == "garage")
        else:
            await here.box.quiet()
            assert here.lies_at() == "front"


async def test_where_the_garage_is_not_free_the_concierge_takes_it_if_he_is_there(tmp_path: Path) -> None:
    async with fallback_box(tmp_path) as here:
        assert await here.desk.desk.set_duty(MARC, on=True)
        here.at_home("garage")
        here.at_home()
        await here.box.quiet()
        here.box.scan(PARCEL)
        await wait_until(lambda: here.lies_at() == DESK)
        await wait_until(lambda: {"word": "elsewhere", "place": "Concierge"} in here.shown())
        here.desk.scan(PARCEL)
        await wait_until(lambda: here.desk.shown() == ["go"])


async def test_with_nobody_on_duty_the_concierge_s_parcel_goes_to_the_first_door_that_is_free(tmp_path: Path) -> None:
    offer = make_offer(entrance=DESK, place=DESK, courier_sha256=None)
    async with fallback_box(tmp_path, home(tmp_path, order=("garage", "front")), offer) as here:
        here.at_home("garage")
        await here.box.quiet()
        here.desk.scan(PARCEL)
        await wait_until(lambda: here.lies_at() == "front")
        await wait_until(lambda: here.desk.shown() == ["no", "elsewhere"])
        await here.box.ring(PARCEL)


async def test_nowhere_is_free_so_it_stays_where_it_is(tmp_path: Path) -> None:
    async with fallback_box(tmp_path) as here:
        here.at_home("garage")
        here.at_home()
        await here.box.quiet()
        here.box.scan(PARCEL)
        await here.refused()
        await here.box.quiet()
        assert (here.lies_at(), here.moved) == ("front", [])
        assert [one["word"] for one in here.shown()] == ["no"]


async def test_without_an_order_of_the_owner_s_nothing_is_moved(tmp_path: Path) -> None:
    async with fallback_box(tmp_path, home_with_desk(tmp_path)) as here:
        here.at_home()
        here.box.scan(PARCEL)
        await here.refused()
        await here.box.quiet()
        assert here.lies_at() == "front"


async def test_a_retailer_who_names_the_front_door_alone_is_heard(tmp_path: Path) -> None:
    offer = make_offer_v2(courier_sha256=None, entrances=("front",))
    async with fallback_box(tmp_path, offer=offer) as here:
        here.at_home()
        here.box.scan(PARCEL)
        await here.refused()
        await here.box.quiet()
        assert here.lies_at() == "front"


async def test_a_parcel_that_has_to_stay_cold_goes_to_no_warm_place(tmp_path: Path) -> None:
    offer = make_offer(courier_sha256=None, place="fridge", max_celsius=4.0)
    async with fallback_box(tmp_path, home(tmp_path, order=("garage",)), offer) as here:
        here.at_home()
        here.box.scan(PARCEL)
        await here.refused()
        await here.box.quiet()
        assert here.lies_at() == "front", "the garage's fridge has not reported"


async def test_an_update_of_the_retailer_moves_it_back_to_the_entrance_in_the_update(tmp_path: Path) -> None:
    async with fallback_box(tmp_path) as here:
        here.at_home()
        here.box.scan(PARCEL)
        await wait_until(lambda: here.lies_at() == "garage")
        answer = await receive(here.box.store, make_update(courier_sha256=None), now=IN_WINDOW)
        assert answer.result.accepted, answer.result
        order = here.box.store.deliveries.order(DELIVERY)
        assert order is not None
        assert (order.entrance, order.place, order.moved_from, order.placed) == ("front", "hall", None, 1)


async def test_a_delivery_that_is_moved_back_is_at_the_entrance_of_the_order(tmp_path: Path) -> None:
    async with fallback_box(tmp_path) as here:
        store = here.box.store.deliveries
        garage, front = Place(entrance="garage", place="fridge"), Place(entrance="front", place="hall")
        assert await store.move(DELIVERY, garage, Refusal.NOT_READY, IN_WINDOW) is not None
        assert await store.move(DELIVERY, front, Refusal.NOT_READY, IN_WINDOW) is not None
        order = store.order(DELIVERY)
        assert order is not None
        assert (order.entrance, order.place, order.moved_from, order.placed) == ("front", "hall", None, 1), (
            "coming back is no move away"
        )
        result = store.result(DELIVERY, IN_WINDOW)
        assert result is not None
        assert result.moved_to is None


async def test_a_parcel_that_is_moved_too_often_only_comes_back(tmp_path: Path) -> None:
    async with fallback_box(tmp_path) as here:
        store = here.box.store.deliveries
        garage, front = Place(entrance="garage", place="hall"), Place(entrance="front", place="hall")
        for _ in range(MAX_MOVES):
            assert await store.move(DELIVERY, garage, Refusal.NOT_READY, IN_WINDOW) is not None
            assert await store.move(DELIVERY, front, Refusal.NOT_READY, IN_WINDOW) is not None
        assert await store.move(DELIVERY, garage, Refusal.NOT_READY, IN_WINDOW) is None


async def test_what_a_visit_has_reserved_is_not_moved_even_if_another_opening_is_left(tmp_path: Path) -> None:
    document = home(tmp_path).model_dump(mode="json")
    document["brands"]["shop"]["permission"]["openings"] = 2
    async with fallback_box(tmp_path, Home.model_validate(document, strict=False)) as here:
        visit = await here.box.ring(PARCEL)
        await here.box.commits(visit)
        await wait_until(lambda: here.box.commands(c.ReserveOpening))
        garage = Place(entrance="garage", place="hall")
        assert await here.box.store.deliveries.move(DELIVERY, garage, Refusal.NOT_READY, IN_WINDOW) is None
        assert here.lies_at() == "front"


async def test_to_a_place_that_the_brand_may_not_use_nothing_is_moved(tmp_path: Path) -> None:
    async with fallback_box(tmp_path) as here:
        cellar = Place(entrance="cellar", place="hall")
        assert await here.box.store.deliveries.move(DELIVERY, cellar, Refusal.NOT_READY, IN_WINDOW) is None


async def test_a_full_disk_moves_nothing_and_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fallback_box(tmp_path) as here:

        async def fails(*_: object) -> int | None:
            raise StoreFailed("no space left on device")

        monkeypatch.setattr(here.box.store.deliveries, "move", fails)
        here.at_home()
        here.box.scan(PARCEL)
        await here.refused()
        await here.box.quiet()
        assert here.lies_at() == "front"
        monkeypatch.undo()
        here.box.passes(30)
        here.box.scan(PARCEL)
        await wait_until(lambda: here.lies_at() == "garage")


async def test_a_delivery_that_needs_the_courier_s_code_needs_it_in_the_garage_too(tmp_path: Path) -> None:
    document = home(tmp_path).model_dump(mode="json")
    document["entrances"]["front"]["courier_proof"] = True
    house = Home.model_validate(document, strict=False)
    async with fallback_box(tmp_path, house, make_offer()) as here:
        here.at_home()
        here.box.scan(PARCEL)
        await wait_until(lambda: here.lies_at() == "garage")
        facts = here.box.store.deliveries.facts(DELIVERY, IN_WINDOW)
        assert facts is not None
        assert facts.needs_courier, "else a photograph of the label would open the garage"


async def test_the_receiver_s_proof_names_the_door_from_which_the_parcel_came(tmp_path: Path) -> None:
    async with fallback_box(tmp_path, home(tmp_path, order=(DESK,))) as here:
        assert await here.desk.desk.set_duty(MARC, on=True)
        here.at_home()
        here.box.scan(PARCEL)
        await wait_until(lambda: here.lies_at() == DESK)
        here.desk.scan(PARCEL)
        await wait_until(lambda: "go" in here.desk.shown())
        assert (await here.desk.desk.accept(MARC, PARCEL)).refusal is None
        folder = here.box.home.storage.folder / "visits"
        await wait_until(lambda: list(folder.glob("*/manifest.sig")) != [])
        (manifest,) = folder.glob("*/manifest.json")
        assert Manifest.from_json(manifest.read_bytes()).moved_from == "front"
