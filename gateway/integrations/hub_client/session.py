"""Runs sessions with the hub: hello, jobs and their receipts, events until the hub has stored them.

No door waits for this module and it waits for no door: jobs are in a short queue of their own, and those that do not
fit are dropped, because the hub sends each job again until it has a receipt. The hub decides nothing: a job counts by
the signature inside it.
"""

import asyncio
import contextlib
import random
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import structlog
from pydantic import ValidationError

from gateway.config.home import Home, HubSection
from gateway.integrations.hub_client.enrolment import HUB_FOLDER, LinkStatus, store_support_code, write_status
from gateway.integrations.hub_client.flow_control import MAX_UNACKNOWLEDGED_EVENTS, SendWindow
from gateway.integrations.hub_client.statements import StatementBook
from gateway.integrations.hub_client.unenrolment import Unenrolment
from gateway.mqtt.client import MqttClient
from gateway.mqtt.packets import BirthAndWill, ConnectionOptions, InboundMessage, Sent
from gateway.protocol import box_hub
from gateway.protocol.key_succession import KeyHistory
from gateway.protocol.keys import BoxKey
from gateway.protocol.strict_json import loads
from gateway.storage.hub_journal import EventSigner
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.backoff import Backoff, lengthened
from gateway.system.clock import Clock
from gateway.system.config_section import ConfigError
from gateway.system.containment import Containment
from gateway.system.mqtt_settings import Subscription
from gateway.system.token_bucket import FixedWindow, TokenBucket

log = structlog.get_logger(__name__)

MAX_QUEUED_JOBS = 50  # the hub sends a dropped job again
MAX_COMMAS = 12  # commas in a message: a valid one has only a few parts, and a token has no comma
PAUSE_BETWEEN_JOBS_S = 0.02  # seconds between two jobs: a flood uses no more of the disk than this
POLL_INTERVAL_S = 0.5  # seconds between two checks for what is due to the hub: two index look-ups
STORE_RETRY_DELAY_S = 5.0  # seconds until a failed disk is tried again
FILE_RETRY_DELAY_S = 60.0  # seconds until unusable files are read again
ERROR_LOG_INTERVAL_S = 60.0  # seconds between two log entries about a hub's errors
MEMBERSHIP_BACKOFF = Backoff(5.0, 600.0)  # between queries whether the hub accepts this home, while the uplink is down
STATUS_WRITE_INTERVAL_S = 10.0  # seconds between two updates of the number of waiting events
SUPPORT_CODE_INTERVAL_S = 60.0  # seconds between two support codes that are accepted from a hub
MESSAGE_EXPIRY_S = 300  # seconds that the broker keeps a message for the hub
# The QoS of the subscription, connection by connection. Either would do: a job has a receipt, all else is requested
# again. RabbitMQ names a client's queue by its QoS. After a partition a node deletes its old clients' queues by name,
# even if another node has made that queue again (4.0.5: 120 of 1,000 homes received nothing). So the name changes.
SUBSCRIBE_QOS = (0, 1)
MAX_KEY_CHANGES_SENT = 16  # the newest changes of the box's key
MAX_ENTRANCES_SENT = 32  # more would not fit into a `Hello`

W = TypeVar("W", box_hub.Ack, box_hub.HubSpeaks, box_hub.SealedQuery, box_hub.Job)

MAX_CONCURRENT_QUERIES = 32  # queries of the household in progress at a time
MAX_QUERIES_PER_SECOND = 60  # a flood of queries takes no more of the loop than this
ANSWER_EXPIRY_S = 25  # seconds that the broker keeps an answer

JobHandler = Callable[[box_hub.Job], Awaitable[box_hub.JobReceipt | None]]
"""Handles one kind of job. None: neither stored nor refused; the hub must send it again."""

QuestionHandler = Callable[[box_hub.SealedQuery], Awaitable[str | None]]
"""Answers an encrypted query of the household, encrypted; None: the query is invalid."""


