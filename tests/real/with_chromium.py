"""The whole Chromium shows what the box pushes; `chromium-headless-shell` has no notifications.

Run by `make test-chromium`, where Debian's package chromium is installed; not part of `make test`.
"""

import asyncio
import json
import shutil
from typing import Any
from unittest.mock import patch

from playwright.async_api import CDPSession

from tests.browser import IN_SHARED_BROWSER, visitor
from tests.gateway.conftest import shared_browser
from tests.gateway.web.test_installable import CONTROLLED
from tests.gateway.web.test_notified import phone, service, site
from tests.pushservice import PushService
from tests.shell.house import PARCEL
from tests.shell.site import ServedSite
from tests.waiting import wait_until

__all__ = ["service", "shared_browser", "site"]  # fixtures
pytestmark = IN_SHARED_BROWSER


async def test_the_browser_s_own_notifications(site: ServedSite, service: PushService) -> None:
    """In the whole Chromium: the message is delivered by DevTools, shown by the browser, and found there."""
    whole = shutil.which("chromium")
    assert whole, "the Debian package chromium is needed for this test"
    with patch("tests.browser.shutil.which", lambda _name: whole):
        async with visitor("--headless=new") as somebody, phone(site, service, somebody) as made:
            await made.page.context.grant_permissions(["notifications"], origin=site.address)
            await made.notify_me()
            await made.page.evaluate(CONTROLLED)
            await site.box.ring(PARCEL)
            said = await made.pushed()
            devtools = await made.page.context.new_cdp_session(made.page)
            registration = await _registration(devtools, site.address)
            message = {"origin": site.address, "registrationId": registration, "data": json.dumps(said)}
            read = """async () => (await (await navigator.serviceWorker.ready).getNotifications())
                .map(({ title, body, tag, actions }) => ({ title, body, tag, actions }))"""
            found: list[dict[str, Any]] = []

            async def is_shown() -> bool:
                """DevTools do not say whether the worker got it: it is delivered until the browser shows it."""
                await devtools.send("ServiceWorker.deliverPushMessage", message)
                await asyncio.sleep(1)
                found[:] = await made.page.evaluate(read)
                return bool(found)

            await wait_until(is_shown)
            assert len(found) == 1, "the same visit, one notification"
            assert found[0]["title"] == site.box.home.name
            assert found[0]["tag"] == said["tag"]
            assert [one["action"] for one in found[0]["actions"]][:1] == ["veto"]


async def _registration(devtools: CDPSession, origin: str) -> str:
    """The number of the service worker of an origin, by which DevTools deliver messages to it."""
    known: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def registered(event: dict[str, Any]) -> None:
        for one in event["registrations"]:
            if one["scopeURL"] == f"{origin}/" and not known.done():
                known.set_result(one["registrationId"])

    devtools.on("ServiceWorker.workerRegistrationUpdated", registered)
    await devtools.send("ServiceWorker.enable")
    return await known
