"""Decommissions a box: finds what prevents a wipe, and shuts the box down in good order."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from enum import Enum

import structlog

from gateway.config.home import Home
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.visit.predicates import are_all_secured
from gateway.protocol import owner_requests
from gateway.runtime.entrance import EntranceActor
from gateway.runtime.maintenance import factory_reset
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.i18n import _

log = structlog.get_logger(__name__)

CODES_TIMEOUT_S = 20.0  # seconds for keypads to be read back without the guests' codes
ANNOUNCE_TIMEOUT_S = 5.0  # seconds for retailers to get the results: an absent broker must not delay the owner's wipe
POLL_INTERVAL_S = 0.05


class WipeObstacleReason(Enum):
    """What prevents the wipe, as the owner learns it."""

    VISIT = _("a visit is under way ({entrance})")
    INCIDENT = _("a door opened without an order and is being filmed ({entrance})")
    NOT_LOCKED = _("the door is not proven locked ({entrance})")
    WINDOW = _("a delivery's window is open, a courier may come ({entrance})")
    CODE = _(
        "{keypad} may still have a guest's code, which is being withdrawn: try again in a minute, or tick that you "
        "delete the codes there yourself"
    )
    HELD = _("visits are held as evidence: tick that they go too")


class WipeObstacle(Frozen):
    """An obstacle to a wipe and its entrance or keypad; without one it concerns the whole box."""

    why: WipeObstacleReason
    entrance: str | None = None
    keypad: str | None = None


@dataclass(eq=False)
class Decommissioning:
    """Decommissions the box."""

    home: Home
    _: KW_ONLY
    store: Store
    clock: Clock
    entrances: Mapping[str, EntranceActor]
    submit_request: Callable[[str, owner_requests.AnyOwnerRequest, str | None], Awaitable[str | None]]  # of the inbox
    schedule_results: Callable[[], None]  # called when results for retailers are due
    restart: Callable[[], None]  # of the gateway

    def visit_obstacles(self) -> tuple[WipeObstacle, ...]:
        """Return the obstacles from running visits at the doors."""
        obstacles = []
        for name, running in self.entrances.items():
            if running.state.visit is not None:
                obstacles.append(WipeObstacle(why=WipeObstacleReason.VISIT, entrance=name))
            elif running.state.incident is not None:
                obstacles.append(WipeObstacle(why=WipeObstacleReason.INCIDENT, entrance=name))
        return tuple(obstacles)

    def obstacles(self, *, held_too: bool) -> tuple[WipeObstacle, ...]:
        """Return every current obstacle to wiping the box."""
        obstacles = list(self.visit_obstacles())
        now = self.clock.now()
        for name, running in self.entrances.items():
            state = running.state
            if state.broker_session is None or not are_all_secured(state):
                obstacles.append(WipeObstacle(why=WipeObstacleReason.NOT_LOCKED, entrance=name))
            over = (Refusal.ALREADY_USED, Refusal.BRAND_NOT_PERMITTED)
            coming = (upcoming.delivery for upcoming in self.store.deliveries.upcoming(name, now))
            if any(delivery.start <= now.utc < delivery.end and delivery.refusal not in over for delivery in coming):
                obstacles.append(WipeObstacle(why=WipeObstacleReason.WINDOW, entrance=name))
        if self.store.privacy.counts().held and not held_too:
            obstacles.append(WipeObstacle(why=WipeObstacleReason.HELD))
        return tuple(obstacles)

    async def wipe(self, by: str, *, held_too: bool, codes_too: bool = False) -> tuple[WipeObstacle, ...]:
        """Decide to wipe the box and send retailers the results of open deliveries; the caller then calls `restart`.

        If there are obstacles, return them and decide nothing. The house is stopped first, so that nobody comes in
        meanwhile, and the guests' codes are withdrawn from the keypads, because a wiped box knows none of them. Both
        remain whatever happens next. `codes_too`: the owner deletes at the keypads what is not proven gone.
        """
        obstacles = self.obstacles(held_too=held_too)
        if obstacles:
            return obstacles
        for name in self.home.entrances:
            stop = owner_requests.OwnerStopRequest(id=f"wipe-{secrets.token_hex(8)}", do="stop")
            await self.submit_request(name, stop, by)
        keypads = await self._withdraw_codes()
        codes = tuple(WipeObstacle(why=WipeObstacleReason.CODE, keypad=keypad) for keypad in keypads)
        obstacles = (*self.obstacles(held_too=held_too), *(() if codes_too else codes))
        if obstacles:
            return obstacles
        if keypads:
            log.error("codes_left", keypads=", ".join(keypads), todo="delete the guests' codes at these keypads")
        try:
            await asyncio.to_thread(factory_reset.mark_for_wipe, self.home.storage.folder)
        except OSError as failure:
            raise StoreFailed(str(failure)) from failure
        log.warning("wipe_decided", by=by)
        await self._cancel_deliveries(by)
        return ()

    async def _withdraw_codes(self) -> tuple[str, ...]:
        """Withdraw every guest's code; return the keypads that were not read back without theirs in time."""
        await self.store.guests.withdraw_codes(self.clock.now())
        with suppress(TimeoutError):
            async with asyncio.timeout(CODES_TIMEOUT_S):
                while self.store.guests.keypads_with_codes():  # noqa: ASYNC110 - the store has no event for it
                    await asyncio.sleep(POLL_INTERVAL_S)
        return self.store.guests.keypads_with_codes()

    async def _cancel_deliveries(self, by: str) -> None:
        with suppress(StoreFailed, TimeoutError):
            await self.store.handover.cancel_open_deliveries(self.clock.now(), by=by)
            self.schedule_results()
            async with asyncio.timeout(ANNOUNCE_TIMEOUT_S):
                while self.store.deliveries.changed_results(self.clock.now()):  # noqa: ASYNC110 - the store has no event for it
                    await asyncio.sleep(POLL_INTERVAL_S)
