"""Runs the hub on a RabbitMQ 4 cluster: writes the nodes' files, connects, and disconnects revoked homes.

The folder `rabbit` below the hub's folder has a folder for each node, which the operator copies to it, and the hub's
own certificates. RabbitMQ speaks MQTT 5 itself, and boxes connect by TLS with their certificate, as to mosquitto. The
hub sends the homes' accounts to the nodes (gateway/hub/cluster/accounts.py); the nodes' definitions have the hubs'
accounts.
"""

import asyncio
import contextlib
import json
import secrets
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509
from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.hub.boxes import ca_rotation
from gateway.hub.boxes.authority import NODE_CERTIFICATE_TERMS, AuthorityUnusable, HubAuthority
from gateway.hub.boxes.broker import delete_expired
from gateway.hub.boxes.homes_broker import NodesUnreachable
from gateway.hub.boxes.mqtt import SESSION_EXPIRY_S, HubBrokerConnection
from gateway.hub.cluster import management_api
from gateway.hub.cluster.accounts import BrokerAccounts
from gateway.hub.cluster.shard_leases import ShardLeases
from gateway.hub.config import Boxes, HubFile, Rabbit, ShardAssignment
from gateway.hub.database.store import HubStore, log_unavailable
from gateway.hub.worker import WorkerContext
from gateway.mqtt.client import connect_once
from gateway.system.atomic_file import write_if_changed, write_whole
from gateway.system.mosquitto import MAX_PACKET_BYTES
from gateway.system.mqtt_settings import BrokerSection, BrokerTls

log = structlog.get_logger(__name__)

HUB_LOCAL_PART = "hub"  # before the @ of the hubs' certificates
CHECK_INTERVAL_S = 0.5  # a box that has just joined waits for it
FILE_CHECK_INTERVAL = timedelta(seconds=2)  # of the hub's own files
RETRY_DELAY_S = 2.0  # longer after a failure
PROBE_NAME = "visit"  # a client without permissions
PROBE_CERTIFICATE_LIFETIME = timedelta(minutes=5)
HUB_CERTIFICATE_LIFETIME, HUB_CERTIFICATE_RENEWAL = timedelta(days=30), timedelta(days=15)
MAX_INFLIGHT_MESSAGES = 100  # of a node to one client
MAX_BOX_QUEUE_BYTES, MAX_HUB_QUEUE_BYTES = (4_194_304, 268_435_456)  # of a slow client; the oldest messages are dropped

_TEMPLATES = Environment(  # noqa: S701 - of configuration files, which are no HTML
    loader=PackageLoader("gateway.hub.cluster"), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
)


def node_files(rabbit: Rabbit, boxes: Boxes, node: str) -> dict[str, str]:
    """Return a node's configuration files, by name: those of RabbitMQ, and Erlang's for mutual TLS between nodes."""
    facts = {
        "rabbit": rabbit, "boxes": boxes, "node": node, "session_expiry_s": SESSION_EXPIRY_S,
        "max_inflight_messages": MAX_INFLIGHT_MESSAGES, "max_packet_bytes": MAX_PACKET_BYTES,
    }  # fmt: skip
    return {name: _TEMPLATES.get_template(name).render(facts) for name in _TEMPLATES.list_templates()}


def definitions(hubs: Iterable[str], password: str) -> str:
    """Return what each node knows from its start: the hubs' accounts, and the limits of queues.

    A hub publishes for boxes and subscribes to their messages; its queue is replicated on most nodes. It has no
    password there. It manages the homes' accounts by another account, whose password is `password`.
    """
    hub = r"mqtt-subscription-hub-[0-9]+qos[01]"
    mine = {"vhost": "/", "priority": 1, "apply-to": "queues"}
    every = sorted(hubs)
    return json.dumps({
        "vhosts": [{"name": "/"}],
        "users": [
            {"name": name, "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": [],
             "limits": {}} for name in (*every, f"{HUB_LOCAL_PART}@{PROBE_NAME}")
        ] + [management_api.account_definition(password)],
        "permissions": [
            {"user": name, "vhost": "/", "configure": f"^{hub}$", "write": rf"^(amq\.topic|{hub})$",
             "read": rf"^(amq\.topic|{hub})$"} for name in every
        ] + [{"user": f"{HUB_LOCAL_PART}@{PROBE_NAME}", "vhost": "/", "configure": "", "write": "", "read": ""}],
        "topic_permissions": [
            {"user": name, "vhost": "/", "exchange": "amq.topic", "write": r"^dn\.", "read": r"^up\."}
            for name in every
        ],
        "policies": [
            {**mine, "name": "boxes", "pattern": "^mqtt-subscription-home-",
             "definition": {"max-length-bytes": MAX_BOX_QUEUE_BYTES, "overflow": "drop-head"}},
            {**mine, "name": "hubs", "pattern": "^mqtt-subscription-hub-",
             "definition": {"max-length-bytes": MAX_HUB_QUEUE_BYTES, "overflow": "drop-head"}},
        ],
    }, indent=1) + "\n"  # fmt: skip


