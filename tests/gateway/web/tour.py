"""A walk past every page of a box in which something happened. A page that is added later is missed here, and told."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from unittest.mock import PropertyMock, patch

from gateway.config.home import GuestsSection, Home, OperatorKeySection, OperatorSection, PagesSection
from gateway.config.keepers import KeeperSection
from gateway.config.robots import SupervisorSection
from gateway.domain.custody import DeclineReason
from gateway.domain.delivery.barcodes import courier_token_digest
from gateway.domain.delivery.permission import DAYS
from gateway.domain.guests.bookings import Booking, Calendar, Question, Reading, ReadingFailure, SourceStatus
from gateway.domain.guests.passes import Pass
from gateway.domain.visit import commands as c
from gateway.domain.visit.conditions import FridgeReported
from gateway.domain.visit.conditions.cold_chain import FridgeState
from gateway.domain.visit.state import Entrance
from gateway.evidence.archive import _VisitResult
from gateway.installation.proposal_checks import ProposalRequest
from gateway.protocol.browser_envelope import Jwk, load_private_key
from gateway.runtime.guests import NewPass
from gateway.runtime.notifications import action_links
from gateway.runtime.own_parcels import ParcelAnnouncement, ParcelView
from gateway.storage.bookings import Proposing
from gateway.storage.browsers import EnrolledBrowser
from gateway.storage.models import StoredClip
from gateway.web.auth.recovery import OwnerSuccession
from gateway.web.auth.roles import Role
from gateway.web.site import PagesSite
from tests.gateway.domain.delivery.house import make_step, receive
from tests.gateway.domain.delivery.shop import NOW, make_offer, make_offer_v2
from tests.gateway.evidence.visits import FILM_S, film_bytes
from tests.gateway.web.house import ANNA_PASSWORD
from tests.gateway.web.test_coming_in import a_site
from tests.shell.box import LINK_KEY, ShellBox, box, run_box
from tests.shell.desk import DESK, MARC, DeskBox, home_with_desk
from tests.shell.house import PARCEL, make_home
from tests.shell.parts import ManualTime
from tests.shell.site import ServedSite, serve_site

NO_PAGE_ROUTES = frozenset({
    "/feed", "/desk/feed", "/keeper/feed", "/supervisor/visits", "/supervisor/picture/{visit}",
    "/c/{digest}/feed", "/live/{camera}", "/live/{camera}/pictures", "/live/{camera}/still", "/film/{path}",
    "/shared/{token}/{file}",
    "/settings/keys/box.pub.pem", "/settings/moving-out/everything.zip",
    "/history/{visit}/thumbnail", "/history/{visit}/proof/{file}", "/history/{visit}/proof.zip",
    "/history/{visit}/report.pdf", "/c/{digest}/receipt", "/link/{token}/picture", "/push/picture/{token}",
    "/brands/{brand}/facts.jwt",
    "/guests/stay/{stay}/statement.json", "/guest/{token}/statement.json",
    "/installation/walk/{entrance}/picture/{number}", "/installation/walk/{entrance}/report.pdf",
    "/installation/walk/{entrance}/report.signed.json",
    "/setup/picture/{token}", "/setup/notice.pdf",
    "/certificate/authority.crt", "/static/{name}", "/away/worker.js", "/away/{language}.webmanifest",
    "/worker.js", "/manifest/{language}.webmanifest",
    "/offline/{name}",  # its page is looked at in `test_installable.py`, while the box does not answer
})  # fmt: skip
"""Addresses under which there is something else than a page for people."""

PLAIN_PATHS = ("/", "/live", "/history", "/parcels", "/returns", "/brands", "/household", "/settings",
         "/settings/messages",
         "/settings/keys",
         "/settings/sign-ins", "/installation", "/installation/examination", "/installation/add",
         "/installation/accounts", "/setup", "/setup/devices",
         "/settings/privacy", "/settings/hub", "/settings/moving-out", "/confirm", "/enter", "/enter/again",
         "/away", "/away/enrol", "/receptions", "/desk", "/keepers", "/keeper", "/cars", "/room", "/robots", "/guests",
         "/supervisor")  # fmt: skip

DIGEST = courier_token_digest(bytes(16))
KEEPERS = {
    "claire": KeeperSection(name="Claire Martin"),
    "oh-my-keys": KeeperSection(name="Oh my keys", kind="company"),
}
ROBOTS = {
    "operators": {"trundle": OperatorSection(name="Trundle", keys=(OperatorKeySection(kid="trundle-1", x="1" * 43),))},
    "supervisors": {"ines": SupervisorSection(name="Ines", operator="trundle")},
}
INCIDENT = "incident-1"
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Tour:
    """A box with somebody at its door, its pages, and another one that nobody has claimed.

    `pages` has for each route where it is shown, in a browser that is signed in as the owner.
    """

    made: ShellBox
    site: ServedSite
    pages: Mapping[str, str]

    @property
    def routes(self) -> dict[str, set[str]]:
        """Every address that the server knows, with its methods: its own list."""
        found: dict[str, set[str]] = {}
        for route in self.site.site._runner.app.router.routes():  # noqa: SLF001 - its own list
            assert route.resource is not None
            found.setdefault(route.resource.canonical, set()).add(route.method)
        return found


@asynccontextmanager
async def prepare_tour(
    folder: Path, house: Home | None = None, *, guest: str = "Bruno", why: str = "a dispute"
) -> AsyncIterator[Tour]:
    """Let something happen: an incident was filmed, sealed and held, somebody is invited, a courier is at the door.

    `guest` is the name of somebody of the household, `why` the film is held.
    """
    (folder / "ours").mkdir(exist_ok=True)
    (folder / "new").mkdir()
    house = house or home_with_desk(folder / "ours").model_copy(update={"keepers": KEEPERS, **ROBOTS})
    garage = house.entrances["garage"].model_copy(update={"guests": GuestsSection()})
    house = house.model_copy(update={"entrances": {**house.entrances, "garage": garage}})
    carrier = min(house.brands["shop"].permission.carriers)
    async with box(folder / "ours", house, time=ManualTime(mono=7300.0)) as made:
        await receive(made.store, make_offer(courier_sha256=DIGEST, carrier=carrier), now=NOW)
        if house.receptions:
            await hold_parcels(DeskBox(made), carrier)
        async with (
            run_box(made),
            serve_site(made, file=_write_home_file(folder, house)) as site,
            _unclaimed(folder / "new") as new,
        ):
            await announce_parcels(made)
            returns = make_offer_v2(id="back", parcels=(), collect=("RB123456785GB",), courier_sha256="9" * 64)
            await receive(made.store, returns.model_copy(update={"carrier": carrier}), now=NOW)
            assert await made.store.returns.prepare("shop.back", "on the bench", made.clock.now(), by=None)
            await _film_incident(made, why)
            await made.good_day()
            await made.ring(PARCEL)
            await site.guest(Role.HOUSEHOLD, guest)
            await count_readiness(made)
            await site.site._services.walk_tests.begin("garage", "Ida")  # noqa: SLF001 - as on its page
            await propose_devices(site)
            await enrol_browser(site, guest)
            await admit_guest(made, guest)
            await propose_bookings(made, guest)
            yield Tour(made, site, await _pages(made, site, f"http://127.0.0.1:{new.plain_port}"))


async def admit_guest(made: ShellBox, guest: str) -> None:
    """A guest has a pass for the garage."""
    now = made.clock.now().utc
    for_garage = NewPass(
        guest=guest, entrances=frozenset({"garage"}), starts=now, ends=now + timedelta(days=2), days=frozenset(DAYS)
    )
    assert isinstance(await made.reception.guests.grant(for_garage, "anna"), Pass)


async def hold_parcels(desk: DeskBox, carrier: str) -> None:
    """A receiver is on duty: one parcel is offered, one is with him, one was declined."""
    await desk.desk.set_duty(MARC, on=True)
    for number, code in enumerate(("desk-parcel-1", "desk-parcel-2", "desk-parcel-3")):
        await desk.announce(id=f"desk-{number}", parcels=(code,), carrier=carrier)
        await desk.desk.offer(code, source=code)
    await desk.desk.accept(MARC, "desk-parcel-2")
    await desk.desk.decline(MARC, "shop.desk-2", "desk-parcel-3", DeclineReason.DAMAGED)


def _write_home_file(folder: Path, house: Home) -> Path:
    """The house file, in a folder of its own."""
    (folder / "etc").mkdir()
    file = folder / "etc" / "home.yaml"
    file.write_text(json.dumps(house.model_dump(mode="json")), encoding="utf-8")
    return file


async def enrol_browser(site: ServedSite, label: str) -> None:
    """A browser of the owner's goes out with her."""
    store, now, who = site.box.store, site.box.clock.now(), site.owner.user
    person = store.accounts.person(who.person)
    assert person is not None
    key = Jwk.of(load_private_key(bytes(31) + b"\x07").public_key()).model_dump_json()
    one = EnrolledBrowser(id="brw-1", device=who.device, person=person, home="home-1", label=label, sign=key, agree=key,
                          own=bytes(32), since=now.utc)  # fmt: skip
    assert await store.browsers.enrol(one, now)


