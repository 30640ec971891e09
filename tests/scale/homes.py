"""Simulated homes at a real hub: thousands in one process, each with a line, a journal and a key of its own.

    python -m tests.scale.homes fleet.json --at 127.0.0.1:8883 --authority hub/rabbit/authority.pem

A home does what a box does at its line (gateway/integrations/hub_client/session.py): it says hello, gives a receipt
for each job, acts once on each message by its bytes, tells it as a signed and chained event, and says again what is
not acknowledged. It looks at no signature and opens no door. Its journal is in memory and outlives its line, as a
box's outlives a cut.
"""

import argparse
import asyncio
import asyncio.sslproto
import contextlib
import json
import random
import ssl
import time
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.domain.delivery.promise import DeliveryResult, State
from gateway.integrations.hub_client.flow_control import MAX_UNACKNOWLEDGED_EVENTS, SendWindow
from gateway.integrations.hub_client.session import SUBSCRIBE_QOS
from gateway.protocol.box_hub import (
    GENESIS_DIGEST,
    Ack,
    BoxEvent,
    Hello,
    Job,
    JobReceipt,
    down_topic,
    shard_of,
    sign_by_box,
    token_digest,
    up_topic,
)
from gateway.protocol.keys import BoxKey
from tests.scale.enrolling import ENTRANCE, HomeFleet, HomeIdentity
from tests.scale.mqtt5 import ConnectionLost, Login, Mqtt5Session, open_session

MIN_BACKOFF_S, MAX_BACKOFF_S = (
    0.2,
    60.0,
)  # seconds, as gateway/mqtt/client.py and gateway/integrations/hub_client/session.py have them
STABLE_AFTER_S = 10.0
MAX_CONNECTING_HOMES = 32  # homes that connect at once: a real one has a processor of its own for its TLS

# asyncio keeps 256 KiB for what each TLS connection reads at once: too much for thousands in one process.
asyncio.sslproto.SSLProtocol.max_size = 16_384


@dataclass(frozen=True)
class HomesBroker:
    """Where homes connect. `authority`: its certificates are under this one (PEM), and homes show theirs."""

    at: Sequence[tuple[str, int]]
    authority: Path | None = None
    password: str | None = None

    def context(self, identity: HomeIdentity) -> ssl.SSLContext | None:
        """How one home proves itself."""
        if self.authority is None:
            return None
        context = ssl.create_default_context(cafile=self.authority)
        if identity.pem is not None:
            context.load_cert_chain(identity.pem)
        return context


