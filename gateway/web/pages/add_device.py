"""Adds a device or an entrance to home.yaml: an owner at once, an installer as a proposal that the owner accepts."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiohttp import web

from devices.vendors import VENDORS
from gateway.config.broker_acl import AccountTaken, account_names
from gateway.config.editor import ENTRANCE
from gateway.config.fields import ROLE_ACCOUNTS
from gateway.installation import records
from gateway.installation.capability import Capability, WalkTestStatus, device_capabilities, entrance_capabilities
from gateway.installation.proposal_checks import PROPOSAL_KINDS, ProposalRequest, Remark
from gateway.installation.proposal_workflow import ProposalState, ProposalView
from gateway.installation.tryout import ASKED_KINDS, DeviceTryout, Trial
from gateway.system.i18n import Language, Text, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import Role, UserRight
from gateway.web.pages.add_device_form import FORM_FIELDS, entered_values, initial_values, read_form, vendor_fields
from gateway.web.pages.installation import capability_facts
from gateway.web.server.authorization import Authorizer
from gateway.web.server.context import GatewayServices
from gateway.web.server.page import DISK_FULL, Conflict, Page, form_texts, get, post
from gateway.web.texts.catalogue import TEXTS
from gateway.web.texts.remarks import remark_text
from gateway.web.texts.vendor_texts import vendor_help, vendor_title

ADD_DEVICE_PATH = "/installation/add"


class AddDevicePage(Page):
    """The page of proposals for home.yaml. `tryout` tries a device before it is added."""

    def __init__(self, authorizer: Authorizer, tryout: DeviceTryout) -> None:
        super().__init__(authorizer)
        self._tryout = tryout

    @get(ADD_DEVICE_PATH, UserRight.DEVICES)
    async def _page(self, request: web.Request, _user: CurrentUser) -> web.Response:
        kind = request.query.get("kind", "")
        if kind not in FORM_FIELDS:
            return await self._render(request)
        return await self._render(request, kind=kind, values=initial_values(kind, request.query))

    async def _render(  # noqa: PLR0913 - the parts of the page
        self,
        request: web.Request,
        *,
        kind: str = "",
        values: Mapping[str, Sequence[str]] | None = None,
        field_errors: Mapping[str, Remark] | None = None,
        errors: Sequence[Text] = (),
        trial: Trial | None = None,
        status: int = 200,
    ) -> web.Response:
        brand = next(iter((values or {}).get("vendor", ())), "")
        views = await self._services.proposals.read_views()
        home = await self._services.proposals.read_house_with_all()
        measured = await asyncio.to_thread(records.read_measurements, self._home.storage.folder)
        language = self._language(request)
        proposals = [self._proposal_facts(view, measured, language) for view in views]
        return self._render_page(
            request,
            "add_device",
            status=status,
            page=ADD_DEVICE_PATH,
            errors=errors,
            kinds=PROPOSAL_KINDS,
            kind=kind,
            fields=vendor_fields(kind, brand),
            vendor_help=vendor_help(brand) if brand in VENDORS else None,
            vendor_titles={name: vendor_title(name) for name in VENDORS},
            trial=trial,
            may_try=kind == "camera" or kind in ASKED_KINDS,
            values=values or {},
            devices=home.devices,
            field_errors={key: remark_text(remark) for key, remark in (field_errors or {}).items()},
            waiting=[facts for facts in proposals if facts["view"].state == ProposalState.PROPOSED],
            changing=any(view.state == ProposalState.TAKEN for view in views),
            accepted=[facts for facts in proposals if facts["view"].state != ProposalState.PROPOSED],
            writable=await asyncio.to_thread(self._services.proposals.is_writable),
            file=self._services.proposals.file,
            edited=bool(views) and await asyncio.to_thread(self._services.proposals.is_edited),
            accounts=await asyncio.to_thread(self._devices_without_password, views),
            command=password_command(self._services),
        )

    def _proposal_facts(self, view: ProposalView, measured: Mapping[str, Any], language: Language) -> Mapping[str, Any]:
        return {
            "view": view,
            "objections": [remark_text(remark) for remark in view.objections],
            "cautions": [remark_text(remark, "note") for remark in view.cautions],
            "capabilities": capability_facts(_capabilities(view, measured), language),
        }

    @post(ADD_DEVICE_PATH, UserRight.DEVICES)
    async def _propose(self, request: web.Request, user: CurrentUser) -> web.Response:
        form = await request.post()
        kind = str(form.get("kind", ""))
        if kind not in FORM_FIELDS:
            raise web.HTTPBadRequest
        home, values = await self._services.proposals.read_house_with_all(), entered_values(kind, form)
        proposal = await asyncio.to_thread(read_form, kind, form, home)
        if not isinstance(proposal, ProposalRequest):
            return await self._render(request, kind=kind, values=values, field_errors=proposal, status=422)
        if form.get("do") == "try":
            return await self._try(request, user, proposal, values)
        errors = await add_to_house(self._authorizer, request, user, [proposal])
        if errors:
            return await self._render(request, kind=kind, values=values, errors=errors, status=422)
        raise web.HTTPSeeOther(ADD_DEVICE_PATH)

    async def _try(
        self, request: web.Request, user: CurrentUser, proposal: ProposalRequest, values: Mapping[str, Sequence[str]]
    ) -> web.Response:
        """Show what a device answers, or what a camera sees, before anybody adds it."""
        is_owner = user.role is Role.OWNER
        is_free = self._tryout.may_try(proposal, is_owner=is_owner)
        trial = await self._tryout.try_device(
            proposal, user.person, is_found=is_free and not is_owner, needs_account=not is_free
        )
        return await self._render(request, kind=proposal.kind, values=values, trial=trial)

    @post(f"{ADD_DEVICE_PATH}/accept", UserRight.ENROL)
    async def _accept(self, request: web.Request, user: CurrentUser) -> web.Response:
        form = await request.post()
        error = await self._authorizer.password_error(request, user)
        if error is not None:
            return await self._render(request, errors=[error], status=422)
        chosen = [str(id_) for id_ in form.getall("take", ())]
        objections = await self._services.proposals.accept(chosen, by=user.person, now=self._now)
        if objections:
            return await self._render(request, errors=[remark_text(remark) for remark in objections], status=409)
        raise web.HTTPSeeOther(ADD_DEVICE_PATH)

    @post(f"{ADD_DEVICE_PATH}/refuse", UserRight.ENROL)
    async def _refuse(self, request: web.Request, user: CurrentUser) -> web.Response:
        return await self._drop(request, user, refused=True)

    @post(f"{ADD_DEVICE_PATH}/withdraw", UserRight.DEVICES)
    async def _withdraw(self, request: web.Request, user: CurrentUser) -> web.Response:
        proposal = self._services.proposals.find((await form_texts(request)).get("proposal", ""))
        if proposal is not None and proposal.by != user.person and user.role is not Role.OWNER:
            raise web.HTTPForbidden
        return await self._drop(request, user, refused=False)

    async def _drop(self, request: web.Request, user: CurrentUser, *, refused: bool) -> web.Response:
        id_ = (await form_texts(request)).get("proposal", "")
        try:
            discarded = await self._services.proposals.discard(id_, by=user.person, now=self._now, refused=refused)
        except OSError as error:
            raise Conflict(DISK_FULL) from error
        if not discarded:
            return await self._render(request, errors=[TEXTS["add.no.none"]], status=409)
        self._authorizer.changes.notify()
        raise web.HTTPSeeOther(ADD_DEVICE_PATH)

    def _devices_without_password(self, views: Sequence[ProposalView]) -> tuple[str, ...]:
        """Return the accounts of devices for which the broker may have no password yet.

        With the broker's files beside the gateway's password the answer is exact; else it is every device that was
        added recently.
        """
        file = self._home.broker.password_file
        if file is None:
            return ()
        try:
            names = account_names(self._home)
        except AccountTaken:  # `perron broker-config` reports the reason
            return ()
        devices = [name for name in names if name not in ROLE_ACCOUNTS and not name.startswith("retailer-")]
        if (file.parent / "mosquitto.conf").exists():
            return tuple(name for name in devices if not (file.parent / f"{name}.password").exists())
        added = {view.proposal.name for view in views if view.state is ProposalState.APPLIED}
        return tuple(name for name in devices if name in added)


def password_command(services: GatewayServices) -> str:
    """Return the command that writes the broker's files for the house file as it is now."""
    file = services.home.broker.password_file
    beside = file is not None and (file.parent / "mosquitto.conf").exists()
    folder = file.parent if file is not None and beside else "/etc/perron-broker"
    return f"perron broker-config {folder} --home {services.proposals.file or 'home.yaml'}"


