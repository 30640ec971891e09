"""`hub.yaml`: where one hub keeps, listens and rings."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from gateway.config.broker import Broker, BrokerTls
from gateway.config.fields import HostName, Id, Name, PagesUrl, Section
from gateway.config.reading import read
from gateway.hub.webhooks.ssrf import Allowed
from gateway.protocol.box_hub import SHARDS
from gateway.system.addresses import on_loopback
from gateway.system.http_limits import CONNECTIONS_PER_SECOND


def _network(text: str) -> str:
    ip_network(text)  # a ValueError says what is wrong with it
    return text


Network = Annotated[str, AfterValidator(_network)]


class Listen(Section):
    """Where it is served. Without a certificate only on this machine, or behind a proxy that speaks TLS for it.

    `metrics`: the networks from which `/metrics` is told, and never through a proxy.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8643, ge=1, le=65535)
    certificate: Path | None = None
    key: Path | None = None
    behind_proxy: bool = False
    metrics: tuple[Network, ...] = ("127.0.0.0/8", "::1/128")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("a certificate and its key go together: name both, or neither")
        if self.certificate is None and not self.behind_proxy and not on_loopback(self.host):
            raise ValueError(
                "without a certificate everybody on the way reads the keys: name one, listen on 127.0.0.1,"
                " or say behind_proxy: true"
            )
        return self


class Limits(Section):
    """How much one key may ask. Writes of a second and of a day; reads of a second.

    `stranger_requests`: what one address may ask in a second without a key that counts, on average of ten seconds.
    `strangers`: what it may write in a minute: boxes that join or renew.
    `connections`: how many it may have open at once (not counted behind a proxy).
    `new_connections`: how many it may open in a second, and five times as many at once (not counted behind a proxy).
    `sandboxes`: how many it may have made in an hour; a sandbox has a day's ration of writes of its own.
    `home_events` and `home_bytes`: events of one home in an hour, and their bytes; what is more comes later.
    `questions` of a second and `orders` of an hour: of one browser of a household; a home has three times that.
    """

    writes: int = Field(default=20, ge=1)
    writes_a_day: int = Field(default=100_000, ge=1)
    reads: int = Field(default=50, ge=1)
    stranger_requests: int = Field(default=20, ge=1)
    strangers: int = Field(default=30, ge=1)
    connections: int = Field(default=200, ge=1)
    new_connections: int = Field(default=int(CONNECTIONS_PER_SECOND), ge=1)
    sandboxes: int = Field(default=10, ge=1)
    sandbox_writes_a_day: int = Field(default=2_000, ge=1)
    questions: int = Field(default=20, ge=1)
    orders: int = Field(default=60, ge=1)
    home_events: int = Field(default=1_000, ge=50)
    home_bytes: int = Field(default=2_000_000, ge=100_000)  # an event has 16,000 at most, and about 1,000


class Keep(Section):
    """How much is kept of what a home has said: its newest `home_events`, and none that is older than so many days.

    A delivery's proof is made of them: while they are kept a retailer can read it.
    """

    home_events: int = Field(default=20_000, ge=100)
    home_event_days: int = Field(default=400, ge=32)  # longer than a message lives


class HubBroker(Broker):
    """The broker at which the boxes are. Without `tls` it has to be on this machine."""

    username: Id = "hub"

    @model_validator(mode="after")
    def _believed(self) -> Self:
        if self.tls is None and not self.loopback:
            raise ValueError("without tls whoever stands between reads and writes: name tls.ca, or take 127.0.0.1")
        return self


