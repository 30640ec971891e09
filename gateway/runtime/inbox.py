"""Handles retailers' signed messages and the owner's requests, one after the other."""

import asyncio
import contextlib
import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import assert_never

import structlog

from gateway.config.home import Home
from gateway.config.topics import entrance_topic, result_topics
from gateway.domain.delivery.own_parcel import OWN_BRAND
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.promise import Cancel, Claims, DeliveryResult, delivery_key
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.pause import PauseRefusal, PlannedPause
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import BETWEEN_INTENTS, Entrance
from gateway.mqtt.packets import InboundMessage
from gateway.mqtt.publisher import Publisher, json_bytes, rfc3339_ms
from gateway.protocol import delivery_message, owner_requests
from gateway.protocol.box_hub import JobOutcome
from gateway.protocol.brand_messages import is_brand_message, verify_comment
from gateway.protocol.ed25519 import PublicKey, SigningKey
from gateway.protocol.jws import BRAND_COMMENT, TRANSIENT_REJECTIONS, RejectedMessage, RejectionCode, typ_of
from gateway.runtime.brand_messages import BrandMessageService
from gateway.runtime.entrance import EntranceActor
from gateway.runtime.guests import GuestService
from gateway.runtime.notifications.outbox import Outbox
from gateway.runtime.own_parcels import AnnouncementProblem, OwnParcelService, ParcelAnnouncement, parse_day_hours
from gateway.runtime.permissions import PermissionService
from gateway.storage.consent_requests import ConsentIntakeResult
from gateway.storage.models import HouseholdPresence, MessageAnswer, StoreFailed
from gateway.storage.more_time import Asked
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.containment import Containment

_STANDINGS = {
    "permit": PermissionStatus.GRANTED,
    "refuse_brand": PermissionStatus.REFUSED,
    "revoke": PermissionStatus.REVOKED,
}

log = structlog.get_logger(__name__)

FLOOD_LOG_INTERVAL_S = 60.0  # seconds between two log entries about one flood
STORE_RETRY_DELAY_S = 1.0  # seconds between two tries to store a stop after the disk failed
TOO_MANY_REQUESTS = "too many requests wait"
NOT_STORED = "not stored"  # then a colon and the disk's own reason
HOLDS_UNSTORED = "it holds, but is not stored yet"  # then as well
INTERNAL_ERROR = "Perron could not do it: the health check says more"
MAX_QUEUED_REQUESTS = 200  # of the owner's account and pages, in each of two queues; beyond it only a stop is accepted
MAX_QUEUED_MESSAGES = 200  # unanswered signed messages; a retailer without an answer sends the same bytes again


class _QueuedRequest(Frozen, kw_only=False):
    entrance: str
    request: owner_requests.AnyOwnerRequest
    by: str | None  # the person who made the request on a page
    result: asyncio.Future[str | None]


