"""A client for the HTTP API of RabbitMQ nodes (rabbitmq_management 4.0.5), as far as a hub needs it.

TLS uses the nodes' own authority, `nodes.*` beside the hub's, which certifies nodes and hubs. The hub's authority also
certifies homes, and a client that is accepted here or between nodes may do anything on every node. So its certificates
are not valid here, and the nodes' certificates are not valid at the boxes' listener. A client without one does not even
get to the password. `rabbitmqctl` is a client of a node and presents the certificate of its node.
"""

import asyncio
import base64
import hashlib
import secrets
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
from pydantic import TypeAdapter, ValidationError
from yarl import URL

from gateway.domain.frozen import Frozen
from gateway.hub.boxes.authority import AuthorityUnusable
from gateway.hub.boxes.homes_broker import NodesUnreachable
from gateway.system.atomic_file import write_if_changed, write_whole
from gateway.system.pki.authority import CertificateFiles, CertificatePolicy, issue_server_certificate

T = TypeVar("T")

ACCOUNT_NAME = "accounts"  # the hubs' account, and the folder of their certificate
NODE_AUTHORITY_NAME = "Perron hub's nodes"
# The operator copies it there, as the node's other files
NODE_AUTHORITY_TERMS = CertificatePolicy(days=365, renew=timedelta(days=90), bound=False, calls=True)
NODE_FOLDER = "internode"  # of a node's files: its certificate for the other nodes
# In a partition a transaction waits for the nodes' tick
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=2)


class RabbitPermission(Frozen, kw_only=False):
    """The queues and exchanges that an account may configure, write and read, as patterns."""

    user: str
    vhost: str
    configure: str
    write: str
    read: str


class RabbitTopicPermission(Frozen, kw_only=False):
    """The topics on which an account may publish and to which it may subscribe, as patterns."""

    user: str
    vhost: str
    exchange: str
    write: str
    read: str


class _NamedUser(Frozen, kw_only=False):
    name: str


_USERS = TypeAdapter(tuple[_NamedUser, ...])
_PERMISSIONS = TypeAdapter(tuple[RabbitPermission, ...])
_TOPIC_PERMISSIONS = TypeAdapter(tuple[RabbitTopicPermission, ...])


def create_password(cluster: Path) -> str:
    """Return the password of the hubs' account; make it if it is missing. `cluster` is the folder of its files."""
    file = cluster / f"{ACCOUNT_NAME}.password"
    if not file.exists():
        write_whole(file, secrets.token_hex(32).encode())
    return read_password(cluster)


def read_password(cluster: Path) -> str:
    """Return the password of the hubs' account, which `perron hub-config` has made."""
    return (cluster / f"{ACCOUNT_NAME}.password").read_text().strip()


