"""Who may come to the cluster, and say what there: asked by RabbitMQ of the hub, answered from the store.

RabbitMQ's HTTP back-end (rabbitmq_auth_backend_http 4.0.5) asks four things, as seen on the wire: `user` and `vhost`
when a client connects, `resource` and `topic` at the first use of a queue, the exchange or a topic; a connection
remembers the last twelve answers. The name that it asks about is the e-mail address of the client's certificate:
`<serial>@<home>`. So one look at the store tells whether this very certificate counts, and all that follows is read
from the name: no list of ended certificates is carried to the nodes, and no account of a home is kept there.
"""

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import get_args

import structlog
from aiohttp import web
from sqlalchemy import select

from gateway.hub.file import Admission as At
from gateway.hub.joining import HOME
from gateway.hub.store import UNAVAILABLE, Store
from gateway.hub.tables import certificates, homes
from gateway.hub.words import What, shard_of
from gateway.web.servinglog import quiet

log = structlog.get_logger(__name__)

CUT = "cut"  # before the @: the hub comes in a home's place, to end a connection of it
EXCHANGE = "amq.topic"  # where MQTT's topics live

_NAME = re.compile(rf"(?P<word>[0-9a-f]{{1,40}}|{CUT})@(?P<home>{HOME[1:-1]})", re.ASCII)
_WORD = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who a certificate says that it is. `serial` None: the hub itself, in this home's place."""

    home: str
    serial: str | None

    @classmethod
    def of(cls, name: str) -> "Visitor | None":
        """Read the certificate's address; None: it is none of this hub's for a home."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        word = found["word"]
        return cls(found["home"], None if word == CUT else word)


def may_use(visitor: Visitor, asked: Mapping[str, str]) -> bool:
    """Whether it may use a queue or exchange: its own queue, and the one exchange, which nobody changes."""
    own = f"mqtt-subscription-{visitor.home}qos"
    match asked.get("resource"), asked.get("permission"):
        case "queue", "configure" | "write" | "read":
            return visitor.serial is not None and asked.get("name") in (f"{own}0", f"{own}1")
        case "exchange", "write" | "read":
            return visitor.serial is not None and asked.get("name") == EXCHANGE
        case _:
            return False


def may_say(visitor: Visitor, asked: Mapping[str, str]) -> bool:
    """Whether it may hear or say a topic (`.` for MQTT's `/`): what box and hub have agreed on, under its own name."""
    if visitor.serial is None or asked.get("name") != EXCHANGE:
        return False
    home, key = visitor.home, asked.get("routing_key", "")
    match asked.get("permission"):
        case "read":
            return key.startswith(f"dn.{home}.")
        case "write":
            own = f"up.{shard_of(home)}.{home}."
            return key in {f"{own}{what}" for what in get_args(What)} or _answers(key, own)
        case _:
            return False


def _answers(key: str, own: str) -> bool:
    """Whether it is where a home answers its household, by the hub that asked."""
    return key.startswith(f"{own}said.") and _WORD.fullmatch(key.removeprefix(f"{own}said.")) is not None


class Admission:
    """Serves the answers, by TLS. `files`: the folder with broker.pem and broker.key.

    It has connections of its own to the `database`: who comes in waits for no retailer's requests, however many.
    """

    _store: Store

    def __init__(self, at: At, files: Path, database: str, *, now: Callable[[], datetime]) -> None:
        self._at, self._files, self._database, self._now = at, files, database, now
        app = web.Application()
        app.add_routes([web.get("/{question:user|vhost|resource|topic}", self._answer)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, logger=quiet())
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)

    async def open(self) -> None:
        """Begin to answer.

        Raises:
            OSError, ssl.SSLError: address or certificate cannot be had.
            StoreUnusable: the database cannot.
        """
        self.renewed()
        self._store = await Store.open(self._database)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._at.listen, self._at.port, ssl_context=self._tls, backlog=1024).start()

    def renewed(self) -> None:
        """Show the certificate that lies there now."""
        self._tls.load_cert_chain(self._files / "broker.pem", self._files / "broker.key")

    async def close(self) -> None:
        """Answer no more."""
        await self._runner.cleanup()
        await self._store.close()

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            yes = await self._may(request.match_info["question"], request.query)
        except UNAVAILABLE as error:  # whoever is not known to count does not come in; a box tries again
            log.error("admission_not_known", why=str(error).partition("\n")[0])
            yes = False
        return web.Response(text="allow" if yes else "deny")

    async def _may(self, question: str, asked: Mapping[str, str]) -> bool:
        visitor = Visitor.of(asked.get("username", ""))
        if visitor is None:
            return False
        match question:
            case "user":
                return asked.get("client_id") == visitor.home and await self._counts(visitor)
            case "vhost":
                return asked.get("vhost") == "/" and asked.get("client_id") == visitor.home
            case "resource":
                return may_use(visitor, asked)
            case _:
                return may_say(visitor, asked)

    async def _counts(self, visitor: Visitor) -> bool:
        if visitor.serial is None:
            return True
        mine = (certificates.c.serial == visitor.serial) & (certificates.c.home == visitor.home)
        counts = certificates.c.ended.is_(None) & (certificates.c.expires > self._now()) & homes.c.revoked.is_(None)
        async with self._store.reading() as tx:
            found = select(certificates.c.serial).join(homes, homes.c.id == certificates.c.home).where(mine, counts)
            return await tx.scalar(found) is not None
