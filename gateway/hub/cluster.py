"""A RabbitMQ 4 cluster as the hub's broker: the nodes' files, the hub's own way in, and who is cut off there.

In `rabbit` under the hub's folder: a folder for each node, which whoever runs the cluster brings there, and the hub's
own certificate. RabbitMQ speaks MQTT 5 itself; boxes come by TLS with their certificate, as to mosquitto. Who counts is
asked of the hub (gateway/hub/admission.py); the hub's own account alone stands in the nodes' definitions.
"""

import asyncio
import json
import secrets
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select

from gateway.broker import PACKET
from gateway.config import Broker, BrokerTls
from gateway.hub import internode, succession
from gateway.hub.admission import CUT
from gateway.hub.authority import NODE, Authority, AuthorityUnusable
from gateway.hub.broker import forget
from gateway.hub.file import Boxes, HubFile, Rabbit
from gateway.hub.line import KEPT
from gateway.hub.store import UNAVAILABLE, Store, new_id
from gateway.hub.tables import homes
from gateway.mqtt import visit
from gateway.proof.files import write_whole

log = structlog.get_logger(__name__)

HUB = "hub"  # before the @ of the hub's own certificates, one for each share
LOOK = 2.0  # seconds between looks who was revoked
CUT_LIFE = timedelta(minutes=5)
CUT_WITHIN = timedelta(days=1)
OWN_LIFE, OWN_RENEW = timedelta(days=30), timedelta(days=15)
WAITING = 100  # messages that a node has on their way to one client
OF_A_BOX, OF_A_HUB = 4_194_304, 268_435_456  # bytes that wait for one that is slow; the oldest go first

PLUGINS = ("rabbitmq_mqtt", "rabbitmq_auth_mechanism_ssl", "rabbitmq_auth_backend_http", "rabbitmq_prometheus")


def node_of(name: str, host: str) -> str:
    """What a node is called."""
    return f"{name}@{host}"


def configuration(rabbit: Rabbit, boxes: Boxes, folder: Path, *, asks: str) -> str:
    """Write rabbitmq.conf of a node. `folder`: where its files lie on the node. `asks`: the hub that it asks."""
    nodes = [node_of(*one) for one in rabbit.nodes.items()]
    asked = f"https://{asks}:{rabbit.admission.port}"
    return "\n".join((
        "# Written by Perron. What is not allowed here is refused.",
        *(f"cluster_formation.classic_config.nodes.{at} = {node}" for at, node in enumerate(nodes, start=1)),
        f"""\
cluster_formation.peer_discovery_backend = classic_config
# Those that are fewer stand still until they see the others again: none believes that it is alone.
cluster_partition_handling = pause_minority
net_ticktime = 15
load_definitions = {folder}/definitions.json
listeners.tcp = none
mqtt.listeners.tcp = none
mqtt.listeners.ssl.1 = {boxes.listen}:{boxes.port}
mqtt.tcp_listen_options.backlog = 4096
mqtt.tcp_listen_options.nodelay = true
ssl_options.cacertfile = {folder}/authority.pem
ssl_options.certfile = {folder}/tls/broker.pem
ssl_options.keyfile = {folder}/tls/broker.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
ssl_options.versions.1 = tlsv1.3
ssl_options.versions.2 = tlsv1.2
# The certificate says who comes: its e-mail address is the name, its DNS name the client id, and no other is taken.
ssl_cert_login_from = subject_alternative_name
ssl_cert_login_san_type = email
mqtt.ssl_cert_login = true
mqtt.ssl_cert_client_id_from = subject_alternative_name
mqtt.ssl_cert_login_san_type = dns
mqtt.allow_anonymous = false
mqtt.login_timeout = 20000
mqtt.durable_queue_type = quorum
mqtt.max_session_expiry_interval_seconds = {KEPT}
mqtt.prefetch = {WAITING}
mqtt.max_packet_size_unauthenticated = 4096
mqtt.max_packet_size_authenticated = {PACKET}
mqtt.retained_message_store = rabbit_mqtt_retained_msg_store_noop
connection_max = {boxes.connections}
vm_memory_high_watermark.relative = {rabbit.memory}
disk_free_limit.absolute = 1GB
auth_backends.1 = internal
auth_backends.2 = http
auth_http.http_method = get
auth_http.user_path = {asked}/user
auth_http.vhost_path = {asked}/vhost
auth_http.resource_path = {asked}/resource
auth_http.topic_path = {asked}/topic
auth_http.request_timeout = 5000
auth_http.connection_timeout = 2000
auth_http.ssl_options.verify = verify_peer
auth_http.ssl_options.cacertfile = {folder}/authority.pem
auth_http.ssl_options.hostname_verification = wildcard
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {rabbit.metrics}
log.file.level = warning
log.connection.level = error
""",
    ))  # fmt: skip


