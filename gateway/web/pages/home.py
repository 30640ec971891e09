"""Shows the home page, and carries out the owner's requests: stop, lock, approve, pause and the like."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog
from aiohttp import web
from pydantic import ValidationError

from gateway.domain.delivery.permission import extends_permission
from gateway.domain.pause import PauseRefusal, PlannedPause, parse_local_time
from gateway.installation.capability import WalkTestStatus
from gateway.protocol.owner_requests import REQUEST_ADAPTER, OwnerPermitRequest
from gateway.runtime.own_parcels import PARCEL_REFUSAL_TEXTS, AnnouncementProblem
from gateway.storage.deliveries import RefuseProblem
from gateway.storage.models import StoreFailed
from gateway.system.i18n import Text, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight, has_right
from gateway.web.pages.room import fridge_places
from gateway.web.server.authorization import PASSWORD_FIELD, REQUEST_RIGHTS, wants_json
from gateway.web.server.camera_figures import camera_figures
from gateway.web.server.car_view import car_boots
from gateway.web.server.keeper_view import kept_entrances
from gateway.web.server.own_proposals import OwnProposal, own_proposals
from gateway.web.server.page import Conflict, Page, form_texts, get, post, raise_if_not_done
from gateway.web.server.security_headers import local_path
from gateway.web.server.setup_progress import SetupProgress, read_progress
from gateway.web.texts.catalogue import TEXTS

log = structlog.get_logger(__name__)

_REFUSE_PROBLEM_TEXTS: Mapping[str, Text] = {
    RefuseProblem.UNKNOWN_DELIVERY: _("This delivery is not expected any more."),
    RefuseProblem.TOO_LATE: _("It is too late for that: the door was opened for it, or a receiver has it already."),
}


class OwnerRequestPage(Page):
    """A page with forms that are owner's requests."""

    async def _submit(
        self, request: web.Request, user: CurrentUser, entrance: str, fields: Mapping[str, str], *, back: str
    ) -> web.Response:
        """Carry out an owner's request in the name of a user whose right was checked, and redirect to `back`.

        Raises:
            web.HTTPException: the form is no request, or it was not done.
        """
        try:
            owner_request = REQUEST_ADAPTER.validate_python({**fields, "id": f"page-{secrets.token_hex(8)}"})
        except ValidationError as error:
            raise web.HTTPBadRequest from error
        if isinstance(owner_request, OwnerPermitRequest) and owner_request.do == "permit":
            permission = self._store.brands.permission(owner_request.brand)
            if permission is not None and extends_permission(permission, permission.terms):
                await self._authorizer.require_password(request, user)
        reason = await self._inbox.submit_request(entrance, owner_request, user.person)
        log.info("asked_on_a_page", entrance=entrance, do=owner_request.do, by=user.person, done=reason is None)
        raise_if_not_done(reason)
        return self._authorizer.done_response(request, local_path(back))


