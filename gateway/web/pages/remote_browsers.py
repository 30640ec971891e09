"""Enrols and ends the household's browsers that talk to the box through the hub.

A browser brings two public keys and its person's password; the box answers with a key for this browser alone. That
happens on this page only, so nobody can enrol a browser from afar, and neither can a hub.
"""

import json
import secrets

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from gateway.protocol.browser_envelope import EnvelopeKeys, Jwk, derive_keys, encrypt, private_scalar
from gateway.storage.browsers import EnrolledBrowser
from gateway.system.i18n import _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server.authorization import Unauthorized
from gateway.web.server.page import Conflict, Page, form_texts, post

MAX_LABEL_CHARACTERS = 64


class RemoteBrowsersPage(Page):
    """The addresses that enrol and end a browser."""

    @post("/away/enrol", UserRight.AWAY)
    async def _enrol(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Store a browser's keys. The form brings the password, however fresh the last one is."""
        fields, hub = await form_texts(request), self._services.home.hub
        if hub is None:
            raise Conflict(_("This house has joined no hub: nothing reaches it from afar."))
        label = " ".join(fields.get("label", "").split())
        sign, agree = _parse_jwk(fields.get("sign")), _parse_jwk(fields.get("agree"))
        if not 0 < len(label) <= MAX_LABEL_CHARACTERS or not label.isprintable() or sign is None or agree is None:
            return self._authorizer.render_error(
                request, 422, _("This browser did not bring what is needed: a name and two keys.")
            )
        error = await self._authorizer.password_error(request, user)
        if error is not None:
            return self._authorizer.render_error(request, 422, error)
        person = self._services.store.accounts.person(user.person)
        assert person is not None  # noqa: S101 - the user is signed in
        own, now, ident = ec.generate_private_key(ec.SECP256R1()), self._authorizer.now, f"brw-{secrets.token_hex(16)}"
        new = EnrolledBrowser(
            id=ident, device=user.device, person=person, home=hub.home, label=label, sign=sign.model_dump_json(),
            agree=agree.model_dump_json(), own=private_scalar(own), since=now.utc,
            farewell=seal_end_message(derive_keys(own, agree, home=hub.home, browser=ident)),
        )  # fmt: skip
        if not await self._services.store.browsers.enrol(new, now):
            raise Unauthorized
        return web.json_response(
            {
                "browser": new.id, "home": hub.home, "hub": hub.url, "agree": Jwk.of(own.public_key()).model_dump(),
                "person": person.name, "role": user.role.value, "since": new.since.isoformat(),
            }
        )  # fmt: skip

    @post("/away/end", UserRight.LANGUAGE)
    async def _end(self, request: web.Request, user: CurrentUser) -> web.Response:
        id_, browsers = (await form_texts(request)).get("id", ""), self._services.store.browsers
        browser = browsers.browser(id_)
        if browser is not None and browser.person.id != user.person:
            form = await self._authorizer.confirm_form(request, UserRight.PEOPLE)
            if form is not None:
                return form
            self._authorizer.require_user(request, UserRight.PEOPLE)
        if browser is None or not await browsers.end(id_, self._authorizer.now, by=user.person):
            raise web.HTTPNotFound
        return self._authorizer.done_response(request, "/settings")


def seal_end_message(between: EnvelopeKeys) -> str:
    """Seal the message that tells a browser that it has ended.

    The message is the box's own, so no hub can make a browser forget its keys.
    """
    message = json.dumps({"ended": True, "browser": between.browser}).encode()
    return encrypt(between.down, between.browser, message, random=secrets.token_bytes)


def _parse_jwk(text: object) -> Jwk | None:
    try:
        return Jwk.model_validate_json(str(text))
    except (ValidationError, json.JSONDecodeError):
        return None
