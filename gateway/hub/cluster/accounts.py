"""Keeps the homes' accounts at the cluster's nodes in step with the certificates in the store.

RabbitMQ names a client by its certificate's e-mail address, `<serial>@<home>`. Each valid certificate has an account of
that name without a password, which may use its home's queue and topics only. So a node needs no other service when a
home connects or publishes, and deleting the account ends the home's connection at whichever node it is.

RabbitMQ permits all topics to an account without topic permissions (4.0.5, rabbit_auth_backend_internal). So the topic
permissions are defined before the account may connect, and stay until a minute after its connections were ended: they
still apply to its last messages and to its last will.

The store decides. The next check sends changes to the nodes. A full comparison is made at the start and every hour,
because a cluster may have been made again, or an older hub may have written other permissions.
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

from gateway.hub.cluster.management_api import ManagementApi, RabbitPermission, RabbitTopicPermission
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import certificates, homes
from gateway.protocol.box_hub import UplinkChannel, shard_of
from gateway.protocol.enrolment import HOME_ID_PATTERN

log = structlog.get_logger(__name__)

FULL_COMPARISON_INTERVAL = timedelta(hours=1)
CHECK_OVERLAP = timedelta(minutes=15)  # of two updates: clocks differ, and transactions take time
# For an account without permissions, until its connection has ended and its last messages are handled
REMOVAL_DELAY_S = 60.0
MAX_ACCOUNTS_PER_REQUEST = 200  # each account is three transactions of the nodes

_ACCOUNT_NAME_PATTERN = re.compile(rf"[0-9a-f]{{1,40}}@{HOME_ID_PATTERN[1:-1]}", re.ASCII)


def account_name(serial: str, home: str) -> str:
    """Return the name of a certificate's account."""
    return f"{serial}@{home}"


def account_definition(name: str) -> dict[str, dict[str, Any]]:
    """Return an account and its permissions as in RabbitMQ's definitions; the patterns have `.` for MQTT's `/`.

    A home uses its own queue and the topic exchange, reads what is sent to it, and publishes under its own id.
    """
    home, vhost = name.partition("@")[2], {"user": name, "vhost": "/"}
    queue, channels = f"mqtt-subscription-{home}qos[01]", "|".join(get_args(UplinkChannel))
    uses = rf"^(amq\.topic|{queue})\z"
    return {
        "users": {"name": name, "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": []},
        "permissions": {**vhost, "configure": rf"^{queue}\z", "write": uses, "read": uses},
        "topic_permissions": {
            **vhost, "exchange": "amq.topic",
            "write": rf"^up\.{shard_of(home)}\.{home}\.({channels}|said\.[a-z0-9-]{{1,64}})\z",
            "read": rf"^dn\.{home}\.",
        },
    }  # fmt: skip


