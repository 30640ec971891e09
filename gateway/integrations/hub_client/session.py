"""One session after another with the hub: hello, jobs and their receipts, events until they are kept.

Nothing here waits for a door and no door waits for it: jobs wait in a short queue of their own, and what does not fit
is dropped, for the hub sends again what it has no receipt for. The hub decides nothing: what a job says counts by the
signature inside it.
"""

import asyncio
import contextlib
import random
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import structlog
from pydantic import ValidationError

from gateway.config.errors import ConfigError
from gateway.config.home import Home, HubSection
from gateway.config.subscriptions import OverflowPolicy, Subscription
from gateway.integrations.hub_client.enrolment import FOLDER, learn_support_code
from gateway.integrations.hub_client.flow_control import WINDOW, Sending
from gateway.integrations.hub_client.link_status import Standing, begun, keep
from gateway.integrations.hub_client.unenrolment import Farewell
from gateway.mqtt.client import MqttClient
from gateway.mqtt.packets import BirthAndWill, ConnectionOptions, InboundMessage, Sent
from gateway.protocol.box_event import seal, vouch
from gateway.protocol.box_hub import (
    LARGEST_JOB,
    Ack,
    Asked,
    EntranceSaid,
    Hello,
    Job,
    Kind,
    Receipt,
    Replied,
    ack_topic,
    ask_topic,
    down_topics,
    jobs_topic,
    said_topic,
    shard_of,
    up_topic,
)
from gateway.protocol.key_succession import Line
from gateway.protocol.keys import BoxKey
from gateway.protocol.strict_json import loads
from gateway.storage import Signer, Store, StoreFailed
from gateway.system.clock import Clock
from gateway.system.containment import Containment

log = structlog.get_logger(__name__)

JOBS_WAITING = 50  # the hub sends again what is dropped
MARKS = 12  # commas in a word: none has more than some parts, and a token has none in it
BREATH = 0.02  # seconds between two jobs: a flood takes no more of the disk than this
LOOK = 0.5  # seconds between two looks for what the hub is owed: two index look-ups
WAIT = 5.0  # seconds until a disk that took nothing is tried again
MEND = 60.0  # seconds until files that could not be used are read again
TOLD_AGAIN = 60.0  # seconds between two lines about what a hub does wrong
DOWN, DOWN_LAST = 5.0, 600.0  # seconds between questions to the hub whether it lets us in, while the line is down
NOTED_AGAIN = 10.0  # seconds between two notes of how many events wait
LEARNED_AGAIN = 60.0  # seconds between two support codes that are taken from a hub
LIFE = 300  # seconds that the broker keeps a word for the hub
# With which QoS we hear, line by line. Either would do: a job has a receipt, all else is asked again. RabbitMQ calls a
# client's queue by its QoS, and a node that comes back from a partition ends, by name, the queues that its clients had:
# also one that was made elsewhere since (4.0.5: 120 of 1,000 homes heard nothing). So it changes its name.
HEARS = (0, 1)
KEYS_TOLD = 16  # the newest changes of the box's key
ENTRANCES_TOLD = 32  # more would not fit into a `Hello`

W = TypeVar("W", Ack, Asked, Job)

ASKED_AT_ONCE = 32  # questions of the household that are being answered
ASKED_A_SECOND = 60  # that are read at all: a flood of them takes no more of the loop than this
ANSWER_LIFE = 25  # seconds that the broker keeps an answer

Taker = Callable[[Job], Awaitable[Receipt | None]]
"""Takes one kind of job. None: it is not on the disk and not refused; the hub is to send it again."""

Asking = Callable[[Asked], Awaitable[str | None]]
"""Answers a sealed question of the household, sealed; None: it is none."""


