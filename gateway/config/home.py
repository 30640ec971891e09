"""The models of `home.yaml`; `gateway.config.loader` reads the file."""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, model_validator

from gateway.config.bookings import AnyBookingSource, IcsSource
from gateway.config.devices import AnyDevice
from gateway.config.fields import Day, DeviceId, Hours, LanguageCode, TimeZone
from gateway.config.keepers import KeeperSection
from gateway.config.reception import ReceptionSection
from gateway.config.robots import RobotsSection, SupervisorSection
from gateway.domain.day import day_end, read_day
from gateway.domain.delivery.own_parcel import CARRIERS
from gateway.domain.delivery.permission import Permission, PermissionStatus, PermissionTerms
from gateway.domain.frozen import Frozen
from gateway.domain.timing import Seconds, Timing
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import ClosureId
from gateway.domain.visit.state import Evidence, Holder
from gateway.system.addresses import is_loopback_host
from gateway.system.clock_settings import ClockSection
from gateway.system.config_section import (
    BrandKeyText,
    ConfigSection,
    HostName,
    HubKeyText,
    Id,
    ListenAddress,
    Name,
    OperatorKeyText,
    PagesUrl,
    Port,
    explained,
)
from gateway.system.mqtt_settings import BrokerSection, BrokerTls

_DISCOVERY_PREFIX = explained(r"^[A-Za-z0-9_-]{1,64}$", "a discovery prefix is 1 to 64 of A-Z, a-z, 0-9, _ and -")
_KID = explained(r"^[A-Za-z0-9._-]{1,64}$", "a kid is 1 to 64 of A-Z, a-z, 0-9, point, _ and -")

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Storage(ConfigSection):
    """Where the gateway keeps state, log and films, and for how long."""

    folder: Path = Path("var")
    """Folder: where state, log and films lie. A relative path begins at the folder of this file."""
    reserve_mib: int = Field(default=500, ge=1, json_schema_extra={"x-unit": "MiB"})
    """Reserve: with less free disk space than this no door opens. If it is too small, the disk may fill up during a
    visit and the film has a gap."""
    retention_days: int = Field(default=30, ge=1, le=30, json_schema_extra={"x-unit": "days"})
    """Retention: films are deleted after this time, except those that somebody holds. French law allows no longer
    time."""
    film_sync_s: float = Field(default=0.25, ge=0.25, le=1.0, json_schema_extra={"x-unit": "seconds"})
    """Film sync: a running film is written to the disk at least this often, and its first pictures at once. A power cut
    loses what was filmed since. With 1 second a camera that films takes about a sixth less CPU: choose it only where a
    battery keeps the gateway running."""


class PagesSection(ConfigSection):
    """The web pages of owner, household, installer and courier.

    On an address other than loopback they are served by HTTPS, under the gateway's own certificate authority unless
    `certificate` and `key` are given.
    """

    host: ListenAddress = "127.0.0.1"
    """Host: address of this machine on which the pages are served; `0.0.0.0` means all of them."""
    port: int = Field(default=8642, ge=0, le=65535, json_schema_extra={"x-unit": "port number"})
    """Port: TCP port of the pages; 0 takes any free port."""
    names: tuple[HostName, ...] = ()
    """Names: further host names and addresses under which the pages are opened. Required with `0.0.0.0`. Example:
    `[perron.home.arpa, 192.168.1.20]`."""
    plain_port: int | None = Field(default=None, ge=0, le=65535, json_schema_extra={"x-unit": "port number"})
    """Plain port: TCP port of two pages by HTTP: how to trust the gateway's certificate, and the courier's page. Left
    out, there are none by HTTP."""
    certificate: Path | None = None
    """Certificate: PEM file with the whole chain, if the gateway's own authority shall not sign."""
    key: Path | None = None
    """Key of the certificate: PEM file with its private key. Give both or neither."""
    contact: Name | None = None
    """Contact: whom a courier or a visitor may ask about the films. The notice at the door names it. Example:
    `claire@example.org`."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can open the pages; plain HTTP is then enough."""
        return ip_address(self.host).is_loopback

    @property
    def address(self) -> str:
        """Address of the pages under the name by which phones reach them, without a slash at its end."""
        host = self.host if self.is_loopback or not self.names else self.names[0]
        scheme = "http" if self.is_loopback and self.certificate is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both, or neither for the box's own authority")
        if ip_address(self.host).is_unspecified and not self.names:
            raise ValueError("with this host, names has to say how phones reach the box: [perron.local, 192.168.1.20]")
        return self


