"""A report that waits for its decision holds an unlock back if it is bad news of a closure that is yet to be opened."""

import pytest

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures import BoltedDoor, Strike
from gateway.domain.visit.state import Entrance, Rules, Visit
from gateway.runtime.effects import route_sensors
from tests.gateway.domain.delivery.shop import PARCEL
from tests.house.promise import SimulatedDelivery
from tests.shell.box import SESSION, ShellBox

VISIT = Visit(
    id="v1", delivery=SimulatedDelivery(id="d0", start=0, end=1).facts(), scanner="s", route=("street", "hall", "flat")
)
HOUSE = Entrance(
    id="front",
    rules=Rules(closures=(Strike(id="street"), BoltedDoor(id="hall"), BoltedDoor(id="flat"), BoltedDoor(id="cellar"))),
    visit=VISIT,
)
HALL, FLAT = {"hall/lock", "hall/door"}, {"flat/lock", "flat/door"}


@pytest.mark.parametrize(("closure", "sensors"), [("street", HALL | FLAT), ("hall", HALL | FLAT), ("flat", FLAT)])
def test_the_route_from_here_on_counts_without_what_neighbours_use(closure: str, sensors: set[str]) -> None:
    assert route_sensors(HOUSE, c.Unlock(visit="v1", closure=closure, life=5)) == sensors


def reported(value: str, *, sensor: str = "lock", retained: bool = False) -> e.SensorReported:
    context = e.ReportContext(session=SESSION, retained=retained)
    return e.SensorReported(sensor=sensor, value=value, context=context)


@pytest.mark.parametrize(
    ("event", "is_bad"),
    [
        (reported("unlocked"), True),
        (reported("unknown"), True),
        (e.SensorOffline(sensor="lock"), True),
        (reported("locked"), False),
        (reported("unlocked", retained=True), False),
        (reported("open", sensor="door"), False),
    ],
)
async def test_what_waits_and_is_bad_of_this_sensor_is_noticed_before_it_is_decided(
    ready: ShellBox, event: e.SensorReported | e.SensorOffline, *, is_bad: bool
) -> None:
    assert not ready.front.has_turned_bad({"lock"})
    ready.front.post(event)
    assert ready.front.has_turned_bad({"lock"}) is is_bad
    await ready.quiet()
    assert not ready.front.has_turned_bad({"lock"})  # it is decided now


async def test_an_unlock_does_not_leave_though_it_was_decided_before_the_bad_news_is(ready: ShellBox) -> None:
    visit = await ready.ring(PARCEL)
    decided, state = ready.clock.now(), ready.front.state
    assert state.visit is not None
    ready.front.post(reported("open", sensor="door"))
    unlock = c.Unlock(visit=visit, closure="door", life=5)
    ready.front._executor.perform(unlock, state, decided)  # noqa: SLF001 - between the commit and the next decision
    await ready.quiet()
    assert not ready.line.on("perron/lock/set")
