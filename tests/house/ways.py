"""A house with any closures: its things, its network and its box. It knows no kind of closure.

A kind adds one `Thing` (`tests/house/things`): what is physically so, how it obeys, what its sensors measure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from devices.reports import OperationSource
from gateway.domain.frozen import replace
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures.contract import sensor_name
from gateway.domain.visit.state import Entrance, KeeperCode, Rules
from gateway.domain.visit.views import closure_of, find_sensor
from gateway.runtime.effects import is_filmed_live
from tests.house.devices import SimulatedDevices
from tests.house.entrance_oracle import EntranceOracle
from tests.house.house import SimulatedCrash, SimulatedHome

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.house.own_parcels import OwnParcels
    from tests.house.things.thing import Thing

UNLOCK, LOCK, CLOSE = "unlock", "lock", "close"
KEEPERS, STRANGER = ("claire", "oh-my-keys"), "bruno"  # accepted where a keeper acts; a keeper of another entrance
STALE_VALUES = ("locked", "closed", "present", "empty", "clear", "there", "parked")


class Network(SimulatedDevices):
    """All sensors and orders as the network shows them."""

    house: EntranceHouse

    def reports(  # noqa: PLR0913 - a report and how it is made
        self,
        thing: Thing,
        sensor: str,
        *,
        source: OperationSource = OperationSource.UNSPECIFIED,
        answers: int | None = None,
        session: int | None = None,
        jammed: bool = False,
    ) -> None:
        """A sensor publishes its value, of its own accord or as an answer."""
        if sensor not in thing.closure.sensors:
            return
        house, name, made = self.house, sensor_name(thing.closure.id, sensor), self.house.t
        value, age_s = thing.values()[sensor], thing.ages().get(sensor)
        heard_on = self._context_on_arrival(name, session, answers)
        if house.faults.mute or name in house.unplugged:
            return

        def arrive() -> None:
            context = heard_on()
            if context is None:
                return
            house.looks.hears(name, value, context, made - (age_s or 0.0))
            house.feed(
                e.SensorReported(sensor=name, value=value, context=context, source=source, jammed=jammed, age_s=age_s)
            )
            if answers is None and thing.obeyed:
                house.crash_here("after-report", thing.closure.id)

        self._net(arrive)

    def _answer(self, device: str, session: int, number: int) -> None:
        found = find_sensor(self.house.rules, device)
        if found is not None and not self.house.faults.silent:
            closure, sensor, _ = found
            self.reports(self.house.things[closure.id], sensor, answers=number, session=session)

    def orders(self, what: str, ident: str, command: c.Unlock | c.Lock | c.Close) -> None:
        """A command goes out to a closure's device."""
        if self.house.session is None:
            return
        thing, expires = self.house.things[command.closure], self.house.t + command.life
        slow_s = self.house.faults.slow_unlock if what == UNLOCK else 0.0

        def execute() -> None:
            is_late = self.house.t + self.house.faults.countdown > expires
            if thing.closure.guarded and (is_late or ident in self.obeyed):
                return
            self.obeyed.add(ident)
            self._obey(what, thing, command.visit)

        self.house.later(slow_s, lambda: self._net(execute))

    def _obey(self, what: str, thing: Thing, visit: str) -> None:
        """The device takes the command: it reports that it has, and moves, unless something is broken."""
        failure, closure = self.house.faults.refuses, thing.closure.id
        if failure is not None:
            self._net(lambda: self.house.feed(e.LockFailed(failure=failure, closure=closure)))
            if not self.house.faults.refused_yet_done:
                return
        if thing.acknowledges is not None:
            name = sensor_name(closure, thing.acknowledges)
            heard_on = self._context_on_arrival(name, None, None)
            self._net(lambda: self._acknowledge(name, heard_on()))
        if what == UNLOCK:
            self.house.crash_here("after-acknowledgement", closure)
        if self.house.faults.jam:
            if thing.acknowledges is not None:
                self.reports(thing, thing.acknowledges, jammed=True)
        elif what == LOCK:
            thing.locks()
        elif what == CLOSE:
            thing.closes()
        else:
            thing.obeyed.append((self.house.t, visit))
            self.house.looks.obeys(thing, visit)
            thing.opens(visit)

    def _acknowledge(self, sensor: str, context: e.ReportContext | None) -> None:
        if context is not None:
            self.house.feed(e.SequenceAdvanced(sensor=sensor, context=context))


