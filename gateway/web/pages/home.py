"""The pages of owner and household: live video, brands, requests to the house."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from aiohttp import web
from multidict import MultiMapping
from pydantic import TypeAdapter, ValidationError

from gateway.config.home import Home
from gateway.domain.day import FIRST_DAY, DayError, day_end, latest_day, read_day
from gateway.domain.delivery.permission import DAYS, Permission, PermissionTerms, extends_permission, parse_hours
from gateway.domain.now import Now
from gateway.protocol.keys import PublicKey
from gateway.protocol.owner_requests import AnyOwnerRequest, OwnerPermitRequest
from gateway.storage import StoredBrandKey
from gateway.storage.consent_requests import StoredConsentRequest
from gateway.system.i18n import Language, _
from gateway.system.text import sanitized
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server import live_video
from gateway.web.server.authorization import PASSWORD_FIELD, REQUEST_RIGHTS, Authorizer, wants_json
from gateway.web.server.security_headers import local_path
from gateway.web.texts.catalogue import TEXTS

log = structlog.get_logger(__name__)

MAX_CARRIERS = 32  # as many as a brand may ask for
_SHORTEST_TIME = timedelta(microseconds=1)

_REQUEST_ADAPTER: TypeAdapter[AnyOwnerRequest] = TypeAdapter(AnyOwnerRequest)


class HomePages:
    """What is seen of the house, and asked of it."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer, self._services = authorizer, authorizer.services
        self._snapshots = live_video.SnapshotCache(authorizer.services.take_picture)

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        behind = self._authorizer.protect
        return [
            web.get("/live", behind(UserRight.WATCH_LIVE, self._live)),
            web.get("/live/{camera}", behind(UserRight.WATCH_LIVE, self._stream_camera)),
            web.get("/live/{camera}/pictures", behind(UserRight.WATCH_LIVE, self._stream_pictures)),
            web.get("/brands", behind(UserRight.SEE_BRANDS, self._brands)),
            web.post("/entrance/{entrance}", self._entrance_request),
            web.post("/brands/{brand}", self._brand_request),
            web.post("/brands/{brand}/terms", behind(UserRight.DECIDE_BRANDS, self._set_terms)),
            web.post("/brands/{brand}/forget", behind(UserRight.DECIDE_BRANDS, self._forget_brand)),
            web.post("/brands/{brand}/keys/{kid}", behind(UserRight.DECIDE_BRANDS, self._decide_key)),
        ]

    async def _live(self, request: web.Request, _user: CurrentUser) -> web.Response:
        cameras = {
            name: (section.cameras.outside, *section.cameras.inside)
            for name, section in self._services.home.entrances.items()
        }
        always = self._services.store.privacy.inside_always()
        private = set() if always else {name for name in self._services.home.devices if self._services.is_inside(name)}
        return self._authorizer.render_page(request, "live", cameras=cameras, private=private)

    async def _stream_camera(self, request: web.Request, user: CurrentUser) -> web.StreamResponse:
        """One camera, live; whether it may be watched is asked again for as long as it goes on."""
        camera = self._requested_camera(request)
        if not self._services.may_be_watched(camera):
            return await live_video.refuse_private(request)
        allowed = partial(self._may_watch, user, camera)
        self._log_view(user, camera)
        try:
            return await live_video.stream_camera(
                request, self._services.video_socket, camera, proofs=self._services.camera_proofs, is_allowed=allowed
            )
        finally:
            self._log_view(user, camera)

    async def _stream_pictures(self, request: web.Request, user: CurrentUser) -> web.StreamResponse:
        camera = self._requested_camera(request)
        if not self._services.may_be_watched(camera):
            raise self._authorizer.conflict(
                request, _("The inside can only be watched during a visit (Settings, Privacy)")
            )
        allowed = partial(self._may_watch, user, camera)
        self._log_view(user, camera)
        try:
            return await live_video.stream_pictures(request, lambda: self._snapshots.newest(camera), is_allowed=allowed)
        finally:
            self._log_view(user, camera)

    def _log_view(self, user: CurrentUser, camera: str) -> None:
        """Note who watches, when it begins and when it ends."""
        self._services.store.privacy.record_view("live", camera, user.person, self._authorizer.now)

    def _requested_camera(self, request: web.Request) -> str:
        camera = request.match_info["camera"]
        device = self._services.home.devices.get(camera)
        if device is None or device.kind != "camera":
            raise web.HTTPNotFound
        return camera

    def _may_watch(self, user: CurrentUser, camera: str) -> bool:
        may = self._authorizer.accounts.refusal(user, UserRight.WATCH_LIVE, self._authorizer.now) is None
        return may and self._services.may_be_watched(camera)

    async def _brands(self, request: web.Request, _user: CurrentUser) -> web.Response:
        language, brands = self._authorizer.language(request), self._services.store.brands
        shown = [self._brand_facts(permission, language) for permission in self._services.store.brands.permissions()]
        keys = [
            {
                "brand": key.brand,
                "kid": key.kid,
                "name": brands.known()[key.brand].name,
                "fingerprint": _fingerprint(key),
            }
            for key in brands.waiting_keys()
        ]
        return self._authorizer.render_page(
            request, "brands", brands=[one for one in shown if one is not None], keys=keys
        )

    def _brand_facts(self, permission: Permission, language: Language) -> Mapping[str, Any] | None:
        home, terms, brands = self._services.home, permission.terms, self._services.store.brands
        brand, ask = brands.known().get(permission.brand), brands.request_of(permission.brand)
        if brand is None or (ask is not None and ask.over(self._authorizer.now)):
            return None
        places = _place_names(home)
        return {
            "id": permission.brand,
            "name": brand.name,
            "standing": permission.standing.value,
            **terms_facts(permission, home, language),
            "until": terms.expires,
            "last_day": None
            if terms.expires is None
            else (terms.expires - _SHORTEST_TIME).astimezone(self._services.zone).date(),
            "guest": brands.is_guest(permission.brand),
            "ask": ask,
            "open": ask is not None and brands.is_open(ask, self._authorizer.now),
            "asked": None if ask is None else question_facts(ask, home, language),
            "fingerprints": () if ask is None else tuple(map(_fingerprint, ask.keys)),
            "day_bounds": (FIRST_DAY, latest_day(self._authorizer.now.utc.astimezone(self._services.zone).date())),
            "week": week_spans(terms.days, terms.hours),
            "decided": self._last_decision(permission.brand),
            "terms": terms,
            "choices": {
                # the garage first: one begins there and lets in further when it went well
                "entrances": sorted(home.entrances.items(), key=lambda one: one[1].living_space),
                "garage": any(not one.living_space for one in home.entrances.values()),
                "places": sorted(places.items()),
                "days": DAYS,
            },
        }

    def _last_decision(self, brand: str) -> Mapping[str, Any] | None:
        """Who decided on a brand last, and when; None where nobody did on a page, or the log has forgotten."""
        for row in reversed(self._services.store.log.bodies_of_kind("permission")):
            if row["brand"] == brand and row.get("by") is not None:
                person = self._services.store.accounts.person(row["by"])
                return {"at": datetime.fromisoformat(row["at"]), "who": "?" if person is None else person.name}
        return None

    # ---- what is asked ----------------------------------------------------------------------------------------------

    async def _entrance_request(self, request: web.Request) -> web.Response:
        entrance = request.match_info["entrance"]
        fields = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        back, _ = fields.pop("back", "/"), fields.pop(PASSWORD_FIELD, None)
        right = _required_right(fields)
        asks = await self._authorizer.confirm_form(request, right)
        if asks is not None:
            return asks
        who = self._authorizer.require(request, right)
        if entrance not in self._services.home.entrances:
            raise web.HTTPNotFound
        return await self._submit(request, who, entrance, fields, back)

    async def _brand_request(self, request: web.Request) -> web.Response:
        fields = {"do": str((await request.post()).get("do", "")), "brand": request.match_info["brand"]}
        who = self._authorizer.require(request, _required_right(fields))
        brands = self._services.store.brands
        ask = brands.request_of(fields["brand"])
        if fields["do"] == "permit" and ask is not None and brands.is_open(ask, self._authorizer.now):
            raise self._authorizer.conflict(
                request, _("Look at what it asks for first, and choose the terms.")
            )  # what he saw is what he permits
        first = next(iter(self._services.home.entrances), None)
        if first is None:
            raise self._authorizer.conflict(request, _("There is no entrance here yet."))
        return await self._submit(request, who, first, fields, "/brands")

    async def _set_terms(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Let a brand in under the terms that the form tells; what cannot be meant is refused in words."""
        brand, fields = request.match_info["brand"], await request.post()
        if brand not in self._services.store.brands.known():
            raise web.HTTPNotFound
        try:
            terms = read_terms(fields, self._services.home, self._authorizer.now)
        except DayError as error:
            bounds = {"first": error.first.isoformat(), "last": error.last.isoformat()}
            text = self._authorizer.translate(
                request,
                _("Not done: {why}"),
                why=self._authorizer.translate(
                    request,
                    _("the last day has to lie between {first} and {last}; for no end, leave the field empty"),
                    **bounds,
                ),
            )
            raise web.HTTPConflict(text=text) from error
        except ValueError as error:
            raise self._authorizer.conflict(request, _("Not done: {why}"), why=str(error)) from error
        asks = await self._password_form(request, user, terms, self._services.store.brands.permission(brand))
        if asks is not None:
            return asks
        ask = str(fields["ask"]) if fields.get("ask") else None
        why = await self._services.permissions.permit(brand, terms, user.person, ask=ask)
        if why is not None:
            raise self._authorizer.conflict(request, _("Not done: {why}"), why=why)
        raise web.HTTPSeeOther("/brands")

    async def _password_form(
        self, request: web.Request, user: CurrentUser, terms: PermissionTerms | None, before: Permission | None
    ) -> web.Response | None:
        """Where a brand gets more than it has, take the password with the form: None, or the page that asks for it."""
        if terms is None or not extends_permission(before, terms):
            return None
        return await self._authorizer.require_password(request, user)

    async def _forget_brand(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Forget a brand that came by a hub and is not let in."""
        why = await self._services.permissions.forget(request.match_info["brand"], user.person)
        if why is not None:
            raise self._authorizer.conflict(request, _("Not done: {why}"), why=why)
        raise web.HTTPSeeOther("/brands")

    async def _decide_key(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Let a brand's new key count, or never."""
        brand, kid, letting = request.match_info["brand"], request.match_info["kid"], self._services.permissions
        match (await request.post()).get("do"):
            case "approve":
                asks = await self._authorizer.require_password(request, user)
                if asks is not None:
                    return asks
                why = await letting.approve_key(brand, kid, user.person)
            case "refuse":
                why = await letting.refuse_key(brand, kid, user.person)
            case _:
                raise web.HTTPBadRequest
        if why is not None:
            raise self._authorizer.conflict(request, _("Not done: {why}"), why=why)
        raise web.HTTPSeeOther("/brands")

    async def _submit(
        self, request: web.Request, user: CurrentUser, entrance: str, fields: Mapping[str, str], back: str
    ) -> web.Response:
        try:
            wish = _REQUEST_ADAPTER.validate_python({**fields, "id": f"page-{secrets.token_hex(8)}"})
        except ValidationError as error:
            raise web.HTTPBadRequest from error
        if isinstance(wish, OwnerPermitRequest) and wish.do == "permit":
            permission = self._services.store.brands.permission(wish.brand)
            asks = await self._password_form(
                request, user, None if permission is None else permission.terms, permission
            )
            if asks is not None:
                return asks
        why = await self._authorizer.wish(entrance, wish, user)
        log.info("asked_on_a_page", entrance=entrance, do=wish.do, by=user.person, done=why is None)
        if why is not None:
            raise self._authorizer.conflict(request, _("Not done: {why}"), why=why)
        if wants_json(request):
            return web.json_response({"done": self._authorizer.translate(request, _("Done."))})
        raise web.HTTPSeeOther(local_path(back))


def terms_facts(permission: Permission, home: Home, language: Language) -> Mapping[str, Any]:
    """The terms of a permission with the house's own names; names are as they were given, not inert yet."""
    terms, places = permission.terms, _place_names(home)
    return {
        "entrances": [home.entrances[name].name for name in sorted(terms.entrances) if name in home.entrances],
        "places": [places.get(name, name) for name in sorted(terms.places)],
        "carriers": sorted(terms.carriers),
        "days": ", ".join(TEXTS[f"day.{day}"].to(language) for day in DAYS if day in terms.days),
        "hours": terms.hours,
        "ask_each_time": terms.ask_each_time,
        "hub_signed": terms.hub_signed,
    }


def question_facts(ask: StoredConsentRequest, home: Home, language: Language) -> Mapping[str, Any]:
    """What a brand asks for with the house's own names; None where it leaves the choice to the house."""
    asked, places = ask.asked, _place_names(home)
    entrances = None if asked.entrances is None else [
        home.entrances[name].name for name in asked.entrances if name in home.entrances
    ]  # fmt: skip
    return {
        "entrances": entrances,
        "places": None if asked.places is None else [places[name] for name in asked.places if name in places],
        "carriers": asked.carriers,
        "days": ", ".join(TEXTS[f"day.{day}"].to(language) for day in asked.days),
        "hours": asked.hours,
        "openings": asked.openings,
        "until": asked.expires,
        "hub_signed": asked.hub_signed,
    }


def _fingerprint(key: StoredBrandKey) -> str:
    return PublicKey.from_text(key.x).fingerprint


def _place_names(home: Home) -> dict[str, str]:
    return {name: place.name for section in home.entrances.values() for name, place in section.places.items()}


def _required_right(fields: Mapping[str, str]) -> UserRight:
    """Which right a wish asks for. One that is none, or that names itself, is refused before anything is looked up."""
    right = REQUEST_RIGHTS.get(fields.get("do", ""))
    if right is None or "id" in fields:
        raise web.HTTPBadRequest
    return right


def read_terms(fields: MultiMapping[Any], home: Home, now: Now) -> PermissionTerms:
    """Read the terms that an owner wrote into the form. While the clock is not trusted nobody knows what is far ahead.

    Raises:
        DayError: a last day out of bounds.
        ValueError: a number, an hour or a name that cannot be meant.
    """
    places = {name for section in home.entrances.values() for name in section.places}
    carriers = {name for text in str(fields.get("carriers", "")).split(",") if (name := sanitized(text))}
    if len(carriers) > MAX_CARRIERS:
        raise ValueError(f"{MAX_CARRIERS} carriers at most")
    last, zone = str(fields.get("until", "")), ZoneInfo(home.timezone)
    today = now.utc.astimezone(zone).date() if now.trusted else None
    return PermissionTerms(
        entrances=frozenset(home.entrances) & set(map(str, fields.getall("entrance", ()))),
        places=frozenset(places) & set(map(str, fields.getall("place", ()))),
        carriers=frozenset(carriers),
        days=frozenset(map(str, fields.getall("day", ()))),
        hours=f"{fields.get('from', '')}-{fields.get('to', '')}",
        ask_each_time=fields.get("each") == "1",
        openings=int(str(fields.get("openings", "1"))),
        expires=day_end(read_day(last, today=today), zone) if last else None,
        hub_signed=fields.get("hub_signed") == "1",
    )


def week_spans(days: frozenset[str], hours: str) -> list[Mapping[str, Any]]:
    """The spans of a week in which a brand may come in: for each day its column and what is painted in it."""
    opens, closes = parse_hours(hours)
    begin, end = opens.total_seconds() / 3600, closes.total_seconds() / 3600
    painted: list[Mapping[str, Any]] = []
    for place, day in enumerate(DAYS):
        spans = []
        if day in days:
            spans.append({"y": 2 * begin, "height": 2 * (min(end, 24) - begin)})
        if end > 24 and DAYS[place - 1] in days:  # what runs past midnight is the next day's
            spans.append({"y": 0, "height": 2 * (end - 24)})
        painted.append({"name": day, "x": place * 28 + 2, "spans": spans})
    return painted
