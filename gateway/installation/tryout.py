"""Tries a device before it is added: a camera's picture, a lock's answer.

Nothing is enrolled: the house with the device exists for the time of the trial. The owner may name an address in the
home's own network. An installer may try what announced itself in the network or at the broker; of another camera he
sees a picture only with its account, and only if the camera shows none without: else he could look through any open
camera of the family. A camera of the inside that is in the house already is not tried again by another path: it is
shown during a visit only. Each person has a limited number of trials, and a picture is for the one who asked for it.
"""

import asyncio
import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from devices import reports as r
from devices.vendors.definition import DOOR_KINDS
from gateway.config.devices import AnyDevice, CameraDevice
from gateway.config.home import Home
from gateway.config.stream_url import endpoint
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.installation.device_probe import DeviceAnswer, ProbeKeyUnusable
from gateway.installation.diagnostics.connection_errors import connection_error
from gateway.installation.diagnostics.stream import judge_stream
from gateway.installation.discovery import DiscoveredDevice
from gateway.installation.proposal_checks import ProposalRequest
from gateway.installation.proposal_workflow import ProposalView
from gateway.system.atomic_file import write_whole
from gateway.system.config_section import ConfigError
from gateway.system.i18n import Text, _, decimal_text, pgettext
from gateway.system.token_bucket import SlidingWindow
from gateway.video.ipc import CameraSource, OpenFailure
from gateway.video.probe import ProbeResult, probe_stream

MAX_TRIALS_PER_HOUR = 60  # of one person: an address book of the network is not read through a form
MAX_FOUND = 64  # announced devices that are kept
MAX_PICTURES = 32  # the newest
PICTURE_LIFETIME_S = 600.0
ASKED_KINDS = DOOR_KINDS - {"strike"}  # the other kinds say something by themselves only
OWN_MACHINE = "127.0.0.1"  # stands for each address of this machine
TRIALS_AT_ONCE = 1  # each of a camera is a process that decodes, and must not starve the doors

log = structlog.get_logger(__name__)

_BOLTS = {
    r.LockState.LOCKED: pgettext("a lock's answer", "locked"),
    r.LockState.UNLOCKED: pgettext("a lock's answer", "unlocked"),
    r.LockState.UNLATCHED: pgettext("a lock's answer", "open"),
    r.LockState.NOT_FULLY_LOCKED: pgettext("a lock's answer", "not fully locked"),
}
_LEAVES = {
    r.DoorState.CLOSED: pgettext("a door's answer", "closed"),
    r.DoorState.OPEN: pgettext("a door's answer", "open"),
}


class Trial(Frozen):
    """The result of a trial: a sentence, whether it is good (None: nothing can be said yet), the token of a picture."""

    text: Text
    good: bool | None = None
    picture: str | None = None


class FoundDevice(Frozen):
    """An announced device, and its trial; `request`: what adds it, None where something has to be filled in."""

    device: DiscoveredDevice
    request: ProposalRequest | None = None
    trial: Trial | None = None


class TriedPicture(Frozen):
    """The picture of a camera that nobody has added, for the person who tried it until `until` (monotonic seconds)."""

    camera: str
    person: str
    jpeg: bytes
    until: float


class _CameraPlace(Frozen):
    """Where a camera is. Its name is resolved once: else it could lead elsewhere after it was checked.

    `url` has an address in place of the name; but a certificate without `fingerprint` has to have the name.
    `addresses` are each spelt one way; there are none if the name is unknown.
    """

    host: str
    port: int
    url: str
    addresses: frozenset[str]