class HomePage(OwnerRequestPage):
    """The home page: every entrance, its requests, and the pauses of the household."""

    @get("/", UserRight.SEE_STATE)
    async def _home_page(self, request: web.Request, user: CurrentUser) -> web.Response:
        now = self._now.utc.astimezone(self._services.zone)
        blank = {"entrance": "", "from": now.strftime("%Y-%m-%dT%H:%M"), "to": ""}
        setup = await read_progress(self._services, self._accounts, self._now, found=0)
        is_proposer = has_right(user.role, UserRight.DEVICES) and not has_right(user.role, UserRight.ENROL)
        return self._render(
            request, blank, setup=setup if setup.under_way and not setup.is_complete else None,
            own=await own_proposals(self._services, user.person) if is_proposer else (),
        )  # fmt: skip

    def _render(
        self,
        request: web.Request,
        entered: Mapping[str, str],
        *,
        error: Text | None = None,
        setup: SetupProgress | None = None,
        own: Sequence[OwnProposal] = (),
    ) -> web.Response:
        viewer = self._authorizer.viewer(request)
        return self._render_page(
            request, "home", setup=setup, own=own, entered=entered, error=error, may_begin=self._may_begin(),
            proposed=self._services.proposals.waiting_count, kept=kept_entrances(self._services),
            cameras={name: camera_figures(self._services, name, viewer) for name in self._home.entrances},
            has_car=any(car_boots(self._home)),
            has_fridge=bool(fridge_places(self._home)),
        )  # fmt: skip

    def _may_begin(self) -> bool:
        """Return whether the first parcel may come: a walk test is passed, and no delivery was announced yet."""
        walks = self._services.walk_tests
        passed = any(walks.status(name) is WalkTestStatus.PASSED for name in self._home.entrances)
        return passed and not self._store.own_parcels.was_announced()

    @post("/pause", UserRight.SAY_HOME)
    async def _plan_pause(self, request: web.Request, user: CurrentUser) -> web.Response:
        form = await form_texts(request)
        entered = {name: form.get(name, "") for name in ("entrance", "from", "to")}
        if entered["entrance"] and entered["entrance"] not in self._home.entrances:
            raise web.HTTPNotFound
        outcome: PlannedPause | PauseRefusal
        match [parse_local_time(entered[name], self._services.zone, end=name == "to") for name in ("from", "to")]:
            case [datetime() as start, datetime() as end]:
                outcome = await self._inbox.plan_pause(entered["entrance"] or None, start, end, user.person)
            case times:
                outcome = next(refusal for refusal in times if isinstance(refusal, PauseRefusal))
        if isinstance(outcome, PlannedPause):
            return self._authorizer.done_response(request, "/")
        error = TEXTS[f"pause.no.{outcome}"]
        if wants_json(request):
            raise Conflict(error)
        return self._render(request, entered, error=error)

    @post("/deliveries/refuse", UserRight.REFUSE_DELIVERY)
    async def _refuse_delivery(self, request: web.Request, user: CurrentUser) -> web.Response:
        delivery = (await form_texts(request)).get("delivery", "")
        try:
            problem = await self._inbox.refuse_delivery(delivery, user.person)
        except StoreFailed as failure:
            raise Conflict(PARCEL_REFUSAL_TEXTS[AnnouncementProblem.NOT_STORED]) from failure
        log.info("delivery_refused_on_a_page", delivery=delivery, by=user.person, done=problem is None)
        if problem is not None:
            raise Conflict(_REFUSE_PROBLEM_TEXTS.get(problem) or PARCEL_REFUSAL_TEXTS[problem])
        return self._authorizer.done_response(request, "/")

    @post("/pause/end", UserRight.LIFT_STOP)
    async def _end_pause(self, request: web.Request, user: CurrentUser) -> web.Response:
        outcome = await self._inbox.end_pause((await form_texts(request)).get("pause", ""), user.person)
        if isinstance(outcome, PauseRefusal):
            raise Conflict(TEXTS[f"pause.no.{outcome}"])
        return self._authorizer.done_response(request, "/")

    @post("/entrance/{entrance}")
    async def _entrance_request(self, request: web.Request) -> web.Response:
        entrance = request.match_info["entrance"]
        fields = await form_texts(request)
        back, _ = fields.pop("back", "/"), fields.pop(PASSWORD_FIELD, None)
        right = required_right(fields)
        user = await self._authorizer.require_user(request, right)
        if entrance not in self._home.entrances:
            raise web.HTTPNotFound
        return await self._submit(request, user, entrance, fields, back=back)


def required_right(fields: Mapping[str, str]) -> UserRight:
    """Return the right that the request in a form needs. HTTPBadRequest: it is no request, or brings an id."""
    right = REQUEST_RIGHTS.get(fields.get("do", ""))
    if right is None or "id" in fields:
        raise web.HTTPBadRequest
    return right
