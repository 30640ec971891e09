"""The keepers of a key safe, each with the box's real page on their own phone, and the owner who gives the codes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.demo.actors import DemoPerson, OnAction
from gateway.demo.desk import DemoBrowser, DemoHouseholdBrowser, pages_session, wait_for_pages
from gateway.demo.observers import WaitTimeout
from gateway.demo.scenario import ScenarioRun
from gateway.web.auth.tokens import CODE_COOKIE

AT_THE_DOOR = "courier"  # the person of the simulated house who does what a keeper does


class DemoKeeperPhone(DemoBrowser):
    """A keeper's phone."""

    async def sign_in(self, link: str) -> str:
        """Open the owner's link; return the code that this phone shows from then on. WaitTimeout: it gets none."""
        await self._press(link, "opens the link")
        async with self._session.get("/keeper") as page:
            shows_code = 'class="paper middle"' in await page.text()
        codes = [cookie.value for cookie in self._session.cookie_jar if cookie.key == CODE_COOKIE]
        if not codes or not shows_code:
            raise WaitTimeout("the page shows no code")
        return codes[0]


class DemoKeeper(DemoPerson):
    """A keeper: his id, and the code on his phone."""

    says_scanned = "his code"

    def __init__(self, play: ScenarioRun, keeper: str, code: str) -> None:
        self.id, self.name, self.code = keeper, play.plan.home.keepers[keeper].name, code
        super().__init__(
            AT_THE_DOOR, play.house, _narrated(play, self.name), play.plan.action_s,
            scanner=play.section.all_scanners[0], doors=play.doors,
        )  # fmt: skip


def _narrated(play: ScenarioRun, name: str) -> OnAction:
    return lambda _who, what: play.narrate(name, what)


@asynccontextmanager
async def open_keepers(
    play: ScenarioRun, keeper: str, owner: DemoHouseholdBrowser | None = None
) -> AsyncIterator[tuple[DemoHouseholdBrowser, DemoKeeper]]:
    """Give a keeper a code; without `owner`, claim the box first. WaitTimeout: the pages do not answer."""
    home = play.plan.home
    if home.pages is None:
        raise ValueError("a keeper needs the box's pages")
    await wait_for_pages(home)
    async with pages_session(home.pages) as owners, pages_session(home.pages) as keepers:
        household = owner or DemoHouseholdBrowser(owners, "owner", play.narrate)
        if owner is None:
            await household.claim(home.claim_code_file.read_text(encoding="ascii").strip())
        phone = DemoKeeperPhone(keepers, home.keepers[keeper].name, play.narrate)
        code = await phone.sign_in(await household.make_keeper_link(keeper))
        yield household, DemoKeeper(play, keeper, code)
