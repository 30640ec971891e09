"""Signs people in: by the box's claim code, by name and password, or by an invitation."""

from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from aiohttp import web

from gateway.web.auth.accounts import AccountRefused, CurrentUser, SessionSecrets
from gateway.web.auth.recovery import OwnerSuccession
from gateway.web.auth.roles import UserRight
from gateway.web.server.authorization import Authorizer, cookie_name, delete_cookie
from gateway.web.server.page import Page, browser_label, form_texts, get, post
from gateway.web.server.security_headers import local_path
from gateway.web.server.setup_progress import SETUP_PATH, begin_setup

_CONFIRM_FORM: dict[str, Any] = {"action": "/confirm", "password": "password"}


class SignInPages(Page):
    """The pages for a user who is not signed in, and the confirmation of the password."""

    def __init__(self, authorizer: Authorizer, succession: OwnerSuccession) -> None:
        super().__init__(authorizer)
        self._succession = succession

    @get("/enter")
    async def _sign_in_page(self, request: web.Request) -> web.Response:
        if not self._accounts.is_claimed():
            raise web.HTTPSeeOther("/claim")
        back = local_path(request.query.get("back", "/"))
        return self._render_page(request, "sign_in", back=back, name="")

    @post("/enter")
    async def _sign_in(self, request: web.Request) -> web.Response:
        fields = await form_texts(request)
        name, back = fields.get("name", ""), local_path(fields.get("back", "/"))
        sign_in = self._accounts.sign_in(
            name,
            fields.get("password", ""),
            address=request.remote or "",
            device=request.cookies.get(cookie_name(request, "device")),
            now=self._now,
            browser=browser_label(request),
        )
        return await self._sign_in_or_ask_again(request, sign_in, "sign_in", location=back, back=back, name=name)

    @get("/enter/again")
    async def _recovery_page(self, request: web.Request) -> web.Response:
        return self._render_page(request, "recovery", code="")

    @post("/enter/again")
    async def _recover(self, request: web.Request) -> web.Response:
        fields = await form_texts(request)
        recovery = self._succession.recover_owner(
            fields.get("code", ""),
            fields.get("password", ""),
            address=request.remote or "",
            codes_file=self._home.recovery_codes_file,
            now=self._now,
            browser=browser_label(request),
        )
        return await self._sign_in_or_ask_again(request, recovery, "recovery", code=fields.get("code", ""))

    @get("/claim")
    async def _claim_page(self, request: web.Request) -> web.Response:
        if self._accounts.is_claimed():
            raise web.HTTPSeeOther("/enter")
        return self._render_page(request, "claim", name="", code="")

    @post("/claim")
    async def _claim(self, request: web.Request) -> web.Response:
        fields = await form_texts(request)
        code, name = fields.get("code", ""), fields.get("name", "")
        claim = self._accounts.claim(code, name, fields.get("password", ""), self._now, browser=browser_label(request))
        location = "/" if self._home.entrances else SETUP_PATH
        response = await self._sign_in_or_ask_again(request, claim, "claim", location=location, name=name, code=code)
        if self._accounts.is_claimed():
            if not self._home.entrances:
                with suppress(OSError):  # then the home page does not lead there
                    await begin_setup(self._services)
            with suppress(OSError):  # the code is void now
                self._home.claim_code_file.unlink()
        return response

    @get("/join/{token}")
    async def _invitation_page(self, request: web.Request) -> web.Response:
        return self._render_page(request, "invitation", name="", role=self._invited_role(request))

    @post("/join/{token}")
    async def _accept_invitation(self, request: web.Request) -> web.Response:
        fields, role = await form_texts(request), self._invited_role(request)
        name, password, now = fields.get("name", ""), fields.get("password", ""), self._now
        acceptance = self._accounts.accept_invitation(
            request.match_info["token"], name, password, now, browser=browser_label(request)
        )
        return await self._sign_in_or_ask_again(request, acceptance, "invitation", name=name, role=role)

    def _invited_role(self, request: web.Request) -> str:
        invitation = self._accounts.invitation(request.match_info["token"], self._now)
        if invitation is None:
            raise web.HTTPNotFound
        return invitation.role

    @get("/confirm", UserRight.LANGUAGE)
    async def _confirm_page(self, request: web.Request, _user: CurrentUser) -> web.Response:
        back = local_path(request.query.get("back", "/"))
        return self._render_page(request, "confirm_password", fields=[("back", back)], **_CONFIRM_FORM)

    @post("/confirm", UserRight.LANGUAGE)
    async def _confirm_password(self, request: web.Request, user: CurrentUser) -> web.Response:
        fields = await form_texts(request)
        back = local_path(fields.get("back", "/"))
        try:
            await self._accounts.confirm_password(user, fields.get("password", ""), self._now)
        except AccountRefused as refusal:
            return self._ask_again(request, refusal, "confirm_password", **_CONFIRM_FORM, fields=[("back", back)])
        raise web.HTTPSeeOther(back)

    @post("/leave", UserRight.LANGUAGE)
    async def _sign_out(self, request: web.Request, user: CurrentUser) -> web.Response:
        await self._accounts.sign_out(user)
        response = web.Response(status=303, headers={"Location": "/enter"})
        delete_cookie(request, response, "session")
        return response

    async def _sign_in_or_ask_again(
        self,
        request: web.Request,
        operation: Awaitable[SessionSecrets],
        template: str,
        *,
        location: str = "/",
        **facts: Any,  # noqa: ANN401 - what the template shows
    ) -> web.Response:
        try:
            secrets = await operation
        except AccountRefused as refusal:
            return self._ask_again(request, refusal, template, **facts)
        response = web.Response(status=303, headers={"Location": location})
        return self._authorizer.set_sign_in_cookies(request, secrets, response)

    def _ask_again(self, request: web.Request, refusal: AccountRefused, template: str, **facts: Any) -> web.Response:  # noqa: ANN401 - what the template shows
        """Show a form again with the error and the entered values, but for the password."""
        response = self._render_page(request, template, error=refusal.message, **facts)
        if refusal.retry_after_s is not None:
            response.set_status(web.HTTPTooManyRequests.status_code)
            response.headers["Retry-After"] = str(refusal.retry_after_s)
        return response
