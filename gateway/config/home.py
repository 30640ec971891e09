"""`home.yaml`: what one box knows of its house. `gateway.config.loader` reads the file."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from gateway.config.broker import Broker, BrokerTls
from gateway.config.devices import Device
from gateway.config.fields import DeviceId, HostName, Hours, Id, LanguageCode, Name, PagesUrl, Section, day, time_zone
from gateway.domain.timing import Seconds, Timing
from gateway.system.addresses import on_loopback


class ClockSource(Section):
    """Who keeps the time. `ntp`: trusted once the kernel is synchronised; `host`: the machine's word is taken."""

    source: Literal["ntp", "host"] = "ntp"
    drift_ppm: float = Field(default=100.0, gt=0, le=1000)


class Storage(Section):
    """Where state, log and films are kept, and for how long."""

    folder: Path = Path("var")
    reserve_mib: int = Field(default=500, ge=1)
    retention_days: int = Field(default=30, ge=1, le=30)


class Pages(Section):
    """The pages of owner, household, installer and courier. `names`: further host names under which they are opened.

    On an address other than loopback they are served by HTTPS, under the box's own authority or, where both are given,
    `certificate` (PEM, whole chain) and `key`. `plain_port` is HTTP for two pages only: how to trust the box, and the
    courier's. `contact` is whom a courier or a visitor may ask about the films.
    """

    host: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F.:]{2,45}$")] = "127.0.0.1"
    port: int = Field(default=8642, ge=0, le=65535)
    names: tuple[HostName, ...] = ()
    plain_port: int | None = Field(default=None, ge=0, le=65535)
    certificate: Path | None = None
    key: Path | None = None
    contact: Name | None = None

    @property
    def loopback(self) -> bool:
        """Whether only this machine can open them: then plain HTTP is enough."""
        return ip_address(self.host).is_loopback

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both, or neither for the box's own authority")
        if ip_address(self.host).is_unspecified and not self.names:
            raise ValueError("with this host, names has to say how phones reach the box: [perron.local, 192.168.1.20]")
        return self


class Messages(Section):
    """Ways to the owner's phones, beside log and MQTT; they need the extra `messages`.

    `file` has one Apprise URL a line: credentials stand there and nowhere else. `pages` is where the owner's phone
    finds the box's pages; without it messages carry no links.
    """

    file: Path
    pages: PagesUrl | None = None


class HomeAssistantSection(Section):
    """The owner's Home Assistant: what it is shown and what it may ask. Without this section nothing is published.

    `may` only ever takes access away: lock now, stop, somebody is home. There is no word for unlocking, nor one that
    ends what these begin. `picture`: of the last visit, one small picture of the camera outside goes with it; none
    unless the owner says so, because what Home Assistant keeps no erasure of ours reaches.
    """

    discovery_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "homeassistant"
    may: tuple[Literal["lock_now", "stop", "somebody_home"], ...] = ("lock_now",)
    picture: Literal["none", "last_visit"] = "none"


class Place(Section):
    """Where a parcel is left, and how long the door may stand open meanwhile."""

    name: Name
    fridge: Id | None = None
    open_limit: Seconds = 120.0


class Cameras(Section):
    """The cameras of an entrance: `outside` sees the courier at the door."""

    outside: Id
    inside: tuple[Id, ...] = ()
    read_labels: tuple[Id, ...] = ()


class EntranceSection(Section):
    """A way in that a delivery may use."""

    name: Name
    living_space: bool = True
    way_out_by_hand: bool
    lock: Id
    door: Id
    cameras: Cameras
    scanners: tuple[Id, ...]
    signal: Id
    places: dict[Id, Place]
    courier_proof: bool = True
    presence: tuple[Id, ...] = ()
    alarm: Id | None = None
    timing: Timing = Timing()

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if not self.way_out_by_hand:
            raise ValueError(
                "way_out_by_hand must be true: nobody may be locked in, so an entrance whose inside does"
                " not open by hand without key or power cannot be enrolled"
            )
        return self