async def announce_parcels(made: ShellBox) -> None:
    """The owner expects two parcels, one of them today by his own word; a third one is withdrawn."""
    service, day, ids = made.reception.own_parcels, made.clock.now().utc.date(), list[str]()
    for number, today in (("8L20524752049", True), ("1Z999AA10123456784", False), ("RR123456785FR", False)):
        announced = await service.announce(
            ParcelAnnouncement(
                number=number, entrance="garage", place="hall", first_day=day, last_day=day + timedelta(days=1),
                note="shoes", comes_today=today,
            ),
            None,
        )  # fmt: skip
        assert isinstance(announced, ParcelView), announced
        ids.append(announced.id)
    assert await service.cancel(ids[-1], None) is None


async def propose_bookings(made: ShellBox, guest: str, entrance: str = "garage") -> None:
    """A calendar proposed three bookings: one is not accepted yet, one has other dates now, one is gone."""
    now, guests = made.clock.now(), made.reception.guests
    how = Proposing(source="airbnb", entrances=frozenset({entrance}), stays=True)
    begin = now.utc + timedelta(days=10)
    calendar = Calendar(
        id="airbnb", address="https://www.airbnb.example/calendar/ical/1.ics", arrival="16:00", departure="11:00"
    )
    assert await made.store.bookings.add_calendar(calendar, how, Reading(bookings=()), now, by="anna")
    new, moved, gone = (
        Booking(uid=uid, guest=guest, starts=begin, ends=begin + timedelta(days=2)) for uid in ("new", "moved", "gone")
    )
    await made.store.bookings.take_reading(how, Reading(bookings=(moved, gone)), now)
    for state in made.store.bookings.open(now):
        assert await guests.accept_booking(state.booking.key, "anna") is None
    later = Booking(**{**vars(moved), "ends": moved.ends + timedelta(days=1)})
    for _ in range(2):
        await made.store.bookings.take_reading(how, Reading(bookings=(later, new)), now)
    made.store.booking_sources |= {
        "airbnb": SourceStatus(read_at=now.utc),
        "booking": SourceStatus(why=ReadingFailure.UNREACHABLE, failed_since=now.utc),
    }
    assert {state.question for state in made.store.bookings.open(now)} == {None, Question.GONE, Question.MOVED}