class BrokerAccounts:
    """Keeps the accounts. If no node answers, it raises NodesUnreachable, and the next `update` sends the rest."""

    def __init__(self, nodes: ManagementApi, store: HubStore, *, monotonic: Callable[[], float]) -> None:
        self._nodes, self._store, self._monotonic = nodes, store, monotonic
        self._compared: datetime | None = None
        self._checked: datetime | None = None
        self._published: Mapping[str, bool] = {}
        self._pending_removal: dict[str, float] = {}  # since when (monotonic) an account may not connect

    @property
    def are_complete(self) -> bool:
        """Whether one full comparison was made; before it a node may refuse a valid home."""
        return self._compared is not None

    async def update(self, now: datetime) -> None:
        """Send the nodes new and ended accounts, then compare all of them if that is due."""
        if self._checked is not None:
            await self._update_changed(min(self._checked, now) - CHECK_OVERLAP)  # a clock may have been set back
        self._checked = now
        gone = [name for name, since in self._pending_removal.items() if self._monotonic() - since >= REMOVAL_DELAY_S]
        for some in _in_batches(gone):
            await self._nodes.delete(some)
            self._pending_removal = {name: since for name, since in self._pending_removal.items() if name not in some}
        if self._compared is None or abs(now - self._compared) >= FULL_COMPARISON_INTERVAL:
            await self._compare(now)
            self._compared = now

    async def delete_accounts_of(self, home: str) -> None:
        """End the connections of a revoked home and forbid it to connect; a running hub deletes its accounts later."""
        await self._delete(await self._names_of(home, ~_is_active()))

    async def disconnect(self, home: str) -> None:
        """End the connections of a home; its accounts stay, so it connects again."""
        for name in await self._names_of(home, _is_active()):
            await self._nodes.disconnect(name)

    async def _names_of(self, home: str, which: ColumnElement[bool]) -> Sequence[str]:
        async with self._store.reading() as tx:
            serials = await tx.scalars(select(certificates.c.serial).where(certificates.c.home == home, which))
            return [account_name(serial, home) for serial in serials]

    async def _update_changed(self, since: datetime) -> None:
        # A revocation ends all of a home's certificates
        late = or_(certificates.c.issued > since, certificates.c.ended > since)
        current = {account_name(row.serial, row.home): bool(row.counts) for row in await self._rows(late)}
        changed = {name: counts for name, counts in current.items() if self._published.get(name) is not counts}
        await self._delete([name for name, counts in changed.items() if not counts])
        await self._define([name for name, counts in changed.items() if counts])
        self._published = current

    async def _compare(self, now: datetime) -> None:
        rights, topics = await self._nodes.permissions(), await self._nodes.topic_permissions()
        users = await self._nodes.users()
        wanted = {account_name(row.serial, row.home) for row in await self._rows(_is_active()) if row.counts}
        new, old = await asyncio.to_thread(_differences, rights, topics, users, wanted)  # a second for 50,000 accounts
        await self._delete([name for name in old if name not in self._pending_removal])
        self._published = dict.fromkeys(wanted, True)
        for some in _in_batches(new):
            await self._define(some)
            await self._update_changed(now - CHECK_OVERLAP)  # ended accounts do not wait for all the others

    async def _rows(self, which: ColumnElement[bool]) -> Sequence[Row[Any]]:
        """Read certificates, also expired ones: TLS checks the expiry, by the broker's clock."""
        counts = _is_active() & homes.c.revoked.is_(None)
        columns = select(certificates.c.serial, certificates.c.home, counts.label("counts"))
        async with self._store.reading() as tx:
            return (await tx.execute(columns.join(homes, homes.c.id == certificates.c.home).where(which))).all()

    async def _define(self, names: Sequence[str]) -> None:
        for some in _in_batches(names):
            accounts = [account_definition(name) for name in some]
            for parts in (("users", "topic_permissions"), ("permissions",)):  # the last one lets it connect
                await self._nodes.define({part: [account[part] for account in accounts] for part in parts})
            for name in some:
                self._pending_removal.pop(name, None)
            log.info("accounts_told", homes=len(some))

    async def _delete(self, names: Sequence[str]) -> None:
        for name in names:
            await self._nodes.remove_permissions(name)
            await self._nodes.disconnect(name)
            self._pending_removal[name] = self._monotonic()
        if names:
            log.info("accounts_ended", homes=len(names))


def _is_active() -> ColumnElement[bool]:
    return certificates.c.ended.is_(None)


def _differences(
    rights: Sequence[RabbitPermission],
    topics: Sequence[RabbitTopicPermission],
    users: Sequence[str],
    wanted: AbstractSet[str],
) -> tuple[Sequence[str], Sequence[str]]:
    right, topic = {each.user: each for each in rights}, {each.user: each for each in topics}
    known = {name for name in users if _ACCOUNT_NAME_PATTERN.fullmatch(name)}

    def whole(name: str) -> bool:
        due = account_definition(name)
        may = right.get(name) == RabbitPermission(**due["permissions"])
        return name in known and may and topic.get(name) == RabbitTopicPermission(**due["topic_permissions"])

    return sorted(name for name in wanted if not whole(name)), sorted(known - wanted)


def _in_batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(names), MAX_ACCOUNTS_PER_REQUEST):
        yield names[first : first + MAX_ACCOUNTS_PER_REQUEST]
