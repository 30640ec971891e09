"""Runs walk tests: passes reports of the house to `installation.walk` and stores the progress.

Nothing here moves a lock by itself. "Lock" is an ordinary owner's request. The only opening is that of a delivery which
the test's own brand announces: signed, accepted like any retailer's, and admitted by all rules. Brand, key and
permission exist only during the test.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from hashlib import sha256

import structlog
from pydantic import ValidationError

from devices.reports import AnswerButtonReport
from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix
from gateway.config.closures import entrance_closures
from gateway.config.home import Home
from gateway.domain.delivery.barcodes import COURIER_TOKEN_BYTES, courier_token_digest, new_courier_token
from gateway.domain.delivery.permission import PermissionTerms
from gateway.domain.delivery.promise import Claims, Offer, Window, delivery_key
from gateway.domain.visit import events as e
from gateway.installation import discovery_scan, records
from gateway.installation import walk as walks
from gateway.installation.capability import Measurement, WalkTestStatus
from gateway.installation.device_probe import (
    DeviceAnswer,
    ProbeKeyUnusable,
    device_topics,
    measure_device,
    probe_devices,
)
from gateway.installation.discovery import DiscoveredDevice
from gateway.installation.trials import LIVE_TRIALS, TrialAnswer, WalkTrial
from gateway.installation.walk import WALK_TEST_BRAND, TestDelivery, WalkTest, WalkTestStep
from gateway.installation.walk_test_report import draw_report, sign_walk
from gateway.mqtt.client import ShortSession, connect_once
from gateway.mqtt.packets import InboundMessage
from gateway.protocol import owner_requests
from gateway.protocol.delivery_message import new_claims, sign_delivery
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.jws import EnrolledKey
from gateway.protocol.keys import BoxKey
from gateway.runtime.entrance import EntranceActor
from gateway.runtime.inbox import Inbox
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.config_section import ConfigError

log = structlog.get_logger(__name__)

POLL_INTERVAL_S = 0.25  # between two observations of the cameras
TEST_CARRIER = "Perron"
TEST_WINDOW = timedelta(hours=4)  # of the test's delivery: an installation takes long
RENEW_BEFORE_END = timedelta(minutes=15)  # the delivery is announced again so long before the end of its window
MAX_PICTURE_ATTEMPTS = 8  # a camera that has just started gives no picture yet
ASK_TIMEOUT_S = 5.0  # for the answer of a device that nobody has added yet
MEASUREMENT_COUNT = 5  # queries of a measurement


class WalkTestRunner:
    """Runs the walk tests of all entrances; it observes an entrance after each of its changes.

    `take_picture` returns a current JPEG of a camera. `on_change` is called when a walk test has changed. What stores
    something raises OSError if it cannot; without a begun walk test it raises LookupError.
    """

    def __init__(  # noqa: PLR0913 - each argument is another part of the gateway
        self,
        home: Home,
        *,
        store: Store,
        clock: Clock,
        inbox: Inbox,
        entrances: Mapping[str, EntranceActor],
        take_picture: Callable[[str], Awaitable[bytes | None]],
        key: BoxKey,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._home, self._store, self._clock, self._inbox = home, store, clock, inbox
        self._entrances, self._take_picture, self._key = entrances, take_picture, key
        self._folder = home.storage.folder
        self._walks: dict[str, WalkTest] = {}
        self._unreadable: set[str] = set()
        for name in home.entrances:
            try:
                walk = records.read_walk(self._folder, name)
            except (OSError, ValidationError):  # nobody knows what it forbade
                file = records.walk_file(self._folder, name)
                log.error("walk_unreadable", entrance=name, why=f"{file} cannot be read")
                self._unreadable.add(name)
                continue
            if walk is not None:
                self._walks[name] = walks.resume(walk)
        self._answer_pressed: set[str] = set()
        self._wrong_code_counts: dict[str, dict[str, int]] = {}  # entrance -> scanner -> unknown codes
        self._seen_live: dict[str, frozenset[str]] = {}  # in this process; a start is no loss
        self._sessions: dict[str, int] = {}  # entrance -> broker session that was last observed
        # Entrances that have decided since the start, so that their state is current
        self._decided_entrances: set[str] = set()
        self._unsaved: set[str] = set()
        self._save_lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._picture_lock = asyncio.Lock()
        self.installer_lock = asyncio.Lock()  # of the installer's account at the broker, which has one connection
        self._on_change = on_change
        for name, entrance in entrances.items():
            entrance.on_change.append(partial(self._on_decision, name))
            entrance.post(e.WalkTestChanged(failed=self.forbids_visits(name)))

    def forbids_visits(self, entrance: str) -> bool:
        """Return whether the walk test refuses deliveries at this entrance while nobody is home."""
        return walks.forbids_visits(self.status(entrance))

    def status(self, entrance: str) -> WalkTestStatus:
        """Return the status of an entrance's walk test; FAILED if it cannot be read."""
        if entrance in self._unreadable:
            return WalkTestStatus.FAILED
        return walks.status_with_devices(self._walks.get(entrance), walks.fitted_devices(self._home, entrance))

    def walk(self, entrance: str) -> WalkTest | None:
        """Return the entrance's walk test; None: none was begun."""
        return self._walks.get(entrance)

    def codes(self, entrance: str) -> tuple[str, ...]:
        """Return the codes to scan for the test's delivery: the parcel's and, if required, the courier's."""
        walk = self._walks.get(entrance)
        if walk is None or walk.promised is None:
            return ()
        if not self._home.entrances[entrance].needs_courier_token:
            return (walk.promised.parcel,)
        return walk.promised.parcel, new_courier_token(bytes.fromhex(walk.promised.secret))

    def on_message(self, device: str, channel: TopicSuffix, incoming: InboundMessage) -> None:
        """Process a device's message; only the answer button matters, the rest is in the entrance's state."""
        section = self._home.devices[device]
        if section.kind != "signal" or incoming.retain or not self._walks:
            return
        reports = VENDORS[section.vendor].decode_report(channel, incoming.payload, section.device_ref)
        if any(isinstance(report, AnswerButtonReport) for report in reports):
            for name, entrance in self._home.entrances.items():
                if entrance.signal == device:
                    self._answer_pressed.add(name)
                    self.observe(name)

    def observe(self, name: str) -> None:
        """Observe the entrance now; also called after each of its decisions."""
        walk = self._walks.get(name)
        if walk is None or walk.current is None or name not in self._decided_entrances:
            return
        state = self._entrances[name].state
        live = frozenset(camera for camera, at in state.cameras.items() if at.live)
        wrong = {
            scanner: len(attempts.unknown_codes) + attempts.locked_out
            for scanner, attempts in state.scan_lockouts.items()
        }
        counted_before = self._wrong_code_counts.get(name, wrong)
        observation = walks.HouseObservation(
            state=state,
            mono=self._clock.now().mono,
            delivery=None if walk.promised is None else delivery_key(WALK_TEST_BRAND, walk.promised.id),
            answer_was_pressed=name in self._answer_pressed,
            wrong_code_scanners=frozenset(one for one in wrong if wrong[one] > counted_before.get(one, 0)),
            live_cameras=live,
            lost_cameras=self._seen_live.get(name, frozenset()) - live,
            is_broker_lost=name in self._sessions and state.broker_session != self._sessions[name],
        )
        self._seen_live[name] = self._seen_live.get(name, frozenset()) | live
        if state.broker_session is not None:
            self._sessions[name] = state.broker_session
        self._answer_pressed.discard(name)
        self._wrong_code_counts[name] = wrong
        self._update(walks.advance(walk, observation, self._clock.now().utc))

    def _update(self, walk: WalkTest) -> None:
        name, before = walk.entrance, self.forbids_visits(walk.entrance)
        if walk == self._walks.get(name):
            return
        self._walks[name] = walk
        self._unsaved.add(name)
        self._wake.set()
        self._on_change()
        if self.forbids_visits(name) is not before:
            self._entrances[name].post(e.WalkTestChanged(failed=self.forbids_visits(name)))

    def _on_decision(self, name: str) -> None:
        self._decided_entrances.add(name)
        self.observe(name)

    async def begin(self, name: str, by: str, *, person: str | None = None, asks_owner: bool = False) -> None:
        """Begin a new walk test. What an earlier one forbade stays forbidden until this one is passed."""
        before = self.status(name)
        self._unreadable.discard(name)
        old, now = self._walks.get(name), self._clock.now().utc
        if old is not None:
            await self._withdraw_delivery(old)
            await asyncio.to_thread(records.keep_former_walk, self._folder, old)
        walk = WalkTest(
            entrance=name, begun=now, by=by, person=person, asks_owner=asks_owner, before=before,
            fitted=walks.fitted_devices(self._home, name),
            steps=walks.walk_steps(self._home.entrances[name], entrance_closures(self._home, name)),
        )  # fmt: skip
        await asyncio.to_thread(records.delete_pictures, self._folder, name)
        self._wrong_code_counts.pop(name, None)
        self._update(walk)
        await self._save()
        self.observe(name)

    async def answer(self, name: str, number: int, answer: TrialAnswer, *, asks_owner: bool = False) -> None:
        """Process an answer of the person at the door; it is stored when this returns.

        After an answer with `asks_owner` the gateway asks the owner before it admits the test's delivery, even if the
        owner began the test: else another person could repeat that delivery months later and open the door.
        ValueError: this trial does not accept that answer now.
        """
        walk = walks.answer_trial(self._require_walk(name), number, answer, self._clock.now().utc)
        taken_over = asks_owner and not walk.asks_owner
        if taken_over or walk.steps[number].trial is WalkTrial.DELIVERY:  # the next trial has another one
            await self._withdraw_delivery(walk)
            walk = walk.model_copy(update={"promised": None, "asks_owner": walk.asks_owner or asks_owner})
        self._update(walk)
        await self._save()
        self.observe(name)

    async def lock(self, name: str, by: str | None) -> str | None:
        """Request to lock now; None, or why it was refused."""
        return await self._inbox.submit_request(
            name, owner_requests.OwnerLockRequest(id=f"walk-{secrets.token_hex(4)}", do="lock"), by
        )

    async def trial_picture(self, name: str, number: int) -> bytes:
        """Return the picture of trial `number`, which stays the same until the trial is repeated.

        LookupError: this trial has no picture, or the camera gives none now.
        """
        async with self._picture_lock:  # two pages must show the same picture
            walk = self._require_walk(name)
            step = walk.steps[number] if 0 <= number < len(walk.steps) else None
            if step is None or not step.shows_picture or step.camera is None:
                raise LookupError("this trial asks about no picture")
            file = records.picture_file(self._folder, name, number)
            if step.picture is not None:
                with contextlib.suppress(OSError):
                    return await asyncio.to_thread(file.read_bytes)
            for _ in range(MAX_PICTURE_ATTEMPTS):
                jpeg = await self._take_picture(step.camera)
                if jpeg is not None:
                    break
                await asyncio.sleep(POLL_INTERVAL_S)
            else:
                raise LookupError("the camera gives no live picture now")
            await asyncio.to_thread(records.write_file, file, jpeg)
            self._update(walks.record_picture(self._require_walk(name), number, sha256(jpeg).hexdigest()))
            await self._save()
            return jpeg

    def _require_walk(self, name: str) -> WalkTest:
        walk = self._walks.get(name)
        if walk is None:
            raise LookupError("no walk test was begun here")
        return walk

    def _installer_session(self, topics: Sequence[str]) -> AbstractAsyncContextManager[ShortSession]:
        account, clock = self._home.broker.account("installer"), asyncio.get_running_loop().time
        return connect_once(account, topics, monotonic=clock)

    async def discover(self, seconds: float) -> tuple[tuple[DiscoveredDevice, ...], str | None]:
        """Collect announced devices for `seconds`; also return why the broker could not be read, or None."""
        devices: list[DiscoveredDevice] = []

        async def scan_broker() -> str | None:
            try:
                async with (
                    self.installer_lock,
                    self._installer_session(discovery_scan.discovery_topics(self._home)) as session,
                ):
                    await discovery_scan.scan_broker(self._home, session, seconds, devices.append)
            except (ConnectionError, ConfigError) as error:
                return str(error)
            return None

        from gateway.installation import mdns  # noqa: PLC0415 - zeroconf is for installers: a house does not start with it

        error, _ = await asyncio.gather(scan_broker(), mdns.scan_network(self._home, seconds, devices.append))
        return tuple({device.key: device for device in devices}.values()), error

    async def measure(self, device: str, *, count: int = MEASUREMENT_COUNT) -> Measurement | str:
        """Query a device `count` times and store the measurement; or return why it cannot be queried.

        ConnectionError: the broker cannot be reached.
        """
        topics, now = device_topics(self._home, [device]), self._clock.now().utc
        try:
            async with self.installer_lock, self._installer_session(topics) as session:
                measurement = await measure_device(self._home, session, device, count=count, now=now)
        except (ConfigError, ProbeKeyUnusable) as error:
            return str(error)
        if not isinstance(measurement, str):
            await asyncio.to_thread(records.store_measurements, self._folder, {device: measurement})
        return measurement

    async def ask(self, house: Home, device: str) -> DeviceAnswer:
        """Query one device of `house`, which may have more devices than the running one.

        Raises:
            ConnectionError, ConfigError, ProbeKeyUnusable: the broker, or the gateway's key, cannot be used.
        """
        topics = device_topics(house, [device])
        async with self.installer_lock, self._installer_session(topics) as session:
            asked = await probe_devices(
                house, session, [device], timeout_s=ASK_TIMEOUT_S, correlation_prefix="try", min_wait_s=0.0
            )
        return asked.devices[device]

    async def run(self) -> None:
        """Observe, announce the test's delivery, and store changes, until cancelled."""
        await self._resume()
        while True:
            for name in tuple(self._walks):
                self.observe(name)
                await self._manage_delivery(self._walks[name])
            try:
                await self._save()
            except OSError as failure:
                log.error("walk_not_written", why=str(failure))
            open_ = any(walk.current is not None for walk in self._walks.values())
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_INTERVAL_S if open_ else None):
                    await self._wake.wait()

    async def _resume(self) -> None:
        """After a start, add the keys of running tests again; without one, delete what an earlier test left."""
        running = [walk for walk in self._walks.values() if walk.promised is not None and walk.current is not None]
        for walk in running:
            self._add_test_key(walk)
        if not running:
            with contextlib.suppress(StoreFailed):
                await self._store.brands.revoke_test_brand(WALK_TEST_BRAND, self._clock.now())

    async def _manage_delivery(self, walk: WalkTest) -> None:
        """Announce the test's delivery when its cameras must run; withdraw it and write the report at the end."""
        number = walk.current
        try:
            if number is not None:
                if self._is_delivery_due(walk, walk.steps[number]):
                    await self._announce_delivery(walk)
                return
            if walk.promised is not None:
                await self._withdraw_delivery(walk)
                self._update(self._walks[walk.entrance].model_copy(update={"promised": None}))
            if not walk.reported:
                await self._write_report(self._walks[walk.entrance])
        except (StoreFailed, OSError) as failure:
            log.error("walk_not_minded", entrance=walk.entrance, why=str(failure))

    async def _write_report(self, walk: WalkTest) -> None:
        measurements = records.read_measurements(self._folder)
        pictures = await asyncio.to_thread(records.read_pictures, self._folder, walk)
        reported, now = walk.model_copy(update={"reported": True}), self._clock.now().utc
        report = await asyncio.to_thread(
            draw_report, self._home, reported, measurements, pictures, made=now, box=self._key.public
        )
        signed = sign_walk(self._home, reported, report, self._key)
        await asyncio.to_thread(records.store_report, self._folder, walk.entrance, report, signed)
        self._update(reported)

    def _is_delivery_due(self, walk: WalkTest, step: WalkTestStep) -> bool:
        if step.trial not in LIVE_TRIALS or not self._clock.now().trusted:
            return False
        return walk.promised is None or walk.promised.until - self._clock.now().utc < RENEW_BEFORE_END

    async def _announce_delivery(self, walk: WalkTest) -> None:
        await self._withdraw_delivery(walk)
        now, name = self._clock.now(), walk.entrance
        start = now.utc.replace(microsecond=0)
        section = self._home.entrances[name]
        place = walks.test_place(section)
        promised = TestDelivery(
            id=f"walk-{secrets.token_hex(4)}",
            parcel=f"PERRON-WALK-{secrets.token_hex(4)}",
            secret=secrets.token_hex(COURIER_TOKEN_BYTES),
            seed=secrets.token_hex(32),
            until=start + TEST_WINDOW,
        )
        terms = PermissionTerms(
            entrances=frozenset({name}), places=frozenset({place}), carriers=frozenset({TEST_CARRIER}),
            ask_each_time=walk.asks_owner or now.utc - walk.begun >= TEST_WINDOW,
            expires=promised.until + timedelta(minutes=1),
        )  # fmt: skip
        await self._store.brands.grant_test_brand(WALK_TEST_BRAND, terms, now, by=walk.person)
        walk = self._walks[name].model_copy(update={"promised": promised})
        self._update(walk)
        self._add_test_key(walk)
        offer = Offer(
            id=promised.id, version=1, entrance=name, carrier=TEST_CARRIER, place=place,
            window=Window(start=start, end=promised.until), parcels=(promised.parcel,),
            courier_sha256=(
                courier_token_digest(bytes.fromhex(promised.secret)) if section.needs_courier_token else None
            ),
        )  # fmt: skip
        claims = Claims(**new_claims(WALK_TEST_BRAND, self._home.box, now.utc), delivery=offer)
        key = SigningKey.from_seed(bytes.fromhex(promised.seed))
        self._inbox.submit_test_message(sign_delivery(claims, key, kid=promised.id))

    def _add_test_key(self, walk: WalkTest) -> None:
        if walk.promised is not None:
            public = SigningKey.from_seed(bytes.fromhex(walk.promised.seed)).public
            self._store.brands.add_test_key(walk.promised.id, EnrolledKey(WALK_TEST_BRAND, public))

    async def _withdraw_delivery(self, walk: WalkTest) -> None:
        """Delete brand, key and permission, so that the announced delivery is refused."""
        if walk.promised is not None:
            await self._store.brands.revoke_test_brand(WALK_TEST_BRAND, self._clock.now())
            self._inbox.remove_test_key(walk.promised.id)

    async def _save(self) -> None:
        async with self._save_lock:
            names, self._unsaved = self._unsaved, set()
            try:
                for name in tuple(names):
                    await asyncio.to_thread(records.store_walk, self._folder, self._walks[name])
                    names.discard(name)
            finally:
                self._unsaved |= names