def environment(rabbit: Rabbit, name: str, folder: Path) -> str:
    """Write rabbitmq-env.conf of a node."""
    return f"""\
USE_LONGNAME=true
NODENAME={node_of(name, rabbit.nodes[name])}
DIST_PORT={rabbit.distribution}
CONFIG_FILE={folder}/rabbitmq.conf
ENABLED_PLUGINS_FILE={folder}/enabled_plugins
{internode.environment(folder)}"""


def definitions(hubs: Iterable[str]) -> str:
    """Write what every node knows from the start: the hub's accounts, without a password, and how much may wait.

    A hub says what is for boxes and hears what they say; its queue is its own, kept on most of the nodes.
    """
    hub = r"mqtt-subscription-hub-[0-9]+qos[01]"
    mine = {"vhost": "/", "priority": 1, "apply-to": "queues"}
    every = sorted(hubs)
    return json.dumps({
        "vhosts": [{"name": "/"}],
        "users": [
            {"name": name, "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": [],
             "limits": {}} for name in every
        ],
        "permissions": [
            {"user": name, "vhost": "/", "configure": f"^{hub}$", "write": rf"^(amq\.topic|{hub})$",
             "read": rf"^(amq\.topic|{hub})$"} for name in every
        ],
        "topic_permissions": [
            {"user": name, "vhost": "/", "exchange": "amq.topic", "write": r"^dn\.", "read": r"^up\."}
            for name in every
        ],
        "policies": [
            {**mine, "name": "boxes", "pattern": "^mqtt-subscription-home-",
             "definition": {"max-length-bytes": OF_A_BOX, "overflow": "drop-head"}},
            {**mine, "name": "hubs", "pattern": "^mqtt-subscription-hub-",
             "definition": {"max-length-bytes": OF_A_HUB, "overflow": "drop-head"}},
        ],
    }, indent=1) + "\n"  # fmt: skip


def set_up(file: HubFile, boxes: Boxes, rabbit: Rabbit, *, now: datetime, by_next: bool = False) -> Authority:
    """Write every node's folder. Keys, certificates and the cookie that lie there are kept as long as they are good.

    `by_next`: boxes are shown certificates of the authority's successor already, where there is one.

    Raises:
        OSError: the folder cannot be written.
        AuthorityUnusable: a key or certificate in it is not what it was.
    """
    file.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    succession.settle(file.folder)
    authority = Authority.at(file.folder, now=now)
    file.cluster.mkdir(exist_ok=True, mode=0o700)
    cookie = file.cluster / "erlang.cookie"
    if not cookie.exists():
        write_whole(cookie, secrets.token_hex(32).encode())
    hosts = rabbit.admission.hosts
    for at, (name, host) in enumerate(rabbit.nodes.items()):
        folder = file.cluster / name
        folder.mkdir(exist_ok=True, mode=0o700)
        shows = (succession.upcoming_authority(file.folder) if by_next else None) or authority
        shows.broker((host, boxes.host), now=now, at=Path("rabbit", name, "tls"), terms=NODE)
        internode.certified(file.folder, folder, host, now=now)
        there = rabbit.files
        plugins = f"[{','.join(PLUGINS)}].\n"
        whole = {
            "authority.pem": succession.bundle(authority).decode(),
            "rabbitmq.conf": configuration(rabbit, boxes, there, asks=hosts[at % len(hosts)]),
            "rabbitmq-env.conf": environment(rabbit, name, there),
            internode.OPTIONS: internode.options(there),
            "enabled_plugins": plugins,
            "definitions.json": definitions([f"{HUB}@hub-{number + 1}" for number in range(file.share.of)]),
        }
        for one, text in whole.items():
            write_whole(folder / one, text.encode())
    _own(file, authority, now=now)
    return authority


def certified(file: HubFile, rabbit: Rabbit, authority: Authority, *, now: datetime) -> Path:
    """Keep good what a hub proves itself by: to the nodes as a client, and where they ask; the folder of the latter.

    Raises:
        OSError: the folder cannot be written.
        AuthorityUnusable: a file is not what it was.
    """
    _own(file, authority, now=now)
    at = Path("rabbit", f"admission-{file.share.number}", "tls")
    authority.broker(rabbit.admission.hosts, now=now, at=at)
    return file.folder / at


def _own(file: HubFile, authority: Authority, *, now: datetime) -> None:
    """Keep good what this process proves itself by at the nodes, and the authority beside it."""
    file.cluster.mkdir(exist_ok=True, mode=0o700)
    ca, believed = file.cluster / "authority.pem", succession.bundle(authority)
    if not ca.exists() or ca.read_bytes() != believed:
        write_whole(ca, believed, mode=0o644)
    name = f"{HUB}-{file.share.number}"
    own = file.cluster / f"{name}.pem"
    if own.exists():
        known = x509.load_pem_x509_certificate(own.read_bytes())
        if known.issuer == authority.certificate.subject and known.not_valid_after_utc - OWN_RENEW > now:
            return
    write_whole(own, proven(authority, name, HUB, now=now, life=OWN_LIFE))


