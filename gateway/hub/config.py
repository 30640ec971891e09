"""The models of `hub.yaml`."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from gateway.protocol.box_hub import SHARD_COUNT
from gateway.system import config_section
from gateway.system.addresses import is_loopback_host
from gateway.system.config_reading import read_model
from gateway.system.config_section import ConfigSection, HostName, Id, Name, PagesUrl, Port
from gateway.system.destinations import DestinationPolicy
from gateway.system.http_limits import MAX_CONNECTIONS_PER_SECOND
from gateway.system.mqtt_settings import BrokerSection, BrokerTls


def _parse_network(text: str) -> str:
    ip_network(text)  # it raises a ValueError that says what is wrong
    return text


Network = Annotated[str, AfterValidator(_parse_network)]


class Listen(ConfigSection):
    """Where the hub serves HTTP. Without a certificate only on this machine, or behind a proxy that ends TLS."""

    host: str = "127.0.0.1"
    """Host: address on which the hub listens. Example: `0.0.0.0`."""
    port: Port = 8643
    """Port: TCP port on which the hub listens."""
    certificate: Path | None = None
    """Certificate: PEM file with the whole chain."""
    key: Path | None = None
    """Key of the certificate: PEM file with its private key. Give both or neither."""
    behind_proxy: bool = False
    """Behind a proxy: a proxy in front ends TLS and writes `X-Forwarded-For`. The hub takes the last address in it as
    the client's. Say `true` only if no client can reach the hub without the proxy."""
    metrics: tuple[Network, ...] = ("127.0.0.0/8", "::1/128")
    """Metrics: networks from which `/metrics` is answered, never through a proxy. Example: `[10.0.0.0/8]`."""

    @model_validator(mode="after")
    def _check_safe(self) -> Self:
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("a certificate and its key go together: name both, or neither")
        if self.certificate is None and not self.behind_proxy and not is_loopback_host(self.host):
            raise ValueError(
                "without a certificate everybody on the way reads the keys: name one, listen on 127.0.0.1,"
                " or say behind_proxy: true"
            )
        return self


class Limits(ConfigSection):
    """How much one client may do. Requests above a limit get the status 429 and the time after which to try again."""

    writes: int = Field(default=20, ge=1, json_schema_extra={"x-unit": "requests per second"})
    """Writes: changing requests of one API key, in the short term."""
    writes_a_day: int = Field(default=100_000, ge=1, json_schema_extra={"x-unit": "requests per day"})
    """Writes in a day: changing requests of one API key, in the long term."""
    reads: int = Field(default=50, ge=1, json_schema_extra={"x-unit": "requests per second"})
    """Reads: reading requests of one API key."""
    stranger_requests: int = Field(default=20, ge=1, json_schema_extra={"x-unit": "requests per second"})
    """Requests of strangers: requests of one address without a valid API key, averaged over ten seconds."""
    strangers: int = Field(default=30, ge=1, json_schema_extra={"x-unit": "requests per minute"})
    """Writes of strangers: changing requests of one address without an API key, such as a box that joins or renews."""
    connections: int = Field(default=200, ge=1, json_schema_extra={"x-unit": "connections"})
    """Connections: open connections of one address. Not counted behind a proxy."""
    new_connections: int = Field(
        default=int(MAX_CONNECTIONS_PER_SECOND), ge=1, json_schema_extra={"x-unit": "connections per second"}
    )
    """New connections: connections that one address may open; five times as many at once. Not counted behind a
    proxy."""
    sandboxes: int = Field(default=10, ge=1, json_schema_extra={"x-unit": "sandboxes per hour"})
    """Sandboxes: sandboxes that one address may create."""
    sandbox_writes_a_day: int = Field(default=2_000, ge=1, json_schema_extra={"x-unit": "requests per day"})
    """Writes of a sandbox: changing requests of one sandbox."""
    questions: int = Field(default=20, ge=1, json_schema_extra={"x-unit": "requests per second"})
    """Questions: questions of one browser of a household to its home; all browsers of a home together have three times
    as many."""
    orders: int = Field(default=60, ge=1, json_schema_extra={"x-unit": "requests per hour"})
    """Orders: orders of one browser of a household to its home; all browsers of a home together have three times as
    many."""
    home_events: int = Field(default=1_000, ge=50, json_schema_extra={"x-unit": "events per hour"})
    """Events of a home: the hub accepts the rest later. If it is too small, retailers learn late of what happened."""
    home_bytes: int = Field(default=2_000_000, ge=100_000, json_schema_extra={"x-unit": "bytes per hour"})
    """Size of a home's events: the hub accepts the rest later. One event has about 1,000 bytes, and 16,000 at most."""


