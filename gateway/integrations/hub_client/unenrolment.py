"""The box leaves its hub: told there first, then forgotten here, whatever moment it is killed at.

The order is what makes a crash harmless. While the store says that this home is to be left (`TASK_LEAVE_HUB`), each
start goes on
with it; the hub is told; then key and certificate go, so that nobody who has the disk speaks as this home; then the
store notes that it is left (`TASK_HUB_LEFT`), and the section goes out of the house file. A home that joins anew
under the
same name has a new identity, by which it is known.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import structlog

from gateway.config.editor import EditRejected, read_home_text, write_home
from gateway.config.home import Home, HubSection
from gateway.config.writer import HomeFileWriter
from gateway.integrations.hub_client.ca_rotation import follow_authorities
from gateway.integrations.hub_client.enrolment import (
    HUB_FOLDER,
    IDENTITY_FILE,
    DamagedIdentity,
    HttpPost,
    HubError,
    HubUnavailable,
    WrongHub,
    http_request,
    is_accepted,
    leave_hub,
)
from gateway.integrations.hub_client.house_file import text_without_membership
from gateway.runtime.maintenance import factory_reset
from gateway.storage import Store, StoreFailed
from gateway.storage.handover import TASK_HUB_LEFT, TASK_LEAVE_HUB

log = structlog.get_logger(__name__)

HUB_RETRY_DELAY_S = 30.0  # seconds until a hub that does not answer is told again
WIPE_NOTICE_TIMEOUT_S = 5.0  # seconds that a hub may hold up a wipe: nobody's wish to be forgotten waits for it


def is_enrolled_by_claim(home: Home, section: HubSection) -> bool:
    """Whether the box proves itself there by what it got for a claim, and not by files that somebody put there."""
    own = home.storage.folder / HUB_FOLDER / IDENTITY_FILE
    return section.tls is not None and section.tls.certificate == own


def has_identity(home: Home, section: HubSection) -> bool:
    """Whether the box has what it proves itself by there."""
    return not is_enrolled_by_claim(home, section) or (home.storage.folder / HUB_FOLDER / IDENTITY_FILE).exists()


class Unenrolment:
    """What the line to the hub asks and says beside the broker: whether it is let in still, and that it leaves."""

    def __init__(  # noqa: PLR0913 - what it needs, named one by one
        self,
        home: Home,
        section: HubSection,
        *,
        store: Store,
        rewriting: HomeFileWriter,
        ask: HttpPost = http_request,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._home, self._section, self._store, self._rewriting = home, section, store, rewriting
        self._ask, self._sleep = ask, sleep
        self._folder = home.storage.folder / HUB_FOLDER

    async def let_in(self) -> bool | None:
        """Whether the hub lets this home in still; None: it does not say.

        Its authority may be another one since the box was there last: that is learnt first.
        """
        if not is_enrolled_by_claim(self._home, self._section):
            return None
        with contextlib.suppress(HubUnavailable, HubError, WrongHub, DamagedIdentity, OSError):
            await asyncio.to_thread(follow_authorities, self._section.url, self._folder, http_request)
        try:
            return await asyncio.to_thread(is_accepted, self._section.url, self._folder, self._ask)
        except (HubUnavailable, HubError, DamagedIdentity, OSError):
            return None

    async def end(self, *, at_once: Callable[[], bool]) -> None:
        """Tell the hub, and end here what there was; `at_once`: whether nobody waits any longer for its answer."""
        while is_enrolled_by_claim(self._home, self._section):
            try:
                await asyncio.to_thread(leave_hub, self._section.url, self._folder, self._ask)
                break
            except HubUnavailable as away:
                log.warning("hub_not_told_of_leaving", why=str(away))
            except (HubError, DamagedIdentity, OSError) as error:
                log.warning("hub_not_told_of_leaving", why=str(error))
                break
            if at_once():
                break
            await self._sleep(HUB_RETRY_DELAY_S)
        while True:
            try:
                await forget_hub(self._home, self._section, store=self._store, rewriting=self._rewriting)
            except StoreFailed as failure:  # a full disk: nothing of it is this home's any more, whatever is noted
                log.error("hub_not_forgotten", why=str(failure))
                await self._sleep(HUB_RETRY_DELAY_S)
                continue
            log.info("hub_left", home=self._section.home)
            return


async def forget_hub(home: Home, section: HubSection, *, store: Store, rewriting: HomeFileWriter) -> None:
    """Forget here that the box was this home; done again after a crash it ends the same.

    Raises:
        StoreFailed: it could not be noted.
    """
    if is_enrolled_by_claim(home, section):
        await asyncio.to_thread(shutil.rmtree, home.storage.folder / HUB_FOLDER, ignore_errors=True)
    await store.uplinks.forget()
    await store.handover.leave(TASK_HUB_LEFT, section.home)
    await store.handover.leave(TASK_LEAVE_HUB, None)
    try:
        await rewriting.write(lambda text, file: text_without_membership(text, file, section.home))
    except (EditRejected, OSError) as error:
        log.error("hub_section_stays", why=str(error), todo="take `hub` out of the house file by hand")


async def finish_pending(home: Home, *, store: Store, rewriting: HomeFileWriter) -> None:
    """A gateway begins: go on with what a crash or a hand-over cut short."""
    section = home.hub
    if section is None:
        return
    marks = {store.handover.pending(TASK_LEAVE_HUB), store.handover.pending(TASK_HUB_LEFT)}
    if section.home not in marks:
        return
    try:
        if (
            is_enrolled_by_claim(home, section)
            and has_identity(home, section)
            and store.handover.pending(TASK_HUB_LEFT) == section.home
        ):
            await store.handover.leave(TASK_HUB_LEFT, None)  # it has joined anew under the name that it had
        elif not has_identity(home, section) or store.handover.pending(TASK_HUB_LEFT) == section.home:
            await forget_hub(home, section, store=store, rewriting=rewriting)
    except StoreFailed as failure:  # at the next start
        log.error("hub_not_forgotten", why=str(failure))


def finish_wipe_at_hub(home: Home, file: Path | None = None, ask: HttpPost | None = None) -> bool:
    """Finish a wipe that was decided; what is left to people is said. False: the phones still stand in their file.

    A hub is told once, and not waited for. `file`: the house file, in which the hub no longer stands then.

    Raises:
        OSError: something could not be deleted: nothing of the box is opened before it is.
    """
    log.warning("wiping", folder=str(home.storage.folder))
    section = home.hub
    if section is not None and is_enrolled_by_claim(home, section):
        try:
            leave_hub(
                section.url,
                home.storage.folder / HUB_FOLDER,
                ask or partial(http_request, patience=WIPE_NOTICE_TIMEOUT_S),
            )
        except (HubUnavailable, HubError, DamagedIdentity, OSError) as error:
            log.error("hub_not_told_of_leaving", why=str(error), todo="let whoever runs the hub revoke this home")
    for credential in factory_reset.delete_credentials(() if section is None else section.credentials):
        log.error("hub_not_left", file=str(credential), todo="delete it by hand: by it a box speaks as this home")
    phones = home.phones_file
    emptied = factory_reset.finish_wipe(home.storage.folder, phones=phones)
    if not emptied:
        log.error("phones_not_wiped", file=str(phones), todo="empty this file by hand: it names the household's phones")
    if section is not None and file is not None:
        _remove_membership(file, section.home)
    log.warning("wiped")
    return emptied


def _remove_membership(file: Path, home: str) -> None:
    try:
        before = read_home_text(file)
        after = text_without_membership(before, file, home)
        if after != before:
            write_home(file, after)
    except (EditRejected, OSError) as error:
        log.error("hub_section_stays", why=str(error), todo="take `hub` out of the house file by hand")