async def propose_devices(site: ServedSite) -> None:
    """A camera and a door sensor wait for the owner; one whose id is taken is told beside the form."""
    proposals, now = site.site._services.proposals, site.box.clock.now()  # noqa: SLF001 - as its page has them
    camera = {"vendor": "rtsp", "url": "rtsp://192.168.1.30/stream"}
    for asked in (
        ProposalRequest(kind="camera", name="porch", fields=camera, login=("admin", "eleven blue ladders")),
        ProposalRequest(kind="door", name="back-door", fields={"vendor": "esphome"}),
    ):
        await proposals.propose(asked, by=site.owner.user.person, now=now)


async def count_readiness(made: ShellBox) -> None:
    """Two hours near a window, in one of which a camera was not ready once."""
    for hour, ready in ((0, True), (2, True), (2, False)):
        now = replace(made.clock.now(), utc=NOON + timedelta(hours=hour))
        made.store.readiness.count("front", {"lock": True, "cam": ready}, now)
    await made.store.log.append("after", {}, made.clock.now())  # the writer has stored what was posted before


@asynccontextmanager
async def _unclaimed(folder: Path) -> AsyncIterator[PagesSite]:
    """The pages of a box that others reach, on its port without TLS."""
    async with box(folder, make_home(folder)) as made:
        with patch.object(PagesSection, "is_loopback", PropertyMock(return_value=False)):
            site = a_site(made, PagesSection(port=0, plain_port=0))
            await site.open()
        try:
            yield site
        finally:
            await site.close()