class RetentionSection(ConfigSection):
    """How long the hub keeps data. The proof of a delivery is made of the delivery and of the events of its home."""

    home_events: int = Field(default=20_000, ge=100, json_schema_extra={"x-unit": "events"})
    """Events of a home: the newest events that are kept of each home. If it is too small, proofs are lost early."""
    home_event_days: int = Field(default=400, ge=32, json_schema_extra={"x-unit": "days"})
    """Age of events: older events are deleted, except the newest one of each home."""
    delivery_days: int = Field(default=400, ge=32, json_schema_extra={"x-unit": "days"})
    """Deliveries: how long after its window a delivery is kept, with its versions, parcel numbers and jobs."""
    event_days: int = Field(default=400, ge=32, json_schema_extra={"x-unit": "days"})
    """Events of retailers: older events are deleted, once no webhook waits for them."""
    connection_days: int = Field(default=400, ge=1, json_schema_extra={"x-unit": "days"})
    """Connections: how long after its end a connection without deliveries keeps its reference and terms."""
    job_days: int = Field(default=30, ge=1, json_schema_extra={"x-unit": "days"})
    """Other jobs: how long a job without a delivery is kept after it expired, for example a household's order."""


class HubBroker(BrokerSection):
    """The broker to which the boxes connect, as the hub reaches it. Without `tls` it must run on this machine."""

    username: Id = "hub"
    """Account: user name of the hub at the broker."""

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if self.tls is None and not self.is_loopback:
            raise ValueError("without tls whoever stands between reads and writes: name tls.ca, or take 127.0.0.1")
        return self


class Boxes(ConfigSection):
    """Where boxes reach the broker that `perron hub-config` sets up."""

    host: HostName
    """Host: name of the broker that boxes connect to. Example: `hub.example`."""
    port: Port = 8883
    """Port: TCP port of the broker for boxes."""
    listen: config_section.ListenAddress = "0.0.0.0"  # noqa: S104 - by TLS and with a certificate only
    """Listen: address of this machine on which the broker listens for boxes."""
    connections: int = Field(default=10_000, ge=1, json_schema_extra={"x-unit": "connections"})
    """Connections: boxes that the broker accepts at the same time. If it is too small, further boxes cannot connect."""

    @property
    def near(self) -> str:
        """The listener's address as this machine reaches it."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.listen, self.listen)  # noqa: S104 - it is recognised


class Rabbit(ConfigSection):
    """A RabbitMQ cluster instead of mosquitto. Each node listens for boxes at `boxes.port`."""

    nodes: Annotated[dict[Id, HostName], Field(min_length=1)]
    """Nodes: host name of each node, by its id, as the other nodes and the hub reach it. Example: `{one: mq1.example,
    two: mq2.example}`."""
    files: Path = Path("/etc/rabbitmq/perron")
    """Files: folder on each node with the files that `perron hub-config` wrote for it."""
    memory: float = Field(default=0.6, gt=0, lt=1, json_schema_extra={"x-unit": "part of the memory, from 0 to 1"})
    """Memory: how much of the machine's memory a node may take before it accepts no more messages."""
    distribution: Port = 25672
    """Distribution port: TCP port on which the nodes speak to each other."""
    management: Port = 15671
    """Management port: TCP port on which hubs keep the accounts of homes."""
    metrics: Port = 15692
    """Metrics port: TCP port of a node's metrics, reachable on the node only."""


class ShardAssignment(ConfigSection):
    """Which of several hub processes this one is. Each process serves its share of the homes."""

    number: int = Field(default=1, ge=1, json_schema_extra={"x-unit": "number of the process"})
    """Number: which process this is, counted from 1."""
    of: int = Field(default=1, ge=1, le=SHARD_COUNT, json_schema_extra={"x-unit": "processes"})
    """Of: how many processes there are. More than one need `rabbit` and a store in PostgreSQL."""

    @model_validator(mode="after")
    def _check_number(self) -> Self:
        if self.number > self.of:
            raise ValueError(f"there is no share {self.number} of {self.of}: they are counted from 1")
        return self

    @property
    def shards(self) -> tuple[int, ...]:
        """The shards that this process serves."""
        return tuple(shard for shard in range(SHARD_COUNT) if shard % self.of == self.number - 1)


