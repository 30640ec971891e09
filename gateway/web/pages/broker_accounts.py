"""The accounts of devices and bridges at the house's broker: each is shown once, as a QR code and as settings."""

import asyncio
from collections.abc import Mapping
from urllib.parse import quote

from aiohttp import web

from devices.vendors import VENDORS
from devices.vendors.definition import BrokerAccess, Definition, plain_settings
from gateway.config.broker_acl import AccountTaken, bridge_topics
from gateway.config.topics import bridge_base_topic
from gateway.installation import records
from gateway.installation.records import AccountMark
from gateway.mqtt.mosquitto import accounts
from gateway.mqtt.mosquitto.provisioning import WeakBrokerSetup
from gateway.system.i18n import Text, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import Role, UserRight
from gateway.web.server.authorization import Authorizer
from gateway.web.server.page import DISK_FULL, Conflict, Page, form_texts, get, post
from gateway.web.texts.vendor_texts import vendor_help

ACCOUNTS_PATH = "/installation/accounts"
SHOWN_ALREADY = _("It was shown already. A new password ends the former one.")
BRIDGE_VENDOR = "zigbee2mqtt"


class BrokerAccountsPage(Page):
    """The page of the accounts. A program with an account can send as its device.

    So only an owner sees one, and an installer one that the owner has opened to him: each is shown once.
    """

    def __init__(self, authorizer: Authorizer) -> None:
        super().__init__(authorizer)
        self._turn = asyncio.Lock()  # two requests at the same moment must not both show the account

    @get(ACCOUNTS_PATH, UserRight.DEVICES)
    async def _page(
        self, request: web.Request, _user: CurrentUser, *, access: BrokerAccess | None = None, error: Text | None = None
    ) -> web.Response:
        names = self._names()
        shown = await self._marked(AccountMark.SHOWN)
        opened = await self._marked(AccountMark.OPENED)
        ready = await asyncio.to_thread(lambda: {name for name in names if accounts.has_password(self._home, name)})
        definition = None if access is None else self._definition(access.user)
        settings = plain_settings if definition is None else definition.settings
        people = self._store.accounts.all_people()
        return self._render_page(
            request, "broker_accounts", page=ACCOUNTS_PATH, error=error, names=names, shown=shown, ready=ready,
            opened=opened, owners=[one.name for one in people if one.role == Role.OWNER],
            has_installer=any(one.role == Role.INSTALLER for one in people),
            access=access, link="" if access is None else _link(access),
            block="" if access is None else settings(access),
            plain="" if access is None else plain_settings(access),
            is_bridge=access is not None and access.user not in self._home.devices,
            help=None if definition is None else vendor_help(definition.name),
            renewable=accounts.broker_folder(self._home) is not None,
        )  # fmt: skip

    @post(ACCOUNTS_PATH, UserRight.KEYS)
    async def _show(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Show an account that nobody has seen yet, or renew its password and show that, or open it to an installer."""
        fields = await form_texts(request)
        name, do = self._named(fields), fields.get("do")
        async with self._turn:
            if do == "open":
                return await self._open(request, user, name)
            return await self._show_once(request, user, name, renews=do == "renew")

    @post(f"{ACCOUNTS_PATH}/opened", UserRight.DEVICES)
    async def _show_opened(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Show an installer an account that the owner has opened."""
        name = self._named(await form_texts(request))
        async with self._turn:
            opened = await self._marked(AccountMark.OPENED)
            if name not in opened:
                raise web.HTTPForbidden
            if name not in await self._marked(AccountMark.SHOWN):
                await self._store.log.append("account_shown", {"by": user.person, "name": name}, self._now)
            return await self._show_once(request, user, name, renews=False)

    async def _open(self, request: web.Request, user: CurrentUser, name: str) -> web.Response:
        folder = self._home.storage.folder
        if name in await self._marked(AccountMark.SHOWN):
            return await self._page(request, user, error=SHOWN_ALREADY)
        await self._store.log.append("account_opened", {"by": user.person, "name": name}, self._now)
        opened = await self._marked(AccountMark.OPENED)
        try:
            await asyncio.to_thread(records.store_marked_accounts, folder, AccountMark.OPENED, opened | {name})
        except OSError as failure:
            raise Conflict(DISK_FULL) from failure
        raise web.HTTPSeeOther(ACCOUNTS_PATH)

    async def _show_once(self, request: web.Request, user: CurrentUser, name: str, *, renews: bool) -> web.Response:
        folder = self._home.storage.folder
        shown = await self._marked(AccountMark.SHOWN)
        if name in shown and not renews:
            return await self._page(request, user, error=SHOWN_ALREADY)
        try:
            if renews and not await asyncio.to_thread(accounts.renew_password, self._home, name):
                raise Conflict(_("The broker's files belong to another user of the box."))
            access = await asyncio.to_thread(accounts.broker_access, self._home, name)
            await asyncio.to_thread(records.store_marked_accounts, folder, AccountMark.SHOWN, shown | {name})
        except (ValueError, WeakBrokerSetup) as failure:
            raise Conflict(_("Not done: {why}", why=str(failure))) from failure
        except OSError as failure:
            raise Conflict(DISK_FULL) from failure
        response = await self._page(request, user, access=access)
        response.headers["Cache-Control"] = "no-store"
        return response

    async def _marked(self, mark: AccountMark) -> frozenset[str]:
        return await asyncio.to_thread(records.read_marked_accounts, self._home.storage.folder, mark)

    def _named(self, fields: Mapping[str, str]) -> str:
        name = fields.get("account", "")
        if name not in self._names():
            raise web.HTTPNotFound
        return name

    def _names(self) -> tuple[str, ...]:
        try:
            return accounts.device_accounts(self._home)
        except AccountTaken:  # `perron broker-config` reports the reason
            return ()

    def _definition(self, account: str) -> Definition | None:
        """Return the definition of the account's device, or of what its bridge carries; None: nobody knows it."""
        device = self._home.devices.get(account)
        if device is not None:
            return device.definition
        bases = bridge_topics(self._home).get(account, ())
        carried = (d for id_, d in self._home.devices.items() if bridge_base_topic(self._home, id_) in bases)
        first = next(carried, None)
        if first is not None:
            return first.definition
        program = VENDORS.get(account)  # a bridge without devices yet is mostly called as its program
        return None if program is None else program.DEFINITION


def _link(access: BrokerAccess) -> str:
    scheme = "mqtts" if access.authority else "mqtt"
    return f"{scheme}://{quote(access.user)}:{quote(access.password)}@{access.host}:{access.port}"