class DeviceTryout:
    """The trials of the running gateway, and what was found in its network.

    `check` returns the house with a device that nobody has added; `ask` queries a device of such a house.
    """

    def __init__(
        self,
        home: Home,
        *,
        check: Callable[[ProposalRequest], Awaitable[ProposalView]],
        ask: Callable[[Home, str], Awaitable[DeviceAnswer]],
        clock: Callable[[], Now],
    ) -> None:
        self._home, self._check, self._ask, self._clock = home, check, ask, clock
        self._pictures: dict[str, TriedPicture] = {}
        self._limits: dict[str, SlidingWindow] = {}
        self._turns = asyncio.Semaphore(TRIALS_AT_ONCE)
        self.found: tuple[FoundDevice, ...] = ()
        self.searched: Now | None = None  # when the last search ended

    def keep_found(self, found: Sequence[FoundDevice]) -> None:
        """Keep what a search has found, instead of what the one before did."""
        self.found, self.searched = tuple(found[:MAX_FOUND]), self._clock()

    async def try_found(self, person: str) -> None:
        """Try each found device that can be added as it is."""

        async def tried(found: FoundDevice) -> FoundDevice:
            if found.request is None or found.device.known_as is not None:
                return found
            return replace(found, trial=await self.try_device(found.request, person, is_found=True))

        self.found = tuple(await asyncio.gather(*map(tried, self.found)))

    async def try_device(
        self, request: ProposalRequest, person: str, *, is_found: bool, needs_account: bool = False
    ) -> Trial:
        """Try a device; not `is_found`: somebody named its address.

        `needs_account`: a camera shows its picture only to who has its account.
        """
        now = self._clock()
        if not self._limits.setdefault(person, SlidingWindow(MAX_TRIALS_PER_HOUR, 3600.0)).take(now.mono):
            return Trial(text=_("You have tried a lot within an hour: later."))
        view = await self._check(request)
        device = None if view.house is None else view.house.devices.get(request.name)
        if view.house is None or device is None:
            return Trial(text=_("It cannot be added like this."), good=False)
        async with self._turns:
            if isinstance(device, CameraDevice):
                place = await asyncio.to_thread(_place_of, device)
                refusal = await self._unproven(request, device, place) if needs_account else None
                return refusal or await self._try_camera(request, device, place, person, is_found=is_found)
            return await self._try_answer(view.house, request.name, device)

    def may_try(self, request: ProposalRequest, *, is_owner: bool) -> bool:
        """Return whether a person may try this device at once; an installer may if the device announced itself."""
        if is_owner or request.kind != "camera":
            return True
        announced = {
            endpoint(str(f.request.fields["url"])) for f in self.found if f.request and f.request.kind == "camera"
        }
        with suppress(ValueError, KeyError):
            return endpoint(str(request.fields["url"])) in announced
        return False

    async def sends_pictures(self, id_: str, camera: CameraDevice) -> bool:
        """Return whether a camera of the house sends pictures now; nobody sees them."""
        source = CameraSource(
            name=id_, url=camera.url, login=camera.credentials_file, ca=camera.ca, fingerprint=camera.fingerprint
        )
        with suppress(OSError):
            async with self._turns:
                return (await probe_stream(source)).pictures_a_second is not None
        return False

    def picture(self, token: str, person: str) -> TriedPicture | None:
        """Return a picture to the person who asked for it; None: there is none, or no longer."""
        kept = self._pictures.get(token)
        if kept is None or kept.person != person or kept.until < self._clock().mono:
            return None
        return kept

    async def _unproven(self, request: ProposalRequest, camera: CameraDevice, place: _CameraPlace) -> Trial | None:
        """Return why an installer may not see the picture at an address that he named; None: its account may show it.

        The camera is asked without the account first, and no picture of it is kept.
        """
        if request.login is None:
            return Trial(
                text=_(
                    "Type the camera's account: of a camera that does not announce itself you see a picture only with "
                    "it. The owner may look without."
                )
            )
        is_elsewhere = all(map(_is_own_network, place.addresses)) and not any(map(_is_own_machine, place.addresses))
        if not place.addresses or not is_elsewhere:
            return Trial(text=_("{host} is no other machine of the home's own network.", host=place.host), good=False)
        if await asyncio.to_thread(self._is_inside_camera, place):
            return None  # `_try_camera` says it
        probe = await probe_stream(CameraSource(name=request.name, url=place.url, fingerprint=camera.fingerprint))
        if probe.unopened in (OpenFailure.LOGIN_REFUSED, OpenFailure.LOGIN_UNUSABLE):
            return None
        if probe.unopened is None:
            return Trial(
                text=_(
                    "This camera shows its picture to everybody in the network, without an account. Set a password in "
                    "it first, or let the owner look."
                ),
                good=False,
            )
        finding = judge_stream(_("camera"), probe, f"{place.host}:{place.port}")
        return Trial(text=_("{what}. {todo}", what=finding.statement, todo=finding.todo or ""), good=False)

    async def _try_camera(
        self, request: ProposalRequest, camera: CameraDevice, place: _CameraPlace, person: str, *, is_found: bool
    ) -> Trial:
        if not place.addresses or not all(map(_is_own_network, place.addresses)):
            return Trial(text=_("{host} is no address of the home's own network.", host=place.host), good=False)
        if await asyncio.to_thread(self._is_inside_camera, place):
            return Trial(text=_("A camera of the inside is at this address already: it is shown during a visit only."))
        login = None
        try:
            if request.login is not None:
                login = self._home.storage.folder / "proposals" / f".trial-{secrets.token_hex(8)}.login"
                await asyncio.to_thread(_write_login, login, request.login)
            source = CameraSource(name=request.name, url=place.url, login=login, fingerprint=camera.fingerprint)
            probe = await probe_stream(source, picture=True)
        except OSError as error:
            return Trial(text=_("It could not be looked at: {why}", why=error.strerror or "unreadable"), good=False)
        finally:
            if login is not None:
                await asyncio.to_thread(login.unlink, missing_ok=True)
        log.info("camera_tried", name=request.name, by=person, found=is_found, picture=probe.picture is not None)
        return self._camera_trial(request.name, probe, f"{place.host}:{place.port}", person)

    def _camera_trial(self, camera: str, probe: ProbeResult, address: str, person: str) -> Trial:
        finding = judge_stream(_("camera"), probe, address)
        if probe.picture is None:
            return Trial(text=_("{what}. {todo}", what=finding.statement, todo=finding.todo or ""), good=False)
        now = self._clock().mono
        self._pictures = {t: p for t, p in self._pictures.items() if p.until >= now}
        while len(self._pictures) >= MAX_PICTURES:
            self._pictures.pop(next(iter(self._pictures)))
        token = secrets.token_urlsafe(16)
        self._pictures[token] = TriedPicture(
            camera=camera, person=person, jpeg=probe.picture, until=now + PICTURE_LIFETIME_S
        )
        return Trial(text=finding.statement, good=True, picture=token)

    def _is_inside_camera(self, place: _CameraPlace) -> bool:
        inside = {id_ for section in self._home.entrances.values() for id_ in section.cameras.inside}
        for id_ in inside:
            device = self._home.devices.get(id_)
            if isinstance(device, CameraDevice):
                its_place = _place_of(device)
                same = place.addresses & its_place.addresses
                # A camera has its stream at several ports; on this machine itself each port may be another camera
                if same and (place.port == its_place.port or not all(map(_is_own_machine, same))):
                    return True
        return False

    async def _try_answer(self, house: Home, id_: str, device: AnyDevice) -> Trial:
        if device.kind not in ASKED_KINDS or not device.can_be_queried:
            return Trial(text=_("It answers no question: the walk test tries it."))
        try:
            answer = await self._ask(house, id_)
        except ConnectionError as error:
            cause, _todo = connection_error(str(error), house.broker)
            return Trial(text=_("The broker cannot be used: {why}", why=cause), good=False)
        except (ConfigError, ProbeKeyUnusable) as error:
            return Trial(text=_("The broker cannot be used: {why}", why=str(error)), good=False)
        if answer.answer is None:
            return Trial(text=_("It answers once it has its account, which is made when you add it."))
        seconds = decimal_text(answer.seconds or 0.0, 1)
        return Trial(
            text=_("It answers in {seconds} s: {state}", seconds=seconds, state=_state(answer.answer)), good=True
        )