class BrandKey(Section):
    """A brand's public Ed25519 key, as the JWK's `x` (base64url)."""

    kid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    x: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class PermissionSeed(Section):
    """What the owner allows a brand at first start; afterwards the store rules. Hours are in the house's time zone."""

    state: Literal["pending", "granted", "refused"] = "pending"
    entrances: tuple[Id, ...] = ()
    carriers: tuple[Name, ...] = ()
    places: tuple[Id, ...] = ()
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = (
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "sun",
    )
    hours: Hours = "00:00-24:00"
    openings: int = Field(default=1, ge=1, le=10)
    ask_each_time: bool = False
    expires: Annotated[str, AfterValidator(day)] | None = None  # the last day, in the house's time zone
    hub_signed: bool = False  # also deliveries that the brand has not signed: whoever runs the hub could invent them


class Brand(Section):
    """A retailer."""

    name: Name
    keys: tuple[BrandKey, ...]
    permission: PermissionSeed = PermissionSeed()


class HubSection(Section):
    """The hub that this home has joined, and how it is reached. Without this section the box speaks to none.

    `home`: as the hub calls it; `shard`: where its words go in, unless it follows from that. The box connects outwards
    to `host` and proves itself by `tls.certificate`, or by a password under the home's name. `key`: the hub's public
    one (Ed25519, the JWK's `x`), by which it signs for brands that do not sign themselves; without it none is taken.
    """

    url: PagesUrl
    home: Annotated[str, StringConstraints(pattern=r"^home-[a-z0-9-]{1,59}$")]
    host: HostName
    shard: int | None = Field(default=None, ge=0, le=9999)
    port: int = Field(default=8883, ge=1, le=65535)
    tls: BrokerTls | None = None
    key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")] | None = None
    password_file: Path | None = None
    keepalive: int = Field(default=60, ge=5, le=600)

    @model_validator(mode="after")
    def _believed(self) -> Self:
        if self.tls is None and not on_loopback(self.host):
            raise ValueError("without tls whoever stands between reads what comes and keeps it back: name tls.ca")
        return self

    @property
    def line(self) -> Broker:
        """The broker at which the hub rings."""
        return Broker(
            host=self.host, port=self.port, username=self.home, password_file=self.password_file, tls=self.tls
        )

    @property
    def credentials(self) -> tuple[Path, ...]:
        """The files by which the box proves that it is this home."""
        tls = self.tls
        files = (self.password_file, *(() if tls is None else (tls.key, tls.certificate)))
        return tuple(file for file in files if file is not None)

    def beside(self, folder: Path) -> Self:
        """Take relative paths from this folder."""
        line = self.line.beside(folder)
        return self.model_copy(update={"tls": line.tls, "password_file": line.password_file})


class Home(Section):
    """The whole file."""

    box: Id
    name: Name
    language: LanguageCode = "fr"
    timezone: Annotated[str, AfterValidator(time_zone)] = "Europe/Paris"
    broker: Broker = Broker()
    clock: ClockSource = ClockSource()
    storage: Storage = Storage()
    pages: Pages | None = None

    messages: Messages | None = None
    homeassistant: HomeAssistantSection | None = None
    hub: HubSection | None = None
    devices: dict[DeviceId, Device]
    entrances: dict[Id, EntranceSection]
    brands: dict[Id, Brand] = Field(default={})

    @property
    def brand_keys(self) -> tuple[tuple[str, str, str], ...]:
        """The keys of the brands that it names, as (brand, `kid`, `x`)."""
        return tuple((brand, key.kid, key.x) for brand, section in self.brands.items() for key in section.keys)

    @property
    def phones_file(self) -> Path:
        """Where the phones' URLs stand: where the house file says, else in the storage folder."""
        return self.storage.folder / "phones.txt" if self.messages is None else self.messages.file

    @property
    def claim_code(self) -> Path:
        """Where the box shows the code by which its first owner claims it: a file that only its own user can read."""
        return self.storage.folder / "claim-code"

    @property
    def way_in(self) -> Path:
        """Where codes stand by which an owner who lost his password comes back: as private as the claim code."""
        return self.storage.folder / "way-in"
