"""Defines a scenario: what is played and exactly what must result. A scenario without an effect fails."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

from devices.simulators import control as ask
from devices.simulators.house import SimulatedHouse as HousePlan
from gateway.config.home import EntranceSection, Home
from gateway.demo.actors import TIMEOUT_MARGIN_S, DemoOwner, DemoPerson, DemoRetailer, OnAction, PromisedDelivery
from gateway.demo.observers import Body, GatewayObserver, HouseLog, WaitTimeout
from gateway.demo.plan import DemoPlan
from gateway.demo.result import DoorMovement
from gateway.demo.rig_control import CrashPoint, KillAtPoint
from gateway.demo.stage import Stage
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.timing import Timing
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Phase
from gateway.system.clock import machine_time
from gateway.system.i18n import Text

MOVES_ONCE_IN_AND_OUT = (DoorMovement.UNLOCKED, DoorMovement.OPENED, DoorMovement.CLOSED, DoorMovement.LOCKED)
PHASES_WHOLE_VISIT: tuple[str, ...] = (
    Phase.RINGING, Phase.UNLOCKING, Phase.UNLOCKED, Phase.INSIDE, Phase.RELOCKING, Phase.LOCKED_AGAIN, "ready",
)  # fmt: skip
USUAL_NOTIFICATIONS = (Notification.AT_THE_DOOR, Notification.LOCKED_AGAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Everything that must have happened, and nothing else may have.

    `moves` is all that bolt and leaf did, in order, from the house's own log. `phases`, `refusals` and `told` are in
    order; `alarms` too, each named once however often it was raised. On a slow machine the owner may be told what
    `perhaps_told` names as well. `proofs` is how many visits (or incidents) left a sealed folder, `gaps` the cameras
    whose films have declared holes, `deaths` how often the gateway was killed. `result` is the delivery's last word to
    its retailer.
    """

    outcome: Outcome | None = Outcome.DELIVERED
    house: DoorResult | None = DoorResult.LOCKED_AGAIN
    movements: tuple[DoorMovement, ...] = MOVES_ONCE_IN_AND_OUT
    phases: tuple[str, ...] = PHASES_WHOLE_VISIT
    refusals: tuple[Refusal, ...] = ()
    alarms: tuple[AlarmCode, ...] = ()
    notifications: tuple[Notification, ...] = USUAL_NOTIFICATIONS
    optional_notifications: frozenset[Notification] = frozenset()
    sealed_visits: int = 1
    sealed_parts: int = 1
    cameras_with_gaps: frozenset[str] = frozenset()
    gateway_deaths: int = 0
    retailer_state: str | None = "delivered"


EXPECT_REFUSED = Expectation(
    outcome=Outcome.REFUSED,
    house=DoorResult.NOT_OPENED,
    movements=(),
    phases=(),
    notifications=(),
    sealed_visits=0,
    sealed_parts=0,
    retailer_state=None,
)
"""A scan that is refused at once: no visit, and nothing moves."""