def account_definition(password: str) -> dict[str, Any]:
    """Return the hubs' account as in RabbitMQ's definitions: it manages accounts, and has no queue and no topic."""
    # The same file each time; the password itself is random
    salt = hashlib.sha256(b"salt " + password.encode()).digest()[:4]
    hashed = base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
    return {"name": ACCOUNT_NAME, "password_hash": hashed, "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ["administrator"], "limits": {}}  # fmt: skip


def renew_certificate(folder: Path, cluster: Path, *, now: datetime) -> None:
    """Renew the hub's certificate for the nodes; a missing file that all share raises AuthorityUnusable."""
    at = folder / "authority"
    for shared in (at / "nodes.key", at / "nodes.pem", cluster / f"{ACCOUNT_NAME}.password"):
        if not shared.exists():  # a new one would not be the nodes'
            raise AuthorityUnusable(f"{shared} is missing: run perron hub-config, or copy it from where that was run")
    renew_node_certificate(folder, cluster / ACCOUNT_NAME, ACCOUNT_NAME, now=now)


def renew_node_certificate(folder: Path, node: Path, host: str, *, now: datetime) -> None:
    """Renew the certificate with which a node, whose files lie in `node`, identifies itself. `folder` is the hub's."""
    at = folder / "authority"
    shelf = CertificateFiles(
        authority_key=at / "nodes.key", authority=at / "nodes.pem",
        key=node / NODE_FOLDER / "node.key", chain=node / NODE_FOLDER / "node.pem",
    )  # fmt: skip
    for needed in (at, shelf.chain.parent):
        needed.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        issued = issue_server_certificate(
            shelf, name=NODE_AUTHORITY_NAME, names=(host,), policy=NODE_AUTHORITY_TERMS, now=now
        )
    except ValueError as error:
        raise AuthorityUnusable(f"{at} or {shelf.chain.parent} holds nothing of the nodes': {error}") from error
    write_if_changed(shelf.chain.parent / "authority.pem", issued.pem)


class ManagementApi:
    """The API of all nodes; each request goes to one that answers, and raises NodesUnreachable if none does.

    `at` has the nodes' hosts. `cluster` is the folder of the cluster's files.
    """

    def __init__(self, at: Sequence[str], port: int, cluster: Path) -> None:
        self._hosts, self._port, self._cluster, self._last_host = tuple(at), port, cluster, ""

    async def users(self) -> Sequence[str]:
        """Return the names of all accounts."""
        return [user.name for user in await self._get_list("users?columns=name", _USERS)]

    async def permissions(self) -> Sequence[RabbitPermission]:
        """Return the permissions of all accounts; an account without one may not connect."""
        return await self._get_list("permissions", _PERMISSIONS)

    async def topic_permissions(self) -> Sequence[RabbitTopicPermission]:
        """Return the topic permissions of all accounts; an account without one may use all topics."""
        return await self._get_list("topic-permissions", _TOPIC_PERMISSIONS)

    async def define(self, definitions: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Create or change these accounts and permissions."""
        await self._request("POST", "definitions", definitions)

    async def delete(self, names: Sequence[str]) -> None:
        """Delete these accounts and end their connections; a missing account is no error."""
        await self._request("POST", "users/bulk-delete", {"users": list(names)})

    async def remove_permissions(self, name: str) -> None:
        """Forbid an account to connect; its connections and topic permissions stay."""
        await self._request("DELETE", f"permissions/%2F/{quote(name, safe='')}")

    async def disconnect(self, name: str) -> None:
        """End the connections of an account."""
        await self._request("DELETE", f"connections/username/{quote(name, safe='')}")

    async def _get_list(self, path: str, form: TypeAdapter[tuple[T, ...]]) -> Sequence[T]:
        raw = await self._request("GET", path)
        try:
            return await asyncio.to_thread(form.validate_json, raw)
        except ValidationError as error:
            raise NodesUnreachable(f"/api/{path}: not understood ({error.error_count()} faults)") from error

    async def _request(self, method: str, path: str, body: object = None) -> bytes:
        """Send the request to the node that answered last, then to the others in turn; requests may run at once."""
        reasons = []
        for host in sorted(self._hosts, key=lambda host: host != self._last_host):
            try:
                response = await self._request_from(host, method, path, body)
            except (OSError, aiohttp.ClientError, ValueError) as error:  # TimeoutError and ssl.SSLError are OSErrors
                reasons.append(f"{host}: {str(error) or 'no answer in time'}")
            else:
                self._last_host = host
                return response
        raise NodesUnreachable("; ".join(reasons))

    async def _request_from(self, host: str, method: str, path: str, body: object) -> bytes:
        own = self._cluster / ACCOUNT_NAME / NODE_FOLDER
        tls = ssl.create_default_context(cafile=own / "authority.pem")
        tls.load_cert_chain(own / "node.pem", own / "node.key")
        login = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT_NAME, read_password(self._cluster))}
        url = f"https://{f'[{host}]' if ':' in host else host}:{self._port}/api/{path}"
        connector = aiohttp.TCPConnector(ssl=tls, force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector, headers=login, timeout=REQUEST_TIMEOUT) as http,
            http.request(method, URL(url, encoded=True), json=body, allow_redirects=False) as answer,
        ):
            content = await answer.read()
            is_deleted_already = (method, answer.status) == ("DELETE", 404)
            if answer.status >= 300 and not is_deleted_already:
                raise ValueError(f"{method} /api/{path}: {answer.status} {content[:200].decode(errors='replace')}")
            return content
