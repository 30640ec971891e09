"""Homes' accounts at the cluster's nodes: kept as the store counts their certificates.

RabbitMQ names whoever comes by its certificate's e-mail address, `<serial>@<home>`. Each that counts has an account of
that name, without a password, which may use its home's queue and topics and no other. So a node asks nobody, neither
when a home comes nor when it speaks; and with its account a home's line ends, wherever in the cluster it is.

RabbitMQ allows all topics to an account without rights on topics (4.0.5, rabbit_auth_backend_internal). So these are
told before it may come in at all, and stay until a minute after its lines were ended: what it has on the way is judged
by them, and its last will.

The store is the truth. What changed in it is told the nodes at the next look; all of it is compared at the start and
every hour, for a cluster may have been made anew, or an older hub have written other rights.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, get_args

import structlog
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.engine import Row

from gateway.hub.cluster.management_api import Nodes, Right, TopicRight
from gateway.hub.store import Store
from gateway.hub.tables import certificates, homes
from gateway.protocol.box_hub import What, shard_of
from gateway.protocol.enrolment import HOME

log = structlog.get_logger(__name__)

EXCHANGE = "amq.topic"  # where MQTT's topics live
WHOLE = timedelta(hours=1)  # between two comparisons of all
OVERLAP = timedelta(minutes=15)  # of two looks: another hub's clock, or a transaction that took its time
LEAVES = 60.0  # seconds that an account without rights stays: until its line has ended, with its last words
TOGETHER = 200  # accounts told in one request: each is three transactions of the nodes

_OURS = re.compile(rf"[0-9a-f]{{1,40}}@{HOME[1:-1]}", re.ASCII)


def name_of(serial: str, home: str) -> str:
    """What the account of a certificate is called."""
    return f"{serial}@{home}"


def may_use(home: str) -> str:
    """Which queues and exchanges a home may hear from and speak to, as a pattern: its own, and the one of topics."""
    return rf"^(amq\.topic|mqtt-subscription-{home}qos[01])\z"


def may_make(home: str) -> str:
    """Which queues a home may make and end."""
    return rf"^mqtt-subscription-{home}qos[01]\z"


def may_hear(home: str) -> str:
    """Which topics a home may subscribe to (`.` for MQTT's `/`)."""
    return rf"^dn\.{home}\."


def may_say(home: str) -> str:
    """Which topics a home may speak on: what box and hub have agreed on, under its own name."""
    return rf"^up\.{shard_of(home)}\.{home}\.({'|'.join(get_args(What))}|said\.[a-z0-9-]{{1,64}})\z"


def account(name: str) -> dict[str, dict[str, Any]]:
    """Write an account and its rights as RabbitMQ's definitions have them."""
    home, vhost = name.partition("@")[2], {"user": name, "vhost": "/"}
    return {
        "users": {"name": name, "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": []},
        "permissions": {**vhost, "configure": may_make(home), "write": may_use(home), "read": may_use(home)},
        "topic_permissions": {**vhost, "exchange": EXCHANGE, "write": may_say(home), "read": may_hear(home)},
    }


class Accounts:
    """Keeps them. `look` is called again and again."""

    def __init__(self, nodes: Nodes, store: Store, *, monotonic: Callable[[], float]) -> None:
        self._nodes, self._store, self._monotonic = nodes, store, monotonic
        self._compared: datetime | None = None
        self._looked: datetime | None = None
        self._told: Mapping[str, bool] = {}
        self._leaving: dict[str, float] = {}  # since when (monotonic) an account has no right to come in

    @property
    def whole(self) -> bool:
        """Whether all was compared once: before that a home may be refused that counts."""
        return self._compared is not None

    async def look(self, now: datetime) -> None:
        """Tell the nodes what they do not know yet; first who comes and goes, then, where it is due, all.

        Raises:
            NodesAway: no node answers; what was not told is told by the next look.
        """
        if self._looked is not None:
            await self._changed(min(self._looked, now) - OVERLAP)  # a clock may have been put back
        self._looked = now
        gone = [name for name, since in self._leaving.items() if self._monotonic() - since >= LEAVES]
        for some in _some(gone):
            await self._nodes.delete(some)
            self._leaving = {name: since for name, since in self._leaving.items() if name not in some}
        if self._compared is None or abs(now - self._compared) >= WHOLE:
            await self._compare(now)
            self._compared = now

    async def end(self, home: str) -> None:
        """End the lines of a home that is revoked, and let it come no more; a hub that runs ends its accounts.

        Raises:
            NodesAway: no node answers.
        """
        async with self._store.reading() as tx:
            rows = await tx.execute(select(certificates.c.serial).where(certificates.c.home == home, ~_alive()))
        await self._forget([name_of(row.serial, home) for row in rows])

    async def end_line(self, home: str) -> None:
        """End the connections of a home, whose accounts stay: it comes again.

        Raises:
            NodesAway: no node answers.
        """
        async with self._store.reading() as tx:
            rows = await tx.execute(select(certificates.c.serial).where(certificates.c.home == home, _alive()))
        for row in rows:
            await self._nodes.end_lines(name_of(row.serial, home))

    async def _changed(self, since: datetime) -> None:
        late = or_(certificates.c.issued > since, certificates.c.ended > since)  # a revocation ends all of a home's
        found = {name_of(row.serial, row.home): bool(row.counts) for row in await self._rows(late)}
        await self._forget([name for name, counts in found.items() if not counts and self._told.get(name) is not False])
        await self._tell([name for name, counts in found.items() if counts and self._told.get(name) is not True])
        self._told = found

    async def _compare(self, now: datetime) -> None:
        rights, topics = await self._nodes.permissions(), await self._nodes.topic_permissions()
        users = await self._nodes.users()
        wanted = {name_of(row.serial, row.home) for row in await self._rows(_alive()) if row.counts}
        new, old = await asyncio.to_thread(_differences, rights, topics, users, wanted)  # of 50,000: a second's work
        await self._forget([name for name in old if name not in self._leaving])
        self._told = dict.fromkeys(wanted, True)
        for some in _some(new):
            await self._tell(some)
            await self._changed(now - OVERLAP)  # nobody who ends waits until all others are told

    async def _rows(self, which: ColumnElement[bool]) -> Sequence[Row[Any]]:
        """Read certificates. Whether one has expired is not asked: TLS does, and by another clock than a hub's."""
        counts = _alive() & homes.c.revoked.is_(None)
        columns = select(certificates.c.serial, certificates.c.home, counts.label("counts"))
        async with self._store.reading() as tx:
            return (await tx.execute(columns.join(homes, homes.c.id == certificates.c.home).where(which))).all()

    async def _tell(self, names: Sequence[str]) -> None:
        for some in _some(names):
            made = [account(name) for name in some]
            for parts in (("users", "topic_permissions"), ("permissions",)):  # the last lets it in
                await self._nodes.define({part: [one[part] for one in made] for part in parts})
            for name in some:
                self._leaving.pop(name, None)
            log.info("accounts_told", homes=len(some))

    async def _forget(self, names: Sequence[str]) -> None:
        for name in names:
            await self._nodes.shut_out(name)
            await self._nodes.end_lines(name)
            self._leaving[name] = self._monotonic()
        if names:
            log.info("accounts_ended", homes=len(names))


def _alive() -> ColumnElement[bool]:
    return certificates.c.ended.is_(None)


def _differences(
    rights: Sequence[Right], topics: Sequence[TopicRight], users: Sequence[str], wanted: AbstractSet[str]
) -> tuple[Sequence[str], Sequence[str]]:
    """Return the accounts to tell, and those to end."""
    right, topic = {one.user: one for one in rights}, {one.user: one for one in topics}
    known = {name for name in users if _OURS.fullmatch(name)}

    def whole(name: str) -> bool:
        due = account(name)
        may = right.get(name) == Right(**due["permissions"])
        return name in known and may and topic.get(name) == TopicRight(**due["topic_permissions"])

    return sorted(name for name in wanted if not whole(name)), sorted(known - wanted)


def _some(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(names), TOGETHER):
        yield names[first : first + TOGETHER]