class Boxes(Section):
    """Where boxes reach the broker that `perron hub-config` sets up: the name that they are told, and its listener."""

    host: HostName
    port: int = Field(default=8883, ge=1, le=65535)
    listen: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F.:]{2,45}$")] = "0.0.0.0"  # noqa: S104 - by TLS and with a certificate only
    connections: int = Field(default=10_000, ge=1)

    @property
    def near(self) -> str:
        """The listener's address as this machine reaches it."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.listen, self.listen)  # noqa: S104 - it is recognised


class Rabbit(Section):
    """A RabbitMQ cluster instead of mosquitto. `nodes`: their names, and where each is reached by the others and by us.

    `files`: where a node finds its own files, once they were brought there; `memory`: how much of the machine's it may
    take before it lets nobody publish. Each node listens at `boxes.port`.
    """

    nodes: Annotated[dict[Id, HostName], Field(min_length=1)]
    files: Path = Path("/etc/rabbitmq/perron")
    memory: float = Field(default=0.6, gt=0, lt=1)
    distribution: int = Field(default=25672, ge=1, le=65535)  # the port by which nodes speak to each other
    management: int = Field(default=15671, ge=1, le=65535)  # where hubs keep homes' accounts
    metrics: int = Field(default=15692, ge=1, le=65535)  # a node's numbers, on the node alone


class Share(Section):
    """Which of how many processes this one is: the shards in which homes speak are dealt out among them."""

    number: int = Field(default=1, ge=1)
    of: int = Field(default=1, ge=1, le=SHARDS)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.number > self.of:
            raise ValueError(f"there is no share {self.number} of {self.of}: they are counted from 1")
        return self

    @property
    def shards(self) -> tuple[int, ...]:
        """The shards that it hears."""
        return tuple(shard for shard in range(SHARDS) if shard % self.of == self.number - 1)


class Webhooks(Section):
    """Where events may be sent. `private`: addresses of a private network too, for a hub that tries things out.

    `attempts`: tries of one message before it is given up; fewer than 12 would end before 24 hours are over.
    """

    private: bool = False
    plain: bool = False  # http as well
    attempts: int = Field(default=12, ge=12, le=50)
    timeout: float = Field(default=15.0, ge=1, le=30)  # seconds for one try
    sandbox_posts: int = Field(default=60, ge=1)  # in a minute to one host, of all sandboxes together

    @property
    def allowed(self) -> Allowed:
        """What the guard lets through."""
        return Allowed(private=self.private, plain=self.plain)


class HubFile(Section):
    """The whole file.

    `broker`: without one no home is reached, only simulated ones. `boxes`: without it none can join. `rabbit`: the
    broker is a cluster, which several hubs may share on one PostgreSQL; each takes a `share` of the homes' words.
    `url`: under which everybody reaches it. `folder`: its keys and, unless `store` says other, its data.
    """

    name: Name = "Perron hub"
    url: PagesUrl
    folder: Path = Path("hub")
    store: Annotated[str, StringConstraints(min_length=1, max_length=400)] | None = None
    broker: HubBroker | None = None
    boxes: Boxes | None = None
    rabbit: Rabbit | None = None
    share: Share = Share()
    listen: Listen = Listen()
    limits: Limits = Limits()
    keep: Keep = Keep()
    webhooks: Webhooks = Webhooks()
    sandbox: bool = True

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.rabbit is not None and self.boxes is None:
            raise ValueError("rabbit: say under boxes how boxes reach the cluster")
        if self.rabbit is not None and self.broker is not None:
            raise ValueError("there is one broker: leave out broker where rabbit is named; the hub has its own way in")
        if self.share.of > 1 and (self.rabbit is None or _one_writer(self.database)):
            raise ValueError("several processes share the work by rabbit and a store in PostgreSQL only")
        return self

    @property
    def cluster(self) -> Path:
        """Where the cluster's files lie, and what the hub proves itself by there."""
        return self.folder / "rabbit"

    @property
    def lines(self) -> tuple[HubBroker, ...]:
        """How this process reaches the broker: one way, or one for each node of a cluster; none, and it has none."""
        if self.rabbit is None or self.boxes is None:
            return () if self.broker is None else (self.broker,)
        name = f"hub-{self.share.number}"
        own = self.cluster / f"{name}.pem"
        tls = BrokerTls(ca=self.cluster / "authority.pem", certificate=own, key=own)
        hosts = list(self.rabbit.nodes.values())
        first = self.share.number % len(hosts)  # the hubs' lines are spread over the nodes
        return tuple(
            HubBroker(host=host, port=self.boxes.port, username=name, tls=tls)
            for host in (*hosts[first:], *hosts[:first])
        )

    @property
    def database(self) -> str:
        """The store's URL."""
        return self.store or f"sqlite+aiosqlite:///{self.folder / 'hub.sqlite3'}"


def _one_writer(database: str) -> bool:
    try:
        return make_url(database).get_backend_name() == "sqlite"
    except ArgumentError:
        return False  # the store says what is the matter with it


def load(path: Path) -> HubFile:
    """Read the file; relative paths in it are taken from its own folder.

    Raises:
        ConfigError: one line a problem: file:line:column, what is wrong, what to do.
    """
    file, _ = read(path, HubFile, todo="Name another with --config, or write one.",
                   shape="a hub is written as `key: value` lines: see docs/operator/hub.md.")  # fmt: skip
    return _anchored(file, path.resolve().parent)


def _anchored(file: HubFile, folder: Path) -> HubFile:
    listen = file.listen
    own = {"certificate": listen.certificate and folder / listen.certificate,
           "key": listen.key and folder / listen.key}  # fmt: skip
    return file.model_copy(
        update={
            "folder": (folder / file.folder).resolve(),
            "broker": file.broker and file.broker.beside(folder),
            "listen": listen.model_copy(update=own),
        }
    )