class ScaleHome:
    """One home. `arrived(delivery)` is called when a job of it is here for the first time."""

    def __init__(  # noqa: PLR0913 - what a home is and has
        self,
        identity: HomeIdentity,
        broker: HomesBroker,
        number: int,
        *,
        arrived: Callable[[str], None],
        keepalive: int = 60,
        turn: asyncio.Semaphore | None = None,
    ) -> None:
        self.id = identity.home
        self._identity, self._broker, self._number = identity, broker, number
        self._step = 1 if number // len(broker.at) % 2 else -1  # not all of a node's homes go to the same other one
        self._on_acknowledged, self._keepalive = arrived, keepalive
        self._turn = asyncio.Semaphore() if turn is None else turn
        self._key = BoxKey.from_pem(identity.key.encode())
        self._topic = {what: up_topic(shard_of(self.id), self.id, what) for what in ("hello", "status", "evt", "gone")}
        self._journal: list[bytes] = []
        self._known: set[str] = set()
        self._stored_seq = 0
        self._sending = SendWindow()
        self._session: Mqtt5Session | None = None
        self.acts: Counter[str] = Counter()  # by delivery
        self.jobs = 0  # also those that came again
        self.newest = ""  # job's token
        self.lost: Counter[str] = Counter()

    @property
    def there(self) -> bool:
        """Whether its line is up."""
        return self._session is not None

    @property
    def waiting(self) -> int:
        """Events that the hub has not acknowledged."""
        return len(self._journal) - self._stored_seq

    async def run(self, start: float) -> None:
        """Keep the line up until cancelled; the first time after `start` seconds."""
        await asyncio.sleep(start)
        failures = lines = 0
        while True:
            host, port = self._broker.at[(self._number + failures * self._step) % len(self._broker.at)]
            login = Login(
                self.id, self._topic["gone"], self._keepalive, self._broker.password, qos=SUBSCRIBE_QOS[lines % 2]
            )
            topics, began = (down_topic(self.id, "+"),), time.monotonic()
            try:
                async with self._turn:
                    tls = self._broker.context(self._identity)
                    line = await open_session(host, port, login, topics, self._on_message, tls=tls)
            except (ConnectionLost, OSError) as error:
                self.lost[str(error) or type(error).__name__] += 1
            else:
                lines += 1
                try:
                    await self._run_session(line)
                finally:
                    self._session = None
                    line.close()
            failures = 0 if time.monotonic() - began > STABLE_AFTER_S else failures + 1
            longest = min(MAX_BACKOFF_S, MIN_BACKOFF_S * 2 ** min(failures, 10))
            await asyncio.sleep(random.uniform(longest / 2, longest))

    async def _run_session(self, line: Mqtt5Session) -> None:
        self._session = line
        self._hello(again=False)
        while not line.over.done():
            wait = self._sending.retry_at_mono - time.monotonic()
            owed = not self._sending.is_hello_acknowledged or self.waiting
            if wait <= 0 and owed:
                if self._sending.on_timeout():
                    self.lost["hellos without an answer"] += 1
                    line.abort()
                    break
                self._hello(again=True)
                wait = self._sending.retry_delay_s
            elif time.monotonic() >= self._sending.check_at_mono:
                self._hello(again=True)
            await asyncio.wait({line.over}, timeout=max(0.05, wait) if owed else 5.0)
        self.lost[line.over.result()] += 1

    # ---- what is heard and said ----------------------------------------------------------------------------------

    def _on_message(self, topic: str, payload: bytes) -> None:
        if topic == down_topic(self.id, "ack"):
            ack = Ack.model_validate_json(payload)
            head = token_digest(self._journal[ack.seq - 1]) if 0 < ack.seq <= len(self._journal) else GENESIS_DIGEST
            assert ack.head == head, f"{self.id}: the hub keeps another chain than ours"
            self._stored_seq = max(self._stored_seq, ack.seq)
            self._sending.on_ack(self._stored_seq, time.monotonic())
        elif topic == down_topic(self.id, "jobs"):
            self.take(Job.model_validate_json(payload))
        self._send()

    def take(self, job: Job) -> None:
        """Give its receipt; act where its bytes are new."""
        self.jobs += 1
        self.newest, token = job.token, job.token.encode()
        if (mark := token_digest(token)) not in self._known:
            self._known.add(mark)
            claims = json.loads(_plain(job.token.split(".")[1]))
            brand, said = claims.get("brand", claims["iss"]), claims["delivery"]
            self.acts[said["id"]] += 1
            self._on_acknowledged(said["id"])
            result = DeliveryResult(
                box="box", at=datetime.now(UTC), brand=brand, delivery=said["id"], version=said["version"],
                state=State.SCHEDULED, accepted=True, token_sha256=mark,
            )  # fmt: skip
            prev = token_digest(self._journal[-1]) if self._journal else GENESIS_DIGEST
            happened = BoxEvent(
                home=self.id, seq=len(self._journal) + 1, prev=prev, at=datetime.now(UTC), result=result
            )
            self._journal.append(sign_by_box(happened, self._key.sign))
        self._publish("status", JobReceipt(job=job.job, state="received").model_dump_json(exclude_none=True).encode())

    def _hello(self, *, again: bool) -> None:
        said = Hello(
            boot="simulated",
            events=len(self._journal),
            open=(),
            entrances=(ENTRANCE,),
            timezone="Europe/Paris",
            again=again,
        )
        self._publish("hello", said.model_dump_json().encode())
        self._sending.on_hello_sent(time.monotonic() + random.uniform(0, self._sending.retry_delay_s / 5))

    def _send(self) -> None:
        if not self._sending.is_hello_acknowledged:
            return
        upto = min(len(self._journal), self._stored_seq + MAX_UNACKNOWLEDGED_EVENTS)
        for event in self._journal[self._sending.sent_seq : upto]:
            self._publish("evt", event)
        self._sending.sent_seq = max(self._sending.sent_seq, upto)

    def _publish(self, what: str, payload: bytes) -> None:
        if self._session is not None:
            self._session.say(self._topic[what], payload)


