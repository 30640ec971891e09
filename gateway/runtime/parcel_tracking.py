"""Follows the household's parcels, as the devices of kind `parcels` (its Home Assistant) report them.

Only a live report counts, and only on its day (`domain/delivery/own_parcel.py`). What the broker has stored, what was
known before the connection was lost, and what an entity that became unavailable had said before are unknown.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

import structlog

from devices import commands as d
from devices import reports as r
from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix
from gateway.config.devices import ParcelsDevice
from gateway.config.home import Home
from gateway.config.topics import device_topic
from gateway.domain.delivery.own_parcel import TrackedStatus, live_status, tracked_statuses
from gateway.domain.now import Now
from gateway.mqtt.packets import InboundMessage
from gateway.mqtt.publisher import Publisher
from gateway.runtime.reconnects import ReconnectTracker
from gateway.storage.models import StoreFailed
from gateway.storage.own_parcels import OwnParcel
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.containment import Containment

log = structlog.get_logger(__name__)

QUERY_INTERVAL_S = 300.0  # seconds between two queries to tracking that answers, while a parcel is expected
POLL_INTERVAL_S = 5.0  # seconds between two looks at what is due
QUERY_LIFE_S = 60  # seconds after which the broker drops a query
ANSWER_AGE = timedelta(seconds=3 * QUERY_INTERVAL_S)  # after it, tracking that answers and has not is unknown


@dataclass(eq=False, repr=False)
class ParcelTracker:
    """Keeps `store.tracked` up to date. `on_change` gets the keys of the owner's parcels whose status has changed."""

    home: Home
    _: KW_ONLY
    store: Store
    publisher: Publisher
    clock: Clock
    on_change: Callable[[tuple[str, ...]], None]
    containment: Containment = field(default_factory=Containment)

    def __post_init__(self) -> None:
        self.devices = {id_: one for id_, one in self.home.devices.items() if isinstance(one, ParcelsDevice)}
        self._zone = ZoneInfo(self.home.timezone)
        self._known: dict[str, dict[str, TrackedStatus]] = {}  # by device
        self._updated: dict[str, datetime] = {}  # device -> when its tracking last learnt something, if it says so
        self._session: int | None = None
        self._queries = 0
        self._first_query: dict[str, int] = {}  # device -> the first query of this session
        self._reconnects = ReconnectTracker()
        self._wake = asyncio.Event()

    def on_message(self, device: str, channel: TopicSuffix, incoming: InboundMessage) -> None:
        """Take a message of one of `devices`. What the broker had stored says nothing about today."""
        section = self.devices[device]
        reports = VENDORS[section.vendor].decode_report(channel, incoming.payload, section.device_ref)
        echo = next((report.echo for report in reports if isinstance(report, r.CorrelationReport)), None)
        for report in reports:
            match report:
                case r.AvailabilityReport(online=False):
                    self._reconnects.lost(device)
                    self._forget(device)
                case r.AvailabilityReport(online=True):
                    live = channel is TopicSuffix.BRIDGE and not incoming.retain
                    self._reconnects.online(device, self.clock.now().mono, by_bridge=live)
                case r.ParcelsReport(parcels=None):
                    self._forget(device)
                case r.UpdateTimeReport(at=at) if not incoming.retain:
                    self._updated[device] = at
                case r.ParcelsReport(parcels=tuple() as parcels) if not incoming.retain:
                    self._on_parcels(device, channel, parcels, session=incoming.session, echo=echo)
                case r.UnreadablePayload(why=why):
                    log.warning("device_says", device=device, report=f"cannot be read: {why}")
                    if channel not in (TopicSuffix.BATTERY, TopicSuffix.LAST_UPDATED):
                        self._forget(device)
                case _:
                    pass

    def _on_parcels(
        self, device: str, channel: TopicSuffix, parcels: tuple[r.TrackedParcel, ...], *, session: int, echo: str | None
    ) -> None:
        """Take a live list. A Home Assistant that has just started may repeat what it knew before its restart."""
        now = self.clock.now()
        if channel is TopicSuffix.RESULT:
            if self._is_answer(device, session, echo):
                self._learn(device, parcels, now)
        elif not self._reconnects.settling(device, now.mono):
            self._learn(device, parcels, now)

    def _is_answer(self, device: str, session: int, echo: str | None) -> bool:
        """Return whether this answers a query of this connection: an older answer may be of yesterday."""
        number = InboundMessage(
            topic="", payload=b"", retain=False, session=session, correlation=(echo or "").encode()
        ).answered_query
        first = self._first_query.get(device)
        return number is not None and first is not None and first <= number <= self._queries

    def _learn(self, device: str, parcels: tuple[r.TrackedParcel, ...], now: Now) -> None:
        section = self.devices[device]
        at = self._updated.get(device, now.utc)
        if not now.trusted or at.astimezone(self._zone).date() != now.utc.astimezone(self._zone).date():
            self._forget(device)  # tracking that has learnt nothing today repeats what it knew
            return
        age = ANSWER_AGE if section.can_be_queried else timedelta(hours=section.max_age_h)
        numbers = ((parcel.number, parcel.status) for parcel in parcels)
        self._known[device] = dict(tracked_statuses(numbers, at=now.utc, until=now.utc + age))
        self._publish_changes()

    def _forget(self, device: str) -> None:
        self._updated.pop(device, None)
        if self._known.pop(device, None):
            self._publish_changes()

    def _publish_changes(self) -> None:
        """Make the reports of all devices count; two that disagree about a parcel make it unknown."""
        before = {code: status.status for code, status in self.store.tracked.items()}
        merged: dict[str, TrackedStatus] = {}
        for code, known in chain.from_iterable(known.items() for known in self._known.values()):
            other = merged.get(code, known)
            agree = other.status is known.status
            status = known.status if agree else r.ParcelStatus.UNKNOWN
            merged[code] = TrackedStatus(status=status, at=known.at, until=min(known.until, other.until))
        self.store.tracked.clear()
        self.store.tracked.update(merged)
        after = {code: status.status for code, status in merged.items()}
        changed = {code for code in before.keys() | after.keys() if before.get(code) is not after.get(code)}
        expected = self.store.own_parcels.parcels(open_at=self.clock.now())
        keys = tuple(parcel.key for parcel in expected if parcel.code in changed)
        if keys:
            self.on_change(keys)
        self._wake.set()

    def on_connected(self, session: int) -> None:
        """Start a new broker session: everything is unknown, and what answers is queried."""
        self._session, self._first_query = session, {}
        for device in self.devices:
            self._forget(device)
            self._query(device)

    def on_disconnected(self) -> None:
        """Forget everything: changes are missed from now on."""
        self._session = None
        for device in self.devices:
            self._forget(device)

    def on_missed(self, device: str) -> None:
        """Forget what a device said whose message was dropped unread."""
        self._forget(device)
        self._query(device)

    def query(self) -> None:
        """Query everything that answers, because somebody wants to know now."""
        for device in self.devices:
            self._query(device)

    def _query(self, device: str) -> None:
        section = self.devices[device]
        if not section.can_be_queried or self._session is None:
            return
        self._queries += 1
        self._first_query.setdefault(device, self._queries)
        echo = f"{self._session}:{self._queries}"
        publication = VENDORS[section.vendor].encode_command(d.QueryState(echo=echo), section.device_ref)
        self.publisher.publish(
            device_topic(self.home, device, publication.suffix),
            publication.payload,
            expiry=QUERY_LIFE_S,
            correlation=echo.encode(),
            response_topic=device_topic(self.home, device, TopicSuffix.RESULT),
        )

    async def run(self) -> None:
        """Query again while a parcel is expected, and close parcels that were delivered elsewhere, until cancelled."""
        due_mono = 0.0
        while True:
            self._wake.clear()
            expected = self.store.own_parcels.parcels(open_at=self.clock.now())
            await self._close_delivered(expected)
            mono = self.clock.now().mono
            settled = self._reconnects.settled(mono)
            is_due = bool(expected) and mono >= due_mono
            for device in self.devices if is_due else settled:
                self._query(device)
            if is_due:
                due_mono = mono + QUERY_INTERVAL_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_INTERVAL_S):
                    await self._wake.wait()

    async def _close_delivered(self, expected: tuple[OwnParcel, ...]) -> None:
        now = self.clock.now()
        for parcel in expected:
            status = live_status(frozenset({parcel.code}), self.store.tracked, zone=self._zone, now=now)
            if status is not r.ParcelStatus.DELIVERED or parcel.row.usage.visiting:
                continue
            try:
                refusal = await self.store.own_parcels.close_delivered(parcel.key, now)
            except StoreFailed as failure:
                log.warning("parcel_not_closed", why=str(failure))
                continue
            if refusal is None:
                self.on_change((parcel.key,))
