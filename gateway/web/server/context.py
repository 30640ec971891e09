"""Holds the services of the box that the pages use; `app.py` supplies them, so pages import no other adapter."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.config.home import Home
from gateway.config.writer import HomeFileWriter
from gateway.domain.now import Now
from gateway.domain.pause import PauseRefusal, PlannedPause
from gateway.domain.visit.commands import NotifyOwner
from gateway.domain.visit.state import Entrance
from gateway.installation.proposals import Proposals
from gateway.installation.walk_test_runner import WalkTestRunner
from gateway.integrations.hub_client.session import Uplink
from gateway.protocol.keys import PublicKey
from gateway.protocol.owner_requests import AnyOwnerRequest
from gateway.runtime.maintenance.decommission import Decommissioning
from gateway.runtime.notifications.contacts import Contacts
from gateway.runtime.permissions import PermissionService
from gateway.storage import Store
from gateway.system.clock import Clock
from gateway.video.ipc import CameraProof


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayServices:
    """One box.

    `wished` takes an entrance, a wish and whose it is (a person's id; None: who has a link); it answers None, or why it
    was not done. `letting` has the owner's word on brands; `distrusted` and `trusted` take a brand's public key and who
    asks. `pause` takes where (None: everywhere), from when, to when and whose word it is, `end_pause` a pause's id and
    whose; they answer the pause, or why there is none, and raise `StoreFailed`. `video` is the video process's socket,
    `proofs` the newest proof of each camera, `picture` a JPEG of what a camera sees now, `public_key` the box's own.
    `tidy` looks for films that have had their time; `told` tells the owner a stored message of the box. `walks` are the
    walk tests, `proposals` what waits to come into the house file, `rewriting` writes it.
    `uplink` is the line to the hub; None: there is none.
    """

    home: Home
    store: Store
    clock: Clock
    states: Callable[[], tuple[tuple[Entrance, Now], ...]]
    submit_request: Callable[[str, AnyOwnerRequest, str | None], Awaitable[str | None]]
    permissions: PermissionService
    plan_pause: Callable[[str | None, datetime | None, datetime, str | None], Awaitable[PlannedPause | PauseRefusal]]
    end_pause: Callable[[str, str | None], Awaitable[PlannedPause | PauseRefusal]]
    distrust_key: Callable[[str, str], Awaitable[str | None]]
    trust_key: Callable[[str, str], Awaitable[str | None]]
    contacts: Contacts
    video_socket: Path
    camera_proofs: Callable[[], Mapping[str, CameraProof]]
    take_picture: Callable[[str], Awaitable[bytes | None]]
    public_key: PublicKey
    erase_expired_films: Callable[[], None]
    notify_owner: Callable[[NotifyOwner, int], None]
    decommissioning: Decommissioning
    walk_tests: WalkTestRunner
    proposals: Proposals
    home_file_writer: HomeFileWriter
    uplink: Uplink | None

    @property
    def zone(self) -> ZoneInfo:
        """The house's time zone."""
        return ZoneInfo(self.home.timezone)

    @property
    def retention_days(self) -> int:
        """For how many days films are kept: as an owner chose on a page, else as the house file says."""
        return self.store.privacy.chosen_retention_days() or self.home.storage.retention_days

    def is_inside(self, camera: str) -> bool:
        """Whether a camera sees the inside of the home, at one entrance or another."""
        return any(camera in section.cameras.inside for section in self.home.entrances.values())

    def may_be_watched(self, camera: str) -> bool:
        """Whether a camera may be watched live now, whoever watches: one inside only while there is a film anyway.

        That is during a visit, and while a door that was opened without an order is filmed; unless the owner chose
        that it may always be.
        """
        if not self.is_inside(camera) or self.store.privacy.inside_always():
            return True
        return any(
            camera in self.home.entrances[state.id].cameras.inside
            and (state.visit is not None or state.incident is not None)
            for state, _ in self.states()
        )

    @property
    def films_folder(self) -> Path:
        """Where clips' paths begin."""
        return self.home.storage.folder

    def entrance_state(self, name: str) -> tuple[Entrance, Now]:
        """Return one entrance as it stands now.

        Raises:
            KeyError: there is none of this name.
        """
        for state, now in self.states():
            if state.id == name:
                return state, now
        raise KeyError(name)
