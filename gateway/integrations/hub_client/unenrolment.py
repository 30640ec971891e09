"""The box leaves its hub: told there first, then forgotten here, whatever moment it is killed at.

The order is what makes a crash harmless. While the store says that this home is to be left (`HUB`), each start goes on
with it; the hub is told; then key and certificate go, so that nobody who has the disk speaks as this home; then the
store notes that it is left (`HUB_LEFT`), and the section goes out of the house file. A home that joins anew under the
same name has a new identity, by which it is known.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import structlog

from gateway.config.editor import NotAdded, text_of, written
from gateway.config.home import Home, HubSection
from gateway.config.writer import Rewriting
from gateway.integrations.hub_client.ca_rotation import follow
from gateway.integrations.hub_client.enrolment import (
    FOLDER,
    IDENTITY,
    Ask,
    Damaged,
    HubAway,
    HubSays,
    NotTheHub,
    counts,
    leave,
    over_http,
)
from gateway.integrations.hub_client.house_file import left_text
from gateway.runtime.maintenance import factory_reset
from gateway.storage import Store, StoreFailed
from gateway.storage.handover import HUB, HUB_LEFT

log = structlog.get_logger(__name__)

AGAIN = 30.0  # seconds until a hub that does not answer is told again
LAST_WORD = 5.0  # seconds that a hub may hold up a wipe: nobody's wish to be forgotten waits for it


def by_claim(home: Home, section: HubSection) -> bool:
    """Whether the box proves itself there by what it got for a claim, and not by files that somebody put there."""
    own = home.storage.folder / FOLDER / IDENTITY
    return section.tls is not None and section.tls.certificate == own


def known(home: Home, section: HubSection) -> bool:
    """Whether the box has what it proves itself by there."""
    return not by_claim(home, section) or (home.storage.folder / FOLDER / IDENTITY).exists()


class Farewell:
    """What the line to the hub asks and says beside the broker: whether it is let in still, and that it leaves."""

    def __init__(  # noqa: PLR0913 - what it needs, named one by one
        self,
        home: Home,
        section: HubSection,
        *,
        store: Store,
        rewriting: Rewriting,
        ask: Ask = over_http,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._home, self._section, self._store, self._rewriting = home, section, store, rewriting
        self._ask, self._sleep = ask, sleep
        self._folder = home.storage.folder / FOLDER

    async def let_in(self) -> bool | None:
        """Whether the hub lets this home in still; None: it does not say.

        Its authority may be another one since the box was there last: that is learnt first.
        """
        if not by_claim(self._home, self._section):
            return None
        with contextlib.suppress(HubAway, HubSays, NotTheHub, Damaged, OSError):
            await asyncio.to_thread(follow, self._section.url, self._folder, over_http)
        try:
            return await asyncio.to_thread(counts, self._section.url, self._folder, self._ask)
        except (HubAway, HubSays, Damaged, OSError):
            return None

    async def end(self, *, at_once: Callable[[], bool]) -> None:
        """Tell the hub, and end here what there was; `at_once`: whether nobody waits any longer for its answer."""
        while by_claim(self._home, self._section):
            try:
                await asyncio.to_thread(leave, self._section.url, self._folder, self._ask)
                break
            except HubAway as away:
                log.warning("hub_not_told_of_leaving", why=str(away))
            except (HubSays, Damaged, OSError) as error:
                log.warning("hub_not_told_of_leaving", why=str(error))
                break
            if at_once():
                break
            await self._sleep(AGAIN)
        while True:
            try:
                await forget(self._home, self._section, store=self._store, rewriting=self._rewriting)
            except StoreFailed as failure:  # a full disk: nothing of it is this home's any more, whatever is noted
                log.error("hub_not_forgotten", why=str(failure))
                await self._sleep(AGAIN)
                continue
            log.info("hub_left", home=self._section.home)
            return


async def forget(home: Home, section: HubSection, *, store: Store, rewriting: Rewriting) -> None:
    """Forget here that the box was this home; done again after a crash it ends the same.

    Raises:
        StoreFailed: it could not be noted.
    """
    if by_claim(home, section):
        await asyncio.to_thread(shutil.rmtree, home.storage.folder / FOLDER, ignore_errors=True)
    await store.uplinks.forget()
    await store.handover.leave(HUB_LEFT, section.home)
    await store.handover.leave(HUB, None)
    try:
        await rewriting.write(lambda text, file: left_text(text, file, section.home))
    except (NotAdded, OSError) as error:
        log.error("hub_section_stays", why=str(error), todo="take `hub` out of the house file by hand")


async def settle(home: Home, *, store: Store, rewriting: Rewriting) -> None:
    """A gateway begins: go on with what a crash or a hand-over cut short."""
    section = home.hub
    if section is None:
        return
    marks = {store.handover.pending(HUB), store.handover.pending(HUB_LEFT)}
    if section.home not in marks:
        return
    try:
        if by_claim(home, section) and known(home, section) and store.handover.pending(HUB_LEFT) == section.home:
            await store.handover.leave(HUB_LEFT, None)  # it has joined anew under the name that it had
        elif not known(home, section) or store.handover.pending(HUB_LEFT) == section.home:
            await forget(home, section, store=store, rewriting=rewriting)
    except StoreFailed as failure:  # at the next start
        log.error("hub_not_forgotten", why=str(failure))


def wiped(home: Home, file: Path | None = None, ask: Ask | None = None) -> bool:
    """Finish a wipe that was decided; what is left to people is said. False: the phones still stand in their file.

    A hub is told once, and not waited for. `file`: the house file, in which the hub no longer stands then.

    Raises:
        OSError: something could not be deleted: nothing of the box is opened before it is.
    """
    log.warning("wiping", folder=str(home.storage.folder))
    section = home.hub
    if section is not None and by_claim(home, section):
        try:
            leave(section.url, home.storage.folder / FOLDER, ask or partial(over_http, patience=LAST_WORD))
        except (HubAway, HubSays, Damaged, OSError) as error:
            log.error("hub_not_told_of_leaving", why=str(error), todo="let whoever runs the hub revoke this home")
    for credential in factory_reset.end(() if section is None else section.credentials):
        log.error("hub_not_left", file=str(credential), todo="delete it by hand: by it a box speaks as this home")
    phones = home.phones_file
    emptied = factory_reset.finish(home.storage.folder, phones=phones)
    if not emptied:
        log.error("phones_not_wiped", file=str(phones), todo="empty this file by hand: it names the household's phones")
    if section is not None and file is not None:
        _taken_out(file, section.home)
    log.warning("wiped")
    return emptied


def _taken_out(file: Path, home: str) -> None:
    try:
        before = text_of(file)
        after = left_text(before, file, home)
        if after != before:
            written(file, after)
    except (NotAdded, OSError) as error:
        log.error("hub_section_stays", why=str(error), todo="take `hub` out of the house file by hand")