def proven(authority: Authority, name: str, word: str, *, now: datetime, life: timedelta) -> bytes:
    """A new key and its certificate, as one PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    one = authority.certify(name, key.public_key(), now=now, life=life, word=word)
    form = serialization.PrivateFormat.PKCS8
    whole = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return whole + one.public_bytes(serialization.Encoding.PEM)


class Doorkeeper:
    """Cuts off whom the store no longer counts, and keeps the hub's certificates young. One a process.

    Whoever is revoked does not come in again, for each node asks; whoever is there is cut off by a session that takes
    its place, wherever in the cluster it is (tried on 4.0.5).
    """

    def __init__(  # noqa: PLR0913 - what it keeps, named one by one
        self, file: HubFile, rabbit: Rabbit, store: Store, authority: Authority, *, monotonic: Callable[[], float],
        renewed: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._file, self._rabbit, self._store, self._authority = file, rabbit, store, authority
        self._monotonic, self._renewed = monotonic, renewed
        self._cut: set[tuple[str, datetime]] = set()

    async def run(
        self, now: Callable[[], datetime], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Look again and again until cancelled."""
        while True:
            try:
                succession.settle(self._file.folder)
                self._authority = Authority.at(self._file.folder, now=now())  # another one may have taken its place
                certified(self._file, self._rabbit, self._authority, now=now())
                self._renewed()
                await self.look(now())
                await forget(self._store, now())
            except (*UNAVAILABLE, AuthorityUnusable) as error:  # the next look may do better
                log.error("cluster_not_kept", why=str(error).partition("\n")[0])
            await sleep(LOOK)

    async def look(self, now: datetime) -> tuple[str, ...]:
        """Cut off who was revoked within a day and is not cut off yet; those that were."""
        late = homes.c.revoked > now - CUT_WITHIN
        async with self._store.reading() as tx:
            rows = await tx.execute(select(homes.c.id, homes.c.revoked).where(late))
        revoked = {(row.id, row.revoked) for row in rows} - self._cut
        done = []
        for home, since in sorted(revoked):
            if await self.take_over(home, now):
                self._cut.add((home, since))
                done.append(home)
        return tuple(done)

    async def take_over(self, home: str, now: datetime) -> bool:
        """End the connection of a home, if there is one, by a session of its own name; False: no node was reached."""
        with tempfile.TemporaryDirectory(dir=self._file.cluster) as name:
            pem = Path(name) / "own.pem"
            write_whole(pem, proven(self._authority, home, CUT, now=now, life=CUT_LIFE))
            for broker in self._at(home, pem):
                try:
                    async with visit(broker, [], monotonic=self._monotonic):
                        return True
                except ConnectionError as error:
                    log.warning("not_cut", home=home, node=broker.host, why=str(error))
        return False

    def _at(self, home: str, pem: Path) -> Iterator[Broker]:
        tls = BrokerTls(ca=self._file.cluster / "authority.pem", certificate=pem, key=pem)
        for line in self._file.lines:
            yield Broker(host=line.host, port=line.port, username=home, tls=tls)


async def unready(file: HubFile, *, now: datetime, monotonic: Callable[[], float]) -> dict[str, str]:
    """Which nodes do not show boxes a certificate of the authority's successor yet, or do not believe one; and why.

    Each is visited as one who believes the successor alone, and whom it alone has certified.

    Raises:
        NotNow: there is no successor. OSError, AuthorityUnusable: the folder cannot be used.
    """
    coming = succession.upcoming_authority(file.folder)
    if coming is None:
        raise succession.NotNow(succession.NO_SUCCESSOR)
    home, found = new_id("home"), {}
    with tempfile.TemporaryDirectory(dir=file.cluster) as name:
        pem, ca = Path(name) / "own.pem", Path(name) / "authority.pem"
        write_whole(pem, proven(coming, home, CUT, now=now, life=CUT_LIFE))
        write_whole(ca, coming.pem.encode())
        tls = BrokerTls(ca=ca, certificate=pem, key=pem)
        for line in file.lines:
            try:
                async with visit(
                    Broker(host=line.host, port=line.port, username=home, tls=tls), [], monotonic=monotonic
                ):
                    pass
            except ConnectionError as error:
                found[line.host] = str(error)
    return found


def nodes_told(file: HubFile, rabbit: Rabbit) -> Sequence[str]:
    """What is to be done with the files, line by line."""
    return (
        *(f"{file.cluster / name} goes to {host} as {rabbit.files}, readable by rabbitmq only."
          for name, host in rabbit.nodes.items()),
        f"On every node: {rabbit.files}/rabbitmq-env.conf as /etc/rabbitmq/rabbitmq-env.conf,",
        f"and {file.cluster / 'erlang.cookie'} as /var/lib/rabbitmq/.erlang.cookie (0400, rabbitmq's).",
    )  # fmt: skip
