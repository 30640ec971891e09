"""Shows the brands that ask or may come in, and takes the owner's decisions about them and their keys."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from gateway.domain.day import FIRST_DAY, DayError, latest_day
from gateway.domain.delivery.permission import DAYS, Permission, PermissionStatus, extends_permission
from gateway.evidence.receipt import OUTCOME_TEXTS
from gateway.evidence.rollback import STORE_FILE
from gateway.protocol.brand_messages import facts_claims, sign_facts
from gateway.runtime.notifications.texts import REFUSAL_TEXTS
from gateway.storage import readonly
from gateway.storage.brand_facts import FactsSource
from gateway.system.dates import last_day
from gateway.system.i18n import Language, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.pages.home import OwnerRequestPage, required_right
from gateway.web.server.authorization import Authorizer
from gateway.web.server.brand_terms import place_names, question_facts, read_terms, terms_facts, week_spans
from gateway.web.server.page import Conflict, form_texts, get, post, raise_if_not_done
from gateway.web.texts.catalogue import COMPLAINT_TEXTS


class BrandsPage(OwnerRequestPage):
    """The page of the brands."""

    def __init__(self, authorizer: Authorizer) -> None:
        super().__init__(authorizer)
        self._facts_lock = asyncio.Lock()

    @get("/brands", UserRight.SEE_BRANDS)
    async def _brands(self, request: web.Request, _user: CurrentUser) -> web.Response:
        language, brands = self._language(request), self._store.brands
        facts = (self._brand_facts(permission, language) for permission in brands.permissions())
        source = await self._read_facts()
        return self._render_page(
            request, "brands", brands=list(filter(None, facts)), keys=brands.waiting_keys(),
            did=lambda brand: source.of(brand, self._now), comment_of=self._store.brand_facts.comment_of,
            outcome_texts=OUTCOME_TEXTS, refusal_texts=REFUSAL_TEXTS, complaint_texts=COMPLAINT_TEXTS,
        )  # fmt: skip

    async def _read_facts(self) -> FactsSource:
        """Read the log in a thread, one request at a time: a busy month takes some 0.2 s."""
        async with self._facts_lock:
            return await asyncio.to_thread(readonly.brand_facts, self._home.storage.folder / STORE_FILE)

    @get("/brands/{brand}/facts.jwt", UserRight.DECIDE_BRANDS)
    async def _signed_facts(self, request: web.Request, _user: CurrentUser) -> web.Response:
        """Serve what the brand did here as a statement that the box signs."""
        brand = request.match_info["brand"]
        if brand not in self._store.brands.known:
            raise web.HTTPNotFound
        source, now = await self._read_facts(), self._now
        comment = self._store.brand_facts.comment_of(brand)
        claims = facts_claims(self._home.box, brand, source.of(brand, now), comment=comment)
        headers = {"Content-Disposition": f'attachment; filename="perron-{brand}.facts.jwt"'}
        token = sign_facts(claims, self._inbox.key)
        return web.Response(body=token, content_type="application/jwt", headers=headers)

    def _brand_facts(self, permission: Permission, language: Language) -> Mapping[str, Any] | None:
        home, terms, brands = self._home, permission.terms, self._store.brands
        brand, question = brands.known.get(permission.brand), brands.request_of(permission.brand)
        now, zone = self._now, self._services.zone
        if brand is None or (question is not None and question.is_over(now)):
            return None
        return {
            "id": permission.brand,
            "name": brand.name,
            "standing": permission.standing.value,
            **terms_facts(permission, home, language),
            "last_day": None if terms.expires is None else last_day(terms.expires, zone),
            "is_guest": brands.is_guest(permission.brand),
            "question": question,
            "is_open": question is not None and brands.is_open(question, now),
            "question_names": None if question is None else question_facts(question, home, language),
            "day_bounds": (FIRST_DAY, latest_day(now.utc.astimezone(zone).date())),
            "week": week_spans(terms.days, terms.hours),
            "decided": self._last_decision(permission.brand),
            "terms": terms,
            "choices": {
                # the garage first: owners begin there, and permit more when it went well
                "entrances": sorted(home.destinations.items(), key=lambda item: item[1].living_space),
                "garage": any(not section.living_space for section in home.entrances.values()),
                "places": sorted(place_names(home).items()),
                "days": DAYS,
            },
        }

    def _last_decision(self, brand: str) -> Mapping[str, Any] | None:
        """Return who decided on a brand last, and when; None: nobody did on a page, or the log no longer has it."""
        for row in reversed(self._store.log.bodies_of_kind("permission")):
            if row["brand"] == brand and row.get("by") is not None:
                person = self._store.accounts.person(row["by"])
                return {"at": datetime.fromisoformat(row["at"]), "who": "?" if person is None else person.name}
        return None

    @post("/brands/{brand}")
    async def _brand_request(self, request: web.Request) -> web.Response:
        fields = {"do": (await form_texts(request)).get("do", ""), "brand": request.match_info["brand"]}
        user = await self._authorizer.require_user(request, required_right(fields))
        brands = self._store.brands
        ask = brands.request_of(fields["brand"])
        if fields["do"] == "permit" and ask is not None and brands.is_open(ask, self._now):
            # the owner permits only what the page showed
            raise Conflict(_("Look at what it asks for first, and choose the terms."))
        first = next(iter(self._home.entrances), None)
        if first is None:
            raise Conflict(_("There is no entrance here yet."))
        return await self._submit(request, user, first, fields, back="/brands")

    @post("/brands/{brand}/terms", UserRight.DECIDE_BRANDS)
    async def _set_terms(self, request: web.Request, user: CurrentUser) -> web.Response:
        brand, fields = request.match_info["brand"], await request.post()
        if brand not in self._store.brands.known:
            raise web.HTTPNotFound
        try:
            terms = read_terms(fields, self._home, self._now)
        except DayError as error:
            bounds = _(
                "the last day has to lie between {first} and {last}; for no end, leave the field empty",
                first=error.first.isoformat(), last=error.last.isoformat(),
            )  # fmt: skip
            raise Conflict(_("Not done: {why}", why=bounds)) from error
        except ValueError as error:
            raise Conflict(_("Not done: {why}", why=str(error))) from error
        if extends_permission(self._store.brands.permission(brand), terms):
            await self._authorizer.require_password(request, user)
        ask = str(fields["ask"]) if fields.get("ask") else None
        permissions = self._inbox.permissions
        granted = PermissionStatus.GRANTED
        raise_if_not_done(await permissions.decide(brand, granted, user.person, terms=terms, ask=ask))
        raise web.HTTPSeeOther("/brands")

    @post("/brands/{brand}/forget", UserRight.DECIDE_BRANDS)
    async def _forget_brand(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Remove a brand that came through a hub and is not permitted."""
        raise_if_not_done(await self._inbox.permissions.forget(request.match_info["brand"], user.person))
        raise web.HTTPSeeOther("/brands")

    @post("/brands/{brand}/keys/{kid}", UserRight.DECIDE_BRANDS)
    async def _decide_key(self, request: web.Request, user: CurrentUser) -> web.Response:
        brand, kid = request.match_info["brand"], request.match_info["kid"]
        permissions = self._inbox.permissions
        match (await form_texts(request)).get("do"):
            case "approve":
                await self._authorizer.require_password(request, user)
                raise_if_not_done(await permissions.decide_key(brand, kid, "approved", user.person))
            case "refuse":
                raise_if_not_done(await permissions.decide_key(brand, kid, "refused", user.person))
            case _:
                raise web.HTTPBadRequest
        raise web.HTTPSeeOther("/brands")
