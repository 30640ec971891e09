"""Lets the owner remove a device that was added by mistake, with the password, while no visit runs."""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from gateway.config.broker_acl import AccountTaken, account_names
from gateway.mqtt.mosquitto.accounts import broker_folder
from gateway.runtime.maintenance.reload import busy_entrances
from gateway.system.i18n import Text, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.pages.add_device import password_command
from gateway.web.pages.installation import INSTALLATION_PATH, kind_name
from gateway.web.server.page import Page, get, post
from gateway.web.texts.remarks import remark_text

REMOVE_PATH = f"{INSTALLATION_PATH}/remove/{{device}}"

_CODE_LEFT = _(
    "It may still have a guest's code: withdraw the pass on the page Guests, and remove it once the code is proven "
    "gone."
)


class RemoveDevicePage(Page):
    """The page that says what goes with a device, and what stays, before it is removed."""

    @get(REMOVE_PATH, UserRight.ENROL)
    async def _page(
        self, request: web.Request, _user: CurrentUser, *, errors: Sequence[Text] = (), status: int = 200
    ) -> web.Response:
        device = self._device(request)
        return self._render_page(
            request, "remove_device", status=status, page=INSTALLATION_PATH, device=device,
            kind=kind_name(self._home.devices[device].kind), errors=errors,
            reasons=await self._reasons(device), has_account=self._has_account(device),
            command=password_command(self._services),
            is_broker_ours=await asyncio.to_thread(lambda: broker_folder(self._home) is not None),
        )  # fmt: skip

    @post(REMOVE_PATH, UserRight.ENROL)
    async def _remove(self, request: web.Request, user: CurrentUser) -> web.Response:
        device = self._device(request)
        error = await self._authorizer.password_error(request, user)
        if error is not None:
            return await self._page(request, user, errors=[error], status=422)
        if await self._reasons(device):
            return await self._page(request, user, status=409)
        remarks = await self._services.proposals.remove(device, by=user.person, now=self._now)
        if remarks:
            errors = [remark_text(remark) for remark in remarks]
            return await self._page(request, user, errors=errors, status=409)
        raise web.HTTPSeeOther(INSTALLATION_PATH)

    async def _reasons(self, device: str) -> Sequence[Text]:
        """Return why the device has to stay, now or for as long as something uses it."""
        reasons = [remark_text(remark) for remark in await self._services.proposals.check_removal(device)]
        if device in self._store.guests.keypads_with_codes():
            reasons.append(_CODE_LEFT)
        if busy_entrances(self._services.states()):
            reasons.append(_("A visit is under way, or was a moment ago: remove it afterwards."))
        return reasons

    def _has_account(self, device: str) -> bool:
        try:
            return device in account_names(self._home)
        except AccountTaken:  # `perron broker-config` reports the reason
            return False

    def _device(self, request: web.Request) -> str:
        device = request.match_info["device"]
        if device not in self._home.devices or device in self._services.proposals.removed:
            raise web.HTTPNotFound
        return device
