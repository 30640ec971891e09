"""An entrance with any closures, driven event by event: each device answers every query at once, as the test says.

For what the core decides about several closures. There is no network and no store here. A sensor of which the test
says `closed>open` answers "closed" once, and "open" from then on.
"""

from datetime import timedelta
from typing import TypeVar

from devices.reports import OperationSource
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.decide import decide
from gateway.domain.visit.state import CodeKind, Entrance, Rules
from tests.house.promise import EPOCH, SimulatedDelivery

SESSION = 1

C = TypeVar("C")


class Driven:
    """One entrance, its clock, its deliveries and what it did. `values`: what each sensor answers; else none does."""

    def __init__(self, rules: Rules, values: dict[str, str]) -> None:
        self.state = Entrance(id="front", rules=rules)
        self.values = dict(values)
        self.t = 0.0
        self.did: list[tuple[float, c.Command]] = []
        self.scans = 0
        self.feed(e.Restarted())
        self.feed(e.DiskChanged(ok=True))
        self.feed(e.BrokerUp(session=SESSION))
        self.films(is_recording=False)
        self.run(2000)  # of the household's use before nothing matters any more

    def now(self) -> Now:
        """What the clock says."""
        return Now(utc=EPOCH + timedelta(seconds=self.t), trusted=True, mono=self.t)

    def feed(self, event: e.Event) -> None:
        """Decide one event, and whatever follows from its commands."""
        events = [event]
        while events:
            self.state, commands = decide(self.state, events.pop(0), now=self.now())
            for command in commands:
                self.did.append((self.t, command))
                events += self._following(command)

    def _following(self, command: c.Command) -> list[e.Event]:
        match command:
            case c.QuerySensor(sensor=sensor, session=session, number=number) if sensor in self.values:
                value, _, later = self.values[sensor].partition(">")
                self.values[sensor] = later or value
                context = e.ReportContext(session=session, answers=number)
                return [e.SensorReported(sensor=sensor, value=value, context=context)]
            case c.RingBell(visit=visit):
                return [e.BellConfirmed(visit=visit)]
            case c.StartRecording():
                return [
                    e.CameraChanged(camera=camera, live=True, moving=True, recording=True)
                    for camera in self.state.rules.cameras
                ]
            case c.StopRecording(visit=visit, part=part, keep=True):
                return [e.FilmClosed(visit=visit, part=part)]
            case c.SealProof(visit=visit, part=part):
                return [e.ProofSealed(visit=visit, part=part)]
            case _:
                return []

    def run(self, seconds: float) -> None:
        """Let time pass, deadline by deadline."""
        end = self.t + seconds
        while self.state.timers and (due := min(self.state.timers.values())) <= end:
            self.t = due
            self.feed(e.TimerExpired())
        self.t = end

    def says(self, source: OperationSource = OperationSource.UNSPECIFIED, /, **values: str) -> None:
        """Sensors report by themselves, and answer so from here on. `street_door` is the sensor `street/door`."""
        for name, value in values.items():
            sensor = name.replace("_", "/")
            self.values[sensor] = value
            context = e.ReportContext(session=SESSION)
            self.feed(e.SensorReported(sensor=sensor, value=value, context=context, source=source))

    def films(self, *, is_recording: bool, moving: tuple[str, ...] | None = None) -> None:
        """Every camera is live; those of `moving` (else all) show somebody who moves."""
        for camera in self.state.rules.cameras:
            moves = moving is None or camera in moving
            self.feed(e.CameraChanged(camera=camera, live=True, moving=moves, recording=is_recording))

    def delivery(self, **fields: object) -> SimulatedDelivery:
        """Return a delivery whose window begins now."""
        return SimulatedDelivery(id="d0", start=self.t, end=self.t + 3600, **fields)  # type: ignore[arg-type] # a story names what it changes

    def scan(self, delivery: SimulatedDelivery, scanner: str = "s", **fields: object) -> None:
        """The parcel's code at a scanner. `fields`: of the delivery as the store says it."""
        self.run(11)  # the same code within ten seconds is one scan
        self.scans += 1
        (code,) = delivery.parcels
        facts = delivery.facts() if not fields else type(delivery.facts())(**{**vars(delivery.facts()), **fields})
        match = e.CodeMatch(kind=CodeKind.PARCEL, delivery=facts)
        self.feed(e.Scanned(id=f"v{self.scans}", scanner=scanner, code=code, matches=(match,)))

    def all(self, kind: type[C]) -> list[C]:
        """Return every command of a kind so far."""
        return [command for _, command in self.did if isinstance(command, kind)]

    @property
    def orders(self) -> list[str]:
        """What was sent to move a closure, in order: `open street`, `lock flat`."""
        words: dict[type[c.Command], str] = {c.Unlock: "open", c.Lock: "lock", c.Close: "close"}
        return [
            f"{words[type(command)]} {command.closure}"
            for _, command in self.did
            if isinstance(command, c.Unlock | c.Lock | c.Close)
        ]

    @property
    def phase(self) -> str | None:
        """The phase of the running visit."""
        return None if self.state.visit is None else self.state.visit.phase.value

    @property
    def alarms(self) -> list[str]:
        """The alarms so far."""
        return [alarm.code.value for alarm in self.all(c.RaiseAlarm)]

    @property
    def refusals(self) -> list[str]:
        """Why scans were refused."""
        return [answer.refusal.value for answer in self.all(c.AnswerScan) if answer.refusal is not None]

    @property
    def outcomes(self) -> list[str]:
        """The parcels' results so far."""
        return [result.outcome.value for result in self.all(c.ReportParcelResult)]

    @property
    def door_results(self) -> list[str]:
        """The results for the doors so far."""
        return [result.door_result.value for result in self.all(c.ReportDoorResult)]
