"""Gives the pages the services of the box; `app.py` supplies them, so the pages build no adapter."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from gateway.config.device_names import device_names
from gateway.config.editor import HomeFileWriter
from gateway.config.home import Home
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.commands import NotifyOwner
from gateway.domain.visit.predicates import is_private, stay_end
from gateway.domain.visit.state import Entrance
from gateway.installation.proposal_workflow import Proposals
from gateway.installation.walk_test_runner import WalkTestRunner
from gateway.integrations.hub_client.session import Uplink
from gateway.protocol.ed25519 import PublicKey
from gateway.runtime.door_sentences import CourierLanguages
from gateway.runtime.entrance import LastPosition
from gateway.runtime.inbox import Inbox
from gateway.runtime.maintenance.decommission import Decommissioning
from gateway.runtime.notifications.contacts import Contacts
from gateway.runtime.reception import ReceptionActor
from gateway.runtime.supervision import SupervisionDesk
from gateway.storage.people import AccountStore
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.i18n import Language
from gateway.system.text import sanitized
from gateway.video.ipc import CameraProof
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight, has_right

VIEW_LOG_INTERVAL_S = 10.0  # seconds after which a view that goes on, or comes in many requests, is logged again


class Viewer(Frozen):
    """Who looks at a page (`user` None: not signed in), and in which language."""

    language: Language
    user: CurrentUser | None = None

    def may(self, right: str) -> bool:
        """Return whether the viewer's role has a right; a page hides what the viewer may not do."""
        return self.user is not None and has_right(self.user.role, UserRight(right))


class GatewayServices(Frozen):
    """The services of one box, and the questions that several pages put to them."""

    home: Home
    store: Store
    clock: Clock
    states: Callable[[], tuple[tuple[Entrance, Now], ...]]  # the present state of every entrance
    inbox: Inbox  # takes the owner's requests, pauses, and decisions on brands and keys
    receptions: Mapping[str, ReceptionActor] = field(default_factory=dict)
    contacts: Contacts
    video_socket: Path  # of the video process
    camera_proofs: Callable[[], Mapping[str, CameraProof]]  # the newest proof of each camera
    take_picture: Callable[[str], Awaitable[bytes | None]]  # a JPEG of what a camera sees now, or None
    public_key: PublicKey  # the box's own
    erase_expired_films: Callable[[], None]
    notify_owner: Callable[[NotifyOwner, int], None]  # of the box; with the id under which it is stored
    decommissioning: Decommissioning
    walk_tests: WalkTestRunner
    supervision: SupervisionDesk
    proposals: Proposals
    home_file_writer: HomeFileWriter
    uplink: Uplink | None  # the connection to the hub
    courier_languages: CourierLanguages = field(default_factory=CourierLanguages)
    positions: Callable[[], Mapping[str, LastPosition]] = dict  # where each car said last that it is, by its device
    is_refused_by_broker: Callable[[], bool] = lambda: False  # there is no session, because of account or password

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the home."""
        return ZoneInfo(self.home.timezone)

    @property
    def keeper_names(self) -> Mapping[str, str]:
        """The names of the keepers, by id (not sanitized)."""
        return {id_: section.name for id_, section in self.home.keepers.items()}

    @property
    def films_folder(self) -> Path:
        """The folder to which the paths of clips are relative."""
        return self.home.storage.folder

    @property
    def retention_days(self) -> int:
        """For how many days films are kept: the owner's choice on the privacy page, else the value in home.yaml."""
        return self.store.privacy.chosen_retention_days() or self.home.storage.retention_days

    def is_inside(self, camera: str) -> bool:
        """Return whether a camera sees the inside of the home at any entrance."""
        return any(camera in section.cameras.inside for section in self.home.entrances.values())

    def private_cameras(self) -> frozenset[str]:
        """Return the cameras that are off now, because guests stay or a guest comes in."""
        return frozenset(
            camera
            for state, now in self.states()
            if is_private(state, now)
            for camera in self.home.entrances[state.id].film_cameras
        )

    def off_until(self, camera: str) -> datetime | None:
        """Return until when (UTC) an inside camera is off because guests stay; None: none do, or it is outside."""
        if not self.is_inside(camera):
            return None
        ends = (
            stay_end(state, now) for state, now in self.states() if camera in self.home.entrances[state.id].film_cameras
        )
        return max((end for end in ends if end is not None), default=None)

    def may_be_watched(self, camera: str) -> bool:
        """Return whether a camera may be watched live now, by any viewer.

        An inside camera may be watched only while it films anyway (a visit runs, or a door was opened without an
        order), unless the owner chose that it may always be watched. In a stay of guests nobody may watch it.
        """
        if self.is_inside(camera) and camera in self.private_cameras():
            return False
        if not self.is_inside(camera) or self.store.privacy.inside_always():
            return True
        return any(
            camera in self.home.entrances[state.id].cameras.inside
            and (state.visit is not None or state.incident is not None)
            for state, _ in self.states()
        )

    def is_filmed(self, entrance: str) -> bool:
        """Return whether a camera films the visits at this entrance."""
        section = self.home.entrances.get(entrance)
        return section is not None and bool(section.film_cameras)

    def entrance_state(self, name: str) -> tuple[Entrance, Now]:
        """Return the present state of one entrance. KeyError: no entrance has this name."""
        for state, now in self.states():
            if state.id == name:
                return state, now
        raise KeyError(name)

    def brand_name(self, brand: str, language: Language | None = None) -> str:
        """Return the name of a brand as it gave it (not sanitized); its id if the box does not know it.

        An own parcel has a name of the box's own, in this language (None: the home's).
        """
        return self.store.brands.name_of(brand, language or self.home.language)

    def entrance_name(self, entrance: str) -> str:
        """Return the name of an entrance or a reception; its id if home.yaml does not have it any more."""
        known = self.home.destinations.get(entrance)
        return entrance if known is None else known.name

    def device_name(self, device: str, language: Language) -> str:
        """Return the name of a device; its id if home.yaml does not have it any more."""
        return device_names(self.home, language).get(device, device)

    def place_name(self, delivery: VisitDelivery) -> str:
        """Return the name of the place of a delivery; its id if home.yaml does not have it any more."""
        known = self.home.destinations.get(delivery.entrance)
        return delivery.place if known is None else known.places.get(delivery.place, delivery.place)


def to_utc(now: Now, mono: float) -> datetime:
    """Convert a monotonic instant to UTC by the present clock; an instant before this boot becomes that of the boot."""
    return now.utc + timedelta(seconds=max(mono, 0.0) - now.mono)


def person_name(register: AccountStore, person: str | None) -> str | None:
    """Return the name of a person who has or had an account; None for no id, or for one that was erased."""
    known = None if person is None else register.person(person)
    return None if known is None else sanitized(known.name)


class ViewLog:
    """The views of the last seconds, in memory, by kind, object and person."""

    def __init__(self, store: Store) -> None:
        self._privacy = store.privacy
        self._logged_mono: dict[tuple[str, str, str | None], float] = {}

    def record(self, kind: Literal["live", "film", "report"], what: str, person: str | None, now: Now) -> None:
        """Log that a person (None: the holder of a link) sees a camera or a visit, unless it was logged just now."""
        self._logged_mono = {key: at for key, at in self._logged_mono.items() if now.mono - at < VIEW_LOG_INTERVAL_S}
        if (kind, what, person) not in self._logged_mono:
            self._logged_mono[kind, what, person] = now.mono
            self._privacy.record_view(kind, what, person, now)
