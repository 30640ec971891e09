"""Browsers of the household that may speak to the box through the hub: enrolled in the house, listed, ended.

A browser brings two public keys and its person's password; the box answers with a key of its own for it alone. That
happens here and nowhere else: nobody far away can make himself one of the household's browsers, nor can a hub.
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from gateway.protocol.browser_envelope import Jwk, Keys, keys, scalar_of, seal
from gateway.storage.browsers import EnrolledBrowser
from gateway.system.i18n import _
from gateway.web.auth.accounts import Who
from gateway.web.auth.roles import Right, may
from gateway.web.server.authorization import Desk, wants_json

LONGEST_LABEL = 64


class Enrolled:
    """What a browser asks to be enrolled by, and how one is ended."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._box = desk, desk.box

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        behind = self._desk.behind
        return [
            web.post("/away/enrol", behind(Right.AWAY, self._enrol)),
            web.post("/away/end", behind(Right.LANGUAGE, self._end)),
        ]

    async def _enrol(self, request: web.Request, who: Who) -> web.Response:
        """Keep a browser's keys. The password is taken with them, however fresh the last one is."""
        fields, hub = await request.post(), self._box.home.hub
        if hub is None:
            raise web.HTTPConflict(
                text=self._desk.say(request, _("This house has joined no hub: nothing reaches it from afar."))
            )
        label = " ".join(str(fields.get("label", "")).split())
        sign, agree = _jwk(fields.get("sign")), _jwk(fields.get("agree"))
        if not 0 < len(label) <= LONGEST_LABEL or not label.isprintable() or sign is None or agree is None:
            return _no(self._desk.say(request, _("This browser did not bring what is needed: a name and two keys.")))
        why = await self._desk.proven(request, who, str(fields.get("password", "")))
        if why is not None:
            return _no(why)
        person = self._box.store.register.person(who.person)
        assert person is not None  # noqa: S101 - he is signed in
        own, now, ident = ec.generate_private_key(ec.SECP256R1()), self._desk.now, f"brw-{secrets.token_hex(16)}"
        new = EnrolledBrowser(
            id=ident, device=who.device, person=person, home=hub.home, label=label, sign=sign.model_dump_json(),
            agree=agree.model_dump_json(), own=scalar_of(own), since=now.utc,
            farewell=farewell(keys(own, agree, home=hub.home, browser=ident)),
        )  # fmt: skip
        if not await self._box.store.browsers.enrol(new, now):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Session"})
        return web.json_response(
            {
                "browser": new.id, "home": hub.home, "hub": hub.url, "agree": Jwk.of(own.public_key()).model_dump(),
                "person": person.name, "role": who.role.value, "since": new.since.isoformat(),
            }
        )  # fmt: skip

    async def _end(self, request: web.Request, who: Who) -> web.Response:
        """End one: one's own at once, another's as whoever answers for the people."""
        ident, browsers = str((await request.post()).get("id", "")), self._box.store.browsers
        one = browsers.browser(ident)
        if one is not None and one.person.id != who.person:
            asks = await self._desk.confirm_form(request, Right.PEOPLE)
            if asks is not None:
                return asks
            self._desk.require(request, Right.PEOPLE)
        if one is None or not await browsers.end(ident, self._desk.now, by=who.person):
            raise web.HTTPNotFound
        if wants_json(request):
            return web.json_response({"done": self._desk.say(request, _("Done."))})
        raise web.HTTPSeeOther("/settings")


def enrolled(desk: Desk, who: Who) -> list[Mapping[str, Any]]:
    """The browsers that somebody may end: his own; all of them for who answers for the people."""
    everybody = may(who.role, Right.PEOPLE)
    found = desk.box.store.browsers.browsers(None if everybody else who.person)
    return [{"id": one.id, "label": one.label, "who": one.person.name, "mine": one.person.id == who.person,
             "here": one.device == who.device, "since": one.since} for one in found]  # fmt: skip


def farewell(between: Keys) -> str:
    """Seal what a browser is to be told once it has ended: the box's own word, so it forgets its keys on no hub's."""
    said = json.dumps({"ended": True, "browser": between.browser}).encode()
    return seal(between.down, between.browser, said, random=secrets.token_bytes)


def _jwk(text: object) -> Jwk | None:
    try:
        return Jwk.model_validate_json(str(text))
    except (ValidationError, json.JSONDecodeError):
        return None


def _no(why: str) -> web.Response:
    return web.json_response({"why": why}, status=web.HTTPUnprocessableEntity.status_code)