def set_up(file: HubFile, boxes: Boxes, rabbit: Rabbit, *, now: datetime, show_next: bool = False) -> HubAuthority:
    """Write the folder of each node; keys, certificates and the cookie that exist stay while they are valid.

    `show_next`: the nodes present certificates of the next authority to boxes, if there is one.
    """
    file.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca_rotation.finish_change(file.folder)
    authority = HubAuthority.load(file.folder, now=now)
    file.cluster.mkdir(exist_ok=True, mode=0o700)
    cookie = file.cluster / "erlang.cookie"
    if not cookie.exists():
        write_whole(cookie, secrets.token_hex(32).encode())
    password = management_api.create_password(file.cluster)
    hubs = [f"{HUB_LOCAL_PART}@hub-{number}" for number in range(1, file.share.of + 1)]
    for name, host in rabbit.nodes.items():
        folder = file.cluster / name
        folder.mkdir(exist_ok=True, mode=0o700)
        successor = ca_rotation.load_authority(file.folder, ca_rotation.NEXT_NAME) if show_next else None
        (successor or authority).certify_server(
            (host, boxes.host), now=now, at=Path("rabbit", name, "tls"), terms=NODE_CERTIFICATE_TERMS
        )
        management_api.renew_node_certificate(file.folder, folder, host, now=now)
        texts = {
            "authority.pem": ca_rotation.trust_bundle(authority).decode(),
            "definitions.json": definitions(hubs, password),
            **node_files(rabbit, boxes, name),
        }
        for file_name, text in texts.items():
            write_whole(folder / file_name, text.encode())
    renew_certificates(file, authority, now=now)
    return authority


def renew_certificates(file: HubFile, authority: HubAuthority, *, now: datetime) -> None:
    """Renew the certificates with which a hub identifies itself at the nodes' MQTT listener and management API."""
    file.cluster.mkdir(exist_ok=True, mode=0o700)
    management_api.renew_certificate(file.folder, file.cluster, now=now)
    write_if_changed(file.cluster / "authority.pem", ca_rotation.trust_bundle(authority), mode=0o644)
    name = f"{HUB_LOCAL_PART}-{file.share.number}"
    own = file.cluster / f"{name}.pem"
    if own.exists():
        with contextlib.suppress(ValueError):  # a damaged file is written again
            known = x509.load_pem_x509_certificate(own.read_bytes())
            is_fresh = known.not_valid_after_utc - HUB_CERTIFICATE_RENEWAL > now
            if is_fresh and known.issuer == authority.certificate.subject:
                return
    pem = authority.issue_pem(name, now=now, lifetime=HUB_CERTIFICATE_LIFETIME, local_part=HUB_LOCAL_PART)
    write_whole(own, pem)


class RabbitCluster:
    """The cluster as a hub process uses it (`HomesCluster`)."""

    def __init__(self, file: HubFile, rabbit: Rabbit) -> None:
        self._file, self._rabbit = file, rabbit

    def open_homes_broker(
        self, store: HubStore, authority: HubAuthority, *, now: datetime, monotonic: Callable[[], float]
    ) -> "ClusterAccountKeeper":
        """Renew this hub's certificates for the nodes, and return what keeps the homes' accounts at them."""
        renew_certificates(self._file, authority, now=now)
        return ClusterAccountKeeper(self._file, self._rabbit, store, monotonic=monotonic)

    def shard_takeover(
        self, context: WorkerContext, connect: Callable[[ShardAssignment], HubBrokerConnection]
    ) -> ShardLeases | None:
        """Return the leases of this process's shards; for another one's it makes a certificate, then connects."""
        if self._file.share.of == 1:
            return None

        def connect_with_certificate(share: ShardAssignment) -> HubBrokerConnection:
            file, now = self._file.model_copy(update={"share": share}), context.now()
            renew_certificates(file, HubAuthority.load(file.folder, now=now), now=now)
            return connect(share)

        return ShardLeases(context, self._file.share, connect=connect_with_certificate)


