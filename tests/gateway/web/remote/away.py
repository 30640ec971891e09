"""A box without broker and cameras, and browsers of its household far away: what passes the hub is passed by hand."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.config.home import Home, HubSection
from gateway.protocol.box_hub import Job, JobKind, JobReceipt, SealedQuery
from gateway.storage.browsers import StoredOrder
from gateway.web.auth.roles import Role
from gateway.web.remote.queries import QueryService
from gateway.web.remote.sessions import RemoteSessions
from tests.remotebrowser import RemoteBrowser
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.parts import ManualTime
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

NOON_MONO_S = 7300.0  # seconds: the usual window is open
HUB = HubSection(url="https://hub.example", home="home-1", host="127.0.0.1", password_file=Path("/nowhere"))


@dataclass
class RemoteHousehold:
    """The box, its pages, the owner's browser, and the household's line to it."""

    made: ShellBox
    site: ServedSite
    phone: RemoteBrowser
    household: RemoteSessions

    async def browser(self, role: Role, name: str = "Bruno") -> RemoteBrowser:
        """Somebody else of the household goes out too."""
        who = await self.site.guest(role, name)
        one = self.synchronised(RemoteBrowser(label=f"{name}'s phone"))
        async with self.site.client(who) as client:
            await one.enrol(client)
        return one

    def synchronised(self, one: RemoteBrowser) -> RemoteBrowser:
        """Its clock shows what the box's does."""
        one.ahead = self.made.clock.now().utc.timestamp() - time.time()
        return one

    # ---- orders

    async def brings(self, token: bytes | str) -> JobReceipt:
        """The hub brings an envelope, whatever is in it."""
        text = token if isinstance(token, str) else token.decode()
        return await self.household.accept_job(Job(job="job-1", kind=JobKind.OWNER, token=text))

    async def orders(self, do: str, *, by: RemoteBrowser | None = None, **said: Any) -> str | None:  # noqa: ANN401 - an order's own
        """Order something; None: it was taken in, else why not."""
        one = by or self.phone
        self.synchronised(one)
        receipt = await self.brings(one.sealed(one.order(do, **said)))
        return receipt.why if receipt.state == "refused" else None

    async def became(self, by: RemoteBrowser | None = None) -> StoredOrder:
        """What became of the newest order."""
        one, browsers = by or self.phone, self.made.store.browsers
        await wait_until(lambda: browsers.orders(one.browser, at_most=1)[0].state != "kept")
        return browsers.orders(one.browser, at_most=1)[0]

    # ---- questions

    async def asks(
        self,
        ask: str,
        *,
        by: RemoteBrowser | None = None,
        **said: Any,  # noqa: ANN401 - a question's own
    ) -> tuple[dict[str, Any], bytes]:
        """Ask, and read the answer: what was said, or `{"refused": why}`; and the bytes behind it."""
        one = self.synchronised(by or self.phone)
        id_, text = one.question(ask, **said)
        sealed = await self.put(one.sealed(text), by=one)
        assert sealed is not None, "no answer"
        answer, raw = one.read(sealed, id_)
        return answer.get("answer") or {"refused": answer["refused"]}, raw

    async def put(self, sealed: str, *, by: RemoteBrowser | None = None) -> str | None:
        """The hub puts a question."""
        one = by or self.phone
        return await self.household.answer_query(SealedQuery(via="hub-1", id="q-1", browser=one.browser, sealed=sealed))

    async def state(self, by: RemoteBrowser | None = None) -> dict[str, Any]:
        """How the house stands, as a browser sees it."""
        answer, _ = await self.asks("state", by=by)
        found: dict[str, Any] = answer["state"]
        return found

    async def entrance(self, name: str = "front") -> dict[str, Any]:
        """One entrance of it."""
        return next(one for one in (await self.state())["entrances"] if one["id"] == name)


@asynccontextmanager
async def remote_household(
    folder: Path,
    house: Home | None = None,
    *,
    reached: Callable[[str], None] = lambda _: None,
    held: float = 20.0,
    at: float = 100.0,
) -> AsyncIterator[RemoteHousehold]:
    """The owner has enrolled a browser and has left the house."""
    made_house = (house or make_home(folder)).model_copy(update={"hub": HUB})
    async with box(folder, made_house, time=ManualTime(mono=at)) as made, run_box(made), serve_site(made) as site:
        household = RemoteSessions(site.site._services, site.site.changes, home=HUB.home, crash_point=reached)  # noqa: SLF001 - as app.py has them
        household._queries = QueryService(site.site._services, site.site.changes, long_poll_s=held)  # noqa: SLF001 - a shorter wait
        one = RemoteHousehold(made, site, RemoteBrowser(), household)
        one.synchronised(one.phone)
        async with site.client(site.owner) as client:
            await one.phone.enrol(client)
        task = asyncio.create_task(household.run())
        try:
            yield one
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()


def altered_copy(one: RemoteBrowser, **other: Any) -> RemoteBrowser:  # noqa: ANN401 - any field
    """The same browser, but for what is said."""
    return replace(one, **other)
