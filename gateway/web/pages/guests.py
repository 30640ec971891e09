"""The host's page about guests (passes and stays), and the guest's own page.

The guest's page has no account: its address is a MAC of the pass's id and version, so it ends with the pass.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from gateway.domain.delivery.permission import DAYS
from gateway.domain.frozen import Frozen
from gateway.domain.guests.bookings import (
    Calendar,
    CalendarProblem,
    KnownBooking,
    Question,
    Reading,
    ReadingFailure,
    SourceStatus,
    calendar_address,
    calendar_id,
)
from gateway.domain.guests.passes import Pass, PassProblem, PassState, Stay
from gateway.domain.guests.provisioning import CodeState, PassCode
from gateway.domain.pause import PauseRefusal, parse_local_time
from gateway.evidence.stay_statement import StayStatement
from gateway.runtime.calendars import CalendarService
from gateway.runtime.guests import CODE_STATE_TEXTS, PASS_PROBLEM_TEXTS, PASS_STATE_TEXTS, NewPass
from gateway.storage.bookings import BookingState
from gateway.system.dates import window_text
from gateway.system.i18n import Text, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server.authorization import Authorizer
from gateway.web.server.page import Conflict, Page, form_texts, get, post

GUESTS_PATH: Final = "/guests"
DAY_NAMES: Mapping[str, Text] = {
    "mon": _("Monday"), "tue": _("Tuesday"), "wed": _("Wednesday"), "thu": _("Thursday"), "fri": _("Friday"),
    "sat": _("Saturday"), "sun": _("Sunday"),
}  # fmt: skip
_NO_TIME = _("Give the beginning and the end as a date and a time of the house.")
_FIELDS = ("guest", "from", "to", "hours", "openings")
_CALENDAR_FIELDS = {"name": "", "arrival": "16:00", "departure": "11:00"}  # never the address: it is shown to nobody
_STATES = {"revoke": PassState.REVOKED, "end": PassState.ENDED}
FAILURE_TEXTS: Mapping[ReadingFailure, Text] = MappingProxyType({
    ReadingFailure.FILE: _("A file that the house file names for it cannot be read: the installer corrects it."),
    ReadingFailure.ADDRESS: _("The box does not connect to its address: it has to begin with https:// and lead to the"
                              " internet. Copy it again from the platform."),
    ReadingFailure.UNREACHABLE: _("Its server does not answer, or its certificate is not its own. The box tries"
                                  " again."),
    ReadingFailure.STATUS: _("Its server answers that there is nothing. If this lasts, copy the address again from the"
                             " platform."),
    ReadingFailure.CREDENTIALS: _("Its server refuses the box. Copy the address again from the platform, or give the"
                                  " installer a new key."),
    ReadingFailure.TOO_LARGE: _("It is larger than the calendar of a home can be: look whether the address is right."),
    ReadingFailure.UNREADABLE: _("What its server sends is no calendar. If this lasts, copy the address again from the"
                                 " platform."),
    ReadingFailure.CRASHED: _("The program that reads it has ended. The box tries again."),
})  # fmt: skip


CALENDAR_PROBLEM_TEXTS: Mapping[CalendarProblem, Text] = MappingProxyType({
    CalendarProblem.NAME: _("Give the calendar a name with letters or digits, such as airbnb."),
    CalendarProblem.TAKEN: _("A calendar of this name is there already: give another name, or remove that one first."),
    CalendarProblem.HOURS: _("Write the hours of arrival and departure like 16:00."),
    CalendarProblem.TOO_MANY: _("Twenty calendars are there already: remove one first."),
    CalendarProblem.TOO_OFTEN: _("The box tries one calendar at a time, and twenty in an hour: try again later."),
    CalendarProblem.CLOCK_UNTRUSTED: PASS_PROBLEM_TEXTS[PassProblem.CLOCK_UNTRUSTED],
})  # fmt: skip
_NOT_ADDED = _("The calendar was tried and is not kept. {why}")
NOT_ADDED_TEXTS: Mapping[ReadingFailure, Text] = MappingProxyType({
    **FAILURE_TEXTS,
    ReadingFailure.UNREACHABLE: _("Its server does not answer, or its certificate is not its own. Look at the address,"
                                  " then try again."),
    ReadingFailure.STATUS: _("Its server answers that there is nothing. Copy the address again from the platform."),
    ReadingFailure.UNREADABLE: _("What its server sends is no calendar. Copy the address again from the platform."),
    ReadingFailure.CRASHED: _("The program that reads it has ended. Try again."),
})  # fmt: skip
"""Why a calendar was not added: the box has none of it, so it does not try again by itself."""
_ADDED_EMPTY = _("{name} was read and has no booking now. A new one will stand here.")
_ADDED = _("{name} was read. Bookings: {count}. The next: {period}. Nothing changes until you accept one here.")
_ADDED_PARTLY = _("Some entries could not be read: the box tries again in half an hour.")


class SourceView(Frozen):
    """A source of bookings as the host sees it. `calendar`: one that was added here; None: the house file has it."""

    id: str
    status: SourceStatus
    calendar: Calendar | None


class PassView(Frozen):
    """A pass as the host sees it. `codes`: each keypad, and how far its code is."""

    held: Pass
    state: Text
    used: int
    is_open: bool
    codes: tuple[tuple[str, PassCode], ...]


class StayView(Frozen):
    """A stay as the host sees it. `has_begun`: the box can state what was filmed in it."""

    stay: Stay
    state: Text
    has_begun: bool
    is_over: bool


class BookingView(Frozen):
    """A booking as the host sees it. `moved`: the dates of its source, if those that he accepted are others.

    `seen`: the dates that the page shows, which an answer repeats.
    """

    state: BookingState
    text: Text
    moved: bool
    seen: str


def _dates(booking: KnownBooking) -> str:
    return f"{booking.starts.isoformat()}/{booking.ends.isoformat()}"


class GuestsPage(Page):
    """The page of guests, for the household; the owner changes something on it."""

    def __init__(self, authorizer: Authorizer) -> None:
        super().__init__(authorizer)
        self._calendars = CalendarService(self._home, self._store, self._services.clock)

    @get(GUESTS_PATH, UserRight.SEE_HISTORY)
    async def _page(self, request: web.Request, _user: CurrentUser) -> web.Response:
        return self._render(request)

    def _render(  # noqa: PLR0913 - the parts of the page
        self, request: web.Request, *, error: Text | None = None, link: tuple[Pass, str] | None = None,
        entered: Mapping[str, str] | None = None, calendar: Mapping[str, str] | None = None,
        notices: Sequence[Text] = (),
    ) -> web.Response:  # fmt: skip
        now, zone = self._now, self._services.zone
        local = now.utc.astimezone(zone).strftime("%Y-%m-%dT%H:%M")
        stored = self._store.guests.passes()
        stays = [self._stay_view(stay) for stay in self._store.guests.stays() if not stay.is_proposed]
        passes = [self._pass_view(held) for held in stored if held.state is not PassState.PROPOSED]
        code = None if link is None else self._inbox.guests.code(link[0])
        return self._render_page(
            request, "guests", status=200 if error is None else 422, page=GUESTS_PATH, error=error, link=link,
            code=code,
            entered=dict.fromkeys(_FIELDS, "") | {"from": local, "hours": "00:00-24:00"} | dict(entered or {}),
            passes=sorted(passes, key=lambda one: not one.is_open),
            stays=sorted(stays, key=lambda one: one.is_over),
            bookings=[self._booking_view(state) for state in self._store.bookings.open(now)],
            sources=self._sources(), failures=FAILURE_TEXTS, notices=notices,
            calendar=_CALENDAR_FIELDS | dict(calendar or {}), is_calendar_wrong=calendar is not None,
            entrances=self._inbox.guests.entrances, has_keypads=self._inbox.guests.has_keypads,
            days=DAYS, day_names=DAY_NAMES, code_states=CODE_STATE_TEXTS,
        )  # fmt: skip

    def _sources(self) -> list[SourceView]:
        """Return the sources of bookings by id; of two with one id, only that of the house file is read."""
        statuses = self._store.booking_sources
        added = {one.id: one for one in self._store.bookings.calendars()}
        return [
            SourceView(id=id_, status=statuses.get(id_, SourceStatus()),
                       calendar=None if id_ in self._home.bookings else added.get(id_))
            for id_ in sorted(added.keys() | statuses.keys())
        ]  # fmt: skip

    def _pass_view(self, held: Pass) -> PassView:
        now = self._now
        facts = self._store.deliveries.facts(held.key, now)
        used = 0 if facts is None or held.openings is None else held.openings - facts.openings_left
        state, is_over = PASS_STATE_TEXTS[held.state], held.is_over(now)
        if is_over and held.state in (PassState.GRANTED, PassState.PROPOSED):
            state = _("Over")
        codes = tuple((one.keypad, one) for one in self._store.guests.codes_of(held.id))
        return PassView(held=held, state=state, used=used, is_open=not is_over, codes=codes)

    def _stay_view(self, stay: Stay) -> StayView:
        now = self._now
        has_begun, is_over = stay.starts < now.utc, now.trusted and stay.ends <= now.utc
        state = _("Holds now: nothing is filmed, and the inside cameras are off") if has_begun else _("Planned")
        return StayView(stay=stay, state=_("Over") if is_over else state, has_begun=has_begun, is_over=is_over)

    def _booking_view(self, state: BookingState) -> BookingView:
        source = state.booking.source
        if state.question is Question.GONE and state.is_proposed:
            text = _("{source} proposed it, and did not have it when it was read the last two times.", source=source)
        elif state.question is Question.GONE:
            text = _("{source} did not have this booking when it was read the last two times. Was it cancelled? What"
                     " you accepted holds until you withdraw it.", source=source)  # fmt: skip
        elif state.question is Question.MOVED:
            text = _("{source} has other dates now. What you accepted holds with the dates that you accepted.",
                     source=source)  # fmt: skip
        elif state.is_proposed:
            text = _("{source} proposes it: nothing changes until you accept it.", source=source)
        else:
            text = _("Accepted, from {source}", source=source)
        moved = state.question is Question.MOVED
        return BookingView(state=state, text=text, moved=moved, seen=_dates(state.booking))

    @post(f"{GUESTS_PATH}/calendar", UserRight.SETTINGS)
    async def _add_calendar(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Try the calendar at a pasted address, and keep it if it can be read. No response shows the address."""
        form = await request.post()
        entered = {name: str(form.get(name, "")).strip()[:60] for name in _CALENDAR_FIELDS}
        error = await self._authorizer.password_error(request, user)
        if error is not None:
            return self._render(request, error=error, calendar=entered)
        new = Calendar(
            id=calendar_id(entered["name"]), address=calendar_address(str(form.get("address", ""))),
            arrival=entered["arrival"], departure=entered["departure"],
            entrances=frozenset(map(str, form.getall("entrance", []))) & set(self._inbox.guests.entrances),
        )  # fmt: skip
        found = await self._calendars.add(new, user.person)
        if isinstance(found, ReadingFailure):
            error = _NOT_ADDED.with_facts(why=NOT_ADDED_TEXTS[found])
            return self._render(request, error=error, calendar=entered)
        if isinstance(found, CalendarProblem):
            return self._render(request, error=CALENDAR_PROBLEM_TEXTS[found], calendar=entered)
        self._authorizer.changes.notify()
        return self._render(request, notices=self._added_texts(new.id, found))

    def _added_texts(self, name: str, reading: Reading) -> list[Text]:
        """Return what a calendar has that was just added."""
        partly = [] if reading.is_whole else [_ADDED_PARTLY]
        if not reading.bookings:
            return [_ADDED_EMPTY.with_facts(name=name), *partly]
        first = min(reading.bookings, key=lambda one: one.starts)
        period = window_text(first.starts, first.ends, self._services.zone, today=self._now.utc.date())
        return [_ADDED.with_facts(name=name, count=str(len(reading.bookings)), period=period), *partly]

    @post(f"{GUESTS_PATH}/calendar/{{calendar}}", UserRight.SETTINGS)
    async def _remove_calendar(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Remove a calendar; what was accepted of it stays."""
        if (await form_texts(request)).get("do") != "remove":
            raise web.HTTPBadRequest
        if not await self._calendars.remove(request.match_info["calendar"], user.person):
            raise web.HTTPNotFound
        self._authorizer.changes.notify()
        raise web.HTTPSeeOther(GUESTS_PATH)

    @post(f"{GUESTS_PATH}/booking/{{booking}}", UserRight.PEOPLE)
    async def _change_booking(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Accept what a booking proposes, withdraw it, keep it, or take its new dates."""
        guests, key = self._inbox.guests, request.match_info["booking"]
        form, found = await form_texts(request), self._store.bookings.find(request.match_info["booking"], self._now)
        do = form.get("do")
        if found is not None and do != "withdraw" and form.get("seen") != _dates(found.booking):
            raise Conflict(PASS_PROBLEM_TEXTS[PassProblem.CHANGED])  # its source has other dates since
        match do:
            case "accept":
                problem = await guests.accept_booking(key, user.person)
            case "withdraw":
                problem = await guests.withdraw_booking(key, user.person)
            case "keep":
                problem = await guests.keep_booking(key)
            case "move":
                problem = await guests.move_booking(key, user.person)
            case _:
                raise web.HTTPBadRequest
        if problem is not None:
            raise Conflict(PASS_PROBLEM_TEXTS[problem])
        raise web.HTTPSeeOther(GUESTS_PATH)

    @post(f"{GUESTS_PATH}/pass", UserRight.PEOPLE)
    async def _grant(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Grant a new pass; only this response shows its link."""
        form = await request.post()
        entered = {name: str(form.get(name, "")) for name in _FIELDS}
        times = self._times(entered)
        openings = entered["openings"].strip()
        if times is None or (openings and not (openings.isascii() and openings.isdecimal() and len(openings) < 5)):
            problem = PASS_PROBLEM_TEXTS[PassProblem.OPENINGS] if times else _NO_TIME
            return self._render(request, error=problem, entered=entered)
        new = NewPass(
            guest=" ".join(entered["guest"].split()), entrances=frozenset(map(str, form.getall("entrance", []))),
            starts=times[0], ends=times[1], days=frozenset(map(str, form.getall("day", []))) & set(DAYS),
            hours=entered["hours"].strip() or "00:00-24:00", openings=int(openings) if openings else None,
        )  # fmt: skip
        held = await self._inbox.guests.grant(new, user.person)
        if isinstance(held, PassProblem):
            return self._render(request, error=PASS_PROBLEM_TEXTS[held], entered=entered)
        return self._render(request, link=(held, self._link(request, held)))

    @post(f"{GUESTS_PATH}/pass/{{pass}}", UserRight.PEOPLE)
    async def _change_pass(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Show a pass's link again, end or withdraw a pass."""
        ident, do = request.match_info["pass"], (await form_texts(request)).get("do", "")
        held = self._store.guests.find_pass(ident)
        if held is None:
            raise web.HTTPNotFound
        if do == "link" and held.state is PassState.GRANTED:
            return self._render(request, link=(held, self._link(request, held)))
        if do not in _STATES:
            raise web.HTTPBadRequest
        changed = await self._inbox.guests.change(ident, _STATES[do], user.person)
        if isinstance(changed, PassProblem):
            raise Conflict(PASS_PROBLEM_TEXTS[changed])
        raise web.HTTPSeeOther(GUESTS_PATH)

    def _link(self, request: web.Request, held: Pass) -> str:
        return f"{request.scheme}://{request.host}{self._inbox.guests.page(held)}"

    @post(f"{GUESTS_PATH}/stay", UserRight.PEOPLE)
    async def _plan(self, request: web.Request, user: CurrentUser) -> web.Response:
        entered = await form_texts(request)
        times = self._times(entered)
        if times is None:
            return self._render(request, error=_NO_TIME)
        stay = Stay(
            id=secrets.token_hex(6), guest=" ".join(entered.get("guest", "").split())[:60], starts=times[0],
            ends=times[1], admits_deliveries=bool(entered.get("admits")),
        )  # fmt: skip
        problem = await self._inbox.guests.plan_stay(stay, user.person)
        if problem is not None:
            return self._render(request, error=PASS_PROBLEM_TEXTS[problem])
        raise web.HTTPSeeOther(GUESTS_PATH)

    @post(f"{GUESTS_PATH}/stay/{{stay}}", UserRight.PEOPLE)
    async def _change_stay(self, request: web.Request, user: CurrentUser) -> web.Response:
        ident = request.match_info["stay"]
        if (await form_texts(request)).get("do") != "end":
            raise web.HTTPBadRequest
        problem = await self._inbox.guests.end_stay(ident, user.person)
        if problem is not None:
            raise Conflict(PASS_PROBLEM_TEXTS[problem])
        raise web.HTTPSeeOther(GUESTS_PATH)

    @get(f"{GUESTS_PATH}/stay/{{stay}}/statement.json", UserRight.SEE_HISTORY)
    async def _statement(self, request: web.Request, _user: CurrentUser) -> web.Response:
        """Download the box's signed statement of what was filmed in a stay."""
        return _download(await self._inbox.guests.state_stay(request.match_info["stay"]))

    def _times(self, entered: Mapping[str, str]) -> tuple[datetime, datetime] | None:
        """Return the times of a form in UTC; None: one of them is no local time of the house."""
        zone = self._services.zone
        starts, ends = (parse_local_time(entered.get(name, ""), zone, end=name == "to") for name in ("from", "to"))
        if isinstance(starts, PauseRefusal) or isinstance(ends, PauseRefusal):
            return None
        return starts, ends


class GuestPage(Page):
    """The guest's own page: the code as a QR, until when it counts, and what is filmed and what is not."""

    @get("/guest/{token}")
    async def _page(self, request: web.Request) -> web.Response:
        held = self._inbox.guests.find(request.match_info["token"])
        if held is None or held.state is not PassState.GRANTED or held.is_over(self._now):
            return self._render_page(request, "guest", status=410, held=None, left=False)
        return self._render_page(request, "guest", **self._facts(held))

    def _facts(self, held: Pass) -> dict[str, Any]:
        guests, now = self._inbox.guests, self._now
        codes = [one for one in self._store.guests.codes_of(held.id) if one.state is CodeState.PROVEN]
        return {
            "held": held, "qr_code": guests.code(held), "page": guests.page(held), "now": now.utc,
            "entrances": sorted(self._services.entrance_name(name) for name in held.entrances),
            "stay": self._stay_of(held),
            "codes": [(one.keypad, one.pin) for one in codes],
            "days": [DAY_NAMES[day] for day in DAYS if day in held.days], "every_day": held.days == set(DAYS),
            "filmed": any(map(self._services.is_filmed, held.entrances)),
        }  # fmt: skip

    def _stay_of(self, held: Pass) -> Stay | None:
        """Return the stay that holds now at all entrances of a pass: of several the one that ends last."""
        now = self._now
        stays = [
            stay
            for stay in self._store.guests.open_stays(now)
            if not stay.is_proposed and stay.starts <= now.utc and all(map(stay.holds_at, held.entrances))
        ]
        return max(stays, key=lambda stay: stay.ends, default=None)

    @get("/guest/{token}/statement.json")
    async def _statement(self, request: web.Request) -> web.Response:
        """Download the box's signed statement of what was filmed in the guest's stay until now."""
        held = self._inbox.guests.find(request.match_info["token"])
        stay = None
        if held is not None and held.state is PassState.GRANTED and not held.is_over(self._now):
            stay = self._stay_of(held)
        return _download(None if stay is None else await self._inbox.guests.state_stay(stay.id))

    @post("/guest/{token}/leave")
    async def _leave(self, request: web.Request) -> web.Response:
        """Let the guest end the pass: from then on its code opens nothing."""
        held = self._inbox.guests.find(request.match_info["token"])
        if held is not None and held.state is PassState.GRANTED:
            await self._inbox.guests.change(held.id, PassState.ENDED, None)
        return self._render_page(request, "guest", held=None, left=True)


def _download(statement: StayStatement | None) -> web.Response:
    """Give a statement as a file. HTTPNotFound: there is no such stay, or it has not begun."""
    if statement is None:
        raise web.HTTPNotFound
    headers = {"Content-Disposition": f'attachment; filename="perron-stay-{statement.stay}.json"'}
    return web.Response(body=statement.to_json(), content_type="application/json", headers=headers)
