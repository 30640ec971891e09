"""Adds a device or an entrance to home.yaml: the installer proposes, the owner accepts."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from gateway.config.broker_acl import AccountTaken, account_names
from gateway.config.editor_keys import ENTRANCE
from gateway.config.fields import ROLE_ACCOUNTS
from gateway.installation import records
from gateway.installation.capability import Capability, WalkTestStatus, device_capabilities, entrance_capabilities
from gateway.installation.proposal_checks import PROPOSAL_KINDS, ProposalRequest, Remark
from gateway.installation.proposal_workflow import ProposalState, ProposalView
from gateway.system.i18n import _
from gateway.system.text import escape_invisible, sanitized
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import Role, UserRight
from gateway.web.pages.add_device_form import FORM_FIELDS, FieldError, entered_values, initial_values, read_form
from gateway.web.pages.capabilities import capability_facts
from gateway.web.server.authorization import Authorizer
from gateway.web.server.context import person_name
from gateway.web.texts.catalogue import TEXTS

ADD_DEVICE_PATH = "/installation/add"


class AddDevicePage:
    """The page of proposals for home.yaml."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer, self._services, self._proposals = (
            authorizer,
            authorizer.services,
            authorizer.services.proposals,
        )

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses of this page."""
        behind = self._authorizer.protect
        return [
            web.get(ADD_DEVICE_PATH, behind(UserRight.DEVICES, self._page)),
            web.post(ADD_DEVICE_PATH, behind(UserRight.DEVICES, self._propose)),
            web.post(f"{ADD_DEVICE_PATH}/accept", behind(UserRight.ENROL, self._accept)),
            web.post(f"{ADD_DEVICE_PATH}/refuse", behind(UserRight.ENROL, self._refuse)),
            web.post(f"{ADD_DEVICE_PATH}/withdraw", behind(UserRight.DEVICES, self._withdraw)),
        ]

    async def _page(self, request: web.Request, user: CurrentUser) -> web.Response:
        kind = request.query.get("kind", "")
        return await self._render(
            request, user, kind=kind, values=initial_values(kind, request.query) if kind in FORM_FIELDS else {}
        )

    async def _render(  # noqa: PLR0913 - the parts of the page
        self,
        request: web.Request,
        user: CurrentUser,
        *,
        kind: str = "",
        values: Mapping[str, Sequence[str]] | None = None,
        wrong: Sequence[FieldError] = (),
        errors: Sequence[str] = (),
        status: int = 200,
    ) -> web.Response:
        seen = await self._proposals.read_views()
        home = await self._proposals.read_house_with_all()
        measured = await asyncio.to_thread(records.read_measurements, self._services.home.storage.folder)
        shown = [self._proposal_facts(request, one, user, measured) for one in seen]
        return self._authorizer.render_page(
            request,
            "adding",
            status=status,
            page=ADD_DEVICE_PATH,
            errors=errors,
            kinds=PROPOSAL_KINDS,
            kind=kind if kind in FORM_FIELDS else "",
            fields=FORM_FIELDS.get(kind, ()),
            values=values or {},
            devices=home.devices,
            wrong={one.key: self._remark_text(request, one.remark) for one in wrong},
            waiting=[one for one in shown if one["standing"] == ProposalState.PROPOSED.value],
            taken=[one for one in shown if one["standing"] != ProposalState.PROPOSED.value],
            writable=await asyncio.to_thread(self._proposals.is_writable),
            file=self._proposals.file,
            edited=bool(seen) and await asyncio.to_thread(self._proposals.is_edited),
            accounts=await asyncio.to_thread(self._devices_without_password, seen),
            command=self._password_command(),
        )

    def _proposal_facts(
        self, request: web.Request, seen: ProposalView, user: CurrentUser, measured: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        one, register = seen.proposal, self._services.store.accounts
        accepted = None if one.accepted is None else person_name(register, one.accepted.by)
        return {
            "id": one.id,
            "name": one.name,
            "kind": one.kind,
            "standing": seen.state.value,
            "by": person_name(register, one.by) or self._authorizer.translate(request, _("somebody")),
            "accepted": accepted,
            "at": one.at,
            "text": seen.text,
            "command": seen.add_command,
            "login": one.login,
            "against": [self._remark_text(request, remark) for remark in seen.objections],
            "failed": one.failed,
            "problems": () if seen.reload_report is None else seen.reload_report.problems,
            "cautions": [
                self._authorizer.translate(request, TEXTS[f"add.note.{r.text_key}"], **_inert_facts(r.facts))
                for r in seen.cautions
            ],
            "promises": capability_facts(self._capabilities(seen, measured), self._authorizer.language(request)),
            "mine": one.by == user.person,
        }

    @staticmethod
    def _capabilities(seen: ProposalView, measured: Mapping[str, Any]) -> tuple[Capability, ...]:
        """Return what the proposed device or entrance will be able to promise, by its section; it was never tried."""
        one, home = seen.proposal, seen.house
        if home is None:
            return ()
        if one.kind == ENTRANCE:
            return entrance_capabilities(home, one.name, measured, WalkTestStatus.NEVER)
        return device_capabilities(home, one.name, None)

    # ---- requests ----------------------------------------------------------------------------------------------------

    async def _propose(self, request: web.Request, user: CurrentUser) -> web.Response:
        form = await request.post()
        kind = str(form.get("kind", ""))
        if kind not in FORM_FIELDS:
            raise web.HTTPBadRequest
        home = await self._proposals.read_house_with_all()
        asked = await asyncio.to_thread(read_form, kind, form, home)
        if not isinstance(asked, ProposalRequest):
            return await self._render(
                request, user, kind=kind, values=entered_values(kind, form), wrong=asked, status=422
            )
        against = await self._proposals.propose(asked, by=user.person, now=self._authorizer.now)
        if against:
            why = [self._remark_text(request, one) for one in against]
            return await self._render(
                request, user, kind=kind, values=entered_values(kind, form), errors=why, status=422
            )
        self._authorizer.changes.notify()
        raise web.HTTPSeeOther(ADD_DEVICE_PATH)

    async def _accept(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Write the ticked proposals to home.yaml; the form brings the password."""
        form = await request.post()
        unproven = await self._authorizer.password_error(request, user)
        if unproven is not None:
            return await self._render(request, user, errors=[unproven], status=422)
        chosen = [str(one) for one in form.getall("take", ())]
        against = await self._proposals.accept(chosen, by=user.person, now=self._authorizer.now)
        if against:
            return await self._render(
                request, user, errors=[self._remark_text(request, one) for one in against], status=409
            )
        raise web.HTTPSeeOther(ADD_DEVICE_PATH)

    async def _refuse(self, request: web.Request, user: CurrentUser) -> web.Response:
        return await self._drop(request, user, refused=True)

    async def _withdraw(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Withdraw one's own proposal; an owner may withdraw any."""
        one = self._proposals.find(str((await request.post()).get("proposal", "")))
        if one is not None and one.by != user.person and user.role is not Role.OWNER:
            raise web.HTTPForbidden
        return await self._drop(request, user, refused=False)

    async def _drop(self, request: web.Request, user: CurrentUser, *, refused: bool) -> web.Response:
        ident = str((await request.post()).get("proposal", ""))
        try:
            there = await self._proposals.discard(ident, by=user.person, now=self._authorizer.now, refused=refused)
        except OSError as error:
            raise self._authorizer.conflict(
                request, _("The box's disk takes nothing more: `perron doctor` looks for the cause.")
            ) from error
        if not there:
            return await self._render(
                request,
                user,
                errors=[self._authorizer.translate(request, _("Nothing of the kind waits (any more)."))],
                status=409,
            )
        self._authorizer.changes.notify()
        raise web.HTTPSeeOther(ADD_DEVICE_PATH)

    # ---- texts -------------------------------------------------------------------------------------------------------

    def _remark_text(self, request: web.Request, remark: Remark) -> str:
        facts = {
            key: " ".join(escape_invisible(line) for line in text.splitlines()) for key, text in remark.facts.items()
        }
        return self._authorizer.translate(request, TEXTS[f"add.no.{remark.text_key}"], **facts)

    def _devices_without_password(self, seen: Sequence[ProposalView]) -> tuple[str, ...]:
        """Return the accounts of devices for which the broker may have no password yet.

        With the broker's files beside the gateway's password the answer is exact; else it is every device that was
        added recently.
        """
        file, home = self._services.home.broker.password_file, self._services.home
        if file is None:
            return ()
        try:
            known = [
                name for name in account_names(home) if name not in ROLE_ACCOUNTS and not name.startswith("retailer-")
            ]
        except AccountTaken:  # `perron broker-config` reports the reason
            return ()
        if (file.parent / "mosquitto.conf").exists():
            return tuple(name for name in known if not (file.parent / f"{name}.password").exists())
        late = {one.proposal.name for one in seen if one.state is ProposalState.APPLIED}
        return tuple(name for name in known if name in late)

    def _password_command(self) -> str:
        file = self._services.home.broker.password_file
        beside = file is not None and (file.parent / "mosquitto.conf").exists()
        folder = file.parent if file is not None and beside else "/etc/perron-broker"
        return f"perron broker-config {folder} --home {self._proposals.file or 'home.yaml'}"


def _inert_facts(facts: Mapping[str, str]) -> dict[str, str]:
    return {key: sanitized(value) for key, value in facts.items()}