class MessagesSection(ConfigSection):
    """Messages to the owner's phones. They need the extra `messages` (`pip install 'perron[messages]'`)."""

    file: Path
    """File: one Apprise URL per line (ntfy, e-mail, Signal and more), readable by the gateway only (chmod 600)."""
    pages: PagesUrl | None = None
    """Pages: address under which a phone reaches the gateway's pages. Without it messages carry no links. Example:
    `https://perron.home:8443`."""


class PushSection(ConfigSection):
    """Notifications to browsers (Web Push). Left out, they go to push services on the public internet only."""

    private_services: bool = False
    """Private services: also send to push services at private addresses, such as one of your own in the house."""
    authority: Path | None = None
    """Authority: PEM file of the certificate authority to trust for push services, in place of the system's."""


class HomeAssistantSection(ConfigSection):
    """What the owner's Home Assistant sees and may request. Without this section nothing is published for it."""

    discovery_prefix: Annotated[str, StringConstraints(pattern=_DISCOVERY_PREFIX)] = "homeassistant"
    """Discovery prefix: first level of the topics on which Home Assistant discovers entities, as it is set there."""
    may: tuple[Literal["lock_now", "stop", "somebody_home"], ...] = ("lock_now",)
    """May: what Home Assistant may request. All of these only take access away; nothing unlocks and nothing ends them.
    Example: `[lock_now, stop, somebody_home]`."""
    picture: Literal["none", "last_visit"] = "none"
    """Picture: with `last_visit` Home Assistant gets one small picture of the outside camera for each visit. The
    gateway cannot delete what Home Assistant keeps."""


class Place(ConfigSection):
    """Where a parcel is left."""

    name: Name
    """Name: what the household and the courier read. Example: `In the hall`."""
    routes: tuple[tuple[ClosureId, ...], ...] = ()
    """Routes: the ways to this place. Each is a list of ids of closures, each id once, in the order of `closures`. The
    gateway takes the first route whose closures are all ready, such as the free compartment of a parcel box. Left out,
    every closure of the entrance has to open. Example: `[[c1], [c2]]`."""
    fridge: Id | None = None
    """Fridge: id of the fridge, if the place is one. Its temperature and its door are then watched."""
    full_sensor: Id | None = None
    """Full sensor: id of a device of the kind `content` that reports whether the place is full. While it is, or while
    that is unknown, no delivery to this place is let in."""
    scanners: tuple[Id, ...] = ()
    """Scanners: ids of barcode scanners that hang here. A scan shows that an item is at its place, and opens nothing.
    Example: `[fridge-scanner]`."""
    open_limit: Seconds = 120.0
    """Open limit: how long the door may stand open before the signal and the owner are warned. If it is too short,
    honest couriers cause alarms; if it is too long, an open door is noticed late."""


class CamerasSection(ConfigSection):
    """The cameras of an entrance."""

    outside: Id | None = None
    """Outside: id of the camera that sees the courier at the first closure. It must show motion or a running clock
    before that opens. Only an entrance whose `evidence` is no film can do without it."""
    inside: tuple[Id, ...] = ()
    """Inside: ids of the cameras that film behind the door. Each must film before the door unlocks."""
    read_labels: tuple[Id, ...] = ()
    """Read labels: ids of the cameras that also read the labels of expected parcels while a delivery's window is open.
    An unknown code that a camera reads does not count as a wrong scan."""


class GuestsSection(ConfigSection):
    """Guests at an entrance: the owner gives them passes, whose codes open it. Nothing of their visits is filmed."""

    place: Id | None = None
    """Place: id of the place to which a guest goes, so that the closures of its route open. Left out, it is the first
    one of `places`."""
    keypads: tuple[Id, ...] = ()
    """Keypads: ids of the keypads that get a code for the time of a pass. Example: `[front-keypad]`."""