@dataclass(frozen=True)
class HomesCount:
    """All homes, at one instant."""

    at: float  # seconds, monotonic
    there: int
    acts: int
    jobs: int
    double: int
    waiting: int


class ScaleHomes:
    """Many of them."""

    def __init__(self, fleet: Sequence[HomeIdentity], broker: HomesBroker, *, keepalive: int = 60) -> None:
        self.seen: dict[str, float] = {}  # a delivery, and when its job was here first (monotonic)
        turn = asyncio.Semaphore(MAX_CONNECTING_HOMES)
        self.homes = [
            ScaleHome(identity, broker, number, arrived=self._arrived, keepalive=keepalive, turn=turn)
            for number, identity in enumerate(fleet)
        ]

    def _arrived(self, delivery: str) -> None:
        self.seen.setdefault(delivery, time.monotonic())

    async def run(self, *, rate: float) -> None:
        """Connect `rate` a second, and stay until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number, home in enumerate(self.homes):
                group.create_task(home.run(number / rate), name=home.id)

    def count(self) -> HomesCount:
        """How they are."""
        acts = [one for home in self.homes for one in home.acts.values()]
        return HomesCount(
            at=time.monotonic(), there=sum(home.there for home in self.homes), acts=sum(acts),
            jobs=sum(home.jobs for home in self.homes), double=sum(one - 1 for one in acts),
            waiting=sum(home.waiting for home in self.homes),
        )  # fmt: skip

    def lost(self) -> Counter[str]:
        """Why lines ended or did not come up."""
        return sum((home.lost for home in self.homes), Counter())


def _plain(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


async def _play(homes: ScaleHomes, rate: float) -> None:
    playing = asyncio.create_task(homes.run(rate=rate))
    while not playing.done():
        now = homes.count()
        print(json.dumps(  # noqa: T201 - it is a program
            {"there": now.there, "acts": now.acts, "jobs": now.jobs, "double": now.double, "waiting": now.waiting,
             "lost": dict(homes.lost().most_common(3))}), flush=True,
        )  # fmt: skip
        await asyncio.sleep(1)
    await playing


def main() -> None:
    """Read the fleet and play it until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fleet", type=Path, help="what tests/scale/enrolling.py wrote")
    parser.add_argument("--at", action="append", required=True, metavar="HOST:PORT", help="a node; may be repeated")
    parser.add_argument("--authority", type=Path, help="TLS under this authority (PEM), by each home's certificate")
    parser.add_argument("--password", help="of every home, where the broker asks for one")
    parser.add_argument("--rate", type=float, default=100.0, help="homes that connect in a second")
    parser.add_argument("--keepalive", type=int, default=60)
    asked = parser.parse_args()
    at = [(host, int(port)) for host, _, port in (one.rpartition(":") for one in asked.at)]
    broker = HomesBroker(at, asked.authority, asked.password)
    homes = ScaleHomes(HomeFleet.read(asked.fleet).homes, broker, keepalive=asked.keepalive)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_play(homes, asked.rate))


if __name__ == "__main__":
    main()
