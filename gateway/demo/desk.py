"""The people of a reception, each with the box's real pages in a browser of their own: a receiver, and the owner."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import ClientConnectionError, ClientSession, CookieJar

from gateway.config.home import Home, PagesSection
from gateway.demo.actors import OnAction
from gateway.demo.observers import POLL_INTERVAL_S, TIMEOUT_MARGIN_S, WaitTimeout
from gateway.domain.custody import DeclineReason

CONNECTION_LOST = ClientConnectionError  # the box died before it answered
_LINK = re.compile(r"<code[^>]*>(http[^<]*)</code>")
_OFFERED = re.compile(r'name="parcel" value="([^"]*)"')


class DemoBrowser:
    """A person's browser: it keeps their cookies."""

    def __init__(self, session: ClientSession, who: str, on_action: OnAction) -> None:
        self._session, self._who, self._on_action = session, who, on_action

    async def _press(self, path: str, action: str | None = None, **fields: str) -> str:
        """Send a page's form and return the page that answers. WaitTimeout: the box refused it."""
        if action is not None:
            self._on_action(self._who, action)
        async with self._session.post(path, data=fields) as answer:
            text = await answer.text()
            if answer.status != 200:
                raise WaitTimeout(f"{path} answered {answer.status}")
        return text

    def _found(self, pattern: re.Pattern[str], text: str, what: str) -> str:
        found = pattern.search(text)
        if found is None:
            raise WaitTimeout(f"the page shows no {what}")
        return found[1]


class DemoHouseholdBrowser(DemoBrowser):
    """The owner's browser."""

    async def claim(self, code: str) -> None:
        """Claim the box."""
        await self._press("/claim", "claims the box", code=code, name="Anna", password=secrets.token_urlsafe())

    async def make_link(self, reception: str, receiver: str) -> str:
        """Make a receiver's link; return its path."""
        page = await self._press(f"/receptions/{reception}/link", "makes the receiver's link", receiver=receiver)
        link = self._found(_LINK, page, "link")
        return link[link.index("/desk/") :]

    async def make_keeper_link(self, keeper: str) -> str:
        """Make the link that gives a keeper's phone a code; return its path."""
        page = await self._press(f"/keepers/{keeper}/link", f"makes a link for {keeper}")
        link = self._found(_LINK, page, "link")
        return link[link.index("/keeper/") :]

    async def make_supervisor_link(self, supervisor: str) -> str:
        """Make the link that signs a supervisor's browser in; return its path."""
        page = await self._press(f"/robots/{supervisor}/link", f"makes a link for {supervisor}")
        link = self._found(_LINK, page, "link")
        return link[link.index("/supervisor/") :]

    async def withdraw_codes(self, keeper: str) -> None:
        """Withdraw every code of a keeper."""
        await self._press(f"/keepers/{keeper}/withdraw-all", f"withdraws the codes of {keeper}")

    async def confirm(self, code: str) -> None:
        """Scan the label of a parcel that was handed over."""
        await self._press("/receptions/confirm", f"scans …{code[-4:]}: the parcel is here", code=code)


class DemoReceiver(DemoBrowser):
    """A receiver's phone."""

    async def sign_in(self, link: str) -> None:
        """Open the owner's link."""
        await self._press(link, "opens the link")

    async def go_on_duty(self) -> None:
        """Go on duty."""
        await self._press("/desk/duty", "goes on duty", on="1")

    async def scan(self, code: str) -> None:
        """Scan a label: take the parcel, or say that it is to be handed over."""
        await self._press("/desk/scan", f"scans …{code[-4:]}", code=code)

    async def hand_over(self, code: str, to: str) -> None:
        """Hand a parcel over, by another scan of its label."""
        await self._press("/desk/hand-over", f"hands …{code[-4:]} over to {to}", code=code, to=to)

    async def decline(self, reason: DeclineReason) -> None:
        """Decline the first parcel that is offered."""
        async with self._session.get("/desk") as page:
            parcel = self._found(_OFFERED, await page.text(), "offered parcel")
        await self._press("/desk/decline", f"declines: {reason.value.replace('_', ' ')}", reason=reason, parcel=parcel)


class DemoDesk:
    """Who acts at a reception: its receiver, and the owner at home."""

    def __init__(self, home: Home, receiver: DemoReceiver, household: DemoHouseholdBrowser) -> None:
        self._home, self.receiver, self.household = home, receiver, household

    async def wait_for_pages(self) -> None:
        """Wait until the box's pages answer. WaitTimeout: they do not."""
        await wait_for_pages(self._home)


@asynccontextmanager
async def open_desk(home: Home, on_action: OnAction) -> AsyncIterator[DemoDesk]:
    """Claim the box, and sign the first receiver of its first reception in; he is off duty. WaitTimeout: no pages."""
    if home.pages is None:
        raise ValueError("a receiver needs the box's pages")
    await wait_for_pages(home)
    async with pages_session(home.pages) as receivers, pages_session(home.pages) as owners:
        household = DemoHouseholdBrowser(owners, "owner", on_action)
        receiver = DemoReceiver(receivers, "receiver", on_action)
        await household.claim(home.claim_code_file.read_text(encoding="ascii").strip())
        reception, section = next(iter(home.receptions.items()))
        await receiver.sign_in(await household.make_link(reception, next(iter(section.receivers))))
        yield DemoDesk(home, receiver, household)


def pages_session(pages: PagesSection) -> ClientSession:
    """Return a browser's session with the box's pages."""
    language: Mapping[str, str] = {"Accept-Language": "en"}
    return ClientSession(pages.address, cookie_jar=CookieJar(unsafe=True), headers=language)


async def wait_for_pages(home: Home) -> None:
    """Wait until the box's pages answer. WaitTimeout: they do not."""
    try:
        async with asyncio.timeout(TIMEOUT_MARGIN_S):
            while True:
                if await _are_pages_up(home):
                    return
                await asyncio.sleep(POLL_INTERVAL_S)
    except TimeoutError:
        raise WaitTimeout("the box's pages did not come") from None


async def _are_pages_up(home: Home) -> bool:
    if home.pages is None:
        return False
    try:
        async with pages_session(home.pages) as session, session.get("/claim") as answer:
            return answer.ok
    except ClientConnectionError:
        return False
