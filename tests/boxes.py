"""A home at a hub, for tests: its rows, and a box that speaks for it as its test tells it to."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import insert, select

from gateway.domain.delivery.promise import DeliveryResult, State
from gateway.hub.database.store import HubStore, new_id
from gateway.hub.database.tables import brands, connections, deliveries, homes
from gateway.hub.database.transaction import Transaction
from gateway.hub.http.operation import WakeUps
from gateway.hub.metrics import HubMetrics
from gateway.hub.signing_key import HubKeyPair
from gateway.hub.worker import WorkerContext
from gateway.mqtt.client import ShortSession, connect_once
from gateway.mqtt.packets import InboundMessage, Sent
from gateway.protocol.box_hub import (
    GENESIS_DIGEST,
    Ack,
    BoxEvent,
    BrandAnswer,
    BrowserStatus,
    Hello,
    Job,
    JobReceipt,
    OpenDelivery,
    PermissionDecision,
    SealedQuery,
    SealedReply,
    down_topic,
    reply_topic,
    shard_of,
    sign_by_box,
    token_digest,
    up_topic,
)
from gateway.protocol.delivery_record import DeliveryRecord, RecordEntry, Statement, chain_lines, head_hash
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.keys import BoxKey
from gateway.protocol.support_code import new_support_code
from gateway.system.containment import Containment
from gateway.system.mqtt_settings import BrokerSection
from tests.hubs import broker_account
from tests.mosquitto import Mosquitto

NOW = datetime(2026, 11, 25, 17, 0, 0, tzinfo=UTC)


def worker_context(store: HubStore, **changes: Any) -> WorkerContext:  # noqa: ANN401 - a field's own
    """What a hub's worker uses; without `changes` its clocks stand."""
    parts = {
        "now": lambda: NOW, "monotonic": lambda: 0.0, "metrics": HubMetrics(CollectorRegistry()),
        "containment": Containment(), "wake_ups": WakeUps(jobs=lambda: None, messages=lambda: None),
        "url": "https://hub.example", "signer": HubKeyPair(BoxKey.generate()),
    }  # fmt: skip
    return WorkerContext(store=store, **{**parts, **changes})


async def insert_home(
    tx: Transaction, home: str, key: PublicKey, *, sandbox: bool = False, now: datetime = NOW
) -> None:
    """Let a home in, as if its owner had."""
    await tx.execute(
        insert(homes).values(
            id=home, shard=shard_of(home), sandbox=sandbox, support_code=new_support_code(), said={}, joined=now,
            box_key=key.text,
        )
    )  # fmt: skip


async def insert_connection(tx: Transaction, retailer: str, brand: str, home: str, *, now: datetime = NOW) -> str:
    """Let a brand of a retailer be let in there; the connection's id."""
    id_ = new_id("con")
    await tx.execute(insert(brands).values(id=brand, retailer=retailer, name=brand, created=now))
    await tx.execute(
        insert(connections).values(
            id=id_, retailer=retailer, brand=brand, home=home, state="pending", asked={}, version=0,
            consent_sha256=b"", created=now, expires=now + timedelta(days=30),
        )
    )  # fmt: skip
    return id_


async def insert_delivery(tx: Transaction, connection: str, name: str, *, now: datetime = NOW) -> str:
    """Keep a delivery as one that was announced; its id."""
    con = (await tx.execute(select(connections).where(connections.c.id == connection))).one()
    id_ = new_id("dlv")
    await tx.execute(
        insert(deliveries).values(
            id=id_, retailer=con.retailer, connection=con.id, home=con.home, brand=con.brand, name=name, version=1,
            promise={}, hub_signed=False, state="scheduled", missing=0, seq=0, created=now, changed=now,
            window_end=now + timedelta(days=1),
        )
    )  # fmt: skip
    return id_


def make_result(brand: str, name: str, state: State, **more: object) -> DeliveryResult:
    """How a delivery stands, as a box says it."""
    plain = {"box": "box", "at": NOW, "brand": brand, "delivery": name, "version": 1, "state": state}
    return DeliveryResult.model_validate({**plain, **more})


