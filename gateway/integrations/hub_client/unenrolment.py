"""Ends the box's membership of its hub: first at the hub, then in the box, safely at every crash point.

The order makes a crash harmless. While the store says that this home is to be left (`TASK_LEAVE_HUB`), each start
continues; the hub gets the message; then key and certificate are deleted, so that nobody with the disk can act as this
home; then the store records that it is left (`TASK_HUB_LEFT`), and the section is removed from the house file. A home
that joins again under the same name has a new identity, by which it is recognised.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import structlog

from gateway.config.editor import EditRejected, HomeFileWriter, read_home_text, write_home
from gateway.config.home import Home, HubSection
from gateway.domain.frozen import Frozen
from gateway.integrations.hub_client import enrolment
from gateway.integrations.hub_client.enrolment import DamagedIdentity, HubError, HubUnavailable, WrongHub
from gateway.runtime.maintenance import factory_reset
from gateway.storage.handover import TASK_HUB_LEFT, TASK_LEAVE_HUB
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store

log = structlog.get_logger(__name__)

HUB_RETRY_DELAY_S = 30.0  # seconds until a silent hub gets the message again
WIPE_NOTICE_TIMEOUT_S = 5.0  # seconds that a hub may delay a wipe: the owner's wipe does not wait for it


def is_enrolled_by_claim(home: Home, section: HubSection) -> bool:
    """Return whether the box's identity there comes from a claim, and not from files that a person put there."""
    own = home.storage.folder / enrolment.HUB_FOLDER / enrolment.IDENTITY_FILE
    return section.tls is not None and section.tls.certificate == own


def has_identity(home: Home, section: HubSection) -> bool:
    """Return whether the box has its identity there."""
    return (
        not is_enrolled_by_claim(home, section)
        or (home.storage.folder / enrolment.HUB_FOLDER / enrolment.IDENTITY_FILE).exists()
    )


class Unenrolment(Frozen, kw_only=False):
    """Asks the hub by HTTP whether it still accepts this home, and reports that the home leaves."""

    home: Home
    section: HubSection
    store: Store
    rewriting: HomeFileWriter
    post: enrolment.HttpPost = enrolment.http_request
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def _folder(self) -> Path:
        return self.home.storage.folder / enrolment.HUB_FOLDER

    async def is_home_accepted(self) -> bool | None:
        """Return whether the hub still accepts this home; None: no answer.

        Its authority may have changed since the box was there last, so the box reads that first.
        """
        if not is_enrolled_by_claim(self.home, self.section):
            return None
        with contextlib.suppress(HubUnavailable, HubError, WrongHub, DamagedIdentity, OSError):
            await asyncio.to_thread(
                enrolment.follow_authorities, self.section.url, self._folder, enrolment.http_request
            )
        return await asyncio.to_thread(enrolment.is_accepted, self.section.url, self._folder, self.post)

    async def end(self, *, immediately: Callable[[], bool]) -> None:
        """Report to the hub that the home leaves, and delete the identity here; `immediately()`: wait for no answer."""
        while is_enrolled_by_claim(self.home, self.section):
            try:
                await asyncio.to_thread(enrolment.leave_hub, self.section.url, self._folder, self.post)
                break
            except (HubError, DamagedIdentity, OSError) as error:  # HubUnavailable is an OSError
                log.warning("hub_not_told_of_leaving", why=str(error))
                if not isinstance(error, HubUnavailable) or immediately():
                    break
            await self.sleep(HUB_RETRY_DELAY_S)
        while True:
            try:
                await self.forget()
                break
            except StoreFailed as failure:  # a full disk: none of it belongs to this home any more, recorded or not
                log.error("hub_not_forgotten", why=str(failure))
                await self.sleep(HUB_RETRY_DELAY_S)
        log.info("hub_left", home=self.section.home)

    async def forget(self) -> None:
        """Delete the identity of this home in the box; it may be repeated, after a crash or after StoreFailed."""
        home = self.section.home
        if is_enrolled_by_claim(self.home, self.section):
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        await self.store.hub_journal.forget()
        await self.store.handover.set_task(TASK_HUB_LEFT, home)
        await self.store.handover.set_task(TASK_LEAVE_HUB, None)
        try:
            await self.rewriting.write(lambda text, file: enrolment.text_without_membership(text, file, home))
        except (EditRejected, OSError) as error:
            log.error("hub_section_stays", why=str(error), todo="take `hub` out of the house file by hand")


async def finish_pending(home: Home, *, store: Store, rewriting: HomeFileWriter) -> None:
    """Continue at a start what a crash or a hand-over interrupted."""
    section = home.hub
    if section is None:
        return
    has_left = store.handover.pending_task(TASK_HUB_LEFT) == section.home
    if not has_left and store.handover.pending_task(TASK_LEAVE_HUB) != section.home:
        return
    identity = has_identity(home, section)
    try:
        if has_left and identity and is_enrolled_by_claim(home, section):
            await store.handover.set_task(TASK_HUB_LEFT, None)  # it has joined again under its former name
        elif has_left or not identity:
            await Unenrolment(home, section, store=store, rewriting=rewriting).forget()
    except StoreFailed as failure:  # at the next start
        log.error("hub_not_forgotten", why=str(failure))


def finish_wipe_at_hub(home: Home, file: Path | None = None, post: enrolment.HttpPost | None = None) -> bool:
    """Finish a decided wipe and report what people have to do. Return False if the phones' file is not empty.

    The hub gets one message without a retry. `file`: the house file, from which the hub is then removed. After an
    OSError a file is not deleted, and the box does not start before it is.
    """
    log.warning("wiping", folder=str(home.storage.folder))
    section = home.hub
    if section is not None and is_enrolled_by_claim(home, section):
        try:
            request = post or partial(enrolment.http_request, timeout_s=WIPE_NOTICE_TIMEOUT_S)
            enrolment.leave_hub(section.url, home.storage.folder / enrolment.HUB_FOLDER, request)
        except (HubUnavailable, HubError, DamagedIdentity, OSError) as error:
            log.error("hub_not_told_of_leaving", why=str(error), todo="let whoever runs the hub revoke this home")
    for credential in factory_reset.delete_credentials(() if section is None else section.credentials):
        log.error("hub_not_left", file=str(credential), todo="delete it by hand: by it a box speaks as this home")
    for secret in factory_reset.empty_secrets(home.booking_secrets):
        log.error("bookings_not_ended", file=str(secret), todo="empty it by hand: by it the box reads his bookings")
    phones = home.phones_file
    emptied = factory_reset.finish_wipe(home.storage.folder, phones=phones)
    if not emptied:
        log.error("phones_not_wiped", file=str(phones), todo="empty this file by hand: it names the household's phones")
    if section is not None and file is not None:
        try:
            before = read_home_text(file)
            after = enrolment.text_without_membership(before, file, section.home)
            if after != before:
                write_home(file, after)
        except (EditRejected, OSError) as error:
            log.error("hub_section_stays", why=str(error), todo="take `hub` out of the house file by hand")
    log.warning("wiped")
    return emptied