class Uplink:
    """One for the box. `takers`: who takes which kind of job; a kind that is not among them is refused.

    `leaving`: this home at the hub is the former household's: no job is taken, and the line ends once the hub has all
    that it was owed.
    """

    def __init__(  # noqa: PLR0913 - what the line needs, named one by one
        self,
        home: Home,
        section: HubSection,
        *,
        store: Store,
        clock: Clock,
        key: BoxKey,
        keys: Line,
        takers: Mapping[Kind, Taker],
        monotonic: Callable[[], float],
        leaving: bool = False,
        farewell: Farewell,
        reached: Callable[[str], None] = lambda _point: None,
        contained: Containment | None = None,
    ) -> None:
        self._contained = contained or Containment()
        self._home, self._section, self._store, self._clock = home, section, store, clock
        self._key, self._keys, self._takers = key, keys, dict(takers)
        self._leaving, self._at_once, self._reached = leaving, False, reached
        self._farewell = farewell
        self._boot = secrets.token_hex(8)
        self._sessions = 0
        self._jobs: asyncio.Queue[bytes] = asyncio.Queue()
        self._ack: bytes | None = None
        self._stir = asyncio.Event()
        self._hello = False  # a session began: it is to be said
        self._greeted = False  # it was said in this session
        self._anew = asyncio.Event()
        self._up = self._renumbered = self._cut_off = False
        self._sending = Sending()
        self._complained = self._noted = self._learned = float("-inf")
        self._folder, self._support = home.storage.folder / FOLDER, ""
        self._standing = begun(section.home, clock.now().utc, leaving=leaving)
        self._told_standing: Standing | None = None
        self._shard = shard_of(section.home) if section.shard is None else section.shard
        self._topic = {what: up_topic(self._shard, section.home, what) for what in ("hello", "status", "evt", "gone")}
        topics = (down_topics(section.home),)
        self._line = MqttClient(
            broker=section.line,
            subscriptions=[
                Subscription(topic=topic, stored=False, loss=OverflowPolicy.ASKED_AGAIN) for topic in topics
            ],
            session_number=self._next_session,
            on_message=self._heard,
            on_up=self._on_up,
            on_down=self._on_down,
            on_missed=lambda _topic: None,  # the hub sends again what it has no receipt for
            monotonic=monotonic,
            presence=BirthAndWill(topic=self._topic["gone"], online=None, offline=b"{}", retain=False),
            manner=ConnectionOptions(
                keepalive_s=section.keepalive, connect_timeout_s=10.0, max_backoff_s=60.0, qos=HEARS
            ),
        )
        self._monotonic = monotonic
        self._answerer: Asking | None = None
        self._group: asyncio.TaskGroup | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._allowed, self._allowed_at = float(ASKED_AT_ONCE), monotonic()

    def serve(self, *, owner: Taker, ask: Asking) -> None:
        """Let the household's browsers order and ask by this line."""
        self._takers[Kind.OWNER], self._answerer = owner, ask

    @property
    def standing(self) -> Standing:
        """How the line stands now."""
        uplinks, found = self._store.uplinks, self._standing
        why = None if found.up else self._line.failure or found.why
        waiting = max(0, uplinks.made() - uplinks.kept())
        return found.model_copy(update={"why": None if why is None else why[:400], "waiting": waiting})

    def leave(self, *, at_once: bool) -> None:
        """Leave the hub, as the store has noted: told all that is owed, or `at_once`, whether it answers or not."""
        self._leaving, self._at_once = True, self._at_once or at_once
        self._standing = self._standing.model_copy(update={"leaving": True})
        self._stir.set()

    async def run(self) -> None:
        """Work until cancelled; one that is leaving ends by itself."""
        sign = self._key.sign
        signer = Signer(
            home=self._section.home, key=self._key.public.text, seal=lambda one: seal(one, sign),
            vouch=lambda one: vouch(one, sign),
        )  # fmt: skip
        while True:
            with contextlib.suppress(StoreFailed):  # a full disk: the house goes on, its line waits
                await self._store.uplinks.begin(signer, self._clock.now())
                break
            await asyncio.sleep(WAIT)
        async with asyncio.TaskGroup() as self._group:
            group = self._group
            line = group.create_task(self._connect(), name="hub: line")
            jobs = group.create_task(self._take(), name="hub: jobs")
            asking = group.create_task(self._ask(), name="hub: let in")
            await self._tell()
            asking.cancel()
            await self._farewell.end(at_once=lambda: self._at_once)
            for task in (line, jobs, *self._asking):
                task.cancel()

    async def _connect(self) -> None:
        """Keep the line up. A certificate that cannot be used costs the line, and nothing else of the box."""
        while True:
            line, anew = asyncio.ensure_future(self._line.run()), asyncio.ensure_future(self._anew.wait())
            try:
                await asyncio.wait({line, anew}, return_when=asyncio.FIRST_COMPLETED)
                if not line.done():
                    log.warning("hub_line_made_anew", why="hellos without an answer")
                    self._anew.clear()
                    continue
                line.result()
            except ConfigError as error:
                log.error("hub_out_of_reach", why=str(error))
            finally:
                for one in (line, anew):
                    one.cancel()
                await asyncio.wait({line, anew})
            await asyncio.sleep(MEND)

    # ---- what is heard ----------------------------------------------------------------------------------------------

    def _heard(self, incoming: InboundMessage) -> None:
        """Put it by unread: a flood costs no more of the loop than its bytes. It is read at our own pace."""
        with self._contained.piece("hub", incoming.topic):
            self._sort(incoming)

    def _sort(self, incoming: InboundMessage) -> None:
        if incoming.retain:
            return
        if incoming.topic == ask_topic(self._section.home):
            self._asked(incoming.payload)
            return
        if incoming.topic == ack_topic(self._section.home):
            self._ack = incoming.payload  # the newest says all
            self._stir.set()
        elif incoming.topic == jobs_topic(self._section.home) and self._jobs.qsize() < JOBS_WAITING:
            self._jobs.put_nowait(incoming.payload)

    def _asked(self, payload: bytes) -> None:
        """Answer a question of the household beside all else; what is too much is not answered, and asked again."""
        if self._leaving or self._answerer is None or self._group is None or len(self._asking) >= ASKED_AT_ONCE:
            return
        mono = self._monotonic()
        self._allowed = min(ASKED_AT_ONCE, self._allowed + (mono - self._allowed_at) * ASKED_A_SECOND)
        self._allowed_at = mono
        if self._allowed < 1:
            return
        self._allowed -= 1
        asked = _read(Asked, payload)
        if asked is not None:
            task = self._group.create_task(self._answer(self._answerer, asked), name="hub: answer")
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _answer(self, ask: Asking, asked: Asked) -> None:
        sealed = None
        with self._contained.piece("hub questions", asked.id):
            sealed = await ask(asked)
        if sealed is not None:
            said = Replied(id=asked.id, browser=asked.browser, sealed=sealed)
            topic = said_topic(self._shard, self._section.home, asked.via)
            self._line.publish(topic, said.model_dump_json().encode(), expiry=ANSWER_LIFE)

    def _on_up(self, _session: int) -> None:
        self._up, self._hello, self._greeted, self._renumbered = True, True, False, False
        self._stands(up=True)
        log.info("hub_up", url=self._section.url)
        self._stir.set()

    def _on_down(self, why: str) -> None:
        self._up = False
        self._stands(up=False, why=why[:400])
        log.info("hub_down", why=why)

    def _stands(self, *, up: bool, why: str | None = None) -> None:
        self._cut_off = self._cut_off and not up
        changed = {"up": up, "since": self._clock.now().utc, "why": why, "cut_off": self._cut_off}
        self._standing = self._standing.model_copy(update=changed)
        self._stir.set()

    async def _next_session(self) -> int:
        self._sessions += 1
        return self._sessions

    # ---- jobs -------------------------------------------------------------------------------------------------------

    async def _take(self) -> None:
        while True:
            payload = await self._jobs.get()
            with self._contained.piece("hub jobs"):
                job = self._understood(Job, payload)
                receipt = None if job is None else await self._receipt(job)
                if receipt is not None:
                    self._reached("before-receipt")
                    self._line.publish(
                        self._topic["status"], receipt.model_dump_json(exclude_none=True).encode(), expiry=LIFE
                    )
            self._stir.set()
            await asyncio.sleep(BREATH)

    async def _receipt(self, job: Job) -> Receipt | None:
        if self._leaving:
            return Receipt(job=job.job, state="refused", why="this house is another household's now")
        taker = self._takers.get(job.kind)
        if taker is None:
            return Receipt(job=job.job, state="refused", why=f"this box knows no {job.kind} yet")
        try:
            with self._contained.piece("hub jobs", job.job, foreseen=(StoreFailed,)):
                return await taker(job)
        except StoreFailed as failure:
            self._complain("job_not_stored", why=str(failure))
            await asyncio.sleep(WAIT)  # no receipt: the hub sends it again
            return None
        return Receipt(job=job.job, state="refused", why="this box could not work it")  # else the hub sends it for ever

    # ---- events -----------------------------------------------------------------------------------------------------

    async def _tell(self) -> None:
        while not (self._leaving and (self._at_once or self._cut_off or self._told_all())):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._stir.wait()
            self._stir.clear()
            try:
                with self._contained.piece("hub events", foreseen=(StoreFailed,)) as piece:
                    await self._round()
            except StoreFailed as failure:
                self._complain("events_not_stored", why=str(failure))
                await asyncio.sleep(WAIT)
            else:
                if piece.fault is not None:
                    await asyncio.sleep(WAIT)
            await self._note()
            await asyncio.sleep(BREATH)

    async def _ask(self) -> None:
        """Ask, while the line is down, whether the hub lets this home in still: its broker does not say why not."""
        wait = DOWN
        while True:
            await asyncio.sleep(wait)
            wait = DOWN if self._up else min(2 * wait, DOWN_LAST)
            if not self._up and await self._farewell.let_in() is False and not self._up:
                if not self._cut_off:
                    log.error("hub_cut_off", url=self._section.url, todo="ask whoever runs it for a claim to join anew")
                self._cut_off = True
                self._standing = self._standing.model_copy(update={"cut_off": True})
                self._stir.set()

    async def _note(self) -> None:
        """Tell in a file how the line stands: at once when it went up or down, else now and then."""
        now, told, mono = self.standing, self._told_standing, self._monotonic()
        soon = told is None or now.model_copy(update={"waiting": told.waiting}) != told
        if now == told or not (soon or mono - self._noted >= NOTED_AGAIN):
            return
        self._told_standing, self._noted = now, mono
        try:
            await asyncio.to_thread(keep, self._folder, now)
        except OSError as failure:  # a full disk: the next change is told
            self._complain("line_not_noted", why=str(failure))

    async def _learn(self, support: str | None) -> None:
        """The hub tells by which code customers name this home."""
        mono = self._monotonic()
        if support is None or support == self._support or mono - self._learned < LEARNED_AGAIN:
            return
        self._support, self._learned = support, mono
        try:
            if await asyncio.to_thread(learn_support_code, self._folder, support):
                log.info("support_code_learnt")
        except OSError as failure:
            self._complain("support_code_not_kept", why=str(failure))

    def _told_all(self) -> bool:
        uplinks = self._store.uplinks
        all_kept = self._sending.acknowledged and uplinks.kept() == uplinks.made()
        return all_kept and not uplinks.owes(self._clock.now())

    async def _round(self) -> None:
        """Write what is owed, take in what the hub has, send what it has not."""
        uplinks = self._store.uplinks
        if uplinks.owes(self._clock.now()):
            with self._contained.piece("hub events", foreseen=(StoreFailed,)) as piece:
                await uplinks.tell(self._clock.now())
            if piece.fault is not None:
                await uplinks.tell_each(self._clock.now(), self._contained)
        if not self._up:
            return
        mono = self._monotonic()
        if self._hello:
            self._say_hello()
        heard, self._ack = self._ack, None
        ack = None if heard is None else self._understood(Ack, heard)
        if ack is not None:
            await self._learn(ack.support)
        if ack is not None and not self._hello:
            await self._acknowledged(ack)
        elif mono >= self._sending.again and (not self._sending.acknowledged or uplinks.made() > uplinks.kept()):
            if self._sending.silent():
                self._anew.set()
            self._hello = True  # a hub that has forgotten, or another one: it is told all anew
            self._stir.set()
            return
        elif mono >= self._sending.check:  # nothing is owed: is there anybody?
            self._hello = True
            self._stir.set()
            return
        self._send()

    def _say_hello(self) -> None:
        now = self._clock.now()
        hello = Hello(
            boot=self._boot,
            keys=tuple(step.to_json().decode() for step in self._keys.steps[-KEYS_TOLD:]),
            events=self._store.uplinks.made(),
            open=self._store.uplinks.open(now),
            entrances=tuple(
                EntranceSaid(id=id_, name=one.name, places=tuple(one.places), courier_proof=one.courier_proof)
                for id_, one in list(self._home.entrances.items())[:ENTRANCES_TOLD]
            ),
            timezone=self._home.timezone,
            again=self._greeted,
        )
        sent = self._line.publish(self._topic["hello"], hello.model_dump_json().encode(), expiry=LIFE)
        if isinstance(sent, Sent):
            self._hello, self._greeted, self._ack = False, True, None
            spread = random.uniform(0, self._sending.patience / 5)  # noqa: S311 - jitter is no secret
            self._sending.began(self._monotonic() + spread)

    async def _acknowledged(self, ack: Ack) -> None:
        uplinks = self._store.uplinks
        back = self._sending.acknowledged and ack.seq < uplinks.kept()  # it had more, said in this session
        if uplinks.follows(ack) and (back or ack.seq == uplinks.kept()):
            self._sending.heard(uplinks.kept(), self._monotonic())  # nothing new: the disk is not asked to write it
            return
        if self._renumbered and not uplinks.follows(ack):
            return  # an answer to what we had before
        if not await uplinks.acknowledged(ack, self._clock.now()):
            self._renumbered = True
            log.warning("events_renumbered", after=ack.seq, why="the hub's chain of our events is another than ours")
            self._sending.sent = 0
            self._stir.set()
        self._sending.heard(uplinks.kept(), self._monotonic())

    def _send(self) -> None:
        if not self._sending.acknowledged:
            return  # first it says what it has
        uplinks = self._store.uplinks
        room = WINDOW - (self._sending.sent - uplinks.kept())
        for event in uplinks.waiting(self._sending.sent, max(0, room)):
            if not isinstance(self._line.publish(self._topic["evt"], event.token, expiry=LIFE), Sent):
                break
            self._sending.sent = event.seq

    def _understood(self, model: type[W], payload: bytes) -> W | None:
        found = _read(model, payload)
        if found is None:
            self._complain("hub_not_understood", word=model.__name__, bytes=len(payload))
        return found

    def _complain(self, what: str, **more: object) -> None:
        """Tell it once a minute: no hub may fill the disk with it."""
        mono = self._monotonic()
        if mono - self._complained >= TOLD_AGAIN:
            self._complained = mono
            log.warning(what, **more)


def _read(model: type[W], payload: bytes) -> W | None:
    """Read a word of a hub; None: it is none. What has more in it than any is not even looked at."""
    if len(payload) > LARGEST_JOB or payload.count(b",") > MARKS or b"[" in payload:
        return None
    try:
        loads(payload)
        return model.model_validate_json(payload)
    except (ValueError, ValidationError):
        return None
