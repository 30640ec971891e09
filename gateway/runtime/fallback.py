"""Moves a delivery that its entrance refused to another place, and notifies courier, owner and retailer.

The entrance answers and stores the refusal first. A crash in between loses nothing: the courier scans again, and is
refused again. The other entrance decides at a new scan whether it opens.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass

import structlog

from devices import commands as d
from devices.vendors import VENDORS
from gateway.config.home import Home
from gateway.config.topics import device_topic, entrance_topic
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.fallback import FALLBACK_REFUSALS, FallbackPlan, Place, fallback
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit.predicates import best_route, may_open
from gateway.domain.visit.state import Evidence
from gateway.mqtt.publisher import Publisher, json_bytes, rfc3339_ms
from gateway.runtime.entrance import EntranceActor
from gateway.runtime.notifications.outbox import Outbox
from gateway.runtime.reception import ReceptionActor
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.containment import Containment
from gateway.system.ids import unique_id

log = structlog.get_logger(__name__)

MAX_REFUSED = 50  # deliveries that are examined at the same time: more are a flood
UNPROVEN = frozenset({Evidence.SCAN, Evidence.NONE})
ANSWER_LIFE_S = 5  # seconds after which a late answer is no longer shown at the scanner


@dataclass(eq=False, repr=False)
class FallbackPlaces:
    """The fallback of one house. It calls `on_moved` with the deliveries that it moved."""

    home: Home
    _: KW_ONLY
    store: Store
    clock: Clock
    publisher: Publisher
    outbox: Outbox
    entrances: Mapping[str, EntranceActor]
    receptions: Mapping[str, ReceptionActor]
    on_moved: Callable[[tuple[str, ...]], None]
    containment: Containment
    crash_point: Callable[[str], None] = lambda _point: None

    def __post_init__(self) -> None:
        known = self.home.destinations
        self._plan = FallbackPlan(
            preferred=self.home.fallback.order,
            places={id_: tuple(one.places) for id_, one in known.items()},
            courier_proof=frozenset(id_ for id_, one in known.items() if one.courier_proof),
            unproven=frozenset(id_ for id_, one in self.home.entrances.items() if one.evidence in UNPROVEN),
            living_space=frozenset(id_ for id_, one in known.items() if one.living_space),
        )
        self._refused: dict[str, tuple[str, c.AnswerScan]] = {}  # delivery -> its entrance, and its newest refusal
        self._wake = asyncio.Event()

    def on_decision(self, entrance: str, commands: tuple[c.Command, ...]) -> None:
        """Take the commands of a decision at an entrance or a reception; examine a refusal that is due to the place."""
        for command in commands:
            if isinstance(command, c.AnswerScan):
                self._on_answer(entrance, command)

    def _on_answer(self, entrance: str, answer: c.AnswerScan) -> None:
        is_known = answer.delivery in self._refused or len(self._refused) < MAX_REFUSED
        is_candidate = answer.refusal in FALLBACK_REFUSALS or answer.refusal is Refusal.WRONG_ENTRANCE
        if answer.delivery is not None and is_candidate and is_known and self.home.fallback.order:
            self._refused[answer.delivery] = entrance, answer
            self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._wake.wait()
                self._wake.clear()
                for delivery in tuple(self._refused):
                    entrance, answer = self._refused.pop(delivery)
                    group.create_task(self._contained(entrance, delivery, answer), name=f"fallback of {delivery}")

    async def _contained(self, entrance: str, delivery: str, answer: c.AnswerScan) -> None:
        with self.containment.piece("fallback", delivery):
            await self._on_refused(entrance, delivery, answer)

    async def _on_refused(self, entrance: str, delivery: str, answer: c.AnswerScan) -> None:
        actor = self.entrances.get(entrance)
        if actor is not None:
            actor.publish_now()  # the refusal's event, before the event of what follows from it
        if answer.lacking:  # the entrance was queried at the refusal: it may be ready once its devices have answered
            await asyncio.sleep(self.entrances[entrance].state.rules.latency + 1)
        place = await self._back_or_elsewhere(entrance, delivery) or await self._move(entrance, delivery, answer)
        if place is not None:
            self._show(entrance, answer.scanner, delivery, place)

    async def _back_or_elsewhere(self, entrance: str, delivery: str) -> str | None:
        """Return the place of a delivery that was moved from this entrance; None: it was not moved.

        If the entrance can take it now, the delivery returns: a sensor that was missing for a moment does not move it
        for good.
        """
        order = self.store.deliveries.order(delivery)
        if order is None or order.moved_from != entrance:
            return None
        back = Place(entrance=entrance, place=order.announced_place or order.place)
        is_possible = self._refusal_at(back, delivery) is None
        is_back = is_possible and await self._store_move(delivery, back, Refusal.WRONG_ENTRANCE)
        return entrance if is_back else order.entrance

    async def _move(self, entrance: str, delivery: str, answer: c.AnswerScan) -> str | None:
        order = self.store.deliveries.order(delivery)
        if order is None or answer.refusal is None or order.entrance != entrance:
            return None
        present = self._refusal_at(Place(entrance=order.entrance, place=order.place), delivery)
        is_over = present is None and bool(answer.lacking)  # its devices have answered: this entrance can take it
        if is_over or present not in {None, *FALLBACK_REFUSALS}:
            return None
        place = fallback(answer.refusal, order, self._plan, lambda option: self._refusal_at(option, delivery))
        is_moved = place is not None and await self._store_move(delivery, place, answer.refusal)
        return place.entrance if place is not None and is_moved else None

    async def _store_move(self, delivery: str, place: Place, refusal: Refusal) -> bool:
        now = self.clock.now()
        self.crash_point("before-move")
        try:
            message = await self.store.deliveries.move(delivery, place, refusal, now)
        except StoreFailed as failure:
            log.error("move_not_stored", delivery=delivery, why=str(failure))
            return False
        if message is None:
            return False
        self.crash_point("after-move")
        told = c.NotifyOwner(notification=c.Notification.MOVED, delivery=delivery, detail=refusal.value)
        self.outbox.notify_of_delivery(told, place.entrance, now, message=message, delivery=delivery)
        self.outbox.schedule_results()
        self.on_moved((delivery,))
        return True

    def _refusal_at(self, place: Place, delivery: str) -> Refusal | None:
        """Return the refusal that a scan of this delivery would get at this place now; None: it may begin."""
        now = self.clock.now()
        facts = self.store.deliveries.facts_at(delivery, place, now)
        if facts is None:
            return Refusal.UNKNOWN_CODE
        reception = self.receptions.get(place.entrance)
        if reception is not None:
            return reception.refusal_of(facts)
        return self._refusal_at_entrance(facts)

    def _refusal_at_entrance(self, facts: VisitDelivery) -> Refusal | None:
        actor = self.entrances.get(facts.entrance)
        if actor is None:
            return Refusal.WRONG_ENTRANCE
        state = actor.state
        if state.visit is not None:
            return Refusal.BUSY
        return may_open(state, facts, self.clock.now(), best_route(state, facts))

    def _show(self, entrance: str, scanner: str, delivery: str, place: str) -> None:
        """Show the new place at the scanner; a camera that reads labels shows nothing."""
        now, name = self.clock.now(), self.home.destinations[place].name
        device = self.home.devices.get(scanner)
        if device is not None and device.kind == "scanner":
            shown = d.ShowResult(word="elsewhere", place=name, event=str(uuid.uuid4()), issued_at=now.utc)
            with contextlib.suppress(ValueError):  # it cannot display a name: its "no" stays
                publication = VENDORS[device.vendor].encode_command(shown, device.device_ref)
                topic = device_topic(self.home, scanner, publication.suffix)
                self.publisher.publish(topic, publication.payload, expiry=ANSWER_LIFE_S)
        event = {"event_id": unique_id(), "at": rfc3339_ms(now.utc), "entrance": entrance, "kind": "elsewhere",
                 "delivery": delivery, "scanner": scanner, "moved_to": place}  # fmt: skip
        self.publisher.publish(entrance_topic(entrance, "event"), json_bytes(event))
