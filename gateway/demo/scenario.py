"""Defines a scenario: what is played and exactly what must result. A scenario without an effect fails."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from devices.reports import Report
from devices.simulators import control as ask
from devices.vendors import VENDORS
from gateway.cli.broker import open_session
from gateway.config.topics import device_topic
from gateway.demo.actors import DemoOwner, DemoPerson, DemoRetailer, OnAction, PromisedDelivery
from gateway.demo.observers import TIMEOUT_MARGIN_S, Body, WaitTimeout
from gateway.demo.plan import DemoPlan
from gateway.demo.result import DoorMovement
from gateway.demo.rig_control import CrashPoint, KillAtPoint
from gateway.demo.stage import Stage
from gateway.demo.wording import door_names, fault_text, thing_text
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Phase
from gateway.mqtt.packets import Sent
from gateway.system.clock import machine_time
from gateway.system.i18n import Text

MOVES_ONCE_IN_AND_OUT: tuple[str, ...] = (
    DoorMovement.UNLOCKED,
    DoorMovement.OPENED,
    DoorMovement.CLOSED,
    DoorMovement.LOCKED,
)
PHASES_WHOLE_VISIT: tuple[str, ...] = (
    Phase.RINGING, Phase.UNLOCKING, Phase.UNLOCKED, Phase.INSIDE, Phase.RELOCKING, Phase.LOCKED_AGAIN, "ready",
)  # fmt: skip
USUAL_NOTIFICATIONS = (Notification.AT_THE_DOOR, Notification.LOCKED_AGAIN)


class Expectation(Frozen):
    """Everything that a run must result in, in order (alarms in any); any other result fails it."""

    outcome: Outcome | None = Outcome.DELIVERED
    house: DoorResult | None = DoorResult.LOCKED_AGAIN
    movements: tuple[str, ...] = MOVES_ONCE_IN_AND_OUT  # all that doors and bolts did, by the house's own log
    phases: tuple[str, ...] = PHASES_WHOLE_VISIT
    refusals: tuple[Refusal, ...] = ()
    # What is found instead, if a kill loses the event that was decided in the last 30 ms before it; None: it loses none
    phases_after_loss: tuple[str, ...] | None = None
    refusals_after_loss: tuple[Refusal, ...] | None = None
    alarms: tuple[AlarmCode, ...] = ()  # each once, however often it was raised, in any order
    notifications: tuple[Notification, ...] = USUAL_NOTIFICATIONS
    optional_notifications: frozenset[Notification] = frozenset()  # which the owner may get too, on a slow machine
    sealed_visits: int = 1  # visits and incidents with a sealed folder, each of one part
    further_parts: int = 0  # of all of them together
    is_filmed: bool = True  # whether the openings of sealed visits are filmed
    cameras_with_gaps: frozenset[str] = frozenset()  # whose films declare gaps
    gateway_deaths: int = 0  # kills
    retailer_state: str | None = "delivered"  # of the delivery, the last that the retailer received


EXPECT_DELIVERED = Expectation()
EXPECT_NO_VISIT = Expectation(
    outcome=None, house=None, movements=(), phases=(), notifications=(), sealed_visits=0, retailer_state=None
)
EXPECT_REFUSED = replace(EXPECT_NO_VISIT, outcome=Outcome.REFUSED, house=DoorResult.NOT_OPENED)
"""A scan that the box refuses at once: no visit begins and nothing moves."""
EXPECT_UNLOCK_UNKNOWN = Expectation(
    outcome=Outcome.UNKNOWN, movements=(), phases=(Phase.RINGING, Phase.UNLOCKING, *PHASES_WHOLE_VISIT[4:]),
    refusals=(Refusal.NOT_READY,), alarms=(AlarmCode.UNLOCK_UNKNOWN,), retailer_state="not_delivered",
)  # fmt: skip
"""Nobody knows whether the unlock moved the bolt: the opening is spent, and the door is locked."""


class ScenarioRun:
    """What a scenario acts on: people, devices, faults, and what it waits for.

    A method that waits raises `WaitTimeout` if the awaited event does not come in time.
    """

    def __init__(self, stage: Stage, narrate: OnAction) -> None:
        plan = stage.plan
        self.stage, self.plan, self.narrate = stage, plan, narrate
        self.section, self.timing = plan.section, plan.section.timing
        self.watch, self.log, self.house = stage.watch, stage.log, stage.house
        self.doors = door_names(plan)
        self.courier, self.resident, self.thief = (
            DemoPerson(
                name, stage.house, narrate, plan.action_s, scanner=self.section.all_scanners[0], doors=self.doors
            )
            for name in ("courier", "resident", "thief")
        )
        self.owner = DemoOwner(plan, narrate)
        self.retailer = DemoRetailer(plan, stage.watch, narrate)
        self.reading_s = 0.0  # seconds to wait where people would see nothing of a step
        self._online_since = 0

    def require(self, holds: bool, requirement: str) -> None:
        """Check what must hold in addition to the expectation; raise `WaitTimeout` if it does not."""
        if not holds:
            raise WaitTimeout(f"required: {requirement}. Seen instead: {self.watch.last_messages()}")

    async def let_read(self) -> None:
        """Wait until people have read what happened, if any look on."""
        await asyncio.sleep(self.reading_s)

    async def set_fault(self, device: str, fault: str, on: bool | float | str = True) -> None:  # noqa: FBT002 - its value
        """Switch a device's fault on or off, or set its value."""
        self.narrate("house", fault_text(device, fault, self.doors, is_on=on is not False))
        await self.house.ask(ask.SetFault(device=device, fault=fault, on=on))

    async def set_link(self, device: str, *, up: bool) -> None:
        """Cut or restore a device's link to the broker."""
        self.narrate("house", f"{thing_text(device, self.doors)} is {'back' if up else 'cut off'}")
        await self.house.ask(ask.SetLink(device=device, up=up))

    async def set_fridge_temperature(self, celsius: float) -> None:
        """Set the fridge's temperature."""
        self.narrate("house", f"the fridge is at {celsius:.0f} °C")
        await self.house.ask(ask.SetTemperature(celsius=celsius))

    async def publish_entity(self, device: str, report: Report) -> None:
        """Let the owner's Home Assistant publish an entity, retained as its statestream does."""
        home = self.plan.home
        configured = home.devices[device]
        async with open_session(home.broker.account("homeassistant"), []) as session:
            for one in VENDORS[configured.vendor].encode_report(report, configured.device_ref):
                outcome = session.publish(device_topic(home, device, one.suffix), one.payload, retain=True)
                self.require(isinstance(outcome, Sent) and (await outcome.acknowledged).accepted, "the broker takes it")

    async def wait_for_state(self, description: str, *, due: float = 0, **facts: object) -> None:
        """Wait until the entrance's published state has these facts."""
        await self.watch.wait_until(
            description, lambda: facts.items() <= self.watch.state.items(), within=due + TIMEOUT_MARGIN_S
        )

    async def wait_for_cameras(self) -> None:
        """Wait until each camera of the entrance has live pictures; they run while a window is open."""
        await self.watch.wait_until("live pictures of every camera", self._are_cameras_live)

    async def wait_for_cameras_to_rest(self) -> None:
        """Wait until the box calls no camera of the entrance live, as when a window has ended.

        For a moment after they were stopped, it still calls their last pictures live.
        """
        await self.watch.wait_until("no live pictures", lambda: not any(self._camera_states()))

    def _camera_states(self) -> list[bool]:
        cameras = self.watch.state.get("cameras", {})
        return [bool(cameras.get(name, {}).get("live")) for name in self.section.film_cameras]

    def _are_cameras_live(self) -> bool:
        return all(self._camera_states())

    async def wait_until_ready(self) -> None:
        """Wait until lock, door, disk and cameras are good, so that the box would accept a scan."""

        def good() -> bool:
            facts = ("connected", "locked", "closed", "disk")
            return all(self.watch.state.get(fact) for fact in facts) and self._are_cameras_live()

        await self.watch.wait_until("lock, door, disk and cameras good", good)

    async def announce_delivery(self, **facts: object) -> PromisedDelivery:
        """Announce a delivery for now and wait for the cameras; later waits see only what comes after that.

        On a slow machine cameras start so late that the box correctly reports "not ready" and then "ready again".
        """
        parcels = await self.retailer.promise(**facts)  # type: ignore[arg-type]  # promise() names them one by one
        await self.wait_until_expected()
        return parcels

    async def wait_until_expected(self) -> None:
        """Wait for the cameras of an expected delivery; later waits see only what comes after that."""
        await self.wait_for_cameras()
        await self.watch.wait_until("ready, and the owner told so", self._is_ready_again)
        self.watch.mark_seen()

    def _is_ready_again(self) -> bool:
        """Return whether nothing is lacking and the owner was notified of each return to readiness."""
        lacks = [bool(body["lacking"]) for body in self.watch.events("readiness")]
        returns = sum(before and not after for before, after in pairwise(lacks))
        abouts = [body["about"] for body in self.watch.messages(urgent=False)]
        return not any(lacks[-1:]) and abouts.count(Notification.READY_AGAIN.value) >= returns

    async def scan_codes(self, parcels: PromisedDelivery | None = None) -> None:
        """Let the courier come and scan a parcel and the one-time code. None: of a delivery that is announced now."""
        parcels = parcels or await self.announce_delivery()
        await self.courier.does("arrive")
        await self.courier.scans(parcels.codes[0])
        await self.courier.scans(parcels.courier_code)

    async def scan_and_ring(self, parcels: PromisedDelivery | None = None) -> None:
        """Let the courier scan (as `scan_codes`); wait until the bell rings."""
        await self.scan_codes(parcels)
        await self.wait_for_ringing()

    async def wait_for_phase(self, phase: str, *, due: float = 0) -> None:
        """Wait until the entrance enters this phase, at most `due` seconds plus `TIMEOUT_MARGIN_S`."""
        await self.watch.wait_for_event("phase", within=due + TIMEOUT_MARGIN_S, phase=phase)

    async def wait_for_ringing(self) -> None:
        """Wait until the bell rings: the box has accepted the scan."""
        await self.wait_for_phase(Phase.RINGING)

    async def wait_for_unlocked(self) -> None:
        """Wait for the green light: the lock reports that the door is unlocked."""
        await self.wait_for_phase(Phase.UNLOCKED, due=self.timing.ring + self.timing.live)

    async def wait_for_locked_again(self) -> None:
        """Wait until the door is proven locked."""
        timing, tries = self.timing, 3 * 4 * self.plan.latency
        due = timing.never + timing.relock + timing.command_life + timing.skew + tries
        await self.wait_for_phase(Phase.LOCKED_AGAIN, due=due)

    async def wait_for_seal(self) -> None:
        """Wait until the proof is sealed and the entrance is ready again."""
        await self.wait_for_phase("ready", due=self.timing.post_roll + 2 * self.timing.film_closes)

    async def wait_for_incident_seal(self) -> None:
        """Wait until an incident's film is sealed; the owner's phone then gets a checkpoint that names it."""

        def is_sealed() -> bool:
            sealed = (body.get("sealed") or {} for body in self.watch.bodies("checkpoint"))
            return any(str(part.get("visit", "")).startswith("incident-") for part in sealed)

        within = self.timing.film_closes + TIMEOUT_MARGIN_S
        await self.watch.wait_until("an incident's seal", is_sealed, within=within)

    async def wait_for_visit_end(self) -> None:
        """Wait until the door is proven locked and the proof sealed."""
        await self.wait_for_locked_again()
        await self.wait_for_seal()

    async def enter_with_parcel(self, parcels: PromisedDelivery | None = None) -> None:
        """Let the courier scan (as `scan_codes`), enter and put a parcel down."""
        await self.scan_codes(parcels)
        await self.wait_for_unlocked()
        await self.courier.goes_in()

    async def leave_and_seal(self) -> None:
        """Let the courier come out and close the door; wait for the end of the visit."""
        await self.courier.comes_out()
        await self.wait_for_visit_end()

    async def deliver(self, parcels: PromisedDelivery | None = None) -> None:
        """Play the whole usual visit, from the scan (as `scan_codes`) to the sealed proof."""
        await self.enter_with_parcel(parcels)
        await self.leave_and_seal()

    async def wait_for_no_opening(self) -> None:
        """Wait for as long as an opening could still follow."""
        await asyncio.sleep(self.timing.ring + self.timing.label + self.plan.latency + 1)

    async def scan_refused_code(self, code: str, refusal: Refusal, *, due: float = 0) -> None:
        """Let the courier scan a code that the box refuses for this reason; nothing may move."""
        await self.courier.scans(code)
        await self.wait_for_refusal(refusal, due=due)
        await self.wait_for_no_opening()

    async def wait_for_window_end(self, parcels: PromisedDelivery) -> None:
        """Wait until the delivery's window is over and the box has noticed it."""
        left = max(0.0, (parcels.window.end - machine_time()).total_seconds())
        await self.wait_for_state("the window over", due=left, expecting=False)

    async def kill_gateway(self, point: CrashPoint | None = None) -> None:
        """Kill the gateway when it reaches `point`; None: now, and wait until it is back."""
        self.narrate("box", "dies" if point is None else f"will die {point.replace('-', ' ')}")
        self._online_since = len(self.watch.seen)
        await self.stage.change_box(KillAtPoint(point=point))
        if point is None:
            await self.wait_for_gateway()

    async def wait_for_gateway(self) -> None:
        """Wait until the gateway has died and has connected to the broker again."""
        await self.watch.wait_for_reconnect(self._online_since, within=2 * TIMEOUT_MARGIN_S)
        self.narrate("box", "is back")

    async def wait_a_moment(self, seconds: float) -> None:
        """Let so much time pass, in which nothing is to happen."""
        await asyncio.sleep(seconds)

    async def wait_for_new_scan(self) -> None:
        """Wait until the same code counts as a new scan."""
        await asyncio.sleep(self.timing.merge + 0.2)

    async def wait_for_refusal(self, refusal: Refusal, *, due: float = 0) -> None:
        """Wait for a refusal with this reason."""
        await self.watch.wait_for_event("answer", within=due + TIMEOUT_MARGIN_S, word="no", refusal=refusal.value)

    async def wait_for_notification(self, notification: Notification) -> Body:
        """Wait for this notification to the owner and return it."""
        return await self.watch.wait_for_message(notification.value, urgent=False)

    async def wait_for_alarm(self, code: AlarmCode, *, due: float = 0) -> Body:
        """Wait for an alarm and return it. Alarms are messages to the owner, which survive a crash of the box."""
        return await self.watch.wait_for_message(code.value, urgent=True, within=due + TIMEOUT_MARGIN_S)