class EntranceSection(ConfigSection):
    """An entrance that a delivery may use."""

    name: Name
    """Name: what the household reads. Example: `Front door`."""
    living_space: bool = True
    """Living space: the entrance leads into it. Such an entrance needs a door sensor that answers, and cannot be a
    garage door."""
    way_out_by_hand: bool
    """Way out by hand: the inside opens without key and without power. It must be `true`, so that nobody can be locked
    in."""
    lock: Id | None = None
    """Lock: id of the lock, or of the opener of a garage door. With `door` it is the short form of one closure with the
    id `door`; an entrance with others has `closures`."""
    door: Id | None = None
    """Door sensor: id of the sensor that says whether the door is closed. It must not depend on the lock."""
    closures: tuple[AnyClosure, ...] = ()
    """Closures: what bars the way in, in the order in which it opens: a street door, the door of the flat, the
    compartments of a parcel box, a key safe. `kind` decides which keys each one has."""
    evidence: Evidence = Evidence.FILM
    """Evidence: what the proof of a visit must have. Less than `film` is a gap that each proof declares, and is refused
    for the living space."""
    cameras: CamerasSection = CamerasSection()
    """Cameras: which cameras film a visit."""
    scanners: tuple[Id, ...]
    """Scanners: ids of the barcode scanners at this entrance."""
    signal: Id | None = None
    """Signal: id of the light and buzzer at this entrance, with the answer button inside. Without one nobody can be
    called, so `home_refuses` must be `false`."""
    speaker: Id | None = None
    """Speaker: id of a loudspeaker at this entrance. It says what the signal's sounds mean, in the language in which
    the courier reads the page of the link, otherwise in the home's."""
    home_refuses: bool = True
    """Home refuses: while somebody is home nothing opens, because the household can open itself. A parcel box outside
    may say `false`; an entrance to the living space may not."""
    places: dict[Id, Place]
    """Places: where parcels are left, one section per id."""
    courier_proof: bool = True
    """Courier proof: the courier must also show a one-time code, because a tracking number is no secret. With `false`
    the number on the parcel is enough."""
    holder: Holder = Holder.COURIER
    """Holder: who acts at this entrance. With `keeper`, a keeper brings the parcel in with the key of a key safe, and
    the keeper's code replaces the courier's code."""
    keepers: tuple[Id, ...] = ()
    """Keepers: ids of the keepers whose code this entrance accepts, with `holder: keeper`. Example:
    `[claire, oh-my-keys]`."""
    robots: RobotsSection | None = None
    """Robots: which robots may come in here under supervision, beside people. Left out, none may."""
    guests: GuestsSection | None = None
    """Guests: that guests with a pass may come in here. Left out, no pass opens this entrance."""
    presence: tuple[Id, ...] = ()
    """Presence: ids of presence devices. While one of them says that somebody is home, or is unknown, nothing opens."""
    alarm: Id | None = None
    """Alarm: id of the alarm panel that watches this entrance."""
    timing: Timing = Timing()
    """Waiting times: those of this entrance."""

    @property
    def needs_courier_token(self) -> bool:
        """Whether the courier has to show a one-time code; a keeper's code replaces it."""
        return self.courier_proof and self.holder is Holder.COURIER

    @property
    def closure_devices(self) -> tuple[str, ...]:
        """The devices that open a closure, sense one, or are witnesses of one, each once."""
        short = (device for device in (self.lock, self.door) if device is not None)
        further = (
            device for closure in self.closures for device in (*closure.devices.values(), *closure.witness_devices)
        )
        return tuple(dict.fromkeys((*short, *further)))

    @property
    def courier_cameras(self) -> tuple[str, ...]:
        """The cameras that see the courier: at the first closure, then at each further one."""
        outside = () if self.cameras.outside is None else (self.cameras.outside,)
        further = (camera for closure in self.closures for camera in closure.cameras)
        return tuple(dict.fromkeys((*outside, *further)))

    @property
    def door_camera(self) -> str | None:
        """The first camera that sees the courier; None: none does."""
        return next(iter(self.courier_cameras), None)

    @property
    def film_cameras(self) -> tuple[str, ...]:
        """The cameras that film a visit, those that see the courier first."""
        return tuple(dict.fromkeys((*self.courier_cameras, *self.cameras.inside)))

    @property
    def door_scanners(self) -> tuple[str, ...]:
        """The scanners at the first closure, then at each further one: their scans may open something."""
        further = (scanner for closure in self.closures for scanner in closure.scanners)
        return tuple(dict.fromkeys((*self.scanners, *further)))

    @property
    def place_scanners(self) -> Mapping[str, str]:
        """The scanners that hang at a place inside, each with its place: their scans open nothing."""
        return {scanner: name for name, place in self.places.items() for scanner in place.scanners}

    @property
    def all_scanners(self) -> tuple[str, ...]:
        """The scanners of the entrance, those at its closures first."""
        return tuple(dict.fromkeys((*self.door_scanners, *self.place_scanners)))

    @model_validator(mode="after")
    def _opens_by_hand(self) -> Self:
        if not self.way_out_by_hand:
            raise ValueError(
                "way_out_by_hand must be true: nobody may be locked in, so an entrance whose inside does"
                " not open by hand without key or power cannot be enrolled"
            )
        return self


