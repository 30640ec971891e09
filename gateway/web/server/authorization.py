"""Finds a request's user and language, checks the user's rights, and builds the response."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from aiohttp import web

from gateway.domain.now import Now
from gateway.system.changes import ChangeNotifier
from gateway.system.i18n import SOURCE, Language, Text, _, accepted
from gateway.web.auth.accounts import AccountError, AccountRefused, CurrentUser, SessionSecrets, UserAccounts
from gateway.web.auth.roles import UserRight
from gateway.web.server.context import GatewayServices, Viewer
from gateway.web.server.fragments import FRAGMENTS
from gateway.web.server.renderer import render, render_fragment
from gateway.web.server.security_headers import local_path
from gateway.web.texts.catalogue import offered

LANGUAGE_COOKIE, LANGUAGE_COOKIE_S = "language", 365 * 24 * 3600  # its name, and for how many seconds it is kept
PASSWORD_FIELD = "password_again"  # noqa: S105 - the name of a field, no password

# The right that each request of `gateway/protocol/owner_requests.py` needs;
# `tests/gateway/web/test_rights.py` fails if one is missing.
REQUEST_RIGHTS: Mapping[str, UserRight] = {
    "stop": UserRight.STOP,
    "lift": UserRight.LIFT_STOP,
    "clear_lockout": UserRight.LIFT_STOP,
    "acknowledge": UserRight.ACKNOWLEDGE,
    "approve": UserRight.DECIDE_AT_DOOR,
    "refuse": UserRight.DECIDE_AT_DOOR,
    "refuse_delivery": UserRight.REFUSE_DELIVERY,
    "give_time": UserRight.DECIDE_AT_DOOR,
    "refuse_time": UserRight.DECIDE_AT_DOOR,
    "take_in": UserRight.TAKE_IN,
    "home": UserRight.SAY_HOME,
    "nobody_home": UserRight.SAY_HOME,
    "away": UserRight.SAY_HOME,
    "pause": UserRight.SAY_HOME,
    "end_pause": UserRight.LIFT_STOP,
    "lock": UserRight.LOCK,
    "permit": UserRight.DECIDE_BRANDS,
    "refuse_brand": UserRight.DECIDE_BRANDS,
    "revoke": UserRight.DECIDE_BRANDS,
    "hold": UserRight.HOLD_FILM,
    "release": UserRight.ERASE_FILM,
    "erase": UserRight.ERASE_FILM,
}

SIGN_IN_FIRST, PASSWORD_NEEDED = _("Sign in first."), _("Your password is asked for once more.")


class Unauthorized(web.HTTPUnauthorized):
    """A script's request needs a sign-in or the password; the site words `message` for the reader."""

    def __init__(self, message: Text = SIGN_IN_FIRST) -> None:
        super().__init__()
        self.message = message


class PasswordForm(web.HTTPUnauthorized):
    """The page that takes the password and keeps a form."""


