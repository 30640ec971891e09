"""Shows the brands that ask or may come in, and takes the owner's decisions about them and their keys."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from gateway.domain.day import FIRST_DAY, DayError, latest_day
from gateway.domain.delivery.permission import DAYS, Permission
from gateway.protocol.keys import PublicKey
from gateway.storage import StoredBrandKey
from gateway.system.i18n import Language, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.pages.home import permission_password_form, required_right, submit_owner_request
from gateway.web.server.authorization import Authorizer
from gateway.web.server.brand_terms import place_names, question_facts, read_terms, terms_facts, week_spans

_SHORTEST_TIME = timedelta(microseconds=1)


class BrandsPage:
    """The page of the brands."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer, self._services = authorizer, authorizer.services

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses of this page."""
        protect = self._authorizer.protect
        return [
            web.get("/brands", protect(UserRight.SEE_BRANDS, self._brands)),
            web.post("/brands/{brand}", self._brand_request),
            web.post("/brands/{brand}/terms", protect(UserRight.DECIDE_BRANDS, self._set_terms)),
            web.post("/brands/{brand}/forget", protect(UserRight.DECIDE_BRANDS, self._forget_brand)),
            web.post("/brands/{brand}/keys/{kid}", protect(UserRight.DECIDE_BRANDS, self._decide_key)),
        ]

    async def _brands(self, request: web.Request, _user: CurrentUser) -> web.Response:
        language, brands = self._authorizer.language(request), self._services.store.brands
        shown = [self._brand_facts(permission, language) for permission in self._services.store.brands.permissions()]
        keys = [
            {
                "brand": key.brand,
                "kid": key.kid,
                "name": self._services.brand_name(key.brand),
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
        if brand is None or (ask is not None and ask.is_over(self._authorizer.now)):
            return None
        places = place_names(home)
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
                # the garage first: owners begin there, and permit more when it went well
                "entrances": sorted(home.entrances.items(), key=lambda one: one[1].living_space),
                "garage": any(not one.living_space for one in home.entrances.values()),
                "places": sorted(places.items()),
                "days": DAYS,
            },
        }

    def _last_decision(self, brand: str) -> Mapping[str, Any] | None:
        """Return who decided on a brand last, and when; None: nobody did on a page, or the log no longer has it."""
        for row in reversed(self._services.store.log.bodies_of_kind("permission")):
            if row["brand"] == brand and row.get("by") is not None:
                person = self._services.store.accounts.person(row["by"])
                return {"at": datetime.fromisoformat(row["at"]), "who": "?" if person is None else person.name}
        return None

    # ---- decisions --------------------------------------------------------------------------------------------------

    async def _brand_request(self, request: web.Request) -> web.Response:
        fields = {"do": str((await request.post()).get("do", "")), "brand": request.match_info["brand"]}
        user = self._authorizer.require_user(request, required_right(fields))
        ask = self._services.store.brands.request_of(fields["brand"])
        if (
            fields["do"] == "permit"
            and ask is not None
            and self._services.store.brands.is_open(ask, self._authorizer.now)
        ):
            # The owner permits only what the page showed
            raise self._authorizer.conflict(request, _("Look at what it asks for first, and choose the terms."))
        first = next(iter(self._services.home.entrances), None)
        if first is None:
            raise self._authorizer.conflict(request, _("There is no entrance here yet."))
        return await submit_owner_request(self._authorizer, request, user, first, fields, back="/brands")

    async def _set_terms(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Permit a brand under the terms of the form; invalid terms are refused with the reason."""
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
        asks = await permission_password_form(
            self._authorizer, request, user, terms, self._services.store.brands.permission(brand)
        )
        if asks is not None:
            return asks
        ask = str(fields["ask"]) if fields.get("ask") else None
        why = await self._services.permissions.permit(brand, terms, user.person, ask=ask)
        self._authorizer.raise_if_not_done(request, why)
        raise web.HTTPSeeOther("/brands")

    async def _forget_brand(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Remove a brand that came through a hub and is not permitted."""
        why = await self._services.permissions.forget(request.match_info["brand"], user.person)
        self._authorizer.raise_if_not_done(request, why)
        raise web.HTTPSeeOther("/brands")

    async def _decide_key(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Accept or refuse a brand's new key."""
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
        self._authorizer.raise_if_not_done(request, why)
        raise web.HTTPSeeOther("/brands")


def _fingerprint(key: StoredBrandKey) -> str:
    return PublicKey.from_text(key.x).fingerprint
