"""The HTTP API of a RabbitMQ cluster's nodes (rabbitmq_management 4.0.5), as far as a hub needs it.

It is reached by TLS under the nodes' own authority, which certifies the hub too: whoever shows no certificate of it is
not even asked for a password, and no home has one.
"""

import asyncio
import base64
import hashlib
import secrets
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
from pydantic import TypeAdapter, ValidationError
from yarl import URL

from gateway.hub.authority import AuthorityUnusable
from gateway.hub.cluster import internode_tls
from gateway.system.atomic_file import write_whole

T = TypeVar("T")

NAME = "accounts"  # the account by which hubs come, and the folder of what they show
PATIENCE = aiohttp.ClientTimeout(total=20, sock_connect=2)  # seconds: in a partition a transaction waits for the tick


@dataclass(frozen=True, slots=True)
class Right:
    """What an account may do with queues and exchanges, as patterns."""

    user: str
    vhost: str
    configure: str
    write: str
    read: str


@dataclass(frozen=True, slots=True)
class TopicRight:
    """What an account may say and hear at an exchange, as patterns."""

    user: str
    vhost: str
    exchange: str
    write: str
    read: str


@dataclass(frozen=True, slots=True)
class _Named:
    name: str


_USERS, _RIGHTS, _TOPICS = (
    TypeAdapter(tuple[_Named, ...]), TypeAdapter(tuple[Right, ...]), TypeAdapter(tuple[TopicRight, ...]),
)  # fmt: skip


class NodesAway(OSError):  # noqa: N818 - it says what happened
    """No node did what was asked; the text says what each said."""


def made_password(cluster: Path) -> str:
    """Return the password of the hubs' account, made where there is none. `cluster`: the folder of its files.

    Raises:
        OSError: it cannot be read or written.
    """
    file = cluster / f"{NAME}.password"
    if not file.exists():
        write_whole(file, secrets.token_hex(32).encode())
    return password(cluster)


def password(cluster: Path) -> str:
    """Return the password of the hubs' account, which `perron hub-config` has made.

    Raises:
        OSError: it cannot be read.
    """
    return (cluster / f"{NAME}.password").read_text().strip()


def definition(word: str) -> dict[str, Any]:
    """Write the hubs' account as RabbitMQ's definitions have it: it keeps others, and has no queue and no topic."""
    salt = hashlib.sha256(b"salt " + word.encode()).digest()[:4]  # the same file each time: the word itself is random
    hashed = base64.b64encode(salt + hashlib.sha256(salt + word.encode()).digest()).decode()
    return {"name": NAME, "password_hash": hashed, "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ["administrator"], "limits": {}}  # fmt: skip


def certified(folder: Path, cluster: Path, *, now: datetime) -> None:
    """Keep good what a hub shows the nodes. `folder`: the hub's.

    Raises:
        OSError: a folder cannot be read or written.
        AuthorityUnusable: a file is not what it was, or what all hubs and nodes share is not here.
    """
    for shared in (
        folder / "authority" / "nodes.key",
        folder / "authority" / "nodes.pem",
        cluster / f"{NAME}.password",
    ):
        if not shared.exists():  # one of our own would be no node's
            raise AuthorityUnusable(f"{shared} is missing: run perron hub-config, or copy it from where that was run")
    internode_tls.certified(folder, cluster / NAME, NAME, now=now)


class Nodes:
    """All of them; asked is one that answers. `at`: their hosts. `cluster`: the folder of the cluster's files."""

    def __init__(self, at: Sequence[str], port: int, cluster: Path) -> None:
        self._at, self._port, self._cluster, self._answered = tuple(at), port, cluster, ""

    async def users(self) -> Sequence[str]:
        """All accounts' names."""
        return [one.name for one in await self._told("users?columns=name", _USERS)]

    async def permissions(self) -> Sequence[Right]:
        """What each account may do with queues and exchanges; one without may not come in."""
        return await self._told("permissions", _RIGHTS)

    async def topic_permissions(self) -> Sequence[TopicRight]:
        """What each account may hear and say; one without may hear and say all."""
        return await self._told("topic-permissions", _TOPICS)

    async def define(self, made: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Make these accounts and rights, or change them into these."""
        await self._ask("POST", "definitions", made)

    async def delete(self, names: Sequence[str]) -> None:
        """End these accounts and their connections; one that is not there is no error."""
        await self._ask("POST", "users/bulk-delete", {"users": list(names)})

    async def shut_out(self, name: str) -> None:
        """Let an account come in no more. Its lines go on, and what it may hear and say stays as it was."""
        await self._ask("DELETE", f"permissions/%2F/{quote(name, safe='')}")

    async def end_lines(self, name: str) -> None:
        """End the connections of an account."""
        await self._ask("DELETE", f"connections/username/{quote(name, safe='')}")

    async def _told(self, path: str, form: TypeAdapter[tuple[T, ...]]) -> Sequence[T]:
        raw = await self._ask("GET", path)
        try:
            return await asyncio.to_thread(form.validate_json, raw)
        except ValidationError as error:
            raise NodesAway(f"/api/{path}: not understood ({error.error_count()} faults)") from error

    async def _ask(self, method: str, path: str, body: object = None) -> bytes:
        """Ask the node that answered last, then one after the other; several may ask at once.

        Raises:
            NodesAway: none did.
        """
        said = []
        for host in sorted(self._at, key=lambda host: host != self._answered):
            try:
                done = await self._asked(host, method, path, body)
            except (OSError, aiohttp.ClientError, ValueError) as error:  # TimeoutError and ssl.SSLError are OSErrors
                said.append(f"{host}: {str(error) or 'no answer in time'}")
            else:
                self._answered = host
                return done
        raise NodesAway("; ".join(said))

    async def _asked(self, host: str, method: str, path: str, body: object) -> bytes:
        own = self._cluster / NAME / internode_tls.FOLDER
        tls = ssl.create_default_context(cafile=own / "authority.pem")
        tls.load_cert_chain(own / "node.pem", own / "node.key")
        login = {"Authorization": aiohttp.encode_basic_auth(NAME, password(self._cluster))}
        url = f"https://{f'[{host}]' if ':' in host else host}:{self._port}/api/{path}"
        line = aiohttp.TCPConnector(ssl=tls, force_close=True)
        async with (
            aiohttp.ClientSession(connector=line, headers=login, timeout=PATIENCE) as http,
            http.request(method, URL(url, encoded=True), json=body, allow_redirects=False) as answer,
        ):
            told = await answer.read()
            if answer.status >= 300 and (method, answer.status) != ("DELETE", 404):  # what is gone was to go
                raise ValueError(f"{method} /api/{path}: {answer.status} {told[:200].decode(errors='replace')}")
            return told
