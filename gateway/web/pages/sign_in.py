"""Coming in: the first owner by the code that only the box shows, then by name and password, or by invitation."""

from contextlib import suppress
from typing import Any

from aiohttp import web

from gateway.runtime.maintenance import recovery_codes
from gateway.system.i18n import _
from gateway.web.auth.accounts import Refused, SignedIn, Wait, Who
from gateway.web.auth.recovery import CameBack, Succession
from gateway.web.auth.roles import Right
from gateway.web.auth.user_agent import Browser
from gateway.web.server.authorization import Desk, cookie_name
from gateway.web.server.security_headers import local
from gateway.web.texts.catalogue import TEXTS

_CONFIRM: dict[str, Any] = {"action": "/confirm", "password": "password"}


class Threshold:
    """The pages before one is in."""

    def __init__(self, desk: Desk, succession: Succession) -> None:
        self._desk, self._succession = desk, succession

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        return [
            web.get("/enter", self._enter),
            web.post("/enter", self._sign_in),
            web.get("/enter/again", self._lost),
            web.post("/enter/again", self._found),
            web.get("/claim", self._claim),
            web.post("/claim", self._claimed),
            web.get("/join/{token}", self._join),
            web.post("/join/{token}", self._joined),
            web.get("/confirm", self._desk.behind(Right.LANGUAGE, self._confirm)),
            web.post("/confirm", self._desk.behind(Right.LANGUAGE, self._confirmed)),
            web.post("/leave", self._desk.behind(Right.LANGUAGE, self._leave)),
        ]

    async def _enter(self, request: web.Request) -> web.Response:
        if not self._desk.accounts.claimed():
            raise web.HTTPSeeOther("/claim")
        return self._desk.page(request, "enter", back=local(request.query.get("back", "/")), why=None, name="")

    async def _sign_in(self, request: web.Request) -> web.Response:
        fields = await _fields(request)
        name, back = fields.get("name", ""), local(fields.get("back", "/"))
        outcome = await self._desk.accounts.sign_in(
            name,
            fields.get("password", ""),
            address=request.remote or "",
            device=request.cookies.get(cookie_name(request, "device")),
            now=self._desk.now,
            browser=_browser(request),
        )
        if isinstance(outcome, SignedIn):
            return self._desk.enter(request, outcome, back)
        return self._again(request, "enter", outcome, back=back, name=name)

    async def _lost(self, request: web.Request) -> web.Response:
        return self._desk.page(request, "again", why=None, code="")

    async def _found(self, request: web.Request) -> web.Response:
        """An owner who lost his password comes back by a code that was made on the box."""
        fields, box = await _fields(request), self._desk.box
        code = fields.get("code", "")
        outcome = await self._succession.come_back(
            code,
            fields.get("password", ""),
            address=request.remote or "",
            codes=recovery_codes.read(box.home.way_in),
            boot=recovery_codes.boot(),
            now=self._desk.now,
            browser=_browser(request),
        )
        if isinstance(outcome, CameBack):
            box.told(outcome.told, outcome.message)
            return self._desk.enter(request, outcome.signed_in, "/")
        return self._again(request, "again", outcome, code=code)

    async def _claim(self, request: web.Request) -> web.Response:
        if self._desk.accounts.claimed():
            raise web.HTTPSeeOther("/enter")
        return self._desk.page(request, "claim", why=None, name="", code="")

    async def _claimed(self, request: web.Request) -> web.Response:
        fields = await _fields(request)
        code, name = fields.get("code", ""), fields.get("name", "")
        outcome = await self._desk.accounts.claim(
            code, name, fields.get("password", ""), self._desk.now, browser=_browser(request)
        )
        if isinstance(outcome, SignedIn):
            with suppress(OSError):  # it opens nothing any more
                self._desk.box.home.claim_code.unlink()
            return self._desk.enter(request, outcome, "/")
        return self._again(request, "claim", outcome, name=name, code=code)

    async def _join(self, request: web.Request) -> web.Response:
        invitation = self._desk.accounts.invitation(request.match_info["token"], self._desk.now)
        if invitation is None:
            raise web.HTTPNotFound
        return self._desk.page(request, "join", why=None, name="", role=invitation.role)

    async def _joined(self, request: web.Request) -> web.Response:
        token, fields = request.match_info["token"], await _fields(request)
        name = fields.get("name", "")
        invitation = self._desk.accounts.invitation(token, self._desk.now)
        outcome = await self._desk.accounts.redeem(
            token, name, fields.get("password", ""), self._desk.now, browser=_browser(request)
        )
        if isinstance(outcome, SignedIn):
            return self._desk.enter(request, outcome, "/")
        if invitation is None:
            raise web.HTTPNotFound
        return self._again(request, "join", outcome, name=name, role=invitation.role)

    async def _confirm(self, request: web.Request, _who: Who) -> web.Response:
        back = local(request.query.get("back", "/"))
        return self._desk.page(request, "confirm", why=None, fields=[("back", back)], **_CONFIRM)

    async def _confirmed(self, request: web.Request, who: Who) -> web.Response:
        fields = await _fields(request)
        back = local(fields.get("back", "/"))
        outcome = await self._desk.accounts.confirm(who, fields.get("password", ""), self._desk.now)
        if outcome is None:
            raise web.HTTPSeeOther(back)
        return self._again(request, "confirm", outcome, **_CONFIRM, fields=[("back", back)])

    async def _leave(self, request: web.Request, who: Who) -> web.Response:
        await self._desk.accounts.sign_out(who)
        answer = web.Response(status=303, headers={"Location": "/enter"})
        answer.del_cookie(cookie_name(request, "session"), path="/", secure=request.secure, httponly=True)
        return answer

    def _again(self, request: web.Request, template: str, why: Refused | Wait, **facts: object) -> web.Response:
        """The same form once more, saying what was wrong; what was typed stays, but for the password."""
        if isinstance(why, Wait):
            answer = self._desk.page(
                request,
                template,
                status=429,
                why=self._desk.say(request, _("Too many tries: wait {seconds} s."), seconds=str(why.seconds)),
                **facts,
            )
            answer.headers["Retry-After"] = str(why.seconds)
            return answer
        return self._desk.page(
            request, template, status=422, why=self._desk.say(request, TEXTS[f"refused.{why}"]), **facts
        )


def _browser(request: web.Request) -> str:
    return Browser.said(request.headers.get("User-Agent", "")).word


async def _fields(request: web.Request) -> dict[str, str]:
    """A form's texts. Files are no part of these forms."""
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
