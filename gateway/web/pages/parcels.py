"""Lets the owner announce a parcel himself, and shows how the announced ones stand."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from aiohttp import web

from gateway.domain.day import DayError, read_day
from gateway.domain.delivery.own_parcel import ANY_CARRIER, CARRIERS
from gateway.runtime.own_parcels import (
    PARCEL_REFUSAL_TEXTS,
    PARCEL_STATE_TEXTS,
    PARCEL_STATUS_TEXTS,
    AnnouncementProblem,
    ParcelAnnouncement,
    parse_day_hours,
)
from gateway.system.i18n import Text, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server.brand_terms import place_names
from gateway.web.server.page import Conflict, Page, form_texts, get, post
from gateway.web.server.security_headers import PHOTO_READER_HEADERS

PARCELS_PATH: Final = "/parcels"

_FIELDS = ("number", "carrier", "where", "first_day", "last_day", "from", "to", "note", "comes_today")


class ParcelsPage(Page):
    """The page of the owner's own parcels."""

    @get(PARCELS_PATH, UserRight.ANNOUNCE_PARCEL)
    async def _page(self, request: web.Request, _user: CurrentUser) -> web.Response:
        return self._render(request, dict.fromkeys(_FIELDS, "") | {"first_day": self._today.isoformat()})

    @property
    def _today(self) -> date:
        return self._now.utc.astimezone(self._services.zone).date()

    def _render(self, request: web.Request, entered: Mapping[str, str], *, error: Text | None = None) -> web.Response:
        service, without_tap = self._inbox.own_parcels, self._store.delivery_context.without_tap
        places = [
            {"value": f"{entrance}/{place}", "entrance": section.name, "place": spot.name,
             "needs_tap": entrance not in without_tap}
            for entrance, section in sorted(self._home.entrances.items(), key=lambda item: item[1].living_space)
            for place, spot in section.places.items()
        ]  # fmt: skip
        response = self._render_page(
            request, "parcels", status=200 if error is None else 422, page=PARCELS_PATH, error=error, entered=entered,
            notice=_("Announced.") if "announced" in request.query else None, today=self._today.isoformat(),
            carriers=CARRIERS, any_carrier=ANY_CARRIER, places=places, place_names=place_names(self._home),
            parcels=service.views(),
            tracking=service.has_tracking, states=PARCEL_STATE_TEXTS, statuses=PARCEL_STATUS_TEXTS,
        )  # fmt: skip
        response.headers.update(PHOTO_READER_HEADERS)
        return response

    @post(PARCELS_PATH, UserRight.ANNOUNCE_PARCEL)
    async def _announce(self, request: web.Request, user: CurrentUser) -> web.Response:
        form = await form_texts(request)
        entered: dict[str, Any] = {name: form.get(name, "") for name in _FIELDS}
        parcel = _read_form(entered)
        if parcel is None:
            return self._render(request, entered, error=PARCEL_REFUSAL_TEXTS[AnnouncementProblem.WINDOW])
        answer = await self._inbox.own_parcels.announce(parcel, user.person)
        if isinstance(answer, str):
            return self._render(request, entered, error=refusal_text(answer))
        raise web.HTTPSeeOther(f"{PARCELS_PATH}?announced")

    @post(f"{PARCELS_PATH}/{{parcel}}", UserRight.ANNOUNCE_PARCEL)
    async def _change(self, request: web.Request, user: CurrentUser) -> web.Response:
        service, parcel = self._inbox.own_parcels, request.match_info["parcel"]
        match (await form_texts(request)).get("do"):
            case "cancel":
                refusal = await service.cancel(parcel, user.person)
            case "today":
                refusal = await service.say_today(parcel, user.person)
            case "not_today":
                refusal = await service.say_today(parcel, user.person, comes=False)
            case _:
                raise web.HTTPBadRequest
        if refusal is not None:
            raise Conflict(refusal_text(refusal))
        raise web.HTTPSeeOther(PARCELS_PATH)


def _read_form(entered: Mapping[str, str]) -> ParcelAnnouncement | None:
    """Return what the form says; None: its days or hours are no days and hours."""
    entrance, _slash, place = entered["where"].partition("/")
    try:
        first = read_day(entered["first_day"])
        last = read_day(entered["last_day"]) if entered["last_day"] else first
        with_hours = entered["from"] or entered["to"]
        hours = parse_day_hours(f"{entered['from']}-{entered['to']}") if with_hours else None
    except (DayError, ValueError):
        return None
    return ParcelAnnouncement(
        number=entered["number"], entrance=entrance, place=place, first_day=first, last_day=last, hours=hours,
        carrier=entered["carrier"] or None, note=" ".join(entered["note"].split()),
        comes_today=bool(entered["comes_today"]),
    )  # fmt: skip


def refusal_text(code: str) -> Text:
    """Return why a request about a parcel is refused, in words."""
    return PARCEL_REFUSAL_TEXTS.get(code) or _("Not done: {why}", why=code)