class ScenarioRun:
    """What a scenario plays with."""

    def __init__(self, stage: Stage, narrate: OnAction) -> None:
        plan, house = stage.plan, stage.house
        self.stage, self.plan = stage, plan
        self.watch: GatewayObserver = stage.watch
        self.log: HouseLog = stage.log
        self.house = house
        self.courier = DemoPerson("courier", house, narrate, plan.action_s)
        self.resident = DemoPerson("resident", house, narrate, plan.action_s)
        self.thief = DemoPerson("thief", house, narrate, plan.action_s)
        self.owner = DemoOwner(plan.home, plan.entrance, narrate)
        signers = tuple(plan.signers.values())
        self.retailer = DemoRetailer(plan.home, plan.entrance, signers, stage.watch, narrate)
        self.narrate = narrate
        self._online_since = 0

    @property
    def timing(self) -> Timing:
        """The entrance's waiting times."""
        return self.plan.timing

    @property
    def section(self) -> EntranceSection:
        """The entrance as configured."""
        return self.plan.section

    def require(self, holds: bool, requirement: str) -> None:
        """Note what must hold beside all that the expectation says.

        Raises:
            WaitTimeout: it does not.
        """
        if not holds:
            raise WaitTimeout(f"required: {requirement}. Seen instead: {self.watch.last_messages()}")

    # ---- faults -----------------------------------------------------------------------------------------------------

    async def set_fault(self, device: str, fault: str, on: bool | float | str = True) -> None:  # noqa: FBT002 - its value
        """Switch a device's fault on or off, or let a mishap happen."""
        self.narrate("house", f"{device}: {fault}{' ends' if on is False else ''}")
        await self.house.ask(ask.SetFault(device=device, fault=fault, on=on))

    async def set_link(self, device: str, *, up: bool) -> None:
        """Cut a device's link, or let it come back."""
        self.narrate("house", f"{device} is {'back' if up else 'cut off'}")
        await self.house.ask(ask.SetLink(device=device, up=up))

    async def set_fridge_temperature(self, celsius: float) -> None:
        """Let the fridge be so warm."""
        self.narrate("house", f"the fridge is at {celsius:.0f} °C")
        await self.house.ask(ask.SetTemperature(celsius=celsius))

    # ---- what most scenarios share -----------------------------------------------------------------------------------

    async def wait_for_cameras(self) -> None:
        """Wait until every camera of the entrance shows live pictures: a window is open, so they run."""
        await self.watch.wait_until("live pictures of every camera", self._are_cameras_live, within=TIMEOUT_MARGIN_S)

    def _are_cameras_live(self) -> bool:
        cameras = self.watch.state.get("cameras", {})
        names = {self.section.cameras.outside, *self.section.cameras.inside}
        return all(cameras.get(name, {}).get("live") for name in names)

    async def wait_until_ready(self) -> None:
        """Wait until lock, door, disk and cameras are good: a scan would be accepted."""

        def good() -> bool:
            facts = ("connected", "locked", "closed", "disk")
            return all(self.watch.state.get(fact) for fact in facts) and self._are_cameras_live()

        await self.watch.wait_until("lock, door, disk and cameras good", good, within=TIMEOUT_MARGIN_S)

    async def announce_delivery(self, **facts: object) -> PromisedDelivery:
        """Let a delivery be promised for now, and the cameras begin; what is judged and waited for begins after that.

        On a slow machine cameras begin so late that the box rightly says it is not ready, and then that it is.
        """
        parcels = await self.retailer.promise(**facts)  # type: ignore[arg-type]  # promise() names them one by one
        await self.wait_for_cameras()
        await self.watch.wait_until("ready, and the owner told so", self._is_ready_again, within=TIMEOUT_MARGIN_S)
        self.watch.mark_seen()
        return parcels

    def _is_ready_again(self) -> bool:
        """Whether nothing lacks, and the owner was told of each time at which something that lacked came back."""
        lacks = [bool(body["lacking"]) for body in self.watch.events("readiness")]
        returns = sum(before and not after for before, after in pairwise(lacks))
        told = sum(body["about"] == Notification.READY_AGAIN.value for body in self.watch.messages(urgent=False))
        return not any(lacks[-1:]) and told >= returns

    async def scan_codes(self, parcels: PromisedDelivery, *, code: int = 0) -> None:
        """The courier comes and scans a parcel and the one-time code."""
        await self.courier.arrives()
        await self.courier.scans(parcels.codes[code])
        await self.courier.scans(parcels.courier_code)

    async def wait_for_phase(self, phase: str, *, due: float = 0) -> None:
        """Wait until the entrance goes to this phase next, `due` seconds and our patience long."""
        await self.watch.wait_for_event("phase", within=due + TIMEOUT_MARGIN_S, phase=phase)

    async def wait_for_ringing(self) -> None:
        """Wait until it rings: the scan was accepted."""
        await self.wait_for_phase(Phase.RINGING)

    async def wait_for_unlocked(self) -> None:
        """Wait for the green light: the lock says that the door is unlocked."""
        await self.wait_for_phase(Phase.UNLOCKED, due=self.timing.ring + self.timing.live)

    async def wait_for_locked_again(self) -> None:
        """Wait until the door is proven locked."""
        timing = self.timing
        tries = 3 * 4 * self.plan.latency
        await self.wait_for_phase(
            Phase.LOCKED_AGAIN, due=timing.never + timing.relock + timing.command_life + timing.skew + tries
        )

    async def wait_for_seal(self) -> None:
        """Wait until the proof is sealed and the entrance is ready again."""
        await self.wait_for_phase("ready", due=self.timing.post_roll + 2 * self.timing.film_closes)

    async def wait_for_incident_seal(self) -> None:
        """Wait until an incident's film is sealed: the phone then gets a checkpoint that names it."""
        await self.watch.wait_until(
            "an incident's seal", self._is_incident_sealed, within=self.timing.film_closes + TIMEOUT_MARGIN_S
        )

    def _is_incident_sealed(self) -> bool:
        sealed = (body.get("sealed") or {} for body in self.watch.bodies("checkpoint"))
        return any(str(part.get("visit", "")).startswith("incident-") for part in sealed)

    async def wait_for_visit_end(self) -> None:
        """Wait until the door is proven locked and the proof sealed."""
        await self.wait_for_locked_again()
        await self.wait_for_seal()

    async def enter_with_parcel(self, parcels: PromisedDelivery) -> None:
        """The courier scans, is let in and puts a parcel down."""
        await self.scan_codes(parcels)
        await self.wait_for_unlocked()
        await self.courier.goes_in()

    async def leave_and_seal(self) -> None:
        """The courier comes out and closes the door; wait for the visit's end."""
        await self.courier.comes_out()
        await self.wait_for_visit_end()

    async def deliver(self, parcels: PromisedDelivery) -> None:
        """Play the whole usual visit, from the scan to the sealed proof."""
        await self.enter_with_parcel(parcels)
        await self.leave_and_seal()

    async def wait_for_no_opening(self) -> None:
        """Wait for as long as an opening could still follow: then nothing has moved and nothing will."""
        await asyncio.sleep(self.timing.ring + self.timing.label + self.plan.latency + 1)

    async def scan_refused_code(self, code: str, refusal: Refusal, *, due: float = 0) -> None:
        """The courier scans this, hears no for this reason, and nothing moves."""
        await self.courier.scans(code)
        await self.wait_for_refusal(refusal, due=due)
        await self.wait_for_no_opening()

    async def wait_for_window_end(self, parcels: PromisedDelivery) -> None:
        """Wait until this promise's window is over, and the box has noticed."""
        left = max(0.0, (parcels.window.end - machine_time()).total_seconds())
        await self.watch.wait_until(
            "the window over", lambda: self.watch.state.get("expecting") is False, within=left + TIMEOUT_MARGIN_S
        )

    async def kill_gateway(self, point: CrashPoint | None = None) -> None:
        """Kill the gateway: now, and wait until it is back; or when it comes to this point."""
        self.narrate("box", "dies" if point is None else f"will die {point.replace('-', ' ')}")
        self._online_since = len(self.watch.seen)
        async with self.stage.rig() as handles:
            await handles.apply(KillAtPoint(point=point))
        if point is None:
            await self.wait_for_gateway()

    async def wait_for_gateway(self) -> None:
        """Wait until the gateway has died and is back at the broker."""
        await self.watch.wait_for_reconnect(self._online_since, within=2 * TIMEOUT_MARGIN_S)
        self.narrate("box", "is back")

    async def wait_for_new_scan(self) -> None:
        """Wait until the same code counts as scanned anew."""
        await asyncio.sleep(self.timing.merge + 0.2)

    async def wait_for_refusal(self, refusal: Refusal, *, due: float = 0) -> Body:
        """Wait for a no with this reason."""
        return await self.watch.wait_for_event(
            "answer", within=due + TIMEOUT_MARGIN_S, word="no", refusal=refusal.value
        )

    async def wait_for_notification(self, notification: Notification, *, due: float = 0) -> Body:
        """Wait until the owner is told this."""
        return await self.watch.wait_for_message(notification.value, urgent=False, within=due + TIMEOUT_MARGIN_S)

    async def wait_for_alarm(self, code: AlarmCode, *, due: float = 0) -> Body:
        """Wait for an alarm: in the owner's messages, which outlive the box's death."""
        return await self.watch.wait_for_message(code.value, urgent=True, within=due + TIMEOUT_MARGIN_S)


ScenarioScript = Callable[[ScenarioRun], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario, or one variant of it. `home`, `house` and then `plan` change what the run is made of."""

    name: str
    summary: Text
    play: ScenarioScript
    variant: str | None = None
    expected: Expectation = field(default_factory=Expectation)
    change_home: Callable[[Home], Home] = lambda home: home
    change_house: Callable[[HousePlan], HousePlan] = lambda house: house
    change_plan: Callable[[DemoPlan], DemoPlan] = lambda plan: plan

    @property
    def title(self) -> str:
        """Its name as it is written on the command line."""
        return self.name if self.variant is None else f"{self.name}:{self.variant}"

    def apply_to(self, plan: DemoPlan) -> DemoPlan:
        """The run's plan with this scenario's changes."""
        return self.change_plan(replace(plan, home=self.change_home(plan.home), house=self.change_house(plan.house)))