class EntranceHouse(SimulatedHome):
    """One entrance with its closures."""

    def __init__(
        self, seed: int, rules: Rules, things: dict[str, Thing], tell: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(seed, rules, tell)
        self.things = things
        self.keepers = {f"{name}-code": KeeperCode(code=f"{name}-1", keeper=name) for name in (*KEEPERS, STRANGER)}
        self.unplugged: set[str] = set()  # sensors that report nothing at all
        self.own_parcels: OwnParcels | None = None  # the tracking, where a life has one
        self.crash_closure: str | None = None  # the process dies only where an order goes to this closure
        for ident, thing in things.items():
            thing.placed(self, closure_of(rules, ident))
            for name in thing.closure.sensor_names.values():
                self.boots[name], self.seqs[name] = 1, 0
        self.sensors = tuple(name for thing in things.values() for name in thing.closure.sensor_names.values())
        self.devices = self.network = Network(self)
        self.oracle = self.looks = EntranceOracle(self)

    def log(self, ident: str) -> list[str]:
        """What one of its things did."""
        return self.things[ident].log

    @property
    def orders(self) -> list[str]:
        """The orders so far: `Unlock street`, `Lock flat`."""
        return [f"{type(x).__name__} {x.closure}" for _, x in self.did if isinstance(x, (c.Unlock, c.Lock, c.Close))]

    @property
    def orders_open(self) -> list[tuple[str, str]]:
        """The orders to open so far: visit and closure."""
        return [(x.visit, x.closure) for _, x in self.did if isinstance(x, c.Unlock)]

    @property
    def notes(self) -> list[str]:
        """The notes in the log."""
        return [note.what for note in self.all(c.LogNote)]

    # ---- keepers ----------------------------------------------------------------------------------------------------

    def keeper_of(self, _code: str) -> KeeperCode | None:
        return self.keepers.get(_code)

    def code_of(self, keeper: str) -> str:
        """A valid code of a keeper."""
        return next(code for code, one in self.keepers.items() if one.keeper == keeper and not one.withdrawn)

    def withdraw(self, keeper: str, *, tells: bool = True) -> None:
        """The owner withdraws a keeper's code and gives another one. `tells` False: the entrance gets it late."""
        code = self.code_of(keeper)
        withdrawn = replace(self.keepers[code], withdrawn=True)
        self.keepers[code] = withdrawn
        number = sum(one.keeper == keeper for one in self.keepers.values()) + 1
        self.keepers[f"{keeper}-code-{number}"] = KeeperCode(code=f"{keeper}-{number}", keeper=keeper)
        if tells:
            self.feed(e.KeeperWithdrawn(codes=frozenset({withdrawn.code})))

    def counts(self, keeper: KeeperCode) -> bool:
        """Whether this entrance accepts the code, by what its owner did."""
        known = {one.code: one for one in self.keepers.values()}
        return keeper.keeper in self.rules.keepers and not known[keeper.code].withdrawn

    # ---- the gateway's shell ----------------------------------------------------------------------------------------

    def broker_up(self) -> None:
        """A new session; the broker hands out what it retained, which proves nothing."""
        was_up = self.session is not None
        super().broker_up()
        if self.session is None or was_up or self.rng.random() > 0.3:
            return
        for name in self.sensors:
            context = e.ReportContext(session=self.session, retained=True)
            self.feed(e.SensorReported(sensor=name, value=self.rng.choice(STALE_VALUES), context=context))

    def crash_here(self, point: str, closure: str) -> None:
        """Die at this point if it was decided so."""
        if self.alive and self.crash_at == point and self.crash_closure in (None, closure):
            self.oracle.seen[f"crash {point}"] += 1
            self.kill()

    def _crash_point(self, point: str, commands: tuple[c.Command, ...]) -> None:
        if self.crash_at != point:
            return
        unlocks = [x for x in commands if isinstance(x, c.Unlock) and self.crash_closure in (None, x.closure)]
        if unlocks or (self.crash_closure is None and self.rng.random() < 0.1):
            self.oracle.seen[f"crash {point}"] += 1
            raise SimulatedCrash

    def _commit(self, new: Entrance, commands: tuple[c.Command, ...]) -> bool:
        for command in commands:
            if isinstance(command, c.ReserveOpening):
                promise = self.promises[command.delivery]
                expected = (command.version, command.permission_version, command.stop_epoch)
                if (promise.version, promise.permission_version, self.epoch) != expected or self.paused():
                    return False
                if self._withdrawn(new) or promise.also_refused() is not None:
                    return False
                self.looks.intends(command, new, promise)
                if command.stage == 0 or command.visit not in self.intents:
                    self.intents[command.visit] = command.delivery
                    promise.used += 1
                    promise.withdrawals += 1
            elif isinstance(command, c.ReleaseOpening):
                self.looks.releases(command)
                promise = self.promises[command.delivery]
                promise.used -= 1
                promise.withdrawals -= command.withdrawal
        self.keep(new, commands)
        return True

    @staticmethod
    def _keeper(state: Entrance) -> KeeperCode | None:
        return None if state.visit is None else state.visit.keeper

    def _withdrawn(self, state: Entrance) -> bool:
        keeper = self._keeper(state)
        return keeper is not None and any(one.code == keeper.code and one.withdrawn for one in self.keepers.values())

    def _newer_facts(self, new: Entrance, commands: tuple[c.Command, ...]) -> e.Event:
        keeper = self._keeper(new)
        if keeper is not None and self._withdrawn(new):
            self.oracle.seen["an intent of a withdrawn keeper"] += 1
            return e.KeeperWithdrawn(codes=frozenset({keeper.code}))
        return super()._newer_facts(new, commands)

    def perform(self, command: c.Command) -> None:
        match command:
            case c.Lock():
                ident = f"{command.visit}-{command.closure}-{command.attempt}-{self.t:.3f}"
                self.network.orders(LOCK, ident, command)
            case c.Close():
                ident = f"{command.visit}-{command.closure}-{command.attempt}-{self.t:.3f}"
                self.network.orders(CLOSE, ident, command)
            case _:
                super().perform(command)

    def _publish_unlock(self, unlock: c.Unlock) -> None:
        if self.crash_at == "before-publish" and self.crash_closure in (None, unlock.closure):
            self.oracle.seen["crash before-publish"] += 1
            raise SimulatedCrash
        why = self.faults.held_back
        if self.stopped:
            why = e.UnsentReason.STOP
        elif self.session is None:
            why = e.UnsentReason.BROKER
        elif not is_filmed_live(unlock, self.mem, self._camera_proofs(), self.t):
            why = e.UnsentReason.PROOF_TOO_OLD
        if why is not None:
            unsent = e.UnlockNotSent(visit=unlock.visit, closure=unlock.closure, why=why)
            self.later(0.1, lambda: self.feed(unsent))
            return
        self.looks.orders_open(unlock)
        self.network.orders(UNLOCK, f"{unlock.visit}/{unlock.closure}", unlock)
        if self.crash_at == "after-publish" and self.crash_closure in (None, unlock.closure):
            self.oracle.seen["crash after-publish"] += 1
            raise SimulatedCrash