class BrandKeySection(ConfigSection):
    """A public key with which a brand signs."""

    kid: Annotated[str, StringConstraints(pattern=_KID)]
    """Key id: name of the key, as it stands in the header of the brand's signatures. Example: `lune-2026`."""
    x: BrandKeyText
    """Public key: the Ed25519 key, as the JWK's `x` (base64url, 43 characters)."""


class PermissionSeed(ConfigSection):
    """What the owner allows a brand at first start. Afterwards the page Brands decides, not this section.

    Days and hours are in the time zone of the house.
    """

    state: Literal["pending", "granted", "refused"] = "pending"
    """State: while it is `pending` the deliveries of the brand wait until the owner decides."""
    entrances: tuple[Id, ...] = ()
    """Entrances: ids of the entrances that the brand may use."""
    carriers: tuple[Name, ...] = ()
    """Carriers: names of the carriers that may deliver. Example: `[Chronopost, Colissimo]`."""
    places: tuple[Id, ...] = ()
    """Places: ids of the places where the brand's parcels may be left."""
    days: tuple[Weekday, ...] = get_args(Weekday)
    """Days: days of the week on which the brand may deliver. Example: `[mon, tue]`."""
    hours: Hours = "00:00-24:00"
    """Hours: time of the day in which the brand may deliver, the earlier time first. Example: `08:00-20:00`."""
    openings: int = Field(default=1, ge=1, le=10, json_schema_extra={"x-unit": "openings of the door per delivery"})
    """Openings: how often one delivery may open the door. More than one lets a courier come back."""
    ask_each_time: bool = False
    """Ask each time: the owner must say yes to each delivery while the courier waits at the door."""
    expires: Day | None = None
    """Expires: the last day of the permission. Left out, it has no end. Example: `2027-01-31`."""
    hub_signed: bool = False
    """Hub-signed: also accept deliveries that the hub signed for the brand. Whoever runs the hub could then invent
    one."""

    def permission(self, brand: str, *, zone: ZoneInfo) -> Permission:
        """Return the permission that this describes; `expires` is the last whole day in `zone`."""
        terms = PermissionTerms(
            entrances=frozenset(self.entrances),
            places=frozenset(self.places),
            carriers=frozenset(self.carriers),
            days=frozenset(self.days),
            hours=self.hours,
            openings=self.openings,
            ask_each_time=self.ask_each_time,
            expires=None if self.expires is None else day_end(read_day(self.expires), zone),
            hub_signed=self.hub_signed,
        )
        return Permission(brand=brand, version=1, standing=PermissionStatus(self.state), terms=terms)


class BrandSection(ConfigSection):
    """A retailer's brand, as the household knows it."""

    name: Name
    """Name: what the household reads. Example: `Maison Lune`."""
    keys: tuple[BrandKeySection, ...]
    """Keys: public keys with which the brand signs. Overlapping keys let a brand change its key."""
    permission: PermissionSeed = PermissionSeed()
    """Permission: what the brand may do when the gateway first reads it."""


class OperatorKeySection(ConfigSection):
    """A public key with which an operator of robots signs."""

    kid: Annotated[str, StringConstraints(pattern=_KID)]
    """Key id: name of the key, as it stands in the header of the operator's signatures. Example: `trundle-2026`."""
    x: OperatorKeyText
    """Public key: the Ed25519 key, as the JWK's `x` (base64url, 43 characters)."""


class OperatorSection(ConfigSection):
    """An operator of robots. Its robots prove who they are by its keys."""

    name: Name
    """Name: what the household reads. Example: `Trundle`."""
    keys: Annotated[tuple[OperatorKeySection, ...], Field(min_length=1)]
    """Keys: public keys with which the operator's robots sign. Overlapping keys let an operator change its key."""