class Authorizer:
    """Checks rights, chooses languages and builds responses for all pages."""

    def __init__(self, services: GatewayServices, accounts: UserAccounts, changes: ChangeNotifier) -> None:
        self.services, self.accounts, self.changes = services, accounts, changes

    @property
    def now(self) -> Now:
        """The present time by the box's clock."""
        return self.services.clock.now()

    def language(self, request: web.Request) -> Language:
        """Return the language that the user chose here, else the browser's, else the home's."""
        known = offered(request.path)
        chosen = request.cookies.get(LANGUAGE_COOKIE)
        if chosen in known:
            return chosen
        house = self.services.home.language
        return accepted(request.headers.get("Accept-Language", ""), known) or (house if house in known else SOURCE)

    def current_user(self, request: web.Request) -> CurrentUser | None:
        """Return the user who is signed in in this browser, or None."""
        return self.accounts.find_user(request.cookies.get(cookie_name(request, "session")), self.now)

    def viewer(self, request: web.Request) -> Viewer:
        """Return the user and the language of a request."""
        return Viewer(language=self.language(request), user=self.current_user(request))

    async def require_password(self, request: web.Request, user: CurrentUser) -> None:
        """Check the password that a form brings, however fresh the last one is.

        Raises:
            PasswordForm: it is missing or wrong; the page sends the same form again with it (`PASSWORD_FIELD`).
            Unauthorized: the same, and a script sent the form.
        """
        fields = await request.post()
        given = PASSWORD_FIELD in fields
        error = await self.password_error(request, user, PASSWORD_FIELD) if given else None
        if given and error is None:
            return
        if wants_json(request):
            raise Unauthorized(error or PASSWORD_NEEDED)
        other_fields = [(name, value) for name, value in fields.items() if name != PASSWORD_FIELD]
        page = self.render_page(
            request, "confirm_password", error=error, fields=other_fields, action=request.rel_url.raw_path,
            password=PASSWORD_FIELD,
        )  # fmt: skip
        raise PasswordForm(text=page.text, content_type="text/html")

    async def require_user(self, request: web.Request, right: UserRight) -> CurrentUser:
        """Return the user of a request, who has this right now; a form may bring the password that the right needs.

        Raises:
            web.HTTPException: the user has to sign in or to give the password first, or may not do this.
        """
        user = self.current_user(request)
        error = AccountError.SIGNED_OUT if user is None else self.accounts.access_error(user, right, self.now)
        if user is not None and error is AccountError.CONFIRM and request.method == "POST":
            await self.require_password(request, user)
            error = self.accounts.access_error(user, right, self.now)
        if user is not None and error is None:
            return user
        if error not in (AccountError.SIGNED_OUT, AccountError.CONFIRM):
            raise web.HTTPForbidden
        if wants_json(request):
            raise Unauthorized(PASSWORD_NEEDED if error is AccountError.CONFIRM else SIGN_IN_FIRST)
        back = local_path(request.path if request.method == "GET" else request.query.get("back", "/"))
        raise web.HTTPSeeOther(f"/{'confirm' if error is AccountError.CONFIRM else 'enter'}?back={back}")

    def render_page(
        self,
        request: web.Request,
        template: str,
        *,
        error: Text | None = None,
        status: int | None = None,
        **facts: Any,  # noqa: ANN401 - what a template shows
    ) -> web.Response:
        """Return the response of a whole page. Its status is 200, or with an error of its form 422."""
        facts |= {"here": template, "path": request.path, "error": error}
        text = render(self.services, f"{template}.html", self.viewer(request), facts)
        return web.Response(text=text, content_type="text/html", status=status or (200 if error is None else 422))

    def render_error(self, request: web.Request, status: int, error: Text) -> web.Response:
        """Return the response of an error: a script gets JSON, a browser a page."""
        if wants_json(request):
            return web.json_response({"why": error.to(self.language(request))}, status=status)
        return self.render_page(request, "error", status=status, error=error)

    def done_response(self, request: web.Request, location: str) -> web.Response:
        """Answer that a request was done: a script gets JSON, a browser is redirected."""
        if wants_json(request):
            return web.json_response({"done": _("Done.").to(self.language(request))})
        raise web.HTTPSeeOther(location)

    async def password_error(self, request: web.Request, user: CurrentUser, field: str = "password") -> Text | None:
        """Check the password in a field of the form, however fresh the last one is; None: it is right."""
        password = str((await request.post()).get(field, ""))
        try:
            await self.accounts.confirm_password(user, password, self.now)
        except AccountRefused as refusal:
            return refusal.message
        return None

    def set_sign_in_cookies(
        self, request: web.Request, secrets: SessionSecrets, response: web.Response
    ) -> web.Response:
        """Set the two cookies of a new session on a response."""
        for name, value, lifetime in secrets.cookies():
            set_cookie(request, response, name, value, lifetime)
        return response

    def render_fragment(self, viewer: Viewer, name: str, language: Language) -> str:
        """Return the HTML of a fragment. KeyError: it does not exist, or the viewer may not see it."""
        user, right = viewer.user, FRAGMENTS[name.partition("/")[0]][0]
        if right is not None and (user is None or self.accounts.access_error(user, right, self.now) is not None):
            raise KeyError(name)
        return render_fragment(self.services, name, replace(viewer, language=language))


def cookie_name(request: web.Request, name: str) -> str:
    """Return the name of a cookie; under TLS with the prefix that binds it to host and path (RFC 6265bis 4.1.3.2)."""
    return f"__Host-{name}" if request.secure else name


def set_cookie(request: web.Request, response: web.Response, name: str, value: str, lifetime: timedelta) -> None:
    """Set a cookie that no script reads, and that no other site's request carries."""
    response.set_cookie(
        cookie_name(request, name), value, max_age=int(lifetime.total_seconds()), path="/", httponly=True,
        secure=request.secure, samesite="Strict",
    )  # fmt: skip


def delete_cookie(request: web.Request, response: web.Response, name: str) -> None:
    """Delete a cookie that `set_cookie` set."""
    response.del_cookie(cookie_name(request, name), path="/", secure=request.secure, httponly=True, samesite="Strict")


def wants_json(request: web.Request) -> bool:
    """Return whether a script sent the request."""
    return "application/json" in request.headers.get("Accept", "")
