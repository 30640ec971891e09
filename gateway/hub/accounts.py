"""Homes' accounts at the cluster's nodes: kept as the store counts their certificates.

RabbitMQ names whoever comes by its certificate's e-mail address, `<serial>@<home>`. Each that counts has an account of
that name, without a password, which may use its home's queue and topics and no other. So a node asks nobody, neither
when a home comes nor when it speaks; and with its account a home's line ends, wherever in the cluster it is.

The store is the truth. What changed in it is told the nodes at the next look; all of it is compared at the start and
every hour, for a cluster may have been made anew, or an older hub have written other rights.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, get_args

import structlog
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.engine import Row

from gateway.hub.joining import HOME
from gateway.hub.nodes import Nodes
from gateway.hub.store import Store
from gateway.hub.tables import certificates, homes
from gateway.hub.words import What, shard_of

log = structlog.get_logger(__name__)

EXCHANGE = "amq.topic"  # where MQTT's topics live
WHOLE = timedelta(hours=1)  # between two comparisons of all
OVERLAP = timedelta(minutes=1)  # of two looks: another hub's clock, or a transaction that took its time
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

    def __init__(self, nodes: Nodes, store: Store) -> None:
        self._nodes, self._store = nodes, store
        self._compared: datetime | None = None
        self._looked: datetime | None = None
        self._told: Mapping[str, bool] = {}

    @property
    def whole(self) -> bool:
        """Whether all was compared once: before that a home may be refused that counts."""
        return self._compared is not None

    async def look(self, now: datetime) -> None:
        """Tell the nodes what they do not know yet.

        Raises:
            NodesAway: no node answers; what was not told is told by the next look.
        """
        if self._looked is None or self._compared is None or abs(now - self._compared) >= WHOLE:
            await self._compare(now)
            self._compared = now
        else:
            await self._changed(now, min(self._looked, now) - OVERLAP)  # a clock may have been put back
        self._looked = now

    async def end(self, home: str) -> None:
        """End the accounts of a home that is revoked.

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

    async def _changed(self, now: datetime, since: datetime) -> None:
        late = or_(
            certificates.c.issued > since, certificates.c.ended > since
        )  # a home's revocation ends all of its own
        found = {name_of(row.serial, row.home): bool(row.counts) for row in await self._rows(now, late)}
        await self._tell([name for name, counts in found.items() if counts and self._told.get(name) is not True])
        await self._forget([name for name, counts in found.items() if not counts and self._told.get(name) is not False])
        self._told = found

    async def _compare(self, now: datetime) -> None:
        rights, users = await self._nodes.topic_permissions(), await self._nodes.users()
        wanted = {name_of(row.serial, row.home) for row in await self._rows(now, _alive()) if row.counts}
        new, old = await asyncio.to_thread(_differences, rights, users, wanted)  # of a cell's 50,000: a second's work
        await self._tell(new)
        await self._forget(old)
        self._told = dict.fromkeys(wanted, True)

    async def _rows(self, now: datetime, which: ColumnElement[bool]) -> Sequence[Row[Any]]:
        counts = _alive() & (certificates.c.expires > now) & homes.c.revoked.is_(None)
        columns = select(certificates.c.serial, certificates.c.home, counts.label("counts"))
        async with self._store.reading() as tx:
            return (await tx.execute(columns.join(homes, homes.c.id == certificates.c.home).where(which))).all()

    async def _tell(self, names: Sequence[str]) -> None:
        for some in _some(names):
            made = [account(name) for name in some]
            await self._nodes.define({part: [one[part] for one in made] for part in made[0]})
            log.info("accounts_told", homes=len(some))

    async def _forget(self, names: Sequence[str]) -> None:
        for some in _some(names):
            await self._nodes.delete(some)
            log.info("accounts_ended", homes=len(some))


def _alive() -> ColumnElement[bool]:
    return certificates.c.ended.is_(None)


def _differences(
    rights: Sequence[Mapping[str, str]], users: Sequence[str], wanted: AbstractSet[str]
) -> tuple[Sequence[str], Sequence[str]]:
    """Return the accounts to tell, and those to end. Rights on topics are told last: without them nothing was."""
    right = {one["user"]: one for one in rights}
    known = {name for name in users if _OURS.fullmatch(name)}

    def whole(name: str) -> bool:
        return name in known and right.get(name, {}).items() >= account(name)["topic_permissions"].items()

    return sorted(name for name in wanted if not whole(name)), sorted(known - wanted)


def _some(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(names), TOGETHER):
        yield names[first : first + TOGETHER]