class OwnParcelsSection(ConfigSection):
    """Parcels that the owner announces himself, by their tracking number. Without this section they need his tap."""

    without_tap: tuple[Id, ...] = ()
    """Without tap: ids of entrances that such a parcel opens without the owner's yes, as soon as it is out for
    delivery. None of them may lead into the living space: there the owner always taps. Example: `[garage]`."""


class FallbackSection(ConfigSection):
    """Where a parcel goes if its own entrance cannot take it. Without this section it goes nowhere else."""

    order: tuple[Id, ...] = ()
    """Order: ids of entrances and receptions, the preferred one first. An entrance may refuse a delivery because it is
    not ready, has no live camera or is not cold enough, or because somebody is home or nobody is on duty. The delivery
    then goes to the first of these that its brand may use and that could take it now. Example: `[front, garage,
    box]`."""


class HubSection(ConfigSection):
    """The hub that this home has joined. `perron join` writes this section; without it the gateway contacts no hub."""

    url: PagesUrl
    """Hub: address under which everybody reaches the hub. Example: `https://hub.example`."""
    home: Annotated[str, StringConstraints(pattern=r"^home-[a-z0-9-]{1,59}$")]
    """Home: name of this home at the hub. Example: `home-7f3k`."""
    host: HostName
    """Broker: host name of the hub's MQTT broker. The gateway connects outwards to it."""
    shard: int | None = Field(default=None, ge=0, le=9999, json_schema_extra={"x-unit": "number of the shard"})
    """Shard: part of the hub's topics in which this home publishes. Left out, it follows from the name of the home."""
    port: Port = 8883
    """Port: TCP port of the hub's broker."""
    tls: BrokerTls | None = None
    """TLS: required unless the hub runs on this machine. The client certificate proves that this is the home."""
    key: HubKeyText | None = None
    """Key of the hub: its public Ed25519 key (the JWK's `x`), with which it signs for brands that do not sign
    themselves. Without it no such delivery is accepted."""
    password_file: Path | None = None
    """Password file: file with the password of the home, for a broker that asks for one instead of a certificate."""
    keepalive: int = Field(default=60, ge=5, le=600, json_schema_extra={"x-unit": "seconds"})
    """Keep-alive: the time between two signs of life on the connection. If it is too short, many homes load the hub; if
    it is too long, a lost connection is noticed late."""
    brand_facts: bool = True
    """Facts: whether a brand that the owner let in may read through the hub what it did in this home. The box signs
    these facts. The owner sees the same facts on the page Brands. They contain nothing about a person."""

    @model_validator(mode="after")
    def _needs_tls(self) -> Self:
        if self.tls is None and not is_loopback_host(self.host):
            raise ValueError("without tls whoever stands between reads what comes and keeps it back: name tls.ca")
        return self

    @property
    def broker(self) -> BrokerSection:
        """The hub's MQTT broker, as settings of a connection."""
        return BrokerSection(
            host=self.host, port=self.port, username=self.home, password_file=self.password_file, tls=self.tls
        )

    @property
    def credentials(self) -> tuple[Path, ...]:
        """The files with which the box proves that it is this home."""
        tls = self.tls
        files = (self.password_file, *(() if tls is None else (tls.key, tls.certificate)))
        return tuple(file for file in files if file is not None)


class Destination(Frozen):
    """Where a delivery may go, as a retailer and the owner's permission name it: an entrance or a reception."""

    name: str
    places: Mapping[str, str]  # the name of each place, by its id
    cold_places: frozenset[str]  # those that may take a delivery with a temperature limit
    courier_proof: bool = False
    living_space: bool = False
    collects: bool = False  # whether a courier may take parcels with him
    collects_alone: bool = False  # whether he may do so without bringing one
    robots: bool = False  # robots may come in there


