"""The invariants of an entrance with any closures, held against what its things really did. It knows no kind.

The numbers are those of the safety reference; I22 to I35 are those of entrances with closures: I22 one durable intent a
visit and closure, I23 the next closure is ordered only behind a secured one, I24 "locked again" is said of all at once,
I25 never while the key is out, I29 neighbours cause nothing, I30 an opening that no visit explains alarms. Those of one
kind (I10 of a bolt, I26 of a compartment, I27 of a car, the closing of a garage) stand in its `Thing`; I32 (who has a
parcel at a reception) in `reception.py`, I33 (the owner's own parcels) in `own_parcels.py`. I28 (a yes for each opening
to a robot) and I31 (stays) have lives of their own: `test_supervised_lives.py`, `guests.py`; the codes of guests, of
which I31 speaks too, are in `tests/gateway/domain/guests/test_provisioning.py`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.domain.delivery.result import CollectResult
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures.contract import sensor_name
from gateway.domain.visit.predicates import are_all_secured, has_unlock_intent
from gateway.domain.visit.state import Entrance, Holder, Phase
from gateway.domain.visit.views import fact_of, find_sensor, is_household_away
from tests.house.oracle import NEVER_S, Oracle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.domain.visit.state import KeeperCode, Visit
    from tests.house.promise import SimulatedDelivery
    from tests.house.things.thing import Thing
    from tests.house.ways import EntranceHouse

INTRUSION_ALARMS = frozenset(
    {
        c.AlarmCode.UNEXPECTED_UNLOCK,
        c.AlarmCode.HAND_USE_WHILE_AWAY,
        c.AlarmCode.DOOR_FORCED_OPEN,
        c.AlarmCode.LATE_UNLOCK,
    }
)


def _is_acting(keeper: KeeperCode | None, visit: Visit) -> bool:
    """Whether this is the code with which the visit's keeper acts."""
    return keeper is not None and visit.keeper is not None and keeper.code == visit.keeper.code


@dataclass(frozen=True)
class Heard:
    """A sensor's value as it reached the gateway: when it was queried (an answer) and when it was measured."""

    asked: float = NEVER_S
    made: float = NEVER_S
    value: str = ""