async def add_to_house(
    authorizer: Authorizer, request: web.Request, user: CurrentUser, requests: Sequence[ProposalRequest]
) -> Sequence[Text]:
    """Propose these. If the owner does, with the password in the form, they are accepted at once.

    Return why not, or nothing.
    """
    is_owner, proposals, now = user.role is Role.OWNER, authorizer.services.proposals, authorizer.now
    if is_owner:
        wrong = await authorizer.password_error(request, user)
        if wrong is not None:
            return [wrong]
    errors = list[Text]()
    for one in requests:
        remarks = await proposals.propose(one, by=user.person, now=now)
        errors += [_("{name}: {why}", name=one.name, why=remark_text(remark)) for remark in remarks]
    authorizer.changes.notify()
    if errors or not is_owner:
        return errors
    names = {(one.kind, one.name) for one in requests}
    waiting = (view.proposal for view in await proposals.read_views() if view.proposal.accepted is None)
    ids = [proposal.id for proposal in waiting if (proposal.kind, proposal.name) in names]
    return [remark_text(remark) for remark in await proposals.accept(ids, by=user.person, now=now)]


def _capabilities(view: ProposalView, measured: Mapping[str, Any]) -> Iterable[Capability]:
    if view.house is None:
        return ()
    if view.proposal.kind == ENTRANCE:
        return entrance_capabilities(view.house, view.proposal.name, measured, WalkTestStatus.NEVER)
    return device_capabilities(view.house, view.proposal.name, None)