@dataclass(eq=False, repr=False)
class Inbox:
    """The inbox of the box. Without the disk, accepting and planning raise StoreFailed: no delivery, no pause.

    A brand's key that no brand has raises LookupError.
    """

    home: Home
    _: KW_ONLY
    store: Store
    publisher: Publisher
    clock: Clock
    entrances: Mapping[str, EntranceActor]
    refresh_agenda: Callable[[str], None]  # gets an entrance whose agenda changed
    erase: Callable[[str, str | None], Awaitable[None]]
    outbox: Outbox
    key: SigningKey  # the box's own
    containment: Containment = field(default_factory=Containment)

    def __post_init__(self) -> None:
        self._retailer_messages: asyncio.Queue[bytes] = asyncio.Queue()  # bounded for retailers where they are received
        self._flood_logged_mono = -math.inf  # when a flood was last logged
        self._unstored_epochs: dict[str, int] = {}  # epochs of stops that could not be stored
        self._is_unstored = asyncio.Event()  # one of these two has something
        self._unstored_stops: set[str] = set()  # entrances whose stop is not stored yet
        self._unstored_distrusts: dict[str, str] = {}  # revoked keys whose revocation is not stored yet, and the person
        self.permissions = PermissionService(
            self.store, self.clock, on_change=self._on_brand_change, notify_owner=self._notify_consent_request
        )
        """The owner's decisions on brands."""
        self.brand_messages = BrandMessageService(self.home, self.store, self.clock, self.key)
        self.own_parcels = OwnParcelService(
            self.home, self.store, self.clock, self.key, on_change=self.update_deliveries
        )
        """The parcels that the owner announces himself."""
        self.guests = GuestService(
            self.home, self.store, self.clock,
            post=lambda name, event: self.entrances[name].post(event), update=self.update_deliveries,
        )  # fmt: skip
        """The passes of guests, and their stays."""
        self._stop_requests: asyncio.Queue[_QueuedRequest] = asyncio.Queue()
        self._last_stop_requests: dict[str, _QueuedRequest] = {}  # entrance -> the newest accepted stop or lift
        self._owner_requests: asyncio.Queue[_QueuedRequest] = asyncio.Queue()

    async def run(self) -> None:
        """Run until cancelled. The owner never waits behind retailers, nor a stop behind other requests."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._answer_retailers(), name="reception: retailers")
            group.create_task(self._process_requests(self._stop_requests), name="reception: stop")
            group.create_task(self._process_requests(self._owner_requests), name="reception: owner")
            group.create_task(self._retry_unstored(), name="reception: stops to store")

    def on_retailer_message(self, incoming: InboundMessage) -> None:
        """Accept a retailer's signed message; ignore a retained one and drop a flood unanswered."""
        if incoming.retain:
            return
        if self._retailer_messages.qsize() < MAX_QUEUED_MESSAGES:
            self._retailer_messages.put_nowait(incoming.payload)
        else:
            mono = self.clock.now().mono
            if mono - self._flood_logged_mono >= FLOOD_LOG_INTERVAL_S:  # a flood must not fill the disk
                self._flood_logged_mono = mono
                log.warning("offers_flooded")

    async def _answer_retailers(self) -> None:
        while True:
            token = await self._retailer_messages.get()
            with self.containment.piece("retailers", token[:16].decode("latin-1")):
                await self._answer_retailer(token)

    async def _answer_comment(self, token: bytes) -> None:
        """Store a brand's comment on its facts in this home, and answer it as an order is answered."""
        now = self.clock.now()
        verified = verify_comment(token, self.store.brands.keys, box=self.home.box, now=now)
        blank = DeliveryResult(box=self.home.box, at=now.utc, token_sha256=sha256(token).hexdigest())
        if isinstance(verified, RejectedMessage):
            result = blank.model_copy(update={"accepted": False, "code": verified.code.value, "why": verified.why})
        else:
            try:
                code = await self.store.brand_facts.store_comment(verified, now)
            except StoreFailed as failure:
                log.error("comment_not_stored", why=str(failure))
                return
            changes = {"brand": verified.iss, "answers": verified.jti, "accepted": code is None, "code": code}
            result = blank.model_copy(update=changes)
        self._publish_result(result)

    def _publish_result(self, result: DeliveryResult) -> None:
        message = result.message()
        for topic in result_topics(result.brand):
            self.publisher.publish(topic, message)

    async def _answer_retailer(self, token: bytes) -> None:
        if typ_of(token) == BRAND_COMMENT.typ:
            await self._answer_comment(token)
            return
        now = self.clock.now()
        verified = delivery_message.verify_delivery(token, self.store.brands.keys, box=self.home.box, now=now)
        try:
            answer = await self.store.deliveries.accept(token, verified, now)
        except StoreFailed as failure:
            log.error("offer_not_stored", why=str(failure))  # no answer: the retailer sends it again
            return
        self._publish_result(answer.result)
        self._notify_affected(answer)

    async def accept_from_hub(self, token: bytes, home: str) -> JobOutcome:
        """Handle a retailer's message that came through the hub, where this home has the name `home`.

        The answer is stored, and so is the box's event for the hub. A stranger's flood gets no answer.
        """
        if is_brand_message(token):
            return await self.brand_messages.accept(token, home)
        now = self.clock.now()
        verified = delivery_message.verify_delivery(
            token, self.store.brands.keys, box=self.home.box, also=home, now=now
        )
        return await self._accept_verified(token, verified, now)

    async def accept_hub_signed(self, token: bytes, home: str, key: str) -> JobOutcome:
        """Handle a message that the hub itself signed for a brand; `key` is the hub's public key."""
        now = self.clock.now()
        verified = delivery_message.verify_hub_delivery(token, PublicKey.from_text(key), box=home, now=now)
        if isinstance(verified, delivery_message.HubClaims) and verified.brand not in self.store.brands.known:
            verified = RejectedMessage(RejectionCode.WRONG_ISSUER, "this house knows no such brand")
        return await self._accept_verified(token, verified, now)

    async def _accept_verified(self, token: bytes, verified: Claims | RejectedMessage, now: Now) -> JobOutcome:
        if isinstance(verified, RejectedMessage) and verified.code in TRANSIENT_REJECTIONS:
            return JobOutcome.RETRY_LATER
        withdraws = isinstance(verified, Claims) and isinstance(verified.delivery, Cancel)
        if self.store.hub_journal.is_full() and not withdraws:  # each answer is one more event
            return JobOutcome.RETRY_LATER
        answer = await self.store.hub_journal.accept(token, verified, now)
        if answer is None:
            return JobOutcome.REJECTED
        self._notify_affected(answer)
        return JobOutcome.ANSWERED

    def _notify_affected(self, answer: MessageAnswer) -> None:
        self.update_deliveries(answer.changed)
        if answer.permission_message is not None:
            (delivery,) = answer.changed
            facts = self.store.deliveries.facts(delivery, self.clock.now())
            if facts is not None:
                self._notify_owner(c.Notification.BRAND_ASKS, delivery, facts.entrance, answer.permission_message)
        if answer.time_message is not None:
            result = answer.result
            self._notify_late(delivery_key(result.brand or "", result.delivery or ""), answer.time_message)

        if answer.arrival_message is not None:
            self._notify_arrival(answer, answer.arrival_message)

    def _notify_arrival(self, answer: MessageAnswer, message: int) -> None:
        (delivery,), now = answer.changed, self.clock.now()
        facts, known = self.store.deliveries.facts(delivery, now), self.store.arrivals.expected(delivery, now)
        if facts is None or known is None:
            return
        about = c.Notification.EXPECTED_AT if known.set_out is None else c.Notification.ON_THE_WAY
        detail = "" if answer.eta is None else answer.eta.isoformat()
        command = c.NotifyOwner(notification=about, delivery=delivery, detail=detail)
        self.outbox.notify_of_delivery(command, facts.entrance, now, message=message, delivery=delivery)

    def _notify_late(self, delivery: str, message: int) -> None:
        facts = self.store.deliveries.facts(delivery, self.clock.now())
        if facts is not None:
            self._notify_owner(c.Notification.LATE_COURIER, delivery, facts.entrance, message)

    def _notify_consent_request(self, result: ConsentIntakeResult) -> None:
        self._notify_owner(result.saying, result.delivery, result.entrance, result.message)

    def _notify_owner(
        self, notification: c.Notification, delivery: str | None, entrance: str, message: int | None
    ) -> None:
        """Notify the owner that a brand asks for permission or has a new key; `message` is stored already."""
        command, now = c.NotifyOwner(notification=notification, delivery=delivery), self.clock.now()
        if entrance in self.entrances:
            self.outbox.notify(command, self.entrances[entrance].state, now, message=message, picture=None)
        else:
            self.outbox.notify_of_delivery(command, entrance, now, message=message, delivery=delivery)

    def update_deliveries(self, deliveries: tuple[str, ...]) -> None:
        """Send changed facts of deliveries to their entrances, also to one that just lost the delivery."""
        now = self.clock.now()
        for key in deliveries:
            facts = self.store.deliveries.facts(key, now)
            if facts is None:
                continue
            for name, running in self.entrances.items():
                if name == facts.entrance or key in _tracked_deliveries(running.state):
                    stop = self.store.entrances.stop_state(name)
                    facts = self.store.deliveries.facts(key, now, visit=_visit_on_its_way(running.state)) or facts
                    running.post(e.FactsChanged(delivery=facts, stopped=stop.stopped, epoch=stop.epoch))
                    self.refresh_agenda(name)

    def withdraw_keeper_codes(self, codes: frozenset[str]) -> None:
        """Void these codes of keepers, which the store has withdrawn, at every entrance."""
        for running in self.entrances.values():
            running.post(e.KeeperWithdrawn(codes=codes))

    def remove_test_key(self, kid: str) -> None:
        """Stop accepting a lent key; deliveries that it signed are refused from now on."""
        self.store.brands.remove_test_key(kid)
        for name in self.entrances:
            self.refresh_agenda(name)

    def submit_test_message(self, token: bytes) -> None:
        """Handle a message of the walk test's own brand like a retailer's; a flood does not drop it."""
        self._retailer_messages.put_nowait(token)

    def on_owner_message(self, entrance: str, incoming: InboundMessage) -> None:
        """Handle the owner's MQTT request to an entrance. A stop counts from this instant, before it is stored."""
        if incoming.retain:
            log.warning("stored_wish_ignored", entrance=entrance)
            return
        request = owner_requests.parse_owner_request(incoming.payload)
        if isinstance(request, str):
            log.warning("wish_not_understood", entrance=entrance, why=request)
            self._publish_reply(entrance, "?", why=request)
            return
        self.submit_request(entrance, request)

    def submit_request(
        self, entrance: str, request: owner_requests.AnyOwnerRequest, by: str | None = None
    ) -> asyncio.Future[str | None]:
        """Queue a request of a person (by id) or of the owner's account; a stop counts from this instant.

        The future's result is None, or why the request failed. If 200 wait, a stop joins the last queued one, behind
        all others, and any other request is refused. KeyError: there is no such entrance.
        """
        running = self.entrances[entrance]
        stops = isinstance(request, owner_requests.OwnerStopRequest) and request.do == "stop"
        queue = self._stop_requests if isinstance(request, owner_requests.OwnerStopRequest) else self._owner_requests
        queued = _QueuedRequest(entrance, request, by, asyncio.get_running_loop().create_future())
        if queue.qsize() >= MAX_QUEUED_REQUESTS:
            last = self._last_stop_requests.get(entrance)
            if stops and last is not None and not last.result.done() and last.request.do == "stop":
                return last.result
            if not stops:
                queued.result.set_result(TOO_MANY_REQUESTS)
                return queued.result
        if stops:
            running.latch_stop()
        if queue is self._stop_requests:
            self._last_stop_requests[entrance] = queued
        queue.put_nowait(queued)
        return queued.result

    async def plan_pause(
        self, entrance: str | None, start: datetime | None, end: datetime, by: str | None
    ) -> PlannedPause | PauseRefusal:
        """Pause deliveries from `start` (None: now) to `end`, at one entrance or (None) at all; else return why not."""
        now = self.clock.now()
        new = PlannedPause(id=secrets.token_hex(4), entrance=entrance, start=start or now.utc, end=end, by=by)
        return self._update_pauses(await self.store.pauses.plan(new, now))

    async def end_pause(self, pause: str, by: str | None) -> PlannedPause | PauseRefusal:
        """End a pause, or withdraw one that has not begun."""
        return self._update_pauses(await self.store.pauses.end(pause, self.clock.now(), by=by))

    def _update_pauses(self, outcome: PlannedPause | PauseRefusal) -> PlannedPause | PauseRefusal:
        for name, running in self.entrances.items():
            if isinstance(outcome, PlannedPause) and outcome.holds_at(name):
                running.post(e.PausesChanged(pauses=self.store.pauses.of_entrance(name)))
        return outcome

    async def refuse_delivery(self, delivery: str, by: str | None) -> str | None:
        """Refuse one expected delivery by its key; return None, or the code of why that is not possible.

        An own parcel is withdrawn. Raises StoreFailed.
        """
        brand, _point, ident = delivery.partition(".")
        if brand == OWN_BRAND:
            return await self.own_parcels.cancel(ident, by)
        problem = await self.store.deliveries.refuse(delivery, self.clock.now(), by=by)
        self.update_deliveries((delivery,))
        return None if problem is None else problem.value

    async def give_time(self, delivery: str, by: str | None) -> str | None:
        """Give half an hour to a courier who came late; return None, or the code of why not. Raises StoreFailed."""
        problem = await self.store.more_time.give(delivery, self.clock.now(), by=by)
        self.update_deliveries((delivery,))
        return None if problem is None else problem.value

    async def refuse_time(self, delivery: str, by: str | None) -> str | None:
        """Give a late courier no more time; return None, or the code of why not. Raises StoreFailed."""
        problem = await self.store.more_time.refuse(delivery, self.clock.now(), by=by)
        self.update_deliveries((delivery,))
        return None if problem is None else problem.value

    async def ask_time(self, delivery: str) -> str | None:
        """Put a late courier's question to the household; return None, or the code of why not. Raises StoreFailed."""
        asked = await self.store.more_time.ask(delivery, self.clock.now())
        if not isinstance(asked, Asked):
            return asked.value
        self.update_deliveries((delivery,))
        if asked.message is not None:
            self._notify_late(delivery, asked.message)
        return None

    async def take_in(self, delivery: str, by: str | None) -> str | None:
        """Note that the household took a parcel in at the door; return None, or the code of why that is not possible.

        Raises StoreFailed.
        """
        problem = await self.store.deliveries.take_in(delivery, self.clock.now(), by=by)
        self.update_deliveries((delivery,))
        return None if problem is None else problem.value

    async def distrust_key(self, x: str, by: str) -> str | None:
        """Revoke a brand's public key from this instant on; return None, or why that is not stored yet."""
        brand = self.store.brands.brand_of(x)
        self._unstored_distrusts[x] = by
        self._is_unstored.set()
        try:
            await self.store.brands.distrust(x, self.clock.now(), by=by)
        except StoreFailed as failure:
            return f"{HOLDS_UNSTORED}: {failure}"
        finally:
            self._on_brand_change(brand)
        self._unstored_distrusts.pop(x, None)
        return None

    async def trust_key(self, x: str, by: str) -> str | None:
        """Accept a brand's public key again; return None, or why that failed."""
        brand = self.store.brands.brand_of(x)
        unstored = self._unstored_distrusts.pop(x, None)
        try:
            await self.store.brands.trust(x, self.clock.now(), by=by)
        except StoreFailed as failure:
            if unstored is not None:
                self._unstored_distrusts[x] = unstored
                self._is_unstored.set()
            return f"not stored: {failure}"
        self._on_brand_change(brand)
        return None

    async def _process_requests(self, queue: asyncio.Queue[_QueuedRequest]) -> None:
        while True:
            queued = await queue.get()
            entrance, request = queued.entrance, queued.request
            why: str | None = INTERNAL_ERROR
            with self.containment.piece("owner's requests", request.id):
                why = await self._try_request(entrance, request, queued.by)
            self._publish_reply(entrance, request.id, why)
            if not queued.result.done():  # the requester may have gone
                queued.result.set_result(why)

    async def _try_request(self, entrance: str, request: owner_requests.AnyOwnerRequest, by: str | None) -> str | None:
        try:
            await self._perform_request(entrance, request, by)
        except (StoreFailed, OSError) as failure:
            return f"{NOT_STORED}: {failure}"
        except LookupError as failure:
            return str(failure.args[0]) if failure.args else "not known here"
        return None

    async def _perform_request(self, entrance: str, request: owner_requests.AnyOwnerRequest, by: str | None) -> None:
        running, now = self.entrances[entrance], self.clock.now()
        match request:
            case owner_requests.OwnerStopRequest(do="stop"):
                above = self._highest_epoch(entrance)
                try:
                    epoch = await self.store.entrances.set_stop(entrance, now, on=True, above=above, by=by)
                except StoreFailed:
                    self._unstored_epochs[entrance] = above + 1
                    self._unstored_stops.add(entrance)
                    self._is_unstored.set()
                    running.post(e.Stopped(epoch=above + 1))  # the stop holds although it is not stored
                    raise
                running.post(e.Stopped(epoch=epoch))
            case owner_requests.OwnerStopRequest():
                epoch = await self._store_lift(entrance, by)
                running.post(e.StopLifted(epoch=epoch))
            case owner_requests.OwnerAcknowledgeRequest():
                running.post(e.OwnerAcknowledged(visit=request.visit))
            case owner_requests.OwnerDecideRequest():
                running.post(e.OwnerDecided(visit=request.visit, yes=request.do == "approve"))
            case owner_requests.OwnerClearLockoutRequest():
                if request.scanner not in self.home.entrances[entrance].all_scanners:
                    raise LookupError(f"no scanner {request.scanner} at this entrance")
                running.post(e.LockoutCleared(scanner=request.scanner))
            case owner_requests.OwnerPresenceRequest():
                household = HouseholdPresence(somebody_home=request.do == "home", away=request.do == "away")
                await self.store.entrances.set_presence(entrance, household, now, by=by)
                running.post(e.HomeChanged(somebody_home=household.somebody_home, away=household.away))
            case owner_requests.OwnerPauseRequest():
                where = None if request.everywhere else entrance
                _require_pause(await self.plan_pause(where, request.start, request.end, by))
            case owner_requests.OwnerEndPauseRequest():
                _require_pause(await self.end_pause(request.pause, by))
            case owner_requests.OwnerLockRequest():
                running.post(e.LockRequested(id=f"lockup-{secrets.token_hex(4)}", by=by))
            case owner_requests.OwnerPermitRequest():
                await self.store.brands.decide(request.brand, _STANDINGS[request.do], now, by=by)
                self._on_brand_change(request.brand)
            case owner_requests.OwnerHoldRequest(do="erase"):
                await self.erase(request.visit, by)
            case owner_requests.OwnerHoldRequest():
                reason = request.why if request.do == "hold" else None
                await self.store.recordings.set_hold(request.visit, reason, now, by=by)
            case (
                owner_requests.OwnerRefuseDeliveryRequest()
                | owner_requests.OwnerTimeRequest()
                | owner_requests.OwnerTakeInRequest()
            ):
                _require_parcel(await self._perform_delivery_request(request, by))
            case owner_requests.OwnerAnnounceParcelRequest() | owner_requests.OwnerParcelRequest():
                _require_parcel(await self._perform_parcel_request(entrance, request, by))
            case _:
                assert_never(request)

    async def _perform_delivery_request(
        self,
        request: owner_requests.OwnerRefuseDeliveryRequest
        | owner_requests.OwnerTimeRequest
        | owner_requests.OwnerTakeInRequest,
        by: str | None,
    ) -> str | None:
        """Do what the household says about one delivery; return None, or the code of why that is refused."""
        perform = {
            "refuse_delivery": self.refuse_delivery,
            "give_time": self.give_time,
            "refuse_time": self.refuse_time,
            "take_in": self.take_in,
        }[request.do]
        return await perform(request.delivery, by)

    async def _perform_parcel_request(
        self, entrance: str, request: owner_requests.OwnerAnnounceParcelRequest | owner_requests.OwnerParcelRequest,
        by: str | None,
    ) -> str | None:  # fmt: skip
        """Announce or change an own parcel; return None, or the code of why that is refused."""
        match request:
            case owner_requests.OwnerAnnounceParcelRequest():
                return await self._announce_parcel(entrance, request, by)
            case owner_requests.OwnerParcelRequest(do="cancel_parcel"):
                return await self.own_parcels.cancel(request.parcel, by)
            case owner_requests.OwnerParcelRequest():
                return await self.own_parcels.say_today(request.parcel, by)

    async def _announce_parcel(
        self, entrance: str, request: owner_requests.OwnerAnnounceParcelRequest, by: str | None
    ) -> str | None:
        try:
            hours = None if request.hours is None else parse_day_hours(request.hours)
            first = date.fromisoformat(request.first_day)
            last = first if request.last_day is None else date.fromisoformat(request.last_day)
        except ValueError:
            return AnnouncementProblem.WINDOW.value
        announced = await self.own_parcels.announce(
            ParcelAnnouncement(
                number=request.number,
                entrance=entrance,
                place=request.place,
                first_day=first,
                last_day=last,
                hours=hours,
                carrier=request.carrier,
                note=request.note,
                comes_today=request.comes_today,
            ),
            by,
        )
        return announced if isinstance(announced, str) else None

    async def _store_lift(self, entrance: str, by: str | None) -> int:
        """Store that a stop is lifted and return its epoch; if that fails, an unstored stop stays pending."""
        is_unstored = entrance in self._unstored_stops
        self._unstored_stops.discard(entrance)
        try:
            above = self._highest_epoch(entrance)
            return await self.store.entrances.set_stop(entrance, self.clock.now(), on=False, above=above, by=by)
        except StoreFailed:
            if is_unstored:
                self._unstored_stops.add(entrance)
                self._is_unstored.set()
            raise

    async def _retry_unstored(self) -> None:
        """Store pending stops and revocations once the disk works: a restart must not cancel them."""
        while True:
            if not self._unstored_stops and not self._unstored_distrusts:
                self._is_unstored.clear()
                await self._is_unstored.wait()
            await asyncio.sleep(STORE_RETRY_DELAY_S)
            for entrance in tuple(self._unstored_stops):
                above = self._unstored_epochs[entrance] - 1
                with contextlib.suppress(StoreFailed):
                    await self.store.entrances.set_stop(entrance, self.clock.now(), on=True, above=above)
                    self._unstored_stops.discard(entrance)
            for x, by in tuple(self._unstored_distrusts.items()):
                with contextlib.suppress(StoreFailed):
                    await self.store.brands.distrust(x, self.clock.now(), by=by)
                    self._unstored_distrusts.pop(x, None)

    def _highest_epoch(self, entrance: str) -> int:
        return max(self.entrances[entrance].state.stop_epoch, self._unstored_epochs.get(entrance, 0))

    def _on_brand_change(self, brand: str) -> None:
        """Apply a changed permission at once, also to a visit that has no intent yet."""
        concerned: set[str] = set()
        for name, running in self.entrances.items():
            self.refresh_agenda(name)
            concerned |= {key for key, of in _tracked_deliveries(running.state).items() if of == brand}
        self.update_deliveries(tuple(sorted(concerned)))

    def _publish_reply(self, entrance: str, id_: str, why: str | None) -> None:
        body = {"event_id": secrets.token_hex(8), "at": rfc3339_ms(self.clock.now().utc), "entrance": entrance,
                "kind": "wish", "id": id_, "accepted": why is None, "why": why}  # fmt: skip
        self.publisher.publish(entrance_topic(entrance, "event"), json_bytes(body))


def _require_pause(outcome: PlannedPause | PauseRefusal) -> None:
    if isinstance(outcome, PauseRefusal):
        raise LookupError(f"no pause: {outcome}")  # noqa: TRY004 - the person's request failed, no type is wrong


def _require_parcel(refusal: str | None) -> None:
    if refusal is not None:
        raise LookupError(f"no parcel: {refusal}")


def _visit_on_its_way(state: Entrance) -> str | None:
    """Return the visit that has opened a closure and still has to open another one: its own opening is no obstacle."""
    visit = state.visit
    return visit.id if visit is not None and visit.unlock_intent and visit.phase in BETWEEN_INTENTS else None


def _tracked_deliveries(state: Entrance) -> dict[str, str]:
    visit = () if state.visit is None else (state.visit.delivery,)
    return {one.id: one.brand for one in (*visit, *(preflight.delivery for preflight in state.preflights))}