class ClusterAccountKeeper:
    """Keeps the homes' `accounts` at the nodes and the hub's certificates up to date, one in each process."""

    def __init__(self, file: HubFile, rabbit: Rabbit, store: HubStore, *, monotonic: Callable[[], float]) -> None:
        self._file, self._store = file, store
        nodes = management_api.ManagementApi(list(rabbit.nodes.values()), rabbit.management, file.cluster)
        self.accounts = BrokerAccounts(nodes, store, monotonic=monotonic)
        self._files_checked: datetime | None = None

    async def run(self, now: Callable[[], datetime]) -> None:
        """Check regularly until cancelled; silent nodes do not delay the files, nor a full disk the nodes."""
        while True:
            failures = 0
            for part in (self.accounts.update, self._check_files):
                with log_unavailable("cluster_not_kept", AuthorityUnusable):  # also NodesUnreachable, an OSError
                    failures += 1
                    await part(now())
                    failures -= 1
            await asyncio.sleep(CHECK_INTERVAL_S + RETRY_DELAY_S if failures else CHECK_INTERVAL_S)

    async def _check_files(self, now: datetime) -> None:
        if self._files_checked is None or abs(now - self._files_checked) >= FILE_CHECK_INTERVAL:
            ca_rotation.finish_change(self._file.folder)
            # The authority may have changed
            renew_certificates(self._file, HubAuthority.load(self._file.folder, now=now), now=now)
            await delete_expired(self._store, now)
            self._files_checked = now

    async def disconnect(self, home: str, _now: datetime) -> bool:
        """End a home's connection, if there is one; return False if no node was reached."""
        try:
            await self.accounts.disconnect(home)
        except NodesUnreachable as error:
            log.warning("line_not_ended", home=home, why=str(error))
            return False
        return True

    def readiness(self) -> Mapping[str, bool]:
        """Return whether the nodes have every valid home's account; before that a node may refuse one."""
        return {"accounts": self.accounts.are_complete}


async def nodes_not_ready(file: HubFile, *, now: datetime, monotonic: Callable[[], float]) -> dict[str, str]:
    """Return the nodes that do not yet present or accept certificates of the next authority, each with the reason.

    The test connects to each node as a client that trusts only the next authority and was certified by it.
    """
    successor = ca_rotation.load_authority(file.folder, ca_rotation.NEXT_NAME)
    if successor is None:
        raise ca_rotation.RotationRefused(ca_rotation.NO_NEXT_AUTHORITY)
    reasons = {}
    with tempfile.TemporaryDirectory(dir=file.cluster) as name:
        pem, ca = Path(name) / "own.pem", Path(name) / "authority.pem"
        lifetime = PROBE_CERTIFICATE_LIFETIME
        write_whole(pem, successor.issue_pem(PROBE_NAME, now=now, lifetime=lifetime, local_part=HUB_LOCAL_PART))
        write_whole(ca, successor.pem.encode())
        tls = BrokerTls(ca=ca, certificate=pem, key=pem)
        for line in file.lines:
            node = BrokerSection(host=line.host, port=line.port, username=PROBE_NAME, tls=tls)
            try:
                async with connect_once(node, [], monotonic=monotonic):
                    pass
            except ConnectionError as error:
                reasons[line.host] = str(error)
    return reasons


def setup_instructions(file: HubFile, rabbit: Rabbit) -> Sequence[str]:
    """Return what the operator must do with the files, line by line."""
    return (
        *(f"{file.cluster / name} goes to {host} as {rabbit.files}, readable by rabbitmq only."
          for name, host in rabbit.nodes.items()),
        f"On every node: {rabbit.files}/rabbitmq-env.conf as /etc/rabbitmq/rabbitmq-env.conf,",
        f"and {file.cluster / 'erlang.cookie'} as /var/lib/rabbitmq/.erlang.cookie (0400, rabbitmq's).",
    )  # fmt: skip