ScenarioScript = Callable[[ScenarioRun], Awaitable[None]]


class Scenario(Frozen):
    """One scenario, or one variant of it; `equip` equips the house for it."""

    title: str  # its name on the command line: `name` or `name:variant`
    summary: Text
    play: ScenarioScript
    expected: Expectation = EXPECT_DELIVERED
    equip: Callable[[DemoPlan], DemoPlan] = lambda plan: plan


class ScenarioList(list[Scenario]):
    """The scenarios of one subject, in the order of their definition."""

    def add(
        self,
        summary: Text,
        expected: Expectation = EXPECT_DELIVERED,
        *,
        title: str | None = None,
        equip: Callable[[DemoPlan], DemoPlan] = lambda plan: plan,
        **differences: Any,  # noqa: ANN401 - fields of `Expectation`
    ) -> Callable[[ScenarioScript], ScenarioScript]:
        """Return a decorator that adds a scenario which plays the function, in the house that `equip` changes.

        It must result in what is `expected`, with these `differences`. Without `title` the function's name is the
        title: `_owner_stops__before` is "owner-stops:before".
        """

        def decorate(play: ScenarioScript) -> ScenarioScript:
            name = title or play.__name__.removeprefix("_").replace("__", ":").replace("_", "-")
            expectation = replace(expected, **differences)
            self.append(Scenario(title=name, summary=summary, play=play, expected=expectation, equip=equip))
            return play

        return decorate