async def _film_incident(made: ShellBox, why: str) -> None:
    path = f"visits/{INCIDENT}/cam-1-1.mp4"
    file = made.home.storage.folder / path
    file.parent.mkdir(parents=True)
    file.write_bytes(film_bytes(40))
    state = Entrance(id="garage", incident=INCIDENT)
    await made.store.commit(
        make_step(state, c.StartRecording(visit=INCIDENT), c.RaiseAlarm(code=c.AlarmCode.DOOR_FORCED_OPEN))
    )
    for celsius in (4.0, 7.5):
        heard = FridgeReported(place="fridge", fridge=FridgeState(temp_c=celsius))
        await made.store.commit(make_step(state, event=heard))
    clip = StoredClip(
        path=path, entrance="garage", visit=INCIDENT, part=1, camera="cam", start=NOON,
        end=NOON + timedelta(seconds=FILM_S), sha256=sha256(film_bytes(40)).hexdigest(), fragments=6,
        size=file.stat().st_size, gaps=((NOON + timedelta(seconds=1), NOON + timedelta(seconds=2)),),
    )  # fmt: skip
    await made.store.recordings.add_clip(clip, NOW)
    assert await made.archive._seal(INCIDENT, 1, _VisitResult())  # noqa: SLF001 - as it is sealed where the archive runs
    await made.store.recordings.set_hold(INCIDENT, why, NOW)


async def _one_time_link(site: ServedSite, form: str, fields: Mapping[str, str], path: str) -> str:
    """The way to a page by a link that a form gives, and tells this once."""
    async with site.client(site.owner) as client, client.post(form, data=fields) as answer:
        return path + (await answer.text()).partition(path)[2].partition("<")[0]


async def _pages(made: ShellBox, site: ServedSite, new: str) -> Mapping[str, str]:
    now = made.clock.now()
    await site.accounts.confirm_password(site.owner.user, ANNA_PASSWORD, now)
    invited = await site.accounts.invite(site.owner.user, Role.INSTALLER, now)
    offered = await OwnerSuccession(site.accounts, made.store, entrance="front", notify=lambda *_: None).make_offer(
        site.owner.user, now, leaves_films=False, held_too=False
    )
    later = now.utc + timedelta(hours=1)
    stop = action_links.sign_link(
        action_links.LinkPurpose.STOP, "front", later, b"n" * action_links.NONCE_BYTES, LINK_KEY
    )
    ours = {
        **{path: path for path in PLAIN_PATHS},
        "/history/{visit}": f"/history/{INCIDENT}",
        "/shared/{token}": await _one_time_link(site, f"/history/{INCIDENT}/share", {"days": "7"}, "/shared/"),
        "/take-over/{token}": f"/take-over/{offered.text}",
        "/guest/{token}": made.reception.guests.page(
            next(held for held in made.store.guests.passes() if held.proposed_by is None)
        ),
        "/join/{token}": f"/join/{invited.text}",
        "/link/{token}": f"/link/{stop}",
        "/c/{digest}": f"/c/{DIGEST}",
        "/away/{language}": "/away",  # in the browser's language
        "/installation/add": "/installation/add?kind=entrance",
        "/installation/walk/{entrance}": "/installation/walk/garage",
        "/installation/remove/{device}": "/installation/remove/lock",
        "/c/{digest}/label": f"/c/{DIGEST}/label",
    }  # fmt: skip
    if made.home.receptions:
        fields = {"receiver": MARC}
        ours["/desk/in/{token}"] = await _one_time_link(site, f"/receptions/{DESK}/link", fields, "/desk/in/")
    if made.home.keepers:
        ours["/keeper/in/{token}"] = await _one_time_link(site, "/keepers/claire/link", {}, "/keeper/in/")
    if made.home.supervisors:
        ours["/supervisor/in/{token}"] = await _one_time_link(site, "/robots/ines/link", {}, "/supervisor/in/")
    theirs = {path: f"{new}{path}" for path in ("/claim", "/certificate")}
    return {route: f"{site.address}{path}" for route, path in ours.items()} | theirs