def _state(reports: Sequence[r.Report]) -> Text | str:
    for report in reports:
        if isinstance(report, r.LockReport) and report.bolt in _BOLTS:
            return _BOLTS[report.bolt]
        if isinstance(report, r.DoorReport) and report.door in _LEAVES:
            return _LEAVES[report.door]
    return _("it is there")


def _write_login(file: Path, login: tuple[str, str]) -> None:
    file.parent.mkdir(mode=0o700, exist_ok=True)
    write_whole(file, f"{login[0]}:{login[1]}\n".encode())


def _place_of(camera: CameraDevice) -> _CameraPlace:
    """Resolve a camera's name. All addresses of this machine are one: each of them leads to the same cameras."""
    host, port = endpoint(camera.url)
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return _CameraPlace(host=host, port=port, url=camera.url, addresses=frozenset())
    parts = urlsplit(camera.url)
    # IPv4 first: an IPv6 address of one link is none without the name of that link
    number = str(min(found, key=lambda one: one[0] != socket.AF_INET)[4][0]).partition("%")[0]
    netloc = f"[{number}]" if ":" in number else number
    if parts.port is not None:
        netloc += f":{parts.port}"
    is_pinned = parts.scheme == "rtsp" or camera.fingerprint is not None
    return _CameraPlace(
        host=host,
        port=port,
        url=parts._replace(netloc=netloc).geturl() if is_pinned else camera.url,
        addresses=frozenset(_one_spelling(family, address) for family, _, _, _, address in found),
    )


def _one_spelling(family: int, address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]) -> str:
    at = ipaddress.ip_address(str(address[0]).partition("%")[0])
    if isinstance(at, ipaddress.IPv6Address) and at.ipv4_mapped is not None:
        return _one_spelling(socket.AF_INET, (str(at.ipv4_mapped), 0))
    if not at.is_unspecified and not at.is_multicast:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as own:
            own.bind(address)  # only an address of this machine itself can be bound
            return OWN_MACHINE
    return str(at)


def _is_own_machine(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def _is_own_network(address: str) -> bool:
    at = ipaddress.ip_address(address)
    return (at.is_private or at.is_loopback or at.is_link_local) and not at.is_unspecified and not at.is_multicast