class EventJournal:
    """The chain of one box's events."""

    def __init__(self, home: str, key: BoxKey) -> None:
        self.home, self.key = home, key
        self.tokens: list[bytes] = []

    def add(
        self,
        said: DeliveryResult | PermissionDecision | BrowserStatus | BrandAnswer | None = None,
        account: DeliveryRecord | None = None,
    ) -> bytes:
        """Make the next event; its token."""
        prev = token_digest(self.tokens[-1]) if self.tokens else GENESIS_DIGEST
        token = self.made(len(self.tokens) + 1, prev, said, account)
        self.tokens.append(token)
        return token

    def account(self, ended: DeliveryResult, said: Sequence[RecordEntry] = (), **more: object) -> DeliveryRecord:
        """Give an account of a delivery that ended so."""
        lines, left_out = chain_lines(said)
        plain = {"home": self.home, "brand": ended.brand, "delivery": ended.delivery, "version": ended.version,
                 "state": ended.state, "reason": ended.reason, "missing": ended.missing, "house": ended.house,
                 "at": ended.at, "clock_trusted": True, "lines": len(lines), "left_out": left_out,
                 "head": head_hash(lines), "entry": "e" * 64}  # fmt: skip
        statement = Statement.model_validate({**plain, **more})
        return DeliveryRecord(lines=lines, token=sign_by_box(statement, self.key.sign).decode())

    def made(
        self,
        seq: int,
        prev: str,
        said: DeliveryResult | PermissionDecision | BrowserStatus | BrandAnswer | None = None,
        account: DeliveryRecord | None = None,
    ) -> bytes:
        """Sign any event."""
        happened = BoxEvent(
            home=self.home, seq=seq, prev=prev, at=NOW, result=said if isinstance(said, DeliveryResult) else None,
            decided=said if isinstance(said, PermissionDecision) else None, account=account,
            browser=said if isinstance(said, BrowserStatus) else None,
            answer=said if isinstance(said, BrandAnswer) else None,
        )  # fmt: skip
        return sign_by_box(happened, self.key.sign)


class ScriptedBox:
    """A box that is connected. Nothing is said unless the test says so."""

    def __init__(self, home: str, line: ShortSession) -> None:
        self.home, self._session = home, line
        self.jobs: asyncio.Queue[Job] = asyncio.Queue()
        self.acks: asyncio.Queue[Ack] = asyncio.Queue()
        self.asked: asyncio.Queue[SealedQuery] = asyncio.Queue()

    async def hello(self, *known: OpenDelivery, keys: tuple[str, ...] = ()) -> None:
        """Begin a session."""
        said = Hello(boot="boot", events=0, open=known, entrances=(), timezone="Europe/Paris", keys=keys)
        await self.say("hello", said.model_dump_json().encode())

    async def has(self, job: Job, why: str | None = None) -> None:
        """Say that a job is on the disk, or (`why`) never will be."""
        receipt = JobReceipt(job=job.job, state="received" if why is None else "refused", why=why)
        await self.say("status", receipt.model_dump_json().encode())

    def answers(self, asked: SealedQuery, sealed: str, **other: str) -> None:
        """Answer a question of the household, or say that somebody else does."""
        said = SealedReply(id=other.get("id", asked.id), browser=other.get("browser", asked.browser), sealed=sealed)
        topic = reply_topic(shard_of(self.home), other.get("home", self.home), other.get("via", asked.via))
        self._session.publish(topic, said.model_dump_json().encode())

    async def say(self, what: str, payload: bytes, *, home: str | None = None) -> int | None:
        """Say it, as another home even; what the broker says to it."""
        topic = up_topic(shard_of(self.home), home or self.home, what)  # type: ignore[arg-type]  # any word is tried
        sent = self._session.publish(topic, payload)
        assert isinstance(sent, Sent)
        return (await sent.acknowledged).code

    def took(self, incoming: InboundMessage) -> None:
        """Sort what the hub says."""
        if incoming.topic == down_topic(self.home, "ack"):
            self.acks.put_nowait(Ack.model_validate_json(incoming.payload))
        elif incoming.topic == down_topic(self.home, "ask"):
            self.asked.put_nowait(SealedQuery.model_validate_json(incoming.payload))
        else:
            assert incoming.topic == down_topic(self.home, "jobs")
            self.jobs.put_nowait(Job.model_validate_json(incoming.payload))


@contextlib.asynccontextmanager
async def connected_to_broker(home: str, broker: Mosquitto, folder: Path) -> AsyncIterator[ScriptedBox]:
    """Connect one to the test's broker, until left."""
    async with connected_box(home, broker_account(broker, folder, home)) as one:
        yield one


@contextlib.asynccontextmanager
async def connected_box(home: str, at: BrokerSection) -> AsyncIterator[ScriptedBox]:
    """Connect one, until left."""
    topics = [down_topic(home, "jobs"), down_topic(home, "ack"), down_topic(home, "ask")]
    async with connect_once(at, topics, monotonic=time.monotonic) as line:
        one = ScriptedBox(home, line)

        async def hear() -> None:
            while True:
                one.took(await line.receive())

        hearing = asyncio.create_task(hear())
        try:
            yield one
        finally:
            hearing.cancel()