class Uplink:
    """The uplink of the box. `handlers`: the handler of each kind of job; other kinds are refused.

    `leaving`: this home at the hub is the former household's: no job is accepted, and the uplink ends once the hub has
    all that was due.
    """

    def __init__(  # noqa: PLR0913 - the parts of the box that the uplink uses
        self,
        home: Home,
        section: HubSection,
        *,
        store: Store,
        clock: Clock,
        key: BoxKey,
        keys: KeyHistory,
        handlers: Mapping[box_hub.JobKind, JobHandler],
        monotonic: Callable[[], float],
        leaving: bool = False,
        unenrolment: Unenrolment,
        reached: Callable[[str], None] = lambda _point: None,
        contained: Containment | None = None,
    ) -> None:
        self._containment = contained or Containment()
        self._home, self._section, self._store, self._clock = home, section, store, clock
        self._key, self._key_succession, self._handlers = key, keys, dict(handlers)
        self._leave_at_once, self._crash_point = False, reached
        self._unenrolment = unenrolment
        self._boot = secrets.token_hex(8)
        self._jobs: asyncio.Queue[bytes] = asyncio.Queue()
        self._ack: bytes | None = None
        self._speaks: bytes | None = None  # the hub's messages about itself since the newest hello
        self._work_pending = asyncio.Event()
        self._hello_due, self._hello_sent = False, False  # the session began; its hello was sent
        self._reconnect = asyncio.Event()
        self._renumbered = False
        self._sending = SendWindow()
        self._statements = StatementBook(section.home, key, robot_entrances=home.robot_entrances)
        self._status_written_mono = float("-inf")
        self._error_rate = FixedWindow(1, ERROR_LOG_INTERVAL_S)
        self._support_code_rate = FixedWindow(1, SUPPORT_CODE_INTERVAL_S)
        self._folder, self._support_code = home.storage.folder / HUB_FOLDER, ""
        self._status = LinkStatus(home=section.home, up=False, since=clock.now().utc, waiting=0, leaving=leaving)
        self._written_status: LinkStatus | None = None
        self._shard = box_hub.shard_of(section.home) if section.shard is None else section.shard
        self._topic = {
            what: box_hub.up_topic(self._shard, section.home, what) for what in ("hello", "status", "evt", "gone")
        }
        topic = box_hub.down_topic(section.home, "+")
        self._mqtt = MqttClient(
            broker=section.broker,
            subscriptions=[Subscription(topic=topic)],
            on_message=self._on_message,
            on_up=self._on_up,
            on_down=self._on_down,
            on_missed=lambda _topic: None,  # the hub sends each job without a receipt again
            monotonic=monotonic,
            birth_and_will=BirthAndWill(topic=self._topic["gone"], online=None, offline=b"{}", retain=False),
            options=ConnectionOptions(
                keepalive_s=section.keepalive, connect_timeout_s=10.0, max_backoff_s=60.0, qos=SUBSCRIBE_QOS
            ),
        )
        self._monotonic = monotonic
        self._question_handler: QuestionHandler | None = None
        self._task_group: asyncio.TaskGroup | None = None
        self._question_tasks: set[asyncio.Task[None]] = set()
        self._query_rate = TokenBucket(MAX_QUERIES_PER_SECOND, MAX_CONCURRENT_QUERIES)

    def serve(self, *, on_owner_job: JobHandler, on_question: QuestionHandler) -> None:
        """Let the household's browsers send orders and questions through this uplink."""
        self._handlers[box_hub.JobKind.OWNER], self._question_handler = on_owner_job, on_question

    @property
    def status(self) -> LinkStatus:
        """Return the current state of the uplink."""
        journal, status = self._store.hub_journal, self._status
        why = None if status.up else self._mqtt.failure or status.why
        waiting = max(0, journal.last_seq() - journal.acknowledged_seq())
        return status.model_copy(update={"why": None if why is None else why[:400], "waiting": waiting})

    def leave(self, *, immediately: bool) -> None:
        """Leave the hub, as the store has recorded: after everything due is sent, or `immediately`."""
        self._leave_at_once = self._leave_at_once or immediately
        self._status = self._status.model_copy(update={"leaving": True})
        self._work_pending.set()

    async def run(self) -> None:
        """Run until cancelled; an uplink that is leaving ends by itself."""
        signer = EventSigner(home=self._section.home, key=self._key)
        while True:
            with contextlib.suppress(StoreFailed):  # a full disk stops the uplink, and nothing else
                await self._store.hub_journal.set_signer(signer, self._clock.now())
                break
            await asyncio.sleep(STORE_RETRY_DELAY_S)
        async with asyncio.TaskGroup() as self._task_group:
            group = self._task_group
            line = group.create_task(self._connect(), name="hub: line")
            jobs = group.create_task(self._run_jobs(), name="hub: jobs")
            asking = group.create_task(self._check_membership(), name="hub: let in")
            await self._send_events()
            asking.cancel()
            await self._unenrolment.end(immediately=lambda: self._leave_at_once)
            for task in (line, jobs, *self._question_tasks):
                task.cancel()

    async def _connect(self) -> None:
        """Keep the connection up. An unusable certificate stops the uplink, and nothing else of the box."""
        while True:
            line, anew = asyncio.ensure_future(self._mqtt.run()), asyncio.ensure_future(self._reconnect.wait())
            try:
                await asyncio.wait({line, anew}, return_when=asyncio.FIRST_COMPLETED)
                if not line.done():
                    log.warning("hub_line_made_anew", why="hellos without an answer")
                    self._reconnect.clear()
                    continue
                line.result()
            except ConfigError as error:
                log.error("hub_out_of_reach", why=str(error))
            finally:
                for task in (line, anew):
                    task.cancel()
                await asyncio.wait({line, anew})
            await asyncio.sleep(FILE_RETRY_DELAY_S)

    def _on_message(self, incoming: InboundMessage) -> None:
        """Queue a message unread: a flood costs no more of the loop than its bytes. It is read later."""
        with self._containment.piece("hub", incoming.topic):
            home, topic = self._section.home, incoming.topic
            if incoming.retain:
                return
            if topic == box_hub.down_topic(home, "ask"):
                self._on_question(incoming.payload)
            elif topic == box_hub.down_topic(home, "ack"):
                self._ack = incoming.payload  # the newest contains everything
                self._work_pending.set()
            elif topic == box_hub.down_topic(home, "speaks"):
                self._speaks = incoming.payload
            elif topic == box_hub.down_topic(home, "jobs") and self._jobs.qsize() < MAX_QUEUED_JOBS:
                self._jobs.put_nowait(incoming.payload)

    def _on_question(self, payload: bytes) -> None:
        """Answer a household's query in its own task. Excess queries get no answer; the browser repeats them."""
        if self._status.leaving or self._question_handler is None or self._task_group is None:
            return
        if len(self._question_tasks) >= MAX_CONCURRENT_QUERIES or not self._query_rate.take(self._monotonic()):
            return
        if query := _parse(box_hub.SealedQuery, payload):
            answering = self._answer_question(self._question_handler, query)
            task = self._task_group.create_task(answering, name="hub: answer")
            self._question_tasks.add(task)
            task.add_done_callback(self._question_tasks.discard)

    async def _answer_question(self, handler: QuestionHandler, query: box_hub.SealedQuery) -> None:
        sealed = None
        with self._containment.piece("hub questions", query.id):
            sealed = await handler(query)
        if sealed is not None:
            reply = box_hub.SealedReply(id=query.id, browser=query.browser, sealed=sealed)
            topic = box_hub.reply_topic(self._shard, self._section.home, query.via)
            self._mqtt.publish(topic, reply.model_dump_json().encode(), expiry=ANSWER_EXPIRY_S)

    def _on_up(self, _session: int) -> None:
        self._hello_due, self._hello_sent, self._renumbered = True, False, False
        self._statements.on_session()
        self._set_status(up=True)
        log.info("hub_up", url=self._section.url)
        self._work_pending.set()

    def _on_down(self, why: str) -> None:
        self._set_status(up=False, why=why[:400])
        log.info("hub_down", why=why)

    def _set_status(self, *, up: bool, why: str | None = None) -> None:
        cut_off = self._status.cut_off and not up
        changed = {"up": up, "since": self._clock.now().utc, "why": why, "cut_off": cut_off}
        self._status = self._status.model_copy(update=changed)
        self._work_pending.set()

    async def _run_jobs(self) -> None:
        while True:
            payload = await self._jobs.get()
            with self._containment.piece("hub jobs"):
                job = self._decode(box_hub.Job, payload)
                receipt = None if job is None else await self._handle_job(job)
                if receipt is not None:
                    self._crash_point("before-receipt")
                    body = receipt.model_dump_json(exclude_none=True).encode()
                    self._mqtt.publish(self._topic["status"], body, expiry=MESSAGE_EXPIRY_S)
            self._work_pending.set()
            await asyncio.sleep(PAUSE_BETWEEN_JOBS_S)

    async def _handle_job(self, job: box_hub.Job) -> box_hub.JobReceipt | None:
        if self._status.leaving:
            return box_hub.JobReceipt(job=job.job, state="refused", why="this house is another household's now")
        handler = self._handlers.get(job.kind)
        if handler is None:
            return box_hub.JobReceipt(job=job.job, state="refused", why=f"this box knows no {job.kind} yet")
        try:
            with self._containment.piece("hub jobs", job.job, foreseen=(StoreFailed,)):
                return await handler(job)
        except StoreFailed as failure:
            self._log_error("job_not_stored", why=str(failure))
            await asyncio.sleep(STORE_RETRY_DELAY_S)  # no receipt: the hub sends it again
            return None
        # Without a receipt the hub would send it for ever.
        return box_hub.JobReceipt(job=job.job, state="refused", why="this box could not work it")

    async def _send_events(self) -> None:
        while not (self._status.leaving and (self._leave_at_once or self._status.cut_off or self._is_all_sent())):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_INTERVAL_S):
                    await self._work_pending.wait()
            self._work_pending.clear()
            has_failed = True
            try:
                with self._containment.piece("hub events", foreseen=(StoreFailed,)) as piece:
                    await self._send_round()
                has_failed = piece.fault is not None
            except StoreFailed as failure:
                self._log_error("events_not_stored", why=str(failure))
            if has_failed:
                await asyncio.sleep(STORE_RETRY_DELAY_S)
            await self._write_status()
            await asyncio.sleep(PAUSE_BETWEEN_JOBS_S)

    async def _check_membership(self) -> None:
        """Check, while the uplink is down, whether the hub still accepts this home: its broker gives no reason."""
        wait = MEMBERSHIP_BACKOFF.first_s
        while True:
            await asyncio.sleep(wait)
            wait = MEMBERSHIP_BACKOFF.first_s if self._status.up else MEMBERSHIP_BACKOFF.next_s(wait)
            if not self._status.up and await self._unenrolment.is_home_accepted() is False and not self._status.up:
                if not self._status.cut_off:
                    log.error("hub_cut_off", url=self._section.url, todo="ask whoever runs it for a claim to join anew")
                self._status = self._status.model_copy(update={"cut_off": True})
                self._work_pending.set()

    async def _write_status(self) -> None:
        now, written, mono = self.status, self._written_status, self._monotonic()
        soon = written is None or now.model_copy(update={"waiting": written.waiting}) != written
        if now == written or not (soon or mono - self._status_written_mono >= STATUS_WRITE_INTERVAL_S):
            return
        self._written_status, self._status_written_mono = now, mono
        try:
            await asyncio.to_thread(write_status, self._folder, now)
        except OSError as failure:  # a full disk: the next change is stored
            self._log_error("line_not_noted", why=str(failure))

    async def _store_support_code(self, support: str | None) -> None:
        if support is None or support == self._support_code or not self._support_code_rate.take(self._monotonic()):
            return
        self._support_code = support
        try:
            if await asyncio.to_thread(store_support_code, self._folder, support):
                log.info("support_code_learnt")
        except OSError as failure:
            self._log_error("support_code_not_kept", why=str(failure))

    def _is_all_sent(self) -> bool:
        journal = self._store.hub_journal
        all_kept = self._sending.is_hello_acknowledged and journal.acknowledged_seq() == journal.last_seq()
        return all_kept and not journal.has_due_events(self._clock.now())

    async def _send_round(self) -> None:
        journal = self._store.hub_journal
        if journal.has_due_events(self._clock.now()):
            with self._containment.piece("hub events", foreseen=(StoreFailed,)) as piece:
                await journal.write_due_events(self._clock.now())
            if piece.fault is not None:
                await journal.write_due_events_singly(self._clock.now(), self._containment)
        if not self._status.up:
            return
        mono = self._monotonic()
        if self._hello_due:
            self._send_hello()
        payload, self._ack = self._ack, None
        ack = None if payload is None else self._decode(box_hub.Ack, payload)
        if ack is not None:
            await self._store_support_code(ack.support)
        is_overdue = mono >= self._sending.retry_at_mono and (
            not self._sending.is_hello_acknowledged or journal.last_seq() > journal.acknowledged_seq()
        )
        if ack is not None and not self._hello_due:
            answers_hello = not self._sending.is_hello_acknowledged
            await self._on_ack(ack)
            if answers_hello:
                await self._use_hub_format()
        elif is_overdue or mono >= self._sending.check_at_mono:  # at the latter nothing is due: is the hub there?
            if is_overdue and self._sending.on_timeout():
                self._reconnect.set()
            self._hello_due = True  # a hub that has lost its state, or another hub, gets everything again
            self._work_pending.set()
            return
        self._send_waiting()
        self._send_statements()

    def _send_hello(self) -> None:
        now = self._clock.now()
        hello = box_hub.Hello(
            boot=self._boot,
            keys=tuple(step.to_json().decode() for step in self._key_succession.steps[-MAX_KEY_CHANGES_SENT:]),
            events=self._store.hub_journal.last_seq(),
            open=self._store.hub_journal.open_deliveries(now),
            entrances=tuple(
                box_hub.EntranceDescription(
                    id=id_, name=section.name, places=tuple(section.places), courier_proof=section.courier_proof
                )
                for id_, section in list(self._home.destinations.items())[:MAX_ENTRANCES_SENT]
            ),
            timezone=self._home.timezone,
            again=self._hello_sent,
        )
        sent = self._mqtt.publish(self._topic["hello"], hello.model_dump_json().encode(), expiry=MESSAGE_EXPIRY_S)
        if isinstance(sent, Sent):
            self._hello_due, self._hello_sent, self._ack, self._speaks = False, True, None, None
            delay_s = self._sending.retry_delay_s
            spread_s = lengthened(delay_s, random.random()) - delay_s  # noqa: S311 - jitter is no secret
            self._sending.on_hello_sent(self._monotonic() + spread_s)

    async def _on_ack(self, ack: box_hub.Ack) -> None:
        journal = self._store.hub_journal
        # In this session the hub had more.
        back = self._sending.is_hello_acknowledged and ack.seq < journal.acknowledged_seq()
        if journal.is_same_chain(ack) and (back or ack.seq == journal.acknowledged_seq()):
            self._sending.on_ack(journal.acknowledged_seq(), self._monotonic())  # nothing new to store
            return
        if self._renumbered and not journal.is_same_chain(ack):
            return  # an answer to an earlier state
        if not await journal.acknowledge(ack, self._clock.now()):
            self._renumbered = True
            log.warning("events_renumbered", after=ack.seq, why="the hub's chain of our events is another than ours")
            self._sending.sent_seq = 0
            self._work_pending.set()
        self._sending.on_ack(journal.acknowledged_seq(), self._monotonic())

    async def _use_hub_format(self) -> None:
        """Write events in the format that the hub reads: format 1, if it published none before its acknowledgement."""
        speaks = None if self._speaks is None else self._decode(box_hub.HubSpeaks, self._speaks)
        await self._store.hub_journal.set_event_format(1 if speaks is None else speaks.events)

    def _send_waiting(self) -> None:
        if not self._sending.is_hello_acknowledged:
            return  # the hub must first report what it has stored
        journal = self._store.hub_journal
        room = MAX_UNACKNOWLEDGED_EVENTS - (self._sending.sent_seq - journal.acknowledged_seq())
        for event in journal.unacknowledged(self._sending.sent_seq, max(0, room)):
            if not isinstance(self._mqtt.publish(self._topic["evt"], event.token, expiry=MESSAGE_EXPIRY_S), Sent):
                break
            self._sending.sent_seq = event.seq

    def _send_statements(self) -> None:
        """Tell the hub what this box understands, for each brand that it lets in."""
        if not self._sending.is_hello_acknowledged or not self._statements.is_due(self._monotonic()):
            return
        permitted, told = self._permitted_entrances(), self._store.addresses.told
        for brand, token in self._statements.unsent(permitted, self._clock.now(), told).items():
            if not isinstance(self._mqtt.publish(self._topic["evt"], token, expiry=MESSAGE_EXPIRY_S), Sent):
                break
            self._statements.mark_sent(brand)

    def _permitted_entrances(self) -> dict[str, frozenset[str]]:
        """Return the entrances of this house that each brand of the hub may use."""
        permitted = self._store.hub_journal.permitted_brands()
        return {brand: entrances & self._home.entrances.keys() for brand, entrances in permitted.items()}

    def _decode(self, model: type[W], payload: bytes) -> W | None:
        message = _parse(model, payload)
        if message is None:
            self._log_error("hub_not_understood", word=model.__name__, bytes=len(payload))
        return message

    def _log_error(self, what: str, **more: object) -> None:
        """Log an error once a minute: no hub may fill the disk with it."""
        if self._error_rate.take(self._monotonic()):
            log.warning(what, **more)


def _parse(model: type[W], payload: bytes) -> W | None:
    """Parse a hub's message; None if invalid. One with too many parts is not parsed at all."""
    if len(payload) > box_hub.MAX_JOB_BYTES or payload.count(b",") > MAX_COMMAS or b"[" in payload:
        return None
    try:
        loads(payload)
        return model.model_validate_json(payload)
    except (ValueError, ValidationError):
        return None