class Webhooks(ConfigSection):
    """How the hub sends events to retailers."""

    private: bool = False
    """Private addresses: webhooks may go to addresses of private networks. Only for trials: a retailer could reach
    services inside your network."""
    plain: bool = False
    """Plain HTTP: webhooks may go to `http://` addresses. Only for trials."""
    attempts: int = Field(default=12, ge=12, le=50, json_schema_extra={"x-unit": "attempts"})
    """Attempts: how often one message is tried before it is given up. Fewer than 12 would end before 24 hours are
    over."""
    timeout: float = Field(default=15.0, ge=1, le=30, json_schema_extra={"x-unit": "seconds"})
    """Timeout: how long one attempt may take. If it is too short, slow receivers get messages twice."""
    sandbox_posts: int = Field(default=60, ge=1, json_schema_extra={"x-unit": "requests per minute"})
    """Requests of sandboxes: webhooks of all sandboxes together to one host."""

    @property
    def allowed(self) -> DestinationPolicy:
        """The destinations that the hub permits."""
        return DestinationPolicy(private=self.private, plain=self.plain)


class HubFile(ConfigSection):
    """The configuration of one hub process."""

    name: Name = "Perron hub"
    """Name: what retailers and households read."""
    url: PagesUrl
    """Address: under which everybody reaches the hub. It stands in every signature, so it must not change. Example:
    `https://hub.example`."""
    folder: Path = Path("hub")
    """Folder: where the hub keeps its keys and, without `store`, its data."""
    store: Annotated[str, StringConstraints(min_length=1, max_length=400)] | None = None
    """Store: SQLAlchemy URL of the database. Left out, it is a SQLite file in the folder. Example:
    `postgresql+asyncpg://hub@/perron`."""
    broker: HubBroker | None = None
    """Broker: how the hub reaches the broker. Left out, and without `rabbit`, only simulated homes are reached."""
    boxes: Boxes | None = None
    """Boxes: how boxes reach the broker. Left out, no box can join."""
    rabbit: Rabbit | None = None
    """RabbitMQ: the broker is a RabbitMQ cluster, which several hub processes may share. Give `broker` or `rabbit`, not
    both."""
    share: ShardAssignment = ShardAssignment()
    """Share: which part of the homes this process serves, if there are several."""
    listen: Listen = Listen()
    """Listen: where the hub serves HTTP."""
    limits: Limits = Limits()
    """Limits: how much one client may do."""
    keep: RetentionSection = RetentionSection()
    """Keep: how long the hub keeps deliveries, jobs and events."""
    webhooks: Webhooks = Webhooks()
    """Webhooks: how the hub sends events to retailers."""
    request_log: bool = True
    """Request log: one line for each request, with its operation, status, duration, retailer and id. If `false`, only
    requests that the hub itself failed (status 5xx) have a line."""
    sandbox: bool = True
    """Sandbox: anybody may create a sandbox, a retailer with a simulated home."""

    @model_validator(mode="after")
    def _check_consistent(self) -> Self:
        if self.rabbit is not None and self.boxes is None:
            raise ValueError("rabbit: say under boxes how boxes reach the cluster")
        if self.rabbit is not None and self.broker is not None:
            raise ValueError("there is one broker: leave out broker where rabbit is named; the hub has its own way in")
        if self.share.of > 1 and (self.rabbit is None or _has_one_writer(self.database)):
            raise ValueError("several processes share the work by rabbit and a store in PostgreSQL only")
        return self

    @property
    def cluster(self) -> Path:
        """The folder of the cluster's files and of the certificates with which the hub identifies itself there."""
        return self.folder / "rabbit"

    @property
    def lines(self) -> tuple[HubBroker, ...]:
        """The addresses of the broker: one, one for each node of a cluster, or none."""
        if self.rabbit is None or self.boxes is None:
            return () if self.broker is None else (self.broker,)
        name = f"hub-{self.share.number}"
        own = self.cluster / f"{name}.pem"
        tls = BrokerTls(ca=self.cluster / "authority.pem", certificate=own, key=own)
        hosts = list(self.rabbit.nodes.values())
        first = self.share.number % len(hosts)  # the hubs' connections are spread over the nodes
        return tuple(
            HubBroker(host=host, port=self.boxes.port, username=name, tls=tls)
            for host in (*hosts[first:], *hosts[:first])
        )

    @property
    def database(self) -> str:
        """The store's URL."""
        return self.store or f"sqlite:///{self.folder / 'hub.sqlite3'}"


def _has_one_writer(database: str) -> bool:
    try:
        return make_url(database).get_backend_name() == "sqlite"
    except ArgumentError:
        return False  # opening the store reports what is wrong


def load(path: Path) -> HubFile:
    """Read the file, whose relative paths begin at its own folder, or raise ConfigError with one line a problem."""
    shape = "a hub is written as `key: value` lines: `perron schema hub --markdown` describes every key."
    file, _ = read_model(path, HubFile, todo="Name another with --config, or write one.", shape=shape)
    file = config_section.absolute_paths(file, path.resolve().parent)
    return file.model_copy(update={"folder": file.folder.resolve()})