class Home(ConfigSection):
    """The configuration of one gateway: its house, its devices, its entrances and the brands that may deliver."""

    box: Id
    """Box: id of this gateway. Retailers address their deliveries to it. Example: `perron-1`."""
    name: Name
    """Name: what the household calls the house. Example: `The house in Lilac Street`."""
    language: LanguageCode = "fr"
    """Language: language of the pages and of the messages to the household."""
    timezone: TimeZone = "Europe/Paris"
    """Time zone: days and hours of permissions are in this zone. Example: `Europe/Paris`."""
    broker: BrokerSection = BrokerSection()
    """Broker: the MQTT broker of the house."""
    clock: ClockSection = ClockSection()
    """Clock: where the time comes from."""
    storage: Storage = Storage()
    """Storage: where state, log and films are kept."""
    pages: PagesSection | None = None
    """Pages: the web pages. Left out, the gateway serves none."""
    messages: MessagesSection | None = None
    """Messages: messages to the owner's phones. Left out, phones that were added on the page Settings still get
    them."""
    push: PushSection = PushSection()
    """Push: notifications to the browsers of the household (Web Push)."""
    homeassistant: HomeAssistantSection | None = None
    """Home Assistant: what the owner's Home Assistant sees. Left out, it sees nothing."""
    hub: HubSection | None = None
    """Hub: the hub that this home has joined. Left out, the gateway contacts no hub."""
    devices: dict[DeviceId, AnyDevice]
    """Devices: one section per device, by its id. `kind` decides which keys it has."""
    entrances: dict[Id, EntranceSection]
    """Entrances: one section per entrance, by its id."""
    receptions: dict[Id, ReceptionSection] = Field(default={})
    """Receptions: one section per reception, by its id. There a person takes parcels for the household."""
    keepers: dict[Id, KeeperSection] = Field(default={})
    """Keepers: one section per keeper, by its id: who may take the key of a key safe."""
    operators: dict[Id, OperatorSection] = Field(default={})
    """Operators: one section per operator of robots, by its id."""
    supervisors: dict[Id, SupervisorSection] = Field(default={})
    """Supervisors: one section per person who watches robots, by its id."""
    bookings: dict[Id, AnyBookingSource] = Field(default={})
    """Bookings: one section per calendar or system that proposes passes and stays of guests, by its id. `kind` decides
    which keys it has."""
    brands: dict[Id, BrandSection] = Field(default={})
    """Brands: one section per retailer's brand, by its id."""
    fallback: FallbackSection = FallbackSection()
    """Fallback: where a parcel goes if its own entrance cannot take it."""
    own_parcels: OwnParcelsSection = OwnParcelsSection()
    """Own parcels: what a parcel may do that the owner announced himself."""

    @property
    def own_parcel_terms(self) -> PermissionTerms:
        """What the owner's own parcels may do: each comes once, to any entrance and place, brought by any carrier."""
        return PermissionTerms(
            entrances=frozenset(self.entrances),
            places=frozenset(place for entrance in self.entrances.values() for place in entrance.places),
            carriers=frozenset(CARRIERS.values()),
        )

    @property
    def guest_entrances(self) -> tuple[str, ...]:
        """The entrances that admit guests, in their order."""
        return tuple(name for name, entrance in self.entrances.items() if entrance.guests is not None)

    @property
    def booking_secrets(self) -> tuple[Path, ...]:
        """The files with the addresses and keys of sources of bookings: those of one household."""
        files = (one.address_file if isinstance(one, IcsSource) else one.key_file for one in self.bookings.values())
        return tuple(file for file in files if file is not None)

    @property
    def robot_entrances(self) -> frozenset[str]:
        """The entrances at which robots may come in."""
        return frozenset(name for name, entrance in self.entrances.items() if entrance.robots is not None)

    @property
    def destinations(self) -> Mapping[str, Destination]:
        """Every entrance and reception by its id, the entrances first."""
        entrances = {
            id_: Destination(
                name=section.name,
                places={place: one.name for place, one in section.places.items()},
                cold_places=frozenset(place for place, one in section.places.items() if one.fridge is not None),
                courier_proof=section.needs_courier_token,
                living_space=section.living_space,
                collects=True,
                collects_alone=section.holder is Holder.COURIER,
                robots=section.robots is not None,
            )
            for id_, section in self.entrances.items()
        }
        receptions = {
            id_: Destination(
                name=section.name,
                places={id_: section.name},
                cold_places=frozenset() if section.keep_cold is None else frozenset({id_}),
            )
            for id_, section in self.receptions.items()
        }
        return {**entrances, **receptions}

    @property
    def phones_file(self) -> Path:
        """The file of the phones' URLs: that of `messages`, else one in the storage folder."""
        return self.storage.folder / "phones.txt" if self.messages is None else self.messages.file

    @property
    def claim_code_file(self) -> Path:
        """The file with the code by which the first owner claims the box; only its own user can read it."""
        return self.storage.folder / "claim-code"

    @property
    def recovery_codes_file(self) -> Path:
        """The file with the codes by which an owner without password signs in; only its own user can read it."""
        return self.storage.folder / "way-in"