class EntranceOracle(Oracle):
    """Looks on at any closures."""

    house: EntranceHouse

    def __init__(self, house: EntranceHouse) -> None:
        super().__init__(house)
        self.intended: dict[tuple[str, str], float] = {}  # (visit, closure) -> when the intent was stored
        self.ordered: set[tuple[str, str]] = set()
        self.last_order: defaultdict[str, float] = defaultdict(lambda: NEVER_S)
        self.answers: dict[str, Heard] = {}  # sensor -> the newest answer
        self.newest: dict[str, Heard] = {}  # sensor -> the newest value, answer or not
        self.securing_since = NEVER_S  # when the securing began last
        self.left: list[float] = []  # when somebody reported that he is outside: the bell, or a second scan
        self.warnings: list[float] = []
        self.blind_at = NEVER_S
        self.scanned: list[tuple[float, str, str]] = []  # (at, scanner, code)
        self.suspected: dict[str, float] = {}  # closure -> until when an alarm has to follow

    # ---- what reaches the gateway -----------------------------------------------------------------------------------

    def hears(self, name: str, value: str, context: e.ReportContext, made: float) -> None:
        """Keep the newest value and the newest answer of a sensor."""
        if context.session != self.house.session:
            return
        if made >= self.newest.get(name, Heard()).made:
            self.newest[name] = Heard(made=made, value=value)
        if context.answers is not None:
            asked = self.house.asked[context.answers]
            if asked >= self.answers.get(name, Heard()).asked:
                self.answers[name] = Heard(asked, made, value)

    def answer(self, thing: Thing, sensor: str) -> Heard:
        """The newest answer of a thing's sensor."""
        return self.answers.get(sensor_name(thing.closure.id, sensor), Heard())

    def feeds(self, event: e.Event) -> None:
        super().feeds(event)
        visit = self.house.mem.visit
        scanned_before = (
            isinstance(event, e.Scanned)
            and visit is not None
            and (event.code in self._door_codes(visit) or _is_acting(event.keeper, visit))
        )
        if isinstance(event, e.BellPressed) or scanned_before:
            self.left.append(self.house.t)
        if isinstance(event, e.BrokerDown | e.Restarted | e.SensorOffline | e.ReportsMissed | e.BrokerUp):
            self.blind_at = self.house.t
            self.suspected.clear()
        if isinstance(event, e.Scanned):
            self.scanned.append((self.house.t, event.scanner, event.code))

    def _was_open_in(self, visit: str) -> bool:
        """Whether the innermost closure stands open in truth, or stood open since the visit's first order."""
        running = self.house.mem.visit
        assert running is not None
        thing, ordered = self.house.things[running.route[-1]], self.published.get(visit)
        was_open = ordered is not None and max(thing.changed.values(), default=NEVER_S) >= ordered
        return was_open or not thing.is_secured()

    def _door_codes(self, visit: Visit) -> frozenset[str]:
        """What the courier scanned outside: his parcels, or his own code if he brings none; no code to collect."""
        promise = self.house.promises[visit.delivery.id]
        return frozenset({promise.courier}) if promise.alone else visit.parcels

    # ---- what is proven ---------------------------------------------------------------------------------------------

    def unproven(self, thing: Thing, since: float) -> str | None:
        """Why it is not proven secured: each sensor answered a query of after `since`, and nothing was heard since.

        What it answered was true then; what moved since is somebody's, if the gateway has not heard of it.
        """
        for sensor, secured in thing.secured_values.items():
            name = sensor_name(thing.closure.id, sensor)
            answer, newest = self.answers.get(name, Heard()), self.newest.get(name, Heard())
            if answer.asked < since:
                return f"{name} was not queried in time"
            if answer.value != secured or newest.value != secured:
                return f"{name} reports {newest.value}"
        changed = [thing.changed.get(sensor, NEVER_S) for sensor in thing.securing]
        answered = [self.answer(thing, sensor).made for sensor in thing.securing]
        has_moved = any(at >= made for at, made in zip(changed, answered, strict=True))
        return None if thing.is_secured() or has_moved else f"{thing.closure.id} is not secured"

    def spent(self, ident: str) -> float:
        """When the newest order to open could act no longer, by its life and the tolerated clock error."""
        timing = self.house.rules.timing
        return self.last_order[ident] + timing.command_life + timing.skew - 0.01

    # ---- what the gateway commits -----------------------------------------------------------------------------------

    def intends(self, reserve: c.ReserveOpening, new: Entrance, promise: SimulatedDelivery) -> None:
        house, rules, visit = self.house, self.house.rules, new.visit
        assert visit is not None
        assert promise.refusal is None, "I9 intent after a cancellation"
        assert not house.stopped, "I9 intent after the owner's stop"
        assert not house.paused(), "I9 intent in a pause"
        assert not house.faults.untrusted, "I1 intent with an untrusted clock"
        assert promise.start <= house.t < promise.end, "I1 intent outside the window"
        assert (reserve.visit, reserve.closure) not in self.intended, "I22 an intent twice"
        assert house.session is not None, "I6 no broker"
        assert not house.faults.disk, "I6 no disk"
        assert not new.safe_mode, "I6 intent in safe mode"
        if reserve.visit not in house.intents:
            assert promise.used < promise.allowance, "I2 more openings reserved than allowed"
            assert promise.withdrawals < 2 * promise.allowance, "I2 more withdrawals reserved than allowed"
            self._check_people(reserve.visit, promise)
        if rules.is_filmed:
            assert house.clip == reserve.visit, "I3 no film of this visit runs"
            recording = all(house.camera_state(name).recording for name in rules.cameras)
            assert recording, "I3 the first fragment is not on disk"
        if house.own_parcels is not None:
            house.own_parcels.check(promise, reserve.visit, self.begun_at[reserve.visit])
        self._check_route(reserve.closure, visit, promise)
        self._check_keeper(visit)
        self.intended[reserve.visit, reserve.closure] = house.t
        self.seen["intent"] += 1
        self.seen[f"intent {house.things[reserve.closure].closure.kind}"] += 1

    def _check_people(self, visit: str, promise: SimulatedDelivery) -> None:
        rules = self.house.rules
        if rules.has_signal:
            rung_for = self.house.t - self.begun_at[visit]
            assert rung_for > rules.timing.ring - 0.001, "nobody had the time to say no"
            assert visit in self.rang, "the bell never rang"
        assert visit in self.yes or not promise.needs_yes, "nobody said yes"
        assert self.answered_at <= self.begun_at[visit], "somebody answered"
        self._check_codes(visit, promise)

    def _check_codes(self, visit: str, promise: SimulatedDelivery) -> None:
        """If a keeper acts, his code was scanned near the parcel's; the courier's token does not count."""
        house = self.house
        if house.rules.holder is not Holder.KEEPER:
            super()._check_codes(visit, promise)
            return
        times, scan = self.scan_times[visit]
        parcel = max((times[code] for code in promise.parcels if code in times), default=NEVER_S)
        near = {
            code
            for code, keeper in house.keepers.items()
            if house.counts(keeper) and abs(parcel - times.get(code, -NEVER_S)) <= house.rules.timing.courier + 1
        }
        assert near, "I25 a key safe without a keeper's code of this entrance"
        assert scan.code in promise.parcels | near, "I1 another delivery's code"

    def _check_keeper(self, visit: Visit) -> None:
        """I25: at each intent a keeper with a valid code acts, if the entrance requires it; else no keeper acts."""
        keeper = visit.keeper
        assert (keeper is not None) is (self.house.rules.holder is Holder.KEEPER), "I25 who acts has no name"
        if keeper is not None:
            assert self.house.counts(keeper), "I25 an intent of a keeper who may not come in here"
            self.seen[f"keeper {keeper.keeper}"] += 1

    def _check_route(self, closure: str, visit: Visit, promise: SimulatedDelivery) -> None:
        """I23: what lies behind is proven secured; what is to be opened is ready, and somebody stands there."""
        things, stage = self.house.things, visit.route.index(closure)
        house_keepers = {code for code, keeper in self.house.keepers.items() if _is_acting(keeper, visit)}
        for ident in visit.route[:stage]:
            why = self.unproven(things[ident], self.spent(ident))
            assert why is None, f"I23 {closure} was ordered though {why}"
        for ident in visit.route[stage:]:
            thing = things[ident]
            if thing.closure.is_private:
                why = self.unproven(thing, self.last_order[ident])
                assert why is None, f"I6 {ident} was not ready: {why}"
                changed = max(thing.changed.values(), default=NEVER_S)
                answered = min(self.answer(thing, sensor).made for sensor in thing.closure.sensors)
                assert thing.may_open() or changed >= answered, f"I6 {ident} was not ready in truth"
        hangs = [name for name, at in self.house.rules.scanners.items() if at == closure]
        if stage and hangs and visit.robot is None:  # of a robot the picture of the yes shows it
            since = self.intended[visit.id, visit.route[stage - 1]]
            codes = promise.parcels | {promise.courier} | house_keepers
            stood = [at for at, scanner, code in self.scanned if scanner in hangs and code in codes and at > since]
            assert stood, f"nobody stood at {closure}"

    def releases(self, release: c.ReleaseOpening) -> None:
        assert release.visit not in self.released, "I5 given back twice"
        self.released.add(release.visit)
        if release.withdrawal:
            assert release.visit not in self.published, "I5 given back as unsent, though it was published"
        for thing in self.house.things.values():
            if thing.closure.guarded:
                assert release.visit not in thing.opened_by, f"I5 given back though {thing.closure.id} was opened"
        self.seen["release unsent" if release.withdrawal else "release never entered"] += 1

    # ---- what the gateway does --------------------------------------------------------------------------------------

    def orders_open(self, unlock: c.Unlock) -> None:
        """An order to open leaves the box."""
        order = unlock.visit, unlock.closure
        assert order in self.intended, "I22 an order to open without a durable intent"
        assert order not in self.ordered, "I22 an order to open sent twice"
        self.ordered.add(order)
        self.last_order[unlock.closure] = self.published[unlock.visit] = self.house.t
        self.house.things[unlock.closure].check_ordered()
        self.seen["unlock published"] += 1

    def performs(self, command: c.Command) -> None:
        things = self.house.things
        match command:
            case c.Lock(closure=closure):
                things[closure].check_lock()
            case c.Close(closure=closure):
                things[closure].check_close(command)
            case c.ShowSignal(sound=sound) if sound.value == "leave":
                self.warnings.append(self.house.t)
            case c.ReportParcelResult(outcome=outcome) if outcome.value in ("delivered", "partly_delivered"):
                visit = self.house.mem.visit
                assert visit is not None
                things[visit.route[-1]].check_delivered()
                self.seen["delivered and with it a return"] += command.collected is CollectResult.COLLECTED
            case _:
                pass
        super().performs(command)

    def _check_lock(self) -> None:
        self.seen["Lock"] += 1

    def _check_locked_again(self, visit: str) -> None:
        """I24: everything that was ordered open is proven secured, each after its last order, all at the same time."""
        self.claimed.add(visit)
        self.seen["locked again"] += 1
        running = self.house.mem.visit
        assert running is not None
        for ident in running.route:
            thing, is_ordered = self.house.things[ident], (visit, ident) in self.intended
            if is_ordered or not thing.closure.opening().is_ordered:
                since = self.spent(ident) if is_ordered else self.securing_since
                why = self.unproven(thing, since)
                assert why is None, f"I24 locked again was said though {why}"
            if thing.key_is_out():
                key_made = min(self.answer(thing, sensor).made for sensor in thing.securing)
                assert max(thing.changed.values()) >= key_made, "I25 locked again was said while the key is out"

    def _check_lock_request(self) -> None:
        for ident, thing in self.house.things.items():
            if thing.closure.is_private:
                why = self.unproven(thing, self.last_order[ident])
                assert why is None, f"I24 locked on request though {why}"

    def shows(self, mem: Entrance) -> None:
        if not are_all_secured(mem):
            return
        for closure in mem.rules.closures:
            for sensor in closure.opening().invalidate:
                asked = self.answers.get(sensor_name(closure.id, sensor), Heard()).asked
                assert asked >= self.last_order[closure.id], f"I8 {closure.id} shown as secured, and not queried"

    # ---- every step -------------------------------------------------------------------------------------------------

    def moved(self, event: e.Event, old: Entrance, new: Entrance, commands: tuple[c.Command, ...]) -> None:
        alarms = [command.code for command in commands if isinstance(command, c.RaiseAlarm)]
        phases = [None if state.visit is None else state.visit.phase for state in (old, new)]
        if phases[1] is Phase.RELOCKING and phases[0] is not Phase.RELOCKING:
            self.securing_since = self.house.t
        if alarms:
            self.alarmed_at = self.house.t
        if isinstance(event, e.SensorReported):
            self._check_neighbours(event, old, new, commands)
            self._suspect(event, old, new)
            found = find_sensor(new.rules, event.sensor)
            if found is not None:
                self.house.things[found[0].id].check_news(event, new, alarms)
        self._check_suspicions(alarms, new)
        super().moved(event, old, new, commands)

    def _check_neighbours(
        self, event: e.SensorReported, old: Entrance, new: Entrance, commands: Iterable[c.Command]
    ) -> None:
        """I29: what happens at a shared door without a visit is nobody's business."""
        found = find_sensor(old.rules, event.sensor)
        if found is None or found[0].is_private or old.visit is not None or old.grace_visit is not None:
            return
        caused = [x for x in commands if isinstance(x, c.RaiseAlarm | c.StartRecording | c.AnswerScan)]
        assert not caused, f"I29 a neighbour caused {caused}"
        about_household = (new.by_hand_at, new.opened_by_hand) == (old.by_hand_at, old.opened_by_hand)
        assert about_household, "I29 a neighbour was taken for the household"
        self.seen["neighbour"] += 1

    def _suspect(self, event: e.SensorReported, old: Entrance, new: Entrance) -> None:
        """I30: a private closure off the way of every visit stops being secured while all are away."""
        found = find_sensor(old.rules, event.sensor)
        if found is None or not found[0].is_private or not is_household_away(old):
            return
        closure = found[0]
        thing, explained = self.house.things[closure.id], old.visit if has_unlock_intent(old) else old.grace_visit
        names = {sensor_name(closure.id, sensor): value for sensor, value in thing.secured_values.items()}
        was_secured = all(fact_of(old, name).value == value for name, value in names.items())
        after = fact_of(new, event.sensor).value
        is_news = was_secured and after == event.value and after not in (names.get(event.sensor), "unknown")
        is_elsewhere = explained is None or closure.id not in explained.route
        if event.sensor in names and is_news and is_elsewhere and thing.is_breached() and old.incident is None:
            self.suspected.setdefault(closure.id, self.house.t + closure.latency + 1.1)
            self.seen["off the way"] += explained is not None

    def _check_suspicions(self, alarms: Iterable[c.AlarmCode], new: Entrance) -> None:
        if not INTRUSION_ALARMS.isdisjoint(alarms) or new.incident is not None:
            self.suspected.clear()
        for ident, until in list(self.suspected.items()):
            if not self.house.things[ident].is_breached() or (
                new.visit is not None and new.visit.phase is Phase.RINGING
            ):
                del self.suspected[ident]
            else:
                assert self.house.t <= until, f"I30 {ident} was opened, no visit explains it, and nothing alarmed"

    # ---- what physically happens ------------------------------------------------------------------------------------

    def obeys(self, thing: Thing, visit: str) -> None:
        """A thing acts on an order to open."""
        assert (visit, thing.closure.id) in self.intended, "I22 it opened without a durable intent"
        thing.check_obeys()
        if thing.closure.guarded:
            times = [by for _, by in thing.obeyed if by == visit]
            assert len(times) == 1, "I22 one order acted twice"
            assert visit not in self.claimed, "I7 an order acts after locked again was said"

    def opened_by_order(self, thing: Thing, visit: str) -> None:
        """Somebody opened it by an order: filmed where a film is evidence, and within the allowance."""
        house = self.house
        self.seen["opening"] += 1
        if not thing.closure.guarded:
            return
        delivery = house.intents[visit]
        visits = {by for one in house.things.values() for by in one.opened_by if house.intents[by] == delivery}
        assert len(visits) <= house.promises[delivery].allowance, "I2 more openings than allowed"
        assert visit in house.clips or not house.rules.is_filmed, "I3 an opening that is not filmed"
